// Tokens a second of a local model, prompts of 128 tokens and 64 generated ones apart, for 1, 8, 32 and 128 episodes at once: a shape of 135
// million weights, and a tiny one. Beside them what the machine gives in the same run: matrix products (a square one of OpenBLAS) and
// matrix-vector products (half a gigabyte of weights read once). llama.cpp's figures are quoted (docs/performance.md).
//
//   model_bench [--json] [--plain] [--threads=N] [TEXT]    TEXT: a part of `shape/precision/batch N`; --plain: with LibTorch's operators
#include <dlfcn.h>
#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <random>
#include <thread>
#include <vector>

#include "runtime/local/blas.h"
#include "test/bench/lines.h"
#include "trainers/nn/network.h"
#include "trainers/nn/random_model.h"

using namespace ppc;
using nn::Network;
using nn::Want;

namespace {

constexpr int64_t kPrompt = 128, kGenerated = 64;
constexpr int64_t kAtOnce = 4096;  // tokens of prompts in one call

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "model_bench: " << what << "\n";
  std::exit(1);
}

struct Machine {
  double gemm = 0;    // GFLOP/s
  double memory = 0;  // GB/s
};

/// The best of several rounds: what the machine can do, when nothing else disturbs it.
Machine measure_machine() {
  using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  using Gemv = void (*)(int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  local::choose_blas_kernels();
  void* blas = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!blas) fail(dlerror());
  const auto gemm = reinterpret_cast<Gemm>(dlsym(blas, "cblas_sgemm"));
  const auto gemv = reinterpret_cast<Gemv>(dlsym(blas, "cblas_sgemv"));
  if (!gemm || !gemv) fail("no cblas_sgemm");
  constexpr int row_major = 101, plain = 111, n = 2048, rows = 131'072, columns = 1024;
  Machine m;
  std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f), c(n * n);
  for (int i = 0; i < 8; ++i) {
    const double s = bench::seconds([&] { gemm(row_major, plain, plain, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n); });
    m.gemm = std::max(m.gemm, 2.0 * n * n * n / s / 1e9);
  }
  std::vector<float> weights(static_cast<size_t>(rows) * columns, 0.5f), x(columns, 1), y(rows);
  for (int i = 0; i < 8; ++i) {
    const double s = bench::seconds([&] { gemv(row_major, plain, rows, columns, 1, weights.data(), columns, x.data(), 1, 0, y.data(), 1); });
    m.memory = std::max(m.memory, 4.0 * rows * columns / s / 1e9);
  }
  return m;
}

/// Of a model's matrices, and of the last one, which only wanted rows go through.
struct Work {
  double layers = 0, head = 0;  // weights
  explicit Work(const model::ModelConfig& c) {
    for (const auto& [name, shape] : model::tensors_of(c))
      if (shape.size() == 2 && name.starts_with("model.layers")) layers += static_cast<double>(shape[0] * shape[1]);
    head = static_cast<double>(c.vocab_size * c.hidden_size);
  }
};

struct Rates { double prompt = 0, generated = 0, total = 0; };  // tokens a second

/// `batch` episodes with prompts of their own.
Rates play(Network& net, int64_t batch) {
  std::mt19937 random(1);
  auto token = [&] { return static_cast<nn::TokenId>(random() % static_cast<uint64_t>(net.config().vocab_size)); };
  std::vector<std::vector<nn::TokenId>> prompts(static_cast<size_t>(batch), std::vector<nn::TokenId>(kPrompt));
  for (auto& p : prompts)
    for (auto& t : p) t = token();
  std::vector<nn::SequenceId> sequences;
  for (int64_t i = 0; i < batch; ++i) sequences.push_back(net.create());

  const double prompt = bench::seconds([&] {
    for (size_t at = 0; at < prompts.size(); at += kAtOnce / kPrompt) {
      std::vector<Network::Item> items;
      for (size_t i = at; i < std::min(prompts.size(), at + kAtOnce / kPrompt); ++i) items.push_back({sequences[i], prompts[i], Want::Last});
      net.forward(items);
    }
  });
  std::vector<nn::TokenId> next(static_cast<size_t>(batch));
  const double generated = bench::seconds([&] {
    for (int64_t step = 0; step < kGenerated; ++step) {
      std::vector<Network::Item> items;
      for (size_t i = 0; i < next.size(); ++i) {
        next[i] = token();
        items.push_back({sequences[i], {&next[i], 1}, Want::Last});
      }
      net.forward(items);
    }
  });
  for (const nn::SequenceId s : sequences) net.release(s);
  const double n = static_cast<double>(batch);
  return {n * kPrompt / prompt, n * kGenerated / generated, n * (kPrompt + kGenerated) / (prompt + generated)};
}

