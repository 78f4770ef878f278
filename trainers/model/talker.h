// What conversations with a model take of its folder: everything but its weights.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "runtime/engine/json.h"
#include "trainers/model/chat.h"
#include "trainers/model/config.h"
#include "trainers/model/tokenizer.h"

namespace ppc::model {

struct Talker {
  std::shared_ptr<const Tokenizer> tokenizer;
  std::shared_ptr<const ChatTemplate> chat;
  engine::Json variables;     // the template's
  std::vector<TokenId> ends;  // of the generation configuration
  std::string name;           // the folder's
  int64_t context = 0, vocab_size = 0;

  std::shared_ptr<Conversation> begin() const { return std::make_shared<Conversation>(tokenizer, chat, variables, ends); }
};

/// `variables`: JSON; empty: none. Throws engine::InputError for what is not there, cannot be read, or does not fit the model.
Talker load_talker(const std::string& folder, const ModelConfig&, const std::string& variables);

}  // namespace ppc::model
