#include "compiler/sema/checker.h"

namespace ppc::sema {

using B = ppc::Builtin;
using Op = Value::Op;
using S = Statement::Op;

namespace {

template <class T>
const T* as(const ast::Stmt& s) { return std::get_if<T>(&s.node); }

Statement make(S op, Span span) {
  Statement s;
  s.op = op;
  s.span = span;
  return s;
}

}  // namespace

const char* Checker::where_text(Where w) {
  switch (w) {
    case Where::Default: return "a default";
    case Where::State: return "the beginning of a state variable";
    case Where::Function: return "a function";
    case Where::Step: return "a step";
    case Where::Move: return "a move";
    case Where::Play: return "play";
    case Where::Bot: return "a bot";
    case Where::Metric: return "a metric";
    case Where::Key: return "a key";
    case Where::Generate: return "a generator";
  }
  return "";
}

bool Checker::allowed(const ast::Stmt& s, const char* what, std::initializer_list<Where> places) {
  for (Where w : places)
    if (w == ctx_->where) return true;
  auto report = out_.emit(kStatementPlace, s.span, {what, where_text(ctx_->where)});
  if (ctx_->where == Where::Function) report.hint("functions only compute; a `step` can do it");
  else if (ctx_->where == Where::Move && as<ast::Ask>(s)) report.hint("a move reads one reply; play and steps ask");
  return false;
}

void Checker::block(const ast::Block& body, Statements& out) {
  bool top = ctx_->top;
  ctx_->top = false;
  push();
  statements(body, out);
  pop();
  ctx_->top = top;
}

void Checker::statements(const ast::Block& body, Statements& out) {
  for (const ast::Stmt& s : body) statement(s, out);
}

void Checker::statement(const ast::Stmt& s, Statements& out) {
  TypeTable& t = game_->types;
  using W = Where;
  if (as<ast::Nothing>(s)) return;
  if (auto* x = as<ast::Let>(s)) return let(s, *x, out);
  if (auto* x = as<ast::Assign>(s)) return assign(s, *x, out);
  if (auto* x = as<ast::Evaluate>(s)) return evaluate(s, *x, out);
  if (auto* x = as<ast::If>(s)) {
    Statement m = make(S::If, s.span);
    m.value = condition(*x->condition);
    if (m.value->op == Op::Bool && !bad(*m.value))
      out_.emit(kConstantCondition, x->condition->span, {m.value->int_value ? "true" : "false"});
    block(x->then, m.body);
    block(x->otherwise, m.otherwise);
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::For>(s)) {
    Statement m = make(S::For, s.span);
    push();
    m.walk = walk_where(x->names, *x->source, x->where.get());
    bool top = ctx_->top;
    ctx_->top = false;
    ctx_->loops.push_back(false);
    statements(x->body, m.body);
    ctx_->loops.pop_back();
    ctx_->top = top;
    pop();
    if (m.walk->over != Walk::Over::Range && share(*m.walk->source) == Share::Changing && changes(m.body, *m.walk->source))
      m.walk->source = own(std::move(m.walk->source));
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::Round>(s)) {
    if (!allowed(s, "round", {W::Play, W::Step})) return;
    Statement m = make(S::Round, s.span);
    push();
    m.walk = walk({{x->name}, {}, {}}, *x->source);
    if (m.walk->over != Walk::Over::Range && !bad(*m.walk->source))
      out_.emit(kTypeMismatch, x->source->span, {"a range such as 1..n", t.print(m.walk->source->type)})
          .hint("`for` goes through collections");
    m.outermost = ctx_->where == W::Play && ctx_->rounds == 0;
    ++ctx_->rounds;
    ctx_->loops.push_back(false);
    statements(x->body, m.body);
    ctx_->loops.pop_back();
    --ctx_->rounds;
    pop();
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::RepeatAtMost>(s)) {
    if (!allowed(s, "repeat", {W::Play, W::Step, W::Function, W::Bot, W::Generate})) return;
    Statement m = make(S::Repeat, s.span);
    m.value = typed(*x->times, t.int_);
    ctx_->loops.push_back(true);
    block(x->body, m.body);
    ctx_->loops.pop_back();
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::Together>(s)) return together(s, *x, out);
  if (as<ast::Break>(s)) {
    if (ctx_->loops.empty() || !ctx_->loops.back()) {
      auto report = out_.emit(kBreakPlace, s.span);
      if (!ctx_->loops.empty()) report.hint("a `for` or a `round` goes through all; put a `repeat at most n` in its place");
      return;
    }
    out.push_back(make(S::Break, s.span));
    return;
  }
  if (auto* x = as<ast::Return>(s)) {
    if (!allowed(s, "return", {W::Function})) return;
    Statement m = make(S::Return, s.span);
    if (!x->value) {
      out_.emit(kTypeMismatch, s.span, {t.print(ctx_->result), "nothing"});
      return;
    }
    m.value = typed(*x->value, ctx_->result);
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::Ask>(s)) return ask(s, *x, out);
  auto told = [&](const char* what, S op, const ast::Ident& who, const ast::Expr& value) {
    if (!allowed(s, what, {W::Play, W::Step, W::Move})) return;
    Statement m = make(op, s.span);
    m.player = player(who);
    m.value = text_of(value);
    if (m.player == UINT32_MAX) return;
    out.push_back(std::move(m));
  };
  if (auto* x = as<ast::Tell>(s)) return told("tell", S::Tell, x->player, *x->value);
  if (auto* x = as<ast::Brief>(s)) {
    const size_t before = out.size();
    told("brief", S::Brief, x->player, *x->value);
    if (!x->answered || out.size() == before) return;
    // The player hears what is pending, and the game answers for it.
    Statement m = make(S::Answer, s.span);
    m.player = out.back().player;
    m.value = text_of(*x->answered);
    if (game_->players[m.player].scripted) {
      out_.emit(kScripted, x->player.span, {x->player.name, "is scripted: it is never asked, so nothing is answered for it"})
          .label(game_->players[m.player].span, "declared `scripted`")
          .hint("`say` makes it speak");
      return;
    }
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::Say>(s)) {
    if (ctx_->where == W::Bot) {
      if (x->player) {
        out_.emit(kStatementPlace, x->player->span, {"say " + x->player->name, "a bot"}).hint("a bot says its own reply: `say \"…\"`");
        return;
      }
      Statement m = make(S::Say, s.span);
      m.player = ctx_->bot;
      m.value = text_of(*x->value);
      out.push_back(std::move(m));
      return;
    }
    if (!allowed(s, "say", {W::Play, W::Step, W::Move, W::Bot})) return;
    if (!x->player) {
      out_.emit(kMissingFields, s.span, {"`say`", "a scripted player"}).hint("write `say PLAYER \"…\"`");
      return;
    }
    Statement m = make(S::Say, s.span);
    m.player = player(*x->player);
    m.value = text_of(*x->value);
    if (m.player == UINT32_MAX) return;
    if (!game_->players[m.player].scripted) {
      out_.emit(kScripted, x->player->span, {x->player->name, "speaks for itself: only a scripted player can be made to `say`"})
          .label(game_->players[m.player].span, "declared without `scripted`")
          .hint("`tell` sends it a message");
      return;
    }
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::Note>(s)) {
    if (!allowed(s, "note", {W::Play, W::Step, W::Move})) return;
    Statement m = make(S::Note, s.span);
    m.text = x->key;
    m.value = std::holds_alternative<ast::MapLit>(x->value->node) ? typed(*x->value, t.document_) : expr(*x->value);
    if (bad(*m.value)) return;
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::RewardStmt>(s)) {
    if (!allowed(s, "reward", {W::Play, W::Step, W::Move})) return;
    Statement m = make(S::Reward, s.span);
    m.player = player(x->player);
    m.value = number(*x->value);
    if (m.player == UINT32_MAX) return;
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::Outcome>(s)) return outcome(s, *x, out);
  if (as<ast::Pass>(s) || as<ast::Retry>(s)) {
    auto* x = as<ast::Retry>(s);
    const bool ruled = ctx_->where == W::Move || ctx_->where == W::Step;
    if (!ruled || !ctx_->consequence) {
      out_.emit(kStatementPlace, s.span, {x ? "retry" : "pass", where_text(ctx_->where) + std::string(ruled ? ", outside a consequence" : "")})
          .hint("it stands behind the `else` of a format or a rule");
      return;
    }
    if (!x) {
      out.push_back(make(S::Pass, s.span));
      return;
    }
    Statement m = make(S::Retry, s.span);
    m.value = typed(*x->times, t.int_);
    if (m.value->op == Op::Int && m.value->int_value < 0 && !bad(*m.value))
      out_.emit(kOutOfRange, x->times->span, {std::to_string(m.value->int_value), "0 and above"});
    if (x->tell) m.value2 = text_of(*x->tell);
    if (x->then && x->then->present) {
      block(x->then->body, m.otherwise);
    } else {
      out_.emit(kOpenConsequence, s.span).hint("say what follows when the retries are used up: `retry n then abort \"…\"`");
    }
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::Read>(s)) return read(s, *x, out);
  if (auto* x = as<ast::Format>(s)) return format(s, *x, out);
  if (auto* x = as<ast::Check>(s)) return rule(s, *x, out);
  if (auto* x = as<ast::Gives>(s)) return gives(s, *x, out);
  if (auto* x = as<ast::ExperimentStmt>(s)) {
    if (!allowed(s, "experiment", {W::Generate})) return;
    if (ctx_->in_experiment) {
      out_.emit(kStatementPlace, s.span, {"experiment", "an experiment"});
      return;
    }
    Statement m = make(S::GenExperiment, s.span);
    m.value = text_of(*x->name);
    ctx_->in_experiment = true;
    ctx_->set_experiment.clear();
    block(x->body, m.body);
    ctx_->in_experiment = false;
    missing_fields(x->name->span, "this experiment", game_->experiment, ctx_->set_experiment);
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::InstancesStmt>(s)) {
    if (!allowed(s, "instances", {W::Generate})) return;
    if (!ctx_->in_experiment || ctx_->in_instances) {
      out_.emit(kStatementPlace, s.span, {"instances", ctx_->in_instances ? "`instances`" : "a generator, outside an experiment"})
          .hint("it stands inside `experiment \"…\" { … }`");
      return;
    }
    Statement m = make(S::GenInstances, s.span);
    m.value = typed(*x->count, t.int_);
    push();
    if (x->index) {
      m.local = declare(*x->index, t.int_, false, "variable", false);
      m.has_local = true;
    }
    ctx_->in_instances = true;
    ctx_->set_instance.clear();
    block(x->body, m.body);
    ctx_->in_instances = false;
    pop();
    missing_fields(x->count->span, "each instance", game_->instance, ctx_->set_instance);
    out.push_back(std::move(m));
    return;
  }
  if (auto* x = as<ast::ResourceStmt>(s)) {
    if (!allowed(s, "resource", {W::Generate})) return;
    if (!generator_resources_.count(x->name.name))
      out_.emit(kStatementPlace, s.span, {"resource", "a block"}).hint("it stands at the beginning of `generate`");
    return;
  }
}

void Checker::missing_fields(Span at, const char* what, const std::vector<Field>& fields, const std::set<uint32_t>& set) {
  std::string missing;
  for (uint32_t i = 0; i < fields.size(); ++i)
    if (!fields[i].initial_json && !set.count(i)) missing += (missing.empty() ? "`" : ", `") + fields[i].name + "`";
  if (!missing.empty()) out_.emit(kMissingFields, at, {what, missing}).hint("every field without a default is set");
}

/// Whether the walked value might be changed in place while the loop runs: anything changed in place will do, aliases
/// are not followed.
bool Checker::changes(const Statements& body, const Value&) {
  bool found = false;
  each_statement(body, [&](const Statement& s) {
    found |= s.op == S::Mutate || s.op == S::Step || s.op == S::Ask || (s.op == S::Assign && !s.place.path.empty());
  });
  return found;
}

/// The value of `let x = e else …`: what `e` gives when it gives something; else what stands there happens, and does not
/// come back. In a move it is a rule like any other.
ValuePtr Checker::unless_none(const ast::Stmt& s, const ast::Let& x, TypeId want, Statements& out) {
  TypeTable& t = game_->types;
  Span at = x.value->span;
  Statement m = make(S::Let, s.span);
  m.value = typed(*x.value, want == kNoType || want == poison_ ? want : t.optional(want));
  if (!bad(*m.value) && t[m.value->type].kind != Kind::Optional) {
    out_.emit(kTypeMismatch, at, {"an optional value", t.print(m.value->type)}).hint("this always has a value: leave the `else` out");
    m.value = poison(at);
  }
  bool broken = bad(*m.value);
  TypeId whole = broken ? poison_ : m.value->type;
  LocalId id = build(at).new_local("", whole);
  m.local = id;
  m.has_local = true;
  m.copy = share(*m.value) == Share::Changing;
  out.push_back(std::move(m));
  Build b = build(at);
  ValuePtr none = b.call(B::IsNone, t.bool_, b.local(id));
  bool rule = ctx_->where == Where::Move && !ctx_->consequence;
  Statement e = make(rule ? S::Check : S::If, s.span);
  if (rule) {
    e.rule = add_rule(ctx_->move, "expect", at);
    e.value = b.negate(std::move(none));
    consequence(x.otherwise, {s.span.file, s.span.begin, at.end}, "rule", e.otherwise);
  } else {
    e.leaves = true;
    e.value = std::move(none);
    block(x.otherwise.body, e.body);
  }
  out.push_back(std::move(e));
  if (broken) return poison(at);
  return b.call(B::ValueOf, t[whole].args[0], b.local(id));
}

void Checker::let(const ast::Stmt& s, const ast::Let& x, Statements& out) {
  Statement m = make(S::Let, s.span);
  TypeId want = x.type ? type(*x.type) : kNoType;
  if (x.as) {
    TypeId read = type(*x.as);
    if (x.type) out_.emit(kDuplicate, x.as->span, {"type"}).hint("the type stands behind `:` or behind `as`, not behind both");
    else want = x.otherwise.present || read == poison_ ? read : game_->types.optional(read);
  }
  if (!x.value) {
    out_.emit(kMissingFields, x.name.span, {"`" + x.name.name + "`", "a value"}).hint("write `= …`");
    declare(x.name, want == kNoType ? poison_ : want, x.mutable_, "variable", false);
    return;
  }
  m.value = x.otherwise.present ? unless_none(s, x, want, out) : typed(*x.value, want);
  TypeId type = want != kNoType ? want : m.value->type;
  bool field = ctx_->where == Where::Move && ctx_->top;
  m.local = declare(x.name, type, x.mutable_, "variable", !field && !bad(*m.value));
  m.has_local = true;
  Share how = share(*m.value);
  m.copy = x.mutable_ ? how != Share::Fresh : how == Share::Changing;
  if (field) {
    if (x.name.name == "said" || x.name.name == "accepted")
      out_.emit(kShadowing, x.name.span, {x.name.name}).hint("every move's value has `said` and `accepted`");
    move_fields_.push_back({x.name.name, type, m.local, x.name.span});
    part_of_value(x.name.span);
  }
  out.push_back(std::move(m));
}

std::optional<Place> Checker::place(const ast::Expr& e, TypeId& type) {
  TypeTable& t = game_->types;
  if (auto* n = std::get_if<ast::Name>(&e.node)) {
    Place p;
    if (Variable* v = find(n->name)) {
      uses(n->span, v->span, true);
      if (!v->changeable) {
        auto report = out_.emit(kNotChangeable, e.span, {n->name, std::string("it is a ") + v->what + " declared without `var`"});
        report.label(v->span, "declared here");
        if (v->what == std::string("variable") && !v->ask) {
          report.hint("declare it with `var`");
          // A `let` stands right in front of its name.
          Span word = {v->span.file, v->span.begin < 4 ? 0 : v->span.begin - 4, v->span.begin};
          if (source_text(out_.sources(), word) == "let ") report.fix("declare it with `var`", {word.file, word.begin, word.end - 1}, "var");
        }
        v->used = true;
        return std::nullopt;
      }
      p.local = v->id;
      type = p.root_type = ctx_->body->locals[v->id].type;
      if (type == poison_) return std::nullopt;
      return p;
    }
    if (auto m = memory_.find(n->name); m != memory_.end()) {
      uses(n->span, m->second.span, true);
      p.is_slot = true;
      p.slot = m->second.index;
      type = p.root_type = game_->slots[p.slot].type;
      return p;
    }
    auto s = values_.find(n->name);
    if (s == values_.end()) {
      unknown(n->name, n->span);
      return std::nullopt;
    }
    uses(n->span, s->second.span, true);
    if (s->second.kind != Symbol::Kind::State) {
      out_.emit(kNotChangeable, e.span, {n->name, "fields and resources stay as they are"})
          .label(s->second.span, "declared here")
          .hint("a `state` variable or a `var` can change");
      return std::nullopt;
    }
    if (ctx_->where != Where::Play && ctx_->where != Where::Step) {
      out_.emit(kNotChangeable, e.span, {n->name, "only play and steps change the state"})
          .label(s->second.span, "declared here");
      return std::nullopt;
    }
    p.is_slot = true;
    p.slot = s->second.index;
    type = p.root_type = game_->slots[p.slot].type;
    if (type == poison_) return std::nullopt;
    return p;
  }
  if (auto* x = std::get_if<ast::Index>(&e.node)) {
    auto p = place(*x->object, type);
    if (!p) return p;
    Place::Part part;
    part.container = type;
    const Type c = t[type];
    if (c.kind == Kind::List) {
      part.kind = Place::Part::Kind::Index;
      part.value = typed(*x->index, t.int_);
      type = c.args[0];
    } else if (c.kind == Kind::Map) {
      part.kind = Place::Part::Kind::Key;
      part.value = typed(*x->index, c.args[0]);
      type = c.args[1];
    } else {
      auto report = out_.emit(kNotChangeable, e.span, {source_text(out_.sources(), e.span), "`" + t.print(type) + "` has no elements to set"});
      if (c.kind == Kind::Text) report.hint("a text is one value: make a new one, or change a list of its `letters`");
      return std::nullopt;
    }
    if (bad(*part.value)) return std::nullopt;
    p->path.push_back(std::move(part));
    return p;
  }
  if (auto* x = std::get_if<ast::FieldAccess>(&e.node)) {
    auto p = place(*x->object, type);
    if (!p) return p;
    const Type c = t[type];
    for (size_t i = 0; c.kind == Kind::Record && i < c.names.size(); ++i) {
      if (c.names[i] != x->field.name) continue;
      uses_member(x->field.span, type, x->field.name, true);
      Place::Part part;
      part.kind = Place::Part::Kind::Field;
      part.field = static_cast<uint32_t>(i);
      part.container = type;
      p->path.push_back(std::move(part));
      type = c.args[i];
      return p;
    }
    out_.emit(kUnknownMember, x->field.span, {t.print(type), x->field.name}).hint("the fields of records can be set");
    return std::nullopt;
  }
  out_.emit(kNotChangeable, e.span, {source_text(out_.sources(), e.span), "it is no variable"});
  return std::nullopt;
}

void Checker::generate_field(const ast::Stmt& s, const ast::Assign& x, const std::string& name, Span span, Statements& out) {
  std::vector<Field>& fields = ctx_->in_instances ? game_->instance : game_->experiment;
  std::set<uint32_t>& set = ctx_->in_instances ? ctx_->set_instance : ctx_->set_experiment;
  for (uint32_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name != name) continue;
    set.insert(i);
    uses(span, fields[i].span, true);
    Statement m = make(S::GenField, s.span);
    m.slot = ctx_->in_instances ? 1 : 0;
    m.index = i;
    m.value = typed(*x.value, fields[i].type);
    if (m.value->op == Op::Int && !bad(*m.value) && fields[i].low &&
        (m.value->int_value < *fields[i].low || m.value->int_value > fields[i].high.value_or(INT64_MAX)))
      out_.emit(kOutOfRange, x.value->span, {std::to_string(m.value->int_value), "the range of `" + name + "`"}).label(fields[i].span, "declared here");
    out.push_back(std::move(m));
    return;
  }
  expr(*x.value);
  const char* what = ctx_->in_instances ? "the instance" : "the experiment";
  auto other = values_.find(name);
  std::vector<std::string> names;
  for (const Field& f : fields) names.push_back(f.name);
  auto report = out_.emit(kUnknownField, span, {name, what});
  std::string near = diag::closest(name, names);
  if (other != values_.end()) report.label(other->second.span, "this is declared elsewhere");
  else if (!near.empty()) report.meant(name, near);
}

