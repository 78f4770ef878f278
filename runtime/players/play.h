// Plays one episode with its players.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime/players/player.h"

namespace ppc::players {

using Cast = std::vector<std::unique_ptr<Player>>;  // a player each; null for those that the game voices

/// An episode and who plays it. Used by one thread at a time, but for the answers of players that wait.
class Sitting {
 public:
  Sitting(engine::Episode episode, Cast cast) : episode(std::move(episode)), cast(std::move(cast)) {}

  enum class State { Waiting, Over, Failed };
  /// Plays on, until the episode is over or a player that waits has been asked; then `wake` is called once, from any thread,
  /// perhaps before this returns, and `play` is to be called again. Failed: see `failure`; the episode is as far as it came.
  /// Throws what players throw.
  State play(engine::Worker&, const std::function<void()>& wake, const std::function<void()>& after = {});

  engine::Episode episode;
  Cast cast;
  engine::Journal journal;
  bool left = false;       // a player went away
  Unanswered failure{};

 private:
  void take(engine::Worker&, Reply, const std::function<void()>& after);
  bool started_ = false;
  std::string sent_;
  std::mutex mutex_;
  std::optional<Answer> answer_;
};

/// Plays to the end, waiting where a player waits. Returns true when a player left. Throws engine::SystemError when one
/// did not answer.
bool play_episode(engine::Worker&, Sitting&, const std::function<void()>& after = {});

}  // namespace ppc::players
