#include "trainers/nn/flat.h"

#include <algorithm>

namespace ppc::nn {

namespace {
constexpr int64_t kAlign = 32;  // elements: 64 bytes, also in bfloat16

std::string layer_name(int64_t i) { return "model.layers." + std::to_string(i) + "."; }
}  // namespace

void Layout::add(const std::string& name, const std::vector<int64_t>& shape, bool gap) {
  if (gap) size = (size + kAlign - 1) / kAlign * kAlign;
  Place p{name, shape, size, 1};
  for (const int64_t n : shape) p.size *= n;
  size += p.size;
  numbers += p.size;
  places.push_back(std::move(p));
}

const Place* Layout::find(const std::string& name) const {
  const auto at = std::find_if(places.begin(), places.end(), [&](const Place& p) { return p.name == name; });
  return at == places.end() ? nullptr : &*at;
}

Layout layout_of(const model::ModelConfig& c) {
  const auto tensors = model::tensors_of(c);
  Layout out;
  auto find = [&](const std::string& name) { return std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.first == name; }); };
  auto add = [&](const std::string& name, bool gap = true) {
    if (const auto t = find(name); t != tensors.end()) out.add(name, t->second, gap);
  };
  add("model.embed_tokens.weight");
  add("lm_head.weight");
  for (int64_t i = 0; i < c.num_hidden_layers; ++i)
    for (const Projection p : {kQuery, kKey, kValue, kOutput, kGate, kUp, kDown})
      add(layer_name(i) + kProjectionNames[p].path + ".weight", p != kKey && p != kValue && p != kUp);
  out.decaying = out.size = (out.size + kAlign - 1) / kAlign * kAlign;
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    for (const char* name : {"input_layernorm", "post_attention_layernorm", "self_attn.q_norm", "self_attn.k_norm"}) add(layer_name(i) + name + ".weight");
    for (const Projection p : {kQuery, kKey, kValue, kOutput, kGate, kUp, kDown})
      add(layer_name(i) + kProjectionNames[p].path + ".bias", p != kKey && p != kValue && p != kUp);
  }
  add("model.norm.weight");
  out.size = (out.size + kAlign - 1) / kAlign * kAlign;
  TORCH_INTERNAL_ASSERT(out.places.size() == tensors.size());
  return out;
}

std::pair<int64_t, int64_t> shape_of(const model::ModelConfig& c, Projection p) {
  const int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  switch (p) {
    case kQuery: return {q, c.hidden_size};
    case kKey:
    case kValue: return {kv, c.hidden_size};
    case kOutput: return {c.hidden_size, q};
    case kGate:
    case kUp: return {c.intermediate_size, c.hidden_size};
    default: return {c.hidden_size, c.intermediate_size};
  }
}

Layout adapter_layout(const model::ModelConfig& c, int64_t r, const std::array<bool, kProjections>& targets) {
  Layout out;
  for (int64_t i = 0; i < c.num_hidden_layers; ++i)
    for (const Projection p : {kQuery, kKey, kValue, kOutput, kGate, kUp, kDown}) {
      if (!targets[p]) continue;
      const auto [to, from] = shape_of(c, p);
      const std::string name = layer_name(i) + kProjectionNames[p].path;
      out.add(name + ".lora_A.weight", {r, from});
      out.add(name + ".lora_B.weight", {to, r});
    }
  out.decaying = out.size = (out.size + kAlign - 1) / kAlign * kAlign;
  return out;
}

ModelView::ModelView(const Layout& layout, const model::ModelConfig& c, Tensor all) : flat(std::move(all)), layers(static_cast<size_t>(c.num_hidden_layers)) {
  if (!flat.defined()) return;
  auto get = [&](const std::string& name) {
    const Place* p = layout.find(name);
    return p ? part(flat, *p) : Tensor();
  };
  // The first of several that lie together, with all their rows.
  auto together = [&](const std::string& name, int64_t rows) {
    const Place* p = layout.find(name);
    if (!p) return Tensor();
    std::vector<int64_t> shape = p->shape;
    const int64_t size = p->size / shape[0] * rows;
    shape[0] = rows;
    return flat.narrow(0, p->at, size).view(shape);
  };
  const int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  embedding = get("model.embed_tokens.weight");
  head = c.tie_word_embeddings ? embedding : get("lm_head.weight");
  norm = get("model.norm.weight");
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    LayerView& l = layers[static_cast<size_t>(i)];
    const std::string name = layer_name(i);
    l.input_norm = get(name + "input_layernorm.weight");
    l.middle_norm = get(name + "post_attention_layernorm.weight");
    l.q_norm = get(name + "self_attn.q_norm.weight");
    l.k_norm = get(name + "self_attn.k_norm.weight");
    l.qkv = together(name + "self_attn.q_proj.weight", q + 2 * kv);
    l.qkv_bias = together(name + "self_attn.q_proj.bias", q + 2 * kv);
    l.o = get(name + "self_attn.o_proj.weight");
    l.o_bias = get(name + "self_attn.o_proj.bias");
    l.gate_up = together(name + "mlp.gate_proj.weight", 2 * c.intermediate_size);
    l.gate_up_bias = together(name + "mlp.gate_proj.bias", 2 * c.intermediate_size);
    l.down = get(name + "mlp.down_proj.weight");
    l.down_bias = get(name + "mlp.down_proj.bias");
  }
}

AdapterView::AdapterView(const Layout& layout, const model::ModelConfig& c, Tensor all) : flat(std::move(all)), layers(static_cast<size_t>(c.num_hidden_layers)) {
  if (!flat.defined()) return;
  size_t next = 0;
  for (int64_t i = 0; i < c.num_hidden_layers; ++i)
    for (uint8_t p = 0; p < kProjections; ++p) {
      if (next == layout.places.size() || layout.places[next].name != layer_name(i) + kProjectionNames[p].path + ".lora_A.weight") continue;
      layers[static_cast<size_t>(i)][p] = {part(flat, layout.places[next]), part(flat, layout.places[next + 1])};
      next += 2;
    }
  TORCH_INTERNAL_ASSERT(next == layout.places.size());
}

}  // namespace ppc::nn
