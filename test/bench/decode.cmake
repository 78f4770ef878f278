if(PPC_COMPILER AND PPC_BENCH)
  ppc_bench(constraint ppc_decode ppc_driver ppc_engine)
endif()
