// Episodes, one at a time.
#include <cmath>
#include <limits>

#include "runtime/abi/segment.h"
#include "runtime/capi/handles.h"

namespace ppc::capi {
namespace {

using engine::Status;
using engine::Worker;

static_assert(PPC_PLAYERS_MAX == PPC_MAX_PLAYERS);
static_assert(int{PPC_OUTCOME_RUNNING} == int{PPC_RUNNING} && int{PPC_OUTCOME_WON} == int{PPC_WON} && int{PPC_OUTCOME_LOST} == int{PPC_LOST} &&
              int{PPC_OUTCOME_ABORTED} == int{PPC_ABORTED});
static_assert(sizeof(ppc_turn) == 120);  // python/ppc/_library.py unpacks it

/// Steps collect events for as long as it lives, if there is a journal.
class Listening {
 public:
  Listening(Worker& worker, bool on) : worker_(worker) { worker.collect_events(on); }
  ~Listening() { worker_.collect_events(false); }

 private:
  Worker& worker_;
};

void clear_last(ppc_episode& e) {
  e.rule = -1;
  e.violation.clear();
  e.rewards.fill(0);
  e.scores.reset();
}

/// Takes what the last step says. `replied`: it read the caller's reply.
void take_events(ppc_episode& e, Worker& w, bool replied) {
  const ppc_ctx* ctx = w.ctx();
  for (uint32_t i = 0; i < ctx->event_count; ++i) {
    const ppc_event& ev = ctx->events[i];
    if (ev.kind == PPC_EV_VIOLATION && replied && e.rule < 0) {
      e.rule = static_cast<int32_t>(ev.a);
      if (ev.b) e.violation = rt::view(ctx, ev.b);
    } else if (ev.kind == PPC_EV_REWARD && ev.who < e.rewards.size()) {
      e.rewards[ev.who] += rt::float_of(ev.a);
    }
  }
  if (!e.recording) return;
  auto& entries = e.recording->record.journal.entries;
  const size_t before = entries.size();
  e.recording->record.journal.collect(w, e.episode);
  for (size_t i = before; i < entries.size(); ++i) {
    if (entries[i].kind != PPC_EV_GET) continue;
    entries[i].timestamp_sent = e.recording->asked;
    break;
  }
  e.recording->asked = engine::now_iso();
}

/// Bots play until it is the caller's turn, or over.
void play_on(ppc_episode& e, Worker& w) {
  while (e.episode.status() == Status::Asking) {
    e.message.assign(e.episode.message(w));
    const uint32_t player = e.episode.asked_player();
    const int32_t bot = player < e.seats.size() ? e.seats[player] : -1;
    if (bot < 0) return;
    const auto reply = e.episode.ask_bot(w, e.manifest().bots[static_cast<size_t>(bot)].entry, player, e.message);
    if (reply) e.episode.step(w, *reply);
    else w.ctx()->event_count = 0;  // it faulted, and the episode is over
    take_events(e, w, false);
  }
  e.message.clear();
}

void start(ppc_episode& e) {
  clear_last(e);
  Worker& w = worker();
  const Listening listening(w, e.recording != nullptr);
  e.episode.start(w);
  take_events(e, w, false);
  play_on(e, w);
}

// In front of a snapshot; behind it the message, the violation's reason, the state.
struct Head {
  char magic[8];
  uint64_t checksum;     // of what follows
  uint64_t fingerprint;  // of experiment, instance and resources: the state refers to places in them
  uint32_t message, violation, state;  // bytes
  int32_t rule;
  double rewards[PPC_PLAYERS_MAX];
};
constexpr char kMagic[8] = {'p', 'p', 'c', '-', 's', 'n', 'a', '1'};
constexpr size_t kSummed = offsetof(Head, fingerprint);

}  // namespace

void check_options(const ppc_episode_options* options) {
  if (options && options->size < sizeof(ppc_episode_options)) throw UsageError("ppc_episode_options.size is not sizeof(ppc_episode_options)");
}

Seats seats_of(const Game& game, const ppc_episode_options* options) {
  Seats seats;
  seats.fill(-1);
  if (!options || !options->bots || options->bot_count == 0) return seats;
  const engine::Manifest& m = game.manifest();
  if (options->bot_count != m.players.size())
    throw UsageError("bots for " + std::to_string(options->bot_count) + " players; the game has " + std::to_string(m.players.size()));
  for (size_t p = 0; p < m.players.size(); ++p) {
    const int32_t bot = options->bots[p];
    if (bot < 0) continue;
    if (static_cast<size_t>(bot) >= m.bots.size()) throw UsageError("no bot " + std::to_string(bot) + ": there are " + std::to_string(m.bots.size()));
    const auto& b = m.bots[static_cast<size_t>(bot)];
    if (b.player != p) throw UsageError("bot `" + b.name + "` plays `" + m.players[b.player].name + "`, not `" + m.players[p].name + "`");
    seats[p] = bot;
  }
  return seats;
}

std::unique_ptr<ppc_episode> begin(const std::shared_ptr<const Instances>& all, size_t index, uint64_t seed, const Seats& seats, bool record) {
  if (index >= all->items.size()) throw UsageError("no instance " + std::to_string(index) + ": there are " + std::to_string(all->items.size()));
  const Item& item = all->items[index];
  auto e = std::make_unique<ppc_episode>(all, index, engine::Episode(item.setting, seed), seats);
  if (record) {
    const engine::Manifest& m = all->game->manifest();
    e->recording = std::make_unique<Recording>();
    engine::Record& r = e->recording->record;
    r.module = all->game->module;
    r.experiment = item.experiment;
    r.instance = item.instance;
    r.episode = item.position;
    r.seed = seed;
    r.models.resize(m.players.size());
    for (size_t p = 0; p < m.players.size(); ++p)
      if (seats[p] >= 0) r.models[p] = "bot-" + m.bots[static_cast<size_t>(seats[p])].name;
  }
  start(*e);
  return e;
}

void step(ppc_episode& e, std::string_view reply) {
  if (e.episode.status() != Status::Asking) throw UsageError("the episode is over");
  clear_last(e);
  Worker& w = worker();
  const Listening listening(w, e.recording != nullptr);
  e.episode.step(w, reply);
  take_events(e, w, true);
  play_on(e, w);
}

void restart(ppc_episode& e, uint64_t seed) {
  e.episode.restart(seed);
  if (e.recording) {
    engine::Record& r = e.recording->record;
    r.journal = {};
    r.seed = seed;
  }
  start(e);
}

void turn_of(const ppc_episode& e, ppc_turn* out) {
  if (!out) return;
  const ppc_state& s = e.episode.state();
  out->done = s.status == PPC_DONE;
  out->player = s.ask_player;
  out->move = s.ask_move;
  out->aside = out->done ? 0 : s.ask_aside;
  out->round = s.round;
  out->requests = s.requests;
  out->outcome = s.outcome;
  out->rule = e.rule;
  out->score = out->done && s.outcome != PPC_ABORTED ? s.score : std::numeric_limits<double>::quiet_NaN();
  std::memcpy(out->rewards, e.rewards.data(), sizeof out->rewards);
  out->message = e.message.c_str();
  out->message_size = e.message.size();
}

void snapshot(const ppc_episode& e, std::string& to) {
  const std::string_view state = e.episode.bytes();
  Head head{};
  std::memcpy(head.magic, kMagic, sizeof kMagic);
  head.fingerprint = e.item().fingerprint;
  head.message = static_cast<uint32_t>(e.message.size());
  head.violation = static_cast<uint32_t>(e.violation.size());
  head.state = static_cast<uint32_t>(state.size());
  head.rule = e.rule;
  std::memcpy(head.rewards, e.rewards.data(), sizeof head.rewards);
  const size_t at = to.size();
  to.append(reinterpret_cast<const char*>(&head), sizeof head);
  to += e.message;
  to += e.violation;
  to += state;
  const uint64_t sum = hash_bytes(2, std::string_view(to).substr(at + kSummed));
  std::memcpy(to.data() + at + offsetof(Head, checksum), &sum, sizeof sum);
}

void restore(ppc_episode& e, std::string_view bytes) {
  auto refuse = [](const char* why) { throw engine::InputError(std::string("not a snapshot of this game: ") + why); };
  if (e.recording) throw UsageError("an episode that keeps a journal cannot be restored: its journal would not fit; fork it instead");
  Head head;
  if (bytes.size() < sizeof head) refuse("too short");
  std::memcpy(&head, bytes.data(), sizeof head);
  if (std::memcmp(head.magic, kMagic, sizeof kMagic) != 0) refuse("no snapshot at all");
  if (uint64_t{head.message} + head.violation + head.state != bytes.size() - sizeof head || head.checksum != hash_bytes(2, bytes.substr(kSummed)))
    refuse("damaged");
  const std::string_view message = bytes.substr(sizeof head, head.message), violation = bytes.substr(sizeof head + head.message, head.violation);
  const std::string_view state = bytes.substr(sizeof head + head.message + head.violation);
  if (head.state >= offsetof(ppc_state, slots)) {
    uint64_t hash = 0;
    std::memcpy(&hash, state.data() + offsetof(ppc_state, module_hash), sizeof hash);
    if (hash != e.instances->game->module->hash()) refuse("of another game, or of another version of it");
  }
  if (head.fingerprint != e.item().fingerprint) refuse("of another instance, or with other resources");
  if (head.rule >= 0 && static_cast<size_t>(head.rule) >= e.manifest().rules.size()) refuse("damaged");
  e.episode.restore(state);
  e.message = message;
  clear_last(e);
  e.violation = violation;
  e.rule = head.rule;
  std::memcpy(e.rewards.data(), head.rewards, sizeof head.rewards);
  // It may come from an episode in which the caller played one that is a bot here.
  const uint32_t player = e.episode.asked_player();
  if (e.episode.status() == Status::Asking && player < e.seats.size() && e.seats[player] >= 0) {
    Worker& w = worker();
    const auto reply = e.episode.ask_bot(w, e.manifest().bots[static_cast<size_t>(e.seats[player])].entry, player, e.message);
    if (reply) e.episode.step(w, *reply);
    else w.ctx()->event_count = 0;
    take_events(e, w, false);
    play_on(e, w);
  }
}

const engine::Scores& scores_of(ppc_episode& e) {
  if (e.episode.status() != Status::Done) throw UsageError("the episode is not over: it has no scores yet");
  if (!e.scores) e.scores = engine::score(worker(), e.episode);
  return *e.scores;
}

}  // namespace ppc::capi

