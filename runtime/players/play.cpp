#include "runtime/players/play.h"

#include <condition_variable>

namespace ppc::players {

void Sitting::take(engine::Worker& worker, Reply reply, const std::function<void()>& after) {
  episode.step(worker, reply.text, reply.valid);
  const size_t before = journal.entries.size();
  journal.collect(worker, episode);
  for (size_t i = before; i < journal.entries.size(); ++i) {
    engine::Entry& e = journal.entries[i];
    if (e.kind != PPC_EV_GET) continue;
    e.timestamp_sent = reply.sent.empty() ? sent_ : reply.sent;
    e.prompt_tokens = reply.prompt_tokens;
    e.reply_tokens = reply.reply_tokens;
    e.finish = finish_name(reply.finish);
    e.model = std::move(reply.model);
    e.logprobs = std::move(reply.logprobs);
    e.sample = std::move(reply.sample);
    e.attempts = reply.attempts;
    break;
  }
  if (after) after();
}

void Sitting::branch_at(std::shared_ptr<const std::vector<BranchPoint>> points) {
  points_ = std::move(points);
  passed_.assign(points_ ? points_->size() : 0, false);
}

void Sitting::split(const std::string& message) {
  for (size_t i = 0; i < passed_.size(); ++i) {
    const BranchPoint& p = (*points_)[i];
    if (passed_[i] || p.player != episode.asked_player() || (p.round && *p.round != episode.state().round)) continue;
    passed_[i] = true;
    for (uint32_t way = 1; way < p.ways; ++way) forks.push_back(fork(way, message));
    ++splits_;
  }
}

std::unique_ptr<Sitting> Sitting::fork(uint32_t way, const std::string& message) const {
  engine::Branch of = branch;
  of.path.resize(splits_);
  of.path.push_back(way);
  of.player = episode.asked_player();
  of.round = episode.state().round;
  of.entries = journal.entries.size();
  of.players_seed = episode.state().seed;
  for (const uint32_t w : of.path) of.players_seed = engine::mix_seed(of.players_seed, w, 0, 0);
  Cast players;
  Fork f{engine::branch_name(of.path), way};
  for (const auto& player : cast) {
    players.push_back(player ? player->fork(f) : nullptr);
    if (player && !players.back()) throw engine::InputError("a player who cannot be asked the same thing several times");
  }
  auto out = std::make_unique<Sitting>(episode.fork(), std::move(players));
  out->episode.script_draws(episode.scripted_draws());
  out->episode.reseed_players(of.players_seed);
  out->journal = journal;
  out->branch = std::move(of);
  out->started_ = true;
  out->points_ = points_;
  out->passed_ = passed_;
  out->splits_ = splits_ + 1;
  out->message_ = message;
  return out;
}

Sitting::State Sitting::play(engine::Worker& worker, const std::function<void()>& wake, const std::function<void()>& after) {
  worker.collect_events(true);
  struct Quiet {
    engine::Worker& worker;
    ~Quiet() { worker.collect_events(false); }
  } quiet{worker};
  auto collected = [&] {
    journal.collect(worker, episode);
    if (after) after();
  };
  auto leave = [&] {
    left = true;
    episode.abandon(worker, "the player left");
    collected();
  };
  if (!started_) {
    started_ = true;
    episode.start(worker);
    collected();
  }
  while (episode.status() == engine::Status::Asking) {
    std::optional<Answer> came;
    {
      std::lock_guard lock(mutex_);
      came.swap(answer_);
    }
    if (came) {
      if (auto* none = std::get_if<Unanswered>(&*came)) {
        if (none->why == Unanswered::Why::Left) {
          leave();
          break;
        }
        failure = std::move(*none);
        return State::Failed;
      }
      take(worker, std::move(std::get<Reply>(*came)), after);
      continue;
    }
    const uint32_t who = episode.asked_player();
    if (who >= cast.size() || !cast[who]) throw engine::InputError("the game asks a player that nobody plays");
    Player& player = *cast[who];
    const std::string message = message_ ? std::move(*message_) : std::string(episode.message(worker));
    message_.reset();
    split(message);
    sent_ = engine::now_iso();
    bool aside = false;
    for (size_t i = journal.entries.size(); i-- > 0;) {
      const engine::Entry& e = journal.entries[i];
      if (e.kind != PPC_EV_SEND || e.who != who) continue;
      aside = e.aside;
      break;
    }
    const Request request{who, episode.asked_move(), message, aside, journal, worker, episode};
    if (player.waits()) {
      player.ask(request, [this, wake](Answer answer) {
        {
          std::lock_guard lock(mutex_);
          answer_ = std::move(answer);
        }
        wake();
      });
      return State::Waiting;
    }
    try {
      Reply reply = player.reply(request);
      if (episode.status() == engine::Status::Done) {  // a bot faulted
        worker.ctx()->event_count = 0;
        collected();
        break;
      }
      take(worker, std::move(reply), after);
    } catch (const PlayerLeft&) {
      leave();
    }
  }
  for (auto& player : cast)
    if (player) player->over(episode.state().outcome, episode.state().score, episode.reason());
  return State::Over;
}

bool play_episode(engine::Worker& worker, Sitting& sitting, const std::function<void()>& after) {
  std::mutex mutex;
  std::condition_variable changed;
  bool woken = false;
  while (true) {
    const Sitting::State state = sitting.play(worker, [&] {
      std::lock_guard lock(mutex);
      woken = true;
      changed.notify_one();
    }, after);
    if (state == Sitting::State::Over) return sitting.left;
    if (state == Sitting::State::Failed) throw engine::SystemError(sitting.failure.error);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return woken; });
    woken = false;
  }
}

}  // namespace ppc::players
