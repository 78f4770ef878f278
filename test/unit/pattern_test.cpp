// What an automaton of a pattern lets through fits the pattern, as PCRE2 has it.
#include "runtime/engine/pattern.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "runtime/text/regex.h"

using namespace ppc;

namespace {

/// A text that the automaton lets through, or nothing when chance does not come to an end.
std::optional<std::string> some_text(const engine::ByteAutomaton& a, std::mt19937& random) {
  std::string out;
  uint32_t at = 0;
  for (int n = 0; n < 400; ++n) {
    const auto& s = a.states[at];
    if (s.accepts && (s.edges.empty() || random() % 6 == 0)) return out;
    if (s.edges.empty()) return std::nullopt;
    const auto& e = s.edges[random() % s.edges.size()];
    out += static_cast<char>(e.low + random() % (e.high - e.low + 1u));
    at = e.to;
  }
  return std::nullopt;
}

bool lets(const engine::ByteAutomaton& a, const std::string& text) {
  std::vector<uint32_t> at{0};
  for (char c : text) {
    std::vector<uint32_t> next;
    for (uint32_t s : at)
      for (const auto& e : a.states[s].edges)
        if (e.low <= static_cast<uint8_t>(c) && static_cast<uint8_t>(c) <= e.high) next.push_back(e.to);
    at = std::move(next);
  }
  for (uint32_t s : at)
    if (a.states[s].accepts) return true;
  return false;
}

}  // namespace

TEST(Pattern, LetsThroughWhatFits) {
  std::mt19937 random(3);
  for (const char* pattern :
       {"^GO:\\s*(north|east|west|south)$", "(?i)^done$", "^\n*(([A-Z▢]\\s){4}[A-Z▢]\n){4}([A-Z▢]\\s){4}[A-Z▢]\n*$", "^command: [^\n]+$",
        "(?i)^\\s*command\\s*:\\s*done\\s*$", "^(?P<tag>answer:\\s*)(?P<content>(?P<response>first|second|1|2).*\n*(?P<remainder>(.|\n)*))",
        "^\\{\\s*\"action\":\\s*\"([^{}]*?)\"\\s*,\\s*\"graph\":\\s*(\\{\\s*\"nodes\"\\s*:\\s*\\[.*?\\]\\s*\\})\\s*\\}$", "a{2,3}b{0,2}c{0}d{1,}x{y}",
        "[^a-y\\d]+|[\\w.-]*é|\\S\\D\\W", "(?i)[^k-z]|[a-f]{2}ß", "", "(|a)+", "[]a]+[^]]", "(?:x(?i)y)z", "[à-ü😀-😂]+\\.\\*"}) {
    ASSERT_EQ(text::regex_problem(pattern), "") << pattern;
    const auto a = engine::automaton_of(pattern);
    ASSERT_TRUE(a) << pattern;
    int found = 0;
    for (int i = 0; i < 300; ++i) {
      const auto t = some_text(*a, random);
      if (!t) continue;
      ++found;
      ASSERT_EQ(text::regex_match(pattern, *t, text::RegexPlace::Whole, "").verdict, text::RegexMatch::Verdict::Yes) << pattern << "\n" << *t;
    }
    EXPECT_GT(found, 0) << pattern;
  }
  EXPECT_TRUE(lets(*engine::automaton_of("(?i)go: (north|süd)"), "Go: NoRTH"));
  EXPECT_FALSE(lets(*engine::automaton_of("go: (north|süd)"), "go: west"));
}

TEST(Pattern, WhatIsNotRead) {
  for (const char* pattern : {"a(?=b)", "(?<!a)b", "(a)\\1", "\\bword\\b", "a*+", "(^a|b$)", "\\p{L}", "[[:alpha:]]", "(?s).", "((((a{900}){900}){900}){900})", "(?>a)", "b{,2}", "a^b", "x)"})
    EXPECT_FALSE(engine::automaton_of(pattern)) << pattern;
  EXPECT_FALSE(engine::automaton_of(std::string(100'000, '(')));
}
