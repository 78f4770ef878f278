#include "trainers/nn/kernel_table.h"
namespace ppc::nn { extern constexpr Kernels kAmxKernels{}; }
