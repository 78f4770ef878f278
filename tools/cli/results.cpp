#include "tools/cli/results.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <map>

#include "runtime/engine/records.h"
#include "runtime/players/local.h"
#include "tools/cli/text.h"

namespace ppc::cli {

namespace fs = std::filesystem;
using namespace engine;

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kMaxLine = size_t{128} << 20;
constexpr size_t kDeepest = 1000;  // branches of branches; `play` makes far fewer

// ---- finding

/// The last four parts of a path, missing ones as "-".
void name_by(ResultPlace& place, const fs::path& path) {
  std::vector<std::string> parts;
  for (const fs::path& part : path)
    if (!part.empty() && part != "/" && part != ".") parts.push_back(part.string());
  const size_t n = parts.size();
  std::string* names[] = {&place.episode, &place.experiment, &place.game, &place.models};
  for (size_t i = 0; i < 4; ++i) *names[i] = i < n ? parts[n - 1 - i] : "-";
}

bool is_scores(const std::string& name) {
  constexpr std::string_view end = "scores.json";
  return name.size() >= end.size() && name.compare(name.size() - end.size(), end.size(), end) == 0;
}

class Finder {
 public:
  void look(const std::string& name) {
    std::error_code ec;
    if (fs::is_directory(name, ec)) return folder(name);
    if (fs::exists(name, ec)) return lines(name, {});
    const size_t colon = name.rfind(':');
    if (colon != std::string::npos && fs::exists(name.substr(0, colon), ec)) {
      size_t k = 0;
      const auto r = std::from_chars(name.data() + colon + 1, name.data() + name.size(), k);
      if (r.ec == std::errc() && r.ptr == name.data() + name.size()) return lines(name.substr(0, colon), k);
    }
    throw InputError(name + ": no such file or folder");
  }

  std::vector<ResultPlace> take() {
    std::vector<ResultPlace> out;
    for (auto& [key, place] : found_) {
      const ResultPlace* root = &place;
      while (root->parent) root = root->parent.get();
      if (root != &place) {
        // The episode may have been played again since; its branches are those of the time before.
        const auto now = found_.find(root_[root->lines + ":" + std::to_string(root->from)]);
        if (now != found_.end() && (now->second.lines != root->lines || now->second.from != root->from)) {
          std::fprintf(stderr, "warning: %s: a branch of an episode that was played again since, left out\n", place.name().c_str());
          continue;
        }
      }
      out.push_back(place);
    }
    std::sort(out.begin(), out.end(), [](const ResultPlace& a, const ResultPlace& b) {
      const std::string ka = a.record(), kb = b.record();
      return ka != kb ? natural_less(ka, kb) : natural_less(a.name(), b.name());
    });
    return out;
  }

 private:
  static std::string clean(const fs::path& path) {
    fs::path p = fs::absolute(path).lexically_normal();
    return (p.has_filename() ? p : p.parent_path()).string();
  }

  void folder(const std::string& name) {
    std::vector<std::string> journals;
    auto file = [&](const fs::path& path) {
      const std::string leaf = path.filename().string();
      if (leaf == "episodes.jsonl") {
        journals.push_back(path.string());
      } else if (leaf == "interactions.json" || is_scores(leaf)) {
        const fs::path above = path.parent_path();
        ResultPlace& place = found_[clean(above)];
        if (place.folder.empty()) {
          place.folder = above.empty() ? "." : above.string();
          name_by(place, clean(above));
        }
        // scores.json itself rather than another file whose name ends so.
        if (is_scores(leaf) && (place.scores.empty() || leaf == "scores.json")) place.scores = path.string();
      }
    };
    try {
      for (const fs::directory_entry& entry : fs::recursive_directory_iterator(name)) {
        if (entry.is_regular_file()) file(entry.path());
      }
    } catch (const fs::filesystem_error& e) {
      throw SystemError(e.path1().string() + ": " + e.code().message());
    }
    std::sort(journals.begin(), journals.end());
    for (const std::string& path : journals) lines(path, {});
    // A single episode's folder: the line that belongs to it may be in the run's episodes.jsonl, four folders up.
    if (!journals.empty()) return;
    std::error_code ec;
    for (const std::string leaf : {"interactions.json", "scores.json"}) {
      if (!fs::exists(fs::path(name) / leaf, ec)) continue;
      fs::path above = clean(name);
      for (int i = 0; i < 4; ++i) above = above.parent_path();
      const fs::path journal = above / "episodes.jsonl";
      if (fs::is_regular_file(journal, ec)) lines(journal.string(), {}, clean(name));
      return;
    }
  }

