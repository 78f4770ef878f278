// The kernels of one instruction set, as plain functions. Files compiled for an instruction set include this header only:
// it has no function that the linker could share between them.
#pragma once
#include <cstddef>
#include <cstdint>

namespace ppc::nn {

enum class Isa : uint8_t { Portable, Avx2, Avx512, Amx };

constexpr int64_t kPanel = 48;       // outputs of a packed matrix that lie together
constexpr int64_t kPageTokens = 32;  // tokens of a page of keys and values
constexpr int64_t kLanes = 16;       // head dimensions are padded to a multiple
constexpr int64_t kDepth = 32;       // inputs of a packed matrix are padded to a multiple
constexpr int64_t kTileRows = 16;    // rows of split inputs are padded to a multiple

/// y = x · panel: rows × depth times depth × 48.
struct Product {
  const float* x = nullptr;         // [rows][ldx]
  int64_t ldx = 0;
  const uint16_t* parts = nullptr;  // x as `split` makes it, 16 rows after 16 rows, where `parts_of` is not 0
  int64_t rows = 0, depth = 0;      // depth: a multiple of kDepth
  const void* panel = nullptr;      // float32: [depth][48]; bfloat16: [depth / 2][48][2]
  float* y = nullptr;               // [rows, padded to 32 where there are parts][48]
  const void* next = nullptr;       // the panel that comes after this one, if it is known, to be fetched already
};

/// Attention of some queries of one sequence, to one head of keys and values, over some pages.
struct Attention {
  const float* queries = nullptr;     // [rows][head_dim], scaled
  const int64_t* visible = nullptr;   // [rows]: how many of the pages' tokens the row sees; it may be 0
  int64_t rows = 0, head_dim = 0;     // head_dim: padded
  // Each page: the keys, float32 [head_dim][32], bfloat16 [head_dim / 2][32][2]; then the values, [32][head_dim] or [16][head_dim][2].
  const std::byte* const* pages = nullptr;
  int64_t page_count = 0;
  // Result: of each row the greatest score, the sum of e^(score - greatest), and the values weighted so. -∞, 0, 0 without a token.
  float* greatest = nullptr;          // [rows]
  float* sum = nullptr;               // [rows]
  float* values = nullptr;            // [rows][head_dim]
  float* scratch = nullptr;           // [rows][32]
};

struct Kernels {
  Isa isa;
  // Indexed by Precision: of weights, and of keys and values.
  void (*product[2])(const Product&);
  void (*attention[2])(const Attention&);
  /// The result of an attention over later pages is joined to one over earlier pages.
  void (*join)(const Attention& earlier, const Attention& later);
  /// y = x / sqrt(mean(x²) + eps) · weight
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* y);
  /// Pairs (x[i], x[i + half]) are turned by an angle.
  void (*rotate)(float* x, const float* cosines, const float* sines, int64_t half);
  /// y += x
  void (*add)(const float* x, int64_t n, float* y);
  /// y = silu(gate) · up
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* y);
  /// Into how many bfloat16 parts `product` wants its x split; 0: it takes floats.
  int64_t parts_of[2];
  /// Splits 16 rows of x, or fewer where there are no more. `out`: 16 · depth · parts numbers.
  void (*split[2])(const float* x, int64_t ldx, int64_t rows, int64_t depth, uint16_t* out);
};

extern const Kernels kPortableKernels, kAvx2Kernels, kAvx512Kernels, kAmxKernels;

}  // namespace ppc::nn
