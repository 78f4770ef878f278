// Threads that share the tasks of a loop. They spin for some microseconds between loops, since a network has hundreds of them
// for each token, and sleep when nothing comes.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace ppc::nn {

class Workers {
 public:
  /// `threads` with the caller's; 0: as many as this process may use.
  explicit Workers(int threads);
  ~Workers();
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  int threads() const { return static_cast<int>(threads_.size()) + 1; }

  /// Calls f(task, thread) for each task in 0 … tasks-1, with thread in 0 … threads()-1; returns when all are done. `f` throws
  /// nothing. Tasks start in order, so the long ones should come first. One caller at a time.
  template <class F>
  void run(int64_t tasks, F&& f) {
    using Function = std::remove_reference_t<F>;
    if (tasks == 1 || threads_.empty()) {
      for (int64_t task = 0; task < tasks; task++) f(task, 0);
      return;
    }
    run(tasks, [](void* context, int64_t task, int thread) { (*static_cast<Function*>(context))(task, thread); },
        const_cast<void*>(static_cast<const void*>(&f)));
  }

 private:
  using Call = void (*)(void* context, int64_t task, int thread);
  void run(int64_t tasks, Call call, void* context);
  bool take_one(int thread);
  void work(int thread);

  // The loop: valid while a task of it is not done. Who has taken a task may read it.
  Call call_ = nullptr;
  void* context_ = nullptr;
  int64_t tasks_ = 0;
  // Number of the loop, and how many of its tasks nobody has taken: together, so that nobody takes one of the wrong loop.
  alignas(64) std::atomic<uint64_t> left_{0};
  alignas(64) std::atomic<int64_t> done_{0};
  alignas(64) std::atomic<int> loops_{0};  // what sleepers wait for
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

}  // namespace ppc::nn
