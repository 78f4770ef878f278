#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "runtime/engine/generate.h"
#include "runtime/engine/records.h"
#include "test/unit/test_game.h"

using test::error_of;

namespace {
std::atomic<size_t> allocations{0};
}
// Counts what the program allocates; the state's block is not among it (it comes from realloc), so that is looked at apart.
__attribute__((noinline)) void* operator new(size_t n) {
  ++allocations;
  if (void* p = std::malloc(n ? n : 1)) return p;
  throw std::bad_alloc();
}
__attribute__((noinline)) void operator delete(void* p) noexcept { std::free(p); }
__attribute__((noinline)) void operator delete(void* p, size_t) noexcept { std::free(p); }

using namespace ppc::engine;
namespace fs = std::filesystem;

namespace {

struct Folder {
  Folder() {
    char name[] = "/tmp/ppc-engine-XXXXXX";
    path = mkdtemp(name);
  }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    fs::create_directories(fs::path(path + "/" + name).parent_path());
    std::ofstream(path + "/" + name, std::ios::binary) << text;
    return path + "/" + name;
  }
  std::string path;
};

InstanceSet read(const std::string& json, const Patches& patches = {}) {
  static const test::Game game;
  return read_instances(game, parse_json(json, "i.json"), "i.json", patches);
}
std::string read_error(const std::string& json) {
  return error_of([&] { read(json); });
}
std::string instance(const std::string& fields) {
  return R"({"experiments": [{"name": "a", "game_instances": [{"game_id": 0)" + (fields.empty() ? "" : ", " + fields) + "}]}]}";
}

std::shared_ptr<const Setting> setting(const std::string& target = "tree", int turns = 3) {
  static const auto game = std::make_shared<test::Game>();
  const InstanceSet set = read_instances(
      *game, parse_json(R"({"experiments": [{"name": "a", "common_config": {"n_turns": )" + std::to_string(turns) +
                            R"(}, "game_instances": [{"game_id": 7, "target_word": ")" + target + R"("}]}]})", "i"), "i");
  auto s = std::make_shared<Setting>();
  s->module = game;
  s->experiment = set.experiments[0].segment;
  s->instance = set.experiments[0].instances[0].segment;
  return s;
}

}  // namespace

// ---- documents ----------------------------------------------------------------------------------------------------

TEST(Json, RoundTrips) {
  const std::string text = R"({"b": [1, -2, 3.5, 1e+300, true, null], "a": "\"\\\n\u0001é😀", "c": {}})";
  const Json json = parse_json(text, "x");
  EXPECT_EQ(to_text(json), text);
  EXPECT_EQ(parse_json(to_text(json, {.indent = 2, .nan_as_null = false}), "x"), json);
  EXPECT_TRUE(parse_json("3.0", "x").is_float());
  EXPECT_EQ(to_text(parse_json("3.0", "x")), "3.0");
  EXPECT_TRUE(std::isnan(parse_json("NaN", "x").as_float()));
  EXPECT_EQ(to_text(Json(NAN)), "NaN");
  EXPECT_EQ(to_text(Json(NAN), {.indent = -1, .nan_as_null = true}), "null");
  EXPECT_EQ(parse_json(R"("\ud83d\ude00\ud800")", "x").as_text(), "😀\uFFFD");
}

TEST(Json, NamesThePlaceOfAMistake) {
  EXPECT_EQ(error_of([] { parse_json("{\n \"a\": 1,\n}", "f.json"); }), "f.json:3:1: not JSON: expected a key in double quotes");
  EXPECT_EQ(error_of([] { parse_json("[1, 2", "f.json"); }), "f.json:1:6: not JSON: expected `,` or `]`, found the end of the file");
  EXPECT_EQ(error_of([] { parse_json("\"a\xFF\"", "f.json"); }), "f.json:1:3: not JSON: not valid UTF-8");
  EXPECT_EQ(error_of([] { parse_json("", "f.json"); }), "f.json:1:1: not JSON: expected a value, found the end of the file");
  EXPECT_NE(error_of([] { parse_json("[1] 2", "f.json"); }), "");
  for (const char* bad : {"01", "1.", "-", "+1", "tru", "\"\\x\"", "\"\\u12\"", "{\"a\" 1}", "[,]", "\"\n\"", "'a'"}) {
    EXPECT_NE(error_of([&] { parse_json(bad, "f"); }), "") << bad;
  }
  EXPECT_NE(error_of([] { parse_json(std::string(1000000, '['), "f"); }).find("levels deep"), std::string::npos);
}

