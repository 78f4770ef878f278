#include "trainers/nn/ops.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ppc::nn {

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
  Tensor s = at::matmul(q, k.transpose(1, 2)).to(Ops::wide(q)).view({h.keys, -1, b.count, b.keys});
  const Tensor hidden = torch::ones({b.count, b.keys}, q.options().dtype(torch::kBool)).triu_(b.keys - b.count + 1);
  return s.masked_fill_(hidden, -std::numeric_limits<double>::infinity()).view({h.keys, -1, b.keys});
}
}  // namespace

Ops::Ops(torch::Device device, torch::Dtype dtype, int threads) {
  if (!device.is_cpu() || dtype == torch::kFloat64) return;
  wide_kernels_ = &train_kernels();
  if (dtype == torch::kFloat32) kernels_ = wide_kernels_;
  workers_ = std::make_unique<Workers>(threads);
}

/// f(from, to) for pieces of rows that have `numbers` numbers each. The pieces do not depend on the threads.
template <class F>
void Ops::by_rows(int64_t rows, int64_t numbers, F&& f) const {
  const int64_t piece = std::max<int64_t>(1, 16384 / std::max<int64_t>(1, numbers));
  workers_->run((rows + piece - 1) / piece, [&](int64_t i, int) { f(i * piece, std::min(rows, (i + 1) * piece)); });
}

torch::Dtype Ops::wide(const Tensor& x) { return x.scalar_type() == torch::kFloat64 ? torch::kFloat64 : torch::kFloat32; }

Tensor Ops::linear(const Tensor& x, const Tensor& w, const Tensor& bias) { return bias.defined() ? at::addmm(bias, x, w.t()) : at::mm(x, w.t()); }

void Ops::linear_gradients(const Tensor& dy, const Tensor& x, const Tensor& w_into, const Tensor& bias_into) {
  if (w_into.defined()) {
    if (w_into.scalar_type() == dy.scalar_type()) w_into.addmm_(dy.t(), x);
    else w_into.add_(at::mm(dy.t(), x));
  }
  if (bias_into.defined()) bias_into.add_(at::sum(dy, {0}, false, bias_into.scalar_type()));
}

void Ops::add(const Tensor& x, const Tensor& y) const {
  if (!kernels_) {
    y.add_(x);
    return;
  }
  const auto* from = x.data_ptr<float>();
  auto* to = y.data_ptr<float>();
  by_rows(x.numel(), 1, [&](int64_t a, int64_t b) { kernels_->add(from + a, b - a, to + a); });
}

namespace {
/// Rows of the last dimension, which may lie apart in two steps: tokens, and heads of a token.
struct RowsOf {
  explicit RowsOf(const Tensor& x)
      : data(x.data_ptr<float>()), inner(x.dim() == 3 ? x.size(1) : 1), rows(x.size(0) * inner), size(x.size(-1)), outer_step(x.stride(0)), inner_step(x.dim() == 3 ? x.stride(1) : 0) {
    TORCH_INTERNAL_ASSERT(x.stride(-1) == 1 || size == 1);
  }
  float* at(int64_t row) const { return data + row / inner * outer_step + row % inner * inner_step; }
  float* data;
  int64_t inner, rows, size, outer_step, inner_step;
};
}  // namespace

Tensor Ops::rms_norm(const Tensor& x, const Tensor& w, double eps) const {
  if (kernels_) {
    Tensor out = at::empty(x.sizes(), x.options());
    const RowsOf from(x), to(out);
    const auto* weight = w.data_ptr<float>();
    by_rows(from.rows, from.size, [&](int64_t a, int64_t b) {
      for (; a < b; ++a) kernels_->rms_norm(from.at(a), weight, static_cast<float>(eps), from.size, to.at(a));
    });
    return out;
  }
  const Tensor v = x.to(wide(x));
  return w * (v * rstd_of(v, eps)).to(x.scalar_type());
}

namespace {
/// dx = or += the gradient. The weights' is summed up in pieces that do not depend on the threads.
void norm_back(const TrainKernels& kernels, Workers& workers, const Tensor& dy, const Tensor& x, const Tensor& w, double eps, const Tensor& w_into, const Tensor& dx, bool add) {
  constexpr int64_t kPieces = 32;
  const RowsOf g(dy), from(x), to(dx);
  const auto* weight = w.data_ptr<float>();
  const int64_t pieces = std::min(kPieces, from.rows);
  const Tensor sums = w_into.defined() ? at::zeros({pieces, from.size}, w.options()) : Tensor();
  workers.run(pieces, [&](int64_t i, int) {
    float* sum = w_into.defined() ? sums.data_ptr<float>() + i * from.size : nullptr;
    for (int64_t row = from.rows * i / pieces; row < from.rows * (i + 1) / pieces; ++row)
      kernels.rms_norm_back(g.at(row), from.at(row), weight, static_cast<float>(eps), from.size, to.at(row), add, sum);
  });
  if (w_into.defined())
    for (int64_t i = 0; i < pieces; ++i) kernels.add(sums.data_ptr<float>() + i * from.size, from.size, w_into.data_ptr<float>());
}
}  // namespace

