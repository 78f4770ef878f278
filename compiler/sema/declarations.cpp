#include <algorithm>
#include <cmath>
#include <tuple>

#include "compiler/sema/check.h"
#include "compiler/sema/checker.h"

namespace ppc::sema {

using B = ppc::Builtin;
using Op = Value::Op;
using S = Statement::Op;

namespace {

template <class T>
const T* as(const ast::Decl& d) { return std::get_if<T>(&d.node); }

std::string joined(const std::vector<std::string>& lines) {
  std::string s;
  for (const std::string& l : lines) s += (s.empty() ? "" : "\n") + l;
  return s;
}

Span end_of(Span s) { return {s.file, s.end > s.begin ? s.end - 1 : s.end, s.end}; }

}  // namespace

std::unique_ptr<Game> check(const std::vector<ast::File>& files, diag::Emitter& out) { return Checker(files, out).run(); }

Names study(const std::vector<ast::File>& files, diag::Emitter& out) {
  Names names;
  Checker(files, out, &names).run();
  if (!names.game) names.game = std::make_unique<Game>();
  return names;
}

std::unique_ptr<Game> Checker::run() {
  size_t before = out_.errors();
  if (files_.empty() || (before && !names_)) return nullptr;  // a tree with syntax errors has holes
  game_ = std::make_unique<Game>();
  Type broken;
  broken.kind = Kind::Void;
  broken.name = "?";
  poison_ = game_->types.intern(broken);
  facts_.main_file = files_[0].span.file;
  Context context;  // for what lies in no body: its constants, the initial values of state
  context.where = Where::Default;
  context.body = &game_->init;
  context.scopes.emplace_back();
  ctx_ = &context;

  const ast::File& main = files_[0];
  game_->doc = joined(main.doc);
  if (main.game) game_->name = main.game->name;
  else out_.emit(kMissingPart, {main.span.file, main.span.begin, main.span.begin}, {"name"}).hint("the file begins with `game NAME`");

  bool good = check_all(before);
  ctx_ = nullptr;
  if (names_) {
    finish_names();
    names_->sound = good && before == 0;
    names_->game = std::move(game_);
    return nullptr;
  }
  return good ? std::move(game_) : nullptr;
}

bool Checker::check_all(size_t before) {
  collect();
  declare_types();
  declare_values();
  declare_callables();
  check_defaults();
  for (uint32_t i = 0; i < move_decls_.size(); ++i)
    if (move_states_[i] == MoveState::Todo) check_move(i);
  check_nesting();
  check_functions();
  check_grammars();
  check_holes();
  check_steps();
  check_play();
  check_bots();
  check_metrics();
  check_keys();
  check_generate();
  finish_notes();
  if (out_.errors() != before || before) return false;
  warn_unused();
  if (!check_recursion(*game_, out_)) return false;
  place_rules();
  if (out_.errors() != before) return false;
  check_generator_calls(*game_, out_);
  check_paths(*game_, facts_, out_);
  if (out_.errors() != before) return false;
  check_audiences(*game_, facts_, out_);
  compute_bounds(*game_, out_);
  return out_.errors() == before;
}

void Checker::finish_names() {
  auto place = [](Span s) { return std::tuple(s.file, s.begin, s.end); };
  auto& uses = names_->uses;
  // What is read and changed at one place counts as changed.
  std::sort(uses.begin(), uses.end(), [&](const Use& a, const Use& b) {
    return std::tuple(place(a.span), !a.changes, place(a.declared)) < std::tuple(place(b.span), !b.changes, place(b.declared));
  });
  uses.erase(std::unique(uses.begin(), uses.end(), [](const Use& a, const Use& b) { return a.span == b.span; }), uses.end());
  auto& own = names_->own;
  std::sort(own.begin(), own.end(), [&](const OwnUse& a, const OwnUse& b) { return std::pair(place(a.span), a.row) < std::pair(place(b.span), b.row); });
  own.erase(std::unique(own.begin(), own.end(), [](const OwnUse& a, const OwnUse& b) { return a.span == b.span; }), own.end());
  // The types of what is declared before they are known.
  for (Declared& d : names_->declared) {
    using K = Declared::Kind;
    TypeId type = d.type;
    if (d.kind == K::Experiment) type = game_->experiment[d.index].type;
    else if (d.kind == K::Instance) type = game_->instance[d.index].type;
    else if (d.kind == K::Resource) type = game_->resources[d.index].type;
    else if (d.kind == K::State || d.kind == K::Memory) type = game_->slots[d.index].type;
    else if (d.kind == K::Function) type = game_->functions[d.index].result;
    d.type = type == poison_ ? kNoType : type;
  }
}

// ---- names of declarations --------------------------------------------------------------------------------------------

void Checker::collect() {
  auto duplicate = [&](const ast::Ident& name, Span first) {
    out_.emit(kDuplicate, name.span, {name.name}).label(first, "first declared here");
  };
  auto value = [&](const ast::Ident& name, Symbol::Kind kind, uint32_t index) {
    auto [at, added] = values_.try_emplace(name.name, Symbol{kind, index, name.span, false});
    if (!added) duplicate(name, at->second.span);
    return added;
  };
  for (const ast::File& file : files_) {
    for (const ast::Decl& d : file.decls) {
      if (auto* p = as<ast::PlayerDecl>(d)) {
        auto at = players_.find(p->name.name);
        if (at != players_.end()) {
          duplicate(p->name, game_->players[at->second.first].span);
          continue;
        }
        players_[p->name.name] = {static_cast<uint32_t>(game_->players.size()), false};
        declares(Declared::Kind::Player, p->name.name, p->name.span, kNoType, static_cast<uint32_t>(game_->players.size()));
        game_->players.push_back({p->name.name, p->display.empty() ? p->name.name : p->display, p->scripted, p->name.span});
      }
    }
  }
  if (game_->players.size() > PPC_MAX_PLAYERS) {
    out_.emit(kTooManyPlayers, game_->players[PPC_MAX_PLAYERS].span, {std::to_string(PPC_MAX_PLAYERS), std::to_string(game_->players.size())});
    game_->players.resize(PPC_MAX_PLAYERS);
    for (auto at = players_.begin(); at != players_.end();) at = at->second.first >= PPC_MAX_PLAYERS ? players_.erase(at) : std::next(at);
  }
  if (game_->players.empty()) {
    Span at = files_[0].game ? files_[0].game->span : Span{files_[0].span.file, 0, 0};
    out_.emit(kMissingPart, at, {"players"}).hint("`player guesser` declares one");
  }
  for (const ast::File& file : files_) {
    for (const ast::Decl& d : file.decls) {
      if (auto* f = as<ast::FieldsDecl>(d)) {
        for (const ast::Field& field : f->fields) {
          Symbol::Kind kind = f->where == ast::FieldsDecl::Where::Experiment ? Symbol::Kind::Experiment
                              : f->where == ast::FieldsDecl::Where::Instance ? Symbol::Kind::Instance
                                                                             : Symbol::Kind::State;
          uint32_t index = static_cast<uint32_t>(kind == Symbol::Kind::Experiment ? game_->experiment.size()
                                                 : kind == Symbol::Kind::Instance ? game_->instance.size()
                                                                                  : game_->slots.size());
          if (!value(field.name, kind, index)) continue;
          declares(kind == Symbol::Kind::State        ? Declared::Kind::State
                   : kind == Symbol::Kind::Experiment ? Declared::Kind::Experiment
                                                      : Declared::Kind::Instance,
                   field.name.name, field.name.span, kNoType, index);
          if (kind == Symbol::Kind::State) {
            Slot slot;
            slot.name = field.name.name;
            slot.span = field.name.span;
            game_->slots.push_back(std::move(slot));
          } else {
            Field model;
            model.name = field.name.name;
            model.span = field.name.span;
            (kind == Symbol::Kind::Experiment ? game_->experiment : game_->instance).push_back(std::move(model));
          }
          pending_fields_.push_back({&field, kind, index});
        }
      } else if (auto* r = as<ast::ResourceDecl>(d)) {
        if (value(r->name, Symbol::Kind::Resource, static_cast<uint32_t>(game_->resources.size()))) {
          declares(Declared::Kind::Resource, r->name.name, r->name.span, kNoType, static_cast<uint32_t>(game_->resources.size()));
          Field model;
          model.name = r->name.name;
          model.span = r->name.span;
          model.doc = joined(d.doc);
          game_->resources.push_back(std::move(model));
        }
      } else if (auto* rec = as<ast::RecordDecl>(d)) {
        Type type;
        type.kind = Kind::Record;
        type.name = rec->name.name;
        auto at = types_.find(type.name);
        if (at != types_.end()) {
          duplicate(rec->name, at->second.span);
          continue;
        }
        NamedType n;
        n.kind = NamedType::Kind::Record;
        n.type = game_->types.intern(type);
        n.span = rec->name.span;
        n.record = rec;
        types_[rec->name.name] = n;
        declares(Declared::Kind::Record, rec->name.name, n.span, n.type);
      } else if (auto* en = as<ast::EnumDecl>(d)) {
        Type type;
        type.kind = Kind::Enum;
        type.name = en->name.name;
        auto at = types_.find(type.name);
        if (at != types_.end()) {
          duplicate(en->name, at->second.span);
          continue;
        }
        std::map<std::string, Span> names;
        std::set<std::string> spellings;
        for (auto& [name, spelling] : en->values) {
          auto [first, added] = names.try_emplace(name.name, name.span);
          if (!added) {
            duplicate(name, first->second);
            continue;
          }
          std::string written = spelling.empty() ? name.name : spelling;
          if (!spellings.insert(written).second) out_.emit(kEnumSpelling, name.span, {type.name, written});
          type.names.push_back(name.name);
          type.spellings.push_back(written);
        }
        NamedType n;
        n.kind = NamedType::Kind::Enum;
        n.type = game_->types.intern(type);
        n.span = en->name.span;
        types_[en->name.name] = n;
        declares(Declared::Kind::Enum, en->name.name, n.span, n.type);
        for (auto& [name, span] : names) {
          declares(Declared::Kind::EnumValue, name, span, n.type);
          members_[{n.type, name}] = span;
        }
      } else if (auto* mv = as<ast::MoveDecl>(d)) {
        Type type;
        type.kind = Kind::Record;
        type.name = mv->name.name;
        auto at = types_.find(type.name);
        if (at != types_.end()) {
          duplicate(mv->name, at->second.span);
          continue;
        }
        NamedType n;
        n.kind = NamedType::Kind::Move;
        n.type = game_->types.intern(type);
        n.index = static_cast<uint32_t>(game_->moves.size());
        n.span = mv->name.span;
        types_[mv->name.name] = n;
        declares(Declared::Kind::Move, mv->name.name, n.span, n.type, n.index);
        Move m;
        m.name = mv->name.name;
        m.span = mv->name.span;
        m.value_type = n.type;
        game_->moves.push_back(std::move(m));
        move_decls_.push_back(mv);
        move_states_.push_back(MoveState::Todo);
      } else if (auto* gr = as<ast::GrammarDecl>(d)) {
        Type type;
        type.kind = Kind::Record;
        type.name = gr->name.name;
        auto at = types_.find(type.name);
        if (at != types_.end()) {
          duplicate(gr->name, at->second.span);
          continue;
        }
        NamedType n;
        n.kind = NamedType::Kind::Grammar;
        n.type = game_->types.intern(type);
        n.span = gr->name.span;
        types_[gr->name.name] = n;
        declares(Declared::Kind::Grammar, gr->name.name, n.span, n.type);
      } else if (as<ast::FnDecl>(d) || as<ast::StepDecl>(d)) {
        auto* fn = as<ast::FnDecl>(d);
        const ast::Ident& name = fn ? fn->name : as<ast::StepDecl>(d)->name;
        Callable c;
        c.step = !fn;
        c.index = static_cast<uint32_t>(fn ? game_->functions.size() : game_->steps.size());
        c.span = name.span;
        auto [at, added] = callables_.try_emplace(name.name, c);
        if (!added) {
          duplicate(name, at->second.span);
          continue;
        }
        declares(fn ? Declared::Kind::Function : Declared::Kind::Step, name.name, name.span, kNoType, c.index);
        if (fn) {
          Function f;
          f.name = name.name;
          f.span = name.span;
          game_->functions.push_back(std::move(f));
          facts_.function_ends.push_back(end_of(d.span));
          fn_decls_.push_back(fn);
        } else {
          Step s;
          s.name = name.name;
          s.span = name.span;
          game_->steps.push_back(std::move(s));
          facts_.step_ends.push_back(end_of(d.span));
          step_decls_.push_back(as<ast::StepDecl>(d));
        }
      } else if (auto* world = as<ast::WorldDecl>(d)) {
        world_ = true;
        for (const ast::Predicate& p : world->predicates) {
          Callable c;
          c.predicate = &p;
          c.span = p.name.span;
          auto [at, added] = callables_.try_emplace(p.name.name, c);
          if (!added) duplicate(p.name, at->second.span);
          else declares(Declared::Kind::Predicate, p.name.name, p.name.span);
        }
      } else if (auto* use = as<ast::UseDecl>(d)) {
        if (use->library.name != "english") {
          out_.emit(kUnknownLibrary, use->library.span, {use->library.name}).hint("there is `english` (stem, lemma, stopwords)");
          continue;
        }
        for (const ast::Ident& n : use->names) {
          bool known = false;
          for (const Row& row : rows()) known |= row.library && use->library.name == row.library && n.name == row.name;
          if (known) {
            if (library_.try_emplace(n.name, n.span).second) declares(Declared::Kind::Library, n.name, n.span);
            continue;
          }
          auto report = out_.emit(kUnknownMember, n.span, {use->library.name, n.name});
          std::string near = diag::closest(n.name, {"stem", "lemma", "stopwords"});
          if (!near.empty()) report.meant(n.name, near);
        }
      } else if (auto* play = as<ast::PlayDecl>(d)) {
        if (play_) {
          out_.emit(kDuplicate, d.span, {"play"}).label(facts_.play_span, "first declared here");
          continue;
        }
        play_ = play;
        facts_.play_span = {d.span.file, d.span.begin, d.span.begin + 4};
        facts_.play_end = end_of(d.span);
      } else if (auto* generate = as<ast::GenerateDecl>(d)) {
        if (generate_) {
          out_.emit(kDuplicate, d.span, {"generate"});
          continue;
        }
        generate_ = generate;
      }
    }
  }
}

uint32_t Checker::player(const ast::Ident& who, bool use) {
  auto at = players_.find(who.name);
  if (at != players_.end()) {
    if (use) at->second.second = true;
    uses(who.span, game_->players[at->second.first].span);
    return at->second.first;
  }
  std::vector<std::string> names;
  for (auto& [n, p] : players_) names.push_back(n);
  std::string near = diag::closest(who.name, names);
  if (near.empty() && !first("player ", who.name)) return UINT32_MAX;
  auto report = out_.emit(kUnknownPlayer, who.span, {who.name});
  if (!near.empty()) report.meant(who.name, near);
  return UINT32_MAX;
}

Audience Checker::audience(const ast::Audience& a) {
  Audience all = (1u << game_->players.size()) - 1;
  if (!a.secret) return all;
  Audience mask = 0;
  for (const ast::Ident& p : a.players) {
    uint32_t who = player(p, false);
    if (who != UINT32_MAX) mask |= 1u << who;
  }
  return mask;
}

// ---- types --------------------------------------------------------------------------------------------------------------

bool Checker::constant_int(const ast::Expr& e, int64_t& value) {
  if (auto* i = std::get_if<ast::IntLit>(&e.node)) {
    value = i->value;
    return true;
  }
  if (auto* u = std::get_if<ast::Unary>(&e.node); u && u->op == ast::Unary::Op::Neg && constant_int(*u->operand, value)) {
    value = static_cast<int64_t>(0 - static_cast<uint64_t>(value));
    return true;
  }
  return false;
}

TypeId Checker::named_type(const std::string& name, Span span) {
  TypeTable& t = game_->types;
  if (name == "int") return t.int_;
  if (name == "float") return t.float_;
  if (name == "bool") return t.bool_;
  if (name == "text") return t.text_;
  if (name == "regex") return t.regex_;
  if (name == "document") return t.document_;
  if (name == "fact" && world_) return t.list(t.text_);
  auto at = types_.find(name);
  if (at != types_.end()) {
    at->second.used = true;
    uses(span, at->second.span);
    return at->second.type;
  }
  std::vector<std::string> names = {"int", "float", "bool", "text", "regex", "document", "set", "map"};
  for (auto& [n, x] : types_) names.push_back(n);
  std::string near = diag::closest(name, names);
  if (near.empty() && !first("type ", name)) return poison_;
  auto report = out_.emit(kUnknownType, span, {name});
  if (name == "string" || name == "str") near = "text";
  if (name == "list") report.hint("a list of texts is `[text]`");
  else if (name == "number" || name == "integer") report.hint("there is `int`, and `float`");
  else if (name == "fact") report.hint("`world { … }` says which facts there are");
  else if (name == "boolean") report.hint("did you mean `bool`?");
  else if (!near.empty()) report.meant(name, near);
  return poison_;
}

TypeId Checker::type(const ast::TypeExpr& e, Field* field) {
  TypeTable& t = game_->types;
  auto limit = [&](const ast::ExprPtr& x, std::optional<int64_t>* to) {
    if (!x) return;
    int64_t v = 0;
    if (!constant_int(*x, v)) out_.emit(kNotConstant, x->span).hint("a range or a maximum is written in numbers");
    else if (to) *to = v;
  };
  if ((e.low || e.high) && !field) {
    Span at = e.high ? e.high->span : e.low->span;
    if (e.low) at.begin = e.low->span.begin;
    out_.emit(kLimitPlace, at).hint("it is checked where a value is read from an instance file");
  } else if (field) {
    limit(e.low, &field->low);
    limit(e.high, &field->high);
    if (field->low && field->high && *field->low > *field->high)
      out_.emit(kOutOfRange, {e.low->span.file, e.low->span.begin, e.high->span.end}, {std::to_string(*field->low), "a range that ends with " + std::to_string(*field->high)});
    if (e.kind != ast::TypeExpr::Kind::Named && field->high && *field->high < 0)
      out_.emit(kOutOfRange, e.high->span, {std::to_string(*field->high), "0 and above"});
  }
  size_t takes = e.kind == ast::TypeExpr::Kind::Named ? 0 : e.kind == ast::TypeExpr::Kind::Map ? 2 : e.kind == ast::TypeExpr::Kind::Tuple ? e.args.size() : 1;
  if (e.args.size() != takes) {
    out_.emit(kUnknownType, e.span, {source_text(out_.sources(), e.span)}).hint("there are `[T]`, `set<T>` and `map<K, V>`");
    return poison_;
  }
  std::vector<TypeId> args;
  for (const ast::TypePtr& a : e.args) {
    args.push_back(type(*a));
    if (args.back() == poison_) return poison_;
  }
  switch (e.kind) {
    case ast::TypeExpr::Kind::Named: {
      TypeId id = named_type(e.name, e.span);
      if ((e.low || e.high) && id != t.int_ && id != poison_ && field)
        out_.emit(kLimitPlace, e.span).hint("a range belongs to `int`");
      return id;
    }
    case ast::TypeExpr::Kind::List: return t.list(args.at(0));
    case ast::TypeExpr::Kind::Set: return t.set(args.at(0));
    case ast::TypeExpr::Kind::Map: return t.map(args.at(0), args.at(1));
    case ast::TypeExpr::Kind::Optional: return t[args.at(0)].kind == Kind::Optional ? args[0] : t.optional(args[0]);
    case ast::TypeExpr::Kind::Tuple: return t.tuple(std::move(args));
  }
  return poison_;
}

void Checker::declare_types() {
  for (const ast::File& file : files_)
    for (const ast::Decl& d : file.decls)
      if (auto* g = as<ast::GrammarDecl>(d))
        if (auto at = types_.find(g->name.name); at != types_.end() && at->second.span == g->name.span) declare_grammar(*g);
  declare_holes();
  // Records: their fields, now that every name is known.
  for (const ast::File& file : files_) {
    for (const ast::Decl& d : file.decls) {
      auto* rec = as<ast::RecordDecl>(d);
      if (!rec) continue;
      auto at = types_.find(rec->name.name);
      if (at == types_.end() || at->second.record != rec) continue;
      Type full = game_->types[at->second.type];
      std::map<std::string, Span> names;
      for (const ast::Field& f : rec->fields) {
        auto [first, added] = names.try_emplace(f.name.name, f.name.span);
        if (!added) out_.emit(kDuplicate, f.name.span, {f.name.name}).label(first->second, "first declared here");
        Field limits;
        full.names.push_back(f.name.name);
        full.args.push_back(type(*f.type, &limits));
        if (!added) continue;
        declares(Declared::Kind::RecordField, f.name.name, f.name.span, full.args.back());
        members_[{at->second.type, f.name.name}] = f.name.span;
      }
      game_->types.complete(at->second.type, std::move(full));
    }
  }
}

void Checker::declare_values() {
  facts_.slot_declared.assign(game_->slots.size(), false);
  facts_.slot_owner.assign(game_->slots.size(), "");
  for (const PendingField& p : pending_fields_) {
    const ast::Field& f = *p.field;
    if (p.kind == Symbol::Kind::State) {
      Slot& slot = game_->slots[p.index];
      slot.type = type(*f.type);
      slot.audience = audience(f.audience);
      facts_.slot_declared[p.index] = f.audience.secret;
      continue;
    }
    Field& model = (p.kind == Symbol::Kind::Experiment ? game_->experiment : game_->instance)[p.index];
    model.doc = joined(f.doc);
    model.from = f.from;
    model.audience = audience(f.audience);
    model.secret = f.audience.secret;
    model.type = type(*f.type, &model);
    for (auto& [n, x] : types_)
      if (x.kind == NamedType::Kind::Move && x.type == model.type)
        out_.emit(kUnsupported, f.type->span, {"a move's value in an instance file"});
  }
  for (const ast::File& file : files_) {
    for (const ast::Decl& d : file.decls) {
      if (auto* r = as<ast::ResourceDecl>(d)) {
        auto at = values_.find(r->name.name);
        if (at == values_.end() || at->second.span != r->name.span) continue;
        Field& model = game_->resources[at->second.index];
        model.type = type(*r->type, &model);
        model.audience = audience(r->audience);
        model.secret = r->audience.secret;
        resource_path(*r->path, *r->type, model);
      } else if (auto* mv = as<ast::MoveDecl>(d)) {
        auto at = types_.find(mv->name.name);
        if (at == types_.end() || at->second.span != mv->name.span) continue;
        Move& m = game_->moves[at->second.index];
        for (const ast::Ident& p : mv->players) {
          uint32_t who = player(p, false);
          if (who == UINT32_MAX) continue;
          m.players |= 1u << who;
          if (game_->players[who].scripted)
            out_.emit(kScripted, p.span, {p.name, "is scripted: it makes no moves"}).label(game_->players[who].span, "declared `scripted`");
        }
      }
    }
  }
}

void Checker::declare_callables() {
  auto parameters = [&](Body& body, uint32_t& count, const std::vector<ast::Param>& params) {
    std::map<std::string, Span> names;
    for (const ast::Param& p : params) {
      auto [first, added] = names.try_emplace(p.name.name, p.name.span);
      if (!added) out_.emit(kDuplicate, p.name.span, {p.name.name}).label(first->second, "first declared here");
      Local l;
      l.name = p.name.name;
      l.type = type(*p.type);
      l.span = p.name.span;
      declares(Declared::Kind::Parameter, p.name.name, p.name.span, l.type);
      body.locals.push_back(std::move(l));
    }
    count = static_cast<uint32_t>(params.size());
  };
  for (size_t i = 0; i < fn_decls_.size(); ++i) {
    parameters(game_->functions[i].body, game_->functions[i].params, fn_decls_[i]->params);
    game_->functions[i].result = type(*fn_decls_[i]->result);
  }
  for (size_t i = 0; i < step_decls_.size(); ++i) parameters(game_->steps[i].body, game_->steps[i].params, step_decls_[i]->params);
}

// ---- constants ----------------------------------------------------------------------------------------------------------

namespace {

std::string json_text(const std::string& s) {
  std::string out = "\"";
  for (char c : s) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          static const char* hex = "0123456789abcdef";
          out += "\\u00";
          out += hex[static_cast<unsigned char>(c) >> 4];
          out += hex[c & 15];
        } else {
          out += c;
        }
    }
  }
  return out + "\"";
}

}  // namespace

