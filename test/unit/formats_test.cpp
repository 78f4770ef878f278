// Formats against a backtracking matcher that is written for obviousness, on formats and replies made by chance; the
// formats of the games; and grammars read back.
#include "compiler/formats/formats.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "compiler/formats/codeset.h"
#include "runtime/engine/language.h"
#include "test/forms.h"

namespace {

using namespace ppc::formats;
using ppc::ast::FormatItem;
using ppc::ast::Ident;

std::vector<uint32_t> codes_of(std::string_view text) { return decode(text).value(); }

// ---- formats as games write them ----------------------------------------------------------------------------------

struct Reader {
  std::string_view in;
  size_t at = 0;

  char peek() {
    while (at < in.size() && in[at] == ' ') ++at;
    return at < in.size() ? in[at] : '\0';
  }
  bool take(char c) { return peek() == c ? ++at, true : false; }
  void expect(char c) { if (!take(c)) throw std::runtime_error("expected " + std::string(1, c) + " at " + std::to_string(at)); }
  std::string name() {
    peek();
    std::string out;
    while (at < in.size() && (isalnum(static_cast<unsigned char>(in[at])) || in[at] == '_')) out += in[at++];
    return out;
  }
  std::string quoted() {
    expect('"');
    std::string out;
    while (in[at] != '"') {
      if (in[at] != '\\') { out += in[at++]; continue; }
      char c = in[at + 1];
      out += c == 'n' ? '\n' : c == 'r' ? '\r' : c;
      at += 2;
    }
    ++at;
    return out;
  }
  FormatItem item() {
    FormatItem item;
    item.span.begin = static_cast<uint32_t>(at);
    if (peek() == '~' || peek() == '"') {
      item.ignore_case = take('~');
      item.text = quoted();
    } else if (take('{')) {
      item.kind = FormatItem::Kind::Capture;
      item.char_class = name();
      if (take(':')) {
        item.name = Ident{item.char_class, {}};
        item.char_class = name();
      }
      if (peek() == 'w') {
        EXPECT_EQ(name(), "without");
        while (peek() == '~' || peek() == '"') {
          bool ignore = take('~');
          item.without.emplace_back(quoted(), ignore);
        }
      }
      expect('}');
    } else if (take('[')) {
      item.kind = FormatItem::Kind::Optional;
      item.branches.push_back(items());
      expect(']');
    } else {
      expect('(');
      item.kind = FormatItem::Kind::Choice;
      do item.branches.push_back(items()); while (take('|'));
      expect(')');
      if (take('*')) item.kind = FormatItem::Kind::Repeat;
    }
    item.span.end = static_cast<uint32_t>(at);
    return item;
  }
  Items items() {
    Items out;
    for (char c = peek(); c && c != ')' && c != ']' && c != '|'; c = peek()) out.push_back(item());
    return out;
  }
};

Items read(std::string_view text) {
  Reader reader{text};
  Items items = reader.items();
  EXPECT_EQ(reader.peek(), '\0') << text;
  return items;
}

struct Compiled {
  Items items;
  std::vector<CaptureInfo> captures;
  Automaton automaton;
  bool too_large = false;
  explicit Compiled(Items from) : items(std::move(from)) {
    Problem problem;
    automaton = compile(items, {2048}, captures, &problem);
    too_large = problem.message == "the format is too large";
    EXPECT_TRUE(too_large || !problem.found()) << problem.message;
  }
  explicit Compiled(std::string_view text) : Compiled(read(text)) {}
  /// The captures' texts, or nothing.
  std::optional<std::vector<std::string>> operator()(const std::string& reply) const {
    uint32_t at[2 * kMaxCaptures];
    if (!match(automaton, reply.data(), static_cast<uint32_t>(reply.size()), at)) return std::nullopt;
    std::vector<std::string> out;
    for (uint32_t k = 0; k < automaton.captures; ++k) out.push_back(reply.substr(at[2 * k], at[2 * k + 1] - at[2 * k]));
    return out;
  }
};

using Texts = std::vector<std::string>;

// ---- the reference ------------------------------------------------------------------------------------------------

struct Reference {
  std::vector<uint32_t> text;
  std::map<std::string, std::pair<size_t, size_t>> captures;
  int steps = 0;
  using Then = std::function<bool(size_t)>;

  static bool same(uint32_t a, uint32_t b, bool ignore_case) {
    static std::map<uint32_t, CodeSet> known;
    auto at = ignore_case ? known.find(a) : known.end();
    if (ignore_case && at == known.end()) at = known.emplace(a, folded(a)).first;
    return ignore_case ? at->second.contains(b) : a == b;
  }
  static const CodeSet& class_of(const std::string& name) {
    static std::map<std::string, CodeSet> known;
    auto at = known.find(name);
    return at != known.end() ? at->second : known.emplace(name, class_set(name).value()).first->second;
  }

  bool literal_at(const std::string& literal, bool ignore_case, size_t at, size_t end) const {
    const auto codes = codes_of(literal);
    if (at + codes.size() > end) return false;
    for (size_t i = 0; i < codes.size(); ++i)
      if (!same(codes[i], text[at + i], ignore_case)) return false;
    return true;
  }

  bool fits(const FormatItem& item, size_t from, size_t to) const {
    if (item.char_class == "int") {
      if (from < to && text[from] == '-') ++from;
      if (from == to) return false;
      for (size_t i = from; i < to; ++i) if (text[i] < '0' || text[i] > '9') return false;
      return true;
    }
    if (from == to && item.char_class != "text" && item.char_class != "line") return false;
    const CodeSet& set = class_of(item.char_class);
    for (size_t i = from; i < to; ++i) {
      if (!set.contains(text[i])) return false;
      for (const auto& [literal, ignore_case] : item.without)
        if (literal_at(literal, ignore_case, i, to)) return false;
    }
    return true;
  }

  bool items(const Items& all, size_t i, size_t at, const Then& then) {
    if (++steps > 100000) return false;
    if (i == all.size()) return then(at);
    return item(all[i], at, [&](size_t next) { return items(all, i + 1, next, then); });
  }

