// A tokenizer for a model that begins from nothing: byte-level byte pair encoding, learned from texts, in the files that Hugging Face's libraries
// read, too.
#pragma once
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "runtime/engine/json.h"
#include "trainers/model/tokenizer.h"

namespace ppc::data {

using model::TokenId;

/// What byte pair encoding learned (Sennrich et al., arXiv:1508.07909, over bytes): the most frequent pair of neighbours becomes a token, again and again. Of
/// pairs that are as frequent one is taken by a fixed rule, so that the same texts give the same tokens.
struct BytePairs {
  std::vector<std::string> tokens;                 // bytes: first the 256 single ones, then those that were made, in order
  std::vector<std::pair<TokenId, TokenId>> merges; // of tokens[256], tokens[257], …
};
/// At most `merges`, of pairs that come twice or more. Words are those of Llama 3's split (`digits` 3: numbers in groups of three) or Qwen2's (1: digits one by one).
BytePairs learn_byte_pairs(std::span<const std::string> texts, size_t merges, unsigned digits);

struct TokenizerOptions {
  int64_t vocab_size = 2048;  // at most; with the special tokens (first) and the 256 bytes (then). So few that nothing is left for pairs: text is bytes
  unsigned digits = 1;        // or 3
  std::vector<std::string> special = {};  // more of them, behind those of the template
};
struct MadeTokenizer {
  int64_t size = 0;           // ids
  TokenId pad = 0, end = 0;   // <|endoftext|>, <|end|>: pad_token_id, and eos_token_id for config.json and generation_config.json
};
/// `tokenizer.json`, as Json. Throws std::invalid_argument for a vocab_size without room for bytes and special tokens, and special tokens that are empty or come twice.
engine::Json learn_tokenizer(std::span<const std::string> texts, const TokenizerOptions&, MadeTokenizer* made = nullptr);
/// Writes `tokenizer.json` and `tokenizer_config.json`, with a chat template of one token in front of a message and one behind: `<|user|>…<|end|><|assistant|>…<|end|>`.
MadeTokenizer make_tokenizer(const std::string& folder, std::span<const std::string> texts, const TokenizerOptions& = {});

/// All that is said in lines of `ppc export`, once for each line it stands in: messages, and texts in their place.
std::vector<std::string> texts_of(std::span<const engine::Json> lines);

}  // namespace ppc::data
