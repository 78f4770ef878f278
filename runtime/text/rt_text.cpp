// Texts. ASCII goes without ICU and mostly without a copy: parts of a text are references into it.
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include <charconv>
#include <cmath>

#include "runtime/abi/heap.h"
#include "runtime/text/unicode.h"
#include "runtime/text/notation.h"
#include "runtime/text/utf8.h"

using namespace ppc::rt;
namespace tx = ppc::text;

namespace {

// ---- ASCII classes ------------------------------------------------------------------------------------------------

enum : uint8_t { kLower = 1, kUpper = 2, kDigit = 4, kSpace = 8, kPunct = 16 };
struct Classes {
  uint8_t of[256] = {};
  constexpr Classes() {
    for (int c = 'a'; c <= 'z'; ++c) of[c] = kLower;
    for (int c = 'A'; c <= 'Z'; ++c) of[c] = kUpper;
    for (int c = '0'; c <= '9'; ++c) of[c] = kDigit;
    for (int c = 9; c <= 13; ++c) of[c] = kSpace;
    for (int c = 28; c <= 32; ++c) of[c] = kSpace;
    for (int c = 33; c < 127; ++c) {
      if (of[c] == 0) of[c] = kPunct;
    }
  }
};
constexpr Classes kClasses;
inline bool has(uint8_t byte, uint8_t classes) { return (kClasses.of[byte] & classes) != 0; }

inline int64_t known_ascii(int64_t v) { return v == 0 ? 0 : PPC_TEXT(PPC_SEGMENT(v), 1, PPC_OFFSET(v), PPC_LENGTH(v)); }
inline bool ascii(const Text& t) { return t.ascii || tx::is_ascii(t.p, t.n); }

/// First place of `what` (k > 0 bytes), or null. Short ones: sixteen places at a time by their first and last byte,
/// which beats memmem's preparation; places that only look right are paid for.
const uint8_t* find_bytes(ppc_ctx* c, const uint8_t* p, size_t n, const uint8_t* what, size_t k) {
  if (k > n) return nullptr;
  if (k == 1) return static_cast<const uint8_t*>(std::memchr(p, *what, n));
#ifdef __SSE2__
  if (k <= 32) {
    const __m128i first = _mm_set1_epi8(static_cast<char>(what[0])),
                  last = _mm_set1_epi8(static_cast<char>(what[k - 1]));
    const auto at = [](const uint8_t* q) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(q)); };
    size_t i = 0;
    uint32_t wrong = 0;
    for (; i + k + 15 <= n; i += 16) {
      const __m128i both = _mm_and_si128(_mm_cmpeq_epi8(at(p + i), first), _mm_cmpeq_epi8(at(p + i + k - 1), last));
      for (auto mask = static_cast<uint32_t>(_mm_movemask_epi8(both)); mask != 0; mask &= mask - 1) {
        const size_t place = i + static_cast<size_t>(__builtin_ctz(mask));
        if (same_bytes(p + place + 1, what + 1, static_cast<uint32_t>(k - 1))) return p + place;
        if ((++wrong & 31) == 0) charge(c, 1);
      }
    }
    for (; i + k <= n; ++i) {
      if (p[i] == what[0] && std::memcmp(p + i, what, k) == 0) return p + i;
    }
    return nullptr;
  }
#endif
  (void)c;
  return static_cast<const uint8_t*>(memmem(p, n, what, k));
}

/// The first punctuation character in [i, end), or end.
uint32_t next_punctuation(const uint8_t* p, uint32_t i, uint32_t end) {
#ifdef __SSE2__
  const auto all = [](char ch) { return _mm_set1_epi8(ch); };
  for (; i + 16 <= end; i += 16) {
    // What is printable (bytes from 0x80 on are negative), but neither letter nor digit.
    const __m128i x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + i)), letter = _mm_or_si128(x, all(0x20));
    const __m128i printable = _mm_and_si128(_mm_cmpgt_epi8(x, all(32)), _mm_cmplt_epi8(x, all(127)));
    const __m128i alpha = _mm_and_si128(_mm_cmpgt_epi8(letter, all('a' - 1)), _mm_cmplt_epi8(letter, all('z' + 1)));
    const __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(x, all('0' - 1)), _mm_cmplt_epi8(x, all('9' + 1)));
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(_mm_andnot_si128(_mm_or_si128(alpha, digit), printable)));
    if (mask != 0) return i + static_cast<uint32_t>(__builtin_ctz(mask));
  }
#endif
  while (i < end && !has(p[i], kPunct)) ++i;
  return i;
}

bool space_at(const uint8_t* p, size_t n, uint32_t* length) {
  if (*p < 0x80) {
    *length = 1;
    return has(*p, kSpace);
  }
  return tx::is_space(tx::decode(p, n, length));
}

