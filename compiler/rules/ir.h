// Rule IR: the waist of the compiler. Typed registers, basic blocks, explicit suspension; printable and verified.
//
// A register is assigned freely (no SSA; LLVM's mem2reg makes it so later). Every value is 64 bits (runtime/abi/abi.h).
// Pipeline (rules/passes.h): lower -> verify -> [passes] -> split-suspensions -> verify; interp and codegen take the result.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/base/source.h"
#include "compiler/formats/automaton.h"
#include "compiler/base/builtin.h"
#include "runtime/engine/manifest.h"

namespace ppc::rules {

using Reg = uint32_t;
constexpr Reg kNoReg = UINT32_MAX;
using BlockId = uint32_t;

enum class Op : uint8_t {
  Const,        // dst = imm (an int, float bits, bool, a text reference into the pool, 0 for none/empty text)
  Move,         // dst = a
  AddInt, SubInt, MulInt, NegInt,              // FAULT_OVERFLOW
  AddFloat, SubFloat, MulFloat, NegFloat,
  IntToFloat,
  EqInt, LtInt, LeInt, EqFloat, LtFloat, LeFloat,
  Not,
  LoadSlot,     // dst = state.slots[2 * players + imm]
  StoreSlot,    // state.slots[2 * players + imm] = a (a is already persisted: the lowering puts Persist in front)
  LoadField,    // dst = field imm of segment `imm2`
  Reply,        // dst = ctx->reply
  Argument,     // dst = args[imm] of this entry
  Call,         // dst = functions[imm](args…)
  Builtin,      // dst = builtin(args…)
  Concat,       // dst = all args joined
  Match,        // dst = automata[imm] matches a (and ctx->reply_valid when imm2 is 1); captures go to ctx->captures
  Capture,      // dst = text of capture imm of the last Match on text a
  Outcome,      // dst = state.outcome
  // Put in by skip-unrecorded: what only the record needs is not computed when nobody records, and costs the game no fuel
  // when somebody does, so that outcomes do not depend on records being on.
  WantEvents,   // dst = ctx->want_events != 0, or 1 when one of the texts in args is longer than imm bytes
  LoadFuel,     // dst = ctx->fuel
  StoreFuel,    // ctx->fuel = a
  // After split-suspensions:
  LoadFrame,    // dst = frame slot imm (absolute slot index)
  StoreFrame,   // frame slot imm = a (already persisted)
};

struct Instr {
  Op op = Op::Const;
  ppc::Builtin builtin{};
  Reg dst = kNoReg;
  std::vector<Reg> args;
  int64_t imm = 0;
  uint32_t imm2 = 0;
  Span span;
};

struct Terminator {
  enum class Kind : uint8_t {
    Jump,      // to
    Branch,    // if cond then to else otherwise
    Return,    // value (may be kNoReg)
    Ask,       // suspend; the reply arrives at `to`. Gone after split-suspensions
    Suspend,   // pc = imm, status asking, return PPC_ASKING
    Done,      // status done, return PPC_DONE
    Resume,    // switch (state.pc) over cases; default: unreachable (FAULT_CLAIM)
    Unreachable
  } kind = Kind::Unreachable;
  Reg cond = kNoReg;
  BlockId to = 0, otherwise = 0;
  Reg value = kNoReg;
  uint32_t player = 0, move = 0;
  int64_t imm = 0;
  std::vector<BlockId> cases;  // Resume: cases[pc]
  bool back_edge = false;      // Jump: charges one step of fuel (loops)
  Span span;
};

struct Block {
  std::string label;           // for printing
  std::vector<Instr> instrs;
  Terminator end;
};

struct RegInfo { std::string name; uint32_t type = 0; };  // type: index into Program::manifest.types; name may be empty

struct Function {
  // Part: a step of the game that is called from Step or another Part; it has effects, but does not suspend. True: it has ended the
  // episode, and its caller is to end, too.
  enum class Kind : uint8_t { Step, Init, Pure, Bot, Metric, Key, Generate, Part } kind = Kind::Pure;
  std::string name;
  uint32_t params = 0;         // the first registers; entries take theirs with Argument instead
  uint32_t result = 0;         // type
  std::vector<RegInfo> regs;
  std::vector<Block> blocks;   // blocks[0] is the entry
  bool is_entry = false;       // callable from the host: int64_t(ppc_ctx*, const int64_t*)
  Span span;
};

struct Program {
  engine::Manifest manifest;            // manifest.*_entry are indices into `entries`
  std::vector<Function> functions;
  std::vector<uint32_t> entries;        // function of each entry
  std::vector<formats::Automaton> automata;
  std::string pool;                     // constants; byte 0..7 unused
  uint32_t frame_slots = 0;             // slots behind the game's own that split-suspensions needs
  std::vector<uint32_t> frame_types;    // of each of them; an immediate type stands for all
  const Sources* sources = nullptr;     // for lines in debug info; may be null
};

/// line << 12 | column, saturating: what ppc_ctx::loc holds. Lines are counted through all sources, one after the other.
uint32_t loc_of(const Sources*, Span);

std::string print(const Program&);      // --emit=ir
/// Empty when well-formed, else what is wrong and where: registers in range and defined, blocks terminated, types fit, calls match.
std::vector<std::string> verify(const Program&);
/// Stable over runs and machines; covers everything that decides behaviour. Goes into manifest.hash.
uint64_t hash(const Program&);

}  // namespace ppc::rules
