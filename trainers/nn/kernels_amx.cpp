// Products on AMX: tiles of 16 × 32 bfloat16 numbers, sixteen times as fast as AVX-512's on float32.
//
// A float32 is the sum of three bfloat16 numbers: 24 bits of 8 each. Of the nine products of two such sums the six large ones are
// computed: what is left out is 2^-23 of the whole or less, about what rounding a float32 product costs. That takes less
// than half of the time of AVX-512. The weights stay float32 in memory, so that reading them costs what it did, and are
// split as they come.
//
// With weights of bfloat16, x is rounded to bfloat16.
#include <immintrin.h>

#include "trainers/nn/kernel_table.h"

namespace ppc::nn {
namespace {

#include "trainers/nn/vectors_avx512.h"

#include "trainers/nn/kernels_impl.h"

constexpr int64_t kTile = 16 * 32;  // numbers
constexpr int64_t kStride = kPanel * 4;

struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

// All tiles have 16 rows, those of sums and of x perhaps fewer.
void configure(int64_t rows, int panel_tiles) {
  TileConfiguration configuration;
  for (int tile = 0; tile < 8; tile++) {
    configuration.bytes[tile] = 64;
    configuration.rows[tile] = static_cast<uint8_t>(tile < 8 - panel_tiles ? rows : 16);
  }
  _tile_loadconfig(&configuration);
}

inline __m512i high(__m512i x) { return _mm512_and_si512(x, _mm512_set1_epi32(static_cast<int>(0xffff0000))); }
// The upper halves of two vectors as pairs.
inline __m512i pairs(__m512i even, __m512i odd) { return _mm512_or_si512(_mm512_srli_epi32(even, 16), high(odd)); }

// Two rows of 16 weights in three parts, as pairs.
inline void split_pair(const float* even, const float* odd, uint16_t* out, int64_t part) {
  __m512 a = _mm512_loadu_ps(even), b = _mm512_loadu_ps(odd);
  for (int i = 0; i < 3; i++) {
    __m512i upper_a = _mm512_castps_si512(a), upper_b = _mm512_castps_si512(b);
    _mm512_store_si512(out + i * part, pairs(upper_a, upper_b));
    if (i == 2) break;
    a = _mm512_sub_ps(a, _mm512_castsi512_ps(high(upper_a)));
    b = _mm512_sub_ps(b, _mm512_castsi512_ps(high(upper_b)));
  }
}

// Row pair `pair` of 32 rows of a panel, [32][48], to [48 / 16][part][16][32].
inline void split_rows(const float* rows, int64_t pair, uint16_t* out) {
  const float* at = rows + 2 * pair * kPanel;
#pragma GCC unroll 3
  for (int64_t n = 0; n < 3; n++) split_pair(at + 16 * n, at + kPanel + 16 * n, out + n * 3 * kTile + 32 * pair, kTile);
}

// What is read soon: of 96 lines in 16 steps.
inline void fetch(const char* ahead, int64_t step) {
#pragma GCC unroll 6
  for (int64_t line = 0; line < 6; line++) __builtin_prefetch(ahead + (6 * step + line) * 64, 0, 2);
}

// Of x and w the parts 0 with 2, 1 with 1, 0 with 1, 2 with 0, 1 with 0, 0 with 0 are multiplied, in this order, so that a sum
// is the same in the two functions below. They compute for a depth of 32 with x split and w as `split_rows` makes it, and call `between`
// 16 times on the way: the tiles take their time, which is good for something else.

// 16 rows. Tiles 0 … 2 are sums, 3 … 5 the parts of x, 6 and 7 of w. A sum waits for its last step, so they take turns.
template <class Between>
inline void add_to_three(const uint16_t* x, const uint16_t* w, Between&& between) {
  const uint16_t *a = w, *b = w + 3 * kTile, *c = w + 6 * kTile;
  _tile_loadd(3, x, 64);
  _tile_loadd(4, x + kTile, 64);
  _tile_loadd(5, x + 2 * kTile, 64);
  _tile_loadd(6, a + 2 * kTile, 64);
  _tile_dpbf16ps(0, 3, 6);
  between(0);
  _tile_loadd(7, b + 2 * kTile, 64);
  _tile_dpbf16ps(1, 3, 7);
  between(1);
  _tile_loadd(6, c + 2 * kTile, 64);
  _tile_dpbf16ps(2, 3, 6);
  between(2);
  _tile_loadd(7, a + kTile, 64);
  _tile_dpbf16ps(0, 4, 7);
  between(3);
  _tile_loadd(6, b + kTile, 64);
  _tile_dpbf16ps(1, 4, 6);
  between(4);
  _tile_dpbf16ps(0, 3, 7);
  between(5);
  _tile_loadd(7, c + kTile, 64);
  _tile_dpbf16ps(2, 4, 7);
  between(6);
  _tile_dpbf16ps(1, 3, 6);
  between(7);
  _tile_loadd(6, a, 64);
  _tile_dpbf16ps(0, 5, 6);
  between(8);
  _tile_dpbf16ps(2, 3, 7);
  between(9);
  _tile_loadd(7, b, 64);
  _tile_dpbf16ps(1, 5, 7);
  between(10);
  _tile_dpbf16ps(0, 4, 6);
  between(11);
  _tile_dpbf16ps(1, 4, 7);
  between(12);
  _tile_dpbf16ps(0, 3, 6);
  between(13);
  _tile_loadd(6, c, 64);
  _tile_dpbf16ps(2, 5, 6);
  between(14);
  _tile_dpbf16ps(1, 3, 7);
  between(15);
  _tile_dpbf16ps(2, 4, 6);
  _tile_dpbf16ps(2, 3, 6);
}

// GCC wants numerals for tiles. One part of x, of the first 16 rows or the second, with one part of w.
#define PPC_ADD(sum, sum1, sum2, x_tile, w_part, step) \
  _tile_loadd(6, x_tile, 64);               \
  _tile_loadd(7, w_part, 64);               \
  _tile_dpbf16ps(sum, 6, 7);                \
  between(step);                            \
  _tile_loadd(7, w_part + 3 * kTile, 64);   \
  _tile_dpbf16ps(sum1, 6, 7);            \
  _tile_loadd(7, w_part + 6 * kTile, 64);   \
  _tile_dpbf16ps(sum2, 6, 7);

// 32 rows. Tiles 0 … 2 are sums of the first 16, 3 … 5 of the second, 6 a part of x, 7 of w.
template <class Between>
inline void add_to_six(const uint16_t* x, const uint16_t* second, const uint16_t* w, Between&& between) {
  PPC_ADD(0, 1, 2, x, (w + 2 * kTile), 0)
  between(1);
  PPC_ADD(3, 4, 5, second, (w + 2 * kTile), 2)
  PPC_ADD(0, 1, 2, (x + kTile), (w + kTile), 3)
  between(4);
  PPC_ADD(3, 4, 5, (second + kTile), (w + kTile), 5)
  PPC_ADD(0, 1, 2, x, (w + kTile), 6)
  between(7);
  PPC_ADD(3, 4, 5, second, (w + kTile), 8)
  PPC_ADD(0, 1, 2, (x + 2 * kTile), w, 9)
  between(10);
  PPC_ADD(3, 4, 5, (second + 2 * kTile), w, 11)
  PPC_ADD(0, 1, 2, (x + kTile), w, 12)
  PPC_ADD(3, 4, 5, (second + kTile), w, 13)
  PPC_ADD(0, 1, 2, x, w, 14)
  PPC_ADD(3, 4, 5, second, w, 15)
}
#undef PPC_ADD

inline void zero_three() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
}
inline void store_three(float* y) {
  _tile_stored(0, y, kStride);
  _tile_stored(1, y + 16, kStride);
  _tile_stored(2, y + 32, kStride);
}
inline void zero_six() {
  zero_three();
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
}
inline void store_six(float* y) {
  store_three(y);
  _tile_stored(3, y + 16 * kPanel, kStride);
  _tile_stored(4, y + 16 * kPanel + 16, kStride);
  _tile_stored(5, y + 16 * kPanel + 32, kStride);
}

// 32 rows, or 16 and fewer, at a time. While 32 rows of the panel are multiplied the next 32 are split: the tiles need longer than
// that, so it is done again for each rows rather than kept, which would fill the cache.
template <bool kTwo>
void rows_float32(const float* panel, const uint16_t* x, int64_t depth, float* y, const char* after) {
  alignas(64) uint16_t weights[2][32 * kPanel * 3];
  constexpr int64_t kBlock = 32 * kPanel;
  const int64_t blocks = depth / 32;
  const uint16_t* second = x + blocks * 3 * kTile;
  for (int64_t pair = 0; pair < 16; pair++) {
    if (after) fetch(reinterpret_cast<const char*>(panel + kBlock), pair);
    split_rows(panel, pair, weights[0]);
  }
  kTwo ? zero_six() : zero_three();
  for (int64_t i = 0; i < blocks; i++, x += 3 * kTile, second += 3 * kTile) {
    const uint16_t* now = weights[i % 2];
    if (i + 1 == blocks) {
      auto nothing = [](int64_t) {};
      if constexpr (kTwo)
        add_to_six(x, second, now, nothing);
      else
        add_to_three(x, now, nothing);
      break;
    }
    const float* next = panel + (i + 1) * kBlock;
    uint16_t* out = weights[(i + 1) % 2];
    const char* ahead = i + 2 < blocks ? reinterpret_cast<const char*>(next + kBlock) : after;
    auto prepare = [&](int64_t step) {
      fetch(ahead, step);
      split_rows(next, step, out);
    };
    if constexpr (kTwo)
      add_to_six(x, second, now, prepare);
    else
      add_to_three(x, now, prepare);
  }
  kTwo ? store_six(y) : store_three(y);
}

void product_float32(const Product& job) {
  const auto* panel = static_cast<const float*>(job.panel);
  const auto* after = static_cast<const char*>(job.next ? job.next : job.panel);
  int64_t row = 0;
  if (job.rows > kTileRows) configure(kTileRows, 2);
  for (; job.rows - row > kTileRows; row += 2 * kTileRows)
    rows_float32<true>(panel, job.parts + row * job.depth * 3, job.depth, job.y + row * kPanel, after);
  if (row < job.rows) {
    configure(job.rows - row, 2);
    rows_float32<false>(panel, job.parts + row * job.depth * 3, job.depth, job.y + row * kPanel, after);
  }
  _tile_release();
}

template <bool kTwo>
void rows_bfloat16(const uint16_t* w, const uint16_t* x, int64_t depth, float* y) {
  const uint16_t* second = x + depth / 32 * kTile;
  kTwo ? zero_six() : zero_three();
  for (int64_t k = 0; k < depth; k += 32, x += kTile, second += kTile, w += 32 * kPanel) {
    if constexpr (kTwo) {
      _tile_loadd(6, x, 64);
      _tile_loadd(7, w, kStride);
      _tile_dpbf16ps(0, 6, 7);
      _tile_loadd(7, w + 32, kStride);
      _tile_dpbf16ps(1, 6, 7);
      _tile_loadd(7, w + 64, kStride);
      _tile_dpbf16ps(2, 6, 7);
      _tile_loadd(6, second, 64);
      _tile_dpbf16ps(5, 6, 7);
      _tile_loadd(7, w + 32, kStride);
      _tile_dpbf16ps(4, 6, 7);
      _tile_loadd(7, w, kStride);
      _tile_dpbf16ps(3, 6, 7);
    } else {
      _tile_loadd(3, x, 64);
      _tile_loadd(6, w, kStride);
      _tile_dpbf16ps(0, 3, 6);
      _tile_loadd(7, w + 32, kStride);
      _tile_dpbf16ps(1, 3, 7);
      _tile_loadd(6, w + 64, kStride);
      _tile_dpbf16ps(2, 3, 6);
    }
  }
  kTwo ? store_six(y) : store_three(y);
}

void product_bfloat16(const Product& job) {
  const auto* panel = static_cast<const uint16_t*>(job.panel);
  int64_t row = 0;
  if (job.rows > kTileRows) configure(kTileRows, 2);
  for (; job.rows - row > kTileRows; row += 2 * kTileRows) rows_bfloat16<true>(panel, job.parts + row * job.depth, job.depth, job.y + row * kPanel);
  if (row < job.rows) {
    configure(job.rows - row, 2);
    rows_bfloat16<false>(panel, job.parts + row * job.depth, job.depth, job.y + row * kPanel);
  }
  _tile_release();
}

// To the nearest bfloat16, in the upper half.
inline __m512i rounded(__m512 x) {
  __m512i bits = _mm512_castps_si512(x);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  return high(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))));
}

