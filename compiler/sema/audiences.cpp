// Who may know what. Every value carries the set of players who may know it; labels follow data, not control. Variables
// and state keep the join of all that is ever put into them: the analysis goes round until nothing changes, and then
// once more to report.
#include <algorithm>
#include <array>
#include <tuple>

#include "compiler/sema/checker.h"

namespace ppc::sema {

using Op = Value::Op;
using S = Statement::Op;

namespace {

/// How a secret came here: through this place, from `next`; the last one is the declaration.
struct Why {
  std::string text;
  Span span;
  const Why* next;
};

struct Label {
  Audience mask = UINT32_MAX;
  std::array<const Why*, PPC_MAX_PLAYERS> why{};  // for each player that is not in the mask
};

using Env = std::vector<Label>;

class Audiences {
 public:
  Audiences(Game& game, const Facts& facts, diag::Emitter& out) : game_(game), facts_(facts), out_(out) {
    everyone_ = (1u << game.players.size()) - 1;
  }

  void run() {
    auto declared = [&](const std::vector<Field>& fields, std::vector<Label>& to) {
      for (const Field& f : fields) to.push_back(secret(f.audience, f.name, f.span));
    };
    declared(game_.experiment, experiment_);
    declared(game_.instance, instance_);
    declared(game_.resources, resources_);
    for (size_t i = 0; i < game_.slots.size(); ++i) {
      const Slot& s = game_.slots[i];
      bool own = facts_.slot_declared[i] || !facts_.slot_owner[i].empty();
      slots_.push_back(own ? secret(s.audience, s.name, s.span) : Label{});
    }
    init_.resize(game_.init.locals.size());
    moves_.resize(game_.moves.size());
    for (size_t i = 0; i < game_.moves.size(); ++i) moves_[i].resize(game_.moves[i].body.locals.size());
    play_.resize(game_.play.locals.size());
    do {
      changed_ = false;
      pass();
    } while (changed_);
    reporting_ = true;
    pass();
    for (size_t i = 0; i < game_.functions.size(); ++i) reveals_in(game_.functions[i].body.statements, everyone_count(), false);
    for (size_t i = 0; i < game_.bots.size(); ++i) bot(game_.bots[i]);
    for (size_t i = 0; i < game_.slots.size(); ++i)
      if (!facts_.slot_declared[i] && facts_.slot_owner[i].empty()) game_.slots[i].audience = slots_[i].mask & everyone_;
    auto order = [](const Disclosure& d) { return std::tuple(d.span.file, d.span.begin, d.player, d.bot, d.conditional); };
    std::sort(game_.disclosures.begin(), game_.disclosures.end(), [&](auto& a, auto& b) { return order(a) < order(b); });
  }

 private:
  struct Summary {
    uint32_t pass = 0;
    Label base;
    std::vector<bool> params;
  };
  struct Where {
    Env* env;
    Audience told;     // who hears reasons and retries
    Label condition;   // what the enclosing conditions know
  };

  uint32_t everyone_count() const { return static_cast<uint32_t>(game_.players.size()); }

  Label secret(Audience who, const std::string& name, Span span) {
    Label l;
    Audience missing = everyone_ & ~who;
    if (!missing) return l;
    chain_.push_back({name, span, nullptr});
    for (size_t p = 0; p < game_.players.size(); ++p)
      if (missing >> p & 1) {
        l.mask &= ~(1u << p);
        l.why[p] = &chain_.back();
      }
    return l;
  }

  static bool join(Label& to, const Label& from) {
    Audience lost = to.mask & ~from.mask;
    if (!lost) return false;
    to.mask &= from.mask;
    for (size_t p = 0; p < PPC_MAX_PLAYERS; ++p)
      if (lost >> p & 1) to.why[p] = from.why[p];
    return true;
  }
  void put(Label& to, const Label& from) { changed_ |= join(to, from); }

  Label through(const Label& l, Span span, const std::string& text) {
    Label result = l;
    for (size_t p = 0; p < game_.players.size(); ++p)
      if (!(l.mask >> p & 1)) {
        chain_.push_back({text, span, l.why[p]});
        result.why[p] = &chain_.back();
      }
    return result;
  }
  /// A way is only worth a place in the chain when it is new: the fixpoint reads everything several times.
  Label through_once(const Label& l, const Value& at, const std::string& text) {
    if ((l.mask & everyone_) == everyone_) return l;
    auto& known = ways_[&at];
    if (known.mask == l.mask) return known;
    known = through(l, at.span, text);
    return known;
  }

