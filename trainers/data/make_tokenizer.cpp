#include "trainers/data/make_tokenizer.h"

#include <map>
#include <queue>
#include <set>
#include <stdexcept>
#include <unordered_map>

#include "trainers/model/pretokenize.h"
#include "trainers/model/safetensors.h"

namespace ppc::data {
namespace {

using engine::Json;

constexpr const char* kTemplateTokens[] = {"<|endoftext|>", "<|end|>", "<|system|>", "<|user|>", "<|assistant|>"};
constexpr const char* kTemplate =
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' }}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";

model::split::Style style_of(unsigned digits) {
  if (digits != 1 && digits != 3) throw std::invalid_argument("digits: 1 or 3");
  return {digits, model::split::kLetter};
}
const char* pattern_of(unsigned digits) {
  return digits == 1 ? R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"
                     : R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
}

using Pair = uint64_t;
Pair pair_of(TokenId a, TokenId b) { return uint64_t{static_cast<uint32_t>(a)} << 32 | static_cast<uint32_t>(b); }

/// As GPT-2 writes bytes in a vocabulary.
std::string level(std::string_view bytes) {
  std::string out;
  for (char c : bytes) {
    const auto b = static_cast<uint8_t>(c);
    uint32_t next = 256, point = b;
    const auto visible = [](uint32_t k) { return (k >= 33 && k <= 126) || (k >= 161 && k <= 172) || k >= 174; };
    for (uint32_t k = 0; k < b; ++k) next += !visible(k);
    if (!visible(b)) point = next;
    uint8_t utf8[4];
    out.append(reinterpret_cast<const char*>(utf8), text::encode(point, utf8));
  }
  return out;
}

}  // namespace

BytePairs learn_byte_pairs(std::span<const std::string> texts, size_t merges, unsigned digits) {
  std::map<std::string_view, int64_t> counts;
  for (const std::string& t : texts) model::split::modern(t, style_of(digits), [&](std::string_view piece) { ++counts[piece]; });
  struct Word { std::vector<TokenId> ids; int64_t count; };
  std::vector<Word> words;
  std::unordered_map<Pair, int64_t> pairs;
  std::unordered_map<Pair, std::set<uint32_t>> where;
  for (const auto& [piece, count] : counts) {
    Word w{{}, count};
    for (char c : piece) w.ids.push_back(static_cast<uint8_t>(c));
    for (size_t i = 0; i + 1 < w.ids.size(); ++i) {
      pairs[pair_of(w.ids[i], w.ids[i + 1])] += count;
      where[pair_of(w.ids[i], w.ids[i + 1])].insert(static_cast<uint32_t>(words.size()));
    }
    words.push_back(std::move(w));
  }
  BytePairs out;
  for (int b = 0; b < 256; ++b) out.tokens.emplace_back(1, static_cast<char>(b));
  std::set<std::string> known(out.tokens.begin(), out.tokens.end());
  std::priority_queue<std::pair<int64_t, Pair>> best;
  for (const auto& [p, n] : pairs) best.push({n, p});
  while (!best.empty() && out.merges.size() < merges) {
    const auto [n, p] = best.top();
    best.pop();
    if (pairs[p] != n || n < 2) continue;
    const auto a = static_cast<TokenId>(p >> 32), b = static_cast<TokenId>(p & 0xFFFFFFFF);
    std::string bytes = out.tokens[static_cast<size_t>(a)] + out.tokens[static_cast<size_t>(b)];
    if (!known.insert(bytes).second) {
      pairs[p] = 0;
      continue;
    }
    const auto made = static_cast<TokenId>(out.tokens.size());
    out.tokens.push_back(std::move(bytes));
    out.merges.push_back({a, b});
    std::set<Pair> changed;
    for (uint32_t which : std::exchange(where[p], {})) {
      Word& w = words[which];
      const auto count = [&](int64_t sign) {
        for (size_t i = 0; i + 1 < w.ids.size(); ++i) {
          const Pair q = pair_of(w.ids[i], w.ids[i + 1]);
          pairs[q] += sign * w.count;
          changed.insert(q);
          if (sign > 0) where[q].insert(which);
        }
      };
      count(-1);
      std::vector<TokenId> ids;
      for (size_t i = 0; i < w.ids.size(); ++i) {
        if (i + 1 < w.ids.size() && w.ids[i] == a && w.ids[i + 1] == b) ids.push_back(made), ++i;
        else ids.push_back(w.ids[i]);
      }
      w.ids = std::move(ids);
      count(1);
    }
    for (Pair q : changed)
      if (pairs[q] > 0) best.push({pairs[q], q});
  }
  return out;
}

Json learn_tokenizer(std::span<const std::string> texts, const TokenizerOptions& o, MadeTokenizer* made) {
  std::vector<std::string> special(std::begin(kTemplateTokens), std::end(kTemplateTokens));
  special.insert(special.end(), o.special.begin(), o.special.end());
  const auto fixed = static_cast<int64_t>(special.size()) + 256;
  if (o.vocab_size < fixed) throw std::invalid_argument("vocab_size: at least " + std::to_string(fixed) + ", the bytes and the special tokens");
  const BytePairs pairs = learn_byte_pairs(texts, static_cast<size_t>(o.vocab_size - fixed), o.digits);

  Json vocab = Json::object(), merges = Json::list(), added = Json::list();
  std::set<std::string> known;
  for (const std::string& name : special) {
    if (name.empty() || !known.insert(name).second) throw std::invalid_argument("special: `" + name + "` is empty or there twice");
    Json t = Json::object();
    t.add("id", static_cast<int64_t>(added.items().size()));
    t.add("content", name);
    for (const char* flag : {"single_word", "lstrip", "rstrip", "normalized"}) t.add(flag, false);
    t.add("special", true);
    vocab.add(name, static_cast<int64_t>(added.items().size()));
    added.push(std::move(t));
  }
  std::vector<std::string> levels;
  for (const std::string& bytes : pairs.tokens) {
    levels.push_back(level(bytes));
    // The vocabulary has a name once.
    if (!known.insert(levels.back()).second) throw std::invalid_argument("special: `" + levels.back() + "` is a token of the text, too");
    vocab.add(levels.back(), static_cast<int64_t>(special.size() + levels.size() - 1));
  }
  for (const auto& [a, b] : pairs.merges) {
    Json pair = Json::list();
    pair.push(levels[static_cast<size_t>(a)]);
    pair.push(levels[static_cast<size_t>(b)]);
    merges.push(std::move(pair));
  }
  if (made) *made = {static_cast<int64_t>(special.size() + levels.size()), 0, 1};

  auto byte_level = [] {
    Json j = Json::object();
    j.add("type", "ByteLevel");
    for (const char* flag : {"add_prefix_space", "trim_offsets", "use_regex"}) j.add(flag, false);
    return j;
  };
  Json pattern = Json::object(), split = Json::object(), stages = Json::list(), words = Json::object();
  pattern.add("Regex", pattern_of(o.digits));
  split.add("type", "Split");
  split.add("pattern", std::move(pattern));
  split.add("behavior", "Isolated");
  split.add("invert", false);
  stages.push(std::move(split));
  stages.push(byte_level());
  words.add("type", "Sequence");
  words.add("pretokenizers", std::move(stages));
  Json bpe = Json::object(), out = Json::object();
  bpe.add("type", "BPE");
  for (const char* none : {"dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix"}) bpe.add(none, Json());
  for (const char* flag : {"fuse_unk", "byte_fallback", "ignore_merges"}) bpe.add(flag, false);
  bpe.add("vocab", std::move(vocab));
  bpe.add("merges", std::move(merges));
  out.add("version", "1.0");
  out.add("truncation", Json());
  out.add("padding", Json());
  out.add("added_tokens", std::move(added));
  out.add("normalizer", Json());
  out.add("pre_tokenizer", std::move(words));
  out.add("post_processor", Json());
  out.add("decoder", byte_level());
  out.add("model", std::move(bpe));
  return out;
}

MadeTokenizer make_tokenizer(const std::string& folder, std::span<const std::string> texts, const TokenizerOptions& o) {
  MadeTokenizer made;
  const Json tokenizer = learn_tokenizer(texts, o, &made);
  Json config = Json::object();
  config.add("tokenizer_class", "PreTrainedTokenizerFast");
  config.add("eos_token", kTemplateTokens[1]);
  config.add("pad_token", kTemplateTokens[0]);
  config.add("clean_up_tokenization_spaces", false);
  config.add("chat_template", kTemplate);
  model::write_file_atomically(folder + "/tokenizer.json", engine::to_text(tokenizer, {.indent = 1}));
  model::write_file_atomically(folder + "/tokenizer_config.json", engine::to_text(config, {.indent = 1}));
  return made;
}

std::vector<std::string> texts_of(std::span<const Json> lines) {
  std::vector<std::string> out;
  for (const Json& line : lines)
    for (const char* key : {"messages", "prompt", "completion", "chosen", "rejected"}) {
      const Json* v = line.find(key);
      if (v && v->is_text()) out.push_back(v->as_text());
      if (!v || !v->is_list()) continue;
      for (const Json& m : v->items())
        if (const Json* content = m.find("content"); content && content->is_text()) out.push_back(content->as_text());
    }
  return out;
}

}  // namespace ppc::data
