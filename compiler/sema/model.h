// The checked model of a game: names resolved, types known, audiences proven, bounds computed. `sema` builds it from
// the AST, `rules` lowers it to Rule IR, `--emit=typed` prints it. Nothing in it can fail any more: what is wrong with a
// game has been reported before. Sugar is gone: methods are builtins, interpolation is Concat, steps stay calls.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/base/source.h"
#include "compiler/formats/automaton.h"
#include "compiler/formats/replies.h"
#include "compiler/base/builtin.h"

namespace ppc::sema {

// ---- types ------------------------------------------------------------------------------------------------------

using TypeId = uint32_t;
enum class Kind { Int, Float, Bool, Text, List, Set, Map, Optional, Record, Enum, Tuple, Regex, Document, Void };

struct Type {
  Kind kind = Kind::Void;
  std::vector<TypeId> args;         // List/Set/Optional: 1; Map: key, value; Record/Tuple: fields
  std::vector<std::string> names;   // Record: fields; Enum: values
  std::vector<std::string> spellings;  // Enum: as files spell them
  std::string name;                 // Record, Enum; a move's value is a record named after the move
};

/// Interned: equal types have equal ids.
class TypeTable {
 public:
  TypeTable();
  /// Records and enums are known by their name: the first one interned stays.
  TypeId intern(Type);
  /// Fills in a record that was interned before its fields were known.
  void complete(TypeId id, Type type) { types_[id] = std::move(type); }
  const Type& operator[](TypeId id) const { return types_[id]; }
  size_t size() const { return types_.size(); }
  std::string print(TypeId) const;  // as in source: [text], map<text, int>
  TypeId void_, int_, float_, bool_, text_, regex_, document_;
  TypeId list(TypeId), set(TypeId), map(TypeId, TypeId), optional(TypeId), tuple(std::vector<TypeId>);

