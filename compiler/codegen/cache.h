// Inside codegen and the driver: objects, and notes on them, kept in a folder, a file each.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ppc::codegen {

class Cache {
 public:
  /// `folder` empty: a cache that keeps nothing. Trouble with files never throws: it costs a compilation.
  /// When more than `limit` bytes are there, a `put` removes what was not used for longest; 0: nothing is removed.
  explicit Cache(std::string folder, uint64_t limit = default_limit()) : folder_(std::move(folder)), limit_(limit) {}
  /// $PPC_CACHE_MIB, or 256 MiB.
  static uint64_t default_limit();
  /// Nothing when it is not there, or damaged.
  std::optional<std::string> get(const std::string& key) const;
  /// Whole or not at all, also when others write the same key.
  void put(const std::string& key, std::string_view object) const;
  bool on() const { return !folder_.empty(); }
  std::string path(const std::string& key) const { return folder_ + "/" + key + ".ppco"; }

 private:
  void prune(const std::string& keep) const;

  std::string folder_;
  uint64_t limit_;
};

/// 64 bits of FNV-1a, with a start value so that parts can be chained.
uint64_t fnv(std::string_view, uint64_t start = 0xcbf29ce484222325u);

}  // namespace ppc::codegen
