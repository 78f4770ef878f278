// A model computed forward and back. Written out rather than recorded by LibTorch, so that gradients are added where they belong, in float32
// whatever the weights are, and so that it is plain what is kept and for how long.
//
// Sequences lie one behind another, nothing is padded. Logits exist for the trained tokens alone, and of these for some rows at a time.
#pragma once
#include "trainers/nn/flat.h"  // first

#include <cstdint>
#include <optional>
#include <vector>

#include "trainers/nn/ops.h"

namespace ppc::nn {

/// What is computed: the inputs of all sequences, and which tokens' log-probabilities are wanted.
struct Batch {
  Tensor tokens, positions;     // [N], int64
  std::vector<int64_t> bounds;  // sequence s has the inputs from bounds[s] to bounds[s + 1]
  Tensor rows, targets;         // [T], int64: a wanted token, and the input that it follows
  Tensor heat;                  // [T], 1 / temperature
};

/// Adapters beside the weights: y += scale · B · A · drop(x).
struct Adapters {
  AdapterView view;
  double scale = 1, dropout = 0;
  uint64_t seed = 0;            // of this pass's dropout
};

class Pass {
 public:
  Pass(const model::ModelConfig&, torch::Device, torch::Dtype, int threads = 1);

  struct Logprobs {
    Tensor values, entropies;   // [T], float32 (float64 in float64); entropies are undefined where not wanted
  };
  /// Nothing of it is kept.
  Logprobs evaluate(const ModelView&, const Adapters*, const Batch&, bool entropies);
  /// What `backward` needs is kept: of each layer what was computed, or with `checkpointing` its inputs alone.
  Logprobs forward(const ModelView&, const Adapters*, Batch, bool entropies, bool checkpointing);
  /// Adds the gradients, given those of the log-probabilities [T]; forgets what was kept. What has no tensor in `into` gets none.
  void backward(const Tensor& d_logprobs, const ModelView& into, const AdapterView& adapters_into);
  void forget() { kept_.reset(); }
  const Ops& ops() const { return ops_; }

 private:
  /// Of a layer: `x` is always there.
  struct LayerKept { Tensor x, qkv, y, gate_up; Found found; };
  struct Kept {
    ModelView weights;
    std::optional<Adapters> adapters;
    Batch batch;
    Tensor cos, sin, back;      // of each position's angles; −sin
    std::vector<LayerKept> layers;
    Tensor last, normed;        // [T, hidden]: of the wanted rows, before and behind the last norm
    std::vector<Tensor> logits; // of some rows each, divided by the temperature; undefined where they are computed again
    Tensor lse;                 // [T]
  };
  Kept begin(const ModelView&, const Adapters*, Batch) const;
  Tensor embed(const Kept&) const;
  Tensor layer(const Kept&, size_t, const Tensor& x, LayerKept*) const;
  Tensor layer_back(const Kept&, size_t, const LayerKept&, Tensor dx, LayerView& into, const AdapterView&) const;
  Logprobs head(Kept&, const Tensor& x, bool entropies, bool keep) const;
  Tensor logits(const Kept&, int64_t first, int64_t count) const;
  Tensor turned(const Kept&, const LayerView&, const Tensor& qkv) const;
  Tensor drop(const Adapters&, size_t layer, Projection, const Tensor& x) const;
  void adapt(const Kept&, size_t layer, Projection, const Tensor& x, const Tensor& y) const;
  void adapt_back(const Kept&, size_t layer, Projection, const Tensor& x, const Tensor& dy, const Tensor& dx, const AdapterView& into) const;

  model::ModelConfig config_;
  torch::Device device_;
  torch::Dtype dtype_;
  Ops ops_;
  Tensor frequencies_;
  std::optional<Kept> kept_;
};

}  // namespace ppc::nn
