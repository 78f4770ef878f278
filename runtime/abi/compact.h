// An episode's block without what nothing refers to any more.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/abi/abi.h"

namespace ppc::rt {

/// Where a type's values lie, as in ppc_ctx.
struct Types { const ppc_type* types; const uint32_t* fields; };

/// Values are only ever added at the end of a state, so what a variable held before stays. This copies into `out` the head, the
/// slots, and what the slots refer to. The first `messages` slots are messages to players; `slot_types` are the types of the rest. False when the copy would
/// not be smaller than the block: then `out` means nothing. What two slots share stays shared.
bool compact(const uint8_t* block, Types, const std::vector<uint32_t>& slot_types, uint32_t messages, std::string& out);

}  // namespace ppc::rt
