// What every path through the game does: no recursion, every path ends, nothing stands where it is never reached.
#include <array>

#include "compiler/sema/checker.h"

namespace ppc::sema {

using Op = Value::Op;
using S = Statement::Op;

namespace {

constexpr int64_t kMaxSize = 50'000;  // statements of play with steps and moves written out
constexpr uint32_t kMaxDepth = 200;   // of calls: later phases and the engines recurse over them

class Graph {
 public:
  Graph(std::vector<std::vector<uint32_t>> edges, std::vector<std::string> names, std::vector<Span> spans)
      : edges_(std::move(edges)), names_(std::move(names)), spans_(std::move(spans)), state_(edges_.size(), 0), depth_(edges_.size(), 1) {}

  /// Reports each cycle once.
  bool check(diag::Emitter& out) {
    bool good = true;
    for (uint32_t i = 0; i < edges_.size(); ++i)
      if (state_[i] == 0) good &= visit(i, out);
    return good;
  }

 private:
  bool visit(uint32_t start, diag::Emitter& out) {
    // Iterative: a hostile game may have a chain of a hundred thousand functions.
    bool good = true;
    std::vector<std::pair<uint32_t, size_t>> path{{start, 0}};
    state_[start] = 1;
    while (!path.empty()) {
      auto& [node, next] = path.back();
      if (next == edges_[node].size()) {
        state_[node] = 2;
        for (uint32_t to : edges_[node]) depth_[node] = std::max(depth_[node], depth_[to] + 1);
        if (good && depth_[node] == kMaxDepth + 1) {
          out.emit(kTooDeep, spans_[node], {names_[node], std::to_string(kMaxDepth)});
          good = false;
        }
        path.pop_back();
        continue;
      }
      uint32_t to = edges_[node][next++];
      if (state_[to] == 2) continue;
      if (state_[to] == 0) {
        state_[to] = 1;
        path.push_back({to, 0});
        continue;
      }
      good = false;
      size_t from = 0;
      while (path[from].first != to) ++from;
      std::string cycle;
      for (size_t i = from; i < path.size(); ++i) cycle += names_[path[i].first] + " -> ";
      auto report = out.emit(kRecursion, spans_[to], {names_[to], cycle + names_[to]});
      for (size_t i = from + 1; i < path.size(); ++i) report.label(spans_[path[i].first], "`" + names_[path[i].first] + "` is on the way");
      report.hint("a loop over a range or a list can take its place: every game ends");
    }
    return good;
  }

  std::vector<std::vector<uint32_t>> edges_;
  std::vector<std::string> names_;
  std::vector<Span> spans_;
  std::vector<uint8_t> state_;
  std::vector<uint32_t> depth_;
};

struct StepFacts {
  bool done = false;
  bool ends = false;    // on every path
  bool may_end = false;
  bool asks = false;
  int64_t size = 0;
};

class Paths {
 public:
  Paths(Game& game, const Facts& facts, diag::Emitter& out)
      : game_(game), facts_(facts), out_(out), steps_(game.steps.size()), move_sizes_(game.moves.size(), -1) {}

  void run() {
    for (uint32_t i = 0; i < game_.steps.size(); ++i) step(i);
    for (uint32_t i = 0; i < game_.moves.size(); ++i) {
      in_move(game_.moves[i].body.statements, false);
      reachable(game_.moves[i].body.statements);
    }
    for (Step& s : game_.steps) reachable(s.body.statements);
    reachable(game_.play.statements);
    if (!ends(game_.play.statements)) {
      auto report = out_.emit(kNoOutcome, facts_.play_end);
      explain(report, game_.play.statements);
      report.hint("end it with `win`, `lose` or `abort \"…\"`");
    }
    int64_t total = size(game_.play.statements);
    if (total > kMaxSize) out_.emit(kTooLarge, facts_.play_span, {"play", std::to_string(kMaxSize)});
    for (size_t i = 0; i < game_.functions.size(); ++i) {
      reachable(game_.functions[i].body.statements);
      if (ends(game_.functions[i].body.statements)) continue;
      auto report = out_.emit(kNoReturn, facts_.function_ends[i], {game_.functions[i].name});
      report.label(game_.functions[i].span, "it gives `" + game_.types.print(game_.functions[i].result) + "`");
      explain(report, game_.functions[i].body.statements);
    }
    for (size_t i = 0; i < game_.bots.size(); ++i) {
      reachable(game_.bots[i].body.statements);
      if (ends(game_.bots[i].body.statements)) continue;
      auto report = out_.emit(kNoSay, facts_.bot_ends[i], {game_.bots[i].name});
      explain(report, game_.bots[i].body.statements);
    }
    if (game_.generate) reachable(game_.generate->statements);
  }

