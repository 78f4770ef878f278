#include "runtime/engine/json.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

#include "runtime/text/utf8.h"

namespace ppc::engine {
namespace {

constexpr unsigned kMaxDepth = 256;
constexpr size_t kMaxFile = size_t{128} << 20;

void append_utf8(std::string& out, uint32_t point) {
  uint8_t bytes[4];
  const uint32_t n = text::encode(point, bytes);
  out.append(reinterpret_cast<const char*>(bytes), n);
}

class JsonParser {
 public:
  JsonParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Json document() {
    if (text_.substr(0, 3) == "\xEF\xBB\xBF") at_ = 3;
    if (!text::check_utf8(text_).valid) fail_utf8();
    Json v = value(0);
    space();
    if (at_ < text_.size()) fail("expected the end of the file");
    return v;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    size_t line = 1, start = 0;
    for (size_t i = 0; i < at_ && i < text_.size(); ++i)
      if (text_[i] == '\n') ++line, start = i + 1;
    throw InputError(name_ + ":" + std::to_string(line) + ":" + std::to_string(at_ - start + 1) + ": not JSON: " + what +
                     (at_ >= text_.size() ? ", found the end of the file" : ""));
  }
  [[noreturn]] void fail_utf8() {
    uint32_t n = 0;
    const auto* p = reinterpret_cast<const uint8_t*>(text_.data());
    for (at_ = 0; at_ < text_.size(); at_ += n)
      if (text::decode(p + at_, text_.size() - at_, &n) == 0xFFFD && n == 1) break;
    if (at_ >= text_.size()) at_ = text_.size() ? text_.size() - 1 : 0;
    fail("not valid UTF-8");
  }
  void space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r' || text_[at_] == '\t')) ++at_;
  }
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool word(std::string_view w) {
    if (text_.substr(at_, w.size()) != w) return false;
    at_ += w.size();
    return true;
  }

  Json value(unsigned depth) {
    if (depth > kMaxDepth) fail("nested more than " + std::to_string(kMaxDepth) + " levels deep");
    space();
    switch (peek()) {
      case '{': return object(depth);
      case '[': return list(depth);
      case '"': return Json(string());
      case 't': if (word("true")) return Json(true); break;
      case 'f': if (word("false")) return Json(false); break;
      case 'n': if (word("null")) return Json(); break;
      case 'N': if (word("NaN")) return Json(std::numeric_limits<double>::quiet_NaN()); break;
      case 'I': if (word("Infinity")) return Json(std::numeric_limits<double>::infinity()); break;
      default:
        if (peek() == '-' || (peek() >= '0' && peek() <= '9')) return number();
    }
    fail("expected a value");
  }

  Json object(unsigned depth) {
    Json::Object members;
    ++at_;
    space();
    if (peek() == '}' ) { ++at_; return Json(std::move(members)); }
    while (true) {
      space();
      if (peek() != '"') fail("expected a key in double quotes");
      std::string key = string();
      space();
      if (peek() != ':') fail("expected `:` after the key");
      ++at_;
      members.push_back({std::move(key), value(depth + 1)});
      space();
      if (peek() == ',') { ++at_; continue; }
      if (peek() == '}') { ++at_; return Json(std::move(members)); }
      fail("expected `,` or `}`");
    }
  }

  Json list(unsigned depth) {
    Json::List items;
    ++at_;
    space();
    if (peek() == ']') { ++at_; return Json(std::move(items)); }
    while (true) {
      items.push_back(value(depth + 1));
      space();
      if (peek() == ',') { ++at_; continue; }
      if (peek() == ']') { ++at_; return Json(std::move(items)); }
      fail("expected `,` or `]`");
    }
  }

  uint32_t hex4() {
    uint32_t v = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const char c = peek();
      const int d = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
      if (d < 0) fail("expected four hexadecimal digits after `\\u`");
      v = v << 4 | static_cast<uint32_t>(d);
    }
    return v;
  }

