// What an automaton of a pattern lets through fits the pattern, as PCRE2 has it.
#include "runtime/engine/pattern.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "runtime/engine/language.h"
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
        "[^a-y\\d]+|[^\\]x\\s]+y|[\\w.-]*é|\\S\\D\\W", "(?i)[^k-z]|[a-f]{2}ß", "", "(|a)+", "[]a]+[^]]", "(?:x(?i)y)z", "[à-ü😀-😂]+\\.\\*"}) {
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

TEST(Pattern, LargeOnesEndSoon) {
  std::string deep = "a{2}";
  for (int i = 0; i < 40; ++i) deep = "(" + deep + "){1,2}";
  for (const std::string& pattern : {deep, std::string("(a?){1000}"), std::string("(()|(|())*){900}"), std::string("((a|b|c|d|e){100}|){100}")}) {
    const auto a = engine::automaton_of(pattern);
    EXPECT_TRUE(!a || a->states.size() <= 20'000) << pattern;
  }
}

// ---- aims -----------------------------------------------------------------------------------------------------------

namespace {

/// As `format "a"` or `aim {text in …}`.
engine::Language only(char c) { return {{{{{static_cast<uint8_t>(c), static_cast<uint8_t>(c), 1}}}, {{}, true}}, {"it"}}; }
engine::Language hole() { return {{{{}, false, 0, {{0, 1}}}, {{}, true}}, {"it"}}; }

bool lets(const engine::Language& l, const std::string& text) {
  uint32_t at = 0;
  for (char c : text) {
    uint32_t next = UINT32_MAX;
    for (const auto& e : l.states[at].edges)
      if (e.low <= static_cast<uint8_t>(c) && static_cast<uint8_t>(c) <= e.high) next = e.to;
    if (next == UINT32_MAX) return false;
    at = next;
  }
  return l.states[at].accepts;
}

}  // namespace

TEST(Aim, NarrowsAFormatUnlessNothingIsLeft) {
  const auto filled = [](const char* pattern, engine::Aims aims = engine::Aims::Kept) {
    engine::ReplyForm form{{engine::any_text(), hole()}, 1, {"{text in pattern}"}, {0}};
    return engine::fill(engine::parse_form(engine::to_json(form)), {{pattern}}, aims);
  };
  EXPECT_TRUE(lets(filled("ab?"), "a"));
  EXPECT_FALSE(lets(filled("ab?"), "b"));
  EXPECT_TRUE(lets(filled("ab?", engine::Aims::Left), "b"));
  EXPECT_TRUE(lets(filled("a(?=b)"), "b")) << "not read";
  EXPECT_TRUE(lets(filled("[^\\D\\d]"), "b")) << "nothing fits it";
  EXPECT_TRUE(lets(filled("(.|\n)*a(.|\n){30}"), "b")) << "as a deterministic automaton it is large";
  EXPECT_TRUE(lets(filled("(.|\n)*a(.|\n){900}"), "b")) << "larger";
}

TEST(Aim, NeverTakesTheFormatAway) {
  const engine::ReplyForm other{{only('a'), only('b')}, 1, {}, {}}, alone{{only('b')}, 1, {}, {}};
  EXPECT_TRUE(lets(engine::fill(other, {}), "a"));
  EXPECT_FALSE(lets(engine::fill(other, {}), "b"));
  EXPECT_TRUE(lets(engine::fill(alone, {}), "b"));
  EXPECT_FALSE(lets(engine::fill(alone, {}), "a"));
  EXPECT_TRUE(lets(engine::fill(alone, {}, engine::Aims::Left), "a"));
  for (const char* aims : {"-1", "2", "\"x\""})
    EXPECT_THROW(engine::parse_form(engine::parse_json(R"({"parts": [{"states": [[0, 1]], "wants": ["x"]}], "holes": [], "aims": )" + std::string(aims) + "}", "x")), engine::InputError) << aims;
}
