// What an editor waits for: a game analysed anew behind a change, for every game of stdlib-games; and a completion behind a name.
// In one process, as the language server is one; the first analysis of the process, which warms the parser up, apart. Time of the processor.
#include <fstream>
#include <iostream>
#include <iterator>

#include "compiler/ide/ide.h"
#include "compiler/ide/workspace.h"
#include "compiler/syntax/read.h"
#include "test/bench/lines.h"
#include "test/bench/stdlib.h"

using namespace ppc;

int main(int argc, char** argv) {
  if (!bench::json_wanted(argc, argv)) std::cerr << "ide_bench: one line a result; `tools/bench ide` shows a table\n";
  bool first = true;
  for (const std::string& game : bench::stdlib_games()) {
    const std::filesystem::path path = syntax::whole_path(bench::game_file(game));
    std::ifstream in(path);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    ide::Workspace workspace;
    auto analyse = [&](const std::string& now) {
      workspace.set(path, now);
      return workspace.analysis(path).names().sound;
    };
    if (first) bench::line("editor/first-analysis/" + game, 1e3 * bench::cpu_seconds([&] { analyse(text); }), "ms");
    first = false;
    std::vector<double> times, completions;
    for (int i = 0; i < 25; ++i) {
      bool sound = false;
      times.push_back(1e3 * bench::cpu_seconds([&] { sound = analyse(text + std::string(static_cast<size_t>(i % 2 + 1), '\n')); }));
      if (!sound) {
        std::cerr << "ide_bench: " << game << " has mistakes\n";
        return 1;
      }
    }
    bench::line("editor/analysis/" + game, bench::median(times), "ms");
    // In the middle of the first word of `play`.
    workspace.set(path, text);
    const size_t at = text.find("\nplay {");
    if (at == std::string::npos) continue;
    for (int i = 0; i < 9; ++i)
      completions.push_back(1e3 * bench::cpu_seconds([&] {
        if (ide::complete(path.string(), workspace.instead(), path, static_cast<uint32_t>(at + 7)).items.empty()) std::exit(1);
      }));
    bench::line("editor/completion/" + game, bench::median(completions), "ms");
  }
}
