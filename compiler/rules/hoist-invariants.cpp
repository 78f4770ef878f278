// Takes what does not change out of loops: total computations whose operands are assigned outside. Loops that suspend are
// left alone, since what is computed in front of them would have to be kept over the suspension. Moving a computation
// that a loop may not reach costs fuel that it would not have cost; every engine runs this same IR, so all agree.
// What an inner loop computes from each item of a list that does not change is the same on each turn of the outer loop, and
// is computed in front of that, into a list.
#include <algorithm>

#include "compiler/rules/flow.h"
#include "compiler/rules/passes.h"

namespace ppc::rules {
namespace {

struct Loop {
  BlockId head;
  std::vector<bool> inside;
  size_t size = 0;
};

std::vector<Loop> loops_of(const Function& f) {
  auto idom = immediate_dominators(f);
  auto preds = predecessors(f);
  std::vector<Loop> loops;
  for (BlockId b = 0; b < f.blocks.size(); ++b) {
    if (idom[b] == kNoBlock) continue;
    for (BlockId head : successors(f.blocks[b].end)) {
      if (!dominates(idom, head, b)) continue;
      auto it = std::find_if(loops.begin(), loops.end(), [&](const Loop& l) { return l.head == head; });
      if (it == loops.end()) {
        loops.push_back({head, std::vector<bool>(f.blocks.size()), 0});
        it = loops.end() - 1;
        it->inside[head] = true;
        it->size = 1;
      }
      std::vector<BlockId> work{b};
      while (!work.empty()) {
        BlockId x = work.back();
        work.pop_back();
        if (it->inside[x] || idom[x] == kNoBlock) continue;
        it->inside[x] = true;
        ++it->size;
        for (BlockId q : preds[x]) work.push_back(q);
      }
    }
  }
  // Inner ones first: what leaves an inner loop may then leave the outer one.
  std::sort(loops.begin(), loops.end(), [](const Loop& a, const Loop& b) {
    return a.size != b.size ? a.size < b.size : a.head < b.head;
  });
  return loops;
}

/// A loop may guard what it computes (`if n < 10 { t.repeat(n) }`), so only what costs no more than its operands are long
/// may be computed in front of it.
bool linear(const Instr& i) {
  if (i.op != Op::Builtin) return true;
  switch (i.builtin) {
    case Builtin::TextRepeat:
    case Builtin::TextReplace:
    case Builtin::TextJoin:
    case Builtin::TextBullets:
    case Builtin::ToText: return false;
    default: return true;
  }
}

/// What a loop does.
struct Changes {
  std::vector<bool> assigned;  // registers
  bool containers = false, suspends = false;
};
Changes changes_of(const Program& p, const Function& f, const Loop& loop) {
  Changes c;
  c.assigned.resize(f.regs.size());
  for (BlockId b = 0; b < f.blocks.size(); ++b) {
    if (!loop.inside[b]) continue;
    if (f.blocks[b].end.kind == Terminator::Kind::Ask) c.suspends = true;
    for (const Instr& i : f.blocks[b].instrs) {
      if (i.dst != kNoReg) c.assigned[i.dst] = true;
      if (i.op == Op::Builtin && info(i.builtin).mutates()) c.containers = true;
      if (i.op == Op::StoreSlot) c.containers = true;
      if (i.op == Op::Call && p.functions[static_cast<size_t>(i.imm)].kind == Function::Kind::Part) c.containers = true;
    }
  }
  return c;
}

/// What is composed only when somebody records.
bool only_recorded(const Block& b) { return !b.instrs.empty() && b.instrs.back().op == Op::StoreFuel; }

/// Makes every way into the loop from outside go to `front`.
void enter_at(Function& f, const Loop& loop, BlockId front) {
  for (BlockId b = 0; b < loop.inside.size(); ++b) {
    if (loop.inside[b]) continue;
    for_each_target(f.blocks[b].end, [&](BlockId& t) {
      if (t == loop.head) t = front;
    });
  }
}

/// Does one loop; true when something moved (the blocks have changed then).
bool hoist(const Program& p, Function& f, const Loop& loop) {
  auto counts = definition_counts(f);
  auto [assigned, changes_containers, suspends] = changes_of(p, f, loop);
  if (suspends) return false;
  auto container = [&](Reg r) { return is_container(p.manifest, f.regs[r].type); };
  auto movable = [&](const Instr& i) {
    if (i.dst == kNoReg || counts[i.dst] != 1 || !is_total(i) || !linear(i) || i.op == Op::Move) return false;
    // A container may be changed in place by whoever gets it, so each turn needs one of its own; constant ones are not.
    if (container(i.dst) && i.op != Op::LoadField && i.op != Op::Const &&
        !(i.op == Op::Builtin && i.builtin == Builtin::Stopwords))
      return false;
    for (Reg r : i.args) {
      if (assigned[r]) return false;
      if (container(r) && changes_containers) return false;
    }
    return true;
  };
  std::vector<Instr> moved;
  for (bool more = true; more;) {
    more = false;
    for (BlockId b = 0; b < f.blocks.size(); ++b) {
      if (!loop.inside[b]) continue;
      auto& instrs = f.blocks[b].instrs;
      if (only_recorded(f.blocks[b])) continue;
      for (size_t k = 0; k < instrs.size();) {
        if (!movable(instrs[k])) {
          ++k;
          continue;
        }
        assigned[instrs[k].dst] = false;
        moved.push_back(std::move(instrs[k]));
        instrs.erase(instrs.begin() + static_cast<ptrdiff_t>(k));
        more = true;
      }
    }
  }
  if (moved.empty()) return false;
  enter_at(f, loop, static_cast<BlockId>(f.blocks.size()));
  Block before;
  before.label = "before";
  before.instrs = std::move(moved);
  before.end.kind = Terminator::Kind::Jump;
  before.end.to = loop.head;
  before.end.span = f.blocks[loop.head].end.span;
  f.blocks.push_back(std::move(before));
  return true;
}

/// Worth a list: what looks at the whole text.
bool worth_keeping(Builtin b) {
  switch (b) {
    case Builtin::Stem:
    case Builtin::TextLower:
    case Builtin::TextUpper:
    case Builtin::TextCapitalized:
    case Builtin::TextWithoutPunctuation: return true;
    default: return false;
  }
}

/// Looks in a loop's inner ones for one computation of each item of a list; true when it has been replaced.
bool tabulate(const Program& p, Function& f, const std::vector<Loop>& loops, const Loop& outer) {
  const auto& types = p.manifest.types;
  auto type_of = [&](const char* kind) {
    return static_cast<uint32_t>(std::find_if(types.begin(), types.end(), [&](auto& t) { return t.kind == kind; }) - types.begin());
  };
  const uint32_t int_type = type_of("int"), bool_type = type_of("bool");
  const Changes changes = changes_of(p, f, outer);
  if (changes.suspends || changes.containers || int_type == types.size() || bool_type == types.size()) return false;
  const auto counts = definition_counts(f);
  auto constant = [&](Reg r) { return !changes.assigned[r]; };
  std::vector<bool> repeated(f.blocks.size());
  for (const Loop& inner : loops) {
    if (inner.head == outer.head || !outer.inside[inner.head] || inner.size >= outer.size) continue;
    for (BlockId b = 0; b < f.blocks.size(); ++b)
      if (inner.inside[b]) repeated[b] = true;
  }
  for (BlockId b = 0; b < f.blocks.size(); ++b) {
    if (!repeated[b] || only_recorded(f.blocks[b])) continue;
    auto& instrs = f.blocks[b].instrs;
    for (size_t k = 0; k < instrs.size(); ++k) {
      if (instrs[k].op != Op::Builtin || !worth_keeping(instrs[k].builtin)) continue;
      const Reg item = instrs[k].args[0];
      auto taken = std::find_if(instrs.begin(), instrs.begin() + static_cast<ptrdiff_t>(k), [&](const Instr& i) {
        return i.dst == item && i.op == Op::Builtin && i.builtin == Builtin::ListAt && constant(i.args[0]);
      });
      if (taken == instrs.begin() + static_cast<ptrdiff_t>(k) || counts[item] != 1) continue;
      const Reg list = taken->args[0], index = taken->args[1];
      const uint32_t list_type = f.regs[list].type;
      if (std::any_of(taken, instrs.begin() + static_cast<ptrdiff_t>(k), [&](const Instr& i) { return i.dst == index; })) continue;
      // In front: results = []; for j in 0 .. length - 1 { results.push(f(list[j])) }. Texts from texts: the same type of list.
      if (f.regs[instrs[k].dst].type != f.regs[item].type) continue;
      auto reg = [&](uint32_t type) {
        f.regs.push_back({"", type});
        return static_cast<Reg>(f.regs.size() - 1);
      };
      const Reg length = reg(int_type), results = reg(list_type), j = reg(int_type), one = reg(int_type), kind = reg(int_type),
                more = reg(bool_type), from = reg(f.regs[item].type), result = reg(f.regs[item].type);
      const Span span = instrs[k].span;
      auto instr = [&](Op op, Reg dst, std::vector<Reg> args, int64_t imm = 0) { return instruction(span, op, dst, std::move(args), imm); };
      auto call = [&](Builtin builtin, Reg dst, std::vector<Reg> args) {
        return instruction(span, Op::Builtin, dst, std::move(args), 0, builtin);
      };
      auto jump = [&](BlockId to, bool back) {
        Terminator t;
        t.kind = Terminator::Kind::Jump;
        t.to = to;
        t.back_edge = back;
        t.span = span;
        return t;
      };
      const BlockId front = static_cast<BlockId>(f.blocks.size());
      const Builtin of_item = instrs[k].builtin;
      instrs[k] = call(Builtin::ListAt, instrs[k].dst, {results, index});
      enter_at(f, outer, front);
      Block before, each, next;
      before.label = "before";
      before.instrs = {call(Builtin::ListLength, length, {list}), call(Builtin::ListNew, results, {length}),
                       instr(Op::Const, j, {}, 0), instr(Op::Const, one, {}, 1), instr(Op::Const, kind, {}, list_type)};
      before.end = jump(front + 1, false);
      each.label = "items";
      each.instrs = {instr(Op::LtInt, more, {j, length})};
      each.end.kind = Terminator::Kind::Branch;
      each.end.cond = more;
      each.end.to = front + 2;
      each.end.otherwise = outer.head;
      each.end.span = span;
      next.label = "item";
      next.instrs = {call(Builtin::ListAt, from, {list, j}), call(of_item, result, {from}),
                     call(Builtin::ListPush, results, {results, result, kind}), instr(Op::AddInt, j, {j, one})};
      next.end = jump(front + 1, true);
      for (Block* block : {&before, &each, &next}) f.blocks.push_back(std::move(*block));
      return true;
    }
  }
  return false;
}

}  // namespace

void hoist_invariants(Program& p) {
  for (Function& f : p.functions) {
    remove_unreachable(f);
    forward_copies(p, f);
    std::vector<BlockId> done;  // heads
    for (bool more = true; more;) {
      more = false;
      for (const Loop& loop : loops_of(f)) {
        if (loop.head == 0 || std::find(done.begin(), done.end(), loop.head) != done.end()) continue;
        done.push_back(loop.head);
        if (hoist(p, f, loop)) {
          more = true;
          break;  // blocks have changed: find the loops anew
        }
      }
    }
    // As far out as it goes; what has been moved out makes loops of its own, which have none inside.
    for (bool more = true; more;) {
      more = false;
      const auto loops = loops_of(f);
      for (auto outer = loops.rbegin(); outer != loops.rend() && !more; ++outer)
        more = outer->head != 0 && tabulate(p, f, loops, *outer);
    }
  }
}

}  // namespace ppc::rules
