#include "tools/cli/eval_page.h"

#include <algorithm>
#include <cmath>

#include "runtime/web/page.h"
#include "runtime/web/table.h"
#include "tools/cli/text.h"

namespace ppc::cli {
namespace {

constexpr const char* kStyle = R"(
.bars{display:grid;gap:.7rem;margin:.8rem 0}
.bar .name{display:flex;justify-content:space-between;gap:1rem;font-size:.9rem}
.bar .name span:first-child{overflow-wrap:anywhere}
.bar .name span:last-child{white-space:nowrap;font-variant-numeric:tabular-nums}
svg{display:block;max-width:100%}
.bar svg{width:100%;height:18px;border-radius:3px;background:var(--soft)}
.per-game{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,340px),1fr));gap:1.2rem 2rem}
.per-game h3{margin:.4rem 0}.per-game .bars{gap:.5rem;margin:.2rem 0}.per-game .bar svg{height:12px}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;font-size:.85rem;margin:.5rem 0}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em;vertical-align:-.05em}
.f-score{fill:var(--score)}.f-won{fill:var(--won)}.f-lost{fill:var(--lost)}.f-aborted{fill:var(--aborted)}.f-unknown{fill:var(--unknown)}
.b-score{background:var(--score)}.b-won{background:var(--won)}.b-lost{background:var(--lost)}.b-aborted{background:var(--aborted)}
.halo{stroke:var(--back);stroke-width:5;vector-effect:non-scaling-stroke;opacity:.75}
.whisker{stroke:var(--text);stroke-width:2;vector-effect:non-scaling-stroke}
.plot{width:100%;max-width:620px}
.plot text{fill:var(--text);font-size:13px;font-family:inherit}.plot .tick{fill:var(--dim);font-size:12px}
.plot .grid{stroke:var(--line);stroke-width:1;fill:none}.plot .iso{stroke:var(--dim);stroke-width:1;stroke-dasharray:3 4;fill:none}
.plot .spread{stroke:var(--score);stroke-width:1.5;opacity:.55}
ol.names{columns:2;font-size:.85rem;padding-left:1.6rem;margin:.5rem 0}ol.names li{overflow-wrap:anywhere}
@media(max-width:640px){ol.names{columns:1}}
@media(max-width:640px){.plot text{font-size:18px}.plot .tick{font-size:16px}}
)";

std::string n2(double d) { return fixed(d, 2); }

std::string range(const Interval& i) {
  return std::isnan(i.low) ? "" : " <span class=\"dim small\">[" + n2(i.low) + ", " + n2(i.high) + "]</span>";
}

struct Part {
  const char* colour;  // class behind "f-"
  double size;
  std::string title;
};

/// A bar of 0..100, with a whisker.
std::string bar(const std::vector<Part>& parts, const Interval* whisker) {
  std::string out = "<svg viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" role=\"img\">";
  double x = 0;
  for (const Part& p : parts) {
    if (!(p.size > 0)) continue;
    out += "<rect class=\"f-" + std::string(p.colour) + "\" x=\"" + fixed(x, 3) + "\" y=\"0\" width=\"" + fixed(p.size, 3) + "\" height=\"10\"><title>" +
           html(p.title) + "</title></rect>";
    x += p.size;
  }
  if (whisker && !std::isnan(whisker->low)) {
    const std::string low = fixed(whisker->low, 3), high = fixed(whisker->high, 3);
    const std::string d = "M" + low + " 2V8M" + low + " 5H" + high + "M" + high + " 2V8";
    for (const char* name : {"halo", "whisker"}) out += "<path class=\"" + std::string(name) + "\" fill=\"none\" d=\"" + d + "\"/>";
  }
  return out + "</svg>";
}

std::string scores(const Evaluation& e) {
  std::vector<const Row*> rows;
  for (const Row& row : e.rows) rows.push_back(&row);
  std::stable_sort(rows.begin(), rows.end(), [](const Row* a, const Row* b) {
    const double x = std::isnan(a->clemscore) ? -1e300 : a->clemscore, y = std::isnan(b->clemscore) ? -1e300 : b->clemscore;
    return x > y;
  });
  std::string out = "<h2>clemscore, and what it lost</h2>\n<div class=\"legend\"><span><i class=\"b-score\"></i>clemscore</span>"
                    "<span><i class=\"b-aborted\"></i>lost to aborted episodes</span><span><i class=\"b-lost\"></i>to lost episodes</span>"
                    "<span><i class=\"b-won\"></i>to won episodes below 100</span></div>\n<div class=\"bars\">\n";
  for (const Row* row : rows) {
    double aborted = 0, lost = 0, won = 0;
    for (const auto& [game, c] : row->games) aborted += c.all.lost_to_aborted, lost += c.all.lost_to_lost, won += c.all.lost_to_won;
    const double score = std::isnan(row->exact_clemscore) ? 0 : row->exact_clemscore;
    out += "<div class=\"bar\"><div class=\"name\"><span>" + html(row->model) + "</span><span><b>" + n2(row->clemscore) + "</b>" + range(row->clemscore_interval) +
           "</span></div>" +
           bar({{"score", score, "clemscore " + n2(score)},
                {"aborted", aborted, n2(aborted) + " points lost to aborted episodes"},
                {"lost", lost, n2(lost) + " points lost to lost episodes"},
                {"won", won, n2(won) + " points lost to won episodes below 100"}},
               &row->clemscore_interval) +
           "</div>\n";
  }
  return out + "</div>\n";
}

