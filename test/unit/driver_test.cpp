// From a file to a game: includes, stages, engines.
#include "compiler/driver/driver.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "runtime/engine/episode.h"
#include "runtime/engine/instances.h"

namespace ppc::driver {
namespace {

namespace fs = std::filesystem;

const char* const kGames[] = {"hellogame", "taboo", "wordle", "wordle_withclue", "wordle_withcritic"};
std::string stdlib(const std::string& game) {
  return std::string(PPC_SOURCE_DIR) + "/stdlib-games/" + game + "/" + game + ".game";
}
std::string all(const diag::Emitter& out) {
  std::string text;
  for (const diag::Report& r : out.reports()) text += diag::render(r, out.sources(), false);
  return text;
}

class Driver : public testing::Test {
 protected:
  Driver() : emitter(sources) {
    folder = fs::temp_directory_path() / ("ppc-driver-test-" + std::to_string(getpid()));
    fs::create_directories(folder / "game");
    fs::create_directories(folder / "beside");
  }
  ~Driver() override { fs::remove_all(folder); }
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder / name) << text;
    return (folder / name).string();
  }
  bool reported(const std::string& code) const {
    for (const diag::Report& r : emitter.reports())
      if (code == r.what->code) return true;
    return false;
  }
  fs::path folder;
  Sources sources;
  diag::Emitter emitter;
};

const char* const kSmall = R"(
player guesser
move Guess by guesser { format "GUESS:" {word: text} else abort "no guess" }
play { let guess = ask guesser for Guess  if guess.word == "x" { win } lose }
)";

TEST_F(Driver, EveryStageOfEveryGame) {
  for (const char* game : kGames) {
    for (Emit emit : {Emit::Ast, Emit::Typed, Emit::Ir, Emit::Llvm, Emit::Asm, Emit::Obj, Emit::Header, Emit::Grammar}) {
      CompileOptions options;
      options.emit = emit;
      auto text = compile_file(stdlib(game), options, emitter);
      ASSERT_TRUE(text) << game << "\n" << all(emitter);
      EXPECT_FALSE(text->empty()) << game;
    }
  }
}

TEST_F(Driver, EveryGameOnEveryEngine) {
  for (const char* game : kGames) {
    std::string hash;
    for (const char* engine : {"interp", "jit", "so"}) {
      LoadOptions options;
      options.engine = engine;
      options.cache_dir = "";
      Timing timing;
      Sources own;
      diag::Emitter out(own);
      auto module = load_game(stdlib(game), options, out, &timing);
      ASSERT_TRUE(module) << game << "\n" << all(out);
      EXPECT_STREQ(module->engine(), engine);
      EXPECT_EQ(module->manifest().game, game);
      if (hash.empty()) hash = module->manifest().hash;
      EXPECT_EQ(module->manifest().hash, hash);
      EXPECT_GT(timing.total, 0);
    }
  }
}

TEST_F(Driver, PassesCanBeLeftOut) {
  CompileOptions options;
  options.emit = Emit::Ir;
  auto with = compile_file(stdlib("wordle"), options, emitter);
  for (const PassLine& pass : list_passes()) {
    options.passes.disabled = {pass.name};
    if (!pass.optional) {
      EXPECT_THROW(compile_file(stdlib("wordle"), options, emitter), std::invalid_argument);
      continue;
    }
    auto without = compile_file(stdlib("wordle"), options, emitter);
    ASSERT_TRUE(without);
    EXPECT_TRUE(*with != *without) << pass.name << " does nothing for wordle";
  }
}

TEST_F(Driver, IncludesFromTheFolderBeside) {
  write("beside/common.game", "state { n : int = 1 }\n");
  std::string path = write("game/a.game", std::string("game a\ninclude \"../beside/common.game\"\n") + kSmall);
  EXPECT_TRUE(check_game(path, emitter)) << all(emitter);
}

