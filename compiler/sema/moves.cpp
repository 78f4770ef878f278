// Moves: what a reply must look like, the rules it must keep, and the value it then is.
#include <algorithm>

#include "compiler/formats/formats.h"
#include "compiler/sema/checker.h"

namespace ppc::sema {

using B = ppc::Builtin;
using Op = Value::Op;
using S = Statement::Op;

namespace {

Statement make(S op, Span span) {
  Statement s;
  s.op = op;
  s.span = span;
  return s;
}

using Reveals = std::unordered_map<const Value*, Span>;

Walk clone(const Walk&, Reveals&);

ValuePtr clone(const ValuePtr& from, Reveals& reveals) {
  if (!from) return nullptr;
  auto v = std::make_unique<Value>();
  v->op = from->op; v->type = from->type; v->span = from->span;
  v->int_value = from->int_value; v->float_value = from->float_value; v->text_value = from->text_value;
  v->local = from->local; v->slot = from->slot; v->index = from->index; v->function = from->function;
  v->segment = from->segment; v->builtin = from->builtin;
  for (const ValuePtr& a : from->args) v->args.push_back(clone(a, reveals));
  for (const Walk& w : from->walks) v->walks.push_back(clone(w, reveals));
  if (auto r = reveals.find(from.get()); r != reveals.end()) {
    Span span = r->second;
    reveals[v.get()] = span;
  }
  return v;
}

Walk clone(const Walk& from, Reveals& reveals) {
  Walk w;
  w.over = from.over;
  w.source = clone(from.source, reveals);
  w.source2 = clone(from.source2, reveals);
  w.names = from.names;
  w.takes_tuple_apart = from.takes_tuple_apart;
  w.condition = clone(from.condition, reveals);
  return w;
}

Statements clone(const Statements& list, Reveals& reveals) {
  Statements result;
  for (const Statement& from : list) {
    Statement s = make(from.op, from.span);
    s.local = from.local; s.has_local = from.has_local; s.copy = from.copy; s.outermost = from.outermost;
    s.player = from.player; s.move = from.move; s.ask = from.ask; s.step = from.step; s.rule = from.rule;
    s.format = from.format; s.slot = from.slot; s.index = from.index; s.outcome = from.outcome;
    s.text = from.text; s.builtin = from.builtin; s.names = from.names;
    s.place.is_slot = from.place.is_slot; s.place.local = from.place.local; s.place.slot = from.place.slot;
    s.place.root_type = from.place.root_type;
    for (const Place::Part& p : from.place.path) s.place.path.push_back({p.kind, clone(p.value, reveals), p.field, p.container});
    s.value = clone(from.value, reveals);
    s.value2 = clone(from.value2, reveals);
    for (const ValuePtr& a : from.args) s.args.push_back(clone(a, reveals));
    if (from.walk) s.walk = clone(*from.walk, reveals);
    s.body = clone(from.body, reveals);
    s.otherwise = clone(from.otherwise, reveals);
    result.push_back(std::move(s));
  }
  return result;
}

}  // namespace

void Checker::ensure_move(uint32_t index, Span span) {
  if (move_states_[index] == MoveState::Done) return;
  if (move_states_[index] == MoveState::Busy) {
    out_.emit(kDependsOnItself, span, {game_->moves[index].name})
        .label(game_->moves[index].span, "the move is declared here")
        .hint("a rule of a move may not look into a value of the same move; keep what it needs in a `state` variable of its own");
    return;
  }
  check_move(index);
}

void Checker::check_move(uint32_t index) {
  TypeTable& t = game_->types;
  const ast::MoveDecl& decl = *move_decls_[index];
  move_states_[index] = MoveState::Busy;
  auto fields = std::move(move_fields_);
  auto captures = std::move(move_captures_);
  auto formats = std::move(move_formats_);
  auto holes = std::move(move_holes_);
  auto aims = std::move(move_aims_);
  move_fields_.clear();
  move_captures_.clear();
  move_formats_.clear();
  move_holes_.clear();
  move_aims_.clear();
  Context* outer = ctx_;
  Context context;
  context.where = Where::Move;
  context.move = index;
  context.top = true;
  // The move's own body must not move in memory while others are checked on the way.
  context.body = &game_->moves[index].body;
  ctx_ = &context;
  push();
  Statements list;
  statements(decl.body, list);
  bool given = !list.empty() && list.back().op == S::Gives;
  if (!given) {
    Statement g = make(S::Gives, decl.name.span);
    for (LocalId id : move_captures_) {
      g.names.push_back(context.body->locals[id].name);
      g.args.push_back(build(decl.name.span).to_text(build(decl.name.span).local(id)));
    }
    list.push_back(std::move(g));
  }
  pop();
  Move& m = game_->moves[index];
  m.body.statements = std::move(list);

  Type value = t[m.value_type];
  value.args = {t.text_, t.bool_};
  value.names = {"said", "accepted"};
  m.fields = {std::nullopt, std::nullopt};
  for (MoveField& f : move_fields_) {
    value.args.push_back(f.type);
    value.names.push_back(f.name);
    m.fields.push_back(f.local);
    members_[{m.value_type, f.name}] = f.span;
  }
  t.complete(m.value_type, std::move(value));

  std::vector<const std::vector<ast::FormatItem>*> all = move_formats_;
  all.insert(all.end(), move_aims_.begin(), move_aims_.end());
  if (!all.empty()) {
    formats::Problem problem;
    if (all.size() > 1 && formats::empty_intersection(all, {}, &problem)) {
      auto report = out_.emit(kNoReply, decl.name.span, {m.name});
      for (const auto* items : all)
        if (!items->empty()) report.label({items->front().span.file, items->front().span.begin, items->back().span.end}, "must fit");
    } else if (!problem.found()) {
      // What a grammar makes of holes is any text: an aim would say little with that.
      std::erase_if(all, [&](const auto* items) { return move_holes_.count(items) && std::count(move_aims_.begin(), move_aims_.end(), items); });
      if (!all.empty()) m.grammar = formats::grammar(all);
      reply_language(m);
    }
  }
  ctx_ = outer;
  move_fields_ = std::move(fields);
  move_captures_ = std::move(captures);
  move_formats_ = std::move(formats);
  move_holes_ = std::move(holes);
  move_aims_ = std::move(aims);
  move_states_[index] = MoveState::Done;
}

namespace {

/// Which texts the function leaves as they are, where `v` applies functions that this is known of to the reply.
bool unchanged(const Value& v, std::vector<formats::Unchanged>& out) {
  using By = formats::Unchanged::By;
  if (v.op == Op::Reply) return true;
  if (v.op != Op::Builtin || v.args.empty()) return false;
  const auto constant = [&](size_t i) { return v.args.size() > i && v.args[i]->op == Op::Text ? v.args[i]->text_value : std::string(); };
  switch (v.builtin) {
    case B::TextTrimmed: out.insert(out.end(), {{By::TrimmedStart, ""}, {By::TrimmedEnd, ""}}); break;
    case B::TextTrimmedStart: out.push_back({By::TrimmedStart, ""}); break;
    case B::TextTrimmedEnd: out.push_back({By::TrimmedEnd, ""}); break;
    case B::TextTrimmedOf:
      if (constant(1).empty()) return false;
      out.insert(out.end(), {{By::TrimmedStart, constant(1)}, {By::TrimmedEnd, constant(1)}});
      break;
    case B::TextLower: out.push_back({By::Lower, ""}); break;
    case B::TextWithoutPunctuation: out.push_back({By::WithoutPunctuation, ""}); break;
    case B::TextReplace:
      if (constant(1).empty()) return false;
      out.push_back({By::Replace, constant(1)});
      break;
    default: return false;
  }
  return unchanged(*v.args[0], out);
}

bool fits_all(const formats::Replies& r) {
  // Any text is one state of characters, which has an edge for every first byte there is.
  const auto& start = r.states[0];
  return start.accepts && start.edges.front().low == 0 && start.edges.front().high == 0x7F && start.edges.front().to == 0 && start.edges.back().high == 0xF4 && r.states.size() == 8;
}

}  // namespace

void Checker::reply_language(Move& m) {
  std::vector<formats::Unchanged> reading;
  const Statements& body = m.body.statements;
  const bool reads = ctx_->said && !body.empty() && body[0].op == S::Let && body[0].local == *ctx_->said;
  if (reads) m.exact = unchanged(*body[0].value, reading);
  std::vector<const std::vector<ast::FormatItem>*> plain;
  for (const auto* items : move_formats_)
    if (!move_holes_.count(items)) plain.push_back(items);
  formats::Replies all = formats::replies(plain, m.exact ? reading : std::vector<formats::Unchanged>());
  // Where nothing that has the form stays what it is, the form is still the best that can be said.
  if (all.states.empty() && m.exact) {
    m.exact = !reads;
    all = formats::replies(plain, {});
  }
  if (!all.states.empty() && !fits_all(all)) m.replies.push_back(std::move(all));
  const auto with_holes = [&](const std::vector<ast::FormatItem>& items) {
    formats::Replies part = formats::replies_with_holes(items);
    if (part.states.empty()) return;
    for (auto& s : part.states)
      for (auto& h : s.holes) h.hole += move_holes_.at(&items);
    m.replies.push_back(std::move(part));
  };
  for (const auto* items : move_formats_)
    if (move_holes_.count(items)) with_holes(*items);
  const size_t formats = m.replies.size();
  for (const auto* items : move_aims_) {
    if (move_holes_.count(items)) with_holes(*items);
    else if (formats::Replies part = formats::replies({items}, {}); !part.states.empty() && !fits_all(part)) m.replies.push_back(std::move(part));
  }
  m.aims = static_cast<uint32_t>(m.replies.size() - formats);
  if (m.holes.empty() && !m.aims) return;
  TypeTable& t = game_->types;
  Build b = build(m.span);
  std::vector<ValuePtr> lists;
  for (const Move::Hole& h : m.holes) {
    lists.push_back(build(game_->functions[h.function].span).op(Op::Call, t.list(t.text_)));
    lists.back()->function = h.function;
  }
  Statement texts = make(S::Return, m.span);
  texts.value = b.of(Op::MakeList, t.list(t.list(t.text_)), std::move(lists));
  m.hole_texts.statements.push_back(std::move(texts));
}

uint32_t Checker::add_rule(uint32_t move, const std::string& kind, Span span) {
  Rule r;
  r.move = move;
  r.kind = kind;
  r.text = source_text(out_.sources(), span);
  r.span = span;
  game_->rules.push_back(std::move(r));
  return static_cast<uint32_t>(game_->rules.size() - 1);
}

void Checker::read(const ast::Stmt& s, const ast::Read& x, Statements& out) {
  TypeTable& t = game_->types;
  if (!allowed(s, "read", {Where::Move})) return;
  if (!ctx_->top || !out.empty()) {
    out_.emit(kReadFirst, s.span);
    return;
  }
  Statement m = make(S::Let, s.span);
  m.value = typed(*x.value, t.text_);
  m.local = build(s.span).new_local("said", t.text_);
  m.has_local = true;
  ctx_->said = m.local;
  out.push_back(std::move(m));
}

void Checker::consequence(const ast::Consequence& c, Span span, const char* what, Statements& out) {
  if (!c.present) {
    out_.emit(kNoConsequence, span, {what}).hint("add `else abort \"…\"`, `else lose \"…\"`, `else retry n tell \"…\" then …` or `else pass`");
    return;
  }
  bool outer = ctx_->consequence;
  ctx_->consequence = true;
  block(c.body, out);
  ctx_->consequence = outer;
}

void Checker::format(const ast::Stmt& s, const ast::Format& x, Statements& out) {
  TypeTable& t = game_->types;
  const char* word = x.aim ? "aim" : "format";
  if (!allowed(s, word, {Where::Move})) return;
  if (!ctx_->top) {
    out_.emit(kStatementPlace, s.span, {word, "a block"}).hint(std::string(word) + "s stand in the move's body itself");
    return;
  }
  if (x.aim) return aim(s, x);
  Span span = s.span;
  if (!x.items.empty()) span = {s.span.file, x.items.front().span.begin, x.items.back().span.end};
  CompiledFormat compiled;
  std::vector<formats::CaptureInfo> captures;
  formats::Problem problem;
  formats::HoleProgram program;
  const bool holes = formats::has_holes(x.items);
  if (holes) {
    // Whether the reply is a text at all is asked first, then a function of the runtime reads it.
    program = formats::compile_with_holes(x.items, {}, &problem);
    captures = program.captures;
    std::vector<ast::FormatItem> any(1);
    any[0].kind = ast::FormatItem::Kind::Capture;
    any[0].char_class = "text";
    std::vector<formats::CaptureInfo> none;
    compiled.automaton = formats::compile(any, {}, none, nullptr);
    for (const ast::FormatItem* hole : program.holes)
      if (hole->char_class != "text" && !problem.found()) problem = {"only `text` goes with `in`: `{text in …}`", hole->class_span};
  } else {
    compiled.automaton = formats::compile(x.items, {}, captures, &problem);
  }
  if (problem.found()) {
    out_.emit(kFormat, problem.span.end > problem.span.begin ? problem.span : span, {problem.message});
    // What comes behind is checked as if the format were good: it is one mistake.
    Statements dropped;
    consequence(x.otherwise, span, "format", dropped);
    name_captures(x.items);
    return;
  }
  compiled.form = formats::form(x.items);
  move_formats_.push_back(&x.items);
  Statement m = make(S::Format, s.span);
  m.rule = add_rule(ctx_->move, "format", span);
  Build b = build(s.span);
  m.value = ctx_->said ? b.local(*ctx_->said) : b.op(Op::Reply, t.text_);
  consequence(x.otherwise, span, "format", m.otherwise);
  uint32_t rule = m.rule;
  m.format = static_cast<uint32_t>(game_->moves[ctx_->move].formats.size());
  Statements after;
  LocalId caught = 0;
  if (holes) caught = fill_holes(x.items, program, m, after);
  uint32_t number_of = 0;
  const auto keep = [&](std::optional<LocalId> id) {
    const uint32_t k = number_of++;
    if (!holes) return compiled.captures.push_back(id);
    if (!id) return;
    Statement let = make(S::Let, captures[k].span);
    Build at = build(captures[k].span);
    let.value = at.call(B::ListAt, t.text_, at.local(caught), at.integer(k));
    let.local = *id;
    let.has_local = true;
    after.push_back(std::move(let));
  };
  for (const formats::CaptureInfo& c : captures) {
    if (c.name.empty()) {
      keep(std::nullopt);
      continue;
    }
    if (Variable* v = find(c.name); v && v->what == std::string("capture")) {
      out_.emit(kDuplicate, c.span, {c.name}).label(v->span, "the first capture of this name");
      keep(std::nullopt);
      continue;
    }
    if (c.name == "said" || c.name == "accepted")
      out_.emit(kShadowing, c.span, {c.name}).hint("every move's value has `said` and `accepted`");
    bool number = c.char_class == "int";
    Build at = build(c.span);
    if (!number) {
      LocalId id = declare({c.name, c.span}, t.text_, false, "capture", false);
      keep(id);
      move_captures_.push_back(id);
      move_fields_.push_back({c.name, t.text_, id, c.span});
      part_of_value(c.span);
      continue;
    }
    LocalId raw = at.new_local("", t.text_);
    keep(raw);
    // Digits that no int holds break the format like anything else that is not one.
    Statement check = make(S::Check, s.span);
    check.rule = rule;
    check.value = at.call(B::TextIsInt, t.bool_, at.local(raw));
    if (c.optional)
      check.value = at.op(Op::Or, t.bool_, at.call(B::TextEq, t.bool_, at.local(raw), at.text("")), std::move(check.value));
    check.otherwise = clone(m.otherwise, facts_.reveals);
    after.push_back(std::move(check));
    Statement let = make(S::Let, c.span);
    let.value = at.call(B::TextToInt, t.int_, at.local(raw));
    if (c.optional)
      let.value = at.op(Op::If, t.int_, at.call(B::TextEq, t.bool_, at.local(raw), at.text("")), at.integer(0), std::move(let.value));
    let.local = declare({c.name, c.span}, t.int_, false, "capture", false);
    let.has_local = true;
    move_captures_.push_back(let.local);
    move_fields_.push_back({c.name, t.int_, let.local, c.span});
    part_of_value(c.span);
    after.push_back(std::move(let));
  }
  if (names_) same_captures(x.items);
  game_->moves[ctx_->move].formats.push_back(std::move(compiled));
  out.push_back(std::move(m));
  for (Statement& a : after) out.push_back(std::move(a));
}

/// What a reply is best like, beyond formats: nothing is asked of it, but a model is held to it when its decoding is constrained.
void Checker::aim(const ast::Stmt& s, const ast::Format& x) {
  formats::Problem problem;
  formats::HoleProgram program = formats::compile_with_holes(x.items, {}, &problem);
  if (!problem.found() && x.otherwise.present) problem = {"an `aim` has no consequence: nothing is asked of a reply", x.otherwise.span};
  if (!problem.found() && !program.captures.empty()) problem = {"an `aim` captures nothing", program.captures[0].span};
  for (const ast::FormatItem* hole : program.holes)
    if (hole->char_class != "text" && !problem.found()) problem = {"only `text` goes with `in`: `{text in …}`", hole->class_span};
  if (problem.found()) {
    out_.emit(kFormat, problem.span.end > problem.span.begin ? problem.span : s.span, {problem.message});
    return;
  }
  move_aims_.push_back(&x.items);
  game_->moves[ctx_->move].aim_forms.push_back(formats::form(x.items));
  if (!program.holes.empty()) number_holes(x.items, program);
}

void Checker::number_holes(const std::vector<ast::FormatItem>& items, const formats::HoleProgram& program) {
  Move& move = game_->moves[ctx_->move];
  move_holes_[&items] = static_cast<uint32_t>(move.holes.size());
  for (const ast::FormatItem* hole : program.holes) move.holes.push_back({hole_functions_.at(hole).function, hole->among_text});
}

/// The texts that may stand in the holes of a format, known from now on, and what the reply's captures then are, if it fits: a list,
/// whose local this gives. `m` is the format.
LocalId Checker::fill_holes(const std::vector<ast::FormatItem>& items, const formats::HoleProgram& program, Statement& m, Statements& out) {
  TypeTable& t = game_->types;
  Build b = build(m.span);
  const TypeId texts = t.list(t.text_);
  number_holes(items, program);
  std::vector<ValuePtr> code, lists;
  for (int64_t i : program.code) code.push_back(b.integer(i));
  for (const ast::FormatItem* hole : program.holes) {
    lists.push_back(build(hole->among->span).op(Op::Call, texts));
    lists.back()->function = hole_functions_.at(hole).function;
  }
  Statement found = make(S::Let, m.span);
  found.value = b.call(B::TextForm, t.optional(texts), ctx_->said ? b.local(*ctx_->said) : b.op(Op::Reply, t.text_),
                       b.of(Op::MakeList, t.list(t.int_), std::move(code)), b.of(Op::MakeList, t.list(texts), std::move(lists)));
  const LocalId maybe = b.new_local("", t.optional(texts));
  found.local = maybe;
  found.has_local = true;
  out.push_back(std::move(found));
  Statement check = make(S::Check, m.span);
  check.rule = m.rule;
  check.value = b.negate(b.call(B::IsNone, t.bool_, b.local(maybe)));
  check.otherwise = clone(m.otherwise, facts_.reveals);
  out.push_back(std::move(check));
  Statement let = make(S::Let, m.span);
  let.value = b.call(B::ValueOf, texts, b.local(maybe));
  let.local = b.new_local("", texts);
  let.has_local = true;
  const LocalId caught = let.local;
  out.push_back(std::move(let));
  return caught;
}

/// Behind each `{text in …}` stands a function.
void Checker::declare_holes() {
  const auto look = [&](auto&& self, uint32_t move, bool aim, const std::vector<ast::FormatItem>& items) -> void {
    for (const ast::FormatItem& item : items) {
      for (const auto& branch : item.branches) self(self, move, aim, branch);
      if (!item.among) continue;
      holes_.push_back(&item);
      hole_functions_[&item] = {static_cast<uint32_t>(game_->functions.size()), move, aim};
      Function f;
      f.name = "texts for " + move_decls_[move]->name.name;
      f.span = item.among->span;
      f.result = game_->types.list(game_->types.text_);
      game_->functions.push_back(std::move(f));
      facts_.function_ends.push_back(item.among->span);
    }
  };
  for (uint32_t move = 0; move < move_decls_.size(); ++move)
    for (const ast::Stmt& s : move_decls_[move]->body)
      if (const auto* format = std::get_if<ast::Format>(&s.node)) look(look, move, format->aim, format->items);
}

void Checker::check_holes() {
  TypeTable& t = game_->types;
  for (const ast::FormatItem* item : holes_) {
    const HoleFunction& hole = hole_functions_.at(item);
    Function& f = game_->functions[hole.function];
    Context* outer = ctx_;
    Context context;
    context.where = Where::Function;
    context.body = &f.body;
    context.result = f.result;
    ctx_ = &context;
    push();
    Statement r = make(S::Return, item->among->span);
    r.value = expr(*item->among);
    if (hole.aim && r.value->type == t.regex_) {
      std::vector<ValuePtr> one;
      one.push_back(std::move(r.value));
      r.value = build(item->among->span).of(Op::MakeList, t.list(t.text_), std::move(one));
      for (Move::Hole& h : game_->moves[hole.move].holes) h.pattern |= h.function == hole.function;
    } else {
      r.value = texts_among(std::move(r.value), item->among->span, t.list(t.text_),
                            hole.aim ? "a text can be in a list or a set of texts, be a key of a map, or fit a regex" : "a text can be in a list or a set of texts, or be a key of a map");
    }
    pop();
    ctx_ = outer;
    f.body.statements.push_back(std::move(r));
  }
}

ValuePtr Checker::texts_among(ValuePtr v, Span span, TypeId want, const char* hint) {
  TypeTable& t = game_->types;
  if (bad(*v) || v->type == want) return v;
  Build m = build(span);
  const Type type = t[v->type];  // a copy: the table grows
  const TypeId list = t.list(t.text_), set = t.set(t.text_);
  if (type.args.empty() || type.args[0] != t.text_ || (type.kind != Kind::List && type.kind != Kind::Set && type.kind != Kind::Map)) {
    out_.emit(kTypeMismatch, span, {t.print(want), t.print(v->type)}).hint(hint);
    return v;
  }
  if (type.kind == Kind::Map) v = m.call(B::MapKeys, list, std::move(v));
  if (type.kind == Kind::Set) return m.call(B::SetToList, list, std::move(v));
  return want == set ? m.call(B::ListToSet, set, std::move(v), m.type_index(set)) : std::move(v);
}

/// A name in several branches of a choice is one capture.
void Checker::same_captures(const std::vector<ast::FormatItem>& items) {
  for (const ast::FormatItem& item : items) {
    if (item.name)
      if (Variable* v = find(item.name->name); v && v->what == std::string("capture")) uses(item.name->span, v->span);
    for (const auto& branch : item.branches) same_captures(branch);
  }
}

void Checker::name_captures(const std::vector<ast::FormatItem>& items) {
  for (const ast::FormatItem& item : items) {
    if (item.name && !find(item.name->name)) {
      const TypeId type = item.char_class == "int" ? game_->types.int_ : game_->types.text_;
      LocalId id = declare(*item.name, type, false, "capture", false);
      move_captures_.push_back(id);
      move_fields_.push_back({item.name->name, type, id, item.name->span});
      part_of_value(item.name->span);
    }
    for (const auto& branch : item.branches) name_captures(branch);
  }
}

void Checker::rule(const ast::Stmt& s, const ast::Check& x, Statements& out) {
  const char* what = x.expect ? "expect" : "forbid";
  if (ctx_->where == Where::Function) {
    // In a function a rule is what the rest relies on: it returns where that does not hold.
    Statement m = make(S::If, s.span);
    m.value = condition(*x.condition);
    if (!bad(*m.value)) {
      if (m.value->op == Op::Bool) out_.emit(kConstantCondition, x.condition->span, {m.value->int_value ? "true" : "false"});
      if (x.expect) m.value = build(x.condition->span).negate(std::move(m.value));
    }
    block(x.otherwise.body, m.body);
    if (m.body.empty() || m.body.back().op != S::Return) {
      out_.emit(kOpenConsequence, s.span).hint("in a function a rule returns: `" + std::string(what) + " … else return VALUE`");
      return;
    }
    out.push_back(std::move(m));
    return;
  }
  if (!allowed(s, what, {Where::Move, Where::Step})) return;
  if (ctx_->consequence) {
    out_.emit(kStatementPlace, s.span, {what, "a consequence"});
    return;
  }
  Statement m = make(S::Check, s.span);
  if (ctx_->where == Where::Move) {
    m.rule = add_rule(ctx_->move, what, x.condition->span);
  } else {
    // The rules of a step belong to the moves that call it: `place_rules` gives each its own.
    m.rule = kNoRule;
    m.text = what;
  }
  m.value = condition(*x.condition);
  if (!bad(*m.value)) {
    if (m.value->op == Op::Bool) out_.emit(kConstantCondition, x.condition->span, {m.value->int_value ? "true" : "false"});
    if (!x.expect) m.value = build(x.condition->span).negate(std::move(m.value));
  }
  consequence(x.otherwise, {s.span.file, s.span.begin, x.condition->span.end}, "rule", m.otherwise);
  out.push_back(std::move(m));
}

void Checker::gives(const ast::Stmt& s, const ast::Gives& x, Statements& out) {
  if (!allowed(s, "gives", {Where::Move})) return;
  const ast::Block& body = move_decls_[ctx_->move]->body;
  size_t last = body.size();
  while (last > 0 && std::get_if<ast::Nothing>(&body[last - 1].node)) --last;
  if (!ctx_->top || last == 0 || &body[last - 1] != &s) {
    out_.emit(kGivesLast, s.span);
    return;
  }
  Statement m = make(S::Gives, s.span);
  auto give = [&](const ast::Expr& e) {
    std::string name = "value";
    if (auto* n = std::get_if<ast::Name>(&e.node)) name = n->name;
    else if (auto* f = std::get_if<ast::FieldAccess>(&e.node)) name = f->field.name;
    m.names.push_back(name);
    m.args.push_back(text_of(e));
  };
  if (auto* tuple = std::get_if<ast::TupleLit>(&x.value->node)) {
    for (const ast::ExprPtr& e : tuple->items) give(*e);
  } else {
    give(*x.value);
  }
  out.push_back(std::move(m));
}

bool Checker::holds_rules(uint32_t step) {
  auto [at, fresh] = rule_steps_.try_emplace(step, false);
  if (!fresh) return at->second;
  bool holds = false;
  each_statement(game_->steps[step].body.statements, [&](const Statement& s) {
    holds = holds || s.op == S::Check || (s.op == S::Step && holds_rules(s.step));
  });
  return rule_steps_[step] = holds;
}

uint32_t Checker::step_for(uint32_t step, uint32_t move) {
  auto [at, fresh] = steps_of_moves_.try_emplace({step, move}, 0);
  if (!fresh) return at->second;
  at->second = static_cast<uint32_t>(game_->steps.size());
  const uint32_t index = at->second;
  const Step& from = game_->steps[step];
  Step copy;
  copy.name = from.name;
  copy.params = from.params;
  copy.span = from.span;
  copy.body.locals = from.body.locals;
  copy.body.statements = clone(from.body.statements, facts_.reveals);
  game_->steps.push_back(std::move(copy));
  rule_steps_[index] = true;
  Statements own = std::move(game_->steps[index].body.statements);
  place_rules(own, move, false);
  game_->steps[index].body.statements = std::move(own);
  return index;
}

void Checker::place_rules(Statements& list, std::optional<uint32_t> move, bool consequence) {
  for (Statement& s : list) {
    if (s.op == S::Step && holds_rules(s.step)) {
      if (move && !consequence) {
        s.step = step_for(s.step, *move);
      } else {
        const Step& called = game_->steps[s.step];
        out_.emit(kStatementPlace, s.span, {called.name, move ? "a consequence" : "play"})
            .label(called.span, "this step holds rules: it is a piece of moves");
      }
    }
    if (move && s.op == S::Check && s.rule == kNoRule) s.rule = add_rule(*move, s.text, s.value->span);
    place_rules(s.body, move, consequence);
    place_rules(s.otherwise, move, consequence || s.op == S::Check || s.op == S::Format);
  }
}

void Checker::place_rules() {
  for (uint32_t i = 0; i < game_->moves.size(); ++i) place_rules(game_->moves[i].body.statements, i, false);
  place_rules(game_->play.statements, std::nullopt, false);
}

}  // namespace ppc::sema
