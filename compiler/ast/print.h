// The tree as text: the canonical layout (`ppc fmt`), and a form that shows the tree (`ppc compile --emit=ast`).
#pragma once
#include <string>

#include "compiler/ast/ast.h"

namespace ppc::ast {

/// The canonical layout: two spaces of indentation, lines of up to 120 columns, consecutive fields, metrics, players,
/// assignments and consequences in columns. What the author decides is kept: empty lines (one at most), comments, whether a
/// block that fits stands on one line, and whether an `else` starts a line. print(parse(print(x))) == print(x).
std::string print(const File&);

/// One expression or type on one line, as in source.
std::string print(const Expr&);
std::string print(const TypeExpr&);
/// A rule of a grammar on one line.
std::string print(const GrammarRule&);

/// The tree as nested lists, without places, comments and layout; equal trees and only they have equal dumps.
std::string dump(const File&);

}  // namespace ppc::ast
