#include "trainers/train/trainer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <numbers>
#include <optional>

#include "runtime/engine/clock.h"
#include "runtime/engine/episode.h"
#include "trainers/data/batches.h"
#include "trainers/objective/advantages.h"
#include "trainers/objective/names.h"
#include "trainers/objective/supervised.h"
#include "trainers/train/options.h"

namespace ppc::train {

namespace fs = std::filesystem;
using data::Example;
using data::Pair;
using engine::InputError;
using engine::Json;
using engine::SystemError;
using learn::Learner;

const char* method_name(Method m) { return m == Method::Sft ? "sft" : m == Method::Dpo ? "dpo" : "grpo"; }

double rate_at(Schedule schedule, int64_t step, int64_t steps, int64_t warmup, double last) {
  if (step < warmup) return static_cast<double>(step + 1) / static_cast<double>(warmup + 1);
  if (schedule == Schedule::Constant || steps <= warmup) return 1;
  const double part = std::min(1.0, static_cast<double>(step - warmup) / static_cast<double>(steps - warmup));
  const double falls = schedule == Schedule::Linear ? 1 - part : 0.5 * (1 + std::cos(std::numbers::pi * part));
  return last + (1 - last) * falls;
}

std::optional<double> find(const Metrics& m, const std::string& name) {
  for (const auto& [key, value] : m)
    if (key == name) return value;
  return {};
}

namespace {

int64_t trained_tokens(const Example& e) { return std::count(e.trained.begin(), e.trained.end(), uint8_t{1}); }

learn::Sequence sequence_of(const Example& e, double temperature = 1) { return {e.ids, e.trained, temperature}; }

/// Runs of units (each one or more sequences that are computed together) of at most `budget` tokens.
std::vector<std::pair<size_t, size_t>> packs(const std::vector<int64_t>& tokens, int64_t budget) {
  std::vector<std::pair<size_t, size_t>> out;
  int64_t sum = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (out.empty() || sum + tokens[i] > budget) out.emplace_back(i, i), sum = 0;
    out.back().second = i + 1;
    sum += tokens[i];
  }
  return out;
}

/// Log-probabilities of each sequence's trained tokens.
std::vector<std::vector<double>> logprobs(Learner& learner, const std::vector<learn::Sequence>& sequences, learn::Policy policy, int64_t budget) {
  std::vector<int64_t> tokens;
  for (const auto& s : sequences) tokens.push_back(static_cast<int64_t>(s.ids.size()));
  std::vector<std::vector<double>> out;
  for (const auto& [from, to] : packs(tokens, budget)) {
    const auto got = learner.evaluate(std::span(sequences).subspan(from, to - from), policy);
    size_t at = 0;
    for (size_t i = from; i < to; ++i) {
      const size_t n = static_cast<size_t>(std::count(sequences[i].trained.begin(), sequences[i].trained.end(), uint8_t{1}));
      out.emplace_back(got.logprobs.begin() + static_cast<ptrdiff_t>(at), got.logprobs.begin() + static_cast<ptrdiff_t>(at + n));
      at += n;
    }
  }
  return out;
}

/// Sums over all processes of a run, by name; "max …" are the greatest.
using Sums = std::map<std::string, double>;

/// The processes of a run. Alone, nothing is done.
class Processes {
 public:
  Processes(Learner& learner, const learn::GroupOptions& o) : learner_(learner), rank_(static_cast<size_t>(o.rank)), world_(static_cast<size_t>(o.world)) {}
  bool first() const { return rank_ == 0; }
  bool mine(size_t i) const { return i % world_ == rank_; }
  size_t rank() const { return rank_; }
  size_t world() const { return world_; }

  /// Each says some numbers; all of them, a list of each process.
  std::vector<std::vector<double>> exchange(const std::vector<double>& mine) const {
    if (world_ == 1) return {mine};
    std::vector<std::vector<double>> out;
    for (const std::string& bytes : learner_.exchange(std::string(reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(double)))) {
      out.emplace_back(bytes.size() / sizeof(double));
      if (!bytes.empty()) std::memcpy(out.back().data(), bytes.data(), bytes.size());
    }
    return out;
  }
  Sums sum(const Sums& mine) const {
    if (world_ == 1) return mine;
    std::string said;
    for (const auto& [name, value] : mine) {
      said += name + '\0';  // a rule's text may have lines
      said.append(reinterpret_cast<const char*>(&value), sizeof value);
    }
    Sums out;
    for (const std::string& bytes : learner_.exchange(said))
      for (size_t at = 0; at < bytes.size();) {
        const size_t end = bytes.find('\0', at);
        const std::string name = bytes.substr(at, end - at);
        double value = 0;
        std::memcpy(&value, bytes.data() + end + 1, sizeof value);
        at = end + 1 + sizeof value;
        const auto [known, is_new] = out.emplace(name, value);
        if (!is_new) known->second = name.rfind("max ", 0) == 0 ? std::max(known->second, value) : known->second + value;
      }
    return out;
  }
  /// f(i), `width` numbers, for each i below n; every process makes some.
  std::vector<double> deal(size_t n, size_t width, const std::function<std::vector<double>(const std::vector<size_t>&)>& f) const {
    std::vector<size_t> some;
    for (size_t i = 0; i < n; ++i)
      if (mine(i)) some.push_back(i);
    const auto all = exchange(f(some));
    std::vector<double> out(n * width);
    for (size_t i = 0; i < n; ++i)
      std::copy_n(all[i % world_].begin() + static_cast<ptrdiff_t>(i / world_ * width), width, out.begin() + static_cast<ptrdiff_t>(i * width));
    return out;
  }

