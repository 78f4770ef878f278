// Parse contexts -> ast. Rejects what the grammar accepts too much of, resolves escapes, and gives every comment a node.
#include <algorithm>
#include <charconv>
#include <limits>

#include "compiler/syntax/internal.h"

namespace ppc::syntax {

using antlr4::ParserRuleContext;
using antlr4::Token;
using antlr4::tree::TerminalNode;
using namespace ast;
using P = GameParser;

namespace {

struct TooDeep {};

class Builder {
 public:
  Builder(std::string_view text, const Offsets& offsets, std::vector<CommentText> comments, const Limits& limits, diag::Emitter& emitter)
      : text_(text), base_(offsets.byte(0)), offsets_(offsets), comments_(std::move(comments)), limits_(limits), emitter_(emitter) {}

  File file(P::FileContext* context) {
    File out;
    out.span = {offsets_.span(context->getStart()).file, base_, base_ + static_cast<uint32_t>(text_.size())};
    bool first = true;
    for (auto* d : context->declaration()) {
      if (d->exception) continue;
      if (auto* game = d->gameDecl()) {
        if (!first) {
          auto b = emitter_.emit(kGameNotFirst, span(game), {out.game ? "a second `game` line" : "the `game` line stands behind other declarations"});
          if (out.game) b.label(out.game->span, "the first one is here");
          else b.hint("it comes first in the file");
        }
        if (!out.game) {
          uint32_t begin = span(game).begin;
          out.comments = before(begin, &out.doc);
          out.game = ident(game->ident());
          after(out.comments, span(game).end);
        }
      } else {
        try {
          out.decls.push_back(declaration(d));
        } catch (const TooDeep&) {
        }
      }
      first = false;
    }
    out.end_comments = rest();
    return out;
  }

 private:
  // ---- places and comments ----------------------------------------------------------------------------------------

  Span span(ParserRuleContext* c) const { return offsets_.span(c->getStart(), c->getStop()); }
  Span span(Token* t) const { return offsets_.span(t); }
  Span span(TerminalNode* n) const { return offsets_.span(n->getSymbol()); }

  char at(uint32_t offset) const { return text_[offset - base_]; }

  /// Line breaks between `offset` and the thing before it; `opened` tells whether that thing is a `{` or the file's start.
  int breaks_before(uint32_t offset, bool& opened) const {
    int breaks = 0;
    while (offset > base_ && (at(offset - 1) == ' ' || at(offset - 1) == '\t' || at(offset - 1) == '\r' || at(offset - 1) == '\n' || at(offset - 1) == ';'))
      if (at(--offset) == '\n') ++breaks;
    opened = offset == base_ || at(offset - 1) == '{';
    return breaks;
  }
  bool blank_before(uint32_t offset) const {
    bool opened = false;
    return breaks_before(offset, opened) >= 2 && !opened;
  }
  bool starts_line(uint32_t offset) const {
    bool opened = false;
    return breaks_before(offset, opened) > 0 || (opened && offset == base_);
  }

  /// The comments in front of a node that begins at `begin`; documentation lines go to `doc` where one is given.
  Comments before(uint32_t begin, std::vector<std::string>* doc = nullptr) {
    Comments out;
    uint32_t first = next_ < comments_.size() && comments_[next_].begin < begin ? comments_[next_].begin : begin;
    out.blank_before = blank_before(first);
    out.same_line = first == begin && !starts_line(begin);
    bool any = false;
    for (; next_ < comments_.size() && comments_[next_].begin < begin; ++next_) {
      const CommentText& c = comments_[next_];
      if (doc && c.text.size() >= 1 && c.text[0] == '/' && (c.text.size() < 2 || c.text[1] != '/')) {
        doc->push_back(c.text.substr(c.text.size() > 1 && c.text[1] == ' ' ? 2 : 1));
        continue;
      }
      if (any && blank_before(c.begin)) out.before.emplace_back("\n");
      out.before.push_back(c.text);
      any = true;
    }
    if (any && blank_before(begin) && (!doc || doc->empty())) out.before.emplace_back("\n");
    return out;
  }

  /// Comments inside a node that none of its parts took, and the one behind it on its line.
  void after(Comments& comments, uint32_t end) {
    for (; next_ < comments_.size() && comments_[next_].begin < end; ++next_) comments.before.push_back(comments_[next_].text);
    if (next_ == comments_.size()) return;
    for (uint32_t i = end; i < comments_[next_].begin; ++i)
      if (at(i) != ' ' && at(i) != '\t' && at(i) != ';' && at(i) != ',') return;
    comments.after = comments_[next_++].text;
    if (comments.after.empty()) comments.after = " ";
  }

  std::vector<std::string> rest() {
    std::vector<std::string> out;
    for (; next_ < comments_.size(); ++next_) {
      if (blank_before(comments_[next_].begin)) out.emplace_back("\n");
      out.push_back(comments_[next_].text);
    }
    return out;
  }

  struct Deeper {
    explicit Deeper(Builder& b, Span where, size_t levels_ = 1) : builder(b), levels(levels_) {
      builder.depth_ += levels;
      if (builder.depth_ <= builder.limits_.depth) return;
      builder.emitter_.emit(kTooDeep, where, {std::to_string(builder.limits_.depth)});
      builder.depth_ = 0;  // the declaration is given up; Deeper objects on the way restore nothing
      throw TooDeep{};
    }
    ~Deeper() { builder.depth_ -= std::min(builder.depth_, levels); }
    Builder& builder;
    size_t levels;
  };

  // ---- small things -----------------------------------------------------------------------------------------------

  Ident ident(P::IdentContext* c) const { return {c->getStart()->getText(), span(c)}; }
  Ident ident(P::MemberContext* c) const { return {c->getStart()->getText(), span(c)}; }
  std::vector<Ident> idents(const std::vector<P::IdentContext*>& list, size_t from = 0) const {
    std::vector<Ident> out;
    for (size_t i = from; i < list.size(); ++i) out.push_back(ident(list[i]));
    return out;
  }

  Ident predicate_name(P::PredicateNameContext* c) const { return {c->getText(), span(c)}; }

  Names names(P::NamesContext* c) {
    Names out;
    out.names = idents(c->ident());
    if (c->predicateName()) out.predicate = predicate_name(c->predicateName());
    for (auto* e : c->expression()) out.terms.push_back(expression(e));
    return out;
  }

