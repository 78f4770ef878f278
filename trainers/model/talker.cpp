#include "trainers/model/talker.h"

#include <filesystem>

#include "runtime/engine/episode.h"

namespace ppc::model {

using engine::InputError;

Talker load_talker(const std::string& folder, const ModelConfig& config, const std::string& variables) {
  Talker t;
  t.tokenizer = std::make_shared<Tokenizer>(Tokenizer::load(folder));
  if (static_cast<int64_t>(t.tokenizer->size()) > config.vocab_size)
    throw InputError(folder + ": the tokenizer has ids up to " + std::to_string(t.tokenizer->size() - 1) + ", and the model a vocabulary of " + std::to_string(config.vocab_size));
  t.chat = std::make_shared<ChatTemplate>(ChatTemplate::load(folder));
  t.variables = variables.empty() ? engine::Json::object() : engine::parse_json(variables, "the template's variables");
  for (const int64_t end : load_generation_config(folder, config).eos_token_id) {
    if (end < 0 || end >= config.vocab_size) throw InputError(folder + "/generation_config.json: `eos_token_id`: the model has no token " + std::to_string(end));
    t.ends.push_back(static_cast<TokenId>(end));
  }
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  t.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  t.context = config.max_position_embeddings;
  t.vocab_size = config.vocab_size;
  return t;
}

}  // namespace ppc::model
