#include "compiler/ide/workspace.h"

#include <algorithm>

#include "compiler/syntax/read.h"

namespace ppc::ide {

namespace fs = std::filesystem;

namespace {
constexpr size_t kMostFiles = 2000, kMostRoots = 16;
}

void Workspace::set(const fs::path& path, std::string text) {
  auto [at, fresh] = texts_.try_emplace(path);
  if (!fresh && at->second == text) return;
  at->second = std::move(text);
  std::erase_if(analyses_, [&](const auto& entry) { return entry.first == path || entry.second->file_of(path) || entry.second->failed_to_read(); });
  Head now = head_of(at->second);
  auto known = heads_.find(path);
  if (known != heads_.end() && known->second == now) return;
  heads_[path] = std::move(now);
  roots_.clear();
}

void Workspace::drop(const fs::path& path) {
  texts_.erase(path);
  forget();
}

void Workspace::forget() {
  analyses_.clear();
  roots_.clear();
  heads_.clear();
  for (const auto& [path, text] : texts_) heads_[path] = head_of(text);
}

const std::string* Workspace::text(const fs::path& path) const {
  auto at = texts_.find(path);
  return at == texts_.end() ? nullptr : &at->second;
}

Instead Workspace::instead() const {
  return [this](const fs::path& whole) -> std::optional<std::string> {
    const std::string* unsaved = text(whole);
    return unsaved ? std::optional(*unsaved) : std::nullopt;
  };
}

Workspace::Head Workspace::head_of(const std::string& text) {
  Head head;
  // Both stand at the beginning of a line wherever anybody writes them; a line of a text that looks so does no harm.
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    size_t begin = std::min(text.find_first_not_of(" \t\xEF\xBB\xBF", at), end);
    std::string_view line(text.data() + begin, end - begin);
    if (line.starts_with("game ") || line.starts_with("game\t")) head.game = true;
    if (line.starts_with("include")) {
      size_t open = line.find('"'), close = open == std::string_view::npos ? open : line.find('"', open + 1);
      if (close != std::string_view::npos) head.includes.emplace_back(line.substr(open + 1, close - open - 1));
    }
    at = end + 1;
  }
  return head;
}

Workspace::Head Workspace::head(const fs::path& path) {
  auto [at, fresh] = heads_.try_emplace(path);
  if (!fresh) return at->second;
  std::string why;
  if (auto text = syntax::read_text(path.string(), syntax::Limits{}.bytes, why)) at->second = head_of(*text);
  return at->second;
}

bool Workspace::includes(const fs::path& root, const fs::path& at, const fs::path& wanted, std::vector<fs::path>& seen) {
  for (const std::string& include : head(at).includes) {
    auto next = syntax::included_path(include, at, root);
    if (!next) continue;
    if (*next == wanted) return true;
    if (seen.size() > kMostFiles || std::find(seen.begin(), seen.end(), *next) != seen.end()) continue;
    seen.push_back(*next);
    if (includes(root, *next, wanted, seen)) return true;
  }
  return false;
}

std::vector<fs::path> Workspace::roots(const fs::path& path) {
  if (head(path).game) return {path};
  if (auto known = roots_.find(path); known != roots_.end()) return known->second;
  std::vector<fs::path> games;
  auto look_into = [&](const fs::path& folder) {
    std::error_code error;
    std::vector<fs::path> found;
    for (fs::directory_iterator at(folder, error), end; !error && at != end && found.size() < kMostFiles; at.increment(error))
      if (at->path().extension() == ".game") found.push_back(syntax::whole_path(at->path()));
    for (const auto& [open, text] : texts_)
      if (open.parent_path() == folder) found.push_back(open);
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    games.insert(games.end(), found.begin(), found.end());
  };
  const fs::path own = path.parent_path();
  look_into(own);
  std::vector<fs::path> beside;
  std::error_code error;
  for (fs::directory_iterator at(own.parent_path(), error), end; !error && at != end && beside.size() < kMostFiles; at.increment(error)) {
    std::error_code unknown;
    if (at->is_directory(unknown) && at->path() != own) beside.push_back(at->path());
  }
  std::sort(beside.begin(), beside.end());
  for (const fs::path& folder : beside)
    if (games.size() < kMostFiles) look_into(folder);
  std::vector<fs::path> out;
  for (const fs::path& game : games) {
    if (out.size() == kMostRoots) break;
    std::vector<fs::path> seen;
    if (head(game).game && includes(game, game, path, seen)) out.push_back(game);
  }
  if (out.empty()) out.push_back(path);
  roots_[path] = out;
  return out;
}

const Analysis& Workspace::analysis(const fs::path& root) {
  auto [at, fresh] = analyses_.try_emplace(root);
  if (fresh || !at->second) at->second = std::make_unique<Analysis>(root.string(), instead());
  return *at->second;
}

}  // namespace ppc::ide
