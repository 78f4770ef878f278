#include <algorithm>

#include "compiler/sema/checker.h"
#include "runtime/text/regex.h"

namespace ppc::sema {

using B = ppc::Builtin;
using Op = Value::Op;

namespace {

template <class T>
const T* as(const ast::Expr& e) { return std::get_if<T>(&e.node); }

/// Says nothing about its own type: what it stands beside must.
bool is_bare(const ast::Expr& e) {
  if (as<ast::NoneLit>(e)) return true;
  if (auto* l = as<ast::ListLit>(e)) return l->items.empty();
  if (auto* s = as<ast::SetLit>(e)) return s->items.empty();
  if (auto* m = as<ast::MapLit>(e)) return m->entries.empty();
  return false;
}

std::string count_text(size_t n, const char* what) {
  return (n == 0 ? std::string("no") : std::to_string(n)) + " " + what + (n == 1 ? "" : "s");
}

}  // namespace

std::string source_text(const Sources& sources, Span span) {
  if (span.file >= sources.size()) return "";
  std::string_view text = sources[span.file].text();
  if (span.begin >= text.size() || span.end <= span.begin) return "";
  return std::string(text.substr(span.begin, span.end - span.begin));
}

// ---- conversions --------------------------------------------------------------------------------------------------

ValuePtr Checker::poison(Span span) {
  ValuePtr v = build(span).integer(0);
  v->type = poison_;
  return v;
}

ValuePtr Checker::coerce(ValuePtr v, TypeId want, Span span) {
  TypeTable& t = game_->types;
  if (v->type == want || bad(*v) || want == poison_ || want == kNoType) return v;
  if (want == t.float_ && v->type == t.int_) return build(span).to_float(std::move(v));
  if (want == t.text_ && v->type == t.document_) return build(span).to_text(std::move(v));
  if (want == t.document_ && t[v->type].kind != Kind::Void) {
    Build b = build(span);
    ValuePtr type = b.type_index(v->type);
    return b.call(B::JsonText, want, std::move(v), std::move(type));
  }
  if (t[want].kind == Kind::Optional) {
    if (v->op == Op::None) {
      v->type = want;
      return v;
    }
    TypeId inner = t[want].args[0];
    if (v->type == inner || (inner == t.float_ && v->type == t.int_)) {
      v = coerce(std::move(v), inner, span);
      return build(span).call(B::Some, want, std::move(v));
    }
  }
  auto report = out_.emit(kTypeMismatch, span, {t.print(want), t.print(v->type)});
  if (want == t.text_ && (v->type == t.int_ || v->type == t.float_ || v->type == t.bool_)) {
    report.hint("write it into a text: \"{" + source_text(out_.sources(), span) + "}\"");
  } else if (want == t.int_ && v->type == t.float_) {
    report.hint("`div` divides to an `int`; `round(…)`, `floor(…)` and `int(…)` make one of a `float`");
  } else if ((want == t.int_ || want == t.float_) && v->type == t.bool_) {
    report.hint("`int(…)` makes 1 of `true` and 0 of `false`");
  } else if (want == t.int_ && v->type == t.text_) {
    report.hint("`int(…)` reads a number from a text");
  } else if (t[v->type].kind == Kind::Optional && t[v->type].args[0] == want) {
    report.hint("it may be `none`: `.or(…)` says what to take then, `.value` takes it for given");
  } else if (t[want].kind == Kind::Set && t[v->type].kind == Kind::List) {
    report.hint("`set(…)` makes a set of a list");
  } else if (t[want].kind == Kind::List && t[v->type].kind == Kind::Set) {
    report.hint("`list(…)` makes a list of a set");
  }
  return poison(span);
}

bool Checker::unify(ValuePtr& a, ValuePtr& b) {
  TypeTable& t = game_->types;
  if (a->type == b->type || bad(*a) || bad(*b)) return true;
  auto numeric = [&](TypeId x) { return x == t.int_ || x == t.float_; };
  if (numeric(a->type) && numeric(b->type)) {
    a = build(a->span).to_float(std::move(a));
    b = build(b->span).to_float(std::move(b));
    return true;
  }
  auto lift = [&](ValuePtr& optional, ValuePtr& plain) {
    TypeId want = optional->type;
    if (optional->op == Op::None && t[want].kind == Kind::Void)
      want = t[plain->type].kind == Kind::Optional ? plain->type : t.optional(plain->type);
    if (t[want].kind != Kind::Optional) return false;
    if (plain->type != want && plain->type != t[want].args[0]) return false;
    const Span left = optional->span, right = plain->span;
    optional = coerce(std::move(optional), want, left);
    plain = coerce(std::move(plain), want, right);
    return true;
  };
  return lift(a, b) || lift(b, a);
}

ValuePtr Checker::typed(const ast::Expr& e, TypeId want) {
  ValuePtr v = coerce(expr(e, want), want, e.span);
  if (v->op == Op::None && game_->types[v->type].kind == Kind::Void && !bad(*v)) {
    out_.emit(kTypeNotKnown, e.span, {"none"}).hint("write the type: `var x: text? = none`");
    return poison(e.span);
  }
  return v;
}

ValuePtr Checker::condition(const ast::Expr& e) {
  TypeTable& t = game_->types;
  ValuePtr v = expr(e, t.bool_);
  if (bad(*v) || v->type == t.bool_) return v;
  auto report = out_.emit(kTypeMismatch, e.span, {"bool", t.print(v->type)});
  switch (t[v->type].kind) {
    case Kind::List: case Kind::Set: case Kind::Map: case Kind::Text:
      report.hint("`not x.is_empty` asks whether something is in it");
      break;
    case Kind::Int: report.hint("`x != 0` asks whether it is something else than 0"); break;
    case Kind::Optional: report.hint("`x is not none` asks whether there is a value"); break;
    default: break;
  }
  return poison(e.span);
}

ValuePtr Checker::text_of(const ast::Expr& e) {
  ValuePtr v = typed(e, kNoType);
  if (bad(*v)) return v;
  return build(e.span).to_text(std::move(v));
}

ValuePtr Checker::number(const ast::Expr& e) { return typed(e, game_->types.float_); }

// ---- names --------------------------------------------------------------------------------------------------------

Checker::Variable* Checker::find(const std::string& name) {
  for (size_t i = ctx_->scopes.size(); i-- > 0;) {
    auto at = ctx_->scopes[i].find(name);
    if (at != ctx_->scopes[i].end()) return &at->second;
  }
  return nullptr;
}

bool Checker::shadows(const std::string& name, Span span) {
  Span other;
  const char* what = nullptr;
  if (Variable* v = find(name)) {
    other = v->span;
    what = v->what;
  } else if (auto m = memory_.find(name); m != memory_.end()) {
    other = m->second.span;
    what = "memory of the bot";
  } else if (auto r = generator_resources_.find(name); ctx_->where == Where::Generate && r != generator_resources_.end()) {
    other = r->second.span;
    what = "resource";
  } else if (auto s = values_.find(name); s != values_.end()) {
    static const char* const kinds[] = {"field of the experiment", "field of the instance", "resource", "state variable"};
    other = s->second.span;
    what = kinds[static_cast<int>(s->second.kind)];
  }
  if (!what) return false;
  out_.emit(kShadowing, span, {name}).label(other, std::string("the ") + what + " of this name").hint("choose another name");
  return true;
}

LocalId Checker::declare(const ast::Ident& ident, TypeId type, bool changeable, const char* what, bool warn) {
  bool nameless = ident.name == "_";
  bool taken = nameless || shadows(ident.name, ident.span);
  Build b = build(ident.span);
  LocalId id = b.new_local(ident.name, type);
  ctx_->body->locals[id].is_var = changeable;
  if (!nameless && (!taken || !find(ident.name))) {
    Variable v;
    v.id = id;
    v.changeable = changeable;
    v.warn = warn && !ident.name.starts_with("_");
    v.what = what;
    v.span = ident.span;
    v.used = taken;
    ctx_->scopes.back()[ident.name] = v;
    declares(what == std::string("capture") ? Declared::Kind::Capture : Declared::Kind::Variable, ident.name, ident.span, type);
    if (names_) names_->declared.back().changeable = changeable;
  }
  return id;
}

void Checker::pop() {
  for (auto& [name, v] : ctx_->scopes.back())
    if (!v.used && v.warn && v.span.file == facts_.main_file)
      unused_.push_back({v.what, name, v.span});
  ctx_->scopes.pop_back();
}

std::vector<std::string> Checker::visible_names() {
  std::vector<std::string> names;
  for (const Scope& s : ctx_->scopes)
    for (auto& [n, v] : s) names.push_back(n);
  for (auto& [n, v] : memory_) names.push_back(n);
  if (ctx_->where == Where::Generate)
    for (auto& [n, v] : generator_resources_) names.push_back(n);
  else
    for (auto& [n, v] : values_) names.push_back(n);
  if (ctx_->where == Where::Move) names.push_back("said");
  if (ctx_->where == Where::Bot) names.push_back("heard");
  if (library_.count("stopwords")) names.push_back("stopwords");
  if (ctx_->where == Where::Metric || ctx_->where == Where::Key)
    for (const char* n : {"rounds", "requests", "requests_parsed", "requests_violated", "won", "lost", "aborted", "score"})
      names.push_back(n);
  return names;
}

ValuePtr Checker::ambient(const std::string& name, Span span) {
  TypeTable& t = game_->types;
  Build b = build(span);
  auto is = [&](int64_t outcome) {
    return b.op(Op::EqInt, t.bool_, b.call(B::GetOutcome, t.int_), b.integer(outcome));
  };
  ValuePtr v;
  if (name == "rounds") v = b.call(B::GetRounds, t.int_);
  else if (name == "requests") v = b.call(B::GetRequests, t.int_);
  else if (name == "requests_parsed") v = b.call(B::GetParsed, t.int_);
  else if (name == "requests_violated") v = b.call(B::GetViolated, t.int_);
  else if (name == "won") v = is(PPC_WON);
  else if (name == "lost") v = is(PPC_LOST);
  else if (name == "aborted") v = is(PPC_ABORTED);
  else if (name == "score") v = b.call(B::GetScore, t.float_);
  else return nullptr;
  uses_own(span, name);
  if (ctx_->where != Where::Metric && ctx_->where != Where::Key && ctx_->where != Where::Function) {
    out_.emit(kNotHere, span, {name, where_text(ctx_->where)}).hint("metrics, keys and functions know it");
    return poison(span);
  }
  return v;
}

ValuePtr Checker::unknown(const std::string& name, Span span) {
  for (const Row& row : rows()) {
    if (row.form == Row::Form::Function && row.library && name == row.name) {
      auto report = out_.emit(kMissingUse, span, {name});
      report.hint(std::string("write `use ") + row.library + " (" + name + ")`");
      if (files_[0].game) {
        Span behind = files_[0].game->span;
        behind.begin = behind.end;
        report.fix(std::string("add `use ") + row.library + " (" + name + ")`", behind, std::string("\nuse ") + row.library + " (" + name + ")");
      }
      return poison(span);
    }
  }
  std::string near = diag::closest(name, visible_names());
  if (near.empty() && !first("name ", name)) return poison(span);
  auto report = out_.emit(kUnknownName, span, {name});
  if (auto c = callables_.find(name); c != callables_.end()) {
    report.label(c->second.span, c->second.step ? "a step of this name" : c->second.predicate ? "a predicate of this name" : "a function of this name");
    if (c->second.predicate) report.hint("`" + name + "(…)` is a fact");
    else if (!c->second.step) report.hint("call it: `" + name + "(…)`");
  } else if (auto t = types_.find(name); t != types_.end()) {
    report.label(t->second.span, t->second.kind == NamedType::Kind::Move     ? "a move of this name"
                                 : t->second.kind == NamedType::Kind::Record ? "a record of this name"
                                 : t->second.kind == NamedType::Kind::Grammar ? "a grammar of this name"
                                                                             : "an enum of this name");
    if (t->second.kind == NamedType::Kind::Move) report.hint("the value of a move is what `let x = ask P for " + name + "` gives");
  } else if (players_.count(name)) {
    report.hint("`" + name + "` is a player; a player is no value");
  } else if (!near.empty()) {
    report.meant(name, near);
  }
  return poison(span);
}

ValuePtr Checker::name(const std::string& n, Span span) {
  TypeTable& t = game_->types;
  Build b = build(span);
  if (Variable* v = find(n)) {
    v->used = true;
    uses(span, v->span);
    if (v->ask) return ask_value(v->id, span);
    return b.local(v->id);
  }
  if (auto m = memory_.find(n); m != memory_.end()) {
    m->second.used = true;
    uses(span, m->second.span);
    ValuePtr v = b.op(Op::Slot, game_->slots[m->second.index].type);
    v->slot = m->second.index;
    return v;
  }
  if (ctx_->where == Where::Generate) {
    if (auto r = generator_resources_.find(n); r != generator_resources_.end()) {
      r->second.used = true;
      uses(span, r->second.span);
      ValuePtr v = b.op(Op::Field, game_->resources[r->second.index].type);
      v->segment = PPC_RESOURCE;
      v->index = r->second.index;
      return v;
    }
  }
  if (auto s = values_.find(n); s != values_.end()) {
    s->second.used = true;
    uses(span, s->second.span);
    bool resource = s->second.kind == Symbol::Kind::Resource;
    if (ctx_->where == Where::Default || (ctx_->where == Where::Generate && !resource) ||
        (ctx_->where == Where::State && s->second.kind == Symbol::Kind::State)) {
      auto report = out_.emit(kNotHere, span, {n, where_text(ctx_->where)}).label(s->second.span, "declared here");
      if (ctx_->where == Where::Generate) report.hint("fields have no value yet while instances are made; use `let`");
      return poison(span);
    }
    ValuePtr v;
    switch (s->second.kind) {
      case Symbol::Kind::State:
        v = b.op(Op::Slot, game_->slots[s->second.index].type);
        v->slot = s->second.index;
        return v;
      case Symbol::Kind::Experiment:
        v = b.op(Op::Field, game_->experiment[s->second.index].type);
        v->segment = PPC_EXPERIMENT;
        break;
      case Symbol::Kind::Instance:
        v = b.op(Op::Field, game_->instance[s->second.index].type);
        v->segment = PPC_INSTANCE;
        break;
      case Symbol::Kind::Resource:
        v = b.op(Op::Field, game_->resources[s->second.index].type);
        v->segment = PPC_RESOURCE;
        break;
    }
    v->index = s->second.index;
    return v;
  }
  if (n == "said" || n == "heard") {
    uses_own(span, n);
    bool reply = n == "said";
    if (ctx_->where != (reply ? Where::Move : Where::Bot)) {
      out_.emit(kNotHere, span, {n, where_text(ctx_->where)})
          .hint(reply ? "a move's rules know it; elsewhere `x.said` is the reply of `let x = ask …`" : "bots know it");
      return poison(span);
    }
    if (reply && ctx_->said) return b.local(*ctx_->said);
    return b.op(reply ? Op::Reply : Op::Heard, t.text_);
  }
  if (auto l = library_.find("stopwords"); n == "stopwords" && l != library_.end()) {
    uses(span, l->second);
    return b.call(B::Stopwords, t.set(t.text_));
  }
  if (ValuePtr v = ambient(n, span)) return v;
  return unknown(n, span);
}

ValuePtr Checker::ask_value(uint32_t ask, Span span) {
  const AskResult& result = game_->asks[ask];
  Build b = build(span);
  ValuePtr v = b.op(Op::MakeRecord, game_->moves[result.move].value_type);
  for (LocalId id : result.locals) v->args.push_back(b.local(id));
  return v;
}

ValuePtr Checker::ask_field(uint32_t ask, const ast::Ident& field, bool* found) {
  const AskResult& result = game_->asks[ask];
  const Type& type = game_->types[game_->moves[result.move].value_type];
  *found = false;
  for (size_t i = 0; i < type.names.size(); ++i) {
    if (type.names[i] != field.name) continue;
    *found = true;
    uses_member(field.span, game_->moves[result.move].value_type, field.name);
    return build(field.span).local(result.locals[i]);
  }
  return nullptr;
}

// ---- members and calls ----------------------------------------------------------------------------------------------

ValuePtr Checker::member(const ast::Expr& whole, const ast::Expr& object, const ast::Ident& field) {
  TypeTable& t = game_->types;
  if (auto* n = as<ast::Name>(object)) {
    Variable* v = find(n->name);
    if (v && v->ask) {
      v->used = true;
      uses(n->span, v->span);
      has_type(object.span, game_->moves[game_->asks[v->id].move].value_type);
      bool found = false;
      ValuePtr value = ask_field(v->id, field, &found);
      if (found) {
        value->span = whole.span;
        return value;
      }
      const Type& type = t[game_->moves[game_->asks[v->id].move].value_type];
      auto report = out_.emit(kUnknownMember, field.span, {type.name, field.name});
      report.label(game_->moves[game_->asks[v->id].move].span, "the move is declared here");
      std::string near = diag::closest(field.name, type.names);
      if (!near.empty()) report.meant(field.name, near);
      else report.hint("its value has the captures and the outermost `let`s of the move, `said` and `accepted`");
      return poison(whole.span);
    }
    auto e = types_.find(n->name);
    if (!v && !memory_.count(n->name) && !values_.count(n->name) && e != types_.end() && e->second.kind == NamedType::Kind::Enum) {
      e->second.used = true;
      uses(n->span, e->second.span);
      const Type& type = t[e->second.type];
      for (size_t i = 0; i < type.names.size(); ++i) {
        if (type.names[i] != field.name) continue;
        uses_member(field.span, e->second.type, field.name);
        ValuePtr value = build(whole.span).integer(static_cast<int64_t>(i));
        value->type = e->second.type;
        return value;
      }
      auto report = out_.emit(kUnknownMember, field.span, {n->name, field.name}).label(e->second.span, "the enum is declared here");
      std::string near = diag::closest(field.name, type.names);
      if (!near.empty()) report.meant(field.name, near);
      return poison(whole.span);
    }
  }
  ValuePtr receiver = expr(object);
  if (bad(*receiver)) return receiver;
  return method(whole.span, std::move(receiver), field, {});
}

ValuePtr Checker::apply(const Row& row, Span span, std::vector<ValuePtr> args, TypeId result) {
  Build b = build(span);
  if (row.lower) return row.lower(b, result, std::move(args));
  ValuePtr v = b.op(Op::Builtin, result);
  v->builtin = row.builtin;
  TypeId receiver = args.empty() ? 0 : args[0]->type;
  for (const char* p = row.arguments; *p; ++p) {
    if (*p == 'L') v->args.push_back(b.type_index(receiver));
    else if (*p == 'R') v->args.push_back(b.type_index(result));
    else v->args.push_back(std::move(args[static_cast<size_t>(*p - '0')]));
  }
  return v;
}

ValuePtr Checker::fill(Span span, ValuePtr receiver, const std::vector<ast::Arg>& args) {
  TypeTable& t = game_->types;
  for (const ast::Arg& a : args) {
    ValuePtr key;
    if (a.key) key = typed(*a.key, t.text_);
    ValuePtr value = text_of(*a.value);
    if (!a.key) {
      out_.emit(kArguments, a.value->span, {"fill", "pairs such as `\"$N$\" = n`", "a value alone"});
      return poison(span);
    }
    if (bad(*key) || bad(*value)) return poison(span);
    receiver = build(span).call(B::TextReplace, t.text_, std::move(receiver), std::move(key), std::move(value));
  }
  return receiver;
}

ValuePtr Checker::method(Span span, ValuePtr receiver, const ast::Ident& name, const std::vector<ast::Arg>& args) {
  TypeTable& t = game_->types;
  TypeId type = receiver->type;
  if (type == t.text_ && name.name == "fill") uses_own(name.span, name.name);
  if (type == t.text_ && name.name == "fill") return fill(span, std::move(receiver), args);
  std::vector<std::string> candidates;
  if (t[type].kind == Kind::Record) {
    auto at = types_.find(t[type].name);
    if (at != types_.end() && at->second.kind == NamedType::Kind::Move) {
      ensure_move(at->second.index, span);
      if (move_states_[at->second.index] != MoveState::Done) return poison(span);
    }
    const Type& record = t[type];
    for (size_t i = 0; i < record.names.size(); ++i) {
      candidates.push_back(record.names[i]);
      if (record.names[i] != name.name || !args.empty()) continue;
      TypeId field_type = record.args[i];
      uses_member(name.span, type, name.name);
      ValuePtr v = build(span).op(Op::GetField, field_type, std::move(receiver));
      v->index = static_cast<uint32_t>(i);
      return v;
    }
  }
  // A name may stand for several: they differ in the number of arguments, or in the types of those.
  std::vector<std::pair<const Row*, Bindings>> found;
  const Row* change = nullptr;
  for (const Row& row : rows()) {
    if (row.form == Row::Form::Function) continue;
    Bindings b;
    if (!matches(t, row.params[0], type, b)) continue;
    if (row.form == Row::Form::Method) candidates.push_back(row.name);
    if (name.name != row.name) continue;
    if (row.form == Row::Form::Change) {
      change = &row;
      continue;
    }
    found.emplace_back(&row, b);
  }
  if (found.empty()) {
    if (change) {
      out_.emit(kStatementPlace, name.span, {name.name, "an expression"})
          .hint("it changes a variable and gives no value: write it as a statement of its own");
      return poison(span);
    }
    for (const ast::Arg& a : args)
      if (a.value) expr(*a.value);
    auto report = out_.emit(kUnknownMember, name.span, {t.print(type), name.name});
    std::string near = diag::closest(name.name, candidates);
    if (!near.empty()) report.meant(name.name, near);
    else if (auto c = callables_.find(name.name); c != callables_.end() && !c->second.step)
      report.hint("it is a function: `" + name.name + "(x)`");
    return poison(span);
  }
  uses_own(name.span, name.name, found[0].first);
  std::string forms;
  for (const auto& [row, b] : found) forms += (forms.empty() ? "`" : ", `") + signature(*row) + "`";
  const size_t takes = found[0].first->params.size() - 1;
  std::erase_if(found, [&](const auto& f) { return f.first->params.size() != args.size() + 1; });
  if (found.empty()) {
    out_.emit(kArguments, span, {name.name, count_text(takes, "argument"), std::to_string(args.size())}).hint("it is " + forms);
    return poison(span);
  }
  std::vector<ValuePtr> values;
  values.push_back(std::move(receiver));
  bool broken = false;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].name || args[i].key) {
      out_.emit(kArguments, args[i].value->span, {name.name, "arguments without names", "a named one"});
      return poison(span);
    }
    if (found.size() == 1) {
      values.push_back(typed(*args[i].value, instantiate(t, found[0].first->params[i + 1], found[0].second)));
    } else {
      values.push_back(expr(*args[i].value));
      std::vector<std::pair<const Row*, Bindings>> fitting;
      for (auto& [row, b] : found)
        if (matches(t, row->params[i + 1], values.back()->type, b)) fitting.emplace_back(row, b);
      if (!fitting.empty()) {
        found = std::move(fitting);
      } else {
        const TypeId wanted = instantiate(t, found[0].first->params[i + 1], found[0].second);
        values.back() = coerce(std::move(values.back()), wanted, args[i].value->span);
      }
    }
    broken |= bad(*values.back());
  }
  if (broken) return poison(span);
  const auto& [row, bindings] = found[0];
  if (names_) names_->own.back().row = row;
  if (name.name == "sorted" && !ordered(bindings.t)) {
    out_.emit(kOperands, span, {name.name, "`" + t.print(type) + "`"}).hint("numbers, texts, enums and lists and tuples of them have an order");
    return poison(span);
  }
  return apply(*row, span, std::move(values), instantiate(t, row->result, bindings));
}

