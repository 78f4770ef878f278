// Formats with holes. Backtracking in the order in which formats prefer things, but no instruction is tried twice at the same
// place: whether the rest fits from there does not depend on how one came there. So the work is at most the number of instructions
// times the reply's length, and that of trying the lists' texts.
#include <algorithm>

#include "runtime/abi/forms.h"
#include "runtime/abi/heap.h"
#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

using namespace ppc::rt;

namespace {

struct Matcher {
  ppc_ctx* c;
  List code, lists;
  Text reply;
  uint32_t captures, size;
  uint32_t caught, tried, stack;  // in the scratch: u32 pairs; bits; entries of two u32
  uint32_t depth = 0;

  // An entry is an instruction and a place, or, with the top bit set, a place of `caught` and what stood there before.
  static constexpr uint32_t kUndo = 1u << 31;

  uint8_t* scratch(uint32_t offset) const { return c->seg[PPC_SCRATCH] + offset; }
  void push(uint32_t a, uint32_t b) {
    const uint32_t to = stack + 8 * depth++;
    if (to == c->scratch_top) scratch_bytes(c, 8);
    store(scratch(to), a);
    store(scratch(to + 4), b);
  }
  uint32_t& bound(uint32_t i) const { return reinterpret_cast<uint32_t*>(scratch(caught))[i]; }
  void set_bound(uint32_t i, uint32_t at) {
    push(kUndo | i, bound(i));
    bound(i) = at;
  }
  bool first_time(uint32_t pc, uint32_t at) const {
    const uint64_t bit = static_cast<uint64_t>(at) * size + pc;
    uint8_t& byte = scratch(tried)[bit >> 3];
    const uint8_t mask = static_cast<uint8_t>(1u << (bit & 7));
    if (byte & mask) return false;
    byte |= mask;
    return true;
  }

  void prepare() {
    caught = scratch_object(c, 8ull * captures);
    for (uint32_t i = 0; i < 2 * captures; ++i) bound(i) = 0;
    const uint64_t bytes = (static_cast<uint64_t>(size) * (reply.n + 1ull) + 7) / 8;
    charge_bytes(c, bytes);
    tried = scratch_object(c, bytes);
    std::memset(scratch(tried), 0, bytes);
    stack = scratch_object(c, 0);
  }

  bool in_set(uint32_t point, uint32_t from) const {
    for (uint32_t i = from + 1, end = from + 1 + static_cast<uint32_t>(code[from]); i < end; ++i) {
      const int64_t range = code[i];
      if (point < range >> 21) return false;
      if (point <= (range & 0x1FFFFF)) return true;
    }
    return false;
  }
  /// Those of a list that stand here wait on the stack, the longest on top.
  void hole(List texts, uint32_t next, uint32_t here) {
    const uint32_t begin = depth;
    for (uint32_t i = 0; i < texts.n; ++i) {
      const Text t = text(c, texts[i]);
      if ((i & 31) == 31) charge(c, 1);
      if (t.n > reply.n - here || !same_bytes(reply.p + here, t.p, t.n)) continue;
      const uint32_t to = here + t.n;
      uint32_t place = depth;
      push(next, to);
      while (place > begin && load<uint32_t>(scratch(stack + 8 * (place - 1) + 4)) > to) {
        store(scratch(stack + 8 * place + 4), load<uint32_t>(scratch(stack + 8 * (place - 1) + 4)));
        store(scratch(stack + 8 * (--place) + 4), to);
      }
    }
  }

  bool run() {
    uint32_t steps = 0;
    push(0, 0);
    while (depth > 0) {
      const uint32_t from = stack + 8 * --depth;
      uint32_t pc = load<uint32_t>(scratch(from)), at = load<uint32_t>(scratch(from + 4));
      if (pc & kUndo) {
        bound(pc & ~kUndo) = at;
        continue;
      }
      for (bool fits = true; fits;) {
        if ((++steps & 7) == 0) charge(c, 1);
        const int64_t i = code[static_cast<uint32_t>(kFormHead) + pc];
        const auto op = static_cast<FormOp>(i & 15);
        const auto next = static_cast<uint32_t>(i >> 4 & 0xFFFFFFF), argument = static_cast<uint32_t>(i >> 32);
        if (!first_time(pc, at)) {
          fits = op == FormOp::Loop;
          pc = argument;
          continue;
        }
        switch (op) {
          case FormOp::Char:
          case FormOp::Any:
          case FormOp::Letter:
          case FormOp::Set: {
            if (at == reply.n) {
              fits = false;
              break;
            }
            uint32_t length;
            const uint32_t point = ppc::text::decode(reply.p + at, reply.n - at, &length);
            fits = op == FormOp::Any || (op == FormOp::Char ? point == argument : op == FormOp::Letter ? ppc::text::is_alpha(point) : in_set(point, argument));
            at += length;
            pc = next;
            break;
          }
          case FormOp::Hole:
            hole(list(c, lists[argument]), next, at);
            fits = false;  // goes on with what is on top of the stack
            break;
          case FormOp::Split:
          case FormOp::Loop:
            push(argument, at);
            pc = next;
            break;
          case FormOp::Begin:
          case FormOp::End:
            set_bound(2 * argument + (op == FormOp::End), at);
            pc = next;
            break;
          case FormOp::Done:
            if (at == reply.n) return true;
            fits = false;
        }
      }
    }
    return false;
  }
};

}  // namespace

extern "C" int64_t ppc_rt_text_form(ppc_ctx* c, int64_t v, int64_t program, int64_t lists) {
  Matcher m{};
  m.c = c;
  m.code = list(c, program);
  m.lists = list(c, lists);
  m.reply = text(c, v);
  m.captures = static_cast<uint32_t>(m.code[0]);
  m.size = static_cast<uint32_t>(m.code[1]);
  const uint32_t start = c->scratch_top;
  const int64_t found = new_list(c, PPC_SCRATCH, m.captures, m.captures);
  m.prepare();
  const bool fits = m.run();
  c->scratch_top = fits ? m.tried : start;
  if (!fits) return 0;
  for (uint32_t k = 0; k < m.captures; ++k) {
    const uint32_t from = m.bound(2 * k), n = m.bound(2 * k + 1) - from;
    set_item(c, found, k, part(v, from, n, m.reply.ascii || ppc::text::is_ascii(at(c, v) + from, n)));
  }
  return ppc_rt_some(c, found);
}
