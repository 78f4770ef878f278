#include "compiler/formats/nfa.h"

#include <algorithm>
#include <deque>
#include <set>

namespace ppc::formats {

using ast::FormatItem;

// ---- construction -------------------------------------------------------------------------------------------------

bool nullable(const FormatItem& item) {
  switch (item.kind) {
    case FormatItem::Kind::Literal: return item.text.empty();
    case FormatItem::Kind::Capture: return item.char_class == "text" || item.char_class == "line";
    case FormatItem::Kind::Choice:
      return std::any_of(item.branches.begin(), item.branches.end(), [](const Items& b) { return nullable(b); });
    case FormatItem::Kind::Optional:
    case FormatItem::Kind::Repeat: return true;
  }
  return true;
}

bool nullable(const Items& items) {
  return std::all_of(items.begin(), items.end(), [](const FormatItem& item) { return nullable(item); });
}

namespace {

std::string quoted(const std::string& name) { return std::string("`").append(name).append("`"); }

// Names a sequence captures, and whether each is certain. Checks that no reply captures a name twice.
using Names = std::map<std::string, bool>;

void collect(const Items&, Names&, bool repeated);

void collect(const FormatItem& item, Names& names, bool repeated) {
  auto add = [&](const Names& found) {
    for (const auto& [name, certain] : found)
      if (!names.emplace(name, certain).second) fail(quoted(name) + " is captured twice", item.span);
  };
  switch (item.kind) {
    case FormatItem::Kind::Literal: break;
    case FormatItem::Kind::Capture:
      if (!item.name) break;
      if (repeated) fail(quoted(item.name->name) + " is captured in a repetition", item.name->span);
      if (!names.emplace(item.name->name, true).second)
        fail(quoted(item.name->name) + " is captured twice", item.name->span);
      break;
    case FormatItem::Kind::Repeat:
      for (const Items& branch : item.branches) collect(branch, names, true);
      break;
    case FormatItem::Kind::Optional:
    case FormatItem::Kind::Choice: {
      Names all;
      std::map<std::string, size_t> certain_in;
      for (const Items& branch : item.branches) {
        Names found;
        collect(branch, found, repeated);
        for (const auto& [name, certain] : found) {
          all[name] = false;
          certain_in[name] += certain;
        }
      }
      if (item.kind == FormatItem::Kind::Choice)
        for (auto& [name, certain] : all) certain = certain_in[name] == item.branches.size();
      add(all);
      break;
    }
  }
}

void collect(const Items& items, Names& names, bool repeated) {
  for (const FormatItem& item : items) collect(item, names, repeated);
}

void list_captures(const Items& items, const Names& names, std::vector<CaptureInfo>& captures) {
  for (const FormatItem& item : items) {
    if (item.kind == FormatItem::Kind::Capture && item.name) {
      auto same = [&](const CaptureInfo& c) { return c.name == item.name->name; };
      if (std::none_of(captures.begin(), captures.end(), same))
        captures.push_back({item.name->name, item.name->span, item.char_class, !names.at(item.name->name)});
    }
    for (const Items& branch : item.branches) list_captures(branch, names, captures);
  }
}

std::vector<uint32_t> decoded(const std::string& text, Span span) {
  auto result = decode(text);
  if (!result) fail("a literal that is not valid UTF-8", span);
  return *result;
}

constexpr uint64_t kReadPlace = UINT64_MAX;  // behind all formats

Span span_of(const std::vector<const Items*>& formats) {
  return !formats.empty() && !formats[0]->empty() ? formats[0]->front().span : Span{};
}

std::string written(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '\n') out += "\\n";
    else if (c == '\t') out += "\\t";
    else if (c == '"' || c == '\\' || c == '{' || c == '}') (out += '\\') += c;
    else out += c;
  }
  return out + "\"";
}

// A literal or a capture, as the game has it.
std::string written(const FormatItem& item) {
  if (item.kind == FormatItem::Kind::Literal) return (item.ignore_case ? "~" : "") + written(item.text);
  std::string out = "{" + (item.name ? item.name->name + ": " : "") + item.char_class + (item.among ? " in " + item.among_text : "");
  for (size_t i = 0; i < item.without.size(); ++i)
    out += (i ? ", " : " without ") + std::string(item.without[i].second ? "~" : "") + written(item.without[i].first);
  return out + "}";
}

}  // namespace