bool Checker::ordered(TypeId type) {
  const Type& t = game_->types[type];
  switch (t.kind) {
    case Kind::Int: case Kind::Float: case Kind::Bool: case Kind::Text: case Kind::Enum: return true;
    case Kind::List: case Kind::Tuple:
      for (TypeId a : t.args)
        if (!ordered(a)) return false;
      return true;
    default: return false;
  }
}

ValuePtr Checker::builtin_function(Span span, const ast::Ident& name, const std::vector<ast::Arg>& args, TypeId want) {
  TypeTable& t = game_->types;
  std::vector<const Row*> all, fitting;
  for (const Row& row : rows())
    if (row.form == Row::Form::Function && name.name == row.name) {
      all.push_back(&row);
      if (row.params.size() == args.size()) fitting.push_back(&row);
    }
  if (all.empty()) return nullptr;
  if (all[0]->library && !library_.count(name.name)) {
    unknown(name.name, name.span);
    return poison(span);
  }
  const size_t mine = names_ ? names_->own.size() : 0;
  if (auto l = library_.find(name.name); all[0]->library && l != library_.end()) uses(name.span, l->second);
  else uses_own(name.span, name.name, fitting.empty() ? all[0] : fitting[0]);
  auto chosen = [&](const Row* row) {
    if (names_ && mine < names_->own.size() && names_->own[mine].span == name.span) names_->own[mine].row = row;
  };
  if (all[0]->chance && ctx_->where != Where::Play && ctx_->where != Where::Step && ctx_->where != Where::Bot &&
      ctx_->where != Where::Generate) {
    out_.emit(kChance, name.span, {name.name, where_text(ctx_->where)}).hint("play, steps, bots and generators may");
  }
  if (fitting.empty()) {
    std::string forms;
    for (const Row* r : all) forms += (forms.empty() ? "`" : ", `") + signature(*r) + "`";
    out_.emit(kArguments, span, {name.name, count_text(all[0]->params.size(), "argument"), std::to_string(args.size())})
        .hint("it is " + forms);
    return poison(span);
  }
  std::vector<ValuePtr> values;
  Bindings hints;
  if (fitting.size() == 1 && want != kNoType) matches(t, fitting[0]->result, want, hints);
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].name || args[i].key) {
      out_.emit(kArguments, args[i].value->span, {name.name, "arguments without names", "a named one"});
      return poison(span);
    }
    // `[]` and `none` need to be told what they are; everything else says so itself.
    TypeId hint = kNoType;
    if (is_bare(*args[i].value)) {
      if (fitting.size() == 1) hint = instantiate(t, fitting[0]->params[i], hints);
      else if (i > 0) hint = values[0]->type;
    }
    values.push_back(typed(*args[i].value, hint));
    if (bad(*values.back())) {
      for (size_t k = i + 1; k < args.size(); ++k) expr(*args[k].value);
      return poison(span);
    }
  }
  if (values.size() == 2 && fitting.size() == 1 && std::string_view(fitting[0]->params[0]) == "T") unify(values[0], values[1]);
  for (const Row* row : fitting) {
    Bindings b;
    bool fits = true;
    for (size_t i = 0; i < values.size() && fits; ++i) fits = matches(t, row->params[i], values[i]->type, b);
    if (!fits) continue;
    if (std::string_view(row->name) == "min" || std::string_view(row->name) == "max") {
      TypeId e = b.t;
      if (!ordered(e)) continue;
    }
    chosen(row);
    return apply(*row, span, std::move(values), instantiate(t, row->result, b));
  }
  // Ints where floats are wanted.
  for (const Row* row : fitting) {
    bool fits = true, converts = false;
    for (size_t i = 0; i < values.size() && fits; ++i) {
      std::string_view p = row->params[i];
      Bindings none;
      bool number = (p == "float" && values[i]->type == t.int_) || (p == "[float]" && values[i]->type == t.list(t.int_));
      fits = number || matches(t, p, values[i]->type, none);
      converts |= number;
    }
    if (!fits || !converts) continue;  // what takes any T has had its chance
    chosen(row);
    for (size_t i = 0; i < values.size(); ++i) {
      std::string_view p = row->params[i];
      if (p == "float") values[i] = build(values[i]->span).to_float(std::move(values[i]));
      if (p == "[float]" && values[i]->type == t.list(t.int_)) {
        Build b = build(values[i]->span);
        LocalId id = b.new_local("", t.int_);
        ValuePtr list = b.op(Op::ListComprehension, t.list(t.float_), b.to_float(b.local(id)));
        Walk w;
        w.over = Walk::Over::List;
        w.source = std::move(values[i]);
        w.names = {id};
        list->walks.push_back(std::move(w));
        values[i] = std::move(list);
      }
    }
    return apply(*row, span, std::move(values), instantiate(t, row->result, {}));
  }
  std::string forms, found;
  for (const Row* r : fitting) forms += (forms.empty() ? "`" : ", `") + signature(*r) + "`";
  for (const ValuePtr& v : values) found += (found.empty() ? "`" : ", `") + t.print(v->type) + "`";
  out_.emit(kOperands, span, {name.name, found}).hint("it is " + forms);
  return poison(span);
}