  std::string string() {
    ++at_;
    const size_t from = at_;
    while (at_ < text_.size() && text_[at_] != '"' && text_[at_] != '\\' && static_cast<uint8_t>(text_[at_]) >= 0x20) ++at_;
    std::string out(text_.substr(from, at_ - from));
    while (true) {
      if (at_ >= text_.size()) fail("unfinished text");
      const char c = text_[at_];
      if (c == '"') { ++at_; return out; }
      if (static_cast<uint8_t>(c) < 0x20) fail("a control character in a text; write it as an escape");
      if (c != '\\') { out += c; ++at_; continue; }
      ++at_;
      switch (peek()) {
        case '"': out += '"'; break;
        case '\\': out += '\\'; break;
        case '/': out += '/'; break;
        case 'b': out += '\b'; break;
        case 'f': out += '\f'; break;
        case 'n': out += '\n'; break;
        case 'r': out += '\r'; break;
        case 't': out += '\t'; break;
        case 'u': {
          ++at_;
          uint32_t point = hex4();
          if (point >= 0xD800 && point < 0xDC00 && text_.substr(at_, 2) == "\\u") {
            const size_t back = at_;
            at_ += 2;
            const uint32_t low = hex4();
            if (low >= 0xDC00 && low < 0xE000) point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
            else at_ = back;
          }
          // A lone surrogate is no character.
          append_utf8(out, point >= 0xD800 && point < 0xE000 ? 0xFFFD : point);
          continue;
        }
        default: fail("unknown escape in a text");
      }
      ++at_;
    }
  }

