// ppc lsp
#include <unistd.h>

#include "tools/lsp/server.h"
#include "tools/ppc/verbs.h"

namespace ppc::cli {

namespace {

constexpr const char* kHelp =
    R"(usage: ppc lsp [--stdio]

A language server for .game files, on stdin and stdout (LSP 3.17): diagnostics as you type with quick fixes, hover, go to
definition, references, completion, symbols, rename of local names, formatting, semantic tokens. Editors start it;
docs/editor.md says how.
)";

}  // namespace

int run_lsp(const Args& args) {
  return run_verb("lsp", kHelp, args, [&] {
    Options options(args, {"--clientProcessId"}, {"--stdio"});
    if (!options.rest().empty()) throw UsageError("`ppc lsp` takes no files: the editor says which");
    return lsp::serve(STDIN_FILENO, STDOUT_FILENO);
  });
}

}  // namespace ppc::cli
