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

/// One dialogue as one player saw it.
struct Example {
  std::vector<TokenId> ids;
  std::vector<uint8_t> trained;     // as many: 1 where the learner produced it (the token that ended a reply included), else 0
  std::vector<int32_t> turn;        // as many: which of the learner's replies, from 0; -1 where not trained
  std::vector<float> logprobs;      // as many, as sampled; NaN where unknown; empty where all are
  bool exact = false;               // ids are those that were sampled and fed; false: encoded from text
  Origin origin;
};

/// Two of one beginning (docs/export.md, dpo).
struct Pair { Example chosen, rejected; };

}  // namespace ppc::data
