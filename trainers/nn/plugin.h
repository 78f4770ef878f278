// The plugin libppc_torch.so, which brings LibTorch.
#pragma once
#include <exception>
#include <memory>
#include <string>

namespace ppc::nn {

/// What the plugin exports under this name. It stays loaded. Throws std::runtime_error: `without` where this build has no LibTorch.
void* torch_symbol(const char* name, const std::string& without);

/// What one of its loaders makes: `Load` has the arguments (version, arguments…, std::exception_ptr*). Throws what the loader throws.
template <class T, class Load, class... Arguments>
std::unique_ptr<T> load_from_torch(const char* name, const std::string& without, int version, const Arguments&... arguments) {
  const auto load = reinterpret_cast<Load>(torch_symbol(name, without));
  std::exception_ptr error;
  std::unique_ptr<T> out(load(version, arguments..., &error));
  if (error) std::rethrow_exception(error);
  if (!out) torch_symbol(nullptr, without);  // throws
  return out;
}

}  // namespace ppc::nn