std::optional<std::string> Checker::fold_json(const Value& v) {
  const TypeTable& t = game_->types;
  auto list = [&](const char* open, const char* close) -> std::optional<std::string> {
    std::string s = open;
    for (size_t i = 0; i < v.args.size(); ++i) {
      auto item = fold_json(*v.args[i]);
      if (!item) return std::nullopt;
      s += (i ? ", " : "") + *item;
    }
    return s + close;
  };
  switch (v.op) {
    case Op::Int:
      if (t[v.type].kind == Kind::Enum) return json_text(t[v.type].spellings[static_cast<size_t>(v.int_value)]);
      return std::to_string(v.int_value);
    case Op::Float: {
      if (std::isnan(v.float_value)) return "null";
      char buffer[40];
      snprintf(buffer, sizeof buffer, "%.17g", v.float_value);
      std::string s = buffer;
      if (s.find_first_of(".en") == std::string::npos) s += ".0";
      return s;
    }
    case Op::Bool: return v.int_value ? "true" : "false";
    case Op::Text: return json_text(v.text_value);
    case Op::None: return "null";
    case Op::MakeList: case Op::MakeSet: return list("[", "]");
    case Op::MakeRecord: {
      if (t[v.type].kind == Kind::Tuple) return list("[", "]");
      std::string s = "{";
      for (size_t i = 0; i < v.args.size(); ++i) {
        auto item = fold_json(*v.args[i]);
        if (!item) return std::nullopt;
        s += (i ? ", " : "") + json_text(t[v.type].names[i]) + ": " + *item;
      }
      return s + "}";
    }
    case Op::MakeMap: {
      bool texts = t[t[v.type].args[0]].kind == Kind::Text;
      std::string s = texts ? "{" : "[";
      for (size_t i = 0; i + 1 < v.args.size(); i += 2) {
        auto key = fold_json(*v.args[i]), value = fold_json(*v.args[i + 1]);
        if (!key || !value) return std::nullopt;
        s += i ? ", " : "";
        s += texts ? *key + ": " + *value : "[" + *key + ", " + *value + "]";
      }
      return s + (texts ? "}" : "]");
    }
    case Op::Builtin:
      if (v.builtin == B::Some) return fold_json(*v.args[0]);
      return std::nullopt;
    default: return std::nullopt;
  }
}