  bool item(const FormatItem& it, size_t at, const Then& then) {
    switch (it.kind) {
      case FormatItem::Kind::Literal:
        return literal_at(it.text, it.ignore_case, at, text.size()) && then(at + codes_of(it.text).size());
      case FormatItem::Kind::Capture:
        for (size_t end = text.size() + 1; end-- > at;) {
          if (!fits(it, at, end)) continue;
          if (!it.name) { if (then(end)) return true; continue; }
          auto before = captures;
          captures[it.name->name] = {at, end};
          if (then(end)) return true;
          captures = before;
        }
        return false;
      case FormatItem::Kind::Optional: return items(it.branches[0], 0, at, then) || then(at);
      case FormatItem::Kind::Choice:
        return choice(it, at, then);
      case FormatItem::Kind::Repeat:
        return choice(it, at, [&](size_t next) { return next == at ? then(at) : item(it, next, then); }) || then(at);
    }
    return false;
  }
  bool choice(const FormatItem& it, size_t at, const Then& then) {
    for (const Items& branch : it.branches) if (items(branch, 0, at, then)) return true;
    return false;
  }
};

std::string utf8(const std::vector<uint32_t>& codes, size_t from, size_t to) {
  std::string out;
  for (size_t i = from; i < to; ++i) append_utf8(out, codes[i]);
  return out;
}

// nullopt: too much backtracking to tell; empty: no match
std::optional<std::optional<Texts>> reference(const Items& items, const std::vector<CaptureInfo>& captures,
                                              const std::vector<uint32_t>& reply) {
  Reference r{reply, {}, 0};
  bool ok = r.items(items, 0, 0, [&](size_t at) { return at == reply.size(); });
  if (r.steps > 100000) return std::nullopt;
  if (!ok) return std::optional<Texts>();
  Texts out;
  for (const auto& c : captures) {
    auto at = r.captures.find(c.name);
    EXPECT_TRUE(c.optional || at != r.captures.end());
    out.push_back(at == r.captures.end() ? "" : utf8(reply, at->second.first, at->second.second));
  }
  return std::optional<Texts>(out);
}

// ---- chance -------------------------------------------------------------------------------------------------------

struct Chance {
  std::mt19937 engine;
  int names = 0;
  explicit Chance(uint32_t seed) : engine(seed) {}
  uint32_t below(uint32_t n) { return static_cast<uint32_t>(engine() % n); }

  // Few letters, so that formats and replies meet; one of each length in UTF-8, pairs that share bytes, pairs that fold.
  uint32_t code() {
    static const uint32_t codes[] = {'a', 'a', 'b', 'b', 'A', '\n', ' ', '1', '-', 's', 'S', 0x17F, 0xE9, 0xE8, 0x20AC, 0x20AD,
                                     0x1F600, 0x1F601, 0x2028, 0x3B1, 0xFFFD, 0x10FFFF};
    return codes[below(below(2) ? 9 : std::size(codes))];
  }
  std::string text(uint32_t most) {
    std::string out;
    for (uint32_t n = 1 + below(most); n--;) append_utf8(out, code());
    return out;
  }
  Items sequence(int depth, bool named) {
    Items out;
    for (uint32_t n = below(4) + (depth == 0); n--;) out.push_back(item(depth, named));
    return out;
  }
  FormatItem item(int depth, bool named) {
    FormatItem it;
    uint32_t kind = below(depth < 2 ? 10 : 7);
    if (kind < 3) {
      it.text = text(2);
      it.ignore_case = below(3) == 0;
    } else if (kind < 7) {
      static const char* classes[] = {"text", "text", "line", "line", "word", "letters", "digits", "int"};
      it.kind = FormatItem::Kind::Capture;
      it.char_class = classes[below(8)];
      if (named && below(3) && names < 6) it.name = Ident{"c" + std::to_string(names++), {}};
      if (it.char_class != "int" && below(3) == 0)
        for (uint32_t n = 1 + below(2); n--;) {
          const bool folds = below(2) == 0;  // drawn here: compilers order arguments differently
          it.without.emplace_back(text(3), folds);
        }
    } else if (kind == 7) {
      it.kind = FormatItem::Kind::Optional;
      it.branches.push_back(sequence(depth + 1, named));
    } else if (kind == 8) {
      it.kind = FormatItem::Kind::Choice;
      for (uint32_t n = 2 + below(2); n--;) it.branches.push_back(sequence(depth + 1, named));
    } else {
      it.kind = FormatItem::Kind::Repeat;
      for (uint32_t n = 1 + below(3) / 2; n--;) it.branches.push_back(sequence(depth + 1, false));
    }
    return it;
  }
};

std::string show(const Items& items) {
  std::string out;
  for (const auto& it : items) {
    out += ' ';
    auto list = [&](const char* open, const char* close) {
      out += open;
      for (size_t i = 0; i < it.branches.size(); ++i) out.append(i ? " |" : "").append(show(it.branches[i]));
      out += close;
    };
    switch (it.kind) {
      case FormatItem::Kind::Literal: out += (it.ignore_case ? "~\"" : "\"") + it.text + "\""; break;
      case FormatItem::Kind::Capture:
        out += "{" + (it.name ? it.name->name + ": " : std::string()) + it.char_class;
        for (const auto& w : it.without) out += (w.second ? " without ~\"" : " without \"") + w.first + "\"";
        out += "}";
        break;
      case FormatItem::Kind::Optional: list("[", "]"); break;
      case FormatItem::Kind::Choice: list("(", ")"); break;
      case FormatItem::Kind::Repeat: list("(", ")*"); break;
    }
  }
  return out;
}

// A reply that is likely to fit: a walk through the items.
void walk(Chance& chance, const Items& items, std::vector<uint32_t>& out) {
  for (const auto& it : items) {
    switch (it.kind) {
      case FormatItem::Kind::Literal:
        for (uint32_t c : codes_of(it.text)) {
          auto same = it.ignore_case ? folded(c) : CodeSet::single(c);
          auto range = same.ranges()[chance.below(static_cast<uint32_t>(same.ranges().size()))];
          out.push_back(range.low);
        }
        break;
      case FormatItem::Kind::Capture:
        if (it.char_class == "digits" || it.char_class == "int") { out.push_back('1'); break; }
        for (uint32_t n = chance.below(3) + (it.char_class != "text" && it.char_class != "line"); n--;)
          out.push_back(it.char_class == "letters" && chance.below(4) ? 'a' : chance.code());
        break;
      case FormatItem::Kind::Optional: if (chance.below(2)) walk(chance, it.branches[0], out); break;
      case FormatItem::Kind::Choice: walk(chance, it.branches[chance.below(static_cast<uint32_t>(it.branches.size()))], out); break;
      case FormatItem::Kind::Repeat: for (uint32_t n = chance.below(3); n--;) walk(chance, it.branches[0], out); break;
    }
  }
}

std::vector<uint32_t> some_reply(Chance& chance, const Items& items) {
  std::vector<uint32_t> reply;
  if (chance.below(4)) walk(chance, items, reply);
  else for (uint32_t n = chance.below(6); n--;) reply.push_back(chance.code());
  if (!reply.empty() && chance.below(3) == 0) reply[chance.below(static_cast<uint32_t>(reply.size()))] = chance.code();
  if (reply.size() > 12) reply.resize(12);
  return reply;
}

// ---- GBNF read back -----------------------------------------------------------------------------------------------

struct Gbnf {
  struct Node {
    enum Kind { Set, Seq, Alt, Star, Plus, Maybe, Rule } kind;
    CodeSet set;
    std::vector<int> of;
    std::string rule;
  };
  std::vector<Node> nodes;
  std::map<std::string, int> rules;
  std::string in, root;
  size_t at = 0;
  std::map<int, int> height;

