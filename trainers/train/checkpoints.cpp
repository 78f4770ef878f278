#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "trainers/train/trainer.h"

namespace ppc::train {

namespace fs = std::filesystem;
using engine::SystemError;

namespace {

void force_to_disk(const fs::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

}  // namespace

Checkpoints::Checkpoints(std::string folder, int64_t keep) : folder_(std::move(folder)), keep_(keep) {
  std::error_code ec;
  fs::create_directories(folder_, ec);
  if (ec) throw SystemError(folder_ + ": " + ec.message());
}

std::vector<int64_t> Checkpoints::steps() const {
  std::vector<int64_t> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder_, ec)) {
    const std::string name = entry.path().filename().string();
    int64_t step = 0;
    if (name.rfind("step-", 0) != 0) continue;
    const auto r = std::from_chars(name.data() + 5, name.data() + name.size(), step);
    if (r.ec == std::errc() && r.ptr == name.data() + name.size()) out.push_back(step);
  }
  std::sort(out.begin(), out.end());
  return out;
}

void Checkpoints::save(int64_t step, const std::function<void(const std::string&)>& write) {
  const fs::path place = fs::path(folder_) / ("step-" + std::to_string(step)), part = fs::path(folder_) / "unfinished";
  std::error_code ec;
  fs::remove_all(part, ec);
  fs::create_directories(part, ec);
  if (ec) throw SystemError(part.string() + ": " + ec.message());
  try {
    write(part.string());
  } catch (...) {
    fs::remove_all(part, ec);  // room for others: the disk may be full
    throw;
  }
  for (const auto& entry : fs::recursive_directory_iterator(part, ec)) force_to_disk(entry.path());
  force_to_disk(part);
  fs::remove_all(place, ec);
  fs::rename(part, place, ec);
  if (ec) throw SystemError(place.string() + ": " + ec.message());
  force_to_disk(folder_);
  std::vector<int64_t> all = steps();
  while (static_cast<int64_t>(all.size()) > keep_) {
    // Those of later steps are of another run, from before it was taken back to an earlier one.
    const int64_t gone = all.back() > step ? all.back() : all.front();
    std::erase(all, gone);
    fs::remove_all(fs::path(folder_) / ("step-" + std::to_string(gone)), ec);
  }
}

bool Checkpoints::set_aside(int64_t step) {
  const fs::path from = fs::path(folder_) / ("step-" + std::to_string(step)), to = fs::path(folder_) / ("bad-" + std::to_string(step));
  std::error_code ec;
  if (!fs::exists(from, ec)) return false;
  fs::remove_all(to, ec);
  fs::rename(from, to, ec);
  return !ec;
}

std::string Checkpoints::newest() const {
  const std::vector<int64_t> all = steps();
  return all.empty() ? "" : (fs::path(folder_) / ("step-" + std::to_string(all.back()))).string();
}

}  // namespace ppc::train
