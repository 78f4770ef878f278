#include <cctype>
#include <set>

#include "compiler/codegen/codegen.h"

namespace ppc::codegen {
namespace {

// A name of the game in a name of C: letters that C does not know become `_`.
std::string upper(const std::string& name) {
  std::string result;
  for (unsigned char c : name) result += std::isalnum(c) && c < 128 ? static_cast<char>(std::toupper(c)) : '_';
  return result.empty() ? "_" : result;
}
// Inside a C comment and a C string.
std::string harmless(const std::string& text) {
  std::string result;
  for (unsigned char c : text) {
    if (c >= 32 && c != 127 && c != '"' && c != '\\' && !(c == '/' && !result.empty() && result.back() == '*'))
      result += static_cast<char>(c);
  }
  return result;
}

class Names {
 public:
  explicit Names(std::string prefix) : prefix_(std::move(prefix)) {}
  // One line of an enum; a name that is taken gets a number.
  std::string line(const std::string& kind, const std::string& name, uint64_t value, const std::string& comment = "") {
    std::string full = prefix_ + kind + upper(name);
    for (unsigned n = 2; !taken_.insert(full).second; ++n) full = prefix_ + kind + upper(name) + "_" + std::to_string(n);
    return "  " + full + " = " + std::to_string(value) + "," + (comment.empty() ? "" : " /* " + harmless(comment) + " */") +
           "\n";
  }

 private:
  std::string prefix_;
  std::set<std::string> taken_;
};

}  // namespace

std::string header(const rules::Program& program) {
  const engine::Manifest& m = program.manifest;
  const std::string game = upper(m.game);
  Names names("PPC_" + game + "_");
  std::string out;
  out += "/* The game `" + harmless(m.game) + "`, as compiled by ppc: its names for C. Made from " +
         harmless(m.file.empty() ? m.game : m.file) + "; do not edit.\n";
  if (!m.doc.empty()) out += " *\n * " + harmless(m.doc) + "\n";
  out += " *\n"
         " * To play, use the C API of ppc (ppc/ppc.h) with the compiled shared object. To call entries yourself:\n"
         " *   void* game = dlopen(\"./" + harmless(m.game) + ".so\", RTLD_NOW | RTLD_LOCAL);\n"
         " *   const ppc_module* module = (const ppc_module*)dlsym(game, \"ppc_module\");\n"
         " *   int64_t status = module->entries[PPC_" + game + "_ENTRY_STEP](ctx, NULL);\n"
         " * The process must have the runtime's ppc_rt_* functions among its dynamic symbols, and\n"
         " * module->abi_version must be PPC_ABI_VERSION of runtime/abi/abi.h.\n"
         " */\n";
  const std::string guard = "PPC_GAME_" + game + "_H";
  out += "#ifndef " + guard + "\n#define " + guard + "\n#include \"runtime/abi/abi.h\"\n\n";
  out += "#define PPC_" + game + "_ABI_VERSION " + std::to_string(PPC_ABI_VERSION) + "u\n";
  if (!m.hash.empty()) out += "#define PPC_" + game + "_HASH \"" + harmless(m.hash) + "\"\n";
  out += "#define PPC_" + game + "_SLOTS " + std::to_string(m.slot_count()) + "u /* of a state: PPC_SLOT_OFFSET(n) */\n";

  out += "\n/* Indices into ppc_module::entries. */\nenum {\n";
  out += names.line("ENTRY_", "STEP", m.step_entry, "no arguments; gives a ppc_status");
  out += names.line("ENTRY_", "INIT", m.init_entry, "no arguments");
  if (m.generate_entry) out += names.line("ENTRY_", "GENERATE", *m.generate_entry, "no arguments");
  for (const auto& b : m.bots) out += names.line("ENTRY_BOT_", b.player_name + "_" + b.name, b.entry, "message text; gives a text");
  for (const auto& x : m.metrics) {
    const std::string name = x.family ? "FAMILY" : x.name;
    const std::string gives = x.family ? "gives a map" : x.tells ? "gives a value" : "gives a float";
    out += names.line("ENTRY_METRIC_", name, x.entry, x.value_entry ? "gives the rounds" : gives.c_str());
    if (x.value_entry) out += names.line("ENTRY_METRIC_VALUE_", name, *x.value_entry, ("round; " + gives).c_str());
  }
  for (const auto& k : m.keys) out += names.line("ENTRY_KEY_", k.name, k.entry);
  out += "};\n";

  auto list = [&](const char* comment, const char* kind, const auto& items, auto&& line) {
    if (items.empty()) return;
    out += std::string("\n/* ") + comment + " */\nenum {\n";
    for (size_t i = 0; i < items.size(); ++i) out += line(kind, items[i], i);
    out += "};\n";
  };
  list("Players, in the order of \"Player 1\", \"Player 2\", ...", "PLAYER_", m.players,
       [&](const char* kind, const engine::PlayerInfo& p, size_t i) { return names.line(kind, p.name, i, p.display); });
  list("Moves: ppc_state::ask_move.", "MOVE_", m.moves,
       [&](const char* kind, const engine::MoveInfo& v, size_t i) { return names.line(kind, v.name, i); });
  list("The game's own slots: ppc_state::slots[...].", "SLOT_", m.slots,
       [&](const char* kind, const engine::SlotInfo& s, size_t i) { return names.line(kind, s.name, 2 * m.players.size() + i); });
  list("Fields of the experiment: i64 at 8 + 8 * n of its segment.", "EXPERIMENT_", m.experiment,
       [&](const char* kind, const engine::FieldInfo& f, size_t i) { return names.line(kind, f.name, i); });
  list("Fields of the instance: i64 at 8 + 8 * n of its segment.", "INSTANCE_", m.instance,
       [&](const char* kind, const engine::FieldInfo& f, size_t i) { return names.line(kind, f.name, i); });
  out += "\n#endif\n";
  return out;
}

}  // namespace ppc::codegen
