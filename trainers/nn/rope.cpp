#include "trainers/nn/rope.h"

#include <cmath>
#include <numbers>

namespace ppc::nn {

std::vector<double> rope_frequencies(const model::ModelConfig& config) {
  const model::RopeScaling& scaling = config.rope_scaling;
  std::vector<double> frequencies;
  for (int64_t i = 0; i < config.head_dim; i += 2) {
    double f = std::pow(config.rope_theta, -static_cast<double>(i) / static_cast<double>(config.head_dim));
    if (scaling.rope_type == model::RopeScaling::Type::Llama3) {
      // Slow ones, which turn less than low_freq_factor times in the original context, become slower by `factor`; fast ones
      // stay; between them it goes over linearly.
      const double turns = static_cast<double>(scaling.original_max_position_embeddings) * f / (2 * std::numbers::pi);
      const double smooth = (turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor);
      if (smooth < 0) f /= scaling.factor;
      else if (smooth <= 1) f = (1 - smooth) * f / scaling.factor + smooth * f;
    }
    frequencies.push_back(f);
  }
  return frequencies;
}

}  // namespace ppc::nn
