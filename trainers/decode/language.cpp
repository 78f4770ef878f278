#include "trainers/decode/language.h"

#include <algorithm>

namespace ppc::decode {

Language::Language(const engine::Language& from) : wants_(from.wants) {
  const size_t n = from.states.size();
  // Bytes that no edge tells apart are one class.
  std::array<bool, 257> begins{};
  begins[0] = true;
  for (const auto& s : from.states)
    for (const auto& e : s.edges) begins[e.low] = begins[size_t{e.high} + 1] = true;
  for (size_t b = 0; b < 256; ++b) {
    classes_ += begins[b];
    class_of_[b] = static_cast<uint8_t>(classes_ - 1);
  }

  // Breadth first from the ends backwards.
  std::vector<std::vector<uint32_t>> into(n);
  std::vector<uint32_t> order;
  left_.assign(n, kDead);
  for (uint32_t s = 0; s < n; ++s) {
    for (const auto& e : from.states[s].edges) into[e.to].push_back(s);
    if (!from.states[s].accepts) continue;
    left_[s] = 0;
    order.push_back(s);
  }
  for (size_t i = 0; i < order.size(); ++i)
    for (uint32_t s : into[order[i]])
      if (left_[s] == kDead) {
        left_[s] = left_[order[i]] + 1;
        order.push_back(s);
      }

  start_ = n > 0 && left_[0] != kDead ? 0 : kDead;
  table_.assign(n * classes_, kDead);
  for (uint32_t s = 0; s < n; ++s) {
    accepts_.push_back(from.states[s].accepts);
    wants_of_.push_back(from.states[s].wants);
    for (const auto& e : from.states[s].edges) {
      if (left_[e.to] == kDead) continue;
      for (unsigned c = class_of_[e.low]; c <= class_of_[e.high]; ++c) table_[s * classes_ + c] = e.to;
      for (unsigned b = e.low; b <= e.high; ++b) uses_[b] = true;
    }
  }
}

std::shared_ptr<const Language> parse_language(const engine::Json& json) {
  return std::make_shared<Language>(json.is_null() ? engine::any_text() : engine::parse_language(json));
}

std::shared_ptr<const Language> language_of(const engine::MoveInfo& move, const engine::HoleTexts& texts) {
  const std::string name = "the replies of `" + move.name + "`";
  if (move.language.empty()) return std::make_shared<Language>(engine::any_text());
  const engine::ReplyForm form = engine::parse_form(engine::parse_json(move.language, name), name);
  if (form.holes.empty() && !form.aims) return std::make_shared<Language>(form.parts[0]);
  return std::make_shared<Language>(engine::fill(form, texts));
}

}  // namespace ppc::decode
