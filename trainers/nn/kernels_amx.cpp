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

// x is split into tiles of 16 rows × 32, the parts of each one after the other, in the order in which a product reads them: a piece of
// the depth for all rows, then the next piece.
template <int kParts, int64_t kPiece>
struct Tiles {
  static constexpr int64_t piece_depth = kPiece;
  static int64_t offset(int64_t depth, int64_t tiles, int64_t k, int64_t tile) {
    const int64_t before = k / kPiece * kPiece, now = least(kPiece, depth - before);
    return (tiles * before + tile * now + k - before) / 32 * kParts * kTile;
  }
};
using Float32Tiles = Tiles<3, 64>;   // the panel's piece, split, is 18 KiB
using BFloat16Tiles = Tiles<1, 256>;  // 24 KiB

struct alignas(64) TileConfiguration {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes[16] = {};
  uint8_t rows[16] = {};
};

// Tiles: 0 … 2 sums, 3 … 5 parts of x, 6 and 7 of the panel.
void configure(int64_t rows) {
  TileConfiguration configuration;
  for (int tile = 0; tile < 8; tile++) {
    configuration.bytes[tile] = 64;
    configuration.rows[tile] = static_cast<uint8_t>(tile < 6 ? rows : 16);
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

// A panel's rows [depth][48] to [depth / 32][48 / 16][part][16][32]. Fetches the first half of `ahead`, which is as long.
inline void split_panel(const float* panel, int64_t depth, uint16_t* out, const char* ahead) {
  for (int64_t k = 0; k < depth; k += 32)
    for (int64_t n = 0; n < kPanel; n += 16, out += 3 * kTile)
      for (int64_t pair = 0; pair < 16; pair++, ahead += 64) {
        const float* at = panel + (k + 2 * pair) * kPanel + n;
        __builtin_prefetch(ahead, 0, 2);
        split_pair(at, at + kPanel, out + 32 * pair, kTile);
      }
}

inline void load_sums(const float* y, bool add) {
  if (add) {
    _tile_loadd(0, y, kStride);
    _tile_loadd(1, y + 16, kStride);
    _tile_loadd(2, y + 32, kStride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
  }
}
inline void store_sums(float* y) {
  _tile_stored(0, y, kStride);
  _tile_stored(1, y + 16, kStride);
  _tile_stored(2, y + 32, kStride);
}

// 16 rows or fewer: y (+)= x · w, where w is `split_panel`'s. May fetch as much as half of the panel's piece.
template <bool kFetch>
inline void tiles_float32(const uint16_t* x, const uint16_t* w, int64_t depth, float* y, bool add, const char* ahead) {
  auto fetch = [&] {
    if constexpr (kFetch) {
      for (int line = 0; line < 4; line++) __builtin_prefetch(ahead + 64 * line, 0, 2);
      ahead += 256;
    }
  };
  load_sums(y, add);
  for (int64_t k = 0; k < depth; k += 32, x += 3 * kTile, w += 9 * kTile) {
    _tile_loadd(3, x, 64);
    _tile_loadd(4, x + kTile, 64);
    _tile_loadd(5, x + 2 * kTile, 64);
    // Of x and w the parts 0 with 2, 1 with 1, 0 with 1, 2 with 0, 1 with 0, 0 with 0; for the three sums in turn, since each waits
    // for its last step.
    const uint16_t *a = w, *b = w + 3 * kTile, *c = w + 6 * kTile;
    _tile_loadd(6, a + 2 * kTile, 64);
    _tile_dpbf16ps(0, 3, 6);
    _tile_loadd(7, b + 2 * kTile, 64);
    _tile_dpbf16ps(1, 3, 7);
    fetch();
    _tile_loadd(6, c + 2 * kTile, 64);
    _tile_dpbf16ps(2, 3, 6);
    fetch();
    _tile_loadd(7, a + kTile, 64);
    _tile_dpbf16ps(0, 4, 7);
    fetch();
    _tile_loadd(6, b + kTile, 64);
    _tile_dpbf16ps(1, 4, 6);
    _tile_dpbf16ps(0, 3, 7);
    fetch();
    _tile_loadd(7, c + kTile, 64);
    _tile_dpbf16ps(2, 4, 7);
    fetch();
    _tile_dpbf16ps(1, 3, 6);
    _tile_loadd(6, a, 64);
    fetch();
    _tile_dpbf16ps(0, 5, 6);
    _tile_dpbf16ps(2, 3, 7);
    fetch();
    _tile_loadd(7, b, 64);
    _tile_dpbf16ps(1, 5, 7);
    fetch();
    _tile_dpbf16ps(0, 4, 6);
    fetch();
    _tile_dpbf16ps(1, 4, 7);
    fetch();
    _tile_dpbf16ps(0, 3, 6);
    fetch();
    _tile_loadd(6, c, 64);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(1, 3, 7);
    fetch();
    _tile_dpbf16ps(2, 4, 6);
    _tile_dpbf16ps(2, 3, 6);
  }
  store_sums(y);
}

void product_float32(const Product& job) {
  alignas(64) uint16_t weights[Float32Tiles::piece_depth * kPanel * 3];
  const auto* panel = static_cast<const float*>(job.panel);
  const int64_t left = job.rows % kTileRows, whole = job.rows / kTileRows, tiles = whole + (left > 0);
  configure(whole > 0 ? kTileRows : left);
  for (int64_t k = 0; k < job.depth; k += Float32Tiles::piece_depth) {
    const int64_t depth = least(Float32Tiles::piece_depth, job.depth - k);
    const char* ahead = reinterpret_cast<const char*>(panel + (k + depth) * kPanel);
    if (k + depth == job.depth) ahead = reinterpret_cast<const char*>(job.next ? static_cast<const float*>(job.next) : panel + k * kPanel);
    split_panel(panel + k * kPanel, depth, weights, ahead);
    ahead += depth / 32 * 48 * 64;
    if (left > 0 && whole > 0 && k > 0) configure(kTileRows);
    for (int64_t tile = 0; tile < tiles; tile++) {
      if (tile == whole && whole > 0) configure(left);
      const uint16_t* x = job.parts + Float32Tiles::offset(job.depth, tiles, k, tile);
      float* y = job.y + tile * kTileRows * kPanel;
      if (tile == 0)
        tiles_float32<true>(x, weights, depth, y, k > 0, ahead);
      else
        tiles_float32<false>(x, weights, depth, y, k > 0, nullptr);
    }
  }
  _tile_release();
}

inline void tiles_bfloat16(const uint16_t* x, const uint16_t* w, int64_t depth, float* y, bool add) {
  load_sums(y, add);
  for (int64_t k = 0; k < depth; k += 32, x += kTile, w += 32 * kPanel) {
    _tile_loadd(3, x, 64);
    _tile_loadd(6, w, kStride);
    _tile_dpbf16ps(0, 3, 6);
    _tile_loadd(7, w + 32, kStride);
    _tile_dpbf16ps(1, 3, 7);
    _tile_loadd(6, w + 64, kStride);
    _tile_dpbf16ps(2, 3, 6);
  }
  store_sums(y);
}

void product_bfloat16(const Product& job) {
  const auto* panel = static_cast<const uint16_t*>(job.panel);
  const int64_t left = job.rows % kTileRows, whole = job.rows / kTileRows, tiles = whole + (left > 0);
  configure(whole > 0 ? kTileRows : left);
  for (int64_t k = 0; k < job.depth; k += BFloat16Tiles::piece_depth) {
    const int64_t depth = least(BFloat16Tiles::piece_depth, job.depth - k);
    if (left > 0 && whole > 0 && k > 0) configure(kTileRows);
    for (int64_t tile = 0; tile < tiles; tile++) {
      if (tile == whole && whole > 0) configure(left);
      const uint16_t* x = job.parts + BFloat16Tiles::offset(job.depth, tiles, k, tile);
      tiles_bfloat16(x, panel + k * kPanel, depth, job.y + tile * kTileRows * kPanel, k > 0);
    }
  }
  _tile_release();
}

// To the nearest bfloat16, in the upper half.
inline __m512i rounded(__m512 x) {
  __m512i bits = _mm512_castps_si512(x);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  return high(_mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff))));
}

