// metrics.jsonl: what a run told of each step, one JSON object a line: {"step": 12, "time": 1763900000.5, "loss": 0.41, …}. NaN is null.
#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ppc::report {

using Metric = std::pair<std::string, double>;

struct MetricsLine {
  int64_t step = 0;
  double time = 0;                 // seconds since 1970; NaN: not told
  std::vector<Metric> values;      // in the file's order
  std::vector<std::pair<std::string, std::string>> texts;  // members that are no numbers, as a note
};

class MetricsFile {
 public:
  /// Goes on behind the last line of an earlier step: what is there of `first_step` and later ones, and a line that was cut off, is removed.
  /// With `first_step` 0 the file begins anew. Throws engine::SystemError, as does `write`.
  explicit MetricsFile(const std::string& path, int64_t first_step = 0);
  /// A line, on disk as far as the system goes. A name that occurs twice, "step" and "time" are std::invalid_argument.
  void write(int64_t step, double time, std::span<const Metric>);

 private:
  struct Closer { void operator()(std::FILE* f) const { std::fclose(f); } };
  std::string path_;
  std::unique_ptr<std::FILE, Closer> file_;
};

/// All lines; one that is cut off at the end is left out. Throws engine::InputError that names file and line.
std::vector<MetricsLine> read_metrics(const std::string& path);

/// What is known of a metric: which curves it is shown with, what it is called there, and what it means. `reward/taboo` is the part of
/// `reward` that is of taboo.
struct MetricInfo {
  std::string_view name, panel, label, meaning;
};
/// In the order of the page.
const std::vector<MetricInfo>& known_metrics();
/// The known one with the longest name that is this one's or its beginning up to a `/`; null: nothing is known.
const MetricInfo* find_metric(std::string_view name);

}  // namespace ppc::report
