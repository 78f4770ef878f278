#include "tools/cli/transcript.h"

#include "runtime/engine/json.h"
#include "runtime/engine/records.h"

namespace ppc::cli {
namespace {

using engine::Entry;
using engine::Json;

struct Paint {
  bool on;
  std::string operator()(const char* code, const std::string& s) const {
    return on ? std::string("\x1b[") + code + "m" + s + "\x1b[0m" : s;
  }
};

// The first line stands behind the heading, the others are set in, so that every message has one place to begin. What could
// steer the terminal is shown, not sent.
std::string body(const std::string& text) {
  std::string out;
  bool fresh = false;
  for (const char c : text) {
    const auto b = static_cast<uint8_t>(c);
    if (fresh && c != '\n') out += "    ";
    fresh = c == '\n';
    if (fresh) out += c;
    else if ((b < 0x20 && c != '\t') || b == 0x7F) {
      static const char hex[] = "0123456789abcdef";
      out += std::string("\\x") + hex[b >> 4] + hex[b & 15];
    } else {
      out += c;
    }
  }
  return out;
}

std::string reason(const Entry& e) { return e.text.empty() ? std::string() : std::string(": ").append(body(e.text)); }

std::string number(double d) { return engine::to_text(engine::score_number(d)); }

}  // namespace

std::string entry_text(const engine::Manifest& m, const Entry& e, bool colour) {
  const Paint paint{colour};
  const std::string who = e.who < m.players.size() ? m.players[e.who].name : "?";
  switch (e.kind) {
    case PPC_EV_ROUND: return "\n" + paint("1", "round " + std::to_string(e.number)) + "\n";
    case PPC_EV_SEND: return paint("36", "GM -> " + who + (e.aside ? ", aside:" : ":")) + " " + body(e.text) + "\n";
    case PPC_EV_GET:
    case PPC_EV_SAY:
      return paint("32", who + (e.aside ? " -> GM, aside:" : " -> GM:")) + " " + body(e.text) + "\n" +
             (e.valid ? "" : paint("31", "  (the reply was not valid UTF-8)") + "\n");
    case PPC_EV_NOTE: return paint("2", "  note " + body(e.text) + ": " + body(e.value)) + "\n";
    case PPC_EV_ACCEPT: {
      if (e.gives.empty()) return "";
      std::string s;
      for (const auto& [name, value] : e.gives) s += (s.empty() ? "" : ", ") + name + " = " + engine::to_text(Json(value));
      return paint("2", "  accepted " + s) + "\n";
    }
    case PPC_EV_VIOLATION: {
      std::string rule;
      if (static_cast<uint64_t>(e.number) < m.rules.size()) {
        const engine::RuleInfo& r = m.rules[static_cast<size_t>(e.number)];
        rule.append(" ").append(r.move).append(", ").append(r.kind);
        if (!r.text.empty() && r.kind != "format") rule.append(" ").append(body(r.text));
      }
      return paint("31", "  violation by " + who + " of" + rule + reason(e)) + "\n";
    }
    case PPC_EV_REWARD: return paint("2", "  reward " + who + " " + number(e.amount)) + "\n";
    case PPC_EV_OUTCOME: {
      const char* code = e.number == PPC_WON ? "1;32" : e.number == PPC_LOST ? "1;33" : "1;31";
      return "\n" + paint(code, std::string("outcome: ") + engine::outcome_name(static_cast<uint32_t>(e.number)) +
                                    reason(e)) + "\n";
    }
    default: return "";
  }
}

std::string scores_text(const engine::Scores& scores, bool colour) {
  const Paint paint{colour};
  const auto score = [](const engine::Json& value) {
    return value.is_number() ? number(value.as_float()) : value.is_text() ? value.as_text() : engine::to_text(value);
  };
  std::string out = "\n" + paint("1", "scores") + "\n";
  for (const auto& [name, value] : scores.episode) {
    const std::string line = "  " + name + ": " + score(value) + "\n";
    out += name == "Main Score" ? paint("1", line.substr(0, line.size() - 1)) + "\n" : line;
  }
  for (const auto& [t, values] : scores.turns) {
    std::string line;
    for (const auto& [name, value] : values) line += (line.empty() ? "" : ", ") + name + ": " + score(value);
    out += "  turn " + std::to_string(t) + ": " + line + "\n";
  }
  for (const std::string& note : scores.notes) out += paint("31", "  note: " + note) + "\n";
  return out;
}

}  // namespace ppc::cli
