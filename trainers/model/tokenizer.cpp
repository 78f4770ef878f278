#include "trainers/model/tokenizer.h"

#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <mutex>
#include <queue>
#include <unordered_map>

#include "runtime/text/utf8.h"
#include "trainers/model/pretokenize.h"

namespace ppc::model {
using engine::InputError;
using engine::Json;

namespace {

constexpr TokenId kNone = -1;
constexpr TokenId kMostTokens = 1 << 24;
constexpr uint32_t kNoRank = UINT32_MAX;

const uint8_t* bytes_at(std::string_view s, size_t i = 0) { return reinterpret_cast<const uint8_t*>(s.data()) + i; }

std::string shown(std::string_view s) {
  std::string out = "`";
  for (char c : s.substr(0, 200)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out + (s.size() > 200 ? "…`" : "`");
}

uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}
uint64_t hash_bytes(std::string_view s) {
  constexpr uint64_t k0 = 0xa0761d6478bd642full, k1 = 0xe7037ed1a0b428dbull;
  const char* p = s.data();
  size_t n = s.size();
  uint64_t h = n * k0, w;
  for (; n > 8; p += 8, n -= 8) {
    std::memcpy(&w, p, 8);
    h = mix(h ^ w, k1);
  }
  w = 0;
  std::memcpy(&w, p, n);
  return mix(h ^ w ^ k0, k1);
}

/// Words to ids: open addressing over strings that lie elsewhere.
class WordTable {
 public:
  void reserve(size_t words) {
    size_t slots = 16;
    while (slots < words * 2) slots *= 2;
    slots_.assign(slots, {});
  }
  void add(std::string_view word, TokenId id) {
    Slot& s = slots_[index(word)];
    s = {word.data(), static_cast<uint32_t>(word.size()), id};
  }
  TokenId find(std::string_view word) const { return slots_.empty() ? kNone : slots_[index(word)].id; }

 private:
  struct Slot { const char* data = nullptr; uint32_t size = 0; TokenId id = kNone; };
  size_t index(std::string_view word) const {
    size_t i = hash_bytes(word) & (slots_.size() - 1);
    while (slots_[i].id != kNone && std::string_view(slots_[i].data, slots_[i].size) != word) i = (i + 1) & (slots_.size() - 1);
    return i;
  }
  std::vector<Slot> slots_;
};

/// Pairs of tokens to their merge's rank and result.
class MergeTable {
 public:
  struct Merge { uint32_t rank = kNoRank; TokenId id = kNone; };
  void reserve(size_t merges) {
    size_t slots = 16;
    while (slots < merges + merges / 2) slots *= 2;
    slots_.assign(slots, {});
  }
  void set(TokenId a, TokenId b, Merge merge) {
    Slot& s = slots_[index(key(a, b))];
    s = {key(a, b), merge};
  }
  Merge find(TokenId a, TokenId b) const { return slots_[index(key(a, b))].merge; }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;
  struct Slot { uint64_t key = kEmpty; Merge merge; };
  static uint64_t key(TokenId a, TokenId b) { return uint64_t{static_cast<uint32_t>(a)} << 32 | static_cast<uint32_t>(b); }
  size_t index(uint64_t k) const {
    size_t i = (k * 0x9E3779B97F4A7C15ull) >> 20 & (slots_.size() - 1);
    while (slots_[i].key != kEmpty && slots_[i].key != k) i = (i + 1) & (slots_.size() - 1);
    return i;
  }
  std::vector<Slot> slots_;
};

/// Added tokens in a text: the leftmost, of those the longest, found by a trie over bytes.
class Trie {
 public:
  void add(std::string_view word, uint32_t what) {
    if (word.empty()) return;
    uint32_t at = 0;
    if (nodes_.empty()) nodes_.emplace_back();
    for (char c : word) {
      uint32_t next = child(at, static_cast<uint8_t>(c));
      if (!next) {
        next = static_cast<uint32_t>(nodes_.size());
        nodes_.push_back({0, nodes_[at].first, UINT32_MAX, static_cast<uint8_t>(c)});
        nodes_[at].first = next;
      }
      at = next;
    }
    if (nodes_[at].what == UINT32_MAX) nodes_[at].what = what;
    begins_[static_cast<uint8_t>(word[0])] = true;
  }
  bool empty() const { return nodes_.empty(); }
  /// Whether a word begins at or behind `*from`: there, the longest that `allowed(what, begin, end)`; 0 is no, 1 is yes, and 2 is no, and
  /// nothing that begins in it either.
  template <class Allowed>
  bool find(std::string_view text, size_t* from, size_t* end, uint32_t* what, Allowed&& allowed) const {
    for (size_t i = *from; i < text.size(); ++i) {
      if (!begins_[static_cast<uint8_t>(text[i])]) continue;
      uint32_t at = 0;
      bool found = false;
      size_t beyond = i;
      for (size_t k = i; k < text.size() && (at = child(at, static_cast<uint8_t>(text[k]))); ++k) {
        if (nodes_[at].what == UINT32_MAX) continue;
        const int yes = allowed(nodes_[at].what, i, k + 1);
        if (yes == 1) *end = k + 1, *what = nodes_[at].what, found = true;
        if (yes == 2) beyond = k + 1, found = false;
      }
      if (found) return *from = i, true;
      if (beyond > i) i = beyond - 1;
    }
    return false;
  }

