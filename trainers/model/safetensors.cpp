#include "trainers/model/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>

namespace ppc::model {
using engine::InputError;
using engine::Json;
using engine::SystemError;
static_assert(std::endian::native == std::endian::little, "weights are used as they lie in the file");

namespace {

namespace fs = std::filesystem;
constexpr const char* kIndex = "model.safetensors.index.json";
constexpr const char* kSingle = "model.safetensors";

std::string named(std::string_view s) {
  // Names come from files of others: cut, and without control characters.
  std::string out = "`";
  for (char c : s.substr(0, 120)) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return out + (s.size() > 120 ? "…`" : "`");
}

[[noreturn]] void fail(const std::string& file, const std::string& what) { throw InputError(file + ": " + what); }

uint64_t natural(const Json& v, const std::string& file, const std::string& what) {
  if (!v.is_int() || v.as_int() < 0) fail(file, what + ": expected an integer of at least 0, found " + engine::describe(v));
  return static_cast<uint64_t>(v.as_int());
}

DType dtype_of(const Json& v, const std::string& file, const std::string& tensor) {
  if (!v.is_text()) fail(file, "tensor " + named(tensor) + ": `dtype`: expected a text, found " + engine::describe(v));
  for (DType t : {DType::F32, DType::F16, DType::BF16})
    if (v.as_text() == name_of(t)) return t;
  fail(file, "tensor " + named(tensor) + ": dtype " + named(v.as_text()) + " is not supported (F32, F16 and BF16 are)");
}

/// Product of the shape; false if it overflows.
bool product(const std::vector<int64_t>& shape, uint64_t* out) {
  // A zero makes the product 0 whatever the others are, but the others still have to be sizes of something.
  uint64_t n = 1;
  for (int64_t d : shape)
    if (__builtin_mul_overflow(n, static_cast<uint64_t>(d), &n)) return false;
  *out = n;
  return n <= uint64_t{1} << 60;
}

class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { if (fd_ >= 0) ::close(fd_); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

/// A file that gets its name only once it is whole.
class NewFile {
 public:
  explicit NewFile(const std::string& path) : path_(path), temporary_(path + ".XXXXXX"), fd_(::mkostemp(temporary_.data(), O_CLOEXEC)) {
    if (fd_.get() < 0) throw SystemError(path + ": cannot be written: " + std::strerror(errno));
    open_ = true;
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(fd_.get(), 0666 & ~mask);
  }
  ~NewFile() { if (open_) ::unlink(temporary_.c_str()); }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  void write(const void* data, size_t n) {
    const char* p = static_cast<const char*>(data);
    while (n > 0) {
      const ssize_t w = ::write(fd_.get(), p, std::min(n, size_t{1} << 30));
      if (w < 0 && errno == EINTR) continue;
      if (w < 0) throw SystemError(path_ + ": cannot be written: " + std::strerror(errno));
      p += w;
      n -= static_cast<size_t>(w);
    }
  }
  void finish() {
    if (::fsync(fd_.get()) != 0 || ::close(fd_.release()) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0)
      throw SystemError(path_ + ": cannot be written: " + std::strerror(errno));
    open_ = false;
    const std::string folder = fs::path(path_).parent_path().string();
    const Fd d(::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (d.get() >= 0) ::fsync(d.get());  // the name, too; some file systems cannot, and then nothing is lost but that
  }

 private:
  std::string path_, temporary_;
  Fd fd_;
  bool open_ = false;
};

}  // namespace

size_t bytes_of(DType t) { return t == DType::F32 ? 4 : 2; }
const char* name_of(DType t) { return t == DType::F32 ? "F32" : t == DType::F16 ? "F16" : "BF16"; }

int64_t TensorView::elements() const {
  int64_t n = 1;
  for (int64_t d : shape) n *= d;
  return n;
}

std::vector<TensorView> parse_safetensors(std::span<const std::byte> bytes, const std::string& file, Metadata* metadata) {
  if (bytes.size() < 8) fail(file, "not a safetensors file: it has " + std::to_string(bytes.size()) + " bytes, the length of the header alone has 8");
  uint64_t length;
  std::memcpy(&length, bytes.data(), 8);
  if (length > kMaxHeader)
    fail(file, "not a safetensors file: a header of " + std::to_string(length) + " bytes (at most " + std::to_string(kMaxHeader) + " are read)");
  if (length > bytes.size() - 8)
    fail(file, "cut off: a header of " + std::to_string(length) + " bytes, but only " + std::to_string(bytes.size() - 8) + " are there");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  if (text.empty() || text[0] != '{') fail(file, "not a safetensors file: the header is no JSON object");
  const Json header = engine::parse_json(text, file + ", header");
  const std::span<const std::byte> data = bytes.subspan(8 + length);

  std::vector<TensorView> out;
  std::vector<std::string_view> names;
  struct Range { uint64_t begin, end; };
  std::vector<Range> ranges;
  out.reserve(header.members().size());
  for (const auto& [name, value] : header.members()) {
    names.push_back(name);
    if (!value.is_object()) fail(file, "tensor " + named(name) + ": expected an object, found " + engine::describe(value));
    if (name == "__metadata__") {
      for (const auto& [key, v] : value.members()) {
        if (!v.is_text()) fail(file, "`__metadata__`: " + named(key) + ": expected a text, found " + engine::describe(v));
        if (metadata && !metadata->emplace(key, v.as_text()).second) fail(file, "`__metadata__`: " + named(key) + " is there twice");
      }
      continue;
    }
    TensorView t;
    t.name = name;
    const Json *dtype = nullptr, *shape = nullptr, *offsets = nullptr;
    for (const auto& [key, v] : value.members()) {
      const Json** place = key == "dtype" ? &dtype : key == "shape" ? &shape : key == "data_offsets" ? &offsets : nullptr;
      if (!place) fail(file, "tensor " + named(name) + ": unknown member " + named(key));
      if (*place) fail(file, "tensor " + named(name) + ": " + named(key) + " is there twice");
      *place = &v;
    }
    if (!dtype || !shape || !offsets)
      fail(file, "tensor " + named(name) + ": no `" + (!dtype ? "dtype" : !shape ? "shape" : "data_offsets") + "`");
    t.dtype = dtype_of(*dtype, file, name);
    if (!shape->is_list()) fail(file, "tensor " + named(name) + ": `shape`: expected a list, found " + engine::describe(*shape));
    if (shape->items().size() > 16) fail(file, "tensor " + named(name) + ": " + std::to_string(shape->items().size()) + " dimensions (at most 16)");
    for (const Json& d : shape->items()) t.shape.push_back(static_cast<int64_t>(natural(d, file, "tensor " + named(name) + ": `shape`")));
    if (!offsets->is_list() || offsets->items().size() != 2)
      fail(file, "tensor " + named(name) + ": `data_offsets`: expected two integers, found " + engine::describe(*offsets));
    Range r{natural(offsets->items()[0], file, "tensor " + named(name) + ": `data_offsets`"),
            natural(offsets->items()[1], file, "tensor " + named(name) + ": `data_offsets`")};
    if (r.begin > r.end) fail(file, "tensor " + named(name) + ": its data begin at " + std::to_string(r.begin) + " and end before, at " + std::to_string(r.end));
    if (r.end > data.size())
      fail(file, "cut off, or damaged: the data of tensor " + named(name) + " end at " + std::to_string(r.end) + ", the file's at " + std::to_string(data.size()));
    uint64_t elements;
    if (!product(t.shape, &elements)) fail(file, "tensor " + named(name) + ": its shape has too many elements");
    if (elements * bytes_of(t.dtype) != r.end - r.begin)
      fail(file, "tensor " + named(name) + ": its shape and dtype make " + std::to_string(elements * bytes_of(t.dtype)) + " bytes, its offsets " +
                     std::to_string(r.end - r.begin));
    t.data = data.subspan(r.begin, r.end - r.begin);
    ranges.push_back(r);
    out.push_back(std::move(t));
  }
  std::sort(names.begin(), names.end());
  if (auto twice = std::adjacent_find(names.begin(), names.end()); twice != names.end()) fail(file, "tensor " + named(*twice) + " is there twice");

  // The data lie one behind the other, as the format demands: nothing overlaps, nothing is hidden in between.
  std::vector<size_t> order(out.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(ranges[a].begin, ranges[a].end, a) < std::tie(ranges[b].begin, ranges[b].end, b);
  });
  uint64_t at = 0;
  std::vector<TensorView> sorted;
  sorted.reserve(out.size());
  for (size_t i : order) {
    if (ranges[i].begin < at) fail(file, "the data of tensors " + named(sorted.back().name) + " and " + named(out[i].name) + " overlap");
    if (ranges[i].begin > at)
      fail(file, "a gap of " + std::to_string(ranges[i].begin - at) + " bytes before the data of tensor " + named(out[i].name));
    at = ranges[i].end;
    sorted.push_back(std::move(out[i]));
  }
  if (at != data.size()) fail(file, std::to_string(data.size() - at) + " bytes behind the last tensor's data");
  return sorted;
}

struct Weights::Mapping {
  std::span<const std::byte> bytes;

