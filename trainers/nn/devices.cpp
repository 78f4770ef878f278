#include "trainers/nn/devices.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <optional>
#include <thread>

namespace ppc::nn {

torch::Device device_of(const std::string& name) {
  std::optional<torch::Device> device;
  try {
    device.emplace(name);
  } catch (const c10::Error&) {
  }
  if (!device || !(device->is_cpu() || device->is_cuda())) throw std::invalid_argument("device `" + name + "`: expected cpu, cuda or cuda:0");
  if (device->is_cuda() && !torch::cuda::is_available()) throw std::runtime_error("device `" + name + "`: this LibTorch finds no CUDA here");
  return *device;
}

void use_threads(int threads, bool also_operators) {
  if (threads <= 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  at::set_num_threads(also_operators ? threads : 1);
  if (const auto set = reinterpret_cast<void (*)(int)>(dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))) set(threads);
}

int64_t free_memory(torch::Device device) {
  if (device.is_cuda()) {
    // By name, so that what is built without CUDA runs with it.
    using MemGetInfo = int (*)(size_t*, size_t*);
    size_t free = 0, total = 0;
    const auto get = reinterpret_cast<MemGetInfo>(dlsym(RTLD_DEFAULT, "cudaMemGetInfo"));
    if (!get || get(&free, &total) != 0) throw std::runtime_error("cannot find out how much memory the GPU has: give the number of tokens to keep");
    return static_cast<int64_t>(free);
  }
  std::ifstream file("/proc/meminfo");
  for (std::string key, rest; file >> key && std::getline(file, rest);)
    if (key == "MemAvailable:") return std::stoll(rest) * 1024;
  throw std::runtime_error("/proc/meminfo does not say how much memory is free");
}

torch::Dtype type_of(model::DType t) {
  return t == model::DType::F32 ? torch::kFloat32 : t == model::DType::F16 ? torch::kFloat16 : torch::kBFloat16;
}

torch::Tensor tensor_of(const model::TensorView& view) {
  const auto options = torch::TensorOptions().dtype(type_of(view.dtype));
  if (!view.aligned()) {
    torch::Tensor copy = torch::empty(view.shape, options);
    std::memcpy(copy.data_ptr(), view.data.data(), view.data.size());
    return copy;
  }
  return torch::from_blob(const_cast<std::byte*>(view.data.data()), view.shape, options);
}

model::TensorView view_of(const std::string& name, const torch::Tensor& t) {
  TORCH_INTERNAL_ASSERT(t.is_cpu() && t.is_contiguous());
  const model::DType dtype = t.scalar_type() == torch::kBFloat16 ? model::DType::BF16 : t.scalar_type() == torch::kFloat16 ? model::DType::F16 : model::DType::F32;
  return {name, dtype, t.sizes().vec(), {static_cast<const std::byte*>(t.data_ptr()), t.nbytes()}, 0};
}

}  // namespace ppc::nn
