// Each kernel against plain loops in double, for each kind of processor that this one can be: random and odd sizes, and rows that
// have the same bits whatever rows are computed with them.
#include "trainers/nn/kernels.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

using namespace ppc::nn;
using Floats = std::vector<float>;

namespace {

std::mt19937& generator() {
  static std::mt19937 random(11);
  return random;
}
int64_t between(int64_t low, int64_t high) { return low + static_cast<int64_t>(generator()() % static_cast<uint64_t>(high - low + 1)); }
float normal() {
  static std::normal_distribution<float> distribution;
  return distribution(generator());
}
Floats normals(int64_t n) {
  Floats out(static_cast<size_t>(n));
  for (float& x : out) x = normal();
  return out;
}

class KernelsOf : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (!has(GetParam())) GTEST_SKIP() << "this processor has no " << name_of(GetParam());
    kernels_ = &kernels(GetParam());
  }
  const Kernels* kernels_ = nullptr;
};
INSTANTIATE_TEST_SUITE_P(Isas, KernelsOf, testing::ValuesIn(kIsas), [](const auto& info) { return std::string(name_of(info.param)); });

/// A packed matrix with what it was packed from, rounded as it was.
struct Packed {
  Matrix matrix;
  Memory memory;
  Floats rows;

  Packed(int64_t outputs, int64_t inputs, Precision precision) : rows(normals(outputs * inputs)) {
    matrix.outputs = outputs;
    matrix.inputs = inputs;
    matrix.precision = precision;
    memory = Memory(matrix.packed_bytes());
    matrix.data = memory.data();
    for (int64_t panel = 0; panel < matrix.panels(); panel++)
      matrix.pack(panel, rows.data() + panel * kPanel * inputs, inputs, std::min(kPanel, outputs - panel * kPanel));
    if (precision == Precision::BFloat16)
      for (float& x : rows) x = from_bfloat16(to_bfloat16(x));
  }
};

/// Inputs with zeros behind them, and numbers behind these that must not be read.
struct Inputs {
  Floats x;
  int64_t ld, rows;
  std::vector<uint16_t> parts;

  Inputs(const Kernels& kernels, Precision precision, int64_t count, int64_t inputs) : ld(round_up(inputs, kDepth) + 16), rows(count) {
    x.assign(static_cast<size_t>(count * ld), 0);
    for (int64_t r = 0; r < count; r++) {
      for (int64_t k = 0; k < inputs; k++) at(r)[k] = normal();
      for (int64_t k = round_up(inputs, kDepth); k < ld; k++) at(r)[k] = NAN;
    }
    parts.resize(parts_bytes(kernels, precision, count, inputs) / 2);
  }
  float* at(int64_t row) { return x.data() + row * ld; }
  Input input(int64_t first = 0, int64_t count = -1) { return {at(first), ld, count < 0 ? rows : count, parts.data()}; }
};

// How much a sum of so many products may be off, of the size of its terms.
double bound(const Kernels& kernels, Precision precision) {
  // Where x is rounded to bfloat16, each of its numbers may be wrong by 2^-9 of itself.
  return precision == Precision::BFloat16 && kernels.parts_of[1] ? std::ldexp(1, -9) : 2e-6;
}

