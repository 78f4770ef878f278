// ppc eval
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>

#include "runtime/engine/json.h"
#include "tools/cli/cli.h"
#include "tools/cli/eval_page.h"
#include "tools/cli/evaluation.h"
#include "tools/cli/recorded.h"
#include "tools/cli/text.h"

namespace ppc::cli {
namespace {

using namespace engine;

constexpr const char* kHelp =
    R"(usage: ppc eval DIR… [options]

clembench's table of a run: for each model and game % Played and Quality Score, and the clemscore. Reads the records of ppc
and clembench's own result folders (every scores.json below DIR); a model is the folder …/MODEL/GAME/EXPERIMENT/EPISODE.
Without an option that writes a file, prints the table.

  --csv FILE        the table as clembench's results.csv
  --raw FILE        every score as clembench's raw.csv
  --details FILE    CSV: a number a line, with its interval, and what each clemscore lost to what
  --markdown FILE   tables as Markdown
  --html FILE       one page with plots and tables; nothing is fetched from the network
  --out DIR         all of them: results.csv, raw.csv, details.csv, results.md, results.html
  --sort KEY        model (default) or clemscore
  --no-std          no columns `Quality Score (std)` in the CSV, as newer versions of clembench
  --bootstrap N     samples for the intervals (default 1000; 0: no intervals)
  --seed S          of the bootstrap (default 0)
  --confidence P    per cent (default 95)
  --resources GAME=DIR  in place of the game's resources folder, where clembench's folders are played again to name broken rules
  --json            prints everything as one JSON value

FILE may be - for stdout.

Examples:
  ppc eval records
  ppc eval results --out evaluation --sort clemscore
)";

std::string pad(const std::string& s, size_t width, bool right) {
  // Code points, not bytes.
  size_t n = 0;
  for (const char c : s) n += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
  const std::string space(n < width ? width - n : 0, ' ');
  return right ? space + s : s + space;
}

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) {
      size_t n = 0;
      for (const char c : row[i]) n += (static_cast<uint8_t>(c) & 0xC0) != 0x80;
      widths[i] = std::max(widths[i], n);
    }
  }
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += (i ? "  " : "") + pad(row[i], widths[i], i > 0);
    while (!line.empty() && line.back() == ' ') line.pop_back();
    std::printf("%s\n", line.c_str());
  }
}

std::string range(const Interval& i) { return std::isnan(i.low) ? "" : "[" + fixed(i.low, 2) + ", " + fixed(i.high, 2) + "]"; }

void print(const Evaluation& e) {
  for (const Row& row : e.rows) {
    std::printf("%s\n", row.model.c_str());
    std::vector<std::vector<std::string>> rows = {{"", "clemscore", "% Played", "Quality Score", "std", "won", "lost", "aborted"}};
    rows.push_back({"  all games", fixed(row.clemscore, 2), fixed(row.played, 2), fixed(row.quality, 2)});
    if (!range(row.clemscore_interval).empty()) {
      rows.push_back({"", range(row.clemscore_interval), range(row.played_interval), range(row.quality_interval)});
    }
    for (const auto& [game, cell] : row.games) {
      rows.push_back({"  " + game, "", fixed(cell.played, 2), fixed(cell.quality, 2), fixed(cell.deviation, 2), std::to_string(cell.all.won),
                      std::to_string(cell.all.lost), std::to_string(cell.all.aborted)});
    }
    print_table(rows);
    double aborted = 0, lost = 0, won = 0;
    for (const auto& [game, cell] : row.games) aborted += cell.all.lost_to_aborted, lost += cell.all.lost_to_lost, won += cell.all.lost_to_won;
    std::printf("  of 100 points %s were lost to aborted episodes, %s to lost ones, %s to won ones below 100\n\n", fixed(aborted, 2).c_str(),
                fixed(lost, 2).c_str(), fixed(won, 2).c_str());
  }
  if (e.branches) std::printf("%zu branch%s left out: of an episode that branches only branch 0 counts\n", e.branches, e.branches == 1 ? "" : "es");
  std::printf("%zu episode%s, %zu game%s, %zu model%s\n", e.episodes, e.episodes == 1 ? "" : "s", e.games.size(), e.games.size() == 1 ? "" : "s",
              e.rows.size(), e.rows.size() == 1 ? "" : "s");
}

