#include "runtime/engine/manifest.h"

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <stdexcept>

namespace ppc::engine {
namespace {

using Json = nlohmann::ordered_json;

[[noreturn]] void bad(const std::string& what) { throw std::runtime_error("bad manifest: " + what); }

// Reads one JSON object; every access names the member, so that a damaged shared object says what is wrong with it.
class Reader {
 public:
  Reader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json_.is_object()) bad(where_ + " is not an object");
  }
  bool has(const char* key) const { return json_.contains(key) && !json_[key].is_null(); }
  const Json& at(const char* key) const {
    if (!json_.contains(key)) bad(where_ + " has no `" + key + "`");
    return json_[key];
  }
  std::string text(const char* key) const {
    const Json& v = at(key);
    if (!v.is_string()) bad(where_ + "." + key + " is not a text");
    return v.get<std::string>();
  }
  int64_t integer(const char* key) const { return as_int(at(key), where_ + "." + key); }
  uint32_t index(const char* key) const { return as_index(at(key), where_ + "." + key); }
  bool flag(const char* key) const {
    if (!has(key)) return false;
    const Json& v = at(key);
    if (!v.is_boolean()) bad(where_ + "." + key + " is not true or false");
    return v.get<bool>();
  }
  std::string text_or_empty(const char* key) const { return has(key) ? text(key) : std::string(); }
  std::vector<std::string> texts(const char* key) const {
    std::vector<std::string> result;
    if (!has(key)) return result;
    for (const Json& v : list(key)) {
      if (!v.is_string()) bad(where_ + "." + key + " holds something that is not a text");
      result.push_back(v.get<std::string>());
    }
    return result;
  }
  std::vector<uint32_t> indices(const char* key) const {
    std::vector<uint32_t> result;
    if (!has(key)) return result;
    for (const Json& v : list(key)) result.push_back(as_index(v, where_ + "." + key));
    return result;
  }
  std::vector<int64_t> integers(const char* key) const {
    std::vector<int64_t> result;
    if (!has(key)) return result;
    for (const Json& v : list(key)) result.push_back(as_int(v, where_ + "." + key));
    return result;
  }
  const Json& list(const char* key) const {
    const Json& v = at(key);
    if (!v.is_array()) bad(where_ + "." + key + " is not a list");
    return v;
  }
  template <class F>
  void each(const char* key, F&& f) const {
    if (!has(key)) return;
    size_t i = 0;
    for (const Json& v : list(key)) f(Reader(v, std::string(key) + "[" + std::to_string(i++) + "]"));
  }

 private:
  static int64_t as_int(const Json& v, const std::string& where) {
    if (!v.is_number_integer()) bad(where + " is not an integer");
    return v.get<int64_t>();
  }
  static uint32_t as_index(const Json& v, const std::string& where) {
    int64_t n = as_int(v, where);
    if (n < 0 || n > INT32_MAX) bad(where + " is not an index");
    return static_cast<uint32_t>(n);
  }
  const Json& json_;
  std::string where_;
};

FieldInfo read_field(const Reader& r) {
  FieldInfo f;
  f.name = r.text("name");
  f.type = r.index("type");
  if (r.has("low")) f.low = r.integer("low");
  if (r.has("high")) f.high = r.integer("high");
  f.from = r.texts("from");
  if (r.has("initial")) f.initial = r.text("initial");
  f.secret = r.flag("secret");
  f.audience = r.indices("audience");
  f.doc = r.text_or_empty("doc");
  f.path = r.text_or_empty("path");
  f.generator = r.flag("generator");
  return f;
}

Json write_field(const FieldInfo& f) {
  Json j = {{"name", f.name}, {"type", f.type}};
  if (f.low) j["low"] = *f.low;
  if (f.high) j["high"] = *f.high;
  if (!f.from.empty()) j["from"] = f.from;
  if (f.initial) j["initial"] = *f.initial;
  if (f.secret) {
    j["secret"] = true;
    j["audience"] = f.audience;
  }
  if (!f.doc.empty()) j["doc"] = f.doc;
  if (!f.path.empty()) j["path"] = f.path;
  if (f.generator) j["generator"] = true;
  return j;
}

size_t expected_args(const TypeInfo& t) {
  if (t.kind == "list" || t.kind == "set" || t.kind == "optional") return 1;
  if (t.kind == "map") return 2;
  if (t.kind == "record" || t.kind == "tuple") return t.args.size();
  return 0;
}

