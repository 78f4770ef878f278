// A language model that computes: token ids in, logits out, with the keys and values of what it has seen kept for each sequence.
// No LibTorch type appears here, so that what samples, schedules and serves compiles without it.
//
// Sequences share what they have in common: keys and values lie in pages of `page_size()` tokens, a fork shares all full pages,
// and a page is freed with its last sequence. The number of pages is fixed when the network is made.
//
// One thread at a time uses a network; inside it computes with several.
// Errors: engine::InputError for folders that cannot be used; std::runtime_error where the device fails (out of memory);
// std::invalid_argument for what a caller could have known (an unknown sequence, a token outside the vocabulary).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "trainers/model/config.h"
#include "trainers/model/safetensors.h"

namespace ppc::nn {

using TokenId = int32_t;
using SequenceId = int32_t;

enum class Precision : uint8_t { Float32, BFloat16 };  // of weights, and of keys and values; sums, norms, softmax and logits are float32

struct NetworkOptions {
  std::string device = "cpu";              // "cpu", "cuda", "cuda:1"
  Precision precision = Precision::Float32;
  int threads = 0;                         // on the CPU; 0: as many as the machine has
  int64_t cache_tokens = 0;                // tokens that the pages hold together; 0: what fits into half of the memory that is free
  bool plain = false;                      // LibTorch's own operators only, also on the CPU: what a GPU runs, for tests
};

/// Calls what it is given with each tensor of a model, in any order; a view is good during the call. So that nobody needs all of them at once:
/// `[&](const auto& f) { learner.weights(f); }`.
using WeightSource = std::function<void(const std::function<void(const model::TensorView&)>&)>;

/// Which of an item's new tokens logits are wanted for: those that say what follows the token.
enum class Want : uint8_t { None, Last, All };

class Network {
 public:
  virtual ~Network() = default;
  virtual const model::ModelConfig& config() const = 0;

  /// A sequence without tokens.
  virtual SequenceId create() = 0;
  /// A sequence with the first `length` tokens of another. Shares its pages; the last one, where it is not full, is copied.
  virtual SequenceId fork(SequenceId, int64_t length) = 0;
  /// Forgets what lies behind the first `length` tokens.
  virtual void truncate(SequenceId, int64_t length) = 0;
  virtual void release(SequenceId) = 0;
  virtual int64_t length(SequenceId) const = 0;  // tokens

  virtual int64_t page_size() const = 0;         // tokens
  virtual int64_t pages() const = 0;             // all there are
  virtual int64_t free_pages() const = 0;
  /// How many free pages `forward` will take for so many new tokens of the sequence.
  virtual int64_t pages_needed(SequenceId, int64_t tokens) const = 0;

  struct Item {
    SequenceId sequence;
    std::span<const TokenId> tokens;  // at least one; they follow what the sequence has
    Want want = Want::Last;
  };
  struct Logits {
    int64_t rows = 0, columns = 0;    // wanted tokens, in the order of the items; columns: config().vocab_size
    const float* data = nullptr;      // row-major, in host memory, good until the next call
  };
  /// Computes all items together; each sequence appears at most once. Throws std::runtime_error, having changed nothing, when there
  /// are too few free pages.
  virtual Logits forward(std::span<const Item>) = 0;

  /// Other weights of the same names and shapes. Throws std::invalid_argument while there are sequences, whose keys and values would be of the
  /// old ones; and, leaving weights of both kinds, for tensors that do not fit, come twice or not at all.
  virtual void load(const WeightSource&) = 0;

  /// The host's threads that it has, for work between two calls of `forward`: f(task, thread) for each task in 0 … tasks-1, with thread in
  /// 0 … threads()-1; returns when all are done. `f` throws nothing.
  virtual int threads() const { return 1; }
  virtual void share(int64_t tasks, const std::function<void(int64_t task, int thread)>& f) {
    for (int64_t task = 0; task < tasks; ++task) f(task, 0);
  }

  struct Memory { int64_t weights = 0, cache = 0, page = 0; };  // bytes: of all weights, of all pages, of one page
  virtual Memory memory() const = 0;
};

/// Reads the folder's configuration and weights. Loads in `options.precision`, whatever the files have.
std::unique_ptr<Network> load_network(const std::string& folder, const NetworkOptions& options);

/// Hands on what a source gives, and checks it: each tensor of the model once, with its shape. Throws std::invalid_argument.
void read_weights(const model::ModelConfig&, const WeightSource&, const std::function<void(const model::TensorView&)>&);
/// The tensors of files, in the order of model::tensors_of. They must stay where they are.
WeightSource source_of(const model::ModelConfig&, const model::Weights&);

}  // namespace ppc::nn