std::string markdown_page(const Evaluation& e, const Reasons& reasons, const EvaluationOptions& options) {
  std::string out = "# Results\n\n";
  const bool intervals = options.bootstrap > 0;
  out += std::to_string(e.episodes) + " episodes" + (e.branches ? " (" + std::to_string(e.branches) + " branches left out)" : "") + ". clemscore = (average % Played / 100) × average Quality Score, over games.";
  if (intervals) {
    out += " In brackets: " + fixed(options.confidence, options.confidence == std::floor(options.confidence) ? 0 : 2) + " % intervals, from " +
           std::to_string(options.bootstrap) + " bootstrap samples of the episodes.";
  }
  out += "\n\n| model | clemscore | average % Played | average Quality Score |\n|---|---:|---:|---:|\n";
  auto with = [&](double v, const Interval& i) { return fixed(v, 2) + (std::isnan(i.low) ? "" : " " + range(i)); };
  for (const Row& row : e.rows) {
    out += "| " + markdown(row.model) + " | " + with(row.clemscore, row.clemscore_interval) + " | " + with(row.played, row.played_interval) +
           " | " + with(row.quality, row.quality_interval) + " |\n";
  }
  for (const std::string& game : e.games) {
    out += "\n## " + markdown(game) + "\n\n| model | episodes | won | lost | aborted | % Played | Quality Score | std |\n|---|---:|---:|---:|---:|---:|---:|---:|\n";
    for (const Row& row : e.rows) {
      const auto it = row.games.find(game);
      if (it == row.games.end()) continue;
      const Cell& c = it->second;
      out += "| " + markdown(row.model) + " | " + std::to_string(c.episodes.size()) + " | " + std::to_string(c.all.won) + " | " + std::to_string(c.all.lost) +
             " | " + std::to_string(c.all.aborted) + " | " + with(c.played, c.played_interval) + " | " + with(c.quality, c.quality_interval) + " | " +
             fixed(c.deviation, 2) + " |\n";
    }
  }
  out += "\n## What the clemscores lost\n\nPoints out of 100, by game and by the outcome of the episodes that lost them.\n\n"
         "| model | game | aborted | lost | won below 100 |\n|---|---|---:|---:|---:|\n";
  for (const Row& row : e.rows) {
    for (const auto& [game, c] : row.games) {
      out += "| " + markdown(row.model) + " | " + markdown(game) + " | " + fixed(c.all.lost_to_aborted, 2) + " | " + fixed(c.all.lost_to_lost, 2) + " | " +
             fixed(c.all.lost_to_won, 2) + " |\n";
    }
  }
  out += "\n## By experiment\n\n| game | experiment | model | episodes | won | lost | aborted | % Played | Quality Score | points lost |\n|---|---|---|---:|---:|---:|---:|---:|---:|---:|\n";
  for (const std::string& game : e.games) {
    for (const Row& row : e.rows) {
      const auto it = row.games.find(game);
      if (it == row.games.end()) continue;
      for (const auto& [experiment, x] : it->second.experiments) {
        out += "| " + markdown(game) + " | " + markdown(experiment) + " | " + markdown(row.model) + " | " + std::to_string(x.episodes) + " | " + std::to_string(x.won) +
               " | " + std::to_string(x.lost) + " | " + std::to_string(x.aborted) + " | " + fixed(x.played, 2) + " | " + fixed(x.quality, 2) + " | " +
               fixed(x.lost_to_aborted + x.lost_to_lost + x.lost_to_won, 2) + " |\n";
      }
    }
  }
  if (!reasons.endings.empty()) {
    out += "\n## Why episodes were lost or aborted\n\n| game | model | outcome | reason | episodes | points lost |\n|---|---|---|---|---:|---:|\n";
    for (const Reasons::Line& l : reasons.endings) {
      out += "| " + markdown(l.game) + " | " + markdown(l.model) + " | " + l.outcome + " | " + markdown(l.what) + " | " +
             std::to_string(l.count) + " | " + fixed(l.points, 2) + " |\n";
    }
  }
  if (reasons.unknown) out += "\nOf " + std::to_string(reasons.unknown) + " of the episodes nothing says which rules were broken.\n";
  if (!reasons.rules.empty()) {
    out += "\n## Rules that were broken\n\n| game | model | rule | replies |\n|---|---|---|---:|\n";
    for (const Reasons::Line& l : reasons.rules) {
      out += "| " + markdown(l.game) + " | " + markdown(l.model) + " | " + markdown(l.what) + " | " + std::to_string(l.count) + " |\n";
    }
  }
  return out;
}

Json interval_json(const Interval& i) {
  if (std::isnan(i.low)) return Json();
  Json out = Json::list();
  out.push(i.low);
  out.push(i.high);
  return out;
}

