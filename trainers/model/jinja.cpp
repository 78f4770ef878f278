#include "trainers/model/jinja.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

#include "trainers/model/jinja_parts.h"

namespace ppc::model::jinja {
namespace {

using engine::InputError;
using Kind = List::Kind;
constexpr size_t npos = std::string_view::npos;

// Work is counted in bytes handled; an expression counts as some.
constexpr uint64_t kExpression = 64, kItem = 64;
constexpr uint32_t kDeepest = 400;  // of what is being evaluated, macros that call macros included
constexpr int64_t kLongestRange = 100'000;  // as in Jinja2's sandbox

template <class... F>
struct Overloaded : F... { using F::operator()...; };

bool is_number(const Value& v) { return v.get<bool>() || v.get<int64_t>() || v.get<double>(); }
/// An int or a bool, which Python counts as one.
const int64_t* as_int(const Value& v, int64_t* room) {
  if (const bool* b = v.get<bool>()) return *room = *b, room;
  return v.get<int64_t>();
}
double as_float(const Value& v) {
  int64_t room;
  if (const int64_t* i = as_int(v, &room)) return static_cast<double>(*i);
  return *v.get<double>();
}
bool gives_items_once(const List& l) { return l.kind == Kind::Generator; }
bool is_sequence(const List& l) { return l.kind == Kind::List || l.kind == Kind::Tuple || l.kind == Kind::Range; }

std::string kind_of(const Value& v) {
  return std::visit(Overloaded{
                        [](const Undefined&) -> std::string { return "an undefined value"; },
                        [](const None&) -> std::string { return "none"; },
                        [](bool b) -> std::string { return b ? "true" : "false"; },
                        [](int64_t) -> std::string { return "a number"; },
                        [](double) -> std::string { return "a number"; },
                        [](const std::shared_ptr<const Text>&) -> std::string { return "a text"; },
                        [](const std::shared_ptr<const List>& l) -> std::string { return l->kind == Kind::Tuple ? "a tuple" : "a list"; },
                        [](const std::shared_ptr<const Dict>&) -> std::string { return "a dictionary"; },
                        [](const std::shared_ptr<Namespace>&) -> std::string { return "a namespace"; },
                        [](const std::shared_ptr<Loop>&) -> std::string { return "a loop"; },
                        [](Builtin) -> std::string { return "a function"; },
                        [](const MacroValue&) -> std::string { return "a macro"; },
                    },
                    v.is);
}
/// For messages: short, on one line.
std::string shown(std::string_view s) {
  std::string out;
  for (char c : s.substr(0, 300)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  return out + (s.size() > 300 ? "…" : "");
}

// What Python's objects have: not found among a dictionary's members, it would be a function.
const std::set<std::string_view> kTextMethods = {
    "capitalize", "casefold", "center", "count", "encode", "endswith", "expandtabs", "find", "format", "format_map", "index", "isalnum",
    "isalpha", "isascii", "isdecimal", "isdigit", "isidentifier", "islower", "isnumeric", "isprintable", "isspace", "istitle", "isupper",
    "join", "ljust", "lower", "lstrip", "maketrans", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex", "rjust",
    "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase", "title", "translate", "upper", "zfill"};
const std::set<std::string_view> kDictMethods = {"clear", "copy", "fromkeys", "get", "items", "keys", "pop", "popitem", "setdefault", "update", "values"};
const std::set<std::string_view> kListMethods = {"append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort", "start", "stop", "step", "send", "throw", "close", "mapping", "isdisjoint"};
const std::set<std::string_view> kNumberMethods = {"as_integer_ratio", "bit_count", "bit_length", "conjugate", "denominator", "from_bytes", "fromhex", "hex", "imag", "is_integer", "numerator", "real", "to_bytes"};
bool has_method(const Value& v, std::string_view name) {
  if (name.starts_with("__")) return true;
  if (v.as_text()) return kTextMethods.contains(name);
  if (v.as_dict()) return kDictMethods.contains(name);
  if (v.as_list()) return kListMethods.contains(name);
  return is_number(v) && kNumberMethods.contains(name);
}

}  // namespace

struct Namespace { std::vector<std::pair<std::string, Value>> members; };
struct Loop {
  std::vector<Value> items;
  size_t at = 0, depth = 1;
  bool over = false;
};
struct Frame {
  Frame* outer = nullptr;
  std::vector<std::pair<int, Value>> names;
};

Value list_of(std::vector<Value> items, List::Kind kind) {
  List l;
  l.kind = kind;
  for (const Value& v : items) {
    if (const List* in = v.as_list()) l.depth = std::max(l.depth, in->depth + 1);
    else if (const Dict* d = v.as_dict()) l.depth = std::max(l.depth, d->depth + 1);
  }
  if (l.depth > kMostNested) throw std::length_error("more than " + std::to_string(kMostNested) + " lists within each other");
  l.items = std::move(items);
  return {std::make_shared<const List>(std::move(l))};
}
Value dict_of(std::vector<std::pair<Value, Value>> items) {
  Dict d;
  for (const auto& [key, v] : items) {
    if (const List* in = v.as_list()) d.depth = std::max(d.depth, in->depth + 1);
    else if (const Dict* inner = v.as_dict()) d.depth = std::max(d.depth, inner->depth + 1);
  }
  if (d.depth > kMostNested) throw std::length_error("more than " + std::to_string(kMostNested) + " dictionaries within each other");
  d.items = std::move(items);
  return {std::make_shared<const Dict>(std::move(d))};
}
Value Value::of(const engine::Json& j) {
  if (j.is_null()) return {None{}};
  if (j.is_bool()) return {j.as_bool()};
  if (j.is_int()) return {j.as_int()};
  if (j.is_float()) return {j.as_float()};
  if (j.is_text()) return text(j.as_text());
  if (j.is_list()) {
    std::vector<Value> items;
    for (const engine::Json& i : j.items()) items.push_back(of(i));
    return list_of(std::move(items));
  }
  std::vector<std::pair<Value, Value>> items;
  for (const auto& [key, v] : j.members())
    if (&v == j.find(key)) items.emplace_back(text(key), of(v));
  return dict_of(std::move(items));
}

namespace {

struct Args {
  std::vector<Value> plain;
  std::vector<std::pair<std::string, Value>> named;
};

class Renderer {
 public:
  Renderer(const std::string& file, const Symbols& symbols, const Variables& variables, const std::tm& now, uint64_t work) : file_(file), now_(now), left_(work) {
    static const std::pair<const char*, Builtin> builtins[] = {
        {"range", Builtin::Range},         {"dict", Builtin::Dict},          {"namespace", Builtin::Namespace},      {"raise_exception", Builtin::RaiseException},
        {"strftime_now", Builtin::StrftimeNow}, {"cycler", Builtin::Unsupported}, {"joiner", Builtin::Unsupported}, {"lipsum", Builtin::Unsupported}};
    globals_.names.reserve(variables.size() + std::size(builtins));
    // The last of a name counts.
    const auto set = [&](const std::string& name, const Value& v) {
      if (const int symbol = symbols.find(name); symbol >= 0) assign(globals_, symbol, v);
    };
    for (const auto& [name, builtin] : builtins) set(name, {builtin});
    for (const auto& [name, value] : variables) set(name, value);
    top_.outer = &globals_;
    frame_ = &top_;
  }
  ~Renderer() {  // namespaces, frames and macros may hold each other
    for (const auto& s : spaces_) s->members.clear();
    for (const auto& f : kept_) f->names.clear();
  }
  Renderer(const Renderer&) = delete;

  Text run(const Block& body) {
    try {
      exec(body);
    } catch (const std::length_error& e) {
      fail(e.what());
    } catch (const std::out_of_range& e) {
      fail(e.what());
    }
    return std::move(top_text_);
  }

 private:
  [[noreturn]] void fail(const std::string& what) const { throw InputError(file_ + ": line " + std::to_string(line_) + ": " + what); }
  [[noreturn]] void fail_undefined(const Undefined& u) const { fail((u.what ? *u.what : "a value") + " is not defined"); }
  /// For an operation on values of kinds that it is not for.
  [[noreturn]] void fail_kind(const std::string& what, const Value& v) const {
    if (const auto* u = v.get<Undefined>()) fail_undefined(*u);
    fail(what + ": not of " + kind_of(v));
  }
  void charge(uint64_t work) {
    if (work > left_) fail("the template takes too long");
    left_ -= work;
  }
  static Value undefined(std::string what) { return {Undefined{std::make_shared<const std::string>(std::move(what))}}; }
  Value made(Text t) {
    charge(t.size() + t.runs().size() * sizeof(Run));
    return {std::move(t)};
  }
  Value made_list(std::vector<Value> items, Kind kind = Kind::List) {
    charge(items.size() * kItem);
    return list_of(std::move(items), kind);
  }

  /// One more level of what calls itself here.
  struct Deeper {
    explicit Deeper(Renderer& r) : renderer(r) {
      if (++renderer.depth_ > kDeepest) renderer.fail("too deep: macros that call themselves, or expressions within each other");
    }
    ~Deeper() { --renderer.depth_; }
    Renderer& renderer;
  };
  /// Names of a loop's turn, a macro's call, a `with`.
  class Scope {
   public:
    Scope(Renderer& r, Frame* outer) : renderer_(r), before_(r.frame_), macros_(r.macros_), frame_(std::make_unique<Frame>()) {
      frame_->outer = outer;
      r.frame_ = frame_.get();
    }
    ~Scope() {
      renderer_.frame_ = before_;
      if (renderer_.macros_ != macros_) renderer_.kept_.push_back(std::move(frame_));  // a macro made here looks into it later
    }
    Frame& frame() { return *frame_; }

   private:
    Renderer& renderer_;
    Frame* before_;
    uint64_t macros_;
    std::unique_ptr<Frame> frame_;
  };
  /// Where what is printed goes.
  class Capture {
   public:
    explicit Capture(Renderer& r) : renderer_(r), before_(r.out_) { r.out_ = &text; }
    ~Capture() { renderer_.out_ = before_; }
    Text text;

   private:
    Renderer& renderer_;
    Text* before_;
  };

  // Names

