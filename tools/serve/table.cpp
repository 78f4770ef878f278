#include "tools/serve/table.h"

#include <cmath>

#include "runtime/net/gate.h"
#include "runtime/players/human.h"
#include "tools/serve/http.h"
#include "tools/serve/page_files.h"

namespace ppc::serve {

using namespace engine;
using net::ServerRequest;
using net::ServerResponse;
using Clock = std::chrono::steady_clock;

namespace {

double since(Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); }

/// Nothing but the server's own script and style can run or load, wherever a text comes from.
ServerResponse page_file(const char* type, const char* content) {
  return {200, content, std::string(type) + "; charset=utf-8",
          {{"Content-Security-Policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'; require-trusted-types-for 'script'"},
           {"X-Frame-Options", "DENY"}}};
}

}  // namespace

/// A seat's player: it waits for what comes over HTTP.
class Table::WebPlayer final : public players::Player {
 public:
  WebPlayer(Table& table, size_t seat) : table_(table), seat_(seat) {}
  bool waits() const override { return true; }
  void ask(const players::Request& r, std::function<void(players::Answer)> done) override {
    std::unique_lock lock(table_.mutex_);
    Place& place = table_.places_[seat_];
    if (place.leaving || table_.stop_) {
      lock.unlock();
      done(players::Unanswered{players::Unanswered::Why::Left, {}});
      return;
    }
    place.asked = Asked{++table_.asks_, std::move(done), Clock::now(), r.move, r.aside};
    table_.asked_ = r.player;
    table_.changed();
  }

 private:
  Table& table_;
  size_t seat_;
};

Table::Table(TableOptions options)
    : options_(std::move(options)), manifest_(options_.module->manifest()), places_(options_.seats.size()), thread_([this] { run(); }) {}

Table::~Table() { stop(); }

void Table::stop() {
  std::vector<std::function<void(players::Answer)>> left;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    for (Place& p : places_) {
      if (p.asked) left.push_back(std::move(p.asked->done));
      p.asked.reset();
    }
    wake_.notify_all();
  }
  for (const auto& done : left) done(players::Unanswered{players::Unanswered::Why::Left, {}});
  if (thread_.joinable()) thread_.join();
  std::lock_guard lock(mutex_);
  phase_ = Phase::Finished;
  changed();
}

// ---- the game's thread ------------------------------------------------------------------------------------------------------

void Table::run() {
  Worker worker;
  for (size_t i = 0; i < options_.episodes; ++i) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return go_ || stop_; });
      if (stop_) return;
      go_ = false;
      episode_ = i;
      phase_ = Phase::Playing;
      log_.clear();
      has_result_ = false;
      asked_ = UINT32_MAX;
      for (Place& p : places_) p.wants_next = p.leaving = false;
      changed();
    }
    std::string error;
    try {
      play(i, worker);
    } catch (const std::exception& e) {
      error = e.what();
    }
    std::lock_guard lock(mutex_);
    asked_ = UINT32_MAX;
    for (Place& p : places_) p.asked.reset();
    if (!error.empty()) {
      phase_ = Phase::Failed;
      if (options_.error && !stop_) options_.error(error);
    }
    changed();
  }
}

void Table::play(size_t i, Worker& worker) {
  const std::unique_ptr<players::Sitting> sitting = options_.begin(i);
  for (size_t s = 0; s < options_.seats.size(); ++s) sitting->cast.at(options_.seats[s].player) = std::make_unique<WebPlayer>(*this, s);
  auto after = [&] {
    std::lock_guard lock(mutex_);
    log_ = sitting->journal.entries;
    asked_ = sitting->episode.status() == Status::Asking ? sitting->episode.asked_player() : UINT32_MAX;
    changed();
  };
  while (true) {
    const players::Sitting::State state = sitting->play(worker, [this] {
      std::lock_guard lock(mutex_);
      woken_ = true;
      wake_.notify_all();
    }, after);
    if (state == players::Sitting::State::Failed) throw SystemError(sitting->failure.error);
    if (state == players::Sitting::State::Over) break;
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [&] { return woken_; });
    woken_ = false;
  }
  Scores scores = score(worker, sitting->episode);
  {
    std::lock_guard lock(mutex_);
    outcome_ = sitting->episode.state().outcome;
    reason_ = sitting->episode.reason();
    scores_ = scores;
    has_result_ = true;
    phase_ = Phase::Over;
  }
  if (options_.over) options_.over(i, *sitting, worker, scores);
}

