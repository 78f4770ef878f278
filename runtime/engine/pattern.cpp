#include "runtime/engine/pattern.h"

#include <algorithm>
#include <cctype>
#include <string>
#include <utility>

#include "runtime/text/utf8.h"

namespace ppc::engine {
namespace {

constexpr size_t kMostStates = 20'000;
constexpr size_t kMostWork = 4'000'000;
constexpr int kDeepest = 100;

struct Unread {};  // thrown inside

struct Range { uint32_t low, high; };
using Set = std::vector<Range>;  // code points

void sort(Set& set) {
  std::sort(set.begin(), set.end(), [](Range a, Range b) { return a.low < b.low; });
  Set out;
  for (Range r : set) {
    if (!out.empty() && r.low <= out.back().high + 1) out.back().high = std::max(out.back().high, r.high);
    else out.push_back(r);
  }
  set = std::move(out);
}
/// Of the code points up to `last`.
Set complement(Set set, uint32_t last) {
  sort(set);
  Set out;
  uint32_t next = 0;
  for (Range r : set) {
    if (r.low > last) break;
    if (r.low > next) out.push_back({next, r.low - 1});
    next = r.high + 1;
  }
  if (next <= last) out.push_back({next, last});
  return out;
}

constexpr uint32_t kLast = 0x10FFFF;
constexpr Range kSeparators{0x1C, 0x1F};  // Python's \s has them, PCRE2's does not

/// Builds states with empty ways, as it reads; these are taken out at the end.
class Builder {
 public:
  explicit Builder(std::string_view pattern) : in_(pattern) {}

  ByteAutomaton run() {
    const Part whole = alternatives(0);
    if (at_ < in_.size()) throw Unread();
    ByteAutomaton out;
    size_t edges = 0, work = 0;
    // States that something is read from or that are the end, and what empty ways lead to.
    std::vector<uint32_t> number(states_.size(), UINT32_MAX), seen(states_.size(), UINT32_MAX), order{whole.begin};
    number[whole.begin] = 0;
    for (uint32_t i = 0; i < order.size(); ++i) {
      ByteAutomaton::State state;
      std::vector<uint32_t> todo{order[i]};
      seen[order[i]] = i;
      while (!todo.empty()) {
        const uint32_t s = todo.back();
        todo.pop_back();
        if (++work > kMostWork) throw Unread();
        state.accepts |= s == whole.end;
        for (const ByteAutomaton::Edge& e : states_[s].edges) {
          if (number[e.to] == UINT32_MAX) {
            number[e.to] = static_cast<uint32_t>(order.size());
            order.push_back(e.to);
          }
          state.edges.push_back({e.low, e.high, number[e.to]});
        }
        for (uint32_t n : states_[s].empty)
          if (seen[n] != i) {
            seen[n] = i;
            todo.push_back(n);
          }
      }
      edges += state.edges.size();
      if (edges > 10 * kMostStates) throw Unread();
      out.states.push_back(std::move(state));
    }
    return out;
  }

 private:
  struct Part { uint32_t begin, end; };
  struct State {
    std::vector<ByteAutomaton::Edge> edges;
    std::vector<uint32_t> empty;
  };

  uint32_t fresh() {
    if (states_.size() >= kMostStates) throw Unread();
    states_.emplace_back();
    return static_cast<uint32_t>(states_.size() - 1);
  }
  void way(uint32_t from, uint32_t to) { states_[from].empty.push_back(to); }

