#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "runtime/players/run.h"
#include "runtime/players/script.h"
#include "test/unit/test_game.h"

using namespace ppc::engine;
using namespace ppc::players;

using test::game;

namespace {

const InstanceSet& instances() {
  static const InstanceSet set = read_instances(
      *game(), parse_json(R"({"experiments": [{"name": "a", "n_turns": 4, "game_instances": [{"target_word": "tree"}]}]})", "i"), "i");
  return set;
}

std::unique_ptr<Sitting> sitting(std::unique_ptr<Player> player, uint64_t seed, std::vector<BranchPoint> points) {
  const Experiment& e = instances().experiments[0];
  auto setting = std::make_shared<Setting>(Setting{game(), e.segment, e.instances[0].segment, nullptr});
  Cast cast(2);
  cast[0] = std::move(player);
  auto out = std::make_unique<Sitting>(Episode(setting, seed), std::move(cast));
  out->branch_at(std::make_shared<std::vector<BranchPoint>>(std::move(points)));
  return out;
}

std::vector<std::string> replies(const Journal& journal) {
  std::vector<std::string> out;
  for (const Entry& e : journal.entries)
    if (e.kind == PPC_EV_GET) out.push_back(e.text);
  return out;
}

using Ends = std::map<std::string, std::unique_ptr<Sitting>>;  // by the branch's name

/// Plays a sitting and all that comes of it, in an order of its own.
Ends play_all(std::unique_ptr<Sitting> first, bool last_first = false) {
  Worker worker;
  Ends out;
  std::vector<std::unique_ptr<Sitting>> open;
  open.push_back(std::move(first));
  while (!open.empty()) {
    if (!last_first) std::rotate(open.begin(), open.begin() + 1, open.end());
    auto one = std::move(open.back());
    open.pop_back();
    play_episode(worker, *one);
    for (auto& fork : one->forks) open.push_back(std::move(fork));
    one->forks.clear();
    const std::string name = branch_name(one->branch.path);
    EXPECT_TRUE(out.emplace(name, std::move(one)).second) << name;
  }
  return out;
}

std::vector<std::string> names(const Ends& ends) {
  std::vector<std::string> out;
  for (const auto& [name, s] : ends) out.push_back(name);
  return out;
}

Record record_of(const Sitting& s, Worker& worker) {
  Record r;
  r.module = game();
  r.experiment = &instances().experiments[0];
  r.instance = &r.experiment->instances[0];
  r.models = {"bot-counter", ""};
  r.seed = s.episode.state().seed;
  r.branch = s.branch;
  r.journal = s.journal;
  take_end(r, worker, s.episode);
  return r;
}

}  // namespace

TEST(Branches, HaveNamesAndParents) {
  EXPECT_EQ(branch_name({}), "0");
  EXPECT_EQ(branch_name({0, 0, 12}), "0.0.12");
  EXPECT_EQ(branch_parent({1, 0, 2}), (std::vector<uint32_t>{1}));
  EXPECT_EQ(branch_parent({0, 2}), (std::vector<uint32_t>{}));
  EXPECT_EQ(branch_parent({3, 1}), (std::vector<uint32_t>{3}));
}

TEST(Branches, SplitAtTheirPoints) {
  auto counter = [] { return make_bot(game()->manifest(), 0, "counter"); };
  const Ends plain = play_all(sitting(counter(), 5, {}));
  EXPECT_EQ(names(plain), (std::vector<std::string>{"0"}));
  const Ends three = play_all(sitting(counter(), 5, {{3, 0, 2}}));
  EXPECT_EQ(names(three), (std::vector<std::string>{"0", "1", "2"}));
  // Branch 0 is as if there were no others.
  EXPECT_EQ(replies(three.at("0")->journal), replies(plain.at("0")->journal));
  // The others share the first round, count on, and draw other numbers.
  std::set<std::string> second;
  for (const auto& [name, s] : three) {
    const auto said = replies(s->journal);
    ASSERT_EQ(said.size(), 4u);
    EXPECT_EQ(said[0], replies(plain.at("0")->journal)[0]);
    EXPECT_EQ(said[3].rfind("GUESS: word4 ", 0), 0u) << "a bot's memory is copied";
    second.insert(said[1]);
  }
  EXPECT_EQ(second.size(), 3u);
  const Ends many = play_all(sitting(counter(), 5, {{2, 0, {}}, {3, 0, 3}}));
  EXPECT_EQ(names(many), (std::vector<std::string>{"0", "0.1", "0.2", "1", "1.1", "1.2"}));
  const Ends other_order = play_all(sitting(counter(), 5, {{2, 0, {}}, {3, 0, 3}}), true);
  for (const auto& [name, s] : many) EXPECT_EQ(replies(s->journal), replies(other_order.at(name)->journal)) << name;
  // Two points at the same ask; a point that nobody comes to.
  EXPECT_EQ(play_all(sitting(counter(), 5, {{2, 0, {}}, {2, 0, 1}, {5, 0, 9}})).size(), 4u);
}

