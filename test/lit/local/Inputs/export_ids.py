"""The ids of exported lines against the record: they are the player's samples, one behind the other, and trained are exactly those that were sampled in the
line's own replies.

  export_ids.py EXPORT.jsonl FORMAT EPISODES.jsonl
  export_ids.py win IN.jsonl OUT.jsonl         some episodes and branches are won, so that there are pairs
"""
import json
import sys

if sys.argv[1] == "win":
    with open(sys.argv[3], "w") as out:
        for i, line in enumerate(open(sys.argv[2])):
            e = json.loads(line)
            won = i % 2 == 0
            e["outcome"] = "won" if won else "lost"
            e["scores"]["episode scores"].update({"Main Score": 100.0 if won else 0.0, "Aborted": 0, "Success": int(won), "Lose": int(not won)})
            for m in e["messages"]:
                m.pop("violation", None)
            out.write(json.dumps(e) + "\n")
    sys.exit()

exported, form, records = sys.argv[1:4]
lines = [json.loads(line) for line in open(records)]
whole = {}  # record -> messages, those of the parent in front
for e in lines:
    shared = []
    if e["schema"] == "ppc-branch/1":
        shared = whole[e["parent"]][: e["leaves"]["messages"]]
    e["shared"] = len(shared)
    e["messages"] = whole[e["record"]] = shared + e["messages"]

columns, exact, context, given, asides = None, 0, 0, 0, 0
for text in open(exported):
    line = json.loads(text)
    columns = columns or list(line)
    assert list(line) == columns, (list(line), columns)
    for side in ("chosen", "rejected") if "chosen" in line else ("completion",):
        prefix = side + "_" if side != "completion" else ""
        episode = lines[int(line[prefix + "source"].rsplit(":", 1)[1])]
        player = next(p["name"] for p in episode["players"] if p["role"] == line["role"])
        said = [m["content"] for m in line[side] if m["role"] == "assistant"]
        # Its replies up to the last of the line's; of side questions only the line's own.
        before, own = [], []
        for i, m in enumerate(episode["messages"]):
            if m["from"] == player and m.get("given"):
                given += 1
            if m["from"] != player or m.get("given"):
                continue
            asides += bool(m.get("aside"))
            before.append((i, m))
        # The last reply that the line has is told by its number, or is the player's last.
        if "turn" in form:
            last = line[prefix + "turn"]
            own = [last]
        else:
            first = line[prefix + "turn"]
            replies = [k for k, (i, m) in enumerate(before) if not m.get("aside") or k == first and line.get("aside")]
            texts = [before[k][1]["text"] for k in replies]
            n = len(said)
            at = next(k for k in range(len(texts) - n + 1) if texts[k:k + n] == said and (first < 0 or replies[k] == first))
            own = replies[at:at + n]
            last = own[-1]
        ids, trained, logprobs = [], [], []
        for k, (i, m) in enumerate(before[: last + 1]):
            if m.get("aside") and k != last:
                continue
            s = m["sample"]
            mine = k in own
            assert not (mine and i < episode["shared"]), "a branch's shared reply"
            context += not mine
            ids += s["prompt"] + s["ids"]
            trained += [0] * len(s["prompt"]) + [int(mine)] * len(s["ids"])
            if mine:
                logprobs += s["logprobs"]
                settings = {"mask": s["mask"], "temperature": s["temperature"], "top_p": s.get("top_p", 1.0), "top_k": s.get("top_k", 0),
                            "min_p": s.get("min_p", 0.0), "repetition_penalty": s.get("repetition_penalty", 1.0)}
                assert line[prefix + "sampled"] == settings, (line[prefix + "sampled"], settings)
        assert line[prefix + "ids"] == ids, line[prefix + "source"]
        assert line[prefix + "trained"] == trained, line[prefix + "source"]
        assert line[prefix + "logprobs"] == logprobs, line[prefix + "source"]
        assert [type(x) for x in line[prefix + "logprobs"]] == [float] * len(logprobs)
        exact += 1
print(f"{exact} as recorded" + ", earlier replies" * bool(context) + ", given ones" * bool(given) + ", side questions" * bool(asides))
