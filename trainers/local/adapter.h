// LoRA weights in PEFT's layout, for a network that knows only whole matrices.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "trainers/model/config.h"
#include "trainers/model/safetensors.h"

namespace ppc::trainers {

class Adapter {
 public:
  /// `adapter_config.json` and `adapter_model.safetensors`. Throws engine::InputError for what does not fit the model, or is more than W + alpha / r · B·A.
  Adapter(const std::string& folder, const model::ModelConfig&);
  /// The tensor with what is added to it, in float32; one that the adapter does not touch as it is. The view is good during the call.
  void merged(const model::TensorView&, const std::function<void(const model::TensorView&)>& take) const;

 private:
  model::Weights weights_;
  double scale_ = 0;
};

}  // namespace ppc::trainers
