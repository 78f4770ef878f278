#include "runtime/players/model.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <set>

namespace ppc::players {
namespace {

using engine::InputError;
using engine::Json;

class Model final : public Player {
 public:
  Model(std::shared_ptr<Endpoint> e, std::shared_ptr<const ModelOptions> o) : endpoint_(std::move(e)), options_(std::move(o)) {
    if (!options_->system.empty()) said("system", options_->system);
  }
  bool waits() const override { return true; }
  void ask(const Request& r, std::function<void(Answer)> done) override {
    // The conversation only grows: what was said before is not written again.
    for (; next_ < r.journal.entries.size(); ++next_) {
      const engine::Entry& e = r.journal.entries[next_];
      if (e.who != r.player || e.aside) continue;
      if (e.kind == PPC_EV_SEND) said("user", e.text);
      if (e.kind == PPC_EV_GET || e.kind == PPC_EV_SAY) said("assistant", e.text);
    }
    std::string body = "{\"model\":" + engine::to_text(Json(options_->model)) + ",\"messages\":[" + messages_;
    if (r.aside) body += (messages_.empty() ? "" : ",") + message("user", r.message);
    body += "]";
    for (const Json::Member& m : options_->body.members()) {
      const bool seed = m.key == "seed" && m.value.is_int();
      body += "," + engine::to_text(Json(m.key)) + ":" + engine::to_text(seed ? Json(static_cast<int64_t>(static_cast<uint64_t>(m.value.as_int()) + more_seed_)) : m.value);
    }
    const std::vector<std::string>& path = options_->constrain;
    const std::string& grammar = r.episode.setting().module->manifest().moves.at(r.move).grammar;
    if (!path.empty() && !grammar.empty()) {
      Json value(grammar);
      for (size_t i = path.size() - 1; i > 0; --i) {
        Json outer = Json::object();
        outer.add(path[i], std::move(value));
        value = std::move(outer);
      }
      body += "," + engine::to_text(Json(path[0])) + ":" + engine::to_text(value);
    }
    endpoint_->ask(body + "}", std::move(done));
  }
  std::unique_ptr<Player> fork(Fork& f) const override {
    auto out = std::make_unique<Model>(*this);
    out->more_seed_ += f.way;
    return out;
  }

 private:
  static std::string message(const char* role, std::string_view text) {
    return std::string("{\"role\":\"") + role + "\",\"content\":" + engine::to_text(Json(text)) + "}";
  }
  void said(const char* role, std::string_view text) { messages_ += (messages_.empty() ? "" : ",") + message(role, text); }

  std::shared_ptr<Endpoint> endpoint_;
  std::shared_ptr<const ModelOptions> options_;
  std::string messages_;
  size_t next_ = 0;
  uint64_t more_seed_ = 0;  // the branches of a point have one each
};

// ---- the players file --------------------------------------------------------------------------------------------------

/// A member of an object, with its place for messages. What has not been asked for when it goes is unknown.
class Reader {
 public:
  Reader(const std::string& file, std::string place, const Json& json) : file_(file), place_(std::move(place)), json_(json) {
    if (!json.is_object()) fail("", "expected an object, found " + engine::describe(json));
  }
  [[noreturn]] void fail(const std::string& key, const std::string& what) const {
    const std::string at = place_ + (place_.empty() || key.empty() ? "" : ".") + key;
    throw InputError(file_ + (at.empty() ? "" : ": " + at) + ": " + what);
  }
  const Json* get(const std::string& key) {
    known_.insert(key);
    const Json* v = json_.find(key);
    return v && !v->is_null() ? v : nullptr;
  }
  std::string text(const std::string& key, std::string otherwise = {}) {
    const Json* v = get(key);
    if (!v) return otherwise;
    if (!v->is_text()) fail(key, "expected a text, found " + engine::describe(*v));
    return v->as_text();
  }
  double number(const std::string& key, double otherwise, double low, double high) {
    const Json* v = get(key);
    if (!v) return otherwise;
    if (!v->is_number() || !(v->as_float() >= low && v->as_float() <= high)) {
      auto shown = [](double d) { return engine::to_text(d == static_cast<double>(static_cast<int64_t>(d)) ? Json(static_cast<int64_t>(d)) : Json(d)); };
      fail(key, "expected a number from " + shown(low) + " to " + shown(high) + ", found " + engine::describe(*v));
    }
    return v->as_float();
  }
  bool flag(const std::string& key, bool otherwise) {
    const Json* v = get(key);
    if (!v) return otherwise;
    if (!v->is_bool()) fail(key, "expected true or false, found " + engine::describe(*v));
    return v->as_bool();
  }
  void done() const {
    for (const Json::Member& m : json_.members()) {
      if (known_.count(m.key)) continue;
      std::string names;
      for (const std::string& k : known_) names += (names.empty() ? "`" : ", `") + k + "`";
      fail(m.key, "not known here; there is " + names);
    }
  }

