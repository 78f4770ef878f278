#!/usr/bin/env python3
"""Trains small models of random weights and looks at what comes out with programs that others wrote. Started by `tools/peers trained`.

usage: trained.py SID PPC               SID: a folder with a Debian that has python3-transformers and python3-crc32c; beside PPC lie make_model and model_logits
       trained.py --inside FOLDER       the part that runs in there

All weights, LoRA, LoRA on some projections that goes on with another run's adapter, DPO's; float32 and bfloat16; Llama, Qwen2, Qwen3. transformers loads
each `model/` and must give the logits that we play with. It also loads the model that the run began with, to which the adapter's files are added by
their published layout alone, W + lora_alpha / r · B · A: PEFT itself is in no Debian. TensorBoard is not either; its event files are read by the field
numbers of its event.proto, summary.proto and tensor.proto, with checksums by python3-crc32c. Exit code 1 if something does not hold.
"""
import array
import json
import math
import pathlib
import random
import shutil
import socket
import struct
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
failures = 0


def holds(what, good, detail=""):
    global failures
    failures += not good
    print(f"{'ok  ' if good else 'FAIL'} {what}{f': {detail}' if detail else ''}", flush=True)


# ---- TensorBoard's event files ----

def fields(data):
    """(number, value) of a protobuf message: integers, bytes, or float32 and float64 by their size."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
        elif key & 7 == 1:
            yield key >> 3, struct.unpack_from("<d", data, at)[0]
            at += 8
        elif key & 7 == 2:
            size = varint()
            assert at + size <= len(data), "a field is cut off"
            yield key >> 3, bytes(data[at:at + size])
            at += size
        else:
            assert key & 7 == 5, f"wire type {key & 7}"
            yield key >> 3, struct.unpack_from("<f", data, at)[0]
            at += 4


def events(data, crc32c):
    def masked(piece):
        c = crc32c(piece)
        return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF

    at = 0
    while at < len(data):
        size, check = struct.unpack_from("<QI", data, at)
        assert check == masked(data[at:at + 8]), f"byte {at}: the length's checksum"
        record = data[at + 12:at + 12 + size]
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == masked(record), f"byte {at}: the record's checksum"
        yield dict(fields(record))
        at += 16 + size


def look_at_events(run, name):
    import crc32c

    (file,) = (run / "tensorboard").glob("*tfevents*")
    found = list(events(file.read_bytes(), crc32c.crc32c))
    texts, scalars = {}, {}
    for event in found:
        for number, value in fields(event.get(5, b"")):  # Event.summary; Summary.value
            assert number == 1, number
            value = dict(fields(value))
            tag = value[1].decode()
            if 2 in value:  # simple_value
                scalars[event.get(2, 0), tag] = value[2]
            else:  # tensor: DT_STRING, one text; metadata.plugin_data.plugin_name, data_class
                tensor, metadata = dict(fields(value[8])), dict(fields(value[9]))
                shape = [dict(fields(dim)).get(1) for number, dim in fields(tensor[2])]  # TensorShapeProto.dim = 2
                assert tensor[1] == 7 and shape == [1] and metadata[4] == 2 and dict(fields(metadata[1]))[1] == b"text"
                texts[tag] = tensor[8].decode()
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    told = {(line["step"], key): value for line in lines for key, value in line.items() if key not in ("step", "time") and value is not None}
    holds(f"{name}: TensorBoard's events say what metrics.jsonl says", found[0].get(3) == b"brain.Event:2" and "model:" in texts["configuration"] and told.keys() == scalars.keys()
          and all(math.isclose(value, scalars[key], rel_tol=1e-6, abs_tol=1e-30) for key, value in told.items()), f"{len(scalars)} numbers")


# ---- models ----

def inside(home):
    import numpy
    import torch
    import transformers
    from safetensors.torch import load_file

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    texts = json.loads((home / "texts.json").read_text())

    def load(folder):
        model, info = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
        bad = {key: sorted(value) for key, value in info.items() if value and key in ("missing_keys", "unexpected_keys", "mismatched_keys", "error_msgs")}
        return model.eval(), bad

    def logits(model):
        with torch.no_grad():
            return torch.cat([model(torch.tensor([t])).logits[0] for t in texts]).numpy()

    def rounded(model):  # its weights, and not its buffers
        with torch.no_grad():
            for weight in model.parameters():
                weight.copy_(weight.bfloat16())

    def add_adapter(model, folder):
        config = json.loads((folder / "adapter_config.json").read_text())
        assert config["peft_type"] == "LORA" and config["task_type"] == "CAUSAL_LM" and config["bias"] == "none" and not config["use_rslora"] and not config["use_dora"], config
        tensors = load_file(folder / "adapter_model.safetensors")
        for name, module in model.named_modules():
            if name.rpartition(".")[2] not in config["target_modules"]:
                continue
            a, b = (tensors.pop(f"base_model.model.{name}.lora_{part}.weight").float() for part in "AB")
            assert a.shape == (config["r"], module.in_features) and b.shape == (module.out_features, config["r"]), name
            with torch.no_grad():
                module.weight += config["lora_alpha"] / config["r"] * b @ a
        assert not tensors, f"of no module: {sorted(tensors)}"

    for run in sorted(p for p in home.iterdir() if (p / "logits.f32").exists()):
        folder, name = run / "model", run.name
        model, bad = load(folder)
        theirs = logits(model)
        ours = numpy.fromfile(run / "logits.f32", numpy.float32).reshape(theirs.shape)
        off = numpy.abs(ours - theirs).max()
        holds(f"{name}: logits of model/", not bad and off < 1e-4, f"largest difference {off:.1e} of logits up to {numpy.abs(theirs).max():.1f}" + (f", {bad}" if bad else ""))
        began = json.loads((run / "began.json").read_text())
        before, _ = load(home / began)
        moved = numpy.abs(logits(before) - theirs).max()
        holds(f"{name}: they are others than before", moved > 0.05, f"by up to {moved:.2f}")
        if (folder / "adapter").is_dir():
            # A run in bfloat16 has its frozen weights rounded; a folder in bfloat16 has the sums rounded.
            if 'precision: "bfloat16"' in (run / "config.yaml").read_text():
                rounded(before)
            add_adapter(before, folder / "adapter")
            config = json.loads((folder / "config.json").read_text())
            if config.get("dtype", config.get("torch_dtype")) == "bfloat16":
                rounded(before)
            off = numpy.abs(logits(before) - theirs).max()
            holds(f"{name}: the adapter, added to {began}", off < 1e-4, f"largest difference {off:.1e}")
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        says = [{"role": "user", "content": "Guess a number."}, {"role": "assistant", "content": "GUESS: 3"}]
        holds(f"{name}: tokenizer and template", tokenizer.apply_chat_template(says, tokenize=False) == "<|im_start|>user\nGuess a number.<|im_end|>\n<|im_start|>assistant\nGUESS: 3<|im_end|>\n"
              and tokenizer.decode(tokenizer("GUESS: elephant")["input_ids"]) == "GUESS: elephant" and transformers.GenerationConfig.from_pretrained(folder).eos_token_id in (2, [2]))
        look_at_events(run, name)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}: {failures} failures")
    return failures > 0


# ---- llama.cpp ----

CONVERT = """
import runpy, sys
sys.path.insert(0, "/usr/share/llama.cpp/llama.cpp-tools")
from conversion import base
base.TextModel.get_vocab_base_pre = lambda self, tokenizer: "gpt-2"  # it knows tokenizers by a list, and those of tests are not on it
sys.argv = ["convert_hf_to_gguf.py", *sys.argv[1:]]
runpy.run_path("/usr/share/doc/llama.cpp-tools/scripts/convert_hf_to_gguf.py", run_name="__main__")
"""


def ask(port, path, body=None):
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body and json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def llama_cpp(sid, work, name):
    file, log = f"/srv/trained/{name}.gguf", work / f"{name}.log"
    (work / "convert.py").write_text(CONVERT)
    texts = json.loads((work / "texts.json").read_text())
    with open(log, "w") as out, socket.socket() as s:
        converted = subprocess.run(["chroot", str(sid), "python3", "/srv/trained/convert.py", f"/srv/trained/{name}/model", "--outtype", "f32", "--outfile", file], stdout=out, stderr=out)
        if converted.returncode:
            return holds(f"{name}: llama.cpp's converter", False, str(log))
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    with open(log, "a") as out:
        server = subprocess.Popen(["chroot", str(sid), "llama-server", "--host", "127.0.0.1", "--port", str(port), "-t", "1", "-tb", "1", "-m", file, "-c", "512", "-fa", "off",
                                   "-ctk", "f32", "-ctv", "f32"], stdout=out, stderr=out)
    try:
        for _ in range(240):
            try:
                ask(port, "/health")
                break
            except OSError:
                time.sleep(0.5)
        rows = array.array("f")
        rows.frombytes((work / name / "logits.f32").read_bytes())
        worst = at = seen = 0
        # It tells nothing of a token that is a part of a character. What it tells of others is from before the bias.
        letter = ask(port, "/tokenize", {"content": "a"})["tokens"][-1]
        for text in texts:
            at += len(text)
            row = rows[(at - 1) * 448:at * 448]
            log_sum = max(row) + math.log(sum(math.exp(x - max(row)) for x in row))
            answer = ask(port, "/completion", {"prompt": text, "n_predict": 1, "n_probs": 448, "temperature": 0, "logit_bias": [[letter, 1000]], "ignore_eos": True, "cache_prompt": False})
            for top in answer["completion_probabilities"][0]["top_logprobs"]:
                worst = max(worst, abs(top["logprob"] - (row[top["id"]] - log_sum)))
                seen += 1
        holds(f"{name}: llama.cpp's log-probabilities behind each text", seen == 448 * len(texts) and worst < 1e-4, f"largest difference {worst:.1e}")
    finally:
        server.terminate()
        server.wait()


RUNS = {
    "full": ("sft", ""),
    "lora": ("sft", "lora: {r: 4, alpha: 8, dropout: 0.1}"),
    "adapter": ("sft", "lora: {r: 4, alpha: 8}\nadapter: lora/model/adapter"),
    "some": ("sft", "lora: {r: 3, alpha: 6, targets: [q_proj, v_proj, down_proj]}"),
    "mixed": ("sft", "precision: bfloat16"),
    "mixed-lora": ("sft", "precision: bfloat16\nlora: {r: 4, alpha: 8}"),
    "dpo": ("dpo", "lora: {r: 4, alpha: 8}"),
}


def main():
    if sys.argv[1] == "--inside":
        return inside(pathlib.Path(sys.argv[2]))
    sid, ppc = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    work = sid / "srv/trained"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)

    def run(program, *arguments):
        subprocess.run([program, *arguments], check=True, cwd=work, stdout=subprocess.DEVNULL)

    r = random.Random(3)
    (work / "texts.json").write_text(json.dumps([[r.randrange(448) for _ in range(n)] for n in (12, 1, 200, 33)]))
    game = ROOT / "trainers/miniature/games/number.game"
    (work / "instances.json").write_bytes(subprocess.run([ppc, "generate", game, "--count", "12", "--seed", "5"], check=True, stdout=subprocess.PIPE).stdout)
    for bot in ("careful", "crawler"):
        run(ppc, "play", game, "--instances", "instances.json", "--player", f"bot:{bot}", "--out", bot)
    (work / "episodes.jsonl").write_bytes(b"".join((work / bot / "episodes.jsonl").read_bytes() for bot in ("careful", "crawler")))
    for kind in ("llama", "qwen2", "qwen3", "qwen3-bf16"):
        architecture, _, precision = kind.partition("-")
        run(ppc.with_name("make_model"), kind, architecture, "1", *(["bfloat16"] if precision else []))
        for name, (method, how) in RUNS.items():
            folder = work / f"{kind}-{name}"
            file = work / f"{folder.name}.yaml"
            file.write_text(f"model: {kind}\noutput: {folder.name}\nthreads: 1\nsteps: 4\nbatch: 4\n"
                            f"data: {{from: episodes.jsonl, {'outcomes: [won, lost, aborted]' if method == 'sft' else 'min_gap: 10'}}}\n"
                            f"optimizer: {{learning_rate: {'2.0e-2' if 'lora' in how else '5.0e-3'}, schedule: constant}}\n" + how.replace("lora/model", f"{kind}-lora/model") + "\n")
            run(ppc, "train", method, file.name, "--quiet")
            (folder / "began.json").write_text(json.dumps(kind))
            run(ppc.with_name("model_logits"), "--of", folder / "model", work / "texts.json", folder / "logits.f32")
    shutil.copy(__file__, work / "trained.py")
    for name in ("llama-lora", "qwen2-full", "qwen3-dpo", "qwen3-bf16-full"):
        llama_cpp(sid, work, name)
    return subprocess.run(["chroot", str(sid), "python3", "/srv/trained/trained.py", "--inside", "/srv/trained"]).returncode or failures > 0


sys.exit(main())
