#include "trainers/report/events.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <stdexcept>

#include "runtime/engine/json.h"
#include "trainers/report/event.pb.h"

namespace ppc::report {
namespace {

namespace fs = std::filesystem;

constexpr std::array<uint32_t, 256> kTable = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
    table[i] = c;
  }
  return table;
}();

void put(std::string& out, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
}

uint64_t get(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i-- > 0;) value = value << 8 | static_cast<uint8_t>(bytes[i]);
  return value;
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

/// TensorBoard looks for "tfevents" and reads files in the order of their names.
std::string file_name() {
  static std::atomic<int> number = 0;
  char host[256] = "";
  if (gethostname(host, sizeof host - 1) != 0 || !*host) std::strcpy(host, "localhost");
  for (char* c = host; *c; ++c)
    if (*c == '/') *c = '_';
  char name[400];
  std::snprintf(name, sizeof name, "events.out.tfevents.%010lld.%s.%d.%d", static_cast<long long>(now()), host, static_cast<int>(getpid()), number++);
  return name;
}

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t c = ~0u;
  for (const char b : bytes) c = kTable[(c ^ static_cast<uint8_t>(b)) & 255] ^ (c >> 8);
  return ~c;
}

uint32_t masked_crc32c(std::string_view bytes) {
  const uint32_t c = crc32c(bytes);
  return ((c >> 15) | (c << 17)) + 0xA282EAD8u;
}

std::string framed(std::string_view bytes) {
  std::string out;
  put(out, bytes.size(), 8);
  put(out, masked_crc32c(out), 4);
  out += bytes;
  put(out, masked_crc32c(bytes), 4);
  return out;
}

std::vector<std::string> unframed(std::string_view file) {
  std::vector<std::string> out;
  for (size_t at = 0; at < file.size();) {
    auto fail = [&](const char* what) { throw std::runtime_error("byte " + std::to_string(at) + ": " + what); };
    const std::string_view rest = file.substr(at);
    if (rest.size() < 16) fail("the record is cut off");
    if (get(rest.substr(8, 4)) != masked_crc32c(rest.substr(0, 8))) fail("the length's checksum is wrong");
    const uint64_t size = get(rest.substr(0, 8));
    if (size > rest.size() - 16) fail("the record is cut off");
    const std::string_view bytes = rest.substr(12, size);
    if (get(rest.substr(12 + size, 4)) != masked_crc32c(bytes)) fail("the record's checksum is wrong");
    out.emplace_back(bytes);
    at += 16 + size;
  }
  return out;
}

EventFile::EventFile(const std::string& folder, int64_t first_step) {
  std::error_code ec;
  fs::create_directories(folder, ec);
  path_ = (fs::path(folder) / file_name()).string();
  file_.reset(std::fopen(path_.c_str(), "wbx"));
  if (!file_) throw engine::SystemError(path_ + ": " + std::strerror(errno));
  proto::Event version;
  version.set_wall_time(now());
  version.set_file_version("brain.Event:2");
  write(version.SerializeAsString());
  if (first_step > 0) {
    proto::Event start;
    start.set_wall_time(now());
    start.set_step(first_step);
    start.mutable_session_log()->set_status(proto::SessionLog::START);
    write(start.SerializeAsString());
  }
  flush();
}

EventFile::~EventFile() = default;

void EventFile::scalars(int64_t step, double time, std::span<const std::pair<std::string, double>> values) {
  proto::Event event;
  event.set_wall_time(time);
  event.set_step(step);
  for (const auto& [tag, value] : values) {
    if (std::isnan(value)) continue;
    proto::Summary::Value* v = event.mutable_summary()->add_value();
    v->set_tag(tag);
    v->set_simple_value(static_cast<float>(value));
  }
  if (event.has_summary()) write(event.SerializeAsString());
}

void EventFile::text(int64_t step, double time, const std::string& tag, const std::string& markdown) {
  proto::Event event;
  event.set_wall_time(time);
  event.set_step(step);
  proto::Summary::Value* v = event.mutable_summary()->add_value();
  v->set_tag(tag);
  v->mutable_metadata()->mutable_plugin_data()->set_plugin_name("text");
  v->mutable_metadata()->set_data_class(2);
  v->mutable_tensor()->set_dtype(7);
  v->mutable_tensor()->mutable_shape()->add_dim()->set_size(1);
  v->mutable_tensor()->add_string_val(markdown);
  write(event.SerializeAsString());
}

void EventFile::write(const std::string& message) {
  const std::string record = framed(message);
  if (std::fwrite(record.data(), 1, record.size(), file_.get()) != record.size()) throw engine::SystemError(path_ + ": " + std::strerror(errno));
}

void EventFile::flush() {
  if (std::fflush(file_.get()) != 0) throw engine::SystemError(path_ + ": " + std::strerror(errno));
}

}  // namespace ppc::report
