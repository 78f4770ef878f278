#include "trainers/nn/torch.h"  // first

#include "trainers/nn/torch_learner.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <stdexcept>
#include <utility>

#include "runtime/engine/json.h"
#include "runtime/engine/splitmix.h"
#include "trainers/nn/adam.h"
#include "trainers/nn/cpu_memory.h"
#include "trainers/nn/devices.h"
#include "trainers/nn/flat.h"
#include "trainers/nn/group.h"
#include "trainers/nn/pass.h"
#include "trainers/nn/random_model.h"

namespace ppc::nn {

namespace {

using engine::InputError;
using engine::Json;
using learn::LearnerOptions;
using learn::LoraOptions;
using learn::Policy;
using learn::Sequence;
namespace fs = std::filesystem;

constexpr const char* kStateFormat = "ppc learner 1";
constexpr const char* kAdapterPrefix = "base_model.model.";  // PEFT's

torch::Dtype precision_of(const std::string& name) {
  if (name == "float32") return torch::kFloat32;
  if (name == "bfloat16") return torch::kBFloat16;
  if (name == "float64") return torch::kFloat64;
  throw std::invalid_argument("precision `" + name + "`: expected float32, bfloat16 or float64");
}

std::array<bool, kProjections> targets_of(const LoraOptions& lora) {
  if (lora.r < 1) throw std::invalid_argument("lora: r is " + std::to_string(lora.r) + ", and must be at least 1");
  if (!(lora.dropout >= 0 && lora.dropout < 1)) throw std::invalid_argument("lora: dropout is " + std::to_string(lora.dropout) + ", and must be in [0, 1)");
  std::array<bool, kProjections> out{};
  if (lora.targets.empty()) out.fill(true);
  for (const std::string& name : lora.targets) {
    const auto at = std::find_if(kProjectionNames.begin(), kProjectionNames.end(), [&](const ProjectionName& p) { return name == p.name; });
    if (at == kProjectionNames.end())
      throw std::invalid_argument("lora: no projection `" + name + "`: there are q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj and down_proj");
    out[static_cast<size_t>(at - kProjectionNames.begin())] = true;
  }
  return out;
}

/// Uniform in [-bound, bound): a function of the name, the seed and the place.
void fill_uniform(const Tensor& t, const std::string& name, uint64_t seed, double bound) {
  uint64_t h = seed ^ 0xCBF29CE484222325u;
  for (const char c : name) h = engine::mix64(h ^ static_cast<unsigned char>(c)) + engine::kSplit;
  Tensor values = at::empty(t.sizes(), torch::kFloat64);
  auto* out = values.data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) out[i] = (static_cast<double>(engine::mix64(h += engine::kSplit) >> 11) * 0x1p-52 - 1) * bound;
  t.copy_(values);
}

class TorchLearner final : public learn::Learner {
 public:
  TorchLearner(const std::string& folder, const LearnerOptions& o)
      : options_(o), config_(model::load_config(folder)), device_(device_of(o.device)), dtype_(precision_of(o.precision)),
        wide_(dtype_ == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32), layout_(layout_of(config_)), pass_(config_, device_, dtype_, o.threads) {
    const Entry entry(*this);
    const learn::GroupOptions& g = o.group;
    if (g.world < 1 || g.rank < 0 || g.rank >= g.world) throw std::invalid_argument("process " + std::to_string(g.rank) + " of " + std::to_string(g.world) + ": there is no such");
    if (g.world > 1) group_ = join(g, device_);
    if (o.lora) targets_ = targets_of(*o.lora);
    const model::Weights files = model::Weights::open(folder);
    const Tensor flat = at::zeros({layout_.size}, options(o.lora ? dtype_ : wide_));
    for (const Place& p : layout_.places) part(flat, p).copy_(tensor_of(files.get(p.name, p.shape)));
    weights_ = ModelView(layout_, config_, flat.to(dtype_));
    if (o.lora) {
      adapter_layout_ = adapter_layout(config_, o.lora->r, targets_);
      const Tensor all = at::zeros({adapter_layout_.size}, options(wide_));
      // As PEFT begins: A Kaiming-uniform with a = √5, that is within 1 / √inputs, and B 0.
      for (const Place& p : adapter_layout_.places)
        if (p.name.ends_with("lora_A.weight")) fill_uniform(part(all, p), p.name, o.seed, 1 / std::sqrt(static_cast<double>(p.shape[1])));
      trained_.make(all, adapter_layout_.decaying, g.rank, g.world);
      adapters_ = AdapterView(adapter_layout_, config_, all.to(dtype_));
      adapter_gradients_ = AdapterView(adapter_layout_, config_, trained_.gradients);
      gradients_ = ModelView(layout_, config_, {});
    } else {
      trained_.make(flat, layout_.decaying, g.rank, g.world);
      gradients_ = ModelView(layout_, config_, trained_.gradients);
      adapter_gradients_ = AdapterView({}, config_, {});
    }
  }

