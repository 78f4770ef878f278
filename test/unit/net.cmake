ppc_unit_test(server ppc_net Threads::Threads)
