// Text -> tokens. Texts and brackets that do not close are found here, by layout where the brackets alone do not say which
// one is wrong, because the parser would notice them only far behind the mistake.
#include <algorithm>

#include "compiler/syntax/internal.h"

namespace ppc::syntax {

using antlr4::CommonToken;
using antlr4::Token;

uint32_t decode_utf8(std::string_view s, size_t at, uint32_t& length) {
  auto byte = [&](size_t i) { return static_cast<unsigned char>(s[i]); };
  unsigned char c = byte(at);
  length = 1;
  if (c < 0x80) return c;
  length = c >= 0xF0 && c < 0xF5 ? 4 : c >= 0xE0 && c < 0xF0 ? 3 : c >= 0xC2 && c < 0xE0 ? 2 : 0;
  if (length == 0 || at + length > s.size()) return length = 0;
  uint32_t code = length == 2 ? c & 0x1F : length == 3 ? c & 0x0F : c & 0x07;
  for (uint32_t i = 1; i < length; ++i) {
    if ((byte(at + i) & 0xC0) != 0x80) return length = 0;
    code = code << 6 | (byte(at + i) & 0x3F);
  }
  uint32_t least = length == 2 ? 0x80 : length == 3 ? 0x800 : 0x10000;
  if (code < least || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000)) return length = 0;
  return code;
}

void append_utf8(std::string& out, uint32_t code) {
  auto put = [&](uint32_t b) { out += static_cast<char>(b); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6), put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18), put(0x80 | (code >> 12 & 0x3F)), put(0x80 | (code >> 6 & 0x3F)), put(0x80 | (code & 0x3F));
  }
}

Offsets::Offsets(std::string_view text, uint32_t file, uint32_t skipped)
    : file_(file), size_(static_cast<uint32_t>(text.size())), skipped_(skipped) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; })) return;
  for (uint32_t i = 0; i < text.size(); ++i)
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) starts_.push_back(i);
  starts_.push_back(size_);
}

uint32_t Offsets::byte(size_t code_point) const {
  if (starts_.empty()) return skipped_ + static_cast<uint32_t>(std::min<size_t>(code_point, size_));
  return skipped_ + starts_[std::min(code_point, starts_.size() - 1)];
}

Span Offsets::span(const Token* token) const {
  if (token->getType() == Token::EOF) return {file_, byte(token->getStartIndex()), byte(token->getStartIndex())};
  return {file_, byte(token->getStartIndex()), byte(token->getStopIndex() + 1)};
}

Span Offsets::span(const Token* first, const Token* last) const {
  Span a = span(first);
  if (last == nullptr) return a;
  Span b = span(last);
  return {file_, a.begin, std::max(a.begin, b.end)};
}

namespace {

bool opens(size_t type) { return type == GameLexer::LBrace || type == GameLexer::LParen || type == GameLexer::LBracket; }
bool closes(size_t type) { return type == GameLexer::RBrace || type == GameLexer::RParen || type == GameLexer::RBracket; }
size_t closer_of(size_t type) {
  return type == GameLexer::LParen     ? GameLexer::RParen
         : type == GameLexer::LBracket ? GameLexer::RBracket
         : type == GameLexer::TextOpen ? GameLexer::TextClose
         : type == GameLexer::TripleOpen ? GameLexer::TripleClose
                                       : GameLexer::RBrace;
}

Word word_of(const Token* token, const Offsets& offsets) {
  const size_t type = token->getType();
  Word w{Word::Kind::Sign, offsets.span(token)};
  if (token->getChannel() == GameLexer::COMMENTS) w.kind = Word::Kind::Comment;
  else if (type == GameLexer::TextUnclosed) w.kind = Word::Kind::TextUnclosed;
  else if (type < GameLexer::LBrace) w.kind = is_soft_keyword(type) ? Word::Kind::SoftKeyword : Word::Kind::Keyword;
  else if (type == GameLexer::LowerName || type == GameLexer::UpperName) w.kind = Word::Kind::Name;
  else if (type == GameLexer::Int || type == GameLexer::Float || type == GameLexer::BadNumber) w.kind = Word::Kind::Number;
  else if (type == GameLexer::TextOpen || type == GameLexer::TripleOpen) w.kind = Word::Kind::TextOpen;
  else if (type == GameLexer::TextClose || type == GameLexer::TripleClose) w.kind = Word::Kind::TextClose;
  else if (type == GameLexer::TextChunk) w.kind = Word::Kind::Text;
  else if (type == GameLexer::TextEscape) w.kind = Word::Kind::Escape;
  else if (type == GameLexer::ForeignComment) w.kind = Word::Kind::Comment;
  return w;
}

class Scanner {
 public:
  Scanner(std::string_view text, const Offsets& offsets, const Limits& limits, diag::Emitter& emitter)
      : text_(text), offsets_(offsets), limits_(limits), emitter_(&emitter) {}