void validate(const Manifest& m) {
  static const char* const kinds[] = {"int", "float",    "bool",   "text", "list",  "set",
                                      "map", "optional", "record", "enum", "tuple", "regex", "document"};
  for (size_t i = 0; i < m.types.size(); ++i) {
    const TypeInfo& t = m.types[i];
    std::string where = "types[" + std::to_string(i) + "]";
    bool known = false;
    for (const char* k : kinds) known = known || t.kind == k;
    if (!known) bad(where + " has the unknown kind `" + t.kind + "`");
    if (t.args.size() != expected_args(t)) bad(where + " has the wrong number of arguments");
    if (t.kind == "record" && t.names.size() != t.args.size()) bad(where + " has fields without a name");
    for (uint32_t a : t.args)
      if (a >= m.types.size()) bad(where + " refers to a type that is not there");
  }
  auto type_in_range = [&](uint32_t t, const std::string& where) {
    if (t >= m.types.size()) bad(where + " has a type that is not there");
  };
  for (const auto* fields : {&m.experiment, &m.instance, &m.resources})
    for (const FieldInfo& f : *fields) type_in_range(f.type, "field `" + f.name + "`");
  for (const KeyInfo& k : m.keys) type_in_range(k.type, "key `" + k.name + "`");
  for (const MetricInfo& f : m.metrics) {
    if (f.tells) type_in_range(*f.tells, "metric `" + f.name + "`");
    if (!f.family) continue;
    type_in_range(*f.family, "a family of metrics");
    const TypeInfo& t = m.types[*f.family];
    if (t.kind != "map" || m.types[t.args[0]].kind != "text") bad("a family of metrics is no map of names");
  }
  for (const SlotInfo& s : m.slots) type_in_range(s.type, "slot `" + s.name + "`");
  if (m.players.empty()) bad("no players");
  if (m.players.size() > PPC_MAX_PLAYERS) bad("more than " + std::to_string(PPC_MAX_PLAYERS) + " players");
  for (const BotInfo& b : m.bots)
    if (b.player >= m.players.size()) bad("bot `" + b.name + "` is of a player that is not there");
}

}  // namespace

std::string place_text(const Manifest& m, uint32_t loc) {
  const uint32_t line = loc >> 12;
  FileInfo in{m.file, 0};
  for (const FileInfo& f : m.files)
    if (f.lines_before < line) in = f;
  return in.name + ":" + std::to_string(line - in.lines_before) + ":" + std::to_string(loc & 0xFFF);
}

uint64_t Manifest::hash64() const { return std::strtoull(hash.c_str(), nullptr, 16); }

Manifest parse_manifest(std::string_view text) {
  Json json = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) bad("not JSON");
  Reader r(json, "manifest");
  Manifest m;
  m.version = r.index("version");
  if (m.version != 1) bad("version " + std::to_string(m.version) + "; this build reads version 1");
  m.game = r.text("game");
  m.doc = r.text_or_empty("doc");
  m.file = r.text_or_empty("file");
  r.each("files", [&](const Reader& f) { m.files.push_back({f.text("name"), f.index("lines_before")}); });
  m.hash = r.text_or_empty("hash");
  r.each("types", [&](const Reader& t) {
    m.types.push_back({t.text("kind"), t.indices("args"), t.texts("names"), t.text_or_empty("name")});
  });
  r.each("players", [&](const Reader& p) {
    m.players.push_back({p.text("name"), p.text_or_empty("display"), p.flag("scripted")});
    if (m.players.back().display.empty()) m.players.back().display = m.players.back().name;
  });
  r.each("experiment", [&](const Reader& f) { m.experiment.push_back(read_field(f)); });
  r.each("instance", [&](const Reader& f) { m.instance.push_back(read_field(f)); });
  r.each("resources", [&](const Reader& f) { m.resources.push_back(read_field(f)); });
  r.each("slots", [&](const Reader& s) { m.slots.push_back({s.text("name"), s.index("type")}); });
  if (r.has("frame_slots")) m.frame_slots = r.index("frame_slots");
  if (r.has("frame_types")) m.frame_types = r.indices("frame_types");
  r.each("moves", [&](const Reader& v) {
    m.moves.push_back({v.text("name"), v.text_or_empty("form"), v.text_or_empty("grammar"), v.indices("players")});
    if (v.has("language")) m.moves.back().language = v.at("language").dump();
    if (v.has("holes_entry")) m.moves.back().holes_entry = v.index("holes_entry");
  });
  r.each("rules", [&](const Reader& v) {
    RuleInfo rule;
    rule.move = v.text_or_empty("move");
    rule.kind = v.text("kind");
    rule.text = v.text_or_empty("text");
    if (v.has("line")) rule.line = v.index("line");
    if (v.has("column")) rule.column = v.index("column");
    m.rules.push_back(rule);
  });
  r.each("bots", [&](const Reader& b) {
    m.bots.push_back({b.text_or_empty("player_name"), b.text("name"), b.text_or_empty("doc"), b.index("player"),
                      b.index("entry")});
  });
  r.each("metrics", [&](const Reader& v) {
    MetricInfo metric{v.text_or_empty("name"), v.index("entry"), std::nullopt};
    if (v.has("family")) metric.family = v.index("family");
    if (v.has("tells")) metric.tells = v.index("tells");
    if (v.has("value_entry")) metric.value_entry = v.index("value_entry");
    m.metrics.push_back(metric);
  });
  r.each("keys", [&](const Reader& k) { m.keys.push_back({k.text("name"), k.index("type"), k.index("entry")}); });
  m.step_entry = r.index("step_entry");
  m.init_entry = r.index("init_entry");
  if (r.has("generate_entry")) m.generate_entry = r.index("generate_entry");
  if (r.has("bounds")) {
    Reader b(r.at("bounds"), "bounds");
    m.bounds = {b.integers("moves"), b.integer("total"), b.integer("rounds")};
  }
  validate(m);
  return m;
}