void Checker::check_defaults() {
  for (const PendingField& p : pending_fields_) {
    const ast::Field& f = *p.field;
    if (p.kind == Symbol::Kind::State) {
      Slot& slot = game_->slots[p.index];
      if (!f.initial) {
        out_.emit(kMissingFields, f.name.span, {"the state variable `" + f.name.name + "`", "a value to begin with"}).hint("write `= …`");
        continue;
      }
      if (slot.type == poison_) continue;
      ctx_->where = Where::State;
      ValuePtr v = own(typed(*f.initial, slot.type));
      ctx_->where = Where::Default;
      game_->slots[p.index].initial = std::move(v);
      continue;
    }
    if (!f.initial) continue;
    Field& model = (p.kind == Symbol::Kind::Experiment ? game_->experiment : game_->instance)[p.index];
    if (model.type == poison_) continue;
    ValuePtr v = typed(*f.initial, model.type);
    if (bad(*v)) continue;
    auto json = fold_json(*v);
    if (!json) {
      out_.emit(kNotConstant, f.initial->span).hint("a default is written down: numbers, texts, lists of them");
      continue;
    }
    if (v->op == Op::Int && (v->int_value < model.low.value_or(INT64_MIN) || v->int_value > model.high.value_or(INT64_MAX)))
      out_.emit(kOutOfRange, f.initial->span, {std::to_string(v->int_value), "the range of `" + f.name.name + "`"}).label(f.type->span, "the range");
    if ((v->op == Op::MakeList || v->op == Op::MakeSet) && model.high && static_cast<int64_t>(v->args.size()) > *model.high)
      out_.emit(kOutOfRange, f.initial->span, {"a default of " + std::to_string(v->args.size()) + " elements", "the maximum"}).label(f.type->span, "the maximum");
    model.initial_json = std::move(json);
  }
}