  Lexed run(antlr4::CharStream& input, std::vector<Word>* words) {
    GameLexer lexer(&input);
    lexer.removeErrorListeners();
    TokenList all = lexer.getAllTokens();
    Lexed out;
    for (auto& token : all) {
      if (words) words->push_back(word_of(token.get(), offsets_));
      if (token->getChannel() == GameLexer::COMMENTS) {
        Span span = offsets_.span(token.get());
        std::string body = token->getText().substr(2);
        while (!body.empty() && (body.back() == ' ' || body.back() == '\t')) body.pop_back();
        out.comments.push_back({span.begin, span.end, std::move(body)});
      } else {
        tokens_.push_back(std::move(token));
      }
    }
    out.usable = texts_close() && brackets_match();
    if (!out.usable && limits_.tolerant) {
      // What comes now follows from what was reported.
      emitter_ = &quiet_;
      out.usable = out.repaired = repair();
    }
    if (out.usable) {
      foreign(out.bad_lines);
      contextual();
    }
    auto eof = std::make_unique<CommonToken>(Token::EOF);
    eof->setStartIndex(input.size());
    eof->setStopIndex(input.size());
    tokens_.push_back(std::move(eof));
    out.tokens = std::move(tokens_);
    return out;
  }

 private:
  Span span(size_t i) const { return offsets_.span(tokens_[i].get()); }
  size_t type(size_t i) const { return tokens_[i]->getType(); }
  size_t at(size_t i) const { return i < tokens_.size() ? type(i) : Token::EOF; }

