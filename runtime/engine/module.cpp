#include "runtime/engine/module.h"

#include <dlfcn.h>
#include <elf.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace ppc::engine {
namespace {

uint32_t kind_of(const std::string& kind) {
  static const std::pair<const char*, uint32_t> kinds[] = {
      {"int", PPC_K_INT}, {"float", PPC_K_FLOAT}, {"bool", PPC_K_BOOL}, {"text", PPC_K_TEXT},
      {"list", PPC_K_LIST}, {"set", PPC_K_SET}, {"map", PPC_K_MAP}, {"optional", PPC_K_OPTIONAL},
      {"record", PPC_K_RECORD}, {"enum", PPC_K_ENUM}, {"tuple", PPC_K_TUPLE}, {"regex", PPC_K_REGEX},
      {"document", PPC_K_DOCUMENT}};
  for (auto [name, value] : kinds)
    if (kind == name) return value;
  throw std::runtime_error("unknown kind of type: " + kind);
}

class SharedModule final : public GameModule {
 public:
  SharedModule(Manifest manifest, const ppc_module* module, std::shared_ptr<void> library)
      : GameModule(std::move(manifest)), module_(module), library_(std::move(library)) {}
  int64_t call(uint32_t index, ppc_ctx* ctx, const int64_t* args) const override {
    return module_->entries[index](ctx, args);
  }
  const uint8_t* pool() const override { return module_->pool; }
  const char* engine() const override { return "so"; }

 private:
  const ppc_module* module_;
  std::shared_ptr<void> library_;  // keeps the code mapped
};

}  // namespace

GameModule::GameModule(Manifest manifest) : manifest_(std::move(manifest)), hash_(manifest_.hash64()) {
  types_.reserve(manifest_.types.size());
  for (const TypeInfo& t : manifest_.types) {
    ppc_type type{};
    type.kind = kind_of(t.kind);
    if (type.kind == PPC_K_RECORD || type.kind == PPC_K_TUPLE) {
      type.first = static_cast<uint32_t>(type_fields_.size());
      type.count = static_cast<uint32_t>(t.args.size());
      type_fields_.insert(type_fields_.end(), t.args.begin(), t.args.end());
    } else if (type.kind == PPC_K_ENUM) {
      type.first = static_cast<uint32_t>(type_fields_.size());
      type.count = static_cast<uint32_t>(t.names.size());
      type_fields_.resize(type_fields_.size() + t.names.size());
    } else {
      if (!t.args.empty()) type.a = t.args[0];
      if (t.args.size() > 1) type.b = t.args[1];
    }
    for (const std::string& name : t.names) type_names_.push_back(name.c_str());
    type_names_.resize(type_fields_.size());
    types_.push_back(type);
  }
  for (const SlotInfo& s : manifest_.slots) slot_types_.push_back(s.type);
  for (const uint32_t type : manifest_.frame_types) {
    if (type >= types_.size()) throw std::runtime_error("the manifest names a type that is not there");
    slot_types_.push_back(type);
  }
}

Manifest manifest_of(const ppc_module& module) {
  if (module.abi_version != PPC_ABI_VERSION) {
    throw std::runtime_error("compiled for ABI version " + std::to_string(module.abi_version) + "; this build has version " +
                             std::to_string(PPC_ABI_VERSION) + "; compile it again");
  }
  Manifest manifest = parse_manifest({module.manifest, module.manifest_size});
  auto check = [&](uint32_t entry) {
    if (entry >= module.entry_count) throw std::runtime_error("bad manifest: an entry that is not there");
  };
  check(manifest.step_entry);
  check(manifest.init_entry);
  if (manifest.generate_entry) check(*manifest.generate_entry);
  for (const BotInfo& b : manifest.bots) check(b.entry);
  for (const KeyInfo& k : manifest.keys) check(k.entry);
  for (const MoveInfo& m : manifest.moves)
    if (m.holes_entry) check(*m.holes_entry);
  for (const MetricInfo& m : manifest.metrics) {
    check(m.entry);
    if (m.value_entry) check(*m.value_entry);
  }
  return manifest;
}

// dlopen maps what the headers promise and dies of a signal where the file has ended: half a download must not do that.
static bool is_cut_short(const std::string& path, uint64_t size) {
  std::ifstream in(path, std::ios::binary);
  Elf64_Ehdr header{};
  if (!in.read(reinterpret_cast<char*>(&header), sizeof header)) return false;  // dlopen says what is wrong with it
  if (std::string_view(reinterpret_cast<const char*>(header.e_ident), SELFMAG) != ELFMAG || header.e_ident[EI_CLASS] != ELFCLASS64)
    return false;
  auto beyond = [&](uint64_t offset, uint64_t bytes) { return offset > size || bytes > size - offset; };
  if (beyond(header.e_shoff, uint64_t{header.e_shentsize} * header.e_shnum)) return true;
  for (uint16_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    in.seekg(static_cast<std::streamoff>(header.e_phoff + uint64_t{i} * sizeof segment));
    if (!in.read(reinterpret_cast<char*>(&segment), sizeof segment)) return true;
    if (beyond(segment.p_offset, segment.p_filesz)) return true;
  }
  return false;
}

std::shared_ptr<GameModule> load_shared(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) throw std::runtime_error(path + ": no such file");
  if (!S_ISREG(info.st_mode)) throw std::runtime_error(path + ": not a file");
  if (is_cut_short(path, static_cast<uint64_t>(info.st_size)))
    throw std::runtime_error(path + ": not a compiled game: the file is cut short");
  // Without a slash dlopen would search the system's library folders.
  std::string name = path.find('/') == std::string::npos ? "./" + path : path;
  void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) {
    const char* why = dlerror();
    throw std::runtime_error(path + ": not a compiled game: " + (why ? why : "cannot be loaded"));
  }
  std::shared_ptr<void> library(handle, [](void* h) { dlclose(h); });
  const auto* module = static_cast<const ppc_module*>(dlsym(handle, "ppc_module"));
  if (!module) throw std::runtime_error(path + ": not a compiled game: it has no `ppc_module`");
  try {
    return std::make_shared<SharedModule>(manifest_of(*module), module, std::move(library));
  } catch (const std::exception& e) {
    throw std::runtime_error(path + ": " + e.what());
  }
}

std::string compiled_beside(const std::string& source) {
  namespace fs = std::filesystem;
  const fs::path compiled = fs::path(source).replace_extension(".so");
  std::error_code ec;
  const auto made = fs::last_write_time(compiled, ec);
  if (ec) return "";
  for (const fs::directory_entry& file : fs::directory_iterator(compiled.parent_path(), ec))
    if (file.path().extension() == ".game" && file.last_write_time(ec) > made) return "";
  return ec ? "" : compiled.string();
}

}  // namespace ppc::engine
