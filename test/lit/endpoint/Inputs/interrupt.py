"""Interrupts a run once, and resumes it: interrupt.py FOLDER-OF-ENDPOINT PPC OUT REPLIES"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time

here, ppc, out, replies = sys.argv[1:]
endpoint = subprocess.Popen([sys.executable, here + "/endpoint.py", "--replies", replies, "--delay", "0.05"], stdout=subprocess.PIPE, text=True)
url = endpoint.stdout.readline().strip()
command = [ppc, "play", "taboo", "--player", "describer=openai:d", "--player", "guesser=openai:g", "--base-url", url, "--in-flight", "4", "--out", out]
try:
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    path = pathlib.Path(out) / "episodes.jsonl"
    for _ in range(600):  # until the first episode is there
        if path.exists() and path.stat().st_size:
            break
        time.sleep(0.05)
    run.send_signal(signal.SIGINT)
    error = run.communicate()[1]
    print("code", run.returncode)
    print("finishing:", error.strip().split("\n")[-1])
    done = {json.loads(line)["record"] for line in path.read_text().split("\n") if line}
    left = [r for r in map(json.loads, (pathlib.Path(out) / "replies.jsonl").read_text().split("\n")[:-1]) if r["episode"].split(" ")[0] not in done]
    print("replies left over:", len(left) or "none")
    print("code", subprocess.run(command + ["--resume"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode)
finally:
    endpoint.kill()
    endpoint.wait()
