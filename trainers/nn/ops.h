// What a layer is made of, forward and backward, with LibTorch's operators: any device, float32, float64 and bfloat16. Rounds as transformers
// does: norms and softmax in float32 or better. Rows are tokens. Gradients that are added up (`into`) may be of a wider type than weights,
// and undefined: then they are not wanted.
#pragma once
#include "trainers/nn/torch.h"  // first

#include <cstdint>
#include <vector>

namespace ppc::nn::ops {

using torch::Tensor;

/// What norms, softmax and log-probabilities are computed in: float32, or float64.
torch::Dtype wide(const Tensor& x);

/// y = x · wᵀ + bias
Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias);
/// Adds dyᵀ · x, and dy's columns.
void linear_gradients(const Tensor& dy, const Tensor& x, const Tensor& w_into, const Tensor& bias_into);

/// y = x / sqrt(mean(x²) + eps) · w over the last dimension.
Tensor rms_norm(const Tensor& x, const Tensor& w, double eps);
/// The gradient for x.
Tensor rms_norm_back(const Tensor& dy, const Tensor& x, const Tensor& w, double eps, const Tensor& w_into);

/// Pairs (x[i], x[i + half]) of the last dimension of x [N, heads, d] are turned in place, or turned back. cos, sin: [N, 1, d / 2].
void rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, bool back);

/// silu(gate) · up, which lie side by side.
Tensor gated(const Tensor& gate_up);
Tensor gated_back(const Tensor& dy, const Tensor& gate_up);

struct Heads { int64_t queries, keys, size; };  // size: of a head
struct Found {
  Tensor values;  // [N, queries * size]
  Tensor lse;     // [N, queries]: logarithms of the sums of e^score
};
/// Each token of qkv [N, (queries + 2 keys) * size] looks at itself and those before it in its sequence: those from bounds[s] to bounds[s+1].
Found attention(const Tensor& qkv, const std::vector<int64_t>& bounds, Heads);
Tensor attention_back(const Tensor& dy, const Found&, const Tensor& qkv, const std::vector<int64_t>& bounds, Heads);

}  // namespace ppc::nn::ops
