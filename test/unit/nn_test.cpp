// The models' numbers: against reference logits, and every way to compute them against the others. Without PPC_SHARED the
// references are skipped.
#include "trainers/nn/torch.h"  // first

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "runtime/engine/json.h"
#include "test/unit/folder.h"
#include "trainers/nn/random_model.h"
#include "trainers/nn/torch_network.h"
#include "trainers/nn/transformer.h"

using namespace ppc::nn;
using ppc::Folder;
using ppc::engine::Json;
using ppc::engine::load_json;
using ppc::model::Architecture;
using ppc::model::ModelConfig;
namespace fs = std::filesystem;
using Tokens = std::vector<TokenId>;

namespace {

ModelConfig llama3_scaled() {
  ModelConfig c = shape_tiny(Architecture::Llama);
  c.rope_theta = 500;
  c.rope_scaling = {ppc::model::RopeScaling::Type::Llama3, 4, 1, 4, 64};
  return c;
}
ModelConfig llama_with_biases() {
  ModelConfig c = shape_tiny(Architecture::Llama);
  c.qkv_bias = c.o_bias = c.mlp_bias = true;
  return c;
}
const std::vector<std::pair<std::string, ModelConfig>> kShapes = {{"llama", shape_tiny(Architecture::Llama)}, {"qwen2", shape_tiny(Architecture::Qwen2)},
                                                                  {"qwen3", shape_tiny(Architecture::Qwen3)}, {"llama3", llama3_scaled()},
                                                                  {"biases", llama_with_biases()}};
constexpr RandomWeights kWeights{7, 0.15, 0.2};  // so large that every part matters

Tokens random_tokens(int64_t vocabulary, size_t n, unsigned seed) {
  std::mt19937 random(seed);
  Tokens out(n);
  for (TokenId& t : out) t = static_cast<TokenId>(random() % static_cast<uint64_t>(vocabulary));
  return out;
}

Tensor full_logits(const Transformer& model, const std::vector<Tokens>& sequences) {
  torch::NoGradGuard no_gradients;
  return model.logits(model.hidden(Packed::of(sequences)));
}
double largest_difference(const Tensor& a, const Tensor& b) { return (a.to(torch::kFloat64) - b.to(torch::kFloat64)).abs().max().item<double>(); }

Tensor rows_of(const Network::Logits& l) { return torch::from_blob(const_cast<float*>(l.data), {l.rows, l.columns}).clone(); }
Tensor run(Network& net, SequenceId s, std::span<const TokenId> tokens, Want want = Want::All) {
  const Network::Item item{s, tokens, want};
  return rows_of(net.forward({&item, 1}));
}

template <class Error, class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

/// As load_network, with LibTorch from this program instead of the plugin.
std::unique_ptr<Network> load_any(const std::string& folder, const NetworkOptions& options) {
  return options.plain || options.device != "cpu" ? load_torch_network(folder, options) : load_network(folder, options);
}

/// The ways to compute on the CPU.
struct Way { const char* name; bool plain; Precision precision; };
void PrintTo(const Way& w, std::ostream* out) { *out << w.name; }
class Networks : public testing::TestWithParam<Way> {
 protected:
  std::unique_ptr<Network> load(const ModelConfig& config, int64_t cache_tokens = 4096) {
    const std::string folder = home_ / std::to_string(++made_);
    write_random_model(folder, config, kWeights);
    NetworkOptions options;
    options.plain = GetParam().plain;
    options.precision = GetParam().precision;
    options.cache_tokens = cache_tokens;
    options.threads = options.plain ? 1 : 2;  // LibTorch's threads wait for each other by spinning, at the cost of other tests
    return load_any(folder, options);
  }
  Transformer reference(const ModelConfig& config) const {
    Transformer model(config, torch::kCPU, torch::kFloat64);
    model.initialise(kWeights);
    return model;
  }
  // Of logits that are about 1 to 8 in size.
  double bound() const { return GetParam().precision == Precision::Float32 ? 2e-4 : 0.35; }
  double same() const { return GetParam().precision == Precision::Float32 ? 1e-4 : 0.25; }

