"""Makes games of docs/language.md's examples: each part of a game stands in what else it needs."""
import pathlib
import re
import sys

FRAMES = {
    "Fields, and who knows them": "game demo\nplayer describer\nplay { lose }\n",
    "Moves": """game demo
instance { words : set<text>  banned : [text] max 3  max_retry : int 0..5 }
player guesser
play { let guess = ask guesser for Guess  if guess.accepted { win }  lose }
""",
    "Play": """game demo
instance { n : int 1..5 }
player guesser
player describer
player greeted scripted
move Guess by guesser { format {text}  else pass }
move Sure by guesser { format ( "yes" | "no" )  else pass }
step attempt(r: int) {
  tell guesser "Round {r}."
  ask guesser for Guess
}
""",
    "Steps": """game demo
player a
player b
play {
  ask a for Question
  ask b for Answer
  win
}
""",
    "Counts of requests": """game demo
player guesser
move Guess by guesser { format {guess: word}  else abort "no word" }
play {
  round r in 1..3 { ask guesser for Guess }
  win
}
""",
    "A world of facts": """game demo
player guesser
move Open by guesser { format "open " {box: word}  else pass }
play {
  let move = ask guesser for Open
  for place in [p for at("me", p) in now] {
    for facts, answer in [opening(now, move.box, place)] { now = facts  tell guesser answer }
  }
  if any in(x, "me") in now: x == "coin" { win }
  lose
}
""",
    "Functions and expressions": 'game demo\nplayer guesser\nplay { brief guesser shown("tree", "e")  win score speed(1) }\n',
    "Texts that spell out values": """game demo
player guesser
move Guess by guesser { format {map: text}  else abort "no map" }
play {
  let guess = ask guesser for Guess
  if rooms(guess.map) == 3 { win }
  lose
}
""",
    "Texts read by a grammar": """game demo
state { colours : set<text> = {"blue", "red"} }
player guesser
move Try by guesser { format {command: text}  else abort "no command" }
play {
  colours.add("green")
  let move = ask guesser for Try
  if taken(move.command) == "lamp" { win }
  lose
}
""",
    "Bots and generators": """game demo
experiment { max_turns : int 1..5 }
instance { target_word : text  related_word : [text] max 5  words : [text] = [] }
player guesser
move Guess by guesser { format "GUESS:" {guess: word}  else abort "not in the form" }
play {
  brief guesser "{target_word} {related_word} {max_turns}"
  let guess = ask guesser for Guess
  if guess.guess == "a" { win }
  lose
}
""",
}

page, folder = sys.argv[1], pathlib.Path(sys.argv[2])
folder.mkdir(parents=True)
text = pathlib.Path(page).read_text(encoding="utf-8")
count = 0
for section in re.split(r"^##+ ", text, flags=re.M):
    title = section.split("\n", 1)[0]
    for kind, body in re.findall(r"^```(\S*)\n(.*?)^```$", section, re.M | re.S):
        if kind not in ("game", "game-part"):
            sys.exit(f"{page}, {title}: an example is neither a `game` nor a `game-part`, but `{kind}`")
        count += 1
        game = body if kind == "game" else FRAMES[title] + body
        (folder / f"{count:02}.game").write_text(game, encoding="utf-8")
