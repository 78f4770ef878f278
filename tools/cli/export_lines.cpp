#include "tools/cli/export.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "runtime/engine/json.h"
#include "tools/cli/recorded.h"
#include "tools/cli/results.h"

namespace ppc::cli {
namespace {

using namespace engine;


/// A reply of the player, and what it is a reply to.
struct Turn {
  const ResultEvent* reply = nullptr;
  size_t before = 0;                        // of View::events: what the memory had
  std::vector<const ResultEvent*> question; // of a side question; else the question is the last of the memory
  size_t message = 0;                       // of the episode's messages, which one it is
};

/// What one player saw and said in an episode.
struct View {
  const Result* episode = nullptr;
  size_t player = 0;
  std::vector<const ResultEvent*> events;  // Send and Reply, in order, as the memory keeps them: no side questions
  std::vector<Turn> turns;                 // what the player said itself, in order
};

bool of_player(const ExportOptions& o, const Result& r, const ResultPlayer& p) {
  if (!o.games.empty() && !o.games.count(r.place.game)) return false;
  if (!o.roles.empty() && !o.roles.count(p.role) && !o.roles.count(p.display) && !o.roles.count(p.name)) return false;
  return o.models.empty() || o.models.count(p.model);
}
bool of_outcome(const ExportOptions& o, const Result& r) {
  if (!o.outcomes.empty() && !o.outcomes.count(r.outcome)) return false;
  if (!o.min_score && !o.max_score) return true;
  return !std::isnan(r.main_score) && r.main_score >= o.min_score.value_or(-INFINITY) && r.main_score <= o.max_score.value_or(INFINITY);
}

bool is_reply(const ResultEvent& e) { return e.kind == ResultEvent::Kind::Reply; }
bool is_reply(const View& v, size_t i) { return is_reply(*v.events[i]); }
/// What the player said itself: the only text that is trained on. What a branch shares is trained on where it was said first.
bool is_own(const View& v, size_t i) { return is_reply(v, i) && !v.events[i]->given && !v.events[i]->shared; }
bool violates(const ResultEvent& e) { return e.violation.is_object(); }

/// Messages of the game master that come one after the other are one, with an empty line between them, as clembench sends them.
void add_message(Json& to, const ResultEvent& e) {
  if (!is_reply(e) && !to.items().empty() && to.items().back().find("role")->as_text() == "user") {
    Json& last = to.items().back();
    last.set("content", last.find("content")->as_text() + "\n\n" + e.text);
    return;
  }
  Json m = Json::object();
  m.add("role", is_reply(e) ? "assistant" : "user");
  m.add("content", e.text);
  to.push(std::move(m));
}
/// events[from..to)
Json messages(const View& v, size_t from, size_t to) {
  Json out = Json::list();
  for (size_t i = from; i < to; ++i) add_message(out, *v.events[i]);
  return out;
}
/// What the player had before it when it gave this reply.
Json prompt(const View& v, const Turn& t) {
  Json out = messages(v, 0, t.before);
  for (const ResultEvent* e : t.question) add_message(out, *e);
  return out;
}
Json completion(const Turn& t) {
  Json out = Json::list();
  add_message(out, *t.reply);
  return out;
}
/// Behind the last reply of the player's own.
size_t end_of_replies(const View& v) {
  size_t n = v.events.size();
  while (n > 0 && !is_own(v, n - 1)) --n;
  return n;
}
/// The score for a trainer: 0..1, an abort is 0.
double reward(const Result& r) { return r.outcome == "aborted" || std::isnan(r.main_score) ? 0 : r.main_score / 100; }

std::string role(const View& v) { return v.episode->players[v.player].role; }

/// The columns every line has, all of one type in all lines: datasets wants that. `prefix` tells the two of a pair apart.
/// `said`: the replies whose violations are named.
void add_source(Json& line, const View& v, const std::string& prefix, int64_t turn, const std::vector<const ResultEvent*>& said) {
  const Result& r = *v.episode;
  line.add(prefix + "source", r.place.name());
  line.add(prefix + "episode", r.place.record());
  line.add(prefix + "model", r.players[v.player].model);
  line.add(prefix + "seed", r.seed);
  line.add(prefix + "turn", turn);
  line.add(prefix + "outcome", r.outcome);
  line.add(prefix + "reason", r.reason);
  line.add(prefix + "score", std::isnan(r.main_score) ? Json() : Json(r.main_score));
  line.add(prefix + "reward", reward(r));
  std::string rules;
  for (const ResultEvent* e : said) {
    if (violates(*e)) rules += (rules.empty() ? "" : "\n") + violation_text(e->violation, r.place.game);
  }
  line.add(prefix + "violation", rules);
}
/// The player's own replies among events[from..to).
std::vector<const ResultEvent*> own(const View& v, size_t from, size_t to) {
  std::vector<const ResultEvent*> out;
  for (size_t i = from; i < to; ++i)
    if (is_own(v, i)) out.push_back(v.events[i]);
  return out;
}
int64_t turn_of(const View& v, const ResultEvent* reply) {
  for (size_t i = 0; i < v.turns.size(); ++i)
    if (v.turns[i].reply == reply) return static_cast<int64_t>(i);
  return -1;
}
void add_game(Json& line, const View& v) {
  const Result& r = *v.episode;
  line.add("game", r.place.game);
  line.add("experiment", r.place.experiment);
  line.add("instance_id", r.instance_id);
  line.add("role", role(v));
}

struct Output {
  const ExportOptions& options;
  const std::function<void(Json&&)>& line;
  ExportSummary& summary;
  std::map<std::string, size_t>& left_out;
  std::set<std::string> missing;           // replies without a sample
  void add(Json&& made) {
    ++summary.lines;
    line(std::move(made));
  }
};

// ---- ids

/// What the player's model was fed and sampled up to here: `said` is trained, the last of what it said. Strung together, its samples are all that it has
/// seen (docs/records.md). `to`: of events; a side question's answer is not among them. False: the line is left out.
bool add_ids(Json& line, const View& v, const std::string& prefix, size_t to, const std::vector<const ResultEvent*>& said, Output& out) {
  using Ids = ExportOptions::Ids;
  if (out.options.ids == Ids::None) return true;
  std::vector<const ResultEvent*> replies;
  for (size_t i = 0; i < to; ++i)
    if (is_reply(v, i) && !v.events[i]->given) replies.push_back(v.events[i]);
  if (replies.empty() || replies.back() != said.back()) replies.push_back(said.back());
  Json ids = Json::list(), trained = Json::list(), logprobs = Json::list();
  const Json* sampled = nullptr;
  size_t next = 0;
  for (const ResultEvent* e : replies) {
    const ResultSample* s = e->sample.get();
    if (!s) {
      if (out.options.ids == Ids::Where) return true;
      const ResultPlayer& p = v.episode->players[v.player];
      out.missing.insert(v.episode->place.name() + ": " + p.name + " (" + p.role + ", " + (p.model.empty() ? "no model" : p.model) + ")");
      return false;
    }
    const bool own = next < said.size() && said[next] == e;
    if (own) {
      ++next;
      if (sampled && *sampled != s->settings) {
        if (out.options.ids == Ids::Where) return true;
        ++out.left_out["sampled in several ways"];
        return false;
      }
      sampled = &s->settings;
    }
    for (const int32_t t : s->prompt) ids.push(int64_t{t}), trained.push(0);
    for (const int32_t t : s->ids) ids.push(int64_t{t}), trained.push(own ? 1 : 0);
    if (own)
      for (const double l : s->logprobs) logprobs.push(l);
  }
  line.add(prefix + "ids", std::move(ids));
  line.add(prefix + "trained", std::move(trained));
  line.add(prefix + "logprobs", std::move(logprobs));
  line.add(prefix + "sampled", *sampled);
  return true;
}
// ---- sft

/// A part of a dialogue in which all replies are the player's own: events[from..to) begins and ends with one.
struct Part {
  size_t from, to;
};
std::vector<Part> parts(const View& v) {
  std::vector<Part> out;
  bool open = false;
  for (size_t i = 0; i < v.events.size(); ++i) {
    if (!is_reply(v, i)) continue;
    if (!is_own(v, i)) open = false;
    else if (open) out.back().to = i + 1;
    else out.push_back({i, i + 1}), open = true;
  }
  return out;
}

void export_sft(const std::vector<View>& views, const ExportOptions& o, Output& out) {
  for (const View& v : views) {
    if (!of_outcome(o, *v.episode)) {
      ++out.left_out["another outcome or score"];
      continue;
    }
    auto add = [&](bool aside, int64_t turn, size_t to, const std::vector<const ResultEvent*>& said, auto content) {
      if (o.clean && std::any_of(said.begin(), said.end(), [](const ResultEvent* e) { return violates(*e); })) {
        ++out.left_out["broke a rule"];
        return;
      }
      Json line = Json::object();
      content(line);
      add_game(line, v);
      line.add("aside", aside);
      line.add("turns", static_cast<uint64_t>(said.size()));
      add_source(line, v, "", turn, said);
      if (add_ids(line, v, "", to, said, out)) out.add(std::move(line));
    };
    if (!o.turns) {
      const std::vector<Part> all = parts(v);
      bool given = false;
      for (const ResultEvent* e : v.events) given = given || e->given;
      if (o.messages && v.episode->place.parent) {
        ++out.left_out["branches"];
      } else if (o.messages && given) {
        ++out.left_out["dialogues with replies that the game gave"];
      } else {
        for (const Part& part : all) {
          const std::vector<const ResultEvent*> said = own(v, part.from, part.to);
          add(false, all.size() == 1 && !v.episode->place.parent ? -1 : turn_of(v, said[0]), part.to, said, [&](Json& line) {
            if (o.messages) {
              line.add("messages", messages(v, 0, part.to));
            } else {
              line.add("prompt", messages(v, 0, part.from));
              line.add("completion", messages(v, part.from, part.to));
            }
          });
        }
      }
    }
    for (size_t i = 0; i < v.turns.size(); ++i) {
      const Turn& t = v.turns[i];
      if (t.reply->shared || (!o.turns && !t.reply->aside)) continue;
      if (o.messages) {
        ++out.left_out["side questions"];
        continue;
      }
      add(t.reply->aside, static_cast<int64_t>(i), t.before, {t.reply}, [&](Json& line) {
        line.add("prompt", prompt(v, t));
        line.add("completion", completion(t));
      });
    }
  }
}

// ---- dpo

/// Comparisons in one group, so that a hundred thousand episodes of one instance do not take for ever.
constexpr size_t kMaxTries = 4'000'000;

bool better(const ExportOptions& o, const Result& a, const Result& b) {
  if (!o.by_score) return a.outcome == "won" && (b.outcome == "lost" || b.outcome == "aborted");
  return !a.outcome.empty() && !b.outcome.empty() && 100 * reward(a) - 100 * reward(b) >= o.min_gap;
}

void export_dialogues(const std::vector<View>& views, const ExportOptions& o, Output& out) {
  // Instances are the same when all there is in them is; game_ids begin anew in every file.
  std::map<std::vector<std::string>, std::vector<const View*>> groups;
  for (const View& v : views) {
    const Result& r = *v.episode;
    if (r.instance.is_null()) {
      ++out.left_out["no instance"];
      continue;
    }
    out.left_out["side questions"] += static_cast<size_t>(std::count_if(v.turns.begin(), v.turns.end(), [](const Turn& t) { return t.reply->aside; }));
    if (end_of_replies(v) > 0) groups[{r.place.game, r.place.experiment, to_text(r.instance), role(v)}].push_back(&v);
  }
  if (out.left_out["side questions"] == 0) out.left_out.erase("side questions");
  for (const auto& [key, group] : groups) {
    size_t made = 0, tries = 0;
    std::set<std::pair<std::string, std::string>> seen;
    // Round the rejected ones, each against another chosen one, so that few episodes do not make all pairs.
    for (size_t shift = 0; shift < group.size() && made < o.pairs && tries < kMaxTries; ++shift) {
      for (size_t i = 0; i < group.size() && made < o.pairs; ++i) {
        ++tries;
        const View& chosen = *group[(i + shift) % group.size()];
        const View& rejected = *group[i];
        if (&chosen == &rejected || !of_outcome(o, *chosen.episode) || !better(o, *chosen.episode, *rejected.episode)) continue;
        const size_t end_c = end_of_replies(chosen), end_r = end_of_replies(rejected);
        // The prompt is what both have in common up to the last message before a reply.
        size_t same = 0;
        while (same < end_c && same < end_r && chosen.events[same]->kind == rejected.events[same]->kind &&
               chosen.events[same]->text == rejected.events[same]->text) {
          ++same;
        }
        size_t cut = std::min(same, std::min(end_c, end_r));
        while (cut > 0 && !(cut < end_c && cut < end_r && is_own(chosen, cut) && is_own(rejected, cut) && !is_reply(chosen, cut - 1))) --cut;
        if (cut == 0) {
          const bool branch = chosen.episode->place.parent || rejected.episode->place.parent;
          ++out.left_out[branch ? "pairs of branches that left at different points" : "pairs whose first prompts differ"];
          continue;
        }
        auto given = [](const View& v, size_t from, size_t to) {
          return std::any_of(v.events.begin() + static_cast<ptrdiff_t>(from), v.events.begin() + static_cast<ptrdiff_t>(to),
                             [](const ResultEvent* e) { return e->given; });
        };
        if (given(chosen, cut, end_c) || given(rejected, cut, end_r)) {
          ++out.left_out["pairs in which the game gave a reply"];
          continue;
        }
        auto said = [&](const View& v, size_t from, size_t to) {
          std::string all;
          for (const ResultEvent* e : own(v, from, to)) all += e->text + '\0';
          return all;
        };
        std::string a = said(chosen, cut, end_c), b = said(rejected, cut, end_r);
        if (a == b) {
          ++out.left_out["pairs that say the same"];
          continue;
        }
        if (!seen.emplace(std::move(a), std::move(b)).second) {
          ++out.left_out["pairs that were there"];
          continue;
        }
        Json line = Json::object();
        line.add("prompt", messages(chosen, 0, cut));
        line.add("chosen", messages(chosen, cut, end_c));
        line.add("rejected", messages(rejected, cut, end_r));
        add_game(line, chosen);
        const std::vector<const ResultEvent*> of_chosen = own(chosen, cut, end_c), of_rejected = own(rejected, cut, end_r);
        add_source(line, chosen, "chosen_", -1, of_chosen);
        add_source(line, rejected, "rejected_", -1, of_rejected);
        if (!add_ids(line, chosen, "chosen_", end_c, of_chosen, out) || !add_ids(line, rejected, "rejected_", end_r, of_rejected, out)) continue;
        out.add(std::move(line));
        ++made;
      }
    }
  }
}

/// A turn and where it is.
struct Said {
  const View* view;
  size_t turn;
  const Turn& operator*() const { return view->turns[turn]; }
};

/// Everything the player has been told and said before, as a key.
std::string history(const View& v, const Turn& t) {
  std::string key = v.episode->place.game + '\0' + role(v) + '\0';
  auto add = [&](const ResultEvent& e) { key += (is_reply(e) ? 'a' : 'u') + std::to_string(e.text.size()) + ':' + e.text; };
  for (size_t i = 0; i < t.before; ++i) add(*v.events[i]);
  for (const ResultEvent* e : t.question) add(*e);
  return key;
}

/// What a reply was worth: the mean score of the ends that came after it, an abort as 0. There is one, or with branches several.
struct Value {
  double mean = 0;
  size_t ends = 0;
};
class Values {
 public:
  explicit Values(const std::vector<Result>& episodes) {
    for (const Result& r : episodes)
      if (r.place.parent) branches_[place(*r.place.parent)].push_back(&r);
  }
  /// Nothing for an episode that did not come to an end, as far as is known.
  std::optional<Value> of(const Said& s) const {
    std::vector<const Result*> ends;
    after(*s.view->episode, (*s).message, ends);
    double sum = 0;
    for (const Result* r : ends) {
      if (r->outcome.empty()) return {};
      sum += 100 * reward(*r);
    }
    return Value{sum / static_cast<double>(ends.size()), ends.size()};
  }

