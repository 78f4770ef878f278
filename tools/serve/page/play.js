"use strict";
// Everything from the server becomes text (textContent): nothing that a player or a model says can be markup.
const $ = id => document.getElementById(id);
const key = location.hash.slice(1);
let now = null, have = 0, episode = 0, sending = false, lost = false, deadline = null;

// What cannot be seen, or turns the direction of writing, is shown as its number.
const plain = text => String(text).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g,
  c => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));

function element(kind, names, text) {
  const e = document.createElement(kind);
  e.className = names;
  if (text !== undefined) e.textContent = plain(text);
  return e;
}

function shown(entry) {
  if (entry.kind === "round") return element("div", "round", "Round " + entry.number);
  if (entry.kind === "reward") return element("div", "note dim", "Reward: " + entry.amount);
  if (entry.kind === "violation") {
    const e = element("div", "note violation", "Not accepted" + (entry.text ? ": " + entry.text : ""));
    if (entry.rule) e.append(element("span", "rule", entry.move + ": " + entry.rule));
    return e;
  }
  const mine = entry.kind === "said";
  const e = element("div", "message " + entry.kind + (entry.aside ? " aside" : ""));
  e.append(element("span", "from", (mine ? "You" : "Game master") + (entry.aside ? ", aside" : "")), element("span", "", entry.text));
  return e;
}

const title = text => text.replaceAll("_", " ").replace(/^./, c => c.toUpperCase());
const list = names => names.length < 2 ? names.join("") : names.slice(0, -1).join(", ") + " and " + names.at(-1);
const outcomes = {won: "Won", lost: "Lost", aborted: "Aborted"};

function status(view) {
  if (view.phase === "finished") return "The server has been stopped. Thank you for playing.";
  if (view.phase === "failed") return "This episode cannot go on: something outside of the game failed." + (view.more ? "" : " It was the last one.");
  if (view.phase === "over") {
    if (!view.more) return "That was the last episode. Thank you for playing.";
    return view.wants_next ? "Waiting for " + list(view.waiting_for) + "…" : "The episode is over.";
  }
  if (view.phase === "gathering") return view.waiting_for.length ? "Waiting for " + list(view.waiting_for) + " to come…" : "It begins…";
  if (view.ask) return view.ask.aside ? "Your turn: a side question" : "Your turn";
  if (view.leaving) return "You leave.";
  return view.waiting_for.length ? "Waiting for " + list(view.waiting_for) + "…" : "One moment…";
}

function time() {
  const left = deadline ? Math.max(0, Math.ceil((deadline - Date.now()) / 1000)) : 0;
  $("clock").textContent = deadline ? Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0") : "";
}

function say(text, kind) {
  const s = $("status");
  if (s.textContent !== text) s.textContent = text;
  s.className = kind || "";
}

function paint() {
  if (lost) say("The connection is lost; trying again…", "error");
  else if (now) say(status(now), now.ask ? "turn" : "");
  time();
  const asked = !!(now && now.ask) && !sending;
  // Not `disabled`: the focus stays where it is.
  $("text").readOnly = !asked;
  $("send").setAttribute("aria-disabled", String(!asked || lost));
}

