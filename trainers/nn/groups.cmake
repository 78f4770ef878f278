# What trainers/nn/group.cpp is built with, in a target that has LibTorch as `ppc_torch`: PPC_GLOO where LibTorch has Gloo, PPC_NCCL where it has NCCL and
# the headers of CUDA and NCCL are there. LibTorch's own configuration tells neither.
include(CheckCXXSourceCompiles)
function(ppc_add_groups target)
  set(names ${CMAKE_CURRENT_BINARY_DIR}/gloo_names)
  foreach(header algorithm common/error context rendezvous/store transport/device)
    file(CONFIGURE OUTPUT ${names}/gloo/${header}.h CONTENT "#include \"${CMAKE_CURRENT_FUNCTION_LIST_DIR}/gloo.h\"\n" @ONLY)
  endforeach()
  get_target_property(includes ppc_torch INTERFACE_INCLUDE_DIRECTORIES)
  get_target_property(libraries ppc_torch INTERFACE_LINK_LIBRARIES)
  foreach(found PPC_GLOO PPC_NCCL)
    if(NOT ${found})
      unset(${found} CACHE)  # it may have been installed since
    endif()
  endforeach()
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_REQUIRED_INCLUDES ${names} ${includes})
  set(CMAKE_REQUIRED_LIBRARIES ${libraries} ${CMAKE_DL_LIBS} -Wl,--allow-shlib-undefined)
  set(CMAKE_REQUIRED_FLAGS -w)
  set(CMAKE_REQUIRED_DEFINITIONS -DUSE_C10D_GLOO)
  # c10d's headers alone want a class of ivalue.h whole, says clang.
  check_cxx_source_compiles("
    #include <ATen/core/ivalue.h>
    #include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
    int main() { return c10d::ProcessGroupGloo::createDeviceForHostname(\"127.0.0.1\") == nullptr; }" PPC_GLOO)
  set(CMAKE_REQUIRED_DEFINITIONS -DUSE_C10D_NCCL)
  check_cxx_source_compiles("
    #include <ATen/core/ivalue.h>
    #include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
    int main() { return c10d::ProcessGroupNCCL::Options::create() == nullptr; }" PPC_NCCL)
  if(PPC_GLOO)
    target_compile_definitions(${target} PRIVATE PPC_GLOO USE_C10D_GLOO)
    target_include_directories(${target} SYSTEM PRIVATE ${names})
    if(PPC_NCCL)
      target_compile_definitions(${target} PRIVATE PPC_NCCL USE_C10D_NCCL)
      message(STATUS "Several processes: Gloo, NCCL")
    else()
      message(STATUS "Several processes: Gloo (between GPUs, too: no NCCL, or not its headers and CUDA's)")
    endif()
  else()
    message(STATUS "Several processes: none (this LibTorch has no Gloo)")
  endif()
endfunction()