  const model::ModelConfig& config() const override { return config_; }

  Tokens evaluate(std::span<const Sequence> sequences, Policy policy, bool entropies) override {
    const Entry entry(*this);
    return guarded([&] {
      const Batch batch = batch_of(sequences);
      if (batch.rows.size(0) == 0) return Tokens();
      if (policy == Policy::Current) {
        const std::optional<Adapters> a = adapters(adapters_);
        return tokens_of(pass_.evaluate(weights_, a ? &*a : nullptr, batch, entropies));
      }
      if (options_.lora) {
        const std::optional<Adapters> a = reference_.defined() ? adapters(AdapterView(adapter_layout_, config_, reference_)) : std::nullopt;
        return tokens_of(pass_.evaluate(weights_, a ? &*a : nullptr, batch, entropies));
      }
      if (!reference_.defined()) throw std::invalid_argument("there is no reference: keep_reference comes first");
      return tokens_of(pass_.evaluate(ModelView(layout_, config_, reference_), nullptr, batch, entropies));
    });
  }

  void keep_reference() override {
    const Entry entry(*this);
    guarded([&] { reference_ = (options_.lora ? adapters_.flat : weights_.flat).clone(); });
  }

  void accumulate(std::span<const Sequence> sequences, const Objective& objective, bool entropies) override {
    const Entry entry(*this);
    Batch batch = guarded([&] { return batch_of(sequences); });
    const int64_t wanted = batch.rows.size(0);
    std::vector<double> gradient(static_cast<size_t>(wanted));
    ++passes_;
    if (wanted == 0) return objective({}, gradient);
    const std::optional<Adapters> a = adapters(adapters_);
    const Tokens tokens = guarded([&] { return tokens_of(pass_.forward(weights_, a ? &*a : nullptr, std::move(batch), entropies, options_.gradient_checkpointing)); });
    try {
      objective(tokens, gradient);
    } catch (...) {
      pass_.forget();
      throw;
    }
    accumulated_ = true;
    try {
      guarded([&] { pass_.backward(torch::from_blob(gradient.data(), {wanted}, torch::kFloat64).to(device_, wide_), gradients_, adapter_gradients_); });
    } catch (...) {  // a part of them was added, perhaps
      trained_.gradients.zero_();
      throw;
    }
  }

  Step step(double learning_rate, double max_norm) override {
    const Entry entry(*this);
    return guarded([&] {
      Step out;
      if (group_) group_->sum(trained_.gradients);
      out.gradient_norm = trained_.gradient_norm(pass_.ops());
      out.skipped = !std::isfinite(out.gradient_norm);
      if (!out.skipped) {
        // As torch.nn.utils.clip_grad_norm_.
        trained_.step(options_.adam, learning_rate, max_norm > 0 ? std::min(1.0, max_norm / (out.gradient_norm + 1e-6)) : 1, pass_.ops());
        // Each process has stepped its part.
        for (int r = 0; group_ && r < options_.group.world; ++r) {
          const auto [from, to] = Trained::shard(trained_.weights.numel(), r, options_.group.world);
          if (to > from) group_->broadcast(trained_.weights.narrow(0, from, to - from), r);
        }
        refresh();
      } else {
        trained_.gradients.zero_();
      }
      accumulated_ = false;
      return out;
    });
  }

  std::vector<std::string> exchange(const std::string& mine) override { return group_ ? group_->exchange(mine) : std::vector<std::string>{mine}; }

  int64_t trained_weights() const override { return options_.lora ? adapter_layout_.numbers : layout_.numbers; }

  void weights(const std::function<void(const model::TensorView&)>& f) override {
    const Entry entry(*this);
    const torch::Dtype as = dtype_ == torch::kBFloat16 ? torch::kBFloat16 : torch::kFloat32;
    for (const Place& p : layout_.places) {
      const Tensor t = guarded([&] { return merged(p, as); });
      f(view_of(p.name, t));
    }
  }

