#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "runtime/engine/json.h"
#include "tools/ppc/verbs.h"

namespace ppc::cli {

namespace fs = std::filesystem;

std::string game_file(const std::string& name) {
  std::error_code ec;
  if (fs::path(name).extension() == ".game") return name;
  fs::path own = fs::path(stdlib_folder()) / name / (name + ".game");
  if (name.find('/') == std::string::npos && fs::exists(own, ec)) return own.string();
  throw engine::InputError("no game `" + name + "`: `ppc list games` lists those that come with ppc; a file ends in .game");
}

size_t max_errors(const Options& options) {
  const uint64_t n = options.number("--max-errors", 20);
  return n ? static_cast<size_t>(n) : SIZE_MAX;
}

void print_reports(const diag::Emitter& emitter) {
  bool colour = colour_wanted(2);
  std::string out;
  for (const auto& report : emitter.reports()) out += diag::render(report, emitter.sources(), colour) + "\n";
  size_t shown = 0;
  for (const auto& report : emitter.reports()) shown += report.what->severity == diag::Severity::Error;
  if (emitter.errors() > shown) {
    out += "too many errors: " + std::to_string(emitter.errors() - shown) + " more are not shown; `--max-errors N` shows N, 0 all of them\n";
  }
  std::fputs(out.c_str(), stderr);
}

std::string read_file(const std::string& path) {
  std::error_code ec;
  if (fs::is_directory(path, ec)) throw engine::InputError(path + ": is a folder");
  std::ifstream in(path, std::ios::binary);
  if (!in) throw engine::InputError(path + ": " + std::strerror(errno));
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

std::string json_text(const std::string& s) {
  std::string out = "\"";
  for (char c : s) {
    auto b = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') (out += '\\') += c;
    else if (c == '\n') out += "\\n";
    else if (b < 0x20) {
      char code[8];
      std::snprintf(code, sizeof code, "\\u%04x", b);
      out += code;
    } else out += c;
  }
  return out + "\"";
}

}  // namespace ppc::cli
