// The identity of a compiled game: equal hashes play alike, also in what records and faults say about places.
#include "compiler/rules/ir.h"

namespace ppc::rules {
namespace {

class Hash {
 public:
  void word(uint64_t v) {
    // Multiply-xorshift over 64-bit words: quick, and every bit of every word counts.
    h_ ^= v;
    h_ *= 0x9E3779B97F4A7C15u;
    h_ ^= h_ >> 32;
    h_ *= 0xD6E8FEB86659FD93u;
    h_ ^= h_ >> 29;
  }
  void text(std::string_view t) {
    word(t.size());
    uint64_t w = 0;
    size_t k = 0;
    for (unsigned char c : t) {
      w |= uint64_t{c} << 8 * k;
      if (++k == 8) {
        word(w);
        w = 0;
        k = 0;
      }
    }
    if (k) word(w);
  }
  template <class List, class F>
  void each(const List& list, F&& f) {
    word(list.size());
    for (const auto& x : list) f(x);
  }
  uint64_t value() const { return h_; }

 private:
  uint64_t h_ = 0xCBF29CE484222325u;
};

}  // namespace

uint64_t hash(const Program& p) {
  Hash h;
  h.word(PPC_ABI_VERSION);
  engine::Manifest m = p.manifest;  // fields, moves, rules, players, names of metrics: all of it decides what records say
  m.hash.clear();
  m.doc.clear();
  for (engine::MoveInfo& v : m.moves) v.language.clear();  // made of the formats, which count as automata
  h.text(engine::to_json(m));
  h.word(p.frame_slots);
  for (uint32_t type : p.frame_types) h.word(type);
  h.text(p.pool);
  h.each(p.entries, [&](uint32_t e) { h.word(e); });
  h.each(p.automata, [&](const formats::Automaton& a) {
    h.word(a.registers);
    h.word(a.captures);
    h.word(a.start_ops);
    h.each(a.op_lists, [&](const auto& list) { h.each(list, [&](const auto& op) { h.word(uint64_t{op.to} << 32 | op.from); }); });
    h.each(a.states, [&](const formats::Automaton::State& s) {
      h.word(uint64_t{s.accepts} | uint64_t{s.rest} << 1 | uint64_t{s.final_ops} << 2);
      h.each(s.edges, [&](const formats::Automaton::Edge& e) {
        h.word(uint64_t{e.low} | uint64_t{e.high} << 8 | uint64_t{e.next} << 16);
        h.word(e.ops);
      });
    });
  });
  h.each(p.functions, [&](const Function& f) {
    h.word(static_cast<uint64_t>(f.kind));
    h.text(f.name);
    h.word(uint64_t{f.params} | uint64_t{f.result} << 32);
    h.word(f.is_entry);
    h.each(f.regs, [&](const RegInfo& r) {
      h.word(r.type);
      h.text(r.name);  // in the debug info
    });
    h.each(f.blocks, [&](const Block& b) {
      h.each(b.instrs, [&](const Instr& i) {
        h.word(static_cast<uint64_t>(i.op) | static_cast<uint64_t>(i.builtin) << 8 | uint64_t{i.dst} << 32);
        h.each(i.args, [&](Reg r) { h.word(r); });
        h.word(static_cast<uint64_t>(i.imm));
        h.word(uint64_t{i.imm2} | uint64_t{loc_of(p.sources, i.span)} << 32);
      });
      const Terminator& t = b.end;
      h.word(static_cast<uint64_t>(t.kind) | uint64_t{t.back_edge} << 8 | uint64_t{t.cond} << 32);
      h.word(uint64_t{t.to} | uint64_t{t.otherwise} << 32);
      h.word(uint64_t{t.value} | uint64_t{t.player} << 32);
      h.word(uint64_t{t.move} | uint64_t{loc_of(p.sources, t.span)} << 32);
      h.word(static_cast<uint64_t>(t.imm));
      h.each(t.cases, [&](BlockId c) { h.word(c); });
    });
  });
  return h.value();
}

}  // namespace ppc::rules
