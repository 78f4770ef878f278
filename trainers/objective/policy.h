// What GRPO and its relatives minimise, as a function of the log-probabilities of the trained tokens: the loss, its gradient, metrics.
//
// With x the log-probability of a token now, o when it was sampled (in the same arithmetic), r the reference's and A its advantage:
// the ratio is c = exp(x - o), or exp(mean over the sequence of x - o) at sequence level; a token's loss is, by PolicyLoss,
//   -min(c·A, clip(c, 1 - epsilon, 1 + epsilon_high)·A)      grpo, bnpo, dr_grpo, dapo, luspo
//   -sg(min(c, epsilon_high))·A·x                            cispo
//   -(4 / τ)·σ(τ·(c - 1))·A                                  sapo
//   -sg(φ)·A·x, φ = exp(λ + k·log w - λ·w)                   vespo; w = the sequence's product of exp(x - o) and of the correction
// times the correction and the off-policy mask, plus beta·(exp(r - x) - (r - x) - 1). sg(…) has no gradient. docs/training.md has the
// papers.
#pragma once
#include <cstdint>
#include <optional>
#include <span>

#include "trainers/objective/totals.h"

namespace ppc::objective {

/// A token's loss, and how they are added up over a step.
enum class PolicyLoss {
  Grpo,    // the mean over sequences of the means over their tokens
  Bnpo,    // the mean over all tokens, as dapo; the two differ only where programs look at one micro-batch at a time
  DrGrpo,  // the sum over all tokens / (sequences · max_tokens)
  Dapo,    // the mean over all tokens
  Cispo,   // as dapo
  Sapo,    // as grpo
  Vespo,   // as dapo
  Luspo,   // the mean over sequences of the sums over their tokens; with Level::Sequence only
};

/// What a ratio is of.
enum class Level { Token, Sequence };

/// What corrects for a sampler whose probabilities were not quite the trainer's: exp(o - s) with s as the sampler had it, of a token or
/// of a sequence (the product); outside of [floor, cap] it is cut to these, or the token or sequence is left out.
enum class Correction { None, TokenTruncate, TokenMask, SequenceTruncate, SequenceMask };

struct PolicyOptions {
  PolicyLoss loss = PolicyLoss::Dapo;
  Level level = Level::Token;
  double epsilon = 0.2;
  std::optional<double> epsilon_high = {};   // none: epsilon. For cispo, which needs it, the greatest ratio itself
  std::optional<double> delta = {};          // a greatest ratio for negative advantages, too, which the clip does not bound
  double beta = 0;                           // weight of the KL to the reference
  bool kl_ratio = false;                     // multiply the KL by c, which makes its gradient that of the KL
  std::optional<double> off_policy_kl = {};  // a sequence with a negative advantage and a mean of s - x above this is left out
  Correction correction = Correction::None;
  std::optional<double> cap = 3.0, floor = {};
  double max_tokens = 0;                     // dr_grpo: the most that a sequence may have
  double sapo_positive = 1.0, sapo_negative = 1.05;    // τ, by the advantage's sign
  struct Gamma { double k = 0, lambda = 0; };
  Gamma vespo_positive = {2, 3}, vespo_negative = {3, 2};
};

/// Sequences one after the other, of each the trained tokens only. What is not needed may be empty: `old` (the batch was sampled with
/// the weights of now), `reference` (beta = 0), `sampler` (neither a correction nor off_policy_kl; else as `old`).
struct PolicyBatch {
  std::span<const int64_t> lengths;             // of each sequence; 0 is allowed
  std::span<const double> logprobs;             // x: of each token, as are the next three
  std::span<const double> old, reference, sampler;
  std::span<const double> advantages;           // of each sequence,
  std::span<const double> token_advantages;     // or of each token; the other is empty
};

/// Sums and extremes, so that pieces can be added. The ratios that are meant are those of PolicyOptions::level.
struct PolicyMetrics {
  int64_t sequences = 0, tokens = 0;
  double ratio = 0, ratio_max = 0, ratio_min = 0;
  int64_t clipped_low = 0, clipped_high = 0;    // tokens whose gradient a clip took away, below and above
  double old_kl = 0;                            // k3 of the weights that sampled to those of now
  double reference_kl = 0;                      // k3 of the weights of now to the reference
  double correction = 0, correction_squares = 0;
  int64_t corrected = 0, left_out = 0;          // tokens whose correction was not what it was cut to; tokens that got weight 0
  double sampler_gap = 0, sampler_gap_max = 0;  // |o - s|
  double vespo_weight = 0;                      // φ

  PolicyMetrics& operator+=(const PolicyMetrics&);
  double mean(double sum) const { return tokens ? sum / static_cast<double>(tokens) : 0; }
  /// Of the correction, as a fraction of all tokens (Kish): 1 where all weigh the same.
  double effective_sample_size() const;
};

struct PolicyResult {
  double loss = 0;
  PolicyMetrics metrics;
};

/// std::invalid_argument with what is wrong: numbers out of range, options that exclude each other.
void check(const PolicyOptions&);

/// `gradient`: of each token, written. std::invalid_argument: options and sizes that do not fit; std::domain_error: a number that is not
/// finite. A loss that overflows is told as it is.
PolicyResult policy_loss(const PolicyBatch&, const PolicyOptions&, const Totals&, std::span<double> gradient);

}  // namespace ppc::objective
