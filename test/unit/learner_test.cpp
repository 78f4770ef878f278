// A model that learns: its gradients against differences, its optimizer against LibTorch's, and that nothing but its inputs decides what
// it becomes. Without PPC_SHARED the golden models are skipped.
#include "trainers/nn/torch.h"  // first

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>

#include "runtime/engine/json.h"
#include "test/unit/folder.h"
#include "trainers/learn/learner.h"
#include "trainers/nn/network.h"
#include "trainers/nn/pass.h"
#include "trainers/nn/random_model.h"
#include "trainers/nn/torch_learner.h"
#include "trainers/nn/torch_network.h"
#include "trainers/nn/transformer.h"

using namespace ppc::nn;
using namespace ppc::learn;
using ppc::Folder;
using ppc::model::Architecture;
using ppc::model::ModelConfig;
namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;

namespace {

ModelConfig separate(ModelConfig c) {
  c.tie_word_embeddings = !c.tie_word_embeddings;
  return c;
}
ModelConfig with_biases() {
  ModelConfig c = shape_tiny(Architecture::Llama);
  c.qkv_bias = c.o_bias = c.mlp_bias = true;
  return c;
}
const std::vector<std::pair<std::string, ModelConfig>> kShapes = {{"llama", shape_tiny(Architecture::Llama)}, {"llama, other head", separate(shape_tiny(Architecture::Llama))},
                                                                  {"qwen2", shape_tiny(Architecture::Qwen2)}, {"qwen3", shape_tiny(Architecture::Qwen3)},
                                                                  {"qwen3, other head", separate(shape_tiny(Architecture::Qwen3))}, {"biases", with_biases()}};
constexpr RandomWeights kWeights{7, 0.15, 0.2};  // so large that every part matters

/// What a `Sequence` looks at.
struct Text {
  Ids ids;
  std::vector<uint8_t> trained;
  double temperature = 1;
  Sequence view() const { return {ids, trained, temperature}; }
};
/// About two of three tokens are trained.
Text text_of(int64_t vocabulary, size_t n, unsigned seed, double temperature = 1) {
  std::mt19937 random(seed);
  Text out;
  out.temperature = temperature;
  for (size_t i = 0; i < n; ++i) {
    out.ids.push_back(static_cast<int32_t>(random() % static_cast<uint64_t>(vocabulary)));
    out.trained.push_back(i > 0 && random() % 3 != 0);
  }
  return out;
}
std::vector<Text> some_texts(int64_t vocabulary) { return {text_of(vocabulary, 9, 1), text_of(vocabulary, 21, 2, 0.7), text_of(vocabulary, 2, 3), text_of(vocabulary, 14, 4, 1.5)}; }
std::vector<Sequence> views(const std::vector<Text>& texts) {
  std::vector<Sequence> out;
  for (const Text& t : texts) out.push_back(t.view());
  return out;
}

/// Σ c_i logp_i with made-up c, as an objective.
double slope(size_t i) { return std::sin(static_cast<double>(i) * 1.7 + 0.3) + 0.2; }
void sloped(const Learner::Tokens& t, std::span<double> gradient) {
  ASSERT_EQ(t.logprobs.size(), gradient.size());
  for (size_t i = 0; i < gradient.size(); ++i) gradient[i] = slope(i);
}
void nothing(const Learner::Tokens&, std::span<double>) {}
/// The mean of the cross-entropies.
void mean_loss(const Learner::Tokens& t, std::span<double> gradient) { std::fill(gradient.begin(), gradient.end(), -1.0 / static_cast<double>(t.logprobs.size())); }

struct Model {
  Folder folder;
  ModelConfig config;
  explicit Model(const ModelConfig& c = shape_tiny(), const RandomWeights& w = kWeights, ppc::model::DType dtype = ppc::model::DType::F32) : config(c) { write_random_model(folder.path.string(), c, w, dtype); }
  std::unique_ptr<Learner> load(LearnerOptions o = {}) const {
    o.threads = 1;  // LibTorch's threads wait for each other by spinning, at the cost of other tests
    return load_torch_learner(folder.path.string(), o);
  }
};
LearnerOptions in(const std::string& precision) {
  LearnerOptions o;
  o.precision = precision;
  return o;
}
LearnerOptions with_lora(LoraOptions lora = {.r = 4, .alpha = 8}, const std::string& precision = "float32") {
  LearnerOptions o = in(precision);
  o.lora = std::move(lora);
  o.seed = 3;
  return o;
}

std::map<std::string, Tensor> weights_of(Learner& l) {
  std::map<std::string, Tensor> out;
  l.weights([&](const ppc::model::TensorView& v) {
    const auto type = v.dtype == ppc::model::DType::F32 ? torch::kFloat32 : torch::kBFloat16;
    out[v.name] = torch::from_blob(const_cast<std::byte*>(v.data.data()), v.shape, type).clone();
  });
  return out;
}
bool same(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b) {
  bool equal = a.size() == b.size();
  for (const auto& [name, t] : a) equal = equal && torch::equal(t, b.at(name));
  return equal;
}
double largest_difference(const Tensor& a, const Tensor& b) { return (a.to(torch::kFloat64) - b.to(torch::kFloat64)).abs().max().item<double>(); }
double largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double out = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) out = std::max(out, static_cast<double>(std::abs(a[i] - b[i])));
  return out;
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

