#include "trainers/local/model.h"

using namespace ppc;

extern "C" __attribute__((visibility("default"))) local::Model* ppc_load_model(int version, const local::ModelOptions& options, std::string* error) {
  if (version != local::kModelVersion) return nullptr;
  try {
    nn::NetworkOptions n;
    if (!options.device.empty()) n.device = options.device;
    n.precision = options.precision == "bfloat16" ? nn::Precision::BFloat16 : nn::Precision::Float32;
    n.threads = options.threads;
    n.cache_tokens = options.cache_tokens;
    return trainers::make_model(options, nn::load_network(options.folder, n)).release();
  } catch (const std::exception& e) {
    *error = e.what();
    return nullptr;
  }
}
