#include "compiler/sema/print.h"

#include <sstream>

#include "runtime/abi/abi.h"

namespace ppc::sema {

namespace {

using Op = Value::Op;
using S = Statement::Op;

std::string quoted(const std::string& s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') out += "\\n";
    else out += c;
  }
  return out + "\"";
}

class Printer {
 public:
  explicit Printer(const Game& g) : g_(g) {}

  std::string run() {
    out_ << "game " << g_.name << "\n";
    for (size_t i = 0; i < g_.players.size(); ++i) {
      const Player& p = g_.players[i];
      out_ << "player " << i << " " << p.name << " as " << quoted(p.display) << (p.scripted ? " scripted" : "") << "\n";
    }
    fields("experiment", g_.experiment);
    fields("instance", g_.instance);
    fields("resource", g_.resources);
    body_ = &g_.init;
    for (size_t i = 0; i < g_.slots.size(); ++i) {
      const Slot& s = g_.slots[i];
      out_ << "slot " << i << " " << s.name << " : " << type(s.type) << (s.name.find('.') == std::string::npos ? audience(s.audience) : "");  // a bot's memory is its own
      if (s.initial) out_ << " = " << value(*s.initial);
      out_ << "\n";
    }
    for (const Function& f : g_.functions) {
      out_ << "fn " << f.name << parameters(f.body, f.params) << " -> " << type(f.result) << "\n";
      body(f.body);
    }
    for (const Step& s : g_.steps) {
      out_ << "step " << s.name << parameters(s.body, s.params) << "\n";
      body(s.body);
    }
    for (const Move& m : g_.moves) {
      out_ << "move " << m.name << " by" << players(m.players) << "\n";
      const Type& t = g_.types[m.value_type];
      for (size_t i = 0; i < t.names.size(); ++i) {
        out_ << "  value " << t.names[i] << " : " << type(t.args[i]);
        if (m.fields[i]) out_ << " = %" << *m.fields[i];
        out_ << "\n";
      }
      for (size_t i = 0; i < m.formats.size(); ++i) {
        const CompiledFormat& f = m.formats[i];
        out_ << "  format " << i << " " << quoted(f.form) << " captures";
        for (auto& c : f.captures) out_ << " " << (c ? "%" + std::to_string(*c) : "-");
        out_ << "\n";
      }
      body(m.body);
    }
    for (size_t i = 0; i < g_.rules.size(); ++i)
      out_ << "rule " << i << " " << g_.moves[g_.rules[i].move].name << " " << g_.rules[i].kind << " " << quoted(g_.rules[i].text) << "\n";
    out_ << "play\n";
    body(g_.play);
    for (const Bot& b : g_.bots) {
      out_ << "bot " << g_.players[b.player].name << " " << b.name << "\n";
      body(b.body);
    }
    for (const Metric& m : g_.metrics) {
      out_ << "metric " << (m.family == UINT32_MAX ? quoted(m.name) : "family");
      if (m.tells != UINT32_MAX) out_ << " : " << type(m.tells);
      if (m.at) {
        body_ = &m.source;
        out_ << " at " << value(*m.source.statements[0].value);
      }
      out_ << "\n";
      body(m.body);
    }
    for (const Key& k : g_.keys) {
      out_ << "key " << quoted(k.name) << " : " << type(k.type) << "\n";
      body(k.body);
    }
    if (g_.generate) {
      out_ << "generate\n";
      body(*g_.generate);
    }
    for (const Disclosure& d : g_.disclosures)
      out_ << "disclosure " << (d.player < g_.players.size() ? g_.players[d.player].name : "everyone") << (d.bot ? " bot" : "")
           << (d.conditional ? " conditional" : "") << " " << quoted(d.text) << "\n";
    out_ << "bounds total " << g_.bounds.total << " rounds " << g_.bounds.rounds;
    for (size_t i = 0; i < g_.bounds.moves.size(); ++i) out_ << " " << g_.players[i].name << " " << g_.bounds.moves[i];
    out_ << "\n";
    return out_.str();
  }

 private:
  std::string type(TypeId t) const { return g_.types.print(t); }

  std::string players(uint32_t mask) const {
    std::string s;
    for (size_t p = 0; p < g_.players.size(); ++p)
      if (mask >> p & 1) s += " " + g_.players[p].name;
    return s;
  }
  std::string audience(Audience a) const {
    Audience all = (1u << g_.players.size()) - 1;
    return (a & all) == all ? "" : " secret" + players(a);
  }

