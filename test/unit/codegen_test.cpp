// Programs written by hand and by chance, run by the JIT at each level, from the cache and as a shared object: all must
// agree with each other, with the interpreter and with what is expected.
#include "compiler/codegen/cache.h"
#include "compiler/codegen/codegen.h"

#include <gtest/gtest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

#include "compiler/formats/formats.h"
#include "compiler/interp/interp.h"
#include "runtime/abi/context.h"
#include "runtime/abi/heap.h"
namespace {

using namespace ppc;
using codegen::Options;
using codegen::Tier;
using rules::Instr;
using rules::Op;
using rules::Reg;
using rules::Terminator;
using Kind = rules::Terminator::Kind;
namespace fs = std::filesystem;

// ---- writing programs -----------------------------------------------------------------------------------------------

Span at(uint32_t where) { return {0, where, where + 1}; }

struct Fn {
  rules::Function f;
  size_t block = 0;
  uint32_t where = 0;  // span of what comes next

  explicit Fn(std::string name, bool entry = true, uint32_t params = 0) {
    f.name = std::move(name);
    f.is_entry = entry;
    f.params = params;
    f.kind = rules::Function::Kind::Pure;
    for (uint32_t i = 0; i < params; ++i) reg();
    f.blocks.emplace_back();
  }
  Reg reg() {
    f.regs.push_back({"", 0});
    return static_cast<Reg>(f.regs.size() - 1);
  }
  size_t new_block() {
    f.blocks.emplace_back();
    return f.blocks.size() - 1;
  }
  void go(size_t b) { block = b; }
  void put(Instr i) {
    i.span = at(where);
    f.blocks[block].instrs.push_back(std::move(i));
  }
  Reg op(Op o, std::vector<Reg> args = {}, int64_t imm = 0, uint32_t imm2 = 0) {
    const Reg r = reg();
    to(r, o, std::move(args), imm, imm2);
    return r;
  }
  void to(Reg dst, Op o, std::vector<Reg> args = {}, int64_t imm = 0, uint32_t imm2 = 0) {
    Instr i;
    i.op = o;
    i.dst = dst;
    i.args = std::move(args);
    i.imm = imm;
    i.imm2 = imm2;
    put(i);
  }
  Reg rt(Builtin b, std::vector<Reg> args) {
    const Reg r = reg();
    Instr i;
    i.op = Op::Builtin;
    i.builtin = b;
    i.dst = r;
    i.args = std::move(args);
    put(i);
    return r;
  }
  void store(Op o, Reg value, int64_t imm) {
    Instr i;
    i.op = o;
    i.args = {value};
    i.imm = imm;
    put(i);
  }
  Reg number(int64_t n) { return op(Op::Const, {}, n); }
  Reg floating(double d) { return number(rt::from_float(d)); }
  Reg arg(int64_t n) { return op(Op::Argument, {}, n); }
  Terminator& end(Kind kind) {
    Terminator& t = f.blocks[block].end;
    t.kind = kind;
    t.span = at(where);
    return t;
  }
  void ret(Reg r) { end(Kind::Return).value = r; }
  void jump(size_t b, bool back = false) {
    Terminator& t = end(Kind::Jump);
    t.to = static_cast<rules::BlockId>(b);
    t.back_edge = back;
  }
  void branch(Reg c, size_t yes, size_t no) {
    Terminator& t = end(Kind::Branch);
    t.cond = c;
    t.to = static_cast<rules::BlockId>(yes);
    t.otherwise = static_cast<rules::BlockId>(no);
  }
};

// Indices of types in every program here.
enum : uint32_t { kInt, kFloat, kBool, kText, kTexts, kInts };

rules::Program empty_program() {
  rules::Program p;
  p.manifest.game = "sample";
  p.manifest.file = "sample.game";
  p.manifest.hash = "0123456789abcdef";
  p.manifest.players.push_back({"Guesser", "Guesser", false});
  auto type = [&](const char* kind, std::vector<uint32_t> args = {}) {
    engine::TypeInfo t;
    t.kind = kind;
    t.args = std::move(args);
    p.manifest.types.push_back(t);
  };
  type("int");
  type("float");
  type("bool");
  type("text");
  type("list", {kText});
  type("list", {kInt});
  p.manifest.slots = {{"a", kInt}, {"b", kInt}, {"c", kText}, {"d", kText}};
  p.pool.assign(8, '\0');
  return p;
}
int64_t pool_text(rules::Program& p, std::string_view s, bool ascii = true) {
  const size_t offset = p.pool.size();
  p.pool += s;
  return PPC_TEXT(PPC_POOL, ascii, offset, s.size());
}
uint32_t add(rules::Program& p, const Fn& fn) {
  p.functions.push_back(fn.f);
  if (fn.f.is_entry) p.entries.push_back(static_cast<uint32_t>(p.functions.size() - 1));
  return static_cast<uint32_t>(p.functions.size() - 1);
}

// ---- running them -----------------------------------------------------------------------------------------------------

struct Result {
  int64_t value = 0;
  uint32_t fault = 0, loc = 0;
  int64_t fuel = 0;
  std::string text;   // the value as a text, when asked for
  std::string state;  // all bytes
  uint32_t scratch = 0;
  friend bool operator==(const Result&, const Result&) = default;
};
std::ostream& operator<<(std::ostream& out, const Result& r) {
  return out << "value " << r.value << " fault " << r.fault << " at " << (r.loc >> 12) << ":" << (r.loc & 4095) << " fuel "
             << r.fuel << " text `" << r.text << "` state " << r.state.size() << " scratch " << r.scratch;
}

// Two pages, of which the second can't be touched.
class Page {
 public:
  Page() : size_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    base_ = static_cast<uint8_t*>(mmap(nullptr, 2 * size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED || mprotect(base_ + size_, size_, PROT_NONE) != 0) throw std::bad_alloc();
  }
  ~Page() { munmap(base_, 2 * size_); }
  Page(const Page&) = delete;
  Page& operator=(const Page&) = delete;
  uint8_t* end() { return base_ + size_; }

