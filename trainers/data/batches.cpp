#include "trainers/data/batches.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <stdexcept>

#include "runtime/engine/episode.h"
#include "runtime/engine/splitmix.h"

namespace ppc::data {

namespace {
void add(uint64_t& h, const Example& e) {
  auto word = [&](uint64_t w) { h = engine::split_mix(h ^ w); };
  word(e.ids.size());
  for (size_t i = 0; i < e.ids.size(); ++i) word(static_cast<uint64_t>(e.ids[i]) << 1 | e.trained[i]);
  word(e.origin.game.size());
  for (const char c : e.origin.game) word(static_cast<unsigned char>(c));
}
}  // namespace

uint64_t digest(const std::vector<Example>& all) {
  uint64_t h = 0;
  for (const Example& e : all) add(h, e);
  return h;
}
uint64_t digest(const std::vector<Pair>& all) {
  uint64_t h = 0;
  for (const Pair& p : all) add(h, p.chosen), add(h, p.rejected);
  return h;
}
namespace {

/// A permutation of 0 … n-1 that depends on nothing but its arguments.
std::vector<size_t> permutation(size_t n, uint64_t seed, uint64_t stream, uint64_t round) {
  std::vector<std::pair<uint64_t, size_t>> keyed(n);
  for (size_t i = 0; i < n; ++i) keyed[i] = {engine::mix_seed(seed, stream, round, i), i};
  std::sort(keyed.begin(), keyed.end());
  std::vector<size_t> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = keyed[i].second;
  return out;
}
constexpr uint64_t kSlots = 0;  // streams: of an epoch's places, and of each game behind it

}  // namespace

std::vector<Item> items_of(const std::vector<Example>& examples) {
  std::vector<Item> out;
  for (const Example& e : examples) out.push_back({static_cast<int64_t>(e.ids.size()), e.origin.game});
  return out;
}
std::vector<Item> items_of(const std::vector<Pair>& pairs) {
  std::vector<Item> out;
  for (const Pair& p : pairs) out.push_back({static_cast<int64_t>(p.chosen.ids.size() + p.rejected.ids.size()), p.chosen.origin.game});
  return out;
}

Batches::Batches(std::vector<Item> items, BatchOptions options) : items_(std::move(items)), options_(std::move(options)) {
  const BatchOptions& o = options_;
  if (o.examples < 0 || o.tokens < 0 || o.at_once < 0) throw std::invalid_argument("a batch of fewer than 0");
  if (o.examples == 0 && o.tokens == 0) throw std::invalid_argument("a batch needs a number of examples or of tokens");
  if (o.world < 1 || o.rank < 0 || o.rank >= o.world) throw std::invalid_argument("rank " + std::to_string(o.rank) + " of " + std::to_string(o.world));
  if (items_.empty()) throw engine::InputError("no example to train on");
  if (o.weights.empty()) {
    games_.emplace_back();
    games_[0].members.resize(items_.size());
    std::iota(games_[0].members.begin(), games_[0].members.end(), size_t{0});
    games_[0].share = size();
  } else {
    std::map<std::string, std::vector<size_t>> members;
    for (size_t i = 0; i < items_.size(); ++i) members[items_[i].game].push_back(i);
    double sum = 0;
    for (const auto& [game, w] : o.weights) {
      if (!std::isfinite(w) || w < 0) throw std::invalid_argument("the weight of " + game + " is not a number from 0");
      if (w > 0 && !members.contains(game)) {
        std::string there;
        for (const auto& [name, m] : members) there += (there.empty() ? "" : ", ") + (name.empty() ? "(none)" : name);
        throw engine::InputError("a weight for `" + game + "`, of which there is no example; there are: " + there);
      }
      sum += w;
    }
    if (sum <= 0) throw std::invalid_argument("no game has a weight above 0");
    // Largest remainders, so that the shares make up the epoch.
    std::vector<std::pair<double, size_t>> rest;
    int64_t given = 0;
    for (const auto& [game, w] : o.weights) {
      if (w == 0) continue;
      const double exact = static_cast<double>(items_.size()) * w / sum;
      games_.push_back({members[game], static_cast<int64_t>(std::floor(exact))});
      given += games_.back().share;
      rest.push_back({std::floor(exact) - exact, games_.size() - 1});
    }
    std::sort(rest.begin(), rest.end());
    for (size_t i = 0; given < size(); i = (i + 1) % rest.size(), ++given) ++games_[rest[i].second].share;
  }
  seek({});
}

std::vector<size_t> Batches::order(int64_t epoch) const {
  std::vector<size_t> drawn;
  for (size_t g = 0; g < games_.size(); ++g) {
    const auto& [members, share] = games_[g];
    const auto n = static_cast<int64_t>(members.size());
    // The game's examples go round and round; this epoch has those from `first` on.
    const int64_t first = epoch * share;
    std::vector<size_t> round;
    int64_t which = -1;
    for (int64_t k = first; k < first + share; ++k) {
      if (k / n != which) {
        which = k / n;
        round = options_.shuffle ? permutation(members.size(), options_.seed, g + 1, static_cast<uint64_t>(which)) : std::vector<size_t>();
      }
      const auto at = static_cast<size_t>(k % n);
      drawn.push_back(members[round.empty() ? at : round[at]]);
    }
  }
  if (!options_.shuffle || games_.size() == 1) return drawn;
  std::vector<size_t> out;
  for (const size_t i : permutation(drawn.size(), options_.seed, kSlots, static_cast<uint64_t>(epoch))) out.push_back(drawn[i]);
  return out;
}

size_t Batches::step_end(const std::vector<size_t>& order, size_t from) const {
  int64_t tokens = 0;
  size_t to = from;
  while (to < order.size() && (options_.examples == 0 || static_cast<int64_t>(to - from) < options_.examples)) {
    tokens += items_[order[to]].tokens;
    if (options_.tokens > 0 && to > from && tokens > options_.tokens) break;
    ++to;
  }
  return to;
}

int64_t Batches::steps(int64_t epochs) const {
  if (options_.tokens == 0) return epochs * ((size() + options_.examples - 1) / options_.examples);
  int64_t out = 0;
  for (int64_t e = 0; e < epochs; ++e) {
    const std::vector<size_t> all = order(e);
    for (size_t at = 0; at < all.size(); ++out) at = step_end(all, at);
  }
  return out;
}

void Batches::seek(Position p) {
  if (p.epoch < 0 || p.index < 0 || p.index > size()) {
    throw std::invalid_argument("epoch " + std::to_string(p.epoch) + ", example " + std::to_string(p.index) + ": an epoch has " + std::to_string(size()));
  }
  if (p.index == size()) p = {p.epoch + 1, 0};
  if (order_.empty() || p.epoch != at_.epoch) order_ = order(p.epoch);
  at_ = p;
}

Batch Batches::next() {
  Batch out;
  out.from = at_;
  const auto from = static_cast<size_t>(at_.index);
  const size_t to = step_end(order_, from);
  out.all.assign(order_.begin() + static_cast<ptrdiff_t>(from), order_.begin() + static_cast<ptrdiff_t>(to));
  seek({at_.epoch, static_cast<int64_t>(to)});
  out.behind = at_;

  // The longest first, each to the process that has least: all are done at about the same time.
  std::vector<size_t> longest = out.all;
  std::sort(longest.begin(), longest.end(), [&](size_t a, size_t b) { return items_[a].tokens != items_[b].tokens ? items_[a].tokens > items_[b].tokens : a < b; });
  std::vector<int64_t> load(static_cast<size_t>(options_.world));
  std::vector<int64_t> room;  // left in each pack
  for (const size_t i : longest) {
    const auto least = std::min_element(load.begin(), load.end());
    *least += items_[i].tokens;
    if (least - load.begin() != options_.rank) continue;
    // The first pack with room for it; so no two packs are half empty.
    size_t pack = 0;
    while (pack < room.size() && options_.at_once > 0 && room[pack] < items_[i].tokens) ++pack;
    if (pack == room.size()) {
      room.push_back(options_.at_once);
      out.mine.emplace_back();
    }
    room[pack] -= items_[i].tokens;
    out.mine[pack].push_back(i);
  }
  return out;
}

}  // namespace ppc::data
