#include "trainers/nn/torch.h"  // first

#include "trainers/nn/cpu_memory.h"

#include <c10/core/CPUAllocator.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

namespace ppc::nn {

namespace {

constexpr size_t kLarge = size_t{1} << 20;                    // bytes; what is smaller is the system's
constexpr size_t kSmallPage = 4096, kPage = size_t{2} << 20;

/// Pieces that nobody uses, by their size.
class Store {
 public:
  void* take(size_t bytes) {
    // An eighth more at most is wasted.
    size_t step = kPage;
    while (step * 16 < bytes) step *= 2;
    const size_t size = bytes < kPage ? (bytes + kSmallPage - 1) / kSmallPage * kSmallPage : (bytes + step - 1) / step * step;
    std::lock_guard lock(mutex_);
    used_ += size;
    most_ = std::max(most_, used_);
    void* out = nullptr;
    if (const auto at = free_.lower_bound(size); at != free_.end() && at->first <= size + size / 8) {
      used_ += at->first - size;
      kept_ -= at->first;
      out = at->second;
      sizes_[out] = at->first;
      free_.erase(at);
      return out;
    }
    trim();
    out = std::aligned_alloc(size < kPage ? kSmallPage : kPage, size);
    if (!out) {
      used_ -= size;
      throw std::bad_alloc();
    }
    if (size >= kPage) madvise(out, size, MADV_HUGEPAGE);
    sizes_[out] = size;
    return out;
  }
  /// False: it is none of this store's.
  bool give(void* p) {
    std::lock_guard lock(mutex_);
    const auto at = sizes_.find(p);
    if (at == sizes_.end()) return false;
    used_ -= at->second;
    kept_ += at->second;
    free_.emplace(at->second, p);
    sizes_.erase(at);
    trim();
    return true;
  }

 private:
  /// What is used and kept is little more than what was used at once; the largest pieces go first.
  void trim() {
    while (!free_.empty() && used_ + kept_ > most_ + most_ / 8) {
      const auto last = std::prev(free_.end());
      std::free(last->second);
      kept_ -= last->first;
      free_.erase(last);
    }
  }

  std::mutex mutex_;
  std::multimap<size_t, void*> free_;
  std::map<void*, size_t> sizes_;  // of those in use
  size_t used_ = 0, kept_ = 0, most_ = 0;
};

// Not destroyed: tensors may live longer than anything.
Store& store() {
  static Store* const s = new Store;
  return *s;
}

// The store's pieces begin where a page does; of others few do.
void give_back(void* p) {
  if (reinterpret_cast<uintptr_t>(p) % kSmallPage != 0 || !store().give(p)) std::free(p);
}

/// LibTorch changed what is const in its allocators, and added to them: each version finds its own functions here.
struct Keeping : c10::Allocator {
  at::DataPtr allocate(size_t bytes) const {
    const c10::Device cpu(c10::DeviceType::CPU);
    if (bytes == 0) return {nullptr, nullptr, &give_back, cpu};
    void* p = bytes >= kLarge ? store().take(bytes) : std::aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (!p) throw std::bad_alloc();
    return {p, p, &give_back, cpu};
  }
  at::DeleterFnPtr raw_deleter() const { return &give_back; }
  at::DataPtr allocate(size_t bytes) { return static_cast<const Keeping*>(this)->allocate(bytes); }
  void copy_data(void* to, const void* from, std::size_t bytes) const { std::memcpy(to, from, bytes); }
};

}  // namespace

void keep_memory() {
  // As long as the program: tensors may outlive everything else. A program and its plugin may have one each.
  static Keeping* const keeping = [] {
    auto* k = new Keeping;
    c10::SetCPUAllocator(k);
    return k;
  }();
  (void)keeping;
}

}  // namespace ppc::nn