// ---- requests ----------------------------------------------------------------------------------------------------------------

std::optional<size_t> Table::seat_of(const ServerRequest& r) const {
  const std::string_view key = net::bearer(r);
  std::optional<size_t> found;
  for (size_t i = 0; i < options_.seats.size(); ++i)
    if (net::same_secret(key, options_.seats[i].key)) found = i;
  return found;
}

bool Table::here(size_t seat) const {
  if (places_[seat].came && since(places_[seat].seen) < 5) return true;
  for (const Waiting& w : waiting_)
    if (w.seat == seat && !w.exchange->gone()) return true;
  return false;
}

void Table::begin_if_wanted() {
  bool all = true;
  if (phase_ == Phase::Gathering) {
    for (const Place& p : places_) all = all && p.came;
  } else if ((phase_ == Phase::Over || phase_ == Phase::Failed) && episode_ + 1 < options_.episodes) {
    bool any = false;
    for (size_t i = 0; i < places_.size(); ++i) {
      any = any || places_[i].wants_next;
      all = all && (places_[i].wants_next || !here(i));
    }
    all = all && any;
  } else {
    all = false;
  }
  if (!all || go_) return;
  go_ = true;
  wake_.notify_all();
}

void Table::changed() {
  ++version_;
  if (stop_ && phase_ != Phase::Finished) return;  // the last word is still to come
  for (const Waiting& w : waiting_) w.exchange->respond(response(view(w.seat, w.episode, w.have)));
  for (const Waiting& w : waiting_) places_[w.seat].seen = Clock::now();
  waiting_.clear();
}

void Table::tick() {
  std::vector<std::function<void(players::Answer)>> left;
  {
    std::lock_guard lock(mutex_);
    for (Place& p : places_) {
      if (!p.asked || options_.time_limit <= 0 || since(p.asked->since) < options_.time_limit) continue;
      left.push_back(std::move(p.asked->done));
      p.asked.reset();
    }
    std::erase_if(waiting_, [&](const Waiting& w) {
      if (w.exchange->gone()) return true;
      if (since(w.since) < options_.poll_seconds) return false;
      places_[w.seat].seen = Clock::now();
      w.exchange->respond(response(view(w.seat, w.episode, w.have)));
      return true;
    });
    begin_if_wanted();  // somebody may have gone
  }
  for (const auto& done : left) done(players::Unanswered{players::Unanswered::Why::Left, {}});
}

/// Null for what is none of this player's business.
Json Table::entry(const Entry& e) const {
  Json out = Json::object();
  auto kind = [&](const char* name) { out.add("kind", name); };
  switch (e.kind) {
    case PPC_EV_SEND: kind("told"), out.add("text", e.text); break;
    case PPC_EV_GET: case PPC_EV_SAY: kind("said"), out.add("text", e.text); break;
    case PPC_EV_VIOLATION: {
      kind("violation");
      out.add("text", e.text);
      if (static_cast<uint64_t>(e.number) < manifest_.rules.size()) {
        const RuleInfo& rule = manifest_.rules[static_cast<size_t>(e.number)];
        out.add("move", rule.move);
        std::string form;
        for (const MoveInfo& m : manifest_.moves)
          if (m.name == rule.move) form = m.form;
        out.add("rule", rule.kind == "format" ? "the form is " + form : rule.kind + " " + rule.text);
      }
      break;
    }
    case PPC_EV_REWARD: kind("reward"), out.add("amount", e.amount); break;
    default: return {};
  }
  if (e.aside) out.add("aside", true);
  return out;
}

