// ppc serve play
#include <cmath>
#include <cstdio>
#include <mutex>
#include <random>

#include "runtime/engine/records.h"
#include "runtime/players/human.h"
#include "tools/serve/serve.h"
#include "tools/serve/table.h"
#include "tools/cli/casting.h"

namespace ppc::cli {
namespace {

using namespace engine;

const std::string kHelp =
    std::string(R"(usage: ppc serve play GAME [options]

Offers a page on which people play, with models or with each other; docs/serve.md. Prints a link for each role without a --player:
whoever opens it is that player.

  --player ROLE=SPEC    who plays: human, bot:NAME, script:FILE, openai:MODEL or local:DIR (default: human)
  --time-limit SECONDS  who does not answer in time has left (default: no limit)
  --players FILE, --base-url URL, --sampling NAME=VALUE, --local NAME=VALUE
                        models, as for `ppc play`
  --instances FILE, --experiment NAME, --id N, --episodes N, --repeat K, --seed S, --set NAME=VALUE, --resources DIR, --engine E
                        what is played, as for `ppc play` (default: all instances, in their order)
  --out DIR             records in clembench's layout, and DIR/episodes.jsonl
)") + kServerHelp + R"(
Examples:
  ppc serve play taboo --player describer=bot:spelling
  ppc serve play dond --host 0.0.0.0 --time-limit 300 --out records
)";

int serve_people(const Args& args) {
  const Options options(args, server_options({"--player", "--players", "--base-url", "--sampling", "--local", "--instances", "--experiment", "--id", "--episodes", "--repeat", "--seed", "--set", "--resources", "--engine", "--out", "--time-limit"}), {"--json"});
  if (options.rest().size() != 1) throw UsageError(options.rest().empty() ? "which game?" : "one game at a time");
  const uint64_t repeat = options.number("--repeat", 1, 1, 1'000'000);
  Patches patches;
  for (const std::string& s : options.all("--set")) patches.push_back(parse_patch(s));
  const Game game = open_game(options.rest()[0], options.value("--engine"));
  const Manifest& m = game.module->manifest();
  const players::PlayersConfig config = options.has("--players") ? players::load_players(options.value("--players")) : players::PlayersConfig{};
  std::vector<Casting> casting = cast_players(m, options, config, Otherwise::Human);
  const InstanceSet set = find_instances(game, options, patches);
  std::vector<Chosen> chosen = choose(set, options, repeat);
  const uint64_t limit = options.number("--episodes", UINT64_MAX, 1);
  if (chosen.size() > limit) chosen.resize(limit);
  const SegmentPtr resources = load_resources(*game.module, game.folder, options.value("--resources"), false);
  const uint64_t seed = options.has("--seed") ? options.number("--seed", 0) : (uint64_t{std::random_device{}()} << 32) | std::random_device{}();
  const std::shared_ptr<net::Transport> transport = reach_models(pointers(casting), options, config);
  const std::vector<std::shared_ptr<local::Model>> models = load_models(pointers(casting));
  std::unique_ptr<RecordWriter> writer;
  if (options.has("--out")) writer = std::make_unique<RecordWriter>(options.value("--out"));

  serve::TableOptions table;
  table.module = game.module;
  table.episodes = chosen.size();
  table.time_limit = static_cast<double>(options.number("--time-limit", 0, 1, 10'000'000));
  for (uint32_t i = 0; i < casting.size(); ++i)
    if (casting[i].spec.kind == "human") table.seats.push_back({i, m.players[i].name, net::make_secret()});
  if (table.seats.empty()) throw UsageError("nobody plays on the page: leave out --player for at least one role");
  const std::vector<serve::Seat> seats = table.seats;
  table.begin = [&](size_t index) {
    const Chosen& c = chosen[index];
    const uint64_t played_with = mix_seed(seed, c.experiment->index, c.position, c.repeat);
    players::Cast cast(casting.size());
    for (uint32_t i = 0; i < casting.size(); ++i)
      if (!m.players[i].scripted && casting[i].spec.kind != "human") cast[i] = make_player(m, i, casting[i], played_with);
    auto setting = std::make_shared<Setting>(Setting{game.module, c.experiment->segment, c.instance->segment, resources});
    return std::make_unique<players::Sitting>(Episode(setting, played_with), std::move(cast));
  };
  bool failed = false;
  const bool json = options.has("--json");
  table.over = [&](size_t index, players::Sitting& sitting, Worker& worker, const Scores& scores) {
    const Chosen& c = chosen[index];
    if (!json) {
      const double main = scores.get("Main Score");
      const std::string reason = sitting.episode.reason();
      std::string line = c.experiment->name + ", instance " + c.instance->id + ": " + outcome_name(sitting.episode.state().outcome);
      if (!reason.empty()) line += ": " + reason;
      std::fputs(players::for_terminal(line).c_str(), stdout);
      if (!std::isnan(main)) std::printf(" (score %s)", to_text(score_number(main)).c_str());
      std::printf("\n");
      std::fflush(stdout);
    }
    if (!writer) return;
    Record r = make_record(game, casting, c, repeat, seed);
    r.left = sitting.left;
    r.journal = std::move(sitting.journal);
    take_end(r, worker, sitting.episode);
    writer->write(r);
    writer->finish();
  };
  table.error = [&](const std::string& what) {
    failed = true;
    std::fprintf(stderr, "error: %s\n", what.c_str());
  };
  // Last, so that it ends first: what is played uses all of the above.
  const auto people = std::make_shared<serve::Table>(std::move(table));
  struct Leave {
    std::shared_ptr<serve::Table> table;
    std::shared_ptr<net::Transport> transport;
    std::vector<std::shared_ptr<local::Model>> models;
    ~Leave() {
      if (transport) transport->stop();
      for (const auto& model : models) model->stop();
      table->stop();
    }
  } leave{people, transport, models};
  Served served;
  served.own_secrets = true;
  served.handler = [people](std::shared_ptr<net::Exchange> e) { people->answer(std::move(e)); };
  served.every_second = [people] { people->tick(); };
  served.stopping = [people, transport, models] {
    if (transport) transport->stop();
    for (const auto& model : models) model->stop();
    people->stop();
  };
  served.ready = [&](const std::string& url, bool) {
    if (json) {
      Json out = Json::object();
      out.add("url", url);
      out.add("game", m.game);
      Json& list = out.add("seats", Json::object());
      for (const serve::Seat& s : seats) list.add(s.role, url + "/#" + s.key);
      std::printf("%s\n", to_text(out).c_str());
      return;
    }
    std::printf("%s, %zu episode%s: open the link of your role\n", m.game.c_str(), chosen.size(), chosen.size() == 1 ? "" : "s");
    for (const serve::Seat& s : seats) std::printf("  %s: %s/#%s\n", s.role.c_str(), url.c_str(), s.key.c_str());
  };
  serve(options, std::move(served));
  return failed ? 3 : 0;
}

}  // namespace

int serve_play(const Args& args) {
  return run_verb("serve play", kHelp.c_str(), args, [&] { return serve_people(args); });
}

}  // namespace ppc::cli