  explicit Gbnf(const std::string& text) {
    size_t line = 0;
    while (line < text.size()) {
      size_t end = text.find('\n', line);
      in = text.substr(line, end - line);
      at = in.find(" ::= ");
      if (at == std::string::npos) throw std::runtime_error("no rule: " + in);
      std::string name = in.substr(0, at);
      for (char c : name) if (!isalnum(static_cast<unsigned char>(c)) && c != '-') throw std::runtime_error("rule name " + name);
      if (root.empty()) root = name;
      if (rules.count(name)) throw std::runtime_error("twice: " + name);
      at += 5;
      int node = alternatives();
      rules[name] = node;
      if (at != in.size()) throw std::runtime_error("left over in " + in + " at " + std::to_string(at));
      line = end + 1;
    }
    for (const auto& n : nodes) if (n.kind == Node::Rule && !rules.count(n.rule)) throw std::runtime_error("no rule " + n.rule);
    for (bool changed = true; changed;) {
      changed = false;
      for (int i = 0; i < static_cast<int>(nodes.size()); ++i) {
        const Node& n = nodes[i];
        int h = n.kind == Node::Alt ? 1 << 20 : 0;
        if (n.kind == Node::Rule) h = height_of(rules[n.rule]) + 1;
        if (n.kind == Node::Plus) h = height_of(n.of[0]) + 1;
        for (int c : n.of) {
          if (n.kind == Node::Seq) h = std::max(h, height_of(c) + 1);
          if (n.kind == Node::Alt) h = std::min(h, height_of(c) + 1);
        }
        if (h < height_of(i)) { height[i] = h; changed = true; }
      }
    }
  }
  int height_of(int i) { auto h = height.find(i); return h == height.end() ? 1 << 20 : h->second; }
  int add(Node n) { nodes.push_back(std::move(n)); return static_cast<int>(nodes.size()) - 1; }
  void space() { while (at < in.size() && in[at] == ' ') ++at; }
  uint32_t character() {
    if (in[at] == '\\') {
      char c = in[at + 1];
      at += 2;
      int digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
      if (digits) {
        auto code = static_cast<uint32_t>(std::stoul(in.substr(at, digits), nullptr, 16));
        at += digits;
        return code;
      }
      if (c == 'n') return '\n';
      if (c == 'r') return '\r';
      if (c == 't') return '\t';
      if (std::string("\\\"[]").find(c) == std::string::npos) throw std::runtime_error(std::string("escape ") + c);
      return static_cast<unsigned char>(c);
    }
    size_t n = 1;
    while (at + n < in.size() && (in[at + n] & 0xC0) == 0x80) ++n;
    uint32_t c = codes_of(in.substr(at, n)).at(0);
    at += n;
    return c;
  }
  int alternatives() {
    Node n{Node::Alt, {}, {}, ""};
    do { n.of.push_back(sequence()); space(); } while (at < in.size() && in[at] == '|' && ++at);
    return add(n);
  }
  int sequence() {
    Node n{Node::Seq, {}, {}, ""};
    bool some = false;
    for (space(); at < in.size() && in[at] != '|' && in[at] != ')'; space()) {
      some = true;
      if (in[at] == '"') {
        for (++at; in[at] != '"';) n.of.push_back(add({Node::Set, CodeSet::single(character()), {}, ""}));
        ++at;
      } else if (in[at] == '[') {
        bool negated = in[++at] == '^' && ++at;
        std::vector<CodeRange> ranges;
        while (in[at] != ']') {
          uint32_t low = character(), high = low;
          if (in[at] == '-' && in[at + 1] != ']') { ++at; high = character(); }
          EXPECT_LE(low, high);
          ranges.push_back({low, high});
        }
        ++at;
        CodeSet set(std::move(ranges));
        n.of.push_back(add({Node::Set, negated ? set.complement() : set, {}, ""}));
      } else if (in[at] == '(') {
        ++at;
        n.of.push_back(alternatives());
        if (at >= in.size() || in[at] != ')') throw std::runtime_error("no ) in " + in);
        ++at;
      } else {
        std::string name;
        while (at < in.size() && (isalnum(static_cast<unsigned char>(in[at])) || in[at] == '-')) name += in[at++];
        if (name.empty()) throw std::runtime_error("unexpected at " + std::to_string(at) + ": " + in);
        n.of.push_back(add({Node::Rule, {}, {}, name}));
      }
      if (at < in.size() && std::string("*+?").find(in[at]) != std::string::npos) {
        auto kind = in[at] == '*' ? Node::Star : in[at] == '+' ? Node::Plus : Node::Maybe;
        ++at;
        n.of.back() = add({kind, {}, {n.of.back()}, ""});
      } else if (in.compare(at, 3, "{1,") == 0) {
        const int once = n.of.back(), maybe = add({Node::Maybe, {}, {once}, ""});
        n.of.insert(n.of.end(), std::stoul(in.substr(at + 3)) - 1, maybe);
        at = in.find('}', at) + 1;
      }
    }
    if (!some) throw std::runtime_error("empty sequence in " + in);
    return add(n);
  }

