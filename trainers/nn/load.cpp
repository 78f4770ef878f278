// Which network a device takes. The one for GPUs is LibTorch's, in a plugin: on the CPU nobody waits for LibTorch to load, or needs it.
#include <dlfcn.h>

#include <filesystem>
#include <stdexcept>

#include "runtime/local/blas.h"
#include "trainers/nn/cpu_network.h"
#include "trainers/nn/torch_network.h"

namespace ppc::nn {

std::unique_ptr<Network> load_network(const std::string& folder, const NetworkOptions& options) {
  if (options.device == "cpu" && !options.plain) return load_cpu_network(folder, options);
  namespace fs = std::filesystem;
  std::error_code ec;
  const fs::path self = fs::read_symlink("/proc/self/exe", ec);
  fs::path plugin = self.parent_path().parent_path() / "lib" / "libppc_torch.so";
  if (!fs::exists(plugin, ec)) plugin = PPC_TORCH_PLUGIN;
  if (!fs::exists(plugin, ec)) throw std::runtime_error("device `" + options.device + "` takes LibTorch, and this build has none; there is `cpu`");
  local::choose_blas_kernels();  // before LibTorch brings OpenBLAS
  void* library = dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) throw std::runtime_error(std::string("cannot load LibTorch: ") + dlerror());
  const auto load = reinterpret_cast<LoadTorchNetwork>(dlsym(library, "ppc_load_torch_network"));
  std::exception_ptr error;
  Network* network = load ? load(kTorchNetworkVersion, folder, options, &error) : nullptr;
  if (error) std::rethrow_exception(error);
  if (!network) throw std::runtime_error(plugin.string() + ": of another version than this program");
  return std::unique_ptr<Network>(network);
}

}  // namespace ppc::nn
