// Writes a model folder that knows nothing: random weights of a tiny shape, a byte-level tokenizer with a few hundred merges learnt
// from its own texts, a ChatML template. For tests of whatever plays with local models.
//
//   make_model FOLDER [llama|qwen2|qwen3 [SEED [bfloat16]]]
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>

#include "trainers/nn/random_model.h"

using namespace ppc;
using engine::Json;

namespace {

constexpr const char* kTexts =
    "CLUE: a large animal with a trunk GUESS: elephant explanation: the letters fit guess: apple agreement: yes Describe this word without saying it. "
    "You are playing a game in which you have to guess a word. Answer with one word. The clue was good, the guess is wrong. Please try again. ";

/// The printable character that GPT-2's vocabulary writes for a byte.
std::string symbol(unsigned byte) {
  static const std::vector<uint32_t> points = [] {
    std::vector<uint32_t> out(256);
    uint32_t next = 256;
    for (unsigned b = 0; b < 256; ++b) {
      const bool plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
      out[b] = plain ? b : next++;
    }
    return out;
  }();
  const uint32_t c = points[byte];
  return c < 0x80 ? std::string(1, static_cast<char>(c)) : std::string{static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 0x3F))};
}

Json tokenizer(int64_t vocab_size) {
  Json vocab = Json::object(), merges = Json::list(), added = Json::list();
  int64_t next = 0;
  for (const char* special : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    Json a = Json::object();
    a.add("id", next);
    a.add("content", special);
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized"}) a.add(flag, false);
    a.add("special", true);
    added.push(std::move(a));
    vocab.add(special, next++);
  }
  for (unsigned b = 0; b < 256; ++b) vocab.add(symbol(b), next++);
  // Byte-pair encoding of the words of the texts, each with the space in front of it.
  std::vector<std::vector<std::string>> words(1);
  for (const char* p = kTexts; *p; ++p) {
    if (*p == ' ') words.emplace_back();
    words.back().push_back(symbol(static_cast<unsigned char>(*p)));
  }
  for (; next < vocab_size - 8; ++next) {  // the last rows have no token, as in many models
    std::map<std::pair<std::string, std::string>, int> counts;
    for (const auto& w : words)
      for (size_t i = 1; i < w.size(); ++i) ++counts[{w[i - 1], w[i]}];
    if (counts.empty()) break;
    const auto best = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; })->first;
    merges.push(best.first + " " + best.second);
    vocab.add(best.first + best.second, next);
    for (auto& w : words)
      for (size_t i = 1; i < w.size(); ++i)
        if (w[i - 1] == best.first && w[i] == best.second) w[i - 1] += w[i], w.erase(w.begin() + static_cast<ptrdiff_t>(i));
  }
  auto byte_level = [](bool regex) {
    Json j = Json::object();
    j.add("type", "ByteLevel");
    j.add("add_prefix_space", false);
    j.add("trim_offsets", true);
    j.add("use_regex", regex);
    return j;
  };
  Json out = Json::object(), model = Json::object();
  out.add("version", "1.0");
  out.add("truncation", Json());
  out.add("padding", Json());
  out.add("added_tokens", std::move(added));
  out.add("normalizer", Json());
  out.add("pre_tokenizer", byte_level(true));
  out.add("post_processor", Json());
  out.add("decoder", byte_level(true));
  model.add("type", "BPE");
  model.add("vocab", std::move(vocab));
  model.add("merges", std::move(merges));
  out.add("model", std::move(model));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return std::fprintf(stderr, "usage: make_model FOLDER [llama|qwen2|qwen3 [SEED [bfloat16]]]\n"), 2;
  const std::string folder = argv[1], kind = argc > 2 ? argv[2] : "llama";
  model::ModelConfig c = nn::shape_tiny(kind == "qwen3" ? model::Architecture::Qwen3 : kind == "qwen2" ? model::Architecture::Qwen2 : model::Architecture::Llama);
  c.vocab_size = 448;
  c.max_position_embeddings = 32768;  // a small vocabulary makes long conversations
  c.bos_token_id = 1;
  c.eos_token_id = {2};
  nn::RandomWeights weights;
  weights.seed = argc > 3 ? std::stoull(argv[3]) : 1;
  weights.initializer_range = 0.15;  // so that it prefers some tokens
  weights.spread = 0.1;
  nn::write_random_model(folder, c, weights, argc > 4 && std::string(argv[4]) == "bfloat16" ? model::DType::BF16 : model::DType::F32);
  model::write_file_atomically(folder + "/tokenizer.json", engine::to_text(tokenizer(c.vocab_size)));
  Json config = Json::object();
  config.add("bos_token", "<|im_start|>");
  config.add("eos_token", "<|im_end|>");
  config.add("chat_template",
             "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
             "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
  model::write_file_atomically(folder + "/tokenizer_config.json", engine::to_text(config));
}
