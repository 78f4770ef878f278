// Losses: against golden cases (PPC_SHARED; skipped without), against sums by hand, and gradients against central differences.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <numeric>
#include <random>

#include "runtime/engine/json.h"
#include "trainers/objective/advantages.h"
#include "trainers/objective/names.h"
#include "trainers/objective/policy.h"
#include "trainers/objective/preference.h"
#include "trainers/objective/supervised.h"

namespace ppc::objective {
namespace {

using engine::Json;
using Numbers = std::vector<double>;
using Lengths = std::vector<int64_t>;
namespace fs = std::filesystem;

std::optional<Json> golden() {
  const char* shared = std::getenv("PPC_SHARED");
  const fs::path file = (shared ? fs::path(shared) : fs::path(PPC_SOURCE_DIR).parent_path() / "shared") / "golden/rl_golden.json";
  if (!fs::exists(file)) return {};
  return engine::load_json(file.string());
}

const Json& at(const Json& j, const char* key) {
  const Json* found = j.find(key);
  if (!found) throw std::runtime_error(std::string("no ") + key);
  return *found;
}

Numbers numbers(const Json& list) {
  Numbers out;
  for (const Json& v : list.items()) out.push_back(v.as_float());
  return out;
}

/// Those that are trained, row by row.
Numbers trained(const Json& rows, const Json& mask) {
  Numbers out;
  for (size_t b = 0; b < rows.items().size(); ++b)
    for (size_t t = 0; t < rows.items()[b].items().size(); ++t)
      if (mask.items()[b].items()[t].as_int()) out.push_back(rows.items()[b].items()[t].as_float());
  return out;
}

Lengths lengths(const Json& mask) {
  Lengths out;
  for (const Json& row : mask.items()) {
    out.push_back(0);
    for (const Json& v : row.items()) out.back() += v.as_int();
  }
  return out;
}

void as_float(Numbers& values) {
  for (double& v : values) v = static_cast<float>(v);
}

/// A batch that owns its numbers.
struct Batch {
  Lengths lengths;
  Numbers x, o, r, s, advantages, token_advantages;

