// The network that LibTorch computes: on a GPU, and on the CPU to test what a GPU runs. One upload and one download a call; what lies
// between them waits for nothing.
#include "trainers/nn/torch_network.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <tuple>

#include "trainers/nn/devices.h"
#include "trainers/nn/pages.h"
#include "trainers/nn/transformer.h"
#include "trainers/nn/workers.h"

namespace ppc::nn {

namespace {

constexpr int64_t kPageSize = 32;  // tokens

/// Sequences whose queries look at their keys in one product: queries [sequences, rows], keys [sequences, pages of one table].
struct Group {
  int64_t sequences = 0, rows = 0, pages = 0;
  bool prompt = false;             // one sequence from its first token: keys and values are those just computed
  int64_t first = 0;               // of a prompt: its first row among all tokens
  bool straight = false;           // rows are all tokens as they come
  int64_t take_at = 0, put_at = 0, where_at = 0, table_at = 0, limit_at = 0, real = 0;  // of the lists below in the upload
  // On the device:
  Tensor take;   // [sequences * rows]: each query's row among all tokens; any, where it is padding
  Tensor where;  // [real]: of queries that are none: their row in this group
  Tensor put;    // [real]: and among all tokens
  Tensor table;  // [sequences * pages]
  Tensor mask;   // [sequences, 1, rows, pages * page size]
};

/// What one call uploads, in one piece.
class Upload {
 public:
  template <class Range>
  int64_t add(const Range& values) {
    const int64_t at = static_cast<int64_t>(values_.size());
    values_.insert(values_.end(), values.begin(), values.end());
    return at;
  }
  void send(torch::Device device) {
    const Tensor host = torch::from_blob(values_.data(), {static_cast<int64_t>(values_.size())}, torch::kInt64);
    device_ = device.is_cpu() ? host : host.to(device);
  }
  Tensor get(int64_t at, int64_t count) const { return device_.narrow(0, at, count); }

 private:
  std::vector<int64_t> values_;
  Tensor device_;
};

class TorchNetwork : public Network {
 public:
  TorchNetwork(Transformer model, int64_t pages, int threads)
      : model_(std::move(model)), config_(model_.config()), pages_(pages, kPageSize), workers_(threads) {
    const auto options = torch::TensorOptions().device(model_.device()).dtype(model_.dtype());
    cache_ = torch::empty({config_.num_hidden_layers, 2, pages, kPageSize, config_.num_key_value_heads, config_.head_dim}, options);
  }

  const model::ModelConfig& config() const override { return config_; }
  SequenceId create() override { return pages_.create(); }
  SequenceId fork(SequenceId s, int64_t length) override { return pages_.fork(s, length); }
  void truncate(SequenceId s, int64_t length) override { pages_.truncate(s, length); }
  void release(SequenceId s) override { pages_.release(s); }
  int64_t length(SequenceId s) const override { return pages_.length(s); }
  int64_t page_size() const override { return kPageSize; }
  int64_t pages() const override { return pages_.pages(); }
  int64_t free_pages() const override { return pages_.free_pages(); }
  int64_t pages_needed(SequenceId s, int64_t tokens) const override { return pages_.pages_needed(s, tokens); }
  Logits forward(std::span<const Item> items) override;
  void load(const WeightSource& source) override {
    if (pages_.sequences() > 0) throw std::invalid_argument("other weights: " + std::to_string(pages_.sequences()) + " sequences are still there");
    guarded([&] { model_.load(source); });
  }
  int threads() const override { return workers_.threads(); }
  void share(int64_t tasks, const std::function<void(int64_t, int)>& f) override { workers_.run(tasks, f); }
  Memory memory() const override {
    Memory m;
    for (const auto& [name, p] : model_.parameters()) m.weights += static_cast<int64_t>(p.nbytes());
    m.cache = static_cast<int64_t>(cache_.nbytes());
    m.page = pages() ? m.cache / pages() : 0;
    return m;
  }

 private:
  std::vector<Group> make_groups(std::span<const Item> items, const std::vector<int64_t>& past, Upload&) const;
  Tensor attend_in(const std::vector<Group>&, int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) const;
  void compute(std::span<const Item> items, const std::vector<int64_t>& past, const std::vector<Pages::Copy>& copies, Logits&);

  Transformer model_;
  model::ModelConfig config_;
  Pages pages_;
  Workers workers_;
  Tensor cache_;   // [layers, keys or values, pages, page size, kv heads, head_dim]
  Tensor logits_;  // those of the last call, on the host
};

/// Which items go together: such that padding them to the longest costs little.
std::vector<Group> TorchNetwork::make_groups(std::span<const Item> items, const std::vector<int64_t>& past, Upload& upload) const {
  struct One { size_t item; int64_t first, rows, pages; };
  std::vector<One> order;
  int64_t tokens = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const int64_t n = static_cast<int64_t>(items[i].tokens.size());
    order.push_back({i, tokens, n, (past[i] + n + kPageSize - 1) / kPageSize});
    tokens += n;
  }
  std::sort(order.begin(), order.end(), [](const One& a, const One& b) { return std::tuple(b.rows, b.pages, a.item) < std::tuple(a.rows, a.pages, b.item); });

