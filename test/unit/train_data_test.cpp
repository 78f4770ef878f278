// Lines become examples: what is trained, exact ids, errors, lengths; and examples become steps.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <set>

#include "test/unit/folder.h"
#include "trainers/data/batches.h"
#include "trainers/data/make_tokenizer.h"
#include "trainers/data/read.h"

using namespace ppc;
using namespace ppc::data;
using engine::InputError;
using engine::Json;
using engine::parse_json;

namespace {

#define EXPECT_HAS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << text

template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const InputError& e) {
    return e.what();
  } catch (const std::invalid_argument& e) {
    return std::string("argument: ") + e.what();
  }
  return "no error";
}

std::shared_ptr<const model::Tokenizer> tokenizer() {
  static const auto made = std::make_shared<const model::Tokenizer>(
      model::Tokenizer::parse(*engine::load_json(PPC_SOURCE_DIR "/test/unit/data/tokenizers.json").find("base"), "tokenizer.json"));
  return made;
}
Encoder encoder(const std::string& name = "chatml") {
  Encoder out;
  out.tokenizer = tokenizer();
  out.variables = Json::object();
  if (!name.empty())
    out.chat = std::make_shared<const model::ChatTemplate>(model::ChatTemplate::parse(engine::read_file(PPC_SOURCE_DIR "/test/model/templates/" + name + ".jinja"),
                                                                                      parse_json(R"({"bos_token": "<|endoftext|>", "eos_token": "<|im_end|>"})", "v"), name));
  return out;
}
TokenId end() { return *tokenizer()->id_of("<|im_end|>"); }

/// What stands in the ids: trained parts in [ ], a number behind which reply it is.
std::string marked(const Example& e) {
  std::string out;
  for (size_t i = 0; i < e.ids.size();) {
    const size_t from = i;
    while (i < e.ids.size() && e.turn[i] == e.turn[from]) ++i;
    const std::string text = tokenizer()->decode(std::span(e.ids).subspan(from, i - from));
    out += e.trained[from] ? "[" + text + "]" + std::to_string(e.turn[from]) : text;
  }
  return out;
}
Json line(const std::string& text) { return parse_json(text, "test"); }
Example read(const std::string& text, const Encoder& e = encoder(), Ids ids = Ids::Auto) { return read_example(line(text), "f:1", e, ids); }

const char* const kTwo = R"({"prompt": [{"role": "system", "content": "rules"}, {"role": "user", "content": "one?"}],
  "completion": [{"role": "assistant", "content": "first"}, {"role": "user", "content": "two?"}, {"role": "assistant", "content": "second"}],
  "game": "taboo", "role": "guesser", "instance_id": "3", "experiment": "e", "source": "records/episodes.jsonl:3", "episode": "a/b/c/d", "model": "m", "outcome": "won",
  "score": 50.0, "reward": 0.5, "violation": ""})";

/// As `ppc export --ids` has it: what play would have fed and sampled.
Json with_ids(const char* text, const Encoder& e = encoder()) {
  Json out = line(text);
  const Example made = read_example(out, "made", e, Ids::Encode);
  Json ids = Json::list(), trained = Json::list(), logprobs = Json::list();
  for (const TokenId t : made.ids) ids.push(int64_t{t});
  for (const uint8_t t : made.trained) {
    trained.push(int64_t{t});
    if (t) logprobs.push(-0.5);
  }
  out.add("ids", std::move(ids));
  out.add("trained", std::move(trained));
  out.add("logprobs", std::move(logprobs));
  out.add("sampled", parse_json(R"({"mask": "on", "temperature": 0.5, "top_p": 0.9, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0})", "sampled"));
  return out;
}

}  // namespace

TEST(Read, OnlyRepliesAndTheirEndsAreTrained) {
  const Example e = read(kTwo);
  EXPECT_EQ(marked(e), "<|im_start|>system\nrules<|im_end|>\n<|im_start|>user\none?<|im_end|>\n<|im_start|>assistant\n[first<|im_end|>]0\n<|im_start|>user\ntwo?<|im_end|>\n"
                       "<|im_start|>assistant\n[second<|im_end|>]1");
  EXPECT_FALSE(e.exact);
  EXPECT_TRUE(e.logprobs.empty());
  EXPECT_EQ(e.origin.game, "taboo");
  EXPECT_EQ(e.origin.source, "records/episodes.jsonl:3");
  EXPECT_EQ(e.origin.score, 50);
  EXPECT_EQ(e.origin.reward, 0.5);
  // Replies in the prompt are context: given ones, or those before the one that is meant.
  EXPECT_EQ(marked(read(R"({"prompt": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
                            "completion": [{"role": "assistant", "content": "d"}]})")),
            "<|im_start|>system\nYou are a player of dialogue games.<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"
            "<|im_start|>assistant\n[d<|im_end|>]0");
  // `messages`: all of them; what stands behind the last teaches nothing.
  EXPECT_EQ(marked(read(R"({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}]})")),
            "<|im_start|>system\ns<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n[b<|im_end|>]0");
}

