#include "runtime/web/text.h"

#include <cmath>
#include <cstdint>
#include <cstdio>

#include "runtime/engine/episode.h"

namespace ppc::web {

std::string html(std::string_view raw) {
  const std::string text = engine::lossy_utf8(raw);
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const auto b = static_cast<uint8_t>(c);
    // What turns the direction of writing around could show something else than what was said: U+202A..202E, U+2066..2069.
    if (b == 0xE2 && i + 2 < text.size()) {
      const auto b1 = static_cast<uint8_t>(text[i + 1]), b2 = static_cast<uint8_t>(text[i + 2]);
      if ((b1 == 0x80 && b2 >= 0xAA && b2 <= 0xAE) || (b1 == 0x81 && b2 >= 0xA6 && b2 <= 0xA9)) {
        out += std::string("\\u20") + (b1 == 0x80 ? "2" : "6") + "0123456789abcdef"[b2 & 15];
        i += 2;
        continue;
      }
    }
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      case '\'': out += "&#39;"; break;
      default:
        if ((b < 0x20 && c != '\t' && c != '\n') || b == 0x7F) {
          static const char hex[] = "0123456789abcdef";
          out += std::string("\\x") + hex[b >> 4] + hex[b & 15];
        } else {
          out += c;
        }
    }
  }
  return out;
}

std::string fixed(double d, int decimals) {
  if (std::isnan(d)) return "–";
  char buffer[400];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals, d);
  const std::string_view text = buffer;
  // No minus zero in a table.
  if (text.size() > 1 && text[0] == '-' && text.find_first_not_of("-0.") == std::string_view::npos) return std::string(text.substr(1));
  return std::string(text);
}

}  // namespace ppc::web
