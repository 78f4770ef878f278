// ppc play
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <set>

#include "runtime/engine/records.h"
#include "runtime/players/human.h"
#include "runtime/players/reply_log.h"
#include "runtime/players/run.h"
#include "runtime/players/script.h"
#include "tools/cli/casting.h"
#include "tools/cli/progress.h"
#include "tools/cli/resume.h"
#include "tools/cli/transcript.h"

namespace ppc::cli {
namespace {

using namespace engine;

constexpr const char* kHelp =
    R"(usage: ppc play GAME… [options]

Plays a game and prints the transcript and the scores; with --out writes records instead and prints a summary.
GAME is the name of a game that comes with ppc, a .game file, or a compiled .so. Several games are played at the same time, each at a rate
that lets all end together.

  --instances FILE      YAML or JSON (default: instances/instances.json or .yaml in the game's folder)
  --experiment NAME     only this experiment
  --id N                only instances with this game_id
  --player ROLE=SPEC    who plays (without `ROLE=`: every role): bot:NAME, script:FILE (a YAML or JSON list of replies), human,
                        openai:MODEL, or local:DIR (a Hugging Face model's folder)
                        (default: the role's first bot; on a terminal a human when it has none)
  --players FILE        who plays, and how models are reached and asked (docs/endpoints.md); --player goes first
  --base-url URL        the endpoint of openai:MODEL, such as http://127.0.0.1:8000/v1 (default: OPENAI_BASE_URL);
                        its key is taken from OPENAI_API_KEY
  --sampling NAME=VALUE temperature, max_tokens, stop, … for every openai:MODEL and local:DIR of --player
  --local NAME=VALUE    device, precision, threads, cache_tokens, … for every local:DIR of --player (docs/local.md)
  --script FILE         replies of all roles without --player: lines `role: reply` in the order they are asked
  --episodes N          the first N of the chosen instances of each game (default: all with --out, else 1)
  --repeat K            each instance K times (default 1)
  --seed S              of all chance (default 0; something new each time when a human plays)
  --draws FILE          a YAML or JSON list of numbers that play draws before it asks the generator
  --branch K@ROLE[:ROUND]  continues each episode in K ways where ROLE is asked for the first time (in that round); may be given
                        several times (docs/branches.md)
  --jobs N              threads for the game's own work (default 1)
  --in-flight N         episodes at a time that wait for models (default 256)
  --out DIR             records in clembench's layout, and DIR/episodes.jsonl
  --resume              goes on where a run with the same options was cut off
  --resources DIR       in place of the game's resources folder
  --set NAME=VALUE      another value for a field of the experiment or instance, or for a path in the document
                        such as common_config.n_turns; VALUE is JSON or bare text
  --engine E            interp, jit or so
  --json                prints the episodes as one JSON value

Examples:
  ppc play taboo --player describer=bot:spelling --player guesser=human
  ppc play wordle --out records --episodes 10 --seed 7 --jobs 2
  ppc play wordle --player guesser=bot:scribbler --branch 3@guesser:2 --out records
  ppc play taboo --player describer=openai:qwen --player guesser=openai:qwen --base-url http://127.0.0.1:8000/v1 --out records
  ppc play taboo wordle imagegame --player openai:qwen --base-url http://127.0.0.1:8000/v1 --out records
)";

std::vector<int64_t> load_draws(const std::string& path) {
  const Json json = load_json(path);
  if (!json.is_list()) throw InputError(path + ": expected a list of numbers, found " + describe(json));
  std::vector<int64_t> out;
  for (size_t i = 0; i < json.items().size(); ++i) {
    const Json& item = json.items()[i];
    if (!item.is_int() || item.as_int() < 0) {
      throw InputError(path + ": [" + std::to_string(i) + "]: expected an int, at least 0, found " + describe(item));
    }
    out.push_back(item.as_int());
  }
  return out;
}

/// "3@guesser:2". Throws UsageError.
players::BranchPoint branch_point(const Manifest& m, const std::string& text) {
  auto wrong = [&](const std::string& why) { throw UsageError("`--branch` takes K@ROLE or K@ROLE:ROUND, not `" + text + "`" + why); };
  auto number = [&](const std::string& digits, uint32_t& n) {
    const auto r = std::from_chars(digits.data(), digits.data() + digits.size(), n);
    return !digits.empty() && r.ec == std::errc() && r.ptr == digits.data() + digits.size();
  };
  players::BranchPoint p;
  const size_t at = text.find('@');
  if (at == std::string::npos || !number(text.substr(0, at), p.ways)) wrong("");
  if (p.ways < 2 || p.ways > 1000) wrong(": from 2 to 1000 ways");
  std::string role = text.substr(at + 1), roles;
  auto find = [&] {
    for (p.player = 0; p.player < m.players.size(); ++p.player)
      if (!m.players[p.player].scripted && (m.players[p.player].name == role || m.players[p.player].display == role)) return true;
    return false;
  };
  if (find()) return p;
  if (const size_t colon = role.rfind(':'); colon != std::string::npos) {
    uint32_t round = 0;
    if (!number(role.substr(colon + 1), round)) wrong(": a round is a number");
    p.round = round;
    role.resize(colon);
    if (find()) return p;
  }
  for (const PlayerInfo& player : m.players)
    if (!player.scripted) roles += (roles.empty() ? "`" : ", `") + player.name + "`";
  wrong(": no role `" + role + "` is asked; there is " + roles);
  return p;
}

/// One of the games of a run, and what has become of its episodes.
struct Playing {
  Game game;
  std::vector<Casting> casting;
  InstanceSet set;
  SegmentPtr resources;
  std::vector<Chosen> chosen;
  uint64_t done = 0, before = 0, counted = 0, won = 0, violations = 0, branches = 0;
  double main_score = 0;

  const Manifest& manifest() const { return game.module->manifest(); }
};
/// An episode to play.
struct Task {
  Playing* of;
  Chosen chosen;
  double place;  // from 0 to 1 among its game's
};

/// An episode that is over, or a branch of it.
struct Played {
  Record record;
  std::string transcript;
  uint64_t violations = 0;  // and
  double cost = 0;          // of its own: without what it shares with the branch that it left
};
/// An episode with its branches.
struct Tree {
  std::vector<std::unique_ptr<Played>> ends;
  bool failed = false;  // one of them could not be played
};

int play(const Args& args) {
  const Options options(args,
                        {"--instances", "--experiment", "--id", "--player", "--script", "--episodes", "--repeat", "--seed",
                         "--draws", "--branch", "--jobs", "--out", "--resources", "--set", "--engine", "--players", "--base-url", "--sampling", "--local", "--in-flight"},
                        {"--json", "--resume"});
  if (options.rest().empty()) throw UsageError("which game?");
  const bool several = options.rest().size() > 1;
  if (several)
    for (const char* name : {"--instances", "--experiment", "--id", "--script", "--draws", "--branch", "--resources"})
      if (options.has(name)) throw UsageError(std::string("`") + name + "` goes with one game");
  const bool json = options.has("--json");
  const uint64_t repeat = options.number("--repeat", 1, 1, 1'000'000);
  const uint64_t limit = options.number("--episodes", options.has("--out") ? UINT64_MAX : options.has("--repeat") ? repeat : 1, 1);
  Patches patches;
  for (const std::string& s : options.all("--set")) patches.push_back(parse_patch(s));

  const bool terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
  const players::PlayersConfig config = options.has("--players") ? players::load_players(options.value("--players")) : players::PlayersConfig{};
  std::vector<std::unique_ptr<Playing>> games;
  bool human = false, model = false;
  for (const std::string& name : options.rest()) {
    auto g = std::make_unique<Playing>();
    g->game = open_game(name, options.value("--engine"));
    for (const auto& other : games)
      if (other->manifest().game == g->manifest().game) throw UsageError("`" + g->manifest().game + "` twice");
    g->casting = cast_players(g->manifest(), options, config, terminal ? Otherwise::BotOrHuman : Otherwise::Bot, several);
    for (const Casting& c : g->casting) human = human || c.spec.kind == "human", model = model || c.spec.kind == "openai" || c.spec.kind == "local";
    games.push_back(std::move(g));
  }
  for (const std::string& role : several ? named_roles(options, config) : std::vector<std::string>{}) {
    bool known = false;
    for (const auto& g : games)
      for (const PlayerInfo& p : g->manifest().players) known = known || p.name == role || p.display == role;
    if (!known) throw UsageError("none of the games has a role `" + role + "`");
  }
  const Manifest& m = games[0]->manifest();
  std::vector<Casting>& casting = games[0]->casting;
  if (options.has("--resume") && !options.has("--out")) throw UsageError("`--resume` goes with `--out`");
  const std::vector<std::string> branch_options = options.all("--branch");
  auto points = std::make_shared<std::vector<players::BranchPoint>>();
  uint64_t most = 1;
  for (const std::string& text : branch_options) {
    points->push_back(branch_point(m, text));
    most *= points->back().ways;
    if (most > 10'000) throw UsageError("`--branch`: more than 10,000 ends of one episode");
    for (size_t i = 0; i + 1 < points->size(); ++i)
      if ((*points)[i].player == points->back().player && (*points)[i].round == points->back().round)
        throw UsageError("`--branch " + branch_options[i] + "` and `--branch " + text + "` are the same point");
  }
  if (human && !points->empty()) throw UsageError("`--branch`: a human is not asked the same thing several times");
  for (const auto& g : games) {
    g->set = find_instances(g->game, options, patches);
    g->chosen = choose(g->set, options, repeat);
    if (g->chosen.size() > limit) g->chosen.resize(limit);
    g->resources = load_resources(*g->game.module, g->game.folder, options.value("--resources"), false);
  }
  std::shared_ptr<const std::vector<players::ScriptLine>> script;
  if (options.has("--script")) {
    const std::string path = options.value("--script");
    script = std::make_shared<std::vector<players::ScriptLine>>(players::parse_script(read_file(path), path));
    for (const players::ScriptLine& line : *script) {
      bool known = false;
      for (size_t i = 0; i < casting.size(); ++i) known = known || (casting[i].from_script && m.players[i].name == line.role);
      if (!known) throw InputError(path + ":" + std::to_string(line.line) + ": no role `" + line.role + "` answers from this script");
    }
  }
  std::vector<int64_t> draws;
  if (options.has("--draws")) draws = load_draws(options.value("--draws"));
  uint64_t seed = options.number("--seed", 0);
  if (human && !options.has("--seed")) seed = (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  const unsigned jobs = human ? 1 : static_cast<unsigned>(options.number("--jobs", 1, 1, 1024));
  const size_t in_flight = human ? 1 : model ? options.number("--in-flight", 256, 1, 1'000'000) : jobs;
  auto record_of = [&](const Playing& g, const Chosen& c) {
    Record r = make_record(g.game, g.casting, c, repeat, seed);
    r.draws = draws;
    r.points = branch_options;
    return r;
  };
  const std::string out = options.value("--out");
  size_t before = 0;
  std::set<std::streamoff> stale;  // lines of episodes whose branches were not all recorded
  std::optional<AlreadyPlayed> already;
  if (options.has("--resume")) {
    already.emplace(out);
    stale = already->stale();
  }
  // Games take turns so that each is as far as the others: no game waits for another's end.
  std::vector<Task> tasks;
  for (const auto& g : games) {
    for (size_t i = 0; i < g->chosen.size(); ++i) {
      if (already && already->has(record_of(*g, g->chosen[i]))) ++g->before;
      else tasks.push_back({g.get(), g->chosen[i], (static_cast<double>(i) + 0.5) / static_cast<double>(g->chosen.size())});
    }
    before += g->before;
  }
  std::stable_sort(tasks.begin(), tasks.end(), [](const Task& a, const Task& b) { return a.place < b.place; });
  std::unique_ptr<RecordWriter> writer;
  std::shared_ptr<players::ReplyLog> log;
  if (options.has("--out")) {
    writer = std::make_unique<RecordWriter>(out);
    if (model) log = std::make_shared<players::ReplyLog>(out + "/replies.jsonl", options.has("--resume"));
  }

  const bool colour = colour_wanted(STDOUT_FILENO) && !script;
  const bool transcript = !json && !writer && !human;
  std::shared_ptr<players::LineReader> lines;
  if (human) {
    players::catch_interrupts();
    lines = players::make_line_reader(STDIN_FILENO, std::cout, terminal);
  }
  std::vector<Casting*> everybody;
  for (const auto& g : games)
    for (Casting* c : pointers(g->casting)) everybody.push_back(c);
  const std::shared_ptr<net::Transport> transport = reach_models(everybody, options, config);
  const std::vector<std::shared_ptr<local::Model>> models = load_models(everybody);

  std::map<size_t, Tree> played;  // those that wait for an earlier one to be shown
  size_t shown = 0;
  size_t done_count = 0;
  bool in_order = !several;  // episodes ended in the order of the instances
  std::mutex recording;
  std::map<size_t, Tree> trees;  // of episodes under way
  Json all = Json::list();
  players::RunControl control;
  Progress progress(tasks.size(), before, model && !human, transport, control);
  for (const Casting* c : everybody)
    if (c->reached) progress.watch(c->reached);
  for (const auto& m : models) progress.watch(m);

  auto begin = [&](size_t index) {
    const Playing& g = *tasks[index].of;
    const Chosen& c = tasks[index].chosen;
    const Manifest& m = g.manifest();
    const Record r = record_of(g, c);
    const std::string name = episode_folder(r) + " " + std::to_string(r.seed);
    auto conversation = std::make_shared<players::Conversation>(players::Conversation{script, options.value("--script"), 0});
    players::Cast cast(g.casting.size());
    for (uint32_t i = 0; i < g.casting.size(); ++i) {
      if (m.players[i].scripted) continue;
      const Casting& who = g.casting[i];
      if (who.from_script) cast[i] = players::make_speaker(conversation, m.players[i].name);
      else if (who.spec.kind == "human") cast[i] = players::make_human(lines, std::cout, m, i, colour);
      else cast[i] = make_player(m, i, who, r.seed);
      if (log && (who.reached || who.loaded)) cast[i] = players::make_logged(std::move(cast[i]), log, name, i);
    }
    auto setting = std::make_shared<Setting>(Setting{g.game.module, c.experiment->segment, c.instance->segment, g.resources});
    auto sitting = std::make_unique<players::Sitting>(Episode(setting, r.seed), std::move(cast));
    if (!draws.empty()) {
      sitting->episode.script_draws([&draws, next = size_t{0}](uint32_t stream, int64_t) mutable -> int64_t {
        return stream == 0 && next < draws.size() ? draws[next++] : -1;
      });
    }
    if (!points->empty()) sitting->branch_at(points);
    return sitting;
  };
  bool first = true;
  auto show = [&](const Tree& tree) {
    for (const auto& p : tree.ends) {
      if (json) all.push(parse_json(episode_line(p->record), "episode"));
      if (p->transcript.empty()) continue;
      if (!first) std::fputs("\n", stdout);
      first = false;
      std::fwrite(p->transcript.data(), 1, p->transcript.size(), stdout);
    }
  };
  auto over = [&](size_t index, players::Sitting& sitting, Worker& worker) {
    const Playing& g = *tasks[index].of;
    const Chosen& c = tasks[index].chosen;
    const Manifest& m = g.manifest();
    auto out = std::make_unique<Played>();
    Record& r = out->record = record_of(g, c);
    r.left = sitting.left;
    r.branch = sitting.branch;
    r.journal = std::move(sitting.journal);
    take_end(r, worker, sitting.episode);
    if (transcript || (human && !json)) {
      std::string& t = out->transcript;
      if (transcript) {
        t = m.game + ", experiment " + c.experiment->name + ", instance " + c.instance->id;
        if (repeat > 1) t += ", repeat " + std::to_string(c.repeat);
        if (!r.branch.path.empty()) {
          t += ", branch " + branch_name(r.branch.path) + ", which leaves " + branch_name(branch_parent(r.branch.path)) + " where " +
               m.players[r.branch.player].name + " is asked in round " + std::to_string(r.branch.round);
        }
        t += "\n";
        for (size_t i = r.branch.entries; i < r.journal.entries.size(); ++i) t += entry_text(m, r.journal.entries[i], colour);
      }
      t += scores_text(r.scores, colour);
    }
    for (size_t i = r.branch.entries; i < r.journal.entries.size(); ++i) {
      const Entry& e = r.journal.entries[i];
      out->violations += e.kind == PPC_EV_VIOLATION;
      if (e.kind == PPC_EV_GET && e.who < g.casting.size() && g.casting[e.who].model) {
        const players::ModelOptions& o = *g.casting[e.who].model;
        out->cost += 1e-6 * (o.prompt_price * static_cast<double>(e.prompt_tokens.value_or(0)) + o.reply_price * static_cast<double>(e.reply_tokens.value_or(0)));
      }
    }
    std::lock_guard lock(recording);
    if (r.left) control.no_new = true;  // nobody is there to play the rest
    trees[index].ends.push_back(std::move(out));
  };
  auto failed = [&](size_t index) {
    std::lock_guard lock(recording);
    trees[index].failed = true;
  };
  auto done = [&](size_t index) {
    std::lock_guard lock(recording);
    Tree tree = std::move(trees.extract(index).mapped());
    if (tree.failed) return;
    std::sort(tree.ends.begin(), tree.ends.end(), [](const auto& a, const auto& b) { return a->record.branch.path < b->record.branch.path; });
    Record& episode = tree.ends[0]->record;  // branch 0, which is what counts
    episode.branches = tree.ends.size() - 1;
    uint64_t broken = 0;
    double cost = 0;
    std::vector<const Record*> records;
    for (const auto& p : tree.ends) {
      broken += p->violations;
      cost += p->cost;
      records.push_back(&p->record);
    }
    progress.over(episode.outcome != PPC_ABORTED, broken, cost);
    in_order = in_order && index == done_count;
    ++done_count;
    Playing& g = *tasks[index].of;
    ++g.done;
    const double score = episode.scores.get("Main Score");
    if (episode.outcome != PPC_ABORTED && !std::isnan(score)) g.main_score += score, ++g.counted;
    g.won += episode.outcome == PPC_WON;
    g.violations += broken;
    g.branches += episode.branches;
    if (writer) writer->write(records);
    if (!json && !transcript && !human) return;
    played[index] = std::move(tree);
    for (; played.count(shown); ++shown) {
      show(played[shown]);
      played.erase(shown);
    }
  };
  const players::RunResult result = players::run_episodes(tasks.size(), {jobs, in_flight}, control, begin, over, failed, done);
  for (const auto& [index, tree] : played) show(tree);  // an earlier one failed
  progress.finish();
  const size_t missing = tasks.size() - done_count;
  if (writer) writer->finish();
  if (missing > 0 && !(human && control.no_new)) {
    std::string what = result.first_error.empty() ? "stopped" : result.first_error;
    what += "\n" + std::to_string(done_count + before) + " of " + std::to_string(tasks.size() + before) + " episodes have been played";
    if (writer) what += " and recorded; the same command with --resume plays the others";
    throw SystemError(what);
  }
  if (writer && (before > 0 || !in_order || !stale.empty())) {
    writer.reset();
    std::map<std::string, size_t> order;
    for (const auto& g : games)
      for (const Chosen& c : g->chosen) order.emplace(episode_folder(record_of(*g, c)), order.size());
    order_lines(out, order, stale);
  }
  if (log) log->remove();
  if (json) {
    Json out = Json::object();
    if (several) {
      Json names = Json::list();
      for (const auto& g : games) names.push(g->manifest().game);
      out.add("games", std::move(names));
    } else {
      out.add("game", m.game);
    }
    if (options.has("--out")) out.add("records", options.value("--out"));
    out.add("episodes", std::move(all));
    std::printf("%s\n", to_text(out, {.indent = -1, .nan_as_null = true}).c_str());
  } else if (options.has("--out")) {
    for (const auto& g : games) {
      const double n = static_cast<double>(g->done);
      const std::string more = points->empty() ? "" : " and " + std::to_string(g->branches) + (g->branches == 1 ? " branch" : " branches");
      std::printf("%s: %llu episode%s%s", g->manifest().game.c_str(), static_cast<unsigned long long>(g->done), g->done == 1 ? "" : "s", more.c_str());
      if (g->done) {
        std::printf(", %.1f %% played to the end, %llu won, main score ", 100.0 * static_cast<double>(g->counted) / n, static_cast<unsigned long long>(g->won));
        if (g->counted) std::printf("%.2f", g->main_score / static_cast<double>(g->counted));
        else std::printf("n/a");
      }
      if (g->before) std::printf(", %llu recorded before", static_cast<unsigned long long>(g->before));
      std::printf(", %llu violation%s\n", static_cast<unsigned long long>(g->violations), g->violations == 1 ? "" : "s");
    }
    std::printf("records: %s\n", options.value("--out").c_str());
  }
  return 0;
}

}  // namespace

int run_play(const Args& args) {
  return run_verb("play", kHelp, args, [&] { return play(args); });
}

}  // namespace ppc::cli
