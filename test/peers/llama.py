#!/usr/bin/env python3
"""Plays whole runs against llama.cpp's server with a small model of random weights; looks at every record. Started by `tools/peers llama`.

usage: llama.py SID PPC [--episodes N] [--out DIR]

SID is a folder with a Debian that has llama-server. One line for each thing that holds, or does not; exit code 1 if one does not.
"""
import argparse
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("sid", type=pathlib.Path)
p.add_argument("ppc")
p.add_argument("--episodes", type=int, default=24)
p.add_argument("--out", type=pathlib.Path, help="where records stay (default: a temporary folder)")
args = p.parse_args()
work = args.out or pathlib.Path(tempfile.mkdtemp())
work.mkdir(parents=True, exist_ok=True)
srv = args.sid / "srv/peers"
srv.mkdir(parents=True, exist_ok=True)
KEY = "not-a-real-key"
failures = 0


def holds(what, good, detail=""):
    global failures
    failures += not good
    print(f"{'ok  ' if good else 'FAIL'} {what}{f': {detail}' if detail else ''}", flush=True)


def inside(*command, **options):
    return subprocess.run(["chroot", str(args.sid), *command], capture_output=True, text=True, **options)


# ---- the server ----

class Server:
    def __init__(self, *options):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        self.log = open(work / "server.log", "a")
        self.process = subprocess.Popen(["chroot", str(args.sid), "llama-server", "--host", "127.0.0.1", "--port", str(self.port), "--api-key", KEY,
                                         "-t", "1", "-tb", "1", *options], stdout=self.log, stderr=self.log)
        self.url = f"http://127.0.0.1:{self.port}/v1"
        for _ in range(600):
            try:
                if urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=5).status == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"llama-server did not start: {work}/server.log")

    def stop(self):
        self.process.kill()
        self.process.wait()


def players(name, url, more="", **roles):
    """A players file; a role's settings as a dict."""
    key = work / "key"
    key.write_text(KEY)
    key.chmod(0o600)
    path = work / f"{name}.yaml"
    path.write_text(json.dumps({"endpoints": {"llama": {"base_url": url, "key_file": str(key), "concurrency": 32, "retries": 2, "backoff": 0.1,
                                                        **(json.loads(more) if more else {})}},
                                "players": {role: {"model": "random", "endpoint": "llama", **settings} for role, settings in roles.items()}}))
    return str(path)


def ppc(*command, **options):
    return subprocess.run([args.ppc, *map(str, command)], capture_output=True, text=True, timeout=900, **options)


def lines(folder):
    return [json.loads(line) for line in (folder / "episodes.jsonl").read_text().split("\n") if line]


def asked(episodes):
    """What models said: messages to the game master that a program did not write."""
    return [(e, m) for e in episodes for m in e["messages"] if "finish" in m]


# ---- what was recorded ----