TEST(Branches, TheStateIsACopy) {
  Worker worker;
  auto trunk = sitting(make_script(std::make_shared<std::vector<std::string>>(std::vector<std::string>{"GUESS: a", "GUESS: b", "GUESS: tree"})), 1, {{2, 0, 3}});
  play_episode(worker, *trunk);
  ASSERT_EQ(trunk->forks.size(), 1u);
  Sitting& fork = *trunk->forks[0];
  // What the moves up to here lead to, but for the place in the bots' chance.
  const Experiment& e = instances().experiments[0];
  auto setting = std::make_shared<Setting>(Setting{game(), e.segment, e.instances[0].segment, nullptr});
  Episode again(setting, 1);
  again.start(worker);
  again.step(worker, "GUESS: a");
  again.step(worker, "GUESS: b");
  again.reseed_players(fork.branch.players_seed);
  EXPECT_EQ(again.bytes(), fork.episode.bytes());
  EXPECT_EQ(fork.branch.entries, fork.journal.entries.size());
  EXPECT_EQ(replies(fork.journal), (std::vector<std::string>{"GUESS: a", "GUESS: b"}));
  play_episode(worker, fork);
  EXPECT_EQ(replies(fork.journal), (std::vector<std::string>{"GUESS: a", "GUESS: b", "GUESS: tree"})) << "a script goes on where it stood";
  EXPECT_EQ(fork.episode.state().outcome, uint32_t{PPC_WON});
  EXPECT_NE(fork.branch.players_seed, trunk->branch.players_seed);
}

