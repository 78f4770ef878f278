// ppc train
#include "tools/cli/train.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <optional>
#include <thread>
#include <type_traits>

#include "runtime/engine/clock.h"
#include "runtime/engine/json.h"
#include "tools/cli/arena.h"
#include "tools/cli/cli.h"
#include "tools/cli/export.h"
#include "tools/cli/miniature.h"
#include "tools/cli/progress.h"
#include "tools/cli/rollouts.h"
#include "tools/cli/train_config.h"
#include "tools/cli/train_plan.h"
#include "tools/cli/train_report.h"
#include "trainers/data/batches.h"
#include "trainers/data/read.h"
#include "trainers/local/model.h"
#include "trainers/nn/network.h"
#include "trainers/report/events.h"
#include "trainers/report/metrics.h"

namespace ppc::cli {
namespace {

namespace fs = std::filesystem;
using namespace engine;
using train::Config;
using train::find;
using train::Method;
using train::Metrics;

constexpr const char* kHelp =
    R"(usage: ppc train [miniature] [options]
       ppc train sft|dpo|grpo CONFIG.yaml [options]

Trains a model (a Hugging Face folder) on dialogue games. docs/training.md explains the keys of CONFIG.yaml.

  sft   on dialogues that went well: records of `ppc play`, or what `ppc export` made of them
  dpo   on pairs of dialogues, or of replies, of which one was better
  grpo  by playing: groups of episodes of the same instance, better against worse

Without a method: a very small model is trained from nothing, on games that come with ppc, and then with SFT, DPO and GRPO, and a table
compares them. Two cores take some eight minutes. Its configurations lie in the folder that comes out.

  --set KEY=VALUE   in place of what CONFIG.yaml says, such as optimizer.learning_rate=1e-5 or games.0.weight=2; may be given several times
  --print-config    shows all keys with their values, and ends
  --dry-run         looks at the configuration, the games, the data and the model's shape (its config.json; weights are not needed), says what memory
                    the run takes, and ends
  --gpu NAME        with --dry-run: whether it fits there, and how long it takes: a100, h100, h200, l40s, rtx-4090, …
  --resume          goes on from the newest checkpoint of the output folder
  --quiet           no progress
  --json            prints what came out as JSON

  --seeds N         without a method: so many times, from other random weights (default 3)
  --out DIR         without a method: where (default runs/miniature)
  --scale X         without a method: so much of all steps and episodes (default 1)

^C, or SIGTERM, ends after the step under way, with a checkpoint.

Examples:
  ppc train
  ppc train sft sft.yaml
  ppc train grpo grpo.yaml --set steps=100 --set output=runs/more --resume
)";

std::string rounded(double v, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, v);
  return text;
}

/// What is shown on stderr: a line that is rewritten on a terminal, now and then one elsewhere.
class Shown {
 public:
  Shown(int64_t before, int64_t steps, bool quiet) : before_(before), steps_(steps), quiet_(quiet), terminal_(isatty(STDERR_FILENO)), began_(now()) {}
  void step(int64_t step, const Metrics& m) {
    if (quiet_) return;
    std::string out = "step " + std::to_string(step) + (steps_ > 0 ? " of " + std::to_string(steps_) : "");
    auto add = [&](const char* key, const char* label, int digits, const char* unit = "") {
      if (const auto v = find(m, key)) out += std::string(", ") + label + " " + rounded(*v, digits) + unit;
    };
    add("reward", "reward", 3);
    add("played", "played", 0, " %");
    add("loss", "loss", 4);
    add("accuracy", "accuracy", 2);
    add("kl", "KL", 4);
    add("entropy", "entropy", 2);
    std::string rule;
    double most = 0;
    for (const auto& [key, value] : m)
      if (key.rfind("violations/", 0) == 0 && value > most) most = value, rule = key.substr(11);
    if (!rule.empty()) out += ", " + rounded(most, 2) + " an episode broke " + rule;
    if (const auto v = find(m, "tokens_per_second")) out += ", " + rounded(*v, 0) + " tokens/s";
    if (steps_ > step && step > before_) out += ", " + duration((now() - began_) / static_cast<double>(step - before_) * static_cast<double>(steps_ - step)) + " left";
    if (terminal_) {
      std::fprintf(stderr, "\r\x1b[K%s", out.c_str());
    } else {
      if (step != 1 && step != steps_ && now() - last_ < 15) return;
      std::fprintf(stderr, "%s\n", out.c_str());
    }
    last_ = now();
    std::fflush(stderr);
  }
  void line(const std::string& text) const {
    if (!quiet_) std::fprintf(stderr, "%s%s\n", terminal_ ? "\r\x1b[K" : "", text.c_str());
  }

