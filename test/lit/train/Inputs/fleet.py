"""GRPO whose replies come from servers: fleet.py PPC, in a folder with the configurations and the model `sft/model`.

With the same weights and seeds a server replies as the model in the process does, to the last bit, so that runs are compared with one that plays itself.
"""
import contextlib
import filecmp
import http.server
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "serve" / "Inputs"))
from serving import ask, check, serving  # noqa: E402

ppc = sys.argv[1]


def train(output, *settings, servers=None, resume=False, during=None, terminal=False):
    command = [ppc, "train", "grpo", "grpo.yaml", "--set", f"output={output}"] + ["--resume"] * resume
    for s in settings + ((f"rollouts.servers={json.dumps(servers)}",) if servers else ()):
        command += ["--set", s]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=terminal)
    if during:
        during(pathlib.Path(output))
    if terminal:  # ^C
        os.killpg(process.pid, signal.SIGINT)
    out, errors = process.communicate(timeout=500)
    return process.returncode, out, errors


def good(*arguments, **more):
    code, out, errors = train(*arguments, **more)
    check(code == 0, arguments, out, errors)
    return errors


def bad(says, *arguments, **more):
    code, out, errors = train(*arguments, **more)
    check(code in (1, 3) and says in errors and "error: " in errors, arguments, code, out, errors)
    return errors


def steps(output):
    return [row for row in map(json.loads, open(f"{output}/metrics.jsonl")) if "reward" in row]


OWN = ("time", "tokens_per_second", "seconds", "eval/seconds", "servers", "staleness", "retries", "server_gap")


def same_run(a, b):
    for x, y in zip(map(json.loads, open(f"{a}/metrics.jsonl")), map(json.loads, open(f"{b}/metrics.jsonl")), strict=True):
        for key in x.keys() | y.keys():
            if key not in OWN and not key.startswith("seconds/"):
                check(x.get(key) == y.get(key), a, b, x["step"], key, x.get(key), y.get(key))
    check(filecmp.cmp(f"{a}/model/model.safetensors", f"{b}/model/model.safetensors", shallow=False), a, b, "other weights")


def url(server):
    return f"http://{server.host}:{server.port}/v1"


@contextlib.contextmanager
def two(weights="."):
    serve = (ppc, "serve", "model", "sft/model", "--local", "threads=1", "--weights-from", weights)
    with serving(*serve) as a, serving(*serve) as b:
        yield a, b


def behind(step):
    """Waits until a run has taken so many steps."""

    def wait(output):
        until = time.monotonic() + 300
        while not (output / "metrics.jsonl").exists() or len(steps(output)) < step:
            check(time.monotonic() < until, "the run does not go on")
            time.sleep(0.02)

    return wait


