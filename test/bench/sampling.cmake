ppc_bench(sampling ppc_sampling ppc_nn_cpu)