  explicit Mapping(const std::string& path) {
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));  // a pipe in its place is not waited for
    struct stat s;
    if (fd.get() < 0 || ::fstat(fd.get(), &s) != 0) fail(path, std::string("cannot be read: ") + std::strerror(errno));
    if (!S_ISREG(s.st_mode)) fail(path, "cannot be read: not a file");
    if (s.st_size == 0) fail(path, "not a safetensors file: it is empty");
    void* p = ::mmap(nullptr, static_cast<size_t>(s.st_size), PROT_READ, MAP_PRIVATE, fd.get(), 0);
    if (p == MAP_FAILED) throw SystemError(path + ": cannot be mapped: " + std::strerror(errno));
    bytes = {static_cast<const std::byte*>(p), static_cast<size_t>(s.st_size)};
  }
  ~Mapping() { ::munmap(const_cast<std::byte*>(bytes.data()), bytes.size()); }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
};

void Weights::add_file(const std::string& path) {
  auto mapping = std::make_shared<const Mapping>(path);
  for (TensorView& t : parse_safetensors(mapping->bytes, path, files_.empty() ? &metadata_ : nullptr)) {
    t.file = static_cast<uint32_t>(files_.size());
    if (auto [at, fresh] = by_name_.emplace(t.name, tensors_.size()); !fresh)
      fail(path, "tensor " + named(t.name) + " is also in " + files_[tensors_[at->second].file]);
    tensors_.push_back(std::move(t));
  }
  mappings_.push_back(std::move(mapping));
  files_.push_back(path);
}

