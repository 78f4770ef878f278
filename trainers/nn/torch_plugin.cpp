#include "trainers/nn/torch_learner.h"
#include "trainers/nn/torch_network.h"

using namespace ppc;
using namespace ppc::nn;

extern "C" __attribute__((visibility("default"))) Network* ppc_load_torch_network(int version, const std::string& folder, const NetworkOptions& options,
                                                                                 std::exception_ptr* error) {
  if (version != kTorchNetworkVersion) return nullptr;
  try {
    return load_torch_network(folder, options).release();
  } catch (...) {
    *error = std::current_exception();
    return nullptr;
  }
}

extern "C" __attribute__((visibility("default"))) learn::Learner* ppc_load_learner(int version, const std::string& folder, const learn::LearnerOptions& options,
                                                                                   std::exception_ptr* error) {
  if (version != kLearnerVersion) return nullptr;
  try {
    return load_torch_learner(folder, options).release();
  } catch (...) {
    *error = std::current_exception();
    return nullptr;
  }
}