/// `json(text)`, `literal(text)`, `parse(text)`: what they give is said by where they stand.
ValuePtr Checker::decoded(Span span, const ast::Call& c, TypeId want) {
  TypeTable& t = game_->types;
  uses_own(c.callee.span, c.callee.name);
  if (c.args.size() != 1 || c.args[0].name || c.args[0].key) {
    for (const ast::Arg& a : c.args)
      if (a.value) expr(*a.value);
    out_.emit(kArguments, span, {c.callee.name, count_text(1, "argument"), std::to_string(c.args.size())})
        .hint("it is `" + c.callee.name + "(text)`");
    return poison(span);
  }
  ValuePtr v = typed(*c.args[0].value, t.text_);
  if (bad(*v) || want == poison_) return poison(span);
  const bool by_grammar = c.callee.name == "parse";
  if (want == kNoType || t[want].kind != Kind::Optional) {
    const char* type = by_grammar ? "Order" : "[text]";
    out_.emit(kTypeNotKnown, span, {c.callee.name + "(…)"})
        .hint("say what it is read as: `let x = " + c.callee.name + "(…) as " + type + " else { … }`, or `let x: " + type + "? = " + c.callee.name + "(…)`");
    return poison(span);
  }
  if (by_grammar) return parsed(span, std::move(v), want);
  TypeId type = t[want].args[0];
  if (!decodable(type)) {
    out_.emit(kOperands, span, {c.callee.name, "`" + t.print(type) + "`"})
        .hint("numbers, `bool`, `text`, `any`, enums, and lists, sets, maps, records, tuples and optional values of them can be read");
    return poison(span);
  }
  return build(span).call(c.callee.name == "json" ? B::FromJson : B::FromLiteral, want, std::move(v), build(span).type_index(type));
}

