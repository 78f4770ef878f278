#include <map>
#include <stdexcept>
#include <string>

#include "trainers/nn/network.h"

namespace ppc::nn {

void read_weights(const model::ModelConfig& config, const WeightSource& source, const std::function<void(const model::TensorView&)>& f) {
  std::map<std::string, std::vector<int64_t>> left;
  for (auto& [name, shape] : model::tensors_of(config)) left.emplace(name, std::move(shape));
  source([&](const model::TensorView& tensor) {
    const auto at = left.find(tensor.name);
    if (at == left.end()) throw std::invalid_argument("tensor `" + tensor.name + "` is none of this model's, or comes twice");
    if (at->second != tensor.shape) throw std::invalid_argument("tensor `" + tensor.name + "` has another shape than this model's");
    f(tensor);
    left.erase(at);
  });
  if (!left.empty()) throw std::invalid_argument("tensor `" + left.begin()->first + "` is missing");
}

WeightSource source_of(const model::ModelConfig& config, const model::Weights& weights) {
  return [&config, &weights](const std::function<void(const model::TensorView&)>& f) {
    for (const auto& [name, shape] : model::tensors_of(config)) f(weights.get(name, shape));
  };
}

}  // namespace ppc::nn
