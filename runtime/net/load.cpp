#include <dlfcn.h>

#include <filesystem>
#include <stdexcept>

#include "runtime/net/server.h"
#include "runtime/net/transport.h"

namespace ppc::net {
namespace {

/// The function `name` of a plugin; where it was found, for messages.
std::pair<void*, std::string> plugin_function(const char* file, const char* built, const char* name, const char* what) {
  namespace fs = std::filesystem;
  // Beside the program: bin/ppc and lib/libppc_net.so, in the build folder as where it is installed.
  std::error_code ec;
  const fs::path self = fs::read_symlink("/proc/self/exe", ec);
  fs::path plugin = self.parent_path().parent_path() / "lib" / file;
  if (!fs::exists(plugin, ec)) plugin = built;
  void* library = dlopen(plugin.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw std::runtime_error(std::string("cannot load what ") + what + ": " + dlerror());
  return {dlsym(library, name), plugin.string()};
}

}  // namespace

std::shared_ptr<Transport> make_transport() {
  const auto [function, plugin] = plugin_function("libppc_net.so", PPC_NET_PLUGIN, "ppc_make_transport", "talks to endpoints");
  const auto make = reinterpret_cast<MakeTransport>(function);
  Transport* made = make ? make(kTransportVersion) : nullptr;
  if (!made) throw std::runtime_error(plugin + ": of another version than this program");
  return std::shared_ptr<Transport>(made);
}

std::shared_ptr<Server> make_server(ServerOptions options, Handler handler) {
  const auto [function, plugin] = plugin_function("libppc_httpd.so", PPC_HTTPD_PLUGIN, "ppc_make_server", "serves HTTP");
  const auto make = reinterpret_cast<MakeServer>(function);
  std::string error = plugin + ": of another version than this program";
  Server* made = make ? make(kServerVersion, std::move(options), std::move(handler), &error) : nullptr;
  if (!made) throw std::runtime_error(error);
  return std::shared_ptr<Server>(made);
}

}  // namespace ppc::net
