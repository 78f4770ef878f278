#include "runtime/engine/instances.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <map>
#include <optional>

#include "runtime/abi/segment.h"
#include "runtime/text/notation.h"
#include "runtime/text/utf8.h"
#include "runtime/text/regex.h"

namespace ppc::engine {
namespace {

namespace fs = std::filesystem;
using rt::SegmentBuilder;

constexpr size_t kMaxProblems = 20;

/// One value does not fit its type. `misfit`: it is of another kind altogether, so that another place may count.
struct Problem {
  std::string path, expected, found;
  bool misfit = true;
};

class Decoder {
 public:
  Decoder(const GameModule& module, SegmentBuilder& out) : m_(module.manifest()), out_(out) {}

  int64_t value(const Json& v, uint32_t type, const std::string& path, std::optional<int64_t> low = {},
                std::optional<int64_t> high = {}) {
    const TypeInfo& t = m_.types[type];
    auto wrong = [&](bool misfit = true) -> int64_t {
      throw Problem{path, expected(type, low, high), describe(v), misfit};
    };
    auto check_count = [&](size_t n) {
      if (high && n > static_cast<uint64_t>(std::max<int64_t>(*high, 0))) wrong(false);
    };
    if (t.kind == "int") {
      if (!v.is_int()) wrong();
      if ((low && v.as_int() < *low) || (high && v.as_int() > *high)) wrong(false);
      return v.as_int();
    }
    if (t.kind == "float") return v.is_number() ? SegmentBuilder::make_float(v.as_float()) : wrong();
    if (t.kind == "bool") return v.is_bool() ? v.as_bool() : wrong();
    if (t.kind == "text") return v.is_text() ? out_.make_text(v.as_text()) : wrong();
    if (t.kind == "document") return out_.make_text(to_text(v));
    if (t.kind == "regex") {
      if (!v.is_text()) wrong();
      const std::string problem = text::regex_problem(v.as_text());
      if (!problem.empty()) throw Problem{path, "a regular expression", describe(v) + ": " + problem, false};
      return out_.make_text(v.as_text());
    }
    if (t.kind == "enum") {
      if (!v.is_text()) wrong();
      const auto it = std::find(t.names.begin(), t.names.end(), v.as_text());
      return it != t.names.end() ? it - t.names.begin() : wrong(false);
    }
    if (t.kind == "optional") return v.is_null() ? 0 : out_.make_some(value(v, t.args[0], path, low, high));
    if (t.kind == "list" || t.kind == "set") {
      if (!v.is_list()) wrong();
      check_count(v.items().size());
      std::vector<int64_t> items;
      items.reserve(v.items().size());
      for (size_t i = 0; i < v.items().size(); ++i) items.push_back(item(v.items()[i], t.args[0], path, i));
      return t.kind == "list" ? out_.make_list(items) : out_.make_set(items, type);
    }
    if (t.kind == "map") {
      std::vector<int64_t> keys, values;
      if (v.is_object()) {
        check_count(v.members().size());
        for (const Json::Member& m : v.members()) {
          keys.push_back(key(m.key, t.args[0], path));
          values.push_back(value(m.value, t.args[1], path + "." + m.key));
        }
      } else if (v.is_list()) {
        check_count(v.items().size());
        for (size_t i = 0; i < v.items().size(); ++i) {
          const Json& pair = v.items()[i];
          const std::string at = path + "[" + std::to_string(i) + "]";
          if (!pair.is_list() || pair.items().size() != 2) throw Problem{at, "a list of key and value", describe(pair), true};
          keys.push_back(value(pair.items()[0], t.args[0], at + "[0]"));
          values.push_back(value(pair.items()[1], t.args[1], at + "[1]"));
        }
      } else {
        wrong();
      }
      return out_.make_map(keys, values, type);
    }
    std::vector<int64_t> fields;
    if (t.kind == "tuple") {
      if (!v.is_list() || v.items().size() != t.args.size()) wrong();
      for (size_t i = 0; i < t.args.size(); ++i) fields.push_back(item(v.items()[i], t.args[i], path, i));
    } else {
      if (!v.is_object()) wrong();
      for (size_t i = 0; i < t.args.size(); ++i) {
        const Json* member = v.find(t.names[i]);
        const bool optional = m_.types[t.args[i]].kind == "optional";
        if (!member && !optional) throw Problem{path + "." + t.names[i], type_name(m_, t.args[i]), "nothing", true};
        fields.push_back(member ? value(*member, t.args[i], path + "." + t.names[i]) : 0);
      }
    }
    return out_.make_record(fields);
  }

