// What a run tells: event files read back byte for byte, metrics.jsonl, curves, the page.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "runtime/engine/json.h"
#include "trainers/report/chart.h"
#include "trainers/report/events.h"
#include "trainers/report/metrics.h"
#include "trainers/report/report.h"

namespace ppc::report {
namespace {

namespace fs = std::filesystem;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder = fs::temp_directory_path() / ("ppc-report-" + std::to_string(::getpid()));
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }
  std::string file(const char* name) const { return (folder / name).string(); }
  fs::path folder;
};

void put(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

// A reader of protobuf's wire format, which knows nothing of the messages: what TensorBoard sees.
struct Field {
  uint32_t number = 0;
  uint64_t value = 0;   // varint, 64 or 32 bits
  std::string bytes;    // length-delimited
};

std::vector<Field> fields(std::string_view m) {
  std::vector<Field> out;
  size_t at = 0;
  auto varint = [&] {
    uint64_t v = 0;
    for (int shift = 0;; shift += 7) {
      const auto b = static_cast<uint8_t>(m.at(at++));
      v |= static_cast<uint64_t>(b & 127) << shift;
      if (!(b & 128)) return v;
    }
  };
  while (at < m.size()) {
    const uint64_t key = varint();
    Field f{static_cast<uint32_t>(key >> 3), 0, {}};
    const uint64_t size = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : 0;
    if (size) {
      for (uint64_t i = 0; i < size; ++i) f.value |= static_cast<uint64_t>(static_cast<uint8_t>(m.at(at + i))) << (8 * i);
      at += size;
    } else if ((key & 7) == 2) {
      const uint64_t n = varint();
      f.bytes = m.substr(at, n);
      at += n;
    } else {
      EXPECT_EQ(key & 7, 0u);
      f.value = varint();
    }
    out.push_back(f);
  }
  return out;
}

const Field& one(const std::vector<Field>& all, uint32_t number) {
  const Field* found = nullptr;
  for (const Field& f : all)
    if (f.number == number) {
      EXPECT_FALSE(found) << "field " << number << " twice";
      found = &f;
    }
  if (!found) throw std::runtime_error("no field " + std::to_string(number));
  return *found;
}

bool has(const std::vector<Field>& all, uint32_t number) {
  for (const Field& f : all)
    if (f.number == number) return true;
  return false;
}

double as_double(uint64_t bits) { return std::bit_cast<double>(bits); }
float as_float(uint64_t bits) { return std::bit_cast<float>(static_cast<uint32_t>(bits)); }

TEST(Crc, KnownVectors) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  std::string up, down;
  for (int i = 0; i < 32; ++i) up += static_cast<char>(i), down += static_cast<char>(31 - i);
  EXPECT_EQ(crc32c(up), 0x46DD794Eu);
  EXPECT_EQ(crc32c(down), 0x113FDB5Cu);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(masked_crc32c(""), 0xA282EAD8u);
}

TEST(Frames, ThereAndBack) {
  const std::string empty, text = "three words here", all = framed(empty) + framed(text);
  EXPECT_EQ(all.size(), 32 + text.size());
  EXPECT_EQ(unframed(all), (std::vector<std::string>{empty, text}));
  for (size_t i = 0; i < all.size(); ++i) {
    std::string wrong = all;
    wrong[i] ^= 1;
    EXPECT_THROW(unframed(wrong), std::runtime_error) << i;
    if (i == 0 || i == 16) continue;
    EXPECT_THROW(unframed(all.substr(0, i)), std::runtime_error) << i;
  }
}