  Json number() {
    const size_t from = at_;
    bool real = false;
    if (peek() == '-') ++at_;
    if (word("Infinity")) return Json(-std::numeric_limits<double>::infinity());
    auto digits = [&] {
      const size_t first = at_;
      while (peek() >= '0' && peek() <= '9') ++at_;
      if (at_ == first) fail("expected a digit");
    };
    if (peek() == '0') ++at_;
    else digits();
    if (peek() == '.') { real = true; ++at_; digits(); }
    if (peek() == 'e' || peek() == 'E') {
      real = true;
      ++at_;
      if (peek() == '+' || peek() == '-') ++at_;
      digits();
    }
    const char* first = text_.data() + from;
    const char* last = text_.data() + at_;
    if (!real) {
      int64_t n = 0;
      if (std::from_chars(first, last, n).ec == std::errc()) return Json(n);
    }
    double d = 0;
    if (std::from_chars(first, last, d).ec == std::errc::result_out_of_range) d = std::strtod(std::string(first, last).c_str(), nullptr);
    return Json(d);
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
};

void quote(std::string& out, std::string_view s) {
  out += '"';
  for (const char c : s) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<uint8_t>(c) < 0x20 || c == 0x7F) {
          static const char hex[] = "0123456789abcdef";
          out += "\\u00";
          out += hex[static_cast<uint8_t>(c) >> 4];
          out += hex[static_cast<uint8_t>(c) & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

void write(std::string& out, const Json& v, const JsonStyle& style, int level) {
  auto line = [&](int at) {
    if (style.indent >= 0) out.append(1, '\n').append(static_cast<size_t>(style.indent * at), ' ');
  };
  if (v.is_null()) {
    out += "null";
  } else if (v.is_bool()) {
    out += v.as_bool() ? "true" : "false";
  } else if (v.is_int()) {
    out += std::to_string(v.as_int());
  } else if (v.is_float()) {
    const double d = v.as_float();
    if (std::isnan(d)) {
      out += style.nan_as_null ? "null" : "NaN";
    } else if (std::isinf(d)) {
      out += style.nan_as_null ? "null" : d > 0 ? "Infinity" : "-Infinity";
    } else {
      char buffer[40];
      const auto r = std::to_chars(buffer, buffer + sizeof buffer, d);
      const std::string_view digits(buffer, static_cast<size_t>(r.ptr - buffer));
      out += digits;
      if (digits.find_first_of(".e") == std::string_view::npos) out += ".0";
    }
  } else if (v.is_text()) {
    quote(out, v.as_text());
  } else if (v.is_list()) {
    out += '[';
    bool first = true;
    for (const Json& item : v.items()) {
      if (!first) out += style.indent >= 0 ? "," : ", ";
      first = false;
      line(level + 1);
      write(out, item, style, level + 1);
    }
    if (!first) line(level);
    out += ']';
  } else {
    out += '{';
    bool first = true;
    for (const Json::Member& m : v.members()) {
      if (!first) out += style.indent >= 0 ? "," : ", ";
      first = false;
      line(level + 1);
      quote(out, m.key);
      out += ": ";
      write(out, m.value, style, level + 1);
    }
    if (!first) line(level);
    out += '}';
  }
}

}  // namespace

Json::Json(uint64_t v) : value_(static_cast<int64_t>(v)) {
  if (v > static_cast<uint64_t>(INT64_MAX)) value_ = static_cast<double>(v);
}
Json::Json(List v) : value_(std::move(v)) {}
Json::Json(Object v) : value_(std::move(v)) {}
Json Json::list() { return Json(List{}); }
Json Json::object() { return Json(Object{}); }

const Json* Json::find(std::string_view key) const {
  if (!is_object()) return nullptr;
  const Object& all = members();
  for (size_t i = all.size(); i-- > 0;)
    if (all[i].key == key) return &all[i].value;
  return nullptr;
}
Json& Json::add(std::string key, Json value) {
  members().push_back({std::move(key), std::move(value)});
  return members().back().value;
}
Json& Json::set(std::string_view key, Json value) {
  if (Json* there = find(key)) return *there = std::move(value);
  return add(std::string(key), std::move(value));
}
void Json::push(Json value) { items().push_back(std::move(value)); }
bool Json::operator==(const Json& other) const { return value_ == other.value_; }

Json parse_json(std::string_view text, const std::string& name) { return JsonParser(text, name).document(); }

std::string read_file(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  auto fail = [&](const std::string& why) {
    if (fd >= 0) close(fd);
    throw InputError(path + ": " + why);
  };
  if (fd < 0) fail(errno == ENOENT ? "no such file" : std::strerror(errno));
  struct stat info {};
  if (fstat(fd, &info) != 0) fail(std::strerror(errno));
  if (!S_ISREG(info.st_mode)) fail("not a file");
  if (static_cast<uint64_t>(info.st_size) > kMaxFile) fail("larger than 128 MiB");
  std::string out(static_cast<size_t>(info.st_size), '\0');
  size_t have = 0;
  while (have < out.size()) {
    const ssize_t n = read(fd, out.data() + have, out.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(std::strerror(errno));
    if (n == 0) break;
    have += static_cast<size_t>(n);
  }
  out.resize(have);
  close(fd);
  return out;
}

Json load_json(const std::string& path) {
  const std::string bytes = read_file(path);
  auto ends = [&](std::string_view e) { return path.size() > e.size() && path.compare(path.size() - e.size(), e.size(), e) == 0; };
  return ends(".yaml") || ends(".yml") ? parse_yaml(bytes, path) : parse_json(bytes, path);
}

std::string to_text(const Json& v, JsonStyle style) {
  std::string out;
  write(out, v, style, 0);
  return out;
}

std::string describe(const Json& v) {
  if (v.is_null()) return "null";
  if (v.is_list()) return v.items().empty() ? "an empty list" : "a list of " + std::to_string(v.items().size());
  if (v.is_object()) return "an object";
  if (v.is_text()) {
    std::string s = v.as_text();
    if (s.size() > 60) {
      size_t n = 57;
      while (n > 0 && (static_cast<uint8_t>(s[n]) & 0xC0) == 0x80) --n;
      s = s.substr(0, n) + "…";
    }
    return "text " + to_text(Json(s));
  }
  return to_text(v);
}

}  // namespace ppc::engine