 private:
  void explain(diag::Emitter::Builder& report, const Statements& list) {
    if (list.empty()) return;
    const Statement& last = list.back();
    if (last.op == S::If) {
      if (last.otherwise.empty()) report.label(head(last.span), "without an `else`, this may do nothing");
      else if (!ends(last.body)) explain(report, last.body);
      else explain(report, last.otherwise);
    } else if (last.op == S::For || last.op == S::Round || last.op == S::Repeat) {
      report.label(head(last.span), "when this has come to its end, nothing follows");
    }
  }

  // The first line of a statement is enough to point at it.
  Span head(Span s) {
    std::string text = source_text(out_.sources(), s);
    size_t line = text.find('\n');
    if (line != std::string::npos) s.end = s.begin + static_cast<uint32_t>(line);
    return s;
  }

  const StepFacts& step(uint32_t i) {
    StepFacts& f = steps_[i];
    if (f.done) return f;
    f.done = true;
    StepFacts result;
    result.done = true;
    result.size = 1;
    done_by(game_.steps[i].body.statements, result, false);
    result.ends = ends(game_.steps[i].body.statements);
    result.size = size(game_.steps[i].body.statements);
    steps_[i] = result;
    return steps_[i];
  }

  // A step that ends the game as the consequence of a rule of its own does so for the rule.
  void done_by(const Statements& list, StepFacts& result, bool consequence) {
    for (const Statement& s : list) {
      if (s.op == S::Finish && !consequence) result.may_end = true;
      if (s.op == S::Ask) result.asks = true;
      if (s.op == S::Step) {
        const StepFacts inner = step(s.step);
        result.may_end |= inner.may_end && !consequence;
        result.asks |= inner.asks;
      }
      done_by(s.body, result, consequence);
      done_by(s.otherwise, result, consequence || s.op == S::Check);
    }
  }

  bool ends(const Statement& s) {
    switch (s.op) {
      case S::Finish: case S::Pass: case S::Retry: case S::Return: return true;
      case S::Say: return in_bot(s);
      case S::Step: return step(s.step).ends;
      case S::If: return !s.otherwise.empty() && ends(s.body) && ends(s.otherwise);
      default: return false;
    }
  }
  bool in_bot(const Statement& s) const { return !game_.players[s.player].scripted; }  // in play only scripted players are made to speak
  bool ends(const Statements& list) {
    for (const Statement& s : list)
      if (ends(s)) return true;
    return false;
  }

  /// Whether nothing goes on behind the list: it ends what is going on, or breaks out of a loop.
  bool leaves(const Statements& list) {
    for (const Statement& s : list)
      if (ends(s) || s.op == S::Break || (s.op == S::If && !s.otherwise.empty() && leaves(s.body) && leaves(s.otherwise))) return true;
    return false;
  }
  // Of a `let`: its source text up to the `=`.
  std::string name_of(const Statement& let) {
    std::string text = source_text(out_.sources(), let.span);
    const size_t from = text.find_first_of(" \t\n") + 1;
    return text.substr(from, text.find_first_of(" :=\t\n", from) - from);
  }

  int64_t size(const Statements& list) {
    int64_t n = 0;
    for (const Statement& s : list) {
      n += 1;
      if (s.op == S::Step) n += step(s.step).size;
      if (s.op == S::Ask) {
        if (move_sizes_[s.move] < 0) move_sizes_[s.move] = size(game_.moves[s.move].body.statements);
        n += move_sizes_[s.move];
      }
      n += size(s.body) + size(s.otherwise);
      n = std::min<int64_t>(n, kMaxSize + 1);
    }
    return n;
  }

  void reachable(const Statements& list) {
    bool over = false;
    for (size_t i = 0; i < list.size(); ++i) {
      const Statement& s = list[i];
      if (over && s.op != S::Gives) {
        if (once(s.span)) out_.emit(kUnreachable, head(s.span)).label(head(list[i - 1].span), "nothing goes on behind this");
        over = false;
        break;
      }
      if (s.leaves && !leaves(s.body) && once(s.span)) {
        const Statement& let = list[i + 1];  // what the `else` guards
        Span at = s.body.empty() ? head(s.span) : head(s.body.back().span);
        out_.emit(kOpenElse, at, {name_of(let)}).hint("end it with `return`, `break`, `say` or an outcome, whichever can stand here");
      }
      if (s.op == S::Format || s.op == S::Check) decided(s.otherwise, s);
      if (s.op == S::Retry) decided(s.otherwise, s);
      // A rule that cannot hold: what stands behind it is never read.
      bool fails = s.op == S::Check && s.value->op == Op::Bool && !s.value->int_value;
      if (s.op == S::Check && s.value->op == Op::Not && s.value->args[0]->op == Op::Bool) fails = s.value->args[0]->int_value;
      reachable(s.body);
      reachable(s.otherwise);
      over = ends(s) || s.op == S::Break || fails;
    }
  }