 private:
  int64_t before_, steps_;
  bool quiet_, terminal_;
  double began_, last_ = 0;
};

/// Lines of episodes.jsonl, and folders of records, are exported in memory; other files are what `ppc export` made.
bool is_records(const std::string& path) {
  std::error_code ec;
  if (fs::is_directory(path, ec)) return true;
  return fs::path(path).filename().string().rfind("episodes.jsonl", 0) == 0;
}

/// Without which lines: those of records are chosen where they are made.
data::ReadOptions read_options(const train::DataOptions& d, int64_t room) {
  data::ReadOptions o;
  o.ids = d.ids == "exact" ? data::Ids::Exact : d.ids == "encode" ? data::Ids::Encode : data::Ids::Auto;
  o.max_length = d.max_length ? d.max_length : room;
  o.too_long = d.cut ? data::TooLong::Cut : data::TooLong::Drop;
  return o;
}

/// Of a file that `ppc export` made, or someone else.
template <class T>
data::DataSet<T> from_file(const std::string& path, const train::DataOptions& d, const std::string& key, const data::Encoder& encoder, int64_t room) {
  for (const auto& [name, given] : {std::pair("turns", d.turns), std::pair("min_gap", d.min_gap > 0)})
    if (given) throw InputError(key + "." + name + ": goes with records; what the lines of " + path + " are was said to `ppc export` (--turn, --by score --min-gap)");
  data::ReadOptions o = read_options(d, room);
  o.filter = {{d.games.begin(), d.games.end()}, {d.roles.begin(), d.roles.end()}, {d.models.begin(), d.models.end()}, {d.outcomes.begin(), d.outcomes.end()}, d.min_score, d.max_score, d.clean};
  if constexpr (std::is_same_v<T, data::Pair>) return data::read_pairs(path, encoder, o);
  else return data::read_examples(path, encoder, o);
}

/// What `ppc export` makes of records, line by line: all of them at once take many times the memory of their ids.
template <class T>
data::DataSet<T> from_records(const std::string& path, const train::DataOptions& d, Method method, const data::Encoder& encoder, int64_t room) {
  ExportOptions o;
  o.format = method == Method::Dpo ? ExportOptions::Format::Dpo : ExportOptions::Format::Sft;
  o.turns = d.turns;
  o.clean = d.clean;
  o.by_score = method == Method::Dpo && d.min_gap > 0;
  if (d.min_gap > 0) o.min_gap = d.min_gap;
  o.pairs = static_cast<size_t>(d.pairs);
  o.games = {d.games.begin(), d.games.end()};
  o.roles = {d.roles.begin(), d.roles.end()};
  o.models = {d.models.begin(), d.models.end()};
  o.outcomes = {d.outcomes.begin(), d.outcomes.end()};
  if (o.outcomes.empty() && method == Method::Sft) o.outcomes = {"won"};  // as `ppc export`
  o.min_score = d.min_score;
  o.max_score = d.max_score;
  o.ids = d.ids == "encode" ? ExportOptions::Ids::None : d.ids == "exact" ? ExportOptions::Ids::All : ExportOptions::Ids::Where;
  data::Reader<T> reader(encoder, read_options(d, room));
  const ExportSummary summary = export_lines({path}, o, [&](Json&& line) { reader.add(line); });
  if (!summary.warning.empty()) std::fprintf(stderr, "%s\n", summary.warning.c_str());
  if (summary.lines == 0) std::fprintf(stderr, "%s: %s\n", path.c_str(), summary.describe().c_str());
  return reader.finish();
}

