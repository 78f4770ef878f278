// What the compiler makes of a grammar and `ppc_rt_text_parse` runs: instructions over the words of a text.
//
// A list of ints: the number of captures, how many can be open at a time, the index of the type set<text>, 1 when a literal
// stands for any case, then the instructions, each `operation + 16 * argument`, of which the first is number 0. Where an
// instruction does not fit, the last Split that has not been gone back to decides how it goes on.
#pragma once
#include <cstdint>

namespace ppc::rt {

enum class WordOp : uint8_t {
  Word,     // any word
  Literal,  // the word texts[argument]
  AnyCase,  // the same, both in lower case; texts[argument] is
  Among,    // a word of sets[argument]
  Except,   // a word that is not in it
  Split,    // goes on with the next instruction, and if that leads to nothing with instruction `argument`
  Jump,     // to instruction `argument`
  Begin,    // a capture begins in front of the next word, inside `argument` others …
  End,      // … and ends in front of it: capture argument / 128, inside argument % 128 others
  Rule,     // the alternative's name is texts[argument]
  Done,     // fits when there is no further word
};
constexpr int64_t kWordHead = 4, kOpenCaptures = 128;
constexpr int64_t word_instruction(WordOp op, int64_t argument = 0) { return static_cast<int64_t>(op) + 16 * argument; }

}  // namespace ppc::rt