  // A consequence decides what happens.
  void decided(const Statements& consequence, const Statement& owner) {
    if (ends(consequence) || !once(consequence.empty() ? owner.span : consequence.back().span)) return;
    Span at = consequence.empty() ? head(owner.span) : head(consequence.back().span);
    auto report = out_.emit(kOpenConsequence, at);
    if (!consequence.empty() && consequence.back().op == S::Step)
      report.label(game_.steps[consequence.back().step].span, "this step can come to its end without an outcome");
    else
      explain(report, consequence);
    report.hint("end it with `abort \"…\"`, `lose`, `win`, `retry n tell \"…\" then …` or `pass`");
  }

  void in_move(const Statements& list, bool consequence) {
    for (const Statement& s : list) {
      if (s.op == S::Step) {
        const StepFacts& f = step(s.step);
        const Step& called = game_.steps[s.step];
        if (f.asks && once(s.span)) out_.emit(kStepAsks, s.span, {called.name}).label(called.span, "the step");
        else if (!f.asks && f.may_end && !consequence)
          out_.emit(kEndsOutside, s.span, {called.name}).label(called.span, "the step").hint("call it behind the `else` of a format or a rule");
      }
      in_move(s.body, consequence);
      in_move(s.otherwise, consequence || s.op == S::Format || s.op == S::Check || s.op == S::Retry);
    }
  }

  // Consequences of formats with numbers stand twice in the model.
  bool once(Span s) { return reported_.insert({s.file, s.begin, s.end}).second; }

  Game& game_;
  const Facts& facts_;
  diag::Emitter& out_;
  std::set<std::array<uint32_t, 3>> reported_;
  std::vector<StepFacts> steps_;
  std::vector<int64_t> move_sizes_;
};

}  // namespace

bool check_recursion(const Game& game, diag::Emitter& out) {
  std::vector<std::vector<uint32_t>> calls(game.functions.size()), steps(game.steps.size());
  std::vector<std::string> function_names, step_names;
  std::vector<Span> function_spans, step_spans;
  for (size_t i = 0; i < game.functions.size(); ++i) {
    function_names.push_back(game.functions[i].name);
    function_spans.push_back(game.functions[i].span);
    each_statement(game.functions[i].body.statements, [&](const Statement& s) {
      each_root(s, [&](const Value& root) {
        each_value(root, [&](const Value& v) {
          if (v.op == Op::Call) calls[i].push_back(v.function);
          return true;
        });
      });
    });
  }
  for (size_t i = 0; i < game.steps.size(); ++i) {
    step_names.push_back(game.steps[i].name);
    step_spans.push_back(game.steps[i].span);
    each_statement(game.steps[i].body.statements, [&](const Statement& s) {
      if (s.op == S::Step) steps[i].push_back(s.step);
    });
  }
  bool good = Graph(std::move(calls), std::move(function_names), std::move(function_spans)).check(out);
  good &= Graph(std::move(steps), std::move(step_names), std::move(step_spans)).check(out);
  return good;
}

void check_generator_calls(const Game& game, diag::Emitter& out) {
  if (!game.generate) return;
  // What each function reads, itself or through others: the name of a field, or nothing.
  std::vector<std::optional<std::string>> reads(game.functions.size());
  auto visit = [&](auto&& self, uint32_t f) -> const std::string& {
    if (reads[f]) return *reads[f];
    reads[f] = "";
    std::string found;
    each_statement(game.functions[f].body.statements, [&](const Statement& s) {
      each_root(s, [&](const Value& root) {
        each_value(root, [&](const Value& v) {
          if (v.op == Op::Slot) found = game.slots[v.slot].name;
          if (v.op == Op::Field && v.segment == PPC_EXPERIMENT) found = game.experiment[v.index].name;
          if (v.op == Op::Field && v.segment == PPC_INSTANCE) found = game.instance[v.index].name;
          if (v.op == Op::Call && found.empty()) found = self(self, v.function);
          return true;
        });
      });
    });
    reads[f] = found;
    return *reads[f];
  };
  each_statement(game.generate->statements, [&](const Statement& s) {
    each_root(s, [&](const Value& root) {
      each_value(root, [&](const Value& v) {
        if (v.op != Op::Call) return true;
        const std::string& field = visit(visit, v.function);
        if (!field.empty())
          out.emit(kNotHere, v.span, {field, "a generator"})
              .label(game.functions[v.function].span, "`" + game.functions[v.function].name + "` reads it")
              .hint("fields have no value yet while instances are made; give it to the function as an argument");
        return true;
      });
    });
  });
}

void check_paths(Game& game, const Facts& facts, diag::Emitter& out) { Paths(game, facts, out).run(); }

}  // namespace ppc::sema
