// What the manifest takes over from the model as it is.
#include "compiler/rules/lower.h"
#include "runtime/engine/language.h"

namespace ppc::rules {
namespace {

const char* kind_name(sema::Kind kind) {
  switch (kind) {
    case sema::Kind::Int: return "int";
    case sema::Kind::Float: return "float";
    case sema::Kind::Bool: return "bool";
    case sema::Kind::Text: return "text";
    case sema::Kind::List: return "list";
    case sema::Kind::Set: return "set";
    case sema::Kind::Map: return "map";
    case sema::Kind::Optional: return "optional";
    case sema::Kind::Record: return "record";
    case sema::Kind::Enum: return "enum";
    case sema::Kind::Tuple: return "tuple";
    case sema::Kind::Regex: return "regex";
    case sema::Kind::Document: return "document";
    case sema::Kind::Void: return "bool";  // no value has this type; the table keeps the model's indices
  }
  return "int";
}

engine::FieldInfo field_of(const sema::Field& f, size_t players) {
  engine::FieldInfo info;
  info.name = f.name;
  info.type = f.type;
  info.low = f.low;
  info.high = f.high;
  info.from = f.from;
  info.initial = f.initial_json;
  info.secret = f.secret;
  if (f.secret)
    for (uint32_t p = 0; p < players; ++p)
      if (f.audience >> p & 1) info.audience.push_back(p);
  info.doc = f.doc;
  info.path = f.path;
  info.generator = f.generator_only;
  return info;
}

engine::Language language_of(const formats::Replies& from, bool exact) {
  engine::Language l;
  for (const formats::Replies::State& s : from.states) {
    engine::Language::State state{{}, s.accepts, s.wants, {}};
    for (const auto& e : s.edges) state.edges.push_back({e.low, e.high, e.to});
    for (const auto& h : s.holes) state.holes.push_back({h.hole, h.to});
    l.states.push_back(std::move(state));
  }
  l.wants = from.wants;
  l.exact = exact;
  return l;
}

/// Empty where every text fits.
std::string language_of(const sema::Move& move) {
  if (move.replies.empty()) return "";
  if (move.hole_texts.statements.empty()) return engine::to_text(engine::to_json(language_of(move.replies[0], move.exact)));
  engine::ReplyForm form;
  form.aims = move.aims;
  for (const formats::Replies& r : move.replies) form.parts.push_back(language_of(r, move.exact));
  for (const auto& h : move.holes) {
    if (h.pattern) form.patterns.push_back(static_cast<uint32_t>(form.holes.size()));
    form.holes.push_back("{text in " + h.text + "}");
  }
  return engine::to_text(engine::to_json(form));
}

}  // namespace

engine::Manifest manifest_of(const sema::Game& game, const sema::TypeTable& types, const Sources& sources) {
  engine::Manifest m;
  m.game = game.name;
  m.doc = game.doc;
  uint32_t lines = 0;
  for (uint32_t f = 0; f < sources.size(); ++f) {
    const std::string& path = sources[f].path();
    m.files.push_back({path.substr(path.find_last_of('/') + 1), lines});  // npos + 1 is 0
    lines += sources[f].line_count();
  }
  if (!m.files.empty()) m.file = m.files[0].name;
  for (uint32_t i = 0; i < types.size(); ++i) {
    const sema::Type& t = types[i];
    engine::TypeInfo info;
    info.kind = kind_name(t.kind);
    info.args = t.args;
    info.names = t.kind == sema::Kind::Enum && !t.spellings.empty() ? t.spellings : t.names;
    info.name = t.name;
    m.types.push_back(std::move(info));
  }
  for (const sema::Player& p : game.players)
    m.players.push_back({p.name, p.display.empty() ? p.name : p.display, p.scripted});
  for (const sema::Field& f : game.experiment) m.experiment.push_back(field_of(f, game.players.size()));
  for (const sema::Field& f : game.instance) m.instance.push_back(field_of(f, game.players.size()));
  for (const sema::Field& f : game.resources) m.resources.push_back(field_of(f, game.players.size()));
  for (const sema::Slot& s : game.slots) m.slots.push_back({s.name, s.type});
  for (const sema::Move& v : game.moves) {
    std::string form;
    for (const sema::CompiledFormat& f : v.formats) form += (form.empty() ? "" : "\n") + f.form;
    m.moves.push_back({v.name, form, v.grammar, {}, language_of(v)});
    for (uint32_t p = 0; p < game.players.size(); ++p)
      if (v.players >> p & 1) m.moves.back().players.push_back(p);
  }
  for (const sema::Rule& r : game.rules) {
    engine::RuleInfo info;
    if (r.move < game.moves.size()) info.move = game.moves[r.move].name;
    info.kind = r.kind;
    info.text = r.text;
    if (r.span.file < sources.size()) {
      LineColumn at = sources[r.span.file].line_column(r.span.begin);
      info.line = at.line;
      info.column = at.column;
    }
    m.rules.push_back(std::move(info));
  }
  m.bounds = {game.bounds.moves, game.bounds.total, game.bounds.rounds};
  return m;
}

}  // namespace ppc::rules