/// Of all files and folders, one behind the other: examples, or pairs. `key`: of the configuration, "data"; `sources`: to which it adds those.
template <class T>
std::vector<T> read_data(const train::DataOptions& d, const Shown& shown, const std::string& key, const data::Encoder& encoder, int64_t room, std::vector<train::Source>* sources = nullptr) {
  constexpr Method method = std::is_same_v<T, data::Pair> ? Method::Dpo : Method::Sft;
  std::vector<T> out;
  for (const std::string& path : d.from) {
    data::DataSet<T> got = is_records(path) ? from_records<T>(path, d, method, encoder, room) : from_file<T>(path, d, key, encoder, room);
    shown.line(key + " " + path + ": " + got.statistics.describe());
    if (sources) sources->push_back({key, path, static_cast<int64_t>(got.all.size()), data::digest(got.all)});
    std::move(got.all.begin(), got.all.end(), std::back_inserter(out));
  }
  if (out.empty() && !d.from.empty()) {
    throw InputError(key + ": nothing is left to learn from" +
                     (method == Method::Dpo && d.turns
                          ? "; a pair needs two replies to the same history: one accepted and one that broke a rule, or (`" + key + ".min_gap`) two of other worth (docs/export.md)"
                      : method == Method::Dpo ? "; a pair needs two episodes of one instance that ended differently (docs/export.md)"
                      : d.outcomes.empty()    ? "; of records the episodes that were won are taken, unless `" + key + ".outcomes` says which"
                                              : ""));
  }
  return out;
}

}  // namespace

void copy_rest(const fs::path& from, const fs::path& to) {
  std::error_code ec;
  fs::create_directories(to, ec);
  if (ec) throw SystemError(to.string() + ": " + ec.message());
  for (const auto& entry : fs::directory_iterator(from, ec)) {
    const std::string name = entry.path().filename().string();
    const std::string kind = entry.path().extension().string();
    if (!entry.is_regular_file() || kind == ".safetensors" || kind == ".bin" || kind == ".pt" || kind == ".pth" || kind == ".gguf" || name.ends_with(".index.json")) continue;
    fs::copy_file(entry.path(), to / name, fs::copy_options::overwrite_existing, ec);
    if (ec) throw SystemError((to / name).string() + ": " + ec.message());
  }
}

namespace {

/// An entry for clemcore's model_registry.json.
void write_registry(const fs::path& folder, const std::string& name) {
  Json entry = Json::object();
  entry.add("model_name", name);
  entry.add("backend", "huggingface_local");
  entry.add("huggingface_id", fs::absolute(folder).lexically_normal().string());
  Json& how = entry.add("model_config", Json::object());
  how.add("premade_chat_template", true);
  Json list = Json::list();
  list.push(std::move(entry));
  model::write_file_atomically((folder / "model_registry.json").string(), to_text(list, {.indent = 2, .nan_as_null = true}) + "\n");
}

/// As torchrun, and Slurm's scripts, say it.
learn::GroupOptions group_of_environment() {
  learn::GroupOptions o;
  auto number = [](const char* name, int otherwise, int low, int high) {
    const char* text = std::getenv(name);
    if (!text || !*text) return otherwise;
    char* end = nullptr;
    const long value = std::strtol(text, &end, 10);
    if (*end || value < low || value > high) throw InputError(std::string(name) + ": expected a number from " + std::to_string(low) + " to " + std::to_string(high) + ", found `" + text + "`");
    return static_cast<int>(value);
  };
  o.world = number("WORLD_SIZE", 1, 1, 1'000'000);
  o.rank = number("RANK", 0, 0, o.world - 1);
  o.port = number("MASTER_PORT", o.port, 1, 65535);
  if (const char* address = std::getenv("MASTER_ADDR"); address && *address) o.address = address;
  const char* served = std::getenv("TORCHELASTIC_USE_AGENT_STORE");
  o.served = served && std::string(served) == "True";
  o.attempt = number("TORCHELASTIC_RESTART_COUNT", 0, 0, 1'000'000);
  o.timeout = number("PPC_GROUP_TIMEOUT", static_cast<int>(o.timeout), 1, 1'000'000);
  return o;
}

std::atomic<bool> interrupted{false};
std::atomic<int64_t> interrupted_at{0};  // seconds, from 1; 0: not yet
void on_interrupt(int signal) {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  // A second one ends it; not the one that came with the first, from a terminal and from who began the process.
  const int64_t now = time.tv_sec + 1;
  int64_t first = 0;
  if (interrupted_at.compare_exchange_strong(first, now)) {
    interrupted = true;
  } else if (now > first + 1) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
}

/// The model's folder: as `local:DIR` takes it in play, and says where there is none.
std::string model_of(const Config& c) {
  const std::string folder = local::model_folder(c.model);
  std::error_code ec;
  if (!fs::is_directory(folder, ec)) throw InputError(c.file + ": model: " + folder + ": no such folder, and no model of that name in Hugging Face's cache");
  return folder;
}

}  // namespace

