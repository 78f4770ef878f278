#include "runtime/engine/records.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>

#include "runtime/engine/fnv.h"

namespace ppc::engine {
namespace {

namespace fs = std::filesystem;
constexpr const char* kVersion = "ppc-0.1.0";
// Of conversations in one requests.json. Each request has the whole conversation before it, so all of them together grow with the square of
// their number: a game of ten thousand rounds would fill a disk.
constexpr size_t kMostHistory = size_t{16} << 20;

std::string player_name(uint32_t i) { return "Player " + std::to_string(i + 1); }
std::string model_of(const Record& r, uint32_t i) {
  return i < r.models.size() && !r.models[i].empty() ? r.models[i] : "programmatic";
}

[[noreturn]] void fail(const std::string& path) { throw SystemError(path + ": " + std::strerror(errno)); }

void write_all(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(path);
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

// The file is there as a whole or not at all.
void write_file(const std::string& path, const std::string& bytes) {
  const std::string partial = path + ".part";
  const int fd = open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) fail(partial);
  try {
    write_all(fd, bytes, partial);
  } catch (...) {
    close(fd);
    throw;
  }
  if (close(fd) != 0) fail(partial);
  if (rename(partial.c_str(), path.c_str()) != 0) fail(path);
}

std::string file_text(const Json& json) { return to_text(json, {.indent = 1, .nan_as_null = false}) + "\n"; }

Json move_name(const Record& r, int64_t move) {
  const auto& moves = r.module->manifest().moves;
  return static_cast<uint64_t>(move) < moves.size() ? Json(moves[static_cast<size_t>(move)].name) : Json();
}

}  // namespace

Json violation_json(const Manifest& m, const Entry& e) {
  Json v = Json::object();
  if (static_cast<uint64_t>(e.number) < m.rules.size()) {
    const RuleInfo& rule = m.rules[static_cast<size_t>(e.number)];
    v.add("move", rule.move);
    v.add("kind", rule.kind);
    v.add("rule", rule.text);
    v.add("line", int64_t{rule.line});
  }
  v.add("reason", e.text);
  return v;
}

void take_end(Record& r, Worker& worker, const Episode& episode) {
  const ppc_state& s = episode.state();
  r.outcome = s.outcome;
  r.reason = episode.reason();
  r.score = s.score;
  r.rounds = s.round;
  r.steps = s.steps;
  r.scores = score(worker, episode);
}

std::string safe_name(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const auto b = static_cast<uint8_t>(c);
    const bool bad = b < 0x20 || b == 0x7F || std::strchr("/\\:*?\"<>|", c) != nullptr;
    out += bad ? '_' : c;
  }
  if (out.size() > 100) {
    size_t n = 100;
    while (n > 0 && (static_cast<uint8_t>(out[n]) & 0xC0) == 0x80) --n;
    out.resize(n);
  }
  if (out.empty()) return "_";
  if (out[0] == '.') out[0] = '_';
  return out;
}

std::string models_folder(const Record& r) {
  std::vector<std::string> models;
  const auto& players = r.module->manifest().players;
  for (uint32_t i = 0; i < players.size(); ++i)
    if (!players[i].scripted) models.push_back(safe_name(model_of(r, i)));
  // As clembench has it: one model has one folder, for games of one player and of several, and so one row over all games.
  if (std::adjacent_find(models.begin(), models.end(), std::not_equal_to<>()) == models.end() && !models.empty()) return models[0];
  std::string out;
  for (const std::string& model : models) out += (out.empty() ? "" : "--") + model;
  return safe_name(out);
}

std::string branch_name(const std::vector<uint32_t>& path) {
  std::string out;
  for (const uint32_t way : path) out += (out.empty() ? "" : ".") + std::to_string(way);
  return out.empty() ? "0" : out;
}

std::vector<uint32_t> branch_parent(std::vector<uint32_t> path) {
  if (!path.empty()) path.pop_back();
  while (!path.empty() && path.back() == 0) path.pop_back();
  return path;
}

