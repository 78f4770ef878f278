#include "trainers/train/options.h"

#include <initializer_list>
#include <stdexcept>

#include "runtime/engine/json.h"
#include "trainers/objective/names.h"
#include "trainers/objective/supervised.h"

namespace ppc::train {

using engine::InputError;
using objective::PolicyLoss;
using objective::PreferenceLoss;

objective::PolicyOptions policy_options(const GrpoOptions& g) {
  objective::PolicyOptions o;
  o.loss = objective::parse<PolicyLoss>(g.loss);
  o.level = objective::parse<objective::Level>(g.level);
  o.epsilon = g.epsilon;
  o.epsilon_high = g.epsilon_high;
  o.delta = g.delta;
  o.beta = g.beta;
  o.kl_ratio = g.kl_ratio;
  o.off_policy_kl = g.off_policy_kl;
  o.correction = objective::parse<objective::Correction>(g.correction);
  o.cap = g.correction_cap;
  o.floor = g.correction_floor;
  o.max_tokens = static_cast<double>(g.max_trained_tokens);
  if (g.sapo) o.sapo_positive = g.sapo->positive, o.sapo_negative = g.sapo->negative;
  if (g.vespo) o.vespo_positive = {g.vespo->positive_k, g.vespo->positive_lambda}, o.vespo_negative = {g.vespo->negative_k, g.vespo->negative_lambda};
  return o;
}

objective::AdvantageOptions advantage_options(const GrpoOptions& g) {
  return {objective::parse<objective::Scale>(g.scale_rewards), objective::parse<objective::Combine>(g.combine), g.scale_eps};
}

objective::PreferenceOptions preference_options(const DpoOptions& d) {
  objective::PreferenceOptions o;
  o.loss = objective::parse<PreferenceLoss>(d.loss);
  o.divergence = objective::parse<objective::Divergence>(d.divergence);
  o.beta = d.beta;
  o.label_smoothing = d.label_smoothing;
  if (d.alpha) o.alpha = *d.alpha;
  if (d.discopop_tau) o.discopop_tau = *d.discopop_tau;
  return o;
}

namespace {

template <class E>
bool among(E value, std::initializer_list<E> some) {
  for (const E e : some)
    if (e == value) return true;
  return false;
}

class Checks {
 public:
  Checks(const Config& c, std::string section) : file_(c.file), section_(std::move(section)) {}
  void operator()(bool good, const char* key, const std::string& what) const {
    if (!good) throw InputError((file_.empty() ? "" : file_ + ": ") + section_ + (*key ? "." : "") + key + ": " + what);
  }
  /// Errors of the objectives' own.
  template <class F>
  auto of(const char* key, const F& f) const {
    try {
      return f();
    } catch (const std::invalid_argument& e) {
      (*this)(false, key, e.what());
      throw;
    }
  }

 private:
  std::string file_, section_;
};

void check_grpo(const Config& c) {
  const GrpoOptions& g = c.grpo;
  const Checks need(c, "grpo");
  const auto loss = need.of("loss", [&] { return objective::parse<PolicyLoss>(g.loss); });
  const bool clips = !among(loss, {PolicyLoss::Cispo, PolicyLoss::Sapo, PolicyLoss::Vespo});
  const std::string of = "`loss: " + g.loss + "`";
  need(loss != PolicyLoss::DrGrpo || g.max_trained_tokens > 0, "max_trained_tokens",
       "missing: " + of + " divides by it. It is the most tokens that the learner may say in an episode: of so many replies, each of up to `sampling.max_tokens` " +
           std::to_string(c.sampling.max_tokens));
  need(loss == PolicyLoss::DrGrpo || g.max_trained_tokens == 0, "max_trained_tokens", "goes with `loss: dr_grpo`, not with " + of);
  need(loss != PolicyLoss::Luspo || g.level == "sequence", "level", of + " has ratios of sequences: `level: sequence`");
  need(loss != PolicyLoss::Cispo || g.epsilon_high, "epsilon_high", "missing: with " + of + " it is the greatest ratio, such as 5");
  need(clips || loss == PolicyLoss::Cispo || !g.epsilon_high, "epsilon_high", of + " has no clip; leave it out");
  need(clips || !g.delta, "delta", of + " has no clip; leave it out");
  need(loss == PolicyLoss::Sapo || !g.sapo, "sapo", "goes with `loss: sapo`, not with " + of);
  need(loss == PolicyLoss::Vespo || !g.vespo, "vespo", "goes with `loss: vespo`, not with " + of);
  need(!g.kl_ratio || g.beta > 0, "kl_ratio", "there is no KL to multiply; give a `beta`, such as 0.04");
  need(g.correction != "none" || !g.correction_floor, "correction_floor", "goes with a `correction`");
  need(!(g.score_weight == 0 && g.reward_weight == 0), "score_weight", "all rewards are 0: give it, or `reward_weight`, a weight");
  if (g.combine == "normalize_then_sum") {
    need(g.scale_rewards == "group", "scale_rewards", "`combine: normalize_then_sum` scales each reward in its group: `scale_rewards: group`");
    need(g.score_weight > 0 && g.reward_weight > 0, g.score_weight > 0 ? "reward_weight" : "score_weight",
         "`combine: normalize_then_sum` is for several rewards, and only one has a weight; give this one a weight, or leave `combine` out");
  }
  need.of("", [&] { return objective::check(policy_options(g)), advantage_options(g); });
}

void check_dpo(const Config& c) {
  const DpoOptions& d = c.dpo;
  const Checks need(c, "dpo");
  const auto loss = need.of("loss", [&] { return objective::parse<PreferenceLoss>(d.loss); });
  const std::string of = "`loss: " + d.loss + "`";
  const bool smooths = among(loss, {PreferenceLoss::Sigmoid, PreferenceLoss::SigmoidNorm, PreferenceLoss::ExoPair, PreferenceLoss::Robust, PreferenceLoss::Aot,
                                    PreferenceLoss::AotUnpaired});
  need(smooths || d.label_smoothing == 0, "label_smoothing", of + " has none; it goes with sigmoid, sigmoid_norm, exo_pair, robust, aot and aot_unpaired");
  const bool plain = among(loss, {PreferenceLoss::Aot, PreferenceLoss::AotUnpaired, PreferenceLoss::ApoZero});
  need(!plain || d.divergence == "reverse_kl", "divergence", of + " has none but `reverse_kl`");
  need(d.divergence == "alpha_divergence" || !d.alpha, "alpha", "goes with `divergence: alpha_divergence`, not with `" + d.divergence + "`");
  need(!d.alpha || *d.alpha != 1, "alpha", "not 1, where the divergence has a pole; what it tends to there is `divergence: reverse_kl`");
  need(loss == PreferenceLoss::Discopop || !d.discopop_tau, "discopop_tau", "goes with `loss: discopop`, not with " + of);
  need(!(loss == PreferenceLoss::Aot || loss == PreferenceLoss::AotUnpaired) || c.learner.group.world == 1, "loss",
       "`" + d.loss + "` sorts all pairs of a step, and so goes with one process only");
  need.of("", [&] { return objective::check(preference_options(d)), 0; });
}

}  // namespace

void check(const Config& c) {
  if (c.method == Method::Grpo) check_grpo(c);
  else if (c.method == Method::Dpo) check_dpo(c);
  else Checks(c, "sft").of("loss", [&] { return objective::parse<objective::SupervisedLoss>(c.sft_loss); });
}

}  // namespace ppc::train
