#include "tools/serve/env.h"

#include <cmath>
#include <random>

#include "runtime/engine/records.h"
#include "runtime/engine/scores.h"
#include "runtime/net/gate.h"
#include "runtime/players/player.h"
#include "tools/serve/http.h"

namespace ppc::serve {

using namespace engine;
using cli::Chosen;
using Clock = std::chrono::steady_clock;
using net::ServerRequest;
using net::ServerResponse;

struct EnvService::Session {
  std::mutex mutex;
  const EnvGame* game;
  const cli::Chosen* chosen;
  std::string name, episode_id;
  uint64_t seed;                               // as the client knows it
  std::vector<std::optional<uint32_t>> bots;   // a player each: the bot's entry
  Episode episode;
  Journal journal;
  int64_t steps = 0;
  uint32_t acted = UINT32_MAX;                 // who spoke last for the client
  bool rewarded = false;                       // by the game itself
  std::atomic<Clock::rep> used{Clock::now().time_since_epoch().count()};

  Session(const EnvGame& g, const cli::Chosen& c, uint64_t s)
      : game(&g), chosen(&c), seed(s),
        episode(std::make_shared<Setting>(Setting{g.module, c.experiment->segment, c.instance->segment, g.resources}),
                mix_seed(s, c.experiment->index, c.position, 0)) {}
  Session(const Session& o)
      : game(o.game), chosen(o.chosen), name(o.name), episode_id(o.episode_id), seed(o.seed), bots(o.bots), episode(o.episode), journal(o.journal), steps(o.steps),
        acted(o.acted), rewarded(o.rewarded) {}
  const Manifest& manifest() const { return game->module->manifest(); }
  bool client_plays(uint32_t player) const {
    return player < bots.size() && !bots[player] && !manifest().players[player].scripted;
  }
  bool done() const { return episode.status() == Status::Done; }
};

/// A request, its path taken apart.
struct EnvService::Call {
  const ServerRequest& request;
  std::string verb;                 // "reset"
  const EnvGame* named = nullptr;   // by the path
  Body body;
  std::string argument(const char* name) const {
    const std::string* a = request.argument(name);
    return a ? *a : "";
  }
  /// Of the body, or the query; "default" when none is given.
  std::string session() {
    std::string id = argument("session_id");
    if (const auto given = body.text("session_id")) id = *given;
    if (id.empty()) id = "default";
    return checked("session_id", id);
  }
  std::string checked(const char* field, const std::string& id) const {
    bool good = !id.empty() && id.size() <= 128;
    for (const char c : id) good = good && (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.');
    if (!good) throw HttpError(422, std::string("`") + field + "`: expected 1 to 128 of A-Z a-z 0-9 - _ .", field);
    return id;
  }
};

namespace {

Worker& this_worker(const Budget& budget) {
  // A thread's tools, as long as the thread.
  thread_local std::unique_ptr<Worker> worker;
  if (!worker || worker->budget().steps != budget.steps || worker->budget().state_bytes != budget.state_bytes) worker = std::make_unique<Worker>(budget);
  worker->collect_events(true);
  return *worker;
}

const Chosen& pick(const EnvGame& g, const std::optional<std::string>& experiment, const std::optional<std::string>& instance, uint64_t seed) {
  std::vector<const Chosen*> left;
  std::string names;
  bool found = !experiment;
  const Experiment* last = nullptr;
  for (const Chosen& c : g.chosen) {
    if (c.experiment != last) names += (names.empty() ? "`" : ", `") + c.experiment->name + "`";
    last = c.experiment;
    if (experiment && c.experiment->name != *experiment) continue;
    found = true;
    if (!instance || c.instance->id == *instance) left.push_back(&c);
  }
  if (!found) throw HttpError(404, "`experiment`: no `" + *experiment + "`; there is " + names, "experiment");
  if (left.empty()) throw HttpError(404, "`instance`: no game_id `" + *instance + "`" + (experiment ? " in this experiment" : ""), "instance");
  return *left[mix_seed(seed, 0x656e76, 0, 0) % left.size()];
}

std::string known_roles(const Manifest& m) {
  std::string out;
  for (const PlayerInfo& p : m.players)
    if (!p.scripted) out += (out.empty() ? "`" : ", `") + p.name + "`";
  return out;
}

uint32_t role_of(const Manifest& m, const std::string& name, const std::string& field) {
  for (uint32_t i = 0; i < m.players.size(); ++i)
    if (!m.players[i].scripted && (m.players[i].name == name || m.players[i].display == name)) return i;
  throw HttpError(422, "`" + field + "`: no role `" + name + "`; there is " + known_roles(m), field);
}

}  // namespace

Json conversation(const Journal& journal, uint32_t player, bool asked_aside) {
  Json out = Json::list();
  auto said = [&](const char* role, const std::string& text) {
    Json m = Json::object();
    m.add("role", role);
    m.add("content", text);
    out.push(std::move(m));
  };
  const Entry* last = nullptr;
  for (const Entry& e : journal.entries) {
    if (e.who != player || (e.kind != PPC_EV_SEND && e.kind != PPC_EV_GET && e.kind != PPC_EV_SAY)) continue;
    last = &e;
    if (!e.aside) said(e.kind == PPC_EV_SEND ? "user" : "assistant", e.text);
  }
  if (asked_aside && last && last->aside && last->kind == PPC_EV_SEND) said("user", last->text);
  return out;
}

EnvService::EnvService(std::vector<EnvGame> games, EnvLimits limits) : games_(std::move(games)), limits_(limits) {
  for (size_t i = 0; i < games_.size(); ++i) names_[games_[i].module->manifest().game] = i;
}
EnvService::~EnvService() = default;

size_t EnvService::sessions() const {
  std::lock_guard lock(mutex_);
  return sessions_.size();
}

void EnvService::expire() {
  const auto oldest = (Clock::now() - std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limits_.session_seconds))).time_since_epoch().count();
  std::vector<std::shared_ptr<Session>> gone;  // freed without the lock
  std::lock_guard lock(mutex_);
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    if (at->second->used >= oldest) {
      ++at;
      continue;
    }
    gone.push_back(std::move(at->second));
    at = sessions_.erase(at);
  }
}

