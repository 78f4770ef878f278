// The page at the end of a run: what came of it, how it went, what was said before and after. One file; nothing is fetched, nothing runs.
#pragma once
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "trainers/report/metrics.h"

namespace ppc::report {

struct Estimate {
  double value = std::numeric_limits<double>::quiet_NaN();
  double low = std::numeric_limits<double>::quiet_NaN(), high = std::numeric_limits<double>::quiet_NaN();  // its interval; NaN: none
};

/// Models beside each other. The first is what the others are compared with.
struct Results {
  std::vector<std::string> models;          // "before", "after"; or "start", "SFT", "GRPO"
  struct Row {
    std::string group, name, measure;       // "in domain", "taboo", "% Played"; rows of one group stand together
    std::vector<Estimate> of;               // of each model
    bool more_is_better = true;
  };
  std::vector<Row> rows;
  double low = 0, high = 100;               // of the scale that they are drawn on
  std::string note;                         // how the intervals were made, for example
};

/// One instance, played by several models.
struct Sample {
  std::string title;
  struct Side { std::string label, html; }; // HTML as `ppc transcribe` makes it
  std::vector<Side> sides;
};

struct Report {
  std::string title;
  std::vector<std::pair<std::string, std::string>> facts;  // "model", "steps", …
  std::vector<std::string> notes;           // what a reader should know before anything else
  Results results;
  std::vector<MetricsLine> metrics;
  std::vector<Sample> samples;
  std::string samples_style;                // CSS of their HTML
  std::string configuration;                // as text
};

/// std::invalid_argument: a row of results without an estimate of each model.
std::string report_page(const Report&);

}  // namespace ppc::report