bool Checker::decodable(TypeId type) {
  const Type& t = game_->types[type];
  if (t.kind == Kind::Regex || t.kind == Kind::Void) return false;
  if (t.kind == Kind::Record)
    if (auto at = types_.find(t.name); at != types_.end() && at->second.kind == NamedType::Kind::Move) return false;
  for (TypeId a : t.args)
    if (!decodable(a)) return false;
  return true;
}

ValuePtr Checker::call(const ast::Expr& whole, const ast::Call& c, TypeId want) {
  if (c.receiver) {
    if (c.args.empty()) return member(whole, *c.receiver, c.callee);
    ValuePtr receiver = expr(*c.receiver);
    if (bad(*receiver)) {
      for (const ast::Arg& a : c.args)
        if (a.value) expr(*a.value);
      return receiver;
    }
    return method(whole.span, std::move(receiver), c.callee, c.args);
  }
  auto at = callables_.find(c.callee.name);
  if (at != callables_.end() && at->second.predicate) {
    at->second.used = true;
    uses(c.callee.span, at->second.span);
    return fact(whole.span, *at->second.predicate, c.args);
  }
  if (at != callables_.end() && !at->second.step) {
    at->second.used = true;
    uses(c.callee.span, at->second.span);
    const Function& f = game_->functions[at->second.index];
    if (ctx_->where == Where::Default) {
      out_.emit(kNotConstant, whole.span).hint("a default is written down: numbers, texts, lists of them");
      return poison(whole.span);
    }
    if (c.args.size() != f.params) {
      out_.emit(kArguments, whole.span, {f.name, count_text(f.params, "argument"), std::to_string(c.args.size())})
          .label(f.span, "declared here");
      return poison(whole.span);
    }
    ValuePtr v = build(whole.span).op(Op::Call, f.result);
    v->function = at->second.index;
    std::vector<bool> given(f.params, false);
    std::vector<ValuePtr> values(f.params);
    for (size_t i = 0; i < c.args.size(); ++i) {
      size_t index = i;
      if (c.args[i].key) {
        out_.emit(kArguments, c.args[i].value->span, {f.name, "names of parameters in front of `=`", "a text"});
        return poison(whole.span);
      }
      if (c.args[i].name) {
        for (index = 0; index < f.params; ++index)
          if (f.body.locals[index].name == c.args[i].name->name) break;
        if (index == f.params) {
          out_.emit(kUnknownField, c.args[i].name->span, {c.args[i].name->name, "the parameters of `" + f.name + "`"})
              .label(f.span, "declared here");
          return poison(whole.span);
        }
      }
      if (c.args[i].name) uses(c.args[i].name->span, f.body.locals[index].span);
      if (given[index]) {
        out_.emit(kDuplicate, c.args[i].value->span, {f.body.locals[index].name}).hint("each argument is given once");
        return poison(whole.span);
      }
      given[index] = true;
      values[index] = typed(*c.args[i].value, f.body.locals[index].type);
    }
    v->args = std::move(values);
    return v;
  }
  if (c.callee.name == "json" || c.callee.name == "literal" || c.callee.name == "parse") return decoded(whole.span, c, want);
  if (ValuePtr v = builtin_function(whole.span, c.callee, c.args, want)) return v;
  for (const ast::Arg& a : c.args)
    if (a.value) expr(*a.value);
  if (at != callables_.end()) {
    out_.emit(kUnknownFunction, c.callee.span, {c.callee.name})
        .label(at->second.span, "a step of this name; a step is a statement and has no value");
    return poison(whole.span);
  }
  std::vector<std::string> names;
  for (auto& [n, f] : callables_)
    if (!f.step) names.push_back(n);
  for (const Row& r : rows())
    if (r.form == Row::Form::Function) names.push_back(r.name);
  std::string near = diag::closest(c.callee.name, names);
  if (near.empty() && !first("function ", c.callee.name)) return poison(whole.span);
  auto report = out_.emit(kUnknownFunction, c.callee.span, {c.callee.name});
  bool is_method = false;
  for (const Row& r : rows()) is_method |= r.form == Row::Form::Method && c.callee.name == r.name;
  if (is_method) report.hint("it is written behind a value: `x." + c.callee.name + "`");
  else if (!near.empty()) report.meant(c.callee.name, near);
  return poison(whole.span);
}

// ---- operators ------------------------------------------------------------------------------------------------------

ValuePtr Checker::equals(Span span, ValuePtr a, ValuePtr b) {
  TypeTable& t = game_->types;
  Build m = build(span);
  TypeId type = a->type;
  switch (t[type].kind) {
    case Kind::Int: case Kind::Bool: case Kind::Enum: return m.op(Op::EqInt, t.bool_, std::move(a), std::move(b));
    case Kind::Float: return m.op(Op::EqFloat, t.bool_, std::move(a), std::move(b));
    case Kind::Text: return m.call(B::TextEq, t.bool_, std::move(a), std::move(b));
    default: return m.call(B::Equal, t.bool_, std::move(a), std::move(b), m.type_index(type));
  }
}

namespace {
const char* spelling(ast::Binary::Op op) {
  using O = ast::Binary::Op;
  switch (op) {
    case O::Add: return "+";
    case O::Sub: return "-";
    case O::Mul: return "*";
    case O::Div: return "/";
    case O::IDiv: return "div";
    case O::Mod: return "mod";
    case O::And: return "and";
    case O::Or: return "or";
    case O::Eq: return "==";
    case O::Ne: return "!=";
    case O::Lt: return "<";
    case O::Le: return "<=";
    case O::Gt: return ">";
    case O::Ge: return ">=";
    case O::In: return "in";
    case O::NotIn: return "not in";
    case O::Is: return "is";
    case O::IsNot: return "is not";
    case O::Intersect: return "&";
    case O::Union: return "|";
  }
  return "?";
}
}  // namespace

