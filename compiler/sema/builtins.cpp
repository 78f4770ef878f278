#include "compiler/sema/builtins.h"

namespace ppc::sema {

using B = ppc::Builtin;
using Op = Value::Op;
using Args = std::vector<ValuePtr>;

// ---- making values ------------------------------------------------------------------------------------------------

ValuePtr Build::of(Op o, TypeId type, Args args) const {
  auto v = std::make_unique<Value>();
  v->op = o;
  v->type = type;
  v->span = span;
  v->args = std::move(args);
  return v;
}
ValuePtr Build::integer(int64_t n) const {
  ValuePtr v = of(Op::Int, types.int_);
  v->int_value = n;
  return v;
}
ValuePtr Build::floating(double x) const {
  ValuePtr v = of(Op::Float, types.float_);
  v->float_value = x;
  return v;
}
ValuePtr Build::boolean(bool b) const {
  ValuePtr v = of(Op::Bool, types.bool_);
  v->int_value = b;
  return v;
}
ValuePtr Build::text(std::string t) const {
  ValuePtr v = of(Op::Text, types.text_);
  v->text_value = std::move(t);
  return v;
}
ValuePtr Build::local(LocalId id) const {
  ValuePtr v = of(Op::Local, body.locals[id].type);
  v->local = id;
  return v;
}
ValuePtr Build::type_index(TypeId t) const { return integer(t); }
ValuePtr Build::negate(ValuePtr v) const { return op(Op::Not, types.bool_, std::move(v)); }

ValuePtr Build::to_float(ValuePtr v) const {
  if (v->type == types.float_) return v;
  if (v->op == Op::Int) {
    ValuePtr f = floating(static_cast<double>(v->int_value));
    f->span = v->span;
    return f;
  }
  Span at = v->span;
  ValuePtr f = op(Op::IntToFloat, types.float_, std::move(v));
  f->span = at;
  return f;
}

ValuePtr Build::to_text(ValuePtr v) const {
  TypeId type = v->type;
  switch (types[type].kind) {
    case Kind::Text: return v;
    case Kind::Document: v->type = types.text_; return v;
    case Kind::Int: return call(B::IntToText, types.text_, std::move(v));
    case Kind::Float: return call(B::FloatToText, types.text_, std::move(v));
    case Kind::Bool: return call(B::BoolToText, types.text_, std::move(v));
    default: return call(B::ToText, types.text_, std::move(v), type_index(type));
  }
}

LocalId Build::new_local(std::string name, TypeId type) const {
  Local local;
  local.name = std::move(name);
  local.type = type;
  local.span = span;
  body.locals.push_back(std::move(local));
  return static_cast<LocalId>(body.locals.size() - 1);
}

ValuePtr Build::with(ValuePtr value, const std::function<ValuePtr(const Again&)>& make) const {
  switch (value->op) {
    case Op::Int: case Op::Float: case Op::Bool: case Op::Text: case Op::None:
    case Op::Local: case Op::Slot: case Op::Field: case Op::Reply: case Op::Heard: {
      // Cheap and without effect: read it again.
      const Value& v = *value;
      Again again = [&]() {
        auto copy = std::make_unique<Value>();
        copy->op = v.op; copy->type = v.type; copy->span = v.span;
        copy->int_value = v.int_value; copy->float_value = v.float_value; copy->text_value = v.text_value;
        copy->local = v.local; copy->slot = v.slot; copy->index = v.index; copy->segment = v.segment;
        if (reveals)
          if (auto r = reveals->find(&v); r != reveals->end()) {
            Span where = r->second;
            (*reveals)[copy.get()] = where;
          }
        return copy;
      };
      ValuePtr made = make(again);
      if (reveals) reveals->erase(value.get());  // it goes; another value may come to lie at its address
      return made;
    }
    default: {
      LocalId id = new_local("", value->type);
      ValuePtr result = make([&]() { return local(id); });
      TypeId type = result->type;
      ValuePtr bound = op(Op::Bind, type, std::move(value), std::move(result));
      bound->local = id;
      return bound;
    }
  }
}

// ---- what takes more than one builtin -----------------------------------------------------------------------------

namespace {

ValuePtr less(const Build& b, ValuePtr x, ValuePtr y) {
  TypeTable& t = b.types;
  TypeId type = x->type;
  switch (t[type].kind) {
    case Kind::Int: case Kind::Enum: case Kind::Bool: return b.op(Op::LtInt, t.bool_, std::move(x), std::move(y));
    case Kind::Float: return b.op(Op::LtFloat, t.bool_, std::move(x), std::move(y));
    case Kind::Text: return b.call(B::TextLess, t.bool_, std::move(x), std::move(y));
    default: return b.call(B::Less, t.bool_, std::move(x), std::move(y), b.type_index(type));
  }
}

ValuePtr is_empty_text(const Build& b, TypeId, Args a) {
  return b.call(B::TextEq, b.types.bool_, std::move(a[0]), b.text(""));
}
template <B length>
ValuePtr is_zero(const Build& b, TypeId, Args a) {
  return b.op(Op::EqInt, b.types.bool_, b.call(length, b.types.int_, std::move(a[0])), b.integer(0));
}
template <B at>
ValuePtr first(const Build& b, TypeId r, Args a) { return b.call(at, r, std::move(a[0]), b.integer(0)); }
ValuePtr first_or_none(const Build& b, TypeId r, Args a) {
  TypeTable& t = b.types;
  return b.with(std::move(a[0]), [&](const Build::Again& x) {
    const TypeId element = t[x()->type].args[0];
    ValuePtr none = b.op(Op::None, r);
    ValuePtr some = b.call(B::Some, r, b.call(B::ListAt, element, x(), b.integer(0)));
    return b.op(Op::If, r, b.op(Op::EqInt, t.bool_, b.call(B::ListLength, t.int_, x()), b.integer(0)), std::move(none), std::move(some));
  });
}
ValuePtr same(const Build&, TypeId, Args a) { return std::move(a[0]); }
template <B length>
ValuePtr indices(const Build& b, TypeId r, Args a) {
  TypeTable& t = b.types;
  return b.call(B::ListRange, r, b.integer(0),
                b.op(Op::SubInt, t.int_, b.call(length, t.int_, std::move(a[0])), b.integer(1)));
}
ValuePtr distinct(const Build& b, TypeId r, Args a) {
  return b.call(B::ListDistinct, r, std::move(a[0]), b.type_index(r));
}
ValuePtr smaller(const Build& b, TypeId r, Args a) {
  return b.with(std::move(a[0]), [&](const Build::Again& x) {
    return b.with(std::move(a[1]), [&](const Build::Again& y) {
      return b.op(Op::If, r, less(b, y(), x()), y(), x());
    });
  });
}
ValuePtr larger(const Build& b, TypeId r, Args a) {
  return b.with(std::move(a[0]), [&](const Build::Again& x) {
    return b.with(std::move(a[1]), [&](const Build::Again& y) {
      return b.op(Op::If, r, less(b, x(), y()), y(), x());
    });
  });
}
ValuePtr mean_int(const Build& b, TypeId r, Args a) {
  TypeTable& t = b.types;
  return b.with(std::move(a[0]), [&](const Build::Again& xs) {
    return b.call(B::FloatDiv, r, b.to_float(b.call(B::ListSumInt, t.int_, xs())),
                  b.to_float(b.call(B::ListLength, t.int_, xs())));
  });
}
ValuePtr mean_float(const Build& b, TypeId r, Args a) {
  TypeTable& t = b.types;
  return b.with(std::move(a[0]), [&](const Build::Again& xs) {
    return b.call(B::FloatDiv, r, b.call(B::ListSumFloat, t.float_, xs()),
                  b.to_float(b.call(B::ListLength, t.int_, xs())));
  });
}
ValuePtr abs_int(const Build& b, TypeId r, Args a) {
  return b.with(std::move(a[0]), [&](const Build::Again& x) {
    return b.op(Op::If, r, b.op(Op::LtInt, b.types.bool_, x(), b.integer(0)), b.op(Op::NegInt, r, x()), x());
  });
}
ValuePtr abs_float(const Build& b, TypeId r, Args a) {
  return b.with(std::move(a[0]), [&](const Build::Again& x) {
    return b.op(Op::If, r, b.op(Op::LtFloat, b.types.bool_, x(), b.floating(0)), b.op(Op::NegFloat, r, x()), x());
  });
}
ValuePtr bool_to_int(const Build& b, TypeId r, Args a) {
  return b.op(Op::If, r, std::move(a[0]), b.integer(1), b.integer(0));
}
ValuePtr bool_to_float(const Build& b, TypeId r, Args a) {
  return b.op(Op::If, r, std::move(a[0]), b.floating(1), b.floating(0));
}
ValuePtr int_to_float(const Build& b, TypeId, Args a) { return b.to_float(std::move(a[0])); }
ValuePtr any_to_text(const Build& b, TypeId, Args a) { return b.to_text(std::move(a[0])); }
ValuePtr json_text(const Build& b, TypeId r, Args a) {
  TypeId type = a[0]->type;
  return b.call(B::JsonText, r, std::move(a[0]), b.type_index(type));
}
ValuePtr any_case(const Build& b, TypeId r, Args a) { return b.op(Op::Concat, r, b.text("(?i)"), std::move(a[0])); }
ValuePtr is_nan(const Build& b, TypeId r, Args a) {
  return b.with(std::move(a[0]), [&](const Build::Again& x) { return b.negate(b.op(Op::EqFloat, r, x(), x())); });
}
template <B length, B at>
ValuePtr pick(const Build& b, TypeId r, Args a) {
  return b.with(std::move(a[0]), [&](const Build::Again& xs) {
    return b.call(at, r, xs(), b.call(B::Draw, b.types.int_, b.call(length, b.types.int_, xs())));
  });
}
ValuePtr shuffled_set(const Build& b, TypeId r, Args a) {
  return b.call(B::Shuffled, r, b.call(B::SetToList, r, std::move(a[0])));
}
ValuePtr chance_of(const Build& b, TypeId r, Args a) {
  return b.op(Op::LtInt, r, b.call(B::Draw, b.types.int_, std::move(a[1])), std::move(a[0]));
}
ValuePtr or_else(const Build& b, TypeId r, Args a) {
  return b.with(std::move(a[0]), [&](const Build::Again& x) {
    return b.op(Op::If, r, b.call(B::IsNone, b.types.bool_, x()), std::move(a[1]), b.call(B::ValueOf, r, x()));
  });
}
ValuePtr join_set(const Build& b, TypeId r, Args a) {
  return b.call(B::TextJoin, r, b.call(B::SetToList, b.types.list(b.types.text_), std::move(a[0])), std::move(a[1]));
}
ValuePtr bullets_set(const Build& b, TypeId r, Args a) {
  return b.call(B::TextBullets, r, b.call(B::SetToList, b.types.list(b.types.text_), std::move(a[0])));
}

}  // namespace

const std::vector<Row>& rows() {
  constexpr auto M = Row::Form::Method;
  constexpr auto F = Row::Form::Function;
  constexpr auto C = Row::Form::Change;
  constexpr B none = B::TextEq;  // not used where `lower` stands
  static const std::vector<Row> table = {
      // texts
      {M, "length", {"text"}, "int", B::TextLength, "0"},
      {M, "lower", {"text"}, "text", B::TextLower, "0"},
      {M, "upper", {"text"}, "text", B::TextUpper, "0"},
      {M, "capitalized", {"text"}, "text", B::TextCapitalized, "0"},
      {M, "trimmed", {"text"}, "text", B::TextTrimmed, "0"},
      {M, "trimmed", {"text", "text"}, "text", B::TextTrimmedOf, "01"},
      {M, "trimmed_start", {"text"}, "text", B::TextTrimmedStart, "0"},
      {M, "trimmed_end", {"text"}, "text", B::TextTrimmedEnd, "0"},
      {M, "without_punctuation", {"text"}, "text", B::TextWithoutPunctuation, "0"},
      {M, "letters", {"text"}, "[text]", B::TextLetters, "0"},
      {M, "lines", {"text"}, "[text]", B::TextLines, "0"},
      {M, "words", {"text"}, "[text]", B::TextWords, "0"},
      {M, "is_alpha", {"text"}, "bool", B::TextIsAlpha, "0"},
      {M, "is_digit", {"text"}, "bool", B::TextIsDigit, "0"},
      {M, "is_alnum", {"text"}, "bool", B::TextIsAlnum, "0"},
      {M, "is_space", {"text"}, "bool", B::TextIsSpace, "0"},
      {M, "is_lower", {"text"}, "bool", B::TextIsLower, "0"},
      {M, "is_upper", {"text"}, "bool", B::TextIsUpper, "0"},
      {M, "is_int", {"text"}, "bool", B::TextIsInt, "0"},
      {M, "is_empty", {"text"}, "bool", none, "", is_empty_text},
      {M, "starts_with", {"text", "text"}, "bool", B::TextStartsWith, "01"},
      {M, "starts_with", {"text", "regex"}, "bool", B::TextBegins, "01"},
      {M, "ends_with", {"text", "text"}, "bool", B::TextEndsWith, "01"},
      {M, "contains", {"text", "text"}, "bool", B::TextContains, "01"},
      {M, "count", {"text", "text"}, "int", B::TextCount, "01"},
      {M, "find", {"text", "text"}, "int", B::TextFind, "01"},
      {M, "replace", {"text", "text", "text"}, "text", B::TextReplace, "012"},
      {M, "split", {"text", "text"}, "[text]", B::TextSplit, "01"},
      {M, "repeat", {"text", "int"}, "text", B::TextRepeat, "01"},
      {M, "matches", {"text", "regex"}, "bool", B::TextMatches, "01"},
      {M, "finds", {"text", "regex"}, "bool", B::TextFinds, "01"},
      {M, "group", {"text", "regex", "text"}, "text", B::TextGroup, "012"},
      // lists
      {M, "length", {"[T]"}, "int", B::ListLength, "0"},
      {M, "is_empty", {"[T]"}, "bool", none, "", is_zero<B::ListLength>},
      {M, "first", {"[T]"}, "T", none, "", first<B::ListAt>},
      {M, "first_or_none", {"[T]"}, "T?", none, "", first_or_none},
      {M, "last", {"[T]"}, "T", B::ListLast, "0"},
      {M, "reversed", {"[T]"}, "[T]", B::ListReversed, "0"},
      {M, "sorted", {"[T]"}, "[T]", B::ListSorted, "0L"},
      {M, "contains", {"[T]", "T"}, "bool", B::ListContains, "01L"},
      {M, "index_of", {"[T]", "T"}, "int", B::ListIndexOf, "01L"},
      {M, "count", {"[T]", "T"}, "int", B::ListCountOf, "01L"},
      {C, "add", {"[T]", "T"}, "", B::ListPush, "1L"},
      {C, "remove", {"[T]", "T"}, "", B::ListRemove, "1L"},
      {C, "remove_at", {"[T]", "int"}, "", B::ListRemoveAt, "1"},
      {C, "insert", {"[T]", "int", "T"}, "", B::ListInsert, "12L"},
      // sets
      {M, "length", {"set<T>"}, "int", B::SetLength, "0"},
      {M, "is_empty", {"set<T>"}, "bool", none, "", is_zero<B::SetLength>},
      {M, "contains", {"set<T>", "T"}, "bool", B::SetContains, "01L"},
      {C, "add", {"set<T>", "T"}, "", B::SetAdd, "1L"},
      {C, "remove", {"set<T>", "T"}, "", B::SetRemove, "1L"},
      // maps
      {M, "length", {"map<K, V>"}, "int", B::MapLength, "0"},
      {M, "is_empty", {"map<K, V>"}, "bool", none, "", is_zero<B::MapLength>},
      {M, "keys", {"map<K, V>"}, "[K]", B::MapKeys, "0"},
      {M, "values", {"map<K, V>"}, "[V]", B::MapValues, "0"},
      {M, "get", {"map<K, V>", "K", "V"}, "V", B::MapGetOr, "012L"},
      {M, "contains", {"map<K, V>", "K"}, "bool", B::MapHas, "01L"},
      {C, "remove", {"map<K, V>", "K"}, "", B::MapRemove, "1L"},
      // optionals
      {M, "value", {"T?"}, "T", B::ValueOf, "0"},
      {M, "or", {"T?", "T"}, "T", none, "", or_else},
      // functions
      {F, "indices", {"[T]"}, "[int]", none, "", indices<B::ListLength>},
      {F, "indices", {"text"}, "[int]", none, "", indices<B::TextLength>},
      {F, "count", {"[T]"}, "int", B::ListLength, "0"},
      {F, "count", {"set<T>"}, "int", B::SetLength, "0"},
      {F, "count", {"map<K, V>"}, "int", B::MapLength, "0"},
      {F, "count", {"text"}, "int", B::TextLength, "0"},
      {F, "distinct", {"[T]"}, "[T]", none, "", distinct},
      {F, "sum", {"[int]"}, "int", B::ListSumInt, "0"},
      {F, "sum", {"[float]"}, "float", B::ListSumFloat, "0"},
      {F, "min", {"[T]"}, "T", B::ListMin, "0L"},
      {F, "max", {"[T]"}, "T", B::ListMax, "0L"},
      {F, "min", {"T", "T"}, "T", none, "", smaller},
      {F, "max", {"T", "T"}, "T", none, "", larger},
      {F, "mean", {"[int]"}, "float", none, "", mean_int},
      {F, "mean", {"[float]"}, "float", none, "", mean_float},
      {F, "join", {"[text]", "text"}, "text", B::TextJoin, "01"},
      {F, "join", {"set<text>", "text"}, "text", none, "", join_set},
      {F, "bullets", {"[text]"}, "text", B::TextBullets, "0"},
      {F, "bullets", {"set<text>"}, "text", none, "", bullets_set},
      {F, "abs", {"int"}, "int", none, "", abs_int},
      {F, "abs", {"float"}, "float", none, "", abs_float},
      {F, "round", {"float"}, "int", B::FloatRoundInt, "0"},
      {F, "round", {"float", "int"}, "float", B::FloatRound, "01"},
      {F, "floor", {"float"}, "int", B::FloatFloor, "0"},
      {F, "ceil", {"float"}, "int", B::FloatCeil, "0"},
      {F, "sqrt", {"float"}, "float", B::FloatSqrt, "0"},
      {F, "exp", {"float"}, "float", B::FloatExp, "0"},
      {F, "int", {"int"}, "int", none, "", same},
      {F, "int", {"float"}, "int", B::FloatToInt, "0"},
      {F, "int", {"text"}, "int", B::TextToInt, "0"},
      {F, "int", {"bool"}, "int", none, "", bool_to_int},
      {F, "float", {"float"}, "float", none, "", same},
      {F, "float", {"int"}, "float", none, "", int_to_float},
      {F, "float", {"bool"}, "float", none, "", bool_to_float},
      {F, "text", {"T"}, "text", none, "", any_to_text},
      {F, "set", {"[T]"}, "set<T>", B::ListToSet, "0R"},
      {F, "set", {"set<T>"}, "set<T>", none, "", same},
      {F, "list", {"set<T>"}, "[T]", B::SetToList, "0"},
      {F, "list", {"[T]"}, "[T]", none, "", same},
      {F, "is_nan", {"float"}, "bool", none, "", is_nan},
      {F, "harmonic_mean", {"[float]"}, "float", B::Harmonic, "0"},
      {F, "json_text", {"T"}, "text", none, "", json_text},
      {F, "document", {"T"}, "document", none, "", json_text},
      {F, "any_case", {"regex"}, "regex", none, "", any_case},
      {F, "edit_distance", {"map<T, set<T>>", "map<T, set<T>>"}, "int", B::GraphEditDistance, "01L"},
      // use english
      {F, "stem", {"text"}, "text", B::Stem, "0", nullptr, false, "english"},
      {F, "lemma", {"text"}, "text", B::Lemma, "0", nullptr, false, "english"},
      {F, "stopwords", {}, "set<text>", B::Stopwords, "", nullptr, false, "english"},
      // chance
      {F, "random", {"int"}, "int", B::Draw, "0", nullptr, true},
      {F, "pick", {"[T]"}, "T", none, "", pick<B::ListLength, B::ListAt>, true},
      {F, "pick", {"set<T>"}, "T", none, "", pick<B::SetLength, B::SetAt>, true},
      {F, "shuffled", {"[T]"}, "[T]", B::Shuffled, "0", nullptr, true},
      {F, "shuffled", {"set<T>"}, "[T]", none, "", shuffled_set, true},
      {F, "chance", {"int", "int"}, "bool", none, "", chance_of, true},
  };
  return table;
}

// ---- patterns -----------------------------------------------------------------------------------------------------

namespace {

struct Pattern {
  std::string_view rest;
  void skip() {
    while (!rest.empty() && (rest[0] == ' ' || rest[0] == ',')) rest.remove_prefix(1);
  }
  bool take(char c) {
    skip();
    if (rest.empty() || rest[0] != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  std::string_view word() {
    skip();
    size_t n = 0;
    while (n < rest.size() && (isalpha(static_cast<unsigned char>(rest[n])))) ++n;
    std::string_view w = rest.substr(0, n);
    rest.remove_prefix(n);
    return w;
  }
};

TypeId* variable(std::string_view name, Bindings& b) {
  if (name == "T") return &b.t;
  if (name == "K") return &b.k;
  if (name == "V") return &b.v;
  return nullptr;
}

TypeId plain(const TypeTable& types, std::string_view name) {
  if (name == "int") return types.int_;
  if (name == "float") return types.float_;
  if (name == "bool") return types.bool_;
  if (name == "regex") return types.regex_;
  if (name == "document") return types.document_;
  return types.text_;
}

bool match_at(const TypeTable& types, Pattern& p, TypeId type, Bindings& b);

bool match_atom(const TypeTable& types, Pattern& p, TypeId type, Bindings& b) {
  if (p.take('[')) {
    bool list = types[type].kind == Kind::List;
    return list && match_at(types, p, types[type].args[0], b) && p.take(']');
  }
  std::string_view name = p.word();
  if (name == "set") {
    return types[type].kind == Kind::Set && p.take('<') && match_at(types, p, types[type].args[0], b) && p.take('>');
  }
  if (name == "map") {
    return types[type].kind == Kind::Map && p.take('<') && match_at(types, p, types[type].args[0], b) &&
           match_at(types, p, types[type].args[1], b) && p.take('>');
  }
  if (TypeId* bound = variable(name, b)) {
    if (*bound == UINT32_MAX) *bound = type;
    return *bound == type;
  }
  return plain(types, name) == type;
}

bool match_at(const TypeTable& types, Pattern& p, TypeId type, Bindings& b) { return match_atom(types, p, type, b); }

TypeId make_at(TypeTable& types, Pattern& p, const Bindings& b) {
  if (p.take('[')) {
    TypeId t = make_at(types, p, b);
    p.take(']');
    return t == UINT32_MAX ? t : types.list(t);
  }
  std::string_view name = p.word();
  TypeId result;
  if (name == "set") {
    p.take('<');
    TypeId t = make_at(types, p, b);
    p.take('>');
    return t == UINT32_MAX ? t : types.set(t);
  }
  if (name == "map") {
    p.take('<');
    TypeId k = make_at(types, p, b), v = make_at(types, p, b);
    p.take('>');
    return k == UINT32_MAX || v == UINT32_MAX ? UINT32_MAX : types.map(k, v);
  }
  Bindings copy = b;
  if (TypeId* bound = variable(name, copy)) result = *bound;
  else result = plain(types, name);
  if (p.take('?') && result != UINT32_MAX) result = types.optional(result);
  return result;
}

}  // namespace

bool matches(const TypeTable& types, std::string_view pattern, TypeId type, Bindings& b) {
  if (pattern == "T?") {
    if (types[type].kind != Kind::Optional) return false;
    if (b.t == UINT32_MAX) b.t = types[type].args[0];
    return b.t == types[type].args[0];
  }
  Pattern p{pattern};
  return match_at(types, p, type, b);
}

TypeId instantiate(TypeTable& types, std::string_view pattern, const Bindings& b) {
  Pattern p{pattern};
  return make_at(types, p, b);
}

std::string signature(const Row& row) {
  std::string s = row.name;
  size_t first = row.form == Row::Form::Function ? 0 : 1;
  if (row.params.size() == first && row.form != Row::Form::Function) return s;
  s += "(";
  for (size_t i = first; i < row.params.size(); ++i) s += (i > first ? ", " : "") + std::string(row.params[i]);
  return s + ")";
}

}  // namespace ppc::sema
