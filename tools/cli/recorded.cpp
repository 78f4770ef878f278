#include "tools/cli/recorded.h"

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "runtime/engine/json.h"

namespace ppc::cli {

namespace fs = std::filesystem;
using namespace engine;

namespace {

const Json& member(const Json& json, const char* key, const std::string& where) {
  const Json* v = json.find(key);
  if (!v) throw InputError(where + ": no `" + key + "`: not a record of ppc");
  return *v;
}
std::string text_of(const Json& json, const char* key, const std::string& where) {
  const Json& v = member(json, key, where);
  if (!v.is_text()) throw InputError(where + ": `" + key + "`: expected text, found " + describe(v));
  return v.as_text();
}
int64_t int_of(const Json& json, const char* key, const std::string& where) {
  const Json& v = member(json, key, where);
  if (!v.is_int()) throw InputError(where + ": `" + key + "`: expected int, found " + describe(v));
  return v.as_int();
}
const Json::List& list_of(const Json& json, const char* key, const std::string& where) {
  const Json& v = member(json, key, where);
  if (!v.is_list()) throw InputError(where + ": `" + key + "`: expected a list, found " + describe(v));
  return v.items();
}
uint64_t seed_of(const Json& json, const std::string& where) {
  const std::string text = text_of(json, "seed", where);
  uint64_t n = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), n);
  if (r.ec != std::errc() || r.ptr != text.data() + text.size()) throw InputError(where + ": `seed`: expected a number as text");
  return n;
}
void read_draws(const Json* draws, Recorded& out, const std::string& where) {
  if (!draws) return;
  if (!draws->is_list()) throw InputError(where + ": `draws`: expected a list");
  for (const Json& d : draws->items()) {
    if (!d.is_int()) throw InputError(where + ": `draws`: expected numbers");
    out.draws.push_back(d.as_int());
  }
}

std::string player_models(const Recorded& r, size_t i) { return i < r.models.size() && r.models[i] != "programmatic" ? r.models[i] : ""; }

}  // namespace

Recorded read_recorded_folder(const std::string& folder, bool with_scores) {
  Recorded out;
  out.name = folder;
  Json interactions = load_json(folder + "/interactions.json");
  const std::string where = folder + "/interactions.json";
  const Json& meta = member(interactions, "meta", where);
  const Json& ours = member(meta, "ppc", where);
  out.game = text_of(meta, "game_name", where);
  out.seed = seed_of(ours, where);
  out.repeat = static_cast<uint32_t>(int_of(ours, "repeat", where));
  read_draws(ours.find("draws"), out, where);
  const Json& completed = member(meta, "completed", where);
  out.left = completed.is_bool() && !completed.as_bool();
  const Json& players = member(interactions, "players", where);
  for (int i = 1; const Json* player = players.find("Player " + std::to_string(i)); ++i) {
    out.models.push_back(text_of(*player, "model_name", where));
  }
  const Json requests = load_json(folder + "/requests.json");
  if (!requests.is_list()) throw InputError(folder + "/requests.json: expected a list");
  for (const Json& r : requests.items()) {
    const Json* invalid = r.find("invalid_utf8");
    out.replies.push_back({text_of(r, "raw_response_obj", folder + "/requests.json"), !(invalid && invalid->is_bool() && invalid->as_bool())});
  }
  out.instance = load_json(folder + "/instance.json");
  const fs::path path = fs::path(folder).lexically_normal();
  const fs::path clean = path.has_filename() ? path : path.parent_path();
  out.experiment = load_json((clean.parent_path().empty() ? fs::path("..") / "experiment.json" : clean.parent_path() / "experiment.json").string());
  Json scores;
  if (with_scores) scores = load_json(folder + "/scores.json");
  out.expected = Json::object();
  out.expected.add("interactions", std::move(interactions));
  out.expected.add("scores", std::move(scores));
  return out;
}