  void sample(Chance& chance, int i, int depth, std::vector<uint32_t>& out) {
    const Node& n = nodes[i];
    switch (n.kind) {
      case Node::Set: {
        auto range = n.set.ranges()[chance.below(static_cast<uint32_t>(n.set.ranges().size()))];
        uint32_t c = chance.below(2) ? range.low : range.low + chance.below(range.high - range.low + 1);
        for (int tries = 0; tries < 20; ++tries) {
          uint32_t other = chance.code();
          if (n.set.contains(other) && chance.below(2)) c = other;
        }
        if (c >= 0xD800 && c <= 0xDFFF) c = n.set.contains(0xE000) ? 0xE000 : range.low;
        out.push_back(c);
        break;
      }
      case Node::Seq: for (int c : n.of) sample(chance, c, depth + 1, out); break;
      case Node::Alt: {
        int pick = n.of[chance.below(static_cast<uint32_t>(n.of.size()))];
        if (depth > 60) for (int c : n.of) if (height_of(c) < height_of(pick)) pick = c;
        sample(chance, pick, depth + 1, out);
        break;
      }
      case Node::Plus:
        sample(chance, n.of[0], depth + 1, out);
        [[fallthrough]];
      case Node::Star: while (depth < 60 && chance.below(2)) sample(chance, n.of[0], depth + 1, out); break;
      case Node::Maybe: if (depth < 60 && chance.below(2)) sample(chance, n.of[0], depth + 1, out); break;
      case Node::Rule: sample(chance, rules[n.rule], depth + 1, out); break;
    }
  }
  std::vector<uint32_t> sample(Chance& chance) {
    std::vector<uint32_t> out;
    sample(chance, rules[root], 0, out);
    return out;
  }