uint32_t skip_spaces(const Text& t, uint32_t i) {
  uint32_t length = 0;
  while (i < t.n && space_at(t.p + i, t.n - i, &length)) i += length;
  return i;
}
uint32_t skip_spaces_back(const Text& t, uint32_t from, uint32_t end) {
  while (end > from) {
    uint32_t at = end - 1;
    while (at > from && (t.p[at] & 0xC0) == 0x80) --at;
    uint32_t length = 0;
    if (!space_at(t.p + at, end - at, &length) || at + length != end) break;
    end = at;
  }
  return end;
}

// ---- case ---------------------------------------------------------------------------------------------------------

/// Changes the case of ASCII letters; `from` is the class that changes.
int64_t ascii_case(ppc_ctx* c, int64_t v, const Text& t, uint8_t from, uint32_t begin) {
  const uint8_t first = from == kUpper ? 'A' : 'a';
  uint32_t i = begin;
  if (t.n >= 8) {
    for (; i + 8 <= t.n; i += 8) {
      if (tx::letters_of_case(load<uint64_t>(t.p + i), first) != 0) break;
    }
    if (i + 8 > t.n && i < t.n && t.n - 8 >= begin && tx::letters_of_case(load<uint64_t>(t.p + t.n - 8), first) == 0) i = t.n;
  }
  while (i < t.n && static_cast<uint8_t>(t.p[i] - first) >= 26) ++i;
  if (i >= t.n) return known_ascii(v);
  const uint32_t to = scratch_bytes(c, t.n);
  uint8_t* out = c->seg[PPC_SCRATCH] + to;
  copy_bytes(out, t.p, i);
  for (; i + 8 <= t.n; i += 8) {
    const uint64_t w = load<uint64_t>(t.p + i);
    store(out + i, w ^ tx::letters_of_case(w, first) >> 2);
  }
  for (; i < t.n; ++i) {
    const uint8_t b = t.p[i];
    out[i] = b ^ (static_cast<uint8_t>(b - first) < 26 ? 0x20 : 0);
  }
  return PPC_TEXT(PPC_SCRATCH, 1, to, t.n);
}

using Mapping = size_t (*)(const uint8_t*, size_t, uint8_t*, size_t);