Recorded read_recorded_line(Json json, const std::string& name, const std::string& folder) {
  Recorded out;
  out.name = name;
  out.is_line = true;
  if (text_of(json, "schema", name) != "ppc-episode/1") throw InputError(name + ": a schema that this build does not know");
  out.game = text_of(json, "game", name);
  out.seed = seed_of(json, name);
  out.repeat = static_cast<uint32_t>(int_of(json, "repeat", name));
  out.episode = static_cast<uint32_t>(int_of(json, "episode", name));
  const Json& experiment = member(json, "experiment", name);
  out.experiment_index = static_cast<uint32_t>(int_of(experiment, "index", name));
  read_draws(json.find("draws"), out, name);
  const Json& left = member(json, "left", name);
  out.left = left.is_bool() && left.as_bool();
  std::vector<bool> scripted;
  for (const Json& p : list_of(json, "players", name)) {
    out.models.push_back(text_of(p, "model", name));
    const Json* voiced = p.find("scripted");
    scripted.push_back(voiced && voiced->is_bool() && voiced->as_bool());
  }
  for (const Json& m : list_of(json, "messages", name)) {
    const std::string from = text_of(m, "from", name);
    if (from == "GM") continue;
    const size_t player = static_cast<size_t>(std::atoi(from.c_str() + std::min<size_t>(7, from.size()))) - 1;
    if (player < scripted.size() && scripted[player]) continue;
    const Json* move = m.find("move");
    if (move && move->is_null()) continue;  // the game answered for the player
    const Json* invalid = m.find("invalid_utf8");
    out.replies.push_back({text_of(m, "text", name), !(invalid && invalid->is_bool() && invalid->as_bool())});
  }
  out.instance = member(json, "instance", name);
  const fs::path record = fs::path(folder) / text_of(json, "record", name);
  std::error_code ec;
  const fs::path above = record.parent_path() / "experiment.json";
  if (fs::exists(above, ec)) out.experiment = load_json(above.string());
  else out.experiment = Json::object();
  out.experiment.set("name", text_of(experiment, "name", name));
  out.expected = std::move(json);
  return out;
}

Recorded read_clembench_folder(const std::string& folder, const std::string& game) {
  Recorded out;
  out.name = folder;
  out.ours = false;
  Json interactions = load_json(folder + "/interactions.json");
  const std::string where = folder + "/interactions.json";
  const Json* meta = interactions.find("meta");
  const Json* said = meta ? meta->find("game_name") : nullptr;
  out.game = said && said->is_text() ? said->as_text() : game;
  for (const Json& turn : list_of(interactions, "turns", where)) {
    if (!turn.is_list()) throw InputError(where + ": `turns`: expected lists, found " + describe(turn));
    for (const Json& event : turn.items()) {
      const Json& action = member(event, "action", where);
      const std::string from = text_of(event, "from", where);
      const int player = from.rfind("Player ", 0) == 0 ? std::atoi(from.c_str() + 7) - 1 : -1;
      if (player < 0) continue;
      const Json* said = action.find("content");
      if (!said || !said->is_text()) continue;
      out.replies.push_back({said->as_text(), true, player});
    }
  }
  out.instance = load_json(folder + "/instance.json");
  const fs::path path = fs::absolute(folder).lexically_normal();
  const fs::path above = (path.has_filename() ? path : path.parent_path()).parent_path();
  out.experiment = Json::object();
  // experiment.json; older versions call it experiment_NAME.json.
  std::error_code ec;
  if (fs::exists(above / "experiment.json", ec)) {
    out.experiment = load_json((above / "experiment.json").string());
  } else {
    for (const fs::directory_entry& entry : fs::directory_iterator(above, ec)) {
      const std::string name = entry.path().filename().string();
      if (name.rfind("experiment_", 0) == 0 && entry.path().extension() == ".json") out.experiment = load_json(entry.path().string());
    }
  }
  if (!out.experiment.is_object()) throw InputError((above / "experiment.json").string() + ": expected an object, found " + describe(out.experiment));
  if (!out.experiment.find("name")) out.experiment.set("name", above.filename().string());
  out.expected = std::move(interactions);
  return out;
}

/// By its line, wherever there is a folder or not.
static Recorded read_recorded_place(const ResultPlace& place) {
  const fs::path folder = fs::path(place.lines).parent_path();
  return read_recorded_line(read_line(place), place.name(), folder.empty() ? "." : folder.string());
}

Recorded read_recorded(const ResultPlace& place) {
  if (place.folder.empty()) return read_recorded_place(place);
  const Json interactions = load_json(place.folder + "/interactions.json");
  const Json* meta = interactions.find("meta");
  return meta && meta->find("ppc") ? read_recorded_folder(place.folder, false) : read_clembench_folder(place.folder, place.game);
}