TEST(Yaml, ReadsTheCoreSchema) {
  const Json json = parse_yaml("a: 1\nb: [yes, 'true', true, ~, 1.5, 0x1F, '3']\nc: |\n  two\n  lines\n", "f");
  EXPECT_EQ(to_text(json), R"({"a": 1, "b": ["yes", "true", true, null, 1.5, 31, "3"], "c": "two\nlines\n"})");
  EXPECT_NE(error_of([] { parse_yaml("a: [1", "f.yaml"); }).find("f.yaml:"), std::string::npos);
}

TEST(Yaml, SurvivesHostileFiles) {
  std::string bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 10; ++k) bomb += (k ? ",*a" : "*a") + std::to_string(i - 1);
    bomb += "]\n";
  }
  EXPECT_NE(error_of([&] { parse_yaml(bomb, "f"); }).find("values"), std::string::npos);
  EXPECT_NE(error_of([] { parse_yaml("a: &x [*x]", "f"); }), "");
  EXPECT_NE(error_of([] { parse_yaml(std::string(100000, '['), "f"); }), "");
  EXPECT_NE(error_of([] { parse_yaml("\xFF\xFE", "f"); }), "");
}

// ---- instances ----------------------------------------------------------------------------------------------------

TEST(Instances, NamePathExpectedAndFound) {
  EXPECT_EQ(read_error("[]"), "i.json: expected an object with `experiments`, a list, found an empty list");
  EXPECT_EQ(read_error(R"({"experiments": [3]})"), "i.json: experiments[0]: expected an object, found 3");
  EXPECT_EQ(read_error(R"({"experiments": [{"game_instances": []}]})"), "i.json: experiments[0].name: expected text, found nothing");
  EXPECT_EQ(read_error(R"({"experiments": [{"name": "a"}]})"), "i.json: experiments[0].game_instances: expected a list, found nothing");
  EXPECT_EQ(read_error(instance("")),
            "i.json: experiments[0].game_instances[0]: expected `target_word` of type text, found nothing there");
  EXPECT_EQ(read_error(instance(R"("target_word": 3)")),
            "i.json: experiments[0].game_instances[0].target_word: expected text, found 3");
  EXPECT_EQ(read_error(instance(R"("target_word": "x", "side": "up")")),
            "i.json: experiments[0].game_instances[0].side: expected one of \"left\", \"right hand\", found text \"up\"");
  EXPECT_EQ(read_error(instance(R"("target_word": "x", "map": {"k": "v"})")),
            "i.json: experiments[0].game_instances[0].map.k: expected int, found text \"v\"");
  EXPECT_EQ(read_error(instance(R"("target_word": "x", "set": ["a", 1])")),
            "i.json: experiments[0].game_instances[0].set[1]: expected text, found 1");
  EXPECT_EQ(read_error(instance(R"("target_word": "x", "set": ["a", "b", "c", "d"])")),
            "i.json: experiments[0].game_instances[0].set: expected set<text> with at most 3, found a list of 4");
  EXPECT_EQ(read_error(instance(R"("target_word": "x", "pair": [1])")),
            "i.json: experiments[0].game_instances[0].pair: expected (int, text), found a list of 1");
  EXPECT_EQ(read_error(R"({"experiments": [{"name": "a", "common_config": {"n_turns": 21}, "game_instances": []}]})"),
            "i.json: experiments[0].common_config.n_turns: expected int 1..20, found 21");
  EXPECT_EQ(read_error(R"({"experiments": [{"name": "a", "common_config": {"n_turns": 2.0}, "game_instances": []}]})"),
            "i.json: experiments[0].common_config.n_turns: expected int 1..20, found 2.0");
}

