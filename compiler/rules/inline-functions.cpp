// Puts small functions where they are called, so that what they compute can be folded, shared and hoisted there. Then a
// call costs no fuel; every engine runs this same IR, so all agree.
#include <functional>

#include "compiler/rules/flow.h"
#include "compiler/rules/passes.h"

namespace ppc::rules {
namespace {

constexpr size_t kSmall = 24;     // instructions of a function that is put in place
constexpr size_t kLarge = 20000;  // instructions of a function that takes no more

size_t size_of(const Function& f) {
  size_t n = 0;
  for (const Block& b : f.blocks) n += b.instrs.size() + 1;
  return n;
}

bool small(const Function& f) {
  if (f.kind != Function::Kind::Pure || size_of(f) > kSmall) return false;
  for (const Block& b : f.blocks) {
    if (b.end.kind == Terminator::Kind::Jump && b.end.back_edge) return false;
    if (b.end.kind == Terminator::Kind::Unreachable) return false;
    for (const Instr& i : b.instrs)
      if (i.op == Op::Call) return false;  // the pipeline inlines callees first: what is left is large
  }
  return true;
}

/// Replaces the call at (b, k). The rest of the block comes to lie in a block of its own, unless the callee is one block.
void place(Function& f, BlockId b, size_t k, const Function& callee) {
  const Instr call = f.blocks[b].instrs[k];
  const Reg first = static_cast<Reg>(f.regs.size());
  f.regs.insert(f.regs.end(), callee.regs.begin(), callee.regs.end());
  auto renamed = [&](Instr i) {
    if (i.dst != kNoReg) i.dst += first;
    for (Reg& r : i.args) r += first;
    return i;
  };
  auto moved = [&](Reg dst, Reg src) { return instruction(call.span, Op::Move, dst, {src}); };
  std::vector<Instr> before(f.blocks[b].instrs.begin(), f.blocks[b].instrs.begin() + static_cast<ptrdiff_t>(k));
  std::vector<Instr> after(f.blocks[b].instrs.begin() + static_cast<ptrdiff_t>(k) + 1, f.blocks[b].instrs.end());
  for (Reg p = 0; p < callee.params; ++p) before.push_back(moved(first + p, call.args[p]));
  if (callee.blocks.size() == 1) {
    for (const Instr& i : callee.blocks[0].instrs) before.push_back(renamed(i));
    before.push_back(moved(call.dst, first + callee.blocks[0].end.value));
    before.insert(before.end(), after.begin(), after.end());
    f.blocks[b].instrs = std::move(before);
    return;
  }
  const BlockId base = static_cast<BlockId>(f.blocks.size());
  const BlockId rest = base + static_cast<BlockId>(callee.blocks.size());
  for (const Block& from : callee.blocks) {
    Block copy;
    copy.label = from.label;
    for (const Instr& i : from.instrs) copy.instrs.push_back(renamed(i));
    copy.end = from.end;
    for_each_target(copy.end, [&](BlockId& t) { t += base; });
    if (copy.end.kind == Terminator::Kind::Branch) copy.end.cond += first;
    if (copy.end.kind == Terminator::Kind::Return) {
      copy.instrs.push_back(moved(call.dst, first + from.end.value));
      copy.end.kind = Terminator::Kind::Jump;
      copy.end.value = kNoReg;
      copy.end.to = rest;
    }
    f.blocks.push_back(std::move(copy));
  }
  Block behind;
  behind.label = "returned";
  behind.instrs = std::move(after);
  behind.end = f.blocks[b].end;
  f.blocks.push_back(std::move(behind));
  f.blocks[b].instrs = std::move(before);
  f.blocks[b].end = Terminator{};
  f.blocks[b].end.kind = Terminator::Kind::Jump;
  f.blocks[b].end.to = base;
  f.blocks[b].end.span = call.span;
}

}  // namespace

void inline_functions(Program& p) {
  std::vector<uint8_t> done(p.functions.size());
  std::function<void(uint32_t)> visit = [&](uint32_t index) {
    if (done[index]) return;
    done[index] = 1;
    for (BlockId b = 0; b < p.functions[index].blocks.size(); ++b) {
      for (size_t k = 0; k < p.functions[index].blocks[b].instrs.size(); ++k) {
        Function& f = p.functions[index];
        const Instr& i = f.blocks[b].instrs[k];
        if (i.op != Op::Call) continue;
        const uint32_t callee = static_cast<uint32_t>(i.imm);
        if (callee == index) continue;
        visit(callee);
        if (!small(p.functions[callee]) || size_of(f) > kLarge) continue;
        place(f, b, k, p.functions[callee]);
        --k;  // what now stands here has not been seen
      }
    }
  };
  for (uint32_t i = 0; i < p.functions.size(); ++i) visit(i);
}

}  // namespace ppc::rules