 private:
  const std::string& file_;
  std::string place_;
  const Json& json_;
  std::set<std::string> known_;
};

std::string key_from_environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value ? value : "";
}

void check_key(const std::string& key, const std::string& from) {
  for (const char c : key)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) throw InputError(from + " holds a key with white space or control characters in it");
}

EndpointOptions read_endpoint(const std::string& file, const std::string& name, const Json& json) {
  Reader r(file, "endpoints." + name, json);
  EndpointOptions o;
  o.name = name;
  o.base_url = r.text("base_url");
  if (o.base_url.empty()) r.fail("base_url", "missing: expected something like http://127.0.0.1:8000/v1");
  const std::string env = r.text("key_env"), key_file = r.text("key_file");
  if (!env.empty() && !key_file.empty()) r.fail("key_file", "there is a `key_env` already");
  if (r.get("key")) r.fail("key", "keys do not belong in this file: name an environment variable with `key_env`, or a file with `key_file`");
  if (!env.empty()) {
    o.key = key_from_environment(env);
    if (o.key.empty()) r.fail("key_env", "the environment variable " + env + " is not set");
    check_key(o.key, "the environment variable " + env);
  }
  if (!key_file.empty()) o.key = load_key(key_file);
  o.concurrency = static_cast<int>(r.number("concurrency", o.concurrency, 1, 100000));
  o.rate = r.number("rate", o.rate, 0, 1e9);
  o.timeout = r.number("timeout", o.timeout, 0.001, 86400);
  o.connect_timeout = r.number("connect_timeout", o.connect_timeout, 0.001, 3600);
  o.retries = static_cast<int>(r.number("retries", o.retries, 0, 1000));
  o.backoff = r.number("backoff", o.backoff, 0, 60);
  o.proxy = r.text("proxy");
  o.ca_file = r.text("ca_file");
  if (!o.ca_file.empty() && access(o.ca_file.c_str(), R_OK) != 0) r.fail("ca_file", o.ca_file + ": " + std::strerror(errno));
  o.verify = r.flag("verify", true);
  if (const Json* headers = r.get("headers")) {
    if (!headers->is_object()) r.fail("headers", "expected an object of texts, found " + engine::describe(*headers));
    for (const Json::Member& h : headers->members()) {
      if (!h.value.is_text() || h.value.as_text().find_first_of("\r\n") != std::string::npos || h.key.find_first_of("\r\n: ") != std::string::npos)
        r.fail("headers." + h.key, "expected a text without line breaks");
      o.headers.push_back(h.key + ": " + h.value.as_text());
    }
  }
  r.done();
  return o;
}

/// A text, or a list of texts.
std::vector<std::string> texts(Reader& r, const std::string& key) {
  std::vector<std::string> out;
  const Json* v = r.get(key);
  if (!v) return out;
  const Json one = Json::List{*v};
  for (const Json& s : (v->is_list() ? *v : one).items()) {
    if (!s.is_text() || s.as_text().empty()) r.fail(key, "expected a text or a list of texts, found " + engine::describe(*v));
    out.push_back(s.as_text());
  }
  return out;
}

int64_t whole(Reader& r, const std::string& key, int64_t otherwise, int64_t low) {
  const Json* v = r.get(key);
  if (!v) return otherwise;
  if (!v->is_int() || v->as_int() < low) r.fail(key, "expected an int from " + std::to_string(low) + " on, found " + engine::describe(*v));
  return v->as_int();
}

/// What `--local` says, and a player of the players file.
void read_model(Reader& r, local::ModelOptions& m) {
  m.device = r.text("device");
  m.precision = r.text("precision");
  if (!m.precision.empty() && m.precision != "float32" && m.precision != "bfloat16") r.fail("precision", "expected float32 or bfloat16, found `" + m.precision + "`");
  m.threads = static_cast<int>(whole(r, "threads", 0, 1));
  m.cache_tokens = whole(r, "cache_tokens", 0, 1);
  m.batch = whole(r, "batch", 0, 1);
  if (const Json* v = r.get("template")) {
    if (!v->is_object()) r.fail("template", "expected an object, found " + engine::describe(*v));
    m.template_variables = engine::to_text(*v);
  }
}

