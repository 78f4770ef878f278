// What is played, and by whom: what `ppc play` and `ppc serve` share.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "runtime/engine/records.h"
#include "runtime/players/model.h"
#include "tools/cli/cli.h"

namespace ppc::cli {

/// An episode to play.
struct Chosen {
  const engine::Experiment* experiment;
  const engine::Instance* instance;
  uint32_t position;  // of the instance in the experiment
  uint32_t repeat;
};

/// Who plays a role; no kind for those that the game voices.
struct Casting {
  players::Spec spec;
  bool from_script = false;  // --script
  std::shared_ptr<const std::vector<std::string>> replies;
  std::string endpoint;                                     // openai: which one; empty: the default
  std::shared_ptr<players::ModelOptions> model;             // openai
  std::shared_ptr<players::Endpoint> reached;               // openai, once it is
  std::shared_ptr<players::LocalOptions> local;             // local
  local::ModelOptions folder;                               // local
  std::shared_ptr<local::Model> loaded;                     // local, once it is
};

/// `--instances`, or what lies beside the game, or one instance of defaults. Throws engine::InputError.
engine::InstanceSet find_instances(const Game&, const Options&, const engine::Patches&);
/// `--experiment`, `--id`; each `repeat` times. Points into the set. Throws engine::InputError when nothing is left.
std::vector<Chosen> choose(const engine::InstanceSet&, const Options&, uint64_t repeat);

/// Who plays a role that no option names: its first bot; where it has none a human, or that is an error; or always a human.
enum class Otherwise { Bot, BotOrHuman, Human };
/// `--player`, `--script`, `--sampling`, and the players file. A player each. `one_of_several`: roles that the game does not have are
/// another's. Throws UsageError, engine::InputError.
std::vector<Casting> cast_players(const engine::Manifest&, const Options&, const players::PlayersConfig&, Otherwise, bool one_of_several = false);
/// The roles that `--player` and the players file name. Throws UsageError.
std::vector<std::string> named_roles(const Options&, const players::PlayersConfig&);
std::vector<Casting*> pointers(std::vector<Casting>&);
/// Makes the endpoints of the models, if there are any, one for all that name it; else there is no transport. Throws engine::InputError,
/// engine::SystemError.
std::shared_ptr<net::Transport> reach_models(const std::vector<Casting*>&, const Options&, const players::PlayersConfig&);
/// Loads the local models, if there are any, one for all that name it with the same settings; the list of them. Throws engine::InputError.
std::vector<std::shared_ptr<local::Model>> load_models(const std::vector<Casting*>&);
/// A bot, a script or a model; not for humans. `seed`: the episode's.
std::unique_ptr<players::Player> make_player(const engine::Manifest&, uint32_t player, const Casting&, uint64_t seed);
/// What is known of an episode before it is played. `seed` is the run's.
engine::Record make_record(const Game&, const std::vector<Casting>&, const Chosen&, uint64_t repeats, uint64_t seed);

}  // namespace ppc::cli
