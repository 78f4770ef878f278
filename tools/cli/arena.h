// Games, players and instances as a configuration of `ppc train` names them.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/local/inference.h"
#include "runtime/engine/journal.h"
#include "trainers/train/arena.h"
#include "trainers/train/config.h"

namespace ppc::cli {

struct ArenaOptions {
  std::vector<train::GameOptions> games;
  train::SamplingOptions sampling;
  std::optional<train::SamplingOptions> partner_sampling = {};  // of roles that the learner plays untrained; none: as sampling
  std::string players_file;             // how endpoints and models are asked; empty: none
  int64_t in_flight = 256;              // episodes
  bool evaluation = false;              // `episodes` counts, and all roles without a player are the learner's
  uint64_t seed = 0;
};

/// `place`: of the list in the configuration, for messages. Without a learner only looks whether all is there. Throws engine::InputError for what
/// cannot be played.
std::unique_ptr<train::Arena> make_arena(const ArenaOptions&, std::shared_ptr<local::Model> learner, const std::string& place);

/// Takes what the learner said in a role from an episode's journal, from the first reply of the round on (0: all). Nothing to learn: empty ids.
data::Example learned_from(const engine::Journal&, uint32_t player, uint32_t round);

}  // namespace ppc::cli
