// What is behind the handles of ppc.h, and how its functions end.
#pragma once
#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/engine/records.h"
#include "runtime/include/ppc/ppc.h"

namespace ppc::capi {

/// The caller's mistake: PPC_E_USAGE.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The first member of every handle, so that one of another kind is noticed.
enum class Kind : uint32_t { None = 0, Game = 0x70706701, Instances, Episode, Writer };

struct Game {
  std::shared_ptr<const engine::GameModule> module;
  std::string folder;
  std::string replacement;        // of the resources' folder; empty: none
  engine::SegmentPtr resources;
  uint64_t fingerprint = 0;       // of the resources
  const engine::Manifest& manifest() const { return module->manifest(); }
};

struct Item {
  const engine::Experiment* experiment;
  const engine::Instance* instance;
  uint32_t position;              // in the experiment
  std::shared_ptr<const engine::Setting> setting;
  uint64_t fingerprint;           // of all that a state may refer to
};
struct Instances {
  std::shared_ptr<const Game> game;
  engine::InstanceSet set;
  std::vector<Item> items;
};

using Seats = std::array<int32_t, PPC_PLAYERS_MAX>;  // bots; -1: the caller

struct Recording {
  engine::Record record;          // its journal; its end once it is over
  std::string asked;              // when the caller was asked
};

}  // namespace ppc::capi

struct ppc_game {
  ppc::capi::Kind kind = ppc::capi::Kind::Game;
  std::shared_ptr<const ppc::capi::Game> it;
};

struct ppc_instances {
  ppc::capi::Kind kind = ppc::capi::Kind::Instances;
  std::shared_ptr<const ppc::capi::Instances> it;
};

struct ppc_episode {
  ppc_episode(std::shared_ptr<const ppc::capi::Instances> instances, size_t index, ppc::engine::Episode episode, const ppc::capi::Seats& seats)
      : instances(std::move(instances)), index(index), episode(std::move(episode)), seats(seats) {}
  // Forks. What is made of the end is made again.
  ppc_episode(const ppc_episode& o)
      : instances(o.instances), index(o.index), episode(o.episode), seats(o.seats), message(o.message), violation(o.violation), rule(o.rule),
        rewards(o.rewards), recording(o.recording ? std::make_unique<ppc::capi::Recording>(*o.recording) : nullptr) {}
  ppc_episode& operator=(const ppc_episode&) = delete;

  ppc::capi::Kind kind = ppc::capi::Kind::Episode;
  mutable std::atomic<bool> busy{false};
  std::shared_ptr<const ppc::capi::Instances> instances;
  size_t index;
  ppc::engine::Episode episode;
  ppc::capi::Seats seats;
  std::string message, violation, reason, said;  // violation: its reason; said: by a bot that was asked
  int32_t rule = -1;
  std::array<double, PPC_PLAYERS_MAX> rewards{};
  std::unique_ptr<ppc::capi::Recording> recording;
  std::optional<ppc::engine::Scores> scores;

  const ppc::capi::Item& item() const { return instances->items[index]; }
  const ppc::engine::Manifest& manifest() const { return instances->game->manifest(); }
};

struct ppc_writer {
  ppc::capi::Kind kind = ppc::capi::Kind::Writer;
  std::unique_ptr<ppc::engine::RecordWriter> it;
};

namespace ppc::capi {

/// Keeps the text for ppc_error.
ppc_result failed(ppc_result code, const char* what) noexcept;
/// The result for the exception that is being handled.
ppc_result caught() noexcept;

template <class F>
ppc_result guarded(F&& body) noexcept {
  try {
    body();
    return PPC_OK;
  } catch (...) {
    return caught();
  }
}
/// For functions that give a pointer or a number: `otherwise` after a failure.
template <class T, class F>
T guarded_or(T otherwise, F&& body) noexcept {
  try {
    return body();
  } catch (...) {
    caught();
    return otherwise;
  }
}

template <class Handle>
Handle& checked(Handle* handle, Kind kind, const char* what) {
  if (!handle) throw UsageError(std::string("no ") + what + ": a NULL where one is expected");
  if (handle->kind != kind) throw UsageError(std::string("this handle is no ") + what);
  return *handle;
}
inline const Game& game_of(const ppc_game* h) { return *checked(h, Kind::Game, "game").it; }
inline const Instances& instances_of(const ppc_instances* h) { return *checked(h, Kind::Instances, "instances").it; }
inline const ppc_episode& episode_of(const ppc_episode* h) { return checked(h, Kind::Episode, "episode"); }
inline ppc_episode& episode_of(ppc_episode* h) { return checked(h, Kind::Episode, "episode"); }
/// To be called before what it is for is made: in an assignment the right side comes first.
template <class T>
T* wanted(T* out) {
  if (!out) throw UsageError("NULL where a result is to be put");
  return out;
}

/// An episode in use: by this call alone.
class Use {
 public:
  explicit Use(const ppc_episode& e) : e_(&e) {
    if (e.busy.exchange(true, std::memory_order_acquire)) throw UsageError("two threads use this episode at once, or it is there twice");
  }
  ~Use() {
    if (e_) e_->busy.store(false, std::memory_order_release);
  }
  Use(Use&& o) noexcept : e_(std::exchange(o.e_, nullptr)) {}
  Use(const Use&) = delete;

 private:
  const ppc_episode* e_;
};

/// This thread's.
engine::Worker& worker();

/// A block for ppc_free.
char* give(std::string_view text);
inline void give(std::string_view text, char** out, size_t* size) {
  wanted(out);
  *out = give(text);
  if (size) *size = text.size();
}
/// `NULL, 0` is an empty text.
std::string_view taken(const char* text, size_t size);

/// Not secret: it finds damage, not forgery.
uint64_t hash_bytes(uint64_t seed, std::string_view bytes);

/// The folder of this library, with and without its symbolic links followed.
std::vector<std::string> library_folders();

// ---- of one episode that is in use (episode.cpp) ----

std::unique_ptr<ppc_episode> begin(const std::shared_ptr<const Instances>&, size_t index, uint64_t seed, const Seats&, bool record);
Seats seats_of(const Game&, const ppc_episode_options*);
void check_options(const ppc_episode_options*);
void step(ppc_episode&, std::string_view reply);
void restart(ppc_episode&, uint64_t seed);
void turn_of(const ppc_episode&, ppc_turn*);
void snapshot(const ppc_episode&, std::string& to);  // appends
void restore(ppc_episode&, std::string_view);
const engine::Scores& scores_of(ppc_episode&);

}  // namespace ppc::capi
