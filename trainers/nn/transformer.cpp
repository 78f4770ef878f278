#include "trainers/nn/transformer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "trainers/nn/devices.h"
#include "trainers/nn/rope.h"

namespace ppc::nn {

namespace {

/// What norms and softmax are computed in.
torch::Dtype wide(const Tensor& x) { return x.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32; }

/// The first half of each head's numbers turns with the second.
Tensor rotate(const Tensor& x, const Turns& turns) {
  const int64_t half = x.size(-1) / 2;
  const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  return torch::cat({a * turns.cos - b * turns.sin, b * turns.cos + a * turns.sin}, -1);
}

/// By plain products. A group's heads are further queries of their key head, so that keys and values need no copies.
Tensor attend_with_products(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
  const int64_t b = q.size(0), n = q.size(2), d = q.size(3), kv_heads = k.size(1), group = q.size(1) / kv_heads, length = k.size(2);
  const Tensor queries = (q * (1 / std::sqrt(static_cast<double>(d)))).reshape({b, kv_heads, group * n, d});
  Tensor scores = torch::matmul(queries, k.transpose(-1, -2)).view({b, kv_heads, group, n, length}).to(wide(q));
  const Tensor hidden = mask.defined() ? mask.logical_not().unsqueeze(1) : torch::ones({n, length}, q.options().dtype(torch::kBool)).triu_(length - n + 1);
  scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
  const Tensor weights = scores.softmax(-1).to(q.scalar_type()).view({b, kv_heads, group * n, length});
  return torch::matmul(weights, v).view({b, kv_heads * group, n, d});
}

}  // namespace

Tensor attend(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask) {
#if TORCH_VERSION_MAJOR >= 2
  // LibTorch's fused attention; not on a CPU in bfloat16, where 2.14 asks for AVX-512 even in builds that have none.
  if (!q.is_cpu() || q.scalar_type() == torch::kFloat32 || q.scalar_type() == torch::kFloat64) {
    const int64_t b = q.size(0), n = q.size(2), d = q.size(3), kv_heads = k.size(1), group = q.size(1) / kv_heads;
    if (mask.defined()) {
      const Tensor masks = mask.expand({mask.size(0), group, n, k.size(2)}).reshape({mask.size(0), 1, group * n, k.size(2)});
      return at::scaled_dot_product_attention(q.reshape({b, kv_heads, group * n, d}), k, v, masks).reshape({b, kv_heads * group, n, d});
    }
    auto repeat = [&](const Tensor& x) { return group == 1 ? x : x.repeat_interleave(group, 1); };
    return at::scaled_dot_product_attention(q, repeat(k), repeat(v), {}, 0.0, /*is_causal=*/true);
  }
#endif
  // By rows, so that the scores of long sequences fit; and the first rows need no late keys.
  const int64_t n = q.size(2), rows = 512;
  if (n <= rows) return attend_with_products(q, k, v, mask);
  std::vector<Tensor> parts;
  for (int64_t at = 0; at < n; at += rows) {
    const int64_t count = std::min(rows, n - at);
    const Tensor part = q.narrow(2, at, count);
    if (mask.defined()) parts.push_back(attend_with_products(part, k, v, mask.narrow(2, at, count)));
    else parts.push_back(attend_with_products(part, k.narrow(2, 0, at + count), v.narrow(2, 0, at + count), {}));
  }
  return torch::cat(parts, 2);
}

Packed Packed::of(const std::vector<std::vector<int32_t>>& sequences, torch::Device device) {
  Packed out;
  out.bounds.push_back(0);
  for (const auto& s : sequences) out.bounds.push_back(out.bounds.back() + static_cast<int64_t>(s.size()));
  Tensor both = torch::empty({2, out.bounds.back()}, torch::kInt64);
  int64_t *tokens = both.data_ptr<int64_t>(), *positions = tokens + out.bounds.back();
  for (const auto& s : sequences)
    for (size_t i = 0; i < s.size(); ++i) *tokens++ = s[i], *positions++ = static_cast<int64_t>(i);
  both = both.to(device);
  out.tokens = both[0];
  out.positions = both[1];
  return out;
}

Transformer::Transformer(const model::ModelConfig& config, torch::Device device, torch::Dtype dtype) : config_(config) {
  const auto options = torch::TensorOptions().device(device).dtype(dtype);
  for (const auto& [name, shape] : model::tensors_of(config)) parameters_.emplace_back(name, torch::empty(shape, options));

  // In the order of model::tensors_of; what the configuration does not have is undefined.
  size_t next = 0;
  auto take = [&](const std::string& name) { return next < parameters_.size() && parameters_[next].first == name ? parameters_[next++].second : Tensor(); };
  embedding_ = take("model.embed_tokens.weight");
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string prefix = "model.layers." + std::to_string(i) + ".";
    auto tensor = [&](const char* name) { return take(prefix + name + ".weight"); };
    auto linear = [&](const char* name) {
      Linear l;
      l.weight = take(prefix + name + ".weight");
      l.bias = take(prefix + name + ".bias");
      return l;
    };
    Layer& l = layers_.emplace_back();
    l.input_norm = tensor("input_layernorm");
    l.q = linear("self_attn.q_proj");
    l.k = linear("self_attn.k_proj");
    l.v = linear("self_attn.v_proj");
    l.o = linear("self_attn.o_proj");
    l.q_norm = tensor("self_attn.q_norm");
    l.k_norm = tensor("self_attn.k_norm");
    l.post_attention_norm = tensor("post_attention_layernorm");
    l.gate = linear("mlp.gate_proj");
    l.up = linear("mlp.up_proj");
    l.down = linear("mlp.down_proj");
  }
  last_norm_ = take("model.norm.weight");
  head_.weight = config.tie_word_embeddings ? embedding_ : take("lm_head.weight");
  TORCH_INTERNAL_ASSERT(next == parameters_.size());