  // All places where node i can end when it begins at `from`.
  std::map<std::pair<int, size_t>, std::set<size_t>> known;
  std::set<size_t> ends(int i, size_t from, const std::vector<uint32_t>& text) {
    auto found = known.find({i, from});
    if (found != known.end()) return found->second;
    const Node& n = nodes[i];
    std::set<size_t> out;
    auto repeat = [&](std::set<size_t> front) {
      while (!front.empty()) {
        std::set<size_t> next;
        for (size_t p : front) if (out.insert(p).second) for (size_t q : ends(n.of[0], p, text)) next.insert(q);
        front = next;
      }
    };
    switch (n.kind) {
      case Node::Set: if (from < text.size() && n.set.contains(text[from])) out.insert(from + 1); break;
      case Node::Seq: {
        out = {from};
        for (int c : n.of) {
          std::set<size_t> next;
          for (size_t p : out) for (size_t q : ends(c, p, text)) next.insert(q);
          out = next;
        }
        break;
      }
      case Node::Alt: for (int c : n.of) for (size_t q : ends(c, from, text)) out.insert(q); break;
      case Node::Star: repeat({from}); break;
      case Node::Plus: repeat(ends(n.of[0], from, text)); break;
      case Node::Maybe: out = ends(n.of[0], from, text); out.insert(from); break;
      case Node::Rule: out = ends(rules[n.rule], from, text); break;
    }
    return known[{i, from}] = out;
  }
  bool accepts(const std::vector<uint32_t>& text) {
    known.clear();
    return ends(rules[root], 0, text).count(text.size()) > 0;
  }
};

// ---- tests --------------------------------------------------------------------------------------------------------

TEST(Formats, LiteralThenText) {
  Compiled clue("\"CLUE:\" {clue: text}");
  EXPECT_EQ(clue("CLUE: a fruit\nred"), Texts{" a fruit\nred"});
  EXPECT_EQ(clue("CLUE:"), Texts{""});
  EXPECT_EQ(clue("CLUE:é€😀"), Texts{"é€😀"});
  EXPECT_FALSE(clue("clue: x"));
  EXPECT_FALSE(clue("CLUE"));
  EXPECT_FALSE(clue(" CLUE: x"));
  EXPECT_FALSE(clue(""));
  // After one more byte nothing is left to decide: the scan may stop.
  EXPECT_EQ(clue.automaton.states.size(), 7u) << print(clue.automaton);
  EXPECT_EQ(clue.automaton.registers, 2u);
  bool rest = false;
  for (const auto& s : clue.automaton.states) rest |= s.rest;
  EXPECT_TRUE(rest);
}

TEST(Formats, Classes) {
  Compiled word("{w: word}");
  EXPECT_EQ(word("naïve!"), Texts{"naïve!"});
  for (const char* space : {"a b", "a\tb", "a\u00A0b", "a\u2003b", "a\u3000b", "a\u0085b", "a\x1C" "b", ""}) EXPECT_FALSE(word(space)) << space;
  Compiled letters("{w: letters}");
  EXPECT_EQ(letters("Größeнияあア語"), Texts{"Größeнияあア語"});
  for (const char* not_letters : {"", "a1", "a-b", "a b", "a\u0301", "x²", "😀"}) EXPECT_FALSE(letters(not_letters)) << not_letters;
  Compiled number("{n: int}");
  EXPECT_EQ(number("-12"), Texts{"-12"});
  EXPECT_EQ(number("0"), Texts{"0"});
  for (const char* not_int : {"", "-", "--1", "1-", "+1", "1.0", "١"}) EXPECT_FALSE(number(not_int)) << not_int;
  EXPECT_FALSE(Compiled("{n: digits}")("-1"));
  EXPECT_EQ(Compiled("{l: line}")("a\r"), Texts{"a\r"});
  EXPECT_FALSE(Compiled("{l: line}")("a\nb"));
}

TEST(Formats, CaseIsFolded) {
  Compiled guess("~\"GUESS:\" {guess: line}");
  for (const char* reply : {"GUESS:x", "guess:x", "GuEsS:x", "gueſs:x", "GUEſſ:x"}) EXPECT_EQ(guess(reply), Texts{"x"}) << reply;
  EXPECT_FALSE(guess("gueß:x"));
  EXPECT_TRUE(Compiled("~\"k\"")("\u212A"));       // the Kelvin sign
  EXPECT_TRUE(Compiled("~\"\u00E5\"")("\u212B"));  // the angstrom sign
  EXPECT_TRUE(Compiled("~\"σ\"")("ς"));
  EXPECT_TRUE(Compiled("~\"ς\"")("Σ"));
  EXPECT_FALSE(Compiled("~\"ss\"")("ß"));          // simple folding: one code point for one
  EXPECT_TRUE(Compiled("~\"ß\"")("ẞ"));
  EXPECT_FALSE(Compiled("\"s\"")("S"));
}

// stdlib-games/wordle/rules.game
const char* const kStart = "\"explanation:\" {explanation: line} {text}";
const char* const kTwoLines = "{line} [\"\\n\" {line}]";
const char* const kOneGuess = "{text without ~\"guess:\"} ~\"guess:\" {guess: line} [\"\\n\" {text without ~\"guess:\"}]";

TEST(Formats, Wordle) {
  Compiled start(kStart), lines(kTwoLines), guess(kOneGuess);
  const std::string good = "explanation: a good start\nguess: crane";
  EXPECT_EQ(start(good), Texts{" a good start"});
  EXPECT_TRUE(lines(good));
  EXPECT_EQ(guess(good), Texts{" crane"});

  EXPECT_FALSE(start("Explanation: x\nguess: crane"));
  EXPECT_FALSE(start("guess: crane\nexplanation: x"));
  EXPECT_EQ(start("explanation:"), Texts{""});
  EXPECT_EQ(start("explanation: x\n"), Texts{" x"});
  EXPECT_EQ(start("explanation: x\r\nguess: y"), Texts{" x\r"});
  EXPECT_FALSE(lines("a\nb\nc"));
  EXPECT_FALSE(lines("a\nb\n"));
  EXPECT_TRUE(lines(""));
  EXPECT_TRUE(lines("\n"));
  EXPECT_FALSE(guess("explanation: x\nguess: crane\nguess: plane"));
  EXPECT_EQ(guess("explanation: x\nguess: crane\nthat is all"), Texts{" crane"});
  EXPECT_FALSE(guess("explanation: x"));
  EXPECT_FALSE(guess(""));
  EXPECT_EQ(guess("explanation: my gueſs: hm"), Texts{" hm"});
  EXPECT_EQ(guess("explanation: x\nGUESS:\ncrane"), Texts{""});
  EXPECT_EQ(guess("explanation: x\nguess: crane\r"), Texts{" crane\r"});
  EXPECT_EQ(guess("gguessguess:x"), Texts{"x"});
  // `line` may hold the keyword again: only `without` forbids it.
  EXPECT_EQ(guess("guess: guess: x"), Texts{" guess: x"});
}

TEST(Formats, Greed) {
  EXPECT_EQ(Compiled("{a: text} {b: text}")("xyz"), (Texts{"xyz", ""}));
  EXPECT_EQ(Compiled("{a: text} \",\" {b: text}")("x,y,z"), (Texts{"x,y", "z"}));
  EXPECT_EQ(Compiled("{a: line} {b: text}")("x\ny"), (Texts{"x", "\ny"}));
  EXPECT_EQ(Compiled("{a: word} {b: word}")("xyz"), (Texts{"xy", "z"}));
  EXPECT_EQ(Compiled("{a: text without \",\"} {b: text}")("x,y"), (Texts{"x", ",y"}));
  EXPECT_EQ(Compiled("[{a: digits}] {b: text}")("12x"), (Texts{"12", "x"}));
  EXPECT_EQ(Compiled("[{a: digits}] {b: text}")("x"), (Texts{"", "x"}));
  EXPECT_EQ(Compiled("(\"a\" | \"ab\") {b: text}")("abc"), Texts{"bc"});
  EXPECT_EQ(Compiled("(\"ab\" | \"a\") {b: text}")("abc"), Texts{"c"});
  EXPECT_EQ(Compiled("(\"yes\" {r: text} | \"no\" {r: text})")("no way"), Texts{" way"});
  EXPECT_EQ(Compiled("(\"a\" | \"b\")* {r: text}")("abac"), Texts{"c"});
}

TEST(Formats, CapturesAreListed) {
  Compiled c("{a: line} [\"x\" {b: word}] (\"y\" {c: text} | \"z\" {c: line} {d: int})");
  ASSERT_EQ(c.captures.size(), 4u);
  EXPECT_EQ(c.captures[0].name, "a");
  EXPECT_FALSE(c.captures[0].optional);
  EXPECT_EQ(c.captures[1].char_class, "word");
  EXPECT_TRUE(c.captures[1].optional);
  EXPECT_FALSE(c.captures[2].optional);
  EXPECT_TRUE(c.captures[3].optional);
}

std::string problem_of(const Items& items, Limits limits = {}) {
  std::vector<CaptureInfo> captures;
  Problem problem;
  Automaton automaton = compile(items, limits, captures, &problem);
  EXPECT_EQ(problem.found(), !match(automaton, "a", 1, nullptr) && !match(automaton, "", 0, nullptr));
  return problem.message;
}

TEST(Formats, Problems) {
  EXPECT_EQ(problem_of(read("{a: text} {a: text}")), "`a` is captured twice");
  EXPECT_EQ(problem_of(read("({a: text})*")), "`a` is captured in a repetition");
  EXPECT_EQ(problem_of(read("{a: txt}")), "unknown class `txt`, expected `text`, `line`, `word`, `letters`, `digits` or `int`");
  EXPECT_EQ(problem_of(read("{a: text without \"\"}")), "`without \"\"` excludes every text");
  EXPECT_EQ(problem_of(read("{a: int without \"1\"}")), "`without` does not go with `int`");
  std::string many;
  for (int i = 0; i < 33; ++i) many += "{c" + std::to_string(i) + ": line} ";
  EXPECT_EQ(problem_of(read(many)), "a format has at most 32 captures");
  EXPECT_EQ(problem_of(read("{text} \"abc\" {text}"), {3}), "the format is too large");
  // The classical explosion: what was the 20th character from the end?
  std::string explosion = "{text} \"a\"";
  for (int i = 0; i < 20; ++i) explosion += "(\"a\" | \"b\")";
  EXPECT_EQ(problem_of(read(explosion)), "the format is too large");
  std::string captured = "{x: text} \"a\" {y: text} \"a\" {z: text} \"a\"";
  for (int i = 0; i < 12; ++i) captured += "(\"a\" | \"b\")";
  problem_of(read(captured));  // whichever: it ends
  Problem problem;
  Items large = read(explosion);
  EXPECT_FALSE(empty_intersection({&large}, {}, &problem));
  EXPECT_EQ(problem.message, "the format is too large");
  FormatItem broken;
  broken.text = "\xFF";
  EXPECT_EQ(problem_of({broken}), "a literal that is not valid UTF-8");
}

// Every byte sequence of a state's edges is checked for order, and the tables for being well-formed.
void check_tables(const Automaton& a) {
  ASSERT_TRUE(a.op_lists.at(0).empty());
  ASSERT_GE(a.registers, 2 * a.captures);
  for (const auto& list : a.op_lists)
    for (auto op : list) {
      ASSERT_LT(op.to, a.registers);
      ASSERT_TRUE(op.from == Automaton::kNow || op.from < a.registers);
    }
  for (const auto& state : a.states) {
    int last = -1;
    for (const auto& edge : state.edges) {
      ASSERT_GT(static_cast<int>(edge.low), last);
      ASSERT_LE(edge.low, edge.high);
      last = edge.high;
      ASSERT_LT(edge.next, a.states.size());
      ASSERT_LT(edge.ops, a.op_lists.size());
    }
    ASSERT_LT(state.final_ops, a.op_lists.size());
  }
}

TEST(Formats, AgreeWithBacktracking) {
  int matched = 0, unclear = 0, total = 0, too_large = 0;
  for (uint32_t seed = 0; seed < 300; ++seed) {
    Chance chance(seed);
    Items items = chance.sequence(0, true);
    Compiled compiled(items);
    check_tables(compiled.automaton);
    if (compiled.too_large) { ++too_large; continue; }
    for (int i = 0; i < 25; ++i) {
      auto reply = some_reply(chance, items);
      auto expected = reference(items, compiled.captures, reply);
      if (!expected) { ++unclear; continue; }
      ++total;
      matched += expected->has_value();
      std::string text = utf8(reply, 0, reply.size());
      ASSERT_EQ(compiled(text), *expected) << "seed " << seed << "\nformat" << show(items) << "\nreply \"" << text << "\"\n"
                                           << print(compiled.automaton);
    }
  }
  EXPECT_GT(matched, total / 4);
  EXPECT_LT(unclear, total / 50);
  EXPECT_LT(too_large, 12);  // of 300, which are stranger than what people write
}

TEST(Grammar, OfOneFormatReadsAsTheFormat) {
  auto of = [](const char* text) { Items items = read(text); return grammar({&items}); };
  EXPECT_EQ(of("\"CLUE:\" {clue: text}"), "root ::= \"CLUE:\" [^\\x00]*\n");
  EXPECT_EQ(of("\"explanation:\" {e: line} \"\\n\" \"guess:\" {w: line}"),
            "root ::= \"explanation:\" [^\\n]* \"\\nguess:\" [^\\n]*\n");
  EXPECT_EQ(of("(\"yes\" | \"no\") [\" \" {n: int}]"), "root ::= (\"yes\" | \"no\") (\" \" \"-\"? [0-9]{1,18})?\n");
  EXPECT_EQ(of("~\"as\""), "root ::= [Aa] [Ssſ]\n");
  EXPECT_EQ(of("(\"a\" \"\\\"-\\\\\")*"), "root ::= (\"a\\\"-\\\\\")*\n");
  EXPECT_EQ(of("{text without \"a\"} \"a\""), "root ::= root-1 \"a\"\nroot-1 ::= [^a]*\n");
  EXPECT_EQ(of("[]"), "root ::= (\"\")?\n");
}

TEST(Grammar, OfGamesIsTheirIntersection) {
  Items a = read(kStart), b = read(kTwoLines), c = read(kOneGuess);
  Compiled start(a), lines(b), guess(c);
  std::string text = grammar({&a, &b, &c});
  SCOPED_TRACE(text);
  Gbnf gbnf(text);
  Chance chance(1);
  for (int i = 0; i < 2000; ++i) {
    auto codes = gbnf.sample(chance);
    std::string reply = utf8(codes, 0, codes.size());
    ASSERT_TRUE(start(reply) && lines(reply) && guess(reply)) << reply;
    ASSERT_TRUE(gbnf.accepts(codes));
  }
  for (const char* reply : {"explanation: x\nguess: crane", "explanation:guess:", "explanation: the GUESS: is\nx"})
    EXPECT_TRUE(gbnf.accepts(codes_of(reply))) << reply;
  for (const char* reply : {"explanation: x", "explanation: x\nguess: a\nb", "explanation: x\n\nguess: a"})
    EXPECT_FALSE(gbnf.accepts(codes_of(reply))) << reply;
  std::string example;
  EXPECT_FALSE(empty_intersection({&a, &b, &c}, {}, nullptr, &example));
  EXPECT_TRUE(start(example) && lines(example) && guess(example)) << example;
  EXPECT_EQ(example, "explanation:guess:");
}

TEST(Grammar, FitsWhatTheFormatsFit) {
  int several = 0, empty = 0, accepted = 0, too_large = 0;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Chance chance(seed + 70000);
    std::vector<Items> formats;
    for (uint32_t n = 1 + chance.below(3); n--;) formats.push_back(chance.sequence(0, true));
    // What is likely to meet: the same format in a looser form.
    if (formats.size() > 1 && chance.below(2)) formats[1] = read(chance.below(2) ? "{text}" : "{line} [\"\\n\" {line without \"ab\"}]");
    std::vector<const Items*> all;
    std::vector<Compiled> compiled;
    for (Items& items : formats) {
      for (auto& it : items) if (it.name) it.name->name += std::to_string(compiled.size());
      compiled.emplace_back(items);
      all.push_back(&items);
    }
    Problem problem;
    std::string text = grammar(all, "root", {2048}, &problem), example;
    if (problem.message == "the format is too large" ||
        std::any_of(compiled.begin(), compiled.end(), [](const Compiled& c) { return c.too_large; })) {
      ++too_large;
      continue;
    }
    auto fits = [&](const std::string& reply) {
      for (const auto& c : compiled) if (!c(reply)) return false;
      return true;
    };
    std::string shown;
    for (const Items& items : formats) shown += "format" + show(items) + "\n";
    ASSERT_FALSE(problem.found()) << shown << problem.message;
    ASSERT_EQ(text.empty(), empty_intersection(all, {}, nullptr, &example)) << shown;
    if (text.empty()) {
      ++empty;
      for (int i = 0; i < 20; ++i) {
        auto reply = some_reply(chance, formats[chance.below(static_cast<uint32_t>(formats.size()))]);
        ASSERT_FALSE(fits(utf8(reply, 0, reply.size()))) << shown;
      }
      continue;
    }
    several += formats.size() > 1;
    ASSERT_TRUE(fits(example)) << shown << example;
    Gbnf gbnf(text);
    for (int i = 0; i < 10; ++i) {
      auto codes = gbnf.sample(chance);
      std::string reply = utf8(codes, 0, codes.size());
      ASSERT_TRUE(fits(reply)) << shown << text << "reply \"" << reply << "\"";
    }
    for (int i = 0; i < 10; ++i) {
      auto codes = some_reply(chance, formats[chance.below(static_cast<uint32_t>(formats.size()))]);
      std::string reply = utf8(codes, 0, codes.size());
      accepted += fits(reply);
      ASSERT_EQ(fits(reply), gbnf.accepts(codes)) << shown << text << "reply \"" << reply << "\"";
    }
  }
  EXPECT_LT(too_large, 10);  // of 200
  EXPECT_GT(several, 30);
  EXPECT_GT(empty, 10);
  EXPECT_GT(accepted, 300);
}

