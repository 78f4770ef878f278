#include "tools/cli/train_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <set>

#include "compiler/diag/diag.h"
#include "runtime/engine/instances.h"
#include "trainers/objective/names.h"
#include "trainers/objective/supervised.h"
#include "trainers/train/options.h"

namespace ppc::cli {
namespace {

using engine::InputError;
using engine::Json;
using train::Config;
using train::Method;

/// The keys of an object: read into variables, or written from them.
class Fields {
 public:
  virtual ~Fields() = default;
  virtual void text(const char* key, std::string& value) = 0;
  virtual void choice(const char* key, std::string& value, const std::vector<std::string>& names) = 0;
  virtual void number(const char* key, double& value, double low, double high) = 0;
  virtual void count(const char* key, int64_t& value, int64_t low, int64_t high) = 0;
  virtual void flag(const char* key, bool& value) = 0;
  /// One alone may stand without a list. `names`: which there are; none: any.
  virtual void texts(const char* key, std::vector<std::string>& value, const std::vector<std::string>& names = {}) = 0;
  virtual void texts(const char* key, std::map<std::string, std::string>& value) = 0;
  virtual void numbers(const char* key, std::map<std::string, double>& value) = 0;
  virtual void object(const char* key, Json& value) = 0;  // of whatever is in it
  virtual void section(const char* key, const std::function<void(Fields&)>& fields) = 0;
  /// `*there`: whether the key is; nothing is written where it is not.
  virtual void section(const char* key, bool* there, const std::function<void(Fields&)>& fields) = 0;
  virtual void number(const char* key, std::optional<double>& value, double low, double high) = 0;
  /// `resize(n)` before the first; `fields(f, i)` for each.
  virtual void list(const char* key, size_t size, const std::function<void(size_t)>& resize, const std::function<void(Fields&, size_t)>& fields) = 0;

  void seed(const char* key, uint64_t& value) {
    int64_t v = static_cast<int64_t>(value);
    count(key, v, 0, INT64_MAX);
    value = static_cast<uint64_t>(v);
  }
};

class Reading final : public Fields {
 public:
  Reading(const std::string& file, std::string place, const Json& json) : file_(file), place_(std::move(place)), json_(json) {
    if (!json.is_object()) fail("", "expected keys, found " + engine::describe(json));
  }
  void text(const char* key, std::string& value) override {
    const Json* v = get(key);
    if (!v) return;
    if (!v->is_text()) fail(key, "expected a text, found " + engine::describe(*v));
    value = v->as_text();
  }
  void choice(const char* key, std::string& value, const std::vector<std::string>& names) override {
    const Json* v = get(key);
    if (v) value = one_of(key, *v, names);
  }
  void number(const char* key, double& value, double low, double high) override {
    if (const Json* v = get(key)) value = in_range(key, *v, low, high);
  }
  void number(const char* key, std::optional<double>& value, double low, double high) override {
    if (const Json* v = get(key)) value = in_range(key, *v, low, high);
  }
  void count(const char* key, int64_t& value, int64_t low, int64_t high) override {
    const Json* v = get(key);
    if (!v) return;
    if (!v->is_int() || v->as_int() < low || v->as_int() > high)
      fail(key, (high == INT64_MAX ? "expected a whole number, at least " + std::to_string(low)
                                   : "expected a whole number from " + std::to_string(low) + " to " + std::to_string(high)) +
                    ", found " + engine::describe(*v));
    value = v->as_int();
  }
  void flag(const char* key, bool& value) override {
    const Json* v = get(key);
    if (!v) return;
    if (!v->is_bool()) fail(key, "expected true or false, found " + engine::describe(*v));
    value = v->as_bool();
  }
  void texts(const char* key, std::vector<std::string>& value, const std::vector<std::string>& names) override {
    const Json* v = get(key);
    if (!v) return;
    value.clear();
    if (v->is_text()) return value.push_back(one_of(key, *v, names));
    if (!v->is_list()) fail(key, "expected a list of texts, found " + engine::describe(*v));
    for (size_t i = 0; i < v->items().size(); ++i) value.push_back(one_of(key + ("[" + std::to_string(i) + "]"), v->items()[i], names));
  }
  void texts(const char* key, std::map<std::string, std::string>& value) override {
    each(key, [&](const Json::Member& m) {
      if (!m.value.is_text()) fail(std::string(key) + "." + m.key, "expected a text, found " + engine::describe(m.value));
      value[m.key] = m.value.as_text();
    });
  }
  void numbers(const char* key, std::map<std::string, double>& value) override {
    each(key, [&](const Json::Member& m) { value[m.key] = in_range(std::string(key) + "." + m.key, m.value, 0, 1e6); });
  }
  void object(const char* key, Json& value) override {
    const Json* v = get(key);
    if (!v) return;
    if (!v->is_object()) fail(key, "expected names with values, found " + engine::describe(*v));
    value = *v;
  }
  void section(const char* key, const std::function<void(Fields&)>& fields) override {
    const Json* v = get(key);
    if (!v) return;
    inside(key, *v, fields);
  }
  void section(const char* key, bool* there, const std::function<void(Fields&)>& fields) override {
    const Json* v = get(key);
    *there = v && !(v->is_bool() && !v->as_bool());
    if (!*there) return;
    inside(key, v->is_bool() ? Json::object() : *v, fields);  // `lora: true`
  }
  void list(const char* key, size_t, const std::function<void(size_t)>& resize, const std::function<void(Fields&, size_t)>& fields) override {
    const Json* v = get(key);
    if (!v) return;
    if (!v->is_list()) fail(key, "expected a list, found " + engine::describe(*v));
    resize(v->items().size());
    for (size_t i = 0; i < v->items().size(); ++i) {
      Json item = v->items()[i];
      if (item.is_text()) {  // `games: [taboo, wordle]`
        const std::string name = item.as_text();
        item = Json::object();
        item.add("game", name);
      }
      inside((key + ("[" + std::to_string(i) + "]")).c_str(), item, [&](Fields& f) { fields(f, i); });
    }
  }
  void done() const {
    for (const Json::Member& m : json_.members()) {
      if (known_.count(m.key)) continue;
      const std::vector<std::string> names(known_.begin(), known_.end());
      std::string all;
      for (const std::string& k : names) all += (all.empty() ? "`" : ", `") + k + "`";
      const std::string suggestion = near(m.key, names);
      fail(m.key, "not known here" + (suggestion.empty() ? "; there is " + all : suggestion));
    }
  }
  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    const std::string at = place_ + (place_.empty() || key.empty() ? "" : ".") + key;
    throw InputError(file_ + (at.empty() ? "" : ": " + at) + ": " + what);
  }

