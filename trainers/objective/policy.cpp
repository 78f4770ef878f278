#include "trainers/objective/policy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include "trainers/objective/check.h"

namespace ppc::objective {
namespace {

// VESPO computes in this range (Shen et al., arXiv:2602.10693, and their code's limits).
constexpr double kLogLimit = 20;
const double kLogLowest = std::log(1e-8);

/// A ratio may overflow where it has no gradient.
double times(double slope, double ratio) { return slope == 0 ? 0 : slope * ratio; }

bool of_sequences(Correction c) { return c == Correction::SequenceTruncate || c == Correction::SequenceMask; }
bool masks(Correction c) { return c == Correction::TokenMask || c == Correction::SequenceMask; }

/// Reads a sequence's numbers; what was not given is what it stands for.
struct Row {
  std::span<const double> x, o, r, s;
  std::span<const double> advantages;  // one, or one a token
  size_t size() const { return x.size(); }
  double advantage(size_t t) const { return advantages.size() == 1 ? advantages[0] : advantages[t]; }
};

struct Corrected {
  double weight = 1;
  bool cut = false;
};

Corrected correct(double log_ratio, const PolicyOptions& options) {
  const double w = std::exp(log_ratio);
  const double low = options.floor.value_or(0), high = options.cap.value_or(std::numeric_limits<double>::infinity());
  if (w >= low && w <= high) return {w, false};
  return {masks(options.correction) ? 0 : std::clamp(w, low, high), true};
}

/// A token's loss without correction, and its derivatives by the ratio and by the log-probability itself.
struct Term { double loss = 0, by_ratio = 0, by_logprob = 0; };

Term term(double c, double x, double a, double vespo_weight, const PolicyOptions& options, PolicyMetrics& metrics) {
  if (a == 0) return {};  // whatever the ratio: 0 · inf
  switch (options.loss) {
    case PolicyLoss::Cispo: {
      const double most = *options.epsilon_high;
      if (c > most && a > 0) ++metrics.clipped_high;
      const double w = std::min(c, most) * a;
      return {-w * x, 0, -w};
    }
    case PolicyLoss::Sapo: {
      const double tau = a > 0 ? options.sapo_positive : options.sapo_negative;
      const double gate = 1 / (1 + std::exp(-tau * (c - 1)));
      return {-gate * 4 / tau * a, -4 * gate * (1 - gate) * a, 0};
    }
    case PolicyLoss::Vespo: return {-vespo_weight * a * x, 0, -vespo_weight * a};
    default: break;
  }
  const double low = 1 - options.epsilon, high = 1 + options.epsilon_high.value_or(options.epsilon);
  const bool cut = options.delta && c > *options.delta;
  const double free = (cut ? *options.delta : c) * a, clipped = std::clamp(c, low, high) * a;
  const bool inside = c >= low && c <= high;
  const bool lost = clipped < free ? !inside : cut;
  if (lost) ++(c < low ? metrics.clipped_low : metrics.clipped_high);
  return {-std::min(free, clipped), lost ? 0 : -a, 0};
}

class Loss {
 public:
  Loss(const PolicyOptions& options, const Totals& totals) : options_(options), totals_(totals) {}

  void add(const Row& row, std::span<double> gradient);

  PolicyResult result;

 private:
  double share(size_t n) const;

