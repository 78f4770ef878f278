"""What comes from outside and is no protocol, or not in its order: `ppc lsp` answers what can be answered and goes on.

usage: lsp_abuse.py PPC GAMES
"""
import json
import os
import pathlib

from lsp_client import Client, Refused, main, show


def code_of(client, method, params):
    try:
        client.request(method, params)
        return "answered"
    except Refused as e:
        return e.code


def framed(body):
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def run(ppc, games):
    games = pathlib.Path(games)

    # Order: nothing before `initialize`, nothing after `shutdown`, and the exit code says whether there was one.
    client = Client(ppc, initialize=False)
    client.notify("textDocument/didOpen", {"textDocument": {"uri": "file:///x.game", "version": 1, "text": "game"}})
    print("BEFORE", code_of(client, "textDocument/hover", {}), code_of(client, "shutdown", None))
    client.request("initialize", {"capabilities": {}})
    print("TWICE", code_of(client, "initialize", {"capabilities": {}}))
    print("UNKNOWN", code_of(client, "textDocument/moreMagic", {}), code_of(client, "$/magic", {}))
    client.notify("$/magic", {})
    client.notify("textDocument/didWhatever", None)
    print("PARAMS", code_of(client, "textDocument/hover", {}), code_of(client, "textDocument/hover", [1]), code_of(client, "textDocument/hover", None),
          code_of(client, "textDocument/hover", {"textDocument": {"uri": 7}, "position": {}}),
          code_of(client, "textDocument/hover", {"textDocument": {"uri": "file:///not/open.game"}, "position": {"line": 0, "character": 0}}),
          code_of(client, "textDocument/rename", {"textDocument": {"uri": "file:///not/open.game"}}))
    client.request("shutdown", None)
    print("AFTER", code_of(client, "textDocument/hover", {}), code_of(client, "initialize", {}))
    client.notify("exit", None)
    print("EXIT", client.wait())
    client = Client(ppc)
    client.notify("exit", None)
    print("EXIT without shutdown", client.wait())
    client = Client(ppc)
    client.process.stdin.close()
    print("END of input", client.wait())

    # Bytes that are no messages: each is said once, and the next message is read.
    client = Client(ppc)
    for name, data in (
            ("json", framed(b'{"jsonrpc": "2.0", "id": 1, "meth')),
            ("utf-8", framed(b'{"jsonrpc": "2.0", "id": 1, "method": "\xff\xfe"}')),
            ("list", framed(b"[1, 2]")),
            ("number", framed(b"12")),
            ("empty", framed(b"")),
            ("deep", framed(b"[" * 100000)),
            ("header", b"Hello: there\r\n\r\n"),
            ("length", b"Content-Length: many\r\n\r\n"),
            ("negative", b"Content-Length: -5\r\n\r\n"),
            ("huge", b"Content-Length: 99999999999999\r\n\r\n"),
            ("too huge", b"Content-Length: 9999999999999999999999999\r\n\r\n"),
            ("no header", os.urandom(0) + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
            ("garbage", bytes(range(256)) * 64),
            ("id", framed(b'{"jsonrpc": "2.0", "id": [1], "method": "x"}')),
            ("no method", framed(b'{"jsonrpc": "2.0", "id": 5}')),
            ("answer", framed(b'{"jsonrpc": "2.0", "id": 5, "result": null}'))):
        client.answers.clear()
        client.send_bytes(data)
        good = client.ask("textDocument/moreMagic", {})
        while good not in client.answers:
            client.take()
        client.answers.pop(good)
        print("BYTES", name, [m["error"]["code"] for m in client.answers.values()])
    print("headers in other letters, with others beside them")
    body = json.dumps({"jsonrpc": "2.0", "id": "a text", "method": "textDocument/moreMagic"}).encode()
    client.send_bytes(b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-LENGTH:   %d\r\n\r\n" % len(body) + body)
    while "a text" not in client.answers:
        client.take()

    # Texts: places beyond the end, inside of pairs, backwards; documents that are not open.
    uri = client.open(games / "hellogame/hellogame.game")
    text = client.texts[uri]

    def edited(start, end, put):
        client.versions[uri] += 1
        client.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": client.versions[uri]}, "contentChanges": [
            {"range": {"start": {"line": start[0], "character": start[1]}, "end": {"line": end[0], "character": end[1]}}, "text": put}]})
        return client.wait_for_diagnostics(uri)
    edited((100000, 5), (200000, 7), "// behind the end 😀\n")
    edited((0, 4000000000), (0, 4000000000), "")
    last = text.count("\n")
    edited((last, 19), (last, 20), "x")  # the second half of a pair: its whole is replaced or kept
    edited((last, 3), (last, 0), "")     # backwards
    print("PLACES", [client.request(m, {"textDocument": {"uri": uri}, "position": {"line": l, "character": c}}) is not None
                     for m in ("textDocument/hover", "textDocument/completion") for l, c in ((0, 0), (99999, 99999), (last, 18))])
    client.notify("textDocument/didChange", {"textDocument": {"uri": "file:///not/open.game", "version": 2}, "contentChanges": [{"text": "x"}]})
    client.notify("textDocument/didClose", {"textDocument": {"uri": "file:///not/open.game"}})
    client.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": 99}, "contentChanges": 5})
    print("CLEAN", client.change(uri, text))
    # Every beginning of a game, as if it were typed.
    for end in range(0, len(text), 97):
        client.change(uri, text[:end], wait=False)
        where = {"textDocument": {"uri": uri}, "position": client.position(uri, end)}
        for method in ("completion", "hover", "documentSymbol", "semanticTokens/full", "formatting"):
            client.request("textDocument/" + method, {**where, "options": {}})
    print("NUL", [d["code"] for d in client.change(uri, "game g\0")])
    print("LARGE", [d["code"] for d in client.change(uri, "// " + "x" * (2 << 20))])
    print("DEEP", [d["code"] for d in client.change(uri, "game g\nplay { let x = " + "(" * 5000 + "1" + ")" * 5000 + " }")])
    # Large ones, in one line and in many.
    for name, body in (("ONE LINE", " ".join(f"let x{n} = {n}" for n in range(6000))),
                       ("MANY LINES", "\n".join(f"if {n} == 1 {{ let x{n} = {n} }}" for n in range(6000)))):
        client.change(uri, "game g\nplayer p\nplay {\n" + body + "\n")
        where = {"textDocument": {"uri": uri}, "position": {"line": 3, "character": 1}}
        print(name, [len(client.request("textDocument/" + m, {**where, "context": {}, "newName": "other"})) > 0
                     for m in ("semanticTokens/full", "documentSymbol", "completion", "hover")])
    print("CYCLE", [d["code"] for d in client.change(uri, 'game g\ninclude "hellogame.game"\ninclude "../../../etc/passwd"\ninclude "none.game"\n')])

    # What is typed faster than it is read is looked at once; a request that is taken back is not answered otherwise.
    client.change(uri, text)
    before = len(client.published)
    data = b""
    for n in range(200):
        client.versions[uri] += 1
        data += framed(json.dumps({"jsonrpc": "2.0", "method": "textDocument/didChange", "params": {
            "textDocument": {"uri": uri, "version": client.versions[uri]}, "contentChanges": [{"text": text + "\n" * n}]}}).encode())
    taken_back = client.next_id
    data += framed(json.dumps({"jsonrpc": "2.0", "id": taken_back, "method": "textDocument/completion", "params": {
        "textDocument": {"uri": uri}, "position": {"line": 0, "character": 0}}}).encode())
    data += framed(json.dumps({"jsonrpc": "2.0", "method": "$/cancelRequest", "params": {"id": taken_back}}).encode())
    client.next_id += 1
    client.send_bytes(data)
    client.wait_for_diagnostics(uri)
    print("ONCE", len(client.published) - before < 20)
    try:
        client.answer(taken_back)
    except Refused as e:
        print("CANCELLED", e.code)
    print("ENDS", client.stop())


main(run)
