// English nouns: WordNet's morphology, from a table that is made in the build (make_nouns.cpp) and is constant data.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace ppc::text {

/// Sorted entries in blocks of 16: see make_nouns.cpp.
struct WordList {
  const char* bytes;
  const uint32_t* starts;  // of blocks
  uint32_t blocks, words;
};
extern const WordList kNouns;
extern const WordList kNounExceptions;  // "geese goose"
extern const size_t kLongestNoun;
extern const char kWordNetNotice[];

/// A base form: the first `kept` bytes of the word with `ending` behind them, or, in an exception, another word.
struct Lemma {
  size_t kept = 0;
  const char* ending = "";
  char other[104] = {};
  size_t other_length = 0;  // 0: `other` is not used
};

/// The base form of a lower-case noun as WordNet has it: an exception's; else the shortest form, of the word itself and
/// those that the rules for plurals give, that is a noun, the rules being applied again until one is; else the word.
Lemma lemma(std::string_view word);

/// Whether WordNet has this noun (no compounds).
bool is_noun(std::string_view word);

}  // namespace ppc::text
