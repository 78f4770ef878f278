#include "compiler/rules/lower.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <functional>
#include <limits>
#include <map>
#include <set>

#include "compiler/rules/flow.h"
#include "compiler/rules/outline.h"

namespace ppc::rules {
namespace {

using sema::Body;
using sema::Game;
using sema::Statement;
using sema::Statements;
using sema::TypeId;
using sema::Value;
using sema::Walk;
using Kind = sema::Kind;

int64_t float_bits(double d) { return std::bit_cast<int64_t>(d); }

// Who else may refer to the memory of a container that a value refers to. Containers are changed in place, so what a
// variable comes to hold must be nobody else's: it is copied unless Fresh. What a `let` comes to hold must not change
// later: it is copied when a Variable may share it.
enum class Alias { Fresh, Constant, Variable };

/// What statements may change in place, and what a value is read from: locals of the body at hand, and slots.
struct Roots {
  std::set<uint32_t> locals, slots;
  bool all_slots = false;
  bool meets(const Roots& other) const {
    for (uint32_t l : locals)
      if (other.locals.count(l)) return true;
    if (all_slots && (other.all_slots || !other.slots.empty())) return true;
    if (other.all_slots && !slots.empty()) return true;
    for (uint32_t s : slots)
      if (other.slots.count(s)) return true;
    return false;
  }
};

class Lowering {
 public:
  Lowering(const Game& g, const Sources& s)
      : game(g), types(g.types), text_list(types.list(types.text_)), int_list(types.list(types.int_)), outlined(outlined_steps(g)) {
    program.sources = &s;
    program.manifest = manifest_of(g, types, s);
    program.pool.assign(8, '\0');
  }

  /// A reference to a text of the pool.
  int64_t text(const std::string& t) {
    if (t.empty()) return 0;
    auto [it, fresh] = texts_.try_emplace(t, 0);
    if (fresh) {
      bool ascii = true;
      for (char c : t) ascii = ascii && static_cast<unsigned char>(c) < 0x80;
      it->second = PPC_TEXT(PPC_POOL, ascii, program.pool.size(), t.size());
      program.pool += t;
    }
    return it->second;
  }
  /// A constant's 64 bits; lists of constants go to the pool whole.
  bool constant(const Value& v, int64_t& bits) {
    switch (v.op) {
      case Value::Op::Int:
      case Value::Op::Bool: bits = v.int_value; return true;
      case Value::Op::Float: bits = float_bits(v.float_value); return true;
      case Value::Op::Text: bits = text(v.text_value); return true;
      case Value::Op::None: bits = 0; return true;
      case Value::Op::MakeList: {
        std::vector<int64_t> items(v.args.size());
        for (size_t i = 0; i < items.size(); ++i)
          if (!constant(*v.args[i], items[i])) return false;
        bits = items.empty() ? 0 : list(items);
        return true;
      }
      default: return false;
    }
  }

  const Game& game;
  sema::TypeTable types;
  TypeId text_list, int_list;
  std::vector<bool> outlined;  // by step
  Program program;

  /// A step as a function. What it does about a broken rule depends on whether it is called while a reply is read, and where.
  struct Part { uint32_t function; bool returns; };  // false: it always ends the episode
  struct Place {
    bool asking = false, breaking = false, retried = false;
    auto operator<=>(const Place&) const = default;
  };
  std::map<std::pair<uint32_t, Place>, Part> parts;

  /// A reference to a list of the pool.
  int64_t list(const std::vector<int64_t>& items) {
    auto [it, fresh] = lists_.try_emplace(items, 0);
    if (fresh) {
      while (program.pool.size() % 8) program.pool += '\0';
      it->second = PPC_REF(PPC_POOL, program.pool.size());
      auto put = [&](uint64_t v, int bytes) {
        for (int i = 0; i < bytes; ++i) program.pool += static_cast<char>(v >> 8 * i);
      };
      put(items.size(), 4);
      put(items.size(), 4);
      for (int64_t v : items) put(static_cast<uint64_t>(v), 8);
    }
    return it->second;
  }

 private:
  std::map<std::string, int64_t> texts_;
  std::map<std::vector<int64_t>, int64_t> lists_;
};

/// Builds one function.
class Builder {
 public:
  Builder(Lowering& l, Function::Kind kind, std::string name, Span span) : l_(l), game_(l.game), types_(l.types) {
    f_.kind = kind;
    f_.name = std::move(name);
    f_.span = span;
    f_.result = types_.int_;
    at_ = span;
    current_ = new_block("entry");
  }

  Function finish() {
    // Sema has proved that no path gets here; if one does all the same, it is a fault and no undefined behaviour.
    if (open()) end(of_kind(Terminator::Kind::Unreachable));
    remove_unreachable(f_);
    return std::move(f_);
  }

  // ---- the kinds of functions --------------------------------------------------------------------------------------

  void play() {
    Scope scope(*this, game_.play);
    statements(game_.play.statements);
  }
  void init() {
    Scope scope(*this, game_.init);
    // An initial value may call a function that reads a variable further down: it is empty until its turn comes.
    for (uint32_t s = 0; s < game_.slots.size(); ++s) {
      const Kind kind = types_[game_.slots[s].type].kind;
      if (kind != Kind::Record && kind != Kind::Tuple) continue;
      at_ = game_.slots[s].span;
      store_slot(s, empty(game_.slots[s].type));
    }
    for (uint32_t s = 0; s < game_.slots.size(); ++s) {
      const sema::Slot& slot = game_.slots[s];
      at_ = slot.span;
      Reg v = slot.initial ? value(*slot.initial) : empty(slot.type);
      store_slot(s, v);
    }
    end_return(kNoReg);
  }
  void pure(const sema::Function& fn) {
    f_.params = fn.params;
    f_.result = fn.result;
    Scope scope(*this, fn.body);  // first of all, so that parameters are the first registers
    statements(fn.body.statements);
  }
  /// An entry whose parameters come as arguments: metrics, keys, bots.
  void entry(const Body& body, uint32_t params, TypeId result) {
    f_.is_entry = true;
    f_.result = result;
    Scope scope(*this, body);
    for (uint32_t p = 0; p < params; ++p) emit(Op::Argument, scope_->regs[p], {}, p);
    statements(body.statements);
  }
  /// A step: its arguments, and then, where a reply is being read, who gave it and which rule it has broken. Returns whether it
  /// ever comes to its end.
  bool part(const sema::Step& step, const Lowering::Place& place) {
    f_.result = types_.bool_;
    Asking asking;
    if (place.asking) {
      asking.who = reg(types_.int_, "player");
      asking_ = &asking;
    }
    if (place.breaking) breaking_ = {true, place.retried, 0, reg(types_.int_, "rule")};
    f_.params = static_cast<uint32_t>(f_.regs.size()) + step.params;
    Scope scope(*this, step.body);  // the parameters are its first locals
    BlockId done = new_block("done");
    step_end_ = &done;
    statements(step.body.statements);
    if (open()) jump(done);
    begin(done);
    const bool returns = !predecessors(f_)[done].empty();
    end_return(constant(types_.bool_, 0));
    asking_ = nullptr;
    step_end_ = nullptr;
    return returns;
  }
  void generate(const Body& body) {
    Scope scope(*this, body);
    statements(body.statements);
    if (open()) end_return(kNoReg);
  }
  void mark_entry() { f_.is_entry = true; }

