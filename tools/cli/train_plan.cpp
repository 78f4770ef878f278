#include "tools/cli/train_plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "tools/cli/cli.h"
#include "tools/cli/progress.h"

namespace ppc::cli {
namespace {

constexpr Gpu kGpus[] = {
    {"a100-40", 40, 312e12, 1555e9}, {"a100", 80, 312e12, 2039e9},  {"h100", 80, 989e12, 3350e9},   {"h200", 141, 989e12, 4800e9},
    {"b200", 180, 2250e12, 8000e9},  {"l40s", 48, 362e12, 864e9},   {"l4", 24, 121e12, 300e9},      {"rtx-3090", 24, 71e12, 936e9},
    {"rtx-4090", 24, 165e12, 1008e9}, {"rtx-5090", 32, 209e12, 1792e9},
};
// What is expected of these rates: what well-written programs reach.
constexpr double kOfProducts = 0.4, kOfBandwidth = 0.6;

std::string number(double v) {
  char text[64];
  if (v >= 1e9) std::snprintf(text, sizeof text, "%.2f billion", v / 1e9);
  else if (v >= 1e6) std::snprintf(text, sizeof text, "%.1f million", v / 1e6);
  else std::snprintf(text, sizeof text, "%.0f", v);
  return text;
}
std::string size(double bytes) {
  char text[64];
  if (bytes >= 1e9) std::snprintf(text, sizeof text, "%.1f GB", bytes / 1e9);
  else if (bytes >= 1e6) std::snprintf(text, sizeof text, "%.1f MB", bytes / 1e6);
  else std::snprintf(text, sizeof text, "%.1f kB", bytes / 1e3);
  return text;
}

}  // namespace

const Gpu& gpu_of(const std::string& name) {
  std::string names;
  for (const Gpu& g : kGpus) {
    if (name == g.name) return g;
    names += (names.empty() ? "" : ", ") + std::string(g.name);
  }
  throw UsageError("`--gpu` knows no `" + name + "`; there is " + names);
}

double Plan::bytes() const {
  double sum = 0;
  for (const Item& i : memory) sum += i.bytes;
  return sum;
}

Plan plan_of(const model::ModelConfig& m, const train::Config& c) {
  Plan p;
  const double number_bytes = c.learner.precision == "bfloat16" ? 2 : 4;
  double products = 0;  // weights that every token is multiplied with
  const std::set<std::string> targets = c.learner.lora ? std::set<std::string>(c.learner.lora->targets.begin(), c.learner.lora->targets.end()) : std::set<std::string>{};
  for (const auto& [name, shape] : model::tensors_of(m)) {
    double n = 1;
    for (const int64_t d : shape) n *= static_cast<double>(d);
    p.weights += n;
    if (shape.size() < 2) continue;
    if (name != "model.embed_tokens.weight" || m.tie_word_embeddings) products += n;
    if (!c.learner.lora || name.find(".layers.") == std::string::npos) continue;
    const size_t end = name.rfind('.'), from = name.rfind('.', end - 1) + 1;
    if (targets.empty() || targets.count(name.substr(from, end - from))) p.trained += static_cast<double>(c.learner.lora->r * (shape[0] + shape[1]));
  }
  if (!c.learner.lora) p.trained = p.weights;
  const double h = static_cast<double>(m.hidden_size), heads = static_cast<double>(m.num_attention_heads * m.head_dim), kv = static_cast<double>(m.num_key_value_heads * m.head_dim),
               ffn = static_cast<double>(m.intermediate_size), layers = static_cast<double>(m.num_hidden_layers), tokens = static_cast<double>(c.batch_tokens);

  p.memory.push_back({"weights", p.weights * number_bytes});
  if (number_bytes < 4) p.memory.push_back({"float32 masters of what is trained", p.trained * 4});
  p.memory.push_back({"gradients", p.trained * 4});
  p.memory.push_back({"AdamW's moments", p.trained * 8});
  const bool reference = c.method == train::Method::Dpo || (c.method == train::Method::Grpo && c.grpo.beta > 0);
  if (reference && !c.learner.lora) p.memory.push_back({"the reference's weights", p.weights * number_bytes});
  // Of a layer and token: the inputs of its norms and products, queries, keys, values, what attention gives.
  const double layer = 4 * h + 2 * heads + 2 * kv + 3 * ffn;
  p.memory.push_back({"activations of " + std::to_string(c.batch_tokens) + " tokens", tokens * number_bytes * (c.learner.gradient_checkpointing ? layers * h + layer : layers * layer)});
  const bool plays = c.rollouts.servers.empty() && (c.method == train::Method::Grpo || !c.evaluation.games.empty());
  if (plays) {
    p.memory.push_back({"weights of the network that plays", p.weights * number_bytes});
    const double room = static_cast<double>(c.data.max_length ? c.data.max_length : std::min<int64_t>(m.max_position_embeddings, 2048));
    const double kept = c.cache_tokens ? static_cast<double>(c.cache_tokens) : room * static_cast<double>(c.in_flight);
    p.memory.push_back({"keys and values of " + number(kept) + " tokens", kept * 2 * kv * layers * number_bytes});
  }
  // Two operations for a weight forward, two for the gradient of what came in, two for that of the weight where it is trained.
  p.train_flops = products * (c.learner.lora ? 4 : 6) + p.trained * (c.learner.lora ? 6 : 0) + (c.learner.gradient_checkpointing ? 2 * products : 0);
  p.play_flops = 2 * products;
  p.play_bytes = products * number_bytes;
  return p;
}

std::string plan_text(const Plan& p, const train::Config& c, const Gpu* gpu) {
  std::string out = number(p.weights) + " weights, " + number(p.trained) + " trained numbers\n\nmemory\n";
  for (const Plan::Item& i : p.memory) out += "  " + size(i.bytes) + std::string(std::max<int>(1, 12 - static_cast<int>(size(i.bytes).size())), ' ') + i.what + "\n";
  out += "  " + size(p.bytes()) + std::string(std::max<int>(1, 12 - static_cast<int>(size(p.bytes()).size())), ' ') + "together\n";
  if (!gpu) return out + "\n--gpu NAME says whether that fits, and how long it takes\n";
  const double fits = 0.93 * gpu->memory * 1e9;  // the driver, LibTorch's own, fragments
  out += p.bytes() <= fits ? "  fits into " : "  does NOT fit into ";
  out += std::string(gpu->name) + " (" + size(gpu->memory * 1e9) + ")";
  if (p.bytes() > fits) out += ": less `batch_tokens`, `in_flight` or `cache_tokens`, `gradient_checkpointing: true`, `lora`, or more GPUs";
  char text[256];
  const double train = gpu->flops * kOfProducts / p.train_flops;
  std::snprintf(text, sizeof text, "\n\ntime, if %.0f %% of the matrix products' and %.0f %% of the memory's rate are reached\n  %.0f tokens a second are trained\n", 100 * kOfProducts, 100 * kOfBandwidth, train);
  out += text;
  if (c.method == train::Method::Grpo && c.rollouts.servers.empty()) {
    const double at_once = static_cast<double>(std::min<int64_t>(c.in_flight, c.grpo.groups * c.grpo.group_size));
    const double step = std::max(p.play_bytes / (gpu->bandwidth * kOfBandwidth), at_once * p.play_flops / (gpu->flops * kOfProducts));
    std::snprintf(text, sizeof text, "  %.0f tokens a second are sampled, %.0f conversations at once\n", at_once / step, at_once);
    out += text;
    // A step's episodes, of the length that was measured for games (median 462 tokens, of which a third are the learner's).
    const double episodes = static_cast<double>(c.grpo.groups * c.grpo.group_size), tokens = 462;
    const double seconds = episodes * tokens / 3 / (at_once / step) + episodes * tokens / train * static_cast<double>(c.grpo.updates);
    out += "  a step of " + std::to_string(c.grpo.groups * c.grpo.group_size) + " episodes of 462 tokens: " + duration(std::ceil(seconds)) + "; " + std::to_string(c.steps) + " steps: " +
           duration(std::ceil(seconds) * static_cast<double>(c.steps)) + ", without partners, retries and evaluations\n";
  }
  return out;
}

}  // namespace ppc::cli