std::string scatter(const Evaluation& e) {
  // Points 0..100 to a square of 500 with room for the axes.
  auto x = [](double v) { return fixed(50 + v * 5, 1); };
  auto y = [](double v) { return fixed(520 - v * 5, 1); };
  std::string out = "<h2>% Played against Quality Score</h2>\n<p class=\"small dim\">Averages over games; dashed: the same clemscore. Lines: intervals.</p>\n"
                    "<svg class=\"plot\" viewBox=\"-16 0 598 570\" role=\"img\" aria-label=\"scatter plot\">";
  for (int v = 0; v <= 100; v += 20) {
    out += "<path class=\"grid\" d=\"M" + x(v) + " " + y(0) + "V" + y(100) + "M" + x(0) + " " + y(v) + "H" + x(100) + "\"/>";
    out += "<text class=\"tick\" text-anchor=\"middle\" x=\"" + x(v) + "\" y=\"537\">" + std::to_string(v) + "</text>";
    out += "<text class=\"tick\" text-anchor=\"end\" x=\"44\" y=\"" + fixed(524 - v * 5, 1) + "\">" + std::to_string(v) + "</text>";
  }
  for (int c = 20; c <= 80; c += 20) {
    std::string path;
    for (int v = c; v <= 100; v += 2) path += (path.empty() ? "M" : "L") + x(v) + " " + y(100.0 * c / v);
    out += "<path class=\"iso\" d=\"" + path + "\"/><text class=\"tick\" x=\"" + x(100.6) + "\" y=\"" + fixed(520 - c * 5 + 4, 1) + "\">" +
           std::to_string(c) + "</text>";
  }
  out += "<text text-anchor=\"middle\" x=\"300\" y=\"560\">average % Played</text>"
         "<text text-anchor=\"middle\" transform=\"translate(2 270) rotate(-90)\">average Quality Score</text>";
  std::string names;
  size_t k = 0;
  for (const Row& row : e.rows) {
    ++k;
    names += "<li>" + html(row.model) + "</li>";
    if (std::isnan(row.played) || std::isnan(row.quality)) continue;
    auto clip = [](double v) { return std::clamp(v, 0.0, 100.0); };
    const double p = clip(row.played), q = clip(row.quality);
    if (!std::isnan(row.played_interval.low)) {
      out += "<path class=\"spread\" d=\"M" + x(clip(row.played_interval.low)) + " " + y(q) + "H" + x(clip(row.played_interval.high)) + "\"/>";
    }
    if (!std::isnan(row.quality_interval.low)) {
      out += "<path class=\"spread\" d=\"M" + x(p) + " " + y(clip(row.quality_interval.low)) + "V" + y(clip(row.quality_interval.high)) + "\"/>";
    }
    out += "<circle class=\"f-score\" r=\"5\" cx=\"" + x(p) + "\" cy=\"" + y(q) + "\"><title>" + html(row.model) + ": % Played " + n2(row.played) +
           ", Quality Score " + n2(row.quality) + "</title></circle>";
    const bool right = p < 92;
    out += "<text text-anchor=\"" + std::string(right ? "start" : "end") + "\" x=\"" + fixed(50 + p * 5 + (right ? 8 : -8), 1) + "\" y=\"" + fixed(520 - q * 5 - 6, 1) +
           "\">" + std::to_string(k) + "</text>";
  }
  return out + "</svg>\n<ol class=\"names\">" + names + "</ol>\n";
}

std::string outcomes(const Evaluation& e) {
  std::string out = "<h2>Games</h2>\n<div class=\"legend\"><span><i class=\"b-won\"></i>won</span><span><i class=\"b-lost\"></i>lost</span>"
                    "<span><i class=\"b-aborted\"></i>aborted</span></div>\n<div class=\"per-game\">\n";
  for (const std::string& game : e.games) {
    out += "<section><h3>" + html(game) + "</h3><div class=\"bars\">\n";
    for (const Row& row : e.rows) {
      const auto it = row.games.find(game);
      if (it == row.games.end()) continue;
      const Cell& c = it->second;
      const double n = static_cast<double>(c.episodes.size()) / 100;
      auto part = [&](const char* name, size_t count) {
        return Part{name, static_cast<double>(count) / n, std::to_string(count) + " of " + std::to_string(c.episodes.size()) + " " + name};
      };
      out += "<div class=\"bar\"><div class=\"name small\"><span>" + html(row.model) + "</span><span title=\"Quality Score\">" + n2(c.quality) + "</span></div>" +
             bar({part("won", c.all.won), part("lost", c.all.lost), part("aborted", c.all.aborted), part("unknown", c.all.unknown)}, nullptr) + "</div>\n";
    }
    out += "</div></section>\n";
  }
  return out + "</div>\n<p class=\"small dim\">The number is the Quality Score.</p>\n";
}