// The plain way: LibTorch's own derivatives of the plain transformer.

struct Reference {
  Transformer model;
  explicit Reference(const Model& m, torch::Dtype type = torch::kFloat64) : model(Transformer::load(m.folder.path.string(), torch::kCPU, type)) { model.require_gradients(true); }
  /// The log-probabilities of the trained tokens, one text at a time, and the entropies that they are from.
  std::pair<Tensor, Tensor> logprobs(const std::vector<Text>& texts) const {
    std::vector<Tensor> values, entropies;
    for (const Text& t : texts) {
      const Tensor logits = model.logits(model.hidden(Packed::of({t.ids}))) / t.temperature, all = logits.log_softmax(-1);
      for (size_t i = 1; i < t.ids.size(); ++i)
        if (t.trained[i]) {
          const Tensor row = all[static_cast<int64_t>(i) - 1];
          values.push_back(row[t.ids[i]]);
          entropies.push_back(-(row.exp() * row).sum());
        }
    }
    return {torch::stack(values), torch::stack(entropies)};
  }
  std::map<std::string, Tensor> gradients(const std::vector<Text>& texts) const {
    const Tensor values = logprobs(texts).first;
    std::vector<double> slopes;
    for (int64_t i = 0; i < values.size(0); ++i) slopes.push_back(slope(static_cast<size_t>(i)));
    values.backward(torch::tensor(slopes, torch::kFloat64).to(values.scalar_type()));
    std::map<std::string, Tensor> out;
    for (const auto& [name, p] : model.parameters()) out[name] = p.grad();
    return out;
  }
};

/// Gradients as a learner has them: what a step of plain descent changes. Adam's first step only knows their sign, so they are read from a state.
std::map<std::string, Tensor> gradients_of(Learner& l, const Folder& folder) {
  const std::string file = folder / "gradients.safetensors";
  l.save_state(file);
  const auto files = ppc::model::Weights::open(file);
  const auto& v = files.get("gradients");
  const bool wide = l.config().vocab_size > 0 && files.metadata().at("of").find("float64") != std::string::npos;
  const Tensor flat = torch::from_blob(const_cast<std::byte*>(v.data.data()), {static_cast<int64_t>(v.data.size()) / (wide ? 8 : 4)}, wide ? torch::kFloat64 : torch::kFloat32).clone();
  std::map<std::string, Tensor> out;
  for (const Place& p : layout_of(l.config()).places) out[p.name] = part(flat, p);
  return out;
}

std::optional<fs::path> golden_models() {
  const char* shared = std::getenv("PPC_SHARED");
  const fs::path models = (shared ? fs::path(shared) : fs::path(PPC_SOURCE_DIR) / "../shared") / "golden/models";
  return fs::exists(models) ? std::optional(models) : std::nullopt;
}

}  // namespace

TEST(Learner, LogProbabilitiesAndEntropiesAreThoseOfThePlainModel) {
  for (const auto& [name, config] : kShapes) {
    SCOPED_TRACE(name);
    const Model m(config);
    const std::vector<Text> texts = some_texts(config.vocab_size);
    const auto [values, entropies] = Reference(m).logprobs(texts);
    for (const char* precision : {"float32", "float64"}) {
      const auto l = m.load(in(precision));
      const Learner::Tokens t = l->evaluate(views(texts), Policy::Current, true);
      ASSERT_EQ(static_cast<int64_t>(t.logprobs.size()), values.size(0));
      EXPECT_LE(largest_difference(torch::tensor(t.logprobs), values.detach()), 1e-4);
      EXPECT_LE(largest_difference(torch::tensor(t.entropies), entropies.detach()), 1e-4);
      EXPECT_TRUE(l->evaluate(views(texts), Policy::Current).entropies.empty());
    }
  }
}

TEST(Learner, LogProbabilitiesAreThoseOfTheNetworkThatPlays) {
  for (const auto& [name, config] : kShapes) {
    SCOPED_TRACE(name);
    const Model m(config);
    NetworkOptions options;
    options.cache_tokens = 1024;
    options.threads = 1;
    const auto network = load_network(m.folder.path.string(), options);
    std::vector<Text> texts = some_texts(config.vocab_size);
    texts.push_back(text_of(config.vocab_size, 300, 9));
    std::vector<float> played;
    for (const Text& t : texts) {
      const SequenceId s = network->create();
      const Network::Item item{s, t.ids, Want::All};
      const Network::Logits logits = network->forward({&item, 1});
      const Tensor all = (torch::from_blob(const_cast<float*>(logits.data), {logits.rows, logits.columns}).to(torch::kFloat64) / t.temperature).log_softmax(-1);
      for (size_t i = 1; i < t.ids.size(); ++i)
        if (t.trained[i]) played.push_back(all[static_cast<int64_t>(i) - 1][t.ids[i]].item<float>());
    }
    EXPECT_LE(largest_difference(m.load()->evaluate(views(texts), Policy::Current).logprobs, played), 1e-4);
  }
}

