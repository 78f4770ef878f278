#include "trainers/report/report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <stdexcept>

#include "runtime/web/page.h"
#include "runtime/web/table.h"
#include "runtime/web/text.h"
#include "trainers/report/chart.h"

namespace ppc::report {
namespace {

using web::fixed;
using web::html;

constexpr size_t kMostCurves = 6;

constexpr const char* kStyle = R"(
.facts{display:flex;flex-wrap:wrap;gap:.2rem 1.6rem;margin:.5rem 0 1rem;font-size:.9rem}.facts b{font-weight:600}.facts span{overflow-wrap:anywhere}
.say{border-left:3px solid var(--lost);padding:.3rem .8rem;margin:.6rem 0}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,330px),1fr));gap:1.4rem 1.6rem;margin:.6rem 0}
.charts section{min-width:0}.charts h3{margin:0 0 .15rem}
.charts p{font-size:.8rem;color:var(--dim);margin:.1rem 0 .3rem;line-height:1.35}
.legend{display:flex;flex-wrap:wrap;gap:.05rem .9rem;font-size:.82rem;margin:0 0 .2rem}
.legend span{overflow-wrap:anywhere}.legend b{font-variant-numeric:tabular-nums}
.legend i{display:inline-block;width:.7em;height:.7em;border-radius:50%;background:currentColor;margin-right:.35em}
.legend em{font-style:normal;color:var(--text)}
.strip{display:block;width:220px;max-width:100%}.strip .axis{stroke:var(--line);stroke-width:1}
.strip .whisker{stroke:currentColor;stroke-width:2}.strip circle{fill:currentColor}
.up{color:var(--won)}.down{color:var(--aborted)}
details>summary{cursor:pointer;padding:.45rem 0}
details.sample{border-bottom:1px solid var(--line)}details.sample>summary{font-weight:600;overflow-wrap:anywhere}
.side{border-top:2px solid var(--line);margin-top:1rem}
pre{overflow-x:auto;background:var(--soft);border:1px solid var(--line);border-radius:6px;padding:.7rem .9rem;font-size:.82rem}
)";

std::string interval(const Estimate& e) {
  return std::isnan(e.low) ? "" : " <span class=\"dim small\">[" + fixed(e.low, 2) + ", " + fixed(e.high, 2) + "]</span>";
}

/// How intervals lie: 1 above the other, -1 below, 0 neither is sure.
int apart(const Estimate& a, const Estimate& from) {
  if (a.low > from.high) return 1;
  if (a.high < from.low) return -1;
  return 0;
}

std::string cell(const Estimate& e, const Estimate& from, bool first, bool more_is_better) {
  std::string out = "<b>" + fixed(e.value, 2) + "</b>";
  if (!first) {
    if (const int way = apart(e, from)) {
      const bool good = (way > 0) == more_is_better;
      out += std::string(" <span class=\"") + (good ? "up" : "down") + "\" title=\"the intervals are apart\">" + (way > 0 ? "▲" : "▼") + "</span>";
    }
  }
  return out + interval(e);
}

/// Each model's value and interval on one scale.
std::string strip(const Results& results, const Results::Row& row) {
  const double height = 11.0 * static_cast<double>(row.of.size()) + 4, left = 6, width = 208;
  auto x = [&](double v) { return fixed(left + std::clamp((v - results.low) / (results.high - results.low), 0.0, 1.0) * width, 1); };
  std::string out = "<svg class=\"strip\" viewBox=\"0 0 220 " + fixed(height, 0) + "\" height=\"" + fixed(height, 0) + "\" role=\"img\" aria-label=\"" +
                    html(row.name + ", " + row.measure) + "\"><path class=\"axis\" d=\"";
  for (int i = 0; i <= 4; ++i) out += "M" + fixed(left + width * i / 4, 1) + " 0V" + fixed(height, 0);
  out += "\"/>";
  for (size_t i = 0; i < row.of.size(); ++i) {
    const Estimate& e = row.of[i];
    if (std::isnan(e.value)) continue;
    const std::string y = fixed(11.0 * static_cast<double>(i) + 7.5, 1);
    out += "<g class=\"k" + std::to_string(i % kColours) + "\">";
    if (!std::isnan(e.low)) out += "<path class=\"whisker\" d=\"M" + x(e.low) + " " + y + "H" + x(e.high) + "\"/>";
    out += "<circle r=\"3.6\" cx=\"" + x(e.value) + "\" cy=\"" + y + "\"><title>" + html(results.models[i]) + ": " + fixed(e.value, 2) + "</title></circle></g>";
  }
  return out + "</svg>";
}

