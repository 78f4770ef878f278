#include "tools/cli/casting.h"

#include <sys/resource.h>

#include <filesystem>
#include <map>

#include "runtime/players/script.h"

namespace ppc::cli {

namespace fs = std::filesystem;
using namespace engine;

InstanceSet find_instances(const Game& game, const Options& options, const Patches& patches) {
  if (options.has("--instances")) return load_instances(*game.module, options.value("--instances"), patches);
  std::error_code ec;
  for (const char* name : {"instances.json", "instances.yaml", "instances.yml"}) {
    const fs::path path = fs::path(game.folder) / "instances" / name;
    if (fs::exists(path, ec)) return load_instances(*game.module, path.string(), patches);
  }
  // A game may do without instances; then there is one, with the declared defaults and what --set gives.
  try {
    return read_instances(*game.module, parse_json(R"({"experiments": [{"name": "default", "game_instances": [{"game_id": 0}]}]})", ""),
                          "(no instance file)", patches);
  } catch (const InputError& e) {
    throw InputError(std::string(e.what()) + "\nhint: there is no instances/instances.json or .yaml beside the game; give one with " +
                     "--instances FILE, or values with --set NAME=VALUE");
  }
}

std::vector<Chosen> choose(const InstanceSet& set, const Options& options, uint64_t repeat) {
  const bool by_name = options.has("--experiment"), by_id = options.has("--id");
  const std::string name = options.value("--experiment"), id = options.value("--id");
  std::vector<Chosen> out;
  std::string names;
  bool found = false;
  for (const Experiment& e : set.experiments) {
    names += (names.empty() ? "`" : ", `") + e.name + "`";
    if (by_name && e.name != name) continue;
    found = true;
    for (uint32_t i = 0; i < e.instances.size(); ++i) {
      if (by_id && e.instances[i].id != id) continue;
      for (uint32_t r = 0; r < repeat; ++r) out.push_back({&e, &e.instances[i], i, r});
    }
  }
  if (!found && by_name) throw InputError(set.file + ": no experiment `" + name + "`; there is " + (names.empty() ? "none" : names));
  if (out.empty()) throw InputError(set.file + ": no instance" + (by_id ? " with the game_id `" + id + "`" : "s"));
  return out;
}

namespace {

/// "guesser=bot:solver"; a SPEC alone is for every role, "*".
std::pair<std::string, std::string> role_and_spec(const std::string& setting) {
  try {
    players::parse_spec(setting);
    return {"*", setting};
  } catch (const InputError&) {
    // then a role stands in front
  }
  const size_t at = setting.find('=');
  if (at == std::string::npos) throw UsageError("`--player` takes ROLE=SPEC, or a SPEC for every role, not `" + setting + "`");
  return {setting.substr(0, at), setting.substr(at + 1)};
}

}  // namespace

std::vector<Casting*> pointers(std::vector<Casting>& casting) {
  std::vector<Casting*> out;
  for (Casting& c : casting) out.push_back(&c);
  return out;
}

std::vector<std::string> named_roles(const Options& options, const players::PlayersConfig& config) {
  std::vector<std::string> roles;
  for (const auto& [role, player] : config.players) roles.push_back(role);
  for (const std::string& setting : options.all("--player")) roles.push_back(role_and_spec(setting).first);
  std::erase(roles, "*");
  return roles;
}

std::vector<Casting> cast_players(const Manifest& m, const Options& options, const players::PlayersConfig& config, Otherwise otherwise,
                                  bool one_of_several) {
  std::vector<Casting> out(m.players.size());
  auto roles_of = [&](const std::string& role) {
    std::vector<size_t> found;
    if (role == "*") {
      for (size_t i = 0; i < m.players.size(); ++i)
        if (!m.players[i].scripted) found.push_back(i);
      return found;
    }
    size_t i = 0;
    std::string roles;
    for (; i < m.players.size(); ++i) {
      if (m.players[i].name == role || m.players[i].display == role) break;
      if (!m.players[i].scripted) roles += (roles.empty() ? "`" : ", `") + m.players[i].name + "`";
    }
    if (i == m.players.size()) {
      if (one_of_several) return found;
      throw UsageError("the game has no role `" + role + "`; there is " + roles);
    }
    if (m.players[i].scripted) throw UsageError("`" + role + "` is voiced by the game itself");
    found.push_back(i);
    return found;
  };
  auto cast = [&](size_t i, const std::string& text) {
    Casting& who = out[i];
    who = {};
    try {
      who.spec = players::parse_spec(text);
    } catch (const InputError& e) {
      throw UsageError(e.what());
    }
    if (who.spec.kind == "bot") players::make_bot(m, static_cast<uint32_t>(i), who.spec.argument);  // says so now if there is none
    if (who.spec.kind == "script") who.replies = std::make_shared<std::vector<std::string>>(players::load_replies(who.spec.argument));
  };
  for (const bool by_name : {false, true}) {  // "*" first, so that a name goes before it
    for (const auto& [role, player] : config.players) {
      if ((role != "*") != by_name) continue;
      for (const size_t i : roles_of(role)) {
        cast(i, player.spec);
        if (out[i].spec.kind == "local") {
          out[i].local = std::make_shared<players::LocalOptions>(player.local);
          out[i].folder = player.model;
        }
        if (out[i].spec.kind != "openai") continue;
        out[i].endpoint = player.endpoint;
        out[i].model = std::make_shared<players::ModelOptions>(player.options);
      }
    }
  }
  for (const bool by_name : {false, true}) {
    for (const std::string& setting : options.all("--player")) {
      const auto [role, spec] = role_and_spec(setting);
      if ((role != "*") != by_name) continue;
      for (const size_t i : roles_of(role)) {
        cast(i, spec);
        if (out[i].spec.kind == "openai") out[i].model = std::make_shared<players::ModelOptions>(players::model_options(out[i].spec.argument, options.all("--sampling")));
        if (out[i].spec.kind != "local") continue;
        const players::PlayerConfig c = players::local_options(out[i].spec.argument, options.all("--sampling"), options.all("--local"));
        out[i].local = std::make_shared<players::LocalOptions>(c.local);
        out[i].folder = c.model;
      }
    }
  }
  for (size_t i = 0; i < out.size(); ++i) {
    if (m.players[i].scripted || !out[i].spec.kind.empty()) continue;
    if (options.has("--script")) {
      out[i].from_script = true;
      out[i].spec = {"script", options.value("--script")};
      continue;
    }
    for (const BotInfo& b : m.bots) {
      if (b.player == i && otherwise != Otherwise::Human) {
        out[i].spec = {"bot", b.name};
        break;
      }
    }
    if (!out[i].spec.kind.empty()) continue;
    if (otherwise == Otherwise::Bot) {
      throw UsageError("nobody plays `" + m.players[i].name + "`: it has no bot; give --player " + m.players[i].name +
                       "=script:FILE or --script FILE");
    }
    out[i].spec = {"human", ""};
  }
  return out;
}

namespace {

/// A connection is an open file: as many as the system allows. Throws when that is less than what is wanted.
void open_files_for(const std::map<std::string, std::shared_ptr<players::Endpoint>>& endpoints) {
  rlim_t wanted = 64;  // records, caches, and what else is open
  for (const auto& [name, e] : endpoints) wanted += static_cast<rlim_t>(e->options().concurrency);
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) return;
  if (limit.rlim_max < wanted)
    throw engine::InputError("`concurrency` wants " + std::to_string(wanted) + " open files, and the system allows " + std::to_string(limit.rlim_max) +
                             ": lower it, or raise the limit (`ulimit -n`)");
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

}  // namespace

std::shared_ptr<net::Transport> reach_models(const std::vector<Casting*>& casting, const Options& options, const players::PlayersConfig& config) {
  std::shared_ptr<net::Transport> transport;
  bool model = false;
  for (const Casting* c : casting) model = model || c->spec.kind == "openai";
  if (!model) return transport;
  try {
    transport = net::make_transport();
  } catch (const std::runtime_error& e) {
    throw SystemError(e.what());
  }
  std::map<std::string, std::shared_ptr<players::Endpoint>> endpoints;
  for (Casting* who : casting) {
    Casting& c = *who;
    if (c.spec.kind != "openai") continue;
    auto& reached = endpoints[c.endpoint];
    if (!reached) reached = players::make_endpoint(c.endpoint.empty() ? players::default_endpoint(options.value("--base-url")) : config.endpoints.at(c.endpoint), transport);
    c.reached = reached;
  }
  open_files_for(endpoints);
  return transport;
}

std::vector<std::shared_ptr<local::Model>> load_models(const std::vector<Casting*>& casting) {
  std::vector<std::shared_ptr<local::Model>> out;
  std::vector<const local::ModelOptions*> with;
  for (Casting* who : casting) {
    if (who->spec.kind != "local") continue;
    for (size_t i = 0; i < out.size() && !who->loaded; ++i)
      if (*with[i] == who->folder) who->loaded = out[i];
    if (who->loaded) continue;
    try {
      local::ModelOptions found = who->folder;
      found.folder = local::model_folder(found.folder);
      who->loaded = local::load_model(found);
    } catch (const std::runtime_error& e) {
      throw engine::InputError(e.what());
    }
    out.push_back(who->loaded);
    with.push_back(&who->folder);
  }
  return out;
}

std::unique_ptr<players::Player> make_player(const Manifest& m, uint32_t player, const Casting& who, uint64_t seed) {
  if (who.spec.kind == "bot") return players::make_bot(m, player, who.spec.argument);
  if (who.spec.kind == "script") return players::make_script(who.replies);
  if (who.spec.kind == "local") return players::make_local(who.loaded, who.local, seed);
  return players::make_model(who.reached, who.model);
}

Record make_record(const Game& game, const std::vector<Casting>& casting, const Chosen& c, uint64_t repeats, uint64_t seed) {
  Record r;
  r.module = game.module;
  r.experiment = c.experiment;
  r.instance = c.instance;
  r.episode = c.position * static_cast<uint32_t>(repeats) + c.repeat;
  r.repeat = c.repeat;
  r.seed = mix_seed(seed, c.experiment->index, c.position, c.repeat);
  for (const Casting& who : casting) r.models.push_back(who.spec.kind.empty() ? "" : who.local && !who.local->name.empty() ? who.local->name : who.spec.model_name());
  return r;
}

}  // namespace ppc::cli
