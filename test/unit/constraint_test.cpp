// Masks of tokens: against brute force on small vocabularies, and walks under them, which always end as the form wants.
#include "trainers/decode/constraint.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <thread>

#include "compiler/formats/codeset.h"
#include "compiler/formats/formats.h"
#include "runtime/engine/language.h"
#include "trainers/decode/language.h"
#include "trainers/decode/vocabulary.h"

using namespace ppc;
using decode::Constraint;
using decode::TokenId;
using formats::Unchanged;
using Item = ast::FormatItem;

namespace {

Item literal(std::string text, bool ignore_case = false) {
  Item item;
  item.text = std::move(text);
  item.ignore_case = ignore_case;
  return item;
}
Item capture(std::string char_class, std::vector<std::pair<std::string, bool>> without = {}) {
  Item item;
  item.kind = Item::Kind::Capture;
  item.char_class = std::move(char_class);
  item.without = std::move(without);
  return item;
}
Item maybe(std::vector<Item> items) {
  Item item;
  item.kind = Item::Kind::Optional;
  item.branches = {std::move(items)};
  return item;
}
Item either(std::vector<std::vector<Item>> branches) {
  Item item;
  item.kind = Item::Kind::Choice;
  item.branches = std::move(branches);
  return item;
}

engine::Language language(const std::vector<std::vector<Item>>& formats, const std::vector<Unchanged>& reading = {}) {
  std::vector<const std::vector<Item>*> all;
  for (const auto& f : formats) all.push_back(&f);
  const formats::Replies r = formats::replies(all, reading);
  engine::Language l;
  for (const auto& s : r.states) {
    l.states.push_back({{}, s.accepts, s.wants});
    for (const auto& e : s.edges) l.states.back().edges.push_back({e.low, e.high, e.to});
  }
  l.wants = r.wants;
  return l;
}

std::vector<engine::Language> languages() {
  using By = Unchanged::By;
  const std::vector<Unchanged> trimmed = {{By::TrimmedStart, ""}, {By::TrimmedEnd, ""}};
  std::vector<engine::Language> all;
  all.push_back(engine::any_text());
  all.push_back(language({{literal("CLUE:"), capture("text")}}));
  all.push_back(language({{literal("MOVE: "), either({{literal("check", true)}, {literal("bet", true)}})}}, trimmed));
  all.push_back(language({{literal("a: "), capture("line"), literal("\nb: "), capture("word")}}));
  all.push_back(language({{capture("int"), literal(", "), capture("letters"), maybe({literal("é"), capture("digits")})}}));
  all.push_back(language({{literal("explanation:"), capture("line"), capture("text")},
                          {capture("line"), maybe({literal("\n"), capture("line")})},
                          {capture("text", {{"guess:", true}}), literal("guess:", true), capture("line"),
                           maybe({literal("\n"), capture("text", {{"guess:", true}})})}}, {{By::TrimmedEnd, ""}}));
  all.push_back(language({{capture("text", {{"日本", false}})}}, {{By::Lower, ""}}));
  return all;
}

/// Automata over a few letters, with dead ends.
engine::Language chance_language(std::mt19937& random) {
  engine::Language l;
  l.wants = {"something"};
  const uint32_t n = 1 + random() % 7;
  for (uint32_t s = 0; s < n; ++s) {
    engine::Language::State state;
    state.accepts = random() % 4 == 0;
    for (uint8_t b : {'a', 'b', 'c', 'd'})
      if (random() % 3) state.edges.push_back({b, b, static_cast<uint32_t>(random() % n)});
    l.states.push_back(std::move(state));
  }
  return l;
}

std::vector<std::string> tokens(std::mt19937& random, bool all_bytes, std::string_view letters) {
  std::vector<std::string> out;
  if (all_bytes)
    for (int b = 0; b < 256; ++b) out.push_back(std::string(1, static_cast<char>(b)));
  const std::vector<std::string> pieces = {"CL", "UE", ": ", "\n", "\nb", "é", "日", "本", "\xE6\x97", "\xA5", "😀", "guess", "GUESS:", "expl", "anation:",
                                           " ", "  ", "12", "che", "ck", "bet", "a:", "\xC3", "\xA9", "\xF0\x9F", "\xFF", "\xC0\x80", "\u00A0", "\u2003"};
  for (int i = 0; i < 120; ++i) {
    std::string t;
    for (uint32_t k = random() % 4 + 1; k--;) {
      if (!letters.empty()) t += letters[random() % letters.size()];
      else if (random() % 3) t += pieces[random() % pieces.size()];
      else t += static_cast<char>(random() % 256);
    }
    out.push_back(std::move(t));
  }
  out.push_back("");       // no token
  out.push_back(out[3]);   // a twin
  std::shuffle(out.begin(), out.end(), random);
  return out;
}

uint32_t run(const engine::Language& l, uint32_t state, std::string_view bytes) {
  for (char c : bytes) {
    const auto byte = static_cast<uint8_t>(c);
    const auto& edges = l.states[state].edges;
    const auto e = std::find_if(edges.begin(), edges.end(), [&](const auto& x) { return x.low <= byte && byte <= x.high; });
    if (e == edges.end()) return UINT32_MAX;
    state = e->to;
  }
  return state;
}

/// How many tokens each state is from an end, by trying all of them.
std::vector<int64_t> distances(const engine::Language& l, const std::vector<std::string>& tokens) {
  std::vector<int64_t> far(l.states.size(), Constraint::kNever);
  for (size_t s = 0; s < far.size(); ++s)
    if (l.states[s].accepts) far[s] = 0;
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t s = 0; s < far.size(); ++s)
      for (const std::string& t : tokens) {
        const uint32_t to = t.empty() ? UINT32_MAX : run(l, s, t);
        if (to == UINT32_MAX || far[to] + 1 >= far[s]) continue;
        far[s] = far[to] + 1;
        changed = true;
      }
  }
  return far;
}