 private:
  size_t size_;
  uint8_t* base_;
};

class Host {
 public:
  explicit Host(const rules::Program& p) : slots_(p.manifest.slot_count() + p.frame_slots) {
    state_.resize(rt::state_size(slots_) / 8 + 1);
    rt::init_state(bytes(), slots_, 0, 7);
    ctx_->host = this;
    ctx_->grow_state = [](void* host, ppc_ctx*, uint32_t need) {
      auto* h = static_cast<Host*>(host);
      std::vector<int64_t> moved(need / 8 + 64);  // always somewhere else
      std::memcpy(moved.data(), h->bytes(), 8 * h->state_.size());
      h->state_.swap(moved);
      h->ctx_->state_cap = static_cast<uint32_t>(8 * h->state_.size());
      return h->bytes();
    };
    ctx_->state_limit = 1 << 20;
    ctx_->player_count = 1;
  }
  uint8_t* bytes() { return reinterpret_cast<uint8_t*>(state_.data()); }
  ppc_state* state() { return reinterpret_cast<ppc_state*>(bytes()); }
  ppc_ctx* ctx() { return ctx_.get(); }
  // In front of a page that can't be read: a read beyond the text would crash.
  void reply(std::string_view text, bool valid = true) {
    reply(text, valid, page_.end() - text.size());
  }
  // In front of bytes that would go on well.
  void reply_amidst(std::string_view text, std::string_view behind) {
    uint8_t* at = page_.end() - text.size() - behind.size();
    std::memcpy(at + text.size(), behind.data(), behind.size());
    reply(text, true, at);
  }
  void reply(std::string_view text, bool valid, uint8_t* to) {
    if (!text.empty()) std::memcpy(to, text.data(), text.size());
    const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 128; });
    ctx_->seg[PPC_REPLY] = to - 8;
    ctx_->reply = text.empty() ? 0 : PPC_TEXT(PPC_REPLY, ascii, 8, text.size());
    ctx_->reply_valid = valid;
  }
  std::string text(int64_t v) {
    return {reinterpret_cast<const char*>(ctx_->seg[PPC_SEGMENT(v)] + PPC_OFFSET(v)), PPC_LENGTH(v)};
  }
  Result run(const engine::GameModule& m, uint32_t entry, std::vector<int64_t> args, int64_t fuel, bool text_result) {
    ctx_.reset_step();
    ctx_->seg[PPC_STATE] = bytes();
    ctx_->seg[PPC_POOL] = const_cast<uint8_t*>(m.pool());
    ctx_->state_cap = static_cast<uint32_t>(8 * state_.size());
    ctx_->types = m.types();
    ctx_->type_fields = m.type_fields();
    ctx_->fuel = fuel;
    ctx_->loc = 0;
    ctx_->fault = 0;
    jmp_buf out;
    ctx_->on_fault = &out;
    volatile int64_t value = 0;
    if (setjmp(out) == 0) value = m.call(entry, ctx_.get(), args.data());
    ctx_->on_fault = nullptr;
    Result r;
    r.value = value;
    r.fault = ctx_->fault;
    if (r.fault) r.loc = ctx_->loc;  // else nobody looks
    r.fuel = r.fault == PPC_FAULT_STEPS ? -1 : ctx_->fuel;
    if (text_result && !r.fault) r.text = text(value);
    r.state.assign(reinterpret_cast<char*>(bytes()), state()->top);
    r.scratch = ctx_->scratch_top;
    return r;
  }

 private:
  uint32_t slots_;
  rt::Context ctx_{size_t{1} << 20};
  std::vector<int64_t> state_;
  Page page_;
};

class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "ppc-codegen-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("no temporary folder");
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

Options level(int n) {
  Options o;
  o.level = n;
  return o;
}

using Engines = std::vector<std::pair<std::string, std::shared_ptr<engine::GameModule>>>;

std::shared_ptr<engine::GameModule> so(const rules::Program& p, const Folder& folder, int n = 2) {
  const std::string path = (folder.path / ("game" + std::to_string(n) + ".so")).string();
  codegen::shared_object(p, level(n), path);
  return engine::load_shared(path);
}
Engines engines(const rules::Program& p, const Folder& folder, bool all = true) {
  Engines e;
  e.push_back({"interp", interp::make_interpreter(p)});
  e.push_back({"jit -O1", codegen::jit(p, level(1))});
  e.push_back({"jit -O2", codegen::jit(p, level(2))});
  if (all) {
    e.push_back({"jit -O0", codegen::jit(p, level(0))});
    e.push_back({"jit -O3", codegen::jit(p, level(3))});
    Options debug = level(2);
    debug.debug_info = debug.gdb = true;
    e.push_back({"jit -g", codegen::jit(p, debug)});
  }
  e.push_back({"so", so(p, folder)});
  return e;
}

// Runs an entry on all of them, with equal results, and gives the result.
Result run(const Engines& e, const rules::Program& p, uint32_t entry, const std::vector<int64_t>& args = {},
           int64_t fuel = 1000000, bool text = false, const std::function<void(Host&)>& before = {}) {
  Result first;
  for (size_t i = 0; i < e.size(); ++i) {
    Host host(p);
    host.reply("");
    if (before) before(host);
    Result r = host.run(*e[i].second, entry, args, fuel, text);
    if (i == 0) {
      first = r;
    } else {
      EXPECT_EQ(first, r) << e[0].first << " and " << e[i].first;
    }
  }
  return first;
}

// ---- numbers ----------------------------------------------------------------------------------------------------------

int64_t overflowing(Op op, int64_t a, int64_t b, bool& over) {
  int64_t r = 0;
  over = op == Op::AddInt   ? __builtin_add_overflow(a, b, &r)
         : op == Op::SubInt ? __builtin_sub_overflow(a, b, &r)
         : op == Op::MulInt ? __builtin_mul_overflow(a, b, &r)
                            : __builtin_sub_overflow(int64_t{0}, a, &r);
  return r;
}

TEST(Codegen, IntegersFaultOnOverflowAtTheirPlace) {
  rules::Program p = empty_program();
  Sources sources;
  sources.add("sample.game", "first\n\n   third\n");
  p.sources = &sources;
  const Op ops[] = {Op::AddInt, Op::SubInt, Op::MulInt, Op::NegInt};
  for (Op op : ops) {
    Fn f("f");
    f.where = 10;  // line 3, column 4
    Reg a = f.arg(0), b = f.arg(1);
    f.ret(f.op(op, op == Op::NegInt ? std::vector<Reg>{a} : std::vector<Reg>{a, b}));
    add(p, f);
  }
  Folder folder;
  const Engines e = engines(p, folder);
  const int64_t edge[] = {0, 1, -1, 7, -3, INT64_MAX, INT64_MIN, INT64_MAX / 2 + 1, int64_t{1} << 32};
  for (uint32_t k = 0; k < 4; ++k) {
    for (int64_t a : edge) {
      for (int64_t b : edge) {
        bool over = false;
        const int64_t want = overflowing(ops[k], a, b, over);
        const Result r = run(e, p, k, {a, b});
        EXPECT_EQ(r.fault, over ? PPC_FAULT_OVERFLOW : PPC_FAULT_NONE);
        if (over) {
          EXPECT_EQ(r.loc, rules::loc_of(&sources, at(10)));
          EXPECT_EQ(r.loc, 3u << 12 | 4u);
        } else {
          EXPECT_EQ(r.value, want);
        }
      }
    }
  }
}

TEST(Codegen, FloatsAreTheirBits) {
  rules::Program p = empty_program();
  const Op ops[] = {Op::AddFloat, Op::SubFloat, Op::MulFloat, Op::EqFloat, Op::LtFloat, Op::LeFloat};
  for (Op op : ops) {
    Fn f("f");
    f.ret(f.op(op, {f.arg(0), f.arg(1)}));
    add(p, f);
  }
  Fn negate("negate"), fused("fused"), convert("convert");
  negate.ret(negate.op(Op::NegFloat, {negate.arg(0)}));
  // a * b + c, which a fused multiply-add would round once only.
  fused.ret(fused.op(Op::AddFloat, {fused.op(Op::MulFloat, {fused.arg(0), fused.arg(1)}), fused.arg(2)}));
  convert.ret(convert.op(Op::IntToFloat, {convert.arg(0)}));
  add(p, negate);
  add(p, fused);
  add(p, convert);
  Folder folder;
  const Engines e = engines(p, folder);
  const double values[] = {0.0, -0.0, 1.5, -2.25, 1e308, 5e-324, INFINITY, -INFINITY, 0.1};
  for (double a : values) {
    for (double b : values) {
      const int64_t x = rt::from_float(a), y = rt::from_float(b);
      if (!std::isnan(a + b)) {
        EXPECT_EQ(rt::as_float(run(e, p, 0, {x, y}).value), a + b);
      }
      if (!std::isnan(a - b)) {
        EXPECT_EQ(rt::as_float(run(e, p, 1, {x, y}).value), a - b);
      }
      if (!std::isnan(a * b)) {
        EXPECT_EQ(rt::as_float(run(e, p, 2, {x, y}).value), a * b);
      }
      EXPECT_EQ(run(e, p, 3, {x, y}).value, a == b);
      EXPECT_EQ(run(e, p, 4, {x, y}).value, a < b);
      EXPECT_EQ(run(e, p, 5, {x, y}).value, a <= b);
    }
    EXPECT_EQ(run(e, p, 6, {rt::from_float(a)}).value, rt::from_float(-a));
  }
  const int64_t nan = rt::from_float(NAN), one = rt::from_float(1.0);
  for (uint32_t k : {3u, 4u, 5u}) EXPECT_EQ(run(e, p, k, {nan, one}).value, 0);
  EXPECT_EQ(run(e, p, 3, {nan, nan}).value, 0);
  volatile double q = 0.1;
  volatile double product = q * 10.0;
  EXPECT_EQ(rt::as_float(run(e, p, 7, {rt::from_float(0.1), rt::from_float(10.0), rt::from_float(-1.0)}).value), product - 1.0);
  EXPECT_EQ(rt::as_float(run(e, p, 8, {-12}).value), -12.0);
}