Json json_value(const Evaluation& e, const Reasons& reasons, const EvaluationOptions& options) {
  Json out = Json::object();
  out.add("episodes", static_cast<uint64_t>(e.episodes));
  out.add("branches_left_out", static_cast<uint64_t>(e.branches));
  out.add("bootstrap", options.bootstrap);
  out.add("seed", std::to_string(options.seed));
  out.add("confidence", options.confidence);
  Json& models = out.add("models", Json::list());
  for (const Row& row : e.rows) {
    Json m = Json::object();
    m.add("model", row.model);
    m.add("clemscore", row.clemscore);
    m.add("clemscore_interval", interval_json(row.clemscore_interval));
    m.add("exact_clemscore", row.exact_clemscore);
    m.add("played", row.played);
    m.add("played_interval", interval_json(row.played_interval));
    m.add("quality", row.quality);
    m.add("quality_interval", interval_json(row.quality_interval));
    Json& games = m.add("games", Json::list());
    for (const auto& [game, c] : row.games) {
      Json g = Json::object();
      g.add("game", game);
      g.add("episodes", static_cast<uint64_t>(c.episodes.size()));
      g.add("won", static_cast<uint64_t>(c.all.won));
      g.add("lost", static_cast<uint64_t>(c.all.lost));
      g.add("aborted", static_cast<uint64_t>(c.all.aborted));
      g.add("played", c.played);
      g.add("played_interval", interval_json(c.played_interval));
      g.add("quality", c.quality);
      g.add("quality_interval", interval_json(c.quality_interval));
      g.add("std", c.deviation);
      Json& lost = g.add("points_lost", Json::object());
      lost.add("aborted", c.all.lost_to_aborted);
      lost.add("lost", c.all.lost_to_lost);
      lost.add("won", c.all.lost_to_won);
      Json& experiments = g.add("experiments", Json::list());
      for (const auto& [experiment, x] : c.experiments) {
        Json j = Json::object();
        j.add("experiment", experiment);
        j.add("episodes", static_cast<uint64_t>(x.episodes));
        j.add("won", static_cast<uint64_t>(x.won));
        j.add("lost", static_cast<uint64_t>(x.lost));
        j.add("aborted", static_cast<uint64_t>(x.aborted));
        j.add("played", x.played);
        j.add("quality", x.quality);
        j.add("points_lost", x.lost_to_aborted + x.lost_to_lost + x.lost_to_won);
        experiments.push(std::move(j));
      }
      games.push(std::move(g));
    }
    models.push(std::move(m));
  }
  auto lines = [&](const char* key, const std::vector<Reasons::Line>& from, const char* what) {
    Json& list = out.add(key, Json::list());
    for (const Reasons::Line& l : from) {
      Json j = Json::object();
      j.add("game", l.game);
      j.add("model", l.model);
      if (!l.outcome.empty()) j.add("outcome", l.outcome);
      j.add(what, l.what);
      j.add("count", static_cast<uint64_t>(l.count));
      if (!l.outcome.empty()) j.add("points_lost", l.points);
      list.push(std::move(j));
    }
  };
  lines("endings", reasons.endings, "reason");
  lines("rules", reasons.rules, "rule");
  out.add("episodes_without_rules", static_cast<uint64_t>(reasons.unknown));
  return out;
}

