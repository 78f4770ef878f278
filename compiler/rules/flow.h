// What the passes need to know about a function: who follows whom, what dominates, which registers are live.
#pragma once
#include <functional>
#include <utility>
#include <vector>

#include "compiler/rules/ir.h"

namespace ppc::rules {

/// An instruction that a pass makes.
inline Instr instruction(Span span, Op op, Reg dst, std::vector<Reg> args, int64_t imm = 0, Builtin builtin = {}) {
  Instr i;
  i.op = op;
  i.builtin = builtin;
  i.dst = dst;
  i.args = std::move(args);
  i.imm = imm;
  i.span = span;
  return i;
}

/// Blocks that may run next, each once a way in: a Branch with equal sides gives two.
std::vector<BlockId> successors(const Terminator&);
/// Calls `change` on every block id the terminator holds.
void for_each_target(Terminator&, const std::function<void(BlockId&)>& change);
std::vector<std::vector<BlockId>> predecessors(const Function&);
/// From the entry, each block before its successors but for back edges; unreachable blocks are left out.
std::vector<BlockId> reverse_postorder(const Function&);
/// Immediate dominators; the entry is its own, unreachable blocks have kNoBlock.
constexpr BlockId kNoBlock = UINT32_MAX;
std::vector<BlockId> immediate_dominators(const Function&);
bool dominates(const std::vector<BlockId>& idom, BlockId a, BlockId b);

/// How often each register is assigned; parameters count as one.
std::vector<uint32_t> definition_counts(const Function&);
/// Calls `use` for every register that an instruction or a terminator reads.
void for_each_use(const Instr&, const std::function<void(Reg)>& use);
void for_each_use(const Terminator&, const std::function<void(Reg)>& use);

/// A set of registers as bits.
class RegSet {
 public:
  explicit RegSet(size_t size = 0) : bits_((size + 63) / 64) {}
  bool has(Reg r) const { return bits_[r / 64] >> (r % 64) & 1; }
  void add(Reg r) { bits_[r / 64] |= uint64_t{1} << (r % 64); }
  void remove(Reg r) { bits_[r / 64] &= ~(uint64_t{1} << (r % 64)); }
  void fill() { for (uint64_t& w : bits_) w = ~uint64_t{0}; }
  void merge(const RegSet& other) { for (size_t i = 0; i < bits_.size(); ++i) bits_[i] |= other.bits_[i]; }
  void keep(const RegSet& other) { for (size_t i = 0; i < bits_.size(); ++i) bits_[i] &= other.bits_[i]; }
  friend bool operator==(const RegSet&, const RegSet&) = default;

 private:
  std::vector<uint64_t> bits_;
};

struct Liveness { std::vector<RegSet> in, out; };  // a block each
Liveness liveness(const Function&);

/// Drops blocks that nothing reaches and renumbers the others, in their order. True when something changed.
bool remove_unreachable(Function&);

/// Puts blocks in reverse postorder (the printed form then reads from top to bottom); drops unreachable ones.
void order_blocks(Function&);

bool is_immediate(const engine::TypeInfo&);   // int, float, bool, enum: no reference into memory
bool is_container(const engine::Manifest&, uint32_t type);  // holds, at any depth, something that is changed in place
/// True when the instruction only computes dst from its operands and constant data, without any effect.
bool is_pure(const Instr&);
/// is_pure, and it cannot fault but for a budget.
bool is_total(const Instr&);

}  // namespace ppc::rules