  bool more() const { return at_ < in_.size(); }
  char peek() const { return more() ? in_[at_] : '\0'; }
  bool take(char c) {
    if (!more() || in_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view s) {
    if (in_.substr(at_, s.size()) != s) return false;
    at_ += s.size();
    return true;
  }
  uint32_t point() {
    if (!more()) throw Unread();
    uint32_t length;
    const uint32_t c = text::decode(reinterpret_cast<const uint8_t*>(in_.data()) + at_, in_.size() - at_, &length);
    at_ += length;
    return c;
  }

  Part alternatives(int depth) {
    if (depth > kDeepest) throw Unread();
    const bool before = folds_;  // what (?i) sets inside a group is over at its end
    const Part whole{fresh(), fresh()};
    do {
      const Part one = sequence(depth);
      way(whole.begin, one.begin);
      way(one.end, whole.end);
    } while (take('|'));
    if (depth > 0) folds_ = before;
    return whole;
  }

  Part sequence(int depth) {
    Part all{fresh(), 0};
    all.end = all.begin;
    bool first = true;
    while (more() && peek() != '|' && peek() != ')') {
      if (take('^')) {
        if (!first || depth > 0) throw Unread();
        continue;
      }
      if (take('$')) {
        if (depth > 0 || (more() && peek() != '|')) throw Unread();
        continue;
      }
      if (take("(?i)")) {
        folds_ = true;
        continue;
      }
      first = false;
      const size_t from = at_;
      const Part one = repeated(from, depth);
      way(all.end, one.begin);
      all.end = one.end;
    }
    return all;
  }

  Part repeated(size_t from, int depth) {
    const bool folds = folds_;
    const Part once = atom(depth);
    const size_t behind = at_;
    int least = 1, most = 1;  // most -1: any number
    if (take('*')) least = 0, most = -1;
    else if (take('+')) most = -1;
    else if (take('?')) least = 0;
    else if (peek() == '{' && !counts(least, most)) return once;  // a brace
    else if (at_ == behind) return once;
    if (peek() == '+') throw Unread();  // possessive: what it does not give back is not known here
    take('?');
    const size_t end = at_;
    if (most > 1000 || least > 1000) throw Unread();
    // The atom is read again for each further time.
    Part all{fresh(), 0};
    all.end = all.begin;
    bool first = true;
    const auto again = [&] {
      if (std::exchange(first, false)) return once;
      at_ = from;
      folds_ = folds;
      const Part one = atom(depth);
      at_ = end;
      return one;
    };
    const uint32_t last = fresh();
    const int times = most < 0 ? std::max(least, 1) : most;
    for (int n = 0; n < times; ++n) {
      if (n >= least) way(all.end, last);
      const Part one = again();
      way(all.end, one.begin);
      if (most < 0 && n == times - 1) way(one.end, one.begin);
      all.end = one.end;
    }
    way(all.end, last);
    return {all.begin, last};
  }

  /// {m}, {m,}, {m,n}; something else is text, but {,n}, which not every PCRE2 takes for one.
  bool counts(int& least, int& most) {
    const size_t from = at_;
    ++at_;
    const auto number = [&]() -> int {
      int n = -1;
      while (more() && peek() >= '0' && peek() <= '9' && n < 100'000) n = std::max(n, 0) * 10 + (in_[at_++] - '0');
      return n;
    };
    const int low = number();
    const bool comma = take(',');
    const int high = comma ? number() : low;
    if (low < 0 && high >= 0) throw Unread();
    if (low < 0 || !take('}')) {
      at_ = from;
      return false;
    }
    least = std::max(low, 0);
    most = comma && high < 0 ? -1 : high;
    if (most >= 0 && most < least) throw Unread();
    return true;
  }

  Part atom(int depth) {
    if (take('(')) {
      if (take('?')) {
        if (take("P<") || (peek() == '<' && at_ + 1 < in_.size() && in_[at_ + 1] != '=' && in_[at_ + 1] != '!' && take('<'))) {
          while (more() && peek() != '>') ++at_;
          if (!take('>')) throw Unread();
        } else if (take("i:")) {
          const bool before = folds_;
          folds_ = true;
          const Part inner = alternatives(depth + 1);
          folds_ = before;
          if (!take(')')) throw Unread();
          return inner;
        } else if (!take(':')) {
          throw Unread();
        }
      }
      const Part inner = alternatives(depth + 1);
      if (!take(')')) throw Unread();
      return inner;
    }
    return chars(one_of());
  }

  Set one_of() {
    if (take('.')) return complement({{'\n', '\n'}}, kLast);
    if (take('[')) return in_brackets();
    if (peek() == '\\') {
      Set set;
      uint32_t last = kLast;
      escape(set, last);
      return folded(std::move(set));
    }
    if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == ')') throw Unread();
    const uint32_t c = point();
    return folded({{c, c}});
  }

  static Set ascii_class(char c) {
    switch (c) {
      case 'd': case 'D': return {{'0', '9'}};
      case 's': case 'S': return {{'\t', '\r'}, {' ', ' '}};
      default: return {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    }
  }
  /// Adds what is escaped; `last` becomes that of ASCII where it is a class, which has more characters than these. `negated`: of what is
  /// added the complement is wanted.
  void escape(Set& set, uint32_t& last, bool negated = false) {
    ++at_;
    const uint32_t c = point();
    switch (c) {
      case 'n': set.push_back({'\n', '\n'}); return;
      case 't': set.push_back({'\t', '\t'}); return;
      case 'r': set.push_back({'\r', '\r'}); return;
      case 'f': set.push_back({'\f', '\f'}); return;
      case 'v': set.push_back({'\v', '\v'}); return;
      case 'd': case 's': case 'w': {
        const Set one = ascii_class(static_cast<char>(c));
        set.insert(set.end(), one.begin(), one.end());
        if (c == 's' && negated) set.push_back(kSeparators);
        last = 0x7F;
        return;
      }
      case 'D': case 'S': case 'W': {
        Set one = ascii_class(static_cast<char>(c));
        if (c == 'S') one.push_back(kSeparators);
        one = complement(std::move(one), 0x7F);
        set.insert(set.end(), one.begin(), one.end());
        last = 0;  // its complement has white space, digits, letters beyond ASCII
        return;
      }
      default:
        if (c < 0x80 && (std::isalnum(static_cast<int>(c)) || c == 0)) throw Unread();  // \b, \1, \x41, \p{…}
        set.push_back({c, c});
    }
  }

  Set in_brackets() {
    const bool negated = take('^');
    Set set;
    uint32_t last = kLast;
    for (bool first = true; first || peek() != ']'; first = false) {
      if (!more()) throw Unread();
      if (peek() == '[' && at_ + 1 < in_.size() && (in_[at_ + 1] == ':' || in_[at_ + 1] == '.' || in_[at_ + 1] == '=')) throw Unread();
      const size_t size = set.size();
      if (peek() == '\\') {
        escape(set, last, negated);
      } else {
        const uint32_t c = point();
        set.push_back({c, c});
      }
      // a-z
      if (peek() == '-' && at_ + 1 < in_.size() && in_[at_ + 1] != ']') {
        if (set.size() != size + 1 || set.back().low != set.back().high) throw Unread();
        ++at_;
        Set high;
        if (peek() == '\\') {
          uint32_t ignored = kLast;
          escape(high, ignored);
        } else {
          const uint32_t c = point();
          high.push_back({c, c});
        }
        if (high.size() != 1 || high[0].low != high[0].high || high[0].high < set.back().low) throw Unread();
        set.back().high = high[0].high;
      }
    }
    ++at_;
    set = folded(std::move(set));
    if (!negated) return set;
    if (last == 0) throw Unread();
    // Beyond ASCII a letter may be another's other case.
    if (folds_ && std::any_of(set.begin(), set.end(), [](Range r) { return r.high >= 'A'; })) last = std::min(last, 0x7Fu);
    return complement(std::move(set), last);
  }

  Set folded(Set set) const {
    if (folds_)
      for (size_t i = 0, n = set.size(); i < n; ++i)
        for (uint32_t c = std::max<uint32_t>(set[i].low, 'A'); c <= std::min<uint32_t>(set[i].high, 'z'); ++c)
          if (std::isalpha(static_cast<int>(c))) set.push_back({c ^ 0x20, c ^ 0x20});
    sort(set);
    return set;
  }

  // ---- bytes ----

  Part chars(const Set& set) {
    const Part out{fresh(), fresh()};
    for (Range r : set) spell(r, out);
    return out;
  }
  void spell(Range r, Part out) {
    static constexpr Range kLengths[] = {{0, 0x7F}, {0x80, 0x7FF}, {0x800, 0xD7FF}, {0xE000, 0xFFFF}, {0x10000, kLast}};
    for (Range l : kLengths) {
      const Range both{std::max(r.low, l.low), std::min(r.high, l.high)};
      if (both.low <= both.high) same_length(both, out);
    }
  }
  // Splits until the bytes behind the first one that differs are free.
  void same_length(Range r, Part out) {
    const int bytes = r.low < 0x80 ? 1 : r.low < 0x800 ? 2 : r.low < 0x10000 ? 3 : 4;
    for (int i = 1; i < bytes; ++i) {
      const uint32_t m = (1u << (6 * i)) - 1;
      if ((r.low & ~m) == (r.high & ~m)) continue;
      if (r.low & m) {
        same_length({r.low, r.low | m}, out);
        return same_length({(r.low | m) + 1, r.high}, out);
      }
      if ((r.high & m) != m) {
        same_length({r.low, (r.high & ~m) - 1}, out);
        return same_length({r.high & ~m, r.high}, out);
      }
    }
    uint8_t low[4], high[4];
    const uint32_t n = text::encode(r.low, low);
    text::encode(r.high, high);
    uint32_t from = out.begin;
    for (uint32_t i = 0; i < n; ++i) {
      const uint32_t to = i + 1 < n ? fresh() : out.end;
      states_[from].edges.push_back({low[i], high[i], to});
      from = to;
    }
  }

  std::string_view in_;
  size_t at_ = 0;
  bool folds_ = false;
  std::vector<State> states_;
};

}  // namespace

std::optional<ByteAutomaton> automaton_of(std::string_view pattern) {
  try {
    return Builder(pattern).run();
  } catch (const Unread&) {
    return std::nullopt;
  }
}

}  // namespace ppc::engine