// ---- control, calls, fuel -----------------------------------------------------------------------------------------------

// sum of 0 .. n-1 with a call each: 2 steps a turn.
rules::Program loop_program() {
  rules::Program p = empty_program();
  Fn plus("plus", false, 2);
  plus.ret(plus.op(Op::AddInt, {0, 1}));
  add(p, plus);
  Fn f("sum");
  const Reg i = f.reg(), sum = f.reg(), one = f.reg();
  const Reg n = f.arg(0);
  f.to(i, Op::Const, {}, 0);
  f.to(sum, Op::Const, {}, 0);
  f.to(one, Op::Const, {}, 1);
  const size_t head = f.new_block(), body = f.new_block(), end = f.new_block();
  f.jump(head);
  f.go(head);
  f.branch(f.op(Op::LtInt, {i, n}), body, end);
  f.go(body);
  f.to(sum, Op::Call, {sum, i}, 0);
  f.to(i, Op::AddInt, {i, one});
  f.jump(head, true);
  f.go(end);
  f.ret(sum);
  add(p, f);
  return p;
}

TEST(Codegen, LoopsAndCallsTakeFuel) {
  const rules::Program p = loop_program();
  Folder folder;
  const Engines e = engines(p, folder);
  const Result done = run(e, p, 0, {100}, 1000);
  EXPECT_EQ(done.value, 4950);
  EXPECT_EQ(done.fuel, 800);
  EXPECT_EQ(run(e, p, 0, {100}, 200).value, 4950);
  EXPECT_EQ(run(e, p, 0, {100}, 199).fault, PPC_FAULT_STEPS);
  EXPECT_EQ(run(e, p, 0, {1000000}, 5000).fault, PPC_FAULT_STEPS);
  EXPECT_EQ(run(e, p, 0, {0}, 0).fault, PPC_FAULT_NONE);
}

TEST(Codegen, SuspendsAndResumes) {
  // b = 10; ask; b += reply's length, kept over the ask in a frame slot; ask; done.
  rules::Program p = empty_program();
  p.frame_slots = 1;
  const int64_t frame = 2 + static_cast<int64_t>(p.manifest.slots.size());
  Fn f("play");
  f.f.kind = rules::Function::Kind::Step;
  const size_t start = f.new_block(), second = f.new_block(), third = f.new_block();
  f.end(Kind::Resume).cases = {static_cast<uint32_t>(start), static_cast<uint32_t>(second), static_cast<uint32_t>(third)};
  f.go(start);
  f.store(Op::StoreFrame, f.number(10), frame);
  f.end(Kind::Suspend).imm = 1;
  f.go(second);
  const Reg sum = f.op(Op::AddInt, {f.op(Op::LoadFrame, {}, frame), f.rt(Builtin::TextLength, {f.op(Op::Reply)})});
  f.store(Op::StoreSlot, sum, 1);
  f.end(Kind::Suspend).imm = 2;
  f.go(third);
  f.store(Op::StoreSlot, f.op(Op::Outcome), 0);
  f.end(Kind::Done);
  add(p, f);
  Folder folder;
  for (const auto& [name, m] : engines(p, folder)) {
    Host host(p);
    EXPECT_EQ(host.run(*m, 0, {}, 100, false).value, PPC_ASKING) << name;
    EXPECT_EQ(host.state()->pc, 1u);
    EXPECT_EQ(host.state()->status, static_cast<uint32_t>(PPC_ASKING));
    host.reply("four");
    EXPECT_EQ(host.run(*m, 0, {}, 100, false).value, PPC_ASKING);
    EXPECT_EQ(host.state()->slots[2 + 1], 14) << name;
    host.state()->outcome = PPC_WON;
    EXPECT_EQ(host.run(*m, 0, {}, 100, false).value, PPC_DONE);
    EXPECT_EQ(host.state()->slots[2], PPC_WON);
    EXPECT_EQ(host.state()->status, static_cast<uint32_t>(PPC_DONE));
    host.state()->pc = 77;
    EXPECT_EQ(host.run(*m, 0, {}, 100, false).fault, PPC_FAULT_CLAIM);
  }
}

TEST(Codegen, StateMayMoveWhenItGrows) {
  // Persists a long text twice, then stores into slots: an address of the state kept over the call would be stale.
  rules::Program p = empty_program();
  Fn f("f");
  const Reg reply = f.op(Op::Reply), type = f.number(kText);
  f.store(Op::StoreSlot, f.rt(Builtin::Persist, {reply, type}), 2);
  const Reg twice = f.op(Op::Concat, {reply, reply, f.op(Op::LoadSlot, {}, 2)});
  f.store(Op::StoreSlot, f.rt(Builtin::Persist, {twice, type}), 3);
  const Reg kept = f.op(Op::LoadSlot, {}, 3);
  const Reg again = f.rt(Builtin::Persist, {kept, type});
  f.store(Op::StoreSlot, f.op(Op::EqInt, {kept, again}), 0);
  f.ret(again);
  add(p, f);
  Folder folder;
  const std::string reply_text(500, 'x');
  const Result r = run(engines(p, folder), p, 0, {}, 10000, true, [&](Host& h) { h.reply(reply_text); });
  EXPECT_EQ(r.text, std::string(1500, 'x'));
  int64_t same = 0;
  std::memcpy(&same, r.state.data() + PPC_SLOT_OFFSET(2), 8);
  EXPECT_EQ(same, 1);
}

// ---- texts and lists ------------------------------------------------------------------------------------------------------

