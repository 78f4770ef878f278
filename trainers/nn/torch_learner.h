// A model that learns, on LibTorch.
#pragma once
#include <exception>
#include <memory>
#include <string>

#include "trainers/learn/learner.h"

namespace ppc::nn {

/// As `learn::load_learner`.
std::unique_ptr<learn::Learner> load_torch_learner(const std::string& folder, const learn::LearnerOptions&);

/// What the plugin exports under the name `ppc_load_learner`. Null: *error is what was thrown, or null for another version.
using LoadLearner = learn::Learner* (*)(int version, const std::string& folder, const learn::LearnerOptions&, std::exception_ptr* error);
constexpr int kLearnerVersion = 3;  // of learn::Learner and learn::LearnerOptions, too

}  // namespace ppc::nn
