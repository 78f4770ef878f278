// TensorBoard's event files: records of protobuf messages, each framed by its length and checksums.
#pragma once
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ppc::report {

/// CRC-32C (Castagnoli), as TFRecord wants it turned and shifted.
uint32_t crc32c(std::string_view);
uint32_t masked_crc32c(std::string_view);
/// One record: the length, its checksum, the bytes, theirs.
std::string framed(std::string_view bytes);
/// The records of a file. std::runtime_error that says at which byte something is wrong.
std::vector<std::string> unframed(std::string_view file);

/// Appends to a file of its own in a folder, which TensorBoard is pointed at. A run that goes on writes another one into the same folder.
class EventFile {
 public:
  /// Makes the folder where it is not there. `first_step`: what earlier files say of it and later steps no longer counts.
  /// Throws engine::SystemError, as does all that writes.
  explicit EventFile(const std::string& folder, int64_t first_step = 0);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  /// All at once, with tags as names; what is NaN is left out. `time`: seconds since 1970.
  void scalars(int64_t step, double time, std::span<const std::pair<std::string, double>>);
  /// Markdown.
  void text(int64_t step, double time, const std::string& tag, const std::string& markdown);
  void flush();
  const std::string& path() const { return path_; }

 private:
  struct Closer { void operator()(std::FILE* f) const { std::fclose(f); } };
  void write(const std::string& message);

  std::string path_;
  std::unique_ptr<std::FILE, Closer> file_;
};

}  // namespace ppc::report