TEST(Learner, ANetworkPlaysWithItsWeights) {
  for (const bool plain : {false, true})
    for (const LearnerOptions& o : {LearnerOptions{}, with_lora(), in("bfloat16")}) {
      SCOPED_TRACE(o.precision + (o.lora ? ", LoRA" : ""));
      const Model m(shape_tiny(Architecture::Qwen2));
      NetworkOptions options;
      options.cache_tokens = 256;
      options.threads = 1;
      const auto network = plain ? load_torch_network(m.folder.path.string(), options) : load_network(m.folder.path.string(), options);
      const auto l = m.load(o);
      const auto texts = some_texts(m.config.vocab_size);
      l->accumulate(views(texts), mean_loss);
      l->step(1e-2, 0);
      network->load([&](const auto& f) { l->weights(f); });
      const Sequence s = texts[1].view();
      const SequenceId q = network->create();
      const Network::Item item{q, s.ids, Want::All};
      const Network::Logits logits = network->forward({&item, 1});
      const Tensor all = (torch::from_blob(const_cast<float*>(logits.data), {logits.rows, logits.columns}).to(torch::kFloat64) / s.temperature).log_softmax(-1);
      std::vector<float> played;
      for (size_t i = 1; i < s.ids.size(); ++i)
        if (s.trained[i]) played.push_back(all[static_cast<int64_t>(i) - 1][s.ids[i]].item<float>());
      EXPECT_LE(largest_difference(l->evaluate({&s, 1}, Policy::Current).logprobs, played), o.precision == "bfloat16" ? 0.3 : 1e-4);
    }
}

TEST(Learner, GoldenModels) {
  const auto models = golden_models();
  if (!models) GTEST_SKIP() << "no golden models (PPC_SHARED)";
  for (const char* name : {"tiny-llama", "tiny-qwen2", "tiny-qwen3"})
    for (const char* precision : {"float32", "float64", "bfloat16"}) {
      SCOPED_TRACE(std::string(name) + " in " + precision);
      LearnerOptions o = in(precision);
      o.threads = 1;
      const auto l = load_torch_learner((*models / name).string(), o);
      const auto expected = ppc::engine::load_json((*models / name / "expected.json").string());
      std::vector<Text> texts;
      std::vector<float> wanted;
      for (const auto& c : expected.find("cases")->items()) {
        Text& t = texts.emplace_back();
        for (const auto& v : c.find("ids")->items()) t.ids.push_back(static_cast<int32_t>(v.as_int()));
        t.trained.assign(t.ids.size(), 1);
        t.trained[0] = 0;
        for (const auto& v : c.find("token_logprobs")->items()) wanted.push_back(static_cast<float>(v.as_float()));
      }
      EXPECT_LE(largest_difference(l->evaluate(views(texts), Policy::Current).logprobs, wanted), std::string(precision) == "bfloat16" ? 0.5 : 1e-4);
    }
}

TEST(Learner, GradientsAreDifferences) {
  for (const auto& [name, config] : kShapes) {
    SCOPED_TRACE(name);
    const Model m(config);
    const std::vector<Text> texts = some_texts(config.vocab_size);
    const auto l = m.load(in("float64"));
    l->accumulate(views(texts), sloped);
    const auto gradients = gradients_of(*l, m.folder);

    // Σ c_i logp_i of a pass in float64, with one number changed at a time.
    const Layout layout = layout_of(config);
    Tensor flat = torch::zeros({layout.size}, torch::kFloat64);
    const auto files = ppc::model::Weights::open(m.folder.path.string());
    for (const Place& p : layout.places) {
      const auto& v = files.get(p.name);
      part(flat, p).copy_(torch::from_blob(const_cast<std::byte*>(v.data.data()), v.shape, torch::kFloat32));
    }
    torch::NoGradGuard no_gradients;
    Pass pass(config, torch::kCPU, torch::kFloat64);
    Batch batch;
    std::vector<int64_t> tokens, positions, rows, targets;
    std::vector<double> heat, slopes;
    batch.bounds = {0};
    for (const Text& t : texts) {
      for (size_t i = 0; i + 1 < t.ids.size(); ++i) {
        if (t.trained[i + 1]) rows.push_back(static_cast<int64_t>(tokens.size())), targets.push_back(t.ids[i + 1]), heat.push_back(1 / t.temperature), slopes.push_back(slope(slopes.size()));
        tokens.push_back(t.ids[i]);
        positions.push_back(static_cast<int64_t>(i));
      }
      batch.bounds.push_back(static_cast<int64_t>(tokens.size()));
    }
    batch.tokens = torch::tensor(tokens, torch::kInt64);
    batch.positions = torch::tensor(positions, torch::kInt64);
    batch.rows = torch::tensor(rows, torch::kInt64);
    batch.targets = torch::tensor(targets, torch::kInt64);
    batch.heat = torch::tensor(heat, torch::kFloat64);
    const Tensor c = torch::tensor(slopes, torch::kFloat64);
    const ModelView view(layout, config, flat);
    auto value = [&] { return (pass.evaluate(view, nullptr, batch, false).values * c).sum().item<double>(); };
    std::mt19937 random(5);
    for (const Place& p : layout.places)
      for (int k = 0; k < 4; ++k) {
        int64_t i = static_cast<int64_t>(random() % static_cast<uint64_t>(p.size));
        if (p.name.find("embed_tokens") != std::string::npos && k < 2) i = texts[0].ids[static_cast<size_t>(k)] * config.hidden_size + i % config.hidden_size;
        double& w = flat.data_ptr<double>()[p.at + i];
        const double was = w, h = 1e-5;
        w = was + h;
        const double up = value();
        w = was - h;
        const double down = value();
        w = was;
        ASSERT_NEAR(gradients.at(p.name).flatten()[i].item<double>(), (up - down) / (2 * h), 1e-6) << p.name << " " << i;
      }
  }
}

