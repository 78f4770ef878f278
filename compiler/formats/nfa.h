// The nondeterministic automaton of one or several formats, over code points, and its untagged determinisation.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "compiler/formats/codeset.h"
#include "compiler/formats/formats.h"

namespace ppc::formats {

/// Thrown inside this library only; compile() and its like turn it into a Problem.
struct Failure { Problem problem; };
[[noreturn]] inline void fail(std::string message, Span span) { throw Failure{{std::move(message), span}}; }
[[noreturn]] inline void fail_too_large(Span span) { fail("the format is too large", span); }

struct Nfa {
  struct Move { uint32_t set, to; };  // set indexes `sets`; `to` is a core (see below)
  struct Node {
    enum class Kind : uint8_t { Split, Chars, Tag, Accept } kind = Kind::Accept;
    std::vector<uint32_t> next;  // Split: in order of preference; Tag: one
    std::vector<Move> moves;     // Chars: disjoint sets
    uint32_t tag = 0;            // Tag: 2 * capture (begin) or 2 * capture + 1 (end)
    uint32_t word = 0;           // Chars: what it is part of, an index into `words`
    bool loop = false;           // Split {again, on}: who comes back without having read anything goes on
  };
  std::vector<Node> nodes;
  std::vector<CodeSet> sets;
  std::vector<uint32_t> starts;  // one a format
  std::vector<std::string> words;  // the formats' pieces as they are written: `"CLUE:"`, `{clue: text}`
  std::vector<uint64_t> places;    // of the words, by which they are ordered
  std::vector<const ast::FormatItem*> holes;  // `{text in …}`, which read the characters kFirstHole, kFirstHole + 1, …
};

/// Builds several formats into one automaton, so that they share an alphabet.
/// Surrogates, which no text has, stand for the holes of a format.
constexpr uint32_t kFirstHole = 0xD800, kLastHole = 0xDFFF;

class NfaBuilder {
 public:
  explicit NfaBuilder(Limits limits) : limits_(limits) {}
  /// Throws Failure. `captures` may be null: then no tags are made.
  void add(const Items&, std::vector<CaptureInfo>* captures);
  /// The texts that stay what they are.
  void add(const Unchanged&);
  /// From now on an `int` has no more digits than every int of that many has.
  void count_digits() { count_digits_ = true; }
  /// From now on `{text in …}` is a hole; else it is any text.
  void leave_holes() { leave_holes_ = true; }
  uint32_t holes() const { return static_cast<uint32_t>(nfa_.holes.size()); }
  Nfa take() { return std::move(nfa_); }

 private:
  uint32_t node(Nfa::Node);
  uint32_t set(CodeSet);
  uint32_t exact_set(CodeSet);
  uint32_t split(std::vector<uint32_t> next);
  uint32_t chars(CodeSet, uint32_t to);
  uint32_t loop(const CodeSet&, bool at_least_one, uint32_t next);
  uint32_t avoiding(const ast::FormatItem&, const CodeSet&, bool at_least_one, uint32_t next);
  uint32_t sequence(const Items&, uint32_t next);
  std::vector<uint32_t> branches(const ast::FormatItem&, uint32_t next);
  uint32_t item(const ast::FormatItem&, uint32_t next);
  uint32_t literal(const ast::FormatItem&, uint32_t next);
  uint32_t capture(const ast::FormatItem&, uint32_t next);

  Limits limits_;
  Nfa nfa_;
  std::map<CodeSet, uint32_t> set_index_;
  std::vector<CaptureInfo>* captures_ = nullptr;
  uint32_t word_ = 0;
  bool count_digits_ = false, leave_holes_ = false;
};

/// Whether the empty text fits.
bool nullable(const Items&);
bool nullable(const ast::FormatItem&);

/// The code points, divided into classes that no set of the automaton tells apart.
struct Alphabet {
  struct Interval { uint32_t low, high, cls; };
  std::vector<Interval> intervals;          // cover 0..kMaxCodePoint
  uint32_t classes = 0;
  std::vector<std::vector<bool>> contains;  // [set][class]
  explicit Alphabet(const std::vector<CodeSet>&);
  CodeSet chars_of(uint32_t cls) const;
};

/// What can be reached from a core without reading: in order of preference. A core is a node that a move leads to (or a start).
struct Leaf {
  uint32_t node;       // Chars or Accept
  uint64_t tags;       // those passed on the way
};

class Closures {
 public:
  explicit Closures(const Nfa& nfa) : nfa_(nfa), of_(nfa.nodes.size()), known_(nfa.nodes.size()) {}
  const std::vector<Leaf>& operator[](uint32_t core);

 private:
  const Nfa& nfa_;
  std::vector<std::vector<Leaf>> of_;
  std::vector<bool> known_;
};

/// Determinises on demand, without tags: states are sets of cores. State 0 is the empty set.
class Subsets {
 public:
  Subsets(const Nfa& nfa, const Alphabet& alphabet, Closures& closures)
      : nfa_(nfa), alphabet_(alphabet), closures_(closures) { intern({}); }
  uint32_t intern(std::vector<uint32_t> cores);
  uint32_t step(uint32_t state, uint32_t cls);
  bool accepts(uint32_t state) const { return accepts_[state]; }
  const std::vector<uint32_t>& cores(uint32_t state) const { return *cores_[state]; }
  size_t size() const { return cores_.size(); }
  /// Whether everything that fits from `small` also fits from `large`. Gives up (false) when `budget` is used up.
  bool includes(uint32_t large, uint32_t small, int64_t& budget);

 private:
  const Nfa& nfa_;
  const Alphabet& alphabet_;
  Closures& closures_;
  std::map<std::vector<uint32_t>, uint32_t> index_;
  std::vector<const std::vector<uint32_t>*> cores_;
  std::vector<bool> accepts_;
  std::vector<std::vector<uint32_t>> next_;  // UINT32_MAX: not computed yet
  std::map<std::pair<uint32_t, uint32_t>, bool> included_;
};

/// Partition refinement (Hopcroft's): returns the block of each state; states of a block have equal `kind`s and equal labels
/// lead to equal blocks. A missing transition is one to an implicit dead state.
struct Transition { uint32_t from, label, to; };
std::vector<uint32_t> coarsest_partition(uint32_t states, const std::vector<uint32_t>& kind,
                                         const std::vector<Transition>&);

/// A deterministic automaton over code points without captures: the intersection of formats, trimmed and minimal.
struct Language {
  struct Edge { CodeSet chars; uint32_t to; };
  struct State {
    std::vector<Edge> edges;
    bool accepts = false;
    std::vector<uint32_t> wants;  // the pieces that one is in, where not every character may follow: indices into `words`
  };
  std::vector<State> states;  // state 0 is the start; no states: the empty language
  std::vector<std::string> words;
};
Language intersect(const std::vector<const Items*>&, Limits);
/// Of these only the replies that stay what they are, and that have no `int` which may be too large.
Language intersect(const std::vector<const Items*>&, const std::vector<Unchanged>&, Limits);
/// Of one format, whose holes read characters of their own, kFirstHole and on.
Language intersect_with_holes(const Items&, Limits, uint32_t* holes);

}  // namespace ppc::formats
