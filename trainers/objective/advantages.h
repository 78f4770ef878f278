// How much better than its siblings an episode was: rewards to advantages.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace ppc::objective {

/// What a reward minus its group's mean is divided by. All standard deviations are the sample's (Bessel's correction).
enum class Scale {
  Group,  // the group's standard deviation (GRPO: Shao et al., arXiv:2402.03300)
  Batch,  // that of all rewards (Liu et al., arXiv:2508.08221)
  None,   // nothing (Dr. GRPO: Liu et al., arXiv:2503.20783)
};

/// What is done with several rewards of one sequence.
enum class Combine {
  SumThenNormalize,
  NormalizeThenSum,  // each by itself in its group; then their sum in the batch (GDPO: Liu et al., arXiv:2601.05242)
};

struct AdvantageOptions {
  Scale scale = Scale::Group;
  Combine combine = Combine::SumThenNormalize;
  double eps = 1e-4;  // added to a standard deviation; 0, as the Playpen paper has it, also works
};

struct Advantages {
  struct Group {
    int64_t id = 0, size = 0;
    double mean = 0, deviation = 0;  // of the weighted sums of rewards
    bool flat = false;               // all rewards equal: it teaches nothing
  };
  std::vector<double> values;    // one a sequence; 0 in a flat group
  std::vector<double> rewards;   // one a sequence: the weighted sum
  std::vector<Group> groups;     // in the order in which their ids first appear
  int64_t flat_groups() const;
  int64_t flat_sequences() const;
};

/// `rewards[i * weights.size() + k]`: reward k of sequence i. `group[i]`: which group it is in; groups may have different sizes, and one
/// of a single sequence is flat. For turn credit a "sequence" is one continuation of a state, and the state is its group.
/// std::invalid_argument: sizes that do not fit, normalize_then_sum with another scale than group; std::domain_error: a reward that is
/// not finite.
Advantages advantages(std::span<const double> rewards, std::span<const double> weights, std::span<const int64_t> group,
                      const AdvantageOptions& = {});

}  // namespace ppc::objective
