// Space, faults, and what works on values of any type.
#include <cstdio>
#include <cstdlib>

#include "runtime/abi/hashed.h"
#include "runtime/abi/heap.h"

namespace ppc::rt {

alignas(8) const uint8_t kNothing[32] = {};

void grow_state(ppc_ctx* c, uint64_t end) {
  if (end > c->state_limit) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  uint8_t* base = c->grow_state ? c->grow_state(c->host, c, static_cast<uint32_t>(end)) : nullptr;
  if (!base) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  c->seg[PPC_STATE] = base;
  if (c->state_cap < end) c->state_cap = static_cast<uint32_t>(end);
}

namespace {

const ppc_type& type_of(const ppc_ctx* c, uint32_t type) { return c->types[type]; }
uint32_t field_type(const ppc_ctx* c, const ppc_type& t, uint32_t i) { return c->type_fields[t.first + i]; }

void check_depth(ppc_ctx* c, unsigned depth) {
  if (PPC_UNLIKELY(depth > kMaxDepth)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
}

int64_t field(const ppc_ctx* c, int64_t ref, uint32_t i) {
  return load<int64_t>(at(c, ref) + 8 * static_cast<size_t>(i));
}

bool equal_items(ppc_ctx* c, const uint8_t* a, const uint8_t* b, uint32_t n, uint32_t type, unsigned depth) {
  charge_items(c, n);
  const uint32_t kind = type_of(c, type).kind;
  if (is_scalar(kind)) return n == 0 || std::memcmp(a, b, 8 * static_cast<size_t>(n)) == 0;
  for (uint32_t i = 0; i < n; ++i, a += 8, b += 8) {
    if (!equal(c, load<int64_t>(a), load<int64_t>(b), type, depth)) return false;
  }
  return true;
}

bool equal_hashed(ppc_ctx* c, const Hashed& a, const Hashed& b, const ppc_type& t, unsigned depth) {
  const uint32_t n = a.length();
  if (n != b.length()) return false;
  charge_items(c, n);
  for (uint32_t i = 0; i < n; ++i) {
    const uint32_t j = find_key(c, b, a.key(i), t.a);
    if (j == UINT32_MAX) return false;
    if (a.is_map && !equal(c, a.value(i), b.value(j), t.b, depth)) return false;
  }
  return true;
}

}  // namespace

bool equal(ppc_ctx* c, int64_t a, int64_t b, uint32_t type, unsigned depth) {
  const ppc_type& t = type_of(c, type);
  switch (t.kind) {
    case PPC_K_INT:
    case PPC_K_BOOL:
    case PPC_K_ENUM: return a == b;
    case PPC_K_FLOAT: return as_float(a) == as_float(b);
    case PPC_K_TEXT:
    case PPC_K_DOCUMENT:
    case PPC_K_REGEX: charge_bytes(c, PPC_LENGTH(a)); return text_equal(c, a, b);
    default: break;
  }
  check_depth(c, ++depth);
  switch (t.kind) {
    case PPC_K_OPTIONAL:
      if (a == 0 || b == 0) return a == b;
      return equal(c, field(c, a, 0), field(c, b, 0), t.a, depth);
    case PPC_K_LIST: {
      const List x = list(c, a), y = list(c, b);
      return x.n == y.n && equal_items(c, x.items, y.items, x.n, t.a, depth);
    }
    case PPC_K_SET: return equal_hashed(c, hashed(c, a, false), hashed(c, b, false), t, depth);
    case PPC_K_MAP: return equal_hashed(c, hashed(c, a, true), hashed(c, b, true), t, depth);
    default:
      for (uint32_t i = 0; i < t.count; ++i) {
        if (!equal(c, field(c, a, i), field(c, b, i), field_type(c, t, i), depth)) return false;
      }
      return true;
  }
}

bool less(ppc_ctx* c, int64_t a, int64_t b, uint32_t type, unsigned depth) {
  const ppc_type& t = type_of(c, type);
  check_depth(c, depth);
  switch (t.kind) {
    case PPC_K_FLOAT: return as_float(a) < as_float(b);
    case PPC_K_TEXT:
    case PPC_K_DOCUMENT:
    case PPC_K_REGEX: {
      // UTF-8 orders as its code points do.
      const Text x = text(c, a), y = text(c, b);
      const uint32_t n = x.n < y.n ? x.n : y.n;
      charge_bytes(c, n);
      const int order = n == 0 ? 0 : std::memcmp(x.p, y.p, n);
      return order != 0 ? order < 0 : x.n < y.n;
    }
    case PPC_K_LIST: {
      const List x = list(c, a), y = list(c, b);
      const uint32_t n = x.n < y.n ? x.n : y.n;
      charge_items(c, n);
      for (uint32_t i = 0; i < n; ++i) {
        if (!equal(c, x[i], y[i], t.a, depth + 1)) return less(c, x[i], y[i], t.a, depth + 1);
      }
      return x.n < y.n;
    }
    case PPC_K_RECORD:
    case PPC_K_TUPLE:
      for (uint32_t i = 0; i < t.count; ++i) {
        const int64_t x = field(c, a, i), y = field(c, b, i);
        const uint32_t f = field_type(c, t, i);
        if (!equal(c, x, y, f, depth + 1)) return less(c, x, y, f, depth + 1);
      }
      return false;
    case PPC_K_OPTIONAL:
      if (a == 0 || b == 0) return a == 0 && b != 0;
      return less(c, field(c, a, 0), field(c, b, 0), t.a, depth + 1);
    case PPC_K_SET:
    case PPC_K_MAP: return false;
    default: return a < b;
  }
}

uint64_t hash(ppc_ctx* c, int64_t v, uint32_t type, unsigned depth) {
  const ppc_type& t = type_of(c, type);
  switch (t.kind) {
    case PPC_K_INT:
    case PPC_K_BOOL:
    case PPC_K_ENUM: return mix(static_cast<uint64_t>(v) ^ kHash1, kHash2);
    case PPC_K_FLOAT: {
      const double d = as_float(v);
      return mix(static_cast<uint64_t>(from_float(d == 0 ? 0.0 : d)) ^ kHash1, kHash2);
    }
    case PPC_K_TEXT:
    case PPC_K_DOCUMENT:
    case PPC_K_REGEX: {
      const Text x = text(c, v);
      charge_bytes(c, x.n);
      return hash_bytes(x.p, x.n);
    }
    default: break;
  }
  check_depth(c, ++depth);
  uint64_t h = t.kind;
  switch (t.kind) {
    case PPC_K_OPTIONAL: return v == 0 ? kHash2 : mix(hash(c, field(c, v, 0), t.a, depth) ^ kHash1, kHash2);
    case PPC_K_LIST: {
      const List x = list(c, v);
      charge_items(c, x.n);
      for (uint32_t i = 0; i < x.n; ++i) h = mix(h ^ kHash1, hash(c, x[i], t.a, depth) ^ kHash2) + i;
      return h;
    }
    case PPC_K_SET:
    case PPC_K_MAP: {
      // Equal sets may have come about in different orders: a sum does not see the order.
      const Hashed x = hashed(c, v, t.kind == PPC_K_MAP);
      const uint32_t n = x.length();
      charge_items(c, n);
      for (uint32_t i = 0; i < n; ++i) {
        const uint64_t k = hash(c, x.key(i), t.a, depth);
        h += x.is_map ? mix(k ^ kHash1, hash(c, x.value(i), t.b, depth) ^ kHash2) : mix(k ^ kHash1, kHash2);
      }
      return h;
    }
    default:
      for (uint32_t i = 0; i < t.count; ++i) {
        h = mix(h ^ kHash1, hash(c, field(c, v, i), field_type(c, t, i), depth) ^ kHash2) + i;
      }
      return h;
  }
}

uint32_t find_item(ppc_ctx* c, const uint8_t* items, uint32_t n, int64_t v, uint32_t type, uint32_t from) {
  const uint32_t kind = type_of(c, type).kind;
  charge_items(c, n - from);
  const uint8_t* p = items + 8 * static_cast<size_t>(from);
  if (is_scalar(kind)) {
    for (uint32_t i = from; i < n; ++i, p += 8) {
      if (load<int64_t>(p) == v) return i;
    }
  } else if (is_text(kind)) {
    const uint32_t length = PPC_LENGTH(v);
    const uint8_t* bytes = at(c, v);
    if (length == 1) {
      const uint8_t first = *bytes;
      for (uint32_t i = from; i < n; ++i, p += 8) {
        const int64_t x = load<int64_t>(p);
        if (PPC_LENGTH(x) == 1 && *at(c, x) == first) return i;
      }
      return n;
    }
    for (uint32_t i = from; i < n; ++i, p += 8) {
      const int64_t x = load<int64_t>(p);
      if (PPC_LENGTH(x) != length) continue;
      if (length != 0 && x != v) {
        const uint8_t* other = at(c, x);
        if (*other != *bytes) continue;
        charge_bytes(c, length);
        if (!same_bytes(other, bytes, length)) continue;
      }
      return i;
    }
  } else {
    for (uint32_t i = from; i < n; ++i, p += 8) {
      if (equal(c, load<int64_t>(p), v, type, 0)) return i;
    }
  }
  return n;
}

int64_t persist_text(ppc_ctx* c, int64_t v) {
  if (!is_temporary(PPC_SEGMENT(v))) return v;
  const uint32_t n = PPC_LENGTH(v);
  if (n == 0) return 0;
  charge_bytes(c, n);
  const uint32_t to = state_alloc(c, n, 1);
  copy_bytes(c->seg[PPC_STATE] + to, at(c, v), n);
  return PPC_TEXT(PPC_STATE, PPC_ASCII(v), to, n);
}

namespace {

// Copies what `v` refers to into `target`: Copy takes everything but texts (nobody can change those) into the scratch,
// Persist takes only what would be gone after the step into the state.
struct Copier {
  ppc_ctx* c;
  unsigned target;

