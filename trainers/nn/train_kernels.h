// What training computes on the CPU in float32 beside products of matrices, for each kind of processor. Plain functions over rows; whoever
// calls them shares the rows among threads. Sums go over their terms in one order.
#pragma once
#include <cstdint>

namespace ppc::nn {

/// A sequence's tokens before one head of keys and values: all lie `ld` apart. Head sizes are multiples of 16.
struct HeadJob {
  const float *q = nullptr, *k = nullptr, *v = nullptr;  // q: of the first of `group` heads, which lie side by side
  int64_t ld = 0, tokens = 0, size = 0, group = 1;
  float* values = nullptr;       // of those heads, found or (going back) to be read
  int64_t ld_values = 0;
  float* lse = nullptr;          // [tokens], ld_lse apart; side by side for the heads
  int64_t ld_lse = 0;
  // Going back: the gradients of `values`, and for q, k and v, which are set.
  const float* d_values = nullptr;
  float *dq = nullptr, *dk = nullptr, *dv = nullptr;
  float* scratch = nullptr;      // head_scratch(tokens, size) floats, 64-byte aligned
};
int64_t head_scratch(int64_t tokens, int64_t size);

/// torch.optim.AdamW's step, with what does not depend on the weight worked out.
struct AdamStep {
  float beta1, beta2, rest1, rest2, eps;  // rest: 1 − beta
  float keep;                    // 1 − learning rate · weight decay
  float root;                    // √(1 − beta2^t)
  float rate;                    // learning rate / (1 − beta1^t)
  float factor;                  // of the gradients: clipping
};

struct TrainKernels {
  void (*rms_norm)(const float* x, const float* w, float eps, int64_t n, float* y);
  /// dx = or += the gradient for x; dw += that for w, where it is not null.
  void (*rms_norm_back)(const float* dy, const float* x, const float* w, float eps, int64_t n, float* dx, bool add, float* dw);
  void (*rotate)(float* x, const float* cosines, const float* sines, int64_t half);
  void (*add)(const float* x, int64_t n, float* y);
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* y);
  /// Gate and up become their gradients.
  void (*silu_mul_back)(const float* dy, float* gate, float* up, int64_t n);
  void (*attention)(const HeadJob&);
  void (*attention_back)(const HeadJob&);
  /// z becomes z · heat; returns log Σ e^z, NaN if a z is no finite number. Entropy where it is not null.
  float (*softmax)(float* z, float heat, int64_t n, float* entropy);
  /// z becomes −g · e^(z − lse).
  void (*softmax_back)(float* z, float lse, float g, int64_t n);
  double (*squares)(const float* x, int64_t n);
  /// Gradients become 0.
  void (*adam)(const AdamStep&, int64_t n, float* w, float* g, float* m, float* v);
};

extern const TrainKernels kPortableTraining, kAvx2Training, kAvx512Training;
/// For this processor.
const TrainKernels& train_kernels();

}  // namespace ppc::nn
