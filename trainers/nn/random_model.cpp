#include "trainers/nn/random_model.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "runtime/engine/fnv.h"
#include "runtime/engine/splitmix.h"

namespace ppc::nn {
using engine::Json;
using model::Architecture;
using model::ModelConfig;

namespace {

/// Good enough for weights, and the same everywhere.
struct Random {
  uint64_t state;
  uint64_t next() { return engine::mix64(state += engine::kSplit); }
};

/// Round to nearest, ties to even.
uint16_t bfloat16(float value) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace

void fill_random(std::span<float> values, const std::string& name, const RandomWeights& how) {
  const bool norm = name.ends_with("norm.weight"), bias = name.ends_with(".bias");
  const float mean = norm ? 1 : 0;
  const float deviation = static_cast<float>(norm || bias ? how.spread : how.initializer_range);
  Random random{engine::fnv1a(name) ^ (how.seed * 0xd1342543de82ef95)};
  for (size_t i = 0; i < values.size(); i += 2) {
    // Box and Muller's method: two uniform numbers give two normal ones.
    const uint64_t bits = random.next();
    const float u = static_cast<float>((bits >> 40) + 1) * 0x1p-24f;  // in (0, 1]
    const float angle = static_cast<float>(bits & 0xffffff) * 0x1p-24f * 2 * std::numbers::pi_v<float>;
    const float radius = deviation * std::sqrt(-2 * std::log(u));
    values[i] = mean + radius * std::cos(angle);
    if (i + 1 < values.size()) values[i + 1] = mean + radius * std::sin(angle);
  }
}

Json to_json(const ModelConfig& c) {
  const char* name = c.architecture == Architecture::Llama ? "Llama" : c.architecture == Architecture::Qwen2 ? "Qwen2" : "Qwen3";
  const char* type = c.architecture == Architecture::Llama ? "llama" : c.architecture == Architecture::Qwen2 ? "qwen2" : "qwen3";
  Json out = Json::object(), architectures = Json::list();
  architectures.push(Json(std::string(name) + "ForCausalLM"));
  out.add("architectures", std::move(architectures));
  out.add("model_type", type);
  if (c.architecture != Architecture::Qwen2) out.add("attention_bias", c.qkv_bias);
  if (c.architecture == Architecture::Llama) out.add("mlp_bias", c.mlp_bias);
  out.add("hidden_act", "silu");
  out.add("vocab_size", c.vocab_size);
  out.add("hidden_size", c.hidden_size);
  out.add("intermediate_size", c.intermediate_size);
  out.add("num_hidden_layers", c.num_hidden_layers);
  out.add("num_attention_heads", c.num_attention_heads);
  out.add("num_key_value_heads", c.num_key_value_heads);
  out.add("head_dim", c.head_dim);
  out.add("max_position_embeddings", c.max_position_embeddings);
  out.add("rms_norm_eps", c.rms_norm_eps);
  out.add("rope_theta", c.rope_theta);
  if (const model::RopeScaling& s = c.rope_scaling; s.rope_type == model::RopeScaling::Type::Llama3) {
    Json scaling = Json::object();
    scaling.add("rope_type", "llama3");
    scaling.add("factor", s.factor);
    scaling.add("low_freq_factor", s.low_freq_factor);
    scaling.add("high_freq_factor", s.high_freq_factor);
    scaling.add("original_max_position_embeddings", s.original_max_position_embeddings);
    out.add("rope_scaling", std::move(scaling));
  }
  out.add("tie_word_embeddings", c.tie_word_embeddings);
  if (!c.dtype.empty()) out.add("torch_dtype", c.dtype);
  auto ids = [](const std::vector<int64_t>& list) {
    if (list.size() == 1) return Json(list[0]);
    Json j = Json::list();
    for (int64_t id : list) j.push(Json(id));
    return j;
  };
  if (c.bos_token_id) out.add("bos_token_id", *c.bos_token_id);
  if (c.pad_token_id) out.add("pad_token_id", *c.pad_token_id);
  if (!c.eos_token_id.empty()) out.add("eos_token_id", ids(c.eos_token_id));
  return out;
}

void write_random_model(const std::string& folder, ModelConfig config, const RandomWeights& how, model::DType dtype, uint64_t shard_bytes) {
  namespace fs = std::filesystem;
  config.dtype = dtype == model::DType::F32 ? "float32" : "bfloat16";
  if (dtype == model::DType::F16) throw std::invalid_argument("random weights are F32 or BF16");
  std::error_code error;
  if (fs::create_directories(folder, error); error) throw engine::SystemError(folder + ": cannot be made: " + error.message());

  std::vector<std::vector<std::byte>> data;
  std::vector<model::TensorView> views;
  for (const auto& [name, shape] : model::tensors_of(config)) {
    model::TensorView view{name, dtype, shape, {}, 0};
    std::vector<float> values(static_cast<size_t>(view.elements()));
    fill_random(values, name, how);
    std::vector<std::byte>& bytes = data.emplace_back(values.size() * bytes_of(dtype));
    if (dtype == model::DType::F32) std::memcpy(bytes.data(), values.data(), bytes.size());
    else
      for (size_t i = 0; i < values.size(); ++i) {
        const uint16_t rounded = bfloat16(values[i]);
        std::memcpy(bytes.data() + 2 * i, &rounded, 2);
      }
    view.data = bytes;
    views.push_back(std::move(view));
  }
  const Json json = to_json(config);
  Json generation = Json::object();
  for (const char* key : {"bos_token_id", "pad_token_id", "eos_token_id"})
    if (const Json* v = json.find(key)) generation.add(key, *v);
  model::write_file_atomically((fs::path(folder) / "config.json").string(), engine::to_text(json, {2, false}) + "\n");
  model::write_file_atomically((fs::path(folder) / "generation_config.json").string(), engine::to_text(generation, {2, false}) + "\n");
  model::write_weights(folder, views, shard_bytes);
}

ModelConfig shape_135m() {
  ModelConfig c;
  c.vocab_size = 49152;
  c.hidden_size = 576;
  c.intermediate_size = 1536;
  c.num_hidden_layers = 30;
  c.num_attention_heads = 9;
  c.num_key_value_heads = 3;
  c.head_dim = 64;
  c.max_position_embeddings = 8192;
  c.rms_norm_eps = 1e-5;
  c.rope_theta = 100000;
  c.tie_word_embeddings = true;
  c.bos_token_id = 1;
  c.pad_token_id = 2;
  c.eos_token_id = {2};
  return c;
}

ModelConfig shape_tiny(Architecture architecture) {
  ModelConfig c;
  c.architecture = architecture;
  c.vocab_size = 320;
  c.hidden_size = 64;
  c.intermediate_size = 176;
  c.num_hidden_layers = 2;
  c.num_attention_heads = 4;
  c.num_key_value_heads = 2;
  c.head_dim = architecture == Architecture::Qwen3 ? 32 : 16;
  c.max_position_embeddings = 2048;
  c.qkv_bias = architecture == Architecture::Qwen2;
  c.qk_norm = architecture == Architecture::Qwen3;
  c.tie_word_embeddings = architecture != Architecture::Llama;
  c.bos_token_id = 1;
  c.eos_token_id = {2};
  return c;
}

}  // namespace ppc::nn
