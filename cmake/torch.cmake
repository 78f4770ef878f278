# ppc_torch: LibTorch as an interface library, for what is in trainers/ alone. A function, so that what LibTorch's configuration sets in
# passing (flags, policies, paths of its own dependencies) stays in it; targets stay.
function(ppc_find_torch found)
  find_package(Torch QUIET)
  set(${found} ${TORCH_FOUND} PARENT_SCOPE)
  if(TORCH_FOUND)
    message(STATUS "LibTorch: ${TORCH_LIBRARY}")
    add_library(ppc_torch INTERFACE)
    target_link_libraries(ppc_torch INTERFACE ${TORCH_LIBRARIES})
    target_include_directories(ppc_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      target_compile_options(ppc_torch INTERFACE -Wno-maybe-uninitialized)  # what GCC 16 says of an optional in c10's headers
    endif()
  else()
    message(STATUS "LibTorch: not found (Debian's libtorch-dev, or CMAKE_PREFIX_PATH): models run on the CPU alone, and nothing is trained")
  endif()
endfunction()