std::string episode_folder(const Record& r) {
  const std::string episode = "/episode_" + std::to_string(r.episode);
  return models_folder(r) + "/" + safe_name(r.module->manifest().game) + "/" +
         safe_name(std::to_string(r.experiment->index) + "_" + r.experiment->name) + episode +
         (r.branch.path.empty() ? "" : "_branch_" + branch_name(r.branch.path));
}

std::string history_hash(const Json::List& messages, size_t count) {
  uint64_t h = fnv1a("");
  for (size_t i = 0; i < count && i < messages.size(); ++i) {
    for (const char* key : {"from", "to", "text"}) {
      const Json* v = messages[i].find(key);
      if (v && v->is_text()) h = fnv1a(v->as_text(), h);
      h = fnv1a("\xFF", h);  // no byte of UTF-8
    }
  }
  char out[17];
  std::snprintf(out, sizeof out, "%016llx", static_cast<unsigned long long>(h));
  return out;
}

const char* outcome_name(uint32_t outcome) {
  switch (outcome) {
    case PPC_WON: return "won";
    case PPC_LOST: return "lost";
    case PPC_ABORTED: return "aborted";
    default: return "running";
  }
}

Json interactions_json(const Record& r) {
  const Manifest& m = r.module->manifest();
  Json json = Json::object();
  Json& meta = json.add("meta", Json::object());
  meta.add("game_name", m.game);
  meta.add("experiment_name", r.experiment->name);
  const Json* id = r.instance->document.find("game_id");
  meta.add("game_id", id ? *id : Json(r.instance->id));
  meta.add("results_folder", models_folder(r));
  meta.add("clem_version", kVersion);
  meta.add("round_count", int64_t{r.rounds});
  meta.add("completed", !r.left);
  Json& ours = meta.add("ppc", Json::object());
  ours.add("game_hash", m.hash);
  ours.add("seed", std::to_string(r.seed));  // as text: 64 bits do not fit everybody's numbers
  ours.add("repeat", int64_t{r.repeat});
  ours.add("outcome", outcome_name(r.outcome));
  ours.add("reason", r.reason);
  if (!r.draws.empty()) {
    Json& draws = ours.add("draws", Json::list());
    for (const int64_t d : r.draws) draws.push(d);
  }
  Json& models = json.add("player_models", Json::object());
  Json players = Json::object();
  Json& gm = players.add("GM", Json::object());
  gm.add("game_role", "Game Master");
  gm.add("model_name", "programmatic");
  for (uint32_t i = 0; i < m.players.size(); ++i) {
    Json& player = players.add(player_name(i), Json::object());
    player.add("game_role", m.players[i].display);
    player.add("model_name", model_of(r, i));
    if (m.players[i].scripted) continue;
    Json& model = models.add(player_name(i), Json::object());
    model.add("model_name", model_of(r, i));
  }
  json.add("players", std::move(players));

  Json turns = Json::list();
  turns.push(Json::list());
  bool started = false;
  auto log = [&](const Entry& e, const std::string& from, const std::string& to, const std::string& type,
                 Json content, const char* label) {
    Json event = Json::object();
    event.add("from", from);
    event.add("to", to);
    event.add("timestamp", e.timestamp);
    Json& action = event.add("action", Json::object());
    action.add("type", type);
    action.add("content", std::move(content));
    action.add("label", label);
    turns.items().back().push(std::move(event));
  };
  for (const Entry& e : r.journal.entries) {
    switch (e.kind) {
      case PPC_EV_ROUND:
        if (started) turns.push(Json::list());
        started = true;
        break;
      // "forget" is how clembench says that a player's memory does not keep a message.
      case PPC_EV_SEND: log(e, "GM", player_name(e.who), "send message", e.text, e.aside ? "forget" : "context"); break;
      case PPC_EV_GET:
      case PPC_EV_SAY: log(e, player_name(e.who), "GM", "get message", e.text, e.aside ? "forget" : "response"); break;
      case PPC_EV_NOTE: log(e, "GM", "GM", e.text, e.document ? parse_json(e.value, "note") : Json(e.value), ""); break;
      default: break;
    }
  }
  json.add("turns", std::move(turns));
  for (const auto& [key, value] : r.scores.keys) json.add(json.find(key) ? "key " + key : key, value);
  return json;
}

