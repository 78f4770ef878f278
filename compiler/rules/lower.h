// From the checked model to Rule IR: sugar of control flow becomes blocks, moves and small steps are inlined, constants go to
// the pool. What comes out still has Ask terminators; run the passes (passes.h) before an engine takes it.
#pragma once
#include "compiler/rules/ir.h"
#include "compiler/sema/model.h"

namespace ppc::rules {

/// `sources` gives lines to events, faults and debug info, and must outlive the program. Cannot fail: sema has reported
/// everything that could be wrong.
Program lower(const sema::Game&, const Sources& sources);

/// The manifest without entries and hash: what `lower` starts from.
/// `types` is the model's table, perhaps with more types behind it.
engine::Manifest manifest_of(const sema::Game&, const sema::TypeTable& types, const Sources&);

}  // namespace ppc::rules