TEST(Learner, GradientsAreLibTorchs) {
  for (const auto& [name, config] : kShapes) {
    const Model m(config);
    std::vector<Text> texts = some_texts(config.vocab_size);
    texts.push_back(text_of(config.vocab_size, 70, 8));
    const auto wanted = Reference(m).gradients(texts);
    for (const bool checkpointing : {false, true})
      for (const char* precision : {"float32", "float64"}) {
        SCOPED_TRACE(name + " in " + precision);
        LearnerOptions o = in(precision);
        o.gradient_checkpointing = checkpointing;
        const auto l = m.load(o);
        l->accumulate(views(texts), sloped);
        const auto gradients = gradients_of(*l, m.folder);
        for (const auto& [which, g] : wanted) {
          const double size = g.abs().max().item<double>();
          EXPECT_LE(largest_difference(gradients.at(which), g), (std::string(precision) == "float64" ? 1e-10 : 2e-4) * (1 + size)) << which;
        }
      }
  }
}

TEST(Learner, CheckpointingChangesNoBit) {
  for (const auto& lora : {false, true}) {
    const Model m(shape_tiny(Architecture::Qwen3));
    std::map<std::string, Tensor> after[2];
    for (const bool checkpointing : {false, true}) {
      LearnerOptions o = lora ? with_lora({.r = 4, .alpha = 8, .dropout = 0.3}) : LearnerOptions{};
      o.gradient_checkpointing = checkpointing;
      const auto l = m.load(o);
      for (int i = 0; i < 3; ++i) {
        l->accumulate(views(some_texts(m.config.vocab_size)), sloped);
        l->step(1e-2, 1);
      }
      after[checkpointing] = weights_of(*l);
    }
    EXPECT_TRUE(same(after[0], after[1]));
  }
}

TEST(Learner, PackedEqualsOneAtATime) {
  const Model m(shape_tiny(Architecture::Qwen2));
  const std::vector<Text> texts = some_texts(m.config.vocab_size);
  const auto together = m.load(in("float64")), alone = m.load(in("float64"));
  const auto all = together->evaluate(views(texts), Policy::Current, true);
  together->accumulate(views(texts), sloped);
  size_t at = 0;
  for (const Text& t : texts) {
    const Sequence s = t.view();
    const auto one = alone->evaluate({&s, 1}, Policy::Current, true);
    for (size_t i = 0; i < one.logprobs.size(); ++i) {
      EXPECT_NEAR(one.logprobs[i], all.logprobs[at + i], 1e-6);
      EXPECT_NEAR(one.entropies[i], all.entropies[at + i], 1e-6);
    }
    alone->accumulate({&s, 1}, [&](const Learner::Tokens&, std::span<double> g) {
      for (size_t i = 0; i < g.size(); ++i) g[i] = slope(at + i);
    });
    at += one.logprobs.size();
  }
  const auto a = gradients_of(*together, m.folder), b = gradients_of(*alone, m.folder);
  for (const auto& [name, g] : a) EXPECT_LE(largest_difference(g, b.at(name)), 1e-10) << name;
}

TEST(Learner, UntrainedTokensAreNoTargets) {
  // The last token of all is seen by nobody: its id may be any. Of the others the ids matter as what is seen, not as what is to be said.
  const Model m;
  Text t = text_of(m.config.vocab_size, 20, 1);
  t.trained.assign(20, 0);
  for (const size_t i : {4, 5, 11}) t.trained[i] = 1;
  auto step = [&](const Text& x) {
    const auto l = m.load();
    const Sequence s = x.view();
    l->accumulate({&s, 1}, mean_loss);
    l->step(1e-2, 0);
    return weights_of(*l);
  };
  const auto wanted = step(t);
  for (size_t i = 12; i < 20; ++i) {
    Text other = t;
    other.ids[i] = (other.ids[i] + 1) % static_cast<int32_t>(m.config.vocab_size);
    EXPECT_TRUE(same(wanted, step(other))) << "token " << i << ", behind what is trained";
  }
  // The gradient is that of a pass in which only the trained tokens have labels, whatever labels the others would have had.
  const Reference reference(m, torch::kFloat64);
  const Tensor logits = reference.model.logits(reference.model.hidden(Packed::of({t.ids})));
  for (const int64_t label : {0, 1, 200}) {
    std::vector<int64_t> labels(t.ids.begin() + 1, t.ids.end());
    std::vector<double> weight(labels.size());
    for (size_t i = 0; i < labels.size(); ++i) t.trained[i + 1] ? weight[i] = 1.0 / 3 : static_cast<double>(labels[i] = label);
    const Tensor loss = (torch::tensor(weight, torch::kFloat64) * torch::nll_loss_nd(logits.slice(0, 0, 19).log_softmax(-1), torch::tensor(labels, torch::kInt64), {}, at::Reduction::None)).sum();
    for (const auto& [name, p] : reference.model.parameters()) p.mutable_grad() = Tensor();
    loss.backward({}, true);
    const auto l = m.load(in("float64"));
    const Sequence s = t.view();
    l->accumulate({&s, 1}, mean_loss);
    const auto gradients = gradients_of(*l, m.folder);
    for (const auto& [name, p] : reference.model.parameters()) EXPECT_LE(largest_difference(gradients.at(name), p.grad()), 1e-10) << name;
  }
}

