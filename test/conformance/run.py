#!/usr/bin/env python3
"""Plays clembench's scripted cases and recorded episodes with our games, and compares.

  test/conformance/run.py [--ppc build/release/bin/ppc] [--engines interp,jit,so] [--games taboo,wordle] [--verbose]

Levels of a case (each includes those before):
  1  outcome and Main Score
  2  Request Count, Parsed and Violated Request Count, Request Success Ratio
  3  players, and every message to and from them, byte for byte, in order, in its round
  4  the game master's notes in their places, every metric, turn score and logged key

A case passes at level 4. A recorded episode passes when the outcome, the classification of each reply (the notes
that follow it, the colours it was given), the request counts and those scores that still have the same meaning agree.

The data are no part of this project: they are looked for in ../shared/clembench beside the repository, or in
$PPC_SHARED/clembench. Without them everything is skipped, visibly.
"""
import argparse
import ast
import concurrent.futures
import copy
import json
import math
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GAMES = [p.stem for p in sorted((ROOT / "stdlib-games").glob("*/*.game")) if p.stem == p.parent.name]
DEFAULT_FILE = {"wordle_withclue": "instances_withclue.json", "wordle_withcritic": "instances_withcritic.json"}
INSTANCE_FOLDER = {"wordle_withclue": "wordle", "wordle_withcritic": "wordle"}
# Games whose original lists things in the order of Python's sets, which is not defined: their texts are compared as words.
UNORDERED = {"adventuregame"}
REPLIES = ("get message", "probe answer")   # older records name those to side questions apart
MESSAGES = ("send message", "get message")
REQUEST_COUNTS = ("Request Count", "Parsed Request Count", "Violated Request Count", "Request Success Ratio")
# Notes that say what became of a reply, with their text; and those whose text, or type, changed since the recordings.
VERDICTS = ("valid clue", "valid guess", "invalid clue", "invalid format", "correct guess", "clue", "targets", "guesses",
            "team revealed", "opponent revealed", "turn end after")
OLD_VERDICTS = {"referencegame": {t: t for t in ("parse", "parse_correct", "parse_wrong", "invalid format")},
                "imagegame": {"parse": "found", "found instruction": "found", "found grid": "found"},
                "privateshared": {t: t for t in ("parse", "check")},
                "codenames": {"validation error": "validation error"}}
# What a recorded episode says about its instance in words.
IN_WORDS = {"player_2_order"}
# Metrics that recorded episodes call otherwise.
OLD_TURN_SCORES = {"closeness score": "Closeness Score", "strategy score": "Strategy Score",
                   "change_of_opinion": "Change-Of-Opinion", "effiencient_move": "effiencient_move",
                   "P": "Precision", "R": "Recall", "F1": "F1",
                   "Changed Cell Count per turn": "Changed Cell Count"}
# Metrics and logged keys that had another meaning when the episodes were recorded.
CHANGED_SCORES = {"imagegame": REQUEST_COUNTS}
CHANGED_KEYS = {"codenames": ["Number of turns"]}


class Failure(Exception):
    pass


class Missing(Exception):
    """A file of the data is not there: the case is skipped, visibly."""


def shared_folder():
    for folder in (os.environ.get("PPC_SHARED"), ROOT.parent / "shared"):
        if folder and (pathlib.Path(folder) / "clembench" / "cases").is_dir():
            return pathlib.Path(folder) / "clembench"
    return None


def load(path, cache={}):
    if path not in cache:
        if not path.exists():
            raise Missing(f"no {path.parent.name}/{path.name}")
        cache[path] = json.loads(path.read_text(encoding="utf-8"))
    return cache[path]


def roles(game):
    """The roles that are asked, in order: "Player 1", "Player 2", …; None for those that the game voices itself."""
    text = (ROOT / "stdlib-games" / game / f"{game}.game").read_text(encoding="utf-8")
    found = []
    for name, rest in re.findall(r"^player\s+(\w+)(.*)$", text, re.M):
        found.append(None if "scripted" in rest.split() else name)
    return found


def set_path(target, dotted, value):
    *above, last = dotted.split(".")
    for key in above:
        target = target.setdefault(key, {})
    target[last] = value


