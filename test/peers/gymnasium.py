#!/usr/bin/env python3
"""The adapters of the Python package (test/library/adapters_test.py) with Debian sid's Gymnasium, whose check_env is the judge:
gymnasium.py SID PPC. Run by `tools/peers gymnasium`."""
import pathlib
import re
import shutil
import subprocess
import sys

sid, program = map(pathlib.Path, sys.argv[1:3])
root = pathlib.Path(__file__).resolve().parent.parent.parent
library = program.parent.parent / "lib"
there = sid / "tmp/ppc"
shutil.rmtree(there, ignore_errors=True)
for folder in ("python", "stdlib-games", "test/library"):
    shutil.copytree(root / folder, there / folder, ignore=shutil.ignore_patterns("__pycache__"))
# The libraries that this Debian's build needs and sid has in other versions; not the C and C++ run-time, which sid's newer ones replace.
(there / "lib").mkdir()
for name in ("libppc.so.1", "libppc_compiler.so"):
    shutil.copy(library / name, there / "lib")
    needs = subprocess.run(["ldd", library / name], check=True, capture_output=True, text=True).stdout
    for path in re.findall(r"=> (/\S+)", needs):
        if not re.match(r"(lib(c|m|dl|pthread|stdc\+\+|gcc_s)|ld-linux)[.-]", pathlib.Path(path).name):
            shutil.copy(path, there / "lib")
done = subprocess.run(["chroot", sid, "env", "LD_LIBRARY_PATH=/tmp/ppc/lib", "PPC_LIBRARY=/tmp/ppc/lib/libppc.so.1",
                       "PPC_STDLIB=/tmp/ppc/stdlib-games", "PYTHONPATH=/tmp/ppc/python", "HOME=/tmp", "PYTHONDONTWRITEBYTECODE=1",
                       "python3", "-W", "error::DeprecationWarning", "/tmp/ppc/test/library/adapters_test.py"])
shutil.rmtree(there)
sys.exit(done.returncode)