  void assign(Frame& frame, int symbol, Value v) const {
    for (auto& [name, value] : frame.names)
      if (name == symbol) {
        value = std::move(v);
        return;
      }
    frame.names.emplace_back(symbol, std::move(v));
  }
  void assign(const Expr& target, const Value& v) {
    if (target.op == Op::Name) return assign(*frame_, target.symbol, v);
    line_ = target.line;
    if (target.op == Op::Attr) {
      const Value space = look(*target.kids[0]);
      const auto* const n = space.get<std::shared_ptr<Namespace>>();
      if (!n) fail("only a namespace's members can be set: `" + shown(target.kids[0]->name) + "` is " + kind_of(space));
      charge((*n)->members.size() * kExpression);
      for (auto& [name, value] : (*n)->members)
        if (name == target.name) {
          value = v;
          return;
        }
      (*n)->members.emplace_back(target.name, v);
      return;
    }
    const std::vector<Value> items = iterate(v);
    if (items.size() != target.kids.size()) fail("expected " + std::to_string(target.kids.size()) + " values, found " + std::to_string(items.size()));
    for (size_t i = 0; i < items.size(); ++i) assign(*target.kids[i], items[i]);
  }
  Value look(const Expr& name) {
    for (const Frame* f = frame_; f; f = f->outer) {
      charge(f->names.size());
      for (const auto& [symbol, value] : f->names)
        if (symbol == name.symbol) return value;
    }
    return undefined("`" + shown(name.name) + "`");
  }

  // Statements

  enum class Flow : uint8_t { On, Break, Continue };
  Flow exec(const Block& block) {
    const Deeper deeper(*this);
    for (const Stmt& s : block)
      if (const Flow flow = exec(s); flow != Flow::On) return flow;
    return Flow::On;
  }
  Flow exec(const Stmt& s) {
    charge(kExpression);
    line_ = s.line;
    switch (s.kind) {
      case Stmt::Kind::Data:
        charge(s.data.size());
        out_->append(s.data);
        break;
      case Stmt::Kind::Print:
        for (const ExprPtr& e : s.exprs) print(eval(*e));
        break;
      case Stmt::Kind::Set: assign(*s.target, eval(*s.exprs[0])); break;
      case Stmt::Kind::SetBlock: {
        Value v = captured(s.bodies[0]);
        if (s.exprs[0]) v = filtered(*s.exprs[0], v);
        assign(*s.target, v);
        break;
      }
      case Stmt::Kind::If: {
        size_t i = 0;
        while (i < s.exprs.size() && !truth(eval(*s.exprs[i]))) ++i;
        if (i < s.bodies.size()) return exec(s.bodies[i]);
        break;
      }
      case Stmt::Kind::For: return exec_for(s);
      case Stmt::Kind::Macro:
        ++macros_;
        assign(*frame_, s.target->symbol, {MacroValue{s.macro.get(), frame_}});
        break;
      case Stmt::Kind::Break: return Flow::Break;
      case Stmt::Kind::Continue: return Flow::Continue;
      case Stmt::Kind::Group: {
        Scope scope(*this, frame_);
        exec(s.bodies[0]);
        break;
      }
      case Stmt::Kind::With: {
        std::vector<Value> values;
        for (const ExprPtr& e : s.exprs) values.push_back(eval(*e));
        Scope scope(*this, frame_);
        for (size_t i = 0; i < values.size(); ++i) assign(*s.targets[i], values[i]);
        return exec(s.bodies[0]);
      }
      case Stmt::Kind::Filter: print(filtered(*s.exprs[0], captured(s.bodies[0]))); break;
    }
    return Flow::On;
  }
  void print(const Value& v) {
    const Text t = to_text(v);
    charge(t.size());
    out_->append(t);
  }
  Value captured(const Block& body) {
    Capture capture(*this);
    Scope scope(*this, frame_);
    exec(body);
    return {std::move(capture.text)};
  }
  /// A filter of a block.
  Value filtered(const Expr& e, const Value& v) {
    const Deeper deeper(*this);
    const Value self = e.kids[0] ? filtered(*e.kids[0], v) : v;
    return apply_filter(e.name, self, arguments(e), e.line);
  }
  Flow exec_for(const Stmt& s) {
    const Value over = eval(*s.exprs[0]);
    line_ = s.line;
    std::vector<Value> items = iterate(over);
    if (s.exprs[1]) {
      std::vector<Value> chosen;
      for (Value& v : items) {
        charge(kExpression * 4);
        Scope scope(*this, frame_);
        assign(*s.target, v);
        if (truth(eval(*s.exprs[1]))) chosen.push_back(std::move(v));
      }
      items = std::move(chosen);
    }
    const auto loop = std::make_shared<Loop>();
    loop->items = std::move(items);
    loop->depth = ++loops_;
    struct Over {  // the loop may be held by what outlives it, and its items hold others
      Renderer& renderer;
      Loop& loop;
      ~Over() {
        --renderer.loops_;
        loop.over = true;
        loop.items.clear();
      }
    } end{*this, *loop};
    bool any = false;  // turn that went to its end, as Jinja2 counts them
    for (loop->at = 0; loop->at < loop->items.size(); ++loop->at) {
      charge(kExpression * 4);
      Scope scope(*this, frame_);
      scope.frame().names.emplace_back(kLoop, Value{loop});
      assign(*s.target, loop->items[loop->at]);
      const Flow flow = exec(s.bodies[0]);
      if (flow == Flow::Break) break;
      if (flow == Flow::On) any = true;
    }
    if (!any && s.bodies.size() > 1) {
      Scope scope(*this, frame_);
      return exec(s.bodies[1]);  // a `break` in it is the outer loop's
    }
    return Flow::On;
  }

  // Expressions

  Value eval(const Expr& e) {
    const Deeper deeper(*this);
    charge(kExpression);
    line_ = e.line;
    switch (e.op) {
      case Op::Const: return e.value;
      case Op::Name:
        if (e.name == "loop")
          for (const Frame* f = frame_; f; f = f->outer)
            for (const auto& [symbol, value] : f->names)
              if (symbol == kLoop) return value;
        return look(e);
      case Op::List:
      case Op::Tuple: {
        std::vector<Value> items;
        for (const ExprPtr& k : e.kids) items.push_back(eval(*k));
        return made_list(std::move(items), e.op == Op::List ? Kind::List : Kind::Tuple);
      }
      case Op::Dict: return eval_dict(e);
      case Op::Attr: {
        const Value of = eval(*e.kids[0]);
        line_ = e.line;
        return attribute(of, e.name);
      }
      case Op::Item: {
        const Value of = eval(*e.kids[0]), key = eval(*e.kids[1]);
        line_ = e.line;
        return item(of, key);
      }
      case Op::Slice: return eval_slice(e);
      case Op::Call: return eval_call(e);
      case Op::Filter: {
        const Value self = eval(*e.kids[0]);
        return apply_filter(e.name, self, arguments(e), e.line);
      }
      case Op::Test: {
        const Value self = eval(*e.kids[0]);
        return {apply_test(e.name, self, arguments(e), e.line)};
      }
      case Op::Not: return {!truth(eval(*e.kids[0]))};
      case Op::Neg:
      case Op::Pos: {
        const Value v = eval(*e.kids[0]);
        line_ = e.line;
        int64_t room;
        if (const int64_t* i = as_int(v, &room)) {
          if (e.op == Op::Neg && *i == INT64_MIN) fail("a number beyond 64 bits");
          return {e.op == Op::Neg ? -*i : *i};
        }
        if (const double* d = v.get<double>()) return {e.op == Op::Neg ? -*d : *d};
        fail_kind("a sign", v);
      }
      case Op::And:
      case Op::Or: {
        Value v = eval(*e.kids[0]);
        return truth(v) == (e.op == Op::And) ? eval(*e.kids[1]) : v;
      }
      case Op::If:
        if (truth(eval(*e.kids[0]))) return eval(*e.kids[1]);
        return e.kids.size() > 2 ? eval(*e.kids[2]) : undefined("what an `if` without `else` gives");
      case Op::Concat: {
        Text out;
        for (const ExprPtr& k : e.kids) {
          const Text t = to_text(eval(*k));
          charge(t.size());
          out.append(t);
        }
        return {std::move(out)};
      }
      case Op::Compare: return eval_compare(e);
      default: {
        const Value a = eval(*e.kids[0]), b = eval(*e.kids[1]);
        line_ = e.line;
        return arithmetic(e.op, a, b);
      }
    }
  }
  Value eval_dict(const Expr& e) {
    std::vector<std::pair<Value, Value>> items;
    for (size_t i = 0; i < e.kids.size(); i += 2) {
      Value key = eval(*e.kids[i]), value = eval(*e.kids[i + 1]);
      line_ = e.line;
      insert(items, std::move(key), std::move(value));
    }
    return dict_of(std::move(items));
  }
  void insert(std::vector<std::pair<Value, Value>>& items, Value key, Value value) {
    if (!key.as_text() && !is_number(key) && !key.none()) fail(kind_of(key) + " as a key of a dictionary is not supported");
    charge(kItem + items.size());
    for (auto& [k, v] : items)
      if (equal(k, key)) {
        v = std::move(value);
        return;
      }
    items.emplace_back(std::move(key), std::move(value));
  }
  Value eval_slice(const Expr& e) {
    const Value of = eval(*e.kids[0]);
    std::array<std::optional<int64_t>, 3> parts;
    for (size_t i = 0; i < 3; ++i) {
      if (!e.kids[i + 1]) continue;
      const Value v = eval(*e.kids[i + 1]);
      line_ = e.line;
      int64_t room;
      if (const int64_t* n = as_int(v, &room)) parts[i] = *n;
      else if (!v.none()) fail_kind("a slice's bound", v);
    }
    line_ = e.line;
    const int64_t step = parts[2].value_or(1);
    if (step == 0) fail("a slice with a step of zero");
    const auto indices = [&](size_t size) {  // as Python's slice.indices
      const auto n = static_cast<int64_t>(size);
      const auto clamp = [&](std::optional<int64_t> v, int64_t otherwise) {
        if (!v) return otherwise;
        const int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
        return std::clamp(*v < 0 ? std::max(*v + n, low) : *v, low, high);
      };
      const int64_t from = clamp(parts[0], step < 0 ? n - 1 : 0), to = clamp(parts[1], step < 0 ? -1 : n);
      std::vector<size_t> out;
      for (int64_t i = from; step < 0 ? i > to : i < to;) {
        out.push_back(static_cast<size_t>(i));
        if (__builtin_add_overflow(i, step, &i)) break;
      }
      return out;
    };
    if (const Text* t = of.as_text()) {
      const std::string_view s = t->bytes();
      charge(s.size() * (step == 1 ? 1 : 24));  // backwards, each character may become a run
      std::vector<size_t> begins;
      for (size_t i = 0; i < s.size(); i = next_char(s, i)) begins.push_back(i);
      begins.push_back(s.size());
      const std::vector<size_t> chosen = indices(begins.size() - 1);
      if (step == 1) return chosen.empty() ? Value(Text()) : made(t->part(begins[chosen.front()], begins[chosen.back() + 1]));
      Text out;
      for (size_t i : chosen) out.append(*t, begins[i], begins[i + 1]);
      return made(std::move(out));
    }
    if (const List* l = of.as_list(); l && is_sequence(*l)) {
      charge(l->items.size());
      std::vector<Value> out;
      for (size_t i : indices(l->items.size())) out.push_back(l->items[i]);
      return made_list(std::move(out), l->kind);
    }
    fail_kind("a slice", of);
  }
  Value eval_compare(const Expr& e) {
    Value left = eval(*e.kids[0]);
    for (size_t i = 0; i < e.comparisons.size(); ++i) {
      Value right = eval(*e.kids[i + 1]);
      line_ = e.line;
      if (!compare(e.comparisons[i], left, right)) return {false};
      left = std::move(right);
    }
    return {true};
  }
  Args arguments(const Expr& e) {
    Args out;
    const size_t plain = e.kids.size() - e.keywords.size();
    for (size_t i = 1; i < plain; ++i) out.plain.push_back(eval(*e.kids[i]));
    for (size_t i = plain; i < e.kids.size(); ++i) out.named.emplace_back(e.keywords[i - plain], eval(*e.kids[i]));
    return out;
  }
  Value eval_call(const Expr& e) {
    const Expr& what = *e.kids[0];
    if (what.op == Op::Attr) {
      const Value self = eval(*what.kids[0]);
      const Args args = arguments(e);
      line_ = e.line;
      if (has_method(self, what.name)) return method(self, what.name, args);
      if (const auto* l = self.get<std::shared_ptr<Loop>>(); l && what.name == "cycle") {
        if (args.plain.empty() || !args.named.empty()) fail("`loop.cycle` without values");
        return args.plain[(*l)->at % args.plain.size()];
      }
      return call(attribute(self, what.name), args, what.name);
    }
    const Value f = eval(what);
    const Args args = arguments(e);
    line_ = e.line;
    return call(f, args, what.name);
  }