  std::string expected(uint32_t type, std::optional<int64_t> low = {}, std::optional<int64_t> high = {}) const {
    const TypeInfo& t = m_.types[type];
    std::string s = type_name(m_, type);
    if (t.kind == "int" && low && high) s += " " + std::to_string(*low) + ".." + std::to_string(*high);
    else if (t.kind == "int" && low) s += ", at least " + std::to_string(*low);
    else if (high) s += t.kind == "int" ? ", at most " + std::to_string(*high) : " with at most " + std::to_string(*high);
    if (t.kind == "enum") {
      s = "one of ";
      for (size_t i = 0; i < t.names.size(); ++i) s += (i ? ", " : "") + to_text(Json(t.names[i]));
    }
    return s;
  }

 private:
  // The path of an item is made only where it is needed: lists of words are long.
  int64_t item(const Json& v, uint32_t type, const std::string& path, size_t i) {
    if (v.is_text() && m_.types[type].kind == "text") return out_.make_text(v.as_text());
    return value(v, type, path + "[" + std::to_string(i) + "]");
  }
  int64_t key(const std::string& k, uint32_t type, const std::string& path) {
    const TypeInfo& t = m_.types[type];
    if (t.kind == "int") {
      int64_t n = 0;
      const auto r = std::from_chars(k.data(), k.data() + k.size(), n);
      if (r.ec != std::errc() || r.ptr != k.data() + k.size()) throw Problem{path, "int as key", describe(Json(k)), true};
      return n;
    }
    return value(Json(k), type, path);
  }
  const Manifest& m_;
  SegmentBuilder& out_;
};

/// `json(PLACE)` and `literal(PLACE)`: a text in this place spells out the value.
struct Place {
  explicit Place(std::string_view from) : path(from) {
    for (const auto& [word, as] : {std::pair{"json(", text::Notation::Json}, std::pair{"literal(", text::Notation::Python}})
      if (from.starts_with(word) && from.ends_with(')')) {
        const size_t n = std::string_view(word).size();
        path = from.substr(n, from.size() - n - 1);
        notation = as;
      }
  }
  std::string_view path;
  std::optional<text::Notation> notation;
};

/// What a text spells out, as JSON. Where a text is wanted, anything else is taken as it is written.
class Spelled {
 public:
  explicit Spelled(const Manifest& m) : m_(m) {}
  std::optional<Json> read(std::string_view s, text::Notation notation, uint32_t type) {
    if (!all_.parse(s, notation)) return std::nullopt;
    return json(all_.root(), static_cast<int64_t>(type));
  }

 private:
  using Kind = text::Spelled::Kind;