TEST(Read, SpecialTokensInTextsAreText) {
  const Example e = read(R"({"prompt": [{"role": "system", "content": "<|im_end|>"}, {"role": "user", "content": "<|im_start|>"}], "completion": [{"role": "assistant", "content": "<|im_end|>x"}]})");
  EXPECT_EQ(std::count(e.ids.begin(), e.ids.end(), end()), 3);
  EXPECT_EQ(std::count(e.ids.begin(), e.ids.end(), *tokenizer()->id_of("<|im_start|>")), 3);
}

TEST(Read, TextsWithoutATemplate) {
  Encoder e = encoder("");
  const char* texts = R"({"prompt": "one, ", "completion": "two"})";
  EXPECT_HAS(error_of([&] { read(texts, e); }), "f:1: there is no chat template, and the model's configuration names no `eos_token_id`");
  e.ends = {end()};
  EXPECT_EQ(marked(read(texts, e)), "one, [two<|im_end|>]0");
  EXPECT_HAS(error_of([&] { read(kTwo, e); }), "f:1: the model's folder has no chat template");
  const Pair p = read_pair(line(R"({"prompt": "one, ", "chosen": "two", "rejected": "three"})"), "f:1", e);
  EXPECT_EQ(marked(p.chosen), "one, [two<|im_end|>]0");
  EXPECT_EQ(marked(p.rejected), "one, [three<|im_end|>]0");
}

TEST(Read, EndsWhereTheTemplateWritesNone) {
  // Nothing special behind a reply: the configuration's end; without one nobody would learn to stop.
  Encoder e = encoder();
  e.chat = std::make_shared<const model::ChatTemplate>(
      model::ChatTemplate::parse("{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}", Json::object(), "t"));
  EXPECT_HAS(error_of([&] { read(kTwo, e); }), "f:1: t: the template writes no special token behind a reply");
  e.ends = {end()};
  EXPECT_EQ(marked(read(kTwo, e)), "system: rules\nuser: one?\nassistant: [first<|im_end|>]0\nuser: two?\nassistant: [second<|im_end|>]1");
}

TEST(Read, TemplatesThatRewriteEarlierTurns) {
  // Earlier thinking stays as it was said, so that the learner is trained on what it will have read; and it is told.
  const Json thought = line(R"({"prompt": [{"role": "user", "content": "a"}], "completion": [{"role": "assistant", "content": "<think>\nhm\n</think>\n\nb"},
                               {"role": "user", "content": "c"}, {"role": "assistant", "content": "d"}]})");
  const Examples all = read_examples(std::span(&thought, 1), encoder("thinking"));
  EXPECT_EQ(marked(all.all.at(0)), "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n[<think>\nhm\n</think>\n\nb<|im_end|>]0\n<|im_start|>user\nc<|im_end|>\n"
                                   "<|im_start|>assistant\n[d<|im_end|>]1");
  EXPECT_EQ(all.statistics.rewritten, 1);
  EXPECT_HAS(all.statistics.rewritten_first, "line 1: turn 2 (assistant)");
  EXPECT_HAS(all.statistics.describe(), "1 example with replies that the template would write otherwise");
  // What was fed is another matter.
  EXPECT_HAS(error_of([&] { read(kTwo, encoder("instruct")); }), "f:1: instruct: turn ");
  // A template that says no.
  EXPECT_HAS(error_of([&] { read(kTwo, encoder("turns")); }), "f:1: turns");
}

