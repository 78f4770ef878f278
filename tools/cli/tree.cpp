// ppc tree
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>

#include "runtime/engine/records.h"
#include "tools/cli/cli.h"
#include "tools/cli/recorded.h"
#include "tools/cli/results.h"
#include "tools/cli/text.h"

namespace ppc::cli {
namespace {

using namespace engine;

constexpr const char* kHelp =
    R"(usage: ppc tree DIR… [options]

Shows the episodes that `ppc play --branch` continued in several ways: what was said at each point, how it ended, the score, and how
many rules were broken since the point. Reads folders with an episodes.jsonl, or such files (docs/branches.md).

  --game GAME      only this game; for --unfold its file, where it is none that comes with ppc
  --unfold OUT     writes every branch as an episode of its own, in clembench's layout, into another folder
  --resources GAME=DIR  of --unfold: in place of the game's resources folder
  --json           prints the trees as one JSON value

Exit code 1 when nothing branches there.

Examples:
  ppc tree records
  ppc tree records --unfold unfolded && ppc transcribe unfolded
)";

using Place = std::pair<std::string, size_t>;  // file, byte
Place place_of(const ResultPlace& p) { return {p.lines, p.from}; }

/// An episode and its branches, by the line that they left.
struct Tree {
  Result episode;
  std::vector<std::unique_ptr<Result>> branches;
  std::map<Place, std::vector<const Result*>> of;

  /// The next point of a branch behind so many messages; and who left there. Nothing: it has no more.
  size_t next(const Result& r, size_t from, std::vector<const Result*>& leaving) const {
    const auto it = of.find(place_of(r.place));
    size_t at = SIZE_MAX;
    if (it == of.end()) return at;
    for (const Result* b : it->second)
      if (b->shared >= from) at = std::min(at, b->shared);
    for (const Result* b : it->second)
      if (b->shared == at) leaving.push_back(b);
    return at;
  }
};

std::string name_of(const Result& r) { return r.place.branch.empty() ? "0" : r.place.branch; }

struct Ends {
  size_t count = 0, won = 0, lost = 0, aborted = 0;
  double sum = 0;  // of scores, an abort as 0
  double mean() const { return count ? sum / static_cast<double>(count) : 0; }
};

/// One way at a point, or the episode: from a message on, up to its end or to the next point.
struct Way {
  const Result* result = nullptr;
  size_t from = 0;
  const ResultEvent* reply = nullptr;  // what was said at the point
  size_t violations = 0;
  Ends ends;
  std::string player;                  // who is asked at the next point; empty: this is an end
  size_t round = 0, at = 0;
  std::vector<Way> ways;
};

constexpr size_t kDeepest = 1000;  // points one after the other; `play` makes far fewer

Way walk(const Tree& tree, const Result& r, size_t from, bool reply, size_t depth = 0) {
  if (depth > kDeepest) throw InputError(r.place.name() + ": more than 1,000 points one after the other");
  Way way;
  way.result = &r;
  way.from = from;
  std::vector<const Result*> leaving;
  way.at = tree.next(r, reply ? from + 1 : from, leaving);
  size_t message = 0;
  for (const ResultEvent& e : r.events) {
    if (e.kind == ResultEvent::Kind::Note) continue;
    if (reply && message == from) way.reply = &e;
    if (message >= from && message < way.at) way.violations += e.violation.is_object();
    ++message;
  }
  if (leaving.empty()) {
    way.ends.count = 1;
    way.ends.won = r.outcome == "won";
    way.ends.lost = r.outcome == "lost";
    way.ends.aborted = r.outcome == "aborted";
    way.ends.sum = r.outcome == "aborted" || std::isnan(r.main_score) ? 0 : r.main_score;
    return way;
  }
  way.player = leaving[0]->left_at;
  way.round = leaving[0]->left_round;
  way.ways.push_back(walk(tree, r, way.at, true, depth + 1));
  for (const Result* b : leaving) way.ways.push_back(walk(tree, *b, way.at, true, depth + 1));
  std::sort(way.ways.begin() + 1, way.ways.end(), [](const Way& a, const Way& b) { return natural_less(name_of(*a.result), name_of(*b.result)); });
  for (const Way& w : way.ways) {
    way.ends.count += w.ends.count;
    way.ends.won += w.ends.won;
    way.ends.lost += w.ends.lost;
    way.ends.aborted += w.ends.aborted;
    way.ends.sum += w.ends.sum;
  }
  return way;
}

std::string score_text(double d) { return fixed(d, d == std::floor(d) ? 0 : 2); }

/// On one line, without what could steer a terminal, at most so many characters.
std::string shown(const std::string& text, size_t most) {
  std::string out;
  size_t n = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto b = static_cast<uint8_t>(text[i]);
    if ((b & 0xC0) != 0x80 && n++ == most) return out + "…";
    if (b == '\n') out += "\\n";
    else if (b < 0x20 || b == 0x7F) out += " ";
    else out += text[i];
  }
  return out;
}