  /// Reports texts that do not close. Their line's brackets are lost with them, so that parsing stops here.
  bool texts_close() {
    std::vector<size_t> open;
    bool good = true;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      size_t t = type(i);
      if (t == GameLexer::TextOpen || t == GameLexer::TripleOpen || t == GameLexer::TextOpenHole || opens(t)) {
        open.push_back(i);
      } else if (t == GameLexer::TextClose || t == GameLexer::TripleClose) {
        while (!open.empty() && type(open.back()) != GameLexer::TextOpen && type(open.back()) != GameLexer::TripleOpen) open.pop_back();
        if (!open.empty()) open.pop_back();
      } else if (closes(t)) {
        // Only what opened inside the innermost text can close here.
        if (t == GameLexer::RBrace) {
          while (!open.empty() && (type(open.back()) == GameLexer::LParen || type(open.back()) == GameLexer::LBracket)) open.pop_back();
          if (!open.empty() && (type(open.back()) == GameLexer::LBrace || type(open.back()) == GameLexer::TextOpenHole)) open.pop_back();
        } else if (!open.empty() && closer_of(type(open.back())) == t) {
          open.pop_back();
        }
      } else if (t == GameLexer::TextUnclosed) {
        size_t first = open.size();
        for (size_t k = open.size(); k-- > 0;) {
          if (type(open[k]) == GameLexer::TripleOpen) break;
          if (type(open[k]) == GameLexer::TextOpen) first = k;
        }
        if (first == open.size()) continue;
        Span from = span(open[first]);
        from.end = std::max(from.end, span(i).begin);
        // A hole that is open at the end of the line was meant to be closed before the text's last quote.
        bool hole = first + 1 < open.size() && type(open[first + 1]) == GameLexer::TextOpenHole;
        if (hole) {
          emitter_->emit(kUnclosedText, span(open[first + 1]), {"a `{` inside a text is not closed before the end of its line"})
              .label(span(open[first]), "the text starts here")
              .hint("close it with `}`; a brace that stands for itself is written `\\{`");
        } else {
          emitter_->emit(kUnclosedText, from, {"the text is not closed on its line"})
              .hint("close it with `\"`; a text of several lines stands between `\"\"\"` and `\"\"\"`");
        }
        good = false;
        open.resize(first);
      }
    }
    if (!good) return false;
    for (size_t i : open)
      if (type(i) == GameLexer::TripleOpen || type(i) == GameLexer::TextOpen) {
        bool triple = type(i) == GameLexer::TripleOpen;
        bool hole = false;
        size_t where = i;
        for (size_t k : open)
          if (k > i && type(k) == GameLexer::TextOpenHole && !hole) hole = true, where = k;
        if (hole) emitter_->emit(kUnclosedText, span(where), {"a `{` inside a text is never closed"}).label(span(i), "the text starts here").hint("close it with `}`; a brace that stands for itself is written `\\{`");
        else emitter_->emit(kUnclosedText, span(i), {"the text is never closed"}).hint(triple ? "close it with `\"\"\"`" : "close it with `\"`");
        return false;
      }
    return true;
  }

  struct Place {
    uint32_t indent;
    bool first;  // the first thing on its line
  };
  Place place(size_t i) const {
    uint32_t at = span(i).begin - offsets_.byte(0);
    const Line& line = *(std::upper_bound(lines_.begin(), lines_.end(), at, [](uint32_t place, const Line& l) { return place < l.begin; }) - 1);
    return {line.indent, line.begin + line.indent == at};
  }
  void find_lines() {
    for (uint32_t begin = 0; begin <= text_.size();) {
      uint32_t indent = 0;
      while (begin + indent < text_.size() && (text_[begin + indent] == ' ' || text_[begin + indent] == '\t')) ++indent;
      lines_.push_back({begin, indent});
      size_t end = text_.find_first_of("\r\n", begin);
      begin = end == std::string_view::npos ? static_cast<uint32_t>(text_.size()) + 1 : static_cast<uint32_t>(end) + 1;
    }
  }

  bool declares(size_t i) const {
    switch (type(i)) {
      case GameLexer::KwFn: case GameLexer::KwMove: case GameLexer::KwPlay: case GameLexer::KwBot: case GameLexer::KwGenerate:
      case GameLexer::KwStep: case GameLexer::KwMetric: case GameLexer::KwKey: case GameLexer::KwPlayer: case GameLexer::KwState:
      case GameLexer::KwInstance: case GameLexer::KwExperiment: case GameLexer::KwRecord: case GameLexer::KwEnum:
      case GameLexer::KwUse: case GameLexer::KwInclude: case GameLexer::KwResource: case GameLexer::KwGrammar:
        return true;
      default:
        return false;
    }
  }

  bool unclosed(size_t opener, size_t noticed) {
    Span at = span(opener);
    auto b = emitter_->emit(kUnclosedBracket, at, {tokens_[opener]->getText()});
    if (noticed < tokens_.size()) b.label(span(noticed), noticed_text(opener));
    return false;
  }
  std::string noticed_text(size_t opener) const {
    std::string closer = type(opener) == GameLexer::LParen ? ")" : type(opener) == GameLexer::LBracket ? "]" : "}";
    return "the missing `" + closer + "` is noticed here";
  }

