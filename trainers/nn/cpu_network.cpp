#include "trainers/nn/cpu_network.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <stdexcept>
#include <unordered_map>
#include <utility>

#include "trainers/model/safetensors.h"
#include "trainers/nn/pages.h"
#include "trainers/nn/rope.h"

namespace ppc::nn {
namespace {

constexpr int64_t kBatch = 256;      // tokens computed together: what they need stays in the second-level cache
constexpr int64_t kSpanPages = 16;   // attention to so many pages is summed up alone, so that threads can share a long sequence
constexpr int64_t kQueryRows = 48;   // queries that look at a page together, of all heads that share its keys
constexpr int64_t kRowsOfTask = 8;   // of what is done row by row

float from_half(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023;
  uint32_t bits;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(fraction), -24);
    return sign ? -value : value;
  }
  bits = sign | (exponent == 31 ? 255u << 23 : (exponent + 112) << 23) | fraction << 13;
  float result;
  std::memcpy(&result, &bits, 4);
  return result;
}

void to_floats(const model::TensorView& tensor, int64_t from, int64_t count, float* out) {
  const std::byte* data = tensor.data.data() + static_cast<size_t>(from) * model::bytes_of(tensor.dtype);
  if (tensor.dtype == model::DType::F32) {
    std::memcpy(out, data, static_cast<size_t>(count) * 4);
    return;
  }
  for (int64_t i = 0; i < count; i++) {
    uint16_t value;
    std::memcpy(&value, data + 2 * i, 2);
    out[i] = tensor.dtype == model::DType::F16 ? from_half(value) : from_bfloat16(value);
  }
}

int64_t available_memory() {
  std::ifstream file("/proc/meminfo");
  for (std::string key, rest; file >> key && std::getline(file, rest);)
    if (key == "MemAvailable:") return std::stoll(rest) * 1024;
  throw std::runtime_error("/proc/meminfo does not say how much memory is free");
}

// The length of a row in a buffer: what a product reads, and some more, so that rows of a power of two do not fall into the same lines
// of a cache.
int64_t stride(int64_t columns) { return round_up(columns, kDepth) + 16; }

/// Rows of floats, zero where nobody writes.
struct Rows {
  Rows() = default;
  Rows(int64_t rows, int64_t columns) : ld(stride(columns)), memory(static_cast<size_t>(rows * ld) * sizeof(float)) {}
  float* at(int64_t row) const { return reinterpret_cast<float*>(memory.data()) + row * ld; }

  int64_t ld = 0;
  nn::Memory memory;
};

struct Layer {
  const float *input_norm = nullptr, *output_norm = nullptr;       // before attention, before the feed-forward part
  const float *q_norm = nullptr, *k_norm = nullptr;                // or null
  const float *qkv_bias = nullptr, *o_bias = nullptr, *gate_up_bias = nullptr, *down_bias = nullptr;
  Matrix qkv, o, gate_up, down;
};

class CpuNetwork : public Network {
 public:
  CpuNetwork(model::ModelConfig config, const model::Weights& weights, const NetworkOptions& options, Isa isa);

  const model::ModelConfig& config() const override { return config_; }
  SequenceId create() override { return pages_.create(); }
  SequenceId fork(SequenceId s, int64_t length) override { return pages_.fork(s, length); }
  void truncate(SequenceId s, int64_t length) override { pages_.truncate(s, length); }
  void release(SequenceId s) override { pages_.release(s); }
  int64_t length(SequenceId s) const override { return pages_.length(s); }
  int64_t page_size() const override { return kPageTokens; }
  int64_t pages() const override { return pages_.pages(); }
  int64_t free_pages() const override { return pages_.free_pages(); }
  int64_t pages_needed(SequenceId s, int64_t tokens) const override { return pages_.pages_needed(s, tokens); }
  Logits forward(std::span<const Item> items) override;
  void load(const WeightSource&) override;
  int threads() const override { return workers_.threads(); }
  void share(int64_t tasks, const std::function<void(int64_t, int)>& f) override { workers_.run(tasks, f); }
  Memory memory() const override {
    return {static_cast<int64_t>(weights_.bytes() + vectors_.size() * sizeof(float)), pages_.pages() * page_bytes(), page_bytes()};
  }