/// Two texts together give the logits that each gives alone.
void check(Network& net) {
  std::vector<nn::TokenId> a(40), b(23);
  for (size_t i = 0; i < a.size(); ++i) a[i] = static_cast<nn::TokenId>(i * 7 % 300);
  for (size_t i = 0; i < b.size(); ++i) b[i] = static_cast<nn::TokenId>(i * 11 % 300);
  auto last = [&](std::vector<Network::Item> items) {
    for (auto& i : items) i.sequence = net.create();
    const Network::Logits l = net.forward(items);
    std::vector<float> out(l.data, l.data + l.rows * l.columns);
    for (auto& i : items) net.release(i.sequence);
    return out;
  };
  const std::vector<float> both = last({{0, a, Want::Last}, {0, b, Want::Last}});
  std::vector<float> each = last({{0, a, Want::Last}});
  const std::vector<float> other = last({{0, b, Want::Last}});
  each.insert(each.end(), other.begin(), other.end());
  double most = 0;
  for (size_t i = 0; i < both.size(); ++i) most = std::max(most, static_cast<double>(std::abs(both[i] - each[i])));
  if (!(most < 0.05) || both.size() != each.size()) fail("two texts together and alone differ by " + std::to_string(most));
}

/// llama.cpp on the 135M shape with f32 weights, two threads, on a machine of this kind: quoted, not measured here.
Rates llama_cpp(const std::string& what) {
  if (what == "135m/f32/batch 1") return {729, 43, 113};
  if (what == "135m/f32/batch 8") return {679, 139, 294};
  if (what == "135m/f32/batch 32") return {672, 202, 374};
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  nn::NetworkOptions options;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (a == "--plain") options.plain = true;
    else if (a.starts_with("--threads=")) options.threads = std::stoi(a.substr(10));
    else if (a.starts_with("--")) continue;
    else only = a;
  }
  std::string home = (std::filesystem::temp_directory_path() / "ppc-bench-XXXXXX").string();
  if (!mkdtemp(home.data())) fail("mkdtemp");

  const Machine machine = measure_machine();
  bench::line("model/machine/matrix product", machine.gemm, "GFLOP/s");
  bench::line("model/machine/matrix-vector product", machine.memory, "GB/s");
  struct { const char* name; model::ModelConfig config; } shapes[] = {{"135m", nn::shape_135m()}, {"tiny", nn::shape_tiny()}};
  for (const auto& shape : shapes)
    for (const nn::Precision precision : {nn::Precision::Float32, nn::Precision::BFloat16}) {
      const bool f32 = precision == nn::Precision::Float32;
      const std::string model = std::string(shape.name) + (f32 ? "/f32" : "/bf16"), folder = home + "/" + shape.name;
      std::unique_ptr<Network> net;
      for (const int64_t batch : {1, 8, 32, 128}) {
        const std::string what = model + "/batch " + std::to_string(batch);
        if ((what + "/").find(only.empty() ? "" : only + "/") == std::string::npos) continue;
        if (!net) {
          if (!std::filesystem::exists(folder)) nn::write_random_model(folder, shape.config);
          options.precision = precision;
          options.cache_tokens = 128 * (kPrompt + kGenerated);
          net = nn::load_network(folder, options);
          check(*net);
          const Network::Memory m = net->memory();
          const int64_t pages = (kPrompt + kGenerated + net->page_size() - 1) / net->page_size();
          bench::line("model/" + model + "/memory of an episode of 192 tokens", static_cast<double>(pages * m.page) / 1e6, "MB");
          bench::line("model/" + model + "/memory of weights", static_cast<double>(m.weights) / 1e6, "MB");
        }
        std::vector<double> prompt, generated, total;
        double spent = 0;
        for (int round = 0; round < 5 && (round < 1 || spent < 12); ++round) {
          spent += bench::seconds([&] {
            const Rates r = play(*net, batch);
            prompt.push_back(r.prompt);
            generated.push_back(r.generated);
            total.push_back(r.total);
          });
        }
        const Rates rates{bench::median(prompt), bench::median(generated), bench::median(total)}, theirs = llama_cpp(what);
        bench::line("model/" + what + "/prompt, beside llama.cpp's", rates.prompt, "tokens/s", theirs.prompt);
        bench::line("model/" + what + "/generated, beside llama.cpp's", rates.generated, "tokens/s", theirs.generated);
        bench::line("model/" + what + "/total, beside llama.cpp's", rates.total, "tokens/s", theirs.total);
        // What was computed and read of what the machine could; attention, a small part here, is not counted.
        const Work work(shape.config);
        const double flops = 2 * (work.layers + work.head / kPrompt) * rates.prompt / 1e9;
        bench::line("model/" + what + "/prompt, of the machine's matrix products", flops, "GFLOP/s", machine.gemm);
        const double steps = rates.generated / static_cast<double>(batch), bytes = f32 ? 4 : 2;
        const double episode = static_cast<double>(net->memory().page) / static_cast<double>(net->page_size()) * (kPrompt + kGenerated / 2.0);
        bench::line("model/" + what + "/generated, of the machine's matrix-vector products",
                    steps * ((work.layers + work.head) * bytes + episode * static_cast<double>(batch)) / 1e9, "GB/s", machine.memory);
        bench::line("model/" + what + "/generated, of the machine's matrix products", 2 * (work.layers + work.head) * rates.generated / 1e9, "GFLOP/s", machine.gemm);
      }
    }
  std::filesystem::remove_all(home);
}