TEST_F(Files, EventFile) {
  const double time = 1763900000.25;
  std::string path;
  {
    EventFile events(file("tb/run"), 12);
    path = events.path();
    events.scalars(12, time, std::vector<Metric>{{"loss", 0.5}, {"none", kNaN}, {"reward/taboo", -3}});
    events.scalars(12, time, std::vector<Metric>{{"none", kNaN}});
    events.text(12, time, "configuration", "    a: 1\n");
    events.flush();
    EXPECT_EQ(unframed(engine::read_file(path)).size(), 4u);
    EventFile other(file("tb/run"));
    EXPECT_NE(other.path(), path);
  }
  EXPECT_NE(fs::path(path).filename().string().find("events.out.tfevents."), std::string::npos);
  const std::vector<std::string> records = unframed(engine::read_file(path));
  ASSERT_EQ(records.size(), 4u);
  EXPECT_EQ(one(fields(records[0]), 3).bytes, "brain.Event:2");
  EXPECT_GT(as_double(one(fields(records[0]), 1).value), 1.7e9);
  // It begins again at step 12.
  EXPECT_EQ(one(fields(records[1]), 2).value, 12u);
  EXPECT_EQ(one(fields(one(fields(records[1]), 7).bytes), 1).value, 1u);

  const std::vector<Field> scalars = fields(records[2]);
  EXPECT_EQ(as_double(one(scalars, 1).value), time);
  EXPECT_EQ(one(scalars, 2).value, 12u);
  const std::vector<Field> values = fields(one(scalars, 5).bytes);
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[0].number, 1u);
  EXPECT_EQ(one(fields(values[0].bytes), 1).bytes, "loss");
  EXPECT_EQ(as_float(one(fields(values[0].bytes), 2).value), 0.5f);
  EXPECT_EQ(one(fields(values[1].bytes), 1).bytes, "reward/taboo");
  EXPECT_EQ(as_float(one(fields(values[1].bytes), 2).value), -3.0f);
  EXPECT_FALSE(has(fields(values[1].bytes), 9));

  const std::vector<Field> text = fields(one(fields(one(fields(records[3]), 5).bytes), 1).bytes);
  EXPECT_EQ(one(text, 1).bytes, "configuration");
  EXPECT_EQ(one(fields(one(fields(one(text, 9).bytes), 1).bytes), 1).bytes, "text");
  const std::vector<Field> tensor = fields(one(text, 8).bytes);
  EXPECT_EQ(one(tensor, 1).value, 7u);
  EXPECT_EQ(one(fields(one(fields(one(tensor, 2).bytes), 2).bytes), 1).value, 1u);
  EXPECT_EQ(one(tensor, 8).bytes, "    a: 1\n");
}

TEST_F(Files, EventFileThatCannotBe) {
  put(file("plain"), "");
  EXPECT_THROW(EventFile(file("plain/below")), engine::SystemError);
}

TEST_F(Files, MetricsThereAndBack) {
  const std::string path = file("metrics.jsonl");
  {
    MetricsFile metrics(path);
    metrics.write(1, 1000.5, std::vector<Metric>{{"loss", 0.25}, {"score", kNaN}, {"tokens", 12}});
    EXPECT_EQ(engine::read_file(path), "{\"step\": 1, \"time\": 1000.5, \"loss\": 0.25, \"score\": null, \"tokens\": 12.0}\n");  // at once
    metrics.write(2, 1001.5, std::vector<Metric>{{"loss", INFINITY}});
    EXPECT_THROW(metrics.write(3, 0, std::vector<Metric>{{"a", 1}, {"a", 2}}), std::invalid_argument);
    EXPECT_THROW(metrics.write(3, 0, std::vector<Metric>{{"step", 1}}), std::invalid_argument);
  }
  std::vector<MetricsLine> lines = read_metrics(path);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].step, 1);
  EXPECT_EQ(lines[0].time, 1000.5);
  ASSERT_EQ(lines[0].values.size(), 3u);
  EXPECT_EQ(lines[0].values[0], Metric("loss", 0.25));
  EXPECT_TRUE(std::isnan(lines[0].values[1].second));
  EXPECT_TRUE(std::isnan(lines[1].values[0].second));

  // Killed in the middle of a line behind its checkpoint: what comes again is not there twice.
  put(path, engine::read_file(path) + "{\"step\": 3, \"time\": 5}\n{\"step\": 4, \"ti");
  { MetricsFile(path, 2).write(2, 7, std::vector<Metric>{{"loss", 0.5}}); }
  lines = read_metrics(path);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[1].time, 7);
  { MetricsFile(path, 3).write(3, 8, {}); }
  EXPECT_EQ(read_metrics(path).size(), 3u);
  { MetricsFile anew(path); }
  EXPECT_EQ(engine::read_file(path), "");
  EXPECT_THROW(MetricsFile(file("no/folder")), engine::SystemError);
}

TEST_F(Files, MetricsThatAreNone) {
  const std::string path = file("metrics.jsonl");
  auto said = [&](const std::string& text) -> std::string {
    put(path, text);
    try {
      read_metrics(path);
    } catch (const engine::InputError& e) {
      return e.what();
    }
    return "";
  };
  EXPECT_EQ(said("{\"step\": 1, \"note\": \"text\"}\n"), "");
  EXPECT_EQ(read_metrics(path)[0].texts[0].second, "text");
  EXPECT_EQ(said("{\"step\": 1}\n{\"loss\": 2}\n"), path + ":2: `step`: expected a whole number");
  EXPECT_EQ(said("{\"step\": 1, \"loss\": [2]}\n"), path + ":1: `loss`: expected a number, found a list of 1");
  EXPECT_NE(said("{\"step\": 1\n"), "");
}