  PolicyBatch view() const { return {lengths, x, o, r, s, advantages, token_advantages}; }
  Totals totals() const { return {static_cast<int64_t>(lengths.size()), static_cast<int64_t>(x.size())}; }
  /// The sequences from `first` up to `last`.
  Batch part(size_t first, size_t last) const {
    const auto a = std::accumulate(lengths.begin(), lengths.begin() + static_cast<ptrdiff_t>(first), int64_t{0});
    const auto b = std::accumulate(lengths.begin(), lengths.begin() + static_cast<ptrdiff_t>(last), int64_t{0});
    auto cut = [](const Numbers& v, int64_t from, int64_t to) { return v.empty() ? v : Numbers(v.begin() + from, v.begin() + to); };
    const auto f = static_cast<int64_t>(first), l = static_cast<int64_t>(last);
    return {Lengths(lengths.begin() + f, lengths.begin() + l), cut(x, a, b), cut(o, a, b), cut(r, a, b), cut(s, a, b), cut(advantages, f, l), cut(token_advantages, a, b)};
  }
};

struct Computed {
  PolicyResult result;
  Numbers gradient;
};

Computed compute(const Batch& b, const PolicyOptions& o) {
  Computed out;
  out.gradient.assign(b.x.size(), 99);
  out.result = policy_loss(b.view(), o, b.totals(), out.gradient);
  return out;
}

Batch golden_batch(const Json& g) {
  const Json& in = at(g, "inputs");
  const Json& mask = at(in, "loss_mask");
  return {lengths(mask),
          trained(at(in, "per_token_logps"), mask),
          trained(at(in, "old_per_token_logps"), mask),
          trained(at(in, "ref_per_token_logps"), mask),
          trained(at(in, "sampling_per_token_logps"), mask),
          numbers(at(at(g, "advantages"), "group")),
          {}};
}

PolicyOptions golden_options(const std::string& name, const Json& args) {
  PolicyOptions o;
  o.max_tokens = 6;
  if (const Json* v = args.find("loss_type")) o.loss = parse<PolicyLoss>(v->as_text());
  if (const Json* v = args.find("level")) o.level = parse<Level>(v->as_text());
  if (const Json* v = args.find("beta")) o.beta = v->as_float();
  if (const Json* v = args.find("eps")) o.epsilon = v->as_float();
  if (const Json* v = args.find("epsh")) o.epsilon_high = v->as_float();
  if (const Json* v = args.find("delta")) o.delta = v->as_float();
  if (const Json* v = args.find("opm")) o.off_policy_kl = v->as_float();
  if (const Json* v = args.find("kl_is")) o.kl_ratio = v->as_bool();
  const std::string is = "dapo_is_", low = "_c1.02";
  if (name.starts_with(is)) {
    std::string mode = name.substr(is.size());
    if (mode.ends_with(low)) {
      o.cap = 1.02;
      mode.resize(mode.size() - low.size());
    }
    o.correction = parse<Correction>(mode);
  }
  return o;
}

TEST(Golden, Policy) {
  const std::optional<Json> g = golden();
  if (!g) GTEST_SKIP() << "no golden/rl_golden.json (PPC_SHARED)";
  const Json& mask = at(at(*g, "inputs"), "loss_mask");
  size_t n = 0;
  for (const Json::Member& c : at(*g, "grpo").members()) {
    SCOPED_TRACE(c.key);
    PolicyOptions o = golden_options(c.key, at(c.value, "args"));
    Batch b = golden_batch(*g);
    if (c.key == "playpen_paper_grpo") {  // on policy, no eps
      o.loss = PolicyLoss::Grpo;
      b.o.clear();
      b.advantages = numbers(at(at(*g, "advantages"), "paper_no_eps"));
    }
    const double loss = at(c.value, "loss").as_float();
    const Numbers gradient = trained(at(c.value, "grad_logps"), mask);
    Computed found = compute(b, o);
    EXPECT_NEAR(found.result.loss, loss, 1e-9);
    ASSERT_EQ(found.gradient.size(), gradient.size());
    for (size_t i = 0; i < gradient.size(); ++i) EXPECT_NEAR(found.gradient[i], gradient[i], 1e-9) << i;
    for (Numbers* v : {&b.x, &b.o, &b.r, &b.s, &b.advantages}) as_float(*v);
    found = compute(b, o);
    EXPECT_NEAR(found.result.loss, loss, 1e-5);
    for (size_t i = 0; i < gradient.size(); ++i) EXPECT_NEAR(found.gradient[i], gradient[i], 1e-5) << i;
    ++n;
  }
  EXPECT_EQ(n, 30u);
}

TEST(Golden, Correction) {
  const std::optional<Json> g = golden();
  if (!g) GTEST_SKIP() << "no golden/rl_golden.json (PPC_SHARED)";
  const Batch b = golden_batch(*g);
  const Json& mask = at(at(*g, "inputs"), "loss_mask");
  for (const Json::Member& mode : at(*g, "is_ratio").members()) {
    const bool whole = mode.key.starts_with("sequence");
    Numbers expected;
    if (whole) {
      for (size_t i = 0; i < b.lengths.size(); ++i) expected.insert(expected.end(), static_cast<size_t>(b.lengths[i]), mode.value.items()[i].items()[0].as_float());
    } else {
      expected = trained(mode.value, mask);
    }
    PolicyOptions o;
    o.correction = parse<Correction>(mode.key);
    const PolicyMetrics m = compute(b, o).result.metrics;
    double sum = 0, squares = 0;
    for (double w : expected) sum += w, squares += w * w;
    EXPECT_NEAR(m.correction, sum, 1e-9) << mode.key;
    EXPECT_NEAR(m.effective_sample_size(), sum * sum / squares / static_cast<double>(b.x.size()), 1e-12);
  }
}

TEST(Golden, Advantages) {
  const std::optional<Json> g = golden();
  if (!g) GTEST_SKIP() << "no golden/rl_golden.json (PPC_SHARED)";
  Numbers rewards;
  for (const Json& row : at(at(*g, "inputs"), "rewards_per_func").items())
    for (const Json& v : row.items()) rewards.push_back(v.as_float());
  const Numbers weights = numbers(at(at(*g, "inputs"), "reward_weights"));
  const Lengths groups = {0, 0, 0, 0, 1, 1, 1, 1};
  for (const Json::Member& c : at(*g, "advantages").members()) {
    SCOPED_TRACE(c.key);
    AdvantageOptions o;
    if (c.key == "paper_no_eps") o.eps = 0;
    else if (c.key == "normalize_then_sum") o.combine = Combine::NormalizeThenSum;
    else o.scale = parse<Scale>(c.key);
    const Numbers expected = numbers(c.value), found = advantages(rewards, weights, groups, o).values;
    ASSERT_EQ(found.size(), expected.size());
    for (size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-9);
  }
}

struct Pairs {
  Numbers chosen, rejected, reference_chosen, reference_rejected;
  Lengths chosen_lengths, rejected_lengths;
  PreferenceBatch view() const { return {chosen, rejected, reference_chosen, reference_rejected, chosen_lengths, rejected_lengths}; }
};

struct PairsComputed {
  PreferenceResult result;
  Numbers by_chosen, by_rejected;
};

PairsComputed compute(const Pairs& p, const PreferenceOptions& o) {
  PairsComputed out;
  out.by_chosen.assign(p.chosen.size(), 99);
  out.by_rejected.assign(p.chosen.size(), 99);
  out.result = preference_loss(p.view(), o, static_cast<int64_t>(p.chosen.size()), out.by_chosen, out.by_rejected);
  return out;
}

void expect_central_differences(Pairs p, const PreferenceOptions& o) {
  const PairsComputed found = compute(p, o);
  const double h = 1e-5;
  for (auto [values, gradient] : {std::pair(&p.chosen, &found.by_chosen), std::pair(&p.rejected, &found.by_rejected)}) {
    for (size_t i = 0; i < values->size(); ++i) {
      const double was = (*values)[i];
      (*values)[i] = was + h;
      const double above = compute(p, o).result.loss;
      (*values)[i] = was - h;
      const double below = compute(p, o).result.loss;
      (*values)[i] = was;
      EXPECT_NEAR((*gradient)[i], (above - below) / (2 * h), 1e-7 * std::max(1.0, std::abs((*gradient)[i]))) << i;
    }
  }
}

PreferenceOptions preference_options(std::string name) {
  PreferenceOptions o;
  if (name == "robust_eps0.1") {
    name = "robust";
    o.label_smoothing = 0.1;
  }
  if (name.starts_with("sigmoid_") && name != "sigmoid_norm") {
    o.divergence = parse<Divergence>(name.substr(8));
    name = "sigmoid";
  }
  o.loss = parse<PreferenceLoss>(name);
  return o;
}

TEST(Golden, Preference) {
  const std::optional<Json> g = golden();
  if (!g) GTEST_SKIP() << "no golden/rl_golden.json (PPC_SHARED)";
  const Json& in = at(at(*g, "dpo"), "inputs");
  Pairs p{numbers(at(in, "chosen_logps")), numbers(at(in, "rejected_logps")), numbers(at(in, "ref_chosen_logps")), numbers(at(in, "ref_rejected_logps")), {}, {}};
  for (const Json& v : at(in, "chosen_len").items()) p.chosen_lengths.push_back(v.as_int());
  for (const Json& v : at(in, "rejected_len").items()) p.rejected_lengths.push_back(v.as_int());
  size_t n = 0;
  for (const Json::Member& c : at(at(*g, "dpo"), "loss").members()) {
    SCOPED_TRACE(c.key);
    const PreferenceOptions o = preference_options(c.key);
    EXPECT_NEAR(compute(p, o).result.loss, c.value.as_float(), 1e-9);
    expect_central_differences(p, o);
    Pairs f = p;
    for (Numbers* v : {&f.chosen, &f.rejected, &f.reference_chosen, &f.reference_rejected}) as_float(*v);
    EXPECT_NEAR(compute(f, o).result.loss, c.value.as_float(), 1e-5 * std::max(1.0, c.value.as_float()));
    ++n;
  }
  EXPECT_EQ(n, 17u);
}

TEST(Golden, Supervised) {
  const std::optional<Json> g = golden();
  if (!g) GTEST_SKIP() << "no golden/rl_golden.json (PPC_SHARED)";
  Numbers x = golden_batch(*g).x, gradient(x.size());
  for (const double tolerance : {1e-9, 1e-5}) {
    for (const Json::Member& c : at(*g, "sft").members())
      EXPECT_NEAR(supervised_loss(parse<SupervisedLoss>(c.key), x, {0, static_cast<int64_t>(x.size())}, gradient), c.value.as_float(), tolerance) << c.key;
    as_float(x);
  }
}

// What is trained is told by leaving out the rest, so nothing else can change anything; this says it of the golden's layout.
TEST(Golden, WhatIsNotTrainedChangesNothing) {
  const std::optional<Json> g = golden();
  if (!g) GTEST_SKIP() << "no golden/rl_golden.json (PPC_SHARED)";
  Json changed = *g;
  Json& in = *changed.find("inputs");
  const Json& mask = at(*g->find("inputs"), "loss_mask");
  size_t n = 0;
  for (const char* key : {"per_token_logps", "old_per_token_logps", "ref_per_token_logps", "sampling_per_token_logps"}) {
    Json& rows = *in.find(key);
    for (size_t b = 0; b < rows.items().size(); ++b)
      for (size_t t = 0; t < rows.items()[b].items().size(); ++t)
        if (!mask.items()[b].items()[t].as_int()) rows.items()[b].items()[t] = Json(-7.5), ++n;
  }
  EXPECT_GT(n, 40u);
  for (const Json::Member& c : at(*g, "grpo").members()) {
    const PolicyOptions o = golden_options(c.key, at(c.value, "args"));
    const Computed a = compute(golden_batch(*g), o), b = compute(golden_batch(changed), o);
    EXPECT_EQ(a.result.loss, b.result.loss) << c.key;
    EXPECT_EQ(a.gradient, b.gradient) << c.key;
  }
}

// Two sequences of two and one tokens, ratios 1.5, 1, 0.5, advantages 1 and -1.
Batch by_hand() {
  Batch b;
  b.lengths = {2, 1};
  b.x = {-1, -2, -3};
  b.o = {-1 - std::log(1.5), -2, -3 - std::log(0.5)};
  b.advantages = {1, -1};
  return b;
}

TEST(Policy, ByHand) {
  PolicyOptions o;
  // 1.5 and 0.5 are cut to 1.2 and 0.8, where they have no gradient: -1.2, -1, 0.8.
  Computed c = compute(by_hand(), o);
  EXPECT_NEAR(c.result.loss, (-1.2 - 1 + 0.8) / 3, 1e-15);
  EXPECT_NEAR(c.gradient[0], 0, 1e-15);
  EXPECT_NEAR(c.gradient[1], -1.0 / 3, 1e-15);
  EXPECT_NEAR(c.gradient[2], 0, 1e-15);
  EXPECT_EQ(c.result.metrics.clipped_high, 1);
  EXPECT_EQ(c.result.metrics.clipped_low, 1);
  EXPECT_NEAR(c.result.metrics.mean(c.result.metrics.ratio), 1, 1e-15);
  EXPECT_NEAR(c.result.metrics.ratio_max, 1.5, 1e-15);
  EXPECT_NEAR(c.result.metrics.ratio_min, 0.5, 1e-15);
  o.loss = PolicyLoss::Grpo;
  EXPECT_NEAR(compute(by_hand(), o).result.loss, (-2.2 / 2 + 0.8) / 2, 1e-15);
  o.loss = PolicyLoss::DrGrpo;
  o.max_tokens = 10;
  EXPECT_NEAR(compute(by_hand(), o).result.loss, -1.4 / 20, 1e-15);
  // The sequence's ratio is sqrt(1.5), cut to 1.2.
  o.loss = PolicyLoss::Luspo;
  o.level = Level::Sequence;
  EXPECT_NEAR(compute(by_hand(), o).result.loss, (-2.4 + 0.8) / 2, 1e-15);
  o.epsilon_high = 0.5;
  c = compute(by_hand(), o);
  EXPECT_NEAR(c.result.loss, (-2 * std::sqrt(1.5) + 0.8) / 2, 1e-15);
  EXPECT_NEAR(c.gradient[0], -std::sqrt(1.5) / 2, 1e-15);  // two tokens that weigh 1/2, half the exponent each
  EXPECT_EQ(c.gradient[0], c.gradient[1]);
}

TEST(Policy, OnPolicyEveryTokenIsPushedByItsAdvantage) {
  Batch b = by_hand();
  b.o.clear();
  b.advantages.clear();
  b.token_advantages = {2, -1, 0.5};
  const Computed c = compute(b, {});
  EXPECT_NEAR(c.result.loss, -0.5, 1e-15);
  for (size_t i = 0; i < 3; ++i) EXPECT_NEAR(c.gradient[i], -b.token_advantages[i] / 3, 1e-15);
  EXPECT_EQ(c.result.metrics.ratio_max, 1);
  EXPECT_EQ(c.result.metrics.old_kl, 0);
}

TEST(Policy, ASampleThatCannotBeTrustedIsLeftOut) {
  Batch b = by_hand();
  b.o.clear();
  b.s = b.x;
  b.s[1] -= std::log(10.0);  // the sampler thought it ten times less likely
  PolicyOptions o;
  o.correction = Correction::TokenMask;
  Computed c = compute(b, o);
  EXPECT_NEAR(c.gradient[0], -1.0 / 3, 1e-15);
  EXPECT_EQ(c.gradient[1], 0);
  EXPECT_EQ(c.result.metrics.left_out, 1);
  EXPECT_NEAR(c.result.metrics.effective_sample_size(), 2.0 / 3, 1e-15);
  EXPECT_NEAR(c.result.metrics.sampler_gap_max, std::log(10), 1e-12);
  o.correction = Correction::SequenceMask;
  c = compute(b, o);
  EXPECT_EQ(c.gradient[0], 0);
  EXPECT_NEAR(c.gradient[2], 1.0 / 3, 1e-15);
  o.correction = Correction::TokenTruncate;
  EXPECT_NEAR(compute(b, o).gradient[1], -3.0 / 3, 1e-15);
  o.cap = {};
  EXPECT_NEAR(compute(b, o).gradient[1], -10.0 / 3, 1e-12);
  b.s[1] = b.x[1] + std::log(10.0);
  o.floor = 0.5;
  EXPECT_NEAR(compute(b, o).gradient[1], -0.5 / 3, 1e-15);
  o.correction = Correction::TokenMask;
  EXPECT_EQ(compute(b, o).gradient[1], 0);
}

/// Sequences of different lengths, an empty one among them, off policy.
Batch random_batch(uint32_t seed, bool of_tokens) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> logprob(-3, -0.05), move(-0.5, 0.5), advantage(-2, 2);
  Batch b;
  b.lengths = {5, 1, 0, 7, 3, 4};
  for (const int64_t n : b.lengths) {
    if (!of_tokens) b.advantages.push_back(advantage(random));
    for (int64_t t = 0; t < n; ++t) {
      b.x.push_back(logprob(random));
      b.o.push_back(b.x.back() + move(random));
      b.r.push_back(b.x.back() + move(random));
      b.s.push_back(b.o.back() + move(random) / 4);
      if (of_tokens) b.token_advantages.push_back(advantage(random));
    }
  }
  return b;
}

/// All kinds of losses, in all settings that can be combined.
std::vector<PolicyOptions> all_options() {
  std::vector<PolicyOptions> out;
  for (const std::string& loss : names<PolicyLoss>())
    for (const Level level : {Level::Token, Level::Sequence})
      for (const std::string& correction : names<Correction>())
        for (int k = 0; k < 4; ++k) {
          PolicyOptions o;
          o.loss = parse<PolicyLoss>(loss);
          o.level = level;
          o.correction = parse<Correction>(correction);
          o.cap = 1.1;
          o.max_tokens = 7;
          if (o.loss == PolicyLoss::Cispo) o.epsilon_high = 1.3;
          if (k & 1) o.beta = 0.3, o.delta = 1.4, o.floor = 0.95;
          if (k & 2) o.kl_ratio = true, o.off_policy_kl = 0.05;
          if (o.loss != PolicyLoss::Luspo || level == Level::Sequence) out.push_back(o);
        }
  return out;
}

TEST(Policy, PiecesAddUp) {
  for (const bool of_tokens : {false, true}) {
    const Batch b = random_batch(3, of_tokens);
    for (const PolicyOptions& o : all_options()) {
      SCOPED_TRACE(std::string(to_name(o.loss)) + " " + std::string(to_name(o.correction)));
      const Computed whole = compute(b, o);
      PolicyResult sum;
      Numbers gradient;
      for (const auto& [first, last] : {std::pair<size_t, size_t>{0, 2}, {2, 3}, {3, 6}}) {
        const Batch part = b.part(first, last);
        Numbers g(part.x.size());
        const PolicyResult r = policy_loss(part.view(), o, b.totals(), g);
        sum.loss += r.loss;
        sum.metrics += r.metrics;
        gradient.insert(gradient.end(), g.begin(), g.end());
      }
      EXPECT_NEAR(sum.loss, whole.result.loss, 1e-14);
      EXPECT_EQ(gradient, whole.gradient);
      EXPECT_EQ(sum.metrics.tokens, 20);
      EXPECT_EQ(sum.metrics.sequences, 6);
      EXPECT_EQ(sum.metrics.clipped_high, whole.result.metrics.clipped_high);
      EXPECT_EQ(sum.metrics.left_out, whole.result.metrics.left_out);
      EXPECT_EQ(sum.metrics.ratio_max, whole.result.metrics.ratio_max);
      EXPECT_EQ(sum.metrics.ratio_min, whole.result.metrics.ratio_min);
      EXPECT_NEAR(sum.metrics.reference_kl, whole.result.metrics.reference_kl, 1e-14);
      EXPECT_NEAR(sum.metrics.effective_sample_size(), whole.result.metrics.effective_sample_size(), 1e-14);
    }
  }
}

TEST(Policy, GradientsAreCentralDifferences) {
  const double h = 1e-6;
  size_t checked = 0;
  for (const bool of_tokens : {false, true}) {
    for (PolicyOptions o : all_options()) {
      // Where the gradient leaves out a factor on purpose, differences do not.
      if (o.loss == PolicyLoss::Cispo || o.loss == PolicyLoss::Vespo) continue;
      o.off_policy_kl = {};
      SCOPED_TRACE(std::string(to_name(o.loss)) + " " + std::string(to_name(o.level)) + " " + std::string(to_name(o.correction)));
      Batch b = random_batch(5, of_tokens);
      const Computed found = compute(b, o);
      for (size_t i = 0; i < b.x.size(); ++i) {
        const double was = b.x[i];
        b.x[i] = was + h;
        const double above = compute(b, o).result.loss;
        b.x[i] = was - h;
        const double below = compute(b, o).result.loss;
        b.x[i] = was;
        EXPECT_NEAR(found.gradient[i], (above - below) / (2 * h), 1e-8) << i;
        ++checked;
      }
    }
  }
  EXPECT_GT(checked, 5000u);
}

// cispo and vespo: the gradient is that of a weighted log-likelihood.
TEST(Policy, GradientsOfWeightedLikelihoods) {
  for (const bool sequence : {false, true}) {
    const Batch b = random_batch(7, true);
    PolicyOptions o;
    o.loss = PolicyLoss::Cispo;
    o.epsilon_high = 1.2;
    o.level = sequence ? Level::Sequence : Level::Token;
    const Computed c = compute(b, o);
    double loss = 0;
    for (size_t i = 0; i < b.x.size(); ++i) {
      loss += c.gradient[i] * b.x[i];
      if (sequence) continue;
      EXPECT_NEAR(c.gradient[i], -std::min(std::exp(b.x[i] - b.o[i]), 1.2) * b.token_advantages[i] / 20, 1e-15);
    }
    EXPECT_NEAR(loss, c.result.loss, 1e-14);
  }
  Batch b = by_hand();
  PolicyOptions o;
  o.loss = PolicyLoss::Vespo;
  const Computed c = compute(b, o);
  EXPECT_NEAR(c.gradient[0], -std::exp(3 - 3 * 1.5) * 1.5 * 1.5 / 3, 1e-14);
  EXPECT_NEAR(c.gradient[2], std::exp(2 - 2 * 0.5) * 0.125 / 3, 1e-14);
  // Half of the ratio seen as the sampler's: the same weight.
  b.s = b.o;
  b.o[0] = -1 - std::log(1.5) / 2;
  b.o[2] = b.s[2];
  o.correction = Correction::SequenceTruncate;
  EXPECT_NEAR(compute(b, o).gradient[0], c.gradient[0], 1e-14);
}

TEST(Policy, ExtremesStayNumbers) {
  Batch b;
  b.lengths = {1, 1, 1};
  b.x = {-1e-6, -800, -2};
  b.o = {-800, -1e-6, -800};
  b.s = b.o;
  b.advantages = {1, -1, 0};
  for (PolicyOptions o : all_options()) {
    o.beta = 0;
    o.off_policy_kl = {};
    const Computed c = compute(b, o);
    SCOPED_TRACE(std::string(to_name(o.loss)) + " " + std::string(to_name(o.level)));
    EXPECT_TRUE(std::isfinite(c.result.loss));
    for (const double g : c.gradient) EXPECT_TRUE(std::isfinite(g));
  }
}

TEST(Policy, WhatDoesNotFitIsRefused) {
  Numbers gradient(3);
  auto tried = [&](auto&& change) {
    Batch b = by_hand();
    PolicyOptions o;
    Totals t = b.totals();
    change(b, o, t);
    return policy_loss(b.view(), o, t, gradient);
  };
  EXPECT_NO_THROW(tried([](Batch&, PolicyOptions&, Totals&) {}));
  EXPECT_THROW(tried([](Batch& b, PolicyOptions&, Totals&) { b.lengths = {2, 2}; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch& b, PolicyOptions&, Totals&) { b.lengths = {4, -1}; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch& b, PolicyOptions&, Totals&) { b.o.pop_back(); }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch& b, PolicyOptions&, Totals&) { b.advantages.pop_back(); }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch& b, PolicyOptions&, Totals&) { b.token_advantages = {1, 1, 1}; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch& b, PolicyOptions&, Totals&) { b.advantages.clear(); }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch&, PolicyOptions& o, Totals&) { o.beta = 0.1; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch&, PolicyOptions& o, Totals&) { o.loss = PolicyLoss::DrGrpo; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch&, PolicyOptions& o, Totals&) { o.loss = PolicyLoss::Luspo; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch&, PolicyOptions& o, Totals&) { o.loss = PolicyLoss::Cispo; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch&, PolicyOptions& o, Totals&) { o.epsilon = -0.1; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch&, PolicyOptions& o, Totals&) { o.floor = 4; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch&, PolicyOptions&, Totals& t) { t.tokens = 2; }), std::invalid_argument);
  EXPECT_THROW(tried([](Batch& b, PolicyOptions&, Totals&) { b.x[1] = -INFINITY; }), std::domain_error);
  try {
    tried([](Batch& b, PolicyOptions&, Totals&) { b.advantages[1] = NAN; });
    FAIL();
  } catch (const std::domain_error& e) {
    EXPECT_STREQ(e.what(), "advantage 2 of 2 is nan");
  }
}

