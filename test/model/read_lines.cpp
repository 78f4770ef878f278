// Reads lines of `ppc export` as trainers do, with a model folder's tokenizer and template.
//
//   read_lines FOLDER FILE sft|dpo [auto|exact|encode [MAX_LENGTH [cut]]]     a few lines of statistics
#include <cstdio>
#include <map>

#include "trainers/data/read.h"

int main(int argc, char** argv) try {
  using namespace ppc::data;
  if (argc < 4) return std::fprintf(stderr, "usage: read_lines FOLDER FILE sft|dpo [auto|exact|encode [MAX_LENGTH [cut]]]\n"), 2;
  const Encoder encoder = load_encoder(argv[1]);
  ReadOptions o;
  const std::map<std::string, Ids> ids = {{"auto", Ids::Auto}, {"exact", Ids::Exact}, {"encode", Ids::Encode}};
  if (argc > 4) o.ids = ids.at(argv[4]);
  if (argc > 5) o.max_length = std::stoll(argv[5]);
  if (argc > 6) o.too_long = TooLong::Cut;
  const Statistics s = std::string(argv[3]) == "dpo" ? read_pairs(argv[2], encoder, o).statistics : read_examples(argv[2], encoder, o).statistics;
  std::printf("%s\n%s\n", s.describe().c_str(), ppc::engine::to_text(s.to_json()).c_str());
} catch (const std::exception& e) {
  return std::fprintf(stderr, "%s\n", e.what()), 1;
}
