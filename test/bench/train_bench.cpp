// Trained tokens a second: a batch forward and back, and the optimizer's step, apart and together. Beside them what the machine's matrix products, a
// square one of OpenBLAS measured in the same run, would allow if nothing else took any time: 6 operations a token for each weight that is
// multiplied (4 where weights are frozen).
//
//   train_bench [--json] [--threads=N] [--processor] [TEXT]    TEXT: a part of `shape/precision/how/batch`; --processor: the time that the processor
//                                                              spent on this program, per thread, for a machine on which others work
#include <dlfcn.h>
#include <stdlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <random>
#include <thread>
#include <vector>

#include "runtime/local/blas.h"
#include "test/bench/lines.h"
#include "trainers/learn/learner.h"
#include "trainers/nn/random_model.h"

using namespace ppc;

namespace {

int threads = 0;
bool processor = false;

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "train_bench: " << what << "\n";
  std::exit(1);
}

double seconds(const std::function<void()>& f) {
  if (!processor) return bench::seconds(f);
  auto now = [] {
    timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  };
  const double begin = now();
  f();
  return (now() - begin) / threads;
}

/// GFLOP/s of a product: the best of several, what the machine can do when nothing else disturbs it.
double matrix_rate() {
  using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int, float, float*, int);
  void* blas = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
  if (!blas) fail(dlerror());
  const auto gemm = reinterpret_cast<Gemm>(dlsym(blas, "cblas_sgemm"));
  const auto set = reinterpret_cast<void (*)(int)>(dlsym(blas, "openblas_set_num_threads"));
  if (!gemm || !set) fail("no cblas_sgemm");
  set(threads);
  constexpr int row_major = 101, plain = 111, n = 2048;
  std::vector<float> a(n * n, 0.5f), b(n * n, 0.25f), c(n * n);
  double best = 0;
  for (int i = 0; i < 8; ++i) best = std::max(best, 2.0 * n * n * n / 1e9 / seconds([&] { gemm(row_major, plain, plain, n, n, n, 1, a.data(), n, b.data(), n, 0, c.data(), n); }));
  return best;
}

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "ppc-train-bench-XXXXXX").string();
    if (!mkdtemp(name.data())) fail("mkdtemp");
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

struct How {
  const char* name;
  std::function<void(learn::LearnerOptions&)> set;
  double operations = 6;
};

}  // namespace

int main(int argc, char** argv) {
  std::string only;
  for (int i = 1; i < argc; ++i) {
    if (!std::strncmp(argv[i], "--threads=", 10)) threads = std::atoi(argv[i] + 10);
    else if (!std::strcmp(argv[i], "--processor")) processor = true;
    else if (argv[i][0] != '-') only = argv[i];
  }
  if (threads <= 0) threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  local::choose_blas_kernels();

  const How hows[] = {
      {"f32/full", [](auto&) {}},
      {"f32/checkpointing", [](auto& o) { o.gradient_checkpointing = true; }},
      {"f32/lora 16", [](auto& o) { o.lora = {.r = 16, .alpha = 32}; }, 4},
      {"bf16/full", [](auto& o) { o.precision = "bfloat16"; }},
  };
  const std::pair<const char*, model::ModelConfig> shapes[] = {{"135m", nn::shape_135m()}, {"tiny", nn::shape_tiny()}};
  const std::pair<int, int> batches[] = {{4, 256}, {16, 64}, {1, 1024}};
  for (const auto& [shape_name, config] : shapes)
    for (const How& how : hows) {
      Folder folder;
      std::unique_ptr<learn::Learner> learner;
      for (const auto& [count, length] : batches) {
        const std::string name = std::string(shape_name) + "/" + how.name + "/" + std::to_string(count) + "x" + std::to_string(length);
        if (name.find(only) == std::string::npos) continue;
        if (!learner) {
          nn::write_random_model(folder.path.string(), config);
          learn::LearnerOptions options;
          options.threads = threads;
          how.set(options);
          learner = learn::load_learner(folder.path.string(), options);
        }
        // One id more than inputs: the first is not trained, the last is no input.
        std::mt19937 random(1);
        std::vector<std::vector<learn::TokenId>> ids(static_cast<size_t>(count), std::vector<learn::TokenId>(static_cast<size_t>(length) + 1));
        for (auto& s : ids)
          for (auto& t : s) t = static_cast<learn::TokenId>(random() % static_cast<uint64_t>(config.vocab_size));
        std::vector<uint8_t> trained(static_cast<size_t>(length) + 1, 1);
        trained[0] = 0;
        std::vector<learn::Sequence> batch;
        for (const auto& s : ids) batch.push_back({s, trained});
        double first = 0, last = 0;
        auto accumulate = [&] {
          learner->accumulate(batch, [&](const learn::Learner::Tokens& tokens, std::span<double> gradient) {
            last = 0;
            for (size_t i = 0; i < gradient.size(); ++i) {
              gradient[i] = -1.0 / static_cast<double>(gradient.size());
              last += gradient[i] * tokens.logprobs[i];
            }
            if (first == 0) first = last;
          });
        };
        std::vector<double> back, step;
        const double gemm = matrix_rate();
        for (int i = 0; i < 6; ++i) {
          const double b = seconds(accumulate), s = seconds([&] { learner->step(1e-4, 1); });
          if (i > 0) back.push_back(b), step.push_back(s);  // the first takes memory from the system
        }
        if (!(last < first)) fail(name + ": the loss goes from " + std::to_string(first) + " to " + std::to_string(last));
        double weights = 0;
        for (const auto& [tensor, shape] : model::tensors_of(config))
          if (shape.size() == 2 && (tensor.find("embed_tokens") == std::string::npos || config.tie_word_embeddings)) weights += static_cast<double>(shape[0] * shape[1]);
        const double tokens = count * length, allowed = gemm * 1e9 / (how.operations * weights), b = bench::median(back), s = bench::median(step);
        bench::line("train/" + name + ", beside what the matrix products allow", tokens / (b + s), "tokens/s", allowed);
        bench::line("train/" + name + "/forward and back", tokens / b, "tokens/s", allowed);
        bench::line("train/" + name + "/optimizer", s * 1e3, "ms");
      }
    }
}
