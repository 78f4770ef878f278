// The network on the CPU: against reference logits, and the same bits alone, in any batch, with the prompt in any pieces, with any number of
// threads, and on AVX2 as on AVX-512. Without PPC_SHARED the references are skipped.
#include "trainers/nn/cpu_network.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <random>

#include "runtime/engine/json.h"
#include "test/unit/folder.h"
#include "trainers/nn/random_model.h"

using namespace ppc::nn;
using ppc::Folder;
using ppc::engine::Json;
using ppc::engine::load_json;
using ppc::model::Architecture;
using ppc::model::ModelConfig;
namespace fs = std::filesystem;
using Tokens = std::vector<TokenId>;
using Row = std::vector<float>;

namespace {

// No size is a multiple of anything.
ModelConfig odd_shape(Architecture architecture) {
  ModelConfig c = shape_tiny(architecture);
  c.vocab_size = 101;
  c.hidden_size = 70;
  c.intermediate_size = 133;
  c.num_hidden_layers = 3;
  c.num_attention_heads = 6;
  c.num_key_value_heads = 2;
  c.head_dim = 22;
  c.tie_word_embeddings = architecture == Architecture::Qwen3;
  if (architecture == Architecture::Llama) c.qkv_bias = c.o_bias = c.mlp_bias = true;
  return c;
}
constexpr RandomWeights kWeights{7, 0.15, 0.2};  // so large that every part matters

Tokens random_tokens(int64_t vocabulary, size_t n, unsigned seed) {
  std::mt19937 random(seed);
  Tokens out(n);
  for (TokenId& t : out) t = static_cast<TokenId>(random() % static_cast<uint64_t>(vocabulary));
  return out;
}

std::vector<Row> rows_of(const Network::Logits& logits) {
  std::vector<Row> out;
  for (int64_t r = 0; r < logits.rows; r++) out.emplace_back(logits.data + r * logits.columns, logits.data + (r + 1) * logits.columns);
  return out;
}
std::vector<Row> run(Network& net, SequenceId s, std::span<const TokenId> tokens, Want want = Want::All) {
  const Network::Item item{s, tokens, want};
  return rows_of(net.forward({&item, 1}));
}
bool same_bits(const Row& a, const Row& b) { return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0; }
double difference(const Row& a, const Row& b) {
  double most = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(a.size(), b.size()); i++) most = std::max(most, std::fabs(static_cast<double>(a[i]) - b[i]));
  return most;
}
std::vector<double> numbers(const Json& list) {
  std::vector<double> out;
  for (const Json& v : list.items()) out.push_back(v.as_float());
  return out;
}
Tokens tokens_of(const Json& list) {
  Tokens out;
  for (const Json& v : list.items()) out.push_back(static_cast<TokenId>(v.as_int()));
  return out;
}
TokenId best(const Row& row) { return static_cast<TokenId>(std::max_element(row.begin(), row.end()) - row.begin()); }

NetworkOptions options(Precision precision = Precision::Float32, int threads = 2, int64_t tokens = 8192) {
  NetworkOptions o;
  o.precision = precision;
  o.threads = threads;
  o.cache_tokens = tokens;
  return o;
}

class Cpu : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!has(GetParam())) GTEST_SKIP() << "this processor has no " << name_of(GetParam());
  }
};
INSTANTIATE_TEST_SUITE_P(Isas, Cpu, testing::ValuesIn(kIsas), [](const auto& info) { return std::string(name_of(info.param)); });