TEST(Learner, StepsAreThoseOfLibTorchsAdamW) {
  for (const char* precision : {"float64", "float32"}) {
    const Model m(shape_tiny(Architecture::Qwen2));
    LearnerOptions o = in(precision);
    o.adam = {.beta1 = 0.8, .beta2 = 0.95, .eps = 1e-6, .weight_decay = 0.1};
    const auto l = m.load(o);
    const bool wide = o.precision == "float64";
    Transformer model = Transformer::load(m.folder.path.string(), torch::kCPU, wide ? torch::kFloat64 : torch::kFloat32);
    model.require_gradients(true);
    std::vector<Tensor> matrices, vectors;
    for (const auto& [name, p] : model.parameters()) (p.dim() > 1 ? matrices : vectors).push_back(p);
    torch::optim::AdamWOptions decaying(0.0), other(0.0);
    decaying.betas({0.8, 0.95}).eps(1e-6).weight_decay(0.1);
    other.betas({0.8, 0.95}).eps(1e-6).weight_decay(0);
    std::vector<torch::optim::OptimizerParamGroup> groups;
    groups.emplace_back(matrices, std::make_unique<torch::optim::AdamWOptions>(decaying));
    groups.emplace_back(vectors, std::make_unique<torch::optim::AdamWOptions>(other));
    torch::optim::AdamW adam(groups, decaying);
    for (int i = 0; i < 4; ++i) {
      const double rate = 1e-3 * (i + 1), most = i == 1 ? 0 : 0.5;  // clipped, but for the second
      const auto texts = some_texts(m.config.vocab_size);
      l->accumulate(views(texts), sloped);
      const Learner::Step step = l->step(rate, most);
      adam.zero_grad();
      std::vector<Tensor> all = matrices;
      all.insert(all.end(), vectors.begin(), vectors.end());
      std::vector<Tensor> values;
      for (const Text& t : texts) {
        const Tensor rows = (model.logits(model.hidden(Packed::of({t.ids}))) / t.temperature).log_softmax(-1);
        for (size_t k = 1; k < t.ids.size(); ++k)
          if (t.trained[k]) values.push_back(rows[static_cast<int64_t>(k) - 1][t.ids[k]] * slope(values.size()));
      }
      torch::stack(values).sum().backward();
      const double norm = most > 0 ? torch::nn::utils::clip_grad_norm_(all, most) : torch::nn::utils::clip_grad_norm_(all, 1e30);
      EXPECT_FALSE(step.skipped);
      EXPECT_NEAR(step.gradient_norm, norm, (wide ? 1e-9 : 1e-4) * norm);
      for (auto& g : adam.param_groups()) static_cast<torch::optim::AdamWOptions&>(g.options()).lr(rate);
      adam.step();
    }
    const auto after = weights_of(*l);
    for (const auto& [name, p] : model.parameters()) EXPECT_LE(largest_difference(after.at(name), p.detach()), wide ? 1e-7 : 2e-4) << name << " in " << precision;
  }
}

TEST(Learner, AGradientThatIsNoNumberChangesNothing) {
  const Model m;
  const auto l = m.load(), other = m.load();
  const auto texts = some_texts(m.config.vocab_size);
  const auto before = weights_of(*l);
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    l->accumulate(views(texts), [&](const Learner::Tokens&, std::span<double> g) { g[1] = bad; });
    const Learner::Step step = l->step(1e-2, 1);
    EXPECT_TRUE(step.skipped);
    EXPECT_FALSE(std::isfinite(step.gradient_norm));
    EXPECT_TRUE(same(before, weights_of(*l)));
  }
  for (const auto& x : {l.get(), other.get()}) {
    x->accumulate(views(texts), sloped);
    EXPECT_FALSE(x->step(1e-2, 1).skipped);
  }
  EXPECT_TRUE(same(weights_of(*l), weights_of(*other)));
}

TEST(Learner, TwoRunsHaveTheSameBits) {
  // With several threads, too: who does what differs from run to run, what comes out does not.
  const Model m(shape_tiny(Architecture::Qwen3));
  for (const int threads : {1, 3})
    for (LearnerOptions o : {LearnerOptions{}, in("bfloat16"), with_lora({.r = 4, .alpha = 8, .dropout = 0.2})}) {
      o.threads = threads;
      std::map<std::string, Tensor> after[2];
      for (auto& weights : after) {
        const auto l = load_torch_learner(m.folder.path.string(), o);
        std::vector<Text> texts = some_texts(m.config.vocab_size);
        texts.push_back(text_of(m.config.vocab_size, 130, 8));
        for (int i = 0; i < 3; ++i) {
          l->accumulate(views(texts), sloped);
          l->step(1e-3, 1);
        }
        weights = weights_of(*l);
      }
      EXPECT_TRUE(same(after[0], after[1]));
    }
}

