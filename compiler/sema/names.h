// What the names in a game's files mean, for editors: every declaration, every use of it, and the types of expressions.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"
#include "compiler/sema/builtins.h"
#include "compiler/sema/model.h"

namespace ppc::sema {

/// Something with a name. Known by the place of its name, which no two share.
struct Declared {
  enum class Kind {
    Player, Experiment, Instance, Resource, State, Memory, Record, RecordField, Enum, EnumValue, Predicate, Grammar, Rule, Move,
    Function, Step, Bot, Parameter, Capture, Variable, Library
  } kind = Kind::Variable;
  std::string name;
  Span span;
  TypeId type = UINT32_MAX;  // of the value, or the type itself; UINT32_MAX: none, or not known because of an error
  uint32_t index = 0;        // Player, Experiment, Instance, Resource, State, Move, Function, Step, Bot: where it is in the Game
  bool changeable = false;   // Variable: declared by `var`
  bool part = false;         // Capture, Variable: a part of its move's value, which others see
};

/// A name at `span` stands for what is declared at `declared`, a Declared::span.
struct Use {
  Span span, declared;
  bool changes = false;  // assigned to, or changed in place
};

/// A name of the language's own: a row of its table, or a word such as `said` without one.
struct OwnUse {
  Span span;
  std::string name;
  const Row* row = nullptr;
};

struct Typed { Span span; TypeId type; };

struct Names {
  std::vector<Declared> declared;
  std::vector<Use> uses;     // each place once; without the declarations themselves
  std::vector<OwnUse> own;
  std::vector<Typed> types;  // of expressions, as far as they have one; the last at a place counts
  std::unique_ptr<Game> game;  // never null; what was built of it before the first error
  bool sound = false;        // no errors: the game is whole, audiences and bounds are known
};

/// As check(), and goes on as far as it can: with trees that have holes, too.
Names study(const std::vector<ast::File>& files, diag::Emitter&);

/// What a row of the language's functions does, in a line; empty for none. Rows of one name on one kind of value share theirs.
std::string describe(const Row&);
/// The same for its other words: `said`, `rounds`, `json`, `text`, ….
std::string describe(const std::string& word);

}  // namespace ppc::sema