  /// `only`: this line; `wanted`: only the lines of this folder.
  void lines(const std::string& path, std::optional<size_t> only, const std::string& wanted = "") {
    if (!scan(path, only, wanted, false)) scan(path, only, wanted, true);
  }

  /// False: one of these lines is a branch, and what it left has not been read; `whole`: every line is.
  bool scan(const std::string& path, std::optional<size_t> only, const std::string& wanted, bool whole_file) {
    std::ifstream in(path, std::ios::binary);
    if (!in) throw InputError(path + ": cannot be read");
    const fs::path base = fs::path(path).parent_path();
    struct Node {
      std::shared_ptr<const ResultPlace> place;
      size_t depth = 0;
    };
    std::map<std::string, Node> tree;  // the last episode and its branches, by `record`
    std::string text;
    size_t k = 0, from = 0, count = 0;
    while (std::getline(in, text)) {
      const size_t start = from, index = k++;
      const bool whole = !in.eof();
      from += text.size() + 1;
      const bool chosen = !only || *only == index;
      if (text.empty() || (!chosen && !whole_file)) continue;
      if (only && index > *only) break;
      const std::string where = path + ":" + std::to_string(index);
      if (text.size() > kMaxLine) throw InputError(where + ": a line of more than 128 MiB");
      Json json;
      try {
        json = parse_json(text, where);
      } catch (const InputError& e) {
        if (only && chosen) throw;
        // A run that was cut off leaves half a line; docs/records.md.
        if (chosen) std::fprintf(stderr, "warning: %s, left out\n", whole ? e.what() : (where + ": half a line").c_str());
        continue;
      }
      const Json* schema = json.find("schema");
      const bool branch = schema && schema->is_text() && schema->as_text() == "ppc-branch/1";
      if (!branch && (!schema || !schema->is_text() || schema->as_text() != "ppc-episode/1")) {
        throw InputError(where + ": `schema`: expected \"ppc-episode/1\" or \"ppc-branch/1\", found " + (schema ? describe(*schema) : "nothing"));
      }
      auto named = [&](const char* member) {
        const Json* v = json.find(member);
        if (!v || !v->is_text()) throw InputError(where + ": `" + member + "`: expected text, found " + (v ? describe(*v) : "nothing"));
        return v->as_text();
      };
      const std::string record = named("record");
      const fs::path folder = fs::path(record);
      const std::string key = clean(base / folder);
      const bool ours = chosen && (wanted.empty() || key == wanted);
      if (!ours && !whole_file) continue;
      if (ours && branch && (only || !wanted.empty()) && !whole_file) return false;
      ResultPlace line;
      name_by(line, folder);
      line.lines = path;
      line.line = index;
      line.from = start;
      line.size = text.size();
      size_t depth = 0;
      if (branch) {
        line.branch = named("branch");
        const auto parent = tree.find(named("parent"));
        if (parent == tree.end()) {
          if (ours) std::fprintf(stderr, "warning: %s: a branch without the episode that it is of before it, left out\n", where.c_str());
          continue;
        }
        line.parent = parent->second.place;
        depth = parent->second.depth + 1;
        if (depth > kDeepest) throw InputError(where + ": more than 1,000 branches one behind the other");
      } else {
        tree.clear();
        root_[path + ":" + std::to_string(start)] = key;
      }
      tree[record] = {std::make_shared<ResultPlace>(line), depth};
      if (!ours) continue;
      ++count;
      ResultPlace& place = found_[key];
      if (place.folder.empty()) {
        std::error_code ec;
        // What the line names is a name, not a way out of the folder.
        const bool inside = folder.is_relative() && std::none_of(folder.begin(), folder.end(), [](const fs::path& p) { return p == ".."; });
        if (!branch && inside && fs::exists(base / folder / "interactions.json", ec)) {
          line.folder = (base / folder).string();
          if (fs::exists(base / folder / "scores.json", ec)) line.scores = (base / folder / "scores.json").string();
        }
      } else {
        line.folder = place.folder;
        line.scores = place.scores;
        line.models = place.models, line.game = place.game, line.experiment = place.experiment, line.episode = place.episode;
      }
      place = std::move(line);
    }
    if (only && count == 0) throw InputError(path + ":" + std::to_string(*only) + ": no such line");
    return true;
  }

