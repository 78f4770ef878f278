ppc_unit_test(safetensors ppc_model)
ppc_unit_test(model_config ppc_model)
ppc_unit_test(tokenizer ppc_model Threads::Threads)
add_executable(tokenize ${CMAKE_SOURCE_DIR}/test/model/tokenize.cpp)  # for test/model/compare_tokenizer.py
target_link_libraries(tokenize PRIVATE ppc_model)
add_executable(make_model ${CMAKE_SOURCE_DIR}/test/model/make_model.cpp)  # a folder that knows nothing, for the lit tests
target_link_libraries(make_model PRIVATE ppc_nn_cpu)
if(TARGET ppc_driver)
  add_executable(rescore ${CMAKE_SOURCE_DIR}/test/model/rescore.cpp)  # the same log-probabilities in one pass
  target_link_libraries(rescore PRIVATE ppc_driver ppc_players ppc_decode ppc_sampling ppc_nn_cpu)
endif()
