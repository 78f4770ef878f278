# cmake --install: everything finds everything else by where it lies itself, so the folder may be moved as a whole.
#
#   bin/ppc                           the program
#   lib/libppc.so                     the C interface; lib/libppc_*.so are loaded by it or by the program when they are needed
#   include/ppc/ppc.h
#   lib/cmake/ppc, lib/pkgconfig      find_package(ppc), pkg-config
#   lib/python3/dist-packages/ppc     the Python package: on the path where the prefix is /usr, else PYTHONPATH
#   share/ppc/stdlib-games            the games with their resources and instances
#   share/ppc/miniature               the games of `ppc train`
#   share/doc/ppc                     the pages
include(CMakePackageConfigHelpers)

# The libraries of others, too, are looked for beside ours first: where tools/bundle puts them, for machines that lack them. By RPATH and not RUNPATH, which
# would not hold for what these libraries need themselves. What only the network wants lies apart, so that LibTorch, which may want the system's newer
# ones of the same names, does not meet it.
function(ppc_find_beside needed folders)
  if(TARGET ${needed})
    set_target_properties(${needed} PROPERTIES BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "${folders}")
    target_link_options(${needed} PRIVATE "LINKER:--disable-new-dtags")
  endif()
endfunction()
ppc_find_beside(ppc "$ORIGIN/../lib/others")
foreach(library ppc_shared ppc_local_plugin ppc_compiler_plugin)
  ppc_find_beside(${library} "$ORIGIN/others")
endforeach()
foreach(library ppc_net_plugin ppc_httpd_plugin)
  ppc_find_beside(${library} "$ORIGIN/others-net;$ORIGIN/others")
endforeach()

install(TARGETS ppc_shared EXPORT ppcTargets LIBRARY DESTINATION lib NAMELINK_COMPONENT Unspecified)
install(DIRECTORY runtime/include/ DESTINATION include FILES_MATCHING PATTERN "*.h")
set(plugins ppc_net_plugin ppc_httpd_plugin ppc_local_plugin ppc_torch_plugin)
if(PPC_COMPILER)
  list(APPEND plugins ppc_compiler_plugin)
  set_target_properties(ppc PROPERTIES EXPORT_NAME program)
  install(TARGETS ppc EXPORT ppcTargets RUNTIME DESTINATION bin)
endif()
foreach(plugin ${plugins})
  if(TARGET ${plugin})
    install(TARGETS ${plugin} LIBRARY DESTINATION lib)
  endif()
endforeach()

install(EXPORT ppcTargets NAMESPACE ppc:: DESTINATION lib/cmake/ppc)
configure_package_config_file(cmake/ppcConfig.cmake.in ${CMAKE_BINARY_DIR}/ppcConfig.cmake INSTALL_DESTINATION lib/cmake/ppc
  NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/ppcConfigVersion.cmake COMPATIBILITY SameMinorVersion)
configure_file(cmake/ppc.pc.in ${CMAKE_BINARY_DIR}/ppc.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/ppcConfig.cmake ${CMAKE_BINARY_DIR}/ppcConfigVersion.cmake DESTINATION lib/cmake/ppc)
install(FILES ${CMAKE_BINARY_DIR}/ppc.pc DESTINATION lib/pkgconfig)

install(DIRECTORY python/ppc DESTINATION lib/python3/dist-packages PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY stdlib-games DESTINATION share/ppc PATTERN "__pycache__" EXCLUDE)
install(DIRECTORY trainers/miniature DESTINATION share/ppc)
install(DIRECTORY docs/ DESTINATION share/doc/ppc)
install(FILES README.md LICENSE DESTINATION share/doc/ppc)
