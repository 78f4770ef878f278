// An episode as HTML: who saw what.
#pragma once
#include <string>

#include "tools/cli/results.h"

namespace ppc::cli {

extern const char* const kConversationStyle;

/// The conversation as a grid: a column for each player, the last one the game master's.
std::string conversation(const Result&);
std::string outcome_badge(const Result&);
/// A score: NaN, numbers with as many decimals as they need up to 4.
std::string value_text(const engine::Json&);

}  // namespace ppc::cli