  void save_weights(const std::string& folder) override {
    const Entry entry(*this);
    const torch::Dtype as = config_.dtype == "bfloat16" ? torch::kBFloat16 : config_.dtype == "float16" ? torch::kFloat16 : config_.dtype == "float32" ? torch::kFloat32
                            : dtype_ == torch::kBFloat16 ? torch::kBFloat16 : torch::kFloat32;
    std::map<std::string, Tensor> tensors;
    std::vector<model::TensorView> views;
    for (const auto& [name, shape] : model::tensors_of(config_)) {
      const Tensor& t = tensors[name] = guarded([&] { return merged(*layout_.find(name), as); });
      views.push_back(view_of(name, t));
    }
    model::write_weights(folder, views);
  }

  void save_adapter(const std::string& folder, const std::string& base_model) override {
    const Entry entry(*this);
    if (!options_.lora) throw std::invalid_argument("there are no adapters: all weights are trained");
    std::error_code ec;
    fs::create_directories(folder, ec);
    const Tensor all = guarded([&] { return trained_.weights.to(torch::kCPU, torch::kFloat32).contiguous(); });
    std::vector<model::TensorView> views;
    for (const Place& p : adapter_layout_.places) views.push_back(view_of(kAdapterPrefix + p.name, part(all, p)));
    model::write_safetensors((fs::path(folder) / "adapter_model.safetensors").string(), views);
    Json targets = Json::list(), config = Json::object();
    for (size_t i = 0; i < kProjections; ++i)
      if (targets_[i]) targets.push(kProjectionNames[i].name);
    const std::pair<const char*, Json> members[] = {
        {"peft_type", "LORA"}, {"task_type", "CAUSAL_LM"}, {"base_model_name_or_path", base_model}, {"r", options_.lora->r}, {"lora_alpha", options_.lora->alpha},
        {"lora_dropout", options_.lora->dropout}, {"target_modules", std::move(targets)}, {"bias", "none"}, {"fan_in_fan_out", false}, {"inference_mode", true},
        {"init_lora_weights", true}, {"modules_to_save", nullptr}, {"use_rslora", false}, {"use_dora", false}};
    for (const auto& [name, value] : members) config.add(name, value);
    model::write_file_atomically((fs::path(folder) / "adapter_config.json").string(), engine::to_text(config, {.indent = 2}) + "\n");
  }

  void load_adapter(const std::string& folder) override {
    const Entry entry(*this);
    if (!options_.lora) throw std::invalid_argument("there are no adapters: all weights are trained");
    const std::string file = (fs::path(folder) / "adapter_config.json").string();
    const Json config = engine::load_json(file);
    auto must_be = [&](const char* name, double value) {
      const Json* v = config.find(name);
      if (!v || !v->is_number()) throw InputError(file + ": `" + name + "` is missing");
      if (v->as_float() != value) throw InputError(file + ": `" + std::string(name) + "` is " + engine::to_text(*v) + ", and this run's is " + engine::to_text(Json(value)));
    };
    must_be("r", static_cast<double>(options_.lora->r));
    must_be("lora_alpha", options_.lora->alpha);
    for (const char* name : {"use_rslora", "use_dora"})
      if (const Json* v = config.find(name); v && v->is_bool() && v->as_bool()) throw InputError(file + ": `" + name + "` is not supported");
    const model::Weights files = model::Weights::open((fs::path(folder) / "adapter_model.safetensors").string());
    for (const model::TensorView& t : files.tensors())
      if (!t.name.starts_with(kAdapterPrefix) || !adapter_layout_.find(t.name.substr(std::string_view(kAdapterPrefix).size())))
        throw InputError(files.files()[t.file] + ": tensor `" + t.name + "` is none of this run's adapters");
    guarded([&] {
      const Tensor all = at::zeros_like(trained_.weights);
      for (const Place& p : adapter_layout_.places) part(all, p).copy_(tensor_of(files.get(kAdapterPrefix + p.name, p.shape)));
      trained_.weights.copy_(all);
      refresh();
    });
  }

  void save_state(const std::string& file) override {
    const Entry entry(*this);
    std::vector<Tensor> tensors;
    std::vector<model::TensorView> views;
    auto add = [&](const std::string& name, const Tensor& t) {
      const Tensor& host = tensors.emplace_back(guarded([&] { return t.to(torch::kCPU).contiguous(); }));
      model::TensorView v = view_of(name, host);
      if (host.scalar_type() == torch::kFloat64) v.shape = {2 * host.numel()};  // bits are bits
      views.push_back(std::move(v));
    };
    const Tensor first = whole(trained_.first), second = whole(trained_.second);
    if (options_.group.rank != 0) return;
    add("weights", trained_.weights);
    add("first", first);
    add("second", second);
    if (accumulated_) add("gradients", trained_.gradients);
    if (reference_.defined()) add("reference", reference_);
    model::write_safetensors(file, views, {{"format", kStateFormat}, {"of", identity()}, {"steps", std::to_string(trained_.steps)}, {"passes", std::to_string(passes_)}});
  }