bool fits(const Replies& replies, const std::string& text) {
  uint32_t state = 0;
  for (char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const auto& edges = replies.states[state].edges;
    auto edge = std::find_if(edges.begin(), edges.end(), [&](const auto& e) { return e.low <= byte && byte <= e.high; });
    if (edge == edges.end()) return false;
    state = edge->to;
  }
  return replies.states[state].accepts;
}

bool unchanged(const std::vector<uint32_t>& codes, Unchanged by) {
  const CodeSet shown = *class_set("word");
  switch (by.by) {
    case Unchanged::By::TrimmedStart: return codes.empty() || shown.contains(codes.front());
    case Unchanged::By::TrimmedEnd: return codes.empty() || shown.contains(codes.back());
    case Unchanged::By::Lower:
      return std::all_of(codes.begin(), codes.end(), [](uint32_t c) { return !(c >= 'A' && c <= 'Z') && c != 0xC9 && c != 0x130; });
    case Unchanged::By::WithoutPunctuation: return std::none_of(codes.begin(), codes.end(), [](uint32_t c) { return c < 0x80 && ispunct(static_cast<int>(c)); });
    case Unchanged::By::Replace: return utf8(codes, 0, codes.size()).find(by.text) == std::string::npos;
  }
  return false;
}

TEST(Replies, AreWhatFitsAndStaysAsItIs) {
  using By = Unchanged::By;
  int accepted = 0, refused = 0, narrowed = 0;
  for (uint32_t seed = 0; seed < 200; ++seed) {
    Chance chance(seed + 90000);
    std::vector<Items> formats;
    for (uint32_t n = 1 + chance.below(2); n--;) formats.push_back(chance.sequence(0, true));
    if (formats.size() > 1) formats[1] = read(chance.below(2) ? "{text}" : "{line} [\"\\n\" {line}]");
    std::vector<const Items*> all;
    std::vector<Compiled> compiled;
    bool too_large = false;
    for (Items& items : formats) {
      for (auto& it : items) if (it.name) it.name->name += std::to_string(compiled.size());
      compiled.emplace_back(items);
      too_large |= compiled.back().too_large;
      all.push_back(&items);
    }
    std::vector<Unchanged> reading;
    for (By by : {By::TrimmedStart, By::TrimmedEnd, By::Lower, By::WithoutPunctuation})
      if (chance.below(5) == 0) reading.push_back({by, ""});
    if (chance.below(5) == 0) reading.push_back({By::Replace, "ab"});
    Problem problem;
    const Replies found = replies(all, reading, {}, &problem);
    if (too_large || problem.found()) continue;
    for (int i = 0; i < 20; ++i) {
      auto codes = some_reply(chance, formats[chance.below(static_cast<uint32_t>(formats.size()))]);
      const std::string reply = utf8(codes, 0, codes.size());
      const bool has_form = std::all_of(compiled.begin(), compiled.end(), [&](const Compiled& c) { return c(reply).has_value(); });
      const bool stays = std::all_of(reading.begin(), reading.end(), [&](const Unchanged& by) { return unchanged(codes, by); });
      size_t digits = 0, most = 0;
      for (char c : reply) most = std::max(most, digits = isdigit(static_cast<unsigned char>(c)) ? digits + 1 : 0);
      if (most > 18) continue;
      ASSERT_EQ(!found.states.empty() && fits(found, reply), has_form && stays) << "seed " << seed << "\n" << show(formats[0]) << "\n" << reply;
      (has_form && stays ? accepted : refused) += 1;
      narrowed += has_form && !stays;
    }
    for (const auto& state : found.states) ASSERT_LT(state.wants, found.wants.size());
  }
  EXPECT_GT(accepted, 300);
  EXPECT_GT(refused, 300);
  EXPECT_GT(narrowed, 50);
}

