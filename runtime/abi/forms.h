// What the compiler makes of a format with holes, `{text in …}`, and `ppc_rt_text_form` runs: instructions over the characters of
// a reply. (A format without holes is an automaton.)
//
// A list of ints: the number of captures, that of instructions, the instructions, and then the characters of sets. An instruction is
// `operation + 16 * next + 2^32 * argument`: behind it instruction `next` follows; the first is number 0. Where one does not fit, the
// last Split that has not been gone back to decides how it goes on.
#pragma once
#include <cstdint>

namespace ppc::rt {

enum class FormOp : uint8_t {
  Char,    // the character `argument`
  Any,     // any character
  Letter,  // one of category L*
  Set,     // one in the ranges whose count stands at `argument`: each low * 2^21 + high, ascending
  Hole,    // one of lists[argument], a longer one first
  Split,   // goes on with `next`, and if that leads to nothing with instruction `argument`
  Loop,    // the same; who comes back without having read anything goes on with `argument`
  Begin,   // capture `argument` begins here …
  End,     // … and ends here
  Done,    // fits when nothing follows
};
constexpr int64_t kFormHead = 2;
constexpr int64_t form_instruction(FormOp op, int64_t next = 0, int64_t argument = 0) {
  return static_cast<int64_t>(op) + 16 * next + (argument << 32);
}

}  // namespace ppc::rt
