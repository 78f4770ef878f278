// How many moves a game can take: intervals for ints, maxima for the lengths of collections, and the sum over play.
#include "compiler/sema/checker.h"

namespace ppc::sema {

using B = ppc::Builtin;
using Op = Value::Op;
using S = Statement::Op;

namespace {

constexpr int64_t kMin = INT64_MIN, kMax = INT64_MAX;  // also: not known

int64_t clamp(__int128 x) { return x > kMax ? kMax : x < kMin ? kMin : static_cast<int64_t>(x); }
/// For counts: kMax stays kMax.
int64_t plus(int64_t a, int64_t b) { return a == kMax || b == kMax ? kMax : clamp(static_cast<__int128>(a) + b); }
int64_t times(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return 0;
  return a == kMax || b == kMax ? kMax : clamp(static_cast<__int128>(a) * b);
}

struct Info {
  int64_t low = kMin, high = kMax;  // of an int
  int64_t length = kMax;            // of a collection, at most
};
using Env = std::vector<Info>;

struct Cost {
  std::vector<int64_t> moves;
  int64_t total = 0, rounds = 0;
};

bool same(const Value& a, const Value& b) {
  if (a.op != b.op) return false;
  switch (a.op) {
    case Op::Int: return a.int_value == b.int_value;
    case Op::Local: return a.local == b.local;
    case Op::Slot: return a.slot == b.slot;
    case Op::Field: return a.segment == b.segment && a.index == b.index;
    default: return false;
  }
}

class Counter {
 public:
  Counter(Game& game, diag::Emitter& out) : game_(game), out_(out) {}

  void run() {
    for (const Move& m : game_.moves) {
      Env env(m.body.locals.size());
      attempts_.push_back(plus(1, retries(m.body.statements, env, m.body)));
    }
    Env env(game_.play.locals.size());
    Cost c = cost(game_.play.statements, env);
    game_.bounds = {std::move(c.moves), c.total, c.rounds};
  }

 private:
  // ---- values ---------------------------------------------------------------------------------------------------

