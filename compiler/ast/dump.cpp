// The tree as nested lists: (head child …), on one line where it fits.
#include <variant>

#include "compiler/ast/print.h"

namespace ppc::ast {

namespace {

struct Node {
  std::string head;
  std::vector<Node> children;
};

constexpr size_t kWidth = 100;

std::string quote(const std::string& s) {
  static const char* digits = "0123456789abcdef";
  std::string out = "\"";
  for (char c : s) {
    auto b = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (b < 0x20 || b == 0x7F) ((out += "\\x") += digits[b >> 4]) += digits[b & 15];
    else out += c;
  }
  return out + "\"";
}

Node leaf(std::string s) { return {std::move(s), {}}; }

// A leaf is a word or a quoted text; anything with children, and the few heads that may have none, stands in parentheses.
bool atom(const Node& n) { return n.children.empty() && (n.head.empty() || n.head[0] != '('); }
std::string head(const Node& n) { return n.head[0] == '(' ? n.head : "(" + n.head; }

/// Length on one line, or more than kWidth.
size_t length(const Node& n) {
  size_t out = n.head.size() + 2;
  for (const Node& c : n.children) {
    out += 1 + length(c);
    if (out > kWidth) break;
  }
  return out;
}

void write(std::string& out, const Node& n, size_t indent, bool flat) {
  if (atom(n)) {
    out += n.head;
    return;
  }
  flat = flat || indent + length(n) <= kWidth;
  out += head(n);
  bool leading = true;  // words directly behind the head stay on its line
  for (const Node& c : n.children) {
    leading = leading && atom(c);
    if (flat || leading) out += ' ';
    else (out += '\n').append(indent + 2, ' ');
    write(out, c, indent + 2, flat);
  }
  out += ')';
}

Node list(std::string head, std::vector<Node> children = {}) {
  // Without children the parenthesis marks it as a list.
  if (children.empty()) return {"(" + head, {}};
  return {std::move(head), std::move(children)};
}

Node tree(const ExprPtr&);
Node tree(const TypePtr&);
Node tree(const Expr&);
Node tree(const Arg&);
Node tree(const Generator&);
Node tree(const FormatItem&);
Node tree(const GrammarRule&);
Node tree(const Stmt&);
Node tree(const Field&);
Node tree(const Param&);
Node tree(const Ident& i) { return leaf(i.name); }

template <class T>
std::vector<Node> trees(const std::vector<T>& list_) {
  std::vector<Node> out;
  for (const auto& x : list_) out.push_back(tree(x));
  return out;
}

template <class T>
Node named(std::string head, const std::vector<T>& items) {
  return list(std::move(head), trees(items));
}

Node optional(const char* head, const ExprPtr& e) { return e ? list(head, {tree(e)}) : leaf("-"); }

Node tree(const TypePtr& p) {
  if (!p) return leaf("-");
  const TypeExpr& t = *p;
  std::vector<Node> args = trees(t.args);
  if (t.low) args.push_back(list("range", {tree(t.low), tree(t.high)}));
  else if (t.high) args.push_back(list("max", {tree(t.high)}));
  switch (t.kind) {
    case TypeExpr::Kind::Named: return args.empty() ? leaf(t.name) : list(t.name, std::move(args));
    case TypeExpr::Kind::List: return list("list", std::move(args));
    case TypeExpr::Kind::Set: return list("set", std::move(args));
    case TypeExpr::Kind::Map: return list("map", std::move(args));
    case TypeExpr::Kind::Optional: return list("optional", std::move(args));
    case TypeExpr::Kind::Tuple: return list("tuple", std::move(args));
  }
  return leaf("?");
}

Node tree(const Arg& a) {
  if (a.name) return list("named", {leaf(a.name->name), tree(a.value)});
  if (a.key) return list("keyed", {tree(a.key), tree(a.value)});
  return tree(a.value);
}

Node tree(const Names& n) {
  if (!n.predicate) return named("names", n.names);
  std::vector<Node> out{leaf(n.predicate->name)};
  for (const ExprPtr& t : n.terms) out.push_back(tree(t));
  return list("fact", std::move(out));
}

Node tree(const Generator& g) {
  std::vector<Node> out{tree(g.names), tree(g.source)};
  if (g.condition) out.push_back(list("if", {tree(g.condition)}));
  return list("for", std::move(out));
}

std::vector<Node> with(Node first, std::vector<Node> rest) {
  rest.insert(rest.begin(), std::move(first));
  return rest;
}

const char* word(Binary::Op op) {
  static const char* words[] = {"+", "-", "*", "/", "div", "mod", "and", "or", "==", "!=", "<", "<=", ">", ">=", "in", "not-in", "is", "is-not", "&", "|"};
  return words[static_cast<int>(op)];
}

struct ExprTree {
  Node operator()(const IntLit& x) { return leaf(std::to_string(x.value)); }
  Node operator()(const FloatLit& x) { return leaf(x.spelling); }
  Node operator()(const BoolLit& x) { return leaf(x.value ? "true" : "false"); }
  Node operator()(const NanLit&) { return leaf("nan"); }
  Node operator()(const NoneLit&) { return leaf("none"); }
  Node operator()(const TextLit& x) {
    std::vector<Node> parts;
    for (const TextPart& p : x.parts) parts.push_back(p.value ? tree(p.value) : leaf(quote(p.literal)));
    if (parts.empty()) return leaf("\"\"");
    if (parts.size() == 1 && !x.parts[0].value) return parts[0];
    return list("text", std::move(parts));
  }
  Node operator()(const Name& x) { return leaf(x.name); }
  Node operator()(const FieldAccess& x) { return list("." + x.field.name, {tree(x.object)}); }
  Node operator()(const Call& x) {
    if (x.receiver) return list("call ." + x.callee.name, with(tree(x.receiver), trees(x.args)));
    return list("call " + x.callee.name, trees(x.args));
  }
  Node operator()(const Index& x) { return list("index", {tree(x.object), tree(x.index)}); }
  Node operator()(const Slice& x) { return list("slice", {tree(x.object), optional("from", x.from), optional("to", x.to)}); }
  Node operator()(const Unary& x) { return list(x.op == Unary::Op::Not ? "not" : "neg", {tree(x.operand)}); }
  Node operator()(const Binary& x) { return list(word(x.op), {tree(x.left), tree(x.right)}); }
  Node operator()(const IfExpr& x) { return list("if", {tree(x.condition), tree(x.then), tree(x.otherwise)}); }
  Node operator()(const Range& x) { return list("..", {tree(x.low), tree(x.high)}); }
  Node operator()(const MatchExpr& x) {
    std::vector<Node> out{tree(x.subject)};
    for (const MatchArm& a : x.arms) out.push_back(list("->", {a.pattern ? tree(a.pattern) : leaf("else"), tree(a.value)}));
    return list("match", std::move(out));
  }
  Node operator()(const ListLit& x) { return named("list", x.items); }
  Node operator()(const SetLit& x) { return named("set", x.items); }
  Node operator()(const MapLit& x) {
    std::vector<Node> out;
    for (const auto& [k, v] : x.entries) out.push_back(list(":", {tree(k), tree(v)}));
    return list("map", std::move(out));
  }
  Node operator()(const TupleLit& x) { return named("tuple", x.items); }
  Node operator()(const Comprehension& x) {
    const char* kinds[] = {"list-of", "set-of", "map-of"};
    std::vector<Node> out;
    if (x.key) out.push_back(tree(x.key));
    out.push_back(tree(x.value));
    for (const Generator& g : x.generators) out.push_back(tree(g));
    return list(kinds[static_cast<int>(x.kind)], std::move(out));
  }
  Node operator()(const Quantified& x) { return list(x.all ? "all" : "any", {tree(x.names), tree(x.source), tree(x.condition)}); }
  Node operator()(const Reveal& x) { return list("reveal", {tree(x.value)}); }
  Node operator()(const Notes& x) { return list("notes", {leaf(quote(x.key))}); }
  Node operator()(const RecordLit& x) { return list("new " + x.type.name, trees(x.fields)); }
};

Node tree(const Expr& e) { return std::visit(ExprTree{}, e.node); }
Node tree(const ExprPtr& e) { return e ? tree(*e) : leaf("-"); }

Node tree(const FormatItem& i) {
  std::vector<Node> out;
  switch (i.kind) {
    case FormatItem::Kind::Literal: return i.ignore_case ? list("~", {leaf(quote(i.text))}) : leaf(quote(i.text));
    case FormatItem::Kind::Capture:
      if (i.name) out.push_back(leaf(i.name->name));
      out.push_back(leaf(i.char_class));
      if (i.among) out.push_back(list(i.except ? "not-in" : "in", {tree(*i.among)}));
      for (const auto& [s, ignore_case] : i.without) out.push_back(list(ignore_case ? "without~" : "without", {leaf(quote(s))}));
      return list("capture", std::move(out));
    default: break;
  }
  for (const auto& b : i.branches) out.push_back(named("seq", b));
  return list(i.kind == FormatItem::Kind::Optional ? "optional" : i.kind == FormatItem::Kind::Choice ? "choice" : i.once ? "repeat+" : "repeat", std::move(out));
}

Node body(const Block& b) {
  std::vector<Node> out;
  for (const Stmt& s : b)
    if (!std::holds_alternative<Nothing>(s.node)) out.push_back(tree(s));
  return list("do", std::move(out));
}

std::vector<Node> otherwise(std::vector<Node> out, const Consequence& c) {
  if (c.present) out.push_back(list("else", {body(c.body)}));
  return out;
}

struct StmtTree {
  Node operator()(const Let& x) {
    std::vector<Node> out{tree(x.name)};
    if (x.type) out.push_back(list("type", {tree(x.type)}));
    out.push_back(tree(x.value));
    if (x.as) out.push_back(list("as", {tree(x.as)}));
    return list(x.mutable_ ? "var" : "let", otherwise(std::move(out), x.otherwise));
  }
  Node operator()(const Assign& x) { return list("=", {tree(x.target), tree(x.value)}); }
  Node operator()(const Evaluate& x) { return list("evaluate", {tree(x.call)}); }
  Node operator()(const If& x) {
    std::vector<Node> out{tree(x.condition), body(x.then)};
    if (!x.otherwise.empty()) out.push_back(list("else", {body(x.otherwise)}));
    return list("if", std::move(out));
  }
  Node operator()(const For& x) {
    std::vector<Node> out{tree(x.names), tree(x.source)};
    if (x.where) out.push_back(list("where", {tree(x.where)}));
    out.push_back(body(x.body));
    return list("for", std::move(out));
  }
  Node operator()(const Round& x) { return list("round", {tree(x.name), tree(x.source), body(x.body)}); }
  Node operator()(const Together& x) { return list("together", {body(x.body)}); }
  Node operator()(const RepeatAtMost& x) { return list("repeat", {tree(x.times), body(x.body)}); }
  Node operator()(const Break&) { return list("break"); }
  Node operator()(const Return& x) { return list("return", {tree(x.value)}); }
  Node operator()(const Ask& x) {
    std::vector<Node> out;
    if (x.bind) out.push_back(list("let", {tree(x.name)}));
    out.push_back(tree(x.player));
    if (x.aside) out.push_back(list("aside", {tree(x.aside)}));
    out.push_back(tree(x.move));
    return list("ask", std::move(out));
  }
  Node operator()(const Tell& x) { return list("tell", {tree(x.player), tree(x.value)}); }
  Node operator()(const Brief& x) {
    std::vector<Node> out{tree(x.player), tree(x.value)};
    if (x.answered) out.push_back(list("answered", {tree(x.answered)}));
    return list("brief", std::move(out));
  }
  Node operator()(const Say& x) {
    if (x.player) return list("say", {tree(*x.player), tree(x.value)});
    return list("say", {tree(x.value)});
  }
  Node operator()(const Note& x) { return list("note", {leaf(quote(x.key)), tree(x.value)}); }
  Node operator()(const RewardStmt& x) { return list("reward", {tree(x.player), tree(x.value)}); }
  Node operator()(const Outcome& x) {
    std::vector<Node> out;
    if (x.score) out.push_back(list("score", {tree(x.score)}));
    if (x.reason) out.push_back(list("reason", {tree(x.reason)}));
    return list(x.kind == Outcome::Kind::Win ? "win" : x.kind == Outcome::Kind::Lose ? "lose" : "abort", std::move(out));
  }
  Node operator()(const Pass&) { return list("pass"); }
  Node operator()(const Retry& x) {
    std::vector<Node> out{tree(x.times)};
    if (x.tell) out.push_back(list("tell", {tree(x.tell)}));
    out.push_back(list("then", {body(x.then->body)}));
    return list("retry", std::move(out));
  }
  Node operator()(const Nothing&) { return list("nothing"); }
  Node operator()(const Read& x) { return list("read", {tree(x.value)}); }
  Node operator()(const Format& x) { return list(x.aim ? "aim" : "format", otherwise(trees(x.items), x.otherwise)); }
  Node operator()(const Check& x) { return list(x.expect ? "expect" : "forbid", otherwise({tree(x.condition)}, x.otherwise)); }
  Node operator()(const Gives& x) { return list("gives", {tree(x.value)}); }
  Node operator()(const ExperimentStmt& x) { return list("experiment", {tree(x.name), body(x.body)}); }
  Node operator()(const InstancesStmt& x) {
    std::vector<Node> out{tree(x.count)};
    if (x.index) out.push_back(list("as", {tree(*x.index)}));
    out.push_back(body(x.body));
    return list("instances", std::move(out));
  }
  Node operator()(const ResourceStmt& x) { return list("resource", {tree(x.name), tree(x.type), tree(x.path)}); }
};

Node tree(const Stmt& s) { return std::visit(StmtTree{}, s.node); }

void documented(std::vector<Node>& out, const std::vector<std::string>& doc) {
  for (const std::string& d : doc) out.push_back(list("doc", {leaf(quote(d))}));
}

void heard_by(std::vector<Node>& out, const Audience& a) {
  if (a.secret) out.push_back(named("secret", a.players));
}

Node tree(const Field& f) {
  std::vector<Node> out;
  documented(out, f.doc);
  out.push_back(tree(f.name));
  out.push_back(tree(f.type));
  if (f.initial) out.push_back(list("=", {tree(f.initial)}));
  if (!f.from.empty()) {
    std::vector<Node> paths;
    for (const std::string& p : f.from) paths.push_back(leaf(quote(p)));
    out.push_back(list("from", std::move(paths)));
  }
  heard_by(out, f.audience);
  return list("field", std::move(out));
}

Node tree(const Param& p) { return list("param", {tree(p.name), tree(p.type)}); }

Node tree(const GrammarRule& r) {
  std::vector<Node> out;
  documented(out, r.doc);
  out.push_back(tree(r.name));
  for (const auto& b : r.branches) out.push_back(named("seq", b));
  return list("rule", std::move(out));
}

struct DeclTree {
  Node operator()(const FieldsDecl& x) {
    const char* words[] = {"experiment", "instance", "state"};
    return named(words[static_cast<int>(x.where)], x.fields);
  }
  Node operator()(const RecordDecl& x) { return list("record", with(tree(x.name), trees(x.fields))); }
  Node operator()(const EnumDecl& x) {
    std::vector<Node> out{tree(x.name)};
    for (const auto& [name, spelling] : x.values) out.push_back(spelling.empty() ? tree(name) : list("=", {tree(name), leaf(quote(spelling))}));
    return list("enum", std::move(out));
  }
  Node operator()(const WorldDecl& x) {
    std::vector<Node> out;
    for (const Predicate& p : x.predicates) {
      std::vector<Node> parts{tree(p.name)};
      for (const Ident& t : p.terms) parts.push_back(tree(t));
      out.push_back(list("predicate", std::move(parts)));
    }
    return list("world", std::move(out));
  }
  Node operator()(const PlayerDecl& x) {
    std::vector<Node> out{tree(x.name)};
    if (!x.display.empty()) out.push_back(list("as", {leaf(quote(x.display))}));
    if (x.scripted) out.push_back(leaf("scripted"));
    return list("player", std::move(out));
  }
  Node operator()(const UseDecl& x) { return list("use", with(tree(x.library), trees(x.names))); }
  Node operator()(const IncludeDecl& x) { return list("include", {leaf(quote(x.path))}); }
  Node operator()(const ResourceDecl& x) {
    std::vector<Node> out{tree(x.name), tree(x.type), tree(x.path)};
    heard_by(out, x.audience);
    return list("resource", std::move(out));
  }
  Node operator()(const FnDecl& x) {
    return list("fn", {tree(x.name), named("params", x.params), tree(x.result), x.expression ? tree(x.expression) : body(x.body)});
  }
  Node operator()(const StepDecl& x) { return list("step", {tree(x.name), named("params", x.params), body(x.body)}); }
  Node operator()(const MoveDecl& x) { return list("move", {tree(x.name), named("by", x.players), body(x.body)}); }
  Node operator()(const PlayDecl& x) { return list("play", {body(x.body)}); }
  Node operator()(const BotDecl& x) { return list("bot", {tree(x.player), tree(x.name), named("memory", x.memory), body(x.body)}); }
  Node operator()(const MetricDecl& x) {
    std::vector<Node> out;
    if (x.named) out.push_back(leaf(quote(x.name)));
    if (x.at) out.push_back(list("at", {tree(*x.at), tree(x.source)}));
    out.push_back(tree(x.value));
    if (x.condition) out.push_back(list("if", {tree(x.condition)}));
    return list("metric", std::move(out));
  }
  Node operator()(const KeyDecl& x) { return list("key", {leaf(quote(x.name)), tree(x.value)}); }
  Node operator()(const GrammarDecl& x) { return list("grammar", with(tree(x.name), trees(x.rules))); }
  Node operator()(const GenerateDecl& x) { return list("generate", {body(x.body)}); }
};

}  // namespace

std::string dump(const File& file) {
  std::vector<Node> out;
  if (file.game) {
    std::vector<Node> game;
    documented(game, file.doc);
    game.push_back(tree(*file.game));
    out.push_back(list("game", std::move(game)));
  }
  for (const Decl& d : file.decls) {
    documented(out, d.doc);
    out.push_back(std::visit(DeclTree{}, d.node));
  }
  std::string text;
  for (const Node& n : out) {
    write(text, n, 0, false);
    text += '\n';
  }
  return text;
}

}  // namespace ppc::ast
