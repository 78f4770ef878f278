#include <algorithm>
#include <map>
#include <tuple>

#include "compiler/ide/ide.h"

namespace ppc::ide {

using K = sema::Declared::Kind;

namespace {

const char* what(K kind) {
  switch (kind) {
    case K::Player: return "a player";
    case K::Experiment: return "a field of the experiment";
    case K::Instance: return "a field of the instance";
    case K::Resource: return "a resource";
    case K::State: return "a state variable";
    case K::Memory: return "memory of a bot";
    case K::Record: return "a record";
    case K::RecordField: return "a field of a record";
    case K::Enum: return "an enum";
    case K::EnumValue: return "a value of an enum";
    case K::Predicate: return "a predicate";
    case K::Grammar: return "a grammar";
    case K::Rule: return "a rule of a grammar";
    case K::Move: return "a move";
    case K::Function: return "a function";
    case K::Step: return "a step";
    case K::Bot: return "a bot";
    case K::Parameter: return "a parameter";
    case K::Capture: return "a capture";
    case K::Variable: return "a variable";
    case K::Library: return "a name of the language";
  }
  return "";
}

/// Where names are used and what they stand for then, with places as they were before the edits.
using Meanings = std::map<std::pair<uint32_t, uint32_t>, std::pair<uint32_t, uint32_t>>;

}  // namespace

std::variant<Meaning, Refusal> renamable(const Analysis& a, uint32_t file, uint32_t offset) {
  Meaning m = meaning_at(a, file, offset);
  if (m.own) return Refusal{"`" + m.own->name + "` is a name of the language"};
  if (!m.declared) return Refusal{"there is no name here that is known"};
  const sema::Declared& d = *m.declared;
  if (d.part) return Refusal{"`" + d.name + "` is a part of what its move gives: replies and records know it by this name"};
  if (d.kind != K::Parameter && d.kind != K::Variable && d.kind != K::Memory)
    return Refusal{"`" + d.name + "` is " + what(d.kind) + ": only local names can be renamed (variables, parameters, memory of bots)"};
  return m;
}

std::variant<std::vector<Edit>, Refusal> rename(const Analysis& a, const std::string& path, const Instead& instead, uint32_t file, uint32_t offset,
                                                const std::string& name) {
  auto target = renamable(a, file, offset);
  if (auto* refusal = std::get_if<Refusal>(&target)) return *refusal;
  const sema::Declared& d = *std::get<Meaning>(target).declared;
  auto letter = [](char c) { return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  bool good = !name.empty() && name.size() <= 200 && letter(name[0]);
  for (char c : name) good &= letter(c) || (c >= '0' && c <= '9');
  if (!good) return Refusal{"`" + name + "` is no name: a name is made of the letters a to z, digits and `_`, and begins with no digit"};
  if (syntax::is_hard_keyword(name)) return Refusal{"`" + name + "` is a word of the language"};
  if (name == "_") return Refusal{"`_` names nothing"};
  std::vector<Edit> edits;
  if (name == d.name) return edits;
  for (const Occurrence& o : occurrences(a, d)) edits.push_back({o.span, name});

  // The game with the edits says whether each name still stands for the same.
  std::map<uint32_t, std::string> texts;
  std::map<uint32_t, std::vector<Edit>> by_file;
  for (const Edit& e : edits) by_file[e.span.file].push_back(e);
  for (auto& [f, list] : by_file) {
    std::string text(a.sources()[f].text());
    for (size_t i = list.size(); i-- > 0;) text.replace(list[i].span.begin, list[i].span.end - list[i].span.begin, list[i].text);
    texts[f] = std::move(text);
  }
  Analysis after(path, [&](const std::filesystem::path& whole) -> std::optional<std::string> {
    if (auto f = a.file_of(whole)) {
      auto at = texts.find(*f);
      return at != texts.end() ? at->second : std::string(a.sources()[*f].text());
    }
    return instead ? instead(whole) : std::nullopt;
  });
  // Every edit makes a text longer by the same; they are in the order of their places.
  const int64_t longer = static_cast<int64_t>(name.size()) - static_cast<int64_t>(d.name.size());
  auto before_edits = [&](uint32_t f, uint32_t place) {
    auto at = by_file.find(f);
    if (at == by_file.end()) return place;
    const std::vector<Edit>& list = at->second;
    size_t low = 0, high = list.size();  // how many lie in front of the place
    while (low < high) {
      const size_t middle = (low + high) / 2;
      if (static_cast<int64_t>(list[middle].span.begin) + longer * static_cast<int64_t>(middle) < static_cast<int64_t>(place)) low = middle + 1;
      else high = middle;
    }
    return static_cast<uint32_t>(place - longer * static_cast<int64_t>(low));
  };
  auto meanings = [](const Analysis& of, auto&& place) {
    Meanings m;
    auto at = [&](Span s) { return std::pair(s.file, place(s.file, s.begin)); };
    for (const sema::Use& u : of.names().uses) m[at(u.span)] = at(u.declared);
    for (const sema::OwnUse& u : of.names().own) m[at(u.span)] = {UINT32_MAX, 0};
    return m;
  };
  Meanings old = meanings(a, [](uint32_t, uint32_t place) { return place; });
  Meanings now = meanings(after, before_edits);
  auto errors = [](const Analysis& of) {
    std::vector<const diag::Report*> list;
    for (const diag::Report& r : of.reports())
      if (r.what->severity == diag::Severity::Error) list.push_back(&r);
    return list;
  };
  auto was = errors(a), is = errors(after);
  if (is.size() > was.size()) {
    const diag::Report* fresh = is.front();
    for (const diag::Report* r : is)
      if (r->message.find("`" + name + "`") != std::string::npos) fresh = r;
    for (const diag::Report* r : is)  // what says it best
      if (std::string(r->what->slug) == "shadowing" || std::string(r->what->slug) == "duplicate-name") fresh = r;
    return Refusal{"then " + fresh->message};
  }
  if (old != now) return Refusal{"`" + name + "` already stands for something else here"};
  return edits;
}

}  // namespace ppc::ide
