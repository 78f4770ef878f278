"""as_clembench.py RECORDS OUT [--old] [--rename=GAME]: writes records as clembench's own result folders have them.

Without anything that only ppc writes; --old as before version 2.4: no meta, players as one text, experiment_NAME.json, no
labels. --rename: as episodes of another game.
"""
import json
import pathlib
import sys

records, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
old = "--old" in sys.argv
rename = next((a.split("=")[1] for a in sys.argv if a.startswith("--rename=")), None)


def save(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")


for path in sorted(records.rglob("interactions.json")):
    episode = path.parent
    parts = list(episode.relative_to(records).parts)
    if rename:
        parts[1] = rename
    target = out.joinpath(*parts)
    interactions = json.loads(path.read_text(encoding="utf-8"))
    del interactions["meta"]["ppc"]
    if rename:
        interactions["meta"]["game_name"] = rename
    if old:
        del interactions["meta"], interactions["player_models"]
        for name, player in interactions["players"].items():
            if name != "GM":
                interactions["players"][name] = f"{player['game_role']}, {player['model_name']}"
        interactions["players"]["GM"] = "Game master for " + episode.parts[-3]
        for turn in interactions["turns"]:
            for event in turn:
                del event["action"]["label"]
    # What a backend answers; newer versions add what they made of it.
    requests = [{"timestamp": r["timestamp"], "manipulated_prompt_obj": r["manipulated_prompt_obj"],
                 "raw_response_obj": {"choices": [r["raw_response_obj"]], **({} if old else {"clem_player": {"response": r["raw_response_obj"]}})}}
                for r in json.loads((episode / "requests.json").read_text(encoding="utf-8"))]
    experiment = json.loads((episode.parent / "experiment.json").read_text(encoding="utf-8"))
    save(target / "interactions.json", interactions)
    save(target / "requests.json", requests)
    save(target / "instance.json", json.loads((episode / "instance.json").read_text(encoding="utf-8")))
    save(target / "scores.json", json.loads((episode / "scores.json").read_text(encoding="utf-8")))
    save(target.parent / (f"experiment_{experiment['name']}.json" if old else "experiment.json"), experiment)