 private:
  struct Scope {  // the locals of a body, while it is lowered
    Scope(Builder& b, const Body& body) : builder(b), body(body), outer(b.scope_) {
      for (const sema::Local& local : body.locals) regs.push_back(b.reg(local.type, local.name));
      b.scope_ = this;
    }
    ~Scope() { builder.scope_ = outer; }
    Builder& builder;
    const Body& body;
    Scope* outer;
    std::vector<Reg> regs;
  };
  struct Asking {  // the reply being read
    const sema::Move* move = nullptr;
    uint32_t player = 0, index = 0;
    Reg who = kNoReg;                  // holds the player, in a step that is a function
    Reg reply = kNoReg, gives = kNoReg;
    Reg aside = kNoReg;                // the message of a side question
    BlockId before = 0, again = 0, passed = 0;
    std::map<uint32_t, Reg> counters;  // of a rule's retries
  };
  struct Breaking {  // the rule whose consequence is being lowered
    bool active = false, retried = false;
    uint32_t rule = 0;
    Reg which = kNoReg;  // holds the rule, in a step that is a function
  };

  // ---- emitting ----------------------------------------------------------------------------------------------------

  BlockId new_block(const char* label) {
    Block b;
    b.label = label;
    f_.blocks.push_back(std::move(b));
    return static_cast<BlockId>(f_.blocks.size() - 1);
  }
  bool open() const { return current_ != kNoBlock; }
  Reg reg(TypeId type, std::string name = {}) {
    f_.regs.push_back({std::move(name), type});
    return static_cast<Reg>(f_.regs.size() - 1);
  }
  Instr& emit(Op op, Reg dst, std::vector<Reg> args, int64_t imm = 0, uint32_t imm2 = 0) {
    if (!open()) current_ = new_block("dead");  // behind an outcome; dropped at the end
    Instr i;
    i.op = op;
    i.dst = dst;
    i.args = std::move(args);
    i.imm = imm;
    i.imm2 = imm2;
    i.span = at_;
    auto& instrs = f_.blocks[current_].instrs;
    instrs.push_back(std::move(i));
    return instrs.back();
  }
  Reg op(Op o, TypeId type, std::vector<Reg> args, int64_t imm = 0, uint32_t imm2 = 0) {
    Reg dst = reg(type);
    emit(o, dst, std::move(args), imm, imm2);
    return dst;
  }
  void call_into(Reg dst, Builtin b, std::vector<Reg> args) { emit(Op::Builtin, dst, std::move(args)).builtin = b; }
  Reg call(Builtin b, TypeId type, std::vector<Reg> args) {
    Reg dst = reg(type);
    call_into(dst, b, std::move(args));
    return dst;
  }
  void effect(Builtin b, std::vector<Reg> args) { call_into(kNoReg, b, std::move(args)); }
  Reg constant(TypeId type, int64_t bits) { return op(Op::Const, type, {}, bits); }
  Reg number(int64_t v) { return constant(types_.int_, v); }
  Reg type_id(TypeId t) { return number(t); }
  void move(Reg to, Reg from) {
    if (to != from) emit(Op::Move, to, {from});
  }
  void end(Terminator t) {
    if (!open()) current_ = new_block("dead");
    t.span = at_;
    f_.blocks[current_].end = std::move(t);
    current_ = kNoBlock;
  }
  static Terminator of_kind(Terminator::Kind kind) {
    Terminator t;
    t.kind = kind;
    return t;
  }
  void jump(BlockId to, bool back = false) {
    Terminator t;
    t.kind = Terminator::Kind::Jump;
    t.to = to;
    t.back_edge = back;
    end(t);
  }
  void branch(Reg cond, BlockId then, BlockId otherwise) {
    Terminator t;
    t.kind = Terminator::Kind::Branch;
    t.cond = cond;
    t.to = then;
    t.otherwise = otherwise;
    end(t);
  }
  void end_return(Reg v) {
    Terminator t;
    t.kind = Terminator::Kind::Return;
    t.value = v;
    end(t);
  }
  void begin(BlockId b) {
    assert(!open());
    current_ = b;
  }
  /// Goes on in `b`, from where we are.
  void fall_into(BlockId b) {
    if (open()) jump(b);
    current_ = b;
  }

  // ---- sharing of memory -------------------------------------------------------------------------------------------

  bool container(TypeId t) const { return is_container(l_.program.manifest, t); }
  bool holds_containers(TypeId t) const {
    for (TypeId a : types_[t].args)
      if (container(a)) return true;
    return false;
  }
  static Alias worse(Alias a, Alias b) { return a > b ? a : b; }
  Alias alias(const Value& v) const {
    if (!container(v.type)) return Alias::Fresh;
    auto of_args = [&] {
      Alias a = Alias::Fresh;
      for (const auto& arg : v.args) a = worse(a, alias(*arg));
      for (const Walk& w : v.walks) a = worse(a, worse(alias(*w.source), w.source2 ? alias(*w.source2) : Alias::Fresh));
      return a;
    };
    switch (v.op) {
      case Value::Op::Field: return Alias::Fresh;  // its segment is immutable; what changes it makes a copy first
      case Value::Op::Local: return scope_->body.locals[v.local].is_var ? Alias::Variable : Alias::Constant;
      case Value::Op::Slot:
      case Value::Op::Call: return Alias::Variable;  // a function may give back what a slot holds
      case Value::Op::Builtin:
        switch (v.builtin) {
          // These always build their result; what is inside it may still be shared.
          case Builtin::TextSplit:
          case Builtin::TextLines:
          case Builtin::TextWords:
          case Builtin::TextLetters:
          case Builtin::Stopwords:
          case Builtin::ListConcat:
          case Builtin::ListRepeat:
          case Builtin::ListSlice:
          case Builtin::ListReversed:
          case Builtin::ListSorted:
          case Builtin::ListDistinct:
          case Builtin::ListRange:
          case Builtin::ListToSet:
          case Builtin::SetToList:
          case Builtin::SetUnion:
          case Builtin::MapUnion:
          case Builtin::SetIntersect:
          case Builtin::SetMinus:
          case Builtin::MapKeys:
          case Builtin::MapValues:
          case Builtin::Shuffled: return holds_containers(v.type) ? of_args() : Alias::Fresh;
          case Builtin::TextParse:
          case Builtin::TextForm:
          case Builtin::Copy: return Alias::Fresh;
          default: return of_args();
        }
      default: return of_args();
    }
  }
  Reg copy(Reg v, TypeId type) { return call(Builtin::Copy, type, {v, type_id(type)}); }
  /// A value that a variable, or a container that is a variable's, may take for its own.
  Reg owned(const Value& v) {
    Reg r = value(v);
    return alias(v) == Alias::Fresh ? r : copy(r, v.type);
  }
  Reg unchanging(const Value& v) {
    Reg r = value(v);
    return alias(v) == Alias::Variable ? copy(r, v.type) : r;
  }

