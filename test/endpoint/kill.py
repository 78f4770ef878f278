#!/usr/bin/env python3
"""Kills a run at random points, again and again, and resumes it: its records must be those of a run that nobody disturbed.

usage: kill.py --ppc PROGRAM [--kills N] [--seed S] [--branches] [--local FOLDER]

With --branches the episodes are continued in several ways. Runs against the test endpoint, with faults, or with a local model. Some runs are killed (SIGKILL), some interrupted twice (SIGINT), and now and then the last
line of a file is cut in half, as a power cut would.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).parent
p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--ppc", required=True)
p.add_argument("--kills", type=int, default=100)
p.add_argument("--seed", type=int, default=1)
p.add_argument("--branches", action="store_true")
p.add_argument("--local")
args = p.parse_args()
rng = random.Random(args.seed)
work = pathlib.Path(tempfile.mkdtemp())
(work / "replies.json").write_text(json.dumps({
    "d": [{"has": "GUESS", "say": ["CLUE: more {n} of {seed}", "none"]}, {"say": "CLUE: it is hint {n}"}],
    "g": [{"say": ["GUESS: thing{n}", "GUESS: any{seed}", "no guess"]}]}))
endpoint = None if args.local else subprocess.Popen([sys.executable, str(HERE / "endpoint.py"), "--replies", str(work / "replies.json"), "--delay", "0.004",
                             "--faults", "429=0.03,500=0.03,reset=0.03,half=0.02,nojson=0.02"], stdout=subprocess.PIPE, text=True)
url = endpoint and endpoint.stdout.readline().strip()
(work / "players.yaml").write_text(f"""
players:
  describer: {{local: "{args.local}", max_tokens: 40, mask: on, seed: 6}}
  guesser: {{local: "{args.local}", max_tokens: 30, temperature: 0.8, mask: diagnose, logprobs: 2}}
""" if args.local else f"""
endpoints: {{here: {{base_url: "{url}", concurrency: 4, backoff: 0.01}}}}
players: {{describer: {{model: d, endpoint: here, seed: 6}}, guesser: {{model: g, endpoint: here, logprobs: true, seed: 3}}}}
""")


def command(out, *more):
    branches = ["--branch", "3@guesser:1", "--branch", "2@describer:2"] if args.branches else []
    return [args.ppc, "play", "taboo", "--players", str(work / "players.yaml"), "--out", str(out), "--seed", "7", "--repeat", "3",
            "--episodes", "15" if args.branches else "60", "--in-flight", "6", "--jobs", "2", *branches, *more]


kills = rounds = 0
try:
    subprocess.run(command(work / "whole"), check=True, capture_output=True)
    while kills < args.kills:
        rounds += 1
        out = work / f"cut{rounds}"
        more = []
        while True:
            run = subprocess.Popen(command(out, *more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            more = ["--resume"]
            try:
                error = run.communicate(timeout=rng.uniform(0.01, 0.25))[1]
                if run.returncode != 0:
                    sys.exit(f"exit code {run.returncode}: {error}")
                break
            except subprocess.TimeoutExpired:
                kills += 1
            if rng.random() < 0.7:
                run.kill()
            else:
                run.send_signal(signal.SIGINT)
                time.sleep(rng.uniform(0, 0.05))
                run.send_signal(signal.SIGINT)
            run.communicate(timeout=60)
            if rng.random() < 0.2:
                for name in ("episodes.jsonl", "replies.jsonl"):
                    if (out / name).exists() and (size := (out / name).stat().st_size) > 10 and rng.random() < 0.5:
                        os.truncate(out / name, size - rng.randint(1, 10))
        done = subprocess.run([sys.executable, str(HERE / "same_records.py"), str(work / "whole"), str(out)], capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"after {kills} kills: {done.stdout}{done.stderr}\nkept in {work}")
        shutil.rmtree(out)
    print(f"{kills} kills in {rounds} runs: no reply and no episode lost")
    shutil.rmtree(work)
finally:
    if endpoint:
        endpoint.kill()
        endpoint.wait()
