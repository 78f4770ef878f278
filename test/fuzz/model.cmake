ppc_fuzz(safetensors ppc_model)
