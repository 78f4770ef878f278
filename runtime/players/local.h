// Models that compute in this process as players: `local:DIR`.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/local/inference.h"
#include "runtime/players/player.h"

namespace ppc::players {

/// How a local model is asked.
struct LocalOptions {
  std::string system;          // in front of every conversation; empty: none
  local::Sampling sampling;    // `seed` is mixed with the episode's, the player's and the request's
  local::Masking masking = local::Masking::Off;
  bool logprobs = false;       // each token with its text, as endpoints give them; the numbers are recorded in any case
  std::string name;            // in records; empty: the folder's name
};

/// A conversation of its own; what has been computed for it stays from one request to the next. `seed`: the episode's.
std::unique_ptr<Player> make_local(std::shared_ptr<local::Model>, std::shared_ptr<const LocalOptions>, uint64_t seed);

/// What was fed and sampled, as records have it (docs/records.md), and back. Throws engine::InputError for what is none.
engine::Json sample_json(const local::Sample&, const local::Sampling&);
local::Sample sample_of(const engine::Json&);
/// What changed the distribution that it was sampled from; what it does not say changed nothing.
local::Sampling sampling_of(const engine::Json& sample);

}  // namespace ppc::players
