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
  std::ifstream in(path_);
  for (std::string line; std::getline(in, line);) {
    try {
      const Json j = parse_json(line, path_);
      const Json *record = j.find("record"), *seed = j.find("seed"), *hash = j.find("game_hash");
      if (record && record->is_text() && seed && seed->is_text() && hash && hash->is_text())
        lines_[record->as_text()] = {seed->as_text(), hash->as_text()};
    } catch (const InputError&) {
    }
  }
}

bool AlreadyPlayed::has(const Record& r) const {
  const auto at = lines_.find(episode_folder(r));
  if (at == lines_.end()) return false;
  const bool same_seed = at->second.seed == std::to_string(r.seed);
  if (!same_seed || at->second.hash != r.module->manifest().hash) {
    throw InputError(path_ + ": " + at->first + " was played " + (same_seed ? "by another version of the game" : "with another seed") +
                     "; resume with what the run began with, or choose another --out");
  }
  ++matched_;
  return true;
}

void order_lines(const std::string& folder, const std::map<std::string, size_t>& order) {
  const std::string path = folder + "/episodes.jsonl", partial = path + ".part";
  struct Line { size_t position; std::streamoff from; size_t size; };  // position 0: of another run
  std::vector<Line> lines;
  std::ifstream in(path, std::ios::binary);
  std::streamoff at = 0;
  for (std::string line; std::getline(in, line); at += static_cast<std::streamoff>(line.size()) + 1) {
    size_t position = 0;
    try {
      const Json j = parse_json(line, path);
      if (const Json* record = j.find("record"); record && record->is_text())
        if (auto known = order.find(record->as_text()); known != order.end()) position = known->second + 1;
    } catch (const InputError&) {
    }
    lines.push_back({position, at, line.size()});
  }
  auto before = [](const Line& a, const Line& b) { return a.position < b.position; };
  if (std::is_sorted(lines.begin(), lines.end(), before)) return;
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