TEST(Instances, TakeTheFirstPlaceThatFits) {
  auto turns = [](const std::string& config) {
    const InstanceSet set = read(R"({"experiments": [{"name": "a", )" + config + R"("game_instances": []}]})");
    int64_t v = 0;
    std::memcpy(&v, set.experiments[0].segment->data() + 8, 8);
    return v;
  };
  EXPECT_EQ(turns(""), 3);
  EXPECT_EQ(turns(R"("common_config": {"n_turns": 5, "tries": [9]}, )"), 5);
  EXPECT_EQ(turns(R"("common_config": {"n_turns": "many", "tries": [9]}, )"), 9);
  EXPECT_EQ(turns(R"("common_config": [], )"), 3);
  EXPECT_EQ(turns(R"("n_turns": 4, )"), 4);
}

TEST(Instances, AllProblemsAtOnceButNotTooMany) {
  std::string many = R"({"experiments": [{"name": "a", "game_instances": [)";
  for (int i = 0; i < 50; ++i) many += i ? ", {}" : "{}";
  const std::string error = read_error(many + "]}]}");
  EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 20);
  EXPECT_NE(error.find("and 30 more problems"), std::string::npos);
}

TEST(Instances, PatchesAreCheckedToo) {
  const std::string doc = instance(R"("target_word": "x")");
  const InstanceSet set = read(doc, {parse_patch("target_word=tree"), parse_patch("n_turns=5"), parse_patch("common_config.n_turns=6")});
  EXPECT_EQ(to_text(*set.experiments[0].instances[0].document.find("target_word")), "\"tree\"");
  EXPECT_EQ(to_text(*set.experiments[0].document.find("common_config")), R"({"n_turns": 6})");
  EXPECT_NE(error_of([&] { read(doc, {parse_patch("n_turns=99")}); }).find("expected int 1..20, found 99"), std::string::npos);
  EXPECT_NE(error_of([&] { read(doc, {parse_patch("nothing=1")}); }).find("--set nothing"), std::string::npos);
  EXPECT_NE(error_of([] { parse_patch("=1"); }), "");
}

// ---- resources ----------------------------------------------------------------------------------------------------

namespace {
class WithResource : public ppc::engine::GameModule {
 public:
  WithResource(const std::string& path, uint32_t type) : GameModule(make(path, type)) {}
  int64_t call(uint32_t, ppc_ctx*, const int64_t*) const override { return 0; }
  const uint8_t* pool() const override { return nullptr; }
  const char* engine() const override { return "test"; }

 private:
  static Manifest make(const std::string& path, uint32_t type) {
    Manifest m = test::Game().manifest();
    FieldInfo f;
    f.name = "hint";
    f.type = type;
    f.path = path;
    m.resources = {f};
    return m;
  }
};
}  // namespace