  std::string written(const text::Spelled& s) const {
    std::string out;
    if (s.kind == Kind::Text) out = all_.text(s);
    else all_.write(s, out);
    return out;
  }
  /// `type` -1: none is wanted here.
  int64_t part(int64_t type, size_t i) const {
    if (type < 0) return -1;
    const std::vector<uint32_t>& args = m_.types[static_cast<size_t>(type)].args;
    return i < args.size() ? int64_t{args[i]} : -1;
  }
  Json json(const text::Spelled& s, int64_t type) const {
    const std::string kind = type < 0 ? "" : m_.types[static_cast<size_t>(type)].kind;
    if (kind == "text") return Json(written(s));
    if (kind == "optional" && s.kind != Kind::Null) return json(s, part(type, 0));
    switch (s.kind) {
      case Kind::Null: return Json();
      case Kind::Bool: return Json(s.number != 0);
      case Kind::Int: return Json(s.number);
      case Kind::Float: return Json(s.real);
      case Kind::Text: case Kind::Other: return Json(written(s));
      case Kind::Dict: {
        Json out = kind == "map" ? Json::list() : Json::object();  // a map may have keys that are no texts
        for (uint32_t n = s.first; n; n = all_[all_[n].next].next) {
          const text::Spelled& value = all_[all_[n].next];
          if (kind == "map") {
            out.push(Json(Json::List{json(all_[n], part(type, 0)), json(value, part(type, 1))}));
            continue;
          }
          int64_t field = -1;
          if (kind == "record") {
            const std::vector<std::string>& names = m_.types[static_cast<size_t>(type)].names;
            const auto at = std::find(names.begin(), names.end(), written(all_[n]));
            if (at != names.end()) field = part(type, static_cast<size_t>(at - names.begin()));
          }
          out.set(written(all_[n]), json(value, field));
        }
        return out;
      }
      default: {
        Json out = Json::list();
        size_t i = 0;
        // Items of a map are pairs of key and value.
        for (uint32_t n = s.first; n; n = all_[n].next, ++i)
          out.push(json(all_[n], kind == "tuple" ? part(type, i) : kind == "list" || kind == "set" ? part(type, 0) : -1));
        return out;
      }
    }
  }
  const Manifest& m_;
  text::Spelling all_;
};

/// Follows `a.b[2].c` in the document; null when it does not lead anywhere.
const Json* follow(const Json& root, std::string_view path) {
  if (const Json* whole = root.find(path)) return whole;
  const Json* at = &root;
  while (!path.empty() && at) {
    if (path[0] == '.') path.remove_prefix(1);
    if (!path.empty() && path[0] == '[') {
      const size_t end = path.find(']');
      size_t index = 0;
      if (end == std::string_view::npos) return nullptr;
      const auto r = std::from_chars(path.data() + 1, path.data() + end, index);
      if (r.ec != std::errc() || r.ptr != path.data() + end) return nullptr;
      if (!at->is_list() || index >= at->items().size()) return nullptr;
      at = &at->items()[index];
      path.remove_prefix(end + 1);
    } else {
      const size_t end = std::min(path.find_first_of(".["), path.size());
      at = at->find(path.substr(0, end));
      path.remove_prefix(end);
    }
  }
  return at;
}

/// `[a.b]` is the list whose only element is what lies at `a.b`.
bool is_one(std::string_view path) {
  return path.size() > 2 && path.front() == '[' && path.back() == ']' && (path[1] < '0' || path[1] > '9');
}
std::string_view inside(std::string_view path) { return path.substr(1, path.size() - 2); }

/// Sets `a.b[2]` in the document, making objects where there are none. False when the path does not fit what is there.
bool assign(Json& root, std::string_view path, const Json& value) {
  Json* at = &root;
  while (true) {
    if (!path.empty() && path[0] == '.') path.remove_prefix(1);
    if (path.empty()) return false;
    Json* next = nullptr;
    if (path[0] == '[') {
      const size_t end = path.find(']');
      size_t index = 0;
      if (end == std::string_view::npos || !at->is_list()) return false;
      const auto r = std::from_chars(path.data() + 1, path.data() + end, index);
      if (r.ec != std::errc() || r.ptr != path.data() + end || index >= at->items().size()) return false;
      next = &at->items()[index];
      path.remove_prefix(end + 1);
    } else {
      const size_t end = std::min(path.find_first_of(".["), path.size());
      if (at->is_null()) *at = Json::object();
      if (!at->is_object() || end == 0) return false;
      next = at->find(path.substr(0, end));
      if (!next) next = &at->add(std::string(path.substr(0, end)), Json());
      path.remove_prefix(end);
    }
    if (path.empty()) {
      *next = value;
      return true;
    }
    at = next;
  }
}

std::string field_place(const FieldInfo& f) {
  std::string s;
  for (const std::string& path : f.from) s += "`" + path + "` or ";
  return s + "`" + f.name + "`";
}

class FileReader {
 public:
  FileReader(const GameModule& module, std::string name) : module_(module), name_(std::move(name)) {}

