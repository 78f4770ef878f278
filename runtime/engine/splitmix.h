// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): numbers that look like chance, and are the same everywhere.
#pragma once
#include <cstdint>

namespace ppc::engine {

inline constexpr uint64_t kSplit = 0x9E3779B97F4A7C15u;  // 2^64 / the golden ratio, odd: what its state grows by

/// Its finaliser: each bit of x changes about half of the result's.
constexpr uint64_t mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
  return x ^ (x >> 31);
}

/// The number that it makes of a state; 0 does not stay 0.
constexpr uint64_t split_mix(uint64_t state) { return mix64(state + kSplit); }

}  // namespace ppc::engine
