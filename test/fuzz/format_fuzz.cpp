// A format made from the input's first piece, and its other pieces as replies. Where it has holes, the runtime's matcher finds what the
// automaton of the format with choices in their places finds.
#include "compiler/formats/formats.h"

#include "compiler/syntax/parse.h"
#include "runtime/text/utf8.h"
#include "test/forms.h"
#include "test/fuzz/common.h"

using namespace ppc;

namespace {

/// Bytes to format items: what they stand for is cut short rather than refused.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : in_(bytes) {}
  std::map<const ast::Expr*, std::vector<std::string>> lists;  // the texts of holes

  formats::Items items(int depth) {
    formats::Items all;
    while (at_ < in_.size() && all.size() < 6) {
      uint8_t b = next();
      if (b % 8 == 7 && depth > 0) break;
      all.push_back(item(b, depth));
    }
    return all;
  }

 private:
  uint8_t next() { return at_ < in_.size() ? static_cast<uint8_t>(in_[at_++]) : 7; }
  std::string word() {
    static const char* const words[] = {"a", "b:", "\n", "\xC3\xA9", "aa", "\xF0\x9F\x98\x80", "GUESS:", "\xC5\xBF", "K", " "};
    uint8_t b = next();
    return words[b % std::size(words)];
  }
  ast::FormatItem item(uint8_t b, int depth) {
    ast::FormatItem it;
    switch (b % 8) {
      case 0: case 1:
        it.text = word();
        it.ignore_case = b & 8;
        if (b & 16 && !it.ignore_case) {
          it.kind = ast::FormatItem::Kind::Capture;
          it.char_class = "text";
          it.among = std::make_shared<ast::Expr>();
          auto& texts = lists[it.among.get()];
          texts = {it.text};
          if (b & 32) texts.push_back(word());
          if (b & 64) texts.push_back("");
          std::stable_sort(texts.begin(), texts.end(), [](const auto& x, const auto& y) { return x.size() > y.size(); });
        }
        break;
      case 2: case 3: case 4: {
        static const char* const classes[] = {"text", "line", "word", "letters", "digits", "int", "text", "line"};
        it.kind = ast::FormatItem::Kind::Capture;
        it.char_class = classes[b / 8 % 8];
        if (b & 64) it.name = ast::Ident{"c" + std::to_string(names_++), {}};
        if ((it.char_class == "text" || it.char_class == "line") && b & 128) it.without.emplace_back(word(), false);
        break;
      }
      case 5:
        if (depth > 2) break;
        it.kind = ast::FormatItem::Kind::Optional;
        it.branches.push_back(items(depth + 1));
        break;
      default:
        if (depth > 2) break;
        it.kind = ast::FormatItem::Kind::Choice;
        for (int n = 2 + b / 8 % 2; n > 0; --n) it.branches.push_back(items(depth + 1));
    }
    if (it.kind == ast::FormatItem::Kind::Literal && it.text.empty()) it.text = "x";
    for (formats::Items& branch : it.branches)
      if (branch.empty()) {
        ast::FormatItem plain;
        plain.text = "y";
        branch.push_back(std::move(plain));
      }
    return it;
  }

  std::string_view in_;
  size_t at_ = 0;
  int names_ = 0;
};

/// With choices in place of holes.
formats::Items filled(const Reader& reader, formats::Items items) {
  for (ast::FormatItem& it : items) {
    for (formats::Items& branch : it.branches) branch = filled(reader, branch);
    if (!it.among) continue;
    ast::FormatItem choice;
    choice.kind = ast::FormatItem::Kind::Choice;
    for (const std::string& t : reader.lists.at(it.among.get())) {
      choice.branches.emplace_back(1);
      choice.branches.back()[0].text = t;
    }
    it = std::move(choice);
  }
  return items;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Pieces pieces({reinterpret_cast<const char*>(data), size});
  Reader reader(pieces.next());
  const formats::Items with_holes = reader.items(0), items = filled(reader, with_holes);
  std::vector<formats::CaptureInfo> captures;
  formats::Problem problem;
  formats::Automaton automaton = formats::compile(items, {512}, captures, &problem);
  uint32_t at[2 * formats::kMaxCaptures] = {};
  if (problem.found()) {
    fuzz::require(!formats::match(automaton, "a", 1, at), "a format with a problem fits something");
    return 0;
  }
  std::optional<forms::Real> real;
  if (!reader.lists.empty()) {
    formats::Problem none;
    const formats::HoleProgram program = formats::compile_with_holes(with_holes, {512}, &none);
    fuzz::require(!none.found(), "a format that is none with holes");
    real.emplace(program, reader.lists);
  }
  formats::form(items);
  formats::print(automaton);
  std::string example;
  formats::Problem other;
  bool empty = formats::empty_intersection({&items}, {512}, &other, &example);
  auto check = [&](const std::string& text) {
    const bool fits = formats::match(automaton, text.data(), static_cast<uint32_t>(text.size()), at);
    std::optional<std::vector<std::string>> found;
    if (real && real->run(text, found, 1'000'000) == PPC_FAULT_NONE) {
      fuzz::require(found.has_value() == fits, "holes let another reply through than choices");
      for (size_t k = 0; fits && k < captures.size(); ++k)
        fuzz::require((*found)[k] == text.substr(at[2 * k], at[2 * k + 1] - at[2 * k]), "holes capture something else than choices");
    }
    if (!fits) return false;
    fuzz::require(!empty, "a format that nothing fits fits");
    for (size_t k = 0; k < captures.size(); ++k) {
      uint32_t from = at[2 * k], to = at[2 * k + 1];
      fuzz::require(from <= to && to <= text.size(), "a capture outside the reply");
      auto boundary = [&](uint32_t i) { return i == text.size() || (static_cast<uint8_t>(text[i]) & 0xC0) != 0x80; };
      fuzz::require(boundary(from) && boundary(to), "a capture that splits a character");
    }
    return true;
  };
  if (!other.found() && !empty) fuzz::require(check(example), "the shortest reply that fits does not fit");
  while (!pieces.done()) {
    std::string_view piece = pieces.next();
    if (text::check_utf8(piece).valid) check(std::string(piece));
  }
  return 0;
}
