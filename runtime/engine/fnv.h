// FNV-1a (Fowler, Noll, Vo): a number of 64 bits for a text, the same everywhere. Not against anybody who wants two texts to have the same.
#pragma once
#include <cstdint>
#include <string_view>

namespace ppc::engine {

/// `h`: of what stands before the text.
constexpr uint64_t fnv1a(std::string_view text, uint64_t h = 0xCBF29CE484222325u) {
  for (const char c : text) h = (h ^ static_cast<uint8_t>(c)) * 0x100000001B3u;
  return h;
}

}  // namespace ppc::engine
