#include "tools/lsp/text.h"

#include <algorithm>

#include "compiler/syntax/read.h"

namespace ppc::lsp {

namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }
/// Units of the code point that begins with this byte.
uint32_t units_of(char lead, Encoding encoding) {
  auto c = static_cast<unsigned char>(lead);
  if (encoding == Encoding::Utf16) return c >= 0xF0 ? 2 : 1;
  if (encoding == Encoding::Utf32) return 1;
  return c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
}

int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1; }

std::string decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size() && hex(text[i + 1]) >= 0 && hex(text[i + 2]) >= 0) {
      char c = static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
      if (c != '\0') out += c;
      i += 2;
    } else if (text[i] != '\0') {
      out += text[i];
    }
  }
  return out;
}

std::string encoded(std::string_view text) {
  static const char* digits = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    auto b = static_cast<unsigned char>(c);
    bool plain = (b >= '0' && b <= '9') || (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || c == '/' || c == '-' || c == '_' || c == '.' || c == '~';
    if (plain) out += c;
    else (out += '%') += {digits[b >> 4], digits[b & 15]};
  }
  return out;
}

}  // namespace

Lines::Lines(std::string_view text, Encoding encoding) : text_(text), encoding_(encoding), starts_{0} {
  for (uint32_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && i + 1 < text.size() && text[i + 1] == '\n') ++i;
    if (text[i] == '\n' || text[i] == '\r') starts_.push_back(i + 1);
  }
}

Position Lines::position(uint32_t offset) const {
  offset = std::min<uint32_t>(offset, static_cast<uint32_t>(text_.size()));
  const uint32_t at = line(offset);
  return {at, units(starts_[at], offset)};
}

uint32_t Lines::line(uint32_t offset) const {
  return static_cast<uint32_t>(std::upper_bound(starts_.begin(), starts_.end(), offset) - starts_.begin() - 1);
}

uint32_t Lines::units(uint32_t begin, uint32_t end) const {
  uint32_t n = 0;
  for (uint32_t i = begin; i < end && i < text_.size(); ++i)
    if (!continues(text_[i])) n += units_of(text_[i], encoding_);
  return n;
}

uint32_t Lines::offset(Position p) const {
  if (p.line >= starts_.size()) return static_cast<uint32_t>(text_.size());
  uint32_t at = starts_[p.line], end = p.line + 1 < starts_.size() ? starts_[p.line + 1] : static_cast<uint32_t>(text_.size());
  while (end > at && (text_[end - 1] == '\n' || text_[end - 1] == '\r')) --end;
  for (uint32_t left = p.character; at < end && left > 0;) {
    uint32_t n = units_of(text_[at], encoding_);
    if (n > left) break;  // inside a code point: its beginning
    left -= n;
    ++at;
    while (at < end && continues(text_[at])) ++at;
  }
  return at;
}

std::filesystem::path path_of(const std::string& uri) {
  std::string_view rest = uri;
  if (!rest.starts_with("file://")) return "/dev/null/" + encoded(uri);
  rest.remove_prefix(7);
  size_t slash = rest.find('/');
  if (slash == std::string_view::npos) return "/dev/null/" + encoded(uri);
  rest.remove_prefix(slash);  // the host
  rest = rest.substr(0, rest.find_first_of("?#"));
  return syntax::whole_path(decoded(rest));
}

std::string uri_of(const std::filesystem::path& path) { return "file://" + encoded(path.string()); }

}  // namespace ppc::lsp