  void roots_of(const Value& v, Roots& r) const {
    if (v.op == Value::Op::Local && scope_->body.locals[v.local].is_var) r.locals.insert(v.local);
    if (v.op == Value::Op::Slot) r.slots.insert(v.slot);
    if (v.op == Value::Op::Call) r.all_slots = true;
    for (const auto& a : v.args) roots_of(*a, r);
    for (const Walk& w : v.walks) {
      roots_of(*w.source, r);
      if (w.source2) roots_of(*w.source2, r);
    }
  }
  void changed_by(const Statements& list, bool own_locals, Roots& r) const {
    for (const Statement& s : list) {
      const bool in_place = s.op == Statement::Op::Mutate || (s.op == Statement::Op::Assign && !s.place.path.empty());
      if (in_place && s.place.is_slot) r.slots.insert(s.place.slot);
      if (in_place && !s.place.is_slot && own_locals) r.locals.insert(s.place.local);
      if (s.op == Statement::Op::Note && s.slot) r.slots.insert(s.slot - 1);
      if (s.op == Statement::Op::Step) changed_by(game_.steps[s.step].body.statements, false, r);
      if (s.op == Statement::Op::Ask) changed_by(game_.moves[s.move].body.statements, false, r);
      changed_by(s.body, own_locals, r);
      changed_by(s.otherwise, own_locals, r);
    }
  }

  // ---- values ------------------------------------------------------------------------------------------------------

  /// The value that stands for "nothing was said": 0, false, "", [], none.
  Reg empty(TypeId type) {
    const sema::Type& t = types_[type];
    if (t.kind != Kind::Record && t.kind != Kind::Tuple) return constant(type, 0);
    std::vector<Reg> fields;
    for (TypeId a : std::vector<TypeId>(t.args)) fields.push_back(empty(a));
    return record(type, fields);
  }
  Reg record(TypeId type, const std::vector<Reg>& fields) {
    Reg r = call(Builtin::RecordNew, type, {number(static_cast<int64_t>(fields.size()))});
    for (size_t i = 0; i < fields.size(); ++i)
      call_into(r, Builtin::RecordSet, {r, number(static_cast<int64_t>(i)), fields[i]});
    return r;
  }
  Reg as_float(const Value& v) {
    Reg r = value(v);
    return types_[v.type].kind == Kind::Int ? op(Op::IntToFloat, types_.float_, {r}) : r;
  }
  Reg to_text(Reg r, TypeId type) {
    switch (types_[type].kind) {
      case Kind::Text: return r;
      case Kind::Int: return call(Builtin::IntToText, types_.text_, {r});
      case Kind::Float: return call(Builtin::FloatToText, types_.text_, {r});
      case Kind::Bool: return call(Builtin::BoolToText, types_.text_, {r});
      case Kind::Enum: {
        std::vector<int64_t> names;
        for (const std::string& spelling : types_[type].spellings) names.push_back(l_.text(spelling));
        return call(Builtin::ListAt, types_.text_, {constant(l_.text_list, l_.list(names)), r});
      }
      default: return call(Builtin::ToText, types_.text_, {r, type_id(type)});
    }
  }
  Reg text_of(const Value& v) { return to_text(value(v), v.type); }

  /// The register that holds the value: a fresh one, or the local's own.
  Reg value(const Value& v) {
    Span before = at_;
    if (v.span.end > v.span.begin) at_ = v.span;  // what sema has added itself may have no place of its own
    Reg r = value_at(v);
    at_ = before;
    return r;
  }
  std::vector<Reg> values(const std::vector<sema::ValuePtr>& list) {
    std::vector<Reg> regs;
    for (const auto& v : list) regs.push_back(value(*v));
    return regs;
  }
  /// dst = v. Operands are read before dst is written, so v may mention dst.
  void value_into(Reg dst, const Value& v) { move(dst, value(v)); }

