#include "trainers/nn/plugin.h"

#include <dlfcn.h>

#include <filesystem>
#include <stdexcept>

#include "runtime/local/blas.h"

namespace ppc::nn {

void* torch_symbol(const char* name, const std::string& without) {
  namespace fs = std::filesystem;
  std::error_code ec;
  const fs::path self = fs::read_symlink("/proc/self/exe", ec);
  fs::path plugin = self.parent_path().parent_path() / "lib" / "libppc_torch.so";
  if (!fs::exists(plugin, ec)) plugin = PPC_TORCH_PLUGIN;
  if (!fs::exists(plugin, ec)) throw std::runtime_error(without);
  local::choose_blas_kernels();  // before LibTorch brings OpenBLAS
  void* library = dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) throw std::runtime_error(std::string("cannot load LibTorch: ") + dlerror());
  void* symbol = name ? dlsym(library, name) : nullptr;
  if (!symbol) throw std::runtime_error(plugin.string() + ": of another version than this program");
  return symbol;
}

}  // namespace ppc::nn