  // Values

  bool truth(const Value& v) const {
    return std::visit(Overloaded{
                          [](const Undefined&) { return false; },
                          [](const None&) { return false; },
                          [](bool b) { return b; },
                          [](int64_t i) { return i != 0; },
                          [](double d) { return d != 0; },
                          [](const std::shared_ptr<const Text>& t) { return !t->empty(); },
                          [](const std::shared_ptr<const List>& l) { return gives_items_once(*l) || !l->items.empty(); },
                          [](const std::shared_ptr<const Dict>& d) { return !d->items.empty(); },
                          [](const auto&) { return true; },
                      },
                      v.is);
  }
  /// What a loop over it gives.
  std::vector<Value> iterate(const Value& v) {
    if (v.undefined()) return {};
    std::vector<Value> out;
    if (const Text* t = v.as_text()) {
      charge(t->size() * kItem * 2);
      for (size_t i = 0, next; i < t->size(); i = next) {
        next = next_char(t->bytes(), i);
        out.emplace_back(t->part(i, next));
      }
      return out;
    }
    if (const List* l = v.as_list()) {
      charge(l->items.size() * kItem);
      if (gives_items_once(*l) && std::exchange(l->spent, true)) return {};
      return l->items;
    }
    if (const Dict* d = v.as_dict()) {
      charge(d->items.size() * kItem);
      for (const auto& [key, value] : d->items) out.push_back(key);
      return out;
    }
    fail_kind("a loop", v);
  }

  Text to_text(const Value& v) {
    if (const Text* t = v.as_text()) {
      charge(t->size());
      return *t;
    }
    Text out;
    if (!v.undefined()) write(out, v, 0);
    return out;
  }
  /// Python's repr.
  void write(Text& out, const Value& v, uint32_t level) {
    const Deeper deeper(*this);
    charge(kExpression);
    if (v.undefined()) out.append("Undefined");
    else if (v.none()) out.append("None");
    else if (const bool* b = v.get<bool>()) out.append(*b ? "True" : "False");
    else if (const int64_t* i = v.get<int64_t>()) out.append(std::to_string(*i));
    else if (const double* d = v.get<double>()) out.append(repr(*d));
    else if (const Text* t = v.as_text()) {
      charge(t->size() * 4);
      append_repr(out, *t);
    } else if (const List* l = v.as_list(); l && !gives_items_once(*l) && l->kind != Kind::Range) {
      static const char* const names[] = {"", "", "", "dict_keys", "dict_values", "dict_items"};
      const bool view = l->kind != Kind::List && l->kind != Kind::Tuple;
      if (view) out.append(std::string(names[static_cast<size_t>(l->kind)]) + "(");
      out.append(l->kind == Kind::Tuple ? "(" : "[");
      for (size_t i = 0; i < l->items.size(); ++i) {
        if (i) out.append(", ");
        write(out, l->items[i], level + 1);
      }
      out.append(l->kind == Kind::Tuple ? l->items.size() == 1 ? ",)" : ")" : "]");
      if (view) out.append(")");
    } else if (const Dict* d = v.as_dict()) {
      out.append("{");
      for (size_t i = 0; i < d->items.size(); ++i) {
        if (i) out.append(", ");
        write(out, d->items[i].first, level + 1);
        out.append(": ");
        write(out, d->items[i].second, level + 1);
      }
      out.append("}");
    } else {
      fail("printing " + (v.as_list() ? "what a filter or `range` gives; `list` makes a list of it" : kind_of(v)) + " is not supported");
    }
  }

  bool equal(const Value& a, const Value& b) {
    charge(1);
    if (is_number(a) && is_number(b)) {
      int64_t x, y;
      const int64_t *i = as_int(a, &x), *k = as_int(b, &y);
      return i && k ? *i == *k : as_float(a) == as_float(b);
    }
    if (a.is.index() != b.is.index()) return false;
    if (const Text* t = a.as_text()) {
      charge(t->size() / 8);
      return t->bytes() == b.as_text()->bytes();
    }
    if (const List* l = a.as_list()) {
      const List* m = b.as_list();
      if (l == m) return true;
      if (l->kind != m->kind || l->kind == Kind::Generator || l->kind == Kind::Values) return false;
      if (l->items.size() != m->items.size()) return false;
      const Deeper deeper(*this);
      for (size_t i = 0; i < l->items.size(); ++i)
        if (!equal(l->items[i], m->items[i])) return false;
      return true;
    }
    if (const Dict* d = a.as_dict()) {
      const Dict* f = b.as_dict();
      if (d->items.size() != f->items.size()) return false;
      const Deeper deeper(*this);
      for (const auto& [key, value] : d->items) {
        const Value* other = find_in(*f, key);
        if (!other || !equal(value, *other)) return false;
      }
      return true;
    }
    if (const auto* n = a.get<std::shared_ptr<Namespace>>()) return *n == *b.get<std::shared_ptr<Namespace>>();
    if (const auto* l = a.get<std::shared_ptr<Loop>>()) return *l == *b.get<std::shared_ptr<Loop>>();
    if (const auto* f = a.get<Builtin>()) return *f == *b.get<Builtin>();
    if (const auto* m = a.get<MacroValue>()) return m->macro == b.get<MacroValue>()->macro && m->frame == b.get<MacroValue>()->frame;
    return true;  // none, undefined
  }
  bool less(const Value& a, const Value& b) {
    charge(1);
    if (is_number(a) && is_number(b)) {
      int64_t x, y;
      const int64_t *i = as_int(a, &x), *k = as_int(b, &y);
      return i && k ? *i < *k : as_float(a) < as_float(b);
    }
    const Text *t = a.as_text(), *u = b.as_text();
    if (t && u) {
      charge(std::min(t->size(), u->size()) / 8);
      return t->bytes() < u->bytes();
    }
    const List *l = a.as_list(), *m = b.as_list();
    if (l && m && l->kind == m->kind && (l->kind == Kind::List || l->kind == Kind::Tuple)) {
      const Deeper deeper(*this);
      for (size_t i = 0; i < l->items.size() && i < m->items.size(); ++i)
        if (!equal(l->items[i], m->items[i])) return less(l->items[i], m->items[i]);
      return l->items.size() < m->items.size();
    }
    for (const Value* v : {&a, &b})
      if (const auto* u = v->get<Undefined>()) fail_undefined(*u);
    fail("neither is less: " + kind_of(a) + " and " + kind_of(b));
  }
  bool compare(Comparison c, const Value& a, const Value& b) {
    switch (c) {
      case Comparison::Eq: return equal(a, b);
      case Comparison::Ne: return !equal(a, b);
      case Comparison::Lt: return less(a, b);
      case Comparison::Gt: return less(b, a);
      // Not the opposite: NaN.
      case Comparison::Le: return less(a, b) || equal(a, b);
      case Comparison::Ge: return less(b, a) || equal(a, b);
      case Comparison::In: return contains(b, a);
      case Comparison::NotIn: return !contains(b, a);
    }
    return false;
  }
  bool contains(const Value& in, const Value& what) {
    if (in.undefined()) return false;
    if (const Text* t = in.as_text()) {
      const Text* w = what.as_text();
      if (!w) fail_kind("`in` a text", what);
      charge(t->size());
      return find_text(t->bytes(), w->bytes()) != npos;
    }
    if (const Dict* d = in.as_dict()) {
      if (!hashable(what)) fail_kind("`in` a dictionary", what);
      return find_in(*d, what) != nullptr;
    }
    if (in.as_list()) {
      for (const Value& v : iterate(in))
        if (equal(v, what)) return true;
      return false;
    }
    fail_kind("`in`", in);
  }
  const Value* find_in(const Dict& d, const Value& key) {
    charge(d.items.size());
    for (const auto& [k, v] : d.items)
      if (equal(k, key)) return &v;
    return nullptr;
  }
  const Value* find_key(const Dict& d, std::string_view key) {
    charge(d.items.size());
    for (const auto& [k, v] : d.items)
      if (const Text* t = k.as_text(); t && t->bytes() == key) return &v;
    return nullptr;
  }