TEST(Read, ExactIds) {
  const Json whole = with_ids(kTwo);
  const Example e = read_example(whole, "f:1", encoder(), Ids::Exact), encoded = read(kTwo);
  EXPECT_TRUE(e.exact);
  EXPECT_EQ(e.ids, encoded.ids);
  EXPECT_EQ(e.trained, encoded.trained);
  EXPECT_EQ(e.turn, encoded.turn);
  for (size_t i = 0; i < e.ids.size(); ++i) {
    if (e.trained[i]) {
      EXPECT_EQ(e.logprobs[i], -0.5f);
    } else {
      EXPECT_TRUE(std::isnan(e.logprobs[i]));
    }
  }
  EXPECT_EQ(e.sampled.mask, "on");
  EXPECT_EQ(e.sampled.temperature, 0.5);
  EXPECT_FALSE(e.sampled.whole());
  EXPECT_HAS(error_of([] { read(kTwo, encoder(), Ids::Exact); }), "f:1: `ids`: missing: the line does not say which tokens were sampled (ppc export --ids); `data.ids: encode` encodes");
  EXPECT_FALSE(read_example(whole, "f:1", encoder(), Ids::Encode).exact);

  // A cut into tokens that encode would not make stays.
  Json apart = whole;
  Json ids = Json::list(), trained = Json::list();
  for (size_t i = 0; i < e.ids.size(); ++i) {
    const std::string bytes(tokenizer()->token_bytes(e.ids[i]));
    const bool split = e.trained[i] && !tokenizer()->is_special(e.ids[i]);
    if (!split) {
      ids.push(int64_t{e.ids[i]});
      trained.push(int64_t{e.trained[i]});
      continue;
    }
    for (const char c : bytes) {
      ids.push(int64_t{tokenizer()->encode(std::string(1, c), {.parse_special = false}).at(0)});
      trained.push(1);
    }
  }
  const size_t longer = ids.items().size();
  EXPECT_GT(longer, e.ids.size());
  apart.set("ids", ids);
  apart.set("trained", trained);
  apart.set("logprobs", Json());
  const Example split = read_example(apart, "f:1", encoder());
  EXPECT_EQ(split.ids.size(), longer);
  EXPECT_EQ(marked(split), marked(e));
  EXPECT_TRUE(split.logprobs.empty());
}

TEST(Read, ExactIdsOfMessagesThatTheLineHasTogether) {
  // The model was told two things one after the other.
  Json apart = with_ids(R"({"prompt": [{"role": "user", "content": "one\n\nmore"}, {"role": "user", "content": "two "}], "completion": [{"role": "assistant", "content": "x"}]})");
  const Json together = line(R"([{"role": "user", "content": "one\n\nmore\n\ntwo "}])"), other = line(R"([{"role": "user", "content": "one\n\ntwo\n\nmore"}])");
  apart.set("prompt", together);
  EXPECT_TRUE(read_example(apart, "f:1", encoder()).exact);
  apart.set("prompt", other);
  EXPECT_HAS(error_of([&] { read_example(apart, "f:1", encoder()); }), "do not say what `prompt[0]` says");
}

TEST(Read, ExactIdsOfAnotherTokenizerAreRefused) {
  const Json whole = with_ids(kTwo);
  auto changed = [&](const char* key, auto&& change) {
    Json j = whole;
    change(j.find(key)->items());
    return error_of([&] { read_example(j, "f:1", encoder()); });
  };
  const Example e = read(kTwo);
  const auto first = static_cast<size_t>(std::find(e.trained.begin(), e.trained.end(), 1) - e.trained.begin());
  EXPECT_HAS(changed("ids", [](Json::List& l) { l[0] = Json(int64_t{1} << 40); }), "f:1: `ids`: the learner has no token 1099511627776");
  EXPECT_HAS(changed("ids", [](Json::List& l) { l[0] = Json(-1); }), "`data.ids: encode` encodes the texts instead");
  EXPECT_HAS(changed("ids", [](Json::List& l) { l[0] = Json(0.5); }), "f:1: `ids`: expected token ids, found");
  EXPECT_HAS(changed("ids", [&](Json::List& l) { l[first] = l[first + 1]; }), "decoded, they do not say what `completion[0]` says");
  EXPECT_HAS(changed("ids", [](Json::List& l) { for (size_t i = 3; i < 8; ++i) l[i] = l[0]; }), "decoded, they do not say what `prompt[0]` says: \"rules\" is not in");
  EXPECT_HAS(changed("trained", [](Json::List& l) { l.pop_back(); }), "f:1: `trained`: has ");
  EXPECT_HAS(changed("trained", [](Json::List& l) { l[0] = Json(1); }), "`trained`: the first id has nothing before it");
  EXPECT_HAS(changed("trained", [](Json::List& l) { l[2] = Json(2); }), "`trained`: expected 0 or 1, found");
  EXPECT_HAS(changed("trained", [](Json::List& l) { for (Json& x : l) x = Json(0); }), "`trained`: nothing is trained");
  EXPECT_HAS(changed("logprobs", [](Json::List& l) { l.pop_back(); }), "f:1: `logprobs`: has ");
  EXPECT_HAS(changed("logprobs", [](Json::List& l) { l[0] = Json(3.0); }), "`logprobs`: expected log-probabilities, or null, found");
  EXPECT_HAS(changed("logprobs", [](Json::List& l) { l[0] = Json(std::nan("")); }), "`logprobs`: expected log-probabilities, or null, found");
  // One reply fewer, one more.
  const size_t n = e.ids.size();
  EXPECT_HAS(error_of([&] {
               Json j = whole;
               for (size_t i = first; e.trained[i]; ++i) j.find("trained")->items()[i] = Json(0);
               j.set("logprobs", Json());
               read_example(j, "f:1", encoder());
             }),
             "do not say what `completion[0]` says");
  EXPECT_HAS(error_of([&] {
               Json j = whole;
               j.find("ids")->push(int64_t{e.ids[0]});
               j.find("ids")->push(int64_t{e.ids[n - 2]});
               for (int t : {0, 1}) j.find("trained")->push(t);
               j.set("logprobs", Json());
               read_example(j, "f:1", encoder());
             }),
             "`trained` has more replies than there are messages of the learner");
}