  void fields(const char* what, const std::vector<Field>& list) {
    for (size_t i = 0; i < list.size(); ++i) {
      const Field& f = list[i];
      out_ << what << " " << i << " " << f.name << " : " << type(f.type);
      if (f.low) out_ << " " << *f.low << ".." << f.high.value_or(INT64_MAX);
      else if (f.high) out_ << " max " << *f.high;
      if (f.secret) out_ << " secret" << players(f.audience);
      if (f.initial_json) out_ << " = " << *f.initial_json;
      for (const std::string& from : f.from) out_ << " from " << quoted(from);
      if (!f.path.empty()) out_ << " path " << quoted(f.path);
      if (f.generator_only) out_ << " generator";
      out_ << "\n";
    }
  }

  std::string parameters(const Body& b, uint32_t n) const {
    std::string s = "(";
    for (uint32_t i = 0; i < n; ++i) s += (i ? ", %" : "%") + std::to_string(i) + " " + b.locals[i].name + " : " + type(b.locals[i].type);
    return s + ")";
  }

  void body(const Body& b) {
    body_ = &b;
    block(b.statements, 1);
  }

  std::string list(const std::vector<ValuePtr>& args) const {
    std::string s = "(";
    for (size_t i = 0; i < args.size(); ++i) s += (i ? ", " : "") + value(*args[i]);
    return s + ")";
  }

  std::string local(LocalId id) const { return "%" + std::to_string(id) + (body_->locals[id].name.empty() ? "" : " " + body_->locals[id].name); }

  std::string walk(const Walk& w) const {
    std::string s = "for ";
    if (w.takes_tuple_apart) s += "(";
    for (size_t i = 0; i < w.names.size(); ++i) s += (i ? ", " : "") + local(w.names[i]);
    if (w.takes_tuple_apart) s += ")";
    static const char* const over[] = {"range", "list", "set", "map", "text"};
    s += std::string(" in ") + over[static_cast<int>(w.over)] + " " + value(*w.source);
    if (w.source2) s += " .. " + value(*w.source2);
    if (w.condition) s += " where " + value(*w.condition);
    return s;
  }

  std::string value(const Value& v) const {
    switch (v.op) {
      case Op::Int: return g_.types[v.type].kind == Kind::Enum ? g_.types[v.type].name + "." + g_.types[v.type].names[static_cast<size_t>(v.int_value)]
                                                                : std::to_string(v.int_value);
      case Op::Float: {
        std::ostringstream s;
        s.precision(17);
        s << v.float_value << "f";
        return s.str();
      }
      case Op::Bool: return v.int_value ? "true" : "false";
      case Op::Text: return quoted(v.text_value);
      case Op::None: return "none";
      case Op::Local: return local(v.local);
      case Op::Slot: return "slot " + g_.slots[v.slot].name;
      case Op::Field:
        return (v.segment == PPC_EXPERIMENT ? "experiment " + g_.experiment[v.index].name
                : v.segment == PPC_INSTANCE ? "instance " + g_.instance[v.index].name
                                            : "resource " + g_.resources[v.index].name);
      case Op::Reply: return "reply";
      case Op::Heard: return "heard";
      case Op::Builtin: return std::string(info(v.builtin).name) + list(v.args);
      case Op::Call: return g_.functions[v.function].name + list(v.args);
      case Op::GetField: return value(*v.args[0]) + "." + std::to_string(v.index);
      case Op::Bind: return "bind " + local(v.local) + " = " + value(*v.args[0]) + " in " + value(*v.args[1]);
      case Op::ListComprehension: case Op::SetComprehension: case Op::MapComprehension: case Op::Any: case Op::All: {
        std::string s = v.op == Op::Any ? "any" : v.op == Op::All ? "all" : v.op == Op::ListComprehension ? "list" : v.op == Op::SetComprehension ? "set" : "map";
        for (const Walk& w : v.walks) s += " " + walk(w);
        return s + " -> " + list(v.args);
      }
      default: {
        static const char* const names[] = {"Int", "Float", "Bool", "Text", "None", "Local", "Slot", "Field", "Reply", "Heard",
                                            "Builtin", "Call", "Concat", "AddInt", "SubInt", "MulInt", "NegInt", "AddFloat",
                                            "SubFloat", "MulFloat", "NegFloat", "IntToFloat", "EqInt", "LtInt", "LeInt",
                                            "EqFloat", "LtFloat", "LeFloat", "Not", "And", "Or", "If", "Bind", "MakeList",
                                            "MakeSet", "MakeMap", "MakeRecord", "GetField"};
        return std::string(names[static_cast<int>(v.op)]) + list(v.args);
      }
    }
  }

