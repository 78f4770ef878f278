#include "runtime/engine/language.h"

#include <algorithm>
#include <array>
#include <map>

#include "runtime/abi/heap.h"
#include "runtime/engine/episode.h"
#include "runtime/engine/pattern.h"
#include "runtime/text/utf8.h"

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
  Json holes = Json::list();
  for (size_t s = 0; s < language.states.size(); ++s)
    for (const Language::Hole& h : language.states[s].holes) {
      Json hole = Json::list();
      hole.push(static_cast<uint64_t>(s));
      hole.push(h.hole);
      hole.push(h.to);
      holes.push(std::move(hole));
    }
  if (!holes.items().empty()) result.add("holes", std::move(holes));
  return result;
}

Json to_json(const ReplyForm& form) {
  Json parts = Json::list(), holes = Json::list();
  for (const Language& l : form.parts) parts.push(to_json(l));
  for (const std::string& h : form.holes) holes.push(h);
  Json result = Json::object();
  result.add("parts", std::move(parts));
  result.add("holes", std::move(holes));
  if (form.aims) result.add("aims", form.aims);
  if (form.patterns.empty()) return result;
  Json patterns = Json::list();
  for (uint32_t p : form.patterns) patterns.push(p);
  result.add("patterns", std::move(patterns));
  return result;
}

namespace {

Language parse_part(const Json& json, size_t hole_count, const std::string& name) {
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
  const Json* holes = json.find("holes");
  if (!holes) return language;
  if (!holes->is_list()) bad(name, "`holes` is " + describe(*holes));
  for (const Json& h : holes->items()) {
    const size_t limits[] = {n, hole_count, n};
    bool good = h.is_list() && h.items().size() == 3;
    for (size_t i = 0; i < 3 && good; ++i)
      good = h.items()[i].is_int() && h.items()[i].as_int() >= 0 && static_cast<uint64_t>(h.items()[i].as_int()) < limits[i];
    if (!good) bad(name, "`holes`: expected [state, hole, state]");
    language.states[static_cast<size_t>(h.items()[0].as_int())].holes.push_back(
        {static_cast<uint32_t>(h.items()[1].as_int()), static_cast<uint32_t>(h.items()[2].as_int())});
  }
  return language;
}

}  // namespace

Language parse_language(const Json& json, const std::string& name) { return parse_part(json, 0, name); }

