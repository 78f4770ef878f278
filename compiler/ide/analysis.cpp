#include "compiler/ide/analysis.h"

#include <algorithm>
#include <cstring>

#include "compiler/syntax/read.h"

namespace ppc::ide {

namespace fs = std::filesystem;

namespace {

std::pair<uint32_t, uint32_t> key(Span s) { return {s.file, s.begin}; }

/// Goes through a tree and says for every declared name what declares it and where it is known.
class Walker {
 public:
  Walker(uint32_t size, const std::vector<syntax::Word>& words, std::string_view text, std::map<std::pair<uint32_t, uint32_t>, Origin>& origins,
         std::vector<Visible>& visible)
      : size_(size), origins_(origins), visible_(visible) {
    // Pairs of braces; what is not closed goes to the end of the file.
    std::vector<size_t> open;
    for (const syntax::Word& w : words) {
      if (w.kind != syntax::Word::Kind::Sign || w.span.end != w.span.begin + 1) continue;
      char c = text[w.span.begin];
      if (c == '{') {
        const size_t around = open.empty() ? SIZE_MAX : open.back();
        open.push_back(braces_.size());
        braces_.push_back({w.span.begin, size, around});
      } else if (c == '}' && !open.empty()) {
        braces_[open.back()].close = w.span.begin;
        open.pop_back();
      }
    }
  }

  void decl(const ast::Decl& d) {
    origin_ = {};
    origin_.decl = &d;
    const Span whole = d.span;
    auto named = [&](const ast::Ident& name) { origins_[key(name.span)] = origin_; };
    auto fields = [&](const std::vector<ast::Field>& list, bool local) {
      for (const ast::Field& f : list) {
        Origin o = origin_;
        o.field = &f;
        origins_[key(f.name.span)] = o;
        if (local) visible_.push_back({f.name.span, whole});
        if (f.initial) expr(*f.initial);
      }
    };
    auto params = [&](const std::vector<ast::Param>& list) {
      for (const ast::Param& p : list) {
        Origin o = origin_;
        o.param = &p;
        origins_[key(p.name.span)] = o;
        visible_.push_back({p.name.span, whole});
      }
    };
    if (auto* x = std::get_if<ast::FieldsDecl>(&d.node)) fields(x->fields, false);
    else if (auto* x = std::get_if<ast::RecordDecl>(&d.node)) named(x->name), fields(x->fields, false);
    else if (auto* x = std::get_if<ast::EnumDecl>(&d.node)) {
      named(x->name);
      for (const auto& [name, spelling] : x->values) named(name);
    } else if (auto* x = std::get_if<ast::WorldDecl>(&d.node)) {
      for (const ast::Predicate& p : x->predicates) {
        Origin o = origin_;
        o.predicate = &p;
        origins_[key(p.name.span)] = o;
      }
    } else if (auto* x = std::get_if<ast::GrammarDecl>(&d.node)) {
      named(x->name);
      for (const ast::GrammarRule& r : x->rules) {
        Origin o = origin_;
        o.rule = &r;
        origins_[key(r.name.span)] = o;
        for (const auto& branch : r.branches) words(branch);
      }
    } else if (auto* x = std::get_if<ast::PlayerDecl>(&d.node)) named(x->name);
    else if (auto* x = std::get_if<ast::UseDecl>(&d.node)) {
      for (const ast::Ident& name : x->names) named(name);
    } else if (auto* x = std::get_if<ast::ResourceDecl>(&d.node)) named(x->name);
    else if (auto* x = std::get_if<ast::FnDecl>(&d.node)) {
      named(x->name);
      params(x->params);
      if (x->expression) expr(*x->expression);
      block(x->body);
    } else if (auto* x = std::get_if<ast::StepDecl>(&d.node)) {
      named(x->name);
      params(x->params);
      block(x->body);
    } else if (auto* x = std::get_if<ast::MoveDecl>(&d.node)) {
      named(x->name);
      block(x->body);
    } else if (auto* x = std::get_if<ast::PlayDecl>(&d.node)) block(x->body);
    else if (auto* x = std::get_if<ast::BotDecl>(&d.node)) {
      named(x->name);
      fields(x->memory, true);
      block(x->body);
    } else if (auto* x = std::get_if<ast::MetricDecl>(&d.node)) {
      if (x->source) expr(*x->source);
      if (x->at) named(*x->at), visible_.push_back({x->at->span, whole});
      if (x->value) expr(*x->value);
      if (x->condition) expr(*x->condition);
    } else if (auto* x = std::get_if<ast::KeyDecl>(&d.node)) {
      if (x->value) expr(*x->value);
    } else if (auto* x = std::get_if<ast::GenerateDecl>(&d.node)) block(x->body);
  }

