// Templates in Jinja's language, as far as the chat templates of models use it, with the results of Jinja2 in the setting that Hugging
// Face's transformers give it: trim_blocks, lstrip_blocks, loop controls, a sandbox, their `tojson`, `raise_exception`, `strftime_now`.
//
// A text knows for each of its bytes where it is from, however it was cut and joined: so what a message says is never taken for
// what the template says. What Jinja2 has and this has not is refused, with its name and line; nothing is ignored.
//
// Templates come with model folders, from anywhere: their depth, work and memory are bounded.
//
// Errors: engine::InputError, "FILE: line N: what is wrong".
#pragma once
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "runtime/engine/json.h"

namespace ppc::model::jinja {

inline constexpr int32_t kTemplate = 0;           // source: the template itself, and variables that are trusted as it is
inline constexpr uint32_t kChanged = UINT32_MAX;  // offset: from that source, but not as it stands there (upper case, escapes, …)

/// A stretch of a text, from the end of the one before to `end` (bytes).
struct Run { uint32_t end; int32_t source; uint32_t offset; };  // offset: in the source, of the first byte

class Text {
 public:
  Text() = default;
  explicit Text(std::string bytes, int32_t source = kTemplate);

  const std::string& bytes() const { return bytes_; }
  size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  /// In order, without gaps. None: all of it is the template's.
  const std::vector<Run>& runs() const { return runs_; }
  int32_t source_at(size_t byte) const;

  void append(std::string_view of_template);
  void append(const Text&);
  void append(const Text&, size_t begin, size_t end);  // bytes
  /// What stands for something of `source`, but is written in another way.
  void append_changed(std::string_view, int32_t source);
  Text part(size_t begin, size_t end) const;

 private:
  void add_run(uint32_t size, int32_t source, uint32_t offset);
  std::string bytes_;
  std::vector<Run> runs_;
};

struct List;
struct Dict;
struct Namespace;
struct Loop;
struct Macro;
struct Frame;
enum class Builtin : uint8_t { Range, Dict, Namespace, RaiseException, StrftimeNow, Unsupported };

struct Undefined { std::shared_ptr<const std::string> what; };  // what was looked for, for messages
struct None {};
struct MacroValue { const Macro* macro; Frame* frame; };

/// What an expression gives. Lists and dictionaries are not changed once they are made.
struct Value {
  using Variant = std::variant<Undefined, None, bool, int64_t, double, std::shared_ptr<const Text>, std::shared_ptr<const List>,
                               std::shared_ptr<const Dict>, std::shared_ptr<Namespace>, std::shared_ptr<Loop>, Builtin, MacroValue>;
  Variant is;

  Value() = default;
  template <class T>
    requires std::is_constructible_v<Variant, T>
  Value(T v) : is(std::move(v)) {}
  Value(Text t) : is(std::make_shared<const Text>(std::move(t))) {}
  static Value text(std::string s, int32_t source = kTemplate) { return Text(std::move(s), source); }
  /// Texts in it count as the template's.
  static Value of(const engine::Json&);

  template <class T>
  const T* get() const { return std::get_if<T>(&is); }
  const Text* as_text() const { const auto* p = get<std::shared_ptr<const Text>>(); return p ? p->get() : nullptr; }
  const List* as_list() const { const auto* p = get<std::shared_ptr<const List>>(); return p ? p->get() : nullptr; }
  const Dict* as_dict() const { const auto* p = get<std::shared_ptr<const Dict>>(); return p ? p->get() : nullptr; }
  bool undefined() const { return get<Undefined>() != nullptr; }
  bool none() const { return get<None>() != nullptr; }
};

struct List {
  enum class Kind : uint8_t { List, Tuple, Generator, Keys, Values, Items, Range };  // all that Python gives; most templates see lists
  Kind kind = Kind::List;
  std::vector<Value> items;
  uint32_t depth = 1;           // levels of lists and dictionaries
  mutable bool spent = false;   // a generator gives its items once
};
struct Dict {
  std::vector<std::pair<Value, Value>> items;
  uint32_t depth = 1;
};
Value list_of(std::vector<Value> items, List::Kind kind = List::Kind::List);
Value dict_of(std::vector<std::pair<Value, Value>> items);

using Variables = std::vector<std::pair<std::string, Value>>;

class Template {
 public:
  /// `file` stands in front of messages.
  static Template parse(std::string_view source, const std::string& file);
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;
  ~Template();

  /// `now` is what strftime_now tells; `work` how much may be done, about bytes handled (the default is a second's). May be called from
  /// several threads.
  Text render(const Variables&, const std::tm& now, uint64_t work = uint64_t{1} << 27) const;

 private:
  struct Data;
  explicit Template(std::unique_ptr<Data>);
  std::unique_ptr<Data> data_;
};

}  // namespace ppc::model::jinja