 private:
  static std::string near(const std::string& word, const std::vector<std::string>& names) {
    const std::string found = diag::closest(word, names);
    return found.empty() ? "" : "; did you mean `" + found + "`?";
  }
  const Json* get(const char* key) {
    known_.insert(key);
    const Json* v = json_.find(key);
    return v && !v->is_null() ? v : nullptr;
  }
  /// A text; with names one of these.
  std::string one_of(const std::string& key, const Json& v, const std::vector<std::string>& names) const {
    if (v.is_text() && (names.empty() || std::find(names.begin(), names.end(), v.as_text()) != names.end())) return v.as_text();
    std::string all;
    for (const std::string& n : names) all += (all.empty() ? "`" : &n == &names.back() ? " or `" : ", `") + n + "`";
    fail(key, "expected " + (names.empty() ? "a text" : all) + ", found " + engine::describe(v) + near(v.is_text() ? v.as_text() : "", names));
  }
  double in_range(const std::string& key, const Json& v, double low, double high) const {
    if (v.is_number() && v.as_float() >= low && v.as_float() <= high) return v.as_float();
    auto shown = [](double d) { return engine::to_text(d == std::floor(d) && std::fabs(d) < 1e15 ? Json(static_cast<int64_t>(d)) : Json(d)); };
    std::string hint;
    // YAML 1.2 wants a point or a sign that many leave out; ours reads 1e-5 as a number, and 1e5 too.
    if (v.is_text()) hint = ", which is a text";
    fail(key, "expected a number from " + shown(low) + " to " + shown(high) + ", found " + engine::describe(v) + hint);
  }
  void each(const char* key, const std::function<void(const Json::Member&)>& f) {
    const Json* v = get(key);
    if (!v) return;
    if (!v->is_object()) fail(key, "expected names with values, found " + engine::describe(*v));
    for (const Json::Member& m : v->members()) f(m);
  }
  void inside(const char* key, const Json& v, const std::function<void(Fields&)>& fields) {
    Reading inner(file_, place_ + (place_.empty() ? "" : ".") + key, v);
    fields(inner);
    inner.done();
  }