uint32_t Checker::notes_slot(const std::string& key) {
  auto at = notes_.find(key);
  if (at != notes_.end()) return at->second;
  TypeTable& t = game_->types;
  Slot slot;
  slot.name = "notes \"" + key + "\"";
  slot.type = t.list(t.text_);
  slot.initial = Build{t, game_->init, {}}.op(Op::MakeList, slot.type);
  slot.audience = 0;
  uint32_t index = static_cast<uint32_t>(game_->slots.size());
  game_->slots.push_back(std::move(slot));
  facts_.slot_declared.push_back(true);
  facts_.slot_owner.push_back("");
  facts_.notes_slots.insert(index);
  notes_[key] = index;
  return index;
}

void Checker::finish_notes() {
  auto mark = [&](Statements& list) {
    auto visit = [&](auto&& self, Statements& l) -> void {
      for (Statement& s : l) {
        if (s.op == S::Note) {
          auto at = notes_.find(s.text);
          if (at != notes_.end()) s.slot = at->second + 1;
        }
        self(self, s.body);
        self(self, s.otherwise);
      }
    };
    visit(visit, list);
  };
  mark(game_->play.statements);
  for (Step& s : game_->steps) mark(s.body.statements);
  for (Move& m : game_->moves) mark(m.body.statements);
}

