// Formats of moves: from the items of `format …` to the automaton that reads a reply, the grammar that constrains a
// model's decoding, and the form that people read.
//
// A format must fit the whole (normalised) reply. Where it fits in several ways, the captures are those of a
// backtracking regular expression with greedy repetition and ordered choice (Perl's and Python's rule).
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/formats/automaton.h"
#include "compiler/formats/replies.h"

namespace ppc::formats {

using Items = std::vector<ast::FormatItem>;

/// A step budget for construction as well as a size: what exceeds it is reported as "too large", never a hang.
struct Limits {
  uint32_t states = 4096;  // of the finished automaton and of every automaton on the way
};

/// Capture k of the automaton, in the order of first appearance. The same name in several branches of one choice is one
/// capture. An `optional` one may be left out by a reply that fits; it is then the empty range 0..0, the empty text.
struct CaptureInfo {
  std::string name;
  Span span;
  std::string char_class;  // text, line, word, letters, digits, int
  bool optional = false;
};

/// What is wrong with a format; `message` is empty when nothing is.
struct Problem {
  std::string message;  // lower case, code in backticks, as diagnostics are written
  Span span;
  bool found() const { return !message.empty(); }
};

constexpr uint32_t kMaxCaptures = 32;  // ppc_ctx::captures holds this many

/// With a problem, the result is an automaton that fits nothing, and *problem says why.
Automaton compile(const Items&, Limits, std::vector<CaptureInfo>& captures, Problem* problem);

/// Whether no reply fits all of these formats; *example, if given, receives a shortest reply that does.
/// On a problem (too large): false, and *problem says so.
bool empty_intersection(const std::vector<const Items*>&, Limits = {}, Problem* problem = nullptr,
                        std::string* example = nullptr);

/// GBNF (the grammar syntax of llama.cpp) of the replies that fit all of these formats; rule names are `root` and names
/// that begin with it. What no model writes (U+0000, an int of more than 18 digits) may be left out, otherwise the languages
/// are equal. (Those of several formats do not count digits.) Empty when the intersection is empty or on a problem.
std::string grammar(const std::vector<const Items*>&, std::string_view root = "root", Limits = {},
                    Problem* problem = nullptr);

/// Whether a `{text in …}` stands in it: a hole, which is filled when the reply is read.
bool has_holes(const Items&);

/// What decides of a format with holes: runtime/abi/forms.h. With a problem there is no code.
struct HoleProgram {
  std::vector<int64_t> code;
  std::vector<CaptureInfo> captures;
  std::vector<const ast::FormatItem*> holes;  // in the order of the program's lists
};
HoleProgram compile_with_holes(const Items&, Limits = {}, Problem* = nullptr);

/// The replies that fit all of these formats and are left as they are, without those that hold an int of more than 18 digits.
Replies replies(const std::vector<const Items*>&, const std::vector<Unchanged>&, Limits = {}, Problem* = nullptr);
/// Of one format with holes, numbered as in its program.
Replies replies_with_holes(const Items&, Limits = {}, Problem* = nullptr);

/// How a person would be shown the format: `CLUE: <clue>`; a line break is a line break, what may be missing stands in […].
std::string form(const Items&);

/// Lists states, edges and register operations; for tests and `--emit`.
std::string print(const Automaton&);

}  // namespace ppc::formats
