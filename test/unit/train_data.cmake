ppc_unit_test(train_data ppc_data)
add_executable(read_lines ${CMAKE_SOURCE_DIR}/test/model/read_lines.cpp)  # for test/lit/local/export.test
target_link_libraries(read_lines PRIVATE ppc_data)
add_executable(learn_tokenizer ${CMAKE_SOURCE_DIR}/test/model/learn_tokenizer.cpp)  # for tools/peers tokenizer, by hand
target_link_libraries(learn_tokenizer PRIVATE ppc_data)