std::string results_part(const Results& r) {
  if (r.rows.empty()) return "";
  using C = web::Column;
  std::vector<C> columns = {{"", C::Name}, {"measure", C::Text}};
  for (const std::string& model : r.models) columns.push_back({model, C::Range});
  columns.push_back({fixed(r.low, 0) + " to " + fixed(r.high, 0), C::Text});
  web::Table table(columns);
  std::string out = "<h2>What came of it</h2>\n<div class=\"legend\">";
  for (size_t i = 0; i < r.models.size(); ++i) out += "<span class=\"k" + std::to_string(i % kColours) + "\"><i></i><em>" + html(r.models[i]) + "</em></span>";
  out += "</div>\n";
  bool marks = false;
  for (const Results::Row& row : r.rows) {
    if (row.of.size() != r.models.size()) throw std::invalid_argument("report_page: a row has an estimate of each model");
    if (!row.group.empty()) table.group(row.group);
    std::vector<std::string> cells = {html(row.name), html(row.measure)};
    for (size_t i = 0; i < row.of.size(); ++i) {
      cells.push_back(cell(row.of[i], row.of[0], i == 0, row.more_is_better));
      marks = marks || (i > 0 && apart(row.of[i], row.of[0]) != 0);
    }
    cells.push_back(strip(r, row));
    table.row(cells);
  }
  out += table.done();
  std::string note = html(r.note);
  if (marks) note += std::string(note.empty() ? "" : " ") + "<span class=\"up\">▲</span> <span class=\"down\">▼</span>: the interval lies wholly above or below that of " + html(r.models[0]) + ".";
  return note.empty() ? out : out + "<p class=\"small dim\">" + note + "</p>\n";
}

/// Curves that are shown together.
struct Panel {
  std::string title;
  size_t order = 0;
  std::vector<std::pair<std::string, std::string>> meanings;  // label, meaning
  std::vector<Curve> curves;
};

/// Rules that nobody broke in a step are not in its line, and neither is 0.
void fill_violations(std::map<std::string, Curve>& curves) {
  for (const auto& [prefix, told] : {std::pair("violations/", "played"), std::pair("eval/violations/", "eval/played")}) {
    const auto steps = curves.find(told);
    if (steps == curves.end()) continue;
    for (auto& [name, curve] : curves) {
      if (!name.starts_with(prefix)) continue;
      Curve all{curve.label, {}};
      size_t at = 0;
      for (const auto& [step, y] : steps->second.points) {
        while (at < curve.points.size() && curve.points[at].first < step) all.points.push_back(curve.points[at++]);
        if (at < curve.points.size() && curve.points[at].first == step) all.points.push_back(curve.points[at++]);
        else all.points.emplace_back(step, 0);
      }
      all.points.insert(all.points.end(), curve.points.begin() + static_cast<std::ptrdiff_t>(at), curve.points.end());
      curve = std::move(all);
    }
  }
}

bool same(const Curve& a, const Curve& b) {
  return std::equal(a.points.begin(), a.points.end(), b.points.begin(), b.points.end(), [](const auto& p, const auto& q) {
    return p.first == q.first && (p.second == q.second || (std::isnan(p.second) && std::isnan(q.second)));
  });
}

std::vector<Panel> panels(const std::vector<MetricsLine>& lines) {
  std::map<std::string, Curve> curves;
  std::vector<std::string> names;  // as they first occur
  for (const MetricsLine& line : lines) {
    for (const auto& [name, value] : line.values) {
      const auto [it, fresh] = curves.try_emplace(name);
      if (fresh) names.push_back(name);
      auto& points = it->second.points;
      // The file of a run that was started again by hand may go back.
      while (!points.empty() && points.back().first >= static_cast<double>(line.step)) points.pop_back();
      points.emplace_back(static_cast<double>(line.step), value);
    }
  }
  fill_violations(curves);
  std::vector<Panel> out;
  std::map<std::string, size_t> index;
  for (const std::string& name : names) {
    // The only game is all of them.
    if (const auto whole = curves.find(name.substr(0, name.find_last_of('/'))); whole != curves.end() && whole->first != name && same(whole->second, curves[name])) continue;
    const MetricInfo* info = find_metric(name);
    const size_t slash = name.rfind('/');
    const std::string title = info ? std::string(info->panel) : name.substr(0, slash);
    const auto [it, fresh] = index.try_emplace(title, out.size());
    if (fresh) out.push_back({title, known_metrics().size() + out.size(), {}, {}});  // what is not known comes last, as it came
    Panel& panel = out[it->second];
    Curve& curve = curves[name];
    if (info) {
      curve.label = name.size() > info->name.size() ? name.substr(info->name.size() + 1) : std::string(info->label);
      panel.order = std::min(panel.order, static_cast<size_t>(info - known_metrics().data()));
      const std::pair<std::string, std::string> meaning(info->label, info->meaning);
      if (std::find(panel.meanings.begin(), panel.meanings.end(), meaning) == panel.meanings.end()) panel.meanings.push_back(meaning);
    } else {
      curve.label = slash == std::string::npos ? name : name.substr(slash + 1);
    }
    panel.curves.push_back(curve);
  }
  std::sort(out.begin(), out.end(), [](const Panel& a, const Panel& b) { return a.order < b.order; });
  return out;
}