using namespace ppc;
using namespace ppc::capi;

extern "C" {

ppc_result ppc_episode_new(const ppc_instances* instances, size_t index, const ppc_episode_options* options, ppc_episode** out) {
  return guarded([&] {
    const Instances& all = instances_of(instances);
    check_options(options);
    wanted(out);
    *out = begin(instances->it, index, options ? options->seed : 0, seats_of(*all.game, options), options && options->record).release();
  });
}
void ppc_episode_free(ppc_episode* episode) {
  if (!episode || episode->kind != Kind::Episode) return;
  episode->kind = Kind::None;
  delete episode;
}

ppc_result ppc_episode_turn(const ppc_episode* episode, ppc_turn* out) {
  return guarded([&] {
    const Use use(episode_of(episode));
    turn_of(*episode, wanted(out));
  });
}
ppc_result ppc_episode_step(ppc_episode* episode, const char* reply, size_t size, ppc_turn* out) {
  return guarded([&] {
    const Use use(episode_of(episode));
    step(*episode, taken(reply, size));
    turn_of(*episode, out);
  });
}
ppc_result ppc_episode_bot(ppc_episode* episode, uint32_t bot, const char** reply, size_t* size) {
  return guarded([&] {
    ppc_episode& e = episode_of(episode);
    const Use use(e);
    wanted(reply);
    const engine::Manifest& m = e.manifest();
    if (bot >= m.bots.size()) throw UsageError("no bot " + std::to_string(bot) + ": there are " + std::to_string(m.bots.size()));
    if (e.episode.status() != engine::Status::Asking) throw UsageError("the episode is over");
    const uint32_t player = e.episode.asked_player();
    if (m.bots[bot].player != player)
      throw UsageError("bot `" + m.bots[bot].name + "` plays `" + m.players[m.bots[bot].player].name + "`, but `" + m.players[player].name + "` is asked");
    engine::Worker& w = worker();
    auto said = e.episode.ask_bot(w, m.bots[bot].entry, player, e.message);
    if (!said) {
      clear_last(e);
      e.message.clear();
      w.ctx()->event_count = 0;
      take_events(e, w, false);
      throw engine::InputError("bot `" + m.bots[bot].name + "`: " + e.episode.reason());
    }
    e.said = std::move(*said);
    *reply = e.said.c_str();
    if (size) *size = e.said.size();
  });
}
ppc_result ppc_episode_violation(const ppc_episode* episode, ppc_violation* out) {
  return guarded([&] {
    const ppc_episode& e = episode_of(episode);
    const Use use(e);
    wanted(out);
    *out = {};
    out->rule = -1;
    const auto& rules = e.manifest().rules;
    if (e.rule < 0 || static_cast<size_t>(e.rule) >= rules.size()) return;
    const auto& rule = rules[static_cast<size_t>(e.rule)];
    *out = {e.rule, rule.move.c_str(), rule.kind.c_str(), rule.text.c_str(), rule.line, e.violation.c_str()};
  });
}

ppc_result ppc_episode_abandon(ppc_episode* episode, const char* reason) {
  return guarded([&] {
    ppc_episode& e = episode_of(episode);
    const Use use(e);
    if (e.episode.status() == engine::Status::Done) return;
    clear_last(e);
    engine::Worker& w = worker();
    const Listening listening(w, e.recording != nullptr);
    e.episode.abandon(w, reason ? engine::lossy_utf8(reason) : "");
    if (e.recording) e.recording->record.left = true;
    take_events(e, w, false);
    e.message.clear();
  });
}
const char* ppc_episode_reason(const ppc_episode* episode) {
  return guarded_or<const char*>(nullptr, [&] {
    // Constant for the caller; what is asked for is kept until the next change.
    auto& e = const_cast<ppc_episode&>(episode_of(episode));
    const Use use(e);
    e.reason = e.episode.reason();
    return e.reason.c_str();
  });
}

ppc_result ppc_episode_restart(ppc_episode* episode, uint64_t seed, ppc_turn* out) {
  return guarded([&] {
    const Use use(episode_of(episode));
    restart(*episode, seed);
    turn_of(*episode, out);
  });
}
ppc_result ppc_episode_fork(const ppc_episode* episode, ppc_episode** out) {
  return guarded([&] {
    const Use use(episode_of(episode));
    wanted(out);
    *out = std::make_unique<ppc_episode>(*episode).release();
  });
}
ppc_result ppc_episode_snapshot(const ppc_episode* episode, char** bytes, size_t* size) {
  return guarded([&] {
    const Use use(episode_of(episode));
    std::string text;
    snapshot(*episode, text);
    give(text, bytes, size);
  });
}
ppc_result ppc_episode_restore(ppc_episode* episode, const char* bytes, size_t size, ppc_turn* out) {
  return guarded([&] {
    const Use use(episode_of(episode));
    restore(*episode, taken(bytes, size));
    turn_of(*episode, out);
  });
}

ppc_result ppc_episode_score_count(ppc_episode* episode, size_t* out) {
  return guarded([&] {
    const Use use(episode_of(episode));
    wanted(out);
    *out = scores_of(*episode).episode.size();
  });
}
ppc_result ppc_episode_score_at(ppc_episode* episode, size_t index, const char** name, double* value) {
  return guarded([&] {
    const Use use(episode_of(episode));
    const auto& list = scores_of(*episode).episode;
    if (index >= list.size()) throw UsageError("no score " + std::to_string(index) + ": there are " + std::to_string(list.size()));
    if (name) *name = list[index].first.c_str();
    if (value) *value = list[index].second.is_number() ? list[index].second.as_float() : std::numeric_limits<double>::quiet_NaN();
  });
}
ppc_result ppc_episode_score(ppc_episode* episode, const char* name, double* value) {
  return guarded([&] {
    const Use use(episode_of(episode));
    if (!name) throw UsageError("NULL where the name of a score is expected");
    wanted(value);
    for (const auto& [there, v] : scores_of(*episode).episode) {
      if (there != name) continue;
      *value = v.is_number() ? v.as_float() : std::numeric_limits<double>::quiet_NaN();
      return;
    }
    throw UsageError("no score `" + std::string(name) + "`");
  });
}
ppc_result ppc_episode_scores(ppc_episode* episode, char** json, size_t* size) {
  return guarded([&] {
    const Use use(episode_of(episode));
    give(engine::to_text(scores_of(*episode).to_json()), json, size);
  });
}

}  // extern "C"
