#!/usr/bin/env python3
"""Compares our tokenizer with Hugging Face's own, on a large mixed corpus.

  compare_tokenizer.py corpus OUT.jsonl [FILE|FOLDER ...]   writes the corpus: texts made from a fixed seed, and these files
  compare_tokenizer.py peer TOKENIZER.json CORPUS OUT [--special] [--plain]   Hugging Face's ids (needs python3-tokenizers), and its speed
  compare_tokenizer.py chat FOLDER REQUESTS OUT             transformers' ids of conversations (needs python3-transformers)
  compare_tokenizer.py diff CORPUS OURS PEERS               says which texts differ; exit 1 if any
Ours come from build/release/bin/tokenize TOKENIZER.json < CORPUS > OURS.
"""
import json
import pathlib
import random
import sys
import time
import unicodedata


def corpus(out, paths):
    r = random.Random(7)
    texts = []
    for path in paths:
        path = pathlib.Path(path)
        files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file() and not p.is_symlink())
        for f in files:
            data = f.read_bytes()
            if len(data) > 2_000_000:
                continue
            try:
                texts.append(data.decode())
            except UnicodeDecodeError:
                texts.append(data[:20_000].decode("utf-8", "replace"))
    # Every assigned character, alone among others of its neighbourhood.
    chars = [c for c in map(chr, range(0x110000)) if unicodedata.category(c) not in ("Cs", "Cn", "Co")]
    for i in range(0, len(chars), 40):
        part = chars[i:i + 40]
        texts.append("".join(part))
        texts.append(" ".join(part))
        r.shuffle(part)
        texts.append("a".join(part) + "\n1".join(part))
    for _ in range(3000):   # of one block, with spaces: words of many scripts
        start = r.randrange(0, len(chars) - 100)
        texts.append("".join(r.choice(chars[start:start + 100] + [" "] * 15 + list(".,'1\n")) for _ in range(r.randrange(1, 80))))
    # Decomposed and composed forms.
    for _ in range(2000):
        s = "".join(r.choice(chars[:12000]) + "".join(chr(r.choice((0x300, 0x301, 0x308, 0x323, 0x327, 0x345, 0x3099, 0x5B0, 0x64B, 0x1161, 0x11A8)))
                                                     for _ in range(r.randrange(0, 4))) for _ in range(12))
        texts += [s, unicodedata.normalize("NFD", s), unicodedata.normalize("NFC", s)]
    # The patterns' own alphabet.
    small = list("aZsStTdmlvreLE'  \t\n\r\u00a0\u3000\u2028\u0085\x0b\x1c159٣½Ⅷ一é\u0301ſK-_.!😀\u200d\ufe0f") + ["'s", "'LL", "'ſ", "  ", "\r\n", "   ", "don't", "<|im_end|>"]
    for _ in range(30000):
        texts.append("".join(r.choice(small) for _ in range(r.randrange(1, 25))))
    specials = ["<|begin_of_text|>", "<|eot_id|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>", "<tool_call>", "<|im_", "end|>", "<", "<<|im_end|>>"]
    for _ in range(3000):
        texts.append("".join(r.choice(specials + [" ", "\n", "x", "user\n", "  a"]) for _ in range(r.randrange(1, 12))))
    for _ in range(500):    # numbers, and runs
        texts.append(" ".join(str(r.randrange(10 ** r.randrange(1, 30))) for _ in range(10)))
        texts.append(r.choice(" \n\t\r\u00a0") * r.randrange(1, 300) + r.choice(["", "x", "\n"]))
        texts.append(r.choice(["a", "ab", "=", "-", "é", "好", "😀", "1", "'", "aB"]) * r.randrange(1, 700))
    for _ in range(500):    # random bytes, as far as they are text
        texts.append(r.randbytes(200).decode("utf-8", "replace"))
        texts.append(r.randbytes(100).decode("latin-1"))
    with open(out, "w") as f:
        for t in texts:
            f.write(json.dumps(t) + "\n")
    print(f"{len(texts)} texts, {sum(len(t.encode('utf-8', 'surrogatepass')) for t in texts) / 1e6:.1f} MB")


def peer(tokenizer, corpus, out, special, plain):
    import tokenizers
    t = tokenizers.Tokenizer.from_file(tokenizer)
    t.no_truncation()
    t.no_padding()
    t.encode_special_tokens = plain
    texts = [json.loads(line) for line in open(corpus)]
    begin = time.process_time()
    ids = [t.encode(text, add_special_tokens=special).ids for text in texts]
    seconds = time.process_time() - begin
    with open(out, "w") as f:
        for i in ids:
            f.write(json.dumps(i, separators=(",", ":")) + "\n")
    print(f"tokenizers {tokenizers.__version__}: {sum(len(s.encode('utf-8', 'surrogatepass')) for s in texts) / 1e6 / seconds:.1f} MB a second of processor time")


def chat(folder, requests, out):
    import transformers
    t = transformers.AutoTokenizer.from_pretrained(folder)
    with open(out, "w") as f:
        for line in open(requests):
            r = json.loads(line)
            try:
                ids = t.apply_chat_template(r["messages"], tokenize=True, add_generation_prompt=r["add_generation_prompt"], return_dict=False, **r["extra"])
            except Exception:       # whatever a template says no with
                ids = None
            f.write(json.dumps(ids, separators=(",", ":")) + "\n")
    print("transformers", transformers.__version__)


def diff(corpus, ours, peers):
    wrong = texts = 0
    for text, a, b in zip(open(corpus), open(ours), open(peers), strict=True):
        texts += 1
        if a != b:
            wrong += 1
            if wrong <= 10:
                a, b = json.loads(a), json.loads(b)
                k = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
                print(f"{text[:300]!r}: token {k}: ours {a[k:k + 8]}, theirs {b[k:k + 8]}")
    print(f"{texts - wrong} of {texts} texts equal")
    return 1 if wrong else 0


if __name__ == "__main__":
    what, *args = sys.argv[1:] or ["--help"]
    flags = {a for a in args if a.startswith("--")}
    args = [a for a in args if not a.startswith("--")]
    if what == "corpus":
        corpus(args[0], args[1:])
    elif what == "peer":
        peer(*args, "--special" in flags, "--plain" in flags)
    elif what == "chat":
        chat(*args)
    elif what == "diff":
        sys.exit(diff(*args))
    else:
        print(__doc__)
        sys.exit(2)
