ppc_bench(tokenizer ppc_data)
