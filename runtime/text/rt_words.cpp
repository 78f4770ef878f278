// Texts read by a grammar. Backtracking in the order in which the grammar prefers things, but no instruction is tried
// twice at the same word: whether the rest fits from there does not depend on how one came there. So the work is at most
// the number of instructions times the number of words.
#include "runtime/abi/hashed.h"
#include "runtime/abi/words.h"

using namespace ppc::rt;

namespace {

struct Matcher {
  ppc_ctx* c;
  List code, texts, sets, words, lowered;
  int64_t set_type;
  uint32_t captures, open, size;
  uint32_t caught, tried, stack;  // in the scratch: u32 pairs, then where open ones began; bits; entries of two u32
  uint32_t depth = 0;
  int64_t rule = 0;

  // An entry is an instruction and a word, or, with the top bit set, a place of `caught` and what stood there before.
  static constexpr uint32_t kUndo = 1u << 31;

  uint8_t* scratch(uint32_t offset) const { return c->seg[PPC_SCRATCH] + offset; }
  void push(uint32_t a, uint32_t b) {
    const uint32_t to = stack + 8 * depth++;
    if (to == c->scratch_top) scratch_bytes(c, 8);
    store(scratch(to), a);
    store(scratch(to + 4), b);
  }
  uint32_t& bound(uint32_t i) const { return reinterpret_cast<uint32_t*>(scratch(caught))[i]; }
  bool first_time(uint32_t pc, uint32_t at) const {
    const uint64_t bit = static_cast<uint64_t>(pc) * (words.n + 1) + at;
    uint8_t& byte = scratch(tried)[bit >> 3];
    const uint8_t mask = static_cast<uint8_t>(1u << (bit & 7));
    if (byte & mask) return false;
    byte |= mask;
    return true;
  }

  void prepare() {
    caught = scratch_object(c, 4 * (uint64_t{2} * captures + open));
    for (uint32_t i = 0; i < 2 * captures + open; ++i) bound(i) = 0;
    const uint64_t bytes = (static_cast<uint64_t>(size) * (words.n + 1) + 7) / 8;
    charge_bytes(c, bytes);
    tried = scratch_object(c, bytes);
    std::memset(scratch(tried), 0, bytes);
    stack = scratch_object(c, 0);
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
      for (bool fits = true; fits && first_time(pc, at);) {
        if ((++steps & 7) == 0) charge(c, 1);
        const int64_t i = code[static_cast<uint32_t>(kWordHead) + pc];
        const uint32_t argument = static_cast<uint32_t>(i >> 4);
        ++pc;
        switch (static_cast<WordOp>(i & 15)) {
          case WordOp::Word: fits = at++ < words.n; break;
          case WordOp::Literal: fits = at < words.n && text_equal(c, words[at++], texts[argument]); break;
          case WordOp::AnyCase: fits = at < words.n && text_equal(c, lowered[at++], texts[argument]); break;
          case WordOp::Among: fits = at < words.n && ppc_rt_set_contains(c, sets[argument], words[at++], set_type); break;
          case WordOp::Except: fits = at < words.n && !ppc_rt_set_contains(c, sets[argument], words[at++], set_type); break;
          case WordOp::Split: push(argument, at); break;
          case WordOp::Jump: pc = argument; break;
          case WordOp::Begin: sets_bound(2 * captures + argument, at); break;
          case WordOp::End: {
            const uint32_t k = argument / kOpenCaptures;
            sets_bound(2 * k, bound(2 * captures + argument % kOpenCaptures));
            sets_bound(2 * k + 1, at);
            break;
          }
          case WordOp::Rule: rule = texts[argument]; break;
          case WordOp::Done:
            if (at == words.n) return true;
            fits = false;
        }
      }
    }
    return false;
  }
  void sets_bound(uint32_t i, uint32_t at) {
    push(kUndo | i, bound(i));
    bound(i) = at;
  }

  /// The words with one blank between them: a part of the text where they stand so in it.
  int64_t caught_text(uint32_t from, uint32_t to) const {
    if (from >= to) return 0;
    bool together = true, ascii = true;
    for (uint32_t i = from; i < to; ++i) {
      ascii = ascii && PPC_ASCII(words[i]);
      if (i == from) continue;
      const int64_t before = words[i - 1];
      const uint32_t end = PPC_OFFSET(before) + PPC_LENGTH(before);
      together = together && PPC_OFFSET(words[i]) == end + 1 && c->seg[PPC_SEGMENT(before)][end] == ' ';
    }
    const int64_t first = words[from], last = words[to - 1];
    if (together)
      return PPC_TEXT(PPC_SEGMENT(first), ascii, PPC_OFFSET(first), PPC_OFFSET(last) + PPC_LENGTH(last) - PPC_OFFSET(first));
    Out out(c);
    for (uint32_t i = from; i < to; ++i) {
      if (i > from) out.put(' ');
      out.put(text(c, words[i]));
    }
    return out.done();
  }
};

}  // namespace

extern "C" int64_t ppc_rt_text_parse(ppc_ctx* c, int64_t v, int64_t program, int64_t texts, int64_t sets) {
  Matcher m{};
  m.c = c;
  m.code = list(c, program);
  m.texts = list(c, texts);
  m.sets = list(c, sets);
  m.captures = static_cast<uint32_t>(m.code[0]);
  m.open = static_cast<uint32_t>(m.code[1]);
  m.set_type = m.code[2];
  m.size = m.code.n - static_cast<uint32_t>(kWordHead);
  const uint32_t start = c->scratch_top;
  const int64_t record = ppc_rt_record_new(c, m.captures + 1);
  m.words = list(c, ppc_rt_text_words(c, v));
  if (m.code[3]) m.lowered = list(c, ppc_rt_text_words(c, ppc_rt_text_lower(c, v)));
  m.prepare();
  const bool fits = m.run();
  c->scratch_top = fits ? m.tried : start;
  if (!fits) return 0;
  ppc_rt_record_set(c, record, 0, m.rule);
  for (uint32_t k = 0; k < m.captures; ++k)
    ppc_rt_record_set(c, record, k + 1, m.caught_text(m.bound(2 * k), m.bound(2 * k + 1)));
  return ppc_rt_some(c, record);
}