uint32_t NfaBuilder::node(Nfa::Node node) {
  // Ten nodes a state are more than any format that fits the limit has.
  if (nfa_.nodes.size() >= size_t{10} * limits_.states) fail_too_large({});
  node.word = word_;
  nfa_.nodes.push_back(std::move(node));
  return static_cast<uint32_t>(nfa_.nodes.size() - 1);
}

uint32_t NfaBuilder::set(CodeSet set) {
  if (leave_holes_) set = set.intersected(CodeSet{{kFirstHole, kLastHole}}.complement());
  return exact_set(std::move(set));
}

uint32_t NfaBuilder::exact_set(CodeSet set) {
  auto [at, is_new] = set_index_.emplace(std::move(set), static_cast<uint32_t>(nfa_.sets.size()));
  if (is_new) nfa_.sets.push_back(at->first);
  return at->second;
}

uint32_t NfaBuilder::split(std::vector<uint32_t> next) {
  Nfa::Node n;
  n.kind = Nfa::Node::Kind::Split;
  n.next = std::move(next);
  return node(std::move(n));
}

uint32_t NfaBuilder::chars(CodeSet codes, uint32_t to) {
  Nfa::Node n;
  n.kind = Nfa::Node::Kind::Chars;
  n.moves.push_back({set(std::move(codes)), to});
  return node(std::move(n));
}

uint32_t NfaBuilder::loop(const CodeSet& codes, bool at_least_one, uint32_t next) {
  uint32_t again = split({});
  uint32_t read = chars(codes, again);
  nfa_.nodes[again].next = {read, next};
  return at_least_one ? read : again;
}

// The texts over `codes` in which no excluded literal occurs are closed under taking prefixes, so each state of their
// automaton may go on or stop; going on comes first, which makes the capture the longest that lets the rest fit.
uint32_t NfaBuilder::avoiding(const FormatItem& item, const CodeSet& codes, bool at_least_one, uint32_t next) {
  std::vector<std::vector<CodeSet>> literals;
  std::vector<CodeSet> sets{codes};
  for (const auto& [text, ignore_case] : item.without) {
    if (text.empty()) fail("`without \"\"` excludes every text", item.span);
    std::vector<CodeSet> literal;
    for (uint32_t c : decoded(text, item.span)) literal.push_back(ignore_case ? folded(c) : CodeSet::single(c));
    sets.insert(sets.end(), literal.begin(), literal.end());
    literals.push_back(std::move(literal));
  }
  const Alphabet alphabet(sets);
  // A state: how far each literal may have been read, as (literal, characters) pairs.
  using Progress = std::vector<std::pair<uint32_t, uint32_t>>;
  std::vector<CodeSet> class_chars;
  for (uint32_t cls = 0; cls < alphabet.classes; ++cls) class_chars.push_back(alphabet.chars_of(cls));
  std::map<std::pair<Progress, bool>, uint32_t> index;  // the flag: may stop here
  std::vector<Progress> states;
  std::vector<uint32_t> entry, reads;
  auto state_of = [&](Progress progress, bool may_stop) {
    auto [at, is_new] = index.emplace(std::make_pair(progress, may_stop), static_cast<uint32_t>(states.size()));
    if (is_new) {
      if (states.size() >= limits_.states) fail_too_large(item.span);
      Nfa::Node read;
      read.kind = Nfa::Node::Kind::Chars;
      reads.push_back(node(std::move(read)));
      entry.push_back(may_stop ? split({reads.back(), next}) : reads.back());
      states.push_back(std::move(progress));
    }
    return at->second;
  };
  state_of({}, !at_least_one);
  for (uint32_t s = 0; s < states.size(); ++s) {
    std::map<uint32_t, std::vector<CodeRange>> to;
    for (uint32_t cls = 0; cls < alphabet.classes; ++cls) {
      const uint32_t sample = class_chars[cls].ranges()[0].low;
      if (!codes.contains(sample)) continue;
      Progress after;
      bool complete = false;
      auto advance = [&](uint32_t literal, uint32_t read) {
        if (!literals[literal][read].contains(sample)) return;
        if (read + 1 == literals[literal].size()) complete = true;
        after.emplace_back(literal, read + 1);
      };
      for (auto [literal, read] : Progress(states[s])) advance(literal, read);
      for (uint32_t literal = 0; literal < literals.size(); ++literal) advance(literal, 0);
      if (complete) continue;
      std::sort(after.begin(), after.end());
      auto& ranges = to[state_of(std::move(after), true)];
      ranges.insert(ranges.end(), class_chars[cls].ranges().begin(), class_chars[cls].ranges().end());
    }
    for (auto& [target, ranges] : to) {
      uint32_t id = set(CodeSet(std::move(ranges)));
      nfa_.nodes[reads[s]].moves.push_back({id, entry[target]});
    }
  }
  return entry[0];
}