  int64_t integer(Token* t) {
    std::string digits = t->getText();
    int64_t value = 0;
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc{}) {
      emitter_.emit(kBadNumber, span(t), {digits, "does not fit into 64 bits"}).hint("the largest `int` is 9223372036854775807");
      return 0;
    }
    (void)end;
    return value;
  }

  template <class T>
  static ExprPtr make(Span where, T node) {
    auto e = std::make_unique<Expr>();
    e->span = where;
    e->node = std::move(node);
    return e;
  }

  ExprPtr signed_int(P::SignedIntContext* c) {
    int64_t value = integer(c->Int()->getSymbol());
    ExprPtr e = make(span(c->Int()), IntLit{value});
    if (c->Minus()) return make(span(c), Unary{Unary::Op::Neg, std::move(e)});
    return e;
  }

  // ---- texts ------------------------------------------------------------------------------------------------------

  std::string unescape(Token* t) {
    std::string s = t->getText();
    switch (s[1]) {
      case 'n': return "\n";
      case 't': return "\t";
      case 'r': return "\r";
      case '"': case '\\': case '{': case '}': case '\'': return s.substr(1);
      case 'u':
        if (s.size() > 3 && s[2] == '{') {
          uint32_t code = 0;
          bool good = s.size() > 4 && s.size() <= 10;
          for (size_t i = 3; good && i + 1 < s.size(); ++i) {
            char c = s[i];
            code = code * 16 + static_cast<uint32_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
          }
          if (!good || code == 0 || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) {
            emitter_.emit(kBadEscape, span(t), {s}).hint("a code point is between `\\u{1}` and `\\u{10FFFF}`, without the surrogates");
            return "";
          }
          std::string out;
          append_utf8(out, code);
          return out;
        }
        emitter_.emit(kBadEscape, span(t), {s}).hint("a code point is written `\\u{1F600}`");
        return "";
      default:
        emitter_.emit(kBadEscape, span(t), {s}).hint("the escapes are `\\n`, `\\t`, `\\r`, `\\\"`, `\\\\`, `\\{`, `\\}` and `\\u{1F600}`");
        return "";
    }
  }

  /// Raw pieces of a triple text become lines; escapes and holes are never indentation.
  struct Raw {
    std::string text;        // as in the file, or resolved
    bool literal = false;    // from an escape: never touched
    ExprPtr value;
  };

  static bool blank(char c) { return c == ' ' || c == '\t'; }

  static void remove_indentation(std::vector<Raw>& raws) {
    // One sequence of characters, so that lines can be seen across pieces; \1 stands for what is not white space.
    std::string shape;
    for (Raw& r : raws) {
      if (r.literal || r.value) {
        shape += '\1';
        continue;
      }
      std::string clean;
      for (size_t i = 0; i < r.text.size(); ++i) {
        if (r.text[i] == '\r') {
          if (i + 1 < r.text.size() && r.text[i + 1] == '\n') continue;
          clean += '\n';
        } else {
          clean += r.text[i];
        }
      }
      r.text = clean;
      shape += clean;
    }
    std::vector<bool> drop(shape.size(), false);
    // The first line break.
    size_t start = 0;
    while (start < shape.size() && blank(shape[start])) ++start;
    bool opens_line = start < shape.size() && shape[start] == '\n';
    if (opens_line) {
      for (size_t i = 0; i <= start; ++i) drop[i] = true;
      ++start;
    } else {
      start = shape.find('\n');
      start = start == std::string::npos ? shape.size() : start + 1;
    }
    // The last line's white space.
    size_t end = shape.size();
    while (end > start && blank(shape[end - 1])) --end;
    if (end == start ? opens_line : shape[end - 1] == '\n') {
      for (size_t i = end; i < shape.size(); ++i) drop[i] = true;
    } else {
      end = shape.size();
    }
    // The common indentation of the lines that hold something.
    std::string common;
    bool known = false;
    for (size_t line = start; line < end;) {
      size_t stop = shape.find('\n', line);
      if (stop == std::string::npos || stop > end) stop = end;
      size_t i = line;
      while (i < stop && blank(shape[i])) ++i;
      if (i < stop) {
        std::string indent = shape.substr(line, i - line);
        if (!known) common = indent, known = true;
        size_t same = 0;
        while (same < common.size() && same < indent.size() && common[same] == indent[same]) ++same;
        common.resize(same);
      }
      line = stop + 1;
    }
    for (size_t line = start; line < end;) {
      for (size_t i = 0; i < common.size() && line + i < end && shape[line + i] == common[i]; ++i) drop[line + i] = true;
      size_t stop = shape.find('\n', line);
      line = stop == std::string::npos || stop > end ? end : stop + 1;
    }
    size_t at = 0;
    for (Raw& r : raws) {
      if (r.literal || r.value) {
        ++at;
        continue;
      }
      std::string kept;
      for (char c : r.text)
        if (!drop[at++]) kept += c;
      r.text = kept;
    }
  }

  TextLit text(P::TextContext* c) {
    TextLit out;
    out.triple = c->TripleOpen() != nullptr;
    std::vector<Raw> raws;
    for (auto* part : c->textPart()) {
      Raw raw;
      if (part->TextChunk()) raw.text = part->TextChunk()->getText();
      else if (part->TextEscape()) raw.text = unescape(part->TextEscape()->getSymbol()), raw.literal = true;
      else raw.value = expression(part->expression());
      raws.push_back(std::move(raw));
    }
    if (out.triple) remove_indentation(raws);
    for (Raw& raw : raws) {
      if (raw.value) out.parts.push_back({"", std::move(raw.value)});
      else if (raw.text.empty()) continue;
      else if (!out.parts.empty() && !out.parts.back().value) out.parts.back().literal += raw.text;
      else out.parts.push_back({raw.text, nullptr});
    }
    return out;
  }

  /// A text that stands for itself: a name, a path, a piece of a format. `what` names it in the message.
  std::string plain(P::TextContext* c, const char* what) {
    TextLit t = text(c);
    std::string out;
    for (const TextPart& part : t.parts) {
      if (part.value) {
        emitter_.emit(kNotPlain, part.value->span, {what}).hint("a brace that stands for itself is written `\\{`");
        return out;
      }
      out += part.literal;
    }
    return out;
  }

  // ---- types ------------------------------------------------------------------------------------------------------

