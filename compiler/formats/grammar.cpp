// GBNF, the grammar syntax of llama.cpp. One format is printed along its items; several, by their intersection's automaton
// as right-linear rules. Only escapes that every version of llama.cpp reads: \n \r \t \\ \" \[ \] \x00 \u0000 \U00000000.
#include <unicode/uchar.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "compiler/formats/formats.h"
#include "compiler/formats/nfa.h"

namespace ppc::formats {
namespace {

using ast::FormatItem;

std::string escaped(uint32_t c, bool in_set) {
  switch (c) {
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    case '\\': return "\\\\";
    case '"': return in_set ? "\"" : "\\\"";
    case '[': return in_set ? "\\[" : "[";
    case ']': return in_set ? "\\]" : "]";
    case '-': return in_set ? "\\x2D" : "-";
    case '^': return in_set ? "\\x5E" : "^";
  }
  std::string out;
  constexpr uint32_t kShown = U_GC_L_MASK | U_GC_N_MASK | U_GC_P_MASK | U_GC_S_MASK;
  if ((c >= 0x20 && c < 0x7F) || (c > 0x7F && (U_GET_GC_MASK(static_cast<UChar32>(c)) & kShown))) {
    append_utf8(out, c);
    return out;
  }
  char text[16];
  std::snprintf(text, sizeof text, c < 0x80 ? "\\x%02X" : c < 0x10000 ? "\\u%04X" : "\\U%08X", static_cast<unsigned>(c));
  return text;
}

std::string range_text(CodeRange r) {
  std::string out = escaped(r.low, true);
  if (r.high > r.low + 1) out += '-';
  if (r.high > r.low) out += escaped(r.high, true);
  return out;
}

std::string set_text(const CodeSet& set) {
  // The whole of Unicode can't be written but as "not this one"; no model writes U+0000.
  if (set == CodeSet::any()) return "[^\\x00]";
  const CodeSet others = set.complement();
  const bool negated = set.contains(kMaxCodePoint) && others.ranges().size() <= set.ranges().size();
  std::string out = negated ? "[^" : "[";
  for (CodeRange r : (negated ? others : set).ranges()) out += range_text(r);
  return out + "]";
}

/// A sequence of pieces in which neighbouring characters become one literal.
class Sequence {
 public:
  void character(uint32_t c) {
    literal_ += escaped(c, false);
    open_ = true;
  }
  void piece(const std::string& text) {
    flush();
    if (text.empty()) return;
    if (!out_.empty()) out_ += ' ';
    out_ += text;
  }
  std::string take() {
    flush();
    return std::move(out_);
  }

 private:
  void flush() {
    if (!open_) return;
    if (!out_.empty()) out_ += ' ';
    out_ += '"';
    out_ += literal_;
    out_ += '"';
    literal_.clear();
    open_ = false;
  }
  std::string out_, literal_;
  bool open_ = false;
};

class Writer {
 public:
  Writer(std::string_view root, Limits limits) : root_(root), limits_(limits) {}

  std::string format(const Items& items) {
    rule(root_, sequence(items));
    return finish();
  }

  std::string language(const Language& language) {
    rule(root_, automaton(language));
    return finish();
  }

 private:
  void rule(const std::string& name, const std::string& body) { rules_.emplace_back(name, body.empty() ? "\"\"" : body); }

  // The root comes first, the others in the order in which they were begun.
  std::string finish() {
    std::string root, others;
    for (const auto& [name, body] : rules_) (name == root_ ? root : others).append(name).append(" ::= ").append(body).append("\n");
    return root + others;
  }

  std::string fresh() { return root_ + "-" + std::to_string(++count_); }

  std::string set(const CodeSet& codes) {
    if (std::min(codes.ranges().size(), codes.complement().ranges().size()) <= 12) return set_text(codes);
    auto [at, is_new] = named_sets_.emplace(codes, "");
    if (is_new) {
      at->second = codes == *class_set("letters") ? root_ + "-letter" : fresh();
      rule(at->second, set_text(codes));
    }
    return at->second;
  }

  // ---- one format ----