/// Appends the mapped bytes at the top of the scratch.
uint32_t map_to_scratch(ppc_ctx* c, const uint8_t* p, uint32_t n, Mapping mapping) {
  charge(c, 1 + n / 8);
  const size_t length = mapping(p, n, c->seg[PPC_SCRATCH] + c->scratch_top, c->scratch_cap - c->scratch_top);
  if (PPC_UNLIKELY(length == SIZE_MAX)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  scratch_bytes(c, length);
  return static_cast<uint32_t>(length);
}
int64_t unicode_case(ppc_ctx* c, const Text& t, Mapping mapping) {
  Out out(c);
  map_to_scratch(c, t.p, t.n, mapping);
  const uint32_t n = c->scratch_top - out.start;
  out.ascii = tx::is_ascii(c->seg[PPC_SCRATCH] + out.start, n);
  return out.done();
}

/// The bytes of a text of 4 to 8 bytes, some of them twice.
inline uint64_t short_word(const Text& t) {
  return static_cast<uint64_t>(load<uint32_t>(t.p)) << 32 | load<uint32_t>(t.p + t.n - 4);
}

inline int64_t lowered(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  if (t.n - 4 <= 4) {  // a word that has nothing to lower
    const uint64_t w = short_word(t);
    if ((w & 0x8080808080808080u) == 0 && tx::upper_case(w) == 0) return known_ascii(v);
  }
  charge_bytes(c, t.n);
  return ascii(t) ? ascii_case(c, v, t, kUpper, 0) : unicode_case(c, t, tx::lower);
}

// ---- classes ------------------------------------------------------------------------------------------------------

template <class OfPoint>
bool all_of(ppc_ctx* c, int64_t v, uint8_t classes, OfPoint of_point) {
  const Text t = text(c, v);
  charge_bytes(c, t.n);
  uint32_t i = 0;
  while (i < t.n) {
    if (t.p[i] < 0x80) {
      if (!has(t.p[i], classes)) return false;
      ++i;
    } else {
      uint32_t length = 0;
      if (!of_point(tx::decode(t.p + i, t.n - i, &length))) return false;
      i += length;
    }
  }
  return t.n > 0;
}

/// Python's islower and isupper: some cased character, and none of the other case.
bool cased(ppc_ctx* c, int64_t v, bool lower) {
  const Text t = text(c, v);
  charge_bytes(c, t.n);
  bool seen = false;
  for (uint32_t i = 0; i < t.n;) {
    const uint8_t b = t.p[i];
    if (b < 0x80) {
      if (has(b, lower ? kUpper : kLower)) return false;
      seen = seen || has(b, lower ? kLower : kUpper);
      ++i;
    } else {
      uint32_t length = 0;
      const uint32_t point = tx::decode(t.p + i, t.n - i, &length);
      if (tx::is_title(point) || (lower ? tx::is_upper(point) : tx::is_lower(point))) return false;
      seen = seen || (lower ? tx::is_lower(point) : tx::is_upper(point));
      i += length;
    }
  }
  return seen;
}

/// Python's int(text): white space around (but none of U+001C..1F), a sign, digits of any script, single underscores
/// between them.
bool parse_int(ppc_ctx* c, int64_t v, int64_t* result) {
  const Text t = text(c, v);
  charge_bytes(c, t.n);
  uint32_t i = skip_spaces(t, 0);
  const uint32_t end = skip_spaces_back(t, i, t.n);
  const auto separator = [&](uint32_t from, uint32_t to) {
    for (; from < to; ++from) {
      if (t.p[from] >= 0x1C && t.p[from] <= 0x1F) return true;
    }
    return false;
  };
  if (separator(0, i) || separator(end, t.n)) return false;
  if (i == end) return false;
  const bool negative = t.p[i] == '-';
  if (negative || t.p[i] == '+') ++i;
  int64_t value = 0;
  bool digit_before = false;
  while (i < end) {
    if (t.p[i] == '_') {
      if (!digit_before) return false;
      digit_before = false;
      ++i;
      continue;
    }
    uint32_t length = 1;
    const int digit = t.p[i] < 0x80 ? (has(t.p[i], kDigit) ? t.p[i] - '0' : -1)
                                    : tx::decimal_value(tx::decode(t.p + i, end - i, &length));
    if (digit < 0) return false;
    if (__builtin_mul_overflow(value, int64_t{10}, &value)) return false;
    if (negative ? __builtin_sub_overflow(value, int64_t{digit}, &value)
                 : __builtin_add_overflow(value, int64_t{digit}, &value)) {
      return false;
    }
    digit_before = true;
    i += length;
  }
  *result = value;
  return digit_before;
}

int64_t letters(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  charge_items(c, t.n);
  if (t.ascii) {
    const int64_t to = new_list(c, PPC_SCRATCH, t.n, t.n);
    uint8_t* p = items_of(c, to);
    const int64_t first = PPC_TEXT(PPC_SEGMENT(v), 1, PPC_OFFSET(v), 1);
    for (uint32_t i = 0; i < t.n; ++i) store(p + 8 * static_cast<size_t>(i), first + (static_cast<int64_t>(i) << 28));
    return to;
  }
  ListOut out(c);
  for (uint32_t i = 0; i < t.n;) {
    const uint32_t length = tx::point_length(t.p + i, t.n - i);
    out.put(part(v, i, length, t.p[i] < 0x80));
    i += length;
  }
  return out.done();
}

#ifdef __SSE2__
/// Sixteen places at a time; space is asked for once for all of them.
int64_t split_at_byte(ppc_ctx* c, int64_t v, uint8_t separator) {
  const Text t = text(c, v);
  charge_bytes(c, t.n);
  ListOut out(c);
  const int64_t head = PPC_TEXT(PPC_SEGMENT(v), t.ascii, PPC_OFFSET(v), 0);
  const __m128i wanted = _mm_set1_epi8(static_cast<char>(separator));
  uint32_t from = 0, i = 0;
  const auto places = [&](uint32_t base, uint32_t but) {  // the separators in 16 bytes, without the first `but`
    const __m128i here = _mm_loadu_si128(reinterpret_cast<const __m128i*>(t.p + base));
    auto mask = static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(here, wanted))) >> but << but;
    if (mask == 0) return;
    const uint32_t space = scratch_bytes(c, 8 * 16);
    uint8_t* p = c->seg[PPC_SCRATCH] + space;
    for (; mask != 0; mask &= mask - 1, p += 8) {
      const uint32_t at = base + static_cast<uint32_t>(__builtin_ctz(mask)), n = at - from;
      store(p, n == 0 ? int64_t{0} : head + (static_cast<int64_t>(from) << 28) + n);
      from = at + 1;
    }
    c->scratch_top = static_cast<uint32_t>(p - c->seg[PPC_SCRATCH]);
  };
  for (; i + 16 <= t.n; i += 16) places(i, 0);
  if (t.n >= 16) {
    if (i < t.n) places(t.n - 16, i - (t.n - 16));
    i = t.n;
  }
  for (; i < t.n; ++i) {
    if (t.p[i] != separator) continue;
    out.put(part(v, from, i - from, t.ascii));
    from = i + 1;
  }
  out.put(part(v, from, t.n - from, t.ascii));
  return out.done();
}
#endif

