// `ppc train`, for those who train several times.
#pragma once
#include <signal.h>

#include <atomic>
#include <filesystem>

#include "trainers/train/config.h"
#include "trainers/train/trainer.h"

namespace ppc::cli {

/// While it lives, ^C and SIGTERM (by which Slurm says that time is up) only ask for an end; a second one, later than a second behind the first, ends the
/// process. One at a time.
class Interruptible {
 public:
  Interruptible();
  ~Interruptible();
  Interruptible(const Interruptible&) = delete;
  const std::atomic<bool>& asked() const;

 private:
  struct sigaction interrupt_ {}, terminate_ {};
};

struct TrainOptions {
  bool resume = false;
  bool quiet = false;   // no progress
};
/// Loads what the configuration names, trains, writes what comes out. Throws as train::train does.
train::Outcome run_training(const train::Config&, const TrainOptions&);

/// What every model folder has beside its weights. Throws engine::SystemError.
void copy_rest(const std::filesystem::path& from, const std::filesystem::path& to);

}  // namespace ppc::cli
