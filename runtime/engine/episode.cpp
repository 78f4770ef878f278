#include "runtime/engine/episode.h"

#include <csetjmp>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <new>

#include "runtime/abi/compact.h"
#include "runtime/abi/segment.h"
#include "runtime/engine/splitmix.h"
#include "runtime/text/utf8.h"

namespace ppc::engine {
namespace {

constexpr uint32_t kReplyAt = 16;    // offset 0 is never an object
constexpr uint32_t kReplyPad = 16;   // the runtime reads words
constexpr uint32_t kFirstHeap = 256;

// Nothing in this frame changes between setjmp and longjmp but what lies in memory, so nothing is lost by the jump.
bool guarded(const GameModule& module, uint32_t entry, ppc_ctx* ctx, const int64_t* args, int64_t* result) {
  jmp_buf place;
  jmp_buf* const outer = ctx->on_fault;
  ctx->on_fault = &place;
  if (_setjmp(place) == 0) {
    *result = module.call(entry, ctx, args);
    ctx->on_fault = outer;
    return true;
  }
  ctx->on_fault = outer;
  return false;
}

uint32_t rounded(uint64_t n) { return static_cast<uint32_t>((n + 63) & ~uint64_t{63}); }

}  // namespace

// ---- Worker -------------------------------------------------------------------------------------------------------

Worker::Worker(Budget budget) : budget_(budget), context_(budget.scratch_bytes), reply_(4096) {}

int64_t Worker::take(std::string_view bytes, bool* valid) {
  const size_t limit = PPC_MAX_TEXT / 4;
  if (bytes.size() > limit) {
    size_t n = limit;
    while (n > 0 && (static_cast<uint8_t>(bytes[n]) & 0xC0) == 0x80) --n;
    bytes = bytes.substr(0, n);
  }
  const text::Utf8Check check = text::check_utf8(bytes);
  std::string decoded;
  if (!check.valid) {
    decoded = lossy_utf8(bytes);
    bytes = decoded;
  }
  *valid = check.valid;
  if (reply_.size() < kReplyAt + bytes.size() + kReplyPad) reply_.resize(2 * bytes.size() + kReplyAt + kReplyPad);
  if (!bytes.empty()) std::memcpy(reply_.data() + kReplyAt, bytes.data(), bytes.size());
  context_->seg[PPC_REPLY] = reply_.data();
  return bytes.empty() ? 0 : PPC_TEXT(PPC_REPLY, check.valid && check.ascii, kReplyAt, bytes.size());
}

// ---- Episode ------------------------------------------------------------------------------------------------------

Episode::Episode(std::shared_ptr<const Setting> setting, uint64_t seed) : setting_(std::move(setting)) {
  restart(seed);
}
Episode::Episode(const Episode& other) : setting_(other.setting_) {
  reserve(rounded(other.state().top));
  std::memcpy(block_, other.block_, other.state().top);
}
Episode& Episode::operator=(const Episode& other) {
  if (this == &other) return *this;
  setting_ = other.setting_;
  reserve(rounded(other.state().top));
  std::memcpy(block_, other.block_, other.state().top);
  return *this;
}
Episode::Episode(Episode&& other) noexcept
    : setting_(std::move(other.setting_)), block_(std::exchange(other.block_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)), draw_(std::move(other.draw_)) {}
Episode& Episode::operator=(Episode&& other) noexcept {
  std::swap(setting_, other.setting_);
  std::swap(block_, other.block_);
  std::swap(capacity_, other.capacity_);
  std::swap(draw_, other.draw_);
  return *this;
}
Episode::~Episode() { std::free(block_); }

void Episode::reserve(uint32_t bytes) {
  if (bytes <= capacity_) return;
  auto* grown = static_cast<uint8_t*>(std::realloc(block_, bytes));
  if (!grown) throw std::bad_alloc();
  block_ = grown;
  capacity_ = bytes;
}

void Episode::restart(uint64_t seed) {
  const Manifest& m = setting_->module->manifest();
  const uint32_t slots = m.slot_count();
  reserve(rounded(rt::state_size(slots) + kFirstHeap));
  rt::init_state(block_, slots, setting_->module->hash(), seed);
}

// A stream's place is a number of 32 bits that wraps around: elsewhere in it is as good as another stream.
void Episode::reseed_players(uint64_t seed) {
  for (uint32_t p = 1; p <= PPC_MAX_PLAYERS; ++p) mutable_state().draws[p] = static_cast<uint32_t>(mix_seed(seed, p, 0, 0));
}

std::string_view Episode::bytes() const { return {reinterpret_cast<const char*>(block_), state().top}; }

void Episode::restore(std::string_view snapshot) {
  const Manifest& m = setting_->module->manifest();
  auto refuse = [](const char* why) { throw std::runtime_error(std::string("not a snapshot of this game: ") + why); };
  if (snapshot.size() < rt::state_size(m.slot_count())) refuse("too short");
  ppc_state head;
  std::memcpy(&head, snapshot.data(), offsetof(ppc_state, slots));
  if (head.magic != PPC_STATE_MAGIC) refuse("no snapshot at all");
  if (head.abi != PPC_ABI_VERSION) refuse("other ABI version");
  if (head.module_hash != setting_->module->hash()) refuse("of another game, or of another version of it");
  if (head.slot_count != m.slot_count() || head.top != snapshot.size()) refuse("damaged");
  reserve(rounded(snapshot.size()));
  std::memcpy(block_, snapshot.data(), snapshot.size());
}

// const_cast: constant segments are only read, but the context has one type of pointer for all.
void Episode::bind(Worker& worker) const {
  ppc_ctx* ctx = worker.ctx();
  const GameModule& module = *setting_->module;
  auto base = [](const SegmentPtr& s) { return s ? const_cast<uint8_t*>(s->data()) : nullptr; };
  ctx->seg[PPC_STATE] = block_;
  ctx->seg[PPC_POOL] = const_cast<uint8_t*>(module.pool());
  ctx->seg[PPC_EXPERIMENT] = base(setting_->experiment);
  ctx->seg[PPC_INSTANCE] = base(setting_->instance);
  ctx->seg[PPC_RESOURCE] = base(setting_->resources);
  ctx->types = module.types();
  ctx->type_fields = module.type_fields();
  ctx->type_names = module.type_names();
  ctx->player_count = static_cast<uint32_t>(module.manifest().players.size());
  ctx->state_cap = capacity_;
  ctx->state_limit = worker.budget().state_bytes;
  ctx->fuel = worker.budget().steps;
  ctx->stream = 0;
  ctx->loc = 0;
  ctx->host = const_cast<Episode*>(this);
  ctx->grow_state = &Episode::grow;
  ctx->draw = draw_ ? &Episode::draw : nullptr;
  ctx->gen = nullptr;
}

uint8_t* Episode::grow(void* host, ppc_ctx* ctx, uint32_t need) {
  auto* self = static_cast<Episode*>(host);
  uint64_t wanted = self->capacity_;
  while (wanted < need) wanted *= 2;
  if (wanted > ctx->state_limit) wanted = std::max<uint64_t>(need, ctx->state_limit);
  auto* grown = static_cast<uint8_t*>(std::realloc(self->block_, wanted));
  if (!grown) return nullptr;
  self->block_ = grown;
  self->capacity_ = static_cast<uint32_t>(wanted);
  ctx->state_cap = self->capacity_;
  return grown;
}

int64_t Episode::draw(void* host, uint32_t stream, int64_t n) { return static_cast<Episode*>(host)->draw_(stream, n); }

bool Episode::run(Worker& worker, uint32_t entry, const int64_t* args, int64_t* result) {
  ppc_ctx* ctx = worker.ctx();
  const bool done = guarded(*setting_->module, entry, ctx, args, result);
  mutable_state().steps += worker.budget().steps - ctx->fuel;
  if (!done) fail(worker, ctx->fault, ctx->loc);
  return done;
}

void Episode::fail(Worker&, uint32_t fault, uint32_t loc) {
  ppc_state& s = mutable_state();
  s.status = PPC_DONE;
  s.outcome = PPC_ABORTED;
  s.score = std::numeric_limits<double>::quiet_NaN();
  s.reason = 0;
  s.fault = fault;
  s.fault_loc = loc;
}

Status Episode::start(Worker& worker) {
  worker.context_.reset_step();
  bind(worker);
  worker.ctx()->reply = 0;
  worker.ctx()->reply_valid = 1;
  int64_t ignored = 0;
  if (!run(worker, setting_->module->manifest().init_entry, nullptr, &ignored)) return Status::Done;
  worker.ctx()->fuel = worker.budget().steps;
  return play(worker);
}

Status Episode::play(Worker& worker) {
  int64_t result = 0;
  if (!run(worker, setting_->module->manifest().step_entry, nullptr, &result)) return Status::Done;
  ppc_state& s = mutable_state();
  s.status = result == PPC_ASKING ? PPC_ASKING : PPC_DONE;
  // The compiler proves that play ends in an outcome; a module that breaks this is treated as any broken claim.
  if (s.status == PPC_DONE && s.outcome == PPC_RUNNING) fail(worker, PPC_FAULT_CLAIM, worker.ctx()->loc);
  return status();
}

Status Episode::step(Worker& worker, std::string_view reply, bool valid) {
  if (state().status != PPC_ASKING) return status();
  // Twice of what was left last time: so all of it together takes no longer than what has been written.
  if (state().top > worker.budget().compact_from && state().top / 2 >= state().kept) compact(worker);
  worker.context_.reset_step();
  bind(worker);
  ppc_ctx* ctx = worker.ctx();
  bool utf8 = true;
  ctx->reply = worker.take(reply, &utf8);
  ctx->reply_valid = utf8 && valid;
  ctx->reply_player = state().ask_player;
  if (play(worker) == Status::Asking && state().requests > worker.budget().requests) fail(worker, PPC_FAULT_STEPS, 0);
  return status();
}

void Episode::compact(Worker& worker) {
  const GameModule& module = *setting_->module;
  const auto messages = static_cast<uint32_t>(2 * module.manifest().players.size());
  std::string& out = worker.compacted_;
  if (rt::compact(block_, {module.types(), module.type_fields()}, module.slot_types(), messages, out))
    std::memcpy(block_, out.data(), out.size());
  mutable_state().kept = state().top;
}

void Episode::abandon(Worker& worker, std::string_view reason) {
  if (state().status == PPC_DONE) return;
  worker.context_.reset_step();
  bind(worker);
  ppc_ctx* ctx = worker.ctx();
  jmp_buf place;
  ctx->on_fault = &place;
  if (_setjmp(place) == 0) {
    const int64_t text = worker.context_.scratch_text(reason, false);
    ppc_rt_finish(ctx, PPC_ABORTED, 0, text);
    mutable_state().status = PPC_DONE;
  } else {
    fail(worker, ctx->fault, ctx->loc);
  }
  ctx->on_fault = nullptr;
}

std::string_view Episode::message(Worker& worker) const { return rt::view(worker.ctx(), worker.ctx()->message); }

std::string Episode::reason() const {
  const ppc_state& s = state();
  if (s.fault != PPC_FAULT_NONE) return fault_text(setting_->module->manifest(), s.fault, s.fault_loc);
  if (s.reason == 0) return {};
  ppc_ctx ctx{};
  ctx.seg[PPC_STATE] = block_;
  ctx.seg[PPC_POOL] = const_cast<uint8_t*>(setting_->module->pool());
  auto base = [](const SegmentPtr& p) { return p ? const_cast<uint8_t*>(p->data()) : nullptr; };
  ctx.seg[PPC_EXPERIMENT] = base(setting_->experiment);
  ctx.seg[PPC_INSTANCE] = base(setting_->instance);
  ctx.seg[PPC_RESOURCE] = base(setting_->resources);
  ctx.seg[PPC_LIBRARY] = rt::library_segment();
  return std::string(rt::view(&ctx, s.reason));
}

std::optional<std::string> Episode::ask_bot(Worker& worker, uint32_t entry, uint32_t player, std::string_view message) {
  bool valid = true;
  // The message may lie in the scratch: copy first, then empty it.
  const int64_t heard = worker.take(message, &valid);
  worker.context_.reset_step();
  bind(worker);
  ppc_ctx* ctx = worker.ctx();
  ctx->stream = 1 + player;
  const uint32_t events = ctx->want_events;
  ctx->want_events = 0;
  int64_t said = 0;
  // A bot's work does not count as the game's: a replay, which has no bots, takes the same number of steps.
  const bool done = guarded(*setting_->module, entry, ctx, &heard, &said);
  ctx->want_events = events;
  ctx->stream = 0;
  if (!done) {
    fail(worker, ctx->fault, ctx->loc);
    return std::nullopt;
  }
  return std::string(rt::view(ctx, said));
}

std::optional<int64_t> Episode::evaluate(Worker& worker, uint32_t entry, const int64_t* args, std::string* fault) const {
  worker.context_.reset_step();
  bind(worker);
  ppc_ctx* ctx = worker.ctx();
  ctx->reply = 0;
  int64_t result = 0;
  const uint32_t events = ctx->want_events;
  ctx->want_events = 0;
  const bool done = guarded(*setting_->module, entry, ctx, args, &result);
  ctx->want_events = events;
  if (done) return result;
  if (fault) *fault = fault_text(setting_->module->manifest(), ctx->fault, ctx->loc);
  return std::nullopt;
}

void Episode::made(void* host, uint32_t kind, uint32_t index, int64_t value) {
  (*static_cast<Episode*>(host)->sink_)(kind, index, value);
}

std::string Episode::generate(Worker& worker, int64_t count, const Sink& sink) {
  const Manifest& m = setting_->module->manifest();
  if (!m.generate_entry) return "the game has no `generate` block";
  worker.context_.reset_step();
  bind(worker);
  ppc_ctx* ctx = worker.ctx();
  ctx->gen = &Episode::made;
  sink_ = &sink;
  int64_t result = 0;
  const bool done = guarded(*setting_->module, *m.generate_entry, ctx, &count, &result);
  sink_ = nullptr;
  ctx->gen = nullptr;
  return done ? std::string() : fault_text(m, ctx->fault, ctx->loc);
}

// ---- texts --------------------------------------------------------------------------------------------------------

std::string fault_text(const Manifest& m, uint32_t fault, uint32_t loc) {
  const char* what = "unknown fault";
  switch (fault) {
    case PPC_FAULT_STEPS: return "budget: steps";
    case PPC_FAULT_MEMORY: return "budget: memory";
    case PPC_FAULT_INDEX: what = "index out of range"; break;
    case PPC_FAULT_KEY: what = "no such key in the map"; break;
    case PPC_FAULT_OVERFLOW: what = "number out of range"; break;
    case PPC_FAULT_ZERO: what = "division by zero"; break;
    case PPC_FAULT_NONE_VALUE: what = "the value of none"; break;
    case PPC_FAULT_EMPTY: what = "nothing to choose from in an empty collection"; break;
    case PPC_FAULT_NUMBER: what = "not a number"; break;
    case PPC_FAULT_CLAIM: what = "broken claim"; break;
    default: break;
  }
  std::string text = std::string("fault: ") + what;
  if (loc != 0) text += " at " + place_text(m, loc);
  return text;
}

uint64_t mix_seed(uint64_t seed, uint64_t experiment, uint64_t instance, uint64_t repeat) {
  return split_mix(split_mix(split_mix(split_mix(seed) ^ experiment) ^ instance) ^ repeat);
}

std::string lossy_utf8(std::string_view bytes) {
  std::string out;
  const auto* p = reinterpret_cast<const uint8_t*>(bytes.data());
  for (size_t i = 0; i < bytes.size();) {
    // As long as the longest well-formed sequence here, else one broken byte.
    uint32_t n = text::point_length(p + i, bytes.size() - i);
    if (text::check_utf8(p + i, n).valid) {
      out.append(bytes.substr(i, n));
      i += n;
    } else {
      out += "\xEF\xBF\xBD";
      ++i;
    }
  }
  return out;
}

}  // namespace ppc::engine
