#include "test/property/run.h"

#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bit>
#include <csignal>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "compiler/codegen/codegen.h"
#include "compiler/interp/interp.h"
#include "compiler/rules/lower.h"
#include "compiler/rules/passes.h"
#include "compiler/sema/check.h"
#include "compiler/syntax/parse.h"
#include "runtime/engine/generate.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/scores.h"

namespace ppc::property {
namespace {

using engine::Episode;
using engine::GameModule;
using engine::Journal;
using engine::Setting;
using engine::Status;
using engine::Worker;

// Small, so that a game that runs into them does so soon; the same for every engine, so they end it at the same place.
// Blocks are compacted as soon as that is of any use.
engine::Budget budget() {
  engine::Budget b;
  b.steps = 300'000;
  b.state_bytes = 1u << 18;
  b.scratch_bytes = 8u << 20;
  b.compact_from = 0;
  return b;
}
engine::Budget never_compacted() {
  engine::Budget b = budget();
  b.compact_from = UINT32_MAX;
  return b;
}

std::string printed(const engine::Entry& e) {
  std::string s = std::to_string(e.kind) + " who " + std::to_string(e.who) + " round " + std::to_string(e.round) + " at " +
                  std::to_string(e.loc >> 12) + ":" + std::to_string(e.loc & 0xFFF) + " `" + e.text + "` `" + e.value + "` " +
                  std::to_string(e.number) + " " + std::to_string(std::bit_cast<uint64_t>(e.amount)) + (e.valid ? "" : " broken");
  for (const auto& [name, value] : e.gives) s += " " + name + "=`" + value + "`";
  return s;
}

/// One engine's side of an episode.
struct Side {
  std::string name;
  std::shared_ptr<const Setting> setting;
  Worker worker;
  std::unique_ptr<Episode> episode;
  Journal journal;
  bool records = true, compacts = true;

  explicit Side(const engine::Budget& b = budget()) : worker(b), compacts(b.compact_from == 0) {}

  void begin(uint64_t seed) {
    worker.collect_events(records);
    journal.entries.clear();
    episode = std::make_unique<Episode>(setting, seed);
    episode->start(worker);
    if (records) journal.collect(worker, *episode);
  }
  void step(const std::string& reply) {
    episode->step(worker, reply);
    if (records) journal.collect(worker, *episode);
  }
};

std::string hex(std::string_view bytes, size_t at) {
  static const char digits[] = "0123456789abcdef";
  std::string s;
  for (size_t i = at; i < bytes.size() && i < at + 16; ++i) {
    s += digits[static_cast<uint8_t>(bytes[i]) >> 4];
    s += digits[static_cast<uint8_t>(bytes[i]) & 15];
  }
  return s;
}

/// What is different, or empty. `exact`: the journal too.
std::string difference(Side& a, Side& b, bool exact) {
  std::string who = a.name + " and " + b.name + " differ";
  Episode &x = *a.episode, &y = *b.episode;
  if (exact && a.records && b.records) {
    size_t n = std::min(a.journal.entries.size(), b.journal.entries.size());
    for (size_t i = 0; i < n; ++i) {
      std::string p = printed(a.journal.entries[i]), q = printed(b.journal.entries[i]);
      if (p != q) return who + " in event " + std::to_string(i) + ":\n  " + p + "\n  " + q;
    }
    if (a.journal.entries.size() != b.journal.entries.size())
      return who + " in the number of events: " + std::to_string(a.journal.entries.size()) + ", " + std::to_string(b.journal.entries.size());
  }
  if (x.status() != y.status()) return who + " in the status: reasons `" + x.reason() + "`, `" + y.reason() + "`";
  if (x.status() == Status::Asking) {
    if (x.asked_player() != y.asked_player() || x.asked_move() != y.asked_move()) return who + " in whom they ask for what";
    std::string p(x.message(a.worker)), q(y.message(b.worker));
    if (p != q) return who + " in the message:\n  `" + p + "`\n  `" + q + "`";
  } else {
    if (x.state().outcome != y.state().outcome) return who + " in the outcome: " + x.reason() + ", " + y.reason();
    if (std::bit_cast<uint64_t>(x.state().score) != std::bit_cast<uint64_t>(y.state().score)) return who + " in the score";
    if (x.reason() != y.reason()) return who + " in the reason:\n  `" + x.reason() + "`\n  `" + y.reason() + "`";
  }
  // The same, laid out differently: a list that was compacted has no room to grow, and making room for its next item is a step.
  if (!a.compacts || !b.compacts) return "";
  if (x.state().steps != y.state().steps)
    return who + " in the steps used: " + std::to_string(x.state().steps) + ", " + std::to_string(y.state().steps);
  std::string_view p = x.bytes(), q = y.bytes();
  if (p.size() != q.size()) return who + " in the size of the state: " + std::to_string(p.size()) + ", " + std::to_string(q.size());
  for (size_t i = 0; i < p.size(); ++i)
    if (p[i] != q[i]) return who + " in the state at byte " + std::to_string(i) + ": " + hex(p, i & ~7u) + ", " + hex(q, i & ~7u);
  return "";
}

std::string scores(Side& s) { return engine::to_text(engine::score(s.worker, *s.episode).to_json()); }

class Match {
 public:
  Match(const RandomGame& game, const Options& options) : game_(game), options_(options) {}