uint32_t NfaBuilder::sequence(const Items& items, uint32_t next) {
  for (auto item_at = items.rbegin(); item_at != items.rend(); ++item_at) next = item(*item_at, next);
  return next;
}

uint32_t NfaBuilder::literal(const FormatItem& item, uint32_t next) {
  auto codes = decoded(item.text, item.span);
  for (auto c = codes.rbegin(); c != codes.rend(); ++c)
    next = chars(item.ignore_case ? folded(*c) : CodeSet::single(*c), next);
  return next;
}

uint32_t NfaBuilder::capture(const FormatItem& item, uint32_t next) {
  if (item.among && leave_holes_) {
    if (nfa_.holes.size() > kLastHole - kFirstHole) fail_too_large(item.span);
    Nfa::Node hole;
    hole.kind = Nfa::Node::Kind::Chars;
    hole.moves.push_back({exact_set(CodeSet::single(kFirstHole + static_cast<uint32_t>(nfa_.holes.size()))), next});
    nfa_.holes.push_back(&item);
    return node(std::move(hole));
  }
  const bool at_least_one = !(item.char_class == "text" || item.char_class == "line");
  auto codes = class_set(item.char_class);
  if (codes && !item.without.empty()) return avoiding(item, *codes, at_least_one, next);
  if (codes) return loop(*codes, at_least_one, next);
  if (item.char_class == "int") {
    if (!item.without.empty()) fail("`without` does not go with `int`", item.span);
    uint32_t digits = 0;
    if (count_digits_) {
      digits = chars(*class_set("digits"), next);
      for (int i = 1; i < 18; ++i) digits = chars(*class_set("digits"), split({digits, next}));
    } else {
      digits = loop(*class_set("digits"), true, next);
    }
    return split({chars(CodeSet::single('-'), digits), digits});
  }
  fail("unknown class `" + item.char_class + "`, expected `text`, `line`, `word`, `letters`, `digits` or `int`", item.span);
}

std::vector<uint32_t> NfaBuilder::branches(const FormatItem& item, uint32_t next) {
  if (item.branches.empty()) fail("a group without content", item.span);
  std::vector<uint32_t> result;
  for (const Items& branch : item.branches) result.push_back(sequence(branch, next));
  return result;
}

uint32_t NfaBuilder::item(const FormatItem& item, uint32_t next) {
  if (item.kind == FormatItem::Kind::Literal || item.kind == FormatItem::Kind::Capture) {
    word_ = static_cast<uint32_t>(nfa_.words.size());
    nfa_.words.push_back(written(item));
    nfa_.places.push_back(uint64_t{nfa_.starts.size()} << 32 | item.span.begin);
  }
  switch (item.kind) {
    case FormatItem::Kind::Literal: return literal(item, next);
    case FormatItem::Kind::Capture: {
      if (!item.name || !captures_) return capture(item, next);
      uint32_t k = 0;
      while ((*captures_)[k].name != item.name->name) ++k;
      Nfa::Node end;
      end.kind = Nfa::Node::Kind::Tag;
      end.tag = 2 * k + 1;
      end.next = {next};
      uint32_t inner = capture(item, node(std::move(end)));
      Nfa::Node begin;
      begin.kind = Nfa::Node::Kind::Tag;
      begin.tag = 2 * k;
      begin.next = {inner};
      return node(std::move(begin));
    }
    case FormatItem::Kind::Optional: {
      std::vector<uint32_t> ways = branches(item, next);
      ways.push_back(next);
      return split(std::move(ways));
    }
    case FormatItem::Kind::Choice: return split(branches(item, next));
    case FormatItem::Kind::Repeat: {
      uint32_t again = split({});
      uint32_t inner = split(branches(item, again));
      nfa_.nodes[again].next = {inner, next};
      nfa_.nodes[again].loop = true;  // an empty turn ends a repetition, as in Perl and Python
      return again;
    }
  }
  return next;
}