 private:
  Learner& learner_;
  size_t rank_, world_;
};

/// What is different between the methods.
class Learning {
 public:
  virtual ~Learning() = default;
  virtual int64_t steps() const = 0;
  /// Takes step `index`.
  virtual Metrics step(int64_t index, double rate) = 0;
  /// On what was held out.
  virtual Metrics evaluate() { return {}; }
  /// Where it is in its data.
  virtual Json state() const = 0;
  virtual void restore(const Json&) = 0;
};

Json position_json(const data::Position& p) {
  Json out = Json::object();
  out.add("epoch", p.epoch);
  out.add("index", p.index);
  return out;
}

int64_t whole(const Json& j, const char* key) {
  const Json* v = j.find(key);
  if (!v || !v->is_int()) throw InputError(std::string("`") + key + "`: expected a number");
  return v->as_int();
}

data::Position position_of(const Json& j) { return {whole(j, "epoch"), whole(j, "index")}; }

data::BatchOptions batch_options(const Config& c) {
  data::BatchOptions o;
  o.examples = c.batch;
  // These two sort all pairs of a step.
  const bool all = c.method == Method::Dpo && (c.dpo.loss == "aot" || c.dpo.loss == "aot_unpaired");
  o.at_once = all ? 0 : c.batch_tokens;
  o.rank = c.learner.group.rank;
  o.world = c.learner.group.world;
  o.seed = c.seed;
  o.weights = c.data.weights;
  return o;
}

/// Steps of an epoch, or of a part or several of it.
int64_t steps_of(const Config& c, const data::Batches& batches) {
  if (c.steps > 0) return c.steps;
  const double per_epoch = static_cast<double>(batches.steps(1));
  return std::max<int64_t>(1, static_cast<int64_t>(std::llround(c.epochs * per_epoch)));
}

class Sft final : public Learning {
 public:
  Sft(const Config& c, Surroundings& s)
      : config_(c), learner_(s.learner), processes_(s.learner, c.learner.group), examples_(s.examples), held_out_(s.held_out), loss_(objective::parse<objective::SupervisedLoss>(c.sft_loss)),
        batches_(data::items_of(s.examples), batch_options(c)) {}
  int64_t steps() const override { return steps_of(config_, batches_); }

  Metrics step(int64_t, double rate) override {
    const data::Batch batch = batches_.next();
    objective::Totals totals;
    int64_t tokens = 0;
    for (const size_t i : batch.all) ++totals.sequences, totals.tokens += trained_tokens(examples_[i]), tokens += static_cast<int64_t>(examples_[i].ids.size());
    double loss = 0, sum = 0, entropy = 0;
    for (const std::vector<size_t>& pack : batch.mine) {
      std::vector<learn::Sequence> sequences;
      for (const size_t i : pack) sequences.push_back(sequence_of(examples_[i]));
      learner_.accumulate(sequences, [&](const Learner::Tokens& t, std::span<double> gradient) {
        const std::vector<double> lp(t.logprobs.begin(), t.logprobs.end());
        loss += objective::supervised_loss(loss_, lp, totals, gradient);
        for (const double l : lp) sum += l;
        for (const float e : t.entropies) entropy += e;
      }, true);
    }
    const Learner::Step step = learner_.step(rate, config_.max_grad_norm);
    const double n = static_cast<double>(std::max<int64_t>(totals.tokens, 1));
    Sums sums = processes_.sum({{"loss", loss}, {"sum", sum}, {"entropy", entropy}});
    return {{"loss", sums["loss"]}, {"perplexity", std::exp(-sums["sum"] / n)}, {"entropy", sums["entropy"] / n}, {"gradient_norm", step.gradient_norm}, {"skipped", step.skipped},
            {"epoch", static_cast<double>(batch.from.epoch) + static_cast<double>(batch.from.index) / static_cast<double>(batches_.size())},
            {"examples", static_cast<double>(totals.sequences)}, {"trained_tokens", static_cast<double>(totals.tokens)}, {"tokens", static_cast<double>(tokens)}};
  }

  Metrics evaluate() override {
    if (held_out_.empty()) return {};
    std::vector<learn::Sequence> sequences;
    for (size_t i = 0; i < held_out_.size(); ++i)
      if (processes_.mine(i)) sequences.push_back(sequence_of(held_out_[i]));
    double sum = 0, n = 0;
    for (const auto& l : logprobs(learner_, sequences, learn::Policy::Current, config_.batch_tokens))
      for (const double x : l) sum -= x, ++n;
    Sums sums = processes_.sum({{"loss", sum}, {"n", n}});
    return {{"held_out/loss", sums["loss"] / std::max(sums["n"], 1.0)}};
  }

  Json state() const override { return position_json(batches_.position()); }
  void restore(const Json& j) override { batches_.seek(position_of(j)); }

 private:
  const Config& config_;
  Learner& learner_;
  const Processes processes_;
  const std::vector<Example>&examples_, &held_out_;
  objective::SupervisedLoss loss_;
  data::Batches batches_;
};

class Dpo final : public Learning {
 public:
  Dpo(const Config& c, Surroundings& s)
      : config_(c), learner_(s.learner), processes_(s.learner, c.learner.group), pairs_(s.pairs), held_out_(s.held_out_pairs), options_(preference_options(c.dpo)),
        batches_(data::items_of(s.pairs), batch_options(c)) {
    if (!c.learner.lora || !c.adapter.empty()) learner_.keep_reference();
    reference_ = sums(pairs_, learn::Policy::Reference);  // once: the reference does not change
    held_out_reference_ = sums(held_out_, learn::Policy::Reference);
  }
  int64_t steps() const override { return steps_of(config_, batches_); }

