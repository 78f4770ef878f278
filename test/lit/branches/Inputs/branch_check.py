"""branch_check.py RECORDS PAIRS [LOG]: the pairs of `ppc export --format dpo --turn` against the records, read here anew.

Chosen and rejected have the same history, byte for byte, and it is what the player was sent: LOG, the test endpoint's, has a request
with just these messages for each of the two replies. RECORDS: shared history is there once, and every branch has a whole one.
"""
import json
import pathlib
import sys

records = pathlib.Path(sys.argv[1])
lines = [json.loads(line) for line in (records / "episodes.jsonl").read_text(encoding="utf-8").splitlines()]
whole, roots = {}, {}
for k, line in enumerate(lines):
    root = None
    if line["schema"] == "ppc-branch/1":
        parent = whole[line["parent"]]
        at = line["leaves"]
        shared = [dict(m) for m in parent["messages"][:at["messages"]]]
        for last in line["open"]:
            shared[last["message"]].update({key: last[key] for key in ("captures", "violation", "reward")})
        for key, value in line.items():
            if key in ("game", "game_hash", "instance", "seed", "players", "experiment", "repeat", "draws"):
                assert parent[key] == value, key
        # Whoever is asked is the one that the last shared message goes to, and the first own message comes from.
        name = next(p["name"] for p in line["players"] if p["role"] == at["player"])
        assert shared[-1]["to"] == name and line["messages"][0]["from"] == name
        assert line["players_seed"] != line["seed"]
        line = dict(line, messages=shared + line["messages"], notes=parent["notes"][:at["notes"]] + line["notes"])
        root = line["tree"]
    else:
        assert line["schema"] == "ppc-episode/1"
        root = line["record"]
        assert line["branches"]["count"] == sum(other.get("tree") == root for other in lines), root
    assert line["record"] not in whole
    whole[line["record"]] = line
    roots[line["record"]] = root
    lines[k] = line


def turns(line, role):
    """What the player had been told and had said before each of its replies, and the reply."""
    player = next(p["name"] for p in line["players"] if p["role"] == role)
    memory, question, out = [], [], []
    for m in line["messages"]:
        if player not in (m["from"], m["to"]):
            continue
        one = {"role": "user" if m["from"] == "GM" else "assistant", "content": m["text"]}
        aside = m.get("aside", False)
        if m["from"] == "GM":
            if aside:
                question.append(one)
            else:
                memory = memory + [one]
            continue
        if not m.get("given"):
            out.append((memory + (question if aside else []), m))
        question = []
        if not aside:
            memory = memory + [one]
    return out


def joined(messages):
    out = []
    for m in messages:
        if out and out[-1]["role"] == m["role"] == "user":
            out[-1] = {"role": "user", "content": out[-1]["content"] + "\n\n" + m["content"]}
        else:
            out.append(m)
    return out


log = set()
if len(sys.argv) > 3:
    for entry in open(sys.argv[3], encoding="utf-8"):
        request = json.loads(entry)["request"]
        log.add(json.dumps([request["model"], request["messages"]]))
siblings = rule = score = 0
for pair in map(json.loads, open(sys.argv[2], encoding="utf-8")):
    found = []
    for side in ("chosen", "rejected"):
        line = whole[lines[int(pair[side + "_source"].rsplit(":", 1)[1])]["record"]]
        assert line["record"] == pair[side + "_episode"]
        before, reply = turns(line, pair["role"])[pair[side + "_turn"]]
        assert pair[side] == [{"role": "assistant", "content": reply["text"]}]
        assert (reply["violation"] is not None) == (pair[side + "_violation"] != "")
        found.append((line, before, reply))
        if log:
            model = next(p["model"] for p in line["players"] if p["role"] == pair["role"])
            assert json.dumps([model, before]) in log, "the player was never sent this"
    (good, history, chosen), (bad, other, rejected) = found
    as_bytes = [json.dumps(h, ensure_ascii=False).encode() for h in (history, other, pair["prompt"])]
    assert as_bytes[0] == as_bytes[1], "two histories"
    assert json.dumps(joined(history), ensure_ascii=False).encode() == as_bytes[2], "not what the player saw"
    assert chosen["violation"] is None and chosen["text"] != rejected["text"]
    one_tree = roots[good["record"]] == roots[bad["record"]] and good["record"] != bad["record"]
    siblings += one_tree
    if rejected["violation"] is not None:
        rule += one_tree
    else:
        score += one_tree
        assert pair["chosen_value"] - pair["rejected_value"] >= 1
print(f"{len(lines)} lines, {siblings} pairs of siblings: {rule} legal against violation, {score} by score")
