#include "tools/lsp/server.h"

#include <algorithm>

namespace ppc::lsp {

namespace fs = std::filesystem;

namespace {

using Object = Json::Object;
using List = Json::List;

enum Code { kParse = -32700, kInvalidRequest = -32600, kNoMethod = -32601, kInvalidParams = -32602, kInternal = -32603,
            kNotInitialized = -32002, kFailed = -32803, kCancelled = -32800 };

struct Problem {
  int code;
  std::string message;
};

const Json& need(const Json& object, const char* key) {
  const Json* found = object.find(key);
  if (!found) throw Problem{kInvalidParams, std::string("`") + key + "` is missing"};
  return *found;
}
const std::string& text(const Json& object, const char* key) {
  const Json& v = need(object, key);
  if (!v.is_text()) throw Problem{kInvalidParams, std::string("`") + key + "` is no text"};
  return v.as_text();
}
uint32_t number(const Json& object, const char* key) {
  const Json& v = need(object, key);
  if (!v.is_int() || v.as_int() < 0) throw Problem{kInvalidParams, std::string("`") + key + "` is no number"};
  return static_cast<uint32_t>(std::min<int64_t>(v.as_int(), INT32_MAX));
}
Position position_of(const Json& p) { return {number(p, "line"), number(p, "character")}; }
/// Follows members; null when one is missing.
const Json* at(const Json& from, std::initializer_list<const char*> path) {
  const Json* v = &from;
  for (const char* key : path) {
    v = v->find(key);
    if (!v) return nullptr;
  }
  return v;
}
bool is_true(const Json& from, std::initializer_list<const char*> path) {
  const Json* v = at(from, path);
  return v && v->is_bool() && v->as_bool();
}

int symbol_kind(ide::Symbol::Kind kind) {
  using K = ide::Symbol::Kind;
  switch (kind) {
    case K::File: return 1;
    case K::Game: return 2;
    case K::Group: return 3;
    case K::Field: return 8;
    case K::State: return 13;
    case K::Player: return 19;
    case K::Record: return 23;
    case K::Enum: return 10;
    case K::EnumValue: return 22;
    case K::Predicate: return 12;
    case K::Move: return 24;
    case K::Function: return 12;
    case K::Step: return 6;
    case K::Play: return 12;
    case K::Bot: return 5;
    case K::Metric: return 7;
    case K::Key: return 20;
    case K::Generate: return 9;
    case K::Resource: return 14;
  }
  return 13;
}

int completion_kind(ide::Completion::Kind kind) {
  using K = ide::Completion::Kind;
  switch (kind) {
    case K::Keyword: return 14;
    case K::Field: return 5;
    case K::Variable: return 6;
    case K::Player: return 12;
    case K::Move: return 23;
    case K::Function: return 3;
    case K::Step: return 2;
    case K::Method: return 2;
    case K::Record: return 22;
    case K::Enum: return 13;
    case K::EnumValue: return 20;
    case K::Type: return 7;
    case K::Class: return 11;
    case K::Library: return 9;
  }
  return 1;
}

const char* const kTokenTypes[] = {"keyword", "string", "number", "comment", "type", "enum", "enumMember", "struct", "property",
                                   "function", "method", "parameter", "variable", "class", "event"};
const char* const kTokenModifiers[] = {"declaration", "readonly", "defaultLibrary"};

}  // namespace

// ---- messages -------------------------------------------------------------------------------------------------------

void Server::take(const std::string& body) {
  try {
    queue_.push_back(engine::parse_json(body, "message"));
  } catch (const engine::InputError& e) {
    broken(e.what());
  }
}

void Server::broken(const std::string& problem) { error(nullptr, kParse, problem); }

void Server::result(const Json& id, Json value) { send_(Object{{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(value)}}); }

void Server::error(const Json& id, int code, const std::string& message) {
  send_(Object{{"jsonrpc", "2.0"}, {"id", id}, {"error", Object{{"code", code}, {"message", message}}}});
}

void Server::step() {
  Json message = std::move(queue_.front());
  queue_.pop_front();
  lines_.clear();
  handle(message);
}

void Server::handle(const Json& message) {
  if (!message.is_object()) return error(nullptr, kInvalidRequest, "a message is an object");
  const Json* id = message.find("id");
  const Json* method = message.find("method");
  if (id && !id->is_int() && !id->is_text() && !id->is_null()) return error(nullptr, kInvalidRequest, "`id` is a number or a text");
  if (!method && id && (message.find("result") || message.find("error"))) return;  // an answer to a request of ours
  if (!method || !method->is_text()) return error(id ? *id : Json(), kInvalidRequest, "`method` is missing");
  const std::string& name = method->as_text();
  static const Json nothing = Json::object();
  const Json* params = message.find("params");
  if (!params) params = &nothing;
  try {
    if (name == "exit") {
      exited_ = true;
      return;
    }
    if (!id) {
      if (initialized_ && !shut_down_) note(name, *params);
      return;
    }
    for (const Json& later : queue_) {
      const Json* what = later.find("method");
      const Json* which = what && what->is_text() && what->as_text() == "$/cancelRequest" ? at(later, {"params", "id"}) : nullptr;
      if (which && *which == *id) return error(*id, kCancelled, "cancelled");
    }
    if (shut_down_) return error(*id, kInvalidRequest, "the server is shut down");
    if (!initialized_ && name != "initialize") return error(*id, kNotInitialized, "`initialize` comes first");
    result(*id, answer(name, *params));
  } catch (const Problem& p) {
    if (id) error(*id, p.code, p.message);
  } catch (const std::exception& e) {
    if (id) error(*id, kInternal, e.what());
  }
}

Json Server::answer(const std::string& method, const Json& params) {
  if (method == "initialize") return initialize(params);
  if (method == "shutdown") {
    shut_down_ = true;
    return nullptr;
  }
  if (method == "textDocument/hover") return hover(params);
  if (method == "textDocument/definition") return definition(params);
  if (method == "textDocument/references") return references(params);
  if (method == "textDocument/documentHighlight") return highlights(params);
  if (method == "textDocument/completion") return completion(params);
  if (method == "textDocument/documentSymbol") return symbols(params);
  if (method == "textDocument/codeAction") return code_actions(params);
  if (method == "textDocument/prepareRename") return prepare_rename(params);
  if (method == "textDocument/rename") return rename(params);
  if (method == "textDocument/formatting") return formatting(params);
  if (method == "textDocument/semanticTokens/full") return semantic_tokens(params);
  throw Problem{kNoMethod, "there is no method `" + method + "`"};
}

void Server::note(const std::string& method, const Json& params) {
  if (method == "initialized") initialized();
  else if (method == "textDocument/didOpen") did_open(params);
  else if (method == "textDocument/didChange") did_change(params);
  else if (method == "textDocument/didClose") did_close(params);
  else if (method == "textDocument/didSave" || method == "workspace/didChangeWatchedFiles") {
    workspace_.forget();
    for (const auto& [path, document] : documents_) changed_.insert(path);
  }
}

// ---- beginning ------------------------------------------------------------------------------------------------------

Json Server::initialize(const Json& params) {
  if (initialized_) throw Problem{kInvalidRequest, "`initialize` came before"};
  initialized_ = true;
  std::string encoding = "utf-16";
  if (const Json* offered = at(params, {"capabilities", "general", "positionEncodings"}); offered && offered->is_list())
    for (const Json& e : offered->items())
      if (e.is_text() && (e.as_text() == "utf-8" || e.as_text() == "utf-16" || e.as_text() == "utf-32")) {
        encoding = e.as_text();
        break;
      }
  encoding_ = encoding == "utf-8" ? Encoding::Utf8 : encoding == "utf-32" ? Encoding::Utf32 : Encoding::Utf16;
  if (const Json* formats = at(params, {"capabilities", "textDocument", "hover", "contentFormat"}); formats && formats->is_list()) {
    markdown_ = false;
    for (const Json& f : formats->items()) markdown_ |= f.is_text() && f.as_text() == "markdown";
  }
  nested_symbols_ = is_true(params, {"capabilities", "textDocument", "documentSymbol", "hierarchicalDocumentSymbolSupport"});
  watches_ = is_true(params, {"capabilities", "workspace", "didChangeWatchedFiles", "dynamicRegistration"});
  List types, modifiers;
  for (const char* t : kTokenTypes) types.emplace_back(t);
  for (const char* m : kTokenModifiers) modifiers.emplace_back(m);
  Object can{
      {"positionEncoding", encoding},
      {"textDocumentSync", Object{{"openClose", true}, {"change", 2}, {"save", true}}},
      {"hoverProvider", true},
      {"definitionProvider", true},
      {"referencesProvider", true},
      {"documentHighlightProvider", true},
      {"documentSymbolProvider", true},
      {"completionProvider", Object{{"triggerCharacters", List{"."}}}},
      {"codeActionProvider", Object{{"codeActionKinds", List{"quickfix"}}}},
      {"renameProvider", Object{{"prepareProvider", true}}},
      {"documentFormattingProvider", true},
      {"semanticTokensProvider",
       Object{{"legend", Object{{"tokenTypes", std::move(types)}, {"tokenModifiers", std::move(modifiers)}}}, {"full", true}}},
  };
  return Object{{"capabilities", std::move(can)}, {"serverInfo", Object{{"name", "ppc"}}}};
}

void Server::initialized() {
  if (!watches_) return;
  send_(Object{{"jsonrpc", "2.0"},
               {"id", next_id_++},
               {"method", "client/registerCapability"},
               {"params", Object{{"registrations", List{Object{{"id", "games"},
                                                               {"method", "workspace/didChangeWatchedFiles"},
                                                               {"registerOptions", Object{{"watchers", List{Object{{"globPattern", "**/*.game"}}}}}}}}}}}});
}

// ---- documents ------------------------------------------------------------------------------------------------------

fs::path Server::document_path(const Json& params) const { return path_of(text(need(params, "textDocument"), "uri")); }

void Server::did_open(const Json& params) {
  const Json& document = need(params, "textDocument");
  fs::path path = document_path(params);
  documents_[path] = {text(document, "uri"), document.find("version") && document.find("version")->is_int() ? document.find("version")->as_int() : 0};
  workspace_.set(path, text(document, "text"));
  changed_.insert(path);
}

void Server::did_change(const Json& params) {
  fs::path path = document_path(params);
  auto known = documents_.find(path);
  const std::string* before = workspace_.text(path);
  if (known == documents_.end() || !before) throw Problem{kInvalidParams, "the document is not open"};
  std::string now = *before;
  const Json& changes = need(params, "contentChanges");
  if (!changes.is_list()) throw Problem{kInvalidParams, "`contentChanges` is no list"};
  for (const Json& change : changes.items()) {
    const std::string& put = text(change, "text");
    const Json* range = change.find("range");
    if (!range || range->is_null()) {
      now = put;
      continue;
    }
    Lines lines(now, encoding_);
    uint32_t begin = lines.offset(position_of(need(*range, "start"))), end = lines.offset(position_of(need(*range, "end")));
    if (end < begin) std::swap(begin, end);
    now.replace(begin, end - begin, put);
  }
  if (const Json* version = at(params, {"textDocument", "version"}); version && version->is_int()) known->second.version = version->as_int();
  workspace_.set(path, std::move(now));
  changed_.insert(path);
}

void Server::did_close(const Json& params) {
  fs::path path = document_path(params);
  if (documents_.erase(path) == 0) return;
  workspace_.drop(path);
  changed_.insert(path);
}

// ---- places -----------------------------------------------------------------------------------------------------------

std::string Server::uri(const fs::path& path) const {
  auto open = documents_.find(path);
  return open != documents_.end() ? open->second.uri : uri_of(path);
}

const Lines& Server::lines_of(const ide::Analysis& a, uint32_t file) const {
  auto known = lines_.find({&a, file});
  if (known == lines_.end()) known = lines_.emplace(std::pair(&a, file), Lines(a.sources()[file].text(), encoding_)).first;
  return known->second;
}

Json Server::position(const Lines& lines, uint32_t offset) const {
  Position p = lines.position(offset);
  return Object{{"line", int64_t{p.line}}, {"character", int64_t{p.character}}};
}

Json Server::range(const ide::Analysis& a, Span span) const {
  const Lines& lines = lines_of(a, span.file);
  return Object{{"start", position(lines, span.begin)}, {"end", position(lines, span.end)}};
}

Json Server::location(const ide::Analysis& a, Span span) const { return Object{{"uri", uri(a.path_of(span.file))}, {"range", range(a, span)}}; }

Server::Place Server::file_of(const Json& params) {
  Place place;
  place.path = document_path(params);
  if (!workspace_.text(place.path)) throw Problem{kInvalidParams, "the document is not open"};
  std::vector<fs::path> roots = workspace_.roots(place.path);
  roots.push_back(place.path);
  for (const fs::path& root : roots) {
    const ide::Analysis& a = workspace_.analysis(root);
    if (auto file = a.file_of(place.path)) {
      place.analysis = &a;
      place.file = *file;
      return place;
    }
  }
  throw Problem{kInternal, "the document belongs to no game"};
}

Server::Place Server::place_of(const Json& params) {
  Place place = file_of(params);
  place.offset = lines_of(*place.analysis, place.file).offset(position_of(need(params, "position")));
  return place;
}

// ---- diagnostics ------------------------------------------------------------------------------------------------------

Json Server::diagnostic(const ide::Analysis& a, const diag::Report& r) const {
  std::string message = r.message;
  for (const std::string& h : r.hints) message += "\n" + h;
  Object out{{"range", range(a, r.span)},
             {"severity", r.what->severity == diag::Severity::Error ? 1 : r.what->severity == diag::Severity::Warning ? 2 : 3},
             {"code", r.what->code},
             {"source", "ppc"},
             {"message", message}};
  if (std::string(r.what->code) == "W0201" || std::string(r.what->code) == "W0501") out.push_back({"tags", List{1}});
  List related;
  for (const diag::Label& l : r.labels)
    if (l.span.file < a.sources().size()) related.push_back(Object{{"location", location(a, l.span)}, {"message", l.text}});
  if (!related.empty()) out.push_back({"relatedInformation", std::move(related)});
  return out;
}

void Server::publish(const std::function<bool()>& interrupted) {
  if (changed_.empty()) return;
  lines_.clear();
  // What is wrong with the games of all open documents, by file; a shared part has what is wrong with it in any of them.
  std::map<fs::path, List> now;
  std::set<fs::path> roots;
  for (const auto& [path, document] : documents_) {
    now[path];
    try {
      for (const fs::path& root : workspace_.roots(path)) roots.insert(root);
    } catch (const std::exception&) {
      // Its folder cannot be read; it stands alone.
      roots.insert(path);
    }
  }
  for (const fs::path& root : roots) {
    if (interrupted()) return;
    try {
      const ide::Analysis& a = workspace_.analysis(root);
      for (const diag::Report& r : a.reports()) {
        if (r.span.file >= a.sources().size()) continue;
        List& list = now[a.path_of(r.span.file)];
        Json d = diagnostic(a, r);
        if (std::find(list.begin(), list.end(), d) == list.end()) list.push_back(std::move(d));
      }
    } catch (const std::exception& e) {
      send_(Object{{"jsonrpc", "2.0"}, {"method", "window/logMessage"}, {"params", Object{{"type", 1}, {"message", root.string() + ": " + e.what()}}}});
    }
  }
  for (const auto& [path, said] : published_) now[path];  // what is mended is taken back
  for (auto& [path, list] : now) {
    auto open = documents_.find(path);
    std::string text = engine::to_text(list);
    auto known = published_.find(path);
    const bool same = known != published_.end() && known->second == text;
    // A document that changed hears of it even when nothing else is to be said; others only when something is.
    if (same ? !changed_.count(path) || open == documents_.end() : list.empty() && known == published_.end() && open == documents_.end()) continue;
    Object params{{"uri", uri(path)}, {"diagnostics", list}};
    if (open != documents_.end()) params.push_back({"version", open->second.version});
    send_(Object{{"jsonrpc", "2.0"}, {"method", "textDocument/publishDiagnostics"}, {"params", std::move(params)}});
    if (list.empty() && open == documents_.end()) published_.erase(path);
    else published_[path] = std::move(text);
  }
  changed_.clear();
}

Json Server::code_actions(const Json& params) {
  Place place = file_of(params);
  const Json& asked = need(params, "range");
  const Lines& lines = lines_of(*place.analysis, place.file);
  uint32_t begin = lines.offset(position_of(need(asked, "start"))), end = lines.offset(position_of(need(asked, "end")));
  if (const Json* only = at(params, {"context", "only"}); only && only->is_list()) {
    bool wanted = false;
    for (const Json& kind : only->items()) wanted |= kind.is_text() && (kind.as_text() == "quickfix" || kind.as_text().empty());
    if (!wanted) return List{};
  }
  List out;
  std::set<std::string> seen;
  std::vector<fs::path> roots = workspace_.roots(place.path);
  for (const fs::path& root : roots) {
    const ide::Analysis& a = workspace_.analysis(root);
    for (const diag::Report& r : a.reports()) {
      if (r.span.file >= a.sources().size() || a.path_of(r.span.file) != place.path || r.span.begin > end || r.span.end < begin) continue;
      for (const diag::Fix& f : r.fixes) {
        Json edit = Object{{"range", range(a, f.span)}, {"newText", f.text}};
        if (!seen.insert(f.title + engine::to_text(edit)).second) continue;
        Object changes{{uri(a.path_of(f.span.file)), List{std::move(edit)}}};
        out.push_back(Object{{"title", f.title},
                             {"kind", "quickfix"},
                             {"diagnostics", List{diagnostic(a, r)}},
                             {"isPreferred", r.fixes.size() == 1},
                             {"edit", Object{{"changes", std::move(changes)}}}});
      }
    }
  }
  return out;
}

// ---- what a name means --------------------------------------------------------------------------------------------------

Json Server::markup(const ide::Description& d) const {
  std::string out = markdown_ ? "```game\n" + d.code + "\n```\n" : d.code + "\n";
  for (const std::string& n : d.notes)
    if (!n.empty()) out += "\n" + n + (markdown_ ? "\n" : "");
  if (!d.doc.empty()) out += (markdown_ ? "\n---\n" : "\n") + d.doc + "\n";
  return Object{{"kind", markdown_ ? "markdown" : "plaintext"}, {"value", out}};
}

Json Server::hover(const Json& params) {
  Place place = place_of(params);
  auto found = ide::hover(*place.analysis, place.file, place.offset);
  if (!found) return nullptr;
  return Object{{"contents", markup(*found)}, {"range", range(*place.analysis, found->span)}};
}

Json Server::definition(const Json& params) {
  Place place = place_of(params);
  auto found = ide::definition(*place.analysis, place.file, place.offset);
  if (!found) return nullptr;
  return location(*place.analysis, *found);
}

std::vector<Server::Found> Server::find_all(const Place& place) {
  std::vector<Found> out;
  ide::Meaning m = ide::meaning_at(*place.analysis, place.file, place.offset);
  if (!m.declared) return out;
  const fs::path declared_in = place.analysis->path_of(m.declared->span.file);
  const uint32_t begin = m.declared->span.begin;
  std::vector<fs::path> roots = workspace_.roots(declared_in);
  for (const fs::path& r : workspace_.roots(place.path)) roots.push_back(r);
  std::set<fs::path> looked_at;
  std::set<std::string> seen;
  for (const fs::path& root : roots) {
    if (!looked_at.insert(root).second) continue;
    const ide::Analysis& a = workspace_.analysis(root);
    auto file = a.file_of(declared_in);
    if (!file) continue;
    ide::Meaning here = ide::meaning_at(a, *file, begin);
    if (!here.declared || here.declared->span.begin != begin) continue;
    for (const ide::Occurrence& o : ide::occurrences(a, *here.declared)) {
      Found f{range(a, o.span), uri(a.path_of(o.span.file)), o.declaration, o.changes};
      if (seen.insert(f.uri + engine::to_text(f.range)).second) out.push_back(std::move(f));
    }
  }
  return out;
}

Json Server::references(const Json& params) {
  Place place = place_of(params);
  const bool declaration = is_true(params, {"context", "includeDeclaration"});
  List out;
  for (Found& f : find_all(place))
    if (declaration || !f.declaration) out.push_back(Object{{"uri", f.uri}, {"range", std::move(f.range)}});
  return out;
}

Json Server::highlights(const Json& params) {
  Place place = place_of(params);
  ide::Meaning m = ide::meaning_at(*place.analysis, place.file, place.offset);
  if (!m.declared) return nullptr;
  List out;
  for (const ide::Occurrence& o : ide::occurrences(*place.analysis, *m.declared))
    if (o.span.file == place.file) out.push_back(Object{{"range", range(*place.analysis, o.span)}, {"kind", o.declaration || o.changes ? 3 : 2}});
  return out;
}

Json Server::completion(const Json& params) {
  Place place = place_of(params);
  ide::Completions found = ide::complete(place.analysis->path_of(0).string(), workspace_.instead(), place.path, place.offset);
  List items;
  if (!found.items.empty()) {
    Json replaced = range(*place.analysis, {place.file, found.replaced.begin, found.replaced.end});
    char order[24];
    for (size_t i = 0; i < found.items.size(); ++i) {
      const ide::Completion& c = found.items[i];
      std::snprintf(order, sizeof order, "%05zu", i);
      Object item{{"label", c.label}, {"kind", completion_kind(c.kind)}, {"sortText", order},
                  {"textEdit", Object{{"range", replaced}, {"newText", c.label}}}};
      if (!c.detail.empty()) item.push_back({"detail", c.detail});
      if (!c.doc.empty()) item.push_back({"documentation", Object{{"kind", markdown_ ? "markdown" : "plaintext"}, {"value", c.doc}}});
      items.push_back(std::move(item));
    }
  }
  return Object{{"isIncomplete", false}, {"items", std::move(items)}};
}

// ---- the whole file -----------------------------------------------------------------------------------------------------

Json Server::symbol(const ide::Analysis& a, const ide::Symbol& s) const {
  List children;
  for (const ide::Symbol& c : s.children) children.push_back(symbol(a, c));
  Object out{{"name", s.name}, {"kind", symbol_kind(s.kind)}, {"range", range(a, s.whole)}, {"selectionRange", range(a, s.span)}};
  if (!s.detail.empty()) out.push_back({"detail", s.detail});
  if (!children.empty()) out.push_back({"children", std::move(children)});
  return out;
}

Json Server::symbols(const Json& params) {
  Place place = file_of(params);
  List out;
  for (const ide::Symbol& s : ide::symbols(*place.analysis, place.file)) {
    if (nested_symbols_) {
      out.push_back(symbol(*place.analysis, s));
      continue;
    }
    out.push_back(Object{{"name", s.name}, {"kind", symbol_kind(s.kind)}, {"location", location(*place.analysis, s.whole)}});
    for (const ide::Symbol& c : s.children)
      out.push_back(Object{{"name", c.name}, {"kind", symbol_kind(c.kind)}, {"location", location(*place.analysis, c.whole)}, {"containerName", s.name}});
  }
  return out;
}

Json Server::semantic_tokens(const Json& params) {
  Place place = file_of(params);
  const Lines& lines = lines_of(*place.analysis, place.file);
  List data;
  Position last;
  uint32_t last_begin = 0;
  for (const ide::Token& t : ide::tokens(*place.analysis, place.file)) {
    // From token to token: a line may be the whole file.
    Position p{lines.line(t.span.begin), 0};
    p.character = p.line == last.line ? last.character + lines.units(last_begin, t.span.begin) : lines.position(t.span.begin).character;
    last_begin = t.span.begin;
    data.emplace_back(int64_t{p.line} - last.line);
    data.emplace_back(int64_t{p.line == last.line ? p.character - last.character : p.character});
    data.emplace_back(int64_t{lines.units(t.span.begin, t.span.end)});
    data.emplace_back(static_cast<int>(t.kind));
    data.emplace_back((t.declaration ? 1 : 0) | (t.fixed ? 2 : 0) | (t.own ? 4 : 0));
    last = p;
  }
  return Object{{"data", std::move(data)}};
}

Json Server::formatting(const Json& params) {
  fs::path path = document_path(params);
  const std::string* before = workspace_.text(path);
  if (!before) throw Problem{kInvalidParams, "the document is not open"};
  Sources sources;
  diag::Emitter emitter(sources);
  std::optional<std::string> after = ide::formatted(path.string(), *before, sources, emitter);
  if (!after) return nullptr;  // its errors are shown anyway
  if (*after == *before) return List{};
  // One edit, from the first line that differs to the last.
  const std::string &a = *before, &b = *after;
  size_t begin = 0;
  for (size_t i = 0; i < a.size() && i < b.size() && a[i] == b[i]; ++i)
    if (a[i] == '\n') begin = i + 1;
  size_t same = 0, tail = 0;
  while (same < a.size() - begin && same < b.size() - begin && a[a.size() - 1 - same] == b[b.size() - 1 - same]) {
    if (++same < a.size() - begin && a[a.size() - 1 - same] == '\n' && same < b.size() - begin && b[b.size() - 1 - same] == '\n') tail = same;
  }
  Lines lines(a, encoding_);
  return List{Object{{"range", Object{{"start", position(lines, static_cast<uint32_t>(begin))}, {"end", position(lines, static_cast<uint32_t>(a.size() - tail))}}},
                     {"newText", b.substr(begin, b.size() - tail - begin)}}};
}

// ---- rename -------------------------------------------------------------------------------------------------------------

Json Server::prepare_rename(const Json& params) {
  Place place = place_of(params);
  auto found = ide::renamable(*place.analysis, place.file, place.offset);
  if (auto* refusal = std::get_if<ide::Refusal>(&found)) throw Problem{kFailed, refusal->reason};
  const ide::Meaning& m = std::get<ide::Meaning>(found);
  return Object{{"range", range(*place.analysis, m.span)}, {"placeholder", m.declared->name}};
}

Json Server::rename(const Json& params) {
  Place place = place_of(params);
  const std::string& name = text(params, "newName");
  auto here = ide::renamable(*place.analysis, place.file, place.offset);
  if (auto* refusal = std::get_if<ide::Refusal>(&here)) throw Problem{kFailed, refusal->reason};
  // A local name of a shared part is renamed in all of its games: calls may give its arguments by name.
  std::map<std::string, List> changes;
  std::set<std::string> seen;
  const sema::Declared& d = *std::get<ide::Meaning>(here).declared;
  const fs::path declared_in = place.analysis->path_of(d.span.file);
  const uint32_t begin = d.span.begin;
  for (const fs::path& root : workspace_.roots(declared_in)) {
    const ide::Analysis& a = workspace_.analysis(root);
    auto file = a.file_of(declared_in);
    if (!file) continue;
    auto edits = ide::rename(a, root.string(), workspace_.instead(), *file, begin, name);
    if (auto* refusal = std::get_if<ide::Refusal>(&edits)) throw Problem{kFailed, refusal->reason};
    for (const ide::Edit& e : std::get<std::vector<ide::Edit>>(edits)) {
      Json edit = Object{{"range", range(a, e.span)}, {"newText", e.text}};
      std::string target = uri(a.path_of(e.span.file));
      if (seen.insert(target + engine::to_text(edit)).second) changes[target].push_back(std::move(edit));
    }
  }
  Object out;
  for (auto& [target, list] : changes) out.push_back({target, std::move(list)});
  return Object{{"changes", std::move(out)}};
}

}  // namespace ppc::lsp
