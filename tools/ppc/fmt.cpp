// ppc fmt
#include <cstdio>
#include <iostream>
#include <iterator>

#include "compiler/ide/ide.h"
#include "runtime/engine/json.h"
#include "tools/ppc/verbs.h"

namespace ppc::cli {

namespace {

constexpr const char* kHelp =
    R"(usage: ppc fmt GAME… [--check]

Rewrites .game files in the one canonical layout. Comments stay, so do single empty lines, blocks that the author put
on one line (where they fit), and an `else` that starts a line. `-` reads stdin and writes stdout.

  --check    change nothing; list the files that are not in the canonical layout, exit code 1 when there are any

Examples:
  ppc fmt my.game
  ppc fmt --check stdlib-games/*/*.game
)";

/// Empty after an error, which is printed.
std::string formatted(const std::string& path, const std::string& text, bool& good) {
  Sources sources;
  diag::Emitter emitter(sources);
  std::optional<std::string> out = ide::formatted(path, text, sources, emitter);
  good = out.has_value();
  if (!good) print_reports(emitter);
  return out.value_or("");
}

}  // namespace

int run_fmt(const Args& args) {
  return run_verb("fmt", kHelp, args, [&] {
    Options options(args, {}, {"--check"});
    if (options.rest().empty()) throw UsageError("no GAME given");
    bool only_check = options.has("--check");
    int code = 0;
    for (const std::string& name : options.rest()) {
      bool good = false;
      if (name == "-") {
        std::string text{std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>()};
        std::string out = formatted("<stdin>", text, good);
        if (!good) code = 1;
        else if (only_check) {
          if (out != text) {
            std::puts("<stdin>");
            code = 1;
          }
        } else {
          std::fwrite(out.data(), 1, out.size(), stdout);
        }
        continue;
      }
      std::string path = game_file(name);
      std::string text = read_file(path);
      std::string out = formatted(path, text, good);
      if (!good) {
        code = 1;
      } else if (out != text) {
        if (only_check) {
          std::puts(path.c_str());
          code = 1;
        } else {
          write_file(path, out);
        }
      }
    }
    return code;
  });
}

}  // namespace ppc::cli
