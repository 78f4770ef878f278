// Plays one episode with its players.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/records.h"
#include "runtime/players/player.h"

namespace ppc::players {

using Cast = std::vector<std::unique_ptr<Player>>;  // a player each; null for those that the game voices

/// Where an episode is continued in several ways: when a player is asked for the first time in a round, or at all.
struct BranchPoint {
  uint32_t ways = 2;
  uint32_t player = 0;
  std::optional<uint32_t> round = {};
};

/// An episode and who plays it. Used by one thread at a time, but for the answers of players that wait.
class Sitting {
 public:
  Sitting(engine::Episode episode, Cast cast) : episode(std::move(episode)), cast(std::move(cast)) {}

  enum class State { Waiting, Over, Failed };
  /// Plays on, until the episode is over or a player that waits has been asked; then `wake` is called once, from any thread,
  /// perhaps before this returns, and `play` is to be called again. Failed: see `failure`; the episode is as far as it came.
  /// Throws what players throw.
  State play(engine::Worker&, const std::function<void()>& wake, const std::function<void()>& after = {});

  /// To be called before the first `play`. Every branch splits at each of the points that it comes to.
  void branch_at(std::shared_ptr<const std::vector<BranchPoint>> points);

  /// What `play` splits off at a point, before the player who is asked `message` has heard of it. Throws engine::InputError when a player
  /// cannot be copied.
  std::unique_ptr<Sitting> fork(uint32_t way, const std::string& message) const;

  engine::Episode episode;
  Cast cast;
  engine::Journal journal;
  engine::Branch branch;
  std::vector<std::unique_ptr<Sitting>> forks;  // what `play` has split off: for whoever plays this to take and play, too
  bool left = false;       // a player went away
  Unanswered failure{};

 private:
  void take(engine::Worker&, Reply, const std::function<void()>& after);
  void split(const std::string& message);
  bool started_ = false;
  std::shared_ptr<const std::vector<BranchPoint>> points_;
  std::vector<bool> passed_;            // of points_
  size_t splits_ = 0;                   // how many that is
  std::optional<std::string> message_;  // of a fork: what the player it begins with is asked
  std::string sent_;
  std::mutex mutex_;
  std::optional<Answer> answer_;
};

/// Plays to the end, waiting where a player waits; forks are left to the caller. Returns true when a player left. Throws engine::SystemError when one
/// did not answer.
bool play_episode(engine::Worker&, Sitting&, const std::function<void()>& after = {});

}  // namespace ppc::players
