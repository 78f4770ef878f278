#include "tools/cli/arena.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <set>

#include "runtime/engine/generate.h"
#include "runtime/engine/records.h"
#include "runtime/players/run.h"
#include "tools/cli/casting.h"

namespace ppc::cli {

using namespace engine;

data::Example learned_from(const Journal& journal, uint32_t player, uint32_t round) {
  data::Example out;
  out.exact = true;
  int32_t turn = 0;
  bool trained = round == 0;
  for (const Entry& e : journal.entries) {
    if (e.kind != PPC_EV_GET || e.who != player || e.aside) continue;
    trained = trained || e.round >= round;
    const local::Sample s = players::sample_of(e.sample);
    auto add = [&](local::TokenId id, bool own, float logprob) {
      out.ids.push_back(id);
      out.trained.push_back(own);
      out.turn.push_back(own ? turn : -1);
      out.logprobs.push_back(logprob);
    };
    for (const local::TokenId id : s.prompt) add(id, false, std::numeric_limits<float>::quiet_NaN());
    for (size_t i = 0; i < s.ids.size(); ++i) add(s.ids[i], trained, s.logprobs[i]);
    ++turn;
  }
  return out;
}

namespace {

/// Who plays what.
struct Stage {
  Game game;
  std::vector<Casting> casting;
  std::vector<bool> learns;      // a player each: its replies are trained
  std::vector<bool> is_learner;  // its replies are the learner's
  InstanceSet set;
  SegmentPtr resources;
  std::vector<Chosen> instances;
  const Manifest& manifest() const { return game.module->manifest(); }
};

std::string rule_name(const Manifest& m, const Entry& e) {
  if (static_cast<uint64_t>(e.number) >= m.rules.size()) return m.game;
  const RuleInfo& rule = m.rules[static_cast<size_t>(e.number)];
  return m.game + ": " + rule.move + ", " + rule.kind + " " + rule.text;
}

class PlayedArena final : public train::Arena {
 public:
  PlayedArena(const ArenaOptions& o, std::shared_ptr<local::Model> learner, const std::string& place) : options_(o), learner_(std::move(learner)) {
    if (!o.players_file.empty()) players_ = players::load_players(o.players_file);
    for (size_t i = 0; i < o.games.size(); ++i) {
      const std::string at = place + "[" + std::to_string(i) + "]";
      try {
        stages_.push_back(stage(o.games[i]));
      } catch (const UsageError& e) {
        throw InputError(at + ": " + e.what());
      } catch (const InputError& e) {
        throw InputError(at + ": " + e.what());
      }
      games_.push_back({stages_.back()->manifest().game, stages_.back()->instances.size(), o.games[i].weight});
    }
    std::vector<Casting*> others;
    for (const auto& s : stages_)
      for (size_t p = 0; p < s->casting.size(); ++p)
        if (!s->is_learner[p]) others.push_back(&s->casting[p]);
    if (!learner_) return;
    transport_ = reach_models(others, Options({}, {"--base-url"}, {}), players_);
    models_ = load_models(others);
  }

  const std::vector<Game>& games() const override { return games_; }

  void record_in(const std::string& folder) override { writer_ = folder.empty() ? nullptr : std::make_unique<RecordWriter>(folder, false); }

