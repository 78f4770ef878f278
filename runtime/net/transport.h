// HTTP requests, many at once, without a thread for each. What sends them (libcurl) is a plugin: it takes longer to load than all
// of ppc, so that only a run with an endpoint loads it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ppc::net {

struct HttpRequest {
  std::string url;                    // http or https
  std::vector<std::string> headers;   // "Name: value"; they may hold keys, so they are never logged
  std::string body;                   // a POST; no body: a GET
  double timeout = 120;               // seconds, for all of it
  double connect_timeout = 10;        // seconds
  size_t max_bytes = size_t{16} << 20;  // of the response; more is Failure::TooLarge
  std::string proxy;                  // empty: as the environment says (http_proxy, https_proxy, no_proxy)
  std::string ca_file;                // empty: the system's certificates
  bool verify = true;                 // the server's certificate and name
  int connections = 0;                // how many are kept open for the next requests; how many are under way is the caller's business
};

enum class Failure {
  None,
  Url,        // no http or https URL, or one that cannot be used: trying again does not help
  Tls,        // certificate or handshake: does not help either
  Refused,    // by the proxy: does not help either
  Connect,    // nobody there: refused, unknown host, unreachable, no connection within `connect_timeout`
  Timeout,
  Broken,     // reset, or it ended before the announced length
  TooLarge,
  Stopped,    // by stop()
};

struct HttpResponse {
  int status = 0;                     // 0 when there was a failure
  std::string body, retry_after;
  Failure failure = Failure::None;
  std::string error;                  // of a failure, for people: "connection refused"; no headers in it
};

/// Everything that it calls back runs on its own thread, one at a time. All functions may be called from any thread.
class Transport {
 public:
  virtual ~Transport() = default;
  /// `done` is called once, in any case. URL and headers must hold no line breaks (Failure::Url).
  virtual void send(HttpRequest, std::function<void(HttpResponse)> done) = 0;
  /// Calls `task` on the transport's thread in so many seconds.
  virtual void later(double seconds, std::function<void()> task) = 0;
  /// Requests that are under way and all that follow fail as Stopped; tasks run at once instead of later.
  virtual void stop() = 0;
  virtual bool stopped() const = 0;
};

/// Loads the plugin. Throws std::runtime_error when it cannot be found or loaded.
std::shared_ptr<Transport> make_transport();

/// What the plugin exports under the name `ppc_make_transport`; kTransportVersion must agree.
constexpr int kTransportVersion = 1;
using MakeTransport = Transport* (*)(int version);

}  // namespace ppc::net
