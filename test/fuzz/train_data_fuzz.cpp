// Lines for trainers: a JSON Lines file, each line read as an example and as a pair, by its ids and by its texts. It is refused with its place, or what
// comes of it holds together.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "trainers/data/batches.h"
#include "trainers/data/make_tokenizer.h"

namespace {
using namespace ppc;
using namespace ppc::data;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

const Encoder& encoder() {
  static const Encoder made = [] {
    const std::string texts[] = {"GUESS: crane GUESS: slate CLUE: the word the words", "what what? one two three"};
    Encoder e;
    e.tokenizer = std::make_shared<const model::Tokenizer>(model::Tokenizer::parse(learn_tokenizer(texts, {.vocab_size = 280}), "learned"));
    e.chat = std::make_shared<const model::ChatTemplate>(model::ChatTemplate::parse(
        "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}", engine::Json::object(), "chat"));
    e.variables = engine::parse_json(R"({"strftime_now": "2024-07-26"})", "variables");
    return e;
  }();
  return made;
}

void check(const Example& e) {
  const size_t n = e.ids.size();
  require(n > 1 && e.trained.size() == n && e.turn.size() == n && (e.logprobs.empty() || e.logprobs.size() == n), "lists of other lengths");
  require(!e.trained[0] && e.trained[n - 1], "the first is trained, or the last is not");
  int32_t turn = -1;
  for (size_t i = 0; i < n; ++i) {
    require(e.ids[i] >= 0 && e.ids[i] < static_cast<TokenId>(encoder().tokenizer->size()), "an id that there is not");
    require((e.turn[i] >= 0) == (e.trained[i] == 1), "a reply that is not trained");
    require(e.turn[i] < 0 || e.turn[i] == turn || e.turn[i] == turn + 1, "replies out of order");
    turn = std::max(turn, e.turn[i]);
    require(e.logprobs.empty() || e.trained[i] || std::isnan(e.logprobs[i]), "a log-probability of what was not sampled");
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 1 << 14) return 0;
  std::istringstream in(std::string(reinterpret_cast<const char*>(data), size));
  std::vector<engine::Json> lines;
  for (std::string text; std::getline(in, text);) {
    try {
      lines.push_back(engine::parse_json(text, "fuzz"));
    } catch (const engine::InputError&) {
    }
  }
  std::vector<Example> all;
  for (const engine::Json& line : lines)
    for (const Ids ids : {Ids::Auto, Ids::Exact, Ids::Encode}) {
      try {
        all.push_back(read_example(line, "fuzz:1", encoder(), ids));
        check(all.back());
      } catch (const engine::InputError& e) {
        require(std::string_view(e.what()).starts_with("fuzz:1: "), "an error that does not name the place");
      }
      try {
        const Pair p = read_pair(line, "fuzz:1", encoder(), ids);
        check(p.chosen);
        check(p.rejected);
      } catch (const engine::InputError& e) {
        require(std::string_view(e.what()).starts_with("fuzz:1: "), "an error that does not name the place");
      }
    }
  for (const TooLong what : {TooLong::Drop, TooLong::Cut}) {
    try {
      const ReadOptions options{.max_length = 12, .too_long = what};
      const Examples some = read_examples(lines, encoder(), options);
      for (const Example& e : some.all) {
        check(e);
        require(e.ids.size() <= 12, "longer than it may be");
      }
      require(some.statistics.lines == static_cast<int64_t>(lines.size()), "lines that are lost");
      require(some.statistics.lines == some.statistics.all.examples + some.statistics.dropped, "examples that are lost");
    } catch (const engine::InputError&) {
    }
  }
  (void)texts_of(lines);
  if (all.empty()) return 0;
  Batches batches(items_of(all), {.examples = 2, .tokens = 20, .at_once = 15, .seed = size, .world = 2});
  for (size_t seen = 0; seen < all.size();) seen += batches.next().all.size();
  require(batches.position() == Position{1, 0}, "an epoch that does not end");
  return 0;
}
