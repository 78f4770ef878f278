// A tokenizer's tokens as a trie over bytes, flattened: what a walk through it needs, one behind the other.
#pragma once
#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "trainers/decode/constraint.h"

namespace ppc::decode {

/// Where one is in UTF-8: between characters, 1, 2, 3 bytes before the end of one, behind E0, ED, F0, F4; nowhere.
enum Utf8 : uint8_t { kBetween, kOne, kTwo, kThree, kE0, kED, kF0, kF4, kUtf8States, kInvalid = kUtf8States };
Utf8 utf8_step(Utf8, uint8_t byte);

class Vocabulary {
 public:
  explicit Vocabulary(std::vector<std::string> tokens);

  size_t size() const { return tokens_.size(); }
  size_t words() const { return (tokens_.size() + 63) / 64; }
  std::string_view bytes(TokenId id) const {
    return id >= 0 && static_cast<size_t>(id) < tokens_.size() ? std::string_view(tokens_[static_cast<size_t>(id)]) : std::string_view();
  }

  /// In preorder: a node's descendants lie behind it, before `end`.
  struct Node {
    uint32_t end;
    TokenId token;    // -1: none ends here
    uint16_t depth;   // of the root's children: 0
    uint8_t byte;
  };
  const std::vector<Node>& nodes() const { return nodes_; }
  size_t depth() const { return depth_; }
  /// Tokens of equal bytes: the one that the trie has, and another.
  const std::vector<std::pair<TokenId, TokenId>>& twins() const { return twins_; }
  /// Whether the byte is a token.
  bool spells(uint8_t byte) const { return spells_[byte]; }

  /// Tokens that are, from between two characters, the beginning of valid UTF-8, by where they end.
  const std::array<std::vector<uint64_t>, kUtf8States>& by_end() const { return by_end_; }
  /// The trie's tokens in which the byte occurs.
  const std::vector<TokenId>& with(uint8_t byte) const { return with_[byte]; }

 private:
  std::vector<std::string> tokens_;
  std::vector<Node> nodes_;
  std::vector<std::pair<TokenId, TokenId>> twins_;
  std::array<bool, 256> spells_{};
  std::array<std::vector<uint64_t>, kUtf8States> by_end_;
  std::array<std::vector<TokenId>, 256> with_;
  size_t depth_ = 0;
};

}  // namespace ppc::decode
