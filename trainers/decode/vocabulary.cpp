#include "trainers/decode/vocabulary.h"

#include <algorithm>
#include <numeric>

namespace ppc::decode {

Utf8 utf8_step(Utf8 at, uint8_t byte) {
  const auto between = [&](uint8_t low, uint8_t high, Utf8 to) { return byte >= low && byte <= high ? to : kInvalid; };
  switch (at) {
    case kBetween:
      if (byte < 0x80) return kBetween;
      if (byte < 0xC2) return kInvalid;
      if (byte < 0xE0) return kOne;
      if (byte < 0xF0) return byte == 0xE0 ? kE0 : byte == 0xED ? kED : kTwo;
      if (byte > 0xF4) return kInvalid;
      return byte == 0xF0 ? kF0 : byte == 0xF4 ? kF4 : kThree;
    case kOne: return between(0x80, 0xBF, kBetween);
    case kTwo: return between(0x80, 0xBF, kOne);
    case kThree: return between(0x80, 0xBF, kTwo);
    case kE0: return between(0xA0, 0xBF, kOne);
    case kED: return between(0x80, 0x9F, kOne);
    case kF0: return between(0x90, 0xBF, kTwo);
    case kF4: return between(0x80, 0x8F, kTwo);
    default: return kInvalid;
  }
}

Vocabulary::Vocabulary(std::vector<std::string> tokens) : tokens_(std::move(tokens)) {
  std::vector<TokenId> order;
  for (size_t i = 0; i < tokens_.size(); ++i)
    // What is longer is no token that a model writes; a node's depth has 16 bits.
    if (!tokens_[i].empty() && tokens_[i].size() < 0xFFFF) order.push_back(static_cast<TokenId>(i));
  const auto text = [&](TokenId id) -> const std::string& { return tokens_[static_cast<size_t>(id)]; };
  std::stable_sort(order.begin(), order.end(), [&](TokenId a, TokenId b) { return text(a) < text(b); });

  std::vector<uint32_t> path;  // nodes from the root to the last one
  const std::string* before = nullptr;
  TokenId holder = -1;
  for (TokenId id : order) {
    const std::string& t = text(id);
    size_t common = 0;
    if (before) common = static_cast<size_t>(std::mismatch(before->begin(), before->end(), t.begin(), t.end()).second - t.begin());
    if (before && common == t.size() && common == before->size()) {
      twins_.push_back({holder, id});
      continue;
    }
    for (; path.size() > common; path.pop_back()) nodes_[path.back()].end = static_cast<uint32_t>(nodes_.size());
    for (size_t d = common; d < t.size(); ++d) {
      path.push_back(static_cast<uint32_t>(nodes_.size()));
      nodes_.push_back({0, -1, static_cast<uint16_t>(d), static_cast<uint8_t>(t[d])});
    }
    nodes_.back().token = holder = id;
    before = &t;
    depth_ = std::max(depth_, t.size());
    if (t.size() == 1) spells_[static_cast<uint8_t>(t[0])] = true;

    Utf8 at = kBetween;
    std::array<bool, 256> seen{};
    for (char c : t) {
      const auto byte = static_cast<uint8_t>(c);
      at = utf8_step(at, byte);
      if (!seen[byte]) with_[byte].push_back(id);
      seen[byte] = true;
    }
    if (at == kInvalid) continue;
    auto& set = by_end_[at];
    set.resize(words());
    set[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id % 64);
  }
  for (uint32_t node : path) nodes_[node].end = static_cast<uint32_t>(nodes_.size());
  for (auto& set : by_end_) set.resize(words());
}

std::shared_ptr<const Vocabulary> make_vocabulary(const std::vector<std::string>& tokens) { return std::make_shared<Vocabulary>(tokens); }

std::shared_ptr<const Vocabulary> make_vocabulary(const model::Tokenizer& tokenizer, int64_t vocab_size) {
  std::vector<std::string> tokens(static_cast<size_t>(std::max<int64_t>(vocab_size, 0)));
  for (size_t i = 0; i < std::min(tokens.size(), tokenizer.size()); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (tokenizer.has(id) && !tokenizer.is_special(id)) tokens[i] = tokenizer.token_bytes(id);
  }
  return std::make_shared<Vocabulary>(std::move(tokens));
}

}  // namespace ppc::decode