  std::vector<Group> groups;
  for (size_t begin = 0, end; begin < order.size(); begin = end) {
    Group g;
    g.rows = order[begin].rows;
    g.prompt = past[order[begin].item] == 0 && g.rows >= kPageSize;
    g.first = order[begin].first;
    int64_t work = 0;
    for (end = begin; end < order.size(); ++end) {
      const int64_t count = static_cast<int64_t>(end - begin) + 1, pages = std::max(g.pages, order[end].pages);
      work += order[end].rows * order[end].pages;
      const int64_t padded = count * g.rows * pages;
      if (count > 1 && (g.prompt || padded > work + work / 4 + 64 || padded * kPageSize * config_.num_attention_heads > int64_t{1} << 28)) break;
      g.pages = pages;
    }
    g.sequences = static_cast<int64_t>(end - begin);
    if (!g.prompt) {
      std::vector<int64_t> take, where, put, table, limit;
      for (size_t i = begin; i < end; ++i) {
        const One& one = order[i];
        const std::span<const PageId> pages = pages_.table(items[one.item].sequence);
        for (int64_t p = 0; p < g.pages; ++p) table.push_back(pages[p < static_cast<int64_t>(pages.size()) ? static_cast<size_t>(p) : 0]);
        for (int64_t r = 0; r < g.rows; ++r) {
          const int64_t real = std::min(r, one.rows - 1);
          if (r == real) where.push_back(static_cast<int64_t>(take.size())), put.push_back(one.first + r);
          take.push_back(one.first + real);
          limit.push_back(past[one.item] + real);
        }
      }
      g.real = static_cast<int64_t>(put.size());
      g.straight = g.real == tokens && put == take && std::is_sorted(put.begin(), put.end());
      g.take_at = upload.add(take);
      g.where_at = upload.add(where);
      g.put_at = upload.add(put);
      g.table_at = upload.add(table);
      g.limit_at = upload.add(limit);
    }
    groups.push_back(std::move(g));
  }
  return groups;
}

Tensor TorchNetwork::attend_in(const std::vector<Group>& groups, int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) const {
  Tensor out;
  for (const Group& g : groups) {
    if (g.prompt) {
      auto part = [&](const Tensor& x) { return x.narrow(0, g.first, g.rows).transpose(0, 1).unsqueeze(0); };
      const Tensor found = attend(part(q), part(k), part(v)).squeeze(0).transpose(0, 1);
      if (g.rows == q.size(0)) return found;
      if (!out.defined()) out = torch::empty_like(q);
      out.narrow(0, g.first, g.rows).copy_(found);
      continue;
    }
    const int64_t heads = q.size(1), d = q.size(2);
    const Tensor queries = (g.straight ? q : q.index_select(0, g.take)).view({g.sequences, g.rows, heads, d}).transpose(1, 2);
    auto gather = [&](int64_t which) {
      return cache_[layer][which].index_select(0, g.table).view({g.sequences, g.pages * kPageSize, k.size(1), d}).transpose(1, 2);
    };
    const Tensor found = attend(queries, gather(0), gather(1), g.mask).transpose(1, 2).reshape({g.sequences * g.rows, heads, d});
    if (g.straight) return found;
    if (!out.defined()) out = torch::empty_like(q);
    out.index_copy_(0, g.put, found.index_select(0, g.where));
  }
  return out;
}

void TorchNetwork::compute(std::span<const Item> items, const std::vector<int64_t>& past, const std::vector<Pages::Copy>& copies, Logits& result) {
  std::vector<int64_t> tokens, positions, slots, wanted, fresh, from, to;
  for (size_t i = 0; i < items.size(); ++i) {
    const std::span<const PageId> table = pages_.table(items[i].sequence);
    for (size_t t = 0; t < items[i].tokens.size(); ++t) {
      const int64_t at = past[i] + static_cast<int64_t>(t), page = table[static_cast<size_t>(at / kPageSize)];
      if (items[i].want == Want::All || (items[i].want == Want::Last && t + 1 == items[i].tokens.size())) wanted.push_back(static_cast<int64_t>(tokens.size()));
      tokens.push_back(items[i].tokens[t]);
      positions.push_back(at);
      slots.push_back(page * kPageSize + at % kPageSize);
      if (at % kPageSize == 0) fresh.push_back(page);
    }
  }
  for (const Pages::Copy& c : copies) from.push_back(c.from), to.push_back(c.to);

  Upload upload;
  const int64_t n = static_cast<int64_t>(tokens.size());
  const int64_t tokens_at = upload.add(tokens), positions_at = upload.add(positions), slots_at = upload.add(slots), wanted_at = upload.add(wanted),
                fresh_at = upload.add(fresh), from_at = upload.add(from), to_at = upload.add(to);
  std::vector<Group> groups = make_groups(items, past, upload);
  upload.send(model_.device());
  for (Group& g : groups) {
    if (g.prompt) continue;
    g.take = upload.get(g.take_at, g.sequences * g.rows);
    g.where = upload.get(g.where_at, g.real);
    g.put = upload.get(g.put_at, g.real);
    g.table = upload.get(g.table_at, g.sequences * g.pages);
    const Tensor limit = upload.get(g.limit_at, g.sequences * g.rows).view({g.sequences, 1, g.rows, 1});
    g.mask = torch::arange(g.pages * kPageSize, limit.options()) <= limit;
  }
  const Tensor slot = upload.get(slots_at, n);

  if (!from.empty()) {
    const int64_t count = static_cast<int64_t>(from.size());
    cache_.index_copy_(2, upload.get(to_at, count), cache_.index_select(2, upload.get(from_at, count)));
  }
  // What is not written yet is masked, but must be numbers: 0 times NaN is no 0.
  if (!fresh.empty()) cache_.index_fill_(2, upload.get(fresh_at, static_cast<int64_t>(fresh.size())), 0);

  const Tensor hidden = model_.hidden(upload.get(tokens_at, n), upload.get(positions_at, n), [&](int64_t layer, const Tensor& q, const Tensor& k, const Tensor& v) {
    const std::vector<int64_t> flat{pages() * kPageSize, k.size(1), k.size(2)};
    cache_[layer][0].view(flat).index_copy_(0, slot, k);
    cache_[layer][1].view(flat).index_copy_(0, slot, v);
    return attend_in(groups, layer, q, k, v);
  });
  if (wanted.empty()) return;
  logits_ = model_.logits(hidden.index_select(0, upload.get(wanted_at, static_cast<int64_t>(wanted.size())))).to(torch::kCPU, torch::kFloat32).contiguous();
  result.rows = logits_.size(0);
  result.data = logits_.data_ptr<float>();
}

Network::Logits TorchNetwork::forward(std::span<const Item> items) {
  Logits result;
  result.columns = config_.vocab_size;
  std::vector<Pages::Growth> growths;
  std::vector<int64_t> past;
  for (const Item& item : items) {
    if (item.tokens.empty()) throw std::invalid_argument("sequence " + std::to_string(item.sequence) + ": no new tokens");
    for (TokenId t : item.tokens)
      if (t < 0 || t >= config_.vocab_size)
        throw std::invalid_argument("token " + std::to_string(t) + " is outside the vocabulary of " + std::to_string(config_.vocab_size));
    growths.push_back({item.sequence, static_cast<int64_t>(item.tokens.size())});
    past.push_back(pages_.length(item.sequence));
  }
  if (items.empty()) return result;
  const std::vector<Pages::Copy> copies = pages_.grow(growths);
  try {
    c10::InferenceMode inference;
    compute(items, past, copies, result);
  } catch (const c10::Error& e) {
    // A page that was copied for its writer stays so: what was in it before is in the copy only if copying succeeded, and it comes first.
    for (size_t i = 0; i < items.size(); ++i) pages_.truncate(items[i].sequence, past[i]);
    throw std::runtime_error(e.what_without_backtrace());
  }
  return result;
}

}  // namespace

std::unique_ptr<Network> load_torch_network(const std::string& folder, const NetworkOptions& options) {
  const torch::Device device = device_of(options.device);
  if (device.is_cpu()) use_threads(options.threads);
  return guarded([&] {
    Transformer model = Transformer::load(folder, device, options.precision == Precision::BFloat16 ? torch::kBFloat16 : torch::kFloat32);
    const model::ModelConfig& c = model.config();
    const int64_t page = c.num_hidden_layers * 2 * kPageSize * c.num_key_value_heads * c.head_dim * static_cast<int64_t>(torch::elementSize(model.dtype()));
    const int64_t pages = options.cache_tokens > 0 ? (options.cache_tokens + kPageSize - 1) / kPageSize : free_memory(device) / 2 / page;
    // For what is done beside a GPU more than these are never busy.
    const int threads = options.threads ? options.threads : static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, 16u));
    return std::make_unique<TorchNetwork>(std::move(model), pages, threads);
  });
}

}  // namespace ppc::nn