  Reg value_at(const Value& v) {
    using O = Value::Op;
    auto simple = [&](Op o) { return op(o, v.type, values(v.args)); };
    int64_t bits;
    switch (v.op) {
      case O::Int:
      case O::Float:
      case O::Bool:
      case O::Text:
      case O::None: l_.constant(v, bits); return constant(v.type, bits);
      case O::Local: return scope_->regs[v.local];
      case O::Slot: return op(Op::LoadSlot, v.type, {}, v.slot);
      case O::Field: return op(Op::LoadField, v.type, {}, v.index, v.segment);
      case O::Reply: return asking_ ? asking_->reply : op(Op::Reply, v.type, {});
      case O::Heard: return op(Op::Argument, v.type, {}, 0);
      case O::Builtin:
        if (v.builtin == Builtin::TextJoin && grows_in_place(v)) return join(v);
        if (v.builtin == Builtin::ToText && types_[v.args[0]->type].kind == Kind::Enum)
          return to_text(value(*v.args[0]), v.args[0]->type);
        return call(v.builtin, v.type, values(v.args));
      case O::Call: return op(Op::Call, v.type, values(v.args), v.function);
      case O::Concat: return concat(v);
      case O::AddInt: return simple(Op::AddInt);
      case O::SubInt: return simple(Op::SubInt);
      case O::MulInt: return simple(Op::MulInt);
      case O::NegInt: return simple(Op::NegInt);
      case O::AddFloat: return simple(Op::AddFloat);
      case O::SubFloat: return simple(Op::SubFloat);
      case O::MulFloat: return simple(Op::MulFloat);
      case O::NegFloat: return simple(Op::NegFloat);
      case O::IntToFloat: return simple(Op::IntToFloat);
      case O::EqInt: return simple(Op::EqInt);
      case O::LtInt: return simple(Op::LtInt);
      case O::LeInt: return simple(Op::LeInt);
      case O::EqFloat: return simple(Op::EqFloat);
      case O::LtFloat: return simple(Op::LtFloat);
      case O::LeFloat: return simple(Op::LeFloat);
      case O::Not: return simple(Op::Not);
      case O::And:
      case O::Or: {
        Reg dst = reg(v.type);
        BlockId rest = new_block(v.op == O::And ? "and" : "or"), done = new_block("known");
        for (size_t i = 0; i < v.args.size(); ++i) {
          value_into(dst, *v.args[i]);
          if (i + 1 == v.args.size()) break;
          v.op == O::And ? branch(dst, rest, done) : branch(dst, done, rest);
          begin(rest);
          if (i + 2 < v.args.size()) rest = new_block("rest");
        }
        fall_into(done);
        return dst;
      }
      case O::If: {
        Reg dst = reg(v.type);
        BlockId then = new_block("then"), otherwise = new_block("else"), done = new_block("chosen");
        condition(*v.args[0], then, otherwise);
        begin(then);
        value_into(dst, *v.args[1]);
        jump(done);
        begin(otherwise);
        value_into(dst, *v.args[2]);
        jump(done);
        begin(done);
        return dst;
      }
      case O::Bind:
        value_into(scope_->regs[v.local], *v.args[0]);
        return value(*v.args[1]);
      case O::MakeList: {
        if (l_.constant(v, bits)) return constant(v.type, bits);
        Reg list = call(Builtin::ListNew, v.type, {number(static_cast<int64_t>(v.args.size()))});
        for (const auto& a : v.args) {
          Reg item = value(*a);
          call_into(list, Builtin::ListPush, {list, item, type_id(v.type)});
        }
        return list;
      }
      case O::MakeSet: {
        Reg set = call(Builtin::SetNew, v.type, {number(static_cast<int64_t>(v.args.size()))});
        for (const auto& a : v.args) {
          Reg item = value(*a);
          call_into(set, Builtin::SetAdd, {set, item, type_id(v.type)});
        }
        return set;
      }
      case O::MakeMap: {
        Reg map = call(Builtin::MapNew, v.type, {number(static_cast<int64_t>(v.args.size() / 2))});
        for (size_t i = 0; i + 1 < v.args.size(); i += 2) {
          Reg key = value(*v.args[i]), item = value(*v.args[i + 1]);
          call_into(map, Builtin::MapSet, {map, key, item, type_id(v.type)});
        }
        return map;
      }
      case O::MakeRecord: return record(v.type, values(v.args));
      case O::GetField: return call(Builtin::RecordGet, v.type, {value(*v.args[0]), number(v.index)});
      case O::ListComprehension:
      case O::SetComprehension:
      case O::MapComprehension: return comprehension(v);
      case O::Any:
      case O::All: {
        const bool all = v.op == O::All;
        Reg dst = reg(v.type);
        emit(Op::Const, dst, {}, all);
        BlockId found = new_block("found"), done = new_block("decided");
        loop(v.walks[0], [&] {
          BlockId next = new_block("next");
          all ? condition(*v.args[0], next, found) : condition(*v.args[0], found, next);
          begin(next);
        });
        jump(done);
        begin(found);
        emit(Op::Const, dst, {}, !all);
        jump(done);
        begin(done);
        return dst;
      }
    }
    return constant(v.type, 0);
  }

  /// Whether a value comes without taking scratch, so that a text under construction stays at its top.
  static bool takes_no_scratch(const Value& v) {
    using O = Value::Op;
    switch (v.op) {
      case O::Int: case O::Bool: case O::Text: case O::Local: case O::Slot: case O::Field: return true;
      case O::Concat: case O::AddInt: case O::SubInt: case O::GetField: break;
      case O::Builtin:
        if (v.builtin != Builtin::TextAt && v.builtin != Builtin::ListAt && v.builtin != Builtin::MapGet) return false;
        break;
      default: return false;
    }
    return std::all_of(v.args.begin(), v.args.end(), [](const auto& a) { return takes_no_scratch(*a); });
  }

  /// join([e for …], ", ") needs no list: the text grows in place, since e leaves the top of the scratch alone.
  static bool grows_in_place(const Value& v) {
    const Value& list = *v.args[0];
    return list.op == Value::Op::ListComprehension && list.walks.size() == 1 && v.args[1]->op == Value::Op::Text &&
           !v.args[1]->text_value.empty() && list.args[0]->op == Value::Op::Concat && takes_no_scratch(*list.args[0]);
  }
  Reg join(const Value& v) {
    Reg text = reg(v.type), between = reg(v.type);
    emit(Op::Const, text, {}, 0);
    emit(Op::Const, between, {}, 0);
    loop(v.args[0]->walks[0], [&] {
      std::vector<Reg> parts = pieces(*v.args[0]->args[0]);
      parts.insert(parts.begin(), {text, between});
      emit(Op::Concat, text, std::move(parts));
      emit(Op::Const, between, {}, l_.text(v.args[1]->text_value));
    });
    return text;
  }

  Reg concat(const Value& v) {
    std::vector<Reg> parts = pieces(v);
    if (parts.empty()) return constant(v.type, 0);
    if (parts.size() == 1) return parts[0];
    return op(Op::Concat, v.type, std::move(parts));
  }

  /// The texts that an interpolation joins: nested ones become one, constants side by side too.
  std::vector<Reg> pieces(const Value& v) {
    std::vector<Reg> parts;
    std::string literal;
    auto flush = [&] {
      if (!literal.empty()) parts.push_back(constant(types_.text_, l_.text(literal)));
      literal.clear();
    };
    std::function<void(const Value&)> add = [&](const Value& x) {
      if (x.op == Value::Op::Concat) {
        for (const auto& a : x.args) add(*a);
      } else if (x.op == Value::Op::Text) {
        literal += x.text_value;
      } else {
        flush();
        parts.push_back(text_of(x));
      }
    };
    add(v);
    flush();
    return parts;
  }

  Reg comprehension(const Value& v) {
    using O = Value::Op;
    Reg capacity;
    const Walk& first = v.walks[0];
    Reg source = kNoReg;
    if (v.walks.size() == 1 && !first.condition && first.over == Walk::Over::List) {
      source = value(*first.source);
      capacity = call(Builtin::ListLength, types_.int_, {source});
    } else {
      capacity = number(0);
    }
    Reg result = call(v.op == O::ListComprehension  ? Builtin::ListNew
                      : v.op == O::SetComprehension ? Builtin::SetNew
                                                    : Builtin::MapNew,
                      v.type, {capacity});
    std::function<void(size_t)> walk = [&](size_t k) {
      if (k < v.walks.size()) {
        loop(v.walks[k], [&] { walk(k + 1); }, k == 0 ? source : kNoReg);
        return;
      }
      if (v.op == O::MapComprehension) {
        Reg key = value(*v.args[0]), item = value(*v.args[1]);
        call_into(result, Builtin::MapSet, {result, key, item, type_id(v.type)});
      } else {
        Reg item = value(*v.args[0]);
        call_into(result, v.op == O::ListComprehension ? Builtin::ListPush : Builtin::SetAdd,
                  {result, item, type_id(v.type)});
      }
    };
    walk(0);
    return result;
  }

