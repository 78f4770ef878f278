#include "runtime/players/run.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <thread>

namespace ppc::players {
namespace {

struct Table {
  size_t index = 0;
  std::unique_ptr<Sitting> sitting;
  std::shared_ptr<size_t> branches = std::make_shared<size_t>(1);  // of this episode, that are not over; under the run's mutex
  // The answer may come before the thread that asked has left the episode.
  enum : int { Playing, Parked, Answered };
  std::atomic<int> state{Playing};
};
using TablePtr = std::shared_ptr<Table>;

}  // namespace

RunResult run_episodes(size_t count, const RunOptions& options, RunControl& control,
                       const std::function<std::unique_ptr<Sitting>(size_t)>& begin,
                       const std::function<void(size_t, Sitting&, engine::Worker&)>& over,
                       const std::function<void(size_t)>& failed, const std::function<void(size_t)>& done) {
  // Shared with callbacks that may come after this function has thrown.
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<TablePtr> ready;
  };
  auto shared = std::make_shared<Shared>();
  RunResult result;
  std::exception_ptr error;
  size_t live = 0;

  auto thread = [&] {
    engine::Worker worker;
    std::unique_lock lock(shared->mutex);
    while (true) {
      auto may_begin = [&] {
        return result.begun < count && live < options.in_flight && !control.no_new && !control.stop && !result.broken;
      };
      auto at_end = [&] {
        if (error) return true;
        if (live > 0) return false;
        return result.begun >= count || control.no_new || control.stop || result.broken;
      };
      // A signal handler cannot notify, so this looks again now and then.
      while (shared->ready.empty() && !may_begin() && !at_end()) shared->changed.wait_for(lock, std::chrono::milliseconds(200));
      if (error || (shared->ready.empty() && !may_begin())) {
        if (!at_end()) continue;
        shared->changed.notify_all();
        return;
      }
      TablePtr table;
      if (!shared->ready.empty()) {
        table = std::move(shared->ready.front());
        shared->ready.pop_front();
      } else {
        table = std::make_shared<Table>();
        table->index = result.begun++;
        ++live;
      }
      lock.unlock();
      try {
        if (!table->sitting) table->sitting = begin(table->index);
        table->state = Table::Playing;
        const Sitting::State state = table->sitting->play(worker, [shared, table] {
          if (table->state.exchange(Table::Answered) != Table::Parked) return;
          std::lock_guard ready(shared->mutex);
          shared->ready.push_back(table);
          shared->changed.notify_one();
        });
        if (!table->sitting->forks.empty()) {
          std::vector<std::unique_ptr<Sitting>> forks;
          forks.swap(table->sitting->forks);
          lock.lock();
          for (auto& fork : forks) {
            auto other = std::make_shared<Table>();
            other->index = table->index;
            other->sitting = std::move(fork);
            other->branches = table->branches;
            ++*other->branches;
            ++live;
            shared->ready.push_back(std::move(other));
          }
          shared->changed.notify_all();
          lock.unlock();
        }
        if (state == Sitting::State::Waiting) {
          const bool answered = table->state.exchange(Table::Parked) == Table::Answered;
          lock.lock();
          if (answered) shared->ready.push_back(std::move(table));
          continue;
        }
        if (state == Sitting::State::Over) over(table->index, *table->sitting, worker);
        else if (failed) failed(table->index);
        lock.lock();
        if (--*table->branches == 0 && done) {
          lock.unlock();
          done(table->index);
          lock.lock();
        }
        --live;
        if (state == Sitting::State::Over) {
          ++result.over;
        } else {
          ++result.failed;
          const Unanswered& f = table->sitting->failure;
          if (f.why != Unanswered::Why::Stopped && result.first_error.empty()) result.first_error = f.error;
          if (f.why == Unanswered::Why::Run) result.broken = true;
        }
        shared->changed.notify_all();
      } catch (...) {
        if (!lock.owns_lock()) lock.lock();
        if (!error) error = std::current_exception();
        shared->changed.notify_all();
      }
    }
  };
  std::vector<std::thread> pool;
  for (unsigned t = 1; t < options.threads; ++t) pool.emplace_back(thread);
  thread();
  for (std::thread& t : pool) t.join();
  if (error) std::rethrow_exception(error);
  return result;
}

}  // namespace ppc::players