TEST(Learner, GoesOnFromAStateBitForBit) {
  const Model m(shape_tiny(Architecture::Qwen3));
  for (const LearnerOptions& o : {LearnerOptions{}, in("bfloat16"), in("float64"), with_lora({.r = 4, .alpha = 8, .dropout = 0.2}), with_lora({.r = 4, .alpha = 8, .dropout = 0.2}, "bfloat16")}) {
    SCOPED_TRACE(o.precision + (o.lora ? ", LoRA" : ""));
    const std::string file = m.folder / "state";
    const auto texts = some_texts(m.config.vocab_size);
    auto go_on = [&](Learner& l) {
      for (int i = 0; i < 3; ++i) {
        l.accumulate(views(texts), sloped);
        l.accumulate(views(texts), mean_loss);
        l.step(1e-3, 1);
      }
    };
    const auto one = m.load(o);
    go_on(*one);
    one->keep_reference();
    go_on(*one);
    one->accumulate(views(texts), sloped);  // that no step has taken yet
    one->save_state(file);
    go_on(*one);
    const auto two = m.load(o);
    two->load_state(file);
    go_on(*two);
    EXPECT_TRUE(same(weights_of(*one), weights_of(*two)));
    EXPECT_EQ(one->evaluate(views(texts), Policy::Reference).logprobs, two->evaluate(views(texts), Policy::Reference).logprobs);
    // Also into one that was somewhere else.
    one->load_state(file);
    go_on(*one);
    EXPECT_TRUE(same(weights_of(*one), weights_of(*two)));
  }
}

TEST(Learner, AStateOfAnotherModelIsRefused) {
  const Model m, other(shape_tiny(Architecture::Qwen3));
  m.load()->save_state(m.folder / "state");
  EXPECT_NE(error_of<ppc::engine::InputError>([&] { other.load()->load_state(m.folder / "state"); }).find("of another model"), std::string::npos);
  EXPECT_NE(error_of<ppc::engine::InputError>([&] { m.load(with_lora())->load_state(m.folder / "state"); }).find("of another model"), std::string::npos);
  EXPECT_NE(error_of<ppc::engine::InputError>([&] { m.load()->load_state(m.folder / "model.safetensors"); }).find("no state"), std::string::npos);
  std::ofstream(m.folder / "short") << "not a state";
  EXPECT_NE(error_of<ppc::engine::InputError>([&] { m.load()->load_state(m.folder / "short"); }), "no error");
  EXPECT_THROW(m.load()->save_state(m.folder / "no/such/folder/state"), ppc::engine::SystemError);
}

TEST(Learner, OverfitsABatch) {
  for (const LearnerOptions& o : {LearnerOptions{}, in("bfloat16"), with_lora({.r = 16, .alpha = 32})}) {
    const Model m(shape_tiny(), o.lora ? kWeights : RandomWeights{1, 0.02, 0});  // adapters beside nothing learn nothing
    SCOPED_TRACE(o.precision + (o.lora ? ", LoRA" : ""));
    const auto l = m.load(o);
    const auto texts = some_texts(m.config.vocab_size);
    double first = 0, last = 0;
    for (int i = 0; i < 120; ++i) {
      l->accumulate(views(texts), [&](const Learner::Tokens& t, std::span<double> g) {
        last = 0;
        for (const float p : t.logprobs) last -= p / static_cast<double>(t.logprobs.size());
        if (i == 0) first = last;
        mean_loss(t, g);
      });
      l->step(o.lora ? 2e-2 : 5e-3, 1);
    }
    EXPECT_GT(first, 5);
    EXPECT_LT(last, o.lora ? 0.5 : 0.05);
  }
}

TEST(Learner, BFloat16TrainsMasters) {
  // Steps that are smaller than bfloat16's are not lost; and what is multiplied are the masters, rounded.
  const Model m(shape_tiny(), kWeights, ppc::model::DType::BF16);
  const auto narrow = m.load(in("bfloat16")), wide = m.load();
  const auto texts = some_texts(m.config.vocab_size);
  const auto before = weights_of(*wide);
  for (int i = 0; i < 40; ++i)
    for (const auto& l : {narrow.get(), wide.get()}) {
      l->accumulate(views(texts), mean_loss);
      l->step(1e-4, 0);
    }
  double moved = 0, apart = 0;
  const auto a = weights_of(*narrow), b = weights_of(*wide);
  for (const auto& [name, t] : b) {
    moved += (t - before.at(name)).square().sum().item<double>();
    apart += (a.at(name).to(torch::kFloat32) - t).square().sum().item<double>();
  }
  EXPECT_LT(std::sqrt(apart), 0.5 * std::sqrt(moved));
  // Gradients are those of float32 to about a hundredth of their norm.
  const auto l = m.load(in("bfloat16")), exact = m.load();
  l->accumulate(views(texts), sloped);
  exact->accumulate(views(texts), sloped);
  const auto g = gradients_of(*l, m.folder), h = gradients_of(*exact, m.folder);
  double norm = 0, off = 0;
  for (const auto& [name, t] : h) {
    norm += t.square().sum().item<double>();
    off += (t - g.at(name)).square().sum().item<double>();
  }
  EXPECT_LT(std::sqrt(off), 0.03 * std::sqrt(norm));
}