 private:
  struct Node { uint32_t first = 0, sibling = 0, what = UINT32_MAX; uint8_t byte = 0; };
  uint32_t child(uint32_t at, uint8_t byte) const {
    uint32_t c = nodes_[at].first;
    while (c && nodes_[c].byte != byte) c = nodes_[c].sibling;
    return c;
  }
  std::vector<Node> nodes_;
  std::array<bool, 256> begins_{};
};

/// What GPT-2 writes for a byte: itself where it is visible, else a character from U+0100 on.
const std::array<uint32_t, 256>& byte_chars() {
  static const auto table = [] {
    std::array<uint32_t, 256> t{};
    uint32_t next = 256;
    for (uint32_t b = 0; b < 256; ++b) t[b] = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174 ? b : next++;
    return t;
  }();
  return table;
}
/// The bytes that a word of a byte-level vocabulary stands for; false if it has other characters.
bool from_byte_level(std::string_view word, std::string* out) {
  static const auto back = [] {
    std::array<int16_t, 512> t;
    t.fill(-1);
    for (int b = 0; b < 256; ++b) t[byte_chars()[b]] = static_cast<int16_t>(b);
    return t;
  }();
  out->clear();
  for (size_t i = 0; i < word.size();) {
    uint32_t length;
    const uint32_t c = text::decode(bytes_at(word, i), word.size() - i, &length);
    if (c >= back.size() || back[c] < 0) return false;
    *out += static_cast<char>(back[c]);
    i += length;
  }
  return true;
}

bool is_word_char(uint32_t c) {  // \w of Rust's regex
  const auto u = static_cast<UChar32>(c);
  return u_hasBinaryProperty(u, UCHAR_ALPHABETIC) || u_hasBinaryProperty(u, UCHAR_JOIN_CONTROL) ||
         (U_GET_GC_MASK(u) & (U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK)) != 0;
}
size_t last_char(std::string_view s) {
  size_t i = s.size() - 1;
  while (i > 0 && (s[i] & 0xC0) == 0x80) --i;
  return i;
}
uint32_t char_at(std::string_view s, size_t i, uint32_t* length) { return text::decode(bytes_at(s, i), s.size() - i, length); }

struct AddedToken {
  TokenId id = 0;
  std::string content;
  bool single_word = false, lstrip = false, rstrip = false, normalized = false, special = false;
};

/// Whether a character of valid UTF-8 begins at i; decode lets surrogates and overlong forms pass.
bool is_text(std::string_view s, size_t i, uint32_t* length) {
  const uint32_t c = char_at(s, i, length);
  switch (*length) {
    case 1: return static_cast<uint8_t>(s[i]) < 0x80;
    case 2: return true;
    case 3: return c >= 0x800 && (c < 0xD800 || c >= 0xE000);
    default: return c >= 0x10000 && c <= 0x10FFFF;
  }
}

enum class Stage : uint8_t { Digits, Gpt2, Modern };
struct PreTokenizer {
  Stage stage;
  split::Style style{};
};
struct Replace { std::string from, to; };

std::string replaced(std::string_view s, const Replace& r) {
  std::string out;
  size_t at = 0;
  for (size_t next; (next = s.find(r.from, at)) != std::string_view::npos; at = next + r.from.size()) {
    out.append(s.substr(at, next - at));
    out += r.to;
  }
  return out.append(s.substr(at));
}

/// Words that were encoded already. Each word has one place; a newer one takes it.
class Cache {
 public:
  struct Entry {
    static constexpr size_t kWord = 40, kIds = 5;
    uint8_t size = 0, count = 0;  // size 0: empty
    char word[kWord];
    TokenId ids[kIds];
  };
  Cache() : entries_(kEntries) {}
  Entry& place(std::string_view word) { return entries_[hash_bytes(word) & (kEntries - 1)]; }

 private:
  static constexpr size_t kEntries = 1 << 15;
  std::vector<Entry> entries_;
};

/// What a call of encode works with; kept for the next one.
struct Scratch {
  Cache cache;
  struct Symbol { TokenId id; uint32_t prev, next; };
  std::vector<Symbol> symbols;
  std::vector<TokenId> small;
  std::vector<uint32_t> ranks;
  std::vector<TokenId> merged;
  std::string normal;
};

}  // namespace

struct Tokenizer::Data {
  std::string file;
  std::string arena;                                         // all tokens' bytes
  std::vector<std::pair<uint32_t, uint32_t>> span;           // of each id in the arena
  std::vector<uint8_t> state;                                // of each id: 0 no token, 1 token, 2 special
  std::unordered_map<std::string, TokenId> names;            // as the file calls them
  bool byte_level = true;
  std::array<TokenId, 256> byte_ids;                         // byte level: of each byte; else of <0x00> …; or kNone
  bool byte_fallback = false, ignore_merges = false, fuse_unk = false;
  TokenId unk = kNone;
  WordTable words;                                           // vocabulary by the text's bytes
  MergeTable merges;
  bool nfc = false;
  std::vector<Replace> replace;                              // normalizers, in order, behind NFC
  std::vector<PreTokenizer> stages;
  std::vector<AddedToken> added;
  Trie raw, normal;                                          // added tokens that are looked for before and behind normalizing
  std::vector<TokenId> prefix, suffix;                       // of the post-processor

  mutable std::mutex mutex;
  mutable std::vector<std::unique_ptr<Scratch>> pool;