  std::map<std::string, ResultPlace> found_;  // by the folder's path
  std::map<std::string, std::string> root_;   // a line "FILE:BYTE" of an episode -> its folder's path
};

// ---- reading

[[noreturn]] void wrong(const std::string& where, const std::string& path, const std::string& expected, const Json* found) {
  throw InputError(where + ": `" + path + "`: expected " + expected + ", found " + (found ? describe(*found) : "nothing"));
}
const Json& get(const Json& json, const char* key, const std::string& where, const std::string& path) {
  if (!json.is_object()) wrong(where, path.empty() ? key : path, "an object", &json);
  const Json* v = json.find(key);
  if (!v) wrong(where, path.empty() ? key : path + "." + key, "something", nullptr);
  return *v;
}
std::string text(const Json& json, const char* key, const std::string& where, const std::string& path = "") {
  const Json& v = get(json, key, where, path);
  if (!v.is_text()) wrong(where, path.empty() ? key : path + "." + key, "text", &v);
  return v.as_text();
}
const Json::List& list(const Json& json, const char* key, const std::string& where, const std::string& path = "") {
  const Json& v = get(json, key, where, path);
  if (!v.is_list()) wrong(where, path.empty() ? key : path + "." + key, "a list", &v);
  return v.items();
}
Json member_or_null(const Json& json, const char* key) {
  const Json* v = json.find(key);
  return v ? *v : Json();
}
std::string text_or(const Json* json, const std::string& otherwise) { return json && json->is_text() ? json->as_text() : otherwise; }

/// Any value as text: texts as they are, the rest as JSON.
std::string plain(const Json& v) { return v.is_text() ? v.as_text() : to_text(v); }

std::string read_bytes(const ResultPlace& place) {
  std::ifstream in(place.lines, std::ios::binary);
  std::string out(place.size, '\0');
  in.seekg(static_cast<std::streamoff>(place.from));
  in.read(out.data(), static_cast<std::streamsize>(out.size()));
  if (!in) throw InputError(place.name() + ": cannot be read");
  return out;
}

size_t player_index(const std::vector<ResultPlayer>& players, const std::string& name) {
  for (size_t i = 0; i < players.size(); ++i)
    if (players[i].name == name) return i;
  return SIZE_MAX;
}

void take_scores(Result& out, Json scores, const std::string& where) {
  if (!scores.is_object()) wrong(where, "scores", "an object", &scores);
  out.main_score = kNan;
  if (const Json* all = scores.find("episode scores")) {
    if (!all->is_object()) wrong(where, "episode scores", "an object", all);
    if (const Json* main = all->find("Main Score"); main && main->is_number()) out.main_score = main->as_float();
    auto one = [&](const char* key) {
      const Json* v = all->find(key);
      return v && ((v->is_number() && v->as_float() == 1) || (v->is_bool() && v->as_bool()));
    };
    if (out.outcome.empty()) out.outcome = one("Aborted") ? "aborted" : one("Success") ? "won" : one("Lose") ? "lost" : "";
  }
  out.scores = std::move(scores);
}

std::shared_ptr<const ResultSample> read_sample(const Json& json, const std::string& where) {
  auto out = std::make_shared<ResultSample>();
  try {
    local::Sample s = players::sample_of(json);
    const local::Sampling by = players::sampling_of(json);
    out->prompt = std::move(s.prompt);
    out->ids = std::move(s.ids);
    for (const Json& l : json.find("logprobs")->items()) out->logprobs.push_back(l.as_float());  // with the digits that are there
    out->settings = Json::object();
    out->settings.add("mask", local::masking_name(s.masking));
    out->settings.add("temperature", by.temperature);
    out->settings.add("top_p", by.top_p);
    out->settings.add("top_k", by.top_k);
    out->settings.add("min_p", by.min_p);
    out->settings.add("repetition_penalty", by.repetition_penalty);
  } catch (const InputError& e) {
    throw InputError(where + ": " + e.what());
  }
  return out;
}

}  // namespace