double mean(const Curve& c) {
  double sum = 0, n = 0;
  for (const auto& [x, y] : c.points)
    if (std::isfinite(y)) sum += y, ++n;
  return n > 0 ? sum / n : -std::numeric_limits<double>::infinity();
}

std::string last(const Curve& c) {
  for (size_t i = c.points.size(); i-- > 0;)
    if (std::isfinite(c.points[i].second)) return short_number(c.points[i].second);
  return "–";
}

std::string panel_html(Panel& panel, double low, double high) {
  std::string more;
  if (panel.curves.size() > kMostCurves) {
    std::sort(panel.curves.begin(), panel.curves.end(), [](const Curve& a, const Curve& b) { return std::pair(-mean(a), a.label) < std::pair(-mean(b), b.label); });
    more = " The " + std::to_string(kMostCurves) + " greatest of " + std::to_string(panel.curves.size()) + ".";
    panel.curves.resize(kMostCurves);
  }
  const std::string chart = line_chart(panel.curves, low, high, panel.title);
  if (chart.empty()) return "";
  std::string out = "<section><h3>" + html(panel.title) + "</h3>\n<p>";
  std::string meaning;
  for (const auto& [label, text] : panel.meanings)
    meaning += (meaning.empty() ? "" : "; ") + (panel.meanings.size() > 1 ? "<b>" + html(label) + "</b>: " : "") + html(text);
  out += meaning + (meaning.empty() || more.empty() ? "" : ".") + more + "</p>\n<div class=\"legend\">";
  for (size_t i = 0; i < panel.curves.size(); ++i) {
    out += "<span class=\"k" + std::to_string(i % kColours) + "\"><i></i><em>" + (panel.curves.size() > 1 || panel.curves[i].label != panel.title ? html(panel.curves[i].label) + " " : "") +
           "<b title=\"the last\">" + last(panel.curves[i]) + "</b></em></span>";
  }
  return out + "</div>\n" + chart + "</section>\n";
}

std::string curves_part(const std::vector<MetricsLine>& lines) {
  if (lines.empty()) return "";
  double low = static_cast<double>(lines[0].step), high = low;
  for (const MetricsLine& line : lines) {
    low = std::min(low, static_cast<double>(line.step));
    high = std::max(high, static_cast<double>(line.step));
  }
  std::string out = "<h2>How it went</h2>\n<p class=\"small dim\">By steps of the optimizer. Beside each name is the last value; where a curve has many points, it is smoothed.</p>\n<div class=\"charts\">\n";
  for (Panel& panel : panels(lines)) out += panel_html(panel, low, high);
  return out + "</div>\n";
}

std::string samples_part(const std::vector<Sample>& samples) {
  if (samples.empty()) return "";
  std::string out = "<h2>What was said</h2>\n";
  for (size_t i = 0; i < samples.size(); ++i) {
    out += "<details class=\"sample\"" + std::string(i == 0 ? " open" : "") + "><summary>" + html(samples[i].title) + "</summary>\n";
    for (const Sample::Side& side : samples[i].sides) out += "<div class=\"side\"><h3>" + html(side.label) + "</h3>\n" + side.html + "</div>\n";
    out += "</details>\n";
  }
  return out;
}

}  // namespace

std::string report_page(const Report& r) {
  std::string body = "<h1>" + html(r.title) + "</h1>\n<div class=\"facts\">";
  for (const auto& [name, value] : r.facts) body += "<span><b>" + html(name) + "</b> " + html(value) + "</span>";
  body += "</div>\n";
  for (const std::string& note : r.notes) body += "<p class=\"say\">" + html(note) + "</p>\n";
  body += results_part(r.results) + curves_part(r.metrics) + samples_part(r.samples);
  if (!r.configuration.empty()) body += "<h2>Configuration</h2>\n<details><summary>all that the run was told</summary>\n<pre>" + html(r.configuration) + "</pre></details>\n";
  return web::page(r.title, r.samples_style + std::string(web::kTableStyle) + kChartStyle + kStyle, body);
}

}  // namespace ppc::report
