#include <algorithm>
#include <map>

#include "compiler/ast/print.h"
#include "compiler/ide/ide.h"

namespace ppc::ide {

namespace {

/// The keyword that a declaration begins with.
Span word_at(Span whole, size_t length) { return {whole.file, whole.begin, std::min(whole.end, whole.begin + static_cast<uint32_t>(length))}; }

std::string players(const std::vector<ast::Ident>& list) {
  std::string out;
  for (const ast::Ident& p : list) out += (out.empty() ? "" : ", ") + p.name;
  return out;
}

std::string params(const std::vector<ast::Param>& list) {
  std::string out = "(";
  for (const ast::Param& p : list) out += (out.size() > 1 ? ", " : "") + p.name.name + ": " + ast::print(*p.type);
  return out + ")";
}

std::vector<Symbol> fields(const std::vector<ast::Field>& list, Symbol::Kind kind) {
  std::vector<Symbol> out;
  for (const ast::Field& f : list) out.push_back({kind, f.name.name, ast::print(*f.type), f.span, f.name.span, {}});
  return out;
}

}  // namespace

std::vector<Symbol> symbols(const Analysis& a, uint32_t file) {
  using K = Symbol::Kind;
  std::vector<Symbol> out;
  const ast::File* tree = a.tree_of(file);
  if (!tree) return out;
  if (tree->game) out.push_back({K::Game, tree->game->name, "game", tree->game->span, tree->game->span, {}});
  for (const ast::Decl& d : tree->decls) {
    Symbol s{K::Group, "", "", d.span, d.span, {}};
    auto named = [&](K kind, const ast::Ident& name, std::string detail) {
      s.kind = kind;
      s.name = name.name;
      s.span = name.span;
      s.detail = std::move(detail);
    };
    auto group = [&](K kind, const char* name) {
      s.kind = kind;
      s.name = name;
      s.span = word_at(d.span, std::char_traits<char>::length(name));
    };
    if (auto* x = std::get_if<ast::FieldsDecl>(&d.node)) {
      using W = ast::FieldsDecl::Where;
      group(K::Group, x->where == W::Experiment ? "experiment" : x->where == W::Instance ? "instance" : "state");
      s.children = fields(x->fields, x->where == W::State ? K::State : K::Field);
    } else if (auto* x = std::get_if<ast::RecordDecl>(&d.node)) {
      named(K::Record, x->name, "record");
      s.children = fields(x->fields, K::Field);
    } else if (auto* x = std::get_if<ast::EnumDecl>(&d.node)) {
      named(K::Enum, x->name, "enum");
      for (const auto& [name, spelling] : x->values) s.children.push_back({K::EnumValue, name.name, "", name.span, name.span, {}});
    } else if (auto* x = std::get_if<ast::WorldDecl>(&d.node)) {
      group(K::Group, "world");
      for (const ast::Predicate& p : x->predicates) {
        std::string terms = "(";
        for (const ast::Ident& t : p.terms) terms += (terms.size() > 1 ? ", " : "") + t.name;
        s.children.push_back({K::Predicate, p.name.name, terms + ")", p.span, p.name.span, {}});
      }
    } else if (auto* x = std::get_if<ast::GrammarDecl>(&d.node)) {
      named(K::Record, x->name, "grammar");
      for (const ast::GrammarRule& r : x->rules) s.children.push_back({K::Field, r.name.name, "", r.span, r.name.span, {}});
    } else if (auto* x = std::get_if<ast::PlayerDecl>(&d.node)) {
      named(K::Player, x->name, "player");
    } else if (auto* x = std::get_if<ast::ResourceDecl>(&d.node)) {
      named(K::Resource, x->name, ast::print(*x->type));
    } else if (auto* x = std::get_if<ast::FnDecl>(&d.node)) {
      named(K::Function, x->name, params(x->params) + " -> " + ast::print(*x->result));
    } else if (auto* x = std::get_if<ast::StepDecl>(&d.node)) {
      named(K::Step, x->name, params(x->params));
    } else if (auto* x = std::get_if<ast::MoveDecl>(&d.node)) {
      named(K::Move, x->name, "by " + players(x->players));
    } else if (std::get_if<ast::PlayDecl>(&d.node)) {
      group(K::Play, "play");
    } else if (auto* x = std::get_if<ast::BotDecl>(&d.node)) {
      named(K::Bot, x->name, "bot of " + x->player.name);
      s.children = fields(x->memory, K::State);
    } else if (auto* x = std::get_if<ast::MetricDecl>(&d.node)) {
      group(K::Metric, "metric");
      if (x->named) s.name = x->name, s.span = x->name_span;
      s.detail = x->at ? "turn score" : "metric";
    } else if (auto* x = std::get_if<ast::KeyDecl>(&d.node)) {
      group(K::Key, "key");
      s.name = x->name, s.span = x->name_span, s.detail = "key";
    } else if (std::get_if<ast::GenerateDecl>(&d.node)) {
      group(K::Generate, "generate");
    } else if (auto* x = std::get_if<ast::IncludeDecl>(&d.node)) {
      s.kind = K::File, s.name = x->path, s.span = x->path_span, s.detail = "include";
    } else {
      continue;
    }
    if (s.name.empty()) s.name = "?";
    out.push_back(std::move(s));
  }
  return out;
}

std::vector<Token> tokens(const Analysis& a, uint32_t file) {
  using W = syntax::Word::Kind;
  using T = Token::Kind;
  using D = sema::Declared::Kind;
  std::string_view text = a.sources()[file].text();
  std::map<uint32_t, Token> names;  // by where they begin
  auto of = [](const sema::Declared& d, Token& t) {
    switch (d.kind) {
      case D::Player: t.kind = T::Player, t.fixed = true; break;
      case D::Experiment: case D::Instance: case D::Resource: t.kind = T::Field, t.fixed = true; break;
      case D::State: case D::Memory: case D::RecordField: t.kind = T::Field; break;
      case D::Record: case D::Grammar: t.kind = T::Record; break;
      case D::Rule: t.kind = T::Type; break;
      case D::Enum: t.kind = T::Enum; break;
      case D::EnumValue: t.kind = T::EnumValue; break;
      case D::Move: t.kind = T::Move; break;
      case D::Function: case D::Step: case D::Bot: case D::Predicate: t.kind = T::Function; break;
      case D::Library: t.kind = T::Function, t.own = true; break;
      case D::Parameter: t.kind = T::Parameter, t.fixed = true; break;
      case D::Capture: t.kind = T::Variable, t.fixed = true; break;
      case D::Variable: t.kind = T::Variable, t.fixed = !d.changeable; break;
    }
  };
  for (const sema::Declared& d : a.names().declared) {
    if (d.span.file != file) continue;
    Token t{T::Variable, d.span, true, false, false};
    of(d, t);
    names[d.span.begin] = t;
  }
  for (const sema::Use& u : a.names().uses) {
    const sema::Declared* d = u.span.file == file ? a.declared_at(u.declared) : nullptr;
    if (!d) continue;
    Token t{T::Variable, u.span, false, false, false};
    of(*d, t);
    names[u.span.begin] = t;
  }
  for (const sema::OwnUse& u : a.names().own) {
    if (u.span.file != file) continue;
    bool method = u.row && u.row->form != sema::Row::Form::Function;
    names[u.span.begin] = {u.row ? method ? T::Method : T::Function : T::Variable, u.span, false, !u.row, true};
  }
  std::vector<Token> out;
  auto lines = [&](Span span, T kind) {  // a token lies within one line
    for (uint32_t at = span.begin; at < span.end;) {
      size_t stop = text.find_first_of("\r\n", at);
      uint32_t end = stop == std::string_view::npos || stop > span.end ? span.end : static_cast<uint32_t>(stop);
      if (end > at) out.push_back({kind, {file, at, end}, false, false, false});
      at = end + 1;
    }
  };
  for (const syntax::Word& w : a.words(file)) {
    auto known = names.find(w.span.begin);
    if (known != names.end() && known->second.span == w.span) {
      out.push_back(known->second);
      continue;
    }
    switch (w.kind) {
      case W::Keyword: case W::SoftKeyword: lines(w.span, T::Keyword); break;
      case W::Number: lines(w.span, T::Number); break;
      case W::TextOpen: case W::Text: case W::Escape: case W::TextClose: lines(w.span, T::Text); break;
      case W::Comment: lines(w.span, T::Comment); break;
      case W::Name: {
        std::string word(text.substr(w.span.begin, w.span.end - w.span.begin));
        static const char* const types[] = {"int", "float", "bool", "text", "regex", "document", "fact", "set", "map", "line", "word", "letters", "digits"};
        if (std::find(std::begin(types), std::end(types), word) != std::end(types)) out.push_back({T::Type, w.span, false, false, true});
        break;
      }
      default: break;
    }
  }
  return out;
}

}  // namespace ppc::ide
