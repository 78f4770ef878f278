// AdamW (Loshchilov and Hutter, arXiv:1711.05101), over flat rows of numbers, in the order of operations of torch.optim.AdamW.
#pragma once
#include "trainers/nn/torch.h"  // first

#include <cstdint>

#include "trainers/learn/learner.h"

namespace ppc::nn {

using torch::Tensor;

/// What is trained, and its optimizer: float32, or float64.
struct Trained {
  Tensor weights;             // the masters
  Tensor gradients, first, second;
  int64_t decaying = 0;       // the first so many decay
  int64_t steps = 0;

  void make(Tensor weights, int64_t decaying);
  /// Of all gradients, summed up in float64.
  double gradient_norm() const;
  /// The step, with gradients multiplied by `factor`. They are not changed.
  void step(const learn::AdamOptions&, double learning_rate, double factor);
};

}  // namespace ppc::nn
