#include "trainers/model/config.h"

#include <cmath>
#include <filesystem>

namespace ppc::model {
using engine::InputError;
using engine::Json;

namespace {

namespace fs = std::filesystem;

/// Members of one object of a file. null is as good as absent, as in Python's configurations.
class Reader {
 public:
  Reader(const Json& json, std::string file, std::string inside = "") : json_(json), file_(std::move(file)), inside_(std::move(inside)) {
    if (!json.is_object()) fail("expected an object, found " + engine::describe(json));
  }
  [[noreturn]] void fail(const std::string& what) const { throw InputError(file_ + ": " + (inside_.empty() ? "" : "`" + inside_ + "`: ") + what); }

  const Json* find(const char* key) const {
    const Json* v = json_.find(key);
    return v && !v->is_null() ? v : nullptr;
  }
  std::optional<int64_t> integer(const char* key, int64_t least, int64_t most) const {
    const Json* v = find(key);
    if (!v) return std::nullopt;
    if (!v->is_int()) fail(std::string("`") + key + "`: expected an integer, found " + engine::describe(*v));
    if (v->as_int() < least || v->as_int() > most)
      fail(std::string("`") + key + "` is " + std::to_string(v->as_int()) + ", expected " + std::to_string(least) + " to " + std::to_string(most));
    return v->as_int();
  }
  int64_t needed(const char* key, int64_t least, int64_t most) const {
    if (const auto v = integer(key, least, most)) return *v;
    fail(std::string("no `") + key + "`");
  }
  /// Positive or zero, and finite.
  std::optional<double> number(const char* key) const {
    const Json* v = find(key);
    if (!v) return std::nullopt;
    if (!v->is_number()) fail(std::string("`") + key + "`: expected a number, found " + engine::describe(*v));
    if (!std::isfinite(v->as_float()) || v->as_float() < 0) fail(std::string("`") + key + "`: expected a number of at least 0, found " + engine::describe(*v));
    return v->as_float();
  }
  double positive(const char* key, double otherwise) const {
    const auto v = number(key);
    if (v && *v <= 0) fail(std::string("`") + key + "`: expected a number above 0, found 0");
    return v.value_or(otherwise);
  }
  std::optional<bool> flag(const char* key) const {
    const Json* v = find(key);
    if (!v) return std::nullopt;
    if (!v->is_bool()) fail(std::string("`") + key + "`: expected true or false, found " + engine::describe(*v));
    return v->as_bool();
  }
  std::optional<std::string> text(const char* key) const {
    const Json* v = find(key);
    if (!v) return std::nullopt;
    if (!v->is_text()) fail(std::string("`") + key + "`: expected a text, found " + engine::describe(*v));
    return v->as_text();
  }
  std::vector<int64_t> ids(const char* key) const {
    const Json* v = find(key);
    if (!v) return {};
    std::vector<int64_t> out;
    const Json::List one{*v};
    for (const Json& id : v->is_list() ? v->items() : one) {
      if (!id.is_int() || id.as_int() < 0 || id.as_int() > INT32_MAX)
        fail(std::string("`") + key + "`: expected a token's id or a list of them, found " + engine::describe(id));
      out.push_back(id.as_int());
    }
    return out;
  }
  const std::string& file() const { return file_; }