int64_t split_at(ppc_ctx* c, int64_t v, const uint8_t* separator, uint32_t k) {
#ifdef __SSE2__
  if (k == 1) return split_at_byte(c, v, *separator);
#endif
  const Text t = text(c, v);
  charge_bytes(c, t.n);
  ListOut out(c);
  uint32_t from = 0;
  while (const uint8_t* hit = t.n - from < k ? nullptr : find_bytes(c, t.p + from, t.n - from, separator, k)) {
    const uint32_t at = static_cast<uint32_t>(hit - t.p);
    out.put(part(v, from, at - from, t.ascii));
    from = at + k;
  }
  out.put(part(v, from, t.n - from, t.ascii));
  return out.done();
}

int64_t points_before(const Text& t, uint32_t bytes) {
  return static_cast<int64_t>(t.ascii ? bytes : tx::count_points(t.p, bytes));
}

// ---- numbers as text ----------------------------------------------------------------------------------------------

uint32_t print_int(int64_t v, char* to) { return static_cast<uint32_t>(std::to_chars(to, to + 24, v).ptr - to); }

/// Python's repr: the shortest digits that read back, with an exponent below 1e-4 and from 1e16.
uint32_t print_float(double x, char* to) {
  if (std::isnan(x)) {
    std::memcpy(to, "nan", 3);
    return 3;
  }
  char* out = to;
  if (std::signbit(x)) *out++ = '-';
  if (std::isinf(x)) {
    std::memcpy(out, "inf", 3);
    return static_cast<uint32_t>(out + 3 - to);
  }
  char buffer[40];
  const char* end = std::to_chars(buffer, buffer + sizeof buffer, std::fabs(x), std::chars_format::scientific).ptr;
  char digits[24];
  int n = 0;
  const char* p = buffer;
  for (; *p != 'e'; ++p) {
    if (*p != '.') digits[n++] = *p;
  }
  int exponent = 0;
  const char* number = p[1] == '+' ? p + 2 : p + 1;
  std::from_chars(number, end, exponent);
  const int point = exponent + 1;  // where the point stands in the digits
  const auto put = [&](const char* from, int count) {
    std::memcpy(out, from, static_cast<size_t>(count));
    out += count;
  };
  const auto zeros = [&](int count) {
    for (int i = 0; i < count; ++i) *out++ = '0';
  };
  if (point > 16 || point <= -4) {
    *out++ = digits[0];
    if (n > 1) {
      *out++ = '.';
      put(digits + 1, n - 1);
    }
    *out++ = 'e';
    *out++ = exponent < 0 ? '-' : '+';
    const int magnitude = exponent < 0 ? -exponent : exponent;
    if (magnitude < 10) *out++ = '0';
    out = std::to_chars(out, out + 4, magnitude).ptr;
  } else if (point <= 0) {
    put("0.", 2);
    zeros(-point);
    put(digits, n);
  } else if (n <= point) {
    put(digits, n);
    zeros(point - n);
    put(".0", 2);
  } else {
    put(digits, point);
    *out++ = '.';
    put(digits + point, n - point);
  }
  return static_cast<uint32_t>(out - to);
}

void print(Out& out, int64_t v, uint32_t type, unsigned depth) {
  ppc_ctx* c = out.c;
  if (PPC_UNLIKELY(depth > kMaxDepth)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  const ppc_type& t = c->types[type];
  char buffer[40];
  const auto field = [&](uint32_t i) { return load<int64_t>(at(c, v) + 8 * static_cast<size_t>(i)); };
  switch (t.kind) {
    case PPC_K_FLOAT: out.put(buffer, print_float(as_float(v), buffer)); break;
    case PPC_K_BOOL: v ? out.put("true", 4) : out.put("false", 5); break;
    case PPC_K_TEXT:
    case PPC_K_DOCUMENT:
    case PPC_K_REGEX: out.put(text(c, v)); break;
    case PPC_K_ENUM: {
      const char* name = c->type_names ? c->type_names[t.first + static_cast<uint32_t>(v)] : nullptr;
      if (name) out.put(name, static_cast<uint32_t>(std::strlen(name)));
      else out.put(buffer, print_int(v, buffer));
      break;
    }
    case PPC_K_OPTIONAL:
      if (v == 0) out.put("none", 4);
      else print(out, field(0), t.a, depth + 1);
      break;
    case PPC_K_LIST: {
      out.put('[');
      const uint32_t n = list(c, v).n;
      charge_items(c, n);
      for (uint32_t i = 0; i < n; ++i) {
        if (i) out.put(", ", 2);
        print(out, list(c, v)[i], t.a, depth + 1);
      }
      out.put(']');
      break;
    }
    case PPC_K_SET:
    case PPC_K_MAP: {
      const bool is_map = t.kind == PPC_K_MAP;
      const int64_t n = is_map ? ppc_rt_map_length(c, v) : ppc_rt_set_length(c, v);
      charge_items(c, static_cast<uint64_t>(n));
      out.put('{');
      for (int64_t i = 0; i < n; ++i) {
        if (i) out.put(", ", 2);
        print(out, is_map ? ppc_rt_map_key_at(c, v, i) : ppc_rt_set_at(c, v, i), t.a, depth + 1);
        if (!is_map) continue;
        out.put(": ", 2);
        print(out, ppc_rt_map_value_at(c, v, i), t.b, depth + 1);
      }
      out.put('}');
      break;
    }
    case PPC_K_RECORD:
    case PPC_K_TUPLE:
      out.put('(');
      for (uint32_t i = 0; i < t.count; ++i) {
        if (i) out.put(", ", 2);
        print(out, field(i), c->type_fields[t.first + i], depth + 1);
      }
      out.put(')');
      break;
    default: out.put(buffer, print_int(v, buffer)); break;
  }
}

}  // namespace