  void load_state(const std::string& file) override {
    const Entry entry(*this);
    const model::Weights files = model::Weights::open(file);
    auto text = [&](const char* name) {
      const auto at = files.metadata().find(name);
      return at == files.metadata().end() ? std::string() : at->second;
    };
    auto number = [&](const char* name) {
      try {
        return std::stoll(text(name));
      } catch (const std::exception&) {
        throw InputError(file + ": `" + name + "` is missing or no number");
      }
    };
    if (text("format") != kStateFormat) throw InputError(file + ": no state of a learner, or of another version");
    if (text("of") != identity()) throw InputError(file + ": the state of another model, or of other settings: it is of " + text("of") + ", and this run of " + identity());
    const int64_t steps = number("steps"), passes = number("passes");
    auto read = [&](const char* name, const Tensor& like) {
      const int64_t per = like.scalar_type() == torch::kFloat64 ? 2 : 1;
      const model::TensorView& v = files.get(name, {per * like.numel()});
      if (v.dtype != view_of("", at::empty({0}, at::TensorOptions().dtype(like.scalar_type()))).dtype || !v.aligned()) throw InputError(file + ": tensor `" + std::string(name) + "`: of another type");
      return torch::from_blob(const_cast<std::byte*>(v.data.data()), {like.numel()}, at::TensorOptions().dtype(like.scalar_type()));
    };
    // All is looked at before anything changes.
    const Tensor weights = read("weights", trained_.weights), first = read("first", trained_.weights), second = read("second", trained_.weights);
    const bool accumulated = files.find("gradients"), reference = files.find("reference");
    const Tensor gradients = accumulated ? read("gradients", trained_.gradients) : Tensor();
    const Tensor kept = reference ? read("reference", options_.lora ? adapters_.flat : weights_.flat) : Tensor();
    guarded([&] {
      trained_.weights.copy_(weights);
      trained_.first.copy_(first.narrow(0, trained_.from, trained_.to - trained_.from));
      trained_.second.copy_(second.narrow(0, trained_.from, trained_.to - trained_.from));
      accumulated ? trained_.gradients.copy_(gradients) : trained_.gradients.zero_();
      reference_ = reference ? kept.to(device_, kept.scalar_type(), false, true) : Tensor();
      trained_.steps = steps;
      passes_ = passes;
      accumulated_ = accumulated;
      refresh();
    });
  }

  Memory memory() const override {
    auto bytes = [](const Tensor& t) { return t.defined() ? static_cast<int64_t>(t.nbytes()) : 0; };
    Memory m;
    m.weights = bytes(weights_.flat) + bytes(adapters_.flat) + bytes(reference_);
    if (trained_.weights.data_ptr() != (options_.lora ? adapters_.flat : weights_.flat).data_ptr()) m.weights += bytes(trained_.weights);
    m.gradients = bytes(trained_.gradients);
    m.moments = bytes(trained_.first) + bytes(trained_.second);
    return m;
  }

 private:
  /// What holds while a function runs: LibTorch records nothing, and has the threads that were asked for, whichever thread calls.
  struct Entry {
    explicit Entry(const TorchLearner& l) {
      if (l.device_.is_cpu()) use_threads(l.options_.threads, l.pass_.ops().torch_has_threads());
    }
    torch::NoGradGuard no_gradients;
  };

  torch::TensorOptions options(torch::Dtype type) const { return torch::TensorOptions().device(device_).dtype(type); }

  std::optional<Adapters> adapters(const AdapterView& view) const {
    if (!options_.lora) return std::nullopt;
    return Adapters{view, options_.lora->alpha / static_cast<double>(options_.lora->r), options_.lora->dropout, options_.seed * engine::kSplit + static_cast<uint64_t>(passes_)};
  }

  /// Moments of all weights, of which each process has a part.
  Tensor whole(const Tensor& part) {
    if (!group_) return part;
    const Tensor all = guarded([&] {
      Tensor t = at::zeros_like(trained_.weights);
      t.narrow(0, trained_.from, trained_.to - trained_.from).copy_(part);
      return t;
    });
    group_->sum(all);
    return all;
  }

  /// What is multiplied, after what is trained has changed.
  void refresh() {
    const Tensor& used = options_.lora ? adapters_.flat : weights_.flat;
    if (used.data_ptr() != trained_.weights.data_ptr()) used.copy_(trained_.weights);
  }

