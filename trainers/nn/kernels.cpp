#include "trainers/nn/kernels.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace ppc::nn {
namespace {

constexpr int64_t kRowsAtOnce = 128;  // of a product: their results stay in the second-level cache

#if defined(__x86_64__)
bool amx_usable() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  constexpr unsigned kTile = 1u << 24, kBf16 = 1u << 22;
  if (!(d & kTile) || !(d & kBf16)) return false;
  // Linux wants to be asked for the tiles' registers, once for the process.
  constexpr long kRequest = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0;
}
#endif

}  // namespace

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::Portable: return "portable";
    case Isa::Avx2: return "avx2";
    case Isa::Avx512: return "avx512";
    case Isa::Amx: return "amx";
  }
  return "";
}

bool has(Isa isa) {
#if defined(__x86_64__)
  static const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  static const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  switch (isa) {
    case Isa::Portable: return true;
    case Isa::Avx2: return avx2;
    case Isa::Avx512: return avx512;
    case Isa::Amx: {
      static const bool amx = avx512 && amx_usable();
      return amx;
    }
  }
  return false;
#else
  return isa == Isa::Portable;
#endif
}

Isa best_isa() {
  Isa best = Isa::Portable;
  for (Isa isa : kIsas)
    if (has(isa)) best = isa;
  return best;
}

const Kernels& kernels(Isa isa) {
  if (!has(isa)) throw std::invalid_argument(std::string("this processor has no ") + name_of(isa));
#if defined(__x86_64__)
  switch (isa) {
    case Isa::Portable: break;
    case Isa::Avx2: return kAvx2Kernels;
    case Isa::Avx512: return kAvx512Kernels;
    case Isa::Amx: return kAmxKernels;
  }
#endif
  return kPortableKernels;
}

namespace {
constexpr size_t kLarge = size_t{2} << 20;
size_t mapped_bytes(size_t bytes) { return (bytes + kLarge - 1) / kLarge * kLarge; }
}  // namespace

