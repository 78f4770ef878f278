// Replies made by chance under masks keep every format, on every engine: the games of stdlib-games with their own instances, and those of
// test/lit that can be played without. With the tokens of PPC_TOKENIZER (a tokenizer.json), or a few of our own.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <random>

#include "compiler/driver/driver.h"
#include "runtime/engine/instances.h"
#include "runtime/engine/journal.h"
#include "test/bench/stdlib.h"
#include "trainers/decode/constraint.h"

using namespace ppc;
using decode::TokenId;

namespace {

const std::vector<std::string>& tokens() {
  static const std::vector<std::string> list = [] {
    std::vector<std::string> out;
    if (const char* file = std::getenv("PPC_TOKENIZER"); file && *file) {
      const auto t = model::Tokenizer::load(file);
      for (size_t i = 0; i < t.size(); ++i)
        out.push_back(t.is_special(static_cast<TokenId>(i)) ? std::string() : std::string(t.token_bytes(static_cast<TokenId>(i))));
      return out;
    }
    for (int b = 0; b < 256; ++b) out.push_back(std::string(1, static_cast<char>(b)));
    for (const char* t : {"GUESS", "CLUE", ":", ": ", " a", "\n", "\nguess", "explanation", " the", "é", "日本", "MOVE: ", "no", " ", "  ", "\u00A0", "ch", "12", "?"}) out.push_back(t);
    return out;
  }();
  return list;
}

std::string reply(const decode::Constraint& c, std::mt19937& random) {
  static thread_local std::vector<uint64_t> mask((tokens().size() + 63) / 64);
  std::string out;
  auto state = c.start();
  const int64_t budget = c.distance(state) + random() % 60;
  for (int64_t n = 0; n < budget; ++n) {
    if (c.may_end(state) && random() % 12 == 0) break;
    c.mask(state, budget - n - 1, mask);
    std::vector<TokenId> choice;
    for (size_t t = 0; t < tokens().size(); ++t)
      // Letters often, so that some replies get by the rules, too.
      if (mask[t / 64] >> (t % 64) & 1) choice.insert(choice.end(), tokens()[t].size() > 1 || std::isalpha(static_cast<unsigned char>(tokens()[t][0])) ? 6 : 1, static_cast<TokenId>(t));
    if (choice.empty()) break;
    const TokenId t = choice[random() % choice.size()];
    out += tokens()[static_cast<size_t>(t)];
    state = c.step(state, t);
  }
  EXPECT_TRUE(c.may_end(state));
  return out;
}

struct Count {
  int replies = 0, accepted = 0, formats = 0;
  std::map<std::string, int> aborted;  // the reasons
};

/// Plays a few episodes; a reply that breaks a format fails the test.
void play(const std::string& name, const std::shared_ptr<engine::GameModule>& module, const engine::InstanceSet& set,
          const engine::SegmentPtr& resources, int episodes, Count& count) {
  const engine::Manifest& m = module->manifest();
  const auto vocabulary = decode::make_vocabulary(tokens());
  decode::Constraints constraints(vocabulary);
  std::vector<engine::Setting> settings;
  for (const auto& e : set.experiments)
    for (const auto& i : e.instances) settings.push_back({module, e.segment, i.segment, resources});
  engine::Worker worker;
  worker.collect_events(true);
  std::mt19937 random(static_cast<uint32_t>(m.moves.size()));
  for (int k = 0; k < episodes && !settings.empty(); ++k) {
    const auto setting = std::make_shared<engine::Setting>(settings[static_cast<size_t>(k) * settings.size() / static_cast<size_t>(episodes)]);
    engine::Episode episode(setting, static_cast<uint64_t>(k));
    auto status = episode.start(worker);
    for (int turn = 0; turn < 40 && status == engine::Status::Asking; ++turn) {
      const std::string said = reply(*constraints.of(episode, worker), random);
      status = episode.step(worker, said);
      ++count.replies;
      engine::Journal journal;
      journal.collect(worker, episode);
      for (const auto& e : journal.entries) {
        count.accepted += e.kind == PPC_EV_ACCEPT;
        if (e.kind != PPC_EV_VIOLATION) continue;
        const auto& rule = m.rules.at(static_cast<size_t>(e.number));
        ++count.formats;
        ASSERT_NE(rule.kind, "format") << name << " on " << module->engine() << ", " << rule.text << ": " << engine::to_text(engine::Json(said));
      }
    }
    if (status == engine::Status::Done && episode.state().outcome == PPC_ABORTED) ++count.aborted[episode.reason()];
  }
}

std::shared_ptr<engine::GameModule> load(const std::string& file, const std::string& how) {
  Sources sources;
  diag::Emitter emitter(sources);
  driver::LoadOptions options;
  options.engine = how;
  options.cache_dir = std::string();
  return driver::load_game(file, options, emitter);
}

}  // namespace

TEST(MaskedPlay, KeepsEveryFormatOfTheLibrary) {
  for (const std::string& game : bench::stdlib_games()) {
    Count count;
    for (const char* how : {"interp", "jit", "so"}) {
      const auto module = load(bench::game_file(game), how);
      ASSERT_TRUE(module) << game;
      const auto set = engine::load_instances(*module, bench::game_folder(game) + "/instances/instances.json");
      play(game, module, set, engine::load_resources(*module, bench::game_folder(game), "", false), 20, count);
    }
    std::printf("%-28s %5d replies, %5d accepted\n", game.c_str(), count.replies, count.accepted);
    EXPECT_GT(count.replies, 0) << game;
    // Only codenames asks what no `aim` can say; docs/local.md tells what. Else an episode is aborted at most for lasting too long.
    if (game == "codenames") {
      EXPECT_GT(count.accepted, count.replies / 3);
      continue;
    }
    EXPECT_EQ(count.accepted, count.replies) << game;
    for (const auto& [reason, times] : count.aborted) EXPECT_TRUE(reason == "turn limit" || reason == "too many turns") << game << ": " << reason << ", " << times;
  }
}

TEST(MaskedPlay, KeepsEveryFormatOfSmallGames) {
  namespace fs = std::filesystem;
  const auto document = engine::parse_json(R"({"experiments": [{"name": "e", "game_instances": [{"game_id": 0}]}]})", "none");
  int played = 0;
  Count count;
  std::vector<fs::path> files;
  for (const auto& e : fs::recursive_directory_iterator(std::string(PPC_SOURCE_DIR) + "/test/lit"))
    if (e.path().extension() == ".game") files.push_back(e.path());
  std::sort(files.begin(), files.end());
  for (const auto& file : files) {
    for (const char* how : {"interp", "jit"}) {
      std::shared_ptr<engine::GameModule> module;
      engine::InstanceSet set;
      engine::SegmentPtr resources;
      try {
        module = load(file.string(), how);
        if (!module || module->manifest().moves.empty()) break;
        set = engine::read_instances(*module, document, "none");
        resources = engine::load_resources(*module, file.parent_path().string(), "", false);
      } catch (const std::exception&) {
        break;  // a game that is not meant to be good, or that needs instances
      }
      play(file.filename().string(), module, set, resources, 20, count);
      ++played;
    }
  }
  std::printf("%d games, %d replies, %d accepted\n", played / 2, count.replies, count.accepted);
  EXPECT_GT(played, 60);
}
