// The printed form of Rule IR: one function, block and instruction a line, made for reading and for FileCheck.
#include <bit>
#include <cinttypes>
#include <cstdio>

#include "compiler/rules/ir.h"

namespace ppc::rules {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\n') {
      out += "\\n";
    } else if (c < 0x20 || c == 0x7f) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\x%02x", c);
      out += buffer;
    } else {
      out += static_cast<char>(c);
    }
  }
  return out + '"';
}

const char* op_name(Op op) {
  switch (op) {
    case Op::Const: return "const";
    case Op::Move: return "move";
    case Op::AddInt: return "add_int";
    case Op::SubInt: return "sub_int";
    case Op::MulInt: return "mul_int";
    case Op::NegInt: return "neg_int";
    case Op::AddFloat: return "add_float";
    case Op::SubFloat: return "sub_float";
    case Op::MulFloat: return "mul_float";
    case Op::NegFloat: return "neg_float";
    case Op::IntToFloat: return "int_to_float";
    case Op::EqInt: return "eq_int";
    case Op::LtInt: return "lt_int";
    case Op::LeInt: return "le_int";
    case Op::EqFloat: return "eq_float";
    case Op::LtFloat: return "lt_float";
    case Op::LeFloat: return "le_float";
    case Op::Not: return "not";
    case Op::LoadSlot: return "load_slot";
    case Op::StoreSlot: return "store_slot";
    case Op::LoadField: return "load_field";
    case Op::Reply: return "reply";
    case Op::Argument: return "argument";
    case Op::Call: return "call";
    case Op::Builtin: return "builtin";
    case Op::Concat: return "concat";
    case Op::Match: return "match";
    case Op::Capture: return "capture";
    case Op::Outcome: return "outcome";
    case Op::WantEvents: return "want_events";
    case Op::LoadFuel: return "load_fuel";
    case Op::StoreFuel: return "store_fuel";
    case Op::LoadFrame: return "load_frame";
    case Op::StoreFrame: return "store_frame";
  }
  return "?";
}

/// Parts in a row. (g++ 12 warns wrongly about `"x" + text`.)
template <class... Parts>
std::string all(const Parts&... parts) {
  std::string s;
  (s.append(parts), ...);
  return s;
}

class Printer {
 public:
  explicit Printer(const Program& p) : p_(p) {}

  std::string run() {
    const engine::Manifest& m = p_.manifest;
    line("game " + m.game);
    for (size_t i = 0; i < m.slots.size(); ++i)
      line(all("slot ", std::to_string(i), " ", m.slots[i].name, " : ", type(m.slots[i].type)));
    if (p_.frame_slots) line("frame " + std::to_string(p_.frame_slots));
    for (const Function& f : p_.functions) function(f);
    return std::move(out_);
  }

  std::string type(uint32_t index) const {
    if (index >= p_.manifest.types.size()) return "type?" + std::to_string(index);
    const engine::TypeInfo& t = p_.manifest.types[index];
    auto arg = [&](size_t i) { return i < t.args.size() ? type(t.args[i]) : std::string("?"); };
    if (t.kind == "list") return all("[", arg(0), "]");
    if (t.kind == "set") return all("set<", arg(0), ">");
    if (t.kind == "map") return all("map<", arg(0), ", ", arg(1), ">");
    if (t.kind == "optional") return arg(0) + "?";
    if (t.kind == "tuple") {
      std::string s = "(";
      for (size_t i = 0; i < t.args.size(); ++i) s += (i ? ", " : "") + arg(i);
      return s + ")";
    }
    if (!t.name.empty()) return t.name;
    return t.kind;
  }

 private:
  void line(const std::string& text) { out_ += text + "\n"; }

