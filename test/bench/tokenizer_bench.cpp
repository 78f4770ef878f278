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
#include <set>
#include <sstream>
#include <unordered_map>

#include "test/bench/lines.h"
#include "trainers/data/make_tokenizer.h"
#include "trainers/model/chat.h"
#include "trainers/model/pretokenize.h"

using namespace ppc;
using namespace ppc::model;
using engine::Json;
namespace fs = std::filesystem;

namespace {

constexpr int kMerges = 16'000, kRounds = 7;
constexpr split::Style kStyle{3, split::kLetter};

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

class Textbook {
 public:
  /// `first`: what is the tokenizer's id of byte 0.
  Textbook(const data::BytePairs& l, TokenId first) : first_(first) {
    for (size_t i = 0; i < l.merges.size(); ++i) ranks_[l.merges[i]] = static_cast<TokenId>(i);
  }
  void encode(const std::string& text, std::vector<TokenId>& out) const {
    split::modern(text, kStyle, [&](std::string_view piece) {
      std::vector<TokenId> ids;
      for (char c : piece) ids.push_back(static_cast<uint8_t>(c));
      for (;;) {
        TokenId best = INT32_MAX;
        size_t at = 0;
        for (size_t i = 0; i + 1 < ids.size(); ++i)
          if (const auto r = ranks_.find({ids[i], ids[i + 1]}); r != ranks_.end() && r->second < best) best = r->second, at = i;
        if (best == INT32_MAX) break;
        ids[at] = 256 + best;
        ids.erase(ids.begin() + static_cast<ptrdiff_t>(at) + 1);
      }
      for (const TokenId id : ids) out.push_back(first_ + id);
    });
  }

 private:
  using Pair = std::pair<TokenId, TokenId>;
  struct Hash {
    size_t operator()(const Pair& p) const { return std::hash<uint64_t>()(uint64_t{static_cast<uint32_t>(p.first)} << 32 | static_cast<uint32_t>(p.second)); }
  };
  std::unordered_map<Pair, TokenId, Hash> ranks_;
  TokenId first_;
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
  const data::BytePairs learned = data::learn_byte_pairs(texts, kMerges, kStyle.digits);
  data::TokenizerOptions options{.digits = kStyle.digits, .special = {"<|im_start|>", "<|im_end|>"}};
  options.vocab_size = 5 + 2 + 256 + kMerges;
  const auto tokenizer = std::make_shared<const Tokenizer>(Tokenizer::parse(data::learn_tokenizer(texts, options), "learned"));
  const Textbook textbook(learned, *tokenizer->id_of("!") - '!');
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
