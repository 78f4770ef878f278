// Formats with holes as instructions: the nodes of their automaton, one after the other.
#include <algorithm>
#include <map>

#include "compiler/formats/formats.h"
#include "compiler/formats/nfa.h"
#include "runtime/abi/forms.h"

namespace ppc::formats {
namespace {

using rt::FormOp;

class Writer {
 public:
  explicit Writer(const Nfa& nfa) : nfa_(nfa), place_(nfa.nodes.size(), UINT32_MAX) {}

  std::vector<int64_t> run(size_t captures) {
    place(nfa_.starts[0]);
    while (!todo_.empty()) {
      const uint32_t n = todo_.back();
      todo_.pop_back();
      write(n);
    }
    // Sets lie behind the instructions.
    const auto size = static_cast<int64_t>(code_.size());
    std::vector<int64_t> out{static_cast<int64_t>(captures), size};
    std::vector<int64_t> sets;
    std::map<uint32_t, int64_t> at;
    for (int64_t i : code_) {
      if (static_cast<FormOp>(i & 15) == FormOp::Set) {
        const auto set = static_cast<uint32_t>(i >> 32);
        auto [known, is_new] = at.emplace(set, rt::kFormHead + size + static_cast<int64_t>(sets.size()));
        if (is_new) {
          const auto& ranges = nfa_.sets[set].ranges();
          sets.push_back(static_cast<int64_t>(ranges.size()));
          for (CodeRange r : ranges) sets.push_back(int64_t{r.low} << 21 | r.high);
        }
        i = (i & 0xFFFFFFFF) | known->second << 32;
      }
      out.push_back(i);
    }
    out.insert(out.end(), sets.begin(), sets.end());
    return out;
  }

 private:
  uint32_t fresh() {
    code_.push_back(0);
    return static_cast<uint32_t>(code_.size() - 1);
  }
  uint32_t place(uint32_t node) {
    if (place_[node] == UINT32_MAX) {
      place_[node] = fresh();
      todo_.push_back(node);
    }
    return place_[node];
  }

  void write(uint32_t n) {
    const Nfa::Node& node = nfa_.nodes[n];
    uint32_t here = place_[n];
    switch (node.kind) {
      case Nfa::Node::Kind::Accept: code_[here] = rt::form_instruction(FormOp::Done); break;
      case Nfa::Node::Kind::Tag: {
        const uint32_t next = place(node.next[0]);
        code_[here] = rt::form_instruction(node.tag % 2 ? FormOp::End : FormOp::Begin, next, node.tag / 2);
        break;
      }
      case Nfa::Node::Kind::Split:
        for (size_t i = 0; i + 2 < node.next.size(); ++i) here = split(here, place(node.next[i]), FormOp::Split);
        if (node.next.size() == 1) {
          const uint32_t only = place(node.next[0]);
          code_[here] = rt::form_instruction(FormOp::Split, only, only);
          break;
        }
        {
          const uint32_t first = place(node.next[node.next.size() - 2]), second = place(node.next.back());
          code_[here] = rt::form_instruction(node.loop ? FormOp::Loop : FormOp::Split, first, second);
        }
        break;
      case Nfa::Node::Kind::Chars:
        // The sets of a node are disjoint: their order does not matter.
        for (size_t i = 0; i < node.moves.size(); ++i) {
          uint32_t at = here;
          if (i + 1 < node.moves.size()) {
            at = fresh();
            here = split(here, at, FormOp::Split);
          }
          read(at, node.moves[i]);
        }
        // A class of which nothing is left reads nothing.
        if (node.moves.empty()) code_[here] = rt::form_instruction(FormOp::Set, 0, empty_set());
        break;
    }
  }
  /// At `here` first `first`, then what is written at the place that is returned.
  uint32_t split(uint32_t here, uint32_t first, FormOp op) {
    const uint32_t rest = fresh();
    code_[here] = rt::form_instruction(op, first, rest);
    return rest;
  }
  void read(uint32_t at, Nfa::Move move) {
    const CodeSet& set = nfa_.sets[move.set];
    const uint32_t next = place(move.to);
    const uint32_t first = set.empty() ? 0 : set.ranges()[0].low;
    if (set.size() == 1 && first >= kFirstHole && first <= kLastHole) code_[at] = rt::form_instruction(FormOp::Hole, next, first - kFirstHole);
    else if (set.size() == 1) code_[at] = rt::form_instruction(FormOp::Char, next, first);
    else if (set == without_holes(CodeSet::any())) code_[at] = rt::form_instruction(FormOp::Any, next);
    else if (set == without_holes(*class_set("letters"))) code_[at] = rt::form_instruction(FormOp::Letter, next);
    else code_[at] = rt::form_instruction(FormOp::Set, next, move.set);
  }
  static CodeSet without_holes(const CodeSet& set) { return set.intersected(CodeSet{{kFirstHole, kLastHole}}.complement()); }
  int64_t empty_set() const {
    for (size_t s = 0; s < nfa_.sets.size(); ++s)
      if (nfa_.sets[s].empty()) return static_cast<int64_t>(s);
    fail("a class without characters", {});
  }

  const Nfa& nfa_;
  std::vector<uint32_t> place_, todo_;
  std::vector<int64_t> code_;
};

}  // namespace

bool has_holes(const Items& items) {
  return std::any_of(items.begin(), items.end(), [](const ast::FormatItem& item) {
    return item.among || std::any_of(item.branches.begin(), item.branches.end(), [](const Items& b) { return has_holes(b); });
  });
}

HoleProgram compile_with_holes(const Items& items, Limits limits, Problem* problem) {
  if (problem) *problem = {};
  HoleProgram out;
  try {
    NfaBuilder builder(limits);
    builder.leave_holes();
    builder.add(items, &out.captures);
    const Nfa nfa = builder.take();
    if (nfa.nodes.size() >= size_t{1} << 20) fail_too_large(items.front().span);
    out.holes = nfa.holes;
    out.code = Writer(nfa).run(out.captures.size());
  } catch (Failure& failure) {
    if (problem) *problem = std::move(failure.problem);
    if (problem && problem->span == Span{} && !items.empty())
      problem->span = {items.front().span.file, items.front().span.begin, items.back().span.end};
    out.code.clear();
  }
  return out;
}

}  // namespace ppc::formats
