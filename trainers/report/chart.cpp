#include "trainers/report/chart.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>

#include "runtime/web/text.h"

namespace ppc::report {
namespace {

using web::fixed;
using web::html;
using Points = std::vector<std::pair<double, double>>;

// In units of the picture, about pixels.
constexpr double kWidth = 360, kHeight = 180, kLeft = 46, kRight = 8, kTop = 8, kBottom = 22;
constexpr size_t kMany = 60;     // as many points are smoothed
constexpr size_t kColumns = 240; // at most so many points are drawn

/// At most two points for each column, the lowest and the highest, so that no peak is lost.
Points thinned(const Points& points, double low, double high) {
  if (points.size() <= 2 * kColumns) return points;
  Points out;
  size_t i = 0;
  while (i < points.size()) {
    const auto column = [&](size_t k) { return static_cast<int64_t>((points[k].first - low) / (high - low) * kColumns); };
    size_t end = i, least = i, most = i;
    for (; end < points.size() && column(end) == column(i); ++end) {
      if (!(points[end].second >= points[least].second)) least = end;
      if (!(points[end].second <= points[most].second)) most = end;
    }
    out.push_back(points[std::min(least, most)]);
    if (least != most) out.push_back(points[std::max(least, most)]);
    i = end;
  }
  return out;
}

/// Means of as many points in a row as make few of them.
Points averaged(const Points& points, size_t most) {
  const size_t together = points.size() / most + 1;
  if (together == 1) return points;
  Points out;
  for (size_t i = 0; i < points.size(); i += together) {
    double x = 0, y = 0, n = 0;
    for (size_t j = i; j < std::min(points.size(), i + together); ++j) {
      if (!std::isfinite(points[j].second)) continue;
      x += points[j].first;
      y += points[j].second;
      ++n;
    }
    out.emplace_back(n > 0 ? x / n : points[i].first, n > 0 ? y / n : std::numeric_limits<double>::quiet_NaN());
  }
  return out;
}

/// Whether it goes to and fro more than a plan does, such as a schedule that rises and falls.
bool noisy(const Points& points) {
  double way = 0, low = std::numeric_limits<double>::infinity(), high = -low, before = std::numeric_limits<double>::quiet_NaN();
  for (const auto& [x, y] : points) {
    if (!std::isfinite(y)) continue;
    if (std::isfinite(before)) way += std::abs(y - before);
    before = y;
    low = std::min(low, y);
    high = std::max(high, y);
  }
  return way > 3 * (high - low);
}

struct Range { double low = 0, high = 1; };

/// All of what is smooth, and most of what is not: a single peak does not flatten the rest.
Range range_of(std::vector<double> always, std::vector<double> mostly) {
  if (!mostly.empty()) {
    std::sort(mostly.begin(), mostly.end());
    const size_t n = mostly.size() - 1;
    always.push_back(mostly[n / 50]);
    always.push_back(mostly[n - n / 50]);
  }
  const auto [least, most] = std::minmax_element(always.begin(), always.end());
  Range r{*least, *most};
  if (r.high - r.low <= 1e-9 * std::max(std::abs(r.low), std::abs(r.high))) {  // also where smoothing rounds
    if (r.high == 0) return {0, 1};
    return r.high > 0 ? Range{0, 1.2 * r.high} : Range{1.2 * r.low, 0};
  }
  const double margin = (r.high - r.low) * 0.06;
  // Zero belongs to what is nearly there.
  if (r.low >= 0 && r.low < 0.6 * r.high) return {0, r.high + margin};
  return {r.low - margin, r.high + margin};
}

}  // namespace

const char* const kChartStyle = R"(
:root{--k0:#3566c0;--k1:#c2571a;--k2:#1f8a70;--k3:#9b4dca;--k4:#a88400;--k5:#c2376f;--k6:#4d7c1f;--k7:#5d6673}
@media(prefers-color-scheme:dark){:root{--k0:#7da2ee;--k1:#f0a06b;--k2:#5fc9ac;--k3:#c79bea;--k4:#dcbf4e;--k5:#ee86ae;--k6:#a3cf6f;--k7:#a7b0bd}}
.k0{color:var(--k0)}.k1{color:var(--k1)}.k2{color:var(--k2)}.k3{color:var(--k3)}.k4{color:var(--k4)}.k5{color:var(--k5)}.k6{color:var(--k6)}.k7{color:var(--k7)}
.chart{display:block;width:100%;height:auto}
.chart text{fill:var(--dim);font-size:11px;font-family:inherit}
.chart .grid{stroke:var(--line);stroke-width:1;fill:none}
.chart .line{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}
.chart .noise{fill:none;stroke:currentColor;stroke-width:1;opacity:.28}
.chart circle{fill:currentColor}
)";

std::vector<std::pair<double, double>> smoothed(const Points& points, double width) {
  Points out = points;
  const auto reach = static_cast<size_t>(std::ceil(3 * width));
  for (size_t i = 0; i < points.size(); ++i) {
    if (!std::isfinite(points[i].second)) continue;
    double sum = 0, weights = 0;
    for (size_t j = i - std::min(i, reach); j < std::min(points.size(), i + reach + 1); ++j) {
      if (!std::isfinite(points[j].second)) continue;
      const double d = (static_cast<double>(j) - static_cast<double>(i)) / width, w = std::exp(-d * d / 2);
      sum += w * points[j].second;
      weights += w;
    }
    out[i].second = sum / weights;
  }
  return out;
}

std::vector<double> ticks(double low, double high, int count) {
  // Where the steps between them would be lost in rounding there are none.
  if (!(high - low > 1e-12 * std::max(std::abs(low), std::abs(high))) || !std::isfinite(high - low)) return {};
  const double rough = (high - low) / count, power = std::pow(10, std::floor(std::log10(rough)));
  double step = power * 10;
  for (const double m : {1.0, 2.0, 5.0})
    if (m * power >= rough * 0.999) {
      step = m * power;
      break;
    }
  std::vector<double> out;
  for (auto k = std::ceil(low / step - 1e-9); k * step <= high + step * 1e-9; ++k) out.push_back(k == 0 ? 0 : k * step);
  return out;
}

std::string short_number(double v) {
  if (!std::isfinite(v)) return "–";
  const double size = std::abs(v);
  const char* unit = "";
  if (size >= 9.995e5 && size < 1e12) v /= size >= 9.995e8 ? 1e9 : 1e6, unit = size >= 9.995e8 ? "G" : "M";
  else if (size >= 9.9995e3 && size < 1e12) v /= 1e3, unit = "k";
  char buffer[40];
  std::snprintf(buffer, sizeof buffer, size >= 1000 && !*unit ? "%.4g" : "%.3g", v);
  return buffer + std::string(unit);
}

std::string line_chart(const std::vector<Curve>& curves, double low, double high, const std::string& title) {
  if (!(high > low)) high = low + 1;
  struct Drawn {
    Points line, noise;
    bool dots = false;
  };
  std::vector<Drawn> drawn;
  std::vector<double> always, mostly;
  for (const Curve& c : curves) {
    Drawn d;
    const auto n = static_cast<size_t>(std::count_if(c.points.begin(), c.points.end(), [](const auto& p) { return std::isfinite(p.second); }));
    if (n >= kMany && noisy(c.points)) {
      d.line = averaged(c.points, 600);
      d.line = smoothed(d.line, static_cast<double>(d.line.size()) / 60);
      if (curves.size() <= 2) d.noise = c.points;
    } else {
      d.line = c.points;
      d.dots = n <= 25;
    }
    for (const auto& [x, y] : d.line)
      if (std::isfinite(y)) always.push_back(y);
    for (const auto& [x, y] : d.noise)
      if (std::isfinite(y)) mostly.push_back(y);
    drawn.push_back(std::move(d));
  }
  if (always.empty()) return "";
  const Range y_range = range_of(always, mostly);
  const double right = kWidth - kRight, bottom = kHeight - kBottom;
  auto x = [&](double v) { return kLeft + (v - low) / (high - low) * (right - kLeft); };
  auto y = [&](double v) { return std::clamp(bottom - (v - y_range.low) / (y_range.high - y_range.low) * (bottom - kTop), kTop - 4, bottom + 4); };

  std::string out = "<svg class=\"chart\" viewBox=\"0 0 " + fixed(kWidth, 0) + " " + fixed(kHeight, 0) + "\" role=\"img\" aria-label=\"" + html(title) + "\">";
  std::string grid, text;
  for (const double v : ticks(y_range.low, y_range.high, 4)) {
    grid += "M" + fixed(kLeft, 0) + " " + fixed(y(v), 1) + "H" + fixed(right, 0);
    text += "<text text-anchor=\"end\" x=\"" + fixed(kLeft - 5, 0) + "\" y=\"" + fixed(y(v) + 4, 1) + "\">" + short_number(v) + "</text>";
  }
  for (const double v : ticks(low, high, 5)) {
    if (v != std::floor(v)) continue;  // half a step there is not
    text += "<text text-anchor=\"" + std::string(x(v) > right - 12 ? "end" : "middle") + "\" x=\"" + fixed(std::min(x(v), right), 1) + "\" y=\"" + fixed(kHeight - 6, 0) + "\">" + short_number(v) + "</text>";
  }
  out += "<path class=\"grid\" d=\"" + grid + "\"/>" + text;
  auto path = [&](const char* name, const Points& points) {
    std::string d;
    bool pen = false;
    for (const auto& [px, py] : thinned(points, low, high)) {
      if (!std::isfinite(py)) {
        pen = false;
        continue;
      }
      d += (pen ? "L" : "M") + fixed(x(px), 1) + " " + fixed(y(py), 1);
      pen = true;
    }
    return "<path class=\"" + std::string(name) + "\" d=\"" + d + "\"/>";
  };
  // What is told first lies on top.
  for (size_t i = curves.size(); i-- > 0;) {
    out += "<g class=\"k" + std::to_string(i % kColours) + "\">";
    if (!drawn[i].noise.empty()) out += path("noise", drawn[i].noise);
    out += path("line", drawn[i].line);
    if (drawn[i].dots) {
      for (const auto& [px, py] : drawn[i].line) {
        if (!std::isfinite(py)) continue;
        out += "<circle r=\"2.6\" cx=\"" + fixed(x(px), 1) + "\" cy=\"" + fixed(y(py), 1) + "\"><title>" + html(curves[i].label) + ", step " + fixed(px, 0) + ": " + short_number(py) +
               "</title></circle>";
      }
    }
    out += "</g>";
  }
  return out + "</svg>";
}

}  // namespace ppc::report
