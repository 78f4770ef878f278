"""A tokenizer in which the ids of two letters are those of the other."""
import json
import sys

data = json.load(open(sys.argv[1]))
vocab = data["model"]["vocab"]
vocab["e"], vocab["o"] = vocab["o"], vocab["e"]
json.dump(data, open(sys.argv[2], "w"))