  std::string sequence(const Items& items) {
    Sequence out;
    for (const FormatItem& item : items) append(out, item);
    return out.take();
  }

  std::string alternatives(const std::vector<Items>& branches) {
    std::string out = "(";
    for (size_t i = 0; i < branches.size(); ++i) {
      std::string branch = sequence(branches[i]);
      if (i) out += " | ";
      out += branch.empty() ? "\"\"" : branch;
    }
    out += ")";
    return out;
  }

  void append(Sequence& out, const FormatItem& item) {
    switch (item.kind) {
      case FormatItem::Kind::Literal: {
        const auto codes = decode(item.text);
        if (!codes) fail("a literal that is not valid UTF-8", item.span);
        for (uint32_t c : *codes) {
          const CodeSet same = item.ignore_case ? folded(c) : CodeSet::single(c);
          if (same.size() == 1) out.character(c);
          else out.piece(set(same));
        }
        break;
      }
      case FormatItem::Kind::Capture: {
        const auto codes = class_set(item.char_class);
        if (!item.without.empty()) out.piece(excluding(item));
        else if (item.char_class == "int") out.piece("\"-\"? [0-9]{1,18}");  // more may be no `int`, which breaks the format
        else if (codes) out.piece(set(*codes) + (nullable(item) ? "*" : "+"));
        break;
      }
      case FormatItem::Kind::Optional: out.piece(alternatives(item.branches) + "?"); break;
      case FormatItem::Kind::Choice: out.piece(alternatives(item.branches)); break;
      case FormatItem::Kind::Repeat:
        // To repeat what may be empty is a left recursion to llama.cpp.
        if (std::any_of(item.branches.begin(), item.branches.end(), [](const Items& b) { return nullable(b); }))
          out.piece(by_automaton(item));
        else out.piece(alternatives(item.branches) + "*");
        break;
    }
  }

  std::string excluding(const FormatItem& item) {
    std::string key = item.char_class;
    for (const auto& [text, ignore_case] : item.without) key += (ignore_case ? "\n~" : "\n=") + std::to_string(text.size()) + text;
    auto [at, is_new] = excluding_.emplace(key, "");
    if (is_new) at->second = by_automaton(item);
    return at->second;
  }

  std::string by_automaton(const FormatItem& item) {
    const Items alone{item};
    const std::string name = fresh();
    const size_t at = rules_.size();
    rule(name, "");
    const Language part = intersect({&alone}, limits_);
    // Nothing fits (a class whose every character is excluded); the caller has seen to it that this can't be.
    std::string body = part.states.empty() ? "" : automaton(part);
    rules_[at].second = body.empty() ? "\"\"" : body;
    return name;
  }

  // ---- an automaton ----

  // A state that is entered from one place only is written there; others get a rule.
  std::string automaton(const Language& language) {
    std::vector<uint32_t> entries(language.states.size());
    for (uint32_t s = 0; s < language.states.size(); ++s)
      for (const auto& edge : language.states[s].edges) entries[edge.to] += edge.to != s;
    ++entries[0];
    std::vector<std::string> names(language.states.size());
    std::vector<uint32_t> todo;
    auto name_of = [&](uint32_t s) {
      if (names[s].empty()) {
        names[s] = fresh();
        todo.push_back(s);
        rule(names[s], "");
      }
      return names[s];
    };
    const bool start_again = entries[0] > 1;
    if (start_again) name_of(0);
    std::string first = start_again ? names[0] : state(language, 0, entries, name_of, 0);
    while (!todo.empty()) {
      const uint32_t s = todo.back();
      todo.pop_back();
      std::string body = state(language, s, entries, name_of, 0);
      auto of = std::find_if(rules_.begin(), rules_.end(), [&](const auto& r) { return r.first == names[s]; });
      of->second = body.empty() ? "\"\"" : body;
    }
    return first;
  }