bool allows(const std::vector<uint64_t>& mask, size_t t) { return mask[t / 64] >> (t % 64) & 1; }

void check(const engine::Language& l, const std::vector<std::string>& tokens) {
  const std::set<std::string> spelled(tokens.begin(), tokens.end());
  bool all_bytes = true;
  for (const auto& s : l.states)
    for (const auto& e : s.edges)
      for (unsigned b = e.low; b <= e.high; ++b) all_bytes &= spelled.count(std::string(1, static_cast<char>(b))) > 0;
  const auto vocabulary = decode::make_vocabulary(tokens);
  const auto constraint = decode::make_constraint(vocabulary, decode::parse_language(engine::to_json(l)));
  const auto exact = distances(l, tokens);
  std::vector<uint64_t> mask((tokens.size() + 63) / 64);
  if (exact[0] == Constraint::kNever) {
    EXPECT_EQ(constraint->distance(constraint->start()), Constraint::kNever);
    return;
  }
  for (uint32_t s = 0; s < l.states.size(); ++s) {
    if (exact[s] == Constraint::kNever) continue;
    const int64_t distance = constraint->distance(s);
    ASSERT_TRUE(all_bytes ? distance >= exact[s] : distance == exact[s]);
    ASSERT_EQ(constraint->may_end(s), l.states[s].accepts);
    for (int64_t left : {int64_t{1} << 20, int64_t{0}, int64_t{1}, int64_t{3}, distance, distance - 1}) {
      if (left < 0) continue;
      constraint->mask(s, left, mask);
      bool any = false;
      for (size_t t = 0; t < tokens.size(); ++t) {
        const uint32_t to = tokens[t].empty() ? UINT32_MAX : run(l, s, tokens[t]);
        const bool possible = to != UINT32_MAX && exact[to] <= left;
        any |= allows(mask, t);
        // With few tokens left a mask may leave out what could be finished, where distances count bytes.
        const bool exactly = left >= 1 << 20 || !all_bytes;
        ASSERT_TRUE(allows(mask, t) == possible || (!exactly && possible)) << "state " << s << ", token " << tokens[t] << ", left " << left;
        if (to == UINT32_MAX || possible) { ASSERT_EQ(constraint->step(s, static_cast<TokenId>(t)), to); }
      }
      ASSERT_TRUE(any || constraint->may_end(s) || distance > left + 1) << "state " << s << ", left " << left;
    }
  }
}

/// A reply by chance, with `budget` tokens at most.
std::vector<TokenId> walk(const Constraint& constraint, size_t vocab_size, int64_t budget, std::mt19937& random) {
  std::vector<uint64_t> mask((vocab_size + 63) / 64);
  std::vector<TokenId> out;
  auto state = constraint.start();
  while (static_cast<int64_t>(out.size()) < budget) {
    if (constraint.may_end(state) && random() % 16 == 0) return out;
    constraint.mask(state, budget - static_cast<int64_t>(out.size()) - 1, mask);
    std::vector<TokenId> choice;
    for (size_t t = 0; t < vocab_size; ++t)
      if (allows(mask, t)) choice.push_back(static_cast<TokenId>(t));
    if (choice.empty()) break;
    out.push_back(choice[random() % choice.size()]);
    state = constraint.step(state, out.back());
  }
  EXPECT_TRUE(constraint.may_end(state));
  return out;
}

std::string text_of(const std::vector<std::string>& tokens, const std::vector<TokenId>& ids) {
  std::string out;
  for (TokenId id : ids) out += tokens[static_cast<size_t>(id)];
  return out;
}

}  // namespace

TEST(Constraint, MasksAreWhatBruteForceFinds) {
  std::mt19937 random(7);
  for (const engine::Language& l : languages())
    for (int round = 0; round < 4; ++round) check(l, tokens(random, true, ""));
}

TEST(Constraint, OfChanceAutomata) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) check(chance_language(random), tokens(random, false, "abcd"));
}