Json Table::view(size_t seat, uint64_t episode, size_t have) const {
  const Seat& s = options_.seats[seat];
  const Place& place = places_[seat];
  static constexpr const char* phases[] = {"gathering", "playing", "over", "failed", "finished"};
  Json out = Json::object();
  out.add("version", version_);
  out.add("game", manifest_.game);
  out.add("role", s.role);
  out.add("display", manifest_.players[s.player].display);
  out.add("phase", phases[static_cast<int>(phase_)]);
  out.add("episode", static_cast<int64_t>(episode_ + 1));
  out.add("episodes", static_cast<int64_t>(options_.episodes));
  out.add("rules", players::rules_text(manifest_, s.player));
  // Only what this player was told and has said, and what was wrong with it; rounds are everybody's.
  Json entries = Json::list();
  size_t count = 0;
  const size_t from = episode == episode_ + 1 ? have : 0;
  for (const Entry& e : log_) {
    Json one;
    if (e.kind == PPC_EV_ROUND) {
      one = Json::object();
      one.add("kind", "round");
      one.add("number", e.number);
    } else if (e.who == s.player) {
      one = entry(e);
    }
    if (one.is_null()) continue;
    if (count++ >= from) entries.push(std::move(one));
  }
  out.add("from", static_cast<int64_t>(std::min(from, count)));
  out.add("entries", std::move(entries));
  Json ask;
  if (place.asked && phase_ == Phase::Playing) {
    ask = Json::object();
    ask.add("number", place.asked->number);
    ask.add("move", place.asked->move < manifest_.moves.size() ? Json(manifest_.moves[place.asked->move].name) : Json());
    ask.add("form", place.asked->move < manifest_.moves.size() ? Json(manifest_.moves[place.asked->move].form) : Json());
    ask.add("aside", place.asked->aside);
    ask.add("seconds", options_.time_limit > 0 ? Json(std::max(0.0, options_.time_limit - since(place.asked->since))) : Json());
  }
  out.add("ask", std::move(ask));
  Json& others = out.add("waiting_for", Json::list());
  if (phase_ == Phase::Gathering) {
    for (size_t i = 0; i < places_.size(); ++i)
      if (!places_[i].came) others.push(manifest_.players[options_.seats[i].player].display);
  } else if (phase_ == Phase::Playing) {
    if (asked_ < manifest_.players.size() && asked_ != s.player) others.push(manifest_.players[asked_].display);
  } else if (place.wants_next) {
    for (size_t i = 0; i < places_.size(); ++i)
      if (!places_[i].wants_next && here(i)) others.push(manifest_.players[options_.seats[i].player].display);
  }
  Json result;
  if (has_result_) {
    result = Json::object();
    result.add("outcome", outcome_name(outcome_));
    result.add("reason", reason_);
    Json& scores = result.add("scores", Json::list());
    for (const auto& [name, value] : scores_.episode) {
      if (!value.is_number() || std::isnan(value.as_float())) continue;
      Json one = Json::object();
      one.add("name", name);
      one.add("value", value);
      if (name == "Main Score") scores.items().insert(scores.items().begin(), std::move(one));
      else scores.push(std::move(one));
    }
  }
  out.add("result", std::move(result));
  out.add("more", episode_ + 1 < options_.episodes && phase_ != Phase::Finished);
  out.add("wants_next", place.wants_next);
  out.add("leaving", place.leaving);
  return out;
}

