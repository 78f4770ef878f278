// ppc report
#include "tools/cli/report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "runtime/engine/json.h"
#include "runtime/web/text.h"
#include "tools/cli/cli.h"
#include "tools/cli/conversation.h"
#include "tools/cli/evaluation.h"
#include "tools/cli/progress.h"
#include "tools/cli/recorded.h"
#include "tools/cli/results.h"
#include "tools/cli/text.h"

namespace ppc::cli {
namespace {

using namespace engine;
namespace fs = std::filesystem;

constexpr const char* kHelp =
    R"(usage: ppc report RUN [options]
       ppc report NAME=RUN… [options]

Writes a page of what `ppc train` came to: results before and after with intervals, curves of all metrics, what was said before and
after. RUN is the output folder of a run, in which evaluations were played. With names, several runs stand beside each other; those
of one name count as one (other seeds). One file, which fetches nothing and runs nothing.

  -o FILE          (default: RUN/report.html; of several runs: report.html)
  --best           shows the best evaluation of a run, too, not the last alone
  --samples N      of so many instances what was said (default 6)
  --bootstrap N    samples for the intervals (default 1000; 0: none)

Examples:
  ppc report runs/grpo
  ppc report SFT=runs/sft-1 SFT=runs/sft-2 GRPO=runs/grpo-1 GRPO=runs/grpo-2 -o table.html
)";

/// What a model played at one time of its training, in one run or several.
struct Played {
  std::string label;
  std::vector<ResultPlace> places;  // as they were found
};

std::optional<int64_t> step_of(const std::string& name) {
  int64_t step = 0;
  if (!name.starts_with("step-")) return {};
  const auto [end, error] = std::from_chars(name.data() + 5, name.data() + name.size(), step);
  if (error != std::errc() || end != name.data() + name.size()) return {};
  return step;
}

struct Run {
  std::string folder;
  std::map<int64_t, std::string> evaluations;  // step -> folder of records
  std::vector<report::MetricsLine> metrics;
  Json configuration;                          // null: none
  std::string configuration_text;

