// The names that options have in a configuration.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ppc::objective {

/// For the enumerations of this folder: PolicyLoss, Level, Correction, Scale, Combine, PreferenceLoss, Divergence, SupervisedLoss.
template <class E> std::optional<E> from_name(std::string_view);
template <class E> std::string_view to_name(E);
/// All names, in the order of the enumeration.
template <class E> std::vector<std::string> names();
/// As from_name, but throws std::invalid_argument, which lists the names: "no `dapa`: it is one of grpo, bnpo, …".
template <class E> E parse(std::string_view);

}  // namespace ppc::objective
