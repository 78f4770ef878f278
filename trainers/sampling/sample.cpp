#include "trainers/sampling/sample.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "runtime/engine/splitmix.h"

namespace ppc::sampling {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();
constexpr size_t kBlock = 1024;  // tokens whose weights are summed together, so that a draw looks at few of them

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define PPC_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PPC_CLONES
#endif

/// e^x for x <= 0 to 2e-7 of its value; below -87, 0. Written so that compilers turn loops over it into vector code.
inline float exponential(float x) {
  // Cody and Waite's reduction to [-ln 2 / 2, ln 2 / 2], then the polynomial of the Cephes library's expf.
  const float clipped = x > -87.0f ? x : -87.0f;  // NaN too: no int stands for it
  const float n = std::floor(clipped * 1.44269504088896341f + 0.5f);
  const float r = (clipped - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float y = p * r * r + r + 1.0f;
  const float scaled = y * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
  return x > -87.0f ? scaled : 0.0f;
}

PPC_CLONES float largest(const float* x, size_t n) {
  float lanes[16];
  std::fill(lanes, lanes + 16, kNever);
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (size_t k = 0; k < 16; ++k) lanes[k] = x[i + k] > lanes[k] ? x[i + k] : lanes[k];
  for (; i < n; ++i) lanes[0] = std::max(lanes[0], x[i]);
  return *std::max_element(lanes, lanes + 16);
}

/// out[i] = e^((x[i] - max) * scale); returns the sum. A NaN anywhere makes it NaN.
PPC_CLONES double weights_of(const float* x, size_t n, float max, float scale, float* out) {
  double lanes[16] = {};
  size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (size_t k = 0; k < 16; ++k) {
      const float w = exponential((x[i + k] - max) * scale);
      out[i + k] = w;
      lanes[k] += x[i + k] == x[i + k] ? w : x[i + k];
    }
  for (; i < n; ++i) lanes[i % 16] += x[i] == x[i] ? (out[i] = exponential((x[i] - max) * scale)) : x[i];
  double sum = 0;
  for (const double lane : lanes) sum += lane;
  return sum;
}

/// What is not allowed becomes impossible.
PPC_CLONES void mask_out(float* x, size_t n, const uint64_t* allowed) {
  size_t t = 0;
  for (; t + 64 <= n; t += 64) {
    const uint64_t word = allowed[t / 64];
    if (word == ~uint64_t{0}) continue;
    for (size_t k = 0; k < 64; ++k) x[t + k] = word >> k & 1 ? x[t + k] : kNever;
  }
  for (; t < n; ++t)
    if (!(allowed[t / 64] >> t % 64 & 1)) x[t] = kNever;
}

/// Weights are in [0, 1]: their bits are in the same order as they are, and the upper ones sort them into bins.
constexpr size_t kBins = 0x3F80 / 4 + 1;
inline size_t bin_of(float weight) { return std::bit_cast<uint32_t>(weight) >> 18; }

[[noreturn]] void bad_logits() { throw std::runtime_error("the model's logits are not numbers (NaN or infinity): its weights are damaged, or its precision does not suffice"); }

}  // namespace

double uniform(uint64_t seed, uint64_t index) {
  return static_cast<double>(engine::mix64(engine::split_mix(seed) + (index + 1) * engine::kSplit) >> 11) * 0x1p-53;
}

Choice Sampler::choose(std::span<float> logits, const local::Sampling& s, std::span<const TokenId> seen, std::span<const uint64_t> allowed, double u) {
  const size_t n = logits.size();
  if (s.repetition_penalty != 1 && !seen.empty()) {
    penalised_.resize(n, false);
    const auto penalty = static_cast<float>(s.repetition_penalty);
    for (const TokenId t : seen)
      if (!penalised_[static_cast<size_t>(t)]) {
        penalised_[static_cast<size_t>(t)] = true;
        float& x = logits[static_cast<size_t>(t)];
        x = x > 0 ? x / penalty : x * penalty;
      }
    for (const TokenId t : seen) penalised_[static_cast<size_t>(t)] = false;
  }
  if (!allowed.empty()) mask_out(logits.data(), n, allowed.data());

  const float max = largest(logits.data(), n);
  if (!(max > kNever && max < -kNever)) bad_logits();
  const bool greedy = s.temperature <= 0;
  const double scale = greedy ? 1 : 1 / s.temperature;
  weights_.resize(n);
  double sum = weights_of(logits.data(), n, max, static_cast<float>(scale), weights_.data());
  if (!std::isfinite(sum)) bad_logits();
  // The logarithm of a probability comes from the logit and not from the weight, which has lost what is small.
  auto logprob = [&](size_t t) { return static_cast<float>((static_cast<double>(logits[t]) - max) * scale - std::log(sum)); };

  Choice out;
  if (greedy) {
    out.id = static_cast<TokenId>(std::find(logits.begin(), logits.end(), max) - logits.begin());
  } else {
    // What is cut off gets the weight 0. Ties at an edge stay as long as their ids are lower, so that there is one answer.
    auto heavier = [&](TokenId a, TokenId b) {
      const float x = weights_[static_cast<size_t>(a)], y = weights_[static_cast<size_t>(b)];
      return x > y || (x == y && a < b);
    };
    const bool some_k = s.top_k > 0 && static_cast<size_t>(s.top_k) < n;
    if (some_k || s.top_p < 1) {
      // Only those in the upper bins are put in order: as many as there must be for either reason.
      bins_.assign(kBins, {});
      for (const float w : weights_) {
        Bin& b = bins_[bin_of(w)];
        ++b.count;
        b.sum += w;
      }
      const size_t most = some_k ? static_cast<size_t>(s.top_k) : n;
      size_t lowest = kBins, count = 0;
      for (double share = 0; lowest > 0 && count < most && (some_k || share < s.top_p * sum); count += bins_[lowest].count, share += bins_[lowest].sum) --lowest;
      order_.clear();
      for (size_t t = 0; t < n; ++t)
        if (bin_of(weights_[t]) >= lowest) order_.push_back(static_cast<TokenId>(t));
      std::sort(order_.begin(), order_.end(), heavier);
      size_t kept = std::min(most, order_.size());
      if (s.top_p < 1) {
        double all = 0, share = 0;
        for (size_t i = 0; i < kept; ++i) all += weights_[static_cast<size_t>(order_[i])];
        if (!some_k) all = sum;
        size_t at = 0;
        while (at < kept && share < s.top_p * all) share += weights_[static_cast<size_t>(order_[at++])];
        kept = std::max<size_t>(at, 1);
      }
      const TokenId last = order_[kept - 1];
      for (size_t t = 0; t < n; ++t)
        if (heavier(last, static_cast<TokenId>(t))) logits[t] = kNever, weights_[t] = 0;
    }
    if (s.min_p > 0)  // the heaviest token's weight is 1
      for (size_t t = 0; t < n; ++t)
        if (weights_[t] < s.min_p) logits[t] = kNever, weights_[t] = 0;
    // One pass by blocks, then within one of them.
    sums_.assign((n + kBlock - 1) / kBlock, 0);
    sum = 0;
    for (size_t b = 0; b < sums_.size(); ++b) {
      const size_t end = std::min(n, (b + 1) * kBlock);
      double part = 0;
      for (size_t t = b * kBlock; t < end; ++t) part += weights_[t];
      sum += sums_[b] = part;
    }
    double left = u * sum;
    size_t b = 0;
    while (b + 1 < sums_.size() && left >= sums_[b]) left -= sums_[b++];
    size_t last = n;
    for (size_t t = b * kBlock; t < n; ++t) {  // rounding may carry it into the next block, or behind all
      if (weights_[t] <= 0) continue;
      last = t;
      if (left < weights_[t]) break;
      left -= weights_[t];
    }
    if (last == n)
      for (size_t t = n; t-- > 0 && last == n;)
        if (weights_[t] > 0) last = t;
    out.id = static_cast<TokenId>(last);
  }
  out.logprob = logprob(static_cast<size_t>(out.id));
  if (s.top_logprobs > 0) {
    order_.resize(n);
    std::iota(order_.begin(), order_.end(), 0);
    const size_t wanted = std::min(n, static_cast<size_t>(s.top_logprobs));
    std::partial_sort(order_.begin(), order_.begin() + static_cast<ptrdiff_t>(wanted), order_.end(), [&](TokenId a, TokenId b) {
      const float x = logits[static_cast<size_t>(a)], y = logits[static_cast<size_t>(b)];
      return x > y || (x == y && a < b);
    });
    for (size_t i = 0; i < wanted && logits[static_cast<size_t>(order_[i])] > kNever; ++i) out.top.push_back({order_[i], logprob(static_cast<size_t>(order_[i]))});
  }
  return out;
}

}  // namespace ppc::sampling
