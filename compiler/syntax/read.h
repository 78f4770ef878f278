// A game and the files that it includes: from their places to trees.
#pragma once
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"
#include "compiler/syntax/parse.h"

namespace ppc::syntax {

/// The file's bytes, or why there are none. Not more than `limit` and one: what is larger is turned down by the parser.
std::optional<std::string> read_text(const std::string& path, size_t limit, std::string& why);

/// Absolute, without links as far as it exists: equal for the same file.
std::filesystem::path whole_path(const std::filesystem::path&);

struct ReadOptions {
  Limits limits;
  /// What counts instead of the file of this whole path, such as an editor's unsaved text. Nothing: the file.
  std::function<std::optional<std::string>(const std::filesystem::path& whole)> instead;
  /// Of each file, by its number in the sources; null: not wanted.
  std::vector<std::vector<Word>>* words = nullptr;
  double* reading = nullptr;  // milliseconds are added
  double* parsing = nullptr;
};

/// Reads a game and what it includes, each file once, in the order they are met: files[0] is the game. Includes are found
/// from the file that names them, and must lie inside the parent of the game's folder. Errors go to the emitter.
std::vector<ast::File> read_game(const std::string& path, diag::Emitter&, const ReadOptions& = {});

/// The whole path that an include of `from` (a path) means; nothing when it is absolute or leaves the parent of the folder
/// of `game`, the whole path of the game.
std::optional<std::filesystem::path> included_path(const std::string& include, const std::filesystem::path& from,
                                                   const std::filesystem::path& game);

}  // namespace ppc::syntax
