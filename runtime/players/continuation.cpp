#include "runtime/players/continuation.h"

#include <charconv>
#include <cmath>

#include "runtime/engine/episode.h"
#include "runtime/engine/json.h"

namespace ppc::players {

using engine::InputError;
using engine::Json;
using local::TokenId;

namespace {

Json ids_json(std::span<const TokenId> ids) {
  Json out = Json::list();
  for (const TokenId t : ids) out.push(int64_t{t});
  return out;
}

std::optional<std::vector<TokenId>> ids_of(const Json* list, const char* name) {
  if (!list || list->is_null()) return {};
  if (!list->is_list()) throw InputError(std::string("`") + name + "` is " + engine::describe(*list) + ", not a list");
  std::vector<TokenId> out;
  for (const Json& v : list->items()) {
    if (!v.is_int() || v.as_int() < 0 || v.as_int() > INT32_MAX) throw InputError(std::string("`") + name + "` has " + engine::describe(v) + " where a token id should be");
    out.push_back(static_cast<TokenId>(v.as_int()));
  }
  return out;
}

/// "token_id:17", as vLLM spells tokens with `return_tokens_as_token_ids`.
std::optional<std::vector<TokenId>> spelled(const Json* tokens) {
  if (!tokens || !tokens->is_list()) return {};
  std::vector<TokenId> out;
  for (const Json& t : tokens->items()) {
    constexpr std::string_view prefix = "token_id:";
    if (!t.is_text() || !t.as_text().starts_with(prefix)) return {};
    const std::string& text = t.as_text();
    TokenId id = -1;
    const auto [end, error] = std::from_chars(text.data() + prefix.size(), text.data() + text.size(), id);
    if (error != std::errc() || end != text.data() + text.size() || id < 0) return {};
    out.push_back(id);
  }
  return out;
}

}  // namespace

std::string continuation_body(const ContinuationRequest& r) {
  const local::Sampling& s = r.sampling;
  Json out = Json::object();
  out.add("model", r.model);
  out.add("prompt", ids_json(r.prompt));
  out.add("max_tokens", s.max_tokens);
  out.add("temperature", s.temperature);
  out.add("top_p", s.top_p);
  out.add("top_k", s.top_k > 0 ? s.top_k : -1);
  out.add("min_p", s.min_p);
  out.add("repetition_penalty", s.repetition_penalty);
  out.add("seed", static_cast<int64_t>(s.seed));
  out.add("stop_token_ids", ids_json(r.ends));
  if (!s.stop.empty()) {
    Json& stop = out.add("stop", Json::list());
    for (const std::string& text : s.stop) stop.push(text);
  }
  out.add("ignore_eos", true);  // what ends a reply is said: `stop_token_ids`
  out.add("logprobs", 1);
  out.add("return_token_ids", true);
  out.add("return_tokens_as_token_ids", true);
  return engine::to_text(out, {.indent = -1});
}

Continuation parse_continuation(std::string_view body) {
  const Json json = engine::parse_json(body, "response");
  const Json* choices = json.find("choices");
  if (!choices || !choices->is_list() || choices->items().empty()) throw InputError("no `choices`");
  const Json& choice = choices->items()[0];
  if (!choice.is_object()) throw InputError("`choices[0]` is " + engine::describe(choice));
  Continuation out;
  auto text = [](const Json& in, const char* key) {
    const Json* v = in.find(key);
    return v && v->is_text() ? v->as_text() : std::string();
  };
  out.finish = text(choice, "finish_reason");
  out.fingerprint = text(json, "system_fingerprint");
  const Json* logprobs = choice.find("logprobs");
  if (logprobs && !logprobs->is_object()) logprobs = nullptr;
  auto ids = ids_of(choice.find("token_ids"), "choices[0].token_ids");
  if (!ids && logprobs) ids = spelled(logprobs->find("tokens"));
  if (!ids) throw NoTokenIds("there are no token ids in its answer (`choices[0].token_ids`)");
  out.ids = std::move(*ids);
  // vLLM has them in the choice, and in chat completions beside the choices.
  out.prompt = ids_of(choice.find("prompt_token_ids"), "choices[0].prompt_token_ids");
  if (!out.prompt) out.prompt = ids_of(json.find("prompt_token_ids"), "prompt_token_ids");
  const Json* values = logprobs ? logprobs->find("token_logprobs") : nullptr;
  if (!values || !values->is_list()) throw InputError("no `choices[0].logprobs.token_logprobs`");
  for (const Json& v : values->items()) {
    // A little above 0 is rounding.
    if (!v.is_number() || !std::isfinite(v.as_float()) || v.as_float() > 1e-3) throw InputError("`choices[0].logprobs.token_logprobs` has " + engine::describe(v) + " where a log-probability should be");
    out.logprobs.push_back(static_cast<float>(std::min(v.as_float(), 0.0)));
  }
  if (out.logprobs.size() != out.ids.size())
    throw InputError("it has " + std::to_string(out.ids.size()) + " token ids and " + std::to_string(out.logprobs.size()) + " log-probabilities");
  return out;
}

}  // namespace ppc::players