  /// Branches on a condition, without a register for what `and`, `or` and `not` decide.
  void condition(const Value& v, BlockId then, BlockId otherwise) {
    using O = Value::Op;
    if (v.op == O::Not) return condition(*v.args[0], otherwise, then);
    if (v.op == O::And || v.op == O::Or) {
      for (size_t i = 0; i < v.args.size(); ++i) {
        if (i + 1 == v.args.size()) return condition(*v.args[i], then, otherwise);
        BlockId rest = new_block(v.op == O::And ? "and" : "or");
        v.op == O::And ? condition(*v.args[i], rest, otherwise) : condition(*v.args[i], then, rest);
        begin(rest);
      }
    }
    Reg c = value(v);
    branch(c, then, otherwise);
  }

  // ---- loops -------------------------------------------------------------------------------------------------------

  /// Walks over a source; the body ends in the block that goes on. Afterwards we are behind the loop, where a Break
  /// inside leads too. `source` is the walk's source when it has been computed already.
  void loop(const Walk& w, const std::function<void()>& body, Reg source = kNoReg) {
    BlockId done = new_block("done"), next = new_block("next");
    breaks_.push_back(done);
    if (w.over == Walk::Over::Range) {
      // The end is compared before the step, so that a range may end at the greatest int.
      Reg i = scope_->regs[w.names.at(0)];
      Reg low = value(*w.source), high = reg(types_.int_);
      value_into(high, *w.source2);
      move(i, low);
      BlockId each = new_block("each"), step = new_block("step");
      branch(op(Op::LeInt, types_.bool_, {i, high}), each, done);
      begin(each);
      loop_body(w, body, next);
      begin(next);
      branch(op(Op::EqInt, types_.bool_, {i, high}), done, step);
      begin(step);
      emit(Op::AddInt, i, {i, number(1)});
      jump(each, /*back=*/true);
    } else {
      TypeId type = w.source->type;
      Reg xs = reg(type);
      move(xs, source != kNoReg ? source : value(*w.source));
      if (w.over == Walk::Over::Text) {
        type = l_.text_list;
        xs = call(Builtin::TextLetters, type, {xs});
      }
      const bool set = w.over == Walk::Over::Set, map = w.over == Walk::Over::Map;
      Reg n = call(set ? Builtin::SetLength : map ? Builtin::MapLength : Builtin::ListLength, types_.int_, {xs});
      Reg i = reg(types_.int_);
      emit(Op::Const, i, {}, 0);
      BlockId head = new_block("loop"), each = new_block("each");
      jump(head);
      begin(head);
      branch(op(Op::LtInt, types_.bool_, {i, n}), each, done);
      begin(each);
      if (map) {
        call_into(scope_->regs[w.names.at(0)], Builtin::MapKeyAt, {xs, i});
        if (w.names.size() > 1) call_into(scope_->regs[w.names[1]], Builtin::MapValueAt, {xs, i});
      } else {
        Builtin get = set ? Builtin::SetAt : Builtin::ListAt;
        if (w.takes_tuple_apart) {
          Reg tuple = call(get, types_[type].args.at(0), {xs, i});
          for (size_t k = 0; k < w.names.size(); ++k)
            call_into(scope_->regs[w.names[k]], Builtin::RecordGet, {tuple, number(static_cast<int64_t>(k))});
        } else {
          call_into(scope_->regs[w.names.at(0)], get, {xs, i});
        }
      }
      loop_body(w, body, next);
      begin(next);
      emit(Op::AddInt, i, {i, number(1)});
      jump(head, /*back=*/true);
    }
    breaks_.pop_back();
    begin(done);
  }
  void loop_body(const Walk& w, const std::function<void()>& body, BlockId next) {
    if (w.condition) {
      BlockId inside = new_block("where");
      condition(*w.condition, inside, next);
      begin(inside);
    }
    body();
    if (open()) jump(next);
  }

  // ---- places ------------------------------------------------------------------------------------------------------

  bool immediate(TypeId t) const { return is_immediate(l_.program.manifest.types[t]); }
  void store_slot(uint32_t slot, Reg v) {
    TypeId type = game_.slots[slot].type;
    if (!immediate(type)) v = call(Builtin::Persist, type, {v, type_id(type)});
    emit(Op::StoreSlot, kNoReg, {v}, slot);
  }
  /// Replaces what a place holds by what `change` makes of it. `reads`: whether `change` wants to know the old value.
  void update(const sema::Place& place, bool reads, const std::function<Reg(Reg)>& change) {
    using P = sema::Place::Part;
    std::vector<Reg> keys;
    for (const P& part : place.path) keys.push_back(part.value ? value(*part.value) : kNoReg);
    const size_t n = place.path.size();
    std::vector<Reg> containers;
    Reg at = kNoReg;
    if (reads || n > 0) {
      if (place.is_slot) {
        at = op(Op::LoadSlot, place.root_type, {}, place.slot);
      } else {
        at = scope_->regs[place.local];
      }
    }
    for (size_t k = 0; k < n; ++k) {
      const P& part = place.path[k];
      containers.push_back(at);
      if (k + 1 == n && !reads) break;
      const sema::Type& t = types_[part.container];
      switch (part.kind) {
        case P::Kind::Index: at = call(Builtin::ListAt, t.args.at(0), {at, keys[k]}); break;
        case P::Kind::Key: at = call(Builtin::MapGet, t.args.at(1), {at, keys[k], type_id(part.container)}); break;
        case P::Kind::Field: at = call(Builtin::RecordGet, t.args.at(part.field), {at, number(part.field)}); break;
      }
    }
    Reg v = change(at);
    for (size_t k = n; k-- > 0;) {
      const P& part = place.path[k];
      const TypeId type = part.container;
      switch (part.kind) {
        case P::Kind::Index:
          v = call(Builtin::ListSet, type, {containers[k], keys[k], v, type_id(type)});
          break;
        case P::Kind::Key:
          v = call(Builtin::MapSet, type, {containers[k], keys[k], v, type_id(type)});
          break;
        case P::Kind::Field: {  // records are never changed in place: others may share them
          const std::vector<TypeId> fields = types_[type].args;
          std::vector<Reg> all;
          for (uint32_t f = 0; f < fields.size(); ++f)
            all.push_back(f == part.field ? v : call(Builtin::RecordGet, fields[f], {containers[k], number(f)}));
          v = record(type, all);
          break;
        }
      }
    }
    if (place.is_slot) {
      store_slot(place.slot, v);
    } else {
      move(scope_->regs[place.local], v);
    }
  }

  // ---- statements --------------------------------------------------------------------------------------------------

  void statements(const Statements& list) {
    for (const Statement& s : list) {
      Span before = at_;
      if (s.span.end > s.span.begin) at_ = s.span;
      statement(s);
      at_ = before;
    }
  }