 private:
  Folder home_;
  int made_ = 0;
};
INSTANTIATE_TEST_SUITE_P(Nn, Networks, testing::Values(Way{"plain", true, Precision::Float32}, Way{"plain_bf16", true, Precision::BFloat16},
                                                       Way{"fast", false, Precision::Float32}, Way{"fast_bf16", false, Precision::BFloat16}),
                         [](const auto& info) { return info.param.name; });

std::optional<fs::path> golden_models() {
  const char* shared = std::getenv("PPC_SHARED");
  const fs::path models = (shared ? fs::path(shared) : fs::path(PPC_SOURCE_DIR) / "../shared") / "golden/models";
  return fs::exists(models) ? std::optional(models) : std::nullopt;
}

std::vector<double> numbers(const Json& list) {
  std::vector<double> out;
  for (const Json& v : list.items()) out.push_back(v.as_float());
  return out;
}
Tokens token_list(const Json& list) {
  Tokens out;
  for (const Json& v : list.items()) out.push_back(static_cast<TokenId>(v.as_int()));
  return out;
}

/// Bounds on what logits, and log-probabilities, are off: the largest, and the root of the mean square.
struct Bound { double most, usual; };
constexpr Bound kExact{1e-4, 1e-5}, kBFloat16{0.5, 0.15};  // of logits that go up to 15

/// Compares logits of all positions, [n, vocabulary], with what a case expects.
void expect_case(const Json& expected, const Tensor& logits, Bound bound) {
  const std::vector<double> last = numbers(*expected.find("last_logits"));
  const Tensor reference = torch::tensor(last, torch::kFloat64);
  EXPECT_LE(largest_difference(logits[-1], reference), bound.most);
  EXPECT_LE((logits[-1] - reference).square().mean().sqrt().item<double>(), bound.usual);
  const Tensor best = logits.argmax(-1);
  const Tokens argmax = token_list(*expected.find("argmax")), ids = token_list(*expected.find("ids"));
  int64_t other = 0;
  for (size_t t = 0; t < argmax.size(); ++t) other += best[static_cast<int64_t>(t)].item<int64_t>() != argmax[t];
  EXPECT_LE(other, bound.most < 1e-3 ? 0 : static_cast<int64_t>(1 + ids.size() / 10));
  const Tensor logprobs = logits.to(torch::kFloat64).log_softmax(-1);
  const std::vector<double> wanted = numbers(*expected.find("token_logprobs"));
  ASSERT_EQ(wanted.size() + 1, ids.size());
  for (size_t t = 0; t < wanted.size(); ++t)
    ASSERT_NEAR(logprobs[static_cast<int64_t>(t)][ids[t + 1]].item<double>(), wanted[t], bound.most) << "token " << t + 1;
}

}  // namespace

TEST(Golden, FullPass) {
  const auto models = golden_models();
  if (!models) GTEST_SKIP() << "no golden models (PPC_SHARED)";
  struct { torch::Dtype dtype; Bound bound; } precisions[] = {{torch::kFloat32, kExact}, {torch::kFloat64, kExact}, {torch::kBFloat16, kBFloat16}};
  for (const char* name : {"tiny-llama", "tiny-qwen2", "tiny-qwen3"})
    for (const auto& p : precisions) {
      SCOPED_TRACE(std::string(name) + " in " + torch::toString(p.dtype));
      const Transformer model = Transformer::load((*models / name).string(), torch::kCPU, p.dtype);
      const Json expected = load_json((*models / name / "expected.json").string());
      std::vector<Tokens> sequences;
      for (const Json& c : expected.find("cases")->items()) sequences.push_back(token_list(*c.find("ids")));
      const Packed packed = Packed::of(sequences);
      const Tensor logits = full_logits(model, sequences);
      for (size_t i = 0; i < sequences.size(); ++i)
        expect_case(expected.find("cases")->items()[i], logits.slice(0, packed.bounds[i], packed.bounds[i + 1]), p.bound);
    }
}