 private:
  // Tokens of one item in a batch.
  struct Part {
    size_t item;
    int64_t row, rows, past;  // its first row in the batch, how many, and the tokens before them
  };
  struct Unit {
    size_t part;
    int64_t head, query, queries, spans;  // of keys and values; the part's rows
  };
  struct Scratch {
    std::vector<float> queries, values, later, scores, greatest, sum, later_greatest, later_sum;
    std::vector<int64_t> visible;
  };

  /// Where a tensor's rows go: in a matrix from row `first` on, or without one among the vectors. With `every` 2 each panel of rows is followed by
  /// one of another tensor.
  struct Place { const Matrix* matrix = nullptr; int64_t first = 0, every = 1; };
  void make_places();
  void set(const model::TensorView&);
  void set_embedding(const model::TensorView&);
  int64_t head_bytes() const { return 2 * head_dim_ * kPageTokens * static_cast<int64_t>(bytes_of(precision_)); }
  int64_t page_bytes() const { return config_.num_hidden_layers * config_.num_key_value_heads * head_bytes(); }
  std::byte* page(PageId page, int64_t layer, int64_t head) const {
    return cache_.data() + page * page_bytes() + (layer * config_.num_key_value_heads + head) * head_bytes();
  }
  void prepare_rope(int64_t positions);
  void copy(const std::vector<Pages::Copy>&);
  void embed(TokenId token, float* row) const;
  void compute(std::span<const Item> items, const std::vector<Part>& parts, int64_t rows);
  void normalize(const Rows& from, int64_t rows, const float* weight);
  void keep_keys(std::span<const Item> items, const std::vector<Part>& parts, const Layer&, int64_t layer);
  void store(PageId page, int64_t layer, int64_t head, int64_t slot, const float* key, const float* value, bool last) const;
  std::vector<Unit> units_of(const std::vector<Part>& parts) const;
  void attend(std::span<const Item> items, const std::vector<Part>& parts, const std::vector<Unit>& units, int64_t layer);
  void attend_span(const Item& item, const Part& part, const Unit& unit, int64_t layer, int64_t span, Scratch&, Attention&) const;
  void finish(const Part& part, const Unit& unit, const float* values, const float* sum) const;
  template <class F>
  void by_rows(int64_t rows, F&& f) {
    workers_.run((rows + kRowsOfTask - 1) / kRowsOfTask, [&](int64_t task, int) {
      for (int64_t row = task * kRowsOfTask; row < std::min(rows, (task + 1) * kRowsOfTask); row++) f(row);
    });
  }

  model::ModelConfig config_;
  Precision precision_;
  const Kernels& kernels_;
  Workers workers_;
  int64_t head_dim_, group_;  // padded; queries for each head of keys
  Pages pages_{0, kPageTokens};
  nn::Memory weights_, cache_;
  std::vector<float> vectors_;  // norms and biases
  std::vector<Layer> layers_;
  std::unordered_map<std::string, Place> places_;
  const float* norm_ = nullptr;
  Matrix head_;
  const std::byte* embedding_ = nullptr;  // [vocabulary][hidden], where it is not the head
  std::vector<double> frequencies_;
  std::vector<float> cosines_, sines_;  // [positions][head_dim / 2]

  Rows x_, normal_, qkv_, attended_, gated_, wanted_;
  nn::Memory parts_, product_scratch_;
  std::vector<Scratch> scratch_;  // for each thread
  std::vector<float> partial_values_, partial_greatest_, partial_sum_;
  std::vector<float> logits_;
};