TEST_P(Cpu, GoldenLogitsAndGreedyContinuations) {
  const char* shared = std::getenv("PPC_SHARED");
  const fs::path models = fs::path(shared ? shared : PPC_SOURCE_DIR "/../shared") / "golden/models";
  if (!fs::exists(models)) GTEST_SKIP() << "no folder " << models << " (PPC_SHARED)";
  for (const char* name : {"tiny-llama", "tiny-qwen2", "tiny-qwen3"}) {
    const auto expected = load_json((models / name / "expected.json").string());
    auto net = load_cpu_network((models / name).string(), options(), GetParam());
    double worst = 0, worst_logprob = 0;
    const auto& cases = expected.find("cases")->items();
    for (const Json& one : cases) {
      const Tokens ids = tokens_of(*one.find("ids")), argmax = tokens_of(*one.find("argmax"));
      const std::vector<double> last = numbers(*one.find("last_logits")), logprobs = numbers(*one.find("token_logprobs"));
      const SequenceId s = net->create();
      const std::vector<Row> rows = run(*net, s, ids);
      for (size_t i = 0; i < last.size(); i++) worst = std::max(worst, std::fabs(rows.back()[i] - last[i]));
      for (size_t t = 0; t < rows.size(); t++) EXPECT_EQ(best(rows[t]), argmax[t]) << name << " " << t;
      for (size_t t = 0; t < logprobs.size(); t++) {
        double sum = 0;
        for (float logit : rows[t]) sum += std::exp(static_cast<double>(logit));
        worst_logprob = std::max(worst_logprob, std::fabs(rows[t][static_cast<size_t>(ids[t + 1])] - std::log(sum) - logprobs[t]));
      }
      net->release(s);
    }
    EXPECT_LT(worst, 1e-4) << name;
    EXPECT_LT(worst_logprob, 1e-4) << name;
    RecordProperty(std::string(name) + " largest difference", std::to_string(worst));

    const Tokens greedy = tokens_of(*expected.find("greedy"));
    const size_t start = cases[1].find("ids")->items().size();
    const SequenceId s = net->create();
    Tokens next(greedy.begin(), greedy.begin() + static_cast<long>(start));
    Tokens all = next;
    while (all.size() < greedy.size()) {
      const TokenId token = best(run(*net, s, next, Want::Last).back());
      all.push_back(token);
      next = {token};
    }
    EXPECT_EQ(all, greedy) << name;
  }
}

TEST_P(Cpu, SameBitsInEveryBatchAndInEveryPieces) {
  std::mt19937 random(3);
  for (Architecture architecture : {Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3})
    for (Precision precision : {Precision::Float32, Precision::BFloat16})
      for (bool odd : {false, true}) {
        Folder folder;
        write_random_model(folder.str(), odd ? odd_shape(architecture) : shape_tiny(architecture), kWeights);
        auto net = load_cpu_network(folder.str(), options(precision), GetParam());
        const int64_t vocabulary = net->config().vocab_size;
        // Alone and at once.
        std::vector<Tokens> texts;
        std::vector<std::vector<Row>> expected;
        for (unsigned i = 0; i < 7; i++) {
          texts.push_back(random_tokens(vocabulary, i == 0 ? 270 : 1 + random() % 50, i));
          const SequenceId s = net->create();
          expected.push_back(run(*net, s, texts.back()));
          net->release(s);
        }
        // Together, some tokens of each at a time.
        for (size_t most : {size_t{7}, size_t{40}, size_t{300}}) {
          std::vector<SequenceId> sequences;
          std::vector<size_t> done(texts.size());
          for (size_t i = 0; i < texts.size(); i++) sequences.push_back(net->create());
          for (bool more = true; more;) {
            std::vector<Network::Item> items;
            std::vector<size_t> which;
            for (size_t i = 0; i < texts.size(); i++) {
              const size_t now = std::min(texts[i].size() - done[i], 1 + random() % most);
              if (now == 0 || random() % 4 == 0) continue;
              items.push_back({sequences[i], std::span(texts[i]).subspan(done[i], now), Want::All});
              which.push_back(i);
            }
            const std::vector<Row> rows = rows_of(net->forward(items));
            size_t row = 0;
            for (size_t k = 0; k < items.size(); k++)
              for (size_t t = 0; t < items[k].tokens.size(); t++) ASSERT_TRUE(same_bits(rows[row++], expected[which[k]][done[which[k]]++]));
            more = false;
            for (size_t i = 0; i < texts.size(); i++) more |= done[i] < texts[i].size();
          }
          for (SequenceId s : sequences) net->release(s);
        }
      }
}

