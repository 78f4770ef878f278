#include "tools/cli/resume.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <tuple>
#include <vector>

namespace ppc::cli {

using namespace engine;

AlreadyPlayed::AlreadyPlayed(const std::string& folder) : path_(folder + "/episodes.jsonl") {
  std::ifstream in(path_, std::ios::binary);
  std::streamoff at = 0, next = 0;
  auto drop = [&](const std::vector<std::streamoff>& lines) { stale_.insert(lines.begin(), lines.end()); };
  for (std::string line; std::getline(in, line); at = next) {
    next = at + static_cast<std::streamoff>(line.size()) + 1;
    try {
      const Json j = parse_json(line, path_);
      auto text = [&](const char* key) { const Json* v = j.find(key); return v && v->is_text() ? v->as_text() : std::string(); };
      if (const std::string tree = text("tree"); !tree.empty()) {
        const auto of = lines_.find(tree);
        if (of == lines_.end() || of->second.missing == 0) continue;  // of another run; readers leave it out
        --of->second.missing;
        of->second.lines.push_back(at);
        continue;
      }
      if (text("record").empty() || text("seed").empty() || text("game_hash").empty()) continue;
      Line& l = lines_[text("record")];
      if (l.missing > 0) drop(l.lines);
      l = {text("seed"), text("game_hash"), "", 0, {at}};
      if (const Json* branches = j.find("branches")) {
        const Json *points = branches->find("points"), *count = branches->find("count");
        if (points && points->is_list()) {
          for (const Json& p : points->items()) l.points += p.is_text() ? p.as_text() + " " : "";
        }
        if (count && count->is_int() && count->as_int() > 0) l.missing = static_cast<size_t>(count->as_int());
      }
    } catch (const InputError&) {
    }
  }
  for (const auto& [record, l] : lines_)
    if (l.missing > 0) drop(l.lines);
}

bool AlreadyPlayed::has(const Record& r) const {
  const auto at = lines_.find(episode_folder(r));
  if (at == lines_.end()) return false;
  const bool same_seed = at->second.seed == std::to_string(r.seed);
  std::string points;
  for (const std::string& p : r.points) points += p + " ";
  if (!same_seed || at->second.hash != r.module->manifest().hash || at->second.points != points) {
    throw InputError(path_ + ": " + at->first + " was played " +
                     (!same_seed ? "with another seed" : at->second.points != points ? "with other branches" : "by another version of the game") +
                     "; resume with what the run began with, or choose another --out");
  }
  if (at->second.missing > 0) return false;
  ++matched_;
  return true;
}

void order_lines(const std::string& folder, const std::map<std::string, size_t>& order, const std::set<std::streamoff>& stale) {
  const std::string path = folder + "/episodes.jsonl", partial = path + ".part";
  struct Line { size_t position; std::streamoff from; size_t size; };  // position 0: of another run
  std::vector<Line> lines;
  std::ifstream in(path, std::ios::binary);
  std::streamoff at = 0;
  for (std::string line; std::getline(in, line); at += static_cast<std::streamoff>(line.size()) + 1) {
    size_t position = 0;
    if (stale.count(at)) continue;
    try {
      const Json j = parse_json(line, path);
      const Json* tree = j.find("tree");
      if (const Json* record = tree ? tree : j.find("record"); record && record->is_text())
        if (auto known = order.find(record->as_text()); known != order.end()) position = known->second + 1;
    } catch (const InputError&) {
    }
    lines.push_back({position, at, line.size()});
  }
  auto before = [](const Line& a, const Line& b) { return a.position < b.position; };
  if (stale.empty() && std::is_sorted(lines.begin(), lines.end(), before)) return;
  std::stable_sort(lines.begin(), lines.end(), before);
  in.clear();
  std::ofstream out(partial, std::ios::binary);
  for (const Line& l : lines) {
    std::string line(l.size, '\0');
    in.seekg(l.from);
    in.read(line.data(), static_cast<std::streamsize>(l.size));
    out << line << '\n';
  }
  out.close();
  if (!in || !out || std::rename(partial.c_str(), path.c_str()) != 0) {
    const int error = errno;
    std::remove(partial.c_str());
    throw SystemError(path + ": cannot bring its lines into order: " + std::strerror(error));
  }
}

}  // namespace ppc::cli