void Checker::assign(const ast::Stmt& s, const ast::Assign& x, Statements& out) {
  if (!allowed(s, "=", {Where::Play, Where::Step, Where::Function, Where::Move, Where::Bot, Where::Generate})) return;
  if (auto* n = std::get_if<ast::Name>(&x.target->node))
    if (ctx_->where == Where::Generate && ctx_->in_experiment && !find(n->name))
      return generate_field(s, x, n->name, x.target->span, out);
  TypeId type = kNoType;
  auto p = place(*x.target, type);
  if (!p) {
    expr(*x.value, poison_);
    return;
  }
  Statement m = make(S::Assign, s.span);
  m.place = std::move(*p);
  m.value = own(typed(*x.value, type));
  out.push_back(std::move(m));
}

void Checker::evaluate(const ast::Stmt& s, const ast::Evaluate& x, Statements& out) {
  TypeTable& t = game_->types;
  const ast::Expr& e = *x.call;
  const ast::Expr* receiver = nullptr;
  const ast::Ident* name = nullptr;
  static const std::vector<ast::Arg> no_args;
  const std::vector<ast::Arg>* args = &no_args;
  ast::Ident plain;
  if (auto* n = std::get_if<ast::Name>(&e.node)) {
    plain = {n->name, e.span};
    name = &plain;
  } else if (auto* c = std::get_if<ast::Call>(&e.node)) {
    receiver = c->receiver.get();
    name = &c->callee;
    args = &c->args;
  } else if (auto* f = std::get_if<ast::FieldAccess>(&e.node)) {
    receiver = f->object.get();
    name = &f->field;
  } else {
    expr(e);
    out_.emit(kValueUnused, e.span).hint("`let x = …` keeps it");
    return;
  }
  if (!receiver) {
    auto at = callables_.find(name->name);
    if (at != callables_.end() && at->second.step) return step_call(s.span, *name, *args, out);
    bool builtin = false;
    for (const Row& r : rows()) builtin |= r.form == Row::Form::Function && name->name == r.name;
    if (at != callables_.end() || builtin || find(name->name) || values_.count(name->name) || memory_.count(name->name)) {
      expr(e);
      out_.emit(kValueUnused, e.span).hint("`let x = …` keeps it");
      return;
    }
    for (const ast::Arg& a : *args)
      if (a.value) expr(*a.value);
    std::vector<std::string> names;
    for (auto& [n, c] : callables_)
      if (c.step) names.push_back(n);
    std::string near = diag::closest(name->name, names);
    if (near.empty() && !first("step ", name->name)) return;
    auto report = out_.emit(kUnknownStep, name->span, {name->name});
    if (!near.empty()) report.meant(name->name, near);
    return;
  }
  bool change = false;
  for (const Row& r : rows()) change |= r.form == Row::Form::Change && name->name == r.name;
  if (!change) {
    if (!bad(*expr(e))) out_.emit(kValueUnused, e.span).hint("values do not change: keep the new one, `x = x." + name->name + "`");
    return;
  }
  if (!allowed(s, name->name.c_str(), {Where::Play, Where::Step, Where::Function, Where::Move, Where::Bot, Where::Generate})) return;
  TypeId type = kNoType;
  auto p = place(*receiver, type);
  if (p) has_type(receiver->span, type);
  if (!p) {
    for (const ast::Arg& a : *args)
      if (a.value) expr(*a.value, poison_);
    return;
  }
  const Row* found = nullptr;
  Bindings bindings;
  for (const Row& r : rows()) {
    Bindings b;
    if (r.form != Row::Form::Change || name->name != r.name || !matches(t, r.params[0], type, b)) continue;
    found = &r;
    bindings = b;
  }
  if (!found) {
    out_.emit(kUnknownMember, name->span, {t.print(type), name->name});
    for (const ast::Arg& a : *args)
      if (a.value) expr(*a.value);
    return;
  }
  if (args->size() != found->params.size() - 1) {
    out_.emit(kArguments, s.span, {name->name, std::to_string(found->params.size() - 1) + (found->params.size() == 2 ? " argument" : " arguments"), std::to_string(args->size())})
        .hint("it is `" + signature(*found) + "`");
    return;
  }
  uses_own(name->span, name->name, found);
  Statement m = make(S::Mutate, s.span);
  m.place = std::move(*p);
  m.builtin = found->builtin;
  std::vector<ValuePtr> values;
  for (size_t i = 0; i < args->size(); ++i) values.push_back(typed(*(*args)[i].value, instantiate(t, found->params[i + 1], bindings)));
  for (const char* c = found->arguments; *c; ++c) {
    if (*c == 'L') m.args.push_back(build(s.span).type_index(type));
    else m.args.push_back(own(std::move(values[static_cast<size_t>(*c - '1')])));
  }
  out.push_back(std::move(m));
}

