#include "runtime/text/notation.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "runtime/text/unicode.h"
#include "runtime/text/utf8.h"

namespace ppc::text {

using Kind = Spelled::Kind;

/// Recursive descent. A failure unwinds through return values; what it leaves behind is overwritten by the next parse.
class SpellingParser {
 public:
  SpellingParser(Spelling& to, std::string_view s) : to_(to), s_(s), python_(to.notation_ == Notation::Python) {}

  bool document() {
    to_.nodes_.assign(1, {});
    to_.texts_.clear();
    to_.pairs_ = 0;
    space();
    uint32_t root = 0;
    if (!value(root, 0)) return false;
    space();
    if (python_ && peek() == ',') {  // a tuple needs no brackets
      if (!rest_of_tuple(root, '\0', 0)) return false;
      space();
    }
    if (at_ < s_.size()) return false;
    to_.root_ = root;
    return true;
  }

 private:
  static constexpr unsigned kMaxDepth = 200;

  char peek(size_t ahead = 0) const { return at_ + ahead < s_.size() ? s_[at_ + ahead] : '\0'; }
  bool take(char c) {
    if (at_ >= s_.size() || s_[at_] != c) return false;
    ++at_;
    return true;
  }
  void space() {
    while (at_ < s_.size()) {
      const char c = s_[at_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || (python_ && c == '\f')) ++at_;
      else if (python_ && c == '#') while (at_ < s_.size() && s_[at_] != '\n') ++at_;
      else return;
    }
  }
  static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || static_cast<uint8_t>(c) >= 0x80;
  }
  bool word(std::string_view w) {
    if (s_.substr(at_, w.size()) != w || (at_ + w.size() < s_.size() && is_word(s_[at_ + w.size()]))) return false;
    at_ += w.size();
    return true;
  }
  uint32_t node(Kind kind) {
    to_.nodes_.push_back({});
    to_.nodes_.back().kind = kind;
    return static_cast<uint32_t>(to_.nodes_.size() - 1);
  }
  Spelled& of(uint32_t n) { return to_.nodes_[n]; }
  bool other(uint32_t& out, std::string_view spelling) {
    out = node(Kind::Other);
    of(out).begin = static_cast<uint32_t>(to_.texts_.size());
    of(out).length = static_cast<uint32_t>(spelling.size());
    to_.texts_ += spelling;
    return true;
  }
  bool constant(uint32_t& out, Kind kind, int64_t number, double real = 0) {
    out = node(kind);
    of(out).number = number;
    of(out).real = real;
    return true;
  }

  bool value(uint32_t& out, unsigned depth) {
    if (depth > kMaxDepth) return false;
    const char c = peek();
    if (c == '[') return list(out, depth);
    if (c == '{') return dict(out, depth);
    if (!python_) {
      if (c == '"') return json_text(out);
      if (word("true")) return constant(out, Kind::Bool, 1);
      if (word("false")) return constant(out, Kind::Bool, 0);
      if (word("null")) return constant(out, Kind::Null, 0);
      if (word("NaN")) return constant(out, Kind::Float, 0, std::numeric_limits<double>::quiet_NaN());
      if (word("Infinity")) return constant(out, Kind::Float, 0, std::numeric_limits<double>::infinity());
      if (word("-Infinity")) return constant(out, Kind::Float, 0, -std::numeric_limits<double>::infinity());
      return json_number(out);
    }
    if (c == '(') return brackets(out, depth);
    if (is_quote()) return python_text(out);
    if (word("True")) return constant(out, Kind::Bool, 1);
    if (word("False")) return constant(out, Kind::Bool, 0);
    if (word("None")) return constant(out, Kind::Null, 0);
    if (s_.substr(at_, 3) == "...") {
      at_ += 3;
      return other(out, "Ellipsis");
    }
    if (word("set")) {  // the one way to write an empty set
      space();
      if (!take('(')) return false;
      space();
      out = node(Kind::Set);
      return take(')');
    }
    return python_number(out);
  }

  // ---- collections ----------------------------------------------------------------------------------------------------

  void append(uint32_t parent, uint32_t& last, uint32_t child) {
    if (last == 0) of(parent).first = child;
    else of(last).next = child;
    last = child;
  }

