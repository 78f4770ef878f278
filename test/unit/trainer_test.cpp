// The loops, with a learner that is a table: the next token's logits by the last one. It computes what a network would, and is understood.
#include "trainers/train/trainer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

#include "runtime/engine/episode.h"
#include "trainers/objective/names.h"
#include "trainers/objective/preference.h"
#include "trainers/train/options.h"

namespace ppc::train {
namespace {

namespace fs = std::filesystem;
using data::Example;
using learn::Learner;
using learn::Sequence;

constexpr int kWords = 4;

class Table final : public Learner {
 public:
  Table() {
    config_.vocab_size = kWords;
    config_.max_position_embeddings = 64;
  }
  const model::ModelConfig& config() const override { return config_; }
  static std::array<double, kWords> softmax(const double* row, double temperature) {
    std::array<double, kWords> p{};
    double most = -1e300, sum = 0;
    for (int i = 0; i < kWords; ++i) most = std::max(most, row[i] / temperature);
    for (int i = 0; i < kWords; ++i) sum += p[static_cast<size_t>(i)] = std::exp(row[i] / temperature - most);
    for (double& x : p) x /= sum;
    return p;
  }
  Tokens evaluate(std::span<const Sequence> sequences, learn::Policy policy, bool entropies) override {
    if (policy == learn::Policy::Reference && reference_.empty()) throw std::invalid_argument("no reference");
    const std::vector<double>& w = policy == learn::Policy::Current ? table : reference_;
    Tokens out;
    for (const Sequence& s : sequences)
      for (size_t i = 1; i < s.ids.size(); ++i) {
        if (!s.trained[i]) continue;
        const auto p = softmax(&w[static_cast<size_t>(s.ids[i - 1]) * kWords], s.temperature);
        out.logprobs.push_back(static_cast<float>(std::log(p[static_cast<size_t>(s.ids[i])])));
        double h = 0;
        for (const double x : p) h -= x * std::log(x);
        if (entropies) out.entropies.push_back(static_cast<float>(h));
      }
    ++evaluations;
    return out;
  }
  void keep_reference() override { reference_ = table; }
  void accumulate(std::span<const Sequence> sequences, const Objective& objective, bool entropies) override {
    const Tokens t = evaluate(sequences, learn::Policy::Current, entropies);
    std::vector<double> by(t.logprobs.size());
    objective(t, by);
    size_t at = 0;
    int64_t tokens = 0;
    for (const Sequence& s : sequences) {
      tokens += static_cast<int64_t>(s.ids.size());
      for (size_t i = 1; i < s.ids.size(); ++i) {
        if (!s.trained[i]) continue;
        const size_t row = static_cast<size_t>(s.ids[i - 1]) * kWords;
        const auto p = softmax(&table[row], s.temperature);
        for (size_t k = 0; k < kWords; ++k) gradient_[row + k] += by[at] * ((k == static_cast<size_t>(s.ids[i])) - p[k]) / s.temperature;
        ++at;
      }
    }
    largest = std::max(largest, tokens);
    ++pieces;
  }
  Step step(double rate, double max_norm) override {
    double norm = 0;
    for (const double g : gradient_) norm += g * g;
    norm = std::sqrt(norm);
    const double by = max_norm > 0 && norm > max_norm ? max_norm / norm : 1;
    for (size_t i = 0; i < table.size(); ++i) table[i] -= rate * by * gradient_[i], gradient_[i] = 0;
    rates.push_back(rate);
    return {norm, false};
  }
  int64_t trained_weights() const override { return kWords * kWords; }
  void save_state(const std::string& file) override {
    std::ofstream out(file, std::ios::binary);
    out.write(reinterpret_cast<const char*>(table.data()), static_cast<std::streamsize>(table.size() * 8));
    reference_.resize(table.size());
    out.write(reinterpret_cast<const char*>(reference_.data()), static_cast<std::streamsize>(table.size() * 8));
  }
  void load_state(const std::string& file) override {
    std::ifstream in(file, std::ios::binary);
    in.read(reinterpret_cast<char*>(table.data()), static_cast<std::streamsize>(table.size() * 8));
    reference_.resize(table.size());
    in.read(reinterpret_cast<char*>(reference_.data()), static_cast<std::streamsize>(table.size() * 8));
  }
  void save_weights(const std::string&) override {}
  void save_adapter(const std::string&, const std::string&) override {}
  void load_adapter(const std::string&) override {}
  void weights(const std::function<void(const model::TensorView&)>&) override {}
  Memory memory() const override { return {}; }

