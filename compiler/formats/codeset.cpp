#include "compiler/formats/codeset.h"

#include <unicode/uchar.h>
#include <unicode/uset.h>
#include <unicode/utf8.h>

#include <algorithm>

namespace ppc::formats {

void CodeSet::normalise() {
  std::sort(ranges_.begin(), ranges_.end());
  std::vector<CodeRange> merged;
  for (CodeRange r : ranges_) {
    if (!merged.empty() && r.low <= merged.back().high + 1) {
      merged.back().high = std::max(merged.back().high, r.high);
    } else {
      merged.push_back(r);
    }
  }
  ranges_ = std::move(merged);
}

bool CodeSet::contains(uint32_t c) const {
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), c, [](uint32_t v, CodeRange r) { return v < r.low; });
  return after != ranges_.begin() && c <= std::prev(after)->high;
}

uint64_t CodeSet::size() const {
  uint64_t n = 0;
  for (CodeRange r : ranges_) n += r.high - r.low + 1;
  return n;
}

CodeSet CodeSet::complement() const {
  CodeSet result;
  uint32_t next = 0;
  for (CodeRange r : ranges_) {
    if (r.low > next) result.ranges_.push_back({next, r.low - 1});
    next = r.high + 1;
  }
  if (next <= kMaxCodePoint) result.ranges_.push_back({next, kMaxCodePoint});
  return result;
}

CodeSet CodeSet::united(const CodeSet& other) const {
  std::vector<CodeRange> all = ranges_;
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  return CodeSet(std::move(all));
}

CodeSet CodeSet::intersected(const CodeSet& other) const {
  CodeSet result;
  for (size_t i = 0, j = 0; i < ranges_.size() && j < other.ranges_.size();) {
    CodeRange a = ranges_[i], b = other.ranges_[j];
    CodeRange both{std::max(a.low, b.low), std::min(a.high, b.high)};
    if (both.low <= both.high) result.ranges_.push_back(both);
    if (a.high < b.high) ++i; else ++j;
  }
  return result;
}

namespace {

CodeSet from_property(UProperty property, int32_t value) {
  UErrorCode status = U_ZERO_ERROR;
  USet* set = uset_openEmpty();
  uset_applyIntPropertyValue(set, property, value, &status);
  std::vector<CodeRange> ranges;
  for (int32_t i = 0, n = uset_getItemCount(set); i < n; ++i) {
    UChar32 low, high;
    UErrorCode item_status = U_ZERO_ERROR;
    if (uset_getItem(set, i, &low, &high, nullptr, 0, &item_status) == 0)
      ranges.push_back({static_cast<uint32_t>(low), static_cast<uint32_t>(high)});
  }
  uset_close(set);
  return CodeSet(std::move(ranges));
}

const CodeSet& letters() {
  static const CodeSet set = from_property(UCHAR_GENERAL_CATEGORY_MASK, U_GC_L_MASK);
  return set;
}

// As Python's \s: the property White_Space and the four separators U+001C..1F.
const CodeSet& white_space() {
  static const CodeSet set = from_property(UCHAR_WHITE_SPACE, 1).united(CodeSet{{0x1C, 0x1F}});
  return set;
}

}  // namespace

std::optional<CodeSet> class_set(std::string_view name) {
  if (name == "text") return CodeSet::any();
  if (name == "line") return CodeSet::single('\n').complement();
  if (name == "word") return white_space().complement();
  if (name == "letters") return letters();
  if (name == "digits") return CodeSet{{'0', '9'}};
  return std::nullopt;
}

CodeSet unchanged_by_lower() { return from_property(UCHAR_CHANGES_WHEN_LOWERCASED, 0); }

CodeSet folded(uint32_t c) {
  // ICU closes over full foldings; of those keep what agrees in the simple one, code point by code point.
  const UChar32 fold = u_foldCase(static_cast<UChar32>(c), U_FOLD_CASE_DEFAULT);
  USet* set = uset_open(static_cast<UChar32>(c), static_cast<UChar32>(c));
  uset_add(set, fold);
  uset_closeOver(set, USET_CASE_INSENSITIVE);
  std::vector<CodeRange> ranges{{c, c}};
  for (int32_t i = 0, n = uset_getItemCount(set); i < n; ++i) {
    UChar32 low, high;
    UErrorCode status = U_ZERO_ERROR;
    if (uset_getItem(set, i, &low, &high, nullptr, 0, &status) != 0) continue;
    for (UChar32 x = low; x <= high; ++x)
      if (u_foldCase(x, U_FOLD_CASE_DEFAULT) == fold) ranges.push_back({static_cast<uint32_t>(x), static_cast<uint32_t>(x)});
  }
  uset_close(set);
  return CodeSet(std::move(ranges));
}

std::optional<std::vector<uint32_t>> decode(std::string_view text) {
  std::vector<uint32_t> result;
  const auto length = static_cast<int32_t>(text.size());
  for (int32_t i = 0; i < length;) {
    UChar32 c;
    U8_NEXT(text.data(), i, length, c);
    if (c < 0) return std::nullopt;
    result.push_back(static_cast<uint32_t>(c));
  }
  return result;
}

void append_utf8(std::string& out, uint32_t c) {
  uint8_t bytes[4];
  int32_t n = 0;
  U8_APPEND_UNSAFE(bytes, n, c);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
}

}  // namespace ppc::formats