TEST(Codegen, ShortWaysEqualTheRuntimes) {
  rules::Program p = empty_program();
  const std::string long_text(200, 'y');
  const std::vector<int64_t> texts = {0,
                                      pool_text(p, "abc"),
                                      pool_text(p, "abc"),
                                      pool_text(p, "abd"),
                                      pool_text(p, "abc", false),
                                      pool_text(p, "äöü", false),
                                      pool_text(p, long_text),
                                      pool_text(p, long_text),
                                      pool_text(p, std::string(201, 'y'))};
  auto entry = [&](auto&& make) {
    Fn f("f");
    f.ret(make(f));
    add(p, f);
    return static_cast<uint32_t>(p.entries.size() - 1);
  };
  const uint32_t equal = entry([](Fn& f) { return f.rt(Builtin::TextEq, {f.arg(0), f.arg(1)}); });
  const uint32_t length = entry([](Fn& f) { return f.rt(Builtin::TextLength, {f.arg(0)}); });
  const uint32_t letter = entry([](Fn& f) { return f.rt(Builtin::TextAt, {f.arg(0), f.arg(1)}); });
  const uint32_t persist = entry([](Fn& f) { return f.rt(Builtin::Persist, {f.arg(0), f.number(kText)}); });
  const uint32_t items = entry([](Fn& f) { return f.rt(Builtin::ListLength, {f.rt(Builtin::TextLetters, {f.arg(0)})}); });
  const uint32_t item = entry([](Fn& f) {
    return f.rt(Builtin::ListAt, {f.rt(Builtin::TextLetters, {f.arg(0)}), f.arg(1)});
  });
  const uint32_t keep = entry([](Fn& f) {
    const Reg list = f.rt(Builtin::Persist, {f.rt(Builtin::TextLetters, {f.arg(0)}), f.number(kTexts)});
    const Reg again = f.rt(Builtin::Persist, {list, f.number(kTexts)});
    return f.op(Op::EqInt, {list, again});
  });
  const uint32_t none = entry([](Fn& f) { return f.rt(Builtin::IsNone, {f.arg(0)}); });
  const uint32_t some = entry([](Fn& f) { return f.rt(Builtin::ValueOf, {f.rt(Builtin::Some, {f.arg(0)})}); });
  const uint32_t nothing = entry([](Fn& f) { return f.rt(Builtin::ValueOf, {f.arg(0)}); });
  const uint32_t record = entry([](Fn& f) {
    Reg r = f.rt(Builtin::RecordNew, {f.number(3)});
    r = f.rt(Builtin::RecordSet, {r, f.number(2), f.arg(0)});
    return f.rt(Builtin::RecordGet, {r, f.arg(1)});
  });
  const uint32_t empty_list = entry([](Fn& f) { return f.rt(Builtin::ListLength, {f.arg(0)}); });
  const uint32_t in_empty_list = entry([](Fn& f) { return f.rt(Builtin::ListAt, {f.arg(0), f.arg(1)}); });
  Folder folder;
  const Engines e = engines(p, folder);
  for (int64_t a : texts) {
    for (int64_t b : texts) {
      auto s = [&](int64_t t) { return p.pool.substr(PPC_OFFSET(t), PPC_LENGTH(t)); };
      EXPECT_EQ(run(e, p, equal, {a, b}).value, s(a) == s(b));
      run(e, p, equal, {a, b}, 2);  // whether fuel suffices is the same
    }
    run(e, p, length, {a});
    run(e, p, length, {a}, 1);
    run(e, p, persist, {a});
    run(e, p, items, {a});
    run(e, p, keep, {a});
    for (int64_t k : {int64_t{0}, int64_t{2}, int64_t{3}, int64_t{-1}, INT64_MAX, INT64_MIN, int64_t{1} << 32}) {
      run(e, p, letter, {a, k});
      run(e, p, item, {a, k});
    }
  }
  EXPECT_EQ(run(e, p, letter, {texts[5], 1}, 1000, true).text, "ö");
  EXPECT_EQ(run(e, p, letter, {texts[1], 2}, 1000, true).text, "c");
  EXPECT_EQ(run(e, p, letter, {texts[1], 3}).fault, PPC_FAULT_INDEX);
  EXPECT_EQ(run(e, p, item, {texts[1], 1}, 1000, true).text, "b");
  EXPECT_EQ(run(e, p, item, {texts[1], 3}).fault, PPC_FAULT_INDEX);
  EXPECT_EQ(run(e, p, none, {0}).value, 1);
  EXPECT_EQ(run(e, p, none, {texts[1]}).value, 0);
  EXPECT_EQ(run(e, p, some, {42}).value, 42);
  EXPECT_EQ(run(e, p, nothing, {0}).fault, PPC_FAULT_NONE_VALUE);
  EXPECT_EQ(run(e, p, record, {42, 2}).value, 42);
  EXPECT_EQ(run(e, p, record, {42, 1}).value, 0);
  EXPECT_EQ(run(e, p, empty_list, {0}).value, 0);
  EXPECT_EQ(run(e, p, in_empty_list, {0, 0}).fault, PPC_FAULT_INDEX);
}

TEST(Codegen, WantsEventsAndKeepsFuel) {
  rules::Program p = empty_program();
  const int64_t text = pool_text(p, "twelve bytes");
  Fn f("f");
  const Reg fuel = f.op(Op::LoadFuel);
  const Reg want = f.op(Op::WantEvents, {f.arg(0)}, 12);
  f.store(Op::StoreSlot, f.rt(Builtin::TextRepeat, {f.arg(0), f.number(100)}), 0);
  f.put([&] {
    Instr i;
    i.op = Op::StoreFuel;
    i.args = {fuel};
    return i;
  }());
  f.ret(want);
  add(p, f);
  Folder folder;
  const Engines e = engines(p, folder);
  EXPECT_EQ(run(e, p, 0, {text}, 500).value, 0);
  EXPECT_EQ(run(e, p, 0, {text}, 500).fuel, 500);
  EXPECT_EQ(run(e, p, 0, {text + 1}, 500).value, 1);  // a byte longer
  EXPECT_EQ(run(e, p, 0, {text}, 500, false, [](Host& h) { h.ctx()->want_events = 1; }).value, 1);
}

// ---- automata ---------------------------------------------------------------------------------------------------------------

using formats::Automaton;

// As automaton.h has it.
bool walk(const Automaton& a, std::string_view s, std::vector<uint32_t>& captures) {
  std::vector<uint32_t> reg(a.registers);
  auto apply = [&](uint32_t list, uint32_t now) {
    for (auto op : a.op_lists[list]) reg[op.to] = op.from == Automaton::kNow ? now : reg[op.from];
  };
  apply(a.start_ops, 0);
  uint32_t state = 0;
  for (uint32_t i = 0; i < s.size() && !a.states[state].rest; ++i) {
    const auto c = static_cast<uint8_t>(s[i]);
    const Automaton::Edge* edge = nullptr;
    for (const auto& e : a.states[state].edges) {
      if (e.low <= c && c <= e.high) edge = &e;
    }
    if (!edge) return false;
    apply(edge->ops, i);
    state = edge->next;
  }
  if (!a.states[state].accepts && !a.states[state].rest) return false;
  apply(a.states[state].final_ops, static_cast<uint32_t>(s.size()));
  captures.assign(reg.begin(), reg.begin() + 2 * a.captures);
  return true;
}

// "guess: " then letters (either case) as capture 0, "\n", then a line as capture 1, then anything.
Automaton guess_automaton() {
  Automaton a;
  a.op_lists = {{}, {{0, Automaton::kNow}}, {{1, Automaton::kNow}}, {{2, Automaton::kNow}}, {{3, Automaton::kNow}}};
  a.registers = 4;
  a.captures = 2;
  const std::string word = "guess: ";
  for (uint32_t i = 0; i < word.size(); ++i) {
    Automaton::State s;
    const auto c = static_cast<uint8_t>(word[i]);
    if (c >= 'a') s.edges.push_back({static_cast<uint8_t>(c - 32), static_cast<uint8_t>(c - 32), i + 1, 0});
    s.edges.push_back({c, c, i + 1, 0});
    a.states.push_back(s);
  }
  Automaton::State first, letters, line_start, line, rest;
  first.edges = {{'A', 'Z', 8, 1}, {'a', 'z', 8, 1}};
  letters.edges = {{'\n', '\n', 9, 2}, {'A', 'Z', 8, 0}, {'a', 'z', 8, 0}};
  line_start.edges = {{0, 9, 10, 3}, {11, 255, 10, 3}};
  line.edges = {{0, 9, 10, 0}, {'\n', '\n', 11, 4}, {11, 255, 10, 0}};
  line.accepts = true;
  line.final_ops = 4;
  rest.rest = rest.accepts = true;
  a.states.insert(a.states.end(), {first, letters, line_start, line, rest});
  return a;
}