TEST_P(Networks, GoldenLogitsAndGreedyContinuations) {
  const auto models = golden_models();
  if (!models) GTEST_SKIP() << "no golden models (PPC_SHARED)";
  const bool exact = GetParam().precision == Precision::Float32;
  for (const char* name : {"tiny-llama", "tiny-qwen2", "tiny-qwen3"}) {
    SCOPED_TRACE(name);
    const Json expected = load_json((*models / name / "expected.json").string());
    NetworkOptions options;
    options.plain = GetParam().plain;
    options.precision = GetParam().precision;
    options.cache_tokens = 2048;
    options.threads = 1;
    const auto net = load_any((*models / name).string(), options);
    for (const Json& c : expected.find("cases")->items()) {
      const SequenceId s = net->create();
      expect_case(c, run(*net, s, token_list(*c.find("ids"))), exact ? kExact : kBFloat16);
      net->release(s);
    }
    if (!exact) continue;
    const Tokens greedy = token_list(*expected.find("greedy"));
    const size_t prompt = greedy.size() - 16;
    const SequenceId s = net->create();
    Tensor next = run(*net, s, std::span(greedy).first(prompt), Want::Last);
    Tokens said(greedy.begin(), greedy.begin() + static_cast<long>(prompt));
    while (said.size() < greedy.size()) {
      said.push_back(static_cast<TokenId>(next[0].argmax().item<int64_t>()));
      next = run(*net, s, std::span(said).last(1), Want::Last);
    }
    EXPECT_EQ(said, greedy);
  }
}

TEST_P(Networks, CachedAndBatchedEqualAFullPass) {
  for (const auto& [name, config] : kShapes) {
    SCOPED_TRACE(name);
    const auto net = load(config);
    const Transformer model = reference(config);
    std::vector<Tokens> texts;
    for (size_t n : {1, 5, 33, 64, 100, 31, 2}) texts.push_back(random_tokens(config.vocab_size, n, static_cast<unsigned>(n)));
    std::vector<Tensor> wanted;
    for (const Tokens& t : texts) wanted.push_back(full_logits(model, {t}));

    // Whole, one by one.
    std::vector<Tensor> single;
    for (size_t i = 0; i < texts.size(); ++i) {
      const SequenceId s = net->create();
      single.push_back(run(*net, s, texts[i]));
      EXPECT_LE(largest_difference(single.back(), wanted[i]), bound()) << "text " << i;
      net->release(s);
    }
    // All at once, in pieces of different lengths; the last ones token by token.
    std::vector<SequenceId> sequences;
    std::vector<size_t> done(texts.size());
    for (size_t i = 0; i < texts.size(); ++i) sequences.push_back(net->create());
    std::vector<std::vector<Tensor>> pieces(texts.size());
    for (unsigned round = 0;; ++round) {
      std::vector<Network::Item> items;
      std::vector<size_t> of;
      for (size_t i = 0; i < texts.size(); ++i) {
        const size_t left = texts[i].size() - done[i];
        const size_t n = std::min<size_t>(left, left < 8 ? 1 : 1 + (round * 7 + i * 13) % 40);
        if (n == 0) continue;
        items.push_back({sequences[i], std::span(texts[i]).subspan(done[i], n), Want::All});
        of.push_back(i);
        done[i] += n;
      }
      if (items.empty()) break;
      const Tensor rows = rows_of(net->forward(items));
      int64_t at = 0;
      for (size_t j = 0; j < items.size(); ++j) {
        const int64_t n = static_cast<int64_t>(items[j].tokens.size());
        pieces[of[j]].push_back(rows.slice(0, at, at + n));
        at += n;
      }
      EXPECT_EQ(at, rows.size(0));
    }
    for (size_t i = 0; i < texts.size(); ++i) {
      EXPECT_LE(largest_difference(torch::cat(pieces[i]), wanted[i]), bound()) << "text " << i;
      EXPECT_LE(largest_difference(torch::cat(pieces[i]), single[i]), same()) << "text " << i;
    }
  }
}

