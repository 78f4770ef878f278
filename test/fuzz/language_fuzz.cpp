// Automata of replies: any JSON is refused with an error or gives masks that keep what they promise.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "trainers/decode/constraint.h"

namespace {

using namespace ppc;
using decode::Constraint;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

const std::vector<std::string>& tokens() {
  static const std::vector<std::string> list = {"a", "b", "ab", "ba", "\n", "CLUE", ":", "\xC3", "\xA9", "é", "", "a", "\xF0\x9F", "zzzz"};
  return list;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const auto vocabulary = decode::make_vocabulary(tokens());
  std::shared_ptr<const decode::Language> language;
  try {
    language = decode::parse_language(engine::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz"));
  } catch (const engine::InputError&) {
    return 0;
  }
  const auto c = decode::make_constraint(vocabulary, language);
  auto state = c->start();
  uint64_t mask[1];
  for (int n = 0; n < 50 && state != Constraint::kOut; ++n) {
    const int64_t distance = c->distance(state);
    require(c->may_end(state) == (distance == 0), "a place to end");
    require(c->expected(state, std::nullopt).data() != nullptr, "nothing expected");
    const int64_t left = n % 3 ? 50 : distance - 1;
    c->mask(state, left, mask);
    auto next = Constraint::kOut;
    for (size_t t = 0; t < tokens().size(); ++t) {
      const auto to = c->step(state, static_cast<decode::TokenId>(t));
      const bool allowed = mask[0] >> t & 1;
      require(allowed == (to != Constraint::kOut && c->distance(to) <= left), "a mask that is none");
      if (allowed && (next == Constraint::kOut || (n * 7 + t) % 3 == 0)) next = to;
    }
    require(next != Constraint::kOut || distance == 0 || distance > left + 1 || distance == Constraint::kNever, "no way on");
    state = next;
  }
  return 0;
}
