#include "trainers/nn/train_kernels.h"

#include "trainers/nn/kernels.h"

namespace ppc::nn {

int64_t head_scratch(int64_t tokens, int64_t size) {
  constexpr int64_t kQueryBlock = 48;
  return (2 * size + 3 * kQueryBlock) * round_up(tokens, 16) + kQueryBlock * size;
}

const TrainKernels& train_kernels() {
#if defined(__x86_64__)
  if (has(Isa::Avx512)) return kAvx512Training;
  if (has(Isa::Avx2)) return kAvx2Training;
#endif
  return kPortableTraining;
}

}  // namespace ppc::nn
