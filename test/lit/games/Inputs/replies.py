"""replies.py PPC GAME FILE [options of `ppc play`]: what becomes of single replies, on the interpreter, the JIT and as a shared object.

FILE holds, after a line `#--- replies.txt` if there is one:
    == a title                  a block; the lines `role: reply` in it are played before each of its cases
    guesser: explanation: x     escapes as in `ppc play --script`; {na *350000} is `na ` 350,000 times
    > guesser: cr4ne            a case: this reply, and under it, indented, what became of it
    noise guesser: crane        as many cases: what real models make of this reply
    cannot Move, expect x: why  a rule that no reply can break
What became of a reply: the rule it broke with the reason, or what the move gave; then the outcome, or who is asked next.
Every rule of the game must be broken by a case, or stand behind `cannot`. With PPC_UPDATE=1 the results in FILE are written anew.
"""
import concurrent.futures
import difflib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

MARK = "#--- replies.txt\n"


def noise(good):
    """What real models make of a good reply: design notes in test/lit/games/README.md."""
    first, *rest = good.split("\\n")
    yield "as it should be", good
    yield "an end-of-turn marker", good + "<end_of_turn>"
    yield "another end-of-turn marker", good + "<|im_end|>"
    yield "an end-of-turn marker on its own line", good + "\\n<|im_end|>\\n"
    yield "prose in front", "Sure, here is my answer:\\n" + good
    yield "prose behind", good + "\\n\\nI hope that this helps!"
    yield "an explanation on the same line", good + " because it fits best"
    yield "nothing", ""
    yield "only white space", " \\n\\t\\n"
    yield "a blank line in front", "\\n" + good
    yield "blank lines within", "\\n\\n".join([first, *rest]) if rest else good.replace(" ", "\\n\\n", 1)
    yield "the game master's next line, invented", good + "\\n\\nGM: Well done! What is next?\\n" + good
    yield "twice", good + "\\n" + good
    yield "bold", "**" + good + "**"
    yield "one bold word", re.sub(r"^(\S+)", r"**\1**", good)
    yield "in a fence", "```\\n" + good + "\\n```"
    yield "in curly quotes", "“" + good + "”"
    yield "carriage returns", good.replace("\\n", "\\r\\n") + "\\r\\n"
    yield "upper case", "\\n".join(line.upper() for line in good.split("\\n"))
    yield "a letter of another script", re.sub(r"([aeocpAEOCP])([^aeocpAEOCP]*)$", lambda m: "аеосрАЕОСР"["aeocpAEOCP".index(m[1])] + m[2], good)
    yield "accents and more", good + " – naïve ▢ 字 😀"
    yield "a no-break space", good.replace(" ", "\u00a0", 1)
    yield "a megabyte behind", good + " {and so on *100000}"
    yield "a megabyte in front", "{hm *350000}" + good
    yield "a megabyte of lines", good + "{\\n*1000000}"
    yield "a megabyte of astral characters", "{😀*260000}"
    yield "bytes that are no text", good + "\\xff\\xfe"


def unfolded(reply):
    return re.sub(r"\{([^{}]*?)\*(\d+)\}", lambda m: m[1] * int(m[2]), reply)


def shortened(text):
    text = text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t").replace("\u00a0", "\\u00a0").replace("\u2028", "\\u2028")
    return text if len(text) <= 100 else f"{text[:60]}…{text[-20:]} ({len(text)} characters)"


