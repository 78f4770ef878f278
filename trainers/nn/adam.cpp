#include "trainers/nn/adam.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>
#include <vector>

namespace ppc::nn {

namespace {
constexpr int64_t kPiece = int64_t{1} << 22;  // numbers: what is between operators stays small
constexpr int64_t kOwnPiece = 1 << 16;         // that a thread takes
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

double Trained::gradient_norm(const Ops& ops) const {
  if (const TrainKernels* kernels = ops.kernels()) {
    const auto* g = gradients.data_ptr<float>();
    const int64_t n = gradients.numel(), pieces = (n + kOwnPiece - 1) / kOwnPiece;
    std::vector<double> sums(static_cast<size_t>(pieces));
    ops.workers().run(pieces, [&](int64_t i, int) { sums[static_cast<size_t>(i)] = kernels->squares(g + i * kOwnPiece, std::min(kOwnPiece, n - i * kOwnPiece)); });
    return std::sqrt(std::accumulate(sums.begin(), sums.end(), 0.0));
  }
  Tensor sum = at::zeros({}, gradients.options().dtype(torch::kFloat64));
  for (int64_t at = 0; at < gradients.numel(); at += kPiece)
    sum.add_(gradients.narrow(0, at, std::min(kPiece, gradients.numel() - at)).to(torch::kFloat64).square().sum());
  return std::sqrt(sum.item<double>());
}

void Trained::step(const learn::AdamOptions& o, double learning_rate, double factor, const Ops& ops) {
  ++steps;
  const double t = static_cast<double>(steps), root = std::sqrt(1 - std::pow(o.beta2, t)), rate = learning_rate / (1 - std::pow(o.beta1, t));
  if (const TrainKernels* kernels = ops.kernels()) {
    auto f = [](double x) { return static_cast<float>(x); };
    AdamStep decay{f(o.beta1), f(o.beta2), f(1 - o.beta1), f(1 - o.beta2), f(o.eps), f(1 - learning_rate * o.weight_decay), f(root), f(rate), f(factor)}, plain = decay;
    plain.keep = 1;
    auto *w = weights.data_ptr<float>(), *g = gradients.data_ptr<float>(), *m = first.data_ptr<float>(), *v = second.data_ptr<float>();
    auto run = [&](const AdamStep& s, int64_t begin, int64_t end) {
      ops.workers().run((end - begin + kOwnPiece - 1) / kOwnPiece, [&](int64_t i, int) {
        const int64_t at = begin + i * kOwnPiece;
        kernels->adam(s, std::min(kOwnPiece, end - at), w + at, g + at, m + at - from, v + at - from);
      });
    };
    run(decay, from, std::min(decaying, to));
    run(plain, std::max(from, decaying), to);
    gradients.narrow(0, 0, from).zero_();  // the others'
    gradients.narrow(0, to, gradients.numel() - to).zero_();
    return;
  }
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
  gradients.zero_();
}

}  // namespace ppc::nn
