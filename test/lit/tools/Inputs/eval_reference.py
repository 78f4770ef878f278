"""eval_reference.py make DIR: a run in clembench's layout, with everything that needs a rule.
eval_reference.py cases DIR CASES: what the originals' scorers made of clembench's scripted cases, as three models' run.
eval_reference.py check DIR OUT: computes clembench's numbers from DIR, from their definitions, and compares what `ppc eval DIR
--out OUT --bootstrap 200 --seed 9` wrote.
"""
import csv
import json
import math
import pathlib
import random
import statistics
import sys

NAN = float("nan")


def make(root):
    random.seed(4)
    shares = {"good-t0.0--good-t0.0": (0.05, 0.7), "mid-t0.0--mid-t0.0": (0.3, 0.4), "bad, \"quoted\"": (0.9, 0.2)}
    for model, (aborts, wins) in shares.items():
        for game, count in (("taboo", 17), ("adventuregame", 9), ("wordle", 31), ("zebra", 1)):
            if model.startswith("mid") and game == "zebra":
                continue  # a game that a model did not play
            for k in range(count):
                aborted = random.random() < aborts or (model.startswith("bad") and game == "wordle")
                won = not aborted and random.random() < wins
                main = NAN if aborted else random.choice([100, 50, 100 / 3, 12.345]) if won else 0
                scores = {"Aborted": int(aborted), "Success": int(won), "Lose": int(not aborted and not won),
                          "Request Count": k, "Main Score": main, "Ratio": k / 7}
                if game == "wordle" and aborted and k % 3 == 0:
                    scores["Main Score"] = None if k % 2 else "NaN"
                if game == "adventuregame" and aborted and k == 4:
                    scores["Main Score"] = 0  # an aborted episode with a score counts, as in clembench
                if game == "taboo" and k == 0:
                    scores["Aborted"] = bool(aborted)
                folder = root / model / game / f"{k % 3}_exp" / f"episode_{k}"
                folder.mkdir(parents=True)
                (folder / "scores.json").write_text(json.dumps({"turn scores": {}, "episode scores": scores}))


def cases(root, folder):
    """The expected scores of all cases, spread over three models."""
    for path in sorted(folder.glob("*.json")):
        for k, case in enumerate(json.loads(path.read_text(encoding="utf-8"))["cases"]):
            scores = case["expected"].get("episode_scores")
            if not scores or "Aborted" not in scores:
                continue  # the original's scorer crashed, or there is none
            episode = root / f"model{sum(map(ord, case['id'])) % 3}" / path.stem / f"{k % 4}_exp" / f"episode_{k}"
            episode.mkdir(parents=True)
            scores = {name: NAN if value == "NaN" else value for name, value in scores.items()}
            (episode / "scores.json").write_text(json.dumps({"turn scores": {}, "episode scores": scores}))


def load(root):
    found = {}
    for path in root.rglob("scores.json"):
        episode, experiment, game, model = path.parts[-2:-6:-1]
        found[model, game, experiment, episode] = json.loads(path.read_text())["episode scores"]
    return found


def natural(key):
    model, game, experiment, episode = key
    return model, game, int(experiment[0]), int(episode[8:])


def number(value):
    return NAN if value is None else float(value)


def mean(values):
    values = [v for v in values if not math.isnan(v)]
    return math.fsum(values) / len(values) if values else NAN


def round2(value):
    return value if math.isnan(value) else round(value * 100) / 100


def text(value):
    return "" if math.isnan(value) else repr(value)


def evaluate(found):
    models = sorted({k[0] for k in found})
    games = sorted({k[1] for k in found})
    table = {}
    for model in models:
        row = {}
        for game in games:
            episodes = [found[k] for k in sorted(found, key=natural) if k[:2] == (model, game)]
            if not episodes:
                continue
            main = [number(e["Main Score"]) for e in episodes]
            known = [v for v in main if not math.isnan(v)]
            row[game, "% Played"] = round2(100 * mean([1 - number(e["Aborted"]) for e in episodes]))
            row[game, "Quality Score"] = round2(mean(main))
            row[game, "Quality Score (std)"] = round2(statistics.stdev(known)) if len(known) > 1 else NAN
        row["all", "Average % Played"] = round2(mean([v for (_, m), v in row.items() if m == "% Played"]))
        row["all", "Average Quality Score"] = round2(mean([v for (_, m), v in row.items() if m == "Quality Score"]))
        row["-", "clemscore"] = round2(row["all", "Average % Played"] / 100 * row["all", "Average Quality Score"])
        table[model] = row
    return table


