// What a layer is made of, forward and back. On the CPU in float32 by kernels of our own; elsewhere by LibTorch's operators: any device, float32,
// float64 and bfloat16, rounding as transformers does: norms and softmax in float32 or better. Rows are tokens. Gradients that are
// added up (`into`) may be of a wider type than weights, and undefined: then they are not wanted.
#pragma once
#include "trainers/nn/torch.h"  // first

#include <cstdint>
#include <memory>
#include <vector>

#include "trainers/nn/train_kernels.h"
#include "trainers/nn/workers.h"

namespace ppc::nn {

using torch::Tensor;

struct Heads { int64_t queries, keys, size; };  // size: of a head
struct Found {
  Tensor values;  // [N, queries * size]
  Tensor lse;     // [N, queries]: logarithms of the sums of e^score
};

class Ops {
 public:
  /// `threads`: on the CPU; 0: as many as this process may use.
  Ops(torch::Device, torch::Dtype, int threads);

  /// Whether LibTorch's operators have the CPU's threads: with kernels of our own they do little, and their threads, which spin, would
  /// take the time of those that multiply matrices.
  bool torch_has_threads() const { return !kernels_; }

  /// What norms, softmax and log-probabilities are computed in: float32, or float64.
  static torch::Dtype wide(const Tensor& x);

  /// y = x · wᵀ + bias
  static Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias);
  /// Adds dyᵀ · x, and dy's columns.
  static void linear_gradients(const Tensor& dy, const Tensor& x, const Tensor& w_into, const Tensor& bias_into);

  /// y += x
  void add(const Tensor& x, const Tensor& y) const;

  /// y = x / sqrt(mean(x²) + eps) · w over the last dimension.
  Tensor rms_norm(const Tensor& x, const Tensor& w, double eps) const;
  /// The gradient for x.
  Tensor rms_norm_back(const Tensor& dy, const Tensor& x, const Tensor& w, double eps, const Tensor& w_into) const;
  /// Adds it to dx.
  void add_rms_norm_back(const Tensor& dy, const Tensor& x, const Tensor& w, double eps, const Tensor& w_into, const Tensor& dx) const;

  /// Pairs (x[i], x[i + half]) of the last dimension of x [N, heads, d] are turned in place; with −sin turned back. cos, sin: [N, 1, d / 2].
  void rotate(const Tensor& x, const Tensor& cos, const Tensor& sin) const;

  /// silu(gate) · up, which lie side by side.
  Tensor gated(const Tensor& gate_up) const;
  /// The gradient for gate_up, which may lie where that was.
  Tensor gated_back(const Tensor& dy, const Tensor& gate_up) const;

  /// Each token of qkv [N, (queries + 2 keys) * size] looks at itself and those before it in its sequence: those from bounds[s] to bounds[s+1].
  Found attention(const Tensor& qkv, const std::vector<int64_t>& bounds, Heads) const;
  Tensor attention_back(const Tensor& dy, const Found&, const Tensor& qkv, const std::vector<int64_t>& bounds, Heads) const;

  /// Logits z [rows, vocabulary] become z · heat. Gives log Σ e^z, [rows], and the entropies where they are defined.
  Tensor softmax(Tensor& z, const Tensor& heat, const Tensor& entropies) const;
  /// z becomes g · (1 at the target − e^(z − lse)).
  void softmax_back(Tensor& z, const Tensor& lse, const Tensor& targets, const Tensor& g) const;

  /// into[tokens[i]] += dx[i]
  void embedding_back(const Tensor& dx, const Tensor& tokens, const Tensor& into) const;

  /// Of row by row work on contiguous float32, with kernels; null: there are none. In bfloat16, too: logits, gradients, masters and moments are float32.
  const TrainKernels* kernels() const { return wide_kernels_; }
  Workers& workers() const { return *workers_; }

 private:
  template <class F>
  void by_rows(int64_t rows, int64_t numbers, F&& f) const;

  const TrainKernels* kernels_ = nullptr;       // of the layers
  const TrainKernels* wide_kernels_ = nullptr;
  std::unique_ptr<Workers> workers_;
};

}  // namespace ppc::nn
