// ppc replay
#include <cmath>
#include <cstdio>

#include "runtime/engine/json.h"
#include "tools/cli/cli.h"
#include "tools/cli/recorded.h"

namespace ppc::cli {
namespace {

using namespace engine;

constexpr const char* kHelp =
    R"(usage: ppc replay EPISODE… [options]

Plays the recorded replies again and compares every message, note and score byte for byte; says where it differs.
EPISODE is an episode's folder, an episodes.jsonl (all its episodes) or episodes.jsonl:K (its K-th, from 0).

  --game GAME      the game (default: the one that comes with ppc under the recorded name)
  --resources DIR  in place of the game's resources folder
  --engine E       interp, jit or so
  --json           prints the result as one JSON value

Example:
  ppc play taboo --out records --episodes 1 && ppc replay records/episodes.jsonl
)";

bool ignored(const std::string& key) {
  return key.rfind("timestamp", 0) == 0 || key == "tokens" || key == "logprobs" || key == "finish" || key == "clem_version" || key == "game_hash" ||
         key == "results_folder" || key == "record";
}

struct Difference {
  std::string path;
  Json recorded, now;
};

/// The first place where two documents differ, timestamps and the like aside.
std::optional<Difference> compare(const Json& recorded, const Json& now, const std::string& path) {
  if (recorded.is_object() && now.is_object()) {
    for (const Json::Member& m : recorded.members()) {
      if (ignored(m.key) || (path.empty() && m.key == "branches")) continue;
      const std::string at = path.empty() ? m.key : path + "." + m.key;
      const Json* other = now.find(m.key);
      if (!other) return Difference{at, m.value, Json("(nothing)")};
      if (auto d = compare(m.value, *other, at)) return d;
    }
    for (const Json::Member& m : now.members()) {
      if (!ignored(m.key) && !recorded.find(m.key)) return Difference{path.empty() ? m.key : path + "." + m.key, Json("(nothing)"), m.value};
    }
    return {};
  }
  if (recorded.is_list() && now.is_list()) {
    for (size_t i = 0; i < std::max(recorded.items().size(), now.items().size()); ++i) {
      const std::string at = path + "[" + std::to_string(i) + "]";
      if (i >= recorded.items().size()) return Difference{at, Json("(nothing)"), now.items()[i]};
      if (i >= now.items().size()) return Difference{at, recorded.items()[i], Json("(nothing)")};
      if (auto d = compare(recorded.items()[i], now.items()[i], at)) return d;
    }
    return {};
  }
  if (recorded.is_float() && now.is_float() && std::isnan(recorded.as_float()) && std::isnan(now.as_float())) return {};
  if (recorded == now) return {};
  return Difference{path, recorded, now};
}

std::optional<Difference> replay_one(const Recorded& r, const Game& game, const SegmentPtr& resources, Worker& worker) {
  const std::unique_ptr<Replayed> again = play_again(r, game, resources, worker);
  const Record& record = again->record;
  if (again->wants_more) {
    return Difference{"reply " + std::to_string(again->used), Json("(the recorded episode ended)"), Json("another reply is asked for")};
  }
  if (r.is_line) {
    if (auto d = compare(r.expected, parse_json(episode_line(record), "replay"), "")) return d;
  } else {
    if (auto d = compare(*r.expected.find("interactions"), interactions_json(record), "interactions")) return d;
    if (auto d = compare(*r.expected.find("scores"), record.scores.to_json(), "scores")) return d;
  }
  if (again->left_over > 0) {
    return Difference{"reply " + std::to_string(again->used), Json(r.replies[again->used].text), Json("(the episode has ended)")};
  }
  return {};
}

int replay(const Args& args) {
  const Options options(args, {"--game", "--resources", "--engine"}, {"--json"});
  if (options.rest().empty()) throw UsageError("which episode?");
  std::vector<Recorded> recorded;
  for (const std::string& name : options.rest()) find_recorded(name, recorded);
  RecordedGames games(options);
  Worker worker;
  Json all = Json::list();
  size_t same = 0;
  for (const Recorded& r : recorded) {
    const auto& [game, resources] = games.find(r);
    const auto difference = replay_one(r, game, resources, worker);
    same += !difference;
    Json result = Json::object();
    result.add("episode", r.name);
    result.add("same", !difference);
    if (difference) {
      result.add("path", difference->path);
      result.add("recorded", difference->recorded);
      result.add("now", difference->now);
    }
    all.push(std::move(result));
    if (options.has("--json")) continue;
    if (!difference) {
      std::printf("%s: the same\n", r.name.c_str());
    } else {
      std::printf("%s: differs at %s\n  recorded: %s\n  now:      %s\n", r.name.c_str(), difference->path.c_str(),
                  to_text(difference->recorded).c_str(), to_text(difference->now).c_str());
    }
  }
  if (options.has("--json")) std::printf("%s\n", to_text(all, {.indent = -1, .nan_as_null = true}).c_str());
  return same == recorded.size() ? 0 : 1;
}

}  // namespace

int run_replay(const Args& args) {
  return run_verb("replay", kHelp, args, [&] { return replay(args); });
}

}  // namespace ppc::cli