 private:
  /// To the end of the block that holds a place.
  Span rest_of_block(Span from) const {
    // The last one that opens in front of it, or one around that.
    auto behind = std::lower_bound(braces_.begin(), braces_.end(), from.begin, [](const Braces& b, uint32_t place) { return b.open < place; });
    size_t at = behind == braces_.begin() ? SIZE_MAX : static_cast<size_t>(behind - braces_.begin() - 1);
    while (at != SIZE_MAX && braces_[at].close < from.begin) at = braces_[at].around;
    return {from.file, from.end, at == SIZE_MAX ? size_ : braces_[at].close};
  }
  void local(const ast::Ident& name, const ast::Stmt& s, Span range) {
    if (name.name.empty()) return;
    Origin o = origin_;
    o.statement = &s;
    origins_[key(name.span)] = o;
    visible_.push_back({name.span, range});
  }
  void captures(const std::vector<ast::FormatItem>& items, const ast::Stmt& s, Span range) {
    for (const ast::FormatItem& item : items) {
      if (item.name) {
        Origin o = origin_;
        o.capture = &item;
        o.statement = &s;
        origins_[key(item.name->span)] = o;
        visible_.push_back({item.name->span, range});
      }
      for (const auto& branch : item.branches) captures(branch, s, range);
    }
  }
  void words(const std::vector<ast::FormatItem>& items) {
    for (const ast::FormatItem& item : items) {
      if (item.among) expr(*item.among);
      for (const auto& branch : item.branches) words(branch);
    }
  }
  void consequence(const ast::Consequence& c) { block(c.body); }
  void block(const ast::Block& b) {
    for (const ast::Stmt& s : b) stmt(s);
  }
  void may(const ast::ExprPtr& e) {
    if (e) expr(*e);
  }

  void stmt(const ast::Stmt& s) {
    if (auto* x = std::get_if<ast::Let>(&s.node)) {
      may(x->value);
      consequence(x->otherwise);
      local(x->name, s, rest_of_block(s.span));
    } else if (auto* x = std::get_if<ast::Assign>(&s.node)) may(x->target), may(x->value);
    else if (auto* x = std::get_if<ast::Evaluate>(&s.node)) may(x->call);
    else if (auto* x = std::get_if<ast::If>(&s.node)) may(x->condition), block(x->then), block(x->otherwise);
    else if (auto* x = std::get_if<ast::For>(&s.node)) {
      for (const ast::Ident& n : new_names(x->names)) local(n, s, s.span);
      may(x->source), may(x->where), block(x->body);
    } else if (auto* x = std::get_if<ast::Round>(&s.node)) local(x->name, s, s.span), may(x->source), block(x->body);
    else if (auto* x = std::get_if<ast::Together>(&s.node)) {
      // What is asked together is known behind the block, too.
      block(x->body);
      for (const ast::Stmt& inner : x->body)
        if (auto* a = std::get_if<ast::Ask>(&inner.node); a && a->bind) local(a->name, inner, rest_of_block(s.span));
    } else if (auto* x = std::get_if<ast::RepeatAtMost>(&s.node)) may(x->times), block(x->body);
    else if (auto* x = std::get_if<ast::Return>(&s.node)) may(x->value);
    else if (auto* x = std::get_if<ast::Ask>(&s.node)) {
      may(x->aside);
      if (x->bind) local(x->name, s, rest_of_block(s.span));
    } else if (auto* x = std::get_if<ast::Tell>(&s.node)) may(x->value);
    else if (auto* x = std::get_if<ast::Brief>(&s.node)) may(x->value), may(x->answered);
    else if (auto* x = std::get_if<ast::Say>(&s.node)) may(x->value);
    else if (auto* x = std::get_if<ast::Note>(&s.node)) may(x->value);
    else if (auto* x = std::get_if<ast::RewardStmt>(&s.node)) may(x->value);
    else if (auto* x = std::get_if<ast::Outcome>(&s.node)) may(x->score), may(x->reason);
    else if (auto* x = std::get_if<ast::Retry>(&s.node)) {
      may(x->times), may(x->tell);
      if (x->then) consequence(*x->then);
    } else if (auto* x = std::get_if<ast::Read>(&s.node)) may(x->value);
    else if (auto* x = std::get_if<ast::Format>(&s.node)) words(x->items), consequence(x->otherwise), captures(x->items, s, rest_of_block(s.span));
    else if (auto* x = std::get_if<ast::Check>(&s.node)) may(x->condition), consequence(x->otherwise);
    else if (auto* x = std::get_if<ast::Gives>(&s.node)) may(x->value);
    else if (auto* x = std::get_if<ast::ExperimentStmt>(&s.node)) may(x->name), block(x->body);
    else if (auto* x = std::get_if<ast::InstancesStmt>(&s.node)) {
      if (x->index) local(*x->index, s, s.span);
      may(x->count), block(x->body);
    } else if (auto* x = std::get_if<ast::ResourceStmt>(&s.node)) may(x->path), local(x->name, s, origin_.decl->span);
  }

