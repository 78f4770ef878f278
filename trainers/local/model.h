// What the plugin is: a model folder that replies. Without LibTorch itself; the network may bring it.
#pragma once
#include <memory>

#include "runtime/local/inference.h"
#include "trainers/nn/network.h"

namespace ppc::trainers {

/// One whose weights change while it lives: a model that is trained, and plays.
class Model : public local::Model {
 public:
  /// Other weights, for instance `[&](const auto& f) { learner.weights(f); }`. Conversations that are open keep what was said, and go on with the new
  /// weights. Waits until it is done; any thread may call. Throws std::invalid_argument while replies are being made and for weights that
  /// do not fit, after which it must be given others before it plays.
  virtual void reload(const nn::WeightSource&) = 0;
};

/// Reads everything of the folder but the weights, and replies with `network`. Throws engine::InputError.
std::unique_ptr<Model> make_model(const local::ModelOptions&, std::unique_ptr<nn::Network> network);

}  // namespace ppc::trainers