  std::vector<ResultPlace> places(int64_t step) const { return find_results({evaluations.at(step)}); }
  /// Of those that were recorded; the last one where nothing tells.
  int64_t best() const;
};

int64_t Run::best() const {
  int64_t best = evaluations.rbegin()->first;
  double score = -1;
  for (const report::MetricsLine& line : metrics)
    for (const auto& [name, value] : line.values)
      if (name == "eval/clemscore" && value > score && evaluations.count(line.step)) score = value, best = line.step;
  return best;
}

Run read_run(const std::string& folder) {
  Run run;
  run.folder = folder;
  std::error_code ec;
  if (!fs::is_directory(folder, ec)) throw InputError(folder + ": no such folder");
  const fs::path base = folder;
  for (const auto& entry : fs::directory_iterator(base / "evaluation", ec))
    if (const auto step = step_of(entry.path().filename().string())) run.evaluations[*step] = entry.path().string();
  if (fs::exists(base / "metrics.jsonl", ec)) run.metrics = report::read_metrics((base / "metrics.jsonl").string());
  if (run.evaluations.empty() && run.metrics.empty()) throw InputError(folder + ": neither metrics.jsonl nor evaluation/step-N: `ppc train` did not write here");
  if (const fs::path file = base / "config.yaml"; fs::exists(file, ec)) {
    run.configuration = load_json(file.string());
    run.configuration_text = read_file(file.string());
  }
  return run;
}

/// Games that were played to learn from, or whose dialogues were; empty when it is not known.
std::set<std::string> trained_games(const Json& configuration) {
  std::set<std::string> out;
  auto add = [&](const Json& name) {
    if (name.is_text()) out.insert(fs::path(name.as_text()).stem().string());
  };
  if (const Json* games = configuration.find("games"); games && games->is_list()) {
    for (const Json& g : games->items()) {
      const Json* name = g.find("game");
      add(name ? *name : g);
    }
  }
  if (const Json* data = configuration.find("data")) {
    if (const Json* games = data->find("games"); games && games->is_list())
      for (const Json& name : games->items()) add(name);
  }
  return out;
}

report::Estimate estimate(double value, const Interval& i) { return {value, i.low, i.high}; }

/// Rows of one group of games: the averages, then each game.
void add_rows(report::Results& out, const std::string& group, const std::vector<Played>& played, const std::function<bool(const std::string&)>& wanted, uint64_t bootstrap) {
  std::vector<ResultPlace> places;
  for (size_t m = 0; m < played.size(); ++m) {
    for (const ResultPlace& p : played[m].places) {
      if (!wanted(p.game)) continue;
      places.push_back(p);
      // Several partners and several runs are one model here, and all of their episodes count.
      places.back().models = std::to_string(m);
      places.back().episode = p.folder + p.lines + ":" + std::to_string(p.line) + "/" + p.episode;
    }
  }
  if (places.empty()) return;
  const Evaluation e = evaluate(places, {.bootstrap = bootstrap});
  auto row = [&](const std::string& name, const char* measure, auto&& of) {
    report::Results::Row r{group, name, measure, std::vector<report::Estimate>(played.size()), true};
    for (const Row& model : e.rows) r.of[std::stoul(model.model)] = of(model);
    out.rows.push_back(std::move(r));
  };
  const std::string all = e.games.size() == 1 ? e.games[0] : "all " + std::to_string(e.games.size()) + " games";
  row(all, "clemscore", [](const Row& m) { return estimate(m.clemscore, m.clemscore_interval); });
  row(all, "% Played", [](const Row& m) { return estimate(m.played, m.played_interval); });
  row(all, "Quality Score", [](const Row& m) { return estimate(m.quality, m.quality_interval); });
  if (e.games.size() == 1) return;
  for (const std::string& game : e.games) {
    auto of_game = [&](auto&& value, auto&& range) {
      return [&game, value, range](const Row& m) {
        const auto it = m.games.find(game);
        return it == m.games.end() ? report::Estimate() : estimate(it->second.*value, it->second.*range);
      };
    };
    row(game, "% Played", of_game(&Cell::played, &Cell::played_interval));
    row(game, "Quality Score", of_game(&Cell::quality, &Cell::quality_interval));
  }
}

/// 0 to 100; an abort is less than any score.
double worth(const Result& r) { return r.outcome == "aborted" ? -1 : std::isnan(r.main_score) ? 0 : r.main_score; }

std::string ending(const Result& r) {
  return (r.outcome.empty() ? "unknown" : r.outcome) + (std::isnan(r.main_score) ? "" : ", Main Score " + fixed(r.main_score, r.main_score == std::floor(r.main_score) ? 0 : 2));
}

std::string said(const Result& r) {
  return conversation(r) + "<p class=\"end\">" + outcome_badge(r) + (r.reason.empty() ? "" : " " + html(r.reason)) + "</p>\n";
}

/// Of each game the instance that gained most, then those that lost most, and so on in turns: what became worse belongs to the picture.
std::vector<report::Sample> samples_of(const std::vector<Played>& played, size_t wanted) {
  std::vector<report::Sample> out;
  if (played.empty() || wanted == 0) return out;
  const Played &before = played.front(), &after = played.back();
  auto key = [](const ResultPlace& p) { return p.game + "/" + p.experiment + "/" + p.episode; };
  std::map<std::string, const ResultPlace*> then;
  for (const ResultPlace& p : before.places)
    if (!p.parent) then.emplace(key(p), &p);
  struct Change {
    std::string game, key;
    double by = 0;
  };
  std::map<std::string, std::vector<Change>> changes;  // by game
  std::set<std::string> seen;
  for (const ResultPlace& p : after.places) {
    const auto it = then.find(key(p));
    if (p.parent || it == then.end() || !seen.insert(key(p)).second) continue;
    changes[p.game].push_back({p.game, key(p), played.size() == 1 ? 0 : worth(read_result(p)) - worth(read_result(*it->second))});
  }
  auto more = [](const Change& a, const Change& b) { return a.by != b.by ? a.by > b.by : natural_less(a.key, b.key); };
  std::vector<Change> chosen;
  for (auto& [game, list] : changes) std::sort(list.begin(), list.end(), more);
  for (size_t round = 0; chosen.size() < wanted; ++round) {
    bool any = false;
    for (const auto& [game, list] : changes) {
      if (round >= list.size() || chosen.size() == wanted) continue;
      any = true;
      chosen.push_back((round % 2 == 0 ? list[round / 2] : list[list.size() - 1 - round / 2]));
    }
    if (!any) break;
  }
  std::sort(chosen.begin(), chosen.end(), more);
  RecordedGames games("", "", {});
  Worker worker;
  for (const auto& [game, name, by] : chosen) {
    report::Sample sample;
    std::string endings;
    for (const Played& p : played) {
      const auto it = std::find_if(p.places.begin(), p.places.end(), [&](const ResultPlace& place) { return !place.parent && key(place) == name; });
      if (it == p.places.end()) continue;
      Result r = read_result(*it);
      name_rules(r, games, worker);
      if (sample.title.empty()) sample.title = r.place.game + ", " + r.place.experiment + ", " + (r.instance_id.empty() ? r.place.episode : "instance " + r.instance_id);
      endings += (endings.empty() ? "" : " → ") + ending(r);
      sample.sides.push_back({p.label, said(r)});
    }
    sample.title += ": " + endings;
    out.push_back(std::move(sample));
  }
  return out;
}

void facts_of(const Run& run, report::Report& out) {
  for (const char* key : {"model", "seed"}) {
    const Json* v = run.configuration.find(key);
    if (v && (v->is_text() || v->is_number())) out.facts.emplace_back(key, v->is_text() ? v->as_text() : to_text(*v));
  }
  if (!run.metrics.empty()) {
    int64_t steps = 0;
    double seconds = 0;
    for (const report::MetricsLine& line : run.metrics) {
      steps = std::max(steps, line.step);
      for (const auto& [name, value] : line.values)
        if ((name == "seconds" || name == "eval/seconds") && std::isfinite(value)) seconds += value;
    }
    out.facts.emplace_back("steps", std::to_string(steps));
    if (seconds > 0) out.facts.emplace_back("time", duration(seconds));
  }
}

}  // namespace