const EnvGame& EnvService::game_of(Call& c) const {
  std::string name = c.argument("game");
  if (const auto given = c.body.text("game")) name = *given;
  if (name.empty() && c.named) return *c.named;
  if (name.empty() && games_.size() == 1) return games_[0];
  std::string there;
  for (const auto& [n, _] : names_) there += (there.empty() ? "`" : ", `") + n + "`";
  if (name.empty()) throw HttpError(422, "`game`: which one? There is " + there + "; or ask at /GAME/" + c.verb, "game");
  const auto at = names_.find(name);
  if (at == names_.end()) throw HttpError(404, "`game`: no `" + name.substr(0, 100) + "`; there is " + there, "game");
  if (c.named && c.named != &games_[at->second]) throw HttpError(422, "`game` and the path name different games", "game");
  return games_[at->second];
}

std::shared_ptr<EnvService::Session> EnvService::find(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto at = sessions_.find(key);
  if (at == sessions_.end()) {
    throw HttpError(404, "`session_id`: no session `" + key.substr(key.find('/') + 1) + "`: a reset begins one; it is gone when it is not used for long", "session_id");
  }
  at->second->used = Clock::now().time_since_epoch().count();
  return at->second;
}

void EnvService::keep(const std::string& key, std::shared_ptr<Session> s) {
  std::shared_ptr<Session> before;  // freed without the lock
  std::lock_guard lock(mutex_);
  auto at = sessions_.find(key);
  if (at == sessions_.end() && sessions_.size() >= limits_.sessions) {
    throw HttpError(429, "there are " + std::to_string(sessions_.size()) + " sessions, as many as there may be (--sessions): close some, or wait");
  }
  if (at == sessions_.end()) at = sessions_.emplace(key, nullptr).first;
  before = std::move(at->second);
  at->second = std::move(s);
}