TEST_P(KernelsOf, Linear) {
  for (int threads : {1, 3}) {
    Workers workers(threads);
    Floats scratch(static_cast<size_t>(product_scratch(threads)));
    for (Precision precision : {Precision::Float32, Precision::BFloat16})
      for (int round = 0; round < 40; round++) {
        const int64_t outputs = between(1, 230), inputs = between(1, round % 4 == 0 ? 900 : 130);
        const int64_t count = round < 20 ? round + 1 : between(1, round % 5 == 0 ? 600 : 70);
        Packed w(outputs, inputs, precision);
        Inputs x(*kernels_, precision, count, inputs);
        const Floats bias = normals(outputs);
        const bool add = round % 3 == 0, with_bias = round % 2 == 0;
        const int64_t ld = outputs + 5;
        const Floats before = normals(count * ld);
        Floats y = before;
        linear(workers, *kernels_, x.input(), w.matrix, with_bias ? bias.data() : nullptr, y.data(), ld, add ? Into::Add : Into::Set, scratch.data());
        for (int64_t r = 0; r < count; r++) {
          for (int64_t n = 0; n < outputs; n++) {
            double sum = 0, size = 0;
            for (int64_t k = 0; k < inputs; k++) {
              const double product = static_cast<double>(x.at(r)[k]) * w.rows[static_cast<size_t>(n * inputs + k)];
              sum += product;
              size += product * product;
            }
            if (with_bias) sum += bias[static_cast<size_t>(n)];
            const auto at = static_cast<size_t>(r * ld + n);
            if (add) sum += before[at];
            ASSERT_NEAR(y[at], sum, 6 * bound(*kernels_, precision) * (std::sqrt(size) + 1))
                << count << " × " << inputs << " × " << outputs << ", row " << r << ", column " << n;
          }
          for (int64_t n = outputs; n < ld; n++) ASSERT_EQ(y[static_cast<size_t>(r * ld + n)], before[static_cast<size_t>(r * ld + n)]);
        }
      }
  }
}

TEST_P(KernelsOf, ARowHasTheSameBitsWithAnyOthers) {
  Workers workers(2);
  Floats scratch(static_cast<size_t>(product_scratch(2)));
  for (Precision precision : {Precision::Float32, Precision::BFloat16})
    for (int64_t inputs : {33, 576, 1536}) {
      const int64_t outputs = 100, count = 530;
      Packed w(outputs, inputs, precision);
      Inputs x(*kernels_, precision, count, inputs);
      auto product = [&](int64_t first, int64_t rows) {
        Floats y(static_cast<size_t>(rows * outputs));
        linear(workers, *kernels_, x.input(first, rows), w.matrix, nullptr, y.data(), outputs, Into::Set, scratch.data());
        return y;
      };
      const Floats all = product(0, count);
      for (int64_t rows = 1; rows < 70; rows++) {
        const int64_t first = between(0, count - rows);
        ASSERT_EQ(std::memcmp(product(first, rows).data(), all.data() + first * outputs, static_cast<size_t>(rows * outputs) * 4), 0) << rows << " rows from " << first;
      }
    }
}

// Weights and inputs of very different sizes: what three bfloat16 numbers lose must stay small beside the float32 they stand for.
TEST_P(KernelsOf, WideRange) {
  Workers workers(1);
  Floats scratch(static_cast<size_t>(product_scratch(1)));
  Packed w(48, 32, Precision::Float32);
  for (size_t i = 0; i < w.rows.size(); i++) w.rows[i] = std::ldexp(normal(), static_cast<int>(between(-40, 40)));
  w.matrix.pack(0, w.rows.data(), 32, 48);
  Inputs x(*kernels_, Precision::Float32, 20, 32);
  for (int64_t r = 0; r < 20; r++)
    for (int64_t k = 0; k < 32; k++) x.at(r)[k] = k == r ? std::ldexp(normal(), static_cast<int>(between(-20, 20))) : 0;
  Floats y(20 * 48);
  linear(workers, *kernels_, x.input(), w.matrix, nullptr, y.data(), 48, Into::Set, scratch.data());
  for (int64_t r = 0; r < 20; r++)
    for (int64_t n = 0; n < 48; n++) {
      const double product = static_cast<double>(x.at(r)[r]) * w.rows[static_cast<size_t>(n * 32 + r)];
      ASSERT_NEAR(y[static_cast<size_t>(r * 48 + n)], product, std::ldexp(std::fabs(product), -22));
    }
}