std::string tables(const Evaluation& e) {
  using C = web::Column;
  web::Table all({{"model", C::Name}, {"clemscore", C::Range}, {"average % Played", C::Range}, {"average Quality Score", C::Range}});
  for (const Row& row : e.rows) {
    all.row({html(row.model), "<b>" + n2(row.clemscore) + "</b>" + range(row.clemscore_interval), n2(row.played) + range(row.played_interval),
             n2(row.quality) + range(row.quality_interval)});
  }
  std::string out = "<h2>Table</h2>\n" + all.done();
  web::Table games({{"model", C::Name}, {"episodes", C::Number}, {"won", C::Number}, {"lost", C::Number}, {"aborted", C::Number}, {"% Played", C::Range},
               {"Quality Score", C::Range}, {"std", C::Number}, {"− aborted", C::Number, "points of the clemscore lost to aborted episodes"},
               {"− lost", C::Number, "to lost ones"}, {"− won", C::Number, "to won ones below 100"}});
  web::Table experiments({{"experiment", C::Name}, {"model", C::Text}, {"episodes", C::Number}, {"won", C::Number}, {"lost", C::Number}, {"aborted", C::Number},
                     {"% Played", C::Number}, {"Quality Score", C::Number}, {"points lost", C::Number, "of the clemscore"}});
  for (const std::string& game : e.games) {
    for (const Row& row : e.rows) {
      const auto it = row.games.find(game);
      if (it == row.games.end()) continue;
      const Cell& c = it->second;
      auto n = [](size_t k) { return std::to_string(k); };
      games.group(game);
      games.row({html(row.model), n(c.episodes.size()), n(c.all.won), n(c.all.lost), n(c.all.aborted), n2(c.played) + range(c.played_interval),
                 n2(c.quality) + range(c.quality_interval), n2(c.deviation), n2(c.all.lost_to_aborted), n2(c.all.lost_to_lost), n2(c.all.lost_to_won)});
      experiments.group(game);
      for (const auto& [experiment, x] : c.experiments) {
        experiments.row({html(experiment), html(row.model), n(x.episodes), n(x.won), n(x.lost), n(x.aborted), n2(x.played), n2(x.quality),
                         n2(x.lost_to_aborted + x.lost_to_lost + x.lost_to_won)});
      }
    }
  }
  return out + "<h2>By game</h2>\n" + games.done() +
         "<p class=\"small dim\">The last three columns: points of the clemscore that the game lost to its aborted episodes, to its lost ones, "
         "and to won ones below 100. Score and losses make 100.</p>\n<h2>By experiment</h2>\n" + experiments.done();
}

std::string reason_tables(const Reasons& reasons) {
  using C = web::Column;
  std::string out;
  if (!reasons.endings.empty()) {
    web::Table table({{"reason", C::Name}, {"model", C::Text}, {"outcome", C::Text}, {"episodes", C::Number}, {"points lost", C::Number, "of the clemscore"}});
    for (const Reasons::Line& l : reasons.endings) {
      const std::string outcome = l.outcome == "aborted" ? "aborted" : "lost";
      table.group(l.game);
      table.row({html(l.what), html(l.model), "<span class=\"" + outcome + "\">" + outcome + "</span>", std::to_string(l.count), n2(l.points)});
    }
    out += "<h2>Why episodes were lost or aborted</h2>\n" + table.done();
  }
  if (reasons.unknown) out += "<p class=\"small dim\">Of " + std::to_string(reasons.unknown) + " of the episodes nothing says which rules were broken.</p>\n";
  if (!reasons.rules.empty()) {
    web::Table table({{"rule", C::Name}, {"model", C::Text}, {"replies", C::Number}});
    for (const Reasons::Line& l : reasons.rules) {
      table.group(l.game);
      table.row({html(l.what), html(l.model), std::to_string(l.count)});
    }
    out += "<h2>Rules that were broken</h2>\n" + table.done();
  }
  return out;
}

}  // namespace

std::string evaluation_page(const Evaluation& e, const Reasons& reasons, const EvaluationOptions& options) {
  std::string body = "<h1>Results</h1>\n<p class=\"dim\">" + std::to_string(e.episodes) + " episodes, " + (e.branches ? std::to_string(e.branches) + " branches left out, " : "") + std::to_string(e.games.size()) + " games, " +
                     std::to_string(e.rows.size()) + " models. clemscore = (average % Played / 100) × average Quality Score, over games.";
  if (options.bootstrap) {
    body += " In brackets: " + fixed(options.confidence, options.confidence == std::floor(options.confidence) ? 0 : 2) + " % intervals from " +
            std::to_string(options.bootstrap) + " bootstrap samples of the episodes, seed " + std::to_string(options.seed) + ".";
  }
  body += "</p>\n" + scores(e) + scatter(e) + outcomes(e) + tables(e) + reason_tables(reasons);
  return web::page("Results", std::string(kStyle) + web::kTableStyle, body);
}

}  // namespace ppc::cli
