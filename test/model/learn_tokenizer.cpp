// Learns a tokenizer from files, as trainers do for a model that begins from nothing; `tools/peers tokenizer FOLDER` compares it with Hugging Face's.
//
//   learn_tokenizer FOLDER VOCAB_SIZE FILE…
#include <cstdio>
#include <filesystem>

#include "trainers/data/make_tokenizer.h"

int main(int argc, char** argv) try {
  if (argc < 4) return std::fprintf(stderr, "usage: learn_tokenizer FOLDER VOCAB_SIZE FILE…\n"), 2;
  std::vector<std::string> texts;
  for (int i = 3; i < argc; ++i) texts.push_back(ppc::engine::read_file(argv[i]));
  std::filesystem::create_directories(argv[1]);
  const ppc::data::MadeTokenizer made = ppc::data::make_tokenizer(argv[1], texts, {.vocab_size = std::stoll(argv[2])});
  std::printf("%lld tokens\n", static_cast<long long>(made.size));
} catch (const std::exception& e) {
  return std::fprintf(stderr, "%s\n", e.what()), 1;
}