  TypePtr type(P::TypeContext* c) {
    Deeper deeper(*this, span(c));
    auto out = std::make_unique<TypeExpr>();
    out->span = span(c);
    auto children = c->type();
    if (c->Question()) {
      out->kind = TypeExpr::Kind::Optional;
    } else if (c->LBracket()) {
      out->kind = TypeExpr::Kind::List;
    } else if (c->LParen()) {
      out->kind = TypeExpr::Kind::Tuple;
    } else if (c->Less()) {
      std::string name = c->ident()->getStart()->getText();
      size_t wanted = name == "map" ? 2 : 1;
      out->kind = name == "map" ? TypeExpr::Kind::Map : TypeExpr::Kind::Set;
      if (name != "set" && name != "map") {
        auto b = emitter_.emit(kUnexpected, span(c->ident()), {"`" + name + "`", "`set` or `map` in front of `<`"});
        if (name == "list" || name == "List") b.hint("a list is written `[T]`");
        else if (std::string near = diag::closest(name, {"set", "map"}); !near.empty()) b.hint("did you mean `" + near + "`?");
        wanted = children.size();
      }
      if (children.size() != wanted)
        emitter_.emit(kUnexpected, span(c), {std::to_string(children.size()) + (children.size() == 1 ? " type" : " types") + " in `" + name + "<…>`",
                                              name == "map" ? "two: `map<KEY, VALUE>`" : "one: `set<T>`"});
      // Later phases rely on the number of arguments.
      if (out->kind == TypeExpr::Kind::Map && children.size() != 2) out->kind = TypeExpr::Kind::Set;
    } else {
      out->name = c->ident()->getStart()->getText();
      if (auto* range = c->typeRange()) {
        out->low = signed_int(range->signedInt(0));
        out->high = signed_int(range->signedInt(1));
        if (out->name != "int")
          emitter_.emit(kUnexpected, span(range), {"a range behind `" + out->name + "`", "one behind `int` only"});
      }
    }
    for (auto* child : children) out->args.push_back(type(child));
    if (out->kind == TypeExpr::Kind::Set && out->args.size() > 1) out->args.resize(1);
    if (c->typeMax()) out->high = signed_int(c->typeMax()->signedInt());
    return out;
  }

  // ---- expressions ------------------------------------------------------------------------------------------------

  /// One step of a row of operators and operands.
  struct Step {
    enum class Kind { Prefix, Operand, Infix } kind;
    ParserRuleContext* context;
  };
  struct Row {
    std::vector<Step> steps;
    size_t next = 0;
  };

  ExprPtr expression(P::ExpressionContext* c) {
    Row row;
    size_t operators = 1;
    for (auto* e = c;;) {
      for (auto* p : e->prefix()) row.steps.push_back({Step::Kind::Prefix, p}), ++operators;
      if (!e->postfix()) {
        row.steps.push_back({Step::Kind::Operand, e->ifExpr() ? static_cast<ParserRuleContext*>(e->ifExpr()) : e->quantifiedExpr()});
        break;
      }
      row.steps.push_back({Step::Kind::Operand, e->postfix()});
      if (!e->infix()) break;
      row.steps.push_back({Step::Kind::Infix, e->infix()});
      ++operators;
      e = e->expression();
    }
    // Each operator may be a level of the tree.
    Deeper deeper(*this, span(c), operators);
    return climb(row, kLowest);
  }

  // By rising strength; `not` is as strong as what it may stand in front of.
  enum Strength { kLowest, kOr, kAnd, kNot, kCompare, kRange, kUnion, kIntersect, kSum, kProduct, kPrefix };

  static Strength strength(P::InfixContext* c) {
    switch (c->getStart()->getType()) {
      case P::Star: case P::Slash: case P::KwDiv: case P::KwMod: return kProduct;
      case P::Plus: case P::Minus: return kSum;
      case P::Ampersand: return kIntersect;
      case P::Pipe: return kUnion;
      case P::DotDot: return kRange;
      case P::KwAnd: return kAnd;
      case P::KwOr: return kOr;
      default: return kCompare;
    }
  }

  static Span join(Span a, Span b) { return {a.file, a.begin, std::max(a.end, b.end)}; }

  /// Precedence climbing: what binds at least so strongly, from the row's next step on.
  ExprPtr climb(Row& row, int least) {
    const Step& first = row.steps[row.next++];
    ExprPtr left;
    if (first.kind == Step::Kind::Prefix) {
      size_t type = first.context->getStart()->getType();
      ExprPtr operand = climb(row, type == P::KwNot ? kNot : kPrefix);
      Span where = join(span(first.context), operand->span);
      if (type == P::KwNot) left = make(where, Unary{Unary::Op::Not, std::move(operand)});
      else if (type == P::Minus) left = make(where, Unary{Unary::Op::Neg, std::move(operand)});
      else left = make(where, Reveal{std::move(operand)});
    } else {
      left = operand(first.context);
    }
    while (row.next < row.steps.size()) {
      auto* infix = static_cast<P::InfixContext*>(row.steps[row.next].context);
      Strength here = strength(infix);
      if (here < least) break;
      ++row.next;
      Span sign = span(infix);
      Binary::Op op = operation(infix);
      if (op == Binary::Op::Is && row.steps[row.next].kind == Step::Kind::Prefix && row.steps[row.next].context->getStart()->getType() == P::KwNot) {
        sign = join(sign, span(row.steps[row.next++].context));
        op = Binary::Op::IsNot;
      }
      ExprPtr right = climb(row, here + 1);
      Span where = join(left->span, right->span);
      if (here == kRange) {
        left = make(where, Range{std::move(left), std::move(right)});
        continue;
      }
      if (here == kCompare) {
        auto* inner = std::get_if<Binary>(&left->node);
        if (inner && !left->parenthesised && compares(inner->op))
          emitter_.emit(kChainedComparison, sign).hint("write `a < b and b < c`").label(inner->op_span, "the first comparison");
      }
      left = make(where, Binary{op, std::move(left), std::move(right), sign});
    }
    return left;
  }

  ExprPtr operand(ParserRuleContext* context) {
    Span where = span(context);
    if (auto* c = dynamic_cast<P::PostfixContext*>(context)) {
      auto suffixes = c->suffix();
      Deeper deeper(*this, where, suffixes.size());
      ExprPtr out = primary(c->primary());
      for (auto* s : suffixes) out = with_suffix(std::move(out), s, c->getStart());
      return out;
    }
    if (auto* c = dynamic_cast<P::IfExprContext*>(context)) {
      ExprPtr condition = expression(c->expression(0));
      ExprPtr then = expression(c->expression(1));
      return make(where, IfExpr{std::move(condition), std::move(then), expression(c->expression(2))});
    }
    auto* c = static_cast<P::QuantifiedExprContext*>(context);
    Quantified q{c->KwAll() != nullptr, names(c->names()), nullptr, nullptr};
    q.source = expression(c->expression(0));
    q.condition = expression(c->expression(1));
    return make(where, std::move(q));
  }

