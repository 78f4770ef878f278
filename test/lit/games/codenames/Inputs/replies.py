"""replies.py PPC GAMES FOLDER: replies as models write them, judged by codenames and by a second reading of its rules in Python."""
import json
import pathlib
import re
import subprocess
import sys

ppc, games, folder = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
FLAGS = ["IGNORE RAMBLING", "IGNORE FALSE TARGETS OR GUESSES", "REPROMPT ON ERROR", "STRIP WORDS", "IGNORE NUMBER OF TARGETS"]
BOARD = ["moon", "bread", "clock", "knife", "star", "glove", "river", "mouse"]
SIDES = {"team": ["bread", "star", "mouse"], "opponent": ["river", "clock"], "innocent": ["glove", "moon"], "assassin": ["knife"]}
MARKS, NUMBERS = " .,<>\"'", " ,0123456789"
BASES = {"stars": "star", "mice": "mouse", "knives": "knife", "clocks": "clock"}


class Wrong(Exception):
    pass


def judge(flags, found, utterance, allowed=None, given=None):
    """(what is accepted, or the fault; how often each flag was used). `allowed` and `given`: for a guess."""
    used = {}

    def passes(flag, fault):
        if not flags[flag]:
            raise Wrong(fault)
        used[flag] = used.get(flag, 0) + 1

    def marked(word):
        return any(m in word for m in MARKS)

    def check(words, again, strange, twice):
        for word in words:
            if given is not None and word == given:
                passes("IGNORE FALSE TARGETS OR GUESSES", "guess is clue word")
            if word not in left:
                passes("IGNORE FALSE TARGETS OR GUESSES", again if word in found else strange)
            if words.count(word) > 1:
                passes("IGNORE FALSE TARGETS OR GUESSES", twice)

    def kept(words):
        words = [w.strip(MARKS).lower() for w in words]
        return [w for w in words if w in left] if flags["IGNORE FALSE TARGETS OR GUESSES"] else words

    left = [w for w in BOARD if w not in found]
    utterance = re.sub(r",(?=\S)", ", ", utterance)
    lines = utterance.split("\n")
    starting = lambda prefix: next((line[len(prefix):] for line in lines if line.startswith(prefix)), None)
    try:
        if allowed is None:
            if len(lines) > 2:
                passes("IGNORE RAMBLING", "rambling error")
            clue, targets = starting("CLUE: "), starting("TARGETS: ")
            if clue is None or targets is None:
                raise Wrong("prefix error")
            clue = clue.lower()
            if marked(clue):
                passes("STRIP WORDS", "clue contains non-alphabetical characters")
            clue = name = clue.strip(MARKS)
            if re.search(", [0-9]", clue):
                passes("IGNORE NUMBER OF TARGETS", "clue line contains the number of targets")
                clue = clue.strip(NUMBERS)
            targets = targets.split(", ")
            if flags["STRIP WORDS"]:
                used["STRIP WORDS"] = used.get("STRIP WORDS", 0) + sum(map(marked, targets))
            if " " in clue:
                raise Wrong("clue contains spaces")
            if BASES.get(clue, clue) in left:
                raise Wrong("clue is morphologically related to word on the board")
            words = [(t.strip(MARKS) if flags["STRIP WORDS"] else t).lower() for t in targets]
            check(words, "target was already guessed", "target is hallucination", "target appears more than once in utterance")
            if not any(w in left for w in words):
                raise Wrong("no correct target")
            return (name.strip(NUMBERS), kept(targets)), used
        if "\n" in utterance:
            passes("IGNORE RAMBLING", "rambling error")
        guesses = starting("GUESS: ")
        if guesses is None:
            raise Wrong("prefix error")
        guesses = guesses.split(", ")
        for guess in guesses:
            if marked(guess):
                passes("STRIP WORDS", "guess contains non-alphabetical characters")
        words = [(g.strip(MARKS) if flags["STRIP WORDS"] else g).lower() for g in guesses]
        if len(words) > allowed:
            raise Wrong("wrong number of guesses")
        check(words, "guess was already guessed", "guess word is hallucination", "guess appears more than once in utterance")
        if not any(w in left for w in words):
            raise Wrong("no correct guess")
        return kept(guesses), used
    except Wrong as wrong:
        if flags["REPROMPT ON ERROR"]:
            used["REPROMPT ON ERROR"] = 1
        return str(wrong), used


CLUES = ["", " ", "\n", "CLUE: ", "CLUE: light", "CLUE:light\nTARGETS: star", "CLUE: light\nTARGETS: star<end_of_turn>",
         "CLUE: light\nTARGETS: star\n<|im_end|>", "CLUE: light\n\nTARGETS: star", "**CLUE:** light\n**TARGETS:** star", "CLUE: **light**\nTARGETS: star",
         "CLUE: light\r\nTARGETS: star\r", "Sure!\nCLUE: light\nTARGETS: star, mouse\nGUESS: star", "TARGETS: star\nCLUE: light", "CLUE: light\nTARGETS: \u201cstar\u201d",
         "CLUE: LIGHT!\nTARGETS: STAR , Mouse.", "CLUE: light, 2\nTARGETS: star, mouse", "CLUE: light,2\nTARGETS: star,mouse", "CLUE: light (2)\nTARGETS: star",
         "CLUE: light2\nTARGETS: star", "CLUE: 2 light\nTARGETS: star", "CLUE: light, \u0662\nTARGETS: star", "CLUE: stars\nTARGETS: star", "CLUE: mice\nTARGETS: star",
         "CLUE: Knives.\nTARGETS: star", "CLUE: star\nTARGETS: mouse", "CLUE: starlight\nTARGETS: star", "CLUE: bread\nTARGETS: star", "CLUE: night sky\nTARGETS: star",
         "CLUE: night\u00a0sky\nTARGETS: star", "CLUE: light\nTARGETS: star, star", "CLUE: light\nTARGETS: bread", "CLUE: light\nTARGETS: bread, star, lamp",
         "CLUE: light\nTARGETS: lamp", "CLUE: light\nTARGETS: star, ", "CLUE: light\nTARGETS: star,,mouse", "CLUE: light\nTARGETS: star;mouse", "CLUE: light\nTARGETS: star,\u3000mouse",
         "CLUE: \u00c9TOILE\nTARGETS: star", "CLUE: \u661f\nTARGETS: star", "CLUE: \U0001f31f\nTARGETS: star", "CLUE: a\nCLUE: b\nTARGETS: star\nTARGETS: mouse", "CLUE: x\nTARGETS: star" * 3,
         "CLUE: light\nTARGETS: " + ", ".join(BOARD), "CLUE: " + "x" * 100000 + "\nTARGETS: star", "CLUE: light\nTARGETS: " + "star, " * 300, "CLUE: light\nTARGETS: star" + "\nand" * 20000]
