#include "runtime/engine/language.h"

namespace ppc::engine {
namespace {

constexpr size_t kMaxEdges = 2'000'000;

[[noreturn]] void bad(const std::string& name, const std::string& what) { throw InputError(name + ": " + what); }

}  // namespace

Json to_json(const Language& language) {
  Json states = Json::list();
  for (const Language::State& s : language.states) {
    Json state = Json::list();
    state.push(s.wants);
    state.push(s.accepts ? 1 : 0);
    for (const Language::Edge& e : s.edges) {
      state.push(int{e.low});
      state.push(int{e.high});
      state.push(e.to);
    }
    states.push(std::move(state));
  }
  Json wants = Json::list();
  for (const std::string& w : language.wants) wants.push(w);
  Json result = Json::object();
  result.add("states", std::move(states));
  result.add("wants", std::move(wants));
  if (!language.exact) result.add("exact", false);
  return result;
}

Language parse_language(const Json& json, const std::string& name) {
  Language language;
  const Json *states = json.find("states"), *wants = json.find("wants"), *exact = json.find("exact");
  if (!states || !states->is_list()) bad(name, "expected `states`, a list");
  if (!wants || !wants->is_list()) bad(name, "expected `wants`, a list");
  if (exact && !exact->is_bool()) bad(name, "`exact` is " + describe(*exact));
  if (exact) language.exact = exact->as_bool();
  for (const Json& w : wants->items()) {
    if (!w.is_text()) bad(name, "`wants` holds " + describe(w));
    language.wants.push_back(w.as_text());
  }
  const size_t n = states->items().size();
  if (n == 0) bad(name, "no states");
  size_t edges = 0;
  for (const Json& s : states->items()) {
    const std::string where = name + ", state " + std::to_string(language.states.size());
    if (!s.is_list() || s.items().size() < 2 || s.items().size() % 3 != 2) bad(where, "expected a list of 2 + 3 n numbers");
    auto number = [&](size_t i, size_t limit) {
      const Json& v = s.items()[i];
      if (!v.is_int() || v.as_int() < 0 || static_cast<uint64_t>(v.as_int()) >= limit)
        bad(where, "number " + std::to_string(i) + " is " + describe(v) + ", expected less than " + std::to_string(limit));
      return static_cast<uint32_t>(v.as_int());
    };
    Language::State state;
    state.wants = number(0, language.wants.size());
    state.accepts = number(1, 2) == 1;
    for (size_t i = 2; i < s.items().size(); i += 3) {
      const Language::Edge e{static_cast<uint8_t>(number(i, 256)), static_cast<uint8_t>(number(i + 1, 256)), number(i + 2, n)};
      if (e.low > e.high || (!state.edges.empty() && e.low <= state.edges.back().high)) bad(where, "bytes out of order");
      state.edges.push_back(e);
    }
    edges += state.edges.size();
    if (edges > kMaxEdges) bad(name, "too large");
    language.states.push_back(std::move(state));
  }
  return language;
}

Language any_text() {
  Language language;
  // 1, 2, 3 bytes to come, then those behind E0, ED, F0 and F4, which not every byte may follow.
  language.wants = {"any text"};
  language.states = {
      {{{0x00, 0x7F, 0}, {0xC2, 0xDF, 1}, {0xE0, 0xE0, 4}, {0xE1, 0xEC, 2}, {0xED, 0xED, 5}, {0xEE, 0xEF, 2}, {0xF0, 0xF0, 6},
        {0xF1, 0xF3, 3}, {0xF4, 0xF4, 7}}, true},
      {{{0x80, 0xBF, 0}}}, {{{0x80, 0xBF, 1}}}, {{{0x80, 0xBF, 2}}},
      {{{0xA0, 0xBF, 1}}}, {{{0x80, 0x9F, 1}}}, {{{0x90, 0xBF, 2}}}, {{{0x80, 0x8F, 2}}}};
  return language;
}

}  // namespace ppc::engine
