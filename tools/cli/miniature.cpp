#include "tools/cli/miniature.h"

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <thread>
#include <vector>

#include "runtime/engine/clock.h"
#include "runtime/engine/generate.h"
#include "runtime/engine/records.h"
#include "runtime/players/run.h"
#include "runtime/web/page.h"
#include "runtime/web/table.h"
#include "tools/cli/arena.h"
#include "tools/cli/casting.h"
#include "tools/cli/evaluation.h"
#include "tools/cli/export.h"
#include "tools/cli/text.h"
#include "tools/cli/train.h"
#include "tools/cli/train_config.h"
#include "trainers/data/make_tokenizer.h"
#include "trainers/local/model.h"
#include "trainers/nn/network.h"
#include "trainers/nn/random_model.h"

namespace ppc::cli {
namespace {

namespace fs = std::filesystem;
using namespace engine;

// ---- what is played

enum class Part : uint8_t { Trained, Unseen, Reference };
struct Miniature {
  const char* name;
  Part part;
};
constexpr Miniature kGames[] = {{"number", Part::Trained}, {"refer", Part::Trained}, {"riddle", Part::Trained},  {"code", Part::Trained},     {"odd", Part::Unseen},
                                {"warmer", Part::Unseen},  {"fetch", Part::Unseen},  {"copy", Part::Reference}, {"count", Part::Reference}};

std::string games_folder() {
  std::error_code ec;
  const fs::path program = fs::read_symlink("/proc/self/exe", ec);
  if (!ec) {
    const fs::path installed = program.parent_path().parent_path() / "share" / "ppc" / "miniature" / "games";
    if (fs::is_directory(installed, ec)) return installed.string();
  }
  return PPC_MINIATURE_DIR "/games";
}
std::string file_of(const std::string& game) { return games_folder() + "/" + game + ".game"; }

/// Of ten episodes so many. Most of what is heard is not worth learning: what is to be gained is the difference to `careful`.
int64_t share_of(const std::string& bot) { return bot == "careful" ? 3 : bot == "wild" || bot == "chatty" ? 2 : 3; }

// ---- bots' episodes

/// About `count` episodes of the game's training instances, by all its bots, each with each.
void play_bots(const std::string& name, int64_t count, uint64_t seed, RecordWriter& writer) {
  const Game game = open_game(file_of(name), "");
  const Manifest& m = game.module->manifest();
  std::vector<std::string> roles;
  std::vector<std::vector<std::string>> bots;  // of each role
  for (uint32_t p = 0; p < m.players.size(); ++p) {
    roles.push_back(m.players[p].name);
    bots.emplace_back();
    for (const auto& b : m.bots)
      if (b.player == p) bots.back().push_back(b.name);
  }
  auto setting = std::make_shared<Setting>();
  setting->module = game.module;
  setting->resources = load_resources(*game.module, game.folder, "", true);
  const SegmentPtr resources = load_resources(*game.module, game.folder, "", false);
  std::vector<size_t> cast(roles.size());
  for (uint64_t k = 0;; ++k) {
    int64_t episodes = count;
    Args args;
    for (size_t r = 0; r < roles.size(); ++r) {
      episodes = episodes * share_of(bots[r][cast[r]]) / 10;
      args.push_back("--player");
      args.push_back(roles[r] + "=bot:" + bots[r][cast[r]]);
    }
    args.push_back("--experiment");
    args.push_back("train");
    const Options options(args, {"--player", "--experiment", "--id", "--script", "--sampling", "--local"}, {});
    const std::vector<Casting> casting = cast_players(m, options, {}, Otherwise::Bot);
    const InstanceSet set = read_instances(*game.module, generate_instances(setting, std::max<int64_t>(episodes, 2), mix_seed(seed, 1, k, 0)), name);
    const std::vector<Chosen> chosen = choose(set, options, 1);
    auto begin = [&](size_t i) {
      const Record r = make_record(game, casting, chosen[i], 1, mix_seed(seed, 2, k, 0));
      players::Cast players(casting.size());
      for (uint32_t p = 0; p < casting.size(); ++p) players[p] = make_player(m, p, casting[p], r.seed);
      auto s = std::make_shared<Setting>(Setting{game.module, chosen[i].experiment->segment, chosen[i].instance->segment, resources});
      return std::make_unique<players::Sitting>(Episode(s, r.seed), std::move(players));
    };
    auto over = [&](size_t i, players::Sitting& sitting, Worker& worker) {
      Record r = make_record(game, casting, chosen[i], 1, mix_seed(seed, 2, k, 0));
      r.journal = std::move(sitting.journal);
      take_end(r, worker, sitting.episode);
      writer.write(r);
    };
    players::RunControl control;
    players::run_episodes(chosen.size(), {1, 1}, control, begin, over, [](size_t) {}, [](size_t) {});
    size_t r = 0;
    while (r < roles.size() && ++cast[r] == bots[r].size()) cast[r++] = 0;
    if (r == roles.size()) return;
  }
}

// ---- the stages

/// A job was asked to end. Who began it says how to go on.
struct Stopped {};

class Run {
 public:
  explicit Run(const MiniatureOptions& o) : o_(o), root_(o.folder) {}

