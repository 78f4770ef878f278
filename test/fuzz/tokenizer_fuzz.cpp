// Tokenizers and texts. The first byte chooses: bytes as a tokenizer.json, which is refused with an error or encodes; or a text for
// one of the variants of test/unit/data/tokenizers.json, which must come back from its ids, streamed too.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "trainers/model/tokenizer.h"

namespace {
using namespace ppc::model;
using ppc::engine::Json;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

const std::vector<Tokenizer>& variants() {
  static const std::vector<Tokenizer> all = [] {
    std::vector<Tokenizer> out;
    const Json file = ppc::engine::load_json(PPC_SOURCE_DIR "/test/unit/data/tokenizers.json");
    for (const Json& v : file.find("variants")->items()) {
      Json json = *file.find("base");
      for (const auto& [key, value] : v.find("changes")->members()) {
        if (key.starts_with("model.")) json.find("model")->set(key.substr(6), value);
        else json.set(key, value);
      }
      out.push_back(Tokenizer::parse(json, "variant"));
    }
    return out;
  }();
  return all;
}

void check(const Tokenizer& t, std::string_view text, bool exact) {
  for (const bool special : {true, false}) {
    const std::vector<TokenId> ids = t.encode(text, {.parse_special = special});
    for (TokenId id : ids) require(t.has(id), "an id without a token");
    const std::string back = t.decode(ids);
    require(!exact || back == text, "another text");
    StreamDecoder stream(t);
    std::string streamed;
    for (TokenId id : ids) streamed += stream.push(id);
    const std::string rest = stream.finish();
    require(rest.size() <= 3 && streamed + rest == back, "another text in a stream");
    require(t.encode(text, {.parse_special = special}) == ids, "other ids the second time");
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == '{') {
    try {
      const Tokenizer t = Tokenizer::parse(ppc::engine::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz"), "fuzz");
      check(t, rest, false);
      check(t, "a word  1234 don't \xF0\x9F\x98\x80 \xFF\n", false);
      t.encode("", {.add_special_tokens = true});
    } catch (const ppc::engine::InputError& e) {
      require(std::string_view(e.what()).starts_with("fuzz"), "an error that does not name the file");
    }
    return 0;
  }
  const Tokenizer& t = variants()[data[0] % variants().size()];
  // An added token with lstrip or rstrip takes white space with it.
  const bool strips = data[0] % variants().size() == 5;
  check(t, rest, !t.normalizes() && t.missing_bytes().empty() && !strips);
  return 0;
}