  const Label& leaf(const Value& v) {
    if (v.op == Op::Slot) return slots_[v.slot];
    switch (v.segment) {
      case PPC_EXPERIMENT: return experiment_[v.index];
      case PPC_INSTANCE: return instance_[v.index];
      default: return resources_[v.index];
    }
  }

  /// What a function's result carries whatever it is given, and which parameters it looks at.
  const Summary& summary(uint32_t f) {
    Summary& s = summaries_[f];
    if (s.pass == pass_) return s;
    s.pass = pass_;
    const Function& fn = game_.functions[f];
    std::vector<bool> params(fn.params, false);
    Label base;
    each_statement(fn.body.statements, [&](const Statement& st) {
      each_root(st, [&](const Value& v) { gather(v, base, params); });
    });
    Summary& again = summaries_[f];
    again.base = base;
    again.params = std::move(params);
    return again;
  }
  void gather(const Value& root, Label& base, std::vector<bool>& params) {
    each_value(root, [&](const Value& v) {
      if (facts_.reveals.count(&v)) return false;
      if (v.op == Op::Local && v.local < params.size()) params[v.local] = true;
      if (v.op == Op::Field || v.op == Op::Slot) join(base, leaf(v));
      if (v.op != Op::Call) return true;
      const Summary& callee = summary(v.function);
      join(base, through_once(callee.base, v, "through `" + game_.functions[v.function].name + "(…)`"));
      std::vector<bool> used = callee.params;
      for (size_t i = 0; i < v.args.size(); ++i)
        if (used[i]) gather(*v.args[i], base, params);
      return false;
    });
  }

  Label eval(const Value& v, Where& w) {
    if (facts_.reveals.count(&v)) {
      Label inner = eval_plain(v, w);
      if (reporting_ && (inner.mask & everyone_) == everyone_ && once(facts_.reveals.at(&v), 1))
        out_.emit(kNeedlessReveal, facts_.reveals.at(&v));
      return Label{};
    }
    return eval_plain(v, w);
  }

  void walk(const Walk& k, Where& w, Label* also) {
    Label source = eval(*k.source, w);
    if (k.source2) join(source, eval(*k.source2, w));
    for (LocalId id : k.names) put((*w.env)[id], source);
    if (also) join(*also, source);
    if (k.condition) {
      Label c = eval(*k.condition, w);
      if (also) join(*also, c);
    }
  }

  Label eval_plain(const Value& v, Where& w) {
    Label result;
    switch (v.op) {
      case Op::Local: return (*w.env)[v.local];
      case Op::Slot: case Op::Field: return leaf(v);
      case Op::Call: {
        const Summary s = summary(v.function);
        join(result, s.base);
        for (size_t i = 0; i < v.args.size(); ++i) {
          Label a = eval(*v.args[i], w);
          if (s.params[i]) join(result, a);
        }
        return through_once(result, v, "through `" + game_.functions[v.function].name + "(…)`");
      }
      case Op::Bind:
        put((*w.env)[v.local], eval(*v.args[0], w));
        return eval(*v.args[1], w);
      default:
        for (const Walk& k : v.walks) walk(k, w, &result);
        for (const ValuePtr& a : v.args) join(result, eval(*a, w));
        return result;
    }
  }

  bool once(Span s, int what) { return reported_.insert({(uint64_t(s.file) << 32) | s.begin, (uint64_t(s.end) << 8) | static_cast<uint64_t>(what)}).second; }

