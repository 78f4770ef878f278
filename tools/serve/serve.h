// What the servers of `ppc serve` share: where they listen, who may ask, when they end.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "runtime/net/gate.h"
#include "runtime/net/server.h"
#include "tools/cli/cli.h"

namespace ppc::cli {

int serve_env(const Args&);
int serve_play(const Args&);
int serve_model(const Args&);

/// The options that all servers take a value for; the flag `--json` beside them.
std::vector<std::string> server_options(std::vector<std::string> more);
extern const char* const kServerHelp;

struct Served {
  bool own_secrets = false;                // the handler asks for secrets of its own: no token
  std::vector<std::string> open = {};      // paths that want no token
  net::Handler handler;
  /// Once it listens; `url` is http://HOST:PORT. What it prints goes to stdout.
  std::function<void(const std::string& url, bool json)> ready;
  std::function<void()> every_second = {}; // or about
  std::function<void()> stopping = {};     // answers to be given still; then the server waits for them
};
/// Serves until ^C or SIGTERM. Throws UsageError, engine::InputError (a token's file), engine::SystemError (the port is taken).
int serve(const Options&, Served);

}  // namespace ppc::cli
