#include "compiler/diag/diag.h"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace ppc::diag {

namespace {
// A function's static, because diagnostics register themselves while other files' constants are still being made.
std::vector<const Diagnostic*>& all() {
  static std::vector<const Diagnostic*> list;
  return list;
}

std::string fill(const char* format, const std::vector<std::string>& arguments) {
  std::string out;
  for (const char* p = format; *p; ++p) {
    if (*p == '{' && std::isdigit(static_cast<unsigned char>(p[1])) && p[2] == '}') {
      size_t index = static_cast<size_t>(p[1] - '0');
      if (index < arguments.size()) out += arguments[index];
      p += 2;
    } else {
      out += *p;
    }
  }
  return out;
}
}  // namespace

Diagnostic::Diagnostic(const char* code_, const char* slug_, Severity severity_, const char* format_)
    : code(code_), slug(slug_), severity(severity_), format(format_) {
  auto& list = all();
  auto at = std::lower_bound(list.begin(), list.end(), this,
                             [](const Diagnostic* a, const Diagnostic* b) { return std::strcmp(a->code, b->code) < 0; });
  list.insert(at, this);
}

const std::vector<const Diagnostic*>& registry() { return all(); }

Emitter::Builder Emitter::emit(const Diagnostic& what, Span span, std::vector<std::string> arguments) {
  Builder builder;
  if (what.severity == Severity::Error) {
    if (++errors_ > limit_) return builder;
  } else if (what.severity == Severity::Warning) {
    ++warnings_;
    if (warnings_ > limit_) return builder;
  }
  reports_.push_back({&what, span, fill(what.format, arguments), {}, {}, {}});
  builder.report_ = &reports_.back();
  return builder;
}

Emitter::Builder& Emitter::Builder::meant(const std::string& misspelt, const std::string& name) {
  hint("did you mean `" + name + "`?");
  if (!report_) return *this;
  Span at = report_->span;
  at.end = std::min(at.end, at.begin + static_cast<uint32_t>(misspelt.size()));
  return fix("replace by `" + name + "`", at, name);
}

namespace {
char lower(char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); }

/// Insertions, deletions, replacements and swaps of neighbours; the case of letters does not count.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<size_t>> d(a.size() + 1, std::vector<size_t>(b.size() + 1));
  for (size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (size_t i = 1; i <= a.size(); ++i)
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t cost = lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1;
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + cost});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  return d[a.size()][b.size()];
}
}  // namespace

std::string closest(std::string_view name, const std::vector<std::string>& candidates) {
  // A third of the letters may be wrong: `breif` finds `brief`, `x` finds nothing.
  if (name.empty() || name.size() > 64) return "";
  size_t best = std::max<size_t>(name.size() / 3, name.size() > 2 ? 1 : 0) + 1;
  std::string found;
  for (const auto& candidate : candidates) {
    if (candidate == name || candidate.size() > 2 * name.size() + 2) continue;
    size_t d = distance(name, candidate);
    if (d < best) {
      best = d;
      found = candidate;
    }
  }
  return found;
}

}  // namespace ppc::diag
