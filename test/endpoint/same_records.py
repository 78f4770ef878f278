#!/usr/bin/env python3
"""Whether two folders of records tell the same, but for times and how often an endpoint was asked: usage: same_records.py A B"""
import json
import pathlib
import sys

TIMES = ("timestamp", "timestamp_sent", "attempts")


def plain(value):
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items() if k not in TIMES}
    return [plain(v) for v in value] if isinstance(value, list) else value


def records(folder):
    folder, out = pathlib.Path(folder), {}
    for path in folder.rglob("*.json"):
        out[str(path.relative_to(folder))] = plain(json.loads(path.read_text(encoding="utf-8")))
    lines = (folder / "episodes.jsonl").read_text(encoding="utf-8").split("\n")
    for line in filter(None, lines):
        try:
            line = plain(json.loads(line))
        except json.JSONDecodeError:
            continue  # cut off
        if line["record"] + " line" in out:
            sys.exit(f"{folder}: {line['record']} is there twice")
        out[line["record"] + " line"] = line
    out["order of episodes.jsonl"] = [name for name in out if name.endswith(" line")]
    extra = [p.name for p in folder.iterdir() if p.is_file() and p.name != "episodes.jsonl"]
    if extra:
        sys.exit(f"{folder}: {extra} left over")
    return out


a, b = records(sys.argv[1]), records(sys.argv[2])
for name in sorted(a.keys() | b.keys()):
    if a.get(name) != b.get(name):
        sys.exit(f"{name} differs:\n  {str(a.get(name))[:2000]}\n  {str(b.get(name))[:2000]}")
print(f"{len(a)} records, all the same")
