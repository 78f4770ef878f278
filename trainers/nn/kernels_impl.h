// The kernels, written once over vectors of 16 floats: `F16` with load, store, fma and so on, which the including file defines
// in its own unnamed namespace and for its own instruction set, with
//   kRegisters      how many accumulators of F16 a product may have
//   kColumns        how many F16 side by side a product computes at most
//
// Only files for one instruction set include this, each compiled with its own flags. Nothing here may be shared with other files
// by the linker, which could then choose the AVX-512 version for everyone: everything is in the unnamed namespace, and no inline function
// of the standard library is used.

constexpr float kInfinity = __builtin_inff();

constexpr int64_t kAhead = 2048;  // bytes that a stream is fetched before it is read

inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

// y[R][P·16] (+)= x[R][depth] · w. Each sum goes over the depth in order, with one rounding for each step, and can be interrupted:
// what is stored and loaded again has not changed. While it computes it fetches what lies at `ahead`: kLines lines for each row of w.
template <int R, int P, int kLines, bool kPairs>
inline void block(const float* x, int64_t ldx, const void* weights, int64_t ldw, int64_t depth, float* y, int64_t ldy, bool add, const char* ahead) {
  F16 sums[R][P];
  if (add) {
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) sums[r][p] = load(y + r * ldy + p * 16);
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < R; r++)
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) sums[r][p] = zero();
  }
  if constexpr (kPairs) {
    const auto* w = static_cast<const uint16_t*>(weights);
    for (int64_t k = 0; k < depth; k += 2, w += 2 * ldw) {
      F16 even[P], odd[P];
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) load_pairs(w + 32 * p, even[p], odd[p]);
#pragma GCC unroll 4
      for (int line = 0; line < kLines; line++, ahead += 64) __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) {
        F16 one = all(x[r * ldx + k]);
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) sums[r][p] = fma(one, even[p], sums[r][p]);
        F16 other = all(x[r * ldx + k + 1]);
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) sums[r][p] = fma(other, odd[p], sums[r][p]);
      }
    }
  } else {
    const auto* w = static_cast<const float*>(weights);
    for (int64_t k = 0; k < depth; k++, w += ldw) {
      F16 row[P];
#pragma GCC unroll 4
      for (int p = 0; p < P; p++) row[p] = load(w + 16 * p);
#pragma GCC unroll 4
      for (int line = 0; line < kLines; line++, ahead += 64) __builtin_prefetch(ahead, 0, 2);
#pragma GCC unroll 16
      for (int r = 0; r < R; r++) {
        F16 one = all(x[r * ldx + k]);
#pragma GCC unroll 4
        for (int p = 0; p < P; p++) sums[r][p] = fma(one, row[p], sums[r][p]);
      }
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; r++)
#pragma GCC unroll 4
    for (int p = 0; p < P; p++) store(y + r * ldy + p * 16, sums[r][p]);
}

template <int P>
constexpr int kRows = kRegisters / P < 12 ? kRegisters / P : 12;

template <int R, int P, int kLines, bool kPairs>
inline void blocks(int64_t rows, const float* x, int64_t ldx, const void* w, int64_t ldw, int64_t depth, float* y, int64_t ldy, bool add, const char* ahead) {
  if constexpr (R > 1) {
    if (rows < R) return blocks<R - 1, P, kLines, kPairs>(rows, x, ldx, w, ldw, depth, y, ldy, add, ahead);
  }
  block<R, P, kLines, kPairs>(x, ldx, w, ldw, depth, y, ldy, add, ahead);
}

// y[rows][P·16] (+)= x · w. Fetches `ahead_lines` lines at `ahead` meanwhile.
template <int P, bool kPairs, bool kFetch>
inline void columns(const float* x, int64_t ldx, int64_t rows, const void* w, int64_t ldw, int64_t depth, float* y, int64_t ldy, bool add,
                    const char* ahead = nullptr, int64_t ahead_lines = 0) {
  // As even as possible: 9 rows are 5 and 4.
  const int64_t count = (rows + kRows<P> - 1) / kRows<P>, size = (rows + count - 1) / count;
  const int64_t steps = kPairs ? depth / 2 : depth;
  for (int64_t r = 0; r < rows; r += size) {
    const int64_t now = least(size, rows - r);
    const float* from = x + r * ldx;
    float* to = y + r * ldy;
    if constexpr (kFetch) {
      if (ahead_lines > 0) {
        const int64_t share = steps * least(3, count);  // the first blocks fetch everything
        const int64_t lines = least((ahead_lines + share - 1) / share, 3);
        if (lines == 1)
          blocks<kRows<P>, P, 1, kPairs>(now, from, ldx, w, ldw, depth, to, ldy, add, ahead);
        else if (lines == 2)
          blocks<kRows<P>, P, 2, kPairs>(now, from, ldx, w, ldw, depth, to, ldy, add, ahead);
        else
          blocks<kRows<P>, P, 3, kPairs>(now, from, ldx, w, ldw, depth, to, ldy, add, ahead);
        ahead += steps * lines * 64;
        ahead_lines -= steps * lines;
        continue;
      }
    }
    blocks<kRows<P>, P, 0, kPairs>(now, from, ldx, w, ldw, depth, to, ldy, add, nullptr);
  }
}