TEST(Learner, ReferenceStaysAndCurrentMoves) {
  const Model m;
  const auto texts = some_texts(m.config.vocab_size);
  const auto full = m.load(), lora = m.load(with_lora());
  EXPECT_NE(error_of<std::invalid_argument>([&] { full->evaluate(views(texts), Policy::Reference); }).find("keep_reference"), std::string::npos);
  full->keep_reference();
  const auto base = full->evaluate(views(texts), Policy::Current).logprobs;
  for (const auto& l : {full.get(), lora.get()}) {
    l->accumulate(views(texts), mean_loss);
    l->step(1e-2, 0);
    EXPECT_EQ(l->evaluate(views(texts), Policy::Reference).logprobs, base);
    EXPECT_NE(l->evaluate(views(texts), Policy::Current).logprobs, base);
  }
  lora->keep_reference();
  const auto kept = lora->evaluate(views(texts), Policy::Current).logprobs;
  lora->accumulate(views(texts), mean_loss);
  lora->step(1e-2, 0);
  EXPECT_EQ(lora->evaluate(views(texts), Policy::Reference).logprobs, kept);
}

TEST(Learner, SavedWeightsAreAModel) {
  for (const LearnerOptions& o : {LearnerOptions{}, with_lora()}) {
    const Model m(shape_tiny(Architecture::Qwen2));
    const auto l = m.load(o);
    const auto texts = some_texts(m.config.vocab_size);
    l->accumulate(views(texts), mean_loss);
    l->step(1e-2, 0);
    const auto wanted = l->evaluate(views(texts), Policy::Current).logprobs;
    l->save_weights(m.folder.path.string());
    EXPECT_LE(largest_difference(m.load()->evaluate(views(texts), Policy::Current).logprobs, wanted), o.lora ? 1e-4 : 0);
    EXPECT_EQ(ppc::model::Weights::open(m.folder.path.string()).tensors()[0].dtype, ppc::model::DType::F32);
  }
}

TEST(Lora, BeginsAsTheBaseModel) {
  const Model m;
  const auto texts = some_texts(m.config.vocab_size);
  const auto base = m.load(), lora = m.load(with_lora({.r = 4, .alpha = 8, .dropout = 0.5}));
  EXPECT_EQ(base->evaluate(views(texts), Policy::Current).logprobs, lora->evaluate(views(texts), Policy::Current).logprobs);
  EXPECT_TRUE(same(weights_of(*base), weights_of(*lora)));
  int64_t numbers = 0;
  for (const Place& p : adapter_layout(m.config, 4, {true, true, true, true, true, true, true}).places) numbers += p.size;
  EXPECT_EQ(lora->trained_weights(), numbers);
}

TEST(Lora, AdaptersAreSavedAsPeftHasThem) {
  const Model m;
  const auto texts = some_texts(m.config.vocab_size);
  const LoraOptions options{.r = 3, .alpha = 12, .dropout = 0.1, .targets = {"q_proj", "down_proj"}};
  const auto l = m.load(with_lora(options));
  for (int i = 0; i < 3; ++i) {
    l->accumulate(views(texts), mean_loss);
    l->step(1e-2, 0);
  }
  l->save_adapter(m.folder / "adapter", "some/base");
  const auto files = ppc::model::Weights::open(m.folder / "adapter/adapter_model.safetensors");
  EXPECT_EQ(files.tensors().size(), static_cast<size_t>(2 * 2 * m.config.num_hidden_layers));
  const auto& a = files.get("base_model.model.model.layers.1.self_attn.q_proj.lora_A.weight");
  EXPECT_EQ(a.shape, (std::vector<int64_t>{3, m.config.hidden_size}));
  EXPECT_EQ(files.get("base_model.model.model.layers.0.mlp.down_proj.lora_B.weight").shape, (std::vector<int64_t>{m.config.hidden_size, 3}));
  const auto config = ppc::engine::load_json(m.folder / "adapter/adapter_config.json");
  EXPECT_EQ(config.find("peft_type")->as_text(), "LORA");
  EXPECT_EQ(config.find("base_model_name_or_path")->as_text(), "some/base");
  EXPECT_EQ(config.find("target_modules")->items().size(), 2u);

  const auto other = m.load(with_lora(options));
  other->load_adapter(m.folder / "adapter");
  EXPECT_EQ(other->evaluate(views(texts), Policy::Current).logprobs, l->evaluate(views(texts), Policy::Current).logprobs);
  EXPECT_TRUE(same(weights_of(*l), weights_of(*other)));
  LoraOptions wider = options;
  wider.r = 4;
  EXPECT_NE(error_of<ppc::engine::InputError>([&] { m.load(with_lora(wider))->load_adapter(m.folder / "adapter"); }).find("`r` is 3"), std::string::npos);
  EXPECT_NE(error_of<ppc::engine::InputError>([&] { m.load(with_lora({.r = 3, .alpha = 12, .targets = {"q_proj"}}))->load_adapter(m.folder / "adapter"); }).find("down_proj"), std::string::npos);
  EXPECT_THROW(m.load()->save_adapter(m.folder / "adapter", ""), std::invalid_argument);
}

