// A grammar made from the input's first piece, and its other pieces as texts: the matcher comes back within its budget,
// and where a search through all ways ends soon enough, it finds the same.
#include "test/words.h"

#include "test/fuzz/common.h"

using namespace ppc;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Pieces pieces({reinterpret_cast<const char*>(data), size});
  const words::Maker maker(pieces.next());
  const formats::WordProgram program = formats::compile(maker.decl, 512);
  if (program.too_large) return 0;
  words::Real real(program, maker.sets);
  while (!pieces.done()) {
    const std::string text(pieces.next());
    if (!text::check_utf8(text).valid) continue;
    std::optional<words::Read> found, wanted;
    if (real.run(text, found, 100'000) != PPC_FAULT_NONE) continue;
    // ASCII only: the reference knows no other letters that have two cases. Few words: it calls itself for each.
    const std::vector<std::string> some = formats::literal_words(text);
    if (!text::check_utf8(text).ascii || some.size() > 40 || !words::Naive(maker, some).run(real.captures, wanted)) continue;
    fuzz::require(found == wanted, "the matcher does not find what comes first");
  }
  return 0;
}