TEST(Read, ErrorsNamePlaceAndKey) {
  const auto error = [](const char* text) { return error_of([&] { read(text); }); };
  EXPECT_EQ(error("[1]"), "f:1: expected an object, found a list of 1");
  EXPECT_HAS(error("{}"), "f:1: neither `messages` nor `completion`");
  EXPECT_HAS(error(R"({"prompt": [], "completion": 3})"), "f:1: `completion`: expected a list of messages, found 3");
  EXPECT_HAS(error(R"({"prompt": [], "completion": [3]})"), "f:1: `completion[0]`: expected an object with `role` and `content`, found 3");
  EXPECT_HAS(error(R"({"prompt": [{"role": "user"}], "completion": []})"), "f:1: `prompt[0].content`: expected text, found nothing");
  EXPECT_HAS(error(R"({"messages": [{"role": "user", "content": [{"type": "text"}]}]})"), "f:1: `messages[0].content`: expected text, found a list of 1");
  EXPECT_HAS(error(R"({"messages": [{"role": "tool", "content": ""}]})"), "f:1: `messages[0].role`: expected system, user or assistant, found text \"tool\"");
  EXPECT_HAS(error(R"({"messages": [{"role": "user", "content": "a"}]})"), "f:1: `messages`: nothing is trained");
  EXPECT_HAS(error(R"({"messages": []})"), "f:1: `messages`: nothing is trained");
  EXPECT_HAS(error(R"({"prompt": "a", "completion": [{"role": "assistant", "content": "b"}]})"), "f:1: `prompt`: expected a list of messages, found text \"a\"");
  EXPECT_HAS(error_of([] { read_pair(line(R"({"prompt": []})"), "f:1", encoder()); }), "f:1: no `chosen`");
  EXPECT_HAS(error_of([] { read_pair(line(R"({"prompt": [], "chosen": [{"role": "assistant", "content": "b"}]})"), "f:1", encoder()); }), "f:1: no `rejected`");

  const Folder folder;
  const std::string file = folder.write("a.jsonl", std::string("\n") + R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]})" + "\n{\"messages\": [}\n");
  EXPECT_HAS(error_of([&] { read_examples(file, encoder()); }), file + ":3:15: not JSON");
  EXPECT_HAS(error_of([&] { read_examples(folder.path.string(), encoder()); }), "a folder; expected a JSON Lines file");
  EXPECT_HAS(error_of([&] { read_examples(file + ".not", encoder()); }), "no such file or folder");
  EXPECT_HAS(error_of([&] { read_examples(folder.write("none.jsonl", "\n"), encoder()); }), "no line there");
}

