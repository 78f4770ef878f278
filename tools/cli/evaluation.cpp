#include "tools/cli/evaluation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <set>

#include "runtime/engine/fnv.h"
#include "runtime/engine/splitmix.h"
#include "tools/cli/text.h"

namespace ppc::cli {

using namespace engine;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// Mean of what is there, summed with compensation as pandas does; NaN of nothing.
class Mean {
 public:
  void add(double v) {
    if (std::isnan(v)) return;
    const double y = v - lost_, t = sum_ + y;
    lost_ = t - sum_ - y;
    if (std::isnan(lost_)) lost_ = 0;
    sum_ = t;
    ++n_;
  }
  double value() const { return n_ ? sum_ / static_cast<double>(n_) : kNan; }

 private:
  double sum_ = 0, lost_ = 0;
  size_t n_ = 0;
};

/// Of a sample (n - 1), in one pass (Welford); NaN for fewer than two.
double deviation(const std::vector<EpisodeScore>& episodes) {
  double mean = 0, squares = 0;
  size_t n = 0;
  for (const EpisodeScore& e : episodes) {
    if (std::isnan(e.main)) continue;
    ++n;
    const double before = mean;
    mean += (e.main - before) / static_cast<double>(n);
    squares += (e.main - mean) * (e.main - before);
  }
  return n < 2 ? kNan : std::sqrt(squares / static_cast<double>(n - 1));
}

/// What pandas' to_numeric makes of a score. Throws InputError for what is no number.
double score_value(const Json& v, const std::string& where, const char* metric) {
  if (v.is_number()) return v.as_float();
  if (v.is_bool()) return v.as_bool() ? 1 : 0;
  if (v.is_null()) return kNan;
  if (v.is_text()) {
    std::string s = v.as_text();
    for (char& c : s) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (s.empty() || s == "nan") return kNan;
    double d = 0;
    const auto r = std::from_chars(s.data(), s.data() + s.size(), d);
    if (r.ec == std::errc() && r.ptr == s.data() + s.size()) return d;
  }
  throw InputError(where + ": `episode scores." + metric + "`: expected a number or NaN, found " + describe(v));
}

// ---- bootstrap


/// numpy's default quantile: linear between the two nearest.
double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto i = static_cast<size_t>(std::floor(at));
  if (i + 1 >= sorted.size()) return sorted.back();
  return sorted[i] + (sorted[i + 1] - sorted[i]) * (at - static_cast<double>(i));
}
Interval interval(std::vector<double> values, double confidence) {
  std::erase_if(values, [](double d) { return std::isnan(d); });
  if (values.empty()) return {kNan, kNan};
  std::sort(values.begin(), values.end());
  const double tail = (1 - confidence / 100) / 2;
  return {quantile(values, tail), quantile(values, 1 - tail)};
}

void bootstrap(Row& row, const EvaluationOptions& options) {
  const size_t n = options.bootstrap;
  row.played_interval = row.quality_interval = row.clemscore_interval = {kNan, kNan};
  for (auto& [game, cell] : row.games) cell.played_interval = cell.quality_interval = {kNan, kNan};
  if (n == 0) return;
  std::vector<double> played(n), quality(n), clemscore(n);
  std::vector<Mean> all_played(n), all_quality(n);
  for (auto& [game, cell] : row.games) {
    // A stream of its own for each game of a model: one more model or game in the folder leaves the others as they are.
    const uint64_t stream = split_mix(options.seed ^ split_mix(fnv1a(row.model) ^ split_mix(fnv1a(game))));
    const uint64_t size = cell.episodes.size();
    uint64_t counter = 0;
    for (size_t b = 0; b < n; ++b) {
      Mean p, q;
      for (uint64_t i = 0; i < size; ++i) {
        const uint64_t random = split_mix(stream + counter++);
        const EpisodeScore& e = cell.episodes[static_cast<size_t>((static_cast<unsigned __int128>(random) * size) >> 64)];
        p.add(e.played);
        q.add(e.main);
      }
      played[b] = 100 * p.value();
      quality[b] = q.value();
      all_played[b].add(played[b]);
      all_quality[b].add(quality[b]);
    }
    cell.played_interval = interval(played, options.confidence);
    cell.quality_interval = interval(quality, options.confidence);
  }
  for (size_t b = 0; b < n; ++b) {
    played[b] = all_played[b].value();
    quality[b] = all_quality[b].value();
    clemscore[b] = played[b] / 100 * quality[b];
  }
  row.played_interval = interval(played, options.confidence);
  row.quality_interval = interval(quality, options.confidence);
  row.clemscore_interval = interval(clemscore, options.confidence);
}

