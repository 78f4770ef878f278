"""hostile_names.py make FOLDER: an instance file and a players file full of names that try to get out; check FOLDER: none did."""
import json
import pathlib
import sys

NAMES = ["../../../../gone", "/etc/gone", "..", ".", "a/../../b", "nul\0after", "line\nbreak\r", "\x1b[2J", "~", "$(touch gone)", "`touch gone`", "x" * 400,
         "<script>alert(1)</script>", "\"><img src=x onerror=alert(2)>", "</span></div></details></main><h1>gone</h1>", "\u202etxt.exe", "C:\\gone", " ", "-rf", "%2e%2e%2fgone"]
folder = pathlib.Path(sys.argv[2])

if sys.argv[1] == "make":
    experiments = [{"name": name, "max_turns": 1, "describer_initial_prompt": name, "guesser_initial_prompt": "Guess.",
                    "game_instances": [{"game_id": name, "target_word": "ice", "related_word": [name]}]} for name in NAMES]
    (folder / "hostile.json").write_text(json.dumps({"experiments": experiments}))
    players = {"players": {"describer": {"model": "../../../../gone/m"}, "guesser": {"model": "<script>alert(1)</script>/..\\..\\m"}}}
    (folder / "players.yaml").write_text(json.dumps(players))
    sys.exit()

inside, others = folder / "a" / "b" / "out", {"hostile.json", "players.yaml", "one.html", "eval.html", "sft.jsonl"}
episodes = 0
for path in folder.rglob("*"):
    relative = path.relative_to(folder)
    if path.is_dir() and inside.is_relative_to(path):
        continue
    if not path.is_relative_to(inside):
        assert str(relative) in others, f"outside: {relative!r}"
        continue
    assert not path.is_symlink()
    for part in path.relative_to(inside).parts:
        assert part.isprintable() or "\u202e" in part, repr(part)
        assert not part.startswith(".") and len(part.encode()) <= 255 and not set(part) & set('/\\:*?"<>|\0'), repr(part)
    episodes += path.name == "instance.json"
assert not (folder.parent / "gone").exists() and not pathlib.Path("gone").exists()
lines = [json.loads(line) for line in open(inside / "episodes.jsonl")]
assert len(lines) == episodes == len(NAMES), (len(lines), episodes)
for line in lines:
    assert (inside / line["record"] / "instance.json").resolve().is_relative_to(inside.resolve()), line["record"]
assert [line["experiment"]["name"] for line in lines] == NAMES  # in the data, names are what they are
print(episodes, "episodes, all inside")