  [[noreturn]] void fail(const std::string& what) const { throw InputError(file + ": " + what); }

  // Reading

  const Json& member(const Json& v, const char* key, const std::string& where) const {
    const Json* m = v.find(key);
    if (!m) fail(where + ": no `" + key + "`");
    return *m;
  }
  std::string type_of(const Json& v, const std::string& where) const {
    if (!v.is_object()) fail(where + ": expected an object, found " + engine::describe(v));
    const Json& t = member(v, "type", where);
    if (!t.is_text()) fail(where + ": `type`: expected a text, found " + engine::describe(t));
    return t.as_text();
  }
  bool flag(const Json& v, const char* key, bool otherwise, const std::string& where) const {
    const Json* m = v.find(key);
    if (!m || m->is_null()) return otherwise;
    if (!m->is_bool()) fail(where + ": `" + key + "`: expected true or false, found " + engine::describe(*m));
    return m->as_bool();
  }
  const std::string& text(const Json& v, const char* key, const std::string& where) const {
    const Json& m = member(v, key, where);
    if (!m.is_text()) fail(where + ": `" + key + "`: expected a text, found " + engine::describe(m));
    return m.as_text();
  }
  const Json::List& list(const Json& v, const char* key, const std::string& where) const {
    const Json& m = member(v, key, where);
    if (!m.is_list()) fail(where + ": `" + key + "`: expected a list, found " + engine::describe(m));
    return m.items();
  }
  TokenId id(const Json& v, const std::string& where) const {
    if (!v.is_int() || v.as_int() < 0 || v.as_int() >= kMostTokens) fail(where + ": expected an id from 0 to " + std::to_string(kMostTokens - 1) + ", found " + engine::describe(v));
    return static_cast<TokenId>(v.as_int());
  }
  void give_bytes(TokenId id, std::string_view bytes, bool special) {
    if (static_cast<size_t>(id) >= span.size()) span.resize(id + 1), state.resize(id + 1);
    span[id] = {static_cast<uint32_t>(arena.size()), static_cast<uint32_t>(bytes.size())};
    state[id] = special ? 2 : 1;
    arena += bytes;
  }
  std::string_view bytes_of(TokenId id) const { return std::string_view(arena).substr(span[id].first, span[id].second); }

  void read_normalizer(const Json& v, const std::string& where) {
    const std::string type = type_of(v, where);
    if (type == "Sequence") {
      for (const Json& n : list(v, "normalizers", where)) read_normalizer(n, where);
    } else if (type == "NFC") {
      if (!replace.empty()) fail(where + ": NFC behind Replace is not supported");
      nfc = true;
    } else if (type == "Replace") {
      replace.push_back(read_replace(v, where));
    } else {
      fail(where + " " + shown(type) + " is not supported (NFC, Replace and Sequence are)");
    }
  }
  Replace read_replace(const Json& v, const std::string& where) const {
    const Json& pattern = member(v, "pattern", where);
    if (!pattern.is_object() || !pattern.find("String")) fail(where + " `Replace`: only a `String` is supported as its `pattern`");
    Replace r{text(pattern, "String", where), text(v, "content", where)};
    if (r.from.empty()) fail(where + " `Replace`: an empty `pattern`");
    return r;
  }