void find_recorded(const std::string& name, std::vector<Recorded>& out) {
  std::error_code ec;
  if (fs::is_directory(name, ec)) {
    if (fs::exists(fs::path(name) / "interactions.json", ec)) return out.push_back(read_recorded_folder(name));
    if (fs::exists(fs::path(name) / "episodes.jsonl", ec)) return find_recorded((fs::path(name) / "episodes.jsonl").string(), out);
    throw InputError(name + ": no interactions.json and no episodes.jsonl there");
  }
  const size_t colon = name.rfind(':');
  if (!fs::exists(name, ec) && colon != std::string::npos && colon + 1 < name.size() &&
      name.find_first_not_of("0123456789", colon + 1) == std::string::npos) {
    for (const ResultPlace& place : find_results({name})) out.push_back(read_recorded_place(place));
    return;
  }
  const std::string& path = name;
  const std::string bytes = read_file(path);
  const fs::path parent = fs::path(path).parent_path();
  size_t k = 0, found = 0;
  std::map<std::string, Json> tree;  // the last episode and its branches, whole, by `record`
  for (size_t from = 0; from < bytes.size(); ++k) {
    const size_t end = std::min(bytes.find('\n', from), bytes.size());
    const std::string line = bytes.substr(from, end - from);
    const bool whole = end < bytes.size();
    from = end + 1;
    if (line.empty()) continue;
    const std::string where = path + ":" + std::to_string(k);
    if (!whole) {
      // The run was cut off while it wrote this line.
      std::fprintf(stderr, "warning: %s: half a line, left out\n", where.c_str());
      continue;
    }
    Json json;
    try {
      json = parse_json(line, where);
    } catch (const InputError&) {
      std::fprintf(stderr, "warning: %s: a line that is no JSON, left out\n", where.c_str());
      continue;
    }
    const bool branch = json.find("tree") != nullptr;
    if (branch) {
      const auto above = tree.find(text_of(json, "parent", where));
      if (above == tree.end()) {
        std::fprintf(stderr, "warning: %s: a branch without the episode that it is of before it, left out\n", where.c_str());
        continue;
      }
      json = join_branch(json, above->second, where);
    } else {
      tree.clear();
    }
    if (branch || json.find("branches")) tree[text_of(json, "record", where)] = json;
    out.push_back(read_recorded_line(std::move(json), where, parent.empty() ? "." : parent.string()));
    ++found;
  }
  if (found == 0) throw InputError(name + ": no episode there");
}

std::unique_ptr<Replayed> play_again(const Recorded& r, const Game& game, const SegmentPtr& resources, Worker& worker) {
  const Manifest& m = game.module->manifest();
  Json document = Json::object();
  Json experiment = r.experiment;
  Json instances = Json::list();
  instances.push(r.instance);
  experiment.set("game_instances", std::move(instances));
  Json experiments = Json::list();
  experiments.push(std::move(experiment));
  document.add("experiments", std::move(experiments));
  auto out = std::make_unique<Replayed>();
  InstanceSet& set = out->instances;
  set = read_instances(*game.module, std::move(document), r.name);
  set.experiments[0].index = r.experiment_index;

  Record& record = out->record;
  record.module = game.module;
  record.experiment = &set.experiments[0];
  record.instance = &set.experiments[0].instances[0];
  record.episode = r.episode;
  record.repeat = r.repeat;
  record.seed = r.seed;
  record.left = r.left;
  record.draws = r.draws;
  for (size_t i = 0; i < m.players.size(); ++i) record.models.push_back(player_models(r, i));

  auto setting = std::make_shared<Setting>(
      Setting{game.module, record.experiment->segment, record.instance->segment, resources});
  Episode episode(setting, r.seed);
  size_t next_draw = 0;
  if (!r.draws.empty()) {
    episode.script_draws([&](uint32_t stream, int64_t) -> int64_t {
      return stream == 0 && next_draw < r.draws.size() ? r.draws[next_draw++] : -1;
    });
  }
  worker.collect_events(true);
  std::vector<bool> taken(r.replies.size());
  size_t next = 0;
  // Ours were asked in this order; clembench's are in order for each player.
  auto take = [&](uint32_t asked) -> const Reply* {
    if (r.ours) return next < r.replies.size() ? &r.replies[next++] : nullptr;
    for (size_t i = 0; i < r.replies.size(); ++i) {
      if (taken[i] || r.replies[i].player != static_cast<int>(asked)) continue;
      taken[i] = true;
      ++next;
      return &r.replies[i];
    }
    return nullptr;
  };
  // clembench's records do not say which replies the game gave for a player.
  size_t seen = 0;
  auto collect = [&] {
    record.journal.collect(worker, episode);
    for (; seen < record.journal.entries.size(); ++seen) {
      const Entry& e = record.journal.entries[seen];
      if (r.ours || e.kind != PPC_EV_SAY) continue;
      for (size_t i = 0; i < r.replies.size(); ++i) {
        if (taken[i] || r.replies[i].player != static_cast<int>(e.who)) continue;
        if (r.replies[i].text == e.text) taken[i] = true;
        break;
      }
    }
  };
  Status status = episode.start(worker);
  collect();
  while (status == Status::Asking) {
    const Reply* reply = take(episode.asked_player());
    if (!reply) {
      if (!r.left) out->wants_more = true;
      episode.abandon(worker, "the player left");
      collect();
      break;
    }
    status = episode.step(worker, reply->text, reply->valid);
    collect();
  }
  worker.collect_events(false);
  out->used = next;
  for (size_t i = 0; i < r.replies.size(); ++i) {
    const int player = r.replies[i].player;
    if (r.ours) out->left_over += i >= next;
    else out->left_over += !taken[i] && static_cast<size_t>(player) < m.players.size() && !m.players[static_cast<size_t>(player)].scripted;
  }
  take_end(record, worker, episode);
  return out;
}