// ---- decomposition

/// 100 - clemscore, given to the games and to the outcomes of their episodes; the parts sum up to it exactly. What is due to
/// both factors, (1-P)(1-Q), is shared equally between them.
void decompose(Row& row) {
  Mean mean_played, mean_quality;
  double games_played = 0, games_quality = 0;
  for (const auto& [game, cell] : row.games) {
    mean_played.add(cell.exact_played / 100);
    mean_quality.add(cell.exact_quality / 100);
    games_played += !std::isnan(cell.exact_played);
    games_quality += !std::isnan(cell.exact_quality);
  }
  const double p = mean_played.value(), q = mean_quality.value();
  row.exact_clemscore = 100 * p * q;
  const double share_of_aborts = std::isnan(q) ? 1 : (1 + q) / 2;
  const double share_of_quality = std::isnan(p) ? 1 : (1 + p) / 2;
  for (auto& [game, cell] : row.games) {
    double played = 0, scored = 0;
    for (const EpisodeScore& e : cell.episodes) played += !std::isnan(e.played), scored += !std::isnan(e.main);
    std::map<std::string, std::pair<Share, std::pair<Mean, Mean>>, decltype(&natural_less)> experiments(natural_less);
    for (EpisodeScore& e : cell.episodes) {
      auto& [share, means] = experiments[e.place->experiment];
      double aborted = 0, quality = 0;
      if (!std::isnan(e.played)) aborted = (1 - e.played) * 100 / played / games_played * share_of_aborts;
      if (!std::isnan(e.main)) quality = (100 - e.main) / scored / games_quality * share_of_quality;
      e.points_lost = aborted + quality;
      for (Share* s : {&share, &cell.all}) {
        ++s->episodes;
        s->lost_to_aborted += aborted;
        switch (e.outcome) {
          case EpisodeScore::Outcome::Won: ++s->won, s->lost_to_won += quality; break;
          case EpisodeScore::Outcome::Aborted: ++s->aborted, s->lost_to_aborted += quality; break;
          case EpisodeScore::Outcome::Lost: ++s->lost, s->lost_to_lost += quality; break;
          case EpisodeScore::Outcome::Unknown: ++s->unknown, s->lost_to_lost += quality; break;
        }
      }
      means.first.add(e.played);
      means.second.add(e.main);
    }
    cell.all.played = cell.played;
    cell.all.quality = cell.quality;
    for (auto& [name, experiment] : experiments) {
      experiment.first.played = round2(experiment.second.first.value() * 100);
      experiment.first.quality = round2(experiment.second.second.value());
      cell.experiments.emplace_back(name, experiment.first);
    }
  }
}

}  // namespace

double round2(double v) { return std::nearbyint(v * 100) / 100; }

