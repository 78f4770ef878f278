// Moves a second through libppc.so (single calls, batches) and through the Python package, beside the engine itself: the same
// game, instances, seeds and replies, one thread and its time on the processor, nothing recorded. All of them must end in the same scores.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "compiler/driver/driver.h"
#include "runtime/engine/episode.h"
#include "runtime/engine/instances.h"
#include "runtime/include/ppc/ppc.h"
#include "test/bench/lines.h"
#include "test/bench/stdlib.h"

using namespace ppc;

namespace {

constexpr size_t kEpisodes = 1000;
constexpr int kRepetitions = 9;

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "library_bench: " << what << "\n";
  std::exit(1);
}
void must(ppc_result result) {
  if (result != PPC_OK) fail(ppc_error());
}

// What test/bench/library_bench.py plays, too.
std::string reply_of(size_t episode, size_t step) {
  static const char* const words[] = {"crane", "mouse", "light", "house", "bread", "stone"};
  return std::string("explanation: a word that fits\nguess: ") + words[(episode * 7 + step * 5) % 6];
}

struct Played {
  double seconds = 0;
  size_t moves = 0, won = 0;
};

Played by_engine(std::vector<engine::Episode>& episodes, engine::Worker& worker, const std::vector<std::vector<std::string>>& replies) {
  for (size_t i = 0; i < kEpisodes; ++i) {  // as the library's: their blocks have grown
    episodes[i].restart(i);
    episodes[i].start(worker);
  }
  Played out;
  out.seconds = bench::cpu_seconds([&] {
    for (size_t step = 0;; ++step) {
      size_t running = 0;
      for (size_t i = 0; i < kEpisodes; ++i) {
        if (episodes[i].status() == engine::Status::Done) continue;
        episodes[i].step(worker, replies[step % replies.size()][i]);
        ++running;
      }
      if (running == 0) break;
      out.moves += running;
    }
  });
  for (auto& e : episodes) out.won += e.state().outcome == PPC_WON;
  return out;
}

struct Library {
  ppc_game* game = nullptr;
  ppc_instances* instances = nullptr;
  std::vector<ppc_episode*> episodes;
  std::vector<size_t> indices;
  std::vector<uint64_t> seeds;
};

Played by_library(Library& lib, const std::vector<std::vector<std::string>>& replies, bool batch) {
  std::vector<ppc_turn> turns(kEpisodes);
  must(ppc_episodes_restart(lib.episodes.data(), lib.seeds.data(), kEpisodes, 1, turns.data(), nullptr));
  std::vector<const char*> texts(kEpisodes);
  std::vector<size_t> sizes(kEpisodes);
  Played out;
  out.seconds = bench::cpu_seconds([&] {
    for (size_t step = 0;; ++step) {
      const auto& said = replies[step % replies.size()];
      size_t running = 0;
      for (size_t i = 0; i < kEpisodes; ++i) {
        texts[i] = turns[i].done ? nullptr : said[i].data();
        sizes[i] = said[i].size();
        running += !turns[i].done;
        if (!batch && texts[i]) must(ppc_episode_step(lib.episodes[i], texts[i], sizes[i], &turns[i]));
      }
      if (running == 0) break;
      if (batch) must(ppc_episodes_step(lib.episodes.data(), texts.data(), sizes.data(), kEpisodes, 1, turns.data(), nullptr));
      out.moves += running;
    }
  });
  for (const ppc_turn& t : turns) out.won += t.outcome == PPC_OUTCOME_WON;
  return out;
}

Played by_python(const char* how, const std::string& library) {
  const std::string command = "PYTHONPATH='" PPC_SOURCE_DIR "/python' PPC_LIBRARY='" + library + "' /usr/bin/python3 '" PPC_SOURCE_DIR
                              "/test/bench/library_bench.py' " + how + " " + std::to_string(kEpisodes);
  FILE* pipe = popen(command.c_str(), "r");
  Played out;
  if (!pipe || std::fscanf(pipe, "%lf %zu %zu", &out.seconds, &out.moves, &out.won) != 3) fail("the Python side said nothing");
  pclose(pipe);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  const bool json = bench::json_wanted(argc, argv);
  const std::string file = bench::game_file("wordle");
  Sources sources;
  diag::Emitter emitter(sources, 20);
  const std::shared_ptr<const engine::GameModule> module = driver::load_game(file, {}, emitter);
  if (!module) fail("wordle does not compile");
  const auto set = engine::load_instances(*module, bench::game_folder("wordle") + "/instances/instances.json");
  const auto resources = engine::load_resources(*module, bench::game_folder("wordle"), "", false);
  std::vector<std::shared_ptr<const engine::Setting>> settings;
  for (const auto& e : set.experiments)
    for (const auto& i : e.instances) settings.push_back(std::make_shared<engine::Setting>(engine::Setting{module, e.segment, i.segment, resources}));

  Library lib;
  must(ppc_game_load(file.c_str(), nullptr, &lib.game));
  must(ppc_instances_default(lib.game, &lib.instances));
  if (ppc_instances_count(lib.instances) != settings.size()) fail("other instances");
  for (size_t i = 0; i < kEpisodes; ++i) lib.indices.push_back(i % settings.size()), lib.seeds.push_back(i);
  lib.episodes.resize(kEpisodes);
  must(ppc_episodes_new(lib.instances, lib.indices.data(), lib.seeds.data(), kEpisodes, nullptr, 1, lib.episodes.data(), nullptr));

  std::vector<std::vector<std::string>> replies(12, std::vector<std::string>(kEpisodes));
  for (size_t step = 0; step < replies.size(); ++step)
    for (size_t i = 0; i < kEpisodes; ++i) replies[step][i] = reply_of(i, step);

  engine::Worker worker;
  std::vector<engine::Episode> episodes;
  for (size_t i = 0; i < kEpisodes; ++i) episodes.emplace_back(settings[i % settings.size()], i);
  by_engine(episodes, worker, replies);
  by_library(lib, replies, true);

  const std::string built = std::string(PPC_LIBRARY_FILE);
  std::vector<double> engine, single, batch;
  Played first;
  for (int r = 0; r < kRepetitions; ++r) {
    const Played a = by_engine(episodes, worker, replies), b = by_library(lib, replies, false), c = by_library(lib, replies, true);
    if (r == 0) first = a;
    if (a.moves != b.moves || a.moves != c.moves || a.won != b.won || a.won != c.won) fail("the library played something else");
    engine.push_back(static_cast<double>(a.moves) / a.seconds);
    single.push_back(static_cast<double>(b.moves) / b.seconds);
    batch.push_back(static_cast<double>(c.moves) / c.seconds);
  }
  auto line = [&](const char* name, double value) {
    if (json) bench::line(name, value, "moves/s", bench::median(engine));
    else std::printf("%-32s %10.3g moves/s   %.3f of the engine's %.3g\n", name, value, value / bench::median(engine), bench::median(engine));
    std::fflush(stdout);
  };
  line("library/wordle/c", bench::median(single));
  line("library/wordle/c batch", bench::median(batch));
  for (const char* how : {"single", "batch"}) {
    const Played p = by_python(how, built);
    if (p.moves != first.moves || p.won != first.won) fail("Python played something else");
    line((std::string("library/wordle/python") + (how[0] == 'b' ? " batch" : "")).c_str(), static_cast<double>(p.moves) / p.seconds);
  }
  ppc_episodes_free(lib.episodes.data(), kEpisodes);
  ppc_instances_free(lib.instances);
  ppc_game_free(lib.game);
  return 0;
}
