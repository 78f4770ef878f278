// ppc compile
#include <cstdio>
#include <filesystem>

#include "compiler/driver/driver.h"
#include "runtime/engine/json.h"
#include "tools/ppc/verbs.h"

namespace ppc::cli {

namespace {

constexpr const char* kHelp =
    R"(usage: ppc compile GAME [options]

Compiles a game. Without --emit: to NAME.so, which plays without compiler or LLVM (`ppc play ./NAME.so`).

  --emit=STAGE          ast        the tree of the file
                        typed      the checked model: names, types, audiences
                        ir         Rule IR, behind all passes
                        llvm       LLVM IR
                        asm        assembly
                        obj        an object file (to NAME.o)
                        shared     a shared object (to NAME.so)
                        header     a C header with the layout of the game's state
                        grammar    the GBNF grammar of each move, for constrained decoding
  -O0 -O1 -O2 -O3       how much to optimise (default -O2)
  -o FILE               where to write; texts go to stdout without it
  --no-debug-info       leave out what lets gdb and perf show the rules
  --disable-pass NAME   leave a pass over Rule IR out (may be given several times)
  --print-after NAME    Rule IR behind this pass, to stderr; `all`: behind each
  --list-passes         the passes, in order (no GAME needed)
  --max-errors N        print the first N errors (default 20; 0: all)
  --time                milliseconds by stage, to stderr

Examples:
  ppc compile wordle -o wordle.so
  ppc compile my.game --emit=ir
)";

std::string stem(const std::string& path) { return std::filesystem::path(path).stem().string(); }

}  // namespace

int run_compile(const Args& args) {
  return run_verb("compile", kHelp, args, [&] {
    Options options(args, {"--emit", "-o", "--disable-pass", "--print-after", "--max-errors"},
                    {"-O0", "-O1", "-O2", "-O3", "--no-debug-info", "--list-passes", "--time"});
    if (options.has("--list-passes")) {
      for (const auto& pass : driver::list_passes())
        std::printf("%-24s %s%s\n", pass.name.c_str(), pass.description.c_str(), pass.optional ? "" : " (always on)");
      return 0;
    }
    if (options.rest().size() != 1) throw UsageError(options.rest().empty() ? "no GAME given" : "one GAME at a time");
    driver::CompileOptions compile;
    std::string stage = options.value("--emit", "shared");
    auto emit = driver::emit_of(stage);
    if (!emit) {
      std::string near = diag::closest(stage, {"ast", "typed", "ir", "llvm", "asm", "obj", "shared", "header", "grammar"});
      throw UsageError("`--emit` knows no `" + stage + "`" + (near.empty() ? "" : ", did you mean `" + near + "`?"));
    }
    compile.emit = *emit;
    for (int level = 0; level <= 3; ++level)
      if (options.has("-O" + std::to_string(level))) compile.level = level;
    compile.debug_info = !options.has("--no-debug-info");
    compile.passes.disabled = options.all("--disable-pass");
    compile.passes.print_after = options.value("--print-after");
    compile.passes.print = [](const std::string& after, const std::string& text) {
      std::fprintf(stderr, "// after %s\n%s\n", after.c_str(), text.c_str());
    };
    if (std::string wrong = driver::check(compile.passes); !wrong.empty()) throw UsageError(wrong);

    std::string path = game_file(options.rest()[0]);
    bool shared = *emit == driver::Emit::Shared;
    bool object = *emit == driver::Emit::Obj;
    std::string output = options.value("-o");
    if (output.empty() && shared) output = stem(path) + ".so";
    if (output.empty() && object) output = stem(path) + ".o";
    compile.output = output;

    Sources sources;
    diag::Emitter emitter(sources, max_errors(options));
    driver::Timing timing;
    std::optional<std::string> result;
    try {
      result = driver::compile_file(path, compile, emitter, &timing);
    } catch (const engine::InputError&) {
      throw;
    } catch (const std::runtime_error& e) {
      throw engine::SystemError(e.what());
    }
    print_reports(emitter);
    if (!result) return 1;
    if (!shared) {
      if (output.empty() || output == "-") std::fwrite(result->data(), 1, result->size(), stdout);
      else write_file(output, *result);
    }
    if (options.has("--time"))
      std::fprintf(stderr, "read %.2f  parse %.2f  check %.2f  lower %.2f  passes %.2f  make %.2f  total %.2f ms\n", timing.read, timing.parse,
                   timing.check, timing.lower, timing.passes, timing.make, timing.total);
    return 0;
  });
}

}  // namespace ppc::cli