  std::string place(const Place& p) const {
    std::string s = p.is_slot ? "slot " + g_.slots[p.slot].name : local(p.local);
    for (const Place::Part& part : p.path)
      s += part.kind == Place::Part::Kind::Field ? "." + std::to_string(part.field) : "[" + value(*part.value) + "]";
    return s;
  }

  void block(const Statements& statements, int depth) {
    for (const Statement& s : statements) statement(s, depth);
  }

  void statement(const Statement& s, int depth) {
    std::string in(static_cast<size_t>(depth) * 2, ' ');
    out_ << in;
    auto with_value = [&](const char* name) { out_ << name << (s.value ? " " + value(*s.value) : ""); };
    switch (s.op) {
      case S::Let: out_ << "let " << local(s.local) << " : " << type(body_->locals[s.local].type) << " = " << (s.copy ? "copy " : "") << value(*s.value); break;
      case S::Assign: out_ << place(s.place) << " = " << value(*s.value); break;
      case S::Mutate: out_ << info(s.builtin).name << " " << place(s.place) << " " << list(s.args); break;
      case S::Evaluate: with_value("evaluate"); break;
      case S::If: with_value("if"); break;
      case S::For: out_ << walk(*s.walk); break;
      case S::Repeat: with_value("repeat"); break;
      case S::Break: out_ << "break"; break;
      case S::Round: out_ << "round" << (s.outermost ? " outermost " : " ") << walk(*s.walk); break;
      case S::Return: with_value("return"); break;
      case S::Ask: {
        out_ << "ask " << g_.players[s.player].name << (s.value ? " aside " + value(*s.value) : "") << " for " << g_.moves[s.move].name << " ->";
        for (LocalId id : g_.asks[s.ask].locals) out_ << " " << local(id);
        break;
      }
      case S::Tell: with_value(("tell " + g_.players[s.player].name).c_str()); break;
      case S::Brief: with_value(("brief " + g_.players[s.player].name).c_str()); break;
      case S::Answer: with_value(("answer for " + g_.players[s.player].name).c_str()); break;
      case S::Say: with_value(("say " + g_.players[s.player].name).c_str()); break;
      case S::Note: out_ << "note " << quoted(s.text) << " " << value(*s.value) << (s.slot ? " kept in " + g_.slots[s.slot - 1].name : ""); break;
      case S::Reward: with_value(("reward " + g_.players[s.player].name).c_str()); break;
      case S::Finish: {
        static const char* const names[] = {"?", "win", "lose", "abort"};
        out_ << names[s.outcome];
        if (s.value) out_ << " score " << value(*s.value);
        if (s.value2) out_ << " reason " << value(*s.value2);
        break;
      }
      case S::Step: out_ << "step " << g_.steps[s.step].name << list(s.args); break;
      case S::Check: out_ << "check rule " << (s.rule == kNoRule ? "-" : std::to_string(s.rule)) << " " << value(*s.value); break;
      case S::Format: out_ << "format " << s.format << " rule " << s.rule << " of " << value(*s.value); break;
      case S::Gives:
        out_ << "gives";
        for (size_t i = 0; i < s.args.size(); ++i) out_ << " " << s.names[i] << " = " << value(*s.args[i]);
        break;
      case S::Retry: out_ << "retry " << value(*s.value) << (s.value2 ? " tell " + value(*s.value2) : ""); break;
      case S::Pass: out_ << "pass"; break;
      case S::GenExperiment: with_value("experiment"); break;
      case S::GenInstances: out_ << "instances " << value(*s.value) << (s.has_local ? " as " + local(s.local) : ""); break;
      case S::GenField: out_ << "set " << (s.slot ? g_.instance : g_.experiment)[s.index].name << " = " << value(*s.value); break;
    }
    out_ << "\n";
    block(s.body, depth + 1);
    if (!s.otherwise.empty()) {
      out_ << in << "else\n";
      block(s.otherwise, depth + 1);
    }
  }

  const Game& g_;
  const Body* body_ = nullptr;
  std::ostringstream out_;
};

}  // namespace

std::string print(const Game& game) { return Printer(game).run(); }

}  // namespace ppc::sema
