#!/usr/bin/env python3
"""The layering test: includes and link dependencies follow the arrows of docs/architecture.md.

  test/layering.py [ROOT]       checks the tree; each violation is a line `file:line: what`, exit 1 if any
  test/layering.py --self-test  seeds violations in a small tree of its own and checks that each is found
"""
import pathlib
import re
import sys
import tempfile

# Who may use whom, directly; what those use may be used as well.
ARROWS = {
    "runtime/include": [],
    "runtime/abi": [],
    "runtime/text": ["runtime/abi"],
    "runtime/engine": ["runtime/text", "runtime/include"],
    "runtime/web": ["runtime/engine"],
    "runtime/net": [],
    "runtime/local": [],
    "runtime/players": ["runtime/engine", "runtime/net", "runtime/local"],
    "runtime/capi": ["runtime/engine"],
    "compiler/base": ["runtime/abi"],
    "compiler/diag": ["compiler/base"],
    "compiler/ast": ["compiler/diag"],
    "compiler/syntax": ["compiler/ast"],
    "compiler/formats": ["compiler/ast"],
    "compiler/sema": ["compiler/ast", "compiler/formats", "runtime/text"],   # what a `regex` is
    "compiler/ide": ["compiler/syntax", "compiler/sema"],
    "compiler/rules": ["compiler/sema", "runtime/engine"],     # the manifest, which tells the engine what a game has
    "compiler/interp": ["compiler/rules"],
    "compiler/codegen": ["compiler/rules"],
    "compiler/driver": ["compiler/syntax", "compiler/interp", "compiler/codegen"],
    "compiler/plugin": ["compiler/driver", "runtime/capi"],
    "trainers": ["runtime/engine", "runtime/local", "runtime/web"],
    "tools": ["compiler/driver", "compiler/ide", "runtime/players", "trainers", "runtime/web"],
}
# Libraries of others that stay behind one wall: what their headers and their CMake targets look like, and the only user.
WALLS = [
    ("ANTLR", re.compile(r"^(antlr4|Game(Lexer|Parser)\b|ANTLR)"), re.compile(r"antlr", re.I), "compiler/syntax"),
    ("LLVM", re.compile(r"^llvm(-c)?/"), re.compile(r"\b(LLVM|llvm)[-\w]*"), "compiler/codegen"),
    ("libcurl", re.compile(r"^curl/"), re.compile(r"\bCURL\b"), "runtime/net"),
    ("libmicrohttpd", re.compile(r"^microhttpd"), re.compile(r"\bPPC_MICROHTTPD\w*"), "runtime/net"),
    ("Protobuf", re.compile(r"^google/protobuf/"), re.compile(r"\bPPC_PROTO\w+"), "trainers"),
    ("LibTorch", re.compile(r"^(torch|ATen|c10)/"), re.compile(r"\b(ppc_)?[Tt]orch\w*|\$\{TORCH"), "trainers"),
]
# Libraries whose folder their name does not say.
LIBRARIES = {"ppc_rt": "runtime/text", "ppc_engine": "runtime/engine", "ppc_players": "runtime/players", "ppc_net": "runtime/net", "ppc_local": "runtime/local",
             "ppc_model": "trainers", "ppc_decode": "trainers", "ppc_nn_cpu": "trainers", "ppc_nn": "trainers", "ppc_learn": "trainers", "ppc_sampling": "trainers", "ppc_data": "trainers", "ppc_objective": "trainers", "ppc_report": "trainers", "ppc_train": "trainers", "ppc_local_model": "trainers"}
SOURCES = {".h", ".hpp", ".cpp", ".cc", ".inc", ".def"}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def allowed(folder):
    seen, todo = set(), [folder]
    while todo:
        at = todo.pop()
        if at not in seen:
            seen.add(at)
            todo += ARROWS[at]
    return seen


ALLOWED = {folder: allowed(folder) for folder in ARROWS}


def folder_of(path):
    for folder in ARROWS:
        if path == folder or path.startswith(folder + "/"):
            return folder
    return None


