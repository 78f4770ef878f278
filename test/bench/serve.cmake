if(PPC_COMPILER AND PPC_BENCH)
  ppc_bench(serve ppc_serve_service)
endif()
