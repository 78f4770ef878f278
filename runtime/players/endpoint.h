// An OpenAI-compatible endpoint (chat completions): limits, retries, and what its answers mean.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/net/transport.h"
#include "runtime/players/player.h"

namespace ppc::players {

struct EndpointOptions {
  std::string name;                  // in messages
  std::string base_url;              // "http://127.0.0.1:8000/v1"
  std::string key;                   // sent as a bearer token; never in records, logs, errors or arguments
  std::vector<std::string> headers;  // more of them, "Name: value"
  int concurrency = 64;              // requests under way at once
  double rate = 0;                   // requests a minute; 0: no limit
  double timeout = 300, connect_timeout = 15;  // seconds, of one attempt
  int retries = 8;                   // after the first attempt
  double backoff = 0.5;              // seconds before the first retry; doubles, up to a minute, give or take a half
  std::string proxy, ca_file;
  bool verify = true;
};

/// Counts since the beginning; may be read at any time.
struct EndpointCounts {
  std::atomic<uint64_t> requests{0}, replies{0}, retries{0}, prompt_tokens{0}, reply_tokens{0};
};

/// Thread-safe. `done` runs on the transport's thread.
class Endpoint {
 public:
  virtual ~Endpoint() = default;
  /// `body`: the JSON of a chat completion request. Unanswered::Why::Request: the endpoint refuses this request (400, 413, 422) or
  /// keeps failing on it; Run: wrong key, no such model, nobody answers. Requests go out in the order they come in.
  virtual void ask(std::string body, std::function<void(Answer)> done) = 0;
  virtual const EndpointCounts& counts() const = 0;
  virtual const EndpointOptions& options() const = 0;
};
/// Throws engine::InputError when the base URL is none.
std::shared_ptr<Endpoint> make_endpoint(EndpointOptions, std::shared_ptr<net::Transport>);

/// Reads the body of a successful response. Throws engine::InputError saying what is wrong with it.
/// Errors name endpoint, status and what the endpoint said; they hold no key.
Reply parse_completion(std::string_view body);
/// What an endpoint says of an error: the message in the body, not too long; not yet fit to print.
std::string said_of_error(const std::string& body);
/// On one line, without what steers a terminal, and without the key: some servers repeat what they were sent.
std::string fit_to_print(std::string text, const std::string& key);
/// Seconds to wait from a Retry-After header (a number of seconds or an HTTP date), at most an hour; nothing when it is neither.
std::optional<double> parse_retry_after(const std::string&, int64_t now_unix);

}  // namespace ppc::players