// A type that contained itself would have values of any depth, which no budget bounds the recursion over.
void Checker::check_nesting() {
  TypeTable& t = game_->types;
  enum : uint8_t { New, Open, Closed };
  std::vector<uint8_t> seen(t.size(), New);
  auto visit = [&](auto&& self, TypeId id) -> void {
    seen[id] = Open;
    const Type type = t[id];
    for (TypeId a : type.args) {
      if (seen[a] == New) self(self, a);
      if (seen[a] != Open) continue;
      // Somewhere on the way round is a record: only they have a name to come back to.
      for (auto& [name, n] : types_) {
        if (n.type != a || type_cycles_.count(a)) continue;
        type_cycles_.insert(a);
        auto report = out_.emit(kContainsItself, n.span, {name});
        report.hint(n.kind == NamedType::Kind::Move ? "a `let` of the move keeps a value of this move; keep its parts"
                                                    : "number the records in a list, and keep the numbers");
      }
    }
    seen[id] = Closed;
  };
  for (auto& [name, n] : types_)
    if (seen[n.type] == New) visit(visit, n.type);
}

// ---- bodies ---------------------------------------------------------------------------------------------------------------

void Checker::check_functions() {
  for (size_t i = 0; i < fn_decls_.size(); ++i) {
    const ast::FnDecl& d = *fn_decls_[i];
    Function& f = game_->functions[i];
    Context* outer = ctx_;
    Context context;
    context.where = Where::Function;
    context.body = &f.body;
    context.result = f.result;
    ctx_ = &context;
    push();
    for (uint32_t p = 0; p < f.params; ++p) {
      const ast::Ident& ident = d.params[p].name;
      if (shadows(ident.name, ident.span)) continue;
      Variable v;
      v.id = p;
      v.what = "parameter";
      v.span = ident.span;
      v.warn = !ident.name.starts_with("_");
      ctx_->scopes.back()[ident.name] = v;
    }
    if (d.expression) {
      Statement r;
      r.op = S::Return;
      r.span = d.expression->span;
      r.value = typed(*d.expression, f.result);
      f.body.statements.push_back(std::move(r));
    } else {
      statements(d.body, f.body.statements);
    }
    pop();
    ctx_ = outer;
  }
}

