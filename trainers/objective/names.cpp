#include "trainers/objective/names.h"

#include <array>
#include <stdexcept>

#include "trainers/objective/advantages.h"
#include "trainers/objective/policy.h"
#include "trainers/objective/preference.h"
#include "trainers/objective/supervised.h"

namespace ppc::objective {
namespace {

// In the order of the enumerations.
template <class E> struct Names;
template <> struct Names<PolicyLoss> {
  static constexpr std::array all{"grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "vespo", "luspo"};
};
template <> struct Names<Level> {
  static constexpr std::array all{"token", "sequence"};
};
template <> struct Names<Correction> {
  static constexpr std::array all{"none", "token_truncate", "token_mask", "sequence_truncate", "sequence_mask"};
};
template <> struct Names<Scale> {
  static constexpr std::array all{"group", "batch", "none"};
};
template <> struct Names<Combine> {
  static constexpr std::array all{"sum_then_normalize", "normalize_then_sum"};
};
template <> struct Names<PreferenceLoss> {
  static constexpr std::array all{"sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair",
                                  "sppo_hard", "aot", "aot_unpaired", "apo_zero", "apo_down", "discopop"};
};
template <> struct Names<Divergence> {
  static constexpr std::array all{"reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"};
};
template <> struct Names<SupervisedLoss> {
  static constexpr std::array all{"nll", "dft"};
};

}  // namespace

template <class E>
std::optional<E> from_name(std::string_view name) {
  for (size_t i = 0; i < Names<E>::all.size(); ++i)
    if (name == Names<E>::all[i]) return static_cast<E>(i);
  return {};
}

template <class E>
std::string_view to_name(E value) {
  return Names<E>::all.at(static_cast<size_t>(value));
}

template <class E>
std::vector<std::string> names() {
  return {Names<E>::all.begin(), Names<E>::all.end()};
}

template <class E>
E parse(std::string_view name) {
  if (const std::optional<E> value = from_name<E>(name)) return *value;
  std::string all;
  for (const char* n : Names<E>::all) all.append(all.empty() ? "" : ", ").append(n);
  throw std::invalid_argument("no `" + std::string(name) + "`: it is one of " + all);
}

#define PPC_NAMED(E)                                       \
  template std::optional<E> from_name<E>(std::string_view); \
  template std::string_view to_name<E>(E);                 \
  template std::vector<std::string> names<E>();            \
  template E parse<E>(std::string_view);
PPC_NAMED(PolicyLoss)
PPC_NAMED(Level)
PPC_NAMED(Correction)
PPC_NAMED(Scale)
PPC_NAMED(Combine)
PPC_NAMED(PreferenceLoss)
PPC_NAMED(Divergence)
PPC_NAMED(SupervisedLoss)
#undef PPC_NAMED

}  // namespace ppc::objective
