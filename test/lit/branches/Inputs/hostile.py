"""hostile.py PPC EPISODES COUNT FOLDER: lines of branches with members left out, doubled and changed, and lines in another order: every
verb reads them or says what is wrong (exit code 0 or 1), and none crashes."""
import copy
import json
import pathlib
import random
import subprocess
import sys

ppc, count, folder = sys.argv[1], int(sys.argv[3]), pathlib.Path(sys.argv[4])
lines = [json.loads(line) for line in open(sys.argv[2], encoding="utf-8")]
rng = random.Random(5)
MEMBERS = ("branch", "tree", "parent", "leaves", "open", "history", "messages", "notes", "branches", "record", "schema")


def changed(value):
    if isinstance(value, (dict, list)) and value:
        key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        how = rng.random()
        if how < 0.15:
            del value[key]
        elif how < 0.4:
            value[key] = rng.choice([None, -1, 10**18, "x", [], {}, True, "0.1", "../../x", 1e300])
        else:
            value[key] = changed(value[key])
        return value
    return rng.choice([None, -1, 2**62, "x", [], {}, "0", 3])


file = folder / "hostile.jsonl"
for _ in range(count):
    now = copy.deepcopy(lines)
    for _ in range(rng.randint(1, 3)):
        i = rng.randrange(len(now))
        how = rng.random()
        if how < 0.1 and len(now) > 1:
            del now[i]
        elif how < 0.2:
            now.insert(rng.randrange(len(now)), now[i])
        else:
            member = rng.choice(MEMBERS)
            if member in now[i]:
                now[i][member] = changed(now[i][member])
    file.write_text("".join(json.dumps(line) + "\n" for line in now), encoding="utf-8")
    for verb in (["tree"], ["tree", "--json"], ["replay"], ["score"], ["eval"], ["export", "--format", "dpo", "--turn", "--by", "score"],
                 ["transcribe", "--one-file", "-o", str(folder / "page.html")]):
        done = subprocess.run([ppc, verb[0], str(file), *verb[1:]], capture_output=True, text=True, errors="replace", timeout=60)
        if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stdout + done.stderr):
            sys.exit(f"{verb}: exit code {done.returncode}, {file}\n{done.stderr}")
# A chain of branches, each of the one before.
now = [lines[0]]
for n in range(3000):
    now.append(dict(lines[-1], record=f"b{n}", branch=f"x{n}", parent=now[-1]["record"]))
file.write_text("".join(json.dumps(line) + "\n" for line in now), encoding="utf-8")
done = subprocess.run([ppc, "tree", str(file)], capture_output=True, text=True, timeout=60)
assert done.returncode == 1 and "more than 1,000 branches one behind the other" in done.stderr, done.stderr
print(count, "files read or refused")