  Metrics step(int64_t, double rate) override {
    const data::Batch batch = batches_.next();
    const int64_t total = static_cast<int64_t>(batch.all.size());
    double loss = 0, tokens = 0, trained = 0;
    objective::PreferenceMetrics m;
    for (const std::vector<size_t>& pack : batch.mine) {
      std::vector<learn::Sequence> sequences;
      std::vector<int64_t> lengths;
      for (const size_t i : pack)
        for (const Example* e : {&pairs_[i].chosen, &pairs_[i].rejected}) {
          sequences.push_back(sequence_of(*e));
          lengths.push_back(trained_tokens(*e));
          tokens += static_cast<double>(e->ids.size());
          trained += static_cast<double>(lengths.back());
        }
      learner_.accumulate(sequences, [&](const Learner::Tokens& t, std::span<double> gradient) {
        std::vector<double> sums;
        size_t at = 0;
        for (const int64_t n : lengths) {
          double sum = 0;
          for (int64_t k = 0; k < n; ++k) sum += t.logprobs[at++];
          sums.push_back(sum);
        }
        std::vector<double> by;
        const objective::PreferenceResult r = result(pack, sums, lengths, reference_, total, &by);
        loss += r.loss;
        m += r.metrics;
        at = 0;
        for (size_t k = 0; k < lengths.size(); ++k)
          for (int64_t j = 0; j < lengths[k]; ++j) gradient[at++] = by[k];
      });
    }
    const Learner::Step step = learner_.step(rate, config_.max_grad_norm);
    Sums sums = processes_.sum({{"loss", loss}, {"tokens", tokens}, {"trained", trained}, {"pairs", static_cast<double>(m.pairs)}, {"chosen", m.chosen_reward}, {"rejected", m.rejected_reward},
                                {"accuracy", m.accuracy}, {"chosen_logprob", m.chosen_logprob}, {"rejected_logprob", m.rejected_logprob}});
    loss = sums["loss"], tokens = sums["tokens"], trained = sums["trained"];
    m = {static_cast<int64_t>(sums["pairs"]), sums["chosen"], sums["rejected"], sums["accuracy"], sums["chosen_logprob"], sums["rejected_logprob"]};
    // BCO's shift: the mean of all rewards so far.
    rewards_ += m.chosen_reward + m.rejected_reward;
    rewarded_ += 2 * m.pairs;
    options_.bco_shift = rewards_ / static_cast<double>(std::max<int64_t>(rewarded_, 1));
    return {{"loss", loss}, {"accuracy", m.mean(m.accuracy)}, {"margin", m.mean(m.chosen_reward - m.rejected_reward)}, {"chosen_reward", m.mean(m.chosen_reward)},
            {"rejected_reward", m.mean(m.rejected_reward)}, {"chosen_logprob", m.mean(m.chosen_logprob)}, {"rejected_logprob", m.mean(m.rejected_logprob)},
            {"gradient_norm", step.gradient_norm}, {"skipped", step.skipped},
            {"epoch", static_cast<double>(batch.from.epoch) + static_cast<double>(batch.from.index) / static_cast<double>(batches_.size())},
            {"pairs", static_cast<double>(total)}, {"trained_tokens", trained}, {"tokens", tokens}};
  }

  Metrics evaluate() override {
    if (held_out_.empty()) return {};
    const std::vector<double> now = sums(held_out_, learn::Policy::Current);
    std::vector<size_t> pack;
    std::vector<int64_t> lengths;
    for (size_t i = 0; i < held_out_.size(); ++i) {
      pack.push_back(i);
      lengths.push_back(trained_tokens(held_out_[i].chosen));
      lengths.push_back(trained_tokens(held_out_[i].rejected));
    }
    const auto r = result(pack, now, lengths, held_out_reference_, static_cast<int64_t>(held_out_.size()), nullptr);
    return {{"held_out/loss", r.loss}, {"held_out/accuracy", r.metrics.mean(r.metrics.accuracy)}};
  }

  Json state() const override {
    Json out = position_json(batches_.position());
    out.add("rewards", rewards_);
    out.add("rewarded", rewarded_);
    return out;
  }
  void restore(const Json& j) override {
    batches_.seek(position_of(j));
    rewarded_ = whole(j, "rewarded");
    const Json* sum = j.find("rewards");
    if (!sum || !sum->is_number()) throw InputError("`rewards`: expected a number");
    rewards_ = sum->as_float();
    options_.bco_shift = rewards_ / static_cast<double>(std::max<int64_t>(rewarded_, 1));
  }

 private:
  /// `sums`: chosen, rejected, chosen, …; `by`: the gradients in the same order.
  objective::PreferenceResult result(const std::vector<size_t>& pack, const std::vector<double>& sums, const std::vector<int64_t>& lengths,
                                     const std::vector<double>& reference, int64_t total, std::vector<double>* by) const {
    std::vector<double> chosen, rejected, reference_chosen, reference_rejected;
    std::vector<int64_t> chosen_lengths, rejected_lengths;
    for (size_t k = 0; k < pack.size(); ++k) {
      chosen.push_back(sums[2 * k]);
      rejected.push_back(sums[2 * k + 1]);
      reference_chosen.push_back(reference[2 * pack[k]]);
      reference_rejected.push_back(reference[2 * pack[k] + 1]);
      chosen_lengths.push_back(lengths[2 * k]);
      rejected_lengths.push_back(lengths[2 * k + 1]);
    }
    std::vector<double> by_chosen(pack.size()), by_rejected(pack.size());
    const auto r = objective::preference_loss({chosen, rejected, reference_chosen, reference_rejected, chosen_lengths, rejected_lengths}, options_, total, by_chosen, by_rejected);
    if (by)
      for (size_t k = 0; k < pack.size(); ++k) by->push_back(by_chosen[k]), by->push_back(by_rejected[k]);
    return r;
  }
  /// Of each pair's chosen and rejected.
  std::vector<double> sums(const std::vector<Pair>& pairs, learn::Policy policy) {
    return processes_.deal(pairs.size(), 2, [&](const std::vector<size_t>& mine) {
      std::vector<learn::Sequence> sequences;
      for (const size_t i : mine) sequences.push_back(sequence_of(pairs[i].chosen)), sequences.push_back(sequence_of(pairs[i].rejected));
      std::vector<double> out;
      for (const auto& l : logprobs(learner_, sequences, policy, config_.batch_tokens)) {
        out.push_back(0);
        for (const double x : l) out.back() += x;
      }
      return out;
    });
  }

