// The models' mathematics with LibTorch's operators, on any device, with or without gradients: Llama 3.x, SmolLM2, Qwen2.5, Qwen3.
// Tokens of all sequences lie one behind another; nothing is padded.
//
// Rounds as transformers does: norms and softmax in float32, the rest in the weights' type. Logits are float32, made of a product in
// the weights' type. In float64 everything is.
//
// Errors: engine::InputError for weights that do not fit; c10::Error where LibTorch fails.
#pragma once
#include "trainers/nn/torch.h"  // first

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "trainers/model/config.h"
#include "trainers/nn/network.h"
#include "trainers/nn/random_model.h"

namespace ppc::nn {

using torch::Tensor;

/// Several sequences, one behind another.
struct Packed {
  Tensor tokens;                // [N], int64
  Tensor positions;             // [N], int64: of each token in its sequence
  std::vector<int64_t> bounds;  // sequence s has the tokens from bounds[s] to bounds[s + 1]

  static Packed of(const std::vector<std::vector<int32_t>>& sequences, torch::Device device = torch::kCPU);
};

struct Linear {
  Tensor weight, bias;  // [out, in]; [out] or undefined
  Tensor operator()(const Tensor& x) const { return at::linear(x, weight, bias); }
};

struct Layer {
  Tensor input_norm, post_attention_norm;
  Linear q, k, v, o;
  Tensor q_norm, k_norm;  // undefined without `qk_norm`
  Linear gate, up, down;
};

/// Cosines and sines for each token, [N, 1, head_dim / 2] in the weights' type.
struct Turns { Tensor cos, sin; };

/// Queries [B, heads, n, head_dim] look at keys and values [B, kv_heads, L, head_dim], each group of heads at one of them, where `mask`
/// [B or 1, 1, n, L] is true. Without a mask n is L, and each query looks at itself and what is before it. [B, heads, n, head_dim].
Tensor attend(const Tensor& queries, const Tensor& keys, const Tensor& values, const Tensor& mask = {});

class Transformer {
 public:
  /// Parameters are not set.
  explicit Transformer(const model::ModelConfig&, torch::Device device = torch::kCPU, torch::Dtype dtype = torch::kFloat32);
  static Transformer load(const std::string& folder, torch::Device device = torch::kCPU, torch::Dtype dtype = torch::kFloat32);

  /// Sets all parameters; other types are converted.
  void load(const WeightSource&);
  void initialise(const RandomWeights&);
  /// Writes the weights into the folder, and nothing else: the configuration stays the one that was read. float64 becomes float32.
  void save(const std::string& folder, uint64_t shard_bytes = uint64_t{5'000'000'000}) const;

  const model::ModelConfig& config() const { return config_; }
  torch::Device device() const { return embedding_.device(); }
  torch::Dtype dtype() const { return embedding_.scalar_type(); }

  /// With Hugging Face's names, in the order of model::tensors_of. Without `lm_head.weight` if it is tied.
  const std::vector<std::pair<std::string, Tensor>>& parameters() const { return parameters_; }
  void require_gradients(bool yes);

  /// What the last norm makes of each token, [N, hidden_size].
  Tensor hidden(const Packed&) const;
  /// In float32 (float64 for float64 weights), [rows, vocab_size].
  Tensor logits(const Tensor& hidden) const;

  /// What queries [N, heads, head_dim] of a layer find in keys and values [N, kv_heads, head_dim], and in what is kept elsewhere.
  using Attention = std::function<Tensor(int64_t layer, const Tensor& queries, const Tensor& keys, const Tensor& values)>;
  Tensor hidden(const Tensor& tokens, const Tensor& positions, const Attention&) const;

 private:
  Tensor norm(const Tensor& x, const Tensor& weight) const;
  Tensor layer(int64_t index, const Tensor& x, const Turns&, const Attention&) const;

  model::ModelConfig config_;
  std::vector<std::pair<std::string, Tensor>> parameters_;
  Tensor embedding_, last_norm_;
  std::vector<Layer> layers_;
  Linear head_;
  Tensor frequencies_;  // of rotary embeddings, float64
};

}  // namespace ppc::nn