 private:
  const Json& json_;
  std::string file_, inside_;
};

constexpr int64_t kManyTokens = int64_t{1} << 40;

void read_rope(const Reader& in, ModelConfig& c) {
  c.rope_theta = in.positive("rope_theta", 10000);
  // transformers 5 has theta and scaling in one object; before, it was `rope_scaling`, and null meant none.
  const char* key = in.find("rope_parameters") ? "rope_parameters" : "rope_scaling";
  const Json* v = in.find(key);
  if (!v) return;
  const Reader rope(*v, in.file(), key);
  c.rope_theta = rope.positive("rope_theta", c.rope_theta);
  const auto type = rope.find("rope_type") ? rope.text("rope_type") : rope.text("type");
  if (!type) rope.fail("no `rope_type`");
  if (*type == "default") return;
  if (*type != "llama3") rope.fail("rope type `" + *type + "` is not supported (default and llama3 are)");
  RopeScaling& s = c.rope_scaling;
  s.rope_type = RopeScaling::Type::Llama3;
  for (const char* needed : {"factor", "low_freq_factor", "high_freq_factor"})
    if (!rope.find(needed)) rope.fail(std::string("no `") + needed + "`");
  s.factor = rope.positive("factor", 1);
  s.low_freq_factor = rope.positive("low_freq_factor", 1);
  s.high_freq_factor = rope.positive("high_freq_factor", 4);
  s.original_max_position_embeddings = rope.needed("original_max_position_embeddings", 1, kManyTokens);
  if (s.low_freq_factor >= s.high_freq_factor) rope.fail("`low_freq_factor` must be less than `high_freq_factor`");
}

}  // namespace

ModelConfig parse_config(const Json& json, const std::string& file) {
  const Reader in(json, file);
  ModelConfig c;
  const auto type = in.text("model_type");
  std::string name;
  if (const Json* a = in.find("architectures")) {
    if (!a->is_list() || a->items().size() != 1 || !a->items()[0].is_text()) in.fail("`architectures`: expected a list of one text, found " + engine::describe(*a));
    name = a->items()[0].as_text();
  }
  struct Known { const char *type, *name; Architecture architecture; };
  static constexpr Known known[] = {{"llama", "LlamaForCausalLM", Architecture::Llama},
                                    {"qwen2", "Qwen2ForCausalLM", Architecture::Qwen2},
                                    {"qwen3", "Qwen3ForCausalLM", Architecture::Qwen3}};
  const Known* which = nullptr;
  for (const Known& k : known)
    if (name == k.name || (name.empty() && type == k.type)) which = &k;
  if (!which)
    in.fail((name.empty() ? type ? "model type `" + *type + "`" : "no `architectures` and no `model_type`: this model" : "architecture `" + name + "`") +
            " is not supported (LlamaForCausalLM, Qwen2ForCausalLM and Qwen3ForCausalLM are)");
  if (type && *type != which->type) in.fail("`model_type` is `" + *type + "`, but `architectures` says `" + which->name + "`");
  c.architecture = which->architecture;
  const bool llama = c.architecture == Architecture::Llama;

  c.vocab_size = in.needed("vocab_size", 1, 1 << 24);
  c.hidden_size = in.needed("hidden_size", 1, 1 << 20);
  c.intermediate_size = in.needed("intermediate_size", 1, 1 << 22);
  c.num_hidden_layers = in.needed("num_hidden_layers", 1, 4096);
  c.num_attention_heads = in.needed("num_attention_heads", 1, 1 << 14);
  c.num_key_value_heads = llama ? in.integer("num_key_value_heads", 1, 1 << 14).value_or(c.num_attention_heads) : in.needed("num_key_value_heads", 1, 1 << 14);
  if (c.num_attention_heads % c.num_key_value_heads != 0)
    in.fail("`num_attention_heads` (" + std::to_string(c.num_attention_heads) + ") is no multiple of `num_key_value_heads` (" + std::to_string(c.num_key_value_heads) + ")");
  if (const auto d = in.integer("head_dim", 2, 1 << 14)) {
    c.head_dim = *d;
  } else if (c.architecture == Architecture::Qwen3) {
    c.head_dim = 128;
  } else {
    if (c.hidden_size % c.num_attention_heads != 0)
      in.fail("`hidden_size` (" + std::to_string(c.hidden_size) + ") is no multiple of `num_attention_heads` (" + std::to_string(c.num_attention_heads) + "), and there is no `head_dim`");
    c.head_dim = c.hidden_size / c.num_attention_heads;
  }
  if (c.head_dim % 2 != 0) in.fail("a head of " + std::to_string(c.head_dim) + ": rotary embeddings need an even number");
  c.max_position_embeddings = in.integer("max_position_embeddings", 1, kManyTokens).value_or(llama ? 2048 : 32768);
  c.rms_norm_eps = in.positive("rms_norm_eps", 1e-6);
  read_rope(in, c);
  c.tie_word_embeddings = in.flag("tie_word_embeddings").value_or(false);
  const bool attention_bias = in.flag("attention_bias").value_or(false);
  if (c.architecture == Architecture::Qwen2) {
    c.qkv_bias = true;
  } else {
    c.qkv_bias = c.o_bias = attention_bias;
  }
  c.mlp_bias = llama && in.flag("mlp_bias").value_or(false);
  c.qk_norm = c.architecture == Architecture::Qwen3;
  const auto dtype = in.find("dtype") ? in.text("dtype") : in.text("torch_dtype");
  c.dtype = dtype.value_or("");
  c.bos_token_id = in.integer("bos_token_id", 0, INT32_MAX);
  if (const Json* pad = in.find("pad_token_id"); pad && !(pad->is_int() && pad->as_int() == -1)) c.pad_token_id = in.integer("pad_token_id", 0, INT32_MAX);
  c.eos_token_id = in.ids("eos_token_id");

  // What changes the numbers and is not computed here.
  const auto act = in.text("hidden_act");
  if (act && *act != "silu") in.fail("`hidden_act`: `" + *act + "` is not supported (silu is)");
  if (in.flag("use_sliding_window").value_or(false)) in.fail("`use_sliding_window`: sliding-window attention is not supported");
  if (const Json* kinds = in.find("layer_types")) {
    if (!kinds->is_list()) in.fail("`layer_types`: expected a list, found " + engine::describe(*kinds));
    for (const Json& k : kinds->items())
      if (!k.is_text() || k.as_text() != "full_attention") in.fail("`layer_types`: " + engine::describe(k) + " is not supported (full_attention is)");
  }
  if (llama && in.find("sliding_window")) in.fail("`sliding_window`: sliding-window attention is not supported");
  if (const auto p = in.number("attention_dropout"); p && *p != 0) in.fail("`attention_dropout`: only 0 is supported");
  if (in.integer("pretraining_tp", 0, INT32_MAX).value_or(1) > 1) in.fail("`pretraining_tp`: only 1 is supported");
  if (in.number("partial_rotary_factor").value_or(1) != 1) in.fail("`partial_rotary_factor`: only 1 is supported");
  if (in.find("quantization_config")) in.fail("`quantization_config`: quantized weights are not supported");
  return c;
}

ModelConfig load_config(const std::string& folder) {
  const std::string file = (fs::path(folder) / "config.json").string();
  return parse_config(engine::load_json(file), file);
}

GenerationConfig parse_generation_config(const Json& json, const std::string& file) {
  const Reader in(json, file);
  GenerationConfig g;
  g.bos_token_id = in.integer("bos_token_id", 0, INT32_MAX);
  const std::vector<int64_t> pad = in.ids("pad_token_id");
  if (!pad.empty()) g.pad_token_id = pad[0];
  g.eos_token_id = in.ids("eos_token_id");
  g.do_sample = in.flag("do_sample");
  g.temperature = in.number("temperature");
  g.top_p = in.number("top_p");
  g.min_p = in.number("min_p");
  g.repetition_penalty = in.number("repetition_penalty");
  g.top_k = in.integer("top_k", 0, INT32_MAX);
  return g;
}

GenerationConfig load_generation_config(const std::string& folder, const ModelConfig& config) {
  const std::string file = (fs::path(folder) / "generation_config.json").string();
  GenerationConfig g;
  if (std::error_code ignored; fs::exists(file, ignored)) g = parse_generation_config(engine::load_json(file), file);
  if (!g.bos_token_id) g.bos_token_id = config.bos_token_id;
  if (!g.pad_token_id) g.pad_token_id = config.pad_token_id;
  if (g.eos_token_id.empty()) g.eos_token_id = config.eos_token_id;
  return g;
}

std::vector<std::pair<std::string, std::vector<int64_t>>> tensors_of(const ModelConfig& c) {
  std::vector<std::pair<std::string, std::vector<int64_t>>> out;
  const int64_t q = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
  out.push_back({"model.embed_tokens.weight", {c.vocab_size, c.hidden_size}});
  for (int64_t i = 0; i < c.num_hidden_layers; ++i) {
    const std::string layer = "model.layers." + std::to_string(i) + ".";
    auto linear = [&](const char* name, int64_t to, int64_t from, bool bias) {
      out.push_back({layer + name + ".weight", {to, from}});
      if (bias) out.push_back({layer + name + ".bias", {to}});
    };
    out.push_back({layer + "input_layernorm.weight", {c.hidden_size}});
    linear("self_attn.q_proj", q, c.hidden_size, c.qkv_bias);
    linear("self_attn.k_proj", kv, c.hidden_size, c.qkv_bias);
    linear("self_attn.v_proj", kv, c.hidden_size, c.qkv_bias);
    linear("self_attn.o_proj", c.hidden_size, q, c.o_bias);
    if (c.qk_norm) {
      out.push_back({layer + "self_attn.q_norm.weight", {c.head_dim}});
      out.push_back({layer + "self_attn.k_norm.weight", {c.head_dim}});
    }
    out.push_back({layer + "post_attention_layernorm.weight", {c.hidden_size}});
    linear("mlp.gate_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
    linear("mlp.up_proj", c.intermediate_size, c.hidden_size, c.mlp_bias);
    linear("mlp.down_proj", c.hidden_size, c.intermediate_size, c.mlp_bias);
  }
  out.push_back({"model.norm.weight", {c.hidden_size}});
  if (!c.tie_word_embeddings) out.push_back({"lm_head.weight", {c.vocab_size, c.hidden_size}});
  return out;
}

}  // namespace ppc::model
