#include "tools/lsp/frames.h"

#include <algorithm>
#include <charconv>

namespace ppc::lsp {

namespace {

constexpr std::string_view kLength = "content-length:";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Where the name of the header stands in the bytes, from a place on; npos: nowhere.
size_t find_length(std::string_view bytes, size_t from) {
  auto at = std::search(bytes.begin() + static_cast<std::ptrdiff_t>(std::min(from, bytes.size())), bytes.end(), kLength.begin(), kLength.end(),
                        [](char a, char b) { return lower(a) == b; });
  return at == bytes.end() ? std::string_view::npos : static_cast<size_t>(at - bytes.begin());
}

/// The length that a block of headers says; nothing when there is none, or it is no number.
std::optional<uint64_t> length_of(std::string_view header) {
  std::optional<uint64_t> length;
  while (!header.empty()) {
    size_t end = std::min(header.find("\r\n"), header.size());
    std::string_view line = header.substr(0, end);
    header.remove_prefix(std::min(end + 2, header.size()));
    if (line.find(':') == std::string_view::npos) return std::nullopt;
    if (find_length(line, 0) != 0) continue;
    std::string_view value = line.substr(kLength.size());
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    uint64_t number = 0;
    auto [stop, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error != std::errc{} || stop != value.data() + value.size()) return std::nullopt;
    length = number;
  }
  return length;
}

}  // namespace

void Frames::resync() {
  size_t at = find_length(buffer_, 1);
  if (at != std::string::npos) buffer_.erase(0, at);
  else if (buffer_.size() > kLength.size()) buffer_.erase(0, buffer_.size() - kLength.size());
  lost_ = true;
}

std::optional<Frames::Frame> Frames::next() {
  for (;;) {
    if (lost_ && find_length(buffer_, 0) != 0) {
      const size_t before = buffer_.size();
      resync();
      if (buffer_.size() == before || find_length(buffer_, 0) != 0) return std::nullopt;
    }
    const size_t end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos ? buffer_.size() > kMostHeader : end > kMostHeader) {
      const bool said = lost_;
      resync();
      if (said) continue;
      return Frame{"", "a header of more than " + std::to_string(kMostHeader) + " bytes"};
    }
    if (end == std::string::npos) return std::nullopt;
    const std::optional<uint64_t> length = length_of(std::string_view(buffer_).substr(0, end));
    if (!length) {
      const bool said = lost_;
      resync();
      if (said) continue;
      return Frame{"", "a header without a Content-Length that is a number"};
    }
    if (*length > kMostBody) {
      buffer_.erase(0, end + 4);
      lost_ = true;
      return Frame{"", "a message of " + std::to_string(*length) + " bytes; at most " + std::to_string(kMostBody) + " are read"};
    }
    if (buffer_.size() - end - 4 < *length) return std::nullopt;
    Frame out{buffer_.substr(end + 4, static_cast<size_t>(*length)), ""};
    buffer_.erase(0, end + 4 + static_cast<size_t>(*length));
    lost_ = false;
    return out;
  }
}

std::string framed(const std::string& body) { return "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body; }

}  // namespace ppc::lsp
