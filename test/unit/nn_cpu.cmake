ppc_unit_test(pages ppc_nn_cpu)
ppc_unit_test(cpu_network ppc_nn_cpu)
ppc_unit_test(kernels ppc_nn_cpu)
ppc_unit_test(train_kernels ppc_nn_cpu)
