// Who may ask a server: a token, and what keeps other web pages out of a server that listens on this machine only.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "runtime/net/server.h"

namespace ppc::net {

/// A page from elsewhere can make a browser send requests to this machine, under this machine's name or (DNS rebinding) under its own. So:
/// - `Host` must be one of `hosts`, unless a token is wanted (no page has that), or `any_host`;
/// - a browser's `Origin` must be the address the request was sent to, and `Sec-Fetch-Site` not another site, but for a link that was followed;
/// - a POST is JSON and says so: no form of another page can do that unasked.
class Gate {
 public:
  struct Options {
    std::string token = {};                // empty: none is wanted
    std::vector<std::string> hosts = {};   // names without port, as a client writes them: "localhost", "127.0.0.1", "[::1]"
    bool any_host = false;            // others may connect, under whatever name
    std::vector<std::string> open = {};    // paths that want no token
  };
  explicit Gate(Options options) : options_(std::move(options)) {}
  std::optional<ServerResponse> refuse(const ServerRequest&) const;

 private:
  Options options_;
};

/// Takes as long for whatever differs.
bool same_secret(std::string_view a, std::string_view b);
/// What stands behind `Authorization: Bearer `; empty when there is none.
std::string_view bearer(const ServerRequest&);
/// 32 hexadecimal digits from the system's generator.
std::string make_secret();

}  // namespace ppc::net
