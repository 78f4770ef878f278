// Every game of stdlib-games, found by its folder: moves a second on the JIT and as a shared object beside the interpreter.
//
// What is played: the game's own instances, up to kEpisodes of them from all experiments, each once by the first bot of every role. The
// replies are kept, and what is measured is the same episodes with these replies, so that a bot's thinking does not count. A move is one
// reply. Before anything is measured, every engine must give the same messages, outcomes and scores. Also: fresh instances a second; and
// a move in an early and in a late round of a game of ten thousand (long.game).
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "compiler/driver/driver.h"
#include "runtime/engine/episode.h"
#include "runtime/engine/generate.h"
#include "runtime/engine/instances.h"
#include "test/bench/lines.h"
#include "test/bench/stdlib.h"

using namespace ppc;

namespace {

constexpr size_t kEpisodes = 60;
constexpr int kRounds = 5;
constexpr double kSeconds = 0.1;    // a side takes about as long in a round
constexpr int64_t kGenerated = 200;  // instances in every experiment

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "suite_bench: " << what << "\n";
  std::exit(1);
}

std::shared_ptr<engine::GameModule> load(const std::string& file, const std::string& how, codegen::Tier tier) {
  Sources sources;
  diag::Emitter emitter(sources);
  driver::LoadOptions options;
  options.tier = tier;
  options.engine = how;
  options.cache_dir = std::string();
  auto module = driver::load_game(file, options, emitter);
  if (!module) fail("cannot load " + file + " on " + how);
  return module;
}

/// The episodes of a game on one engine.
struct Side {
  std::vector<std::shared_ptr<const engine::Setting>> settings;
  engine::Worker worker;
  std::unique_ptr<engine::Episode> episode;

  Side(const std::string& game, const std::string& how, codegen::Tier tier) {
    auto module = load(bench::game_file(game), how, tier);
    const auto resources = engine::load_resources(*module, bench::game_folder(game), "", false);
    const auto set = engine::load_instances(*module, bench::game_folder(game) + "/instances/instances.json");
    std::vector<std::shared_ptr<const engine::Setting>> all;
    for (const auto& e : set.experiments)
      for (const auto& i : e.instances)
        all.push_back(std::make_shared<engine::Setting>(engine::Setting{module, e.segment, i.segment, resources}));
    if (all.empty()) fail(game + " has no instances");
    const size_t n = std::min(kEpisodes, all.size());
    for (size_t k = 0; k < n; ++k) settings.push_back(all[k * all.size() / n]);
    worker.collect_events(false);
    episode = std::make_unique<engine::Episode>(settings[0], 1);
  }

  /// `reply(message)` answers whoever is asked.
  template <class Reply>
  int64_t play(size_t k, Reply reply) {
    *episode = engine::Episode(settings[k], k + 1);
    int64_t moves = 0;
    for (auto status = episode->start(worker); status == engine::Status::Asking; ++moves) status = episode->step(worker, reply(episode->message(worker)));
    return moves;
  }
};

using Replies = std::vector<std::vector<std::string>>;  // of every episode

/// What the bots say; and everything that can be compared between engines.
Replies bots_play(const std::string& game, Side& side) {
  Replies out(side.settings.size());
  const engine::Manifest& m = side.settings[0]->module->manifest();
  auto bot_of = [&](uint32_t player) -> const engine::BotInfo& {
    for (const auto& b : m.bots)
      if (b.player == player) return b;
    fail(game + ": no bot plays " + m.players[player].name);
  };
  for (size_t k = 0; k < out.size(); ++k)
    side.play(k, [&](std::string_view message) -> std::string_view {
      const engine::BotInfo& bot = bot_of(side.episode->asked_player());
      auto said = side.episode->ask_bot(side.worker, bot.entry, bot.player, message);
      if (!said) fail(game + ": the bot " + bot.name + " faults: " + side.episode->reason());
      return out[k].emplace_back(std::move(*said));
    });
  return out;
}

std::string transcript(Side& side, const Replies& replies) {
  std::string all;
  for (size_t k = 0; k < replies.size(); ++k) {
    size_t at = 0;
    side.play(k, [&](std::string_view message) -> std::string_view {
      all.append(message) += '\0';
      return replies[k].at(at++);
    });
    const ppc_state& s = side.episode->state();
    all += std::to_string(s.outcome) + " " + (std::isnan(s.score) ? "nan" : std::to_string(s.score)) + " " + std::to_string(s.steps) + " " + side.episode->reason() + "\n";
  }
  return all;
}

double rate(Side& side, const Replies& replies, int times) {
  int64_t moves = 0;
  const double s = bench::cpu_seconds([&] {
    for (int t = 0; t < times; ++t)
      for (size_t k = 0; k < replies.size(); ++k) {
        size_t at = 0;
        moves += side.play(k, [&](std::string_view message) -> std::string_view {
          benchmark::DoNotOptimize(message.data());
          return replies[k][at++];
        });
      }
  });
  return static_cast<double>(moves) / s;
}