  bool list(uint32_t& out, unsigned depth) {
    ++at_;
    out = node(Kind::List);
    uint32_t last = 0;
    space();
    if (take(']')) return true;
    while (true) {
      uint32_t item = 0;
      if (!value(item, depth + 1)) return false;
      append(out, last, item);
      ++of(out).count;
      space();
      const bool comma = take(',');
      space();
      if (comma && !python_ && peek() == ']') return false;
      if (take(']')) return true;
      if (!comma) return false;
    }
  }

  /// A tuple whose first item is there already: the comma behind it comes next.
  bool rest_of_tuple(uint32_t& out, char close, unsigned depth) {
    const uint32_t first = out;
    out = node(Kind::Tuple);
    uint32_t last = 0;
    append(out, last, first);
    of(out).count = 1;
    while (true) {
      space();
      const bool comma = take(',');
      space();
      if (close ? peek() == close : at_ >= s_.size()) return true;
      if (!comma) return false;
      uint32_t item = 0;
      if (!value(item, depth + 1)) return false;
      append(out, last, item);
      ++of(out).count;
    }
  }

  bool brackets(uint32_t& out, unsigned depth) {
    ++at_;
    space();
    if (take(')')) {
      out = node(Kind::Tuple);
      return true;
    }
    if (!value(out, depth + 1)) return false;
    space();
    if (peek() == ',' && !rest_of_tuple(out, ')', depth)) return false;
    return take(')');
  }

  // A list, a set or a dict is no key in Python.
  bool hashable(uint32_t n) {
    const Spelled& s = of(n);
    if (s.kind == Kind::List || s.kind == Kind::Set || s.kind == Kind::Dict) return false;
    for (uint32_t child = s.first; child; child = of(child).next)
      if (!hashable(child)) return false;
    return true;
  }

  bool dict(uint32_t& out, unsigned depth) {
    ++at_;
    out = node(Kind::Dict);
    uint32_t last = 0;
    space();
    if (take('}')) return true;
    for (bool begun = false; true; begun = true) {
      uint32_t key = 0, entry = 0;
      if (!python_ && peek() != '"') return false;
      if (!value(key, depth + 1) || !hashable(key)) return false;
      space();
      const bool pair = take(':');
      if (!begun && !pair && python_) of(out).kind = Kind::Set;
      if (pair != (of(out).kind == Kind::Dict)) return false;
      append(out, last, key);
      ++of(out).count;
      if (pair) {
        space();
        if (!value(entry, depth + 1)) return false;
        append(out, last, entry);
        space();
      }
      const bool comma = take(',');
      space();
      if (comma && !python_ && peek() == '}') return false;
      if (take('}')) {
        to_.pairs_ += uint64_t{of(out).count} * of(out).count;
        return true;
      }
      if (!comma) return false;
    }
  }

  // ---- numbers --------------------------------------------------------------------------------------------------------

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  static double to_real(const std::string& s) { return std::strtod(s.c_str(), nullptr); }