  const std::string& file_;
  std::string place_;
  const Json& json_;
  std::set<std::string> known_;
};

class Writing final : public Fields {
 public:
  void text(const char* key, std::string& value) override { out.add(key, value); }
  void choice(const char* key, std::string& value, const std::vector<std::string>&) override { out.add(key, value); }
  void number(const char* key, double& value, double, double) override { out.add(key, value); }
  void number(const char* key, std::optional<double>& value, double, double) override { out.add(key, value ? Json(*value) : Json()); }
  void count(const char* key, int64_t& value, int64_t, int64_t) override { out.add(key, value); }
  void flag(const char* key, bool& value) override { out.add(key, value); }
  void texts(const char* key, std::vector<std::string>& value, const std::vector<std::string>&) override {
    Json& list = out.add(key, Json::list());
    for (const std::string& s : value) list.push(s);
  }
  void texts(const char* key, std::map<std::string, std::string>& value) override {
    Json& o = out.add(key, Json::object());
    for (const auto& [name, v] : value) o.add(name, v);
  }
  void numbers(const char* key, std::map<std::string, double>& value) override {
    Json& o = out.add(key, Json::object());
    for (const auto& [name, v] : value) o.add(name, v);
  }
  void object(const char* key, Json& value) override { out.add(key, value); }
  void section(const char* key, const std::function<void(Fields&)>& fields) override {
    Writing inner;
    fields(inner);
    out.add(key, std::move(inner.out));
  }
  void section(const char* key, bool* there, const std::function<void(Fields&)>& fields) override {
    if (*there) section(key, fields);
    else out.add(key, Json());
  }
  void list(const char* key, size_t size, const std::function<void(size_t)>&, const std::function<void(Fields&, size_t)>& fields) override {
    Json items = Json::list();
    for (size_t i = 0; i < size; ++i) {
      Writing inner;
      fields(inner, i);
      items.push(std::move(inner.out));
    }
    out.add(key, std::move(items));
  }
  Json out = Json::object();
};

const std::vector<std::string> kOutcomes = {"won", "lost", "aborted"};

void data(Fields& f, train::DataOptions& d, Method method) {
  f.texts("from", d.from);
  f.texts("games", d.games);
  f.texts("roles", d.roles);
  f.texts("models", d.models);
  f.texts("outcomes", d.outcomes, kOutcomes);
  f.number("min_score", d.min_score, -1e9, 1e9);
  f.number("max_score", d.max_score, -1e9, 1e9);
  if (method == Method::Sft) f.flag("clean", d.clean);
  f.count("max_length", d.max_length, 0, INT64_MAX);
  std::string longer = d.cut ? "cut" : "drop";
  f.choice("too_long", longer, {"drop", "cut"});
  d.cut = longer == "cut";
  f.choice("ids", d.ids, {"auto", "exact", "encode"});
  f.numbers("weights", d.weights);
  f.flag("turns", d.turns);
  if (method != Method::Dpo) return;
  f.count("pairs", d.pairs, 1, 1'000'000);
  f.number("min_gap", d.min_gap, 0, 1e9);
}

void game(Fields& f, train::GameOptions& g, bool evaluated) {
  f.text("game", g.game);
  f.text("instances", g.instances);
  f.texts("experiments", g.experiments);
  f.count("generate", g.generate, 0, 1'000'000);
  f.seed("generate_seed", g.generate_seed);
  f.texts("learn", g.learn);
  f.texts("players", g.players);
  if (evaluated) f.count("episodes", g.episodes, 0, INT64_MAX);
  else f.number("weight", g.weight, 1e-6, 1e6);
}

void games(Fields& f, const char* key, std::vector<train::GameOptions>& list, bool evaluated) {
  f.list(key, list.size(), [&](size_t n) { list.assign(n, {}); }, [&](Fields& inner, size_t i) { game(inner, list[i], evaluated); });
}

void sampling(Fields& f, train::SamplingOptions& s) {
  f.number("temperature", s.temperature, 0, 100);
  f.number("top_p", s.top_p, 1e-6, 1);
  f.number("min_p", s.min_p, 0, 1);
  f.count("top_k", s.top_k, 0, INT32_MAX);
  f.count("max_tokens", s.max_tokens, 1, INT32_MAX);
  f.choice("mask", s.mask, {"off", "diagnose", "on"});
  f.texts("stop", s.stop);
}

/// A section that need not be there.
template <class T, class F>
void maybe(Fields& f, const char* key, std::optional<T>& value, T otherwise, const F& fields) {
  bool there = value.has_value();
  T v = value.value_or(otherwise);
  f.section(key, &there, [&](Fields& s) { fields(s, v); });
  if (there) value = v;
  else value.reset();
}

/// The one place that knows all keys.
void all(Fields& f, Config& c) {
  f.text("model", c.model);
  f.text("adapter", c.adapter);
  f.object("template", c.variables);
  f.text("output", c.output);
  f.text("players", c.players);
  f.seed("seed", c.seed);
  f.text("device", c.learner.device);
  f.choice("precision", c.learner.precision, {"float32", "bfloat16"});
  int64_t threads = c.learner.threads;
  f.count("threads", threads, 0, 4096);
  c.learner.threads = static_cast<int>(threads);
  f.flag("gradient_checkpointing", c.learner.gradient_checkpointing);
  maybe(f, "lora", c.learner.lora, {}, [](Fields& s, learn::LoraOptions& l) {
    s.count("r", l.r, 1, 65'536);
    s.number("alpha", l.alpha, 0, 1e6);
    s.number("dropout", l.dropout, 0, 0.99);
    s.texts("targets", l.targets);
  });
  f.section("optimizer", [&](Fields& s) {
    s.number("learning_rate", c.learning_rate, 0, 100);
    std::string schedule = c.schedule == train::Schedule::Constant ? "constant" : c.schedule == train::Schedule::Linear ? "linear" : "cosine";
    s.choice("schedule", schedule, {"constant", "linear", "cosine"});
    c.schedule = schedule == "constant" ? train::Schedule::Constant : schedule == "linear" ? train::Schedule::Linear : train::Schedule::Cosine;
    s.number("last_rate", c.last_rate, 0, 1);
    s.number("warmup", c.warmup, 0, 1e12);
    s.number("max_grad_norm", c.max_grad_norm, 0, 1e12);
    s.number("weight_decay", c.learner.adam.weight_decay, 0, 100);
    s.number("beta1", c.learner.adam.beta1, 0, 0.999999);
    s.number("beta2", c.learner.adam.beta2, 0, 0.999999999);
    s.number("eps", c.learner.adam.eps, 0, 1);
  });
  f.count("steps", c.steps, 0, INT64_MAX);
  if (c.method != Method::Grpo) {
    f.number("epochs", c.epochs, 0, 1e6);
    f.count("batch", c.batch, 1, INT32_MAX);
  }
  f.count("batch_tokens", c.batch_tokens, 1, INT32_MAX);
  if (c.method != Method::Grpo) f.section("data", [&](Fields& s) { data(s, c.data, c.method); });
  if (c.method == Method::Sft) f.section("sft", [&](Fields& s) { s.choice("loss", c.sft_loss, objective::names<objective::SupervisedLoss>()); });
  if (c.method == Method::Dpo)
    f.section("dpo", [&](Fields& s) {
      s.choice("loss", c.dpo.loss, objective::names<objective::PreferenceLoss>());
      s.number("beta", c.dpo.beta, 0, 1e6);
      s.number("label_smoothing", c.dpo.label_smoothing, 0, 0.5);
      s.choice("divergence", c.dpo.divergence, objective::names<objective::Divergence>());
      s.number("alpha", c.dpo.alpha, -1e6, 1e6);
      s.number("discopop_tau", c.dpo.discopop_tau, 1e-6, 1e6);
    });
  if (c.method == Method::Grpo) {
    games(f, "games", c.games, false);
    f.section("sampling", [&](Fields& s) { sampling(s, c.sampling); });
    maybe(f, "partner_sampling", c.partner_sampling, c.sampling, [](Fields& s, train::SamplingOptions& o) { sampling(s, o); });
    f.section("grpo", [&](Fields& s) {
      train::GrpoOptions& g = c.grpo;
      s.count("groups", g.groups, 1, 1'000'000);
      s.count("group_size", g.group_size, 2, 100'000);
      s.choice("loss", g.loss, objective::names<objective::PolicyLoss>());
      s.choice("level", g.level, objective::names<objective::Level>());
      s.choice("scale_rewards", g.scale_rewards, objective::names<objective::Scale>());
      s.number("scale_eps", g.scale_eps, 0, 1e6);
      s.choice("combine", g.combine, objective::names<objective::Combine>());
      s.number("beta", g.beta, 0, 1e6);
      s.flag("kl_ratio", g.kl_ratio);
      s.number("off_policy_kl", g.off_policy_kl, 0, 1e6);
      s.number("epsilon", g.epsilon, 0, 1);
      s.number("epsilon_high", g.epsilon_high, 0, 1e6);
      s.number("delta", g.delta, 1, 1e6);
      s.count("max_trained_tokens", g.max_trained_tokens, 0, INT64_MAX);
      maybe(s, "sapo", g.sapo, {}, [](Fields& i, train::Sapo& o) {
        i.number("positive", o.positive, 1e-6, 1e6);
        i.number("negative", o.negative, 1e-6, 1e6);
      });
      maybe(s, "vespo", g.vespo, {}, [](Fields& i, train::Vespo& o) {
        i.number("positive_k", o.positive_k, 0, 1e6);
        i.number("positive_lambda", o.positive_lambda, 0, 1e6);
        i.number("negative_k", o.negative_k, 0, 1e6);
        i.number("negative_lambda", o.negative_lambda, 0, 1e6);
      });
      s.count("updates", g.updates, 1, 1000);
      s.choice("correction", g.correction, objective::names<objective::Correction>());
      s.number("correction_cap", g.correction_cap, 1, 1e6);
      s.number("correction_floor", g.correction_floor, 0, 1);
      s.count("resample", g.resample, 1, 100);
      s.number("score_weight", g.score_weight, 0, 1e6);
      s.number("reward_weight", g.reward_weight, 0, 1e6);
      s.choice("baseline", g.baseline, {"episode", "turn"});
      s.count("fork_rounds", g.fork_rounds, 1, 10'000);
    });
    f.section("rollouts", [&](Fields& s) {
      train::RolloutOptions& r = c.rollouts;
      s.texts("servers", r.servers);
      s.text("model", r.model);
      s.text("key_env", r.key_env);
      s.text("key_file", r.key_file);
      s.text("ca_file", r.ca_file);
      s.count("in_flight", r.in_flight, 1, 100'000);
      s.choice("sync", r.sync, {"auto", "adapter", "weights", "command"});
      s.texts("command", r.command);
      s.text("folder", r.folder);
      s.text("seen_as", r.seen_as);
      s.count("every", r.every, 1, 1'000'000);
      s.number("check", r.check, 0, 1e6);
      s.number("timeout", r.timeout, 1, 86'400);
      s.number("patience", r.patience, 0, 86'400);
    });
  }
  f.count("in_flight", c.in_flight, 1, 1'000'000);
  f.count("cache_tokens", c.cache_tokens, 0, INT64_MAX);
  f.section("evaluation", [&](Fields& s) {
    s.count("every", c.evaluation.every, 0, INT64_MAX);
    games(s, "games", c.evaluation.games, true);
    s.section("sampling", [&](Fields& i) { sampling(i, c.evaluation.sampling); });
    if (c.method != Method::Grpo) s.section("data", [&](Fields& i) { data(i, c.evaluation.data, c.method); });
    s.count("patience", c.evaluation.patience, 0, INT32_MAX);
  });
  f.section("checkpoints", [&](Fields& s) {
    s.count("every", c.save_every, 0, INT64_MAX);
    s.count("keep", c.keep, 1, 1'000'000);
  });
}

/// "games.0.weight=2". What is not there yet is made; the end of a list may be.
void put(Json& root, const std::string& setting) {
  const auto [path, value] = engine::parse_patch(setting);
  // What is no JSON is a text; of a configuration no text begins so.
  if (value.is_text() && (value.as_text().starts_with('[') || value.as_text().starts_with('{')))
    throw InputError("`--set " + setting + "`: a list or a map is written as JSON, texts in it with quotes: [\"a\", \"b\"]");
  Json* at = &root;
  for (size_t from = 0; from <= path.size();) {
    const size_t dot = std::min(path.find('.', from), path.size());
    const std::string key = path.substr(from, dot - from);
    from = dot + 1;
    size_t index = 0;
    const auto r = std::from_chars(key.data(), key.data() + key.size(), index);
    if (at->is_list() && r.ec == std::errc() && r.ptr == key.data() + key.size() && index <= at->items().size()) {
      if (index == at->items().size()) at->push(Json());
      at = &at->items()[index];
      continue;
    }
    if (at->is_null()) *at = Json::object();
    if (at->is_list()) throw InputError("`--set " + setting + "`: a list of " + std::to_string(at->items().size()) + " has no `" + key + "`");
    if (!at->is_object()) throw InputError("`--set " + setting + "`: `" + key + "` cannot stand inside of " + engine::describe(*at));
    Json* next = at->find(key);
    at = next ? next : &at->add(key, Json());
  }
  *at = value;
}

void yaml(const Json& j, const std::string& indent, std::string& out) {
  if (j.is_object() && !j.members().empty()) {
    for (const Json::Member& m : j.members()) {
      const bool block = (m.value.is_object() && !m.value.members().empty()) || (m.value.is_list() && !m.value.items().empty() && m.value.items()[0].is_object());
      out += indent + m.key + ":";
      if (block) {
        out += "\n";
        yaml(m.value, indent + "  ", out);
      } else {
        out += " " + engine::to_text(m.value) + "\n";
      }
    }
    return;
  }
  for (const Json& item : j.items()) {
    std::string inner;
    yaml(item, indent + "  ", inner);
    inner[indent.size()] = '-';
    out += inner;
  }
}

}  // namespace

train::Config load_config(Method method, const std::string& file, const std::vector<std::string>& settings) {
  Json json = engine::load_json(file);
  if (json.is_null()) json = Json::object();
  for (const std::string& s : settings) put(json, s);
  Config c;
  c.method = method;
  c.file = file;
  Reading reading(file, "", json);
  all(reading, c);
  reading.done();
  if (c.model.empty()) reading.fail("model", "missing: the folder of the model to begin with");
  if (c.output.empty()) reading.fail("output", "missing: a folder for what comes out");
  if (method == Method::Grpo) {
    if (c.steps == 0) reading.fail("steps", "missing: how many steps to take");
    if (c.games.empty()) reading.fail("games", "missing: what to play");
    if (!c.rollouts.servers.empty()) {
      const train::RolloutOptions& r = c.rollouts;
      for (const auto& [mask, at] : {std::pair(c.sampling.mask, "sampling.mask"), std::pair(c.evaluation.sampling.mask, "evaluation.sampling.mask"),
                                     std::pair(c.partner_sampling ? c.partner_sampling->mask : "off", "partner_sampling.mask")})
        if (mask != "off") reading.fail(at, "`" + mask + "` does not go with `rollouts.servers`: servers know nothing of the games' forms; leave it `off`");
      if (r.sync == "adapter" && !c.learner.lora) reading.fail("rollouts.sync", "`adapter` goes with `lora`; all weights are trained: `weights` or `command`");
      if (r.sync == "command" && r.command.empty()) reading.fail("rollouts.command", "missing: the program that gives the servers new weights, and its arguments");
      if (r.sync != "command" && !r.command.empty()) reading.fail("rollouts.command", "goes with `sync: command`");
      if (!r.key_env.empty() && !r.key_file.empty()) reading.fail("rollouts.key_file", "there is a `key_env` already");
    }
    if (c.sampling.temperature == 0) reading.fail("sampling.temperature", "members of a group are all the same at temperature 0");
  } else {
    if (c.data.from.empty()) reading.fail("data.from", "missing: folders of records, or files that `ppc export` made");
    if (c.steps == 0 && c.epochs == 0) c.epochs = 1;
    if (c.steps != 0 && c.epochs != 0) reading.fail("epochs", "goes without `steps`");
  }
  auto named = [&](const std::vector<train::GameOptions>& list, const std::string& at) {
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string place = at + "[" + std::to_string(i) + "]";
      if (list[i].game.empty()) reading.fail(place + ".game", "missing: which game");
      if (list[i].generate && !list[i].instances.empty()) reading.fail(place + ".generate", "goes without `instances`");
    }
  };
  named(c.games, "games");
  named(c.evaluation.games, "evaluation.games");
  c.learner.seed = c.seed;
  train::check(c);
  // What the chosen loss looks at is shown, too, where it is not given.
  if (c.dpo.divergence == "alpha_divergence" && !c.dpo.alpha) c.dpo.alpha = objective::PreferenceOptions{}.alpha;
  if (c.dpo.loss == "discopop" && !c.dpo.discopop_tau) c.dpo.discopop_tau = objective::PreferenceOptions{}.discopop_tau;
  if (c.grpo.loss == "sapo" && !c.grpo.sapo) c.grpo.sapo.emplace();
  if (c.grpo.loss == "vespo" && !c.grpo.vespo) c.grpo.vespo.emplace();
  return c;
}

std::string config_text(const Config& config) {
  Config c = config;
  Writing writing;
  all(writing, c);
  std::string out;
  yaml(writing.out, "", out);
  return out;
}

}  // namespace ppc::cli
