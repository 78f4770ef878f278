// Replies as they come, so that a run that was killed loses none: a game is deterministic, and its episode is there again once
// the same replies have been given.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/players/player.h"

namespace ppc::players {

/// The file DIR/replies.jsonl: a line a reply, appended with one write. It goes when a run is complete.
class ReplyLog {
 public:
  /// `resume`: what is in the file is given again; else it must not be there. Throws engine::SystemError, engine::InputError.
  ReplyLog(std::string path, bool resume);
  ~ReplyLog();
  ReplyLog(const ReplyLog&) = delete;
  ReplyLog& operator=(const ReplyLog&) = delete;
  /// The replies of a player of an episode, in order; they are given once.
  std::vector<Reply> take(const std::string& episode, uint32_t player);
  /// Thread-safe. Throws engine::SystemError when the disk does not let it.
  void append(const std::string& episode, uint32_t player, const Reply&);
  /// All episodes are recorded.
  void remove();

 private:
  std::string path_;
  int file_ = -1;
  std::mutex mutex_;
  std::map<std::pair<std::string, uint32_t>, std::vector<Reply>> left_;
};

/// Gives the recorded replies first, then asks; what comes is recorded before the game hears of it. `episode` names it within the
/// run: its folder and seed.
std::unique_ptr<Player> make_logged(std::unique_ptr<Player>, std::shared_ptr<ReplyLog>, std::string episode, uint32_t player);

}  // namespace ppc::players
