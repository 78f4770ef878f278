// LLVM's archives were built where the C library has this function (glibc 2.36), and use it for the names of temporary files. With one of our own
// what they are linked into runs on older systems, too (tools/bundle).
#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

extern "C" uint32_t arc4random() noexcept {
  uint32_t number = 0;
  if (getentropy(&number, sizeof number) != 0) std::abort();  // without a kernel that has it nothing else runs either
  return number;
}