def generous(folder):
    """codenames' generous_instances.json, which is not among the data, as its maker makes it: the boards of instances.json, all
    flags set; its experiments still have the names of version 1.6."""
    made = copy.deepcopy(load(folder / "instances.json"))
    for experiment, older in zip(made["experiments"], load(folder / "instances_v1_6.json")["experiments"]):
        experiment["name"] = older["name"]
        experiment["flags"] = {flag: True for flag in experiment["flags"]}
    return made


def case_document(data, game, case):
    name = case.get("instances") or DEFAULT_FILE.get(game, "instances.json")
    path = data / "instances" / INSTANCE_FOLDER.get(game, game) / pathlib.Path(name).name
    made = game == "codenames" and path.name == "generous_instances.json" and not path.exists()
    document = generous(path.parent) if made else load(path)
    experiment = copy.deepcopy({k: v for k, v in document["experiments"][case["experiment"]].items() if k != "game_instances"})
    instance = copy.deepcopy(document["experiments"][case["experiment"]]["game_instances"][case["instance"]])
    for where, fields in case.get("patch", {}).items():
        for dotted, value in fields.items():
            set_path({"experiment": experiment, "instance": instance}[where], dotted, value)
    experiment["game_instances"] = [instance]
    return {"experiments": [experiment]}, case["responses"]


def opponents_draws(turns, sample):
    """The draws with which codenames' opponent finds the words that `sample` says: each is a place among those still hidden."""
    draws = []
    for turn in turns:
        hidden = list(next((e["content"]["hidden"]["opponent"] for e in turn if e["type"] == "board status"), []))
        for event in turn:
            if event["type"] == "team revealed" and event["content"]["word"] in hidden:
                hidden.remove(event["content"]["word"])
        for word in sample(hidden, turn):
            draws.append(hidden.index(word))
            hidden.remove(word)
    return draws


def draws_of(game, kind, item, document):
    """What play draws, where chance decides: the original's draws. A case was played by a process of its own, which began with
    Python's generator seeded with 42; of a recorded episode only what was drawn is known."""
    if game != "codenames":
        return []
    if kind == "case":
        chance = random.Random(42)
        number = document["experiments"][0]["opponent difficulty"]
        return opponents_draws(item["expected"]["turns"], lambda hidden, _: chance.sample(hidden, min(number, len(hidden))))
    return opponents_draws(item["turns"], lambda _, turn: [e["content"]["word"] for e in turn if e["type"] == "opponent revealed"])


def is_instance(instance, wanted):
    """Whether a recorded episode, which tells little of its instance, may have been of this one."""
    if "room_directions_seen" not in wanted:
        return all(instance[k] == v if k in instance else v in instance.values()
                   for k, v in wanted.items() if k not in IN_WORDS)
    directions = {room: ", ".join(ways) for room, ways in ast.literal_eval(instance["Directions"])}
    return (instance["Current_Position"] == wanted["start"] and instance.get("Specific_Room") == wanted.get("target")
            and all(directions.get(room) == ways for room, ways in wanted["room_directions_seen"].items()))


def recorded_replies(episode):
    replies = {}
    for event in (e for turn in episode["turns"] for e in turn):
        if event["type"] in REPLIES:
            replies.setdefault(event["from"].split(" (")[0], []).append(event["content"])
    return replies


def episode_document(data, game, episode):
    """The instance of a recorded episode, with the experiment it belongs to, and the players' replies."""
    folder = data / "instances" / INSTANCE_FOLDER.get(game, game)
    stem = pathlib.Path(DEFAULT_FILE.get(game, "instances.json")).stem
    wanted = re.sub(r"^\d+_", "", episode["experiment"])
    for path in [folder / f"{stem}.json"] + sorted(folder.glob(f"{stem}_v*.json"), reverse=True):
        for experiment in load(path)["experiments"]:
            if experiment["name"] == wanted:
                for number, instance in enumerate(experiment["game_instances"]):
                    # An instance is known by what was recorded of it, else by the episode's number.
                    known = episode.get("instance")
                    if number == episode["episode"] if known is None else is_instance(instance, known):
                        found = {k: v for k, v in experiment.items() if k != "game_instances"}
                        found["game_instances"] = [instance]
                        replies = recorded_replies(episode)
                        players = [f"Player {i + 1}" for i in range(len(roles(game)))]
                        return {"experiments": [found]}, [replies.get(p, []) for p in players]
    # No file has it, but it may have been recorded whole.
    known = episode.get("instance") or {}
    number = int(episode["experiment"].split("_")[0])
    for path in sorted(folder.glob(f"{stem}_v*.json"), reverse=True):
        experiment = load(path)["experiments"][number]
        if experiment["name"] == wanted and known.keys() >= experiment["game_instances"][0].keys() - {"game_id"}:
            found = {**experiment, "game_instances": [{"game_id": episode["episode"], **known}]}
            replies = recorded_replies(episode)
            return {"experiments": [found]}, [replies.get(f"Player {i + 1}", []) for i in range(len(roles(game)))]
    raise Failure(f"no experiment `{wanted}` with the instance {episode.get('instance', episode['episode'])}")


