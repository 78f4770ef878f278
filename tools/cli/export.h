// Training data from recorded episodes: what `ppc export` writes, and `ppc train` makes in memory (docs/export.md).
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/engine/json.h"

namespace ppc::cli {

struct ExportOptions {
  enum class Format : uint8_t { Sft, Dpo, Grpo } format = Format::Sft;
  bool turns = false;      // single replies instead of dialogues
  bool messages = false;   // of sft: one list
  bool clean = false;      // of sft: no reply that broke a rule
  bool by_score = false;   // of dpo: by the Main Score instead of the outcome
  double min_gap = 1;      // of dpo by score
  size_t pairs = 4;        // of dpo, for the same instance and role, or the same history
  // Which episodes; what is empty chooses all. `ppc export --format sft` takes won ones when nothing is said.
  std::set<std::string> games = {}, roles = {}, models = {}, outcomes = {};
  std::optional<double> min_score = {}, max_score = {};
  std::vector<std::string> resources = {};  // GAME=DIR, for clembench's folders
  /// The tokens that were fed and sampled: Where lines can have them; All: a reply without is an error that names it.
  enum class Ids : uint8_t { None, Where, All } ids = Ids::None;
};

struct ExportSummary {
  size_t lines = 0, episodes = 0;
  std::map<std::string, size_t> left_out;  // why -> how many
  std::string warning;                     // empty: none
  /// "3 lines from 2 episodes; left out: 1 broke a rule"
  std::string describe() const;
};

/// `where`: folders, episodes.jsonl files, single lines. Throws InputError; that no line comes out is none. All lines have the same columns of the same
/// types, but for Ids::Where.
ExportSummary export_lines(const std::vector<std::string>& where, const ExportOptions&, const std::function<void(engine::Json&&)>& line);

}  // namespace ppc::cli