  void statement(const Statement& s) {
    using O = Statement::Op;
    switch (s.op) {
      case O::Let: {
        Reg to = scope_->regs[s.local];
        move(to, s.copy || scope_->body.locals[s.local].is_var ? owned(*s.value) : unchanging(*s.value));
        break;
      }
      case O::Assign: {
        Reg v = owned(*s.value);
        update(s.place, false, [&](Reg) { return v; });
        break;
      }
      case O::Mutate: {
        std::vector<Reg> args;
        for (const auto& a : s.args) args.push_back(owned(*a));
        update(s.place, true, [&](Reg old) {
          const TypeId type = f_.regs[old].type;
          std::vector<Reg> all{old};
          all.insert(all.end(), args.begin(), args.end());
          if (all.size() + 1 == info(s.builtin).argc) all.push_back(type_id(type));
          return call(s.builtin, type, std::move(all));
        });
        break;
      }
      case O::Evaluate: value(*s.value); break;
      case O::If: {
        BlockId then = new_block("then"), done = new_block("endif");
        BlockId otherwise = s.otherwise.empty() ? done : new_block("else");
        condition(*s.value, then, otherwise);
        begin(then);
        statements(s.body);
        if (open()) jump(done);
        if (!s.otherwise.empty()) {
          begin(otherwise);
          statements(s.otherwise);
          if (open()) jump(done);
        }
        begin(done);
        break;
      }
      case O::For:
      case O::Round: {
        const Walk& w = *s.walk;
        Reg source = kNoReg;
        if (w.over != Walk::Over::Range && container(w.source->type)) {
          // A body that changes what it walks over walks over what was there before.
          Roots read, changed;
          roots_of(*w.source, read);
          changed_by(s.body, true, changed);
          source = value(*w.source);
          if (read.meets(changed)) source = copy(source, w.source->type);
        }
        loop(
            w,
            [&] {
              if (s.op == O::Round && s.outermost) {
                Reg before = call(Builtin::GetRounds, types_.int_, {});
                effect(Builtin::RoundStart, {op(Op::AddInt, types_.int_, {before, number(1)})});
              }
              statements(s.body);
            },
            source);
        break;
      }
      case O::Repeat: {
        BlockId head = new_block("repeat"), body = new_block("each"), done = new_block("done");
        Reg n = reg(types_.int_), i = reg(types_.int_);
        value_into(n, *s.value);
        emit(Op::Const, i, {}, 0);
        jump(head);
        begin(head);
        branch(op(Op::LtInt, types_.bool_, {i, n}), body, done);
        begin(body);
        breaks_.push_back(done);
        statements(s.body);
        breaks_.pop_back();
        if (open()) {
          emit(Op::AddInt, i, {i, number(1)});
          jump(head, /*back=*/true);
        }
        begin(done);
        break;
      }
      case O::Break:
        if (!breaks_.empty()) jump(breaks_.back());
        break;
      case O::Return:
        if (step_end_) {
          jump(*step_end_);
        } else {
          end_return(s.value ? value(*s.value) : kNoReg);
        }
        break;
      case O::Ask: ask(s); break;
      case O::Tell: {
        Reg v = text_of(*s.value);
        effect(Builtin::Tell, {number(s.player), v});
        break;
      }
      case O::Brief: {
        Reg v = text_of(*s.value);
        effect(Builtin::Brief, {number(s.player), v});
        break;
      }
      case O::Answer: {
        Reg v = text_of(*s.value);
        effect(Builtin::Say, {number(s.player), v});
        break;
      }
      case O::Say: {
        Reg v = text_of(*s.value);
        if (f_.kind == Function::Kind::Bot) {
          end_return(v);
        } else {
          effect(Builtin::Say, {number(s.player), v});
        }
        break;
      }
      case O::Note: {
        // Anything but a text is noted as a document.
        const bool plain = types_[s.value->type].kind == Kind::Text;
        Reg v = value(*s.value);
        if (!plain) v = call(Builtin::JsonText, types_.text_, {v, type_id(s.value->type)});
        if (s.slot) {
          TypeId type = game_.slots[s.slot - 1].type;
          Reg list = op(Op::LoadSlot, type, {}, s.slot - 1);
          store_slot(s.slot - 1, call(Builtin::ListPush, type, {list, v, type_id(type)}));
        }
        effect(plain ? Builtin::Note : Builtin::NoteJson, {constant(types_.text_, l_.text(s.text)), v});
        break;
      }
      case O::Reward: {
        Reg v = as_float(*s.value);
        effect(Builtin::Reward, {number(s.player), v});
        break;
      }
      case O::Finish: outcome(s); break;
      case O::Step: step(s); break;
      case O::Check: {
        BlockId fine = new_block("fine"), broken = new_block("broken");
        condition(*s.value, fine, broken);
        begin(broken);
        consequence(s);
        begin(fine);
        break;
      }
      case O::Format: format(s); break;
      case O::Gives: {
        if (!asking_) break;
        std::vector<std::pair<std::string, Reg>> given;
        for (size_t i = 0; i < s.args.size(); ++i) given.push_back({s.names.at(i), text_of(*s.args[i])});
        give(asking_->gives, given);
        break;
      }
      case O::Retry: retry(s); break;
      case O::Pass:
        if (!asking_) break;
        violation(kNoReg);
        effect(Builtin::CountParsed, {});
        jump(asking_->passed);
        break;
      case O::GenExperiment: {
        Reg name = text_of(*s.value);
        effect(Builtin::GenExperiment, {name});
        statements(s.body);
        break;
      }
      case O::GenInstances: instances(s); break;
      case O::GenField: {
        Reg v = value(*s.value);
        effect(Builtin::GenField, {number(s.slot), number(s.index), v});
        break;
      }
    }
  }

  void step(const Statement& s) {
    const sema::Step& step = game_.steps[s.step];
    std::vector<Reg> args;
    for (const auto& a : s.args) args.push_back(unchanging(*a));
    if (l_.outlined[s.step]) return call_part(s.step, std::move(args));
    BlockId done = new_block("after");
    std::vector<BlockId> breaks;
    std::swap(breaks, breaks_);
    BlockId* before = step_end_;
    step_end_ = &done;
    {
      Scope scope(*this, step.body);
      for (size_t i = 0; i < args.size(); ++i) move(scope.regs[i], args[i]);
      statements(step.body.statements);
    }
    step_end_ = before;
    std::swap(breaks, breaks_);
    if (open()) jump(done);
    begin(done);
  }