  const Config& config_;
  Learner& learner_;
  const Processes processes_;
  const std::vector<Pair>&pairs_, &held_out_;
  objective::PreferenceOptions options_;
  data::Batches batches_;
  std::vector<double> reference_, held_out_reference_;
  double rewards_ = 0;
  int64_t rewarded_ = 0;
};

class Grpo final : public Learning {
 public:
  Grpo(const Config& c, Surroundings& s)
      : config_(c), grpo_(c.grpo), learner_(s.learner), processes_(s.learner, c.learner.group), around_(s), options_(policy_options(c.grpo)), scaling_(advantage_options(c.grpo)),
        taken_(s.arena->games().size()) {
    if (grpo_.beta > 0 && (!c.learner.lora || !c.adapter.empty())) learner_.keep_reference();
  }
  int64_t steps() const override { return config_.steps; }

  Metrics step(int64_t, double rate) override {
    const double began = engine::now(), sampling = around_.sampling_seconds ? around_.sampling_seconds() : 0;
    Metrics out;
    rows_.clear();
    gather(out);
    const double played = engine::now();
    if (around_.sampling_seconds) out.emplace_back("seconds/sample", around_.sampling_seconds() - sampling);
    if (around_.played)
      for (auto& m : around_.played()) out.push_back(std::move(m));
    if (nothing_) {
      if (++in_vain_ >= kInVain)
        throw InputError(std::to_string(kInVain) + " steps in a row the members of every group fared alike, so that there was nothing to learn from" +
                         (last_reason_.empty() ? "" : "; the last episode ended: " + last_reason_) +
                         ". Begin with a model that plays sometimes well and sometimes not (`ppc train sft`), with easier instances, or with larger groups");
      out.insert(out.end(), {{"loss", 0}, {"gradient_norm", 0}, {"skipped", 0}, {"seconds/play", played - began}, {"seconds/learn", 0}});
      return out;
    }
    in_vain_ = 0;
    update(rate, out);
    const double now = engine::now();
    out.insert(out.end(), {{"seconds/play", played - began}, {"seconds/learn", now - played}});
    return out;
  }

  Json state() const override {
    Json out = Json::object();
    out.add("games", games());
    Json& taken = out.add("taken", Json::list());
    for (const int64_t n : taken_) taken.push(n);
    out.add("groups", groups_);
    out.add("in_vain", in_vain_);
    return out;
  }
  void restore(const Json& j) override {
    groups_ = whole(j, "groups");
    in_vain_ = whole(j, "in_vain");
    const Json *taken = j.find("taken"), *of = j.find("games");
    const std::string now = engine::to_text(games());
    if (of && engine::to_text(*of) != now)
      throw InputError("`games`: the run began with other games or instances: " + engine::to_text(*of) + ", and now there are " + now +
                       ". Go on with those, or begin a new run from its model, with another `output`");
    if (!taken || !taken->is_list() || taken->items().size() != taken_.size()) throw InputError("`taken`: expected a number for each game");
    for (size_t i = 0; i < taken_.size(); ++i) taken_[i] = taken->items()[i].as_int();
  }

 private:
  static constexpr int64_t kInVain = 20;

  /// How many instances each has.
  Json games() const {
    Json out = Json::list();
    for (const Arena::Game& g : around_.arena->games()) {
      Json one = Json::object();
      one.add(g.name, static_cast<uint64_t>(g.instances));
      out.push(std::move(one));
    }
    return out;
  }

  /// What counts for an episode, each with its weight.
  static constexpr size_t kRewards = 2;
  std::array<double, kRewards> weights() const { return {grpo_.score_weight, grpo_.reward_weight}; }
  static std::array<double, kRewards> rewards_of(const Part& p) { return {p.example.origin.reward, p.rewards}; }

  struct Row {
    Example example;
    double advantage = 0;
    std::vector<double> old, reference, sampled;
  };

  /// The next group to be played. A game's instances come in an order that is new each time they are through.
  Group next_group() {
    const auto& games = around_.arena->games();
    double all = 0;
    for (const auto& g : games) all += g.weight;
    const uint64_t chance = engine::mix_seed(config_.seed, 1, static_cast<uint64_t>(groups_), 0);
    double at = static_cast<double>(chance >> 11) * 0x1p-53 * all;
    size_t game = 0;
    while (game + 1 < games.size() && at >= games[game].weight) at -= games[game++].weight;
    const int64_t n = static_cast<int64_t>(games[game].instances), taken = taken_[game]++;
    std::vector<size_t> order(games[game].instances);
    for (size_t i = 0; i < order.size(); ++i) order[i] = i;
    for (size_t i = order.size(); i > 1; --i)
      std::swap(order[i - 1], order[engine::mix_seed(config_.seed, 2 + game, static_cast<uint64_t>(taken / n), i) % i]);
    Group g;
    g.game = game;
    g.instance = order[static_cast<size_t>(taken % n)];
    g.seed = engine::mix_seed(config_.seed, 0, static_cast<uint64_t>(groups_), 1);
    g.members = grpo_.group_size;
    if (grpo_.baseline == "turn") g.fork_round = 1 + static_cast<uint32_t>((chance & 2047) % static_cast<uint64_t>(grpo_.fork_rounds));
    ++groups_;
    return g;
  }

