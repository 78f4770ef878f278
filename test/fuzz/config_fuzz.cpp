// Bytes as config.json and generation_config.json: refused with an error, or what is read can be used: sizes that fit together, and tensors whose
// sizes can be counted.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <set>

#include "trainers/model/config.h"

namespace {
using namespace ppc::model;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}
template <class F>
void named(F&& f) {
  try {
    f();
  } catch (const ppc::engine::InputError& e) {
    require(std::string_view(e.what()).starts_with("fuzz"), "an error that does not name the file");
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ppc::engine::Json json;
  try {
    json = ppc::engine::parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  } catch (const ppc::engine::InputError&) {
    return 0;
  }
  named([&] {
    const ModelConfig c = parse_config(json, "fuzz");
    require(c.num_attention_heads % c.num_key_value_heads == 0 && c.head_dim > 0 && c.head_dim % 2 == 0, "heads that do not fit");
    require(c.rms_norm_eps > 0 && c.rope_theta > 0 && c.rope_scaling.factor > 0, "numbers that are not positive");
    std::set<std::string> names;
    for (const auto& [name, shape] : tensors_of(c)) {
      require(names.insert(name).second, "a tensor twice");
      __int128 elements = 1;
      for (int64_t n : shape) {
        require(n > 0, "an empty tensor");
        elements *= n;
      }
      require(elements < INT64_MAX / 8, "a tensor beyond counting");
    }
  });
  named([&] { parse_generation_config(json, "fuzz"); });
  return 0;
}
