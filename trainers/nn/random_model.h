// Model folders of any shape with random weights: for benchmarks, for tests, and to train from nothing.
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "runtime/engine/json.h"
#include "trainers/model/config.h"
#include "trainers/model/safetensors.h"

namespace ppc::nn {

struct RandomWeights {
  uint64_t seed = 0;
  double initializer_range = 0.02;  // standard deviation of matrices
  double spread = 0;                // norms are 1 and biases 0, each plus a normal number times this; tests want them to matter
};
/// The values of the tensor of this name: a function of the name, the seed and nothing else.
void fill_random(std::span<float> values, const std::string& name, const RandomWeights&);

/// `config.json`, as transformers reads it.
engine::Json to_json(const model::ModelConfig&);

/// Writes `config.json`, `generation_config.json` and the weights. No tokenizer. The folder is made if it is not there.
void write_random_model(const std::string& folder, model::ModelConfig config, const RandomWeights& = {}, model::DType dtype = model::DType::F32,
                        uint64_t shard_bytes = uint64_t{5'000'000'000});

/// The shape of SmolLM2-135M: 30 layers, hidden 576, vocabulary 49,152, tied.
model::ModelConfig shape_135m();
/// 2 layers, hidden 64, grouped heads, for tests.
model::ModelConfig shape_tiny(model::Architecture = model::Architecture::Llama);

}  // namespace ppc::nn
