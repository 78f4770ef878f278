if(PPC_TORCH)
  ppc_bench(model ppc_nn ${CMAKE_DL_LIBS})
endif()