Weights Weights::open(const std::string& path) {
  Weights out;
  out.path_ = path;
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) {
    out.add_file(path);
    return out;
  }
  const std::string single = (fs::path(path) / kSingle).string(), index = (fs::path(path) / kIndex).string();
  if (fs::exists(single, ignored)) {
    out.add_file(single);
    return out;
  }
  if (!fs::exists(index, ignored)) {
    const bool pickle = fs::exists(fs::path(path) / "pytorch_model.bin", ignored) || fs::exists(fs::path(path) / "pytorch_model.bin.index.json", ignored);
    fail(path, std::string("no ") + kSingle + " and no " + kIndex + (pickle ? "; pytorch_model.bin is not read, convert it to safetensors" : ""));
  }
  const Json json = engine::load_json(index);
  const Json* map = json.find("weight_map");
  if (!map || !map->is_object()) fail(index, "no `weight_map`, an object from tensors to files");
  std::map<std::string, size_t> shards;  // file -> how many tensors it is said to have
  std::unordered_map<std::string_view, std::string_view> where;
  for (const auto& [tensor, file] : map->members()) {
    if (!file.is_text()) fail(index, "`weight_map`: " + named(tensor) + ": expected a file's name, found " + engine::describe(file));
    const std::string& name = file.as_text();
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos || name.find('\0') != std::string::npos)
      fail(index, "`weight_map`: " + named(tensor) + ": " + named(name) + " is not the name of a file in this folder");
    if (!where.emplace(tensor, name).second) fail(index, "`weight_map`: " + named(tensor) + " is there twice");
    ++shards[name];
  }
  if (shards.empty()) fail(index, "`weight_map` is empty");
  for (const auto& [name, count] : shards) {
    const size_t before = out.tensors_.size();
    out.add_file((fs::path(path) / name).string());
    for (size_t i = before; i < out.tensors_.size(); ++i) {
      const auto at = where.find(out.tensors_[i].name);
      if (at == where.end()) fail(out.files_.back(), "tensor " + named(out.tensors_[i].name) + " is not in " + kIndex);
      if (at->second != name) fail(out.files_.back(), "tensor " + named(out.tensors_[i].name) + " is in " + named(at->second) + " as " + kIndex + " says");
    }
  }
  for (const auto& [tensor, file] : where)
    if (!out.by_name_.contains(std::string(tensor))) fail(index, "tensor " + named(tensor) + " is not in " + named(file));
  return out;
}

const TensorView* Weights::find(std::string_view name) const {
  const auto at = by_name_.find(std::string(name));
  return at == by_name_.end() ? nullptr : &tensors_[at->second];
}
const TensorView& Weights::get(std::string_view name) const {
  if (const TensorView* t = find(name)) return *t;
  fail(path_, "no tensor " + named(name));
}
const TensorView& Weights::get(std::string_view name, const std::vector<int64_t>& shape) const {
  const TensorView& t = get(name);
  if (t.shape == shape) return t;
  auto shown = [](const std::vector<int64_t>& s) {
    std::string out = "[";
    for (int64_t d : s) out += (out.size() > 1 ? ", " : "") + std::to_string(d);
    return out + "]";
  };
  fail(files_[t.file], "tensor " + named(name) + " has shape " + shown(t.shape) + ", the configuration wants " + shown(shape));
}
uint64_t Weights::bytes() const {
  uint64_t n = 0;
  for (const TensorView& t : tensors_) n += t.data.size();
  return n;
}