ValuePtr Checker::binary(const ast::Expr& e, const ast::Binary& bin, TypeId want) {
  using O = ast::Binary::Op;
  TypeTable& t = game_->types;
  Span span = e.span;
  Build m = build(span);
  Span at = bin.op_span.end > bin.op_span.begin ? bin.op_span : span;

  if (bin.op == O::And || bin.op == O::Or) {
    ValuePtr l = condition(*bin.left), r = condition(*bin.right);
    if (bad(*l) || bad(*r)) return poison(span);
    return m.op(bin.op == O::And ? Op::And : Op::Or, t.bool_, std::move(l), std::move(r));
  }
  if (bin.op == O::Is || bin.op == O::IsNot) {
    ValuePtr l = expr(*bin.left);
    if (bad(*l)) return l;
    if (!as<ast::NoneLit>(*bin.right)) {
      out_.emit(kOperands, bin.right->span, {spelling(bin.op), "anything but `none`"}).hint("`==` compares values");
      return poison(span);
    }
    if (t[l->type].kind != Kind::Optional) {
      out_.emit(kOperands, at, {spelling(bin.op), "`" + t.print(l->type) + "`"}).hint("only a value of a type such as `text?` can be `none`");
      return poison(span);
    }
    ValuePtr v = m.call(B::IsNone, t.bool_, std::move(l));
    return bin.op == O::Is ? std::move(v) : m.negate(std::move(v));
  }
  if (bin.op == O::In || bin.op == O::NotIn) {
    ValuePtr x, v;
    if (auto* range = as<ast::Range>(*bin.right)) {
      x = typed(*bin.left, kNoType);
      if (!range->low || !range->high) return poison(span);
      ValuePtr low = typed(*range->low, kNoType), high = typed(*range->high, kNoType);
      if (bad(*x) || bad(*low) || bad(*high)) return poison(span);
      bool numbers = true;
      for (ValuePtr* p : {&x, &low, &high}) numbers &= (*p)->type == t.int_ || (*p)->type == t.float_;
      if (!numbers) {
        out_.emit(kOperands, at, {spelling(bin.op), "`" + t.print(x->type) + "` and a range of `" + t.print(low->type) + "`"});
        return poison(span);
      }
      bool floats = x->type == t.float_ || low->type == t.float_ || high->type == t.float_;
      if (floats)
        for (ValuePtr* p : {&x, &low, &high}) *p = m.to_float(std::move(*p));
      Op le = floats ? Op::LeFloat : Op::LeInt;
      v = m.with(std::move(x), [&](const Build::Again& again) {
        return m.op(Op::And, t.bool_, m.op(le, t.bool_, std::move(low), again()), m.op(le, t.bool_, again(), std::move(high)));
      });
    } else {
      bool left_first = is_bare(*bin.right);
      TypeId hint = kNoType;
      ValuePtr xs;
      if (!left_first) {
        xs = typed(*bin.right, kNoType);
        if (!bad(*xs)) {
          const Type& c = t[xs->type];
          if (c.kind == Kind::List || c.kind == Kind::Set || c.kind == Kind::Map) hint = c.args[0];
          if (c.kind == Kind::Text) hint = t.text_;
        }
      }
      x = expr(*bin.left, hint);
      if (left_first) xs = bad(*x) ? poison(span) : expr(*bin.right, t.list(x->type));
      if (bad(*x) || bad(*xs)) return poison(span);
      const Type& c = t[xs->type];
      TypeId collection = xs->type;
      switch (c.kind) {
        case Kind::Text:
          x = coerce(std::move(x), t.text_, bin.left->span);
          if (bad(*x)) return x;
          v = m.call(B::TextContains, t.bool_, std::move(xs), std::move(x));
          break;
        case Kind::List: case Kind::Set: case Kind::Map: {
          B has = c.kind == Kind::List ? B::ListContains : c.kind == Kind::Set ? B::SetContains : B::MapHas;
          x = coerce(std::move(x), c.args[0], bin.left->span);
          if (bad(*x)) return x;
          v = m.call(has, t.bool_, std::move(xs), std::move(x), m.type_index(collection));
          break;
        }
        default:
          out_.emit(kOperands, at, {spelling(bin.op), "`" + t.print(x->type) + "` and `" + t.print(collection) + "`"})
              .hint("on the right stands a text, a list, a set, a map or a range");
          return poison(span);
      }
    }
    return bin.op == O::In ? std::move(v) : m.negate(std::move(v));
  }

  bool compares = bin.op == O::Eq || bin.op == O::Ne || bin.op == O::Lt || bin.op == O::Le || bin.op == O::Gt || bin.op == O::Ge;
  ValuePtr l, r;
  TypeId down = compares || bin.op == O::Div ? kNoType : want;
  if (is_bare(*bin.left) && !is_bare(*bin.right)) {
    r = typed(*bin.right, down);
    l = bad(*r) ? expr(*bin.left, poison_) : expr(*bin.left, r->type);
  } else {
    l = expr(*bin.left, compares ? kNoType : (down == t.float_ ? kNoType : down));
    TypeId hint = bad(*l) ? kNoType : l->type;
    if (bin.op == O::Mul) hint = kNoType;
    r = expr(*bin.right, hint);
  }
  if (bad(*l) || bad(*r)) return poison(span);
  TypeId lt = l->type, rt = r->type;
  auto numeric = [&](TypeId x) { return x == t.int_ || x == t.float_; };
  bool numbers = numeric(lt) && numeric(rt);
  bool floats = numbers && (lt == t.float_ || rt == t.float_);
  auto arithmetic = [&](Op of_ints, Op of_floats) {
    if (floats) return m.op(of_floats, t.float_, m.to_float(std::move(l)), m.to_float(std::move(r)));
    return m.op(of_ints, t.int_, std::move(l), std::move(r));
  };
  auto wrong = [&](const std::string& hint = "") {
    auto report = out_.emit(kOperands, at, {spelling(bin.op), "`" + t.print(lt) + "` and `" + t.print(rt) + "`"});
    if (!hint.empty()) report.hint(hint);
    return poison(span);
  };
  switch (bin.op) {
    case O::Add:
      if (numbers) return arithmetic(Op::AddInt, Op::AddFloat);
      if (lt == t.text_ && rt == t.text_) return m.op(Op::Concat, t.text_, std::move(l), std::move(r));
      if (lt == rt && t[lt].kind == Kind::List) return m.call(B::ListConcat, lt, std::move(l), std::move(r));
      if (lt == t.text_ || rt == t.text_) return wrong("write the value into the text: \"{…}\"");
      if (t[lt].kind == Kind::Set) return wrong("sets are joined by `|`");
      if (t[lt].kind == Kind::Map) return wrong("maps are joined by `|`; where both have a key, the value on the right counts");
      if (t[lt].kind == Kind::List && t[lt].args[0] == rt) return wrong("put it into a list: `[x]`");
      return wrong();
    case O::Sub:
      if (numbers) return arithmetic(Op::SubInt, Op::SubFloat);
      if (lt == rt && t[lt].kind == Kind::Set) return m.call(B::SetMinus, lt, std::move(l), std::move(r), m.type_index(lt));
      return wrong();
    case O::Mul:
      if (numbers) return arithmetic(Op::MulInt, Op::MulFloat);
      if (lt == t.text_ && rt == t.int_) return m.call(B::TextRepeat, lt, std::move(l), std::move(r));
      if (t[lt].kind == Kind::List && rt == t.int_) return m.call(B::ListRepeat, lt, std::move(l), std::move(r));
      if (lt == t.int_ && (rt == t.text_ || t[rt].kind == Kind::List)) return wrong("the number stands on the right");
      return wrong();
    case O::Div:
      if (numbers) return m.call(B::FloatDiv, t.float_, m.to_float(std::move(l)), m.to_float(std::move(r)));
      return wrong();
    case O::IDiv:
    case O::Mod:
      if (lt == t.int_ && rt == t.int_) return m.call(bin.op == O::IDiv ? B::IntDiv : B::IntMod, lt, std::move(l), std::move(r));
      return wrong(numbers ? "it works on `int`s" : "");
    case O::Union:
    case O::Intersect:
      if (lt == rt && t[lt].kind == Kind::Set)
        return m.call(bin.op == O::Union ? B::SetUnion : B::SetIntersect, lt, std::move(l), std::move(r), m.type_index(lt));
      if (lt == rt && t[lt].kind == Kind::Map && bin.op == O::Union) return m.call(B::MapUnion, lt, std::move(l), std::move(r), m.type_index(lt));
      if (lt == t.bool_) return wrong(bin.op == O::Union ? "write `or`" : "write `and`");
      return wrong(bin.op == O::Union ? "it works on sets and on maps" : "it works on sets");
    case O::Eq:
    case O::Ne: {
      if (!unify(l, r)) return wrong("values of different types are never equal");
      if (t[l->type].kind == Kind::Void) return wrong("`is none` asks whether there is a value");
      ValuePtr v = equals(span, std::move(l), std::move(r));
      return bin.op == O::Eq ? std::move(v) : m.negate(std::move(v));
    }
    default: break;
  }
  // < <= > >=
  if (bin.op == O::Gt || bin.op == O::Ge) std::swap(l, r);
  bool strict = bin.op == O::Lt || bin.op == O::Gt;
  if (!unify(l, r)) return wrong();
  TypeId type = l->type;
  switch (t[type].kind) {
    case Kind::Int: case Kind::Enum:
      return m.op(strict ? Op::LtInt : Op::LeInt, t.bool_, std::move(l), std::move(r));
    case Kind::Float: return m.op(strict ? Op::LtFloat : Op::LeFloat, t.bool_, std::move(l), std::move(r));
    case Kind::Text:
      if (strict) return m.call(B::TextLess, t.bool_, std::move(l), std::move(r));
      return m.negate(m.call(B::TextLess, t.bool_, std::move(r), std::move(l)));
    case Kind::Set:
      if (strict) return wrong("`<=` asks whether one set lies within another");
      return m.call(B::SetSubset, t.bool_, std::move(l), std::move(r), m.type_index(type));
    case Kind::List: case Kind::Tuple:
      if (!ordered(type)) return wrong();
      if (strict) return m.call(B::Less, t.bool_, std::move(l), std::move(r), m.type_index(type));
      return m.negate(m.call(B::Less, t.bool_, std::move(r), std::move(l), m.type_index(type)));
    default: return wrong();
  }
}

// ---- texts, match, collections ----------------------------------------------------------------------------------------

ValuePtr Checker::text_literal(const ast::Expr& e, const ast::TextLit& lit) {
  Build m = build(e.span);
  std::vector<ValuePtr> parts;
  std::string pending;
  bool broken = false, interpolated = false;
  auto flush = [&]() {
    if (!pending.empty()) parts.push_back(m.text(std::move(pending)));
    pending.clear();
  };
  for (const ast::TextPart& p : lit.parts) {
    if (!p.value) {
      pending += p.literal;
      continue;
    }
    interpolated = true;
    ValuePtr v = text_of(*p.value);
    if (bad(*v)) {
      broken = true;
      continue;
    }
    flush();
    parts.push_back(std::move(v));
  }
  if (broken) return poison(e.span);
  if (!interpolated) return m.text(std::move(pending));
  flush();
  if (parts.size() == 1) return std::move(parts[0]);
  return m.of(Op::Concat, game_->types.text_, std::move(parts));
}

