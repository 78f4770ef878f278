// Where the learner plays. Who else plays, how games are loaded and episodes are scheduled is known to those who make one.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "trainers/data/example.h"

namespace ppc::train {

/// What the learner said in one role of an episode.
struct Part {
  std::string role;
  data::Example example;             // in a group that was forked only what came behind the fork is trained
  double rewards = 0;                // sum of the rewards that the game gave the role
};

/// An episode, from its fork on where it has one.
struct Played {
  std::string outcome, reason;       // "won", "lost", "aborted"
  double score = 0;                  // Main Score; NaN: none
  int64_t replies = 0;               // of the learner
  int64_t length_cut = 0;            // of these, those that the limit of tokens ended
  std::map<std::string, int64_t> violations;  // by the learner: rule -> how often
  std::vector<Part> parts;           // a role of the learner each
  bool learner_spoke() const { return !parts.empty(); }
};

/// Several episodes with the same beginning: of an instance, or, with `fork_round`, of what had been played before the first reply that a learner's role
/// gives in that round.
struct Group {
  size_t game = 0;
  size_t instance = 0;               // in 0..instances
  uint64_t seed = 0;                 // of chance; the members' replies differ in spite of it
  int64_t members = 1;
  std::optional<uint32_t> fork_round = {};
};

class Arena {
 public:
  virtual ~Arena() = default;
  struct Game {
    std::string name;
    size_t instances = 0;
    double weight = 1;
  };
  virtual const std::vector<Game>& games() const = 0;
  /// Plays all of them at once. A group that never came to where it was to fork has one member. `tell`: called as groups end, with how many have.
  /// Throws engine::SystemError when a player failed for good.
  virtual std::vector<std::vector<Played>> play(std::span<const Group>, const std::function<void(size_t)>& tell = {}) = 0;
  /// From now on what is played is recorded in this folder (docs/records.md); empty: it is not.
  virtual void record_in(const std::string& folder) = 0;
};

}  // namespace ppc::train
