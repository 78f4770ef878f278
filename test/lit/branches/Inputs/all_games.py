"""all_games.py PPC FOLDER: every game branches at every role that is asked, twice; each branch comes out the same when its replies
are played from the beginning, and branch 0 is the episode without branches."""
import json
import pathlib
import subprocess
import sys

ppc, folder = sys.argv[1], pathlib.Path(sys.argv[2])


def run(*args):
    done = subprocess.run([ppc, *args], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(args)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in ("timestamp", "branches")}
    return [plain(v) for v in value] if isinstance(value, list) else value


branches = games = pairs = 0
for game in json.loads(run("list", "games", "--json")):
    game = game["name"]
    alone = folder / game / "alone"
    run("play", game, "--seed", "2", "--episodes", "2", "--out", str(alone))
    alone = [json.loads(line) for line in open(alone / "episodes.jsonl", encoding="utf-8")]
    roles = [p["role"] for p in alone[0]["players"] if not p["scripted"]]
    tree = folder / game / "tree"
    points = [x for r in roles for p in (f"2@{r}", f"2@{r}:2") for x in ("--branch", p)]
    run("play", game, "--seed", "2", "--episodes", "2", "--out", str(tree), "--jobs", "2", *points)
    lines = [json.loads(line) for line in open(tree / "episodes.jsonl", encoding="utf-8")]
    same = json.loads(run("replay", str(tree / "episodes.jsonl"), "--json"))
    assert len(same) == len(lines) and all(r["same"] for r in same), game
    assert [plain(line) for line in lines if "tree" not in line] == [plain(line) for line in alone], game
    assert len(lines) > 2, game
    branches += len(lines) - 2
    made = subprocess.run([ppc, "export", str(tree), "--format", "dpo", "--turn", "--by", "score", "-o", str(tree / "pairs.jsonl")], capture_output=True)
    assert made.returncode in (0, 1), made.stderr
    if made.returncode == 0:
        check = pathlib.Path(__file__).with_name("branch_check.py")
        print(game, subprocess.run([sys.executable, str(check), str(tree), str(tree / "pairs.jsonl")], capture_output=True, text=True, check=True).stdout.strip())
        pairs += 1
    games += 1
print(games, "games,", branches, "branches: each the same from the beginning;", pairs, "games with pairs")
