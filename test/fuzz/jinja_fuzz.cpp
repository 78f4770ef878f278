// Chat templates. Up to the first zero byte the template, behind it the messages' contents: it is refused or renders, and what the result says
// to be a message's is what stands there.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "trainers/model/jinja.h"

namespace {
using namespace ppc::model;
using jinja::Value;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const std::string_view source = rest.substr(0, rest.find('\0'));
  rest.remove_prefix(std::min(rest.size(), source.size() + 1));
  std::vector<std::string> contents;
  while (contents.size() < 8 && (!rest.empty() || contents.empty())) {
    contents.emplace_back(rest.substr(0, rest.find('\0')));
    rest.remove_prefix(std::min(rest.size(), contents.back().size() + 1));
  }
  try {
    const jinja::Template t = jinja::Template::parse(source, "fuzz");
    std::vector<Value> messages;
    for (size_t i = 0; i < contents.size(); ++i)
      messages.push_back(jinja::dict_of({{Value::text("role"), Value::text(i % 2 ? "assistant" : "user")}, {Value::text("content"), Value::text(contents[i], static_cast<int32_t>(i + 1))}}));
    const jinja::Variables variables = {{"messages", jinja::list_of(messages)}, {"add_generation_prompt", {true}}, {"bos_token", Value::text("<s>")}, {"tools", {jinja::None{}}}};
    const jinja::Text text = t.render(variables, {}, 1 << 18);
    require(text.size() <= 1 << 18, "more text than work");
    uint32_t begin = 0;
    for (const jinja::Run& r : text.runs()) {
      require(r.end > begin && r.end <= text.size(), "runs with gaps");
      require(r.source >= 0 && r.source <= static_cast<int32_t>(contents.size()), "a text from nowhere");
      if (r.source > 0 && r.offset != jinja::kChanged) {
        const std::string& from = contents[static_cast<size_t>(r.source - 1)];
        require(r.offset <= from.size() && from.compare(r.offset, r.end - begin, text.bytes(), begin, r.end - begin) == 0, "another text than the message's");
      }
      begin = r.end;
    }
    require(text.runs().empty() || begin == text.size(), "runs that end early");
  } catch (const ppc::engine::InputError& e) {
    require(std::string_view(e.what()).starts_with("fuzz: "), "an error that does not name the file");
  }
  return 0;
}