Evaluation evaluate(const std::vector<ResultPlace>& places, const EvaluationOptions& options) {
  Evaluation out;
  std::map<std::string, Row> rows;
  std::set<std::string> games, seen;
  std::string problems;
  size_t wrong = 0;
  for (const ResultPlace& place : places) {
    if (place.scores.empty() && place.lines.empty()) continue;
    if (place.parent) {
      ++out.branches;
      continue;
    }
    if (!seen.insert(place.record()).second) {
      std::fprintf(stderr, "warning: %s: there is already an episode %s; this one does not count\n", place.name().c_str(), place.record().c_str());
      continue;
    }
    const std::string where = place.scores.empty() ? place.name() : place.scores;
    try {
      const Json scores = read_episode_scores(place);
      EpisodeScore e;
      e.played = e.main = kNan;
      if (scores.find("Played")) throw InputError(where + ": `episode scores.Played`: is made from Aborted here, a game must not have it");
      const Json* aborted = scores.find("Aborted");
      const Json* main = scores.find("Main Score");
      auto one = [&](const char* metric) {
        const Json* v = scores.find(metric);
        return v && score_value(*v, where, metric) == 1;
      };
      if (aborted) {
        if (!aborted->is_number() && !aborted->is_bool()) {
          throw InputError(where + ": `episode scores.Aborted`: expected 0 or 1, found " + describe(*aborted));
        }
        e.played = 1 - score_value(*aborted, where, "Aborted");
      }
      if (main) e.main = score_value(*main, where, "Main Score");
      e.outcome = one("Aborted")   ? EpisodeScore::Outcome::Aborted
                  : one("Success") ? EpisodeScore::Outcome::Won
                  : one("Lose")    ? EpisodeScore::Outcome::Lost
                                   : EpisodeScore::Outcome::Unknown;
      std::set<std::string> names;
      for (const Json::Member& m : scores.members()) {
        if (names.insert(m.key).second) out.raw.push_back({place.game, place.models, place.experiment, place.episode, m.key, *scores.find(m.key)});
      }
      ++out.episodes;
      if (!aborted && !main) continue;
      games.insert(place.game);
      Row& row = rows[place.models];
      row.model = place.models;
      Cell& cell = row.games[place.game];
      cell.has_played = cell.has_played || aborted;
      cell.has_quality = cell.has_quality || main;
      e.place = &place;
      cell.episodes.push_back(e);
    } catch (const InputError& e) {
      if (++wrong <= 20) problems += (problems.empty() ? "" : "\n") + std::string(e.what());
    }
  }
  if (wrong > 20) problems += "\nand " + std::to_string(wrong - 20) + " more";
  if (wrong) throw InputError(problems);
  if (rows.empty()) throw InputError("no scores there; `ppc score DIR --write` computes them");
  const size_t logged = out.raw.size();
  for (size_t i = 0; i < logged; ++i) {
    if (out.raw[i].metric != "Aborted") continue;
    RawScore played = out.raw[i];
    played.metric = "Played";
    if (played.value.is_bool()) played.value = Json(int64_t{!played.value.as_bool()});
    else if (played.value.is_int()) played.value = Json(1 - played.value.as_int());
    else played.value = Json(1 - played.value.as_float());
    out.raw.push_back(std::move(played));
  }
  out.games.assign(games.begin(), games.end());
  for (auto& [model, row] : rows) {
    Mean all_played, all_quality;
    for (auto& [game, cell] : row.games) {
      Mean played, quality;
      for (const EpisodeScore& e : cell.episodes) {
        played.add(e.played);
        quality.add(e.main);
      }
      cell.exact_played = played.value() * 100;
      cell.exact_quality = quality.value();
      cell.played = round2(cell.exact_played);
      cell.quality = round2(cell.exact_quality);
      cell.deviation = round2(deviation(cell.episodes));
      all_played.add(cell.played);
      all_quality.add(cell.quality);
    }
    row.played = round2(all_played.value());
    row.quality = round2(all_quality.value());
    row.clemscore = round2(row.played / 100 * row.quality);
    decompose(row);
    bootstrap(row, options);
    out.rows.push_back(std::move(row));
  }
  if (options.by_clemscore) {
    std::stable_sort(out.rows.begin(), out.rows.end(), [](const Row& a, const Row& b) {
      if (std::isnan(a.clemscore) || std::isnan(b.clemscore)) return !std::isnan(a.clemscore) && std::isnan(b.clemscore);
      return a.clemscore > b.clemscore;
    });
  }
  return out;
}

namespace {

std::string number(double d) { return std::isnan(d) ? std::string() : python_number(d); }

struct Column {
  std::string game, metric;
  bool operator<(const Column& other) const { return game != other.game ? game < other.game : metric < other.metric; }
};

}  // namespace

