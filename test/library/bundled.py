"""What a folder of tools/bundle loads: bundled.py FOLDER. Prints the newest versions of the system's libraries that it wants."""
import pathlib
import re
import subprocess
import sys

folder = pathlib.Path(sys.argv[1]).resolve()
files = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.is_symlink() and p.open("rb").read(4) == b"\x7fELF"]
page = (folder / "INSTALL.md").read_text()
print(re.search(r"glibc [\d.]+", page)[0], re.search(r"GLIBCXX_[\d.]+", page)[0], sep=", ")
ours = {"bin", "lib"}
for file in files:
    if file.parent.name not in ours:
        continue  # libraries of others are loaded by ours, with ours' RPATH
    done = subprocess.run(["ldd", file], stdout=subprocess.PIPE, text=True, check=True)
    for name, where in re.findall(r"^\s*(\S+) => (.+?)(?: \(0x\w+\))?$", done.stdout, re.M):
        system = re.match(r"lib(c|m|dl|rt|pthread|resolv|stdc\+\+|gcc_s|z)\.so", name)
        if not system and not where.startswith(str(folder)):
            print(f"{file}: {name} => {where}")
print("all found")