  Value attribute(const Value& of, const std::string& name) {
    if (const auto* u = of.get<Undefined>()) fail_undefined(*u);
    const Value* v = nullptr;
    if (const auto* n = of.get<std::shared_ptr<Namespace>>()) {
      charge((*n)->members.size() * kExpression);
      for (const auto& [key, value] : (*n)->members)
        if (key == name) v = &value;
      if (v) return *v;
      if (name.starts_with("_")) fail("`" + shown(name) + "` is not supported");
      return undefined("`" + shown(name) + "` of the namespace");
    }
    if (const auto* l = of.get<std::shared_ptr<Loop>>()) return loop_attribute(**l, name);
    if (has_method(of, name)) {
      if (const Dict* d = of.as_dict(); d && name.starts_with("__")) v = find_key(*d, name);
      if (v) return *v;
      fail("the method `" + shown(name) + "` of " + kind_of(of) + " without a call is not supported");
    }
    if (const Dict* d = of.as_dict()) v = find_key(*d, name);
    if (v) return *v;
    if (of.get<MacroValue>() || of.get<Builtin>()) fail("`" + shown(name) + "` of a function is not supported");
    return undefined("`" + shown(name) + "` of " + kind_of(of));
  }
  Value loop_attribute(const Loop& l, const std::string& name) {
    if (l.over) fail("`loop." + shown(name) + "` behind the loop's end");
    const auto n = static_cast<int64_t>(l.items.size()), at = static_cast<int64_t>(l.at);
    if (name == "index") return {at + 1};
    if (name == "index0") return {at};
    if (name == "revindex") return {n - at};
    if (name == "revindex0") return {n - at - 1};
    if (name == "first") return {at == 0};
    if (name == "last") return {at + 1 == n};
    if (name == "length") return {n};
    // Without recursion, loops within loops do not count.
    if (name == "depth") return {int64_t{1}};
    if (name == "depth0") return {int64_t{0}};
    if (name == "previtem") return at > 0 ? l.items[l.at - 1] : undefined("`loop.previtem` of the first");
    if (name == "nextitem") return at + 1 < n ? l.items[l.at + 1] : undefined("`loop.nextitem` of the last");
    fail("`loop." + shown(name) + "` is not supported");
  }
  Value item(const Value& of, const Value& key) {
    if (const auto* u = of.get<Undefined>()) fail_undefined(*u);
    int64_t room;
    const int64_t* index = as_int(key, &room);
    if (const Text* t = of.as_text(); t && index) {
      charge(t->size());
      const std::string_view s = t->bytes();
      int64_t k = *index;
      if (k < 0) k += static_cast<int64_t>(count_chars(s));
      size_t i = 0;
      for (int64_t n = 0; k >= 0 && i < s.size(); ++n, i = next_char(s, i))
        if (n == k) return {t->part(i, next_char(s, i))};
      return undefined("character " + std::to_string(*index) + " of a text");
    }
    if (const List* l = of.as_list(); l && is_sequence(*l) && index) {
      const int64_t n = static_cast<int64_t>(l->items.size()), k = *index < 0 ? *index + n : *index;
      if (k >= 0 && k < n) return l->items[static_cast<size_t>(k)];
      return undefined("item " + std::to_string(*index) + " of a list");
    }
    if (const Dict* d = of.as_dict()) {
      if (const Value* v = find_in(*d, key)) return *v;
    }
    if (const Text* name = key.as_text()) {
      if (of.as_dict()) {  // that there is no such member is known
        if (has_method(of, name->bytes())) fail("the method `" + shown(name->bytes()) + "` of a dictionary without a call is not supported");
        return undefined("`" + shown(name->bytes()) + "` of a dictionary");
      }
      return attribute(of, name->bytes());
    }
    return undefined("an item of " + kind_of(of));
  }

  Value arithmetic(Op op, const Value& a, const Value& b) {
    int64_t x, y;
    const int64_t *i = as_int(a, &x), *k = as_int(b, &y);
    if (i && k) return integers(op, *i, *k);
    if (is_number(a) && is_number(b)) return {floats(op, as_float(a), as_float(b))};
    const Text *t = a.as_text(), *u = b.as_text();
    if (op == Op::Add && t && u) {
      charge(t->size() + u->size());
      Text out = *t;
      out.append(*u);
      return made(std::move(out));
    }
    const List *l = a.as_list(), *m = b.as_list();
    if (op == Op::Add && l && m && l->kind == m->kind && (l->kind == Kind::List || l->kind == Kind::Tuple)) {
      charge((l->items.size() + m->items.size()) * kItem);
      std::vector<Value> items = l->items;
      items.insert(items.end(), m->items.begin(), m->items.end());
      return list_of(std::move(items), l->kind);
    }
    if (op == Op::Mul && ((i && (u || m)) || (k && (t || l)))) {
      const Value& what = i ? b : a;
      const auto times = static_cast<uint64_t>(std::max<int64_t>(0, i ? *i : *k));
      if (const Text* s = what.as_text()) {
        const uint64_t one = s->size() + s->runs().size() * sizeof(Run);
        if (one > 0 && times > left_ / one) fail("the template takes too long");
        Text out;
        for (uint64_t n = 0; n < (s->empty() ? 0 : times); ++n) out.append(*s);
        return made(std::move(out));
      }
      const List& s = *what.as_list();
      if (s.kind == Kind::List || s.kind == Kind::Tuple) {
        if (!s.items.empty() && times > left_ / (s.items.size() * kItem)) fail("the template takes too long");
        std::vector<Value> items;
        for (uint64_t n = 0; n < (s.items.empty() ? 0 : times); ++n) items.insert(items.end(), s.items.begin(), s.items.end());
        return made_list(std::move(items), s.kind);
      }
    }
    if (op == Op::Mod && t) fail("formatting with `%` is not supported");
    for (const Value* v : {&a, &b})
      if (const auto* und = v->get<Undefined>()) fail_undefined(*und);
    static const std::map<Op, const char*> signs = {{Op::Add, "+"}, {Op::Sub, "-"}, {Op::Mul, "*"}, {Op::Div, "/"}, {Op::FloorDiv, "//"}, {Op::Mod, "%"}, {Op::Pow, "**"}};
    fail("`" + std::string(signs.at(op)) + "` is not for " + kind_of(a) + " and " + kind_of(b));
  }
  Value integers(Op op, int64_t a, int64_t b) {
    int64_t out = 0;
    bool large = false;
    switch (op) {
      case Op::Add: large = __builtin_add_overflow(a, b, &out); break;
      case Op::Sub: large = __builtin_sub_overflow(a, b, &out); break;
      case Op::Mul: large = __builtin_mul_overflow(a, b, &out); break;
      case Op::Div:
        if (b == 0) fail("a division by zero");
        if (std::abs(static_cast<double>(a)) > 9e15 || std::abs(static_cast<double>(b)) > 9e15) fail("a division of numbers beyond 53 bits is not supported");
        return {static_cast<double>(a) / static_cast<double>(b)};
      case Op::FloorDiv:
      case Op::Mod:
        if (b == 0) fail("a division by zero");
        if (a == INT64_MIN && b == -1) fail("a number beyond 64 bits");
        out = op == Op::Mod ? a % b : a / b;
        if (a % b != 0 && (a % b < 0) != (b < 0)) out += op == Op::Mod ? b : -1;
        break;
      default: {
        if (b < 0) return {floats(op, static_cast<double>(a), static_cast<double>(b))};
        out = 1;
        for (int64_t base = a, power = b; power > 0;) {
          if (power & 1) large = large || __builtin_mul_overflow(out, base, &out);
          power >>= 1;
          if (power > 0) large = large || __builtin_mul_overflow(base, base, &base);
        }
      }
    }
    if (large) fail("a number beyond 64 bits");
    return {out};
  }
  double floats(Op op, double a, double b) {
    switch (op) {
      case Op::Add: return a + b;
      case Op::Sub: return a - b;
      case Op::Mul: return a * b;
      case Op::Div:
        if (b == 0) fail("a division by zero");
        return a / b;
      case Op::FloorDiv:
      case Op::Mod: {
        if (b == 0) fail("a division by zero");
        double mod = std::fmod(a, b), div = (a - mod) / b;
        if (mod != 0) {
          if ((b < 0) != (mod < 0)) mod += b, div -= 1;
        } else {
          mod = std::copysign(0.0, b);
        }
        if (op == Op::Mod) return mod;
        if (div == 0) return std::copysign(0.0, a / b);
        double floor = std::floor(div);
        if (div - floor > 0.5) floor += 1;
        return floor;
      }
      default: {
        if (a == 0 && b < 0) fail("a division by zero");
        const double out = std::pow(a, b);
        if (std::isnan(out) && !std::isnan(a) && !std::isnan(b)) fail("a power that is no real number");
        if (std::isinf(out) && !std::isinf(a) && !std::isinf(b)) fail("a number that is too large");
        return out;
      }
    }
  }

  // Calls

