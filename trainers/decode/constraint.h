// Which tokens may follow so that a reply keeps the form of its move: the move's automaton over bytes (engine::MoveInfo), walked by
// a tokenizer's tokens. A reply that ends where it may is valid UTF-8, also where tokens end inside a character.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine/json.h"
#include "runtime/engine/language.h"
#include "runtime/engine/manifest.h"
#include "trainers/model/tokenizer.h"

namespace ppc::decode {

using model::TokenId;

/// A tokenizer's tokens by their bytes. Special tokens and those without bytes are in none.
class Vocabulary;
/// `vocab_size`: the rows of the model's output; those behind the tokenizer's are no tokens.
std::shared_ptr<const Vocabulary> make_vocabulary(const model::Tokenizer&, int64_t vocab_size);
/// The same of a list, by token id; an empty text is no token.
std::shared_ptr<const Vocabulary> make_vocabulary(const std::vector<std::string>& tokens);

/// The replies that a move's formats let through: a deterministic automaton over bytes.
class Language;
/// From what a move's manifest entry says; null stands for any text. Throws engine::InputError.
std::shared_ptr<const Language> parse_language(const engine::Json&);
/// The same as the manifest has it, where nothing ("") stands for any text; with what may stand in the holes of its formats
/// (engine::hole_texts), if it has any.
std::shared_ptr<const Language> language_of(const engine::MoveInfo&, const engine::HoleTexts& = {});

/// Both together, with masks made when a state is first met and kept (at most kKeptBytes of them). May be used by several threads.
class Constraint {
 public:
  using State = uint32_t;
  static constexpr State kOut = UINT32_MAX;   // no reply of the form begins so
  static constexpr size_t kKeptBytes = size_t{16} << 20;

  virtual ~Constraint() = default;
  virtual State start() const = 0;
  virtual State step(State, TokenId) const = 0;             // kOut where the token leaves the form
  virtual bool may_end(State) const = 0;                    // what was read is a whole reply
  /// How many tokens suffice to come from the state to a whole reply (an upper bound; 0 where may_end). Of the start: how many
  /// tokens a reply must be given. kNever where these tokens spell none.
  virtual int64_t distance(State) const = 0;
  static constexpr int64_t kNever = int64_t{1} << 40;
  /// Bit t%64 of word t/64: whether token t may follow so that `left` more tokens (behind it) suffice for a whole reply.
  /// vocab_size/64 words, rounded up. The end of the reply is no token here: see may_end. Written to `out`.
  /// Something may follow, or the reply end, wherever distance(state) <= left + 1.
  virtual void mask(State, int64_t left, std::span<uint64_t> out) const = 0;
  /// What could have stood where the token leaves the form, or, without a token, where the reply has come to: pieces of the
  /// move's formats, as the game has them: `"CLUE:"`, `{guess: line} or "\n"`.
  virtual std::string_view expected(State, std::optional<TokenId>) const = 0;
};
std::shared_ptr<const Constraint> make_constraint(std::shared_ptr<const Vocabulary>, std::shared_ptr<const Language>);

/// The constraints of what episodes ask for, each made once. At most kMost are kept: those that were wanted last. May be used by
/// several threads.
class Constraints {
 public:
  static constexpr size_t kMost = 64;
  explicit Constraints(std::shared_ptr<const Vocabulary>);
  ~Constraints();
  /// Of the move that the episode asks for now. Throws std::runtime_error where the game's own code for its holes fails.
  std::shared_ptr<const Constraint> of(const engine::Episode&, engine::Worker&);

 private:
  struct Data;
  std::unique_ptr<Data> data_;
};

/// Where a reply first left the form.
struct Break {
  int64_t index = 0;                 // of the token; the number of tokens where the reply ended too early
  std::optional<TokenId> token;      // none: the end
  std::string expected;              // see Constraint::expected
};
/// Nothing when the reply keeps the form. `ended`: no token comes behind these (else the form may be incomplete).
std::optional<Break> first_break(const Constraint&, std::span<const TokenId> reply, bool ended = true);

}  // namespace ppc::decode