  std::vector<double> table = std::vector<double>(kWords * kWords, 0.0);
  std::vector<double> rates;
  int evaluations = 0, pieces = 0;
  int64_t largest = 0;

 private:
  model::ModelConfig config_;
  std::vector<double> gradient_ = std::vector<double>(kWords * kWords, 0.0), reference_;
};

/// A game of one reply: three words behind the prompt, word 0; the reward is the part of them that are the instance's.
class Words final : public Arena {
 public:
  explicit Words(const Table& table) : table_(table) { games_ = {{"words", 2, 1}}; }
  const std::vector<Game>& games() const override { return games_; }
  void record_in(const std::string&) override {}
  std::vector<std::vector<Played>> play(std::span<const Group> groups, const std::function<void(size_t)>&) override {
    std::vector<std::vector<Played>> out;
    for (const Group& g : groups) {
      out.emplace_back();
      instances.push_back(g.instance);
      for (int64_t m = 0; m < g.members; ++m) {
        Part part;
        part.role = "speaker";
        Example& e = part.example;
        e.ids = {static_cast<int32_t>(g.instance)};
        e.trained = {0};
        e.logprobs = {0};
        double right = 0;
        for (uint64_t k = 0; k < 3; ++k) {
          const auto p = Table::softmax(&table_.table[static_cast<size_t>(e.ids.back()) * kWords], 1);
          double u = static_cast<double>(engine::mix_seed(g.seed, static_cast<uint64_t>(m), k, 0) >> 11) * 0x1p-53;
          size_t id = 0;
          while (id + 1 < kWords && u >= p[id]) u -= p[id++];
          e.ids.push_back(static_cast<int32_t>(id));
          e.trained.push_back(1);
          e.logprobs.push_back(static_cast<float>(std::log(p[id]) + ((static_cast<uint64_t>(m) + k) % 2 ? gap : -gap)));
          right += id == wanted;
          part.rewards += id == second ? 1 : 0;
        }
        Played played;
        played.outcome = "won";
        played.score = 100 * right / 3;
        played.replies = 1;
        e.origin.reward = right / 3;
        played.parts.push_back(std::move(part));
        out.back().push_back(std::move(played));
      }
    }
    return out;
  }
  size_t wanted = 3, second = kWords;  // what the score is for, and the rewards
  double gap = 0;                      // between sampler and trainer
  std::vector<size_t> instances;

