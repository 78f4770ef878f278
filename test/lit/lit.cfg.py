# The lit suites: one folder a part. Run one test with
#   python3 /usr/lib/llvm-19/build/utils/lit/lit.py -v test/lit/PART/NAME.game
# PPC_BIN is the folder of the programs under test (build/release/bin unless set; tools/test also runs build/asan/bin).
import os
import pathlib
import shutil
import subprocess

import lit.formats

root = pathlib.Path(__file__).resolve().parent.parent.parent
programs = os.environ.get("PPC_BIN") or str(root / "build" / "release" / "bin")
llvm = "/usr/lib/llvm-19/bin"

try:
    import psutil  # noqa: F401: lit ends a test that hangs only with its help
    lit_config.maxIndividualTestTime = 600
except ImportError:
    pass

if not os.access(os.path.join(programs, "ppc"), os.X_OK):
    lit_config.fatal(f"no {programs}/ppc: build it first, or set PPC_BIN to the folder of the programs under test")

config.name = "ppc"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".game", ".test"]
config.excludes = ["Inputs"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(os.path.dirname(programs), "lit")

# Programs that use libppc.so are built as the library is; under sanitizers the system's Python needs their run-time library first.
library = os.path.join(os.path.dirname(programs), "lib")
cc, python_ppc = "gcc", ""
if "asan" in pathlib.Path(programs).parts:
    cc = "clang-19 -fsanitize=address,undefined -fsanitize-link-c++-runtime -fno-sanitize-recover=all -Wl,--push-state,--no-as-needed,-lstdc++,--pop-state"
    runtime = subprocess.run(["clang-19", "-print-file-name=libclang_rt.asan-x86_64.so"], capture_output=True, text=True).stdout.strip()
    python_ppc = f"LD_PRELOAD={runtime} ASAN_OPTIONS=detect_leaks=0 "

for name, command in (
    ("%cc", f"{cc} -std=c11 -Wall -Wextra -Werror -pedantic"),
    ("%lib", library),
    ("%pyppc", f"env {python_ppc}PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={root}/python PPC_LIBRARY={library}/libppc.so.1 /usr/bin/python3"),
    ("%ppc", f"{programs}/ppc"),
    ("%play-all", f"/usr/bin/python3 {root}/test/lit/play-all {programs}/ppc"),
    ("%bin", programs),
    ("%endpoint", f"/usr/bin/python3 {root}/test/endpoint/with_endpoint.py"),
    ("%root", str(root)),
    ("%games", f"{root}/stdlib-games"),
    ("%python", "/usr/bin/python3"),
    ("FileCheck", f"{llvm}/FileCheck"),
    ("split-file", f"{llvm}/split-file"),
    ("not", f"{llvm}/not"),
    ("count", f"{llvm}/count"),
):
    config.substitutions.append((name if name[0] in "%\\" else rf"(?<![-/\w]){name}(?![-/\w])", command))

# What a test may do without is said as a feature; tests name it in REQUIRES.
shared = os.environ.get("PPC_SHARED") or str(root.parent / "shared")
if os.path.isdir(os.path.join(shared, "clembench")):
    config.available_features.add("clembench")
    config.substitutions.append(("%clembench", os.path.join(shared, "clembench")))
if shutil.which("mypy", path="/usr/bin"):
    config.available_features.add("mypy")
# The tests of tools/vscode need what `npm install` puts there.
node = shutil.which("node")
if node and (root / "tools/vscode/node_modules/vscode-textmate").is_dir():
    config.available_features.add("npm")
    config.substitutions.append(("%node", node))
    config.substitutions.append(("%vscode", str(root / "tools/vscode")))
# The page of `ppc serve play` is tried in a browser where there is one (Debian's chromium): 300 MB are too much to want of everybody.
chromium = shutil.which("chromium")
if chromium:
    config.available_features.add("chromium")
    config.substitutions.append(("%chromium", chromium))
if "asan" in pathlib.Path(programs).parts:
    config.available_features.add("asan")
if os.path.exists(os.path.join(library, "libppc_local.so")):
    config.available_features.add("local")
if os.path.exists(os.path.join(library, "libppc_torch.so")):
    config.available_features.add("torch")

# Nothing of the user's surroundings reaches a test, and no test reaches the user's caches or the network.
for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
if "asan" in config.available_features:
    config.environment["PPC_REPLIES_ENGINE"] = "so"
config.environment["UBSAN_OPTIONS"] = os.environ.get("UBSAN_OPTIONS", "print_stacktrace=1")
config.environment["PATH"] = f"{llvm}:/usr/bin:/bin"
config.environment["HOME"] = os.path.join(config.test_exec_root, "home")
config.environment["XDG_CACHE_HOME"] = os.path.join(config.test_exec_root, "cache")
config.environment["LC_ALL"] = "C.UTF-8"
config.environment.pop("OPENAI_API_KEY", None)
