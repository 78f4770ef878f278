// What happens in play: messages, events, counts and the outcome.
//
// A player's pending message is in slot p, its brief in slot P + p; 0 is "nothing pending", and a text that is there
// but empty is a reference of length 0 other than 0. A pending text in the state belongs to its slot alone (tell copies
// texts that the state already has), so it may grow in place at the end of the heap, and its space is given back once
// the message has been sent. Texts in constant segments are referred to.
#include <cstdlib>
#include <limits>

#include "runtime/abi/heap.h"

using namespace ppc::rt;

namespace {

constexpr uint32_t kMaxEvents = 1u << 20;  // in one step
constexpr int64_t kPresentEmpty = PPC_TEXT(PPC_LIBRARY, 1, 0, 0);

void event(ppc_ctx* c, uint32_t kind, int64_t who, int64_t a, int64_t b, bool always = false) {
  charge(c, 16);  // also when nobody records: outcomes do not depend on that
  if (!c->want_events && !always) return;
  if (PPC_UNLIKELY(c->event_count == c->event_cap)) {
    const uint32_t cap = c->event_cap < 32 ? 64 : c->event_cap * 2;
    void* grown = cap > kMaxEvents ? nullptr : std::realloc(c->events, cap * sizeof(ppc_event));
    if (!grown) ppc_rt_fault(c, PPC_FAULT_MEMORY);
    c->events = static_cast<ppc_event*>(grown);
    c->event_cap = cap;
  }
  c->events[c->event_count++] = {kind, static_cast<uint32_t>(who), c->loc, state(c)->round, a, b};
}

uint32_t player_of(ppc_ctx* c, int64_t player) {
  if (PPC_UNLIKELY(static_cast<uint64_t>(player) >= c->player_count)) ppc_rt_fault(c, PPC_FAULT_INDEX);
  return static_cast<uint32_t>(player);
}
int64_t& pending(ppc_ctx* c, uint32_t player) { return state(c)->slots[player]; }
int64_t& briefing(ppc_ctx* c, uint32_t player) { return state(c)->slots[c->player_count + player]; }

/// Bytes at the end of the state's heap.
void append_bytes(ppc_ctx* c, int64_t text_ref, const char* between, uint32_t between_n) {
  const uint32_t n = PPC_LENGTH(text_ref);
  charge_bytes(c, n);
  const uint32_t to = state_alloc(c, static_cast<uint64_t>(n) + between_n, 1);
  uint8_t* p = c->seg[PPC_STATE] + to;
  if (between_n) std::memcpy(p, between, between_n);
  if (n) std::memcpy(p + between_n, at(c, text_ref), n);
}

/// What a slot holds after `more` has been added to `old`.
int64_t joined(ppc_ctx* c, int64_t old, int64_t more, const char* between, uint32_t between_n) {
  const uint32_t n = PPC_LENGTH(more);
  const unsigned segment = PPC_SEGMENT(more);
  if (old == 0) {
    if (n == 0) return kPresentEmpty;
    if (segment != PPC_STATE && !is_temporary(segment)) return more;
    const uint32_t to = state(c)->top;
    append_bytes(c, more, nullptr, 0);
    return PPC_TEXT(PPC_STATE, PPC_ASCII(more), to, n);
  }
  const uint32_t before = PPC_LENGTH(old);
  const bool ascii = (PPC_ASCII(old) || before == 0) && (PPC_ASCII(more) || n == 0);
  const uint64_t length = static_cast<uint64_t>(before) + between_n + n;
  if (PPC_UNLIKELY(length > PPC_MAX_TEXT)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  uint32_t from = PPC_OFFSET(old);
  if (PPC_SEGMENT(old) != PPC_STATE || static_cast<uint64_t>(from) + before != state(c)->top) {
    from = state(c)->top;
    append_bytes(c, old, nullptr, 0);
  }
  append_bytes(c, more, between, between_n);
  return PPC_TEXT(PPC_STATE, ascii, from, length);
}

/// Gives back the space of a text that nothing refers to any more, if it is the last in the heap.
void release(ppc_ctx* c, int64_t text_ref) {
  if (text_ref == 0 || PPC_SEGMENT(text_ref) != PPC_STATE) return;
  if (static_cast<uint64_t>(PPC_OFFSET(text_ref)) + PPC_LENGTH(text_ref) == state(c)->top) {
    state(c)->top = PPC_OFFSET(text_ref);
  }
}

int64_t composed(ppc_ctx* c, int64_t brief, int64_t message) {
  if (brief == 0 && message == 0) return 0;
  const int64_t only = brief == 0 ? message : message == 0 ? brief : 0;
  if (only != 0 && PPC_SEGMENT(only) != PPC_STATE) return PPC_LENGTH(only) == 0 ? 0 : only;
  Out out(c);
  if (brief != 0) out.put(text(c, brief));
  if (brief != 0 && message != 0) out.put("\n\n", 2);
  if (message != 0) out.put(text(c, message));
  return out.done();
}

/// The message for a player; nothing is pending afterwards.
int64_t take_message(ppc_ctx* c, uint32_t player) {
  const int64_t message = pending(c, player), brief = briefing(c, player);
  const int64_t whole = composed(c, brief, message);
  pending(c, player) = briefing(c, player) = 0;
  if (PPC_OFFSET(message) > PPC_OFFSET(brief)) {
    release(c, message);
    release(c, brief);
  } else {
    release(c, brief);
    release(c, message);
  }
  return whole;
}

void generated(ppc_ctx* c, uint32_t kind, uint32_t index, int64_t value) {
  charge(c, 1);
  if (c->gen) c->gen(c->host, kind, index, value);
}

}  // namespace

extern "C" {

int64_t ppc_rt_ask(ppc_ctx* c, int64_t player, int64_t move) {
  const uint32_t who = player_of(c, player);
  c->message = take_message(c, who);
  ppc_state* s = state(c);
  ++s->requests;
  s->ask_player = who;
  s->ask_move = static_cast<uint32_t>(move);
  s->ask_aside = 0;
  event(c, PPC_EV_SEND, player, c->message, 0);
  return 0;
}

int64_t ppc_rt_aside(ppc_ctx* c, int64_t player, int64_t move, int64_t message) {
  const uint32_t who = player_of(c, player);
  c->message = message;
  ppc_state* s = state(c);
  ++s->requests;
  s->ask_player = who;
  s->ask_move = static_cast<uint32_t>(move);
  s->ask_aside = 1;
  event(c, PPC_EV_SEND, player, c->message, 1);
  return 0;
}

int64_t ppc_rt_got(ppc_ctx* c, int64_t player, int64_t move) {
  event(c, PPC_EV_GET, player, c->reply, move);
  return c->reply;
}

int64_t ppc_rt_tell(ppc_ctx* c, int64_t player, int64_t message) {
  const uint32_t who = player_of(c, player);
  const int64_t now = joined(c, pending(c, who), message, "\n", 1);
  pending(c, who) = now;
  return 0;
}

int64_t ppc_rt_brief(ppc_ctx* c, int64_t player, int64_t message) {
  const uint32_t who = player_of(c, player);
  const int64_t now = joined(c, briefing(c, who), message, "\n\n", 2);
  briefing(c, who) = now;
  return 0;
}

int64_t ppc_rt_say(ppc_ctx* c, int64_t player, int64_t said) {
  const uint32_t who = player_of(c, player);
  if (pending(c, who) != 0 || briefing(c, who) != 0) {
    const int64_t message = take_message(c, who);
    event(c, PPC_EV_SEND, player, message, 0);
  }
  event(c, PPC_EV_SAY, player, said, 0);
  return 0;
}

int64_t ppc_rt_note(ppc_ctx* c, int64_t key, int64_t value) {
  event(c, PPC_EV_NOTE, 0, key, value);
  return 0;
}
int64_t ppc_rt_note_json(ppc_ctx* c, int64_t key, int64_t value) {
  event(c, PPC_EV_NOTE, 1, key, value);
  return 0;
}

int64_t ppc_rt_round_start(ppc_ctx* c, int64_t number) {
  state(c)->round = static_cast<uint32_t>(number);
  event(c, PPC_EV_ROUND, 0, number, 0);
  return 0;
}

int64_t ppc_rt_reward(ppc_ctx* c, int64_t player, int64_t amount) {
  event(c, PPC_EV_REWARD, player, amount, 0, true);
  return 0;
}

int64_t ppc_rt_violation(ppc_ctx* c, int64_t player, int64_t rule, int64_t reason) {
  event(c, PPC_EV_VIOLATION, player, rule, reason, true);
  return 0;
}

int64_t ppc_rt_accept(ppc_ctx* c, int64_t player, int64_t move, int64_t gives) {
  ++state(c)->parsed;
  event(c, PPC_EV_ACCEPT, player, move, gives);
  return 0;
}

int64_t ppc_rt_count_violated(ppc_ctx* c) {
  ++state(c)->violated;
  return 0;
}
int64_t ppc_rt_count_parsed(ppc_ctx* c) {
  ++state(c)->parsed;
  return 0;
}

int64_t ppc_rt_finish(ppc_ctx* c, int64_t outcome, int64_t score, int64_t reason) {
  const int64_t kept = persist_text(c, reason);
  ppc_state* s = state(c);
  s->outcome = static_cast<uint32_t>(outcome);
  s->score = outcome == PPC_ABORTED ? std::numeric_limits<double>::quiet_NaN() : as_float(score);
  s->reason = kept;
  event(c, PPC_EV_OUTCOME, 0, outcome, kept);
  return 0;
}

int64_t ppc_rt_get_rounds(ppc_ctx* c) { return state(c)->round; }
int64_t ppc_rt_get_requests(ppc_ctx* c) { return state(c)->requests; }
int64_t ppc_rt_get_parsed(ppc_ctx* c) { return state(c)->parsed; }
int64_t ppc_rt_get_violated(ppc_ctx* c) { return state(c)->violated; }
int64_t ppc_rt_get_outcome(ppc_ctx* c) { return state(c)->outcome; }
int64_t ppc_rt_get_score(ppc_ctx* c) { return from_float(state(c)->score); }

int64_t ppc_rt_gen_experiment(ppc_ctx* c, int64_t name) {
  generated(c, PPC_GEN_EXPERIMENT, 0, name);
  return 0;
}
int64_t ppc_rt_gen_instance(ppc_ctx* c) {
  generated(c, PPC_GEN_INSTANCE, 0, 0);
  return 0;
}
int64_t ppc_rt_gen_field(ppc_ctx* c, int64_t where, int64_t index, int64_t value) {
  generated(c, where ? PPC_GEN_INSTANCE_FIELD : PPC_GEN_EXPERIMENT_FIELD, static_cast<uint32_t>(index), value);
  return 0;
}

}  // extern "C"
