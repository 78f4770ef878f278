// Inside the checker. One class builds the model from the trees (declarations.cpp, expressions.cpp, statements.cpp,
// moves.cpp, grammars.cpp); what needs the whole model follows as analyses over it (paths.cpp, audiences.cpp, bounds.cpp).
#pragma once
#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"
#include "compiler/formats/formats.h"
#include "compiler/formats/words.h"
#include "compiler/sema/builtins.h"
#include "compiler/sema/diagnostics.h"
#include "compiler/sema/model.h"
#include "compiler/sema/names.h"
#include "compiler/sema/walk.h"
#include "runtime/abi/abi.h"

namespace ppc::sema {

constexpr TypeId kNoType = UINT32_MAX;

/// What the analyses need beside the model.
struct Facts {
  std::unordered_map<const Value*, Span> reveals;  // the value, and the whole `reveal …`
  Span play_end, play_span;
  std::vector<Span> function_ends, step_ends, bot_ends;
  std::vector<std::string> slot_owner;             // bot memory: whose
  std::set<uint32_t> notes_slots;
  std::vector<bool> slot_declared;                 // the slot's audience was written down
  uint32_t main_file = 0;
};

// ---- analyses over the finished model; they report and fill in the rest ----------------------------------------------
/// False when there is a cycle: the other analyses must not run then.
bool check_recursion(const Game&, diag::Emitter&);
/// Instances are made before there are fields or state: a generator calls no function that reads them.
void check_generator_calls(const Game&, diag::Emitter&);
void check_paths(Game&, const Facts&, diag::Emitter&);
void check_audiences(Game&, const Facts&, diag::Emitter&);
void compute_bounds(Game&, diag::Emitter&);

std::string source_text(const Sources&, Span);

// ---- the checker ----------------------------------------------------------------------------------------------------

class Checker {
 public:
  Checker(const std::vector<ast::File>& files, diag::Emitter& out, Names* names = nullptr) : files_(files), out_(out), names_(names) {}
  /// Null after an error; with names, they have the game whatever it is.
  std::unique_ptr<Game> run();

 private:
  enum class Where { Default, State, Function, Step, Move, Play, Bot, Metric, Key, Generate };
  static const char* where_text(Where);

  struct Symbol {
    enum class Kind { Experiment, Instance, Resource, State } kind;
    uint32_t index = 0;
    Span span;
    bool used = false;
  };
  struct NamedType {
    enum class Kind { Record, Enum, Move, Grammar } kind;
    TypeId type = 0;
    uint32_t index = 0;  // of the move
    Span span;
    bool used = false;
    const ast::RecordDecl* record = nullptr;
  };
  struct Grammar {
    const ast::GrammarDecl* decl = nullptr;
    TypeId type = 0;
    formats::WordProgram program;
    std::vector<const ast::Expr*> among;  // of `{word in …}`, in the order of the program's sets
    uint32_t first_function = 0;          // of those that give their words
    bool good = false;
  };
  struct Callable {
    bool step = false;
    const ast::Predicate* predicate = nullptr;  // neither step nor function
    uint32_t index = 0;
    Span span;
    bool used = false;
  };
  struct Variable {
    LocalId id = 0;
    bool ask = false;       // the value of an ask: `id` is its number
    bool changeable = false;
    bool used = false;
    bool warn = true;       // when unused
    const char* what = "variable";
    Span span;
  };
  using Scope = std::map<std::string, Variable>;

  struct Context {
    Where where = Where::Default;
    Body* body = nullptr;
    std::vector<Scope> scopes;
    TypeId result = 0;                 // Function: what `return` gives
    uint32_t move = 0, bot = 0;
    bool consequence = false;          // inside the consequence of a rule
    std::optional<LocalId> said;       // after `read`
    int rounds = 0;                    // nesting of `round`
    std::vector<bool> loops;           // true: a `repeat`
    bool in_experiment = false, in_instances = false;
    std::set<uint32_t> set_experiment, set_instance;
    bool top = false;                  // Move: a statement of the body itself
  };