void Ops::add_rms_norm_back(const Tensor& dy, const Tensor& x, const Tensor& w, double eps, const Tensor& w_into, const Tensor& dx) const {
  if (kernels_) norm_back(*kernels_, *workers_, dy, x, w, eps, w_into, dx, true);
  else dx.add_(rms_norm_back(dy, x, w, eps, w_into));
}

Tensor Ops::rms_norm_back(const Tensor& dy, const Tensor& x, const Tensor& w, double eps, const Tensor& w_into) const {
  if (kernels_) {
    Tensor out = at::empty(x.sizes(), x.options());
    norm_back(*kernels_, *workers_, dy, x, w, eps, w_into, out, false);
    return out;
  }
  const Tensor v = x.to(wide(x)), rstd = rstd_of(v, eps), unit = v * rstd;
  Tensor g = dy.to(wide(x));
  if (w_into.defined()) w_into.add_((g * unit).reshape({-1, w.size(0)}).sum(0));
  g = g * w.to(wide(x));
  return (rstd * (g - unit * (g * unit).mean(-1, true))).to(x.scalar_type());
}

void Ops::rotate(const Tensor& x, const Tensor& cos, const Tensor& sin) const {
  const int64_t half = x.size(-1) / 2;
  if (kernels_) {
    const RowsOf rows(x);
    const auto *c = cos.data_ptr<float>(), *s = sin.data_ptr<float>();
    by_rows(x.size(0), x.size(1) * x.size(2), [&](int64_t a, int64_t b) {
      for (; a < b; ++a)
        for (int64_t head = 0; head < rows.inner; ++head) kernels_->rotate(rows.at(a * rows.inner + head), c + a * half, s + a * half, half);
    });
    return;
  }
  const Tensor a = x.narrow(-1, 0, half), b = x.narrow(-1, half, half);
  const Tensor first = a * cos - b * sin, second = b * cos + a * sin;
  a.copy_(first);
  b.copy_(second);
}

Tensor Ops::gated(const Tensor& gate_up) const {
  const int64_t n = gate_up.size(1) / 2;
  if (kernels_) {
    Tensor out = at::empty({gate_up.size(0), n}, gate_up.options());
    const auto* from = gate_up.data_ptr<float>();
    auto* to = out.data_ptr<float>();
    by_rows(gate_up.size(0), 2 * n, [&](int64_t a, int64_t b) {
      for (; a < b; ++a) kernels_->silu_mul(from + a * 2 * n, from + a * 2 * n + n, n, to + a * n);
    });
    return out;
  }
  return at::silu(gate_up.narrow(1, 0, n)) * gate_up.narrow(1, n, n);
}

Tensor Ops::gated_back(const Tensor& dy, const Tensor& gate_up) const {
  const int64_t n = gate_up.size(1) / 2;
  if (kernels_) {
    const auto* d = dy.data_ptr<float>();
    auto* at = gate_up.data_ptr<float>();
    by_rows(gate_up.size(0), 2 * n, [&](int64_t a, int64_t b) {
      for (; a < b; ++a) kernels_->silu_mul_back(d + a * n, at + a * 2 * n, at + a * 2 * n + n, n);
    });
    return gate_up;
  }
  const Tensor gate = gate_up.narrow(1, 0, n), up = gate_up.narrow(1, n, n);
  Tensor out = at::empty_like(gate_up);
  out.narrow(1, 0, n).copy_(at::silu_backward(dy * up, gate));
  out.narrow(1, n, n).copy_(dy * at::silu(gate));
  return out;
}

namespace {
/// A job for each sequence and head of keys, the long ones first.
struct HeadJobs {
  std::vector<HeadJob> jobs;
  int64_t longest = 0;

  HeadJobs(const Found& found, const Tensor& qkv, const std::vector<int64_t>& bounds, Heads h) {
    const int64_t group = h.queries / h.keys, width = qkv.size(1), q_width = h.queries * h.size, kv_width = h.keys * h.size;
    for (size_t s = 0; s + 1 < bounds.size(); ++s)
      for (int64_t head = 0; head < h.keys; ++head) {
        const int64_t n = bounds[s + 1] - bounds[s];
        float* at = qkv.data_ptr<float>() + bounds[s] * width;
        HeadJob j;
        j.q = at + head * group * h.size;
        j.k = at + q_width + head * h.size;
        j.v = at + q_width + kv_width + head * h.size;
        j.ld = width;
        j.tokens = n;
        j.size = h.size;
        j.group = group;
        j.values = found.values.data_ptr<float>() + bounds[s] * q_width + head * group * h.size;
        j.ld_values = q_width;
        j.lse = found.lse.data_ptr<float>() + bounds[s] * h.queries + head * group;
        j.ld_lse = h.queries;
        jobs.push_back(j);
        longest = std::max(longest, n);
      }
    std::stable_sort(jobs.begin(), jobs.end(), [](const HeadJob& a, const HeadJob& b) { return a.tokens > b.tokens; });
  }