def library_folder(name):
    if name in LIBRARIES:
        return LIBRARIES[name]
    for folder in ARROWS:
        if name == "ppc_" + folder.rpartition("/")[2]:
            return folder
    return None


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        found = INCLUDE.match(line)
        if found:
            yield number, found.group(2)


def resolve(root, path, name):
    """The file of the tree that an include names, or None for a header from elsewhere."""
    for base in (root, path.parent):
        candidate = base / name
        if candidate.exists():
            return candidate.resolve()
    return None


def check(root):
    root = root.resolve()
    found = []
    walled = {}         # header -> names of the walls whose library it includes, directly
    inner = {}          # header -> the headers of the tree that it includes
    used_outside = {}   # header -> (file, line) of a user in another folder
    files = [p for p in sorted(root.rglob("*")) if p.suffix in SOURCES and p.is_file()
             and folder_of(p.relative_to(root).as_posix())]
    for path in files:
        relative = path.relative_to(root).as_posix()
        folder = folder_of(relative)
        for number, name in includes(path):
            for wall, header, _, owner in WALLS:
                if header.search(name):
                    walled.setdefault(path.resolve(), set()).add(wall)
                    if folder != owner:
                        found.append(f"{relative}:{number}: includes {name}: only {owner} may use {wall}")
            target = resolve(root, path, name)
            if target is None:
                # A path of the tree that is not there yet, or is generated, still follows the arrows.
                other = folder_of(name)
            else:
                inner.setdefault(path.resolve(), []).append(target)
                other = folder_of(target.relative_to(root).as_posix()) if target.is_relative_to(root) else None
                if other and other != folder:
                    used_outside.setdefault(target, (relative, number))
            if other and other not in ALLOWED[folder]:
                found.append(f"{relative}:{number}: {folder} must not use {other} (includes {name})")
    # A header that others include shows nothing of a walled library, not even through another header.
    for header, (user, number) in used_outside.items():
        seen, todo = set(), [header]
        while todo:
            at = todo.pop()
            if at in seen:
                continue
            seen.add(at)
            for wall in sorted(walled.get(at, ())):
                owner = next(o for w, _, _, o in WALLS if w == wall)
                if folder_of(user) != owner and folder_of(header.relative_to(root).as_posix()) == owner:
                    found.append(f"{user}:{number}: {header.relative_to(root).as_posix()} shows {wall} outside {owner}")
            todo += inner.get(at, [])
    for path in sorted(root.rglob("CMakeLists.txt")):
        relative = path.relative_to(root).as_posix()
        folder = folder_of(relative)
        if folder is None:
            continue
        text = re.sub(r"#[^\n]*", "", path.read_text(encoding="utf-8"))
        for call in re.finditer(r"\b(ppc_library|target_link_libraries|find_package|add_library|add_executable)\s*\(([^)]*)\)", text):
            number = text[:call.start()].count("\n") + 1
            words = call.group(2).split()
            for wall, _, target, owner in WALLS:
                if folder != owner and any(target.search(w) for w in words if not w.endswith((".cpp", ".h"))):
                    found.append(f"{relative}:{number}: links {wall}: only {owner} may")
            if call.group(1) in ("ppc_library", "target_link_libraries") and words:
                for word in words[1:]:
                    other = library_folder(word)
                    if other and other not in ALLOWED[folder]:
                        found.append(f"{relative}:{number}: {folder} must not link {word}")
    return found


