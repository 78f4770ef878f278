#include "trainers/nn/ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ppc::nn::ops {

namespace {
constexpr int64_t kQueries = 512;  // that are looked at together: the scores of long sequences would not fit, and the first need no late keys

Tensor rstd_of(const Tensor& x, double eps) { return (x.square().mean(-1, true) + eps).rsqrt(); }

/// Of a sequence's tokens [n, heads * d], as [keys, group * n, d]: a group's heads are further queries of their key head.
Tensor by_key(const Tensor& x, Heads h) {
  const int64_t n = x.size(0), group = x.size(1) / h.size / h.keys;
  return x.view({n, h.keys, group, h.size}).permute({1, 2, 0, 3}).reshape({h.keys, group * n, h.size});
}
Tensor by_token(const Tensor& x, Heads h, int64_t n) {
  const int64_t group = x.size(1) / n;
  return x.view({h.keys, group, n, h.size}).permute({2, 0, 1, 3}).reshape({n, h.keys * group * h.size});
}

/// Some queries of a sequence, and the keys that they see.
struct Block { int64_t first, count, keys; };  // first: among the batch's tokens
std::vector<Block> blocks_of(int64_t from, int64_t to) {
  std::vector<Block> out;
  for (int64_t at = from; at < to; at += kQueries) {
    const int64_t count = std::min(kQueries, to - at);
    out.push_back({at, count, at + count - from});
  }
  return out;
}

/// Scores [keys, group * n, seen], -∞ where a query must not look.
Tensor scores_of(const Tensor& q, const Tensor& k, Heads h, const Block& b) {
  Tensor s = at::matmul(q, k.transpose(1, 2)).to(wide(q)).view({h.keys, -1, b.count, b.keys});
  const Tensor hidden = torch::ones({b.count, b.keys}, q.options().dtype(torch::kBool)).triu_(b.keys - b.count + 1);
  return s.masked_fill_(hidden, -std::numeric_limits<double>::infinity()).view({h.keys, -1, b.keys});
}
}  // namespace

torch::Dtype wide(const Tensor& x) { return x.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32; }

Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias) { return bias.defined() ? at::addmm(bias, x, w.t()) : at::mm(x, w.t()); }

void linear_gradients(const Tensor& dy, const Tensor& x, const Tensor& w_into, const Tensor& bias_into) {
  if (w_into.defined()) {
    if (w_into.scalar_type() == dy.scalar_type()) w_into.addmm_(dy.t(), x);
    else w_into.add_(at::mm(dy.t(), x));
  }
  if (bias_into.defined()) bias_into.add_(at::sum(dy, {0}, false, bias_into.scalar_type()));
}

Tensor rms_norm(const Tensor& x, const Tensor& w, double eps) {
  const Tensor v = x.to(wide(x));
  return w * (v * rstd_of(v, eps)).to(x.scalar_type());
}

Tensor rms_norm_back(const Tensor& dy, const Tensor& x, const Tensor& w, double eps, const Tensor& w_into) {
  const Tensor v = x.to(wide(x)), rstd = rstd_of(v, eps), unit = v * rstd;
  Tensor g = dy.to(wide(x));
  if (w_into.defined()) w_into.add_((g * unit).reshape({-1, w.size(0)}).sum(0));
  g = g * w.to(wide(x));
  return (rstd * (g - unit * (g * unit).mean(-1, true))).to(x.scalar_type());
}

void rotate(const Tensor& x, const Tensor& cos, const Tensor& sin, bool back) {
  const int64_t half = x.size(-1) / 2;
  const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  const Tensor first = back ? a * cos + b * sin : a * cos - b * sin, second = back ? b * cos - a * sin : b * cos + a * sin;
  a.copy_(first);
  b.copy_(second);
}

Tensor gated(const Tensor& gate_up) {
  const int64_t n = gate_up.size(1) / 2;
  return at::silu(gate_up.narrow(1, 0, n)) * gate_up.narrow(1, n, n);
}

