// Builtins on texts that spell out a value. A fault leaves a function without unwinding it, so what owns memory here is
// the thread's, not the function's.
#include <cmath>
#include <cstring>

#include "runtime/abi/hashed.h"
#include "runtime/text/notation.h"
#include "runtime/text/utf8.h"

using namespace ppc::rt;
using ppc::text::Notation;
using ppc::text::Spelled;
using Kind = Spelled::Kind;

namespace {

thread_local ppc::text::Spelling spelling;
thread_local std::string buffer;

int64_t put_text(ppc_ctx* c, std::string_view s) {
  Out out(c);
  out.put(s.data(), static_cast<uint32_t>(s.size()));
  out.ascii = ppc::text::is_ascii(reinterpret_cast<const uint8_t*>(s.data()), s.size());
  return out.done();
}

/// Gives `to` the value that a node stands for. False when it is of another type.
struct Reader {
  ppc_ctx* c;

  bool read(const Spelled& s, uint32_t type, int64_t& to, unsigned depth) {
    if (PPC_UNLIKELY(depth > kMaxDepth)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
    const ppc_type& t = c->types[type];
    switch (t.kind) {
      case PPC_K_INT: to = s.number; return s.kind == Kind::Int;
      case PPC_K_BOOL: to = s.number; return s.kind == Kind::Bool;
      case PPC_K_FLOAT:
        to = from_float(s.kind == Kind::Int ? static_cast<double>(s.number) : s.real);
        return s.kind == Kind::Int || s.kind == Kind::Float;
      case PPC_K_TEXT:
        if (s.kind != Kind::Text) return false;
        to = put_text(c, spelling.text(s));
        return true;
      case PPC_K_DOCUMENT:
        charge(c, spelling.pairs() >> 3);
        buffer.clear();
        spelling.write(s, buffer);
        to = put_text(c, buffer);
        return true;
      case PPC_K_ENUM:
        if (s.kind != Kind::Text) return false;
        for (uint32_t i = 0; i < t.count; ++i) {
          to = i;
          if (spelling.text(s) == c->type_names[t.first + i]) return true;
        }
        return false;
      case PPC_K_OPTIONAL: {
        int64_t value = 0;
        to = 0;
        if (s.kind == Kind::Null) return true;
        if (!read(s, t.a, value, depth + 1)) return false;
        to = ppc_rt_some(c, value);
        return true;
      }
      case PPC_K_LIST: return list_of(s, t, to, depth);
      case PPC_K_SET: return set_of(s, t, to, depth);
      case PPC_K_MAP: return map_of(s, t, to, depth);
      case PPC_K_TUPLE: return tuple_of(s, t, to, depth);
      case PPC_K_RECORD: return record_of(s, t, to, depth);
      default: return false;
    }
  }

 private:
  static bool is_row(const Spelled& s) { return s.kind == Kind::List || s.kind == Kind::Tuple; }

  bool list_of(const Spelled& s, const ppc_type& t, int64_t& to, unsigned depth) {
    if (!is_row(s)) return false;
    charge_items(c, s.count);
    to = new_list(c, PPC_SCRATCH, s.count, s.count);
    for (uint32_t i = 0; i < s.count; ++i) set_item(c, to, i, 0);
    uint32_t i = 0;
    for (uint32_t n = s.first; n; n = spelling[n].next) {
      int64_t item = 0;
      if (!read(spelling[n], t.a, item, depth + 1)) return false;
      set_item(c, to, i++, item);
    }
    return true;
  }
  bool set_of(const Spelled& s, const ppc_type& t, int64_t& to, unsigned depth) {
    if (!is_row(s) && s.kind != Kind::Set) return false;
    to = new_hashed(c, PPC_SCRATCH, s.count, false);
    for (uint32_t n = s.first; n; n = spelling[n].next) {
      int64_t item = 0;
      if (!read(spelling[n], t.a, item, depth + 1)) return false;
      to = put_key(c, to, false, item, t.a, 0, 0);
    }
    return true;
  }
  bool map_of(const Spelled& s, const ppc_type& t, int64_t& to, unsigned depth) {
    if (s.kind != Kind::Dict) return false;
    to = new_hashed(c, PPC_SCRATCH, s.count, true);
    for (uint32_t n = s.first; n; n = spelling[spelling[n].next].next) {
      int64_t key = 0, value = 0;
      if (!read(spelling[n], t.a, key, depth + 1) || !read(spelling[spelling[n].next], t.b, value, depth + 1)) return false;
      to = put_key(c, to, true, key, t.a, value, t.b);
    }
    return true;
  }
  bool tuple_of(const Spelled& s, const ppc_type& t, int64_t& to, unsigned depth) {
    if (!is_row(s) || s.count != t.count) return false;
    to = ppc_rt_record_new(c, t.count);
    uint32_t n = s.first;
    for (uint32_t i = 0; i < t.count; ++i, n = spelling[n].next) {
      int64_t value = 0;
      if (!read(spelling[n], c->type_fields[t.first + i], value, depth + 1)) return false;
      to = ppc_rt_record_set(c, to, i, value);
    }
    return true;
  }
  bool record_of(const Spelled& s, const ppc_type& t, int64_t& to, unsigned depth) {
    if (s.kind != Kind::Dict) return false;
    to = ppc_rt_record_new(c, t.count);
    for (uint32_t i = 0; i < t.count; ++i) {
      const uint32_t field = c->type_fields[t.first + i];
      const char* name = c->type_names[t.first + i];
      uint32_t found = 0;  // the last one counts
      charge_items(c, s.count);
      for (uint32_t n = s.first; n; n = spelling[spelling[n].next].next)
        if (spelling[n].kind == Kind::Text && spelling.text(spelling[n]) == name) found = spelling[n].next;
      int64_t value = 0;
      if (!found && c->types[field].kind != PPC_K_OPTIONAL) return false;
      if (found && !read(spelling[found], field, value, depth + 1)) return false;
      to = ppc_rt_record_set(c, to, i, value);
    }
    return true;
  }
};

int64_t decode(ppc_ctx* c, int64_t v, uint32_t type, Notation notation) {
  const Text t = text(c, v);
  charge(c, 1 + (t.n >> 2));
  if (!spelling.parse({reinterpret_cast<const char*>(t.p), t.n}, notation)) return 0;
  int64_t value = 0;
  if (!Reader{c}.read(spelling.root(), type, value, 0)) return 0;
  return ppc_rt_some(c, value);
}

/// Writes JSON at the top of the scratch.
struct Writer {
  ppc_ctx* c;
  Out& out;