Json requests_json(const Record& r) {
  const Manifest& m = r.module->manifest();
  Json out = Json::list();
  std::vector<Json> history(m.players.size(), Json::list());
  auto message = [](const char* role, const std::string& content) {
    Json j = Json::object();
    j.add("role", role);
    j.add("content", content);
    return j;
  };
  size_t written = 0;
  std::vector<size_t> bytes(m.players.size());  // of each history
  auto weight = [](const std::string& content) { return content.size() + 64; };
  for (const Entry& e : r.journal.entries) {
    if (e.who >= history.size()) continue;
    if (e.kind == PPC_EV_SEND || e.kind == PPC_EV_SAY) bytes[e.who] += weight(e.text);
    if (e.kind == PPC_EV_SEND) history[e.who].push(message("user", e.text));
    if (e.kind == PPC_EV_SAY) history[e.who].push(message("assistant", e.text));  // answered by the game
    if (e.kind != PPC_EV_GET) continue;
    Json request = Json::object();
    request.add("timestamp", e.timestamp);
    request.add("timestamp_sent", e.timestamp_sent);
    request.add("player", player_name(e.who));
    const Json::List& before = history[e.who].items();
    const bool whole = before.size() < 2 || written + bytes[e.who] <= kMostHistory;
    request.add("manipulated_prompt_obj", whole ? history[e.who] : Json(Json::List{before.back()}));
    if (whole) written += bytes[e.who];
    else request.add("left_out", static_cast<int64_t>(before.size() - 1));
    request.add("raw_response_obj", e.text);
    if (!e.valid) request.add("invalid_utf8", true);
    Json& tokens = request.add("tokens", Json::object());
    tokens.add("prompt", e.prompt_tokens ? Json(*e.prompt_tokens) : Json());
    tokens.add("reply", e.reply_tokens ? Json(*e.reply_tokens) : Json());
    if (!e.finish.empty()) request.add("finish", e.finish);
    if (!e.model.empty()) request.add("model", e.model);
    if (e.attempts > 0) request.add("attempts", e.attempts);
    if (e.aside) {
      request.add("aside", true);
      bytes[e.who] -= weight(history[e.who].items().back().find("content")->as_text());
      history[e.who].items().pop_back();  // forgotten: the question, and the answer
    } else {
      bytes[e.who] += weight(e.text);
      history[e.who].push(message("assistant", e.text));
    }
    out.push(std::move(request));
  }
  return out;
}

