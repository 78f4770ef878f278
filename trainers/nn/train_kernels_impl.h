// Training's kernels, over the vectors of kernels_impl.h, behind which it is included.

constexpr int64_t kQueryBlock = 48;  // queries whose scores are computed together

// Some lanes of a last vector are not there: they are read as 0, and not written.

void rms_norm_back(const float* dy, const float* x, const float* w, float eps, int64_t n, float* dx, bool add_to_it, float* dw) {
  F16 squares = zero(), products = zero();
  for (int64_t i = 0; i < n; i += 16) {
    F16 part = load_some(x + i, n - i);
    squares = fma(part, part, squares);
    products = fma(mul(load_some(dy + i, n - i), load_some(w + i, n - i)), part, products);
  }
  const float count = static_cast<float>(n), rstd = 1.0f / __builtin_sqrtf(total(squares) / count + eps);
  // dx = rstd · (w dy − unit · mean(w dy unit)), with unit = x · rstd.
  const F16 factor = all(rstd), mean = all(total(products) * rstd * rstd / count);
  for (int64_t i = 0; i < n; i += 16) {
    F16 g = load_some(dy + i, n - i), at = load_some(x + i, n - i);
    F16 d = mul(factor, sub(mul(g, load_some(w + i, n - i)), mul(at, mean)));
    store_some(dx + i, add_to_it ? add(load_some(dx + i, n - i), d) : d, n - i);
    if (dw) store_some(dw + i, fma(g, mul(at, factor), load_some(dw + i, n - i)), n - i);
  }
}

void silu_mul_back(const float* dy, float* gate, float* up, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t left = n - i;
    F16 d = load_some(dy + i, left), g = load_some(gate + i, left), u = load_some(up + i, left);
    F16 s = div(all(1.0f), add(all(1.0f), exponential(sub(zero(), g)))), silu = mul(g, s);
    // silu' = s + g s (1 − s)
    store_some(gate + i, mul(mul(d, u), fma(silu, sub(all(1.0f), s), s)), left);
    store_some(up + i, mul(d, silu), left);
  }
}

// y[c][r] = x[r][c]
inline void transpose(const float* x, int64_t ldx, int64_t rows, int64_t columns, float* y, int64_t ldy) {
  for (int64_t c = 0; c < columns; c += 16)
    for (int64_t r = 0; r < rows; r += 16)
      for (int64_t i = c; i < least(c + 16, columns); i++)
        for (int64_t j = r; j < least(r + 16, rows); j++) y[i * ldy + j] = x[j * ldx + i];
}

inline int64_t padded(int64_t n) { return (n + 15) / 16 * 16; }

// Scores of a block of queries, scaled, with the keys that its last one sees.
inline void scores_of(const HeadJob& job, const float* q, int64_t first, int64_t rows, const float* keys, int64_t ld_keys, float* scaled, float* scores) {
  const F16 scale = all(1.0f / __builtin_sqrtf(static_cast<float>(job.size)));
  for (int64_t r = 0; r < rows; r++)
    for (int64_t d = 0; d < job.size; d += 16) store(scaled + r * job.size + d, mul(load(q + (first + r) * job.ld + d), scale));
  multiply<false>(scaled, job.size, rows, keys, ld_keys, padded(first + rows) / 16, job.size, scores, ld_keys, false);
}

// [size][padded tokens], zeros behind the last token.
inline void turn(const float* x, const HeadJob& job, float* y, int64_t ldy) {
  transpose(x, job.ld, job.tokens, job.size, y, ldy);
  for (int64_t d = 0; d < job.size; d++)
    for (int64_t t = job.tokens; t < ldy; t++) y[d * ldy + t] = 0;
}

void attention_forward(const HeadJob& job) {
  const int64_t wide = padded(job.tokens), size = job.size;
  float *keys = job.scratch, *scores = keys + size * wide, *scaled = scores + kQueryBlock * wide;
  turn(job.k, job, keys, wide);
  for (int64_t g = 0; g < job.group; g++)
    for (int64_t first = 0; first < job.tokens; first += kQueryBlock) {
      const int64_t rows = least(kQueryBlock, job.tokens - first), seen = first + rows, all_seen = padded(seen);
      scores_of(job, job.q + g * size, first, rows, keys, wide, scaled, scores);
      float sums[kQueryBlock];
      for (int64_t r = 0; r < rows; r++) {
        float* row = scores + r * wide;
        const int64_t visible = first + r + 1;
        F16 most = all(-kInfinity);
        for (int64_t t = 0; t < visible; t += 16) most = greater(most, first_of(load(row + t), all(-kInfinity), visible - t));
        const float greatest = maximum(most);
        F16 sum = zero();
        for (int64_t t = 0; t < all_seen; t += 16) {
          F16 e = first_of(exponential(sub(load(row + t), all(greatest))), zero(), visible - t);
          store(row + t, e);
          sum = add(sum, e);
        }
        sums[r] = total(sum);
        job.lse[(first + r) * job.ld_lse + g] = greatest + __builtin_logf(sums[r]);
      }
      float* out = job.values + first * job.ld_values + g * size;
      multiply<false>(scores, wide, rows, job.v, job.ld, size / 16, seen, out, job.ld_values, false);
      for (int64_t r = 0; r < rows; r++)
        for (int64_t d = 0; d < size; d += 16) store(out + r * job.ld_values + d, mul(load(out + r * job.ld_values + d), all(1.0f / sums[r])));
    }
}

