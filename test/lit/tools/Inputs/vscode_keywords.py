"""Compares the keywords of grammar/GameLexer.g4 with those of the TextMate grammar, and its patterns with themselves."""
import json
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
ours = set(re.findall(r"^Kw\w+: '(\w+)';", (root / "grammar/GameLexer.g4").read_text(), re.M))
ident = re.search(r"^ident\n(.*?);", (root / "grammar/GameParser.g4").read_text(), re.M | re.S).group(1)
soft = {re.search(rf"^{name}: '(\w+)';", (root / "grammar/GameLexer.g4").read_text(), re.M).group(1) for name in re.findall(r"Kw\w+", ident)}

grammar = json.loads((root / "tools/vscode/syntaxes/game.tmLanguage.json").read_text())
for name in ("package.json", "package-lock.json", "language-configuration.json"):
    json.loads((root / "tools/vscode" / name).read_text())
theirs, theirs_soft = [], set()
for pattern in grammar["repository"]["keywords"]["patterns"]:
    words = re.search(r"\(([a-z|]+)\)", pattern["match"]).group(1).split("|")
    theirs += words
    if r"(?!\s*:)" in pattern["match"]:   # these may be the name of a field
        theirs_soft.update(words)
assert len(theirs) == len(set(theirs)), sorted(w for w in theirs if theirs.count(w) > 1)
assert ours == set(theirs), f"only in the lexer: {sorted(ours - set(theirs))}, only in the TextMate grammar: {sorted(set(theirs) - ours)}"
print(f"keywords: {len(ours)} in both")
hard = theirs_soft - soft
assert not hard, f"no name anywhere: {sorted(hard)}"
missing = soft - theirs_soft
assert not missing, f"these may be names: {sorted(missing)}"
print("soft keywords: the same")

# Every include is there, and every scope ends with the language's name.
def walk(node):
    if isinstance(node, list):
        for n in node:
            walk(n)
    if isinstance(node, dict):
        include = node.get("include")
        assert include is None or include.startswith("#") and include[1:] in grammar["repository"], include
        for key in ("name", "contentName"):
            assert key not in node or node is grammar or node[key].endswith(".game"), node[key]
        for n in node.values():
            walk(n)


walk(grammar)
print("names of scopes: good")
