// Grammars over words: from the rules of a `grammar` to the instructions that the runtime's matcher follows.
//
// A text fits when all its words do. Of the ways in which it fits the first one counts, in the order in which things are
// preferred: alternatives as they are written, of what may be missing or repeated as much as possible, and what stands
// further to the left before what follows it. (That is what a backtracking regular expression over words does.)
#pragma once
#include <map>
#include <string>
#include <vector>

#include "compiler/ast/ast.h"

namespace ppc::formats {

using GrammarBranches = std::vector<std::vector<ast::FormatItem>>;

/// Whether the rule is a part of others: its name begins with a capital.
bool is_part(const std::string& name);

/// The words of a literal: what stands between white space, as in the language's `words`.
std::vector<std::string> literal_words(const std::string& literal);

/// Calls `visit` with every item, from left to right, those inside others after them.
template <class F>
void each_item(const GrammarBranches& branches, F&& visit) {
  for (const auto& branch : branches)
    for (const ast::FormatItem& item : branch) {
      visit(item);
      each_item(item.branches, visit);
    }
}

struct WordProgram {
  struct Text { std::string text; bool any_case = false; };
  std::vector<int64_t> code;            // runtime/abi/words.h, without the head
  std::vector<Text> texts;              // names of alternatives, words of literals
  std::vector<std::string> captures;    // in the order of the grammar's text; the same name is the same capture
  std::vector<const ast::Expr*> among;  // of `{word in …}`, in the order of the grammar's text
  uint32_t open = 0;                    // how many captures can be open at a time, by captures in parts that are captured
  bool too_large = false;               // then there is no code
};

/// `limit`: of instructions, with the parts written out. The parts that the rules name must exist, none may stand in itself,
/// nor more than 100 in each other; what is repeated must not be able to match no word.
WordProgram compile(const ast::GrammarDecl&, size_t limit = 4096);

/// Whether no words at all have a form. Names of parts that do not exist count as words; no part may stand in itself.
class Emptiness {
 public:
  explicit Emptiness(const ast::GrammarDecl&);
  bool operator()(const GrammarBranches&);

 private:
  bool of(const ast::FormatItem&);
  std::map<std::string, const ast::GrammarRule*> rules_;
  std::map<std::string, bool> parts_;
};

}  // namespace ppc::formats