ValuePtr Checker::match(const ast::Expr& e, const ast::MatchExpr& match, TypeId want) {
  TypeTable& t = game_->types;
  ValuePtr subject = typed(*match.subject, kNoType);
  TypeId type = subject->type;
  Build m = build(e.span);
  bool broken = bad(*subject);
  struct Arm { ValuePtr test, value; Span span; };
  std::vector<Arm> arms;
  ValuePtr otherwise;
  std::set<int64_t> covered;
  LocalId id = 0;
  if (!broken) id = m.new_local("", type);
  for (const ast::MatchArm& arm : match.arms) {
    ValuePtr test;
    if (arm.pattern && !broken) {
      Build at = build(arm.pattern->span);
      if (auto* range = as<ast::Range>(*arm.pattern)) {
        ValuePtr low = typed(*range->low, t.int_), high = typed(*range->high, t.int_);
        if (type != t.int_) {
          out_.emit(kTypeMismatch, arm.pattern->span, {t.print(type), "a range of int"}).label(match.subject->span, "`match` looks at this");
          broken = true;
        } else if (bad(*low) || bad(*high)) {
          broken = true;
        } else {
          test = at.op(Op::And, t.bool_, at.op(Op::LeInt, t.bool_, std::move(low), at.local(id)),
                       at.op(Op::LeInt, t.bool_, at.local(id), std::move(high)));
        }
      } else {
        ValuePtr pattern = typed(*arm.pattern, type);
        if (bad(*pattern)) {
          broken = true;
        } else {
          if (pattern->op == Op::Int || pattern->op == Op::Bool) {
            if (!covered.insert(pattern->int_value).second) out_.emit(kUnreachable, arm.pattern->span).hint("an arm above takes this value");
          }
          test = equals(arm.pattern->span, at.local(id), std::move(pattern));
        }
      }
    }
    ValuePtr value = expr(*arm.value, want);
    if (bad(*value)) broken = true;
    if (!arm.pattern) {
      if (otherwise) out_.emit(kUnreachable, arm.span);
      else otherwise = std::move(value);
    } else {
      if (otherwise) out_.emit(kUnreachable, arm.span).hint("`else` stands last");
      arms.push_back({std::move(test), std::move(value), arm.value->span});
    }
  }
  if (broken) return poison(e.span);
  size_t values = t[type].kind == Kind::Enum ? t[type].names.size() : t[type].kind == Kind::Bool ? 2 : 0;
  if (!otherwise) {
    if (values && covered.size() >= values && !arms.empty()) {
      otherwise = std::move(arms.back().value);
      arms.pop_back();
    } else {
      auto report = out_.emit(kMatchElse, e.span);
      if (t[type].kind == Kind::Enum) {
        std::string missing;
        for (size_t i = 0; i < values; ++i)
          if (!covered.count(static_cast<int64_t>(i))) missing += (missing.empty() ? "`" : ", `") + t[type].names[i] + "`";
        report.hint("no arm for " + missing);
      } else {
        report.hint("add `else -> …`");
      }
      return poison(e.span);
    }
  }
  for (Arm& a : arms) {
    if (unify(otherwise, a.value)) continue;
    out_.emit(kBranches, a.span, {t.print(a.value->type), t.print(otherwise->type)});
    return poison(e.span);
  }
  TypeId result = otherwise->type;
  for (Arm& a : arms) unify(otherwise, a.value);
  ValuePtr v = std::move(otherwise);
  for (size_t i = arms.size(); i-- > 0;) v = m.op(Op::If, result, std::move(arms[i].test), std::move(arms[i].value), std::move(v));
  ValuePtr bound = m.op(Op::Bind, result, std::move(subject), std::move(v));
  bound->local = id;
  return bound;
}

// ---- facts ----------------------------------------------------------------------------------------------------------

/// A fact is the list of its predicate's name and its terms.
ValuePtr Checker::fact(Span span, const ast::Predicate& p, const std::vector<ast::Arg>& terms) {
  TypeTable& t = game_->types;
  Build m = build(span);
  std::vector<ValuePtr> values;
  values.push_back(m.text(p.name.name));
  bool broken = false;
  for (const ast::Arg& a : terms) {
    if (a.key || a.name) {
      out_.emit(kArguments, a.value->span, {p.name.name, "terms without names", "a named one"});
      return poison(span);
    }
    values.push_back(typed(*a.value, t.text_));
    broken |= bad(*values.back());
  }
  if (terms.size() != p.terms.size()) {
    out_.emit(kArguments, span, {p.name.name, count_text(p.terms.size(), "term"), std::to_string(terms.size())})
        .label(p.name.span, "declared here");
    return poison(span);
  }
  if (broken) return poison(span);
  return m.of(Op::MakeList, t.list(t.text_), std::move(values));
}

ValuePtr Checker::fact_fits(LocalId from, const ast::Names& names, const ast::Expr* condition_, bool otherwise) {
  TypeTable& t = game_->types;
  Span span = names.predicate->span;
  Build m = build(span);
  auto at = callables_.find(names.predicate->name);
  if (at == callables_.end() || !at->second.predicate) {
    std::vector<std::string> all;
    for (auto& [n, c] : callables_)
      if (c.predicate) all.push_back(n);
    std::string near = diag::closest(names.predicate->name, all);
    auto report = out_.emit(kUnknownPredicate, span, {names.predicate->name});
    if (at != callables_.end()) report.label(at->second.span, "this is no predicate");
    if (!near.empty()) report.meant(names.predicate->name, near);
    else report.hint("`world { " + names.predicate->name + "(…) }` declares it");
  } else {
    at->second.used = true;
    uses(span, at->second.span);
    const ast::Predicate& p = *at->second.predicate;
    if (p.terms.size() != names.terms.size())
      out_.emit(kArguments, span, {p.name.name, count_text(p.terms.size(), "term"), std::to_string(names.terms.size())})
          .label(p.name.span, "declared here");
  }
  auto part = [&](size_t i) { return m.call(B::ListAt, t.text_, m.local(from), m.integer(static_cast<int64_t>(i))); };
  auto equal = [&](size_t i, ValuePtr v) { return m.call(B::TextEq, t.bool_, part(i), std::move(v)); };
  // From left to right: a test has to hold before the next one is made, a name is bound before it is used.
  struct Link { ValuePtr test; LocalId local = 0; size_t term = 0; };
  std::vector<Link> chain;
  chain.push_back({m.op(Op::EqInt, t.bool_, m.call(B::ListLength, t.int_, m.local(from)),
                        m.integer(static_cast<int64_t>(names.terms.size()) + 1))});
  chain.push_back({equal(0, m.text(names.predicate->name))});
  for (size_t i = 0; i < names.terms.size(); ++i) {
    const ast::Expr& term = *names.terms[i];
    auto* name = as<ast::Name>(term);
    if (name && name->name == "_") continue;
    if (name && !term.parenthesised) {
      std::vector<std::string> known = visible_names();
      if (std::find(known.begin(), known.end(), name->name) == known.end()) {
        chain.push_back({nullptr, declare({name->name, term.span}, t.text_, false, "variable", true), i + 1});
        continue;
      }
    }
    ValuePtr v = typed(term, t.text_);
    if (!bad(*v)) chain.push_back({equal(i + 1, std::move(v))});
  }
  ValuePtr result = condition_ ? condition(*condition_) : m.boolean(!otherwise);
  if (bad(*result)) return result;
  for (size_t i = chain.size(); i-- > 0;) {
    if (chain[i].test) {
      result = otherwise ? m.op(Op::Or, t.bool_, m.negate(std::move(chain[i].test)), std::move(result))
                         : m.op(Op::And, t.bool_, std::move(chain[i].test), std::move(result));
    } else {
      result = m.op(Op::Bind, t.bool_, part(chain[i].term), std::move(result));
      result->local = chain[i].local;
    }
  }
  return result;
}

Walk Checker::walk(const ast::Names& form, const ast::Expr& source) {
  TypeTable& t = game_->types;
  const std::vector<ast::Ident>& names = form.names;
  const size_t count = form.predicate ? 1 : names.size();
  Walk w;
  std::vector<TypeId> types;
  TypeId whole = poison_;
  if (auto* range = as<ast::Range>(source)) {
    w.over = Walk::Over::Range;
    w.source = range->low ? typed(*range->low, t.int_) : poison(source.span);
    w.source2 = range->high ? typed(*range->high, t.int_) : poison(source.span);
    whole = t.int_;
    types = {t.int_};
  } else {
    w.source = typed(source, kNoType);
    TypeId st = w.source->type;
    if (!bad(*w.source)) {
      const Type c = t[st];
      whole = st;
      switch (c.kind) {
        case Kind::List:
          if (w.source->op == Op::Builtin && w.source->builtin == B::ListRange && !facts_.reveals.count(w.source.get())) {
            w.over = Walk::Over::Range;
            w.source2 = std::move(w.source->args[1]);
            ValuePtr low = std::move(w.source->args[0]);
            w.source = std::move(low);
          }
          types = {c.args[0]};
          break;
        case Kind::Set: w.over = Walk::Over::Set; types = {c.args[0]}; break;
        case Kind::Text: w.over = Walk::Over::Text; types = {t.text_}; break;
        case Kind::Map:
          if (count == 1) {
            w.source = build(source.span).call(B::MapKeys, t.list(c.args[0]), std::move(w.source));
            types = {c.args[0]};
          } else {
            w.over = Walk::Over::Map;
            types = c.args;
          }
          break;
        default: {
          auto report = out_.emit(kNotWalkable, source.span, {t.print(st)});
          if (c.kind == Kind::Int) report.hint("a range goes from 1 to it: `1.." + source_text(out_.sources(), source.span) + "`");
          w.source = poison(source.span);
        }
      }
      if (count > 1 && types.size() == 1 && t[types[0]].kind == Kind::Tuple) {
        w.takes_tuple_apart = true;
        types = t[types[0]].args;
      }
    }
  }
  if (form.predicate) {
    if (!bad(*w.source) && (types.size() != 1 || types[0] != t.list(t.text_))) {
      out_.emit(kTypeMismatch, source.span, {"facts", t.print(whole)}).hint("a `" + form.predicate->name + "(…)` is looked for among a `[fact]` or a `set<fact>`");
      w.source = poison(source.span);
    }
    w.names = {build(form.predicate->span).new_local("", bad(*w.source) ? poison_ : types[0])};
    return w;
  }
  if (!bad(*w.source) && types.size() != names.size()) {
    out_.emit(kTakingApart, names.back().span, {t.print(whole), std::to_string(names.size())});
    w.source = poison(source.span);
  }
  for (size_t i = 0; i < names.size(); ++i)
    w.names.push_back(declare(names[i], bad(*w.source) || i >= types.size() ? poison_ : types[i], false, "variable", false));
  return w;
}

Walk Checker::walk_where(const ast::Names& names, const ast::Expr& source, const ast::Expr* condition_) {
  Walk w = walk(names, source);
  if (names.predicate) w.condition = fact_fits(w.names[0], names, condition_, false);
  else if (condition_) w.condition = condition(*condition_);
  return w;
}