void Checker::check_steps() {
  for (size_t i = 0; i < step_decls_.size(); ++i) {
    const ast::StepDecl& d = *step_decls_[i];
    Step& s = game_->steps[i];
    Context* outer = ctx_;
    Context context;
    context.where = Where::Step;
    context.body = &s.body;
    ctx_ = &context;
    push();
    for (uint32_t p = 0; p < s.params; ++p) {
      const ast::Ident& ident = d.params[p].name;
      if (shadows(ident.name, ident.span)) continue;
      Variable v;
      v.id = p;
      v.what = "parameter";
      v.span = ident.span;
      v.warn = !ident.name.starts_with("_");
      ctx_->scopes.back()[ident.name] = v;
    }
    statements(d.body, s.body.statements);
    pop();
    ctx_ = outer;
  }
}

void Checker::check_play() {
  if (!play_) {
    Span at = files_[0].game ? files_[0].game->span : Span{files_[0].span.file, 0, 0};
    out_.emit(kMissingPart, at, {"`play`"}).hint("`play { … }` says how the game goes");
    return;
  }
  Context* outer = ctx_;
  Context context;
  context.where = Where::Play;
  context.body = &game_->play;
  ctx_ = &context;
  block(play_->body, game_->play.statements);
  ctx_ = outer;
}

