#include <dlfcn.h>

#include <filesystem>
#include <stdexcept>

#include "runtime/net/transport.h"

namespace ppc::net {

std::shared_ptr<Transport> make_transport() {
  namespace fs = std::filesystem;
  // Beside the program: bin/ppc and lib/libppc_net.so, in the build folder as where it is installed.
  std::error_code ec;
  const fs::path self = fs::read_symlink("/proc/self/exe", ec);
  fs::path plugin = self.parent_path().parent_path() / "lib" / "libppc_net.so";
  if (!fs::exists(plugin, ec)) plugin = PPC_NET_PLUGIN;
  void* library = dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(std::string("cannot load what talks to endpoints: ") + dlerror());
  const auto make = reinterpret_cast<MakeTransport>(dlsym(library, "ppc_make_transport"));
  Transport* made = make ? make(kTransportVersion) : nullptr;
  if (!made) throw std::runtime_error(plugin.string() + ": of another version than this program");
  return std::shared_ptr<Transport>(made);
}

}  // namespace ppc::net