  /// Arguments by the names of parameters; null where there is none.
  template <size_t N>
  std::array<const Value*, N> bind(std::string_view what, const Args& args, const char* const (&names)[N], size_t needed = 0) const {
    std::array<const Value*, N> out{};
    if (args.plain.size() > N) fail("`" + shown(what) + "`: too many arguments");
    for (size_t i = 0; i < args.plain.size(); ++i) out[i] = &args.plain[i];
    for (const auto& [name, value] : args.named) {
      const auto at = std::find_if(std::begin(names), std::end(names), [&](const char* n) { return name == n; });
      if (at == std::end(names)) fail("`" + shown(what) + "`: the argument `" + shown(name) + "` is not supported");
      if (std::exchange(out[static_cast<size_t>(at - names)], &value)) fail("`" + shown(what) + "`: `" + shown(name) + "` is given twice");
    }
    for (size_t i = 0; i < needed; ++i)
      if (!out[i]) fail("`" + shown(what) + "`: no `" + names[i] + "`");
    return out;
  }
  void no_arguments(std::string_view what, const Args& args) const {
    if (!args.plain.empty() || !args.named.empty()) fail("`" + shown(what) + "`: arguments are not supported");
  }
  int64_t int_argument(std::string_view what, const Value* v, int64_t otherwise) const {
    if (!v) return otherwise;
    int64_t room;
    if (const int64_t* i = as_int(*v, &room)) return *i;
    fail_kind("`" + shown(what) + "`", *v);
  }
  const Text& text_argument(std::string_view what, const Value& v) const {
    if (const Text* t = v.as_text()) return *t;
    fail_kind("`" + shown(what) + "`", v);
  }
  /// None and what is missing: null.
  const Text* optional_text(std::string_view what, const Value* v) const { return !v || v->none() ? nullptr : &text_argument(what, *v); }

  Value call(const Value& f, const Args& args, const std::string& name) {
    if (const auto* m = f.get<MacroValue>()) return call_macro(*m, args);
    const Builtin* const b = f.get<Builtin>();
    if (!b) fail_kind("a call" + (name.empty() ? "" : " of `" + shown(name) + "`"), f);
    switch (*b) {
      case Builtin::Range: {
        int64_t n[3] = {0, 0, 1};
        if (args.plain.empty() || args.plain.size() > 3 || !args.named.empty()) fail("`range` wants one to three numbers");
        for (size_t i = 0; i < args.plain.size(); ++i) n[i] = int_argument("range", &args.plain[i], 0);
        if (args.plain.size() == 1) n[1] = std::exchange(n[0], 0);
        if (n[2] == 0) fail("`range` with a step of zero");
        std::vector<Value> items;
        for (int64_t i = n[0]; n[2] > 0 ? i < n[1] : i > n[1];) {
          if (static_cast<int64_t>(items.size()) >= kLongestRange) fail("`range` of more than " + std::to_string(kLongestRange) + " numbers");
          items.emplace_back(i);
          if (__builtin_add_overflow(i, n[2], &i)) break;
        }
        return made_list(std::move(items), Kind::Range);
      }
      case Builtin::Dict:
      case Builtin::Namespace: {
        std::vector<std::pair<Value, Value>> items;
        if (args.plain.size() > 1) fail("too many arguments");
        if (!args.plain.empty()) {
          const Dict* from = args.plain[0].as_dict();
          if (!from) fail("only a dictionary is supported as an argument without a name");
          items = from->items;
        }
        for (const auto& [key, value] : args.named) insert(items, Value::text(key), value);
        if (*b == Builtin::Dict) return dict_of(std::move(items));
        auto space = std::make_shared<Namespace>();
        charge(256 + items.size() * kItem * 4);
        for (auto& [key, value] : items) space->members.emplace_back(text_argument("namespace", key).bytes(), std::move(value));
        spaces_.push_back(space);
        return {std::move(space)};
      }
      case Builtin::RaiseException: {
        const auto [message] = bind("raise_exception", args, {"message"}, 1);
        fail("the template refuses this conversation: " + shown(to_text(*message).bytes()));
      }
      case Builtin::StrftimeNow: {
        const auto [format] = bind("strftime_now", args, {"format"}, 1);
        const std::string f = text_argument("strftime_now", *format).bytes();
        if (f.empty()) return Value::text("");
        char buffer[512];
        const size_t n = f.size() > 200 ? 0 : std::strftime(buffer, sizeof buffer, f.c_str(), &now_);
        if (n == 0) fail("`strftime_now`: this format is not supported");
        return Value::text(std::string(buffer, n));
      }
      case Builtin::Unsupported: break;
    }
    fail("`" + shown(name) + "` is not supported");
  }
  Value call_macro(const MacroValue& m, const Args& args) {
    const Deeper deeper(*this);
    const Macro& macro = *m.macro;
    const size_t n = macro.names.size();
    if (args.plain.size() > n) fail("the macro `" + shown(macro.name) + "` takes at most " + std::to_string(n) + " arguments");
    Scope scope(*this, m.frame);
    std::vector<const Value*> given(n, nullptr);
    for (size_t i = 0; i < args.plain.size(); ++i) given[i] = &args.plain[i];
    for (const auto& [name, value] : args.named) {
      const auto at = std::find(macro.names.begin(), macro.names.end(), name);
      if (at == macro.names.end()) fail("the macro `" + shown(macro.name) + "` takes no argument `" + shown(name) + "`");
      if (std::exchange(given[static_cast<size_t>(at - macro.names.begin())], &value)) fail("`" + shown(name) + "` is given twice");
    }
    const size_t first_default = n - macro.defaults.size();
    for (size_t i = 0; i < n; ++i)
      assign(scope.frame(), macro.symbols[i], given[i] ? *given[i] : i >= first_default ? eval(*macro.defaults[i - first_default]) : undefined("the argument `" + shown(macro.names[i]) + "`"));
    Capture capture(*this);
    exec(*macro.body);
    return {std::move(capture.text)};
  }

  Value method(const Value& self, const std::string& name, const Args& args) {
    if (const Text* t = self.as_text()) return text_method(*t, name, args);
    if (const Dict* d = self.as_dict()) {
      if (name == "get") {
        const auto [key, otherwise] = bind(name, args, {"key", "default"}, 1);
        if (const Value* v = find_in(*d, *key)) return *v;
        return otherwise ? *otherwise : Value{None{}};
      }
      if (name == "items" || name == "keys" || name == "values") {
        no_arguments(name, args);
        std::vector<Value> items;
        for (const auto& [key, value] : d->items) items.push_back(name == "keys" ? key : name == "values" ? value : made_list({key, value}, Kind::Tuple));
        return made_list(std::move(items), name == "keys" ? Kind::Keys : name == "values" ? Kind::Values : Kind::Items);
      }
      if (name == "copy") return no_arguments(name, args), self;
    } else if (const List* l = self.as_list(); l && is_sequence(*l)) {
      if (name == "index" || name == "count") {
        const auto [what] = bind(name, args, {"value"}, 1);
        int64_t count = 0;
        for (size_t i = 0; i < l->items.size(); ++i) {
          if (!equal(l->items[i], *what)) continue;
          if (name == "index") return {static_cast<int64_t>(i)};
          ++count;
        }
        if (name == "index") fail("`index`: it is not in the list");
        return {count};
      }
      if (name == "copy") return no_arguments(name, args), self;
    }
    fail("the method `" + shown(name) + "` of " + kind_of(self) + " is not supported");
  }