Json join_branch(const Json& branch, const Json& parent, const std::string& where) {
  const Json& leaves = get(branch, "leaves", where, "");
  auto count = [&](const char* key, const Json::List& of) {
    const Json& n = get(leaves, key, where, "leaves");
    if (!n.is_int() || n.as_int() < 0 || static_cast<uint64_t>(n.as_int()) > of.size()) {
      wrong(where, std::string("leaves.") + key, "a number, at most the parent's " + std::to_string(of.size()), &n);
    }
    return static_cast<size_t>(n.as_int());
  };
  const Json::List &said = list(parent, "messages", where), &noted = list(parent, "notes", where);
  const size_t shared = count("messages", said), shared_notes = count("notes", noted);
  if (history_hash(said, shared) != text(branch, "history", where)) throw InputError(where + ": `history`: not that of " + text(branch, "parent", where));
  Json messages = Json::list(), notes = Json::list();
  for (size_t i = 0; i < shared; ++i) messages.push(said[i]);
  for (size_t i = 0; i < shared_notes; ++i) notes.push(noted[i]);
  for (const Json& o : list(branch, "open", where)) {
    const Json& i = get(o, "message", where, "open[]");
    if (!i.is_int() || static_cast<uint64_t>(i.as_int()) >= shared) wrong(where, "open[].message", "one of the shared messages", &i);
    for (const char* key : {"captures", "violation", "reward"}) messages.items()[static_cast<size_t>(i.as_int())].set(key, get(o, key, where, "open[]"));
  }
  for (const Json& m : list(branch, "messages", where)) messages.push(m);
  for (const Json& n : list(branch, "notes", where)) notes.push(n);
  Json out = Json::object();
  for (const Json::Member& m : branch.members()) {
    if (m.key == "schema") out.add("schema", "ppc-episode/1");
    else if (m.key == "messages") out.add("messages", std::move(messages));
    else if (m.key == "notes") out.add("notes", std::move(notes));
    else if (m.key != "branch" && m.key != "tree" && m.key != "parent" && m.key != "players_seed" && m.key != "leaves" && m.key != "open" && m.key != "history") out.add(m.key, m.value);
  }
  return out;
}

Json read_line(const ResultPlace& place, Json* branch) {
  Json json = parse_json(read_bytes(place), place.name());
  if (!place.parent) return json;
  Json whole = join_branch(json, read_line(*place.parent), place.name());
  if (branch) *branch = std::move(json);
  return whole;
}