  ExprPtr with_suffix(ExprPtr object, P::SuffixContext* s, Token* start) {
    Span where = offsets_.span(start, s->getStop());
    if (s->subscript()) return index(std::move(object), s->subscript(), where);
    Ident name{s->member()->getStart()->getText(), span(s->member())};
    if (s->arguments()) return make(where, Call{std::move(object), std::move(name), arguments(s->arguments())});
    return make(where, FieldAccess{std::move(object), std::move(name)});
  }

  static bool compares(Binary::Op op) {
    switch (op) {
      case Binary::Op::Eq: case Binary::Op::Ne: case Binary::Op::Lt: case Binary::Op::Le: case Binary::Op::Gt: case Binary::Op::Ge:
      case Binary::Op::In: case Binary::Op::NotIn: case Binary::Op::Is: case Binary::Op::IsNot:
        return true;
      default:
        return false;
    }
  }

  static Binary::Op operation(P::InfixContext* c) {
    switch (c->getStart()->getType()) {
      case P::Star: return Binary::Op::Mul;
      case P::Slash: return Binary::Op::Div;
      case P::KwDiv: return Binary::Op::IDiv;
      case P::KwMod: return Binary::Op::Mod;
      case P::Plus: return Binary::Op::Add;
      case P::Minus: return Binary::Op::Sub;
      case P::Ampersand: return Binary::Op::Intersect;
      case P::Pipe: return Binary::Op::Union;
      case P::KwAnd: return Binary::Op::And;
      case P::KwOr: return Binary::Op::Or;
      case P::Equal: return Binary::Op::Eq;
      case P::NotEqual: return Binary::Op::Ne;
      case P::Less: return Binary::Op::Lt;
      case P::LessEqual: return Binary::Op::Le;
      case P::Greater: return Binary::Op::Gt;
      case P::GreaterEqual: return Binary::Op::Ge;
      case P::KwIn: return Binary::Op::In;
      case P::KwNot: return Binary::Op::NotIn;
      default: return Binary::Op::Is;
    }
  }

  ExprPtr index(ExprPtr object, P::SubscriptContext* c, Span where) {
    ExprPtr inner = c->expression() ? expression(c->expression()) : nullptr;
    if (c->DotDot() || !inner) return make(where, Slice{std::move(object), nullptr, std::move(inner)});
    if (c->DotDotEnd()) return make(where, Slice{std::move(object), std::move(inner), nullptr});
    if (auto* range = std::get_if<Range>(&inner->node); range && !inner->parenthesised)
      return make(where, Slice{std::move(object), std::move(range->low), std::move(range->high)});
    return make(where, Index{std::move(object), std::move(inner)});
  }

  std::vector<Arg> arguments(P::ArgumentsContext* c) {
    std::vector<Arg> out;
    for (auto* a : c->argument()) {
      Arg arg;
      auto sides = a->expression();
      ExprPtr first = expression(sides[0]);
      if (sides.size() == 1) {
        arg.value = std::move(first);
      } else {
        if (auto* name = std::get_if<Name>(&first->node); name && !first->parenthesised) arg.name = Ident{name->name, first->span};
        else arg.key = std::move(first);
        arg.value = expression(sides[1]);
      }
      out.push_back(std::move(arg));
    }
    return out;
  }

  std::vector<Generator> generators(const std::vector<P::GeneratorContext*>& list) {
    std::vector<Generator> out;
    for (auto* g : list) {
      auto es = g->expression();
      Generator generator{names(g->names()), expression(es[0]), nullptr};
      if (es.size() > 1) generator.condition = expression(es[1]);
      out.push_back(std::move(generator));
    }
    return out;
  }

  ExprPtr primary(P::PrimaryContext* c) {
    Span where = span(c);
    if (c->Int()) return number(c->Int()->getSymbol(), false);
    if (c->Float()) return number(c->Float()->getSymbol(), true);
    if (c->KwTrue()) return make(where, BoolLit{true});
    if (c->KwFalse()) return make(where, BoolLit{false});
    if (c->KwNan()) return make(where, NanLit{});
    if (c->KwNone()) return make(where, NoneLit{});
    if (c->KwNotes()) return make(where, Notes{plain(c->text(), "the key of `notes`")});
    if (c->text()) return make(where, text(c->text()));
    if (auto* m = c->matchExpr()) return match(m);
    if (c->UpperName()) {
      RecordLit record{{c->UpperName()->getText(), span(c->UpperName())}, {}};
      for (auto* f : c->recordField()) {
        Arg arg;
        arg.name = ident(f->ident());
        arg.value = expression(f->expression());
        record.fields.push_back(std::move(arg));
      }
      return make(where, std::move(record));
    }
    if (c->ident()) {
      if (c->arguments()) return make(where, Call{nullptr, ident(c->ident()), arguments(c->arguments())});
      return make(where, Name{c->ident()->getStart()->getText(), where});
    }
    if (c->KwIn()) return make(where, Call{nullptr, {"in", span(c->KwIn())}, arguments(c->arguments())});
    auto values = c->expression();
    if (c->LParen()) {
      if (values.size() == 1 && c->Comma().empty()) {
        ExprPtr inner = expression(values[0]);
        inner->parenthesised = true;
        inner->span = where;
        return inner;
      }
      TupleLit tuple;
      for (auto* v : values) tuple.items.push_back(expression(v));
      return make(where, std::move(tuple));
    }
    if (c->LBracket()) {
      if (!c->generator().empty()) {
        Comprehension all{Comprehension::Kind::List, nullptr, expression(values[0]), {}};
        all.generators = generators(c->generator());
        return make(where, std::move(all));
      }
      ListLit list;
      for (auto* v : values) list.items.push_back(expression(v));
      return make(where, std::move(list));
    }
    auto entries = c->entry();
    if (entries.empty()) return make(where, MapLit{});
    bool map = entries[0]->Colon() != nullptr;
    if (!c->generator().empty()) {
      Comprehension all{map ? Comprehension::Kind::Map : Comprehension::Kind::Set, nullptr, nullptr, {}};
      ExprPtr first = expression(entries[0]->expression(0));
      if (map) all.key = std::move(first), all.value = expression(entries[0]->expression(1));
      else all.value = std::move(first);
      all.generators = generators(c->generator());
      return make(where, std::move(all));
    }
    MapLit map_lit;
    SetLit set_lit;
    for (auto* e : entries) {
      if ((e->Colon() != nullptr) != map) {
        emitter_.emit(kUnexpected, span(e), {map ? "an element without a key" : "a key", map ? "`key: value` as in the first entry of the map" : "a value as in the first element of the set"});
        continue;
      }
      ExprPtr first = expression(e->expression(0));
      if (map) map_lit.entries.emplace_back(std::move(first), expression(e->expression(1)));
      else set_lit.items.push_back(std::move(first));
    }
    if (map) return make(where, std::move(map_lit));
    return make(where, std::move(set_lit));
  }