// The same for any width, without fetching.
template <bool kPairs>
void multiply(const float* x, int64_t ldx, int64_t rows, const void* weights, int64_t ldw, int64_t width, int64_t depth, float* y, int64_t ldy, bool add) {
  const auto* w = static_cast<const char*>(weights);
  while (width > 0) {
    const int64_t p = least(width, kColumns);
    if (p == 4)
      columns<kColumns >= 4 ? 4 : 1, kPairs, false>(x, ldx, rows, w, ldw, depth, y, ldy, add);
    else if (p == 3)
      columns<kColumns >= 3 ? 3 : 1, kPairs, false>(x, ldx, rows, w, ldw, depth, y, ldy, add);
    else if (p == 2)
      columns<kColumns >= 2 ? 2 : 1, kPairs, false>(x, ldx, rows, w, ldw, depth, y, ldy, add);
    else
      columns<1, kPairs, false>(x, ldx, rows, w, ldw, depth, y, ldy, add);
    width -= p;
    w += p * 64;  // 16 floats, or 16 pairs
    y += p * 16;
  }
}

// A piece of the panel stays in the first-level cache while all rows pass; the next piece is fetched meanwhile. Few rows pass over
// the panel as it comes from memory.
template <bool kPairs>
void product(const Product& job) {
  constexpr int kWide = kColumns >= 3 ? 3 : 1;
  constexpr int64_t kPiece = kPairs ? 384 : 192;  // 36 KiB
  constexpr int64_t kRowBytes = kPanel * (kPairs ? 2 : 4);
  const auto* panel = static_cast<const char*>(job.panel);
  const bool whole = kWide == 3 && job.rows <= kRows<kWide>;
  int64_t depth = 0;
  for (int64_t k = 0; k < job.depth; k += depth) {
    // Nobody has fetched the first piece: a small one.
    depth = least(whole ? job.depth : k == 0 ? kPiece / 4 : kPiece, job.depth - k);
    const char* ahead = panel + depth * kRowBytes;
    int64_t lines = least(kPiece, job.depth - k - depth) * kRowBytes / 64;
    if (whole) {
      ahead = panel + kAhead;
      lines = depth * kRowBytes / 64;
    } else if (lines == 0 && job.next) {
      ahead = static_cast<const char*>(job.next);
      lines = least(kPiece / 4, job.depth) * kRowBytes / 64;
    }
    for (int64_t column = 0; column < kPanel; column += 16 * kWide) {
      columns<kWide, kPairs, true>(job.x + k, job.ldx, job.rows, panel + column * 4, kPanel, depth, job.y + column, kPanel, k > 0, ahead, lines);
      lines = 0;
    }
    panel += depth * kRowBytes;
  }
}

// e^x to 1e-7 of itself, for x up to 88; exactly 1 for 0. Below -87 about 1e-38.
inline F16 exponential(F16 x) {
  x = greater(lesser(x, all(88.0f)), all(-87.0f));
  F16 n = nearest(mul(x, all(1.44269504088896341f)));
  F16 r = fma(n, all(-0.693359375f), x);
  r = fma(n, all(2.12194440e-4f), r);
  F16 p = fma(all(1.9875691500e-4f), r, all(1.3981999507e-3f));
  p = fma(p, r, all(8.3334519073e-3f));
  p = fma(p, r, all(4.1665795894e-2f));
  p = fma(p, r, all(1.6666665459e-1f));
  p = fma(p, r, all(5.0000001201e-1f));
  p = fma(p, mul(r, r), add(r, all(1.0f)));
  return scale(p, n);
}

// e^(from - to), where `from` may be -∞ (then `to` may be too).
inline float decay(float from, float to) {
  if (from == to) return 1;
  return first(exponential(all(from - to)));
}

