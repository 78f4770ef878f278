"""export_check.py FORMAT FILE RECORDS: every line has the columns that TRL documents, and its source says the same.

FORMAT: sft, sft-messages, sft-turn, dpo, dpo-turn, grpo, grpo-turn. Prints the number of lines, and how many of them are side
questions.
"""
import json
import pathlib
import sys

form, path, records = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3])
lines = [json.loads(line) for line in open(path, encoding="utf-8")]
assert lines
types = {}
sources = {}


def source(name):
    if name not in sources:
        file, k = name.rsplit(":", 1)
        sources[name] = json.loads(open(file, encoding="utf-8").read().split("\n")[int(k)])
    return sources[name]


def conversation(value, first, last):
    assert isinstance(value, list) and value and value[0]["role"] in first and value[-1]["role"] in last, value
    for m in value:
        assert set(m) == {"role", "content"} and m["role"] in ("user", "assistant") and isinstance(m["content"], str)
    return [(m["role"], m["content"]) for m in value]


def joined(said):
    """Messages of the game master in a row are one."""
    out = []
    for role, text in said:
        if role == "user" and out and out[-1][0] == "user":
            out[-1] = ("user", out[-1][1] + "\n\n" + text)
        else:
            out.append((role, text))
    return out


def view(episode, role):
    """What the player remembers at the end, [(role, text)], which of it is its own, and for each of its replies (prompt, reply, aside)."""
    player = next(p["name"] for p in episode["players"] if p["role"] == role)
    memory, own, turns, question = [], [], [], []
    for m in episode["messages"]:
        if player not in (m["from"], m["to"]):
            continue
        aside = m.get("aside", False)
        if m["from"] == "GM":
            if aside:
                question.append(("user", m["text"]))
            else:
                memory.append(("user", m["text"]))
                own.append(False)
            continue
        if not m.get("given"):
            turns.append((joined(memory + (question if aside else [])), ("assistant", m["text"]), aside))
        question = []
        if not aside:
            memory.append(("assistant", m["text"]))
            own.append(not m.get("given"))
    return memory, own, turns


def check_source(line, prefix, prompt, said):
    """said: what is trained on, from the first reply on; None in grpo, where there is only the prompt."""
    episode = source(line[prefix + "source"])
    assert line[prefix + "episode"] == episode["record"] and line[prefix + "outcome"] == episode["outcome"]
    assert line[prefix + "seed"] == episode["seed"]
    assert line["game"] == episode["game"] and line[prefix + "reason"] == episode["reason"]
    memory, own, turns = view(episode, line["role"])
    turn = line[prefix + "turn"]
    if form.endswith("-turn") or form == "grpo" or line.get("aside"):
        before, reply, aside = turns[turn]
        assert prompt == before and said in (None, [reply]), line
        assert line["aside"] == aside
    else:
        # The whole memory up to the last own reply; where the game gave replies, a part with none of them behind the prompt.
        whole = joined(memory[:len(joined(prompt + said))])
        assert prompt + said == whole and own[len(whole) - 1], line
        assert turn == -1 or turns[turn][1] == said[0]
        if turn == -1:
            assert not any(own[len(whole):])
        assert all(mine for (who, _), mine in list(zip(memory, own))[len(prompt):len(whole)] if who == "assistant"), line
    main = episode["scores"]["episode scores"]["Main Score"]
    assert line[prefix + "score"] == main
    assert abs(line[prefix + "reward"] - (0 if main is None else main / 100)) < 1e-12
    return episode


asides = 0
for line in lines:
    for key, value in line.items():
        if value is not None:
            assert types.setdefault(key, type(value)) in (type(value), float, int), key
    asides += line.get("aside", False)
    if form == "sft-messages":
        said = conversation(line["messages"], ("user",), ("assistant",))
        first = next(i for i, (who, _) in enumerate(said) if who == "assistant")
        check_source(line, "", said[:first], said[first:])
    elif form.startswith("sft"):
        prompt = conversation(line["prompt"], ("user",), ("user",))
        completion = conversation(line["completion"], ("assistant",), ("assistant",))
        assert form == "sft" or len(completion) == 1
        assert line["turns"] == sum(who == "assistant" for who, _ in completion)
        check_source(line, "", prompt, completion)
    elif form.startswith("dpo"):
        prompt = conversation(line["prompt"], ("user",), ("user",))
        chosen = conversation(line["chosen"], ("assistant",), ("assistant",))
        rejected = conversation(line["rejected"], ("assistant",), ("assistant",))
        assert chosen != rejected
        good = check_source(line, "chosen_", prompt, chosen)
        bad = check_source(line, "rejected_", prompt, rejected)
        if form == "dpo-turn":
            assert len(chosen) == len(rejected) == 1
            assert line["chosen_violation"] == "" and ", line " in line["rejected_violation"], line
        else:
            assert good["instance"] == bad["instance"] and good["outcome"] == "won" and bad["outcome"] in ("lost", "aborted")
    else:
        said = conversation(line["prompt"], ("user",), ("user",))
        episode = check_source(line, "", said, None)
        assert json.loads(line["instance"]) == episode["instance"]
        before = [m["text"] for m in episode["messages"] if m["from"] != "GM" and not m.get("given") and m["move"] is not None]
        replies = [r["text"] for r in json.loads(line["replies_before"])]
        assert before[:len(replies)] == replies
        assert form == "grpo-turn" or line["turn"] == 0
print(form, len(lines), "lines,", asides, "asides")
