// Errors, texts, workers.
#include <dlfcn.h>

#include <filesystem>
#include <mutex>
#include <new>

#include "runtime/capi/handles.h"

namespace ppc::capi {
namespace {

thread_local std::string last_error;

// Workers outlive the threads of a batch: each reserves 64 MiB of addresses and has touched some of it.
struct Spare {
  std::mutex mutex;
  std::vector<std::unique_ptr<engine::Worker>> workers;
};
Spare& spare() {
  static auto* there = new Spare;  // never freed: threads may end after static objects have gone
  return *there;
}
struct Borrowed {
  std::unique_ptr<engine::Worker> worker;
  ~Borrowed() {
    if (!worker) return;
    Spare& s = spare();
    std::lock_guard lock(s.mutex);
    if (s.workers.size() < 256) s.workers.push_back(std::move(worker));
  }
};
thread_local Borrowed borrowed;

}  // namespace

ppc_result failed(ppc_result code, const char* what) noexcept {
  try {
    last_error = what;
  } catch (...) {
    last_error.clear();  // no memory even for that
  }
  return code;
}

ppc_result caught() noexcept {
  try {
    throw;
  } catch (const UsageError& e) {
    return failed(PPC_E_USAGE, e.what());
  } catch (const engine::InputError& e) {
    return failed(PPC_E_INPUT, e.what());
  } catch (const engine::SystemError& e) {
    return failed(PPC_E_SYSTEM, e.what());
  } catch (const std::bad_alloc&) {
    return failed(PPC_E_SYSTEM, "out of memory");
  } catch (const std::runtime_error& e) {
    return failed(PPC_E_INPUT, e.what());
  } catch (const std::exception& e) {
    return failed(PPC_E_INTERNAL, e.what());
  } catch (...) {
    return failed(PPC_E_INTERNAL, "an exception of an unknown kind");
  }
}

engine::Worker& worker() {
  if (!borrowed.worker) {
    Spare& s = spare();
    {
      std::lock_guard lock(s.mutex);
      if (!s.workers.empty()) {
        borrowed.worker = std::move(s.workers.back());
        s.workers.pop_back();
      }
    }
    if (!borrowed.worker) borrowed.worker = std::make_unique<engine::Worker>();
  }
  return *borrowed.worker;
}

char* give(std::string_view text) {
  auto* block = static_cast<char*>(std::malloc(text.size() + 1));
  if (!block) throw std::bad_alloc();
  if (!text.empty()) std::memcpy(block, text.data(), text.size());
  block[text.size()] = 0;
  return block;
}

std::string_view taken(const char* text, size_t size) {
  if (!text && size > 0) throw UsageError("NULL where a text of " + std::to_string(size) + " bytes is expected");
  return text ? std::string_view(text, size) : std::string_view();
}

uint64_t hash_bytes(uint64_t h, std::string_view bytes) {
  auto mix = [&](uint64_t w) {
    h = (h ^ w) * 0x9E3779B97F4A7C15u;
    h ^= h >> 32;
  };
  mix(bytes.size());
  size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    uint64_t w;
    std::memcpy(&w, bytes.data() + i, 8);
    mix(w);
  }
  uint64_t rest = 0;
  if (i < bytes.size()) std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
  mix(rest);
  return h;
}

std::vector<std::string> library_folders() {
  namespace fs = std::filesystem;
  std::vector<std::string> out;
  Dl_info info{};
  if (!dladdr(reinterpret_cast<void*>(&ppc_api_version), &info) || !info.dli_fname) return out;
  const fs::path path = info.dli_fname;
  std::error_code ec;
  out.push_back(path.has_parent_path() ? path.parent_path().string() : ".");
  const fs::path real = fs::canonical(path, ec);
  if (!ec && real.parent_path().string() != out[0]) out.push_back(real.parent_path().string());
  return out;
}

}  // namespace ppc::capi

using namespace ppc::capi;

extern "C" {

uint32_t ppc_api_version(void) { return PPC_API_VERSION; }
const char* ppc_version(void) { return PPC_VERSION; }
const char* ppc_error(void) { return last_error.c_str(); }
void ppc_free(void* block) { std::free(block); }

}  // extern "C"
