// The canonical layout, which is `ppc fmt`.
#include "compiler/ast/print.h"

#include <algorithm>
#include <cstdio>

#include "compiler/ast/layout.h"

namespace ppc::ast {

using namespace layout;

namespace {

constexpr int kWidth = 120;
constexpr int kIndent = 2;
// Names further apart than this are not brought into one column: the gap would be hard to cross.
constexpr int kWidestGap = 24;
// A longer value in front of `from` or `secret` does not move the column; they go to the next line.
constexpr int kWidestFieldValue = 20;

// ---- texts --------------------------------------------------------------------------------------------------------

void escape(std::string& out, char c, bool triple) {
  switch (c) {
    case '\n': out += triple ? "\n" : "\\n"; return;
    case '\t': out += "\\t"; return;
    case '\r': out += "\\r"; return;
    case '\\': out += "\\\\"; return;
    case '{': out += "\\{"; return;
    case '}': out += "\\}"; return;
    case '"': out += triple ? "\"" : "\\\""; return;
    default: break;
  }
  auto byte = static_cast<unsigned char>(c);
  if (byte < 0x20 || byte == 0x7F) {
    char code[12];
    std::snprintf(code, sizeof code, "\\u{%X}", byte);
    out += code;
  } else {
    out += c;
  }
}

std::string inline_text(const std::vector<TextPart>&);

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (char c : s) escape(out, c, false);
  return out + "\"";
}

/// The lines of a triple text, without the quotes.
std::vector<std::string> triple_lines(const std::vector<TextPart>& parts) {
  struct Line {
    std::string text;
    bool blank = true;      // nothing but spaces
    bool spaced = false;    // begins with a space
  };
  std::vector<Line> lines(1);
  for (const TextPart& part : parts) {
    if (part.value) {
      lines.back().text += "{" + print(*part.value) + "}";
      lines.back().blank = false;
      continue;
    }
    for (size_t i = 0; i < part.literal.size(); ++i) {
      char c = part.literal[i];
      if (c == '\n') {
        lines.emplace_back();
        continue;
      }
      Line& line = lines.back();
      if (c == ' ' && line.text.empty()) line.spaced = true;
      if (c != ' ') line.blank = false;
      // Three quotes would close the text; so would two in front of the closing ones.
      size_t quotes = 0;
      while (c == '"' && i + quotes < part.literal.size() && part.literal[i + quotes] == '"') ++quotes;
      if (c == '"' && (quotes >= 3 || i + quotes == part.literal.size() || (i > 0 && part.literal[i - 1] == '"'))) line.text += "\\\"";
      else escape(line.text, c, true);
    }
  }
  // White space that the reader would take for indentation is written as an escape.
  bool all_spaced = true;
  for (const Line& l : lines)
    if (!l.blank && !l.spaced) all_spaced = false;
  for (size_t i = 0; i < lines.size(); ++i) {
    Line& l = lines[i];
    bool guard = (all_spaced && !l.blank) || (l.blank && l.spaced);
    if (guard) l.text = "\\u{20}" + l.text.substr(1);
  }
  std::vector<std::string> out;
  for (Line& l : lines) out.push_back(std::move(l.text));
  return out;
}

std::string inline_text(const std::vector<TextPart>& parts) {
  std::string out = "\"";
  for (const TextPart& part : parts) {
    if (part.value) out += "{" + print(*part.value) + "}";
    else for (char c : part.literal) escape(out, c, false);
  }
  return out + "\"";
}

// ---- expressions --------------------------------------------------------------------------------------------------

// By rising strength, as in GameParser.g4.
enum Strength { kIf, kOr, kAnd, kNot, kCompare, kRange, kUnion, kIntersect, kSum, kProduct, kPrefix, kPostfix, kAtom };

Strength strength(const Binary::Op op) {
  switch (op) {
    case Binary::Op::Or: return kOr;
    case Binary::Op::And: return kAnd;
    case Binary::Op::Union: return kUnion;
    case Binary::Op::Intersect: return kIntersect;
    case Binary::Op::Add: case Binary::Op::Sub: return kSum;
    case Binary::Op::Mul: case Binary::Op::Div: case Binary::Op::IDiv: case Binary::Op::Mod: return kProduct;
    default: return kCompare;
  }
}

Strength strength(const Expr& e) {
  if (e.parenthesised) return kAtom;
  if (auto* b = std::get_if<Binary>(&e.node)) return strength(b->op);
  if (auto* u = std::get_if<Unary>(&e.node)) return u->op == Unary::Op::Not ? kNot : kPrefix;
  if (std::holds_alternative<Reveal>(e.node)) return kPrefix;
  if (std::holds_alternative<Range>(e.node)) return kRange;
  if (std::holds_alternative<IfExpr>(e.node) || std::holds_alternative<Quantified>(e.node)) return kIf;
  return kPostfix;
}

const char* sign(Binary::Op op) {
  switch (op) {
    case Binary::Op::Add: return "+";
    case Binary::Op::Sub: return "-";
    case Binary::Op::Mul: return "*";
    case Binary::Op::Div: return "/";
    case Binary::Op::IDiv: return "div";
    case Binary::Op::Mod: return "mod";
    case Binary::Op::And: return "and";
    case Binary::Op::Or: return "or";
    case Binary::Op::Eq: return "==";
    case Binary::Op::Ne: return "!=";
    case Binary::Op::Lt: return "<";
    case Binary::Op::Le: return "<=";
    case Binary::Op::Gt: return ">";
    case Binary::Op::Ge: return ">=";
    case Binary::Op::In: return "in";
    case Binary::Op::NotIn: return "not in";
    case Binary::Op::Is: return "is";
    case Binary::Op::IsNot: return "is not";
    case Binary::Op::Intersect: return "&";
    case Binary::Op::Union: return "|";
  }
  return "?";
}

D expr(const Expr&);

/// As an operand that has to bind at least so strongly.
D operand(const Expr& e, Strength least) {
  if (strength(e) >= least) return expr(e);
  return concat({text("("), align(expr(e)), text(")")});
}

std::string names(const std::vector<Ident>& list) {
  std::string out;
  for (const Ident& i : list) out += (out.empty() ? "" : ", ") + i.name;
  return out;
}

D bracketed(const char* open, std::vector<D> items, const char* close);

D names(const Names& n) {
  if (!n.predicate) return text(names(n.names));
  std::vector<D> terms;
  for (const ExprPtr& t : n.terms) terms.push_back(expr(*t));
  return concat({text(n.predicate->name), bracketed("(", std::move(terms), ")")});
}

D bracketed(const char* open, std::vector<D> items, const char* close) {
  if (items.empty()) return text(std::string(open) + close);
  for (D& item : items) item = group(item);
  return concat({text(open), align(fill(std::move(items), ", ")), text(close)});
}

D arguments(const std::vector<Arg>& args) {
  std::vector<D> items;
  for (const Arg& a : args) {
    std::vector<D> parts;
    if (a.name) parts.push_back(text(a.name->name + " = "));
    if (a.key) {
      bool name = std::holds_alternative<Name>(a.key->node) && !a.key->parenthesised;
      parts.push_back(name ? concat({text("("), expr(*a.key), text(")")}) : expr(*a.key));
      parts.push_back(text(" = "));
    }
    parts.push_back(expr(*a.value));
    items.push_back(concat(std::move(parts)));
  }
  return bracketed("(", std::move(items), ")");
}

/// Whether it ends in an `if` or a quantifier, which would take in what follows.
bool ends_open(const Expr& e) {
  if (e.parenthesised) return false;
  if (auto* b = std::get_if<Binary>(&e.node)) return ends_open(*b->right);
  if (auto* u = std::get_if<Unary>(&e.node)) return ends_open(*u->operand);
  if (auto* r = std::get_if<Reveal>(&e.node)) return ends_open(*r->value);
  if (auto* r = std::get_if<Range>(&e.node)) return ends_open(*r->high);
  return std::holds_alternative<IfExpr>(e.node) || std::holds_alternative<Quantified>(e.node);
}

D left_operand(const Expr& e, Strength least) { return operand(e, ends_open(e) ? kAtom : least); }
/// At the end an `if` or a quantifier needs no parentheses.
D right_operand(const Expr& e, Strength least) {
  bool open = !e.parenthesised && (std::holds_alternative<IfExpr>(e.node) || std::holds_alternative<Quantified>(e.node));
  return open ? expr(e) : operand(e, least);
}

/// a + b - c: the operands of one strength stand side by side, each with its sign in front.
void chain(const Expr& e, Strength level, std::vector<D>& items) {
  const auto& b = std::get<Binary>(e.node);
  const auto* left = std::get_if<Binary>(&b.left->node);
  if (left && !b.left->parenthesised && level != kCompare && strength(left->op) == level && !ends_open(*b.left)) chain(*b.left, level, items);
  else items.push_back(left_operand(*b.left, level == kCompare ? kRange : level));
  items.push_back(concat({text(std::string(sign(b.op)) + " "), right_operand(*b.right, static_cast<Strength>(level + 1))}));
}

D if_expression(const IfExpr& e) {
  std::vector<D> parts{text("if "), operand(*e.condition, kIf), text(" then "), operand(*e.then, kIf), line(), text("else ")};
  const auto* next = std::get_if<IfExpr>(&e.otherwise->node);
  // A chain breaks everywhere or nowhere.
  if (next && !e.otherwise->parenthesised) parts.push_back(if_expression(*next));
  else parts.push_back(expr(*e.otherwise));
  return concat(std::move(parts));
}

D for_in(const Generator& g) {
  std::vector<D> parts{text("for "), names(g.names), text(" in "), expr(*g.source)};
  if (g.condition) parts.insert(parts.end(), {line(), text("if "), expr(*g.condition)});
  return concat(std::move(parts));
}

D triple(const TextLit& t) {
  std::vector<std::string> lines{"\"\"\""};
  for (std::string& l : triple_lines(t.parts)) lines.push_back(std::move(l));
  lines.back() += "\"\"\"";
  return either(text(inline_text(t.parts)), nest(kIndent, verbatim(std::move(lines))));
}

D bare(const Expr& e) {
  struct Visitor {
    D operator()(const IntLit& x) { return text(std::to_string(x.value)); }
    D operator()(const FloatLit& x) { return text(x.spelling); }
    D operator()(const BoolLit& x) { return text(x.value ? "true" : "false"); }
    D operator()(const NanLit&) { return text("nan"); }
    D operator()(const NoneLit&) { return text("none"); }
    D operator()(const TextLit& x) { return x.triple ? triple(x) : text(inline_text(x.parts)); }
    D operator()(const Name& x) { return text(x.name); }
    D operator()(const FieldAccess& x) { return concat({operand(*x.object, kPostfix), text("." + x.field.name)}); }
    D operator()(const Call& x) {
      if (!x.receiver) return concat({text(x.callee.name), arguments(x.args)});
      return concat({operand(*x.receiver, kPostfix), text("." + x.callee.name), arguments(x.args)});
    }
    D operator()(const Index& x) {
      bool range = std::holds_alternative<Range>(x.index->node) && !x.index->parenthesised;
      return concat({operand(*x.object, kPostfix), text(range ? "[(" : "["), align(expr(*x.index)), text(range ? ")]" : "]")});
    }
    D operator()(const Slice& x) {
      std::vector<D> parts{operand(*x.object, kPostfix), text("[")};
      if (x.from) parts.push_back(left_operand(*x.from, kUnion));
      parts.push_back(text(".."));
      if (x.to) parts.push_back(operand(*x.to, kUnion));
      parts.push_back(text("]"));
      return concat(std::move(parts));
    }
    D operator()(const Unary& x) {
      if (x.op == Unary::Op::Not) return concat({text("not "), right_operand(*x.operand, kNot)});
      auto* inner = std::get_if<Unary>(&x.operand->node);
      bool twice = inner && inner->op == Unary::Op::Neg;  // `--` would be one sign
      return concat({text("-"), operand(*x.operand, twice ? kAtom : kPrefix)});
    }
    D operator()(const Binary& x) {
      std::vector<D> items;
      chain(self, strength(x.op), items);
      return nest(kIndent, fill(std::move(items), " "));
    }
    D operator()(const IfExpr& x) { return group(if_expression(x)); }
    D operator()(const Range& x) { return concat({left_operand(*x.low, kUnion), text(".."), operand(*x.high, kUnion)}); }
    D operator()(const MatchExpr& x) {
      std::vector<D> parts;
      for (size_t i = 0; i < x.arms.size(); ++i) {
        if (i) parts.push_back(line("; "));
        const MatchArm& arm = x.arms[i];
        parts.push_back(concat({arm.pattern ? expr(*arm.pattern) : text("else"), text(" -> "), expr(*arm.value)}));
      }
      return group(concat({text("match "), expr(*x.subject), text(" {"), nest(kIndent, concat({line(), concat(std::move(parts))})), line(), text("}")}));
    }
    D list(const char* open, const std::vector<ExprPtr>& items, const char* close) {
      std::vector<D> docs;
      for (const auto& i : items) docs.push_back(expr(*i));
      return bracketed(open, std::move(docs), close);
    }
    D operator()(const ListLit& x) { return list("[", x.items, "]"); }
    D operator()(const SetLit& x) { return list("{", x.items, "}"); }
    D operator()(const MapLit& x) {
      std::vector<D> docs;
      for (const auto& [k, v] : x.entries) docs.push_back(concat({expr(*k), text(": "), expr(*v)}));
      return bracketed("{", std::move(docs), "}");
    }
    D operator()(const TupleLit& x) { return list("(", x.items, x.items.size() == 1 ? ",)" : ")"); }
    D operator()(const Comprehension& x) {
      std::vector<D> parts;
      if (x.key) parts.insert(parts.end(), {expr(*x.key), text(": ")});
      parts.push_back(expr(*x.value));
      for (const Generator& g : x.generators) parts.insert(parts.end(), {line(), for_in(g)});
      bool is_list = x.kind == Comprehension::Kind::List;
      return group(concat({text(is_list ? "[" : "{"), align(concat(std::move(parts))), text(is_list ? "]" : "}")}));
    }
    D operator()(const Quantified& x) {
      return concat({text(x.all ? "all " : "any "), names(x.names), text(" in "), operand(*x.source, kOr), text(": "), expr(*x.condition)});
    }
    D operator()(const Reveal& x) { return concat({text("reveal "), operand(*x.value, kPrefix)}); }
    D operator()(const Notes& x) { return text("notes " + quoted(x.key)); }
    D operator()(const RecordLit& x) {
      std::vector<D> items;
      for (const Arg& a : x.fields) items.push_back(group(concat({text(a.name ? a.name->name + " = " : ""), expr(*a.value)})));
      if (items.empty()) return text(x.type.name + " {}");
      return concat({text(x.type.name + " { "), align(fill(std::move(items), "  ")), text(" }")});
    }
    const Expr& self;
  };
  return std::visit(Visitor{e}, e.node);
}

D expr(const Expr& e) {
  if (e.parenthesised) return concat({text("("), align(bare(e)), text(")")});
  return bare(e);
}

/// `=` and a value: behind it on the line; where it does not fit, on the next line, unless it opens a bracket that may as
/// well be left open at the line's end.
D equals(const Expr& e, bool hang) {
  bool open = std::holds_alternative<MatchExpr>(e.node) || std::holds_alternative<ListLit>(e.node) || std::holds_alternative<SetLit>(e.node) ||
              std::holds_alternative<MapLit>(e.node) || std::holds_alternative<RecordLit>(e.node) || std::holds_alternative<TextLit>(e.node);
  bool call = std::holds_alternative<Call>(e.node) || std::holds_alternative<Comprehension>(e.node) || std::holds_alternative<TupleLit>(e.node);
  if (open || (hang && call)) return concat({text("= "), expr(e)});
  return group(concat({text("="), nest(kIndent, concat({line(), expr(e)}))}));
}

D type(const TypeExpr& t) {
  std::string out;
  switch (t.kind) {
    case TypeExpr::Kind::Named:
      out = t.name;
      if (t.low) out += " " + print(*t.low) + ".." + print(*t.high);
      return text(out);
    case TypeExpr::Kind::List: out = "[" + print(*t.args[0]) + "]"; break;
    case TypeExpr::Kind::Set: out = "set<" + print(*t.args[0]) + ">"; break;
    case TypeExpr::Kind::Map: out = "map<" + print(*t.args[0]) + ", " + print(*t.args[1]) + ">"; break;
    case TypeExpr::Kind::Optional: return text(print(*t.args[0]) + "?");
    case TypeExpr::Kind::Tuple:
      for (const auto& a : t.args) out += (out.empty() ? "(" : ", ") + print(*a);
      return text(out + ")");
  }
  if (t.high) out += " max " + print(*t.high);
  return text(out);
}

// ---- formats ------------------------------------------------------------------------------------------------------

std::string item(const FormatItem&);
std::string items(const std::vector<FormatItem>& list) {
  std::string out;
  for (const FormatItem& i : list) out += (out.empty() ? "" : " ") + item(i);
  return out;
}
std::string alternatives(const std::vector<std::vector<FormatItem>>& branches) {
  std::string out;
  for (const auto& b : branches) out += (out.empty() ? "" : " | ") + items(b);
  return out;
}
std::string item(const FormatItem& i) {
  auto literal = [](const std::string& s, bool ignore_case) { return (ignore_case ? "~" : "") + quoted(s); };
  std::string out;
  switch (i.kind) {
    case FormatItem::Kind::Literal: return literal(i.text, i.ignore_case);
    case FormatItem::Kind::Capture:
      out = "{" + (i.name ? i.name->name + ": " : "") + i.char_class;
      if (i.among) out += (i.except ? " not in " : " in ") + print(*i.among);
      for (const auto& [s, ignore_case] : i.without) out += " without " + literal(s, ignore_case);
      return out + "}";
    case FormatItem::Kind::Optional: return "[" + alternatives(i.branches) + "]";
    case FormatItem::Kind::Choice: case FormatItem::Kind::Repeat: {
      const char* sign = i.kind == FormatItem::Kind::Choice ? "" : i.once ? "+" : "*";
      if (i.bare) return items(i.branches[0]) + sign;
      const auto* branches = &i.branches;
      // ( a | b )* is a repeated choice.
      if (i.kind == FormatItem::Kind::Repeat && branches->size() == 1 && (*branches)[0].size() == 1 && (*branches)[0][0].kind == FormatItem::Kind::Choice &&
          (*branches)[0][0].branches.size() > 1)
        branches = &(*branches)[0][0].branches;
      return "(" + alternatives(*branches) + ")" + sign;
    }
  }
  return out;
}

// ---- comments -----------------------------------------------------------------------------------------------------

bool has_comments(const Comments& c) { return !c.before.empty() || !c.after.empty(); }

std::string comment(const std::string& body) {
  std::string out = "//" + body;
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

void lines_before(std::vector<D>& out, const std::vector<std::string>& comments) {
  for (const std::string& c : comments) {
    if (c != "\n") out.push_back(text(comment(c)));
    out.push_back(hard());
  }
}

void line_after(std::vector<D>& out, const Comments& c) {
  if (!c.after.empty()) out.push_back(trailing("  " + comment(c.after == " " ? "" : c.after)));
}

// ---- statements ---------------------------------------------------------------------------------------------------

/// What statements of one column have in common; 0: none.
enum Column { kNoColumn, kLet, kVar, kAssign, kBrief, kTell, kRule, kResource };

// More blocks inside each other than this are never put on one line.
constexpr int kBlocksOnOneLine = 3;

bool one_line(const Block&, int levels = kBlocksOnOneLine);
// `indent`: the column at which the statement or the block's opener begins.
D block(const Block&, int indent);
D statement(const Stmt&, int width, int indent);

bool one_line(const Consequence& c, int levels) { return !c.present || (!c.own_line && one_line(c.body, levels)); }

bool one_line(const Stmt& s, int levels) {
  if (has_comments(s.comments)) return false;
  if (auto* x = std::get_if<If>(&s.node)) {
    if (!one_line(x->then, levels)) return false;
    if (x->else_if) return one_line(x->otherwise[0], levels - 1 < 0 ? 0 : levels - 1);
    return one_line(x->otherwise, levels);
  }
  if (auto* x = std::get_if<For>(&s.node)) return one_line(x->body, levels);
  if (auto* x = std::get_if<Round>(&s.node)) return one_line(x->body, levels);
  if (auto* x = std::get_if<RepeatAtMost>(&s.node)) return one_line(x->body, levels);
  if (std::get_if<Together>(&s.node)) return false;
  if (auto* x = std::get_if<ExperimentStmt>(&s.node)) return one_line(x->body, levels);
  if (auto* x = std::get_if<InstancesStmt>(&s.node)) return one_line(x->body, levels);
  if (auto* x = std::get_if<Let>(&s.node)) return one_line(x->otherwise, levels);
  if (auto* x = std::get_if<Format>(&s.node)) return one_line(x->otherwise, levels);
  if (auto* x = std::get_if<Check>(&s.node)) return one_line(x->otherwise, levels);
  if (auto* x = std::get_if<Retry>(&s.node)) return one_line(*x->then, levels);
  return true;
}

/// Whether the author put the whole block on its opener's line.
bool one_line(const Block& b, int levels) {
  if (levels == 0) return false;
  for (const Stmt& s : b)
    if (!s.comments.same_line || !one_line(s, levels - 1)) return false;
  return true;
}

/// Whether a statement has lines of its own whatever the width.
bool has_triple(const Expr* e) {
  if (!e) return false;
  if (auto* t = std::get_if<TextLit>(&e->node)) return t->triple;
  return false;
}

std::string let_left(const Let& x) { return x.name.name + (x.type ? ": " + print(*x.type) : ""); }

Column column_of(const Stmt& s) {
  if (auto* x = std::get_if<Let>(&s.node)) return has_triple(x->value.get()) ? kNoColumn : x->mutable_ ? kVar : kLet;
  if (auto* x = std::get_if<Assign>(&s.node)) return has_triple(x->value.get()) ? kNoColumn : kAssign;
  if (auto* x = std::get_if<Brief>(&s.node)) return has_triple(x->value.get()) ? kNoColumn : kBrief;
  if (auto* x = std::get_if<Tell>(&s.node)) return has_triple(x->value.get()) ? kNoColumn : kTell;
  if (std::holds_alternative<ResourceStmt>(s.node)) return kResource;
  const Consequence* c = nullptr;
  if (auto* x = std::get_if<Format>(&s.node)) c = &x->otherwise;
  if (auto* x = std::get_if<Check>(&s.node)) c = &x->otherwise;
  if (c && c->present && !c->braces && !c->own_line && one_line(c->body)) return kRule;
  return kNoColumn;
}

D rule_head(const Stmt& s) {
  if (auto* x = std::get_if<Format>(&s.node)) {
    std::vector<D> docs;
    for (const FormatItem& i : x->items) docs.push_back(text(item(i)));
    return concat({text(x->aim ? "aim " : "format "), nest(2 * kIndent, fill(std::move(docs), " "))});
  }
  const auto& x = std::get<Check>(s.node);
  return concat({text(x.expect ? "expect " : "forbid "), nest(kIndent, expr(*x.condition))});
}

/// The part of a statement that stands in front of the column.
std::string left_part(const Stmt& s) {
  if (auto* x = std::get_if<Let>(&s.node)) return let_left(*x);
  if (auto* x = std::get_if<Assign>(&s.node)) return print(*x->target);
  if (auto* x = std::get_if<Brief>(&s.node)) return x->player.name;
  if (auto* x = std::get_if<Tell>(&s.node)) return x->player.name;
  if (auto* x = std::get_if<ResourceStmt>(&s.node)) return x->name.name;
  return flat(rule_head(s));
}

/// One line of a column: what is in front of it, and behind.
struct Row {
  int kind = 0;         // 0: in no column
  int left = 0;         // width of what stands in front
  int right = 0;        // width of what follows and must stay on the line
  bool joined = false;  // directly below the row before
};

/// For each row the width its left part is padded to. Rows are joined while they stay within `gap` and `room`.
std::vector<int> pads(const std::vector<Row>& rows, int gap = kWidestGap, int room = kWidth) {
  std::vector<int> out(rows.size(), 0);
  for (size_t i = 0; i < rows.size();) {
    size_t end = i + 1;
    int low = rows[i].left, high = rows[i].left, right = rows[i].right;
    while (end < rows.size() && rows[i].kind != 0 && rows[end].kind == rows[i].kind && rows[end].joined) {
      int l = std::min(low, rows[end].left), h = std::max(high, rows[end].left), r = std::max(right, rows[end].right);
      if (h - l > gap || (r > 0 && h + r > room)) break;
      low = l, high = h, right = r, ++end;
    }
    for (; i < end; ++i) out[i] = rows[i].kind == 0 ? rows[i].left : high;
  }
  return out;
}

std::string padded(std::string s, int width) {
  int missing = width - columns(s);
  if (missing > 0) s.append(static_cast<size_t>(missing), ' ');
  return s;
}

/// Statements below each other, without the braces.
D lines(const Block& b, int indent) {
  std::vector<Row> rows;
  for (size_t i = 0; i < b.size(); ++i) {
    const Stmt& s = b[i];
    Row row{column_of(s), 0, 0, i > 0 && s.comments.before.empty() && !s.comments.blank_before};
    if (row.kind) {
      // What does not fit on its line anyway stays out.
      int whole = columns(flat(statement(s, 0, indent)));
      if (whole > kWidth - indent) row.kind = kNoColumn;
      else row.left = columns(left_part(s)), row.right = whole - row.left;
    }
    rows.push_back(row);
  }
  std::vector<int> pad = pads(rows, 2 * kWidestGap, kWidth - indent);
  std::vector<D> out;
  for (size_t i = 0; i < b.size(); ++i) {
    const Stmt& s = b[i];
    if (i > 0) {
      out.push_back(hard());
      if (s.comments.blank_before) out.push_back(hard());
    }
    if (std::holds_alternative<Nothing>(s.node)) {
      for (size_t k = 0; k < s.comments.before.size(); ++k) {
        if (k) out.push_back(hard());
        if (s.comments.before[k] != "\n") out.push_back(text(comment(s.comments.before[k])));
      }
      continue;
    }
    lines_before(out, s.comments.before);
    out.push_back(group(statement(s, pad[i], indent)));
    line_after(out, s.comments);
  }
  return concat(std::move(out));
}

D tall_block(const Block& b, int indent) {
  return concat({text("{"), nest(kIndent, concat({hard(), lines(b, indent + kIndent)})), hard(), text("}")});
}

D block(const Block& b, int indent) {
  if (b.empty()) return text("{ }");
  D tall = tall_block(b, indent);
  if (!one_line(b)) return tall;
  std::vector<D> parts{text("{ ")};
  for (size_t i = 0; i < b.size(); ++i) {
    if (i) parts.push_back(text("  "));
    parts.push_back(statement(b[i], 0, indent));
  }
  parts.push_back(text(" }"));
  return either(concat(std::move(parts)), tall);
}

/// Behind `else` the name of a step calls it.
D only_statement(const Stmt& s, int indent) {
  if (auto* e = std::get_if<Evaluate>(&s.node))
    if (auto* call = std::get_if<Call>(&e->call->node); call && !call->receiver && call->args.empty()) return text(call->callee.name);
  return statement(s, 0, indent);
}

/// `else …` behind a rule, `then …` behind a retry; `gap` blanks in front on the same line.
D consequence(const char* word, const Consequence& c, int gap, int indent) {
  if (c.own_line) indent += kIndent;
  D body = c.braces ? concat({text(std::string(word) + " "), block(c.body, indent)})
                    : concat({text(std::string(word) + " "), group(only_statement(c.body[0], indent))});
  if (c.own_line) return nest(kIndent, concat({hard(), body}));
  if (c.braces) return concat({text(" "), body});
  return nest(kIndent, concat({line(std::string(static_cast<size_t>(gap), ' ')), body}));
}

D with_rule(const Stmt& s, const Consequence& otherwise, int width, int indent) {
  D head = rule_head(s);
  if (!otherwise.present) return head;
  int gap = 2;
  if (!otherwise.own_line && !otherwise.braces && width > 0) gap += std::max(0, width - columns(flat(head)));
  // An `else` on its own line leaves the head's own breaks alone.
  if (otherwise.own_line || otherwise.braces) return concat({head, consequence("else", otherwise, gap, indent)});
  return group(concat({head, consequence("else", otherwise, gap, indent)}));
}

/// `flat_blocks`: all of them on the line.
D if_statement(const If& x, bool flat_blocks, int indent) {
  auto body = [&](const Block& b) { return b.empty() || flat_blocks ? block(b, indent) : tall_block(b, indent); };
  std::vector<D> parts{text("if "), nest(kIndent, expr(*x.condition)), text(" "), body(x.then)};
  if (x.else_if) parts.insert(parts.end(), {text(" else "), if_statement(std::get<If>(x.otherwise[0].node), flat_blocks, indent)});
  else if (!x.otherwise.empty()) parts.insert(parts.end(), {text(" else "), body(x.otherwise)});
  return concat(std::move(parts));
}

D statement(const Stmt& s, int width, int indent) {
  struct Visitor {
    D operator()(const Let& x) {
      D head = concat({text((x.mutable_ ? "var " : "let ") + padded(let_left(x), width) + " "), equals(*x.value, true)});
      if (x.as) head = concat({head, text(" as "), type(*x.as)});
      if (!x.otherwise.present) return head;
      D whole = concat({head, consequence("else", x.otherwise, 1, indent)});
      return x.otherwise.own_line || x.otherwise.braces ? whole : group(whole);
    }
    D operator()(const Assign& x) { return concat({text(padded(print(*x.target), width) + " "), equals(*x.value, true)}); }
    D operator()(const Evaluate& x) { return expr(*x.call); }
    D operator()(const If& x) {
      bool flat_blocks = one_line(s, kBlocksOnOneLine);
      if (x.otherwise.empty() || !flat_blocks) return if_statement(x, flat_blocks, indent);
      return either(if_statement(x, true, indent), if_statement(x, false, indent));
    }
    D operator()(const For& x) {
      std::vector<D> parts{text("for "), names(x.names), text(" in "), expr(*x.source)};
      if (x.where) parts.insert(parts.end(), {text(" where "), nest(kIndent, expr(*x.where))});
      parts.insert(parts.end(), {text(" "), block(x.body, indent)});
      return concat(std::move(parts));
    }
    D operator()(const Round& x) { return concat({text("round " + x.name.name + " in "), expr(*x.source), text(" "), block(x.body, indent)}); }
    D operator()(const Together& x) { return concat({text("together "), block(x.body, indent)}); }
    D operator()(const RepeatAtMost& x) { return concat({text("repeat at most "), expr(*x.times), text(" "), block(x.body, indent)}); }
    D operator()(const Break&) { return text("break"); }
    D operator()(const Return& x) { return concat({text("return "), nest(kIndent, expr(*x.value))}); }
    D operator()(const Ask& x) {
      std::vector<D> parts{text((x.bind ? "let " + x.name.name + " = " : "") + "ask " + x.player.name)};
      if (x.aside) parts.insert(parts.end(), {text(" aside "), expr(*x.aside)});
      parts.push_back(text(" for " + x.move.name));
      return concat(std::move(parts));
    }
    D operator()(const Tell& x) { return concat({text("tell " + padded(x.player.name, width) + " "), value(*x.value)}); }
    D operator()(const Brief& x) {
      std::vector<D> parts{text("brief " + padded(x.player.name, width) + " "), value(*x.value)};
      if (x.answered) parts.insert(parts.end(), {text(" answered "), expr(*x.answered)});
      return concat(std::move(parts));
    }
    D operator()(const Say& x) { return concat({text("say " + (x.player ? x.player->name + " " : "")), value(*x.value)}); }
    D operator()(const Note& x) { return concat({text("note " + quoted(x.key) + " "), value(*x.value)}); }
    D operator()(const RewardStmt& x) { return concat({text("reward " + x.player.name + " "), value(*x.value)}); }
    D operator()(const Outcome& x) {
      std::vector<D> parts{text(x.kind == Outcome::Kind::Win ? "win" : x.kind == Outcome::Kind::Lose ? "lose" : "abort")};
      if (x.score) parts.insert(parts.end(), {text(" score "), value(*x.score)});
      if (x.reason) parts.insert(parts.end(), {text(" "), value(*x.reason)});
      return concat(std::move(parts));
    }
    D operator()(const Pass&) { return text("pass"); }
    D operator()(const Retry& x) {
      std::vector<D> parts{text("retry "), expr(*x.times)};
      if (x.tell) parts.insert(parts.end(), {text(" tell "), value(*x.tell)});
      parts.push_back(consequence("then", *x.then, 1, indent));
      return concat(std::move(parts));
    }
    D operator()(const Nothing&) { return text(""); }
    D operator()(const Read& x) { return concat({text("read "), value(*x.value)}); }
    D operator()(const Format& x) { return with_rule(s, x.otherwise, width, indent); }
    D operator()(const Check& x) { return with_rule(s, x.otherwise, width, indent); }
    D operator()(const Gives& x) {
      if (auto* t = std::get_if<TupleLit>(&x.value->node); t && t->items.size() > 1) {
        std::vector<D> items;
        for (const auto& i : t->items) items.push_back(group(expr(*i)));
        return concat({text("gives "), align(fill(std::move(items), ", "))});
      }
      return concat({text("gives "), value(*x.value)});
    }
    D operator()(const ExperimentStmt& x) { return concat({text("experiment "), expr(*x.name), text(" "), block(x.body, indent)}); }
    D operator()(const InstancesStmt& x) {
      return concat({text("instances "), expr(*x.count), text(x.index ? " as " + x.index->name + " " : " "), block(x.body, indent)});
    }
    D operator()(const ResourceStmt& x) { return concat({text("resource " + padded(x.name.name, width) + " : "), type(*x.type), text(" = "), expr(*x.path)}); }
    D value(const Expr& e) { return nest(std::holds_alternative<TextLit>(e.node) ? 0 : kIndent, expr(e)); }
    const Stmt& s;
    int width, indent;
  };
  return std::visit(Visitor{s, width, indent}, s.node);
}

// ---- declarations -------------------------------------------------------------------------------------------------

std::string audience(const Audience& a) {
  if (!a.secret) return "";
  return "secret" + (a.players.empty() ? "" : " " + names(a.players));
}

void doc_lines(std::vector<D>& out, const std::vector<std::string>& doc) {
  for (const std::string& d : doc) {
    std::string l = d.empty() ? "///" : "/// " + d;
    while (l.back() == ' ') l.pop_back();
    out.push_back(text(l));
    out.push_back(hard());
  }
}

D field_value(const Field& f) {
  std::vector<D> parts{type(*f.type)};
  if (f.initial) parts.insert(parts.end(), {text(" = "), expr(*f.initial)});
  return concat(std::move(parts));
}

D from(const Field& f) {
  std::vector<D> items;
  for (const std::string& p : f.from) items.push_back(text(quoted(p)));
  return concat({text("from "), align(fill(std::move(items), ", "))});
}

bool one_line(const std::vector<Field>& fields) {
  for (const Field& f : fields)
    if (has_comments(f.comments) || !f.doc.empty() || !f.comments.same_line) return false;
  return true;
}

D field_lines(const std::vector<Field>& fields, const std::vector<std::string>& dangling) {
  size_t n = fields.size();
  std::vector<Row> rows(n);
  std::vector<int> value_width(n), from_width(n);
  for (size_t i = 0; i < n; ++i) {
    const Field& f = fields[i];
    rows[i] = {1, columns(f.name.name), 0, i > 0 && !f.comments.blank_before};
    value_width[i] = columns(flat(field_value(f)));
    from_width[i] = f.from.empty() ? 0 : columns(flat(from(f)));
  }
  std::vector<int> name_pad = pads(rows);
  std::vector<D> out;
  for (size_t first = 0; first < n;) {
    // A run of fields: no empty line between them, one width of names.
    size_t end = first + 1;
    while (end < n && rows[end].joined && name_pad[end] == name_pad[first]) ++end;
    int tail = 0, behind_from = 0;
    bool all_long = true;
    for (size_t i = first; i < end; ++i) {
      bool has_tail = !fields[i].from.empty() || fields[i].audience.secret;
      if (!has_tail || value_width[i] > kWidestFieldValue) continue;
      tail = std::max(tail, value_width[i]);
      all_long = false;
      if (fields[i].audience.secret) behind_from = std::max(behind_from, from_width[i]);
    }
    for (size_t i = first; i < end; ++i) {
      const Field& f = fields[i];
      if (i > 0) {
        out.push_back(hard());
        if (f.comments.blank_before) out.push_back(hard());
      }
      lines_before(out, f.comments.before);
      doc_lines(out, f.doc);
      std::string head = padded(f.name.name, name_pad[i]) + " : ";
      std::vector<D> parts{text(head), group(field_value(f))};
      bool has_tail = !f.from.empty() || f.audience.secret;
      if (has_tail) {
        int column = columns(head) + tail + 2;
        if (value_width[i] <= tail) parts.push_back(text(std::string(static_cast<size_t>(tail - value_width[i] + 2), ' ')));
        else if (all_long && columns(head) + value_width[i] + 2 + from_width[i] + columns(audience(f.audience)) + kIndent <= kWidth) parts.push_back(text("  "));
        else parts.push_back(nest(all_long ? kIndent : column, hard()));
        if (!f.from.empty()) parts.push_back(from(f));
        if (f.audience.secret) {
          int gap = f.from.empty() ? 0 : std::max(2, behind_from - from_width[i] + 2);
          if (from_width[i] > 0 && behind_from + column > kWidth - 20) gap = 2;
          parts.push_back(text(std::string(static_cast<size_t>(gap), ' ') + audience(f.audience)));
        }
      }
      out.push_back(concat(std::move(parts)));
      line_after(out, f.comments);
    }
    first = end;
  }
  for (const std::string& c : dangling) {
    if (!out.empty()) out.push_back(hard());
    out.push_back(text(comment(c)));
  }
  return concat(std::move(out));
}

/// `colon`: between name and type when the block stands on one line.
/// `front`: the columns of what stands before it on its line.
D field_block(const std::vector<Field>& fields, const char* colon, int front, const std::vector<std::string>& dangling = {}) {
  if (fields.empty() && dangling.empty()) return text("{ }");
  D tall = concat({text("{"), nest(kIndent, concat({hard(), field_lines(fields, dangling)})), hard(), text("}")});
  if (!dangling.empty() || !one_line(fields)) return tall;
  std::vector<D> parts{text("{ ")};
  for (size_t i = 0; i < fields.size(); ++i) {
    const Field& f = fields[i];
    parts.push_back(text((i ? "  " : "") + f.name.name + colon));
    parts.push_back(field_value(f));
    if (!f.from.empty()) parts.insert(parts.end(), {text("  "), from(f)});
    if (f.audience.secret) parts.push_back(text("  " + audience(f.audience)));
  }
  parts.push_back(text(" }"));
  D flat_form = concat(std::move(parts));
  return columns(flat(flat_form)) <= kWidth - front ? text(flat(flat_form)) : tall;
}

/// Where the alternatives do not fit on the line, each has its own, unless they are but words.
D grammar_rule(const GrammarRule& r) {
  bool words = true;
  std::vector<D> filled, below;
  for (size_t b = 0; b < r.branches.size(); ++b) {
    std::vector<D> items;
    for (const FormatItem& i : r.branches[b]) {
      words = words && i.kind == FormatItem::Kind::Literal;
      items.push_back(text(item(i)));
      filled.push_back(text((b > 0 && items.size() == 1 ? "| " : "") + item(i)));
    }
    if (b > 0) below.insert(below.end(), {hard(), text("| ")});
    below.push_back(nest(2, fill(std::move(items), " ")));
  }
  D flat_form = fill(std::move(filled), " ");
  return words || r.branches.size() == 1 ? nest(2, std::move(flat_form)) : either(text(alternatives(r.branches)), concat(std::move(below)));
}

D grammar_rules(const GrammarDecl& x) {
  std::vector<Row> rows;
  for (size_t i = 0; i < x.rules.size(); ++i) {
    const GrammarRule& r = x.rules[i];
    rows.push_back({1, columns(r.name.name), 0, i > 0 && r.comments.before.empty() && r.doc.empty() && !r.comments.blank_before});
  }
  std::vector<int> pad = pads(rows);
  std::vector<D> out;
  for (size_t i = 0; i < x.rules.size(); ++i) {
    const GrammarRule& r = x.rules[i];
    if (i > 0) {
      out.push_back(hard());
      if (r.comments.blank_before) out.push_back(hard());
    }
    lines_before(out, r.comments.before);
    doc_lines(out, r.doc);
    std::string head = padded(r.name.name, pad[i]) + " ";
    out.push_back(concat({text(head + ": "), nest(columns(head), grammar_rule(r))}));
    line_after(out, r.comments);
  }
  for (const std::string& c : x.dangling) {
    if (c == "\n") continue;
    if (!out.empty()) out.push_back(hard());
    out.push_back(text(comment(c)));
  }
  return concat(std::move(out));
}

D params(const std::vector<Param>& list) {
  std::vector<D> items;
  for (const Param& p : list) items.push_back(concat({text(p.name.name + ": "), type(*p.type)}));
  return bracketed("(", std::move(items), ")");
}

/// Predicates stand as the author grouped them: on a line of their own, or behind the one before.
D world_block(const WorldDecl& x) {
  std::vector<D> out;
  const Comments* line = nullptr;  // its comment is still to come
  for (const Predicate& p : x.predicates) {
    std::string form = p.name.name + "(" + names(p.terms) + ")";
    bool joined = line && p.comments.same_line && !has_comments(p.comments) && p.doc.empty() && line->after.empty();
    if (joined) {
      out.push_back(text("  " + form));
    } else {
      if (line) line_after(out, *line);
      if (line) out.push_back(hard());
      if (line && p.comments.blank_before) out.push_back(hard());
      lines_before(out, p.comments.before);
      doc_lines(out, p.doc);
      out.push_back(text(form));
    }
    line = &p.comments;
  }
  if (line) line_after(out, *line);
  for (const std::string& c : x.dangling) {
    if (!out.empty()) out.push_back(hard());
    out.push_back(text(comment(c)));
  }
  if (out.empty()) return text("world { }");
  bool one_line = x.dangling.empty();
  for (const Predicate& p : x.predicates) one_line &= p.comments.same_line && !has_comments(p.comments) && p.doc.empty();
  if (one_line) out.insert(out.begin(), text("world { ")), out.push_back(text(" }"));
  else out = {text("world {"), nest(kIndent, concat({hard(), concat(std::move(out))})), hard(), text("}")};
  return concat(std::move(out));
}

enum DeclColumn { kNone, kPlayer, kMetric, kMetricAt, kKey, kResourceDecl };

DeclColumn column_of(const Decl& d) {
  if (auto* x = std::get_if<PlayerDecl>(&d.node)) return x->display.empty() ? kNone : kPlayer;
  if (auto* x = std::get_if<MetricDecl>(&d.node)) return !x->named ? kNone : x->at ? kMetricAt : kMetric;
  if (std::holds_alternative<KeyDecl>(d.node)) return kKey;
  if (std::holds_alternative<ResourceDecl>(d.node)) return kResourceDecl;
  return kNone;
}

std::string left_part(const Decl& d) {
  if (auto* x = std::get_if<PlayerDecl>(&d.node)) return x->name.name;
  if (auto* x = std::get_if<MetricDecl>(&d.node)) return quoted(x->name);
  if (auto* x = std::get_if<KeyDecl>(&d.node)) return quoted(x->name);
  if (auto* x = std::get_if<ResourceDecl>(&d.node)) return x->name.name;
  return "";
}

D declaration(const Decl& d, int width) {
  struct Visitor {
    D operator()(const FieldsDecl& x) {
      const char* word = x.where == FieldsDecl::Where::Experiment ? "experiment " : x.where == FieldsDecl::Where::Instance ? "instance " : "state ";
      return concat({text(word), field_block(x.fields, " : ", columns(word), x.dangling)});
    }
    D operator()(const RecordDecl& x) {
      const std::string head = "record " + x.name.name + " ";
      return concat({text(head), field_block(x.fields, ": ", columns(head))});
    }
    D operator()(const EnumDecl& x) {
      std::vector<D> items;
      for (const auto& [name, spelling] : x.values) items.push_back(text(name.name + (spelling.empty() ? "" : " = " + quoted(spelling))));
      return concat({text("enum " + x.name.name + " { "), align(fill(std::move(items), ", ")), text(" }")});
    }
    D operator()(const WorldDecl& x) { return world_block(x); }
    D operator()(const PlayerDecl& x) {
      return text("player " + (x.display.empty() ? x.name.name : padded(x.name.name, width) + " as " + quoted(x.display)) + (x.scripted ? " scripted" : ""));
    }
    D operator()(const UseDecl& x) { return text("use " + x.library.name + (x.names.empty() ? "" : " (" + names(x.names) + ")")); }
    D operator()(const IncludeDecl& x) { return text("include " + quoted(x.path)); }
    D operator()(const ResourceDecl& x) {
      return concat({text("resource " + padded(x.name.name, width) + " : "), type(*x.type), text(" = "), expr(*x.path), text(x.audience.secret ? "  " + audience(x.audience) : "")});
    }
    D operator()(const FnDecl& x) {
      std::vector<D> parts{text("fn " + x.name.name), params(x.params), text(" -> "), type(*x.result), text(" ")};
      parts.push_back(x.expression ? equals(*x.expression, false) : block(x.body, 0));
      return concat(std::move(parts));
    }
    D operator()(const StepDecl& x) {
      return concat({text("step " + x.name.name), x.params.empty() ? text("") : params(x.params), text(" "), block(x.body, 0)});
    }
    D operator()(const MoveDecl& x) { return concat({text("move " + x.name.name + " by " + names(x.players) + " "), block(x.body, 0)}); }
    D operator()(const PlayDecl& x) { return concat({text("play "), block(x.body, 0)}); }
    D operator()(const BotDecl& x) {
      std::string head = "bot " + x.player.name + " " + x.name.name + " ";
      if (x.memory.empty()) return concat({text(head), block(x.body, 0)});
      std::vector<D> parts{hard(), text("memory "), field_block(x.memory, ": ", kIndent + columns("memory "))};
      if (!x.body.empty()) {
        parts.push_back(hard());
        if (x.body[0].comments.blank_before) parts.push_back(hard());
        parts.push_back(lines(x.body, kIndent));
      }
      return concat({text(head + "{"), nest(kIndent, concat(std::move(parts))), hard(), text("}")});
    }
    D operator()(const MetricDecl& x) {
      std::vector<D> parts{text(x.named ? "metric " + padded(quoted(x.name), width) + " " : "metric ")};
      if (x.at) parts.insert(parts.end(), {text("at " + x.at->name + " in "), expr(*x.source), text(" ")});
      parts.push_back(equals(*x.value, false));
      if (x.condition) parts.insert(parts.end(), {text(" if "), expr(*x.condition)});
      return concat(std::move(parts));
    }
    D operator()(const KeyDecl& x) { return concat({text("key " + padded(quoted(x.name), width) + " "), equals(*x.value, false)}); }
    D operator()(const GrammarDecl& x) {
      if (x.rules.empty() && x.dangling.empty()) return text("grammar " + x.name.name + " { }");
      return concat({text("grammar " + x.name.name + " {"), nest(kIndent, concat({hard(), grammar_rules(x)})), hard(), text("}")});
    }
    D operator()(const GenerateDecl& x) { return concat({text("generate "), block(x.body, 0)}); }
    int width;
  };
  return group(std::visit(Visitor{width}, d.node));
}

}  // namespace

std::string print(const Expr& e) { return flat(expr(e)); }
std::string print(const TypeExpr& t) { return flat(type(t)); }
std::string print(const GrammarRule& r) { return r.name.name + " : " + alternatives(r.branches); }

std::string print(const File& file) {
  std::vector<D> out;
  if (file.game) {
    lines_before(out, file.comments.before);
    doc_lines(out, file.doc);
    out.push_back(text("game " + file.game->name));
    line_after(out, file.comments);
    out.push_back(hard());
  }
  std::vector<Row> rows;
  for (const Decl& d : file.decls) {
    Row row{column_of(d), columns(left_part(d)), 0, d.comments.before.empty() && d.doc.empty() && !d.comments.blank_before};
    // What does not fit on its line anyway may stand in a column, but moves it for nobody.
    int whole = row.kind ? columns(flat(declaration(d, 0))) : 0;
    if (whole <= kWidth) row.right = whole - row.left;
    rows.push_back(row);
  }
  std::vector<int> pad = pads(rows);
  for (size_t i = 0; i < file.decls.size(); ++i) {
    const Decl& d = file.decls[i];
    if (d.comments.blank_before && !out.empty()) out.push_back(hard());
    lines_before(out, d.comments.before);
    doc_lines(out, d.doc);
    out.push_back(declaration(d, pad[i]));
    line_after(out, d.comments);
    out.push_back(hard());
  }
  for (const std::string& c : file.end_comments) {
    if (c != "\n") out.push_back(text(comment(c)));
    else if (out.empty()) continue;
    out.push_back(hard());
  }
  return render(concat(std::move(out)), kWidth);
}

}  // namespace ppc::ast
