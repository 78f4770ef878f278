// Finds a game and loads it.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "runtime/engine/json.h"
#include "tools/cli/cli.h"

#include "compiler/driver/driver.h"

namespace ppc::cli {
namespace fs = std::filesystem;

std::string stdlib_folder() {
  if (const char* given = std::getenv("PPC_STDLIB"); given && *given) return given;
  std::error_code ec;
  const fs::path program = fs::read_symlink("/proc/self/exe", ec);
  if (!ec) {
    const fs::path installed = program.parent_path().parent_path() / "share" / "ppc" / "stdlib-games";
    if (fs::is_directory(installed, ec)) return installed.string();
  }
#ifdef PPC_STDLIB_DIR
  return PPC_STDLIB_DIR;
#else
  return "stdlib-games";
#endif
}

Game open_game(const std::string& name, const std::string& engine) {
  if (!engine.empty() && engine != "interp" && engine != "jit" && engine != "so") {
    throw UsageError("`--engine` takes interp, jit or so, not `" + engine + "`");
  }
  fs::path path = name;
  std::error_code ec;
  if (path.extension() != ".game" && path.extension() != ".so") {
    path = fs::path(stdlib_folder()) / name / (name + ".game");
    if (name.find('/') != std::string::npos || !fs::exists(path, ec)) {
      throw engine::InputError("no game `" + name + "`: `ppc list games` lists those that come with ppc; a file ends in .game or .so");
    }
    if (engine.empty() || engine == "so")
      if (const std::string compiled = engine::compiled_beside(path.string()); !compiled.empty()) path = compiled;
  }
  Game game;
  game.folder = path.has_parent_path() ? path.parent_path().string() : ".";
  if (path.extension() == ".so") {
    if (!engine.empty() && engine != "so") throw UsageError("a compiled game runs with `--engine so` only");
    try {
      game.module = engine::load_shared(path.string());
    } catch (const std::runtime_error& e) {
      throw engine::InputError(e.what());
    }
    // A compiled game may lie anywhere; what belongs to it may be where its source is.
    if (!fs::exists(fs::path(game.folder) / "instances", ec) && !fs::exists(fs::path(game.folder) / "resources", ec)) {
      const fs::path own = fs::path(stdlib_folder()) / game.module->manifest().game;
      if (fs::is_directory(own, ec)) game.folder = own.string();
    }
    return game;
  }
  driver::LoadOptions options;
  if (!engine.empty()) options.engine = engine;
  Sources sources;
  diag::Emitter emitter(sources, 20);
  try {
    game.module = driver::load_game(path.string(), options, emitter);
  } catch (const std::logic_error& e) {
    throw engine::InputError(path.string() + ": a bug of the compiler: " + e.what());
  } catch (const std::runtime_error& e) {
    throw engine::SystemError(path.string() + ": " + e.what());
  }
  // Warnings are for `ppc check`: whoever plays cannot do anything about them.
  size_t errors = 0;
  for (const diag::Report& r : emitter.reports()) {
    if (r.what->severity != diag::Severity::Error) continue;
    std::fputs(diag::render(r, sources, colour_wanted(STDERR_FILENO)).c_str(), stderr);
    ++errors;
  }
  if (emitter.errors() > errors) {
    std::fprintf(stderr, "too many errors: %zu more are not shown; `ppc check --max-errors 0` shows all of them\n", emitter.errors() - errors);
  }
  if (!game.module) throw engine::InputError(path.string() + ": " + std::to_string(emitter.errors()) + (emitter.errors() == 1 ? " error" : " errors"));
  return game;
}

}  // namespace ppc::cli
