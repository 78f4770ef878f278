// `tokenizer.json` of a model folder: byte-level BPE with the pre-tokenizers of GPT-2, Llama 3 and Qwen2 (SmolLM2's too), and BPE
// over characters with byte fallback. Gives the ids that Hugging Face's tokenizers gives, in time linear in the text (times
// the logarithm of a word's length).
//
// Text is bytes. Bytes that are no UTF-8 belong to no class of characters, and are encoded one by one; decode gives them back.
// With a normalizer (Qwen's NFC) decode(encode(text)) is the normalized text, else the text itself.
//
// Errors: engine::InputError, "FILE: what is wrong"; parts of a tokenizer that are not supported are named.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine/json.h"

namespace ppc::model {

using TokenId = int32_t;

struct EncodeOptions {
  bool parse_special = true;        // special tokens written in the text become their ids; else they are text like any other
  bool add_special_tokens = false;  // what the post-processor adds, such as Llama's beginning of text
};

/// A stretch of a text: bytes from `begin` to `end`.
struct Stretch { size_t begin = 0, end = 0; };

class Tokenizer {
 public:
  /// Reads `tokenizer.json` of a folder, or the file itself.
  static Tokenizer load(const std::string& path);
  static Tokenizer parse(const engine::Json&, const std::string& file);
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;
  ~Tokenizer();

  /// May be called from several threads. Throws std::length_error for a text of 2 GiB or more.
  std::vector<TokenId> encode(std::string_view text, EncodeOptions = {}) const;
  /// Appends to `out`.
  void encode(std::string_view text, EncodeOptions, std::vector<TokenId>& out) const;
  /// Of a text some of which is literal (stretches in order): no special token is looked for there, nor partly there. All else, such as
  /// merges, goes across the stretches' ends.
  void encode(std::string_view text, std::span<const Stretch> literal, std::vector<TokenId>& out) const;
  /// The tokens' bytes, one behind the other. Ids that no token has give nothing, as in Hugging Face's.
  std::string decode(std::span<const TokenId> ids, bool skip_special = false) const;

  /// One more than the largest id. (A model's vocabulary may be larger: its last rows have no token.)
  size_t size() const;
  /// Whether a token has this id.
  bool has(TokenId id) const;
  /// What a token adds to the text; empty when there is none.
  std::string_view token_bytes(TokenId id) const;
  bool is_special(TokenId id) const;
  /// By what the file calls it: an added token's content ("<|im_end|>"), or a word of the vocabulary ("Ġthe").
  std::optional<TokenId> id_of(std::string_view token) const;
  /// Bytes that no token stands for: encode leaves them out (or gives the unknown token), as Hugging Face's does. Mostly none.
  std::string missing_bytes() const;
  /// Whether a normalizer may change the text.
  bool normalizes() const;

 private:
  struct Data;
  explicit Tokenizer(std::unique_ptr<Data>);
  void encode(std::string_view, EncodeOptions, std::span<const Stretch>, std::vector<TokenId>&) const;
  std::unique_ptr<Data> data_;
};

/// Text of tokens as they come, in pieces that end where a character does.
class StreamDecoder {
 public:
  explicit StreamDecoder(const Tokenizer& tokenizer, bool skip_special = false) : tokenizer_(tokenizer), skip_special_(skip_special) {}
  /// What can be shown now. Held back are at most 3 bytes that may be the beginning of a character.
  std::string push(TokenId id);
  /// What was held back.
  std::string finish();

 private:
  const Tokenizer& tokenizer_;
  bool skip_special_;
  std::string held_;
};

}  // namespace ppc::model
