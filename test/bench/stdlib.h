// The games of stdlib-games, found by their folders.
#pragma once
#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace bench {

inline std::string game_folder(const std::string& game) { return std::string(PPC_SOURCE_DIR) + "/stdlib-games/" + game; }
inline std::string game_file(const std::string& game) { return game_folder(game) + "/" + game + ".game"; }

inline std::vector<std::string> stdlib_games() {
  namespace fs = std::filesystem;
  std::vector<std::string> games;
  for (const auto& entry : fs::directory_iterator(std::string(PPC_SOURCE_DIR) + "/stdlib-games"))
    if (const std::string name = entry.path().filename().string(); fs::exists(entry.path() / (name + ".game"))) games.push_back(name);
  std::sort(games.begin(), games.end());
  return games;
}

}  // namespace bench
