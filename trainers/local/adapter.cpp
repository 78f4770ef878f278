#include "trainers/local/adapter.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <set>
#include <string_view>

#include "runtime/engine/episode.h"
#include "runtime/engine/json.h"

namespace ppc::trainers {

using engine::InputError;
using engine::Json;
using model::DType;
using model::TensorView;

namespace {

constexpr std::string_view kPrefix = "base_model.model.";

float of_half(uint16_t h) {
  const uint32_t sign = static_cast<uint32_t>(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
  if (exponent == 0) return (sign ? -1.0f : 1.0f) * static_cast<float>(mantissa) * 0x1p-24f;
  return std::bit_cast<float>(sign | (exponent == 31 ? 0x7F800000u : (exponent + 112) << 23) | mantissa << 13);
}

std::vector<float> floats(const TensorView& t) {
  std::vector<float> out(static_cast<size_t>(t.elements()));
  for (size_t i = 0; i < out.size(); ++i) {
    if (t.dtype == DType::F32) {
      std::memcpy(&out[i], t.data.data() + 4 * i, 4);
    } else {
      uint16_t bits;
      std::memcpy(&bits, t.data.data() + 2 * i, 2);
      out[i] = t.dtype == DType::BF16 ? std::bit_cast<float>(static_cast<uint32_t>(bits) << 16) : of_half(bits);
    }
  }
  return out;
}

/// "model.layers.0.self_attn.q_proj.weight" -> "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
std::string part_of(const std::string& name, const char* part) {
  constexpr std::string_view weight = ".weight";
  if (!name.ends_with(weight)) return {};
  return std::string(kPrefix) + name.substr(0, name.size() - weight.size()) + part + std::string(weight);
}

}  // namespace

Adapter::Adapter(const std::string& folder, const model::ModelConfig& config) : weights_(model::Weights::open(folder + "/adapter_model.safetensors")) {
  const std::string file = folder + "/adapter_config.json";
  const Json json = engine::load_json(file);
  auto number = [&](const char* name) {
    const Json* v = json.find(name);
    if (!v || !v->is_number() || v->as_float() <= 0) throw InputError(file + ": `" + name + "`: expected a number above 0, found " + (v ? engine::describe(*v) : "nothing"));
    return v->as_float();
  };
  scale_ = number("lora_alpha") / number("r");
  for (const char* name : {"use_rslora", "use_dora", "fan_in_fan_out"})
    if (const Json* v = json.find(name); v && v->is_bool() && v->as_bool()) throw InputError(file + ": `" + name + "` is not supported");
  if (const Json* v = json.find("bias"); v && v->is_text() && v->as_text() != "none") throw InputError(file + ": `bias` is not supported");
  for (const char* name : {"alpha_pattern", "rank_pattern"})
    if (const Json* v = json.find(name); v && v->is_object() && !v->members().empty()) throw InputError(file + ": `" + name + "` is not supported");
  std::set<std::string> known;
  for (const auto& [name, shape] : model::tensors_of(config)) {
    const TensorView *a = weights_.find(part_of(name, ".lora_A")), *b = weights_.find(part_of(name, ".lora_B"));
    if (!a && !b) continue;
    const auto rank = static_cast<int64_t>(number("r"));
    const bool fit = a && b && shape.size() == 2 && a->shape == std::vector<int64_t>{rank, shape[1]} && b->shape == std::vector<int64_t>{shape[0], rank};
    if (!fit) throw InputError(weights_.files()[0] + ": what is there for `" + name + "` does not fit this model, or `r`");
    known.insert({a->name, b->name});
  }
  for (const TensorView& t : weights_.tensors())
    if (!known.count(t.name)) throw InputError(weights_.files()[t.file] + ": tensor `" + t.name + "` belongs to none of this model's matrices");
}

void Adapter::merged(const TensorView& t, const std::function<void(const TensorView&)>& take) const {
  const TensorView *a = weights_.find(part_of(t.name, ".lora_A")), *b = weights_.find(part_of(t.name, ".lora_B"));
  if (!a) return take(t);
  const size_t out = static_cast<size_t>(t.shape[0]), in = static_cast<size_t>(t.shape[1]), rank = static_cast<size_t>(a->shape[0]);
  const std::vector<float> A = floats(*a), B = floats(*b);
  std::vector<float> sum = floats(t), row(in);
  for (size_t i = 0; i < out; ++i) {
    std::fill(row.begin(), row.end(), 0.0f);
    for (size_t k = 0; k < rank; ++k) {
      const float f = B[i * rank + k];
      for (size_t j = 0; j < in; ++j) row[j] += f * A[k * in + j];
    }
    for (size_t j = 0; j < in; ++j) sum[i * in + j] += row[j] * static_cast<float>(scale_);
  }
  TensorView view = t;
  view.dtype = DType::F32;
  view.data = std::as_bytes(std::span(sum));
  take(view);
}

}  // namespace ppc::trainers
