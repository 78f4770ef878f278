// The scores of an episode that has ended: the standard ones, then the game's metrics (which may replace them).
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/episode.h"
#include "runtime/engine/json.h"

namespace ppc::engine {

struct Scores {
  using List = std::vector<std::pair<std::string, Json>>;
  List episode;                    // in order; numbers, but for metrics that tell something else; nan where there is none
  std::map<int64_t, List> turns;   // by t
  List keys;                       // what the game logs
  std::vector<std::string> notes;  // metrics that faulted

  double get(const std::string& name) const;  // nan when absent or no number
  /// {"turn scores": {"0": {…}}, "episode scores": {…}}, "notes" when there are any.
  Json to_json() const;
};

Scores score(Worker&, const Episode&);
/// Whole numbers without a fraction, as the originals write most of their scores.
Json score_number(double);

}  // namespace ppc::engine
