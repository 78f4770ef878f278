"""asides_check.py RECORDS: of privateshared, what records say of side questions and of replies that the game gave."""
import json
import pathlib
import sys

records = pathlib.Path(sys.argv[1])
asides = given = 0
for line in open(records / "episodes.jsonl", encoding="utf-8"):
    episode = json.loads(line)
    for m in episode["messages"]:
        if m["from"] == "Player 1":
            assert m.get("aside", False) == (m["move"] == "Aside")
            assert m.get("given", False) == (m["move"] is None)
        else:
            assert "given" not in m  # the questioner is the game's voice, which players say
        asides += m.get("aside", False) and m["from"] == "Player 1"
        given += m.get("given", False)
    folder = records / episode["record"]
    turns = json.loads((folder / "interactions.json").read_text(encoding="utf-8"))["turns"]
    labels = [(e["action"]["content"], e["action"]["label"] == "forget") for turn in turns for e in turn if e["from"] != e["to"]]
    assert labels == [(m["text"], m.get("aside", False)) for m in episode["messages"]]
    requests = json.loads((folder / "requests.json").read_text(encoding="utf-8"))
    # What was asked for, and the memory it was asked with: the given reply is in it, answers to side questions are not.
    memory, asked = [], []
    for m in episode["messages"]:
        if m["from"] != "Player 1":
            continue
        if not m.get("given"):
            asked.append((m["text"], list(memory)))
        if not m.get("aside"):
            memory.append(m["text"])
    requests = json.loads((folder / "requests.json").read_text(encoding="utf-8"))
    assert asked == [(r["raw_response_obj"], [m["content"] for m in r["manipulated_prompt_obj"] if m["role"] == "assistant"]) for r in requests]
assert asides and given
print(asides, "asides,", given, "given")