TEST(Read, LengthsAreCountedAndNothingIsCutInPassing) {
  const auto tokens = static_cast<int64_t>(read(kTwo).ids.size());
  const Folder folder;
  const std::string one_line = engine::to_text(line(kTwo)) + "\n", file = folder.write("a.jsonl", one_line + one_line);
  ReadOptions o;
  o.max_length = tokens;
  EXPECT_EQ(read_examples(file, encoder(), o).all.size(), 2u);
  o.max_length = tokens - 1;
  const Examples none = read_examples(file, encoder(), o);
  EXPECT_TRUE(none.all.empty());
  EXPECT_EQ(none.statistics.dropped, 2);
  EXPECT_EQ(none.statistics.length(50), tokens);
  o.too_long = TooLong::Cut;
  const Examples cut = read_examples(file, encoder(), o);
  ASSERT_EQ(cut.all.size(), 2u);
  EXPECT_EQ(marked(cut.all[0]), "<|im_start|>system\nrules<|im_end|>\n<|im_start|>user\none?<|im_end|>\n<|im_start|>assistant\n[first<|im_end|>]0");
  EXPECT_EQ(cut.statistics.cut, 2);
  EXPECT_EQ(cut.statistics.cut_replies, 2);
  EXPECT_EQ(cut.statistics.all.replies, 2);
  // Exactly the first reply, and one token less: not even that.
  o.max_length = static_cast<int64_t>(cut.all[0].ids.size());
  EXPECT_EQ(read_examples(file, encoder(), o).all.size(), 2u);
  --o.max_length;
  EXPECT_TRUE(read_examples(file, encoder(), o).all.empty());
}

TEST(Read, FilterAndStatistics) {
  const Json lines[] = {line(kTwo), line(R"({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "game": "wordle", "outcome": "lost", "score": null})")};
  const Examples all = read_examples(lines, encoder());
  EXPECT_EQ(all.statistics.all.examples, 2);
  EXPECT_EQ(all.statistics.games.at("taboo").replies, 2);
  EXPECT_EQ(all.statistics.games.at("wordle").replies, 1);
  EXPECT_TRUE(std::isnan(all.all[1].origin.score));
  int64_t trained = 0;
  for (const Example& e : all.all) trained += std::count(e.trained.begin(), e.trained.end(), 1);
  EXPECT_EQ(all.statistics.all.trained, trained);
  EXPECT_EQ(all.statistics.to_json().find("games")->find("taboo")->find("examples")->as_int(), 1);
  ReadOptions o;
  o.filter.games = {"taboo"};
  EXPECT_EQ(read_examples(lines, encoder(), o).all.size(), 1u);
  o.filter.games.clear();
  o.filter.min_score = 10;
  EXPECT_EQ(read_examples(lines, encoder(), o).statistics.filtered, 1);
  Json broke = line(kTwo);
  broke.set("violation", "Guess, format (taboo, line 3)");
  o = {};
  o.filter.clean = true;
  EXPECT_EQ(read_examples(std::span(&broke, 1), encoder(), o).statistics.filtered, 1);
  EXPECT_EQ(read_examples(lines, encoder(), o).statistics.filtered, 0);
  // In memory a line says itself where it is from.
  const Json bad = line(R"({"messages": [], "source": "records/episodes.jsonl:7"})");
  EXPECT_HAS(error_of([&] { read_examples(std::span(&bad, 1), encoder()); }), "records/episodes.jsonl:7: `messages`");
}

TEST(Read, Pairs) {
  const char* const text = R"({"prompt": [{"role": "user", "content": "a"}], "chosen": [{"role": "assistant", "content": "good"}, {"role": "user", "content": "and?"}, {"role": "assistant", "content": "better"}],
    "rejected": [{"role": "assistant", "content": "bad"}], "game": "taboo", "chosen_score": 100.0, "rejected_score": 0.0, "chosen_source": "x:1", "rejected_source": "x:2", "rejected_violation": "rule"})";
  const Json one = line(text);
  const Pairs p = read_pairs(std::span(&one, 1), encoder());
  ASSERT_EQ(p.all.size(), 1u);
  EXPECT_HAS(marked(p.all[0].chosen), "[good<|im_end|>]0\n<|im_start|>user\nand?<|im_end|>\n<|im_start|>assistant\n[better<|im_end|>]1");
  EXPECT_HAS(marked(p.all[0].rejected), "<|im_start|>assistant\n[bad<|im_end|>]0");
  EXPECT_EQ(p.all[0].chosen.origin.source, "x:1");
  EXPECT_EQ(p.all[0].rejected.origin.violation, "rule");
  EXPECT_EQ(p.all[0].rejected.origin.game, "taboo");
  EXPECT_EQ(p.statistics.pairs, 1);
  ReadOptions o;
  o.max_length = static_cast<int64_t>(p.all[0].rejected.ids.size());
  EXPECT_EQ(read_pairs(std::span(&one, 1), encoder(), o).statistics.dropped, 1);
  o.max_length = static_cast<int64_t>(p.all[0].chosen.ids.size()) - 1;
  o.too_long = TooLong::Cut;
  const Pairs cut = read_pairs(std::span(&one, 1), encoder(), o);
  EXPECT_EQ(cut.all.size(), 1u);
  EXPECT_EQ(cut.statistics.cut_replies, 1);
}

