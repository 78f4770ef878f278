// Games: finding, loading, describing them.
#include <dlfcn.h>

#include <filesystem>
#include <mutex>

#include "capi_build_id.h"
#include "runtime/capi/compiler.h"
#include "runtime/capi/handles.h"

namespace ppc::capi {
namespace {

namespace fs = std::filesystem;
using engine::InputError;
using engine::Json;
using engine::SystemError;

std::string stdlib_folder() {
  if (const char* given = std::getenv("PPC_STDLIB"); given && *given) return given;
  std::error_code ec;
  for (const std::string& folder : library_folders()) {
    const fs::path installed = fs::path(folder).parent_path() / "share" / "ppc" / "stdlib-games";
    if (fs::is_directory(installed, ec)) return installed.string();
  }
  return PPC_STDLIB_DIR;
}

// A compiled game takes the runtime's functions from whoever loads it. A library that was itself loaded for its caller alone, as
// Python does, first has to show them to others; it exports nothing else but the functions of ppc.h.
void show_runtime() {
  static std::once_flag once;
  std::call_once(once, [] {
    Dl_info info{};
    if (dladdr(reinterpret_cast<void*>(&ppc_api_version), &info) && info.dli_fname)
      dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_GLOBAL);
  });
}

CompileSource compiler() {
  static std::mutex mutex;
  static CompileSource loaded = nullptr;
  std::lock_guard lock(mutex);
  if (loaded) return loaded;
  std::string tried;
  for (const std::string& folder : library_folders()) {
    const std::string path = folder + "/libppc_compiler.so";
    std::error_code ec;
    if (!fs::exists(path, ec)) {
      tried += (tried.empty() ? "" : ", ") + path;
      continue;
    }
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      const char* why = dlerror();
      throw SystemError(std::string("cannot load the compiler: ") + (why ? why : path.c_str()));
    }
    loaded = reinterpret_cast<CompileSource>(dlsym(library, "ppc_compile_source"));
    if (!loaded) throw SystemError(path + ": not the compiler of ppc");
    return loaded;
  }
  throw SystemError("a game as source needs the compiler, and there is none (" + tried +
                    "): load what `ppc compile --emit=shared` made of it");
}

std::shared_ptr<Game> load(const std::string& name, const ppc_load_options* options) {
  if (options && options->size < sizeof(ppc_load_options)) throw UsageError("ppc_load_options.size is not sizeof(ppc_load_options)");
  const std::string engine = options && options->engine ? options->engine : "";
  if (!engine.empty() && engine != "jit" && engine != "interp" && engine != "so")
    throw UsageError("there is no engine `" + engine + "`: \"jit\" or \"interp\"");
  fs::path path = name;
  std::error_code ec;
  if (path.extension() != ".game" && path.extension() != ".so") {
    path = fs::path(stdlib_folder()) / name / (name + ".game");
    if (name.empty() || name.find('/') != std::string::npos || !fs::exists(path, ec))
      throw InputError("no game `" + name + "`: `ppc list games` lists those that come with ppc; a file ends in .game or .so");
    if (engine.empty() || engine == "so")
      if (const std::string compiled = engine::compiled_beside(path.string()); !compiled.empty()) path = compiled;
  }
  auto game = std::make_shared<Game>();
  game->folder = path.has_parent_path() ? path.parent_path().string() : ".";
  if (options && options->resources) game->replacement = options->resources;
  if (path.extension() == ".so") {
    if (!engine.empty() && engine != "so") throw UsageError(path.string() + ": a compiled game has no other engine than \"so\"");
    show_runtime();
    try {
      game->module = engine::load_shared(path.string());
    } catch (const std::runtime_error& e) {
      throw InputError(e.what());
    }
    // A compiled game may lie anywhere; what belongs to it may be where its source is.
    if (!fs::exists(fs::path(game->folder) / "instances", ec) && !fs::exists(fs::path(game->folder) / "resources", ec)) {
      const fs::path own = fs::path(stdlib_folder()) / game->manifest().game;
      if (fs::is_directory(own, ec)) game->folder = own.string();
    }
  } else {
    if (engine == "so") throw UsageError("a source is run by \"jit\" or \"interp\"; `ppc compile --emit=shared` makes a .so of it");
    if (!fs::exists(path, ec)) throw InputError(path.string() + ": no such file");
    const CompileSource compile = compiler();
    SourceRequest request{path.string(), engine.empty() ? "jit" : engine, nullptr};
    std::string cache;
    if (options && options->cache) request.cache = &(cache = options->cache);
    SourceResult result;
    if (!compile(PPC_CAPI_BUILD_ID, request, &result)) throw SystemError("libppc_compiler.so is of another build than libppc.so");
    if (!result.module) {
      if (result.ours) throw SystemError(result.error);
      throw InputError(result.error);
    }
    game->module = std::move(result.module);
  }
  game->resources = engine::load_resources(*game->module, game->folder, game->replacement, false);
  const auto& r = game->resources;
  game->fingerprint = r ? hash_bytes(1, {reinterpret_cast<const char*>(r->data()), r->size()}) : 0;
  return game;
}