Result read_episode_line(const Json& json, const std::string& where, bool samples) {
  Result out;
  out.rules = Result::Rules::Recorded;
  out.instance = get(json, "instance", where, "");
  if (const Json* id = out.instance.find("game_id")) out.instance_id = plain(*id);
  out.seed = text(json, "seed", where);
  const Json& repeat = get(json, "repeat", where, "");
  if (!repeat.is_int()) wrong(where, "repeat", "an int", &repeat);
  out.repeat = repeat.as_int();
  for (const Json& p : list(json, "players", where)) {
    const Json* scripted = p.find("scripted");
    out.players.push_back({text(p, "name", where, "players[]"), text(p, "role", where, "players[]"), text(p, "display", where, "players[]"),
                           text(p, "model", where, "players[]"), scripted && scripted->is_bool() && scripted->as_bool()});
  }
  const Json::List& messages = list(json, "messages", where);
  const Json::List& notes = list(json, "notes", where);
  size_t note = 0;
  auto add_notes = [&](size_t before) {
    for (; note < notes.size(); ++note) {
      const std::string path = "notes[" + std::to_string(note) + "]";
      const Json* after = notes[note].find("after");
      if (!after || !after->is_int()) wrong(where, path + ".after", "an int", after);
      if (static_cast<uint64_t>(after->as_int()) > before) return;
      ResultEvent e;
      const Json* round = notes[note].find("round");
      e.round = round && round->is_int() && round->as_int() > 0 ? static_cast<size_t>(round->as_int()) : 1;
      e.key = text(notes[note], "key", where, path);
      e.text = plain(get(notes[note], "text", where, path));
      out.events.push_back(std::move(e));
    }
  };
  for (size_t i = 0; i < messages.size(); ++i) {
    add_notes(i);
    const Json& m = messages[i];
    const std::string path = "messages[" + std::to_string(i) + "]";
    ResultEvent e;
    const std::string from = text(m, "from", where, path), to = text(m, "to", where, path);
    e.kind = from == "GM" ? ResultEvent::Kind::Send : ResultEvent::Kind::Reply;
    e.player = player_index(out.players, from == "GM" ? to : from);
    if (e.player == SIZE_MAX) throw InputError(where + ": `" + path + "`: no player `" + (from == "GM" ? to : from) + "`");
    e.text = text(m, "text", where, path);
    const Json* round = m.find("round");
    e.round = round && round->is_int() && round->as_int() > 0 ? static_cast<size_t>(round->as_int()) : 1;
    e.move = member_or_null(m, "move");
    e.captures = member_or_null(m, "captures");
    e.violation = member_or_null(m, "violation");
    e.reward = member_or_null(m, "reward");
    const Json* invalid = m.find("invalid_utf8");
    e.invalid_utf8 = invalid && invalid->is_bool() && invalid->as_bool();
    const Json *aside = m.find("aside"), *given = m.find("given");
    e.aside = aside && aside->is_bool() && aside->as_bool();
    // What the player said is of a move; records of earlier builds do not name what was given.
    if (e.kind == ResultEvent::Kind::Reply && !out.players[e.player].scripted) {
      e.given = (given && given->is_bool() && given->as_bool()) || (m.find("move") && e.move.is_null());
    }
    if (const Json* sample = m.find("sample"); samples && sample && !sample->is_null()) e.sample = read_sample(*sample, where + ": `" + path + ".sample`");
    out.events.push_back(std::move(e));
  }
  add_notes(SIZE_MAX);
  out.outcome = text(json, "outcome", where);
  out.reason = text(json, "reason", where);
  out.keys = member_or_null(json, "keys");
  return out;
}