  template <class F>
  void run(Workers& workers, F&& f) {
    const int64_t scratch = head_scratch(longest, jobs.empty() ? 0 : jobs[0].size);
    const Tensor space = at::empty({workers.threads(), scratch}, torch::kFloat32);
    workers.run(static_cast<int64_t>(jobs.size()), [&](int64_t i, int thread) {
      HeadJob job = jobs[static_cast<size_t>(i)];
      job.scratch = space.data_ptr<float>() + thread * scratch;
      f(job);
    });
  }
};
}  // namespace

Found Ops::attention(const Tensor& qkv, const std::vector<int64_t>& bounds, Heads h) const {
  const double scale = 1 / std::sqrt(static_cast<double>(h.size));
  const int64_t q_width = h.queries * h.size, kv_width = h.keys * h.size;
  Found out;
  out.values = at::empty({qkv.size(0), q_width}, qkv.options());
  out.lse = at::empty({qkv.size(0), h.queries}, qkv.options().dtype(wide(qkv)));
  if (kernels_ && h.size % 16 == 0) {
    HeadJobs(out, qkv, bounds, h).run(*workers_, [&](HeadJob& job) { kernels_->attention(job); });
    return out;
  }
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

Tensor Ops::attention_back(const Tensor& dy, const Found& found, const Tensor& qkv, const std::vector<int64_t>& bounds, Heads h) const {
  const double scale = 1 / std::sqrt(static_cast<double>(h.size));
  const int64_t q_width = h.queries * h.size, kv_width = h.keys * h.size;
  const torch::Dtype type = qkv.scalar_type();
  Tensor out = at::empty_like(qkv);
  if (kernels_ && h.size % 16 == 0) {
    HeadJobs(found, qkv, bounds, h).run(*workers_, [&](HeadJob& job) {
      const float* all = qkv.data_ptr<float>();
      auto* to = out.data_ptr<float>();
      job.d_values = dy.data_ptr<float>() + (job.values - found.values.data_ptr<float>());
      job.dq = to + (job.q - all);
      job.dk = to + (job.k - all);
      job.dv = to + (job.v - all);
      kernels_->attention_back(job);
    });
    return out;
  }
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

Tensor Ops::softmax(Tensor& z, const Tensor& heat, const Tensor& entropies) const {
  if (wide_kernels_) {
    Tensor lse = at::empty({z.size(0)}, z.options());
    auto *at = z.data_ptr<float>(), *out = lse.data_ptr<float>(), *entropy = entropies.defined() ? entropies.data_ptr<float>() : nullptr;
    const auto* h = heat.data_ptr<float>();
    const int64_t n = z.size(1);
    workers_->run(z.size(0), [&](int64_t i, int) { out[i] = wide_kernels_->softmax(at + i * n, h[i], n, entropy ? entropy + i : nullptr); });
    return lse;
  }
  z.mul_(heat.unsqueeze(1));
  const Tensor lse = z.logsumexp(-1);
  if (entropies.defined()) entropies.copy_(lse - ((z - lse.unsqueeze(1)).exp_() * z).sum(-1));  // −Σ p log p
  return lse;
}

void Ops::softmax_back(Tensor& z, const Tensor& lse, const Tensor& targets, const Tensor& g) const {
  if (wide_kernels_) {
    auto* at = z.data_ptr<float>();
    const auto *l = lse.data_ptr<float>(), *slope = g.data_ptr<float>();
    const auto* target = targets.data_ptr<int64_t>();
    const int64_t n = z.size(1);
    workers_->run(z.size(0), [&](int64_t i, int) {
      wide_kernels_->softmax_back(at + i * n, l[i], slope[i], n);
      at[i * n + target[i]] += slope[i];
    });
    return;
  }
  z.sub_(lse.unsqueeze(1)).exp_().mul_(-g.unsqueeze(1));
  z.scatter_add_(1, targets.unsqueeze(1), g.unsqueeze(1));
}

void Ops::embedding_back(const Tensor& dx, const Tensor& tokens, const Tensor& into) const {
  if (dx.is_cpu()) into.index_add_(0, tokens, dx.to(into.scalar_type()));  // in order
  else into.add_(at::embedding_dense_backward(dx, tokens, into.size(0), -1, false));
}

}  // namespace ppc::nn
