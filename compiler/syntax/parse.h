// Source text -> tree. The only user of ANTLR; no ANTLR type, no exception and no word of ANTLR's leaves this folder.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/base/source.h"
#include "compiler/diag/diag.h"

namespace ppc::syntax {

/// What one file may cost. Beyond a limit the file is rejected with a diagnostic.
struct Limits {
  size_t bytes = 1 << 20;  // the largest game here has 6 KiB
  uint32_t depth = 200;    // nesting of blocks, brackets and operators: bounds the recursion of every later phase
  size_t errors = 20;      // after so many the rest of the file is not looked at
  bool tolerant = false;   // for editors: where brackets or texts do not close, the tree is made of what seems to be meant
};

/// The words of a file in their order, as far as it can be read, for editors. Blanks lie between them.
struct Word {
  enum class Kind { Keyword, SoftKeyword, Name, Number, Sign, TextOpen, Text, Escape, TextClose, TextUnclosed, Comment } kind;
  Span span;
};  // SoftKeyword: a keyword that may be a name as well. Comment: with its slashes. TextUnclosed: the end of the line
/// Parses one file. Always returns a tree; after errors (see emitter.errors()) it holds what could be read.
/// `words`, if given, receives what words() gives, as far as the file was looked at.
ast::File parse(const Sources&, uint32_t file, const Limits&, diag::Emitter&, std::vector<Word>* words = nullptr);

std::vector<Word> words(const Sources&, uint32_t file);

/// What the comments of a file say, in their order, without slashes and blanks around it: what formatting must not lose.
std::vector<std::string> comments(const Sources&, uint32_t file);

/// The words of the language, for editors and "did you mean".
const std::vector<std::string>& keywords();
/// Those that are no names anywhere.
bool is_hard_keyword(const std::string&);
/// How the statement or the declaration that begins with a keyword is written, such as `note "KEY" VALUE`; empty for others.
std::string statement_form(const std::string& keyword);
std::string declaration_form(const std::string& keyword);

}  // namespace ppc::syntax
