"""Plays every game of the library under masks and counts the replies that were turned down: usage: masked.py PPC GAMES MODEL OUT"""
import collections
import json
import pathlib
import subprocess
import sys

ppc, games, model, out = sys.argv[1:5]
broken, rules, replies = collections.Counter(), collections.Counter(), 0
for folder in sorted(pathlib.Path(games).iterdir()):
    game = folder / (folder.name + ".game")
    if not game.exists():
        continue
    records = pathlib.Path(out) / folder.name
    run = subprocess.run([ppc, "play", str(game), "--player", "local:" + model, "--sampling", "mask=on", "--sampling", "max_tokens=200", "--episodes", "6",
                          "--out", str(records)], capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"{folder.name}: {run.stderr}")
    played = 0
    for line in (records / "episodes.jsonl").open():
        for m in json.loads(line)["messages"]:
            if not m.get("sample"):
                continue
            played += 1
            if m.get("invalid_utf8") or (m.get("violation") or {}).get("kind") == "format":
                broken[folder.name] += 1
            elif m.get("violation"):
                rules[folder.name] += 1
    if not played:
        sys.exit(f"{folder.name}: nothing was played")
    replies += played
print(f"{replies} replies, {sum(broken.values())} formats broken {dict(broken) or ''}; rules: {sorted(rules)}")