TEST_F(Driver, MissingFiles) {
  EXPECT_FALSE(check_game((folder / "none.game").string(), emitter));
  EXPECT_TRUE(reported("E0601"));
  std::string path = write("game/a.game", std::string("game a\ninclude \"none.game\"\n") + kSmall);
  EXPECT_FALSE(check_game(path, emitter));
  EXPECT_NE(all(emitter).find("a.game:2:"), std::string::npos) << all(emitter);
  EXPECT_FALSE(check_game(folder.string(), emitter));
  EXPECT_NE(all(emitter).find("it is a folder"), std::string::npos);
}

TEST_F(Driver, IncludesOutside) {
  std::ofstream(folder.parent_path() / "outside.game") << "state { n : int = 1 }\n";
  for (const char* file : {"../../outside.game", "/etc/passwd", "../../../etc/passwd"}) {
    Sources own;
    diag::Emitter out(own);
    std::string path = write("game/a.game", "game a\ninclude \"" + std::string(file) + "\"\n" + kSmall);
    EXPECT_FALSE(check_game(path, out));
    ASSERT_FALSE(out.reports().empty());
    EXPECT_STREQ(out.reports()[0].what->code, "E0602") << file;
  }
  fs::remove(folder.parent_path() / "outside.game");
  // Not by way of a link either.
  fs::create_symlink("/etc/passwd", folder / "game/link.game");
  std::string path = write("game/a.game", std::string("game a\ninclude \"link.game\"\n") + kSmall);
  EXPECT_FALSE(check_game(path, emitter));
  EXPECT_TRUE(reported("E0602"));
}

TEST_F(Driver, IncludesInACircleAndTwice) {
  write("game/b.game", "include \"c.game\"\n");
  write("game/c.game", "include \"b.game\"\nstate { n : int = 1 }\n");
  std::string path = write("game/a.game", std::string("game a\ninclude \"b.game\"\n") + kSmall);
  EXPECT_FALSE(check_game(path, emitter));
  EXPECT_TRUE(reported("E0603")) << all(emitter);

  write("game/c.game", "state { n : int = 1 }\n");
  Sources own;
  diag::Emitter out(own);
  path = write("game/a.game", std::string("game a\ninclude \"b.game\"\ninclude \"c.game\"\n") + kSmall);
  EXPECT_TRUE(check_game(path, out)) << all(out);
}

TEST_F(Driver, SharedObjectsOnly) {
  LoadOptions options;
  std::string path = write("game/broken.so", "no shared object");
  EXPECT_THROW(load_game(path, options, emitter), std::runtime_error);
  options.engine = "abacus";
  EXPECT_THROW(load_game(stdlib("taboo"), options, emitter), std::invalid_argument);
}

TEST_F(Driver, CacheIsUsedAndMayBeMissing) {
  LoadOptions options;
  options.cache_dir = (folder / "cache").string();
  Timing cold, warm;
  ASSERT_TRUE(load_game(stdlib("taboo"), options, emitter, &cold));
  Sources own;
  diag::Emitter out(own);
  ASSERT_TRUE(load_game(stdlib("taboo"), options, out, &warm));
  EXPECT_FALSE(cold.codegen.cached);
  EXPECT_TRUE(warm.codegen.cached);
  EXPECT_EQ(warm.parse, 0) << "a game that did not change is not parsed";
  options.cache_dir = "/proc/none";
  EXPECT_TRUE(load_game(stdlib("taboo"), options, emitter));
}

TEST_F(Driver, CacheSeesEveryChange) {
  LoadOptions options;
  options.cache_dir = (folder / "cache").string();
  auto load = [&](const std::string& path) {
    Sources own;
    diag::Emitter out(own);
    Timing timing;
    auto module = load_game(path, options, out, &timing);
    return std::pair{module ? module->manifest().hash64() : 0, timing.codegen.cached && timing.parse == 0};
  };
  const std::string part = write("game/part.game", "fn good(s: text) -> bool = s == \"a\"\n");
  const std::string path = write("game/game.game", "game small\ninclude \"part.game\"\nplayer p\nmove M by p {\n  format {a: text}  else abort \"no\"\n  expect good(a)  else lose\n}\nplay {\n  brief p \"Go.\"\n  ask p for M\n  win\n}\n");
  const auto first = load(path);
  ASSERT_NE(first.first, 0u);
  EXPECT_FALSE(first.second);
  EXPECT_TRUE(load(path).second);
  EXPECT_EQ(load(path).first, first.first);
  write("game/part.game", "fn good(s: text) -> bool = s == \"b\"\n");
  EXPECT_FALSE(load(path).second) << "the include changed";
  EXPECT_TRUE(load(path).second);
  std::filesystem::remove(part);
  EXPECT_EQ(load(path).first, 0u) << "the include is gone";
  write("game/part.game", "fn good(s: text) -> bool = s == \"b\"\n");
  EXPECT_TRUE(load(path).second);
  write("game/game.game", "game small\nplayer p\n");
  EXPECT_EQ(load(path).first, 0u) << "errors are never kept";
  EXPECT_EQ(load(path).first, 0u);
}

