#include <set>

#include "compiler/rules/flow.h"
#include "compiler/rules/ir.h"

namespace ppc::rules {
namespace {

// What 64 bits are taken for; a bool or an enum is a number to the machine.
enum class Class { Number, Float, Text, Reference };

Class class_of(const engine::TypeInfo& t) {
  if (t.kind == "float") return Class::Float;
  if (t.kind == "text" || t.kind == "regex" || t.kind == "document") return Class::Text;
  return is_immediate(t) ? Class::Number : Class::Reference;
}
const char* name_of(Class c) {
  switch (c) {
    case Class::Number: return "a number";
    case Class::Float: return "a float";
    case Class::Text: return "a text";
    case Class::Reference: return "an object";
  }
  return "?";
}

class Verifier {
 public:
  explicit Verifier(const Program& p) : p_(p) {}

  std::vector<std::string> run() {
    for (size_t e = 0; e < p_.entries.size(); ++e) {
      if (p_.entries[e] >= p_.functions.size()) {
        problems_.push_back("entry " + std::to_string(e) + " has no function");
      } else if (!p_.functions[p_.entries[e]].is_entry) {
        problems_.push_back("entry " + std::to_string(e) + " is a function that the host cannot call");
      }
    }
    auto entry = [&](uint32_t e, const char* what) {
      if (e >= p_.entries.size()) problems_.push_back(std::string(what) + " names an entry that is not there");
    };
    const engine::Manifest& m = p_.manifest;
    if (!p_.entries.empty()) {
      entry(m.step_entry, "the manifest's step");
      entry(m.init_entry, "the manifest's init");
      if (m.generate_entry) entry(*m.generate_entry, "the manifest's generator");
      for (const auto& b : m.bots) entry(b.entry, "a bot");
      for (const auto& k : m.keys) entry(k.entry, "a key");
      for (const auto& v : m.moves)
        if (v.holes_entry) entry(*v.holes_entry, "a move");
      for (const auto& x : m.metrics) entry(x.entry, "a metric");
    }
    for (const Function& f : p_.functions) function(f);
    return std::move(problems_);
  }

 private:
  void problem(const std::string& what) {
    std::string where = "fn " + f_->name;
    if (block_ < f_->blocks.size()) where += ", block " + f_->blocks[block_].label + "." + std::to_string(block_);
    if (instr_ != SIZE_MAX) where += ", instruction " + std::to_string(instr_);
    problems_.push_back(where + ": " + what);
  }
  bool in_range(Reg r) {
    if (r < f_->regs.size()) return true;
    problem("register %" + std::to_string(r) + " is not there");
    return false;
  }
  Class cls(Reg r) const { return class_of(p_.manifest.types[f_->regs[r].type]); }
  void expect(Reg r, Class want) {
    if (cls(r) != want)
      problem("register %" + std::to_string(r) + " is " + name_of(cls(r)) + ", not " + name_of(want));
  }
  void expect_args(const Instr& i, size_t n) {
    if (i.args.size() != n)
      problem("takes " + std::to_string(n) + " operands, not " + std::to_string(i.args.size()));
  }
  void needs_dst(const Instr& i, bool wanted) {
    if (wanted && i.dst == kNoReg) problem("has no result register");
    if (!wanted && i.dst != kNoReg) problem("has a result register");
  }

  void function(const Function& f) {
    f_ = &f;
    block_ = SIZE_MAX;
    instr_ = SIZE_MAX;
    const size_t before = problems_.size();
    for (size_t r = 0; r < f.regs.size(); ++r)
      if (f.regs[r].type >= p_.manifest.types.size()) problem("register %" + std::to_string(r) + " has no type");
    if (f.params > f.regs.size()) problem("has more parameters than registers");
    if (f.blocks.empty()) problem("has no block");
    if (problems_.size() != before) return;
    for (block_ = 0; block_ < f.blocks.size(); ++block_) {
      const Block& b = f.blocks[block_];
      for (instr_ = 0; instr_ < b.instrs.size(); ++instr_) instr(b.instrs[instr_]);
      instr_ = SIZE_MAX;
      terminator(b.end);
    }
    if (problems_.size() == before) definitions();
  }

