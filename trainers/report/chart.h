// Curves as inline SVG, in colours of the page.
#pragma once
#include <string>
#include <utility>
#include <vector>

namespace ppc::report {

/// For `web::page`, where there are curves. Colours are classes k0…k7.
extern const char* const kChartStyle;
constexpr size_t kColours = 8;

struct Curve {
  std::string label;
  std::vector<std::pair<double, double>> points;  // x rises; a y that is not finite makes a gap
};

/// Where points are many and noisy their means are drawn, and behind these, faintly, themselves. `low`, `high`: of x. Empty when there is
/// no point.
std::string line_chart(const std::vector<Curve>&, double low, double high, const std::string& title);

/// Means of each point and its neighbours: a Gaussian window of this many points' deviation. Gaps stay.
std::vector<std::pair<double, double>> smoothed(const std::vector<std::pair<double, double>>&, double width);
/// Round numbers between two, about `count`.
std::vector<double> ticks(double low, double high, int count);
/// "0.0125", "1.5", "12k", "3.2M"
std::string short_number(double);

}  // namespace ppc::report