/// Lets the bots answer until the client is asked.
static void play_bots(Episode& episode, Journal& journal, const std::vector<std::optional<uint32_t>>& bots, Worker& w) {
  while (episode.status() == Status::Asking) {
    const uint32_t who = episode.asked_player();
    if (who >= bots.size() || !bots[who]) return;
    const std::string message(episode.message(w));
    const std::optional<std::string> reply = episode.ask_bot(w, *bots[who], who, message);
    if (reply) {
      episode.step(w, *reply);
    } else {
      w.ctx()->event_count = 0;  // the bot faulted, and that ended the episode
    }
    journal.collect(w, episode);
  }
}

Json EnvService::result(Session& s, Worker& w, size_t from, bool fresh) {
  const Manifest& m = s.manifest();
  const bool done = s.done();
  Json out = Json::object();
  Json observation = Json::object();
  const bool asked = !done && s.episode.asked_player() < m.players.size();
  observation.add("prompt", asked ? std::string(s.episode.message(w)) : std::string());
  observation.add("role", asked ? Json(m.players[s.episode.asked_player()].name) : Json());
  observation.add("move", asked && s.episode.asked_move() < m.moves.size() ? Json(m.moves[s.episode.asked_move()].name) : Json());
  observation.add("aside", asked && s.episode.state().ask_aside != 0);
  observation.add("round", int64_t{s.episode.state().round});
  Json broken, rewards = Json::object();
  for (uint32_t i = 0; i < m.players.size(); ++i)
    if (s.client_plays(i)) rewards.add(m.players[i].name, 0.0);
  for (size_t i = from; i < s.journal.entries.size(); ++i) {
    const Entry& e = s.journal.entries[i];
    if (e.kind == PPC_EV_VIOLATION && s.client_plays(e.who) && broken.is_null()) broken = violation_json(m, e);
    if (e.kind == PPC_EV_REWARD && s.client_plays(e.who)) {
      Json* sum = rewards.find(m.players[e.who].name);
      *sum = Json(sum->as_float() + e.amount);
      s.rewarded = true;
    }
  }
  const Json* earned = s.acted < m.players.size() ? rewards.find(m.players[s.acted].name) : nullptr;
  double reward = earned ? earned->as_float() : 0;
  observation.add("violation", std::move(broken));
  observation.add("rewards", std::move(rewards));
  if (done) {
    const Scores scores = score(w, s.episode);
    const double main = scores.get("Main Score");
    if (!s.rewarded && !std::isnan(main)) reward = main / 100;
    observation.add("outcome", outcome_name(s.episode.state().outcome));
    observation.add("reason", s.episode.reason());
    observation.add("score", score_number(main));
    observation.add("scores", scores.to_json());
  } else {
    for (const char* name : {"outcome", "reason", "score", "scores"}) observation.add(name, Json());
  }
  out.add("observation", std::move(observation));
  out.add("reward", fresh && !done ? Json() : Json(reward));
  out.add("done", done);
  Json& metadata = out.add("metadata", Json::object());
  metadata.add("game", m.game);
  metadata.add("session_id", s.name);
  metadata.add("episode_id", s.episode_id);
  metadata.add("step_count", s.steps);
  metadata.add("experiment", s.chosen->experiment->name);
  metadata.add("instance", s.chosen->instance->id);
  metadata.add("seed", static_cast<int64_t>(s.seed));
  return out;
}