std::string episode_line(const Record& r) {
  const Manifest& m = r.module->manifest();
  Json line = Json::object();
  const bool branch = !r.branch.path.empty() && !r.unfolded;
  line.add("schema", branch ? "ppc-branch/1" : "ppc-episode/1");
  line.add("timestamp", r.journal.entries.empty() ? std::string() : r.journal.entries.front().timestamp);
  line.add("game", m.game);
  line.add("game_hash", m.hash);
  Json& experiment = line.add("experiment", Json::object());
  experiment.add("index", int64_t{r.experiment->index});
  experiment.add("name", r.experiment->name);
  line.add("instance", r.instance->document);
  line.add("episode", int64_t{r.episode});
  line.add("repeat", int64_t{r.repeat});
  line.add("seed", std::to_string(r.seed));
  Json draws = Json::list();
  for (const int64_t d : r.draws) draws.push(d);
  line.add("draws", std::move(draws));
  line.add("record", episode_folder(r));
  Json& players = line.add("players", Json::list());
  for (uint32_t i = 0; i < m.players.size(); ++i) {
    Json player = Json::object();
    player.add("name", player_name(i));
    player.add("role", m.players[i].name);
    player.add("display", m.players[i].display);
    player.add("model", model_of(r, i));
    player.add("scripted", m.players[i].scripted);
    players.push(std::move(player));
  }
  Json messages = Json::list(), notes = Json::list();
  std::vector<size_t> last(m.players.size(), SIZE_MAX);  // each player's last message
  // Of a branch: what is the parent's, too. A player's last message there may still get a violation or a reward, in each branch another.
  size_t shared = 0, shared_notes = 0, entry = 0;
  std::vector<size_t> open;
  auto of_player = [&](const Entry& e) -> Json* {
    return e.who < last.size() && last[e.who] != SIZE_MAX ? &messages.items()[last[e.who]] : nullptr;
  };
  auto leave = [&] {
    shared = messages.items().size();
    shared_notes = notes.items().size();
    open = last;
  };
  for (const Entry& e : r.journal.entries) {
    if (branch && entry++ == r.branch.entries) leave();
    switch (e.kind) {
      case PPC_EV_SEND:
      case PPC_EV_GET:
      case PPC_EV_SAY: {
        Json j = Json::object();
        const std::string player = player_name(e.who);
        j.add("from", e.kind == PPC_EV_SEND ? "GM" : player);
        j.add("to", e.kind == PPC_EV_SEND ? player : "GM");
        j.add("text", e.text);
        j.add("round", int64_t{e.round});
        j.add("timestamp", e.timestamp);
        if (e.aside) j.add("aside", true);
        if (e.kind == PPC_EV_SAY && e.who < m.players.size() && !m.players[e.who].scripted) j.add("given", true);
        if (e.kind != PPC_EV_SEND) {
          const bool asked = e.kind == PPC_EV_GET;
          j.add("move", asked ? move_name(r, e.number) : Json());
          j.add("captures", Json());
          j.add("violation", Json());
          j.add("reward", Json());
          j.add("tokens", e.reply_tokens ? Json(*e.reply_tokens) : Json());
          j.add("logprobs", e.logprobs);
          if (!e.sample.is_null()) j.add("sample", e.sample);
          if (!e.finish.empty()) j.add("finish", e.finish);
          if (!e.valid) j.add("invalid_utf8", true);
          if (e.who < last.size()) last[e.who] = messages.items().size();
        }
        messages.push(std::move(j));
        break;
      }
      case PPC_EV_ACCEPT:
        if (Json* j = of_player(e)) {
          Json captures = Json::object();
          for (const auto& [name, value] : e.gives) captures.add(name, value);
          j->set("captures", std::move(captures));
        }
        break;
      case PPC_EV_VIOLATION:
        if (Json* j = of_player(e)) j->set("violation", violation_json(r.module->manifest(), e));
        break;
      case PPC_EV_REWARD:
        if (Json* j = of_player(e)) {
          const Json* before = j->find("reward");
          j->set("reward", (before && before->is_number() ? before->as_float() : 0) + e.amount);
        }
        break;
      case PPC_EV_NOTE: {
        Json j = Json::object();
        j.add("key", e.text);
        j.add("text", e.value);
        if (e.document) j.add("json", true);
        j.add("round", int64_t{e.round});
        j.add("after", static_cast<int64_t>(messages.items().size()));
        notes.push(std::move(j));
        break;
      }
      default: break;
    }
  }
  if (branch) {
    if (entry <= r.branch.entries) leave();  // nothing of its own
    line.add("branch", branch_name(r.branch.path));
    Record other;
    other.module = r.module, other.experiment = r.experiment, other.models = r.models, other.episode = r.episode;
    line.add("tree", episode_folder(other));
    other.branch.path = branch_parent(r.branch.path);
    line.add("parent", episode_folder(other));
    line.add("players_seed", std::to_string(r.branch.players_seed));
    Json& leaves = line.add("leaves", Json::object());
    leaves.add("player", r.branch.player < m.players.size() ? m.players[r.branch.player].name : "");
    leaves.add("round", int64_t{r.branch.round});
    leaves.add("messages", static_cast<int64_t>(shared));
    leaves.add("notes", static_cast<int64_t>(shared_notes));
    Json& last_ones = line.add("open", Json::list());
    for (const size_t i : open) {
      if (i == SIZE_MAX) continue;
      Json one = Json::object();
      one.add("message", static_cast<int64_t>(i));
      for (const char* key : {"captures", "violation", "reward"}) one.add(key, *messages.items()[i].find(key));
      last_ones.push(std::move(one));
    }
    line.add("history", history_hash(messages.items(), shared));
    messages.items().erase(messages.items().begin(), messages.items().begin() + static_cast<ptrdiff_t>(shared));
    notes.items().erase(notes.items().begin(), notes.items().begin() + static_cast<ptrdiff_t>(shared_notes));
  } else if (!r.points.empty()) {
    Json& branches = line.add("branches", Json::object());
    Json& points = branches.add("points", Json::list());
    for (const std::string& p : r.points) points.push(p);
    branches.add("count", static_cast<int64_t>(r.branches));
  }
  line.add("messages", std::move(messages));
  line.add("notes", std::move(notes));
  line.add("outcome", outcome_name(r.outcome));
  line.add("reason", r.reason);
  line.add("left", r.left);
  line.add("rounds", int64_t{r.rounds});
  line.add("steps", r.steps);
  line.add("score", score_number(r.score));
  line.add("scores", r.scores.to_json());
  Json& keys = line.add("keys", Json::object());
  for (const auto& [key, value] : r.scores.keys) keys.add(key, value);
  return to_text(line, {.indent = -1, .nan_as_null = true});
}