std::string results_csv(const Evaluation& evaluation, bool with_deviation) {
  // Columns are there when any model has them, in the order of (game, metric); "all" is a game among the others.
  std::set<Column> columns;
  for (const Row& row : evaluation.rows) {
    for (const auto& [game, cell] : row.games) {
      if (cell.has_played) columns.insert({game, "% Played"}), columns.insert({"all", "Average % Played"});
      if (cell.has_quality) columns.insert({game, "Quality Score"}), columns.insert({"all", "Average Quality Score"});
      if (cell.has_quality && with_deviation) columns.insert({game, "Quality Score (std)"});
    }
  }
  std::string out = "," + csv_field("-, clemscore");
  for (const Column& c : columns) out += "," + csv_field(c.game + ", " + c.metric);
  out += "\n";
  for (const Row& row : evaluation.rows) {
    out += csv_field(row.model) + "," + number(row.clemscore);
    for (const Column& c : columns) {
      out += ",";
      if (c.metric == "Average % Played") out += number(row.played);
      else if (c.metric == "Average Quality Score") out += number(row.quality);
      else if (const auto it = row.games.find(c.game); it != row.games.end()) {
        const Cell& cell = it->second;
        out += number(c.metric == "% Played" ? cell.played : c.metric == "Quality Score" ? cell.quality : cell.deviation);
      }
    }
    out += "\n";
  }
  return out;
}

std::string raw_csv(const Evaluation& evaluation) {
  std::string out = ",game,model,experiment,episode,metric,value\n";
  size_t i = 0;
  for (const RawScore& r : evaluation.raw) {
    std::string value;
    // Numbers are floats, as pandas has them in a column with NaN.
    try {
      value = number(score_value(r.value, "", ""));
    } catch (const InputError&) {
      value = r.value.is_text() ? r.value.as_text() : to_text(r.value);
    }
    out += std::to_string(i++);
    for (const std::string* s : {&r.game, &r.model, &r.experiment, &r.episode, &r.metric}) out += "," + csv_field(*s);
    out += "," + csv_field(value) + "\n";
  }
  return out;
}

std::string details_csv(const Evaluation& evaluation) {
  std::string out = "model,game,experiment,quantity,value,low,high,episodes\n";
  for (const Row& row : evaluation.rows) {
    auto line = [&](const std::string& game, const std::string& experiment, const char* quantity, double value, const Interval* i, size_t n) {
      out += csv_field(row.model) + "," + csv_field(game) + "," + csv_field(experiment) + "," + quantity + "," + number(value) + "," + (i ? number(i->low) : "") + "," +
             (i ? number(i->high) : "") + "," + std::to_string(n) + "\n";
    };
    size_t all = 0;
    for (const auto& [game, cell] : row.games) all += cell.episodes.size();
    line("all", "all", "clemscore", row.exact_clemscore, &row.clemscore_interval, all);
    line("all", "all", "% Played", row.played, &row.played_interval, all);
    line("all", "all", "Quality Score", row.quality, &row.quality_interval, all);
    for (const auto& [game, cell] : row.games) {
      const size_t n = cell.episodes.size();
      line(game, "all", "% Played", cell.exact_played, &cell.played_interval, n);
      line(game, "all", "Quality Score", cell.exact_quality, &cell.quality_interval, n);
      auto share = [&](const std::string& experiment, const Share& s) {
        line(game, experiment, "won", static_cast<double>(s.won), nullptr, s.episodes);
        line(game, experiment, "lost", static_cast<double>(s.lost), nullptr, s.episodes);
        line(game, experiment, "aborted", static_cast<double>(s.aborted), nullptr, s.episodes);
        line(game, experiment, "points lost to aborted episodes", s.lost_to_aborted, nullptr, s.episodes);
        line(game, experiment, "points lost to lost episodes", s.lost_to_lost, nullptr, s.episodes);
        line(game, experiment, "points lost to won episodes below 100", s.lost_to_won, nullptr, s.episodes);
      };
      share("all", cell.all);
      for (const auto& [experiment, s] : cell.experiments) {
        line(game, experiment, "% Played", s.played, nullptr, s.episodes);
        line(game, experiment, "Quality Score", s.quality, nullptr, s.episodes);
        share(experiment, s);
      }
    }
  }
  return out;
}

}  // namespace ppc::cli
