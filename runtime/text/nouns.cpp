#include "runtime/text/nouns.h"

#include <algorithm>
#include <cstring>

namespace ppc::text {

namespace {

/// One entry after the other; `word` is the current one.
struct Reader {
  const char* at;
  char word[256];
  size_t length = 0;

  void next() {
    size_t head = static_cast<unsigned char>(*at++), shared = head >> 4, rest = head & 15;
    if (head == 255) {
      shared = static_cast<unsigned char>(*at++);
      rest = static_cast<unsigned char>(*at++);
    }
    std::memcpy(word + shared, at, rest);
    at += rest;
    length = shared + rest;
  }
  std::string_view view() const { return {word, length}; }
};

/// The first entry that is not before `key`, in `reader`; false when there is none.
bool find(const WordList& list, std::string_view key, Reader& reader) {
  uint32_t from = 0, to = list.blocks;  // the last block whose first entry is not after the key
  while (to - from > 1) {
    const uint32_t middle = from + (to - from) / 2;
    reader.at = list.bytes + list.starts[middle];
    reader.next();
    (reader.view() <= key ? from : to) = middle;
  }
  reader.at = list.bytes + list.starts[from];
  for (uint32_t i = from * 16; i < list.words; ++i) {
    reader.next();
    if (reader.view() >= key) return true;
  }
  return false;
}

struct Rule {
  std::string_view ending, instead;
};
constexpr Rule kRules[] = {{"s", ""},    {"ses", "s"},  {"ves", "f"},   {"xes", "x"}, {"zes", "z"},
                           {"ches", "ch"}, {"shes", "sh"}, {"men", "man"}, {"ies", "y"}};

}  // namespace

bool is_noun(std::string_view word) {
  if (word.empty() || word.size() > kLongestNoun) return false;
  Reader reader;
  return find(kNouns, word, reader) && reader.view() == word;
}

Lemma lemma(std::string_view word) {
  Lemma result;
  result.kept = word.size();
  char form[104];
  if (word.size() <= 100) {
    std::memcpy(form, word.data(), word.size());
    form[word.size()] = ' ';
    const std::string_view key(form, word.size() + 1);
    Reader reader;
    if (find(kNounExceptions, key, reader) && reader.view().starts_with(key)) {
      const std::string_view base = reader.view().substr(key.size());
      std::memcpy(result.other, base.data(), base.size());
      result.other_length = base.size();
      return result;
    }
  }
  bool found = is_noun(word);
  size_t shortest = word.size();
  // Only a form that is a beginning of the word can take a rule again, and a round makes one such form at most.
  for (std::string_view left = word; !left.empty();) {
    std::string_view again;
    for (const Rule& rule : kRules) {
      if (!left.ends_with(rule.ending)) continue;
      const size_t kept = left.size() - rule.ending.size(), size = kept + rule.instead.size();
      const bool beginning = left.substr(kept).starts_with(rule.instead);
      const std::string_view form_begins = left.substr(0, size);
      if (beginning && (form_begins.ends_with('s') || form_begins.ends_with("men"))) again = form_begins;
      if (size > kLongestNoun || (found && size >= shortest)) continue;
      std::memcpy(form, left.data(), kept);
      std::memcpy(form + kept, rule.instead.data(), rule.instead.size());
      if (!is_noun({form, size})) continue;
      found = true;
      shortest = size;
      result.kept = beginning ? size : kept;
      result.ending = beginning ? "" : rule.instead.data();
    }
    if (found) break;
    left = again;
  }
  return result;
}

}  // namespace ppc::text