  SegmentPtr fields(const std::vector<FieldInfo>& declared, const Json& document, const std::string& path) {
    SegmentBuilder out(&declared == &module_.manifest().experiment ? PPC_EXPERIMENT : PPC_INSTANCE,
                       static_cast<uint32_t>(declared.size()), module_.types(), module_.type_fields());
    Decoder decoder(module_, out);
    for (size_t i = 0; i < declared.size(); ++i) {
      try {
        out.set_field(static_cast<uint32_t>(i), field(decoder, declared[i], document, path));
      } catch (const Problem& p) {
        report(p);
      } catch (const std::length_error& e) {
        problem(path + "." + declared[i].name + ": " + e.what());
      }
    }
    return std::make_shared<Segment>(out.bytes());
  }
  void report(const Problem& p) { problem(p.path + ": expected " + p.expected + ", found " + p.found); }
  void problem(const std::string& text) {
    ++count_;
    if (count_ <= kMaxProblems) problems_ += (problems_.empty() ? "" : "\n") + name_ + ": " + text;
  }
  void finish() const {
    if (count_ > kMaxProblems) {
      throw InputError(problems_ + "\n" + name_ + ": and " + std::to_string(count_ - kMaxProblems) + " more problems");
    }
    if (count_ > 0) throw InputError(problems_);
  }

 private:
  int64_t field(Decoder& decoder, const FieldInfo& f, const Json& document, const std::string& path) {
    std::optional<Problem> first;
    auto attempt = [&](const std::string& from) -> std::optional<int64_t> {
      const Place place(from);
      const bool one = is_one(place.path);
      const std::string where(one ? inside(place.path) : place.path);
      const Json* found = follow(document, where);
      if (!found) return std::nullopt;
      try {
        if (one) {
          Json list = Json::list();
          list.push(*found);
          return decoder.value(list, f.type, path + "." + where, f.low, f.high);
        }
        if (place.notation && found->is_text()) {
          const char* what = *place.notation == text::Notation::Json ? "JSON" : "a Python literal";
          const auto spelled = Spelled(module_.manifest()).read(found->as_text(), *place.notation, f.type);
          if (!spelled) throw Problem{path + "." + where, std::string("a text that is ") + what, describe(*found), true};
          return decoder.value(*spelled, f.type, path + "." + where, f.low, f.high);
        }
        return decoder.value(*found, f.type, path + "." + where, f.low, f.high);
      } catch (const Problem& p) {
        if (!p.misfit) throw;
        if (!first) first = p;
        return std::nullopt;
      }
    };
    for (const std::string& where : f.from)
      if (auto v = attempt(where)) return *v;
    // Our own instance files write every field under its own name.
    if (auto v = attempt(f.name)) return *v;
    if (first) throw *first;
    if (f.initial) return decoder.value(parse_json(*f.initial, "default of " + f.name), f.type, path + "." + f.name);
    if (module_.manifest().types[f.type].kind == "optional") return 0;
    throw Problem{path, field_place(f) + " of type " + decoder.expected(f.type, f.low, f.high), "nothing there", true};
  }

