// The outer form of the Language Server Protocol: headers, an empty line, and a body of so many bytes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ppc::lsp {

/// Cuts a stream of bytes into bodies. What is no header is reported once and skipped up to the next one; a body beyond the
/// limit counts as such: it is not kept.
class Frames {
 public:
  static constexpr size_t kMostHeader = 4096, kMostBody = size_t{32} << 20;
  struct Frame {
    std::string body;
    std::string problem;  // instead of a body
  };
  void feed(std::string_view bytes) { buffer_ += bytes; }
  /// The next one, when all of it is there.
  std::optional<Frame> next();

 private:
  void resync();
  std::string buffer_;
  bool lost_ = false;  // looking for the next header; it has been said
};

std::string framed(const std::string& body);

}  // namespace ppc::lsp