ServerResponse EnvService::reset(Call& c) {
  const EnvGame& g = game_of(c);
  const Manifest& m = g.module->manifest();
  const std::string id = c.session();
  const std::optional<uint64_t> given = c.body.number("seed");
  static std::atomic<uint64_t> counter{std::random_device{}()};
  const uint64_t seed = given ? *given : mix_seed(counter++, static_cast<uint64_t>(Clock::now().time_since_epoch().count()), 0, 0) >> 11;
  const std::optional<std::string> experiment = c.body.text("experiment");
  std::optional<std::string> instance;
  if (const Json* v = c.body.get("instance")) {
    if (!v->is_text() && !v->is_int()) c.body.fail("instance", "expected a game_id, found " + describe(*v));
    instance = v->is_int() ? std::to_string(v->as_int()) : v->as_text();
  }
  const std::optional<std::string> episode_id = c.body.text("episode_id", 255);
  auto s = std::make_shared<Session>(g, pick(g, experiment, instance, seed), seed);
  std::vector<std::string> bots = g.bots;
  if (const Json* v = c.body.get("players")) {
    if (!v->is_object()) c.body.fail("players", "expected an object of roles, found " + describe(*v));
    for (const Json::Member& p : v->members()) {
      const std::string field = "players." + p.key.substr(0, 100);
      const uint32_t i = role_of(m, p.key.substr(0, 100), field);
      if (!p.value.is_text() || (p.value.as_text() != "client" && !p.value.as_text().starts_with("bot:"))) {
        throw HttpError(422, "`" + field + "`: expected \"bot:NAME\" or \"client\", found " + describe(p.value), field);
      }
      bots[i] = p.value.as_text() == "client" ? "" : p.value.as_text().substr(4);
    }
  }
  s->bots.resize(m.players.size());
  for (uint32_t i = 0; i < bots.size(); ++i) {
    if (bots[i].empty()) continue;
    for (const BotInfo& b : m.bots)
      if (b.player == i && b.name == bots[i]) s->bots[i] = b.entry;
    if (s->bots[i]) continue;
    try {
      players::make_bot(m, i, bots[i]);
    } catch (const InputError& e) {
      throw HttpError(422, e.what(), "players." + m.players[i].name);
    }
  }
  c.body.get("metadata"), c.body.get("timeout_s"), c.body.get("request_id");
  c.body.finish();
  s->name = id;
  s->episode_id = episode_id.value_or(net::make_secret());
  Worker& w = this_worker(limits_.budget);
  s->episode.start(w);
  s->journal.collect(w, s->episode);
  play_bots(s->episode, s->journal, s->bots, w);
  const Json out = result(*s, w, 0, true);
  keep(m.game + "/" + id, std::move(s));
  return response(out);
}

ServerResponse EnvService::step(Call& c) {
  const EnvGame& g = game_of(c);
  const Manifest& m = g.module->manifest();
  const std::string id = c.session();
  const Json* action = c.body.get("action");
  c.body.get("metadata"), c.body.get("timeout_s"), c.body.get("request_id"), c.body.get("episode_id");
  c.body.finish();
  if (!action) c.body.fail("action", R"(expected {"message": "…"}: what the player says)");
  if (!action->is_object()) c.body.fail("action", R"(expected an object such as {"message": "…"}, found )" + describe(*action));
  Body what(*action, "action");
  const std::optional<std::string> message = what.text("message"), role = what.text("role");
  what.get("metadata");
  what.finish();
  if (!message) what.fail("message", "expected a text: what the player says");
  const auto s = find(m.game + "/" + id);
  std::lock_guard lock(s->mutex);
  if (s->done()) throw HttpError(409, "the episode is over: a reset begins the next one");
  const uint32_t who = s->episode.asked_player();
  if (role && role_of(m, *role, "action.role") != who) {
    throw HttpError(409, "`action.role`: it is `" + m.players[who].name + "` who is asked, not `" + m.players[role_of(m, *role, "action.role")].name + "`", "action.role");
  }
  Worker& w = this_worker(limits_.budget);
  const size_t from = s->journal.entries.size();
  s->episode.step(w, *message);
  s->journal.collect(w, s->episode);
  ++s->steps;
  s->acted = who;
  play_bots(s->episode, s->journal, s->bots, w);
  return response(result(*s, w, from, false));
}

ServerResponse EnvService::state(Call& c) {
  const EnvGame& g = game_of(c);
  const Manifest& m = g.module->manifest();
  const auto s = find(m.game + "/" + c.session());
  std::lock_guard lock(s->mutex);
  Worker& w = this_worker(limits_.budget);
  const Json all = result(*s, w, s->journal.entries.size(), false);
  Json out = *all.find("metadata");
  for (const char* name : {"role", "move", "round", "outcome", "reason", "score"}) out.add(name, *all.find("observation")->find(name));
  out.add("done", s->done());
  Json& roles = out.add("roles", Json::list());
  for (uint32_t i = 0; i < m.players.size(); ++i)
    if (s->client_plays(i)) roles.push(m.players[i].name);
  uint32_t who = s->done() ? 0 : s->episode.asked_player();
  const std::string role = c.argument("role");
  if (!role.empty()) {
    who = role_of(m, role, "role");
    if (!s->client_plays(who)) throw HttpError(403, "`role`: `" + m.players[who].name + "` is played by a bot, and what it was told is its own", "role");
  } else if (s->done()) {
    while (who < m.players.size() && !s->client_plays(who)) ++who;
  }
  if (who < m.players.size()) out.add("messages", conversation(s->journal, who, !s->done() && who == s->episode.asked_player()));
  else out.add("messages", Json::list());
  return response(out);
}