# The bootstrap as docs/eval.md describes it.
MASK = 2**64 - 1


def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def fnv(name):
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = ((h ^ b) * 0x100000001B3) & MASK
    return h


def quantile(values, q):
    values = sorted(v for v in values if not math.isnan(v))
    at = q * (len(values) - 1)
    i = math.floor(at)
    return values[i] if i + 1 >= len(values) else values[i] + (values[i + 1] - values[i]) * (at - i)


def intervals(found, samples, seed):
    result = {}
    for model in sorted({k[0] for k in found}):
        played, quality = {}, {}
        for game in sorted({k[1] for k in found if k[0] == model}):
            episodes = [found[k] for k in sorted(found, key=natural) if k[:2] == (model, game)]
            stream = mix(seed ^ mix(fnv(model) ^ mix(fnv(game))))
            counter = 0
            for b in range(samples):
                chosen = []
                for _ in episodes:
                    chosen.append(episodes[mix((stream + counter) & MASK) * len(episodes) >> 64])
                    counter += 1
                played[game, b] = 100 * mean([1 - number(e["Aborted"]) for e in chosen])
                quality[game, b] = mean([number(e["Main Score"]) for e in chosen])
        scores = [mean([v for (_, b), v in played.items() if b == sample]) / 100 *
                  mean([v for (_, b), v in quality.items() if b == sample]) for sample in range(samples)]
        result[model] = quantile(scores, 0.025), quantile(scores, 0.975)
    return result


def check(root, out):
    found = load(root)
    table = evaluate(found)
    columns = sorted({c for row in table.values() for c in row if c[0] != "-"})
    with open(out / "results.csv", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["", "-, clemscore"] + [", ".join(c) for c in columns], rows[0]
    assert [r[0] for r in rows[1:]] == list(table)
    for row in rows[1:]:
        want = [text(table[row[0]].get(c, NAN)) for c in [("-", "clemscore")] + columns]
        assert row[1:] == want, (row, want)

    with open(out / "raw.csv", newline="") as file:
        raw = list(csv.DictReader(file))
    assert len(raw) == sum(len(scores) + 1 for scores in found.values()) and all(int(r[""]) == i for i, r in enumerate(raw))
    for r in raw:
        scores = found[r["model"], r["game"], r["experiment"], r["episode"]]
        value = 1 - scores["Aborted"] if r["metric"] == "Played" else scores[r["metric"]]
        want = "" if value in (None, "NaN") or value != value else value if isinstance(value, str) else repr(float(value))
        assert r["value"] == want, (r, want)

    with open(out / "details.csv", newline="") as file:
        details = list(csv.DictReader(file))
    for model, (low, high) in intervals(found, 200, 9).items():
        mine = {d["quantity"]: d for d in details if d["model"] == model and d["game"] == "all"}
        assert abs(float(mine["clemscore"]["low"]) - low) < 1e-9 and abs(float(mine["clemscore"]["high"]) - high) < 1e-9, (model, low, high, mine)
        # Score and losses make 100; the score is clembench's up to the rounding on the way.
        parts = [d for d in details if d["model"] == model and d["quantity"].startswith("points lost")]
        lost = sum(float(d["value"]) for d in parts if d["experiment"] == "all")
        for game in {d["game"] for d in parts}:
            total = [sum(float(d["value"]) for d in parts if d["game"] == game and (d["experiment"] == "all") == whole) for whole in (True, False)]
            assert abs(total[0] - total[1]) < 1e-9, (model, game, total)
        assert abs(float(mine["clemscore"]["value"]) + lost - 100) < 1e-9, (model, lost)
        assert abs(float(mine["clemscore"]["value"]) - table[model]["-", "clemscore"]) < 0.02
    print("as clembench:", len(table), "models,", len(found), "episodes")


if sys.argv[1] == "make":
    make(pathlib.Path(sys.argv[2]))
elif sys.argv[1] == "cases":
    cases(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
else:
    check(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