void print(const Way& way, const std::string& indent) {
  if (way.ways.empty()) return;
  std::printf("%s%s in round %zu\n", indent.c_str(), shown(way.player, 60).c_str(), way.round);
  size_t width = 0;
  for (const Way& w : way.ways) width = std::max(width, shown(name_of(*w.result), 60).size());
  for (size_t i = 0; i < way.ways.size(); ++i) {
    const Way& w = way.ways[i];
    const bool last = i + 1 == way.ways.size();
    std::string name = shown(name_of(*w.result), 60);
    name.resize(width, ' ');
    std::string line = indent + (last ? "└─ " : "├─ ") + name + "  \"" + shown(w.reply ? w.reply->text : "", 60) + "\"  ";
    if (w.ways.empty()) {
      const Result& r = *w.result;
      line += shown(r.outcome, 60) + (std::isnan(r.main_score) ? "" : ", score " + score_text(r.main_score));
      if (!r.reason.empty()) line += ": " + shown(r.reason, 60);
    } else {
      line += std::to_string(w.ends.count) + " ends, mean score " + score_text(w.ends.mean());
    }
    if (w.violations) line += ", " + std::to_string(w.violations) + (w.violations == 1 ? " violation" : " violations");
    std::printf("%s\n", line.c_str());
    print(w, indent + (last ? "   " : "│  "));
  }
}

Json json_of(const Way& way) {
  const Result& r = *way.result;
  Json out = Json::object();
  out.add("branch", name_of(r));
  out.add("source", r.place.name());
  out.add("reply", way.reply ? Json(way.reply->text) : Json());
  out.add("violation", way.reply ? way.reply->violation : Json());
  out.add("violations", static_cast<uint64_t>(way.violations));
  const bool end = way.ways.empty();
  out.add("outcome", end ? Json(r.outcome) : Json());
  out.add("reason", end ? Json(r.reason) : Json());
  out.add("score", end && !std::isnan(r.main_score) ? Json(r.main_score) : Json());
  out.add("ends", static_cast<uint64_t>(way.ends.count));
  out.add("mean_score", way.ends.mean());
  out.add("won", static_cast<uint64_t>(way.ends.won));
  out.add("lost", static_cast<uint64_t>(way.ends.lost));
  out.add("aborted", static_cast<uint64_t>(way.ends.aborted));
  Json& point = out.add("point", Json());
  if (end) return out;
  point = Json::object();
  point.add("player", way.player);
  point.add("round", static_cast<uint64_t>(way.round));
  point.add("message", static_cast<uint64_t>(way.at));
  Json& ways = point.add("ways", Json::list());
  for (const Way& w : way.ways) ways.push(json_of(w));
  return out;
}

