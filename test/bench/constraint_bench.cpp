// What constrained decoding costs: masks when a state is first met, kept ones, and a whole reply token by token; for vocabularies of 49,152 and
// 128,256 tokens. Beside a token stands the output layer alone of a small model (hidden 576, float32, one thread), the least that a step costs.
//
// The vocabulary is that of $PPC_TOKENIZER (a tokenizer.json), cut off; without one, pieces of this repository's texts.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <random>
#include <set>

#include "compiler/driver/driver.h"
#include "test/bench/lines.h"
#include "test/bench/stdlib.h"
#include "trainers/decode/constraint.h"
#include "trainers/decode/vocabulary.h"

namespace {

using namespace ppc;
namespace fs = std::filesystem;

std::vector<std::string> from_texts(size_t size) {
  std::vector<std::string> out;
  std::set<std::string> seen;
  const auto add = [&](const std::string& t) {
    if (!t.empty() && out.size() < size && seen.insert(t).second) out.push_back(t);
  };
  for (int b = 0; b < 256; ++b) add(std::string(1, static_cast<char>(b)));
  std::vector<fs::path> files;
  for (const char* folder : {"docs", "stdlib-games", "compiler", "runtime", "trainers", "test/unit"})
    for (const auto& e : fs::recursive_directory_iterator(std::string(PPC_SOURCE_DIR) + "/" + folder))
      if (e.is_regular_file()) files.push_back(e.path());
  std::sort(files.begin(), files.end());
  std::string text;
  for (const auto& f : files) {
    std::ifstream in(f, std::ios::binary);
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  // Words with what stands in front of them, then their beginnings, then pairs.
  std::vector<std::string> words;
  for (size_t at = 0; at < text.size();) {
    size_t end = at + 1;
    while (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end])) && end - at < 16) ++end;
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  for (const auto& w : words) add(w);
  for (const auto& w : words)
    for (size_t n = 2; n < w.size(); ++n) add(w.substr(0, n));
  for (size_t i = 0; i + 1 < words.size(); ++i) add(words[i] + words[i + 1]);
  return out;
}

std::vector<std::string> tokens(size_t size) {
  const char* file = std::getenv("PPC_TOKENIZER");
  if (!file || !*file) return from_texts(size);
  const model::Tokenizer t = model::Tokenizer::load(file);
  std::vector<std::string> out(size);
  for (size_t i = 0; i < std::min(size, t.size()); ++i)
    if (t.has(static_cast<model::TokenId>(i)) && !t.is_special(static_cast<model::TokenId>(i))) out[i] = t.token_bytes(static_cast<model::TokenId>(i));
  return out;
}

struct Move { std::string name; engine::MoveInfo info; };

std::vector<Move> moves() {
  std::vector<Move> out{{"any text", {}}};
  for (const char* game : {"taboo", "wordle"}) {
    Sources sources;
    diag::Emitter emitter(sources);
    driver::LoadOptions options;
    options.engine = "interp";
    const auto module = driver::load_game(bench::game_file(game), options, emitter);
    if (!module) std::abort();
    for (const auto& m : module->manifest().moves)
      if (m.name != "Clue") out.push_back({std::string(game) + " " + m.name, m});
  }
  return out;
}

/// A reply by chance; `seen` gets each state.
template <class F>
void reply(const decode::Constraint& c, size_t vocab_size, int budget, std::mt19937& random, F&& seen) {
  std::vector<uint64_t> mask((vocab_size + 63) / 64);
  auto state = c.start();
  for (int n = 0; n < budget; ++n) {
    c.mask(state, budget - n - 1, mask);
    const size_t begin = random() % mask.size();
    decode::TokenId token = -1;
    for (size_t i = 0; i < mask.size() && token < 0; ++i) {
      const size_t w = (begin + i) % mask.size();
      if (mask[w]) token = static_cast<decode::TokenId>(64 * w + static_cast<size_t>(__builtin_ctzll(mask[w])));
    }
    if (token < 0) break;
    seen(state, budget - n - 1, token);
    state = c.step(state, token);
  }
}

