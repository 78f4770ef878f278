ppc_fuzz(safetensors ppc_model)
ppc_fuzz(tokenizer ppc_model)