  template <class Name>
  std::string state(const Language& language, uint32_t s, const std::vector<uint32_t>& entries, Name& name_of, int depth) {
    Sequence out;
    // A run of states with one way on is one sequence.
    for (;;) {
      const auto& state_s = language.states[s];
      std::vector<const Language::Edge*> ways;
      for (const auto& edge : state_s.edges) {
        if (edge.to == s) out.piece(set(edge.chars) + "*");
        else ways.push_back(&edge);
      }
      if (ways.empty()) return out.take();
      auto inlined = [&](uint32_t to) { return entries[to] == 1 && depth < 100; };
      if (ways.size() == 1 && !state_s.accepts) {
        read(out, ways[0]->chars);
        s = ways[0]->to;
        if (inlined(s)) continue;
        out.piece(is_end(language, s) ? "" : name_of(s));
        return out.take();
      }
      std::string alternatives = "(";
      for (const auto* way : ways) {
        Sequence one;
        read(one, way->chars);
        if (!is_end(language, way->to))
          one.piece(inlined(way->to) ? state(language, way->to, entries, name_of, depth + 1) : name_of(way->to));
        if (alternatives.size() > 1) alternatives += " | ";
        alternatives += one.take();
      }
      alternatives += state_s.accepts ? ")?" : ")";
      out.piece(alternatives);
      return out.take();
    }
  }

  static bool is_end(const Language& language, uint32_t s) { return language.states[s].edges.empty(); }

  void read(Sequence& out, const CodeSet& chars) {
    if (chars.size() == 1) out.character(chars.ranges()[0].low);
    else out.piece(set(chars));
  }

  std::string root_;
  Limits limits_;
  uint32_t count_ = 0;
  std::vector<std::pair<std::string, std::string>> rules_;
  std::map<CodeSet, std::string> named_sets_;
  std::map<std::string, std::string> excluding_;
};

void report(Failure& failure, const std::vector<const Items*>& formats, Problem* problem) {
  if (!problem) return;
  *problem = std::move(failure.problem);
  if (problem->span == Span{} && !formats.empty() && !formats[0]->empty())
    problem->span = {formats[0]->front().span.file, formats[0]->front().span.begin, formats[0]->back().span.end};
}

// The nicest character of a set to show in an example.
uint32_t sample(const CodeSet& set) {
  for (CodeRange nice : {CodeRange{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {0x21, 0x7E}, {' ', ' '}, {0xA1, 0xD7FF}}) {
    const CodeSet both = set.intersected(CodeSet{nice});
    if (!both.empty()) return both.ranges()[0].low;
  }
  return set.ranges()[0].low;
}

}  // namespace

bool empty_intersection(const std::vector<const Items*>& formats, Limits limits, Problem* problem, std::string* example) {
  if (problem) *problem = {};
  try {
    const Language language = intersect(formats, limits);
    if (language.states.empty()) return true;
    if (!example) return false;
    // Breadth first: the first accepting state found is a nearest one.
    struct Way { uint32_t from, c; };
    std::vector<Way> way(language.states.size(), {UINT32_MAX, 0});
    std::vector<uint32_t> order{0};
    for (size_t i = 0; i < order.size(); ++i) {
      if (language.states[order[i]].accepts) {
        std::vector<uint32_t> codes;
        for (uint32_t s = order[i]; s != 0; s = way[s].from) codes.push_back(way[s].c);
        example->clear();
        for (auto c = codes.rbegin(); c != codes.rend(); ++c) append_utf8(*example, *c);
        break;
      }
      for (const auto& edge : language.states[order[i]].edges) {
        if (edge.to == 0 || way[edge.to].from != UINT32_MAX) continue;
        way[edge.to] = {order[i], sample(edge.chars)};
        order.push_back(edge.to);
      }
    }
    return false;
  } catch (Failure& failure) {
    report(failure, formats, problem);
    return false;
  }
}

std::string grammar(const std::vector<const Items*>& formats, std::string_view root, Limits limits, Problem* problem) {
  if (problem) *problem = {};
  try {
    const Language language = intersect(formats, limits);
    if (language.states.empty()) return "";
    Writer writer(root, limits);
    return formats.size() == 1 ? writer.format(*formats[0]) : writer.language(language);
  } catch (Failure& failure) {
    report(failure, formats, problem);
    return "";
  }
}

}  // namespace ppc::formats