  void call_part(uint32_t step, std::vector<Reg> args) {
    Lowering::Place place;
    place.asking = asking_ != nullptr;
    place.breaking = place.asking && breaking_.active;
    place.retried = place.breaking && breaking_.retried;
    auto found = l_.parts.find({step, place});
    if (found == l_.parts.end()) {
      Builder b(l_, Function::Kind::Part, game_.steps[step].name, game_.steps[step].span);
      const bool returns = b.part(game_.steps[step], place);
      l_.program.functions.push_back(b.finish());
      const uint32_t function = static_cast<uint32_t>(l_.program.functions.size() - 1);
      found = l_.parts.emplace(std::pair{step, place}, Lowering::Part{function, returns}).first;
    }
    std::vector<Reg> all;
    if (place.asking) all.push_back(asked());
    if (place.breaking) all.push_back(broken());
    all.insert(all.end(), args.begin(), args.end());
    Reg ended = op(Op::Call, types_.bool_, std::move(all), found->second.function);
    if (!found->second.returns) return over();
    BlockId done = new_block("ended"), on = new_block("after");
    branch(ended, done, on);
    begin(done);
    over();
    begin(on);
  }

  void outcome(const Statement& s) {
    Reg score = s.value                         ? as_float(*s.value)
                : s.outcome == PPC_WON          ? constant(types_.float_, float_bits(100))
                : s.outcome == PPC_LOST         ? constant(types_.float_, float_bits(0))
                                                : constant(types_.float_, float_bits(std::numeric_limits<double>::quiet_NaN()));
    Reg reason = s.value2 ? text_of(*s.value2) : constant(types_.text_, 0);
    if (asking_) {
      violation(s.value2 ? reason : kNoReg);
      const bool violated = s.outcome == PPC_ABORTED && breaking_.active && !breaking_.retried;
      effect(violated ? Builtin::CountViolated : Builtin::CountParsed, {});
    }
    effect(Builtin::Finish, {number(s.outcome), score, reason});
    over();
  }
  void over() {
    if (f_.kind == Function::Kind::Part) end_return(constant(types_.bool_, 1));
    else end(of_kind(Terminator::Kind::Done));
  }

  void instances(const Statement& s) {
    // The host may want another number of instances than the game says.
    Reg n = reg(types_.int_);
    Reg wanted = op(Op::Argument, types_.int_, {}, 0);
    BlockId own = new_block("own"), other = new_block("override"), go = new_block("instances");
    branch(op(Op::LtInt, types_.bool_, {wanted, number(0)}), own, other);
    begin(own);
    value_into(n, *s.value);
    jump(go);
    begin(other);
    move(n, wanted);
    jump(go);
    begin(go);
    Reg i = reg(types_.int_);
    emit(Op::Const, i, {}, 0);
    BlockId head = new_block("loop"), each = new_block("each"), done = new_block("done");
    jump(head);
    begin(head);
    branch(op(Op::LtInt, types_.bool_, {i, n}), each, done);
    begin(each);
    effect(Builtin::GenInstance, {});
    if (s.has_local) move(scope_->regs[s.local], i);
    statements(s.body);
    if (open()) {
      emit(Op::AddInt, i, {i, number(1)});
      jump(head, /*back=*/true);
    }
    begin(done);
  }

  // ---- moves -------------------------------------------------------------------------------------------------------

  void ask(const Statement& s) {
    const sema::Move& m = game_.moves[s.move];
    const sema::AskResult* result =
        s.ask < game_.asks.size() && game_.asks[s.ask].move == s.move ? &game_.asks[s.ask] : nullptr;
    std::vector<Reg> fields;  // where the caller keeps the value; kNoReg: nowhere
    if (result)
      for (sema::LocalId local : result->locals) fields.push_back(scope_->regs[local]);
    const Span here = at_;

    Asking asking;
    asking.move = &m;
    asking.player = s.player;
    asking.index = s.move;
    BlockId done = new_block("answered");
    asking.again = new_block("ask");
    asking.passed = new_block("passed");
    BlockId resume = new_block("reply");
    if (!open()) current_ = new_block("dead");
    if (s.value) {
      asking.aside = reg(types_.text_, "aside");
      move(asking.aside, text_of(*s.value));
    }
    asking.before = current_;
    jump(asking.again);
    begin(asking.again);
    if (s.value) effect(Builtin::Aside, {number(s.player), number(s.move), asking.aside});
    else effect(Builtin::Ask, {number(s.player), number(s.move)});
    Terminator t;
    t.kind = Terminator::Kind::Ask;
    t.to = resume;
    t.player = s.player;
    t.move = s.move;
    end(t);

    begin(resume);
    asking.reply = call(Builtin::Got, types_.text_, {number(s.player), number(s.move)});
    f_.regs[asking.reply].name = "reply";
    asking.gives = reg(l_.text_list, "gives");
    emit(Op::Const, asking.gives, {}, 0);

    Asking* outer = asking_;
    asking_ = &asking;
    Breaking before = breaking_;
    breaking_ = {};
    std::vector<BlockId> breaks;
    std::swap(breaks, breaks_);
    std::vector<Reg> inner;  // the move's registers behind the fields
    {
      Scope scope(*this, m.body);
      statements(m.body.statements);
      at_ = here;
      if (open()) {
        effect(Builtin::Accept, {number(s.player), number(s.move), asking.gives});
        keep(m, fields, true, [&](size_t k) { return scope.regs[*m.fields[k]]; });
        jump(done);
      }
    }
    asking_ = outer;
    breaking_ = before;
    std::swap(breaks, breaks_);
    at_ = here;

    begin(asking.passed);
    keep_said(fields, asking.reply, false);
    keep(m, fields, false, [&](size_t k) { return empty(types_[m.value_type].args.at(k)); });
    jump(done);

    for (auto& [rule, counter] : asking.counters) {
      Instr zero;
      zero.op = Op::Const;
      zero.dst = counter;
      zero.span = here;
      f_.blocks[asking.before].instrs.push_back(std::move(zero));
    }
    begin(done);
  }
  void keep_said(const std::vector<Reg>& fields, Reg reply, bool accepted) {
    if (fields.size() > 0) move(fields[0], reply);
    if (fields.size() > 1) emit(Op::Const, fields[1], {}, accepted);
  }
  void keep(const sema::Move& m, const std::vector<Reg>& fields, bool accepted,
            const std::function<Reg(size_t)>& from) {
    if (accepted) keep_said(fields, asking_->reply, true);
    for (size_t k = 2; k < fields.size(); ++k)
      if (k < m.fields.size() && m.fields[k]) move(fields[k], from(k));
  }
  void give(Reg to, const std::vector<std::pair<std::string, Reg>>& given) {
    if (given.empty()) {
      emit(Op::Const, to, {}, 0);
      return;
    }
    call_into(to, Builtin::ListNew, {number(static_cast<int64_t>(2 * given.size()))});
    for (const auto& [name, v] : given) {
      call_into(to, Builtin::ListPush, {to, constant(types_.text_, l_.text(name)), type_id(l_.text_list)});
      call_into(to, Builtin::ListPush, {to, v, type_id(l_.text_list)});
    }
  }