  std::string reg(const Function& f, Reg r) const {
    if (r == kNoReg) return "nothing";
    std::string s = "%" + std::to_string(r);
    if (r < f.regs.size() && !f.regs[r].name.empty()) s = "%" + f.regs[r].name + "." + std::to_string(r);
    return s;
  }
  std::string args(const Function& f, const std::vector<Reg>& list) const {
    std::string s;
    for (size_t i = 0; i < list.size(); ++i) s += (i ? ", " : " ") + reg(f, list[i]);
    return s;
  }
  std::string block(const Function& f, BlockId b) const {
    if (b >= f.blocks.size()) return "block?" + std::to_string(b);
    return f.blocks[b].label + "." + std::to_string(b);
  }

  std::string constant(const Function& f, const Instr& i) const {
    const engine::TypeInfo* t = nullptr;
    if (i.dst < f.regs.size() && f.regs[i.dst].type < p_.manifest.types.size())
      t = &p_.manifest.types[f.regs[i.dst].type];
    if (t && t->kind == "bool") return i.imm ? "true" : "false";
    if (t && t->kind == "float") {
      double d = std::bit_cast<double>(i.imm);
      if (d != d) return "nan";
      char buffer[32];
      std::snprintf(buffer, sizeof buffer, "%.17g", d);
      std::string s = buffer;
      return s.find_first_of(".en") == std::string::npos ? s + ".0" : s;
    }
    if (t && t->kind == "enum" && static_cast<uint64_t>(i.imm) < t->names.size()) return t->name + "." + t->names[i.imm];
    if (t && t->kind == "text") return text(i.imm);
    if (t && t->kind == "list") return list(i.imm, t->args.empty() ? 0 : t->args[0]);
    if (t && i.imm == 0 && t->kind != "int") return "nothing";
    return std::to_string(i.imm);
  }
  std::string text(int64_t v) const {
    if (PPC_LENGTH(v) == 0) return "\"\"";
    if (PPC_SEGMENT(v) != PPC_POOL || PPC_OFFSET(v) + size_t{PPC_LENGTH(v)} > p_.pool.size()) return "text?";
    return quoted(std::string_view(p_.pool).substr(PPC_OFFSET(v), PPC_LENGTH(v)));
  }
  std::string list(int64_t v, uint32_t element) const {
    if (v == 0) return "[]";
    const size_t at = PPC_OFFSET(v);
    if (PPC_SEGMENT(v) != PPC_POOL || at + 8 > p_.pool.size()) return "list?";
    auto word = [&](size_t from, int bytes) {
      uint64_t x = 0;
      for (int k = 0; k < bytes && from + k < p_.pool.size(); ++k)
        x |= uint64_t{static_cast<unsigned char>(p_.pool[from + k])} << 8 * k;
      return x;
    };
    Function fake;
    fake.regs.push_back({"", element});
    std::string s = "[";
    for (uint64_t i = 0, n = word(at, 4); i < n && at + 8 + 8 * i < p_.pool.size(); ++i) {
      Instr item;
      item.dst = 0;
      item.imm = static_cast<int64_t>(word(at + 8 + 8 * i, 8));
      s += (i ? ", " : "") + constant(fake, item);
    }
    return s + "]";
  }

