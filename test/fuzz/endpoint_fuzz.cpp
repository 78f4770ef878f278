// Bytes as what an endpoint answers.
#include "runtime/players/endpoint.h"
#include "runtime/text/utf8.h"
#include "test/fuzz/common.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ppc;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const players::Reply r = players::parse_completion(bytes);
    fuzz::require(text::check_utf8(r.text).valid, "a reply that is no UTF-8");
    fuzz::require(r.finish != players::Finish::Unknown, "a reply that did not end");
    fuzz::require(r.prompt_tokens.value_or(0) >= 0 && r.reply_tokens.value_or(0) >= 0, "less than no tokens");
  } catch (const engine::InputError&) {
  }
  const auto wait = players::parse_retry_after(std::string(bytes), 1'000'000'000);
  fuzz::require(!wait || (*wait >= 0 && *wait <= 3600), "a wait of no length");
  return 0;
}
