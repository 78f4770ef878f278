"""same_lines.py [--but-rules] FILE OTHER…: exported lines are the same but for where they come from and what folders do not know.

--but-rules: of a game that is not known, neither name, role, reason nor broken rule are compared.
"""
import json
import sys

rules = "--but-rules" in sys.argv
files = [a for a in sys.argv[1:] if not a.startswith("--")]


def read(path):
    out = []
    for line in open(path, encoding="utf-8"):
        j = json.loads(line)
        for key in ("source", "seed") + (("game", "episode", "role", "reason", "violation") if rules else ()):
            del j[key]
        out.append(j)
    return sorted(out, key=lambda j: json.dumps(j, sort_keys=True))


first = read(files[0])
for path in files[1:]:
    other = read(path)
    assert len(first) == len(other), (path, len(first), len(other))
    for a, b in zip(first, other):
        assert a == b, (path, {k: (a[k], b[k]) for k in a if a[k] != b.get(k)})
print(len(files), "files,", len(first), "lines")