  Outcome play() {
    Outcome result;
    const Sources* sources = nullptr;
    auto program = compile(game_.text, sources, result.text);
    if (!program) return result;
    result.checked = true;
    auto owner = std::unique_ptr<const Sources>(sources);
    std::vector<std::pair<std::string, std::shared_ptr<GameModule>>> modules;
    modules.emplace_back("interp", interp::make_interpreter(*program));
    if (options_.jit) {
      codegen::Options o;
      modules.emplace_back("jit quick", codegen::jit(*program, o));
      o.tier = codegen::Tier::Fast;
      if (options_.fast) modules.emplace_back("jit fast", codegen::jit(*program, o));
    }
    if (options_.shared) {
      std::string path = options_.folder + "/game.so";
      codegen::Options o;
      o.tier = codegen::Tier::Fast;
      codegen::shared_object(*program, o, path);
      modules.emplace_back("so", engine::load_shared(path));
      std::filesystem::remove(path);
    }
    for (auto& [name, module] : modules) {
      auto setting = std::make_shared<Setting>();
      setting->module = module;
      auto set = engine::read_instances(*module, engine::parse_json(game_.instances, "instances"), "instances");
      setting->experiment = set.experiments.at(0).segment;
      setting->instance = set.experiments.at(0).instances.at(0).segment;
      setting->resources = engine::load_resources(*module, options_.folder, "", false);
      auto side = std::make_unique<Side>();
      side->name = name;
      side->setting = setting;
      sides_.push_back(std::move(side));
    }
    quiet_ = std::make_unique<Side>();
    quiet_->name = sides_.back()->name + " without records";
    quiet_->setting = sides_.back()->setting;
    quiet_->records = false;
    loose_ = std::make_unique<Side>(never_compacted());
    loose_->name = sides_[0]->name + " without compaction";
    loose_->setting = sides_[0]->setting;
    loose_->records = false;
    for (uint64_t episode = 0; episode < 3 && result.text.empty(); ++episode) result.text = one(episode, result);
    if (result.text.empty()) result.text = generators();
    return result;
  }