  /// One report for the first bracket without its partner.
  bool brackets_match() {
    std::vector<size_t> open;
    bool balanced = true;
    size_t stray = tokens_.size();
    for (size_t i = 0; i < tokens_.size() && balanced; ++i) {
      size_t t = type(i);
      if (opens(t) || t == GameLexer::TextOpen || t == GameLexer::TripleOpen || t == GameLexer::TextOpenHole) {
        open.push_back(i);
        if (open.size() > limits_.depth) {
          emitter_->emit(kTooDeep, span(i), {std::to_string(limits_.depth)});
          return false;
        }
      } else if (closes(t) || t == GameLexer::TextClose || t == GameLexer::TripleClose) {
        if (!open.empty() && closer_of(type(open.back())) == t) {
          open.pop_back();
        } else {
          balanced = false;
          stray = i;
        }
      }
    }
    if (balanced && open.empty()) return true;

    // Inside one statement the brackets themselves say what is wrong.
    if (stray < tokens_.size() && (type(stray) != GameLexer::RBrace || (!open.empty() && type(open.back()) != GameLexer::LBrace))) {
      bool partner = std::any_of(open.begin(), open.end(), [&](size_t o) { return closer_of(type(o)) == type(stray); });
      if (!open.empty() && partner && type(open.back()) != GameLexer::LBrace) return unclosed(open.back(), stray);
      if (!open.empty() && partner && type(stray) == GameLexer::RBrace) return unclosed(open.back(), stray);
      emitter_->emit(kStrayBracket, span(stray), {tokens_[stray]->getText()});
      return false;
    }
    return braces_by_layout();
  }

  /// Blocks do not match: nothing in the language depends on indentation, but it shows what the author meant.
  bool braces_by_layout() {
    find_lines();
    std::vector<size_t> open;
    size_t last = tokens_.size();
    for (size_t i = 0; i < tokens_.size(); ++i) {
      size_t t = type(i);
      if (t == GameLexer::LBrace || t == GameLexer::TextOpenHole) {
        open.push_back(i);
        continue;
      }
      Place here = place(i);
      if (here.first && here.indent == 0 && declares(i) && !open.empty()) return unclosed(open.back(), i);
      if (t != GameLexer::RBrace) continue;
      if (open.empty()) {
        emitter_->emit(kStrayBracket, span(i), {"}"});
        return false;
      }
      if (here.first) {
        Place opened = place(open.back());
        if (opened.indent > here.indent) return unclosed(open.back(), i);
        if (opened.indent < here.indent && open.size() == 1) last = i;
      }
      open.pop_back();
    }
    if (!open.empty()) return unclosed(open.back(), tokens_.size());
    emitter_->emit(kStrayBracket, last < tokens_.size() ? span(last) : Span{}, {"}"});
    return false;
  }

  // ---- for editors: closes what is open, by brackets, by words that begin a statement or a declaration, and by layout -------

  static bool begins_statement(size_t type) {
    switch (type) {
      case GameLexer::KwLet: case GameLexer::KwVar: case GameLexer::KwRepeat: case GameLexer::KwReturn: case GameLexer::KwAsk:
      case GameLexer::KwTell: case GameLexer::KwBrief: case GameLexer::KwSay: case GameLexer::KwNote: case GameLexer::KwReward:
      case GameLexer::KwWin: case GameLexer::KwLose: case GameLexer::KwAbort: case GameLexer::KwRetry: case GameLexer::KwFormat: case GameLexer::KwAim:
      case GameLexer::KwExpect: case GameLexer::KwForbid: case GameLexer::KwGives: case GameLexer::KwBreak:
        return true;
      default:
        return false;
    }
  }

