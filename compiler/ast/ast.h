// The tree of one .game file, as written: no names resolved, no types, comments kept.
//
// Plain data. `syntax` builds it, `ast/print.h` prints it (that printer is `ppc fmt`), `sema` reads it.
// Every node has the span of its text; names that a diagnostic may point at have a span of their own.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "compiler/base/source.h"

namespace ppc::ast {

struct Expr;
struct Stmt;
struct TypeExpr;
using ExprPtr = std::unique_ptr<Expr>;
using TypePtr = std::unique_ptr<TypeExpr>;

struct Ident {
  std::string name;
  Span span;
};

/// Comments in front of a node, each on a line of its own, the text after "//"; and one behind it on its line.
/// An entry "\n" of `before` is an empty line that stood there.
/// `blank_before`: the source has an empty line in front (the printer keeps one).
/// `same_line`: the node starts on the line where the token before it ends; a block all of whose statements do is
/// printed on one line where that fits.
struct Comments {
  std::vector<std::string> before;
  std::string after;
  bool blank_before = false;
  bool same_line = false;
};

using Block = std::vector<Stmt>;  // a block's trailing comments hang on a final Stmt of kind `Nothing`

// ---- types ------------------------------------------------------------------------------------------------------

/// int 1..20 | float | bool | text | regex | [T] | set<T> | map<K, V> | T? | NAME (a record, an enum or a move)
struct TypeExpr {
  enum class Kind { Named, List, Set, Map, Optional, Tuple } kind = Kind::Named;
  std::string name;            // Named: int, float, bool, text, regex, or a declared name
  std::vector<TypePtr> args;   // List/Set/Optional: 1, Map: 2, Tuple: n
  ExprPtr low, high;           // Named int: the range; List/Set/Map: `high` is `max N`
  Span span;
};

// ---- expressions ------------------------------------------------------------------------------------------------

/// One piece of a text literal: literal text (escapes resolved) or an interpolated expression.
struct TextPart {
  std::string literal;
  ExprPtr value;  // null for a literal piece
};

struct IntLit { int64_t value; };
struct FloatLit { double value; std::string spelling; };
struct BoolLit { bool value; };
struct NanLit {};
struct NoneLit {};
struct TextLit { std::vector<TextPart> parts; bool triple = false; };  // triple: """ … """, indentation already removed
struct Name { std::string name; Span span; };  // the span of the name itself: an expression in brackets has theirs
struct FieldAccess { ExprPtr object; Ident field; };  // x.name: a field, or a method without arguments
/// f(a, k = b), or x.f(…) with a receiver. An argument's name is empty when it is positional; `fill` has text keys.
struct Arg { std::optional<Ident> name; ExprPtr key; ExprPtr value; };
struct Call { ExprPtr receiver; Ident callee; std::vector<Arg> args; };
struct Index { ExprPtr object, index; };
struct Slice { ExprPtr object, from, to; };  // x[a..b], both ends optional, `to` excluded
struct Unary { enum class Op { Neg, Not } op; ExprPtr operand; };
struct Binary {
  enum class Op { Add, Sub, Mul, Div, IDiv, Mod, And, Or, Eq, Ne, Lt, Le, Gt, Ge, In, NotIn, Is, IsNot, Intersect, Union } op;
  ExprPtr left, right;
  Span op_span;
};  // IDiv is `div`, Mod is `mod`, Intersect is `&`, Union is `|`; sets also subtract with `-`
struct IfExpr { ExprPtr condition, then, otherwise; };
struct Range { ExprPtr low, high; };  // a..b, both included
struct MatchArm { ExprPtr pattern; ExprPtr value; Span span; };  // pattern null: else; a Range matches its members
struct MatchExpr { ExprPtr subject; std::vector<MatchArm> arms; };
struct ListLit { std::vector<ExprPtr> items; };
struct SetLit { std::vector<ExprPtr> items; };
struct MapLit { std::vector<std::pair<ExprPtr, ExprPtr>> entries; };
struct TupleLit { std::vector<ExprPtr> items; };
/// What a `for`, `any` or `all` calls what it goes through. Several names take a tuple (or a map's key and value) apart. With a
/// `predicate` only the facts of that form count, `at(x, here)`: a term that is a new name stands for what is in its place.
struct Names { std::vector<Ident> names; std::optional<Ident> predicate; std::vector<ExprPtr> terms; };
/// `for x in source if condition` of a comprehension.
struct Generator { Names names; ExprPtr source; ExprPtr condition; };
struct Comprehension { enum class Kind { List, Set, Map } kind; ExprPtr key; ExprPtr value; std::vector<Generator> generators; };
struct Quantified { bool all; Names names; ExprPtr source, condition; };  // any x in xs: condition
struct Reveal { ExprPtr value; };
struct Notes { std::string key; };                           // notes "key"
struct RecordLit { Ident type; std::vector<Arg> fields; };  // reserved for `Name { field = … }`

struct Expr {
  Span span;
  std::variant<IntLit, FloatLit, BoolLit, NanLit, NoneLit, TextLit, Name, FieldAccess, Call, Index, Slice, Unary, Binary,
               IfExpr, Range, MatchExpr, ListLit, SetLit, MapLit, TupleLit, Comprehension, Quantified, Reveal, Notes,
               RecordLit>
      node;
  bool parenthesised = false;
};

// ---- formats and grammars ----------------------------------------------------------------------------------------------------

/// One piece of a move's format, or of a grammar: there the pieces stand for words.
struct FormatItem {
  enum class Kind {
    Literal,   // "CLUE:"        exactly these characters (plus, in text, `~` ignores case)
    Capture,   // {name: class}  or {class} without a name; in a grammar the class is `word` or a part
    Optional,  // [ items ], in a grammar also [ items | items ]
    Choice,    // ( items | items )
    Repeat,    // ( items )*     in a format only without captures
  } kind = Kind::Literal;
  Span span;
  std::string text;        // Literal
  bool ignore_case = false;
  std::optional<Ident> name;  // Capture
  std::string char_class;  // Capture: text, line, word, letters, digits, int; in a grammar word or a part's name
  std::vector<std::pair<std::string, bool>> without;  // Capture: `without "x"` / `without ~"x"`: (text, ignore_case)
  std::vector<std::vector<FormatItem>> branches;       // Optional/Repeat: one, Choice: several
  Span class_span;
  std::shared_ptr<Expr> among;  // Capture: {text in EXPRESSION}, in a grammar {word in EXPRESSION}, or …
  // In a grammar:
  std::string among_text;       // that expression, as it is written
  bool except = false;          // … {word not in EXPRESSION}
  bool once = false;            // Repeat: `+`, at least once
  bool bare = false;            // Repeat: of one item, written without brackets
};

// ---- statements -------------------------------------------------------------------------------------------------

/// What follows `else` (and a retry's `then`): a block, or one statement, or empty when there is none.
struct Consequence {
  bool present = false;
  bool braces = false;
  bool own_line = false;  // `else` (or a retry's `then`) starts a line
  Block body;
  Span span;
};

/// let / var. `as`: the type that a text is decoded to; `otherwise`: what happens when the value is none.
struct Let { Ident name; TypePtr type; ExprPtr value; bool mutable_; TypePtr as; Consequence otherwise; };
struct Assign { ExprPtr target; ExprPtr value; };                            // x = e, x[i] = e
struct Evaluate { ExprPtr call; };                                           // left.remove(x), step(…)
struct If { ExprPtr condition; Block then; Block otherwise; bool else_if = false; };
struct For { Names names; ExprPtr source; ExprPtr where; Block body; };
struct Round { Ident name; ExprPtr source; Block body; };                    // round r in 1..n { … }
struct Together { Block body; };                                             // together { asks }
struct RepeatAtMost { ExprPtr times; Block body; };                          // repeat at most n { … }
struct Break {};
struct Return { ExprPtr value; };
struct Ask { Ident name; bool bind = true; Ident player; Ident move; ExprPtr aside; };  // let x = ask P [aside e] for M
struct Tell { Ident player; ExprPtr value; };
struct Brief { Ident player; ExprPtr value; ExprPtr answered; };              // answered: the reply that the game gives for the player
struct Say { std::optional<Ident> player; ExprPtr value; };                  // in play: a scripted player; in a bot: its reply
struct Note { std::string key; Span key_span; ExprPtr value; };
struct RewardStmt { Ident player; ExprPtr value; };
/// win / lose / abort; `score` and `reason` may be null.
struct Outcome { enum class Kind { Win, Lose, Abort } kind; ExprPtr score; ExprPtr reason; };
struct Pass {};                                                              // in a consequence: the turn is spent
struct Retry { ExprPtr times; ExprPtr tell; std::shared_ptr<Consequence> then; };
struct Nothing {};                                                           // holds comments only
// In moves only:
struct Read { ExprPtr value; };
struct Format { std::vector<FormatItem> items; Consequence otherwise; bool aim = false; };  // aim: asked of no reply
struct Check { bool expect; ExprPtr condition; Consequence otherwise; };     // expect / forbid
struct Gives { ExprPtr value; };
// In generators only:
struct ExperimentStmt { ExprPtr name; Block body; };
struct InstancesStmt { ExprPtr count; std::optional<Ident> index; Block body; };
struct ResourceStmt { Ident name; TypePtr type; ExprPtr path; };

struct Stmt {
  Span span;
  Comments comments;
  std::variant<Let, Assign, Evaluate, If, For, Round, RepeatAtMost, Together, Break, Return, Ask, Tell, Brief, Say, Note, RewardStmt,
               Outcome, Pass, Retry, Nothing, Read, Format, Check, Gives, ExperimentStmt, InstancesStmt, ResourceStmt>
      node;
};

// ---- declarations -----------------------------------------------------------------------------------------------

/// `secret` alone: nobody but the game master; `secret a, b`: these players and the game master.
struct Audience { bool secret = false; std::vector<Ident> players; Span span; };

struct Field {
  Comments comments;
  std::vector<std::string> doc;
  Ident name;
  TypePtr type;
  ExprPtr initial;                     // `= e`: the value where the file has none
  std::vector<std::string> from;       // paths in the instance file, the first that exists with the right type counts
  Audience audience;
  Span span;
};

struct FieldsDecl { enum class Where { Experiment, Instance, State } where; std::vector<Field> fields; std::vector<std::string> dangling; };
struct RecordDecl { Ident name; std::vector<Field> fields; };
struct EnumDecl { Ident name; std::vector<std::pair<Ident, std::string>> values; };  // value, its spelling in files ("" = same)
/// `at(thing, place)`: what can be true of a world; the terms' names say what they are.
struct Predicate { Comments comments; std::vector<std::string> doc; Ident name; std::vector<Ident> terms; Span span; };
struct WorldDecl { std::vector<Predicate> predicates; std::vector<std::string> dangling; };
struct PlayerDecl { Ident name; std::string display; bool scripted = false; };  // display "" : the name
struct UseDecl { Ident library; std::vector<Ident> names; };                      // use english (stem, stopwords)
struct IncludeDecl { std::string path; Span path_span; };
struct ResourceDecl { Ident name; TypePtr type; ExprPtr path; Audience audience; };
struct Param { Ident name; TypePtr type; };
struct FnDecl { Ident name; std::vector<Param> params; TypePtr result; ExprPtr expression; Block body; };  // one of the two
struct StepDecl { Ident name; std::vector<Param> params; Block body; };
struct MoveDecl { Ident name; std::vector<Ident> players; Block body; };
struct PlayDecl { Block body; };
struct BotDecl { Ident player; Ident name; std::vector<Field> memory; Block body; };
/// metric "Name" [at t in source] = value [if condition]
/// Without a name of its own: a family, whose value is a map from names to numbers.
struct MetricDecl { std::string name; Span name_span; std::optional<Ident> at; ExprPtr source; ExprPtr value; bool named = false; ExprPtr condition; };
struct KeyDecl { std::string name; Span name_span; ExprPtr value; };
struct GenerateDecl { Block body; };
/// Whole texts have the form of one of the rules whose names begin with a small letter; the others are parts of those.
struct GrammarRule { Comments comments; std::vector<std::string> doc; Ident name; std::vector<std::vector<FormatItem>> branches; Span span; };
struct GrammarDecl { Ident name; std::vector<GrammarRule> rules; std::vector<std::string> dangling; };

struct Decl {
  Span span;
  Comments comments;
  std::vector<std::string> doc;  // `///` lines in front
  std::variant<FieldsDecl, RecordDecl, EnumDecl, WorldDecl, PlayerDecl, UseDecl, IncludeDecl, ResourceDecl, FnDecl, StepDecl, MoveDecl,
               PlayDecl, BotDecl, MetricDecl, KeyDecl, GenerateDecl, GrammarDecl>
      node;
};

struct File {
  std::optional<Ident> game;            // absent in an included file
  std::vector<std::string> doc;
  Comments comments;
  std::vector<Decl> decls;
  std::vector<std::string> end_comments;
  Span span;
};

}  // namespace ppc::ast