  int64_t copy(int64_t v, uint32_t type, unsigned depth) {
    const ppc_type& t = type_of(c, type);
    if (!is_reference(t.kind)) return v;
    if (is_text(t.kind)) return target == PPC_STATE ? persist_text(c, v) : v;
    if (target == PPC_STATE && PPC_OFFSET(v) != 0 && !is_temporary(PPC_SEGMENT(v))) return v;
    check_depth(c, ++depth);
    switch (t.kind) {
      case PPC_K_OPTIONAL: return v == 0 ? 0 : copy_fields(v, &t.a, 1, depth);
      case PPC_K_LIST: {
        const uint32_t n = list(c, v).n;
        charge_items(c, n);
        const int64_t to = new_list(c, target, n, n);
        copy_items(PPC_OFFSET(v) == 0 ? 0 : v, 8, to, 8, n, t.a, depth);
        return to;
      }
      case PPC_K_SET:
      case PPC_K_MAP: {
        const bool is_map = t.kind == PPC_K_MAP;
        const Hashed h = hashed(c, v, is_map);
        const uint32_t n = h.length(), capacity = h.capacity();
        const int64_t to = copy_hashed(c, target, v, is_map, capacity);
        if (is_reference(type_of(c, t.a).kind)) copy_items(v, kHashedHead, to, kHashedHead, n, t.a, depth);
        if (is_map && is_reference(type_of(c, t.b).kind)) {
          const uint32_t values = kHashedHead + 8 * capacity;
          copy_items(v, values, to, values, n, t.b, depth);
        }
        return to;
      }
      default:
        if (PPC_OFFSET(v) == 0) return v;
        return copy_fields(v, c->type_fields + t.first, t.count, depth);
    }
  }

