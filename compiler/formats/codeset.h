// Sets of code points, and the classes that formats are made of.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ppc::formats {

constexpr uint32_t kMaxCodePoint = 0x10FFFF;

struct CodeRange {
  uint32_t low, high;  // both included
  friend bool operator==(const CodeRange&, const CodeRange&) = default;
  friend auto operator<=>(const CodeRange&, const CodeRange&) = default;
};

/// Ascending, disjoint, not adjacent. Surrogates may be inside or not: they never occur in valid UTF-8.
class CodeSet {
 public:
  CodeSet() = default;
  CodeSet(std::initializer_list<CodeRange> ranges) { for (CodeRange r : ranges) ranges_.push_back(r); normalise(); }
  explicit CodeSet(std::vector<CodeRange> ranges) : ranges_(std::move(ranges)) { normalise(); }
  static CodeSet single(uint32_t c) { return CodeSet{{c, c}}; }
  static CodeSet any() { return CodeSet{{0, kMaxCodePoint}}; }

  const std::vector<CodeRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  bool contains(uint32_t c) const;
  uint64_t size() const;
  CodeSet complement() const;
  CodeSet united(const CodeSet& other) const;
  CodeSet intersected(const CodeSet& other) const;
  friend bool operator==(const CodeSet&, const CodeSet&) = default;
  friend auto operator<=>(const CodeSet&, const CodeSet&) = default;

 private:
  void normalise();
  std::vector<CodeRange> ranges_;
};

/// The characters of a class: text, line, word, letters, digits; nothing for other names.
std::optional<CodeSet> class_set(std::string_view char_class);

/// Every code point with the same simple case folding as `c`.
CodeSet folded(uint32_t c);

/// Code points that are no capitals: a text of them is its own lower case.
CodeSet unchanged_by_lower();

/// Nothing when `text` is not valid UTF-8.
std::optional<std::vector<uint32_t>> decode(std::string_view text);
void append_utf8(std::string& out, uint32_t c);

}  // namespace ppc::formats