/// What `--sampling` says, and a player of the players file.
void read_sampling(Reader& r, LocalOptions& o) {
  local::Sampling& s = o.sampling;
  s.temperature = r.number("temperature", s.temperature, 0, 100);
  s.top_p = r.number("top_p", s.top_p, 0.000001, 1);
  s.min_p = r.number("min_p", s.min_p, 0, 1);
  s.top_k = whole(r, "top_k", s.top_k, 0);
  s.repetition_penalty = r.number("repetition_penalty", s.repetition_penalty, 0.01, 100);
  s.max_tokens = whole(r, "max_tokens", s.max_tokens, 1);
  s.seed = static_cast<uint64_t>(whole(r, "seed", 0, INT64_MIN));
  s.stop = texts(r, "stop");
  if (const Json* v = r.get("logprobs")) {
    if (!v->is_bool() && !(v->is_int() && v->as_int() >= 0 && v->as_int() <= 20)) r.fail("logprobs", "expected true, false or how many alternatives (20 at most), found " + engine::describe(*v));
    o.logprobs = v->is_int() || v->as_bool();
    if (v->is_int()) s.top_logprobs = static_cast<int>(v->as_int());
  }
  if (const Json* v = r.get("mask")) {
    // `on` and `off` are true and false in YAML.
    const auto mask = v->is_bool() ? std::optional(v->as_bool() ? local::Masking::On : local::Masking::Off) : v->is_text() ? local::masking_of(v->as_text()) : std::nullopt;
    if (!mask) r.fail("mask", "expected off, diagnose or on, found " + engine::describe(*v));
    o.masking = *mask;
  }
  o.system = r.text("system");
  o.name = r.text("name");
}

PlayerConfig read_local(const std::string& file, const std::string& role, const Json& json) {
  PlayerConfig p;
  Reader r(file, "players." + role, json);
  p.model.folder = r.text("local");
  if (p.model.folder.empty()) r.fail("local", "expected a model's folder");
  p.spec = "local:" + p.model.folder;
  read_model(r, p.model);
  read_sampling(r, p.local);
  r.done();
  return p;
}

PlayerConfig read_player(const std::string& file, const std::string& role, const Json& json) {
  PlayerConfig p;
  if (json.is_text()) {
    p.spec = json.as_text();
    if (p.spec.rfind("openai:", 0) == 0) p.options.model = p.spec.substr(7);
    if (p.spec.rfind("local:", 0) == 0) p.model.folder = p.spec.substr(6);
    return p;
  }
  if (json.is_object() && json.find("local")) return read_local(file, role, json);
  Reader r(file, role.empty() ? "" : "players." + role, json);
  p.options.model = r.text("model");
  if (p.options.model.empty()) r.fail("model", "missing: the model's name at its endpoint");
  p.spec = "openai:" + p.options.model;
  p.endpoint = r.text("endpoint");
  p.options.system = r.text("system");
  auto keep = [&](const char* key, const Json* v) {
    if (v) p.options.body.add(key, *v);
  };
  auto number = [&](const char* key, double low, double high) {
    r.number(key, 0, low, high);
    keep(key, r.get(key));
  };
  number("temperature", 0, 100);
  number("top_p", 0, 1);
  number("frequency_penalty", -2, 2);
  number("presence_penalty", -2, 2);
  for (const char* key : {"max_tokens", "max_completion_tokens", "seed"}) {
    const Json* v = r.get(key);
    if (v && !v->is_int()) r.fail(key, "expected an int, found " + engine::describe(*v));
    keep(key, v);
  }
  if (const Json* stop = r.get("stop")) {
    bool good = stop->is_text() || stop->is_list();
    if (stop->is_list())
      for (const Json& s : stop->items()) good = good && s.is_text();
    if (!good) r.fail("stop", "expected a text or a list of texts, found " + engine::describe(*stop));
    keep("stop", stop);
  }
  if (const Json* logprobs = r.get("logprobs")) {
    if (!logprobs->is_bool() && !(logprobs->is_int() && logprobs->as_int() >= 0)) r.fail("logprobs", "expected true, false or how many alternatives, found " + engine::describe(*logprobs));
    const bool on = logprobs->is_int() || logprobs->as_bool();
    p.options.body.add("logprobs", on);
    if (logprobs->is_int() && logprobs->as_int() > 0) p.options.body.add("top_logprobs", *logprobs);
  }
  if (const Json* extra = r.get("extra")) {
    if (!extra->is_object()) r.fail("extra", "expected an object, found " + engine::describe(*extra));
    for (const Json::Member& m : extra->members()) {
      if (m.key == "messages" || m.key == "model" || m.key == "stream" || m.key == "n") r.fail("extra." + m.key, "this is not for the file to say");
      p.options.body.set(m.key, m.value);
    }
  }
  for (std::string rest = r.text("constrain"); !rest.empty();) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    if (dot == 0 || dot + 1 == rest.size()) r.fail("constrain", "expected a name, or several with dots between them, such as structured_outputs.grammar");
    p.options.constrain.push_back(rest.substr(0, dot));
    rest.erase(0, dot + 1);
  }
  if (!p.options.constrain.empty()) {
    const std::string& first = p.options.constrain[0];
    if (p.options.body.find(first) || first == "messages" || first == "model" || first == "stream" || first == "n")
      r.fail("constrain", "`" + first + "` is sent already");
  }
  if (const Json* price = r.get("price")) {
    Reader in(file, "players." + role + ".price", *price);
    p.options.prompt_price = in.number("prompt", 0, 0, 1e9);
    p.options.reply_price = in.number("reply", 0, 0, 1e9);
    in.done();
  }
  r.done();
  return p;
}

}  // namespace

