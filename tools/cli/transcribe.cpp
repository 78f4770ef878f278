// ppc transcribe
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>

#include "runtime/engine/json.h"
#include "runtime/engine/records.h"
#include "runtime/web/page.h"
#include "tools/cli/cli.h"
#include "tools/cli/conversation.h"
#include "tools/cli/recorded.h"
#include "tools/cli/results.h"
#include "tools/cli/text.h"

namespace ppc::cli {
namespace {

using namespace engine;
using web::page;
using web::Script;
namespace fs = std::filesystem;

constexpr const char* kHelp =
    R"(usage: ppc transcribe DIR… [options]

Writes readable HTML transcripts of recorded episodes: who saw what, a column for each player and one for the game master;
which rules were broken, where in the game they are and why; the scores; with a search. Reads the records of ppc (folders,
episodes.jsonl, episodes.jsonl:K) and clembench's own result folders. The pages fetch nothing from the network.

  -o OUT       a folder for index.html and a page for each episode (default: DIR/transcripts),
               or with --one-file the file (default: DIR/transcripts.html)
  --one-file   everything in one file
  --game NAME  only this game
  --resources GAME=DIR  in place of the game's resources folder, where clembench's folders are played again to name broken rules

An episode that cannot be read is named on stderr and left out; the exit code is then 1.

Examples:
  ppc transcribe records
  ppc transcribe records/bot-spelling--human/taboo --one-file -o taboo.html
)";

constexpr const char* kOwnStyle = R"(
.search{position:sticky;top:0;z-index:2;display:flex;flex-wrap:wrap;gap:.5rem;align-items:center;background:var(--back);padding:.6rem 0;border-bottom:1px solid var(--line)}
.search input{flex:1 1 12rem;min-width:0}
.search input,.search select{font:inherit;color:inherit;background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.35rem .6rem}
[hidden]{display:none!important}
.facts{display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;margin:.4rem 0;font-size:.9rem}.facts span{overflow-wrap:anywhere}
.search~details .head{top:3.6rem}
details>summary{cursor:pointer;padding:.45rem 0}details.episode{border-bottom:1px solid var(--line);content-visibility:auto;contain-intrinsic-size:auto 3rem}
details.episode>summary{display:flex;flex-wrap:wrap;gap:.2rem .8rem;align-items:baseline}
details.episode>summary::before{content:"▸";color:var(--dim)}details.episode[open]>summary::before{content:"▾"}
details.episode>summary .grow{flex:1 1 14rem;overflow-wrap:anywhere}
.scores{display:flex;flex-wrap:wrap;gap:1rem 2.5rem;align-items:flex-start}
.turns td:first-child,.turns th:first-child{position:sticky;left:0;background:var(--back)}
.index td{overflow-wrap:anywhere}
.nav a+a{margin-left:1rem}
.nav{display:flex;justify-content:space-between;gap:1rem;font-size:.9rem;margin:.2rem 0}
@media(max-width:760px){
.index thead{display:none}.index,.index tbody{display:block}
.index tr{display:grid;grid-template-columns:1fr auto;gap:.05rem .8rem;border-bottom:1px solid var(--line);padding:.5rem 0}
.search input{flex-basis:100%}.phone-off{display:none}
.index tr[hidden]{display:none}.index td{border:0;padding:0}.index td.wide{grid-column:1/-1}
}
)";
const std::string kStyle = std::string(kConversationStyle) + kOwnStyle;

