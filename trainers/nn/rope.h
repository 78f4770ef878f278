// Rotary position embeddings: how fast each pair of a head's numbers turns.
#pragma once
#include <vector>

#include "trainers/model/config.h"

namespace ppc::nn {

/// head_dim / 2 angles, in radians a token, scaled for long contexts as the configuration says. Number i turns with number
/// i + head_dim / 2.
std::vector<double> rope_frequencies(const model::ModelConfig&);

}  // namespace ppc::nn