 private:
  std::vector<Type> types_;
  std::unordered_map<std::string, TypeId> index_;
};

// ---- expressions ------------------------------------------------------------------------------------------------

using LocalId = uint32_t;  // index into the enclosing Body's locals

struct Value;
using ValuePtr = std::unique_ptr<Value>;

/// `for x in source where condition`; `source_kind` says how to walk it.
struct Walk {
  enum class Over { Range, List, Set, Map, Text } over = Over::List;  // Range: source = low, source2 = high, both included
  ValuePtr source, source2;
  std::vector<LocalId> names;        // one; Map: key and value; a tuple taken apart: its parts
  bool takes_tuple_apart = false;
  ValuePtr condition;                // null: none
};

struct Value {
  enum class Op {
    Int, Float, Bool, Text, None,   // constants: int_value, float_value, int_value, text_value
    Local,                          // local
    Slot,                           // slot: a state variable or a bot's memory
    Field,                          // where (segment), index: experiment, instance, resource
    Reply,                          // the reply as it came (only in a move); `said` after `read` is a Local
    Heard,                          // the bot's last message (only in a bot)
    Builtin,                        // builtin, args (type arguments already among them as Int constants)
    Call,                           // function, args
    Concat,                         // args: texts
    AddInt, SubInt, MulInt, NegInt, // checked
    AddFloat, SubFloat, MulFloat, NegFloat,
    IntToFloat,
    EqInt, LtInt, LeInt,            // ints, bools, enums; Ne/Gt/Ge are written with Not or swapped operands
    EqFloat, LtFloat, LeFloat,
    Not, And, Or,                   // And, Or: short circuit
    If,                             // args: condition, then, otherwise
    Bind,                           // local = args[0], then the value of args[1]: a value that an expression needs twice
    MakeList, MakeSet, MakeMap,     // args: items; MakeMap: key, value, key, value, …
    MakeRecord,                     // args: fields in order (also tuples)
    GetField,                       // args[0], index: of a record or tuple
    ListComprehension, SetComprehension, MapComprehension,  // walks, args: [value] or [key, value]
    Any, All,                       // walks[0] (without condition), args: [condition]
  } op = Op::Int;
  TypeId type = 0;
  Span span;
  int64_t int_value = 0;
  double float_value = 0;
  std::string text_value;
  LocalId local = 0;
  uint32_t slot = 0, index = 0, function = 0;
  uint32_t segment = 0;             // ppc_segment of a Field
  ppc::Builtin builtin{};
  std::vector<ValuePtr> args;
  std::vector<Walk> walks;
};

// ---- statements -------------------------------------------------------------------------------------------------

struct Statement;
using Statements = std::vector<Statement>;

/// A place that can be assigned: a local or a slot, then indices and fields into it.
struct Place {
  bool is_slot = false;
  LocalId local = 0;
  uint32_t slot = 0;
  TypeId root_type = 0;
  struct Part { enum class Kind { Index, Key, Field } kind; ValuePtr value; uint32_t field = 0; TypeId container = 0; };
  std::vector<Part> path;
};

struct Statement {
  enum class Op {
    Let,        // local = value  (copy: true when the value must not share memory with a variable that may change)
    Assign,     // place = value; what must be copied (here and in Mutate's args and a Step's) is wrapped in Builtin::Copy
    Mutate,     // place = builtin(place, args…): list.add, left.remove, set.add, …; args end with the type index where the builtin takes one
    Evaluate,   // value, for its effect (Shuffled and the like never stand alone; kept for calls)
    If,         // value, body, otherwise
    For,        // walk, body
    Repeat,     // value = how often at most, body; Break leaves it
    Break,
    Round,      // walk (an int range), body; `outermost`: it numbers the rounds of the record
    Return,     // value or null
    Ask,        // player, move, ask (the index of its locals)
    Tell, Brief, Say,  // player, value (a text); in a bot Say is its reply and ends it
    Answer,            // player, value: the game answers for a player that hears what is pending for it
    Note,       // text = key, value (a text); slot: the hidden [text] slot + 1 to which the value is also added when some
                // `notes "key"` reads it, else 0
    Reward,     // player, value
    Finish,     // outcome, value = score or null, value2 = reason or null
    Step,       // step, args: as if it stood here (rules/outline.h)
    // in a move:
    Check,      // value must be true, else `otherwise`; rule
    Format,     // the text `value` (Reply, or what `read` made of it) must have the form `format`, else `otherwise`; rule
    Gives,      // args (texts) with names: what the record keeps of the move; always there, the last statement of the body
    Retry,      // value = how often at most, value2 = message or null, otherwise = then
    Pass,       // the move ends here, not accepted; play goes on
    // in a generator:
    GenExperiment,  // value = name, body
    GenInstances,   // value = count, local = index or none, body
    GenField,       // slot: 0 experiment, 1 instance; index: field; value
  } op = Op::Let;
  Span span;
  LocalId local = 0;
  bool has_local = false;
  bool copy = false;
  bool outermost = false;
  bool leaves = false;   // If: of a `let … else`: the body must not come to its end
  uint32_t player = 0, move = 0, ask = 0, step = 0, rule = 0, format = 0, slot = 0, index = 0;
  uint32_t outcome = 0;  // ppc_outcome
  std::string text;
  Place place;
  ppc::Builtin builtin{};
  ValuePtr value, value2;
  std::vector<ValuePtr> args;
  std::vector<std::string> names;
  std::optional<Walk> walk;
  Statements body, otherwise;
};

struct Local {
  std::string name;
  TypeId type = 0;
  bool is_var = false;
  Span span;
};

/// Code with its locals. Parameters are the first locals.
struct Body {
  std::vector<Local> locals;
  Statements statements;
};

// ---- declarations -----------------------------------------------------------------------------------------------

using Audience = uint32_t;  // bit p: player p may know it; all bits of the game's players: public

struct Field {
  std::string name, doc;
  TypeId type = 0;
  std::optional<int64_t> low, high;
  std::vector<std::string> from;
  std::optional<std::string> initial_json;
  std::string path;  // resources
  bool generator_only = false;  // resources declared inside `generate`: read only to generate
  Audience audience = 0;
  bool secret = false;
  Span span;
};
struct Slot { std::string name; TypeId type = 0; ValuePtr initial; Audience audience = 0; Span span; };
struct Player { std::string name, display; bool scripted = false; Span span; };
struct Function { std::string name; uint32_t params = 0; TypeId result = 0; Body body; Span span; };
struct Step { std::string name; uint32_t params = 0; Body body; Span span; };

/// A format, compiled: the automaton decides and captures; `captures[k]` is the local of capture k (or none).
struct CompiledFormat {
  formats::Automaton automaton;
  std::vector<std::optional<LocalId>> captures;  // each of type text
  std::string form;     // human-readable, for messages and `ppc list`
};

/// A move is inlined where it is asked for: its locals are renamed into the play's.
struct Move {
  std::string name;
  uint32_t players = 0;         // bit set: who may make it
  Body body;                    // statements may hold Format, Check, Retry, Pass, Gives, Note, Let, For, Finish, Step
  std::vector<CompiledFormat> formats;
  std::vector<std::string> aim_forms;  // as a person would be shown them
  TypeId value_type = 0;        // record: said, accepted, then captures and lets (in order of declaration)
  std::vector<std::optional<LocalId>> fields;  // the local behind each field; said and accepted have none
  std::string grammar;          // GBNF of the intersection of its formats
  std::vector<formats::Replies> replies;  // those that all of these have fit its formats, and its `read` leaves them as they are; none: any text
  uint32_t aims = 0;            // so many of the last ones are those that its aims fit
  struct Hole { uint32_t function; std::string text; bool pattern = false; };  // `{text in …}` of its formats: what gives the texts, and how it is written
  std::vector<Hole> holes;
  Body hole_texts;              // returns the texts of each, [[text]]; empty where there are neither holes nor aims
  bool exact = true;            // false: nothing is known of its `read`
  Span span;
};

/// The value of one `ask`: where the play's body keeps each field of it (locals of the play's body), in the order of Move::fields.
struct AskResult { uint32_t move = 0; std::vector<LocalId> locals; };

constexpr uint32_t kNoRule = UINT32_MAX;  // of a rule in a step as it is written; moves call copies whose rules are their own
struct Rule { uint32_t move = 0; std::string kind, text; Span span; };  // kind: format, expect, forbid
struct Bot { uint32_t player = 0; std::string name, doc; Body body; Span span; };  // memory lies in slots; ends in Say
struct Metric { std::string name; Body body; bool at = false; Body source; Span span; TypeId family = UINT32_MAX, tells = UINT32_MAX; };  // body: Return value (float, the family's map, or what `tells` is the type of); `at`: parameter 0 is t, source returns [int]
struct Key { std::string name; TypeId type = 0; Body body; Span span; };
/// player == players.size(): a reveal whose value is kept; whoever is told something made of it learns it.
struct Disclosure { Span span; std::string text; uint32_t player = 0; bool bot = false; bool conditional = false; };
struct Bounds { std::vector<int64_t> moves; int64_t total = 0, rounds = 0; };

struct Game {
  std::string name, doc;
  TypeTable types;
  std::vector<Field> experiment, instance, resources;
  std::vector<Player> players;
  std::vector<Slot> slots;
  Body init;                        // the locals that the slots' initial values use; no statements
  std::vector<Function> functions;
  std::vector<Step> steps;
  std::vector<Move> moves;
  std::vector<Rule> rules;
  std::vector<AskResult> asks;
  Body play;
  std::vector<Bot> bots;
  std::vector<Metric> metrics;
  std::vector<Key> keys;
  std::optional<Body> generate;
  std::vector<Disclosure> disclosures;
  Bounds bounds;
};

}  // namespace ppc::sema