uint32_t ppc::text::write_float(double v, char* to) { return print_float(v, to); }

extern "C" {

int64_t ppc_rt_text_eq(ppc_ctx* c, int64_t a, int64_t b) {
  charge_bytes(c, PPC_LENGTH(a));
  return text_equal(c, a, b);
}
int64_t ppc_rt_text_less(ppc_ctx* c, int64_t a, int64_t b) {
  const Text x = text(c, a), y = text(c, b);
  const uint32_t n = x.n < y.n ? x.n : y.n;
  charge_bytes(c, n);
  const int order = n == 0 ? 0 : std::memcmp(x.p, y.p, n);
  return order != 0 ? order < 0 : x.n < y.n;
}

int64_t ppc_rt_text_length(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  if (t.ascii) return t.n;
  charge_bytes(c, t.n);
  return static_cast<int64_t>(tx::count_points(t.p, t.n));
}

int64_t ppc_rt_text_at(ppc_ctx* c, int64_t v, int64_t i) {
  const Text t = text(c, v);
  if (PPC_UNLIKELY(static_cast<uint64_t>(i) >= t.n)) ppc_rt_fault(c, PPC_FAULT_INDEX);
  if (t.ascii) return part(v, static_cast<uint32_t>(i), 1, true);
  charge_bytes(c, t.n);
  const size_t at = tx::offset_of(t.p, t.n, static_cast<uint64_t>(i));
  if (PPC_UNLIKELY(at >= t.n)) ppc_rt_fault(c, PPC_FAULT_INDEX);
  return part(v, static_cast<uint32_t>(at), tx::point_length(t.p + at, t.n - at), t.p[at] < 0x80);
}

int64_t ppc_rt_text_slice(ppc_ctx* c, int64_t v, int64_t from, int64_t to) {
  const Text t = text(c, v);
  if (from < 0) from = 0;
  if (to > t.n) to = t.n;
  if (from >= to) return 0;
  if (t.ascii) return part(v, static_cast<uint32_t>(from), static_cast<uint32_t>(to - from), true);
  charge_bytes(c, t.n);
  const size_t a = tx::offset_of(t.p, t.n, static_cast<uint64_t>(from));
  if (a >= t.n) return 0;
  const size_t k = tx::offset_of(t.p + a, t.n - a, static_cast<uint64_t>(to - from));
  const uint32_t length = static_cast<uint32_t>(k == SIZE_MAX ? t.n - a : k);
  return part(v, static_cast<uint32_t>(a), length, length <= 64 && tx::is_ascii(t.p + a, length));
}

int64_t ppc_rt_text_lower(ppc_ctx* c, int64_t v) { return lowered(c, v); }
int64_t ppc_rt_text_upper(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  charge_bytes(c, t.n);
  return ascii(t) ? ascii_case(c, v, t, kLower, 0) : unicode_case(c, t, tx::upper);
}

int64_t ppc_rt_text_capitalized(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  if (t.n == 0) return 0;
  charge_bytes(c, t.n);
  if (ascii(t)) {
    if (!has(t.p[0], kLower)) return ascii_case(c, v, t, kUpper, 1);
    const uint32_t to = scratch_bytes(c, t.n);
    uint8_t* out = c->seg[PPC_SCRATCH] + to;
    out[0] = static_cast<uint8_t>(t.p[0] - 0x20);
    for (uint32_t i = 1; i < t.n; ++i) {
      const uint8_t b = t.p[i];
      out[i] = b ^ (static_cast<uint8_t>(b - 'A') < 26 ? 0x20 : 0);
    }
    return PPC_TEXT(PPC_SCRATCH, 1, to, t.n);
  }
  // The title form of the first character, then the lower-cased whole without what became of the first: a sigma's form
  // depends on what stands before it.
  const uint32_t first = tx::point_length(t.p, t.n);
  uint8_t alone[16];
  const size_t skip = tx::lower(t.p, first, alone, sizeof alone);
  Out out(c);
  const uint32_t title = map_to_scratch(c, t.p, first, tx::title_of_first);
  const uint32_t rest = map_to_scratch(c, t.p, t.n, tx::lower);
  uint8_t* p = c->seg[PPC_SCRATCH] + out.start + title;
  const uint32_t gone = skip > rest ? rest : static_cast<uint32_t>(skip);
  std::memmove(p, p + gone, rest - gone);
  c->scratch_top -= gone;
  out.ascii = tx::is_ascii(c->seg[PPC_SCRATCH] + out.start, c->scratch_top - out.start);
  return out.done();
}

int64_t ppc_rt_text_trimmed(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  uint32_t from = 0, end = t.n;
  while (from < end && has(t.p[from], kSpace)) ++from;
  while (end > from && has(t.p[end - 1], kSpace)) --end;
  if (end > from && ((t.p[from] | t.p[end - 1]) & 0x80) != 0) {
    from = skip_spaces(t, from);
    end = skip_spaces_back(t, from, t.n);
  }
  charge_bytes(c, t.n - (end - from));
  return part(v, from, end - from, t.ascii);
}
int64_t ppc_rt_text_trimmed_of(ppc_ctx* c, int64_t v, int64_t what) {
  const Text t = text(c, v), chars = text(c, what);
  auto is_one = [&](const uint8_t* p, uint32_t n) {
    for (uint32_t i = 0; i + n <= chars.n; ++i)
      if (std::memcmp(chars.p + i, p, n) == 0) return true;  // UTF-8: a whole character is found at no other place
    return false;
  };
  uint32_t from = 0, end = t.n;
  while (from < end) {
    uint32_t next = from + 1;
    while (next < end && (t.p[next] & 0xC0) == 0x80) ++next;
    if (!is_one(t.p + from, next - from)) break;
    from = next;
  }
  while (end > from) {
    uint32_t last = end - 1;
    while (last > from && (t.p[last] & 0xC0) == 0x80) --last;
    if (!is_one(t.p + last, end - last)) break;
    end = last;
  }
  charge_bytes(c, static_cast<uint64_t>(t.n - (end - from) + 1) * (chars.n + 1));
  return part(v, from, end - from, t.ascii);
}
int64_t ppc_rt_text_trimmed_start(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  const uint32_t from = skip_spaces(t, 0);
  charge_bytes(c, from);
  return part(v, from, t.n - from, t.ascii);
}
int64_t ppc_rt_text_trimmed_end(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  const uint32_t end = skip_spaces_back(t, 0, t.n);
  charge_bytes(c, t.n - end);
  return part(v, 0, end, t.ascii);
}

int64_t ppc_rt_text_without_punctuation(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  charge_bytes(c, t.n);
  uint32_t from = 0, end = t.n;
  while (from < end && has(t.p[from], kPunct)) ++from;
  while (end > from && has(t.p[end - 1], kPunct)) --end;
  uint32_t i = next_punctuation(t.p, from, end);
  if (i == end) return part(v, from, end - from, t.ascii);
  const uint32_t to = scratch_bytes(c, end - from);
  uint8_t* out = c->seg[PPC_SCRATCH] + to;
  uint32_t n = i - from;
  std::memcpy(out, t.p + from, n);
  while (i < end) {  // at punctuation
    while (i < end && has(t.p[i], kPunct)) ++i;
    const uint32_t next = next_punctuation(t.p, i, end);
    std::memcpy(out + n, t.p + i, next - i);
    n += next - i;
    i = next;
  }
  c->scratch_top = to + n;
  return n == 0 ? 0 : PPC_TEXT(PPC_SCRATCH, t.ascii, to, n);
}

int64_t ppc_rt_text_replace(ppc_ctx* c, int64_t v, int64_t what, int64_t with) {
  const Text t = text(c, v), w = text(c, what), r = text(c, with);
  charge_bytes(c, t.n);
  if (w.n == 0) return v;
  const uint8_t* hit = find_bytes(c, t.p, t.n, w.p, w.n);
  if (!hit) return v;
  // At the start or the end only, and by nothing: what is left is a part.
  if (r.n == 0 && (hit == t.p || hit + w.n == t.p + t.n)) {
    const uint32_t from = hit == t.p ? w.n : 0, n = t.n - w.n;
    if (!find_bytes(c, t.p + from, n, w.p, w.n)) return part(v, from, n, t.ascii);
  }
  Out out(c);
  uint32_t from = 0;
  while (hit) {
    const uint32_t at = static_cast<uint32_t>(hit - t.p);
    out.put(t.p + from, at - from);
    out.put(r.p, r.n);
    from = at + w.n;
    hit = find_bytes(c, t.p + from, t.n - from, w.p, w.n);
  }
  out.put(t.p + from, t.n - from);
  out.ascii = t.ascii && (r.ascii || r.n == 0);
  return out.done();
}

int64_t ppc_rt_text_split(ppc_ctx* c, int64_t v, int64_t separator) {
  const Text s = text(c, separator);
  return s.n == 0 ? letters(c, v) : split_at(c, v, s.p, s.n);
}
int64_t ppc_rt_text_lines(ppc_ctx* c, int64_t v) {
  const uint8_t newline = '\n';
  return split_at(c, v, &newline, 1);
}
int64_t ppc_rt_text_words(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  charge_bytes(c, t.n);
  ListOut out(c);
  uint32_t i = skip_spaces(t, 0);
  while (i < t.n) {
    const uint32_t from = i;
    uint32_t length = 0;
    while (i < t.n && !space_at(t.p + i, t.n - i, &length)) i += length;
    out.put(part(v, from, i - from, t.ascii));
    i = skip_spaces(t, i);
  }
  return out.done();
}
int64_t ppc_rt_text_letters(ppc_ctx* c, int64_t v) { return letters(c, v); }

int64_t ppc_rt_text_contains(ppc_ctx* c, int64_t v, int64_t what) {
  const Text t = text(c, v), w = text(c, what);
  charge_bytes(c, t.n);
  return w.n == 0 || find_bytes(c, t.p, t.n, w.p, w.n) != nullptr;
}
int64_t ppc_rt_text_starts_with(ppc_ctx* c, int64_t v, int64_t what) {
  const Text t = text(c, v), w = text(c, what);
  charge_bytes(c, w.n);
  return w.n <= t.n && same_bytes(t.p, w.p, w.n);
}
int64_t ppc_rt_text_ends_with(ppc_ctx* c, int64_t v, int64_t what) {
  const Text t = text(c, v), w = text(c, what);
  charge_bytes(c, w.n);
  return w.n <= t.n && same_bytes(t.p + (t.n - w.n), w.p, w.n);
}
int64_t ppc_rt_text_count(ppc_ctx* c, int64_t v, int64_t what) {
  const Text t = text(c, v), w = text(c, what);
  charge_bytes(c, t.n);
  if (w.n == 0) return points_before(t, t.n) + 1;
  int64_t count = 0;
  const uint8_t* p = t.p;
  const uint8_t* const end = t.p + t.n;
  while (const uint8_t* hit = find_bytes(c, p, static_cast<size_t>(end - p), w.p, w.n)) {
    ++count;
    p = hit + w.n;
  }
  return count;
}
int64_t ppc_rt_text_find(ppc_ctx* c, int64_t v, int64_t what) {
  const Text t = text(c, v), w = text(c, what);
  charge_bytes(c, t.n);
  if (w.n == 0) return 0;
  const uint8_t* hit = find_bytes(c, t.p, t.n, w.p, w.n);
  return hit ? points_before(t, static_cast<uint32_t>(hit - t.p)) : -1;
}

int64_t ppc_rt_text_repeat(ppc_ctx* c, int64_t v, int64_t times) {
  const Text t = text(c, v);
  if (times <= 0 || t.n == 0) return 0;
  if (times == 1) return v;
  if (PPC_UNLIKELY(times > PPC_MAX_TEXT || static_cast<uint64_t>(times) * t.n > PPC_MAX_TEXT)) {
    ppc_rt_fault(c, PPC_FAULT_MEMORY);
  }
  const uint32_t n = static_cast<uint32_t>(times) * t.n;
  charge_bytes(c, n);
  const uint32_t to = scratch_bytes(c, n);
  uint8_t* out = c->seg[PPC_SCRATCH] + to;
  std::memcpy(out, t.p, t.n);
  for (uint32_t done = t.n; done < n;) {  // doubles what is there
    const uint32_t k = done < n - done ? done : n - done;
    std::memcpy(out + done, out, k);
    done += k;
  }
  return PPC_TEXT(PPC_SCRATCH, t.ascii, to, n);
}

int64_t ppc_rt_text_is_alpha(ppc_ctx* c, int64_t v) {
  const Text t = text(c, v);
  if (t.n - 4 <= 4) {
    constexpr uint64_t kHigh = 0x8080808080808080u;
    const uint64_t w = short_word(t);
    if ((w & kHigh) == 0) return tx::letters_of_case(w | 0x2020202020202020u, 'a') == kHigh;
  }
  return all_of(c, v, kLower | kUpper, tx::is_alpha);
}
int64_t ppc_rt_text_is_digit(ppc_ctx* c, int64_t v) { return all_of(c, v, kDigit, tx::is_digit); }
int64_t ppc_rt_text_is_alnum(ppc_ctx* c, int64_t v) {
  return all_of(c, v, kLower | kUpper | kDigit, [](uint32_t p) { return tx::is_alpha(p) || tx::is_numeric(p); });
}
int64_t ppc_rt_text_is_space(ppc_ctx* c, int64_t v) { return all_of(c, v, kSpace, tx::is_space); }
int64_t ppc_rt_text_is_lower(ppc_ctx* c, int64_t v) { return cased(c, v, true); }
int64_t ppc_rt_text_is_upper(ppc_ctx* c, int64_t v) { return cased(c, v, false); }

int64_t ppc_rt_text_to_int(ppc_ctx* c, int64_t v) {
  int64_t result = 0;
  if (PPC_UNLIKELY(!parse_int(c, v, &result))) ppc_rt_fault(c, PPC_FAULT_NUMBER);
  return result;
}
int64_t ppc_rt_text_is_int(ppc_ctx* c, int64_t v) {
  int64_t result = 0;
  return parse_int(c, v, &result);
}

int64_t ppc_rt_text_join(ppc_ctx* c, int64_t texts, int64_t separator) {
  const List l = list(c, texts);
  const Text s = text(c, separator);
  charge_items(c, l.n);
  if (l.n == 0) return 0;
  if (l.n == 1) return l[0];
  Out out(c);
  for (uint32_t i = 0; i < l.n; ++i) {
    if (i) out.put(s);
    out.put(text(c, l[i]));
  }
  return out.done();
}

int64_t ppc_rt_text_bullets(ppc_ctx* c, int64_t texts) {
  const List l = list(c, texts);
  charge_items(c, l.n);
  Out out(c);
  for (uint32_t i = 0; i < l.n; ++i) {
    i ? out.put("\n- ", 3) : out.put("- ", 2);
    out.put(text(c, l[i]));
  }
  return out.done();
}

int64_t ppc_rt_concat(ppc_ctx* c, const int64_t* texts, int64_t n) {
  int64_t i = 0;
  while (i < n && PPC_LENGTH(texts[i]) == 0) ++i;
  if (i == n) return 0;
  while (PPC_LENGTH(texts[n - 1]) == 0) --n;
  if (n - i == 1) return texts[i];
  // What grows piece by piece grows in place.
  const int64_t head = texts[i];
  const uint32_t top = c->scratch_top, cap = c->scratch_cap;
  uint8_t* const scratch = c->seg[PPC_SCRATCH];
  const bool on_top = PPC_SEGMENT(head) == PPC_SCRATCH && PPC_OFFSET(head) + PPC_LENGTH(head) == top;
  const uint32_t start = on_top ? PPC_OFFSET(head) : top;
  uint64_t ascii = static_cast<uint64_t>(head);
  uint32_t to = top;
  if (on_top) ++i;
  for (; i < n; ++i) {
    const int64_t v = texts[i];
    const uint32_t k = PPC_LENGTH(v);
    if (k == 0) continue;
    ascii &= static_cast<uint64_t>(v);
    if (PPC_UNLIKELY(cap - to < static_cast<uint64_t>(k) + 16)) {
      if (k > cap - to) ppc_rt_fault(c, PPC_FAULT_MEMORY);
      std::memcpy(scratch + to, at(c, v), k);
    } else {
      copy_into_room(scratch + to, at(c, v), k);
    }
    to += k;
  }
  c->scratch_top = to;
  if (PPC_UNLIKELY(to - start > PPC_MAX_TEXT)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  charge_bytes(c, to - start);
  return PPC_TEXT(PPC_SCRATCH, ascii >> 60 & 1, start, to - start);
}

int64_t ppc_rt_int_to_text(ppc_ctx* c, int64_t v) {
  Out out(c);
  char buffer[24];
  out.put(buffer, print_int(v, buffer));
  return out.done();
}
int64_t ppc_rt_float_to_text(ppc_ctx* c, int64_t v) {
  Out out(c);
  char buffer[40];
  out.put(buffer, print_float(as_float(v), buffer));
  return out.done();
}
int64_t ppc_rt_bool_to_text(ppc_ctx* c, int64_t v) {
  Out out(c);
  v ? out.put("true", 4) : out.put("false", 5);
  return out.done();
}
int64_t ppc_rt_to_text(ppc_ctx* c, int64_t v, int64_t type) {
  if (is_text(c->types[static_cast<uint32_t>(type)].kind)) return v;
  Out out(c);
  print(out, v, static_cast<uint32_t>(type), 0);
  return out.done();
}

}  // extern "C"