template <int kParts, class Order>
void split(const float* x, int64_t ldx, int64_t rows, int64_t depth, int64_t tile, int64_t tiles, uint16_t* parts) {
  for (int64_t k = 0; k < depth; k += 32) {
    uint16_t* out = parts + Order::offset(depth, tiles, k, tile);
    for (int64_t r = 0; r < rows; r++, out += 32)
      for (int64_t half = 0; half < 32; half += 16) {
        __m512 value = _mm512_loadu_ps(x + r * ldx + k + half);
        for (int64_t part = 0; part < kParts; part++) {
          __m512i upper_half = rounded(value);
          _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + part * kTile + half), _mm512_cvtepi32_epi16(_mm512_srli_epi32(upper_half, 16)));
          value = _mm512_sub_ps(value, _mm512_castsi512_ps(upper_half));
        }
      }
  }
}

constexpr Kernels make_amx() {
  Kernels kernels = make_kernels(Isa::Amx);
  kernels.product[0] = product_float32;
  kernels.product[1] = product_bfloat16;
  kernels.parts_of[0] = 3;
  kernels.parts_of[1] = 1;
  kernels.split[0] = split<3, Float32Tiles>;
  kernels.split[1] = split<1, BFloat16Tiles>;
  return kernels;
}

}  // namespace

extern constexpr Kernels kAmxKernels = make_amx();

}  // namespace ppc::nn