std::string score_tables(const Result& r) {
  std::string out = "<div class=\"scores\">\n";
  const Json* all = r.scores.find("episode scores");
  if (all && all->is_object() && !all->members().empty()) {
    out += "<table><thead><tr><th>score</th><th class=\"num\">value</th></tr></thead><tbody>";
    for (const Json::Member& m : all->members()) out += "<tr><td>" + html(m.key) + "</td><td class=\"num\">" + html(value_text(m.value)) + "</td></tr>";
    out += "</tbody></table>\n";
  }
  const Json* turns = r.scores.find("turn scores");
  if (turns && turns->is_object() && !turns->members().empty()) {
    std::vector<std::string> names;
    for (const Json::Member& turn : turns->members()) {
      if (!turn.value.is_object()) continue;
      for (const Json::Member& m : turn.value.members())
        if (std::find(names.begin(), names.end(), m.key) == names.end()) names.push_back(m.key);
    }
    // The longer side downwards.
    const bool by_turn = turns->members().size() >= names.size();
    auto cell = [](const Json& scores, const std::string& name) {
      const Json* v = scores.find(name);
      return "<td class=\"num\">" + (v ? html(value_text(*v)) : "") + "</td>";
    };
    out += "<div class=\"scroll\"><table class=\"turns\"><thead><tr><th>" + std::string(by_turn ? "turn" : "score of turn") + "</th>";
    if (by_turn) {
      for (const std::string& name : names) out += "<th class=\"num\">" + html(name) + "</th>";
    } else {
      for (const Json::Member& turn : turns->members()) out += "<th class=\"num\">" + html(turn.key) + "</th>";
    }
    out += "</tr></thead><tbody>";
    if (by_turn) {
      for (const Json::Member& turn : turns->members()) {
        out += "<tr><td>" + html(turn.key) + "</td>";
        for (const std::string& name : names) out += cell(turn.value, name);
        out += "</tr>";
      }
    } else {
      for (const std::string& name : names) {
        out += "<tr><td>" + html(name) + "</td>";
        for (const Json::Member& turn : turns->members()) out += cell(turn.value, name);
        out += "</tr>";
      }
    }
    out += "</tbody></table></div>\n";
  }
  if (const Json* notes = r.scores.find("notes"); notes && notes->is_list()) {
    out += "<div>";
    for (const Json& note : notes->items()) out += "<p class=\"aborted small\">" + html(value_text(note)) + "</p>";
    out += "</div>\n";
  }
  return out + "</div>\n";
}

std::string models(const Result& r) {
  std::string out;
  for (const ResultPlayer& p : r.players)
    if (!p.scripted) out += (out.empty() ? "" : ", ") + (p.role.empty() ? p.name : p.role) + " = " + (p.model.empty() ? "?" : p.model);
  return out;
}

size_t violations(const Result& r) {
  size_t n = 0;
  for (const ResultEvent& e : r.events) n += e.violation.is_object();
  return n;
}

std::string episode_body(const Result& r) {
  std::string out = "<div class=\"facts\"><span>" + html(models(r)) + "</span>";
  if (!r.instance_id.empty()) out += "<span>instance " + html(r.instance_id) + "</span>";
  if (!r.seed.empty()) out += "<span>seed " + html(r.seed) + "</span>";
  out += "<span class=\"dim\">" + html(r.place.name()) + "</span></div>\n";
  if (r.rules == Result::Rules::PlayedAgain) {
    out += "<p class=\"small dim\">This folder does not name broken rules: ppc's " + html(r.place.game) + " has played the replies again, to the same end.</p>\n";
  } else if (r.rules == Result::Rules::Unknown) {
    out += "<p class=\"small dim\">Nothing says which rules were broken: " + html(r.why_unknown) + ".</p>\n";
  }
  out += conversation(r);
  out += "<p class=\"end\">" + outcome_badge(r) + (r.reason.empty() ? "" : " " + html(r.reason)) + "</p>\n";
  if (r.scores.is_object()) out += "<h3>Scores</h3>\n" + score_tables(r);
  if (r.keys.is_object() && !r.keys.members().empty()) {
    out += "<details><summary>What the game logged</summary><div class=\"scroll\"><table><tbody>";
    for (const Json::Member& m : r.keys.members()) out += "<tr><td>" + html(m.key) + "</td><td><code>" + html(to_text(m.value)) + "</code></td></tr>";
    out += "</tbody></table></div></details>\n";
  }
  if (!r.instance.is_null()) {
    out += "<details><summary>The instance</summary><div class=\"scroll\"><pre><code>" + html(to_text(r.instance, {.indent = 2, .nan_as_null = false})) +
           "</code></pre></div></details>\n";
  }
  return out;
}