 private:
  const Table& table_;
  std::vector<Game> games_;
};

struct Training {
  explicit Training(const std::string& name) : folder(fs::path(testing::TempDir()) / ("trainer_" + name)) {
    fs::remove_all(folder);
    config.output = folder.string();
    config.method = Method::Grpo;
    config.steps = 30;
    config.learning_rate = 2;
    config.schedule = Schedule::Constant;
    config.grpo.groups = 4;
    config.grpo.group_size = 6;
    config.sampling.max_tokens = 3;
    around.arena = &arena;
    around.publish = [this] { ++published; };
    around.step = [this](int64_t step, const Metrics& m) {
      steps.push_back(step);
      metrics.push_back(m);
    };
  }
  double metric(size_t at, const std::string& name) const {
    for (const auto& [key, value] : metrics.at(at))
      if (key == name) return value;
    return std::nan("");
  }
  fs::path folder;
  Config config;
  Table learner;
  Words arena{learner};
  Surroundings around{.learner = learner};
  std::vector<int64_t> steps;
  std::vector<Metrics> metrics;
  int published = 0;
};

TEST(Schedules, RisesThenFalls) {
  EXPECT_DOUBLE_EQ(rate_at(Schedule::Constant, 0, 10, 0, 0), 1);
  EXPECT_DOUBLE_EQ(rate_at(Schedule::Linear, 0, 10, 0, 0), 1);
  EXPECT_DOUBLE_EQ(rate_at(Schedule::Linear, 5, 10, 0, 0), 0.5);
  EXPECT_DOUBLE_EQ(rate_at(Schedule::Linear, 5, 10, 0, 0.2), 0.6);
  EXPECT_DOUBLE_EQ(rate_at(Schedule::Cosine, 5, 10, 0, 0), 0.5);
  EXPECT_DOUBLE_EQ(rate_at(Schedule::Linear, 0, 10, 3, 0), 0.25);
  EXPECT_DOUBLE_EQ(rate_at(Schedule::Linear, 3, 10, 3, 0), 1);
  EXPECT_DOUBLE_EQ(rate_at(Schedule::Linear, 4, 4, 4, 0), 1);
}

TEST(Trainer, GrpoLearnsWhatIsRewarded) {
  Training run("learns");
  const Outcome outcome = train(run.config, run.around, false);
  EXPECT_EQ(outcome.steps, 30);
  EXPECT_EQ(run.published, 30);
  EXPECT_LT(run.metric(0, "reward"), 0.6);
  EXPECT_GT(run.metric(29, "reward"), 0.85);
  EXPECT_EQ(run.metric(0, "ratio"), 1);
  EXPECT_EQ(run.metric(0, "played"), 100);
  EXPECT_LT(run.metric(0, "sampler_gap_max"), 1e-6);
}

TEST(Trainer, StoppedAndResumedIsTheSameRun) {
  for (const Method method : {Method::Sft, Method::Dpo, Method::Grpo}) {
    SCOPED_TRACE(method_name(method));
    auto prepare = [&](Training& run) {
      run.config.method = method;
      run.config.schedule = Schedule::Linear;
      run.config.steps = 12;
      run.config.batch = 3;
      run.config.grpo.beta = 0.1;
      run.config.save_every = 4;
      for (int i = 0; i < 7; ++i) {
        Example good, bad;
        good.ids = {0, i % 4, 3, 1};
        bad.ids = {0, i % 4, 2, 2};
        good.trained = bad.trained = {0, 0, 1, 1};
        run.around.examples.push_back(good);
        run.around.pairs.push_back({good, bad});
      }
    };
    Training whole("whole"), parts("parts");
    prepare(whole);
    prepare(parts);
    train(whole.config, whole.around, false);
    std::atomic<bool> stop{false};
    parts.around.stop = &stop;
    parts.around.step = [&](int64_t step, const Metrics&) { stop = step == 6; };
    EXPECT_TRUE(train(parts.config, parts.around, false).stopped);
    EXPECT_THROW(train(parts.config, parts.around, false), engine::InputError);  // there is a run in it

    Training rest("rest");
    prepare(rest);
    rest.config.output = parts.config.output;
    EXPECT_FALSE(train(rest.config, rest.around, true).stopped);
    EXPECT_EQ(rest.steps.front(), 7);
    EXPECT_EQ(rest.steps.back(), 12);
    EXPECT_EQ(0, std::memcmp(whole.learner.table.data(), rest.learner.table.data(), sizeof(double) * kWords * kWords));
    for (size_t i = 0; i < 6; ++i) EXPECT_EQ(whole.metric(i + 6, "loss"), rest.metric(i, "loss"));
  }
}

TEST(Trainer, PiecesDoNotMatter) {
  Training one("one"), many("many");
  for (Training* run : {&one, &many}) {
    run->config.steps = 5;
    run->config.grpo.beta = 0.05;
    run->config.grpo.updates = 2;
  }
  many.config.batch_tokens = 9;
  train(one.config, one.around, false);
  train(many.config, many.around, false);
  EXPECT_GT(many.learner.pieces, one.learner.pieces);
  EXPECT_LE(many.learner.largest, 9);
  for (size_t i = 0; i < one.learner.table.size(); ++i) EXPECT_NEAR(one.learner.table[i], many.learner.table[i], 1e-6);
}

TEST(Trainer, EveryInstanceBeforeOneComesAgain) {
  Training run("instances");
  run.config.steps = 3;
  run.config.grpo.resample = 1;
  train(run.config, run.around, false);
  for (size_t i = 0; i + 1 < run.arena.instances.size(); i += 2) EXPECT_NE(run.arena.instances[i], run.arena.instances[i + 1]);
}

TEST(Trainer, NothingToLearnFromIsAnError) {
  Training run("flat");
  run.arena.wanted = 9;
  run.config.steps = 100;
  try {
    train(run.config, run.around, false);
    FAIL();
  } catch (const engine::InputError& e) {
    EXPECT_NE(std::string(e.what()).find("fared alike"), std::string::npos) << e.what();
  }
  EXPECT_EQ(run.learner.rates.size(), 0u);
  EXPECT_EQ(run.metric(0, "flat_groups"), run.metric(0, "groups"));
  EXPECT_EQ(run.metric(0, "groups"), 8);  // resampled once
}

TEST(Trainer, NotANumberEndsTheRunAndKeepsTheCheckpoint) {
  Training run("nan");
  run.config.save_every = 2;
  run.around.step = [&](int64_t step, const Metrics&) {
    if (step == 3) run.learner.table[5] = std::nan("");
  };
  try {
    train(run.config, run.around, false);
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("step-2"), std::string::npos) << e.what();
  }
  EXPECT_TRUE(fs::exists(run.folder / "checkpoints" / "step-2" / "trainer.json"));
}

TEST(Trainer, OnlyTrainedTokensMatter) {
  Training a("a"), b("b");
  for (Training* run : {&a, &b}) {
    run->config.method = Method::Sft;
    run->config.steps = 4;
    for (int i = 0; i < 5; ++i) {
      Example e;
      e.ids = {0, 1, 2, 3, 1};
      e.trained = {0, 0, 0, 1, 1};
      if (run == &b) e.ids[1] = 3;  // neither trained nor before what is, for a table
      run->around.examples.push_back(e);
    }
    train(run->config, run->around, false);
  }
  EXPECT_EQ(a.learner.table, b.learner.table);
}

using Change = std::function<void(Config&)>;

/// The table behind three steps.
std::vector<double> learned(const std::vector<Change>& changes) {
  Training run("options");
  run.config.steps = 3;
  run.config.max_grad_norm = 0;
  run.config.grpo.updates = 2;
  run.config.grpo.beta = 0.1;
  run.config.grpo.reward_weight = 0.5;
  run.arena.second = 1;
  run.arena.gap = 0.2;
  for (int i = 0; i < 6; ++i) {
    Example good, bad;
    good.ids = {0, i % 4, 3, 1};
    good.trained = {0, 0, 1, 1};
    bad.ids = {0, i % 4, i % 3, 2, 2};
    bad.trained = {0, 0, 1, 1, 1};
    run.around.pairs.push_back({good, bad});
  }
  run.config.batch = 6;
  for (const Change& c : changes) c(run.config);
  if (run.config.method == Method::Dpo)  // what is sorted is to have an order
    for (size_t i = 0; i < run.learner.table.size(); ++i) run.learner.table[i] = 0.3 * static_cast<double>(i * 7 % 5);
  train(run.config, run.around, false);
  return run.learner.table;
}

TEST(Options, EachOneOfGrpoChangesWhatIsLearned) {
  const std::pair<const char*, std::vector<Change>> cases[] = {
      {"level", {[](Config& c) { c.grpo.level = "sequence"; }}},
      {"batch", {[](Config& c) { c.grpo.scale_rewards = "batch"; }}},
      {"none", {[](Config& c) { c.grpo.scale_rewards = "none"; }}},
      {"scale_eps", {[](Config& c) { c.grpo.scale_eps = 1; }}},
      {"combine", {[](Config& c) { c.grpo.combine = "normalize_then_sum"; }}},
      {"beta", {[](Config& c) { c.grpo.beta = 0.2; }}},
      {"kl_ratio", {[](Config& c) { c.grpo.kl_ratio = true; }}},
      {"off_policy_kl", {[](Config& c) { c.grpo.off_policy_kl = 0; }}},
      {"epsilon", {[](Config& c) { c.grpo.epsilon = 0.01; }}},
      {"epsilon_high", {[](Config& c) { c.grpo.epsilon_high = 0.9; }}},
      {"delta", {[](Config& c) { c.grpo.delta = 1.01; }}},
      {"correction none", {[](Config& c) { c.grpo.correction = "none"; }}},
      {"correction_cap", {[](Config& c) { c.grpo.correction_cap = 1.05; }}},
      {"correction_floor", {[](Config& c) { c.grpo.correction_floor = 0.95; }}},
      {"token_mask", {[](Config& c) { c.grpo.correction = "token_mask", c.grpo.correction_cap = 1.05; }}},
      {"sequence_truncate", {[](Config& c) { c.grpo.correction = "sequence_truncate"; }}},
      {"sequence_mask", {[](Config& c) { c.grpo.correction = "sequence_mask", c.grpo.correction_cap = 1.05; }}},
      {"score_weight", {[](Config& c) { c.grpo.score_weight = 0.1; }}},
      {"cispo", {[](Config& c) { c.grpo.loss = "cispo", c.grpo.epsilon_high = 1.01; }}},
      {"sapo", {[](Config& c) { c.grpo.loss = "sapo"; }}},
      {"sapo, positive", {[](Config& c) { c.grpo.loss = "sapo", c.grpo.sapo = {2, 1.05}; }}},
      {"sapo, negative", {[](Config& c) { c.grpo.loss = "sapo", c.grpo.sapo = {1, 2}; }}},
      {"vespo", {[](Config& c) { c.grpo.loss = "vespo"; }}},
      {"vespo, positive k", {[](Config& c) { c.grpo.loss = "vespo", c.grpo.vespo = {1, 3, 3, 2}; }}},
      {"vespo, positive lambda", {[](Config& c) { c.grpo.loss = "vespo", c.grpo.vespo = {2, 2, 3, 2}; }}},
      {"vespo, negative k", {[](Config& c) { c.grpo.loss = "vespo", c.grpo.vespo = {2, 3, 2, 2}; }}},
      {"vespo, negative lambda", {[](Config& c) { c.grpo.loss = "vespo", c.grpo.vespo = {2, 3, 3, 1}; }}},
      {"luspo", {[](Config& c) { c.grpo.loss = "luspo", c.grpo.level = "sequence"; }}},
      {"dr_grpo", {[](Config& c) { c.grpo.loss = "dr_grpo", c.grpo.max_trained_tokens = 12; }}},
  };
  std::map<std::vector<double>, std::string> seen = {{learned({}), "as it is"}};
  for (const auto& [name, changes] : cases) {
    const auto [other, fresh] = seen.emplace(learned(changes), name);
    EXPECT_TRUE(fresh) << name << " learns what `" << other->second << "` does";
  }
}

TEST(Options, EachOneOfDpoChangesWhatIsLearned) {
  std::map<std::vector<double>, std::string> seen;
  auto is_new = [&](const std::string& name, const Change& change) {
    const auto [other, fresh] = seen.emplace(learned({[](Config& c) { c.method = Method::Dpo, c.dpo.beta = 0.3, c.learning_rate = 1, c.steps = 12; }, change}), name);
    EXPECT_TRUE(fresh) << name << " learns what `" << other->second << "` does";
  };
  for (const std::string& loss : objective::names<objective::PreferenceLoss>())
    if (loss != "robust") is_new(loss, [&](Config& c) { c.dpo.loss = loss; });
  for (const char* loss : {"sigmoid", "sigmoid_norm", "exo_pair", "robust", "aot", "aot_unpaired"})
    is_new(std::string(loss) + ", smoothed", [&](Config& c) { c.dpo.loss = loss, c.dpo.label_smoothing = 0.2; });
  for (const char* divergence : {"forward_kl", "js_divergence", "alpha_divergence"}) is_new(divergence, [&](Config& c) { c.dpo.divergence = divergence; });
  is_new("alpha", [](Config& c) { c.dpo.divergence = "alpha_divergence", c.dpo.alpha = 0.9; });
  is_new("discopop_tau", [](Config& c) { c.dpo.loss = "discopop", c.dpo.discopop_tau = 0.5; });
}

// A sequence is what a role says in an episode. All of these have three trained tokens, so with a maximum of three it is the mean over tokens.
TEST(Options, DrGrpoDividesByTheMostThatAnEpisodeMayHave) {
  const Change once = [](Config& c) { c.steps = 1, c.grpo.updates = 1; };
  auto dr_grpo = [&](int64_t most) {
    // max_tokens is of a reply, and has no say.
    return learned({once, [most](Config& c) { c.grpo.loss = "dr_grpo", c.grpo.max_trained_tokens = most, c.sampling.max_tokens = 1000; }});
  };
  const std::vector<double> mean = learned({once}), three = dr_grpo(3), six = dr_grpo(6);
  for (size_t i = 0; i < mean.size(); ++i) {
    EXPECT_NEAR(mean[i], three[i], 1e-14);
    EXPECT_NEAR(mean[i] / 2, six[i], 1e-14);  // it begins with zeros
  }
}

TEST(Options, WhatDoesNotGoTogetherIsSaid) {
  const std::pair<Change, const char*> cases[] = {
      {[](Config& c) { c.grpo.loss = "dapa"; }, "grpo.loss: no `dapa`: it is one of grpo, "},
      {[](Config& c) { c.grpo.loss = "dr_grpo"; }, "grpo.max_trained_tokens: missing: `loss: dr_grpo` divides by it"},
      {[](Config& c) { c.grpo.max_trained_tokens = 3; }, "grpo.max_trained_tokens: goes with `loss: dr_grpo`, not with `loss: dapo`"},
      {[](Config& c) { c.grpo.loss = "luspo"; }, "grpo.level: `loss: luspo` has ratios of sequences: `level: sequence`"},
      {[](Config& c) { c.grpo.loss = "cispo"; }, "grpo.epsilon_high: missing: "},
      {[](Config& c) { c.grpo.loss = "sapo", c.grpo.epsilon_high = 1; }, "grpo.epsilon_high: `loss: sapo` has no clip"},
      {[](Config& c) { c.grpo.loss = "vespo", c.grpo.delta = 2; }, "grpo.delta: `loss: vespo` has no clip"},
      {[](Config& c) { c.grpo.sapo.emplace(); }, "grpo.sapo: goes with `loss: sapo`, not with `loss: dapo`"},
      {[](Config& c) { c.grpo.vespo.emplace(); }, "grpo.vespo: goes with `loss: vespo`"},
      {[](Config& c) { c.grpo.kl_ratio = true; }, "grpo.kl_ratio: there is no KL to multiply"},
      {[](Config& c) { c.grpo.correction = "none", c.grpo.correction_floor = 0.5; }, "grpo.correction_floor: goes with a `correction`"},
      {[](Config& c) { c.grpo.score_weight = 0; }, "grpo.score_weight: all rewards are 0"},
      {[](Config& c) { c.grpo.combine = "normalize_then_sum"; }, "grpo.reward_weight: `combine: normalize_then_sum` is for several rewards"},
      {[](Config& c) { c.grpo.combine = "normalize_then_sum", c.grpo.reward_weight = 1, c.grpo.scale_rewards = "none"; }, "grpo.scale_rewards: `combine: normalize_then_sum`"},
      {[](Config& c) { c.grpo.epsilon = 2; }, "grpo: epsilon is between 0 and 1"},
      {[](Config& c) { c.method = Method::Dpo, c.dpo.beta = 0; }, "dpo: beta is above 0"},
      {[](Config& c) { c.method = Method::Dpo, c.dpo.loss = "ipo", c.dpo.label_smoothing = 0.1; }, "dpo.label_smoothing: `loss: ipo` has none"},
      {[](Config& c) { c.method = Method::Dpo, c.dpo.loss = "aot", c.dpo.divergence = "forward_kl"; }, "dpo.divergence: `loss: aot` has none but `reverse_kl`"},
      {[](Config& c) { c.method = Method::Dpo, c.dpo.alpha = 0.5; }, "dpo.alpha: goes with `divergence: alpha_divergence`, not with `reverse_kl`"},
      {[](Config& c) { c.method = Method::Dpo, c.dpo.divergence = "alpha_divergence", c.dpo.alpha = 1; }, "dpo.alpha: not 1"},
      {[](Config& c) { c.method = Method::Dpo, c.dpo.discopop_tau = 1; }, "dpo.discopop_tau: goes with `loss: discopop`"},
      {[](Config& c) { c.method = Method::Dpo, c.dpo.loss = "aot", c.learner.group.world = 2; }, "dpo.loss: `aot` sorts all pairs of a step"},
      {[](Config& c) { c.method = Method::Sft, c.sft_loss = "mse"; }, "sft.loss: no `mse`"},
  };
  for (const auto& [change, said] : cases) {
    Config c;
    c.method = Method::Grpo;
    c.file = "x.yaml";
    EXPECT_NO_THROW(check(c));
    change(c);
    try {
      check(c);
      ADD_FAILURE() << said;
    } catch (const engine::InputError& e) {
      EXPECT_EQ(std::string(e.what()).rfind(std::string("x.yaml: ") + said, 0), 0u) << e.what();
    }
  }
}

// Who said word 3 once and word 1 never, and who said word 1 once and word 3 never, fared alike by the sum; by itself each reward has something to say.
TEST(Options, RewardsThatAddUpToTheSameStillTeach) {
  Training sum("sum"), each("each");
  for (Training* run : {&sum, &each}) {
    run->config.steps = 1;
    run->config.grpo.resample = 1;
    run->config.grpo.reward_weight = 1.0 / 3;
    run->arena.wanted = 0, run->arena.second = 1;
    for (size_t row = 0; row < kWords; ++row) run->learner.table[row * kWords + 2] = run->learner.table[row * kWords + 3] = -50;  // 0 or 1 is said
  }
  each.config.grpo.combine = "normalize_then_sum";
  train(sum.config, sum.around, false);
  train(each.config, each.around, false);
  EXPECT_EQ(sum.metric(0, "flat_groups"), sum.metric(0, "groups"));
  EXPECT_EQ(each.metric(0, "flat_groups"), 0);
}

TEST(Trainer, OtherDataEndARunThatGoesOn) {
  auto prepare = [](Training& run, int examples, uint64_t digest, const char* path = "a.jsonl") {
    run.config.method = Method::Sft;
    run.config.steps = 4;
    run.config.save_every = 1;
    for (int i = 0; i < examples; ++i) {
      Example e;
      e.ids = {0, i % 4, 3};
      e.trained = {0, 0, 1};
      run.around.examples.push_back(e);
    }
    run.around.sources = {{"data", path, examples, digest}, {"evaluation.data", "b.jsonl", 0, 5}};
  };
  Training first("data");
  prepare(first, 3, 77);
  std::atomic<bool> stop{true};
  first.around.stop = &stop;
  train(first.config, first.around, false);
  auto error = [&](int examples, uint64_t digest, const char* path) -> std::string {
    Training again("data_again");
    prepare(again, examples, digest, path);
    again.config.output = first.config.output;
    try {
      train(again.config, again.around, true);
    } catch (const engine::InputError& e) {
      return e.what();
    }
    return "";
  };
  auto has = [](const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; };
  EXPECT_PRED2(has, error(3, 78, "a.jsonl"), "step-0/trainer.json: the run began with other data: `data`: a.jsonl (3) says something else. ");
  EXPECT_PRED2(has, error(2, 78, "a.jsonl"), "other data: `data`: a.jsonl had 3 and has 2. ");
  EXPECT_PRED2(has, error(3, 78, "c.jsonl"), "other data: `data`: a.jsonl (3) is no longer there, `data`: c.jsonl (3) is new. ");
  EXPECT_EQ(error(3, 77, "moved/a.jsonl"), "");
}

TEST(Trainer, ACheckpointThatMakesNoNumbersIsSetAside) {
  Training run("aside");
  run.config.save_every = 1;
  run.around.step = [&](int64_t step, const Metrics&) {
    if (step == 3) run.learner.table[5] = std::nan("");  // as by a step that was much too long
  };
  try {
    train(run.config, run.around, false);
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("the checkpoint of step 3 has the same weights, and was set aside; the last good checkpoint is " +
                                         (run.folder / "checkpoints" / "step-2").string()),
              std::string::npos)
        << e.what();
  }
  EXPECT_EQ(checkpoint_of(run.config, true), (run.folder / "checkpoints" / "step-2").string());
  Training rest("aside_rest");
  rest.config.output = run.config.output;
  EXPECT_EQ(train(rest.config, rest.around, true).steps, 30);
}

TEST(Checkpoints, KeepsTheLastOnes) {
  const fs::path folder = fs::path(testing::TempDir()) / "trainer_checkpoints";
  fs::remove_all(folder);
  Checkpoints c(folder.string(), 2);
  EXPECT_EQ(c.newest(), "");
  auto write = [](const std::string& f) { std::ofstream(f + "/state") << "x"; };
  for (const int64_t step : {9, 10, 11}) c.save(step, write);
  EXPECT_EQ(c.newest(), (folder / "step-11").string());
  EXPECT_FALSE(fs::exists(folder / "step-9"));
  EXPECT_THROW(c.save(12, [](const std::string&) { throw engine::SystemError("the disk is full"); }), engine::SystemError);
  EXPECT_EQ(c.newest(), (folder / "step-11").string());
  EXPECT_TRUE(fs::exists(folder / "step-10"));
  EXPECT_FALSE(fs::exists(folder / "unfinished"));
}

}  // namespace
}  // namespace ppc::train
