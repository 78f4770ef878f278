// Which tokens may follow so that a reply keeps the form of its move: the move's automaton over bytes (engine::MoveInfo), walked by
// a tokenizer's tokens.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "runtime/engine/json.h"
#include "trainers/model/tokenizer.h"

namespace ppc::decode {

using model::TokenId;

/// A tokenizer's tokens by their bytes. Special tokens and those without bytes are in none.
class Vocabulary;
std::shared_ptr<const Vocabulary> make_vocabulary(const model::Tokenizer&, int64_t vocab_size);

/// The replies that a move's formats let through: a deterministic automaton over bytes.
class Language;
/// From what a move's manifest entry says. Throws engine::InputError.
std::shared_ptr<const Language> parse_language(const engine::Json&);

/// Both together, with masks made when a state is first met and kept. May be used by several threads.
class Constraint {
 public:
  using State = uint32_t;
  static constexpr State kOut = UINT32_MAX;   // no reply of the form begins so

  virtual ~Constraint() = default;
  virtual State start() const = 0;
  virtual State step(State, TokenId) const = 0;             // kOut where the token leaves the form
  virtual bool may_end(State) const = 0;                    // what was read is a whole reply
  /// How many tokens suffice to come from the state to a whole reply (an upper bound; 0 where may_end).
  virtual int64_t distance(State) const = 0;
  /// Bit t%64 of word t/64: whether token t may follow so that `left` more tokens (behind it) suffice for a whole reply.
  /// vocab_size/64 words, rounded up. The end of the reply is no token here: see may_end. Written to `out`.
  virtual void mask(State, int64_t left, std::span<uint64_t> out) const = 0;
};
std::shared_ptr<const Constraint> make_constraint(std::shared_ptr<const Vocabulary>, std::shared_ptr<const Language>);

}  // namespace ppc::decode