  /// Those that may be new: a term of a fact that is a name already is not declared here.
  std::vector<ast::Ident> new_names(const ast::Names& names) {
    std::vector<ast::Ident> out = names.names;
    for (const ast::ExprPtr& term : names.terms) {
      auto* name = std::get_if<ast::Name>(&term->node);
      if (!name) expr(*term);
      else if (name->name != "_") out.push_back({name->name, name->span});
    }
    return out;
  }
  void bound(const ast::Names& names, Span range) {
    for (const ast::Ident& n : new_names(names)) {
      origins_[key(n.span)] = origin_;
      visible_.push_back({n.span, range});
    }
  }
  void args(const std::vector<ast::Arg>& list) {
    for (const ast::Arg& a : list) may(a.key), may(a.value);
  }

  void expr(const ast::Expr& e) {
    if (auto* x = std::get_if<ast::TextLit>(&e.node)) {
      for (const ast::TextPart& p : x->parts) may(p.value);
    } else if (auto* x = std::get_if<ast::FieldAccess>(&e.node)) may(x->object);
    else if (auto* x = std::get_if<ast::Call>(&e.node)) may(x->receiver), args(x->args);
    else if (auto* x = std::get_if<ast::Index>(&e.node)) may(x->object), may(x->index);
    else if (auto* x = std::get_if<ast::Slice>(&e.node)) may(x->object), may(x->from), may(x->to);
    else if (auto* x = std::get_if<ast::Unary>(&e.node)) may(x->operand);
    else if (auto* x = std::get_if<ast::Binary>(&e.node)) may(x->left), may(x->right);
    else if (auto* x = std::get_if<ast::IfExpr>(&e.node)) may(x->condition), may(x->then), may(x->otherwise);
    else if (auto* x = std::get_if<ast::Range>(&e.node)) may(x->low), may(x->high);
    else if (auto* x = std::get_if<ast::MatchExpr>(&e.node)) {
      may(x->subject);
      for (const ast::MatchArm& arm : x->arms) may(arm.pattern), may(arm.value);
    } else if (auto* x = std::get_if<ast::ListLit>(&e.node)) {
      for (const auto& i : x->items) may(i);
    } else if (auto* x = std::get_if<ast::SetLit>(&e.node)) {
      for (const auto& i : x->items) may(i);
    } else if (auto* x = std::get_if<ast::MapLit>(&e.node)) {
      for (const auto& [k, v] : x->entries) may(k), may(v);
    } else if (auto* x = std::get_if<ast::TupleLit>(&e.node)) {
      for (const auto& i : x->items) may(i);
    } else if (auto* x = std::get_if<ast::Comprehension>(&e.node)) {
      for (const ast::Generator& g : x->generators) bound(g.names, e.span), may(g.source), may(g.condition);
      may(x->key), may(x->value);
    } else if (auto* x = std::get_if<ast::Quantified>(&e.node)) bound(x->names, e.span), may(x->source), may(x->condition);
    else if (auto* x = std::get_if<ast::Reveal>(&e.node)) may(x->value);
    else if (auto* x = std::get_if<ast::RecordLit>(&e.node)) args(x->fields);
  }

