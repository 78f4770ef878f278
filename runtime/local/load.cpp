#include <dlfcn.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "runtime/local/inference.h"

namespace ppc::local {

const char* masking_name(Masking m) { return m == Masking::On ? "on" : m == Masking::Diagnose ? "diagnose" : "off"; }

std::optional<Masking> masking_of(const std::string& name) {
  for (const Masking m : {Masking::Off, Masking::Diagnose, Masking::On})
    if (name == masking_name(m)) return m;
  return std::nullopt;
}

namespace {
namespace fs = std::filesystem;

fs::path cache() {
  auto from = [](const char* name) { const char* v = std::getenv(name); return fs::path(v ? v : ""); };
  if (const fs::path hub = from("HF_HUB_CACHE"); !hub.empty()) return hub;
  if (const fs::path home = from("HF_HOME"); !home.empty()) return home / "hub";
  return from("HOME") / ".cache" / "huggingface" / "hub";
}

/// models--ORGANISATION--NAME/refs/main has the name of a folder under snapshots.
fs::path snapshot(const fs::path& model) {
  std::string commit;
  std::getline(std::ifstream(model / "refs" / "main"), commit);
  std::error_code ec;
  const fs::path at = model / "snapshots" / commit;
  return !commit.empty() && fs::exists(at / "config.json", ec) ? at : fs::path();
}
}  // namespace

std::string model_folder(const std::string& name) {
  // Behind `local:`, and in a configuration, no shell sees it.
  if (const char* home = std::getenv("HOME"); home && name.rfind("~/", 0) == 0) return home + name.substr(1);
  std::error_code ec;
  const size_t slash = name.find('/');
  if (fs::exists(name, ec) || slash == std::string::npos || name.find('/', slash + 1) != std::string::npos) return name;
  const fs::path at = snapshot(cache() / ("models--" + name.substr(0, slash) + "--" + name.substr(slash + 1)));
  return at.empty() ? name : at.string();
}

std::vector<std::string> cached_models() {
  std::vector<std::string> out;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(cache(), ec)) {
    std::string name = entry.path().filename().string();
    if (name.rfind("models--", 0) != 0 || snapshot(entry.path()).empty()) continue;
    name.erase(0, 8);
    if (const size_t at = name.find("--"); at != std::string::npos) out.push_back(name.replace(at, 2, "/"));
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::shared_ptr<Model> load_model(const ModelOptions& options) {
  // Before anything is loaded, as it is the likeliest mistake.
  if (std::error_code e; !fs::is_directory(options.folder, e)) throw std::runtime_error(options.folder + ": no such folder, and no model of that name in Hugging Face's cache");
  // Beside the program: bin/ppc and lib/libppc_local.so, in the build folder as where it is installed.
  std::error_code ec;
  const fs::path self = fs::read_symlink("/proc/self/exe", ec);
  fs::path plugin = self.parent_path().parent_path() / "lib" / "libppc_local.so";
  if (!fs::exists(plugin, ec)) plugin = PPC_LOCAL_PLUGIN;
  if (!fs::exists(plugin, ec)) throw std::runtime_error("local models: " + plugin.string() + " is not there: this build has none");
  // It stays loaded: what it started (threads of its libraries) does not end when it would go.
  void* library = dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (!library) throw std::runtime_error(std::string("cannot load what computes local models: ") + dlerror());
  const auto load = reinterpret_cast<LoadModel>(dlsym(library, "ppc_load_model"));
  std::string error = plugin.string() + ": of another version than this program";
  Model* model = load ? load(kModelVersion, options, &error) : nullptr;
  if (!model) throw std::runtime_error(error);
  return std::shared_ptr<Model>(model);
}

}  // namespace ppc::local
