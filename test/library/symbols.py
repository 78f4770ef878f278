"""Compares what libppc.so exports with ppc.h: symbols.py ROOT LIBRARY_FOLDER."""
import pathlib
import re
import subprocess
import sys

root, folder = map(pathlib.Path, sys.argv[1:])
header = (root / "runtime/include/ppc/ppc.h").read_text()
declared = set(re.findall(r"^PPC_API [^;(]*?(ppc_\w+)\(", header, re.M))
builtins = set(re.findall(r"^PPC_RT\(\w+, (ppc_rt_\w+)", (root / "runtime/abi/builtins.def").read_text(), re.M))
called = builtins | {"ppc_rt_fault", "ppc_rt_concat"}
lines = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", folder / "libppc.so"], check=True, capture_output=True,
                       text=True).stdout.splitlines()
exported = {}
for line in lines:
    name, _, version = line.split()[2].partition("@@")
    if line.split()[1] != "A":  # the versions themselves
        exported[name] = version

problems = []
for name in sorted(declared | set(exported)):
    if name.startswith("ppc_rt_"):
        continue
    if exported.get(name) != "PPC_1":
        problems.append(f"{name}: in ppc.h, but libppc.so exports " + (f"it as {exported[name]}" if name in exported else "no such function"))
    elif name not in declared:
        problems.append(f"{name}: exported, but not in ppc.h")
for name in sorted(called | {n for n in exported if n.startswith("ppc_rt_")}):
    if exported.get(name) != "PPC_RT_1":
        problems.append(f"{name}: compiled games call it, and libppc.so does not export it")
dynamic = subprocess.run(["readelf", "-dW", folder / "libppc.so"], check=True, capture_output=True, text=True).stdout
if "soname: [libppc.so.1]" not in dynamic:
    problems.append("the SONAME is not libppc.so.1")
if re.search(r"NEEDED.*(LLVM|antlr|curl|edit)", dynamic):
    problems.append("libppc.so needs what only the compiler or the players need")
plugin = subprocess.run(["nm", "-D", "--defined-only", folder / "libppc_compiler.so"], check=True, capture_output=True, text=True).stdout
# Sanitizers bring symbols of their own.
names = {n for n in (line.split()[2].partition("@")[0] for line in plugin.splitlines()) if not n.startswith(("__", "_Z"))}
if names != {"ppc_compile_source"}:
    problems.append(f"libppc_compiler.so exports {sorted(names)}")
print("\n".join(problems) if problems else f"{len(declared)} functions")
sys.exit(bool(problems))
