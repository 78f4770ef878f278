// Episodes that have been played, wherever they are: our records (folders and episodes.jsonl) and clembench's result folders.
// First they are found (cheap), then read one by one.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/json.h"

namespace ppc::cli {

/// An episode that is there, not yet read.
struct ResultPlace {
  std::string models, game, experiment, episode;  // the last four folders of its path
  std::string folder;                             // empty: it has only a line
  std::string scores;                             // its scores.json; empty when there is none
  std::string lines;                              // an episodes.jsonl; empty: it has only a folder
  size_t line = 0, from = 0, size = 0;            // which line, from 0, and its bytes in the file
  std::string branch;                             // its name (docs/branches.md); empty: an episode
  std::shared_ptr<const ResultPlace> parent;      // of a branch: the line whose history it shares
  /// "folder" or "episodes.jsonl:3", for messages and for data that says where it comes from.
  std::string name() const { return lines.empty() ? folder : lines + ":" + std::to_string(line); }
  /// models/game/experiment/episode
  std::string record() const { return models + "/" + game + "/" + experiment + "/" + episode; }
};

/// Looks through folders (all the way down), episodes.jsonl files and single lines (`episodes.jsonl:3`). A line and the folder
/// that it names are one episode; of several lines with the same folder the last one counts. In natural order of their
/// names. What is no JSON in an episodes.jsonl is left out with a warning on stderr, and so is a branch whose episode is not there or was
/// played again. Throws InputError when there is nothing.
std::vector<ResultPlace> find_results(const std::vector<std::string>& where);

struct ResultPlayer {
  std::string name, role, display, model;  // "Player 1", "describer", "WordDescriber"; role = display where it is not known
  bool scripted = false;                   // voiced by the game itself
};

/// What a local model was fed and sampled (docs/records.md).
struct ResultSample {
  std::vector<int32_t> prompt, ids;
  std::vector<double> logprobs;    // of `ids`
  engine::Json settings;           // {mask, temperature, top_p, top_k, min_p, repetition_penalty}: what the log-probabilities are of
};

struct ResultEvent {
  enum class Kind { Send, Reply, Note };
  Kind kind = Kind::Note;
  size_t player = 0;               // Send, Reply: index
  size_t round = 0;                // from 1
  std::string key;                 // Note
  std::string text;
  bool invalid_utf8 = false;
  bool aside = false;              // Send, Reply: a side question or its answer, which the player's memory does not keep
  bool given = false;              // Reply: written by the game for a player that is no voice of the game
  bool shared = false;             // of a branch: it is the parent's, too
  // Reply, from episodes.jsonl or from playing it again; null where unknown.
  engine::Json move, captures, violation, reward;
  std::shared_ptr<const ResultSample> sample;  // Reply of a local model, where asked for
};

struct Result {
  ResultPlace place;
  engine::Json instance;           // null when unknown
  std::string instance_id, seed;   // empty when unknown
  int64_t repeat = 0;
  std::string left_at;             // of a branch: the role that was asked where it left
  size_t left_round = 0, shared = 0;  // in which round; how many messages are the parent's, too
  std::vector<ResultPlayer> players;
  std::vector<ResultEvent> events; // in order
  std::string outcome;             // "won", "lost", "aborted"; empty when unknown
  std::string reason;
  double main_score = 0;           // NaN when there is none
  engine::Json scores;             // {"turn scores", "episode scores"}, or null
  engine::Json keys;               // what the game logged
  /// Whether it is known which rules were broken: by a line of episodes.jsonl, or by playing the replies again.
  enum class Rules { Unknown, Recorded, PlayedAgain } rules = Rules::Unknown;
  std::string why_unknown;         // of the rules
};

/// `samples`: of local models' replies, which are long, too. Throws InputError naming file and place.
Result read_result(const ResultPlace&, bool samples = false);

/// A line of a branch as a whole episode: the messages and notes that it shares with its parent (a whole one), then its own. Throws InputError
/// when they do not belong together.
engine::Json join_branch(const engine::Json& branch, const engine::Json& parent, const std::string& where);
/// The line of a place that has one; a branch as a whole episode, and what its own line says in `*branch`. Throws InputError.
engine::Json read_line(const ResultPlace&, engine::Json* branch = nullptr);
/// What a line of episodes.jsonl says, but for scores. `where` is for messages. Not of a branch: see join_branch.
Result read_episode_line(const engine::Json& line, const std::string& where, bool samples = false);

/// "episode scores" of an episode, checked: an object. Throws InputError.
engine::Json read_episode_scores(const ResultPlace&);

/// "Guess, expect word in words (taboo, line 31): not a word"; empty for null.
std::string violation_text(const engine::Json& violation, const std::string& game);

}  // namespace ppc::cli