def recorded(name, folder, count, limits, stops, game=None):
    """limits, stops: by role, in the order of "Player 1"…; game: where it is no game of ours."""
    of_game = ["--game", game] if game else []
    episodes = lines(folder)
    said = asked(episodes)
    of = lambda m: int(m["from"].split()[1]) - 1
    holds(f"{name}: every episode is recorded, once", len(episodes) == count == len({e["record"] for e in episodes}), f"{len(episodes)}")
    files = ("instance.json", "interactions.json", "requests.json", "scores.json")
    holds(f"{name}: with its files", all((folder / e["record"] / f).is_file() for e in episodes for f in files))
    finish = {f: sum(m["finish"] == f for _, m in said) for f in ("stop", "length", "empty", "invalid", "refusal")}
    holds(f"{name}: replies ended as asked", finish["stop"] + finish["length"] + finish["empty"] == len(said) > 0,
          ", ".join(f"{n} {f}" for f, n in finish.items() if n))
    good = all(1 <= m["tokens"] <= limits[of(m)] and (m["finish"] != "length" or m["tokens"] == limits[of(m)]) for _, m in said)
    holds(f"{name}: tokens are counted, and no more than max_tokens", good, f"{sum(m['tokens'] for _, m in said)} in {len(said)} replies")
    requests = [r for e in episodes for r in json.loads((folder / e["record"] / "requests.json").read_text())]
    holds(f"{name}: requests.json has each of them", len(requests) == len(said)
          and all(r["tokens"]["prompt"] > 50 and r["tokens"]["reply"] >= 1 and r["model"] and r["attempts"] >= 1 for r in requests))
    holds(f"{name}: nothing behind a stop text", not any(s in m["text"] for _, m in said for s in stops[of(m)]))
    logprobs = [(m, m["logprobs"] or []) for _, m in said if "logprobs" in m]
    if any(of_reply for _, of_reply in logprobs):
        # llama.cpp gives none for bytes that make no character (yet), nor always for the token that ended the reply.
        good = all(isinstance(t["token"], str) and t["logprob"] <= 0 for _, of_reply in logprobs for t in of_reply) \
            and all(m["tokens"] - 1 <= len(of_reply) <= m["tokens"] if m["text"].isascii() else len(of_reply) <= m["tokens"]
                    for m, of_reply in logprobs)
        holds(f"{name}: tokens have their log-probabilities", good,
              f"{sum(len(of_reply) for _, of_reply in logprobs)} of {sum(m['tokens'] for m, _ in logprobs)} tokens")
    again = ppc("replay", folder / "episodes.jsonl", *of_game)
    holds(f"{name}: replayed, byte for byte", again.returncode == 0 and again.stdout.count(": the same") == count, again.stdout.strip().split("\n")[-1])
    for verb in (["score", *of_game], ["eval", "--out", folder.with_name(folder.name + "-eval")], ["transcribe", "-o", folder.with_name(folder.name + "-pages")]):
        run = ppc(verb[0], folder, *verb[1:])
        holds(f"{name}: ppc {verb[0]}", run.returncode == 0, (run.stderr or run.stdout).strip().split("\n")[-1])
    left = [f for f in ("replies.jsonl",) if (folder / f).exists()]
    holds(f"{name}: nothing is left over", not left, " ".join(left))
    holds(f"{name}: the key shows nowhere", not any(KEY in f.read_text(errors="replace") for f in folder.rglob("*") if f.is_file()))


def run(name, game, file, count, *more):
    folder = work / name
    shutil.rmtree(folder, ignore_errors=True)
    began = time.time()
    done = ppc("play", game, "--players", file, "--in-flight", 32, "--out", folder, "--seed", 1, "--episodes", count, *more)
    text = (done.stdout.split("\n")[0] if done.returncode == 0 else done.stderr.strip()) + f" ({time.time() - began:.0f} s)"
    holds(f"{name}: exit code 0", done.returncode == 0, text)
    return folder


def free_runs(url):
    first = {"temperature": 1, "max_tokens": 30, "logprobs": 2}
    second = {"temperature": 0.8, "top_p": 0.9, "max_tokens": 20, "stop": ["e", "\n"], "logprobs": True, "seed": 5}
    n = args.episodes
    # Without the form a random describer's game is over at once; a prefix by grammar lets the guesser speak.
    prefixed = {**first, "extra": {"grammar": 'root ::= "CLUE:" [^\\x00]*'}}
    recorded("taboo", run("taboo", "taboo", players("taboo", url, describer=prefixed, guesser=second), n), n, (30, 20), ([], ["e", "\n"]))
    recorded("wordle", run("wordle", "wordle", players("wordle", url, guesser={**second, "system": "You play word games."}), n), n, (20,), (["e", "\n"],))
    recorded("privateshared", run("privateshared", "privateshared", players("privateshared", url, answerer={**first, "max_tokens": 16}), n), n, (16,), ([],))
    schema = {"type": "object", "properties": {"message": {"type": "string", "pattern": "^[a-z ]{1,8}$"}}, "required": ["message"], "additionalProperties": False}
    # Enough tokens for the longest object, and a pattern of ASCII: what breaks the schema (cut off, or in broken bytes, which its grammars
    # let through) llama-server answers with status 500.
    json_reply = {**first, "max_tokens": 200, "extra": {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}}}
    folder = run("json", str(HERE / "said.game"), players("json", url, writer=json_reply), n, "--repeat", n)
    recorded("json", folder, n, (200,), ([],), HERE / "said.game")
    said = asked(lines(folder))
    whole = [m for _, m in said if m["finish"] == "stop" and '\\"' not in m["text"]]
    unread = [m["text"] for m in whole if not m["captures"]]
    holds("json: what ended by itself was read by the game", bool(whole) and not unread, f"{len(whole)} of {len(said)}" + "".join(f", not {t!r}" for t in unread))