// Ten thousand rounds of a game that needs to know only the one before: neither the work of a move nor the state grows, and what the
// state holds stays what it is when the rest is swept away.
TEST_F(Driver, NothingGrowsWithTheRounds) {
  const std::string path = write("game/long.game", R"(game long
record Pair { first: text  second: [text] }
state {
  last  : text = ""
  pair  : Pair = Pair { first = ""  second = [] }
  kinds : map<text, [text]> = {}
  names : set<text> = {}
  maybe : text? = none
}
player p
player q
move Say by p, q { format "SAY:" {word: text} else abort "no word" }
play {
  brief p "Say something."
  tell q "This waits for the last round."
  var before = ["nothing", "at all"]
  round r in 1..10000 {
    let said = ask p for Say
    let word = said.word.trimmed.lower
    tell p "Before {word} you said {before[0]}, {last}, {pair.first}, {pair.second}, {kinds}, {names}, {maybe.or("-")}."
    last       = word + "!"
    pair       = Pair { first = word + "?"  second = [word, before[0]] }
    kinds["x"] = [word, last]
    names      = {word, "always"}
    maybe      = word
    before     = [word + "."]
  }
  tell q "It is over."
  ask q for Say
  win score if maybe.or("") in names then 100 else 0
}
)");
  for (const char* engine : {"interp", "jit"}) {
    LoadOptions options;
    options.engine = engine;
    options.cache_dir = std::string();
    auto setting = std::make_shared<engine::Setting>();
    setting->module = load_game(path, options, emitter);
    ASSERT_TRUE(setting->module) << all(emitter);
    const auto set = engine::read_instances(
        *setting->module, engine::parse_json(R"({"experiments": [{"name": "x", "game_instances": [{}]}]})", "x"), "x");
    setting->experiment = set.experiments[0].segment;
    setting->instance = set.experiments[0].instances[0].segment;
    setting->resources = engine::load_resources(*setting->module, folder, "", false);
    engine::Worker worker;
    engine::Episode episode(setting, 1);
    episode.start(worker);
    std::vector<int64_t> work;
    size_t largest = 0;
    for (int round = 1; round <= 10000; ++round) {
      const int64_t before = episode.state().steps;
      ASSERT_EQ(episode.step(worker, "SAY: word " + std::to_string(round % 10)), engine::Status::Asking) << episode.reason();
      work.push_back(episode.state().steps - before);
      largest = std::max(largest, episode.bytes().size());
      if (round == 9998) {
        EXPECT_EQ(episode.message(worker),
                  "Before word 8 you said word 7., word 7!, word 7?, [word 7, word 6.], {x: [word 7, word 7!]}, {word 7, always}, word 7.");
      }
    }
    EXPECT_EQ(work[19], work[9989]) << engine;
    EXPECT_EQ(*std::max_element(work.begin() + 10, work.begin() + 9990), *std::max_element(work.begin() + 10, work.begin() + 30)) << engine;
    EXPECT_LT(largest, 40000u) << engine;
    EXPECT_EQ(episode.message(worker), "This waits for the last round.\nIt is over.");
    episode.step(worker, "SAY: goodbye");
    EXPECT_EQ(episode.state().score, 100) << episode.reason();
  }
}

}  // namespace
}  // namespace ppc::driver