Interruptible::Interruptible() {
  interrupted = false;
  interrupted_at = 0;
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &interrupt_);
  sigaction(SIGTERM, &action, &terminate_);
}
Interruptible::~Interruptible() {
  sigaction(SIGINT, &interrupt_, nullptr);
  sigaction(SIGTERM, &terminate_, nullptr);
}
const std::atomic<bool>& Interruptible::asked() const { return interrupted; }

train::Outcome run_training(const Config& config, const TrainOptions& options) {
  const std::string newest = train::checkpoint_of(config, options.resume);
  Config c = config;
  c.model = model_of(c);
  c.learner.group = group_of_environment();
  const bool first = c.learner.group.rank == 0;  // who writes and shows
  if (const char* beside = std::getenv("LOCAL_WORLD_SIZE"); beside && c.learner.threads == 0)  // torchrun's: processes on this machine, which share its cores
    if (const int n = std::atoi(beside); n > 1) c.learner.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / n);
  if (c.learner.device == "cuda" && c.learner.group.world > 1)
    if (const char* local = std::getenv("LOCAL_RANK")) c.learner.device += ":" + std::string(local);
  const std::unique_ptr<learn::Learner> learner = learn::load_learner(c.model, c.learner);
  if (!c.adapter.empty()) learner->load_adapter(c.adapter);
  const int64_t room = learner->config().max_position_embeddings;
  int64_t before = 0;
  if (!newest.empty()) {
    const Json state = load_json(newest + "/trainer.json");
    if (const Json* s = state.find("step"); s && s->is_int()) before = s->as_int();
  }
  // Templates that write the day write that of the run's beginning: one that goes on tomorrow reads the same tokens.
  if (const fs::path written = fs::path(c.output) / "config.yaml"; options.resume && fs::exists(written) && !c.variables.find("strftime_now")) {
    const Json then = engine::load_json(written.string());
    const Json* variables = then.find("template");
    if (const Json* day = variables ? variables->find("strftime_now") : nullptr) c.variables.add("strftime_now", *day);
  }
  c.variables = data::dated(std::move(c.variables));
  Shown shown(before, c.steps, options.quiet || !first);
  train::Surroundings around{.learner = *learner};

  if (c.method == Method::Sft) {
    const data::Encoder encoder = data::load_encoder(c.model, c.variables);
    around.examples = read_data<data::Example>(c.data, shown, "data", encoder, room, &around.sources);
    around.held_out = read_data<data::Example>(c.evaluation.data, shown, "evaluation.data", encoder, room, &around.sources);
  } else if (c.method == Method::Dpo) {
    const data::Encoder encoder = data::load_encoder(c.model, c.variables);
    around.pairs = read_data<data::Pair>(c.data, shown, "data", encoder, room, &around.sources);
    around.held_out_pairs = read_data<data::Pair>(c.evaluation.data, shown, "evaluation.data", encoder, room, &around.sources);
  }

  // What plays: the same weights in the network that is made for it, or in servers.
  std::shared_ptr<trainers::Model> model;
  std::unique_ptr<Rollouts> rollouts;
  std::unique_ptr<train::Arena> arena, evaluation;
  if (c.method == Method::Grpo || !c.evaluation.games.empty()) {
    local::ModelOptions how;
    how.folder = c.model;
    how.batch = c.in_flight;
    how.template_variables = engine::to_text(c.variables);
    std::shared_ptr<local::Model> player;
    if (c.rollouts.servers.empty()) {
      nn::NetworkOptions network;
      network.device = c.learner.device;
      network.precision = c.learner.precision == "bfloat16" ? nn::Precision::BFloat16 : nn::Precision::Float32;
      network.threads = c.learner.threads;
      network.cache_tokens = c.cache_tokens;
      player = model = trainers::make_model(how, nn::load_network(c.model, network));
      around.publish = [&] { model->reload([&](const auto& take) { learner->weights(take); }); };
    } else {
      rollouts = std::make_unique<Rollouts>(c, how, *learner, before, [&](const std::string& text) { shown.line(text); });
      player = rollouts->model();
      around.publish = [&] { rollouts->publish(1); };
      around.refresh = [&] { rollouts->publish(c.rollouts.every); };
      around.played = [&] { return rollouts->metrics(); };
    }
    ArenaOptions where;
    where.players_file = c.players;
    where.in_flight = c.in_flight;
    if (c.method == Method::Grpo) {
      where.games = c.games;
      where.sampling = c.sampling;
      where.partner_sampling = c.partner_sampling;
      arena = make_arena(where, player, c.file + ": games");
      around.arena = arena.get();
    }
    if (!c.evaluation.games.empty()) {
      where.games = c.evaluation.games;
      where.sampling = c.evaluation.sampling;
      where.partner_sampling.reset();
      evaluation = make_arena(where, player, c.file + ": evaluation.games");
      around.evaluation = evaluation.get();
    }
    around.sampling_seconds = [player] { return player->statistics().seconds; };
  }

  std::optional<report::MetricsFile> metrics;
  std::optional<report::EventFile> events;
  if (first) {
    metrics.emplace((fs::path(c.output) / "metrics.jsonl").string(), before ? before + 1 : 0);
    events.emplace((fs::path(c.output) / "tensorboard").string(), before ? before + 1 : 0);
    Config said = config;
    said.variables = c.variables;
    model::write_file_atomically((fs::path(c.output) / "config.yaml").string(), config_text(said));
  }
  const auto time_of_day = [] { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); };
  if (first) events->text(before, time_of_day(), "configuration", "```yaml\n" + config_text(config) + "```\n");
  auto write = [&](int64_t step, const Metrics& m) {
    if (!first) return;
    const double time = time_of_day();
    metrics->write(step, time, m);
    events->scalars(step, time, m);
    events->flush();
  };
  around.step = [&](int64_t step, const Metrics& m) {
    if (rollouts) rollouts->stepped(step);
    write(step, m);
    shown.step(step, m);
  };
  around.evaluated = [&](int64_t step, const Metrics& m) {
    write(step, m);
    std::string out = "evaluation behind step " + std::to_string(step) + ":";
    for (const char* key : {"eval/clemscore", "eval/played", "eval/score", "held_out/loss", "held_out/accuracy"})
      if (const auto v = find(m, key)) out += std::string(" ") + key + " " + (std::isnan(*v) ? "n/a" : rounded(*v, 3));
    shown.line(out);
  };
  around.note = [&](const std::string& text) { shown.line(text); };
  around.save_model = [&](const std::string& folder) {
    if (!first) return;
    copy_rest(c.model, folder);
    learner->save_weights(folder);
    write_registry(folder, fs::path(fs::absolute(c.output).lexically_normal()).filename().string());
    if (c.learner.lora) learner->save_adapter(folder + "/adapter", c.model);
  };
  const Interruptible interruptible;
  around.stop = &interruptible.asked();
  const train::Outcome outcome = train::train(c, around, options.resume);
  if (first) write_report(config, outcome);
  shown.line(outcome.stopped ? "stopped behind step " + std::to_string(outcome.steps) + "; --resume goes on" : "done: " + std::to_string(outcome.steps) + " steps, " + outcome.last);
  return outcome;
}