// Random states with runs of letters, loops, captures and rests, so that each way of compiling a state is met.
Automaton random_automaton(std::mt19937& random) {
  auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  Automaton a;
  a.registers = 4;
  a.captures = 2;
  a.op_lists.push_back({});
  for (int i = 0; i < 5; ++i) {
    std::vector<Automaton::RegisterOp> ops;
    for (uint32_t k = 0; k <= below(3); ++k) ops.push_back({below(4), below(3) ? Automaton::kNow : below(4)});
    a.op_lists.push_back(ops);
  }
  const uint32_t states = 2 + below(24);
  for (uint32_t s = 0; s < states; ++s) {
    Automaton::State st;
    st.accepts = below(3) == 0;
    st.rest = below(12) == 0;
    st.accepts = st.accepts || st.rest;
    st.final_ops = below(2) ? below(6) : 0;
    auto ops = [&] { return below(3) ? 0 : below(6); };
    auto next = [&] { return below(3) ? std::min(s + 1, states - 1) : below(states); };
    const uint32_t shape = below(6);
    const auto c = static_cast<uint8_t>('a' + below(4));
    if (shape <= 1) {  // a letter, perhaps in either case
      const uint32_t to = next(), list = ops();
      if (shape == 1) st.edges.push_back({static_cast<uint8_t>(c - 32), static_cast<uint8_t>(c - 32), to, list});
      st.edges.push_back({c, c, to, list});
    } else if (shape == 2) {  // a range
      st.edges.push_back({'a', 'c', next(), ops()});
    } else if (shape == 3) {  // all but one byte stay
      const uint32_t list = ops();
      st.edges.push_back({0, static_cast<uint8_t>(c - 1), s, list});
      if (below(3)) st.edges.push_back({c, c, next(), ops()});
      st.edges.push_back({static_cast<uint8_t>(c + 1), 255, s, list});
    } else {  // pieces, some of which stay
      uint32_t from = below(5);
      for (uint32_t k = 0; k < 8 && from < 256; ++k) {
        const uint32_t to = std::min(255u, from + below(shape == 4 ? 60 : 3));
        st.edges.push_back({static_cast<uint8_t>(from), static_cast<uint8_t>(to), below(2) ? s : next(), ops()});
        from = to + 1 + below(3) * below(20);
        if (from < 'a' && below(2)) from = 'a';
      }
    }
    a.states.push_back(st);
  }
  a.start_ops = below(6);
  return a;
}

std::string random_text(std::mt19937& random, const Automaton& a) {
  auto below = [&](size_t n) { return random() % n; };
  // Mostly a walk along the edges, so that long texts have a chance.
  std::string s;
  uint32_t state = 0;
  const size_t length = below(3) ? below(24) : below(200);
  while (s.size() < length) {
    const auto& edges = a.states[state].edges;
    if (edges.empty() || below(40) == 0) {
      s += static_cast<char>(below(128));
      if (edges.empty()) continue;
    }
    const auto& e = edges[below(edges.size())];
    size_t c = e.low + below(static_cast<size_t>(e.high - e.low) + 1);
    s += static_cast<char>(c);
    state = e.next;
  }
  return s;
}

// Entry 0: whether automaton 0 matches the reply; slots 0 and 1: where capture 0 and 1 lie.
void add_match(rules::Program& p, uint32_t automaton, bool needs_valid) {
  Fn f("reads");
  const Reg reply = f.op(Op::Reply);
  const Reg ok = f.op(Op::Match, {reply}, automaton, needs_valid);
  const size_t yes = f.new_block(), no = f.new_block();
  f.branch(ok, yes, no);
  f.go(yes);
  f.store(Op::StoreSlot, f.op(Op::Capture, {reply}, 0), 0);
  f.store(Op::StoreSlot, f.op(Op::Capture, {reply}, 1), 1);
  f.ret(ok);
  f.go(no);
  f.ret(ok);
  add(p, f);
}

void check_match(const Engines& e, const rules::Program& p, uint32_t entry, const Automaton& a, const std::string& text) {
  std::vector<uint32_t> want;
  const bool ok = walk(a, text, want);
  std::vector<uint32_t> theirs(2 * a.captures + 1);
  ASSERT_EQ(formats::match(a, text.data(), static_cast<uint32_t>(text.size()), theirs.data()), ok);
  if (ok) {
    theirs.resize(2 * a.captures);
    ASSERT_EQ(theirs, want);
  }
  for (const auto& [name, m] : e) {
    Host host(p);
    for (bool amidst : {false, true}) {
      if (amidst) {
        host.reply_amidst(text, text + "\nazAZ  and whatever else a reply may have");
      } else {
        host.reply(text);
      }
      const Result r = host.run(*m, entry, {}, 100, false);
      ASSERT_EQ(r.value, ok) << name << " on `" << text << "`";
      if (!ok) continue;
      const uint32_t* captures = host.ctx()->captures;
      ASSERT_EQ(std::vector<uint32_t>(captures, captures + 2 * a.captures), want) << name;
    }
  }
}

TEST(CodegenMatch, ReadsWhatAFormatSays) {
  rules::Program p = empty_program();
  p.automata.push_back(guess_automaton());
  add_match(p, 0, true);
  Folder folder;
  const Engines e = engines(p, folder);
  auto capture = [&](const std::string& reply) {
    Host host(p);
    host.reply(reply);
    const Result r = host.run(*e.back().second, 0, {}, 100, false);
    return r.value ? host.text(host.state()->slots[2]) + "|" + host.text(host.state()->slots[3]) : "no";
  };
  EXPECT_EQ(capture("guess: apple\nbecause I say so"), "apple|because I say so");
  EXPECT_EQ(capture("GUESS: Pear\nx\nand more\nlines"), "Pear|x");
  EXPECT_EQ(capture("guess: apple"), "no");
  EXPECT_EQ(capture("guess: \n"), "no");
  EXPECT_EQ(capture("gues"), "no");
  for (size_t n = 1; n < 70; ++n)
    check_match(e, p, 0, p.automata[0], "guess: " + std::string(n, 'q') + "\n" + std::string(n, '.') + "\n");
  Host host(p);
  host.reply("guess: apple\nyes", false);
  EXPECT_EQ(host.run(*e.back().second, 0, {}, 100, false).value, 0) << "a reply that was not valid matches nothing";
}

TEST(CodegenMatch, RandomAutomata) {
  std::mt19937 random(20240607);
  for (int round = 0; round < 10; ++round) {
    rules::Program p = empty_program();
    for (uint32_t k = 0; k < 4; ++k) {
      p.automata.push_back(random_automaton(random));
      add_match(p, k, false);
    }
    Folder folder;
    const Engines e = engines(p, folder, round == 0);
    for (uint32_t k = 0; k < 4; ++k) {
      for (int i = 0; i < 100; ++i) {
        check_match(e, p, k, p.automata[k], random_text(random, p.automata[k]));
        if (HasFatalFailure()) return;
      }
    }
  }
}

