ppc_unit_test(pages ppc_nn_cpu)
