// Training's kernels, each kind of processor's, against the same in float64 as one would write it down; gradients against differences. Sizes that are
// a multiple of nothing.
#include "trainers/nn/train_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "trainers/nn/kernels.h"

namespace ppc::nn {
namespace {

using Floats = std::vector<float>;

struct Kind { Isa isa; const TrainKernels* kernels; };
class Training : public testing::TestWithParam<int> {
 protected:
  static std::vector<Kind> kinds() {
    std::vector<Kind> out{{Isa::Portable, &kPortableTraining}};
#if defined(__x86_64__)
    if (has(Isa::Avx2)) out.push_back({Isa::Avx2, &kAvx2Training});
    if (has(Isa::Avx512)) out.push_back({Isa::Avx512, &kAvx512Training});
#endif
    return out;
  }
  void SetUp() override {
    if (GetParam() >= static_cast<int>(kinds().size())) GTEST_SKIP() << "not on this processor";
    k_ = kinds()[static_cast<size_t>(GetParam())].kernels;
  }
  const TrainKernels* k_ = nullptr;
};
std::string name_of_kind(const testing::TestParamInfo<int>& info) { return info.param == 0 ? "portable" : info.param == 1 ? "avx2" : "avx512"; }
INSTANTIATE_TEST_SUITE_P(Isas, Training, testing::Range(0, 3), name_of_kind);

Floats random(size_t n, unsigned seed, float size = 1) {
  std::mt19937 r(seed);
  std::normal_distribution<float> normal(0, size);
  Floats out(n);
  for (float& x : out) x = normal(r);
  return out;
}
void expect_near(const Floats& a, const std::vector<double>& b, double bound) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], bound * (1 + std::abs(b[i]))) << i;
}
/// The derivative of f at x, number by number.
std::vector<double> slopes(std::vector<double> x, const std::function<double(const std::vector<double>&)>& f) {
  std::vector<double> out;
  for (double& at : x) {
    const double was = at, h = 1e-5;
    at = was + h;
    const double up = f(x);
    at = was - h;
    out.push_back((up - f(x)) / (2 * h));
    at = was;
  }
  return out;
}
std::vector<double> wide(const Floats& x) { return {x.begin(), x.end()}; }
double dot(const std::vector<double>& a, const Floats& b) {
  double out = 0;
  for (size_t i = 0; i < a.size(); ++i) out += a[i] * b[i];
  return out;
}

std::vector<double> norm(const std::vector<double>& x, const std::vector<double>& w) {
  double squares = 0;
  for (const double v : x) squares += v * v;
  std::vector<double> out;
  for (size_t i = 0; i < x.size(); ++i) out.push_back(x[i] * w[i] / std::sqrt(squares / static_cast<double>(x.size()) + 1e-5));
  return out;
}

TEST_P(Training, NormsAndTheirGradients) {
  for (const size_t n : {1, 16, 50, 576}) {
    const Floats x = random(n, 1), w = random(n, 2), dy = random(n, 3);
    Floats y(n), dx(n, 1), dw(n, 2);
    k_->rms_norm(x.data(), w.data(), 1e-5f, static_cast<int64_t>(n), y.data());
    expect_near(y, norm(wide(x), wide(w)), 1e-5);
    std::vector<double> for_x = slopes(wide(x), [&](const auto& v) { return dot(norm(v, wide(w)), dy); }), for_w = slopes(wide(w), [&](const auto& v) { return dot(norm(wide(x), v), dy); });
    for (double& v : for_w) v += 2;
    k_->rms_norm_back(dy.data(), x.data(), w.data(), 1e-5f, static_cast<int64_t>(n), dx.data(), false, dw.data());
    expect_near(dx, for_x, 1e-4);
    expect_near(dw, for_w, 1e-4);
    for (double& v : for_x) v *= 2;
    k_->rms_norm_back(dy.data(), x.data(), w.data(), 1e-5f, static_cast<int64_t>(n), dx.data(), true, nullptr);
    expect_near(dx, for_x, 1e-4);
  }
}

