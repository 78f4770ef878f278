"""Begins a training and ends it as ^C does: interrupt.py HOW FILE… -- PPC train …

HOW: `terminal` (all processes get SIGINT, as at a terminal), `alone` (the first one only), `term` (SIGTERM, the first one only).
Waits until every FILE, a metrics.jsonl, has two lines more. Says how the training ended and whether all its processes did; then the last line that it wrote."""
import os
import pathlib
import signal
import subprocess
import sys
import time

at = sys.argv.index("--")
how, files, command = sys.argv[1], [pathlib.Path(f) for f in sys.argv[2:at]], sys.argv[at + 1 :]
run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)


def children():
    text = pathlib.Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text()
    return [int(pid) for pid in text.split()]


def lines(file):
    return file.read_bytes().count(b"\n") if file.exists() else 0


before = [lines(f) for f in files]
while run.poll() is None and not all(lines(f) >= b + 2 for f, b in zip(files, before)):
    time.sleep(0.005)
if run.poll() is not None:
    sys.exit(f"was over before it could be interrupted: {run.communicate()[1]}")
all_of_it = children()
if how == "terminal":
    os.killpg(run.pid, signal.SIGINT)
else:
    run.send_signal(signal.SIGTERM if how == "term" else signal.SIGINT)
message = run.communicate()[1].strip()
left = [pid for pid in all_of_it if os.path.exists(f"/proc/{pid}")]
print(f"exit code {run.returncode}, {len(all_of_it)} processes begun by it, {len(left)} left")
print(message.splitlines()[-1] if message else "no message")
