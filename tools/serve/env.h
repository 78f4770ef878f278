// Games as environments over HTTP, in the shape of OpenEnv: reset, step, state. Knows requests and responses, no sockets.
#pragma once
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/journal.h"
#include "runtime/net/server.h"
#include "tools/cli/casting.h"

namespace ppc::serve {

/// A game that is offered, with everything an episode of it needs.
struct EnvGame {
  std::shared_ptr<const engine::GameModule> module;
  std::shared_ptr<const engine::InstanceSet> set;
  std::vector<cli::Chosen> chosen;         // points into the set; not empty
  engine::SegmentPtr resources;
  std::vector<std::string> bots;           // a player each: the bot's name; empty: the client (or the game's own voice)
};

struct EnvLimits {
  size_t sessions = 1000;
  double session_seconds = 3600;           // without a request
  engine::Budget budget = {};
};

/// All functions may be called from any thread.
class EnvService {
 public:
  EnvService(std::vector<EnvGame> games, EnvLimits limits);
  ~EnvService();
  /// Never throws for what a client sends: that is answered with 4xx and JSON.
  net::ServerResponse answer(const net::ServerRequest&);
  /// Drops sessions that were not used for long.
  void expire();
  size_t sessions() const;

 private:
  struct Session;
  struct Call;
  std::shared_ptr<Session> find(const std::string& key);
  net::ServerResponse reset(Call&);
  net::ServerResponse step(Call&);
  net::ServerResponse state(Call&);
  net::ServerResponse fork(Call&);
  net::ServerResponse close(Call&);
  net::ServerResponse health() const;
  net::ServerResponse metadata(const Call&) const;
  net::ServerResponse schema() const;
  net::ServerResponse list() const;
  const EnvGame& game_of(Call&) const;
  void keep(const std::string& key, std::shared_ptr<Session>);
  engine::Json result(Session&, engine::Worker&, size_t from, bool fresh);

  std::vector<EnvGame> games_;
  std::map<std::string, size_t, std::less<>> names_;
  EnvLimits limits_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Session>> sessions_;  // by game and name
};

/// The conversation as a player remembers it: [{role: "user" or "assistant", content}]. A side question that is asked now is part of it.
engine::Json conversation(const engine::Journal&, uint32_t player, bool asked_aside);

}  // namespace ppc::serve
