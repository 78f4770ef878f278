ppc_unit_test(safetensors ppc_model)
ppc_unit_test(model_config ppc_model)
