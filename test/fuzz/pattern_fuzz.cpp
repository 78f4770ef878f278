// Any text as a regular expression: it is not read, or the texts that its automaton lets through fit it, as PCRE2 has it. The input's first
// piece is the pattern, the second chooses the ways through the automaton.
#include "runtime/engine/pattern.h"

#include "runtime/engine/language.h"
#include "runtime/text/regex.h"
#include "runtime/text/utf8.h"
#include "test/fuzz/common.h"

using namespace ppc;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Pieces pieces({reinterpret_cast<const char*>(data), size});
  const std::string pattern(pieces.next());
  const std::string_view ways = pieces.next();
  if (!text::check_utf8(pattern).valid || !text::regex_problem(pattern).empty()) return 0;
  const auto automaton = engine::automaton_of(pattern);
  if (!automaton) return 0;
  // In a form, between other pieces: all of it, or any text where that would be too large.
  engine::ReplyForm form;
  form.parts.push_back({{{{{'<', '<', 1}}}, {{}, false, 0, {{0, 2}}}, {{}, true}}, {"a pattern"}});
  form.aims = 1;
  form.holes = {"{text in pattern}"};
  form.patterns = {0};
  const engine::Language language = engine::fill(form, {{pattern}});
  std::string found;
  uint32_t at = 0, in_form = 0;
  const bool whole = language.states[0].edges.size() == 1;
  if (whole) in_form = language.states[0].edges[0].to;
  for (size_t i = 0; i < 200; ++i) {
    const auto& s = automaton->states[at];
    const uint8_t way = ways.empty() ? static_cast<uint8_t>(i) : static_cast<uint8_t>(ways[i % ways.size()]);
    if (s.accepts) {
      fuzz::require(text::check_utf8(found).valid, "a text that is none");
      const auto verdict = text::regex_match(pattern, found, text::RegexPlace::Whole, "").verdict;
      fuzz::require(verdict != text::RegexMatch::Verdict::No, "a text that does not fit the pattern");
      fuzz::require(!whole || language.states[in_form].accepts, "a text that the form does not let through");
    }
    if (s.edges.empty()) break;
    const auto& e = s.edges[way % s.edges.size()];
    const auto byte = static_cast<uint8_t>(e.low + (way / 7 + i) % (e.high - e.low + 1u));
    found += static_cast<char>(byte);
    at = e.to;
    if (!whole) continue;
    uint32_t next = UINT32_MAX;
    for (const auto& f : language.states[in_form].edges)
      if (f.low <= byte && byte <= f.high) next = f.to;
    fuzz::require(next != UINT32_MAX, "a byte that the form does not let through");
    in_form = next;
  }
  return 0;
}
