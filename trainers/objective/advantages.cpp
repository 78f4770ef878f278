#include "trainers/objective/advantages.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <unordered_map>

#include "trainers/objective/check.h"

namespace ppc::objective {
namespace {

struct Moments { double mean = 0, deviation = 0; };

Moments moments(const std::vector<double>& values) {
  Moments m;
  for (double v : values) m.mean += v;
  m.mean /= static_cast<double>(values.size());
  if (values.size() < 2) return m;
  double squares = 0;
  for (double v : values) squares += (v - m.mean) * (v - m.mean);
  m.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  return m;
}

/// Sums of the same rewards may differ in their last bits.
bool flat(const std::vector<double>& values) {
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return *high - *low <= 1e-12 * std::max(std::abs(*low), std::abs(*high));
}

}  // namespace

int64_t Advantages::flat_groups() const {
  return std::count_if(groups.begin(), groups.end(), [](const Group& g) { return g.flat; });
}

int64_t Advantages::flat_sequences() const {
  int64_t n = 0;
  for (const Group& g : groups)
    if (g.flat) n += g.size;
  return n;
}

Advantages advantages(std::span<const double> rewards, std::span<const double> weights, std::span<const int64_t> group, const AdvantageOptions& options) {
  const size_t n = group.size(), k = weights.size();
  if (k == 0 || rewards.size() != n * k) throw std::invalid_argument("advantages: one reward for each sequence and weight");
  if (!(options.eps >= 0)) throw std::invalid_argument("advantages: eps is at least 0");
  const bool separate = options.combine == Combine::NormalizeThenSum;
  if (separate && options.scale != Scale::Group) throw std::invalid_argument("normalize_then_sum scales by group");
  check_finite(rewards, "reward");
  check_finite(weights, "weight");

  Advantages out;
  out.values.assign(n, 0);
  out.rewards.assign(n, 0);
  std::vector<std::vector<size_t>> members;
  std::unordered_map<int64_t, size_t> index;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < k; ++j) out.rewards[i] += weights[j] * rewards[i * k + j];
    const auto [it, fresh] = index.try_emplace(group[i], members.size());
    if (fresh) {
      members.emplace_back();
      out.groups.push_back({.id = group[i]});
    }
    members[it->second].push_back(i);
  }
  if (n == 0) return out;

  const Moments all = moments(out.rewards);
  std::vector<double> values;
  for (size_t g = 0; g < members.size(); ++g) {
    Advantages::Group& info = out.groups[g];
    auto column = [&](auto&& of) {
      values.clear();
      for (size_t i : members[g]) values.push_back(of(i));
    };
    column([&](size_t i) { return out.rewards[i]; });
    const Moments m = moments(values);
    info.size = static_cast<int64_t>(values.size());
    info.mean = m.mean;
    info.deviation = m.deviation;
    info.flat = flat(values);
    if (!separate) {
      if (info.flat) continue;
      const double by = options.scale == Scale::None ? 1 : (options.scale == Scale::Group ? m : all).deviation + options.eps;
      for (size_t i : members[g]) out.values[i] = (out.rewards[i] - m.mean) / by;
      continue;
    }
    // Rewards that differ may have equal sums, and teach all the same.
    info.flat = true;
    for (size_t j = 0; j < k; ++j) {
      if (weights[j] == 0) continue;
      column([&](size_t i) { return rewards[i * k + j]; });
      if (flat(values)) continue;
      info.flat = false;
      const Moments c = moments(values);
      for (size_t i : members[g]) out.values[i] += weights[j] * (rewards[i * k + j] - c.mean) / (c.deviation + options.eps);
    }
  }
  if (separate && out.flat_groups() < static_cast<int64_t>(out.groups.size())) {
    const Moments m = moments(out.values);
    for (size_t g = 0; g < members.size(); ++g) {
      for (size_t i : members[g]) out.values[i] = out.groups[g].flat ? 0 : (out.values[i] - m.mean) / (m.deviation + options.eps);
    }
  }
  return out;
}

}  // namespace ppc::objective
