#include "trainers/objective/check.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace ppc::objective {

void check_finite(std::span<const double> values, const char* what) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw std::domain_error(std::string(what) + " " + std::to_string(i + 1) + " of " + std::to_string(values.size()) + " is " + std::to_string(values[i]));
  }
}

}  // namespace ppc::objective
