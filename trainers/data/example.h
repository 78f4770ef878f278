// What trainers learn from: token ids, and which of them the learner said itself.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "trainers/model/tokenizer.h"

namespace ppc::data {

using model::TokenId;

/// Where an example comes from: the columns of `ppc export` (docs/export.md).
struct Origin {
  std::string game, experiment, instance_id, role, source, episode, model, outcome, violation;
  double score = 0;   // Main Score; NaN when there is none
  double reward = 0;  // score / 100, an abort is 0
};

/// The distribution that the log-probabilities of an example are of.
struct Sampled {
  std::string mask = "off";  // "off", "diagnose", "on": of what the form allowed only
  double temperature = 1, top_p = 1, min_p = 0, repetition_penalty = 1;
  int64_t top_k = 0;
  /// Of the model itself at this temperature: nothing was cut off.
  bool whole() const { return mask != "on" && top_p == 1 && min_p == 0 && repetition_penalty == 1 && top_k == 0; }
};

/// One dialogue as one player saw it.
struct Example {
  std::vector<TokenId> ids;
  std::vector<uint8_t> trained;     // as many: 1 where the learner produced it (the token that ended a reply included), else 0
  std::vector<int32_t> turn;        // as many: which of the learner's replies (of a line: of those that it trains), from 0; -1 where not trained
  std::vector<float> logprobs;      // as many, as sampled; NaN where unknown; empty where all are
  Sampled sampled;                  // where there are log-probabilities
  bool exact = false;               // ids are those that were sampled and fed; false: encoded from text
  Origin origin;
};

/// Two of one beginning (docs/export.md, dpo).
struct Pair { Example chosen, rejected; };

}  // namespace ppc::data
