if(TARGET ppc_driver)
  ppc_unit_test(export ppc_cli_play)
endif()
