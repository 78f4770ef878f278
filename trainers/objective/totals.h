// What a loss is divided by: counts of everything that one step of the optimizer learns from. A batch may then be computed in pieces,
// and on several machines; the pieces' losses and gradients add up to those of the whole.
#pragma once
#include <cstdint>

namespace ppc::objective {

struct Totals {
  int64_t sequences = 0;  // those without a trained token, too
  int64_t tokens = 0;     // trained ones
};

}  // namespace ppc::objective