  void all() {
    const double began = now();
    if (!o_.resume && fs::exists(root_ / "bots.jsonl")) throw InputError(o_.folder + ": is there already; `--resume` goes on with it, `--out` names another folder");
    fs::create_directories(root_);
    stage("bots play", root_ / "bots.jsonl", [&] { bots(); });
    stage("tokenizer", root_ / "tokenizer" / "tokenizer_config.json", [&] { tokenizer(); });
    std::vector<Job> jobs;
    for (const char* name : {"start", "sft", "dpo", "grpo"})
      for (uint64_t s = 0; s < o_.seeds; ++s) {
        const std::string at = "seed-" + std::to_string(s) + "/";
        jobs.push_back({at + name, jobs.size() < o_.seeds ? "" : at + "start"});
      }
    side_by_side(jobs);
    table();
    std::printf("\n%s in all; %s\n", took(now() - began).c_str(), (root_ / "table.html").c_str());
  }

  void job(const std::string& name) {
    const size_t slash = name.find('/');
    if (name.rfind("seed-", 0) != 0 || slash == std::string::npos) throw InputError("`--job` takes seed-K/start, seed-K/sft, seed-K/dpo or seed-K/grpo, not `" + name + "`");
    const uint64_t s = std::strtoull(name.c_str() + 5, nullptr, 10);
    const fs::path at = root_ / name.substr(0, slash);
    const std::string which = name.substr(slash + 1), of = "seed " + std::to_string(s) + ": ";
    fs::create_directories(at);
    if (which == "start") {
      stage(of + "random weights", at / "random" / "model.safetensors", [&] { random_model(at / "random", s); });
      train(of + "lessons", train::Method::Sft, at, "lessons", at / "random", s, steps(kLessons), data_of(", models: [bot-careful]") + rate("3e-3", 0.3, 100));
      train(of + "start", train::Method::Sft, at, "start", at / "lessons" / "model", s, steps(kStart), data_of("") + rate("1e-3", 0, 10));
    } else if (which == "sft") {
      train(of + "SFT", train::Method::Sft, at, "sft", at / "start" / "model", s, steps(kSft), data_of(", games: [" + joined(trained()) + "], outcomes: [won], min_score: 80") + rate("1e-3", 0, 5));
    } else if (which == "dpo") {
      stage(of + "episodes for DPO", at / "own" / "episodes.jsonl", [&] { own_episodes(at, s); });
      train(of + "DPO", train::Method::Dpo, at, "dpo", at / "start" / "model", s, steps(kDpo),
            "data: {from: [" + (at / "own").string() + "], pairs: 4}\nbatch: 32\ndpo: {beta: 0.5}\n" + rate("5e-4", 0, 5));
    } else if (which == "grpo") {
      std::string games = "games:\n";
      for (const std::string& g : trained())
        games += "  - {game: " + file_of(g) + ", experiments: [train], generate: " + std::to_string(steps(400)) + ", generate_seed: " + std::to_string(200 + s) + "}\n";
      train(of + "GRPO", train::Method::Grpo, at, "grpo", at / "start" / "model", s, steps(kGrpo),
            games + "sampling: {temperature: 1, max_tokens: 24}\ngrpo: {groups: 16, group_size: 8}\n" + rate("1e-3", 0, 3));
    } else {
      throw InputError("`--job`: no stage `" + which + "`");
    }
  }

