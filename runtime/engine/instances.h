// Instance files and resources: read, checked against the game's declarations, and laid out as constant segments.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/engine/json.h"
#include "runtime/engine/module.h"

namespace ppc::engine {

/// Constant data of a game in the layout of runtime/abi/abi.h; shared by episodes and threads.
class Segment {
 public:
  explicit Segment(const std::string& bytes);
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(words_.get()); }
  size_t size() const { return size_; }

 private:
  std::unique_ptr<uint64_t[]> words_;  // for the alignment
  size_t size_;
};
using SegmentPtr = std::shared_ptr<const Segment>;

/// As in source: `[text]`, `map<text, int>`.
std::string type_name(const Manifest&, uint32_t type);

struct Instance {
  std::string id;      // game_id, or the position where there is none
  Json document;       // as in the file, patched
  SegmentPtr segment;
};
struct Experiment {
  std::string name;
  uint32_t index = 0;  // position in the file
  Json document;       // without game_instances
  SegmentPtr segment;
  std::vector<Instance> instances;
};
struct InstanceSet {
  std::string file;
  std::vector<Experiment> experiments;
};

/// `--set`: a declared field's name or a dotted path in the document -> its value.
using Patches = std::vector<std::pair<std::string, Json>>;
/// "name=value"; the value is JSON or, where it is none, bare text. Throws InputError.
std::pair<std::string, Json> parse_patch(const std::string& setting);

/// Throws InputError; its text has a line for each problem (at most 20): file, path in the document, what was expected, what was found.
InstanceSet load_instances(const GameModule&, const std::string& path, const Patches& = {});
InstanceSet read_instances(const GameModule&, Json document, const std::string& name, const Patches& = {});

/// Reads the resources of a game from its folder; those that only `generate` reads are left out unless asked for (then
/// nothing is there for them, and play does not look). `replacement`: a folder in place of the game's `resources`,
/// from where still comes what it lacks; or empty.
SegmentPtr load_resources(const GameModule&, const std::string& game_folder, const std::string& replacement,
                          bool for_generator);

/// A value of the game as JSON: enums by their spelling, maps with text keys as objects, others as lists of pairs.
Json encode(const GameModule&, const ppc_ctx* ctx, uint32_t type, int64_t value);

}  // namespace ppc::engine
