// Sets and maps; the layout is in hashed.h.
#include "runtime/abi/hashed.h"

namespace ppc::rt {

uint32_t table_bits_for(uint32_t capacity) {
  if (capacity <= kLinear) return 0;
  uint32_t bits = 4;
  while ((uint64_t{1} << bits) < static_cast<uint64_t>(capacity) + capacity / 2) ++bits;
  return bits;
}

int64_t new_hashed(ppc_ctx* c, unsigned segment, uint32_t capacity, bool is_map) {
  if (PPC_UNLIKELY(capacity > kMaxItems / 2)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  const uint32_t bits = table_bits_for(capacity);
  const uint64_t size = hashed_size(capacity, bits, is_map);
  charge_bytes(c, size / 4);
  const int64_t ref = PPC_REF(segment, object_in(c, segment, size));
  uint8_t* p = at(c, ref);
  store(p, uint32_t{0});
  store(p + 4, capacity);
  store(p + 8, bits);
  store(p + 12, uint32_t{0});
  if (bits && segment != PPC_STATE) std::memset(p + size - (size_t{8} << bits), 0, size_t{8} << bits);
  return ref;
}

namespace {

inline uint32_t hash32(ppc_ctx* c, int64_t key, uint32_t type) {
  return is_text(c->types[type].kind) ? fold(hash_bytes(at(c, key), PPC_LENGTH(key))) : fold(hash(c, key, type));
}

void insert(const Hashed& h, uint32_t hash, uint32_t index) {
  const uint64_t mask = (uint64_t{1} << h.table_bits()) - 1;
  uint8_t* table = h.table();
  uint64_t i = hash & mask;
  while (load<uint64_t>(table + 8 * i) != 0) i = (i + 1) & mask;
  store(table + 8 * i, static_cast<uint64_t>(hash) << 32 | (index + 1));
}

}  // namespace

namespace {

/// Goes through the places where an equal key may be. Same(key): is it equal?
template <class Same>
inline uint32_t probe(ppc_ctx* c, const Hashed& h, uint32_t bits, uint32_t wanted, Same same) {
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  const uint8_t* table = h.table();
  uint32_t probes = 0;
  for (uint64_t i = wanted & mask;; i = (i + 1) & mask) {
    const uint64_t slot = load<uint64_t>(table + 8 * i);
    if (slot == 0) return UINT32_MAX;
    if (static_cast<uint32_t>(slot >> 32) == wanted) {
      const uint32_t index = static_cast<uint32_t>(slot) - 1;
      if (same(h.key(index))) return index;
    }
    if (PPC_UNLIKELY((++probes & 15) == 0)) charge(c, 1);  // keys that were chosen to collide pay for it
  }
}

inline uint32_t find_text(ppc_ctx* c, const Hashed& h, uint32_t bits, int64_t key) {
  const uint32_t n = PPC_LENGTH(key);
  const uint8_t* p = at(c, key);
  charge_bytes(c, n);
  return probe(c, h, bits, fold(hash_bytes(p, n)), [&](int64_t k) { return PPC_LENGTH(k) == n && same_bytes(at(c, k), p, n); });
}

}  // namespace

uint32_t find_key(ppc_ctx* c, const Hashed& h, int64_t key, uint32_t type) {
  const uint32_t bits = h.table_bits();
  if (bits == 0) {
    const uint32_t n = h.length(), i = find_item(c, h.keys(), n, key, type);
    return i == n ? UINT32_MAX : i;
  }
  if (is_text(c->types[type].kind)) return find_text(c, h, bits, key);
  return probe(c, h, bits, hash32(c, key, type), [&](int64_t k) { return equal(c, k, key, type); });
}

int64_t copy_hashed(ppc_ctx* c, unsigned segment, int64_t ref, bool is_map, uint32_t capacity) {
  const uint32_t n = hashed(c, ref, is_map).length();
  if (capacity < n) capacity = n;
  const int64_t to = new_hashed(c, segment, capacity, is_map);
  const Hashed a = hashed(c, ref, is_map), b = hashed(c, to, is_map);
  charge_items(c, n);
  std::memcpy(b.keys(), a.keys(), 8 * static_cast<size_t>(n));
  if (is_map) std::memcpy(b.values(), a.values(), 8 * static_cast<size_t>(n));
  store(b.p, n);
  if (b.table_bits() == 0) return to;
  if (a.table_bits() == b.table_bits()) {
    std::memcpy(b.table(), a.table(), size_t{8} << a.table_bits());
  } else {
    // The old table knows the hashes; where it had none, put_key and its like fill in.
    for (uint64_t i = 0; a.table_bits() && i < (uint64_t{1} << a.table_bits()); ++i) {
      const uint64_t slot = load<uint64_t>(a.table() + 8 * i);
      if (slot) insert(b, static_cast<uint32_t>(slot >> 32), static_cast<uint32_t>(slot) - 1);
    }
  }
  return to;
}

namespace {

/// Like copy_hashed, for tables that may have to be made from nothing.
int64_t resized(ppc_ctx* c, unsigned segment, int64_t ref, bool is_map, uint32_t capacity, uint32_t key_type) {
  const int64_t to = copy_hashed(c, segment, ref, is_map, capacity);
  const Hashed a = hashed(c, ref, is_map), b = hashed(c, to, is_map);
  if (a.table_bits() == 0 && b.table_bits() != 0) {
    for (uint32_t i = 0; i < b.length(); ++i) insert(b, hash32(c, b.key(i), key_type), i);
  }
  return to;
}

int64_t own(ppc_ctx* c, int64_t ref, bool is_map) {
  if (is_mutable(PPC_SEGMENT(ref)) && PPC_OFFSET(ref) != 0) return ref;
  return copy_hashed(c, PPC_SCRATCH, ref, is_map, hashed(c, ref, is_map).capacity());
}

int64_t without(ppc_ctx* c, int64_t ref, bool is_map, int64_t key, uint32_t key_type) {
  const uint32_t gone = find_key(c, hashed(c, ref, is_map), key, key_type);
  if (gone == UINT32_MAX) return ref;
  ref = own(c, ref, is_map);
  const Hashed h = hashed(c, ref, is_map);
  const uint32_t n = h.length(), bits = h.table_bits();
  charge_items(c, n);
  if (bits != 0) {
    uint8_t* table = h.table();
    const uint64_t mask = (uint64_t{1} << bits) - 1;
    const auto slot = [&](uint64_t i) { return load<uint64_t>(table + 8 * i); };
    uint64_t hole = hash32(c, h.key(gone), key_type) & mask;
    while (static_cast<uint32_t>(slot(hole)) != gone + 1) hole = (hole + 1) & mask;
    for (uint64_t i = (hole + 1) & mask; slot(i) != 0; i = (i + 1) & mask) {
      const uint64_t home = (slot(i) >> 32) & mask;
      if (((i - home) & mask) >= ((i - hole) & mask)) {  // its home is not behind the hole: it may move there
        store(table + 8 * hole, slot(i));
        hole = i;
      }
    }
    store(table + 8 * hole, uint64_t{0});
    for (uint64_t i = 0; i <= mask; ++i) {
      const uint64_t s = slot(i);
      store(table + 8 * i, s - (static_cast<uint32_t>(s) > gone + 1 ? 1 : 0));
    }
  }
  const auto close = [&](uint8_t* p) {
    p += 8 * static_cast<size_t>(gone);
    std::memmove(p, p + 8, 8 * static_cast<size_t>(n - gone - 1));
    store(p + 8 * static_cast<size_t>(n - gone - 1), int64_t{0});
  };
  close(h.keys());
  if (is_map) close(h.values());
  store(h.p, n - 1);
  return ref;
}

uint32_t clamp_capacity(int64_t n) {
  return n < 0 ? 0 : n > static_cast<int64_t>(kMaxItems) ? kMaxItems : static_cast<uint32_t>(n);
}
const ppc_type& type_at(const ppc_ctx* c, int64_t type) { return c->types[static_cast<uint32_t>(type)]; }

uint32_t entry(ppc_ctx* c, const Hashed& h, int64_t i) {
  if (PPC_UNLIKELY(static_cast<uint64_t>(i) >= h.length())) ppc_rt_fault(c, PPC_FAULT_INDEX);
  return static_cast<uint32_t>(i);
}

int64_t to_list(ppc_ctx* c, int64_t ref, bool is_map, bool values) {
  const uint32_t n = hashed(c, ref, is_map).length();
  charge_items(c, n);
  const int64_t to = new_list(c, PPC_SCRATCH, n, n);
  const Hashed h = hashed(c, ref, is_map);
  std::memcpy(items_of(c, to), values ? h.values() : h.keys(), 8 * static_cast<size_t>(n));
  return to;
}

}  // namespace

int64_t put_key(ppc_ctx* c, int64_t ref, bool is_map, int64_t key, uint32_t key_type, int64_t value,
                uint32_t value_type) {
  ref = own(c, ref, is_map);
  const unsigned segment = PPC_SEGMENT(ref);
  const uint32_t found = find_key(c, hashed(c, ref, is_map), key, key_type);
  if (is_map) value = into(c, segment, value, value_type);
  if (found != UINT32_MAX) {
    if (is_map) store(hashed(c, ref, true).values() + 8 * static_cast<size_t>(found), value);
    return ref;
  }
  key = into(c, segment, key, key_type);
  Hashed h = hashed(c, ref, is_map);
  const uint32_t n = h.length();
  if (n == h.capacity()) {
    ref = resized(c, segment, ref, is_map, n < 2 ? 4 : n * 2, key_type);
    h = hashed(c, ref, is_map);
  }
  store(h.keys() + 8 * static_cast<size_t>(n), key);
  if (is_map) store(h.values() + 8 * static_cast<size_t>(n), value);
  store(h.p, n + 1);
  if (h.table_bits() != 0) insert(h, hash32(c, key, key_type), n);
  return ref;
}

}  // namespace ppc::rt

using namespace ppc::rt;

extern "C" {

// ---- sets ---------------------------------------------------------------------------------------------------------

int64_t ppc_rt_set_new(ppc_ctx* c, int64_t capacity) {
  return new_hashed(c, PPC_SCRATCH, clamp_capacity(capacity), false);
}
int64_t ppc_rt_set_add(ppc_ctx* c, int64_t set, int64_t v, int64_t type) {
  return put_key(c, set, false, v, type_at(c, type).a, 0, 0);
}
int64_t ppc_rt_set_remove(ppc_ctx* c, int64_t set, int64_t v, int64_t type) {
  return without(c, set, false, v, type_at(c, type).a);
}
int64_t ppc_rt_set_contains(ppc_ctx* c, int64_t set, int64_t v, int64_t type) {
  const Hashed h = hashed(c, set, false);
  const uint32_t element = type_at(c, type).a, bits = h.table_bits();
  if (bits != 0 && is_text(c->types[element].kind)) return find_text(c, h, bits, v) != UINT32_MAX;
  return find_key(c, h, v, element) != UINT32_MAX;
}
int64_t ppc_rt_set_length(ppc_ctx* c, int64_t set) { return hashed(c, set, false).length(); }
int64_t ppc_rt_set_at(ppc_ctx* c, int64_t set, int64_t i) {
  const Hashed h = hashed(c, set, false);
  return h.key(entry(c, h, i));
}

static int64_t joined(ppc_ctx* c, int64_t a, int64_t b, bool is_map, const ppc_type& t) {
  const uint32_t n = hashed(c, b, is_map).length();
  const uint64_t capacity = static_cast<uint64_t>(hashed(c, a, is_map).length()) + n;
  if (PPC_UNLIKELY(capacity > kMaxItems)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
  int64_t to = resized(c, PPC_SCRATCH, a, is_map, static_cast<uint32_t>(capacity), t.a);
  charge_items(c, n);
  for (uint32_t i = 0; i < n; ++i) {
    const Hashed from = hashed(c, b, is_map);
    to = put_key(c, to, is_map, from.key(i), t.a, is_map ? from.value(i) : 0, is_map ? t.b : 0);
  }
  return to;
}
int64_t ppc_rt_set_union(ppc_ctx* c, int64_t a, int64_t b, int64_t type) { return joined(c, a, b, false, type_at(c, type)); }
int64_t ppc_rt_map_union(ppc_ctx* c, int64_t a, int64_t b, int64_t type) { return joined(c, a, b, true, type_at(c, type)); }

static int64_t filtered(ppc_ctx* c, int64_t a, int64_t b, uint32_t e, bool keep) {
  const Hashed x = hashed(c, a, false);
  const uint32_t n = x.length();
  int64_t to = new_hashed(c, PPC_SCRATCH, n, false);
  charge_items(c, n);
  for (uint32_t i = 0; i < n; ++i) {
    const bool in = find_key(c, hashed(c, b, false), x.key(i), e) != UINT32_MAX;
    if (in == keep) to = put_key(c, to, false, x.key(i), e, 0, 0);
  }
  return to;
}
int64_t ppc_rt_set_intersect(ppc_ctx* c, int64_t a, int64_t b, int64_t type) {
  return filtered(c, a, b, type_at(c, type).a, true);
}
int64_t ppc_rt_set_minus(ppc_ctx* c, int64_t a, int64_t b, int64_t type) {
  return filtered(c, a, b, type_at(c, type).a, false);
}
int64_t ppc_rt_set_subset(ppc_ctx* c, int64_t a, int64_t b, int64_t type) {
  const Hashed x = hashed(c, a, false), y = hashed(c, b, false);
  const uint32_t e = type_at(c, type).a, n = x.length();
  if (n > y.length()) return 0;
  charge_items(c, n);
  for (uint32_t i = 0; i < n; ++i) {
    if (find_key(c, y, x.key(i), e) == UINT32_MAX) return 0;
  }
  return 1;
}

int64_t ppc_rt_list_to_set(ppc_ctx* c, int64_t from, int64_t type) {
  const List l = list(c, from);
  const uint32_t e = type_at(c, type).a;
  int64_t to = new_hashed(c, PPC_SCRATCH, l.n, false);
  charge_items(c, l.n);
  for (uint32_t i = 0; i < l.n; ++i) to = put_key(c, to, false, l[i], e, 0, 0);
  return to;
}
int64_t ppc_rt_set_to_list(ppc_ctx* c, int64_t set) { return to_list(c, set, false, false); }

// ---- maps ---------------------------------------------------------------------------------------------------------

int64_t ppc_rt_map_new(ppc_ctx* c, int64_t capacity) {
  return new_hashed(c, PPC_SCRATCH, clamp_capacity(capacity), true);
}
int64_t ppc_rt_map_set(ppc_ctx* c, int64_t map, int64_t key, int64_t v, int64_t type) {
  const ppc_type& t = type_at(c, type);
  return put_key(c, map, true, key, t.a, v, t.b);
}
int64_t ppc_rt_map_get(ppc_ctx* c, int64_t map, int64_t key, int64_t type) {
  const Hashed h = hashed(c, map, true);
  const uint32_t i = find_key(c, h, key, type_at(c, type).a);
  if (PPC_UNLIKELY(i == UINT32_MAX)) ppc_rt_fault(c, PPC_FAULT_KEY);
  return h.value(i);
}
int64_t ppc_rt_map_get_or(ppc_ctx* c, int64_t map, int64_t key, int64_t otherwise, int64_t type) {
  const Hashed h = hashed(c, map, true);
  const uint32_t i = find_key(c, h, key, type_at(c, type).a);
  return i == UINT32_MAX ? otherwise : h.value(i);
}
int64_t ppc_rt_map_has(ppc_ctx* c, int64_t map, int64_t key, int64_t type) {
  return find_key(c, hashed(c, map, true), key, type_at(c, type).a) != UINT32_MAX;
}
int64_t ppc_rt_map_remove(ppc_ctx* c, int64_t map, int64_t key, int64_t type) {
  return without(c, map, true, key, type_at(c, type).a);
}
int64_t ppc_rt_map_length(ppc_ctx* c, int64_t map) { return hashed(c, map, true).length(); }
int64_t ppc_rt_map_key_at(ppc_ctx* c, int64_t map, int64_t i) {
  const Hashed h = hashed(c, map, true);
  return h.key(entry(c, h, i));
}
int64_t ppc_rt_map_value_at(ppc_ctx* c, int64_t map, int64_t i) {
  const Hashed h = hashed(c, map, true);
  return h.value(entry(c, h, i));
}
int64_t ppc_rt_map_keys(ppc_ctx* c, int64_t map) { return to_list(c, map, true, false); }
int64_t ppc_rt_map_values(ppc_ctx* c, int64_t map) { return to_list(c, map, true, true); }

}  // extern "C"
