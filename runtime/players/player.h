// Who answers when a game asks: a bot of the game, a script, a human; models come in behind the same interface.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/engine/episode.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/json.h"

namespace ppc::players {

/// How a finished reply ended.
enum class Finish : uint8_t { Unknown, Stop, Length, Refusal, Empty, Invalid };
/// "stop", "length", "refusal", "empty", "invalid"; empty for Unknown.
const char* finish_name(Finish);
Finish finish_of(const std::string& name);

/// What a player is asked.
struct Request {
  uint32_t player = 0, move = 0;
  std::string_view message;   // good until the player uses the worker
  bool aside = false;         // a side question: the player's memory keeps neither it nor the answer
  const engine::Journal& journal;  // what has happened so far, this message included; good during the call
  engine::Worker& worker;
  engine::Episode& episode;
};

struct Reply {
  std::string text;
  std::optional<int64_t> prompt_tokens = {}, reply_tokens = {};
  bool valid = true;          // false: `text` is what could be read of bytes that are no UTF-8
  Finish finish = Finish::Unknown;
  engine::Json logprobs = {};  // [{token, logprob, …}]; null where unknown
  engine::Json sample = {};    // of a local model: what was fed and sampled, see docs/records.md; null where unknown
  std::string model = {};     // which model it says it was; empty where unknown
  int attempts = 0;           // how often it was asked; 0: not over a network
  std::string sent = {};      // when it was asked, local time, ISO 8601; empty: just now
};

/// Why there is no reply.
struct Unanswered {
  enum class Why {
    Request,  // this one cannot be answered; the episode cannot go on, others can
    Run,      // nor can the others
    Stopped,
    Left,     // the player does not want to go on, see PlayerLeft
  } why;
  std::string error;
};
using Answer = std::variant<Reply, Unanswered>;

/// The player does not want to go on: the episode ends as aborted, "the player left".
struct PlayerLeft {};

/// An episode goes on in several ways: what its players need to know of one of them.
struct Fork {
  std::string name;           // of the branch, "0.1"
  uint32_t way = 1;           // which one at this point; 0 goes on with the players there are
  std::map<const void*, std::shared_ptr<void>> shared = {};  // what players of one episode share: of this -> its copy
};

/// One player of one episode. Used by one thread at a time.
class Player {
 public:
  virtual ~Player() = default;
  /// Whether the reply takes its time: then `ask` is called, else `reply`.
  virtual bool waits() const { return false; }
  /// `done` is called once, from any thread, perhaps before this returns. Throws engine::InputError, engine::SystemError.
  virtual void ask(const Request&, std::function<void(Answer)> done) { (void)done; }
  /// Throws PlayerLeft, engine::InputError (a script that does not fit), engine::SystemError (an outside part failed).
  virtual Reply reply(const Request&) { return {}; }
  /// A player of a branch who knows what this one knows; null when there is no such thing. Not while it has been asked.
  virtual std::unique_ptr<Player> fork(Fork&) const { return nullptr; }
  /// The episode is over; `outcome` is ppc_outcome.
  virtual void over(uint32_t outcome, double score, const std::string& reason) {
    (void)outcome, (void)score, (void)reason;
  }
};

/// `bot:NAME`, `script:FILE`, `human`, `openai:MODEL`, `local:DIR`.
struct Spec {
  std::string kind, argument;
  /// In records: "bot-fixed", "script", "human".
  std::string model_name() const;
};
/// Throws engine::InputError naming the forms there are.
Spec parse_spec(const std::string&);

/// A bot of the game. Throws engine::InputError, naming the bots the role has, when there is none of that name.
std::unique_ptr<Player> make_bot(const engine::Manifest&, uint32_t player, const std::string& name);

}  // namespace ppc::players
