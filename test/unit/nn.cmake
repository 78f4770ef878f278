if(PPC_TORCH)
  ppc_unit_test(nn ppc_nn ppc_torch)
  add_dependencies(nn_test ppc_torch_plugin)
  ppc_unit_test(learner ppc_learn ppc_nn ppc_torch)
  add_dependencies(learner_test ppc_torch_plugin)
  add_executable(model_logits ${CMAKE_SOURCE_DIR}/test/model/logits.cpp)  # for test/model/compare_logits.py
  target_link_libraries(model_logits PRIVATE ppc_nn ppc_torch)
endif()