namespace {

Result read_episode(const ResultPlace& place, bool samples) {
  const std::string where = place.name();
  Json branch;
  const Json json = read_line(place, &branch);
  Result out = read_episode_line(json, where, samples);
  out.place = place;
  if (place.parent) {
    const Json& leaves = get(branch, "leaves", where, "");
    const Json& round = get(leaves, "round", where, "leaves");
    out.left_at = text(leaves, "player", where, "leaves");
    out.left_round = round.is_int() && round.as_int() > 0 ? static_cast<size_t>(round.as_int()) : 0;
    out.shared = static_cast<size_t>(get(leaves, "messages", where, "leaves").as_int());
    const auto shared_notes = static_cast<size_t>(get(leaves, "notes", where, "leaves").as_int());
    size_t messages = 0, notes = 0;
    for (ResultEvent& e : out.events) {
      if (e.kind == ResultEvent::Kind::Note) e.shared = notes++ < shared_notes;
      else e.shared = messages++ < out.shared;
    }
  }
  // The folder's scores are the newer ones when they have been computed again.
  if (!place.scores.empty()) take_scores(out, load_json(place.scores), place.scores);
  else take_scores(out, get(json, "scores", where, ""), where);
  return out;
}

/// What was really asked for: replies without a request are the game's own. Ours say the reply and its player, newer versions of
/// clembench the reply; where they do not fit together nothing is taken from them.
void take_requests(Result& out, const Json& requests) {
  if (!requests.is_list()) return;
  std::vector<std::pair<ResultEvent*, const Json*>> asked;
  std::vector<ResultEvent*> given;
  size_t next = 0;
  for (ResultEvent& e : out.events) {
    if (e.kind != ResultEvent::Kind::Reply) continue;
    const Json* request = next < requests.items().size() ? &requests.items()[next] : nullptr;
    const Json* raw = request ? request->find("raw_response_obj") : nullptr;
    const Json* player = raw && raw->is_object() ? raw->find("clem_player") : nullptr;
    const Json* reply = player ? player->find("response") : raw;
    if (reply && reply->is_text() && reply->as_text() == e.text) {
      asked.emplace_back(&e, request);
      ++next;
    } else if (!out.players[e.player].scripted) {
      given.push_back(&e);
    }
  }
  if (next != requests.items().size()) return;
  for (const auto& [e, request] : asked) {
    auto is = [&](const char* key) {
      const Json* v = request->find(key);
      return v && v->is_bool() && v->as_bool();
    };
    e->invalid_utf8 = is("invalid_utf8");
    e->aside = e->aside || is("aside");
  }
  for (ResultEvent* e : given) e->given = true;
}

/// The question of an answer that the memory does not keep is not kept either.
void mark_questions(Result& out) {
  std::vector<ResultEvent*> last(out.players.size());
  for (ResultEvent& e : out.events) {
    if (e.kind == ResultEvent::Kind::Send) last[e.player] = &e;
    if (e.kind != ResultEvent::Kind::Reply) continue;
    if (e.aside && last[e.player]) last[e.player]->aside = true;
    last[e.player] = nullptr;
  }
}

Result read_folder(const ResultPlace& place) {
  Result out;
  out.place = place;
  const std::string where = place.folder + "/interactions.json";
  const Json json = load_json(where);
  if (!json.is_object()) wrong(where, "", "an object", &json);
  const Json* meta = json.find("meta");
  const Json* ours = meta ? meta->find("ppc") : nullptr;
  if (ours) {
    out.seed = text_or(ours->find("seed"), "");
    out.outcome = text_or(ours->find("outcome"), "");
    out.reason = text_or(ours->find("reason"), "");
    if (const Json* repeat = ours->find("repeat"); repeat && repeat->is_int()) out.repeat = repeat->as_int();
  }
  std::error_code ec;
  if (fs::exists(place.folder + "/instance.json", ec)) out.instance = load_json(place.folder + "/instance.json");
  if (const Json* id = out.instance.find("game_id")) out.instance_id = plain(*id);
  else if (const Json* said = meta ? meta->find("game_id") : nullptr) out.instance_id = plain(*said);
  const Json& players = get(json, "players", where, "");
  if (!players.is_object()) wrong(where, "players", "an object", &players);
  for (const Json::Member& p : players.members()) {
    if (p.key == "GM") continue;
    ResultPlayer player;
    player.name = p.key;
    if (p.value.is_text()) {
      // Before version 2.4: "WordGuesser, model".
      const std::string& s = p.value.as_text();
      const size_t comma = s.rfind(", ");
      player.display = s.substr(0, comma);
      if (comma != std::string::npos) player.model = s.substr(comma + 2);
    } else {
      if (!p.value.is_object()) wrong(where, "players." + p.key, "text or an object", &p.value);
      player.display = text_or(p.value.find("game_role"), p.key);
      player.model = text_or(p.value.find("model_name"), "");
    }
    player.role = player.display;
    player.scripted = player.model == "programmatic";
    out.players.push_back(std::move(player));
  }
  size_t round = 0;
  for (const Json& turn : list(json, "turns", where)) {
    const std::string in_round = "turns[" + std::to_string(round) + "]";
    ++round;
    if (!turn.is_list()) wrong(where, in_round, "a list", &turn);
    for (size_t i = 0; i < turn.items().size(); ++i) {
      const Json& event = turn.items()[i];
      const std::string path = in_round + "[" + std::to_string(i) + "]";
      const std::string from = text(event, "from", where, path), to = text(event, "to", where, path);
      const Json& action = get(event, "action", where, path);
      if (!action.is_object()) wrong(where, path + ".action", "an object", &action);
      ResultEvent e;
      e.round = round;
      const Json* content = action.find("content");
      e.text = content ? plain(*content) : to_text(action);
      const std::string type = text_or(action.find("type"), "");
      e.aside = text_or(action.find("label"), "") == "forget";
      const size_t f = player_index(out.players, from), t = player_index(out.players, to);
      if (from == "GM" && t != SIZE_MAX) {
        e.kind = ResultEvent::Kind::Send;
        e.player = t;
      } else if (f != SIZE_MAX) {
        e.kind = ResultEvent::Kind::Reply;
        e.player = f;
      } else {
        e.key = from == "GM" && to == "GM" ? type : from + " to " + to + ": " + type;
      }
      out.events.push_back(std::move(e));
    }
  }
  if (fs::exists(place.folder + "/requests.json", ec)) take_requests(out, load_json(place.folder + "/requests.json"));
  mark_questions(out);
  out.keys = Json::object();
  for (const Json::Member& m : json.members())
    if (m.key != "meta" && m.key != "player_models" && m.key != "players" && m.key != "turns") out.keys.add(m.key, m.value);
  out.main_score = kNan;
  if (!place.scores.empty()) {
    take_scores(out, load_json(place.scores), place.scores);
  } else if (out.outcome.empty()) {
    // Not scored yet; the standard keys may be in the log.
    auto logged = [&](const char* key) {
      const Json* v = json.find(key);
      return v && ((v->is_number() && v->as_float() == 1) || (v->is_bool() && v->as_bool()));
    };
    out.outcome = logged("Aborted") ? "aborted" : logged("Success") ? "won" : logged("Lose") ? "lost" : "";
  }
  return out;
}

}  // namespace

