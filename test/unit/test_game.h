// A small game in C++, as the compiler would make it: what the engine and the players are tested with.
//
// A guesser has `n_turns` tries to find `target_word`; "GUESS: x" is the form. A scripted host says something at the end.
// Some replies make it misbehave: see `misbehave`.
#pragma once
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/abi/abi.h"
#include "runtime/engine/json.h"
#include "runtime/engine/module.h"

namespace test {

class Game : public ppc::engine::GameModule {
 public:
  Game() : GameModule(make()) {}
  const uint8_t* pool() const override { return reinterpret_cast<const uint8_t*>(kPool); }
  const char* engine() const override { return "test"; }

  enum Entry { kInit, kStep, kEcho, kCounter, kBroken, kTries, kTurns, kTurnValue, kBadMetric, kGuesses, kGenerate };
  enum Type { kInt, kText, kTexts, kSide, kMap, kSet, kMaybe, kPair };

  int64_t call(uint32_t index, ppc_ctx* c, const int64_t* args) const override {
    switch (index) {
      case kInit: slot(c, 0) = ppc_rt_persist(c, ppc_rt_list_new(c, 0), kTexts); return 0;
      case kStep: return step(c);
      case kEcho: return concat(c, {text("GUESS: "), args[0]});
      case kCounter: {
        const int64_t n = ++slot(c, 1);
        return concat(c, {text("GUESS: word"), ppc_rt_int_to_text(c, n), text(" "), ppc_rt_int_to_text(c, ppc_rt_draw(c, 1000))});
      }
      case kBroken: ppc_rt_fault(c, PPC_FAULT_EMPTY);
      case kTries: return bits(static_cast<double>(ppc_rt_list_length(c, slot(c, 0))));
      case kTurns: {
        int64_t list = ppc_rt_list_new(c, 4);
        for (int64_t i = 1; i <= ppc_rt_list_length(c, slot(c, 0)); ++i) list = ppc_rt_list_push(c, list, i, kTexts);
        return list;
      }
      case kTurnValue: return bits(10.0 * static_cast<double>(args[0]));
      case kBadMetric: c->loc = 7 << 12 | 3; ppc_rt_fault(c, PPC_FAULT_KEY);
      case kGuesses: return slot(c, 0);
      case kGenerate: {
        const int64_t n = args[0] < 0 ? 2 : args[0];
        ppc_rt_gen_experiment(c, text("fresh"));
        ppc_rt_gen_field(c, 0, 0, 3);
        for (int64_t i = 0; i < n; ++i) {
          ppc_rt_gen_instance(c);
          ppc_rt_gen_field(c, 1, 0, concat(c, {text("w"), ppc_rt_int_to_text(c, ppc_rt_draw(c, 1000000))}));
        }
        return 0;
      }
      default: return 0;
    }
  }

 private:
  static constexpr const char kPool[] =
      "........GUESS: \0target\0Guess the word.\0no\0You found it!\0invalid format\0abort game\0 \0GUESS: word\0fresh\0w\0try\0again\0the word was ";

  // Constants by their text, found in the pool.
  static int64_t text(const char* s) {
    const size_t n = std::strlen(s);
    for (size_t at = 8; at + n <= sizeof kPool; ++at)
      if (std::memcmp(kPool + at, s, n) == 0) return PPC_TEXT(PPC_POOL, 1, at, n);
    return library(s);
  }
  static int64_t library(const char*) { std::abort(); }
  static int64_t bits(double d) {
    int64_t v = 0;
    std::memcpy(&v, &d, 8);
    return v;
  }
  static int64_t concat(ppc_ctx* c, std::initializer_list<int64_t> parts) {
    return ppc_rt_concat(c, parts.begin(), static_cast<int64_t>(parts.size()));
  }
  static ppc_state* state(ppc_ctx* c) { return reinterpret_cast<ppc_state*>(c->seg[PPC_STATE]); }
  static int64_t& slot(ppc_ctx* c, uint32_t i) { return state(c)->slots[2 * 2 + i]; }
  static int64_t field(ppc_ctx* c, unsigned segment, uint32_t i) {
    int64_t v = 0;
    std::memcpy(&v, c->seg[segment] + 8 + 8 * i, 8);
    return v;
  }

  int64_t finish(ppc_ctx* c, uint32_t outcome, double score, int64_t reason) const {
    ppc_rt_finish(c, outcome, bits(score), reason);
    state(c)->status = PPC_DONE;
    return PPC_DONE;
  }
  int64_t ask(ppc_ctx* c) const {
    ppc_rt_ask(c, 0, 0);
    state(c)->pc = 1;
    state(c)->status = PPC_ASKING;
    return PPC_ASKING;
  }