ServerResponse EnvService::fork(Call& c) {
  const EnvGame& g = game_of(c);
  const std::string id = c.session();
  const std::string as = c.checked("as", c.body.text("as").value_or(net::make_secret()));
  c.body.finish();
  const std::string game = g.module->manifest().game;
  if (as == id) c.body.fail("as", "a copy needs another name than `" + id + "`");
  const auto s = find(game + "/" + id);
  std::shared_ptr<Session> copy;
  {
    std::lock_guard lock(s->mutex);
    copy = std::make_shared<Session>(*s);
  }
  copy->name = as;
  Worker& w = this_worker(limits_.budget);
  const Json out = result(*copy, w, copy->journal.entries.size(), true);
  keep(game + "/" + as, std::move(copy));
  return response(out);
}

ServerResponse EnvService::close(Call& c) {
  const EnvGame& g = game_of(c);
  const std::string id = c.session();
  c.body.finish();
  const std::string key = g.module->manifest().game + "/" + id;
  find(key);
  std::shared_ptr<Session> gone;  // freed without the lock
  {
    std::lock_guard lock(mutex_);
    const auto at = sessions_.find(key);
    if (at != sessions_.end()) {
      gone = std::move(at->second);
      sessions_.erase(at);
    }
  }
  Json out = Json::object();
  out.add("session_id", id);
  out.add("closed", true);
  return response(out);
}

ServerResponse EnvService::health() const {
  Json out = Json::object();
  out.add("status", "healthy");
  out.add("sessions", static_cast<int64_t>(sessions()));
  out.add("max_sessions", static_cast<int64_t>(limits_.sessions));
  return response(out);
}

static Json described(const EnvGame& g) {
  const Manifest& m = g.module->manifest();
  Json out = Json::object();
  out.add("name", m.game);
  out.add("description", m.doc);
  out.add("version", m.hash);
  Json& roles = out.add("roles", Json::list());
  for (uint32_t i = 0; i < m.players.size(); ++i) {
    if (m.players[i].scripted) continue;
    Json role = Json::object();
    role.add("name", m.players[i].name);
    role.add("display", m.players[i].display);
    role.add("player", g.bots[i].empty() ? "client" : "bot:" + g.bots[i]);
    Json& bots = role.add("bots", Json::list());
    for (const BotInfo& b : m.bots)
      if (b.player == i) bots.push(b.name);
    roles.push(std::move(role));
  }
  Json& experiments = out.add("experiments", Json::list());
  const Experiment* last = nullptr;
  for (const Chosen& c : g.chosen) {
    if (c.experiment != last) {
      Json e = Json::object();
      e.add("name", c.experiment->name);
      e.add("instances", Json::list());
      experiments.push(std::move(e));
    }
    last = c.experiment;
    experiments.items().back().find("instances")->push(c.instance->id);
  }
  return out;
}

ServerResponse EnvService::metadata(const Call& c) const {
  if (c.named) return response(described(*c.named));
  if (games_.size() == 1) return response(described(games_[0]));
  Json out = Json::object();
  std::string names;
  for (const auto& [n, _] : names_) names += (names.empty() ? "" : ", ") + n;
  out.add("name", "ppc");
  out.add("description", "Dialogue games: " + names);
  return response(out);
}

ServerResponse EnvService::list() const {
  Json out = Json::object();
  Json& games = out.add("games", Json::list());
  for (const EnvGame& g : games_) games.push(described(g));
  return response(out);
}