template <class T>
const T& at(const std::vector<T>& list, uint32_t index, const char* what) {
  if (index >= list.size()) throw UsageError("no " + std::string(what) + " " + std::to_string(index) + ": there are " + std::to_string(list.size()));
  return list[index];
}

Json info(const Game& game) {
  const engine::Manifest& m = game.manifest();
  Json json = Json::object();
  json.add("name", m.game);
  json.add("doc", m.doc);
  json.add("hash", m.hash);
  json.add("engine", game.module->engine());
  json.add("folder", game.folder);
  auto name = [&](uint32_t player) { return player < m.players.size() ? Json(m.players[player].name) : Json(); };
  Json& players = json.add("players", Json::list());
  for (const auto& p : m.players) {
    Json one = Json::object();
    one.add("name", p.name);
    one.add("display", p.display);
    one.add("scripted", p.scripted);
    players.push(std::move(one));
  }
  Json& moves = json.add("moves", Json::list());
  for (const auto& v : m.moves) {
    Json one = Json::object();
    one.add("name", v.name);
    one.add("form", v.form);
    one.add("grammar", v.grammar);
    Json& who = one.add("players", Json::list());
    for (const uint32_t p : v.players) who.push(name(p));
    moves.push(std::move(one));
  }
  Json& bots = json.add("bots", Json::list());
  for (const auto& b : m.bots) {
    Json one = Json::object();
    one.add("name", b.name);
    one.add("player", name(b.player));
    one.add("doc", b.doc);
    bots.push(std::move(one));
  }
  Json& rules = json.add("rules", Json::list());
  for (const auto& r : m.rules) {
    Json one = Json::object();
    one.add("move", r.move);
    one.add("kind", r.kind);
    one.add("text", r.text);
    one.add("line", int64_t{r.line});
    rules.push(std::move(one));
  }
  Json& metrics = json.add("metrics", Json::list());
  for (const auto& v : m.metrics)
    if (!v.name.empty()) metrics.push(Json(v.name));
  auto fields = [&](const char* key, const std::vector<engine::FieldInfo>& list) {
    Json& to = json.add(key, Json::list());
    for (const auto& f : list) {
      Json one = Json::object();
      one.add("name", f.name);
      one.add("type", engine::type_name(m, f.type));
      one.add("doc", f.doc);
      to.push(std::move(one));
    }
  };
  fields("experiment", m.experiment);
  fields("instance", m.instance);
  fields("resources", m.resources);
  if (m.bounds.total > 0) {
    Json& bounds = json.add("bounds", Json::object());
    Json& each = bounds.add("moves", Json::list());
    for (const int64_t n : m.bounds.moves) each.push(n);
    bounds.add("total", m.bounds.total);
    bounds.add("rounds", m.bounds.rounds);
  }
  json.add("generates", m.generate_entry.has_value());
  return json;
}

}  // namespace
}  // namespace ppc::capi

using namespace ppc;
using namespace ppc::capi;

