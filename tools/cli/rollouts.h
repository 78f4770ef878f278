// Replies of the learner from servers: docs/training.md, "Rollouts from a fleet of servers".
#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "runtime/local/inference.h"
#include "tools/fleet/fleet.h"
#include "trainers/learn/learner.h"
#include "trainers/train/config.h"
#include "trainers/train/trainer.h"

namespace ppc::cli {

/// In a run of several processes each has one; all call `publish` at the same places.
class Rollouts {
 public:
  /// `step`: how many the learner has taken. Throws engine::InputError, engine::SystemError.
  Rollouts(const train::Config&, const local::ModelOptions&, learn::Learner&, int64_t step, std::function<void(const std::string&)> note);
  std::shared_ptr<local::Model> model() const { return model_; }
  /// The servers play with the learner's weights, if those that they have are `every` steps old, or older. Throws engine::InputError where a server does
  /// not play what it was sent, engine::SystemError.
  void publish(int64_t every);
  void stepped(int64_t step) { step_ = step; }
  /// Since the last time.
  train::Metrics metrics();

 private:
  void send();
  void remove_old(const std::string& name) const;
  void write(const std::filesystem::path& folder);
  void run_command(const std::string& folder) const;
  void check();

  const train::Config& config_;
  learn::Learner& learner_;
  std::filesystem::path folder_;      // where weights are written
  std::string seen_as_;               // what servers call it
  std::string run_;                   // of this process group, so that no name of another run's weights is taken for one of this
  fleet::Sync sync_;
  int64_t step_ = 0, sent_ = -1;
  double seconds_ = 0, gap_ = 0;
  fleet::FleetCounts before_;
  fleet::Fleet::Request probe_;
  struct Stop {
    std::shared_ptr<fleet::Fleet>& fleet;
    ~Stop() {
      if (fleet) fleet->stop();
    }
  };
  std::shared_ptr<fleet::Fleet> fleet_;
  Stop stop_{fleet_};                 // also when the constructor throws: the fleet asks on, and tells whoever `note` refers to
  std::shared_ptr<local::Model> model_;
};

}  // namespace ppc::cli
