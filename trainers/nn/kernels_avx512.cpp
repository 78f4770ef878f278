#include <immintrin.h>

#include "trainers/nn/kernel_table.h"

namespace ppc::nn {
namespace {

#include "trainers/nn/vectors_avx512.h"
#include "trainers/nn/kernels_impl.h"

}  // namespace

extern constexpr Kernels kAvx512Kernels = make_kernels(Isa::Avx512);

}  // namespace ppc::nn
