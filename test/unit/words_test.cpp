// Grammars over words: what the matcher finds is what a search through all ways finds first.
#include "test/words.h"

#include <gtest/gtest.h>

#include <random>

namespace ppc::words {
namespace {

FormatItem literal(std::string text, bool any_case = false) {
  FormatItem it;
  it.text = std::move(text);
  it.ignore_case = any_case;
  return it;
}
FormatItem part(std::string what = "word", std::string name = "") {
  FormatItem it;
  it.kind = Kind::Capture;
  it.char_class = std::move(what);
  if (!name.empty()) it.name = ast::Ident{std::move(name), {}};
  return it;
}
FormatItem group(Kind kind, formats::GrammarBranches branches, bool once = false) {
  FormatItem it;
  it.kind = kind;
  it.once = once;
  it.branches = std::move(branches);
  return it;
}
FormatItem many(FormatItem item, bool once = false) { return group(Kind::Repeat, {{std::move(item)}}, once); }
ast::GrammarDecl grammar(std::vector<std::pair<std::string, formats::GrammarBranches>> rules) {
  ast::GrammarDecl out;
  for (auto& [name, branches] : rules) {
    ast::GrammarRule r;
    r.name.name = name;
    r.branches = std::move(branches);
    out.rules.push_back(std::move(r));
  }
  return out;
}
/// "rule: capture, capture" or "none".
std::string read(const ast::GrammarDecl& g, const std::string& text) {
  Real real(formats::compile(g), {});
  std::optional<Read> out;
  EXPECT_EQ(real.run(text, out), PPC_FAULT_NONE);
  if (!out) return "none";
  std::string shown = out->rule + ":";
  for (const std::string& c : out->captures) shown += " [" + c + "]";
  return shown;
}

TEST(Words, WordsAreThoseOfTheLanguage) {
  const auto g = grammar({{"say", {{literal(" out \t of "), part("Rest", "rest")}}}, {"Rest", {{many(part())}}}});
  EXPECT_EQ(read(g, "out of"), "say: []");
  EXPECT_EQ(read(g, "out\u00a0of\u3000the \x1c  blue"), "say: [the blue]");
  EXPECT_EQ(read(g, "  out of a b\n"), "say: [a b]");
  EXPECT_EQ(read(g, "out of \u00e9t\u00e9  \u00fc"), "say: [\u00e9t\u00e9 \u00fc]");
  EXPECT_EQ(read(g, "out of\u200b"), "none");  // no white space
  EXPECT_EQ(read(g, "Out of"), "none");
  EXPECT_EQ(read(g, ""), "none");
  EXPECT_EQ(formats::literal_words("a\u00a0b  c "), (std::vector<std::string>{"a", "b", "c"}));
}

TEST(Words, AnyCaseIsLowerCase) {
  const auto g = grammar({{"a", {{literal("stra\u00dfe", true), part("word", "c")}}}});
  EXPECT_EQ(read(g, "Stra\u00dfe X"), "a: [X]");
  EXPECT_EQ(read(g, "STRA\u1e9eE X"), "a: [X]");
  EXPECT_EQ(read(g, "STRASSE X"), "none");
}

TEST(Words, TheFirstWayCounts) {
  EXPECT_EQ(read(grammar({{"b", {{part("word", "c")}}}, {"a", {{literal("x")}}}}), "x"), "b: [x]");
  EXPECT_EQ(read(grammar({{"a", {{many(part("word", "c")), group(Kind::Optional, {{part("word", "d")}})}}}}), "x y z"), "a: [z] []");
  EXPECT_EQ(read(grammar({{"a", {{part("Few", "c"), part("Rest", "d")}}}, {"Few", {{part()}, {part(), part()}}}, {"Rest", {{many(part())}}}}), "x y z"),
            "a: [x] [y z]");
  // A capture that is said in vain is not kept.
  EXPECT_EQ(read(grammar({{"a", {{group(Kind::Optional, {{part("word", "c"), literal("!")}}), many(part())}}}}), "x y"), "a: []");
  EXPECT_EQ(read(grammar({{"a", {{many(group(Kind::Choice, {{part("word", "c"), literal("+")}, {part()}}))}}}}), "x + y z"), "a: [x]");
}

TEST(Words, ACaptureInsideAnother) {
  // The same name: what ends last is what counts.
  EXPECT_EQ(read(grammar({{"a", {{literal("x"), part("P", "c")}}}, {"P", {{part(), part("word", "c"), part("word", "d")}}}}), "x 1 2 3"), "a: [1 2 3] [3]");
  EXPECT_EQ(read(grammar({{"a", {{part("P", "c"), part("word", "d")}}}, {"P", {{literal("x"), part("Q", "d")}}}, {"Q", {{many(part("word", "e"))}}}}), "x 1 2 3"),
            "a: [x 1 2] [3] [2]");
}

TEST(Words, WhatMayBeEmpty) {
  const auto g = grammar({{"a", {{literal("x")}}}, {"P", {{group(Kind::Optional, {{literal("x")}})}}}, {"Q", {{part("P"), part("P")}}}});
  EXPECT_TRUE(formats::Emptiness(g)({{part("Q")}}));
  EXPECT_TRUE(formats::Emptiness(g)({{literal("x")}, {many(part())}}));
  EXPECT_FALSE(formats::Emptiness(g)({{part("Q"), many(part(), true)}}));
  EXPECT_TRUE(formats::Emptiness(g)({{literal(" ")}}));
}

TEST(Words, PartsInPartsAreLimited) {
  std::vector<std::pair<std::string, formats::GrammarBranches>> rules = {{"a", {{part("P0")}}}};
  for (int i = 0; i < 60; ++i) {
    const std::string below = "P" + std::to_string(i + 1);
    rules.push_back({"P" + std::to_string(i), {{part(below), part(below), many(part(below))}}});
  }
  rules.push_back({"P60", {{part()}}});
  const auto program = formats::compile(grammar(std::move(rules)));
  EXPECT_TRUE(program.too_large);
  EXPECT_TRUE(program.code.empty());
}

TEST(Words, WorkIsWordsTimesInstructions) {
  // Each of these takes exponential or cubic time when everything is tried.
  const auto nested = grammar({{"a", {{many(group(Kind::Choice, {{many(part(), true)}, {part(), part()}})), literal("x")}}}});
  const auto many_times = grammar({{"a", {{many(part()), many(part()), many(part()), many(part()), literal("x")}}}});
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "y ";
  for (const auto& g : {nested, many_times}) {
    const auto program = formats::compile(g);
    Real real(program, {});
    std::optional<Read> out;
    ASSERT_EQ(real.run(text, out), PPC_FAULT_NONE);
    EXPECT_FALSE(out);
    EXPECT_LE(real.used, static_cast<int64_t>(program.code.size()) * 100'001 / 8 + 200'000);
    ASSERT_EQ(real.run(text + "x", out), PPC_FAULT_NONE);
    EXPECT_TRUE(out);
    EXPECT_EQ(real.run(text, out, 1000), PPC_FAULT_STEPS);
  }
}

TEST(Words, AsASearchThroughAllWays) {
  std::mt19937 random(7);
  int read = 0, unread = 0, compared = 0;
  for (int g = 0; g < 3000; ++g) {
    std::string bytes(8 + random() % 120, '\0');
    for (char& b : bytes) b = static_cast<char>(random());
    const Maker maker(bytes);
    const auto program = formats::compile(maker.decl);
    if (program.too_large) continue;
    Real real(program, maker.sets);
    for (int k = 0; k < 12; ++k) {
      std::vector<std::string> words;
      std::string text;
      for (size_t n = random() % 8; n > 0; --n) {
        static const char* const some[] = {"a", "b", "c", "A", "x"};
        words.push_back(some[random() % 5]);
        text += words.back() + (random() % 4 ? " " : " \t");
      }
      std::optional<Read> wanted, found;
      if (!Naive(maker, words).run(real.captures, wanted)) continue;
      ++compared;
      ASSERT_EQ(real.run(text, found), PPC_FAULT_NONE);
      ASSERT_EQ(found, wanted) << "grammar " << g << ", text " << text;
      ++(found ? read : unread);
    }
  }
  EXPECT_GT(read, 2000);
  EXPECT_GT(unread, 3000);
  EXPECT_GT(compared, 30'000);
}

}  // namespace
}  // namespace ppc::words
