// ppc score
#include <cmath>
#include <cstdio>

#include "runtime/engine/json.h"
#include "tools/cli/cli.h"
#include "tools/cli/recorded.h"
#include "tools/cli/results.h"
#include "tools/cli/text.h"

namespace ppc::cli {
namespace {

using namespace engine;

constexpr const char* kHelp =
    R"(usage: ppc score DIR… [options]

Computes the scores of recorded episodes again: the game plays the recorded replies, and what comes out is compared with
scores.json. Reads the records of ppc (folders, episodes.jsonl, episodes.jsonl:K) and clembench's own result folders.
Episodes whose scores are as recorded are only counted.

  --write          write scores.json where it is missing or differs
  --game GAME      the game (default: the one that comes with ppc under the recorded name)
  --resources DIR  in place of the game's resources folder; GAME=DIR: of one of several games (may be given several times)
  --engine E       interp, jit or so
  --verbose        a line for every episode
  --json           prints the result as one JSON value

Exit code 1 when scores differ (and are not written) or an episode cannot be scored.

Examples:
  ppc score records
  ppc score results/gpt-4-t0.0--gpt-4-t0.0/taboo --write
)";

struct Difference {
  std::string path;
  Json recorded, now;
};

bool is_nan(const Json& v) {
  if (v.is_null()) return true;  // a line of episodes.jsonl has null for NaN
  if (v.is_text()) return v.as_text() == "NaN" || v.as_text() == "nan";
  return v.is_float() && std::isnan(v.as_float());
}

bool same_value(const Json& a, const Json& b, bool exactly) {
  if (is_nan(a) || is_nan(b)) return is_nan(a) && is_nan(b);
  auto number = [](const Json& v) { return v.is_bool() ? (v.as_bool() ? 1.0 : 0.0) : v.as_float(); };
  if ((a.is_number() || a.is_bool()) && (b.is_number() || b.is_bool())) {
    const double x = number(a), y = number(b);
    return x == y || (!exactly && std::fabs(x - y) <= 1e-9 * std::max(1.0, std::fabs(x)));
  }
  return a == b;
}

/// Of our own records every number has to be the same. clembench's versions know other metrics, and sums of theirs are
/// rounded elsewhere: those that both have are compared.
void compare(const Json& recorded, const Json& now, const std::string& path, bool ours, std::vector<Difference>& out) {
  if (recorded.is_object() && now.is_object()) {
    for (const Json::Member& m : recorded.members()) {
      const Json* other = now.find(m.key);
      if (other) compare(m.value, *other, path.empty() ? m.key : path + "." + m.key, ours, out);
      else if (ours) out.push_back({path.empty() ? m.key : path + "." + m.key, m.value, Json("(nothing)")});
    }
    if (!ours) return;
    for (const Json::Member& m : now.members())
      if (!recorded.find(m.key)) out.push_back({path.empty() ? m.key : path + "." + m.key, Json("(nothing)"), m.value});
    return;
  }
  if (!same_value(recorded, now, ours)) out.push_back({path, recorded, now});
}

int score_all(const Args& args) {
  const Options options(args, {"--game", "--resources", "--engine"}, {"--write", "--verbose", "--json"});
  if (options.rest().empty()) throw UsageError("which folder?");
  const bool json = options.has("--json"), write = options.has("--write"), verbose = options.has("--verbose");
  const std::vector<ResultPlace> places = find_results(options.rest());
  RecordedGames games(options);
  Worker worker;
  Json all = Json::list();
  size_t same = 0, differ = 0, fresh = 0, failed = 0, written = 0;
  for (const ResultPlace& place : places) {
    const std::string name = place.folder.empty() ? place.name() : place.folder;
    Json result = Json::object();
    result.add("episode", name);
    std::vector<Difference> differences;
    std::string state, problem;
    Json now;
    try {
      const Recorded r = read_recorded(place);
      const auto& [game, resources] = games.find(r);
      const std::unique_ptr<Replayed> again = play_again(r, game, resources, worker);
      if (again->wants_more) throw InputError("the game asks for more than the " + std::to_string(again->used) + " recorded replies");
      if (again->left_over) throw InputError("the game ends before the last " + std::to_string(again->left_over) + " of the recorded replies" +
                                                 (again->record.reason.empty() ? "" : ": " + again->record.reason));
      now = again->record.scores.to_json();
      Json recorded;
      if (!place.scores.empty()) recorded = load_json(place.scores);
      else if (place.folder.empty()) recorded = *r.expected.find("scores");
      if (recorded.is_null()) {
        state = "new";
      } else {
        if (!recorded.is_object()) throw InputError(place.scores + ": expected an object, found " + describe(recorded));
        compare(recorded, now, "", r.ours, differences);
        state = differences.empty() ? "same" : "differs";
      }
      if (write && state != "same") {
        if (place.folder.empty()) throw InputError("there is no folder to write to");
        write_file(place.folder + "/scores.json", to_text(now, {.indent = 1, .nan_as_null = false}) + "\n");
        ++written;
      }
    } catch (const InputError& e) {
      state = "failed";
      problem = e.what();
    }
    same += state == "same";
    differ += state == "differs";
    fresh += state == "new";
    failed += state == "failed";
    result.add("state", state);
    if (!problem.empty()) result.add("problem", problem);
    if (!now.is_null()) result.add("scores", now);
    Json& list = result.add("differences", Json::list());
    for (const Difference& d : differences) {
      Json one = Json::object();
      one.add("path", d.path);
      one.add("recorded", d.recorded);
      one.add("now", d.now);
      list.push(std::move(one));
    }
    if (json) {
      all.push(std::move(result));
      continue;
    }
    const Json* main = now.is_null() ? nullptr : now.find("episode scores")->find("Main Score");
    const std::string score = main ? to_text(*main) : "";
    if (state == "failed") std::printf("%s: cannot be scored: %s\n", name.c_str(), problem.c_str());
    else if (state == "new") std::printf("%s: no scores.json; Main Score %s\n", name.c_str(), score.c_str());
    else if (state == "same" && verbose) std::printf("%s: the same, Main Score %s\n", name.c_str(), score.c_str());
    constexpr size_t kShown = 10;
    for (size_t i = 0; i < differences.size() && i < kShown; ++i) {
      std::printf("%s: differs at %s\n  recorded: %s\n  now:      %s\n", name.c_str(), differences[i].path.c_str(),
                  to_text(differences[i].recorded).c_str(), to_text(differences[i].now).c_str());
    }
    if (differences.size() > kShown) std::printf("  and %zu more differences\n", differences.size() - kShown);
  }
  if (json) {
    Json out = Json::object();
    out.add("episodes", std::move(all));
    out.add("same", static_cast<uint64_t>(same));
    out.add("differ", static_cast<uint64_t>(differ));
    out.add("without_scores", static_cast<uint64_t>(fresh));
    out.add("failed", static_cast<uint64_t>(failed));
    out.add("written", static_cast<uint64_t>(written));
    std::printf("%s\n", to_text(out, {.indent = -1, .nan_as_null = true}).c_str());
  } else {
    std::printf("%zu episode%s: %zu the same, %zu differ%s, %zu without scores.json, %zu cannot be scored", places.size(),
                places.size() == 1 ? "" : "s", same, differ, differ == 1 ? "s" : "", fresh, failed);
    std::printf(write ? "; %zu written\n" : "\n", written);
  }
  return failed || (differ && !write) ? 1 : 0;
}

}  // namespace

int run_score(const Args& args) {
  return run_verb("score", kHelp, args, [&] { return score_all(args); });
}

}  // namespace ppc::cli
