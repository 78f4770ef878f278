// What a step of GRPO spends its time on: the model that plays (prompts, tokens, sampling), its new weights, all else of playing (games, templates,
// tokenizer, scheduling), and learning. `ppc train grpo` on a game that models of random weights can play, a first step to warm up and one that counts.
// Shares need no quiet machine.
//
//   grpo_bench [--json] [--threads=N] [TEXT]    TEXT: a part of `shape/how`
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include "runtime/local/blas.h"
#include "test/bench/lines.h"
#include "tools/cli/train.h"
#include "tools/cli/train_config.h"
#include "trainers/data/make_tokenizer.h"
#include "trainers/nn/random_model.h"
#include "trainers/report/metrics.h"

using namespace ppc;
namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "grpo_bench: " << what << "\n";
  std::exit(1);
}

struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "ppc-grpo-bench-XXXXXX").string();
    if (!mkdtemp(name.data())) fail("mkdtemp");
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
};

std::vector<std::string> texts() {
  std::vector<std::string> out;
  for (const char* folder : {"docs", "runtime"})
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(PPC_SOURCE_DIR) / folder)) {
      if (!entry.is_regular_file()) continue;
      std::ostringstream text;
      text << std::ifstream(entry.path()).rdbuf();
      out.push_back(text.str());
    }
  return out;
}

struct Case {
  const char* name;
  model::ModelConfig shape;
  int64_t tokens;    // of the tokenizer
  const char* how;   // lines of the configuration
};

/// What the miniature trains (tools/cli/miniature.cpp), with room for a longer dialogue.
model::ModelConfig shape_miniature() {
  model::ModelConfig c = nn::shape_tiny();
  c.hidden_size = 128;
  c.intermediate_size = 256;
  c.num_attention_heads = c.num_key_value_heads = 4;
  c.head_dim = 32;
  c.vocab_size = 512;
  return c;
}

}  // namespace

int main(int argc, char** argv) {
  std::string only, threads;
  for (int i = 1; i < argc; ++i) {
    if (!std::strncmp(argv[i], "--threads=", 10)) threads = argv[i] + 10;
    else if (argv[i][0] != '-') only = argv[i];
  }
  local::choose_blas_kernels();
  const std::vector<std::string> sources = texts();
  const Case cases[] = {
      {"miniature/all weights", shape_miniature(), 512, "threads: 1\ngrpo: {groups: 16, group_size: 8}\n"},
      {"135m/all weights", nn::shape_135m(), 16384, "grpo: {groups: 4, group_size: 8}\n"},
      {"135m/lora 16", nn::shape_135m(), 16384, "grpo: {groups: 4, group_size: 8}\nlora: {r: 16, alpha: 32}\n"},
  };
  for (const Case& c : cases) {
    if (std::string(c.name).find(only) == std::string::npos) continue;
    const Folder folder;
    const fs::path model = folder.path / "model";
    fs::create_directories(model);
    const data::MadeTokenizer made = data::make_tokenizer(model.string(), sources, {.vocab_size = c.tokens});
    model::ModelConfig shape = c.shape;
    shape.vocab_size = std::max(shape.vocab_size, made.size);
    shape.max_position_embeddings = 2048;
    shape.eos_token_id = {made.end};
    nn::write_random_model(model.string(), shape);
    const std::string file = (folder.path / "grpo.yaml").string(), output = (folder.path / "run").string();
    std::ofstream(file) << "model: " << model.string() << "\noutput: " << output << "\n"
                        << "games: [{game: " << PPC_SOURCE_DIR << "/test/bench/talk.game, generate: 20}]\n"
                        << "sampling: {max_tokens: 32}\nsteps: 3\n" << (threads.empty() ? "" : "threads: " + threads + "\n") << c.how;
    try {
      cli::run_training(cli::load_config(train::Method::Grpo, file, {}), {.quiet = true});
    } catch (const std::exception& e) {
      fail(e.what());
    }
    const report::MetricsLine last = report::read_metrics(output + "/metrics.jsonl").back();
    auto metric = [&](const std::string& name) {
      for (const auto& [key, value] : last.values)
        if (key == name) return value;
      fail("no metric " + name);
    };
    const double play = metric("seconds/play"), learn = metric("seconds/learn"), sample = metric("seconds/sample"), publish = metric("seconds/publish"), all = play + learn;
    const std::string name = std::string("grpo/") + c.name + "/";
    bench::line(name + "step", all, "s");
    bench::line(name + "trained tokens", metric("trained_tokens"), "tokens");
    bench::line(name + "share of learning", 100 * learn / all, "%");
    bench::line(name + "share of the model that plays", 100 * sample / all, "%");
    bench::line(name + "share of new weights", 100 * publish / all, "%");
    bench::line(name + "share of games, templates, tokenizer", 100 * (play - sample - publish) / all, "%");
  }
}