TEST_P(Training, GatesAndTheirGradients) {
  auto f = [](double g, double u) { return g / (1 + std::exp(-g)) * u; };
  for (const size_t n : {1, 17, 100}) {
    Floats gate = random(n, 1, 3), up = random(n, 2);
    const Floats dy = random(n, 3);
    Floats y(n);
    k_->silu_mul(gate.data(), up.data(), static_cast<int64_t>(n), y.data());
    std::vector<double> wanted, for_gate, for_up;
    for (size_t i = 0; i < n; ++i) {
      wanted.push_back(f(gate[i], up[i]));
      for_gate.push_back(dy[i] * (f(gate[i] + 1e-5, up[i]) - f(gate[i] - 1e-5, up[i])) / (static_cast<double>(gate[i]) + 1e-5 - (static_cast<double>(gate[i]) - 1e-5)));
      for_up.push_back(dy[i] * f(gate[i], 1));
    }
    expect_near(y, wanted, 1e-5);
    k_->silu_mul_back(dy.data(), gate.data(), up.data(), static_cast<int64_t>(n));
    expect_near(up, for_up, 1e-5);
    for (size_t i = 0; i < n; ++i) ASSERT_NEAR(gate[i], for_gate[i], 2e-2 * (1 + std::abs(for_gate[i])));
  }
}

TEST_P(Training, AttentionAndItsGradients) {
  for (const auto& [tokens, size, group, heads] : {std::tuple<int64_t, int64_t, int64_t, int64_t>{1, 16, 1, 1}, {7, 16, 2, 1}, {50, 32, 3, 2}, {131, 16, 1, 2}}) {
    SCOPED_TRACE(std::to_string(tokens) + " tokens");
    const int64_t width = (group * heads + 2 * heads) * size, out_width = group * heads * size;
    const Floats qkv = random(static_cast<size_t>(tokens * width), 1), d = random(static_cast<size_t>(tokens * out_width), 2);
    Floats values(d.size(), NAN), lse(static_cast<size_t>(tokens * group * heads), NAN), dqkv(qkv.size(), NAN);
    // 64-byte aligned, and not a number longer.
    Floats space(static_cast<size_t>(head_scratch(tokens, size)) + 16, NAN);
    float* scratch = reinterpret_cast<float*>((reinterpret_cast<uintptr_t>(space.data()) + 63) / 64 * 64);
    auto plain = [&, tokens = tokens, size = size, group = group, heads = heads](const std::vector<double>& x, int64_t t, int64_t h, double* sums) {
      std::vector<double> out(static_cast<size_t>(size));
      double sum = 0;
      for (int64_t j = 0; j <= t; ++j) {
        double score = 0;
        for (int64_t i = 0; i < size; ++i) score += x[static_cast<size_t>(t * width + h * size + i)] * x[static_cast<size_t>(j * width + out_width + h / group * size + i)];
        const double e = std::exp(score / std::sqrt(static_cast<double>(size)));
        sum += e;
        for (int64_t i = 0; i < size; ++i) out[static_cast<size_t>(i)] += e * x[static_cast<size_t>(j * width + out_width + heads * size + h / group * size + i)];
      }
      for (double& v : out) v /= sum;
      if (sums) *sums = std::log(sum);
      return out;
    };
    for (int64_t head = 0; head < heads; ++head) {
      HeadJob j;
      j.q = qkv.data() + head * group * size;
      j.k = qkv.data() + out_width + head * size;
      j.v = j.k + heads * size;
      j.ld = width;
      j.tokens = tokens;
      j.size = size;
      j.group = group;
      j.values = values.data() + head * group * size;
      j.ld_values = out_width;
      j.lse = lse.data() + head * group;
      j.ld_lse = group * heads;
      j.scratch = scratch;
      k_->attention(j);
      j.d_values = d.data() + head * group * size;
      j.dq = dqkv.data() + (j.q - qkv.data());
      j.dk = dqkv.data() + (j.k - qkv.data());
      j.dv = dqkv.data() + (j.v - qkv.data());
      k_->attention_back(j);
    }
    const std::vector<double> x = wide(qkv);
    for (int64_t t = 0; t < tokens; ++t)
      for (int64_t h = 0; h < group * heads; ++h) {
        double sum = 0;
        const std::vector<double> wanted = plain(x, t, h, &sum);
        ASSERT_NEAR(lse[static_cast<size_t>(t * group * heads + h)], sum, 1e-4);
        for (int64_t i = 0; i < size; ++i) ASSERT_NEAR(values[static_cast<size_t>(t * out_width + h * size + i)], wanted[static_cast<size_t>(i)], 1e-4);
      }
    // Some numbers' slopes, and that none was forgotten.
    auto total = [&, tokens = tokens, size = size, group = group, heads = heads](const std::vector<double>& at) {
      double out = 0;
      for (int64_t t = 0; t < tokens; ++t)
        for (int64_t h = 0; h < group * heads; ++h) {
          const std::vector<double> y = plain(at, t, h, nullptr);
          for (int64_t i = 0; i < size; ++i) out += y[static_cast<size_t>(i)] * d[static_cast<size_t>(t * out_width + h * size + i)];
        }
      return out;
    };
    for (const float g : dqkv) ASSERT_TRUE(std::isfinite(g));
    std::mt19937 r(4);
    for (int n = 0; n < 20; ++n) {
      std::vector<double> at = x;
      const size_t i = r() % at.size();
      at[i] += 1e-4;
      const double up = total(at);
      at[i] -= 2e-4;
      const double slope = (up - total(at)) / 2e-4;
      ASSERT_NEAR(dqkv[i], slope, 1e-3 * (1 + std::abs(slope))) << i;
    }
  }
}