TEST_P(KernelsOf, Gated) {
  Workers workers(2);
  Floats scratch(static_cast<size_t>(product_scratch(2)));
  for (Precision precision : {Precision::Float32, Precision::BFloat16})
    for (int round = 0; round < 20; round++) {
      const int64_t outputs = between(1, 200), inputs = between(1, 100), count = between(1, round % 4 ? 40 : 400), ld = outputs + 3;
      const int64_t panels = (outputs + kPanel - 1) / kPanel;
      Floats of[2] = {normals(outputs * inputs), normals(outputs * inputs)}, bias = normals(2 * panels * kPanel);
      Matrix matrix{2 * panels * kPanel, inputs, precision, nullptr};
      Memory memory(matrix.packed_bytes());
      matrix.data = memory.data();
      for (int64_t panel = 0; panel < 2 * panels; panel++) {
        const int64_t row = panel / 2 * kPanel;
        matrix.pack(panel, of[panel % 2].data() + row * inputs, inputs, std::min(kPanel, outputs - row));
      }
      Inputs x(*kernels_, precision, count, inputs);
      Floats y(static_cast<size_t>(count * ld), 7);
      gated(workers, *kernels_, x.input(), matrix, round % 2 ? bias.data() : nullptr, outputs, y.data(), ld, scratch.data());
      for (int64_t r = 0; r < count; r++) {
        for (int64_t n = 0; n < outputs; n++) {
          double sum[2], size = 1;
          for (int which = 0; which < 2; which++) {
            sum[which] = round % 2 ? bias[static_cast<size_t>((n / kPanel * 2 + which) * kPanel + n % kPanel)] : 0;
            for (int64_t k = 0; k < inputs; k++) {
              float weight = of[which][static_cast<size_t>(n * inputs + k)];
              if (precision == Precision::BFloat16) weight = from_bfloat16(to_bfloat16(weight));
              sum[which] += static_cast<double>(x.at(r)[k]) * weight;
              size += static_cast<double>(weight) * weight * x.at(r)[k] * x.at(r)[k];
            }
          }
          const double expected = sum[0] / (1 + std::exp(-sum[0])) * sum[1];
          const double slack = 8 * bound(*kernels_, precision) * std::sqrt(size) * (std::fabs(sum[0]) + std::fabs(sum[1]) + 1);
          ASSERT_NEAR(y[static_cast<size_t>(r * ld + n)], expected, slack);
        }
        for (int64_t n = outputs; n < ld; n++) ASSERT_EQ(y[static_cast<size_t>(r * ld + n)], 7);
      }
    }
}

TEST_P(KernelsOf, NormRotationAddition) {
  for (int round = 0; round < 50; round++) {
    const int64_t n = between(1, 150);
    const Floats x = normals(n), weight = normals(n);
    Floats y(static_cast<size_t>(n));
    kernels_->rms_norm(x.data(), weight.data(), 1e-5f, n, y.data());
    double squares = 0;
    for (float value : x) squares += static_cast<double>(value) * value;
    const double factor = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    for (size_t i = 0; i < x.size(); i++) ASSERT_NEAR(y[i], x[i] * factor * weight[i], 1e-6 * (1 + std::fabs(x[i] * factor * weight[i])));
    Floats same = x;
    kernels_->rms_norm(same.data(), weight.data(), 1e-5f, n, same.data());
    ASSERT_EQ(same, y);

    const int64_t half = between(1, 70);
    const Floats head = normals(2 * half);
    Floats cosines, sines, turned = head;
    for (int64_t i = 0; i < half; i++) {
      const double angle = normal() * 3;
      cosines.push_back(static_cast<float>(std::cos(angle)));
      sines.push_back(static_cast<float>(std::sin(angle)));
    }
    kernels_->rotate(turned.data(), cosines.data(), sines.data(), half);
    for (size_t i = 0, h = static_cast<size_t>(half); i < h; i++) {
      ASSERT_NEAR(turned[i], static_cast<double>(head[i]) * cosines[i] - static_cast<double>(head[h + i]) * sines[i], 2e-6);
      ASSERT_NEAR(turned[h + i], static_cast<double>(head[h + i]) * cosines[i] + static_cast<double>(head[i]) * sines[i], 2e-6);
    }

    Floats sum = x;
    kernels_->add(weight.data(), n, sum.data());
    for (size_t i = 0; i < x.size(); i++) ASSERT_EQ(sum[i], x[i] + weight[i]);
  }
}

