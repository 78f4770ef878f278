"""A client of `ppc serve env`."""
import json
import os
import signal
import subprocess
import sys
import threading
import time

from serving import ask, check, serving

ppc, stage = sys.argv[1], sys.argv[2]


def post(connection, path, body):
    status, answer = ask(connection, "POST", path, body)
    check(status == 200, path, body, status, answer)
    return answer


def episodes():
    with serving(ppc, "serve", "env", "taboo", "wordle", "--player", "describer=bot:spelling") as server:
        c = server.connect()
        # The episode is the one that `ppc play` plays.
        guesses = ["GUESS: tree", "tree", "GUESS: house"]
        script = sys.argv[3] + ".json"
        with open(script, "w") as file:
            json.dump(guesses, file)
        for seed in (0, 1, 2):
            at = post(c, "/taboo/reset", {"seed": seed, "episode_id": "mine"})
            check(at["reward"] is None and not at["done"] and at["metadata"]["episode_id"] == "mine", at)
            told, wrong = [at["observation"]["prompt"]], []
            for guess in guesses:
                if not at["done"]:
                    at = post(c, "/taboo/step", {"action": {"message": guess}, "timeout_s": 15})
                    told.append(at["observation"]["prompt"])
                    wrong.append(at["observation"]["violation"])
            where = at["metadata"]
            played = json.loads(subprocess.run(
                [ppc, "play", "taboo", "--experiment", where["experiment"], "--id", where["instance"], "--seed", str(seed),
                 "--player", "describer=bot:spelling", "--player", f"guesser=script:{script}", "--json"],
                check=True, capture_output=True, text=True).stdout)["episodes"][0]
            want = [m["text"] for m in played["messages"] if m["to"] == "Player 2"]
            check(told == want + [""], told, want)
            check(at["done"] and at["observation"]["outcome"] == played["outcome"] and at["observation"]["scores"] == played["scores"], at, played)
            check(at["reward"] == (played["score"] or 0) / 100, at)
            check(wrong == [m["violation"] for m in played["messages"] if m["from"] == "Player 2"], wrong, played["messages"])
            check(ask(c, "POST", "/taboo/step", {"action": {"message": "x"}})[0] == 409)
            state = ask(c, "GET", "/taboo/state")[1]
            check(state["done"] and state["step_count"] == len(wrong), state)
            check([m["content"] for m in state["messages"] if m["role"] == "user"] == want, state)
        # Forks go their own ways.
        post(c, "/taboo/reset", {"seed": 1, "session_id": "a"})
        other = post(c, "/taboo/fork", {"session_id": "a", "as": "b"})
        check(other["metadata"]["session_id"] == "b", other)
        named = post(c, "/taboo/fork", {"session_id": "a"})["metadata"]["session_id"]
        post(c, "/taboo/step", {"session_id": "b", "action": {"message": "GUESS: house"}})
        for name, steps in (("a", 0), ("b", 1), (named, 0)):
            check(ask(c, "GET", "/taboo/state?session_id=" + name)[1]["step_count"] == steps, name)
        # Roles: the client plays both, and hears for each what that one hears.
        at = post(c, "/taboo/reset", {"seed": 3, "players": {"describer": "client"}})
        check(at["observation"]["role"] == "describer", at)
        secret = next(line.split(":")[-1].split()[-1].strip(".\"") for line in at["observation"]["prompt"].splitlines() if "word" in line.lower())
        check(ask(c, "POST", "/taboo/step", {"action": {"message": "CLUE: it is there", "role": "guesser"}})[0] == 409)
        at = post(c, "/taboo/step", {"action": {"message": "CLUE: it is there", "role": "describer"}})
        check(at["observation"]["role"] == "guesser", at)
        both = [ask(c, "GET", "/taboo/state?role=" + role)[1]["messages"] for role in ("describer", "guesser")]
        check(both[0][0]["content"] != both[1][0]["content"] and "CLUE: it is there" in both[1][0]["content"], both)
        # A bot's view is its own.
        post(c, "/taboo/reset", {"seed": 3})
        check(ask(c, "GET", "/taboo/state?role=describer")[0] == 403)
        post(c, "/taboo/close", {"session_id": "b"})
        check(ask(c, "GET", "/taboo/state?session_id=b")[0] == 404)
        check(ask(c, "GET", "/health")[1]["status"] == "healthy")
        check(set(ask(c, "GET", "/schema")[1]) == {"action", "observation", "state"})
        check(ask(c, "GET", "/taboo/metadata")[1]["name"] == "taboo")
        check([g["name"] for g in ask(c, "GET", "/games")[1]["games"]] == ["taboo", "wordle"])
        check(server.stop() == (0, ""), "does not end in order")