good("own")
with two() as (a, b):
    servers = [url(a), url(b)]
    good("served", servers=servers)
    same_run("own", "served")
    for row in steps("served"):
        check(row["servers"] == 2 and row["retries"] == 0 and row["staleness"] == 0 and row["server_gap"] < 1e-5 and row["sampler_gap_max"] < 1e-3, row)
    sample = [m["sample"] for line in open("served/evaluation/step-6/episodes.jsonl") for m in json.loads(line)["messages"] if "sample" in m]
    check(sample and all(s["weights"] == 6 for s in sample), sample[:1])
    check(not [p for p in pathlib.Path("served/rollouts").iterdir() if not p.name.endswith("-step-6")], "weights that nobody needs any more")

    # Some replies are of older weights, and it is told; the evaluation plays the newest.
    good("older", "rollouts.every=2", servers=servers)
    check([row["staleness"] for row in steps("older")] == [0, 1] * 3, [row["staleness"] for row in steps("older")])
    check(min(r["sampler_gap"] for r in steps("older")[1::2]) > 10 * max(r["sampler_gap"] for r in steps("older")[0::2]), [r["sampler_gap"] for r in steps("older")])

    # Weights that do not arrive are found out: by the probe, or else by what metrics say.
    command = ("rollouts.sync=command", 'rollouts.command=["true"]')
    errors = bad("It has not got the weights of step", "not", *command, "optimizer.learning_rate=0.02", servers=servers)
    check("checkpoints/step-" not in errors and "rollouts.check" in errors, errors)
    with two() as others:
        good("never", *command, "rollouts.check=0", servers=[url(s) for s in others])
        gaps = [row["sampler_gap"] for row in steps("never")]
        check(gaps[0] < 1e-4 and gaps[-1] > 100 * gaps[0], gaps)
        bad("it ended with status 3", "command", "rollouts.sync=command", 'rollouts.command=["sh", "-c", "exit 3"]', servers=[url(s) for s in others])
        # One that sends them.
        post = "import os, sys, json, urllib.request as u\nfor s in os.environ['PPC_SERVERS'].split(): u.urlopen(u.Request(s[:-2] + 'collective_rpc', json.dumps({'method': 'reload_weights', 'kwargs': {'weights_path': os.environ['PPC_WEIGHTS']}}).encode(), {'Content-Type': 'application/json'}))\n"
        pathlib.Path("send.py").write_text(post)
        good("sent", "rollouts.sync=command", f'rollouts.command=["{sys.executable}", "send.py"]', servers=[url(s) for s in others])
        same_run("own", "sent")

        # ^C while it does: it is for the run, which ends behind the step with a checkpoint.
        pathlib.Path("slow.sh").write_text(f"echo >> calls; sleep 0.3; exec {sys.executable} send.py")

        def interrupt(output):
            until = time.monotonic() + 300
            while not pathlib.Path("calls").exists() or len(pathlib.Path("calls").read_text()) < 3:
                check(time.monotonic() < until, "the command is not called")
                time.sleep(0.02)

        slow = ("rollouts.sync=command", 'rollouts.command=["sh", "slow.sh"]')
        code, out, errors = train("asked", *slow, servers=[url(s) for s in others], during=interrupt, terminal=True)
        check(code == 3 and "stopped behind step" in errors and list(pathlib.Path("asked/checkpoints").glob("step-*")), code, out, errors)
        good("asked", *slow, servers=[url(s) for s in others], resume=True)
        same_run("own", "asked")
        check(len(list(pathlib.Path("asked/rollouts").iterdir())) == 1, "weights that nobody needs any more")

        # Other weights where some were before; weights that are not whole.
        c = others[0].connect()
        reload = lambda path: ask(c, "POST", "/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": path}})[0]
        replies = []
        for source in ("sft/model", "own/model"):
            shutil.copytree(source, "again", dirs_exist_ok=True)
            check(reload("again") == 200)
            answer = ask(c, "POST", "/v1/completions", {"prompt": [1, 2, 3], "max_tokens": 4, "logprobs": 0, "temperature": 0})[1]
            replies.append((answer["system_fingerprint"], answer["choices"][0]["logprobs"]["token_logprobs"]))
        check(replies[0][0] != replies[1][0] and replies[0][1] != replies[1][1], replies)
        whole = pathlib.Path("again/model.safetensors").read_bytes()
        pathlib.Path("again/model.safetensors").write_bytes(whole.replace(b"model.layers.0.mlp.down_proj", b"model.layers.0.mlp.town_proj"))
        check(reload("again") == 400)
        answer = ask(c, "POST", "/v1/completions", {"prompt": [1, 2, 3], "max_tokens": 4, "logprobs": 0, "temperature": 0})[1]
        check(answer["choices"][0]["logprobs"]["token_logprobs"] == replies[1][1], answer, replies)