  const GameModule& module_;
  std::string name_, problems_;
  size_t count_ = 0;
};

const FieldInfo* declared(const std::vector<FieldInfo>& fields, const std::string& name) {
  for (const FieldInfo& f : fields)
    if (f.name == name) return &f;
  return nullptr;
}

// A declared field is put where the document has it, or where it is looked for first; a path goes where it leads. What the
// record keeps is the patched document, so that a replay needs no patches.
void apply(const Patches& patches, const std::vector<FieldInfo>& fields, const std::vector<FieldInfo>& others,
           Json& document, std::vector<bool>& used) {
  for (size_t i = 0; i < patches.size(); ++i) {
    const auto& [name, value] = patches[i];
    std::vector<std::string> places;
    if (const FieldInfo* f = declared(fields, name)) {
      std::vector<std::string> declared_places;
      for (const std::string& from : f->from) declared_places.emplace_back(Place(from).path);
      for (const std::string& from : declared_places)
        if (follow(document, from)) places.push_back(from);
      if (follow(document, f->name)) places.push_back(f->name);
      places.insert(places.end(), declared_places.begin(), declared_places.end());
      places.push_back(f->name);
    } else if (!declared(others, name)) {
      const std::string head = name.substr(0, name.find_first_of(".["));
      bool known = document.find(head) != nullptr;
      for (const FieldInfo& f : fields) known = known || std::find(f.from.begin(), f.from.end(), name) != f.from.end();
      if (known) places.push_back(name);
    }
    for (const std::string& place : places) {
      if (assign(document, place, value)) {
        used[i] = true;
        break;
      }
    }
  }
}

std::string id_text(const Json* id, size_t position) {
  if (!id || id->is_null()) return std::to_string(position);
  return id->is_text() ? id->as_text() : to_text(*id);
}

}  // namespace

Segment::Segment(const std::string& bytes)
    : words_(new uint64_t[bytes.size() / 8 + 2]()), size_(bytes.size()) {
  std::memcpy(words_.get(), bytes.data(), bytes.size());
}

std::string type_name(const Manifest& m, uint32_t type) {
  const TypeInfo& t = m.types[type];
  if (t.kind == "list") return "[" + type_name(m, t.args[0]) + "]";
  if (t.kind == "set") return "set<" + type_name(m, t.args[0]) + ">";
  if (t.kind == "map") return "map<" + type_name(m, t.args[0]) + ", " + type_name(m, t.args[1]) + ">";
  if (t.kind == "optional") return type_name(m, t.args[0]) + "?";
  if (t.kind == "tuple") {
    std::string s;
    for (uint32_t a : t.args) s += (s.empty() ? "(" : ", ") + type_name(m, a);
    return s + ")";
  }
  return t.name.empty() ? t.kind : t.kind + " " + t.name;
}

std::pair<std::string, Json> parse_patch(const std::string& setting) {
  const size_t at = setting.find('=');
  if (at == std::string::npos || at == 0) throw InputError("--set takes name=value, not `" + setting + "`");
  const std::string value = setting.substr(at + 1);
  try {
    return {setting.substr(0, at), parse_json(value, "--set")};
  } catch (const InputError&) {
    return {setting.substr(0, at), Json(value)};
  }
}

InstanceSet read_instances(const GameModule& module, Json document, const std::string& name, const Patches& patches) {
  const Manifest& m = module.manifest();
  InstanceSet result;
  result.file = name;
  FileReader reader(module, name);
  Json* experiments = document.find("experiments");
  if (!experiments || !experiments->is_list()) {
    throw InputError(name + ": expected an object with `experiments`, a list, found " +
                     (experiments ? describe(*experiments) + " there" : document.is_object() ? "none" : describe(document)));
  }
  std::vector<bool> used(patches.size());
  for (size_t e = 0; e < experiments->items().size(); ++e) {
    Json& doc = experiments->items()[e];
    const std::string path = "experiments[" + std::to_string(e) + "]";
    if (!doc.is_object()) {
      reader.problem(path + ": expected an object, found " + describe(doc));
      continue;
    }
    Experiment experiment;
    experiment.index = static_cast<uint32_t>(e);
    const Json* title = doc.find("name");
    if (title && title->is_text()) experiment.name = title->as_text();
    else reader.problem(path + ".name: expected text, found " + (title ? describe(*title) : "nothing"));
    Json* instances = doc.find("game_instances");
    Json::List list;
    if (instances && instances->is_list()) list = std::move(instances->items());
    else reader.problem(path + ".game_instances: expected a list, found " + (instances ? describe(*instances) : "nothing"));
    Json::Object& members = doc.members();
    std::erase_if(members, [](const Json::Member& member) { return member.key == "game_instances"; });
    apply(patches, m.experiment, m.instance, doc, used);
    experiment.segment = reader.fields(m.experiment, doc, path);
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string at = path + ".game_instances[" + std::to_string(i) + "]";
      if (!list[i].is_object()) {
        reader.problem(at + ": expected an object, found " + describe(list[i]));
        continue;
      }
      Instance instance;
      instance.document = std::move(list[i]);
      apply(patches, m.instance, m.experiment, instance.document, used);
      instance.id = id_text(instance.document.find("game_id"), i);
      instance.segment = reader.fields(m.instance, instance.document, at);
      experiment.instances.push_back(std::move(instance));
    }
    experiment.document = std::move(doc);
    result.experiments.push_back(std::move(experiment));
  }
  for (size_t i = 0; i < patches.size(); ++i) {
    if (!used[i] && !result.experiments.empty()) {
      throw InputError("--set " + patches[i].first + ": the game declares no such field, and " + name + " has no such place");
    }
  }
  reader.finish();
  return result;
}