void write_safetensors(const std::string& path, std::span<const TensorView> tensors, const Metadata& metadata) {
  std::vector<const TensorView*> order;
  std::vector<std::string_view> names;
  for (const TensorView& t : tensors) {
    uint64_t elements = 0;
    for (int64_t d : t.shape)
      if (d < 0) throw std::invalid_argument("tensor " + t.name + ": a negative size");
    if (!product(t.shape, &elements) || elements * bytes_of(t.dtype) != t.data.size())
      throw std::invalid_argument("tensor " + t.name + ": its shape and its data differ in size");
    names.push_back(t.name);
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end() || std::binary_search(names.begin(), names.end(), "__metadata__"))
    throw std::invalid_argument("a tensor's name is there twice, or is `__metadata__`");
  for (size_t size : {4, 2})
    for (const TensorView& t : tensors)
      if (bytes_of(t.dtype) == size) order.push_back(&t);

  Json header = Json::object();
  if (!metadata.empty()) {
    Json m = Json::object();
    for (const auto& [key, value] : metadata) m.add(key, Json(value));
    header.add("__metadata__", std::move(m));
  }
  uint64_t at = 0;
  for (const TensorView* t : order) {
    Json shape = Json::list(), offsets = Json::list(), one = Json::object();
    for (int64_t d : t->shape) shape.push(Json(d));
    offsets.push(Json(at));
    offsets.push(Json(at += t->data.size()));
    one.add("dtype", Json(name_of(t->dtype)));
    one.add("shape", std::move(shape));
    one.add("data_offsets", std::move(offsets));
    header.add(t->name, std::move(one));
  }
  std::string text = engine::to_text(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  if (text.size() > kMaxHeader) throw std::invalid_argument("too many tensors for one file");
  const uint64_t length = text.size();
  NewFile out(path);
  out.write(&length, 8);
  out.write(text.data(), text.size());
  for (const TensorView* t : order) out.write(t->data.data(), t->data.size());
  out.finish();
}

void write_file_atomically(const std::string& path, std::string_view bytes) {
  NewFile out(path);
  out.write(bytes.data(), bytes.size());
  out.finish();
}

void write_weights(const std::string& folder, std::span<const TensorView> tensors, uint64_t shard_bytes) {
  const fs::path home(folder);
  std::vector<std::vector<TensorView>> shards(1);
  uint64_t filled = 0, total = 0;
  for (const TensorView& t : tensors) {
    if (!shards.back().empty() && filled + t.data.size() > shard_bytes) shards.emplace_back(), filled = 0;
    shards.back().push_back(t);
    filled += t.data.size();
    total += t.data.size();
  }
  std::vector<std::string> keep;
  if (shards.size() == 1) {
    keep = {kSingle};
    write_safetensors((home / kSingle).string(), tensors);
  } else {
    Json map = Json::object();
    for (size_t i = 0; i < shards.size(); ++i) {
      char name[64];
      std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", i + 1, shards.size());
      write_safetensors((home / name).string(), shards[i]);
      for (const TensorView& t : shards[i]) map.add(t.name, Json(name));
      keep.emplace_back(name);
    }
    Json metadata = Json::object(), index = Json::object();
    metadata.add("total_size", Json(total));
    index.add("metadata", std::move(metadata));
    index.add("weight_map", std::move(map));
    write_file_atomically((home / kIndex).string(), engine::to_text(index, {2, false}) + "\n");
    keep.emplace_back(kIndex);
  }
  // What would be read instead, or belongs to an index that is gone.
  std::error_code error;
  std::vector<fs::path> stale;
  for (const auto& entry : fs::directory_iterator(home, error)) {
    const std::string name = entry.path().filename().string();
    const bool shard = name.size() == 32 && name.starts_with("model-") && name.substr(11, 4) == "-of-" && name.ends_with(".safetensors");
    if ((shard || name == kIndex || name == kSingle) && std::find(keep.begin(), keep.end(), name) == keep.end()) stale.push_back(entry.path());
  }
  for (const fs::path& p : stale)
    if (!fs::remove(p, error) && error) throw SystemError(p.string() + ": cannot be removed: " + error.message());
}

}  // namespace ppc::model