// ---- programs by chance -----------------------------------------------------------------------------------------------------

// Straight code, branches and bounded loops over a few integer and float registers, all of which are observed at the end.
rules::Program random_program(std::mt19937& random) {
  auto below = [&](uint32_t n) { return static_cast<uint32_t>(random() % n); };
  rules::Program p = empty_program();
  const std::vector<std::string> words = {"", "a", "word", "wörter", "the quick brown fox", std::string(80, 'z')};
  std::vector<int64_t> texts;
  for (const auto& w : words) texts.push_back(w.empty() ? 0 : pool_text(p, w, w != "wörter"));
  auto body = [&](Fn& f, std::vector<Reg> ints, std::vector<Reg> floats, std::vector<Reg> strings, uint32_t callable) {
    auto of = [&](const std::vector<Reg>& v) { return v[below(static_cast<uint32_t>(v.size()))]; };
    auto some = [&](int depth, auto&& self) -> void {
      for (uint32_t k = 0; k < 2 + below(6); ++k) {
        f.where = below(400);
        switch (below(depth > 0 ? 16 : 12)) {
          case 0: f.to(of(ints), Op::Const, {}, below(4) ? static_cast<int64_t>(below(7)) - 3 : INT64_MAX - below(3)); break;
          case 1: f.to(of(ints), Op::Move, {of(ints)}); break;
          case 2: {
            const Op ops[] = {Op::AddInt, Op::SubInt, Op::MulInt};
            f.to(of(ints), ops[below(3)], {of(ints), of(ints)});
            break;
          }
          case 3: f.to(of(ints), Op::NegInt, {of(ints)}); break;
          case 4: {
            const Op ops[] = {Op::EqInt, Op::LtInt, Op::LeInt};
            f.to(of(ints), ops[below(3)], {of(ints), of(ints)});
            break;
          }
          case 5: {
            const Op ops[] = {Op::AddFloat, Op::SubFloat, Op::MulFloat};
            f.to(of(floats), ops[below(3)], {of(floats), of(floats)});
            break;
          }
          case 6: {
            const Op ops[] = {Op::EqFloat, Op::LtFloat, Op::LeFloat};
            f.to(of(ints), ops[below(3)], {of(floats), of(floats)});
            break;
          }
          case 7: f.to(of(floats), Op::IntToFloat, {of(ints)}); break;
          case 8: f.to(of(ints), Op::Not, {of(ints)}); break;
          case 9: {
            const Builtin two[] = {Builtin::TextEq, Builtin::TextContains, Builtin::TextFind};
            Instr i;
            i.op = Op::Builtin;
            i.dst = of(ints);
            if (below(3)) {
              i.builtin = two[below(3)];
              i.args = {of(strings), of(strings)};
            } else {
              i.builtin = Builtin::TextLength;
              i.args = {of(strings)};
            }
            f.put(i);
            break;
          }
          case 10: {
            Instr i;
            i.op = Op::Builtin;
            i.dst = of(strings);
            if (below(2)) {
              i.builtin = Builtin::TextAt;
              i.args = {of(strings), of(ints)};
            } else {
              i.builtin = Builtin::TextSlice;
              i.args = {of(strings), of(ints), of(ints)};
            }
            f.put(i);
            break;
          }
          case 11:
            if (below(2)) {
              f.to(of(strings), Op::Const, {}, texts[below(static_cast<uint32_t>(texts.size()))]);
            } else if (callable && below(2)) {
              f.to(of(ints), Op::Call, {of(ints), of(ints)}, below(callable));
            } else {
              f.to(of(strings), Op::Concat, {of(strings), of(strings)});
            }
            break;
          case 12:
          case 13: {
            const size_t yes = f.new_block(), no = f.new_block(), on = f.new_block();
            f.branch(of(ints), yes, no);
            f.go(yes);
            self(depth - 1, self);
            f.jump(on);
            f.go(no);
            self(depth - 1, self);
            f.jump(on);
            f.go(on);
            break;
          }
          case 14: {
            const Reg i = f.reg(), n = f.number(below(6)), one = f.number(1), go_on = f.reg();
            const size_t head = f.new_block(), inside = f.new_block(), on = f.new_block();
            f.to(i, Op::Const, {}, 0);
            f.jump(head);
            f.go(head);
            f.to(go_on, Op::LtInt, {i, n});
            f.branch(go_on, inside, on);
            f.go(inside);
            self(depth - 1, self);
            f.to(i, Op::AddInt, {i, one});
            f.jump(head, true);
            f.go(on);
            break;
          }
          case 15: {
            const Reg v = of(ints);
            f.store(Op::StoreSlot, v, below(2));
            f.to(of(ints), Op::LoadSlot, {}, below(2));
            break;
          }
        }
      }
    };
    some(3, some);
  };
  auto make = [&](Fn& f, uint32_t callable, const std::vector<Reg>& given) {
    std::vector<Reg> ints = given, floats, strings;
    for (int i = 0; i < 3; ++i) ints.push_back(f.number(static_cast<int64_t>(below(9)) - 4));
    for (int i = 0; i < 3; ++i) floats.push_back(f.floating(static_cast<double>(below(9)) / 4.0 - 1.0));
    for (int i = 0; i < 2; ++i) strings.push_back(f.number(texts[below(static_cast<uint32_t>(texts.size()))]));
    body(f, ints, floats, strings, callable);
    // One number of all of it.
    Reg sum = f.number(0);
    for (Reg r : ints) sum = f.op(Op::Not, {f.op(Op::EqInt, {f.op(Op::LtInt, {sum, r}), r})});
    for (Reg r : floats) sum = f.op(Op::EqInt, {sum, f.op(Op::LtFloat, {r, f.floating(0.3)})});
    for (size_t i = 0; i < ints.size() && i < 2; ++i) f.store(Op::StoreSlot, ints[i], static_cast<int64_t>(i));
    for (size_t i = 0; i < 2; ++i)
      f.store(Op::StoreSlot, f.rt(Builtin::Persist, {strings[i], f.number(kText)}), 2 + static_cast<int64_t>(i));
    f.ret(sum);
  };
  for (uint32_t k = 0; k < 2; ++k) {
    Fn callee("callee", false, 2);
    make(callee, k, {0, 1});
    add(p, callee);
  }
  Fn f("main");
  make(f, 2, {f.arg(0), f.arg(1)});
  add(p, f);
  return p;
}

TEST(Codegen, RandomPrograms) {
  std::mt19937 random(4711);
  Sources sources;
  std::string text;
  for (int i = 0; i < 40; ++i) text += "123456789\n";
  sources.add("random.game", text);
  int faults = 0;
  for (int round = 0; round < 60; ++round) {
    rules::Program p = random_program(random);
    p.sources = &sources;
    Folder folder;
    Engines e;
    try {
      e = engines(p, folder, round % 10 == 0);
    } catch (const std::exception& x) {
      FAIL() << "round " << round << ": " << x.what();
    }
    for (int k = 0; k < 6; ++k) {
      const std::vector<int64_t> args = {static_cast<int64_t>(random() % 11) - 5, static_cast<int64_t>(random() % 11) - 5};
      const int64_t fuel = k == 5 ? static_cast<int64_t>(random() % 40) : 100000;
      faults += run(e, p, 0, args, fuel).fault != 0;
    }
    ASSERT_FALSE(HasFailure()) << "round " << round << "\n" << codegen::llvm_ir(p, level(0));
  }
  EXPECT_GT(faults, 5);  // else the programs are too tame
}