# ---- several games, branches ----

def other_runs(url):
    sampling = ["--sampling", "max_tokens=24", "--sampling", "constrain=grammar", "--sampling", "temperature=1"]
    environment = {**os.environ, "OPENAI_API_KEY": KEY}

    def run(name, *command):
        folder = work / name
        shutil.rmtree(folder, ignore_errors=True)
        done = ppc("play", *command, "--base-url", url, *sampling, "--in-flight", 32, "--seed", 1, "--out", folder, env=environment)
        holds(f"{name}: exit code 0", done.returncode == 0, "; ".join((done.stdout if done.returncode == 0 else done.stderr).strip().split("\n")[:4]))
        again = ppc("replay", folder / "episodes.jsonl")
        holds(f"{name}: replayed, byte for byte", again.returncode == 0, again.stdout.strip().split("\n")[-1])
        return lines(folder)

    episodes = run("several", "taboo", "hellogame", "kuhn_poker", "--player", "openai:random", "--episodes", 8)
    count = {g: sum(e["game"] == g for e in episodes) for g in ("taboo", "hellogame", "kuhn_poker")}
    holds("several: every episode of each game is recorded", set(count.values()) == {8}, str(count))
    branches = run("branches", "taboo", "--player", "describer=openai:random", "--player", "guesser=openai:random", "--episodes", 8,
                   "--branch", "3@guesser:1", "--branch", "2@describer:2")
    trees = [e for e in branches if e["schema"] == "ppc-episode/1"]
    said = [m["text"] for e in branches for m in e["messages"] if "finish" in m]
    holds("branches: six ends of each episode", len(trees) == 8 and len(branches) == 48, f"{len(branches)} lines")
    holds("branches: a model says different things in them", len(set(said)) > 0.9 * len(said), f"{len(set(said))} of {len(said)} replies")


# ---- grammars ----

def constrained_runs(url):
    how = {"temperature": 1, "max_tokens": 40, "constrain": "grammar", "logprobs": True}
    n = args.episodes
    for game, roles in (("taboo", ("describer", "guesser")), ("hellogame", ("greeter",)), ("kuhn_poker", ("first", "second"))):
        name = game + "-constrained"
        folder = run(name, game, players(name, url, **{r: how for r in roles}), n)
        if not (folder / "episodes.jsonl").exists():
            continue
        episodes = lines(folder)
        said = asked(episodes)
        broken = [m for _, m in said if m.get("violation") and m["violation"]["kind"] == "format"]
        whole = [m for m in broken if m["finish"] != "length"]
        holds(f"{name}: no reply that came to its end breaks its format", bool(said) and not whole, f"{len(said)} replies, {len(broken)} cut by length break it")
        outcomes = {o: sum(e["outcome"] == o for e in episodes) for o in ("won", "lost", "aborted")}
        print(f"     {outcomes}, rounds {sum(e['rounds'] for e in episodes)}")
        again = ppc("replay", folder / "episodes.jsonl")
        holds(f"{name}: replayed, byte for byte", again.returncode == 0, again.stdout.strip().split("\n")[-1])