void Checker::step_call(Span span, const ast::Ident& callee, const std::vector<ast::Arg>& args, Statements& out) {
  Callable& c = callables_.find(callee.name)->second;
  c.used = true;
  uses(callee.span, c.span);
  if (ctx_->where != Where::Play && ctx_->where != Where::Step && ctx_->where != Where::Move) {
    out_.emit(kStatementPlace, span, {callee.name, where_text(ctx_->where)}).label(c.span, "a step: a piece of play or of a move");
    return;
  }
  const Step& step = game_->steps[c.index];
  if (args.size() != step.params) {
    out_.emit(kArguments, span, {callee.name, std::to_string(step.params) + (step.params == 1 ? " argument" : " arguments"), std::to_string(args.size())})
        .label(c.span, "declared here");
    return;
  }
  Statement m = make(S::Step, span);
  m.step = c.index;
  for (size_t i = 0; i < args.size(); ++i) {
    if (args[i].name && args[i].name->name != step.body.locals[i].name) {
      out_.emit(kUnknownField, args[i].name->span, {args[i].name->name, "the parameters of `" + callee.name + "` at this place"}).label(c.span, "declared here");
      return;
    }
    if (args[i].name) uses(args[i].name->span, step.body.locals[i].span);
    m.args.push_back(settle(typed(*args[i].value, step.body.locals[i].type)));
  }
  out.push_back(std::move(m));
}