class Game:
    def __init__(self, ppc, game, options, folder):
        self.ppc, self.game, self.options, self.folder = ppc, game, options, pathlib.Path(folder)
        self.shared = str(self.folder / (pathlib.Path(game).stem + ".so"))
        self.resources = str(pathlib.Path(game).parent / "resources")
        subprocess.run([ppc, "compile", game, "-o", self.shared], check=True)
        listed = json.loads(subprocess.run([ppc, "check", game, "--rules", "--json"], check=True, capture_output=True).stdout)
        self.rules = {(r["move"], r["kind"], r["rule"], r["line"]) for r in listed[0]["rules"]}
        self.number = 0
        self.broken = set()

    def episode(self, script, engine):
        command = [self.ppc, "play", *([self.game, "--engine", engine] if engine != "so" else [self.shared]), "--json", "--script", script]
        if "--instances" not in self.options and engine == "so":
            command += ["--instances", str(pathlib.Path(self.game).parent / "instances" / "instances.json")]
        if "--resources" not in self.options and engine == "so" and os.path.isdir(self.resources):
            command += ["--resources", self.resources]
        run = subprocess.run(command + self.options, capture_output=True, timeout=300)
        if run.returncode != 0:
            return None, run.stderr.decode("utf-8", "replace")
        (episode,) = json.loads(run.stdout)["episodes"]
        for m in episode["messages"]:
            del m["timestamp"]
        del episode["timestamp"]
        return episode, ""

    def judge(self, before, reply, engines=("interp", "jit", "so")):
        """The result as text, and the rules broken by this reply."""
        self.number += 1
        script = self.folder / f"script{self.number}.txt"
        script.write_text("\n".join([unfolded(line) for line in [*before, reply]]) + "\n", encoding="utf-8")
        # With sanitizers a process takes long: one engine is enough there, the release build compares them.
        only = os.environ.get("PPC_REPLIES_ENGINE")
        episodes = [self.episode(str(script), engine) for engine in ([only] if only else engines)]
        script.unlink()
        episode, problem = episodes[0]
        if any(e != episodes[0] for e in episodes[1:]):
            return "the engines differ: " + " | ".join(p or json.dumps({k: v for k, v in e.items() if k != "messages"})[:600] for e, p in episodes), []
        if episode is None:
            return "error: " + re.sub(r"^.*?script\d+\.txt:\d+: ", "", problem.strip().replace("error: ", "")), []
        said = [i for i, m in enumerate(episode["messages"]) if m["from"] != "GM" and m["move"] is not None]
        if len(said) <= len(before):
            return f"it is not asked for: {episode['outcome']}: {episode['reason']}", []
        at = said[len(before)]
        message = episode["messages"][at]
        v = message["violation"]
        if v:
            result = f"breaks {v['move']}, {v['kind']}" + (f" {v['rule']}" if v["kind"] != "format" else "") + (f": {shortened(v['reason'])}" if v["reason"] else "")
        else:
            gives = message["captures"] or {}
            result = f"fits {message['move']}" + "".join(f", {k} = {shortened(x) if x else 'nothing'}" for k, x in gives.items())
        if len(said) > len(before) + 1:
            role = {p["name"]: p["role"] for p in episode["players"]}
            result += f"; then {role[episode['messages'][said[len(before) + 1]]['from']]} is asked"
        else:
            result += f"; {episode['outcome']}" + (f": {shortened(episode['reason'])}" if episode["reason"] and not (v and episode["reason"] == v["reason"]) else "")
            if episode["outcome"] != "aborted":
                result += f", {episode['score']:g}"
        return result, [(v["move"], v["kind"], v["rule"], v["line"])] if v else []


def main():
    ppc, game, file, *options = sys.argv[1:]
    text = pathlib.Path(file).read_text(encoding="utf-8")
    head, mark, body = text.rpartition(MARK)
    with tempfile.TemporaryDirectory() as folder:
        g = Game(ppc, game, options, folder)
        out, jobs, before, cannot = [], [], [], []
        for line in body.splitlines():
            if line.startswith("  "):
                continue  # a result
            out.append(line)
            if line.startswith("=="):
                before = []
            elif line.startswith("cannot "):
                cannot.append(line[len("cannot "):])
            elif line.startswith("> "):
                jobs.append((len(out), "", list(before), line[2:]))
            elif line.startswith("noise "):
                role, _, good = line[len("noise "):].partition(": ")
                jobs += [(len(out), name, list(before), f"{role}: {reply}") for name, reply in noise(good)]
            elif line and not line.startswith("#"):
                before.append(line)
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            # The JIT and a shared object run the same code; for noise one of them is enough.
            results = list(pool.map(lambda job: g.judge(job[2], job[3], *([("interp", "so")] if job[1] else [])), jobs))
        broken = {rule for _, rules in results for rule in rules}
        lines = []
        for n, line in enumerate(out, 1):
            lines.append(line)
            lines += [f"  {job[1]}: {result}" if job[1] else f"  {result}" for job, (result, _) in zip(jobs, results) if job[0] == n]
        new = head + mark + "\n".join(lines) + "\n"
        failed = False
        if new != text:
            if os.environ.get("PPC_UPDATE"):
                pathlib.Path(file).write_text(new, encoding="utf-8")
            else:
                sys.stderr.writelines(difflib.unified_diff(text.splitlines(True), new.splitlines(True), "expected", "found"))
                failed = True
        for move, kind, rule, line in sorted(g.rules, key=lambda r: r[3]):
            named = f"{move}, {kind} {rule}".strip() if kind != "format" else f"{move}, format"
            excused = any(c.startswith(f"{named}:") or c.startswith(f"{named} (line {line}):") for c in cannot)
            if (move, kind, rule, line) not in broken and not excused:
                sys.stderr.write(f"no reply breaks {named} (line {line})\n")
                failed = True
            if (move, kind, rule, line) in broken and excused and kind != "format":
                sys.stderr.write(f"a reply breaks {named} (line {line}), which it is said none can\n")
                failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