CpuNetwork::CpuNetwork(model::ModelConfig config, const model::Weights& weights, const NetworkOptions& options, Isa isa)
    : config_(std::move(config)), precision_(options.precision), kernels_(kernels(isa)), workers_(options.threads),
      head_dim_(round_up(config_.head_dim, kLanes)), group_(config_.num_attention_heads / config_.num_key_value_heads) {
  make_places();
  load(source_of(config_, weights));
  int64_t pages = options.cache_tokens > 0 ? (options.cache_tokens + kPageTokens - 1) / kPageTokens : available_memory() / 2 / page_bytes();
  pages_ = Pages(std::clamp<int64_t>(pages, 1, std::numeric_limits<PageId>::max()), kPageTokens);
  cache_ = nn::Memory(static_cast<size_t>(pages_.pages() * page_bytes()));
  frequencies_ = rope_frequencies(config_);

  const int64_t q = config_.num_attention_heads * config_.head_dim, kv = config_.num_key_value_heads * config_.head_dim;
  x_ = Rows(kBatch, config_.hidden_size);
  normal_ = Rows(kBatch, config_.hidden_size);
  qkv_ = Rows(kBatch, q + 2 * kv);
  attended_ = Rows(kBatch, q);
  gated_ = Rows(kBatch, config_.intermediate_size);
  parts_ = nn::Memory(parts_bytes(kernels_, precision_, kBatch, std::max({config_.hidden_size, q, config_.intermediate_size})));
  product_scratch_ = nn::Memory(static_cast<size_t>(nn::product_scratch(workers_.threads())) * sizeof(float));
  scratch_.resize(static_cast<size_t>(workers_.threads()));
  const size_t rows = static_cast<size_t>(std::max(group_, kQueryRows / group_ * group_));
  for (Scratch& s : scratch_) {
    for (auto* values : {&s.queries, &s.values, &s.later}) values->resize(rows * static_cast<size_t>(head_dim_));
    for (auto* numbers : {&s.greatest, &s.sum, &s.later_greatest, &s.later_sum}) numbers->resize(rows);
    s.scores.resize(rows * kPageTokens);
    s.visible.resize(rows);
  }
}

/// Memory for all weights, and which tensor goes where.
void CpuNetwork::make_places() {
  const int64_t hidden = config_.hidden_size, q = config_.num_attention_heads * config_.head_dim, kv = config_.num_key_value_heads * config_.head_dim;
  const int64_t inner = config_.intermediate_size, inner_panels = (inner + kPanel - 1) / kPanel;
  layers_.resize(static_cast<size_t>(config_.num_hidden_layers));

  // Memory first, so that addresses stay.
  size_t bytes = 0;
  auto size = [&](Matrix& matrix, int64_t outputs, int64_t inputs) {
    matrix.outputs = outputs;
    matrix.inputs = inputs;
    matrix.precision = precision_;
    bytes += matrix.packed_bytes();
  };
  for (Layer& layer : layers_) {
    size(layer.qkv, q + 2 * kv, hidden);
    size(layer.o, hidden, q);
    size(layer.gate_up, 2 * inner_panels * kPanel, hidden);
    size(layer.down, hidden, inner);
  }
  size(head_, config_.vocab_size, hidden);
  const size_t embedding_bytes = config_.tie_word_embeddings ? 0 : static_cast<size_t>(config_.vocab_size * hidden) * bytes_of(precision_);
  weights_ = nn::Memory(bytes + embedding_bytes);
  size_t at = 0;
  auto take = [&](Matrix& matrix) {
    matrix.data = weights_.data() + at;
    at += matrix.packed_bytes();
  };
  std::vector<std::pair<const float**, size_t>> vectors;  // once all are there
  auto vector = [&](const float*& to, int64_t numbers) {
    const size_t from = vectors_.size();
    vectors.emplace_back(&to, from);
    vectors_.resize(from + static_cast<size_t>(numbers));
    return from;
  };

  for (size_t i = 0; i < layers_.size(); i++) {
    Layer& layer = layers_[i];
    const std::string name = "model.layers." + std::to_string(i) + ".";
    for (Matrix* m : {&layer.qkv, &layer.o, &layer.gate_up, &layer.down}) take(*m);
    auto rows = [&](const char* which, const Matrix& matrix, int64_t first) { places_[name + which + ".weight"] = {.matrix = &matrix, .first = first}; };
    rows("self_attn.q_proj", layer.qkv, 0);
    rows("self_attn.k_proj", layer.qkv, q);
    rows("self_attn.v_proj", layer.qkv, q + kv);
    rows("self_attn.o_proj", layer.o, 0);
    rows("mlp.down_proj", layer.down, 0);
    places_[name + "mlp.gate_proj.weight"] = {.matrix = &layer.gate_up, .every = 2};
    places_[name + "mlp.up_proj.weight"] = {.matrix = &layer.gate_up, .first = kPanel, .every = 2};
    auto numbers = [&](const char* which, const float*& to, int64_t count) { places_[name + which] = {.first = static_cast<int64_t>(vector(to, count))}; };
    numbers("input_layernorm.weight", layer.input_norm, hidden);
    numbers("post_attention_layernorm.weight", layer.output_norm, hidden);
    if (config_.qk_norm) {
      numbers("self_attn.q_norm.weight", layer.q_norm, config_.head_dim);
      numbers("self_attn.k_norm.weight", layer.k_norm, config_.head_dim);
    }
    if (config_.qkv_bias) {
      const auto from = static_cast<int64_t>(vector(layer.qkv_bias, q + 2 * kv));
      places_[name + "self_attn.q_proj.bias"] = {.first = from};
      places_[name + "self_attn.k_proj.bias"] = {.first = from + q};
      places_[name + "self_attn.v_proj.bias"] = {.first = from + q + kv};
    }
    if (config_.o_bias) numbers("self_attn.o_proj.bias", layer.o_bias, hidden);
    if (config_.mlp_bias) {
      const auto from = static_cast<int64_t>(vector(layer.gate_up_bias, 2 * inner_panels * kPanel));
      places_[name + "mlp.gate_proj.bias"] = {.first = from, .every = 2};
      places_[name + "mlp.up_proj.bias"] = {.first = from + kPanel, .every = 2};
      numbers("mlp.down_proj.bias", layer.down_bias, hidden);
    }
  }
  places_["model.norm.weight"] = {.first = static_cast<int64_t>(vector(norm_, hidden))};
  take(head_);
  if (config_.tie_word_embeddings) {
    places_["model.embed_tokens.weight"] = {.matrix = &head_};
  } else {
    places_["lm_head.weight"] = {.matrix = &head_};
    embedding_ = weights_.data() + at;
  }
  for (auto& [to, offset] : vectors) *to = vectors_.data() + offset;
}