TEST(Resources, StayInTheFolderOfGames) {
  Folder folder;
  folder.write("secret.txt", "no");
  folder.write("games/a/resources/hint.txt", "yes");
  folder.write("games/b/resources/hint.txt", "other");
  fs::create_symlink("../../../secret.txt", folder.path + "/games/a/resources/link.txt");
  auto load = [&](const std::string& path, const std::string& replacement = "") {
    return load_resources(WithResource(path, test::Game::kText), folder.path + "/games/a", replacement, false);
  };
  EXPECT_NO_THROW(load("resources/hint.txt"));
  EXPECT_NO_THROW(load("../b/resources/hint.txt"));
  EXPECT_NE(error_of([&] { load("/etc/passwd"); }), "");
  EXPECT_NE(error_of([&] { load("../../secret.txt"); }).find("leads out"), std::string::npos);
  EXPECT_NE(error_of([&] { load("resources/../../../secret.txt"); }).find("leads out"), std::string::npos);
  EXPECT_NE(error_of([&] { load("resources/link.txt"); }).find("leads out"), std::string::npos);
  EXPECT_NE(error_of([&] { load("resources/none.txt"); }).find("no such file"), std::string::npos);
  folder.write("mine/hint.txt", "replaced");
  const SegmentPtr s = load("resources/hint.txt", folder.path + "/mine");
  EXPECT_NE(std::string(reinterpret_cast<const char*>(s->data()), s->size()).find("replaced"), std::string::npos);
  EXPECT_NE(error_of([&] { load("resources/../../secret.txt", folder.path + "/mine"); }).find("leads out"), std::string::npos);
}

TEST(Resources, AreDecodedAsDeclared) {
  Folder folder;
  folder.write("g/w.txt", "one\r\ntwo\n\nthree");
  folder.write("g/m.yaml", "a: 1\nb: x\n");
  const SegmentPtr s = load_resources(WithResource("w.txt", test::Game::kTexts), folder.path + "/g", "", false);
  int64_t list = 0;
  std::memcpy(&list, s->data() + 8, 8);
  uint32_t n = 0;
  std::memcpy(&n, s->data() + PPC_OFFSET(list), 4);
  EXPECT_EQ(n, 3u);
  EXPECT_EQ(error_of([&] { load_resources(WithResource("m.yaml", test::Game::kMap), folder.path + "/g", "", false); }),
            folder.path + "/g/m.yaml: resource `hint`.b: expected int, found text \"x\"");
  EXPECT_NE(error_of([&] { load_resources(WithResource("w.txt", test::Game::kMap), folder.path + "/g", "", false); }), "");
}

// ---- episodes -----------------------------------------------------------------------------------------------------

TEST(Episode, AsksUntilItEnds) {
  Worker w;
  Episode e(setting(), 1);
  ASSERT_EQ(e.start(w), Status::Asking);
  EXPECT_EQ(e.asked_player(), 0u);
  EXPECT_EQ(e.message(w), "Guess the word.");
  ASSERT_EQ(e.step(w, "GUESS: bush"), Status::Asking);
  EXPECT_EQ(e.message(w), "no");
  ASSERT_EQ(e.step(w, "GUESS: tree"), Status::Done);
  EXPECT_EQ(e.state().outcome, static_cast<uint32_t>(PPC_WON));
  EXPECT_EQ(e.state().score, 50.0);
  EXPECT_EQ(e.state().requests, 2u);
  EXPECT_EQ(e.state().parsed, 2u);
  EXPECT_EQ(e.step(w, "GUESS: tree"), Status::Done);  // nothing more happens
}

TEST(Episode, FaultsAndBudgetsAreOutcomes) {
  struct Case { const char* reply; const char* reason; };
  for (const Case& c : {Case{"!index", "fault: index out of range at testgame.game:31:5"}, Case{"!loop", "budget: steps"},
                        Case{"!state", "budget: memory"}, Case{"!scratch", "budget: memory"}}) {
    Budget budget;
    budget.steps = 1'000'000;
    budget.scratch_bytes = 1 << 20;
    budget.state_bytes = 1 << 16;
    Worker w(budget);
    w.collect_events(true);
    Episode e(setting(), 1);
    e.start(w);
    Journal journal;
    ASSERT_EQ(e.step(w, c.reply), Status::Done) << c.reply;
    journal.collect(w, e);
    EXPECT_EQ(e.state().outcome, static_cast<uint32_t>(PPC_ABORTED));
    EXPECT_TRUE(std::isnan(e.state().score));
    EXPECT_EQ(e.reason(), c.reason) << c.reply;
    ASSERT_FALSE(journal.entries.empty());
    EXPECT_EQ(journal.entries.back().kind, static_cast<uint32_t>(PPC_EV_OUTCOME));
    EXPECT_EQ(journal.entries.back().text, c.reason);
    // The worker is as good as new.
    Episode other(setting(), 1);
    other.start(w);
    EXPECT_EQ(other.step(w, "GUESS: tree"), Status::Done);
    EXPECT_EQ(other.state().score, 100.0);
  }
}

