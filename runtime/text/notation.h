// Texts that spell out a value: JSON, and Python's literals (what ast.literal_eval reads). Parsed into a tree, written
// back in one normal form.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ppc::text {

enum class Notation { Json, Python };

struct Spelled {
  /// Other: what no type of a game stands for: an integer beyond 64 bits, Python's `...`.
  enum class Kind : uint8_t { Null, Bool, Int, Float, Text, List, Tuple, Set, Dict, Other } kind = Kind::Null;
  uint32_t first = 0, next = 0;      // first child and next sibling, 0: none; a Dict's children are key, value, key, value, …
  uint32_t count = 0;                // items; of a Dict its entries
  int64_t number = 0;                // Int, Bool
  double real = 0;                   // Float
  uint32_t begin = 0, length = 0;    // Text, Other: bytes of `texts`
};

/// One parsed text. Reuse one object: it keeps its memory.
class Spelling {
 public:
  /// False when the text is not in this notation, or nested more than 200 levels deep.
  bool parse(std::string_view text, Notation);
  Notation notation() const { return notation_; }
  const Spelled& root() const { return nodes_[root_]; }
  const Spelled& operator[](uint32_t node) const { return nodes_[node]; }
  std::string_view text(const Spelled& s) const { return std::string_view(texts_).substr(s.begin, s.length); }
  /// What `write` may cost beside the length of the text: keys are compared with each other.
  uint64_t pairs() const { return pairs_; }
  bool equal(const Spelled&, const Spelled&) const;
  /// The normal form: as Python's json.dumps (characters beyond ASCII as they are) or repr writes it. Entries of a Dict
  /// whose key comes again are gone.
  void write(const Spelled& s, std::string& out) const { write(s, notation_, out); }
  /// In the other notation as far as it goes.
  void write(const Spelled&, Notation, std::string& out) const;

 private:
  friend class SpellingParser;
  Notation notation_ = Notation::Json;
  std::vector<Spelled> nodes_;  // [0] is none
  std::string texts_;
  uint32_t root_ = 0;
  uint64_t pairs_ = 0;
};

/// What a normal form is as JSON: itself when it is JSON already, written as JSON when it is a Python literal (tuples and sets
/// become lists, keys that are no texts become texts), as a JSON text when it is neither. A view of the argument, or of `buffer`.
std::string_view as_json(std::string_view spelled, std::string& buffer);

/// As Python's repr writes a text: single quotes unless only they are in it.
void write_python(std::string_view text, std::string& out);
/// As Python's json.dumps writes it; `ascii`: everything beyond ASCII as an escape.
void write_json(std::string_view text, bool ascii, std::string& out);
/// As Python prints a float: 1.0, 0.5, 1e+16, nan. At most 32 bytes.
uint32_t write_float(double v, char* to);

}  // namespace ppc::text
