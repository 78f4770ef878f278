// What DPO and its relatives minimise, as a function of the two replies' log-probabilities: the loss, its gradient, metrics.
//
// With c and r the sums of the log-probabilities of the trained tokens of the chosen and of the rejected, and C and R those of the
// reference: h = beta·((c - C) - (r - R)). docs/training.md has the formulas and papers.
#pragma once
#include <cstdint>
#include <span>

namespace ppc::objective {

enum class PreferenceLoss {
  Sigmoid, SigmoidNorm, Hinge, Ipo, ExoPair, NcaPair, Robust, BcoPair, SppoHard, Aot, AotUnpaired, ApoZero, ApoDown, Discopop,
};

/// What c - C and r - R become first (f-DPO: Wang et al., arXiv:2309.16240).
enum class Divergence { ReverseKl, ForwardKl, JsDivergence, AlphaDivergence };

struct PreferenceOptions {
  PreferenceLoss loss = PreferenceLoss::Sigmoid;
  Divergence divergence = Divergence::ReverseKl;
  double beta = 0.1;
  double label_smoothing = 0;  // the fraction of pairs that are the wrong way round; exo_pair: 0 means 1e-3
  double alpha = 0.5;          // of alpha_divergence
  double discopop_tau = 0.05;
  double bco_shift = 0;        // BCO's running mean of the rewards, which the caller keeps
};

/// One of each pair. Lengths: trained tokens.
struct PreferenceBatch {
  std::span<const double> chosen, rejected, reference_chosen, reference_rejected;
  std::span<const int64_t> chosen_lengths, rejected_lengths;  // ipo and sigmoid_norm only, else may be empty
};

/// Sums, so that pieces can be added.
struct PreferenceMetrics {
  int64_t pairs = 0;
  double chosen_reward = 0, rejected_reward = 0;  // beta·(c - C), beta·(r - R)
  double accuracy = 0;                            // pairs with the greater reward on the chosen
  double chosen_logprob = 0, rejected_logprob = 0;

  PreferenceMetrics& operator+=(const PreferenceMetrics&);
  double mean(double sum) const { return pairs ? sum / static_cast<double>(pairs) : 0; }
};

struct PreferenceResult {
  double loss = 0;
  PreferenceMetrics metrics;
};

/// std::invalid_argument with what is wrong.
void check(const PreferenceOptions&);

/// The loss is a mean over `total` pairs, of which the batch may be a part; not so for aot and aot_unpaired, which sort all of them.
/// `by_chosen`, `by_rejected`: the gradient with respect to c and r of each pair (and so to each of their tokens), written.
/// std::invalid_argument: options and sizes that do not fit; std::domain_error: a number that is not finite.
PreferenceResult preference_loss(const PreferenceBatch&, const PreferenceOptions&, int64_t total, std::span<double> by_chosen, std::span<double> by_rejected);

}  // namespace ppc::objective
