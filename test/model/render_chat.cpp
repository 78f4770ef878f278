// render_chat: for each line of the input, a JSON object, a line {"text": …} or {"error": …}. The other side of test/model/compare_chat.py.
//   {"template": …, "variables": {…}, "messages": [{"role": …, "content": …}], "add_generation_prompt": true, "extra": {…}}
//   {"template": …, "variables": {…}}   a template alone
//   {"folder": …, "messages": …, …}     a model folder's; the line has its ids, too
#include <cstdio>
#include <iostream>
#include <map>

#include "trainers/model/chat.h"
#include "trainers/model/jinja.h"

using namespace ppc;
using engine::Json;

namespace {

std::string render(const Json& in, Json& out) {
  const Json* folder = in.find("folder");
  const Json* variables = in.find("variables");
  const Json* list = in.find("messages");
  if (!list) {
    model::jinja::Variables v;
    for (const auto& [key, value] : variables->members()) v.emplace_back(key, model::jinja::Value::of(value));
    return model::jinja::Template::parse(in.find("template")->as_text(), "t").render(v, {}).bytes();
  }
  const auto chat = folder ? model::ChatTemplate::load(folder->as_text()) : model::ChatTemplate::parse(in.find("template")->as_text(), *variables, "t");
  std::vector<model::ChatMessage> messages;
  for (const Json& m : list->items()) messages.push_back({m.find("role")->as_text(), m.find("content")->as_text()});
  const Json* extra = in.find("extra");
  std::string text;
  const std::vector<model::ChatPiece> pieces = chat.render(messages, in.find("add_generation_prompt")->as_bool(), extra ? *extra : Json());
  if (folder) {
    static std::map<std::string, model::Tokenizer> tokenizers;
    auto at = tokenizers.find(folder->as_text());
    if (at == tokenizers.end()) at = tokenizers.emplace(folder->as_text(), model::Tokenizer::load(folder->as_text())).first;
    Json ids = Json::list();
    for (model::TokenId id : model::encode_chat(at->second, pieces)) ids.push(int64_t{id});
    out.add("ids", std::move(ids));
  }
  for (const model::ChatPiece& p : pieces) {
    if (p.message >= 0 && !p.changed && messages.at(static_cast<size_t>(p.message)).content.substr(p.offset, p.text.size()) != p.text)
      throw std::logic_error("a piece that is not where it says: " + p.text);
    text += p.text;
  }
  return text;
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) {
    Json out = Json::object();
    try {
      std::string text = render(engine::parse_json(line, "line"), out);
      out.add("text", std::move(text));
    } catch (const engine::InputError& e) {
      out.add("error", e.what());
    }
    std::puts(engine::to_text(out).c_str());
    std::fflush(stdout);
  }
}