TEST(Metrics, Known) {
  ASSERT_TRUE(find_metric("eval/played/taboo"));
  EXPECT_EQ(find_metric("eval/played/taboo")->name, "eval/played");
  EXPECT_EQ(find_metric("played")->name, "played");
  EXPECT_EQ(find_metric("seconds/play")->name, "seconds");
  EXPECT_EQ(find_metric("playedx"), nullptr);
  const std::string page = engine::read_file(PPC_SOURCE_DIR "/docs/training.md");
  for (const MetricInfo& m : known_metrics()) EXPECT_NE(page.find("`" + std::string(m.name) + "`"), std::string::npos) << m.name << " is not in docs/training.md";
}

TEST(Chart, Ticks) {
  EXPECT_EQ(ticks(0, 1, 4), (std::vector<double>{0, 0.5, 1}));
  EXPECT_EQ(ticks(0, 100, 5), (std::vector<double>{0, 20, 40, 60, 80, 100}));
  EXPECT_EQ(ticks(-3, 7, 4), (std::vector<double>{0, 5}));
  EXPECT_TRUE(ticks(1, 1, 4).empty());
  EXPECT_TRUE(ticks(0, INFINITY, 4).empty());
  EXPECT_TRUE(ticks(1, std::nextafter(1, 2), 4).empty());
  EXPECT_EQ(short_number(0.00012345), "0.000123");
  EXPECT_EQ(short_number(1.5), "1.5");
  EXPECT_EQ(short_number(1234), "1234");
  EXPECT_EQ(short_number(12345), "12.3k");
  EXPECT_EQ(short_number(-3.2e6), "-3.2M");
  EXPECT_EQ(short_number(999999), "1M");
  EXPECT_EQ(short_number(kNaN), "–");
}

TEST(Chart, Smoothed) {
  std::vector<std::pair<double, double>> flat, noise;
  for (int i = 0; i < 200; ++i) flat.emplace_back(i, 3), noise.emplace_back(i, i % 2 ? 1 : -1);
  flat[50].second = kNaN;
  for (const auto& [x, y] : smoothed(flat, 4)) {
    if (x == 50) EXPECT_TRUE(std::isnan(y));
    else EXPECT_NEAR(y, 3, 1e-12);
  }
  EXPECT_NEAR(smoothed(noise, 4)[100].second, 0, 0.01);
}

TEST(Chart, EdgesAndManyPoints) {
  EXPECT_EQ(line_chart({}, 0, 1, "t"), "");
  EXPECT_EQ(line_chart({{"a", {{0, kNaN}}}}, 0, 1, "t"), "");
  for (const double v : {0.0, 5.0, -5.0, 1e300, 1e-300}) {
    const std::string one = line_chart({{"a", {{3, v}}}}, 3, 3, "t");
    EXPECT_NE(one.find("<circle"), std::string::npos);
    EXPECT_EQ(one.find("nan"), std::string::npos) << one;
    EXPECT_EQ(one.find("inf"), std::string::npos) << one;
  }
  Curve many{"a", {}};
  for (int i = 0; i < 100000; ++i) many.points.emplace_back(i, std::sin(i * 0.001));
  EXPECT_LT(line_chart({many}, 0, 99999, "t").size(), 20000u);
  Curve same{"a", {}};
  for (int i = 0; i < 100; ++i) same.points.emplace_back(i, 0.99);
  EXPECT_LT(line_chart({same}, 0, 99, "t").size(), 5000u);
  // A gap lifts the pen.
  const std::string gap = line_chart({{"a", {{0, 1}, {1, 2}, {2, kNaN}, {3, 1}, {4, 2}}}}, 0, 4, "t");
  const std::string line = gap.substr(gap.find("class=\"line\""));
  EXPECT_EQ(std::count(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(line.find("/>")), 'M'), 2);
}

