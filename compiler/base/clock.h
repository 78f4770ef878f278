// How long a part of the compiler took.
#pragma once
#include <chrono>

namespace ppc {

/// Adds the milliseconds until its end to a number; null: nobody wants to know.
class Clock {
 public:
  explicit Clock(double* to) : to_(to), begin_(std::chrono::steady_clock::now()) {}
  ~Clock() {
    if (to_) *to_ += std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin_).count();
  }
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

 private:
  double* to_;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace ppc
