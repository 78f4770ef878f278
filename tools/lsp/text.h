// Lines and characters as the protocol counts them, and the names of files as it writes them.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace ppc::lsp {

enum class Encoding { Utf8, Utf16, Utf32 };

struct Position { uint32_t line = 0, character = 0; };  // both from 0

/// The lines of one text, which must live as long. A line ends with \n, \r\n or \r.
class Lines {
 public:
  Lines(std::string_view text, Encoding encoding);
  Position position(uint32_t offset) const;
  uint32_t line(uint32_t offset) const;
  /// Never outside of the text or inside a code point: what is beyond a line's end is its end.
  uint32_t offset(Position) const;
  /// How many units of the encoding the bytes from begin to end are.
  uint32_t units(uint32_t begin, uint32_t end) const;

 private:
  std::string_view text_;
  Encoding encoding_;
  std::vector<uint32_t> starts_;
};

/// file:///a%20b/c.game -> /a b/c.game. What is no file gets a path that does not exist, the same for the same URI.
std::filesystem::path path_of(const std::string& uri);
std::string uri_of(const std::filesystem::path&);

}  // namespace ppc::lsp
