// ppc check
#include <cstdio>

#include "compiler/driver/driver.h"
#include "runtime/engine/json.h"
#include "tools/ppc/verbs.h"

namespace ppc::cli {

namespace {

constexpr const char* kHelp =
    R"(usage: ppc check GAME… [options]

Says everything that is wrong with a game, with the place and, where there is one, the fix.
GAME is a .game file or the name of a game that comes with ppc. Exit code 1 when there is an error.

  --disclosures         list every `reveal`, and every `tell` under a condition on a secret
  --bounds              list the proven bounds on rounds and on the moves of each player
  --rules               list every format and rule of every move, with its place
  --verify              compare with the `// expected-error {{…}}` comments in the files instead of printing
  --max-errors N        print the first N errors, and as many warnings (default 20; 0: all)
  --json                print one JSON value on stdout
  --list-diagnostics    list all diagnostics there are: code, name, message (no GAME needed)

Examples:
  ppc check wordle --bounds --disclosures
  ppc check my.game --json
)";

const char* word(diag::Severity s) { return s == diag::Severity::Error ? "error" : s == diag::Severity::Warning ? "warning" : "note"; }

int list_diagnostics(bool json) {
  std::string out = json ? "[" : "";
  bool first = true;
  for (const auto* d : diag::registry()) {
    if (json) {
      out += std::string(first ? "" : ",\n ") + "{\"code\": " + json_text(d->code) + ", \"slug\": " + json_text(d->slug) +
             ", \"severity\": " + json_text(word(d->severity)) + ", \"format\": " + json_text(d->format) + "}";
    } else {
      out += std::string(d->code) + " " + d->slug + " (" + word(d->severity) + "): " + d->format + "\n";
    }
    first = false;
  }
  if (json) out += "]\n";
  std::fputs(out.c_str(), stdout);
  return 0;
}

std::string place(Span span, const Sources& sources) {
  const Source& source = sources[span.file];
  LineColumn at = source.line_column(span.begin);
  return source.path() + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
}

/// The source text of a place, on one line.
std::string quote(Span span, const Sources& sources) {
  std::string_view text = sources[span.file].text();
  std::string out;
  for (uint32_t i = span.begin; i < span.end && i < text.size(); ++i) {
    char c = text[i];
    bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (!blank) out += c;
    else if (!out.empty() && out.back() != ' ') out += ' ';
  }
  return out;
}

std::string learner(const sema::Game& game, const sema::Disclosure& d) {
  return d.player < game.players.size() ? game.players[d.player].name : "";
}

void disclosures(std::string& out, const sema::Game& game, const Sources& sources) {
  out += game.name + ": " + (game.disclosures.empty() ? "discloses nothing" : "discloses") + "\n";
  for (const auto& d : game.disclosures) {
    std::string to = learner(game, d);
    out += "  " + place(d.span, sources) + ": " + (d.conditional ? "under a condition on a secret: " : "") +
           (d.text.empty() ? quote(d.span, sources) : d.text);
    if (!to.empty()) out += std::string(d.bot ? " (known to the bot of `" : " (told to `") + to + "`)";
    out += "\n";
  }
}

void bounds(std::string& out, const sema::Game& game) {
  auto count = [](int64_t n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); };
  out += game.name + ": at most " + count(game.bounds.rounds, "round") + ", " + count(game.bounds.total, "move") + "\n";
  for (size_t p = 0; p < game.players.size() && p < game.bounds.moves.size(); ++p)
    if (!game.players[p].scripted) out += "  " + game.players[p].name + ": at most " + count(game.bounds.moves[p], "move") + "\n";
}

std::string move_of(const sema::Game& game, const sema::Rule& r) { return r.move < game.moves.size() ? game.moves[r.move].name : ""; }

void rules(std::string& out, const sema::Game& game, const Sources& sources) {
  out += game.name + ": " + std::to_string(game.rules.size()) + (game.rules.size() == 1 ? " rule\n" : " rules\n");
  for (const sema::Rule& r : game.rules)
    out += "  " + place(r.span, sources) + ": " + move_of(game, r) + ", " + r.kind + (r.kind == "format" ? "" : " " + r.text) + "\n";
}

