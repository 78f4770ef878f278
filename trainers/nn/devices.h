// Names of devices, threads, and what is free on them.
#pragma once
#include "trainers/nn/torch.h"  // first

#include <cstdint>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "trainers/model/safetensors.h"

namespace ppc::nn {

/// "cpu", "cuda", "cuda:1". Throws std::invalid_argument for other names, std::runtime_error where there is no CUDA.
torch::Device device_of(const std::string& name);
/// For OpenBLAS, and for LibTorch's own operators, or one for these; 0: as many as the machine has.
void use_threads(int threads, bool also_operators = true);
/// Bytes of memory that are free.
int64_t free_memory(torch::Device);

torch::Dtype type_of(model::DType);
/// A tensor of a mapped file where it lies, or a copy of one that does not lie at a multiple of its element's size.
torch::Tensor tensor_of(const model::TensorView&);
/// A tensor on the CPU as it would be written: float32, float16 or bfloat16, contiguous. Good as long as the tensor is.
model::TensorView view_of(const std::string& name, const torch::Tensor&);

/// LibTorch's errors become std::runtime_error, without the places in its sources.
template <class F>
auto guarded(F&& f) {
  try {
    return f();
  } catch (const c10::Error& e) {
    throw std::runtime_error(e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    throw std::runtime_error("out of memory");
  }
}

}  // namespace ppc::nn