std::string search_bar(bool with_outcome, const char* what) {
  std::string out = "<div class=\"search\"><input type=\"search\" data-search placeholder=\"" + std::string(what) + "\" aria-label=\"search\">";
  if (with_outcome) {
    out += "<select data-outcome aria-label=\"outcome\"><option value=\"\">every outcome</option><option>won</option><option>lost</option><option>aborted</option>"
           "<option>unknown</option></select>";
  }
  return out + "<span class=\"dim small\" data-said></span></div>\n";
}

struct Row {  // of the index
  std::string file, game, experiment, episode, models, outcome, reason, score;
  size_t rounds = 0, violations = 0;
};

std::string title_of(const Result& r) { return r.place.game + ", " + r.place.experiment + ", " + r.place.episode; }

int transcribe(const Args& args) {
  const Options options(args, {"-o", "--game", "--resources"}, {"--one-file"});
  if (options.rest().empty()) throw UsageError("which folder?");
  const bool one_file = options.has("--one-file");
  std::vector<ResultPlace> places = find_results(options.rest());
  if (options.has("--game")) {
    std::erase_if(places, [&](const ResultPlace& p) { return p.game != options.value("--game"); });
    if (places.empty()) throw InputError("no episode of `" + options.value("--game") + "` there");
  }
  // What only has scores has nothing to show.
  std::error_code ec;
  std::erase_if(places, [&](const ResultPlace& p) { return p.lines.empty() && !fs::exists(p.folder + "/interactions.json", ec); });
  if (places.empty()) throw InputError("no interactions.json and no episodes.jsonl there");
  fs::path base = options.rest()[0];
  if (!fs::is_directory(base, ec)) base = base.parent_path();
  const std::string out = options.value("-o", (base / (one_file ? "transcripts.html" : "transcripts")).string());
  if (!one_file) {
    fs::create_directories(out, ec);
    if (ec) throw SystemError(out + ": " + ec.message());
  }

  RecordedGames games("", "", options.all("--resources"));
  Worker worker;
  std::vector<Row> rows;
  std::string sections;
  size_t failed = 0, k = 0;
  const size_t width = std::to_string(places.size()).size();
  auto file_name = [&](size_t index) {
    std::string n = std::to_string(index + 1);
    n.insert(0, width - n.size(), '0');
    const ResultPlace& p = places[index];
    // Nothing that a URL would read otherwise.
    std::string name = safe_name(n + "-" + p.game + "-" + p.experiment + "-" + p.episode);
    for (char& c : name)
      if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_' && c != '.') c = '_';
    return name + ".html";
  };
  for (size_t i = 0; i < places.size(); ++i) {
    Result r;
    try {
      r = read_result(places[i]);
      name_rules(r, games, worker);
    } catch (const InputError& e) {
      std::fprintf(stderr, "error: %s\n", e.what());
      ++failed;
      // A page all the same, so that no link to it is broken.
      const ResultPlace& p = places[i];
      const std::string title = p.game + ", " + p.experiment + ", " + p.episode;
      const std::string problem = "<p class=\"aborted\">cannot be read: " + html(e.what()) + "</p>\n";
      if (one_file) sections += "<details class=\"episode\" data-item=\"unknown\"><summary><span class=\"grow\"><b>" + html(title) + "</b></span></summary>\n" + problem + "</details>\n";
      else write_file((fs::path(out) / file_name(i)).string(), page(title, kStyle, "<p><a href=\"index.html\">all episodes</a></p>\n<h1>" + html(title) + "</h1>\n" + problem));
      rows.push_back({file_name(i), p.game, p.experiment, p.episode, "", "unknown", std::string("cannot be read: ") + e.what(), "–", 0, 0});
      continue;
    }
    ++k;
    Row row{file_name(i), r.place.game, r.place.experiment, r.place.episode, models(r), r.outcome.empty() ? "unknown" : r.outcome, r.reason,
            std::isnan(r.main_score) ? "–" : fixed(r.main_score, r.main_score == std::floor(r.main_score) ? 0 : 2), 0, violations(r)};
    for (const ResultEvent& e : r.events) row.rounds = std::max(row.rounds, e.round);
    if (one_file) {
      sections += "<details class=\"episode\" data-item=\"" + html(row.outcome) + "\"" + (places.size() == 1 ? " open" : "") + "><summary><span class=\"grow\"><b>" +
                  html(title_of(r)) + "</b> <span class=\"dim small\">" + html(row.models) + "</span></span>" + outcome_badge(r) + "<span class=\"num\">" + html(row.score) +
                  "</span></summary>\n" + episode_body(r) + "</details>\n";
    } else {
      std::string body = "<div class=\"nav\"><a href=\"index.html\">all episodes</a><span>";
      if (i > 0) body += "<a rel=\"prev\" href=\"" + html(file_name(i - 1)) + "\">previous</a> ";
      if (i + 1 < places.size()) body += "<a rel=\"next\" href=\"" + html(file_name(i + 1)) + "\">next</a>";
      body += "</span></div>\n<h1>" + html(title_of(r)) + "</h1>\n<p>" + outcome_badge(r) + " " + html(row.reason) + "</p>\n" + episode_body(r);
      write_file((fs::path(out) / row.file).string(), page(title_of(r), kStyle, body));
    }
    rows.push_back(std::move(row));
  }
  std::string body = "<h1>Transcripts</h1>\n<p class=\"dim\">" + std::to_string(k) + (k == 1 ? " episode" : " episodes") +
                     (failed ? ", " + std::to_string(failed) + " could not be read" : "") + "</p>\n";
  if (one_file) {
    body += search_bar(true, "search in all that was said") + sections;
    write_file(out, page("Transcripts", kStyle, body, Script::Search));
  } else {
    body += search_bar(true, "search: game, model, reason, …");
    body += "<div class=\"scroll\"><table class=\"index\"><thead><tr><th>episode</th><th>players</th><th>outcome</th><th class=\"num\">Main Score</th><th class=\"num\">rounds</th>"
            "<th class=\"num\">violations</th><th>reason</th></tr></thead><tbody>\n";
    for (const Row& row : rows) {
      body += "<tr data-item=\"" + html(row.outcome) + "\"><td><a href=\"" + html(row.file) + "\">" + html(row.game + ", " + row.experiment + ", " + row.episode) +
              "</a></td><td class=\"wide\">" + html(row.models) + "</td><td><span class=\"badge " + html(row.outcome) + "\">" + html(row.outcome) +
              "</span></td><td class=\"num\">" + html(row.score) + "</td><td class=\"num phone-off\">" + std::to_string(row.rounds) + "</td><td class=\"num phone-off\">" +
              std::to_string(row.violations) + "</td><td class=\"wide\">" + html(row.reason) + "</td></tr>\n";
    }
    body += "</tbody></table></div>\n";
    write_file((fs::path(out) / "index.html").string(), page("Transcripts", kStyle, body, Script::Search));
  }
  std::printf("%zu episode%s: %s\n", k, k == 1 ? "" : "s", one_file ? out.c_str() : (fs::path(out) / "index.html").string().c_str());
  return failed ? 1 : 0;
}

}  // namespace

int run_transcribe(const Args& args) {
  return run_verb("transcribe", kHelp, args, [&] { return transcribe(args); });
}

}  // namespace ppc::cli
