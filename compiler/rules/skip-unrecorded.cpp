// Notes and what a move gives matter to the record only. What is computed for nothing else is put under a branch on
// whether somebody records.
//
// Outcomes must not depend on that, and budgets are a part of outcomes, so either way costs the same flat fuel. Then what
// is skipped must be cheap, or a game could spend time it is not charged for: only work that is linear in the length of a
// few texts is moved, and WantEvents says yes when one of those texts is long, so that long ones are composed either way.
// The flat fuel also ends a game that notes without end before its events fill the memory. Only the step's scratch
// remembers the difference: a game that fills it to the brim may see its budget end in a note.
#include <algorithm>

#include "compiler/rules/flow.h"
#include "compiler/rules/passes.h"

namespace ppc::rules {
namespace {

constexpr int64_t kShort = 4096;       // bytes
constexpr int64_t kFlat = 16;          // fuel
constexpr int64_t kPlenty = 1 << 30;   // fuel, while a note is composed

bool cheap(const Instr& i) {
  switch (i.op) {
    case Op::Const:
    case Op::Move:
    case Op::Concat:
    case Op::IntToFloat:
    case Op::EqInt:
    case Op::LtInt:
    case Op::LeInt:
    case Op::Not: return true;
    case Op::Builtin:
      switch (i.builtin) {
        case Builtin::IntToText:
        case Builtin::FloatToText:
        case Builtin::BoolToText:
        case Builtin::TextLower:
        case Builtin::TextUpper:
        case Builtin::TextCapitalized:
        case Builtin::TextTrimmed:
        case Builtin::TextTrimmedStart:
        case Builtin::TextTrimmedEnd:
        case Builtin::TextWithoutPunctuation:
        case Builtin::Stem: return true;
        default: return false;
      }
    default: return false;
  }
}

struct Uses { uint32_t definitions = 0, uses = 0; };

std::vector<Uses> count(const Function& f) {
  std::vector<Uses> u(f.regs.size());
  for (Reg r = 0; r < f.params; ++r) ++u[r].definitions;
  for (const Block& b : f.blocks) {
    for (const Instr& i : b.instrs) {
      if (i.dst != kNoReg) ++u[i.dst].definitions;
      for_each_use(i, [&](Reg r) { ++u[r].uses; });
    }
    for_each_use(b.end, [&](Reg r) { ++u[r].uses; });
  }
  return u;
}

/// Looks for a Note or an Accept from instruction `from` of block `b` on, and moves what only it needs. Returns the
/// block and the instruction to go on with, or false when there is no more in this block.
bool skip_next(Program& p, Function& f, BlockId& b, size_t& from) {
  auto& instrs = f.blocks[b].instrs;
  size_t at = from;
  auto is = [&](const Instr& i, Builtin which) { return i.op == Op::Builtin && i.builtin == which; };
  while (at < instrs.size() && !is(instrs[at], Builtin::Note) && !is(instrs[at], Builtin::Accept)) ++at;
  if (at >= instrs.size()) return false;
  const bool accept = is(instrs[at], Builtin::Accept);
  auto uses = count(f);
  std::vector<bool> taken(instrs.size());
  std::vector<uint32_t> inside(f.regs.size());  // uses by what is taken
  auto take = [&](size_t k) {
    taken[k] = true;
    for (Reg r : instrs[k].args) ++inside[r];
  };
  Reg list = kNoReg;  // Accept: the list of what is given, built by ListNew and ListPush just in front
  if (accept) {
    list = instrs[at].args[2];
    ++inside[list];
    bool whole = false;
    for (size_t k = at; k-- > 0 && !whole;) {
      const Instr& i = instrs[k];
      if (i.dst != list) continue;
      const bool push = is(i, Builtin::ListPush) && i.args[0] == list;
      whole = is(i, Builtin::ListNew);
      if (!push && !whole) return from = at + 1, true;
    }
    if (!whole) return from = at + 1, true;  // it comes from another block, or there is nothing in it
    for (size_t k = at; k-- > 0;) {
      if (instrs[k].dst != list) continue;
      take(k);
      if (is(instrs[k], Builtin::ListNew)) break;
    }
    // The list is read by the pushes and the Accept alone (other sites of the same register end in their own Accept).
    for (size_t k = 0; k < instrs.size(); ++k)
      if (!taken[k] && k != at && std::count(instrs[k].args.begin(), instrs[k].args.end(), list)) return from = at + 1, true;
  } else {
    take(at);
  }
  std::vector<Reg> leaves;
  size_t first = at;
  for (size_t k = at; k-- > 0;) {
    const Instr& i = instrs[k];
    if (taken[k]) {
      first = k;
      continue;
    }
    if (i.dst == kNoReg || inside[i.dst] == 0 || i.dst == list) continue;
    const Uses& u = uses[i.dst];
    if (!cheap(i) || u.definitions != 1 || u.uses != inside[i.dst]) continue;
    take(k);
    first = k;
  }
  // Nothing that is left in front may change what was taken reads.
  for (size_t k = first; k < at; ++k) {
    if (taken[k]) continue;
    if (instrs[k].dst != kNoReg && inside[instrs[k].dst] != 0) {
      // It gives an operand; fine, as long as nothing taken stands in front of it and reads the old value.
      for (size_t t = first; t < k; ++t)
        if (taken[t] && std::count(instrs[t].args.begin(), instrs[t].args.end(), instrs[k].dst)) return from = at + 1, true;
    }
  }
  std::vector<bool> given(f.regs.size());
  for (size_t k = first; k <= at && k < instrs.size(); ++k)
    if (taken[k] && instrs[k].dst != kNoReg) given[instrs[k].dst] = true;
  for (size_t k = first; k <= at; ++k) {
    if (!taken[k]) continue;
    for (Reg r : instrs[k].args) {
      const std::string& kind = p.manifest.types[f.regs[r].type].kind;
      if (given[r] || r == list || kind != "text") continue;
      if (std::find(leaves.begin(), leaves.end(), r) == leaves.end()) leaves.push_back(r);
    }
  }
  // Constants that stay in front are no leaves whose length is unknown.
  std::erase_if(leaves, [&](Reg r) {
    if (uses[r].definitions != 1) return false;
    for (const Instr& i : instrs)
      if (i.dst == r) return i.op == Op::Const;
    return false;
  });

  uint32_t int_type = 0, bool_type = 0;
  for (uint32_t t = static_cast<uint32_t>(p.manifest.types.size()); t-- > 0;) {
    if (p.manifest.types[t].kind == "int") int_type = t;
    if (p.manifest.types[t].kind == "bool") bool_type = t;
  }
  auto reg = [&](uint32_t type) {
    f.regs.push_back({"", type});
    return static_cast<Reg>(f.regs.size() - 1);
  };
  const Span span = instrs[at].span;
  auto make = [&](Op op, Reg dst, std::vector<Reg> args, int64_t imm) { return instruction(span, op, dst, std::move(args), imm); };
  Block record, rest;
  record.label = "record";
  rest.label = "recorded";
  std::vector<Instr> front;
  const Reg fuel = reg(int_type), flat = reg(int_type), left = reg(int_type), plenty = reg(int_type), want = reg(bool_type);
  record.instrs.push_back(make(Op::Const, plenty, {}, kPlenty));
  record.instrs.push_back(make(Op::StoreFuel, kNoReg, {plenty}, 0));
  for (size_t k = 0; k < instrs.size(); ++k) {
    Instr& i = instrs[k];
    if (taken[k]) {
      record.instrs.push_back(std::move(i));
    } else if (k < at) {
      front.push_back(std::move(i));
    } else {
      rest.instrs.push_back(std::move(i));
    }
  }
  record.instrs.push_back(make(Op::StoreFuel, kNoReg, {left}, 0));
  front.push_back(make(Op::LoadFuel, fuel, {}, 0));
  front.push_back(make(Op::Const, flat, {}, kFlat));
  front.push_back(make(Op::SubInt, left, {fuel, flat}, 0));
  front.push_back(make(Op::StoreFuel, kNoReg, {left}, 0));
  if (accept) front.push_back(make(Op::Const, list, {}, 0));
  front.push_back(make(Op::WantEvents, want, leaves, kShort));
  const BlockId record_id = static_cast<BlockId>(f.blocks.size()), rest_id = record_id + 1;
  rest.end = f.blocks[b].end;
  record.end.kind = Terminator::Kind::Jump;
  record.end.to = rest_id;
  record.end.span = span;
  Terminator end;
  end.kind = Terminator::Kind::Branch;
  end.cond = want;
  end.to = record_id;
  end.otherwise = rest_id;
  end.span = span;
  instrs = std::move(front);
  f.blocks[b].end = end;
  f.blocks.push_back(std::move(record));
  f.blocks.push_back(std::move(rest));
  b = rest_id;
  from = accept ? 1 : 0;  // behind the Accept, which stands first now
  return true;
}

}  // namespace

void skip_unrecorded(Program& p) {
  for (Function& f : p.functions) {
    if (f.kind != Function::Kind::Step && f.kind != Function::Kind::Part) continue;
    const BlockId n = static_cast<BlockId>(f.blocks.size());
    for (BlockId b = 0; b < n; ++b) {
      BlockId block = b;
      size_t from = 0;
      while (skip_next(p, f, block, from)) {
      }
    }
  }
}

}  // namespace ppc::rules