  Batch batch_of(std::span<const Sequence> sequences) const {
    std::vector<int64_t> tokens, positions, rows, targets;
    std::vector<double> heat;
    Batch out;
    out.bounds.push_back(0);
    for (size_t s = 0; s < sequences.size(); ++s) {
      const Sequence& q = sequences[s];
      auto fail = [&](const std::string& what) { throw std::invalid_argument("sequence " + std::to_string(s) + ": " + what); };
      if (q.trained.size() != q.ids.size()) fail(std::to_string(q.ids.size()) + " ids, and " + std::to_string(q.trained.size()) + " that say whether they are trained");
      if (!(q.temperature > 0 && std::isfinite(q.temperature))) fail("the temperature is " + std::to_string(q.temperature));
      for (const learn::TokenId t : q.ids)
        if (t < 0 || t >= config_.vocab_size) fail("token " + std::to_string(t) + " is outside the vocabulary of " + std::to_string(config_.vocab_size));
      if (!q.trained.empty() && q.trained[0]) fail("the first token is trained, and nothing says what it follows");
      size_t end = q.ids.size();  // nothing behind the last trained token is looked at
      while (end > 0 && !q.trained[end - 1]) --end;
      for (size_t i = 0; i + 1 < end; ++i) {
        if (q.trained[i + 1]) {
          rows.push_back(static_cast<int64_t>(tokens.size()));
          targets.push_back(q.ids[i + 1]);
          heat.push_back(1 / q.temperature);
        }
        tokens.push_back(q.ids[i]);
        positions.push_back(static_cast<int64_t>(i));
      }
      if (static_cast<int64_t>(tokens.size()) > out.bounds.back()) out.bounds.push_back(static_cast<int64_t>(tokens.size()));
    }
    auto upload = [&](const std::vector<int64_t>& list) { return torch::tensor(list, torch::kInt64).to(device_); };
    out.tokens = upload(tokens);
    out.positions = upload(positions);
    out.rows = upload(rows);
    out.targets = upload(targets);
    out.heat = torch::tensor(heat, torch::kFloat64).to(device_, wide_);
    return out;
  }

  static Tokens tokens_of(const Pass::Logprobs& l) {
    auto list = [](const Tensor& t) {
      std::vector<float> out;
      if (t.defined()) {
        const Tensor host = t.to(torch::kCPU, torch::kFloat32).contiguous();
        out.assign(host.data_ptr<float>(), host.data_ptr<float>() + host.numel());
      }
      return out;
    };
    return {list(l.values), list(l.entropies)};
  }

  /// A tensor of the model as it plays, on the CPU.
  Tensor merged(const Place& p, torch::Dtype as) const {
    Tensor t = part(options_.lora ? weights_.flat : trained_.weights, p);
    if (options_.lora && p.name.ends_with(".weight")) {
      const std::string base = p.name.substr(0, p.name.size() - std::string_view(".weight").size());
      const Place *a = adapter_layout_.find(base + ".lora_A.weight"), *b = adapter_layout_.find(base + ".lora_B.weight");
      if (a) t = t.to(wide_) + at::mm(part(trained_.weights, *b), part(trained_.weights, *a)) * (options_.lora->alpha / static_cast<double>(options_.lora->r));
    }
    return t.to(torch::kCPU, as).contiguous();
  }

  /// What a state is of: others do not fit.
  std::string identity() const {
    Json out = Json::object();
    out.add("model", to_json(config_));
    out.add("precision", options_.precision);
    if (options_.lora) {
      Json targets = Json::list();
      for (size_t i = 0; i < kProjections; ++i)
        if (targets_[i]) targets.push(kProjectionNames[i].name);
      out.add("r", options_.lora->r);
      out.add("alpha", options_.lora->alpha);
      out.add("targets", std::move(targets));
    }
    return engine::to_text(out);
  }

  LearnerOptions options_;
  model::ModelConfig config_;
  torch::Device device_;
  torch::Dtype dtype_, wide_;       // of what is multiplied; of what is summed up
  std::array<bool, kProjections> targets_{};
  Layout layout_, adapter_layout_;
  ModelView weights_, gradients_;
  AdapterView adapters_, adapter_gradients_;
  Trained trained_;
  std::unique_ptr<Group> group_;    // of several processes
  Tensor reference_;                // all weights, or all adapters, as they are multiplied
  Pass pass_;
  int64_t passes_ = 0;
  bool accumulated_ = false;        // gradients that no step has taken
};

}  // namespace

std::unique_ptr<learn::Learner> load_torch_learner(const std::string& folder, const LearnerOptions& options) {
  return guarded([&] {
    if (device_of(options.device).is_cpu()) keep_memory();
    return std::make_unique<TorchLearner>(folder, options);
  });
}

}  // namespace ppc::nn