std::string json_rules(const sema::Game& game, const Sources& sources) {
  std::string out = "[";
  for (const sema::Rule& r : game.rules) {
    LineColumn at = sources[r.span.file].line_column(r.span.begin);
    out += std::string(out.size() > 1 ? ", " : "") + "{\"move\": " + json_text(move_of(game, r)) + ", \"kind\": " + json_text(r.kind) +
           ", \"rule\": " + json_text(r.text) + ", \"file\": " + json_text(sources[r.span.file].path()) + ", \"line\": " +
           std::to_string(at.line) + "}";
  }
  return out + "]";
}

std::string json_disclosures(const sema::Game& game, const Sources& sources) {
  std::string out = "[";
  for (const auto& d : game.disclosures) {
    LineColumn at = sources[d.span.file].line_column(d.span.begin);
    std::string to = learner(game, d);
    out += std::string(out.size() > 1 ? ", " : "") + "{\"kind\": " + (d.conditional ? "\"conditional\"" : "\"reveal\"") +
           ", \"file\": " + json_text(sources[d.span.file].path()) + ", \"line\": " + std::to_string(at.line) +
           ", \"column\": " + std::to_string(at.column) + ", \"text\": " + json_text(d.text.empty() ? quote(d.span, sources) : d.text) +
           ", \"player\": " + (to.empty() ? "null" : json_text(to)) + ", \"bot\": " + (d.bot ? "true" : "false") + "}";
  }
  return out + "]";
}

std::string json_bounds(const sema::Game& game) {
  std::string out = "{\"rounds\": " + std::to_string(game.bounds.rounds) + ", \"total\": " + std::to_string(game.bounds.total) + ", \"moves\": {";
  bool first = true;
  for (size_t p = 0; p < game.players.size() && p < game.bounds.moves.size(); ++p, first = false)
    out += std::string(first ? "" : ", ") + json_text(game.players[p].name) + ": " + std::to_string(game.bounds.moves[p]);
  return out + "}}";
}

}  // namespace

int run_check(const Args& args) {
  return run_verb("check", kHelp, args, [&] {
    Options options(args, {"--max-errors"}, {"--disclosures", "--bounds", "--rules", "--verify", "--json", "--list-diagnostics"});
    bool json = options.has("--json");
    if (options.has("--list-diagnostics")) return list_diagnostics(json);
    if (options.rest().empty()) throw UsageError("no GAME given");
    int code = 0;
    std::string out = json ? "[" : "";
    for (const std::string& name : options.rest()) {
      std::string path = game_file(name);
      Sources sources;
      diag::Emitter emitter(sources, options.has("--verify") ? SIZE_MAX : max_errors(options));
      std::unique_ptr<sema::Game> game = driver::check_game(path, emitter);
      if (options.has("--verify")) {
        std::vector<std::string> problems = diag::verify(emitter.reports(), sources);
        for (const std::string& p : problems) std::fprintf(stderr, "%s\n", p.c_str());
        if (!problems.empty()) code = 1;
        continue;
      }
      if (!game) code = 1;
      if (json) {
        out += std::string(out.size() > 1 ? ",\n " : "") + "{\"game\": " + json_text(path) + ", \"ok\": " + (game ? "true" : "false") +
               ", \"errors\": " + std::to_string(emitter.errors()) + ", \"diagnostics\": " + diag::to_json(emitter.reports(), sources);
        if (game && options.has("--disclosures")) out += ", \"disclosures\": " + json_disclosures(*game, sources);
        if (game && options.has("--bounds")) out += ", \"bounds\": " + json_bounds(*game);
        if (game && options.has("--rules")) out += ", \"rules\": " + json_rules(*game, sources);
        out += "}";
        continue;
      }
      print_reports(emitter);
      if (!game) {
        std::fprintf(stderr, "%s: %zu error%s\n", path.c_str(), emitter.errors(), emitter.errors() == 1 ? "" : "s");
        continue;
      }
      if (options.has("--disclosures")) disclosures(out, *game, sources);
      if (options.has("--bounds")) bounds(out, *game);
      if (options.has("--rules")) rules(out, *game, sources);
      if (!options.has("--disclosures") && !options.has("--bounds") && !options.has("--rules"))
        out += path + ": ok" + (emitter.warnings() ? ", " + std::to_string(emitter.warnings()) + (emitter.warnings() == 1 ? " warning" : " warnings") : "") + "\n";
    }
    if (json && !options.has("--verify")) out += "]\n";
    if (!options.has("--verify")) std::fputs(out.c_str(), stdout);
    return code;
  });
}

}  // namespace ppc::cli
