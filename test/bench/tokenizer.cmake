ppc_bench(tokenizer ppc_model)