TEST_P(Networks, LongTextInPieces) {
  const ModelConfig config = shape_tiny();
  const auto net = load(config);
  const Transformer model = reference(config);
  const Tokens text = random_tokens(config.vocab_size, 1500, 5);
  const Tensor wanted = full_logits(model, {text});
  const SequenceId whole = net->create(), pieces = net->create();
  EXPECT_LE(largest_difference(run(*net, whole, text), wanted), bound());
  const Tensor first = run(*net, pieces, std::span(text).first(700)), second = run(*net, pieces, std::span(text).subspan(700));
  EXPECT_LE(largest_difference(torch::cat({first, second}), wanted), bound());
}

TEST_P(Networks, WantedRows) {
  const auto net = load(shape_tiny());
  const Tokens text = random_tokens(320, 40, 1);
  const SequenceId a = net->create(), b = net->create(), c = net->create();
  const std::vector<Network::Item> items = {{a, std::span(text).first(7), Want::Last}, {b, std::span(text), Want::None}, {c, std::span(text).first(3), Want::All}};
  const Tensor rows = rows_of(net->forward(items));
  ASSERT_EQ(rows.size(0), 4);
  const SequenceId d = net->create();
  const Tensor all = run(*net, d, std::span(text).first(7));
  EXPECT_LE(largest_difference(rows[0], all[6]), same());
  EXPECT_LE(largest_difference(rows.slice(0, 1, 4), all.slice(0, 0, 3)), same());
  EXPECT_EQ(net->forward({}).rows, 0);
  const Network::Item none{a, std::span(text).first(1), Want::None};
  EXPECT_EQ(net->forward({&none, 1}).rows, 0);
  EXPECT_EQ(net->length(a), 8);
  EXPECT_EQ(net->length(b), 40);
}

TEST_P(Networks, ForksShareAndPartWays) {
  for (const auto& [name, config] : kShapes) {
    SCOPED_TRACE(name);
    const auto net = load(config);
    const Transformer model = reference(config);
    const Tokens common = random_tokens(config.vocab_size, 50, 3);
    const SequenceId root = net->create();
    run(*net, root, common, Want::None);
    const int64_t free = net->free_pages();
    std::vector<SequenceId> forks;
    for (int i = 0; i < 4; ++i) forks.push_back(net->fork(root, i == 3 ? 40 : 50));
    EXPECT_EQ(net->free_pages(), free);  // a fork costs nothing until it writes
    std::vector<Tokens> texts;
    std::vector<Network::Item> items;
    std::vector<Tokens> more;
    for (unsigned i = 0; i < 4; ++i) more.push_back(random_tokens(config.vocab_size, 3 + i, 10 + i));
    for (size_t i = 0; i < 4; ++i) {
      Tokens t(common.begin(), common.begin() + (i == 3 ? 40 : 50));
      t.insert(t.end(), more[i].begin(), more[i].end());
      texts.push_back(t);
      items.push_back({forks[i], more[i], Want::Last});
    }
    const Tensor rows = rows_of(net->forward(items));
    for (int64_t i = 0; i < 4; ++i) EXPECT_LE(largest_difference(rows[i], full_logits(model, {texts[static_cast<size_t>(i)]})[-1]), bound()) << i;
    // The root goes on as if nothing had been.
    Tokens text = common;
    text.push_back(9);
    EXPECT_LE(largest_difference(run(*net, root, std::span(text).last(1)), full_logits(model, {text}).slice(0, 50)), bound());
    // Truncated into a page that others have, and written anew.
    net->truncate(forks[0], 35);
    text.assign(common.begin(), common.begin() + 35);
    text.push_back(4);
    EXPECT_LE(largest_difference(run(*net, forks[0], std::span(text).last(1)), full_logits(model, {text}).slice(0, 35)), bound());
    text = texts[1];
    text.push_back(8);
    EXPECT_LE(largest_difference(run(*net, forks[1], std::span(text).last(1))[0], full_logits(model, {text})[-1]), bound());
    for (SequenceId f : forks) net->release(f);
    net->release(root);
    EXPECT_EQ(net->free_pages(), net->pages());
  }
}

