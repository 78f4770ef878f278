// Inside the runtime: how values are read, and how space is taken from a step's scratch and an episode's state.
// A pointer into the state is good only until the next allocation there, since the block may move.
#pragma once
#include <cstring>

#include "runtime/abi/abi.h"

// clang says it by a feature, GCC by the macros that are asked for below.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define PPC_EXACT_READS
#endif
#endif

namespace ppc::rt {

template <class V>
inline V load(const uint8_t* p) {
  V v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class V>
inline void store(uint8_t* p, V v) {
  std::memcpy(p, &v, sizeof v);
}
inline double as_float(int64_t bits) {
  double d;
  std::memcpy(&d, &bits, sizeof d);
  return d;
}
inline int64_t from_float(double d) {
  int64_t bits;
  std::memcpy(&bits, &d, sizeof bits);
  return bits;
}

#define PPC_UNLIKELY(x) __builtin_expect(!!(x), 0)

/// Takes `steps` from the budget.
inline void charge(ppc_ctx* c, uint64_t steps) {
  c->fuel -= static_cast<int64_t>(steps);
  if (PPC_UNLIKELY(c->fuel < 0)) ppc_rt_fault(c, PPC_FAULT_STEPS);
}
inline void charge_bytes(ppc_ctx* c, uint64_t bytes) { charge(c, bytes >> 6); }
inline void charge_items(ppc_ctx* c, uint64_t items) { charge(c, items >> 3); }

inline uint8_t* at(const ppc_ctx* c, int64_t ref) { return c->seg[PPC_SEGMENT(ref)] + PPC_OFFSET(ref); }

/// True when a value in this segment is gone after the step.
inline bool is_temporary(unsigned segment) { return segment == PPC_SCRATCH || segment == PPC_REPLY; }
/// True when objects in this segment may be changed in place.
inline bool is_mutable(unsigned segment) { return segment == PPC_SCRATCH || segment == PPC_STATE; }

// ---- space --------------------------------------------------------------------------------------------------------

/// Unaligned bytes at the top of the scratch.
inline uint32_t scratch_bytes(ppc_ctx* c, uint64_t n) {
  const uint32_t from = c->scratch_top;
  if (PPC_UNLIKELY(n > static_cast<uint64_t>(c->scratch_cap) - from)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  c->scratch_top = from + static_cast<uint32_t>(n);
  return from;
}
/// An object in the scratch, aligned to 8, not cleared.
inline uint32_t scratch_object(ppc_ctx* c, uint64_t n) {
  const uint64_t from = (static_cast<uint64_t>(c->scratch_top) + 7) & ~uint64_t{7};
  if (PPC_UNLIKELY(from + n > c->scratch_cap)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  c->scratch_top = static_cast<uint32_t>(from + n);
  return static_cast<uint32_t>(from);
}
inline ppc_state* state(const ppc_ctx* c) { return reinterpret_cast<ppc_state*>(c->seg[PPC_STATE]); }
/// Makes the state's block at least `end` bytes long, or faults.
void grow_state(ppc_ctx* c, uint64_t end);
/// Bytes at the top of the state; clears what alignment (1 or 8) skips, so that equal episodes have equal bytes.
inline uint32_t state_alloc(ppc_ctx* c, uint64_t n, uint32_t alignment) {
  const uint32_t top = state(c)->top;
  const uint64_t from = (static_cast<uint64_t>(top) + alignment - 1) & ~static_cast<uint64_t>(alignment - 1);
  const uint64_t end = from + n;
  if (PPC_UNLIKELY(end > c->state_cap || end > c->state_limit)) grow_state(c, end);
  if (from > top) {
    uint8_t* gap = c->seg[PPC_STATE] + top;
    if (n >= 8) {
      store(gap, uint64_t{0});
    } else {
      std::memset(gap, 0, from - top);
    }
  }
  state(c)->top = static_cast<uint32_t>(end);
  return static_cast<uint32_t>(from);
}
/// An object, aligned to 8; in the state it is cleared.
inline uint32_t object_in(ppc_ctx* c, unsigned segment, uint64_t n) {
  if (segment != PPC_STATE) return scratch_object(c, n);
  const uint32_t from = state_alloc(c, n, 8);
  std::memset(c->seg[PPC_STATE] + from, 0, n);
  return from;
}
inline uint32_t top_of(const ppc_ctx* c, unsigned segment) {
  return segment == PPC_STATE ? state(c)->top : c->scratch_top;
}

// ---- texts --------------------------------------------------------------------------------------------------------

struct Text {
  const uint8_t* p;
  uint32_t n;
  bool ascii;  // known to be
};
inline Text text(const ppc_ctx* c, int64_t v) { return {at(c, v), PPC_LENGTH(v), PPC_ASCII(v) != 0}; }

/// Part of a text: a reference into the same bytes. The empty text is always 0.
inline int64_t part(int64_t v, uint32_t from, uint32_t n, bool ascii) {
  return n == 0 ? 0 : PPC_TEXT(PPC_SEGMENT(v), ascii, PPC_OFFSET(v) + from, n);
}
/// Most texts are words: up to 16 bytes are compared and copied in place, without a call.
inline bool same_bytes(const uint8_t* a, const uint8_t* b, uint32_t n) {
  if (n > 16) return std::memcmp(a, b, n) == 0;
  if (n >= 8) return ((load<uint64_t>(a) ^ load<uint64_t>(b)) | (load<uint64_t>(a + n - 8) ^ load<uint64_t>(b + n - 8))) == 0;
  if (n >= 4) return ((load<uint32_t>(a) ^ load<uint32_t>(b)) | (load<uint32_t>(a + n - 4) ^ load<uint32_t>(b + n - 4))) == 0;
  if (n == 0) return true;
  return a[0] == b[0] && a[n >> 1] == b[n >> 1] && a[n - 1] == b[n - 1];
}
inline void copy_bytes(uint8_t* to, const uint8_t* from, uint32_t n) {
  if (n > 16) {
    std::memcpy(to, from, n);
  } else if (n >= 8) {
    const uint64_t head = load<uint64_t>(from), tail = load<uint64_t>(from + n - 8);
    store(to, head);
    store(to + n - 8, tail);
  } else if (n >= 4) {
    const uint32_t head = load<uint32_t>(from), tail = load<uint32_t>(from + n - 4);
    store(to, head);
    store(to + n - 4, tail);
  } else if (n > 0) {
    const uint8_t first = from[0], middle = from[n >> 1], last = from[n - 1];
    to[0] = first;
    to[n >> 1] = middle;
    to[n - 1] = last;
  }
}

/// Copies `n` bytes, of which most are few: up to 16 without a branch on how many. There must be room for 16 at `to`.
/// Reads what lies behind them in the same page, which cannot fault; sanitizers would rightly ask whose it is.
inline void copy_into_room(uint8_t* to, const uint8_t* from, uint32_t n) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || defined(PPC_EXACT_READS)
  copy_bytes(to, from, n);
#else
  if (n <= 16 && (reinterpret_cast<uintptr_t>(from) & 4095) <= 4096 - 16) {
    const uint64_t head = load<uint64_t>(from), tail = load<uint64_t>(from + 8);
    store(to, head);
    store(to + 8, tail);
  } else {
    std::memcpy(to, from, n);
  }
#endif
}

/// Writes a text at the top of the scratch; nothing else may allocate there until done().
struct Out {
  explicit Out(ppc_ctx* ctx) : c(ctx), start(ctx->scratch_top) {}
  /// Goes on behind a text that ends at the top of the scratch.
  Out(ppc_ctx* ctx, uint32_t from) : c(ctx), start(from) {}
  void put(const void* p, uint32_t n) {
    if (n == 0) return;
    const uint32_t to = scratch_bytes(c, n);
    copy_bytes(c->seg[PPC_SCRATCH] + to, static_cast<const uint8_t*>(p), n);
  }
  void put(const Text& t) {
    put(t.p, t.n);
    ascii = ascii && (t.ascii || t.n == 0);
  }
  void put(char ch) { c->seg[PPC_SCRATCH][scratch_bytes(c, 1)] = static_cast<uint8_t>(ch); }
  int64_t done() const {
    const uint32_t n = c->scratch_top - start;
    if (PPC_UNLIKELY(n > PPC_MAX_TEXT)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
    charge_bytes(c, n);
    return n == 0 ? 0 : PPC_TEXT(PPC_SCRATCH, ascii, start, n);
  }
  ppc_ctx* c;
  uint32_t start;
  bool ascii = true;
};

// ---- lists --------------------------------------------------------------------------------------------------------
// { u32 length, u32 capacity, i64 items[capacity] }. A reference with offset 0 reads as the empty list.

alignas(8) extern const uint8_t kNothing[32];  // an empty list, set and map

inline const uint8_t* object(const ppc_ctx* c, int64_t ref) { return PPC_OFFSET(ref) == 0 ? kNothing : at(c, ref); }
struct List {
  const uint8_t* items;
  uint32_t n;
  int64_t operator[](uint32_t i) const { return load<int64_t>(items + 8 * static_cast<size_t>(i)); }
};
inline List list(const ppc_ctx* c, int64_t ref) {
  const uint8_t* p = object(c, ref);
  return {p + 8, load<uint32_t>(p)};
}
constexpr uint32_t kMaxItems = 1u << 28;

/// A new list of `n` items whose values the caller fills in; capacity `capacity` >= n.
int64_t new_list(ppc_ctx* c, unsigned segment, uint32_t n, uint32_t capacity);
inline uint8_t* items_of(const ppc_ctx* c, int64_t ref) { return at(c, ref) + 8; }
inline void set_item(const ppc_ctx* c, int64_t ref, uint32_t i, int64_t v) {
  store(items_of(c, ref) + 8 * static_cast<size_t>(i), v);
}

/// Builds a list at the top of the scratch; nothing else may allocate there until done().
struct ListOut {
  explicit ListOut(ppc_ctx* ctx) : c(ctx), start(scratch_object(ctx, 8)) {}
  void put(int64_t v) { store(c->seg[PPC_SCRATCH] + scratch_bytes(c, 8), v); }
  int64_t done() const {
    const uint32_t n = (c->scratch_top - start - 8) / 8;
    if (PPC_UNLIKELY(n > kMaxItems)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
    charge_items(c, n);
    store(c->seg[PPC_SCRATCH] + start, n);
    store(c->seg[PPC_SCRATCH] + start + 4, n);
    return PPC_REF(PPC_SCRATCH, start);
  }
  ppc_ctx* c;
  uint32_t start;
};

// ---- any type -----------------------------------------------------------------------------------------------------

/// Values nested deeper than this fault (memory): no game needs it, and the stack is finite.
constexpr unsigned kMaxDepth = 256;

inline bool is_scalar(uint32_t kind) { return kind == PPC_K_INT || kind == PPC_K_BOOL || kind == PPC_K_ENUM; }
inline bool is_text(uint32_t kind) { return kind == PPC_K_TEXT || kind == PPC_K_REGEX || kind == PPC_K_DOCUMENT; }
/// True when a value of this kind refers to memory.
inline bool is_reference(uint32_t kind) { return !is_scalar(kind) && kind != PPC_K_FLOAT; }

inline bool text_equal(const ppc_ctx* c, int64_t a, int64_t b) {
  if (PPC_LENGTH(a) != PPC_LENGTH(b)) return false;
  const uint32_t n = PPC_LENGTH(a);
  return a == b || same_bytes(at(c, a), at(c, b), n);
}
bool equal(ppc_ctx* c, int64_t a, int64_t b, uint32_t type, unsigned depth = 0);
bool less(ppc_ctx* c, int64_t a, int64_t b, uint32_t type, unsigned depth = 0);
uint64_t hash(ppc_ctx* c, int64_t v, uint32_t type, unsigned depth = 0);
int64_t persist(ppc_ctx* c, int64_t v, uint32_t type, unsigned depth = 0);
int64_t persist_text(ppc_ctx* c, int64_t v);
/// Position of the first equal item from `from` on, or n.
uint32_t find_item(ppc_ctx* c, const uint8_t* items, uint32_t n, int64_t v, uint32_t element_type, uint32_t from = 0);

inline int64_t into(ppc_ctx* c, unsigned segment, int64_t v, uint32_t type) {
  if (segment != PPC_STATE) return v;
  const uint32_t kind = c->types[type].kind;
  return is_text(kind) ? persist_text(c, v) : is_reference(kind) ? persist(c, v, type) : v;
}

}  // namespace ppc::rt