  ExprPtr number(Token* t, bool floating) {
    if (!floating) return make(span(t), IntLit{integer(t)});
    std::string spelling = t->getText();
    double value = 0;
    auto [end, error] = std::from_chars(spelling.data(), spelling.data() + spelling.size(), value);
    (void)end;
    if (error != std::errc{}) {
      emitter_.emit(kBadNumber, span(t), {spelling, "is out of the range of a `float`"});
      value = 0, spelling = "0.0";
    }
    return make(span(t), FloatLit{value, spelling});
  }

  ExprPtr pattern(P::PatternValueContext* c) {
    if (c->Int() || c->Float()) {
      ExprPtr value = number((c->Int() ? c->Int() : c->Float())->getSymbol(), c->Float() != nullptr);
      return c->PatternMinus() ? make(span(c), Unary{Unary::Op::Neg, std::move(value)}) : std::move(value);
    }
    if (c->KwTrue()) return make(span(c), BoolLit{true});
    if (c->KwFalse()) return make(span(c), BoolLit{false});
    if (c->KwNone()) return make(span(c), NoneLit{});
    if (c->text()) return make(span(c), text(c->text()));
    auto names = c->ident();
    ExprPtr value = make(span(names[0]), Name{names[0]->getStart()->getText(), span(names[0])});
    if (names.size() > 1) return make(span(c), FieldAccess{std::move(value), ident(names[1])});
    return value;
  }

  ExprPtr match(P::MatchExprContext* c) {
    MatchExpr out;
    out.subject = expression(c->expression());
    for (auto* arm : c->matchArm()) {
      MatchArm a;
      if (auto* p = arm->pattern()) {
        auto ends = p->patternValue();
        a.pattern = pattern(ends[0]);
        if (ends.size() > 1) {
          ExprPtr low = std::move(a.pattern);
          a.pattern = make(span(p), Range{std::move(low), pattern(ends[1])});
        }
      }
      a.value = expression(arm->expression());
      a.span = span(arm);
      out.arms.push_back(std::move(a));
    }
    return make(span(c), std::move(out));
  }

  // ---- formats ----------------------------------------------------------------------------------------------------

  std::vector<FormatItem> items(const std::vector<P::FormatItemContext*>& list) {
    std::vector<FormatItem> out;
    for (auto* i : list) out.push_back(item(i));
    return out;
  }

  FormatItem item(P::FormatItemContext* c) {
    Deeper deeper(*this, span(c));
    FormatItem out;
    out.span = span(c);
    if (c->text()) {
      out.text = plain(c->text(), "a literal of a format");
      out.ignore_case = c->Tilde() != nullptr;
    } else if (c->LBrace()) {
      out.kind = FormatItem::Kind::Capture;
      auto names = c->ident();
      if (names.size() > 1) out.name = ident(names[0]);
      Ident char_class = ident(names.back());
      out.char_class = char_class.name;
      static const std::vector<std::string> classes = {"text", "line", "word", "letters", "digits", "int"};
      if (std::find(classes.begin(), classes.end(), char_class.name) == classes.end()) {
        std::string near = diag::closest(char_class.name, classes);
        auto b = emitter_.emit(kUnknownClass, char_class.span, {char_class.name});
        if (near.empty()) b.hint("the classes are `text`, `line`, `word`, `letters`, `digits` and `int`");
        else b.meant(char_class.name, near);
        out.char_class = "text";
      }
      out.class_span = char_class.span;
      if (auto* e = c->expression()) {
        out.among = std::shared_ptr<Expr>(expression(e));
        out.among_text = e->getStart()->getInputStream()->getText(antlr4::misc::Interval(e->getStart()->getStartIndex(), e->getStop()->getStopIndex()));
      }
      for (auto* w : c->formatWithout()) out.without.emplace_back(plain(w->text(), "what a capture goes without"), w->Tilde() != nullptr);
    } else if (c->LBracket()) {
      out.kind = FormatItem::Kind::Optional;
      out.branches.push_back(items(c->formatItem()));
    } else {
      for (auto* b : c->formatBranch()) out.branches.push_back(items(b->formatItem()));
      if (c->Star()) {
        out.kind = FormatItem::Kind::Repeat;
        if (out.branches.size() > 1) {
          // ( a | b )* repeats the choice.
          FormatItem choice;
          choice.kind = FormatItem::Kind::Choice;
          choice.span = out.span;
          choice.branches = std::move(out.branches);
          out.branches.clear();
          out.branches.emplace_back();
          out.branches.back().push_back(std::move(choice));
        }
      } else {
        out.kind = FormatItem::Kind::Choice;
      }
    }
    return out;
  }

  // ---- grammars ---------------------------------------------------------------------------------------------------

  std::vector<std::vector<FormatItem>> branches(const std::vector<P::GrammarBranchContext*>& list) {
    std::vector<std::vector<FormatItem>> out;
    for (auto* b : list) {
      out.emplace_back();
      for (auto* i : b->grammarItem()) out.back().push_back(item(i));
    }
    return out;
  }

