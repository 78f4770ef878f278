#include "compiler/sema/model.h"

namespace ppc::sema {

TypeTable::TypeTable() {
  auto plain = [&](Kind kind) { Type t; t.kind = kind; return intern(std::move(t)); };
  void_ = plain(Kind::Void);
  int_ = plain(Kind::Int);
  float_ = plain(Kind::Float);
  bool_ = plain(Kind::Bool);
  text_ = plain(Kind::Text);
  regex_ = plain(Kind::Regex);
  document_ = plain(Kind::Document);
}

TypeId TypeTable::intern(Type type) {
  std::string key = std::to_string(static_cast<int>(type.kind)) + ":" + type.name;
  // What has a name is known by it; the rest by its parts.
  if (type.name.empty())
    for (TypeId a : type.args) key += "," + std::to_string(a);
  auto [at, added] = index_.try_emplace(key, static_cast<TypeId>(types_.size()));
  if (added) types_.push_back(std::move(type));
  return at->second;
}

namespace {
Type composed(Kind kind, std::vector<TypeId> args) {
  Type t;
  t.kind = kind;
  t.args = std::move(args);
  return t;
}
}  // namespace

TypeId TypeTable::list(TypeId element) { return intern(composed(Kind::List, {element})); }
TypeId TypeTable::set(TypeId element) { return intern(composed(Kind::Set, {element})); }
TypeId TypeTable::map(TypeId key, TypeId value) { return intern(composed(Kind::Map, {key, value})); }
TypeId TypeTable::optional(TypeId inner) { return intern(composed(Kind::Optional, {inner})); }
TypeId TypeTable::tuple(std::vector<TypeId> parts) { return intern(composed(Kind::Tuple, std::move(parts))); }

std::string TypeTable::print(TypeId id) const {
  const Type& t = types_[id];
  switch (t.kind) {
    case Kind::Int: return "int";
    case Kind::Float: return "float";
    case Kind::Bool: return "bool";
    case Kind::Text: return "text";
    case Kind::Regex: return "regex";
    case Kind::Document: return "document";
    case Kind::Void: return t.name.empty() ? "nothing" : t.name;
    case Kind::List: return "[" + print(t.args[0]) + "]";
    case Kind::Set: return "set<" + print(t.args[0]) + ">";
    case Kind::Map: return "map<" + print(t.args[0]) + ", " + print(t.args[1]) + ">";
    case Kind::Optional: return print(t.args[0]) + "?";
    case Kind::Record:
    case Kind::Enum: return t.name;
    case Kind::Tuple: {
      std::string s = "(";
      for (size_t i = 0; i < t.args.size(); ++i) s += (i ? ", " : "") + print(t.args[i]);
      return s + ")";
    }
  }
  return "?";
}

}  // namespace ppc::sema
