// A move's automaton as a table.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/engine/language.h"
#include "trainers/decode/constraint.h"

namespace ppc::decode {

class Language {
 public:
  /// States from which no whole reply can be reached count as none.
  explicit Language(const engine::Language&);

  static constexpr uint32_t kDead = UINT32_MAX;
  size_t size() const { return accepts_.size(); }
  uint32_t start() const { return start_; }
  uint32_t step(uint32_t state, uint8_t byte) const { return table_[state * classes_ + class_of_[byte]]; }
  bool accepts(uint32_t state) const { return accepts_[state]; }
  /// Bytes to the nearest end.
  uint32_t bytes_left(uint32_t state) const { return left_[state]; }
  const std::string& wants(uint32_t state) const { return wants_[wants_of_[state]]; }
  /// Whether some edge has the byte.
  bool uses(uint8_t byte) const { return uses_[byte]; }

 private:
  uint32_t start_ = 0;
  size_t classes_ = 0;
  std::array<uint8_t, 256> class_of_{};
  std::array<bool, 256> uses_{};
  std::vector<uint32_t> table_;  // [state][class of bytes]
  std::vector<bool> accepts_;
  std::vector<uint32_t> left_, wants_of_;
  std::vector<std::string> wants_;
};

}  // namespace ppc::decode
