// The tokenizer: Hugging Face's ids for a small tokenizer in many variants (test/model/make_tokenizer_cases.py made them), round
// trips of any bytes, streaming, what is refused.
#include "trainers/model/tokenizer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <random>
#include <set>
#include <thread>

#include "runtime/text/utf8.h"

using namespace ppc::model;
using ppc::engine::Json;
using ppc::engine::parse_json;

namespace {

const Json& cases() {
  static const Json json = ppc::engine::load_json(PPC_SOURCE_DIR "/test/unit/data/tokenizers.json");
  return json;
}
const Json& variant(const std::string& name) {
  for (const Json& v : cases().find("variants")->items())
    if (v.find("name")->as_text() == name) return v;
  throw std::runtime_error("no variant " + name);
}
Json file_of(const std::string& name) {
  Json json = *cases().find("base");
  for (const auto& [key, value] : variant(name).find("changes")->members()) {
    if (key.starts_with("model.")) json.find("model")->set(key.substr(6), value);
    else json.set(key, value);
  }
  return json;
}
Tokenizer make(const std::string& name) { return Tokenizer::parse(file_of(name), "tokenizer.json"); }
std::vector<TokenId> ids_of(const Json& list) {
  std::vector<TokenId> out;
  for (const Json& i : list.items()) out.push_back(static_cast<TokenId>(i.as_int()));
  return out;
}
std::string error_of(const Json& json) {
  try {
    Tokenizer::parse(json, "t.json");
  } catch (const ppc::engine::InputError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST(Tokenizer, GivesHuggingFacesIds) {
  const auto& texts = cases().find("texts")->items();
  for (const Json& v : cases().find("variants")->items()) {
    const std::string name = v.find("name")->as_text();
    const Tokenizer t = make(name);
    for (int again = 0; again < 2; ++again) {  // the second time from the cache
      for (size_t i = 0; i < texts.size(); ++i) {
        const std::string& text = texts[i].as_text();
        EXPECT_EQ(t.encode(text), ids_of(v.find("ids")->items()[i])) << name << ": " << ppc::engine::to_text(texts[i]);
        EXPECT_EQ(t.encode(text, {.parse_special = false}), ids_of(v.find("plain")->items()[i])) << name << ", plain: " << ppc::engine::to_text(texts[i]);
      }
    }
    const auto& special = v.find("with_special")->items();
    for (size_t i = 0; i < special.size(); ++i)
      EXPECT_EQ(t.encode(texts[i].as_text(), {.add_special_tokens = true}), ids_of(special[i])) << name;
  }
}

TEST(Tokenizer, GivesAnyBytesBack) {
  std::mt19937 random(5);
  for (const char* name : {"gpt2", "smollm", "llama3", "characters"}) {
    const Tokenizer t = make(name);
    EXPECT_EQ(t.missing_bytes(), "");
    for (int n = 0; n < 400; ++n) {
      std::string text;
      const int kind = n % 3;
      for (size_t k = random() % 300; k > 0; --k) {
        if (kind == 0) text += static_cast<char>(random());
        else if (kind == 1) text += "\xC3\xA9\xF0\x9F\x98\x80\xED\xA0\x80\xC0 a1\n"[random() % 14];
        else text += static_cast<char>(32 + random() % 95);
      }
      EXPECT_EQ(t.decode(t.encode(text)), text) << name;
      EXPECT_EQ(t.decode(t.encode(text, {.parse_special = false})), text) << name;
    }
  }
  EXPECT_EQ(make("lacking").missing_bytes(), "\nZq");
  // With a normalizer: bytes that are no text stay, text around them is composed.
  const Tokenizer q = make("qwen2");
  EXPECT_TRUE(q.normalizes());
  EXPECT_EQ(q.decode(q.encode("e\xCC\x81\xFF\xED\xA0\x80 e\xCC\x81")), "\xC3\xA9\xFF\xED\xA0\x80 \xC3\xA9");
}

TEST(Tokenizer, LongWordsMergeAsShortOnesDo) {
  // A reference that needs no heap: the lowest rank, the leftmost, again and again.
  const Json json = file_of("gpt2");
  std::map<std::pair<std::string, std::string>, size_t> ranks;
  const auto& merges = json.find("model")->find("merges")->items();
  for (size_t i = 0; i < merges.size(); ++i) ranks[{merges[i].items()[0].as_text(), merges[i].items()[1].as_text()}] = i;
  const Tokenizer t = make("gpt2");
  std::mt19937 random(9);
  for (int n = 0; n < 60; ++n) {
    std::string word;
    for (size_t k = 30 + random() % 300; k > 0; --k) word += "etaoinshr"[random() % 9];
    std::vector<std::string> parts;
    for (char c : word) parts.emplace_back(1, c);
    while (true) {
      size_t best = SIZE_MAX, at = 0;
      for (size_t i = 0; i + 1 < parts.size(); ++i)
        if (auto r = ranks.find({parts[i], parts[i + 1]}); r != ranks.end() && r->second < best) best = r->second, at = i;
      if (best == SIZE_MAX) break;
      parts[at] += parts[at + 1];
      parts.erase(parts.begin() + static_cast<ptrdiff_t>(at) + 1);
    }
    std::vector<TokenId> wanted;
    for (const std::string& p : parts) wanted.push_back(*t.id_of(p));
    EXPECT_EQ(t.encode(word), wanted);
  }
  const std::string big(1'000'000, 'e');  // would take an hour if it were quadratic
  EXPECT_EQ(t.decode(t.encode(big)), big);
}

TEST(Tokenizer, TokensOfIds) {
  const Tokenizer t = make("llama3");
  const TokenId end = *t.id_of("<|im_end|>");
  EXPECT_TRUE(t.is_special(end));
  EXPECT_EQ(t.token_bytes(end), "<|im_end|>");
  EXPECT_FALSE(t.is_special(*t.id_of("<think>")));
  EXPECT_EQ(t.token_bytes(*t.id_of("Ġthe")), " the");
  EXPECT_EQ(t.token_bytes(*t.id_of("Ċ")), "\n");
  EXPECT_FALSE(t.id_of("no such token"));
  EXPECT_FALSE(t.has(-1));
  EXPECT_FALSE(t.has(static_cast<TokenId>(t.size())));
  EXPECT_EQ(t.token_bytes(1 << 30), "");
  const std::vector<TokenId> ids{end, *t.id_of("Ġthe"), 1 << 30, end};
  EXPECT_EQ(t.decode(ids), "<|im_end|> the<|im_end|>");
  EXPECT_EQ(t.decode(ids, true), " the");
}

TEST(Tokenizer, StreamsWholeCharacters) {
  const Tokenizer t = make("gpt2");
  std::mt19937 random(2);
  for (int n = 0; n < 300; ++n) {
    std::string text;
    for (int k = 0; k < 20; ++k) text += n % 2 ? std::string(1, static_cast<char>(random())) : std::string(std::vector{"é", "😀", "a", "好", " ", "\xF0\x9F"}[random() % 6]);
    std::set<size_t> inside;  // places in the middle of a character
    for (size_t i = 0; i < text.size(); ++i)
      for (size_t length = 2; length <= 4 && i + length <= text.size(); ++length) {
        const std::string_view c = std::string_view(text).substr(i, length);
        if (ppc::text::check_utf8(c).valid && ppc::text::count_points(reinterpret_cast<const uint8_t*>(c.data()), length) == 1)
          for (size_t k = 1; k < length; ++k) inside.insert(i + k);
      }
    StreamDecoder stream(t);
    std::string all;
    for (TokenId id : t.encode(text)) {
      all += stream.push(id);
      EXPECT_FALSE(inside.contains(all.size()));
    }
    const std::string rest = stream.finish();
    EXPECT_LE(rest.size(), 3u);
    EXPECT_EQ(all + rest, text);
  }
  StreamDecoder stream(t);
  EXPECT_EQ(stream.push(*t.id_of("ð")), "");     // F0
  EXPECT_EQ(stream.push(*t.id_of("Ł")), "");     // 9F
  EXPECT_EQ(stream.push(*t.id_of("ĺ")), "");     // 98
  EXPECT_EQ(stream.push(*t.id_of("Ģ")), "😀");   // 80
}

TEST(Tokenizer, SeveralThreads) {
  const Tokenizer t = make("llama3");
  const auto& texts = cases().find("texts")->items();
  const Json& ids = *variant("llama3").find("ids");
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int k = 0; k < 4; ++k)
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n)
        for (size_t i = 0; i < texts.size(); ++i) wrong += t.encode(texts[i].as_text()) != ids_of(ids.items()[i]);
    });
  for (auto& x : threads) x.join();
  EXPECT_EQ(wrong, 0);
}