  std::vector<std::vector<train::Played>> play(std::span<const train::Group> groups, const std::function<void(size_t)>& tell) override {
    // One that forks is one episode, whose branches are the members.
    struct Task {
      size_t group;
      uint32_t member;
    };
    std::vector<Task> tasks;
    for (size_t g = 0; g < groups.size(); ++g)
      for (int64_t m = 0; m < (groups[g].fork_round ? 1 : groups[g].members); ++m) tasks.push_back({g, static_cast<uint32_t>(m)});
    struct End {
      std::vector<uint32_t> place;  // member, or the path of the branch
      train::Played played;
    };
    std::vector<std::vector<End>> ends(groups.size());
    std::vector<size_t> left(groups.size());
    for (const Task& t : tasks) ++left[t.group];
    size_t groups_over = 0;
    std::mutex mutex;

    auto begin = [&](size_t index) {
      const Task& task = tasks[index];
      const train::Group& group = groups[task.group];
      const Stage& s = *stages_.at(group.game);
      const Chosen& c = s.instances.at(group.instance);
      players::Cast cast(s.casting.size());
      for (uint32_t p = 0; p < s.casting.size(); ++p)
        if (!s.manifest().players[p].scripted) cast[p] = make_player(s.manifest(), p, s.casting[p], mix_seed(group.seed, task.member + 1, p, 0));
      auto setting = std::make_shared<Setting>(Setting{s.game.module, c.experiment->segment, c.instance->segment, s.resources});
      auto sitting = std::make_unique<players::Sitting>(Episode(setting, group.seed), std::move(cast));
      if (group.fork_round && group.members > 1) {
        auto points = std::make_shared<std::vector<players::BranchPoint>>();
        points->push_back({static_cast<uint32_t>(group.members), learning(s), *group.fork_round});
        sitting->branch_at(points);
      }
      return sitting;
    };
    auto over = [&](size_t index, players::Sitting& sitting, Worker& worker) {
      const Task& task = tasks[index];
      const train::Group& group = groups[task.group];
      const Stage& s = *stages_.at(group.game);
      Chosen chosen = s.instances.at(group.instance);
      chosen.repeat = task.member;
      Record r = make_record(s.game, s.casting, chosen, static_cast<uint64_t>(group.members), group.seed);
      r.seed = group.seed;
      r.left = sitting.left;
      r.branch = sitting.branch;
      r.journal = std::move(sitting.journal);
      take_end(r, worker, sitting.episode);
      End end{group.fork_round ? r.branch.path : std::vector<uint32_t>{task.member}, result(s, r, group.fork_round.value_or(0))};
      std::lock_guard lock(mutex);
      if (writer_ && !group.fork_round) writer_->write(r);
      ends[task.group].push_back(std::move(end));
    };
    auto done = [&](size_t index) {
      std::lock_guard lock(mutex);
      if (--left[tasks[index].group] == 0 && tell) tell(++groups_over);
    };
    players::RunControl control;
    const players::RunResult run = players::run_episodes(tasks.size(), {1, static_cast<size_t>(options_.in_flight)}, control, begin, over, [](size_t) {}, done);
    if (run.broken || (run.failed > 0 && run.failed == run.over + run.failed)) throw SystemError(run.first_error);
    std::vector<std::vector<train::Played>> out(groups.size());
    for (size_t g = 0; g < groups.size(); ++g) {
      std::sort(ends[g].begin(), ends[g].end(), [](const End& a, const End& b) { return a.place < b.place; });
      for (End& e : ends[g]) out[g].push_back(std::move(e.played));
    }
    if (writer_) writer_->finish();
    return out;
  }

 private:
  std::unique_ptr<Stage> stage(const train::GameOptions& g) {
    auto s = std::make_unique<Stage>();
    s->game = open_game(g.game, "");
    const Manifest& m = s->manifest();
    // `ppc play`'s own options say who plays, before the players file; whom both leave out is the learner, and who learns.
    Args args;
    for (const auto& [role, spec] : g.players)
      if (spec != "learner") args.push_back("--player"), args.push_back(role + "=" + spec);
    if (!g.instances.empty()) args.push_back("--instances"), args.push_back(g.instances);
    const Options options(args, {"--player", "--instances", "--script", "--sampling", "--local", "--experiment", "--id"}, {});
    s->casting = cast_players(m, options, players_, Otherwise::Human, !players_.players.empty());
    s->learns.resize(m.players.size());
    s->is_learner.resize(m.players.size());
    auto player_of = [&](const std::string& role) -> size_t {
      std::string roles;
      for (size_t p = 0; p < m.players.size(); ++p) {
        if (m.players[p].scripted) continue;
        if (m.players[p].name == role || m.players[p].display == role) return p;
        roles += (roles.empty() ? "`" : ", `") + m.players[p].name + "`";
      }
      throw InputError("the game has no role `" + role + "`; there is " + roles);
    };
    std::set<size_t> partners;
    for (const auto& [role, spec] : g.players) {
      partners.insert(player_of(role));
      if (spec == "learner") s->casting[player_of(role)].spec = {"human", ""};
    }
    for (const std::string& role : g.learn) {
      const size_t p = player_of(role);
      if (const auto at = g.players.find(role); at != g.players.end() && at->second != "learner")
        throw InputError("`learn`: the role `" + role + "` is played by " + at->second + "; leave it out of `players`");
      if (!m.players[p].scripted) s->casting[p].spec = {"human", ""};
    }
    for (size_t p = 0; p < m.players.size(); ++p) {
      if (m.players[p].scripted || s->casting[p].spec.kind != "human") continue;
      s->is_learner[p] = true;
      s->learns[p] = g.learn.empty() && !partners.count(p);
    }
    for (const std::string& role : g.learn) s->learns[player_of(role)] = true;
    if (std::count(s->learns.begin(), s->learns.end(), true) == 0) throw InputError("no role is the learner's: leave one out of `players`");
    auto sampled = [](const train::SamplingOptions& o) {
      auto how = std::make_shared<players::LocalOptions>();
      how->sampling.temperature = o.temperature;
      how->sampling.top_p = o.top_p;
      how->sampling.min_p = o.min_p;
      how->sampling.top_k = o.top_k;
      how->sampling.max_tokens = o.max_tokens;
      how->sampling.stop = o.stop;
      how->masking = local::masking_of(o.mask).value();
      how->name = "learner";
      return how;
    };
    const auto how = sampled(options_.sampling), of_partners = sampled(options_.partner_sampling.value_or(options_.sampling));
    for (size_t p = 0; p < m.players.size(); ++p) {
      if (!s->is_learner[p]) continue;
      s->casting[p] = {};
      s->casting[p].spec = {"local", "learner"};
      s->casting[p].local = s->learns[p] ? how : of_partners;
      s->casting[p].loaded = learner_;
    }
    if (g.generate) {
      if (!m.generate_entry) throw InputError("`generate`: " + m.game + " has no `generate` block; give `instances`");
      auto setting = std::make_shared<Setting>();
      setting->module = s->game.module;
      setting->resources = load_resources(*s->game.module, s->game.folder, "", true);
      s->set = read_instances(*s->game.module, generate_instances(setting, g.generate, g.generate_seed), m.game + ": generated");
    } else {
      s->set = find_instances(s->game, options, {});
    }
    s->resources = load_resources(*s->game.module, s->game.folder, "", false);
    for (const Chosen& c : choose(s->set, options, 1))
      if (g.experiments.empty() || std::find(g.experiments.begin(), g.experiments.end(), c.experiment->name) != g.experiments.end()) s->instances.push_back(c);
    for (const std::string& name : g.experiments) {
      std::string names;
      bool found = false;
      for (const Experiment& e : s->set.experiments) {
        names += (names.empty() ? "`" : ", `") + e.name + "`";
        found = found || e.name == name;
      }
      if (!found) throw InputError(s->set.file + ": no experiment `" + name + "`; there is " + names);
    }
    const size_t wanted = static_cast<size_t>(g.episodes), all = s->instances.size();
    if (wanted != 0 && wanted < all) {  // evenly spread: experiments stand one behind the other
      std::vector<Chosen> some;
      for (size_t i = 0; i < wanted; ++i) some.push_back(s->instances[i * all / wanted]);
      s->instances = std::move(some);
    }
    return s;
  }