class Runner:
    def __init__(self, ppc, work, engine, shared_objects):
        self.ppc, self.work, self.engine, self.shared_objects = ppc, work, engine, shared_objects

    def play(self, game, label, document, responses, draws=()):
        """Plays one episode and returns its (interactions, scores)."""
        folder = self.work / self.engine / game / label
        folder.mkdir(parents=True)
        (folder / "instances.json").write_text(json.dumps(document), encoding="utf-8")
        experiment = document["experiments"][0]
        program_folder = ROOT / "stdlib-games" / game
        program = program_folder / f"{game}.game"
        if self.engine == "so":
            program = self.shared_objects[game]
        command = [str(self.ppc), "play", str(program), "--instances", str(folder / "instances.json"),
                   "--experiment", experiment["name"], "--id", str(experiment["game_instances"][0]["game_id"]),
                   "--out", str(folder / "records")]
        if self.engine != "so":
            command.append(f"--engine={self.engine}")
        if (resources := shared_folder() / "resources" / game).is_dir():
            # What the original keeps in its code, such as messages, is in our resources only.
            for source in (program_folder / "resources", resources):
                shutil.copytree(source, folder / "resources", dirs_exist_ok=True, copy_function=shutil.copyfile)
            command += ["--resources", str(folder / "resources")]
        if draws:
            (folder / "draws.json").write_text(json.dumps(draws), encoding="utf-8")
            command += ["--draws", str(folder / "draws.json")]
        for i, role in enumerate(roles(game)):
            if role is None:
                continue
            script = folder / f"{role}.json"
            script.write_text(json.dumps(responses[i] if i < len(responses) else []), encoding="utf-8")
            command += ["--player", f"{role}=script:{script}"]
        run(command)
        found = sorted((folder / "records").rglob("interactions.json"))
        if len(found) != 1:
            raise Failure(f"expected one interactions.json, found {len(found)}: {' '.join(command)}")
        return load_record(found[0]), load_record(found[0].parent / "scores.json")


def run(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                              timeout=120)
    except subprocess.TimeoutExpired:
        raise Failure(f"no answer within 120 s: {' '.join(command)}")
    except OSError as error:
        raise Failure(f"cannot run {command[0]}: {error}")
    if done.returncode != 0:
        output = done.stdout.decode("utf-8", "replace").strip()
        raise Failure(f"exit code {done.returncode}: {' '.join(command)}\n{output}")


def load_record(path):
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Failure(f"no {path.name}")
    except ValueError as error:
        raise Failure(f"{path.name}: {error}")


def events(interactions):
    return [[{"from": e["from"], "to": e["to"], "type": e["action"]["type"], "content": e["action"]["content"]}
             for e in turn] for turn in interactions["turns"]]


def words_of(value):
    """The value with each text as its words, sorted."""
    if isinstance(value, str):
        return sorted(re.findall(r"\w+", value))
    if isinstance(value, list):
        return [words_of(v) for v in value]
    return {k: words_of(v) for k, v in value.items()} if isinstance(value, dict) else value


def forgiven(expected, actual):
    """The actual value, with the texts of a parser that the original uses as the cases have them."""
    if expected == "<parser message>" and isinstance(actual, str):
        return expected
    if isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        return [forgiven(e, a) for e, a in zip(expected, actual)]
    if isinstance(expected, dict) and isinstance(actual, dict):
        return {k: forgiven(expected[k], v) if k in expected else v for k, v in actual.items()}
    return actual


