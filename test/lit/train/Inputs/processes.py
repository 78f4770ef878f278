"""Runs a training in several processes, as torchrun does: processes.py [--kill RANK] N PPC train …

With --kill that process is killed behind its second step. Prints what process 0 printed, and how all ended."""
import os
import pathlib
import socket
import subprocess
import sys
import time

args = sys.argv[1:]
victim = None
if args[0] == "--kill":
    victim, args = int(args[1]), args[2:]
world, command = int(args[0]), args[1:]
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
runs = []
for rank in range(world):
    env = dict(os.environ, RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(world), MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), PPC_GROUP_TIMEOUT="60")
    runs.append(subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))
if victim is not None:
    metrics = pathlib.Path(next(a.split("=")[1] for a in command if a.startswith("output=")), "metrics.jsonl")
    while runs[victim].poll() is None and (not metrics.exists() or metrics.read_text().count("\n") < 3):
        time.sleep(0.005)
    runs[victim].kill()
outputs = [r.communicate()[0] for r in runs]
print(outputs[0].strip())
print("exit codes:", *[r.returncode for r in runs])