 private:
  std::string one(uint64_t number, Outcome& result) {
    Random r(game_.seed * 31 + number);
    uint64_t seed = r.next();
    for (auto& s : sides_) s->begin(seed);
    quiet_->begin(seed);
    loose_->begin(seed);
    const uint32_t fork_at = r.below(6);
    std::unique_ptr<Side> fork;  // of the first side at fork_at, played on by itself
    std::string problem;
    auto everyone = [&](const std::string& when) {
      for (size_t i = 1; i < sides_.size() && problem.empty(); ++i) problem = difference(*sides_[0], *sides_[i], true);
      if (problem.empty()) problem = difference(*sides_[0], *quiet_, false);
      // Without compaction the memory may be full earlier.
      if (problem.empty() && loose_->episode->state().fault != PPC_FAULT_MEMORY) problem = difference(*sides_[0], *loose_, false);
      if (problem.empty() && fork) problem = difference(*sides_[0], *fork, false);
      if (!problem.empty()) problem = "episode " + std::to_string(number) + ", " + when + ": " + problem;
      return problem.empty();
    };
    if (!everyone("start")) return problem;
    for (uint32_t step = 0; sides_[0]->episode->status() == Status::Asking; ++step) {
      if (step > 2000) return "episode " + std::to_string(number) + " does not end";
      if (step == fork_at) {
        size_t from = r.below(static_cast<uint32_t>(sides_.size()));
        fork = std::make_unique<Side>();
        fork->name = sides_[from]->name + " forked";
        fork->setting = sides_[from]->setting;
        fork->records = false;
        fork->worker.collect_events(false);
        if (r.chance(1, 2)) {
          fork->episode = std::make_unique<Episode>(sides_[from]->episode->fork());
        } else {
          fork->episode = std::make_unique<Episode>(fork->setting, 1);
          fork->episode->restore(sides_[from]->episode->snapshot());
        }
      }
      std::string reply;
      const engine::Manifest& m = sides_[0]->setting->module->manifest();
      std::vector<const engine::BotInfo*> bots;
      for (const engine::BotInfo& b : m.bots)
        if (b.player == sides_[0]->episode->asked_player()) bots.push_back(&b);
      bool replied = false;
      std::string when = "step " + std::to_string(step);
      if (!bots.empty() && r.chance(1, 3)) {
        const engine::BotInfo& bot = *r.pick(bots);
        std::string message(sides_[0]->episode->message(sides_[0]->worker));
        auto said = sides_[0]->episode->ask_bot(sides_[0]->worker, bot.entry, bot.player, message);
        auto check = [&](Side& s) {
          auto other = s.episode->ask_bot(s.worker, bot.entry, bot.player, message);
          if (problem.empty() && said != other)
            problem = sides_[0]->name + " and " + s.name + " differ in what the bot " + bot.name + " says: `" + said.value_or("(fault)") + "`, `" + other.value_or("(fault)") + "`";
        };
        for (size_t i = 1; i < sides_.size(); ++i) check(*sides_[i]);
        check(*quiet_);
        if (loose_->episode->state().fault != PPC_FAULT_MEMORY) check(*loose_);
        if (fork) check(*fork);
        if (!problem.empty()) return "episode " + std::to_string(number) + ", " + when + ": " + problem;
        if (!said) {  // a fault in a bot ends the episode
          if (!everyone(when + " (bot)")) return problem;
          break;
        }
        reply = *said;
        replied = true;
      }
      if (!replied) {
        uint32_t move = sides_[0]->episode->asked_move();
        static const std::vector<std::string> none;
        reply = make_reply(r, move < game_.replies.size() ? game_.replies[move] : none);
      }
      for (auto& s : sides_) s->step(reply);
      quiet_->step(reply);
      loose_->step(reply);
      if (fork) fork->step(reply);
      ++result.steps;
      if (!everyone(when + " (reply `" + reply + "`)")) return problem;
    }
    static const char* const outcomes[] = {"running ", "won ", "lost ", "aborted "};
    const Episode& last = *sides_[0]->episode;
    result.summary += last.state().fault == 0 ? outcomes[last.state().outcome & 3] : last.reason() + " ";
    std::string mine = scores(*sides_[0]);
    for (size_t i = 1; i < sides_.size(); ++i) {
      std::string other = scores(*sides_[i]);
      if (mine != other) return sides_[0]->name + " and " + sides_[i]->name + " differ in the scores:\n  " + mine + "\n  " + other;
    }
    return "";
  }

  std::string generators() {
    std::string first;
    for (size_t i = 0; i < sides_.size(); ++i) {
      if (!sides_[i]->setting->module->manifest().generate_entry) return "";
      auto setting = std::make_shared<Setting>();
      setting->module = sides_[i]->setting->module;
      setting->resources = engine::load_resources(*setting->module, options_.folder, "", true);
      std::string made;
      try {
        made = engine::to_text(engine::generate_instances(setting, -1, game_.seed));
      } catch (const engine::InputError& e) {
        made = e.what();
      }
      if (i == 0) first = made;
      else if (made != first) return "the generator makes something else on " + sides_[i]->name + ":\n  " + first + "\n  " + made;
    }
    return "";
  }