 private:
  static std::pair<std::string, size_t> place(const ResultPlace& p) { return {p.lines, p.from}; }
  void after(const Result& r, size_t message, std::vector<const Result*>& ends) const {
    ends.push_back(&r);
    const auto it = r.place.lines.empty() ? branches_.end() : branches_.find(place(r.place));
    if (it == branches_.end()) return;
    for (const Result* branch : it->second)
      if (branch->shared > message) after(*branch, 0, ends);
  }
  std::map<std::pair<std::string, size_t>, std::vector<const Result*>> branches_;  // by the line that they left
};

void export_turns(const std::vector<View>& views, const std::vector<Result>& episodes, const ExportOptions& o, Output& out) {
  const Values values(episodes);
  // What a reply was worth can be compared where the instance is the same: the same words may have been said about another secret.
  std::unordered_map<std::string, size_t> ids;
  std::unordered_map<const Result*, size_t> instance;
  for (const Result& r : episodes) instance[&r] = r.instance.is_null() ? SIZE_MAX : ids.emplace(r.place.experiment + '\0' + to_text(r.instance), ids.size()).first->second;
  std::unordered_map<std::string, size_t> index;
  std::vector<std::vector<Said>> groups;  // in the order they are met
  for (const View& v : views) {
    for (size_t i = 0; i < v.turns.size(); ++i) {
      if (v.turns[i].reply->shared) continue;
      const auto [it, fresh] = index.emplace(history(v, v.turns[i]), groups.size());
      if (fresh) groups.emplace_back();
      groups[it->second].push_back({&v, i});
    }
  }
  for (const std::vector<Said>& group : groups) {
    size_t made = 0, tries = 0;
    std::set<std::pair<std::string, std::string>> seen;
    std::vector<std::optional<Value>> worth;
    if (o.by_score)
      for (const Said& said : group) worth.push_back(values.of(said));
    auto better_by_score = [&](size_t a, size_t b) {
      const size_t in = instance[group[a].view->episode];
      return in != SIZE_MAX && in == instance[group[b].view->episode] && worth[a] && worth[b] && worth[a]->mean - worth[b]->mean >= o.min_gap;
    };
    for (size_t shift = 0; shift < group.size() && made < o.pairs && tries < kMaxTries; ++shift) {
      for (size_t i = 0; i < group.size() && made < o.pairs; ++i) {
        ++tries;
        const Said& chosen = group[(i + shift) % group.size()];
        const Said& rejected = group[i];
        const ResultEvent& c = *(*chosen).reply;
        const ResultEvent& r = *(*rejected).reply;
        if (c.text == r.text || !of_outcome(o, *chosen.view->episode)) continue;
        // Accepted against a violation; by score also two that were accepted, by how their episodes went on.
        if (violates(c) || (!violates(r) && !(o.by_score && better_by_score((i + shift) % group.size(), i)))) continue;
        if (!seen.emplace(c.text, r.text).second) {
          ++out.left_out["pairs that were there"];
          continue;
        }
        Json line = Json::object();
        line.add("prompt", prompt(*chosen.view, *chosen));
        line.add("chosen", completion(*chosen));
        line.add("rejected", completion(*rejected));
        add_game(line, *chosen.view);
        line.add("aside", c.aside);
        add_source(line, *chosen.view, "chosen_", static_cast<int64_t>(chosen.turn), {&c});
        add_source(line, *rejected.view, "rejected_", static_cast<int64_t>(rejected.turn), {&r});
        auto add_value = [&](const std::string& prefix, const std::optional<Value>& v) {
          line.add(prefix + "value", v ? Json(v->mean) : Json());
          line.add(prefix + "ends", static_cast<uint64_t>(v ? v->ends : 0));
        };
        add_value("chosen_", values.of(chosen));
        add_value("rejected_", values.of(rejected));
        if (!add_ids(line, *chosen.view, "chosen_", (*chosen).before, {&c}, out) || !add_ids(line, *rejected.view, "rejected_", (*rejected).before, {&r}, out)) continue;
        out.add(std::move(line));
        ++made;
      }
    }
  }
}

// ---- grpo

void export_prompts(const std::vector<View>& views, const ExportOptions& o, Output& out) {
  std::set<std::string> seen;
  for (const View& v : views) {
    const Result& r = *v.episode;
    if (!of_outcome(o, r)) {
      ++out.left_out["another outcome or score"];
      continue;
    }
    for (size_t i = 0; i < (o.turns ? v.turns.size() : 1); ++i) {
      const Turn& t = v.turns[i];
      if (t.reply->shared) continue;
      // The same words in another instance are another prompt: the environment goes on differently.
      if (!seen.insert(to_text(r.instance) + '\0' + r.seed + '\0' + history(v, t)).second) {
        ++out.left_out["prompts that were there"];
        continue;
      }
      Json line = Json::object();
      line.add("prompt", prompt(v, t));
      add_game(line, v);
      line.add("aside", t.reply->aside);
      line.add("instance", to_text(r.instance, {.indent = -1, .nan_as_null = true}));
      line.add("repeat", r.repeat);
      // What all players said before, so that an environment can be brought to this place; what the game gives it gives again.
      Json before = Json::list();
      for (const ResultEvent& e : r.events) {
        if (&e == t.reply) break;
        if (!is_reply(e) || e.given || r.players[e.player].scripted) continue;
        Json one = Json::object();
        one.add("role", r.players[e.player].role);
        one.add("text", e.text);
        before.push(std::move(one));
      }
      line.add("replies_before", to_text(before));
      add_source(line, v, "", static_cast<int64_t>(i), {t.reply});
      out.add(std::move(line));
    }
  }
}

}  // namespace

ExportSummary export_lines(const std::vector<std::string>& where, const ExportOptions& o, const std::function<void(Json&&)>& line) {
  std::vector<ResultPlace> places = find_results(where);
  std::vector<Result> episodes;
  std::string problems;
  size_t broken = 0;
  ExportSummary summary;
  Output out{o, line, summary, summary.left_out, {}};
  RecordedGames games("", "", o.resources);
  Worker worker;
  size_t unknown = 0;
  std::string why_unknown;
  for (const ResultPlace& place : places) {
    if (!o.games.empty() && !o.games.count(place.game)) {
      ++out.left_out["episodes of another game"];
      continue;
    }
    try {
      episodes.push_back(read_result(place, o.ids != ExportOptions::Ids::None));
      name_rules(episodes.back(), games, worker);
      if (!episodes.back().why_unknown.empty() && unknown++ == 0) why_unknown = episodes.back().why_unknown;
    } catch (const InputError& e) {
      if (++broken <= 20) problems += (problems.empty() ? "" : "\n") + std::string(e.what());
    }
  }
  if (broken > 20) problems += "\nand " + std::to_string(broken - 20) + " more";
  if (broken) throw InputError(problems);
  std::vector<View> views;
  for (const Result& r : episodes) {
    for (size_t p = 0; p < r.players.size(); ++p) {
      if (r.players[p].scripted) continue;
      View v;
      v.episode = &r;
      v.player = p;
      std::vector<const ResultEvent*> question;
      size_t message = 0;
      for (const ResultEvent& e : r.events) {
        if (e.kind == ResultEvent::Kind::Note) continue;
        const size_t index = message++;
        if (e.player != p) continue;
        if (is_reply(e) && !e.given) v.turns.push_back({&e, v.events.size(), e.aside ? question : std::vector<const ResultEvent*>(), index});
        if (is_reply(e)) question.clear();
        else if (e.aside) question.push_back(&e);
        if (!e.aside) v.events.push_back(&e);
      }
      if (!of_player(o, r, r.players[p])) ++out.left_out["another role or model"];
      else if (v.turns.empty()) ++out.left_out["said nothing"];
      else if (v.turns[0].before == 0 && v.turns[0].question.empty()) ++out.left_out["spoke before a prompt"];
      else views.push_back(std::move(v));
    }
  }
  switch (o.format) {
    case ExportOptions::Format::Sft: export_sft(views, o, out); break;
    case ExportOptions::Format::Grpo: export_prompts(views, o, out); break;
    case ExportOptions::Format::Dpo: o.turns ? export_turns(views, episodes, o, out) : export_dialogues(views, o, out); break;
  }
  if (!out.missing.empty()) {
    std::string all;
    size_t n = 0;
    for (const std::string& m : out.missing)
      if (++n <= 20) all += "\n" + m;
    if (n > 20) all += "\nand " + std::to_string(n - 20) + " more";
    throw InputError("no ids: not all that these said was sampled by a local model (local:DIR), or the record does not say it. Leave them out (--role, --model), or do without --ids" + all);
  }
  if (unknown) {
    summary.warning = "of " + std::to_string(unknown) + " episode" + (unknown == 1 ? "" : "s") + " nothing says which rules were broken" +
                      (unknown == 1 ? "" : ", of the first") + ": " + why_unknown;
  }
  summary.episodes = episodes.size();
  return summary;
}

std::string ExportSummary::describe() const {
  std::string why;
  for (const auto& [reason, n] : left_out) why += (why.empty() ? "; left out: " : ", ") + std::to_string(n) + " " + reason;
  return std::to_string(lines) + " line" + (lines == 1 ? "" : "s") + " from " + std::to_string(episodes) + " episode" + (episodes == 1 ? "" : "s") + why;
}

}  // namespace ppc::cli
