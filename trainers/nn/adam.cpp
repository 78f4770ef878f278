#include "trainers/nn/adam.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace ppc::nn {

namespace {
constexpr int64_t kPiece = int64_t{1} << 22;  // numbers: what is between operators stays small
}

void Trained::make(Tensor all, int64_t decay, int rank, int world) {
  weights = std::move(all);
  gradients = at::zeros_like(weights);
  std::tie(from, to) = shard(weights.numel(), rank, world);
  first = at::zeros({to - from}, weights.options());
  second = at::zeros({to - from}, weights.options());
  decaying = decay;
  steps = 0;
}

double Trained::gradient_norm() const {
  Tensor sum = at::zeros({}, gradients.options().dtype(torch::kFloat64));
  for (int64_t at = 0; at < gradients.numel(); at += kPiece)
    sum.add_(gradients.narrow(0, at, std::min(kPiece, gradients.numel() - at)).to(torch::kFloat64).square().sum());
  return std::sqrt(sum.item<double>());
}

void Trained::step(const learn::AdamOptions& o, double learning_rate, double factor) {
  ++steps;
  const double t = static_cast<double>(steps), root = std::sqrt(1 - std::pow(o.beta2, t)), rate = learning_rate / (1 - std::pow(o.beta1, t));
  for (int64_t at = from; at < to;) {
    const int64_t count = std::min(kPiece, (at < decaying ? std::min(decaying, to) : to) - at);
    const Tensor w = weights.narrow(0, at, count), m = first.narrow(0, at - from, count), v = second.narrow(0, at - from, count);
    const Tensor g = factor == 1 ? gradients.narrow(0, at, count) : gradients.narrow(0, at, count) * factor;
    if (at < decaying && o.weight_decay != 0) w.mul_(1 - learning_rate * o.weight_decay);
    m.mul_(o.beta1).add_(g, 1 - o.beta1);
    v.mul_(o.beta2).addcmul_(g, g, 1 - o.beta2);
    w.addcdiv_(m, (v.sqrt() / root).add_(o.eps), -rate);
    at += count;
  }
}

}  // namespace ppc::nn
