#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "runtime/players/human.h"
#include "runtime/players/play.h"
#include "runtime/players/script.h"
#include "test/unit/test_game.h"

using namespace ppc::engine;
using namespace ppc::players;

using test::game;
using test::error_of;

namespace {

std::shared_ptr<const Setting> setting() {
  const InstanceSet set = read_instances(
      *game(), parse_json(R"({"experiments": [{"name": "a", "game_instances": [{"target_word": "tree"}]}]})", "i"), "i");
  return std::make_shared<Setting>(Setting{game(), set.experiments[0].segment, set.experiments[0].instances[0].segment, nullptr});
}

struct Played {
  explicit Played(std::unique_ptr<Player> player, uint64_t seed = 1) : sitting(Episode(setting(), seed), cast_of(std::move(player))) {
    left = play_episode(worker, sitting);
  }
  static Cast cast_of(std::unique_ptr<Player> player) {
    Cast cast(2);
    cast[0] = std::move(player);
    return cast;
  }
  std::vector<std::string> replies() const {
    std::vector<std::string> out;
    for (const Entry& e : journal.entries)
      if (e.kind == PPC_EV_GET) out.push_back(e.text);
    return out;
  }
  Worker worker;
  Sitting sitting;
  Episode& episode = sitting.episode;
  Journal& journal = sitting.journal;
  bool left = false;
};

std::unique_ptr<Player> list(std::vector<std::string> replies) {
  return make_script(std::make_shared<std::vector<std::string>>(std::move(replies)));
}

}  // namespace

TEST(Specs, AreReadOrRefused) {
  EXPECT_EQ(parse_spec("bot:fixed").model_name(), "bot-fixed");
  EXPECT_EQ(parse_spec("human").model_name(), "human");
  EXPECT_EQ(parse_spec("script:a:b.json").argument, "a:b.json");
  for (const char* bad : {"", "bot", "bot:", "human:x", "robot:x", ":x"}) EXPECT_NE(error_of([&] { parse_spec(bad); }), "") << bad;
  EXPECT_EQ(error_of([] { make_bot(game()->manifest(), 0, "none"); }),
            "`guesser` has no bot `none`: there is `echo`, `counter`, `broken`");
  EXPECT_EQ(error_of([] { make_bot(game()->manifest(), 1, "none"); }), "`host` has no bot `none`: it has none");
}

TEST(Bots, HearTheMessageAndKeepTheirMemory) {
  Played echo(make_bot(game()->manifest(), 0, "echo"));
  EXPECT_EQ(echo.replies(), (std::vector<std::string>{"GUESS: Guess the word.", "GUESS: no", "GUESS: no"}));
  Played a(make_bot(game()->manifest(), 0, "counter"), 3), b(make_bot(game()->manifest(), 0, "counter"), 3),
      c(make_bot(game()->manifest(), 0, "counter"), 4);
  EXPECT_EQ(a.replies(), b.replies());
  EXPECT_NE(a.replies(), c.replies());
  EXPECT_EQ(a.replies()[2].substr(0, 12), "GUESS: word3");
  EXPECT_EQ(a.episode.bytes(), b.episode.bytes());
}

TEST(Bots, FaultsEndTheEpisode) {
  Played p(make_bot(game()->manifest(), 0, "broken"));
  EXPECT_EQ(p.episode.status(), Status::Done);
  EXPECT_EQ(p.episode.state().outcome, static_cast<uint32_t>(PPC_ABORTED));
  EXPECT_EQ(p.journal.entries.back().kind, static_cast<uint32_t>(PPC_EV_OUTCOME));
  EXPECT_NE(p.episode.reason().find("fault: nothing to choose from"), std::string::npos);
}

TEST(Scripts, AnswerInOrderAndThenWithNothing) {
  Played win(list({"GUESS: a", "GUESS: tree"}));
  EXPECT_EQ(win.episode.state().score, 50);
  Played short_one(list({"GUESS: a"}));
  EXPECT_EQ(short_one.replies(), (std::vector<std::string>{"GUESS: a", ""}));
  EXPECT_EQ(short_one.episode.reason(), "invalid format");
}

TEST(Scripts, FilesAreCheckedLists) {
  const std::string path = testing::TempDir() + "ppc-players-" + std::to_string(getpid()) + ".yaml";
  std::ofstream(path) << "- one\n- |\n  two\n  lines\n";
  EXPECT_EQ(load_replies(path), (std::vector<std::string>{"one", "two\nlines\n"}));
  std::ofstream(path) << "- one\n- 2\n";
  EXPECT_EQ(error_of([&] { load_replies(path); }), path + ": [1]: expected text, found 2");
  std::ofstream(path) << "a: b\n";
  EXPECT_EQ(error_of([&] { load_replies(path); }), path + ": expected a list of texts, found an object");
  unlink(path.c_str());
  EXPECT_NE(error_of([&] { load_replies(path); }).find("no such file"), std::string::npos);
}