  /// Afterwards every bracket and text has its partner; false when they nest too deep. Closers that are put in have no width.
  bool repair() {
    find_lines();
    TokenList out;
    struct Open { size_t type; uint32_t indent; };  // of the line it stands on
    std::vector<Open> open;
    auto text = [](size_t t) { return t == GameLexer::TextOpen || t == GameLexer::TripleOpen; };
    auto close = [&](size_t keep) {  // all but so many
      while (open.size() > keep) {
        auto token = std::make_unique<CommonToken>(closer_of(open.back().type));
        size_t where = out.empty() ? 0 : out.back()->getStopIndex() + 1;
        token->setStartIndex(where);
        token->setStopIndex(where - 1);
        token->setLine(out.empty() ? 1 : out.back()->getLine());
        token->setText(open.back().type == GameLexer::LParen ? ")" : open.back().type == GameLexer::LBracket ? "]" : text(open.back().type) ? "\"" : "}");
        out.push_back(std::move(token));
        open.pop_back();
      }
    };
    auto last = [&](auto&& wanted) {  // one behind the innermost of its kind; 0: none
      for (size_t k = open.size(); k > 0; --k)
        if (wanted(open[k - 1].type)) return k;
      return size_t{0};
    };
    for (size_t i = 0; i < tokens_.size(); ++i) {
      size_t t = type(i);
      Place here = place(i);
      bool inside = !open.empty() && text(open.back().type);
      if (t == GameLexer::TextUnclosed) {
        size_t first = open.size();
        for (size_t k = open.size(); k-- > 0 && open[k].type != GameLexer::TripleOpen;)
          if (open[k].type == GameLexer::TextOpen) first = k;
        close(first);
        continue;
      }
      if (here.first && !inside) {
        bool triple = last([](size_t x) { return x == GameLexer::TripleOpen; }) > 0;
        if (here.indent == 0 && declares(i) && !triple) close(0);
        else if (begins_statement(t)) close(last([&](size_t x) { return x == GameLexer::LBrace || x == GameLexer::TripleOpen; }));
      }
      if (opens(t) || text(t) || t == GameLexer::TextOpenHole) {
        open.push_back({t, here.indent});
        if (open.size() > limits_.depth) return false;
      } else if (t == GameLexer::TextClose || t == GameLexer::TripleClose) {
        size_t k = last(text);
        if (k == 0) continue;
        close(k);
        open.pop_back();
      } else if (t == GameLexer::RBrace) {
        size_t k = last([](size_t x) { return x == GameLexer::LBrace || x == GameLexer::TextOpenHole; });
        if (here.first)  // a block that begins further to the right has ended before
          while (k > 1 && open[k - 1].type == GameLexer::LBrace && open[k - 1].indent > here.indent && open[k - 2].type == GameLexer::LBrace) --k;
        if (k == 0) continue;
        close(k);
        open.pop_back();
      } else if (closes(t)) {
        size_t opener = t == GameLexer::RParen ? GameLexer::LParen : GameLexer::LBracket;
        size_t block = last([](size_t x) { return x == GameLexer::LBrace || x == GameLexer::TextOpenHole; });
        size_t k = last([&](size_t x) { return x == opener; });
        if (k <= block) continue;
        close(k);
        open.pop_back();
      }
      out.push_back(std::move(tokens_[i]));
    }
    close(0);
    tokens_ = std::move(out);
    return true;
  }