InstanceSet load_instances(const GameModule& module, const std::string& path, const Patches& patches) {
  return read_instances(module, load_json(path), path, patches);
}

namespace {

/// A file of the given type as a document. Throws InputError.
Json resource_document(const Manifest& m, const fs::path& file, uint32_t type) {
  const std::string name = file.lexically_normal().string(), ext = file.extension().string();
  if (ext == ".json" || ext == ".yaml" || ext == ".yml") return load_json(name);
  const std::string bytes = read_file(name);
  const std::string& kind = m.types[type].kind;
  const bool lines = (kind == "list" || kind == "set") && m.types[m.types[type].args[0]].kind == "text";
  if (kind != "text" && !lines) {
    throw InputError(name + ": a resource of type " + type_name(m, type) + " is read from .json or .yaml");
  }
  // Python reads text files with universal newlines, and editors end files with one.
  std::string content;
  for (size_t k = 0; k < bytes.size(); ++k) {
    if (bytes[k] == '\r') {
      content += '\n';
      if (k + 1 < bytes.size() && bytes[k + 1] == '\n') ++k;
    } else {
      content += bytes[k];
    }
  }
  if (!text::check_utf8(content).valid) throw InputError(name + ": not valid UTF-8");
  if (!lines) return Json(content);
  Json list = Json::list();
  size_t from = 0;
  while (from < content.size()) {
    const size_t end = std::min(content.find('\n', from), content.size());
    if (end > from) list.push(Json(content.substr(from, end - from)));
    from = end + 1;
  }
  return list;
}

/// The files that a path with one `*` means, with what stands for the star, in its order.
std::map<std::string, fs::path> starred(const fs::path& path) {
  fs::path above, behind;
  std::string part;
  for (const fs::path& p : path) {
    if (!part.empty()) behind /= p;
    else if (p.string().find('*') != std::string::npos) part = p.string();
    else above /= p;
  }
  const std::string before = part.substr(0, part.find('*')), after = part.substr(before.size() + 1);
  std::map<std::string, fs::path> found;
  std::error_code ec, none;
  for (fs::directory_iterator it(above, ec), end; !ec && it != end; it.increment(ec)) {
    const std::string name = it->path().filename().string();
    if (name.size() <= before.size() + after.size() || !name.starts_with(before) || !name.ends_with(after)) continue;
    const fs::path file = behind.empty() ? it->path() : it->path() / behind;
    if (name[0] != '.' && fs::is_regular_file(file, none)) {
      found.emplace(name.substr(before.size(), name.size() - before.size() - after.size()), file);
    }
  }
  return found;
}

}  // namespace

