// The page at the end of a run of `ppc train`.
#pragma once
#include <string>

#include "trainers/train/config.h"
#include "trainers/train/trainer.h"

namespace ppc::cli {

/// Writes OUTPUT/report.html of what lies in the output folder: metrics.jsonl, and the first and the last evaluation's records.
void write_report(const train::Config&, const train::Outcome&, const std::string& configuration);

}  // namespace ppc::cli