// Tiles of 16 rows × 32, the parts one after the other: [depth / 32][part][16][32].
template <int kParts>
void split(const float* x, int64_t ldx, int64_t rows, int64_t depth, uint16_t* out) {
  for (int64_t k = 0; k < depth; k += 32, out += kParts * kTile)
    for (int64_t r = 0; r < rows; r++)
      for (int64_t half = 0; half < 32; half += 16) {
        __m512 value = _mm512_loadu_ps(x + r * ldx + k + half);
        for (int64_t part = 0; part < kParts; part++) {
          __m512i upper_half = rounded(value);
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + part * kTile + r * 32 + half), _mm512_cvtepi32_epi16(_mm512_srli_epi32(upper_half, 16)));
          value = _mm512_sub_ps(value, _mm512_castsi512_ps(upper_half));
        }
      }
}

constexpr Kernels make_amx() {
  Kernels kernels = make_kernels(Isa::Amx);
  kernels.product[0] = product_float32;
  kernels.product[1] = product_bfloat16;
  kernels.parts_of[0] = 3;
  kernels.parts_of[1] = 1;
  kernels.split[0] = split<3>;
  kernels.split[1] = split<1>;
  return kernels;
}

}  // namespace

extern constexpr Kernels kAmxKernels = make_amx();

}  // namespace ppc::nn