  FormatItem item(P::GrammarItemContext* c) {
    Deeper deeper(*this, span(c));
    FormatItem out;
    out.span = span(c);
    if (c->text()) {
      out.text = plain(c->text(), "a literal of a grammar");
      out.ignore_case = c->Tilde() != nullptr;
    } else if (c->LBrace()) {
      out.kind = FormatItem::Kind::Capture;
      auto names = c->ident();
      if (names.size() > 1) out.name = ident(names[0]);
      Ident part = ident(names.back());
      out.char_class = part.name;
      out.class_span = part.span;
      if (c->expression()) out.among = std::shared_ptr<Expr>(expression(c->expression()));
      out.except = c->KwNot() != nullptr;
    } else {
      out.kind = c->LBracket() ? FormatItem::Kind::Optional : FormatItem::Kind::Choice;
      out.branches = branches(c->grammarBranch());
    }
    if (!c->Star() && !c->Plus()) return out;
    FormatItem repeat;
    repeat.kind = FormatItem::Kind::Repeat;
    repeat.span = out.span;
    repeat.once = c->Plus() != nullptr;
    repeat.bare = !c->LParen();
    if (out.kind == FormatItem::Kind::Choice && out.branches.size() == 1) {
      repeat.branches = std::move(out.branches);
    } else {
      repeat.branches.emplace_back();
      repeat.branches.back().push_back(std::move(out));
    }
    return repeat;
  }

  GrammarRule rule(P::GrammarRuleContext* c) {
    GrammarRule out;
    out.span = span(c);
    out.comments = before(out.span.begin, &out.doc);
    out.name = {c->grammarName()->getText(), span(c->grammarName())};
    out.branches = branches(c->grammarBranch());
    after(out.comments, out.span.end);
    return out;
  }

  // ---- statements -------------------------------------------------------------------------------------------------

  Block block(const std::vector<P::StatementContext*>& list, Token* closing) {
    Block out;
    for (auto* s : list) {
      if (s->exception) continue;
      Deeper deeper(*this, span(s));
      Stmt stmt;
      stmt.span = span(s);
      stmt.comments = before(stmt.span.begin);
      if (!s->Semicolon().empty()) {
        auto* inner = s->keywordStatement() ? static_cast<ParserRuleContext*>(s->keywordStatement()) : s->nameStatement();
        stmt.span = span(inner);
      }
      if (s->keywordStatement()) keyword_statement(stmt, s->keywordStatement());
      else name_statement(stmt, s->nameStatement());
      after(stmt.comments, stmt.span.end);
      out.push_back(std::move(stmt));
    }
    uint32_t end = span(closing).begin;
    if (next_ < comments_.size() && comments_[next_].begin < end) {
      Stmt nothing;
      nothing.span = {span(closing).file, end, end};
      nothing.comments = before(end);
      while (!nothing.comments.before.empty() && nothing.comments.before.back() == "\n") nothing.comments.before.pop_back();
      nothing.comments.same_line = false;
      nothing.node = Nothing{};
      out.push_back(std::move(nothing));
    }
    return out;
  }
  Block block(P::BlockContext* c) { return block(c->statement(), c->RBrace()->getSymbol()); }

  Consequence consequence(P::ConsequenceContext* c, Token* word) {
    Deeper deeper(*this, span(c));
    Consequence out;
    out.present = true;
    out.span = span(c);
    out.own_line = starts_line(span(word).begin);
    if (c->block()) {
      out.braces = true;
      out.body = block(c->block());
      return out;
    }
    Stmt stmt;
    stmt.span = out.span;
    stmt.comments.same_line = true;
    if (c->keywordStatement()) {
      keyword_statement(stmt, c->keywordStatement());
    } else {
      auto* call = c->stepCall();
      stmt.node = Evaluate{make(span(call), Call{nullptr, ident(call->ident()), call->arguments() ? arguments(call->arguments()) : std::vector<Arg>{}})};
    }
    out.body.push_back(std::move(stmt));
    return out;
  }
  Consequence otherwise(P::OtherwiseContext* c) {
    if (!c) return {};
    return consequence(c->consequence(), c->KwElse()->getSymbol());
  }

  void name_statement(Stmt& stmt, P::NameStatementContext* c) {
    Token* first = c->getStart();
    auto suffixes = c->suffix();
    Deeper deeper(*this, span(c), suffixes.size());
    // f(…) is a call of a function or step; anything else starts from the variable.
    ExprPtr target = c->arguments() ? make(offsets_.span(first, c->arguments()->getStop()), Call{nullptr, ident(c->ident()), arguments(c->arguments())})
                                    : make(span(c->ident()), Name{first->getText(), span(c->ident())});
    for (auto* s : suffixes) target = with_suffix(std::move(target), s, first);
    if (c->Assign()) {
      bool good = std::holds_alternative<Name>(target->node);
      const Expr* t = target.get();
      while (!good) {
        if (auto* i = std::get_if<Index>(&t->node)) t = i->object.get();
        else if (auto* f = std::get_if<FieldAccess>(&t->node)) t = f->object.get();
        else break;
        good = std::holds_alternative<Name>(t->node);
      }
      if (!good) emitter_.emit(kNotAssignable, target->span);
      stmt.node = Assign{std::move(target), expression(c->expression())};
      return;
    }
    if (!std::holds_alternative<Call>(target->node)) {
      emitter_.emit(kUnusedValue, target->span).hint("assign it, or call something: `x.add(y)`, `step(…)`");
    }
    stmt.node = Evaluate{std::move(target)};
  }

  Ask ask(P::AskContext* c) {
    auto names = c->ident();
    Ask out;
    out.bind = false;
    out.player = ident(names[0]);
    out.move = ident(names[1]);
    if (c->expression()) out.aside = expression(c->expression());
    return out;
  }

  If if_statement(P::IfStatementContext* c) {
    Deeper deeper(*this, span(c));
    If out;
    out.condition = expression(c->expression());
    auto blocks = c->block();
    out.then = block(blocks[0]);
    if (auto* other = c->ifStatement()) {
      out.else_if = true;
      Stmt stmt;
      stmt.span = span(other);
      stmt.node = if_statement(other);
      out.otherwise.push_back(std::move(stmt));
    } else if (blocks.size() > 1) {
      out.otherwise = block(blocks[1]);  // an empty one says nothing and is not kept
    }
    return out;
  }

