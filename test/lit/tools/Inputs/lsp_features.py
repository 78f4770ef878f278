"""Every feature of `ppc lsp`, on games that come with ppc and on small ones; prints what FileCheck looks at.

usage: lsp_features.py PPC GAMES FOLDER    (FOLDER: for files of its own)
"""
import pathlib
import subprocess

from lsp_client import Client, Refused, main, show

SMALL = '''/// Say it with pictures.
game pictures
player painter as "Ann"
player guesser

instance {
  /// 😀 what to paint
  target : text secret painter
}
state { tries : [text] = [] }

fn plain(word: text) -> text = word.lower

move Guess by guesser { format "GUESS:" {guess: word} else abort "form" }

play {
  brief painter "Paint."
  brief guesser "😀😀 guess" // a comment with 😀
  let noted = "😀" note "k" noted
  round r in 1..3 {
    let answer = ask guesser for Guess
    tries.add(answer.guess)
    if plain(answer.guess) == plain(word = reveal target) { win score 100 / (r + tries.length) }
  }
  lose
}
'''


def diagnostics(client, folder):
    path = folder / "pictures.game"
    path.write_text(SMALL, encoding="utf-8")
    uri = client.open(path, wait=False)
    print("CLEAN", client.wait_for_diagnostics(uri))
    print("BROKEN")
    show(client, uri, client.edit(uri, 'let noted = "😀" note "k" noted', 'let noted = "😀" note "k" notde'))
    report = client.diagnostics[uri][0]
    print(" ", report["severity"], report["source"], report["message"].splitlines()[1:])
    actions = client.request("textDocument/codeAction", {"textDocument": {"uri": uri}, "range": report["range"], "context": {"diagnostics": [report]}})
    print("ACTIONS", [a["title"] for a in actions], actions[0]["kind"])
    print("FIXED", client.change(uri, client.apply(uri, actions[0]["edit"]["changes"][uri])), client.texts[uri] == SMALL)
    print("WARNED")
    show(client, uri, client.edit(uri, 'note "k" noted', 'note "k" 1'))
    print("  tags", client.diagnostics[uri][0].get("tags"))
    print("SECRET")
    client.change(uri, SMALL)
    show(client, uri, client.edit(uri, 'tries.add(answer.guess)', 'tell guesser target'))
    for r in client.diagnostics[uri][0]["relatedInformation"]:
        print("  related", client.text_of(uri, r["location"]["range"]), "-", r["message"])
    print("SYNTAX")
    show(client, uri, client.edit(uri, 'tell guesser target', 'tell guesser plain('))
    symbols = client.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}})
    print("  symbols", [s["name"] for s in symbols])
    client.edit(uri, 'tell guesser plain(', 'tell guesser plain(tries.')
    labels = [i["label"] for i in client.request("textDocument/completion", client.at(uri, "plain(tries.", 12))["items"]]
    print("  completes", "length" in labels and "sorted" in labels)
    client.change(uri, SMALL)
    return uri


def meanings(client, uri, games):
    hover = client.request("textDocument/hover", client.at(uri, "reveal target", 7))
    print("HOVER", client.text_of(uri, hover["range"]), repr(hover["contents"]["value"]))
    print("HOVER", repr(client.request("textDocument/hover", client.at(uri, "Guess\n"))["contents"]["value"]))
    print("HOVER", repr(client.request("textDocument/hover", client.at(uri, "lower"))["contents"]["value"]))
    print("HOVER", client.request("textDocument/hover", client.at(uri, "a comment")))
    for wanted, within in (("noted\n", 0), ("answer.guess", 0), ("answer.guess", 7), ("reveal target", 7), ("tries.add", 0), ("guesser for", 0),
                           ("plain(answer", 0), ("word = reveal", 0), ("Guess\n", 0), ("r + tries", 0)):
        place = client.request("textDocument/definition", client.at(uri, wanted, within))
        line = client.texts[uri].splitlines()[place["range"]["start"]["line"]]
        print("DEFINITION", wanted.split()[0], "->", client.text_of(uri, place["range"]), "in", line.strip())
    found = client.request("textDocument/references", {**client.at(uri, "answer.guess", 7), "context": {"includeDeclaration": True}})
    print("REFERENCES", [(f["range"]["start"]["line"] + 1, client.text_of(uri, f["range"])) for f in found])
    marks = client.request("textDocument/documentHighlight", client.at(uri, "tries.add"))
    print("HIGHLIGHTS", [(m["range"]["start"]["line"] + 1, m["kind"]) for m in marks])
    # Into a shared file.
    wordle = client.open(games / "wordle/wordle.game")
    place = client.request("textDocument/definition", client.at(wordle, "judge(guess"))
    print("SHARED", place["uri"].rsplit("/", 1)[1], place["range"]["start"]["line"] + 1)
    print("INCLUDE", client.request("textDocument/definition", client.at(wordle, '"rules.game"', 3))["uri"].rsplit("/", 1)[1])
    rules = client.open(games / "wordle/rules.game")
    found = client.request("textDocument/references", {**client.at(rules, "step judge", 5), "context": {"includeDeclaration": False}})
    print("EVERYWHERE", sorted({f["uri"].rsplit("/", 1)[1] for f in found}))
    for d in (wordle, rules):
        client.notify("textDocument/didClose", {"textDocument": {"uri": d}})


