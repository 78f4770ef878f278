// The loops: SFT, DPO, GRPO. Who knows games, files of weights and screens gives what is needed here.
#pragma once
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/json.h"
#include "trainers/data/example.h"
#include "trainers/train/arena.h"
#include "trainers/train/config.h"

namespace ppc::train {

/// In the order in which they are shown. docs/training.md says what each means.
using Metrics = std::vector<std::pair<std::string, double>>;

std::optional<double> find(const Metrics&, const std::string& name);

/// A file or folder of data, as it was read.
struct Source {
  std::string key, path;   // "data", "evaluation.data"
  int64_t examples = 0;    // or pairs
  uint64_t digest = 0;     // of what training sees of them
};

/// What a run has beside its configuration.
struct Surroundings {
  learn::Learner& learner;
  std::vector<data::Example> examples = {}, held_out = {};       // sft
  std::vector<data::Pair> pairs = {}, held_out_pairs = {};       // dpo
  std::vector<Source> sources = {};                    // of all of these; a run that goes on must have the same
  Arena* arena = nullptr;                              // grpo
  Arena* evaluation = nullptr;                         // what `evaluation.games` says; null: nothing
  std::function<void()> publish = {};                  // from now on arenas play with the learner's weights of now
  std::function<void()> refresh = {};                  // the same before what is learned from is played: weights may be a few steps old; null: publish
  std::function<Metrics()> played = {};                // more to be told of a step, behind its playing
  std::function<double()> sampling_seconds = {};       // how long the model has computed for arenas so far
  std::function<void(int64_t step, const Metrics&)> step = {};        // a step was taken
  std::function<void(int64_t step, const Metrics&)> evaluated = {};
  std::function<void(const std::string&)> note = {};                  // something that a person should know
  std::function<void(const std::string& folder)> save_model = {};     // a model folder that plays as the learner does
  const std::atomic<bool>* stop = nullptr;             // ends after this step, with a checkpoint
};

struct Outcome {
  int64_t steps = 0;
  std::string best, last;                              // folders of models
  bool stopped = false;                                // before its end, by `stop`
  bool early = false;                                  // by `evaluation.patience`
};

/// Trains. `resume`: goes on from the newest checkpoint of `config.output`, if there is one; else that folder must have none. Throws engine::InputError,
/// engine::SystemError, and std::runtime_error where numbers stop being numbers; the last checkpoint stays.
Outcome train(const Config&, Surroundings&, bool resume);

/// The newest checkpoint of `config.output` to go on from; empty: there is none. Throws engine::InputError where there is one and the run is to begin
/// anew. To be asked before anything is written.
std::string checkpoint_of(const Config&, bool resume);

/// Checkpoints of a run: folders `step-N`, whole or not there.
class Checkpoints {
 public:
  /// Throws engine::SystemError where the folder cannot be made.
  explicit Checkpoints(std::string folder, int64_t keep);
  /// `write` is told a folder; then the checkpoint is there, and those that are too many are removed.
  void save(int64_t step, const std::function<void(const std::string& folder)>& write);
  /// The newest one's folder; empty: there is none.
  std::string newest() const;
  /// Where there is one of this step it is no checkpoint from now on; its files stay, as `bad-N`.
  bool set_aside(int64_t step);

 private:
  std::vector<int64_t> steps() const;
  std::string folder_;
  int64_t keep_;
};

}  // namespace ppc::train
