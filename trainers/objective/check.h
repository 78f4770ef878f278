// Numbers that cannot be learned from.
#pragma once
#include <span>

namespace ppc::objective {

/// std::domain_error that says which one is not finite: "log-probability 12 of 80 is nan".
void check_finite(std::span<const double>, const char* what);

}  // namespace ppc::objective
