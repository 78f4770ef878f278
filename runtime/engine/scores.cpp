#include "runtime/engine/scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "runtime/abi/segment.h"

namespace ppc::engine {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void put(Scores::List& to, const std::string& name, Json value) {
  for (auto& [there, v] : to) {
    if (there == name) {
      v = std::move(value);
      return;
    }
  }
  to.emplace_back(name, std::move(value));
}
void put(Scores::List& to, const std::string& name, double value) { put(to, name, score_number(value)); }

constexpr const char* kRequests = "Request Count";
constexpr const char* kParsed = "Parsed Request Count";
constexpr const char* kViolated = "Violated Request Count";

const Json* find(const Scores::List& in, const std::string& name) {
  for (const auto& [there, v] : in)
    if (there == name) return &v;
  return nullptr;
}
double number(const Json* v) { return v && v->is_number() ? v->as_float() : kNan; }

/// What a game does not say itself of its requests follows from what it says: they are those that were parsed and those that
/// were not, and an episode has those of its turns.
void count_requests(Scores& scores, const std::set<std::string>& own) {
  bool in_turns = false;
  std::map<std::string, double> sums;
  for (auto& [t, values] : scores.turns) {
    const Json* parsed = find(values, kParsed);
    const Json* violated = find(values, kViolated);
    if (!parsed && !violated) continue;
    in_turns = true;
    const auto first = std::find_if(values.begin(), values.end(), [](const auto& v) { return v.first == kParsed || v.first == kViolated; });
    double both = 0;
    for (const auto& [name, value] : {std::pair{kParsed, parsed}, {kViolated, violated}}) {
      if (!value) continue;
      sums[name] += number(value);
      both += number(value);
    }
    if (!find(values, kRequests)) values.insert(first, {kRequests, score_number(both)});
  }
  if (in_turns)
    for (const auto& [name, sum] : sums)
      if (!own.contains(name)) put(scores.episode, name, sum);
  if (!own.contains(kRequests) && (in_turns || own.contains(kParsed) || own.contains(kViolated)))
    put(scores.episode, kRequests, scores.get(kParsed) + scores.get(kViolated));
}

}  // namespace

Json score_number(double d) {
  if (std::isfinite(d) && d == std::floor(d) && std::fabs(d) < 1e15) return Json(static_cast<int64_t>(d));
  return Json(d);
}

double Scores::get(const std::string& name) const {
  for (const auto& [there, v] : episode)
    if (there == name && v.is_number()) return v.as_float();
  return kNan;
}

Json Scores::to_json() const {
  Json json = Json::object();
  Json& by_turn = json.add("turn scores", Json::object());
  for (const auto& [t, values] : turns) {
    Json& at = by_turn.add(std::to_string(t), Json::object());
    for (const auto& [name, value] : values) at.add(name, value);
  }
  Json& all = json.add("episode scores", Json::object());
  for (const auto& [name, value] : episode) all.add(name, value);
  if (!notes.empty()) {
    Json list = Json::list();
    for (const std::string& n : notes) list.push(Json(n));
    json.add("notes", std::move(list));
  }
  return json;
}

Scores score(Worker& worker, const Episode& episode) {
  const ppc_state& s = episode.state();
  const GameModule& module = *episode.setting().module;
  const Manifest& m = module.manifest();
  Scores out;
  put(out.episode, "Aborted", s.outcome == PPC_ABORTED);
  put(out.episode, "Success", s.outcome == PPC_WON);
  put(out.episode, "Lose", s.outcome == PPC_LOST);
  put(out.episode, "Main Score", s.outcome == PPC_ABORTED ? kNan : s.score);
  put(out.episode, "Request Count", s.requests);
  put(out.episode, "Parsed Request Count", s.parsed);
  put(out.episode, "Violated Request Count", s.violated);
  put(out.episode, "Request Success Ratio", kNan);
  std::set<std::string> own;  // the names of the game's own episode scores
  std::string fault;
  for (const MetricInfo& metric : m.metrics) {
    auto note = [&](const std::string& at) {
      out.notes.push_back((metric.family ? "a family of metrics" : "metric `" + metric.name + "`") + at + ": " + fault);
    };
    // One number, or what the metric tells, under the metric's name, or a family's numbers under theirs; a fault in a family leaves no names.
    auto take = [&](Scores::List& to, std::optional<int64_t> v) {
      auto put = [&](Scores::List& list, const std::string& name, auto value) {
        if (&list == &out.episode) own.insert(name);
        engine::put(list, name, value);
      };
      if (metric.tells) return put(to, metric.name, v ? encode(module, worker.ctx(), *metric.tells, *v) : Json(kNan));
      if (!metric.family) return put(to, metric.name, v ? rt::float_of(*v) : kNan);
      const bool ints = m.types[m.types[*metric.family].args[1]].kind == "int";
      for (uint32_t i = 0, n = v ? rt::map_length(worker.ctx(), *v) : 0; i < n; ++i) {
        const int64_t x = rt::map_value(worker.ctx(), *v, i);
        put(to, std::string(rt::view(worker.ctx(), rt::map_key(worker.ctx(), *v, i))), ints ? static_cast<double>(x) : rt::float_of(x));
      }
    };
    if (!metric.value_entry) {
      const auto v = episode.evaluate(worker, metric.entry, nullptr, &fault);
      if (!v) note("");
      take(out.episode, v);
      continue;
    }
    const auto list = episode.evaluate(worker, metric.entry, nullptr, &fault);
    if (!list) {
      note("");
      continue;
    }
    std::vector<int64_t> ts;
    for (uint32_t i = 0, n = rt::list_length(worker.ctx(), *list); i < n; ++i) ts.push_back(rt::list_item(worker.ctx(), *list, i));
    for (const int64_t t : ts) {
      const auto v = episode.evaluate(worker, *metric.value_entry, &t, &fault);
      if (!v) note(" at " + std::to_string(t));
      take(out.turns[t], v);
    }
  }
  count_requests(out, own);
  if (!own.contains("Request Success Ratio")) {
    const double requests = out.get("Request Count");
    put(out.episode, "Request Success Ratio", requests == 0 ? 0 : out.get("Parsed Request Count") / requests);
  }
  for (const KeyInfo& key : m.keys) {
    const auto v = episode.evaluate(worker, key.entry, nullptr, &fault);
    if (!v) out.notes.push_back("key `" + key.name + "`: " + fault);
    out.keys.emplace_back(key.name, v ? encode(module, worker.ctx(), key.type, *v) : Json());
  }
  return out;
}

}  // namespace ppc::engine
