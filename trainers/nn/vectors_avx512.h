// `F16` of kernels_impl.h for AVX-512; included like it, in the unnamed namespace of a file for one instruction set.

constexpr int kRegisters = 24, kColumns = 4;
using F16 = __m512;

inline F16 zero() { return _mm512_setzero_ps(); }
inline F16 all(float x) { return _mm512_set1_ps(x); }
inline F16 load(const float* x) { return _mm512_loadu_ps(x); }
inline void store(float* x, F16 value) { _mm512_storeu_ps(x, value); }
inline void load_pairs(const uint16_t* x, F16& even, F16& odd) {
  __m512i pairs = _mm512_loadu_si512(x);
  even = _mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16));
  odd = _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000))));
}
inline F16 fma(F16 a, F16 b, F16 c) { return _mm512_fmadd_ps(a, b, c); }
inline F16 add(F16 a, F16 b) { return _mm512_add_ps(a, b); }
inline F16 sub(F16 a, F16 b) { return _mm512_sub_ps(a, b); }
inline F16 mul(F16 a, F16 b) { return _mm512_mul_ps(a, b); }
inline F16 div(F16 a, F16 b) { return _mm512_div_ps(a, b); }
// (With a mask, as GCC 12 says of the one without that it reads what is not set.)
inline F16 square_root(F16 a) { return _mm512_maskz_sqrt_ps(static_cast<__mmask16>(0xffff), a); }
inline F16 greater(F16 a, F16 b) { return _mm512_max_ps(a, b); }
inline F16 lesser(F16 a, F16 b) { return _mm512_min_ps(a, b); }
inline F16 nearest(F16 a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
/// a · 2^n
inline F16 scale(F16 a, F16 n) {
  return mul(a, _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23)));
}
/// Lanes 0 … count-1 of `a`, the others of `b`.
inline F16 first_of(F16 a, F16 b, int64_t count) {
  return _mm512_mask_blend_ps(static_cast<__mmask16>(count >= 16 ? 0xffff : count <= 0 ? 0 : (1u << count) - 1), b, a);
}
inline float first(F16 a) { return _mm512_cvtss_f32(a); }
inline __m256 upper(F16 a) { return _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1)); }
inline float total(F16 a) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(a), upper(a));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float maximum(F16 a) {
  __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(a), upper(a));
  __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}
