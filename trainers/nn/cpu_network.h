// The network on the CPU, without LibTorch: packed weights, own kernels and threads.
#pragma once
#include <memory>
#include <string>

#include "trainers/nn/kernels.h"
#include "trainers/nn/network.h"

namespace ppc::nn {

/// As `load_network` for the device "cpu". The kernels of a less able processor can be asked for, for tests.
std::unique_ptr<Network> load_cpu_network(const std::string& folder, const NetworkOptions& options, Isa isa = best_isa());

}  // namespace ppc::nn
