#!/usr/bin/env python3
"""Makes test/unit/data/tokenizers.json: a small tokenizer, variants of it, and what Hugging Face's tokenizers encodes with each.

  make_tokenizer_cases.py OUT FILE...      trains on the files; needs python3-tokenizers (made with 0.23.1)
"""
import json
import random
import sys

import tokenizers
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

out, *files = sys.argv[1:]
LLAMA3 = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2 = LLAMA3.replace("{1,3}", "")
MARKS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def split(regex):
    return {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}]}


def added(i, content, **flags):
    return {"id": i, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} | flags


t = Tokenizer(models.BPE())
t.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
t.decoder = decoders.ByteLevel()
t.train(files, trainers.BpeTrainer(vocab_size=600, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
base = json.loads(t.to_str())
base["model"]["vocab"]["ĠĠxyzzy"] = len(base["model"]["vocab"])    # not to be reached by merging
n = len(base["model"]["vocab"])
base["added_tokens"] = [added(n, "<|begin|>"), added(n + 1, "<|im_start|>"), added(n + 2, "<|im_end|>"), added(n + 3, "<think>", special=False)]
base["model"].pop("dropout", None)
words = base["model"]["vocab"]
gpt2 = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}

characters = [f"<0x{b:02X}>" for b in range(256)] + list("▁abcdefghijklmnopqrstuvwxyzé好") + ["th", "▁t", "the", "▁the", "aa", "aaaa", "éa"]
char_merges = [["t", "h"], ["▁", "t"], ["th", "e"], ["▁", "the"], ["a", "a"], ["aa", "aa"], ["é", "a"]]
char_model = {"type": "BPE", "unk_token": None, "fuse_unk": False, "byte_fallback": True, "ignore_merges": False,
              "vocab": {w: i for i, w in enumerate(characters)}, "merges": char_merges}
unk_vocab = {w: i for i, w in enumerate(["<unk>"] + list("abc") + ["ab", "abc"])}
unk_model = {"type": "BPE", "unk_token": "<unk>", "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
             "vocab": unk_vocab, "merges": ["a b", "ab c"]}
few = {w: i for w, i in words.items() if w not in ("q", "Z", "Ċ")}
few_merges = [m for m in base["model"]["merges"] if all(x in few for x in (m[0], m[1], m[0] + m[1]))]


def changed(changes):    # "model.vocab": of the model
    json_ = json.loads(json.dumps(base))
    for key, value in changes.items():
        (json_["model"] if key.startswith("model.") else json_)[key.removeprefix("model.")] = value
    return json.dumps(json_)


variants = [
    ("gpt2", {"pre_tokenizer": gpt2}),
    ("smollm", {"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, gpt2]},
                "model.merges": [" ".join(m) for m in base["model"]["merges"]]}),
    ("llama3", {"pre_tokenizer": split(LLAMA3), "model.ignore_merges": True, "post_processor": {"type": "Sequence", "processors": [
        gpt2, {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|begin|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                                                        {"SpecialToken": {"id": "<|im_end|>", "type_id": 0}}],
               "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
               "special_tokens": {"<|begin|>": {"id": "<|begin|>", "ids": [n], "tokens": ["<|begin|>"]},
                                  "<|im_end|>": {"id": "<|im_end|>", "ids": [n + 2], "tokens": ["<|im_end|>"]}}}]}}),
    ("qwen2", {"pre_tokenizer": split(QWEN2), "normalizer": {"type": "NFC"}}),
    ("marks", {"pre_tokenizer": split(MARKS), "normalizer": {"type": "NFC"}}),
    ("flags", {"pre_tokenizer": split(QWEN2), "normalizer": {"type": "NFC"}, "added_tokens": [
        added(n, "<|begin|>", lstrip=True), added(n + 1, "<|im_start|>", rstrip=True), added(n + 2, "<|im_end|>", lstrip=True, rstrip=True, special=False),
        added(n + 3, "wörd", single_word=True, special=False), added(n + 4, "wörds and", special=False),
        added(n + 5, "cafe\u0301", normalized=True, special=False), added(n + 6, "éé", normalized=True, single_word=True)]}),
    ("characters", {"model": char_model, "added_tokens": [], "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "pre_tokenizer": None,
                    "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}]}}),
    ("unknown", {"model": unk_model, "added_tokens": [], "pre_tokenizer": None, "decoder": None}),
    ("fused", {"model": unk_model | {"fuse_unk": True}, "added_tokens": [], "pre_tokenizer": None, "decoder": None}),
    ("lacking", {"pre_tokenizer": gpt2, "model.vocab": few, "model.merges": few_merges, "added_tokens": []}),
]

r = random.Random(3)
alphabet = list("aZsStTdmlvreLE'  \t\n\r\u00a0\u3000\u2028\u0085\x0b\x1c159٣½Ⅷ一é\u0301ſK-_.!😀\u200d\ufe0fq") + [
    "'s", "'LL", "'ſ", "  ", "\r\n", "   ", "don't", "<|im_end|>", "<|begin|>", "<|im_start|>", " wörd ", "wörd", "wörds and", "éé", "café", "cafe\u0301", "xyzzy", "  xyzzy", "the", "guess"]
texts = ["", " ", "\n", "Hello, world!", "The guesser hears: \"Higher.\"\n\n  GUESS: 17", "I'LL don't we'Ve 'ſx", "1234567 89 ½ ٣٤٥ Ⅷ", "  leading\n\n\n  and trailing   ",
         "naïve café — “quotes” … 日本語 한국어 العربية עברית हिन्दी ไทย 😀👩‍👩‍👧‍👦🇩🇪", "cafe\u0301 A\u030a \u1e9b\u0323 \uac01 \u1100\u1161\u11a8", "<|im_start|>user\nhi<|im_end|>\n<think>", "<<|im_end|>>< |im_end|>",
         "a" * 300, "=" * 200 + "\n" + "-" * 77, "\u08d3\u0301a\u1df6\u0300", "aéa the  tha好x\u00ff\U0010ffff", "xyz abc zzz abcab", "q Zq\nZ"]
texts += ["".join(r.choice(alphabet) for _ in range(r.randrange(1, 30))) for _ in range(45)]
result = {"made_with": "tokenizers " + tokenizers.__version__, "base": base, "texts": texts, "variants": []}
for name, changes in variants:
    peer = Tokenizer.from_str(changed(changes))
    plain = Tokenizer.from_str(changed(changes))
    plain.encode_special_tokens = True
    result["variants"].append({"name": name, "changes": changes,
                               "ids": [peer.encode(x, add_special_tokens=False).ids for x in texts],
                               "with_special": [peer.encode(x).ids for x in texts[:12]],
                               "plain": [plain.encode(x, add_special_tokens=False).ids for x in texts]})
with open(out, "w") as f:
    json.dump(result, f, ensure_ascii=False, separators=(",", ":"))
    f.write("\n")