namespace {

/// All that can be known without weights.
void dry_run(const Config& config, const std::string& gpu) {
  Config c = config;
  c.model = model_of(c);
  const Gpu* on = gpu.empty() ? nullptr : &gpu_of(gpu);
  const model::ModelConfig shape = model::load_config(c.model);
  const Shown shown(0, 0, false);
  if (c.method != Method::Grpo) {
    if (!fs::exists(fs::path(c.model) / "tokenizer.json")) {
      shown.line("data: not looked at, as " + c.model + " has no tokenizer.json");
    } else {
      const data::Encoder encoder = data::load_encoder(c.model, c.variables);
      for (const auto& [d, key] : {std::pair(&c.data, "data"), std::pair(&c.evaluation.data, "evaluation.data")}) {
        if (c.method == Method::Sft) read_data<data::Example>(*d, shown, key, encoder, shape.max_position_embeddings);
        else read_data<data::Pair>(*d, shown, key, encoder, shape.max_position_embeddings);
      }
    }
  }
  ArenaOptions where;
  where.players_file = c.players;
  auto games = [&](const std::vector<train::GameOptions>& list, const std::string& place) {
    if (list.empty()) return;
    where.games = list;
    const auto arena = make_arena(where, nullptr, c.file + ": " + place);
    std::string out = place + ":";
    for (const auto& g : arena->games()) out += (&g == &arena->games()[0] ? " " : ", ") + g.name + " (" + std::to_string(g.instances) + ")";
    shown.line(out + " instances");
  };
  games(c.games, "games");
  games(c.evaluation.games, "evaluation.games");
  std::fputs(plan_text(plan_of(shape, c), c, on).c_str(), stdout);
}

int train_verb(const Args& args) {
  const Options options(args, {"--set", "--gpu", "--seeds", "--out", "--scale", "--job"}, {"--print-config", "--dry-run", "--resume", "--quiet", "--json"});
  if (options.rest().empty() || options.rest()[0] == "miniature") {
    if (options.rest().size() > 1) throw UsageError("`miniature` takes no configuration");
    for (const char* other : {"--set", "--gpu", "--print-config", "--dry-run", "--json", "--quiet"})
      if (options.has(other)) throw UsageError(std::string("`") + other + "` goes with a method and a configuration");
    MiniatureOptions how;
    how.seeds = options.number("--seeds", how.seeds, 1, 1000);
    how.folder = options.value("--out", how.folder);
    how.resume = options.has("--resume");
    how.job = options.value("--job");
    if (options.has("--scale")) {
      const std::string text = options.value("--scale");
      char* end = nullptr;
      how.scale = std::strtod(text.c_str(), &end);
      if (text.empty() || *end || !(how.scale > 0 && how.scale <= 100)) throw UsageError("`--scale` takes a number above 0, at most 100, not `" + text + "`");
    }
    return run_miniature(how);
  }
  for (const char* other : {"--seeds", "--out", "--scale", "--job"})
    if (options.has(other)) throw UsageError(std::string("`") + other + "` goes without a method");
  if (options.rest().size() != 2) throw UsageError(options.rest().empty() ? "which method?" : "a method and a configuration");
  const std::string& name = options.rest()[0];
  Method method = Method::Sft;
  if (name == "dpo") method = Method::Dpo;
  else if (name == "grpo") method = Method::Grpo;
  else if (name != "sft") throw UsageError("no method `" + name + "`: sft, dpo or grpo");
  const Config config = load_config(method, options.rest()[1], options.all("--set"));
  if (options.has("--print-config")) {
    std::fputs(config_text(config).c_str(), stdout);
    return 0;
  }
  if (options.has("--dry-run")) {
    dry_run(config, options.value("--gpu"));
    return 0;
  }
  const train::Outcome outcome = run_training(config, {options.has("--resume"), options.has("--quiet")});
  if (options.has("--json")) {
    Json j = Json::object();
    j.add("steps", outcome.steps);
    j.add("model", outcome.last.empty() ? Json() : Json(outcome.last));
    j.add("best", outcome.best.empty() ? Json() : Json(outcome.best));
    j.add("stopped", outcome.stopped);
    j.add("early", outcome.early);
    std::printf("%s\n", to_text(j).c_str());
  } else if (!outcome.last.empty() && !std::getenv("RANK")) {
    std::printf("%s\n", outcome.last.c_str());
  }
  return outcome.stopped ? 3 : 0;
}

}  // namespace

int run_train(const Args& args) {
  return run_verb("train", kHelp, args, [&] { return train_verb(args); });
}

}  // namespace ppc::cli