ServerResponse Table::post(const ServerRequest& r, size_t seat) {
  Body body(r);
  const uint64_t episode = body.number("episode").value_or(0);
  std::function<void(players::Answer)> done;
  players::Answer what = players::Unanswered{players::Unanswered::Why::Left, {}};
  std::unique_lock lock(mutex_);
  Place& place = places_[seat];
  place.came = true;
  place.seen = Clock::now();
  if (episode != episode_ + 1) throw HttpError(409, "`episode`: it is " + std::to_string(episode_ + 1) + " now", "episode");
  if (r.path == "/reply") {
    const std::optional<uint64_t> number = body.number("ask");
    std::optional<std::string> text = body.text("text");
    body.finish();
    if (!number) body.fail("ask", "expected the number of the question");
    if (!text) body.fail("text", "expected a text");
    if (!place.asked || place.asked->number != *number) throw HttpError(409, "`ask`: this is not asked (any more)", "ask");
    done = std::move(place.asked->done);
    place.asked.reset();
    what = players::Reply{std::move(*text)};
  } else if (r.path == "/leave") {
    body.finish();
    if (phase_ != Phase::Playing) throw HttpError(409, "nothing is being played");
    place.leaving = true;
    if (place.asked) done = std::move(place.asked->done);
    place.asked.reset();
  } else {
    body.finish();
    if (phase_ != Phase::Over && phase_ != Phase::Failed) throw HttpError(409, "this episode is not over");
    if (episode_ + 1 >= options_.episodes) throw HttpError(409, "this was the last episode");
    place.wants_next = true;
    begin_if_wanted();
  }
  changed();
  lock.unlock();
  if (done) done(std::move(what));
  return response(Json(Json::object()));
}

void Table::answer(std::shared_ptr<net::Exchange> exchange) {
  const ServerRequest& r = exchange->request();
  try {
    const bool get = r.method == "GET" || r.method == "HEAD";
    auto wants = [&](bool fits, const char* method) {
      if (!fits) throw HttpError(405, r.path + " wants " + method);
    };
    if (r.path == "/" || r.path == "/play.js" || r.path == "/play.css") {
      wants(get, "GET");
      exchange->respond(r.path == "/" ? page_file("text/html", kPageHtml) : r.path == "/play.js" ? page_file("text/javascript", kPageScript) : page_file("text/css", kPageStyle));
      return;
    }
    if (r.path == "/favicon.ico") return exchange->respond({204, ""});
    if (r.path == "/health") {
      wants(get, "GET");
      return exchange->respond({200, "{\"status\": \"healthy\"}\n"});
    }
    const bool view_wanted = r.path == "/view";
    if (!view_wanted && r.path != "/reply" && r.path != "/next" && r.path != "/leave") throw HttpError(404, "no such address");
    wants(view_wanted ? get : r.method == "POST", view_wanted ? "GET" : "POST");
    const std::optional<size_t> seat = seat_of(r);
    if (!seat) throw HttpError(401, "this needs the key of a seat, which is in the link: `Authorization: Bearer KEY`");
    if (!view_wanted) return exchange->respond(post(r, *seat));
    auto number = [&](const char* name) -> uint64_t {
      const std::string* a = r.argument(name);
      if (!a || a->empty()) return 0;
      if (a->size() > 18 || a->find_first_not_of("0123456789") != std::string::npos) throw HttpError(422, std::string("`") + name + "`: expected a whole number", name);
      return std::stoull(*a);
    };
    const uint64_t version = number("version"), episode = number("episode"), have = number("have");
    std::lock_guard lock(mutex_);
    Place& place = places_[*seat];
    place.seen = Clock::now();
    if (!place.came) {
      place.came = true;
      begin_if_wanted();
      changed();
    }
    // A page asks one question at a time; of several pages at a seat, or a page that was loaded again, each may wait, but not any number of them.
    size_t pages = 0;
    for (const Waiting& w : waiting_) pages += w.seat == *seat;
    if (phase_ == Phase::Finished || (!stop_ && (version != version_ || pages >= 8))) return exchange->respond(response(view(*seat, episode, have)));
    waiting_.push_back({std::move(exchange), *seat, episode, have, Clock::now()});
  } catch (const HttpError& e) {
    exchange->respond(response(e));
  }
}

}  // namespace ppc::serve
