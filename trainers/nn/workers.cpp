#include "trainers/nn/workers.h"

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <string>

namespace ppc::nn {
namespace {

constexpr uint64_t kCount = 0xffffffff;  // the low half of `left_`
constexpr auto kSpin = std::chrono::microseconds(100);

inline void pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

int usable_processors() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

}  // namespace

Workers::Workers(int threads) {
  if (threads == 0) threads = usable_processors();
  if (threads < 1) throw std::invalid_argument("threads: " + std::to_string(threads));
  for (int thread = 1; thread < threads; thread++) threads_.emplace_back([this, thread] { work(thread); });
}

Workers::~Workers() {
  stop_ = true;
  loops_++;
  loops_.notify_all();
  for (auto& thread : threads_) thread.join();
}

bool Workers::take_one(int thread) {
  uint64_t left = left_.load(std::memory_order_acquire);
  do {
    if ((left & kCount) == 0) return false;
  } while (!left_.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel, std::memory_order_acquire));
  call_(context_, tasks_ - static_cast<int64_t>(left & kCount), thread);
  done_.fetch_add(1, std::memory_order_release);
  return true;
}

void Workers::run(int64_t tasks, Call call, void* context) {
  if (tasks <= 0) return;
  if (tasks > static_cast<int64_t>(kCount)) throw std::invalid_argument("too many tasks");
  call_ = call;
  context_ = context;
  tasks_ = tasks;
  done_.store(0, std::memory_order_relaxed);
  uint64_t loop = (left_.load(std::memory_order_relaxed) >> 32) + 1;
  left_.store(loop << 32 | static_cast<uint64_t>(tasks), std::memory_order_release);
  loops_.fetch_add(1);
  if (sleepers_.load() > 0) loops_.notify_all();
  while (take_one(0)) {
  }
  for (int spins = 0; done_.load(std::memory_order_acquire) < tasks; spins++) {
    pause();
    if (spins > 10000) std::this_thread::yield();  // whoever has the task may need this processor
  }
}

void Workers::work(int thread) {
  auto idle_since = std::chrono::steady_clock::now();
  for (int spins = 0;; spins++) {
    int loops = loops_.load();
    if (stop_) return;
    if (take_one(thread)) {
      while (take_one(thread)) {
      }
      idle_since = std::chrono::steady_clock::now();
      continue;
    }
    pause();
    if (spins % 64 == 0 && std::chrono::steady_clock::now() - idle_since > kSpin) {
      sleepers_++;
      loops_.wait(loops);
      sleepers_--;
      idle_since = std::chrono::steady_clock::now();
    }
  }
}

}  // namespace ppc::nn