  void instr(const Instr& i) {
    const size_t before = problems_.size();
    if (i.dst != kNoReg) in_range(i.dst);
    for (Reg r : i.args) in_range(r);
    if (problems_.size() != before) return;
    auto shape = [&](size_t n, Class args, Class result) {
      expect_args(i, n);
      needs_dst(i, true);
      if (problems_.size() != before) return;
      for (Reg r : i.args) expect(r, args);
      expect(i.dst, result);
    };
    auto index = [&](int64_t at, size_t n, const char* what) {
      if (at < 0 || static_cast<uint64_t>(at) >= n) problem(std::string(what) + " " + std::to_string(at) + " is not there");
    };
    switch (i.op) {
      case Op::Const:
        expect_args(i, 0);
        needs_dst(i, true);
        break;
      case Op::Move:
        expect_args(i, 1);
        needs_dst(i, true);
        if (problems_.size() == before) expect(i.args[0], cls(i.dst));
        break;
      case Op::AddInt:
      case Op::SubInt:
      case Op::MulInt: shape(2, Class::Number, Class::Number); break;
      case Op::NegInt:
      case Op::Not: shape(1, Class::Number, Class::Number); break;
      case Op::AddFloat:
      case Op::SubFloat:
      case Op::MulFloat: shape(2, Class::Float, Class::Float); break;
      case Op::NegFloat: shape(1, Class::Float, Class::Float); break;
      case Op::IntToFloat: shape(1, Class::Number, Class::Float); break;
      case Op::EqInt:
      case Op::LtInt:
      case Op::LeInt: shape(2, Class::Number, Class::Number); break;
      case Op::EqFloat:
      case Op::LtFloat:
      case Op::LeFloat: shape(2, Class::Float, Class::Number); break;
      case Op::LoadSlot:
        expect_args(i, 0);
        needs_dst(i, true);
        index(i.imm, p_.manifest.slots.size(), "slot");
        break;
      case Op::StoreSlot:
        expect_args(i, 1);
        needs_dst(i, false);
        index(i.imm, p_.manifest.slots.size(), "slot");
        break;
      case Op::LoadField: {
        expect_args(i, 0);
        needs_dst(i, true);
        const auto& m = p_.manifest;
        if (i.imm2 != PPC_EXPERIMENT && i.imm2 != PPC_INSTANCE && i.imm2 != PPC_RESOURCE) {
          problem("segment " + std::to_string(i.imm2) + " has no fields");
        } else {
          index(i.imm,
                (i.imm2 == PPC_EXPERIMENT ? m.experiment : i.imm2 == PPC_INSTANCE ? m.instance : m.resources).size(),
                "field");
        }
        break;
      }
      case Op::Reply:
        expect_args(i, 0);
        needs_dst(i, true);
        break;
      case Op::Argument:
        expect_args(i, 0);
        needs_dst(i, true);
        if (!f_->is_entry) problem("only an entry has arguments");
        break;
      case Op::Call: {
        index(i.imm, p_.functions.size(), "function");
        if (problems_.size() != before) break;
        const Function& callee = p_.functions[i.imm];
        const bool plays = f_->kind == Function::Kind::Step || f_->kind == Function::Kind::Part;
        if (callee.kind != Function::Kind::Pure && (callee.kind != Function::Kind::Part || !plays))
          problem("calls " + callee.name + ", which is no function of the game");
        expect_args(i, callee.params);
        needs_dst(i, true);
        if (problems_.size() != before) break;
        for (Reg k = 0; k < callee.params; ++k) expect(i.args[k], class_of(p_.manifest.types[callee.regs[k].type]));
        expect(i.dst, class_of(p_.manifest.types[callee.result]));
        break;
      }
      case Op::Builtin:
        if (static_cast<uint32_t>(i.builtin) >= builtin_count()) {
          problem("calls a runtime function that is not there");
          break;
        }
        expect_args(i, info(i.builtin).argc);
        break;
      case Op::Concat:
        needs_dst(i, true);
        for (Reg r : i.args) expect(r, Class::Text);
        if (problems_.size() == before) expect(i.dst, Class::Text);
        break;
      case Op::Match:
        expect_args(i, 1);
        needs_dst(i, true);
        if (problems_.size() != before) break;
        expect(i.args[0], Class::Text);
        expect(i.dst, Class::Number);
        index(i.imm, p_.automata.size(), "format");
        break;
      case Op::Capture: shape(1, Class::Text, Class::Text); break;
      case Op::Outcome:
      case Op::LoadFuel:
        expect_args(i, 0);
        needs_dst(i, true);
        if (problems_.size() == before) expect(i.dst, Class::Number);
        break;
      case Op::WantEvents:
        needs_dst(i, true);
        for (Reg r : i.args) expect(r, Class::Text);
        break;
      case Op::StoreFuel:
        expect_args(i, 1);
        needs_dst(i, false);
        break;
      case Op::LoadFrame:
        expect_args(i, 0);
        needs_dst(i, true);
        frame_slot(i.imm);
        break;
      case Op::StoreFrame:
        expect_args(i, 1);
        needs_dst(i, false);
        frame_slot(i.imm);
        break;
    }
  }
  void frame_slot(int64_t slot) {
    const int64_t first = static_cast<int64_t>(2 * p_.manifest.players.size() + p_.manifest.slots.size());
    if (slot < first || slot >= first + p_.frame_slots) problem("frame slot " + std::to_string(slot) + " is not there");
  }