void attention_backward(const HeadJob& job) {
  const int64_t wide = padded(job.tokens), size = job.size;
  float *keys = job.scratch, *values = keys + size * wide, *p = values + size * wide, *dp = p + kQueryBlock * wide;
  float *turned = dp + kQueryBlock * wide, *scaled = turned + kQueryBlock * wide;
  turn(job.k, job, keys, wide);
  turn(job.v, job, values, wide);
  for (int64_t t = 0; t < job.tokens; t++)
    for (int64_t d = 0; d < size; d += 16) {
      store(job.dk + t * job.ld + d, zero());
      store(job.dv + t * job.ld + d, zero());
    }
  const F16 scale = all(1.0f / __builtin_sqrtf(static_cast<float>(size)));
  for (int64_t g = 0; g < job.group; g++)
    for (int64_t first = 0; first < job.tokens; first += kQueryBlock) {
      const int64_t rows = least(kQueryBlock, job.tokens - first), seen = first + rows, all_seen = padded(seen);
      const float* dy = job.d_values + first * job.ld_values + g * size;
      const float* y = job.values + first * job.ld_values + g * size;
      scores_of(job, job.q + g * size, first, rows, keys, wide, scaled, p);
      multiply<false>(dy, job.ld_values, rows, values, wide, all_seen / 16, size, dp, wide, false);
      for (int64_t r = 0; r < rows; r++) {
        float *p_row = p + r * wide, *dp_row = dp + r * wide;
        const int64_t visible = first + r + 1;
        F16 products = zero();
        for (int64_t d = 0; d < size; d += 16) products = fma(load(dy + r * job.ld_values + d), load(y + r * job.ld_values + d), products);
        // d score = p · (dp − Σ p dp), and that sum is dy · y.
        const F16 delta = all(total(products)), lse = all(job.lse[(first + r) * job.ld_lse + g]);
        for (int64_t t = 0; t < all_seen; t += 16) {
          F16 e = first_of(exponential(sub(load(p_row + t), lse)), zero(), visible - t);
          store(p_row + t, e);
          store(dp_row + t, mul(e, sub(load(dp_row + t), delta)));
        }
      }
      transpose(p, wide, rows, seen, turned, kQueryBlock);
      multiply<false>(turned, kQueryBlock, seen, dy, job.ld_values, size / 16, rows, job.dv, job.ld, true);
      transpose(dp, wide, rows, seen, turned, kQueryBlock);
      multiply<false>(turned, kQueryBlock, seen, scaled, size, size / 16, rows, job.dk, job.ld, true);
      float* dq = job.dq + first * job.ld + g * size;
      multiply<false>(dp, wide, rows, job.k, job.ld, size / 16, seen, dq, job.ld, false);
      for (int64_t r = 0; r < rows; r++)
        for (int64_t d = 0; d < size; d += 16) store(dq + r * job.ld + d, mul(load(dq + r * job.ld + d), scale));
    }
}

float softmax(float* z, float heat, int64_t n, float* entropy) {
  F16 most = all(-kInfinity), finite = zero();
  for (int64_t i = 0; i < n; i += 16) {
    F16 at = mul(load_some(z + i, n - i), all(heat));
    store_some(z + i, at, n - i);
    finite = fma(at, zero(), finite);
    most = greater(most, first_of(at, all(-kInfinity), n - i));
  }
  const float greatest = maximum(most);
  F16 sum = zero(), weighted = zero();
  for (int64_t i = 0; i < n; i += 16) {
    F16 at = sub(load_some(z + i, n - i), all(greatest)), e = first_of(exponential(at), zero(), n - i);
    sum = add(sum, e);
    if (entropy) weighted = fma(e, at, weighted);
  }
  const float all_of_it = total(sum), log_sum = __builtin_logf(all_of_it);
  if (entropy) *entropy = log_sum - total(weighted) / all_of_it;  // −Σ p log p, with z less the greatest
  return greatest + log_sum + total(finite);
}

void softmax_back(float* z, float lse, float g, int64_t n) {
  for (int64_t i = 0; i < n; i += 16) store_some(z + i, mul(all(-g), exponential(sub(load_some(z + i, n - i), all(lse)))), n - i);
}

double squares(const float* x, int64_t n) {
  double out = 0;
  for (int64_t at = 0; at < n; at += 1024) {
    F16 sum = zero();
    for (int64_t i = at; i < least(at + 1024, n); i += 16) {
      F16 part = load_some(x + i, n - i);
      sum = fma(part, part, sum);
    }
    out += static_cast<double>(total(sum));
  }
  return out;
}

void adam(const AdamStep& s, int64_t n, float* w, float* g, float* m, float* v) {
  const F16 beta1 = all(s.beta1), beta2 = all(s.beta2), rest1 = all(s.rest1), rest2 = all(s.rest2), eps = all(s.eps);
  const F16 keep = all(s.keep), root = all(s.root), rate = all(s.rate), factor = all(s.factor);
  for (int64_t i = 0; i < n; i += 16) {
    const int64_t left = n - i;
    F16 d = mul(load_some(g + i, left), factor);
    F16 first = fma(d, rest1, mul(load_some(m + i, left), beta1));
    F16 second = fma(mul(d, d), rest2, mul(load_some(v + i, left), beta2));
    F16 step = div(first, add(div(square_root(second), root), eps));
    store_some(w + i, sub(mul(load_some(w + i, left), keep), mul(step, rate)), left);
    store_some(m + i, first, left);
    store_some(v + i, second, left);
    store_some(g + i, zero(), left);
  }
}

constexpr TrainKernels make_train_kernels() {
  return {rms_norm, rms_norm_back, rotate, add_to, silu_mul, silu_mul_back, attention_forward, attention_backward, softmax, softmax_back, squares, adam};
}
