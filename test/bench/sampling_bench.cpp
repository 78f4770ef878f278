// What it costs to choose tokens: one row of logits beside a pass that only sums it; and conversations continued by the generator
// (sampling, scheduling, prefixes) beside the network alone, which does the same steps and chooses nothing.
#include <filesystem>
#include <future>
#include <random>

#include "test/bench/lines.h"
#include "trainers/nn/random_model.h"
#include "trainers/sampling/generator.h"

using namespace ppc;
using nn::TokenId;

namespace {

constexpr int64_t kPrompt = 128, kReply = 64;

void rows() {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 4);
  for (const int64_t n : {49152, 151936}) {
    std::vector<float> logits(static_cast<size_t>(n)), row;
    for (float& x : logits) x = normal(random);
    std::vector<uint64_t> allowed(static_cast<size_t>(n + 63) / 64);
    for (uint64_t& w : allowed) w = random() | uint64_t{random()} << 32;
    auto time = [&](const std::function<void()>& f) {
      std::vector<double> all;
      for (int i = 0; i < 101; ++i) {
        row = logits;
        all.push_back(bench::cpu_seconds(f));
      }
      return bench::median(all) * 1e6;
    };
    volatile float kept = 0;
    const double sum = time([&] {
      float lanes[16] = {};
      for (size_t i = 0; i + 16 <= row.size(); i += 16)
        for (size_t k = 0; k < 16; ++k) lanes[k] += row[i + k];
      for (const float x : lanes) kept = kept + x;
    });
    struct Way { const char* name; local::Sampling s; bool mask = false; };
    std::vector<Way> ways{{"temperature 1", {}}, {"greedy", {.temperature = 0}}, {"mask", {}, true}, {"top_p 0.9", {.top_p = 0.9}}, {"top_k 50", {.top_k = 50}}, {"min_p 0.05", {.min_p = 0.05}}};
    sampling::Sampler sampler;
    uint64_t i = 0;
    for (const Way& w : ways) {
      const double t = time([&] { kept = kept + sampler.choose(row, w.s, {}, w.mask ? allowed : std::vector<uint64_t>{}, sampling::uniform(1, ++i)).logprob; });
      bench::line("sampling/vocabulary " + std::to_string(n) + "/" + w.name, t, "us/token", sum, bench::Better::Less);
    }
  }
}

struct Job final : sampling::Job {
  explicit Job(uint64_t seed) { s.seed = seed, s.max_tokens = kReply; }
  const local::Sampling& sampling() const override { return s; }
  bool chosen(const sampling::Choice&) override { return true; }
  void over(const End& e) override { end.set_value(e); }
  local::Sampling s;
  std::promise<End> end;
};

void conversations(const std::string& folder) {
  const std::pair<nn::Precision, int64_t> cases[] = {{nn::Precision::Float32, 1}, {nn::Precision::Float32, 8}, {nn::Precision::Float32, 32}, {nn::Precision::Float32, 128}, {nn::Precision::BFloat16, 128}};
  for (const auto& [precision, batch] : cases) {
    const nn::NetworkOptions options{.precision = precision, .cache_tokens = 2 * batch * (kPrompt + kReply + 16)};
    std::vector<std::vector<TokenId>> prompts(static_cast<size_t>(batch));
    std::mt19937 random(3);
    for (auto& p : prompts)
      for (int64_t i = 0; i < kPrompt; ++i) p.push_back(static_cast<TokenId>(random() % 49152));
    std::vector<double> alone, ours;
    for (int round = 0; round < 3; ++round) {
      {
        const auto net = nn::load_network(folder, options);
        alone.push_back(bench::seconds([&] {
          std::vector<nn::Network::Item> items;
          for (const auto& p : prompts) items.push_back({net->create(), p, nn::Want::Last});
          net->forward(items);
          const std::vector<TokenId> next{7};
          for (auto& item : items) item.tokens = next;
          for (int64_t i = 1; i < kReply; ++i) net->forward(items);
        }));
      }
      sampling::Generator generator(nn::load_network(folder, options), {});
      ours.push_back(bench::seconds([&] {
        std::vector<std::shared_ptr<Job>> jobs;
        for (const auto& p : prompts) {
          jobs.push_back(std::make_shared<Job>(jobs.size()));
          generator.submit(generator.open(), p, jobs.back());
        }
        for (auto& job : jobs)
          if (job->end.get_future().get().failed) std::exit(1);
      }));
    }
    const double tokens = static_cast<double>(batch * (kPrompt + kReply));
    bench::line(std::string("sampling/conversations/135m/") + (precision == nn::Precision::Float32 ? "f32" : "bf16") + "/batch " + std::to_string(batch), tokens / bench::median(ours), "tokens/s", tokens / bench::median(alone));
  }
}

}  // namespace

int main() {
  rows();
  std::string folder = (std::filesystem::temp_directory_path() / "ppc-bench-XXXXXX").string();
  if (!mkdtemp(folder.data())) return 1;
  nn::write_random_model(folder, nn::shape_135m());
  conversations(folder);
  std::filesystem::remove_all(folder);
}
