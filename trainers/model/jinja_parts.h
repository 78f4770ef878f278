// What the template engine's own files share: the tree of a template, and Python's functions of texts.
#pragma once
#include <unordered_map>

#include "trainers/model/jinja.h"

namespace ppc::model::jinja {

struct Expr;
struct Stmt;
using ExprPtr = std::unique_ptr<Expr>;
using Block = std::vector<Stmt>;

enum class Op : uint8_t {
  Const, Name, List, Tuple, Dict, Attr, Item, Slice, Call, Filter, Test, Not, Neg, Pos, And, Or, If, Concat,
  Add, Sub, Mul, Div, FloorDiv, Mod, Pow, Compare,
};
enum class Comparison : uint8_t { Eq, Ne, Lt, Le, Gt, Ge, In, NotIn };

struct Expr {
  Op op;
  uint32_t line;
  uint32_t depth = 1;                   // levels of expressions below and with this one
  std::vector<ExprPtr> kids;            // null: a part of a slice that is left out
  std::string name;                     // of a variable, attribute, filter, test
  int symbol = -1;                      // of a variable
  std::vector<std::string> keywords;    // of a call, filter or test: of its last arguments
  std::vector<Comparison> comparisons;  // one less than kids
  Value value;                          // of a constant
};

struct Macro {
  std::string name;
  std::vector<std::string> names;
  std::vector<int> symbols;
  std::vector<ExprPtr> defaults;  // of the last parameters
  std::unique_ptr<Block> body;
};

struct Stmt {
  enum class Kind : uint8_t { Data, Print, Set, SetBlock, If, For, Macro, Break, Continue, Group, With, Filter };
  Kind kind;
  uint32_t line;
  std::string data;
  ExprPtr target;               // of Set, SetBlock, For
  std::vector<ExprPtr> exprs;   // Print: its value; Set: too; SetBlock, Filter: the filter, if any; If: conditions; For: the iterable, its condition; With: values
  std::vector<ExprPtr> targets; // of With
  std::vector<Block> bodies;    // If: one a condition, and that of else; For: body, else
  std::unique_ptr<Macro> macro;
};

/// Names of variables as small numbers.
class Symbols {
 public:
  int intern(std::string_view name);
  int find(const std::string& name) const;  // -1 if no variable of the template is called so
 private:
  std::unordered_map<std::string, int> numbers_;
};

struct Parsed { Block body; Symbols symbols; };
Parsed parse_template(std::string_view source, const std::string& file);

/// What Jinja2 knows by that name.
enum class Known : uint8_t { No, Refused, Yes };
Known known_filter(std::string_view name);
Known known_test(std::string_view name);

inline constexpr uint32_t kMostDepth = 250;   // of expressions in the source, and of statements
inline constexpr uint32_t kMostNested = 300;  // of lists and dictionaries

// Python's functions of texts. Offsets are bytes; a byte that is no UTF-8 counts as a character.
bool is_space(uint32_t c);                                                      // str.isspace
size_t next_char(std::string_view, size_t at);
size_t previous_char(std::string_view, size_t at);
uint32_t char_at(std::string_view, size_t at);
size_t count_chars(std::string_view);
size_t find_text(std::string_view in, std::string_view what, size_t from = 0);       // in linear time; npos
size_t rfind_text(std::string_view in, std::string_view what);
Text strip(const Text&, const std::string* chars, bool left, bool right);       // chars null: white space
std::vector<Text> split(const Text&, const std::string* separator, int64_t most, bool from_right);
std::vector<Text> split_lines(const Text&);
Text replaced(const Text&, std::string_view from, const Text& to, int64_t most);
Text upper(const Text&);
Text lower(const Text&);
Text capitalized(const Text&);
Text titled(const Text&);                                                       // the method
Text words_titled(const Text&);                                                 // Jinja's filter
void append_repr(Text& to, const Text&);
void append_json(Text& to, const Text&, bool ascii);
std::string repr(double);
bool parse_int(std::string_view, int base, int64_t* out);                       // int("…")
bool parse_float(std::string_view, double* out);                                // float("…")
enum class Chars : uint8_t { Digit, Decimal, Alpha, Alnum, Space, Upper, Lower };
bool all_chars(std::string_view, Chars);                                        // isdigit, …

}  // namespace ppc::model::jinja
