// Makes play resumable: an Ask becomes a Suspend, and what is live over it goes to the episode's frame and comes back.
//
//   ask P for M then reply        store_frame …; suspend 1
//   reply: …                 =>   resume1: … = load_frame …; jump reply
//                                 entry: resume 0: start 1: resume1
//
// A register keeps one frame slot for all suspensions; registers of one type that are never live over the same one share a slot
// (all numbers count as one type). So a slot has a type, and the runtime can tell what a state refers to.
// What has not changed since it was last loaded or stored is not stored again.
#include "compiler/rules/flow.h"
#include "compiler/rules/passes.h"

namespace ppc::rules {
namespace {

void split(Program& p, Function& f) {
  struct Suspension { BlockId block; std::vector<Reg> live; };
  std::vector<Suspension> suspensions;
  remove_unreachable(f);
  Liveness live = liveness(f);
  for (BlockId b = 0; b < f.blocks.size(); ++b) {
    if (f.blocks[b].end.kind != Terminator::Kind::Ask) continue;
    Suspension s{b, {}};
    const RegSet& in = live.in[f.blocks[b].end.to];
    for (Reg r = 0; r < f.regs.size(); ++r)
      if (in.has(r)) s.live.push_back(r);
    suspensions.push_back(std::move(s));
  }

  // Slots, greedily in the order of registers.
  const uint32_t first = static_cast<uint32_t>(2 * p.manifest.players.size() + p.manifest.slots.size());
  constexpr uint32_t kNone = UINT32_MAX;
  std::vector<uint32_t> slot(f.regs.size(), kNone);
  std::vector<std::vector<bool>> together(f.regs.size());
  for (const Suspension& s : suspensions) {
    for (Reg a : s.live) {
      if (together[a].empty()) together[a].resize(f.regs.size());
      for (Reg b : s.live) together[a][b] = true;
    }
  }
  for (Reg r = 0; r < f.regs.size(); ++r) {
    if (together[r].empty()) continue;
    const uint32_t type = f.regs[r].type;
    const bool immediate = is_immediate(p.manifest.types[type]);
    std::vector<bool> taken(p.frame_slots + f.regs.size() + 1);
    for (uint32_t s = 0; s < p.frame_types.size(); ++s)
      taken[s] = immediate ? !is_immediate(p.manifest.types[p.frame_types[s]]) : p.frame_types[s] != type;
    for (Reg other = 0; other < r; ++other)
      if (together[r][other] && slot[other] != kNone) taken[slot[other]] = true;
    uint32_t free = 0;
    while (taken[free]) ++free;
    slot[r] = free;
    if (free >= p.frame_types.size()) p.frame_types.resize(free + 1, type);
    p.frame_slots = std::max(p.frame_slots, free + 1);
  }

  // Which registers are known to be in their slot: forward, all ways agree.
  const size_t n = f.regs.size();
  auto holds = [&](RegSet& clean, Reg r) {  // slot[r] has just been given r's value
    for (Reg other = 0; other < n; ++other)
      if (slot[other] == slot[r]) clean.remove(other);
    clean.add(r);
  };
  std::vector<RegSet> in(f.blocks.size(), RegSet(n)), out(f.blocks.size(), RegSet(n));
  for (RegSet& s : out) s.fill();
  auto preds = predecessors(f);
  auto order = reverse_postorder(f);
  std::vector<const Suspension*> at(f.blocks.size());
  for (const Suspension& s : suspensions) at[s.block] = &s;
  for (bool changed = true; changed;) {
    changed = false;
    for (BlockId b : order) {
      RegSet clean(n);
      if (b != 0) {
        clean.fill();
        for (BlockId q : preds[b]) clean.keep(out[q]);
      }
      in[b] = clean;
      for (const Instr& i : f.blocks[b].instrs)
        if (i.dst != kNoReg) clean.remove(i.dst);
      if (at[b]) {
        RegSet stored(n);
        for (Reg r : at[b]->live) holds(stored, r);
        clean = stored;  // afterwards only what has been loaded again is known to be anything
      }
      if (!(clean == out[b])) {
        out[b] = clean;
        changed = true;
      }
    }
  }

  uint32_t type_type = 0;  // of the register that holds a type's index: an int
  for (uint32_t t = 0; t < p.manifest.types.size(); ++t)
    if (p.manifest.types[t].kind == "int") {
      type_type = t;
      break;
    }

  std::vector<BlockId> cases(1);
  for (const Suspension& s : suspensions) {
    const Terminator ask = f.blocks[s.block].end;
    RegSet clean = in[s.block];
    for (const Instr& i : f.blocks[s.block].instrs)
      if (i.dst != kNoReg) clean.remove(i.dst);
    auto emit = [&](Block& block, Op op, Reg dst, std::vector<Reg> args, int64_t imm) -> Instr& {
      block.instrs.push_back(instruction(ask.span, op, dst, std::move(args), imm));
      return block.instrs.back();
    };
    Block resume;
    resume.label = "resume" + std::to_string(cases.size());
    for (Reg r : s.live) {
      if (!clean.has(r)) {
        Reg kept = r;
        if (!is_immediate(p.manifest.types[f.regs[r].type])) {
          Reg type = static_cast<Reg>(f.regs.size());
          f.regs.push_back({"", type_type});
          kept = static_cast<Reg>(f.regs.size());
          f.regs.push_back({"", f.regs[r].type});
          emit(f.blocks[s.block], Op::Const, type, {}, f.regs[r].type);
          emit(f.blocks[s.block], Op::Builtin, kept, {r, type}, 0).builtin = Builtin::Persist;
        }
        emit(f.blocks[s.block], Op::StoreFrame, kNoReg, {kept}, first + slot[r]);
      }
      emit(resume, Op::LoadFrame, r, {}, first + slot[r]);
    }
    resume.end.kind = Terminator::Kind::Jump;
    resume.end.to = ask.to;
    resume.end.span = ask.span;
    Terminator& end = f.blocks[s.block].end;
    end.kind = Terminator::Kind::Suspend;
    end.imm = static_cast<int64_t>(cases.size());
    end.to = 0;
    cases.push_back(static_cast<BlockId>(f.blocks.size()));
    f.blocks.push_back(std::move(resume));
  }

  // The old entry moves to the end; the new one dispatches.
  cases[0] = static_cast<BlockId>(f.blocks.size());
  f.blocks.push_back(std::move(f.blocks[0]));
  f.blocks.back().label = "start";
  f.blocks[0] = Block{};
  f.blocks[0].label = "entry";
  f.blocks[0].end.kind = Terminator::Kind::Resume;
  f.blocks[0].end.cases = cases;
  f.blocks[0].end.span = f.span;
  order_blocks(f);
}

}  // namespace

void split_suspensions(Program& p) {
  for (Function& f : p.functions)
    if (f.kind == Function::Kind::Step) split(p, f);
}

}  // namespace ppc::rules
