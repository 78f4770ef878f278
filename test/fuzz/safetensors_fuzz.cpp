// Bytes as a safetensors file. Each is either refused with an error, or gives views that lie inside it and can be read;
// what was accepted, written and read again is the same.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unistd.h>

#include "trainers/model/safetensors.h"

namespace {
using namespace ppc::model;

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // libFuzzer seldom finds the right length of a header: the first byte says whether we put it there.
  std::string bytes;
  if (size > 0 && data[0] & 1) {
    const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
    const uint64_t length = std::min(rest.size(), rest.find('\n'));
    bytes.assign(reinterpret_cast<const char*>(&length), 8);
    bytes += rest.substr(0, length);
    if (length < rest.size()) bytes += rest.substr(length + 1);
  } else if (size > 0) {
    bytes.assign(reinterpret_cast<const char*>(data) + 1, size - 1);
  }
  const std::span<const std::byte> in(reinterpret_cast<const std::byte*>(bytes.data()), bytes.size());
  std::vector<TensorView> tensors;
  Metadata metadata;
  try {
    tensors = parse_safetensors(in, "fuzz", &metadata);
  } catch (const ppc::engine::InputError& e) {
    require(std::string_view(e.what()).starts_with("fuzz"), "an error that does not name the file");
    return 0;
  }
  unsigned sum = 0;
  for (const TensorView& t : tensors) {
    require(t.data.size() == static_cast<size_t>(t.elements()) * bytes_of(t.dtype), "a view of another size than its shape");
    for (std::byte b : t.data) sum += static_cast<unsigned>(b);
  }
  static const std::string path = "/tmp/ppc-safetensors-fuzz-" + std::to_string(::getpid());
  write_safetensors(path, tensors, metadata);
  const Weights again = Weights::open(path);
  require(again.metadata() == metadata, "other metadata");
  require(again.tensors().size() == tensors.size(), "another number of tensors");
  for (const TensorView& t : tensors) {
    const TensorView& o = again.get(t.name, t.shape);
    require(o.dtype == t.dtype && o.aligned() && (t.data.empty() || std::memcmp(o.data.data(), t.data.data(), t.data.size()) == 0), "another tensor");
  }
  ::unlink(path.c_str());
  return sum == 0xFFFFFFFF;
}