  Info info(const Value& v, Env& env) {
    // Functions may call functions twice, and those again: what costs too much is simply not known.
    if (++work_ > 200'000) return {};
    const TypeTable& t = game_.types;
    Info r;
    auto arg = [&](size_t i) { return info(*v.args[i], env); };
    switch (v.op) {
      case Op::Int: r.low = r.high = v.int_value; return r;
      case Op::Text: {
        r.length = 0;
        for (char c : v.text_value) r.length += (c & 0xC0) != 0x80;
        return r;
      }
      case Op::Local: return env[v.local];
      case Op::Field: {
        const Field& f = v.segment == PPC_EXPERIMENT ? game_.experiment[v.index]
                         : v.segment == PPC_INSTANCE ? game_.instance[v.index]
                                                     : game_.resources[v.index];
        if (t[f.type].kind == Kind::Int) {
          r.low = f.low.value_or(kMin);
          r.high = f.high.value_or(kMax);
        } else {
          r.length = f.high.value_or(kMax);
        }
        return r;
      }
      case Op::AddInt: {
        Info a = arg(0), b = arg(1);
        r.low = a.low == kMin || b.low == kMin ? kMin : clamp(static_cast<__int128>(a.low) + b.low);
        r.high = a.high == kMax || b.high == kMax ? kMax : clamp(static_cast<__int128>(a.high) + b.high);
        return r;
      }
      case Op::SubInt: {
        Info a = arg(0), b = arg(1);
        r.low = a.low == kMin || b.high == kMax ? kMin : clamp(static_cast<__int128>(a.low) - b.high);
        r.high = a.high == kMax || b.low == kMin ? kMax : clamp(static_cast<__int128>(a.high) - b.low);
        return r;
      }
      case Op::MulInt: {
        Info a = arg(0), b = arg(1);
        if (a.low == kMin || b.low == kMin || a.high == kMax || b.high == kMax) return r;
        __int128 p[] = {static_cast<__int128>(a.low) * b.low, static_cast<__int128>(a.low) * b.high,
                        static_cast<__int128>(a.high) * b.low, static_cast<__int128>(a.high) * b.high};
        __int128 lo = p[0], hi = p[0];
        for (__int128 x : p) {
          if (x < lo) lo = x;
          if (x > hi) hi = x;
        }
        r.low = clamp(lo);
        r.high = clamp(hi);
        return r;
      }
      case Op::NegInt: {
        Info a = arg(0);
        if (a.high != kMax) r.low = -a.high;
        if (a.low != kMin) r.high = -a.low;
        return r;
      }
      case Op::If: {
        Info a = arg(1), b = arg(2);
        r.length = std::max(a.length, b.length);
        const Value& c = *v.args[0];
        if (c.op == Op::LtInt) {
          // min and max are written so.
          if (same(*v.args[1], *c.args[0]) && same(*v.args[2], *c.args[1])) {
            r.low = std::min(a.low, b.low);
            r.high = std::min(a.high, b.high);
            return r;
          }
          if (same(*v.args[1], *c.args[1]) && same(*v.args[2], *c.args[0])) {
            r.low = std::max(a.low, b.low);
            r.high = std::max(a.high, b.high);
            return r;
          }
        }
        r.low = std::min(a.low, b.low);
        r.high = std::max(a.high, b.high);
        return r;
      }
      case Op::Bind:
        env[v.local] = arg(0);
        return arg(1);
      case Op::MakeList: case Op::MakeSet: r.length = static_cast<int64_t>(v.args.size()); return r;
      case Op::MakeMap: r.length = static_cast<int64_t>(v.args.size() / 2); return r;
      case Op::ListComprehension: case Op::SetComprehension: case Op::MapComprehension:
        r.length = 1;
        for (const Walk& w : v.walks) {
          r.length = times(r.length, count(w, env));
          names(w, env);
        }
        return r;
      case Op::Call: {
        const Function& f = game_.functions[v.function];
        if (f.body.statements.size() != 1 || f.body.statements[0].op != S::Return) return r;
        Env inner(f.body.locals.size());
        for (size_t i = 0; i < v.args.size(); ++i) inner[i] = arg(i);
        return info(*f.body.statements[0].value, inner);
      }
      case Op::Builtin: break;
      default: return r;
    }
    switch (v.builtin) {
      case B::ListLength: case B::SetLength: case B::MapLength: case B::TextLength:
        r.low = 0;
        r.high = arg(0).length;
        return r;
      case B::ListCountOf: case B::TextCount: case B::GetRounds: case B::GetRequests: case B::GetParsed: case B::GetViolated:
        r.low = 0;
        return r;
      case B::IntMod: {
        Info b = arg(1);
        if (b.low > 0 && b.high != kMax) {
          r.low = 0;
          r.high = b.high - 1;
        }
        return r;
      }
      case B::IntDiv: {
        Info a = arg(0), b = arg(1);
        if (b.low > 0 && a.low >= 0) {
          r.low = 0;
          r.high = a.high == kMax ? kMax : a.high / b.low;
        }
        return r;
      }
      case B::Draw: {
        Info a = arg(0);
        r.low = 0;
        if (a.high != kMax) r.high = std::max<int64_t>(0, a.high - 1);
        return r;
      }
      case B::ListRange: {
        Info a = arg(0), b = arg(1);
        r.length = a.low == kMin || b.high == kMax ? kMax : std::max<int64_t>(0, clamp(static_cast<__int128>(b.high) - a.low + 1));
        return r;
      }
      case B::ListSorted: case B::ListReversed: case B::ListDistinct: case B::Shuffled: case B::SetToList: case B::ListToSet:
      case B::MapKeys: case B::MapValues: case B::Copy: case B::SetMinus: case B::TextLower: case B::TextTrimmed: case B::TextLetters:
        // (Lower-casing may lengthen a text; only lists are worth a bound here.)
        if (v.builtin == B::TextLower) return r;
        r.length = arg(0).length;
        return r;
      case B::SetIntersect: r.length = std::min(arg(0).length, arg(1).length); return r;
      case B::SetUnion: case B::MapUnion: case B::ListConcat: r.length = plus(arg(0).length, arg(1).length); return r;
      case B::ListRepeat: {
        Info n = arg(1);
        r.length = times(arg(0).length, n.high == kMax ? kMax : std::max<int64_t>(0, n.high));
        return r;
      }
      case B::ListSlice: {
        Info a = arg(0), from = arg(1), to = arg(2);
        r.length = a.length;
        if (from.low >= 0 && to.high != kMax) r.length = std::min(r.length, std::max<int64_t>(0, to.high - from.low));
        return r;
      }
      default: return r;
    }
  }

  int64_t count(const Walk& w, Env& env) {
    Info a = info(*w.source, env);
    if (w.over != Walk::Over::Range) return a.length;
    Info b = info(*w.source2, env);
    if (b.high == kMax || a.low == kMin) return kMax;
    return std::max<int64_t>(0, clamp(static_cast<__int128>(b.high) - a.low + 1));
  }
  void names(const Walk& w, Env& env) {
    for (LocalId id : w.names) env[id] = {};
    if (w.over != Walk::Over::Range) return;
    env[w.names[0]].low = info(*w.source, env).low;
    env[w.names[0]].high = info(*w.source2, env).high;
  }

  void let(const Statement& s, const Body& body, Env& env) {
    env[s.local] = body.locals[s.local].is_var ? Info{} : info(*s.value, env);
  }

  // ---- moves ----------------------------------------------------------------------------------------------------

  int64_t retries(const Statements& list, Env& env, const Body& body) {
    int64_t n = 0;
    for (const Statement& s : list) {
      if (s.op == S::Let) let(s, body, env);
      if (s.op == S::For) names(*s.walk, env);
      if (s.op == S::Retry) {
        Info times = info(*s.value, env);
        if (times.high == kMax) {
          out_.emit(kUnbounded, s.value->span, {"`retry`"})
              .hint("give the number a range where it is declared: `int 0..20`, or take `min(…, 20)`");
        }
        n = plus(n, std::max<int64_t>(0, times.high == kMax ? 0 : times.high));
      }
      if (s.op == S::Step) {
        const Step& step = game_.steps[s.step];
        Env inner(step.body.locals.size());
        for (size_t i = 0; i < s.args.size(); ++i) inner[i] = info(*s.args[i], env);
        n = plus(n, retries(step.body.statements, inner, step.body));
      }
      n = plus(n, plus(retries(s.body, env, body), retries(s.otherwise, env, body)));
    }
    return n;
  }

  void add(Cost& to, const Cost& from) {
    for (size_t i = 0; i < to.moves.size(); ++i) to.moves[i] = plus(to.moves[i], from.moves[i]);
    to.total = plus(to.total, from.total);
    to.rounds = plus(to.rounds, from.rounds);
  }
  Cost zero() const {
    Cost c;
    c.moves.assign(game_.players.size(), 0);
    return c;
  }
  Cost loop(const char* what, Span at, int64_t n, Cost body) {
    if (n == kMax && body.total > 0) {
      if (reported_.insert({at.file, at.begin}).second)
        out_.emit(kUnbounded, at, {what})
            .hint("it asks: give the number a range where it is declared (`int 1..20`), the list a maximum (`[text] max 5`), or take `min(…, 20)`");
      n = 1;
    }
    for (int64_t& m : body.moves) m = times(m, n);
    body.total = times(body.total, n);
    body.rounds = times(body.rounds, n);
    return body;
  }

  Cost cost(const Statements& list, Env& env) { return cost(list, env, game_.play); }
  Cost cost(const Statements& list, Env& env, const Body& body) {
    Cost c = zero();
    for (const Statement& s : list) {
      switch (s.op) {
        case S::Let: let(s, body, env); break;
        case S::Ask: {
          int64_t n = attempts_[s.move];
          c.moves[s.player] = plus(c.moves[s.player], n);
          c.total = plus(c.total, n);
          break;
        }
        case S::If: {
          Cost a = cost(s.body, env, body), b = cost(s.otherwise, env, body);
          for (size_t i = 0; i < a.moves.size(); ++i) a.moves[i] = std::max(a.moves[i], b.moves[i]);
          a.total = std::max(a.total, b.total);
          a.rounds = std::max(a.rounds, b.rounds);
          add(c, a);
          break;
        }
        case S::For: case S::Round: {
          int64_t n = count(*s.walk, env);
          names(*s.walk, env);
          Cost inner = cost(s.body, env, body);
          if (s.op == S::Round && s.outermost) inner.rounds = 1;
          Span at = s.walk->source->span;
          if (s.walk->source2) at.end = std::max(at.end, s.walk->source2->span.end);
          add(c, loop(s.op == S::Round ? "`round`" : "`for`", at, n, std::move(inner)));
          break;
        }
        case S::Repeat: {
          Info n = info(*s.value, env);
          add(c, loop("`repeat`", s.value->span, n.high == kMax ? kMax : std::max<int64_t>(0, n.high), cost(s.body, env, body)));
          break;
        }
        case S::Step: {
          const Step& step = game_.steps[s.step];
          Env inner(step.body.locals.size());
          for (size_t i = 0; i < s.args.size(); ++i) inner[i] = info(*s.args[i], env);
          add(c, cost(step.body.statements, inner, step.body));
          break;
        }
        default: break;
      }
    }
    return c;
  }

  Game& game_;
  diag::Emitter& out_;
  std::vector<int64_t> attempts_;
  std::set<std::pair<uint32_t, uint32_t>> reported_;
  int64_t work_ = 0;
};

}  // namespace

void compute_bounds(Game& game, diag::Emitter& out) { Counter(game, out).run(); }

}  // namespace ppc::sema