def errors():
    with serving(ppc, "serve", "env", "taboo", "wordle", "--max-body", "10000") as server:
        c = server.connect()
        post(c, "/taboo/reset", {"seed": 1})
        table = [
            ("POST", "/reset", {}, 422, "game"),
            ("POST", "/reset", {"game": "chess"}, 404, "game"),
            ("POST", "/chess/reset", {}, 404, None),
            ("POST", "/taboo/reset", {"game": "wordle"}, 422, "game"),
            ("POST", "/taboo/reset", "{", 400, None),
            ("POST", "/taboo/reset", "[1]", 400, None),
            ("POST", "/taboo/reset", "[" * 9000, 400, None),
            ("POST", "/taboo/reset", b'{"seed": "\xff"}', 400, None),
            ("POST", "/taboo/reset", {"seed": -1}, 422, "seed"),
            ("POST", "/taboo/reset", {"seed": "7"}, 422, "seed"),
            ("POST", "/taboo/reset", {"sesion_id": "x"}, 422, "sesion_id"),
            ("POST", "/taboo/reset", {"session_id": "../x"}, 422, "session_id"),
            ("POST", "/taboo/reset", {"session_id": "x" * 129}, 422, "session_id"),
            ("POST", "/taboo/reset", {"episode_id": "x" * 256}, 422, "episode_id"),
            ("POST", "/taboo/reset", {"experiment": "none"}, 404, "experiment"),
            ("POST", "/taboo/reset", {"instance": "none"}, 404, "instance"),
            ("POST", "/taboo/reset", {"instance": [1]}, 422, "instance"),
            ("POST", "/taboo/reset", {"players": {"describer": "openai:x"}}, 422, "players.describer"),
            ("POST", "/taboo/reset", {"players": {"describer": "bot:nobody"}}, 422, "players.describer"),
            ("POST", "/taboo/reset", {"players": {"nobody": "bot:fixed"}}, 422, "players.nobody"),
            ("POST", "/taboo/reset", {"players": []}, 422, "players"),
            ("POST", "/taboo/step", {}, 422, "action"),
            ("POST", "/taboo/step", {"action": "GUESS: x"}, 422, "action"),
            ("POST", "/taboo/step", {"action": {}}, 422, "action.message"),
            ("POST", "/taboo/step", {"action": {"message": 3}}, 422, "action.message"),
            ("POST", "/taboo/step", {"action": {"message": "x", "text": "y"}}, 422, "action.text"),
            ("POST", "/taboo/step", {"action": {"message": "x", "role": "nobody"}}, 422, "action.role"),
            ("POST", "/taboo/step", {"action": {"message": "x"}, "session_id": "none"}, 404, "session_id"),
            ("POST", "/taboo/fork", {"as": "default"}, 422, "as"),
            ("POST", "/taboo/fork", {"as": "a b"}, 422, "as"),
            ("POST", "/taboo/close", {"session_id": "none"}, 404, "session_id"),
            ("GET", "/taboo/state?session_id=none", None, 404, "session_id"),
            ("GET", "/taboo/state?role=nobody%FF%3Cscript%3E", None, 422, "role"),
            ("GET", "/taboo/step", None, 405, None),
            ("POST", "/health", {}, 405, None),
            ("PUT", "/taboo/reset", None, 405, None),
            ("GET", "/", None, 404, None),
            ("GET", "/taboo/../../etc/passwd", None, 404, None),
            ("GET", "/%00", None, 404, None),
            ("POST", "/taboo/reset", "{\"session_id\": \"" + "x" * 10000 + "\"}", 413, None),
        ]
        for method, path, body, want, field in table:
            c = server.connect()
            status, answer = ask(c, method, path, body)
            check(status == want, method, path, str(body)[:100], "want", want, "found", status, answer)
            check(answer["error"]["status"] == want and answer["error"].get("field") == field, answer)
            check(answer["error"]["message"], answer)
        # What a player says is never an error of the request: it is a reply, and the game judges it.
        for message in ("", "\0", "x" * 9000, "\ud83d\ude00", "<script>"):
            post(c := server.connect(), "/taboo/reset", {"seed": 1})
            post(c, "/taboo/step", {"action": {"message": message}})
        # A lone half of a pair is no text; it becomes U+FFFD and no broken UTF-8.
        post(c, "/taboo/reset", {"seed": 1})
        post(c, "/taboo/step", '{"action": {"message": "\\ud83d"}}')