  const std::vector<double> frequencies = rope_frequencies(config);
  frequencies_ = torch::tensor(frequencies, torch::kFloat64).to(device);
}

Transformer Transformer::load(const std::string& folder, torch::Device device, torch::Dtype dtype) {
  Transformer out(model::load_config(folder), device, dtype);
  const model::Weights weights = model::Weights::open(folder);
  out.load(source_of(out.config_, weights));
  return out;
}

void Transformer::load(const WeightSource& source) {
  torch::NoGradGuard no_gradients;
  read_weights(config_, source, [&](const model::TensorView& tensor) {
    std::find_if(parameters_.begin(), parameters_.end(), [&](const auto& p) { return p.first == tensor.name; })->second.copy_(tensor_of(tensor));
  });
}

void Transformer::initialise(const RandomWeights& how) {
  torch::NoGradGuard no_gradients;
  for (auto& [name, parameter] : parameters_) {
    Tensor values = torch::empty(parameter.sizes(), torch::kFloat32);
    fill_random({values.data_ptr<float>(), static_cast<size_t>(values.numel())}, name, how);
    parameter.copy_(values);
  }
}

void Transformer::save(const std::string& folder, uint64_t shard_bytes) const {
  const model::DType dtype = this->dtype() == torch::kBFloat16 ? model::DType::BF16 : this->dtype() == torch::kFloat16 ? model::DType::F16 : model::DType::F32;
  std::vector<Tensor> tensors;
  std::vector<model::TensorView> views;
  for (const auto& [name, parameter] : parameters_) {
    const Tensor& t = tensors.emplace_back(parameter.detach().to(torch::kCPU, type_of(dtype)).contiguous());
    views.push_back(view_of(name, t));
  }
  model::write_weights(folder, views, shard_bytes);
}

void Transformer::require_gradients(bool yes) {
  for (auto& [name, parameter] : parameters_) parameter.set_requires_grad(yes);
}

Tensor Transformer::norm(const Tensor& x, const Tensor& weight) const {
  const Tensor w = x.to(wide(x));
  return weight * (w * (w.square().mean(-1, true) + config_.rms_norm_eps).rsqrt()).to(x.scalar_type());
}

Tensor Transformer::layer(int64_t index, const Tensor& x, const Turns& turns, const Attention& attention) const {
  const Layer& l = layers_[static_cast<size_t>(index)];
  const int64_t n = x.size(0), heads = config_.num_attention_heads, kv_heads = config_.num_key_value_heads, d = config_.head_dim;
  const Tensor in = norm(x, l.input_norm);
  Tensor q = l.q(in).view({n, heads, d}), k = l.k(in).view({n, kv_heads, d});
  const Tensor v = l.v(in).view({n, kv_heads, d});
  if (config_.qk_norm) q = norm(q, l.q_norm), k = norm(k, l.k_norm);
  const Tensor found = attention(index, rotate(q, turns), rotate(k, turns), v);
  const Tensor y = x + l.o(found.reshape({n, heads * d}));
  const Tensor middle = norm(y, l.post_attention_norm);
  return y + l.down(torch::silu(l.gate(middle)) * l.up(middle));
}

Tensor Transformer::hidden(const Tensor& tokens, const Tensor& positions, const Attention& attention) const {
  // Angles in float64: in float32 they are off by a hundredth after 100,000 tokens.
  const Tensor angles = (positions.to(torch::kFloat64).unsqueeze(1) * frequencies_).unsqueeze(1);
  const Turns turns{angles.cos().to(dtype()), angles.sin().to(dtype())};
  Tensor x = torch::embedding(embedding_, tokens);
  for (int64_t i = 0; i < config_.num_hidden_layers; ++i) x = layer(i, x, turns, attention);
  return norm(x, last_norm_);
}

Tensor Transformer::hidden(const Packed& packed) const {
  return hidden(packed.tokens, packed.positions, [&](int64_t, const Tensor& q, const Tensor& k, const Tensor& v) {
    std::vector<Tensor> parts;
    for (size_t s = 0; s + 1 < packed.bounds.size(); ++s) {
      const int64_t from = packed.bounds[s], n = packed.bounds[s + 1] - from;
      auto part = [&](const Tensor& x) { return x.narrow(0, from, n).transpose(0, 1).unsqueeze(0); };
      if (n > 0) parts.push_back(attend(part(q), part(k), part(v)).squeeze(0).transpose(0, 1));
    }
    return torch::cat(parts, 0);
  });
}

Tensor Transformer::logits(const Tensor& hidden) const { return head_(hidden).to(wide(hidden)); }

}  // namespace ppc::nn