std::string to_json(const Manifest& m) {
  Json j;
  j["version"] = m.version;
  j["game"] = m.game;
  j["doc"] = m.doc;
  j["file"] = m.file;
  j["files"] = Json::array();
  for (const FileInfo& f : m.files) j["files"].push_back({{"name", f.name}, {"lines_before", f.lines_before}});
  j["hash"] = m.hash;
  j["types"] = Json::array();
  for (const TypeInfo& t : m.types) {
    Json v = {{"kind", t.kind}};
    if (!t.args.empty()) v["args"] = t.args;
    if (!t.names.empty()) v["names"] = t.names;
    if (!t.name.empty()) v["name"] = t.name;
    j["types"].push_back(std::move(v));
  }
  j["players"] = Json::array();
  for (const PlayerInfo& p : m.players) {
    Json v = {{"name", p.name}, {"display", p.display}};
    if (p.scripted) v["scripted"] = true;
    j["players"].push_back(std::move(v));
  }
  for (auto [key, fields] : {std::pair{"experiment", &m.experiment}, {"instance", &m.instance},
                             {"resources", &m.resources}}) {
    j[key] = Json::array();
    for (const FieldInfo& f : *fields) j[key].push_back(write_field(f));
  }
  j["slots"] = Json::array();
  for (const SlotInfo& s : m.slots) j["slots"].push_back({{"name", s.name}, {"type", s.type}});
  j["frame_slots"] = m.frame_slots;
  j["frame_types"] = m.frame_types;
  j["moves"] = Json::array();
  for (const MoveInfo& v : m.moves) {
    j["moves"].push_back({{"name", v.name}, {"form", v.form}, {"grammar", v.grammar}, {"players", v.players}});
    if (v.holes_entry) j["moves"].back()["holes_entry"] = *v.holes_entry;
    if (!v.language.empty()) j["moves"].back()["language"] = Json::parse(v.language);
  }
  j["rules"] = Json::array();
  for (const RuleInfo& v : m.rules) {
    j["rules"].push_back(
        {{"move", v.move}, {"kind", v.kind}, {"text", v.text}, {"line", v.line}, {"column", v.column}});
  }
  j["bots"] = Json::array();
  for (const BotInfo& b : m.bots) {
    j["bots"].push_back({{"player_name", b.player_name}, {"name", b.name}, {"doc", b.doc}, {"player", b.player},
                         {"entry", b.entry}});
  }
  j["metrics"] = Json::array();
  for (const MetricInfo& v : m.metrics) {
    Json metric = {{"name", v.name}, {"entry", v.entry}};
    if (v.value_entry) metric["value_entry"] = *v.value_entry;
    if (v.family) metric["family"] = *v.family;
    if (v.tells) metric["tells"] = *v.tells;
    j["metrics"].push_back(std::move(metric));
  }
  j["keys"] = Json::array();
  for (const KeyInfo& k : m.keys) j["keys"].push_back({{"name", k.name}, {"type", k.type}, {"entry", k.entry}});
  j["step_entry"] = m.step_entry;
  j["init_entry"] = m.init_entry;
  if (m.generate_entry) j["generate_entry"] = *m.generate_entry;
  j["bounds"] = {{"moves", m.bounds.moves}, {"total", m.bounds.total}, {"rounds", m.bounds.rounds}};
  return j.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace ppc::engine
