// What it costs to continue an episode in another way: taboo, wordle and adventuregame in mid-episode.
//
// Of each game's instances the one that its first bots play longest, stopped after half of its replies. Measured: a fork of the state
// (engine::Episode::fork); the same with the journal and the players, which is what `ppc play --branch` does; both beside a plain memcpy of as
// many bytes as the state has, in the same run. Beside that a figure that was quoted, not measured here: what Python's deepcopy of the same
// games' masters in clembench took on another machine.
// Before anything is measured, fork and original are played to the end with the same replies, and must be the same bytes.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>
#include <iostream>

#include "compiler/driver/driver.h"
#include "runtime/engine/instances.h"
#include "runtime/players/play.h"
#include "test/bench/lines.h"
#include "test/bench/stdlib.h"

using namespace ppc;

namespace {

constexpr size_t kEpisodes = 40;
constexpr int kRounds = 7;

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "fork_bench: " << what << "\n";
  std::exit(1);
}

/// A bot that stops, as if its reply took its time, once so many replies have been given in the episode.
class Stopping final : public players::Player {
 public:
  Stopping(std::unique_ptr<Player> bot, std::shared_ptr<size_t> left) : bot_(std::move(bot)), left_(std::move(left)) {}
  bool waits() const override { return *left_ == 0; }
  players::Reply reply(const players::Request& r) override {
    --*left_;
    return bot_->reply(r);
  }
  std::unique_ptr<Player> fork(players::Fork& f) const override { return bot_->fork(f); }

 private:
  std::unique_ptr<Player> bot_;
  std::shared_ptr<size_t> left_;
};

struct Game {
  std::vector<std::shared_ptr<const engine::Setting>> settings;
  explicit Game(const std::string& name) {
    Sources sources;
    diag::Emitter emitter(sources);
    driver::LoadOptions options;
    options.engine = "jit";
    auto module = driver::load_game(bench::game_file(name), options, emitter);
    if (!module) fail("cannot load " + name);
    const auto resources = engine::load_resources(*module, bench::game_folder(name), "", false);
    const auto set = engine::load_instances(*module, bench::game_folder(name) + "/instances/instances.json");
    for (const auto& e : set.experiments)
      for (const auto& i : e.instances)
        if (settings.size() < kEpisodes) settings.push_back(std::make_shared<engine::Setting>(engine::Setting{module, e.segment, i.segment, resources}));
    if (settings.empty()) fail(name + " has no instances");
  }
  std::unique_ptr<players::Sitting> sitting(size_t k, size_t replies) const {
    const engine::Manifest& m = settings[k]->module->manifest();
    auto left = std::make_shared<size_t>(replies);
    players::Cast cast(m.players.size());
    for (const auto& b : m.bots)
      if (!m.players[b.player].scripted && !cast[b.player]) cast[b.player] = std::make_unique<Stopping>(players::make_bot(m, b.player, b.name), left);
    return std::make_unique<players::Sitting>(engine::Episode(settings[k], 1), std::move(cast));
  }
};

void report(const std::string& name, double quoted_ms) {
  const Game game(name);
  engine::Worker worker;
  size_t longest = 0, replies = 0;
  for (size_t k = 0; k < game.settings.size(); ++k) {
    auto whole = game.sitting(k, SIZE_MAX);
    whole->play(worker, [] {});
    if (whole->episode.state().requests <= replies) continue;
    replies = whole->episode.state().requests;
    longest = k;
  }
  auto sitting = game.sitting(longest, replies / 2);
  sitting->play(worker, [] {});
  if (sitting->episode.status() != engine::Status::Asking) fail(name + ": the episode is over");
  auto end = [&](engine::Episode episode) {
    while (episode.status() == engine::Status::Asking) {
      const uint32_t who = episode.asked_player();
      const engine::Manifest& m = episode.setting().module->manifest();
      for (const auto& b : m.bots) {
        if (b.player != who) continue;
        const auto said = episode.ask_bot(worker, b.entry, who, "");
        if (said) episode.step(worker, *said);
        break;
      }
    }
    return episode.snapshot();
  };
  if (end(sitting->episode.fork()) != end(sitting->episode)) fail(name + ": a fork goes another way");

  const engine::Episode& episode = sitting->episode;
  const size_t bytes = episode.bytes().size();
  std::string copy(bytes, '\0');
  const std::string message = "…";
  engine::Episode target = episode;
  std::vector<double> plain, fresh, existing, whole;
  constexpr int kTimes = 20000;
  for (int round = 0; round < kRounds; ++round) {
    auto each = [&](std::vector<double>& to, auto&& f) {
      to.push_back(1e9 / kTimes * bench::cpu_seconds([&] {
        for (int i = 0; i < kTimes; ++i) f();
      }));
    };
    each(plain, [&] {
      std::memcpy(copy.data(), episode.bytes().data(), bytes);
      benchmark::ClobberMemory();
    });
    each(fresh, [&] {
      engine::Episode e = episode.fork();
      benchmark::DoNotOptimize(e.bytes().data());
    });
    each(existing, [&] {
      target = episode;
      benchmark::ClobberMemory();
    });
    each(whole, [&] {
      auto fork = sitting->fork(1, message);
      benchmark::DoNotOptimize(fork.get());
    });
  }
  const double memcpy_ns = bench::median(plain);
  bench::line("fork/" + name + "/replies-before", static_cast<double>(replies / 2), "replies");
  bench::line("fork/" + name + "/state-bytes", static_cast<double>(bytes), "bytes");
  bench::line("fork/" + name + "/new", bench::median(fresh), "ns", memcpy_ns, bench::Better::Less);
  bench::line("fork/" + name + "/into-existing", bench::median(existing), "ns", memcpy_ns, bench::Better::Less);
  bench::line("fork/" + name + "/branch-with-journal-and-players", bench::median(whole), "ns", memcpy_ns, bench::Better::Less);
  bench::line("fork/" + name + "/new-beside-quoted-deepcopy", bench::median(fresh), "ns", 1e6 * quoted_ms, bench::Better::Less);
  bench::line("fork/" + name + "/branch-beside-quoted-deepcopy", bench::median(whole), "ns", 1e6 * quoted_ms, bench::Better::Less);
}

}  // namespace

int main(int argc, char** argv) {
  if (!bench::json_wanted(argc, argv)) {
    std::cerr << "fork_bench: run it with --json, or by tools/bench fork\n";
    return 2;
  }
  report("taboo", 0.25);
  report("wordle", 2.6);
  report("adventuregame", 58);
}
