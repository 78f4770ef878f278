#!/usr/bin/env python3
"""Trained tokens a second of PyTorch's own loop, as everybody writes it: the shape of 135 million weights, float32, all weights, AdamW with clipping.
Beside it what a product of two square matrices reaches in the same process. Of transformers where it is installed, and of a model written with
torch.nn alone (--plain), which runs on old versions, too. Started by `tools/peers train`, and runs anywhere by itself.

  train.py [--plain] [--count=4] [--length=256] [--steps=4] [--threads=N] [--processor] [--json]

COUNT sequences of LENGTH tokens a step; the first step is not counted. --processor: the time that the processor spent on this program, per thread,
for a machine on which others work.
"""
import argparse
import json
import statistics
import time

import torch
import torch.nn.functional as F
from torch import nn

VOCABULARY, HIDDEN, INNER, LAYERS, HEADS, KEYS, EPS = 49152, 576, 1536, 30, 9, 3, 1e-5


class Norm(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(HIDDEN))

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS))


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        size = HIDDEN // HEADS
        self.before, self.middle = Norm(), Norm()
        self.q, self.k, self.v, self.o = (nn.Linear(a, b, bias=False) for a, b in ((HIDDEN, HIDDEN), (HIDDEN, KEYS * size), (HIDDEN, KEYS * size), (HIDDEN, HIDDEN)))
        self.gate, self.up, self.down = (nn.Linear(a, b, bias=False) for a, b in ((HIDDEN, INNER), (HIDDEN, INNER), (INNER, HIDDEN)))

    def forward(self, x, cos, sin, hidden):
        count, length, size = *x.shape[:2], HIDDEN // HEADS

        def turned(t):
            a, b = t.chunk(2, -1)
            return t * cos + torch.cat((-b, a), -1) * sin

        h = self.before(x)
        q, k, v = (f(h).view(count, length, -1, size).transpose(1, 2) for f in (self.q, self.k, self.v))
        q, k = turned(q), turned(k).repeat_interleave(HEADS // KEYS, 1)
        v = v.repeat_interleave(HEADS // KEYS, 1)
        if hasattr(F, "scaled_dot_product_attention"):  # from torch 2.0 on
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            y = ((q @ k.transpose(2, 3)) * size**-0.5 + hidden).softmax(-1) @ v
        x = x + self.o(y.transpose(1, 2).reshape(count, length, -1))
        h = self.middle(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, HIDDEN)
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = Norm()
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)

    def forward(self, ids):
        length, size = ids.shape[1], HIDDEN // HEADS
        angles = torch.outer(torch.arange(length).float(), 10000.0 ** (-torch.arange(0, size, 2).float() / size)).repeat(1, 2)
        hidden = torch.full((length, length), float("-inf")).triu(1)
        x = self.embedding(ids)
        for layer in self.layers:
            x = layer(x, angles.cos(), angles.sin(), hidden)
        logits = F.linear(self.norm(x), self.embedding.weight)
        return F.cross_entropy(logits[:, :-1].reshape(-1, VOCABULARY), ids[:, 1:].reshape(-1))


parser = argparse.ArgumentParser()
parser.add_argument("--plain", action="store_true")
parser.add_argument("--count", type=int, default=4)
parser.add_argument("--length", type=int, default=256)
parser.add_argument("--steps", type=int, default=4)
parser.add_argument("--threads", type=int, default=torch.get_num_threads())
parser.add_argument("--processor", action="store_true")
parser.add_argument("--json", action="store_true")
args = parser.parse_args()
torch.set_num_threads(args.threads)
torch.manual_seed(1)
if args.plain:
    who, model = "torch.nn", Llama()
    loss_of = model
else:
    import transformers

    who = f"transformers {transformers.__version__}"
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=HIDDEN, intermediate_size=INNER, num_hidden_layers=LAYERS, num_attention_heads=HEADS, num_key_value_heads=KEYS,
        max_position_embeddings=2048, rms_norm_eps=EPS, rope_theta=10000.0, tie_word_embeddings=True)).float()
    loss_of = lambda ids: model(ids, labels=ids).loss
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
ids = torch.randint(0, VOCABULARY, (args.count, args.length))


def now():
    return time.process_time() / args.threads if args.processor else time.perf_counter()


def product():
    """FLOP/s: the best of several, what the machine can do when nothing else disturbs it."""
    a, b = torch.full((2048, 2048), 0.5), torch.full((2048, 2048), 0.25)
    best = 0
    for _ in range(8):
        begin = now()
        a @ b
        best = max(best, 2 * 2048**3 / (now() - begin))
    return best


times, losses = [], []
for i in range(args.steps):
    begin = now()
    loss = loss_of(ids)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
    if i > 0:
        times.append(now() - begin)
assert losses[-1] < losses[0], losses
weights = sum(p.numel() for p in model.parameters() if p.dim() > 1)
rate = args.count * args.length / statistics.median(times)
gemm = product()
allowed = gemm / (6 * weights)
who += f", torch {torch.__version__.partition('+')[0]}"
if args.json:
    print(json.dumps({"who": who, "tokens_per_second": rate, "allowed": allowed, "gemm": gemm, "weights": weights, "losses": losses, "threads": torch.get_num_threads()}))
else:
    print(f"{who}, {torch.get_num_threads()} threads: {rate:.1f} tokens/s of {allowed:.0f} that the matrix products allow ({gemm / 1e9:.0f} GFLOP/s); "
          f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")