std::vector<uint32_t> path_of(const std::string& name) {
  std::vector<uint32_t> out;
  for (size_t from = 0; from < name.size();) {
    const size_t end = std::min(name.find('.', from), name.size());
    out.push_back(static_cast<uint32_t>(std::strtoul(name.substr(from, end - from).c_str(), nullptr, 10)));
    from = end + 1;
  }
  return out;
}

int tree(const Args& args) {
  const Options options(args, {"--game", "--unfold", "--resources"}, {"--json"});
  if (options.rest().empty()) throw UsageError("which folder?");
  if (options.has("--resources") && !options.has("--unfold")) throw UsageError("`--resources` is for --unfold");
  const std::vector<ResultPlace> places = find_results(options.rest());
  std::map<Place, std::vector<const ResultPlace*>> branches;  // by the line of their episode
  for (const ResultPlace& p : places) {
    if (!p.parent) continue;
    const ResultPlace* root = p.parent.get();
    while (root->parent) root = root->parent.get();
    branches[place_of(*root)].push_back(&p);
  }
  std::string only = options.value("--game"), file;
  if (only.find('.') != std::string::npos) {
    file = only;
    only = open_game(file, "").module->manifest().game;
  }
  RecordedGames games(file, "", options.all("--resources"));
  Worker worker;
  std::unique_ptr<RecordWriter> writer;
  if (options.has("--unfold")) writer = std::make_unique<RecordWriter>(options.value("--unfold"));
  auto unfold = [&](const ResultPlace& place) {
    ResultPlace line = place;
    line.folder.clear();  // the line has more
    const Recorded recorded = read_recorded(line);
    const auto& [game, resources] = games.find(recorded);
    const std::unique_ptr<Replayed> again = play_again(recorded, game, resources, worker);
    if (again->wants_more || again->left_over) throw InputError(place.name() + ": the game no longer goes as it was recorded; see `ppc replay`");
    again->record.branch.path = path_of(place.branch);
    again->record.unfolded = true;
    writer->write(again->record);
  };
  Json all = Json::list();
  size_t trees = 0, written = 0;
  for (const ResultPlace& p : places) {
    if (p.parent || p.lines.empty() || (!only.empty() && p.game != only)) continue;
    const auto mine = branches.find(place_of(p));
    if (mine == branches.end()) continue;
    Tree t;
    t.episode = read_result(p);
    for (const ResultPlace* b : mine->second) {
      t.branches.push_back(std::make_unique<Result>(read_result(*b)));
      t.of[place_of(*b->parent)].push_back(t.branches.back().get());
    }
    const Way way = walk(t, t.episode, 0, false);
    if (writer) {
      unfold(p);
      for (const ResultPlace* b : mine->second) unfold(*b);
      written += 1 + mine->second.size();
    } else if (options.has("--json")) {
      Json one = Json::object();
      one.add("episode", p.record());
      one.add("game", p.game);
      one.add("experiment", p.experiment);
      one.add("instance_id", t.episode.instance_id);
      const Json whole = json_of(way);
      for (const Json::Member& m : whole.members()) one.add(m.key, m.value);
      all.push(std::move(one));
    } else {
      const Ends& e = way.ends;
      std::printf("%s%s: %zu ends, mean score %s; %zu won, %zu lost, %zu aborted\n", trees ? "\n" : "", shown(p.record(), 300).c_str(), e.count,
                  score_text(e.mean()).c_str(), e.won, e.lost, e.aborted);
      print(way, "");
    }
    ++trees;
  }
  if (trees == 0) throw InputError("nothing branches there; `ppc play --branch K@ROLE --out DIR` makes what does");
  if (writer) {
    writer->finish();
    std::printf("%zu episodes: %s\n", written, options.value("--unfold").c_str());
  } else if (options.has("--json")) {
    std::printf("%s\n", to_text(all, {.indent = -1, .nan_as_null = true}).c_str());
  }
  return 0;
}

}  // namespace

int run_tree(const Args& args) {
  return run_verb("tree", kHelp, args, [&] { return tree(args); });
}

}  // namespace ppc::cli