  /// Where the tokens behind one say what it is: `x[1..]` and `x[1..2]`; `1 -> a - 1` and `1 -> a  -1 -> b`; and `say PLAYER VALUE`
  /// and `say VALUE`, where a name in front of what starts a value, and does not go on with the name, is a player. (Bots say
  /// no player: there `say word  last = word` are two statements.)
  void contextual() {
    auto becomes = [&](size_t i, size_t t) { static_cast<CommonToken*>(tokens_[i].get())->setType(t); };
    // From behind, since `-3..-1 ->` is known by its second sign.
    for (size_t i = tokens_.size(); i-- > 0;) {
      if (at(i) == GameLexer::DotDot && at(i + 1) == GameLexer::RBracket) becomes(i, GameLexer::DotDotEnd);
      if (at(i) == GameLexer::Minus && negative_pattern(i)) becomes(i, GameLexer::PatternMinus);
    }
    size_t depth = 0;
    bool bot = false;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (opens(type(i)) || type(i) == GameLexer::TextOpenHole) ++depth;
      if (closes(type(i)) && depth > 0 && --depth == 0) bot = false;
      if (depth == 0 && type(i) == GameLexer::KwBot && is_name(at(i + 1)) && is_name(at(i + 2)) && at(i + 3) == GameLexer::LBrace) bot = true;
      if (type(i) == GameLexer::KwSay && is_name(at(i + 1)) && (bot ? only_value(at(i + 2)) : value_or_statement(at(i + 2)) || only_value(at(i + 2))))
        becomes(i, GameLexer::KwSayTo);
    }
  }

  /// Whether a pattern starts with the `-` here: a number or a range up to `->`, which no value is in front of.
  bool negative_pattern(size_t i) const {
    auto number = [&](size_t n) { return at(n) == GameLexer::Int || at(n) == GameLexer::Float; };
    if (!number(++i)) return false;
    if (at(++i) == GameLexer::Arrow) return true;
    if (at(i) != GameLexer::DotDot) return false;
    if (at(++i) == GameLexer::PatternMinus) return true;
    if (!number(i) && !is_name(at(i))) return false;
    if (is_name(at(i)) && at(i + 1) == GameLexer::Dot && is_name(at(i + 2))) i += 2;
    return at(i + 1) == GameLexer::Arrow;
  }

  static bool only_value(size_t type) {
    switch (type) {
      case GameLexer::TextOpen: case GameLexer::TripleOpen: case GameLexer::Int: case GameLexer::Float: case GameLexer::KwReveal:
      case GameLexer::KwMatch: case GameLexer::KwNotes: case GameLexer::KwTrue: case GameLexer::KwFalse: case GameLexer::KwNan:
        return true;
      default: return false;
    }
  }
  static bool value_or_statement(size_t type) { return type == GameLexer::LowerName || type == GameLexer::UpperName || type == GameLexer::KwIf; }

  void replace(size_t i, size_t type, const std::string& text) {
    auto* token = static_cast<CommonToken*>(tokens_[i].get());
    token->setType(type);
    token->setText(text);
  }

  /// Notations of other languages: reported with ours, and read as ours where there is one.
  void foreign(std::set<size_t>& bad_lines) {
    TokenList out;
    auto bad = [&](size_t i, const std::string& hint, const std::string& ours = "") {
      auto b = emitter_->emit(kForeignNotation, span(i), {tokens_[i]->getText()});
      if (!hint.empty()) b.hint(hint);
      if (ours.empty()) return;
      // Words need blanks around them where the signs did without.
      Span at = span(i);
      uint32_t base = offsets_.byte(0);
      auto blank = [&](uint32_t place) { return place >= text_.size() || text_[place] == ' ' || text_[place] == '\n'; };
      bool before = at.begin == base || blank(at.begin - base - 1) || text_[at.begin - base - 1] == '(', behind = blank(at.end - base);
      b.fix("write `" + ours + "`", at, (before ? "" : " ") + ours + (behind ? "" : " "));
    };
    for (size_t i = 0; i < tokens_.size(); ++i) {
      std::string text = tokens_[i]->getText();
      size_t errors = emitter_->errors(), line = tokens_[i]->getLine();
      struct Mark {
        ~Mark() { if (emitter.errors() > errors) lines.insert(line); }
        const diag::Emitter& emitter;
        size_t errors, line;
        std::set<size_t>& lines;
      } mark{*emitter_, errors, line, bad_lines};
      switch (type(i)) {
        case GameLexer::ForeignAnd: bad(i, "write `and`", "and"); replace(i, GameLexer::KwAnd, "and"); break;
        case GameLexer::ForeignOr: bad(i, "write `or`", "or"); replace(i, GameLexer::KwOr, "or"); break;
        case GameLexer::ForeignNot: bad(i, "write `not`", "not"); replace(i, GameLexer::KwNot, "not"); break;
        case GameLexer::ForeignPower: bad(i, "multiply instead: `x * x`"); replace(i, GameLexer::Star, "*"); break;
        case GameLexer::ForeignPercent: bad(i, "write `mod`", "mod"); replace(i, GameLexer::KwMod, "mod"); break;
        case GameLexer::ForeignArrow: bad(i, "write `->`", "->"); replace(i, GameLexer::Arrow, "->"); break;
        case GameLexer::ForeignSame:
          bad(i, text == "===" ? "write `==`" : "write `!=`", text == "===" ? "==" : "!=");
          replace(i, text == "===" ? GameLexer::Equal : GameLexer::NotEqual, text);
          break;
        case GameLexer::ForeignStep: {
          std::string target = !out.empty() && out.back()->getType() == GameLexer::LowerName ? out.back()->getText() : "x";
          std::string op(1, text[0]);
          bad(i, "write `" + target + " = " + target + " " + op + (text[1] == '=' ? " …`" : " 1`"));
          replace(i, GameLexer::Assign, "=");
          if (text[1] != '=') {
            auto number = std::make_unique<CommonToken>(tokens_[i].get());
            number->setType(GameLexer::Int);
            number->setText("0");
            out.push_back(std::move(tokens_[i]));
            out.push_back(std::move(number));
            continue;
          }
          break;
        }
        case GameLexer::ForeignComment: {
          // Dropped; its text may be long.
          emitter_->emit(kForeignNotation, short_span(i), {text[0] == '#' ? "#" : "/*"}).hint("comments start with `//`");
          continue;
        }
        case GameLexer::SingleQuoted: {
          bad(i, "texts stand between double quotes");
          empty_text(out, i, i);
          continue;
        }
        case GameLexer::ForeignName:
          if (size_t last = typographic_text(i); last < tokens_.size()) {
            Span quote = span(i);
            uint32_t length = 0;
            decode_utf8(text, 0, length);
            quote.end = quote.begin + length;
            emitter_->emit(kUnknownCharacter, quote, {"`" + text.substr(0, length) + "`"}).hint("texts stand between plain quotes: `\"`");
            empty_text(out, i, last);
            i = last;
            continue;
          }
          emitter_->emit(kUnknownCharacter, span(i), {"`" + text + "`"})
              .hint("names are made of the letters a to z, digits and `_`; anything else stands inside a text");
          continue_without(out, i);
          continue;
        case GameLexer::BadNumber:
          emitter_->emit(kBadNumber, span(i), {text, "is not a number"}).hint("a name starts with a letter");
          replace(i, GameLexer::Int, "0");
          break;
        case GameLexer::Unknown: {
          unsigned char c = static_cast<unsigned char>(text.empty() ? '?' : text[0]);
          std::string shown = c < 0x20 || c == 0x7F ? "the control character " + std::to_string(c) : "`" + text + "`";
          auto b = emitter_->emit(kUnknownCharacter, span(i), {shown});
          if (c == '\'') b.hint("texts stand between double quotes");
          continue_without(out, i);
          continue;
        }
        case GameLexer::TextUnclosed:
          continue;
        default:
          break;
      }
      out.push_back(std::move(tokens_[i]));
    }
    tokens_ = std::move(out);
  }
  static bool is_name(size_t type) { return type == GameLexer::LowerName || type == GameLexer::UpperName || is_soft_keyword(type); }
  static bool typographic(uint32_t c) {
    return c == 0x201C || c == 0x201D || c == 0x201E || c == 0x2018 || c == 0x2019 || c == 0xAB || c == 0xBB;
  }
  /// The token with which a text between typographic quotes ends that token i begins; tokens_.size() when there is none.
  size_t typographic_text(size_t i) const {
    std::string first = tokens_[i]->getText();
    uint32_t length = 0;
    if (!typographic(decode_utf8(first, 0, length))) return tokens_.size();
    for (size_t k = i; k < tokens_.size() && tokens_[k]->getLine() == tokens_[i]->getLine(); ++k) {
      if (type(k) != GameLexer::ForeignName) continue;
      std::string text = tokens_[k]->getText();
      size_t last = text.size() - 1;
      while (last > 0 && (static_cast<unsigned char>(text[last]) & 0xC0) == 0x80) --last;
      if ((k > i || last > 0) && typographic(decode_utf8(text, last, length))) return k;
    }
    return tokens_.size();
  }
  /// Reads tokens first..last as a text without content.
  void empty_text(TokenList& out, size_t first, size_t last) {
    auto* token = static_cast<CommonToken*>(tokens_[first].get());
    auto close = std::make_unique<CommonToken>(token);
    close->setType(GameLexer::TextClose);
    close->setStartIndex(tokens_[last]->getStopIndex());
    close->setStopIndex(tokens_[last]->getStopIndex());
    token->setStopIndex(token->getStartIndex());
    token->setType(GameLexer::TextOpen);
    out.push_back(std::move(tokens_[first]));
    out.push_back(std::move(close));
  }
  Span short_span(size_t i) const {
    Span s = span(i);
    s.end = std::min(s.end, s.begin + (tokens_[i]->getText()[0] == '#' ? 1 : 2));
    return s;
  }
  // An alien token is taken for a name, which parses in most places.
  void continue_without(TokenList& out, size_t i) {
    if (type(i) == GameLexer::ForeignName) {
      replace(i, GameLexer::LowerName, "unknown");
      out.push_back(std::move(tokens_[i]));
    }
  }

  std::string_view text_;
  const Offsets& offsets_;
  const Limits& limits_;
  diag::Emitter* emitter_;
  Sources none_;
  diag::Emitter quiet_{none_};
  TokenList tokens_;
  struct Line { uint32_t begin, indent; };
  std::vector<Line> lines_;
};

}  // namespace