ValuePtr Checker::comprehension(const ast::Expr& e, const ast::Comprehension& c, TypeId want) {
  TypeTable& t = game_->types;
  Build m = build(e.span);
  push();
  std::vector<Walk> walks;
  bool broken = false;
  for (const ast::Generator& g : c.generators) {
    walks.push_back(walk_where(g.names, *g.source, g.condition.get()));
    broken |= bad(*walks.back().source) || (walks.back().condition && bad(*walks.back().condition));
  }
  TypeId element = kNoType, key_type = kNoType;
  if (want != kNoType) {
    const Type& w = t[want];
    if ((w.kind == Kind::List && c.kind == ast::Comprehension::Kind::List) || (w.kind == Kind::Set && c.kind == ast::Comprehension::Kind::Set))
      element = w.args[0];
    if (w.kind == Kind::Map && c.kind == ast::Comprehension::Kind::Map) {
      key_type = w.args[0];
      element = w.args[1];
    }
  }
  ValuePtr key = c.key ? typed(*c.key, key_type) : nullptr;
  ValuePtr value = typed(*c.value, element);
  broken |= bad(*value) || (key && bad(*key));
  pop();
  if (broken) return poison(e.span);
  ValuePtr v;
  switch (c.kind) {
    case ast::Comprehension::Kind::List: v = m.op(Op::ListComprehension, t.list(value->type)); break;
    case ast::Comprehension::Kind::Set: v = m.op(Op::SetComprehension, t.set(value->type)); break;
    case ast::Comprehension::Kind::Map:
      v = m.op(Op::MapComprehension, t.map(key->type, value->type));
      v->args.push_back(std::move(key));
      break;
  }
  v->args.push_back(std::move(value));
  v->walks = std::move(walks);
  return v;
}

ValuePtr Checker::record(const ast::Expr& e, const ast::RecordLit& lit) {
  TypeTable& t = game_->types;
  auto at = types_.find(lit.type.name);
  if (at == types_.end() || (at->second.kind != NamedType::Kind::Record && at->second.kind != NamedType::Kind::Grammar)) {
    for (const ast::Arg& a : lit.fields)
      if (a.value) expr(*a.value);
    auto report = out_.emit(kUnknownType, lit.type.span, {lit.type.name});
    if (at != types_.end()) report.label(at->second.span, "this is no record");
    else {
      std::vector<std::string> names;
      for (auto& [n, x] : types_) names.push_back(n);
      std::string near = diag::closest(lit.type.name, names);
      if (!near.empty()) report.meant(lit.type.name, near);
    }
    return poison(e.span);
  }
  at->second.used = true;
  uses(lit.type.span, at->second.span);
  const Type type = t[at->second.type];
  std::vector<ValuePtr> values(type.names.size());
  bool broken = false;
  for (const ast::Arg& a : lit.fields) {
    std::string n = a.name ? a.name->name : "";
    size_t i = 0;
    while (i < type.names.size() && type.names[i] != n) ++i;
    if (!a.name || i == type.names.size()) {
      auto report = out_.emit(kUnknownField, a.name ? a.name->span : a.value->span, {n, "`" + type.name + "`"});
      report.label(at->second.span, "the record is declared here");
      std::string near = diag::closest(n, type.names);
      if (!near.empty()) report.meant(n, near);
      expr(*a.value);
      broken = true;
      continue;
    }
    uses_member(a.name->span, at->second.type, n);
    if (values[i]) {
      out_.emit(kDuplicate, a.name->span, {n}).hint("each field is given once");
      broken = true;
    }
    values[i] = typed(*a.value, type.args[i]);
    broken |= bad(*values[i]);
  }
  std::string missing;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i]) continue;
    if (!at->second.record) {  // of a grammar: what is not there is ""
      values[i] = build(e.span).text("");
      continue;
    }
    const ast::Field& f = at->second.record->fields[i];
    if (f.initial) {
      Context* outer = ctx_;
      Context context;
      context.where = Where::Default;
      context.body = outer->body;
      context.scopes.emplace_back();
      ctx_ = &context;
      values[i] = typed(*f.initial, type.args[i]);
      ctx_ = outer;
      broken |= bad(*values[i]);
    } else if (t[type.args[i]].kind == Kind::Optional) {
      values[i] = build(e.span).op(Op::None, type.args[i]);
    } else {
      missing += (missing.empty() ? "`" : ", `") + type.names[i] + "`";
    }
  }
  if (!missing.empty()) {
    out_.emit(kMissingFields, e.span, {"`" + type.name + "`", missing}).label(at->second.span, "the record is declared here");
    broken = true;
  }
  if (broken) return poison(e.span);
  return build(e.span).of(Op::MakeRecord, at->second.type, std::move(values));
}

// ---- expressions ----------------------------------------------------------------------------------------------------

ValuePtr Checker::expr(const ast::Expr& e, TypeId want) {
  ValuePtr v = untracked(e, want);
  has_type(e.span, v->type);
  return v;
}

