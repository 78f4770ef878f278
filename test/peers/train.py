#!/usr/bin/env python3
"""Trained tokens a second of PyTorch with transformers: the shape of 135 million weights, float32, all weights, AdamW with clipping, the loop that
everybody writes. Beside it what a product of two square matrices reaches in the same run.

  train.py [COUNT LENGTH]    sequences of a batch (4) and their inputs (256)
"""
import statistics
import sys
import time

import torch
import transformers

count, length = (int(a) for a in sys.argv[1:3]) if len(sys.argv) > 2 else (4, 256)
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
        begin = time.perf_counter()
        a @ b
        best = max(best, 2 * 2048**3 / 1e9 / (time.perf_counter() - begin))
    return best


times, losses = [], []
for i in range(5):
    begin = time.perf_counter()
    loss = model(ids, labels=ids).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
    if i > 0:
        times.append(time.perf_counter() - begin)
rate, allowed = count * length / statistics.median(times), product() * 1e9 / (6 * sum(p.numel() for p in model.parameters() if p.dim() > 1))
print(f"transformers {transformers.__version__}, torch {torch.__version__}, {torch.get_num_threads()} threads: {rate:.1f} tokens/s of {allowed:.0f} that the "
      f"matrix products allow; loss {losses[0]:.3f} -> {losses[-1]:.3f}")
