// What SFT minimises.
#pragma once
#include <span>

#include "trainers/objective/totals.h"

namespace ppc::objective {

enum class SupervisedLoss {
  Nll,  // -log p, the mean over all trained tokens of a step
  Dft,  // -sg(p)·log p: what is improbable is learned less eagerly (Wu et al., arXiv:2508.05629)
};

/// `logprobs` and `gradient` (written, not added to): one of each trained token, as many. Returns the loss, in nats a token.
/// std::invalid_argument: sizes that differ; std::domain_error: a log-probability that is not finite.
double supervised_loss(SupervisedLoss, std::span<const double> logprobs, const Totals&, std::span<double> gradient);

}  // namespace ppc::objective