void Checker::ask(const ast::Stmt& s, const ast::Ask& x, Statements& out) {
  TypeTable& t = game_->types;
  if (!allowed(s, "ask", {Where::Play, Where::Step})) return;
  ValuePtr aside = x.aside ? text_of(*x.aside) : nullptr;
  uint32_t who = player(x.player);
  auto at = types_.find(x.move.name);
  if (at == types_.end() || at->second.kind != NamedType::Kind::Move) {
    if (x.bind) declare(x.name, poison_, false, "variable", false);
    std::vector<std::string> names;
    for (auto& [n, d] : types_)
      if (d.kind == NamedType::Kind::Move) names.push_back(n);
    std::string near = diag::closest(x.move.name, names);
    if (near.empty() && !first("move ", x.move.name)) return;
    auto report = out_.emit(kUnknownMove, x.move.span, {x.move.name});
    if (at != types_.end()) report.label(at->second.span, "this is no move");
    if (!near.empty()) report.meant(x.move.name, near);
    return;
  }
  at->second.used = true;
  uses(x.move.span, at->second.span);
  uint32_t index = at->second.index;
  ensure_move(index, x.move.span);
  if (who != UINT32_MAX) {
    const Player& p = game_->players[who];
    if (p.scripted) {
      out_.emit(kScripted, x.player.span, {p.name, "is scripted: it cannot be asked"}).label(p.span, "declared `scripted`").hint("`say` makes it speak");
    } else if (!(game_->moves[index].players >> who & 1)) {
      out_.emit(kNotTheirMove, x.player.span, {p.name, x.move.name})
          .label(game_->moves[index].span, "who makes it is said here")
          .hint("add the player behind `by`");
    }
  }
  uint32_t number = static_cast<uint32_t>(game_->asks.size());
  AskResult result;
  result.move = index;
  const Type type = t[game_->moves[index].value_type];
  Build m = build(x.bind ? x.name.span : s.span);
  for (size_t i = 0; i < type.args.size(); ++i)
    result.locals.push_back(m.new_local((x.bind ? x.name.name : x.move.name) + "." + type.names[i], type.args[i]));
  game_->asks.push_back(std::move(result));
  if (x.bind) {
    shadows(x.name.name, x.name.span);
    Variable v;
    v.id = number;
    v.ask = true;
    v.what = "value";
    v.span = x.name.span;
    v.warn = !x.name.name.starts_with("_");
    ctx_->scopes.back()[x.name.name] = v;
    declares(Declared::Kind::Variable, x.name.name, x.name.span, game_->moves[index].value_type);
  }
  if (who == UINT32_MAX) return;
  Statement ask = make(S::Ask, s.span);
  ask.player = who;
  ask.move = index;
  ask.ask = number;
  ask.value = std::move(aside);
  out.push_back(std::move(ask));
}

