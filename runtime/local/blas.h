// Which of its kernels OpenBLAS is to take. Debian 12's knows no processor that is newer than itself, and falls back to its
// slowest kernels: a fifth of the speed. It reads OPENBLAS_CORETYPE once, when it is loaded, so this comes before that.
#pragma once
#include <cstdlib>

namespace ppc::local {

/// Sets OPENBLAS_CORETYPE to the best that this processor can run, unless it is set. Returns whether it set it. Not while
/// other threads read the environment.
inline bool choose_blas_kernels() {
#if defined(__x86_64__)
  if (std::getenv("OPENBLAS_CORETYPE")) return false;
  __builtin_cpu_init();
  const char* core = nullptr;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd"))
    core = "SKYLAKEX";
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    core = "HASWELL";
  return core && setenv("OPENBLAS_CORETYPE", core, 0) == 0;
#else
  return false;
#endif
}

}  // namespace ppc::local