def completions(client, uri):
    def at(old, new, within):
        client.change(uri, SMALL, wait=False)
        client.edit(uri, old, new, wait=False)
        return [i["label"] for i in client.request("textDocument/completion", client.at(uri, new, within))["items"]]
    print("PLAYERS", at("ask guesser for Guess", "ask ", 4), at("ask guesser for Guess", "ask gue", 7))
    print("MOVES", at("ask guesser for Guess", "ask guesser for ", 16))
    print("MEMBERS", at("tries.add(answer.guess)", "tries.add(answer.)", 17))
    statement = at("    tries.add", "    \n    tries.add", 4)
    print("STATEMENT", [w for w in ("tell", "round", "answer", "tries", "target", "format", "game") if w in statement])
    print("EMOJI", at('"😀" note "k" noted', '"😀😀" note "k" no', 16)[:1])
    item = client.request("textDocument/completion", client.at(uri, 'note "k" no', 11))["items"][0]
    print("REPLACES", repr(client.text_of(uri, item["textEdit"]["range"])), item["detail"])
    client.change(uri, SMALL)


def whole_file(client, uri, games):
    for s in client.request("textDocument/documentSymbol", {"textDocument": {"uri": uri}}):
        print("SYMBOL", s["kind"], s["name"], s.get("detail", ""), [c["name"] for c in s.get("children", [])])
    ugly = SMALL.replace("  let noted", "      let   noted").replace("fn plain(word: text)", "fn plain( word:text )")
    client.change(uri, ugly)
    edits = client.request("textDocument/formatting", {"textDocument": {"uri": uri}, "options": {"tabSize": 2, "insertSpaces": True}})
    formatted = client.apply(uri, edits)
    print("FORMAT", len(edits), formatted.count("fn plain(word: text)"), "      let" in formatted)
    client.change(uri, formatted)
    print("FORMAT", client.request("textDocument/formatting", {"textDocument": {"uri": uri}, "options": {}}))
    client.change(uri, SMALL)
    legend = client.can["semanticTokensProvider"]["legend"]["tokenTypes"]
    data = client.request("textDocument/semanticTokens/full", {"textDocument": {"uri": uri}})["data"]
    line = character = 0
    lines, seen = client.texts[uri].splitlines(), []
    for i in range(0, len(data), 5):
        line, character = line + data[i], (character if data[i] == 0 else 0) + data[i + 1]
        units = lines[line].encode("utf-16-le")[2 * character:2 * (character + data[i + 2])].decode("utf-16-le")
        seen.append((legend[data[i + 3]], units))
    for wanted in (("function", "plain"), ("comment", "// a comment with 😀"), ("parameter", "word"), ("property", "tries"), ("method", "lower"),
                   ("string", "😀😀 guess"), ("keyword", "round"), ("event", "Guess"), ("number", "100")):
        print("TOKEN", wanted, wanted in seen)
    # All games: everything is answered, and there is nothing to format.
    count = 0
    for path in sorted(games.glob("*/*.game")):
        game = client.open(path)
        assert client.diagnostics[game] == [], (path, client.diagnostics[game])
        assert client.request("textDocument/formatting", {"textDocument": {"uri": game}, "options": {}}) == [], path
        assert client.request("textDocument/documentSymbol", {"textDocument": {"uri": game}})
        assert len(client.request("textDocument/semanticTokens/full", {"textDocument": {"uri": game}})["data"]) % 5 == 0
        count += 1
    print("GAMES", count, "open")