  // For editors.
  void declares(Declared::Kind kind, const std::string& name, Span span, TypeId type = kNoType, uint32_t index = 0) {
    if (!names_) return;
    Declared d;
    d.kind = kind; d.name = name; d.span = span; d.index = index;
    if (type != poison_) d.type = type;
    names_->declared.push_back(std::move(d));
  }
  void uses(Span span, Span declared, bool changes = false) {
    if (names_ && span != declared) names_->uses.push_back({span, declared, changes});
  }
  void uses_own(Span span, const std::string& name, const Row* row = nullptr) {
    if (names_) names_->own.push_back({span, name, row});
  }
  void uses_member(Span span, TypeId type, const std::string& name, bool changes = false) {
    auto at = members_.find({type, name});
    if (at != members_.end()) uses(span, at->second, changes);
    else uses_own(span, name);
  }
  void has_type(Span span, TypeId type) {
    if (names_ && type != poison_) names_->types.push_back({span, type});
  }
  void part_of_value(Span name) {
    if (names_ && !names_->declared.empty() && names_->declared.back().span == name) names_->declared.back().part = true;
  }
  void finish_names();

  // declarations.cpp
  bool check_all(size_t before);
  void collect();
  void declare_types();
  void declare_values();
  void declare_callables();
  void check_defaults();
  void check_functions();
  void check_steps();
  void check_play();
  void check_bots();
  void check_metrics();
  void check_keys();
  void resource_path(const ast::Expr& path, const ast::TypeExpr& written, Field& resource);
  void check_generate();
  void check_nesting();
  void declare_grammar(const ast::GrammarDecl&);
  void check_grammars();
  void warn_unused();
  void finish_notes();
  Audience audience(const ast::Audience&);
  uint32_t player(const ast::Ident&, bool use = true);  // UINT32_MAX: unknown, reported
  std::optional<std::string> fold_json(const Value&);
  TypeId type(const ast::TypeExpr&, Field* field = nullptr);
  bool constant_int(const ast::Expr&, int64_t& value);
  TypeId named_type(const std::string& name, Span);
  uint32_t notes_slot(const std::string& key);