TEST(Episode, InvalidUtf8IsAFormatFailureAndRecordedLossily) {
  Worker w;
  w.collect_events(true);
  Episode e(setting(), 1);
  e.start(w);
  e.step(w, "GUESS: tr\xFF\xFE" "ee\xF0\x9F\x98");
  Journal journal;
  journal.collect(w, e);
  EXPECT_EQ(e.reason(), "invalid format");
  EXPECT_EQ(journal.entries[0].text, "GUESS: tr\uFFFD\uFFFDee\uFFFD\uFFFD\uFFFD");
  EXPECT_FALSE(journal.entries[0].valid);
}

TEST(Episode, SurvivesAnyReply) {
  Worker w;
  for (const std::string& reply : {std::string(), std::string(1 << 20, 'x'), "GUESS: " + std::string(20 << 20, 'x'), std::string("\0\0", 2),
                                   std::string("GUESS: \n\n"), std::string(5000, '\xC3')}) {
    Episode e(setting(), 1);
    e.start(w);
    e.step(w, reply);
    if (reply.size() > (16 << 20)) {
      EXPECT_EQ(e.reason(), "budget: memory");
    }
  }
}

TEST(Episode, ForksAndSnapshotsAreEqualEpisodes) {
  Worker w;
  Episode a(setting(), 5);
  a.start(w);
  a.step(w, "GUESS: a rather long word that needs room in the heap of the episode, so that it may have to grow once");
  Episode b = a.fork();
  const std::string snapshot = a.snapshot();
  EXPECT_EQ(a.bytes(), b.bytes());
  a.step(w, "GUESS: tree");
  b.step(w, "GUESS: tree");
  EXPECT_EQ(a.bytes(), b.bytes());
  Episode c(setting(), 99);
  c.restore(snapshot);
  EXPECT_EQ(c.bytes(), snapshot);
  c.step(w, "GUESS: tree");
  EXPECT_EQ(a.bytes(), c.bytes());
  c.restore(snapshot);
  c.step(w, "GUESS: bush");
  EXPECT_NE(a.bytes(), c.bytes());
  Episode d = std::move(c);
  d.restart(5);
  d.start(w);
  EXPECT_EQ(d.state().round, 1u);
  EXPECT_THROW(d.restore("too short"), std::runtime_error);
  std::string other = snapshot;
  other[offsetof(ppc_state, module_hash)] ^= 1;
  EXPECT_THROW(d.restore(other), std::runtime_error);
  EXPECT_THROW(d.restore(snapshot.substr(0, snapshot.size() - 8)), std::runtime_error);
}

TEST(Episode, StepsDoNotAllocateOnceWarm) {
  Worker w;
  Episode e(setting("tree", 5), 1);
  auto play = [&] {
    e.restart(1);
    e.start(w);
    e.step(w, "GUESS: a word that is too long to be kept inside of a string object");
    e.step(w, "GUESS: bush");
    return e.step(w, "GUESS: tree");
  };
  ASSERT_EQ(play(), Status::Done);
  const char* block = e.bytes().data();
  const size_t before = allocations;
  for (int i = 0; i < 10; ++i) play();
  EXPECT_EQ(allocations - before, 0u);
  EXPECT_EQ(e.bytes().data(), block);
}

