// Jinja2's lexer and parser (jinja2/lexer.py, parser.py), in its setting trim_blocks, lstrip_blocks, without keep_trailing_newline.
#include <algorithm>
#include <charconv>
#include <cstring>
#include <set>

#include "runtime/text/utf8.h"
#include "trainers/model/jinja_parts.h"

namespace ppc::model::jinja {
namespace {

using engine::InputError;
constexpr size_t npos = std::string_view::npos;

struct Token {
  enum class Kind : uint8_t { Data, VariableBegin, VariableEnd, BlockBegin, BlockEnd, Name, String, Integer, Float, Operator, End };
  Kind kind = Kind::End;
  uint32_t line = 0;
  std::string text;  // Data, Name, String, Operator
  int64_t integer = 0;
  double real = 0;
};

[[noreturn]] void fail(const std::string& file, uint32_t line, const std::string& what) {
  throw InputError(file + ": line " + std::to_string(line) + ": " + what);
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name(char c) { return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

class Lexer {
 public:
  Lexer(std::string_view source, const std::string& file) : file_(file) {
    for (size_t i = 0; i < source.size(); ++i) {
      if (source[i] == '\r') {
        source_ += '\n';
        if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
      } else {
        source_ += source[i];
      }
    }
    if (source_.ends_with('\n')) source_.pop_back();
  }
  std::vector<Token> run() {
    while (at_ < source_.size()) root();
    add(Token::Kind::End);
    return std::move(tokens_);
  }

 private:
  bool starts(std::string_view s, size_t at) const { return std::string_view(source_).substr(at).starts_with(s); }
  size_t skip_space(size_t at) const {
    while (at < source_.size() && is_space(char_at(source_, at))) at = next_char(source_, at);
    return at;
  }
  Token& add(Token::Kind kind, std::string text = {}) {
    tokens_.push_back({kind, line_, std::move(text), 0, 0});
    return tokens_.back();
  }
  void go(size_t to) {
    line_ += static_cast<uint32_t>(std::count(source_.begin() + static_cast<ptrdiff_t>(at_), source_.begin() + static_cast<ptrdiff_t>(to), '\n'));
    at_ = to;
    if (at_ > 0) line_starting_ = source_[at_ - 1] == '\n';
  }
  /// Text up to a tag at `tag`, whose beginning has the sign.
  void data(size_t tag, char sign, bool variable) {
    std::string_view text = std::string_view(source_).substr(at_, tag - at_);
    if (sign == '-') {
      while (!text.empty() && is_space(char_at(text, previous_char(text, text.size())))) text = text.substr(0, previous_char(text, text.size()));
    } else if (sign != '+' && !variable) {
      const size_t line = text.rfind('\n') == npos ? 0 : text.rfind('\n') + 1;
      size_t i = line;
      while (i < text.size() && is_space(char_at(text, i))) i = next_char(text, i);
      if ((line > 0 || line_starting_) && i == text.size()) text = text.substr(0, line);
    }
    if (!text.empty()) add(Token::Kind::Data, std::string(text));
  }
  /// Behind `%}` or `#}` at `at`, and a newline there.
  size_t behind_block(size_t at) const { return at + 2 + (at + 2 < source_.size() && source_[at + 2] == '\n'); }

  void root() {
    size_t tag = at_;
    for (; (tag = source_.find('{', tag)) != npos; ++tag)
      if (tag + 1 < source_.size() && std::strchr("{%#", source_[tag + 1]) && source_[tag + 1]) break;
    if (tag == npos) {
      add(Token::Kind::Data, source_.substr(at_));
      return go(source_.size());
    }
    const char what = source_[tag + 1];
    const char sign = tag + 2 < source_.size() && (source_[tag + 2] == '-' || source_[tag + 2] == '+') ? source_[tag + 2] : ' ';
    const size_t inside = tag + 2 + (sign != ' ');
    data(tag, sign, what == '{');
    go(inside);
    if (what == '#') return comment();
    if (what == '{') {
      add(Token::Kind::VariableBegin);
      return inner("}}", Token::Kind::VariableEnd);
    }
    if (const size_t name = skip_space(inside); starts("raw", name)) {
      const size_t end = skip_space(name + 3);
      if (starts("%}", end)) return go(end + 2), raw();
      if (starts("-%}", end)) return go(skip_space(end + 3)), raw();
    }
    add(Token::Kind::BlockBegin);
    inner("%}", Token::Kind::BlockEnd);
  }
  void comment() {
    const size_t end = source_.find("#}", at_);
    if (end == npos) fail(file_, line_, "a comment without an end");
    const char sign = end > at_ ? source_[end - 1] : ' ';
    go(sign == '-' ? skip_space(end + 2) : sign == '+' ? end + 2 : behind_block(end));
  }
  void raw() {
    for (size_t tag = at_; (tag = source_.find("{%", tag)) != npos; ++tag) {
      const char sign = tag + 2 < source_.size() && (source_[tag + 2] == '-' || source_[tag + 2] == '+') ? source_[tag + 2] : ' ';
      const size_t name = skip_space(tag + 2 + (sign != ' '));
      if (!starts("endraw", name)) continue;
      const size_t end = skip_space(name + 6);
      const size_t behind = starts("+%}", end) ? end + 3 : starts("-%}", end) ? skip_space(end + 3) : starts("%}", end) ? behind_block(end) : npos;
      if (behind == npos) continue;
      data(tag, sign, false);
      return go(behind);
    }
    fail(file_, line_, "`raw` without an `endraw`");
  }

  void inner(std::string_view end, Token::Kind kind) {
    std::string open;  // brackets to be closed
    const bool block = kind == Token::Kind::BlockEnd;
    for (;;) {
      go(skip_space(at_));
      if (at_ >= source_.size()) fail(file_, line_, "the template ends within " + std::string(block ? "`{% … %}`" : "`{{ … }}`"));
      if (open.empty()) {
        size_t behind = npos;
        if (source_[at_] == '-' && starts(end, at_ + 1)) behind = skip_space(at_ + 3);
        else if (block && source_[at_] == '+' && starts(end, at_ + 1)) behind = at_ + 3;
        else if (starts(end, at_)) behind = block ? behind_block(at_) : at_ + 2;
        if (behind != npos) {
          add(kind);
          return go(behind);
        }
      }
      const char c = source_[at_];
      if (is_digit(c)) number();
      else if (is_name(c)) name();
      else if (c == '\'' || c == '"') string();
      else op(open);
    }
  }
  void name() {
    size_t end = at_;
    while (end < source_.size() && is_name(source_[end])) ++end;
    add(Token::Kind::Name, source_.substr(at_, end - at_));
    go(end);
  }
  void number() {
    const auto digits = [&](size_t i) {  // (\d+_)*\d+ from i; its end, or i
      size_t end = i;
      while (end < source_.size() && (is_digit(source_[end]) || (source_[end] == '_' && end > i && end + 1 < source_.size() && is_digit(source_[end + 1]) && is_digit(source_[end - 1])))) ++end;
      return end;
    };
    const auto plain = [&](size_t end) {
      std::string s = source_.substr(at_, end - at_);
      std::erase(s, '_');
      return s;
    };
    const size_t whole = digits(at_);
    size_t end = whole;
    if (at_ == 0 || source_[at_ - 1] != '.') {
      if (end < source_.size() && source_[end] == '.' && digits(end + 1) > end + 1) end = digits(end + 1);
      if (end < source_.size() && (source_[end] | 0x20) == 'e') {
        const size_t power = end + 1 + (end + 1 < source_.size() && (source_[end + 1] == '+' || source_[end + 1] == '-'));
        if (digits(power) > power) end = digits(power);
      }
    }
    if (end > whole) {
      double v = 0;
      parse_float(plain(end), &v);
      add(Token::Kind::Float).real = v;
      return go(end);
    }
    int base = 10;
    if (source_[at_] == '0' && at_ + 1 < source_.size()) {
      const char p = static_cast<char>(source_[at_ + 1] | 0x20);
      base = p == 'x' ? 16 : p == 'o' ? 8 : p == 'b' ? 2 : 10;
    }
    if (base != 10) {
      end = at_ + 2;
      while (end < source_.size() && (std::isxdigit(static_cast<unsigned char>(source_[end])) || source_[end] == '_')) ++end;
    } else if (source_[at_] == '0' && whole > at_ + 1 && plain(whole).find_first_not_of('0') != npos) {
      fail(file_, line_, "a number with leading zeros");
    }
    int64_t v = 0;
    try {
      if (!parse_int(plain(end), base, &v)) fail(file_, line_, "no number: `" + source_.substr(at_, std::min<size_t>(end - at_, 40)) + "`");
    } catch (const std::out_of_range&) {
      fail(file_, line_, "a number beyond 64 bits");
    }
    add(Token::Kind::Integer).integer = v;
    go(end);
  }
  void string() {
    const char quote = source_[at_];
    std::string out;
    const auto put = [&](uint32_t point) {
      if (point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) fail(file_, line_, "an escape that is no character");
      uint8_t bytes[4];
      out.append(reinterpret_cast<const char*>(bytes), text::encode(point, bytes));
    };
    size_t i = at_ + 1;
    for (;; ++i) {
      if (i >= source_.size()) fail(file_, line_, "a text without an end");
      char c = source_[i];
      if (c == quote) break;
      if (c != '\\') {
        out += c;
        continue;
      }
      if (++i >= source_.size()) fail(file_, line_, "a text without an end");
      c = source_[i];
      const char* const simple = std::strchr("abfnrtv\\'\"", c);
      if (c == '\n') continue;
      if (simple && c) {
        out += "\a\b\f\n\r\t\v\\'\""[simple - "abfnrtv\\'\""];
      } else if (c >= '0' && c <= '7') {
        uint32_t v = 0;
        size_t k = i;
        for (; k < i + 3 && k < source_.size() && source_[k] >= '0' && source_[k] <= '7'; ++k) v = v * 8 + static_cast<uint32_t>(source_[k] - '0');
        put(v);
        i = k - 1;
      } else if (c == 'x' || c == 'u' || c == 'U') {
        const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
        const std::string_view s = std::string_view(source_).substr(i + 1, digits);
        uint32_t v = 0;
        const auto r = std::from_chars(s.data(), s.data() + s.size(), v, 16);
        if (s.size() != digits || r.ptr != s.data() + s.size()) fail(file_, line_, "an escape without its digits");
        put(v);
        i += digits;
      } else if (c == 'N') {
        fail(file_, line_, "the escape \\N is not supported");
      } else {
        out += '\\';
        out += c;
      }
    }
    add(Token::Kind::String, std::move(out));
    go(i + 1);
  }
  void op(std::string& open) {
    static const char* const kOperators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";"};
    for (const char* o : kOperators) {
      if (!starts(o, at_)) continue;
      const char c = *o;
      if (c == '(' || c == '[' || c == '{') {
        open += c == '(' ? ')' : c == '[' ? ']' : '}';
        if (open.size() > kMostDepth) fail(file_, line_, "more than " + std::to_string(kMostDepth) + " brackets within each other");
      } else if (c == ')' || c == ']' || c == '}') {
        if (open.empty() || open.back() != c) fail(file_, line_, "`" + std::string(o) + "` closes nothing");
        open.pop_back();
      }
      add(Token::Kind::Operator, o);
      return go(at_ + std::strlen(o));
    }
    const size_t end = next_char(source_, at_);
    const bool shows = static_cast<uint8_t>(source_[at_]) > 0x20 && source_[at_] != 0x7f && (end - at_ > 1 || static_cast<uint8_t>(source_[at_]) < 0x80);
    fail(file_, line_, shows ? "unexpected `" + source_.substr(at_, end - at_) + "`" : "an unexpected character");
  }

  const std::string& file_;
  std::string source_;
  size_t at_ = 0;
  uint32_t line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

class Parser {
 public:
  Parser(std::string_view source, const std::string& file) : file_(file), tokens_(Lexer(source, file).run()) {}
  Parsed run() {
    Parsed out;
    out.body = statements({});
    out.symbols = std::move(symbols_);
    return out;
  }

 private:
  using Kind = Token::Kind;
  using Ends = std::initializer_list<std::string_view>;

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token next() { return std::move(tokens_[at_ + 1 < tokens_.size() ? at_++ : at_]); }
  bool is_op(std::string_view s) const { return now().kind == Kind::Operator && now().text == s; }
  bool is_word(std::string_view s) const { return now().kind == Kind::Name && now().text == s; }
  bool skip_op(std::string_view s) { return is_op(s) && (++at_, true); }
  bool skip_word(std::string_view s) { return is_word(s) && (++at_, true); }
  [[noreturn]] void fail_here(const std::string& what) const { fail(file_, now().line, what); }
  std::string found() const {
    switch (now().kind) {
      case Kind::Name:
      case Kind::Operator: return "`" + now().text.substr(0, 60) + "`";
      case Kind::String: return "a text";
      case Kind::Integer:
      case Kind::Float: return "a number";
      case Kind::VariableEnd: return "`}}`";
      case Kind::BlockEnd: return "`%}`";
      default: return "the template's end";
    }
  }
  void expect_op(std::string_view s) {
    if (!skip_op(s)) fail_here("expected `" + std::string(s) + "`, found " + found());
  }
  void expect(Kind kind, const char* what) {
    if (now().kind != kind) fail_here(std::string("expected ") + what + ", found " + found());
    ++at_;
  }
  std::string expect_name(const char* what) {
    if (now().kind != Kind::Name) fail_here(std::string("expected ") + what + ", found " + found());
    return next().text;
  }

  ExprPtr make(Op op, uint32_t line) const {
    auto e = std::make_unique<Expr>();
    e->op = op;
    e->line = line;
    return e;
  }
  void add(Expr& to, ExprPtr kid) const {
    if (kid) {
      to.depth = std::max(to.depth, kid->depth + 1);
      if (to.depth > kMostDepth) fail(file_, to.line, "more than " + std::to_string(kMostDepth) + " expressions within each other");
    }
    to.kids.push_back(std::move(kid));
  }
  ExprPtr binary(Op op, uint32_t line, ExprPtr a, ExprPtr b) const {
    ExprPtr e = make(op, line);
    add(*e, std::move(a));
    add(*e, std::move(b));
    return e;
  }
  /// Counts how deep we are in rules that call themselves.
  struct Level {
    explicit Level(Parser& p) : parser(p) {
      if (++parser.level_ > kMostDepth) parser.fail_here("more than " + std::to_string(kMostDepth) + " things within each other");
    }
    ~Level() { --parser.level_; }
    Parser& parser;
  };

  // Statements

  Block statements(Ends ends) {
    const Level level(*this);
    Block out;
    for (;;) {
      const uint32_t line = now().line;
      switch (now().kind) {
        case Kind::End:
          if (ends.size()) fail_here("the template ends without `" + std::string(*(ends.end() - 1)) + "`");
          return out;
        case Kind::Data: {
          Stmt s{Stmt::Kind::Data, line, next().text, {}, {}, {}, {}, {}};
          out.push_back(std::move(s));
          break;
        }
        case Kind::VariableBegin: {
          ++at_;
          Stmt s{Stmt::Kind::Print, line, {}, {}, {}, {}, {}, {}};
          s.exprs.push_back(printed());
          expect(Kind::VariableEnd, "`}}`");
          out.push_back(std::move(s));
          break;
        }
        default:
          ++at_;
          for (std::string_view e : ends)
            if (is_word(e)) return out;
          statement(out);
          expect(Kind::BlockEnd, "`%}`");
      }
    }
  }
  /// Behind a tag's beginning, `: ` allowed: its body, up to one of the tags.
  Block body(Ends ends) {
    skip_op(":");
    expect(Kind::BlockEnd, "`%}`");
    return statements(ends);
  }
  /// A body whose text goes elsewhere: a `break` does not leave it.
  Block apart(Ends ends) {
    const int loops = std::exchange(loops_, 0);
    Block out = body(ends);
    loops_ = loops;
    ++at_;
    return out;
  }
  /// `safe` marks HTML, which nothing here is; where it is the last of what is printed, it does nothing.
  ExprPtr printed() {
    ExprPtr e = tuple(true, {}, false);
    while (e->op == Op::Filter && e->name == "safe" && e->kids.size() == 1) {
      ExprPtr inner = std::move(e->kids[0]);
      e = std::move(inner);
    }
    return e;
  }

  void statement(Block& out) {
    const uint32_t line = now().line;
    const std::string tag = expect_name("a tag's name");
    Stmt s{Stmt::Kind::Group, line, {}, {}, {}, {}, {}, {}};
    if (tag == "set") {
      s.kind = Stmt::Kind::Set;
      s.target = target(true, {});
      if (skip_op("=")) {
        s.exprs.push_back(tuple(true, {}, false));
      } else {
        s.kind = Stmt::Kind::SetBlock;
        s.exprs.push_back(is_op("|") ? filters(nullptr) : nullptr);
        s.bodies.push_back(apart({"endset"}));
      }
    } else if (tag == "if") {
      s.kind = Stmt::Kind::If;
      for (;;) {
        s.exprs.push_back(tuple(false, {}, false));
        s.bodies.push_back(body({"elif", "else", "endif"}));
        const std::string end = next().text;
        if (end == "elif") continue;
        if (end == "else") {
          s.bodies.push_back(body({"endif"}));
          ++at_;
        }
        break;
      }
    } else if (tag == "for") {
      s.kind = Stmt::Kind::For;
      s.target = target(false, "in");
      if (!skip_word("in")) fail_here("expected `in`, found " + found());
      s.exprs.push_back(tuple(false, "recursive", false));
      s.exprs.push_back(skip_word("if") ? expression() : nullptr);
      if (is_word("recursive")) fail_here("`recursive` loops are not supported");
      ++loops_;
      s.bodies.push_back(body({"endfor", "else"}));
      --loops_;
      if (next().text == "else") {
        s.bodies.push_back(body({"endfor"}));
        ++at_;
      }
    } else if (tag == "macro") {
      s.kind = Stmt::Kind::Macro;
      s.macro = std::make_unique<Macro>();
      Macro& m = *s.macro;
      s.target = make(Op::Name, line);
      m.name = s.target->name = expect_name("a macro's name");
      s.target->symbol = symbols_.intern(m.name);
      expect_op("(");
      while (!is_op(")")) {
        if (!m.names.empty()) expect_op(",");
        m.names.push_back(expect_name("a parameter"));
        m.symbols.push_back(symbols_.intern(m.names.back()));
        if (skip_op("=")) m.defaults.push_back(expression());
        else if (!m.defaults.empty()) fail_here("a parameter without a default behind one that has it");
      }
      ++at_;
      ++macros_;
      m.body = std::make_unique<Block>(apart({"endmacro"}));
      --macros_;
    } else if (tag == "break" || tag == "continue") {
      if (!loops_) fail(file_, line, "`" + tag + "` outside of a loop is not supported");
      s.kind = tag == "break" ? Stmt::Kind::Break : Stmt::Kind::Continue;
    } else if (tag == "generation") {  // marks what a model said, for training's masks
      s.bodies.push_back(apart({"endgeneration"}));
    } else if (tag == "with") {
      s.kind = Stmt::Kind::With;
      while (now().kind != Kind::BlockEnd && !is_op(":")) {
        if (!s.targets.empty()) expect_op(",");
        s.targets.push_back(target(false, {}, false));
        expect_op("=");
        s.exprs.push_back(expression());
      }
      s.bodies.push_back(body({"endwith"}));
      ++at_;
    } else if (tag == "filter") {
      s.kind = Stmt::Kind::Filter;
      s.exprs.push_back(filters(nullptr, true));
      s.bodies.push_back(apart({"endfilter"}));
    } else if (tag == "print") {
      s.kind = Stmt::Kind::Print;
      while (now().kind != Kind::BlockEnd) {
        if (!s.exprs.empty()) expect_op(",");
        s.exprs.push_back(expression());
      }
    } else {
      static const std::set<std::string_view> others = {"include", "import", "from", "extends", "block", "call", "autoescape", "do", "trans", "debug"};
      fail(file_, line, others.contains(tag) ? "`" + tag + "` is not supported" : "an unknown tag: `" + tag.substr(0, 60) + "`");
    }
    out.push_back(std::move(s));
  }

  /// What is assigned to: a name, names, or with `member` a namespace's member. `end`: the word behind it.
  ExprPtr target(bool member, std::string_view end, bool several = true) {
    const uint32_t line = now().line;
    if (member && ahead().kind == Kind::Operator && ahead().text == ".") {
      ExprPtr e = make(Op::Attr, line);
      ExprPtr space = make(Op::Name, line);
      space->name = expect_name("a name");
      space->symbol = symbols_.intern(space->name);
      ++at_;
      e->name = expect_name("a name");
      add(*e, std::move(space));
      return e;
    }
    ExprPtr e = several ? tuple(false, end, false, true) : primary();
    check_target(*e);
    return e;
  }
  void check_target(const Expr& e) const {
    if (e.op == Op::Tuple) {
      for (const ExprPtr& k : e.kids) check_target(*k);
    } else if (e.op != Op::Name) {
      fail(file_, e.line, "this cannot be assigned to");
    }
  }

  // Expressions

  ExprPtr expression() {
    const Level level(*this);
    uint32_t line = now().line;
    ExprPtr e = disjunction();
    while (skip_word("if")) {
      ExprPtr chosen = make(Op::If, line);
      ExprPtr condition = disjunction();
      ExprPtr otherwise = skip_word("else") ? expression() : nullptr;
      add(*chosen, std::move(condition));
      add(*chosen, std::move(e));
      if (otherwise) add(*chosen, std::move(otherwise));
      e = std::move(chosen);
      line = now().line;
    }
    return e;
  }
  ExprPtr disjunction() {
    ExprPtr e = conjunction();
    for (uint32_t line = now().line; skip_word("or"); line = now().line) e = binary(Op::Or, line, std::move(e), conjunction());
    return e;
  }
  ExprPtr conjunction() {
    ExprPtr e = negation();
    for (uint32_t line = now().line; skip_word("and"); line = now().line) e = binary(Op::And, line, std::move(e), negation());
    return e;
  }
  ExprPtr negation() {
    const Level level(*this);
    const uint32_t line = now().line;
    if (!skip_word("not")) return comparison();
    ExprPtr e = make(Op::Not, line);
    add(*e, negation());
    return e;
  }
  ExprPtr comparison() {
    const uint32_t line = now().line;
    ExprPtr first = sum();
    ExprPtr e;
    static constexpr std::pair<const char*, Comparison> kinds[] = {{"==", Comparison::Eq}, {"!=", Comparison::Ne}, {"<", Comparison::Lt},
                                                                   {"<=", Comparison::Le}, {">", Comparison::Gt},  {">=", Comparison::Ge}};
    for (;;) {
      const auto* const kind = std::find_if(std::begin(kinds), std::end(kinds), [&](const auto& k) { return is_op(k.first); });
      Comparison c;
      if (kind != std::end(kinds)) c = kind->second, ++at_;
      else if (skip_word("in")) c = Comparison::In;
      else if (is_word("not") && ahead().kind == Kind::Name && ahead().text == "in") c = Comparison::NotIn, at_ += 2;
      else break;
      if (!e) {
        e = make(Op::Compare, line);
        add(*e, std::move(first));
      }
      e->comparisons.push_back(c);
      add(*e, sum());
    }
    return e ? std::move(e) : std::move(first);
  }
  ExprPtr sum() {
    ExprPtr e = concatenation();
    while (is_op("+") || is_op("-")) {
      const Token t = next();
      e = binary(t.text == "+" ? Op::Add : Op::Sub, t.line, std::move(e), concatenation());
    }
    return e;
  }
  ExprPtr concatenation() {
    const uint32_t line = now().line;
    ExprPtr first = product();
    if (!is_op("~")) return first;
    ExprPtr e = make(Op::Concat, line);
    add(*e, std::move(first));
    while (skip_op("~")) add(*e, product());
    return e;
  }
  ExprPtr product() {
    ExprPtr e = power();
    for (;;) {
      const Op op = is_op("*") ? Op::Mul : is_op("/") ? Op::Div : is_op("//") ? Op::FloorDiv : is_op("%") ? Op::Mod : Op::Const;
      if (op == Op::Const) return e;
      const uint32_t line = next().line;
      e = binary(op, line, std::move(e), power());
    }
  }
  ExprPtr power() {
    ExprPtr e = unary(true);
    while (is_op("**")) {
      const uint32_t line = next().line;
      e = binary(Op::Pow, line, std::move(e), unary(true));
    }
    return e;
  }
  ExprPtr unary(bool with_filters) {
    const Level level(*this);
    const uint32_t line = now().line;
    ExprPtr e;
    if (is_op("-") || is_op("+")) {
      e = make(next().text == "-" ? Op::Neg : Op::Pos, line);
      add(*e, unary(false));
    } else {
      e = primary();
    }
    e = postfix(std::move(e));
    if (!with_filters) return e;
    for (;;) {
      if (is_op("|")) e = filters(std::move(e));
      else if (is_word("is")) e = test(std::move(e));
      else if (is_op("(")) e = call(std::move(e));
      else return e;
    }
  }
  ExprPtr primary() {
    const uint32_t line = now().line;
    ExprPtr e = make(Op::Const, line);
    switch (now().kind) {
      case Kind::Name: {
        const std::string name = next().text;
        if (name == "true" || name == "True") e->value = true;
        else if (name == "false" || name == "False") e->value = false;
        else if (name == "none" || name == "None") e->value = None{};
        else {
          if (macros_ && (name == "caller" || name == "varargs" || name == "kwargs")) fail(file_, line, "`" + name + "` is not supported");
          e->op = Op::Name;
          e->name = name;
          e->symbol = symbols_.intern(name);
        }
        return e;
      }
      case Kind::String: {
        std::string s = next().text;
        while (now().kind == Kind::String) s += next().text;
        e->value = Value::text(std::move(s));
        return e;
      }
      case Kind::Integer: e->value = next().integer; return e;
      case Kind::Float: e->value = next().real; return e;
      default: break;
    }
    if (skip_op("(")) {
      e = tuple(true, {}, true);
      expect_op(")");
      return e;
    }
    if (skip_op("[")) {
      e->op = Op::List;
      while (!is_op("]")) {
        if (!e->kids.empty()) expect_op(",");
        if (is_op("]")) break;
        add(*e, expression());
      }
      ++at_;
      return e;
    }
    if (skip_op("{")) {
      e->op = Op::Dict;
      while (!is_op("}")) {
        if (!e->kids.empty()) expect_op(",");
        if (is_op("}")) break;
        add(*e, expression());
        expect_op(":");
        add(*e, expression());
      }
      ++at_;
      return e;
    }
    fail_here("expected an expression, found " + found());
  }
  /// Expressions with commas between them, or one alone. `end`: a word behind them.
  ExprPtr tuple(bool conditional, std::string_view end, bool parentheses, bool names_only = false) {
    const Level level(*this);
    const uint32_t line = now().line;
    ExprPtr e = make(Op::Tuple, line);
    bool several = false;
    for (;;) {
      if (!e->kids.empty()) expect_op(",");
      if (now().kind == Kind::VariableEnd || now().kind == Kind::BlockEnd || is_op(")") || (!end.empty() && is_word(end))) break;
      add(*e, names_only ? primary() : conditional ? expression() : disjunction());
      if (!is_op(",")) break;
      several = true;
    }
    if (several) return e;
    if (!e->kids.empty()) return std::move(e->kids[0]);
    if (!parentheses) fail_here("expected an expression, found " + found());
    return e;
  }
  ExprPtr postfix(ExprPtr e) {
    for (;;) {
      if (is_op(".") || is_op("[")) e = subscript(std::move(e));
      else if (is_op("(")) e = call(std::move(e));
      else return e;
    }
  }
  ExprPtr subscript(ExprPtr of) {
    const Token t = next();
    if (t.text == ".") {
      if (now().kind == Kind::Integer) {
        ExprPtr index = make(Op::Const, t.line);
        index->value = next().integer;
        return binary(Op::Item, t.line, std::move(of), std::move(index));
      }
      ExprPtr e = make(Op::Attr, t.line);
      e->name = expect_name("a name");
      add(*e, std::move(of));
      return e;
    }
    ExprPtr e = make(Op::Item, t.line);
    add(*e, std::move(of));
    const auto part = [&] { return is_op(":") || is_op("]") || is_op(",") ? nullptr : expression(); };
    ExprPtr first = part();
    if (skip_op(":")) {
      e->op = Op::Slice;
      add(*e, std::move(first));
      add(*e, part());
      add(*e, skip_op(":") ? part() : nullptr);
    } else {
      if (!first) fail_here("expected an expression, found " + found());
      add(*e, std::move(first));
    }
    if (is_op(",")) fail_here("several subscripts are not supported");
    expect_op("]");
    return e;
  }
  void arguments(Expr& to) {
    expect_op("(");
    for (bool first = true; !is_op(")"); first = false) {
      if (!first) {
        expect_op(",");
        if (is_op(")")) break;
      }
      if (is_op("*") || is_op("**")) fail_here("arguments from a list or a dictionary are not supported");
      if (now().kind == Kind::Name && ahead().kind == Kind::Operator && ahead().text == "=") {
        to.keywords.push_back(next().text);
        ++at_;
      } else if (!to.keywords.empty()) {
        fail_here("an argument without a name behind one that has it");
      }
      add(to, expression());
    }
    ++at_;
  }
  ExprPtr call(ExprPtr what) {
    ExprPtr e = make(Op::Call, now().line);
    add(*e, std::move(what));
    arguments(*e);
    return e;
  }
  /// `value` null: of a block.
  ExprPtr filters(ExprPtr value, bool inline_first = false) {
    while (inline_first || is_op("|")) {
      if (!inline_first) ++at_;
      ExprPtr e = make(Op::Filter, now().line);
      e->name = expect_name("a filter's name");
      if (is_op(".")) fail_here("an unknown filter: `" + e->name + "." + ahead().text.substr(0, 60) + "`");
      if (known_filter(e->name) == Known::No) fail(file_, e->line, "an unknown filter: `" + e->name.substr(0, 60) + "`");
      add(*e, std::move(value));
      if (is_op("(")) arguments(*e);
      value = std::move(e);
      inline_first = false;
    }
    return value;
  }
  ExprPtr test(ExprPtr value) {
    ExprPtr e = make(Op::Test, next().line);
    const bool negated = skip_word("not");
    e->name = expect_name("a test's name");
    if (is_op(".") || known_test(e->name) == Known::No) fail(file_, e->line, "an unknown test: `" + e->name.substr(0, 60) + "`");
    add(*e, std::move(value));
    const Kind k = now().kind;
    if (is_op("(")) {
      arguments(*e);
    } else if (((k == Kind::Name && !is_word("else") && !is_word("or") && !is_word("and")) || k == Kind::String || k == Kind::Integer || k == Kind::Float || is_op("[") || is_op("{"))) {
      if (is_word("is")) fail_here("tests cannot be chained");
      add(*e, postfix(primary()));
    }
    if (!negated) return e;
    ExprPtr no = make(Op::Not, e->line);
    add(*no, std::move(e));
    return no;
  }

  const std::string& file_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  uint32_t level_ = 0;
  int loops_ = 0, macros_ = 0;
  Symbols symbols_;
};

}  // namespace

int Symbols::intern(std::string_view name) {
  const auto [at, fresh] = numbers_.emplace(name, static_cast<int>(numbers_.size()));
  return at->second;
}
int Symbols::find(const std::string& name) const {
  const auto at = numbers_.find(name);
  return at == numbers_.end() ? -1 : at->second;
}

Parsed parse_template(std::string_view source, const std::string& file) {
  constexpr size_t kMost = 1 << 20;
  if (source.size() > kMost) throw InputError(file + ": a template of more than 1 MiB");
  return Parser(source, file).run();
}

}  // namespace ppc::model::jinja
