// Records on disk: clembench's folders and files, and episodes.jsonl. docs/records.md describes both.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "runtime/engine/instances.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/scores.h"

namespace ppc::engine {

/// Which of the ways in which an episode was continued (docs/branches.md), and where it left another one of them.
struct Branch {
  std::vector<uint32_t> path;      // the way at each point passed, zeros at the end left out; empty: the episode itself
  uint32_t player = 0, round = 0;  // who was asked there
  size_t entries = 0;              // of the journal that the other one has, too
  uint64_t players_seed = 0;       // of the bots' chance
};
/// "0.1"; "0" for the episode itself.
std::string branch_name(const std::vector<uint32_t>& path);
/// The path of the branch that it left.
std::vector<uint32_t> branch_parent(std::vector<uint32_t> path);

/// All there is to know about an episode that has been played.
struct Record {
  std::shared_ptr<const GameModule> module;
  const Experiment* experiment = nullptr;
  const Instance* instance = nullptr;
  uint32_t episode = 0;             // the k of episode_<k>
  uint32_t repeat = 0;
  uint64_t seed = 0;
  std::vector<std::string> models;  // a player each: "bot-fixed", "human", …; empty for players voiced by the game
  Journal journal;
  Scores scores;
  uint32_t outcome = 0;             // ppc_outcome
  std::string reason;
  double score = 0;
  uint32_t rounds = 0;
  int64_t steps = 0;                // fuel
  bool left = false;                // the human went away
  std::vector<int64_t> draws;       // from --draws, for the replay
  Branch branch;
  bool unfolded = false;            // a branch as an episode of its own: a whole line, and a folder
  std::vector<std::string> points;  // where it was to branch, "3@guesser:2"; of the episode itself
  size_t branches = 0;              // lines of branches that follow; of the episode itself
};

/// How the episode ended and what came of it: outcome, reason, score, rounds, fuel, scores.
void take_end(Record&, Worker&, const Episode&);

/// A file name from anything: no separators, no leading dot, not empty, at most 100 bytes.
std::string safe_name(const std::string& name);
/// "<model1>--<model2>" of the players that are asked; "<model>" when one plays them all.
std::string models_folder(const Record&);
/// models/game/<i>_<experiment>/episode_<k>, with `_branch_<name>` behind it for a branch.
std::string episode_folder(const Record&);
const char* outcome_name(uint32_t outcome);  // "won", "lost", "aborted"

/// The rule that was broken: {move, kind, rule, line, reason}.
Json violation_json(const Manifest&, const Entry&);
Json interactions_json(const Record&);
Json requests_json(const Record&);
/// A hash of the first messages of a line's `messages`, as 16 hexadecimal digits: who said what to whom.
std::string history_hash(const Json::List& messages, size_t count);
/// One line of episodes.jsonl, without the line break; strict JSON. Of a branch: what it has of its own.
std::string episode_line(const Record&);

/// Writes under one folder; throws SystemError when the disk does not let it.
class RecordWriter {
 public:
  /// Without `episodes` there is only episodes.jsonl: a folder an episode costs more than to play it where thousands are played to learn from.
  explicit RecordWriter(std::string folder, bool episodes = true);
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;
  void write(const Record& r) { write(std::vector<const Record*>{&r}); }
  /// An episode and its branches. Branches have no folder: clembench's tools would count them as episodes.
  void write(const std::vector<const Record*>&);
  /// Forces episodes.jsonl to the disk.
  void finish();

 private:
  std::string folder_;
  bool episodes_;
  int lines_ = -1;
  std::set<std::string> experiments_;  // folders that have their experiment.json from us
};

}  // namespace ppc::engine