TEST_P(Networks, WhatPagesHeldBeforeChangesNothing) {
  const ModelConfig config = shape_tiny();
  const auto net = load(config, 256);
  const Tokens text = random_tokens(config.vocab_size, 37, 1), other = random_tokens(config.vocab_size, 200, 2);
  auto fresh = [&] {
    const SequenceId a = net->create(), b = net->create();
    const std::vector<Network::Item> items = {{a, text, Want::All}, {b, std::span(text).first(3), Want::All}};
    const Tensor rows = rows_of(net->forward(items));
    net->release(a);
    net->release(b);
    return rows;
  };
  const Tensor before = fresh();
  const SequenceId s = net->create();
  run(*net, s, other);
  net->release(s);
  EXPECT_TRUE(fresh().equal(before));
}

TEST_P(Networks, FullCacheChangesNothing) {
  const auto net = load(shape_tiny(), 96);
  const int64_t pages = net->pages(), size = net->page_size();
  EXPECT_GE(pages * size, 96);
  const Tokens text = random_tokens(320, static_cast<size_t>(pages * size + 1), 2);
  const SequenceId a = net->create(), b = net->create();
  const Tensor first = run(*net, a, std::span(text).first(5));
  EXPECT_EQ(net->pages_needed(b, size + 1), 2);
  const std::vector<Network::Item> both = {{a, std::span(text).subspan(5, 1), Want::All}, {b, std::span(text).first(static_cast<size_t>((pages - 1) * size + 1)), Want::All}};
  EXPECT_NE(error_of<std::runtime_error>([&] { net->forward(both); }), "no error");
  EXPECT_EQ(net->length(a), 5);
  EXPECT_EQ(net->length(b), 0);
  EXPECT_EQ(net->free_pages(), pages - 1);
  // What fits still does, and finds what it had.
  const SequenceId c = net->fork(a, 4);
  EXPECT_LE(largest_difference(run(*net, c, std::span(text).subspan(4, 1)), first.slice(0, 4)), same());
}

TEST_P(Networks, WhatACallerCouldHaveKnown) {
  const auto net = load(shape_tiny());
  const SequenceId s = net->create();
  const Tokens good = {1, 2}, high = {1, 320}, negative = {-1};
  auto forward = [&](std::vector<Network::Item> items) { return error_of<std::invalid_argument>([&] { net->forward(items); }); };
  EXPECT_NE(forward({{s, good, Want::Last}, {s, good, Want::Last}}), "no error");
  EXPECT_NE(forward({{s, {}, Want::Last}}), "no error");
  EXPECT_EQ(forward({{s, high, Want::Last}}), "token 320 is outside the vocabulary of 320");
  EXPECT_NE(forward({{s, negative, Want::Last}}), "no error");
  EXPECT_NE(forward({{s + 100, good, Want::Last}}), "no error");
  EXPECT_EQ(net->length(s), 0);
  EXPECT_NE(error_of<std::invalid_argument>([&] { net->fork(s, 1); }), "no error");
  EXPECT_NE(error_of<std::invalid_argument>([&] { net->truncate(s, 1); }), "no error");
  net->release(s);
  EXPECT_NE(error_of<std::invalid_argument>([&] { net->length(s); }), "no error");
}

TEST_P(Networks, Memory) {
  const auto net = load(shape_tiny());
  const int64_t bytes = GetParam().precision == Precision::Float32 ? 4 : 2;
  EXPECT_EQ(net->memory().page, 2 * 2 * net->page_size() * 2 * 16 * bytes);
  EXPECT_EQ(net->memory().cache, net->pages() * net->memory().page);
  int64_t parameters = 0;
  for (const auto& [name, shape] : ppc::model::tensors_of(shape_tiny())) parameters += std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
  EXPECT_GE(net->memory().weights, parameters * bytes);
}