// ---- cache --------------------------------------------------------------------------------------------------------------------

std::vector<fs::path> files(const fs::path& folder) {
  std::vector<fs::path> result;
  for (const auto& f : fs::directory_iterator(folder)) result.push_back(f.path());
  return result;
}

TEST(CodegenCache, CachedEqualsFresh) {
  const rules::Program p = loop_program();
  Folder folder;
  Options o = level(1);
  o.cache_dir = (folder.path / "deep" / "cache").string();
  codegen::Timing t;
  const auto fresh = codegen::jit(p, o, &t);
  EXPECT_FALSE(t.cached);
  const auto cached = codegen::jit(p, o, &t);
  EXPECT_TRUE(t.cached);
  EXPECT_EQ(t.lower + t.optimise + t.emit, 0);
  run({{"fresh", fresh}, {"cached", cached}}, p, 0, {10});
  ASSERT_EQ(files(o.cache_dir).size(), 1u);
  o.level = 2;  // another key
  codegen::jit(p, o, &t);
  EXPECT_FALSE(t.cached);
  EXPECT_EQ(files(o.cache_dir).size(), 2u);
  o.debug_info = true;
  codegen::jit(p, o, &t);
  EXPECT_FALSE(t.cached);
}

TEST(CodegenCache, PlacesArePartOfTheKey) {
  Folder folder;
  Options o = level(1);
  o.cache_dir = folder.path.string();
  for (const char* text : {"one line of it", "\n\nlines\n"}) {
    rules::Program p = loop_program();
    p.functions[1].blocks[2].instrs[1].span = at(5);
    Sources sources;
    sources.add("a.game", text);
    p.sources = &sources;
    codegen::Timing t;
    codegen::jit(p, o, &t);
    EXPECT_FALSE(t.cached) << "ctx->loc would be of the other text";
  }
}