Tensor gated_back(const Tensor& dy, const Tensor& gate_up) {
  const int64_t n = gate_up.size(1) / 2;
  const Tensor gate = gate_up.narrow(1, 0, n), up = gate_up.narrow(1, n, n);
  Tensor out = at::empty_like(gate_up);
  out.narrow(1, 0, n).copy_(at::silu_backward(dy * up, gate));
  out.narrow(1, n, n).copy_(dy * at::silu(gate));
  return out;
}

Found attention(const Tensor& qkv, const std::vector<int64_t>& bounds, Heads h) {
  const double scale = 1 / std::sqrt(static_cast<double>(h.size));
  const int64_t q_width = h.queries * h.size, kv_width = h.keys * h.size;
  Found out;
  out.values = at::empty({qkv.size(0), q_width}, qkv.options());
  out.lse = at::empty({qkv.size(0), h.queries}, qkv.options().dtype(wide(qkv)));
  for (size_t s = 0; s + 1 < bounds.size(); ++s)
    for (const Block& b : blocks_of(bounds[s], bounds[s + 1])) {
      const Tensor q = by_key(qkv.narrow(0, b.first, b.count).narrow(1, 0, q_width), h) * scale;
      const Tensor k = by_key(qkv.narrow(0, bounds[s], b.keys).narrow(1, q_width, kv_width), h), v = by_key(qkv.narrow(0, bounds[s], b.keys).narrow(1, q_width + kv_width, kv_width), h);
      const Tensor scores = scores_of(q, k, h, b), lse = scores.logsumexp(-1, true);
      out.values.narrow(0, b.first, b.count).copy_(by_token(at::matmul((scores - lse).exp_().to(qkv.scalar_type()), v), h, b.count));
      out.lse.narrow(0, b.first, b.count).copy_(lse.view({h.queries, b.count}).t());
    }
  return out;
}

Tensor attention_back(const Tensor& dy, const Found& found, const Tensor& qkv, const std::vector<int64_t>& bounds, Heads h) {
  const double scale = 1 / std::sqrt(static_cast<double>(h.size));
  const int64_t q_width = h.queries * h.size, kv_width = h.keys * h.size;
  const torch::Dtype type = qkv.scalar_type();
  Tensor out = at::empty_like(qkv);
  for (size_t s = 0; s + 1 < bounds.size(); ++s) {
    const int64_t from = bounds[s], n = bounds[s + 1] - from;
    Tensor dk = at::zeros({h.keys, n, h.size}, qkv.options().dtype(wide(qkv))), dv = at::zeros_like(dk);
    for (const Block& b : blocks_of(from, bounds[s + 1])) {
      const Tensor q = by_key(qkv.narrow(0, b.first, b.count).narrow(1, 0, q_width), h) * scale;
      const Tensor k = by_key(qkv.narrow(0, from, b.keys).narrow(1, q_width, kv_width), h), v = by_key(qkv.narrow(0, from, b.keys).narrow(1, q_width + kv_width, kv_width), h);
      const Tensor lse = found.lse.narrow(0, b.first, b.count).t().reshape({h.keys, -1, 1});
      const Tensor p = (scores_of(q, k, h, b) - lse).exp_();
      const Tensor g = by_key(dy.narrow(0, b.first, b.count), h);
      const Tensor o = by_key(found.values.narrow(0, b.first, b.count), h);
      dv.narrow(1, 0, b.keys).add_(at::matmul(p.to(type).transpose(1, 2), g));
      // d score = p · (dp − Σ p dp), and that sum is dy · y.
      const Tensor delta = (g.to(wide(g)) * o.to(wide(o))).sum(-1, true);
      const Tensor ds = (p * (at::matmul(g, v.transpose(1, 2)).to(wide(g)) - delta)).to(type);
      dk.narrow(1, 0, b.keys).add_(at::matmul(ds.transpose(1, 2), q));
      out.narrow(0, b.first, b.count).narrow(1, 0, q_width).copy_(by_token(at::matmul(ds, k) * scale, h, b.count));
    }
    out.narrow(0, from, n).narrow(1, q_width, kv_width).copy_(by_token(dk, h, n));
    out.narrow(0, from, n).narrow(1, q_width + kv_width, kv_width).copy_(by_token(dv, h, n));
  }
  return out;
}

}  // namespace ppc::nn::ops
