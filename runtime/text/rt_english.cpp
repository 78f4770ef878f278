// English in games: stems and the set of function words, which is the library segment.
#include <string>
#include <vector>

#include "runtime/abi/context.h"
#include "runtime/abi/heap.h"
#include "runtime/abi/segment.h"
#include "runtime/text/english.h"
#include "runtime/text/nouns.h"
#include "runtime/text/utf8.h"

namespace ppc::rt {

namespace {

constexpr uint32_t kStopwordField = 0;

/// Kept in 64-bit units for their alignment.
std::vector<uint64_t> make_library() {
  const ppc_type types[] = {{PPC_K_TEXT, 0, 0, 0, 0}, {PPC_K_SET, 0, 0, 0, 0}};
  SegmentBuilder builder(PPC_LIBRARY, 1, types, nullptr);
  std::vector<int64_t> words;
  for (uint32_t i = 0; i < text::kStopwordCount; ++i) words.push_back(builder.make_text(text::kStopwords[i]));
  builder.set_field(kStopwordField, builder.make_set(words, 1));
  const std::string bytes = builder.bytes();
  std::vector<uint64_t> block((bytes.size() + 7) / 8);
  std::memcpy(block.data(), bytes.data(), bytes.size());
  return block;
}

}  // namespace

uint8_t* library_segment() {
  static std::vector<uint64_t> block = make_library();
  return reinterpret_cast<uint8_t*>(block.data());
}

}  // namespace ppc::rt

using namespace ppc::rt;

extern "C" {

int64_t ppc_rt_stopwords(ppc_ctx* c) {
  if (PPC_UNLIKELY(!c->seg[PPC_LIBRARY])) c->seg[PPC_LIBRARY] = library_segment();
  return load<int64_t>(c->seg[PPC_LIBRARY] + 8 + 8 * kStopwordField);
}

int64_t ppc_rt_stem(ppc_ctx* c, int64_t word) {
  // A word in small ASCII letters that is remembered.
  const Text w = text(c, word);
  if (w.n - 1 < 16) {
    const ppc::text::WordKey key = ppc::text::key_of(reinterpret_cast<const char*>(w.p), w.n);
    constexpr uint64_t kHigh = 0x8080808080808080u;
    if (((key.a | key.b) & kHigh) == 0 && (ppc::text::upper_case(key.a) | ppc::text::upper_case(key.b)) == 0) {
      if (const ppc::text::KnownStem* known = ppc::text::known_stem(key, w.n)) {
        charge(c, 4 + w.n / 16);
        if (known->is_prefix) return part(word, 0, known->stem_length, true);
        Out out(c);
        out.put(known->stem, known->stem_length);
        return out.done();
      }
    }
  }
  int64_t v = ppc_rt_text_lower(c, word);
  Text t = text(c, v);
  charge(c, 4 + t.n / 16);
  if (!t.ascii) {
    // The stemmer knows the straight apostrophe; people write others.
    for (const char* quote : {"\u2019", "\u2018", "\u201b"}) {
      uint8_t bytes[4];
      std::memcpy(bytes, quote, 4);
      if (t.n >= 3 && memmem(t.p, t.n, bytes, 3)) {
        Out out(c);
        for (uint32_t i = 0; i < t.n;) {
          if (t.n - i >= 3 && std::memcmp(t.p + i, bytes, 3) == 0) {
            out.put('\'');
            i += 3;
          } else {
            out.put(static_cast<char>(t.p[i++]));
          }
        }
        out.ascii = false;
        v = out.done();
        t = text(c, v);
      }
    }
  }
  if (t.n == 0) return 0;
  const std::string_view stem = ppc::text::stem({reinterpret_cast<const char*>(t.p), t.n});
  const uint32_t n = static_cast<uint32_t>(stem.size());
  if (n <= t.n && same_bytes(t.p, reinterpret_cast<const uint8_t*>(stem.data()), n)) return part(v, 0, n, t.ascii);
  Out out(c);
  out.put(stem.data(), n);
  out.ascii = t.ascii;
  return out.done();
}

int64_t ppc_rt_lemma(ppc_ctx* c, int64_t word) {
  const Text w = text(c, word);
  charge(c, 64 + w.n);  // a search in a table for each form, and there are no more forms than letters
  if (!w.ascii || w.n == 0) return word;
  const ppc::text::Lemma found = ppc::text::lemma({reinterpret_cast<const char*>(w.p), w.n});
  if (!found.other_length && !*found.ending) return part(word, 0, static_cast<uint32_t>(found.kept), true);
  Out out(c);
  if (found.other_length) {
    out.put(found.other, static_cast<uint32_t>(found.other_length));
  } else {
    out.put(reinterpret_cast<const char*>(w.p), static_cast<uint32_t>(found.kept));
    out.put(found.ending, static_cast<uint32_t>(std::strlen(found.ending)));
  }
  return out.done();
}

}  // extern "C"