std::vector<MetricsLine> some_metrics() {
  std::vector<MetricsLine> lines;
  for (int64_t step = 1; step <= 30; ++step) {
    const double t = static_cast<double>(step);
    MetricsLine line{step, 1e9 + t, {{"reward", t / 40}, {"reward/taboo", t / 50}, {"reward/<b>x</b>", t / 30}, {"own/thing", 5}, {"loss", -0.01 * t}}, {}};
    for (int r = 0; r < 9; ++r) line.values.emplace_back("violations/rule " + std::to_string(r), 1.0 / (r + 1));
    if (step % 10 == 0) line.values.emplace_back("eval/clemscore", t);
    lines.push_back(line);
  }
  return lines;
}

TEST(Page, HasAllAndNothingOfOthers) {
  Report r;
  r.title = "GRPO <of> a model";
  r.facts = {{"model", "a&b"}};
  r.notes = {"3 groups <were> flat"};
  r.results = {{"before", "after"},
               {{"in domain", "taboo", "% Played", {{40, 35, 45}, {60, 55, 65}}, true},
                {"in domain", "wordle", "% Played", {{40, 35, 45}, {30, 20, 34}}, true},
                {"in domain", "same", "% Played", {{40, 35, 45}, {44, 40, 50}}, true},
                {"elsewhere", "none", "% Played", {{}, {}}, true}},
               0, 100, "95 % intervals"};
  r.metrics = some_metrics();
  r.samples = {{"taboo, high, 3", {{"before", "<p>said</p>"}, {"after", "<p>said better</p>"}}}};
  r.configuration = "a: <1>\n";
  const std::string page = report_page(r);
  for (const char* part : {"GRPO &lt;of&gt; a model", "a&amp;b", "3 groups &lt;were&gt; flat", "<p>said better</p>", "a: &lt;1&gt;", "in domain", "clemscore, evaluation", "&lt;b&gt;x&lt;/b&gt;",
                           "The 6 greatest of 9.", "own", "[55.00, 65.00]", "default-src 'none'"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  for (const char* part : {"<script", "<b>x</b>", "nan", "http:", "https:", "rule 7"}) EXPECT_EQ(page.find(part), std::string::npos) << part;
  auto count = [&](const std::string& part) {
    size_t n = 0;
    for (size_t at = page.find(part); at != std::string::npos; at = page.find(part, at + 1)) ++n;
    return n;
  };
  // One surely better, one surely worse; one of each in the legend below.
  EXPECT_EQ(count("▲"), 2u);
  EXPECT_EQ(count("▼"), 2u);
  // The evaluation comes first, what is not known last.
  EXPECT_LT(page.find("clemscore, evaluation"), page.find("<h3>reward</h3>"));
  EXPECT_LT(page.find("<h3>loss</h3>"), page.find("<h3>own</h3>"));
  r.results.rows[0].of.pop_back();
  EXPECT_THROW(report_page(r), std::invalid_argument);
  EXPECT_NE(report_page({}).find("</html>"), std::string::npos);
}

TEST(Page, StepsThatAreToldTwiceCountOnce) {
  Report r;
  r.metrics = {{1, 0, {{"loss", 1}}, {}}, {2, 0, {{"loss", 99}}, {}}, {3, 0, {{"loss", 99}}, {}}, {2, 0, {{"loss", 2}}, {}}};
  const std::string page = report_page(r);
  EXPECT_EQ(page.find(": 99<"), std::string::npos);
  EXPECT_NE(page.find("loss, step 2: 2<"), std::string::npos);
}

TEST(Page, RulesThatNobodyBrokeAreZero) {
  Report r;
  r.metrics = {{1, 0, {{"played", 50}, {"violations/a", 0.5}}, {}}, {2, 0, {{"played", 60}}, {}}, {3, 0, {{"played", 70}, {"violations/b", 1}}, {}}};
  const std::string page = report_page(r);
  for (const char* part : {"a, step 1: 0.5<", "a, step 2: 0<", "a, step 3: 0<", "b, step 1: 0<", "b, step 3: 1<"}) EXPECT_NE(page.find(part), std::string::npos) << part;
}

TEST(Page, TheOnlyGameIsAll) {
  Report r;
  r.metrics = {{1, 0, {{"reward", 0.5}, {"reward/taboo", 0.5}, {"played", 1}, {"played/taboo", 2}}, {}}};
  const std::string page = report_page(r);
  EXPECT_EQ(page.find("taboo, step 1: 0.5<"), std::string::npos);
  EXPECT_NE(page.find("taboo, step 1: 2<"), std::string::npos);
}

}  // namespace
}  // namespace ppc::report