SegmentPtr load_resources(const GameModule& module, const std::string& game_folder, const std::string& replacement,
                          bool for_generator) {
  const Manifest& m = module.manifest();
  SegmentBuilder out(PPC_RESOURCE, static_cast<uint32_t>(m.resources.size()), module.types(), module.type_fields());
  Decoder decoder(module, out);
  if (!replacement.empty() && !fs::is_directory(replacement)) throw InputError(replacement + ": no such folder");
  for (size_t i = 0; i < m.resources.size(); ++i) {
    const FieldInfo& f = m.resources[i];
    if (f.generator && !for_generator) continue;
    const fs::path declared_path(f.path);
    if (declared_path.is_absolute() || f.path.empty()) {
      throw InputError("resource `" + f.name + "`: its path must be relative to the game's folder, not `" + f.path + "`");
    }
    std::error_code ec;
    fs::path folder = game_folder.empty() ? "." : game_folder, file = folder / declared_path, root = folder / "..";
    if (!replacement.empty() && *declared_path.begin() == "resources") {
      const auto is_there = [&](const fs::path& path) {
        return f.path.find('*') == std::string::npos ? fs::exists(path, ec) : !starred(path).empty();
      };
      // What the folder lacks is the game's own.
      const fs::path replaced = fs::path(replacement) / declared_path.lexically_relative("resources");
      if (is_there(replaced) || !is_there(file)) {
        file = replaced;
        root = replacement;
      }
    }
    // Symbolic links are followed before it is asked whether the file lies inside.
    const fs::path real_root = fs::weakly_canonical(root, ec);
    auto check_inside = [&](const fs::path& path) {
      const fs::path inside = fs::weakly_canonical(path, ec).lexically_relative(real_root);
      if (ec || inside.empty() || *inside.begin() == "..") {
        throw InputError("resource `" + f.name + "`: `" + f.path + "` leads out of the folder of games");
      }
    };
    check_inside(file);
    const std::string name = file.lexically_normal().string();
    try {
      Json value;
      if (f.path.find('*') == std::string::npos) {
        value = resource_document(m, file, f.type);
      } else {
        const TypeInfo& t = m.types[f.type];
        if (t.kind != "map" || m.types[t.args[0]].kind != "text") {
          throw InputError("resource `" + f.name + "`: `" + f.path + "` means several files, so its type is map<text, …>");
        }
        value = Json::object();
        for (const auto& [star, path] : starred(file)) {
          check_inside(path);
          value.add(star, resource_document(m, path, t.args[1]));
        }
        if (value.members().empty()) throw InputError(name + ": no such file");
      }
      out.set_field(static_cast<uint32_t>(i), decoder.value(value, f.type, "resource `" + f.name + "`", f.low, f.high));
    } catch (const Problem& p) {
      throw InputError(name + ": " + p.path + ": expected " + p.expected + ", found " + p.found);
    }
  }
  return std::make_shared<Segment>(out.bytes());
}

Json encode(const GameModule& module, const ppc_ctx* ctx, uint32_t type, int64_t value) {
  const Manifest& m = module.manifest();
  const TypeInfo& t = m.types[type];
  if (t.kind == "int") return Json(value);
  if (t.kind == "float") return Json(rt::float_of(value));
  if (t.kind == "bool") return Json(value != 0);
  if (t.kind == "document") {
    std::string buffer;
    return value == 0 ? Json() : parse_json(std::string(text::as_json(rt::view(ctx, value), buffer)), "document");
  }
  if (t.kind == "text" || t.kind == "regex") return Json(rt::view(ctx, value));
  if (t.kind == "enum") {
    const auto i = static_cast<uint64_t>(value);
    return i < t.names.size() ? Json(t.names[i]) : Json(value);
  }
  if (t.kind == "optional") return value == 0 ? Json() : encode(module, ctx, t.args[0], rt::record_field(ctx, value, 0));
  if (t.kind == "list") {
    Json out = Json::list();
    for (uint32_t i = 0, n = rt::list_length(ctx, value); i < n; ++i) out.push(encode(module, ctx, t.args[0], rt::list_item(ctx, value, i)));
    return out;
  }
  if (t.kind == "set") {
    Json out = Json::list();
    for (uint32_t i = 0, n = rt::set_length(ctx, value); i < n; ++i) out.push(encode(module, ctx, t.args[0], rt::set_item(ctx, value, i)));
    return out;
  }
  if (t.kind == "map") {
    const std::string& key_kind = m.types[t.args[0]].kind;
    const bool object = key_kind == "text" || key_kind == "enum" || key_kind == "int";
    Json out = object ? Json::object() : Json::list();
    for (uint32_t i = 0, n = rt::map_length(ctx, value); i < n; ++i) {
      Json k = encode(module, ctx, t.args[0], rt::map_key(ctx, value, i));
      Json v = encode(module, ctx, t.args[1], rt::map_value(ctx, value, i));
      if (object) out.add(k.is_text() ? k.as_text() : to_text(k), std::move(v));
      else out.push(Json(Json::List{std::move(k), std::move(v)}));
    }
    return out;
  }
  Json out = t.kind == "tuple" ? Json::list() : Json::object();
  for (uint32_t i = 0; i < t.args.size(); ++i) {
    Json v = encode(module, ctx, t.args[i], rt::record_field(ctx, value, i));
    if (t.kind == "tuple") out.push(std::move(v));
    else if (!v.is_null() || m.types[t.args[i]].kind != "optional") out.add(t.names[i], std::move(v));
  }
  return out;
}

}  // namespace ppc::engine
