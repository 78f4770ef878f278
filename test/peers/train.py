#!/usr/bin/env python3
"""Trained tokens a second of PyTorch with transformers: the shape of 135 million weights, float32, all weights, AdamW with clipping, the loop that
everybody writes. Beside it what a product of two square matrices reaches in the same run.

  train.py [--count=4] [--length=256] [--steps=5] [--threads=N] [--processor]

COUNT sequences of LENGTH tokens a step; --processor: the time that the processor spent on this program, per thread, for a machine on which others
work.
"""
import argparse
import statistics
import time

import torch
import transformers

parser = argparse.ArgumentParser()
parser.add_argument("--count", type=int, default=4)
parser.add_argument("--length", type=int, default=256)
parser.add_argument("--steps", type=int, default=5)
parser.add_argument("--threads", type=int, default=torch.get_num_threads())
parser.add_argument("--processor", action="store_true")
args = parser.parse_args()
torch.set_num_threads(args.threads)
count, length = args.count, args.length


def now():
    return time.process_time() / args.threads if args.processor else time.perf_counter()


config = transformers.LlamaConfig(vocab_size=49152, hidden_size=576, intermediate_size=1536, num_hidden_layers=30, num_attention_heads=9, num_key_value_heads=3,
                                  max_position_embeddings=2048, rms_norm_eps=1e-5, rope_theta=10000.0, tie_word_embeddings=True)
torch.manual_seed(1)
model = transformers.LlamaForCausalLM(config).float()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
ids = torch.randint(0, config.vocab_size, (count, length))


def product():
    a, b = torch.full((2048, 2048), 0.5), torch.full((2048, 2048), 0.25)
    best = 0
    for _ in range(8):
        begin = now()
        a @ b
        best = max(best, 2 * 2048**3 / 1e9 / (now() - begin))
    return best


times, losses = [], []
for i in range(args.steps):
    begin = now()
    loss = model(ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
    if i > 0:
        times.append(now() - begin)
rate, allowed = count * length / statistics.median(times), product() * 1e9 / (6 * sum(p.numel() for p in model.parameters() if p.dim() > 1))
print(f"transformers {transformers.__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads: {rate:.1f} tokens/s of {allowed:.0f} that the "
      f"matrix products allow; loss {losses[0]:.3f} -> {losses[-1]:.3f}")