  void format(const Statement& s) {
    if (!asking_) return;
    const sema::CompiledFormat& format = asking_->move->formats[s.format];
    uint32_t automaton = automaton_of(format);
    Reg subject = s.value ? value(*s.value) : asking_->reply;
    BlockId fine = new_block("matches"), broken = new_block("unread");
    branch(op(Op::Match, types_.bool_, {subject}, automaton, 1), fine, broken);
    begin(fine);
    for (size_t k = 0; k < format.captures.size(); ++k)
      if (format.captures[k]) emit(Op::Capture, scope_->regs[*format.captures[k]], {subject}, static_cast<int64_t>(k));
    BlockId go_on = new_block("read");
    jump(go_on);
    begin(broken);
    consequence(s);
    begin(go_on);
  }
  uint32_t automaton_of(const sema::CompiledFormat& format) {
    auto [it, fresh] = automata_.try_emplace(&format, static_cast<uint32_t>(l_.program.automata.size()));
    if (fresh) l_.program.automata.push_back(format.automaton);
    return it->second;
  }
  void consequence(const Statement& s) {
    Breaking before = breaking_;
    breaking_ = {true, false, s.rule, kNoReg};
    statements(s.otherwise);
    ended_without_outcome();
    breaking_ = before;
  }
  /// A rule without a consequence aborts.
  void ended_without_outcome() {
    if (!open()) return;
    Statement abort;
    abort.op = Statement::Op::Finish;
    abort.outcome = PPC_ABORTED;
    abort.span = at_;
    outcome(abort);
  }
  void violation(Reg reason) {
    if (!breaking_.active) return;
    effect(Builtin::Violation, {asked(), broken(), reason != kNoReg ? reason : constant(types_.text_, 0)});
  }
  Reg asked() { return asking_->who != kNoReg ? asking_->who : number(asking_->player); }
  Reg broken() { return breaking_.which != kNoReg ? breaking_.which : number(breaking_.rule); }
  void retry(const Statement& s) {
    if (!asking_) return;
    auto [it, fresh] = asking_->counters.try_emplace(breaking_.rule, kNoReg);
    if (fresh) it->second = reg(types_.int_, "retries");
    Reg counter = it->second;
    BlockId again = new_block("again"), spent = new_block("spent");
    Reg n = value(*s.value);
    branch(op(Op::LtInt, types_.bool_, {counter, n}), again, spent);
    begin(again);
    emit(Op::AddInt, counter, {counter, number(1)});
    Reg message = s.value2 ? text_of(*s.value2) : kNoReg;
    violation(message);
    effect(Builtin::CountParsed, {});
    if (message != kNoReg) {
      if (asking_->aside != kNoReg) move(asking_->aside, message);
      else effect(Builtin::Tell, {number(asking_->player), message});
    }
    jump(asking_->again, /*back=*/true);
    begin(spent);
    const bool before = breaking_.retried;
    breaking_.retried = true;
    statements(s.otherwise);
    ended_without_outcome();
    breaking_.retried = before;
  }

  Lowering& l_;
  const Game& game_;
  sema::TypeTable& types_;
  Function f_;
  BlockId current_ = kNoBlock;
  Span at_;
  Scope* scope_ = nullptr;
  Asking* asking_ = nullptr;
  Breaking breaking_;
  BlockId* step_end_ = nullptr;
  std::vector<BlockId> breaks_;
  std::map<const sema::CompiledFormat*, uint32_t> automata_;
};

uint32_t add(Program& p, Function f) {
  p.functions.push_back(std::move(f));
  return static_cast<uint32_t>(p.functions.size() - 1);
}
uint32_t add_entry(Program& p, Function f) {
  p.entries.push_back(add(p, std::move(f)));
  return static_cast<uint32_t>(p.entries.size() - 1);
}

}  // namespace

Program lower(const Game& game, const Sources& sources) {
  Lowering l(game, sources);
  Program& p = l.program;
  engine::Manifest& m = p.manifest;
  using K = Function::Kind;

  for (const sema::Function& fn : game.functions) {  // first: Call's imm is the model's index
    Builder b(l, K::Pure, fn.name, fn.span);
    b.pure(fn);
    add(p, b.finish());
  }
  {
    Builder b(l, K::Step, "play", {});
    b.mark_entry();
    b.play();
    m.step_entry = add_entry(p, b.finish());
  }
  {
    Builder b(l, K::Init, "init", {});
    b.mark_entry();
    b.init();
    m.init_entry = add_entry(p, b.finish());
  }
  for (const sema::Bot& bot : game.bots) {
    Builder b(l, K::Bot, "bot " + bot.name, bot.span);
    b.entry(bot.body, 0, l.types.text_);
    uint32_t entry = add_entry(p, b.finish());
    m.bots.push_back({bot.player < game.players.size() ? game.players[bot.player].name : "", bot.name, bot.doc,
                      bot.player, entry});
  }
  for (const sema::Metric& metric : game.metrics) {
    engine::MetricInfo info;
    info.name = metric.name;
    Builder b(l, K::Metric, "metric " + metric.name, metric.span);
    const bool family = metric.family != UINT32_MAX;
    if (family) info.family = metric.family;
    const bool tells = metric.tells != UINT32_MAX;
    if (tells) info.tells = metric.tells;
    b.entry(metric.body, metric.at ? 1 : 0, family ? metric.family : tells ? metric.tells : l.types.float_);
    if (metric.at) {
      Builder source(l, K::Metric, "turns of " + metric.name, metric.span);
      source.entry(metric.source, 0, l.int_list);
      info.entry = add_entry(p, source.finish());
      info.value_entry = add_entry(p, b.finish());
    } else {
      info.entry = add_entry(p, b.finish());
    }
    m.metrics.push_back(std::move(info));
  }
  for (const sema::Key& key : game.keys) {
    Builder b(l, K::Key, "key " + key.name, key.span);
    b.entry(key.body, 0, key.type);
    m.keys.push_back({key.name, key.type, add_entry(p, b.finish())});
  }
  for (size_t i = 0; i < game.moves.size(); ++i) {
    const sema::Move& move = game.moves[i];
    if (move.hole_texts.statements.empty()) continue;
    Builder b(l, K::Key, "texts for " + move.name, move.span);
    b.entry(move.hole_texts, 0, move.hole_texts.statements.back().value->type);
    m.moves.at(i).holes_entry = add_entry(p, b.finish());
  }
  if (game.generate) {
    Builder b(l, K::Generate, "generate", {});
    b.mark_entry();
    b.generate(*game.generate);
    m.generate_entry = add_entry(p, b.finish());
  }
  return std::move(l.program);
}

}  // namespace ppc::rules