// ---- batches

namespace {
std::vector<Item> items(size_t n, const std::vector<std::string>& games = {"a"}) {
  std::vector<Item> out;
  for (size_t i = 0; i < n; ++i) out.push_back({static_cast<int64_t>(10 + i * 37 % 90), games[i % games.size()]});
  return out;
}
}  // namespace

TEST(Digest, IsOfAllThatAStepSees) {
  Example e;
  e.ids = {5, 6, 7};
  e.trained = {0, 0, 1};
  e.origin.game = "taboo";
  Example other = e;
  other.origin.source = "elsewhere.jsonl:7";  // where it comes from is not seen
  const std::vector<Example> one = {e, e};
  EXPECT_EQ(digest(one), digest(std::vector<Example>{e, other}));
  std::set<uint64_t> all = {digest(one), digest(std::vector<Example>{}), digest(std::vector<Example>{e})};
  other.ids[0] = 4;
  all.insert(digest(std::vector<Example>{e, other}));
  all.insert(digest(std::vector<Example>{other, e}));
  other = e;
  other.trained[1] = 1;
  all.insert(digest(std::vector<Example>{e, other}));
  other = e;
  other.origin.game = "wordle";
  all.insert(digest(std::vector<Example>{e, other}));
  EXPECT_EQ(all.size(), 7u);
  EXPECT_NE(digest(std::vector<Pair>{{e, other}}), digest(std::vector<Pair>{{other, e}}));
}

