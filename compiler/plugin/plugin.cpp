// libppc_compiler.so: the compiler and the JIT for programs that use libppc.so; loaded by their first game that is a source.
#include <new>
#include <stdexcept>

#include "capi_build_id.h"
#include "compiler/driver/driver.h"
#include "runtime/capi/compiler.h"

namespace {

using namespace ppc;

void compile(const capi::SourceRequest& request, capi::SourceResult& out) {
  driver::LoadOptions options;
  options.engine = request.engine;
  if (request.cache) options.cache_dir = *request.cache;
  Sources sources;
  diag::Emitter emitter(sources, 20);
  try {
    out.module = driver::load_game(request.path, options, emitter);
  } catch (const std::logic_error& e) {
    out.ours = true;
    out.error = request.path + ": a bug of the compiler: " + e.what();
    return;
  } catch (const std::runtime_error& e) {
    out.ours = true;
    out.error = request.path + ": " + e.what();
    return;
  }
  if (out.module) return;
  for (const diag::Report& r : emitter.reports())
    if (r.what->severity == diag::Severity::Error) out.error += diag::render(r, sources, false);
  out.error += request.path + ": " + std::to_string(emitter.errors()) + (emitter.errors() == 1 ? " error" : " errors");
}

}  // namespace

extern "C" __attribute__((visibility("default"))) bool ppc_compile_source(const char* build, const capi::SourceRequest& request, capi::SourceResult* out) {
  if (std::string_view(build) != PPC_CAPI_BUILD_ID) return false;
  try {
    compile(request, *out);
  } catch (...) {
    out->module.reset();
    out->ours = true;
    out->error.assign("out of memory");
  }
  return true;
}
