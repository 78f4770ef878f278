// Which episodes of a run have been recorded already.
#pragma once
#include <map>
#include <string>

#include "runtime/engine/records.h"

namespace ppc::cli {

/// What DIR/episodes.jsonl holds. A line that was cut off does not count.
class AlreadyPlayed {
 public:
  explicit AlreadyPlayed(const std::string& folder);
  /// Whether this episode (its record needs no journal) is there. Throws engine::InputError when it is, but was played with
  /// another seed or by another game.
  bool has(const engine::Record&) const;
  /// How many times `has` was true.
  size_t matched() const { return matched_; }

 private:
  struct Line { std::string seed, hash; };
  std::string path_;
  std::map<std::string, Line> lines_;  // by folder
  mutable size_t matched_ = 0;
};

/// Brings the lines of DIR/episodes.jsonl whose `record` is named here into this order, behind all others. The file is replaced as a
/// whole, and only when it is not in order already. Throws engine::SystemError.
void order_lines(const std::string& folder, const std::map<std::string, size_t>& order);

}  // namespace ppc::cli
