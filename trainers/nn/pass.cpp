#include "trainers/nn/pass.h"

#include <algorithm>
#include <cmath>

#include "runtime/engine/splitmix.h"
#include "trainers/nn/rope.h"

namespace ppc::nn {

namespace {
constexpr int64_t kLogits = int64_t{1} << 25;      // numbers of logits that are computed together
constexpr int64_t kKeptLogits = int64_t{1} << 28;  // and that are kept for the way back, rather than computed again: 1 GB in float32
}  // namespace

Pass::Pass(const model::ModelConfig& config, torch::Device device, torch::Dtype dtype, int threads)
    : config_(config), device_(device), dtype_(dtype), ops_(device, dtype, threads) {
  frequencies_ = torch::tensor(rope_frequencies(config), torch::kFloat64).to(device);
}

Pass::Kept Pass::begin(const ModelView& weights, const Adapters* adapters, Batch batch) const {
  Kept k;
  k.weights = weights;
  if (adapters) k.adapters = *adapters;
  k.batch = std::move(batch);
  // Angles in float64: in float32 they are off by a hundredth after 100,000 tokens.
  const Tensor angles = (k.batch.positions.to(torch::kFloat64).unsqueeze(1) * frequencies_).unsqueeze(1);
  k.cos = angles.cos().to(dtype_);
  k.sin = angles.sin().to(dtype_);
  k.back = k.sin.neg();
  return k;
}

Tensor Pass::embed(const Kept& k) const { return at::embedding(k.weights.embedding, k.batch.tokens); }

Pass::Logprobs Pass::evaluate(const ModelView& weights, const Adapters* adapters, const Batch& batch, bool entropies) {
  Kept k = begin(weights, adapters, batch);
  if (k.adapters) k.adapters->dropout = 0;
  Tensor x = embed(k);
  for (size_t i = 0; i < weights.layers.size(); ++i) x = layer(k, i, x, nullptr);
  return head(k, x, entropies, false);
}

Pass::Logprobs Pass::forward(const ModelView& weights, const Adapters* adapters, Batch batch, bool entropies, bool checkpointing) {
  kept_.reset();
  Kept k = begin(weights, adapters, std::move(batch));
  k.layers.resize(weights.layers.size());
  Tensor x = embed(k);
  for (size_t i = 0; i < weights.layers.size(); ++i) {
    k.layers[i].x = x;
    x = layer(k, i, x, checkpointing ? nullptr : &k.layers[i]);
  }
  Logprobs out = head(k, x, entropies, true);
  kept_ = std::move(k);
  return out;
}

/// Queries and keys as they look at each other: with their norms, turned by their positions.
Tensor Pass::turned(const Kept& k, const LayerView& w, const Tensor& qkv) const {
  const int64_t n = qkv.size(0), heads = config_.num_attention_heads, kv_heads = config_.num_key_value_heads, d = config_.head_dim;
  const Tensor q = qkv.narrow(1, 0, heads * d).view({n, heads, d}), key = qkv.narrow(1, heads * d, kv_heads * d).view({n, kv_heads, d});
  if (config_.qk_norm) {
    q.copy_(ops_.rms_norm(q, w.q_norm, config_.rms_norm_eps));
    key.copy_(ops_.rms_norm(key, w.k_norm, config_.rms_norm_eps));
  }
  ops_.rotate(qkv.narrow(1, 0, (heads + kv_heads) * d).view({n, heads + kv_heads, d}), k.cos, k.sin);
  return qkv;
}

Tensor Pass::layer(const Kept& k, size_t i, const Tensor& x, LayerKept* keep) const {
  const LayerView& w = k.weights.layers[i];
  const int64_t q = config_.num_attention_heads * config_.head_dim, kv = config_.num_key_value_heads * config_.head_dim, inner = config_.intermediate_size;
  const Heads heads{config_.num_attention_heads, config_.num_key_value_heads, config_.head_dim};

  const Tensor in = ops_.rms_norm(x, w.input_norm, config_.rms_norm_eps);
  Tensor qkv = Ops::linear(in, w.qkv, w.qkv_bias);
  adapt(k, i, kQuery, in, qkv.narrow(1, 0, q));
  adapt(k, i, kKey, in, qkv.narrow(1, q, kv));
  adapt(k, i, kValue, in, qkv.narrow(1, q + kv, kv));
  const Tensor plain = keep && config_.qk_norm ? qkv.clone() : qkv;  // the norms' inputs
  const Found found = ops_.attention(turned(k, w, qkv), k.batch.bounds, heads);
  Tensor y = Ops::linear(found.values, w.o, w.o_bias);
  adapt(k, i, kOutput, found.values, y);
  ops_.add(x, y);
  const Tensor middle = ops_.rms_norm(y, w.middle_norm, config_.rms_norm_eps);
  Tensor gate_up = Ops::linear(middle, w.gate_up, w.gate_up_bias);
  adapt(k, i, kGate, middle, gate_up.narrow(1, 0, inner));
  adapt(k, i, kUp, middle, gate_up.narrow(1, inner, inner));
  const Tensor act = ops_.gated(gate_up);
  Tensor out = Ops::linear(act, w.down, w.down_bias);
  adapt(k, i, kDown, act, out);
  ops_.add(y, out);
  if (keep) *keep = {x, plain, y, gate_up, found};
  return out;
}

/// `dx`: for the layer's outputs; what is returned: for its inputs.
Tensor Pass::layer_back(const Kept& k, size_t i, const LayerKept& kept, Tensor dx, LayerView& into, const AdapterView& adapters_into) const {
  const LayerView& w = k.weights.layers[i];
  const int64_t n = dx.size(0), d = config_.head_dim, heads = config_.num_attention_heads, kv_heads = config_.num_key_value_heads;
  const int64_t q = heads * d, kv = kv_heads * d, inner = config_.intermediate_size;
  const double eps = config_.rms_norm_eps;
  auto back = [&](Projection p, const Tensor& x, const Tensor& dy, const Tensor& d_in) { adapt_back(k, i, p, x, dy, d_in, adapters_into); };

  const Tensor act = ops_.gated(kept.gate_up);
  Ops::linear_gradients(dx, act, into.down, into.down_bias);
  Tensor d_act = at::mm(dx, w.down);
  back(kDown, act, dx, d_act);
  const Tensor d_gate_up = ops_.gated_back(d_act, kept.gate_up);
  const Tensor middle = ops_.rms_norm(kept.y, w.middle_norm, eps);
  Ops::linear_gradients(d_gate_up, middle, into.gate_up, into.gate_up_bias);
  Tensor d_middle = at::mm(d_gate_up, w.gate_up);
  back(kGate, middle, d_gate_up.narrow(1, 0, inner), d_middle);
  back(kUp, middle, d_gate_up.narrow(1, inner, inner), d_middle);
  ops_.add_rms_norm_back(d_middle, kept.y, w.middle_norm, eps, into.middle_norm, dx);
  const Tensor& dy = dx;

  Ops::linear_gradients(dy, kept.found.values, into.o, into.o_bias);
  Tensor d_found = at::mm(dy, w.o);
  back(kOutput, kept.found.values, dy, d_found);
  const Tensor qkv = config_.qk_norm ? turned(k, w, kept.qkv.clone()) : kept.qkv;
  const Tensor d_qkv = ops_.attention_back(d_found, kept.found, qkv, k.batch.bounds, {heads, kv_heads, d});
  ops_.rotate(d_qkv.narrow(1, 0, q + kv).view({n, heads + kv_heads, d}), k.cos, k.back);
  if (config_.qk_norm) {
    auto norm_back = [&](int64_t at, int64_t count, const Tensor& weight, const Tensor& weight_into) {
      const Tensor g = d_qkv.narrow(1, at, count * d).view({n, count, d});
      g.copy_(ops_.rms_norm_back(g, kept.qkv.narrow(1, at, count * d).view({n, count, d}), weight, eps, weight_into));
    };
    norm_back(0, heads, w.q_norm, into.q_norm);
    norm_back(q, kv_heads, w.k_norm, into.k_norm);
  }
  const Tensor in = ops_.rms_norm(kept.x, w.input_norm, eps);
  Ops::linear_gradients(d_qkv, in, into.qkv, into.qkv_bias);
  Tensor d_in = at::mm(d_qkv, w.qkv);
  back(kQuery, in, d_qkv.narrow(1, 0, q), d_in);
  back(kKey, in, d_qkv.narrow(1, q, kv), d_in);
  back(kValue, in, d_qkv.narrow(1, q + kv, kv), d_in);
  ops_.add_rms_norm_back(d_in, kept.x, w.input_norm, eps, into.input_norm, dx);
  return dx;
}

Tensor Pass::logits(const Kept& k, int64_t first, int64_t count) const {
  const Tensor out = at::mm(k.normed.narrow(0, first, count), k.weights.head.t());
  return out.to(Ops::wide(out));
}

Pass::Logprobs Pass::head(Kept& k, const Tensor& x, bool entropies, bool keep) const {
  const int64_t wanted = k.batch.rows.size(0), rows = std::max<int64_t>(1, kLogits / config_.vocab_size);
  const auto options = x.options().dtype(Ops::wide(x));
  Logprobs out{at::empty({wanted}, options), entropies ? at::empty({wanted}, options) : Tensor()};
  k.last = x.index_select(0, k.batch.rows);
  k.normed = ops_.rms_norm(k.last, k.weights.norm, config_.rms_norm_eps);
  k.lse = at::empty({wanted}, options);
  const bool fits = wanted * config_.vocab_size <= kKeptLogits;
  for (int64_t at = 0; at < wanted; at += rows) {
    const int64_t count = std::min(rows, wanted - at);
    Tensor z = logits(k, at, count);
    const Tensor lse = ops_.softmax(z, k.batch.heat.narrow(0, at, count), entropies ? out.entropies.narrow(0, at, count) : Tensor());
    k.lse.narrow(0, at, count).copy_(lse);
    out.values.narrow(0, at, count).copy_(z.gather(1, k.batch.targets.narrow(0, at, count).unsqueeze(1)).squeeze(1) - lse);
    if (keep) k.logits.push_back(fits ? z : Tensor());
  }
  return out;
}

void Pass::backward(const Tensor& d_logprobs, const ModelView& into, const AdapterView& adapters_into) {
  TORCH_CHECK(kept_, "nothing was computed");
  Kept k = std::move(*kept_);
  kept_.reset();
  ModelView gradients = into;
  const int64_t wanted = k.batch.rows.size(0), rows = std::max<int64_t>(1, kLogits / config_.vocab_size);

  Tensor d_normed = at::empty_like(k.normed);
  for (int64_t at = 0; at < wanted; at += rows) {
    const int64_t count = std::min(rows, wanted - at);
    Tensor z = k.logits[static_cast<size_t>(at / rows)];
    k.logits[static_cast<size_t>(at / rows)] = Tensor();
    const Tensor heat = k.batch.heat.narrow(0, at, count);
    if (!z.defined()) {
      z = logits(k, at, count);
      ops_.softmax(z, heat, {});
    }
    // d log p(target) / dz = (1 at the target) − p, and z = logit / temperature.
    ops_.softmax_back(z, k.lse.narrow(0, at, count), k.batch.targets.narrow(0, at, count), d_logprobs.narrow(0, at, count) * heat);
    const Tensor dz = z.to(dtype_);
    Ops::linear_gradients(dz, k.normed.narrow(0, at, count), gradients.head, {});
    d_normed.narrow(0, at, count).copy_(at::mm(dz, k.weights.head));
  }
  const Tensor d_last = ops_.rms_norm_back(d_normed, k.last, k.weights.norm, config_.rms_norm_eps, gradients.norm);
  Tensor dx = at::zeros({k.batch.tokens.size(0), config_.hidden_size}, d_last.options());
  dx.index_copy_(0, k.batch.rows, d_last);
  for (size_t i = k.layers.size(); i-- > 0;) {
    LayerKept kept = std::move(k.layers[i]);
    k.layers[i] = {};
    if (!kept.gate_up.defined()) layer(k, i, Tensor(kept.x), &kept);
    dx = layer_back(k, i, kept, dx, gradients.layers[i], adapters_into);
  }
  if (gradients.embedding.defined()) ops_.embedding_back(dx, k.batch.tokens, gradients.embedding);
}

/// Some of x are 0, and the others larger for it: a function of the pass, the layer, the projection and the place.
Tensor Pass::drop(const Adapters& a, size_t layer, Projection p, const Tensor& x) const {
  if (a.dropout <= 0) return x;
  const uint64_t seed = engine::split_mix(engine::split_mix(a.seed) ^ (layer * kProjections + p));
  Tensor keep = at::empty(x.sizes(), torch::TensorOptions().dtype(x.scalar_type()));
  const double threshold = a.dropout * 18446744073709551616.0;  // 2^64
  const uint64_t below = threshold >= 18446744073709549568.0 ? ~uint64_t{0} : static_cast<uint64_t>(threshold);
  const double factor = 1 / (1 - a.dropout);
  AT_DISPATCH_FLOATING_TYPES_AND(at::ScalarType::BFloat16, keep.scalar_type(), "drop", [&] {
    auto* out = keep.data_ptr<scalar_t>();
    at::parallel_for(0, keep.numel(), 16384, [&](int64_t from, int64_t to) {
      for (int64_t i = from; i < to; ++i) out[i] = static_cast<scalar_t>(engine::split_mix(seed + static_cast<uint64_t>(i)) < below ? 0.0 : factor);
    });
  });
  return x * keep.to(x.device());
}

void Pass::adapt(const Kept& k, size_t layer, Projection p, const Tensor& x, const Tensor& y) const {
  if (!k.adapters) return;
  const AdapterView::Pair& pair = k.adapters->view.layers[layer][p];
  if (pair.a.defined()) y.addmm_(at::mm(drop(*k.adapters, layer, p, x), pair.a.t()), pair.b.t(), 1, k.adapters->scale);
}

void Pass::adapt_back(const Kept& k, size_t layer, Projection p, const Tensor& x, const Tensor& dy, const Tensor& dx, const AdapterView& into) const {
  if (!k.adapters) return;
  const AdapterView::Pair& pair = k.adapters->view.layers[layer][p];
  if (!pair.a.defined()) return;
  // Few numbers wide are low and d_low: what scales, scales these.
  const Tensor dropped = drop(*k.adapters, layer, p, x), low = at::mm(dropped, pair.a.t()).mul_(k.adapters->scale), d_low = at::mm(dy, pair.b).mul_(k.adapters->scale);
  const AdapterView::Pair& to = into.layers[layer][p];
  Ops::linear_gradients(d_low, dropped, to.a, {});
  Ops::linear_gradients(dy, low, to.b, {});
  if (k.adapters->dropout > 0) dx.add_(drop(*k.adapters, layer, p, at::mm(d_low, pair.a)));  // the same places
  else dx.addmm_(d_low, pair.a);
}

}  // namespace ppc::nn
