// A table where people play over HTTP, with models or with each other: a seat for each role that a person plays. Who sits there sees that
// player's view and nothing else. Knows requests and answers, no sockets.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "runtime/engine/journal.h"
#include "runtime/engine/records.h"
#include "runtime/net/server.h"
#include "runtime/players/play.h"

namespace ppc::serve {

struct Seat {
  uint32_t player = 0;
  std::string role;                        // as in the game's source
  std::string key;                         // who has it is this player
};

struct TableOptions {
  std::shared_ptr<const engine::GameModule> module;
  std::vector<Seat> seats;                 // at least one
  size_t episodes = 1;
  /// Makes episode i. The player of a seat is null in the cast: the table puts its own there.
  std::function<std::unique_ptr<players::Sitting>(size_t i)> begin;
  /// What has been played to its end; and errors, for whoever runs the server.
  std::function<void(size_t i, players::Sitting&, engine::Worker&, const engine::Scores&)> over = {};
  std::function<void(const std::string&)> error = {};
  double time_limit = 0;                   // seconds for a reply; 0: no limit
  double poll_seconds = 25;                // how long a question for news waits
};

/// Plays one episode after the other on a thread of its own: the first when somebody has come to each seat, each further one when all
/// who are there want it. All functions may be called from any thread.
class Table {
 public:
  explicit Table(TableOptions);
  ~Table();                                // as stop()
  /// GET /, /play.js, /play.css, /view; POST /reply, /next, /leave. Answers each, some later.
  void answer(std::shared_ptr<net::Exchange>);
  /// To be called about once a second: time limits, questions that waited long enough.
  void tick();
  /// An episode that is being played ends as one whose player left. Everybody hears that it is over.
  void stop();

 private:
  class WebPlayer;
  struct Asked {
    uint64_t number = 0;
    std::function<void(players::Answer)> done;
    std::chrono::steady_clock::time_point since;
    uint32_t move = 0;
    bool aside = false;
  };
  struct Waiting {
    std::shared_ptr<net::Exchange> exchange;
    size_t seat;
    uint64_t episode;
    size_t have;
    std::chrono::steady_clock::time_point since;
  };
  struct Place {                           // of a seat, what is now
    bool came = false, wants_next = false, leaving = false;
    std::chrono::steady_clock::time_point seen{};
    std::optional<Asked> asked;
  };
  enum class Phase { Gathering, Playing, Over, Failed, Finished };

  void run();
  void play(size_t i, engine::Worker&);
  void changed();                          // with the lock: the version is another, and who waits is answered
  bool here(size_t seat) const;
  void begin_if_wanted();
  engine::Json view(size_t seat, uint64_t episode, size_t have) const;
  engine::Json entry(const engine::Entry&) const;
  std::optional<size_t> seat_of(const net::ServerRequest&) const;
  net::ServerResponse post(const net::ServerRequest&, size_t seat);

  TableOptions options_;
  const engine::Manifest& manifest_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Phase phase_ = Phase::Gathering;
  uint64_t version_ = 1, asks_ = 0;
  size_t episode_ = 0;                     // being played, or to be played next
  bool go_ = false, stop_ = false, woken_ = false, has_result_ = false;
  std::vector<Place> places_;
  std::vector<Waiting> waiting_;
  std::vector<engine::Entry> log_;         // of the episode
  uint32_t asked_ = UINT32_MAX;            // the player who is asked, seat or not
  uint32_t outcome_ = 0;
  std::string reason_;
  engine::Scores scores_;
  std::thread thread_;
};

}  // namespace ppc::serve
