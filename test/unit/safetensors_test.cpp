// Weights: what is written loads again bit for bit; damaged files are refused with a place.
#include "trainers/model/safetensors.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cstring>
#include <filesystem>
#include <fstream>

using namespace ppc::model;
namespace fs = std::filesystem;

namespace {

class Safetensors : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "ppc-weights-XXXXXX").string();
    ASSERT_TRUE(::mkdtemp(name.data()));
    home = name;
  }
  void TearDown() override { fs::remove_all(home); }
  fs::path home;
};

std::string file_of(const std::string& header, const std::string& data) {
  const uint64_t length = header.size();
  return std::string(reinterpret_cast<const char*>(&length), 8) + header + data;
}
std::span<const std::byte> bytes(const std::string& s) { return {reinterpret_cast<const std::byte*>(s.data()), s.size()}; }
TensorView tensor(std::string name, DType dtype, std::vector<int64_t> shape, const std::string& data) {
  return {std::move(name), dtype, std::move(shape), bytes(data), 0};
}
std::string error_of(const std::string& file) {
  try {
    parse_safetensors(bytes(file), "w.safetensors");
  } catch (const ppc::engine::InputError& e) {
    return e.what();
  }
  return "no error";
}
std::string open_error(const fs::path& path) {
  try {
    Weights::open(path.string());
  } catch (const ppc::engine::InputError& e) {
    return e.what();
  }
  return "no error";
}
void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }
std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_F(Safetensors, WritesAndReadsBitForBit) {
  const std::string f32("\x00\x00\xc0\x7f\x01\x00\x80\xff\x00\x00\x00\x80\xef\xbe\xad\xde", 16), half("ab"), bf("cdefgh"), nothing;
  const std::vector<TensorView> all{tensor("half", DType::F16, {}, half), tensor("matrix", DType::F32, {2, 2}, f32),
                                    tensor("b", DType::BF16, {3, 1}, bf), tensor("none", DType::F32, {0, 7}, nothing)};
  const std::string path = (home / "model.safetensors").string();
  write_safetensors(path, all, {{"format", "pt"}, {"ä", "\n"}});
  const Weights w = Weights::open(home.string());
  ASSERT_EQ(w.tensors().size(), 4u);
  EXPECT_EQ(w.metadata(), (Metadata{{"format", "pt"}, {"ä", "\n"}}));
  EXPECT_EQ(w.bytes(), 24u);
  for (const TensorView& t : all) {
    const TensorView& o = w.get(t.name, t.shape);
    EXPECT_EQ(o.dtype, t.dtype);
    EXPECT_TRUE(o.aligned());
    ASSERT_EQ(o.data.size(), t.data.size());
    EXPECT_TRUE(o.data.empty() || std::memcmp(o.data.data(), t.data.data(), o.data.size()) == 0) << t.name;
  }
  // The file again from what was read: the same bytes.
  write_safetensors((home / "again").string(), w.tensors(), w.metadata());
  EXPECT_EQ(read(home / "again"), read(path));
  EXPECT_EQ(w.find("x"), nullptr);
  EXPECT_THROW(w.get("x"), ppc::engine::InputError);
  EXPECT_THROW(w.get("b", {1, 3}), ppc::engine::InputError);
  EXPECT_EQ(std::distance(fs::directory_iterator(home), fs::directory_iterator()), 2) << "a temporary file is left";
}

TEST_F(Safetensors, AViewOutlivesMovesAndTheFileBeingReplaced) {
  const std::string one("1111"), two("2222");
  const std::string path = (home / "w.safetensors").string();
  write_safetensors(path, std::vector{tensor("a", DType::F32, {1}, one)});
  Weights first = Weights::open(path);
  const Weights moved = std::move(first);
  write_safetensors(path, std::vector{tensor("a", DType::F32, {1}, two)});
  EXPECT_EQ(std::memcmp(moved.get("a").data.data(), "1111", 4), 0);
  EXPECT_EQ(std::memcmp(Weights::open(path).get("a").data.data(), "2222", 4), 0);
}

TEST_F(Safetensors, ShardsAndTheirIndex) {
  const std::string data("0123456789abcdef");
  std::vector<TensorView> all;
  for (int i = 0; i < 5; ++i) all.push_back(tensor("t" + std::to_string(i), DType::F32, {4}, data));
  write_weights(home.string(), all);
  EXPECT_TRUE(fs::exists(home / "model.safetensors"));
  write_weights(home.string(), all, 40);
  EXPECT_FALSE(fs::exists(home / "model.safetensors")) << "it would be read instead of the shards";
  Weights w = Weights::open(home.string());
  EXPECT_EQ(w.files().size(), 3u);
  EXPECT_EQ(w.tensors().size(), 5u);
  EXPECT_EQ(std::memcmp(w.get("t4").data.data(), data.data(), 16), 0);
  // Written over by themselves.
  write_weights(home.string(), w.tensors(), 1);
  w = Weights::open(home.string());
  EXPECT_EQ(w.files().size(), 5u);
  EXPECT_FALSE(fs::exists(home / "model-00001-of-00003.safetensors"));

  const fs::path index = home / "model.safetensors.index.json";
  const std::string good = read(index);
  auto with = [&](const std::string& from, const std::string& to) {
    std::string s = good;
    s.replace(s.find(from), from.size(), to);
    write(index, s);
    return open_error(home);
  };
  EXPECT_NE(with("model-00002", "../model-00002").find("is not the name of a file in this folder"), std::string::npos);
  EXPECT_NE(with("model-00002-of-00005", "model-00001-of-00005").find("tensor `t1` is not in `model-00001-of-00005.safetensors`"), std::string::npos);
  EXPECT_NE(with("\"t1\"", "\"t9\"").find("tensor `t1` is not in model.safetensors.index.json"), std::string::npos);
  EXPECT_NE(with("\"t1\"", "\"t0\"").find("`t0` is there twice"), std::string::npos);
  EXPECT_NE(with("weight_map", "weight_mop").find("no `weight_map`"), std::string::npos);
  write(index, good);
  fs::remove(home / "model-00003-of-00005.safetensors");
  EXPECT_NE(open_error(home).find("model-00003-of-00005.safetensors: cannot be read: No such file"), std::string::npos);
}

