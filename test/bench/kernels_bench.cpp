// What the CPU network's products reach, for each kind of processor that this one can be: GFLOP/s, and GB/s of weights for a single row.
// Beside them OpenBLAS on the same sizes in the same run, turn by turn, the best of several turns each: x [rows, 576] times the
// transpose of weights [3072, 576], of which there are as many as 30 layers have, so that they come from memory.
//
//   kernels_bench [--json] [TEXT]    TEXT: a part of `isa/precision/rows N`
#include <dlfcn.h>

#include <cstring>
#include <functional>
#include <iostream>
#include <random>

#include "runtime/local/blas.h"
#include "test/bench/lines.h"
#include "trainers/nn/kernels.h"

using namespace ppc::nn;

namespace {

constexpr int64_t kOutputs = 3072, kInputs = 576, kMatrices = 30, kRowsAtMost = 512;
constexpr int64_t kLd = kInputs + 16;

using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
using Gemv = void (*)(int, int, int, int, float, const float*, int, const float*, int, float, float*, int);

/// Seconds of the best of several turns, for each of two that take turns.
std::pair<double, double> best_of(const std::function<void()>& ours, const std::function<void()>& theirs) {
  double a = 1e9, b = 1e9, spent = 0;
  for (int turn = 0; turn < 4 || (turn < 30 && spent < 2); turn++) {
    const double one = bench::seconds(ours), other = theirs ? bench::seconds(theirs) : 0;
    a = std::min(a, one);
    b = std::min(b, other);
    spent += one + other;
  }
  return {a, b};
}

}  // namespace

int main(int argc, char** argv) {
  std::string only;
  for (int i = 1; i < argc; i++)
    if (argv[i][0] != '-') only = argv[i];
  ppc::local::choose_blas_kernels();
  void* blas = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  const auto gemm = blas ? reinterpret_cast<Gemm>(dlsym(blas, "cblas_sgemm")) : nullptr;
  const auto gemv = blas ? reinterpret_cast<Gemv>(dlsym(blas, "cblas_sgemv")) : nullptr;
  if (!gemm || !gemv) std::cerr << "kernels_bench: no OpenBLAS to compare with\n";

  Workers workers(0);
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> weights(kOutputs * kInputs), x(kRowsAtMost * kLd);
  for (float& w : weights) w = normal(random) / 32;
  for (int64_t r = 0; r < kRowsAtMost; r++)
    for (int64_t k = 0; k < kInputs; k++) x[static_cast<size_t>(r * kLd + k)] = normal(random);
  const size_t plain_bytes = weights.size() * sizeof(float);
  Memory plain(kMatrices * plain_bytes), y(kRowsAtMost * kOutputs * sizeof(float)), scratch(static_cast<size_t>(product_scratch(workers.threads())) * sizeof(float));
  for (int64_t m = 0; m < kMatrices; m++) std::memcpy(plain.data() + static_cast<size_t>(m) * plain_bytes, weights.data(), plain_bytes);
  auto* out = reinterpret_cast<float*>(y.data());

  for (Precision precision : {Precision::Float32, Precision::BFloat16}) {
    const bool f32 = precision == Precision::Float32;
    Matrix matrix{kOutputs, kInputs, precision, nullptr};
    const size_t bytes = matrix.packed_bytes();
    Memory packed(kMatrices * bytes);
    for (int64_t m = 0; m < kMatrices; m++) {
      matrix.data = packed.data() + static_cast<size_t>(m) * bytes;
      for (int64_t panel = 0; panel < matrix.panels(); panel++) matrix.pack(panel, weights.data() + panel * kPanel * kInputs, kInputs, kPanel);
    }
    for (Isa isa : kIsas) {
      if (!has(isa) || isa == Isa::Portable) continue;
      const Kernels& kernels = ppc::nn::kernels(isa);
      std::vector<uint16_t> parts(parts_bytes(kernels, precision, kRowsAtMost, kInputs) / 2);
      for (int64_t rows : {1, 8, 32, 128, 512}) {
        const std::string what = std::string(name_of(isa)) + (f32 ? "/f32" : "/bf16") + "/rows " + std::to_string(rows);
        if (what.find(only) == std::string::npos) continue;
        auto ours = [&] {
          for (int64_t m = 0; m < kMatrices; m++) {
            matrix.data = packed.data() + static_cast<size_t>(m) * bytes;
            linear(workers, kernels, {x.data(), kLd, rows, parts.data()}, matrix, nullptr, out, kOutputs, Into::Set, reinterpret_cast<float*>(scratch.data()));
          }
        };
        auto theirs = [&] {
          for (int64_t m = 0; m < kMatrices; m++) {
            const auto* w = reinterpret_cast<const float*>(plain.data() + static_cast<size_t>(m) * plain_bytes);
            constexpr int row_major = 101, as_it_is = 111, transposed = 112;
            if (rows == 1)
              gemv(row_major, as_it_is, kOutputs, kInputs, 1, w, kInputs, x.data(), 1, 0, out, 1);
            else
              gemm(row_major, as_it_is, transposed, static_cast<int>(rows), kOutputs, kInputs, 1, x.data(), kLd, w, kInputs, 0, out, kOutputs);
          }
        };
        const auto [mine, other] = best_of(ours, gemm && gemv ? std::function<void()>(theirs) : nullptr);
        // OpenBLAS always has float32 weights: the same work, more bytes.
        const double flops = 2.0 * kOutputs * kInputs * kMatrices * static_cast<double>(rows) / 1e9;
        bench::line("kernels/" + what + ", beside OpenBLAS with f32", flops / mine, "GFLOP/s", other > 0 ? flops / other : 0);
        if (rows <= 8)
          bench::line("kernels/" + what + "/weights read, beside OpenBLAS with f32", static_cast<double>(kMatrices * bytes) / mine / 1e9, "GB/s",
                      other > 0 ? static_cast<double>(kMatrices * plain_bytes) / other / 1e9 : 0);
      }
    }
  }
}