TEST(Tokenizer, WhatIsNotSupportedIsNamed) {
  const Json base = file_of("llama3");
  const auto with = [&](const char* key, const char* value) {
    Json j = base;
    j.set(key, parse_json(value, "v"));
    return j;
  };
  const auto model = [&](const char* key, const char* value) {
    Json j = base;
    j.find("model")->set(key, parse_json(value, "v"));
    return j;
  };
  const std::pair<Json, const char*> all[] = {
      {parse_json("[]", "x"), "expected an object"},
      {parse_json("{}", "x"), "no `model`"},
      {model("type", "\"Unigram\""), "model text \"Unigram\" is not supported (BPE is)"},
      {model("dropout", "0.1"), "`dropout` is not supported"},
      {model("end_of_word_suffix", "\"</w>\""), "`end_of_word_suffix` is not supported"},
      {model("continuing_subword_prefix", "\"##\""), "`continuing_subword_prefix` is not supported"},
      {model("vocab", "{}"), "`vocab` is empty"},
      {model("vocab", R"({"a": 0, "b": 0})"), "another word has the id 0"},
      {model("vocab", R"({"a": 0, "a": 1})"), "`a` is there twice"},
      {model("vocab", R"({"a": -1})"), "expected an id from 0"},
      {model("vocab", R"({"a": 100000000})"), "expected an id from 0"},
      {model("merges", R"(["a"])"), "number 0: expected two words"},
      {model("merges", R"([["a", "€"]])"), "`€` is not in `vocab`"},
      {with("normalizer", R"({"type": "Lowercase"})"), "normalizer `Lowercase` is not supported"},
      {with("normalizer", R"({"type": "Sequence", "normalizers": [{"type": "NFKC"}]})"), "normalizer `NFKC` is not supported"},
      {with("pre_tokenizer", R"({"type": "Metaspace"})"), "pre-tokenizer `Metaspace` is not supported"},
      {with("pre_tokenizer", R"({"type": "ByteLevel", "add_prefix_space": true})"), "`add_prefix_space` is not supported"},
      {with("pre_tokenizer", R"({"type": "Split", "pattern": {"Regex": "\\w+"}, "behavior": "Isolated"})"), "the pattern `\\w+` is not supported"},
      {with("pre_tokenizer", R"({"type": "Split", "pattern": {"String": " "}, "behavior": "Isolated"})"), "only a `Regex`"},
      {with("decoder", R"({"type": "WordPiece"})"), "decoder `WordPiece` is not supported"},
      {with("decoder", "null"), "decoder: none"},
      {with("post_processor", R"({"type": "BertProcessing"})"), "post-processor `BertProcessing` is not supported"},
      {with("added_tokens", R"([{"id": 5, "content": "<x>"}])"), "another token has the id 5"},
      {with("added_tokens", R"([{"id": 5000, "content": "the"}])"), "has the id"},
      {with("added_tokens", R"([{"id": "x", "content": "<x>"}])"), "`id`: expected an id"},
      {with("added_tokens", "3"), "`added_tokens`: expected a list"},
  };
  for (const auto& [json, says] : all) {
    const std::string e = error_of(json);
    EXPECT_TRUE(e.starts_with("t.json: ")) << e;
    EXPECT_NE(e.find(says), std::string::npos) << "wanted: " << says << "\n   got: " << e;
  }
}

TEST(Tokenizer, GoldenModelsLoad) {
  namespace fs = std::filesystem;
  const char* shared = std::getenv("PPC_SHARED");
  const fs::path models = shared ? fs::path(shared) / "golden/models" : fs::path(PPC_SOURCE_DIR).parent_path() / "shared/golden/models";
  if (!fs::exists(models)) GTEST_SKIP() << "no folder " << models << " (PPC_SHARED)";
  for (const auto& model : fs::directory_iterator(models)) {
    const Tokenizer t = Tokenizer::load(model.path().string());
    EXPECT_EQ(t.size(), 512u);
    const std::string text = "<|im_start|>user\nGuess a word, it's 5 letters.<|im_end|>\n";
    EXPECT_EQ(t.decode(t.encode(text)), text);
    EXPECT_EQ(t.encode("<|im_end|>"), std::vector<TokenId>{model.path().filename() == "tiny-llama" ? 2 : 511});
  }
}
