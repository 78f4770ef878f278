"""The Python side of library_bench: library_bench.py single|batch EPISODES prints the seconds of the median repetition, moves, and games won."""
import statistics
import sys
import time
from pathlib import Path

import ppc

how, count = sys.argv[1], int(sys.argv[2])
WORDS = ["crane", "mouse", "light", "house", "bread", "stone"]
game = ppc.Game(Path(__file__).resolve().parent.parent.parent / "stdlib-games/wordle/wordle.game")
instances = game.instances()
replies = [[f"explanation: a word that fits\nguess: {WORDS[(i * 7 + step * 5) % 6]}" for i in range(count)] for step in range(12)]
batch = instances.batch([i % len(instances) for i in range(count)], range(count))
seconds = []
for _ in range(9):
    batch.restart(range(count))
    moves = step = 0
    begin = time.thread_time()
    if how == "batch":
        turns = batch.turns
        while True:
            given = [None if t.done else r for t, r in zip(turns, replies[step % 12])]
            running = count - given.count(None)
            if not running:
                break
            turns = batch.step(given)
            moves += running
            step += 1
    else:
        episodes = list(batch)
        while True:
            running = 0
            for e, r in zip(episodes, replies[step % 12]):
                if not e.done:
                    e.step(r)
                    running += 1
            if not running:
                break
            moves += running
            step += 1
    seconds.append(time.thread_time() - begin)
won = sum(t.outcome == "won" for t in batch.refresh())
print(statistics.median(seconds), moves, won)
