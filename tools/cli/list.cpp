// ppc list
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "runtime/engine/json.h"
#include "runtime/local/inference.h"
#include "tools/cli/cli.h"

namespace ppc::cli {
namespace {

namespace fs = std::filesystem;
using namespace engine;

constexpr const char* kHelp =
    R"(usage: ppc list games|players|models [--game GAME] [--json]

  games     the games that come with ppc
  players   the roles of a game, in the order of "Player 1", "Player 2", …, and their bots; without --game, the kinds of players
  models    the models that this build can reach

Example:
  ppc list players --game taboo --json
)";

/// The `///` lines at the head of a game's source.
std::string description(const std::string& path) {
  std::istringstream in(read_file(path));
  std::string line, out;
  while (std::getline(in, line)) {
    if (line.rfind("///", 0) == 0) {
      const size_t from = std::min(line.find_first_not_of(' ', 3), line.size());
      if (!out.empty()) out += '\n';
      out += line.substr(from);
    } else if (line.rfind("game ", 0) == 0) {
      return out;
    } else if (!line.empty()) {
      out.clear();
    }
  }
  return out;
}

int print(const Json& json) {
  std::printf("%s\n", to_text(json, {.indent = -1, .nan_as_null = true}).c_str());
  return 0;
}

int list_games(bool json) {
  Json all = Json::list();
  std::vector<std::string> names;
  std::error_code ec;
  const fs::path folder = stdlib_folder();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ec)) {
    const std::string name = entry.path().filename().string();
    if (fs::exists(entry.path() / (name + ".game"), ec)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    const std::string path = (folder / name / (name + ".game")).string(), doc = description(path);
    if (!json) std::printf("%-20s  %s\n", name.c_str(), doc.substr(0, doc.find('\n')).c_str());
    Json game = Json::object();
    game.add("name", name);
    game.add("description", doc);
    game.add("path", path);
    all.push(std::move(game));
  }
  if (json) return print(all);
  if (names.empty()) throw InputError(folder.string() + ": no games there");
  return 0;
}

int list_players(const Options& options) {
  const bool json = options.has("--json");
  Json all = Json::list();
  if (!options.has("--game")) {
    const std::pair<const char*, const char*> kinds[] = {
        {"bot:NAME", "a bot of the game"},
        {"script:FILE", "a YAML or JSON list of replies"},
        {"human", "somebody at the terminal"}};
    for (auto [spec, what] : kinds) {
      if (!json) std::printf("%-12s  %s\n", spec, what);
      Json kind = Json::object();
      kind.add("spec", spec);
      kind.add("description", what);
      all.push(std::move(kind));
    }
    return json ? print(all) : 0;
  }
  const Game game = open_game(options.value("--game"), "");
  const Manifest& m = game.module->manifest();
  for (size_t i = 0; i < m.players.size(); ++i) {
    const PlayerInfo& p = m.players[i];
    Json player = Json::object();
    player.add("name", p.name);
    player.add("display", p.display);
    player.add("order", static_cast<int64_t>(i + 1));
    player.add("scripted", p.scripted);
    Json bots = Json::list();
    if (!json) std::printf("%zu  %s (%s)%s\n", i + 1, p.name.c_str(), p.display.c_str(), p.scripted ? ", voiced by the game" : "");
    for (const BotInfo& b : m.bots) {
      if (b.player != i) continue;
      if (!json) std::printf("     bot:%s  %s\n", b.name.c_str(), b.doc.substr(0, b.doc.find('\n')).c_str());
      Json bot = Json::object();
      bot.add("name", b.name);
      bot.add("description", b.doc);
      bots.push(std::move(bot));
    }
    player.add("bots", std::move(bots));
    all.push(std::move(player));
  }
  return json ? print(all) : 0;
}

int list(const Args& args) {
  const Options options(args, {"--game"}, {"--json"});
  if (options.rest().size() != 1) throw UsageError("list what? games, players or models");
  const std::string& what = options.rest()[0];
  if (what == "games") return list_games(options.has("--json"));
  if (what == "players") return list_players(options);
  if (what == "models") {
    const std::vector<std::string> names = local::cached_models();
    if (options.has("--json")) {
      Json all = Json::list();
      for (const std::string& name : names) all.push("local:" + name);
      return print(all);
    }
    for (const std::string& name : names) std::printf("local:%s\n", name.c_str());
    std::printf("%slocal:DIR for any folder with a model, openai:MODEL for any model at an endpoint\n", names.empty() ? "" : "\n");
    return 0;
  }
  throw UsageError("list what? games, players or models, not `" + what + "`");
}

}  // namespace

int run_list(const Args& args) {
  return run_verb("list", kHelp, args, [&] { return list(args); });
}

}  // namespace ppc::cli
