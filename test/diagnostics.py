#!/usr/bin/env python3
"""Every diagnostic has a page with a failing example and its fix, and a test; every page has a diagnostic.

usage: diagnostics.py --ppc PROGRAM [--root FOLDER] [--only CODE]

A page is docs/diagnostics/CODE-slug.md: a title `# CODE slug`, the message, `## Example` and `## Fix`. Under each of the
two, the first ```game block is the game (a second one with a file name behind `game` is a file beside it; ```data NAME is
any other file). A ```python block is an expression for games that cannot be shown as text. The example has to give the
diagnostic, the fix must not, nor any other error.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile

FENCE = re.compile(r"^```(game|python|data)(?: +(\S+))?\n(.*?)^```$", re.M | re.S)


def files_of(section):
    """{file name: bytes}; the game is demo.game."""
    files = {}
    for kind, name, body in FENCE.findall(section):
        if kind == "python":
            body = eval(compile(body.strip(), "page", "eval"), {"__builtins__": {"range": range}})
        files.setdefault(name or "demo.game", body if isinstance(body, bytes) else body.encode())
    return files


def codes_of(ppc, files):
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder) / "games" / "demo"
        home.mkdir(parents=True)
        for name, body in files.items():
            path = (home / name).resolve()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        done = subprocess.run([ppc, "check", "--json", "--max-errors", "0", str(home / "demo.game")], capture_output=True, timeout=60)
        if done.returncode not in (0, 1):
            raise RuntimeError(f"ppc check ended with {done.returncode}: {done.stderr.decode(errors='replace')[:500]}")
        return [(d["code"], d["severity"]) for d in json.loads(done.stdout)[0]["diagnostics"]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ppc", required=True)
    parser.add_argument("--root", default=str(pathlib.Path(__file__).resolve().parent.parent))
    parser.add_argument("--only", help="one code")
    arguments = parser.parse_args()
    root = pathlib.Path(arguments.root)
    ppc = str(pathlib.Path(arguments.ppc).resolve())

    listed = json.loads(subprocess.run([ppc, "check", "--list-diagnostics", "--json"], capture_output=True, check=True, timeout=60).stdout)
    problems = []
    registry = {}
    for d in listed:
        if d["code"] in registry:
            problems.append(f"{d['code']} is declared twice: {registry[d['code']]['slug']} and {d['slug']}")
        registry[d["code"]] = d
    tested = set()
    for path in sorted((root / "test" / "lit").rglob("*")):
        if path.suffix in (".game", ".test") and path.is_file():
            text = path.read_text(errors="replace")
            tested |= set(re.findall(r"expected-(?:error|warning)(?:@\S+)? +([EW]\d{4})\b", text))
            tested |= set(re.findall(r"(?:error|warning)\[([EW]\d{4})\]", text))

    pages = {p.name: p for p in (root / "docs" / "diagnostics").glob("*.md") if p.name != "README.md"}
    for code, d in registry.items():
        if arguments.only and code != arguments.only:
            continue
        name = f"{code}-{d['slug']}.md"
        if code not in tested:
            problems.append(f"{code} {d['slug']}: no test in test/lit expects it")
        if name not in pages:
            problems.append(f"{code} {d['slug']}: no page docs/diagnostics/{name}")
            continue
        text = pages[name].read_text()
        if not text.startswith(f"# {code} {d['slug']}\n"):
            problems.append(f"{name}: the title is not `# {code} {d['slug']}`")
        if d["format"] not in text:
            problems.append(f"{name}: does not show the message as it is: {d['format']}")
        parts = re.split(r"^## (Example|Fix)$", text, flags=re.M)
        sections = dict(zip(parts[1::2], parts[2::2]))
        for title, wanted in (("Example", True), ("Fix", False)):
            files = files_of(sections.get(title, ""))
            if not files:
                problems.append(f"{name}: no game under `## {title}`")
                continue
            try:
                found = codes_of(ppc, files)
            except Exception as error:
                problems.append(f"{name}: {title}: {error}")
                continue
            if wanted and code not in [c for c, _ in found]:
                problems.append(f"{name}: the example gives {[c for c, _ in found] or 'nothing'}")
            if not wanted and (code in [c for c, _ in found] or "error" in [s for _, s in found]):
                problems.append(f"{name}: the fix gives {[c for c, _ in found]}")
    if not arguments.only:
        known = {f"{c}-{d['slug']}.md" for c, d in registry.items()}
        problems += [f"docs/diagnostics/{name}: no such diagnostic" for name in sorted(set(pages) - known)]
        problems += [f"test/lit expects {code}, which is no diagnostic" for code in sorted(tested - set(registry))]
    for p in problems:
        print(p)
    print(f"{len(registry)} diagnostics, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
