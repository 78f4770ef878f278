// Weights of a model folder: `model.safetensors`, or shards named by `model.safetensors.index.json`. Files are mapped into
// memory; what is read are views into them. The files must not be made shorter while they are open: a read past the new end
// is a signal (SIGBUS), as with every mapped file.
//
// Errors: engine::InputError, "FILE: what is wrong", for files that are missing, damaged or not supported;
// engine::SystemError for what fails in writing.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "runtime/engine/json.h"

namespace ppc::model {

enum class DType : uint8_t { F32, F16, BF16 };
size_t bytes_of(DType);        // of one element
const char* name_of(DType);    // as in the files: "F32", "F16", "BF16"

/// A tensor in a mapped file, or one to be written.
struct TensorView {
  std::string name;
  DType dtype = DType::F32;
  std::vector<int64_t> shape;       // each at least 0; empty: a single element; row-major
  std::span<const std::byte> data;  // elements() * bytes_of(dtype) bytes, little-endian; see aligned()
  uint32_t file = 0;                // index into Weights::files()

  int64_t elements() const;
  /// Whether `data` lies at a multiple of the element's size. Files written here, and by Hugging Face's library, do that.
  bool aligned() const { return reinterpret_cast<uintptr_t>(data.data()) % bytes_of(dtype) == 0; }
};
using Metadata = std::map<std::string, std::string>;

/// The longest header that is read. (150,000 tensors need less; the reference implementation has 100 MB.)
constexpr uint64_t kMaxHeader = uint64_t{16} << 20;

/// Reads the bytes of one file: views into `bytes`, in the order of their data. `file` stands in front of messages.
std::vector<TensorView> parse_safetensors(std::span<const std::byte> bytes, const std::string& file, Metadata* metadata = nullptr);

class Weights {
 public:
  /// A file, or a folder with `model.safetensors` or `model.safetensors.index.json` (in that order, as transformers does).
  static Weights open(const std::string& path);

  /// In the order of the files (by name) and of their data.
  const std::vector<TensorView>& tensors() const { return tensors_; }
  const TensorView* find(std::string_view name) const;
  /// Throws if it is not there, or (the second form) has another shape.
  const TensorView& get(std::string_view name) const;
  const TensorView& get(std::string_view name, const std::vector<int64_t>& shape) const;
  const std::vector<std::string>& files() const { return files_; }  // paths
  const Metadata& metadata() const { return metadata_; }            // of the first file
  uint64_t bytes() const;                                           // of all tensors

 private:
  struct Mapping;
  void add_file(const std::string& path);

  std::string path_;
  std::vector<std::shared_ptr<const Mapping>> mappings_;
  std::vector<std::string> files_;
  std::vector<TensorView> tensors_;
  std::unordered_map<std::string, size_t> by_name_;
  Metadata metadata_;
};

/// Writes one file: under another name first, which then replaces `path`, so that a reader finds the old file or the new
/// one, whole. Tensors are laid out by element size, then in the order given, so that each is aligned. Without metadata it is
/// {"format": "pt"}, which transformers wants. Throws std::invalid_argument for a wrong size of `data` or a name given twice.
void write_safetensors(const std::string& path, std::span<const TensorView> tensors, const Metadata& metadata = {{"format", "pt"}});

/// Writes `model.safetensors` into the folder, or, when it would hold more than `shard_bytes`, shards and their index.
/// Weights of the other kind that lie there are removed at the end.
void write_weights(const std::string& folder, std::span<const TensorView> tensors, uint64_t shard_bytes = uint64_t{5'000'000'000});

/// Writes a small file in the same way.
void write_file_atomically(const std::string& path, std::string_view bytes);

}  // namespace ppc::model