TEST(Lora, GradientsAreLibTorchs) {
  // W + s B A in the plain model: dB = s dW Aᵀ, dA = s Bᵀ dW.
  for (const auto& [name, config] : kShapes) {
    SCOPED_TRACE(name);
    const Model m(config);
    const auto texts = some_texts(config.vocab_size);
    const auto l = m.load(with_lora({.r = 3, .alpha = 6}, "float64"));
    l->accumulate(views(texts), sloped);
    l->step(1e-2, 0);  // B is no longer 0
    l->accumulate(views(texts), sloped);
    l->save_state(m.folder / "state");
    l->save_weights(m.folder.path.string());
    const auto wanted = Reference(m).gradients(texts);
    const auto state = ppc::model::Weights::open(m.folder / "state");
    auto doubles = [&](const char* which) { return torch::from_blob(const_cast<std::byte*>(state.get(which).data.data()), {static_cast<int64_t>(state.get(which).data.size() / 8)}, torch::kFloat64); };
    const Layout layout = adapter_layout(config, 3, {true, true, true, true, true, true, true});
    const Tensor weights = doubles("weights"), gradients = doubles("gradients");
    for (size_t i = 0; i < layout.places.size(); i += 2) {
      const Place &a = layout.places[i], &b = layout.places[i + 1];
      const Tensor dw = wanted.at(a.name.substr(0, a.name.find(".lora_A")) + ".weight"), A = part(weights, a), B = part(weights, b);
      EXPECT_LE(largest_difference(part(gradients, b), 2 * dw.mm(A.t())), 1e-4) << b.name;  // the saved weights are float32
      EXPECT_LE(largest_difference(part(gradients, a), 2 * B.t().mm(dw)), 1e-4) << a.name;
    }
  }
}

TEST(Lora, DropoutIsItsSeeds) {
  const Model m;
  const auto texts = some_texts(m.config.vocab_size);
  auto first = [&](double dropout, uint64_t seed, int pass) {
    LearnerOptions o = with_lora({.r = 4, .alpha = 8, .dropout = dropout});
    o.seed = 3;
    const auto l = m.load(o);
    l->accumulate(views(texts), sloped);
    l->step(1e-2, 0);
    o.seed = seed;
    const auto other = m.load(o);
    l->save_adapter(m.folder / "a", "");
    other->load_adapter(m.folder / "a");
    std::vector<float> seen;
    for (int i = 0; i <= pass; ++i) other->accumulate(views(texts), [&](const Learner::Tokens& t, std::span<double>) { seen = t.logprobs; });
    return seen;
  };
  EXPECT_EQ(first(0.3, 1, 0), first(0.3, 1, 0));
  EXPECT_NE(first(0.3, 1, 0), first(0.3, 2, 0));
  EXPECT_NE(first(0.3, 1, 0), first(0.3, 1, 1));
  EXPECT_EQ(first(0, 1, 0), first(0, 2, 1));
}

TEST(Learner, BadInputIsRefused) {
  const Model m;
  const auto l = m.load();
  Text t = text_of(m.config.vocab_size, 5, 1);
  auto refused = [&](const Text& x) {
    const Sequence s = x.view();
    return error_of<std::invalid_argument>([&] { l->accumulate({&s, 1}, nothing); });
  };
  Text bad = t;
  bad.ids[2] = static_cast<int32_t>(m.config.vocab_size);
  EXPECT_NE(refused(bad).find("outside the vocabulary"), std::string::npos);
  bad = t;
  bad.trained[0] = 1;
  EXPECT_NE(refused(bad).find("first token"), std::string::npos);
  bad = t;
  bad.trained.pop_back();
  EXPECT_NE(refused(bad).find("4 that say"), std::string::npos);
  bad = t;
  bad.temperature = 0;
  EXPECT_NE(refused(bad).find("temperature"), std::string::npos);
  EXPECT_NE(error_of<std::invalid_argument>([&] { m.load(in("float16")); }).find("float16"), std::string::npos);
  EXPECT_NE(error_of<std::invalid_argument>([&] { m.load(with_lora({.targets = {"q"}})); }).find("`q`"), std::string::npos);
  EXPECT_THROW(m.load(with_lora({.r = 0})), std::invalid_argument);
  EXPECT_THROW(load_torch_learner(m.folder / "nowhere", {}), ppc::engine::InputError);
  // Nothing that is trained is no error.
  t.trained.assign(5, 0);
  const Sequence s = t.view();
  EXPECT_TRUE(l->evaluate({&s, 1}, Policy::Current).logprobs.empty());
  int called = 0;
  l->accumulate({&s, 1}, [&](const Learner::Tokens& x, std::span<double> g) { called += x.logprobs.empty() && g.empty(); });
  EXPECT_EQ(called, 1);
  EXPECT_TRUE(l->evaluate({}, Policy::Current).logprobs.empty());
  // What the objective throws comes out, and nothing was added.
  const Text good = text_of(m.config.vocab_size, 9, 1);
  const Sequence g = good.view();
  EXPECT_THROW(l->accumulate({&g, 1}, [](const Learner::Tokens&, std::span<double>) { throw std::logic_error("no"); }), std::logic_error);
  EXPECT_EQ(l->step(1e-2, 1).gradient_norm, 0);
}

TEST(Learner, ComesFromThePlugin) {
  const Model m;
  LearnerOptions o;
  o.threads = 1;
  const auto l = load_learner(m.folder.path.string(), o);
  EXPECT_EQ(l->trained_weights(), layout_of(m.config).numbers);
  EXPECT_GT(l->memory().moments, 2 * l->memory().gradients - 8);
  EXPECT_THROW(load_learner(m.folder / "nowhere", o), ppc::engine::InputError);
}