def grammars():
    """Of every game and of formats.game: name -> text."""
    out = {}
    for game in sorted(f for f in (ROOT / "stdlib-games").glob("*/*.game") if f.stem == f.parent.name) + [HERE / "formats.game"]:
        text = ppc("compile", game, "--emit=grammar").stdout
        for part in re.split(r"^# ", text, flags=re.M)[1:]:
            move, _, grammar = part.partition("\n")
            if "root ::=" in grammar:
                out[f"{game.stem}.{move}"] = grammar.strip() + "\n"
    return out


def fits(grammar, reply):
    """What llama.cpp's own validator says; None when it cannot read the grammar."""
    (srv / "grammar").write_bytes(grammar.encode())
    (srv / "reply").write_bytes(reply.encode())
    text = inside("/usr/libexec/x86_64-linux-gnu/llama.cpp-tests/test-gbnf-validator", "/srv/peers/grammar", "/srv/peers/reply", timeout=60,
                  errors="replace").stdout
    return True if "is valid" in text else False if "is invalid" in text else None


def compare_grammars(url):
    all_of = grammars()
    unread = [name for name, g in all_of.items() if fits(g, "x") is None]
    holds("llama.cpp reads the grammar of every move", not unread, f"{len(all_of)} moves" if not unread else " ".join(unread))

    how = {"temperature": 1.5, "max_tokens": 24, "constrain": "grammar"}
    folder = run("formats", str(HERE / "formats.game"), players("formats", url, writer=how), 32, "--repeat", 32, "--set", "rounds=2")
    said = asked(lines(folder))
    # llama.cpp takes bytes that write a character in too long a form for that character; nobody else does, so U+FFFD stands for them.
    ended = [m for _, m in said if m["finish"] == "stop"]
    broken = [m for m in ended if "\ufffd" in m["text"]]
    wrong = [m for m in ended if m["captures"] is None and m not in broken]
    holds("formats: what llama.cpp lets through fits the format", bool(ended) and not wrong,
          f"{len(ended)} replies that came to their end, of {len(said)}; {len(broken)} with bytes that are no UTF-8"
          + (f"; first: {wrong[0]['move']} {wrong[0]['text']!r}" if wrong else ""))
    # Replies that fit, and such with a little change, in the game and in llama.cpp's validator.
    moves = [name.partition(".")[2] for name in all_of if name.startswith("formats.")]
    chance = random.Random(1)
    pieces = list(" \t\n-!?()[]{}\"\\^:x0９NnoßſK\u00a0\u2028\U0001f600\ufffd") + ["no", "x", "CLUE:", "é"]
    rounds = []
    for _ in range(40):
        row = []
        for move in moves:
            text = chance.choice([m["text"] for _, m in said if m["move"] == move] or ["x"])
            for _ in range(chance.choice((0, 1, 1, 2))):
                at = chance.randint(0, len(text))
                text = text[:at] + chance.choice(["", *pieces]) + text[at + chance.randint(0, 2):]
            row.append(text)
        rounds.append(row)
    (work / "script.json").write_text(json.dumps([text for row in rounds for text in row]))
    folder = work / "judged"
    shutil.rmtree(folder, ignore_errors=True)
    done = ppc("play", HERE / "formats.game", "--player", f"writer=script:{work}/script.json", "--set", f"rounds={len(rounds)}", "--out", folder)
    if done.returncode:
        return holds("formats: judged here", False, done.stderr)
    ours = [m for m in lines(folder)[0]["messages"] if "move" in m]
    differ, fitting, count = [], 0, 0
    for m, text in zip(ours, [t for row in rounds for t in row]):
        if not text:
            continue  # the validator takes no empty input
        if re.search(r"[0-9]{19}", text):
            continue  # some of these are ints, which no grammar can say; ours stops at 18 digits
        theirs = fits(all_of["formats." + m["move"]], text)
        mine = m["captures"] is not None
        count += 1
        fitting += mine
        if theirs != mine:
            differ.append(f"{m['move']} {text!r}: ours {mine}, llama.cpp's {theirs}")
    holds("formats: our matcher and llama.cpp's grammar agree", not differ, f"{count} replies, {fitting} of which fit" + "".join("\n       " + d for d in differ[:20]))