void NfaBuilder::add(const Items& items, std::vector<CaptureInfo>* captures) {
  Names names;
  collect(items, names, false);
  if (captures) {
    captures->clear();
    list_captures(items, names, *captures);
    if (captures->size() > kMaxCaptures)
      fail("a format has at most " + std::to_string(kMaxCaptures) + " captures", (*captures)[kMaxCaptures].span);
  }
  captures_ = captures;
  uint32_t start = sequence(items, node({}));
  nfa_.starts.push_back(start);
  captures_ = nullptr;
}

void NfaBuilder::add(const Unchanged& by) {
  word_ = static_cast<uint32_t>(nfa_.words.size());
  const std::string spaces = by.text.empty() ? "white space" : "characters of " + written(by.text);
  switch (by.by) {
    case Unchanged::By::TrimmedStart: nfa_.words.push_back("no " + spaces + " in front"); break;
    case Unchanged::By::TrimmedEnd: nfa_.words.push_back("no " + spaces + " at the end"); break;
    case Unchanged::By::Lower: nfa_.words.push_back("no capitals"); break;
    case Unchanged::By::WithoutPunctuation: nfa_.words.push_back("no punctuation"); break;
    case Unchanged::By::Replace: nfa_.words.push_back("no " + written(by.text)); break;
  }
  nfa_.places.push_back(kReadPlace);
  const uint32_t end = node({});
  CodeSet set = *class_set("word");  // what is no white space
  if (!by.text.empty()) {
    set = {};
    for (uint32_t c : decoded(by.text, {})) set = set.united(CodeSet::single(c));
    set = set.complement();
  }
  uint32_t start = end;
  switch (by.by) {
    case Unchanged::By::TrimmedStart: start = split({chars(set, loop(CodeSet::any(), false, end)), end}); break;
    case Unchanged::By::TrimmedEnd: {
      const uint32_t again = split({});
      nfa_.nodes[again].next = {chars(CodeSet::any(), again), chars(set, end)};
      start = split({again, end});
      break;
    }
    case Unchanged::By::Lower: start = loop(unchanged_by_lower(), false, end); break;
    case Unchanged::By::WithoutPunctuation:
      start = loop(CodeSet{{0x21, 0x2F}, {0x3A, 0x40}, {0x5B, 0x60}, {0x7B, 0x7E}}.complement(), false, end);
      break;
    case Unchanged::By::Replace: {
      FormatItem item;
      item.without = {{by.text, false}};
      start = avoiding(item, CodeSet::any(), false, end);
      break;
    }
  }
  nfa_.starts.push_back(start);
}

// ---- alphabet -----------------------------------------------------------------------------------------------------

Alphabet::Alphabet(const std::vector<CodeSet>& sets) {
  struct Event { uint32_t at, set; };
  std::vector<Event> events;  // each flips membership in its set
  for (uint32_t s = 0; s < sets.size(); ++s)
    for (CodeRange r : sets[s].ranges()) {
      events.push_back({r.low, s});
      if (r.high < kMaxCodePoint) events.push_back({r.high + 1, s});
    }
  std::sort(events.begin(), events.end(), [](Event a, Event b) { return a.at < b.at; });
  contains.resize(sets.size());
  std::map<std::vector<bool>, uint32_t> index;
  std::vector<bool> inside(sets.size());
  uint32_t low = 0;
  auto close = [&](uint32_t high) {
    auto [at, is_new] = index.emplace(inside, classes);
    if (is_new) {
      ++classes;
      for (uint32_t s = 0; s < sets.size(); ++s) contains[s].push_back(inside[s]);
    }
    intervals.push_back({low, high, at->second});
  };
  for (size_t i = 0; i < events.size();) {
    const uint32_t at = events[i].at;
    if (at > low) {
      close(at - 1);
      low = at;
    }
    for (; i < events.size() && events[i].at == at; ++i) inside[events[i].set] = !inside[events[i].set];
  }
  close(kMaxCodePoint);
}

CodeSet Alphabet::chars_of(uint32_t cls) const {
  std::vector<CodeRange> ranges;
  for (const Interval& i : intervals)
    if (i.cls == cls) ranges.push_back({i.low, i.high});
  return CodeSet(std::move(ranges));
}

// ---- closures and subsets -----------------------------------------------------------------------------------------

