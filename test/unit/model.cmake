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
add_executable(render_chat ${CMAKE_SOURCE_DIR}/test/model/render_chat.cpp)  # for test/model/compare_chat.py
target_link_libraries(render_chat PRIVATE ppc_model)
ppc_unit_test(chat ppc_model)
find_package(Python3 REQUIRED COMPONENTS Interpreter)
add_test(NAME model.chat_templates COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/test/model/compare_chat.py $<TARGET_FILE:render_chat>)
set_tests_properties(model.chat_templates PROPERTIES SKIP_RETURN_CODE 77)
