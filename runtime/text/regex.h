// Patterns that come with data (`regex` values): PCRE2 in the dialect of Python's re, compiled once a thread, with limits.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace ppc::text {

/// What is wrong with a pattern and where, such as "missing closing parenthesis at 4"; empty when nothing is.
std::string regex_problem(std::string_view pattern);

/// Where a match has to lie.
enum class RegexPlace { Whole, Start, Anywhere };

struct RegexMatch {
  enum class Verdict { No, Yes, TooLong } verdict = Verdict::No;  // TooLong: the limit of steps or of memory was reached
  uint32_t begin = 0, end = 0;                                  // bytes of the wanted group; equal when it took no part
};
/// Matches `subject` (valid UTF-8) against a valid pattern, at the first place where it fits. `group`: name or number of the group
/// wanted, "" for the whole match; an unknown one is as one that took no part.
RegexMatch regex_match(std::string_view pattern, std::string_view subject, RegexPlace place, std::string_view group);

}  // namespace ppc::text