  void keyword_statement(Stmt& stmt, P::KeywordStatementContext* k) {
    if (auto* c = k->letStatement()) {
      if (auto* a = c->ask()) {
        Ask out = ask(a);
        out.bind = true;
        out.name = ident(c->ident());
        if (c->KwVar()) emitter_.emit(kUnexpected, span(c->KwVar()), {"`var`", "`let` in front of an `ask`"}).hint("a reply does not change; copy what should: `var word = reply.word`");
        if (!c->type().empty()) emitter_.emit(kUnexpected, span(c->type(0)), {"a type", "`=`"}).hint("the type of a reply is its move");
        stmt.node = std::move(out);
        return;
      }
      Let out{ident(c->ident()), nullptr, nullptr, c->KwVar() != nullptr, nullptr, {}};
      // Types stand in two places: behind `:` and behind `as`.
      for (auto* t : c->type()) (c->KwAs() && t->getStart()->getTokenIndex() > c->KwAs()->getSymbol()->getTokenIndex() ? out.as : out.type) = type(t);
      out.value = expression(c->expression());
      if (c->otherwise()) out.otherwise = otherwise(c->otherwise());
      stmt.node = std::move(out);
    } else if (auto* c = k->ifStatement()) {
      stmt.node = if_statement(c);
    } else if (auto* c = k->forStatement()) {
      auto es = c->expression();
      For out{names(c->names()), expression(es[0]), nullptr, {}};
      if (es.size() > 1) out.where = expression(es[1]);
      out.body = block(c->block());
      stmt.node = std::move(out);
    } else if (auto* c = k->roundStatement()) {
      Round out{ident(c->ident()), expression(c->expression()), {}};
      out.body = block(c->block());
      stmt.node = std::move(out);
    } else if (auto* c = k->repeatStatement()) {
      RepeatAtMost out{expression(c->expression()), {}};
      out.body = block(c->block());
      stmt.node = std::move(out);
    } else if (auto* c = k->togetherStatement()) {
      stmt.node = Together{block(c->block())};
    } else if (k->breakStatement()) {
      stmt.node = Break{};
    } else if (auto* c = k->returnStatement()) {
      stmt.node = Return{expression(c->expression())};
    } else if (auto* c = k->askStatement()) {
      stmt.node = ask(c->ask());
    } else if (auto* c = k->tellStatement()) {
      stmt.node = Tell{ident(c->ident()), expression(c->expression())};
    } else if (auto* c = k->briefStatement()) {
      Brief out{ident(c->ident()), expression(c->expression(0)), nullptr};
      if (c->KwAnswered()) out.answered = expression(c->expression(1));
      stmt.node = std::move(out);
    } else if (auto* c = k->sayStatement()) {
      Say out;
      if (c->ident()) out.player = ident(c->ident());
      out.value = expression(c->expression());
      stmt.node = std::move(out);
    } else if (auto* c = k->noteStatement()) {
      std::string key = plain(c->text(), "the key of a note");
      stmt.node = Note{std::move(key), span(c->text()), expression(c->expression())};
    } else if (auto* c = k->rewardStatement()) {
      stmt.node = RewardStmt{ident(c->ident()), expression(c->expression())};
    } else if (auto* c = k->outcomeStatement()) {
      Outcome out{c->KwWin() ? Outcome::Kind::Win : c->KwLose() ? Outcome::Kind::Lose : Outcome::Kind::Abort, nullptr, nullptr};
      if (c->expression()) {
        out.score = expression(c->expression());
        if (c->KwAbort()) {
          emitter_.emit(kUnexpected, span(c->KwScore()), {"`score`", "a reason or the next statement"}).hint("an aborted episode has no score");
          out.score.reset();
        }
      }
      if (c->text()) out.reason = make(span(c->text()), text(c->text()));
      stmt.node = std::move(out);
    } else if (k->passStatement()) {
      stmt.node = Pass{};
    } else if (auto* c = k->retryStatement()) {
      auto es = c->expression();
      Retry out{expression(es[0]), nullptr, nullptr};
      if (es.size() > 1) out.tell = expression(es[1]);
      out.then = std::make_shared<Consequence>(consequence(c->consequence(), c->KwThen()->getSymbol()));
      stmt.node = std::move(out);
    } else if (auto* c = k->readStatement()) {
      stmt.node = Read{expression(c->expression())};
    } else if (auto* c = k->formatStatement()) {
      Format out;
      out.aim = c->KwAim() != nullptr;
      out.items = items(c->formatItem());
      out.otherwise = otherwise(c->otherwise());
      stmt.node = std::move(out);
    } else if (auto* c = k->checkStatement()) {
      Check out{c->KwExpect() != nullptr, expression(c->expression()), {}};
      out.otherwise = otherwise(c->otherwise());
      stmt.node = std::move(out);
    } else if (auto* c = k->givesStatement()) {
      auto es = c->expression();
      if (es.size() == 1) {
        stmt.node = Gives{expression(es[0])};
      } else {
        TupleLit tuple;
        for (auto* e : es) tuple.items.push_back(expression(e));
        stmt.node = Gives{make(offsets_.span(es.front()->getStart(), es.back()->getStop()), std::move(tuple))};
      }
    } else if (auto* c = k->experimentStatement()) {
      ExperimentStmt out{expression(c->expression()), {}};
      out.body = block(c->block());
      stmt.node = std::move(out);
    } else if (auto* c = k->instancesStatement()) {
      InstancesStmt out{expression(c->expression()), std::nullopt, {}};
      if (c->ident()) out.index = ident(c->ident());
      out.body = block(c->block());
      stmt.node = std::move(out);
    } else {
      auto* r = k->resourceStatement();
      ResourceStmt out{ident(r->ident()), type(r->type()), nullptr};
      out.path = expression(r->expression());
      stmt.node = std::move(out);
    }
  }

  // ---- declarations -----------------------------------------------------------------------------------------------

  Audience audience(P::AudienceContext* c) {
    if (!c) return {};
    return {true, idents(c->ident()), span(c)};
  }

  Field field(P::FieldContext* c) {
    Field out;
    out.span = span(c);
    out.comments = before(out.span.begin, &out.doc);
    out.name = ident(c->ident());
    out.type = type(c->type());
    bool from = false;
    auto twice = [&](bool already, ParserRuleContext* where, const char* what) {
      if (already) emitter_.emit(kTwice, span(where), {what});
    };
    for (auto* tail : c->fieldTail()) {
      if (tail->Assign()) {
        twice(out.initial != nullptr, tail, "=");
        out.initial = expression(tail->expression());
      } else if (tail->KwFrom()) {
        twice(from, tail, "from");
        from = true;
        for (auto* t : tail->text()) out.from.push_back(plain(t, "a path"));
      } else {
        twice(out.audience.secret, tail, "secret");
        out.audience = audience(tail->audience());
      }
    }
    after(out.comments, out.span.end);
    return out;
  }

