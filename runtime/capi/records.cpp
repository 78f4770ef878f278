// Records: of one episode as JSON, and on disk.
#include <algorithm>
#include <limits>

#include "runtime/capi/handles.h"

namespace ppc::capi {
namespace {

using engine::Json;
using engine::Record;

/// The record as it stands.
Record& record_of(ppc_episode& e) {
  if (!e.recording) throw UsageError("this episode keeps no journal: set ppc_episode_options.record when it begins");
  Record& r = e.recording->record;
  const ppc_state& s = e.episode.state();
  r.outcome = s.outcome;
  r.reason = e.episode.reason();
  r.score = s.outcome == PPC_RUNNING ? std::numeric_limits<double>::quiet_NaN() : s.score;
  r.rounds = s.round;
  r.steps = s.steps;
  r.scores = e.episode.status() == engine::Status::Done ? scores_of(e) : engine::Scores{};
  return r;
}

std::string part_of(ppc_episode& e, const std::string& part) {
  const engine::JsonStyle style{.indent = 1, .nan_as_null = false};
  Record& r = record_of(e);
  if (part == "episode") return engine::episode_line(r);
  if (part == "interactions") return to_text(engine::interactions_json(r), style);
  if (part == "requests") return to_text(engine::requests_json(r), style);
  if (part == "scores") return to_text(scores_of(e).to_json(), style);
  if (part == "instance") return to_text(r.instance->document, style);
  if (part == "experiment") return to_text(r.experiment->document, style);
  throw UsageError("no part `" + part + "`: episode, interactions, requests, scores, instance, experiment");
}

void annotate(engine::Entry& to, const Json& json) {
  auto whole = [&](const char* key, const Json& v) {
    if (!v.is_int() || v.as_int() < 0) throw engine::InputError(std::string("(annotation): ") + key + ": expected an int, at least 0, found " + engine::describe(v));
    return v.as_int();
  };
  auto text = [&](const char* key, const Json& v) {
    if (!v.is_text()) throw engine::InputError(std::string("(annotation): ") + key + ": expected text, found " + engine::describe(v));
    return v.as_text();
  };
  if (!json.is_object()) throw engine::InputError("(annotation): expected an object, found " + engine::describe(json));
  engine::Entry out = to;
  for (const auto& [key, v] : json.members()) {
    if (v.is_null()) continue;
    if (key == "prompt_tokens") {
      out.prompt_tokens = whole("prompt_tokens", v);
    } else if (key == "reply_tokens") {
      out.reply_tokens = whole("reply_tokens", v);
    } else if (key == "attempts") {
      out.attempts = static_cast<int>(std::min<int64_t>(whole("attempts", v), 1'000'000));
    } else if (key == "model") {
      out.model = text("model", v);
    } else if (key == "finish") {
      out.finish = text("finish", v);
      if (out.finish != "stop" && out.finish != "length" && out.finish != "refusal" && out.finish != "empty" && out.finish != "invalid")
        throw engine::InputError("(annotation): finish: expected stop, length, refusal, empty or invalid, found `" + out.finish + "`");
    } else if (key == "logprobs") {
      if (!v.is_list()) throw engine::InputError("(annotation): logprobs: expected a list, found " + engine::describe(v));
      out.logprobs = v;
    } else {
      throw engine::InputError("(annotation): `" + key + "` is not known: prompt_tokens, reply_tokens, finish, model, attempts, logprobs");
    }
  }
  to = std::move(out);
}

}  // namespace
}  // namespace ppc::capi

using namespace ppc;
using namespace ppc::capi;

extern "C" {

ppc_result ppc_episode_record(ppc_episode* episode, const char* part, char** json, size_t* size) {
  return guarded([&] {
    const Use use(episode_of(episode));
    if (!part) throw UsageError("NULL where the name of a part is expected");
    give(part_of(*episode, part), json, size);
  });
}
ppc_result ppc_episode_conversation(const ppc_episode* episode, uint32_t player, char** json, size_t* size) {
  return guarded([&] {
    const ppc_episode& e = episode_of(episode);
    const Use use(e);
    if (!e.recording) throw UsageError("this episode keeps no journal: set ppc_episode_options.record when it begins");
    const size_t players = e.manifest().players.size();
    if (player >= players) throw UsageError("no player " + std::to_string(player) + ": there are " + std::to_string(players));
    Json list = Json::list();
    auto said = [&](const char* role, std::string_view text) {
      Json one = Json::object();
      one.add("role", role);
      one.add("content", text);
      list.push(std::move(one));
    };
    for (const engine::Entry& entry : e.recording->record.journal.entries) {
      if (entry.who != player || entry.aside) continue;
      if (entry.kind == PPC_EV_SEND) said("user", entry.text);
      if (entry.kind == PPC_EV_GET || entry.kind == PPC_EV_SAY) said("assistant", entry.text);
    }
    const ppc_state& state = e.episode.state();
    if (state.status == PPC_ASKING && state.ask_aside && state.ask_player == player) said("user", e.message);
    give(engine::to_text(list), json, size);
  });
}
ppc_result ppc_episode_set_model(ppc_episode* episode, uint32_t player, const char* name) {
  return guarded([&] {
    ppc_episode& e = episode_of(episode);
    const Use use(e);
    if (!e.recording) throw UsageError("this episode keeps no journal");
    auto& models = e.recording->record.models;
    if (player >= models.size()) throw UsageError("no player " + std::to_string(player) + ": there are " + std::to_string(models.size()));
    models[player] = name ? engine::lossy_utf8(name) : "";
  });
}
ppc_result ppc_episode_annotate(ppc_episode* episode, const char* json, size_t size) {
  return guarded([&] {
    ppc_episode& e = episode_of(episode);
    const Use use(e);
    if (!e.recording) throw UsageError("this episode keeps no journal");
    const Json what = engine::parse_json(taken(json, size), "(annotation)");
    // The caller's last reply: those of bots may have come behind it.
    auto& entries = e.recording->record.journal.entries;
    for (size_t i = entries.size(); i-- > 0;) {
      if (entries[i].kind != PPC_EV_GET || (entries[i].who < e.seats.size() && e.seats[entries[i].who] >= 0)) continue;
      return annotate(entries[i], what);
    }
    throw UsageError("no reply has been given yet");
  });
}

ppc_result ppc_writer_open(const char* folder, ppc_writer** out) {
  return guarded([&] {
    if (!folder || !*folder) throw UsageError("which folder?");
    wanted(out);
    auto handle = std::make_unique<ppc_writer>();
    handle->it = std::make_unique<engine::RecordWriter>(folder);
    *out = handle.release();
  });
}
ppc_result ppc_writer_write(ppc_writer* writer, ppc_episode* episode, uint32_t repeat, uint32_t repeats) {
  return guarded([&] {
    ppc_writer& w = checked(writer, Kind::Writer, "writer");
    ppc_episode& e = episode_of(episode);
    const Use use(e);
    if (e.episode.status() != engine::Status::Done) throw UsageError("the episode is not over");
    if (repeats == 0 || repeat >= repeats) throw UsageError("repeat " + std::to_string(repeat) + " of " + std::to_string(repeats));
    Record& r = record_of(e);
    r.repeat = repeat;
    r.episode = e.item().position * repeats + repeat;
    w.it->write(r);
  });
}
ppc_result ppc_writer_close(ppc_writer* writer) {
  return guarded([&] {
    const std::unique_ptr<ppc_writer> freed(&checked(writer, Kind::Writer, "writer"));
    freed->kind = Kind::None;
    freed->it->finish();
  });
}

}  // extern "C"
