// The loops, with a learner that is a table: the next token's logits by the last one. It computes what a network would, and is understood.
#include "trainers/train/trainer.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/engine/episode.h"

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
          e.logprobs.push_back(static_cast<float>(std::log(p[id])));
          right += id == wanted;
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
  size_t wanted = 3;
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