TEST_P(KernelsOf, SiluFarOut) {
  Floats gate, up;
  for (float x = -120; x <= 120; x += 0.37f) {
    gate.push_back(x);
    up.push_back(1);
  }
  for (float x : {0.0f, -0.0f, 1e-30f, -1e-30f, 1e6f, -1e6f}) {
    gate.push_back(x);
    up.push_back(1);
  }
  Floats y(gate.size());
  kernels_->silu_mul(gate.data(), up.data(), static_cast<int64_t>(gate.size()), y.data());
  for (size_t i = 0; i < gate.size(); i++) {
    const double x = gate[i], expected = x / (1 + std::exp(-x));
    ASSERT_NEAR(y[i], expected, 3e-7 * std::fabs(expected) + 1e-30) << x;
  }
}

/// Keys and values of one head in pages, with what was rounded.
struct Cache {
  int64_t dim, tokens;
  Precision precision;
  Floats keys, values;
  std::vector<Memory> memory;
  std::vector<const std::byte*> pages;

  // Behind the last token lies what a sequence before it may have left.
  Cache(int64_t d, int64_t t, Precision p) : dim(round_up(d, kLanes)), tokens(t), precision(p), keys(normals(t * dim)), values(normals(t * dim)) {
    for (int64_t page = 0; page * kPageTokens < tokens; page++) {
      memory.emplace_back(static_cast<size_t>(2 * dim * kPageTokens) * bytes_of(p));
      pages.push_back(memory.back().data());
    }
    for (int64_t token = 0; token < round_up(tokens, kPageTokens); token++)
      for (int64_t i = 0; i < dim; i++) {
        const bool real = token < tokens;
        float key = real ? (i < d ? keys[static_cast<size_t>(token * dim + i)] : 0) : 1e3f;
        float value = real ? values[static_cast<size_t>(token * dim + i)] : p == Precision::BFloat16 && token == tokens ? 5.0f : NAN;
        if (i >= d && real) keys[static_cast<size_t>(token * dim + i)] = 0;
        std::byte* page = memory[static_cast<size_t>(token / kPageTokens)].data();
        const int64_t slot = token % kPageTokens;
        if (p == Precision::Float32) {
          auto* at = reinterpret_cast<float*>(page);
          at[i * kPageTokens + slot] = key;
          at[dim * kPageTokens + slot * dim + i] = value;
        } else {
          auto* at = reinterpret_cast<uint16_t*>(page);
          at[(i / 2 * kPageTokens + slot) * 2 + i % 2] = to_bfloat16(key);
          at[dim * kPageTokens + slot / 2 * 2 * dim + 2 * i + slot % 2] = to_bfloat16(value);
          if (real) {
            keys[static_cast<size_t>(token * dim + i)] = from_bfloat16(to_bfloat16(key));
            values[static_cast<size_t>(token * dim + i)] = from_bfloat16(to_bfloat16(value));
          }
        }
      }
  }
};

struct Result {
  Floats greatest, sum, values;
};

Result attend(const Kernels& kernels, const Cache& cache, const Floats& queries, const std::vector<int64_t>& visible) {
  const size_t rows = visible.size();
  Result result{Floats(rows, NAN), Floats(rows, NAN), Floats(rows * static_cast<size_t>(cache.dim), NAN)};
  Floats scratch(rows * kPageTokens);
  Attention job;
  job.queries = queries.data();
  job.visible = visible.data();
  job.rows = static_cast<int64_t>(rows);
  job.head_dim = cache.dim;
  job.pages = cache.pages.data();
  job.page_count = static_cast<int64_t>(cache.pages.size());
  job.greatest = result.greatest.data();
  job.sum = result.sum.data();
  job.values = result.values.data();
  job.scratch = scratch.data();
  kernels.attention[static_cast<int>(cache.precision)](job);
  return result;
}

