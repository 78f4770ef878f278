"""games.py PPC GAMES OUT: the games of the miniature are clean; their generators go by their seed, and never give an instance both to training and
to what is held out; good bots win and sloppy ones are worse; each rule is broken by a reply; all engines agree."""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys

ppc, games, out = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
NAMES = sorted(p.stem for p in games.glob("*.game") if re.search(r"^game ", p.read_text(encoding="utf-8"), re.M))

# Whoever is asked says this, and breaks one rule each. What a player says before is what the other one needs.
BROKEN = {
    "number": [["um GUESS: 3"], ["GUESS: 99"]],
    "refer": [["red"], ["CLUE: big red ball"], ["CLUE: huge"], ["CLUE: red", "2"], ["CLUE: red", "PICK: 4"]],
    "riddle": [["HINT"], ["HINT: heavy"], ["HINT: {forbidden}"], ["HINT: {allowed}", "WORD"], ["HINT: {allowed}", "WORD: house"]],
    "code": [["a b c"], ["TRY: a a b"], ["TRY: x y z"]],
    "odd": [["3"], ["ODD: 5"]],
    "warmer": [["30"], ["GO: 99"]],
    "fetch": [["hall"], ["AT: moon"]],
    "copy": [["red"]],
    "count": [["COUNT: two"]],
}


def run(*command):
    r = subprocess.run([ppc, *map(str, command)], capture_output=True, text=True, timeout=500)
    assert r.returncode == 0, f"{' '.join(map(str, command))}: {r.stderr[:2000]}{r.stdout[:2000]}"
    return r.stdout


def told(instance):
    """What makes an instance: not in which order things stand there, where that is all that is different."""
    return json.dumps({k: sorted(v) if k == "seen" else v for k, v in instance.items() if k not in ("game_id", "order")}, sort_keys=True)


def episodes(game, file, *options):
    records = out / f"{game}_{len(list(out.iterdir()))}"
    run("play", games / f"{game}.game", "--instances", file, "--out", records, *options)
    return [json.loads(line) for line in (records / "episodes.jsonl").read_text(encoding="utf-8").splitlines()]


def judge(name):
    path = games / f"{name}.game"
    assert run("check", path) == f"{path}: ok\n"
    run("fmt", "--check", path)
    made = [run("generate", path, "--count", 300, "--seed", seed) for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2], f"{name}: the generator does not go by its seed"
    parts = {"train": set(), "held_out": set()}
    for text in (made[0], made[2]):
        for e in json.loads(text)["experiments"]:
            parts[e["name"]].update(told(i) for i in e["game_instances"])
    assert not parts["train"] & parts["held_out"], f"{name}: an instance is in both parts"
    file = out / f"{name}.json"
    file.write_text(run("generate", path, "--count", 40, "--seed", 5), encoding="utf-8")
    source = path.read_text(encoding="utf-8")
    bots = {}
    for role, bot in re.findall(r"^bot (\w+) (\w+)", source, re.M):
        bots.setdefault(role, []).append(bot)
    lines = []
    for bot in next(iter(bots.values())):
        cast = [o for role in bots for o in ("--player", f"{role}=bot:{bot}")]
        played = [episodes(name, file, *cast, "--engine", engine) for engine in ("interp", "jit")]
        ends = [[(e["outcome"], e["reason"], e["scores"]["episode scores"]["Main Score"]) for e in p] for p in played]
        assert json.dumps(ends[0]) == json.dumps(ends[1]), f"{name}: engines differ"
        assert not any(e[1].startswith(("fault", "budget")) for e in ends[0]), f"{name}: {bot}: a fault"
        share = [100 * sum(e[0] == o for e in ends[0]) // len(ends[0]) for o in ("won", "lost", "aborted")]
        lines.append(f"{name} {bot}: {share[0]} % won, {share[1]} % lost, {share[2]} % aborted")
        if bot == "careful":
            assert share[0] >= 95, lines[-1]
        else:
            assert share[0] < 75, lines[-1]
    instance = json.loads(file.read_text(encoding="utf-8"))["experiments"][0]["game_instances"][0]
    allowed = re.search(rf'"{instance["target"]}": \["(\w+)", "(\w+)"', source) if name == "riddle" else None
    hint = next(h for h in allowed.groups() if h != instance["forbidden"]) if allowed else ""
    rules = set()
    for k, replies in enumerate(BROKEN[name]):
        script = out / f"{name}_{k}.yaml"
        roles = list(bots)
        options = []
        for role, reply in zip(roles, replies):
            script = out / f"{name}_{k}_{role}.json"
            script.write_text(json.dumps([reply.replace("{forbidden}", instance.get("forbidden", "")).replace("{allowed}", hint)]), encoding="utf-8")
            options += ["--player", f"{role}=script:{script}"]
        for role in roles[len(replies):]:
            options += ["--player", f"{role}=bot:careful"]
        (e,) = episodes(name, file, *options, "--episodes", 1)
        broken = [m["violation"] for m in e["messages"] if m.get("violation")]
        assert len(broken) == 1, f"{name}: {replies}: {broken}"
        rules.add(json.dumps(broken[0]))
    declared = len(re.findall(r"^  (?:format|expect|forbid) ", source, re.M))
    assert len(rules) == declared, f"{name}: {len(rules)} of {declared} rules are broken by a reply"
    return lines


with concurrent.futures.ThreadPoolExecutor(2) as pool:
    for lines in pool.map(judge, NAMES):
        print("\n".join(lines))
print(len(NAMES), "games")
