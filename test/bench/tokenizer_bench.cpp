// Text to ids and back, and the turns of a conversation.
//
// The vocabulary is learned here, from this repository's own sources and pages (16,000 merges; the texts that are measured are the same): no real one lies in
// the repository. PPC_TOKENIZERS, folders or files with a colon between them, has real ones measured, too. Baselines, in the same run:
// for encoding the same pieces merged as the textbook has it (look for the best pair until there is none; a hash table of pairs; no cache);
// for a conversation the whole of it encoded anew at each turn.
// Before anything is measured, both sides give the same ids. Seconds are this thread's.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <numeric>
#include <queue>
#include <set>
#include <sstream>
#include <unordered_map>

#include "test/bench/lines.h"
#include "trainers/model/chat.h"
#include "trainers/model/pretokenize.h"

using namespace ppc;
using namespace ppc::model;
using engine::Json;
namespace fs = std::filesystem;

namespace {

constexpr int kMerges = 16'000, kRounds = 7;
constexpr split::Style kStyle{3, split::kLetter};
const char* const kPattern = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

[[noreturn]] void fail(const std::string& what) {
  std::cerr << "tokenizer_bench: " << what << "\n";
  std::exit(1);
}

std::vector<std::string> corpus() {
  std::set<fs::path> files;
  for (const char* folder : {"compiler", "runtime", "trainers", "docs", "stdlib-games"})
    for (const auto& e : fs::recursive_directory_iterator(fs::path(PPC_SOURCE_DIR) / folder))
      if (e.is_regular_file() && e.file_size() < 200'000 && std::set<std::string>{".cpp", ".h", ".md", ".game", ".txt", ".json"}.contains(e.path().extension().string())) files.insert(e.path());
  std::vector<std::string> out;
  size_t bytes = 0;
  for (const fs::path& f : files) {
    if (bytes > 4'000'000) break;
    out.push_back(engine::read_file(f.string()));
    bytes += out.back().size();
  }
  return out;
}

using Pair = uint64_t;
Pair pair_of(TokenId a, TokenId b) { return uint64_t{static_cast<uint32_t>(a)} << 32 | static_cast<uint32_t>(b); }

/// Byte pair encoding as it is learned: the most frequent pair becomes a token, again and again.
struct Learned {
  std::vector<std::string> tokens;                   // bytes
  std::vector<std::pair<TokenId, TokenId>> merges;   // of token 256, 257, …
};
Learned learn(const std::vector<std::string>& texts) {
  std::map<std::string_view, int64_t> counts;
  for (const std::string& t : texts) split::modern(t, kStyle, [&](std::string_view piece) { ++counts[piece]; });
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
  Learned out;
  for (int b = 0; b < 256; ++b) out.tokens.emplace_back(1, static_cast<char>(b));
  std::set<std::string> known(out.tokens.begin(), out.tokens.end());
  std::priority_queue<std::pair<int64_t, Pair>> best;
  for (const auto& [p, n] : pairs) best.push({n, p});
  while (!best.empty() && out.merges.size() < kMerges) {
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
Json file_of(const Learned& l) {
  Json vocab = Json::object(), merges = Json::list(), added = Json::list();
  for (size_t i = 0; i < l.tokens.size(); ++i) vocab.add(level(l.tokens[i]), static_cast<int64_t>(i));
  for (const auto& [a, b] : l.merges) {
    Json pair = Json::list();
    pair.push(level(l.tokens[static_cast<size_t>(a)]));
    pair.push(level(l.tokens[static_cast<size_t>(b)]));
    merges.push(std::move(pair));
  }
  for (const char* name : {"<|im_start|>", "<|im_end|>"}) {
    Json t = Json::object();
    t.add("id", static_cast<int64_t>(l.tokens.size() + added.items().size()));
    t.add("content", name);
    t.add("special", true);
    t.add("normalized", false);
    added.push(std::move(t));
  }
  Json model = Json::object(), out = Json::object();
  model.add("type", "BPE");
  model.add("vocab", std::move(vocab));
  model.add("merges", std::move(merges));
  out.add("added_tokens", std::move(added));
  out.add("pre_tokenizer", engine::parse_json(R"({"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}]})", "pre-tokenizer"));
  out.find("pre_tokenizer")->find("pretokenizers")->items()[0].find("pattern")->set("Regex", kPattern);
  out.add("decoder", engine::parse_json(R"({"type": "ByteLevel"})", "decoder"));
  out.add("model", std::move(model));
  return out;
}

class Textbook {
 public:
  explicit Textbook(const Learned& l) {
    for (size_t i = 0; i < l.merges.size(); ++i) ranks_[pair_of(l.merges[i].first, l.merges[i].second)] = static_cast<TokenId>(i);
  }
  void encode(const std::string& text, std::vector<TokenId>& out) const {
    split::modern(text, kStyle, [&](std::string_view piece) {
      std::vector<TokenId> ids;
      for (char c : piece) ids.push_back(static_cast<uint8_t>(c));
      for (;;) {
        TokenId best = INT32_MAX;
        size_t at = 0;
        for (size_t i = 0; i + 1 < ids.size(); ++i)
          if (const auto r = ranks_.find(pair_of(ids[i], ids[i + 1])); r != ranks_.end() && r->second < best) best = r->second, at = i;
        if (best == INT32_MAX) break;
        ids[at] = 256 + best;
        ids.erase(ids.begin() + static_cast<ptrdiff_t>(at) + 1);
      }
      out.insert(out.end(), ids.begin(), ids.end());
    });
  }

 private:
  std::unordered_map<Pair, TokenId> ranks_;
};

double total(const std::vector<std::string>& texts) {
  return static_cast<double>(std::accumulate(texts.begin(), texts.end(), size_t{0}, [](size_t n, const std::string& s) { return n + s.size(); })) / 1e6;
}
template <class F>
double median_seconds(F&& f, int rounds = kRounds) {
  std::vector<double> all;
  for (int i = 0; i < rounds; ++i) all.push_back(bench::cpu_seconds(f));
  return bench::median(all);
}

void measure(const std::string& name, const Tokenizer& t, const std::vector<std::string>& texts, double textbook) {
  std::vector<std::vector<TokenId>> ids;
  size_t tokens = 0;
  for (const std::string& s : texts) {
    ids.push_back(t.encode(s, {.parse_special = false}));
    tokens += ids.back().size();
    if (!t.normalizes() && t.decode(ids.back()) != s) fail(name + ": a text that does not come back");
  }
  const double mb = total(texts);
  std::vector<TokenId> room;
  const double encoding = median_seconds([&] {
    for (const std::string& s : texts) {
      room.clear();
      t.encode(s, EncodeOptions{.parse_special = false}, room);
    }
  });
  bench::line("tokenizer/encode/" + name, mb / encoding, "MB/s", textbook > 0 ? mb / textbook : 0);
  bench::line("tokenizer/encode/" + name + "/tokens", static_cast<double>(tokens) / encoding, "tokens/s");
  std::string back;
  const double decoding = median_seconds([&] {
    for (const auto& i : ids) back = t.decode(i);
  });
  bench::line("tokenizer/decode/" + name, mb / decoding, "MB/s");
}

/// A conversation of 20 turns; each side says some 200 bytes.
void conversation(std::shared_ptr<const Tokenizer> tokenizer) {
  for (const char* name : {"chatml", "thinking"}) {
    const auto chat = std::make_shared<const ChatTemplate>(ChatTemplate::parse(engine::read_file(std::string(PPC_SOURCE_DIR "/test/model/templates/") + name + ".jinja"), Json::object(), name));
    const std::string said = "GUESS: crane\nEXPLANATION: it has letters that are frequent in English, and none of those that have been tried; the second one is where the "
                             "feedback says it should be, so that only the last two are open now.";
    const std::vector<TokenId> sampled = [&] {
      std::vector<TokenId> ids = tokenizer->encode(said);
      ids.push_back(*tokenizer->id_of("<|im_end|>"));
      return ids;
    }();
    std::vector<TokenId> grown, anew;
    const double grows = median_seconds([&] {
      Conversation c(tokenizer, chat);
      std::vector<ChatMessage> messages;
      for (int turn = 0; turn < 20; ++turn) {
        messages.push_back({"user", said});
        c.next(messages);
        if (turn == 19) break;
        c.replied(said, sampled);
        messages.push_back({"assistant", said});
      }
      grown = c.ids();
    }, 21);
    const double all = median_seconds([&] {
      std::vector<ChatMessage> messages;
      for (int turn = 0; turn < 20; ++turn) {
        messages.push_back({"user", said});
        anew = encode_chat(*tokenizer, chat->render(messages, true));
        messages.push_back({"assistant", said});
      }
    }, 21);
    if (grown != anew) fail(std::string(name) + ": other ids than those of the whole conversation");
    bench::line(std::string("chat/turn/") + name, grows / 20 * 1e6, "us", all / 20 * 1e6, bench::Better::Less);
  }
}

}  // namespace

int main(int argc, char** argv) try {
  (void)bench::json_wanted(argc, argv);  // there is nothing but lines
  const std::vector<std::string> texts = corpus();
  const Learned learned = learn(texts);
  const auto tokenizer = std::make_shared<const Tokenizer>(Tokenizer::parse(file_of(learned), "learned"));
  const Textbook textbook(learned);
  for (const std::string& s : texts) {
    std::vector<TokenId> ids;
    textbook.encode(s, ids);
    if (ids != tokenizer->encode(s, {.parse_special = false})) fail("other ids than the textbook's");
  }
  std::vector<TokenId> room;
  const double baseline = median_seconds([&] {
    for (const std::string& s : texts) {
      room.clear();
      textbook.encode(s, room);
    }
  }, 3);
  measure("learned", *tokenizer, texts, baseline);
  if (const char* more = std::getenv("PPC_TOKENIZERS")) {
    std::istringstream paths(more);
    for (std::string path; std::getline(paths, path, ':');) measure(fs::path(path).filename().string(), Tokenizer::load(path), texts, 0);
  }
  conversation(tokenizer);
} catch (const std::exception& e) {
  fail(e.what());
}
