// From source to the first move, by stage, cold and with the object cache, each in a new process; every game of stdlib-games in the
// same way, and all of them one after the other in one process; and whole processes: `ppc play` of one scripted episode beside
// `python3 -c pass`. Medians; the stages do not count the start of the process.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "compiler/driver/driver.h"
#include "runtime/engine/episode.h"
#include "runtime/engine/instances.h"
#include "test/bench/lines.h"
#include "test/bench/stdlib.h"

using namespace ppc;

namespace {

const std::string kGames = std::string(PPC_SOURCE_DIR) + "/stdlib-games/";

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "compile_bench: " << what << "\n";
  std::exit(1);
}

struct Stages { double total, read, parse, check, lower, passes, make, play; };
constexpr const char* kStages[] = {"total", "read", "parse", "check", "lower", "passes", "make", "play"};

/// Source to a module to the first message for a player, once in this process; the instance document is read before.
Stages once(const std::string& game, const std::string& engine, const std::string& cache, codegen::Tier tier) {
  engine::Json document = engine::load_json(kGames + game + "/instances/instances.json");
  driver::Timing timing;
  std::shared_ptr<engine::GameModule> module;
  driver::LoadOptions options;
  options.engine = engine;
  options.tier = tier;
  options.cache_dir = cache;
  auto begin = std::chrono::steady_clock::now();
  auto ms = [&] { return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count(); };
  {
    Sources sources;
    diag::Emitter emitter(sources);
    module = driver::load_game(kGames + game + "/" + game + ".game", options, emitter, &timing);
  }
  if (!module) fail(game + " does not compile");
  double loaded = ms();
  auto set = engine::read_instances(*module, document, "bench");
  auto setting = std::make_shared<engine::Setting>();
  setting->module = module;
  setting->experiment = set.experiments[0].segment;
  setting->instance = set.experiments[0].instances[0].segment;
  setting->resources = engine::load_resources(*module, kGames + game, "", false);
  engine::Worker worker;
  engine::Episode episode(setting, 1);
  double ready = ms();
  episode.start(worker);
  if (episode.message(worker).empty()) fail("no first message");
  double moved = ms();
  return {loaded + (moved - ready), timing.read, timing.parse, timing.check, timing.lower, timing.passes, timing.make, moved - ready};
}

/// Source to code that can be called, without a cache: milliseconds on the clock.
double compile(const std::string& game) {
  Sources sources;
  diag::Emitter emitter(sources);
  driver::LoadOptions options;
  options.tier = codegen::Tier::Quick;
  options.cache_dir = "";
  driver::Timing timing;
  if (!driver::load_game(bench::game_file(game), options, emitter, &timing)) fail(game + " does not compile");
  return timing.total;
}

/// All games one after the other in a process that has compiled nothing yet: milliseconds on the clock, and of the processor.
struct Together { double wall, processor; };
Together together(const char* self, const std::vector<std::string>& games) {
  std::string command = std::string("'") + self + "' --together";
  for (auto& g : games) command += " '" + g + "'";
  FILE* out = popen(command.c_str(), "r");
  Together t{};
  if (!out || fscanf(out, "%lf %lf", &t.wall, &t.processor) != 2) fail("`" + command + "` gives no times");
  if (pclose(out)) fail("`" + command + "` failed");
  return t;
}

/// The same in a process of its own, where nothing is warm: not the parser, not LLVM.
Stages in_own_process(const char* self, const std::vector<std::string>& arguments) {
  std::string command = std::string("'") + self + "' --once";
  for (auto& a : arguments) command += " '" + a + "'";
  FILE* out = popen(command.c_str(), "r");
  Stages s{};
  if (!out || fscanf(out, "%lf %lf %lf %lf %lf %lf %lf %lf", &s.total, &s.read, &s.parse, &s.check, &s.lower, &s.passes, &s.make, &s.play) != 8)
    fail("`" + command + "` gives no times");
  if (pclose(out)) fail("`" + command + "` failed");
  return s;
}

