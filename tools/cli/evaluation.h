// The numbers of a benchmark run as clembench computes them, and beside them: bootstrap intervals and what a clemscore lost
// to what. docs/eval.md describes every rule.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "tools/cli/results.h"

namespace ppc::cli {

struct Interval {
  double low = 0, high = 0;  // NaN: none
};

struct EpisodeScore {
  double played = 0;   // 1 - Aborted; NaN where Aborted is NaN or absent
  double main = 0;     // Main Score; NaN where it is NaN or absent
  enum class Outcome { Won, Lost, Aborted, Unknown } outcome = Outcome::Unknown;
  const ResultPlace* place = nullptr;
  double points_lost = 0;  // of the model's clemscore
};

/// Some episodes of a game: how they ended, and the points of the clemscore that they lost, by outcome. Percentages are 0..100.
struct Share {
  size_t episodes = 0, won = 0, lost = 0, aborted = 0, unknown = 0;
  double played = 0, quality = 0;  // rounded to 2 decimals, NaN when there is none
  double lost_to_aborted = 0, lost_to_lost = 0, lost_to_won = 0;
};

/// A game played by a model. Percentages are 0..100.
struct Cell {
  std::vector<EpisodeScore> episodes;
  bool has_played = false, has_quality = false;        // whether any episode has the metric at all, NaN or not
  double played = 0, quality = 0, deviation = 0;       // rounded to 2 decimals, NaN when there is none
  double exact_played = 0, exact_quality = 0;
  Interval played_interval, quality_interval;
  Share all;
  std::vector<std::pair<std::string, Share>> experiments;  // by name, in natural order
};

struct Row {
  std::string model;
  std::map<std::string, Cell> games;
  double played = 0, quality = 0, clemscore = 0;       // as in clembench's table: of rounded numbers, rounded
  double exact_clemscore = 0;                          // of numbers that are not rounded on the way
  Interval played_interval, quality_interval, clemscore_interval;
};

struct RawScore {
  std::string game, model, experiment, episode, metric;
  engine::Json value;
};

struct Evaluation {
  std::vector<std::string> games;  // in the order of their names
  std::vector<Row> rows;
  std::vector<RawScore> raw;       // "Played" behind all others
  size_t episodes = 0;
  size_t branches = 0;             // left out: they share their beginning with an episode, so they are no samples of their own
};

struct EvaluationOptions {
  uint64_t bootstrap = 1000;       // samples; 0: no intervals
  uint64_t seed = 0;
  double confidence = 95;          // per cent
  bool by_clemscore = false;       // best row first
};

/// Reads the scores of all places, which the result points to. Throws InputError; its text names every file that is wrong (at most 20).
Evaluation evaluate(const std::vector<ResultPlace>&, const EvaluationOptions&);

/// clembench's results.csv and raw.csv, byte for byte what pandas writes.
std::string results_csv(const Evaluation&, bool with_deviation);
std::string raw_csv(const Evaluation&);
/// One number a line: model, game, experiment, quantity, value, low, high, episodes.
std::string details_csv(const Evaluation&);

/// numpy's: to an even last digit when in the middle.
double round2(double);

}  // namespace ppc::cli
