#include "tools/cli/conversation.h"

#include <cmath>

#include "tools/cli/text.h"

namespace ppc::cli {
namespace {

using namespace engine;

std::string player_title(const ResultPlayer& p) {
  return p.name + (p.role.empty() || p.role == p.name ? "" : " · " + p.role) + (p.display.empty() || p.display == p.role ? "" : " (" + p.display + ")");
}

/// A note that says that something was wrong; clembench's folders have nothing better.
bool is_bad(const std::string& key) {
  for (const char* word : {"invalid", "violat", "error", "abort", "wrong format", "not parsable"})
    if (key.find(word) != std::string::npos) return true;
  return false;
}

std::string violation_html(const Json& v, const std::string& game) {
  auto part = [&](const char* key) {
    const Json* p = v.find(key);
    return p && p->is_text() ? p->as_text() : std::string();
  };
  const std::string kind = part("kind"), rule = part("rule");
  std::string out = "<b>broke a rule</b> of " + html(part("move")) + ": ";
  if (kind == "format") out += "its format";
  else out += html(kind) + " <code>" + html(rule) + "</code>";
  if (kind == "format" && !rule.empty()) out += " <code>" + html(rule) + "</code>";
  if (const Json* line = v.find("line"); line && line->is_int()) out += " <span class=\"dim\">(" + html(game) + ".game, line " + to_text(*line) + ")</span>";
  if (const std::string reason = part("reason"); !reason.empty()) out += "<br>" + html(reason);
  return out;
}

constexpr size_t kLongNote = 300;

/// The first characters of a long text.
std::string beginning(const std::string& text) {
  size_t n = 80;
  while (n > 0 && (static_cast<uint8_t>(text[n]) & 0xC0) == 0x80) --n;
  return text.substr(0, n) + "…";
}

}  // namespace

const char* const kConversationStyle = R"(
.end{font-weight:600}
.badge{display:inline-block;white-space:nowrap;border:1px solid currentColor;border-radius:999px;padding:0 .55em;font-size:.85rem;font-weight:600}
.talk{display:grid;gap:.5rem .9rem;margin:1rem 0;align-items:start}
.head{position:sticky;top:0;background:var(--back);border-bottom:2px solid var(--line);padding:.35rem .1rem;font-weight:600;font-size:.9rem;overflow-wrap:anywhere;z-index:1}
.head small{display:block;font-weight:400;color:var(--dim)}
.round{grid-column:1/-1;color:var(--dim);font-size:.8rem;letter-spacing:.04em;border-top:1px solid var(--line);padding-top:.35rem;margin-top:.5rem}
.m{border-radius:8px;padding:.5rem .7rem;min-width:0;overflow-wrap:anywhere;unicode-bidi:isolate}
.m .who{font-size:.75rem;color:var(--dim);margin-bottom:.15rem}
.m .t{white-space:pre-wrap;font-size:.92rem}
.send{background:var(--soft);border:1px solid var(--line);margin-right:8%}
.reply{background:color-mix(in srgb,var(--c) 13%,var(--back));border:1px solid color-mix(in srgb,var(--c) 45%,var(--back));margin-left:8%}
.aside{border-style:dashed}.send.aside{background:none}.reply.aside,.given{background:color-mix(in srgb,var(--c) 5%,var(--back))}
.given{border-style:dotted}.given .t{font-style:italic}
.note{font-size:.82rem;color:var(--dim);padding:.15rem .5rem;border-left:3px solid var(--line);border-radius:0}
.note .t{font-size:inherit;display:inline}.note summary{padding:0}.note b{font-weight:600}
.note.bad{border-color:var(--aborted);color:var(--aborted)}
.bad.v{font-size:.85rem;background:color-mix(in srgb,var(--aborted) 10%,var(--back));border-left:3px solid var(--aborted);border-radius:0;padding:.3rem .6rem}
.ok{font-size:.82rem;color:var(--won);padding:.15rem .5rem;border-left:3px solid var(--won);border-radius:0}
code{font:.9em ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
.c0{--c:#3566c0}.c1{--c:#1f8a70}.c2{--c:#9b4dca}.c3{--c:#b8651b}.c4{--c:#a23b72}.c5{--c:#5c7f13}
@media(min-width:761px){.m .who{display:none}.m .who.always{display:block}}
@media(max-width:760px){
.talk{display:block}.talk>*{margin-bottom:.5rem}.head{display:none}
.send{margin-right:12%}.reply{margin-left:12%}.note,.ok{margin-left:.4rem}
}
)";

std::string value_text(const Json& v) {
  if (v.is_float()) return std::isnan(v.as_float()) ? "NaN" : fixed(v.as_float(), v.as_float() == std::floor(v.as_float()) ? 0 : 4);
  return v.is_null() ? "NaN" : v.is_text() ? v.as_text() : to_text(v);
}

std::string outcome_badge(const Result& r) {
  const std::string name = r.outcome.empty() ? "unknown" : r.outcome;
  return "<span class=\"badge " + html(name) + "\">" + html(name) + "</span>";
}

std::string conversation(const Result& r) {
  const size_t n = r.players.size(), master = n + 1;
  std::string columns;
  for (size_t i = 0; i < n; ++i) columns += "minmax(0,3fr) ";
  columns += "minmax(0,2fr)";
  std::string out = "<div class=\"talk\" style=\"grid-template-columns:" + columns + "\">\n";
  for (size_t i = 0; i < n; ++i) {
    const ResultPlayer& p = r.players[i];
    out += "<div class=\"head\" style=\"grid-column:" + std::to_string(i + 1) + "\">" + html(player_title(p)) + "<small>" +
           html(p.scripted ? "voiced by the game" : p.model) + "</small></div>";
  }
  out += "<div class=\"head\" style=\"grid-column:" + std::to_string(master) + "\">Game master<small>seen by nobody else</small></div>\n";
  size_t round = 0;
  bool shared = false;
  auto at = [](size_t column) { return " style=\"grid-column:" + std::to_string(column) + "\""; };
  for (const ResultEvent& e : r.events) {
    if (e.round != round) {
      round = e.round;
      out += "<div class=\"round\">round " + std::to_string(round) + "</div>\n";
    }
    if (shared && !e.shared) out += "<div class=\"round\"><b>branch " + html(r.place.branch) + " goes on by itself</b></div>\n";
    shared = e.shared;
    if (e.kind == ResultEvent::Kind::Note) {
      const std::string key = "<b>" + html(e.key) + "</b> ", text = "<span class=\"t\">" + html(e.text) + "</span>";
      // Long ones, such as documents, are folded: what was said should stay in sight.
      out += "<div class=\"m note" + std::string(is_bad(e.key) ? " bad" : "") + "\"" + at(master) + " dir=\"auto\">" +
             (e.text.size() <= kLongNote ? key + text : "<details><summary>" + key + html(beginning(e.text)) + "</summary>" + text + "</details>") + "</div>\n";
      continue;
    }
    const ResultPlayer& p = r.players[e.player];
    const std::string who = p.role.empty() ? p.name : p.role;
    const bool reply = e.kind == ResultEvent::Kind::Reply;
    out += "<div class=\"m " + std::string(reply ? "reply" : "send") + " c" + std::to_string(e.player % 6) + (e.aside ? " aside" : "") + (e.given ? " given" : "") +
           "\"" + at(e.player + 1) + "><div class=\"who\">" + html(reply ? who + " → game master" : "game master → " + who) + "</div>";
    if (e.aside) out += "<div class=\"who always\">aside, not remembered</div>";
    if (e.given) out += "<div class=\"who always\">said by the game for the player</div>";
    if (e.invalid_utf8) out += "<div class=\"who always aborted\">the reply was not valid UTF-8</div>";
    out += "<div class=\"t\" dir=\"auto\">" + (e.text.empty() ? "<span class=\"dim\">(nothing)</span>" : html(e.text)) + "</div></div>\n";
    if (!reply) continue;
    if (e.violation.is_object()) {
      out += "<div class=\"m bad v\"" + at(master) + ">" + html(who) + " " + violation_html(e.violation, r.place.game) + "</div>\n";
    } else if (e.captures.is_object() && !e.captures.members().empty()) {
      std::string gives;
      for (const Json::Member& c : e.captures.members()) gives += (gives.empty() ? "" : ", ") + c.key + " = " + to_text(c.value);
      out += "<div class=\"m ok\"" + at(master) + ">accepted: " + html(gives) + "</div>\n";
    }
    if (e.reward.is_number()) out += "<div class=\"m note\"" + at(master) + ">reward " + html(value_text(e.reward)) + "</div>\n";
  }
  return out + "</div>\n";
}

}  // namespace ppc::cli