  void gather(Metrics& out) {
    const double began = engine::now();
    (around_.refresh ? around_.refresh : around_.publish)();
    const double published = engine::now();
    int64_t wanted = grpo_.groups, played_groups = 0, kept = 0;
    Sums sums;
    std::vector<double> rewards;  // of each row
    std::vector<int64_t> groups_of;
    while (wanted > 0 && played_groups < grpo_.groups * grpo_.resample) {
      std::vector<Group> groups;
      for (int64_t i = 0; i < std::min(wanted, grpo_.groups * grpo_.resample - played_groups); ++i) {
        const Group g = next_group();
        if (processes_.mine(static_cast<size_t>(i))) groups.push_back(g);
      }
      played_groups += std::min(wanted, grpo_.groups * grpo_.resample - played_groups);
      auto results = around_.arena->play(groups);
      Sums wave;
      for (size_t g = 0; g < groups.size(); ++g) {
        // A role at a time: what is compared are members that did the same thing.
        std::map<std::string, std::vector<Part*>> roles;
        const std::string game = around_.arena->games()[groups[g].game].name;
        for (Played& p : results[g]) {
          wave["episodes"] += 1;
          wave["ended"] += p.outcome != "aborted";
          wave["won"] += p.outcome == "won";
          wave["score"] += std::isnan(p.score) ? 0 : p.score;
          wave["replies"] += static_cast<double>(p.replies);
          wave["cut"] += static_cast<double>(p.length_cut);
          if (!p.reason.empty()) last_reason_ = p.reason;
          for (const auto& [rule, n] : p.violations) wave["violations/" + rule] += static_cast<double>(n);
          wave["game episodes/" + game] += 1;
          wave["game ended/" + game] += p.outcome != "aborted";
          for (Part& part : p.parts) {
            double reward = 0;
            for (size_t k = 0; k < kRewards; ++k) reward += weights()[k] * rewards_of(part)[k];
            if (!std::isfinite(reward)) throw InputError(game + ": an episode's reward is no finite number");
            wave["rewards"] += reward;
            wave["squares"] += reward * reward;
            wave["game rewards/" + game] += reward / static_cast<double>(p.parts.size());
            wave["parts"] += 1;
            roles[part.role].push_back(&part);
          }
        }
        wave["unforked"] += groups[g].fork_round && results[g].size() < 2;
        bool teaches = false;
        for (auto& [role, members] : roles) {
          if (members.size() < 2) continue;
          std::vector<double> of_members;
          for (const Part* p : members)
            for (const double r : rewards_of(*p)) of_members.push_back(r);
          const objective::Advantages::Group group = objective::advantages(of_members, weights(), std::vector<int64_t>(members.size()), scaling_).groups[0];
          wave["deviation"] += group.deviation;
          wave["compared"] += 1;
          if (group.flat) continue;
          teaches = true;
          rewards.insert(rewards.end(), of_members.begin(), of_members.end());
          for (Part* p : members) {
            Row row;
            row.example = std::move(p->example);
            groups_of.push_back(kept);
            wave["rows"] += 1;
            wave["trained"] += static_cast<double>(trained_tokens(row.example));
            rows_.push_back(std::move(row));
          }
          ++kept;
        }
        wave["teach"] += teaches;
      }
      for (const auto& [name, value] : processes_.sum(wave)) sums[name] += value;
      wanted = grpo_.groups - static_cast<int64_t>(std::llround(sums["teach"]));
    }
    nothing_ = sums["rows"] == 0;
    judge(rewards, groups_of);
    const double n = std::max(sums["episodes"], 1.0), parts = std::max(sums["parts"], 1.0), ended = sums["ended"], groups = static_cast<double>(played_groups);
    const double reward = sums["rewards"] / parts;
    out.insert(out.end(), {{"reward", reward}, {"reward_deviation", std::sqrt(std::max(0.0, sums["squares"] / parts - reward * reward))}, {"group_deviation", sums["deviation"] / std::max(sums["compared"], 1.0)},
                           {"played", 100 * ended / n}, {"won", 100 * sums["won"] / n}, {"score", ended > 0 ? sums["score"] / ended : std::numeric_limits<double>::quiet_NaN()},
                           {"episodes", n}, {"groups", groups}, {"flat_groups", groups - sums["teach"]}, {"sequences", sums["rows"]}, {"trained_tokens", sums["trained"]},
                           {"reply_cut", sums["replies"] > 0 ? sums["cut"] / sums["replies"] : 0}, {"replies", sums["replies"] / n}});
    if (grpo_.baseline == "turn") out.emplace_back("unforked_groups", sums["unforked"]);
    for (const Arena::Game& g : around_.arena->games()) {
      const double episodes = sums["game episodes/" + g.name];
      // The same game may stand there several times.
      if (episodes == 0 || find(out, "reward/" + g.name)) continue;
      out.emplace_back("reward/" + g.name, sums["game rewards/" + g.name] / episodes);
      out.emplace_back("played/" + g.name, 100 * sums["game ended/" + g.name] / episodes);
    }
    for (const auto& [name, value] : sums)
      if (name.rfind("violations/", 0) == 0) out.emplace_back(name, value / n);
    out.emplace_back("seconds/publish", published - began);
  }

  /// The rows' advantages. A deviation may be that of the whole batch, so all processes tell their rewards.
  void judge(const std::vector<double>& rewards, const std::vector<int64_t>& groups_of) {
    std::vector<double> mine;
    for (size_t i = 0; i < groups_of.size(); ++i) {
      mine.push_back(static_cast<double>(groups_of[i]));
      mine.insert(mine.end(), rewards.begin() + static_cast<ptrdiff_t>(i * kRewards), rewards.begin() + static_cast<ptrdiff_t>((i + 1) * kRewards));
    }
    std::vector<double> all;
    std::vector<int64_t> ids;
    size_t begin = 0;
    const auto said = processes_.exchange(mine);
    for (size_t r = 0; r < said.size(); ++r) {
      if (r == processes_.rank()) begin = ids.size();
      for (auto at = said[r].begin(); at != said[r].end(); at += 1 + kRewards) {
        ids.push_back(static_cast<int64_t>(*at) * static_cast<int64_t>(said.size()) + static_cast<int64_t>(r));
        all.insert(all.end(), at + 1, at + 1 + kRewards);
      }
    }
    if (all.empty()) return;
    const objective::Advantages a = objective::advantages(all, weights(), ids, scaling_);
    for (size_t i = 0; i < rows_.size(); ++i) rows_[i].advantage = a.values[begin + i];
  }

