// A compiled game, whichever way it runs: interpreter, JIT, or a shared object.
#pragma once
#include <memory>
#include <string>

#include "runtime/engine/manifest.h"

namespace ppc::engine {

class GameModule {
 public:
  virtual ~GameModule() = default;
  /// Runs entry `index` (see Manifest). Faults leave through ctx->on_fault. Thread-safe for different contexts.
  virtual int64_t call(uint32_t index, ppc_ctx* ctx, const int64_t* args) const = 0;
  const Manifest& manifest() const { return manifest_; }
  virtual const uint8_t* pool() const = 0;
  virtual const char* engine() const = 0;  // "interp", "jit", "so"
  /// The type table as the runtime wants it, and the fields of records; both live as long as the module.
  const ppc_type* types() const { return types_.data(); }
  const uint32_t* type_fields() const { return type_fields_.data(); }
  const char* const* type_names() const { return type_names_.data(); }
  /// Of the slots behind the messages, the game's and the frame's; shorter where an old module does not say.
  const std::vector<uint32_t>& slot_types() const { return slot_types_; }
  /// manifest().hash64(), read once.
  uint64_t hash() const { return hash_; }

 protected:
  explicit GameModule(Manifest manifest);  // builds the type table

 private:
  Manifest manifest_;
  std::vector<ppc_type> types_;
  std::vector<uint32_t> type_fields_;
  std::vector<const char*> type_names_;  // beside type_fields_, of the manifest
  std::vector<uint32_t> slot_types_;
  uint64_t hash_;
};

/// The manifest inside compiled code. Throws std::runtime_error when it is of another ABI or names entries that are not there.
Manifest manifest_of(const ppc_module&);

/// Loads an ahead-of-time compiled game. Throws std::runtime_error with the reason (missing file, no `ppc_module`, other ABI).
std::shared_ptr<GameModule> load_shared(const std::string& path);

/// NAME.so beside NAME.game, where there is one that is not older than any source in the folder; else "".
std::string compiled_beside(const std::string& source);

}  // namespace ppc::engine
