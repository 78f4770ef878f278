// Memory of LibTorch's tensors on the CPU.
#pragma once

namespace ppc::nn {

/// From now on LibTorch keeps large pieces of memory that it no longer needs, for the next tensors of about that size: a pass takes and gives back
/// gigabytes, which the system would clear, page by page, each time. At most as much is kept as was in use at once. For the whole
/// program; calls after the first do nothing.
void keep_memory();

}  // namespace ppc::nn