TEST(Advantages, ByHand) {
  // Means 2 and 5, deviations 1 and 0; the group of one teaches nothing either. Groups need not stand together.
  const Numbers rewards = {1, 5, 2, 5, 3, 9}, one = {1};
  const Lengths groups = {7, -1, 7, -1, 7, 4};
  const Advantages a = advantages(rewards, one, groups, {.eps = 0});
  EXPECT_EQ(a.values, (Numbers{-1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(a.flat_groups(), 2);
  EXPECT_EQ(a.flat_sequences(), 3);
  ASSERT_EQ(a.groups.size(), 3u);
  EXPECT_EQ(a.groups[0].id, 7);
  EXPECT_EQ(a.groups[0].size, 3);
  EXPECT_EQ(a.groups[0].mean, 2);
  EXPECT_EQ(a.groups[0].deviation, 1);
  EXPECT_FALSE(a.groups[0].flat);
  EXPECT_NEAR(advantages(rewards, one, groups).values[4], 1 / 1.0001, 1e-15);
  EXPECT_EQ(advantages(rewards, one, groups, {.scale = Scale::None}).values[0], -1);
}

TEST(Advantages, RoundingMakesNoVariance) {
  const double sum = 0.1 + 0.2;
  const Numbers rewards = {sum, 0.3, sum}, one = {1};
  const Lengths group = {0, 0, 0};
  const Advantages a = advantages(rewards, one, group, {.eps = 0});
  EXPECT_EQ(a.flat_groups(), 1);
  EXPECT_EQ(a.values, (Numbers{0, 0, 0}));
}

TEST(Advantages, RewardsThatCancelTeachSeparately) {
  const Numbers rewards = {1, 0, 0, 1}, weights = {1, 1};
  const Lengths group = {0, 0};
  EXPECT_EQ(advantages(rewards, weights, group).flat_groups(), 1);
  const Advantages a = advantages(rewards, Numbers{2, 1}, group, {.combine = Combine::NormalizeThenSum, .eps = 0});
  EXPECT_EQ(a.flat_groups(), 0);
  EXPECT_NEAR(a.values[0], std::sqrt(0.5), 1e-15);
  EXPECT_EQ(a.rewards, (Numbers{2, 1}));
}

TEST(Advantages, WhatDoesNotFitIsRefused) {
  const Numbers one = {1};
  EXPECT_THROW(advantages(Numbers{1, 2}, one, Lengths{0}), std::invalid_argument);
  EXPECT_THROW(advantages(Numbers{1}, Numbers{}, Lengths{0}), std::invalid_argument);
  EXPECT_THROW(advantages(Numbers{NAN}, one, Lengths{0}), std::domain_error);
  EXPECT_THROW(advantages(Numbers{1}, one, Lengths{0}, {.scale = Scale::Batch, .combine = Combine::NormalizeThenSum}), std::invalid_argument);
  EXPECT_TRUE(advantages(Numbers{}, one, Lengths{}).values.empty());
}

TEST(Preference, ByHand) {
  // h = 0.1 · ((-1 + 2) - (-3 + 2)) = 0.2
  const Pairs p{{-1}, {-3}, {-2}, {-2}, {1}, {2}};
  const PairsComputed c = compute(p, {});
  EXPECT_NEAR(c.result.loss, std::log1p(std::exp(-0.2)), 1e-15);
  EXPECT_NEAR(c.by_chosen[0], -0.1 / (1 + std::exp(0.2)), 1e-15);
  EXPECT_NEAR(c.by_rejected[0], 0.1 / (1 + std::exp(0.2)), 1e-15);
  EXPECT_NEAR(c.result.metrics.chosen_reward, 0.1, 1e-15);
  EXPECT_NEAR(c.result.metrics.rejected_reward, -0.1, 1e-15);
  EXPECT_EQ(c.result.metrics.accuracy, 1);
  PreferenceOptions ipo;
  ipo.loss = PreferenceLoss::Ipo;
  EXPECT_NEAR(compute(p, ipo).result.loss, (1.5 - 5) * (1.5 - 5), 1e-12);
}

TEST(Preference, GradientsAreCentralDifferences) {
  std::mt19937 random(11);
  std::uniform_real_distribution<double> sum(-30, -5), apart(-4, 4);
  Pairs p;
  for (int64_t i = 0; i < 6; ++i) {
    p.reference_chosen.push_back(sum(random));
    p.reference_rejected.push_back(sum(random));
    p.chosen.push_back(p.reference_chosen.back() + apart(random));
    p.rejected.push_back(p.reference_rejected.back() + apart(random));
    p.chosen_lengths.push_back(3 + i);
    p.rejected_lengths.push_back(9 - i);
  }
  for (const std::string& loss : names<PreferenceLoss>()) {
    for (const std::string& divergence : names<Divergence>()) {
      for (const double smoothing : {0.0, 0.2}) {
        SCOPED_TRACE(loss + " " + divergence);
        PreferenceOptions o;
        o.loss = parse<PreferenceLoss>(loss);
        o.divergence = parse<Divergence>(divergence);
        o.label_smoothing = smoothing;
        o.bco_shift = 0.3;
        o.discopop_tau = 0.2;
        try {
          check(o);
        } catch (const std::invalid_argument&) {
          EXPECT_NE(o.divergence, Divergence::ReverseKl);
          continue;
        }
        expect_central_differences(p, o);
        if (o.loss == PreferenceLoss::Aot || o.loss == PreferenceLoss::AotUnpaired) continue;
        // In pieces.
        const PairsComputed whole = compute(p, o);
        double loss_sum = 0;
        PreferenceMetrics metrics;
        for (size_t i = 0; i < 6; i += 2) {
          auto two = [&](auto& v) { return std::span(v).subspan(i, 2); };
          Numbers a(2), b(2);
          const PreferenceResult r = preference_loss({two(p.chosen), two(p.rejected), two(p.reference_chosen), two(p.reference_rejected), two(p.chosen_lengths), two(p.rejected_lengths)},
                                                     o, 6, a, b);
          loss_sum += r.loss;
          metrics += r.metrics;
          for (size_t j = 0; j < 2; ++j) {
            EXPECT_EQ(a[j], whole.by_chosen[i + j]);
            EXPECT_EQ(b[j], whole.by_rejected[i + j]);
          }
        }
        EXPECT_NEAR(loss_sum, whole.result.loss, 1e-12);
        EXPECT_EQ(metrics.pairs, 6);
        EXPECT_NEAR(metrics.chosen_reward, whole.result.metrics.chosen_reward, 1e-12);
      }
    }
  }
}

TEST(Preference, ExtremesStayNumbers) {
  const Pairs p{{-1, -5000}, {-5000, -1}, {-2, -2}, {-2, -2}, {4, 4}, {4, 4}};
  for (const std::string& loss : names<PreferenceLoss>()) {
    PreferenceOptions o;
    o.loss = parse<PreferenceLoss>(loss);
    const PairsComputed c = compute(p, o);
    EXPECT_TRUE(std::isfinite(c.result.loss)) << loss;
    for (const Numbers& g : {c.by_chosen, c.by_rejected})
      for (const double v : g) EXPECT_TRUE(std::isfinite(v)) << loss;
  }
}

TEST(Preference, WhatDoesNotFitIsRefused) {
  const Pairs p{{-1}, {-3}, {-2}, {-2}, {}, {}};
  Numbers a(1), b(1);
  EXPECT_NO_THROW(preference_loss(p.view(), {}, 5, a, b));
  EXPECT_THROW(preference_loss(p.view(), {}, 0, a, b), std::invalid_argument);
  EXPECT_THROW(preference_loss(p.view(), {.loss = PreferenceLoss::Aot}, 5, a, b), std::invalid_argument);
  EXPECT_THROW(preference_loss(p.view(), {.loss = PreferenceLoss::Ipo}, 1, a, b), std::invalid_argument);
  EXPECT_THROW(preference_loss(p.view(), {.beta = 0}, 1, a, b), std::invalid_argument);
  EXPECT_THROW(preference_loss({p.chosen, p.rejected, p.reference_chosen, {}, {}, {}}, {}, 1, a, b), std::invalid_argument);
  EXPECT_THROW(preference_loss({Numbers{NAN}, p.rejected, p.reference_chosen, p.reference_rejected, {}, {}}, {}, 1, a, b), std::domain_error);
}

TEST(Supervised, MeanOfTheWholeStep) {
  const Numbers x = {-0.5, -2};
  Numbers g(2);
  EXPECT_NEAR(supervised_loss(SupervisedLoss::Nll, x, {1, 4}, g), 2.5 / 4, 1e-15);
  EXPECT_EQ(g, (Numbers{-0.25, -0.25}));
  EXPECT_NEAR(supervised_loss(SupervisedLoss::Dft, x, {1, 4}, g), (0.5 * std::exp(-0.5) + 2 * std::exp(-2)) / 4, 1e-15);
  EXPECT_NEAR(g[1], -std::exp(-2) / 4, 1e-15);
  EXPECT_THROW(supervised_loss(SupervisedLoss::Nll, x, {1, 1}, g), std::invalid_argument);
  EXPECT_EQ(supervised_loss(SupervisedLoss::Nll, Numbers{}, {1, 0}, {}), 0);
}

TEST(Names, BothWays) {
  for (const std::string& name : names<PolicyLoss>()) EXPECT_EQ(to_name(parse<PolicyLoss>(name)), name);
  for (const std::string& name : names<PreferenceLoss>()) EXPECT_EQ(to_name(parse<PreferenceLoss>(name)), name);
  EXPECT_EQ(parse<PreferenceLoss>("discopop"), PreferenceLoss::Discopop);
  EXPECT_EQ(parse<PolicyLoss>("luspo"), PolicyLoss::Luspo);
  EXPECT_EQ(parse<Correction>("sequence_mask"), Correction::SequenceMask);
  EXPECT_EQ(parse<Scale>("none"), Scale::None);
  EXPECT_EQ(parse<Divergence>("alpha_divergence"), Divergence::AlphaDivergence);
  EXPECT_EQ(from_name<Level>("tokens"), std::nullopt);
  try {
    parse<SupervisedLoss>("nlll");
    FAIL();
  } catch (const std::invalid_argument& e) {
    EXPECT_STREQ(e.what(), "no `nlll`: it is one of nll, dft");
  }
}

}  // namespace
}  // namespace ppc::objective
