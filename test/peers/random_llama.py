"""Writes a small Llama of random weights as GGUF; runs in the folder of tools/peers, with python3-gguf: random_llama.py OUT [CONTEXT]

Its tokenizer knows the 256 bytes and a few pairs, so that it reads and writes anything, broken UTF-8 included.
"""
import sys

import gguf
import numpy as np

out, context = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 8192
hidden, inner, layers, heads, kv_heads = 64, 128, 2, 4, 2
random = np.random.default_rng(1)

# Bytes as byte-level tokenizers write them: those that are not visible stand above U+0100.
visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
hidden_bytes = [b for b in range(256) if b not in visible]
symbol = [chr(b) if b in visible else chr(256 + hidden_bytes.index(b)) for b in range(256)]
space = symbol[32]
merges = [("t", "h"), ("th", "e"), ("i", "n"), ("a", "n"), ("e", "r"), ("r", "e"), (space, "t"), ("o", "n"), (space, "a"), ("o", "u")]
special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
tokens = symbol + [a + b for a, b in merges] + special

w = gguf.GGUFWriter(out, "llama")
w.add_name("random")
w.add_context_length(context)
w.add_embedding_length(hidden)
w.add_block_count(layers)
w.add_feed_forward_length(inner)
w.add_head_count(heads)
w.add_head_count_kv(kv_heads)
w.add_layer_norm_rms_eps(1e-5)
w.add_rope_dimension_count(hidden // heads)
w.add_rope_freq_base(10000.0)
w.add_vocab_size(len(tokens))
w.add_file_type(gguf.LlamaFileType.ALL_F32)
w.add_tokenizer_model("gpt2")
w.add_tokenizer_pre("gpt-2")
w.add_token_list(tokens)
w.add_token_types([gguf.TokenType.NORMAL] * (len(tokens) - len(special)) + [gguf.TokenType.CONTROL] * len(special))
w.add_token_merges([f"{a} {b}" for a, b in merges])
w.add_bos_token_id(len(tokens) - 3)
w.add_eos_token_id(len(tokens) - 1)
w.add_add_bos_token(False)
w.add_chat_template("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
                    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")


def weights(name, rows, columns, scale):
    w.add_tensor(name, (random.standard_normal((rows, columns)) * scale).astype(np.float32))


weights("token_embd.weight", len(tokens), hidden, 1)
for i in range(layers):
    block = f"blk.{i}."
    for norm in ("attn_norm", "ffn_norm"):
        w.add_tensor(f"{block}{norm}.weight", np.ones(hidden, np.float32))
    for name, rows, columns in (("attn_q", hidden, hidden), ("attn_k", hidden * kv_heads // heads, hidden),
                                ("attn_v", hidden * kv_heads // heads, hidden), ("attn_output", hidden, hidden),
                                ("ffn_gate", inner, hidden), ("ffn_up", inner, hidden), ("ffn_down", hidden, inner)):
        weights(f"{block}{name}.weight", rows, columns, columns**-0.5)
w.add_tensor("output_norm.weight", np.ones(hidden, np.float32))
weights("output.weight", len(tokens), hidden, 0.3)
w.write_header_to_file()
w.write_kv_data_to_file()
w.write_tensors_to_file()
w.close()
