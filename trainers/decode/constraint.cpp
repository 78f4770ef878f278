#include "trainers/decode/constraint.h"

#include <algorithm>
#include <array>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <unordered_map>

#include "trainers/decode/language.h"
#include "trainers/decode/vocabulary.h"

namespace ppc::decode {
namespace {

using Mask = std::vector<uint64_t>;

void set(Mask& mask, TokenId t) { mask[static_cast<size_t>(t) / 64] |= uint64_t{1} << (t % 64); }
void clear(Mask& mask, TokenId t) { mask[static_cast<size_t>(t) / 64] &= ~(uint64_t{1} << (t % 64)); }
bool has(const Mask& mask, TokenId t) { return mask[static_cast<size_t>(t) / 64] >> (t % 64) & 1; }

class TokenMasks : public Constraint {
 public:
  TokenMasks(std::shared_ptr<const Vocabulary> vocabulary, std::shared_ptr<const Language> language)
      : vocabulary_(std::move(vocabulary)), language_(std::move(language)) {
    measure();
  }

  State start() const override { return language_->start(); }

  State step(State state, TokenId token) const override {
    const std::string_view bytes = vocabulary_->bytes(token);
    return bytes.empty() || state == kOut ? kOut : read(state, bytes);
  }

  bool may_end(State state) const override { return state < language_->size() && language_->accepts(state); }
  int64_t distance(State state) const override { return state < language_->size() ? distance_[state] : kNever; }

  void mask(State state, int64_t left, std::span<uint64_t> out) const override {
    if (out.size() < vocabulary_->words()) throw std::length_error("a mask of " + std::to_string(out.size()) + " words, expected " + std::to_string(vocabulary_->words()));
    std::fill(out.begin(), out.end(), 0);
    if (state >= language_->size() || left < 0) return;
    const auto kept = find(state, left);
    std::copy(kept->mask.begin(), kept->mask.end(), out.begin());
  }

  std::string_view expected(State state, std::optional<TokenId> token) const override {
    if (state >= language_->size()) return "";
    for (char c : token ? vocabulary_->bytes(*token) : std::string_view()) {
      const uint32_t next = language_->step(state, static_cast<uint8_t>(c));
      if (next == Language::kDead) break;
      state = next;
    }
    return language_->wants(state);
  }

 private:
  struct Kept {
    Mask mask;
    int64_t farthest = 0;  // of the places that its tokens lead to: with as many tokens left or more, the mask is the same
  };

  uint32_t read(uint32_t state, std::string_view bytes) const {
    for (char c : bytes) {
      state = language_->step(state, static_cast<uint8_t>(c));
      if (state == Language::kDead) return kOut;
    }
    return state;
  }

  /// Calls `visit` with every token that may follow and where it leads to.
  template <class F>
  void walk(uint32_t from, F&& visit) const {
    std::vector<uint32_t> states(vocabulary_->depth() + 1);
    states[0] = from;
    const auto& nodes = vocabulary_->nodes();
    for (uint32_t i = 0; i < nodes.size();) {
      const Vocabulary::Node& node = nodes[i];
      const uint32_t next = language_->step(states[node.depth], node.byte);
      if (next == Language::kDead) {
        i = node.end;
        continue;
      }
      states[node.depth + 1u] = next;
      if (node.token >= 0) visit(node.token, next);
      ++i;
    }
  }

  /// How many tokens it takes to an end. Where every byte is a token that is no more than the bytes.
  void measure() {
    const size_t n = language_->size();
    distance_.assign(n, kNever);
    bool by_bytes = true;
    for (unsigned b = 0; b < 256; ++b) by_bytes &= !language_->uses(static_cast<uint8_t>(b)) || vocabulary_->spells(static_cast<uint8_t>(b));
    if (by_bytes) {
      for (uint32_t s = 0; s < n; ++s)
        if (language_->bytes_left(s) != Language::kDead) distance_[s] = language_->bytes_left(s);
      return;
    }
    std::vector<std::vector<uint32_t>> into(n);
    std::vector<uint32_t> seen(n, UINT32_MAX), order;
    for (uint32_t s = 0; s < n; ++s) {
      walk(s, [&](TokenId, uint32_t to) {
        if (seen[to] != s) into[to].push_back(s);
        seen[to] = s;
      });
      if (!language_->accepts(s)) continue;
      distance_[s] = 0;
      order.push_back(s);
    }
    for (size_t i = 0; i < order.size(); ++i)
      for (uint32_t s : into[order[i]])
        if (distance_[s] == kNever) {
          distance_[s] = distance_[order[i]] + 1;
          order.push_back(s);
        }
  }

  std::shared_ptr<const Kept> find(State state, int64_t left) const {
    // From kNever on nothing is left out that can be finished at all.
    left = std::min(left, kNever - 1);
    auto all = known({state, kAll});
    if (!all) all = keep({state, kAll}, make(state, kNever - 1));
    if (all->farthest <= left) return all;
    auto some = known({state, left});
    return some ? some : keep({state, left}, make(state, left));
  }

