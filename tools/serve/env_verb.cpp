// ppc serve env
#include <cstdio>
#include <map>

#include "runtime/players/player.h"
#include "tools/serve/env.h"
#include "tools/serve/serve.h"

namespace ppc::cli {
namespace {

using namespace engine;

const std::string kHelp =
    std::string(R"(usage: ppc serve env GAME… [options]

Offers games over HTTP in OpenEnv's shape: POST /reset, POST /step, GET /state; docs/serve.md. Each session is an episode of its own.
A client plays all roles that no bot plays.

  --player ROLE=bot:NAME  who plays a role, in all games that have it
  --instances FILE      YAML or JSON (default: those of the game); for one game only
  --experiment NAME     only this experiment
  --id N                only instances with this game_id
  --resources DIR       in place of the game's resources folder
  --set NAME=VALUE      another value for a field of the experiment or instance
  --engine E            interp, jit or so
  --sessions N          how many there may be (default 1000)
  --session-seconds S   after which one that is not used is dropped (default 3600)
  --token-file FILE     the token that requests must have (or PPC_SERVE_TOKEN); with --host there is always one
)") + kServerHelp + R"(
Example:
  ppc serve env taboo wordle --player describer=bot:spelling --port 8000
)";

serve::EnvGame load(const std::string& name, const Options& options) {
  Patches patches;
  for (const std::string& s : options.all("--set")) patches.push_back(parse_patch(s));
  const Game game = open_game(name, options.value("--engine"));
  serve::EnvGame out;
  out.module = game.module;
  out.set = std::make_shared<InstanceSet>(find_instances(game, options, patches));
  out.chosen = choose(*out.set, options, 1);
  out.resources = load_resources(*game.module, game.folder, options.value("--resources"), false);
  out.bots.resize(game.module->manifest().players.size());
  return out;
}

int serve_games(const Args& args) {
  const Options options(args, server_options({"--player", "--instances", "--experiment", "--id", "--resources", "--set", "--engine", "--sessions", "--session-seconds", "--token-file"}), {"--json"});
  if (options.rest().empty()) throw UsageError("which games?");
  if (options.rest().size() > 1)
    for (const char* one : {"--instances", "--experiment", "--id", "--resources", "--set"})
      if (options.has(one)) throw UsageError(std::string("`") + one + "` goes with one game");
  std::vector<serve::EnvGame> games;
  std::map<std::string, std::string> names;
  for (const std::string& name : options.rest()) {
    games.push_back(load(name, options));
    const std::string& game = games.back().module->manifest().game;
    if (!names.emplace(game, name).second) throw UsageError("`" + names[game] + "` and `" + name + "` are both called `" + game + "`");
  }
  for (const std::string& setting : options.all("--player")) {
    const size_t at = setting.find('=');
    if (at == std::string::npos) throw UsageError("`--player` takes ROLE=bot:NAME, not `" + setting + "`");
    const std::string role = setting.substr(0, at), spec = setting.substr(at + 1);
    if (!spec.starts_with("bot:")) throw UsageError("`--player` takes ROLE=bot:NAME here, not `" + setting + "`: all other roles are the client's");
    bool found = false;
    for (serve::EnvGame& g : games) {
      const Manifest& m = g.module->manifest();
      for (uint32_t i = 0; i < m.players.size(); ++i) {
        if (m.players[i].scripted || (m.players[i].name != role && m.players[i].display != role)) continue;
        found = true;
        players::make_bot(m, i, spec.substr(4));  // says so now if there is none
        g.bots[i] = spec.substr(4);
      }
    }
    if (!found) throw UsageError("no game here has a role `" + role + "`");
  }
  serve::EnvLimits limits;
  limits.sessions = options.number("--sessions", 1000, 1, 10'000'000);
  limits.session_seconds = static_cast<double>(options.number("--session-seconds", 3600, 1, 100'000'000));
  auto service = std::make_shared<serve::EnvService>(std::move(games), limits);
  Served served;
  served.open = {"/health"};
  served.handler = [service](const std::shared_ptr<net::Exchange>& e) { e->respond(service->answer(e->request())); };
  served.every_second = [service] { service->expire(); };
  served.ready = [&](const std::string& url, bool json) {
    if (json) {
      Json out = Json::object();
      out.add("url", url);
      Json& list = out.add("games", Json::list());
      for (const auto& [game, _] : names) list.push(game);
      std::printf("%s\n", to_text(out).c_str());
    } else {
      for (const auto& [game, _] : names) std::printf("%s: %s/%s/reset\n", game.c_str(), url.c_str(), game.c_str());
    }
  };
  return serve(options, std::move(served));
}

}  // namespace

int serve_env(const Args& args) {
  return run_verb("serve env", kHelp.c_str(), args, [&] { return serve_games(args); });
}

}  // namespace ppc::cli