  bool json_number(uint32_t& out) {
    const size_t from = at_;
    bool real = false;
    take('-');
    if (!is_digit(peek())) return false;
    if (!take('0'))
      while (is_digit(peek())) ++at_;
    if (peek() == '.' && is_digit(peek(1))) {
      real = true;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    const size_t sign = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
    if ((peek() == 'e' || peek() == 'E') && is_digit(peek(sign))) {
      real = true;
      at_ += sign;
      while (is_digit(peek())) ++at_;
    }
    const std::string_view digits = s_.substr(from, at_ - from);
    int64_t n = 0;
    if (real) return constant(out, Kind::Float, 0, to_real(std::string(digits)));
    if (std::from_chars(digits.data(), digits.data() + digits.size(), n).ec == std::errc()) return constant(out, Kind::Int, n);
    return other(out, digits);
  }

  /// Digits of the base with single `_` between them, appended without those; false when there are none.
  bool digits(std::string& into, int base) {
    const size_t before = into.size();
    while (true) {
      const char c = peek();
      const int d = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;
      if (d < base) into += c, ++at_;
      else if (c == '_' && into.size() > before && is_word(peek(1)) && peek(1) != '_') ++at_;
      else return into.size() > before;
    }
  }

  bool python_number(uint32_t& out) {
    std::string text;
    if (peek() == '-' || peek() == '+') {
      if (s_[at_++] == '-') text = "-";
      space();
    }
    const bool negative = !text.empty();
    int base = 10;
    if (peek() == '0' && peek(1) != '\0') {
      const char c = static_cast<char>(peek(1) | 0x20);
      base = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 10;
      if (base != 10) {
        at_ += 2;
        if (peek() == '_') ++at_;
      }
    }
    const bool whole = digits(text, base);
    bool real = false;
    if (base == 10) {
      if (peek() == '.' && (whole || is_digit(peek(1)))) {
        real = true;
        text += '.';
        ++at_;
        digits(text, 10);
      }
      if (!whole && !real) return false;
      const size_t sign = peek(1) == '+' || peek(1) == '-' ? 2 : 1;
      if ((peek() == 'e' || peek() == 'E') && is_digit(peek(sign))) {
        real = true;
        text += s_.substr(at_, sign);
        at_ += sign;
        digits(text, 10);
      }
    } else if (!whole) {
      return false;
    }
    if (at_ < s_.size() && is_word(s_[at_])) return false;
    if (real) return constant(out, Kind::Float, 0, to_real(text));
    const size_t first = negative ? 1 : 0;
    if (base == 10 && text.size() > first + 1 && text[first] == '0' && text.find_first_not_of('0', first) != std::string::npos) return false;
    int64_t n = 0;
    const auto r = std::from_chars(text.data(), text.data() + text.size(), n, base);
    if (r.ec == std::errc()) return constant(out, Kind::Int, n);
    return base == 10 && other(out, text);
  }

  // ---- texts ----------------------------------------------------------------------------------------------------------

  void put(uint32_t point) {
    if (point >= 0xD800 && point < 0xE000) point = 0xFFFD;  // half a character is none
    uint8_t bytes[4];
    const uint32_t n = encode(point, bytes);
    to_.texts_.append(reinterpret_cast<const char*>(bytes), n);
  }
  bool hex(int n, uint32_t& point) {
    point = 0;
    for (int i = 0; i < n; ++i, ++at_) {
      const char c = peek();
      const int d = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (d < 0) return false;
      point = point << 4 | static_cast<uint32_t>(d);
    }
    return true;
  }

  bool json_text(uint32_t& out) {
    ++at_;
    out = node(Kind::Text);
    const auto begin = static_cast<uint32_t>(to_.texts_.size());
    while (true) {
      if (at_ >= s_.size() || static_cast<uint8_t>(s_[at_]) < 0x20) return false;
      const char c = s_[at_++];
      if (c == '"') break;
      if (c != '\\') {
        to_.texts_ += c;
        continue;
      }
      static constexpr std::string_view kFrom = "\"\\/bfnrt", kTo = "\"\\/\b\f\n\r\t";
      const char e = peek();
      ++at_;
      if (const size_t i = kFrom.find(e); e != '\0' && i != std::string_view::npos) {
        to_.texts_ += kTo[i];
        continue;
      }
      uint32_t point = 0, low = 0;
      if (e != 'u' || !hex(4, point)) return false;
      if (point >= 0xD800 && point < 0xDC00 && peek() == '\\' && peek(1) == 'u') {
        const size_t back = at_;
        at_ += 2;
        if (hex(4, low) && low >= 0xDC00 && low < 0xE000) point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
        else at_ = back;
      }
      put(point);
    }
    of(out).begin = begin;
    of(out).length = static_cast<uint32_t>(to_.texts_.size()) - begin;
    return true;
  }

  bool is_quote() const {
    const char c = peek();
    if (c == '"' || c == '\'') return true;
    return (c == 'r' || c == 'R' || c == 'u' || c == 'U') && (peek(1) == '"' || peek(1) == '\'');
  }

  bool python_text(uint32_t& out) {
    out = node(Kind::Text);
    const auto begin = static_cast<uint32_t>(to_.texts_.size());
    // Texts side by side are one.
    do {
      bool raw = false;
      if (peek() != '"' && peek() != '\'') raw = (s_[at_++] | 0x20) == 'r';
      const char quote = s_[at_];
      const bool triple = peek(1) == quote && peek(2) == quote;
      at_ += triple ? 3 : 1;
      if (!python_body(quote, triple, raw)) return false;
      space();
    } while (is_quote());
    of(out).begin = begin;
    of(out).length = static_cast<uint32_t>(to_.texts_.size()) - begin;
    return true;
  }

  bool python_body(char quote, bool triple, bool raw) {
    while (at_ < s_.size()) {
      const char c = s_[at_++];
      if (c == quote && (!triple || (peek() == quote && peek(1) == quote))) {
        at_ += triple ? 2 : 0;
        return true;
      }
      if (c == '\n' && !triple) return false;
      if (c != '\\') {
        to_.texts_ += c;
        continue;
      }
      if (at_ >= s_.size()) return false;
      const char e = s_[at_++];
      static constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
      uint32_t point = 0;
      if (raw) {
        to_.texts_ += c;
        to_.texts_ += e;
      } else if (const size_t i = kFrom.find(e); i != std::string_view::npos) {
        to_.texts_ += kTo[i];
      } else if (e >= '0' && e <= '7') {
        point = static_cast<uint32_t>(e - '0');
        for (int k = 0; k < 2 && peek() >= '0' && peek() <= '7'; ++k) point = point * 8 + static_cast<uint32_t>(s_[at_++] - '0');
        put(point);
      } else if (e == 'x' || e == 'u' || e == 'U') {
        if (!hex(e == 'x' ? 2 : e == 'u' ? 4 : 8, point) || point > 0x10FFFF) return false;
        put(point);
      } else if (e == 'N') {
        return false;  // characters by their name
      } else if (e != '\n') {
        to_.texts_ += c;
        to_.texts_ += e;
      }
    }
    return false;
  }

  Spelling& to_;
  std::string_view s_;
  bool python_;
  size_t at_ = 0;
};

bool Spelling::parse(std::string_view text, Notation notation) {
  notation_ = notation;
  if (text.size() > (size_t{1} << 28)) return false;
  return SpellingParser(*this, text).document();
}

bool Spelling::equal(const Spelled& a, const Spelled& b) const {
  auto number = [](const Spelled& s) { return s.kind == Kind::Float ? s.real : static_cast<double>(s.number); };
  auto is_number = [](Kind k) { return k == Kind::Bool || k == Kind::Int || k == Kind::Float; };
  if (is_number(a.kind) && is_number(b.kind))
    return a.kind == Kind::Float || b.kind == Kind::Float ? number(a) == number(b) : a.number == b.number;
  if (a.kind != b.kind || a.count != b.count || text(a) != text(b)) return false;
  for (uint32_t x = a.first, y = b.first; x && y; x = nodes_[x].next, y = nodes_[y].next)
    if (!equal(nodes_[x], nodes_[y])) return false;
  return true;
}

void Spelling::write(const Spelled& s, Notation notation, std::string& out) const {
  const bool python = notation == Notation::Python;
  switch (s.kind) {
    case Kind::Null: out += python ? "None" : "null"; return;
    case Kind::Bool: out += s.number ? (python ? "True" : "true") : (python ? "False" : "false"); return;
    case Kind::Int: out += std::to_string(s.number); return;
    case Kind::Float: {
      char buffer[40];
      if (!python && !std::isfinite(s.real)) out += std::isnan(s.real) ? "NaN" : s.real > 0 ? "Infinity" : "-Infinity";
      else out.append(buffer, write_float(s.real, buffer));
      return;
    }
    case Kind::Text:
      if (python) write_python(text(s), out);
      else write_json(text(s), false, out);
      return;
    case Kind::Other:
      // An integer beyond 64 bits is one in JSON, too; `...` is not.
      if (python || notation_ == Notation::Json || text(s).find_first_of("0123456789") != std::string_view::npos) out += text(s);
      else write_json(text(s), false, out);
      return;
    case Kind::List: case Kind::Tuple: case Kind::Set: {
      if (python && s.kind == Kind::Set && s.count == 0) {
        out += "set()";
        return;
      }
      out += !python || s.kind == Kind::List ? '[' : s.kind == Kind::Tuple ? '(' : '{';
      bool begun = false;
      for (uint32_t i = s.first; i; i = nodes_[i].next) {
        bool again = false;
        for (uint32_t k = s.first; s.kind == Kind::Set && k != i && !again; k = nodes_[k].next) again = equal(nodes_[k], nodes_[i]);
        if (again) continue;
        if (begun) out += ", ";
        begun = true;
        write(nodes_[i], notation, out);
      }
      if (python && s.kind == Kind::Tuple && s.count == 1) out += ',';
      out += !python || s.kind == Kind::List ? ']' : s.kind == Kind::Tuple ? ')' : '}';
      return;
    }
    case Kind::Dict: {
      out += '{';
      bool begun = false;
      for (uint32_t i = s.first; i; i = nodes_[nodes_[i].next].next) {
        // The place of the first, the value of the last.
        bool again = false;
        for (uint32_t k = s.first; k != i && !again; k = nodes_[nodes_[k].next].next) again = equal(nodes_[k], nodes_[i]);
        if (again) continue;
        uint32_t entry = nodes_[i].next;
        for (uint32_t k = nodes_[entry].next; k; k = nodes_[nodes_[k].next].next)
          if (equal(nodes_[k], nodes_[i])) entry = nodes_[k].next;
        if (begun) out += ", ";
        begun = true;
        if (python || nodes_[i].kind == Kind::Text) {
          write(nodes_[i], notation, out);
        } else {
          std::string key;
          write(nodes_[i], notation_, key);
          write_json(key, false, out);
        }
        out += ": ";
        write(nodes_[entry], notation, out);
      }
      out += '}';
      return;
    }
  }
}

/// Whether a normal form is surely JSON: most are, and parsing them costs more than this look. Python's has an apostrophe, a
/// backslash, a word or a bracket that JSON does not have, or a brace with no text behind it; and so many brackets may be
/// nested too deep for a reader.
static bool surely_json(std::string_view s) {
  bool inside = false;
  unsigned brackets = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    const char c = s[i];
    if (c == '\'' || c == '\\') return false;
    if (c == '"') inside = !inside;
    if (inside) continue;
    if (std::string_view("(TFNEIi").find(c) != std::string_view::npos) return false;
    if (c == '{' && (i + 1 == s.size() || (s[i + 1] != '"' && s[i + 1] != '}'))) return false;
    if ((c == '{' || c == '[') && ++brackets > 100) return false;
  }
  return !s.empty();
}

