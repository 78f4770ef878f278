if(PPC_COMPILER AND PPC_BENCH)
  ppc_bench(game ppc_driver ppc_engine)
  ppc_bench(compile ppc_driver ppc_engine)
  ppc_bench(suite ppc_driver ppc_engine)
  find_library(PPC_RE2 re2 REQUIRED)
  ppc_bench(format ppc_codegen ppc_engine ${PPC_RE2} ${PPC_PCRE2})
  # Shared games find the runtime's functions in the program that loads them.
  set_target_properties(game_bench compile_bench suite_bench PROPERTIES ENABLE_EXPORTS ON)
endif()
