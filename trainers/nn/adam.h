// AdamW (Loshchilov and Hutter, arXiv:1711.05101), over flat rows of numbers, in the order of operations of torch.optim.AdamW.
#pragma once
#include "trainers/nn/torch.h"  // first

#include <cstdint>
#include <utility>

#include "trainers/learn/learner.h"
#include "trainers/nn/ops.h"

namespace ppc::nn {

/// What is trained, and its optimizer: float32, or float64.
struct Trained {
  Tensor weights;             // the masters
  Tensor gradients;
  Tensor first, second;       // moments of the weights from `from` to `to`: each process of a run has a part (Rajbhandari et al., arXiv:1910.02054)
  int64_t from = 0, to = 0;
  int64_t decaying = 0;       // the first so many decay
  int64_t steps = 0;

  void make(Tensor weights, int64_t decaying, int rank = 0, int world = 1);
  /// Which part a process has.
  static std::pair<int64_t, int64_t> shard(int64_t size, int rank, int world) { return {size * rank / world, size * (rank + 1) / world}; }
  /// Of all gradients, summed up in float64.
  double gradient_norm(const Ops&) const;
  /// The step of this process's part, with gradients multiplied by `factor`. All gradients are 0 then.
  void step(const learn::AdamOptions&, double learning_rate, double factor, const Ops&);
};

}  // namespace ppc::nn