const std::pair<Game, SegmentPtr>& RecordedGames::find(const Recorded& r) {
  const std::string name = game_.empty() ? r.game : game_;
  if (const auto it = missing_.find(name); it != missing_.end()) throw InputError(it->second);
  auto it = games_.find(name);
  if (it == games_.end()) {
    try {
      Game game = open_game(name, engine_);
      std::string folder;
      for (const std::string& given : resources_) {
        const size_t at = given.find('=');
        if (at == std::string::npos) folder = given;
        else if (given.substr(0, at) == r.game) folder = given.substr(at + 1);
      }
      SegmentPtr resources = load_resources(*game.module, game.folder, folder, false);
      it = games_.emplace(name, std::make_pair(std::move(game), std::move(resources))).first;
    } catch (const InputError& e) {
      // Here the name is the record's: of a game of one's own the file is not known.
      const std::string what = e.what() + std::string(chosen_ && game_.empty() ? "; `--game FILE` names one of your own" : "");
      missing_.emplace(name, what);
      throw InputError(what);
    }
  }
  const Manifest& m = it->second.first.module->manifest();
  if (m.game != r.game) throw InputError(r.name + ": an episode of `" + r.game + "`, not of `" + m.game + "`");
  return it->second;
}

void name_rules(Result& result, RecordedGames& games, Worker& worker) {
  if (result.rules != Result::Rules::Unknown) return;
  std::unique_ptr<Replayed> again;
  try {
    if (result.instance.is_null()) throw InputError("there is no instance.json");
    const Recorded recorded = read_recorded(result.place);
    const auto& [game, resources] = games.find(recorded);
    again = play_again(recorded, game, resources, worker);
    if (again->wants_more || again->left_over) {
      throw InputError("ppc's `" + recorded.game + "` asks for other replies than are recorded" +
                       (again->left_over && !again->record.reason.empty() ? ": " + again->record.reason : ""));
    }
    const std::string outcome = outcome_name(again->record.outcome);
    if (!result.outcome.empty() && outcome != result.outcome) {
      throw InputError("with ppc's `" + recorded.game + "` the same replies end as " + outcome + ", not as " + result.outcome);
    }
  } catch (const InputError& e) {
    result.why_unknown = e.what();
    return;
  }
  const Result now = read_episode_line(parse_json(episode_line(again->record), "episode"), result.place.name());
  // Each player's replies in order; older versions of clembench do not log those that the game gave.
  std::vector<std::vector<const ResultEvent*>> said(now.players.size());
  std::vector<size_t> next(now.players.size());
  for (const ResultEvent& e : now.events)
    if (e.kind == ResultEvent::Kind::Reply) said[e.player].push_back(&e);
  std::vector<size_t> players;  // of the result -> of the replay
  for (const ResultPlayer& p : result.players) {
    size_t i = 0;
    while (i < now.players.size() && now.players[i].name != p.name) ++i;
    players.push_back(i);
  }
  std::vector<ResultEvent*> question(result.players.size());
  for (ResultEvent& e : result.events) {
    if (e.kind == ResultEvent::Kind::Note || players[e.player] == now.players.size()) continue;
    if (e.kind == ResultEvent::Kind::Send) {
      question[e.player] = &e;
      continue;
    }
    const std::vector<const ResultEvent*>& of_player = said[players[e.player]];
    size_t& k = next[players[e.player]];
    while (k < of_player.size() && of_player[k]->text != e.text && of_player[k]->given) ++k;
    if (k == of_player.size()) break;
    const ResultEvent& same = *of_player[k++];
    e.given = same.given;
    e.aside = same.aside;
    e.move = same.move;
    e.captures = same.captures;
    e.violation = same.violation;
    e.reward = same.reward;
    if (e.aside && question[e.player]) question[e.player]->aside = true;
    question[e.player] = nullptr;
  }
  for (size_t i = 0; i < result.players.size(); ++i) {
    if (players[i] == now.players.size()) continue;
    result.players[i].role = now.players[players[i]].role;
    result.players[i].scripted = now.players[players[i]].scripted;
  }
  if (result.reason.empty()) result.reason = now.reason;
  result.rules = Result::Rules::PlayedAgain;
}

}  // namespace ppc::cli