 private:
  static constexpr int64_t kBots = 6000, kLessons = 5000, kStart = 500, kSft = 250, kDpo = 120, kGrpo = 100, kHeldOut = 100;

  struct Job {
    std::string name, after;  // of another job; empty: of none
    int pid = 0;
    bool over = false, done = false;  // done: well
  };
  /// So small a model gains nothing from several threads, so each core has a process of its own.
  void side_by_side(std::vector<Job> jobs) const {
    const size_t cores = std::max<size_t>(1, std::thread::hardware_concurrency());
    size_t running = 0;
    bool failed = false, told = false;
    const Interruptible interruptible;
    for (;;) {
      for (Job& j : jobs) {
        if (failed || running == cores) break;
        const auto ready = [&] { return j.after.empty() || std::any_of(jobs.begin(), jobs.end(), [&](const Job& o) { return o.name == j.after && o.done; }); };
        if (j.pid || !ready()) continue;
        j.pid = start(j.name);
        ++running;
      }
      if (running == 0) break;
      if (interruptible.asked() && !told) {
        failed = told = true;
        for (const Job& j : jobs)
          if (j.pid && !j.over) kill(j.pid, SIGTERM);  // ends behind the step under way, with a checkpoint
      }
      int status = 0;
      const pid_t pid = waitpid(-1, &status, WNOHANG);
      if (pid <= 0) std::this_thread::sleep_for(std::chrono::milliseconds(20));  // a signal just before a wait without end would not be seen
      for (Job& j : jobs) {
        if (pid <= 0 || j.pid != pid) continue;
        --running;
        j.over = true;
        j.done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        if (!j.done) failed = true;
      }
    }
    if (failed) throw SystemError(std::string(told ? "stopped" : "not all was done") + "; " + again() + " goes on");
  }
  /// What a person types to go on.
  std::string again() const {
    std::string out = "`ppc train --out " + o_.folder;
    if (o_.seeds != MiniatureOptions{}.seeds) out += " --seeds " + std::to_string(o_.seeds);
    if (o_.scale != 1) out += " --scale " + to_text(Json(o_.scale));
    return out + " --resume`";
  }
  int start(const std::string& job) const {
    std::fflush(stdout);
    char scale[32];
    std::snprintf(scale, sizeof scale, "%.17g", o_.scale);
    std::vector<std::string> words = {"ppc", "train", "miniature", "--out", o_.folder, "--scale", scale, "--job", job};
    std::vector<char*> args;
    for (std::string& w : words) args.push_back(w.data());
    args.push_back(nullptr);
    // Threads that wait for one another by spinning are worse than none.
    std::vector<std::string> variables = {"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1"};
    for (char** e = environ; *e; ++e)
      if (std::strncmp(*e, "OMP_NUM_THREADS=", 16) != 0 && std::strncmp(*e, "OPENBLAS_NUM_THREADS=", 21) != 0) variables.push_back(*e);
    std::vector<char*> environment;
    for (std::string& v : variables) environment.push_back(v.data());
    environment.push_back(nullptr);
    pid_t pid = 0;
    if (const int error = posix_spawn(&pid, "/proc/self/exe", nullptr, nullptr, args.data(), environment.data())) throw SystemError(std::string("ppc: ") + std::strerror(error));
    return pid;
  }

  int64_t steps(int64_t full) const { return std::max<int64_t>(2, std::llround(static_cast<double>(full) * o_.scale)); }

  static std::string took(double seconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%d:%02d", static_cast<int>(seconds) / 60, static_cast<int>(seconds) % 60);
    return text;
  }

  /// Does it unless what comes of it is there.
  template <class F>
  void stage(const std::string& what, const fs::path& result, const F& f) {
    if (fs::exists(result)) {
      std::printf("%-28s done before\n", what.c_str());
      return;
    }
    const double began = now();
    f();
    std::printf("%-28s %s\n", what.c_str(), took(now() - began).c_str());
    std::fflush(stdout);
  }

  std::vector<std::string> trained() const {
    std::vector<std::string> out;
    for (const Miniature& g : kGames)
      if (g.part == Part::Trained) out.push_back(g.name);
    return out;
  }

