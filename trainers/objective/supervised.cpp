#include "trainers/objective/supervised.h"

#include <cmath>
#include <stdexcept>

#include "trainers/objective/check.h"

namespace ppc::objective {

double supervised_loss(SupervisedLoss loss, std::span<const double> logprobs, const Totals& totals, std::span<double> gradient) {
  if (gradient.size() != logprobs.size()) throw std::invalid_argument("supervised_loss: as many gradients as log-probabilities");
  if (totals.tokens < static_cast<int64_t>(logprobs.size())) throw std::invalid_argument("supervised_loss: more tokens than in total");
  check_finite(logprobs, "log-probability");
  const double n = static_cast<double>(totals.tokens);
  double sum = 0;
  for (size_t i = 0; i < logprobs.size(); ++i) {
    const double weight = loss == SupervisedLoss::Dft ? std::exp(logprobs[i]) : 1;
    sum -= weight * logprobs[i];
    gradient[i] = -weight / n;
  }
  return logprobs.empty() ? 0 : sum / n;
}

}  // namespace ppc::objective