  void update(double rate, Metrics& out) {
    const double temperature = config_.sampling.temperature;
    std::vector<learn::Sequence> sequences;
    std::vector<int64_t> lengths;
    objective::Totals totals;
    for (Row& r : rows_) {
      sequences.push_back(sequence_of(r.example, temperature));
      lengths.push_back(static_cast<int64_t>(r.example.ids.size()));
      ++totals.sequences;
      totals.tokens += trained_tokens(r.example);
      for (size_t i = 0; i < r.example.ids.size(); ++i)
        if (r.example.trained[i]) r.sampled.push_back(r.example.logprobs[i]);
    }
    Sums all = processes_.sum({{"sequences", static_cast<double>(totals.sequences)}, {"tokens", static_cast<double>(totals.tokens)}});
    totals = {static_cast<int64_t>(all["sequences"]), static_cast<int64_t>(all["tokens"])};
    // With one update the weights of now are those that the ratio is taken against.
    if (grpo_.updates > 1) {
      auto old = logprobs(learner_, sequences, learn::Policy::Current, config_.batch_tokens);
      for (size_t i = 0; i < rows_.size(); ++i) rows_[i].old = std::move(old[i]);
    }
    if (grpo_.beta > 0) {
      auto reference = logprobs(learner_, sequences, learn::Policy::Reference, config_.batch_tokens);
      for (size_t i = 0; i < rows_.size(); ++i) rows_[i].reference = std::move(reference[i]);
    }
    double loss = 0, entropy = 0, norm = 0, skipped = 0;
    objective::PolicyMetrics m;
    for (int64_t u = 0; u < grpo_.updates; ++u) {
      for (const auto& [from, to] : packs(lengths, config_.batch_tokens)) {
        learner_.accumulate(std::span(sequences).subspan(from, to - from), [&, from = from, to = to](const Learner::Tokens& t, std::span<double> gradient) {
          const std::vector<double> now(t.logprobs.begin(), t.logprobs.end());
          std::vector<double> old, reference, sampled, advantages;
          std::vector<int64_t> counts;
          for (size_t i = from; i < to; ++i) {
            const Row& r = rows_[i];
            old.insert(old.end(), r.old.begin(), r.old.end());
            reference.insert(reference.end(), r.reference.begin(), r.reference.end());
            sampled.insert(sampled.end(), r.sampled.begin(), r.sampled.end());
            counts.push_back(static_cast<int64_t>(r.sampled.size()));
            advantages.push_back(r.advantage);
          }
          if (old.empty()) old = now;
          const auto result = objective::policy_loss({counts, now, old, reference, sampled, advantages, {}}, options_, totals, gradient);
          loss += result.loss;
          m += result.metrics;
          for (const float e : t.entropies) entropy += e;
        }, true);
      }
      const Learner::Step step = learner_.step(rate, config_.max_grad_norm);
      norm += step.gradient_norm;
      skipped += step.skipped;
    }
    double ids = 0;
    for (const int64_t n : lengths) ids += static_cast<double>(n);
    all = processes_.sum({{"loss", loss}, {"entropy", entropy}, {"ids", ids}, {"tokens", static_cast<double>(m.tokens)}, {"ratio", m.ratio}, {"max ratio", m.ratio_max},
                          {"low", static_cast<double>(m.clipped_low)}, {"high", static_cast<double>(m.clipped_high)}, {"old_kl", m.old_kl}, {"kl", m.reference_kl}, {"gap", m.sampler_gap},
                          {"max gap", m.sampler_gap_max}, {"correction", m.correction}, {"squares", m.correction_squares}});
    m.tokens = static_cast<int64_t>(all["tokens"]);
    m.correction = all["correction"];
    m.correction_squares = all["squares"];
    const double updates = static_cast<double>(grpo_.updates);
    auto mean = [&](const char* name) { return m.mean(all[name]); };
    out.insert(out.end(), {{"loss", all["loss"] / updates}, {"entropy", mean("entropy")}, {"gradient_norm", norm / updates}, {"skipped", skipped}, {"ratio", mean("ratio")},
                           {"ratio_max", all["max ratio"]}, {"clipped_low", mean("low")}, {"clipped_high", mean("high")}, {"old_kl", mean("old_kl")}, {"sampler_gap", mean("gap")},
                           {"sampler_gap_max", all["max gap"]}, {"effective_sample_size", m.effective_sample_size()}, {"tokens", updates * all["ids"]}});
    if (grpo_.beta > 0) out.emplace_back("kl", mean("kl"));
  }

