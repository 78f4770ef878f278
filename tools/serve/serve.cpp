#include "tools/serve/serve.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "runtime/engine/json.h"
#include "runtime/players/model.h"
#include "tools/ppc/verbs.h"

namespace ppc::cli {

namespace {

/// ^C and SIGTERM ask for an end, a second one ends at once. By a handler, which any thread may run: threads that were there before (an endpoint's, a model's)
/// get signals, too, and without one the process would end in the middle of everything.
class End {
 public:
  End() {
    if (pipe2(ends_, O_CLOEXEC | O_NONBLOCK) != 0) throw engine::SystemError("no pipe can be made: too many open files (`ulimit -n`)");
    struct sigaction action {};
    action.sa_handler = [](int) {
      static std::atomic<int64_t> asked{0};  // seconds, from 1
      timespec time{};
      clock_gettime(CLOCK_MONOTONIC, &time);
      int64_t before = 0;
      // A second one ends it at once; not the one that came with the first, from a terminal and from who began the process.
      if (!asked.compare_exchange_strong(before, time.tv_sec + 1) && time.tv_sec + 1 > before + 1) _exit(130);
      [[maybe_unused]] const ssize_t told = write(ends_[1], "", 1);
    };
    action.sa_flags = SA_RESTART;
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
  }
  /// Whether it has been asked for; waits for it for a second.
  bool within_a_second() const {
    pollfd asked{ends_[0], POLLIN, 0};
    return poll(&asked, 1, 1000) > 0;
  }

 private:
  static inline int ends_[2];  // open until the process ends: so long the handler is there
};

/// Threads that are made while it lives leave these signals to others.
class Unsignalled {
 public:
  Unsignalled() {
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, &before_);
  }
  ~Unsignalled() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
};

}  // namespace

const char* const kServerHelp =
    R"(  --port N              where to listen (default 8000; 0: any that is free)
  --host ADDRESS        for other machines, too: 0.0.0.0, ::, or one of this machine's addresses (default 127.0.0.1)
  --allow-host NAME     a name under which a proxy on this machine passes requests on
  --max-body BYTES      of a request (default 1048576)
  --connections N       at the same time (default 4096); --connections-per-peer N: from one address (default: no limit)
  --threads N           that answer (default 1)
  --json                prints the address as JSON
)";

std::vector<std::string> server_options(std::vector<std::string> more) {
  for (const char* name : {"--port", "--host", "--allow-host", "--max-body", "--connections", "--connections-per-peer", "--threads"}) more.emplace_back(name);
  return more;
}

int serve(const Options& options, Served served) {
  const std::string host = options.value("--host", "127.0.0.1");
  net::Gate::Options gate;
  gate.open = served.open;
  const bool ours = net::is_loopback(host);
  bool made = false;
  if (!served.own_secrets) {
    if (options.has("--token-file")) gate.token = players::load_key(options.value("--token-file"));
    else if (const char* token = std::getenv("PPC_SERVE_TOKEN"); token && *token) gate.token = token;
    for (const char c : gate.token)
      if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) throw engine::InputError("PPC_SERVE_TOKEN holds white space or control characters, which no header can");
    if (gate.token.empty() && !ours) gate.token = net::make_secret(), made = true;
  }
  // With a token nobody needs to be kept out by the name they call us by. Secrets of the handler's own do the same, where others may connect.
  gate.hosts = options.all("--allow-host");
  for (const char* name : {"localhost", "127.0.0.1", "[::1]"}) gate.hosts.emplace_back(name);
  if (ours && host != "localhost") gate.hosts.push_back(host.find(':') == std::string::npos ? host : "[" + host + "]");
  gate.any_host = !ours;
  const net::Gate watch(gate);

  const End end;
  net::ServerOptions with;
  with.host = host;
  with.port = static_cast<uint16_t>(options.number("--port", 8000, 0, 65535));
  with.threads = static_cast<unsigned>(options.number("--threads", 1, 1, 256));
  with.max_body = options.number("--max-body", 1u << 20, 1, 1u << 30);
  with.connections = static_cast<unsigned>(options.number("--connections", 4096, 1, 1'000'000));
  // A connection is an open file.
  constexpr unsigned others = 64;
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < with.connections + others) {
    files.rlim_cur = std::min<rlim_t>(files.rlim_max, with.connections + others);
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < with.connections + others) {
      if (options.has("--connections") || files.rlim_cur <= others) {
        throw engine::InputError("`--connections` wants " + std::to_string(with.connections + others) + " open files, and the system allows " + std::to_string(files.rlim_max) +
                                 ": lower it, or raise the limit (`ulimit -n`)");
      }
      with.connections = static_cast<unsigned>(files.rlim_cur) - others;
    }
  }
  with.connections_per_peer = static_cast<unsigned>(options.number("--connections-per-peer", 0, 1, 1'000'000));
  with.refuse = [&watch](const net::ServerRequest& r) { return watch.refuse(r); };
  std::shared_ptr<net::Server> server;
  try {
    const Unsignalled threads;
    server = net::make_server(with, std::move(served.handler));
  } catch (const std::runtime_error& e) {
    throw engine::SystemError(e.what());
  }
  std::string name = host;
  if (host == "0.0.0.0" || host == "::") {  // no address to go to
    char own[256] = "";
    name = gethostname(own, sizeof own - 1) == 0 && *own ? own : "localhost";
  }
  const std::string url = "http://" + (name.find(':') == std::string::npos ? name : "[" + name + "]") + ":" + std::to_string(server->port());
  served.ready(url, options.has("--json"));
  if (made) std::fprintf(stderr, "token: %s\n(give one with --token-file FILE or PPC_SERVE_TOKEN)\n", gate.token.c_str());
  std::fflush(stdout);

  while (!end.within_a_second())
    if (served.every_second) served.every_second();
  if (served.stopping) served.stopping();
  server->stop(5);
  return 0;
}

int run_serve(const Args& args) {
  constexpr const char* help =
      "usage: ppc serve env GAME… | ppc serve play GAME | ppc serve model DIR…\n\n"
      "  env     games for programs, over HTTP: reset, step, state (OpenEnv)\n"
      "  play    a page on which people play, with models or with each other\n\n"
      "  model   local models as an OpenAI-compatible endpoint\n\n"
      "All listen on this machine only, unless --host says otherwise; docs/serve.md.\n"
      "`ppc serve env --help` and so on explain each.\n\n"
      "Example:\n"
      "  ppc serve play taboo --player describer=bot:spelling\n";
  if (!args.empty() && args[0] == "env") return serve_env(Args(args.begin() + 1, args.end()));
  if (!args.empty() && args[0] == "play") return serve_play(Args(args.begin() + 1, args.end()));
  if (!args.empty() && args[0] == "model") return serve_model(Args(args.begin() + 1, args.end()));
  return run_verb("serve", help, args, [&]() -> int {
    if (args.empty()) throw UsageError("what? There is env, play and model");
    throw UsageError("`" + args[0] + "` is nothing that can be served: there is env, play and model");
  });
}

}  // namespace ppc::cli