  int64_t step(ppc_ctx* c) const {
    if (state(c)->pc == 0) {
      c->loc = 20 << 12 | 3;
      ppc_rt_brief(c, 0, text("Guess the word."));
      ppc_rt_round_start(c, 1);
      return ask(c);
    }
    const int64_t said = ppc_rt_got(c, 0, 0);
    misbehave(c, said);
    if (!c->reply_valid || !ppc_rt_text_starts_with(c, said, text("GUESS: "))) {
      ppc_rt_violation(c, 0, 0, text("invalid format"));
      ppc_rt_count_violated(c);
      ppc_rt_note(c, text("invalid format"), text("abort game"));
      return finish(c, PPC_ABORTED, 0, text("invalid format"));
    }
    const int64_t guess = ppc_rt_text_slice(c, said, 7, INT64_MAX);
    int64_t pairs = ppc_rt_list_new(c, 2);
    pairs = ppc_rt_list_push(c, pairs, text("word"), kTexts);
    pairs = ppc_rt_list_push(c, pairs, guess, kTexts);
    ppc_rt_accept(c, 0, 0, pairs);
    slot(c, 0) = ppc_rt_list_push(c, slot(c, 0), guess, kTexts);
    const int64_t target = field(c, PPC_INSTANCE, 0);
    const int64_t tries = ppc_rt_list_length(c, slot(c, 0));
    if (ppc_rt_text_eq(c, guess, target)) {
      ppc_rt_reward(c, 0, bits(1.5));
      ppc_rt_tell(c, 1, text("You found it!"));
      ppc_rt_say(c, 1, concat(c, {text("the word was "), target}));
      return finish(c, PPC_WON, 100.0 / static_cast<double>(tries), 0);
    }
    if (tries >= field(c, PPC_EXPERIMENT, 0)) return finish(c, PPC_LOST, 0, 0);
    ppc_rt_tell(c, 0, text("no"));
    ppc_rt_round_start(c, tries + 1);
    return ask(c);
  }

  void misbehave(ppc_ctx* c, int64_t said) const {
    const char* p = reinterpret_cast<const char*>(c->seg[PPC_SEGMENT(said)] + PPC_OFFSET(said));
    const std::string_view s = PPC_LENGTH(said) ? std::string_view(p, PPC_LENGTH(said)) : std::string_view();
    c->loc = 31 << 12 | 5;
    if (s == "!index") ppc_rt_list_at(c, slot(c, 0), 99);
    if (s == "!loop") {
      while (true) {
        if (--c->fuel < 0) ppc_rt_fault(c, PPC_FAULT_STEPS);
      }
    }
    if (s == "!state") {
      while (true) slot(c, 0) = ppc_rt_list_push(c, slot(c, 0), said, kTexts);
    }
    if (s == "!scratch") {
      int64_t t = said;
      while (true) t = concat(c, {t, t});
    }
  }

  static ppc::engine::Manifest make() {
    ppc::engine::Manifest m;
    m.game = "testgame";
    m.doc = "Find the word.";
    m.file = "testgame.game";
    m.hash = "0123456789abcdef";
    m.types = {{"int", {}, {}, ""},        {"text", {}, {}, ""},         {"list", {1}, {}, ""},
               {"enum", {}, {"left", "right hand"}, "Side"}, {"map", {1, 0}, {}, ""}, {"set", {1}, {}, ""},
               {"optional", {0}, {}, ""},  {"tuple", {0, 1}, {}, ""}};
    m.players = {{"guesser", "WordGuesser", false}, {"host", "Host", true}};
    auto field = [](const char* name, uint32_t type) {
      ppc::engine::FieldInfo f;
      f.name = name;
      f.type = type;
      return f;
    };
    auto turns = field("n_turns", kInt);
    turns.low = 1;
    turns.high = 20;
    turns.from = {"common_config.n_turns", "common_config.tries[0]"};
    turns.initial = "3";
    m.experiment = {turns};
    auto side = field("side", kSide);
    side.initial = "\"left\"";
    auto map = field("map", kMap);
    map.initial = "{}";
    auto set = field("set", kSet);
    set.initial = "[]";
    set.high = 3;
    auto maybe = field("maybe", kMaybe);
    auto pair = field("pair", kPair);
    pair.initial = "[1, \"a\"]";
    m.instance = {field("target_word", kText), side, map, set, maybe, pair};
    m.instance[0].secret = true;
    m.slots = {{"guesses", kTexts}, {"count", kInt}};
    m.moves = {{"Guess", "GUESS: <word>", "", {0}}};
    m.rules = {{"Guess", "format", "the form GUESS: <word>", 12, 3}};
    m.bots = {{"guesser", "echo", "Says what it hears.", 0, kEcho},
              {"guesser", "counter", "Counts.", 0, kCounter},
              {"guesser", "broken", "Faults.", 0, kBroken}};
    m.metrics = {{"Tries", kTries, {}}, {"Points", kTurns, kTurnValue}, {"Broken", kBadMetric, {}}};
    m.keys = {{"Guesses", kTexts, kGuesses}};
    m.init_entry = kInit;
    m.step_entry = kStep;
    m.generate_entry = kGenerate;
    m.bounds = {{20, 0}, 20, 20};
    return m;
  }
};

/// One for all tests of a program.
inline std::shared_ptr<const Game> game() {
  static const auto g = std::make_shared<Game>();
  return g;
}

/// What the input is told to be at fault for; empty when it is not.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const ppc::engine::InputError& e) {
    return e.what();
  }
  return "";
}

}  // namespace test