  void terminator(const Terminator& t) {
    for (BlockId s : successors(t))
      if (s >= f_->blocks.size()) problem("goes to block " + std::to_string(s) + ", which is not there");
    switch (t.kind) {
      case Terminator::Kind::Branch:
        if (in_range(t.cond)) expect(t.cond, Class::Number);
        break;
      case Terminator::Kind::Return:
        if (f_->kind == Function::Kind::Step) problem("a step ends in done or suspend, not in return");
        if (t.value != kNoReg) {
          if (in_range(t.value)) expect(t.value, class_of(p_.manifest.types[f_->result]));
        } else if (f_->kind != Function::Kind::Init && f_->kind != Function::Kind::Generate) {
          problem("returns nothing");
        }
        break;
      case Terminator::Kind::Ask:
        if (t.player >= p_.manifest.players.size()) problem("asks a player who is not there");
        if (t.move >= p_.manifest.moves.size()) problem("asks for a move that is not there");
        step_only();
        break;
      case Terminator::Kind::Suspend:
      case Terminator::Kind::Done:
      case Terminator::Kind::Resume: step_only(); break;
      default: break;
    }
  }
  void step_only() {
    if (f_->kind != Function::Kind::Step) problem("only play asks and ends");
  }

  // Every register is assigned on every way to where it is read.
  void definitions() {
    const Function& f = *f_;
    const size_t n = f.regs.size();
    std::vector<RegSet> out(f.blocks.size(), RegSet(n));
    for (RegSet& s : out) s.fill();
    auto preds = predecessors(f);
    auto order = reverse_postorder(f);
    auto entering = [&](BlockId b) {
      RegSet defined(n);
      if (b == 0) {
        for (Reg r = 0; r < f.params; ++r) defined.add(r);
        return defined;
      }
      defined.fill();
      for (BlockId p : preds[b]) defined.keep(out[p]);
      return defined;
    };
    std::set<BlockId> reached(order.begin(), order.end());
    for (bool changed = true; changed;) {
      changed = false;
      for (BlockId b : order) {
        RegSet defined = entering(b);
        for (const Instr& i : f.blocks[b].instrs)
          if (i.dst != kNoReg) defined.add(i.dst);
        if (!(defined == out[b])) {
          out[b] = defined;
          changed = true;
        }
      }
    }
    for (BlockId b : order) {
      block_ = b;
      RegSet defined = entering(b);
      auto use = [&](Reg r) {
        if (!defined.has(r)) problem("register %" + std::to_string(r) + " is read before it is assigned");
      };
      const auto& instrs = f.blocks[b].instrs;
      for (instr_ = 0; instr_ < instrs.size(); ++instr_) {
        for_each_use(instrs[instr_], use);
        if (instrs[instr_].dst != kNoReg) defined.add(instrs[instr_].dst);
      }
      instr_ = SIZE_MAX;
      for_each_use(f.blocks[b].end, use);
    }
  }

  const Program& p_;
  const Function* f_ = nullptr;
  size_t block_ = SIZE_MAX, instr_ = SIZE_MAX;
  std::vector<std::string> problems_;
};

}  // namespace

std::vector<std::string> verify(const Program& p) { return Verifier(p).run(); }

}  // namespace ppc::rules