const std::vector<Leaf>& Closures::operator[](uint32_t core) {
  if (known_[core]) return of_[core];
  known_[core] = true;
  std::vector<Leaf>& leaves = of_[core];
  std::vector<bool> visited(nfa_.nodes.size());
  std::vector<Leaf> stack{{core, 0}};
  while (!stack.empty()) {
    Leaf at = stack.back();
    stack.pop_back();
    const Nfa::Node& node = nfa_.nodes[at.node];
    if (visited[at.node]) {
      if (node.loop) stack.push_back({node.next[1], at.tags});
      continue;
    }
    visited[at.node] = true;
    switch (node.kind) {
      case Nfa::Node::Kind::Split:
        for (auto next = node.next.rbegin(); next != node.next.rend(); ++next) stack.push_back({*next, at.tags});
        break;
      case Nfa::Node::Kind::Tag: stack.push_back({node.next[0], at.tags | uint64_t{1} << node.tag}); break;
      case Nfa::Node::Kind::Chars:
      case Nfa::Node::Kind::Accept: leaves.push_back(at); break;
    }
  }
  return leaves;
}

uint32_t Subsets::intern(std::vector<uint32_t> cores) {
  std::sort(cores.begin(), cores.end());
  cores.erase(std::unique(cores.begin(), cores.end()), cores.end());
  auto [at, is_new] = index_.emplace(std::move(cores), static_cast<uint32_t>(cores_.size()));
  if (is_new) {
    cores_.push_back(&at->first);
    bool accepts = false;
    for (uint32_t core : at->first)
      for (const Leaf& leaf : closures_[core]) accepts |= nfa_.nodes[leaf.node].kind == Nfa::Node::Kind::Accept;
    accepts_.push_back(accepts);
    next_.emplace_back();
  }
  return at->second;
}

uint32_t Subsets::step(uint32_t state, uint32_t cls) {
  if (next_[state].empty()) next_[state].assign(alphabet_.classes, UINT32_MAX);
  if (next_[state][cls] != UINT32_MAX) return next_[state][cls];
  std::vector<uint32_t> after;
  for (uint32_t core : *cores_[state])
    for (const Leaf& leaf : closures_[core])
      for (const Nfa::Move& move : nfa_.nodes[leaf.node].moves)
        if (alphabet_.contains[move.set][cls]) after.push_back(move.to);
  uint32_t result = intern(std::move(after));
  return next_[state][cls] = result;
}

bool Subsets::includes(uint32_t large, uint32_t small, int64_t& budget) {
  if (auto known = included_.find({large, small}); known != included_.end()) return known->second;
  std::set<std::pair<uint32_t, uint32_t>> seen{{large, small}};
  std::deque<std::pair<uint32_t, uint32_t>> todo{{large, small}};
  bool result = true;
  while (result && !todo.empty()) {
    auto [a, b] = todo.front();
    todo.pop_front();
    if (accepts_[b] && !accepts_[a]) { result = false; break; }
    if (std::includes(cores_[a]->begin(), cores_[a]->end(), cores_[b]->begin(), cores_[b]->end())) continue;
    for (uint32_t cls = 0; cls < alphabet_.classes && result; ++cls) {
      if (budget <= 0) { result = false; break; }
      uint32_t next_b = step(b, cls);
      if (next_b == 0) continue;
      uint32_t next_a = step(a, cls);
      budget -= 1 + static_cast<int64_t>(cores_[next_a]->size() + cores_[next_b]->size());
      if (next_a == 0) { result = false; break; }  // every core leads to acceptance
      if (seen.emplace(next_a, next_b).second) todo.emplace_back(next_a, next_b);
    }
  }
  included_[{large, small}] = result;
  return result;
}

// ---- partition refinement -----------------------------------------------------------------------------------------

