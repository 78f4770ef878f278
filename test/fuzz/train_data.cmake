ppc_fuzz(train_data ppc_data)
