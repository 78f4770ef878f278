"""instances.py PPC GAMES OUT [CLEMBENCH]: every game's own instances are all played to their end by its bots; its generator makes the same
bytes for the same seed, others for another one, and what it makes is played, too. CLEMBENCH: the instance files of every game and
language that lie there: all their instances start, and are played by bots or by players who say nothing."""
import concurrent.futures
import json
import pathlib
import re
import subprocess
import sys

ppc, games, out = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
clembench = pathlib.Path(sys.argv[4]) if len(sys.argv) > 4 else None
NAMES = sorted(p.name for p in games.iterdir() if (p / f"{p.name}.game").exists())


def run(*command):
    r = subprocess.run([ppc, *map(str, command)], capture_output=True, text=True, timeout=500)
    assert r.returncode == 0, f"{' '.join(map(str, command))}: {r.stderr[:2000]}"
    return r.stdout


def count(file):
    document = json.loads(file.read_text(encoding="utf-8"))
    return sum(len(e["game_instances"]) for e in document["experiments"])


def played(game, file, label, *options):
    """The episodes, one for each instance of the file."""
    records = out / label
    run("play", game, "--instances", file, "--out", records, *options)
    lines = (records / "episodes.jsonl").read_text(encoding="utf-8").splitlines()
    episodes = [json.loads(line) for line in lines]
    assert len(episodes) == count(file) > 0, f"{label}: {len(episodes)} episodes of {count(file)} instances"
    for e in episodes:
        assert e["outcome"] in ("won", "lost", "aborted") and not e["reason"].startswith(("fault", "budget")), f"{label}: {e['instance'].get('game_id')}: {e['reason']}"
        assert any(m["from"] != "GM" for m in e["messages"]), f"{label}: nobody is asked"
    return episodes


def judge(name):
    game = games / name / f"{name}.game"
    bots = {}
    for source in [game, *game.parent.glob("*.game")]:
        for role, bot in re.findall(r"^bot (\w+) (\w+)", source.read_text(encoding="utf-8"), re.M):
            bots.setdefault(role, {})[bot] = None
    own = []
    for k in range(max(len(b) for b in bots.values())):
        cast = [o for role, names in bots.items() for o in ("--player", f"{role}=bot:{list(names)[min(k, len(names) - 1)]}")]
        own += played(game, games / name / "instances" / "instances.json", f"{name}_own{k}", *cast)
    assert any(e["outcome"] == "won" for e in own), f"{name}: no bot ever wins"
    assert any(m.get("violation") for e in own for m in e["messages"]), f"{name}: no bot ever breaks a rule"
    if "\ngenerate {" not in game.read_text(encoding="utf-8") and not any("\ngenerate {" in p.read_text(encoding="utf-8") for p in game.parent.glob("*.game")):
        page = (game.parent / "README.md").read_text(encoding="utf-8")
        assert "curated" in page, f"{name}: no generator, and its page does not say why its data is curated"
        return
    made = [run("generate", game, "--count", 4, "--seed", seed, "--engine", engine) for seed, engine in ((5, "jit"), (5, "jit"), (5, "interp"), (6, "jit"))]
    assert made[0] == made[1] == made[2] != made[3], f"{name}: the generator does not go by its seed"
    file = out / f"{name}_made.json"
    file.write_text(made[0], encoding="utf-8")
    episodes = played(game, file, f"{name}_made")
    assert len({json.dumps(e["instance"]) for e in episodes}) > 1, f"{name}: all instances are the same"
    # Far more than the words and texts that a game has.
    many = out / f"{name}_many.json"
    run("generate", game, "--count", 300, "--seed", 7, "-o", many)
    document = json.loads(many.read_text(encoding="utf-8"))
    assert all(len(e["game_instances"]) == 300 for e in document["experiments"]), name
    many.unlink()


def judge_file(file):
    name = file.parent.name + next((kind for kind in ("_withclue", "_withcritic") if kind in file.name), "")
    game = games / name / f"{name}.game"
    if not game.exists():
        return
    silent = out / "silent.json"
    manifest = json.loads(run("play", game, "--json"))["episodes"][0]["players"]
    options = [o for p in manifest if not p["scripted"] for o in ("--player", f"{p['role']}=script:{silent}")]
    if (resources := clembench.parent / "resources" / file.parent.name).is_dir():
        options += ["--resources", resources]
    played(game, file, f"clembench_{name}_{file.stem}", *options)


out.mkdir(parents=True, exist_ok=True)
(out / "silent.json").write_text("[]")
problems = []
with concurrent.futures.ThreadPoolExecutor(2) as pool:
    jobs = [pool.submit(judge_file, f) for f in sorted(clembench.glob("*/*.json"))] if clembench else [pool.submit(judge, n) for n in NAMES]
    for job in jobs:
        try:
            job.result()
        except AssertionError as e:
            problems.append(str(e))
assert len(jobs) > 15
sys.exit("\n".join(problems) if problems else 0)