  std::string instr(const Function& f, const Instr& i) const {
    std::string s = "  ";
    if (i.dst != kNoReg) s += reg(f, i.dst) + " = ";
    switch (i.op) {
      case Op::Const: return s + "const " + constant(f, i);
      case Op::Builtin: return s + (info(i.builtin).symbol + 7) + args(f, i.args);  // without ppc_rt_
      case Op::Call: {
        std::string name = static_cast<uint64_t>(i.imm) < p_.functions.size() ? p_.functions[i.imm].name : "?";
        return s + "call " + name + args(f, i.args);
      }
      case Op::LoadSlot:
      case Op::StoreSlot: {
        std::string name =
            static_cast<uint64_t>(i.imm) < p_.manifest.slots.size() ? p_.manifest.slots[i.imm].name : "slot?";
        return s + op_name(i.op) + " " + name + args(f, i.args);
      }
      case Op::LoadField: {
        const auto& m = p_.manifest;
        const auto& fields = i.imm2 == PPC_EXPERIMENT ? m.experiment : i.imm2 == PPC_INSTANCE ? m.instance : m.resources;
        const char* where = i.imm2 == PPC_EXPERIMENT ? "experiment." : i.imm2 == PPC_INSTANCE ? "instance." : "resource.";
        return s + "load_field " + where + (static_cast<uint64_t>(i.imm) < fields.size() ? fields[i.imm].name : "?");
      }
      case Op::Match:
        return s + "match" + args(f, i.args) + ", format " + std::to_string(i.imm) + (i.imm2 ? " of the reply" : "");
      case Op::Argument:
      case Op::LoadFrame: return s + op_name(i.op) + " " + std::to_string(i.imm);
      case Op::StoreFrame: return s + "store_frame " + std::to_string(i.imm) + "," + args(f, i.args);
      case Op::Capture: return s + "capture" + args(f, i.args) + ", " + std::to_string(i.imm);
      case Op::WantEvents: return s + "want_events" + args(f, i.args) + (i.args.empty() ? "" : ", longer than " + std::to_string(i.imm));
      default: return s + op_name(i.op) + args(f, i.args);
    }
  }

  std::string terminator(const Function& f, const Terminator& t) const {
    using K = Terminator::Kind;
    std::string s = "  ";
    switch (t.kind) {
      case K::Jump: return s + (t.back_edge ? "repeat " : "jump ") + block(f, t.to);
      case K::Branch: return s + "branch " + reg(f, t.cond) + " " + block(f, t.to) + " " + block(f, t.otherwise);
      case K::Return: return t.value == kNoReg ? s + "return" : all(s, "return ", reg(f, t.value));
      case K::Ask: {
        const auto& m = p_.manifest;
        return s + "ask " + (t.player < m.players.size() ? m.players[t.player].name : "?") + " for " +
               (t.move < m.moves.size() ? m.moves[t.move].name : "?") + " then " + block(f, t.to);
      }
      case K::Suspend: return s + "suspend " + std::to_string(t.imm);
      case K::Done: return s + "done";
      case K::Resume: {
        s += "resume";
        for (size_t pc = 0; pc < t.cases.size(); ++pc) s += " " + std::to_string(pc) + ": " + block(f, t.cases[pc]);
        return s;
      }
      case K::Unreachable: return s + "unreachable";
    }
    return s;
  }

  void function(const Function& f) {
    std::string head = all("\n", f.is_entry ? "entry " : "fn ", f.name);
    if (f.params) {
      head += "(";
      for (Reg r = 0; r < f.params; ++r) head += all(r ? ", " : "", reg(f, r), " : ", type(f.regs[r].type));
      head += ")";
    }
    if (f.kind == Function::Kind::Pure || f.kind == Function::Kind::Part) head += all(" -> ", type(f.result));
    line(head + " {");
    for (BlockId b = 0; b < f.blocks.size(); ++b) {
      line(block(f, b) + ":");
      for (const Instr& i : f.blocks[b].instrs) line(instr(f, i));
      line(terminator(f, f.blocks[b].end));
    }
    line("}");
  }

  const Program& p_;
  std::string out_;
};

}  // namespace

uint32_t loc_of(const Sources* sources, Span span) {
  if (!sources || span.file >= sources->size()) return 0;
  LineColumn at = (*sources)[span.file].line_column(span.begin);
  for (uint32_t f = 0; f < span.file; ++f) at.line += (*sources)[f].line_count();  // as manifest.files has it
  uint32_t line = at.line > 0xFFFFF ? 0xFFFFF : at.line, column = at.column > 0xFFF ? 0xFFF : at.column;
  return line << 12 | column;
}

std::string print(const Program& p) { return Printer(p).run(); }

}  // namespace ppc::rules
