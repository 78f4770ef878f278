// An HTTP/1.1 server: many connections on a few threads. A handler answers at once, or later from another thread, as a whole or as
// a stream. What serves (libmicrohttpd) is a plugin that only `ppc serve` loads.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ppc::net {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct ServerRequest {
  std::string method;   // "GET"
  std::string path;     // "/step", without percent signs and query
  Fields query;         // decoded
  Fields headers;
  std::string body;
  std::string peer;     // the client's address, without port

  /// The first header of that name, in whatever case; null when there is none.
  const std::string* header(std::string_view name) const;
  const std::string* argument(std::string_view name) const;
};

struct ServerResponse {
  int status = 200;
  std::string body;
  std::string type = "application/json";
  Fields headers = {};
};
/// {"error": {"message": …, "status": …}}
ServerResponse error_response(int status, std::string_view message);

/// A request and the way to answer it, once: either `respond`, or `begin`, `write`…, `end`. All functions may be called from any thread. Who
/// lets go of it without an answer has answered with status 500; of a stream without an end, has cut it off.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const ServerRequest& request() const = 0;
  virtual void respond(ServerResponse) = 0;
  /// Sends status, headers and what there is of the body; more follows (in chunks).
  virtual void begin(ServerResponse) = 0;
  /// False when nobody reads any more: the client has gone, or has not taken what it was sent (ServerOptions::max_buffered).
  virtual bool write(std::string_view) = 0;
  virtual void end() = 0;
  virtual bool gone() const = 0;
  /// Calls `then` once, from any thread, when the client goes before its answer is complete; perhaps at once.
  virtual void on_gone(std::function<void()> then) = 0;
};
using Handler = std::function<void(std::shared_ptr<Exchange>)>;

struct ServerOptions {
  std::string host = "127.0.0.1";     // an address, or "localhost"
  uint16_t port = 0;                  // 0: any that is free
  unsigned threads = 1;               // on which handlers are called
  size_t max_body = 1u << 20;         // bytes of a request's body; more is status 413
  size_t max_headers = 16u << 10;     // bytes of its line and headers; more is status 431
  size_t max_buffered = 4u << 20;     // bytes of a stream that the client has not taken yet
  unsigned connections = 4096;        // at the same time; those beyond wait
  unsigned connections_per_peer = 0;  // 0: no limit
  double request_seconds = 30;        // for all of a request to arrive
  double idle_seconds = 75;           // without a request, or without progress of an answer
  /// Looks at a request before its body is read (the body is empty); gives the answer that refuses it.
  std::function<std::optional<ServerResponse>(const ServerRequest&)> refuse = {};
};

class Server {
 public:
  virtual ~Server() = default;        // stops at once
  virtual uint16_t port() const = 0;
  /// Accepts no more connections and refuses new requests (503), lets those that are under way end for so many seconds, then cuts them off.
  virtual void stop(double seconds) = 0;
  /// Requests that are under way, streams included.
  virtual size_t busy() const = 0;
};

/// Loads the plugin and listens. Throws std::runtime_error: no such address, the port is taken, no plugin.
std::shared_ptr<Server> make_server(ServerOptions, Handler);

/// Whether an address is reached from this machine only.
bool is_loopback(std::string_view host);

/// What the plugin exports under the name `ppc_make_server`; null and `*error` when it cannot listen.
constexpr int kServerVersion = 1;
using MakeServer = Server* (*)(int version, ServerOptions, Handler, std::string* error);

}  // namespace ppc::net
