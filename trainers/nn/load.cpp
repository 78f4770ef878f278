// Which network a device takes. The one for GPUs is LibTorch's, in a plugin: on the CPU nobody waits for LibTorch to load, or needs it.
#include "trainers/nn/cpu_network.h"
#include "trainers/nn/plugin.h"
#include "trainers/nn/torch_network.h"

namespace ppc::nn {

std::unique_ptr<Network> load_network(const std::string& folder, const NetworkOptions& options) {
  if (options.device == "cpu" && !options.plain) return load_cpu_network(folder, options);
  return load_from_torch<Network, LoadTorchNetwork>("ppc_load_torch_network", "device `" + options.device + "` takes LibTorch, and this build has none; there is `cpu`",
                                                    kTorchNetworkVersion, folder, options);
}

}  // namespace ppc::nn
