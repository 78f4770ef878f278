ppc_fuzz(safetensors ppc_model)
ppc_fuzz(tokenizer ppc_model)
ppc_fuzz(jinja ppc_model)
ppc_fuzz(config ppc_model)
