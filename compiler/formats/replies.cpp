// The replies of a move as an automaton over bytes: what constrains a model's decoding, token by token.
#include <algorithm>
#include <map>

#include "compiler/formats/formats.h"
#include "compiler/formats/nfa.h"

namespace ppc::formats {
namespace {

// Spells the characters of an automaton's edges as bytes. What is left of a character is a state behind the automaton's own;
// equal rests are one state.
class Speller {
 public:
  Speller(const Language& language, Limits limits, uint32_t holes = 0) : language_(language), limits_(limits), holes_(holes) {}

  Replies run() {
    out_.states.resize(language_.states.size());
    for (uint32_t s = 0; s < language_.states.size(); ++s) {
      const Language::State& from = language_.states[s];
      wants_ = wants(from);
      std::vector<Piece> pieces;
      for (const Language::Edge& edge : from.edges)
        for (CodeRange r : edge.chars.ranges()) pieces.push_back({r.low, r.high, edge.to});
      std::sort(pieces.begin(), pieces.end(), [](const Piece& a, const Piece& b) { return a.low < b.low; });
      std::vector<Replies::Edge> edges;
      lead(pieces, 0, 0x7F, 0, 0, edges);
      lead(pieces, 0x80, 0x7FF, 1, 0xC0, edges);
      lead(pieces, 0x800, 0xD7FF, 2, 0xE0, edges);
      lead(pieces, 0xE000, 0xFFFF, 2, 0xE0, edges);
      lead(pieces, 0x10000, 0x10FFFF, 3, 0xF0, edges);
      Replies::State& state = out_.states[s];
      state.edges = std::move(edges);
      state.accepts = from.accepts;
      state.wants = wants_;
      for (const Language::Edge& edge : from.edges)
        for (CodeRange r : edge.chars.ranges())
          for (uint32_t c = std::max(r.low, kFirstHole); c <= std::min(r.high, kLastHole); ++c)
            if (c - kFirstHole < holes_) state.holes.push_back({c - kFirstHole, edge.to});
    }
    return std::move(out_);
  }

 private:
  struct Piece { uint32_t low, high, to; };

  // Edges for the first byte of the characters low..high, of which `rest` bytes follow.
  void lead(const std::vector<Piece>& pieces, uint32_t low, uint32_t high, uint32_t rest, uint32_t mark, std::vector<Replies::Edge>& edges) {
    split(within(pieces, low, high), rest, mark, edges);
  }
  static std::vector<Piece> within(const std::vector<Piece>& pieces, uint32_t low, uint32_t high) {
    std::vector<Piece> out;
    for (const Piece& p : pieces)
      if (p.low <= high && p.high >= low) out.push_back({std::max(p.low, low), std::min(p.high, high), p.to});
    return out;
  }
  void split(std::vector<Piece> pieces, uint32_t rest, uint32_t mark, std::vector<Replies::Edge>& edges) {
    const uint32_t bits = 6 * rest;
    for (size_t i = 0; i < pieces.size();) {
      const uint32_t top = pieces[i].low >> bits;
      const uint32_t first = top << bits, last = first | ((1u << bits) - 1);
      uint32_t count = 1, to;
      if (pieces[i].low == first && pieces[i].high >= last) {
        count = (pieces[i].high + 1 - first) >> bits;
        to = rest == 0 ? pieces[i].to : any(rest, pieces[i].to);
      } else {
        to = node(within(pieces, first, last), rest);
      }
      add(edges, static_cast<uint8_t>(mark + (top & (rest == 0 ? 0x7F : 0x3F))), count, to);
      const uint32_t done = first + (count << bits) - 1;
      while (i < pieces.size() && pieces[i].high <= done) ++i;
      if (i < pieces.size()) pieces[i].low = std::max(pieces[i].low, done + 1);  // it goes on behind what is done
    }
  }
  static void add(std::vector<Replies::Edge>& edges, uint8_t byte, uint32_t count, uint32_t to) {
    if (!edges.empty() && edges.back().to == to && edges.back().high + 1 == byte) edges.back().high = static_cast<uint8_t>(byte + count - 1);
    else edges.push_back({byte, static_cast<uint8_t>(byte + count - 1), to});
  }

  // The state in which `rest` more bytes follow; the pieces' characters agree in the bytes before.
  uint32_t node(const std::vector<Piece>& pieces, uint32_t rest) {
    std::vector<Piece> inner = pieces;
    const uint32_t mask = (1u << (6 * rest)) - 1;
    for (Piece& p : inner) p = {p.low & mask, p.high & mask, p.to};
    std::vector<Replies::Edge> edges;
    split(inner, rest - 1, 0x80, edges);
    return intern(std::move(edges));
  }
  uint32_t any(uint32_t rest, uint32_t to) {
    for (; rest > 0; --rest) to = intern({{0x80, 0xBF, to}});
    return to;
  }
  uint32_t intern(std::vector<Replies::Edge> edges) {
    std::vector<uint32_t> key;
    for (const Replies::Edge& e : edges) key.insert(key.end(), {e.low, e.high, e.to});
    auto [at, is_new] = index_.emplace(std::move(key), static_cast<uint32_t>(out_.states.size()));
    if (is_new) {
      if (out_.states.size() >= size_t{4} * limits_.states) fail_too_large({});
      out_.states.push_back({std::move(edges), false, wants_});
    }
    return at->second;
  }

  uint32_t wants(const Language::State& state) {
    std::string text;
    size_t said = 0;
    for (size_t i = 0; i < state.wants.size() && said < 5; ++i) {
      const std::string& word = language_.words[state.wants[i]];
      const auto here = state.wants.begin() + static_cast<std::ptrdiff_t>(i);
      if (std::any_of(state.wants.begin(), here, [&](uint32_t w) { return language_.words[w] == word; })) continue;
      text += (text.empty() ? "" : " or ") + (++said == 5 ? "…" : word);
    }
    if (state.accepts) text += text.empty() ? "the end" : " or the end";
    auto [at, is_new] = wants_index_.emplace(text, static_cast<uint32_t>(out_.wants.size()));
    if (is_new) out_.wants.push_back(text);
    return at->second;
  }

  const Language& language_;
  Limits limits_;
  uint32_t holes_;
  Replies out_;
  uint32_t wants_ = 0;
  std::map<std::vector<uint32_t>, uint32_t> index_;
  std::map<std::string, uint32_t> wants_index_;
};

}  // namespace

Replies replies(const std::vector<const Items*>& formats, const std::vector<Unchanged>& unchanged, Limits limits, Problem* problem) {
  if (problem) *problem = {};
  try {
    return Speller(intersect(formats, unchanged, limits), limits).run();
  } catch (Failure& failure) {
    if (problem) *problem = std::move(failure.problem);
    return {};
  }
}

Replies replies_with_holes(const Items& format, Limits limits, Problem* problem) {
  if (problem) *problem = {};
  try {
    uint32_t holes = 0;
    const Language language = intersect_with_holes(format, limits, &holes);
    return Speller(language, limits, holes).run();
  } catch (Failure& failure) {
    if (problem) *problem = std::move(failure.problem);
    return {};
  }
}

}  // namespace ppc::formats