void CpuNetwork::set(const model::TensorView& tensor) {
  const auto found = places_.find(tensor.name);
  if (found == places_.end()) return set_embedding(tensor);
  const Place& place = found->second;
  const int64_t rows = tensor.shape[0];
  if (!place.matrix) {
    for (int64_t at = 0; at < rows; at += kPanel)
      to_floats(tensor, at, std::min(kPanel, rows - at), vectors_.data() + place.first + at * place.every);
    return;
  }
  // Panel by panel: those that a tensor fills in part keep the rest.
  const Matrix& matrix = *place.matrix;
  const int64_t inputs = matrix.inputs, first = place.first / kPanel, skip = place.first % kPanel;
  workers_.run((skip + rows + kPanel - 1) / kPanel, [&](int64_t piece, int) {
    std::vector<float> panel(static_cast<size_t>(kPanel * inputs));
    const int64_t at = (first + piece * place.every) * kPanel, from = std::max<int64_t>(0, piece * kPanel - skip), to = std::min(rows, (piece + 1) * kPanel - skip);
    const int64_t begin = piece == 0 ? skip : 0, end = begin + to - from, all = std::min(kPanel, matrix.outputs - at);
    for (int64_t r = 0; r < all; r++)
      if (r < begin || r >= end) matrix.unpack(at + r, panel.data() + r * inputs);
    to_floats(tensor, from * inputs, (to - from) * inputs, panel.data() + begin * inputs);
    matrix.pack(at / kPanel, panel.data(), inputs, all);
  });
}

void CpuNetwork::set_embedding(const model::TensorView& tensor) {
  const int64_t hidden = config_.hidden_size;
  auto* rows = const_cast<std::byte*>(embedding_);
  workers_.run(config_.vocab_size, [&](int64_t token, int) {
    std::vector<float> row(static_cast<size_t>(hidden));
    to_floats(tensor, token * hidden, hidden, row.data());
    if (precision_ == Precision::Float32) {
      std::memcpy(rows + token * hidden * 4, row.data(), static_cast<size_t>(hidden) * 4);
    } else {
      auto* out = reinterpret_cast<uint16_t*>(rows) + token * hidden;
      for (int64_t i = 0; i < hidden; i++) out[i] = to_bfloat16(row[static_cast<size_t>(i)]);
    }
  });
}