  static uint32_t learning(const Stage& s) {
    return static_cast<uint32_t>(std::find(s.learns.begin(), s.learns.end(), true) - s.learns.begin());
  }

  static train::Played result(const Stage& s, const Record& r, uint32_t round) {
    const Manifest& m = s.manifest();
    train::Played out;
    out.outcome = outcome_name(r.outcome);
    out.reason = r.reason;
    out.score = r.scores.get("Main Score");
    std::map<uint32_t, double> rewards;
    std::string violation;
    for (const Entry& e : r.journal.entries) {
      if (e.who >= s.is_learner.size() || !s.is_learner[e.who]) continue;
      if (e.kind == PPC_EV_GET) ++out.replies, out.length_cut += e.finish == "length";
      if (e.kind == PPC_EV_VIOLATION) {
        ++out.violations[rule_name(m, e)];
        violation += (violation.empty() ? "" : "\n") + rule_name(m, e);
      }
      if (e.kind == PPC_EV_REWARD && e.round >= round) rewards[e.who] += e.amount;
    }
    for (uint32_t p = 0; p < s.learns.size(); ++p) {
      if (!s.learns[p]) continue;
      train::Part part;
      part.role = m.players[p].name;
      part.rewards = rewards[p];
      part.example = learned_from(r.journal, p, round);
      if (std::count(part.example.trained.begin(), part.example.trained.end(), 1) == 0) continue;
      data::Origin& o = part.example.origin;
      o.game = m.game;
      o.experiment = r.experiment->name;
      o.instance_id = r.instance->id;
      o.role = part.role;
      o.outcome = out.outcome;
      o.violation = violation;
      o.score = out.score;
      o.reward = r.outcome == PPC_ABORTED || std::isnan(out.score) ? 0 : out.score / 100;
      out.parts.push_back(std::move(part));
    }
    return out;
  }

  const ArenaOptions options_;
  players::PlayersConfig players_;
  std::shared_ptr<local::Model> learner_;
  std::vector<std::unique_ptr<Stage>> stages_;
  std::vector<Game> games_;
  std::shared_ptr<net::Transport> transport_;
  std::vector<std::shared_ptr<local::Model>> models_;
  std::unique_ptr<RecordWriter> writer_;
};

}  // namespace

std::unique_ptr<train::Arena> make_arena(const ArenaOptions& options, std::shared_ptr<local::Model> learner, const std::string& place) {
  return std::make_unique<PlayedArena>(options, std::move(learner), place);
}

}  // namespace ppc::cli
