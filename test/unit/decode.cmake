ppc_unit_test(constraint ppc_decode ppc_formats Threads::Threads)
