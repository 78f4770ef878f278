"""hostile.py OUT: a list of one player's replies that try to get out of an HTML page.
hostile.py EPISODES OUT: the first line of an episodes.jsonl with such texts in every place that is a text.
hostile.py --folder EPISODE OUT: the same of an episode's folder of clembench: names of folders, game, roles, models, notes, keys, metrics, instance.
"""
import json
import pathlib
import sys

BAD = "<script>alert(1)</script>"
REPLIES = ["CLUE: <script>alert(1)</script> \"><img src=x onerror=alert(2)> </span></div></details></main><h1>gone</h1> &lt;b&gt; <!-- --!> "
           "\x1b[2J\x00 \u202e right to left",
           "CLUE: ]]></style></title></textarea><svg onload=alert(3)> javascript:alert(4) ' onclick='alert(5) " + "<b>" * 2000]


def everywhere(value, key=""):
    if isinstance(value, dict):
        return {(k if k in KNOWN else k + BAD): everywhere(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [everywhere(v, key) for v in value]
    if key == "record":
        return f"{BAD}/{BAD}/{BAD}/{BAD}".replace("</", "<_")
    if isinstance(value, str) and key not in ("schema", "name", "from", "to", "seed", "outcome", "timestamp", "Player 1", "Player 2"):
        return value + BAD
    return value


def folder(source, out):
    def load(name):
        return json.loads((source / name).read_text(encoding="utf-8"))
    j = load("interactions.json")
    if "meta" in j:
        j["meta"]["game_name"] += BAD
    for name, player in j["players"].items():
        j["players"][name] = {key: value + BAD for key, value in player.items()}
    for event in (e for turn in j["turns"] for e in turn):
        event["action"]["content"] += BAD * 30  # long notes are folded
        if event["from"] == event["to"]:
            event["action"]["type"] += BAD
    j["a key " + BAD] = {BAD: BAD}
    scores = load("scores.json")
    scores["episode scores"][BAD] = BAD
    scores["turn scores"] = {BAD: {BAD: 1}}
    target = out.joinpath(*[f"{part} {BAD}".replace("</", "<_") for part in ("model", "game", "experiment", "episode_0")])
    target.mkdir(parents=True)
    instance = dict(load("instance.json"), game_id=BAD, **{"more " + BAD: BAD})
    for name, value in (("interactions.json", j), ("scores.json", scores), ("instance.json", instance)):
        (target / name).write_text(json.dumps(value), encoding="utf-8")


if sys.argv[1] == "--folder":
    folder(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
elif len(sys.argv) == 2:
    json.dump(REPLIES, open(sys.argv[1], "w"))
else:
    line = json.loads(open(sys.argv[1]).readline())
    KNOWN = set(line) | {"index", "name", "role", "display", "model", "scripted", "from", "to", "text", "round", "timestamp", "move", "captures",
                         "violation", "reward", "tokens", "logprobs", "kind", "rule", "line", "reason", "key", "after", "turn scores",
                         "episode scores", "Aborted", "Success", "Lose", "Main Score", "invalid_utf8"}
    open(sys.argv[2], "w").write(json.dumps(everywhere(line)) + "\n")
