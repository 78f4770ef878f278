#include "runtime/abi/compact.h"

#include <algorithm>
#include <unordered_map>

#include "runtime/abi/hashed.h"

namespace ppc::rt {
namespace {

struct TooMuch {};

class Compactor {
 public:
  Compactor(const uint8_t* block, Types types, std::string& out) : from_(block), types_(types), to_(out) {
    const auto* s = reinterpret_cast<const ppc_state*>(block);
    limit_ = s->top;
    to_.assign(reinterpret_cast<const char*>(block), PPC_SLOT_OFFSET(s->slot_count));
  }

  /// A pending message belongs to its slot alone: it may grow in place.
  int64_t message(int64_t v) { return PPC_SEGMENT(v) != PPC_STATE || PPC_LENGTH(v) == 0 ? v : move_text(v); }

  int64_t copy(int64_t v, uint32_t type, unsigned depth) {
    const ppc_type& t = types_.types[type];
    if (!is_reference(t.kind) || PPC_SEGMENT(v) != PPC_STATE) return v;
    const bool text = is_text(t.kind);
    if (text ? PPC_LENGTH(v) == 0 : PPC_OFFSET(v) == 0) return v;
    if (depth > kMaxDepth) throw TooMuch{};
    const auto known = moved_.find(v);
    if (known != moved_.end()) return known->second;
    const int64_t to = text ? move_text(v) : move_object(v, t, depth + 1);
    moved_.emplace(v, to);
    return to;
  }

  void store_at(size_t offset, int64_t v) { store(bytes() + offset, v); }

 private:
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(to_.data()); }

  uint32_t add(const uint8_t* p, size_t n) {
    const size_t at = to_.size();
    if (at + n >= limit_) throw TooMuch{};
    to_.append(reinterpret_cast<const char*>(p), n);
    return static_cast<uint32_t>(at);
  }
  int64_t move_text(int64_t v) {
    const uint32_t n = PPC_LENGTH(v);
    return PPC_TEXT(PPC_STATE, PPC_ASCII(v), add(from_ + PPC_OFFSET(v), n), n);
  }
  /// The object's own bytes; then, one after the other, what they refer to.
  int64_t move_object(int64_t v, const ppc_type& t, unsigned depth) {
    const uint8_t* p = from_ + PPC_OFFSET(v);
    to_.resize((to_.size() + 7) & ~size_t{7});
    switch (t.kind) {
      case PPC_K_OPTIONAL: {
        const uint32_t at = add(p, 8);
        items(at, 1, t.a, depth);
        return PPC_REF(PPC_STATE, at);
      }
      case PPC_K_LIST: {
        const uint32_t n = load<uint32_t>(p), at = add(p, 8 + 8 * static_cast<size_t>(n));
        store(bytes() + at + 4, n);  // no room to grow
        items(at + 8, n, t.a, depth);
        return PPC_REF(PPC_STATE, at);
      }
      case PPC_K_SET:
      case PPC_K_MAP: {
        const bool is_map = t.kind == PPC_K_MAP;
        const Hashed h{const_cast<uint8_t*>(p), is_map};
        const uint32_t n = h.length(), capacity = h.capacity(), at = add(p, hashed_size(capacity, h.table_bits(), is_map));
        items(at + kHashedHead, n, t.a, depth);
        if (is_map) items(at + kHashedHead + 8 * capacity, n, t.b, depth);
        return PPC_REF(PPC_STATE, at);
      }
      default: {
        const uint32_t at = add(p, 8 * static_cast<size_t>(std::max(t.count, 1u)));
        for (uint32_t i = 0; i < t.count; ++i) items(at + 8 * i, 1, types_.fields[t.first + i], depth);
        return PPC_REF(PPC_STATE, at);
      }
    }
  }
  void items(uint32_t at, uint32_t n, uint32_t type, unsigned depth) {
    if (!is_reference(types_.types[type].kind)) return;
    for (uint32_t i = 0; i < n; ++i) {
      const size_t k = at + 8 * static_cast<size_t>(i);
      store_at(k, copy(load<int64_t>(bytes() + k), type, depth));
    }
  }

  const uint8_t* from_;
  Types types_;
  std::string& to_;
  size_t limit_;
  std::unordered_map<int64_t, int64_t> moved_;
};

}  // namespace

bool compact(const uint8_t* block, Types types, const std::vector<uint32_t>& slot_types, uint32_t messages, std::string& out) {
  const auto* s = reinterpret_cast<const ppc_state*>(block);
  if (slot_types.size() + messages != s->slot_count) return false;
  try {
    Compactor c(block, types, out);
    for (uint32_t i = 0; i < s->slot_count; ++i)
      c.store_at(PPC_SLOT_OFFSET(i), i < messages ? c.message(s->slots[i]) : c.copy(s->slots[i], slot_types[i - messages], 0));
  } catch (const TooMuch&) {
    return false;
  }
  const auto top = static_cast<uint32_t>(out.size());
  store(reinterpret_cast<uint8_t*>(out.data()) + offsetof(ppc_state, top), top);
  return true;
}

}  // namespace ppc::rt
