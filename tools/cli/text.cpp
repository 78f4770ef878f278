#include "tools/cli/text.h"

#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/engine/episode.h"

namespace ppc::cli {

namespace fs = std::filesystem;

std::string csv_field(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string markdown(std::string_view raw) {
  std::string out;
  for (const char c : engine::lossy_utf8(raw)) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) {
      out += ' ';
      continue;
    }
    if (std::strchr("\\|`*[]<>", c)) out += '\\';
    out += c;
  }
  return out;
}

std::string python_number(double d) {
  if (std::isnan(d)) return "nan";
  if (std::isinf(d)) return d > 0 ? "inf" : "-inf";
  char buffer[40];
  auto r = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::scientific);
  const std::string_view shortest(buffer, static_cast<size_t>(r.ptr - buffer));
  int exponent = 0;
  const size_t e = shortest.find('e');
  const char* first = shortest.data() + e + 1;
  std::from_chars(*first == '+' ? first + 1 : first, r.ptr, exponent);
  if (exponent < -4 || exponent >= 16) return std::string(shortest);
  r = std::to_chars(buffer, buffer + sizeof buffer, d, std::chars_format::fixed);
  std::string out(buffer, r.ptr);
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

bool natural_less(std::string_view a, std::string_view b) {
  auto digit = [](char c) { return c >= '0' && c <= '9'; };
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      size_t i2 = i, j2 = j;
      while (i2 < a.size() && a[i2] == '0') ++i2;
      while (j2 < b.size() && b[j2] == '0') ++j2;
      size_t ie = i2, je = j2;
      while (ie < a.size() && digit(a[ie])) ++ie;
      while (je < b.size() && digit(b[je])) ++je;
      if (ie - i2 != je - j2) return ie - i2 < je - j2;
      const int c = a.substr(i2, ie - i2).compare(b.substr(j2, je - j2));
      if (c != 0) return c < 0;
      i = ie;
      j = je;
    } else {
      if (a[i] != b[j]) return static_cast<uint8_t>(a[i]) < static_cast<uint8_t>(b[j]);
      ++i;
      ++j;
    }
  }
  if (i < a.size() || j < b.size()) return j < b.size();
  return a < b;  // 01 and 1 are still two names
}

void write_file(const std::string& path, const std::string& content) {
  // Through a symbolic link the file that it names is replaced.
  std::error_code ec;
  fs::path target = fs::weakly_canonical(path, ec);
  if (ec || target.empty()) target = path;
  if (fs::exists(target, ec) && !fs::is_regular_file(target, ec)) {
    // A device or a pipe has no old content to keep.
    std::ofstream out(target, std::ios::binary);
    out << content << std::flush;
    if (!out) throw engine::SystemError(path + ": cannot write");
    return;
  }
  std::string temporary = target.string() + ".tmp" + std::to_string(getpid());
  {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    if (!out) throw engine::SystemError(path + ": " + std::strerror(errno));
    out << content << std::flush;
    if (!out) {
      std::remove(temporary.c_str());
      throw engine::SystemError(path + ": cannot write");
    }
  }
  if (fs::exists(target, ec)) fs::permissions(temporary, fs::status(target, ec).permissions(), ec);
  fs::rename(temporary, target, ec);
  if (ec) {
    std::remove(temporary.c_str());
    throw engine::SystemError(path + ": " + ec.message());
  }
}

void write_output(const std::string& path, const std::string& content) {
  if (path != "-") return write_file(path, content);
  if (std::fwrite(content.data(), 1, content.size(), stdout) != content.size()) throw engine::SystemError("stdout: cannot write");
}

}  // namespace ppc::cli