void Checker::check_bots() {
  std::map<std::pair<uint32_t, std::string>, Span> names;
  for (const ast::File& file : files_) {
    for (const ast::Decl& d : file.decls) {
      auto* bot = as<ast::BotDecl>(d);
      if (!bot) continue;
      Bot b;
      b.player = player(bot->player, false);
      b.name = bot->name.name;
      b.doc = joined(d.doc);
      b.span = bot->name.span;
      declares(Declared::Kind::Bot, b.name, b.span, kNoType, static_cast<uint32_t>(game_->bots.size()));
      if (b.player == UINT32_MAX && game_->players.empty()) continue;  // as whom it would be checked is not known
      if (b.player == UINT32_MAX) b.player = 0;
      else if (game_->players[b.player].scripted)
        out_.emit(kScripted, bot->player.span, {bot->player.name, "is scripted: no bot plays it"}).label(game_->players[b.player].span, "declared `scripted`");
      auto [first, added] = names.try_emplace({b.player, b.name}, bot->name.span);
      if (!added) out_.emit(kDuplicate, bot->name.span, {b.name}).label(first->second, "first declared here");
      Context* outer = ctx_;
      memory_.clear();
      for (const ast::Field& f : bot->memory) {
        if (values_.count(f.name.name)) shadows(f.name.name, f.name.span);
        auto [at, fresh] = memory_.try_emplace(f.name.name, Symbol{Symbol::Kind::State, static_cast<uint32_t>(game_->slots.size()), f.name.span, false});
        if (!fresh) {
          out_.emit(kDuplicate, f.name.span, {f.name.name}).label(at->second.span, "first declared here");
          continue;
        }
        declares(Declared::Kind::Memory, f.name.name, f.name.span, kNoType, static_cast<uint32_t>(game_->slots.size()));
        Slot slot;
        slot.name = game_->players[b.player].name + "." + b.name + "." + f.name.name;
        slot.type = type(*f.type);
        slot.audience = 1u << b.player;
        slot.span = f.name.span;
        if (f.initial && slot.type != poison_) {
          // It begins as a constant: what the bot may know it reads when it plays.
          auto hidden = std::move(memory_);
          memory_.clear();
          slot.initial = typed(*f.initial, slot.type);
          memory_ = std::move(hidden);
        } else if (!f.initial) {
          out_.emit(kMissingFields, f.name.span, {"the memory `" + f.name.name + "`", "a value to begin with"}).hint("write `= …`");
        }
        game_->slots.push_back(std::move(slot));
        facts_.slot_declared.push_back(false);
        facts_.slot_owner.push_back(b.name);
      }
      game_->bots.push_back(std::move(b));
      facts_.bot_ends.push_back(end_of(d.span));
      Context context;
      context.where = Where::Bot;
      context.bot = game_->bots.back().player;
      Body body;
      context.body = &body;
      ctx_ = &context;
      block(bot->body, body.statements);
      game_->bots.back().body = std::move(body);
      ctx_ = outer;
      for (auto& [n, s] : memory_)
        if (!s.used && !n.starts_with("_") && s.span.file == facts_.main_file) unused_.push_back({"memory", n, s.span});
      memory_.clear();
    }
  }
}

void Checker::check_metrics() {
  TypeTable& t = game_->types;
  std::map<std::pair<std::string, bool>, Span> names;
  for (const ast::File& file : files_) {
    for (const ast::Decl& d : file.decls) {
      auto* decl = as<ast::MetricDecl>(d);
      if (!decl) continue;
      if (decl->named) {
        auto [first, added] = names.try_emplace({decl->name, decl->at.has_value()}, decl->name_span);
        if (!added) out_.emit(kDuplicate, decl->name_span, {decl->name}).label(first->second, "first declared here");
      }
      Metric m;
      m.name = decl->name;
      m.span = decl->name_span;
      m.at = decl->at.has_value();
      Context* outer = ctx_;
      Context context;
      context.where = Where::Metric;
      ctx_ = &context;
      if (m.at) {
        context.body = &m.source;
        context.scopes.emplace_back();
        Statement r;
        r.op = S::Return;
        r.span = decl->source->span;
        if (auto* range = std::get_if<ast::Range>(&decl->source->node)) {
          ValuePtr low = typed(*range->low, t.int_), high = typed(*range->high, t.int_);
          r.value = bad(*low) || bad(*high) ? poison(r.span) : build(r.span).call(B::ListRange, t.list(t.int_), std::move(low), std::move(high));
        } else {
          r.value = typed(*decl->source, t.list(t.int_));
        }
        m.source.statements.push_back(std::move(r));
        context.scopes.clear();
      }
      context.body = &m.body;
      context.scopes.emplace_back();
      if (m.at) declare(*decl->at, t.int_, false, "variable", false);
      Statement r;
      r.op = S::Return;
      r.span = decl->value->span;
      if (decl->named) {
        // A number, or something else that tells of the episode.
        r.value = std::holds_alternative<ast::MapLit>(decl->value->node) ? typed(*decl->value, t.document_) : expr(*decl->value, t.float_);
        const Kind kind = t[r.value->type].kind;
        const bool tells = kind != Kind::Int && kind != Kind::Float && kind != Kind::Bool && kind != Kind::Optional && kind != Kind::Void;
        if (!bad(*r.value) && tells && !decl->condition) m.tells = r.value->type;
        else r.value = coerce(std::move(r.value), t.float_, decl->value->span);
      } else {
        // The names are computed: a map of them, to ints or floats.
        TypeId wanted = t.map(t.text_, t.float_);
        r.value = expr(*decl->value, wanted);
        if (!bad(*r.value) && r.value->type != wanted && r.value->type != t.map(t.text_, t.int_)) {
          out_.emit(kTypeMismatch, decl->value->span, {t.print(wanted), t.print(r.value->type)})
              .hint("a metric without a name is a family: a map from names to numbers");
          r.value = poison(r.span);
        }
        m.family = r.value->type;
      }
      if (decl->condition) {
        // Otherwise there is no number, or there are no names.
        ValuePtr c = condition(*decl->condition);
        if (!bad(*c) && !bad(*r.value)) {
          const Build make = build(r.span);
          const TypeId type = r.value->type;
          ValuePtr none = decl->named ? make.floating(__builtin_nan("")) : make.op(Value::Op::MakeMap, type);
          r.value = make.op(Value::Op::If, type, std::move(c), std::move(r.value), std::move(none));
        }
      }
      m.body.statements.push_back(std::move(r));
      ctx_ = outer;
      game_->metrics.push_back(std::move(m));
    }
  }
}

