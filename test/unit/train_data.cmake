ppc_unit_test(train_data ppc_data)
