#include <immintrin.h>

#include "trainers/nn/kernel_table.h"
#include "trainers/nn/train_kernels.h"

namespace ppc::nn {
namespace {

#include "trainers/nn/vectors_avx512.h"
#include "trainers/nn/kernels_impl.h"
#include "trainers/nn/train_kernels_impl.h"

}  // namespace

extern constexpr Kernels kAvx512Kernels = make_kernels(Isa::Avx512);
extern constexpr TrainKernels kAvx512Training = make_train_kernels();

}  // namespace ppc::nn
