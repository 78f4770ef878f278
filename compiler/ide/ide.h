// What an editor asks about a place in a game. All places are byte offsets in the files of an analysis.
#pragma once
#include <string>
#include <variant>
#include <vector>

#include "compiler/ide/analysis.h"

namespace ppc::ide {

// ---- hover ------------------------------------------------------------------------------------------------------------

/// What there is to say about a name. `code` is in the language's own notation.
struct Description {
  Span span;                       // of the name that was asked about
  std::string code;
  std::vector<std::string> notes;  // a line each: who may know it, what it does
  std::string doc;                 // its `///` lines
};
Description describe(const Analysis&, const sema::Declared&);
std::optional<Description> hover(const Analysis&, uint32_t file, uint32_t offset);

// ---- definition ---------------------------------------------------------------------------------------------------------

/// Where the name at a place is declared; for the path of an `include`, the beginning of that file.
std::optional<Span> definition(const Analysis&, uint32_t file, uint32_t offset);

// ---- symbols ------------------------------------------------------------------------------------------------------------

struct Symbol {
  enum class Kind { File, Game, Group, Field, State, Player, Record, Enum, EnumValue, Predicate, Move, Function, Step, Play, Bot, Metric, Key, Generate, Resource } kind;
  std::string name, detail;
  Span whole, span;  // all of it; its name
  std::vector<Symbol> children;
};
std::vector<Symbol> symbols(const Analysis&, uint32_t file);

struct Token {
  enum class Kind { Keyword, Text, Number, Comment, Type, Enum, EnumValue, Record, Field, Function, Method, Parameter, Variable, Player, Move } kind;
  Span span;  // within one line
  bool declaration = false, fixed = false, own = false;  // fixed: cannot change; own: the language's
};
std::vector<Token> tokens(const Analysis&, uint32_t file);

// ---- completion ---------------------------------------------------------------------------------------------------------

struct Completion {
  enum class Kind { Keyword, Field, Variable, Player, Move, Function, Step, Method, Record, Enum, EnumValue, Type, Class, Library } kind;
  std::string label, detail, doc;
  bool operator==(const Completion&) const = default;
};
struct Completions {
  Span replaced;  // the beginning of a word that stands there
  std::vector<Completion> items;
};
/// What may stand at a place of `whole`, a file of the game at `path`. Reads the game anew, since what is being written does
/// not parse.
Completions complete(const std::string& path, const Instead& instead, const std::filesystem::path& whole, uint32_t offset);

// ---- rename -------------------------------------------------------------------------------------------------------------

struct Refusal { std::string reason; };  // a sentence for a person
struct Edit { Span span; std::string text; };

/// The name at a place, if it is local: only then is nobody else told it (files, records, other games).
std::variant<Meaning, Refusal> renamable(const Analysis&, uint32_t file, uint32_t offset);
/// The edits, which leave what every name stands for as it was; or why there are none.
std::variant<std::vector<Edit>, Refusal> rename(const Analysis&, const std::string& path, const Instead& instead, uint32_t file,
                                                uint32_t offset, const std::string& name);

// ---- formatting ---------------------------------------------------------------------------------------------------------

/// The canonical layout; nothing after an error, which the emitter has. Throws std::logic_error where it would change what the
/// game means, which is a bug.
std::optional<std::string> formatted(const std::string& path, const std::string& text, Sources&, diag::Emitter&);

// ---- small things -------------------------------------------------------------------------------------------------------

/// How a value of a type is written: `[text]`; empty for none.
std::string type_text(const Analysis&, sema::TypeId);

}  // namespace ppc::ide
