// Which episodes of a run have been recorded already.
#pragma once
#include <ios>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/engine/records.h"

namespace ppc::cli {

/// What DIR/episodes.jsonl holds. A line that was cut off does not count, nor an episode some of whose branches are missing.
class AlreadyPlayed {
 public:
  explicit AlreadyPlayed(const std::string& folder);
  /// Whether this episode (its record needs no journal) is there. Throws engine::InputError when it is, but was played with
  /// another seed, with other branches or by another game.
  bool has(const engine::Record&) const;
  /// How many times `has` was true.
  size_t matched() const { return matched_; }
  /// Where the lines of episodes begin that do not count for their branches.
  const std::set<std::streamoff>& stale() const { return stale_; }

 private:
  struct Line {
    std::string seed, hash, points;
    size_t missing = 0;                 // branches that are not there yet
    std::vector<std::streamoff> lines;  // its own, and those of its branches
  };
  std::string path_;
  std::map<std::string, Line> lines_;  // by folder
  std::set<std::streamoff> stale_;
  mutable size_t matched_ = 0;
};

/// Brings the lines of DIR/episodes.jsonl whose `record` is named here into this order, each with its branches behind it, behind all others;
/// leaves out those that begin at `stale`. The file is replaced as a whole, and only when it is not in order already. Throws engine::SystemError.
void order_lines(const std::string& folder, const std::map<std::string, size_t>& order, const std::set<std::streamoff>& stale = {});

}  // namespace ppc::cli