def renames(client, uri, games, ppc, folder):
    def refused(method, params):
        try:
            return client.request(method, params)
        except Refused as e:
            return e.message
    prepared = client.request("textDocument/prepareRename", client.at(uri, "noted\n", 2))
    print("PREPARE", client.text_of(uri, prepared["range"]), prepared["placeholder"])
    for wanted, within in (("reveal target", 7), ("answer.guess", 8), ("lower", 0), ("round r in", 0), ("guesser for", 0)):
        print("REFUSED", refused("textDocument/prepareRename", client.at(uri, wanted, within)))
    for name in ("tries", "round_of_it", "if", "2nd", "a b", "r"):
        answer = refused("textDocument/rename", {**client.at(uri, "answer.guess"), "newName": name})
        print("RENAME", name, ":", answer if isinstance(answer, str) else f"{len(answer['changes'][uri])} edits")
    # A parameter that a call names; the game still compiles.
    edit = client.request("textDocument/rename", {**client.at(uri, "word.lower"), "newName": "spoken"})
    renamed = client.apply(uri, edit["changes"][uri])
    print("NAMED", renamed.count("spoken"), renamed.count("spoken = reveal target"))
    (folder / "renamed.game").write_text(renamed, encoding="utf-8")
    print("COMPILES", subprocess.run([ppc, "check", folder / "renamed.game"], stdout=subprocess.DEVNULL).returncode)
    # Every local variable of a game, one after the other.
    taboo = client.open(games / "taboo/taboo.game")
    text, done = client.texts[taboo], 0
    for at in [i for i in range(len(text)) if text.startswith("let ", i)]:
        params = {"textDocument": {"uri": taboo}, "position": client.position(taboo, at + 4)}
        try:
            edit = client.request("textDocument/rename", {**params, "newName": "zz_other"})
        except Refused:
            continue
        (folder / "taboo.game").write_text(client.apply(taboo, edit["changes"][taboo]), encoding="utf-8")
        assert subprocess.run([ppc, "check", folder / "taboo.game"], stdout=subprocess.DEVNULL).returncode == 0
        done += 1
    print("TABOO", done > 0)


def unsaved(client, folder):
    """What is typed in a shared file counts in the games that include it, before it is saved."""
    (folder / "a").mkdir(exist_ok=True)
    (folder / "b").mkdir(exist_ok=True)
    (folder / "a/rules.game").write_text("player p\nfn twice(n: int) -> int = 2 * n\n")
    for name in "ab":
        include = "rules.game" if name == "a" else "../a/rules.game"
        (folder / name / f"{name}.game").write_text(f'game {name}\ninclude "{include}"\nplay {{\n  win score twice(1)\n}}\n')
    a = client.open(folder / "a/a.game")
    rules = client.open(folder / "a/rules.game")
    print("UNSAVED before", client.diagnostics[a], client.diagnostics[rules])
    client.edit(rules, "twice", "double", wait=False)
    other = a.replace("/a/a.game", "/b/b.game")
    client.wait_for_diagnostics(other)
    show(client, a, client.diagnostics[a])
    client.texts[other] = (folder / "b/b.game").read_text()
    show(client, other, client.diagnostics[other])
    print("UNSAVED completes", [i["label"] for i in client.request("textDocument/completion", client.at(a, "twice"))["items"]].count("double"))
    client.notify("textDocument/didClose", {"textDocument": {"uri": rules}})
    client.wait_for_diagnostics(other)
    print("UNSAVED closed", client.diagnostics[a], client.diagnostics[other])
    # A game that is nowhere on disk.
    new = client.open(folder / "new/new.game", "game new\nplayer p\nplay { los }\n")
    show(client, new, client.diagnostics[new])
    untitled = "untitled:Untitled-1"
    client.texts[untitled], client.versions[untitled] = "game u\nplayer p\nplay { win sore 1 }\n", 1
    client.notify("textDocument/didOpen", {"textDocument": {"uri": untitled, "languageId": "game", "version": 1, "text": client.texts[untitled]}})
    show(client, untitled, client.wait_for_diagnostics(untitled))


def run(ppc, games, folder):
    games, folder = pathlib.Path(games), pathlib.Path(folder)
    for encoding in (None, "utf-8", "utf-32"):
        client = Client(ppc, encoding)
        print("ENCODING", client.can["positionEncoding"])
        uri = diagnostics(client, folder)
        meanings(client, uri, games)
        completions(client, uri)
        if encoding is None:
            whole_file(client, uri, games)
            renames(client, uri, games, ppc, folder)
            unsaved(client, folder)
        print("ENDS", client.stop())


main(run)