TEST(TestScripts, HaveEscapesBlocksAndComments) {
  const auto lines = parse_script(
      "# a comment\n"
      "describer: CLUE: it: is\\tcold\n"
      "\n"
      "guesser:GUESS: a\\nb\\\\\\xff\r\n"
      "guesser: |\n"
      "    explanation: \\n stays\n"
      "\n"
      "      deeper\n"
      "    guess: crane\n"
      "\n"
      "describer:\n"
      "describer: |\n",
      "s");
  ASSERT_EQ(lines.size(), 5u);
  EXPECT_EQ(lines[0].role, "describer");
  EXPECT_EQ(lines[0].text, "CLUE: it: is\tcold");
  EXPECT_EQ(lines[1].text, "GUESS: a\nb\\\xff");
  EXPECT_EQ(lines[1].line, 4u);
  EXPECT_EQ(lines[2].text, "explanation: \\n stays\n\n  deeper\nguess: crane");
  EXPECT_EQ(lines[3].text, "");
  EXPECT_EQ(lines[4].text, "");
  EXPECT_EQ(error_of([] { parse_script("a: b\nno colon\n", "s"); }), "s:2: expected `role: response`");
  EXPECT_EQ(error_of([] { parse_script("  a: b", "s"); }), "s:1: an indented line outside of a `|` block");
  EXPECT_EQ(error_of([] { parse_script("a: \\q", "s"); }), "s:1: unknown escape; there are \\n \\t \\r \\\\ and \\xHH");
  EXPECT_NE(error_of([] { parse_script("a: \\", "s"); }), "");
  EXPECT_NE(error_of([] { parse_script("a: \\x1", "s"); }), "");
  EXPECT_TRUE(parse_script("", "s").empty());
}

TEST(TestScripts, TheRoleMustBeTheOneThatIsAsked) {
  auto conversation = std::make_shared<Conversation>();
  conversation->name = "s";
  conversation->lines = std::make_shared<std::vector<ScriptLine>>(parse_script("guesser: GUESS: a\nhost: hello\n", "s"));
  EXPECT_EQ(error_of([&] { Played p(make_speaker(conversation, "guesser")); }), "s:2: `host` answers here, but `guesser` is asked");
}

// ---- a human at the other end of a pipe ---------------------------------------------------------------------------

namespace {
struct Talk {
  explicit Talk(const std::string& input, bool colour = false) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    if (write(ends[1], input.data(), input.size()) != static_cast<ssize_t>(input.size())) std::abort();
    close(ends[1]);
    std::shared_ptr<LineReader> lines = make_line_reader(ends[0], out, false);
    played = std::make_unique<Played>(make_human(lines, out, game()->manifest(), 0, colour));
    close(ends[0]);
  }
  std::ostringstream out;
  std::unique_ptr<Played> played;
};
}  // namespace

TEST(Human, SeesItsMessagesAndAnswers) {
  Talk talk("GUESS: a\r\nGUESS: tree\n");
  EXPECT_EQ(talk.played->episode.state().score, 50);
  const std::string out = talk.out.str();
  EXPECT_NE(out.find("You are WordGuesser."), std::string::npos);
  EXPECT_NE(out.find("Guess the word."), std::string::npos);
  EXPECT_NE(out.find("You won (score 50)"), std::string::npos);
  EXPECT_EQ(out.find("You found it!"), std::string::npos) << "said to the host";
  EXPECT_EQ(out.find('\x1b'), std::string::npos);
}

TEST(Human, MayAskForTheRules) {
  Talk talk("/rules\nGUESS: tree\n");
  EXPECT_NE(talk.out.str().find("testgame\nFind the word.\n\nGuess: GUESS: <word>\n"), std::string::npos);
  EXPECT_EQ(talk.played->episode.state().score, 100);
}

TEST(Human, WritesSeveralLines) {
  Talk talk("GUESS: one\\\ntwo\\\n/rules\nGUESS: last without an end");
  EXPECT_EQ(talk.played->replies(), (std::vector<std::string>{"GUESS: one\ntwo\n/rules", "GUESS: last without an end"}));
}

TEST(Human, MayLeave) {
  for (const char* input : {"", "GUESS: a\n", "/quit\n", "GUESS: a\\\n"}) {
    Talk talk(input);
    EXPECT_TRUE(talk.played->left) << input;
    EXPECT_EQ(talk.played->episode.reason(), "the player left");
    EXPECT_EQ(talk.played->episode.state().outcome, static_cast<uint32_t>(PPC_ABORTED));
    EXPECT_EQ(talk.played->journal.entries.back().text, "the player left");
  }
}