// ---- holes ----------------------------------------------------------------------------------------------------------

using Lists = std::map<const ppc::ast::Expr*, Texts>;

/// Puts holes in place of some literals; `filled` gets the same with what stands in them.
void dig(Chance& chance, Items& items, Items& filled) {
  filled = items;
  for (size_t i = 0; i < items.size(); ++i) {
    FormatItem& it = items[i];
    for (size_t b = 0; b < it.branches.size(); ++b) dig(chance, it.branches[b], filled[i].branches[b]);
    if (it.kind != FormatItem::Kind::Literal || it.ignore_case || chance.below(2)) continue;
    FormatItem& choice = filled[i];
    Texts texts{it.text};
    for (uint32_t n = chance.below(3); n--;) texts.push_back(chance.text(2));
    if (chance.below(4) == 0) texts.push_back("");
    std::stable_sort(texts.begin(), texts.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
    choice.kind = FormatItem::Kind::Choice;
    for (const auto& t : texts) {
      choice.branches.emplace_back(1);
      choice.branches.back()[0].text = t;
    }
    it.kind = FormatItem::Kind::Capture;
    it.char_class = "text";
    it.among = std::make_shared<ppc::ast::Expr>();
    it.text.clear();
  }
}
void lists_of(const Items& holes, const Items& filled, Lists& out) {
  for (size_t i = 0; i < holes.size(); ++i) {
    if (holes[i].among)
      for (const Items& b : filled[i].branches) out[holes[i].among.get()].push_back(b[0].text);
    else
      for (size_t b = 0; b < holes[i].branches.size(); ++b) lists_of(holes[i].branches[b], filled[i].branches[b], out);
  }
}

TEST(Holes, AreChoicesOfWhatFillsThem) {
  int matched = 0, total = 0, dug = 0;
  for (uint32_t seed = 0; seed < 400; ++seed) {
    Chance chance(seed + 5000);
    Items items = chance.sequence(0, true), filled;
    dig(chance, items, filled);
    Compiled expected(filled);
    if (expected.too_large) continue;
    Problem problem;
    const HoleProgram program = compile_with_holes(items, {}, &problem);
    ASSERT_FALSE(problem.found()) << problem.message;
    Lists lists;
    lists_of(items, filled, lists);
    dug += !program.holes.empty();
    ppc::forms::Real real(program, lists);
    ASSERT_EQ(program.captures.size(), expected.captures.size());

    const Replies part = replies_with_holes(items);
    ppc::engine::ReplyForm form;
    ppc::engine::HoleTexts texts;
    form.parts.emplace_back();
    for (const auto& s : part.states) {
      ppc::engine::Language::State state{{}, s.accepts, s.wants, {}};
      for (const auto& e : s.edges) state.edges.push_back({e.low, e.high, e.to});
      for (const auto& h : s.holes) state.holes.push_back({h.hole, h.to});
      form.parts[0].states.push_back(std::move(state));
    }
    form.parts[0].wants = part.wants;
    for (const FormatItem* hole : program.holes) {
      form.holes.push_back("{text in …}");
      texts.push_back(lists.at(hole->among.get()));
    }
    // It goes through JSON, as a manifest's does.
    ppc::engine::Language language;
    if (!part.states.empty()) language = ppc::engine::fill(ppc::engine::parse_form(ppc::engine::to_json(form)), texts);

    for (int i = 0; i < 25; ++i) {
      auto codes = some_reply(chance, filled);
      const std::string reply = utf8(codes, 0, codes.size());
      const auto found = expected(reply);
      std::optional<Texts> real_found;
      ASSERT_EQ(real.run(reply, real_found), static_cast<uint32_t>(PPC_FAULT_NONE));
      ASSERT_EQ(real_found, found) << "seed " << seed << "\nformat" << show(filled) << "\nreply \"" << reply << "\"";
      ++total;
      matched += found.has_value();
      size_t digits = 0, most = 0;
      for (char c : reply) most = std::max(most, digits = isdigit(static_cast<unsigned char>(c)) ? digits + 1 : 0);
      if (most > 18 || part.states.empty()) continue;
      uint32_t state = 0;
      for (size_t at = 0; at < reply.size() && state != UINT32_MAX; ++at) {
        const auto byte = static_cast<uint8_t>(reply[at]);
        uint32_t next = UINT32_MAX;
        for (const auto& e : language.states[state].edges)
          if (e.low <= byte && byte <= e.high) next = e.to;
        state = next;
      }
      ASSERT_EQ(state != UINT32_MAX && language.states[state].accepts, found.has_value()) << "seed " << seed << "\nformat" << show(filled) << "\nreply \"" << reply << "\"";
    }
  }
  EXPECT_GT(matched, total / 5);
  EXPECT_GT(dug, 100);
}

TEST(Replies, SayWhatIsWanted) {
  auto wants = [](const std::vector<std::string>& texts, std::vector<Unchanged> reading, const std::string& begun) {
    std::vector<Items> formats;
    for (const std::string& t : texts) formats.push_back(read(t));
    std::vector<const Items*> all;
    for (const Items& f : formats) all.push_back(&f);
    const Replies r = replies(all, reading);
    uint32_t state = 0;
    for (char c : begun)
      for (const auto& e : r.states[state].edges)
        if (e.low <= static_cast<uint8_t>(c) && static_cast<uint8_t>(c) <= e.high) { state = e.to; break; }
    return r.wants[r.states[state].wants];
  };
  EXPECT_EQ(wants({"\"CLUE:\" {clue: text}"}, {}, ""), "\"CLUE:\"");
  EXPECT_EQ(wants({"\"CLUE:\" {clue: text}"}, {}, "CLU"), "\"CLUE:\"");
  EXPECT_EQ(wants({"\"a\" {n: int} (\", \" {m: word} | ~\"end\")"}, {}, "a1"), "{n: int} or \", \" or ~\"end\"");
  EXPECT_EQ(wants({kStart, kTwoLines, kOneGuess}, {}, ""), "\"explanation:\"");
  EXPECT_EQ(wants({kStart, kTwoLines, kOneGuess}, {}, "explanation: x\nguess: y"), "{line} or the end");
  EXPECT_EQ(wants({"{text}"}, {{Unchanged::By::TrimmedEnd, ""}}, "a "), "no white space at the end");
}

TEST(Formats, WhatCannotMeetIsEmpty) {
  Items a = read("\"CLUE:\" {text}"), b = read("\"GUESS:\" {text}"), c = read("{letters}");
  EXPECT_TRUE(empty_intersection({&a, &b}));
  EXPECT_TRUE(empty_intersection({&a, &c}));
  EXPECT_FALSE(empty_intersection({&a}));
  EXPECT_EQ(grammar({&a, &b}), "");
  Items never = read("{digits without \"0\" \"1\" \"2\" \"3\" \"4\" \"5\" \"6\" \"7\" \"8\" \"9\"}");
  EXPECT_TRUE(empty_intersection({&never}));
  EXPECT_FALSE(Compiled(never)("1"));
}

TEST(Formats, Form) {
  auto of = [](const char* text) { return form(read(text)); };
  EXPECT_EQ(of("\"CLUE:\" {clue: text}"), "CLUE: <clue>");
  EXPECT_EQ(of("\"explanation:\" {explanation: line} \"\\n\" \"guess:\" {word: line}"), "explanation: <explanation>\nguess: <word>");
  EXPECT_EQ(of(kOneGuess), "…guess: <guess>[\n…]");
  EXPECT_EQ(of("\"n=\" {n: int} (\"a\" | \"b\" {word})"), "n=<n>(a | b<word>)");
  EXPECT_EQ(of("\"x:\" {w: word} (\", \" {word})*"), "x:<w>(, <word>)*");
}

}  // namespace