  const PolicyOptions& options_;
  const Totals& totals_;
  std::vector<double> weights_, vespo_;
};

/// What a token of a sequence of n weighs in the whole step.
double Loss::share(size_t n) const {
  const double sequences = static_cast<double>(totals_.sequences), tokens = static_cast<double>(totals_.tokens);
  switch (options_.loss) {
    case PolicyLoss::Grpo:
    case PolicyLoss::Sapo: return 1 / (sequences * static_cast<double>(n));
    case PolicyLoss::DrGrpo: return 1 / (sequences * options_.max_tokens);
    case PolicyLoss::Luspo: return 1 / sequences;
    default: return 1 / tokens;
  }
}

void Loss::add(const Row& row, std::span<double> gradient) {
  PolicyMetrics& m = result.metrics;
  const size_t n = row.size();
  ++m.sequences;
  if (n == 0) return;
  const double length = static_cast<double>(n);
  double moved = 0, gap = 0, behind = 0;  // sums of x - o, o - s, s - x
  for (size_t t = 0; t < n; ++t) {
    moved += row.x[t] - row.o[t];
    gap += row.o[t] - row.s[t];
    behind += row.s[t] - row.x[t];
  }

  weights_.assign(n, 1);
  double log_correction = 0;
  if (options_.correction != Correction::None) {
    const bool whole = of_sequences(options_.correction);
    for (size_t t = 0; t < n; ++t) {
      const Corrected c = correct(whole ? gap : row.o[t] - row.s[t], options_);
      weights_[t] = c.weight;
      m.corrected += c.cut;
      if (!whole || t == 0) log_correction += c.weight > 0 ? std::clamp(std::log(c.weight), kLogLowest, kLogLimit) : kLogLowest;
    }
  }
  double log_weight = log_correction;
  if (options_.loss == PolicyLoss::Vespo)
    for (size_t t = 0; t < n; ++t) log_weight += std::clamp(row.x[t] - row.o[t], -kLogLimit, kLogLimit);
  log_weight = std::clamp(log_weight, kLogLowest, kLogLimit);

  const double part = share(n);
  const bool of_sequence = options_.level == Level::Sequence;
  const double sequence_ratio = of_sequence ? std::exp(moved / length) : 0;
  double by_sequence_ratio = 0;
  for (size_t t = 0; t < n; ++t) {
    const double x = row.x[t], a = row.advantage(t);
    const double c = of_sequence ? sequence_ratio : std::exp(x - row.o[t]);
    double phi = 0;
    if (options_.loss == PolicyLoss::Vespo) {
      const PolicyOptions::Gamma& g = a >= 0 ? options_.vespo_positive : options_.vespo_negative;
      phi = std::exp(g.lambda + g.k * log_weight - g.lambda * std::exp(log_weight));
    }
    // VESPO's weight has the correction inside.
    double weight = options_.loss == PolicyLoss::Vespo ? 1 : weights_[t];
    if (options_.off_policy_kl && a < 0 && behind / length > *options_.off_policy_kl) weight = 0;
    Term l;
    if (weight > 0) l = term(c, x, a, phi, options_, m);
    else ++m.left_out;
    double loss = weight * l.loss, by_ratio = weight * l.by_ratio, by_logprob = weight * l.by_logprob;

    double kl = 0;
    if (!row.r.empty()) {  // k3: Schulman, joschu.net/blog/kl-approx.html
      const double q = row.r[t] - x, e = std::expm1(q);
      kl = e - q;
      if (options_.beta != 0) {
        loss += options_.beta * (options_.kl_ratio ? c : 1) * kl;
        by_logprob -= options_.beta * (options_.kl_ratio ? c : 1) * e;
        if (options_.kl_ratio) by_ratio += options_.beta * kl;
      }
    }

    result.loss += part * loss;
    gradient[t] = part * by_logprob;
    if (of_sequence) by_sequence_ratio += part * by_ratio;
    else gradient[t] += times(part * by_ratio, c);

    const double step = x - row.o[t], apart = std::abs(row.o[t] - row.s[t]);
    m.ratio_max = m.tokens ? std::max(m.ratio_max, c) : c;
    m.ratio_min = m.tokens ? std::min(m.ratio_min, c) : c;
    ++m.tokens;
    m.ratio += c;
    m.old_kl += std::expm1(step) - step;
    m.reference_kl += kl;
    m.correction += weights_[t];
    m.correction_squares += weights_[t] * weights_[t];
    m.sampler_gap += apart;
    m.sampler_gap_max = std::max(m.sampler_gap_max, apart);
    m.vespo_weight += phi;
  }
  if (of_sequence)
    for (size_t t = 0; t < n; ++t) gradient[t] += times(by_sequence_ratio, sequence_ratio) / length;
}

void require(bool good, const char* what) {
  if (!good) throw std::invalid_argument(what);
}

}  // namespace

PolicyMetrics& PolicyMetrics::operator+=(const PolicyMetrics& b) {
  if (b.tokens) {
    ratio_max = tokens ? std::max(ratio_max, b.ratio_max) : b.ratio_max;
    ratio_min = tokens ? std::min(ratio_min, b.ratio_min) : b.ratio_min;
  }
  sequences += b.sequences;
  tokens += b.tokens;
  ratio += b.ratio;
  clipped_low += b.clipped_low;
  clipped_high += b.clipped_high;
  old_kl += b.old_kl;
  reference_kl += b.reference_kl;
  correction += b.correction;
  correction_squares += b.correction_squares;
  corrected += b.corrected;
  left_out += b.left_out;
  sampler_gap += b.sampler_gap;
  sampler_gap_max = std::max(sampler_gap_max, b.sampler_gap_max);
  vespo_weight += b.vespo_weight;
  return *this;
}

double PolicyMetrics::effective_sample_size() const {
  return correction_squares > 0 ? correction * correction / correction_squares / static_cast<double>(tokens) : 0;
}

void check(const PolicyOptions& o) {
  require(o.epsilon >= 0 && o.epsilon <= 1, "epsilon is between 0 and 1");
  require(!o.epsilon_high || *o.epsilon_high >= 0, "epsilon_high is at least 0");
  require(o.loss != PolicyLoss::Cispo || o.epsilon_high, "cispo needs epsilon_high: the greatest ratio, such as 5");
  require(!o.delta || *o.delta > 0, "delta is above 0");
  require(std::isfinite(o.beta) && o.beta >= 0, "beta is at least 0");
  require(!o.off_policy_kl || std::isfinite(*o.off_policy_kl), "off_policy_kl is a number");
  require(!o.cap || *o.cap > 0, "cap is above 0");
  require(!o.floor || (*o.floor >= 0 && (!o.cap || *o.floor <= *o.cap)), "floor is between 0 and cap");
  require(o.loss != PolicyLoss::DrGrpo || o.max_tokens > 0, "dr_grpo needs max_tokens");
  require(o.loss != PolicyLoss::Luspo || o.level == Level::Sequence, "luspo needs ratios at sequence level");
  require(o.sapo_positive > 0 && o.sapo_negative > 0, "sapo's temperatures are above 0");
  for (const PolicyOptions::Gamma& g : {o.vespo_positive, o.vespo_negative}) require(g.k >= 0 && g.lambda >= 0, "vespo's k and lambda are at least 0");
}

PolicyResult policy_loss(const PolicyBatch& batch, const PolicyOptions& options, const Totals& totals, std::span<double> gradient) {
  check(options);
  const size_t tokens = batch.logprobs.size(), sequences = batch.lengths.size();
  for (int64_t n : batch.lengths) require(n >= 0, "policy_loss: a length below 0");
  require(std::accumulate(batch.lengths.begin(), batch.lengths.end(), size_t{0}) == tokens, "policy_loss: lengths are not those of the tokens");
  for (const auto& given : {batch.old, batch.reference, batch.sampler})
    require(given.empty() || given.size() == tokens, "policy_loss: as many old, reference and sampler's log-probabilities as tokens");
  require(gradient.size() == tokens, "policy_loss: as many gradients as tokens");
  const bool of_tokens = !batch.token_advantages.empty();
  require(!of_tokens || batch.advantages.empty(), "policy_loss: advantages of sequences or of tokens, not both");
  require(tokens == 0 || (of_tokens ? batch.token_advantages.size() == tokens : batch.advantages.size() == sequences), "policy_loss: too few advantages, or too many");
  require(options.beta == 0 || !batch.reference.empty() || tokens == 0, "policy_loss: beta needs the reference's log-probabilities");
  require(totals.sequences >= static_cast<int64_t>(sequences) && totals.tokens >= static_cast<int64_t>(tokens), "policy_loss: more than in total");
  check_finite(batch.logprobs, "log-probability");
  check_finite(batch.old, "old log-probability");
  check_finite(batch.reference, "reference's log-probability");
  check_finite(batch.sampler, "sampler's log-probability");
  check_finite(of_tokens ? batch.token_advantages : batch.advantages, "advantage");

  Loss loss(options, totals);
  size_t at = 0;
  for (size_t i = 0; i < sequences; ++i) {
    const auto n = static_cast<size_t>(batch.lengths[i]);
    const auto old = batch.old.empty() ? batch.logprobs : batch.old;
    const auto sampler = batch.sampler.empty() ? old : batch.sampler;
    loss.add({batch.logprobs.subspan(at, n), old.subspan(at, n), batch.reference.empty() ? batch.reference : batch.reference.subspan(at, n), sampler.subspan(at, n),
              n == 0 ? batch.advantages.first(0) : of_tokens ? batch.token_advantages.subspan(at, n) : batch.advantages.subspan(i, 1)},
             gradient.subspan(at, n));
    at += n;
  }
  return loss.result;
}

}  // namespace ppc::objective