function show(view) {
  const fresh = view.episode !== episode || view.from === 0;
  const scroll = $("scroll"), low = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < 120;
  const turned = view.ask && (!now || !now.ask || now.ask.number !== view.ask.number);
  if (fresh) {
    $("log").replaceChildren();
    have = 0;
    episode = view.episode;
  }
  view.entries.forEach((entry, i) => {
    // A retry says what was wrong with its next message: once is enough.
    const next = view.entries[i + 1];
    if (entry.kind === "violation" && next && next.kind === "told" && next.text.includes(entry.text)) entry.text = "";
    $("log").append(shown(entry));
  });
  have = view.from + view.entries.length;
  deadline = view.ask && view.ask.seconds !== null ? Date.now() + view.ask.seconds * 1000 : null;
  if (!now) {
    $("rules-text").textContent = view.rules;
    $("rules").hidden = false;
    document.title = title(view.game) + " – " + view.display;
    $("game").textContent = title(view.game);
    $("who").textContent = "You are " + view.display;
  }
  $("episode").textContent = view.episodes > 1 ? view.episode + " of " + view.episodes : "";
  $("leave").hidden = view.phase !== "playing" || view.leaving;
  $("text").placeholder = view.ask && view.ask.form ? view.ask.form : "Your message";
  const result = view.result;
  $("result").hidden = !result;
  const ended = result && (!now || !now.result);
  if (ended) {
    $("outcome").textContent = outcomes[result.outcome] || result.outcome;
    $("outcome").className = result.outcome;
    $("reason").textContent = plain(result.reason);
    $("scores").replaceChildren(...result.scores.map(s => {
      const row = element("tr", s.name === "Main Score" ? "main" : "");
      const name = element("th", "", s.name);
      name.scope = "row";
      row.append(name, element("td", "", Number.isInteger(s.value) ? s.value : s.value.toFixed(2)));
      return row;
    }));
  }
  const next = (view.phase === "over" || view.phase === "failed") && view.more, had = !$("next").hidden;
  $("next").hidden = !next;
  $("next").setAttribute("aria-disabled", String(view.wants_next));
  $("form").hidden = next || view.phase === "finished" || (view.phase === "over" && !view.more);
  $("hint").hidden = $("form").hidden;
  now = view;
  paint();
  if (next && !had) $("next").focus();
  if (turned || (!next && had)) $("text").focus();
  // Whoever reads further up is left there, unless they said something themselves, or it is over.
  if (!low && !fresh && !ended && !view.entries.some(e => e.kind === "said")) return;
  scroll.scrollTop = scroll.scrollHeight;
  // A message that does not fit is read from its beginning.
  const last = $("log").lastElementChild;
  if (last && !result && last.offsetHeight > scroll.clientHeight - 40) last.scrollIntoView();
}

async function ask(method, path, body) {
  const headers = {Authorization: "Bearer " + key};
  if (body) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {method, headers, body: body && JSON.stringify(body), cache: "no-store", credentials: "omit"});
  const json = await response.json();
  if (!response.ok) throw Object.assign(new Error(json.error.message), {status: response.status});
  return json;
}
const pause = ms => new Promise(done => setTimeout(done, ms));

async function follow() {
  let wait = 500;
  while (true) {
    const before = now && now.version;
    try {
      const view = await ask("GET", "/view?version=" + (lost || !now ? 0 : now.version) + "&episode=" + episode + "&have=" + have);
      lost = false;
      wait = 500;
      show(view);
      if (view.phase === "finished") return;
      if (view.version === before) await pause(300);
    } catch (error) {
      if (error.status === 401) return say("This link is not one of a seat (any more). Ask for a new one.", "error");
      lost = true;
      paint();
      await pause(wait);
      wait = Math.min(wait * 2, 8000);
    }
  }
}

async function send() {
  if (sending || !now || !now.ask) return;
  const text = $("text").value;
  if (!text.trim()) return;
  sending = true;
  paint();
  try {
    await ask("POST", "/reply", {episode: now.episode, ask: now.ask.number, text});
    $("text").value = "";
    keep();
    grow();
  } catch (error) {
    if (error.status !== 409) say("Not sent: " + (error.status ? error.message : "no connection") + ". Try again.", "error");
    sending = false;
    return;
  }
  sending = false;
  paint();
  $("text").focus();
}

function grow() {
  const t = $("text");
  t.style.height = "auto";
  t.style.height = Math.min(t.scrollHeight + 2, innerHeight * 0.4) + "px";
}
// What is being written outlives a reload.
function keep() {
  try { sessionStorage.setItem("draft", $("text").value); } catch { /* not allowed: then not */ }
}

$("form").addEventListener("submit", event => {
  event.preventDefault();
  send();
});
$("text").addEventListener("keydown", event => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
$("text").addEventListener("input", () => { keep(); grow(); });
$("next").addEventListener("click", () => {
  if (now && !now.wants_next) ask("POST", "/next", {episode: now.episode}).catch(() => {});
});
$("leave").addEventListener("click", () => {
  if (now && confirm("Leave? The episode then ends for everybody.")) ask("POST", "/leave", {episode: now.episode}).catch(() => {});
});
addEventListener("hashchange", () => location.reload());
setInterval(time, 1000);

if (!key) say("Open the link of your role: it ends with # and a key.", "error");
else {
  try { $("text").value = sessionStorage.getItem("draft") || ""; } catch { /* not allowed: then not */ }
  $("text").readOnly = true;
  follow();
}
