"""A client of `ppc serve model`: usage: serve_model.py PPC FOLDER OUT"""
import concurrent.futures
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "serve" / "Inputs"))
from serving import ask, check, serving  # noqa: E402

ppc, folder, out = sys.argv[1:4]
name = pathlib.Path(folder).name
PATH = "/v1/chat/completions"
HELLO = [{"role": "system", "content": "You play."}, {"role": "user", "content": "Describe this word: apple"}]


def play(*more):
    subprocess.run([ppc, "play", "taboo", "--episodes", "8", "--seed", "1", *more], check=True, capture_output=True)


with serving(ppc, "serve", "model", folder) as server:
    check(server.said["models"] == [name], server.said)
    c = server.connect()
    status, models = ask(c, "GET", "/v1/models")
    check(status == 200 and [m["id"] for m in models["data"]] == [name], models)

    # A reply, whole and as a stream.
    body = {"model": name, "messages": HELLO, "max_tokens": 24, "seed": 5, "logprobs": True, "top_logprobs": 3, "return_token_ids": True}
    status, whole = ask(c, "POST", PATH, body)
    check(status == 200, status, whole)
    choice = whole["choices"][0]
    check(choice["message"]["role"] == "assistant" and choice["finish_reason"] in ("stop", "length"), whole)
    check(whole["usage"]["completion_tokens"] == len(choice["token_ids"]) == len(choice["logprobs"]["content"]), whole["usage"])
    check(whole["usage"]["prompt_tokens"] == len(whole["prompt_token_ids"]), whole["usage"])
    for token in choice["logprobs"]["content"]:
        check(token["logprob"] <= 0 and len(token["top_logprobs"]) == 3, token)
    check(bytes(b for t in choice["logprobs"]["content"] for b in t["bytes"]).decode(errors="replace").startswith(choice["message"]["content"]), whole)
    status, again = ask(c, "POST", PATH, body)
    check(again["choices"] == whole["choices"], "the same request, another reply")
    check(again["usage"]["prompt_tokens_details"]["cached_tokens"] > 0, again["usage"])
    status, text = ask(c, "POST", PATH, {**body, "stream": True, "stream_options": {"include_usage": True}})
    lines = [line[6:] for line in text.split("\n\n") if line]
    check(status == 200 and lines[-1] == "[DONE]", text)
    events = [json.loads(line) for line in lines[:-1]]
    check("".join(e["choices"][0]["delta"].get("content", "") for e in events if e["choices"]) == choice["message"]["content"], text)
    check(events[0]["choices"][0]["delta"]["role"] == "assistant" and events[-1]["usage"]["completion_tokens"] == len(choice["token_ids"]), text)
    check(events[-2]["choices"][0]["finish_reason"] == choice["finish_reason"] and events[-2]["choices"][0]["logprobs"] == choice["logprobs"], text)

    # A stop text ends the reply before it.
    stop = choice["message"]["content"][6:8]
    status, cut = ask(c, "POST", PATH, {**body, "stop": [stop, "not there"]})
    check(cut["choices"][0]["message"]["content"] == choice["message"]["content"].split(stop)[0], cut)
    check(cut["choices"][0]["finish_reason"] == "stop", cut)

    # Many at once, each with the reply that it has alone.
    def one(seed):
        return ask(server.connect(), "POST", PATH, {"messages": HELLO, "max_tokens": 16, "seed": seed})[1]["choices"]

    alone = [one(seed) for seed in range(20)]
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        check(list(pool.map(one, range(20))) == alone, "replies depend on who else asks")

    # What is wrong is said, with the place.
    for wrong, code, says in (
        ({"messages": HELLO, "model": "gpt-5"}, 404, "`" + name + "`"),
        ({}, 400, "messages"),
        ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages[0].role"),
        ({"messages": HELLO, "temperature": "hot"}, 400, "temperature"),
        ({"messages": HELLO, "tools": [{"type": "function"}]}, 400, "tools"),
        ({"messages": HELLO, "n": 2}, 400, "seed"),
        ({"messages": HELLO, "max_token": 3}, 400, "max_token"),
        ({"messages": [{"role": "user", "content": "word " * 40000}]}, 400, "tokens"),
        ("{", 400, "JSON"),
    ):
        status, answer = ask(c, "POST", PATH, wrong)
        check(status == code and says in answer["error"]["message"], wrong, status, answer)
    check(ask(c, "GET", PATH)[0] == 405 and ask(c, "GET", "/v1/none")[0] == 404)

    # Our own player plays through it as in its own process: with nothing left to chance the records are the same.
    play("--player", "openai:" + name, "--base-url", f"http://{server.host}:{server.port}/v1", "--sampling", "temperature=0", "--sampling", "max_tokens=12", "--out", out + "/served")
    check(server.stop()[0] == 0, "it does not end well")
play("--player", "local:" + folder, "--sampling", "temperature=0", "--sampling", "max_tokens=12", "--out", out + "/own")


def texts(where):
    return [[m["text"] for m in json.loads(line)["messages"]] for line in open(out + "/" + where + "/episodes.jsonl")]


check(texts("served") == texts("own"), "through the server it plays otherwise")
print("good")