# ---- what goes wrong ----

def killed(url):
    how = {"temperature": 1, "max_tokens": 24, "constrain": "grammar"}
    file = players("killed", url, describer=how, guesser=how)
    folder = work / "killed"
    shutil.rmtree(folder, ignore_errors=True)
    command = ["play", "taboo", "--players", file, "--in-flight", 8, "--out", folder, "--seed", 3, "--episodes", 24]
    kills = 0
    for episodes in (1, 8, 16):
        running = subprocess.Popen([args.ppc, *map(str, command), *(["--resume"] if kills else [])], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while running.poll() is None:
            if (folder / "episodes.jsonl").exists() and (folder / "episodes.jsonl").read_bytes().count(b"\n") >= episodes:
                running.send_signal(signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.01)
        running.wait()
    kept = len((folder / "replies.jsonl").read_text().splitlines()) if (folder / "replies.jsonl").exists() else 0
    done = ppc(*command, "--resume")
    text = done.stdout.split("\n")[0] or done.stderr.strip()
    holds(f"killed {kills} times, resumed: exit code 0", kills == 3 and done.returncode == 0, f"{kept} replies kept; {text}")
    recorded("killed", folder, 24, (24, 24), ([], []))


def errors(server):
    how = {"temperature": 1, "max_tokens": 10}

    def fails(what, url, expected, options="", **settings):
        folder = work / "failed"
        shutil.rmtree(folder, ignore_errors=True)
        done = ppc("play", "wordle", "--players", players("failed", url, options, guesser={**how, **settings}), "--out", folder, "--episodes", 2)
        error = next((line for line in done.stderr.split("\n") if line.startswith("error")), done.stderr.strip())
        holds(what, done.returncode == 3 and bool(re.search(expected, error)) and KEY not in done.stderr, f"exit code {done.returncode}, {error}")

    (work / "wrong-key").write_text("another-key")
    (work / "wrong-key").chmod(0o600)
    fails("a wrong key ends the run", server.url, "status 401", json.dumps({"key_file": str(work / "wrong-key")}))
    fails("a wrong path ends the run", server.url + "/no", "status 404")
    fails("a grammar that llama.cpp cannot read", server.url, "status 400", extra={"grammar": "root ::= ("})
    fails("a prompt longer than the context", server.url, "status 400.*context", system="word " * 4000)
    router = Server("--models-dir", "/srv/peers")
    fails("a model that is not there (a server with several models)", router.url, "status (400|404).*not found", model="another")
    router.stop()
    server.stop()
    fails("a server that has gone", server.url, r"onnect.*\(3 attempts\)")


made = inside("python3", "-c", (HERE / "random_llama.py").read_text(), "/srv/peers/random.gguf")
if made.returncode:
    sys.exit(made.stderr)
print(inside("llama-server", "--version").stdout.strip() or inside("llama-server", "--version").stderr.strip())
server = Server("-m", "/srv/peers/random.gguf", "-c", "131072", "-np", "16")
try:
    free_runs(server.url)
    constrained_runs(server.url)
    other_runs(server.url)
    compare_grammars(server.url)
    killed(server.url)
    errors(server)
finally:
    server.stop()
    if not args.out and not failures:
        shutil.rmtree(work)
print(f"{failures} of these do not hold; kept in {work}" if failures else "all of it holds")
sys.exit(failures > 0)
