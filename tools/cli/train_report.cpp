#include "tools/cli/train_report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>

#include "tools/cli/conversation.h"
#include "tools/cli/evaluation.h"
#include "tools/cli/progress.h"
#include "trainers/model/safetensors.h"
#include "trainers/report/report.h"

namespace ppc::cli {
namespace {

namespace fs = std::filesystem;

/// evaluation/step-N: the least and the greatest N that have episodes.
std::pair<std::string, std::string> first_and_last(const fs::path& folder) {
  std::map<int64_t, std::string> steps;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const std::string name = entry.path().filename().string();
    int64_t step = 0;
    if (name.rfind("step-", 0) != 0) continue;
    const auto r = std::from_chars(name.data() + 5, name.data() + name.size(), step);
    if (r.ec == std::errc() && r.ptr == name.data() + name.size() && fs::exists(entry.path() / "episodes.jsonl")) steps[step] = entry.path().string();
  }
  if (steps.empty()) return {};
  return {steps.begin()->second, steps.rbegin()->second};
}

/// Partners differ between games, so that a game's cell may be in any row.
std::map<std::string, const Cell*> cells(const Evaluation& e) {
  std::map<std::string, const Cell*> out;
  for (const Row& row : e.rows)
    for (const auto& [game, cell] : row.games) out.emplace(game, &cell);
  return out;
}

report::Estimate estimate(double value, const Interval& in) { return {value, in.low, in.high}; }

}  // namespace

void write_report(const train::Config& config, const train::Outcome& outcome, const std::string& configuration) {
  report::Report page;
  const fs::path output = config.output;
  page.title = std::string(train::method_name(config.method)) + ": " + fs::absolute(output).lexically_normal().filename().string();
  page.metrics = report::read_metrics((output / "metrics.jsonl").string());
  page.configuration = configuration;
  double seconds = 0;
  for (const report::MetricsLine& line : page.metrics)
    for (const auto& [name, value] : line.values)
      if (name == "seconds" || name == "eval/seconds") seconds += value;
  page.facts = {{"model", config.model}, {"method", train::method_name(config.method)}, {"steps", std::to_string(outcome.steps)}, {"time", duration(seconds)}, {"output", outcome.last}};
  if (outcome.stopped) page.notes.push_back("The run was stopped before its end.");
  if (outcome.early) page.notes.push_back("The run ended early: evaluations had not become better for a while. The best model is in " + outcome.best + ".");

  const auto [first, last] = first_and_last(output / "evaluation");
  if (!first.empty()) {
    const std::vector<ResultPlace> before = find_results({first}), after = find_results({last});
    const Evaluation was = evaluate(before, {}), is = evaluate(after, {});
    const auto was_cells = cells(was), is_cells = cells(is);
    page.results.models = {"before", "after"};
    page.results.note = "Intervals: 95 %, bootstrap over episodes.";
    for (const auto& [game, cell] : is_cells) {
      if (!was_cells.count(game)) continue;
      const Cell& b = *was_cells.at(game);
      page.results.rows.push_back({"evaluation", game, "% played", {estimate(b.exact_played, b.played_interval), estimate(cell->exact_played, cell->played_interval)}});
      page.results.rows.push_back({"evaluation", game, "score", {estimate(b.exact_quality, b.quality_interval), estimate(cell->exact_quality, cell->quality_interval)}});
    }
    // The same instances before and after: of each game the first, and one that ended otherwise.
    std::map<std::string, const ResultPlace*> by_place;
    for (const ResultPlace& p : before) by_place[p.game + "/" + p.experiment + "/" + p.episode] = &p;
    std::map<std::string, std::pair<bool, bool>> shown;
    for (const ResultPlace& p : after) {
      const auto at = by_place.find(p.game + "/" + p.experiment + "/" + p.episode);
      auto& [any, changed] = shown[p.game];
      if (at == by_place.end() || (any && changed)) continue;
      const Result was_played = read_result(*at->second), played = read_result(p);
      const bool other = was_played.outcome != played.outcome;
      if (any && !other) continue;
      any = true;
      changed = changed || other;
      page.samples.push_back({p.game + ", " + p.experiment + ", " + p.episode,
                              {{"before: " + was_played.outcome, conversation(was_played)}, {"after: " + played.outcome, conversation(played)}}});
    }
    page.samples_style = kConversationStyle;
  }
  model::write_file_atomically((output / "report.html").string(), report::report_page(page));
}

}  // namespace ppc::cli