Lexed lex(std::string_view text, antlr4::CharStream& input, const Offsets& offsets, const Limits& limits, diag::Emitter& emitter,
          std::vector<Word>* words) {
  return Scanner(text, offsets, limits, emitter).run(input, words);
}

std::vector<Word> words(const Sources& sources, uint32_t file) {
  std::string_view text = sources[file].text();
  std::vector<Word> out;
  uint32_t length = 0, mark = text.substr(0, 3) == "\xEF\xBB\xBF" ? 3 : 0;
  for (size_t i = 0; i < text.size(); i += length) {
    decode_utf8(text, i, length);
    if (length == 0) return out;
  }
  text.remove_prefix(mark);
  Offsets offsets(text, file, mark);
  antlr4::ANTLRInputStream input{std::string(text)};
  GameLexer lexer(&input);
  lexer.removeErrorListeners();
  for (const auto& token : lexer.getAllTokens()) out.push_back(word_of(token.get(), offsets));
  return out;
}

std::vector<std::string> comments(const Sources& sources, uint32_t file) {
  antlr4::ANTLRInputStream input{std::string(sources[file].text())};
  GameLexer lexer(&input);
  lexer.removeErrorListeners();
  std::vector<std::string> out;
  for (const auto& token : lexer.getAllTokens()) {
    if (token->getChannel() != GameLexer::COMMENTS) continue;
    std::string text = token->getText();
    size_t begin = text.find_first_not_of("/ \t");
    size_t end = text.find_last_not_of(" \t");
    out.push_back(begin == std::string::npos ? "" : text.substr(begin, end + 1 - begin));
  }
  return out;
}

}  // namespace ppc::syntax
