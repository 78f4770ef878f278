ppc_bench(kernels ppc_nn_cpu ${CMAKE_DL_LIBS})
ppc_bench(model ppc_nn_cpu ${CMAKE_DL_LIBS})
if(PPC_BENCH AND PPC_TORCH)
  add_dependencies(model_bench ppc_torch_plugin)  # for --plain
endif()