  void bots() {
    const fs::path folder = root_ / "bots";
    fs::remove_all(folder);
    RecordWriter writer(folder.string(), false);
    uint64_t seed = 1;
    for (const Miniature& g : kGames) play_bots(g.name, steps(kBots), seed++, writer);
    writer.finish();
    std::string lines;
    export_lines({folder.string()}, {}, [&](Json&& line) { lines += to_text(line, {.nan_as_null = true}) + "\n"; });
    write_file((root_ / "bots.jsonl").string(), lines);
  }

  void tokenizer() {
    std::vector<Json> lines;
    ExportOptions o;
    export_lines({(root_ / "bots").string()}, o, [&](Json&& line) { lines.push_back(std::move(line)); });
    data::TokenizerOptions how;
    how.vocab_size = 512;
    how.digits = 3;  // a number is a token
    fs::create_directories(root_ / "tokenizer");
    data::make_tokenizer((root_ / "tokenizer").string(), data::texts_of(lines), how);
  }

  void random_model(const fs::path& folder, uint64_t seed) const {
    const auto tokenizer = model::Tokenizer::load((root_ / "tokenizer").string());
    model::ModelConfig c;
    c.vocab_size = static_cast<int64_t>(tokenizer.size());
    c.hidden_size = 128;
    c.intermediate_size = 256;
    c.num_hidden_layers = 2;
    c.num_attention_heads = c.num_key_value_heads = 4;
    c.head_dim = 32;
    c.max_position_embeddings = 256;
    c.rope_theta = 1000;  // nothing is further apart than 256 tokens
    c.tie_word_embeddings = true;
    c.dtype = "float32";
    if (const auto end = tokenizer.id_of("<|end|>")) c.eos_token_id = {*end};
    fs::create_directories(folder);
    for (const char* file : {"tokenizer.json", "tokenizer_config.json"}) fs::copy_file(root_ / "tokenizer" / file, folder / file, fs::copy_options::overwrite_existing);
    nn::write_random_model(folder.string(), c, {.seed = seed, .initializer_range = 0.05});
  }

  /// Bots' dialogues; `which` of them.
  std::string data_of(const std::string& which) const { return "data: {from: [" + (root_ / "bots.jsonl").string() + "]" + which + "}\nbatch: 32\n"; }
  static std::string joined(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& n : names) out += (out.empty() ? "" : ", ") + n;
    return out;
  }
  /// The rate falls along a line to `last` of the highest.
  static std::string rate(const std::string& highest, double last, int warmup) {
    return "optimizer: {learning_rate: " + highest + ", last_rate: " + fixed(last, 1) + ", warmup: " + std::to_string(warmup) + ", beta2: 0.98, weight_decay: 0.01}\n";
  }

  std::string evaluation() const {
    std::string out = "evaluation:\n  sampling: {temperature: 1, max_tokens: 24}\n  games:\n";
    for (const Miniature& g : kGames)
      out += "    - {game: " + file_of(g.name) + ", experiments: [held_out], generate: " + std::to_string(steps(kHeldOut)) + ", generate_seed: 4000}\n";
    return out;
  }

  void train(const std::string& what, train::Method method, const fs::path& at, const std::string& name, const fs::path& model, uint64_t seed, int64_t steps, const std::string& rest) {
    stage(what, at / name / "model" / "model.safetensors", [&] {
      const std::string file = (at / (name + ".yaml")).string();
      write_file(file, "# ppc train " + std::string(train::method_name(method)) + " " + file + "\nmodel: " + model.string() + "\noutput: " + (at / name).string() + "\nseed: " +
                           std::to_string(seed) + "\nthreads: 1\nsteps: " + std::to_string(steps) + "\n" + rest + (name == "lessons" ? "" : evaluation()));
      TrainOptions how;
      how.resume = true;
      how.quiet = true;
      const train::Outcome out = run_training(load_config(method, file, {}), how);
      if (out.stopped) throw Stopped();
    });
  }