  void tell(Span span, const Value& v, uint32_t player, Where& w) {
    Label l = eval(v, w);
    if (!reporting_) return;
    if (!(l.mask >> player & 1) && once(v.span, 2)) {
      const Why* root = l.why[player];
      while (root->next) root = root->next;
      auto report = out_.emit(kSecretTold, v.span, {game_.players[player].name, root->text});
      report.label(root->span, "`" + root->text + "` is `secret`, and `" + game_.players[player].name + "` is not among those who may know it");
      std::vector<const Why*> way;
      for (const Why* y = l.why[player]; y->next; y = y->next) way.push_back(y);
      for (size_t i = way.size(); i-- > 0 && way.size() - i <= 4;) report.label(way[i]->span, way[i]->text);
      report.hint("if the game means to disclose it, say so: `reveal …`");
    }
    each_value(v, [&](const Value& x) {
      auto r = facts_.reveals.find(&x);
      if (r != facts_.reveals.end()) disclose(r->second, player, false, false);
      return true;
    });
    if (!(w.condition.mask >> player & 1)) disclose(span, player, false, true);
  }

  void disclose(Span span, uint32_t player, bool bot, bool conditional) {
    for (const Disclosure& d : game_.disclosures)
      if (d.span == span && d.player == player && d.conditional == conditional && d.bot == bot) return;
    game_.disclosures.push_back({span, source_text(out_.sources(), span), player, bot, conditional});
  }

  void reveals_of(const Value& root, uint32_t player, bool bot) {
    if (!reporting_) return;
    each_value(root, [&](const Value& x) {
      auto r = facts_.reveals.find(&x);
      if (r != facts_.reveals.end()) disclose(r->second, player, bot, false);
      return true;
    });
  }
  void reveals_in(const Statements& list, uint32_t player, bool bot) {
    each_statement(list, [&](const Statement& s) { each_root(s, [&](const Value& v) { reveals_of(v, player, bot); }); });
  }

  void flow(const Statements& list, Where& w) {
    for (const Statement& s : list) flow(s, w);
  }

  void everyone_told(Span span, const Value& v, Where& w) {
    for (uint32_t p = 0; p < game_.players.size(); ++p)
      if ((w.told >> p & 1) && !game_.players[p].scripted) tell(span, v, p, w);
  }

  void flow(const Statement& s, Where& w) {
    Env& env = *w.env;
    switch (s.op) {
      case S::Let:
        put(env[s.local], eval(*s.value, w));
        reveals_of(*s.value, everyone_count(), false);
        return;
      case S::Assign: {
        Label l = eval(*s.value, w);
        place(s, l, w);
        reveals_of(*s.value, everyone_count(), false);
        return;
      }
      case S::Mutate: {
        Label l;
        for (const ValuePtr& a : s.args) {
          join(l, eval(*a, w));
          reveals_of(*a, everyone_count(), false);
        }
        place(s, l, w);
        return;
      }
      case S::If: {
        Label c = eval(*s.value, w);
        inside(s.body, w, c);
        inside(s.otherwise, w, c);
        return;
      }
      case S::For: case S::Round: {
        Label c;
        walk(*s.walk, w, &c);
        inside(s.body, w, c);
        return;
      }
      case S::Repeat: {
        Label c = eval(*s.value, w);
        inside(s.body, w, c);
        return;
      }
      case S::Ask: {
        if (s.value) tell(s.span, *s.value, s.player, w);
        const AskResult& ask = game_.asks[s.ask];
        const Move& m = game_.moves[ask.move];
        for (size_t i = 0; i < ask.locals.size(); ++i)
          if (m.fields[i]) put(env[ask.locals[i]], moves_[ask.move][*m.fields[i]]);
        return;
      }
      case S::Tell: case S::Brief: case S::Say: case S::Answer: tell(s.span, *s.value, s.player, w); return;
      case S::Note: case S::Reward:
        if (s.op == S::Note && s.slot) return;
        eval(*s.value, w);
        return;
      case S::Finish:
        if (s.value) eval(*s.value, w);
        if (s.value2) everyone_told(s.span, *s.value2, w);
        return;
      case S::Step: {
        std::vector<Label> args;
        std::vector<uint64_t> key{s.step, w.told, w.condition.mask};
        for (const ValuePtr& a : s.args) {
          args.push_back(eval(*a, w));
          key.push_back(args.back().mask);
          reveals_of(*a, everyone_count(), false);
        }
        StepRun& run = steps_[key];
        const Step& step = game_.steps[s.step];
        if (run.env.empty()) run.env.resize(step.body.locals.size());
        for (size_t i = 0; i < args.size(); ++i) put(run.env[i], args[i]);
        if (run.pass == pass_) return;
        run.pass = pass_;
        Where inner{&run.env, w.told, w.condition};
        flow(step.body.statements, inner);
        return;
      }
      case S::Check: case S::Format: {
        Label c;
        if (s.op == S::Check) c = eval(*s.value, w);
        inside(s.otherwise, w, c);
        return;
      }
      case S::Retry:
        eval(*s.value, w);
        if (s.value2) everyone_told(s.span, *s.value2, w);
        flow(s.otherwise, w);
        return;
      default: return;
    }
  }

