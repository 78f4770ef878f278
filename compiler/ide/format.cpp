#include <algorithm>
#include <stdexcept>

#include "compiler/ast/print.h"
#include "compiler/ide/ide.h"

namespace ppc::ide {

std::optional<std::string> formatted(const std::string& path, const std::string& text, Sources& sources, diag::Emitter& emitter) {
  uint32_t file = sources.add(path, text);
  const size_t before = emitter.errors();
  ast::File tree = syntax::parse(sources, file, {}, emitter);
  if (emitter.errors() != before) return std::nullopt;
  std::string out = ast::print(tree);
  // A formatter must never change a game: read it again and compare.
  Sources again;
  uint32_t second = again.add(path, out);
  diag::Emitter check(again);
  auto comments = [](const Sources& s, uint32_t f) {
    auto list = syntax::comments(s, f);
    std::sort(list.begin(), list.end());
    return list;
  };
  if (ast::dump(syntax::parse(again, second, {}, check)) != ast::dump(tree) || check.errors() != 0 || comments(sources, file) != comments(again, second))
    throw std::logic_error(path + ": formatting would change what the game means or lose a comment; the file is left as it is. This is a bug in ppc fmt");
  return out;
}

}  // namespace ppc::ide
