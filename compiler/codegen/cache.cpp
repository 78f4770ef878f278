#include "compiler/codegen/cache.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <vector>

namespace ppc::codegen {
namespace {

// In front of each object, in this machine's byte order: the key says for which machine it is.
struct Head {
  char magic[8];
  uint64_t size, sum;
};
constexpr char kMagic[8] = {'p', 'p', 'c', ' ', 'o', 'b', 'j', '1'};
constexpr const char* kEnd = ".ppco";
constexpr uint64_t kLargest = uint64_t{1} << 30;

}  // namespace

uint64_t fnv(std::string_view data, uint64_t h) {
  // Eight bytes a step: objects are large, and this is about damage, not about enemies.
  while (data.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, data.data(), 8);
    h = (h ^ word) * 0x100000001b3u;
    h ^= h >> 29;
    data.remove_prefix(8);
  }
  for (unsigned char c : data) h = (h ^ c) * 0x100000001b3u;
  return h ^ h >> 32;
}

std::optional<std::string> Cache::get(const std::string& key) const {
  if (!on()) return std::nullopt;
  std::ifstream in(path(key), std::ios::binary);
  Head head;
  if (!in.read(reinterpret_cast<char*>(&head), sizeof head)) return std::nullopt;
  if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0 || head.size > kLargest) return std::nullopt;
  std::error_code error;
  if (std::filesystem::file_size(path(key), error) != head.size + sizeof head || error) return std::nullopt;
  std::string object(head.size, '\0');
  if (!in.read(object.data(), static_cast<std::streamsize>(object.size()))) return std::nullopt;
  if (fnv(object, fnv(key)) != head.sum) return std::nullopt;
  return object;
}

void Cache::put(const std::string& key, std::string_view object) const {
  if (!on()) return;
  std::error_code error;
  std::filesystem::create_directories(folder_, error);
  static std::atomic<unsigned> count{0};
  const std::string temporary =
      path(key) + "." + std::to_string(getpid()) + "." + std::to_string(count.fetch_add(1)) + ".tmp";
  Head head;
  std::memcpy(head.magic, kMagic, sizeof kMagic);
  head.size = object.size();
  head.sum = fnv(object, fnv(key));
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(&head), sizeof head);
    out.write(object.data(), static_cast<std::streamsize>(object.size()));
    out.close();
    if (!out) {
      std::filesystem::remove(temporary, error);
      return;
    }
  }
  std::filesystem::rename(temporary, path(key), error);
  if (error) return void(std::filesystem::remove(temporary, error));
  // Now and then: the first time in a process, and when it has written a sixteenth of the limit.
  static std::atomic<uint64_t> written{UINT64_MAX / 2};
  if (limit_ != 0 && written.fetch_add(sizeof head + object.size()) + sizeof head + object.size() >= limit_ / 16) {
    written = 0;
    prune(key + kEnd);
  }
}

uint64_t Cache::default_limit() {
  constexpr uint64_t kMiB = uint64_t{1} << 20;
  if (const char* given = std::getenv("PPC_CACHE_MIB"); given && *given >= '0' && *given <= '9') {
    const uint64_t n = std::strtoull(given, nullptr, 10);
    return n > (uint64_t{1} << 40) ? 0 : n * kMiB;
  }
  return 256 * kMiB;
}

// Others may read, write and prune at the same time: a file that is open stays readable, one that is gone was removed by
// somebody else, and whoever does not find an entry compiles anew.
void Cache::prune(const std::string& keep) const {
  struct File {
    std::string name;
    uint64_t size;
    int64_t used;  // seconds
  };
  DIR* folder = opendir(folder_.c_str());
  if (!folder) return;
  std::vector<File> files;
  uint64_t total = 0;
  const int at = dirfd(folder);
  const int64_t now = std::time(nullptr);
  constexpr int64_t kHour = 3600;
  while (const dirent* entry = readdir(folder)) {
    const std::string_view name = entry->d_name;
    const bool whole = name.ends_with(kEnd);
    if (!whole && !(name.ends_with(".tmp") && name.find(std::string(kEnd) + ".") != std::string_view::npos)) continue;
    struct stat s;
    if (fstatat(at, entry->d_name, &s, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISREG(s.st_mode)) continue;
    if (!whole) {
      // Half a file of a process that died.
      if (now - s.st_mtime > kHour) unlinkat(at, entry->d_name, 0);
      continue;
    }
    total += static_cast<uint64_t>(s.st_size);
    // Reading costs nothing more for that: the system keeps the time of access, at least to the day.
    if (name != keep) files.push_back({std::string(name), static_cast<uint64_t>(s.st_size), std::max<int64_t>(s.st_atime, s.st_mtime)});
  }
  if (total > limit_) {
    std::sort(files.begin(), files.end(), [](const File& a, const File& b) { return a.used != b.used ? a.used < b.used : a.name < b.name; });
    // Some room, so that the next one does not begin again.
    for (const File& f : files) {
      if (total <= limit_ - limit_ / 8) break;
      unlinkat(at, f.name.c_str(), 0);
      total -= f.size;
    }
  }
  closedir(folder);
}

}  // namespace ppc::codegen
