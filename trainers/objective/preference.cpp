#include "trainers/objective/preference.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>
#include <utility>
#include <vector>

#include "trainers/objective/check.h"

namespace ppc::objective {
namespace {

double sigmoid(double z) { return z >= 0 ? 1 / (1 + std::exp(-z)) : std::exp(z) / (1 + std::exp(z)); }
double log_sigmoid(double z) { return z >= 0 ? -std::log1p(std::exp(-z)) : z - std::log1p(std::exp(z)); }

/// A function's value and derivative.
struct Value { double at = 0, slope = 0; };

Value transformed(double v, const PreferenceOptions& o) {
  switch (o.divergence) {
    case Divergence::ReverseKl: return {v, 1};
    case Divergence::ForwardKl: return {-std::exp(-v), std::exp(-v)};
    case Divergence::JsDivergence: return {log_sigmoid(v), sigmoid(-v)};
    case Divergence::AlphaDivergence: {
      const double e = std::exp((o.alpha - 1) * v);
      return {e / (o.alpha - 1), e};
    }
  }
  return {};
}

/// -log σ(z), where a fraction of labels may be wrong.
Value logistic(double z, double smoothing = 0) {
  return {-log_sigmoid(z) * (1 - smoothing) - log_sigmoid(-z) * smoothing, sigmoid(z) - 1 + smoothing};
}

/// A pair's loss and its derivatives by c and r.
struct PairLoss { double loss = 0, by_chosen = 0, by_rejected = 0; };

PairLoss of_margin(Value v, Value chosen, Value rejected, double beta) {
  return {v.at, v.slope * beta * chosen.slope, -v.slope * beta * rejected.slope};
}

/// v = c - C and w = r - R of one pair.
PairLoss pair_loss(double v, double w, double chosen_length, double rejected_length, const PreferenceOptions& o) {
  const Value c = transformed(v, o), r = transformed(w, o);
  const double beta = o.beta, z = beta * (c.at - r.at), s = o.label_smoothing;
  switch (o.loss) {
    case PreferenceLoss::Sigmoid: return of_margin(logistic(z, s), c, r, beta);
    case PreferenceLoss::SigmoidNorm: {
      const Value l = logistic(beta * (c.at / chosen_length - r.at / rejected_length), s);
      return {l.at, l.slope * beta * c.slope / chosen_length, -l.slope * beta * r.slope / rejected_length};
    }
    case PreferenceLoss::Hinge: return of_margin({std::max(0.0, 1 - z), z < 1 ? -1.0 : 0.0}, c, r, beta);
    case PreferenceLoss::Ipo: {
      const double d = c.at / chosen_length - r.at / rejected_length - 1 / (2 * beta);
      return {d * d, 2 * d * c.slope / chosen_length, -2 * d * r.slope / rejected_length};
    }
    case PreferenceLoss::ExoPair: {
      const double e = s > 0 ? s : 1e-3, p = sigmoid(z), q = sigmoid(-z);
      const double left = log_sigmoid(z) - std::log1p(-e), right = log_sigmoid(-z) - std::log(e);
      return of_margin({p * left + q * right, p * q * (left - right)}, c, r, beta);
    }
    case PreferenceLoss::NcaPair: {
      const Value a = logistic(beta * c.at), b = logistic(-beta * c.at), d = logistic(-beta * r.at);
      return {a.at + b.at / 2 + d.at / 2, (a.slope - b.slope / 2) * beta * c.slope, -d.slope / 2 * beta * r.slope};
    }
    case PreferenceLoss::Robust: {
      const double by = 1 - 2 * s;
      return of_margin({(-(1 - s) * log_sigmoid(z) + s * log_sigmoid(-z)) / by, (-(1 - s) * sigmoid(-z) - s * sigmoid(z)) / by}, c, r, beta);
    }
    case PreferenceLoss::BcoPair: {
      const Value a = logistic(beta * c.at - o.bco_shift), b = logistic(-(beta * r.at - o.bco_shift));
      return {a.at + b.at, a.slope * beta * c.slope, -b.slope * beta * r.slope};
    }
    case PreferenceLoss::SppoHard: {
      const double a = c.at - 0.5 / beta, b = r.at + 0.5 / beta;
      return {a * a + b * b, 2 * a * c.slope, 2 * b * r.slope};
    }
    case PreferenceLoss::ApoZero: {
      const double a = sigmoid(beta * v), b = sigmoid(beta * w);
      return {1 - a + b, -beta * a * (1 - a), beta * b * (1 - b)};
    }
    case PreferenceLoss::ApoDown: {
      const double a = sigmoid(beta * v), b = sigmoid(z), slope = beta * b * (1 - b);
      return {a + 1 - b, beta * a * (1 - a) - slope * c.slope, slope * r.slope};
    }
    case PreferenceLoss::Discopop: {
      const double m = sigmoid(z / o.discopop_tau), slope = m * (1 - m) / o.discopop_tau, l = -log_sigmoid(z);
      if (m == 0) return of_margin({l, -sigmoid(-z)}, c, r, beta);
      const double e = std::exp(-z);
      return of_margin({l * (1 - m) + e * m, -sigmoid(-z) * (1 - m) - l * slope - e * m + e * slope}, c, r, beta);
    }
    case PreferenceLoss::Aot:
    case PreferenceLoss::AotUnpaired: break;
  }
  return {};
}

std::vector<size_t> order(const std::vector<double>& values) {
  std::vector<size_t> at(values.size());
  std::iota(at.begin(), at.end(), size_t{0});
  std::sort(at.begin(), at.end(), [&](size_t a, size_t b) { return std::pair(values[a], a) < std::pair(values[b], b); });
  return at;
}

std::vector<double> differences(std::span<const double> a, std::span<const double> b) {
  std::vector<double> out(a.size());
  for (size_t i = 0; i < a.size(); ++i) out[i] = a[i] - b[i];
  return out;
}

/// The sums of the losses, and their derivatives: one distribution is moved above another, so what is compared is sorted first.
double sorted_loss(const PreferenceBatch& batch, const PreferenceOptions& o, std::span<double> by_chosen, std::span<double> by_rejected) {
  const bool paired = o.loss == PreferenceLoss::Aot;
  const std::vector<double> above = paired ? differences(batch.chosen, batch.rejected) : differences(batch.chosen, batch.reference_chosen);
  const std::vector<double> below = paired ? differences(batch.reference_chosen, batch.reference_rejected) : differences(batch.rejected, batch.reference_rejected);
  const std::vector<size_t> a = order(above), b = order(below);
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const Value l = logistic(o.beta * (above[a[i]] - below[b[i]]), o.label_smoothing);
    sum += l.at;
    by_chosen[a[i]] = l.slope * o.beta;
    by_rejected[paired ? a[i] : b[i]] = -l.slope * o.beta;
  }
  return sum;
}

void require(bool good, const char* what) {
  if (!good) throw std::invalid_argument(what);
}

bool needs_lengths(PreferenceLoss l) { return l == PreferenceLoss::Ipo || l == PreferenceLoss::SigmoidNorm; }
bool sorts(PreferenceLoss l) { return l == PreferenceLoss::Aot || l == PreferenceLoss::AotUnpaired; }

}  // namespace