  /// The start plays training instances several times each: what it does well and badly itself is compared.
  void own_episodes(const fs::path& at, uint64_t seed) const {
    const std::string folder = (at / "start" / "model").string();
    local::ModelOptions how;
    how.folder = folder;
    how.batch = 256;
    ArenaOptions where;
    where.sampling.max_tokens = 24;
    for (const std::string& g : trained()) {
      train::GameOptions game;
      game.game = file_of(g);
      game.experiments = {"train"};
      game.generate = std::max<int64_t>(steps(300), 30);
      game.generate_seed = 300 + seed;
      where.games.push_back(game);
    }
    const auto arena = make_arena(where, trainers::make_model(how, nn::load_network(folder, {.threads = 1})), "miniature");
    const fs::path part = at / "own.part";
    fs::remove_all(part);
    arena->record_in(part.string());
    std::vector<train::Group> groups;
    for (size_t g = 0; g < arena->games().size(); ++g)
      for (size_t i = 0; i < arena->games()[g].instances; ++i) groups.push_back({g, i, mix_seed(seed, 3, g, i), 8});
    arena->play(groups);
    arena->record_in("");
    fs::rename(part, at / "own");
  }

  // ---- the table

  /// Of one model: by game, its episodes.
  using Played = std::map<std::string, std::vector<EpisodeScore>>;
  static Played read(const fs::path& folder) {
    fs::path last;
    int64_t most = -1;
    for (const auto& e : fs::directory_iterator(folder / "evaluation")) {
      const std::string name = e.path().filename().string();
      if (name.rfind("step-", 0) == 0 && std::atoll(name.c_str() + 5) > most) most = std::atoll(name.c_str() + 5), last = e.path();
    }
    EvaluationOptions o;
    o.bootstrap = 0;
    const Evaluation e = evaluate(find_results({last.string()}), o);
    Played out;
    for (const Row& row : e.rows)
      for (const auto& [game, cell] : row.games) out[game].insert(out[game].end(), cell.episodes.begin(), cell.episodes.end());
    return out;
  }

  struct Numbers {
    double played = 0, quality = 0, clemscore = 0;
  };
  /// clembench's, of these games: means over games, of means over episodes; `pick(n)` draws one of n.
  template <class Pick>
  static Numbers numbers(const std::vector<const Played*>& seeds, const std::vector<std::string>& games, const Pick& pick) {
    double played = 0, quality = 0, with_quality = 0;
    for (const std::string& g : games) {
      double p = 0, q = 0, n = 0, nq = 0;
      for (size_t k = 0; k < seeds.size(); ++k) {
        const auto& episodes = seeds[k]->at(g);
        for (size_t i = 0; i < episodes.size(); ++i) {
          const EpisodeScore& e = episodes[pick(episodes.size(), i)];
          p += e.played, n += 1;
          if (!std::isnan(e.main)) q += e.main, nq += 1;
        }
      }
      played += p / n;
      if (nq > 0) quality += q / nq, with_quality += 1;
    }
    Numbers out;
    out.played = 100 * played / static_cast<double>(games.size());
    out.quality = with_quality > 0 ? quality / with_quality : std::numeric_limits<double>::quiet_NaN();
    out.clemscore = out.played / 100 * (with_quality > 0 ? out.quality : 0);
    return out;
  }