void Checker::check_keys() {
  std::map<std::string, Span> names;
  for (const ast::File& file : files_) {
    for (const ast::Decl& d : file.decls) {
      auto* decl = as<ast::KeyDecl>(d);
      if (!decl) continue;
      auto [first, added] = names.try_emplace(decl->name, decl->name_span);
      if (!added) out_.emit(kDuplicate, decl->name_span, {decl->name}).label(first->second, "first declared here");
      Key k;
      k.name = decl->name;
      k.span = decl->name_span;
      Context* outer = ctx_;
      Context context;
      context.where = Where::Key;
      context.body = &k.body;
      context.scopes.emplace_back();
      ctx_ = &context;
      Statement r;
      r.op = S::Return;
      r.span = decl->value->span;
      r.value = typed(*decl->value, std::holds_alternative<ast::MapLit>(decl->value->node) ? game_->types.document_ : kNoType);
      k.type = r.value->type;
      k.body.statements.push_back(std::move(r));
      ctx_ = outer;
      game_->keys.push_back(std::move(k));
    }
  }
}

void Checker::resource_path(const ast::Expr& path, const ast::TypeExpr& written, Field& resource) {
  const TypeTable& t = game_->types;
  ValuePtr v = typed(path, t.text_);
  if (bad(*v)) return;
  if (v->op != Op::Text) {
    out_.emit(kNotConstant, path.span).hint("the path of a resource is a text");
    return;
  }
  resource.path = v->text_value;
  if (resource.path.find('*') == std::string::npos || resource.type == poison_) return;
  const Type& type = t[resource.type];
  if (type.kind != Kind::Map || type.args[0] != t.text_)
    out_.emit(kTypeMismatch, written.span, {"map<text, …>", t.print(resource.type)})
        .hint("a path with `*` means several files: the map says what stands for the star in each");
}

void Checker::check_generate() {
  if (!generate_) return;
  Body body;
  Context* outer = ctx_;
  for (const ast::Stmt& s : generate_->body) {
    auto* r = std::get_if<ast::ResourceStmt>(&s.node);
    if (!r) continue;
    auto [at, fresh] = generator_resources_.try_emplace(r->name.name, Symbol{Symbol::Kind::Resource, static_cast<uint32_t>(game_->resources.size()), r->name.span, false});
    if (!fresh) {
      out_.emit(kDuplicate, r->name.span, {r->name.name}).label(at->second.span, "first declared here");
      continue;
    }
    if (auto other = values_.find(r->name.name); other != values_.end() && other->second.kind == Symbol::Kind::Resource)
      out_.emit(kDuplicate, r->name.span, {r->name.name}).label(other->second.span, "first declared here");
    declares(Declared::Kind::Resource, r->name.name, r->name.span, kNoType, static_cast<uint32_t>(game_->resources.size()));
    Field model;
    model.name = r->name.name;
    model.span = r->name.span;
    model.type = type(*r->type, &model);
    model.audience = (1u << game_->players.size()) - 1;
    model.generator_only = true;
    resource_path(*r->path, *r->type, model);
    game_->resources.push_back(std::move(model));
  }
  Context context;
  context.where = Where::Generate;
  context.body = &body;
  ctx_ = &context;
  block(generate_->body, body.statements);
  ctx_ = outer;
  game_->generate = std::move(body);
}

void Checker::warn_unused() {
  auto warn = [&](const char* what, const std::string& name, Span span) {
    if (name.starts_with("_") || span.file != facts_.main_file) return;
    unused_.push_back({what, name, span});
  };
  static const char* const kinds[] = {"the field", "the field", "the resource", "the state variable"};
  for (auto& [n, s] : values_)
    if (!s.used) warn(kinds[static_cast<int>(s.kind)], n, s.span);
  for (auto& [n, s] : generator_resources_)
    if (!s.used) warn("the resource", n, s.span);
  for (auto& [n, c] : callables_)
    if (!c.used) warn(c.predicate ? "the predicate" : c.step ? "the step" : "the function", n, c.span);
  for (auto& [n, x] : types_)
    if (!x.used) warn(x.kind == NamedType::Kind::Move ? "the move" : x.kind == NamedType::Kind::Record ? "the record" : x.kind == NamedType::Kind::Grammar ? "the grammar" : "the enum", n, x.span);
  for (auto& [n, p] : players_)
    if (!p.second) warn("the player", n, game_->players[p.first].span);
  std::sort(unused_.begin(), unused_.end(), [](const Unused& a, const Unused& b) {
    return std::pair(a.span.file, a.span.begin) < std::pair(b.span.file, b.span.begin);
  });
  for (const Unused& u : unused_) {
    auto report = out_.emit(kUnused, u.span, {u.what, u.name});
    report.hint("remove it, or let its name begin with `_`");
    // The names of fields and moves are told to others: files, records; those of parameters to calls.
    if ((!u.what.starts_with("the ") && u.what != "parameter") || u.what == "the function" || u.what == "the step")
      report.fix("write `_" + u.name + "`", {u.span.file, u.span.begin, u.span.begin}, "_");
  }
}

}  // namespace ppc::sema