TEST_P(KernelsOf, Attention) {
  for (Precision precision : {Precision::Float32, Precision::BFloat16})
    for (int round = 0; round < 60; round++) {
      const int64_t dim = between(1, 140), tokens = between(1, 200), rows = between(1, 50);
      Cache cache(dim, tokens, precision);
      Floats queries = normals(rows * cache.dim);
      // A few scores stand out by far.
      for (float& q : queries) q *= round % 3 == 0 ? 20.0f : 0.3f;
      std::vector<int64_t> visible;
      const bool causal = round % 2 == 0;
      for (int64_t r = 0; r < rows; r++) visible.push_back(causal ? std::max<int64_t>(0, tokens - rows + 1 + r) : between(0, tokens));
      if (causal) visible.back() = tokens;
      const Result result = attend(*kernels_, cache, queries, visible);
      for (int64_t r = 0; r < rows; r++) {
        const auto at = static_cast<size_t>(r);
        if (visible[at] == 0) {
          EXPECT_EQ(result.sum[at], 0);
          EXPECT_EQ(result.greatest[at], -std::numeric_limits<float>::infinity());
          continue;
        }
        std::vector<double> scores;
        for (int64_t t = 0; t < visible[at]; t++) {
          double score = 0;
          for (int64_t d = 0; d < cache.dim; d++) score += static_cast<double>(queries[static_cast<size_t>(r * cache.dim + d)]) * cache.keys[static_cast<size_t>(t * cache.dim + d)];
          scores.push_back(score);
        }
        const double greatest = *std::max_element(scores.begin(), scores.end());
        double sum = 0;
        std::vector<double> expected(static_cast<size_t>(cache.dim));
        for (size_t t = 0; t < scores.size(); t++) {
          const double weight = std::exp(scores[t] - greatest);
          sum += weight;
          for (size_t d = 0; d < expected.size(); d++) expected[d] += weight * cache.values[t * expected.size() + d];
        }
        const double size = std::sqrt(static_cast<double>(dim)) * 40;
        ASSERT_NEAR(result.greatest[at], greatest, 1e-6 * size);
        for (size_t d = 0; d < expected.size(); d++)
          ASSERT_NEAR(result.values[at * expected.size() + d] / result.sum[at], expected[d] / sum, 2e-6 * size) << "row " << r << ", dimension " << d;
        // The same bits alone.
        const Floats query(queries.begin() + r * cache.dim, queries.begin() + (r + 1) * cache.dim);
        const Result alone = attend(*kernels_, cache, query, {visible[at]});
        ASSERT_EQ(alone.sum[0], result.sum[at]);
        ASSERT_EQ(std::memcmp(alone.values.data(), result.values.data() + r * cache.dim, static_cast<size_t>(cache.dim) * 4), 0);
      }
    }
}

TEST_P(KernelsOf, AttentionInTwoParts) {
  for (int round = 0; round < 30; round++) {
    const int64_t dim = between(1, 80), tokens = between(65, 200), rows = between(1, 9);
    Cache cache(dim, tokens, Precision::Float32);
    const Floats queries = normals(rows * cache.dim);
    std::vector<int64_t> visible, earlier, later;
    for (int64_t r = 0; r < rows; r++) {
      visible.push_back(between(1, tokens));
      earlier.push_back(std::min<int64_t>(visible.back(), 64));
      later.push_back(std::max<int64_t>(visible.back() - 64, 0));
    }
    const Result whole = attend(*kernels_, cache, queries, visible);
    Cache first = std::move(cache);
    std::vector<const std::byte*> pages = first.pages;
    first.pages.assign(pages.begin(), pages.begin() + 2);
    Result a = attend(*kernels_, first, queries, earlier);
    first.pages.assign(pages.begin() + 2, pages.end());
    Result b = attend(*kernels_, first, queries, later);
    Attention one, two;
    one.rows = two.rows = rows;
    one.head_dim = two.head_dim = first.dim;
    one.greatest = a.greatest.data(), one.sum = a.sum.data(), one.values = a.values.data();
    two.greatest = b.greatest.data(), two.sum = b.sum.data(), two.values = b.values.data();
    kernels_->join(one, two);
    for (int64_t r = 0; r < rows; r++)
      for (int64_t d = 0; d < first.dim; d++) {
        const auto at = static_cast<size_t>(r * first.dim + d);
        ASSERT_NEAR(a.values[at] / a.sum[static_cast<size_t>(r)], whole.values[at] / whole.sum[static_cast<size_t>(r)], 2e-6);
      }
  }
}

