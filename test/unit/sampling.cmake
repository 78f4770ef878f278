ppc_unit_test(sampling ppc_sampling)