TEST_P(Cpu, SameBitsInALongSequenceAndWithAnyThreads) {
  Folder folder;
  write_random_model(folder.str(), odd_shape(Architecture::Qwen2), kWeights);
  const Tokens text = random_tokens(101, 1100, 1);  // attention in three parts
  std::vector<Row> expected;
  for (int threads : {1, 2, 5}) {
    auto net = load_cpu_network(folder.str(), options(Precision::Float32, threads), GetParam());
    const SequenceId whole = net->create();
    const std::vector<Row> rows = run(*net, whole, text);
    if (expected.empty()) expected = rows;
    for (size_t t = 0; t < text.size(); t++) ASSERT_TRUE(same_bits(rows[t], expected[t])) << threads << " threads, token " << t;
    const SequenceId pieces = net->create();
    for (size_t t = 0; t < text.size();) {
      const size_t now = t < 1000 ? 250 : 5;
      const Row row = run(*net, pieces, std::span(text).subspan(t, now), Want::Last).back();
      t += now;
      ASSERT_TRUE(same_bits(row, expected[t - 1])) << threads << " threads, token " << t;
    }
  }
}

TEST(CpuNetwork, ProcessorsAgree) {
  for (Architecture architecture : {Architecture::Llama, Architecture::Qwen3}) {
    Folder folder;
    write_random_model(folder.str(), odd_shape(architecture), kWeights);
    const Tokens text = random_tokens(101, 100, 1);
    std::vector<std::vector<Row>> of;
    for (Isa isa : kIsas) {
      if (!has(isa)) continue;
      auto net = load_cpu_network(folder.str(), options(), isa);
      of.push_back(run(*net, net->create(), text));
      for (size_t t = 0; t < text.size(); t++) EXPECT_LT(difference(of[0][t], of.back()[t]), 2e-4) << name_of(isa) << " token " << t;
      for (size_t t = 0; isa == Isa::Avx512 && t < text.size(); t++) EXPECT_TRUE(same_bits(of[of.size() - 2][t], of.back()[t])) << t;
    }
  }
}

TEST_P(Cpu, BFloat16IsNearFloat32) {
  Folder folder;
  write_random_model(folder.str(), shape_tiny(Architecture::Llama), {7, 0.05, 0.2});
  auto exact = load_cpu_network(folder.str(), options(), GetParam());
  auto rounded = load_cpu_network(folder.str(), options(Precision::BFloat16), GetParam());
  EXPECT_LT(rounded->memory().weights, exact->memory().weights * 6 / 10);
  EXPECT_EQ(rounded->memory().page * 2, exact->memory().page);
  const Tokens text = random_tokens(exact->config().vocab_size, 100, 1);
  const std::vector<Row> a = run(*exact, exact->create(), text), b = run(*rounded, rounded->create(), text);
  double most = 0, size = 0;
  for (size_t t = 0; t < text.size(); t++) {
    most = std::max(most, difference(a[t], b[t]));
    for (float logit : a[t]) size = std::max(size, std::fabs(static_cast<double>(logit)));
  }
  EXPECT_GT(most, 0);
  EXPECT_LT(most, 0.02 * size);  // each weight is wrong by up to 2^-9 of itself
}

