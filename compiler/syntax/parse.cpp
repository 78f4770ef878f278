#include "compiler/syntax/parse.h"

#include "ListTokenSource.h"
#include "compiler/syntax/internal.h"

namespace ppc::syntax {

namespace {

/// The generated parser with a bound on its recursion: brackets are counted before, this catches the rest (`not not …`).
class BoundedParser : public GameParser {
 public:
  BoundedParser(antlr4::TokenStream* input, size_t depth) : GameParser(input), most_(depth) {}
  bool too_deep = false;

  void enterRule(antlr4::ParserRuleContext* context, size_t state, size_t rule) override {
    GameParser::enterRule(context, state, rule);
    check();
  }
  void enterRecursionRule(antlr4::ParserRuleContext* context, size_t state, size_t rule, int precedence) override {
    GameParser::enterRecursionRule(context, state, rule, precedence);
    check();
  }

 private:
  void check() {
    antlr4::tree::ParseTree* context = getContext();
    while (!path_.empty() && path_.back() != context->parent) path_.pop_back();
    if (path_.empty())
      for (antlr4::tree::ParseTree* c = context->parent; c != nullptr; c = c->parent) path_.insert(path_.begin(), c);
    path_.push_back(context);
    if (path_.size() <= most_) return;
    too_deep = true;
    throw GiveUp{};
  }
  std::vector<antlr4::tree::ParseTree*> path_;  // from the file to where the parser is
  size_t most_;
};

// A level of nesting takes up to so many rules (statement, its kind, block, expression, primary, arguments, argument).
constexpr size_t kRulesPerLevel = 6;

bool bytes_are_good(std::string_view text, uint32_t file, diag::Emitter& emitter) {
  for (size_t i = 0; i < text.size();) {
    uint32_t length = 0;
    auto at = static_cast<uint32_t>(i);
    decode_utf8(text, i, length);
    if (text[i] == '\0') {
      emitter.emit(kNulByte, {file, at, at + 1}).hint("is this a text file?");
      return false;
    }
    if (length == 0) {
      static const char* digits = "0123456789ABCDEF";
      auto c = static_cast<unsigned char>(text[i]);
      emitter.emit(kNotUtf8, {file, at, at + 1}, {std::string("0x") + digits[c >> 4] + digits[c & 15]}).hint("save the file as UTF-8");
      return false;
    }
    i += length;
  }
  return true;
}

}  // namespace

ast::File parse(const Sources& sources, uint32_t file, const Limits& limits, diag::Emitter& emitter, std::vector<Word>* words) {
  ast::File nothing;
  std::string_view text = sources[file].text();
  nothing.span = {file, 0, 0};
  if (text.size() > limits.bytes) {
    emitter.emit(kTooLarge, {file, 0, 0}, {std::to_string(limits.bytes)});
    return nothing;
  }
  if (!bytes_are_good(text, file, emitter)) return nothing;
  nothing.span.end = static_cast<uint32_t>(text.size());
  uint32_t mark = text.substr(0, 3) == "\xEF\xBB\xBF" ? 3 : 0;  // a byte order mark
  text.remove_prefix(mark);

  Offsets offsets(text, file, mark);
  antlr4::ANTLRInputStream input{std::string(text)};
  Lexed lexed = lex(text, input, offsets, limits, emitter, words);
  if (!lexed.usable) return nothing;
  Sources none;
  diag::Emitter quiet(none);
  diag::Emitter& out = lexed.repaired ? quiet : emitter;
  antlr4::ListTokenSource source(std::move(lexed.tokens));
  antlr4::CommonTokenStream stream(&source);
  stream.fill();
  BoundedParser parser(&stream, limits.depth * kRulesPerLevel);
  parser.removeErrorListeners();
  parser.setErrorHandler(make_error_strategy(offsets, limits, lexed.bad_lines, out));
  GameParser::FileContext* tree = nullptr;
  try {
    tree = parser.file();
  } catch (const GiveUp&) {
    if (parser.too_deep) out.emit(kTooDeep, offsets.span(parser.getCurrentToken()), {std::to_string(limits.depth)});
    return nothing;
  } catch (const antlr4::RuntimeException&) {
    // Every such exception was reported on its way up.
    return nothing;
  }
  return build(tree, text, offsets, std::move(lexed.comments), limits, out);
}

}  // namespace ppc::syntax