ValuePtr Checker::untracked(const ast::Expr& e, TypeId want) {
  TypeTable& t = game_->types;
  Build m = build(e.span);
  if (auto* x = as<ast::IntLit>(e)) {
    if (want == t.float_) return m.floating(static_cast<double>(x->value));
    return m.integer(x->value);
  }
  if (auto* x = as<ast::FloatLit>(e)) return m.floating(x->value);
  if (auto* x = as<ast::BoolLit>(e)) return m.boolean(x->value);
  if (as<ast::NanLit>(e)) return m.floating(__builtin_nan(""));
  if (as<ast::NoneLit>(e)) {
    Type none;
    none.kind = Kind::Void;
    none.name = "none";
    ValuePtr v = m.op(Op::None, t.intern(none));
    if (want != kNoType && t[want].kind == Kind::Optional) v->type = want;
    return v;
  }
  if (auto* x = as<ast::TextLit>(e)) {
    ValuePtr v = text_literal(e, *x);
    if (want != t.regex_ || v->op != Op::Text) return v;
    const std::string problem = text::regex_problem(v->text_value);
    if (!problem.empty()) {
      out_.emit(kPattern, e.span, {problem});
      return poison(e.span);
    }
    v->type = t.regex_;
    return v;
  }
  if (auto* x = as<ast::Name>(e)) return name(x->name, x->span);
  if (auto* x = as<ast::FieldAccess>(e)) return member(e, *x->object, x->field);
  if (auto* x = as<ast::Call>(e)) return call(e, *x, want);
  if (auto* x = as<ast::Index>(e)) {
    ValuePtr object = expr(*x->object);
    if (bad(*object)) {
      expr(*x->index);
      return object;
    }
    const Type type = t[object->type];
    TypeId collection = object->type;
    if (type.kind == Kind::Map) {
      ValuePtr key = typed(*x->index, type.args[0]);
      if (bad(*key)) return key;
      return m.call(B::MapGet, type.args[1], std::move(object), std::move(key), m.type_index(collection));
    }
    if (type.kind != Kind::List && type.kind != Kind::Text) {
      expr(*x->index);
      auto report = out_.emit(kNotIndexable, x->object->span, {t.print(collection)});
      if (type.kind == Kind::Set) report.hint("`list(…)` makes a list of a set");
      if (type.kind == Kind::Record) report.hint("its fields are read with `.name`");
      if (type.kind == Kind::Optional) report.hint("it may be `none`: `.value[…]`");
      return poison(e.span);
    }
    ValuePtr index = typed(*x->index, t.int_);
    if (bad(*index)) return index;
    if (index->op == Op::Int && index->int_value < 0) {
      out_.emit(kOutOfRange, x->index->span, {std::to_string(index->int_value), "0 and above"})
          .hint("`.last` is the last element; `x[x.length - 1]` too");
      return poison(e.span);
    }
    if (type.kind == Kind::Text) return m.call(B::TextAt, t.text_, std::move(object), std::move(index));
    return m.call(B::ListAt, type.args[0], std::move(object), std::move(index));
  }
  if (auto* x = as<ast::Slice>(e)) {
    ValuePtr object = expr(*x->object);
    ValuePtr from = x->from ? typed(*x->from, t.int_) : m.integer(0);
    ValuePtr to = x->to ? typed(*x->to, t.int_) : m.integer(INT64_MAX);
    if (bad(*object) || bad(*from) || bad(*to)) return poison(e.span);
    TypeId type = object->type;
    if (type != t.text_ && t[type].kind != Kind::List) {
      out_.emit(kNotIndexable, x->object->span, {t.print(type)}).hint("texts and lists have slices");
      return poison(e.span);
    }
    return m.call(type == t.text_ ? B::TextSlice : B::ListSlice, type, std::move(object), std::move(from), std::move(to));
  }
  if (auto* x = as<ast::Unary>(e)) {
    if (x->op == ast::Unary::Op::Not) {
      ValuePtr v = condition(*x->operand);
      return bad(*v) ? std::move(v) : m.negate(std::move(v));
    }
    ValuePtr v = expr(*x->operand, want);
    if (bad(*v)) return v;
    if (v->op == Op::Int && v->type == t.int_) {
      v->int_value = static_cast<int64_t>(0 - static_cast<uint64_t>(v->int_value));
      v->span = e.span;
      return v;
    }
    if (v->op == Op::Float) {
      v->float_value = -v->float_value;
      v->span = e.span;
      return v;
    }
    if (v->type == t.int_) return m.op(Op::NegInt, t.int_, std::move(v));
    if (v->type == t.float_) return m.op(Op::NegFloat, t.float_, std::move(v));
    out_.emit(kOperands, e.span, {"-", "`" + t.print(v->type) + "`"});
    return poison(e.span);
  }
  if (auto* x = as<ast::Binary>(e)) return binary(e, *x, want);
  if (auto* x = as<ast::IfExpr>(e)) {
    ValuePtr c = condition(*x->condition);
    // Branches of a document may differ.
    auto branch = [&](const ast::Expr& value, TypeId type) { return want == t.document_ ? typed(value, want) : expr(value, type); };
    // An empty list, say, is of the other branch's type, whichever comes first.
    ValuePtr a, b;
    auto like = [&](const ValuePtr& other, const ast::Expr& value) { return want == kNoType && is_bare(value) && !bad(*other) ? other->type : want; };
    if (want == kNoType && x->otherwise && is_bare(*x->then) && !is_bare(*x->otherwise)) {
      b = branch(*x->otherwise, want);
      a = bad(*b) ? poison(x->then->span) : branch(*x->then, like(b, *x->then));
    } else {
      a = branch(*x->then, want);
      b = !x->otherwise ? poison(e.span) : branch(*x->otherwise, like(a, *x->otherwise));
    }
    if (bad(*c) || bad(*a) || bad(*b)) return poison(e.span);
    if (!unify(a, b)) {
      out_.emit(kBranches, x->otherwise->span, {t.print(a->type), t.print(b->type)}).label(x->then->span, "`" + t.print(a->type) + "`");
      return poison(e.span);
    }
    TypeId type = a->type;
    return m.op(Op::If, type, std::move(c), std::move(a), std::move(b));
  }
  if (as<ast::Range>(e)) {
    out_.emit(kRangePlace, e.span).hint("`[x for x in a..b]` is a list of its numbers");
    return poison(e.span);
  }
  if (auto* x = as<ast::MatchExpr>(e)) return match(e, *x, want);
  auto collection = [&](Kind kind, const std::vector<ast::ExprPtr>& items, const char* empty) -> ValuePtr {
    TypeId element = want != kNoType && want != poison_ && t[want].kind == kind ? t[want].args[0] : kNoType;
    if (want == t.document_ && kind == Kind::List) {
      element = t.document_;
      want = t.list(element);
    }
    if (items.empty()) {
      if (want == poison_) return poison(e.span);
      if (element == kNoType) {
        out_.emit(kTypeNotKnown, e.span, {empty}).hint(std::string("write the type: `let x: ") + (kind == Kind::List ? "[text]" : "set<text>") + " = " + empty + "`");
        return poison(e.span);
      }
      return m.op(kind == Kind::List ? Op::MakeList : Op::MakeSet, want);
    }
    std::vector<ValuePtr> values;
    bool broken = false;
    for (const ast::ExprPtr& item : items) {
      TypeId hint = element != kNoType ? element : !values.empty() && is_bare(*item) ? values[0]->type : kNoType;
      values.push_back(element != kNoType ? typed(*item, element) : expr(*item, hint));
      broken |= bad(*values.back());
    }
    if (broken) return poison(e.span);
    for (int round = 0; round < 2; ++round)
      for (size_t i = 1; i < values.size(); ++i)
        if (!unify(values[0], values[i])) {
          out_.emit(kTypeMismatch, items[i]->span, {t.print(values[0]->type), t.print(values[i]->type)})
              .label(items[0]->span, "the first element is `" + t.print(values[0]->type) + "`");
          return poison(e.span);
        }
    if (t[values[0]->type].kind == Kind::Void) {
      out_.emit(kTypeNotKnown, e.span, {"none"});
      return poison(e.span);
    }
    TypeId type = kind == Kind::List ? t.list(values[0]->type) : t.set(values[0]->type);
    return m.of(kind == Kind::List ? Op::MakeList : Op::MakeSet, type, std::move(values));
  };
  auto map_literal = [&](const std::vector<std::pair<ast::ExprPtr, ast::ExprPtr>>& entries) -> ValuePtr {
    // In a document each value has its own type.
    if (want == t.document_ && std::all_of(entries.begin(), entries.end(), [](const auto& kv) { return as<ast::TextLit>(*kv.first) != nullptr; }))
      want = t.map(t.text_, t.document_);
    bool known = want != kNoType && want != poison_ && t[want].kind == Kind::Map;
    if (entries.empty()) {
      if (known) return m.op(Op::MakeMap, want);
      if (want != poison_) out_.emit(kTypeNotKnown, e.span, {"{}"}).hint("write the type: `let x: map<text, int> = {}`");
      return poison(e.span);
    }
    TypeId kt = known ? t[want].args[0] : kNoType, vt = known ? t[want].args[1] : kNoType;
    std::vector<ValuePtr> values;
    bool broken = false;
    for (auto& [k, v] : entries) {
      values.push_back(typed(*k, kt));
      values.push_back(typed(*v, vt));
      broken |= bad(*values[values.size() - 2]) || bad(*values.back());
      if (kt == kNoType && !broken) kt = values[0]->type;
      if (vt == kNoType && !broken) vt = values[1]->type;
    }
    if (broken) return poison(e.span);
    return m.of(Op::MakeMap, t.map(kt, vt), std::move(values));
  };
  if (auto* x = as<ast::ListLit>(e)) return collection(Kind::List, x->items, "[]");
  if (auto* x = as<ast::SetLit>(e)) {
    if (x->items.empty() && want != kNoType && want != poison_ && t[want].kind == Kind::Map) return m.op(Op::MakeMap, want);
    return collection(Kind::Set, x->items, "{}");
  }
  if (auto* x = as<ast::MapLit>(e)) {
    if (x->entries.empty() && want != kNoType && want != poison_ && t[want].kind == Kind::Set) return m.op(Op::MakeSet, want);
    return map_literal(x->entries);
  }
  if (auto* x = as<ast::TupleLit>(e)) {
    std::vector<ValuePtr> values;
    std::vector<TypeId> types;
    bool known = want != kNoType && t[want].kind == Kind::Tuple && t[want].args.size() == x->items.size();
    bool broken = false;
    for (size_t i = 0; i < x->items.size(); ++i) {
      values.push_back(typed(*x->items[i], known ? t[want].args[i] : kNoType));
      types.push_back(values.back()->type);
      broken |= bad(*values.back());
    }
    if (broken) return poison(e.span);
    return m.of(Op::MakeRecord, t.tuple(std::move(types)), std::move(values));
  }
  if (auto* x = as<ast::Comprehension>(e)) return comprehension(e, *x, want);
  if (auto* x = as<ast::Quantified>(e)) {
    push();
    Walk w = walk(x->names, *x->source);
    ValuePtr c = x->names.predicate ? fact_fits(w.names[0], x->names, x->condition.get(), x->all) : condition(*x->condition);
    pop();
    if (bad(*w.source) || bad(*c)) return poison(e.span);
    ValuePtr v = m.op(x->all ? Op::All : Op::Any, t.bool_, std::move(c));
    v->walks.push_back(std::move(w));
    return v;
  }
  if (auto* x = as<ast::Reveal>(e)) {
    ValuePtr v = expr(*x->value, want);
    if (bad(*v)) return v;
    if (v->op == Op::Int || v->op == Op::Float || v->op == Op::Bool || v->op == Op::Text || v->op == Op::None) {
      out_.emit(kNeedlessReveal, e.span).fix("remove `reveal`", {e.span.file, e.span.begin, x->value->span.begin}, "");
      return v;
    }
    facts_.reveals[v.get()] = e.span;
    return v;
  }
  if (auto* x = as<ast::Notes>(e)) {
    if (ctx_->where != Where::Metric && ctx_->where != Where::Key && ctx_->where != Where::Function) {
      out_.emit(kNotHere, e.span, {"notes", where_text(ctx_->where)}).hint("metrics, keys and functions know it");
      return poison(e.span);
    }
    uint32_t slot = notes_slot(x->key);
    ValuePtr v = m.op(Op::Slot, t.list(t.text_));
    v->slot = slot;
    return v;
  }
  if (auto* x = as<ast::RecordLit>(e)) return record(e, *x);
  return poison(e.span);
}

// ---- copies -----------------------------------------------------------------------------------------------------------

bool Checker::has_container(TypeId type) {
  const Type& t = game_->types[type];
  switch (t.kind) {
    case Kind::List: case Kind::Set: case Kind::Map: case Kind::Record: return true;
    case Kind::Optional: case Kind::Tuple:
      for (TypeId a : t.args)
        if (has_container(a)) return true;
      return false;
    default: return false;
  }
}

Checker::Share Checker::share(const Value& v) {
  if (bad(v) || !has_container(v.type)) return Share::Fresh;
  auto parts = [&](size_t from) {
    Share s = Share::Fresh;
    for (size_t i = from; i < v.args.size(); ++i) s = std::max(s, share(*v.args[i]));
    return s;
  };
  switch (v.op) {
    case Op::Local: return ctx_->body->locals[v.local].is_var ? Share::Changing : Share::Stable;
    case Op::Slot: return Share::Changing;
    case Op::Field: return Share::Stable;
    case Op::If: return parts(1);
    case Op::Bind: return std::max(share(*v.args[0]), share(*v.args[1]));
    case Op::MakeList: case Op::MakeSet: case Op::MakeMap: case Op::MakeRecord: return parts(0);
    case Op::ListComprehension: case Op::SetComprehension: case Op::MapComprehension:
      return parts(0) == Share::Fresh ? Share::Fresh : Share::Changing;
    case Op::GetField: return share(*v.args[0]);
    case Op::Builtin: {
      switch (v.builtin) {
        // A part of the argument, not something new.
        case B::ListAt: case B::ListLast: case B::SetAt: case B::MapGet: case B::MapGetOr: case B::ValueOf: case B::Some:
          return parts(0);
        case B::Copy: case B::TextParse: case B::TextForm: return Share::Fresh;
        default: break;
      }
      // A new collection; its elements may still lie in the old one.
      const Type& t = game_->types[v.type];
      bool nested = false;
      for (TypeId a : t.args) nested |= has_container(a);
      if (!nested) return Share::Fresh;
      return parts(0) == Share::Fresh && v.builtin != B::ListRepeat ? Share::Fresh : Share::Changing;
    }
    case Op::None: return Share::Fresh;
    default: return Share::Changing;  // Call: it may give back what it was given, or state
  }
}

ValuePtr Checker::own(ValuePtr v) {
  if (share(*v) == Share::Fresh) return v;
  Build m = build(v->span);
  TypeId type = v->type;
  return m.call(B::Copy, type, std::move(v), m.type_index(type));
}

ValuePtr Checker::settle(ValuePtr v) {
  if (share(*v) != Share::Changing) return v;
  Build m = build(v->span);
  TypeId type = v->type;
  return m.call(B::Copy, type, std::move(v), m.type_index(type));
}

}  // namespace ppc::sema
