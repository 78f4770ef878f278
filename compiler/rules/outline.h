// Which steps become functions.
#pragma once
#include <vector>

#include "compiler/sema/model.h"

namespace ppc::rules {

/// For each step of the game: whether it is one function that is called (Function::Kind::Part) rather than written out wherever
/// play comes to it. A step may be when it neither asks, nor says what becomes of a reply (`retry`, `pass`); it is when
/// writing it out would cost too much code.
std::vector<bool> outlined_steps(const sema::Game&);

}  // namespace ppc::rules