ReplyForm parse_form(const Json& json, const std::string& name) {
  ReplyForm form;
  const Json *parts = json.find("parts"), *holes = json.find("holes");
  if (!parts) {
    form.parts.push_back(parse_language(json, name));
    return form;
  }
  if (!parts->is_list() || parts->items().empty()) bad(name, "expected `parts`, a list that is not empty");
  if (!holes || !holes->is_list()) bad(name, "expected `holes`, a list");
  for (const Json& h : holes->items()) {
    if (!h.is_text()) bad(name, "`holes` holds " + describe(h));
    form.holes.push_back(h.as_text());
  }
  if (const Json* patterns = json.find("patterns")) {
    if (!patterns->is_list()) bad(name, "`patterns` is " + describe(*patterns));
    for (const Json& p : patterns->items()) {
      if (!p.is_int() || p.as_int() < 0 || static_cast<uint64_t>(p.as_int()) >= form.holes.size()) bad(name, "`patterns` holds " + describe(p));
      form.patterns.push_back(static_cast<uint32_t>(p.as_int()));
    }
  }
  if (const Json* aims = json.find("aims")) {
    if (!aims->is_int() || aims->as_int() < 0 || static_cast<uint64_t>(aims->as_int()) > parts->items().size()) bad(name, "`aims` is " + describe(*aims));
    form.aims = static_cast<uint32_t>(aims->as_int());
  }
  for (const Json& p : parts->items())
    form.parts.push_back(parse_part(p, form.holes.size(), name + ", part " + std::to_string(form.parts.size())));
  return form;
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

namespace {

/// Adds a text to those that an automaton, which is a tree, lets through.
void add(ByteAutomaton& tree, const std::string& text) {
  uint32_t at = 0;
  for (char c : text) {
    const auto byte = static_cast<uint8_t>(c);
    const auto& edges = tree.states[at].edges;
    const auto e = std::find_if(edges.begin(), edges.end(), [&](const auto& x) { return x.low == byte; });
    if (e != edges.end()) {
      at = e->to;
      continue;
    }
    const auto to = static_cast<uint32_t>(tree.states.size());
    tree.states[at].edges.push_back({byte, byte, to});
    tree.states.emplace_back();
    at = to;
  }
  tree.states[at].accepts = true;
}

ByteAutomaton any_bytes() {
  ByteAutomaton out;
  for (const Language::State& s : any_text().states) {
    ByteAutomaton::State state{{}, s.accepts};
    for (const auto& e : s.edges) state.edges.push_back({e.low, e.high, e.to});
    out.states.push_back(std::move(state));
  }
  return out;
}

struct TooLarge {};  // thrown inside

/// Determinises all parts at once.
class Filler {
 public:
  Filler(const ReplyForm& form, const HoleTexts& texts) : form_(form), fillings_(form.holes.size(), ByteAutomaton{{{}}}) {
    for (size_t h = 0; h < fillings_.size() && h < texts.size(); ++h) {
      const bool pattern = std::find(form.patterns.begin(), form.patterns.end(), h) != form.patterns.end();
      for (const std::string& t : texts[h]) {
        if (!text::check_utf8(t).valid) throw InputError(form.holes[h] + ": a text that is no valid UTF-8");
        if (!pattern) {
          add(fillings_[h], t);
          continue;
        }
        auto read = automaton_of(t);
        fillings_[h] = read ? std::move(*read) : any_bytes();
      }
    }
  }

  /// Of the first parts.
  Language run(size_t parts) {
    parts_ = parts;
    Places start;
    for (uint32_t p = 0; p < parts_; ++p) {
      enter(p, 0, start);
      out_.exact = out_.exact && form_.parts[p].exact;
    }
    state_of(std::move(start));
    for (uint32_t s = 0; s < out_.states.size(); ++s) expand(s);
    return std::move(out_);
  }

 private:
  // A state of a part, or one inside what fills a hole, behind which the part goes on at `to`.
  struct Place {
    uint32_t part, hole, at, to;
    auto operator<=>(const Place&) const = default;
  };
  static constexpr uint32_t kState = UINT32_MAX;  // as a hole
  using Places = std::vector<Place>;  // ascending

  static bool put(Places& places, Place place) {
    const auto at = std::lower_bound(places.begin(), places.end(), place);
    if (at != places.end() && *at == place) return false;
    places.insert(at, place);
    return true;
  }
  /// With the holes that stand there: of one that may be empty also what is behind it.
  void enter(uint32_t part, uint32_t state, Places& places) const {
    if (!put(places, {part, kState, state, 0})) return;
    for (const Language::Hole& h : form_.parts[part].states[state].holes) {
      const ByteAutomaton::State& first = fillings_[h.hole].states[0];
      if (!first.edges.empty()) put(places, {part, h.hole, 0, h.to});
      if (first.accepts) enter(part, h.to, places);
    }
  }
  void read(const Place& place, uint8_t byte, Places& places) const {
    if (place.hole == kState) {
      const auto& edges = form_.parts[place.part].states[place.at].edges;
      const auto e = std::lower_bound(edges.begin(), edges.end(), byte, [](const Language::Edge& x, uint8_t b) { return x.high < b; });
      if (e != edges.end() && e->low <= byte) enter(place.part, e->to, places);
      return;
    }
    const ByteAutomaton& filling = fillings_[place.hole];
    for (const auto& e : filling.states[place.at].edges) {
      if (byte < e.low || byte > e.high) continue;
      if (!filling.states[e.to].edges.empty()) put(places, {place.part, place.hole, e.to, place.to});
      if (filling.states[e.to].accepts) enter(place.part, place.to, places);
    }
  }

  uint32_t state_of(Places places) {
    auto [at, is_new] = index_.emplace(std::move(places), static_cast<uint32_t>(out_.states.size()));
    if (!is_new) return at->second;
    places_.push_back(&at->first);
    Language::State state;
    std::vector<bool> ends(parts_);
    for (const Place& p : at->first)
      if (p.hole == kState && form_.parts[p.part].states[p.at].accepts) ends[p.part] = true;
    state.accepts = std::find(ends.begin(), ends.end(), false) == ends.end();
    state.wants = wants(at->first, state.accepts);
    out_.states.push_back(std::move(state));
    return at->second;
  }

  void expand(uint32_t s) {
    const Places& places = *places_[s];
    std::array<bool, 257> begins{};
    for (const Place& p : places) {
      if (p.hole == kState)
        for (const auto& e : form_.parts[p.part].states[p.at].edges) begins[e.low] = begins[size_t{e.high} + 1] = true;
      else
        for (const auto& e : fillings_[p.hole].states[p.at].edges) begins[e.low] = begins[size_t{e.high} + 1] = true;
    }
    std::vector<Language::Edge> edges;
    for (unsigned low = 0; low < 256;) {
      unsigned high = low;
      while (high < 255 && !begins[high + 1]) ++high;
      Places after;
      if ((work_ += places.size()) > kMostWork) throw TooLarge();
      for (const Place& p : places) read(p, static_cast<uint8_t>(low), after);
      std::vector<bool> alive(parts_);
      for (const Place& p : after) alive[p.part] = true;
      if (std::find(alive.begin(), alive.end(), false) == alive.end()) {
        const uint32_t to = state_of(std::move(after));
        if (!edges.empty() && edges.back().to == to && edges.back().high + 1u == low) edges.back().high = static_cast<uint8_t>(high);
        else edges.push_back({static_cast<uint8_t>(low), static_cast<uint8_t>(high), to});
      }
      low = high + 1;
    }
    edges_ += edges.size();
    if (edges_ > 1'000'000) throw TooLarge();
    out_.states[s].edges = std::move(edges);
  }

  // The words of parts that do not let every character follow, or, where each would, of all.
  uint32_t wants(const Places& places, bool accepts) {
    const auto open = [&](uint32_t part) {
      return std::any_of(places.begin(), places.end(), [&](const Place& p) {
        if (p.part != part || p.hole != kState) return false;
        const auto& edges = form_.parts[part].states[p.at].edges;
        return !edges.empty() && edges[0].low == 0 && edges[0].high == 0x7F;
      });
    };
    std::vector<bool> shown(parts_);
    for (uint32_t p = 0; p < shown.size(); ++p) shown[p] = !open(p);
    if (std::find(shown.begin(), shown.end(), true) == shown.end()) shown.assign(shown.size(), true);
    std::vector<std::string> words;
    for (const Place& p : places) {
      if (!shown[p.part]) continue;
      const Language& part = form_.parts[p.part];
      std::string word = p.hole != kState ? form_.holes[p.hole] : part.wants[part.states[p.at].wants];
      // Where nothing but holes follows, these are named.
      if (p.hole == kState && part.states[p.at].edges.empty() && !part.states[p.at].accepts) continue;
      if (p.hole == kState && part.states[p.at].accepts && !accepts) {
        if (word == "the end") continue;
        if (word.ends_with(" or the end")) word.resize(word.size() - 11);
      }
      if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(std::move(word));
    }
    std::string text;
    for (size_t i = 0; i < words.size() && i < 5; ++i) text += (i ? " or " : "") + (i == 4 ? "…" : words[i]);
    auto [at, is_new] = wants_.emplace(text, static_cast<uint32_t>(out_.wants.size()));
    if (is_new) out_.wants.push_back(text);
    return at->second;
  }

  static constexpr size_t kMostWork = 10'000'000;

  const ReplyForm& form_;
  size_t parts_ = 0;
  std::vector<ByteAutomaton> fillings_;
  Language out_;
  std::map<Places, uint32_t> index_;
  std::vector<const Places*> places_;
  std::map<std::string, uint32_t> wants_;
  size_t edges_ = 0, work_ = 0;
};

bool lets_something_through(const Language& l) {
  return std::any_of(l.states.begin(), l.states.end(), [](const Language::State& s) { return s.accepts; });  // all are reached
}

}  // namespace

Language fill(const ReplyForm& form, const HoleTexts& texts, Aims aims) {
  if (form.aims && aims == Aims::Kept) {
    try {
      Language all = Filler(form, texts).run(form.parts.size());
      if (lets_something_through(all)) return all;
    } catch (const TooLarge&) {
    }
  }
  if (form.aims == form.parts.size()) return any_text();
  try {
    return Filler(form, texts).run(form.parts.size() - form.aims);
  } catch (const TooLarge&) {
    throw InputError(form.holes.empty() ? "the form is too large" : "with its texts, " + form.holes.front() + " makes the form too large");
  }
}

HoleTexts hole_texts(const Episode& episode, Worker& worker) {
  HoleTexts out;
  const auto& moves = episode.setting().module->manifest().moves;
  if (episode.status() == Status::Done || episode.asked_move() >= moves.size() || !moves[episode.asked_move()].holes_entry) return out;
  std::string fault;
  const auto value = episode.evaluate(worker, *moves[episode.asked_move()].holes_entry, nullptr, &fault);
  if (!value) throw std::runtime_error("the texts for `" + moves[episode.asked_move()].name + "`: " + fault);
  const ppc_ctx* c = worker.ctx();
  const rt::List lists = rt::list(c, *value);
  for (uint32_t h = 0; h < lists.n; ++h) {
    const rt::List texts = rt::list(c, lists[h]);
    out.emplace_back();
    for (uint32_t i = 0; i < texts.n; ++i) {
      const rt::Text t = rt::text(c, texts[i]);
      out.back().emplace_back(reinterpret_cast<const char*>(t.p), t.n);
    }
  }
  return out;
}

}  // namespace ppc::engine
