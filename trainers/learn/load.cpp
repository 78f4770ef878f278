// The learner is LibTorch's, in a plugin.
#include "trainers/learn/learner.h"
#include "trainers/nn/plugin.h"
#include "trainers/nn/torch_learner.h"

namespace ppc::learn {

std::unique_ptr<Learner> load_learner(const std::string& folder, const LearnerOptions& options) {
  return nn::load_from_torch<Learner, nn::LoadLearner>("ppc_load_learner", "training takes LibTorch, and this build has none", nn::kLearnerVersion, folder, options);
}

}  // namespace ppc::learn
