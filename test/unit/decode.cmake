ppc_unit_test(pattern ppc_engine)
if(PPC_COMPILER)
  ppc_unit_test(constraint ppc_decode ppc_formats Threads::Threads)
  ppc_unit_test(masked_play ppc_decode ppc_driver ppc_engine)
  target_link_options(masked_play_test PRIVATE -rdynamic)  # a shared object takes ppc_rt_* from its host
endif()