RecordWriter::RecordWriter(std::string folder, bool episodes) : folder_(std::move(folder)), episodes_(episodes) {
  std::error_code ec;
  fs::create_directories(folder_, ec);
  if (ec) throw SystemError(folder_ + ": " + ec.message());
  const std::string path = folder_ + "/episodes.jsonl";
  lines_ = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (lines_ < 0) fail(path);
  // A run that was cut off may have left half a line; ours begin on a new one.
  const off_t end = lseek(lines_, 0, SEEK_END);
  char last = '\n';
  if (end > 0 && pread(lines_, &last, 1, end - 1) == 1 && last != '\n') write_all(lines_, "\n", path);
}

RecordWriter::~RecordWriter() {
  if (lines_ >= 0) close(lines_);
}

void RecordWriter::write(const std::vector<const Record*>& tree) {
  std::string lines;
  for (const Record* one : tree) {
    const Record& r = *one;
    lines += episode_line(r) + "\n";
    if (!episodes_ || (!r.branch.path.empty() && !r.unfolded)) continue;
    const std::string folder = folder_ + "/" + episode_folder(r);
    std::error_code ec;
    fs::create_directories(folder, ec);
    if (ec) throw SystemError(folder + ": " + ec.message());
    const std::string above = fs::path(folder).parent_path().string();
    if (experiments_.insert(above).second) {
      Json experiment = r.experiment->document;
      experiment.set("timestamp", now_iso());
      write_file(above + "/experiment.json", file_text(experiment));
    }
    write_file(folder + "/instance.json", file_text(r.instance->document));
    write_file(folder + "/interactions.json", file_text(interactions_json(r)));
    write_file(folder + "/requests.json", file_text(requests_json(r)));
    write_file(folder + "/scores.json", file_text(r.scores.to_json()));
  }
  write_all(lines_, lines, folder_ + "/episodes.jsonl");
}

void RecordWriter::finish() {
  if (fsync(lines_) != 0 && errno != EINVAL) fail(folder_ + "/episodes.jsonl");
}

}  // namespace ppc::engine