TEST(Nn, UnusableDevicesAndFolders) {
  const Folder home;
  write_random_model(home / "m", shape_tiny());
  auto with = [&](const char* device) {
    NetworkOptions options;
    options.device = device;
    options.cache_tokens = 64;
    return options;
  };
  EXPECT_EQ(error_of<std::invalid_argument>([&] { load_any(home / "m", with("gpu")); }), "device `gpu`: expected cpu, cuda or cuda:0");
  if (!torch::cuda::is_available()) {
    EXPECT_NE(error_of<std::runtime_error>([&] { load_any(home / "m", with("cuda")); }).find("finds no CUDA"), std::string::npos);
  }
  EXPECT_NE(error_of<ppc::engine::InputError>([&] { load_any(home / "none", with("cpu")); }), "no error");
  // Weights that do not fit the configuration.
  ModelConfig other = shape_tiny();
  other.hidden_size = 32;
  write_random_model(home / "o", other);
  fs::copy_file(home / "m/model.safetensors", home / "o/model.safetensors", fs::copy_options::overwrite_existing);
  EXPECT_NE(error_of<ppc::engine::InputError>([&] { load_any(home / "o", with("cpu")); }).find("has shape"), std::string::npos);
}

TEST(Nn, PluginWithLibTorch) {
  const Folder home;
  write_random_model(home / "m", shape_tiny(), kWeights);
  NetworkOptions options;
  options.plain = true;
  options.cache_tokens = 64;
  const auto ours = load_torch_network(home / "m", options), plugin = load_network(home / "m", options);
  const Tokens text = {1, 2, 3};
  EXPECT_TRUE(run(*ours, ours->create(), text).equal(run(*plugin, plugin->create(), text)));
  // Errors keep their kind.
  EXPECT_NE(error_of<std::invalid_argument>([&] { plugin->truncate(99, 0); }), "no error");
  EXPECT_NE(error_of<ppc::engine::InputError>([&] { load_network(home / "none", options); }), "no error");
  options.device = "gpu";
  EXPECT_NE(error_of<std::invalid_argument>([&] { load_network(home / "m", options); }), "no error");
}

TEST(Nn, DefaultCacheFits) {
  const Folder home;
  write_random_model(home / "m", shape_tiny());
  const auto net = load_any(home / "m", {});
  EXPECT_GT(net->pages(), 100);
  const SequenceId s = net->create();
  const Tokens text = {1, 2, 3};
  EXPECT_EQ(run(*net, s, text).size(0), 3);
}

