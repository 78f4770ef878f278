// What an editor wants to know about a game: read and checked as far as it goes, with what every name in it means.
// Places are byte offsets; nothing here knows of protocols.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ast/ast.h"
#include "compiler/diag/diag.h"
#include "compiler/sema/names.h"
#include "compiler/syntax/parse.h"

namespace ppc::ide {

/// What counts instead of the file of this whole path; nothing: the file on disk.
using Instead = std::function<std::optional<std::string>(const std::filesystem::path& whole)>;

/// What declares a name, in the tree; `decl` is the declaration it stands in, the others say which part of it.
struct Origin {
  const ast::Decl* decl = nullptr;
  const ast::Field* field = nullptr;    // of a record, of experiment, instance or state, of a bot's memory
  const ast::Param* param = nullptr;
  const ast::Predicate* predicate = nullptr;
  const ast::FormatItem* capture = nullptr;
  const ast::GrammarRule* rule = nullptr;
  const ast::Stmt* statement = nullptr;  // let, for, round, ask, resource, …
};

/// A name's declaration and where it is known: for what is known everywhere, nowhere in particular.
struct Visible { Span name, range; };

class Analysis {
 public:
  Analysis(const std::string& path, const Instead& instead);
  Analysis(const Analysis&) = delete;
  Analysis& operator=(const Analysis&) = delete;

  const Sources& sources() const { return sources_; }
  const std::vector<ast::File>& files() const { return files_; }
  const sema::Names& names() const { return names_; }
  /// Of all files. Where a file cannot be read as a whole, nothing is said about names and types: what it declares is not known.
  const std::vector<diag::Report>& reports() const { return out_.reports(); }
  /// Whether it begins with `game NAME`; a shared part alone is only read.
  bool is_game() const { return !files_.empty() && files_[0].game.has_value(); }
  bool failed_to_read() const;

  std::optional<uint32_t> file_of(const std::filesystem::path& whole) const;
  const std::filesystem::path& path_of(uint32_t file) const { return paths_[file]; }
  const ast::File* tree_of(uint32_t file) const;
  const std::vector<syntax::Word>& words(uint32_t file) const;

  const sema::Declared* declared_at(Span name) const;
  const Origin* origin_of(Span name) const;
  /// Local names and where they are known.
  const std::vector<Visible>& visible() const { return visible_; }
  /// The type of the expression that is exactly there, or UINT32_MAX.
  sema::TypeId type_of(Span expression) const;

 private:
  void look_up_origins();

  Sources sources_;
  diag::Emitter out_{sources_}, quiet_{sources_};
  std::vector<ast::File> files_;
  std::vector<std::filesystem::path> paths_;
  sema::Names names_;
  std::map<std::pair<uint32_t, uint32_t>, size_t> declared_;  // file, begin -> names_.declared
  std::map<std::pair<uint32_t, uint32_t>, Origin> origins_;
  std::vector<Visible> visible_;
  std::vector<std::vector<syntax::Word>> words_;
};

/// What the name at a place stands for.
struct Meaning {
  Span span;                                 // of the name at the place
  const sema::Declared* declared = nullptr;  // something of the game's
  const sema::OwnUse* own = nullptr;         // or something of the language's
  const ast::IncludeDecl* include = nullptr;  // or a file
  bool found() const { return declared || own || include; }
};
Meaning meaning_at(const Analysis&, uint32_t file, uint32_t offset);

struct Occurrence {
  Span span;
  bool declaration = false, changes = false;
};
/// All places of a name, by file and place; the declaration among them.
std::vector<Occurrence> occurrences(const Analysis&, const sema::Declared&);

}  // namespace ppc::ide