extern "C" {

ppc_result ppc_game_load(const char* game, const ppc_load_options* options, ppc_game** out) {
  return guarded([&] {
    wanted(out);
    if (!game) throw UsageError("NULL where the name of a game is expected");
    auto handle = std::make_unique<ppc_game>();
    handle->it = load(game, options);
    *out = handle.release();
  });
}
void ppc_game_free(ppc_game* game) {
  if (!game || game->kind != Kind::Game) return;
  game->kind = Kind::None;
  delete game;
}

const char* ppc_game_name(const ppc_game* game) {
  return guarded_or<const char*>(nullptr, [&] { return game_of(game).manifest().game.c_str(); });
}
const char* ppc_game_folder(const ppc_game* game) {
  return guarded_or<const char*>(nullptr, [&] { return game_of(game).folder.c_str(); });
}
const char* ppc_game_engine(const ppc_game* game) {
  return guarded_or<const char*>(nullptr, [&] { return game_of(game).module->engine(); });
}
ppc_result ppc_game_info(const ppc_game* game, char** json, size_t* size) {
  return guarded([&] { give(engine::to_text(info(game_of(game))), json, size); });
}

uint32_t ppc_game_player_count(const ppc_game* game) {
  return guarded_or<uint32_t>(0, [&] { return static_cast<uint32_t>(game_of(game).manifest().players.size()); });
}
const char* ppc_game_player_name(const ppc_game* game, uint32_t player) {
  return guarded_or<const char*>(nullptr, [&] { return at(game_of(game).manifest().players, player, "player").name.c_str(); });
}
const char* ppc_game_player_display(const ppc_game* game, uint32_t player) {
  return guarded_or<const char*>(nullptr, [&] { return at(game_of(game).manifest().players, player, "player").display.c_str(); });
}
int ppc_game_player_scripted(const ppc_game* game, uint32_t player) {
  return guarded_or<int>(-1, [&] { return at(game_of(game).manifest().players, player, "player").scripted ? 1 : 0; });
}
int32_t ppc_game_find_player(const ppc_game* game, const char* name) {
  return guarded_or<int32_t>(-1, [&]() -> int32_t {
    const auto& players = game_of(game).manifest().players;
    const std::string wanted = name ? name : "";
    for (size_t i = 0; i < players.size(); ++i)
      if (players[i].name == wanted) return static_cast<int32_t>(i);
    for (size_t i = 0; i < players.size(); ++i)
      if (players[i].display == wanted) return static_cast<int32_t>(i);
    throw UsageError("the game has no player `" + wanted + "`");
  });
}

uint32_t ppc_game_move_count(const ppc_game* game) {
  return guarded_or<uint32_t>(0, [&] { return static_cast<uint32_t>(game_of(game).manifest().moves.size()); });
}
const char* ppc_game_move_name(const ppc_game* game, uint32_t move) {
  return guarded_or<const char*>(nullptr, [&] { return at(game_of(game).manifest().moves, move, "move").name.c_str(); });
}
const char* ppc_game_move_form(const ppc_game* game, uint32_t move) {
  return guarded_or<const char*>(nullptr, [&] { return at(game_of(game).manifest().moves, move, "move").form.c_str(); });
}
const char* ppc_game_move_grammar(const ppc_game* game, uint32_t move) {
  return guarded_or<const char*>(nullptr, [&] { return at(game_of(game).manifest().moves, move, "move").grammar.c_str(); });
}

uint32_t ppc_game_bot_count(const ppc_game* game) {
  return guarded_or<uint32_t>(0, [&] { return static_cast<uint32_t>(game_of(game).manifest().bots.size()); });
}
const char* ppc_game_bot_name(const ppc_game* game, uint32_t bot) {
  return guarded_or<const char*>(nullptr, [&] { return at(game_of(game).manifest().bots, bot, "bot").name.c_str(); });
}
int32_t ppc_game_bot_player(const ppc_game* game, uint32_t bot) {
  return guarded_or<int32_t>(-1, [&] { return static_cast<int32_t>(at(game_of(game).manifest().bots, bot, "bot").player); });
}
int32_t ppc_game_find_bot(const ppc_game* game, uint32_t player, const char* name) {
  return guarded_or<int32_t>(-1, [&]() -> int32_t {
    const engine::Manifest& m = game_of(game).manifest();
    const std::string& role = at(m.players, player, "player").name;
    std::string there;
    for (size_t i = 0; i < m.bots.size(); ++i) {
      if (m.bots[i].player != player) continue;
      if (!name || m.bots[i].name == name) return static_cast<int32_t>(i);
      there += (there.empty() ? "`" : ", `") + m.bots[i].name + "`";
    }
    throw UsageError("`" + role + "` has no bot" + (name ? " `" + std::string(name) + "`: there is " + (there.empty() ? "none" : there) : ""));
  });
}

}  // extern "C"
