// JSON requests and responses: reading them strictly, answering with what is wrong and how to put it right.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>

#include "runtime/engine/json.h"
#include "runtime/net/server.h"

namespace ppc::serve {

/// What is answered instead: {"error": {"message", "status", "field"}}.
struct HttpError : std::runtime_error {
  HttpError(int status, const std::string& message, std::string field = {}) : std::runtime_error(message), status(status), field(std::move(field)) {}
  int status;
  std::string field;   // of the body or the query; empty: none in particular
};
net::ServerResponse response(const HttpError&);
net::ServerResponse response(const engine::Json&, int status = 200);

/// The body of a POST: an object, or nothing. Throws HttpError.
class Body {
 public:
  explicit Body(const net::ServerRequest&);
  explicit Body(engine::Json object, std::string place) : json_(std::move(object)), place_(std::move(place)) {}
  /// Null when it is not there, or null.
  const engine::Json* get(const std::string& key) { return known_.insert(key), find(key); }
  std::optional<std::string> text(const std::string& key, size_t most = SIZE_MAX);
  std::optional<uint64_t> number(const std::string& key);
  /// Throws HttpError when there is a member that nobody asked for.
  void finish() const;
  [[noreturn]] void fail(const std::string& key, const std::string& what) const;

 private:
  const engine::Json* find(const std::string& key) const;
  engine::Json json_ = engine::Json::object();
  std::string place_;
  std::set<std::string> known_;
};

}  // namespace ppc::serve
