// `ppc train`, for those who train several times.
#pragma once
#include "trainers/train/config.h"
#include "trainers/train/trainer.h"

namespace ppc::cli {

struct TrainOptions {
  bool resume = false;
  bool quiet = false;   // no progress
};
/// Loads what the configuration names, trains, writes what comes out. Throws as train::train does.
train::Outcome run_training(const train::Config&, const TrainOptions&);

}  // namespace ppc::cli