void CpuNetwork::load(const WeightSource& source) {
  if (pages_.sequences() > 0) throw std::invalid_argument("other weights: " + std::to_string(pages_.sequences()) + " sequences are still there");
  read_weights(config_, source, [&](const model::TensorView& tensor) { set(tensor); });
}

void CpuNetwork::embed(TokenId token, float* row) const {
  const int64_t hidden = config_.hidden_size;
  if (!embedding_) {
    head_.unpack(token, row);
  } else if (precision_ == Precision::Float32) {
    std::memcpy(row, embedding_ + token * hidden * 4, static_cast<size_t>(hidden) * 4);
  } else {
    const auto* from = reinterpret_cast<const uint16_t*>(embedding_) + token * hidden;
    for (int64_t i = 0; i < hidden; i++) row[i] = from_bfloat16(from[i]);
  }
}

void CpuNetwork::prepare_rope(int64_t positions) {
  const size_t half = frequencies_.size();
  int64_t have = static_cast<int64_t>(cosines_.size() / half);
  if (have >= positions) return;
  positions = round_up(positions, 256);
  cosines_.resize(static_cast<size_t>(positions) * half);
  sines_.resize(static_cast<size_t>(positions) * half);
  for (; have < positions; have++)
    for (size_t i = 0; i < half; i++) {
      const double angle = static_cast<double>(have) * frequencies_[i];
      cosines_[static_cast<size_t>(have) * half + i] = static_cast<float>(std::cos(angle));
      sines_[static_cast<size_t>(have) * half + i] = static_cast<float>(std::sin(angle));
    }
}

void CpuNetwork::copy(const std::vector<Pages::Copy>& copies) {
  // One after the other copy: a page may be copied from and, later, to.
  const int64_t heads = config_.num_hidden_layers * config_.num_key_value_heads;
  for (const Pages::Copy& copy : copies)
    workers_.run(heads, [&](int64_t head, int) {
      std::memcpy(page(copy.to, 0, head), page(copy.from, 0, head), static_cast<size_t>(head_bytes()));
    });
}

void CpuNetwork::normalize(const Rows& from, int64_t rows, const float* weight) {
  const float eps = static_cast<float>(config_.rms_norm_eps);
  by_rows(rows, [&](int64_t row) { kernels_.rms_norm(from.at(row), weight, eps, config_.hidden_size, normal_.at(row)); });
}

void CpuNetwork::store(PageId id, int64_t layer, int64_t head, int64_t slot, const float* key, const float* value, bool last) const {
  std::byte* at = page(id, layer, head);
  const int64_t dim = config_.head_dim;
  if (precision_ == Precision::Float32) {
    auto* keys = reinterpret_cast<float*>(at);
    float* values = keys + head_dim_ * kPageTokens;
    for (int64_t d = 0; d < dim; d++) keys[d * kPageTokens + slot] = key[d];
    std::memcpy(values + slot * head_dim_, value, static_cast<size_t>(dim) * sizeof(float));
  } else {
    auto* keys = reinterpret_cast<uint16_t*>(at);
    uint16_t* values = keys + head_dim_ * kPageTokens + slot / 2 * 2 * head_dim_ + slot % 2;
    for (int64_t d = 0; d < dim; d++) keys[(d / 2 * kPageTokens + slot) * 2 + d % 2] = to_bfloat16(key[d]);
    for (int64_t d = 0; d < dim; d++) values[2 * d] = to_bfloat16(value[d]);
    // The pair's other token is multiplied by 0, so it must be a number.
    if (last && slot % 2 == 0)
      for (int64_t d = 0; d < dim; d++) values[2 * d + 1] = 0;
  }
}

