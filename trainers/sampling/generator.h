// Continues many conversations together: each step of the network takes the next token of those that are being continued, and a part
// of the prompts of those that begin (continuous batching: Yu et al., Orca, OSDI 2022).
//
// What a conversation had computed stays, as long as there is room, so that its next turn computes only what is new. What several
// have in common from their beginning is computed once and shared. When the network's pages are used up, the conversations that have
// waited longest give theirs back; they are computed again if they go on (Statistics::recomputed_tokens).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/local/inference.h"
#include "trainers/nn/network.h"
#include "trainers/sampling/sample.h"

namespace ppc::sampling {

/// Ids of a conversation, and what of them has been computed. Belongs to a generator.
struct Line;

/// A reply that is wanted. All functions are called on the generator's thread.
class Job {
 public:
  virtual ~Job() = default;
  virtual const local::Sampling& sampling() const = 0;
  /// Which tokens may come now (Sampler::choose); `left`: how many more may come behind the next. Empty: all.
  virtual std::span<const uint64_t> allowed(int64_t left) { (void)left; return {}; }
  /// A token was chosen; false: it was the last. (After max_tokens, or where the context ends, there is none in any case.)
  virtual bool chosen(const Choice&) = 0;
  struct End {
    bool full = false;      // no room for more tokens: max_tokens, or the context
    int64_t prompt_tokens = 0, cached_tokens = 0;
    local::Failure failure = {};
    bool failed = false;
  };
  /// Once; nothing of this job is called afterwards.
  virtual void over(const End&) = 0;
};

class Generator {
 public:
  struct Options {
    int64_t batch = 256;   // conversations continued at once
    int64_t chunk = 512;   // new tokens in a step, beyond one for each that is continued
  };
  Generator(std::unique_ptr<nn::Network>, Options);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// May be called from any thread. A line is let go of by dropping it.
  std::shared_ptr<Line> open();
  /// One that begins with the same ids. Not while `line` has a job.
  std::shared_ptr<Line> fork(const std::shared_ptr<Line>& line);
  /// Adds ids that were neither asked for nor sampled here. Not while `line` has a job.
  void append(Line&, std::span<const TokenId> ids);
  /// Adds `prompt` (which may be empty only if there are ids) and continues. The ids chosen are added to the line.
  void submit(std::shared_ptr<Line> line, std::vector<TokenId> prompt, std::shared_ptr<Job> job);
  /// Other weights for the network (Network::load). What was computed is forgotten; lines keep their ids and go on with the new weights. Waits until
  /// it is done; throws std::invalid_argument while there are jobs, and what the network throws. `source` is called on the generator's thread.
  void reload(const nn::WeightSource& source);
  /// Every job fails as stopped, those to come as well.
  void stop();

  const nn::Network& network() const;
  local::Statistics statistics() const;

 private:
  struct State;
  static void run(State&);
  std::shared_ptr<State> state_;
};

}  // namespace ppc::sampling