template <bool kPairs>
void attention(const Attention& job) {
  const int64_t dim = job.head_dim;
  const int64_t keys_bytes = dim * kPageTokens * (kPairs ? 2 : 4);
  for (int64_t r = 0; r < job.rows; r++) {
    job.greatest[r] = -kInfinity;
    job.sum[r] = 0;
    for (int64_t d = 0; d < dim; d += 16) store(job.values + r * dim + d, zero());
  }
  for (int64_t page = 0; page < job.page_count; page++) {
    const std::byte* keys = job.pages[page];
    const std::byte* values = keys + keys_bytes;
    // Rows at either end may not see the page.
    int64_t from = 0, to = job.rows;
    while (from < to && job.visible[from] <= page * kPageTokens) from++;
    while (from < to && job.visible[to - 1] <= page * kPageTokens) to--;
    if (from == to) continue;
    float* scores = job.scratch + from * kPageTokens;
    multiply<kPairs>(job.queries + from * dim, dim, to - from, keys, kPageTokens, kPageTokens / 16, dim, scores, kPageTokens, false);
    int64_t most = 0;
    for (int64_t r = from; r < to; r++) {
      float* row = job.scratch + r * kPageTokens;
      int64_t count = least(job.visible[r] - page * kPageTokens, kPageTokens);
      if (count <= 0) {
        store(row, zero());
        store(row + 16, zero());
        continue;
      }
      if (count > most) most = count;
      F16 low = first_of(load(row), all(-kInfinity), count), high = first_of(load(row + 16), all(-kInfinity), count - 16);
      float greatest = maximum(greater(low, high));
      if (greatest < job.greatest[r]) greatest = job.greatest[r];
      low = first_of(exponential(sub(low, all(greatest))), zero(), count);
      high = first_of(exponential(sub(high, all(greatest))), zero(), count - 16);
      store(row, low);
      store(row + 16, high);
      if (greatest != job.greatest[r]) {
        float factor = decay(job.greatest[r], greatest);
        job.sum[r] *= factor;
        for (int64_t d = 0; d < dim; d += 16) store(job.values + r * dim + d, mul(load(job.values + r * dim + d), all(factor)));
        job.greatest[r] = greatest;
      }
      job.sum[r] += total(add(low, high));
    }
    // Behind the last token that any row sees lies what was there before.
    if (kPairs) most += most & 1;
    multiply<kPairs>(scores, kPageTokens, to - from, values, dim, dim / 16, most, job.values + from * dim, dim, true);
  }
}

void join(const Attention& earlier, const Attention& later) {
  const int64_t dim = earlier.head_dim;
  for (int64_t r = 0; r < earlier.rows; r++) {
    if (later.sum[r] == 0) continue;
    float greatest = earlier.greatest[r] < later.greatest[r] ? later.greatest[r] : earlier.greatest[r];
    float a = decay(earlier.greatest[r], greatest), b = decay(later.greatest[r], greatest);
    for (int64_t d = 0; d < dim; d += 16) {
      float* at = earlier.values + r * dim + d;
      store(at, fma(load(later.values + r * dim + d), all(b), mul(load(at), all(a))));
    }
    earlier.greatest[r] = greatest;
    earlier.sum[r] = earlier.sum[r] * a + later.sum[r] * b;
  }
}

inline F16 load_some(const float* x, int64_t count) {
  if (count >= 16) return load(x);
  alignas(64) float some[16] = {};
  for (int64_t i = 0; i < count; i++) some[i] = x[i];
  return load(some);
}
inline void store_some(float* x, F16 value, int64_t count) {
  if (count >= 16) return store(x, value);
  alignas(64) float some[16];
  store(some, value);
  for (int64_t i = 0; i < count; i++) x[i] = some[i];
}

void rms_norm(const float* x, const float* weight, float eps, int64_t n, float* y) {
  F16 squares = zero();
  for (int64_t i = 0; i < n; i += 16) {
    F16 part = load_some(x + i, n - i);
    squares = fma(part, part, squares);
  }
  F16 factor = all(1.0f / __builtin_sqrtf(total(squares) / static_cast<float>(n) + eps));
  for (int64_t i = 0; i < n; i += 16) store_some(y + i, mul(load_some(weight + i, n - i), mul(load_some(x + i, n - i), factor)), n - i);
}

void rotate(float* x, const float* cosines, const float* sines, int64_t half) {
  for (int64_t i = 0; i < half; i += 16) {
    F16 a = load_some(x + i, half - i), b = load_some(x + half + i, half - i);
    F16 c = load_some(cosines + i, half - i), s = load_some(sines + i, half - i);
    store_some(x + i, sub(mul(a, c), mul(b, s)), half - i);
    store_some(x + half + i, fma(b, c, mul(a, s)), half - i);
  }
}

void add_to(const float* x, int64_t n, float* y) {
  for (int64_t i = 0; i < n; i += 16) store_some(y + i, add(load_some(y + i, n - i), load_some(x + i, n - i)), n - i);
}

void silu_mul(const float* gate, const float* up, int64_t n, float* y) {
  for (int64_t i = 0; i < n; i += 16) {
    F16 g = load_some(gate + i, n - i);
    F16 silu = div(g, add(all(1.0f), exponential(sub(zero(), g))));
    store_some(y + i, mul(silu, load_some(up + i, n - i)), n - i);
  }
}

constexpr Kernels make_kernels(Isa isa) {
  return {isa, {product<false>, product<true>}, {attention<false>, attention<true>}, join, rms_norm, rotate, add_to, silu_mul, {0, 0}, {nullptr, nullptr}};
}
