// An episode: one block of memory that a game's step function plays in.
//
// Any number of threads step different episodes without a lock: what they share (Setting) is constant, what they need
// for themselves is in their Worker.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/abi/context.h"
#include "runtime/engine/instances.h"
#include "runtime/engine/module.h"

namespace ppc::engine {

struct Budget {
  int64_t steps = 10'000'000;            // fuel of one step; also of one metric, one bot's reply
  uint32_t state_bytes = 16u << 20;      // the episode's block: room for replies of megabytes, and their copies
  uint32_t scratch_bytes = 64u << 20;    // one step's temporaries
  uint32_t compact_from = 16u << 10;     // bytes of a block below which it is not compacted
  uint32_t requests = 100'000;           // replies asked for; loops may be bounded by more than anyone will wait for
};

/// What is constant while a game is played.
struct Setting {
  std::shared_ptr<const GameModule> module;
  SegmentPtr experiment, instance, resources;
};

/// A thread's tools. Not to be shared between threads.
class Worker {
 public:
  explicit Worker(Budget budget = {});
  const Budget& budget() const { return budget_; }
  ppc_ctx* ctx() { return context_.get(); }
  /// Whether steps collect events for records (see Journal); off: only violations and rewards.
  void collect_events(bool on) { context_->want_events = on; }

 private:
  friend class Episode;
  /// Puts bytes where the game sees them as text. Invalid UTF-8 becomes U+FFFD and `*valid` false.
  int64_t take(std::string_view bytes, bool* valid);

  Budget budget_;
  rt::Context context_;
  std::vector<uint8_t> reply_;  // seg[PPC_REPLY]
  std::string compacted_;       // where blocks are compacted
};

enum class Status { Asking, Done };

class Episode {
 public:
  /// A fresh episode; `start` plays it up to the first ask.
  Episode(std::shared_ptr<const Setting> setting, uint64_t seed);
  Episode(const Episode&);             // fork
  Episode& operator=(const Episode&);
  Episode(Episode&&) noexcept;
  Episode& operator=(Episode&&) noexcept;
  ~Episode();

  Episode fork() const { return *this; }
  /// The same block, fresh again: no allocation.
  void restart(uint64_t seed);
  /// The first state().top bytes; all there is to an episode beside its Setting.
  std::string_view bytes() const;
  std::string snapshot() const { return std::string(bytes()); }
  /// Throws std::runtime_error when the snapshot is not of this game. Its inside is trusted: take snapshots from bytes() only.
  void restore(std::string_view snapshot);

  Status start(Worker&);
  /// The reply of the player who was asked. `valid` false: the bytes are a lossy decoding of what came (replays).
  Status step(Worker&, std::string_view reply, bool valid = true);
  /// Ends the episode as aborted with a reason of the host's, such as "the player left".
  void abandon(Worker&, std::string_view reason);

  Status status() const { return state().status == PPC_DONE ? Status::Done : Status::Asking; }
  const ppc_state& state() const { return *reinterpret_cast<const ppc_state*>(block_); }
  uint32_t asked_player() const { return state().ask_player; }
  uint32_t asked_move() const { return state().ask_move; }
  /// What the asked player is told; in the worker's memory until the worker does something else.
  std::string_view message(Worker&) const;
  /// "aborted" and the like have a reason: the game's, a budget's ("budget: steps"), or a fault's, with its place in the game.
  std::string reason() const;

  /// A bot's reply to a message. A fault in it ends the episode (nothing is returned).
  std::optional<std::string> ask_bot(Worker&, uint32_t entry, uint32_t player, std::string_view message);
  /// Runs a metric or key; nothing and `*fault` a description when it faults. The episode stays as it is. The value is
  /// in the worker's memory until the worker does something else.
  std::optional<int64_t> evaluate(Worker&, uint32_t entry, const int64_t* args, std::string* fault) const;

  /// Runs the `generate` entry: `count` instances in every experiment, -1 for as many as the game says. The sink is called
  /// for what it makes, in order (ppc_gen_kind, index, value); the value is good during the call. Returns the fault, or empty.
  using Sink = std::function<void(uint32_t kind, uint32_t index, int64_t value)>;
  std::string generate(Worker&, int64_t count, const Sink&);

  const Setting& setting() const { return *setting_; }
  const std::shared_ptr<const Setting>& shared_setting() const { return setting_; }
  /// Chance from a script, tried first: stream and n to 0..n-1, or -1 for "from the generator". Not copied by fork.
  using Draw = std::function<int64_t(uint32_t stream, int64_t n)>;
  void script_draws(Draw draw) { draw_ = std::move(draw); }
  const Draw& scripted_draws() const { return draw_; }
  /// From now on the bots draw other numbers, made from this seed; the game's own chance stays as it is.
  void reseed_players(uint64_t seed);

 private:
  ppc_state& mutable_state() { return *reinterpret_cast<ppc_state*>(block_); }
  void reserve(uint32_t bytes);
  void bind(Worker&) const;
  bool run(Worker&, uint32_t entry, const int64_t* args, int64_t* result);
  Status play(Worker&);
  void compact(Worker&);
  void fail(Worker&, uint32_t fault, uint32_t loc);
  static uint8_t* grow(void* host, ppc_ctx*, uint32_t need);
  static void made(void* host, uint32_t kind, uint32_t index, int64_t value);
  static int64_t draw(void* host, uint32_t stream, int64_t n);

  std::shared_ptr<const Setting> setting_;
  uint8_t* block_ = nullptr;
  uint32_t capacity_ = 0;
  Draw draw_;
  const Sink* sink_ = nullptr;
};

/// "index out of range at taboo.game:31:5"; budgets without a place.
std::string fault_text(const Manifest&, uint32_t fault, uint32_t loc);

/// Seed of an episode: the same for the same four numbers, on every machine.
uint64_t mix_seed(uint64_t seed, uint64_t experiment, uint64_t instance, uint64_t repeat);

/// UTF-8 with each broken byte sequence as U+FFFD.
std::string lossy_utf8(std::string_view bytes);

}  // namespace ppc::engine
