// What runs of `ppc train` came to, as a page.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "trainers/report/report.h"

namespace ppc::cli {

/// Several runs of one name count as one: the same, from other seeds.
struct ReportRun {
  std::string name;        // empty: of the only run
  std::string folder;      // with evaluation/step-N and metrics.jsonl
};

struct ReportOptions {
  size_t samples = 6;      // instances of which it is shown what was said
  bool best = false;       // the best evaluation beside the last, not the last alone
  uint64_t bootstrap = 1000;
};

/// Throws engine::InputError for what cannot be read, and where there is neither.
report::Report report_of(const std::vector<ReportRun>&, const ReportOptions& = {});
}  // namespace ppc::cli