ServerResponse EnvService::schema() const {
  static const Json schema = parse_json(R"({
    "action": {"type": "object", "required": ["message"], "additionalProperties": false, "properties": {
      "message": {"type": "string", "description": "what the player says who is asked"},
      "role": {"type": "string", "description": "who says it; an error when another one is asked"},
      "metadata": {"type": "object"}}},
    "observation": {"type": "object", "properties": {
      "prompt": {"type": "string", "description": "what the player is told who is asked now; empty when the episode is over"},
      "role": {"type": ["string", "null"]}, "move": {"type": ["string", "null"]},
      "aside": {"type": "boolean", "description": "a side question, which the player's memory does not keep"},
      "round": {"type": "integer"},
      "violation": {"type": ["object", "null"], "description": "the rule that the last message broke", "properties": {
        "move": {"type": "string"}, "kind": {"type": "string"}, "rule": {"type": "string"}, "line": {"type": "integer"}, "reason": {"type": "string"}}},
      "rewards": {"type": "object", "additionalProperties": {"type": "number"}, "description": "what the game's reward statements gave since the last step, by role"},
      "outcome": {"type": ["string", "null"], "enum": ["won", "lost", "aborted", null]},
      "reason": {"type": ["string", "null"]}, "score": {"type": ["number", "null"]}, "scores": {"type": ["object", "null"]}}},
    "state": {"type": "object", "properties": {
      "game": {"type": "string"}, "session_id": {"type": "string"}, "episode_id": {"type": "string"}, "step_count": {"type": "integer"},
      "experiment": {"type": "string"}, "instance": {"type": "string"}, "seed": {"type": "string"},
      "role": {"type": ["string", "null"]}, "move": {"type": ["string", "null"]}, "round": {"type": "integer"},
      "outcome": {"type": ["string", "null"]}, "reason": {"type": ["string", "null"]}, "score": {"type": ["number", "null"]},
      "done": {"type": "boolean"}, "roles": {"type": "array", "items": {"type": "string"}},
      "messages": {"type": "array", "items": {"type": "object", "properties": {"role": {"type": "string"}, "content": {"type": "string"}}}}}}
  })", "schema");
  return response(schema);
}

ServerResponse EnvService::answer(const ServerRequest& r) {
  try {
    std::string_view path = r.path;
    const EnvGame* named = nullptr;
    if (path.starts_with('/')) path.remove_prefix(1);
    if (const size_t slash = path.find('/'); slash != std::string_view::npos) {
      const auto at = names_.find(path.substr(0, slash));
      if (at == names_.end()) throw HttpError(404, "no such address: /games lists the games that are served");
      named = &games_[at->second];
      path.remove_prefix(slash + 1);
    }
    struct Verb {
      std::string_view name;
      const char* method;
    };
    static constexpr Verb verbs[] = {{"reset", "POST"}, {"step", "POST"}, {"fork", "POST"}, {"close", "POST"}, {"state", "GET"},
                                     {"health", "GET"}, {"metadata", "GET"}, {"schema", "GET"}, {"games", "GET"}};
    const Verb* verb = nullptr;
    for (const Verb& v : verbs)
      if (v.name == path) verb = &v;
    if (!verb) throw HttpError(404, "no such address: there is /reset, /step, /state, /fork, /close, /health, /metadata, /schema and /games, all but the last also behind /GAME");
    if (r.method != verb->method && !(r.method == "HEAD" && verb->method[0] == 'G')) {
      ServerResponse no = response(HttpError(405, "/" + std::string(path) + " wants " + verb->method));
      no.headers.emplace_back("Allow", verb->method);
      return no;
    }
    Call c{r, std::string(path), named, verb->method[0] == 'P' ? Body(r) : Body(Json::object(), "")};
    if (path == "reset") return reset(c);
    if (path == "step") return step(c);
    if (path == "fork") return fork(c);
    if (path == "close") return close(c);
    if (path == "state") return state(c);
    if (path == "health") return health();
    if (path == "metadata") return metadata(c);
    if (path == "schema") return schema();
    return list();
  } catch (const HttpError& e) {
    return response(e);
  }
}

}  // namespace ppc::serve