TEST(Episode, ThreadsPlayDifferentEpisodes) {
  const auto s = setting("tree", 20);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Worker w;
      for (int i = 0; i < 200; ++i) {
        Episode e(s, static_cast<uint64_t>(t * 1000 + i));
        e.start(w);
        for (int k = 0; k < i % 10; ++k) e.step(w, "GUESS: bush " + std::to_string(k));
        if (e.step(w, "GUESS: tree") != Status::Done || e.state().parsed != static_cast<uint32_t>(i % 10 + 1)) ++wrong;
      }
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Episode, AbandonedIsAborted) {
  Worker w;
  w.collect_events(true);
  Episode e(setting(), 1);
  e.start(w);
  e.abandon(w, "the player left");
  Journal journal;
  journal.collect(w, e);
  EXPECT_EQ(e.status(), Status::Done);
  EXPECT_EQ(e.reason(), "the player left");
  ASSERT_EQ(journal.entries.size(), 1u);
  EXPECT_EQ(journal.entries[0].text, "the player left");
}

TEST(Episode, SeedsDependOnAllFour) {
  std::set<uint64_t> seen;
  for (uint64_t a = 0; a < 4; ++a)
    for (uint64_t b = 0; b < 4; ++b)
      for (uint64_t c = 0; c < 4; ++c)
        for (uint64_t d = 0; d < 4; ++d) seen.insert(mix_seed(a, b, c, d));
  EXPECT_EQ(seen.size(), 256u);
  EXPECT_EQ(mix_seed(1, 2, 3, 4), mix_seed(1, 2, 3, 4));
}

// ---- scores, generator, records -----------------------------------------------------------------------------------

TEST(Scores, MetricsAndFaultsInThem) {
  Worker w;
  Episode e(setting(), 1);
  e.start(w);
  e.step(w, "GUESS: bush");
  e.step(w, "GUESS: tree");
  const std::string before = e.snapshot();
  const Scores s = score(w, e);
  EXPECT_EQ(e.bytes(), before);
  EXPECT_EQ(s.get("Main Score"), 50);
  EXPECT_EQ(s.get("Tries"), 2);
  EXPECT_EQ(s.get("Request Success Ratio"), 1);
  EXPECT_TRUE(std::isnan(s.get("Broken")));
  ASSERT_EQ(s.notes.size(), 1u);
  EXPECT_EQ(s.notes[0], "metric `Broken`: fault: no such key in the map at testgame.game:7:3");
  EXPECT_EQ(to_text(s.to_json()),
            R"({"turn scores": {"1": {"Points": 10}, "2": {"Points": 20}}, "episode scores": {"Aborted": 0, "Success": 1, "Lose": 0, )"
            R"("Main Score": 50, "Request Count": 2, "Parsed Request Count": 2, "Violated Request Count": 0, "Request Success Ratio": 1, )"
            R"("Tries": 2, "Broken": NaN}, "notes": ["metric `Broken`: fault: no such key in the map at testgame.game:7:3"]})");
  EXPECT_EQ(to_text(s.keys[0].second), R"(["bush", "tree"])");
}

TEST(Generate, MakesInstancesThatAreReadAgain) {
  auto s = std::make_shared<Setting>();
  s->module = std::make_shared<test::Game>();
  const Json a = generate_instances(s, 5, 1), b = generate_instances(s, 5, 1), c = generate_instances(s, -1, 2);
  EXPECT_EQ(a, b);
  const InstanceSet set = read_instances(*s->module, a, "generated");
  ASSERT_EQ(set.experiments.size(), 1u);
  EXPECT_EQ(set.experiments[0].name, "fresh");
  EXPECT_EQ(set.experiments[0].instances.size(), 5u);
  EXPECT_EQ(set.experiments[0].instances[4].id, "4");
  EXPECT_EQ(c.find("experiments")->items()[0].find("game_instances")->items().size(), 2u);
}