PreferenceMetrics& PreferenceMetrics::operator+=(const PreferenceMetrics& b) {
  pairs += b.pairs;
  chosen_reward += b.chosen_reward;
  rejected_reward += b.rejected_reward;
  accuracy += b.accuracy;
  chosen_logprob += b.chosen_logprob;
  rejected_logprob += b.rejected_logprob;
  return *this;
}

void check(const PreferenceOptions& o) {
  require(std::isfinite(o.beta) && o.beta > 0, "beta is above 0");
  require(o.label_smoothing >= 0 && o.label_smoothing < 0.5, "label_smoothing is at least 0 and below 0.5");
  require(o.divergence != Divergence::AlphaDivergence || (std::isfinite(o.alpha) && o.alpha != 1), "alpha is not 1, where alpha_divergence has a pole");
  require(o.divergence == Divergence::ReverseKl || (!sorts(o.loss) && o.loss != PreferenceLoss::ApoZero), "aot, aot_unpaired and apo_zero have reverse_kl only");
  require(o.discopop_tau > 0, "discopop_tau is above 0");
  require(std::isfinite(o.bco_shift), "bco_shift is a number");
}

PreferenceResult preference_loss(const PreferenceBatch& batch, const PreferenceOptions& options, int64_t total, std::span<double> by_chosen, std::span<double> by_rejected) {
  check(options);
  const size_t n = batch.chosen.size();
  for (const auto& given : {batch.rejected, batch.reference_chosen, batch.reference_rejected})
    require(given.size() == n, "preference_loss: four log-probabilities for each pair");
  require(by_chosen.size() == n && by_rejected.size() == n, "preference_loss: as many gradients as pairs");
  require(total >= static_cast<int64_t>(n), "preference_loss: more pairs than in total");
  require(!sorts(options.loss) || total == static_cast<int64_t>(n), "aot and aot_unpaired sort all pairs of a step: they cannot be computed in pieces");
  if (needs_lengths(options.loss)) {
    require(batch.chosen_lengths.size() == n && batch.rejected_lengths.size() == n, "ipo and sigmoid_norm need lengths");
    for (const auto& lengths : {batch.chosen_lengths, batch.rejected_lengths})
      for (int64_t l : lengths) require(l > 0, "ipo and sigmoid_norm: a reply without a trained token");
  }
  check_finite(batch.chosen, "log-probability of a chosen reply");
  check_finite(batch.rejected, "log-probability of a rejected reply");
  check_finite(batch.reference_chosen, "reference's log-probability of a chosen reply");
  check_finite(batch.reference_rejected, "reference's log-probability of a rejected reply");

  PreferenceResult out;
  if (n == 0) return out;
  const bool lengths = needs_lengths(options.loss);
  if (sorts(options.loss)) out.loss = sorted_loss(batch, options, by_chosen, by_rejected);
  for (size_t i = 0; i < n; ++i) {
    const double v = batch.chosen[i] - batch.reference_chosen[i], w = batch.rejected[i] - batch.reference_rejected[i];
    if (!sorts(options.loss)) {
      const PairLoss l = pair_loss(v, w, lengths ? static_cast<double>(batch.chosen_lengths[i]) : 1, lengths ? static_cast<double>(batch.rejected_lengths[i]) : 1, options);
      out.loss += l.loss;
      by_chosen[i] = l.by_chosen;
      by_rejected[i] = l.by_rejected;
    }
    out.metrics.chosen_reward += options.beta * v;
    out.metrics.rejected_reward += options.beta * w;
    out.metrics.accuracy += v > w;
    out.metrics.chosen_logprob += batch.chosen[i];
    out.metrics.rejected_logprob += batch.rejected[i];
  }
  out.metrics.pairs = static_cast<int64_t>(n);
  const double by = static_cast<double>(total);
  out.loss /= by;
  for (double& g : by_chosen) g /= by;
  for (double& g : by_rejected) g /= by;
  return out;
}

}  // namespace ppc::objective