TEST(Batches, EachComesOnceAnEpochInAnotherOrder) {
  Batches b(items(23), {.examples = 5, .seed = 7});
  EXPECT_EQ(b.steps(3), 15);
  std::vector<std::vector<size_t>> epochs;
  for (int e = 0; e < 3; ++e) {
    std::vector<size_t> seen;
    for (int s = 0; s < 5; ++s) {
      const Batch x = b.next();
      EXPECT_EQ(x.all.size(), s < 4 ? 5u : 3u);
      EXPECT_EQ(x.from.epoch, e);
      seen.insert(seen.end(), x.all.begin(), x.all.end());
    }
    EXPECT_EQ(seen, b.order(e));
    epochs.push_back(seen);
    std::sort(seen.begin(), seen.end());
    for (size_t i = 0; i < 23; ++i) EXPECT_EQ(seen[i], i);
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
  EXPECT_NE(Batches(items(23), {.examples = 5, .seed = 8}).order(0), epochs[0]);
  std::vector<size_t> in_order(23);
  std::iota(in_order.begin(), in_order.end(), size_t{0});
  EXPECT_EQ(Batches(items(23), {.examples = 5, .shuffle = false}).order(4), in_order);
}

TEST(Batches, APositionIsAllThereIs) {
  const BatchOptions o{.tokens = 200, .seed = 3};
  Batches a(items(40, {"x", "y"}), o);
  std::vector<Batch> all;
  for (int i = 0; i < 60; ++i) all.push_back(a.next());
  for (size_t i = 0; i < all.size(); i += 7) {
    Batches again(items(40, {"x", "y"}), o);
    again.seek(all[i].from);
    for (size_t k = i; k < all.size(); ++k) {
      const Batch n = again.next();
      EXPECT_EQ(n.all, all[k].all);
      EXPECT_EQ(n.mine, all[k].mine);
      EXPECT_EQ(n.behind, all[k].behind);
    }
  }
  EXPECT_HAS(error_of([&] { a.seek({0, 41}); }), "argument: epoch 0, example 41: an epoch has 40");
  a.seek({0, 40});
  EXPECT_EQ(a.position(), (Position{1, 0}));
}

TEST(Batches, AStepIsTheSameWhateverTheWorld) {
  for (const int64_t at_once : {0, 120, 1}) {
    Batches one(items(50), {.examples = 12, .at_once = at_once, .seed = 1});
    for (int step = 0; step < 9; ++step) {
      const Batch whole = one.next();
      for (const int world : {1, 2, 3, 16}) {
        std::vector<size_t> together;
        std::vector<int64_t> loads;
        for (int rank = 0; rank < world; ++rank) {
          Batches b(items(50), {.examples = 12, .at_once = at_once, .seed = 1, .rank = rank, .world = world});
          b.seek(whole.from);
          const Batch x = b.next();
          EXPECT_EQ(x.all, whole.all);
          EXPECT_EQ(x.behind, whole.behind);
          loads.push_back(0);
          for (const auto& pack : x.mine) {
            int64_t tokens = 0;
            for (const size_t i : pack) tokens += items(50)[i].tokens;
            EXPECT_TRUE(at_once == 0 || tokens <= at_once || pack.size() == 1);
            EXPECT_FALSE(pack.empty());
            loads.back() += tokens;
            together.insert(together.end(), pack.begin(), pack.end());
          }
          EXPECT_LE(x.mine.size(), at_once == 0 ? 1u : 12u);
        }
        std::vector<size_t> expected = whole.all;
        std::sort(expected.begin(), expected.end());
        std::sort(together.begin(), together.end());
        EXPECT_EQ(together, expected);
        EXPECT_LE(*std::max_element(loads.begin(), loads.end()) - *std::min_element(loads.begin(), loads.end()), 100);  // one example
      }
    }
  }
}

TEST(Batches, TokensLimitAStep) {
  const std::vector<Item> all = items(60);
  Batches b(all, {.examples = 4, .tokens = 150, .seed = 5});
  const int64_t steps = b.steps(2);
  int64_t counted = 0;
  bool by_tokens = false, by_examples = false;
  while (b.position().epoch < 2) {
    const Batch x = b.next();
    ++counted;
    int64_t tokens = 0;
    for (const size_t i : x.all) tokens += all[i].tokens;
    EXPECT_TRUE(tokens <= 150 || x.all.size() == 1);
    EXPECT_LE(x.all.size(), 4u);
    by_tokens = by_tokens || x.all.size() < 4;
    by_examples = by_examples || x.all.size() == 4;
  }
  EXPECT_EQ(counted, steps);
  EXPECT_TRUE(by_tokens && by_examples);
}

TEST(Batches, WeightsOfGames) {
  // 30 of a, 30 of b; b is wanted three times as often, c not at all.
  std::vector<Item> all = items(90, {"a", "b", "c"});
  Batches b(all, {.examples = 9, .seed = 2, .weights = {{"a", 1}, {"b", 3}}});
  std::vector<int> times(all.size());
  std::map<std::string, int> games;
  for (int64_t e = 0; e < 4; ++e) {
    const std::vector<size_t> order = b.order(e);
    EXPECT_EQ(order.size(), 90u);
    for (const size_t i : order) ++times[i], ++games[all[i].game];
  }
  EXPECT_EQ(games["c"], 0);
  EXPECT_NEAR(games["a"], 90, 4);
  EXPECT_NEAR(games["b"], 270, 4);
  for (size_t i = 0; i < all.size(); ++i) {  // all of a game have come before one comes again
    EXPECT_NEAR(times[i], all[i].game == "a" ? 3 : all[i].game == "b" ? 9 : 0, all[i].game == "c" ? 0 : 1);
  }
  EXPECT_HAS(error_of([&] { Batches(all, {.examples = 1, .weights = {{"d", 1}}}); }), "a weight for `d`, of which there is no example; there are: a, b, c");
  EXPECT_HAS(error_of([&] { Batches(all, {.examples = 1, .weights = {{"a", 0}}}); }), "no game has a weight above 0");
  EXPECT_HAS(error_of([&] { Batches(all, {.examples = 1, .weights = {{"a", -1}}}); }), "argument: the weight of a");
}

TEST(Batches, Senseless) {
  EXPECT_HAS(error_of([] { Batches({}, {.examples = 1}); }), "no example to train on");
  EXPECT_HAS(error_of([] { Batches(items(3), {}); }), "argument: a batch needs");
  EXPECT_HAS(error_of([] { Batches(items(3), {.examples = -1}); }), "argument: a batch of fewer than 0");
  EXPECT_HAS(error_of([] { Batches(items(3), {.examples = 1, .rank = 2, .world = 2}); }), "argument: rank 2 of 2");
}

// ---- a tokenizer from nothing

namespace {
std::vector<std::string> texts() {
  return {"You are playing a game. Guess the word.", "GUESS: crane", "GUESS: slate", "guess the word 1234 5678, 1234!", "Das W\u00f6rt \u00fcber \u00e4ll\u00e9s: \u65e5\u672c\u8a9e \u65e5\u672c\u8a9e",
          "a b\n\nc  d\t\r\n don't DON'T"};
}
}  // namespace

TEST(MakeTokenizer, LoadsAndSaysAllThereIs) {
  const Folder folder;
  for (const unsigned digits : {1u, 3u}) {
    const MadeTokenizer made = make_tokenizer(folder.path.string(), texts(), {.vocab_size = 300, .digits = digits});
    const model::Tokenizer t = model::Tokenizer::load(folder.path.string());
    EXPECT_EQ(static_cast<int64_t>(t.size()), made.size);
    EXPECT_LE(made.size, 300);
    EXPECT_GT(made.size, 261);
    EXPECT_EQ(t.missing_bytes(), "");
    EXPECT_FALSE(t.normalizes());
    EXPECT_EQ(t.id_of("<|end|>"), made.end);
    EXPECT_EQ(t.id_of("<|endoftext|>"), made.pad);
    std::string all;
    for (int b = 0; b < 256; ++b) all += static_cast<char>(b);
    std::vector<std::string> said = texts();
    said.push_back(all);
    size_t tokens = 0, bytes = 0;
    for (const std::string& s : said) {
      EXPECT_EQ(t.decode(t.encode(s)), s);
      if (s != all) tokens += t.encode(s).size(), bytes += s.size();
    }
    EXPECT_LT(tokens, bytes * 9 / 10);
    EXPECT_LT(t.encode("GUESS: ").size(), 7u);
    const std::vector<TokenId> number = t.encode("1234");
    EXPECT_TRUE(digits == 3 || number.size() == 4);
    EXPECT_EQ(engine::to_text(learn_tokenizer(texts(), {.vocab_size = 300, .digits = digits})), engine::to_text(engine::load_json((folder.path / "tokenizer.json").string())));
  }
}

TEST(MakeTokenizer, ItsTemplateIsOneTokenBeforeAndBehindAMessage) {
  const Folder folder;
  make_tokenizer(folder.path.string(), texts());
  Encoder e;
  e.tokenizer = std::make_shared<const model::Tokenizer>(model::Tokenizer::load(folder.path.string()));
  e.chat = std::make_shared<const model::ChatTemplate>(model::ChatTemplate::load(folder.path.string()));
  const Example x = read(kTwo, e);
  EXPECT_EQ(e.tokenizer->decode(x.ids), "<|system|>rules<|end|><|user|>one?<|end|><|assistant|>first<|end|><|user|>two?<|end|><|assistant|>second<|end|>");
  EXPECT_EQ(std::count_if(x.ids.begin(), x.ids.end(), [&](TokenId t) { return e.tokenizer->is_special(t); }), 10);
  EXPECT_EQ(x.ids.back(), *e.tokenizer->id_of("<|end|>"));
  EXPECT_TRUE(x.trained.back());
}

TEST(MakeTokenizer, BytesAloneAndTooFew) {
  MadeTokenizer made;
  const model::Tokenizer t = model::Tokenizer::parse(learn_tokenizer(texts(), {.vocab_size = 261}, &made), "t");
  EXPECT_EQ(made.size, 261);
  EXPECT_EQ(t.encode("crane").size(), 5u);
  EXPECT_HAS(error_of([] { learn_tokenizer({}, {.vocab_size = 260}); }), "argument: vocab_size: at least 261");
  EXPECT_HAS(error_of([] { learn_tokenizer({}, {.special = {"<|end|>"}}); }), "argument: special: `<|end|>` is empty or there twice");
  const std::string words[] = {"abab abab abab"};
  EXPECT_HAS(error_of([&] { learn_tokenizer(words, {.special = {"abab"}}); }), "argument: special: `abab` is a token of the text, too");
  EXPECT_HAS(error_of([&] { learn_byte_pairs(words, 1, 2); }), "argument: digits: 1 or 3");
  EXPECT_EQ(learn_byte_pairs(words, 1, 1).tokens.back(), "ab");
}

TEST(MakeTokenizer, TextsOfLines) {
  const Json lines[] = {line(kTwo), line(R"({"prompt": "p", "chosen": "c", "rejected": [{"content": "r"}, 3], "messages": 4})")};
  EXPECT_EQ(texts_of(lines), (std::vector<std::string>{"rules", "one?", "first", "two?", "second", "p", "c", "r"}));
}