TEST_P(Training, SoftmaxEntropyAndGradients) {
  for (const size_t n : {1, 16, 101, 1000}) {
    const Floats logits = random(n, 1, 4);
    Floats z = logits;
    float entropy = 0;
    const float lse = k_->softmax(z.data(), 0.5f, static_cast<int64_t>(n), &entropy);
    double sum = 0, wanted = 0;
    for (const float x : logits) sum += std::exp(0.5 * x);
    for (const float x : logits) wanted -= std::exp(0.5 * x) / sum * (0.5 * x - std::log(sum));
    EXPECT_NEAR(lse, std::log(sum), 1e-5);
    EXPECT_NEAR(entropy, wanted, 1e-5);
    k_->softmax_back(z.data(), lse, 3, static_cast<int64_t>(n));
    for (size_t i = 0; i < n; ++i) ASSERT_NEAR(z[i], -3 * std::exp(0.5 * logits[i]) / sum, 1e-5);
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      z = logits;
      z[n / 2] = bad;
      EXPECT_TRUE(std::isnan(k_->softmax(z.data(), 1, static_cast<int64_t>(n), nullptr)));
    }
  }
}

TEST_P(Training, AdamAndSquares) {
  const AdamStep s{0.9f, 0.999f, 0.1f, 0.001f, 1e-8f, 0.99f, 0.05f, 0.01f, 0.5f};
  for (const size_t n : {1, 16, 1030}) {
    Floats w = random(n, 1), g = random(n, 2), m = random(n, 3), v = random(n, 4);
    for (float& x : v) x = std::abs(x);
    std::vector<double> weights, first, second;
    double squares = 0;
    for (size_t i = 0; i < n; ++i) {
      const double d = 0.5 * g[i];
      squares += static_cast<double>(g[i]) * g[i];
      first.push_back(0.9 * m[i] + 0.1 * d);
      second.push_back(0.999 * v[i] + 0.001 * d * d);
      weights.push_back(w[i] * 0.99 - 0.01 * first[i] / (std::sqrt(second[i]) / 0.05 + 1e-8));
    }
    EXPECT_NEAR(k_->squares(g.data(), static_cast<int64_t>(n)), squares, 1e-5 * squares);
    k_->adam(s, static_cast<int64_t>(n), w.data(), g.data(), m.data(), v.data());
    expect_near(w, weights, 1e-5);
    expect_near(m, first, 1e-6);
    expect_near(v, second, 1e-6);
    EXPECT_EQ(g, Floats(n, 0));
  }
}

}  // namespace
}  // namespace ppc::nn