def many():
    with serving(ppc, "serve", "env", "wordle", "--threads", "2") as server:
        guesses = ["crane", "moist", "pudgy", "vixen", "blame", "frost"]
        found, failures = {}, []

        def client(number):
            try:
                c = server.connect()
                mine = [f"{number}-{k}" for k in range(50)]
                for name in mine:
                    post(c, "/reset", {"seed": int(name.split("-")[1]), "session_id": name})
                for guess in guesses:
                    for name in mine:
                        state = ask(c, "GET", "/state?session_id=" + name)[1]
                        if not state["done"]:
                            at = post(c, "/step", {"session_id": name, "action": {"message": f"explanation: a word\nguess: {guess}"}})
                            found.setdefault(name, []).append((at["observation"]["prompt"], at["reward"]))
            except BaseException as e:  # noqa: BLE001: said below
                failures.append(repr(e))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        check(not failures, failures[:3])
        check(len(found) == 400, len(found))
        for name, seen in found.items():
            check(seen == found["0-" + name.split("-")[1]], name, "differs")
        check(len({str(v) for v in found.values()}) > 20, "all sessions are the same")
        check(ask(server.connect(), "GET", "/health")[1]["sessions"] == 400)


def limits():
    with serving(ppc, "serve", "env", "taboo", "--sessions", "3", "--session-seconds", "1") as server:
        c = server.connect()
        for n in range(3):
            post(c, "/reset", {"session_id": f"s{n}"})
        status, answer = ask(c, "POST", "/reset", {"session_id": "more"})
        check(status == 429 and "--sessions" in answer["error"]["message"], answer)
        post(c, "/reset", {"session_id": "s1"})
        while ask(c, "GET", "/health")[1]["sessions"]:
            time.sleep(0.1)
        check(ask(c, "GET", "/state?session_id=s1")[0] == 404)
        post(c, "/reset", {"session_id": "more"})
        # ^C with a connection that stays.
        check(server.stop(signal.SIGINT)[0] == 0)


def security():
    with serving(ppc, "serve", "env", "taboo") as server:
        for headers, want in (
                ({}, 200), ({"Host": "localhost:1"}, 200), ({"Host": "evil.example"}, 403), ({"Host": "127.0.0.1.evil.example"}, 403),
                ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403), ({"Sec-Fetch-Site": "cross-site"}, 403),
                ({"Host": f"localhost:{server.port}", "Origin": f"http://localhost:{server.port}"}, 200)):
            check(ask(server.connect(), "GET", "/health", headers=headers)[0] == want, headers)
            check(ask(server.connect(), "POST", "/reset", {}, headers=headers)[0] == want, headers)
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
            check(ask(server.connect(), "POST", "/reset", "{}", {"Content-Type": kind})[0] == 415, kind)
    with serving(ppc, "serve", "env", "taboo", environment={"PPC_SERVE_TOKEN": "open-sesame"}) as server:
        for given, want in ((None, 401), ("Bearer wrong", 401), ("Bearer open-sesam", 401), ("Bearer open-sesame!", 401), ("Basic open-sesame", 401), ("Bearer open-sesame", 200)):
            status, answer = ask(server.connect(), "POST", "/reset", {}, {"Authorization": given} if given else {})
            check(status == want and "open-sesame" not in json.dumps(answer), given, status, answer)
        check(ask(server.connect(), "GET", "/health")[0] == 200)
        check(ask(server.connect(), "GET", "/games")[0] == 401)
    # A token's file is its owner's only.
    path = sys.argv[3] + ".token"
    with open(path, "w") as file:
        file.write("from-a-file\n")
    os.chmod(path, 0o644)
    refused = subprocess.run([ppc, "serve", "env", "taboo", "--port", "0", "--token-file", path], capture_output=True, text=True, timeout=60)
    check(refused.returncode == 1 and "chmod 600" in refused.stderr and "from-a-file" not in refused.stderr, refused)
    os.chmod(path, 0o600)
    with serving(ppc, "serve", "env", "taboo", "--token-file", path) as server:
        check(ask(server.connect(), "POST", "/reset", {})[0] == 401)
        check(ask(server.connect(), "POST", "/reset", {}, {"Authorization": "Bearer from-a-file"})[0] == 200)
    # For others only with a token, which is made where none is given, and said once.
    with serving(ppc, "serve", "env", "taboo", "--host", "0.0.0.0") as server:
        said = server.process.stderr.readline()
        check(said.startswith("token: ") and len(said.strip()) == 39, said)
        check(ask(server.connect(), "POST", "/reset", {})[0] == 401)
        check(ask(server.connect(), "POST", "/reset", {}, {"Authorization": "Bearer " + said[7:].strip(), "Host": "box.example"})[0] == 200)


{"episodes": episodes, "errors": errors, "many": many, "limits": limits, "security": security}[stage]()
print("good")