void CpuNetwork::keep_keys(std::span<const Item> items, const std::vector<Part>& parts, const Layer& layer, int64_t number) {
  const int64_t heads = config_.num_attention_heads, kv_heads = config_.num_key_value_heads, dim = config_.head_dim, half = dim / 2;
  const float eps = static_cast<float>(config_.rms_norm_eps);
  const int64_t rows = parts.back().row + parts.back().rows;
  by_rows(rows, [&](int64_t row) {
    const Part& part = *std::prev(std::upper_bound(parts.begin(), parts.end(), row, [](int64_t r, const Part& p) { return r < p.row; }));
    const int64_t position = part.past + row - part.row;
    const float* cosines = cosines_.data() + position * half;
    const float* sines = sines_.data() + position * half;
    float* head = qkv_.at(row);
    for (int64_t h = 0; h < heads + kv_heads; h++, head += dim) {
      if (layer.q_norm) kernels_.rms_norm(head, h < heads ? layer.q_norm : layer.k_norm, eps, dim, head);
      kernels_.rotate(head, cosines, sines, half);
    }
    const float* keys = qkv_.at(row) + heads * dim;
    const PageId id = pages_.table(items[part.item].sequence)[static_cast<size_t>(position / kPageTokens)];
    for (int64_t h = 0; h < kv_heads; h++)
      store(id, number, h, position % kPageTokens, keys + h * dim, keys + (kv_heads + h) * dim, row + 1 == part.row + part.rows);
  });
}

void CpuNetwork::attend_span(const Item& item, const Part& part, const Unit& unit, int64_t layer, int64_t span, Scratch& scratch, Attention& out) const {
  const int64_t begin = span * kSpanPages * kPageTokens;
  const std::byte* addresses[kSpanPages];
  const std::span<const PageId> table = pages_.table(item.sequence);
  const int64_t end = part.past + unit.query + unit.queries;  // tokens that the last query sees
  out.page_count = std::min(kSpanPages, (end - begin + kPageTokens - 1) / kPageTokens);
  for (int64_t p = 0; p < out.page_count; p++) addresses[p] = page(table[static_cast<size_t>(span * kSpanPages + p)], layer, unit.head);
  out.pages = addresses;
  out.rows = unit.queries * group_;
  out.head_dim = head_dim_;
  for (int64_t r = 0; r < out.rows; r++)
    scratch.visible[static_cast<size_t>(r)] = std::max<int64_t>(0, part.past + unit.query + r / group_ + 1 - begin);
  out.visible = scratch.visible.data();
  out.queries = scratch.queries.data();
  out.scratch = scratch.scores.data();
  kernels_.attention[static_cast<int>(precision_)](out);
  out.pages = nullptr;
}

void CpuNetwork::finish(const Part& part, const Unit& unit, const float* values, const float* sum) const {
  const int64_t dim = config_.head_dim;
  for (int64_t r = 0; r < unit.queries * group_; r++) {
    float* to = attended_.at(part.row + unit.query + r / group_) + (unit.head * group_ + r % group_) * dim;
    for (int64_t d = 0; d < dim; d++) to[d] = values[r * head_dim_ + d] / sum[r];
  }
}

std::vector<CpuNetwork::Unit> CpuNetwork::units_of(const std::vector<Part>& parts) const {
  const int64_t queries = std::max<int64_t>(1, kQueryRows / group_), span = kSpanPages * kPageTokens;
  std::vector<Unit> units;
  for (size_t p = 0; p < parts.size(); p++)
    for (int64_t query = 0; query < parts[p].rows; query += queries)
      for (int64_t head = 0; head < config_.num_key_value_heads; head++) {
        const int64_t count = std::min(queries, parts[p].rows - query);
        units.push_back({p, head, query, count, (parts[p].past + query + count + span - 1) / span});
      }
  // Those with most work first, so that threads end together.
  auto work = [&](const Unit& u) { return u.queries * (parts[u.part].past + u.query + u.queries); };
  std::sort(units.begin(), units.end(), [&](const Unit& a, const Unit& b) { return work(a) > work(b); });
  return units;
}