TEST(Kernels, Avx2AndAvx512GiveTheSameBits) {
  if (!has(Isa::Avx512)) GTEST_SKIP() << "this processor has no avx512";
  const Kernels &a = kernels(Isa::Avx2), &b = kernels(Isa::Avx512);
  Workers workers(1);
  Floats scratch(static_cast<size_t>(product_scratch(1)));
  for (Precision precision : {Precision::Float32, Precision::BFloat16})
    for (int round = 0; round < 10; round++) {
      const int64_t outputs = between(1, 200), inputs = between(1, 600), count = between(1, 40);
      Packed w(outputs, inputs, precision);
      Inputs x(a, precision, count, inputs);
      Floats y(static_cast<size_t>(count * outputs)), z = y;
      linear(workers, a, x.input(), w.matrix, nullptr, y.data(), outputs, Into::Set, scratch.data());
      linear(workers, b, x.input(), w.matrix, nullptr, z.data(), outputs, Into::Set, scratch.data());
      ASSERT_EQ(y, z);
      Cache cache(between(1, 100), between(1, 150), precision);
      const Floats queries = normals(5 * cache.dim);
      const std::vector<int64_t> visible(5, cache.tokens);
      const Result one = attend(a, cache, queries, visible), two = attend(b, cache, queries, visible);
      ASSERT_EQ(one.sum, two.sum);
      ASSERT_EQ(one.values, two.values);
      Floats gate = normals(99), up = normals(99), p(99), q(99);
      a.silu_mul(gate.data(), up.data(), 99, p.data());
      b.silu_mul(gate.data(), up.data(), 99, q.data());
      ASSERT_EQ(p, q);
      a.rms_norm(gate.data(), up.data(), 1e-6f, 99, p.data());
      b.rms_norm(gate.data(), up.data(), 1e-6f, 99, q.data());
      ASSERT_EQ(p, q);
    }
}

TEST(Kernels, BFloat16) {
  EXPECT_EQ(from_bfloat16(to_bfloat16(1.0f)), 1.0f);
  EXPECT_EQ(from_bfloat16(to_bfloat16(1.00390625f)), 1.0f);       // halfway: to the even one
  EXPECT_EQ(from_bfloat16(to_bfloat16(1.01171875f)), 1.015625f);  // likewise
  EXPECT_EQ(from_bfloat16(to_bfloat16(-INFINITY)), -INFINITY);
  EXPECT_EQ(from_bfloat16(to_bfloat16(3.4e38f)), INFINITY);
  EXPECT_TRUE(std::isnan(from_bfloat16(to_bfloat16(NAN))));
}

TEST(Kernels, PackedRowsComeBack) {
  for (Precision precision : {Precision::Float32, Precision::BFloat16}) {
    Packed w(100, 37, precision);
    Floats row(37);
    for (int64_t n = 0; n < 100; n++) {
      w.matrix.unpack(n, row.data());
      for (size_t k = 0; k < row.size(); k++) ASSERT_EQ(row[k], w.rows[static_cast<size_t>(n) * 37 + k]);
    }
  }
}

TEST(Workers, EachTaskOnce) {
  for (int threads : {1, 2, 5}) {
    Workers workers(threads);
    EXPECT_EQ(workers.threads(), threads);
    for (int round = 0; round < 3000; round++) {
      const int64_t tasks = round % 40;
      std::vector<std::atomic<int>> done(static_cast<size_t>(tasks));
      std::atomic<int> strangers = 0;
      workers.run(tasks, [&](int64_t task, int thread) {
        done[static_cast<size_t>(task)]++;
        if (thread < 0 || thread >= threads) strangers++;
      });
      for (auto& one : done) ASSERT_EQ(one, 1);
      ASSERT_EQ(strangers, 0);
      if (round % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));  // they fall asleep
    }
  }
}

}  // namespace
