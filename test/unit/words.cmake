ppc_unit_test(words ppc_formats ppc_rt)
