#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <future>
#include <map>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>

#include "trainers/sampling/generator.h"

namespace ppc::sampling {
namespace {

using local::Sampling;

// ---- one row -----------------------------------------------------------------------------------------------------------

/// The same by the definitions, in doubles; probabilities of all tokens.
std::vector<double> reference(std::vector<float> logits, const Sampling& s, const std::vector<TokenId>& seen, const std::vector<bool>& allowed) {
  const size_t n = logits.size();
  std::vector<double> p(n);
  for (size_t t = 0; t < n; ++t) {
    double x = logits[t];
    if (std::find(seen.begin(), seen.end(), static_cast<TokenId>(t)) != seen.end()) x = x > 0 ? x / s.repetition_penalty : x * s.repetition_penalty;
    p[t] = allowed[t] ? std::exp((x - 20) / s.temperature) : 0;
  }
  std::vector<size_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
  if (s.top_k > 0)
    for (size_t i = static_cast<size_t>(s.top_k); i < n; ++i) p[order[i]] = 0;
  const double all = std::accumulate(p.begin(), p.end(), 0.0);
  double share = 0;
  for (const size_t t : order) {
    if (share >= s.top_p * all) p[t] = 0;
    share += p[t];
  }
  for (size_t t = 0; t < n; ++t)
    if (p[t] < s.min_p * p[order[0]]) p[t] = 0;
  const double sum = std::accumulate(p.begin(), p.end(), 0.0);
  for (double& x : p) x /= sum;
  return p;
}

TEST(Sampler, DrawsFromTheDistributionOfItsSettings) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal(0, 3);
  Sampler sampler;
  for (int i = 0; i < 400; ++i) {
    const size_t n = i % 4 == 0 ? 5000 : 1 + random() % 300;
    std::vector<float> logits(n);
    for (float& x : logits) x = normal(random);
    Sampling s;
    s.temperature = 0.5 + (random() % 10) / 5.0;
    if (random() % 2) s.top_k = 1 + random() % 400;
    if (random() % 2) s.top_p = 0.05 + (random() % 19) / 20.0;
    if (random() % 2) s.min_p = (random() % 10) / 20.0;
    if (random() % 2) s.repetition_penalty = 1.3;
    s.top_logprobs = 5;
    std::vector<TokenId> seen;
    for (int k = 0; k < 6; ++k) seen.push_back(static_cast<TokenId>(random() % n));
    std::vector<bool> allowed(n, true);
    std::vector<uint64_t> bits;
    if (random() % 2) {
      bits.assign((n + 63) / 64, 0);
      for (size_t t = 0; t < n; ++t) allowed[t] = random() % 3 == 0;
      allowed[random() % n] = true;
      for (size_t t = 0; t < n; ++t) bits[t / 64] |= static_cast<uint64_t>(allowed[t]) << t % 64;
    }
    const std::vector<double> p = reference(logits, s, seen, allowed);
    const double u = uniform(7, static_cast<uint64_t>(i));
    std::vector<float> row = logits;
    const Choice c = sampler.choose(row, s, seen, bits, u);
    const auto id = static_cast<size_t>(c.id);
    ASSERT_LT(id, n);
    ASSERT_GT(p[id], 0) << i;
    EXPECT_NEAR(c.logprob, std::log(p[id]), 2e-4) << i;
    const double before = std::accumulate(p.begin(), p.begin() + c.id, 0.0);
    EXPECT_LT(before - 1e-4, u) << i;
    EXPECT_GT(before + p[id] + 1e-4, u) << i;
    ASSERT_FALSE(c.top.empty());
    EXPECT_NEAR(c.top[0].logprob, std::log(*std::max_element(p.begin(), p.end())), 2e-4);
    for (size_t k = 1; k < c.top.size(); ++k) EXPECT_GE(c.top[k - 1].logprob, c.top[k].logprob);
  }
}

TEST(Sampler, DrawsEachTokenAsOftenAsItsProbabilitySays) {
  const std::vector<float> logits{0, 1, 2, -1};
  std::vector<int> counts(4);
  Sampler sampler;
  constexpr int kDraws = 40000;
  for (uint64_t i = 0; i < kDraws; ++i) {
    std::vector<float> row = logits;
    ++counts[static_cast<size_t>(sampler.choose(row, {}, {}, {}, uniform(11, i)).id)];
  }
  const std::vector<double> p = reference(logits, {}, {}, std::vector<bool>(4, true));
  for (size_t t = 0; t < 4; ++t) EXPECT_NEAR(counts[t] / double{kDraws}, p[t], 0.01);
}

TEST(Sampler, AtTemperatureZeroTheLikeliestTokenWithItsProbabilityAtOne) {
  std::vector<float> row{1, 3, 3, 2};
  Sampling s;
  s.temperature = 0;
  const Choice c = Sampler().choose(row, s, {}, {}, 0.999);
  EXPECT_EQ(c.id, 1);
  EXPECT_NEAR(c.logprob, 3 - std::log(std::exp(1) + 2 * std::exp(3) + std::exp(2)), 1e-5);
  const std::vector<uint64_t> allowed{0b1001};
  row = {1, 3, 3, 2};
  EXPECT_EQ(Sampler().choose(row, s, {}, allowed, 0).id, 3);
}

TEST(Sampler, LogitsThatAreNoNumbersAreAnError) {
  for (const float bad : {std::nanf(""), INFINITY})
    for (const size_t at : {0, 5, 39}) {
      std::vector<float> row(40, 1.0f);
      row[at] = bad;
      EXPECT_THROW(Sampler().choose(row, {}, {}, {}, 0.5), std::runtime_error);
    }
  std::vector<float> row(40, -INFINITY);
  EXPECT_THROW(Sampler().choose(row, {}, {}, {}, 0.5), std::runtime_error);
}

// ---- many conversations ------------------------------------------------------------------------------------------------

constexpr int64_t kVocabulary = 50;

/// Its logits are a hash of all ids of the sequence, so that whatever is lost, doubled or mixed up shows.
class FakeNetwork final : public nn::Network {
 public:
  FakeNetwork(int64_t pages, int64_t page_size, int64_t context = 1000) : pages_(pages), page_size_(page_size) {
    config_.vocab_size = kVocabulary;
    config_.max_position_embeddings = context;
  }
  const model::ModelConfig& config() const override { return config_; }
  nn::SequenceId create() override { return sequences_[next_] = {}, next_++; }
  nn::SequenceId fork(nn::SequenceId s, int64_t length) override {
    const auto& from = sequences_.at(s);
    EXPECT_LE(length, static_cast<int64_t>(from.size()));
    sequences_[next_].assign(from.begin(), from.begin() + length);
    shared[next_] = length / page_size_;
    return next_++;
  }
  void truncate(nn::SequenceId s, int64_t length) override { sequences_.at(s).resize(static_cast<size_t>(length)); }
  void release(nn::SequenceId s) override { EXPECT_EQ(sequences_.erase(s), 1u); }
  int64_t length(nn::SequenceId s) const override { return static_cast<int64_t>(sequences_.at(s).size()); }
  int64_t page_size() const override { return page_size_; }
  int64_t pages() const override { return pages_; }
  int64_t free_pages() const override {  // as if nothing were shared
    int64_t used = 0;
    for (const auto& [id, ids] : sequences_) used += (static_cast<int64_t>(ids.size()) + page_size_ - 1) / page_size_;
    return pages_ - used;
  }
  int64_t pages_needed(nn::SequenceId s, int64_t n) const override {
    return (length(s) + n + page_size_ - 1) / page_size_ - (length(s) + page_size_ - 1) / page_size_;
  }
  Logits forward(std::span<const Item> items) override {
    if (fail) throw std::runtime_error("out of memory");
    std::this_thread::sleep_for(std::chrono::microseconds(pause));
    logits_.clear();
    int64_t rows = 0;
    std::vector<nn::SequenceId> seen;
    for (const Item& item : items) {
      EXPECT_EQ(std::count(seen.begin(), seen.end(), item.sequence), 0);
      seen.push_back(item.sequence);
      EXPECT_LE(pages_needed(item.sequence, static_cast<int64_t>(item.tokens.size())), free_pages());
      auto& ids = sequences_.at(item.sequence);
      ids.insert(ids.end(), item.tokens.begin(), item.tokens.end());
      computed += static_cast<int64_t>(item.tokens.size());
      if (item.want == nn::Want::None) continue;
      const std::vector<float> row = logits_of(ids, weights);
      logits_.insert(logits_.end(), row.begin(), row.end());
      ++rows;
    }
    largest = std::max(largest, static_cast<int64_t>(items.size()));
    return {rows, kVocabulary, logits_.data()};
  }
  /// Other weights: another start of the hash.
  void load(const nn::WeightSource& source) override {
    EXPECT_TRUE(sequences_.empty());
    source([](const model::TensorView&) {});
    ++weights;
  }
  Memory memory() const override { return {}; }
  int threads() const override { return host; }
  void share(int64_t tasks, const std::function<void(int64_t, int)>& f) override {
    ++loops;
    std::vector<std::thread> all;
    for (int thread = 0; thread < host; ++thread)
      all.emplace_back([&, thread] {
        for (int64_t i = thread; i < tasks; i += host) f(i, thread);
      });
    for (std::thread& t : all) t.join();
  }