void CpuNetwork::attend(std::span<const Item> items, const std::vector<Part>& parts, const std::vector<Unit>& units, int64_t layer) {
  const int64_t dim = config_.head_dim;
  const float scale = 1.0f / std::sqrt(static_cast<float>(dim));
  auto take_queries = [&](const Unit& unit, Scratch& scratch) {
    for (int64_t r = 0; r < unit.queries * group_; r++) {
      const float* from = qkv_.at(parts[unit.part].row + unit.query + r / group_) + (unit.head * group_ + r % group_) * dim;
      float* to = scratch.queries.data() + r * head_dim_;
      for (int64_t d = 0; d < dim; d++) to[d] = from[d] * scale;
    }
  };
  const int64_t count = static_cast<int64_t>(units.size());

  const bool long_ones = std::any_of(units.begin(), units.end(), [](const Unit& u) { return u.spans > 1; });

  if (!long_ones || count >= 4 * workers_.threads()) {
    workers_.run(count, [&](int64_t task, int thread) {
      const Unit& unit = units[static_cast<size_t>(task)];
      const Part& part = parts[unit.part];
      Scratch& scratch = scratch_[static_cast<size_t>(thread)];
      take_queries(unit, scratch);
      Attention all, later;
      all.greatest = scratch.greatest.data();
      all.sum = scratch.sum.data();
      all.values = scratch.values.data();
      later.greatest = scratch.later_greatest.data();
      later.sum = scratch.later_sum.data();
      later.values = scratch.later.data();
      attend_span(items[part.item], part, unit, layer, 0, scratch, all);
      for (int64_t span = 1; span < unit.spans; span++) {
        attend_span(items[part.item], part, unit, layer, span, scratch, later);
        kernels_.join(all, later);
      }
      finish(part, unit, all.values, all.sum);
    });
    return;
  }

  // Few and long: their spans at once, which are then joined in the same order.
  struct Task {
    int64_t unit, span;
    size_t row;  // of the partial results
  };
  std::vector<Task> tasks;
  size_t rows = 0;
  for (int64_t u = 0; u < count; u++)
    for (int64_t span = 0; span < units[static_cast<size_t>(u)].spans; span++) {
      tasks.push_back({u, span, rows});
      rows += static_cast<size_t>(units[static_cast<size_t>(u)].queries * group_);
    }
  if (partial_sum_.size() < rows) {
    partial_values_.resize(rows * static_cast<size_t>(head_dim_));
    partial_greatest_.resize(rows);
    partial_sum_.resize(rows);
  }
  auto result = [&](const Task& task) {
    Attention out;
    out.greatest = partial_greatest_.data() + task.row;
    out.sum = partial_sum_.data() + task.row;
    out.values = partial_values_.data() + task.row * static_cast<size_t>(head_dim_);
    return out;
  };
  workers_.run(static_cast<int64_t>(tasks.size()), [&](int64_t t, int thread) {
    const Task& task = tasks[static_cast<size_t>(t)];
    const Unit& unit = units[static_cast<size_t>(task.unit)];
    Scratch& scratch = scratch_[static_cast<size_t>(thread)];
    take_queries(unit, scratch);
    Attention out = result(task);
    attend_span(items[parts[unit.part].item], parts[unit.part], unit, layer, task.span, scratch, out);
  });
  for (size_t t = 0; t < tasks.size();) {
    const Unit& unit = units[static_cast<size_t>(tasks[t].unit)];
    Attention all = result(tasks[t]);
    all.rows = unit.queries * group_;
    all.head_dim = head_dim_;
    for (t++; t < tasks.size() && tasks[t].span > 0; t++) kernels_.join(all, result(tasks[t]));
    finish(parts[unit.part], unit, all.values, all.sum);
  }
}

void CpuNetwork::compute(std::span<const Item> items, const std::vector<Part>& parts, int64_t rows) {
  auto* space = reinterpret_cast<uint16_t*>(parts_.data());
  auto* scratch = reinterpret_cast<float*>(product_scratch_.data());
  const std::vector<Unit> units = units_of(parts);
  auto input = [&](const Rows& from) { return Input{from.at(0), from.ld, rows, space}; };
  for (size_t i = 0; i < layers_.size(); i++) {
    const Layer& layer = layers_[i];
    normalize(x_, rows, layer.input_norm);
    linear(workers_, kernels_, input(normal_), layer.qkv, layer.qkv_bias, qkv_.at(0), qkv_.ld, Into::Set, scratch);
    keep_keys(items, parts, layer, static_cast<int64_t>(i));
    attend(items, parts, units, static_cast<int64_t>(i));
    linear(workers_, kernels_, input(attended_), layer.o, layer.o_bias, x_.at(0), x_.ld, Into::Add, scratch);
    normalize(x_, rows, layer.output_norm);
    nn::gated(workers_, kernels_, input(normal_), layer.gate_up, layer.gate_up_bias, config_.intermediate_size, gated_.at(0), gated_.ld, scratch);
    linear(workers_, kernels_, input(gated_), layer.down, layer.down_bias, x_.at(0), x_.ld, Into::Add, scratch);
  }
}

