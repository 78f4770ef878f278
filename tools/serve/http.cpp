#include "tools/serve/http.h"

#include "runtime/engine/episode.h"

namespace ppc::serve {

using engine::Json;

net::ServerResponse response(const Json& json, int status) {
  return {status, engine::to_text(json, {.indent = -1, .nan_as_null = true}) + "\n"};
}

net::ServerResponse response(const HttpError& e) {
  Json out = Json::object();
  Json& error = out.add("error", Json::object());
  error.add("message", engine::lossy_utf8(e.what()));
  error.add("status", e.status);
  if (!e.field.empty()) error.add("field", engine::lossy_utf8(e.field));
  return response(out, e.status);
}

Body::Body(const net::ServerRequest& r) {
  if (r.body.find_first_not_of(" \t\r\n") == std::string::npos) return;
  try {
    json_ = engine::parse_json(r.body, "the body");
  } catch (const engine::InputError& e) {
    throw HttpError(400, std::string(e.what()) + ": expected a JSON object");
  }
  if (!json_.is_object()) throw HttpError(400, "the body is " + engine::describe(json_) + ": expected an object");
}

void Body::fail(const std::string& key, const std::string& what) const {
  const std::string at = place_ + (place_.empty() || key.empty() ? "" : ".") + key;
  throw HttpError(422, at.empty() ? what : "`" + at + "`: " + what, at);
}

const Json* Body::find(const std::string& key) const {
  const Json* v = json_.find(key);
  return v && !v->is_null() ? v : nullptr;
}

std::optional<std::string> Body::text(const std::string& key, size_t most) {
  const Json* v = get(key);
  if (!v) return std::nullopt;
  if (!v->is_text()) fail(key, "expected a text, found " + engine::describe(*v));
  if (v->as_text().size() > most) fail(key, "longer than " + std::to_string(most) + " bytes");
  return v->as_text();
}

std::optional<uint64_t> Body::number(const std::string& key) {
  const Json* v = get(key);
  if (!v) return std::nullopt;
  if (!v->is_int() || v->as_int() < 0) fail(key, "expected a whole number, at least 0, found " + engine::describe(*v));
  return static_cast<uint64_t>(v->as_int());
}

void Body::finish() const {
  for (const Json::Member& m : json_.members()) {
    if (known_.contains(m.key)) continue;
    std::string there;
    for (const std::string& k : known_) there += (there.empty() ? "`" : ", `") + k + "`";
    fail(m.key.size() > 100 ? m.key.substr(0, 100) : m.key, "unknown; there is " + there);
  }
}

}  // namespace ppc::serve