  void table() const {
    const std::vector<std::pair<std::string, std::string>> models = {{"start", "start"}, {"sft", "SFT"}, {"dpo", "DPO"}, {"grpo", "GRPO"}};
    const std::pair<Part, const char*> parts[] = {{Part::Trained, "trained games, new instances"}, {Part::Unseen, "games not trained on"}, {Part::Reference, "reference tasks"}};
    std::string md = "| games | model | % played | quality | clemscore | clemscore less the start's |\n|---|---|---:|---:|---:|---:|\n", csv = "games,model,quantity,value,low,high\n";
    std::vector<web::Column> columns = {{"model", web::Column::Name}, {"% played", web::Column::Range}, {"quality", web::Column::Range}, {"clemscore", web::Column::Range},
                                        {"less the start's", web::Column::Range}};
    web::Table html(columns);
    std::map<std::string, std::vector<Played>> all;
    for (const auto& [folder, label] : models)
      for (uint64_t s = 0; s < o_.seeds; ++s) all[folder].push_back(read(root_ / ("seed-" + std::to_string(s)) / folder));
    auto row = [&](const std::string& part, const std::vector<std::string>& games) {
      for (const auto& [folder, label] : models) {
        const Bootstrap b = bootstrap(all.at(folder), all.at("start"), games);
        std::vector<std::string> cells = {html_text(label)};
        md += "| " + part + " | " + label;
        const char* names[] = {"played", "quality", "clemscore", "clemscore less the start's"};
        for (int i = 0; i < 4; ++i) {
          const std::string text = i == 3 && folder == "start" ? "" : fixed(b.value[i], 1) + " [" + fixed(b.low[i], 1) + ", " + fixed(b.high[i], 1) + "]";
          md += " | " + text;
          cells.push_back(text);
          if (!text.empty()) csv += csv_field(part) + "," + label + "," + names[i] + "," + python_number(b.value[i]) + "," + python_number(b.low[i]) + "," + python_number(b.high[i]) + "\n";
        }
        md += " |\n";
        html.group(part);
        html.row(cells);
      }
    };
    for (const auto& [part, name] : parts) {
      std::vector<std::string> games;
      for (const Miniature& g : kGames)
        if (g.part == part) games.push_back(g.name);
      row(name, games);
    }
    for (const Miniature& g : kGames) row(g.name, {g.name});
    const std::string explained = std::to_string(o_.seeds) + (o_.seeds == 1 ? " seed" : " seeds") + ". In brackets: 95 % intervals of 2000 bootstrap samples, of seeds and of the episodes of each. Replies are sampled at temperature 1.";
    write_file((root_ / "table.md").string(), "# Playpen in miniature\n\n" + explained + "\n\n" + md);
    write_file((root_ / "table.csv").string(), csv);
    write_file((root_ / "table.html").string(),
               web::page("Playpen in miniature", web::kTableStyle, "<h1>Playpen in miniature</h1>\n<p>" + html_text(explained) + "</p>\n" + html.done()));
    std::printf("\n%s\n", md.c_str());
  }
  static std::string html_text(const std::string& s) { return html(s); }

  struct Bootstrap {
    double value[4], low[4], high[4];  // % played, quality, clemscore, clemscore less the start's
  };
  /// Seeds are drawn, and of each its episodes; a model and its start are of the same seeds.
  static Bootstrap bootstrap(const std::vector<Played>& model, const std::vector<Played>& start, const std::vector<std::string>& games) {
    constexpr int kSamples = 2000;
    auto of = [](const std::vector<Played>& from, const std::vector<size_t>& seeds) {
      std::vector<const Played*> out;
      for (const size_t s : seeds) out.push_back(&from[s]);
      return out;
    };
    Bootstrap b{};
    std::vector<size_t> seeds(model.size());
    for (size_t i = 0; i < seeds.size(); ++i) seeds[i] = i;
    const auto same = [](size_t, size_t i) { return i; };
    auto put = [&](double (&to)[4], const Numbers& n, const Numbers& s) { to[0] = n.played, to[1] = n.quality, to[2] = n.clemscore, to[3] = n.clemscore - s.clemscore; };
    put(b.value, numbers(of(model, seeds), games, same), numbers(of(start, seeds), games, same));
    uint64_t state = 1;
    auto draw = [&](size_t n, size_t) {
      state = mix_seed(state, 1, 2, 3);
      return static_cast<size_t>((static_cast<unsigned __int128>(state) * n) >> 64);
    };
    std::vector<double> samples[4];
    for (int k = 0; k < kSamples; ++k) {
      for (size_t& s : seeds) s = draw(model.size(), 0);
      double at[4];
      put(at, numbers(of(model, seeds), games, draw), numbers(of(start, seeds), games, draw));
      for (int i = 0; i < 4; ++i) samples[i].push_back(at[i]);
    }
    for (int i = 0; i < 4; ++i) {
      // Samples in which nothing was played have no quality: left out, as in `ppc eval`.
      std::vector<double>& s = samples[i];
      std::erase_if(s, [](double x) { return std::isnan(x); });
      std::sort(s.begin(), s.end());
      b.low[i] = s.empty() ? std::numeric_limits<double>::quiet_NaN() : s[s.size() * 25 / 1000];
      b.high[i] = s.empty() ? std::numeric_limits<double>::quiet_NaN() : s[s.size() * 975 / 1000];
    }
    return b;
  }

  const MiniatureOptions o_;
  const fs::path root_;
};

}  // namespace

int run_miniature(const MiniatureOptions& options) {
  Run run(options);
  try {
    if (options.job.empty()) run.all();
    else run.job(options.job);
  } catch (const Stopped&) {
    return 3;
  }
  return 0;
}

}  // namespace ppc::cli