Memory::Memory(size_t bytes) : bytes_(bytes) {
  if (bytes == 0) return;
  // More than is needed, and what is too much given back: so it starts at a multiple.
  const size_t wanted = mapped_bytes(bytes);
  if (wanted < bytes) throw std::bad_alloc();
  void* mapped = mmap(nullptr, wanted + kLarge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto at = reinterpret_cast<uintptr_t>(mapped), start = (at + kLarge - 1) / kLarge * kLarge;
  if (start > at) munmap(mapped, start - at);
  if (at + kLarge > start) munmap(reinterpret_cast<void*>(start + wanted), at + kLarge - start);
  data_ = reinterpret_cast<std::byte*>(start);
#ifdef MADV_HUGEPAGE
  madvise(data_, wanted, MADV_HUGEPAGE);
#endif
}

Memory::~Memory() {
  if (data_) munmap(data_, mapped_bytes(bytes_));
}

Memory& Memory::operator=(Memory&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

void Matrix::pack(int64_t panel, const float* rows, int64_t ld, int64_t count) const {
  std::byte* at = data + static_cast<size_t>(panel) * panel_bytes();
  if (precision == Precision::Float32) {
    auto* out = reinterpret_cast<float*>(at);
    for (int64_t k = 0; k < depth(); k++)
      for (int64_t i = 0; i < kPanel; i++) *out++ = i < count && k < inputs ? rows[i * ld + k] : 0;
  } else {
    auto* out = reinterpret_cast<uint16_t*>(at);
    for (int64_t k = 0; k < depth(); k += 2)
      for (int64_t i = 0; i < kPanel; i++)
        for (int64_t odd = 0; odd < 2; odd++) *out++ = i < count && k + odd < inputs ? to_bfloat16(rows[i * ld + k + odd]) : uint16_t{0};
  }
}

void Matrix::unpack(int64_t output, float* row) const {
  const std::byte* at = data + static_cast<size_t>(output / kPanel) * panel_bytes();
  const int64_t lane = output % kPanel;
  if (precision == Precision::Float32) {
    const auto* from = reinterpret_cast<const float*>(at) + lane;
    for (int64_t k = 0; k < inputs; k++) row[k] = from[k * kPanel];
  } else {
    const auto* from = reinterpret_cast<const uint16_t*>(at) + 2 * lane;
    for (int64_t k = 0; k < inputs; k++) row[k] = from_bfloat16(from[k / 2 * 2 * kPanel + k % 2]);
  }
}

size_t parts_bytes(const Kernels& kernels, Precision precision, int64_t rows, int64_t depth) {
  return static_cast<size_t>(round_up(rows, 2 * kTileRows) * round_up(depth, kDepth) * kernels.parts_of[static_cast<int>(precision)]) * 2;
}

int64_t product_scratch(int threads) { return 2 * kRowsAtOnce * kPanel * threads; }

namespace {

// Calls done(panel of the group, first row, rows, products) after the products of `group` panels that belong together (1 or 2).
template <class Done>
void products(Workers& workers, const Kernels& kernels, const Input& input, const Matrix& matrix, int64_t group, float* scratch, Done&& done) {
  const int64_t depth = matrix.depth(), parts = kernels.parts_of[static_cast<int>(matrix.precision)];
  if (parts) {
    workers.run((input.rows + kTileRows - 1) / kTileRows, [&](int64_t task, int) {
      const int64_t row = task * kTileRows;
      kernels.split[static_cast<int>(matrix.precision)](input.x + row * input.ld, input.ld, std::min(kTileRows, input.rows - row), depth,
                                                        input.parts + row * depth * parts);
    });
  }
  // A task is some groups of panels, so that what comes next can be fetched, and few enough for threads to end together.
  const int64_t groups = matrix.panels() / group;
  const int64_t chunks = (input.rows + kRowsAtOnce - 1) / kRowsAtOnce;
  const int64_t together = chunks > 1 ? 1 : std::max<int64_t>(1, groups / (4 * workers.threads()));
  const int64_t tasks = (groups + together - 1) / together;
  auto function = kernels.product[static_cast<int>(matrix.precision)];
  workers.run(tasks * chunks, [&](int64_t task, int thread) {
    const int64_t from = task / chunks * together, to = std::min(from + together, groups);
    const int64_t row = task % chunks * kRowsAtOnce;
    Product product;
    product.x = input.x + row * input.ld;
    product.ldx = input.ld;
    if (parts) product.parts = input.parts + row * depth * parts;
    product.rows = std::min(kRowsAtOnce, input.rows - row);
    product.depth = depth;
    float* y = scratch + 2 * kRowsAtOnce * kPanel * thread;
    for (int64_t g = from; g < to; g++) {
      for (int64_t p = 0; p < group; p++) {
        const std::byte* panel = matrix.data + static_cast<size_t>(g * group + p) * matrix.panel_bytes();
        product.panel = panel;
        product.next = g + 1 < to || p + 1 < group ? panel + matrix.panel_bytes() : nullptr;
        product.y = y + p * kRowsAtOnce * kPanel;
        function(product);
      }
      done(g, row, product.rows, y);
    }
  });
}

}  // namespace

void linear(Workers& workers, const Kernels& kernels, const Input& input, const Matrix& matrix, const float* bias, float* out, int64_t ld, Into into,
            float* scratch) {
  products(workers, kernels, input, matrix, 1, scratch, [&](int64_t panel, int64_t row, int64_t rows, float* y) {
    const int64_t column = panel * kPanel, columns = std::min(kPanel, matrix.outputs - column);
    for (int64_t r = 0; r < rows; r++, y += kPanel) {
      float* to = out + (row + r) * ld + column;
      if (bias) kernels.add(bias + column, columns, y);
      if (into == Into::Add)
        kernels.add(y, columns, to);
      else
        std::memcpy(to, y, static_cast<size_t>(columns) * sizeof(float));
    }
  });
}

void gated(Workers& workers, const Kernels& kernels, const Input& input, const Matrix& matrix, const float* bias, int64_t outputs, float* out, int64_t ld,
           float* scratch) {
  products(workers, kernels, input, matrix, 2, scratch, [&](int64_t pair, int64_t row, int64_t rows, float* gate) {
    const int64_t column = pair * kPanel, columns = std::min(kPanel, outputs - column);
    float* up = gate + kRowsAtOnce * kPanel;
    for (int64_t r = 0; r < rows; r++, gate += kPanel, up += kPanel) {
      if (bias) {
        kernels.add(bias + 2 * column, columns, gate);
        kernels.add(bias + 2 * column + kPanel, columns, up);
      }
      kernels.silu_mul(gate, up, columns, out + (row + r) * ld + column);
    }
  });
}

}  // namespace ppc::nn
