#!/usr/bin/env python3
"""Compares what we compute from model folders that we wrote with what transformers computes from them. Started by `tools/peers logits`.

usage: compare_logits.py SID PPC               SID: a folder with a Debian that has python3-transformers; beside PPC lies model_logits
       compare_logits.py --inside FOLDER       the part that runs in there

One line for each way to compute each model: the largest difference of a logit, in float32 to transformers, in bfloat16 beside what
transformers' own bfloat16 is off from its float64. Exit code 1 if one is too large.
"""
import json
import pathlib
import shutil
import subprocess
import sys


def inside(home):
    import numpy
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    failures = 0

    def load(folder, dtype):
        return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, attn_implementation="eager").eval()

    def logits(model, texts):
        with torch.no_grad():
            return torch.cat([model(torch.tensor([t])).logits[0] for t in texts]).double().numpy()

    for folder in sorted(p for p in home.iterdir() if p.is_dir()):
        texts = json.loads((folder / "texts.json").read_text())
        bf16 = folder.name.endswith("bf16")
        model = load(folder, torch.bfloat16 if bf16 else torch.float32)
        theirs = logits(model, texts)
        exact = logits(load(folder, torch.float64), texts) if bf16 else theirs
        for way in ("full", "plain", "fast"):
            ours = numpy.fromfile(folder / f"{way}.f32", numpy.float32).reshape(theirs.shape).astype(numpy.float64)
            difference = numpy.abs(ours - exact)
            if bf16:
                rms, their_rms = (numpy.sqrt(((x - exact) ** 2).mean()) for x in (ours, theirs))
                good = rms < 1.2 * their_rms and difference.max() < 1.5 * numpy.abs(theirs - exact).max()
                said = f"off by {difference.max():.3f}, root mean square {rms:.4f}; transformers by {numpy.abs(theirs - exact).max():.3f}, {their_rms:.4f}"
            else:
                # Argmax where it is not a draw.
                top = numpy.sort(exact, axis=-1)
                clear = top[:, -1] - top[:, -2] > 2e-4
                good = difference.max() < 1e-4 and (ours.argmax(-1) == exact.argmax(-1))[clear].all()
                said = f"largest difference {difference.max():.2e} of logits up to {numpy.abs(exact).max():.1f}"
            failures += not good
            print(f"{'ok  ' if good else 'FAIL'} {folder.name}, {way}: {said}", flush=True)
        if not bf16:
            greedy = json.loads((folder / "greedy.json").read_text())
            model.generation_config.eos_token_id = None  # on to the end
            text = torch.tensor([texts[0]])
            with torch.no_grad():
                said = model.generate(text, attention_mask=torch.ones_like(text), max_new_tokens=len(greedy), do_sample=False, pad_token_id=0)
            good = said[0][len(texts[0]):].tolist() == greedy
            failures += not good
            print(f"{'ok  ' if good else 'FAIL'} {folder.name}: {len(greedy)} greedy tokens", flush=True)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}: {failures} failures")
    return failures > 0


def main():
    if sys.argv[1] == "--inside":
        return inside(pathlib.Path(sys.argv[2]))
    sid, ppc = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    work = sid / "srv/logits"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    models = work / "models"
    subprocess.run([ppc.with_name("model_logits"), models], check=True)
    shutil.copy(__file__, work / "compare_logits.py")
    return subprocess.run(["chroot", str(sid), "python3", "/srv/logits/compare_logits.py", "--inside", "/srv/logits/models"],
                          stderr=None).returncode


sys.exit(main())
