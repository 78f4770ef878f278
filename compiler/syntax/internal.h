// Shared by the files of this folder only: the generated classes, and how their positions become spans.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "GameLexer.h"
#include "GameParser.h"
#include "compiler/syntax/diagnostics.h"
#include "compiler/syntax/parse.h"

namespace ppc::syntax {

using ppc_grammar::GameLexer;
using ppc_grammar::GameParser;
using TokenList = std::vector<std::unique_ptr<antlr4::Token>>;

/// ANTLR counts code points, spans count bytes.
class Offsets {
 public:
  Offsets(std::string_view text, uint32_t file, uint32_t skipped);
  uint32_t byte(size_t code_point) const;
  Span span(const antlr4::Token* token) const;
  Span span(const antlr4::Token* first, const antlr4::Token* last) const;

 private:
  std::vector<uint32_t> starts_;  // empty when every code point is one byte
  uint32_t file_, size_, skipped_;
};

struct CommentText {
  uint32_t begin, end;
  std::string text;  // behind "//"
};

struct Lexed {
  TokenList tokens;  // of the default channel
  std::vector<CommentText> comments;
  std::set<size_t> bad_lines;  // with a mistake reported here; what the parser finds on them is its consequence
  bool repaired = false;  // what is open was closed, after it was reported (Limits::tolerant)
  bool usable = true;  // false: texts or brackets do not close, so that parsing would only repeat the error
};

/// Tokens, with what is wrong at this level reported and repaired where it can be.
Lexed lex(std::string_view text, antlr4::CharStream&, const Offsets&, const Limits&, diag::Emitter&, std::vector<Word>* words);

/// Keywords that the grammar's rule `ident` takes as names.
bool is_soft_keyword(size_t token);

/// Reports in our words, and recovers at statements, fields and declarations.
std::shared_ptr<antlr4::ANTLRErrorStrategy> make_error_strategy(const Offsets&, const Limits&, const std::set<size_t>& bad_lines, diag::Emitter&);

/// Thrown through the parser when the limit of errors or of depth is reached.
struct GiveUp {};

ast::File build(GameParser::FileContext*, std::string_view text, const Offsets&, std::vector<CommentText>, const Limits&,
                diag::Emitter&);

/// Decodes one code point; length 0 when the bytes are not UTF-8.
uint32_t decode_utf8(std::string_view text, size_t at, uint32_t& length);
void append_utf8(std::string& out, uint32_t code);

}  // namespace ppc::syntax
