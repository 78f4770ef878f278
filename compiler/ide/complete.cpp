// What may stand at a place. The words in front of it say of what sort; the game, read with a name put at the place, says which.
#include <algorithm>
#include <map>
#include <set>

#include "compiler/ide/ide.h"
#include "compiler/syntax/read.h"

namespace ppc::ide {

namespace {

using W = syntax::Word::Kind;
using K = sema::Declared::Kind;
using C = Completion::Kind;

constexpr const char* kProbe = "zz_probe";

struct Word {
  W kind;
  std::string text;
  Span span;
  bool first;  // on its line
};

/// The words in front of a place, without comments; and what the place is inside of.
struct Before {
  std::vector<Word> words;
  struct Open { char sign; size_t word; };  // '"' a text, '{', '(', '['
  std::vector<Open> open;
  size_t declaration = SIZE_MAX;  // the word that begins the declaration around the place
  bool in_text = false, in_comment = false;

  const std::string& back(size_t n) const {  // 1: the last
    static const std::string none;
    return n <= words.size() ? words[words.size() - n].text : none;
  }
  W kind(size_t n) const { return n <= words.size() ? words[words.size() - n].kind : W::Sign; }
  bool is_name(size_t n) const { return n <= words.size() && (kind(n) == W::Name || kind(n) == W::SoftKeyword); }
  std::string keyword() const { return declaration == SIZE_MAX ? "" : words[declaration].text; }
};

bool begins_declaration(const std::string& word) { return !syntax::declaration_form(word).empty(); }

Before look_before(std::string_view text, const std::vector<syntax::Word>& words, uint32_t offset) {
  Before b;
  uint32_t line = 0;
  for (const syntax::Word& w : words) {
    if (w.span.begin >= offset) break;
    if (w.kind == W::Comment) {
      b.in_comment = offset <= w.span.end;
      continue;
    }
    Word word{w.kind, std::string(text.substr(w.span.begin, w.span.end - w.span.begin)), w.span, false};
    word.first = text.substr(line, w.span.begin - line).find('\n') != std::string_view::npos || line == 0;
    line = w.span.end;
    const size_t index = b.words.size();
    auto pop = [&](auto&& wanted) {
      for (size_t k = b.open.size(); k-- > 0;)
        if (wanted(b.open[k].sign)) {
          b.open.resize(k);
          return;
        }
    };
    switch (w.kind) {
      case W::TextOpen: b.open.push_back({'"', index}); break;
      case W::TextClose: pop([](char c) { return c == '"'; }); break;
      case W::TextUnclosed:
        pop([](char c) { return c == '"'; });
        continue;
      case W::Sign:
        if (word.text == "{" || word.text == "(" || word.text == "[") b.open.push_back({word.text[0], index});
        if (word.text == "}") pop([](char c) { return c == '{'; });
        if (word.text == ")") pop([](char c) { return c == '('; });
        if (word.text == "]") pop([](char c) { return c == '['; });
        break;
      default: break;
    }
    const bool margin = w.span.begin == 0 || text[w.span.begin - 1] == '\n';
    if ((b.open.empty() || margin) && (w.kind == W::Keyword || w.kind == W::SoftKeyword) && begins_declaration(word.text) && (word.first || b.back(1) == "}")) {
      b.declaration = index;
      b.open.clear();
    }
    b.words.push_back(std::move(word));
    if (w.kind == W::Text || w.kind == W::Escape) b.in_text = offset <= w.span.end || b.in_text;
  }
  b.in_text = !b.open.empty() && b.open.back().sign == '"';
  return b;
}

bool word_char(char c) { return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// What a value in front of a `.` begins with: its name or bracket, and everything up to the dot belongs to it. SIZE_MAX: none.
size_t receiver_begin(const Before& b) {
  size_t i = b.words.size();
  if (i < 2 || b.words[i - 1].text != ".") return SIZE_MAX;
  --i;  // the dot
  for (;;) {
    if (i == 0) return SIZE_MAX;
    const Word& w = b.words[i - 1];
    size_t begin;
    if (w.text == ")" || w.text == "]" || w.text == "}" || w.kind == W::TextClose) {
      // To its partner.
      int depth = 0;
      size_t k = i;
      while (k > 0) {
        const Word& v = b.words[--k];
        if (v.kind == W::TextClose || (v.kind == W::Sign && (v.text == ")" || v.text == "]" || v.text == "}"))) ++depth;
        if (v.kind == W::TextOpen || (v.kind == W::Sign && (v.text == "(" || v.text == "[" || v.text == "{"))) --depth;
        if (depth == 0) break;
      }
      if (depth != 0) return SIZE_MAX;
      begin = k;
      // `f(…)`, `x[…]`: what is called or indexed belongs to it.
      if (w.kind != W::TextClose && w.text != "}" && k > 0) {
        const Word& v = b.words[k - 1];
        bool joined = v.span.end == b.words[k].span.begin;
        if (joined && (v.kind == W::Name || v.kind == W::SoftKeyword)) begin = k - 1;
        else if (joined && (v.text == ")" || v.text == "]")) {
          i = k;
          continue;
        }
      }
    } else if (w.kind == W::Name || w.kind == W::SoftKeyword || w.kind == W::Number || w.text == "or") {
      begin = i - 1;
    } else {
      return SIZE_MAX;
    }
    if (begin > 0 && b.words[begin - 1].text == ".") {
      i = begin - 1;
      continue;
    }
    return begin;
  }
}

class Completer {
 public:
  Completer(const Analysis& a, const Before& before, uint32_t file, uint32_t offset) : a_(a), b_(before), file_(file), offset_(offset) {}

  std::vector<Completion> run() {
    const std::string& last = b_.back(1);
    if (last == "ask" || last == "tell" || last == "brief" || last == "reward") players(last == "ask" ? "asked" : last == "reward" ? "" : "told");
    else if (last == "say" && b_.keyword() != "bot") players("scripted");
    else if (last == "by" || last == "secret" || in_player_list()) players("");
    else if (last == "bot" && b_.declaration == b_.words.size() - 1) players("asked");
    else if (last == "for" && is_ask()) moves();
    else if (last == "use") add(C::Library, "english", "", sema::describe("english"));
    else if (in_use()) library();
    else if (in_format_piece()) classes();
    else if (wants_type()) types();
    else if (b_.declaration == SIZE_MAX || (b_.open.empty() && ends_declaration())) declarations();
    else if (in_fields()) field_words();
    else if (b_.open.empty()) header_words();
    else if (statement_begins()) statements(), values();
    else if (b_.is_name(1) && b_.back(2) == "ask") keywords({"for", "aside"});
    else if (value_ended() && !value_follows()) followers();
    else values();
    return take();
  }

  /// The members of a value of this type.
  std::vector<Completion> members(sema::TypeId type) {
    const sema::TypeTable& t = a_.names().game->types;
    if (t[type].kind == sema::Kind::Record) {
      for (size_t i = 0; i < t[type].names.size(); ++i) {
        std::string own = t[type].names[i] == "said" || t[type].names[i] == "accepted" ? sema::describe(t[type].names[i]) : "";
        add(C::Field, t[type].names[i], t.print(t[type].args[i]), own);
      }
    }
    const bool statement = statement_context();
    for (const sema::Row& row : sema::rows()) {
      if (row.form == sema::Row::Form::Function || (row.form == sema::Row::Form::Change && !statement)) continue;
      sema::Bindings bound;
      if (sema::matches(t, row.params[0], type, bound))
        add(C::Method, row.name, sema::signature(row) + (*row.result ? std::string(" -> ") + row.result : ""), sema::describe(row));
    }
    if (t[type].kind == sema::Kind::Text) add(C::Method, "fill", "fill(text = value, …) -> text", sema::describe(std::string("fill")));
    return take();
  }

  std::vector<Completion> enum_values(const sema::Declared& d) {
    if (d.type != UINT32_MAX)
      for (const std::string& name : a_.names().game->types[d.type].names) add(C::EnumValue, name, d.name, "");
    return take();
  }

 private:
  void add(C kind, const std::string& label, std::string detail, std::string doc) {
    if (label != kProbe && !label.empty() && seen_.insert(label).second) out_.push_back({kind, label, std::move(detail), std::move(doc)});
  }
  std::vector<Completion> take() { return std::move(out_); }
  void keyword(const std::string& word) {
    std::string form = syntax::statement_form(word);
    add(C::Keyword, word, form == word ? "" : form, "");
  }
  void keywords(std::initializer_list<const char*> list) {
    for (const char* w : list) keyword(w);
  }
  void declared(C kind, const sema::Declared& d) {
    Description text = describe(a_, d);
    std::string doc = text.doc;
    for (const std::string& n : text.notes) doc += (doc.empty() ? "" : "\n") + n;
    add(kind, d.name, text.code.substr(0, text.code.find('\n')), doc);
  }

  // ---- where ----------------------------------------------------------------------------------------------------------

  bool statement_context() const {
    size_t begin = receiver_begin(b_);
    if (begin == SIZE_MAX || begin == 0) return false;
    const Word& w = b_.words[begin - 1];
    return b_.words[begin].first || w.text == "{" || w.text == "}" || w.text == ";";
  }
  bool in_player_list() const {
    // `by a, `, `secret a, `
    size_t n = 1;
    if (b_.back(1) != ",") return false;
    while (b_.back(n) == "," && b_.is_name(n + 1)) n += 2;
    return b_.back(n) == "by" || b_.back(n) == "secret";
  }
  bool is_ask() const {
    // `ask P for`, `ask P aside E for`
    if (b_.is_name(2) && b_.back(3) == "ask") return true;
    for (size_t n = 2; n < 200 && n <= b_.words.size(); ++n) {
      const std::string& w = b_.back(n);
      if (w == "aside") return b_.is_name(n + 1) && b_.back(n + 2) == "ask";
      if (w == "let" || w == "var" || w == "tell" || w == "{" || w == ";") return false;
    }
    return false;
  }
  bool in_use() const { return b_.keyword() == "use" && !b_.open.empty() && b_.open.back().sign == '('; }
  bool in_format_piece() const {
    if (b_.keyword() != "move" || b_.open.empty() || b_.open.back().sign != '{' || b_.open.size() < 2) return false;
    const size_t brace = b_.open.back().word;
    // `{ name :` or `{`, behind a piece or `format`
    size_t inside = b_.words.size() - brace - 1;
    if (inside != 0 && !(inside == 2 && b_.back(1) == ":")) return false;
    for (size_t i = brace; i-- > 0;) {
      const Word& w = b_.words[i];
      if (w.text == "format" || w.text == "aim") return true;
      if (w.kind == W::TextOpen || w.kind == W::TextClose || w.kind == W::Text || w.kind == W::Escape) continue;
      static const char* const pieces[] = {"~", "{", "}", "[", "]", "(", ")", "|", "*", ":", "without"};
      if (std::find(std::begin(pieces), std::end(pieces), w.text) != std::end(pieces)) continue;
      if (w.kind == W::Name || w.kind == W::SoftKeyword) continue;
      return false;
    }
    return false;
  }
  bool wants_type() const {
    const std::string& last = b_.back(1);
    const std::string decl = b_.keyword();
    if (last == "->") return decl == "fn" && b_.open.empty();
    if (last == "as") return in_let();
    if (last == "<" && (b_.back(2) == "set" || b_.back(2) == "map")) return true;
    if (last == "," && b_.is_name(2) && b_.back(3) == "<" && b_.back(4) == "map") return true;
    size_t n = 1;
    while (b_.back(n) == "[" || b_.back(n) == "(") ++n;  // `: [`
    if (b_.back(n) != ":" || !b_.is_name(n + 1)) return false;
    if (b_.back(n + 2) == "let" || b_.back(n + 2) == "var" || b_.back(n + 2) == "resource") return true;
    if ((decl == "fn" || decl == "step") && (b_.back(n + 2) == "(" || b_.back(n + 2) == ",")) {
      // The brackets behind its name, not a call's.
      for (const Before::Open& o : b_.open)
        if (o.sign == '(' && o.word == b_.declaration + 2) return true;
      return false;
    }
    return in_fields();
  }
  bool in_let() const {
    for (size_t n = 2; n < 100 && n <= b_.words.size(); ++n) {
      if (b_.back(n) == "let" || b_.back(n) == "var") return true;
      if (b_.back(n) == "{" || b_.back(n) == "}") return false;
    }
    return false;
  }
  bool in_fields() const {
    const std::string decl = b_.keyword();
    if (decl == "instance" || decl == "state" || decl == "record" || decl == "experiment") return b_.open.size() >= 1;
    return decl == "bot" && b_.open.size() >= 2 && b_.open[1].word > 0 && b_.words[b_.open[1].word - 1].text == "memory";
  }
  bool ends_declaration() const {
    // A block has ended, or the place begins a line behind something complete.
    const Word& w = b_.words.back();
    if (w.text == "}") return true;
    return new_line() && (w.kind == W::Name || w.kind == W::SoftKeyword || w.kind == W::Number || w.kind == W::TextClose || w.text == ")" || w.text == "]");
  }
  bool new_line() const {
    std::string_view text = a_.sources()[file_].text();
    uint32_t from = b_.words.empty() ? 0 : b_.words.back().span.end;
    return text.substr(from, offset_ - from).find('\n') != std::string_view::npos;
  }
  bool value_ended() const {
    if (b_.words.empty()) return false;
    const Word& w = b_.words.back();
    if (w.kind == W::Name || w.kind == W::Number || w.kind == W::TextClose) return true;
    if (w.kind == W::Sign) return w.text == ")" || w.text == "]" || w.text == "}";
    return w.text == "true" || w.text == "false" || w.text == "none" || w.text == "nan";
  }
  /// Behind `tell P`, `note "key"` stands a value.
  bool value_follows() const {
    const std::string& before = b_.back(2);
    if (b_.is_name(1) && (before == "tell" || before == "brief" || before == "reward" || (before == "say" && b_.keyword() != "bot"))) return true;
    if (b_.kind(1) != W::TextClose) return false;
    size_t n = 2;
    while (n < 10 && b_.kind(n) != W::TextOpen) ++n;
    return b_.back(n + 1) == "note";
  }
  bool statement_begins() const {
    if (b_.open.back().sign != '{') return false;
    const Word& w = b_.words.back();
    const size_t brace = b_.open.back().word;
    if (brace > 0) {  // the brace of a set, a map or an interpolation begins no block
      const Word& v = b_.words[brace - 1];
      if (v.kind == W::TextOpen || v.kind == W::Text || v.kind == W::Escape) return false;
      static const char* const values[] = {"=", "(", "[", ",", "in", "==", "!=", "|", "&", "+", "-", "return"};
      if (std::find(std::begin(values), std::end(values), v.text) != std::end(values)) return false;
    }
    if (w.text == "{" || w.text == ";" || w.text == "}" || w.text == "else" || w.text == "then" || w.text == "pass" || w.text == "break") return true;
    return new_line() && value_ended();
  }

  // ---- what -----------------------------------------------------------------------------------------------------------

  void players(const std::string& which) {
    for (const sema::Declared& d : a_.names().declared) {
      if (d.kind != K::Player || d.index >= a_.names().game->players.size()) continue;
      const bool scripted = a_.names().game->players[d.index].scripted;
      if ((which == "asked" && scripted) || (which == "scripted" && !scripted)) continue;
      declared(C::Player, d);
    }
  }
  void moves() {
    // Those of the player that is asked first.
    std::string who;
    for (size_t n = 2; n <= b_.words.size() && n < 200; ++n)
      if (b_.back(n) == "ask") {
        who = b_.back(n - 1);
        break;
      }
    const sema::Game& game = *a_.names().game;
    for (bool theirs : {true, false})
      for (const sema::Declared& d : a_.names().declared) {
        if (d.kind != K::Move) continue;
        bool may = false;
        for (size_t p = 0; p < game.players.size(); ++p) may |= game.players[p].name == who && (game.moves[d.index].players >> p & 1);
        if (may == theirs) declared(C::Move, d);
      }
  }
  void library() {
    for (const sema::Row& row : sema::rows())
      if (row.library) add(C::Function, row.name, "", sema::describe(row));
  }
  void classes() {
    for (const char* c : {"text", "line", "word", "letters", "digits", "int"})
      add(C::Class, c, "class of characters", std::string(c) == "text" ? "Any characters." : std::string(c) == "int" ? "A whole number." : sema::describe(std::string(c)));
  }
  void types() {
    for (const char* t : {"int", "float", "bool", "text", "regex", "document", "set", "map"}) add(C::Type, t, "", sema::describe(std::string(t)));
    for (const sema::Declared& d : a_.names().declared) {
      if (d.kind == K::Record || d.kind == K::Grammar) declared(C::Record, d);
      if (d.kind == K::Enum) declared(C::Enum, d);
      if (d.kind == K::Move) declared(C::Move, d);
      if (d.kind == K::Predicate) add(C::Type, "fact", "", sema::describe(std::string("fact")));
    }
  }
  void declarations() {
    for (const std::string& w : syntax::keywords())
      if (begins_declaration(w)) add(C::Keyword, w, syntax::declaration_form(w), "");
    if (b_.declaration != SIZE_MAX && value_ended()) keywords({"secret"});
  }
  void field_words() {
    const std::string& last = b_.back(1);
    if (last == "=" || last == "(" || last == "[" || last == ",") return values();
    if (value_ended() || last == "?" || last == ">") keywords({"from", "secret", "max"});
  }
  void header_words() {
    const std::string decl = b_.keyword();
    if (decl == "player") return keywords({"as", "scripted"});
    if (decl == "move") return keywords({"by"});
    if (decl == "metric" || decl == "key" || decl == "fn" || decl == "resource") {
      if (value_ended()) followers();
      else values();
      if (decl == "resource") keywords({"secret"});
      if (decl == "metric") keywords({"at", "in"});
    }
  }
  void statements() {
    const std::string decl = b_.keyword();
    if (decl == "generate") keywords({"let", "var", "if", "for", "repeat", "experiment", "instances", "resource"});
    else if (decl == "fn") keywords({"let", "var", "if", "for", "repeat", "break", "return", "expect", "forbid"});
    else if (decl == "bot") keywords({"let", "var", "if", "for", "repeat", "break", "say", "memory"});
    else if (decl == "move") keywords({"read", "format", "aim", "expect", "forbid", "let", "note", "for", "if", "gives", "abort", "lose", "win", "retry", "pass",
                                       "tell", "reward"});
    else keywords({"let", "var", "if", "for", "round", "repeat", "together", "break", "ask", "tell", "brief", "say", "note", "reward", "win", "lose", "abort"});
    for (const sema::Declared& d : a_.names().declared)
      if (d.kind == K::Step && (decl == "play" || decl == "step" || decl == "move")) declared(C::Step, d);
  }
  void followers() {
    keywords({"and", "or", "in", "not", "is", "div", "mod"});
    const std::string decl = b_.keyword();
    for (size_t n = 1; n <= 60 && n <= b_.words.size(); ++n) {
      const std::string& w = b_.back(n);
      if (w == "if") keywords({"then", "else"});
      if (w == "for") keywords({"where", "if", "for"});
      if (w == "let" || w == "var") keywords({"as", "else"});
      if (w == "format" || w == "expect" || w == "forbid") keywords({"else"});
      if (w == "format" || w == "aim") keywords({"without"});
      if (w == "retry") keywords({"tell", "then"});
      if (w == "ask") keywords({"aside", "for"});
      if (w == "brief") keywords({"answered"});
      if (w == "win" || w == "lose") keywords({"score"});
      if (w == "instances") keywords({"as"});
      if (w == "any" || w == "all") keywords({"in"});
      if (syntax::statement_form(w).size() > 1 && b_.words[b_.words.size() - n].first) break;
    }
    if (b_.back(1) == "}") keywords({"else"});
  }

  void values() {
    const std::string decl = b_.keyword();
    const std::string& last = b_.back(1);
    if (last == "repeat") return keywords({"at"});
    if (last == "at" && b_.back(2) == "repeat") return keywords({"most"});
    // Local names first, the innermost before others.
    std::vector<const Visible*> local;
    for (const Visible& v : a_.visible())
      if (v.name.file == file_ && v.range.begin <= offset_ && offset_ <= v.range.end) local.push_back(&v);
    std::sort(local.begin(), local.end(), [](auto* x, auto* y) {
      return std::pair(x->range.begin, y->name.begin) > std::pair(y->range.begin, x->name.begin);
    });
    for (const Visible* v : local) {
      const sema::Declared* d = a_.declared_at(v->name);
      if (d) declared(d->kind == K::Memory || d->kind == K::Resource ? C::Field : C::Variable, *d);
      else if (const Origin* o = a_.origin_of(v->name)) add(C::Variable, std::string(a_.sources()[file_].text().substr(v->name.begin, v->name.end - v->name.begin)), o->param ? "parameter" : "", "");
    }
    for (const sema::Declared& d : a_.names().declared) {
      const bool field = d.kind == K::Experiment || d.kind == K::Instance;
      if (field && (decl != "generate" || statement_begins())) declared(C::Field, d);
      if (d.kind == K::State && decl != "generate") declared(C::Field, d);
      // Resources of a generator are local names; they have been added where they are known.
      const Origin* o = d.kind == K::Resource ? a_.origin_of(d.span) : nullptr;
      if (d.kind == K::Resource && !(o && o->statement)) declared(C::Field, d);
      if (d.kind == K::Function || d.kind == K::Predicate) declared(C::Function, d);
      if (d.kind == K::Enum) declared(C::Enum, d);
      if (d.kind == K::Record || d.kind == K::Grammar) declared(C::Record, d);
      if (d.kind == K::Library) declared(C::Function, d);
    }
    if (decl == "move") add(C::Variable, "said", "text", sema::describe(std::string("said")));
    if (decl == "bot") add(C::Variable, "heard", "text", sema::describe(std::string("heard")));
    if (decl == "metric" || decl == "key" || decl == "fn")
      for (const char* w : {"rounds", "requests", "requests_parsed", "requests_violated", "won", "lost", "aborted", "score"})
        add(C::Variable, w, "", sema::describe(std::string(w)));
    if (decl == "metric" || decl == "key" || decl == "fn") add(C::Keyword, "notes", "notes \"KEY\"", sema::describe(std::string("notes")));
    const bool chance = decl == "play" || decl == "step" || decl == "bot" || decl == "generate";
    for (const sema::Row& row : sema::rows())
      if (row.form == sema::Row::Form::Function && !row.library && (chance || !row.chance))
        add(C::Function, row.name, sema::signature(row) + " -> " + row.result, sema::describe(row));
    add(C::Function, "parse", "parse(text) -> GRAMMAR?", sema::describe(std::string("parse")));
    add(C::Function, "json", "json(text) -> T?", sema::describe(std::string("json")));
    add(C::Function, "literal", "literal(text) -> T?", sema::describe(std::string("literal")));
    keywords({"if", "match", "any", "all", "not", "true", "false", "none", "nan", "reveal"});
  }

  const Analysis& a_;
  const Before& b_;
  uint32_t file_, offset_;
  std::vector<Completion> out_;
  std::set<std::string> seen_;
};

/// The game as it is read when a file of it has this text.
std::unique_ptr<Analysis> with(const std::string& path, const Instead& instead, const std::filesystem::path& whole, const std::string& text) {
  return std::make_unique<Analysis>(path, [&](const std::filesystem::path& p) -> std::optional<std::string> {
    if (p == whole) return text;
    return instead ? instead(p) : std::nullopt;
  });
}

}  // namespace

Completions complete(const std::string& path, const Instead& instead, const std::filesystem::path& whole, uint32_t offset) {
  Completions out;
  std::optional<std::string> now = instead ? instead(whole) : std::nullopt;
  std::string why;
  const syntax::Limits limits;
  if (!now) now = syntax::read_text(whole.string(), limits.bytes, why);
  if (!now || now->size() > limits.bytes) return out;
  const std::string text = std::move(*now);
  offset = std::min<uint32_t>(offset, static_cast<uint32_t>(text.size()));
  uint32_t begin = offset;
  while (begin > 0 && word_char(text[begin - 1])) --begin;
  out.replaced = {0, begin, offset};
  Sources alone;
  alone.add(whole.string(), text);
  Before before = look_before(text, syntax::words(alone, 0), begin);
  if (before.in_comment || before.in_text || (begin < offset && text[begin] >= '0' && text[begin] <= '9')) return out;

  // A name in place of what stands there, so that what is around it can be read.
  uint32_t end = offset;
  while (end < text.size() && word_char(text[end])) ++end;
  std::string probed = text.substr(0, begin) + kProbe + text.substr(end);
  if (begin > 0 && word_char(probed[begin - 1])) return out;
  std::unique_ptr<Analysis> a = with(path, instead, whole, probed);
  std::optional<uint32_t> file = a->file_of(whole);
  if (!file) return out;
  out.replaced.file = *file;
  if (before.back(1) != ".") {
    out.items = Completer(*a, before, *file, begin).run();
    return out;
  }
  const size_t first = receiver_begin(before);
  if (first == SIZE_MAX) return out;
  const Span value{*file, before.words[first].span.begin, before.words[before.words.size() - 2].span.end};
  auto members = [&](const Analysis& from, Span receiver) {
    Completer completer(from, before, *file, begin);
    if (first + 2 == before.words.size())
      for (const sema::Declared& d : from.names().declared)
        if (d.kind == K::Enum && d.name == before.words[first].text) return completer.enum_values(d);
    sema::TypeId type = from.type_of(receiver);
    return type == UINT32_MAX ? std::vector<Completion>() : completer.members(type);
  };
  out.items = members(*a, value);
  if (!out.items.empty()) return out;
  // The statement around it does not parse: in its place one that does.
  size_t start = first;
  while (start > 0 && !before.words[start].first) --start;
  const uint32_t from = before.words[start].span.begin;
  const std::string let = "let zz_value = ";
  std::string replaced = probed.substr(0, from) + let + text.substr(value.begin, begin - value.begin) + kProbe + "\n" + text.substr(end);
  a = with(path, instead, whole, replaced);
  file = a->file_of(whole);
  if (!file) return out;
  const uint32_t moved = from + static_cast<uint32_t>(let.size());
  out.items = members(*a, {*file, moved, moved + (value.end - value.begin)});
  return out;
}

}  // namespace ppc::ide
