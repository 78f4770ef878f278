#include <yaml-cpp/depthguard.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <limits>

#include "runtime/engine/json.h"
#include "runtime/text/utf8.h"

namespace ppc::engine {
namespace {

constexpr unsigned kMaxDepth = 256;
constexpr size_t kMaxValues = 2'000'000;

// The core schema of YAML 1.2: `yes` and `no` are texts.
Json plain_scalar(const std::string& s) {
  if (s.empty() || s == "~" || s == "null" || s == "Null" || s == "NULL") return Json();
  if (s == "true" || s == "True" || s == "TRUE") return Json(true);
  if (s == "false" || s == "False" || s == "FALSE") return Json(false);
  const char* first = s.data() + (s[0] == '+' ? 1 : 0);
  const char* last = s.data() + s.size();
  int64_t n = 0;
  if (auto r = std::from_chars(first, last, n); r.ec == std::errc() && r.ptr == last && !(s[0] == '+' && *first == '-')) return Json(n);
  if (s.size() > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'o')) {
    if (auto r = std::from_chars(s.data() + 2, last, n, s[1] == 'x' ? 16 : 8); r.ec == std::errc() && r.ptr == last) return Json(n);
  }
  if (s == ".nan" || s == ".NaN" || s == ".NAN") return Json(std::numeric_limits<double>::quiet_NaN());
  if (s == ".inf" || s == ".Inf" || s == "+.inf") return Json(std::numeric_limits<double>::infinity());
  if (s == "-.inf" || s == "-.Inf") return Json(-std::numeric_limits<double>::infinity());
  const char c = s[0] == '-' || s[0] == '+' ? (s.size() > 1 ? s[1] : 'x') : s[0];
  if ((c >= '0' && c <= '9') || c == '.') {
    double d = 0;
    if (auto r = std::from_chars(first, last, d); r.ec == std::errc() && r.ptr == last) return Json(d);
  }
  return Json(s);
}

class YamlReader {
 public:
  explicit YamlReader(const std::string& name) : name_(name) {}
  Json read(const YAML::Node& node, unsigned depth) {
    if (depth > kMaxDepth) fail(node, "nested more than " + std::to_string(kMaxDepth) + " levels deep");
    if (++count_ > kMaxValues) fail(node, "more than " + std::to_string(kMaxValues) + " values");
    switch (node.Type()) {
      case YAML::NodeType::Scalar:
        if (node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str") return Json(node.Scalar());
        return plain_scalar(node.Scalar());
      case YAML::NodeType::Sequence: {
        Json::List items;
        for (const YAML::Node& item : node) items.push_back(read(item, depth + 1));
        return Json(std::move(items));
      }
      case YAML::NodeType::Map: {
        Json::Object members;
        for (const auto& entry : node) {
          if (!entry.first.IsScalar()) fail(entry.first, "a key that is no text");
          members.push_back({entry.first.Scalar(), read(entry.second, depth + 1)});
        }
        return Json(std::move(members));
      }
      default: return Json();
    }
  }

 private:
  [[noreturn]] void fail(const YAML::Node& node, const std::string& what) const {
    const YAML::Mark mark = node.Mark();
    throw InputError(name_ + ":" + std::to_string(mark.line + 1) + ":" + std::to_string(mark.column + 1) + ": " + what);
  }
  const std::string& name_;
  size_t count_ = 0;
};

}  // namespace

Json parse_yaml(std::string_view text, const std::string& name) {
  if (!text::check_utf8(text).valid) throw InputError(name + ": not valid UTF-8");
  try {
    return YamlReader(name).read(YAML::Load(std::string(text)), 0);
  } catch (const YAML::DeepRecursion& e) {  // its own text is "bad file"
    throw InputError(name + ":" + std::to_string(e.mark.line + 1) + ":" + std::to_string(e.mark.column + 1) +
                     ": nested too deep");
  } catch (const YAML::Exception& e) {
    throw InputError(name + ":" + std::to_string(e.mark.line + 1) + ":" + std::to_string(e.mark.column + 1) +
                     ": not YAML: " + e.msg);
  }
}

}  // namespace ppc::engine
