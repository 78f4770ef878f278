#include "compiler/syntax/read.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "compiler/base/clock.h"
#include "compiler/syntax/diagnostics.h"

namespace ppc::syntax {
namespace fs = std::filesystem;

std::optional<std::string> read_text(const std::string& path, size_t limit, std::string& why) {
  int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) {
    why = errno == ENOENT ? "no such file" : std::strerror(errno);
    return std::nullopt;
  }
  struct stat info {};
  std::string text;
  bool good = fstat(file, &info) == 0 && S_ISREG(info.st_mode);
  if (!good) why = S_ISDIR(info.st_mode) ? "it is a folder" : "it is not a file";
  while (good && text.size() <= limit) {
    char buffer[1 << 16];
    ssize_t n = read(file, buffer, std::min(sizeof buffer, limit + 1 - text.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      why = std::strerror(errno);
      good = false;
    }
    if (n <= 0) break;
    text.append(buffer, static_cast<size_t>(n));
  }
  close(file);
  return good ? std::optional(std::move(text)) : std::nullopt;
}

fs::path whole_path(const fs::path& path) {
  std::error_code error;
  fs::path whole = fs::absolute(path, error);
  if (error) whole = path;
  fs::path result = fs::weakly_canonical(whole, error);
  return error ? whole.lexically_normal() : result;
}

std::optional<fs::path> included_path(const std::string& include, const fs::path& from, const fs::path& game) {
  if (fs::path(include).is_absolute()) return std::nullopt;
  fs::path whole = whole_path((from.parent_path() / include).lexically_normal());
  const fs::path inside = whole.lexically_relative(game.parent_path().parent_path());
  if (inside.empty() || *inside.begin() == "..") return std::nullopt;
  return whole;
}

namespace {

class Reader {
 public:
  Reader(diag::Emitter& out, const ReadOptions& options) : out_(out), options_(options) {}

  std::vector<ast::File> run(const std::string& path) {
    game_ = whole_path(path);
    file(path, game_, {});
    return std::move(files_);
  }

 private:
  /// `from`: the place of the include, if it is one.
  void file(const std::string& path, const fs::path& whole, std::optional<Span> from) {
    std::string why;
    std::optional<std::string> text;
    {
      Clock clock(options_.reading);
      if (options_.instead) text = options_.instead(whole);
      if (!text) text = read_text(path, options_.limits.bytes, why);
    }
    if (!text) {
      Span span = from ? *from : Span{out_.sources().add(path, ""), 0, 0};
      out_.emit(kCannotRead, span, {path, why});
      return;
    }
    known_.push_back(whole);
    open_.push_back({whole, path});
    const uint32_t index = out_.sources().add(path, std::move(*text));
    const size_t at = files_.size();
    {
      Clock clock(options_.parsing);
      std::vector<Word>* words = nullptr;
      if (options_.words) {
        options_.words->resize(index + 1);
        words = &options_.words->back();
      }
      files_.push_back(parse(out_.sources(), index, options_.limits, out_, words));
    }
    std::vector<ast::IncludeDecl> includes;
    for (const ast::Decl& d : files_[at].decls)
      if (const auto* include = std::get_if<ast::IncludeDecl>(&d.node)) includes.push_back(*include);
    for (const ast::IncludeDecl& include : includes) this->include(include, path);
    open_.pop_back();
  }

  void include(const ast::IncludeDecl& include, const std::string& from) {
    const std::optional<fs::path> found = included_path(include.path, from, game_);
    if (!found) {
      out_.emit(kIncludeOutside, include.path_span, {include.path, game_.parent_path().parent_path().filename().string()})
          .hint("a game takes files from its own folder and from the folders beside it");
      return;
    }
    const fs::path whole = *found;
    for (size_t i = 0; i < open_.size(); ++i) {
      if (open_[i].first != whole) continue;
      std::string chain;
      for (size_t k = i; k < open_.size(); ++k) chain += "`" + fs::path(open_[k].second).filename().string() + "` includes ";
      out_.emit(kIncludeCycle, include.path_span, {whole.filename().string(), chain + "`" + whole.filename().string() + "`"});
      return;
    }
    if (std::find(known_.begin(), known_.end(), whole) != known_.end()) return;  // each file counts once
    file((fs::path(from).parent_path() / include.path).lexically_normal().string(), whole, include.path_span);
  }

  diag::Emitter& out_;
  const ReadOptions& options_;
  fs::path game_;
  std::vector<fs::path> known_;
  std::vector<std::pair<fs::path, std::string>> open_;  // from the game to the file being read
  std::vector<ast::File> files_;
};

}  // namespace

std::vector<ast::File> read_game(const std::string& path, diag::Emitter& out, const ReadOptions& options) {
  return Reader(out, options).run(path);
}

}  // namespace ppc::syntax
