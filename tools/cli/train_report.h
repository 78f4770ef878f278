// The page at the end of a run of `ppc train`.
#pragma once
#include <string>

#include "trainers/train/config.h"
#include "trainers/train/trainer.h"

namespace ppc::cli {

/// Writes OUTPUT/report.html from what lies in the output folder, as `ppc report` does.
void write_report(const train::Config&, const train::Outcome&);

}  // namespace ppc::cli
