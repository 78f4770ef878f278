if(PPC_COMPILER AND PPC_FUZZ)
  ppc_fuzz(library ppc_shared ppc_driver)
  add_dependencies(library_fuzz ppc_compiler_plugin)
endif()