  static std::vector<float> logits_of(const std::vector<TokenId>& ids, uint64_t weights = 0) {
    uint64_t h = 1 + weights;
    for (const TokenId t : ids) h = (h ^ static_cast<uint64_t>(t)) * 0x9E3779B97F4A7C15u, h ^= h >> 31;
    std::mt19937 random(static_cast<uint32_t>(h));
    std::vector<float> out(kVocabulary);
    for (float& x : out) x = static_cast<float>(random() % 1000) / 200;
    return out;
  }

  std::map<nn::SequenceId, int64_t> shared;
  int64_t computed = 0, largest = 0;
  int pause = 0, host = 1, loops = 0;
  uint64_t weights = 0;
  std::atomic<bool> fail{false};

 private:
  model::ModelConfig config_;
  int64_t pages_, page_size_;
  std::map<nn::SequenceId, std::vector<TokenId>> sequences_;
  nn::SequenceId next_ = 0;
  std::vector<float> logits_;
};

constexpr TokenId kEnd = 0;

struct TestJob final : Job {
  explicit TestJob(Sampling s) : settings(std::move(s)) {}
  const Sampling& sampling() const override { return settings; }
  bool chosen(const Choice& c) override {
    ids.push_back(c.id);
    logprobs.push_back(c.logprob);
    return c.id != kEnd;
  }
  void over(const End& e) override { end.set_value(e); }
  Sampling settings;
  std::vector<TokenId> ids;
  std::vector<float> logprobs;
  std::promise<End> end;
};

/// What the definition gives, token by token.
std::vector<TokenId> expected(std::vector<TokenId> ids, const Sampling& s, int64_t context = 1000, uint64_t weights = 0) {
  std::vector<TokenId> out;
  while (static_cast<int64_t>(out.size()) < s.max_tokens && static_cast<int64_t>(ids.size()) < context && (out.empty() || out.back() != kEnd)) {
    std::vector<float> row = FakeNetwork::logits_of(ids, weights);
    out.push_back(Sampler().choose(row, s, ids, {}, uniform(s.seed, out.size())).id);
    ids.push_back(out.back());
  }
  return out;
}

std::vector<TokenId> random_ids(std::mt19937& random, size_t n) {
  std::vector<TokenId> out(n);
  for (TokenId& t : out) t = 1 + static_cast<TokenId>(random() % (kVocabulary - 1));
  return out;
}

TEST(Generator, ManyConversationsOfManyTurnsGetWhatEachWouldGetAlone) {
  for (const int64_t pages : {100000, 90}) {  // with room for all, and for a few
    std::mt19937 random(5);
    auto network = std::make_unique<FakeNetwork>(pages, 8);
    FakeNetwork& net = *network;
    Generator generator(std::move(network), {.batch = 16, .chunk = 20});
    struct Talk {
      std::shared_ptr<Line> line;
      std::vector<TokenId> ids;
    };
    std::vector<Talk> talks(60);
    const std::vector<TokenId> common = random_ids(random, 30);
    for (Talk& t : talks) t.line = generator.open();
    for (int turn = 0; turn < 4; ++turn) {
      std::vector<std::shared_ptr<TestJob>> jobs;
      std::vector<std::future<Job::End>> ends;
      for (size_t i = 0; i < talks.size(); ++i) {
        std::vector<TokenId> prompt = turn == 0 && i % 2 ? common : std::vector<TokenId>{};
        for (const TokenId id : random_ids(random, 1 + random() % 40)) prompt.push_back(id);
        Sampling s;
        s.seed = i * 10 + static_cast<uint64_t>(turn);
        s.max_tokens = 12;
        s.repetition_penalty = 1.1;
        talks[i].ids.insert(talks[i].ids.end(), prompt.begin(), prompt.end());
        jobs.push_back(std::make_shared<TestJob>(s));
        ends.push_back(jobs.back()->end.get_future());
        generator.submit(talks[i].line, prompt, jobs.back());
      }
      for (size_t i = 0; i < talks.size(); ++i) {
        const Job::End end = ends[i].get();
        ASSERT_FALSE(end.failed) << end.failure.error;
        EXPECT_EQ(end.prompt_tokens, static_cast<int64_t>(talks[i].ids.size()));
        EXPECT_EQ(jobs[i]->ids, expected(talks[i].ids, jobs[i]->settings)) << pages << " " << turn << " " << i;
        EXPECT_EQ(end.full, jobs[i]->ids.back() != kEnd);
        talks[i].ids.insert(talks[i].ids.end(), jobs[i]->ids.begin(), jobs[i]->ids.end());
      }
    }
    const local::Statistics st = generator.statistics();
    EXPECT_LE(net.largest, 16);
    EXPECT_GT(net.largest, 8);
    if (pages > 1000) {
      EXPECT_EQ(st.recomputed_tokens, 0);
      // Everything once, also what 30 of the lines begin with.
      int64_t all = 0;
      for (const Talk& t : talks) all += static_cast<int64_t>(t.ids.size()) - 1;
      EXPECT_EQ(net.computed, all - 29 * 30);
    } else {
      EXPECT_GT(st.recomputed_tokens, 0);
    }
  }
}

TEST(Generator, ManyRowsAreChosenFromOnAllThreads) {
  auto network = std::make_unique<FakeNetwork>(100000, 8);
  FakeNetwork& net = *network;
  net.host = 3;
  Generator generator(std::move(network), {.batch = 250});
  std::mt19937 random(11);
  std::vector<std::vector<TokenId>> prompts;
  std::vector<std::shared_ptr<TestJob>> jobs;
  std::vector<std::shared_ptr<Line>> lines;
  for (uint64_t i = 0; i < 500; ++i) {
    prompts.push_back(random_ids(random, 3));
    Sampling s;
    s.seed = i;
    s.max_tokens = 20;
    s.top_k = i % 3 ? 0 : 10;
    jobs.push_back(std::make_shared<TestJob>(s));
    lines.push_back(generator.open());
    generator.submit(lines.back(), prompts.back(), jobs.back());
  }
  for (size_t i = 0; i < jobs.size(); ++i) {
    EXPECT_FALSE(jobs[i]->end.get_future().get().failed);
    EXPECT_EQ(jobs[i]->ids, expected(prompts[i], jobs[i]->settings)) << i;
  }
  EXPECT_GT(net.loops, 0);
}

TEST(Generator, AForkSharesWhatWasComputed) {
  auto network = std::make_unique<FakeNetwork>(1000, 8);
  FakeNetwork& net = *network;
  Generator generator(std::move(network), {});
  std::mt19937 random(9);
  const std::vector<TokenId> prompt = random_ids(random, 50);
  Sampling s;
  s.max_tokens = 10;
  auto ask = [&](const std::shared_ptr<Line>& line, std::vector<TokenId> more, uint64_t seed) {
    s.seed = seed;
    auto job = std::make_shared<TestJob>(s);
    generator.submit(line, std::move(more), job);
    const Job::End end = job->end.get_future().get();
    EXPECT_FALSE(end.failed) << end.failure.error;
    return job->ids;
  };
  auto line = generator.open();
  std::vector<TokenId> ids = prompt;
  for (const TokenId t : ask(line, prompt, 1)) ids.push_back(t);
  const int64_t before = net.computed;
  for (uint64_t seed = 2; seed < 6; ++seed) {
    auto fork = generator.fork(generator.fork(line));
    const std::vector<TokenId> more{7, 8};
    std::vector<TokenId> all = ids;
    all.insert(all.end(), more.begin(), more.end());
    const std::vector<TokenId> got = ask(fork, more, seed);
    EXPECT_EQ(got, expected(all, s));
    EXPECT_LE(net.computed, before + static_cast<int64_t>(seed - 1) * 13);  // the last id, two more, at most nine sampled ones
  }
  const std::vector<TokenId> own{9};
  generator.append(*line, own);
  ids.push_back(9);
  std::vector<TokenId> all = ids;
  all.push_back(4);
  const std::vector<TokenId> got = ask(line, {4}, 6);
  EXPECT_EQ(got, expected(all, s));
}

TEST(Generator, WhatDoesNotFitIsAnErrorOfItsOwn) {
  Generator generator(std::make_unique<FakeNetwork>(6, 8, 60), {});
  std::mt19937 random(1);
  auto ask = [&](std::vector<TokenId> prompt, int64_t max_tokens) {
    Sampling s;
    s.max_tokens = max_tokens;
    s.seed = 5;
    auto job = std::make_shared<TestJob>(s);
    generator.submit(generator.open(), std::move(prompt), job);
    return std::pair(job->end.get_future().get(), job->ids);
  };
  EXPECT_EQ(ask({}, 5).first.failure.error, "there is nothing to be continued: the prompt is empty");
  EXPECT_EQ(ask(random_ids(random, 60), 5).first.failure.error, "the conversation has 60 tokens, and the model takes 60 with its reply");
  EXPECT_EQ(ask(random_ids(random, 55), 5).first.failure.error, "the conversation has 55 tokens, and the cache holds 48");
  EXPECT_FALSE(ask(random_ids(random, 20), 5).first.failed);
}

TEST(Generator, AReplyEndsWhereTheContextDoes) {
  Generator generator(std::make_unique<FakeNetwork>(1000, 8, 40), {});
  std::mt19937 random(1);
  for (int i = 0; i < 20; ++i) {
    Sampling s;
    s.seed = static_cast<uint64_t>(i);
    auto job = std::make_shared<TestJob>(s);
    const std::vector<TokenId> prompt = random_ids(random, 35);
    generator.submit(generator.open(), prompt, job);
    const Job::End end = job->end.get_future().get();
    EXPECT_EQ(job->ids, expected(prompt, s, 40));
    EXPECT_EQ(end.full, job->ids.back() != kEnd);
  }
}

TEST(Generator, StopsAndFailsWhereverItIs) {
  std::mt19937 random(2);
  for (const bool stop : {true, false}) {
    auto network = std::make_unique<FakeNetwork>(100000, 8);
    FakeNetwork& net = *network;
    net.pause = 200;
    Generator generator(std::move(network), {.batch = 8});
    std::vector<std::shared_ptr<TestJob>> jobs;
    Sampling s;
    s.max_tokens = 900;
    for (int i = 0; i < 40; ++i) {
      jobs.push_back(std::make_shared<TestJob>(s));
      generator.submit(generator.open(), random_ids(random, 10), jobs.back());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(3));
    if (stop) generator.stop();
    else net.fail = true;
    int failed = 0;
    for (auto& job : jobs) {
      const Job::End end = job->end.get_future().get();
      failed += end.failed;
      if (!end.failed) continue;
      EXPECT_EQ(end.failure.error, stop ? "stopped" : "out of memory");
      EXPECT_EQ(end.failure.stopped, stop);
    }
    EXPECT_GT(failed, 0);
    auto late = std::make_shared<TestJob>(s);
    generator.submit(generator.open(), {1}, late);
    EXPECT_TRUE(late->end.get_future().get().failed);
  }
}

TEST(Generator, ConversationsGoOnWithOtherWeights) {
  std::mt19937 random(3);
  auto network = std::make_unique<FakeNetwork>(100000, 8);
  FakeNetwork& net = *network;
  Generator generator(std::move(network), {});
  Sampling s;
  s.max_tokens = 15;
  auto reply = [&](const std::shared_ptr<Line>& line, std::vector<TokenId> prompt) {
    auto job = std::make_shared<TestJob>(s);
    generator.submit(line, std::move(prompt), job);
    EXPECT_FALSE(job->end.get_future().get().failed);
    return job->ids;
  };
  const auto a = generator.open(), b = generator.open();
  const std::vector<TokenId> first = random_ids(random, 40), second = random_ids(random, 5);
  std::vector<TokenId> ids = first;
  const std::vector<TokenId> before = reply(a, first);
  EXPECT_EQ(before, expected(first, s));
  ids.insert(ids.end(), before.begin(), before.end());
  const auto fork = generator.fork(a);
  int asked = 0;
  generator.reload([&](const auto&) { ++asked; });
  EXPECT_EQ(asked, 1);
  ids.insert(ids.end(), second.begin(), second.end());
  EXPECT_EQ(reply(a, second), expected(ids, s, 1000, 1));
  EXPECT_EQ(reply(fork, second), expected(ids, s, 1000, 1));
  EXPECT_EQ(reply(b, first), expected(first, s, 1000, 1));
  // What the source throws comes out, and the next one may do better.
  EXPECT_THROW(generator.reload([](const auto&) { throw std::runtime_error("no"); }), std::runtime_error);
  generator.reload([](const auto&) {});
  EXPECT_EQ(reply(generator.open(), first), expected(first, s, 1000, 2));
  // Not while somebody waits for a reply.
  net.pause = 2000;
  s.max_tokens = 900;
  auto job = std::make_shared<TestJob>(s);
  generator.submit(generator.open(), first, job);
  EXPECT_THROW(generator.reload([](const auto&) {}), std::invalid_argument);
  generator.stop();
  EXPECT_TRUE(job->end.get_future().get().failed);
  EXPECT_THROW(generator.reload([](const auto&) {}), std::invalid_argument);
}

}  // namespace
}  // namespace ppc::sampling
