// The program `ppc`: finds the verb.
#include <csignal>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "tools/ppc/verbs.h"

namespace {

using namespace ppc;

struct Verb {
  const char* name;
  const char* what;
  int (*run)(const cli::Args&);
};

constexpr Verb kVerbs[] = {
    {"play", "play a game: bots, scripts, a human at the terminal", cli::run_play},
    {"serve", "games over HTTP for programs, a page for people", cli::run_serve},
    {"replay", "play recorded episodes again, byte for byte", cli::run_replay},
    {"score", "compute the scores of recorded episodes again", cli::run_score},
    {"eval", "the clemscore table of a run: CSV, Markdown, HTML with plots", cli::run_eval},
    {"transcribe", "readable HTML transcripts", cli::run_transcribe},
    {"tree", "episodes that were continued in several ways", cli::run_tree},
    {"export", "training data for SFT, DPO and GRPO", cli::run_export},
    {"train", "train a model on games: SFT, DPO, GRPO", cli::run_train},
    {"report", "a page of what training came to", cli::run_report},
    {"list", "list games, players, models", cli::run_list},
    {"check", "say what is wrong with a game; its disclosures and bounds", cli::run_check},
    {"fmt", "rewrite games in the canonical layout", cli::run_fmt},
    {"lsp", "a language server for editors", cli::run_lsp},
    {"compile", "compile a game to native code, or show any stage of it", cli::run_compile},
    {"generate", "make fresh instances of a game", cli::run_generate},
    {"new", "start a game of your own, with a test", cli::run_new},
    {"doctor", "say what this machine can and cannot do", cli::run_doctor},
};

void help(FILE* out) {
  std::fputs(
      "usage: ppc VERB …\n\n"
      "Compiles and plays dialogue games.\n\n",
      out);
  for (const Verb& v : kVerbs) std::fprintf(out, "  %-10s %s\n", v.name, v.what);
  std::fputs(
      "\n`ppc VERB --help` explains a verb, with examples.\n"
      "Exit codes: 0 done, 1 the input is at fault, 2 wrong usage, 3 an outside part failed.\n",
      out);
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is a failed write, not a silent death
  std::vector<std::string> args(argv + 1, argv + argc);
  if (args.empty()) {
    help(stderr);
    return 2;
  }
  std::string verb = args[0];
  args.erase(args.begin());
  if (verb == "--version" || verb == "version") {
    std::puts("ppc " PPC_VERSION);
    return cli::finish_stdout() ? 0 : 3;
  }
  if (verb == "help" && !args.empty()) {
    verb = args[0];
    args = {"--help"};
  }
  if (verb == "--help" || verb == "-h" || verb == "help") {
    help(stdout);
    return cli::finish_stdout() ? 0 : 3;
  }
  std::vector<std::string> names;
  for (const Verb& v : kVerbs) {
    if (verb == v.name) return v.run(args);
    names.emplace_back(v.name);
  }
  names.emplace_back("version");
  std::string near = diag::closest(verb, names);
  std::fprintf(stderr, "ppc: unknown verb `%s`%s\nTry `ppc --help`.\n", verb.c_str(),
               near.empty() ? "" : (", did you mean `" + near + "`?").c_str());
  return 2;
}
