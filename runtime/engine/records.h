// Records on disk: clembench's folders and files, and episodes.jsonl. docs/records.md describes both.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "runtime/engine/instances.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/scores.h"

namespace ppc::engine {

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
};

/// How the episode ended and what came of it: outcome, reason, score, rounds, fuel, scores.
void take_end(Record&, Worker&, const Episode&);

/// A file name from anything: no separators, no leading dot, not empty, at most 100 bytes.
std::string safe_name(const std::string& name);
/// "<model1>--<model2>" of the players that are asked.
std::string models_folder(const Record&);
/// models/game/<i>_<experiment>/episode_<k>
std::string episode_folder(const Record&);
const char* outcome_name(uint32_t outcome);  // "won", "lost", "aborted"

Json interactions_json(const Record&);
Json requests_json(const Record&);
/// One line of episodes.jsonl, without the line break; strict JSON.
std::string episode_line(const Record&);

/// Writes under one folder; throws SystemError when the disk does not let it.
class RecordWriter {
 public:
  explicit RecordWriter(std::string folder);
  ~RecordWriter();
  RecordWriter(const RecordWriter&) = delete;
  RecordWriter& operator=(const RecordWriter&) = delete;
  void write(const Record&);
  /// Forces episodes.jsonl to the disk.
  void finish();

 private:
  std::string folder_;
  int lines_ = -1;
  std::set<std::string> experiments_;  // folders that have their experiment.json from us
};

}  // namespace ppc::engine