GUESSES = ["", "GUESS: ", "GUESS:", "GUESS: star", "guess: star", "GUESS:star", "GUESS: star, mouse", "GUESS: star,mouse", "GUESS: star, mouse, moon", "GUESS: star\n", "GUESS: star<end_of_turn>",
           "GUESS: star because it shines", "GUESS: <star>", "GUESS: \"star\", 'mouse'.", "GUESS: **star**", "GUESS: light", "GUESS: light, star", "GUESS: star, star", "GUESS: bread", "GUESS: bread, star",
           "GUESS: lamp", "GUESS: lamp, star", "I think:\nGUESS: star", "GUESS: star\nGUESS: mouse", "GUESS: STAR\u00a0", "GUESS: \u201cstar\u201d", "GUESS: ster\u0301", "GUESS: star\r",
           "My guess is star", "\nGUESS: star", "GUESS: star, ", "GUESS: " + "star" * 50000, "GUESS: star" + "\n" * 50000]
SETTINGS = [["STRIP WORDS"], [], FLAGS, ["IGNORE FALSE TARGETS OR GUESSES", "IGNORE RAMBLING"]]
# bread is found in a first round; then the reply in question comes.
BEFORE = [["CLUE: food\nTARGETS: bread"], ["GUESS: bread"]]


def play(setting, name, clues, guesses):
    flags = {f: f in setting for f in FLAGS}
    document = {"experiments": [{"name": "kitchen", "variable": "Risk", "opponent difficulty": 0, "assignments": {s: len(w) for s, w in SIDES.items()},
                                 "flags": flags, "game_instances": [{"game_id": 0, "board": BOARD, "assignments": SIDES}]}]}
    here = folder / name
    here.mkdir(parents=True)
    for file, value in (("instances.json", document), ("clues.json", clues), ("guesses.json", guesses)):
        (here / file).write_text(json.dumps(value))
    subprocess.run([ppc, "play", str(games / "codenames/codenames.game"), "--instances", str(here / "instances.json"), "--player", f"cluegiver=script:{here}/clues.json",
                    "--player", f"guesser=script:{here}/guesses.json", "--out", str(here / "records")], check=True, stdout=subprocess.DEVNULL)
    record = json.loads(next((here / "records").rglob("interactions.json")).read_text())
    notes = [(e["action"]["type"], e["action"]["content"]) for e in record["turns"][1] if e["from"] == e["to"] == "GM"]
    return flags, notes, record


wrong = 0
for s, setting in enumerate(SETTINGS):
    for kind, replies in (("clue", CLUES), ("guess", GUESSES)):
        for i, reply in enumerate(replies):
            clue = "CLUE: light\nTARGETS: star, mouse"
            more = [[reply], []] if kind == "clue" else [[clue], [reply]]
            flags, notes, record = play(setting, f"{s}_{kind}_{i}", BEFORE[0] + more[0], BEFORE[1] + more[1])
            if kind == "clue":
                wanted, used = judge(flags, ["bread"], reply)
                fault = next((c["type"] for t, c in notes if t == "validation error" and c["utterance"]), None) if isinstance(wanted, str) and reply else None
                if reply == "":
                    fault = next(c["type"] for t, c in notes if t == "validation error")
                got = fault or tuple(next((c for t, c in notes if t == name), None) for name in ("clue", "targets"))
                used_now = {f: n for f, n in record["Cluegiver engaged flags"].items() if n}
            else:
                wanted, used = judge(flags, ["bread"], reply, 2, "light")
                got = next((c["type"] for t, c in notes if t == "validation error"), None) or next(c for t, c in notes if t == "guesses")
                used_now = {f: n for f, n in record["Guesser engaged flags"].items() if n}
            # A clue that is accepted goes on to a guess, and a guess to a third round, with nothing to say: that is a fault of its own.
            if kind == "guess" and not isinstance(wanted, str):
                got = next(c for t, c in notes if t == "guesses")
            if flags["REPROMPT ON ERROR"]:
                used.pop("REPROMPT ON ERROR", None), used_now.pop("REPROMPT ON ERROR", None)
            used = {f: n for f, n in used.items() if n}
            if got != wanted or used != used_now:
                wrong += 1
                print(f"{setting} {kind} {reply[:80]!r}: wanted {str(wanted)[:200]} {used}, got {str(got)[:200]} {used_now}")
print(f"{wrong} differ")
sys.exit(1 if wrong else 0)