double output_layer(size_t vocab_size) {
  constexpr size_t kHidden = 576;
  static std::vector<float> weights;
  weights.resize(vocab_size * kHidden, 0.5f);
  std::vector<float> x(kHidden, 0.25f), logits(vocab_size);
  return bench::cpu_seconds([&] {
    for (size_t v = 0; v < vocab_size; ++v) {
      float sum[16] = {};
      for (size_t h = 0; h < kHidden; h += 16)
        for (size_t k = 0; k < 16; ++k) sum[k] += weights[v * kHidden + h + k] * x[h + k];
      for (float s : sum) logits[v] += s;
    }
    benchmark::DoNotOptimize(logits.data());
  });
}

void lines() {
  for (const size_t size : {size_t{49152}, size_t{128256}}) {
    const std::string of = "constraint/" + std::to_string(size / 1024) + "k/";
    const auto list = tokens(size);
    double made = bench::cpu_seconds([&] { decode::make_vocabulary(list); });
    bench::line(of + "vocabulary", 1e3 * made, "ms");
    const auto vocabulary = decode::make_vocabulary(list);
    std::vector<double> layers;
    for (int i = 0; i < 7; ++i) layers.push_back(output_layer(list.size()));
    const double layer = 1e6 * bench::median(layers);
    for (const Move& move : moves()) {
      const auto language = decode::language_of(move.info);
      std::vector<uint64_t> mask(vocabulary->words());
      // Every state that replies come to, first met and met again.
      std::vector<double> first, again, slowest, token;
      for (int round = 0; round < 5; ++round) {
        const auto c = decode::make_constraint(vocabulary, language);
        std::mt19937 random(3);
        std::set<std::pair<uint32_t, int64_t>> states;
        const auto probe = decode::make_constraint(vocabulary, language);
        for (int i = 0; i < 20; ++i) reply(*probe, list.size(), 40, random, [&](auto s, int64_t left, auto) { states.insert({s, std::max<int64_t>(left, 30)}); });
        double sum = 0, most = 0;
        for (auto [s, left] : states) {
          const double t = bench::cpu_seconds([&] { c->mask(s, left, mask); });
          sum += t;
          most = std::max(most, t);
        }
        first.push_back(1e6 * sum / static_cast<double>(states.size()));
        slowest.push_back(1e6 * most);
        const int times = 200;
        again.push_back(1e6 / times / static_cast<double>(states.size()) * bench::cpu_seconds([&] {
          for (int i = 0; i < times; ++i)
            for (auto [s, left] : states) c->mask(s, left, mask);
        }));
        // A token: its mask and its step.
        std::vector<std::pair<uint32_t, decode::TokenId>> steps;
        for (int i = 0; i < 20; ++i) reply(*c, list.size(), 40, random, [&](auto s, int64_t, auto t) { steps.push_back({s, t}); });
        token.push_back(1e6 / times / static_cast<double>(steps.size()) * bench::cpu_seconds([&] {
          for (int i = 0; i < times; ++i)
            for (auto [s, t] : steps) {
              c->mask(s, 1000, mask);
              benchmark::DoNotOptimize(c->step(s, t));
            }
        }));
      }
      bench::line(of + move.name + "/first mask", bench::median(first), "us");
      bench::line(of + move.name + "/slowest first mask", bench::median(slowest), "us");
      bench::line(of + move.name + "/kept mask", bench::median(again), "us");
      bench::line(of + move.name + "/token", bench::median(token), "us", layer, bench::Better::Less);
    }
  }
}

void kept_mask(benchmark::State& state) {
  const auto list = tokens(128256);
  const auto c = decode::make_constraint(decode::make_vocabulary(list), decode::language_of({}));
  std::vector<uint64_t> mask((list.size() + 63) / 64);
  for (auto _ : state) c->mask(c->start(), 100, mask);
}
BENCHMARK(kept_mask);

}  // namespace

int main(int argc, char** argv) {
  if (bench::json_wanted(argc, argv)) {
    lines();
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