  const Config& config_;
  const GrpoOptions& grpo_;
  Learner& learner_;
  const Processes processes_;
  Surroundings& around_;
  const objective::PolicyOptions options_;
  const objective::AdvantageOptions scaling_;
  std::vector<Row> rows_;
  bool nothing_ = false;        // to learn from in this step, in all processes
  std::vector<int64_t> taken_;  // by game: groups so far
  int64_t groups_ = 0, in_vain_ = 0;
  std::string last_reason_;
};

/// Plays each instance once; clembench's numbers.
Metrics play(Arena& arena, uint64_t seed, const Processes& processes) {
  std::vector<Group> groups;
  size_t all = 0;
  for (size_t g = 0; g < arena.games().size(); ++g)
    for (size_t i = 0; i < arena.games()[g].instances; ++i, ++all)
      if (processes.mine(all)) groups.push_back({g, i, engine::mix_seed(seed, 3 + g, i, 0), 1, {}});
  const auto results = arena.play(groups);
  Sums sums;
  for (size_t i = 0; i < groups.size(); ++i) {
    const std::string game = std::to_string(groups[i].game);
    for (const Played& p : results[i]) {
      sums["episodes/" + game] += 1;
      if (p.outcome != "aborted" && !std::isnan(p.score)) sums["ended/" + game] += 1, sums["score/" + game] += p.score;
      for (const auto& [rule, n] : p.violations) sums["violations/" + rule] += static_cast<double>(n);
    }
  }
  sums = processes.sum(sums);
  Metrics out;
  double played = 0, quality = 0, with_quality = 0, count = 0;
  for (size_t g = 0; g < arena.games().size(); ++g) {
    const std::string game = std::to_string(g), &name = arena.games()[g].name;
    const double episodes = sums["episodes/" + game], ended = sums["ended/" + game];
    if (episodes == 0) continue;
    const double p = 100 * ended / episodes, q = ended > 0 ? sums["score/" + game] / ended : std::numeric_limits<double>::quiet_NaN();
    out.emplace_back("eval/played/" + name, p);
    out.emplace_back("eval/score/" + name, q);
    played += p;
    ++count;
    if (ended > 0) quality += q, ++with_quality;
  }
  // clemscore: mean % played times mean quality (docs/eval.md).
  played = count ? played / count : 0;
  quality = with_quality ? quality / with_quality : std::numeric_limits<double>::quiet_NaN();
  out.insert(out.begin(), {{"eval/clemscore", std::isnan(quality) ? 0 : played * quality / 100}, {"eval/played", played}, {"eval/score", quality}});
  for (const auto& [name, n] : sums)
    if (name.rfind("violations/", 0) == 0) out.emplace_back("eval/" + name, n / static_cast<double>(std::max<size_t>(all, 1)));
  return out;
}

constexpr int64_t kSkippedAtMost = 20;

/// Whether all weights are numbers.
bool all_finite(Learner& learner) {
  bool out = true;
  learner.weights([&](const model::TensorView& v) {
    // All bits of the exponent.
    auto look = [&]<class T>(T exponent) {
      for (size_t i = 0; i < v.data.size(); i += sizeof(T)) {
        T bits;
        std::memcpy(&bits, &v.data[i], sizeof bits);
        if ((bits & exponent) == exponent) out = false;
      }
    };
    if (v.dtype == model::DType::F32) look(uint32_t{0x7F800000});
    else look(static_cast<uint16_t>(v.dtype == model::DType::BF16 ? 0x7F80 : 0x7C00));
  });
  return out;
}

Json sources_json(const std::vector<Source>& sources) {
  Json out = Json::list();
  for (const Source& s : sources) {
    Json one = Json::object();
    one.add("key", s.key);
    one.add("path", s.path);
    one.add("examples", s.examples);
    one.add("digest", std::to_string(s.digest));
    out.push(std::move(one));
  }
  return out;
}

/// A run goes on with the data that it began with: a position among others means nothing. Files may have moved.
void check_sources(const std::vector<Source>& now, const Json& state) {
  const Json* list = state.find("sources");
  if (!list) return;  // of a version that did not keep it
  if (!list->is_list()) throw InputError("`sources`: expected a list");
  std::vector<Source> then;
  for (const Json& j : list->items()) {
    auto text = [&](const char* key) {
      const Json* v = j.find(key);
      if (!v || !v->is_text()) throw InputError(std::string("`sources`: `") + key + "`: expected a text");
      return v->as_text();
    };
    then.push_back({text("key"), text("path"), whole(j, "examples"), std::strtoull(text("digest").c_str(), nullptr, 10)});
  }
  auto same = [](const Source& a, const Source& b) { return a.key == b.key && a.examples == b.examples && a.digest == b.digest; };
  if (std::equal(now.begin(), now.end(), then.begin(), then.end(), same)) return;
  std::string what;
  auto tell = [&](const Source& s, const std::string& how) { what += (what.empty() ? "`" : ", `") + s.key + "`: " + s.path + " " + how; };
  auto of = [](const std::vector<Source>& list, const Source& s) {
    return std::find_if(list.begin(), list.end(), [&](const Source& o) { return o.key == s.key && o.path == s.path; });
  };
  for (const Source& t : then) {
    const auto n = of(now, t);
    if (n == now.end()) tell(t, "(" + std::to_string(t.examples) + ") is no longer there");
    else if (!same(*n, t)) tell(t, n->examples == t.examples ? "(" + std::to_string(t.examples) + ") says something else" : "had " + std::to_string(t.examples) + " and has " + std::to_string(n->examples));
  }
  for (const Source& n : now)
    if (of(then, n) == then.end()) tell(n, "(" + std::to_string(n.examples) + ") is new");
  if (what.empty()) what = "the files of `data` have changed places";
  throw InputError("the run began with other data: " + what + ". The files, the filters of `data`, `template` or the tokenizer are not what they were. Put them back, or begin a new run "
                   "from its model, with another `output`");
}

}  // namespace

std::string checkpoint_of(const Config& config, bool resume) {
  const std::string from = Checkpoints((fs::path(config.output) / "checkpoints").string(), config.keep).newest();
  if (!resume && !from.empty())
    throw InputError(config.output + ": there is a run in it already (" + from + "); --resume goes on with it, another `output` begins anew");
  return from;
}

