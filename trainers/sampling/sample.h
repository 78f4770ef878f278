// Chooses the next token from a row of logits on the CPU.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/local/inference.h"

namespace ppc::sampling {

using local::Alternative;
using local::TokenId;

struct Choice {
  TokenId id = 0;
  float logprob = 0;             // see local::Sample
  std::vector<Alternative> top;  // as many as wanted, or as many as there are with a probability above 0
};

/// A number in [0, 1) for token `index` of a reply: of the seed and the index only, so that a reply depends neither on who shares the
/// batch nor on what was drawn before.
double uniform(uint64_t seed, uint64_t index);

/// Memory for one row at a time, used again.
class Sampler {
 public:
  /// `logits`: a row, changed by this. `seen`: the ids that the penalty is for, each as often as it occurs. `allowed`: bit t % 64
  /// of word t / 64 for token t; empty: all; at least one is. NaN among the logits: std::runtime_error.
  Choice choose(std::span<float> logits, const local::Sampling&, std::span<const TokenId> seen, std::span<const uint64_t> allowed, double uniform);

 private:
  struct Bin { size_t count = 0; double sum = 0; };
  std::vector<float> weights_;
  std::vector<Bin> bins_;
  std::vector<double> sums_;
  std::vector<TokenId> order_;
  std::vector<bool> penalised_;
};

}  // namespace ppc::sampling
