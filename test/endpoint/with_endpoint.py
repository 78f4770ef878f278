#!/usr/bin/env python3
"""Runs a command while the test endpoint answers.

usage: with_endpoint.py [endpoint.py's options] [--proxy LOG [--proxy-refuses STATUS]] -- COMMAND…

In the command, {url} is the endpoint's base URL, {port} its port, {here} this folder; with --proxy, {proxy} is the URL of a proxy (proxy.py), {proxy_port} its
port; it writes what it is asked for to LOG. {filled:FILE} is the path of a copy of FILE in which all of these have been filled in, too.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
cut = sys.argv.index("--")
options, command = sys.argv[1:cut], sys.argv[cut + 1:]
proxy_options = []
for name in ("--proxy", "--proxy-refuses"):
    if name in options:
        at = options.index(name)
        proxy_options += options[at:at + 2]
        del options[at:at + 2]
proxy_options = [("--log" if o == "--proxy" else o.replace("--proxy-", "--")) for o in proxy_options]

running = []


def start(script, options):
    running.append(subprocess.Popen([sys.executable, str(HERE / script), *options], stdout=subprocess.PIPE, text=True))
    url = running[-1].stdout.readline().strip()
    if not url:
        sys.exit(f"{sys.argv[0]}: {script} did not start")
    return url


try:
    with tempfile.TemporaryDirectory() as folder:
        known = {"url": start("endpoint.py", options), "here": str(HERE)}
        known["port"] = known["url"].split(":")[2].split("/")[0]
        if proxy_options:
            known["proxy"] = start("proxy.py", proxy_options)
            known["proxy_port"] = known["proxy"].split(":")[2]

        def fill(text):
            return re.sub(r"\{(url|port|here|proxy|proxy_port)\}", lambda m: known[m[1]], text)

        def filled_file(match):
            to = pathlib.Path(folder) / pathlib.Path(match[1]).name
            to.write_text(fill(pathlib.Path(match[1]).read_text(encoding="utf-8")), encoding="utf-8")
            return str(to)

        code = subprocess.run([re.sub(r"\{filled:([^}]*)\}", filled_file, fill(a)) for a in command]).returncode
finally:
    for process in running:
        process.kill()
        process.wait()
sys.exit(code if code >= 0 else 128 - code)