Network::Logits CpuNetwork::forward(std::span<const Item> items) {
  const int64_t hidden = config_.hidden_size, vocabulary = config_.vocab_size;
  std::vector<Pages::Growth> growths;
  std::vector<int64_t> past;
  int64_t wanted = 0, longest = 0;
  for (const Item& item : items) {
    if (item.tokens.empty()) throw std::invalid_argument("sequence " + std::to_string(item.sequence) + ": no new tokens");
    for (TokenId token : item.tokens)
      if (token < 0 || token >= vocabulary)
        throw std::invalid_argument("token " + std::to_string(token) + " is outside the vocabulary of " + std::to_string(vocabulary));
    const auto tokens = static_cast<int64_t>(item.tokens.size());
    growths.push_back({item.sequence, tokens});
    past.push_back(pages_.length(item.sequence));
    longest = std::max(longest, past.back() + tokens);
    wanted += item.want == Want::All ? tokens : item.want == Want::Last ? 1 : 0;
  }
  // What may fail for want of memory comes before anything changes.
  prepare_rope(longest);
  if (logits_.size() < static_cast<size_t>(wanted * vocabulary)) {
    logits_.clear();
    logits_.resize(static_cast<size_t>(wanted * vocabulary));
  }
  if (wanted_.ld == 0) wanted_ = Rows(kBatch, hidden);
  std::vector<Part> parts;
  parts.reserve(items.size());
  copy(pages_.grow(growths));

  int64_t have = 0, done = 0;  // wanted rows, waiting and with logits
  auto flush = [&] {
    linear(workers_, kernels_, {wanted_.at(0), wanted_.ld, have, reinterpret_cast<uint16_t*>(parts_.data())}, head_, nullptr,
           logits_.data() + done * vocabulary, vocabulary, Into::Set, reinterpret_cast<float*>(product_scratch_.data()));
    done += have;
    have = 0;
  };
  // Batches of tokens in the order of the items: an item's later tokens find the keys of the earlier ones.
  int64_t rows = 0;
  auto batch = [&] {
    compute(items, parts, rows);
    for (const Part& part : parts) {
      const Item& item = items[part.item];
      const int64_t end = part.past - past[part.item] + part.rows;
      for (int64_t r = 0; r < part.rows; r++) {
        const bool last = r + 1 == part.rows && end == static_cast<int64_t>(item.tokens.size());
        if (item.want == Want::None || (item.want == Want::Last && !last)) continue;
        kernels_.rms_norm(x_.at(part.row + r), norm_, static_cast<float>(config_.rms_norm_eps), hidden, wanted_.at(have));
        if (++have == kBatch) flush();
      }
    }
    parts.clear();
    rows = 0;
  };
  for (size_t i = 0; i < items.size(); i++)
    for (int64_t from = 0, all = static_cast<int64_t>(items[i].tokens.size()); from < all;) {
      const int64_t now = std::min(all - from, kBatch - rows);
      for (int64_t t = 0; t < now; t++) embed(items[i].tokens[static_cast<size_t>(from + t)], x_.at(rows + t));
      parts.push_back({i, rows, now, past[i] + from});
      rows += now;
      from += now;
      if (rows == kBatch) batch();
    }
  if (rows > 0) batch();
  if (have > 0) flush();
  return {wanted, vocabulary, wanted ? logits_.data() : nullptr};
}

}  // namespace

std::unique_ptr<Network> load_cpu_network(const std::string& folder, const NetworkOptions& options, Isa isa) {
  if (options.device != "cpu") throw std::invalid_argument("device `" + options.device + "`: expected cpu");
  if (options.threads < 0 || options.cache_tokens < 0) throw std::invalid_argument("threads and cache_tokens are at least 0");
  return std::make_unique<CpuNetwork>(model::load_config(folder), model::Weights::open(folder), options, isa);
}

}  // namespace ppc::nn