namespace {
// One played episode with everything in it.
struct Sample {
  explicit Sample(const std::string& experiment = "a", const std::string& model = "bot-x") {
    const Json document = parse_json(R"({"experiments": [{"name": ")" + experiment +
                                         R"(", "game_instances": [{"game_id": 7, "target_word": "tree", "extra": 1}]}]})", "i");
    set = read_instances(*game, document, "i");
    record.module = game;
    record.experiment = &set.experiments[0];
    record.instance = &set.experiments[0].instances[0];
    record.seed = UINT64_MAX;
    record.models = {model, ""};
    auto s = std::make_shared<Setting>();
    s->module = game;
    s->experiment = set.experiments[0].segment;
    s->instance = set.experiments[0].instances[0].segment;
    Worker w;
    w.collect_events(true);
    Episode e(s, record.seed);
    e.start(w);
    record.journal.collect(w, e);
    e.step(w, "GUESS: bush");
    record.journal.collect(w, e);
    e.step(w, "GUESS: tree");
    record.journal.collect(w, e);
    record.scores = score(w, e);
    record.outcome = e.state().outcome;
    record.score = e.state().score;
    record.rounds = e.state().round;
  }
  std::shared_ptr<test::Game> game = std::make_shared<test::Game>();
  InstanceSet set;
  Record record;
};
}  // namespace

TEST(Records, AreInClembenchsLayout) {
  Folder folder;
  const Sample sample;
  RecordWriter writer(folder.path + "/out");
  writer.write(sample.record);
  writer.write(sample.record);
  writer.finish();
  const std::string at = folder.path + "/out/bot-x/testgame/0_a/episode_0/";
  const Json i = load_json(at + "interactions.json");
  EXPECT_EQ(to_text(*i.find("meta")->find("game_id")), "7");
  EXPECT_EQ(to_text(*i.find("meta")->find("completed")), "true");
  EXPECT_EQ(to_text(*i.find("players")->find("Player 1")), R"({"game_role": "WordGuesser", "model_name": "bot-x"})");
  EXPECT_EQ(to_text(*i.find("players")->find("Player 2")), R"({"game_role": "Host", "model_name": "programmatic"})");
  ASSERT_EQ(i.find("turns")->items().size(), 2u);
  auto event = [&](size_t turn, size_t k) {
    const Json& e = i.find("turns")->items()[turn].items()[k];
    return e.find("from")->as_text() + ">" + e.find("to")->as_text() + " " + e.find("action")->find("type")->as_text() + ": " +
           e.find("action")->find("content")->as_text();
  };
  EXPECT_EQ(event(0, 0), "GM>Player 1 send message: Guess the word.");
  EXPECT_EQ(event(0, 1), "Player 1>GM get message: GUESS: bush");
  EXPECT_EQ(event(1, 0), "GM>Player 1 send message: no");
  EXPECT_EQ(event(1, 2), "GM>Player 2 send message: You found it!");
  EXPECT_EQ(event(1, 3), "Player 2>GM get message: the word was tree");
  EXPECT_EQ(to_text(*i.find("Guesses")), R"(["bush", "tree"])");
  const Json requests = load_json(at + "requests.json");
  ASSERT_EQ(requests.items().size(), 2u);
  EXPECT_EQ(requests.items()[1].find("raw_response_obj")->as_text(), "GUESS: tree");
  EXPECT_EQ(requests.items()[1].find("manipulated_prompt_obj")->items().size(), 3u);
  const std::string scores = to_text(load_json(at + "scores.json"));
  EXPECT_EQ(scores, to_text(sample.record.scores.to_json()));
  EXPECT_NE(scores.find("\"Broken\": NaN"), std::string::npos);
  EXPECT_EQ(to_text(load_json(at + "instance.json")), R"({"game_id": 7, "target_word": "tree", "extra": 1})");
  EXPECT_EQ(load_json(folder.path + "/out/bot-x/testgame/0_a/experiment.json").find("name")->as_text(), "a");
}

