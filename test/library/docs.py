"""Runs the examples of docs/library.md: docs.py ROOT LIBRARY_FOLDER COMPILER… . In a folder of its own, as they write records."""
import contextlib
import importlib.util
import io
import os
import pathlib
import re
import subprocess
import sys

root, library, *compiler = sys.argv[1:]
page = (pathlib.Path(root) / "docs/library.md").read_text(encoding="utf-8")
blocks = re.findall(r"^```(\w+)\n(.*?)^```$", page, re.M | re.S)
if any(importlib.util.find_spec(p) is None for p in ("gymnasium", "pettingzoo", "clemcore")):
    sys.path.append(f"{root}/test/library/standins")

# Under sanitizers Python has their library loaded in front; what is compiled here brings its own.
surroundings = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "ASAN_OPTIONS")}
names: dict = {"__name__": "page"}
ran = {"python": 0, "c": 0, "cmake": 0}
for kind, text in blocks:
    ran[kind] += 1
    if kind == "python":
        at = page[:page.index(text)].count("\n")
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile("\n" * at + text, "docs/library.md", "exec"), names)
        if "print(" in text and not out.getvalue():
            sys.exit("nothing was printed:\n" + text)
    elif kind == "c":
        pathlib.Path("example.c").write_text(text, encoding="utf-8")
        subprocess.run([*compiler, f"-I{root}/runtime/include", "example.c", f"-L{library}", f"-Wl,-rpath,{library}", "-lppc", "-o", "example"],
                       check=True, env=surroundings)
        said = subprocess.run(["./example"], check=True, capture_output=True, text=True, env=surroundings).stdout
        if "outcome 2, score 0\n" not in said:
            sys.exit("the C example said:\n" + said)
    elif text not in (pathlib.Path(root) / "test/library/outside/CMakeLists.txt").read_text(encoding="utf-8"):
        sys.exit("not what test/library/outside/CMakeLists.txt has:\n" + text)
reply = type("Model", (names["backends"].Model,), {"generate_response": lambda self, messages: (messages, {}, "GUESS: tree")})
episode = names["episode_with"](reply(type("Spec", (), {"model_name": "m"})()))
assert episode.outcome == "lost", episode
assert list(pathlib.Path("records").rglob("scores.json"))
print("ran", ran)
