#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "runtime/text/utf8.h"
#include "trainers/model/jinja_parts.h"

namespace ppc::model::jinja {
namespace {

constexpr size_t npos = std::string_view::npos;

const uint8_t* at(std::string_view s, size_t i) { return reinterpret_cast<const uint8_t*>(s.data()) + i; }

void append_utf8(std::string& to, uint32_t point) {
  uint8_t bytes[4];
  to.append(reinterpret_cast<const char*>(bytes), text::encode(point, bytes));
}

using CaseMap = int32_t (*)(UChar*, int32_t, const UChar*, int32_t, UErrorCode*);
int32_t to_upper(UChar* to, int32_t n, const UChar* from, int32_t m, UErrorCode* e) { return u_strToUpper(to, n, from, m, "", e); }
int32_t to_lower(UChar* to, int32_t n, const UChar* from, int32_t m, UErrorCode* e) { return u_strToLower(to, n, from, m, "", e); }
int32_t to_title(UChar* to, int32_t n, const UChar* from, int32_t m, UErrorCode* e) { return u_strToTitle(to, n, from, m, nullptr, "", e); }

/// Appends the character that stands at `i`, mapped.
void append_mapped(Text& to, const Text& from, size_t i, size_t end, CaseMap map) {
  const std::string_view s = from.bytes();
  std::string mapped;
  if (end - i == 1 && static_cast<uint8_t>(s[i]) < 0x80) {
    const char c = s[i];
    mapped = map == to_lower ? (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) : (c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c);
  } else if (end - i == 1) {
    mapped = s[i];  // no character
  } else {
    UChar in[2], out[8];
    int32_t n = 0;
    U16_APPEND_UNSAFE(in, n, static_cast<UChar32>(char_at(s, i)));
    UErrorCode error = U_ZERO_ERROR;
    const int32_t length = map(out, 8, in, n, &error);
    if (U_FAILURE(error)) throw engine::SystemError(std::string("ICU: ") + u_errorName(error));
    for (int32_t k = 0; k < length;) {
      UChar32 c;
      U16_NEXT(out, k, length, c);
      append_utf8(mapped, static_cast<uint32_t>(c));
    }
  }
  if (mapped == s.substr(i, end - i)) to.append(from, i, end);
  else to.append_changed(mapped, from.source_at(i));
}
/// Whether the capital sigma at `i` ends a word, so that its small form is another.
bool ends_word(std::string_view s, size_t begin, size_t i, size_t next, size_t end) {
  const auto ignorable = [&](size_t k) { return u_hasBinaryProperty(static_cast<UChar32>(char_at(s, k)), UCHAR_CASE_IGNORABLE); };
  const auto cased = [&](size_t k) { return u_hasBinaryProperty(static_cast<UChar32>(char_at(s, k)), UCHAR_CASED); };
  size_t k = i;
  do {
    if (k == begin) return false;
    k = previous_char(s, k);
  } while (ignorable(k));
  if (!cased(k)) return false;
  for (k = next; k < end; k = next_char(s, k))
    if (!ignorable(k)) return !cased(k);
  return true;
}
/// Characters from `begin` to `end`, small; what is around a sigma is looked for in the part.
void append_lower(Text& to, const Text& from, size_t begin, size_t end, size_t part_begin, size_t part_end) {
  const std::string_view s = from.bytes();
  for (size_t i = begin, next; i < end; i = next) {
    next = next_char(s, i);
    if (next - i == 2 && char_at(s, i) == 0x3A3) {
      to.append_changed(ends_word(s, part_begin, i, next, part_end) ? "ς" : "σ", from.source_at(i));
    } else {
      append_mapped(to, from, i, next, to_lower);
    }
  }
}

bool is_printable(uint32_t c) {
  if (c == ' ') return true;
  const auto mask = U_GET_GC_MASK(static_cast<UChar32>(c));
  return (mask & (U_GC_C_MASK | U_GC_Z_MASK)) == 0;
}
std::string hex(uint32_t v, int digits) {
  static const char kDigits[] = "0123456789abcdef";
  std::string out(static_cast<size_t>(digits), '0');
  for (int i = digits; i-- > 0; v >>= 4) out[static_cast<size_t>(i)] = kDigits[v & 15];
  return out;
}
bool is_line_end(uint32_t c) {
  return (c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
}
std::string reversed(std::string_view s) { return {s.rbegin(), s.rend()}; }

}  // namespace

// Text

Text::Text(std::string bytes, int32_t source) : bytes_(std::move(bytes)) {
  if (source != kTemplate && !bytes_.empty()) runs_.push_back({static_cast<uint32_t>(bytes_.size()), source, 0});
}
void Text::add_run(uint32_t size, int32_t source, uint32_t offset) {  // before the bytes are
  if (size == 0 || (source == kTemplate && runs_.empty())) return;
  const auto before = static_cast<uint32_t>(bytes_.size());
  if (runs_.empty() && before > 0) runs_.push_back({before, kTemplate, 0});
  if (source == kTemplate) offset = 0;
  if (!runs_.empty()) {
    Run& last = runs_.back();
    const uint32_t begin = runs_.size() > 1 ? runs_[runs_.size() - 2].end : 0;
    const bool goes_on = last.source == source && (source == kTemplate || (offset == kChanged ? last.offset == kChanged : last.offset != kChanged && last.offset + (before - begin) == offset));
    if (goes_on) {
      last.end += size;
      return;
    }
  }
  runs_.push_back({before + size, source, offset});
}
void Text::append(std::string_view of_template) {
  add_run(static_cast<uint32_t>(of_template.size()), kTemplate, 0);
  bytes_ += of_template;
}
void Text::append(const Text& t) { append(t, 0, t.size()); }
void Text::append(const Text& t, size_t begin, size_t end) {
  if (begin >= end) return;
  if (t.runs_.empty()) return append(std::string_view(t.bytes_).substr(begin, end - begin));
  auto run = std::upper_bound(t.runs_.begin(), t.runs_.end(), begin, [](size_t b, const Run& r) { return b < r.end; });
  uint32_t run_begin = run == t.runs_.begin() ? 0 : (run - 1)->end;
  for (auto i = static_cast<uint32_t>(begin); i < end; run_begin = run->end, ++run) {
    const auto stop = static_cast<uint32_t>(std::min<size_t>(end, run->end));
    add_run(stop - i, run->source, run->offset == kChanged ? kChanged : run->offset + (i - run_begin));
    bytes_.append(t.bytes_, i, stop - i);
    i = stop;
  }
}
void Text::append_changed(std::string_view s, int32_t source) {
  add_run(static_cast<uint32_t>(s.size()), source, kChanged);
  bytes_ += s;
}
Text Text::part(size_t begin, size_t end) const {
  Text out;
  out.append(*this, begin, end);
  return out;
}
int32_t Text::source_at(size_t byte) const {
  const auto run = std::upper_bound(runs_.begin(), runs_.end(), byte, [](size_t b, const Run& r) { return b < r.end; });
  return run == runs_.end() ? kTemplate : run->source;
}

// Characters

bool is_space(uint32_t c) {
  if (c < 0x80) return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}
uint32_t char_at(std::string_view s, size_t i) {
  uint32_t length;
  return text::decode(at(s, i), s.size() - i, &length);
}
size_t next_char(std::string_view s, size_t i) {
  uint32_t length;
  text::decode(at(s, i), s.size() - i, &length);
  return i + length;
}
size_t previous_char(std::string_view s, size_t i) {
  for (size_t back = 2; back <= 4 && back <= i; ++back)
    if (next_char(s, i - back) == i) return i - back;
  return i - 1;
}
size_t count_chars(std::string_view s) {
  size_t n = 0;
  for (size_t i = 0; i < s.size(); i = next_char(s, i)) ++n;
  return n;
}

size_t find_text(std::string_view in, std::string_view what, size_t from) {
  // By growing windows: a sanitizer looks at all that memmem is given, each time.
  for (size_t window = 4096; from <= in.size(); window *= 2) {
    const size_t size = std::min(in.size() - from, window + what.size());
    const void* p = ::memmem(in.data() + from, size, what.data(), what.size());
    if (p) return static_cast<size_t>(static_cast<const char*>(p) - in.data());
    if (size == in.size() - from) break;
    from += window;
  }
  return npos;
}
size_t rfind_text(std::string_view in, std::string_view what) {
  const size_t p = find_text(reversed(in), reversed(what));
  return p == npos ? npos : in.size() - p - what.size();
}

// Cutting

Text strip(const Text& t, const std::string* chars, bool left, bool right) {
  const std::string_view s = t.bytes();
  const auto goes = [&](size_t i, size_t next) {
    return chars ? find_text(*chars, s.substr(i, next - i)) != npos : is_space(char_at(s, i));
  };
  size_t begin = 0, end = s.size();
  if (left)
    for (size_t next; begin < end && goes(begin, next = next_char(s, begin));) begin = next;
  if (right)
    for (size_t last; end > begin && goes(last = previous_char(s, end), end);) end = last;
  return t.part(begin, end);
}

std::vector<Text> split(const Text& t, const std::string* separator, int64_t most, bool from_right) {
  const std::string_view s = t.bytes();
  std::vector<std::pair<size_t, size_t>> parts;  // bytes
  const auto more = [&] { return most < 0 || static_cast<int64_t>(parts.size()) < most; };
  if (!from_right) {
    size_t begin = 0;
    if (separator) {
      for (size_t p; more() && (p = find_text(s, *separator, begin)) != npos; begin = p + separator->size()) parts.push_back({begin, p});
      parts.push_back({begin, s.size()});
    } else {
      for (;;) {
        while (begin < s.size() && is_space(char_at(s, begin))) begin = next_char(s, begin);
        if (begin == s.size()) break;
        size_t end = begin;
        if (more()) {
          while (end < s.size() && !is_space(char_at(s, end))) end = next_char(s, end);
          parts.push_back({begin, end});
          begin = end;
        } else {
          parts.push_back({begin, s.size()});
          break;
        }
      }
    }
  } else {
    size_t end = s.size();
    if (separator) {
      const std::string back = reversed(s), what = reversed(*separator);
      for (size_t p; more() && (p = find_text(back, what, s.size() - end)) != npos;) {
        const size_t cut = s.size() - p;
        parts.push_back({cut, end});
        end = cut - what.size();
      }
      parts.push_back({0, end});
    } else {
      for (;;) {
        while (end > 0 && is_space(char_at(s, previous_char(s, end)))) end = previous_char(s, end);
        if (end == 0) break;
        if (!more()) {
          parts.push_back({0, end});
          break;
        }
        size_t begin = end;
        while (begin > 0 && !is_space(char_at(s, previous_char(s, begin)))) begin = previous_char(s, begin);
        parts.push_back({begin, end});
        end = begin;
      }
    }
    std::reverse(parts.begin(), parts.end());
  }
  std::vector<Text> out;
  out.reserve(parts.size());
  for (const auto& [begin, end] : parts) out.push_back(t.part(begin, end));
  return out;
}
std::vector<Text> split_lines(const Text& t) {
  const std::string_view s = t.bytes();
  std::vector<Text> out;
  size_t begin = 0;
  for (size_t i = 0; i < s.size();) {
    size_t next = next_char(s, i);
    if (is_line_end(char_at(s, i))) {
      if (s[i] == '\r' && next < s.size() && s[next] == '\n') ++next;
      out.push_back(t.part(begin, i));
      begin = next;
    }
    i = next;
  }
  if (begin < s.size()) out.push_back(t.part(begin, s.size()));
  return out;
}
Text replaced(const Text& t, std::string_view from, const Text& to, int64_t most) {
  const std::string_view s = t.bytes();
  Text out;
  size_t done = 0;
  int64_t count = 0;
  if (from.empty()) {  // between all characters
    for (size_t i = 0;; i = next_char(s, i)) {
      if (most >= 0 && count++ >= most) break;
      out.append(t, done, i);
      out.append(to);
      done = i;
      if (i == s.size()) break;
    }
  } else {
    for (size_t p; (most < 0 || count < most) && (p = find_text(s, from, done)) != npos; ++count) {
      out.append(t, done, p);
      out.append(to);
      done = p + from.size();
    }
  }
  out.append(t, done, s.size());
  return out;
}

// Case

Text upper(const Text& t) {
  Text out;
  for (size_t i = 0, next; i < t.size(); i = next) append_mapped(out, t, i, next = next_char(t.bytes(), i), to_upper);
  return out;
}
Text lower(const Text& t) {
  Text out;
  append_lower(out, t, 0, t.size(), 0, t.size());
  return out;
}
Text capitalized(const Text& t) {
  Text out;
  if (t.empty()) return out;
  const size_t second = next_char(t.bytes(), 0);
  append_mapped(out, t, 0, second, to_title);
  append_lower(out, t, second, t.size(), 0, t.size());
  return out;
}
Text titled(const Text& t) {
  Text out;
  bool in_word = false;
  for (size_t i = 0, next; i < t.size(); i = next) {
    next = next_char(t.bytes(), i);
    if (in_word) append_lower(out, t, i, next, 0, t.size());
    else append_mapped(out, t, i, next, to_title);
    in_word = u_hasBinaryProperty(static_cast<UChar32>(char_at(t.bytes(), i)), UCHAR_CASED);
  }
  return out;
}
Text words_titled(const Text& t) {
  const std::string_view s = t.bytes();
  const auto between = [&](size_t i) { return is_space(char_at(s, i)) || std::strchr("-({[<", s[i] ? s[i] : 'a'); };
  Text out;
  for (size_t i = 0; i < s.size();) {
    size_t end = i;
    const bool gap = between(i);
    while (end < s.size() && between(end) == gap) end = next_char(s, end);
    if (gap) {
      out.append(t, i, end);
    } else {
      const size_t second = next_char(s, i);
      append_mapped(out, t, i, second, to_upper);
      append_lower(out, t, second, end, second, end);
    }
    i = end;
  }
  return out;
}

// Writing

void append_repr(Text& to, const Text& t) {
  const std::string_view s = t.bytes();
  const char quote = s.find('\'') != npos && s.find('"') == npos ? '"' : '\'';
  to.append(std::string(1, quote));
  size_t done = 0;
  for (size_t i = 0, next; i < s.size(); i = next) {
    next = next_char(s, i);
    const uint32_t c = char_at(s, i);
    std::string written;
    if (c == '\\' || c == static_cast<uint32_t>(quote)) written = {'\\', s[i]};
    else if (c == '\n') written = "\\n";
    else if (c == '\r') written = "\\r";
    else if (c == '\t') written = "\\t";
    else if (next - i == 1 && c >= 0x80) continue;  // no character
    else if (is_printable(c)) continue;
    else written = c < 0x100 ? "\\x" + hex(c, 2) : c < 0x10000 ? "\\u" + hex(c, 4) : "\\U" + hex(c, 8);
    to.append(t, done, i);
    to.append_changed(written, t.source_at(i));
    done = next;
  }
  to.append(t, done, s.size());
  to.append(std::string(1, quote));
}
void append_json(Text& to, const Text& t, bool ascii) {
  const std::string_view s = t.bytes();
  to.append("\"");
  size_t done = 0;
  for (size_t i = 0, next; i < s.size(); i = next) {
    next = next_char(s, i);
    const uint32_t c = char_at(s, i);
    std::string written;
    if (c == '"' || c == '\\') written = {'\\', s[i]};
    else if (c == '\n') written = "\\n";
    else if (c == '\r') written = "\\r";
    else if (c == '\t') written = "\\t";
    else if (c == '\b') written = "\\b";
    else if (c == '\f') written = "\\f";
    else if (c < 0x20) written = "\\u" + hex(c, 4);
    else if (c < 0x80 || !ascii) {
      if (!(ascii && c == 0x7f)) continue;
      written = "\\u007f";
    } else if (c < 0x10000) written = "\\u" + hex(c, 4);
    else written = "\\u" + hex(0xD7C0 + (c >> 10), 4) + "\\u" + hex(0xDC00 + (c & 0x3FF), 4);
    to.append(t, done, i);
    to.append_changed(written, t.source_at(i));
    done = next;
  }
  to.append(t, done, s.size());
  to.append("\"");
}
std::string repr(double v) {
  if (std::isnan(v)) return "nan";
  if (std::isinf(v)) return v < 0 ? "-inf" : "inf";
  char buffer[40];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, v, std::chars_format::scientific).ptr;
  const std::string_view s(buffer, static_cast<size_t>(end - buffer));
  const size_t e = s.find('e');
  int exponent = 0;
  std::from_chars(s.data() + e + 1 + (s[e + 1] == '+'), end, exponent);
  std::string digits;
  for (char c : s.substr(0, e))
    if (c >= '0' && c <= '9') digits += c;
  std::string out = s[0] == '-' ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    out += digits.substr(0, 1);
    if (digits.size() > 1) out += "." + digits.substr(1);
    const std::string power = std::to_string(std::abs(exponent));
    return out + (exponent < 0 ? "e-" : "e+") + (power.size() < 2 ? "0" : "") + power;
  }
  if (exponent < 0) return out + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  const auto whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return out + digits + std::string(whole - digits.size(), '0') + ".0";
  return out + digits.substr(0, whole) + "." + digits.substr(whole);
}

