"""Looks at the samples of episodes.jsonl: their ids must spell the texts, and string together."""
import json
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])
tokens = {}


def spelled(model, ids):
    if model not in tokens:
        home = next(p for p in (folder.parent.parent / model, folder.parent / model) if p.exists())
        data = json.loads((home / "tokenizer.json").read_text())
        plain = {}
        n = 256
        for b in range(256):
            if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174:
                plain[chr(b)] = b
            else:
                plain[chr(n)] = b
                n += 1
        special = {t["content"] for t in data["added_tokens"]}
        tokens[model] = {i: b"" if t in special else bytes(plain[c] for c in t) for t, i in data["model"]["vocab"].items()}
    return b"".join(tokens[model].get(i, b"") for i in ids).decode("utf-8", errors="replace")


shown = False
for line in folder.open():
    episode = json.loads(line)
    models = {p["name"]: p["model"] for p in episode["players"]}
    for m in episode["messages"]:
        if not m.get("sample"):
            continue
        s = m["sample"]
        if not shown and "left_at" in s:
            print(f"{models[m['from']]}: {s['mask']}, left at {s['left_at']}: {s['expected']}")
            shown = True
        assert len(s["ids"]) == len(s["logprobs"]) and all(p <= 0 for p in s["logprobs"]), s
        assert m["tokens"] == len(s["ids"]), m
        if not m.get("invalid_utf8"):
            assert spelled(models[m["from"]], s["ids"]) == m["text"], (m["text"], spelled(models[m["from"]], s["ids"]))
print("all texts are those of their ids")
