#include <algorithm>

#include "compiler/ast/print.h"
#include "compiler/formats/formats.h"
#include "compiler/ide/ide.h"

namespace ppc::ide {

using K = sema::Declared::Kind;

std::string type_text(const Analysis& a, sema::TypeId type) { return type == UINT32_MAX ? "" : a.names().game->types.print(type); }

namespace {

std::string joined(const std::vector<std::string>& lines, const char* between = "\n") {
  std::string out;
  for (const std::string& l : lines) out += (out.empty() ? "" : between) + l;
  return out;
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (char c : text) {
    if (c == '\n') {
      out += "\\n";
      continue;
    }
    if (c == '"' || c == '\\' || c == '{' || c == '}') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string players_of(const sema::Game& game, uint32_t mask, const char* last) {
  std::vector<std::string> names;
  for (size_t p = 0; p < game.players.size(); ++p)
    if (mask >> p & 1) names.push_back("`" + game.players[p].name + "`");
  std::string out;
  for (size_t i = 0; i < names.size(); ++i) out += (i == 0 ? "" : i + 1 == names.size() ? std::string(" ") + last + " " : ", ") + names[i];
  return out;
}

std::string known_by(const sema::Game& game, sema::Audience who) {
  const uint32_t all = (1u << game.players.size()) - 1;
  if ((who & all) == all) return "known to everybody";
  if ((who & all) == 0) return "secret: only the game master may know it";
  return "secret: only " + players_of(game, who, "and") + " and the game master may know it";
}

std::string params_of(const std::vector<ast::Param>& params) {
  std::string out = "(";
  for (const ast::Param& p : params) out += (out.size() > 1 ? ", " : "") + p.name.name + ": " + ast::print(*p.type);
  return out + ")";
}

/// ` : TYPE = e from "…" secret a` as written.
std::string field_tail(const ast::Field& f, bool initial) {
  std::string out = " : " + ast::print(*f.type);
  if (initial && f.initial) {
    std::string value = ast::print(*f.initial);
    out += " = " + (value.size() > 60 ? "…" : value);
  }
  return out;
}

}  // namespace

Description describe(const Analysis& a, const sema::Declared& d) {
  const sema::Game& game = *a.names().game;
  const Origin* o = a.origin_of(d.span);
  Description out;
  out.span = d.span;
  const std::string type = type_text(a, d.type);
  const std::string typed = type.empty() ? "" : " : " + type;
  if (o && o->field) out.doc = joined(o->field->doc);
  else if (o && o->predicate) out.doc = joined(o->predicate->doc);
  else if (o && o->rule) out.doc = joined(o->rule->doc);
  else if (o && o->decl && !o->param && !o->capture && !o->statement && d.kind != K::EnumValue && d.kind != K::Library) out.doc = joined(o->decl->doc);
  auto field_of = [&](const char* where, const std::vector<sema::Field>& fields) {
    const sema::Field& f = fields[d.index];
    out.code = std::string(where) + " " + d.name + (o && o->field ? field_tail(*o->field, true) : typed);
    out.notes.push_back(known_by(game, f.audience));
    std::vector<std::string> from;
    for (const std::string& place : f.from) from.push_back("`" + place + "`");
    if (!from.empty()) out.notes.push_back("read from " + joined(from, ", "));
  };
  switch (d.kind) {
    case K::Player: {
      out.code = "player " + d.name;
      if (d.index >= game.players.size()) break;  // one too many
      const sema::Player& p = game.players[d.index];
      out.code = "player " + d.name + (p.display != p.name ? " as " + quoted(p.display) : "") + (p.scripted ? " scripted" : "");
      out.notes.push_back("Player " + std::to_string(d.index + 1) + " of " + std::to_string(game.players.size()) +
                          (p.scripted ? ", voiced by the game" : ""));
      break;
    }
    case K::Experiment: field_of("experiment", game.experiment); break;
    case K::Instance: field_of("instance", game.instance); break;
    case K::Resource: {
      const sema::Field& f = game.resources[d.index];
      out.code = "resource " + d.name + typed + (f.path.empty() ? "" : " = " + quoted(f.path));
      out.notes.push_back(f.generator_only ? "read to generate instances, not in play" : known_by(game, f.audience));
      break;
    }
    case K::State:
    case K::Memory: {
      out.code = std::string(d.kind == K::State ? "state " : "memory ") + d.name + (o && o->field ? field_tail(*o->field, true) : typed);
      if (d.kind == K::Memory) out.notes.push_back("the bot's own");
      else if ((o && o->field && o->field->audience.secret) || a.names().sound) out.notes.push_back(known_by(game, game.slots[d.index].audience));
      else out.notes.push_back("who may know it follows from what is put into it");
      break;
    }
    case K::Record: {
      out.code = "record " + d.name + " {";
      const auto* record = o && o->decl ? std::get_if<ast::RecordDecl>(&o->decl->node) : nullptr;
      if (record)
        for (const ast::Field& f : record->fields) out.code += "\n  " + f.name.name + field_tail(f, true);
      out.code += record && !record->fields.empty() ? "\n}" : " }";
      break;
    }
    case K::RecordField: out.code = d.name + (o && o->field ? field_tail(*o->field, true) : typed); break;
    case K::Enum: {
      out.code = "enum " + d.name + " {";
      if (d.type != UINT32_MAX) {
        const sema::Type& t = game.types[d.type];
        for (size_t i = 0; i < t.names.size(); ++i)
          out.code += (i ? ", " : " ") + t.names[i] + (t.spellings[i] != t.names[i] ? " = " + quoted(t.spellings[i]) : "");
      }
      out.code += " }";
      break;
    }
    case K::EnumValue: {
      out.code = type + "." + d.name;
      if (d.type == UINT32_MAX) break;
      const sema::Type& t = game.types[d.type];
      for (size_t i = 0; i < t.names.size(); ++i)
        if (t.names[i] == d.name) out.notes.push_back("in files: " + quoted(t.spellings[i]));
      break;
    }
    case K::Predicate: {
      out.code = d.name + "(";
      for (size_t i = 0; o && o->predicate && i < o->predicate->terms.size(); ++i) out.code += (i ? ", " : "") + o->predicate->terms[i].name;
      out.code += ")";
      out.notes.push_back("what can be true of the world: a `fact`");
      break;
    }
    case K::Grammar: {
      out.code = "grammar " + d.name + " {";
      const auto* grammar = o && o->decl ? std::get_if<ast::GrammarDecl>(&o->decl->node) : nullptr;
      for (size_t i = 0; grammar && i < grammar->rules.size(); ++i) out.code += "\n  " + ast::print(grammar->rules[i]);
      out.code += grammar && !grammar->rules.empty() ? "\n}" : " }";
      break;
    }
    case K::Rule: out.code = o && o->rule ? ast::print(*o->rule) : d.name; break;
    case K::Move: {
      const sema::Move& m = game.moves[d.index];
      std::vector<std::string> who;
      for (size_t p = 0; p < game.players.size(); ++p)
        if (m.players >> p & 1) who.push_back(game.players[p].name);
      out.code = "move " + d.name + (who.empty() ? "" : " by " + joined(who, ", "));
      // As a player is shown it; line by line.
      const auto line_by_line = [&](const char* word, std::string form) {
        for (size_t at = 0; (at = form.find('\n', at)) != std::string::npos; at += 11) form.replace(at, 1, "\n          ");
        out.code += word + form;
      };
      for (const sema::CompiledFormat& f : m.formats) line_by_line("\n  format  ", f.form);
      for (const std::string& f : m.aim_forms) line_by_line("\n  aim     ", f);
      if (d.type == UINT32_MAX) break;
      const sema::Type& t = game.types[d.type];
      std::string value;
      for (size_t i = 0; i < t.names.size(); ++i) value += (i ? ", `" : "`") + t.names[i] + ": " + game.types.print(t.args[i]) + "`";
      if (!value.empty()) out.notes.push_back("its value has " + value);
      break;
    }
    case K::Function: {
      const auto* fn = o && o->decl ? std::get_if<ast::FnDecl>(&o->decl->node) : nullptr;
      out.code = "fn " + d.name + (fn ? params_of(fn->params) + " -> " + ast::print(*fn->result) : "()");
      break;
    }
    case K::Step: {
      const auto* step = o && o->decl ? std::get_if<ast::StepDecl>(&o->decl->node) : nullptr;
      out.code = "step " + d.name + (step ? params_of(step->params) : "()");
      break;
    }
    case K::Bot: {
      const auto* bot = o && o->decl ? std::get_if<ast::BotDecl>(&o->decl->node) : nullptr;
      out.code = "bot " + (bot ? bot->player.name + " " : "") + d.name;
      break;
    }
    case K::Parameter:
      out.code = d.name + typed;
      out.notes.push_back("parameter");
      break;
    case K::Capture:
      out.code = o && o->capture ? "{" + d.name + ": " + o->capture->char_class + "}" : d.name;
      out.notes.push_back("capture of the reply: `" + (type.empty() ? "text" : type) + "`");
      break;
    case K::Variable: {
      const ast::Stmt* s = o ? o->statement : nullptr;
      const bool asked = s && std::get_if<ast::Ask>(&s->node);
      const bool let = asked || (s && std::get_if<ast::Let>(&s->node));
      out.code = (d.changeable ? "var " : let ? "let " : "for ") + d.name + typed;
      if (asked) out.notes.push_back("the reply of `" + std::get<ast::Ask>(s->node).player.name + "`");
      if (d.part) out.notes.push_back("a part of the move's value");
      break;
    }
    case K::Library:
      out.code = "use english (" + d.name + ")";
      out.notes.push_back(sema::describe(d.name));
      break;
  }
  return out;
}

std::optional<Description> hover(const Analysis& a, uint32_t file, uint32_t offset) {
  Meaning m = meaning_at(a, file, offset);
  if (m.declared) {
    Description out = describe(a, *m.declared);
    out.span = m.span;
    return out;
  }
  Description out;
  if (m.own) {
    out.span = m.span;
    if (const sema::Row* row = m.own->row) {
      const bool method = row->form != sema::Row::Form::Function;
      out.code = (method ? std::string(row->params[0]) + "." : "") + sema::signature(*row) + (*row->result ? std::string(" -> ") + row->result : "");
      out.notes.push_back(sema::describe(*row));
    } else {
      out.code = m.own->name;
      out.notes.push_back(sema::describe(m.own->name));
    }
    return out;
  }
  if (m.include) return std::nullopt;
  std::string_view text = a.sources()[file].text();
  for (const syntax::Word& w : a.words(file)) {
    using W = syntax::Word::Kind;
    if (offset < w.span.begin || offset > w.span.end) continue;
    std::string word(text.substr(w.span.begin, w.span.end - w.span.begin));
    out.span = w.span;
    if (w.kind == W::Name) {
      // The names of types and classes are no declarations' names.
      std::string what = sema::describe(word);
      if (what.empty()) continue;
      out.code = word;
      out.notes.push_back(what);
      return out;
    }
    if (w.kind != W::Keyword && w.kind != W::SoftKeyword) continue;
    std::vector<std::string> forms;
    for (const std::string& form : {syntax::declaration_form(word), syntax::statement_form(word)})
      if (!form.empty()) forms.push_back(form);
    if (forms.empty()) continue;
    // Two where a word begins both: indentation tells which is meant often enough to show it alone.
    if (forms.size() == 2) {
      bool top = w.span.begin == 0 || text[w.span.begin - 1] == '\n';
      forms = {forms[top ? 0 : 1]};
    }
    out.code = forms[0];
    return out;
  }
  return std::nullopt;
}

std::optional<Span> definition(const Analysis& a, uint32_t file, uint32_t offset) {
  Meaning m = meaning_at(a, file, offset);
  if (m.declared) return m.declared->span;
  if (!m.include) return std::nullopt;
  // The file that an include named is read right behind it, unless it was read before.
  std::filesystem::path whole = (a.path_of(file).parent_path() / m.include->path).lexically_normal();
  for (uint32_t f = 0; f < a.sources().size(); ++f) {
    std::error_code error;
    if (a.path_of(f) == whole || a.path_of(f) == std::filesystem::weakly_canonical(whole, error)) return Span{f, 0, 0};
  }
  return std::nullopt;
}

}  // namespace ppc::ide