double process(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (auto& a : command) argv.push_back(const_cast<char*>(a.c_str()));
  argv.push_back(nullptr);
  return 1e3 * bench::seconds([&] {
           posix_spawn_file_actions_t actions;
           posix_spawn_file_actions_init(&actions);
           posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
           posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
           pid_t child;
           if (posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ)) fail("cannot start " + command[0]);
           posix_spawn_file_actions_destroy(&actions);
           int status = 0;
           waitpid(child, &status, 0);
           if (!WIFEXITED(status) || WEXITSTATUS(status)) fail(command[0] + " failed");
         });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 6 && std::string(argv[1]) == "--once") {
    const Stages s = once(argv[2], argv[3], argv[4], argv[5] == std::string("fast") ? codegen::Tier::Fast : codegen::Tier::Quick);
    printf("%f %f %f %f %f %f %f %f\n", s.total, s.read, s.parse, s.check, s.lower, s.passes, s.make, s.play);
    return 0;
  }
  if (argc > 1 && std::string(argv[1]) == "--together") {
    double wall = 0;
    const double processor = bench::cpu_seconds([&] {
      for (int i = 2; i < argc; ++i) wall += compile(argv[i]);
    });
    printf("%f %f\n", wall, 1e3 * processor);
    return 0;
  }
  char folder[] = "/tmp/ppc-bench-XXXXXX";
  if (!mkdtemp(folder)) fail("no temporary folder");
  std::string cache = std::string(folder) + "/cache";
  for (const std::string game : {"taboo", "wordle"}) {
    struct Way { const char* name; const char* engine; bool cached; const char* tier; };
    for (Way way : {Way{"cold-quick", "jit", false, "quick"}, Way{"cached-quick", "jit", true, "quick"},
                    Way{"cold-fast", "jit", false, "fast"}, Way{"interp", "interp", false, "quick"}}) {
      const std::vector<std::string> how{game, way.engine, way.cached ? cache : "", way.tier};
      in_own_process(argv[0], how);  // files into memory, code into the cache
      std::vector<double> times[8];
      for (int i = 0; i < 15; ++i) {
        const Stages s = in_own_process(argv[0], how);
        size_t k = 0;
        for (double t : {s.total, s.read, s.parse, s.check, s.lower, s.passes, s.make, s.play}) times[k++].push_back(t);
      }
      for (size_t k = 0; k < 8; ++k) bench::line(game + "/first-move/" + way.name + "/" + kStages[k], bench::median(times[k]), "ms");
    }
  }
  // Every game, and those of clembench's suite together: all but the two that were written for this library.
  std::vector<std::string> suite;
  double cold_sum = 0, cached_sum = 0;
  for (const std::string& game : bench::stdlib_games()) {
    std::vector<double> cold, cached;
    in_own_process(argv[0], {game, "jit", cache, "quick"});
    for (int i = 0; i < 5; ++i) {
      cold.push_back(in_own_process(argv[0], {game, "jit", "", "quick"}).total);
      cached.push_back(in_own_process(argv[0], {game, "jit", cache, "quick"}).total);
    }
    bench::line("suite/first-move/" + game + "/cold", bench::median(cold), "ms");
    bench::line("suite/first-move/" + game + "/cached", bench::median(cached), "ms");
    if (game == "dond" || game == "kuhn_poker") continue;
    suite.push_back(game);
    cold_sum += bench::median(cold);
    cached_sum += bench::median(cached);
  }
  const std::string of = std::to_string(suite.size()) + "-games";
  bench::line("suite/first-move/sum-of-" + of + "/cold", cold_sum, "ms");
  bench::line("suite/first-move/sum-of-" + of + "/cached", cached_sum, "ms");
  std::vector<double> wall, processor;
  for (int i = 0; i < 5; ++i) {
    const Together t = together(argv[0], suite);
    wall.push_back(t.wall), processor.push_back(t.processor);
  }
  bench::line("suite/compile/" + of + "-in-one-process/cold", bench::median(wall), "ms");
  bench::line("suite/compile/" + of + "-in-one-process/cold-processor", bench::median(processor), "ms");
  // Whole processes: the cache is warm, as for a user's second run.
  std::string ppc = (std::filesystem::path(argv[0]).parent_path() / "ppc").string();
  std::string script = std::string(folder) + "/script", instances = kGames + "hellogame/instances/instances.json";
  std::ofstream(script) << "greeter: GREET: Hello you, welcome!\n";
  setenv("XDG_CACHE_HOME", folder, 1);
  std::vector<std::string> play = {ppc, "play", kGames + "hellogame/hellogame.game", "--episodes", "1", "--script", script};
  std::vector<std::string> python = {"/usr/bin/python3", "-c", "pass"};
  process(play);
  std::vector<double> ours, theirs;
  for (int i = 0; i < 15; ++i) ours.push_back(process(play)), theirs.push_back(process(python));
  bench::line("process/play-one-scripted-episode", bench::median(ours), "ms", bench::median(theirs), bench::Better::Less);
  std::filesystem::remove_all(folder);
}
