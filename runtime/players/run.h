// Many episodes at once on a few threads: an episode that waits for a reply holds nothing but its memory.
#pragma once
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

#include "runtime/players/play.h"

namespace ppc::players {

struct RunOptions {
  unsigned threads = 1;      // for game logic
  size_t in_flight = 1;      // episodes that have begun and are not over; no others are begun while there are more, counting branches
};

/// What a run may be told while it goes on, from any thread or a signal handler.
struct RunControl {
  std::atomic<bool> no_new{false};  // begin no more episodes
  std::atomic<bool> stop{false};    // and leave those that wait (the transport has to be stopped, too)
};

struct RunResult {
  size_t begun = 0;            // episodes
  size_t over = 0, failed = 0; // of them and of their branches
  std::string first_error;   // of a failed episode
  bool broken = false;       // an Unanswered::Why::Run came; no more episodes were begun, the others were played to their end or failure
};

/// Plays the episodes 0..count-1, beginning them in this order. `begin(i, thread)` makes an episode; `over(i, sitting, worker)`
/// gets it when it has been played to its end; `failed(i)` says that it could not be. Where it branches (Sitting::branch_at), each
/// branch has its own `over` or `failed`; `done(i)` comes once, behind the last of them. All of these are called from the run's
/// threads, several at once. The first exception stops the run and is rethrown.
RunResult run_episodes(size_t count, const RunOptions&, RunControl&,
                       const std::function<std::unique_ptr<Sitting>(size_t)>& begin,
                       const std::function<void(size_t, Sitting&, engine::Worker&)>& over,
                       const std::function<void(size_t)>& failed = {}, const std::function<void(size_t)>& done = {});

}  // namespace ppc::players