std::unique_ptr<Player> make_model(std::shared_ptr<Endpoint> endpoint, std::shared_ptr<const ModelOptions> options) {
  return std::make_unique<Model>(std::move(endpoint), std::move(options));
}

namespace {
void add_settings(Json& json, const char* option, const std::vector<std::string>& settings) {
  for (const std::string& s : settings) {
    const size_t at = s.find('=');
    if (at == std::string::npos) throw InputError(std::string(option) + " takes NAME=VALUE, not `" + s + "`");
    Json value;
    try {
      value = engine::parse_json(s.substr(at + 1), "");
    } catch (const InputError&) {
      value = Json(s.substr(at + 1));  // bare text
    }
    json.set(s.substr(0, at), std::move(value));
  }
}
}  // namespace

ModelOptions model_options(const std::string& model, const std::vector<std::string>& settings) {
  Json json = Json::object();
  json.add("model", model);
  add_settings(json, "--sampling", settings);
  return read_player("--sampling", "", json).options;
}

PlayerConfig local_options(const std::string& folder, const std::vector<std::string>& settings, const std::vector<std::string>& model) {
  PlayerConfig p;
  p.spec = "local:" + folder;
  Json sampling = Json::object(), load = Json::object();
  add_settings(sampling, "--sampling", settings);
  add_settings(load, "--local", model);
  const std::string first = "--sampling", second = "--local";  // a reader keeps no copies
  Reader r(first, "", sampling), m(second, "", load);
  read_sampling(r, p.local);
  r.done();
  read_model(m, p.model);
  m.done();
  p.model.folder = folder;
  return p;
}

std::string load_key(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) throw InputError(path + ": " + std::strerror(errno));
  if (!S_ISREG(info.st_mode)) throw InputError(path + ": a key is read from a file");
  if (info.st_mode & (S_IRWXG | S_IRWXO)) throw InputError(path + ": others than its owner may use this file; `chmod 600` it");
  std::string key = engine::read_file(path);
  const char* space = " \t\r\n";
  key.erase(0, std::min(key.find_first_not_of(space), key.size()));
  key.erase(key.find_last_not_of(space) + 1);
  if (key.empty()) throw InputError(path + ": no key in it");
  check_key(key, path);
  return key;
}

EndpointOptions default_endpoint(const std::string& base_url) {
  EndpointOptions o;
  o.name = "endpoint";
  o.base_url = base_url.empty() ? key_from_environment("OPENAI_BASE_URL") : base_url;
  if (o.base_url.empty()) throw InputError("no endpoint: give --base-url URL, or set OPENAI_BASE_URL, or name one in a players file");
  o.key = key_from_environment("OPENAI_API_KEY");
  check_key(o.key, "the environment variable OPENAI_API_KEY");
  return o;
}

PlayersConfig load_players(const std::string& path) {
  const Json json = engine::load_json(path);
  PlayersConfig out;
  Reader r(path, "", json);
  if (const Json* endpoints = r.get("endpoints")) {
    if (!endpoints->is_object()) r.fail("endpoints", "expected an object, found " + engine::describe(*endpoints));
    for (const Json::Member& m : endpoints->members()) out.endpoints[m.key] = read_endpoint(path, m.key, m.value);
  }
  if (const Json* players = r.get("players")) {
    if (!players->is_object()) r.fail("players", "expected an object, found " + engine::describe(*players));
    for (const Json::Member& m : players->members()) {
      PlayerConfig p = read_player(path, m.key, m.value);
      if (!p.endpoint.empty() && !out.endpoints.count(p.endpoint)) {
        std::string names;
        for (const auto& [name, e] : out.endpoints) names += (names.empty() ? "`" : ", `") + name + "`";
        r.fail("players." + m.key + ".endpoint", "no endpoint `" + p.endpoint + "`; there is " + (names.empty() ? "none" : names));
      }
      out.players[m.key] = std::move(p);
    }
  }
  r.done();
  return out;
}

}  // namespace ppc::players