report::Report report_of(const std::vector<ReportRun>& wanted, const ReportOptions& options) {
  std::vector<Run> runs;
  for (const ReportRun& r : wanted) runs.push_back(read_run(r.folder));
  if (runs.empty()) throw InputError("no run");
  report::Report out;
  out.samples_style = kConversationStyle;
  std::vector<Played> played;
  auto add = [&](const std::string& label, std::vector<ResultPlace> places) {
    const auto it = std::find_if(played.begin(), played.end(), [&](const Played& p) { return p.label == label; });
    if (it == played.end()) played.push_back({label, std::move(places)});
    else it->places.insert(it->places.end(), places.begin(), places.end());
  };
  std::set<std::string> trained;
  for (size_t i = 0; i < runs.size(); ++i) {
    const Run& run = runs[i];
    trained.merge(trained_games(run.configuration));
    if (run.evaluations.empty()) {
      out.notes.push_back((runs.size() > 1 ? run.folder + ": n" : std::string("N")) + "o games were played to see what was learned (`evaluation.games`).");
      continue;
    }
    const int64_t first = run.evaluations.begin()->first, last = run.evaluations.rbegin()->first, best = run.best();
    const std::string& name = wanted[i].name;
    auto label = [&](const char* when, int64_t step) { return name.empty() ? std::string(when) + " (step " + std::to_string(step) + ")" : name; };
    if (played.empty()) add(name.empty() ? label("before", first) : "before", run.places(first));
    if (options.best && best != last && best != first) add(name.empty() ? label("best", best) : name + ", best", run.places(best));
    if (last != first) add(label("after", last), run.places(last));
  }
  for (const Played& p : played) out.results.models.push_back(p.label);
  std::set<std::string> games;
  for (const Played& p : played)
    for (const ResultPlace& place : p.places) games.insert(place.game);
  const bool known = std::any_of(games.begin(), games.end(), [&](const std::string& g) { return trained.count(g) != 0; });
  auto is_trained = [&](const std::string& g) { return trained.count(g) != 0; };
  if (known) {
    add_rows(out.results, "games that were trained", played, is_trained, options.bootstrap);
    add_rows(out.results, "games that were not", played, [&](const std::string& g) { return !is_trained(g); }, options.bootstrap);
  } else {
    add_rows(out.results, "", played, [](const std::string&) { return true; }, options.bootstrap);
  }
  if (options.bootstrap && !out.results.rows.empty())
    out.results.note = "In brackets: 95 % intervals from " + std::to_string(options.bootstrap) + " bootstrap samples of the episodes.";
  out.samples = samples_of(played, options.samples);
  if (runs.size() == 1) {
    const Run& run = runs[0];
    out.metrics = run.metrics;
    out.configuration = run.configuration_text;
    facts_of(run, out);
    out.title = "Training: " + fs::absolute(run.folder).lexically_normal().filename().string();
  } else {
    out.title = "Training: " + std::to_string(runs.size()) + " runs";
    for (const ReportRun& r : wanted) out.facts.emplace_back(r.name, r.folder);
  }
  return out;
}

int run_report(const Args& args) {
  return run_verb("report", kHelp, args, [&] {
    const Options options(args, {"-o", "--samples", "--bootstrap"}, {"--best"});
    if (options.rest().empty()) throw UsageError("which run?");
    ReportOptions how;
    how.samples = options.number("--samples", how.samples, 0, 1000);
    how.bootstrap = options.number("--bootstrap", how.bootstrap, 0, 1000000);
    how.best = options.has("--best");
    std::vector<ReportRun> runs;
    for (const std::string& arg : options.rest()) {
      const size_t equals = arg.find('=');
      std::error_code ec;
      if (equals == std::string::npos || fs::exists(arg, ec)) runs.push_back({"", arg});
      else runs.push_back({arg.substr(0, equals), arg.substr(equals + 1)});
    }
    if (runs.size() > 1)
      for (const ReportRun& r : runs)
        if (r.name.empty()) throw UsageError("several runs need names: NAME=" + r.folder);
    std::string path = options.value("-o");
    if (path.empty()) path = runs.size() == 1 ? (fs::path(runs[0].folder) / "report.html").string() : "report.html";
    write_file(path, report::report_page(report_of(runs, how)));
    std::printf("%s\n", path.c_str());
    return 0;
  });
}

}  // namespace ppc::cli