TEST(Nn, SavedAndLoadedBitForBit) {
  for (const auto& [name, config] : {kShapes[2], kShapes[4]})
    for (const auto dtype : {ppc::model::DType::F32, ppc::model::DType::BF16})
      for (const uint64_t shard : {uint64_t{1} << 40, uint64_t{40'000}}) {
        SCOPED_TRACE(name);
        const Folder home;
        write_random_model(home / "a", config, kWeights, dtype, shard);
        EXPECT_EQ(fs::exists(home / "a/model.safetensors.index.json"), shard == 40'000);
        const Transformer model = Transformer::load(home / "a", torch::kCPU, dtype == ppc::model::DType::F32 ? torch::kFloat32 : torch::kBFloat16);
        fs::create_directories(home / "b");
        model.save(home / "b", shard);
        const auto a = ppc::model::Weights::open(home / "a"), b = ppc::model::Weights::open(home / "b");
        ASSERT_EQ(a.tensors().size(), b.tensors().size());
        EXPECT_EQ(a.files().size(), b.files().size());
        for (const auto& t : a.tensors()) {
          const auto& u = b.get(t.name, t.shape);
          EXPECT_EQ(u.dtype, t.dtype);
          EXPECT_TRUE(std::equal(t.data.begin(), t.data.end(), u.data.begin(), u.data.end())) << t.name;
        }
        fs::copy_file(home / "a/config.json", home / "b/config.json");
        const Transformer again = Transformer::load(home / "b", torch::kCPU, model.dtype());
        const Tokens text = random_tokens(config.vocab_size, 20, 1);
        EXPECT_TRUE(full_logits(model, {text}).equal(full_logits(again, {text})));
      }
}

TEST(Nn, RandomWeightsAreWhatTheySay) {
  std::vector<float> values(100'001), again(100'001), other(100'001);
  fill_random(values, "model.layers.0.mlp.up_proj.weight", {5, 0.5, 0});
  fill_random(again, "model.layers.0.mlp.up_proj.weight", {5, 0.5, 0});
  fill_random(other, "model.layers.0.mlp.up_proj.weight", {6, 0.5, 0});
  EXPECT_EQ(values, again);
  EXPECT_NE(values, other);
  double sum = 0, squares = 0;
  for (float v : values) sum += v, squares += v * v;
  EXPECT_NEAR(sum / 1e5, 0, 0.01);
  EXPECT_NEAR(squares / 1e5, 0.25, 0.01);
  fill_random(values, "model.norm.weight", {5, 0.5, 0});
  EXPECT_EQ(values, std::vector<float>(100'001, 1));
  const ModelConfig c = llama3_scaled(), d = ppc::model::parse_config(to_json(c), "c");
  EXPECT_EQ(to_json(d), to_json(c));
  EXPECT_EQ(d.rope_scaling.original_max_position_embeddings, 64);
}

TEST(Nn, SequencesOfAPackDoNotSeeEachOther) {
  for (const auto& [name, config] : kShapes) {
    SCOPED_TRACE(name);
    Transformer model(config, torch::kCPU, torch::kFloat64);
    model.initialise(kWeights);
    const Tokens a = random_tokens(config.vocab_size, 30, 1), b = random_tokens(config.vocab_size, 17, 2), c = {3};
    const Tensor packed = full_logits(model, {a, b, c});
    EXPECT_LE(largest_difference(packed.slice(0, 0, 30), full_logits(model, {a})), 1e-10);
    EXPECT_LE(largest_difference(packed.slice(0, 30, 47), full_logits(model, {b})), 1e-10);
    EXPECT_LE(largest_difference(packed.slice(0, 47), full_logits(model, {c})), 1e-10);
  }
}

TEST(Nn, GradientsAreThoseOfDifferences) {
  at::set_num_threads(1);
  for (const auto& [name, config] : kShapes) {
    SCOPED_TRACE(name);
    Transformer model(config, torch::kCPU, torch::kFloat64);
    model.initialise(kWeights);
    model.require_gradients(true);
    const std::vector<Tokens> texts = {random_tokens(config.vocab_size, 12, 1), random_tokens(config.vocab_size, 7, 2)};
    const Packed packed = Packed::of(texts);
    auto loss = [&] { return model.logits(model.hidden(packed)).log_softmax(-1).gather(1, packed.tokens.unsqueeze(1)).mean(); };
    loss().backward();
    torch::NoGradGuard no_gradients;
    for (const auto& [parameter_name, p] : model.parameters()) {
      ASSERT_TRUE(p.grad().defined()) << parameter_name;
      // In one direction of all there are.
      Tensor direction = torch::empty(p.sizes());
      fill_random({direction.data_ptr<float>(), static_cast<size_t>(direction.numel())}, parameter_name, {3, 1, 1});
      direction = direction.to(torch::kFloat64);
      const double step = 1e-5, expected = (p.grad() * direction).sum().item<double>();
      Tensor parameter = p;
      parameter.add_(direction, step);
      const double up = loss().item<double>();
      parameter.add_(direction, -2 * step);
      const double down = loss().item<double>();
      parameter.add_(direction, step);
      EXPECT_NEAR((up - down) / (2 * step), expected, 1e-6 * std::max(1.0, std::abs(expected))) << parameter_name;
    }
  }
}