  void put(std::string_view s) { out.put(s.data(), static_cast<uint32_t>(s.size())); }
  void quoted(std::string_view s) {
    charge_bytes(c, s.size());
    buffer.clear();
    ppc::text::write_json(s, true, buffer);
    put(buffer);
  }
  std::string_view bytes(int64_t v) const { return {reinterpret_cast<const char*>(at(c, v)), PPC_LENGTH(v)}; }
  int64_t field(int64_t v, uint32_t i) const { return load<int64_t>(at(c, v) + 8 * static_cast<size_t>(i)); }

  void key(int64_t v, uint32_t type) {
    const uint32_t kind = c->types[type].kind;
    if (kind == PPC_K_DOCUMENT) return quoted(bytes(v));
    if (is_text(kind) || kind == PPC_K_ENUM) return write(v, type, 0);
    put("\"");
    if (is_scalar(kind) || kind == PPC_K_FLOAT) write(v, type, 0);
    else quoted_value(v, type);
    put("\"");
  }
  // A key that is no text: what it looks like.
  void quoted_value(int64_t v, uint32_t type) {
    const ppc_type& t = c->types[type];
    put("(");
    for (uint32_t i = 0; i < t.count; ++i) {
      if (i) put(", ");
      if (is_text(c->types[c->type_fields[t.first + i]].kind)) {
        const std::string_view s = bytes(field(v, i));
        buffer.clear();
        ppc::text::write_json(s, true, buffer);
        put(std::string_view(buffer).substr(1, buffer.size() - 2));
      } else if (!is_reference(c->types[c->type_fields[t.first + i]].kind)) {
        write(field(v, i), c->type_fields[t.first + i], 0);
      }
    }
    put(")");
  }

  void write(int64_t v, uint32_t type, unsigned depth) {
    if (PPC_UNLIKELY(depth > kMaxDepth)) ppc_rt_fault(c, PPC_FAULT_MEMORY);
    const ppc_type& t = c->types[type];
    char number[40];
    switch (t.kind) {
      case PPC_K_FLOAT: {
        const double d = as_float(v);
        if (!std::isfinite(d)) return put(std::isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
        return out.put(number, ppc::text::write_float(d, number));
      }
      case PPC_K_BOOL: return put(v ? "true" : "false");
      case PPC_K_ENUM: return quoted(c->type_names[t.first + static_cast<uint32_t>(v)]);
      case PPC_K_TEXT: case PPC_K_REGEX: return quoted(bytes(v));
      case PPC_K_DOCUMENT: {
        const std::string_view s = bytes(v);
        if (s.empty()) return put("null");
        charge_bytes(c, s.size());
        return put(ppc::text::as_json(s, buffer));
      }
      case PPC_K_OPTIONAL: return v == 0 ? put("null") : write(field(v, 0), t.a, depth + 1);
      case PPC_K_LIST: {
        const uint32_t n = list(c, v).n;
        charge_items(c, n);
        put("[");
        for (uint32_t i = 0; i < n; ++i) {
          if (i) put(", ");
          write(list(c, v)[i], t.a, depth + 1);
        }
        return put("]");
      }
      case PPC_K_SET: case PPC_K_MAP: {
        const Hashed h = hashed(c, v, t.kind == PPC_K_MAP);
        charge_items(c, h.length());
        put(h.is_map ? "{" : "[");
        for (uint32_t i = 0; i < h.length(); ++i) {
          if (i) put(", ");
          if (!h.is_map) {
            write(h.key(i), t.a, depth + 1);
            continue;
          }
          key(h.key(i), t.a);
          put(": ");
          write(h.value(i), t.b, depth + 1);
        }
        return put(h.is_map ? "}" : "]");
      }
      case PPC_K_RECORD: case PPC_K_TUPLE: {
        const bool record = t.kind == PPC_K_RECORD;
        put(record ? "{" : "[");
        for (uint32_t i = 0; i < t.count; ++i) {
          if (i) put(", ");
          if (record) quoted(c->type_names[t.first + i]), put(": ");
          write(field(v, i), c->type_fields[t.first + i], depth + 1);
        }
        return put(record ? "}" : "]");
      }
      default: {
        const int n = snprintf(number, sizeof number, "%lld", static_cast<long long>(v));
        return out.put(number, static_cast<uint32_t>(n));
      }
    }
  }
};

}  // namespace

extern "C" {

int64_t ppc_rt_from_json(ppc_ctx* c, int64_t v, int64_t type) { return decode(c, v, static_cast<uint32_t>(type), Notation::Json); }
int64_t ppc_rt_from_literal(ppc_ctx* c, int64_t v, int64_t type) {
  return decode(c, v, static_cast<uint32_t>(type), Notation::Python);
}
int64_t ppc_rt_json_text(ppc_ctx* c, int64_t v, int64_t type) {
  Out out(c);
  Writer{c, out}.write(v, static_cast<uint32_t>(type), 0);
  return out.done();
}

}  // extern "C"
