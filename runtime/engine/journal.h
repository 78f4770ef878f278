// What happened in an episode, with texts of its own: made from each step's events, read by records, transcripts, replay.
#pragma once
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/episode.h"
#include "runtime/engine/json.h"

namespace ppc::engine {

struct Entry {
  uint32_t kind = 0;   // ppc_event_kind
  uint32_t who = 0;    // player
  uint32_t round = 0;  // rounds begun by then
  uint32_t loc = 0;    // line << 12 | column of the statement
  std::string text;    // SEND, GET, SAY: the message; NOTE: the key; VIOLATION: the reason; OUTCOME: the reason
  std::string value;   // NOTE: the text
  bool document = false;  // NOTE: the text is JSON
  int64_t number = 0;  // ROUND: number; GET, ACCEPT: move; VIOLATION: rule; OUTCOME: ppc_outcome
  double amount = 0;   // REWARD
  std::vector<std::pair<std::string, std::string>> gives;  // ACCEPT
  bool aside = false;  // SEND, GET: of a side question, which the player's memory does not keep
  bool valid = true;   // GET: the reply was valid UTF-8
  std::string timestamp;                                   // local time, ISO 8601
  std::string timestamp_sent;                              // GET: when the request went out
  std::optional<int64_t> prompt_tokens, reply_tokens;      // GET, where known
  std::string finish, model;                               // GET: how the reply ended, which model it says it was; empty: unknown
  Json logprobs;                                           // GET: [{token, logprob, …}]; null: unknown
  Json sample;                                             // GET: {prompt, ids, logprobs, mask, …} of a local model; null: unknown
  int attempts = 0;                                        // GET: how often an endpoint was asked; 0: none was
};

struct Journal {
  std::vector<Entry> entries;
  /// Adds the events of the worker's last step of this episode; an outcome when it ended in a fault.
  void collect(Worker&, const Episode&);
};

std::string now_iso();

}  // namespace ppc::engine
