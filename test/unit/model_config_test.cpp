// config.json and generation_config.json: the published models' options, and what is refused.
#include "trainers/model/config.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "trainers/model/safetensors.h"

using namespace ppc::model;
using ppc::engine::parse_json;
namespace fs = std::filesystem;

namespace {

const char* const kLlama32 = R"({
  "architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0, "bos_token_id": 128000,
  "eos_token_id": [128001, 128008, 128009], "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
  "intermediate_size": 8192, "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32,
  "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
  "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"},
  "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true, "vocab_size": 128256})";
const char* const kQwen25 = R"({
  "architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643, "eos_token_id": 151645, "hidden_act": "silu",
  "hidden_size": 896, "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 21, "model_type": "qwen2",
  "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06, "rope_theta": 1000000.0,
  "sliding_window": 32768, "tie_word_embeddings": true, "use_sliding_window": false, "vocab_size": 151936, "torch_dtype": "bfloat16"})";

ModelConfig config(const std::string& json) { return parse_config(parse_json(json, "c.json"), "c.json"); }
/// The Llama 3.2 configuration with one member replaced or added.
std::string with(const char* key, const std::string& value, const char* base = kLlama32) {
  auto json = parse_json(base, "c.json");
  json.set(key, parse_json(value, "v"));
  return ppc::engine::to_text(json);
}
std::string error_of(const std::string& json) {
  try {
    config(json);
  } catch (const ppc::engine::InputError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST(ModelConfig, Llama32) {
  const ModelConfig c = config(kLlama32);
  EXPECT_EQ(c.architecture, Architecture::Llama);
  EXPECT_EQ(c.head_dim, 64);
  EXPECT_EQ(c.num_key_value_heads, 8);
  EXPECT_EQ(c.rope_theta, 500000);
  EXPECT_EQ(c.rope_scaling.rope_type, RopeScaling::Type::Llama3);
  EXPECT_EQ(c.rope_scaling.factor, 32);
  EXPECT_EQ(c.rope_scaling.original_max_position_embeddings, 8192);
  EXPECT_EQ(c.eos_token_id, (std::vector<int64_t>{128001, 128008, 128009}));
  EXPECT_EQ(c.rms_norm_eps, 1e-5);
  EXPECT_TRUE(c.tie_word_embeddings);
  EXPECT_EQ(c.dtype, "bfloat16");
  EXPECT_EQ(tensors_of(c).size(), 16 * 9 + 2u);
  // As transformers 5 writes it.
  auto json = parse_json(with("rope_scaling", "null"), "c");
  json.set("rope_theta", nullptr);
  json.set("torch_dtype", nullptr);
  json.set("dtype", "bfloat16");
  json.set("rope_parameters", parse_json(R"({"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
    "original_max_position_embeddings": 8192, "rope_type": "llama3", "rope_theta": 500000.0})", "r"));
  const ModelConfig d = parse_config(json, "c");
  EXPECT_EQ(d.rope_theta, 500000);
  EXPECT_EQ(d.rope_scaling.factor, 32);
  EXPECT_EQ(d.dtype, "bfloat16");
}

TEST(ModelConfig, Qwen) {
  const ModelConfig c = config(kQwen25);
  EXPECT_EQ(c.architecture, Architecture::Qwen2);
  EXPECT_TRUE(c.qkv_bias);
  EXPECT_FALSE(c.o_bias);
  EXPECT_EQ(c.head_dim, 64);
  EXPECT_EQ(c.eos_token_id, std::vector<int64_t>{151645});
  EXPECT_EQ(tensors_of(c).size(), 24 * 12 + 2u);
  auto json = parse_json(kQwen25, "c");
  json.set("architectures", parse_json(R"(["Qwen3ForCausalLM"])", "a"));
  json.set("model_type", "qwen3");
  json.set("layer_types", parse_json(R"(["full_attention"])", "a"));
  const ModelConfig d = parse_config(json, "c");
  EXPECT_EQ(d.head_dim, 128);
  EXPECT_TRUE(d.qk_norm);
  EXPECT_FALSE(d.qkv_bias);
}

TEST(ModelConfig, WhatIsNotSupportedIsRefusedWithTheReason) {
  const std::pair<std::string, const char*> cases[] = {
      {with("architectures", R"(["MistralForCausalLM"])"), "architecture `MistralForCausalLM` is not supported"},
      {with("architectures", R"(["Qwen2ForCausalLM"])"), "`model_type` is `llama`, but"},
      {"{}", "no `architectures` and no `model_type`"},
      {"[]", "expected an object"},
      {with("hidden_act", "\"gelu\""), "`hidden_act`: `gelu` is not supported"},
      {with("use_sliding_window", "true", kQwen25), "sliding-window attention"},
      {with("sliding_window", "4096"), "sliding-window attention"},
      {with("layer_types", R"(["full_attention", "sliding_attention"])", kQwen25), "\"sliding_attention\" is not supported"},
      {with("rope_scaling", R"({"rope_type": "yarn", "factor": 4.0})"), "`rope_scaling`: rope type `yarn` is not supported"},
      {with("rope_scaling", R"({"type": "dynamic", "factor": 4.0})"), "rope type `dynamic` is not supported"},
      {with("rope_scaling", R"({"rope_type": "llama3", "factor": 4.0})"), "no `low_freq_factor`"},
      {with("rope_scaling", R"({"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 4, "high_freq_factor": 4, "original_max_position_embeddings": 8})"), "must be less than"},
      {with("rope_theta", "0"), "`rope_theta`: expected a number above 0"},
      {with("quantization_config", "{}"), "quantized weights are not supported"},
      {with("pretraining_tp", "2"), "`pretraining_tp`"},
      {with("partial_rotary_factor", "0.5"), "`partial_rotary_factor`"},
      {with("vocab_size", "null"), "no `vocab_size`"},
      {with("vocab_size", "0"), "`vocab_size` is 0, expected 1 to"},
      {with("vocab_size", "3.5"), "`vocab_size`: expected an integer"},
      {with("num_hidden_layers", "100000000000"), "`num_hidden_layers` is 100000000000"},
      {with("num_key_value_heads", "5"), "no multiple of `num_key_value_heads`"},
      {with("head_dim", "63"), "need an even number"},
      {with("hidden_size", "100", kQwen25), "is no multiple of `num_attention_heads`"},
      {with("tie_word_embeddings", "1"), "`tie_word_embeddings`: expected true or false"},
      {with("eos_token_id", "[1, -2]"), "`eos_token_id`: expected a token's id"},
  };
  for (const auto& [json, says] : cases) {
    const std::string e = error_of(json);
    EXPECT_TRUE(e.starts_with("c.json: ")) << e;
    EXPECT_NE(e.find(says), std::string::npos) << "wanted: " << says << "\n   got: " << e;
  }
}

TEST(ModelConfig, Generation) {
  const GenerationConfig g = parse_generation_config(parse_json(R"({"bos_token_id": 151643, "do_sample": true, "eos_token_id": [151645, 151643],
    "pad_token_id": 151643, "temperature": 0.7, "top_k": 20, "top_p": 0.8, "repetition_penalty": 1.05, "transformers_version": "4.37.0"})", "g"), "g");
  EXPECT_EQ(g.eos_token_id, (std::vector<int64_t>{151645, 151643}));
  EXPECT_EQ(g.top_k, 20);
  EXPECT_EQ(g.temperature, 0.7);
  const GenerationConfig none = load_generation_config("/nowhere", config(kLlama32));
  EXPECT_EQ(none.eos_token_id.size(), 3u);
  EXPECT_EQ(none.bos_token_id, 128000);
}

TEST(ModelConfig, GoldenModelsHaveTheirTensors) {
  const char* shared = std::getenv("PPC_SHARED");
  const fs::path models = shared ? fs::path(shared) / "golden/models" : fs::path(PPC_SOURCE_DIR).parent_path() / "shared/golden/models";
  if (!fs::exists(models)) GTEST_SKIP() << "no folder " << models << " (PPC_SHARED)";
  for (const auto& model : fs::directory_iterator(models)) {
    const ModelConfig c = load_config(model.path().string());
    EXPECT_EQ(load_generation_config(model.path().string(), c).eos_token_id.size(), 1u);
    const Weights w = Weights::open(model.path().string());
    const auto wanted = tensors_of(c);
    EXPECT_EQ(wanted.size(), w.tensors().size()) << model.path();
    for (const auto& [name, shape] : wanted) EXPECT_NO_THROW(w.get(name, shape));
  }
}
