// A model that learns: log-probabilities of tokens, gradients, steps of the optimizer. No LibTorch type appears here; what computes is
// in the plugin libppc_torch.so, on the CPU and on GPUs.
//
// What is minimised is not known here. A loss is a function of the log-probabilities of the trained tokens, so whoever has one is
// told these and answers with its gradient, which is multiplied back through the network.
//
// One thread at a time uses a learner; inside it computes with several.
// Errors: engine::InputError for folders and files that cannot be used; engine::SystemError for what cannot be written;
// std::runtime_error where the device fails (out of memory); std::invalid_argument for what a caller could have known.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "trainers/model/config.h"
#include "trainers/model/safetensors.h"

namespace ppc::learn {

using TokenId = int32_t;

/// Low-rank adapters (Hu et al., arXiv:2106.09685): W + alpha / r · B·A on the named projections; only A and B are trained.
struct LoraOptions {
  int64_t r = 16;
  double alpha = 32;
  double dropout = 0;                       // of what goes into A, while training
  std::vector<std::string> targets = {};    // "q_proj", "up_proj", …; empty: all seven of each layer
};

/// AdamW (Loshchilov and Hutter, arXiv:1711.05101). Norms and biases do not decay.
struct AdamOptions {
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 0;
};

/// The processes of a run, each with a part of every batch. By torchrun's environment: RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT.
struct GroupOptions {
  int rank = 0, world = 1;
  std::string address = "127.0.0.1";        // where process 0 listens
  int port = 29500;
  bool served = false;                      // something else listens there: torchrun
  int attempt = 0;                          // how often torchrun has started the processes before: what listens there remembers those
  double timeout = 600;                     // seconds without a word from another process
};

struct LearnerOptions {
  std::string device = "cpu";               // "cpu", "cuda", "cuda:1"
  std::string precision = "float32";        // of the weights that are multiplied: "float32", "bfloat16" (masters, moments and sums are
                                            // float32), "float64" (for tests)
  int threads = 0;                          // on the CPU; 0: as many as the machine has
  bool gradient_checkpointing = false;      // layers are computed again on the way back instead of kept
  std::optional<LoraOptions> lora = {};     // none: all weights are trained
  AdamOptions adam = {};
  GroupOptions group = {};
  uint64_t seed = 0;                        // of LoRA's beginnings and dropout
};

/// Token ids of which some are trained: `trained[i]` says so of ids[i], given all before it. The first never is.
struct Sequence {
  std::span<const TokenId> ids;
  std::span<const uint8_t> trained;         // as many
  double temperature = 1;                   // that the log-probabilities are of: logits / temperature
};

/// Which weights: those that are learning, or those that it began with.
enum class Policy : uint8_t { Current, Reference };

class Learner {
 public:
  virtual ~Learner() = default;
  virtual const model::ModelConfig& config() const = 0;

  struct Tokens {
    std::vector<float> logprobs;            // of the trained tokens of all sequences, in order
    std::vector<float> entropies;           // of the distributions that they are from, in nats; empty where not wanted
  };
  /// Without gradients. `Reference` needs `keep_reference`, or LoRA, whose reference is the model without adapters.
  virtual Tokens evaluate(std::span<const Sequence>, Policy, bool entropies = false) = 0;
  /// Keeps a copy of the weights of now as the reference. With LoRA of the adapters, too.
  virtual void keep_reference() = 0;

  /// Told the trained tokens, fills in d loss / d log-probability of each.
  using Objective = std::function<void(const Tokens&, std::span<double> gradient)>;
  /// Adds this batch's gradients to those since the last step. All sequences are computed together, none sees another.
  virtual void accumulate(std::span<const Sequence>, const Objective&, bool entropies = false) = 0;

  struct Step {
    double gradient_norm = 0;               // of all gradients together, before they were clipped
    bool skipped = false;                   // it was not finite: nothing was changed
  };
  /// Adds up the gradients of all processes, clips them to a norm of `max_norm` (0: does not), takes a step, and forgets them. Every process has the
  /// moments of a part of the weights only, and steps that.
  virtual Step step(double learning_rate, double max_norm) = 0;
  virtual int64_t trained_weights() const = 0;  // how many numbers are trained

  /// What every process says, in their order; all call it at the same place, as they do `step`, `save_state` and `load_state`. Alone: what it was told.
  /// Throws std::runtime_error where another process is gone.
  virtual std::vector<std::string> exchange(const std::string& mine) { return {mine}; }

  /// All weights as they play, merged, with Hugging Face's names: f(view) for each, good during the call.
  virtual void weights(const std::function<void(const model::TensorView&)>&) = 0;
  /// Weights into a folder: `model.safetensors`, merged; `dtype` as the model was saved. The rest of the folder is not touched.
  virtual void save_weights(const std::string& folder) = 0;
  /// PEFT's `adapter_model.safetensors` and `adapter_config.json`. Throws std::invalid_argument without LoRA.
  virtual void save_adapter(const std::string& folder, const std::string& base_model) = 0;
  /// Reads an adapter in that layout into the LoRA weights.
  virtual void load_adapter(const std::string& folder) = 0;

  /// All that goes on changing: trained weights, moments, random states, the reference if one is kept. A step after `load_state` is the
  /// step that would have come, bit for bit. Process 0 writes; a state may be read by another number of processes.
  virtual void save_state(const std::string& file) = 0;
  virtual void load_state(const std::string& file) = 0;

  struct Memory { int64_t weights = 0, gradients = 0, moments = 0; };  // bytes
  virtual Memory memory() const = 0;
};

/// Reads the folder's configuration and weights. Loads the plugin.
std::unique_ptr<Learner> load_learner(const std::string& folder, const LearnerOptions&);

}  // namespace ppc::learn