def self_test():
    """Each entry: files of a tree, and what has to be said about it (nothing for a clean one)."""
    clean = {
        "compiler/base/a.h": "#pragma once\n",
        "compiler/codegen/b.cpp": '#include <llvm/IR/Module.h>\n#include "compiler/rules/ir.h"\n#include "runtime/engine/m.h"\n',
        "compiler/codegen/CMakeLists.txt": "find_package(LLVM 19)\nppc_library(ppc_codegen SOURCES b.cpp DEPENDS ppc_rules LLVM)\n",
        "compiler/rules/ir.h": '#include "compiler/base/a.h"\n',
        "compiler/syntax/p.cpp": '#include <antlr4-runtime.h>\n#include "compiler/ast/ast.h"\n',
        "compiler/ast/ast.h": '#include "compiler/base/a.h"\n',
        "runtime/engine/m.h": '#include "runtime/abi/abi.h"\n',
        "runtime/abi/abi.h": "#include <stdint.h>\n",
        "tools/main.cpp": '#include "compiler/driver/d.h"\n#include "runtime/players/p.h"\n',
    }
    seeds = [
        ("runtime includes the compiler", {"runtime/engine/x.cpp": '#include "compiler/base/a.h"\n'}, "runtime/engine/x.cpp:1"),
        ("an arrow upwards", {"compiler/base/x.h": '\n#include "compiler/rules/ir.h"\n'}, "compiler/base/x.h:2"),
        ("an engine that knows rules", {"runtime/engine/x.cpp": '#include "compiler/rules/ir.h"\n'}, "runtime/engine/x.cpp:1"),
        ("across", {"compiler/interp/x.cpp": '#include "compiler/codegen/y.h"\n'}, "compiler/interp/x.cpp:1"),
        ("relative include", {"compiler/base/x.h": '#include "../rules/ir.h"\n'}, "compiler/base/x.h:1"),
        ("LLVM outside codegen", {"compiler/driver/x.cpp": "#include <llvm/IR/Module.h>\n"}, "compiler/driver/x.cpp:1"),
        ("ANTLR outside syntax", {"tools/x.cpp": '#include "antlr4-runtime.h"\n'}, "tools/x.cpp:1"),
        ("Torch outside trainers", {"runtime/players/x.cpp": "#include <torch/torch.h>\n"}, "runtime/players/x.cpp:1"),
        ("LLVM shown by a header", {"compiler/codegen/x.h": "#include <llvm/IR/Module.h>\n",
                                    "compiler/codegen/y.h": '#include "compiler/codegen/x.h"\n',
                                    "compiler/driver/x.cpp": '#include "compiler/codegen/y.h"\n'}, "compiler/driver/x.cpp:1"),
        ("trainers use the compiler", {"trainers/x.cpp": '#include "compiler/base/a.h"\n'}, "trainers/x.cpp:1"),
        ("the runtime uses trainers", {"runtime/players/x.cpp": '#include "trainers/t.h"\n'}, "runtime/players/x.cpp:1"),
        ("runtime links the compiler", {"runtime/text/CMakeLists.txt": "ppc_library(ppc_rt SOURCES a.cpp\n  DEPENDS ppc_base)\n"},
         "runtime/text/CMakeLists.txt:1"),
        ("LLVM linked outside codegen", {"compiler/interp/CMakeLists.txt": "\ntarget_link_libraries(ppc_interp PRIVATE LLVM)\n"},
         "compiler/interp/CMakeLists.txt:2"),
        ("a link upwards", {"compiler/ast/CMakeLists.txt": "ppc_library(ppc_ast SOURCES a.cpp DEPENDS ppc_sema)\n"},
         "compiler/ast/CMakeLists.txt:1"),
    ]
    wrong = 0
    for name, files, place in [("a clean tree", {}, None)] + seeds:
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, text in {**clean, **files}.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text, encoding="utf-8")
            found = check(root)
        good = found == [] if place is None else len(found) >= 1 and all(f.startswith(place + ":") for f in found)
        if not good:
            wrong += 1
            print(f"self-test: {name}: expected {place or 'nothing'}, found {found}")
    print(f"self-test: {len(seeds) + 1 - wrong} of {len(seeds) + 1} trees judged rightly")
    return wrong


def main():
    if sys.argv[1:] == ["--self-test"]:
        return 1 if self_test() else 0
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent
    found = check(root)
    for line in found:
        print(line)
    if not found:
        print("layering: no violation")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
