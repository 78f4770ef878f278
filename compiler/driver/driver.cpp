#include "compiler/driver/driver.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <stdexcept>

#include "compiler/ast/print.h"
#include "compiler/base/clock.h"
#include "compiler/driver/kept.h"
#include "compiler/interp/interp.h"
#include "compiler/rules/lower.h"
#include "compiler/rules/passes.h"
#include "compiler/sema/check.h"
#include "compiler/sema/print.h"
#include "compiler/syntax/read.h"

namespace ppc::driver {
namespace fs = std::filesystem;
namespace {

rules::PassOptions pass_options(const PassChoice& choice, int level) {
  rules::PassOptions options;
  options.disabled = choice.disabled;
  options.print_after = choice.print_after;
  options.print = choice.print;
  options.optional = level != 0;
  if (std::string problem = rules::check(options); !problem.empty()) throw std::invalid_argument(problem);
  return options;
}

rules::Program program_of(const sema::Game& game, const std::string& path, const rules::PassOptions& passes,
                          const Sources& sources, Timing* timing) {
  rules::Program program;
  {
    Clock clock(timing ? &timing->lower : nullptr);
    program = rules::lower(game, sources);
    program.manifest.file = fs::path(path).filename().string();
  }
  Clock clock(timing ? &timing->passes : nullptr);
  rules::run(program, passes);
  return program;
}

std::string grammar_of(const sema::Game& game) {
  std::string text;
  for (const sema::Move& move : game.moves) {
    if (!text.empty()) text += "\n";
    text += "# " + move.name + "\n" + move.grammar;
    if (!text.ends_with('\n')) text += "\n";
  }
  return text;
}

/// A file name of its own, removed at the end; a shared object stays mapped without its file.
class TemporaryFile {
 public:
  TemporaryFile() {
    std::error_code error;
    fs::path folder = fs::temp_directory_path(error);
    if (error) throw std::runtime_error("no folder for temporary files: " + error.message());
    path_ = (folder / "ppc-XXXXXX.so").string();
    int file = mkostemps(path_.data(), 3, O_CLOEXEC);
    if (file < 0) throw std::runtime_error("cannot write into " + folder.string() + ": " + std::strerror(errno));
    close(file);
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace

std::vector<ast::File> read_game(const std::string& path, diag::Emitter& out, Timing* timing) {
  syntax::ReadOptions options;
  if (timing) options.reading = &timing->read, options.parsing = &timing->parse;
  return syntax::read_game(path, out, options);
}

std::unique_ptr<sema::Game> check_game(const std::string& path, diag::Emitter& out, Timing* timing) {
  const size_t before = out.errors();
  std::vector<ast::File> files = read_game(path, out, timing);
  // What a broken file declares is not known, so that checking the rest would report names that are there.
  if (out.errors() != before) return nullptr;
  Clock clock(timing ? &timing->check : nullptr);
  return sema::check(files, out);
}

std::vector<PassLine> list_passes() {
  std::vector<PassLine> lines;
  for (const rules::Pass& pass : rules::passes()) lines.push_back({pass.name, pass.description, !pass.required});
  return lines;
}

std::string check(const PassChoice& choice) {
  rules::PassOptions options;
  options.disabled = choice.disabled;
  options.print_after = choice.print_after;
  return rules::check(options);
}

std::optional<Emit> emit_of(const std::string& name) {
  static const std::map<std::string, Emit> names = {
      {"ast", Emit::Ast}, {"typed", Emit::Typed}, {"ir", Emit::Ir}, {"llvm", Emit::Llvm}, {"asm", Emit::Asm},
      {"obj", Emit::Obj}, {"shared", Emit::Shared}, {"header", Emit::Header}, {"grammar", Emit::Grammar}};
  auto it = names.find(name);
  return it == names.end() ? std::nullopt : std::optional(it->second);
}

std::optional<std::string> compile_file(const std::string& path, const CompileOptions& options, diag::Emitter& out,
                                        Timing* timing) {
  Clock total(timing ? &timing->total : nullptr);
  const rules::PassOptions passes = pass_options(options.passes, options.level);
  if (options.emit == Emit::Ast) {
    const size_t before = out.errors();
    std::vector<ast::File> files = read_game(path, out, timing);
    if (out.errors() != before) return std::nullopt;
    std::string text;
    for (const ast::File& file : files) text += ast::dump(file);
    return text;
  }
  std::unique_ptr<sema::Game> game = check_game(path, out, timing);
  if (!game) return std::nullopt;
  if (options.emit == Emit::Typed) return sema::print(*game);
  if (options.emit == Emit::Grammar) return grammar_of(*game);
  rules::Program program = program_of(*game, path, passes, out.sources(), timing);
  if (options.emit == Emit::Ir) return rules::print(program);
  Clock clock(timing ? &timing->make : nullptr);
  codegen::Options how;
  how.tier = options.level >= 2 ? codegen::Tier::Fast : codegen::Tier::Quick;
  how.level = options.level;
  how.debug_info = options.debug_info;
  switch (options.emit) {
    case Emit::Llvm: return codegen::llvm_ir(program, how);
    case Emit::Asm: return codegen::assembly(program, how);
    case Emit::Obj: return codegen::object(program, how);
    case Emit::Header: return codegen::header(program);
    default: codegen::shared_object(program, how, options.output); return std::string();
  }
}

std::shared_ptr<engine::GameModule> load_game(const std::string& path, const LoadOptions& options, diag::Emitter& out,
                                              Timing* timing) {
  Clock total(timing ? &timing->total : nullptr);
  if (path.ends_with(".so")) return engine::load_shared(path);
  if (options.engine != "interp" && options.engine != "jit" && options.engine != "so")
    throw std::invalid_argument("there is no engine `" + options.engine + "`");
  const rules::PassOptions passes = pass_options(options.passes, options.level);
  codegen::Options how;
  how.tier = options.tier;
  how.level = options.level;
  how.debug_info = options.debug_info;
  how.perf = options.perf;
  how.gdb = options.gdb;
  if (options.engine == "jit") how.cache_dir = options.cache_dir ? *options.cache_dir : default_cache_dir();

  std::optional<std::string> before;  // the game's text, for the note
  std::optional<Kept> kept;
  // Whoever looks into passes or code wants them made.
  if (!how.cache_dir.empty() && options.passes.disabled.empty() && options.passes.print_after.empty() && !how.debug_info &&
      !how.perf && !how.gdb) {
    std::optional<std::string> key;
    {
      Clock clock(timing ? &timing->read : nullptr);
      const syntax::Limits limits;
      std::string why;
      if ((before = syntax::read_text(path, limits.bytes, why))) {
        kept.emplace(how.cache_dir, syntax::whole_path(path).string(), *before,
                     std::to_string(static_cast<int>(how.tier)) + " " + std::to_string(how.level));
        key = kept->find([&](const std::string& include) { return syntax::read_text(include, limits.bytes, why); });
      }
    }
    Clock clock(timing ? &timing->make : nullptr);
    if (key)
      if (auto module = codegen::jit_kept(*key, how, timing ? &timing->codegen : nullptr)) return module;
  }
  const size_t files = out.sources().size(), reports = out.errors() + out.warnings();
  std::unique_ptr<sema::Game> game = check_game(path, out, timing);
  if (!game) return nullptr;
  rules::Program program = program_of(*game, path, passes, out.sources(), timing);
  game.reset();
  Clock clock(timing ? &timing->make : nullptr);
  if (options.engine == "interp") return interp::make_interpreter(std::move(program));
  if (options.engine == "so") {
    TemporaryFile file;
    codegen::shared_object(program, how, file.path());
    return engine::load_shared(file.path());
  }
  codegen::Timing unused;
  codegen::Timing& parts = timing ? timing->codegen : unused;
  auto module = codegen::jit(program, how, &parts);
  // A game with warnings is checked again each time, for who wants to see them.
  if (kept && reports == out.errors() + out.warnings() && out.sources()[files].text() == *before) {
    Kept::Files includes;
    for (size_t i = files + 1; i < out.sources().size(); ++i) {
      const auto& source = out.sources()[i];
      includes.push_back({syntax::whole_path(source.path()).string(), std::string(source.text())});
    }
    kept->keep(parts.key, includes);
  }
  return module;
}

std::string default_cache_dir() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache && *cache == '/') return std::string(cache) + "/ppc";
  if (const char* home = std::getenv("HOME"); home && *home == '/') return std::string(home) + "/.cache/ppc";
  return {};
}

}  // namespace ppc::driver
