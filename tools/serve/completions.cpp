#include "tools/serve/completions.h"

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>

#include "runtime/engine/episode.h"
#include "runtime/engine/fnv.h"
#include "runtime/net/gate.h"
#include "tools/serve/http.h"

namespace ppc::serve {
namespace {

namespace fs = std::filesystem;
using engine::Json;

net::ServerResponse refusal(const HttpError& e) {
  Json out = Json::object();
  Json& error = out.add("error", Json::object());
  error.add("message", engine::lossy_utf8(e.what()));
  error.add("type", e.status == 404 ? "not_found_error" : e.status < 500 ? "invalid_request_error" : "server_error");
  error.add("param", e.field.empty() ? Json() : Json(engine::lossy_utf8(e.field)));
  error.add("code", e.status);
  return response(out, e.status);
}

Json number(float value) {  // with a float's digits
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  double out = value;
  std::from_chars(text, end, out);
  return Json(out);
}

/// OpenAI's errors for values have status 400.
struct Fields : Body {
  using Body::Body;
  [[noreturn]] static void wrong(const std::string& key, const std::string& what) { throw HttpError(400, "`" + key + "`: " + what, key); }
  double real(const char* key, double otherwise, double low, double high) {
    const Json* v = get(key);
    if (!v) return otherwise;
    if (!v->is_number() || !(v->as_float() >= low && v->as_float() <= high)) wrong(key, "expected a number from " + Json_text(low) + " to " + Json_text(high) + ", found " + engine::describe(*v));
    return v->as_float();
  }
  int64_t whole(const char* key, int64_t otherwise, int64_t low, int64_t high = INT64_MAX) {
    const Json* v = get(key);
    if (!v) return otherwise;
    if (!v->is_int() || v->as_int() < low || v->as_int() > high) wrong(key, "expected an int from " + std::to_string(low) + (high < INT64_MAX ? " to " + std::to_string(high) : " on") + ", found " + engine::describe(*v));
    return v->as_int();
  }
  bool flag(const char* key) {
    const Json* v = get(key);
    if (v && !v->is_bool()) wrong(key, "expected true or false, found " + engine::describe(*v));
    return v && v->as_bool();
  }
  static std::string Json_text(double d) { return engine::to_text(d == static_cast<double>(static_cast<int64_t>(d)) ? Json(static_cast<int64_t>(d)) : Json(d)); }
};

/// "content": a text, or [{"type": "text", "text": …}, …].
std::string content_of(const Json& message, const std::string& at) {
  const Json* c = message.find("content");
  if (!c || c->is_null()) return {};
  if (c->is_text()) return c->as_text();
  if (!c->is_list()) Fields::wrong(at + ".content", "expected a text, found " + engine::describe(*c));
  std::string out;
  for (const Json& part : c->items()) {
    const Json* text = part.is_object() ? part.find("text") : nullptr;
    if (!text || !text->is_text()) Fields::wrong(at + ".content", "these models take text only");
    out += text->as_text();
  }
  return out;
}

struct Wanted {
  std::string model;
  local::Ask ask;
  bool stream = false, usage = false, logprobs = false, ids = false, spelled = false;
};

/// How tokens are chosen.
void read_sampling(Fields& f, local::Sampling& s) {
  s.temperature = f.real("temperature", s.temperature, 0, 100);
  s.top_p = f.real("top_p", s.top_p, 0.000001, 1);
  s.min_p = f.real("min_p", s.min_p, 0, 1);
  s.top_k = std::max<int64_t>(0, f.whole("top_k", s.top_k, -1));
  s.repetition_penalty = f.real("repetition_penalty", s.repetition_penalty, 0.01, 100);
  const int64_t seed = f.whole("seed", static_cast<int64_t>(std::strtoull(net::make_secret().substr(0, 15).c_str(), nullptr, 16)), INT64_MIN);
  s.seed = static_cast<uint64_t>(seed);
  if (const Json* stop = f.get("stop")) {
    const Json one = Json::List{*stop};
    for (const Json& t : (stop->is_list() ? *stop : one).items()) {
      if (!t.is_text()) Fields::wrong("stop", "expected a text or a list of texts, found " + engine::describe(*stop));
      if (!t.as_text().empty()) s.stop.push_back(t.as_text());
    }
  }
}

/// What changes nothing here is taken; what would is refused, rather than left out unsaid.
void refuse_rest(Fields& f) {
  for (const char* key : {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key", "parallel_tool_calls"}) f.get(key);
  for (const char* key : {"frequency_penalty", "presence_penalty"})
    if (f.real(key, 0, -2, 2) != 0) Fields::wrong(key, "not supported; `repetition_penalty` is");
  if (f.whole("n", 1, 1) != 1) Fields::wrong("n", "one reply to a request; ask again with another `seed`");
  for (const char* key : {"tools", "functions", "logit_bias"})
    if (const Json* v = f.get(key); v && !(v->is_list() && v->items().empty()) && !(v->is_object() && v->members().empty())) Fields::wrong(key, "not supported");
}

std::vector<local::TokenId> read_ids(Fields& f, const char* key) {
  std::vector<local::TokenId> out;
  const Json* v = f.get(key);
  if (!v) return out;
  if (!v->is_list()) Fields::wrong(key, "expected a list of token ids, found " + engine::describe(*v));
  for (const Json& t : v->items()) {
    if (!t.is_int() || t.as_int() < 0 || t.as_int() > INT32_MAX) Fields::wrong(key, "expected a list of token ids, found " + engine::describe(t) + " in it");
    out.push_back(static_cast<local::TokenId>(t.as_int()));
  }
  return out;
}

/// POST /v1/completions: ids are continued, without a template.
Wanted read_continuation(const net::ServerRequest& r) {
  Fields f(r);
  Wanted out;
  out.model = f.text("model").value_or("");
  out.ask.prompt = read_ids(f, "prompt");
  if (out.ask.prompt.empty()) Fields::wrong("prompt", "expected a list of token ids; texts go to /v1/chat/completions");
  read_sampling(f, out.ask.sampling);
  out.ask.sampling.max_tokens = f.whole("max_tokens", 16, 1);
  out.ask.ends = read_ids(f, "stop_token_ids");
  out.ask.own_ends = !f.flag("ignore_eos");
  out.logprobs = f.get("logprobs") != nullptr;
  out.ask.sampling.top_logprobs = static_cast<int>(f.whole("logprobs", 0, 0, 20));
  out.ids = f.flag("return_token_ids");
  out.spelled = f.flag("return_tokens_as_token_ids");
  for (const char* key : {"stream", "echo"})
    if (f.flag(key)) Fields::wrong(key, "not supported here");
  refuse_rest(f);
  f.finish();
  return out;
}

Wanted read(const net::ServerRequest& r) {
  Fields f(r);
  Wanted out;
  out.model = f.text("model").value_or("");
  const Json* messages = f.get("messages");
  if (!messages || !messages->is_list() || messages->items().empty()) Fields::wrong("messages", "expected a list of messages");
  for (size_t i = 0; i < messages->items().size(); ++i) {
    const std::string at = "messages[" + std::to_string(i) + "]";
    const Json& m = messages->items()[i];
    const Json* role = m.is_object() ? m.find("role") : nullptr;
    if (!role || !role->is_text()) Fields::wrong(at + ".role", "expected a text");
    std::string name = role->as_text() == "developer" ? "system" : role->as_text();
    if (name != "system" && name != "user" && name != "assistant") Fields::wrong(at + ".role", "expected system, user or assistant, found " + engine::describe(*role));
    out.ask.messages.push_back({std::move(name), content_of(m, at)});
  }
  local::Sampling& s = out.ask.sampling;
  read_sampling(f, s);
  // Where nothing is said the reply may be as long as the context lets it, as elsewhere.
  s.max_tokens = f.whole("max_completion_tokens", f.whole("max_tokens", INT64_MAX / 2, 1), 1);
  out.logprobs = f.flag("logprobs");
  s.top_logprobs = static_cast<int>(f.whole("top_logprobs", 0, 0, 20));
  if (s.top_logprobs > 0 && !out.logprobs) Fields::wrong("top_logprobs", "goes with `logprobs`: true");
  out.ids = f.flag("return_token_ids");
  out.stream = f.flag("stream");
  if (const Json* o = f.get("stream_options"); o && o->is_object())
    if (const Json* u = o->find("include_usage")) out.usage = u->is_bool() && u->as_bool();
  refuse_rest(f);
  f.get("tool_choice");
  if (const Json* v = f.get("response_format"))
    if (const Json* type = v->find("type"); !type || !type->is_text() || type->as_text() != "text") Fields::wrong("response_format", "only {\"type\": \"text\"} is supported");
  f.finish();
  return out;
}

Json logprobs_of(const local::Model& model, const local::Sample& s) {
  auto token = [&](local::TokenId id, float logprob) {
    Json j = Json::object();
    const std::string bytes = model.token_text(id);
    j.add("token", engine::lossy_utf8(bytes));
    j.add("logprob", number(logprob));
    Json& list = j.add("bytes", Json::list());
    for (const char c : bytes) list.push(int64_t{static_cast<unsigned char>(c)});
    return j;
  };
  Json out = Json::object();
  Json& content = out.add("content", Json::list());
  for (size_t i = 0; i < s.ids.size(); ++i) {
    Json one = token(s.ids[i], s.logprobs[i]);
    Json& top = one.add("top_logprobs", Json::list());
    if (i < s.top.size())
      for (const local::Alternative& a : s.top[i]) top.push(token(a.id, a.logprob));
    content.push(std::move(one));
  }
  return out;
}

/// As OpenAI's older completions have them.
Json plain_logprobs(const local::Model& model, const local::Sample& s, bool spelled) {
  auto token = [&](local::TokenId id) { return spelled ? "token_id:" + std::to_string(id) : engine::lossy_utf8(model.token_text(id)); };
  Json out = Json::object();
  Json tokens = Json::list(), values = Json::list(), tops = Json::list();
  for (size_t i = 0; i < s.ids.size(); ++i) {
    tokens.push(token(s.ids[i]));
    values.push(number(s.logprobs[i]));
    Json top = Json::object();
    if (i < s.top.size())
      for (const local::Alternative& a : s.top[i])
        if (!top.find(token(a.id))) top.add(token(a.id), number(a.logprob));
    tops.push(std::move(top));
  }
  out.add("tokens", std::move(tokens));
  out.add("token_logprobs", std::move(values));
  out.add("top_logprobs", std::move(tops));
  return out;
}

Json usage_of(const local::Reply& r) {
  Json u = Json::object();
  const auto completion = static_cast<int64_t>(r.sample.ids.size());
  u.add("prompt_tokens", r.prompt_tokens);
  u.add("completion_tokens", completion);
  u.add("total_tokens", r.prompt_tokens + completion);
  u.add("prompt_tokens_details", Json::object()).add("cached_tokens", r.cached_tokens);
  return u;
}

Json ids_of(const std::vector<local::TokenId>& ids) {
  Json out = Json::list();
  for (const local::TokenId t : ids) out.push(int64_t{t});
  return out;
}

/// One reply on its way to its client.
struct Answer {
  std::shared_ptr<net::Exchange> exchange;
  std::shared_ptr<local::Model> model;
  std::string id;
  int64_t created = 0;
  bool stream = false, usage = false, logprobs = false, ids = false, begun = false;
  std::atomic<bool> gone{false};

  Json head(const char* object) const {
    Json j = Json::object();
    j.add("id", id);
    j.add("object", object);
    j.add("created", created);
    j.add("model", model->name());
    return j;
  }
  bool send(const Json& event) {
    const std::string line = "data: " + engine::to_text(event, {.indent = -1, .nan_as_null = true}) + "\n\n";
    if (!begun) {
      begun = true;
      exchange->begin({200, "", "text/event-stream", {{"Cache-Control", "no-cache"}}});
    }
    return exchange->write(line);
  }
  Json chunk(Json delta, Json finish) const {
    Json j = head("chat.completion.chunk");
    Json choice = Json::object();
    choice.add("index", 0);
    choice.add("delta", std::move(delta));
    choice.add("finish_reason", std::move(finish));
    j.add("choices", Json::list()).push(std::move(choice));
    return j;
  }
  bool said(const std::string& text) {
    if (gone) return false;
    if (!stream) return true;
    Json delta = Json::object();
    if (!begun) delta.add("role", "assistant");
    delta.add("content", text);
    return send(chunk(std::move(delta), Json()));
  }
  void over(const std::optional<local::Reply>& r, const local::Failure& failure) {
    if (!r) {
      const HttpError error(failure.stopped ? 503 : failure.model ? 500 : 400, failure.stopped ? "the server is stopping" : failure.error);
      if (!begun) return exchange->respond(refusal(error));
      send(engine::parse_json(refusal(error).body, ""));
      return exchange->end();
    }
    const Json finish = r->finish == local::Finish::Length ? "length" : "stop";
    if (!stream) {
      Json out = head("chat.completion"), choice = Json::object();
      choice.add("index", 0);
      Json& message = choice.add("message", Json::object());
      message.add("role", "assistant");
      message.add("content", r->text);
      choice.add("finish_reason", finish);
      choice.add("logprobs", logprobs ? logprobs_of(*model, r->sample) : Json());
      if (ids) choice.add("token_ids", ids_of(r->sample.ids));
      out.add("choices", Json::list()).push(std::move(choice));
      out.add("usage", usage_of(*r));
      if (ids) out.add("prompt_token_ids", ids_of(r->sample.prompt));
      return exchange->respond(response(out));
    }
    Json delta = Json::object();
    if (!begun) delta.add("role", "assistant"), delta.add("content", "");
    Json last = chunk(std::move(delta), finish);
    if (logprobs) last.find("choices")->items()[0].add("logprobs", logprobs_of(*model, r->sample));
    if (ids) {
      last.find("choices")->items()[0].add("token_ids", ids_of(r->sample.ids));
      last.add("prompt_token_ids", ids_of(r->sample.prompt));
    }
    send(last);
    if (usage) {
      Json end = head("chat.completion.chunk");
      end.add("choices", Json::list());
      end.add("usage", usage_of(*r));
      send(end);
    }
    exchange->write("data: [DONE]\n\n");
    exchange->end();
  }
};

}  // namespace

/// A name for what a model plays with: the same for the same folders.
std::string fingerprint_of(const std::string& weights) {
  char text[24];
  std::snprintf(text, sizeof text, "ppc_%016llx", static_cast<unsigned long long>(engine::fnv1a(weights)));
  return text;
}

Completions::Completions(std::vector<std::shared_ptr<local::Model>> models, std::string folder, std::string weights_from)
    : models_(std::move(models)), created_(std::time(nullptr)), folder_(std::move(folder)), weights_from_(std::move(weights_from)) {
  if (!weights_from_.empty()) {
    if (models_.size() != 1) throw engine::InputError("`--weights-from` goes with one model");
    std::error_code ec;
    weights_from_ = fs::canonical(weights_from_, ec).string();
    if (ec) throw engine::InputError("`--weights-from`: no such folder");
  }
  for (size_t i = 0; i < models_.size(); ++i)
    for (size_t k = 0; k < i; ++k)
      if (models_[i]->name() == models_[k]->name()) throw engine::InputError("two models are called `" + models_[i]->name() + "`: rename one of the folders");
}

void Completions::answer(std::shared_ptr<net::Exchange> e) const {
  const net::ServerRequest& r = e->request();
  auto only = [&](const char* method) {
    if (r.method != method) throw HttpError(405, r.path + " takes " + method + ", not " + r.method);
  };
  try {
    if (r.path == "/health" || r.path == "/v1/health") {
      only("GET");
      Json out = Json::object();
      out.add("status", "ok");
      return e->respond(response(out));
    }
    if (r.path == "/v1/models" || r.path == "/models") {
      only("GET");
      Json out = Json::object();
      out.add("object", "list");
      Json& list = out.add("data", Json::list());
      for (const auto& m : models_) {
        Json one = Json::object();
        one.add("id", m->name());
        one.add("object", "model");
        one.add("created", created_);
        one.add("owned_by", "ppc");
        one.add("max_model_len", m->context());
        list.push(std::move(one));
      }
      std::lock_guard lock(mutex_);
      if (!adapter_.empty()) {
        Json one = Json::object();
        one.add("id", adapter_);
        one.add("object", "model");
        one.add("created", created_);
        one.add("owned_by", "ppc");
        one.add("parent", models_[0]->name());
        list.push(std::move(one));
      }
      return e->respond(response(out));
    }
    if (r.path == "/v1/chat/completions" || r.path == "/chat/completions") {
      only("POST");
      return complete(e);
    }
    if (r.path == "/v1/completions" || r.path == "/completions") {
      only("POST");
      return continue_ids(e);
    }
    const bool adapter = r.path == "/v1/load_lora_adapter", without = r.path == "/v1/unload_lora_adapter";
    if (adapter || without || r.path == "/collective_rpc" || r.path == "/reset_prefix_cache") {
      only("POST");
      if (weights_from_.empty()) throw HttpError(404, "this server takes no other weights: `ppc serve model --weights-from DIR` does, from folders in DIR");
      return r.path == "/reset_prefix_cache" ? e->respond(response(Json::object())) : change(e, adapter, without);
    }
    throw HttpError(404, "nothing at " + engine::lossy_utf8(r.path.substr(0, 100)) + "; there is POST /v1/chat/completions, POST /v1/completions, GET /v1/models, GET /health");
  } catch (const HttpError& error) {
    e->respond(refusal(error));
  }
}

/// OpenAI's errors for bodies have status 400.
template <class Read>
Wanted wanted(const Read& read, const net::ServerRequest& r) {
  try {
    return read(r);
  } catch (const HttpError& error) {
    throw HttpError(error.status == 422 ? 400 : error.status, error.what(), error.field);
  }
}

std::shared_ptr<local::Model> Completions::model_of(const std::string& wanted) const {
  std::lock_guard lock(mutex_);
  // Whoever waits for a model's weights holds up all that this thread answers, and gets a reply of the new ones with the old ones' fingerprint.
  if (changing_) throw HttpError(503, "other weights are being loaded; ask again in a moment");
  std::string names;
  for (const auto& m : models_) {
    // With an adapter it is another model.
    const std::string& name = adapter_.empty() ? m->name() : adapter_;
    names += (names.empty() ? "`" : ", `") + name + "`";
    if (name == wanted || (models_.size() == 1 && wanted.empty())) return m;
  }
  throw HttpError(wanted.empty() ? 400 : 404, (wanted.empty() ? "`model`: which one? There is " : "no model `" + wanted.substr(0, 200) + "`; there is ") + names, "model");
}

void Completions::complete(const std::shared_ptr<net::Exchange>& e) const {
  Wanted w = wanted(read, e->request());
  const std::shared_ptr<local::Model> model = model_of(w.model);

  auto a = std::make_shared<Answer>();
  a->exchange = e;
  a->model = model;
  a->id = "chatcmpl-" + net::make_secret().substr(0, 24);
  a->created = std::time(nullptr);
  a->stream = w.stream, a->usage = w.usage, a->logprobs = w.logprobs, a->ids = w.ids;
  // Who has gone away needs no reply.
  e->on_gone([weak = std::weak_ptr(a)] {
    if (const auto there = weak.lock()) there->gone = true;
  });
  w.ask.on_text = [a](const std::string& text) { return a->said(text); };
  std::shared_ptr<local::Session> session = model->open();
  session->ask(std::move(w.ask), [a, session](std::optional<local::Reply> reply, local::Failure failure) { a->over(reply, failure); });
}

void Completions::continue_ids(const std::shared_ptr<net::Exchange>& e) const {
  Wanted w = wanted(read_continuation, e->request());
  const std::shared_ptr<local::Model> model = model_of(w.model);
  Json head = Json::object();
  head.add("id", "cmpl-" + net::make_secret().substr(0, 24));
  head.add("object", "text_completion");
  head.add("created", static_cast<int64_t>(std::time(nullptr)));
  head.add("model", w.model.empty() ? model->name() : w.model);
  {
    std::lock_guard lock(mutex_);
    head.add("system_fingerprint", fingerprint_of(playing_));
  }
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  e->on_gone([gone] { *gone = true; });
  w.ask.on_text = [gone](const std::string&) { return !*gone; };
  const std::shared_ptr<local::Session> session = model->open();
  session->ask(std::move(w.ask), [e, model, session, head = std::move(head), logprobs = w.logprobs, ids = w.ids, spelled = w.spelled](std::optional<local::Reply> r, local::Failure failure) mutable {
    if (!r) return e->respond(refusal(HttpError(failure.stopped ? 503 : failure.model ? 500 : 400, failure.stopped ? "the server is stopping" : failure.error)));
    Json choice = Json::object();
    choice.add("index", 0);
    choice.add("text", r->text);
    choice.add("logprobs", logprobs ? plain_logprobs(*model, r->sample, spelled) : Json());
    choice.add("finish_reason", r->finish == local::Finish::Length ? "length" : "stop");
    if (ids) {
      choice.add("token_ids", ids_of(r->sample.ids));
      choice.add("prompt_token_ids", ids_of(r->sample.prompt));
    }
    head.add("choices", Json::list()).push(std::move(choice));
    head.add("usage", usage_of(*r));
    e->respond(response(head));
  });
}

/// When what lies in a folder was written last: a trainer may write to the same one again.
static std::string written(const std::string& folder) {
  std::error_code ec;
  fs::file_time_type newest = fs::file_time_type::min();
  for (const auto& file : fs::directory_iterator(folder, ec))
    if (file.path().extension() == ".safetensors") newest = std::max(newest, file.last_write_time(ec));
  return "@" + std::to_string(newest.time_since_epoch().count());
}

/// Other weights: an adapter, none, or a folder. Answers when they are there.
void Completions::change(const std::shared_ptr<net::Exchange>& e, bool adapter, bool without) const {
  Fields f(e->request());
  std::string name, path;
  if (adapter || without) {
    name = f.text("lora_name").value_or("");
    if (name.empty() || name == models_[0]->name()) throw HttpError(400, "`lora_name`: expected a name that is not the model's", "lora_name");
    path = adapter ? f.text("lora_path").value_or("") : folder_;
    f.get("load_inplace"), f.get("lora_int_id");
  } else {
    if (f.text("method").value_or("") != "reload_weights") throw HttpError(400, "`method`: only `reload_weights` is known here", "method");
    const Json* kwargs = f.get("kwargs");
    const Json* at = kwargs && kwargs->is_object() ? kwargs->find("weights_path") : nullptr;
    if (at && at->is_text()) path = at->as_text();
    f.get("args"), f.get("timeout");
  }
  f.finish();
  const char* key = adapter ? "lora_path" : "kwargs.weights_path";
  if (path.empty()) throw HttpError(400, std::string("`") + key + "`: expected a folder", key);
  if (!without) {
    std::error_code ec;
    const std::string there = fs::canonical(path, ec).string();
    // Nobody learns from the answer what lies elsewhere.
    if (ec || !(there + "/").starts_with(weights_from_ == "/" ? "/" : weights_from_ + "/")) throw HttpError(400, std::string("`") + key + "`: no folder in that of `--weights-from`", key);
    path = there;
  }
  std::unique_lock lock(mutex_);
  const std::string playing = without ? folder_ : (adapter ? folder_ + "|" + path : path) + written(path);
  if (without && name != adapter_) throw HttpError(404, "the adapter `" + name.substr(0, 200) + "` is not here", "lora_name");
  if (changing_) throw HttpError(409, "other weights are being loaded");
  if (playing == playing_) {
    if (adapter) adapter_ = name;
    return e->respond(response(Json::object()));
  }
  // Not on the server's thread, which has others to answer.
  changing_ = true;
  loading_ = std::async(std::launch::async, [this, e, adapter, name, path, playing] {
    try {
      models_[0]->load(adapter ? folder_ : path, adapter ? path : "");
      std::lock_guard lock(mutex_);
      changing_ = false;
      playing_ = playing;
      adapter_ = adapter ? name : "";
      e->respond(response(Json::object()));
    } catch (const local::Busy& error) {
      {
        std::lock_guard lock(mutex_);
        changing_ = false;
      }
      e->respond(refusal(HttpError(409, error.what())));
    } catch (const std::exception& error) {
      std::lock_guard lock(mutex_);
      changing_ = false;
      playing_ = "nothing whole";
      e->respond(refusal(HttpError(400, error.what())));
    }
  });
}

}  // namespace ppc::serve