  const RandomGame& game_;
  const Options& options_;
  std::vector<std::unique_ptr<Side>> sides_;
  std::unique_ptr<Side> quiet_, loose_;
};

}  // namespace

std::unique_ptr<rules::Program> compile(const std::string& text, const Sources*& owner, std::string& problems, bool optional_passes) {
  auto sources = std::make_unique<Sources>();
  uint32_t file = sources->add("random.game", text);
  diag::Emitter out(*sources);
  std::vector<ast::File> files;
  files.push_back(syntax::parse(*sources, file, {}, out));
  std::unique_ptr<sema::Game> game;
  if (out.errors() == 0) game = sema::check(files, out);
  if (!game) {
    for (const diag::Report& r : out.reports())
      if (r.what->severity == diag::Severity::Error) problems += diag::render(r, *sources, false);
    return nullptr;
  }
  auto program = std::make_unique<rules::Program>(rules::lower(*game, *sources));
  rules::PassOptions passes;
  passes.optional = optional_passes;
  rules::run(*program, passes);
  owner = sources.release();
  return program;
}

Outcome run(const RandomGame& game, const Options& options) {
  std::filesystem::create_directories(options.folder + "/resources");
  if (!game.resource.empty()) std::ofstream(options.folder + "/resources/words.json") << game.resource;
  try {
    return Match(game, options).play();
  } catch (const std::exception& e) {
    Outcome o;
    o.checked = true;
    o.text = std::string("exception: ") + e.what();
    return o;
  }
}

Outcome run_apart(const RandomGame& game, const Options& options, unsigned seconds) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  fflush(nullptr);
  pid_t child = fork();
  if (child < 0) throw std::runtime_error("no process");
  if (child == 0) {
    close(ends[0]);
    // Of the processor's time, so that a busy machine fails nothing; and far beyond it on the clock, if it waits for ever.
    const itimerval limit{{0, 0}, {static_cast<time_t>(seconds), 0}};
    setitimer(ITIMER_PROF, &limit, nullptr);
    alarm(20 * seconds);
    Outcome o = run(game, options);
    std::string all = std::to_string(o.checked) + " " + std::to_string(o.steps) + " " + std::to_string(o.summary.size()) + " " + o.summary + o.text;
    for (size_t at = 0; at < all.size();) {
      ssize_t n = write(ends[1], all.data() + at, all.size() - at);
      if (n <= 0) break;
      at += static_cast<size_t>(n);
    }
    close(ends[1]);
    _exit(0);
  }
  close(ends[1]);
  std::string all;
  char buffer[65536];
  for (ssize_t n; (n = read(ends[0], buffer, sizeof buffer)) > 0;) all.append(buffer, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  Outcome o;
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    o.checked = true;
    o.text = WIFSIGNALED(status) && (WTERMSIG(status) == SIGALRM || WTERMSIG(status) == SIGPROF) ? "it takes too long"
             : WIFSIGNALED(status)                              ? std::string("it crashes: ") + strsignal(WTERMSIG(status))
                                                                : "it exits with " + std::to_string(WEXITSTATUS(status));
    return o;
  }
  std::istringstream in(all);
  size_t length = 0;
  in >> o.checked >> o.steps >> length;
  in.get();
  o.summary.resize(length);
  in.read(o.summary.data(), static_cast<std::streamsize>(length));
  o.text.assign(std::istreambuf_iterator<char>(in), {});
  return o;
}

RandomGame smaller(const RandomGame& game, const Options& options, double seconds) {
  auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  auto lines_of = [](const std::string& text) {
    std::vector<std::string> lines;
    for (size_t at = 0; at < text.size();) {
      size_t next = std::min(text.find('\n', at), text.size());
      lines.push_back(text.substr(at, next - at));
      at = next + 1;
    }
    return lines;
  };
  RandomGame best = game;
  bool progress = true;
  while (progress && std::chrono::steady_clock::now() < end) {
    progress = false;
    std::vector<std::string> lines = lines_of(best.text);
    for (size_t i = lines.size(); i-- > 1 && std::chrono::steady_clock::now() < end;) {
      // A line, or a block with all that is in it.
      size_t last = i, indent = lines[i].find_first_not_of(' ');
      if (indent == std::string::npos || lines[i][indent] == '}') continue;
      if (lines[i].ends_with("{"))
        while (last + 1 < lines.size() && !(lines[last].find_first_not_of(' ') == indent && lines[last][indent] == '}')) ++last;
      RandomGame next = best;
      next.text.clear();
      for (size_t k = 0; k < lines.size(); ++k)
        if (k < i || k > last) next.text += lines[k] + "\n";
      Outcome o = run_apart(next, options, 20);
      if (!o.checked || o.text.empty()) continue;
      best = next;
      lines = lines_of(best.text);
      progress = true;
    }
  }
  return best;
}

}  // namespace ppc::property