  // expressions.cpp
  Build build(Span span) { return Build{game_->types, *ctx_->body, span, &facts_.reveals}; }
  ValuePtr expr(const ast::Expr&, TypeId want = kNoType);
  ValuePtr untracked(const ast::Expr&, TypeId want);
  ValuePtr typed(const ast::Expr&, TypeId want);
  ValuePtr condition(const ast::Expr&);
  ValuePtr text_of(const ast::Expr&);
  ValuePtr number(const ast::Expr&);  // a float
  ValuePtr coerce(ValuePtr, TypeId want, Span);
  ValuePtr poison(Span);
  bool bad(const Value& v) const { return v.type == poison_; }
  bool unify(ValuePtr& a, ValuePtr& b);
  bool ordered(TypeId);
  ValuePtr name(const std::string& name, Span);
  ValuePtr unknown(const std::string& name, Span);
  ValuePtr member(const ast::Expr& whole, const ast::Expr& object, const ast::Ident& field);
  ValuePtr call(const ast::Expr& whole, const ast::Call&, TypeId want);
  ValuePtr method(Span, ValuePtr receiver, const ast::Ident& name, const std::vector<ast::Arg>& args);
  ValuePtr builtin_function(Span, const ast::Ident& name, const std::vector<ast::Arg>& args, TypeId want);
  ValuePtr decoded(Span, const ast::Call&, TypeId want);
  bool decodable(TypeId);
  const Grammar* grammar(TypeId) const;
  ValuePtr parsed(Span, ValuePtr text, TypeId want);
  ValuePtr apply(const Row&, Span, std::vector<ValuePtr>, TypeId result);
  ValuePtr fill(Span, ValuePtr receiver, const std::vector<ast::Arg>& args);
  ValuePtr binary(const ast::Expr&, const ast::Binary&, TypeId want);
  ValuePtr equals(Span, ValuePtr, ValuePtr);
  ValuePtr text_literal(const ast::Expr&, const ast::TextLit&);
  ValuePtr match(const ast::Expr&, const ast::MatchExpr&, TypeId want);
  ValuePtr comprehension(const ast::Expr&, const ast::Comprehension&, TypeId want);
  ValuePtr record(const ast::Expr&, const ast::RecordLit&);
  ValuePtr ask_value(uint32_t ask, Span);
  ValuePtr ask_field(uint32_t ask, const ast::Ident& field, bool* found);
  /// Opens the walk's names in the current scope; those of a fact are `fact_fits`'s.
  Walk walk(const ast::Names&, const ast::Expr& source);
  Walk walk_where(const ast::Names&, const ast::Expr& source, const ast::Expr* condition);
  /// Whether the fact in `from` has the form that `names` says; its new names stand for what is in their places, also in `condition`,
  /// which has to hold besides (null: nothing). `otherwise`: what a fact of another form gives.
  ValuePtr fact_fits(LocalId from, const ast::Names& names, const ast::Expr* condition, bool otherwise);
  ValuePtr fact(Span, const ast::Predicate&, const std::vector<ast::Arg>& terms);
  LocalId declare(const ast::Ident&, TypeId, bool changeable, const char* what, bool warn);
  bool shadows(const std::string& name, Span);
  Variable* find(const std::string& name);
  void push() { ctx_->scopes.emplace_back(); }
  void pop();
  std::vector<std::string> visible_names();
  ValuePtr ambient(const std::string& name, Span);

  // copies
  enum class Share { Fresh, Stable, Changing };
  bool has_container(TypeId);
  Share share(const Value&);
  ValuePtr own(ValuePtr);  // a copy unless it is fresh
  ValuePtr settle(ValuePtr);  // a copy when it is part of something that can change

  // statements.cpp
  void block(const ast::Block&, Statements&);
  void statements(const ast::Block&, Statements&);
  void statement(const ast::Stmt&, Statements&);
  bool allowed(const ast::Stmt&, const char* what, std::initializer_list<Where>);
  ValuePtr unless_none(const ast::Stmt&, const ast::Let&, TypeId want, Statements&);
  void let(const ast::Stmt&, const ast::Let&, Statements&);
  void assign(const ast::Stmt&, const ast::Assign&, Statements&);
  void evaluate(const ast::Stmt&, const ast::Evaluate&, Statements&);
  void step_call(Span, const ast::Ident& callee, const std::vector<ast::Arg>&, Statements&);
  void ask(const ast::Stmt&, const ast::Ask&, Statements&);
  void together(const ast::Stmt&, const ast::Together&, Statements&);
  void outcome(const ast::Stmt&, const ast::Outcome&, Statements&);
  std::optional<Place> place(const ast::Expr&, TypeId& type);
  void generate_field(const ast::Stmt&, const ast::Assign&, const std::string& name, Span, Statements&);
  void missing_fields(Span, const char* what, const std::vector<Field>&, const std::set<uint32_t>& set);
  bool changes(const Statements&, const Value& root);

  // moves.cpp
  void ensure_move(uint32_t index, Span);
  void check_move(uint32_t index);
  void read(const ast::Stmt&, const ast::Read&, Statements&);
  void format(const ast::Stmt&, const ast::Format&, Statements&);
  void name_captures(const std::vector<ast::FormatItem>&);
  void same_captures(const std::vector<ast::FormatItem>&);
  void rule(const ast::Stmt&, const ast::Check&, Statements&);
  void gives(const ast::Stmt&, const ast::Gives&, Statements&);
  void consequence(const ast::Consequence&, Span, const char* what, Statements&);
  uint32_t add_rule(uint32_t move, const std::string& kind, Span);
  /// Every move gets rules of its own of the steps that it calls: the record names a rule by its move.
  void place_rules();
  void place_rules(Statements&, std::optional<uint32_t> move, bool consequence);
  bool holds_rules(uint32_t step);
  uint32_t step_for(uint32_t step, uint32_t move);

