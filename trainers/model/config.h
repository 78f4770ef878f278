// `config.json` and `generation_config.json` of a model folder. Names are Hugging Face's; defaults are those of its
// configuration classes. What our models do not compute is refused, never ignored.
//
// Errors: engine::InputError, "FILE: what is wrong".
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/json.h"

namespace ppc::model {

enum class Architecture : uint8_t { Llama, Qwen2, Qwen3 };  // SmolLM2 is a Llama, Qwen2.5 a Qwen2

/// How rotary frequencies change for long contexts. Default: they do not.
struct RopeScaling {
  enum class Type : uint8_t { Default, Llama3 };
  Type rope_type = Type::Default;
  double factor = 1;
  double low_freq_factor = 1, high_freq_factor = 4;
  int64_t original_max_position_embeddings = 0;  // tokens
};

struct ModelConfig {
  Architecture architecture = Architecture::Llama;
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t num_key_value_heads = 0;      // divides num_attention_heads
  int64_t head_dim = 0;                 // even
  int64_t max_position_embeddings = 0;  // tokens
  double rms_norm_eps = 1e-6;
  double rope_theta = 10000;
  RopeScaling rope_scaling;
  bool tie_word_embeddings = false;
  bool qkv_bias = false;                // biases of q_proj, k_proj, v_proj: Llama's and Qwen3's attention_bias; always in Qwen2
  bool o_bias = false;                  // bias of o_proj: attention_bias; never in Qwen2
  bool mlp_bias = false;                // Llama's
  bool qk_norm = false;                 // RMS norm of each head's queries and keys: Qwen3
  std::string dtype;                    // what the weights were saved as, "float32", "bfloat16", …; empty if it does not say
  std::optional<int64_t> bos_token_id, pad_token_id;
  std::vector<int64_t> eos_token_id;    // one, several or none
};

struct GenerationConfig {
  std::optional<int64_t> bos_token_id, pad_token_id;
  std::vector<int64_t> eos_token_id;
  std::optional<bool> do_sample;
  std::optional<double> temperature, top_p, min_p, repetition_penalty;
  std::optional<int64_t> top_k;
};

ModelConfig parse_config(const engine::Json&, const std::string& file);
/// Reads `config.json` of the folder.
ModelConfig load_config(const std::string& folder);

GenerationConfig parse_generation_config(const engine::Json&, const std::string& file);
/// Reads `generation_config.json`; without one, the ids that `config` has.
GenerationConfig load_generation_config(const std::string& folder, const ModelConfig& config);

/// Every tensor that the model's weights have, with its shape: [out, in] for matrices. Without `lm_head.weight` if it is tied.
std::vector<std::pair<std::string, std::vector<int64_t>>> tensors_of(const ModelConfig&);

}  // namespace ppc::model
