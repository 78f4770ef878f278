ppc_unit_test(trainer ppc_train)