TEST(CodegenCache, DamagedFilesAreMadeAnew) {
  const rules::Program p = loop_program();
  Folder folder;
  Options o = level(1);
  o.cache_dir = folder.path.string();
  codegen::jit(p, o);
  const fs::path file = files(folder.path).at(0);
  std::string good;
  {
    std::ifstream in(file, std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::mt19937 random(1);
  std::vector<std::string> bad = {"", "x", good.substr(0, 8), good.substr(0, 24), good.substr(0, good.size() / 2),
                                  good.substr(0, good.size() - 1), good + "x", std::string(good.size(), '\0')};
  for (int i = 0; i < 12; ++i) {
    bad.push_back(good);
    bad.back()[random() % good.size()] ^= static_cast<char>(1 << random() % 8);
  }
  for (const std::string& b : bad) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << b;
    codegen::Timing t;
    const auto m = codegen::jit(p, o, &t);
    EXPECT_FALSE(t.cached);
    EXPECT_EQ(run({{"jit", m}}, p, 0, {10}).value, 45);
    codegen::jit(p, o, &t);
    EXPECT_TRUE(t.cached) << "it should have been written again";
  }
  // A cache that can't be had costs nothing but time.
  o.cache_dir = (file / "below a file").string();
  EXPECT_EQ(run({{"jit", codegen::jit(p, o)}}, p, 0, {10}).value, 45);
}

TEST(CodegenCache, WhatWasNotUsedForLongestGoes) {
  Folder folder;
  const std::string at = folder.path.string();
  const std::string object(10'000, 'x');
  const auto used = [&](const std::string& name, int64_t hours_ago) {
    const int64_t when = std::time(nullptr) - 3600 * hours_ago;
    const timespec times[2] = {{when, 0}, {when - 7200, 0}};  // read later than written
    ASSERT_EQ(utimensat(AT_FDCWD, name.c_str(), times, 0), 0);
  };
  const codegen::Cache all(at, 0);
  for (int i = 0; i < 10; ++i) {
    const std::string key = "k" + std::to_string(i);
    all.put(key, object);
    used(all.path(key), i == 3 ? 1 : 20 - i);
  }
  EXPECT_EQ(files(folder.path).size(), 10u) << "no limit";
  std::ofstream(folder.path / "somebody's own file") << object;
  std::ofstream(all.path("half") + ".1.2.tmp") << object;
  std::ofstream(all.path("being written") + ".1.3.tmp") << object;
  used(all.path("half") + ".1.2.tmp", 3);
  const codegen::Cache cache(at, 60'000);
  const auto reader = std::ifstream(cache.path("k0"), std::ios::binary);
  cache.put("new", object);  // 11 entries; down to seven eighths of six
  for (const char* gone : {"k0", "k1", "k2", "k4", "k5", "k6"}) EXPECT_FALSE(cache.get(gone)) << gone;
  for (const char* there : {"k3", "k7", "k8", "k9", "new"}) EXPECT_EQ(cache.get(there), object) << there;
  EXPECT_TRUE(reader.good());
  EXPECT_TRUE(fs::exists(folder.path / "somebody's own file"));
  EXPECT_FALSE(fs::exists(all.path("half") + ".1.2.tmp"));
  EXPECT_TRUE(fs::exists(all.path("being written") + ".1.3.tmp"));
  // One that is larger than the limit stays until the next comes.
  codegen::Cache(at, 5'000).put("large", object);
  EXPECT_EQ(cache.get("large"), object);
  EXPECT_FALSE(cache.get("new"));
}

TEST(CodegenCache, ManyWritersAndPruners) {
  Folder folder;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const codegen::Cache cache(folder.path.string(), 20'000);
      for (int i = 0; i < 100; ++i) {
        const std::string key = "k" + std::to_string((i * 7 + t) % 30), object(2'000 + static_cast<size_t>(i), static_cast<char>('a' + t));
        cache.put(key, object);
        const auto found = cache.get(key);
        EXPECT_TRUE(!found || (found->size() >= 2'000 && found->find_first_not_of((*found)[0]) == std::string::npos));
      }
    });
  }
  for (std::thread& t : threads) t.join();
  codegen::Cache(folder.path.string(), 20'000).put("last", std::string(2'000, 'z'));
  uint64_t total = 0;
  for (const fs::path& f : files(folder.path)) total += fs::file_size(f);
  EXPECT_LE(total, 20'000u);
}

TEST(CodegenCache, ManyWritersOfOneKey) {
  const rules::Program p = loop_program();
  Folder folder;
  Options o = level(1);
  o.cache_dir = folder.path.string();
  std::vector<std::thread> threads;
  std::vector<int64_t> results(8);
  for (size_t i = 0; i < results.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto m = codegen::jit(p, o);
      Host host(p);
      results[i] = host.run(*m, 0, {10}, 100, false).value;
    });
  }
  for (auto& t : threads) t.join();
  for (int64_t r : results) EXPECT_EQ(r, 45);
  EXPECT_EQ(files(folder.path).size(), 1u);
}

// ---- shared objects and text ----------------------------------------------------------------------------------------------------

std::string output_of(const std::string& command) {
  std::string result;
  FILE* pipe = popen(command.c_str(), "r");
  char buffer[4096];
  while (size_t n = fread(buffer, 1, sizeof buffer, pipe)) result.append(buffer, n);
  pclose(pipe);
  return result;
}

TEST(CodegenShared, ExportsOneSymbolAndNeedsTheRuntimeOnly) {
  std::mt19937 random(3);
  rules::Program p = random_program(random);
  p.automata.push_back(guess_automaton());
  add_match(p, 0, true);
  for (int n : {0, 1, 2, 3}) {
    Folder folder;
    const auto m = so(p, folder, n);
    EXPECT_STREQ(m->engine(), "so");
    EXPECT_EQ(m->manifest().game, "sample");
    EXPECT_EQ(files(folder.path).size(), 1u) << "temporary files should be gone";
    const std::string path = files(folder.path)[0].string();
    std::istringstream lines(output_of("nm -D --format=posix " + path));
    std::string name, type, rest;
    std::vector<std::string> defined;
    while (lines >> name >> type && std::getline(lines, rest)) {
      if (type == "U" || type == "w") {
        EXPECT_TRUE(name.starts_with("ppc_rt_")) << name;
      } else {
        defined.push_back(name);
      }
    }
    EXPECT_EQ(defined, std::vector<std::string>{"ppc_module"});
  }
}

TEST(CodegenShared, SaysWhatWentWrong) {
  const rules::Program p = loop_program();
  try {
    codegen::shared_object(p, level(1), "/nonexistent-folder/game.so");
    FAIL();
  } catch (const std::runtime_error& e) {
    EXPECT_NE(std::string(e.what()).find("/nonexistent-folder/"), std::string::npos) << e.what();
  }
  Folder folder;
  const std::string path = getenv("PATH");
  setenv("PATH", folder.path.c_str(), 1);  // no linker at all
  std::string what;
  try {
    codegen::shared_object(p, level(1), (folder.path / "game.so").string());
  } catch (const std::runtime_error& e) {
    what = e.what();
  }
  // One that says no.
  {
    std::ofstream(folder.path / "ld") << "#!/bin/sh\necho 'not today' >&2\nexit 3\n";
    fs::permissions(folder.path / "ld", fs::perms::owner_all);
  }
  std::string refused;
  try {
    codegen::shared_object(p, level(1), (folder.path / "game.so").string());
  } catch (const std::runtime_error& e) {
    refused = e.what();
  }
  setenv("PATH", path.c_str(), 1);
  for (const char* linker : {"ld", "ld.lld", "cc"}) EXPECT_NE(what.find(linker), std::string::npos) << what;
  EXPECT_NE(refused.find("ld: not today"), std::string::npos) << refused;
  EXPECT_EQ(files(folder.path).size(), 1u);  // the linker; nothing of ours
}

TEST(CodegenShared, DebugInfoNamesFunctionsAndLines) {
  rules::Program p = loop_program();
  Sources sources;
  sources.add("sample.game", "a\nb\nc\n");
  p.sources = &sources;
  p.functions[1].name = "move Guess";
  Options o = level(2);
  o.debug_info = true;
  const std::string ir = codegen::llvm_ir(p, o);
  EXPECT_NE(ir.find("DISubprogram(name: \"move Guess\""), std::string::npos);
  EXPECT_NE(ir.find("DIFile(filename: \"sample.game\""), std::string::npos);
  o.debug_info = false;
  EXPECT_EQ(codegen::llvm_ir(p, o).find("DISubprogram"), std::string::npos);
}

TEST(Codegen, PerfIsToldNamesAndLines) {
  rules::Program p = loop_program();
  Sources sources;
  sources.add("sample.game", "a\nb\nc\n");
  p.sources = &sources;
  p.functions[1].name = "move Guess";
  Folder folder;
  setenv("JITDUMPDIR", folder.path.c_str(), 1);
  Options o = level(2);
  o.perf = true;
  EXPECT_EQ(run({{"jit", codegen::jit(p, o)}}, p, 0, {10}).value, 45);
  unsetenv("JITDUMPDIR");
  std::string dump;
  for (const auto& f : fs::recursive_directory_iterator(folder.path)) {
    if (!f.is_regular_file()) continue;
    std::ifstream in(f.path(), std::ios::binary);
    dump.assign(std::istreambuf_iterator<char>(in), {});
  }
  ASSERT_GT(dump.size(), 40u);
  EXPECT_EQ(dump.substr(0, 4), "DTiJ");
  EXPECT_EQ(dump.substr(32, 8), std::string(8, '\0')) << "perf inject refuses flags that it does not know";
  EXPECT_NE(dump.find(std::string("move Guess") + '\0'), std::string::npos);
  EXPECT_NE(dump.find(std::string("sample.game") + '\0'), std::string::npos);
}

TEST(CodegenShared, TextForms) {
  const rules::Program p = loop_program();
  EXPECT_NE(codegen::llvm_ir(p, level(0)).find("alloca"), std::string::npos);
  EXPECT_EQ(codegen::llvm_ir(p, level(1)).find("alloca i64, align"), std::string::npos);
  EXPECT_NE(codegen::assembly(p, level(1)).find("ppc_module"), std::string::npos);
  EXPECT_EQ(codegen::object(p, level(1)).substr(0, 4), "\x7f" "ELF");
  EXPECT_EQ(codegen::object(p, level(1)), codegen::object(p, level(1))) << "the same program gives the same bytes";
  rules::Program named = p;
  named.manifest.moves.push_back({"Guess", "", ""});
  named.manifest.moves.push_back({"guess", "", ""});
  const std::string header = codegen::header(named);
  for (const char* part : {"PPC_SAMPLE_ENTRY_STEP = 0,", "PPC_SAMPLE_PLAYER_GUESSER = 0,", "PPC_SAMPLE_MOVE_GUESS = 0,",
                           "PPC_SAMPLE_MOVE_GUESS_2 = 1,", "PPC_SAMPLE_SLOT_A = 2,", "dlsym"})
    EXPECT_NE(header.find(part), std::string::npos) << part << "\n" << header;
  Folder folder;
  std::ofstream(folder.path / "sample.h") << header;
  const std::string compile = "cc -std=c11 -Wall -Werror -fsyntax-only -I" PPC_SOURCE_DIR " " +
                              (folder.path / "sample.h").string() + " 2>&1";
  EXPECT_EQ(output_of(compile), "");
}

// ---- what is not well-formed ------------------------------------------------------------------------------------------------------

TEST(Codegen, BadProgramsAreRefused) {
  auto refused = [](const char* part, const std::function<void(rules::Program&, rules::Function&)>& change) {
    rules::Program p = loop_program();
    p.automata.push_back(guess_automaton());
    change(p, p.functions[1]);
    try {
      codegen::jit(p, level(1));
      ADD_FAILURE() << "taken: " << part;
    } catch (const std::runtime_error& e) {
      EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what();
    }
  };
  refused("function `sum`: a register", [](auto&, auto& f) { f.blocks[0].instrs[0].dst = 99; });
  refused("function `sum`: a block", [](auto&, auto& f) { f.blocks[0].end.to = 99; });
  refused("function `sum`: a call", [](auto&, auto& f) { f.blocks[2].instrs[0].imm = 99; });
  refused("function `sum`: a call that does not fit", [](auto&, auto& f) { f.blocks[2].instrs[0].args.pop_back(); });
  refused("function `sum`: an `ask`", [](auto&, auto& f) { f.blocks[0].end.kind = Kind::Ask; });
  refused("an entry", [](auto& p, auto&) { p.entries[0] = 0; });
  refused("an entry", [](auto& p, auto&) { p.entries[0] = 12; });
  refused("bad automaton", [](auto& p, auto&) { p.automata[0].states[0].edges[0].next = 99; });
  refused("bad automaton", [](auto& p, auto&) { p.automata[0].op_lists[1][0].to = 99; });
}

}  // namespace