 private:
  int64_t copy_fields(int64_t v, const uint32_t* types, uint32_t n, unsigned depth) {
    const int64_t to = PPC_REF(target, object_in(c, target, 8 * static_cast<uint64_t>(n ? n : 1)));
    for (uint32_t i = 0; i < n; ++i) {
      const int64_t x = copy(field(c, v, i), types[i], depth);
      store(at(c, to) + 8 * static_cast<size_t>(i), x);
    }
    return to;
  }
  void copy_items(int64_t from, uint32_t skip, int64_t to, uint32_t to_skip, uint32_t n, uint32_t type,
                  unsigned depth) {
    if (n == 0) return;
    if (!is_reference(type_of(c, type).kind)) {
      std::memcpy(at(c, to) + to_skip, at(c, from) + skip, 8 * static_cast<size_t>(n));
      return;
    }
    for (uint32_t i = 0; i < n; ++i) {
      const size_t k = 8 * static_cast<size_t>(i);
      const int64_t x = copy(load<int64_t>(at(c, from) + skip + k), type, depth);
      store(at(c, to) + to_skip + k, x);
    }
  }
};

}  // namespace

int64_t persist(ppc_ctx* c, int64_t v, uint32_t type, unsigned depth) {
  return Copier{c, PPC_STATE}.copy(v, type, depth);
}

}  // namespace ppc::rt

using namespace ppc::rt;

extern "C" {

void ppc_rt_fault(ppc_ctx* c, uint32_t fault) {
  c->fault = fault;
  if (!c->on_fault) {
    std::fprintf(stderr, "ppc: runtime fault %u with nobody to take it\n", fault);
    std::abort();
  }
  longjmp(*c->on_fault, 1);
}

int64_t ppc_rt_equal(ppc_ctx* c, int64_t a, int64_t b, int64_t type) {
  return equal(c, a, b, static_cast<uint32_t>(type));
}
int64_t ppc_rt_less(ppc_ctx* c, int64_t a, int64_t b, int64_t type) {
  return less(c, a, b, static_cast<uint32_t>(type));
}
int64_t ppc_rt_copy(ppc_ctx* c, int64_t v, int64_t type) {
  return Copier{c, PPC_SCRATCH}.copy(v, static_cast<uint32_t>(type), 0);
}
int64_t ppc_rt_persist(ppc_ctx* c, int64_t v, int64_t type) { return persist(c, v, static_cast<uint32_t>(type)); }

// ---- records, tuples, optionals -----------------------------------------------------------------------------------

int64_t ppc_rt_record_new(ppc_ctx* c, int64_t n) {
  if (PPC_UNLIKELY(n < 0 || n > kMaxItems)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  const uint64_t bytes = 8 * static_cast<uint64_t>(n ? n : 1);
  charge_bytes(c, bytes);
  const uint32_t to = scratch_object(c, bytes);
  std::memset(c->seg[PPC_SCRATCH] + to, 0, bytes);
  return PPC_REF(PPC_SCRATCH, to);
}
int64_t ppc_rt_record_get(ppc_ctx* c, int64_t record, int64_t i) { return field(c, record, static_cast<uint32_t>(i)); }
int64_t ppc_rt_record_set(ppc_ctx* c, int64_t record, int64_t i, int64_t v) {
  // Elsewhere it would have to be copied, or its value persisted, and neither is possible without its type.
  if (PPC_UNLIKELY(PPC_SEGMENT(record) != PPC_SCRATCH)) ppc_rt_fault(c, PPC_FAULT_CLAIM);
  store(at(c, record) + 8 * static_cast<size_t>(static_cast<uint32_t>(i)), v);
  return record;
}
int64_t ppc_rt_some(ppc_ctx* c, int64_t v) {
  const uint32_t to = scratch_object(c, 8);
  store(c->seg[PPC_SCRATCH] + to, v);
  return PPC_REF(PPC_SCRATCH, to);
}
int64_t ppc_rt_is_none(ppc_ctx*, int64_t v) { return v == 0; }
int64_t ppc_rt_value_of(ppc_ctx* c, int64_t v) {
  if (PPC_UNLIKELY(v == 0)) ppc_rt_fault(c, PPC_FAULT_NONE_VALUE);
  return field(c, v, 0);
}

}  // extern "C"
