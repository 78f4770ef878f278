#include "trainers/nn/kernel_table.h"
#include "trainers/nn/train_kernels.h"

namespace ppc::nn {
namespace {

constexpr int kRegisters = 2, kColumns = 1;  // 16 floats are four registers of most processors
struct F16 {
  float of[16];
};

inline float widen(uint16_t value) {
  uint32_t bits = static_cast<uint32_t>(value) << 16;
  float result;
  __builtin_memcpy(&result, &bits, 4);
  return result;
}

template <class Function>
inline F16 lanes(Function&& function) {
  F16 result;
  for (int i = 0; i < 16; i++) result.of[i] = function(i);
  return result;
}
inline F16 all(float x) {
  return lanes([&](int) { return x; });
}
inline F16 zero() { return all(0); }
inline F16 load(const float* x) {
  return lanes([&](int i) { return x[i]; });
}
inline void store(float* x, F16 value) {
  for (int i = 0; i < 16; i++) x[i] = value.of[i];
}
inline void load_pairs(const uint16_t* x, F16& even, F16& odd) {
  even = lanes([&](int i) { return widen(x[2 * i]); });
  odd = lanes([&](int i) { return widen(x[2 * i + 1]); });
}
inline F16 fma(const F16& a, const F16& b, const F16& c) {
#ifdef __FP_FAST_FMAF
  return lanes([&](int i) { return __builtin_fmaf(a.of[i], b.of[i], c.of[i]); });
#else
  return lanes([&](int i) { return a.of[i] * b.of[i] + c.of[i]; });
#endif
}
inline F16 add(const F16& a, const F16& b) {
  return lanes([&](int i) { return a.of[i] + b.of[i]; });
}
inline F16 sub(const F16& a, const F16& b) {
  return lanes([&](int i) { return a.of[i] - b.of[i]; });
}
inline F16 mul(const F16& a, const F16& b) {
  return lanes([&](int i) { return a.of[i] * b.of[i]; });
}
inline F16 div(const F16& a, const F16& b) {
  return lanes([&](int i) { return a.of[i] / b.of[i]; });
}
inline F16 square_root(const F16& a) {
  return lanes([&](int i) { return __builtin_sqrtf(a.of[i]); });
}
// As the vector instructions: the second where one is no number.
inline F16 greater(const F16& a, const F16& b) {
  return lanes([&](int i) { return a.of[i] > b.of[i] ? a.of[i] : b.of[i]; });
}
inline F16 lesser(const F16& a, const F16& b) {
  return lanes([&](int i) { return a.of[i] < b.of[i] ? a.of[i] : b.of[i]; });
}
inline F16 nearest(const F16& a) {
  constexpr float kMagic = 12582912.0f;  // 1.5 · 2^23: nothing is left of a fraction
  return lanes([&](int i) { return (a.of[i] + kMagic) - kMagic; });
}
/// a · 2^n
inline F16 scale(const F16& a, const F16& n) {
  return lanes([&](int i) {
    uint32_t bits = static_cast<uint32_t>(static_cast<int32_t>(n.of[i]) + 127) << 23;
    float power;
    __builtin_memcpy(&power, &bits, 4);
    return a.of[i] * power;
  });
}
/// Lanes 0 … count-1 of `a`, the others of `b`.
inline F16 first_of(const F16& a, const F16& b, int64_t count) {
  return lanes([&](int i) { return i < count ? a.of[i] : b.of[i]; });
}
inline float first(const F16& a) { return a.of[0]; }
inline float total(F16 a) {
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; i++) a.of[i] += a.of[i + step];
  return a.of[0];
}
inline float maximum(F16 a) {
  for (int step = 8; step > 0; step /= 2)
    for (int i = 0; i < step; i++) a.of[i] = a.of[i] > a.of[i + step] ? a.of[i] : a.of[i + step];
  return a.of[0];
}

#include "trainers/nn/kernels_impl.h"
#include "trainers/nn/train_kernels_impl.h"

}  // namespace

extern constexpr Kernels kPortableKernels = make_kernels(Isa::Portable);
extern constexpr TrainKernels kPortableTraining = make_train_kernels();

}  // namespace ppc::nn
