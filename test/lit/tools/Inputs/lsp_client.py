"""A small client of `ppc lsp`: starts the program, speaks the protocol with it, and says places by their text."""
import json
import pathlib
import subprocess
import sys
import threading
import urllib.parse


class Refused(Exception):
    """The server answered with an error."""

    def __init__(self, error):
        super().__init__(error["message"])
        self.code, self.message = error["code"], error["message"]


class Client:
    def __init__(self, ppc, encoding=None, initialize=True, capabilities=None):
        self.process = subprocess.Popen([ppc, "lsp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.encoding = encoding or "utf-16"
        self.next_id, self.texts, self.versions = 1, {}, {}
        self.diagnostics, self.published, self.notes, self.answers = {}, [], [], {}
        self.watchdog = threading.Timer(120, self.process.kill)
        self.watchdog.daemon = True
        self.watchdog.start()
        if initialize:
            can = {"textDocument": {"documentSymbol": {"hierarchicalDocumentSymbolSupport": True}}}
            if encoding:
                can["general"] = {"positionEncodings": [encoding]}
            can.update(capabilities or {})
            self.can = self.request("initialize", {"processId": None, "rootUri": None, "capabilities": can})["capabilities"]
            self.notify("initialized", {})

    # ---- messages
    def send_bytes(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, message):
        body = json.dumps(message).encode()
        self.send_bytes(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def notify(self, method, params):
        self.send({"jsonrpc": "2.0", "method": method, "params": params})

    def ask(self, method, params):
        """Sends a request and does not wait."""
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        self.next_id += 1
        return self.next_id - 1

    def request(self, method, params):
        return self.answer(self.ask(method, params))

    def answer(self, number):
        while number not in self.answers:
            self.take()
        message = self.answers.pop(number)
        if "error" in message:
            raise Refused(message["error"])
        return message["result"]

    def take(self):
        """One message of the server's, sorted by what it is."""
        length = None
        while True:
            line = self.process.stdout.readline()
            if not line:
                raise EOFError("the server has ended")
            if line == b"\r\n":
                break
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
        message = json.loads(self.process.stdout.read(length))
        assert message["jsonrpc"] == "2.0", message
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
            self.published.append(message["params"])
        elif "method" in message:
            self.notes.append(message)
        else:
            self.answers[message["id"]] = message
        return message

    def wait_for_diagnostics(self, uri, version=None):
        """Those of the latest version of an open document, or the next ones of a uri."""
        version = self.versions.get(uri) if version is None else version
        while True:
            message = self.take()
            if message.get("method") == "textDocument/publishDiagnostics" and message["params"]["uri"] == uri:
                if version is None or message["params"].get("version") == version:
                    return message["params"]["diagnostics"]

    def stop(self):
        self.request("shutdown", None)
        self.notify("exit", None)
        return self.wait()

    def wait(self):
        code = self.process.wait(60)
        self.watchdog.cancel()
        return code

    # ---- documents
    def open(self, path, text=None, wait=True):
        path = pathlib.Path(path)
        uri = "file://" + urllib.parse.quote(str(path.absolute()))
        self.texts[uri] = path.read_text(encoding="utf-8") if text is None else text
        self.versions[uri] = 1
        self.notify("textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "game", "version": 1, "text": self.texts[uri]}})
        if wait:
            self.wait_for_diagnostics(uri)
        return uri

    def change(self, uri, text, wait=True):
        self.versions[uri] += 1
        self.texts[uri] = text
        self.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": self.versions[uri]}, "contentChanges": [{"text": text}]})
        return self.wait_for_diagnostics(uri) if wait else None

    def edit(self, uri, old, new, wait=True, occurrence=0):
        """An incremental change: the text `old`, by its place, becomes `new`."""
        text = self.texts[uri]
        begin = self.find(uri, old, occurrence)
        self.versions[uri] += 1
        change = {"range": {"start": self.position(uri, begin), "end": self.position(uri, begin + len(old))}, "text": new}
        self.texts[uri] = text[:begin] + new + text[begin + len(old):]
        self.notify("textDocument/didChange", {"textDocument": {"uri": uri, "version": self.versions[uri]}, "contentChanges": [change]})
        return self.wait_for_diagnostics(uri) if wait else None

    # ---- places: offsets are Python's, in code points
    def find(self, uri, wanted, occurrence=0):
        at = -1
        for _ in range(occurrence + 1):
            at = self.texts[uri].find(wanted, at + 1)
            assert at >= 0, f"no {wanted!r} in {uri}"
        return at

    def units(self, text):
        return len(text.encode("utf-16-le")) // 2 if self.encoding == "utf-16" else len(text.encode()) if self.encoding == "utf-8" else len(text)

    def position(self, uri, offset):
        before = self.texts[uri][:offset]
        line = before.count("\n")
        return {"line": line, "character": self.units(before[before.rfind("\n") + 1:])}

    def offset(self, uri, position):
        lines = self.texts[uri].split("\n")
        at = sum(len(x) + 1 for x in lines[:position["line"]])
        left, n = position["character"], 0
        for c in lines[position["line"]] if position["line"] < len(lines) else "":
            if left <= 0:
                break
            left -= self.units(c)
            n += 1
        return at + n

    def at(self, uri, wanted, within=0, occurrence=0):
        return {"textDocument": {"uri": uri}, "position": self.position(uri, self.find(uri, wanted, occurrence) + within)}

    def text_of(self, uri, range_):
        return self.texts[uri][self.offset(uri, range_["start"]):self.offset(uri, range_["end"])]

    def apply(self, uri, edits):
        """The text with the edits of the server."""
        text = self.texts[uri]
        for e in sorted(edits, key=lambda e: self.offset(uri, e["range"]["start"]), reverse=True):
            text = text[:self.offset(uri, e["range"]["start"])] + e["newText"] + text[self.offset(uri, e["range"]["end"]):]
        return text


def show(client, uri, diagnostics):
    """`line:column code message [what is underlined]`, for FileCheck."""
    for d in diagnostics:
        start = d["range"]["start"]
        print(f"{start['line'] + 1}:{start['character'] + 1} {d['code']} {d['message'].splitlines()[0]} [{client.text_of(uri, d['range'])}]")


def main(run):
    ppc, *rest = sys.argv[1:]
    run(ppc, *rest)