std::vector<uint32_t> coarsest_partition(uint32_t states, const std::vector<uint32_t>& kind,
                                         const std::vector<Transition>& transitions) {
  std::vector<uint32_t> block(states), order(states), place(states);  // blocks are ranges of `order`
  struct Block { uint32_t begin, end, marked; };
  std::vector<Block> blocks;
  for (uint32_t s = 0; s < states; ++s) order[s] = s;
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return std::pair(kind[a], a) < std::pair(kind[b], b); });
  for (uint32_t i = 0; i < states; ++i) {
    if (i == 0 || kind[order[i]] != kind[order[i - 1]]) blocks.push_back({i, i, 0});
    blocks.back().end = i + 1;
    block[order[i]] = static_cast<uint32_t>(blocks.size() - 1);
    place[order[i]] = i;
  }
  std::vector<std::vector<std::pair<uint32_t, uint32_t>>> into(states);  // (label, from)
  for (const Transition& t : transitions) into[t.to].emplace_back(t.label, t.from);

  std::vector<bool> waiting(blocks.size(), true);
  std::deque<uint32_t> todo;
  for (uint32_t b = 0; b < blocks.size(); ++b) todo.push_back(b);
  std::vector<std::pair<uint32_t, uint32_t>> incoming;
  std::vector<uint32_t> touched;
  while (!todo.empty()) {
    const uint32_t splitter = todo.front();
    todo.pop_front();
    waiting[splitter] = false;
    incoming.clear();
    for (uint32_t i = blocks[splitter].begin; i < blocks[splitter].end; ++i)
      incoming.insert(incoming.end(), into[order[i]].begin(), into[order[i]].end());
    std::sort(incoming.begin(), incoming.end());
    for (size_t i = 0; i < incoming.size();) {
      touched.clear();
      const uint32_t label = incoming[i].first;
      for (; i < incoming.size() && incoming[i].first == label; ++i) {
        const uint32_t from = incoming[i].second, b = block[from];
        Block& of = blocks[b];
        if (place[from] < of.begin + of.marked) continue;
        if (of.marked == 0) touched.push_back(b);
        const uint32_t other = order[of.begin + of.marked];
        std::swap(order[place[from]], order[of.begin + of.marked]);
        std::swap(place[from], place[other]);
        ++of.marked;
      }
      for (uint32_t b : touched) {
        Block& of = blocks[b];
        const uint32_t marked = of.marked;
        of.marked = 0;
        if (marked == of.end - of.begin) continue;
        const auto fresh = static_cast<uint32_t>(blocks.size());
        // The smaller part becomes the new block, so that only it needs to wait (when the old one does not).
        Block part;
        if (marked <= of.end - of.begin - marked) {
          part = {of.begin, of.begin + marked, 0};
          of.begin += marked;
        } else {
          part = {of.begin + marked, of.end, 0};
          of.end = of.begin + marked;
        }
        blocks.push_back(part);
        for (uint32_t k = part.begin; k < part.end; ++k) block[order[k]] = fresh;
        waiting.push_back(true);
        todo.push_back(fresh);
      }
    }
  }
  return block;
}

// ---- intersections ------------------------------------------------------------------------------------------------