  uint32_t size_;
  std::map<std::pair<uint32_t, uint32_t>, Origin>& origins_;
  std::vector<Visible>& visible_;
  struct Braces {
    uint32_t open, close;
    size_t around;
  };
  std::vector<Braces> braces_;  // by where they open
  Origin origin_;
};

}  // namespace

Analysis::Analysis(const std::string& path, const Instead& instead) {
  syntax::ReadOptions options;
  options.limits.tolerant = true;
  options.instead = instead;
  options.words = &words_;
  files_ = syntax::read_game(path, out_, options);
  for (uint32_t i = 0; i < sources_.size(); ++i) paths_.push_back(syntax::whole_path(sources_[i].path()));
  bool whole = out_.errors() == 0 && is_game();
  // A shared part is judged with its game only.
  names_ = sema::study(files_, whole ? out_ : quiet_);
  names_.sound &= whole;
  for (size_t i = 0; i < names_.declared.size(); ++i) declared_.try_emplace(key(names_.declared[i].span), i);
  look_up_origins();
}

void Analysis::look_up_origins() {
  for (const ast::File& file : files_) {
    const uint32_t f = file.span.file;
    Walker walker(static_cast<uint32_t>(sources_[f].text().size()), words(f), sources_[f].text(), origins_, visible_);
    for (const ast::Decl& d : file.decls) walker.decl(d);
  }
}

bool Analysis::failed_to_read() const {
  for (const diag::Report& r : out_.reports())
    if (std::strcmp(r.what->code, "E0601") == 0) return true;
  return false;
}

std::optional<uint32_t> Analysis::file_of(const fs::path& whole) const {
  for (uint32_t i = 0; i < paths_.size(); ++i)
    if (paths_[i] == whole) return i;
  return std::nullopt;
}

const ast::File* Analysis::tree_of(uint32_t file) const {
  for (const ast::File& f : files_)
    if (f.span.file == file) return &f;
  return nullptr;
}

const std::vector<syntax::Word>& Analysis::words(uint32_t file) const {
  static const std::vector<syntax::Word> none;
  return file < words_.size() ? words_[file] : none;
}

const sema::Declared* Analysis::declared_at(Span name) const {
  auto at = declared_.find(key(name));
  return at == declared_.end() || names_.declared[at->second].span != name ? nullptr : &names_.declared[at->second];
}

const Origin* Analysis::origin_of(Span name) const {
  auto at = origins_.find(key(name));
  return at == origins_.end() ? nullptr : &at->second;
}

sema::TypeId Analysis::type_of(Span expression) const {
  sema::TypeId found = UINT32_MAX;
  for (const sema::Typed& t : names_.types)
    if (t.span == expression) found = t.type;
  return found;
}

Meaning meaning_at(const Analysis& analysis, uint32_t file, uint32_t offset) {
  Meaning out;
  bool inside = false;  // rather the name that the place is in than the one it is behind
  auto fits = [&](Span s) {
    if (s.file != file || offset < s.begin || offset > s.end || s.begin == s.end) return false;
    if (out.found() && (inside || offset == s.end)) return false;
    inside = offset < s.end;
    return true;
  };
  for (const sema::Declared& d : analysis.names().declared)
    if (fits(d.span)) out = {d.span, &d, nullptr, nullptr};
  for (const sema::Use& u : analysis.names().uses)
    if (const sema::Declared* d = nullptr; fits(u.span) && (d = analysis.declared_at(u.declared))) out = {u.span, d, nullptr, nullptr};
  for (const sema::OwnUse& u : analysis.names().own)
    if (fits(u.span)) out = {u.span, nullptr, &u, nullptr};
  if (out.found()) return out;
  if (const ast::File* tree = analysis.tree_of(file))
    for (const ast::Decl& d : tree->decls)
      if (auto* include = std::get_if<ast::IncludeDecl>(&d.node))
        if (include->path_span.begin <= offset && offset <= include->path_span.end) out = {include->path_span, nullptr, nullptr, include};
  return out;
}

std::vector<Occurrence> occurrences(const Analysis& analysis, const sema::Declared& declared) {
  std::vector<Occurrence> out;
  out.push_back({declared.span, true, false});
  for (const sema::Use& u : analysis.names().uses)
    if (u.declared == declared.span) out.push_back({u.span, false, u.changes});
  std::sort(out.begin(), out.end(), [](const Occurrence& a, const Occurrence& b) {
    return std::pair(a.span.file, a.span.begin) < std::pair(b.span.file, b.span.begin);
  });
  return out;
}

}  // namespace ppc::ide