  std::vector<Field> fields(P::FieldBlockContext* c, std::vector<std::string>* dangling = nullptr) {
    std::vector<Field> out;
    for (auto* f : c->field())
      if (!f->exception) out.push_back(field(f));
    uint32_t end = span(c->RBrace()).begin;
    std::vector<std::string> behind = this->dangling(end);
    if (dangling) *dangling = std::move(behind);
    else if (!out.empty()) for (auto& b : behind) out.back().comments.before.push_back(std::move(b));
    else next_ -= behind.size();  // left to the declaration
    return out;
  }

  std::vector<Param> params(P::ParamsContext* c) {
    std::vector<Param> out;
    if (c)
      for (auto* p : c->param()) out.push_back({ident(p->ident()), type(p->type())});
    return out;
  }

  /// Comments behind the last part of a block.
  std::vector<std::string> dangling(uint32_t end) {
    std::vector<std::string> out;
    for (; next_ < comments_.size() && comments_[next_].begin < end; ++next_) out.push_back(comments_[next_].text);
    return out;
  }

  WorldDecl world(P::WorldDeclContext* c) {
    WorldDecl out;
    for (auto* p : c->predicate()) {
      if (p->exception) continue;
      Predicate made;
      made.span = span(p);
      made.comments = before(made.span.begin, &made.doc);
      made.name = predicate_name(p->predicateName());
      made.terms = idents(p->ident());
      after(made.comments, made.span.end);
      out.predicates.push_back(std::move(made));
    }
    out.dangling = dangling(span(c->RBrace()).begin);
    return out;
  }

  Decl declaration(P::DeclarationContext* d) {
    depth_ = 0;
    Decl out;
    out.span = span(d);
    out.comments = before(out.span.begin, &out.doc);
    if (auto* c = d->includeDecl()) {
      out.node = IncludeDecl{plain(c->text(), "the path of an `include`"), span(c->text())};
    } else if (auto* c = d->useDecl()) {
      out.node = UseDecl{ident(c->ident(0)), idents(c->ident(), 1)};
    } else if (auto* c = d->playerDecl()) {
      PlayerDecl player{ident(c->ident()), "", !c->KwScripted().empty()};
      auto texts = c->text();
      if (!texts.empty()) player.display = plain(texts[0], "a player's name");
      if (texts.size() > 1) emitter_.emit(kTwice, span(texts[1]), {"as"});
      if (c->KwScripted().size() > 1) emitter_.emit(kTwice, span(c->KwScripted(1)), {"scripted"});
      out.node = std::move(player);
    } else if (auto* c = d->recordDecl()) {
      out.node = RecordDecl{ident(c->ident()), fields(c->fieldBlock())};
    } else if (auto* c = d->enumDecl()) {
      EnumDecl e{ident(c->ident()), {}};
      for (auto* v : c->enumValue()) e.values.emplace_back(ident(v->ident()), v->text() ? plain(v->text(), "the spelling of a value") : "");
      out.node = std::move(e);
    } else if (auto* c = d->worldDecl()) {
      out.node = world(c);
    } else if (auto* c = d->fieldsDecl()) {
      FieldsDecl f{c->KwExperiment() ? FieldsDecl::Where::Experiment : c->KwInstance() ? FieldsDecl::Where::Instance : FieldsDecl::Where::State, {}, {}};
      f.fields = fields(c->fieldBlock(), &f.dangling);
      out.node = std::move(f);
    } else if (auto* c = d->resourceDecl()) {
      ResourceDecl r{ident(c->ident()), type(c->type()), nullptr, {}};
      r.path = expression(c->expression());
      r.audience = audience(c->audience());
      out.node = std::move(r);
    } else if (auto* c = d->fnDecl()) {
      FnDecl f{ident(c->ident()), params(c->params()), type(c->type()), nullptr, {}};
      if (c->expression()) f.expression = expression(c->expression());
      else f.body = block(c->block());
      out.node = std::move(f);
    } else if (auto* c = d->stepDecl()) {
      StepDecl s{ident(c->ident()), params(c->params()), {}};
      s.body = block(c->block());
      out.node = std::move(s);
    } else if (auto* c = d->moveDecl()) {
      MoveDecl m{ident(c->ident(0)), idents(c->ident(), 1), {}};
      m.body = block(c->block());
      out.node = std::move(m);
    } else if (auto* c = d->playDecl()) {
      out.node = PlayDecl{block(c->block())};
    } else if (auto* c = d->botDecl()) {
      BotDecl b{ident(c->ident(0)), ident(c->ident(1)), {}, {}};
      if (c->memoryBlock()) b.memory = fields(c->memoryBlock()->fieldBlock());
      b.body = block(c->statement(), c->RBrace()->getSymbol());
      out.node = std::move(b);
    } else if (auto* c = d->metricDecl()) {
      MetricDecl m{"", span(c->KwMetric()->getSymbol()), std::nullopt, nullptr, nullptr, false, nullptr};
      if (c->text()) m.name = plain(c->text(), "the name of a metric"), m.name_span = span(c->text()), m.named = true;
      auto es = c->expression();
      size_t next = 0;
      if (c->KwAt()) m.at = ident(c->ident()), m.source = expression(es[next++]);
      m.value = expression(es[next++]);
      if (c->KwIf()) m.condition = expression(es[next]);
      out.node = std::move(m);
    } else if (auto* c = d->keyDecl()) {
      std::string name = plain(c->text(), "the name of a key");
      out.node = KeyDecl{std::move(name), span(c->text()), expression(c->expression())};
    } else if (auto* c = d->grammarDecl()) {
      GrammarDecl g{ident(c->ident()), {}, {}};
      for (auto* r : c->grammarRule())
        if (!r->exception) g.rules.push_back(rule(r));
      for (uint32_t end = span(c->RBrace()).begin; next_ < comments_.size() && comments_[next_].begin < end; ++next_)
        g.dangling.push_back(comments_[next_].text);
      out.node = std::move(g);
    } else {
      out.node = GenerateDecl{block(d->generateDecl()->block())};
    }
    after(out.comments, out.span.end);
    return out;
  }

  std::string_view text_;
  uint32_t base_;
  const Offsets& offsets_;
  std::vector<CommentText> comments_;
  size_t next_ = 0;
  const Limits& limits_;
  diag::Emitter& emitter_;
  size_t depth_ = 0;
};

}  // namespace

ast::File build(GameParser::FileContext* context, std::string_view text, const Offsets& offsets, std::vector<CommentText> comments,
                const Limits& limits, diag::Emitter& emitter) {
  return Builder(text, offsets, std::move(comments), limits, emitter).file(context);
}

}  // namespace ppc::syntax