  void read_pre_tokenizer(const Json& v, const std::string& where, bool* level) {
    const std::string type = type_of(v, where);
    if (type == "Sequence") {
      for (const Json& p : list(v, "pretokenizers", where)) read_pre_tokenizer(p, where, level);
      return;
    }
    if (*level) fail(where + ": " + shown(type) + " behind `ByteLevel` is not supported");
    if (type == "ByteLevel") {
      if (flag(v, "add_prefix_space", true, where)) fail(where + " `ByteLevel`: `add_prefix_space` is not supported");
      if (flag(v, "use_regex", true, where)) stages.push_back({Stage::Gpt2});
      *level = true;
    } else if (type == "Digits") {
      if (!flag(v, "individual_digits", false, where)) fail(where + " `Digits`: only with `individual_digits`");
      stages.push_back({Stage::Digits});
    } else if (type == "Split") {
      const Json& pattern = member(v, "pattern", where);
      if (!pattern.is_object() || !pattern.find("Regex")) fail(where + " `Split`: only a `Regex` is supported as its `pattern`");
      const std::string& regex = text(pattern, "Regex", where);
      const std::string& behavior = text(v, "behavior", where);
      const bool invert = flag(v, "invert", false, where);
      // These patterns leave nothing between their matches, so "all but what does not match" is the same.
      if (!(behavior == "Isolated" && !invert) && !(behavior == "Removed" && invert))
        fail(where + " `Split`: behavior " + shown(behavior) + (invert ? ", inverted," : "") + " is not supported (Isolated is)");
      using namespace split;
      struct Known { const char* regex; PreTokenizer stage; };
      static const Known known[] = {
          {R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", {Stage::Gpt2}},
          {R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)", {Stage::Gpt2}},
          {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", {Stage::Modern, {3, kLetter}}},
          {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", {Stage::Modern, {1, kLetter}}},
          {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)", {Stage::Modern, {1, kLetter | kMark}}},
      };
      for (const Known& k : known)
        if (regex == k.regex) {
          stages.push_back(k.stage);
          return;
        }
      fail(where + " `Split`: the pattern " + shown(regex) + " is not supported (those of GPT-2, Llama 3 and Qwen2 are)");
    } else {
      fail(where + " " + shown(type) + " is not supported (ByteLevel, Digits, Split and Sequence are)");
    }
  }

  /// Reads decoders into what tokens of a vocabulary over characters stand for.
  void read_decoder(const Json& v, const std::string& where, std::vector<Replace>* replacing, bool* fallback) {
    const std::string type = type_of(v, where);
    if (type == "Sequence") {
      for (const Json& d : list(v, "decoders", where)) read_decoder(d, where, replacing, fallback);
    } else if (type == "ByteLevel") {
      if (!byte_level) fail(where + " `ByteLevel` without a pre-tokenizer `ByteLevel`");
    } else if (type == "Replace" && !byte_level) {
      replacing->push_back(read_replace(v, where));
    } else if (type == "ByteFallback" && !byte_level) {
      *fallback = true;
    } else if (type != "Fuse") {
      fail(where + " " + shown(type) + " is not supported here");
    }
  }

  void read_post_processor(const Json& v, const std::string& where) {
    const std::string type = type_of(v, where);
    if (type == "ByteLevel") return;  // it changes offsets only
    if (type == "Sequence") {
      for (const Json& p : list(v, "processors", where)) read_post_processor(p, where);
      return;
    }
    if (type != "TemplateProcessing") fail(where + " " + shown(type) + " is not supported (ByteLevel, TemplateProcessing and Sequence are)");
    if (!prefix.empty() || !suffix.empty()) fail(where + ": a second `TemplateProcessing` is not supported");
    const Json& specials = member(v, "special_tokens", where);
    bool behind = false;
    for (const Json& piece : list(v, "single", where)) {
      if (!piece.is_object()) fail(where + ": `single`: expected an object, found " + engine::describe(piece));
      if (piece.find("Sequence")) {
        if (behind) fail(where + ": `single` has the text twice");
        behind = true;
      } else {
        const std::string& name = text(member(piece, "SpecialToken", where), "id", where);
        const Json* special = specials.find(name);
        if (!special) fail(where + ": " + shown(name) + " is not in `special_tokens`");
        for (const Json& i : list(*special, "ids", where)) (behind ? suffix : prefix).push_back(id(i, where + ": " + shown(name)));
      }
    }
    if (!behind) fail(where + ": `single` has no text");
  }

  void read(const Json& json) {
    if (!json.is_object()) fail("expected an object, found " + engine::describe(json));
    const Json& model = member(json, "model", "tokenizer");
    if (!model.is_object()) fail("`model`: expected an object, found " + engine::describe(model));
    if (const Json* t = model.find("type"); t && !(t->is_text() && t->as_text() == "BPE")) fail("model " + engine::describe(*t) + " is not supported (BPE is)");
    if (const Json* d = model.find("dropout"); d && !d->is_null() && !(d->is_number() && d->as_float() == 0)) fail("`model`: `dropout` is not supported");
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (const Json* p = model.find(key); p && !p->is_null() && !(p->is_text() && p->as_text().empty())) fail(std::string("`model`: `") + key + "` is not supported");
    byte_fallback = flag(model, "byte_fallback", false, "`model`");
    ignore_merges = flag(model, "ignore_merges", false, "`model`");
    fuse_unk = flag(model, "fuse_unk", false, "`model`");

    if (const Json* n = json.find("normalizer"); n && !n->is_null()) read_normalizer(*n, "normalizer");
    byte_level = false;
    if (const Json* p = json.find("pre_tokenizer"); p && !p->is_null()) read_pre_tokenizer(*p, "pre-tokenizer", &byte_level);
    std::vector<Replace> replacing;
    bool decodes_fallback = false;
    const Json* decoder = json.find("decoder");
    if (decoder && !decoder->is_null()) read_decoder(*decoder, "decoder", &replacing, &decodes_fallback);
    else if (byte_level) fail("decoder: none, but the pre-tokenizer is `ByteLevel`");
    if (byte_fallback && !byte_level && !decodes_fallback) fail("decoder: no `ByteFallback`, but the model has `byte_fallback`");

    // The vocabulary.
    const Json& vocab = member(model, "vocab", "`model`");
    if (!vocab.is_object()) fail("`model`: `vocab`: expected an object, found " + engine::describe(vocab));
    std::unordered_map<std::string_view, TokenId> raw_ids;
    raw_ids.reserve(vocab.members().size());
    names.reserve(vocab.members().size());
    std::vector<std::pair<TokenId, bool>> reachable;
    byte_ids.fill(kNone);
    std::string bytes;
    for (const auto& [word, value] : vocab.members()) {
      const TokenId i = id(value, "`vocab`: " + shown(word));
      if (!raw_ids.emplace(word, i).second) fail("`vocab`: " + shown(word) + " is there twice");
      if (static_cast<size_t>(i) < state.size() && state[i]) fail("`vocab`: " + shown(word) + ": another word has the id " + std::to_string(i));
      names.emplace(word, i);
      if (byte_level) {
        if (from_byte_level(word, &bytes)) {
          give_bytes(i, bytes, false);
          reachable.push_back({i, true});
          if (bytes.size() == 1) byte_ids[static_cast<uint8_t>(bytes[0])] = i;
        } else {
          give_bytes(i, word, false);  // no text is encoded to it
        }
      } else if (const int b = byte_fallback ? fallback_byte(word) : -1; b >= 0) {
        give_bytes(i, std::string(1, static_cast<char>(b)), false);
        byte_ids[b] = i;
      } else {
        bytes = word;
        for (const Replace& r : replacing) bytes = replaced(bytes, r);
        give_bytes(i, bytes, false);
        reachable.push_back({i, false});
      }
    }
    if (raw_ids.empty()) fail("`vocab` is empty");
    const bool all_bytes = std::find(byte_ids.begin(), byte_ids.end(), kNone) == byte_ids.end();
    if (byte_fallback && byte_level && !all_bytes) fail("`model`: `byte_fallback` with a `ByteLevel` vocabulary that lacks bytes is not supported");
    if (byte_fallback && !byte_level && !all_bytes) fail("`model`: `byte_fallback`, but not all of <0x00> to <0xFF> are in `vocab`");
    if (const Json* u = model.find("unk_token"); u && !u->is_null()) {
      const auto at = u->is_text() ? raw_ids.find(u->as_text()) : raw_ids.end();
      if (at != raw_ids.end()) unk = at->second;
      else if (!all_bytes) fail("`model`: `unk_token` " + engine::describe(*u) + " is not in `vocab`");
    }

    const Json::List& pairs = list(model, "merges", "`model`");
    merges.reserve(pairs.size());
    std::string joined;
    for (size_t rank = 0; rank < pairs.size(); ++rank) {
      std::string_view a, b;
      const Json& p = pairs[rank];
      const std::string where = "`merges`: number " + std::to_string(rank);
      if (p.is_text()) {
        const std::string_view s = p.as_text();
        const size_t space = s.find(' ');
        if (space == std::string_view::npos || s.find(' ', space + 1) != std::string_view::npos) fail(where + ": expected two words, found " + engine::describe(p));
        a = s.substr(0, space);
        b = s.substr(space + 1);
      } else if (p.is_list() && p.items().size() == 2 && p.items()[0].is_text() && p.items()[1].is_text()) {
        a = p.items()[0].as_text();
        b = p.items()[1].as_text();
      } else {
        fail(where + ": expected two words, found " + engine::describe(p));
      }
      joined.assign(a).append(b);
      const auto ia = raw_ids.find(a), ib = raw_ids.find(b), ij = raw_ids.find(joined);
      for (const auto& [at, word] : {std::pair(ia, a), std::pair(ib, b), std::pair(ij, std::string_view(joined))})
        if (at == raw_ids.end()) fail(where + ": " + shown(word) + " is not in `vocab`");
      merges.set(ia->second, ib->second, {static_cast<uint32_t>(rank), ij->second});
    }

    if (const Json* all = json.find("added_tokens"); all && !all->is_null()) {
      if (!all->is_list()) fail("`added_tokens`: expected a list, found " + engine::describe(*all));
      for (size_t k = 0; k < all->items().size(); ++k) {
        const Json& v = all->items()[k];
        const std::string where = "`added_tokens`: number " + std::to_string(k);
        if (!v.is_object()) fail(where + ": expected an object, found " + engine::describe(v));
        AddedToken t;
        t.content = text(v, "content", where);
        t.id = id(member(v, "id", where), where + ": `id`");
        t.single_word = flag(v, "single_word", false, where);
        t.lstrip = flag(v, "lstrip", false, where);
        t.rstrip = flag(v, "rstrip", false, where);
        t.special = flag(v, "special", false, where);
        t.normalized = flag(v, "normalized", !t.special, where);
        if (t.content.empty()) continue;
        const auto [at, fresh] = names.emplace(t.content, t.id);
        if (at->second != t.id) fail(where + ": " + shown(t.content) + " has the id " + std::to_string(at->second) + " already, not " + std::to_string(t.id));
        if (fresh && static_cast<size_t>(t.id) < state.size() && state[t.id])
          fail(where + ": " + shown(t.content) + ": another token has the id " + std::to_string(t.id));
        added.push_back(std::move(t));
      }
    }
    // A word that is an added token keeps its bytes for merging into it, but is written as the added token says.
    for (uint32_t k = 0; k < added.size(); ++k) {
      const AddedToken& t = added[k];
      give_bytes(t.id, t.content, t.special);
      if (t.normalized) normal.add(normalized(t.content, bytes), k);
      else raw.add(t.content, k);
    }
    arena.shrink_to_fit();
    words.reserve(raw_ids.size());
    if (byte_level) {
      for (const auto& [i, level] : reachable) words.add(bytes_of(i), i);
    } else {
      // By their names: the text has been normalized to them.
      for (const auto& [name, i] : names)
        if (raw_ids.contains(name)) words.add(name, i);
    }
    if (const Json* p = json.find("post_processor"); p && !p->is_null()) read_post_processor(*p, "post-processor");
    for (const auto* ids : {&prefix, &suffix})
      for (TokenId i : *ids)
        if (static_cast<size_t>(i) >= state.size() || !state[i]) fail("post-processor: no token has the id " + std::to_string(i));
  }

  static int fallback_byte(std::string_view word) {
    if (word.size() != 6 || !word.starts_with("<0x") || word[5] != '>') return -1;
    int b = 0;
    for (char c : word.substr(3, 2)) {
      const int d = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (d < 0) return -1;
      b = b * 16 + d;
    }
    return b;
  }

  // Encoding

  /// `s`, or `buffer` with its normal form.
  std::string_view normalized(std::string_view s, std::string& buffer) const {
    if (nfc && std::any_of(s.begin(), s.end(), [](char c) { return static_cast<uint8_t>(c) >= 0xCC; })) {  // U+0300 on
      std::string out;
      for (size_t i = 0; i < s.size();) {  // stretches of UTF-8; ICU would replace what is between them
        size_t end = i;
        for (uint32_t length; end < s.size(); end += length)
          if (!is_text(s, end, &length)) break;
        compose(s.substr(i, end - i), &out);
        if (end < s.size()) out += s[end++];
        i = end;
      }
      buffer = std::move(out);
      s = buffer;
    }
    for (const Replace& r : replace)
      if (s.find(r.from) != std::string_view::npos) {
        buffer = replaced(s, r);
        s = buffer;
      }
    return s;
  }
  /// Hugging Face's normalizer knows the characters of Unicode 9; to it, later ones compose with nothing and have no order.
  static const icu::Normalizer2* nfc_of_unicode_9() {
    static const icu::Normalizer2* const made = [] {
      UErrorCode status = U_ZERO_ERROR;
      const icu::Normalizer2* all = icu::Normalizer2::getNFCInstance(status);
      auto* known = new icu::UnicodeSet(u"[:age=9.0:]", status);
      if (U_FAILURE(status)) throw engine::SystemError(std::string("ICU: ") + u_errorName(status));
      known->freeze();
      return new icu::FilteredNormalizer2(*all, *known);  // for good, as ICU's own
    }();
    return made;
  }
  static void compose(std::string_view s, std::string* out) {
    UErrorCode status = U_ZERO_ERROR;
    const icu::StringPiece piece(s.data(), static_cast<int32_t>(s.size()));
    // What is normal with all characters is so with fewer.
    const bool normal = icu::Normalizer2::getNFCInstance(status)->isNormalizedUTF8(piece, status);
    if (U_FAILURE(status)) throw engine::SystemError(std::string("ICU: ") + u_errorName(status));
    if (normal) {
      *out += s;
      return;
    }
    icu::StringByteSink<std::string> sink(out);
    nfc_of_unicode_9()->normalizeUTF8(0, piece, sink, nullptr, status);
    if (U_FAILURE(status)) throw engine::SystemError(std::string("ICU: ") + u_errorName(status));
  }

  /// Whether a stretch of literal text, in order, has a byte between the two; `2` if they have all of them.
  static int literal(std::span<const Stretch> stretches, size_t begin, size_t end) {
    auto s = std::upper_bound(stretches.begin(), stretches.end(), begin, [](size_t b, const Stretch& x) { return b < x.end; });
    if (s == stretches.end() || s->begin >= end) return 0;
    size_t covered = begin;
    for (; s != stretches.end() && s->begin <= covered && covered < end; ++s) covered = s->end;
    return covered >= end ? 2 : 1;
  }

  /// A part of a text, normalized, with the literal stretches there.
  struct Normal {
    std::string text;
    std::vector<Stretch> literal;
    bool all_literal = false;
  };
  Normal normalized(std::string_view text, std::string_view part, std::span<const Stretch> stretches) const {
    Normal out;
    std::string buffer;
    out.text = normalized(part, buffer);
    const auto begin = static_cast<size_t>(part.data() - text.data()), end = begin + part.size();
    std::string joined;  // each stretch alone, and what is between them
    size_t done = begin;
    const auto add = [&](size_t to) {
      joined += normalized(text.substr(done, to - done), buffer);
      done = to;
    };
    for (const Stretch& s : stretches) {
      if (s.end <= begin || s.begin >= end) continue;
      add(std::max(s.begin, begin));
      const size_t from = joined.size();
      add(std::min(s.end, end));
      out.literal.push_back({from, joined.size()});
    }
    if (out.literal.empty()) return out;
    add(end);
    out.all_literal = joined != out.text;  // something grew together across an end: better no special token than one too many
    return out;
  }

  template <class Text>
  void added_tokens(const Trie& trie, std::string_view s, bool parse_special, std::span<const Stretch> stretches, std::vector<TokenId>& out, Text&& text_part) const {
    size_t done = 0;
    uint32_t which = 0;
    const auto allowed = [&](uint32_t what, size_t begin, size_t end) {
      if (!added[what].special) return 1;
      if (!parse_special) return 2;
      if (stretches.empty()) return 1;
      const int covered = literal(stretches, begin, end);
      return covered == 0 ? 1 : covered == 1 ? 0 : 2;
    };
    for (size_t from = 0, end = 0; trie.find(s, &from, &end, &which, allowed);) {
      const AddedToken& t = added[which];
      size_t start = from, stop = end;
      from = end;
      if (t.single_word) {
        uint32_t length;
        if (start > 0 && is_word_char(char_at(s, last_char(s.substr(0, start)), &length))) continue;
        if (stop < s.size() && is_word_char(char_at(s, stop, &length))) continue;
      }
      if (t.lstrip)
        while (start > done) {
          const size_t last = last_char(s.substr(0, start));
          uint32_t length;
          if (!u_isUWhiteSpace(static_cast<UChar32>(char_at(s, last, &length)))) break;
          start = last;
        }
      if (t.rstrip)
        for (uint32_t length; stop < s.size() && u_isUWhiteSpace(static_cast<UChar32>(char_at(s, stop, &length)));) stop += length;
      if (done < start) text_part(s.substr(done, start - done));
      out.push_back(t.id);
      done = stop;
    }
    if (done < s.size()) text_part(s.substr(done));
  }

  void pieces(std::string_view s, size_t stage, Scratch& scratch, std::vector<TokenId>& out) const {
    if (stage == stages.size()) return word(s, scratch, out);
    const auto next = [&](std::string_view piece) {
      if (stage + 1 == stages.size()) word(piece, scratch, out);
      else pieces(piece, stage + 1, scratch, out);
    };
    switch (stages[stage].stage) {
      case Stage::Digits: return split::digits(s, next);
      case Stage::Gpt2: return split::gpt2(s, next);
      case Stage::Modern: return split::modern(s, stages[stage].style, next);
    }
  }

  void word(std::string_view w, Scratch& scratch, std::vector<TokenId>& out) const {
    if (w.size() > Cache::Entry::kWord) {
      if (const TokenId i = ignore_merges ? words.find(w) : kNone; i != kNone) return out.push_back(i);
      return merge(w, scratch, out);
    }
    Cache::Entry& e = scratch.cache.place(w);
    if (e.size == w.size() && std::memcmp(e.word, w.data(), w.size()) == 0) {
      out.insert(out.end(), e.ids, e.ids + e.count);
      return;
    }
    const size_t before = out.size();
    if (const TokenId i = ignore_merges ? words.find(w) : kNone; i != kNone) out.push_back(i);
    else merge(w, scratch, out);
    const size_t count = out.size() - before;
    if (count > Cache::Entry::kIds || w.empty()) return;
    e.size = static_cast<uint8_t>(w.size());
    e.count = static_cast<uint8_t>(count);
    std::memcpy(e.word, w.data(), w.size());
    std::copy(out.begin() + static_cast<ptrdiff_t>(before), out.end(), e.ids);
  }

  void symbols_of(std::string_view w, std::vector<TokenId>& to) const {
    to.clear();
    TokenId unknown = kNone;
    const auto known = [&](TokenId i) {
      if (unknown != kNone) to.push_back(std::exchange(unknown, kNone));
      to.push_back(i);
    };
    const auto strange = [&] {
      if (unk == kNone) return;
      if (unknown != kNone && !fuse_unk) to.push_back(unknown);
      unknown = unk;
    };
    if (byte_level) {
      for (char c : w) {
        const TokenId i = byte_ids[static_cast<uint8_t>(c)];
        if (i != kNone) known(i);
        else strange();
      }
    } else {
      for (size_t i = 0; i < w.size();) {
        uint32_t length;
        char_at(w, i, &length);
        if (const TokenId t = words.find(w.substr(i, length)); t != kNone) known(t);
        else if (byte_fallback)
          for (uint32_t k = 0; k < length; ++k) to.push_back(byte_ids[static_cast<uint8_t>(w[i + k])]);  // as Hugging Face's: a waiting unknown stays
        else strange();
        i += length;
      }
    }
    if (unknown != kNone) to.push_back(unknown);
  }

  void merge(std::string_view w, Scratch& x, std::vector<TokenId>& out) const {
    std::vector<TokenId>& ids = x.small;
    symbols_of(w, ids);
    if (ids.size() > 48) return merge_long(x, out);
    size_t n = ids.size();
    if (n > 1) {
      x.ranks.resize(n);
      x.merged.resize(n);
      const auto look = [&](size_t i) {
        const auto m = merges.find(ids[i], ids[i + 1]);
        x.ranks[i] = m.rank;
        x.merged[i] = m.id;
      };
      for (size_t i = 0; i + 1 < n; ++i) look(i);
      while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; ++i)
          if (x.ranks[i] < x.ranks[best]) best = i;
        if (x.ranks[best] == kNoRank) break;
        ids[best] = x.merged[best];
        for (size_t i = best + 1; i + 1 < n; ++i) {
          ids[i] = ids[i + 1];
          x.ranks[i] = x.ranks[i + 1];
          x.merged[i] = x.merged[i + 1];
        }
        --n;
        if (best > 0) look(best - 1);
        if (best + 1 < n) look(best);
      }
    }
    out.insert(out.end(), ids.begin(), ids.begin() + static_cast<ptrdiff_t>(n));
  }
  /// The same with a heap and a linked list, for long words: n log n.
  void merge_long(Scratch& x, std::vector<TokenId>& out) const {
    constexpr uint32_t kEnd = UINT32_MAX;
    const std::vector<TokenId>& ids = x.small;
    const auto n = static_cast<uint32_t>(ids.size());
    auto& s = x.symbols;
    s.resize(n);
    for (uint32_t i = 0; i < n; ++i) s[i] = {ids[i], i == 0 ? kEnd : i - 1, i + 1 == n ? kEnd : i + 1};
    // The lowest rank, then the leftmost: both in one number. An entry counts only if that pair is still there.
    std::priority_queue<uint64_t, std::vector<uint64_t>, std::greater<>> heap;
    const auto look = [&](uint32_t i) {
      if (s[i].next == kEnd) return;
      if (const auto m = merges.find(s[i].id, s[s[i].next].id); m.rank != kNoRank) heap.push(uint64_t{m.rank} << 32 | i);
    };
    for (uint32_t i = 0; i < n; ++i) look(i);
    while (!heap.empty()) {
      const uint64_t top = heap.top();
      heap.pop();
      const auto i = static_cast<uint32_t>(top);
      if (s[i].id == kNone || s[i].next == kEnd) continue;
      const auto m = merges.find(s[i].id, s[s[i].next].id);
      if (m.rank != top >> 32) continue;
      const uint32_t gone = s[i].next;
      s[i].id = m.id;
      s[i].next = s[gone].next;
      if (s[gone].next != kEnd) s[s[gone].next].prev = i;
      s[gone].id = kNone;
      if (s[i].prev != kEnd) look(s[i].prev);
      look(i);
    }
    for (uint32_t i = 0; i != kEnd; i = s[i].next) out.push_back(s[i].id);
  }
};

Tokenizer::Tokenizer(std::unique_ptr<Data> data) : data_(std::move(data)) {}
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;
Tokenizer::~Tokenizer() = default;

Tokenizer Tokenizer::load(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  const std::string file = fs::is_directory(path, ignored) ? (fs::path(path) / "tokenizer.json").string() : path;
  return parse(engine::load_json(file), file);
}
Tokenizer Tokenizer::parse(const Json& json, const std::string& file) {
  auto data = std::make_unique<Data>();
  data->file = file;
  data->read(json);
  return Tokenizer(std::move(data));
}

void Tokenizer::encode(std::string_view text, EncodeOptions options, std::vector<TokenId>& out) const { encode(text, options, {}, out); }
void Tokenizer::encode(std::string_view text, std::span<const Stretch> literal, std::vector<TokenId>& out) const { encode(text, {}, literal, out); }
void Tokenizer::encode(std::string_view text, EncodeOptions options, std::span<const Stretch> literal, std::vector<TokenId>& out) const {
  const Data& d = *data_;
  if (text.size() >= size_t{1} << 31) throw std::length_error("a text of 2 GiB or more");
  std::unique_ptr<Scratch> scratch;
  {
    const std::lock_guard lock(d.mutex);
    if (!d.pool.empty()) {
      scratch = std::move(d.pool.back());
      d.pool.pop_back();
    }
  }
  if (!scratch) scratch = std::make_unique<Scratch>();
  const auto inner = [&](std::string_view part) { d.pieces(part, 0, *scratch, out); };
  const auto outer = [&](std::string_view part) {
    if (d.normal.empty()) {
      std::string buffer;
      return inner(d.normalized(part, buffer));
    }
    const Data::Normal n = d.normalized(text, part, literal);
    d.added_tokens(d.normal, n.text, options.parse_special && !n.all_literal, n.literal, out, inner);
  };
  if (options.add_special_tokens) out.insert(out.end(), d.prefix.begin(), d.prefix.end());
  if (d.raw.empty()) {
    if (!text.empty()) outer(text);
  } else {
    d.added_tokens(d.raw, text, options.parse_special, literal, out, outer);
  }
  if (options.add_special_tokens) out.insert(out.end(), d.suffix.begin(), d.suffix.end());
  const std::lock_guard lock(d.mutex);
  d.pool.push_back(std::move(scratch));
}
std::vector<TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<TokenId> out;
  out.reserve(text.size() / 4 + 8);
  encode(text, options, out);
  return out;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string out;
  for (TokenId i : ids)
    if (!skip_special || !is_special(i)) out += token_bytes(i);
  return out;
}
size_t Tokenizer::size() const { return data_->state.size(); }
bool Tokenizer::has(TokenId id) const { return id >= 0 && static_cast<size_t>(id) < data_->state.size() && data_->state[id] != 0; }
std::string_view Tokenizer::token_bytes(TokenId id) const { return has(id) ? data_->bytes_of(id) : std::string_view(); }
bool Tokenizer::is_special(TokenId id) const { return has(id) && data_->state[id] == 2; }
std::optional<TokenId> Tokenizer::id_of(std::string_view token) const {
  const auto at = data_->names.find(std::string(token));
  return at == data_->names.end() ? std::nullopt : std::optional(at->second);
}
std::string Tokenizer::missing_bytes() const {
  std::string out;
  for (int b = 0; b < 256; ++b)
    if (data_->byte_ids[b] == kNone) out += static_cast<char>(b);
  return out;
}
bool Tokenizer::normalizes() const { return data_->nfc || !data_->replace.empty(); }

std::string StreamDecoder::push(TokenId id) {
  if (!skip_special_ || !tokenizer_.is_special(id)) held_ += tokenizer_.token_bytes(id);
  // Only the last character can be unfinished: a lead byte with fewer bytes behind it than it wants, all of them fitting.
  size_t keep = 0;
  for (size_t back = 1; back <= 3 && back <= held_.size(); ++back) {
    const auto b = static_cast<uint8_t>(held_[held_.size() - back]);
    if ((b & 0xC0) == 0x80) continue;
    const size_t wants = b >= 0xF0 && b < 0xF5 ? 4 : b >= 0xE0 && b < 0xF0 ? 3 : b >= 0xC2 && b < 0xE0 ? 2 : 1;
    if (wants > back) {
      const auto second = back > 1 ? static_cast<uint8_t>(held_[held_.size() - back + 1]) : uint8_t{0};
      const bool never = back > 1 && ((b == 0xE0 && second < 0xA0) || (b == 0xED && second >= 0xA0) || (b == 0xF0 && second < 0x90) || (b == 0xF4 && second >= 0x90));
      if (!never) keep = back;
    }
    break;
  }
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return out;
}
std::string StreamDecoder::finish() { return std::exchange(held_, {}); }

}  // namespace ppc::model