def outcome(scores):
    episode = scores.get("episode scores", {})
    for key, name in (("Success", "success"), ("Lose", "lose"), ("Aborted", "aborted")):
        if episode.get(key) == 1:
            return name
    return "none"


def same(a, b):
    """Equal as numbers (1 is 1.0), with NaN (or its spelling) equal to itself; everything else by value. Floats may
    differ by one part in 10^14: numpy's `exp` is off by a bit on some processors, and a difference makes more of it."""
    a, b = (math.nan if x == "NaN" and isinstance(x, str) else x for x in (a, b))
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    if isinstance(a, float) and isinstance(b, float) and math.isclose(a, b, rel_tol=1e-14):
        return True
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) in (int, float, bool) and type(b) in (int, float, bool) and a == b or type(a) is type(b) and a == b


def differences_of_turns(expected, actual, what):
    found = []
    for i in range(max(len(expected), len(actual))):
        if i >= len(actual) or i >= len(expected):
            side, turn = ("missing", expected[i]) if i >= len(actual) else ("unexpected", actual[i])
            found += [f"round {i}: {side}: {event}" for event in turn] or [f"round {i}: {side}, empty"]
            continue
        a, b = expected[i], actual[i]
        for j in range(max(len(a), len(b))):
            if j >= len(b):
                found.append(f"round {i}, {what} {j}: missing: {a[j]}")
            elif j >= len(a):
                found.append(f"round {i}, {what} {j}: unexpected: {b[j]}")
            elif a[j] != b[j]:
                found.append(f"round {i}, {what} {j}:\n      expected {a[j]}\n      got      {b[j]}")
    return found


def differences_of_values(expected, actual, what, extra=False):
    found = []
    for key, value in expected.items():
        if key not in actual:
            found.append(f"{what} `{key}` is missing, expected {value!r}")
        elif not same(value, actual[key]):
            found.append(f"{what} `{key}`: expected {value!r}, got {actual[key]!r}")
    if not extra:
        found += [f"{what} `{key}` is unexpected: {actual[key]!r}" for key in actual if key not in expected]
    return found


def compare_until_crash(expected, ours):
    """The original broke off with an exception, which is no behaviour to copy: we must say the same up to there."""
    want = [e for turn in expected["turns"] for e in turn]
    have = [e for turn in ours for e in turn][:len(want)]
    found = [(3, d) for d in differences_of_turns([want], [have], "event")]
    return (2 if found else 4), found


def compare_case(expected, interactions, scores, unordered=False):
    """(level reached, differences as (level, text))."""
    ours = forgiven(expected["turns"], events(interactions))
    if unordered:
        wanted, ours = ([[{**e, "content": words_of(e["content"])} for e in turn] for turn in turns]
                        for turns in (expected["turns"], ours))
        expected = {**expected, "turns": wanted}
    crashed = expected["outcome"] is None
    if crashed and not expected["turn_scores"]:
        return compare_until_crash(expected, ours)
    found = []   # when only the scorer broke off, what it had scored before is compared
    if not crashed and outcome(scores) != expected["outcome"]:
        found.append((1, f"outcome: expected {expected['outcome']}, got {outcome(scores)}"))
    want = expected["episode_scores"]
    have = scores.get("episode scores", {})
    if want is not None:
        for level, keys in ((1, ["Main Score"]), (2, REQUEST_COUNTS)):
            part = {k: want[k] for k in keys if k in want}
            found += [(level, d) for d in differences_of_values(part, have, "episode score", extra=True)]
    players = [[name, p.get("game_role")] for name, p in interactions.get("players", {}).items() if name != "GM"]
    if players != expected["players"]:
        found.append((3, f"players: expected {expected['players']}, got {players}"))
    said = [[[e for e in turn if e["type"] in MESSAGES] for turn in turns] for turns in (expected["turns"], ours)]
    found += [(3, d) for d in differences_of_turns(said[0], said[1], "message")]
    if not any(level == 3 for level, _ in found):
        found += [(4, d) for d in differences_of_turns(expected["turns"], ours, "event")]
    if want is not None:   # more metrics than the original's are ours to add
        found += [(4, d) for d in differences_of_values(want, have, "episode score", extra=True)]
    if expected["turn_scores"] is not None:
        turns = scores.get("turn scores", {})
        found += [(4, d) for d in differences_of_values({k: None for k in expected["turn_scores"]},
                                                        {k: None for k in turns}, "turn scores of")]
        for turn, values in expected["turn_scores"].items():
            if turn in turns:
                found += [(4, d) for d in differences_of_values(values, turns[turn], f"turn {turn} score")]
    found += [(4, d) for d in differences_of_values(expected["keys"] or {}, interactions, "key", extra=True)]
    worst = min((level for level, _ in found), default=5)
    return worst - 1, found


