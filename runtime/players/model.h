// Language models as players, and the file that says how they are reached.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/players/endpoint.h"
#include "runtime/players/local.h"

namespace ppc::players {

/// How a model is asked.
struct ModelOptions {
  std::string model;         // as the endpoint calls it; also the name in records
  std::string system;        // in front of every conversation; empty: none
  engine::Json body = engine::Json::object();  // what is sent beside model and messages: temperature, max_tokens, stop, …
  std::vector<std::string> constrain;          // where in what is sent the grammar of the move goes; empty: nowhere
  double prompt_price = 0, reply_price = 0;    // for a million tokens, in whatever currency
};

/// Asks with the conversation as that player remembers it.
std::unique_ptr<Player> make_model(std::shared_ptr<Endpoint>, std::shared_ptr<const ModelOptions>);

/// A player of a players file: a model, or one of the other forms ("bot:fixed").
struct PlayerConfig {
  std::string spec;          // "openai:MODEL", "local:DIR", "bot:NAME", …
  std::string endpoint;      // a name of `endpoints`; empty: the default one
  ModelOptions options;
  LocalOptions local;        // of local:DIR
  local::ModelOptions model;
};
struct PlayersConfig {
  std::map<std::string, EndpointOptions> endpoints;
  std::map<std::string, PlayerConfig> players;  // by role
};
/// A YAML or JSON file (docs/endpoints.md). Keys are read from the environment and from files here. Throws engine::InputError
/// naming file, place and what is expected; no error holds a key.
PlayersConfig load_players(const std::string& path);
/// From settings such as "temperature=0.7", with the names that a player has in a players file. Throws engine::InputError.
ModelOptions model_options(const std::string& model, const std::vector<std::string>& settings);
/// The same of a local model. `settings`: as `sampling` of a player; `model`: such as "device=cuda". Throws engine::InputError.
PlayerConfig local_options(const std::string& folder, const std::vector<std::string>& settings, const std::vector<std::string>& model);
/// What environment variables say: OPENAI_BASE_URL and OPENAI_API_KEY. Throws engine::InputError.
EndpointOptions default_endpoint(const std::string& base_url);
/// The content of a file that only its owner may read, without white space around it. Throws engine::InputError.
std::string load_key(const std::string& path);

}  // namespace ppc::players