namespace {

// The pieces that a state is in: of the formats that do not let every character follow; where each one would, of those that are not
// at their end; else of all. What `read` changes is named where nothing else is.
std::vector<uint32_t> wanted(const std::vector<uint32_t>& tuple, const Nfa& nfa, const Alphabet& alphabet, Closures& closures,
                             Subsets& subsets) {
  std::vector<uint32_t> binding, unfinished, all;
  for (uint32_t part : tuple) {
    bool binds = false;
    for (uint32_t cls = 0; cls < alphabet.classes; ++cls) binds |= subsets.step(part, cls) == 0;
    for (uint32_t core : subsets.cores(part))
      for (const Leaf& leaf : closures[core]) {
        if (nfa.nodes[leaf.node].kind != Nfa::Node::Kind::Chars) continue;
        const uint32_t word = nfa.nodes[leaf.node].word;
        all.push_back(word);
        if (binds) binding.push_back(word);
        if (!subsets.accepts(part)) unfinished.push_back(word);
      }
  }
  const auto is_read = [&](uint32_t word) { return nfa.places[word] == kReadPlace; };
  for (auto* list : {&binding, &unfinished, &all})
    if (!std::all_of(list->begin(), list->end(), is_read)) std::erase_if(*list, is_read);
  std::vector<uint32_t>& result = !binding.empty() ? binding : !unfinished.empty() ? unfinished : all;
  std::sort(result.begin(), result.end(), [&](uint32_t a, uint32_t b) { return std::pair(nfa.places[a], a) < std::pair(nfa.places[b], b); });
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

Language intersect(NfaBuilder builder, Limits limits, Span span);

}  // namespace

Language intersect(const std::vector<const Items*>& formats, Limits limits) {
  NfaBuilder builder(limits);
  for (const Items* items : formats) builder.add(*items, nullptr);
  return intersect(std::move(builder), limits, span_of(formats));
}

Language intersect(const std::vector<const Items*>& formats, const std::vector<Unchanged>& unchanged, Limits limits) {
  NfaBuilder builder(limits);
  builder.count_digits();
  for (const Items* items : formats) builder.add(*items, nullptr);
  for (const Unchanged& by : unchanged) builder.add(by);
  return intersect(std::move(builder), limits, span_of(formats));
}

Language intersect_with_holes(const Items& items, Limits limits, uint32_t* holes) {
  NfaBuilder builder(limits);
  builder.count_digits();
  builder.leave_holes();
  builder.add(items, nullptr);
  *holes = builder.holes();
  return intersect(std::move(builder), limits, span_of({&items}));
}

namespace {

Language intersect(NfaBuilder builder, Limits limits, Span span) {
  const Nfa nfa = builder.take();
  const Alphabet alphabet(nfa.sets);
  Closures closures(nfa);
  Subsets subsets(nfa, alphabet, closures);

  using Tuple = std::vector<uint32_t>;
  std::map<Tuple, uint32_t> index;
  std::vector<Tuple> tuples;
  std::vector<Transition> transitions;
  auto state_of = [&](Tuple tuple) {
    auto [at, is_new] = index.emplace(tuple, static_cast<uint32_t>(tuples.size()));
    if (is_new) {
      if (tuples.size() >= limits.states) fail_too_large(span);
      tuples.push_back(std::move(tuple));
    }
    return at->second;
  };
  Tuple first;
  for (uint32_t start : nfa.starts) first.push_back(subsets.intern({start}));
  state_of(std::move(first));
  for (uint32_t s = 0; s < tuples.size(); ++s) {
    for (uint32_t cls = 0; cls < alphabet.classes; ++cls) {
      Tuple after = tuples[s];
      bool dead = false;
      for (uint32_t& part : after) dead |= (part = subsets.step(part, cls)) == 0;
      if (!dead) transitions.push_back({s, cls, state_of(std::move(after))});
      if (subsets.size() > size_t{8} * limits.states) fail_too_large(span);
    }
  }

  const auto n = static_cast<uint32_t>(tuples.size());
  std::vector<uint32_t> accepts(n);
  for (uint32_t s = 0; s < n; ++s)
    accepts[s] = std::all_of(tuples[s].begin(), tuples[s].end(), [&](uint32_t part) { return subsets.accepts(part); });
  // Trim: keep what leads to acceptance.
  std::vector<std::vector<uint32_t>> into(n);
  for (const Transition& t : transitions) into[t.to].push_back(t.from);
  std::vector<bool> useful(n);
  std::vector<uint32_t> stack;
  for (uint32_t s = 0; s < n; ++s)
    if (accepts[s]) { useful[s] = true; stack.push_back(s); }
  while (!stack.empty()) {
    uint32_t s = stack.back();
    stack.pop_back();
    for (uint32_t p : into[s])
      if (!useful[p]) { useful[p] = true; stack.push_back(p); }
  }
  Language language;
  if (!useful[0]) return language;
  std::erase_if(transitions, [&](const Transition& t) { return !useful[t.from] || !useful[t.to]; });
  const auto block = coarsest_partition(n, accepts, transitions);

  // Blocks in breadth-first order from the start, so that the result does not depend on how it was found.
  std::vector<std::vector<Transition>> out(n);
  for (const Transition& t : transitions) out[t.from].push_back(t);
  std::vector<uint32_t> number(n, UINT32_MAX), representative{0};
  number[block[0]] = 0;
  for (uint32_t i = 0; i < representative.size(); ++i) {
    const uint32_t s = representative[i];
    std::map<uint32_t, std::vector<CodeRange>> to;
    for (const Transition& t : out[s]) {
      if (number[block[t.to]] == UINT32_MAX) {
        number[block[t.to]] = static_cast<uint32_t>(representative.size());
        representative.push_back(t.to);
      }
      auto& ranges = to[number[block[t.to]]];
      for (const Alphabet::Interval& interval : alphabet.intervals)
        if (interval.cls == t.label) ranges.push_back({interval.low, interval.high});
    }
    Language::State state;
    state.accepts = accepts[s];
    state.wants = wanted(tuples[s], nfa, alphabet, closures, subsets);
    for (auto& [target, ranges] : to) state.edges.push_back({CodeSet(std::move(ranges)), target});
    language.states.push_back(std::move(state));
  }
  language.words = nfa.words;
  return language;
}

}  // namespace

}  // namespace ppc::formats