  void inside(const Statements& list, Where& w, const Label& c) {
    if (list.empty()) return;
    Where inner = w;
    join(inner.condition, c);
    flow(list, inner);
  }

  void place(const Statement& s, Label l, Where& w) {
    for (const Place::Part& p : s.place.path)
      if (p.value) join(l, eval(*p.value, w));
    put(s.place.is_slot ? slots_[s.place.slot] : (*w.env)[s.place.local], l);
  }

  void pass() {
    ++pass_;
    Where w{&init_, everyone_, {}};
    for (size_t i = 0; i < game_.slots.size(); ++i)
      if (game_.slots[i].initial && facts_.slot_owner[i].empty()) put(slots_[i], eval(*game_.slots[i].initial, w));
    for (size_t i = 0; i < game_.moves.size(); ++i) {
      Where m{&moves_[i], game_.moves[i].players, {}};
      flow(game_.moves[i].body.statements, m);
      // A model whose decoding is constrained is told what may stand in the holes of formats.
      for (const Statement& s : game_.moves[i].hole_texts.statements)
        for (const ValuePtr& texts : s.value->args) everyone_told(texts->span, *texts, m);
    }
    Where p{&play_, everyone_, {}};
    flow(game_.play.statements, p);
  }

  // A bot may read what its player may know.
  void bot(const Bot& b) {
    each_statement(b.body.statements, [&](const Statement& s) {
      each_root(s, [&](const Value& root) {
        each_value(root, [&](const Value& v) {
          if (auto r = facts_.reveals.find(&v); r != facts_.reveals.end()) {
            disclose(r->second, b.player, true, false);
            if (allowed(v, b.player) && once(r->second, 1)) out_.emit(kNeedlessReveal, r->second);
            return false;
          }
          if (v.op == Op::Field || v.op == Op::Slot) read(leaf(v), v, b);
          if (v.op == Op::Call) read(through_once(summary(v.function).base, v, "through `" + game_.functions[v.function].name + "(…)`"), v, b);
          return true;
        });
      });
    });
  }
  bool allowed(const Value& root, uint32_t player) {
    bool all = true;
    each_value(root, [&](const Value& v) {
      if (v.op == Op::Field || v.op == Op::Slot) all &= leaf(v).mask >> player & 1;
      if (v.op == Op::Call) all &= summary(v.function).base.mask >> player & 1;
      return true;
    });
    return all;
  }
  void read(const Label& l, const Value& v, const Bot& b) {
    if (l.mask >> b.player & 1 || !once(v.span, 3)) return;
    const Why* root = l.why[b.player];
    while (root->next) root = root->next;
    auto report = out_.emit(kSecretRead, v.span, {game_.players[b.player].name, root->text});
    report.label(root->span, "`" + root->text + "` is `secret`");
    for (const Why* y = l.why[b.player]; y->next; y = y->next) report.label(y->span, y->text);
    report.hint("a bot that cheats on purpose says so: `reveal …`");
  }

  struct StepRun {
    uint32_t pass = 0;
    Env env;
  };

  Game& game_;
  const Facts& facts_;
  diag::Emitter& out_;
  Audience everyone_ = 0;
  std::deque<Why> chain_;
  std::unordered_map<const Value*, Label> ways_;
  std::vector<Label> experiment_, instance_, resources_, slots_;
  Env init_, play_;
  std::vector<Env> moves_;
  std::map<uint32_t, Summary> summaries_;
  std::map<std::vector<uint64_t>, StepRun> steps_;
  std::set<std::pair<uint64_t, uint64_t>> reported_;
  uint32_t pass_ = 0;
  bool changed_ = false, reporting_ = false;
};

}  // namespace

void check_audiences(Game& game, const Facts& facts, diag::Emitter& out) { Audiences(game, facts, out).run(); }

}  // namespace ppc::sema
