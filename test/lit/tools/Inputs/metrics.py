"""Writes a metrics.jsonl of 300 steps with everything that a page must bear: long names, many parts, gaps, peaks.  metrics.py FILE"""
import json
import math
import random
import sys

random.seed(1)
with open(sys.argv[1], "w", encoding="utf-8") as f:
    for step in range(1, 301):
        line = {"step": step, "time": 1.7e9 + step, "reward": 0.5 + 0.3 * math.sin(step / 50) + random.gauss(0, 0.1),
                "gradient_norm": 1000 if step == 77 else random.random(), "entropy": None if 100 < step < 120 else 1 / step,
                "learning_rate": 1e-5 * (1 - step / 300), "always_the_same": 0.99, "kl": 1e-12 * step, "tokens": 123456 + step}
        for k in range(9):
            line[f"violations/rule {k}: a_move_with_a_very_long_name_that_does_not_break (format of the reply)"] = random.random()
        if step % 50 == 0:
            line["eval/clemscore"] = step / 10
        f.write(json.dumps(line) + "\n")
