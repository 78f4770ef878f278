// Diagnostics: declared once with a code and typed parameters, emitted with labels, consumed by console, JSON or --verify.
#pragma once
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/base/source.h"

namespace ppc::diag {

enum class Severity { Error, Warning, Note };

/// One registered diagnostic. Declare it as a namespace-scope constant beside where it is emitted:
///   inline const Diagnostic kUnknownName{"E0201", "unknown-name", Severity::Error, "unknown name `{0}`"};
/// The constructor registers it; `ppc check --list-diagnostics` and the coverage test read the registry.
/// Message style: lower case, no full stop, code in backticks; what was seen, then what was expected.
struct Diagnostic {
  const char* code;     // E = error, W = warning; 01xx syntax, 02xx names, 03xx types, 04xx audiences, 05xx bounds and paths, 06xx data and play
  const char* slug;     // file name of its page: docs/diagnostics/E0201-unknown-name.md
  Severity severity;
  const char* format;   // {0}, {1}, … are the arguments
  Diagnostic(const char* code, const char* slug, Severity severity, const char* format);
};

/// All diagnostics linked into this program, ordered by code.
const std::vector<const Diagnostic*>& registry();

struct Label { Span span; std::string text; };  // a note at another place involved

/// A change of the source that would mend it, for editors to offer.
struct Fix { std::string title; Span span; std::string text; };

struct Report {
  const Diagnostic* what;
  Span span;
  std::string message;             // the format with its arguments filled in
  std::vector<Label> labels;
  std::vector<std::string> hints;  // "did you mean `x`?"
  std::vector<Fix> fixes;
};

/// Collects reports. After `limit` errors further ones are counted, not kept.
class Emitter {
 public:
  explicit Emitter(Sources& sources, size_t limit = 50) : sources_(sources), limit_(limit) {}
  class Builder {
   public:
    Builder& label(Span span, std::string text) { if (report_) report_->labels.push_back({span, std::move(text)}); return *this; }
    Builder& hint(std::string text) { if (report_) report_->hints.push_back(std::move(text)); return *this; }
    Builder& fix(std::string title, Span span, std::string text) {
      if (report_) report_->fixes.push_back({std::move(title), span, std::move(text)});
      return *this;
    }
    /// A hint that another name was meant, and the fix that puts it in place of the misspelt one, with which the report's span begins.
    Builder& meant(const std::string& misspelt, const std::string& name);
   private:
    friend class Emitter;
    Report* report_ = nullptr;
  };
  /// Valid until the next emit.
  Builder emit(const Diagnostic& what, Span span, std::vector<std::string> arguments = {});
  size_t errors() const { return errors_; }
  size_t warnings() const { return warnings_; }
  const std::vector<Report>& reports() const { return reports_; }
  const Sources& sources() const { return sources_; }
  Sources& sources() { return sources_; }  // for who reads further files

 private:
  Sources& sources_;
  size_t limit_, errors_ = 0, warnings_ = 0;
  std::vector<Report> reports_;
};

/// path:line:column: error[E0201]: message / the source line / a caret / labels / hints. `colour` adds ANSI codes.
std::string render(const Report&, const Sources&, bool colour);
/// One JSON array of all reports: {code, slug, severity, message, file, line, column, end_line, end_column, labels, hints}.
std::string to_json(const std::vector<Report>&, const Sources&);

/// clang-like expectations in comments: `// expected-error@+1 {{unknown name}}`, `expected-warning`, `expected-note`,
/// @LINE, @+N, @-N; a code may stand in front: `expected-error E0201 {{…}}`. Returns what did not match, one line each;
/// empty when every report was expected and every expectation met.
std::vector<std::string> verify(const std::vector<Report>&, const Sources&);

/// The candidate closest to `name` by edit distance, or "" when none is close.
std::string closest(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace ppc::diag
