// The network on LibTorch: on GPUs, and everywhere for comparison.
#pragma once
#include <exception>
#include <memory>
#include <string>

#include "trainers/nn/network.h"

namespace ppc::nn {

/// As `load_network` for all devices, and for the CPU as `plain` has it.
std::unique_ptr<Network> load_torch_network(const std::string& folder, const NetworkOptions& options);

/// What the plugin exports under the name `ppc_load_torch_network`. Null: *error is what was thrown, or null for another version.
using LoadTorchNetwork = Network* (*)(int version, const std::string& folder, const NetworkOptions&, std::exception_ptr* error);
constexpr int kTorchNetworkVersion = 1;

}  // namespace ppc::nn