TEST_P(Cpu, ForksTruncationAndAFullCache) {
  Folder folder;
  write_random_model(folder.str(), odd_shape(Architecture::Llama), kWeights);
  auto net = load_cpu_network(folder.str(), options(Precision::Float32, 2, 6 * kPageTokens), GetParam());
  const Tokens text = random_tokens(101, 70, 1), other = random_tokens(101, 70, 2);
  const SequenceId a = net->create();
  const std::vector<Row> expected = run(*net, a, text);
  EXPECT_EQ(net->free_pages(), 3);
  // A fork in the middle of a page: both go on, apart.
  const SequenceId b = net->fork(a, 40);
  EXPECT_EQ(net->free_pages(), 3);
  const std::vector<Row> apart = run(*net, b, std::span(other).first(20));
  EXPECT_EQ(net->free_pages(), 2);
  net->truncate(a, 40);
  const std::vector<Row> again = run(*net, a, std::span(text).subspan(40));
  for (size_t t = 0; t < again.size(); t++) EXPECT_TRUE(same_bits(again[t], expected[40 + t])) << t;
  net->truncate(b, 0);
  Tokens joined(text.begin(), text.begin() + 40);
  joined.insert(joined.end(), other.begin(), other.begin() + 20);
  const std::vector<Row> fresh = run(*net, b, joined);
  for (size_t t = 0; t < apart.size(); t++) EXPECT_TRUE(same_bits(apart[t], fresh[40 + t])) << t;
  // Too little room for both: nothing changes.
  const std::vector<Network::Item> items{{a, std::span(text).first(30)}, {b, std::span(text).first(30)}};
  EXPECT_THROW(net->forward(items), std::runtime_error);
  EXPECT_EQ(net->length(a), 70);
  EXPECT_EQ(net->length(b), 60);
  EXPECT_THROW(run(*net, a, Tokens{101}), std::invalid_argument);
  EXPECT_THROW(run(*net, a, Tokens{-1}), std::invalid_argument);
  EXPECT_THROW(run(*net, a, Tokens{}), std::invalid_argument);
  EXPECT_THROW(run(*net, 77, text), std::invalid_argument);
  EXPECT_EQ(net->forward({}).rows, 0);
  EXPECT_EQ(run(*net, a, std::span(text).first(3), Want::None).size(), 0u);
  net->release(a);
  net->release(b);
  EXPECT_EQ(net->free_pages(), net->pages());
}

TEST(CpuNetwork, OtherWeightsAreThoseOfAnotherNetwork) {
  for (const auto precision : {Precision::Float32, Precision::BFloat16})
    for (const auto architecture : {Architecture::Llama, Architecture::Qwen2, Architecture::Qwen3}) {
      const Folder one, two;
      write_random_model(one.str(), odd_shape(architecture), kWeights);
      write_random_model(two.str(), odd_shape(architecture), {8, 0.15, 0.2});
      const Tokens text = random_tokens(101, 40, 1);
      const auto net = load_cpu_network(one.str(), options(precision)), other = load_cpu_network(two.str(), options(precision));
      const auto weights = ppc::model::Weights::open(two.str());
      const SequenceId s = net->create(), t = other->create();
      const std::vector<Row> before = run(*net, s, text), wanted = run(*other, t, text);
      EXPECT_THROW(net->load(source_of(net->config(), weights)), std::invalid_argument);  // there is a sequence
      net->release(s);
      net->load(source_of(net->config(), weights));
      const std::vector<Row> after = run(*net, net->create(), text);
      for (size_t i = 0; i < wanted.size(); i++) EXPECT_TRUE(same_bits(after[i], wanted[i])) << i;
      EXPECT_FALSE(same_bits(after[0], before[0]));
    }
}

TEST(CpuNetwork, WeightsThatDoNotFitAreRefused) {
  const Folder folder;
  write_random_model(folder.str(), odd_shape(Architecture::Qwen2), kWeights);
  const auto net = load_cpu_network(folder.str(), options());
  const auto weights = ppc::model::Weights::open(folder.str());
  auto refused = [&](const WeightSource& source) {
    try {
      net->load(source);
    } catch (const std::invalid_argument& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  const auto& norm = weights.get("model.norm.weight");
  EXPECT_NE(refused([&](const auto& f) { f(norm); }).find("is missing"), std::string::npos);
  EXPECT_NE(refused([&](const auto& f) { f(norm), f(norm); }).find("comes twice"), std::string::npos);
  auto longer = norm;
  longer.shape = {1, 70};
  EXPECT_NE(refused([&](const auto& f) { f(longer); }).find("another shape"), std::string::npos);
}

}  // namespace