TEST(Branches, AScriptHasPartsForThem) {
  auto lines = std::make_shared<std::vector<ScriptLine>>(
      parse_script("guesser: GUESS: a\nguesser: GUESS: b\n@1\nguesser: GUESS: x\n@0.1 \nguesser: GUESS: tree\n", "s"));
  auto all = std::make_shared<Conversation>(Conversation{lines, "s", 0});
  const Ends ends = play_all(sitting(make_speaker(all, "guesser"), 1, {{3, 0, 1}, {2, 0, 2}}));
  auto said = [&](const char* name) { return replies(ends.at(name)->journal); };
  EXPECT_EQ(said("0"), (std::vector<std::string>{"GUESS: a", "GUESS: b", ""}));
  EXPECT_EQ(said("1"), (std::vector<std::string>{"GUESS: x", ""})) << "a part ends with the next one";
  EXPECT_EQ(said("0.1"), (std::vector<std::string>{"GUESS: a", "GUESS: tree"}));
  EXPECT_EQ(said("2"), (std::vector<std::string>{"GUESS: a", "GUESS: b", ""})) << "without a part of its own it reads on";
  auto error = [](const char* text) {
    try {
      parse_script(text, "s");
    } catch (const InputError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_EQ(error("@1\n@1\n"), "s:2: branch `1` has a part already");
  for (const char* bad : {"@\n", "@0\n", "@1.0\n", "@x\n", "@1..2\n", "@.1\n"}) EXPECT_NE(error(bad), "") << bad;
}

TEST(Branches, ALineHasWhatIsItsOwn) {
  Worker worker;
  auto trunk = sitting(make_bot(game()->manifest(), 0, "counter"), 5, {{2, 0, 2}});
  play_episode(worker, *trunk);
  Sitting& fork = *trunk->forks[0];
  play_episode(worker, fork);
  const Json whole = parse_json(episode_line(record_of(*trunk, worker)), "0"), branch = parse_json(episode_line(record_of(fork, worker)), "1");
  EXPECT_EQ(whole.find("schema")->as_text(), "ppc-episode/1");
  EXPECT_EQ(branch.find("schema")->as_text(), "ppc-branch/1");
  EXPECT_EQ(branch.find("branch")->as_text(), "1");
  EXPECT_EQ(branch.find("tree")->as_text(), whole.find("record")->as_text());
  EXPECT_EQ(branch.find("parent")->as_text(), whole.find("record")->as_text());
  EXPECT_EQ(branch.find("record")->as_text(), whole.find("record")->as_text() + "_branch_1");
  const Json& leaves = *branch.find("leaves");
  EXPECT_EQ(leaves.find("player")->as_text(), "guesser");
  EXPECT_EQ(leaves.find("round")->as_int(), 2);
  ASSERT_EQ(leaves.find("messages")->as_int(), 3);  // asked, answered, asked
  const Json::List &all = whole.find("messages")->items(), &own = branch.find("messages")->items();
  EXPECT_EQ(own.size() + 3, all.size());
  EXPECT_EQ(own[0].find("text")->as_text(), replies(fork.journal)[1]);
  EXPECT_EQ(branch.find("history")->as_text(), history_hash(all, 3));
  EXPECT_NE(history_hash(all, 3), history_hash(all, 2));
  ASSERT_EQ(branch.find("open")->items().size(), 1u);
  EXPECT_EQ(branch.find("open")->items()[0].find("message")->as_int(), 1);
  // Unfolded it is an episode like others.
  Record r = record_of(fork, worker);
  r.unfolded = true;
  const Json unfolded = parse_json(episode_line(r), "1");
  EXPECT_EQ(unfolded.find("schema")->as_text(), "ppc-episode/1");
  EXPECT_EQ(unfolded.find("messages")->items().size(), all.size());
  EXPECT_EQ(history_hash(unfolded.find("messages")->items(), 3), history_hash(all, 3));
}

namespace {

/// Answers on a thread of its own; what a branch says has its way in it.
class Later final : public Player {
 public:
  explicit Later(size_t episode) : episode_(episode) {}
  bool waits() const override { return true; }
  void ask(const Request& r, std::function<void(Answer)> done) override {
    EXPECT_EQ(r.message, asked_ == 0 ? "Guess the word." : "no");
    const std::string text = "GUESS: " + name_ + "-" + std::to_string(asked_++);
    std::thread([text, n = episode_ * 31 + text.size(), lost = episode_ % 5 == 3 && name_ == "1" && asked_ == 3, done = std::move(done)] {
      std::this_thread::sleep_for(std::chrono::microseconds((n * 7919) % 2000));
      if (lost) done(Unanswered{Unanswered::Why::Request, "lost"});
      else done(Reply{text});
    }).detach();
  }
  std::unique_ptr<Player> fork(Fork& f) const override {
    auto out = std::make_unique<Later>(*this);
    out->name_ = f.name;
    return out;
  }

 private:
  size_t episode_;
  std::string name_ = "0";
  int asked_ = 0;
};

class NoForks final : public Player {
 public:
  Reply reply(const Request&) override { return {"GUESS: a"}; }
};

}  // namespace

TEST(Branches, ManyAtOnce) {
  for (const auto& [threads, in_flight] : std::vector<std::pair<unsigned, size_t>>{{1, 1}, {4, 20}}) {
    std::mutex mutex;
    std::map<size_t, std::map<std::string, std::vector<std::string>>> seen;
    std::set<size_t> failed, done;
    RunControl control;
    const RunResult result = run_episodes(
        60, {threads, in_flight}, control, [](size_t i) { return sitting(std::make_unique<Later>(i), i, {{3, 0, 1}, {2, 0, 3}}); },
        [&](size_t i, Sitting& s, Worker&) {
          std::lock_guard lock(mutex);
          EXPECT_FALSE(done.count(i));
          EXPECT_TRUE(seen[i].emplace(branch_name(s.branch.path), replies(s.journal)).second);
        },
        [&](size_t i) {
          std::lock_guard lock(mutex);
          EXPECT_FALSE(done.count(i));
          failed.insert(i);
        },
        [&](size_t i) {
          std::lock_guard lock(mutex);
          EXPECT_TRUE(done.insert(i).second);
        });
    EXPECT_EQ(result.begun, 60u);
    EXPECT_EQ(done.size(), 60u) << "once for each";
    EXPECT_EQ(failed.size(), 12u);
    EXPECT_EQ(result.failed, 12u);
    EXPECT_EQ(result.over, 60u * 6 - 12);
    for (const auto& [i, ends] : seen) {
      EXPECT_EQ(ends.size(), failed.count(i) ? 5u : 6u);
      EXPECT_EQ(ends.at("2.1"), (std::vector<std::string>{"GUESS: 2-0", "GUESS: 2-1", "GUESS: 2.1-2", "GUESS: 2.1-3"}));
    }
  }
}

TEST(Branches, NotEverybodyCanBeCopied) {
  Worker worker;
  auto s = sitting(std::make_unique<NoForks>(), 1, {{2, 0, 2}});
  EXPECT_THROW(play_episode(worker, *s), InputError);
}
