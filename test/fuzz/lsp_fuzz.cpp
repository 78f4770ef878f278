// The language server. The first byte of the input says what the rest is: bytes of the stream as they come; or edits and
// requests in a document, where it is made sure that the server's text is what the edits make it and that every answer lies in it.
#include <cstdio>
#include <cstdlib>

#include "tools/lsp/frames.h"
#include "tools/lsp/server.h"

using namespace ppc;
using lsp::Json;
using Object = Json::Object;
using List = Json::List;

namespace {

const char* const kText = R"(game g
player p
enum E { a, b }
record R { word: text }
world { at(thing, place) }
instance { target : text secret }
state { s : [text] = []  now : set<fact> = {} }
fn f(a: int) -> int = a + 1
step t(n: int) { note "k" "{n} 😀" }
move M by p { format "M:" {w: word} else pass  let low = w.lower  gives low }
play {
  round r in 1..3 {
    let m = ask p for M
    var n = f(a = r)
    if m.low == reveal target { win score n }
    for at(x, "hall") in now { t(x.length) }
  }
  lose
}
bot p lazy { memory { k: int = 0 } k = k + 1 say "M: {k}" }
)";

const char* const kPieces[] = {"😀", "\n", "\r\n", "\"", "\"\"\"", "{", "}", "(", ")", "[", "]", ".", "m.", "let x = ", "if ", "for y in s {", "ask p for ",
                               "tell ", "format {", "game", "move N by p {", "fn g(b: ", "reveal ", "zz", ": ", "include \"g.game\"\n", "//", "\\u{", "ö"};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

struct Bytes {
  const uint8_t* at;
  size_t left;
  uint32_t next() {
    if (left == 0) return 0;
    --left;
    return *at++;
  }
};

/// Calls `f` with every {line, character} of an answer that says a place in this document.
template <class F>
void each_position(const Json& j, const F& f) {
  if (j.is_list())
    for (const Json& i : j.items()) each_position(i, f);
  if (!j.is_object()) return;
  const Json *line = j.find("line"), *character = j.find("character");
  if (line && character && line->is_int() && character->is_int()) f(line->as_int(), character->as_int());
  for (const auto& m : j.members()) each_position(m.value, f);
}

void edits(Bytes in) {
  std::vector<Json> sent;
  lsp::Server server([&](const Json& m) { sent.push_back(m); });
  auto say = [&](const Json& m) {
    server.take(engine::to_text(m));
    while (server.has_work()) server.step();
  };
  const char* const names[] = {"utf-16", "utf-8", "utf-32"};
  const lsp::Encoding encodings[] = {lsp::Encoding::Utf16, lsp::Encoding::Utf8, lsp::Encoding::Utf32};
  const size_t which = in.next() % 3;
  say(Object{{"jsonrpc", "2.0"}, {"id", 0}, {"method", "initialize"},
             {"params", Object{{"capabilities", Object{{"general", Object{{"positionEncodings", List{names[which]}}}}}}}}});
  const std::string uri = "untitled:g.game";
  std::string text = kText;
  say(Object{{"jsonrpc", "2.0"}, {"method", "textDocument/didOpen"},
             {"params", Object{{"textDocument", Object{{"uri", uri}, {"version", 0}, {"text", text}}}}}});
  for (int n = 1; in.left > 0 && n < 24; ++n) {
    lsp::Lines lines(text, encodings[which]);
    auto place = [&] { return lsp::Position{in.next() % 32, in.next() % 64}; };
    auto json = [](lsp::Position p) { return Json(Object{{"line", int64_t{p.line}}, {"character", int64_t{p.character}}}); };
    lsp::Position begin = place();
    const uint32_t what = in.next();
    if (what % 2 == 0) {
      lsp::Position end{begin.line + in.next() % 2, begin.character + in.next() % 8};
      std::string put = kPieces[in.next() % std::size(kPieces)];
      uint32_t from = lines.offset(begin), to = lines.offset(end);
      if (to < from) std::swap(from, to);
      say(Object{{"jsonrpc", "2.0"}, {"method", "textDocument/didChange"},
                 {"params", Object{{"textDocument", Object{{"uri", uri}, {"version", n}}},
                                   {"contentChanges", List{Object{{"range", Object{{"start", json(begin)}, {"end", json(end)}}}, {"text", put}}}}}}});
      text.replace(from, to - from, put);
      continue;
    }
    static const char* const methods[] = {"hover", "definition", "references", "documentHighlight", "completion", "documentSymbol", "codeAction",
                                          "prepareRename", "rename", "formatting", "semanticTokens/full"};
    const std::string method = methods[what / 2 % std::size(methods)];
    if (what & 128) server.publish([] { return false; });
    sent.clear();
    say(Object{{"jsonrpc", "2.0"}, {"id", n}, {"method", "textDocument/" + method},
               {"params", Object{{"textDocument", Object{{"uri", uri}}}, {"position", json(begin)}, {"newName", "other"}, {"options", Json::object()},
                                 {"range", Object{{"start", json(begin)}, {"end", json(begin)}}}}}});
    require(sent.size() == 1, "one answer to one request");
    const Json* error = sent[0].find("error");
    if (error) {
      int64_t code = error->find("code")->as_int();
      if (code == -32603) {
        std::fprintf(stderr, "%s: %s\n%s\n", method.c_str(), error->find("message")->as_text().c_str(), text.c_str());
        std::abort();
      }
      continue;
    }
    lsp::Lines now(text, encodings[which]);
    each_position(*sent[0].find("result"), [&](int64_t line, int64_t character) {
      lsp::Position p{static_cast<uint32_t>(line), static_cast<uint32_t>(character)};
      lsp::Position same = now.position(now.offset(p));
      require(same.line == p.line && same.character == p.character, "a place of an answer lies in the text");
    });
    engine::to_text(sent[0]);
  }
}

void stream(Bytes in) {
  lsp::Server server([](const Json& m) { engine::to_text(m); });
  lsp::Frames frames;
  while (in.left > 0 && !server.exited()) {
    size_t n = std::min<size_t>(in.left, 1 + in.next() % 64);
    n = std::min(n, in.left);
    frames.feed({reinterpret_cast<const char*>(in.at), n});
    in.at += n;
    in.left -= n;
    while (auto frame = frames.next()) {
      if (frame->problem.empty()) server.take(frame->body);
      else server.broken(frame->problem);
    }
    while (server.has_work()) server.step();
    server.publish([] { return false; });
  }
}

void messages(Bytes in) {
  // The bodies alone, cut at zero bytes.
  lsp::Server server([](const Json& m) { engine::to_text(m); });
  std::string_view rest(reinterpret_cast<const char*>(in.at), in.left);
  while (!rest.empty() && !server.exited()) {
    size_t end = std::min(rest.find('\0'), rest.size());
    server.take(std::string(rest.substr(0, end)));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    while (server.has_work()) server.step();
  }
  server.publish([] { return false; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  Bytes in{data + 1, size - 1};
  if (data[0] % 4 == 0) stream(in);
  else if (data[0] % 4 == 1) messages(in);
  else edits(in);
  return 0;
}
