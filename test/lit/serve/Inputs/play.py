"""People at `ppc serve play`, as their pages ask."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

from serving import ask, check, serving

ppc, stage, scratch = sys.argv[1:4]


class Seat:
    def __init__(self, server, role):
        self.server, self.role = server, role
        self.key = server.said["seats"][role].split("#")[1]
        self.connection = server.connect()
        self.version = 0
        self.heard = []     # every body that the server sent to this seat

    def ask(self, method, path, body=None, **headers):
        status, answer = ask(self.connection, method, path, body, {"Authorization": "Bearer " + self.key, **headers})
        self.heard.append(json.dumps(answer))
        return status, answer

    def view(self, version=None, have=0, episode=0):
        status, view = self.ask("GET", f"/view?version={self.version if version is None else version}&have={have}&episode={episode}")
        check(status == 200, status, view)
        self.version = view["version"]
        return view

    def until(self, holds):
        view = self.view(0)
        while not holds(view):
            view = self.view()
        return view

    def says(self, text):
        view = self.until(lambda v: v["ask"] or v["phase"] != "playing" and v["phase"] != "gathering")
        check(view["ask"], self.role, "is not asked", view)
        status, answer = self.ask("POST", "/reply", {"episode": view["episode"], "ask": view["ask"]["number"], "text": text})
        check(status == 200, status, answer)

    def over(self):
        return self.until(lambda v: v["phase"] not in ("gathering", "playing"))

    def next(self, episode):
        check(self.ask("POST", "/next", {"episode": episode})[0] == 200)


def together(*seats):
    """Everybody comes: then it begins."""
    for seat in seats:
        seat.view(0)


def two():
    records = scratch + ".records"
    with serving(ppc, "serve", "play", "taboo", "--seed", "3", "--episodes", "2", "--out", records) as server:
        describer, guesser = Seat(server, "describer"), Seat(server, "guesser")
        view = describer.view(0)
        check(view["phase"] == "gathering" and view["waiting_for"] == ["WordGuesser"] and not view["entries"], view)
        check("secret" not in json.dumps(view), view)
        guesser.view(0)
        view = describer.until(lambda v: v["ask"])
        check(view["ask"]["move"] == "Clue" and view["ask"]["seconds"] is None, view)
        card = next(e["text"] for e in view["entries"] if e["kind"] == "told").split("The secret word is:")[1].split("The forbidden words are:")
        secret, forbidden = card[0].strip(), [w[2:] for w in card[1].splitlines() if w.startswith("- ")]
        waiting = guesser.view(0)
        check(waiting["ask"] is None and waiting["waiting_for"] == ["WordDescriber"], waiting)
        # Somebody who is not asked says nothing; nor does one who is, twice.
        for number in (view["ask"]["number"], 0, 99):
            check(guesser.ask("POST", "/reply", {"episode": 1, "ask": number, "text": "GUESS: x"})[0] == 409)
        check(describer.ask("POST", "/reply", {"episode": 2, "ask": view["ask"]["number"], "text": "x"})[0] == 409)
        nasty = 'CLUE: <script>alert(1)</script> "quoted" & \u202e odd \u0000 it'
        describer.says(nasty)
        check(describer.ask("POST", "/reply", {"episode": 1, "ask": view["ask"]["number"], "text": "x"})[0] == 409)
        view = guesser.until(lambda v: v["ask"])
        check(nasty in view["entries"][-1]["text"], view)
        # What one has already is not sent again.
        part = guesser.view(0, have=len(view["entries"]), episode=1)
        check(part["entries"] == [] and part["from"] == len(view["entries"]), part)
        guesser.says("GUESS: nothing")
        check(describer.until(lambda v: v["ask"])["entries"][-1]["text"] == "GUESS: nothing")
        describer.says("CLUE: another")
        guesser.says("no form at all")
        mine, other = guesser.over(), describer.over()
        check(mine["result"]["outcome"] == "aborted" and other["result"] == mine["result"], mine)
        broken = [e for e in mine["entries"] if e["kind"] == "violation"]
        check(len(broken) == 1 and broken[0]["move"] == "Guess" and "GUESS:" in broken[0]["rule"], mine)
        check(not [e for e in other["entries"] if e["kind"] == "violation"], other)
        # Whatever was sent to the guesser: the card is not in it.
        for word in [secret] + forbidden:
            check(not any(word in h for h in guesser.heard), "the guesser hears of", word)
        check(guesser.ask("POST", "/reply", {"episode": 1, "ask": 4, "text": "x"})[0] == 409)
        # The next one begins when both want it.
        describer.next(1)
        check(describer.view(0)["waiting_for"] == ["WordGuesser"])
        guesser.next(1)
        view = describer.until(lambda v: v["ask"])
        check(view["episode"] == 2 and view["result"] is None, view)
        second = next(e["text"] for e in view["entries"] if e["kind"] == "told").split("The secret word is:")[1].split()[0]
        describer.says("CLUE: guess it")
        guesser.says("GUESS: " + second)
        view = guesser.over()
        check(view["result"]["outcome"] == "won" and not view["more"], view)
        check(view["result"]["scores"][0]["name"] == "Main Score", view)
        check(guesser.ask("POST", "/next", {"episode": 2})[0] == 409)
        check(server.stop() == (0, ""))
    lines = [json.loads(line) for line in open(records + "/episodes.jsonl")]
    check([(x["outcome"], x["left"], [p["model"] for p in x["players"]]) for x in lines] == [("aborted", False, ["human"] * 2), ("won", False, ["human"] * 2)], lines)
    for i in (0, 1):
        subprocess.run([ppc, "replay", f"{records}/episodes.jsonl:{i}"], check=True, stdout=subprocess.DEVNULL)


def bots():
    with serving(ppc, "serve", "play", "taboo", "--seed", "3", "--player", "describer=bot:spelling", "--time-limit", "2", "--episodes", "3", "--out", scratch + ".records") as server:
        check(list(server.said["seats"]) == ["guesser"], server.said)
        guesser = Seat(server, "guesser")
        view = guesser.until(lambda v: v["ask"])
        check(0 < view["ask"]["seconds"] <= 2, view)
        view = guesser.over()   # nobody answered in time
        check(view["result"]["outcome"] == "aborted" and "left" in view["result"]["reason"], view)
        guesser.next(1)
        guesser.until(lambda v: v["ask"])
        check(guesser.ask("POST", "/leave", {"episode": 2})[0] == 200)
        check(guesser.over()["result"]["reason"] == "the player left")
        check(guesser.ask("POST", "/leave", {"episode": 2})[0] == 409)
        guesser.next(2)
        guesser.until(lambda v: v["ask"])
        # A question for news that waits ends with the server.
        last = []
        thread = threading.Thread(target=lambda: last.append(guesser.until(lambda v: v["phase"] == "finished")))
        thread.start()
        time.sleep(0.2)
        code, said = server.stop(signal.SIGINT)
        thread.join()
        check(code == 0 and not said and last[0]["phase"] == "finished", code, said, last)
    lines = [json.loads(line) for line in open(scratch + ".records/episodes.jsonl")]
    check([x["left"] for x in lines] == [True] * 3, lines)


def security():
    with serving(ppc, "serve", "play", "taboo", "--max-body", "10000") as server:
        a, b = Seat(server, "describer"), Seat(server, "guesser")
        check(a.key != b.key and len(a.key) == 32)
        together(a, b)
        question = a.until(lambda v: v["ask"])["ask"]["number"]
        reply = {"episode": 1, "ask": question, "text": "CLUE: x"}
        for key in (None, "", "x", a.key[:-1], a.key + "0", a.key + a.key, b.key.upper(), "0" * 32):
            headers = {} if key is None else {"Authorization": "Bearer " + key}
            for method, path, body in (("GET", "/view", None), ("POST", "/reply", reply), ("POST", "/next", {"episode": 1}), ("POST", "/leave", {"episode": 1})):
                check(ask(server.connect(), method, path, body, headers)[0] == 401, key, path)
        # A key in the address is no key: addresses are logged, and passed on.
        check(ask(server.connect(), "GET", "/view?key=" + a.key)[0] == 401)
        for headers in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}):
            check(a.ask("POST", "/reply", reply, **headers)[0] == 403, headers)
            a.connection = server.connect()
            check(a.ask("GET", "/view", **headers)[0] == 403, headers)
        check(ask(server.connect(), "POST", "/reply", json.dumps(reply), {"Authorization": "Bearer " + a.key, "Content-Type": "text/plain"})[0] == 415)
        table = [("POST", "/reply", "{", 400), ("POST", "/reply", {}, 409), ("POST", "/reply", {"episode": 1}, 422), ("POST", "/reply", {"episode": 1, "ask": question}, 422),
                 ("POST", "/reply", {"episode": 1, "ask": -1, "text": ""}, 422), ("POST", "/reply", {"episode": 1, "ask": question, "text": 3}, 422),
                 ("POST", "/reply", {**reply, "role": "guesser"}, 422), ("POST", "/reply", {**reply, "text": "x" * 10000}, 413), ("GET", "/view?version=-1", None, 422),
                 ("GET", "/view?have=99999999999999999999", None, 422), ("GET", "/reply", None, 405), ("POST", "/view", {}, 405), ("GET", "/records", None, 404),
                 ("GET", "/../play.js", None, 404), ("GET", "/play.js%00.html", None, 200), ("DELETE", "/", None, 405), ("POST", "/next", {"episode": 1}, 409)]
        for method, path, body, want in table:
            a.connection = server.connect()
            status, answer = a.ask(method, path, body)
            check(status == want, method, path, status, answer)
        check(a.ask("POST", "/reply", reply)[0] == 200)  # all of this changed nothing
        # The page: its policy, and nothing of the game in it.
        c = server.connect()
        c.request("GET", "/")
        response = c.getresponse()
        text = response.read().decode()
        policy = response.headers["Content-Security-Policy"]
        for part in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "form-action 'none'"):
            check(part in policy, policy)
        check("unsafe" not in policy and "http" not in policy, policy)
        for name, value in (("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"), ("X-Frame-Options", "DENY")):
            check(response.headers[name] == value, name)
        check("http" not in text and "taboo" not in text and "style=" not in text and "<script>" not in text, text)
        for path, kind in (("/play.js", "text/javascript"), ("/play.css", "text/css")):
            c.request("GET", path)
            response = c.getresponse()
            body = response.read().decode()
            check(response.headers["Content-Type"].startswith(kind))
            check("http:" not in body and "https:" not in body and "innerHTML" not in body and "insertAdjacent" not in body and "eval(" not in body)


def elsewhere():
    # For other machines, too: under any name, but with a seat's key only.
    with serving(ppc, "serve", "play", "taboo", "--host", "0.0.0.0") as server:
        server.host = "127.0.0.1"
        guesser = Seat(server, "guesser")
        check(guesser.ask("GET", "/view", Host="box.example:80")[0] == 200)
        check(ask(server.connect(), "GET", "/view", headers={"Host": "box.example"})[0] == 401)
        check(guesser.ask("GET", "/view", Origin="http://evil.example")[0] == 403)


def failing():
    # An endpoint that is not there: the episode cannot go on, and the players hear so, without the address.
    with serving(ppc, "serve", "play", "taboo", "--players", os.path.join(os.path.dirname(__file__), "nobody.yaml"), "--episodes", "1") as server:
        guesser = Seat(server, "guesser")
        view = guesser.over()
        check(view["phase"] == "failed" and not any("127.0.0.1:1" in h for h in guesser.heard), view)
        code, said = server.stop()
        check(code == 3 and said.startswith("error: "), code, said)


def ends():
    # Whichever thread a signal comes to, also those that were there before the server (an endpoint's): it is an orderly end.
    command = [ppc, "serve", "play", "taboo", "--players", os.path.join(os.path.dirname(__file__), "nobody.yaml"), "--episodes", "1"]
    at, seen = 0, 1
    while at < seen:
        with serving(*command) as server:
            threads = sorted(map(int, os.listdir(f"/proc/{server.process.pid}/task")))
            seen = len(threads)
            os.kill(threads[at], signal.SIGTERM)
            _, errors = server.process.communicate(timeout=60)
            check(server.process.returncode == 0, at, seen, server.process.returncode, errors)
        at += 1
    check(seen > 2, seen)


{"two": two, "bots": bots, "security": security, "elsewhere": elsewhere, "failing": failing, "ends": ends}[stage]()
print("good")