Outcome train(const Config& config, Surroundings& around, bool resume) {
  check(config);
  const fs::path out = config.output;
  const std::string from = checkpoint_of(config, resume);
  Checkpoints checkpoints((out / "checkpoints").string(), config.keep);
  std::unique_ptr<Learning> method;
  if (config.method == Method::Sft) method = std::make_unique<Sft>(config, around);
  else if (config.method == Method::Dpo) method = std::make_unique<Dpo>(config, around);
  else method = std::make_unique<Grpo>(config, around);
  const Processes processes(around.learner, config.learner.group);
  const int64_t steps = method->steps();
  const int64_t warmup = config.warmup < 1 ? static_cast<int64_t>(std::llround(config.warmup * static_cast<double>(steps))) : static_cast<int64_t>(config.warmup);

  int64_t step = 0, best_step = -1, worse = 0;
  double best = -std::numeric_limits<double>::infinity();
  if (!from.empty()) {
    const std::string file = from + "/trainer.json";
    const Json state = engine::load_json(file);
    try {
      step = whole(state, "step");
      best_step = whole(state, "best_step");
      worse = whole(state, "worse");
      if (const Json* b = state.find("best"); b && b->is_number()) best = b->as_float();
      if (const Json* name = state.find("method"); !name || !name->is_text() || name->as_text() != method_name(config.method))
        throw InputError("`method`: the run there is " + (name && name->is_text() ? name->as_text() : "of none that is known") + ", this one is " + method_name(config.method) + ": another `output`");
      check_sources(around.sources, state);
      const Json* of = state.find("data");
      if (!of) throw InputError("`data`: missing");
      method->restore(*of);
    } catch (const InputError& e) {
      throw InputError(file + ": " + e.what());
    }
    around.learner.load_state(from + "/state");
    if (around.note) around.note("goes on behind step " + std::to_string(step) + " (" + from + ")");
  }
  auto save = [&] {
    if (!processes.first()) return around.learner.save_state("");  // has a part of it
    checkpoints.save(step, [&](const std::string& folder) {
      around.learner.save_state(folder + "/state");
      Json state = Json::object();
      state.add("method", method_name(config.method));
      state.add("step", step);
      state.add("best_step", best_step);
      state.add("best", std::isfinite(best) ? Json(best) : Json());
      state.add("worse", worse);
      state.add("data", method->state());
      state.add("sources", sources_json(around.sources));
      model::write_file_atomically(folder + "/trainer.json", engine::to_text(state, {.indent = 1, .nan_as_null = true}) + "\n");
    });
  };
  Outcome outcome;
  auto evaluate = [&] {
    Metrics m = method->evaluate();
    if (around.evaluation) {
      around.publish();
      around.evaluation->record_in((out / "evaluation" / ("step-" + std::to_string(step))).string());
      const double began = engine::now();
      Metrics played = play(*around.evaluation, config.seed, processes);
      around.evaluation->record_in("");
      m.insert(m.begin(), played.begin(), played.end());
      m.emplace_back("eval/seconds", engine::now() - began);
    }
    if (m.empty()) return;
    if (around.evaluated) around.evaluated(step, m);
    // What counts: how it plays; where nothing is played, what it says to what was held out.
    const std::optional<double> score = find(m, "eval/clemscore"), loss = find(m, "held_out/loss");
    const double value = score ? *score : loss ? -*loss : 0;
    if (value > best) {
      best = value;
      best_step = step;
      worse = 0;
      outcome.best = (out / "best").string();
      if (around.save_model) around.save_model(outcome.best);
    } else {
      ++worse;
    }
  };

  // What is no good: the message says what is.
  auto fail = [&](const std::string& what) {
    const std::string last = checkpoints.newest();
    throw std::runtime_error("step " + std::to_string(step + 1) + ": " + what + (last.empty() ? "" : "; the last good checkpoint is " + last + ", and --resume goes on with it") +
                             ". A smaller `optimizer.learning_rate` or `optimizer.max_grad_norm` may help");
  };
  // The weights of now make no numbers, and would not in a run that goes on with them.
  auto bad_weights = [&](const std::string& what) {
    const bool aside = processes.first() && checkpoints.set_aside(step);
    fail(what + (aside ? "; the checkpoint of step " + std::to_string(step) + " has the same weights, and was set aside" : ""));
  };
  auto needs_numbers = [&](const auto& f) {
    try {
      f();
    } catch (const std::domain_error& e) {
      bad_weights(std::string(e.what()) + ", so nothing was learned from it");
    } catch (const SystemError& e) {  // where the model plays it is the sampler that says so
      if (all_finite(around.learner)) throw;
      bad_weights(e.what());
    }
  };
  if (step == 0) needs_numbers(evaluate);
  bool early = false;
  int64_t skipped = 0;
  // All end at the same step, whoever was told.
  auto stop = [&] { return processes.sum({{"max stop", around.stop && *around.stop ? 1 : 0}})["max stop"] > 0; };
  while (step < steps && !early && !stop()) {
    const double began = engine::now();
    const double rate = config.learning_rate * rate_at(config.schedule, step, steps, warmup, config.last_rate);
    Metrics m;
    try {
      needs_numbers([&] { m = method->step(step, rate); });
    } catch (const engine::SystemError& e) {  // a player is gone
      const std::string last = checkpoints.newest();
      throw engine::SystemError("step " + std::to_string(step + 1) + ": " + e.what() + (last.empty() ? "" : "; the last good checkpoint is " + last + ": --resume goes on from there"));
    }
    skipped = find(m, "skipped").value_or(0) > 0 ? skipped + 1 : 0;
    if (skipped == kSkippedAtMost) fail("the gradients of " + std::to_string(skipped) + " steps in a row were not finite, and left out");
    ++step;
    const double took = engine::now() - began;
    m.emplace_back("learning_rate", rate);
    m.emplace_back("seconds", took);
    if (const auto tokens = find(m, "tokens")) m.emplace_back("tokens_per_second", *tokens / took);
    if (around.step) around.step(step, m);
    if (config.evaluation.every > 0 && step % config.evaluation.every == 0 && step < steps) {
      needs_numbers(evaluate);
      early = config.evaluation.patience > 0 && worse >= config.evaluation.patience;
    }
    if (config.save_every > 0 && step % config.save_every == 0 && step < steps) save();
  }
  outcome.steps = step;
  outcome.early = early;
  outcome.stopped = step < steps && !early;
  if (!outcome.stopped && !early) needs_numbers(evaluate);
  save();
  if (!outcome.stopped) {
    outcome.last = (out / "model").string();
    if (around.save_model) around.save_model(outcome.last);
  }
  if (best_step >= 0) outcome.best = (out / "best").string();
  return outcome;
}

}  // namespace ppc::train