  /// From character `from` to `to` as Python counts, in bytes; false when nothing is there, not even an empty text.
  bool stretch(const Text& t, const Value* from, const Value* to, size_t* begin, size_t* end) {
    *begin = 0;
    *end = t.size();
    if ((!from || from->none()) && (!to || to->none())) return true;
    charge(t.size());
    const auto n = static_cast<int64_t>(count_chars(t.bytes()));
    const auto place = [&](const Value* v, int64_t otherwise) {
      if (!v || v->none()) return otherwise;
      const int64_t i = int_argument("a place", v, 0);
      return i < 0 ? std::max<int64_t>(0, i + n) : i;
    };
    const int64_t a = place(from, 0), b = std::min(n, place(to, n));
    if (a > b) return false;
    size_t i = 0;
    for (int64_t k = 0; k <= b; ++k) {
      if (k == a) *begin = i;
      if (k == b) *end = i;
      else i = next_char(t.bytes(), i);
    }
    return true;
  }
  Value text_method(const Text& t, const std::string& name, const Args& args) {
    const std::string& s = t.bytes();
    charge(s.size() * 2);
    if (name == "strip" || name == "lstrip" || name == "rstrip") {
      const auto [chars] = bind(name, args, {"chars"});
      const Text* c = optional_text(name, chars);
      if (c) charge(s.size() / 8 * c->size());
      return made(strip(t, c ? &c->bytes() : nullptr, name != "rstrip", name != "lstrip"));
    }
    if (name == "split" || name == "rsplit") {
      const auto [separator, most] = bind(name, args, {"sep", "maxsplit"});
      const Text* sep = optional_text(name, separator);
      if (sep && sep->empty()) fail("`" + name + "`: an empty separator");
      std::vector<Value> out;
      for (Text& part : split(t, sep ? &sep->bytes() : nullptr, int_argument(name, most, -1), name == "rsplit")) {
        charge(sizeof(Text));
        out.push_back(made(std::move(part)));
      }
      return made_list(std::move(out));
    }
    if (name == "splitlines") {
      no_arguments(name, args);
      std::vector<Value> out;
      for (Text& line : split_lines(t)) {
        charge(sizeof(Text));
        out.push_back(made(std::move(line)));
      }
      return made_list(std::move(out));
    }
    if (name == "startswith" || name == "endswith") {
      const auto [what, from, to] = bind(name, args, {"prefix", "start", "end"}, 1);
      size_t begin, end;
      const bool there = stretch(t, from, to, &begin, &end);
      const std::string_view part = there ? std::string_view(s).substr(begin, end - begin) : std::string_view();
      const auto fits = [&](const Value& v) {
        const std::string& w = text_argument(name, v).bytes();
        return there && (name == "startswith" ? part.starts_with(w) : part.ends_with(w));
      };
      const List* several = what->as_list();
      if (!several || several->kind != Kind::Tuple) return {fits(*what)};
      bool any = false;
      for (const Value& v : several->items) any = fits(v) || any;
      return {any};
    }
    if (name == "upper" || name == "lower" || name == "capitalize" || name == "title") charge(s.size() * 14);
    if (name == "upper") return no_arguments(name, args), made(model::jinja::upper(t));
    if (name == "lower") return no_arguments(name, args), made(model::jinja::lower(t));
    if (name == "capitalize") return no_arguments(name, args), made(capitalized(t));
    if (name == "title") return no_arguments(name, args), made(titled(t));
    if (name == "replace") {
      const auto [from, to, count] = bind(name, args, {"old", "new", "count"}, 2);
      return replace(t, text_argument(name, *from), text_argument(name, *to), int_argument(name, count, -1));
    }
    if (name == "find" || name == "rfind" || name == "index" || name == "rindex" || name == "count") {
      const auto [what, from, to] = bind(name, args, {"sub", "start", "end"}, 1);
      const std::string& w = text_argument(name, *what).bytes();
      size_t begin, end;
      const bool there = stretch(t, from, to, &begin, &end);
      const std::string_view part = there ? std::string_view(s).substr(begin, end - begin) : std::string_view();
      if (name == "count") {
        int64_t n = 0;
        if (there && w.empty()) n = static_cast<int64_t>(count_chars(part)) + 1;
        else if (there)
          for (size_t p = 0; (p = find_text(part, w, p)) != npos; p += w.size()) ++n;
        return {n};
      }
      const size_t p = !there ? npos : name[0] == 'r' ? rfind_text(part, w) : find_text(part, w);
      if (p == npos && name.ends_with("index")) fail("`" + name + "`: it is not in the text");
      return {p == npos ? int64_t{-1} : static_cast<int64_t>(count_chars(std::string_view(s).substr(0, begin + p)))};
    }
    if (name == "partition" || name == "rpartition") {
      const auto [separator] = bind(name, args, {"sep"}, 1);
      const std::string& w = text_argument(name, *separator).bytes();
      if (w.empty()) fail("`" + name + "`: an empty separator");
      const size_t p = name[0] == 'r' ? rfind_text(s, w) : find_text(s, w);
      if (p == npos) return name[0] == 'r' ? made_list({Value(Text()), Value(Text()), made(t)}, Kind::Tuple) : made_list({made(t), Value(Text()), Value(Text())}, Kind::Tuple);
      return made_list({made(t.part(0, p)), *separator, made(t.part(p + w.size(), s.size()))}, Kind::Tuple);
    }
    if (name == "removeprefix" || name == "removesuffix") {
      const auto [what] = bind(name, args, {"affix"}, 1);
      const std::string& w = text_argument(name, *what).bytes();
      if (name == "removeprefix") return made(t.part(s.starts_with(w) ? w.size() : 0, s.size()));
      return made(t.part(0, s.ends_with(w) ? s.size() - w.size() : s.size()));
    }
    if (name == "join") {
      const auto [items] = bind(name, args, {"iterable"}, 1);
      Text out;
      bool first = true;
      for (const Value& v : iterate(*items)) {
        const Text& part = text_argument("join", v);
        charge(part.size() + t.size());
        if (!std::exchange(first, false)) out.append(t);
        out.append(part);
      }
      return made(std::move(out));
    }
    static const std::map<std::string_view, Chars> kinds = {{"isdigit", Chars::Digit}, {"isdecimal", Chars::Decimal}, {"isalpha", Chars::Alpha},
                                                            {"isalnum", Chars::Alnum}, {"isspace", Chars::Space},     {"isupper", Chars::Upper}, {"islower", Chars::Lower}};
    if (const auto kind = kinds.find(name); kind != kinds.end()) return no_arguments(name, args), Value{all_chars(s, kind->second)};
    fail("the method `" + shown(name) + "` of a text is not supported");
  }
  Value replace(const Text& t, const Text& from, const Text& to, int64_t most) {
    charge(t.size());
    const uint64_t runs = to.size() + to.runs().size() * sizeof(Run);
    if (runs > 0) {  // how long it gets
      uint64_t n = 0;
      if (from.empty()) n = count_chars(t.bytes()) + 1;
      else
        for (size_t p = 0; (p = find_text(t.bytes(), from.bytes(), p)) != npos; p += from.size()) ++n;
      if (most >= 0) n = std::min(n, static_cast<uint64_t>(most));
      if (n > left_ / runs) fail("the template takes too long");
    }
    return made(replaced(t, from.bytes(), to, most));
  }

  // Filters

  using Filter = Value (Renderer::*)(const Value&, const Args&, const std::string&);
  using Test = bool (Renderer::*)(const Value&, const Args&, const std::string&);

 public:
  static const std::map<std::string_view, Filter>& filters() {
    using R = Renderer;
    static const std::map<std::string_view, Filter> all = {
        {"trim", &R::f_trim}, {"upper", &R::f_case}, {"lower", &R::f_case}, {"capitalize", &R::f_case}, {"title", &R::f_case}, {"length", &R::f_length},
        {"count", &R::f_length}, {"first", &R::f_first}, {"last", &R::f_last}, {"join", &R::f_join}, {"default", &R::f_default}, {"d", &R::f_default},
        {"replace", &R::f_replace}, {"list", &R::f_list}, {"items", &R::f_items}, {"string", &R::f_string}, {"int", &R::f_int}, {"float", &R::f_float},
        {"abs", &R::f_abs}, {"round", &R::f_round}, {"tojson", &R::f_tojson}, {"reverse", &R::f_reverse}, {"sort", &R::f_sort}, {"unique", &R::f_unique},
        {"map", &R::f_map}, {"select", &R::f_select}, {"reject", &R::f_select}, {"selectattr", &R::f_select}, {"rejectattr", &R::f_select},
        {"min", &R::f_least}, {"max", &R::f_least}, {"sum", &R::f_sum}, {"dictsort", &R::f_dictsort}, {"indent", &R::f_indent}, {"attr", &R::f_attr}};
    return all;
  }
  static const std::map<std::string_view, Test>& tests() {
    using R = Renderer;
    static const std::map<std::string_view, Test> all = {
        {"defined", &R::t_kind}, {"undefined", &R::t_kind}, {"none", &R::t_kind}, {"boolean", &R::t_kind}, {"true", &R::t_kind}, {"false", &R::t_kind},
        {"integer", &R::t_kind}, {"float", &R::t_kind}, {"number", &R::t_kind}, {"string", &R::t_kind}, {"mapping", &R::t_kind}, {"sequence", &R::t_kind},
        {"iterable", &R::t_kind}, {"callable", &R::t_kind}, {"lower", &R::t_case}, {"upper", &R::t_case}, {"odd", &R::t_number}, {"even", &R::t_number},
        {"divisibleby", &R::t_number}, {"in", &R::t_compare}, {"eq", &R::t_compare}, {"equalto", &R::t_compare}, {"ne", &R::t_compare}, {"lt", &R::t_compare},
        {"lessthan", &R::t_compare}, {"le", &R::t_compare}, {"gt", &R::t_compare}, {"greaterthan", &R::t_compare}, {"ge", &R::t_compare}, {"sameas", &R::t_same}};
    return all;
  }

 private:
  bool hashable(const Value& v) {
    const List* l = v.as_list();
    if (!l || l->kind != Kind::Tuple) return !l && !v.as_dict();
    charge(l->items.size());
    return std::all_of(l->items.begin(), l->items.end(), [&](const Value& i) { return hashable(i); });
  }

  Value apply_filter(const std::string& name, const Value& self, const Args& args, uint32_t line) {
    line_ = line;
    const auto at = filters().find(name);
    if (at == filters().end()) fail("the filter `" + shown(name) + "` is not " + (known_filter(name) == Known::No ? "known" : "supported" + std::string(name == "safe" ? " but at the end of what is printed" : "")));
    return (this->*at->second)(self, args, name);
  }
  bool apply_test(const std::string& name, const Value& self, const Args& args, uint32_t line) {
    line_ = line;
    const auto at = tests().find(name);
    if (at == tests().end()) fail("the test `" + shown(name) + "` is not " + (known_test(name) == Known::No ? "known" : "supported"));
    return (this->*at->second)(self, args, name);
  }

