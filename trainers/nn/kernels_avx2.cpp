#include <immintrin.h>

#include "trainers/nn/kernel_table.h"
#include "trainers/nn/train_kernels.h"

namespace ppc::nn {
namespace {

constexpr int kRegisters = 6, kColumns = 1;  // each is two of the processor's
struct F16 {
  __m256 low, high;
};

inline F16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
inline F16 all(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline F16 load(const float* x) { return {_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8)}; }
inline void store(float* x, F16 value) {
  _mm256_storeu_ps(x, value.low);
  _mm256_storeu_ps(x + 8, value.high);
}
inline void load_pairs(const uint16_t* x, F16& even, F16& odd) {
  __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x)), high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + 16));
  __m256i mask = _mm256_set1_epi32(static_cast<int>(0xffff0000));
  even = {_mm256_castsi256_ps(_mm256_slli_epi32(low, 16)), _mm256_castsi256_ps(_mm256_slli_epi32(high, 16))};
  odd = {_mm256_castsi256_ps(_mm256_and_si256(low, mask)), _mm256_castsi256_ps(_mm256_and_si256(high, mask))};
}
inline F16 fma(F16 a, F16 b, F16 c) { return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)}; }
inline F16 add(F16 a, F16 b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline F16 sub(F16 a, F16 b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline F16 mul(F16 a, F16 b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline F16 div(F16 a, F16 b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline F16 square_root(F16 a) { return {_mm256_sqrt_ps(a.low), _mm256_sqrt_ps(a.high)}; }
inline F16 greater(F16 a, F16 b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline F16 lesser(F16 a, F16 b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline F16 nearest(F16 a) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.low, kMode), _mm256_round_ps(a.high, kMode)};
}
inline __m256 power(__m256 n) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23)); }
/// a · 2^n
inline F16 scale(F16 a, F16 n) { return {_mm256_mul_ps(a.low, power(n.low)), _mm256_mul_ps(a.high, power(n.high))}; }
inline __m256 first_eight(__m256 a, __m256 b, int64_t count) {
  __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  int some = count > 8 ? 8 : count < 0 ? 0 : static_cast<int>(count);
  return _mm256_blendv_ps(b, a, _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(some), lanes)));
}
/// Lanes 0 … count-1 of `a`, the others of `b`.
inline F16 first_of(F16 a, F16 b, int64_t count) { return {first_eight(a.low, b.low, count), first_eight(a.high, b.high, count - 8)}; }
inline float first(F16 a) { return _mm256_cvtss_f32(a.low); }
inline float total(F16 a) {
  __m256 eight = _mm256_add_ps(a.low, a.high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float maximum(F16 a) {
  __m256 eight = _mm256_max_ps(a.low, a.high);
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

#include "trainers/nn/kernels_impl.h"
#include "trainers/nn/train_kernels_impl.h"

}  // namespace

extern constexpr Kernels kAvx2Kernels = make_kernels(Isa::Avx2);
extern constexpr TrainKernels kAvx2Training = make_train_kernels();

}  // namespace ppc::nn