/// Why episodes ended, and which rules were broken: from records that say so, and from playing the replies of others again.
Reasons find_reasons(const Evaluation& evaluation, RecordedGames& games) {
  using Key = std::pair<std::pair<std::string, std::string>, std::pair<std::string, std::string>>;
  std::map<Key, std::pair<size_t, double>> endings, rules;
  Reasons out;
  Worker worker;
  for (const Row& row : evaluation.rows) {
    for (const auto& [game, cell] : row.games) {
      for (const EpisodeScore& episode : cell.episodes) {
        const ResultPlace& place = *episode.place;
        const std::pair<std::string, std::string> who = {place.game, place.models};
        Result r;
        try {
          if (place.lines.empty() && !std::filesystem::exists(place.folder + "/interactions.json")) throw InputError("");
          r = read_result(place);
          name_rules(r, games, worker);
        } catch (const InputError& e) {
          // The scores are there, and they count; only these tables are without the episode.
          if (*e.what()) std::fprintf(stderr, "warning: %s\n", e.what());
        }
        out.unknown += r.rules == Result::Rules::Unknown;
        using Outcome = EpisodeScore::Outcome;
        if (episode.outcome == Outcome::Lost || episode.outcome == Outcome::Aborted) {
          auto& [count, points] = endings[{who, {episode.outcome == Outcome::Lost ? "lost" : "aborted",
                                                 !r.reason.empty()                       ? r.reason
                                                 : r.rules == Result::Rules::Unknown ? "(not known)"
                                                                                     : "(none given)"}}];
          ++count;
          points += episode.points_lost;
        }
        for (const ResultEvent& e : r.events) {
          if (!e.violation.is_object()) continue;
          Json rule = e.violation;
          rule.set("reason", "");
          ++rules[{who, {"", violation_text(rule, place.game)}}].first;
        }
      }
    }
  }
  auto take = [](const std::map<Key, std::pair<size_t, double>>& from, std::vector<Reasons::Line>& to) {
    for (const auto& [key, found] : from) to.push_back({key.first.first, key.first.second, key.second.first, key.second.second, found.first, found.second});
    std::stable_sort(to.begin(), to.end(), [](const Reasons::Line& a, const Reasons::Line& b) {
      if (a.game != b.game) return a.game < b.game;
      if (a.model != b.model) return a.model < b.model;
      return a.count > b.count;
    });
  };
  take(endings, out.endings);
  take(rules, out.rules);
  return out;
}

int eval(const Args& args) {
  const Options options(args, {"--csv", "--raw", "--details", "--markdown", "--html", "--out", "--sort", "--bootstrap", "--seed", "--confidence",
                         "--resources"},
                        {"--no-std", "--json"});
  if (options.rest().empty()) throw UsageError("which folder?");
  EvaluationOptions how;
  how.bootstrap = options.number("--bootstrap", 1000, 0, 1'000'000);
  how.seed = options.number("--seed", 0);
  if (options.has("--confidence")) {
    const std::string text = options.value("--confidence");
    const auto r = std::from_chars(text.data(), text.data() + text.size(), how.confidence);
    if (r.ec != std::errc() || r.ptr != text.data() + text.size() || !(how.confidence > 0 && how.confidence < 100)) {
      throw UsageError("`--confidence` needs a number between 0 and 100, not `" + text + "`");
    }
  }
  const std::string sort = options.value("--sort", "model");
  if (sort != "model" && sort != "clemscore") throw UsageError("`--sort` takes model or clemscore, not `" + sort + "`");
  how.by_clemscore = sort == "clemscore";

  const std::vector<ResultPlace> places = find_results(options.rest());
  size_t unscored = 0;
  for (const ResultPlace& p : places) unscored += p.scores.empty() && p.lines.empty();
  if (unscored) {
    std::fprintf(stderr, "warning: %zu episode%s without scores.json, left out; `ppc score DIR --write` computes them\n", unscored, unscored == 1 ? "" : "s");
  }
  const Evaluation e = evaluate(places, how);
  std::map<std::string, std::string> files;
  auto wants = [&](const char* option, const char* name) {
    if (options.has(option)) files[option] = options.value(option);
    else if (options.has("--out")) files[option] = (std::filesystem::path(options.value("--out")) / name).string();
  };
  wants("--csv", "results.csv");
  wants("--raw", "raw.csv");
  wants("--details", "details.csv");
  wants("--markdown", "results.md");
  wants("--html", "results.html");
  if (options.has("--out")) {
    std::error_code ec;
    std::filesystem::create_directories(options.value("--out"), ec);
    if (ec) throw SystemError(options.value("--out") + ": " + ec.message());
  }
  const bool json = options.has("--json");
  Reasons reasons;
  if (json || files.count("--markdown") || files.count("--html")) {
    RecordedGames games("", "", options.all("--resources"));
    reasons = find_reasons(e, games);
  }
  for (const auto& [option, path] : files) {
    if (option == "--csv") write_output(path, results_csv(e, !options.has("--no-std")));
    if (option == "--raw") write_output(path, raw_csv(e));
    if (option == "--details") write_output(path, details_csv(e));
    if (option == "--markdown") write_output(path, markdown_page(e, reasons, how));
    if (option == "--html") write_output(path, evaluation_page(e, reasons, how));
  }
  if (json) std::printf("%s\n", to_text(json_value(e, reasons, how), {.indent = -1, .nan_as_null = true}).c_str());
  else if (files.empty()) print(e);
  return 0;
}

}  // namespace

int run_eval(const Args& args) {
  return run_verb("eval", kHelp, args, [&] { return eval(args); });
}

}  // namespace ppc::cli
