// export_lines, as trainers call it: lines in memory, with ids where there are some.
#include "tools/cli/export.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

using namespace ppc::cli;
using ppc::engine::InputError;
using ppc::engine::Json;
using ppc::engine::parse_json;
using ppc::engine::to_text;

namespace {

#define EXPECT_HAS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << text

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("ppc-export-test-" + std::to_string(::getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
  /// An episodes.jsonl of these lines, apostrophes for quotes.
  std::vector<std::string> write(const std::vector<std::string>& lines) const {
    std::ofstream out(path / "episodes.jsonl");
    for (std::string line : lines) {
      std::replace(line.begin(), line.end(), '\'', '"');
      out << line << "\n";
    }
    return {(path / "episodes.jsonl").string()};
  }
};

std::string said(const std::string& text) { return "{'from': 'GM', 'to': 'Player 1', 'text': '" + text + "', 'round': 1}"; }
/// `more`: further members, with a comma before them.
std::string reply(const std::string& text, const std::string& more = "") { return "{'from': 'Player 1', 'to': 'GM', 'text': '" + text + "', 'round': 1, 'move': 'M'" + more + "}"; }
std::string sample(const std::string& prompt, const std::string& ids, const std::string& logprobs, const std::string& settings = "'mask': 'off', 'temperature': 1.0") {
  return ", 'sample': {'prompt': [" + prompt + "], 'ids': [" + ids + "], 'logprobs': [" + logprobs + "], " + settings + "}";
}
std::string episode(int number, const std::string& messages, const std::string& outcome = "won") {
  return "{'schema': 'ppc-episode/1', 'game': 'none', 'experiment': {'index': 0, 'name': 'e'}, 'instance': {'game_id': 1}, 'episode': " + std::to_string(number) +
         ", 'repeat': 0, 'seed': '7', 'record': 'm/none/0_e/episode_" + std::to_string(number) +
         "', 'players': [{'name': 'Player 1', 'role': 'p', 'display': 'P', 'model': 'm'}], 'messages': [" + messages + "], 'notes': [], 'outcome': '" + outcome +
         "', 'reason': '', 'left': false, 'scores': {'turn scores': {}, 'episode scores': {'Main Score': " + (outcome == "won" ? "100" : "0") + "}}, 'keys': {}}";
}

std::vector<Json> lines(const std::vector<std::string>& where, const ExportOptions& o, ExportSummary* summary = nullptr) {
  std::vector<Json> out;
  const ExportSummary s = export_lines(where, o, [&](Json&& line) { out.push_back(std::move(line)); });
  EXPECT_EQ(s.lines, out.size());
  if (summary) *summary = s;
  return out;
}
std::string column(const Json& line, const char* key) {
  const Json* v = line.find(key);
  return v ? to_text(*v) : "none";
}
std::string error(const std::vector<std::string>& where, const ExportOptions& o) {
  try {
    lines(where, o);
  } catch (const InputError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST(Export, IdsOfADialogue) {
  const Folder folder;
  // Given replies are fed with what comes next; a side question is forgotten.
  const auto where = folder.write({episode(0, said("a") + "," + reply("b", sample("1, 2", "3, 4", "-0.5, -0.25")) + "," + said("c") + "," + "{'from': 'Player 1', 'to': 'GM', 'text': 'g', 'round': 1, 'move': null, 'given': true}," +
                                                  said("d") + ",{'from': 'GM', 'to': 'Player 1', 'text': 'q', 'round': 1, 'aside': true}," + reply("x", ", 'aside': true" + sample("5, 90", "91", "-1.0")) + "," +
                                                  reply("e", sample("5, 6", "7", "-2.0")))});
  const std::vector<Json> all = lines(where, {.ids = ExportOptions::Ids::All});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(column(all[0], "ids"), "[1, 2, 3, 4]");
  EXPECT_EQ(column(all[0], "trained"), "[0, 0, 1, 1]");
  EXPECT_EQ(column(all[0], "logprobs"), "[-0.5, -0.25]");
  EXPECT_EQ(column(all[0], "sampled"), R"({"mask": "off", "temperature": 1.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0})");
  EXPECT_EQ(column(all[1], "ids"), "[1, 2, 3, 4, 5, 6, 7]");
  EXPECT_EQ(column(all[1], "trained"), "[0, 0, 0, 0, 0, 0, 1]");
  EXPECT_EQ(column(all[2], "aside"), "true");
  EXPECT_EQ(column(all[2], "ids"), "[1, 2, 3, 4, 5, 90, 91]");
  EXPECT_EQ(column(all[2], "trained"), "[0, 0, 0, 0, 0, 0, 1]");
  EXPECT_EQ(column(lines(where, {}).at(0), "ids"), "none");
}

TEST(Export, IdsWhereThereAreSome) {
  const Folder folder;
  const auto where = folder.write({episode(0, said("a") + "," + reply("b", sample("1", "2", "-0.5", "'mask': 'on', 'temperature': 0.5, 'top_k': 5"))), episode(1, said("a") + "," + reply("c")),
                                   episode(2, said("a") + "," + reply("b", sample("1", "2", "-0.5")) + "," + said("c") + "," + reply("d", sample("3", "4", "-0.5", "'mask': 'on', 'temperature': 1")))});
  const std::vector<Json> all = lines(where, {.ids = ExportOptions::Ids::Where});
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(column(all[0], "ids"), "[1, 2]");
  EXPECT_HAS(column(all[0], "sampled"), R"({"mask": "on", "temperature": 0.5, "top_p": 1.0, "top_k": 5,)");
  EXPECT_EQ(column(all[1], "ids"), "none");
  EXPECT_EQ(column(all[2], "ids"), "none");  // sampled in two ways
  const std::string missing = error(where, {.ids = ExportOptions::Ids::All});
  EXPECT_HAS(missing, "no ids: not all that these said was sampled by a local model");
  EXPECT_HAS(missing, "episodes.jsonl:1: Player 1 (p, m)");
  ExportSummary summary;
  const auto two = folder.write({episode(2, said("a") + "," + reply("b", sample("1", "2", "-0.5")) + "," + said("c") + "," + reply("d", sample("3", "4", "-0.5", "'mask': 'on', 'temperature': 1")))});
  EXPECT_TRUE(lines(two, {.ids = ExportOptions::Ids::All}, &summary).empty());
  EXPECT_EQ(summary.describe(), "0 lines from 1 episode; left out: 1 sampled in several ways");
  // Each reply alone was sampled in one.
  EXPECT_EQ(lines(two, {.turns = true, .ids = ExportOptions::Ids::All}).size(), 2u);
}

TEST(Export, IdsOfPairs) {
  const Folder folder;
  const auto where = folder.write({episode(0, said("a") + "," + reply("b", sample("1", "2", "-0.5"))), episode(1, said("a") + "," + reply("c", sample("1", "3", "-0.25")), "lost")});
  const std::vector<Json> all = lines(where, {.format = ExportOptions::Format::Dpo, .ids = ExportOptions::Ids::All});
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(column(all[0], "chosen_ids"), "[1, 2]");
  EXPECT_EQ(column(all[0], "rejected_ids"), "[1, 3]");
  EXPECT_EQ(column(all[0], "rejected_logprobs"), "[-0.25]");
}

TEST(Export, SamplesThatAreNone) {
  const Folder folder;
  const auto of = [&](const std::string& text) { return error(folder.write({episode(0, said("a") + "," + reply("b", text))}), {.ids = ExportOptions::Ids::All}); };
  EXPECT_HAS(of(sample("1", "2, 3", "-0.5")), "episodes.jsonl:0: `messages[1].sample`: a sample has a log-probability for each of its `ids`");
  EXPECT_HAS(of(sample("-1", "2", "-0.5")), "`messages[1].sample`: a sample's `prompt` are token ids");
  EXPECT_HAS(of(", 'sample': 3"), "`messages[1].sample`: a sample has a list `prompt`");
  EXPECT_HAS(of(sample("1", "2", "-0.5", "'mask': 'off', 'temperature': 'hot'")), "`messages[1].sample`: a sample's `temperature` is a number");
}
