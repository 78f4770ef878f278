// Grammars: their parts fit together, their records, what `parse` becomes, and the functions that give the words of
// `{word in …}` when a text is read.
#include <algorithm>

#include "compiler/sema/checker.h"
#include "runtime/text/unicode.h"

namespace ppc::sema {

using B = ppc::Builtin;
using Op = Value::Op;
using ast::FormatItem;

namespace {

constexpr int kMostParts = 64;  // inside each other

std::string lowered(const std::string& t) {
  std::string out(3 * t.size(), '\0');
  out.resize(text::lower(reinterpret_cast<const uint8_t*>(t.data()), t.size(), reinterpret_cast<uint8_t*>(out.data()), out.size()));
  return out;
}

/// A name in braces, which is not `word`, is a part's.
bool names_part(const FormatItem& item) {
  return item.kind == FormatItem::Kind::Capture && !item.among && item.char_class != "word";
}

}  // namespace

void Checker::declare_grammar(const ast::GrammarDecl& decl) {
  const std::string& name = decl.name.name;
  const size_t before = out_.errors();
  Grammar g;
  g.decl = &decl;
  g.type = types_.at(name).type;

  std::map<std::string, const ast::GrammarRule*> rules;
  bool alternatives = false;
  for (const ast::GrammarRule& r : decl.rules) {
    auto [first, added] = rules.try_emplace(r.name.name, &r);
    if (!added) out_.emit(kDuplicate, r.name.span, {r.name.name}).label(first->second->name.span, "first declared here");
    if (added) declares(Declared::Kind::Rule, r.name.name, r.name.span);
    alternatives |= !formats::is_part(r.name.name);
  }
  if (!alternatives)
    out_.emit(kGrammar, decl.name.span, {"`" + name + "` has no alternatives"})
        .hint("an alternative's name begins with a small letter, such as `take : \"take\" {thing: word}`; capitals are for parts");

  // How many parts stand inside each, which must not be itself.
  std::map<std::string, int> height;  // 0: being looked at
  std::vector<std::string> path;
  bool sound = true;
  auto visit = [&](auto&& self, const std::string& part) -> int {
    auto [at, fresh] = height.try_emplace(part, 0);
    if (!fresh) {
      if (at->second == 0 && sound) {
        sound = false;
        std::string way;
        for (size_t i = static_cast<size_t>(std::find(path.begin(), path.end(), part) - path.begin()); i < path.size(); ++i)
          way += "`" + path[i] + "` → ";
        out_.emit(kRecursivePart, rules.at(part)->name.span, {part, way + "`" + part + "`"})
            .hint("say how often with `*` or `+`, or write out as many as there can be");
      }
      return at->second;
    }
    path.push_back(part);
    int most = 0;
    if (path.size() <= kMostParts)
      formats::each_item(rules.at(part)->branches, [&](const FormatItem& item) {
        if (names_part(item) && formats::is_part(item.char_class) && rules.count(item.char_class))
          most = std::max(most, self(self, item.char_class));
      });
    else
      most = kMostParts;
    path.pop_back();
    if (most >= kMostParts && sound) {
      sound = false;
      const std::string& outermost = path.empty() ? part : path.front();
      out_.emit(kGrammar, rules.at(outermost)->name.span,
                {"in `" + outermost + "` parts stand in parts, more than " + std::to_string(kMostParts) + " deep"});
    }
    return height[part] = most + 1;
  };
  for (const ast::GrammarRule& r : decl.rules) visit(visit, r.name.name);

  Type record = game_->types[g.type];
  record.names = {"rule"};
  std::set<std::string> used, captures;
  formats::Emptiness empty(decl);
  auto caught = [&](Span at) {
    declares(Declared::Kind::RecordField, record.names.back(), at, game_->types.text_);
    members_[{g.type, record.names.back()}] = at;
  };
  for (const ast::GrammarRule& r : decl.rules)
    formats::each_item(r.branches, [&](const FormatItem& item) {
      if (item.name && item.name->name == "rule")
        out_.emit(kDuplicate, item.name->span, {"rule"}).hint("`rule` says which alternative it is; choose another name");
      else if (item.name && captures.insert(item.name->name).second)
        record.names.push_back(item.name->name), caught(item.name->span);
      else if (item.name)
        uses_member(item.name->span, g.type, item.name->name);
      if (item.kind == FormatItem::Kind::Literal && formats::literal_words(item.text).empty())
        out_.emit(kGrammar, item.span, {"there is no word in this text"}).hint("what may be missing stands in `[ ]`");
      if (item.among && item.char_class != "word")
        out_.emit(kGrammar, item.class_span, {"only `word` goes with `in` and `not in`"}).hint("write `{word in …}`");
      if (sound && item.kind == FormatItem::Kind::Repeat && empty(item.branches))
        out_.emit(kGrammar, item.span, {"what is repeated here may be no words at all"})
            .hint("`*` says already that it may be missing");
      if (item.among) g.among.push_back(item.among.get());
      if (item.kind == FormatItem::Kind::Capture && item.char_class == "word") uses_own(item.class_span, "word");
      if (!names_part(item)) return;
      used.insert(item.char_class);
      auto at = rules.find(item.char_class);
      if (at != rules.end() && formats::is_part(item.char_class)) {
        uses(item.class_span, at->second->name.span);
        return;
      }
      auto report = out_.emit(kUnknownPart, item.class_span, {name, item.char_class});
      if (at != rules.end()) {
        report.label(at->second->name.span, "this is an alternative; the names of parts begin with a capital");
        return;
      }
      std::vector<std::string> parts = {"word"};
      for (auto& [n, rule] : rules)
        if (formats::is_part(n)) parts.push_back(n);
      const std::string near = diag::closest(item.char_class, parts);
      if (near.empty()) report.hint("there are `{word}`, `{word in …}` and the grammar's own parts");
      else report.hint("did you mean `" + near + "`?");
    });
  record.args.assign(record.names.size(), game_->types.text_);
  game_->types.complete(g.type, std::move(record));

  if (out_.errors() == before) {
    g.program = formats::compile(decl);
    if (g.program.too_large)
      out_.emit(kGrammar, decl.name.span, {"with its parts written out, `" + name + "` is too large"})
          .hint("parts that hold parts, each several times, grow fast");
    for (auto& t : g.program.texts)
      if (t.any_case) t.text = lowered(t.text);
  }
  g.good = out_.errors() == before;
  g.first_function = static_cast<uint32_t>(game_->functions.size());
  for (const ast::Expr* e : g.among) {
    Function f;
    f.name = "words of " + name;
    f.span = e->span;
    f.result = game_->types.set(game_->types.text_);
    game_->functions.push_back(std::move(f));
    facts_.function_ends.push_back(e->span);
  }
  for (const ast::GrammarRule& r : decl.rules)
    if (formats::is_part(r.name.name) && !used.count(r.name.name) && !r.name.name.starts_with("_") &&
        r.name.span.file == facts_.main_file)
      unused_.push_back({"the part", r.name.name, r.name.span});
  grammars_.push_back(std::move(g));
}

/// The functions behind `{word in …}`: what they give is a set, whatever the game has written.
void Checker::check_grammars() {
  TypeTable& t = game_->types;
  const TypeId texts = t.set(t.text_);
  for (const Grammar& g : grammars_) {
    for (uint32_t i = 0; i < g.among.size(); ++i) {
      const ast::Expr& e = *g.among[i];
      Function& f = game_->functions[g.first_function + i];
      Context* outer = ctx_;
      Context context;
      context.where = Where::Function;
      context.body = &f.body;
      context.result = f.result;
      ctx_ = &context;
      push();
      ValuePtr v = texts_among(expr(e), e.span, texts, "a word can be in a list or a set of texts, or be a key of a map");
      const Value& given = v->op == Op::Builtin && v->builtin == B::ListToSet ? *v->args[0] : *v;
      if (!bad(*v) && (given.op == Op::MakeList || given.op == Op::MakeSet))
        for (const ValuePtr& item : given.args)
          if (item->op == Op::Text && formats::literal_words(item->text_value) != std::vector<std::string>{item->text_value})
            out_.emit(kNoWord, item->span, {item->text_value}).hint("several words are a literal of their own: `(\"out of\" | \"in\")`");
      pop();
      ctx_ = outer;
      Statement r;
      r.op = Statement::Op::Return;
      r.span = e.span;
      r.value = std::move(v);
      f.body.statements.push_back(std::move(r));
    }
  }
}

const Checker::Grammar* Checker::grammar(TypeId type) const {
  for (const Grammar& g : grammars_)
    if (g.type == type) return &g;
  return nullptr;
}

/// `parse(text)`, read by the grammar whose record is wanted.
ValuePtr Checker::parsed(Span span, ValuePtr v, TypeId want) {
  TypeTable& t = game_->types;
  const TypeId type = t[want].args[0];
  const Grammar* g = grammar(type);
  if (!g) {
    out_.emit(kOperands, span, {"parse", "`" + t.print(type) + "`"}).hint("it reads a text by a `grammar`: `let order = parse(…) as Order else …`");
    return poison(span);
  }
  if (!g->good) return poison(span);
  Build m = build(span);
  auto integers = [&](std::vector<int64_t> head, const std::vector<int64_t>& rest) {
    head.insert(head.end(), rest.begin(), rest.end());
    std::vector<ValuePtr> items;
    for (int64_t i : head) items.push_back(m.integer(i));
    return m.of(Op::MakeList, t.list(t.int_), std::move(items));
  };
  const TypeId texts = t.set(t.text_);
  bool any_case = false;
  std::vector<ValuePtr> literals, sets;
  for (const auto& literal : g->program.texts) {
    any_case |= literal.any_case;
    literals.push_back(m.text(literal.text));
  }
  for (uint32_t i = 0; i < g->among.size(); ++i) {
    sets.push_back(m.op(Op::Call, texts));
    sets.back()->function = g->first_function + i;
  }
  ValuePtr program = integers({static_cast<int64_t>(g->program.captures.size()), g->program.open, texts, any_case}, g->program.code);
  return m.call(B::TextParse, want, std::move(v), std::move(program), m.of(Op::MakeList, t.list(t.text_), std::move(literals)),
                m.of(Op::MakeList, t.list(texts), std::move(sets)));
}

}  // namespace ppc::sema
