// What the plugin is: a model folder that replies. Without LibTorch itself; the network may bring it.
#pragma once
#include <memory>

#include "runtime/local/inference.h"
#include "trainers/nn/network.h"

namespace ppc::trainers {

/// Reads everything of the folder but the weights, and replies with `network`. Throws engine::InputError.
std::unique_ptr<local::Model> make_model(const local::ModelOptions&, std::unique_ptr<nn::Network> network);

}  // namespace ppc::trainers
