#!/usr/bin/env python3
"""Runs a command while the test endpoint answers; `{url}` in the command is its base URL.

usage: with_endpoint.py [endpoint.py's options] -- COMMAND…
"""
import pathlib
import subprocess
import sys

cut = sys.argv.index("--")
endpoint = subprocess.Popen([sys.executable, str(pathlib.Path(__file__).with_name("endpoint.py")), *sys.argv[1:cut]],
                            stdout=subprocess.PIPE, text=True)
try:
    url = endpoint.stdout.readline().strip()
    if not url:
        sys.exit(f"{sys.argv[0]}: the endpoint did not start")
    code = subprocess.run([a.replace("{url}", url) for a in sys.argv[cut + 1:]]).returncode
finally:
    endpoint.kill()
    endpoint.wait()
sys.exit(code if code >= 0 else 128 - code)