TEST(Constraint, VocabulariesThatLackBytes) {
  std::mt19937 random(13);
  const std::vector<std::string> few = {"MOVE", ": ", "check", "bet", "Be", "T", "MO", "VE: c", "x"};
  const auto all = languages();
  check(all[2], few);
  const auto none = decode::make_constraint(decode::make_vocabulary({"x", "y"}), std::make_shared<decode::Language>(all[2]));
  EXPECT_EQ(none->distance(none->start()), Constraint::kNever);
  std::vector<uint64_t> mask(1);
  none->mask(none->start(), 100, mask);
  EXPECT_EQ(mask[0], 0u);
}

TEST(Constraint, WalksEndAsTheFormWants) {
  std::mt19937 random(17);
  for (const engine::Language& l : languages()) {
    const auto list = tokens(random, true, "");
    const auto constraint = decode::make_constraint(decode::make_vocabulary(list), std::make_shared<decode::Language>(l));
    const int64_t least = constraint->distance(constraint->start());
    for (int i = 0; i < 200; ++i) {
      const int64_t budget = least + random() % (i % 2 ? 4 : 40);
      const auto ids = walk(*constraint, list.size(), budget, random);
      ASSERT_LE(static_cast<int64_t>(ids.size()), budget);
      const std::string text = text_of(list, ids);
      const uint32_t end = run(l, 0, text);
      ASSERT_NE(end, UINT32_MAX) << text;
      ASSERT_TRUE(l.states[end].accepts) << text;
      ASSERT_TRUE(formats::decode(text)) << text;
      ASSERT_FALSE(decode::first_break(*constraint, ids));
    }
  }
}

TEST(Constraint, SaysWhatBroke) {
  const std::vector<std::string> list = {"CLUE", ":", " a", "CLUX", "clue", "\xC3", "\xA9", "GUESS:", "\n"};
  const auto of = [&](const engine::Language& l) { return decode::make_constraint(decode::make_vocabulary(list), std::make_shared<decode::Language>(l)); };
  const auto clue = of(languages()[1]);
  using Ids = std::vector<TokenId>;
  EXPECT_FALSE(decode::first_break(*clue, Ids{0, 1, 2, 2}));
  EXPECT_FALSE(decode::first_break(*clue, Ids{0, 1}));
  auto broken = decode::first_break(*clue, Ids{2, 0, 1});
  ASSERT_TRUE(broken);
  EXPECT_EQ(broken->index, 0);
  EXPECT_EQ(broken->token, 2);
  EXPECT_EQ(broken->expected, "\"CLUE:\"");
  broken = decode::first_break(*clue, Ids{0, 2});
  EXPECT_EQ(broken->index, 1);
  EXPECT_EQ(broken->expected, "\"CLUE:\"");
  EXPECT_EQ(decode::first_break(*clue, Ids{3})->expected, "\"CLUE:\"");
  broken = decode::first_break(*clue, Ids{0});  // ended too early
  EXPECT_EQ(broken->index, 1);
  EXPECT_FALSE(broken->token);
  EXPECT_FALSE(decode::first_break(*clue, Ids{0}, /*ended=*/false));
  EXPECT_EQ(decode::first_break(*clue, Ids{0, 1, 5})->expected, "{text} or the end");  // inside a character
  EXPECT_FALSE(decode::first_break(*clue, Ids{0, 1, 5, 6}));
  broken = decode::first_break(*clue, Ids{0, 1, 6});
  EXPECT_EQ(broken->index, 2);
}

TEST(Constraint, IsForSeveralThreads) {
  std::mt19937 random(19);
  const auto list = tokens(random, true, "");
  const auto constraint = decode::make_constraint(decode::make_vocabulary(list), std::make_shared<decode::Language>(languages()[5]));
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      std::mt19937 own(i);
      for (int k = 0; k < 20; ++k) walk(*constraint, list.size(), 60, own);
    });
  for (auto& t : threads) t.join();
}

TEST(Language, SaysWhatIsWrong) {
  const auto error = [](const char* json) -> std::string {
    try {
      decode::parse_language(engine::parse_json(json, "x"));
    } catch (const engine::InputError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(error("null"), "");
  EXPECT_EQ(error(R"({"states": [[0, 1, 97, 98, 0]], "wants": ["a"]})"), "");
  EXPECT_EQ(error("3"), "language: expected `states`, a list");
  EXPECT_EQ(error(R"({"states": [], "wants": []})"), "language: no states");
  EXPECT_EQ(error(R"({"states": [[0, 1]], "wants": []})"), "language, state 0: number 0 is 0, expected less than 0");
  EXPECT_EQ(error(R"({"states": [[0, 1, 97, 98, 1]], "wants": ["a"]})"), "language, state 0: number 4 is 1, expected less than 1");
  EXPECT_EQ(error(R"({"states": [[0, 1, 97, 98, 0, 98, 99, 0]], "wants": ["a"]})"), "language, state 0: bytes out of order");
  EXPECT_EQ(error(R"({"states": [[0, 1, 97]], "wants": ["a"]})"), "language, state 0: expected a list of 2 + 3 n numbers");
}
