// What the configuration's words are to the objectives.
#pragma once
#include "trainers/objective/advantages.h"
#include "trainers/objective/policy.h"
#include "trainers/objective/preference.h"
#include "trainers/train/config.h"

namespace ppc::train {

objective::PolicyOptions policy_options(const GrpoOptions&);
objective::AdvantageOptions advantage_options(const GrpoOptions&);
/// With a BCO shift of 0.
objective::PreferenceOptions preference_options(const DpoOptions&);

/// Options that do not go together, or that the chosen loss does not look at. Throws engine::InputError: "FILE: KEY: what is wrong, and what to do".
void check(const Config&);

}  // namespace ppc::train
