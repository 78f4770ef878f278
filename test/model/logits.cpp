// Writes model folders of random weights, one for each architecture and precision, and what we compute from them: for
// test/model/compare_logits.py, which lets transformers compute the same.
//
//   model_logits FOLDER     FOLDER/NAME/{config.json,model*.safetensors}, texts.json, and for each way to compute NAME/WAY.f32: the logits
//                           of all texts' tokens, one behind another; greedy.json: what follows the first text
//   model_logits --of FOLDER TEXTS.json OUT.f32   of a folder that is there, as it plays in float32: for test/peers/trained.py
#include "trainers/nn/torch.h"  // first

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <random>

#include "trainers/nn/network.h"
#include "trainers/nn/random_model.h"
#include "trainers/nn/transformer.h"

using namespace ppc;
using engine::Json;
using model::Architecture;
using model::ModelConfig;
namespace fs = std::filesystem;

namespace {

void write(const fs::path& file, const float* data, int64_t n) {
  std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(n * 4));
}

struct Model {
  const char* name;
  ModelConfig config;
  model::DType dtype = model::DType::F32;
  uint64_t shard = uint64_t{1} << 40;
};

std::vector<Model> models() {
  ModelConfig biases = nn::shape_tiny(), scaled = nn::shape_tiny(), real = nn::shape_tiny(), untied = nn::shape_tiny(Architecture::Qwen3);
  biases.qkv_bias = biases.o_bias = biases.mlp_bias = biases.tie_word_embeddings = true;
  scaled.rope_theta = 500;
  scaled.rope_scaling = {model::RopeScaling::Type::Llama3, 4, 1, 4, 64};
  real.head_dim = 64;  // Llama 3.2's rotary embeddings
  real.rope_theta = 500000;
  real.rope_scaling = {model::RopeScaling::Type::Llama3, 32, 1, 4, 8192};
  untied.tie_word_embeddings = false;
  untied.num_key_value_heads = 1;
  untied.qkv_bias = untied.o_bias = true;
  return {{"llama", nn::shape_tiny()},
          {"llama-biases", biases},
          {"llama3", scaled},
          {"llama3-real", real},
          {"qwen2", nn::shape_tiny(Architecture::Qwen2)},
          {"qwen3", nn::shape_tiny(Architecture::Qwen3)},
          {"qwen3-untied", untied, model::DType::F32, 60'000},
          {"llama-bf16", nn::shape_tiny(), model::DType::BF16},
          {"qwen2-bf16", nn::shape_tiny(Architecture::Qwen2), model::DType::BF16},
          {"qwen3-bf16", nn::shape_tiny(Architecture::Qwen3), model::DType::BF16, 60'000}};
}

void of_folder(const std::string& folder, const std::string& texts, const std::string& out) {
  const auto net = nn::load_network(folder, {.cache_tokens = 4096});
  const Json json = engine::load_json(texts);
  std::vector<std::vector<nn::TokenId>> ids;
  for (const Json& text : json.items()) {
    auto& row = ids.emplace_back();
    for (const Json& id : text.items()) row.push_back(static_cast<nn::TokenId>(id.as_int()));
  }
  std::vector<nn::Network::Item> items;
  for (const auto& row : ids) items.push_back({net->create(), row, nn::Want::All});
  const auto logits = net->forward(items);
  write(out, logits.data, logits.rows * logits.columns);
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc == 5 && std::string(argv[1]) == "--of") return of_folder(argv[2], argv[3], argv[4]), 0;
  if (argc != 2) return std::cerr << "usage: model_logits FOLDER\n", 2;
  const fs::path home = argv[1];
  for (const Model& m : models()) {
    const fs::path folder = home / m.name;
    nn::write_random_model(folder, m.config, {1, 0.15, 0.2}, m.dtype, m.shard);
    std::mt19937 random(3);
    std::vector<std::vector<nn::TokenId>> texts;
    Json json = Json::list();
    for (size_t n : {12, 1, 300, 33}) {
      auto& text = texts.emplace_back();
      Json list = Json::list();
      while (text.size() < n) list.push(Json(int64_t{text.emplace_back(static_cast<nn::TokenId>(random() % 320))}));
      json.push(std::move(list));
    }
    model::write_file_atomically((folder / "texts.json").string(), engine::to_text(json));

    const bool bf16 = m.dtype == model::DType::BF16;
    const auto full = nn::Transformer::load(folder, torch::kCPU, bf16 ? torch::kBFloat16 : torch::kFloat32);
    full.save(folder, m.shard);  // what transformers reads is what we saved
    {
      torch::NoGradGuard no_gradients;
      const nn::Tensor logits = full.logits(full.hidden(nn::Packed::of(texts))).contiguous();
      write(folder / "full.f32", logits.data_ptr<float>(), logits.numel());
    }
    for (const bool plain : {true, false}) {
      nn::NetworkOptions options;
      options.precision = bf16 ? nn::Precision::BFloat16 : nn::Precision::Float32;
      options.plain = plain;
      options.cache_tokens = 2048;
      const auto net = nn::load_network(folder, options);
      std::vector<nn::Network::Item> items;
      for (const auto& text : texts) items.push_back({net->create(), text, nn::Want::All});
      const auto logits = net->forward(items);
      write(folder / (plain ? "plain.f32" : "fast.f32"), logits.data, logits.rows * logits.columns);
      if (!plain) continue;
      // Greedily on from the first text.
      Json said = Json::list();
      const nn::SequenceId s = net->fork(items[0].sequence, static_cast<int64_t>(texts[0].size()) - 1);
      nn::TokenId last = texts[0].back();
      for (int i = 0; i < 40; ++i) {
        const nn::Network::Item item{s, {&last, 1}, nn::Want::Last};
        const auto next = net->forward({&item, 1});
        last = static_cast<nn::TokenId>(std::max_element(next.data, next.data + next.columns) - next.data);
        said.push(Json(int64_t{last}));
      }
      model::write_file_atomically((folder / "greedy.json").string(), engine::to_text(said));
    }
  }
  return 0;
} catch (const std::exception& e) {
  std::cerr << "model_logits: " << e.what() << "\n";
  return 1;
}
