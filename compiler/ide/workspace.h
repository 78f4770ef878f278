// The games that an editor looks at: unsaved texts instead of files, and analyses that are made anew when something changed.
#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ide/ide.h"

namespace ppc::ide {

class Workspace {
 public:
  /// The text that counts for a file from now on; paths are whole ones (syntax::whole_path).
  void set(const std::filesystem::path& path, std::string text);
  /// The file on disk counts again.
  void drop(const std::filesystem::path& path);
  /// Files on disk may have changed.
  void forget();
  /// The unsaved text, if there is one.
  const std::string* text(const std::filesystem::path& path) const;
  const std::map<std::filesystem::path, std::string>& texts() const { return texts_; }

  /// The games that a file belongs to: itself when it begins with `game`, else the games in its folder and in the folders
  /// beside it that include it (16 at most), in alphabetical order, those of its own folder first; itself when there is none.
  std::vector<std::filesystem::path> roots(const std::filesystem::path& path);
  /// Kept until a file of it changes.
  const Analysis& analysis(const std::filesystem::path& root);
  Instead instead() const;

 private:
  struct Head {
    bool game = false;
    std::vector<std::string> includes;
    bool operator==(const Head&) const = default;
  };
  Head head(const std::filesystem::path& path);
  static Head head_of(const std::string& text);
  bool includes(const std::filesystem::path& root, const std::filesystem::path& at, const std::filesystem::path& wanted,
                std::vector<std::filesystem::path>& seen);

  std::map<std::filesystem::path, std::string> texts_;
  std::map<std::filesystem::path, std::unique_ptr<Analysis>> analyses_;
  std::map<std::filesystem::path, Head> heads_;
  std::map<std::filesystem::path, std::vector<std::filesystem::path>> roots_;
};

}  // namespace ppc::ide