# LoRA: what is sent are adapters, which the server adds up itself.
LORA = ("lora.r=4", "optimizer.learning_rate=0.01")
good("own_lora", *LORA)
with two() as (a, b):
    good("served_lora", *LORA, servers=[url(a), url(b)])
    for x, y in zip(steps("own_lora"), steps("served_lora"), strict=True):
        check(abs(x["reward"] - y["reward"]) < 1e-9 and y["sampler_gap"] < 1e-4 and y["server_gap"] < 1e-4, x, y)
        check(abs(x["gradient_norm"] - y["gradient_norm"]) < 1e-3 * x["gradient_norm"], x, y)
    status, models = ask(a.connect(), "GET", "/v1/models")
    check([m.get("parent") for m in models["data"]] == [None, "model"], models)
    adapter = models["data"][1]["id"]
    shutil.copytree("served_lora/rollouts/" + adapter, "pattern")
    config = json.loads(pathlib.Path("pattern/adapter_config.json").read_text())
    pathlib.Path("pattern/adapter_config.json").write_text(json.dumps({**config, "alpha_pattern": {"q_proj": 64}}))
    status, answer = ask(a.connect(), "POST", "/v1/load_lora_adapter", {"lora_name": "pattern", "lora_path": "pattern"})
    check(status == 400 and "`alpha_pattern` is not supported" in answer["error"]["message"], status, answer)
    check(ask(a.connect(), "POST", "/v1/load_lora_adapter", {"lora_name": adapter, "lora_path": "served_lora/rollouts/" + adapter})[0] == 200)
    # With the adapter it is another model, by another name.
    body = {"prompt": [1, 2, 3], "max_tokens": 4, "model": "model"}
    check(ask(a.connect(), "POST", "/v1/completions", body)[0] == 404 and ask(a.connect(), "POST", "/v1/completions", {**body, "model": adapter})[0] == 200)
    check(ask(a.connect(), "POST", "/v1/unload_lora_adapter", {"lora_name": adapter})[0] == 200 and ask(a.connect(), "POST", "/v1/completions", body)[0] == 200)

# One dies in the middle: the same run.
with two() as (a, b):
    def kill(output):
        behind(2)(output)
        a.process.kill()

    errors = good("one", servers=[url(a), url(b)], during=kill)
    check(f"{url(a)} is left out" in errors, errors)
    same_run("own", "one")
    check(steps("one")[-1]["servers"] == 1, steps("one")[-1])

# Both die: a clear error, and the run goes on from its checkpoint.
with two() as (a, b):
    def kill_both(output):
        behind(3)(output)
        a.process.kill()
        b.process.kill()

    errors = bad("the last good checkpoint is", "both", "checkpoints.every=1", "rollouts.patience=1", servers=[url(a), url(b)], during=kill_both)
    check(url(a) in errors and url(b) in errors, errors)
    bad("no server answers", "both", servers=[url(a), url(b)], resume=True)
with two() as (a, b):
    good("both", servers=[url(a), url(b)], resume=True)
    same_run("own", "both")


# A server as it may be elsewhere: texts only.
class Texts(http.server.BaseHTTPRequestHandler):
    def answer(self, body):
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.answer({"data": [{"id": "m"}]})

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer({"choices": [{"index": 0, "text": " c", "finish_reason": "stop", "logprobs": None}]})

    def log_message(self, *_):
        pass


texts = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Texts)
threading.Thread(target=texts.serve_forever, daemon=True).start()
where = f"http://127.0.0.1:{texts.server_port}/v1"
bad("there are no token ids in its answer", "texts", "rollouts.sync=command", 'rollouts.command=["true"]', servers=[where])

# Who may change a server's weights, and from where.
with serving(ppc, "serve", "model", "sft/model", "--local", "threads=1") as shut:
    bad("--weights-from", "shut", "rollouts.patience=0", servers=[url(shut)])
    check(ask(shut.connect(), "POST", "/collective_rpc", {"method": "reload_weights", "kwargs": {"weights_path": "sft/model"}})[0] == 404)
with two("sft") as (a, b):
    bad("no folder in that of `--weights-from`", "elsewhere", "rollouts.patience=0", servers=[url(a), url(b)])
    c = a.connect()
    for body, says in (
        ({"method": "exec"}, "reload_weights"),
        ({"method": "reload_weights"}, "weights_path"),
        ({"method": "reload_weights", "kwargs": {"weights_path": "sft/../own/model"}}, "no folder"),
        ({"method": "reload_weights", "kwargs": {"weights_path": "sft"}}, "model.safetensors"),
    ):
        status, answer = ask(c, "POST", "/collective_rpc", body)
        check(status == 400 and says in answer["error"]["message"], body, status, answer)
    for body, says in (
        ({"prompt": "text"}, "token ids"),
        ({"prompt": [1, -1]}, "token ids"),
        ({"prompt": [1, 10**6]}, "no token 1000000"),
        ({"prompt": [1], "stream": True}, "stream"),
        ({"prompt": [1], "stop_token_ids": [10**6]}, "no token 1000000"),
    ):
        status, answer = ask(c, "POST", "/v1/completions", body)
        check(status == 400 and says in answer["error"]["message"], body, status, answer)
print("good")
