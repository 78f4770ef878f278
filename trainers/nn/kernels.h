// What a network computes on the CPU, on plain memory, for each kind of processor; chosen when the program runs.
//
// Every number depends only on the row it belongs to: sums go over their terms in one order, whatever rows are computed together
// and however threads share the work. So a sequence has the same logits, bit for bit, alone, in any batch, and with its prompt
// in pieces of any size. AVX-512 and AVX2 (with FMA) give the same bits as each other. Other processors differ in
// the last bits: AMX multiplies with bfloat16 numbers, three of them for a float32; without FMA each product is rounded.
#pragma once
#include <cstddef>
#include <cstdint>

#include "trainers/nn/kernel_table.h"
#include "trainers/nn/network.h"
#include "trainers/nn/workers.h"

namespace ppc::nn {

constexpr Isa kIsas[] = {Isa::Portable, Isa::Avx2, Isa::Avx512, Isa::Amx};
const char* name_of(Isa);
/// Whether this program, this processor and this system have it.
bool has(Isa);
Isa best_isa();

constexpr int64_t round_up(int64_t value, int64_t multiple) { return (value + multiple - 1) / multiple * multiple; }
constexpr size_t bytes_of(Precision precision) { return precision == Precision::Float32 ? 4 : 2; }

/// Throws std::invalid_argument if the processor does not have it.
const Kernels& kernels(Isa);

/// Memory in large pages where the system has them: half of the time of a matrix-vector product goes into address translation
/// without. Zeroed.
class Memory {
 public:
  Memory() = default;
  explicit Memory(size_t bytes);
  ~Memory();
  Memory(Memory&& other) noexcept : data_(other.data_), bytes_(other.bytes_) { other.data_ = nullptr; other.bytes_ = 0; }
  Memory& operator=(Memory&&) noexcept;
  std::byte* data() const { return data_; }
  size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

/// A matrix [outputs][inputs], packed in panels of 48 outputs. The memory is somebody else's.
struct Matrix {
  int64_t outputs = 0, inputs = 0;
  Precision precision = Precision::Float32;
  std::byte* data = nullptr;  // packed_bytes(), 64-byte aligned

  int64_t depth() const { return round_up(inputs, kDepth); }
  int64_t panels() const { return (outputs + kPanel - 1) / kPanel; }
  size_t panel_bytes() const { return static_cast<size_t>(depth() * kPanel) * bytes_of(precision); }
  size_t packed_bytes() const { return static_cast<size_t>(panels()) * panel_bytes(); }
  /// Sets a panel from at most 48 rows of `inputs` floats that lie `ld` apart; outputs that are missing become 0.
  void pack(int64_t panel, const float* rows, int64_t ld, int64_t count) const;
  /// Row `output`, as floats.
  void unpack(int64_t output, float* row) const;
};

/// Rows of floats that a product reads: x[rows][ld], ld at least the depth, zeros behind the inputs. With space for their parts.
struct Input {
  const float* x = nullptr;
  int64_t ld = 0, rows = 0;
  uint16_t* parts = nullptr;  // parts_bytes(…) of space; may be null where no parts are wanted
};
size_t parts_bytes(const Kernels&, Precision, int64_t rows, int64_t depth);

enum class Into : uint8_t { Set, Add };
/// out[rows][ld] = (or +=) x · matrixᵀ + bias. `bias` may be null. `scratch`: product_scratch(threads) floats.
void linear(Workers&, const Kernels&, const Input&, const Matrix&, const float* bias, float* out, int64_t ld, Into, float* scratch);
/// The matrix has panels of gate and up in turn: out[rows][ld] = silu(x · gateᵀ + bias) · (x · upᵀ + bias). `outputs` counts both, padded;
/// `bias` too, in the order of the panels.
void gated(Workers&, const Kernels&, const Input&, const Matrix&, const float* bias, int64_t outputs, float* out, int64_t ld, float* scratch);
int64_t product_scratch(int threads);  // floats

inline uint16_t to_bfloat16(float value) {
  uint32_t bits;
  __builtin_memcpy(&bits, &value, 4);
  if ((bits & 0x7fffffff) > 0x7f800000) return static_cast<uint16_t>(bits >> 16 | 0x40);  // not a number, and stays none
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float from_bfloat16(uint16_t value) {
  uint32_t bits = static_cast<uint32_t>(value) << 16;
  float result;
  __builtin_memcpy(&result, &bits, 4);
  return result;
}

}  // namespace ppc::nn