// The asks follow each other in the program; that nobody hears of another's reply before all are in is what is checked.
void Checker::together(const ast::Stmt& s, const ast::Together& x, Statements& out) {
  if (!allowed(s, "together", {Where::Play, Where::Step})) return;
  const size_t before = out.size();
  for (const ast::Stmt& inner : x.body) {
    auto* a = as<ast::Ask>(inner);
    if (!a || a->aside) {
      out_.emit(kTogether, inner.span, {a ? "a side question" : "this statement", "it takes asks of different players, and nothing else"});
      if (!a) continue;
    }
    ask(inner, *a, out);
  }
  uint64_t players = 0;
  for (size_t i = before; i < out.size(); ++i) {
    const uint64_t bit = uint64_t{1} << out[i].player;
    if (players & bit)
      out_.emit(kTogether, out[i].span, {"a second ask of `" + game_->players[out[i].player].name + "`", "players answer at the same time"});
    players |= bit;
  }
  // The first statement that tells another of them something; null if there is none.
  std::function<const Statement*(const Statements&, uint32_t)> telling = [&](const Statements& inside, uint32_t by) -> const Statement* {
    for (const Statement& t : inside) {
      if ((t.op == S::Tell || t.op == S::Brief || t.op == S::Say) && t.player != by && (players >> t.player & 1)) return &t;
      const Statements& called = t.op == S::Step ? game_->steps[t.step].body.statements : t.body;
      for (const Statements* deeper : {&called, &t.otherwise})
        if (const Statement* found = telling(*deeper, by)) return found;
    }
    return nullptr;
  };
  for (size_t i = before; i < out.size(); ++i)
    if (const Statement* t = telling(game_->moves[out[i].move].body.statements, out[i].player))
      out_.emit(kTogether, out[i].span, {"this ask", "its move tells `" + game_->players[t->player].name + "` something, who answers at the same time"})
          .label(t->span, "told here");
  if (out.size() < before + 2 && x.body.size() < 2)
    out_.emit(kTogether, s.span, {"a single ask", "it is for two players or more"});
}

void Checker::outcome(const ast::Stmt& s, const ast::Outcome& x, Statements& out) {
  static const char* const names[] = {"win", "lose", "abort"};
  const char* name = names[static_cast<int>(x.kind)];
  if (!allowed(s, name, {Where::Play, Where::Step, Where::Move})) return;
  if (ctx_->where == Where::Move && !ctx_->consequence) {
    out_.emit(kStatementPlace, s.span, {name, "a move, outside a consequence"})
        .hint("it stands behind the `else` of a format or a rule: `forbid … else " + std::string(name) + "`");
    return;
  }
  Statement m = make(S::Finish, s.span);
  m.outcome = x.kind == ast::Outcome::Kind::Win ? PPC_WON : x.kind == ast::Outcome::Kind::Lose ? PPC_LOST : PPC_ABORTED;
  if (x.score) {
    m.value = number(*x.score);
    if (x.kind == ast::Outcome::Kind::Abort) out_.emit(kStatementPlace, x.score->span, {"score", "an `abort`"}).hint("an aborted episode has no score");
  }
  if (x.reason) m.value2 = text_of(*x.reason);
  out.push_back(std::move(m));
}

}  // namespace ppc::sema
