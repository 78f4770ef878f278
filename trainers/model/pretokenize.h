// The split patterns of GPT-2, Llama 3 and Qwen2, written out: a pass over the bytes, each looked at a bounded number of times.
// A regex engine would find the same pieces a good deal slower; PCRE2 also knows another version of Unicode than ICU.
#pragma once
#include <unicode/uchar.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>

#include "runtime/text/utf8.h"

namespace ppc::model::split {

enum Class : uint8_t { kOther = 0, kLetter = 1, kNumber = 2, kSpace = 4, kNewline = 8, kMark = 16 };

inline uint8_t classify(uint32_t c) {
  const uint32_t mask = U_GET_GC_MASK(static_cast<UChar32>(c));
  uint8_t out = 0;
  if (mask & U_GC_L_MASK) out |= kLetter;
  if (mask & U_GC_N_MASK) out |= kNumber;
  if (mask & U_GC_M_MASK) out |= kMark;
  if (u_isUWhiteSpace(static_cast<UChar32>(c))) out |= kSpace;
  if (c == '\n' || c == '\r') out |= kNewline;
  return out;
}
/// Classes of the Basic Multilingual Plane.
inline const std::array<uint8_t, 0x10000>& classes() {
  static const auto table = [] {
    auto t = std::make_unique<std::array<uint8_t, 0x10000>>();
    for (uint32_t c = 0; c < 0x10000; ++c) (*t)[c] = classify(c);
    return t;
  }();
  return *table;
}

struct Char {
  uint8_t kind;
  uint32_t length;  // bytes
};
class Scanner {
 public:
  explicit Scanner(std::string_view s) : table_(classes()), p_(reinterpret_cast<const uint8_t*>(s.data())), n_(s.size()) {}
  size_t size() const { return n_; }
  uint8_t byte(size_t i) const { return i < n_ ? p_[i] : 0; }
  /// The character at i < size(). A byte that belongs to none has no class.
  Char at(size_t i) const {
    const uint8_t b = p_[i];
    if (b < 0x80) return {table_[b], 1};
    uint32_t length;
    const uint32_t c = text::decode(p_ + i, n_ - i, &length);
    if (length == 1) return {kOther, 1};
    return {c < 0x10000 ? table_[c] : classify(c), length};
  }
  /// Behind the run of characters that have one of these classes (or, `none`: have none of them).
  size_t run(size_t i, uint8_t kinds) const {
    while (i < n_) {
      const Char c = at(i);
      if (!(c.kind & kinds)) break;
      i += c.length;
    }
    return i;
  }
  size_t run_without(size_t i, uint8_t kinds) const {
    while (i < n_) {
      const Char c = at(i);
      if (c.kind & kinds) break;
      i += c.length;
    }
    return i;
  }
  /// Behind white space that begins at i, by `\s+(?!\S)|\s+`: all of it at the end, else all but the last character.
  size_t white(size_t i, size_t end) const {
    if (end == n_) return end;
    size_t last = end - 1;
    while (last > i && (p_[last] & 0xC0) == 0x80) --last;
    return last > i ? last : end;
  }
  /// Behind `'s|'t|'re|'ve|'m|'ll|'d` at i, or i.
  size_t contraction(size_t i, bool any_case) const {
    if (byte(i) != '\'') return i;
    const auto low = [&](size_t k) -> uint8_t {
      const uint8_t b = byte(k);
      return any_case && b >= 'A' && b <= 'Z' ? b + 32 : b;
    };
    switch (low(i + 1)) {
      case 's': case 't': case 'm': case 'd': return i + 2;
      case 'r': case 'v': return low(i + 2) == 'e' ? i + 3 : i;
      case 'l': return low(i + 2) == 'l' ? i + 3 : i;
      case 0xC5: return any_case && byte(i + 2) == 0xBF ? i + 3 : i;  // the long s, a lower-case form of S
      default: return i;
    }
  }

 private:
  const std::array<uint8_t, 0x10000>& table_;
  const uint8_t* p_;
  size_t n_;
};

/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
template <class F>
void gpt2(std::string_view s, F&& emit) {
  const Scanner t(s);
  for (size_t i = 0; i < s.size();) {
    size_t end = t.contraction(i, false);
    if (end == i) {
      size_t from = s[i] == ' ' ? i + 1 : i;
      Char c = from < s.size() ? t.at(from) : Char{kSpace, 0};
      if (c.kind & kSpace && from > i) c = t.at(from = i);
      if (c.kind & kLetter) end = t.run(from, kLetter);
      else if (c.kind & kNumber) end = t.run(from, kNumber);
      else if (!(c.kind & kSpace)) end = t.run_without(from, kSpace | kLetter | kNumber);
      else end = t.white(i, t.run(i, kSpace));
    }
    emit(s.substr(i, end - i));
    i = end;
  }
}

struct Style {
  unsigned digits;   // at most so many in one piece
  uint8_t letters;   // kLetter, or with kMark
};
/// `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
template <class F>
void modern(std::string_view s, Style style, F&& emit) {
  const Scanner t(s);
  for (size_t i = 0; i < s.size();) {
    size_t end = t.contraction(i, true);
    if (end == i) {
      const Char c = t.at(i);
      const size_t next = i + c.length;
      if (c.kind & style.letters) {
        end = t.run(next, style.letters);
      } else if (!(c.kind & (kNewline | kNumber)) && next < s.size() && t.at(next).kind & style.letters) {
        end = t.run(next, style.letters);
      } else if (c.kind & kNumber) {
        end = next;
        for (unsigned k = 1; k < style.digits && end < s.size(); ++k) {
          const Char d = t.at(end);
          if (!(d.kind & kNumber)) break;
          end += d.length;
        }
      } else {
        const uint8_t word = kSpace | kNumber | style.letters;
        const size_t from = s[i] == ' ' && next < s.size() && !(t.at(next).kind & word) ? next : i;
        if (!(t.at(from).kind & word)) {
          end = t.run_without(from, word);
          while (end < s.size() && (s[end] == '\r' || s[end] == '\n')) ++end;
        } else {
          const size_t whole = t.run(i, kSpace);
          size_t line = whole;
          while (line > i && s[line - 1] != '\n' && s[line - 1] != '\r') --line;
          end = line > i ? line : t.white(i, whole);
        }
      }
    }
    emit(s.substr(i, end - i));
    i = end;
  }
}

/// Each number (`\p{N}`) alone, what is between them as it is.
template <class F>
void digits(std::string_view s, F&& emit) {
  const Scanner t(s);
  for (size_t i = 0; i < s.size();) {
    const Char c = t.at(i);
    const size_t end = c.kind & kNumber ? i + c.length : t.run_without(i, kNumber);
    emit(s.substr(i, end - i));
    i = end;
  }
}

}  // namespace ppc::model::split