std::string_view as_json(std::string_view spelled, std::string& buffer) {
  Spelling s;
  if (surely_json(spelled) || s.parse(spelled, Notation::Json)) return spelled;
  buffer.clear();
  if (s.parse(spelled, Notation::Python)) s.write(s.root(), Notation::Json, buffer);
  else write_json(spelled, false, buffer);
  return buffer;
}

namespace {
void put_hex(std::string& out, std::string_view lead, uint32_t v, int digits) {
  static const char hex[] = "0123456789abcdef";
  out += lead;
  for (int i = digits - 1; i >= 0; --i) out += hex[v >> (4 * i) & 15];
}
}  // namespace

void write_python(std::string_view s, std::string& out) {
  const char quote = s.find('\'') != std::string_view::npos && s.find('"') == std::string_view::npos ? '"' : '\'';
  out += quote;
  const auto* p = reinterpret_cast<const uint8_t*>(s.data());
  for (size_t i = 0; i < s.size();) {
    uint32_t n = 0;
    const uint32_t point = decode(p + i, s.size() - i, &n);
    if (point == static_cast<uint8_t>(quote) || point == '\\') out += '\\', out += static_cast<char>(point);
    else if (point == '\n') out += "\\n";
    else if (point == '\r') out += "\\r";
    else if (point == '\t') out += "\\t";
    else if (is_printable(point)) out += s.substr(i, n);
    else if (point < 0x100) put_hex(out, "\\x", point, 2);
    else if (point < 0x10000) put_hex(out, "\\u", point, 4);
    else put_hex(out, "\\U", point, 8);
    i += n;
  }
  out += quote;
}

void write_json(std::string_view s, bool ascii, std::string& out) {
  static constexpr std::string_view kFrom = "\"\\\b\f\n\r\t", kTo = "\"\\bfnrt";
  out += '"';
  const auto* p = reinterpret_cast<const uint8_t*>(s.data());
  for (size_t i = 0; i < s.size();) {
    uint32_t n = 0;
    const uint32_t point = decode(p + i, s.size() - i, &n);
    if (point < 0x80) {
      const size_t k = kFrom.find(static_cast<char>(point));
      if (k != std::string_view::npos) out += '\\', out += kTo[k];
      else if (point < 0x20) put_hex(out, "\\u", point, 4);
      else out += static_cast<char>(point);
    } else if (!ascii) {
      out += s.substr(i, n);
    } else if (point < 0x10000) {
      put_hex(out, "\\u", point, 4);
    } else {
      put_hex(out, "\\u", 0xD800 + ((point - 0x10000) >> 10), 4);
      put_hex(out, "\\u", 0xDC00 + ((point - 0x10000) & 0x3FF), 4);
    }
    i += n;
  }
  out += '"';
}

}  // namespace ppc::text