def classification(game, turns, replies):
    """For each reply what the game master made of it, as far as shortened records and old versions show it. What the game
    said for a player and the recording has not is left out: versions differ in that."""
    result = []
    left = {player: list(said) for player, said in replies.items()}
    asked = {f"Player {i + 1}" for i, role in enumerate(roles(game)) if role}
    for event in (e for turn in turns for e in turn):
        if event["type"] in REPLIES:
            player = event["from"].split(" (")[0]
            if not left.get(player) or player in asked and left[player][0] != event["content"]:
                continue
            left[player].pop(0)
            result.append([player])
        elif result and event["type"] in OLD_VERDICTS.get(game, ()):
            result[-1].append(OLD_VERDICTS[game][event["type"]])
        elif result and event["type"] in VERDICTS:
            result[-1].append((event["type"], event["content"]))
        elif result and event["type"] == "metadata" and "guess_feedback = " in event["content"]:
            result[-1].append(event["content"].split("guess_feedback = ")[1])
    return result


def turn_scores(scores):
    """Each turn's scores; some episodes tell them as a list a metric, or as rows of numbers: "turn scores (P,R)": [[…], …]."""
    found = {turn: dict(values) for turn, values in scores.get("turn scores", {}).items()}
    for key, rows in scores.items():
        if key.startswith("turn scores: "):
            names, rows = [key.removeprefix("turn scores: ")], [[value] for value in rows]
        elif key.startswith("turn scores ("):
            names = key[len("turn scores ("):-1].split(",")
        else:
            continue
        for turn, row in enumerate(rows):
            found.setdefault(str(turn), {}).update(zip(names, row))
    return found


def compare_episode(game, episode, interactions, scores):
    found = []
    meant = {"WIN": "success", "CORRECT_GUESS": "success", "SUCCESS": "success", "LOSS": "lose", "LOSE": "lose",
             "INVALID_CLUE": "lose", "MAX_ROUNDS": "lose", "MAX": "lose", "DONE": "success or lose", "LIMIT": "aborted",
             "ABORT": "aborted", "ABORTED": "aborted"}
    wanted = outcome(episode["scores"]) if episode["outcome"] == "PLAYED" else meant.get(episode["outcome"])
    if wanted is None:
        raise Failure(f"unknown outcome `{episode['outcome']}`")
    if outcome(scores) not in wanted.split(" or "):
        found.append((1, f"outcome: expected {wanted}, got {outcome(scores)}"))
    replies = recorded_replies(episode)
    want, have = (classification(game, turns, replies) for turns in (episode["turns"], events(interactions)))
    if want != have:
        found += [(3, d) for d in differences_of_turns([want], [have], "reply")]
    actual = scores.get("episode scores", {})
    if "request_counts" in episode:
        totals = {k: sum(v) for k, v in episode["request_counts"].items()}
        found += [(2, d) for d in differences_of_values(totals, actual, "episode score", extra=True)]
    if episode["scores"]:
        known = {k: v for k, v in episode["scores"]["episode scores"].items()
                 if k in actual and k not in CHANGED_SCORES.get(game, ())}
        found += [(4, d) for d in differences_of_values(known, actual, "episode score", extra=True)]
        for turn, values in turn_scores(episode["scores"]).items():
            renamed = {OLD_TURN_SCORES[k]: v for k, v in values.items() if k in OLD_TURN_SCORES}
            found += [(4, d) for d in differences_of_values(renamed, scores.get("turn scores", {}).get(turn, {}),
                                                            f"turn {turn} score", extra=True)]
    logged = {k: v for k, v in episode.get("logged_keys", {}).items()
              if k in interactions and k not in CHANGED_KEYS.get(game, ())}
    found += [(4, d) for d in differences_of_values(logged, interactions, "key", extra=True)]
    worst = min((level for level, _ in found), default=5)
    return worst - 1, found


