// tokenize FOLDER-OR-FILE: for each line of the input, a JSON text, a line with its ids, a JSON list. The other side of test/model/compare_tokenizer.py.
//   --special   with the post-processor's tokens
//   --plain     special tokens in the text are text
// Says on stderr how fast that was. Ends with 1 if decoding the ids does not give the text back (but for a tokenizer that normalizes).
#include <cstdio>
#include <ctime>
#include <iostream>

#include "trainers/model/tokenizer.h"

using namespace ppc;

int main(int argc, char** argv) try {
  model::EncodeOptions options;
  std::string path;
  for (int i = 1; i < argc; ++i) {
    const std::string a = argv[i];
    if (a == "--special") options.add_special_tokens = true;
    else if (a == "--plain") options.parse_special = false;
    else path = a;
  }
  const model::Tokenizer tokenizer = model::Tokenizer::load(path);
  std::string line;
  bool good = true;
  double bytes = 0, seconds = 0;
  while (std::getline(std::cin, line)) {
    const std::string text = engine::parse_json(line, "line").as_text();
    const std::clock_t begin = std::clock();
    const std::vector<model::TokenId> ids = tokenizer.encode(text, options);
    seconds += static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    bytes += static_cast<double>(text.size());
    std::string out = "[";
    for (model::TokenId id : ids) out += (out.size() > 1 ? "," : "") + std::to_string(id);
    std::puts((out + "]").c_str());
    if (!options.add_special_tokens && !tokenizer.normalizes() && tokenizer.missing_bytes().empty() && tokenizer.decode(ids) != text) {
      std::fprintf(stderr, "not given back: %s\n", line.c_str());
      good = false;
    }
  }
  std::fprintf(stderr, "ours: %.1f MB a second of processor time\n", bytes / 1e6 / seconds);
  return good ? 0 : 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "tokenize: %s\n", e.what());
  return 1;
}
