// Between libppc.so and its compiler plugin, libppc_compiler.so: loaded by the first game that comes as a source.
#pragma once
#include <memory>
#include <string>

#include "runtime/engine/module.h"

namespace ppc::capi {

struct SourceRequest {
  std::string path;               // of the .game file
  std::string engine;             // "jit" or "interp"
  const std::string* cache = nullptr;  // of the JIT; null: the usual place
};
struct SourceResult {
  std::shared_ptr<engine::GameModule> module;  // null: see error
  std::string error;              // diagnostics, rendered
  bool ours = false;              // not the game is at fault but the machine or the compiler
};

/// What the plugin exports as `ppc_compile_source`. Objects of C++ cross here, so both sides come from the same build: `build` is
/// PPC_CAPI_BUILD_ID, and false is returned where it differs. Throws nothing.
using CompileSource = bool (*)(const char* build, const SourceRequest&, SourceResult*);

}  // namespace ppc::capi