void report(const std::string& game) {
  Side interp(game, "interp", codegen::Tier::Fast), jit(game, "jit", codegen::Tier::Fast), so(game, "so", codegen::Tier::Fast);
  const Replies replies = bots_play(game, jit);
  const std::string wanted = transcript(interp, replies);
  if (transcript(jit, replies) != wanted || transcript(so, replies) != wanted) fail(game + ": the engines differ");
  int64_t moves = 0;
  for (const auto& r : replies) moves += static_cast<int64_t>(r.size());
  auto times = [&](Side& side) { return std::max(1, static_cast<int>(kSeconds * rate(side, replies, 1) / static_cast<double>(moves))); };
  const int slow = times(interp), fast = times(jit);
  std::vector<double> of_interp, of_jit, of_so;
  for (int round = 0; round < kRounds; ++round) {
    of_interp.push_back(rate(interp, replies, slow));
    of_jit.push_back(rate(jit, replies, fast));
    of_so.push_back(rate(so, replies, fast));
  }
  const double base = bench::median(of_interp);
  bench::line(game + "/moves/jit", bench::median(of_jit), "moves/s", base);
  bench::line(game + "/moves/so", bench::median(of_so), "moves/s", base);
}

/// Fresh instances a second: made, read against the declarations, and written as text. Quick tier, as `ppc generate` runs.
void report_generator(const std::string& game) {
  auto module = load(bench::game_file(game), "jit", codegen::Tier::Quick);
  if (!module->manifest().generate_entry) return;
  auto setting = std::make_shared<engine::Setting>();
  setting->module = module;
  setting->resources = engine::load_resources(*module, bench::game_folder(game), "", true);
  std::vector<double> rates;
  for (uint64_t round = 0; round < 3; ++round) {
    size_t made = 0;
    const double s = bench::cpu_seconds([&] {
      const engine::Json document = engine::generate_instances(setting, kGenerated, round);
      for (const auto& e : engine::read_instances(*module, document, game).experiments) made += e.instances.size();
      benchmark::DoNotOptimize(engine::to_text(document, {.indent = 1}).data());
    });
    rates.push_back(static_cast<double>(made) / s);
  }
  bench::line(game + "/generate", bench::median(rates), "instances/s");
}

/// Ten moves from a state in round `round`, again and again; with the copy of the state.
struct Moves { double ns, copy_ns; size_t bytes; };
Moves moves_from(int round) {
  auto module = load(std::string(PPC_SOURCE_DIR) + "/test/bench/long.game", "jit", codegen::Tier::Fast);
  const auto set = engine::read_instances(*module, engine::parse_json(R"({"experiments": [{"name": "x", "game_instances": [{}]}]})", "long"), "long");
  auto setting = std::make_shared<engine::Setting>();
  setting->module = module;
  setting->experiment = set.experiments[0].segment;
  setting->instance = set.experiments[0].instances[0].segment;
  setting->resources = engine::load_resources(*module, PPC_SOURCE_DIR, "", false);
  engine::Worker worker;
  worker.collect_events(false);
  static const char* const kReplies[] = {"GUESS: a short one", "GUESS: another that is longer than the last one was", "GUESS: x", "GUESS: seven"};
  engine::Episode at(setting, 1);
  at.start(worker);
  for (int r = 1; r < round; ++r)
    if (at.step(worker, kReplies[r % 4]) != engine::Status::Asking) fail("long.game ends early: " + at.reason());
  engine::Episode copy = at;
  constexpr int kTimes = 20000, kMoves = 10;
  std::vector<double> moves, copies;
  for (int k = 0; k < kRounds; ++k) {
    copies.push_back(bench::cpu_seconds([&] {
      for (int i = 0; i < kTimes; ++i) {
        copy = at;
        benchmark::ClobberMemory();
      }
    }));
    moves.push_back(bench::cpu_seconds([&] {
      for (int i = 0; i < kTimes; ++i) {
        copy = at;
        for (int m = 0; m < kMoves; ++m) copy.step(worker, kReplies[m % 4]);
      }
    }));
  }
  const double copy_ns = bench::median(copies) * 1e9 / kTimes;
  return {(bench::median(moves) * 1e9 / kTimes - copy_ns) / kMoves, copy_ns, at.bytes().size()};
}

void report_long() {
  const Moves early = moves_from(10), late = moves_from(9'980);
  bench::line("long/move/late-beside-early", late.ns, "ns", early.ns, bench::Better::Less);
  bench::line("long/fork/late-beside-early", late.copy_ns, "ns", early.copy_ns, bench::Better::Less);
  bench::line("long/state-bytes/late-beside-early", static_cast<double>(late.bytes), "bytes", static_cast<double>(early.bytes), bench::Better::Less);
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> games = bench::stdlib_games();
  // A name as the last argument: this game alone.
  if (argc > 1 && argv[argc - 1][0] != '-') games = {argv[argc - 1]};
  if (argc < 2 || argv[argc - 1][0] == '-') report_long();
  for (const std::string& game : games) {
    report(game);
    report_generator(game);
  }
}
