if(PPC_TORCH)
  ppc_unit_test(nn ppc_nn ppc_torch)
  target_precompile_headers(nn_test PRIVATE <torch/torch.h>)
endif()