  const std::vector<ast::File>& files_;
  diag::Emitter& out_;
  Names* names_;
  std::map<std::pair<TypeId, std::string>, Span> members_;     // fields of records, values of enums, parts of moves: where declared
  std::unique_ptr<Game> game_;
  Facts facts_;
  TypeId poison_ = 0;
  Context* ctx_ = nullptr;

  std::map<std::string, Symbol> values_;
  std::map<std::string, NamedType> types_;
  std::map<std::string, Callable> callables_;
  std::map<std::string, std::pair<uint32_t, bool>> players_;  // index, used
  std::map<std::string, Symbol> memory_;                      // of the bot being checked
  std::map<std::string, Symbol> generator_resources_;
  std::map<std::string, uint32_t> notes_;                     // key -> slot
  std::map<std::string, Span> library_;                       // names from `use`

  bool world_ = false;  // there are facts
  std::vector<Grammar> grammars_;
  std::vector<const ast::MoveDecl*> move_decls_;
  enum class MoveState : uint8_t { Todo, Busy, Done };
  std::vector<MoveState> move_states_;
  std::vector<const ast::FnDecl*> fn_decls_;
  std::vector<const ast::StepDecl*> step_decls_;
  struct PendingField { const ast::Field* field; Symbol::Kind kind; uint32_t index; };
  std::vector<PendingField> pending_fields_;
  std::set<TypeId> type_cycles_;  // reported
  const ast::PlayDecl* play_ = nullptr;
  const ast::GenerateDecl* generate_ = nullptr;
  // Reported at the end, when there are no errors: a name that is misspelt elsewhere is no second mistake.
  /// A missing declaration is one mistake, however often its name stands: true for the first time.
  bool first(const char* kind, const std::string& name) { return missing_.insert(std::string(kind) + name).second; }
  std::set<std::string> missing_;
  struct Unused { std::string what, name; Span span; };
  std::vector<Unused> unused_;
  // the move being checked
  struct MoveField { std::string name; TypeId type; std::optional<LocalId> local; Span span; };
  std::vector<MoveField> move_fields_;
  std::vector<LocalId> move_captures_;
  std::map<uint32_t, bool> rule_steps_;                                 // whether they hold rules
  std::map<std::pair<uint32_t, uint32_t>, uint32_t> steps_of_moves_;  // step, move -> that step with the move's rules
  std::vector<const std::vector<ast::FormatItem>*> move_formats_;
  std::vector<const std::vector<ast::FormatItem>*> move_aims_;
  void aim(const ast::Stmt&, const ast::Format&);
  void number_holes(const std::vector<ast::FormatItem>&, const formats::HoleProgram&);
  std::map<const std::vector<ast::FormatItem>*, uint32_t> move_holes_;  // of those with `{text in …}`: the number of the first
  struct HoleFunction { uint32_t function, move; bool aim; };
  std::map<const ast::FormatItem*, HoleFunction> hole_functions_;       // what gives the texts of a `{text in …}`
  LocalId fill_holes(const std::vector<ast::FormatItem>&, const formats::HoleProgram&, Statement& format, Statements& out);
  std::vector<const ast::FormatItem*> holes_;                           // these, as they are written
  void declare_holes();
  void check_holes();
  ValuePtr texts_among(ValuePtr, Span, TypeId want, const char* hint);  // of a list, a set or a map's keys
  void reply_language(Move&);  // of the move that is being checked, from these
};

}  // namespace ppc::sema