std::vector<ResultPlace> find_results(const std::vector<std::string>& where) {
  Finder finder;
  for (const std::string& name : where) finder.look(name);
  std::vector<ResultPlace> out = finder.take();
  if (out.empty()) {
    std::string names;
    for (const std::string& name : where) names += (names.empty() ? "" : ", ") + name;
    throw InputError(names + ": no episode there: no interactions.json, no scores.json, no episodes.jsonl");
  }
  return out;
}

Result read_result(const ResultPlace& place, bool samples) { return place.lines.empty() ? read_folder(place) : read_episode(place, samples); }

Json read_episode_scores(const ResultPlace& place) {
  std::string where = place.scores;
  Json json;
  if (!where.empty()) {
    json = load_json(where);
  } else {
    where = place.name();
    const Json line = parse_json(read_bytes(place), where);
    json = get(line, "scores", where, "");
  }
  const Json& all = get(json, "episode scores", where, "");
  if (!all.is_object()) wrong(where, "episode scores", "an object", &all);
  return all;
}

std::string violation_text(const Json& violation, const std::string& game) {
  if (!violation.is_object()) return "";
  auto part = [&](const char* key) { return text_or(violation.find(key), ""); };
  std::string out = part("move") + ", " + part("kind");
  if (const std::string rule = part("rule"); !rule.empty() && part("kind") != "format") out += " " + rule;
  if (const Json* line = violation.find("line"); line && line->is_int()) out += " (" + game + ", line " + std::to_string(line->as_int()) + ")";
  if (const std::string reason = part("reason"); !reason.empty()) out += ": " + reason;
  return out;
}

}  // namespace ppc::cli
