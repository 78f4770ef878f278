#pragma once
#include <chrono>

namespace ppc::engine {

/// Seconds since some moment; never goes back.
inline double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace ppc::engine