// Each request has the conversation before it, but not without end.
TEST(Records, ConversationsOfManyRequestsAreCutShort) {
  Sample sample;
  const std::vector<Entry> two = sample.record.journal.entries;
  for (int k = 0; k < 4000; ++k) sample.record.journal.entries.insert(sample.record.journal.entries.end(), two.begin(), two.end());
  const Json requests = requests_json(sample.record);
  const Json &first = requests.items()[1], &last = requests.items().back();
  EXPECT_EQ(first.find("left_out"), nullptr);
  EXPECT_EQ(first.find("manipulated_prompt_obj")->items().size(), 3u);
  ASSERT_EQ(last.find("manipulated_prompt_obj")->items().size(), 1u);
  EXPECT_EQ(last.find("manipulated_prompt_obj")->items()[0].find("content")->as_text(), "no");
  EXPECT_EQ(last.find("left_out")->as_int(), 2 * static_cast<int64_t>(requests.items().size()) - 2);
  EXPECT_EQ(last.find("raw_response_obj")->as_text(), "GUESS: tree");
  EXPECT_LT(to_text(requests).size(), size_t{64} << 20);
}

TEST(Records, LinesAreStrictJsonWithTheSchema) {
  const Sample sample;
  const std::string line = episode_line(sample.record);
  EXPECT_EQ(line.find('\n'), std::string::npos);
  EXPECT_EQ(line.find("NaN"), std::string::npos);
  const Json json = parse_json(line, "line");
  for (const char* key : {"schema", "timestamp", "game", "game_hash", "experiment", "instance", "episode", "repeat", "seed", "draws",
                          "record", "players", "messages", "notes", "outcome", "reason", "left", "rounds", "steps", "score", "scores", "keys"}) {
    EXPECT_NE(json.find(key), nullptr) << key;
  }
  EXPECT_EQ(json.find("seed")->as_text(), "18446744073709551615");
  EXPECT_EQ(json.find("outcome")->as_text(), "won");
  const Json& last = json.find("messages")->items()[3];
  EXPECT_EQ(to_text(*last.find("captures")), R"({"word": "tree"})");
  EXPECT_EQ(to_text(*last.find("reward")), "1.5");
  EXPECT_EQ(to_text(*last.find("move")), "\"Guess\"");
  EXPECT_TRUE(last.find("violation")->is_null());
  EXPECT_TRUE(json.find("scores")->find("episode scores")->find("Broken")->is_null());
}

TEST(Records, NeverLeaveTheirFolder) {
  EXPECT_EQ(safe_name("../../x"), "_._.._x");
  EXPECT_EQ(safe_name("a/b\\c\n"), "a_b_c_");
  EXPECT_EQ(safe_name(".."), "_.");
  EXPECT_EQ(safe_name(""), "_");
  EXPECT_EQ(safe_name(std::string(300, 'x')).size(), 100u);
  Folder folder;
  const Sample sample("../../../e", "../m");
  RecordWriter writer(folder.path + "/out");
  writer.write(sample.record);
  for (const auto& entry : fs::recursive_directory_iterator(folder.path)) {
    EXPECT_EQ(entry.path().string().rfind(folder.path + "/out", 0), 0u) << entry.path();
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator()), 1);
}

TEST(Records, AHalfLineOfACrashIsLeftAlone) {
  Folder folder;
  folder.write("out/episodes.jsonl", "{\"half\": ");
  const Sample sample;
  RecordWriter writer(folder.path + "/out");
  writer.write(sample.record);
  writer.finish();
  std::ifstream in(folder.path + "/out/episodes.jsonl");
  std::string first, second, third;
  std::getline(in, first);
  std::getline(in, second);
  EXPECT_EQ(first, "{\"half\": ");
  EXPECT_EQ(second, episode_line(sample.record));
  EXPECT_FALSE(std::getline(in, third));
}

TEST(Records, ADiskThatRefusesIsSaid) {
  Folder folder;
  folder.write("file", "x");
  EXPECT_THROW(RecordWriter(folder.path + "/file/out"), SystemError);
}