// Reading

bool parse_int(std::string_view given, int base, int64_t* out) {
  const Text stripped = strip(Text(std::string(given)), nullptr, true, true);
  std::string_view s = stripped.bytes();
  bool negative = false;
  if (!s.empty() && (s[0] == '-' || s[0] == '+')) negative = s[0] == '-', s.remove_prefix(1);
  bool prefixed = false;
  if (s.size() >= 2 && s[0] == '0') {
    const char p = static_cast<char>(s[1] | 0x20);
    const int named = p == 'x' ? 16 : p == 'o' ? 8 : p == 'b' ? 2 : 0;
    if (named && (base == named || base == 0)) base = named, s.remove_prefix(2), prefixed = true;
  }
  const bool zero_only = base == 0 && !s.empty() && s[0] == '0';  // int("012", 0) is none
  if (base == 0) base = 10;
  uint64_t value = 0;
  bool digit_before = false, large = false;
  if (prefixed && s.starts_with('_')) s.remove_prefix(1);
  for (size_t i = 0; i < s.size(); i = next_char(s, i)) {
    const uint32_t c = char_at(s, i);
    if (c == '_' && digit_before && i + 1 < s.size()) {
      digit_before = false;
      continue;
    }
    int d = c < 0x80 ? (c >= '0' && c <= '9' ? static_cast<int>(c - '0') : (c | 0x20) >= 'a' && (c | 0x20) <= 'z' ? static_cast<int>((c | 0x20) - 'a') + 10 : -1)
                     : u_charDigitValue(static_cast<UChar32>(c));
    if (d < 0 || d >= base || (zero_only && d > 0)) return false;
    digit_before = true;
    if (!large) large = __builtin_mul_overflow(value, static_cast<uint64_t>(base), &value) || __builtin_add_overflow(value, static_cast<uint64_t>(d), &value);
  }
  if (!digit_before) return false;
  if (large || value > static_cast<uint64_t>(INT64_MAX)) throw std::out_of_range("a number beyond 64 bits");
  *out = negative ? -static_cast<int64_t>(value) : static_cast<int64_t>(value);
  return true;
}
bool parse_float(std::string_view given, double* out) {
  std::string s;
  const Text stripped = strip(Text(std::string(given)), nullptr, true, true);
  for (size_t i = 0; i < stripped.size(); ++i) {
    const char c = stripped.bytes()[i];
    if (c == '_') {
      const auto digit = [&](size_t k) { return k < stripped.size() && stripped.bytes()[k] >= '0' && stripped.bytes()[k] <= '9'; };
      if (i == 0 || !digit(i - 1) || !digit(i + 1)) return false;
    } else {
      s += c;
    }
  }
  std::string_view v = s;
  if (v.starts_with('+') && !v.starts_with("+-")) v.remove_prefix(1);
  std::string small;
  for (char c : v) small += static_cast<char>(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
  if (small == "nan" || small == "-nan") return *out = NAN, true;
  if (small == "inf" || small == "infinity") return *out = INFINITY, true;
  if (small == "-inf" || small == "-infinity") return *out = -INFINITY, true;
  if (v.empty() || !std::all_of(v.begin(), v.end(), [](char c) { return (c >= '0' && c <= '9') || std::strchr("+-.eE", c); })) return false;
  const auto r = std::from_chars(v.data(), v.data() + v.size(), *out);
  if (r.ptr != v.data() + v.size()) return false;
  if (r.ec == std::errc::result_out_of_range) *out = std::strtod(std::string(v).c_str(), nullptr);
  else if (r.ec != std::errc()) return false;
  return true;
}

bool all_chars(std::string_view s, Chars what) {
  bool any = false;
  for (size_t i = 0; i < s.size(); i = next_char(s, i)) {
    const auto c = static_cast<UChar32>(char_at(s, i));
    const auto mask = U_GET_GC_MASK(c);
    const auto numeric = u_getIntPropertyValue(c, UCHAR_NUMERIC_TYPE);
    switch (what) {
      case Chars::Decimal: any = (mask & U_GC_ND_MASK) != 0; break;
      case Chars::Digit: any = numeric == U_NT_DECIMAL || numeric == U_NT_DIGIT; break;
      case Chars::Alpha: any = (mask & U_GC_L_MASK) != 0; break;
      case Chars::Alnum: any = (mask & U_GC_L_MASK) != 0 || numeric != U_NT_NONE; break;
      case Chars::Space: any = is_space(static_cast<uint32_t>(c)); break;
      case Chars::Upper:
      case Chars::Lower: {
        const bool up = u_hasBinaryProperty(c, UCHAR_UPPERCASE) || (mask & U_GC_LT_MASK), down = u_hasBinaryProperty(c, UCHAR_LOWERCASE);
        if (what == Chars::Upper ? down || (mask & U_GC_LT_MASK) : up) return false;
        any = any || (what == Chars::Upper ? up : down);
        continue;
      }
    }
    if (!any) return false;
  }
  return any;
}

}  // namespace ppc::model::jinja