TEST_F(Safetensors, MissingAndWrongFiles) {
  EXPECT_NE(open_error(home).find("no model.safetensors and no model.safetensors.index.json"), std::string::npos);
  write(home / "pytorch_model.bin", "x");
  EXPECT_NE(open_error(home).find("convert it to safetensors"), std::string::npos);
  EXPECT_NE(open_error(home / "x.safetensors").find("No such file"), std::string::npos);
  EXPECT_NE(open_error("/dev/null").find("not a file"), std::string::npos);
  write(home / "e.safetensors", "");
  EXPECT_NE(open_error(home / "e.safetensors").find("it is empty"), std::string::npos);
}

TEST(SafetensorsFile, WhatIsWrongAndWhere) {
  const std::string a = R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string eight = "12345678";
  EXPECT_EQ(error_of(file_of("{" + a + "}", eight)), "no error");
  EXPECT_EQ(error_of(file_of("{" + a + "}   ", eight)), "no error");
  struct Case { std::string file, says; };
  const Case cases[] = {
      {"1234567", "has 7 bytes"},
      {std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), "a header of 18446744073709551615 bytes"},
      {std::string("\x09\0\0\0\0\0\0\0{}", 10), "cut off: a header of 9 bytes, but only 2"},
      {file_of("[]", ""), "the header is no JSON object"},
      {file_of("", ""), "the header is no JSON object"},
      {file_of("{" + a, eight), "header:1:54: not JSON"},
      {file_of("{\"a\":" + std::string(100000, '['), ""), "nested more than"},
      {file_of("{" + a + R"(,"b":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}})", eight), "the data of tensors `a` and `b` overlap"},
      {file_of("{" + a + "," + a + "}", eight), "tensor `a` is there twice"},
      {file_of(R"({"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}})", ""), "tensor `a` is there twice"},
      {file_of(R"({"a":3})", ""), "tensor `a`: expected an object"},
      {file_of(R"({"a":{"dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8]}})", eight), "tensor `a`: dtype `F8_E4M3` is not supported (F32, F16 and BF16 are)"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2]}})", eight), "tensor `a`: no `data_offsets`"},
      {file_of(R"({"a":{"dtype":"F32","dtype":"F16","shape":[2],"data_offsets":[0,8]}})", eight), "`dtype` is there twice"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", eight), "unknown member `x`"},
      {file_of(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", eight), "`shape`: expected an integer of at least 0"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})", eight), "`shape`: expected an integer"},
      {file_of(R"({"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}})", eight), "too many elements"},
      {file_of(R"({"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}})", eight), "too many elements"},
      {file_of(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}})", eight), "17 dimensions"},
      {file_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", eight), "make 12 bytes, its offsets 8"},
      {file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", eight), "begin at 8 and end before, at 0"},
      {file_of(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}})", eight), "the data of tensor `a` end at 12, the file's at 8"},
      {file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight), "a gap of 4 bytes before the data of tensor `a`"},
      {file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", eight), "4 bytes behind the last tensor's data"},
      {file_of(R"({"__metadata__":{"a":1}})", ""), "`__metadata__`: `a`: expected a text"},
  };
  for (const Case& c : cases) {
    const std::string e = error_of(c.file);
    EXPECT_TRUE(e.starts_with("w.safetensors")) << e;
    EXPECT_NE(e.find(c.says), std::string::npos) << "wanted: " << c.says << "\n   got: " << e;
  }
}

TEST(SafetensorsFile, WrongCallsAreRefused) {
  const std::string four("1234");
  EXPECT_THROW(write_safetensors("/nowhere/x", std::vector{tensor("a", DType::F32, {2}, four)}), std::invalid_argument);
  EXPECT_THROW(write_safetensors("/nowhere/x", std::vector{tensor("a", DType::F32, {1}, four), tensor("a", DType::F32, {1}, four)}), std::invalid_argument);
  EXPECT_THROW(write_safetensors("/nowhere/x", std::vector{tensor("a", DType::F32, {1}, four)}), ppc::engine::SystemError);
}

// The golden models' weights, where they are.
TEST_F(Safetensors, GoldenModelsAgain) {
  const char* shared = std::getenv("PPC_SHARED");
  const fs::path models = shared ? fs::path(shared) / "golden/models" : fs::path(PPC_SOURCE_DIR).parent_path() / "shared/golden/models";
  if (!fs::exists(models)) GTEST_SKIP() << "no folder " << models << " (PPC_SHARED)";
  for (const auto& model : fs::directory_iterator(models)) {
    const Weights w = Weights::open(model.path().string());
    EXPECT_GT(w.tensors().size(), 30u);
    write_weights(home.string(), w.tensors(), 1'000'000);
    const Weights again = Weights::open(home.string());
    EXPECT_GT(again.files().size(), 2u);
    ASSERT_EQ(again.tensors().size(), w.tensors().size());
    for (const TensorView& t : w.tensors()) {
      const TensorView& o = again.get(t.name, t.shape);
      EXPECT_TRUE(o.dtype == t.dtype && std::memcmp(o.data.data(), t.data.data(), t.data.size()) == 0) << t.name;
    }
  }
}
