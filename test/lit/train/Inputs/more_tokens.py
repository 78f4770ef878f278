"""Gives a model folder's tokenizer 100 tokens more than it has: more_tokens.py FOLDER"""
import json
import sys

path = sys.argv[1] + "/tokenizer.json"
tokenizer = json.load(open(path))
vocab = tokenizer["model"]["vocab"]
first = max(vocab.values()) + 1
for i in range(100):
    tokenizer["added_tokens"].append({"id": first + i, "content": f"<|{i}|>", "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True})
json.dump(tokenizer, open(path, "w"))