  Value f_trim(const Value& v, const Args& args, const std::string& name) {
    const auto [chars] = bind(name, args, {"chars"});
    const Text t = to_text(v);
    const Text* c = optional_text(name, chars);
    if (c) charge(t.size() / 8 * c->size());
    return made(strip(t, c ? &c->bytes() : nullptr, true, true));
  }
  Value f_case(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    const Text t = to_text(v);
    charge(t.size() * 16);
    return made(name == "upper" ? model::jinja::upper(t) : name == "lower" ? model::jinja::lower(t) : name == "title" ? words_titled(t) : capitalized(t));
  }
  Value f_length(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    size_t n = 0;
    if (const Text* t = v.as_text()) charge(t->size()), n = count_chars(t->bytes());
    else if (const List* l = v.as_list(); l && !gives_items_once(*l)) n = l->items.size();
    else if (const Dict* d = v.as_dict()) n = d->items.size();
    else if (!v.undefined()) fail_kind("`" + name + "`", v);
    return {static_cast<int64_t>(n)};
  }
  Value f_first(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    std::vector<Value> items = iterate(v);
    return items.empty() ? undefined("the first of nothing") : items.front();
  }
  Value f_last(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    if (const List* l = v.as_list(); l && gives_items_once(*l)) fail("`last` of what a filter gives; `list` makes a list of it");
    std::vector<Value> items = iterate(v);
    return items.empty() ? undefined("the last of nothing") : items.back();
  }
  Value f_join(const Value& v, const Args& args, const std::string& name) {
    const auto [between, attribute] = bind(name, args, {"d", "attribute"});
    const Text gap = between ? to_text(*between) : Text();
    Text out;
    bool first = true;
    for (const Value& i : iterate(v)) {
      const Text part = to_text(attribute && !attribute->none() ? by_path(i, *attribute) : i);
      charge(gap.size() + part.size());
      if (!std::exchange(first, false)) out.append(gap);
      out.append(part);
    }
    return made(std::move(out));
  }
  Value f_default(const Value& v, const Args& args, const std::string& name) {
    const auto [otherwise, boolean] = bind(name, args, {"default_value", "boolean"});
    if (v.undefined() || (boolean && truth(*boolean) && !truth(v))) return otherwise ? *otherwise : Value::text("");
    return v;
  }
  Value f_replace(const Value& v, const Args& args, const std::string& name) {
    const auto [from, to, count] = bind(name, args, {"old", "new", "count"}, 2);
    return replace(to_text(v), to_text(*from), to_text(*to), count && count->none() ? -1 : int_argument(name, count, -1));
  }
  Value f_list(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    return made_list(iterate(v));
  }
  Value f_items(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    std::vector<Value> items;
    if (const Dict* d = v.as_dict())
      for (const auto& [key, value] : d->items) items.push_back(made_list({key, value}, Kind::Tuple));
    else if (!v.undefined()) fail_kind("`items`", v);
    return made_list(std::move(items), Kind::Generator);
  }
  Value f_string(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    return made(to_text(v));
  }
  Value f_int(const Value& v, const Args& args, const std::string& name) {
    const auto [otherwise, base] = bind(name, args, {"default", "base"});
    const auto of_float = [&](double d) -> Value {
      if (!std::isfinite(d)) return otherwise ? *otherwise : Value{int64_t{0}};
      if (std::abs(d) >= 9.2e18) fail("a number beyond 64 bits");
      return {static_cast<int64_t>(d)};
    };
    int64_t room;
    if (const int64_t* i = as_int(v, &room)) return {*i};
    if (const double* d = v.get<double>()) return of_float(*d);
    if (const auto* u = v.get<Undefined>()) fail_undefined(*u);
    if (const Text* t = v.as_text()) {
      charge(t->size() * 4);
      const int64_t b = int_argument(name, base, 10);
      if (b != 0 && (b < 2 || b > 36)) return otherwise ? *otherwise : Value{int64_t{0}};
      int64_t out;
      double real;
      if (parse_int(t->bytes(), static_cast<int>(b), &out)) return {out};
      if (parse_float(t->bytes(), &real)) return of_float(real);
    }
    return otherwise ? *otherwise : Value{int64_t{0}};
  }
  Value f_float(const Value& v, const Args& args, const std::string& name) {
    const auto [otherwise] = bind(name, args, {"default"});
    if (is_number(v)) return {as_float(v)};
    if (const auto* u = v.get<Undefined>()) fail_undefined(*u);
    double out;
    if (const Text* t = v.as_text(); t && (charge(t->size() * 4), parse_float(t->bytes(), &out))) return {out};
    return otherwise ? *otherwise : Value{0.0};
  }
  Value f_abs(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    int64_t room;
    if (const int64_t* i = as_int(v, &room)) {
      if (*i == INT64_MIN) fail("a number beyond 64 bits");
      return {*i < 0 ? -*i : *i};
    }
    if (const double* d = v.get<double>()) return {std::abs(*d)};
    fail_kind("`abs`", v);
  }
  Value f_round(const Value& v, const Args& args, const std::string& name) {
    const auto [digits, way] = bind(name, args, {"precision", "method"});
    const int64_t n = int_argument(name, digits, 0);
    const std::string method = way ? text_argument(name, *way).bytes() : "common";
    if (n < 0 || n > 300 || (method != "common" && method != "ceil" && method != "floor")) fail("`round`: these arguments are not supported");
    if (!is_number(v)) fail_kind("`round`", v);
    int64_t room;
    if (method == "common") {
      if (const int64_t* i = as_int(v, &room)) return {*i};
      const double d = *v.get<double>();
      if (!std::isfinite(d)) return {d};
      std::string s(400 + static_cast<size_t>(n), '\0');
      s.resize(static_cast<size_t>(std::snprintf(s.data(), s.size(), "%.*f", static_cast<int>(n), d)));
      return {std::strtod(s.c_str(), nullptr)};
    }
    const double scale = std::pow(10.0, static_cast<double>(n)), scaled = as_float(v) * scale;
    if (!std::isfinite(scaled)) fail("`round` of a number that is too large");
    return {((method == "ceil" ? std::ceil(scaled) : std::floor(scaled)) + 0.0) / scale};  // Python's are ints, without a -0
  }
  Value f_tojson(const Value& v, const Args& args, const std::string& name) {
    const auto [ascii, indent, separators, sorted] = bind(name, args, {"ensure_ascii", "indent", "separators", "sort_keys"});
    Json j;
    j.ascii = ascii && truth(*ascii);
    j.sorted = sorted && truth(*sorted);
    if (indent && !indent->none()) {
      if (const Text* t = indent->as_text()) j.indent = t->bytes();
      else j.indent = std::string(static_cast<size_t>(std::clamp<int64_t>(int_argument(name, indent, 0), 0, 1000)), ' ');
      j.lines = true;
      j.comma = ",";
    }
    if (separators && !separators->none()) {
      const List* l = separators->as_list();
      if (!l || l->items.size() != 2) fail("`tojson`: `separators` wants two texts");
      j.comma = text_argument(name, l->items[0]).bytes();
      j.colon = text_argument(name, l->items[1]).bytes();
    }
    Text out;
    write_json(out, v, j, 0);
    return made(std::move(out));
  }
  struct Json {
    bool ascii = false, sorted = false, lines = false;
    std::string indent, comma = ", ", colon = ": ";
  };
  void write_json(Text& out, const Value& v, const Json& j, size_t level) {
    const Deeper deeper(*this);
    charge(kExpression + j.comma.size() + j.colon.size() + (j.lines ? j.indent.size() * level : 0));
    const auto line = [&](size_t at) {
      if (!j.lines) return;
      out.append("\n");
      for (size_t i = 0; i < at; ++i) out.append(j.indent);
    };
    const auto number = [](double d) { return std::isnan(d) ? "NaN" : std::isinf(d) ? d < 0 ? "-Infinity" : "Infinity" : repr(d); };
    if (v.none()) out.append("null");
    else if (const bool* b = v.get<bool>()) out.append(*b ? "true" : "false");
    else if (const int64_t* i = v.get<int64_t>()) out.append(std::to_string(*i));
    else if (const double* d = v.get<double>()) out.append(number(*d));
    else if (const Text* t = v.as_text()) {
      charge(t->size() * 4);
      append_json(out, *t, j.ascii);
    } else if (const List* l = v.as_list(); l && (l->kind == Kind::List || l->kind == Kind::Tuple)) {
      out.append("[");
      for (size_t i = 0; i < l->items.size(); ++i) {
        if (i) out.append(j.comma);
        line(level + 1);
        write_json(out, l->items[i], j, level + 1);
      }
      if (!l->items.empty()) line(level);
      out.append("]");
    } else if (const Dict* d = v.as_dict()) {
      std::vector<const std::pair<Value, Value>*> items;
      for (const auto& i : d->items) items.push_back(&i);
      charge(items.size() * kItem);
      if (j.sorted) sort(items, [&](const auto* a, const auto* b) { return less(a->first, b->first); });
      out.append("{");
      for (size_t i = 0; i < items.size(); ++i) {
        if (i) out.append(j.comma);
        line(level + 1);
        const Value& key = items[i]->first;
        if (const Text* t = key.as_text()) append_json(out, *t, j.ascii);
        else {
          Text plain;
          write_json(plain, key, j, level);
          out.append("\"");
          out.append(plain);
          out.append("\"");
        }
        out.append(j.colon);
        write_json(out, items[i]->second, j, level + 1);
      }
      if (!items.empty()) line(level);
      out.append("}");
    } else {
      fail_kind("`tojson`", v);
    }
  }
  Value f_reverse(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    if (const Text* t = v.as_text()) {
      charge(t->size() * 16);
      Text out;
      for (size_t end = t->size(); end > 0;) {
        const size_t begin = previous_char(t->bytes(), end);
        out.append(*t, begin, end);
        end = begin;
      }
      return made(std::move(out));
    }
    std::vector<Value> items = iterate(v);
    std::reverse(items.begin(), items.end());
    return made_list(std::move(items), Kind::Generator);
  }
  /// What is compared in its place: small letters for texts, unless the case counts.
  Value sort_key(const Value& v, bool with_case) {
    const Text* t = with_case ? nullptr : v.as_text();
    if (!t) return v;
    charge(t->size() * 16);
    return made(model::jinja::lower(*t));
  }
  void sort_by_key(std::vector<std::pair<Value, Value>>& keyed, bool reverse) {
    // Python keeps the order of equals when it sorts backwards, too.
    charge(keyed.size() * kItem);
    sort(keyed, [&](const auto& a, const auto& b) { return reverse ? less(b.first, a.first) : less(a.first, b.first); });
  }
  /// Stable; and whatever the order says, NaN being neither less nor equal, it only moves elements.
  template <class T, class Less>
  static void sort(std::vector<T>& v, Less&& less) {
    std::vector<T> merged(v.size());
    for (size_t width = 1; width < v.size(); width *= 2) {
      for (size_t begin = 0; begin < v.size(); begin += 2 * width) {
        const size_t middle = std::min(begin + width, v.size()), end = std::min(middle + width, v.size());
        for (size_t i = begin, k = middle, to = begin; to < end; ++to) merged[to] = std::move(k < end && (i == middle || less(v[k], v[i])) ? v[k++] : v[i++]);
      }
      v.swap(merged);
    }
  }
  Value f_sort(const Value& v, const Args& args, const std::string& name) {
    const auto [reverse, with_case, attribute] = bind(name, args, {"reverse", "case_sensitive", "attribute"});
    if (attribute && attribute->as_text() && attribute->as_text()->bytes().find(',') != npos) fail("`sort` by several attributes is not supported");
    std::vector<std::pair<Value, Value>> keyed;
    for (Value& i : iterate(v)) {
      const Value by = attribute && !attribute->none() ? by_path(i, *attribute) : i;
      keyed.emplace_back(sort_key(by, with_case && truth(*with_case)), std::move(i));
    }
    sort_by_key(keyed, reverse && truth(*reverse));
    std::vector<Value> out;
    for (auto& [key, i] : keyed) out.push_back(std::move(i));
    return made_list(std::move(out));
  }
  Value f_unique(const Value& v, const Args& args, const std::string& name) {
    const auto [with_case, attribute] = bind(name, args, {"case_sensitive", "attribute"});
    std::vector<Value> seen, out;
    for (Value& i : iterate(v)) {
      Value key = sort_key(attribute && !attribute->none() ? by_path(i, *attribute) : i, with_case && truth(*with_case));
      if (!hashable(key)) fail_kind("`unique`", key);
      if (std::any_of(seen.begin(), seen.end(), [&](const Value& s) { return equal(s, key); })) continue;
      seen.push_back(std::move(key));
      out.push_back(std::move(i));
    }
    return made_list(std::move(out), Kind::Generator);
  }
  /// Jinja's attribute paths: "a.b", "0", 0.
  Value by_path(Value v, const Value& path, const Value* otherwise = nullptr) {
    std::vector<Value> parts;
    int64_t room;
    if (const int64_t* i = as_int(path, &room)) {
      parts.emplace_back(*i);
    } else {
      const std::string dot = ".";
      for (const Text& part : split(text_argument("an attribute", path), &dot, -1, false)) {
        int64_t n;
        if (all_chars(part.bytes(), Chars::Digit) && parse_int(part.bytes(), 10, &n)) parts.emplace_back(n);
        else parts.emplace_back(part);
      }
    }
    for (const Value& p : parts) {
      v = item(v, p);
      if (v.undefined() && otherwise && !otherwise->none()) v = *otherwise;
    }
    return v;
  }
  Value f_map(const Value& v, const Args& args, const std::string&) {
    std::vector<Value> out;
    if (args.plain.empty()) {
      const auto [attribute, otherwise] = bind("map", args, {"attribute", "default"}, 1);
      for (const Value& i : iterate(v)) out.push_back(by_path(i, *attribute, otherwise));
    } else {
      const std::string filter = text_argument("map", args.plain[0]).bytes();
      const Args rest{std::vector<Value>(args.plain.begin() + 1, args.plain.end()), args.named};
      const Deeper deeper(*this);
      for (const Value& i : iterate(v)) out.push_back(apply_filter(filter, i, rest, line_));
    }
    return made_list(std::move(out), Kind::Generator);
  }
  Value f_select(const Value& v, const Args& args, const std::string& name) {
    const bool by_attribute = name.ends_with("attr"), wanted = name.starts_with("select");
    size_t next = 0;
    const Value* const attribute = by_attribute ? args.plain.empty() ? nullptr : &args.plain[next++] : nullptr;
    if (by_attribute && !attribute) fail("`" + name + "`: no attribute");
    const std::string test = args.plain.size() > next ? text_argument(name, args.plain[next++]).bytes() : "";
    const Args rest{std::vector<Value>(args.plain.begin() + static_cast<ptrdiff_t>(next), args.plain.end()), args.named};
    static const std::map<std::string_view, const char*> signs = {{"==", "eq"}, {"!=", "ne"}, {"<", "lt"}, {"<=", "le"}, {">", "gt"}, {">=", "ge"}};
    const auto sign = signs.find(test);
    std::vector<Value> out;
    for (Value& i : iterate(v)) {
      const Value what = attribute ? by_path(i, *attribute) : i;
      if ((test.empty() ? truth(what) : apply_test(sign == signs.end() ? test : sign->second, what, rest, line_)) == wanted) out.push_back(std::move(i));
    }
    return made_list(std::move(out), Kind::Generator);
  }
  Value f_least(const Value& v, const Args& args, const std::string& name) {
    const auto [with_case, attribute] = bind(name, args, {"case_sensitive", "attribute"});
    const bool minimum = name == "min";
    std::optional<std::pair<Value, Value>> best;
    for (Value& i : iterate(v)) {
      Value key = sort_key(attribute && !attribute->none() ? by_path(i, *attribute) : i, with_case && truth(*with_case));
      if (!best || (minimum ? less(key, best->first) : less(best->first, key))) best.emplace(std::move(key), std::move(i));
    }
    return best ? best->second : undefined("the " + name + " of nothing");
  }
  Value f_sum(const Value& v, const Args& args, const std::string& name) {
    const auto [attribute, start] = bind(name, args, {"attribute", "start"});
    Value out = start ? *start : Value{int64_t{0}};
    if (out.as_text()) fail("`sum` of texts");
    for (const Value& i : iterate(v)) out = arithmetic(Op::Add, out, attribute && !attribute->none() ? by_path(i, *attribute) : i);
    return out;
  }
  Value f_dictsort(const Value& v, const Args& args, const std::string& name) {
    const auto [with_case, by, reverse] = bind(name, args, {"case_sensitive", "by", "reverse"});
    const Dict* d = v.as_dict();
    if (!d) fail_kind("`dictsort`", v);
    const std::string what = by ? text_argument(name, *by).bytes() : "key";
    if (what != "key" && what != "value") fail("`dictsort` by something else than key or value");
    std::vector<std::pair<Value, Value>> keyed;
    for (const auto& [key, value] : d->items) keyed.emplace_back(sort_key(what == "key" ? key : value, with_case && truth(*with_case)), made_list({key, value}, Kind::Tuple));
    sort_by_key(keyed, reverse && truth(*reverse));
    std::vector<Value> out;
    for (auto& [key, i] : keyed) out.push_back(std::move(i));
    return made_list(std::move(out));
  }
  Value f_indent(const Value& v, const Args& args, const std::string& name) {
    const auto [width, first, blank] = bind(name, args, {"width", "first", "blank"});
    Text pad;
    if (width && width->as_text()) {
      pad = *width->as_text();
    } else {
      const int64_t n = int_argument(name, width, 4);
      if (n > 10'000) fail("`indent`: too wide");
      pad = Text(std::string(static_cast<size_t>(std::max<int64_t>(0, n)), ' '));
    }
    Text t = text_argument(name, v);
    t.append("\n");
    charge(t.size());
    const std::vector<Text> lines = split_lines(t);
    Text out;
    if (first && truth(*first)) out.append(pad);
    for (size_t i = 0; i < lines.size(); ++i) {
      charge(pad.size() + lines[i].size() + sizeof(Text));
      if (i) out.append("\n");
      if (i && (!lines[i].empty() || (blank && truth(*blank)))) out.append(pad);
      out.append(lines[i]);
    }
    return made(std::move(out));
  }
  Value f_attr(const Value& v, const Args& args, const std::string& name) {
    const auto [attribute] = bind(name, args, {"name"}, 1);
    const std::string& key = text_argument(name, *attribute).bytes();
    if (v.as_dict() && !has_method(v, key)) return undefined("`" + shown(key) + "` of a dictionary");  // members are no attributes
    return this->attribute(v, key);
  }

  // Tests

  bool t_kind(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    const List* const l = v.as_list();
    if (name == "defined") return !v.undefined();
    if (name == "undefined") return v.undefined();
    if (name == "none") return v.none();
    if (name == "boolean") return v.get<bool>();
    if (name == "true") return v.get<bool>() && *v.get<bool>();
    if (name == "false") return v.get<bool>() && !*v.get<bool>();
    if (name == "integer") return v.get<int64_t>();
    if (name == "float") return v.get<double>();
    if (name == "number") return is_number(v);
    if (name == "string") return v.as_text();
    if (name == "mapping") return v.as_dict();
    if (name == "sequence") return v.undefined() || v.as_text() || v.as_dict() || (l && is_sequence(*l));
    if (name == "iterable") return v.undefined() || v.as_text() || v.as_dict() || l || v.get<std::shared_ptr<Loop>>();
    return v.get<Builtin>() || v.get<MacroValue>() || v.get<std::shared_ptr<Loop>>() || v.undefined();
  }
  bool t_case(const Value& v, const Args& args, const std::string& name) {
    no_arguments(name, args);
    const Text t = to_text(v);
    charge(t.size() * 4);
    return all_chars(t.bytes(), name == "lower" ? Chars::Lower : Chars::Upper);
  }
  bool t_number(const Value& v, const Args& args, const std::string& name) {
    int64_t by = 2;
    if (name == "divisibleby") {
      const auto [n] = bind(name, args, {"num"}, 1);
      by = int_argument(name, n, 1);
    } else {
      no_arguments(name, args);
    }
    const Value rest = arithmetic(Op::Mod, v, {by});
    return equal(rest, {int64_t{name == "odd"}});
  }
  bool t_compare(const Value& v, const Args& args, const std::string& name) {
    const auto [other] = bind(name, args, {"other"}, 1);
    const Comparison c = name == "in" ? Comparison::In : name.starts_with("eq") ? Comparison::Eq : name == "ne" ? Comparison::Ne : name == "le" ? Comparison::Le
                         : name == "ge" ? Comparison::Ge : name[0] == 'l' ? Comparison::Lt : Comparison::Gt;
    return compare(c, v, *other);
  }
  bool t_same(const Value& v, const Args& args, const std::string& name) {
    const auto [other] = bind(name, args, {"other"}, 1);
    if (v.is.index() != other->is.index()) return false;
    if (v.none() || v.get<bool>()) return equal(v, *other);
    fail("`sameas` is supported for none, true and false");
  }

  static constexpr int kLoop = -2;  // the name `loop` within a loop

  const std::string& file_;
  const std::tm& now_;
  Frame globals_, top_;
  Frame* frame_ = nullptr;
  Text top_text_;
  Text* out_ = &top_text_;
  uint64_t left_, macros_ = 0;
  uint32_t depth_ = 0, line_ = 1;
  size_t loops_ = 0;
  std::vector<std::unique_ptr<Frame>> kept_;
  std::vector<std::shared_ptr<Namespace>> spaces_;
};

Known known(bool ours, std::string_view name, std::initializer_list<std::string_view> others) {
  return ours ? Known::Yes : std::find(others.begin(), others.end(), name) != others.end() ? Known::Refused : Known::No;
}

}  // namespace

Known known_filter(std::string_view name) {
  return known(Renderer::filters().contains(name), name,
               {"batch", "center", "e", "escape", "filesizeformat", "forceescape", "format", "groupby", "pprint", "random", "safe", "slice",
                "striptags", "truncate", "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr"});
}
Known known_test(std::string_view name) {
  return known(Renderer::tests().contains(name), name, {"escaped", "filter", "test"});
}

struct Template::Data {
  std::string file;
  Parsed parsed;
};
Template::Template(std::unique_ptr<Data> data) : data_(std::move(data)) {}
Template::Template(Template&&) noexcept = default;
Template& Template::operator=(Template&&) noexcept = default;
Template::~Template() = default;

Template Template::parse(std::string_view source, const std::string& file) {
  auto data = std::make_unique<Data>();
  data->file = file;
  data->parsed = parse_template(source, file);
  return Template(std::move(data));
}
Text Template::render(const Variables& variables, const std::tm& now, uint64_t work) const {
  return Renderer(data_->file, data_->parsed.symbols, variables, now, work).run(data_->parsed.body);
}

}  // namespace ppc::model::jinja
