// Recorded episodes, read in order to be played again: those of ppc in either form, and clembench's own result folders.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/records.h"
#include "tools/cli/cli.h"
#include "tools/cli/results.h"

namespace ppc::cli {

struct Reply {
  std::string text;
  bool valid = true;        // false: its bytes were no valid UTF-8, the text is a lossy decoding
  int player = -1;          // from 0; -1: not known, whoever is asked
};

struct Recorded {
  std::string name;         // how it was given
  std::string game;
  engine::Json experiment, instance;
  uint32_t experiment_index = 0, episode = 0, repeat = 0;
  uint64_t seed = 0;
  std::vector<int64_t> draws;
  std::vector<std::string> models;  // a player each
  std::vector<Reply> replies;       // in order
  bool ours = true;                 // false: of clembench, where each player's replies are in order
  bool left = false;
  engine::Json expected;    // what to compare with: {interactions, scores}, or a line of episodes.jsonl
  bool is_line = false;
};

/// Throw InputError naming file and place. `folder` of a line: where its episodes.jsonl is.
Recorded read_recorded_folder(const std::string& folder, bool with_scores = true);
Recorded read_recorded_line(engine::Json line, const std::string& name, const std::string& folder);
/// A folder without `meta.ppc`. `game`: what the folder above is called, where interactions.json does not say.
Recorded read_clembench_folder(const std::string& folder, const std::string& game);

/// Any of the three; the folder is preferred, where there is one.
Recorded read_recorded(const ResultPlace&);

/// An episode's folder, a folder with an episodes.jsonl, an episodes.jsonl, or episodes.jsonl:K.
void find_recorded(const std::string& name, std::vector<Recorded>& out);

/// What came of playing the replies again. `record` points into `instances`.
struct Replayed {
  engine::InstanceSet instances;
  engine::Record record;
  bool wants_more = false;  // a reply is asked for that the record does not have
  size_t used = 0;          // replies
  size_t left_over = 0;     // replies nobody asked for
};
std::unique_ptr<Replayed> play_again(const Recorded&, const Game&, const engine::SegmentPtr& resources, engine::Worker&);

/// The games of recorded episodes, each loaded once.
class RecordedGames {
 public:
  /// `game`: this one in place of the one that comes with ppc under the recorded name. `resources`: folders in place of the game's,
  /// DIR or GAME=DIR. All may be empty.
  RecordedGames(std::string game, std::string engine, std::vector<std::string> resources)
      : game_(std::move(game)), engine_(std::move(engine)), resources_(std::move(resources)) {}
  /// Options: --game, --engine, --resources.
  explicit RecordedGames(const Options& o) : RecordedGames(o.value("--game"), o.value("--engine"), o.all("--resources")) { chosen_ = true; }
  /// Throws InputError, also the second time when there is no such game.
  const std::pair<Game, engine::SegmentPtr>& find(const Recorded&);

 private:
  std::string game_, engine_;
  bool chosen_ = false;  // the verb has --game
  std::vector<std::string> resources_;
  std::map<std::string, std::pair<Game, engine::SegmentPtr>> games_;
  std::map<std::string, std::string> missing_;  // name -> why
};

/// Folders do not say which rules were broken, what replies gave, and which replies the game wrote itself: finds that out by
/// playing the replies again, when the game is known and the episode goes as it was recorded; else says why not.
void name_rules(Result&, RecordedGames&, engine::Worker&);

}  // namespace ppc::cli
