// What a compiled game says about itself: read from its manifest (JSON), the same for interp, jit and so.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/abi/abi.h"

namespace ppc::engine {

struct TypeInfo {
  std::string kind;                 // "int", "float", "bool", "text", "list", "set", "map", "optional", "record", "enum", "tuple"
  std::vector<uint32_t> args;       // indices of types: element; key, value; fields
  std::vector<std::string> names;   // record: field names; enum: spellings in files
  std::string name;                 // record, enum
};

struct FieldInfo {
  std::string name;
  uint32_t type = 0;
  std::optional<int64_t> low, high;      // of an int field, or (high) the maximum length of a collection
  std::vector<std::string> from;         // paths in the document: dotted keys and [n]; empty: the name itself
  std::optional<std::string> initial;    // JSON of the default
  bool secret = false;
  std::vector<uint32_t> audience;        // players who may know it, when secret
  std::string doc;
  std::string path;                      // resources: file, relative to the game's folder
  bool generator = false;                // resources: declared in `generate`; not read for play
};

struct PlayerInfo { std::string name, display; bool scripted = false; };
/// form: human-readable; grammar: GBNF; players: who may make it (empty: not said); language: the replies that have the form, as
/// JSON for parse_language (language.h); empty: any text. With holes an entry() -> [[text]] gives what may stand in them at the ask.
struct MoveInfo { std::string name; std::string form; std::string grammar; std::vector<uint32_t> players = {}; std::string language = {}; std::optional<uint32_t> holes_entry = {}; };
/// A place that can turn a reply down: kind "format", "expect" or "forbid".
struct RuleInfo { std::string move, kind, text; uint32_t line = 0, column = 0; };
struct BotInfo { std::string player_name, name, doc; uint32_t player = 0, entry = 0; };  // entry: args {message text} -> reply text
/// Episode metric: entry() -> float. Turn metric (at): entry() -> list of int, value_entry(t) -> float.
/// A family has no name; in place of a float it gives a map of this type, from names to ints or floats. What `tells` of the
/// episode otherwise gives a value of this type, which stands among the scores as it is.
struct MetricInfo { std::string name; uint32_t entry = 0; std::optional<uint32_t> value_entry, family = {}, tells = {}; };
struct KeyInfo { std::string name; uint32_t type = 0, entry = 0; };
struct SlotInfo { std::string name; uint32_t type = 0; };
struct BoundInfo { std::vector<int64_t> moves; int64_t total = 0, rounds = 0; };  // moves: a player each

/// A place `line << 12 | column` counts lines through all files of a game: those of this one are behind `lines_before`.
struct FileInfo { std::string name; uint32_t lines_before = 0; };

struct Manifest {
  uint32_t version = 1;
  std::string game, doc, file;     // file: name of the .game file, no folder
  std::vector<FileInfo> files;     // the game's file and what it includes, in order
  std::string hash;                // hex of the Rule IR's hash; 16 digits
  std::vector<TypeInfo> types;
  std::vector<PlayerInfo> players;
  std::vector<FieldInfo> experiment, instance, resources;
  std::vector<SlotInfo> slots;     // the game's own, behind the 2 P message slots
  std::vector<uint32_t> frame_types;  // of the frame's slots, each
  uint32_t frame_slots = 0;        // what play keeps over an ask, behind the game's own: Program::frame_slots; a state has
                                   // slot_count = 2 P + slots.size() + frame_slots
  std::vector<MoveInfo> moves;
  std::vector<RuleInfo> rules;
  std::vector<BotInfo> bots;
  std::vector<MetricInfo> metrics;
  std::vector<KeyInfo> keys;
  uint32_t step_entry = 0;         // no arguments; returns ppc_status
  uint32_t init_entry = 0;         // no arguments; sets the initial values of state slots
  std::optional<uint32_t> generate_entry;
  BoundInfo bounds;

  uint64_t hash64() const;
  uint32_t slot_count() const { return static_cast<uint32_t>(2 * players.size() + slots.size()) + frame_slots; }
};

/// "rules.game:31:5" for ppc_ctx::loc and ppc_event::loc.
std::string place_text(const Manifest&, uint32_t loc);

/// Throws std::runtime_error naming what is wrong.
Manifest parse_manifest(std::string_view json);
std::string to_json(const Manifest&);

}  // namespace ppc::engine