  std::shared_ptr<const Kept> make(State state, int64_t left) const {
    auto kept = std::make_shared<Kept>();
    kept->mask.resize(vocabulary_->words());
    const auto allow = [&](TokenId token, uint32_t to) {
      if (distance_[to] > left) return;
      set(kept->mask, token);
      kept->farthest = std::max(kept->farthest, distance_[to]);
    };
    if (!by_exceptions(state, allow, *kept, left)) walk(state, allow);
    for (auto [token, twin] : vocabulary_->twins())
      if (has(kept->mask, token)) set(kept->mask, twin);
    return kept;
  }

  /// Where nearly every character leads back, as in `{line}`: all tokens but those with bytes that do not, which are walked one by one.
  template <class F>
  bool by_exceptions(State state, F&& allow, Kept& kept, int64_t left) const {
    // `at`: where the automaton is while a character that leads back is read.
    std::array<uint32_t, kUtf8States> at;
    at.fill(Language::kDead);
    at[kBetween] = state;
    for (uint8_t u = kOne; u < kUtf8States; ++u) {
      std::vector<uint32_t> ways;
      for (unsigned b = 0xC2; b <= 0xF4; ++b)
        if (utf8_step(kBetween, static_cast<uint8_t>(b)) == u) ways.push_back(language_->step(state, static_cast<uint8_t>(b)));
      std::sort(ways.begin(), ways.end());
      size_t best = 0;
      for (size_t i = 0; i < ways.size();) {
        size_t j = i;
        while (j < ways.size() && ways[j] == ways[i]) ++j;
        if (j - i > best) {
          best = j - i;
          at[u] = ways[i];
        }
        i = j;
      }
    }
    std::array<bool, 256> exceptional{};
    size_t walked = 0;
    for (unsigned b = 0; b < 256; ++b) {
      for (uint8_t u = kBetween; u < kUtf8States; ++u) {
        const Utf8 to = utf8_step(static_cast<Utf8>(u), static_cast<uint8_t>(b));
        const uint32_t next = at[u] == Language::kDead ? Language::kDead : language_->step(at[u], static_cast<uint8_t>(b));
        if (next != (to == kInvalid ? Language::kDead : at[to])) exceptional[b] = true;
      }
      if (exceptional[b]) walked += vocabulary_->with(static_cast<uint8_t>(b)).size();
    }
    if (walked > vocabulary_->nodes().size() / 16) return false;
    for (uint8_t u = kBetween; u < kUtf8States; ++u) {
      if (at[u] == Language::kDead || distance_[at[u]] > left) continue;
      const Mask& tokens = vocabulary_->by_end()[u];
      uint64_t any = 0;
      for (size_t i = 0; i < tokens.size(); ++i) {
        kept.mask[i] |= tokens[i];
        any |= tokens[i];
      }
      if (any) kept.farthest = std::max(kept.farthest, distance_[at[u]]);
    }
    for (unsigned b = 0; b < 256; ++b) {
      if (!exceptional[b]) continue;
      for (TokenId token : vocabulary_->with(static_cast<uint8_t>(b))) {
        clear(kept.mask, token);
        const uint32_t to = read(state, vocabulary_->bytes(token));
        if (to != kOut) allow(token, to);
      }
    }
    return true;
  }

  struct Key {
    State state;
    int64_t left;
    bool operator==(const Key&) const = default;
  };
  struct Hash {
    size_t operator()(const Key& k) const { return (size_t{k.state} << 32 ^ static_cast<size_t>(k.left)) * 0x9E3779B97F4A7C15u; }
  };
  static constexpr int64_t kAll = -1;  // whatever is left

  std::shared_ptr<const Kept> known(Key key) const {
    std::lock_guard lock(mutex_);
    const auto at = kept_.find(key);
    return at == kept_.end() ? nullptr : at->second;
  }
  std::shared_ptr<const Kept> keep(Key key, std::shared_ptr<const Kept> kept) const {
    std::lock_guard lock(mutex_);
    if (!kept_.emplace(key, kept).second) return kept;
    order_.push_back(key);
    const size_t most = std::max<size_t>(kKeptBytes / (8 * vocabulary_->words() + 128), 8);
    for (; order_.size() > most; order_.pop_front()) kept_.erase(order_.front());
    return kept;
  }

  std::shared_ptr<const Vocabulary> vocabulary_;
  std::shared_ptr<const Language> language_;
  std::vector<int64_t> distance_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<Key, std::shared_ptr<const Kept>, Hash> kept_;
  mutable std::deque<Key> order_;
};

}  // namespace

std::shared_ptr<const Constraint> make_constraint(std::shared_ptr<const Vocabulary> vocabulary, std::shared_ptr<const Language> language) {
  return std::make_shared<TokenMasks>(std::move(vocabulary), std::move(language));
}

std::optional<Break> first_break(const Constraint& constraint, std::span<const TokenId> reply, bool ended) {
  Constraint::State state = constraint.start();
  for (size_t i = 0; i < reply.size(); ++i) {
    const auto next = constraint.step(state, reply[i]);
    if (next == Constraint::kOut) return Break{static_cast<int64_t>(i), reply[i], std::string(constraint.expected(state, reply[i]))};
    state = next;
  }
  if (!ended || constraint.may_end(state)) return std::nullopt;
  return Break{static_cast<int64_t>(reply.size()), std::nullopt, std::string(constraint.expected(state, std::nullopt))};
}

}  // namespace ppc::decode