def work_list(data, games, wanted):
    for game in games:
        path = data / "cases" / f"{game}.json"
        if path.exists():
            for case in load(path)["cases"]:
                yield game, "case", case["id"], case
        for path in sorted((data / "episodes" / game).glob("*.json")):
            yield game, "episode", path.stem, load(path)


def judge(runner, data, game, kind, label, item):
    try:
        make = case_document if kind == "case" else episode_document
        document, responses = make(data, game, item)
        draws = draws_of(game, kind, item, document)
        interactions, scores = runner.play(game, f"{kind}_{label}", document, responses, draws)
        if kind == "case":
            return compare_case(item["expected"], interactions, scores, game in UNORDERED)
        return compare_episode(game, item, interactions, scores)
    except Missing as missing:
        return None, [(1, str(missing))]
    except Failure as failure:
        return 0, [(1, str(failure))]
    except (KeyError, TypeError, IndexError) as error:
        return 0, [(1, f"record not in the expected layout: {type(error).__name__} {error}")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ppc", default=os.environ.get("PPC_BIN", str(ROOT / "build/release/bin/ppc")))
    parser.add_argument("--engines", default="interp,jit,so")
    parser.add_argument("--games", default=",".join(GAMES))
    parser.add_argument("--filter", default="", help="only cases and episodes whose name contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="every difference, not the first of each case")
    parser.add_argument("--keep", type=pathlib.Path, help="keep instances, scripts and records in this new folder")
    options = parser.parse_args()

    data = shared_folder()
    games = options.games.split(",")
    if data is None:
        print("SKIP  clembench's cases and episodes: no ../shared/clembench beside the repository (or in $PPC_SHARED)")
        print(f"conformance: 0 passed, 0 failed, {len(games)} skipped")
        return 0
    ppc = pathlib.Path(options.ppc).resolve()
    if not ppc.exists():
        print(f"conformance: no {ppc}: build it first, or say --ppc FILE", file=sys.stderr)
        return 2

    temporary = None
    if options.keep:
        options.keep.mkdir(parents=True)
        work = options.keep.resolve()
    else:
        temporary = tempfile.TemporaryDirectory(prefix="ppc-conformance-")
        work = pathlib.Path(temporary.name)
    passed = failed = skipped = 0
    items = [i for i in work_list(data, games, None) if options.filter in i[2]]
    for engine in options.engines.split(","):
        shared_objects, broken = {}, {}
        if engine == "so":
            for game in games:
                shared_objects[game] = work / f"{game}.so"
                try:
                    run([str(ppc), "compile", str(ROOT / "stdlib-games" / game / f"{game}.game"), "--emit=shared",
                         "-o", str(shared_objects[game])])
                except Failure as failure:
                    broken[game] = [(1, str(failure))]
        runner = Runner(ppc, work, engine, shared_objects)
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            results = list(pool.map(lambda i: (0, broken[i[0]]) if i[0] in broken else judge(runner, data, *i), items))
        print(f"engine {engine}")
        print(f"  {'game':<28}{'':<10}{'count':>6}   levels reached")
        for game in games:
            for kind in ("case", "episode"):
                mine = [(i, r) for i, r in zip(items, results) if i[0] == game and i[1] == kind]
                if not mine:
                    continue
                levels = ", ".join(f"{sum(r[0] == n for _, r in mine)} at {n}" for n in range(4, -1, -1)
                                   if any(r[0] == n for _, r in mine))
                print(f"  {game:<28}{kind + 's':<10}{len(mine):>6}   {levels}")
                for (_, _, label, _), (level, found) in mine:
                    if level is None:
                        skipped += 1
                        print(f"    SKIP {label}: {found[0][1]}")
                        continue
                    passed += level == 4
                    failed += level != 4
                    if found:
                        print(f"    FAIL {label}: level {level}")
                        for at, text in found if options.verbose else found[:1]:
                            print(f"      [{at}] {text}")
                        if not options.verbose and len(found) > 1:
                            print(f"      … {len(found) - 1} more (--verbose)")
    if temporary:
        temporary.cleanup()
    print(f"conformance: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
