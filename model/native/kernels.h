// The kernels, written once over sixteen lanes (see simd_*.h) and compiled once per instruction set.
// Included inside a namespace; everything here runs on one thread, `engine.cpp` divides the work.
//
// Rule: a token's result must not depend, bit for bit, on the tokens beside it, on the number of threads or
// on how a prompt was cut into chunks. So every sum has one fixed order per token: integer dot products are
// exact, groups are added from first to last, and attention is cut at multiples of kSegment slots.

// How far ahead of a tile's weights those are fetched that come next; none where the processor does it better itself.
#ifdef FETCH_AHEAD
INLINE void fetch_ahead(const uint8_t* weights) { __builtin_prefetch(weights + FETCH_AHEAD); }
#else
INLINE void fetch_ahead(const uint8_t*) {}
#endif

// e^x (x <= 88), Cephes' polynomial; exactly 1 at 0, and 0 to working precision below -87.
INLINE f32x16 exp(f32x16 x) {
    x = max(x, set1(-87.0f));
    f32x16 n = round(mul(x, set1(1.44269504088896341f)));
    f32x16 r = fma(n, set1(-0.693359375f), x);
    r = fma(n, set1(2.12194440e-4f), r);
    f32x16 p = set1(1.9875691500e-4f);
    p = fma(p, r, set1(1.3981999507e-3f));
    p = fma(p, r, set1(8.3334519073e-3f));
    p = fma(p, r, set1(4.1665795894e-2f));
    p = fma(p, r, set1(1.6666665459e-1f));
    p = fma(p, r, set1(5.0000001201e-1f));
    p = add(fma(mul(r, r), p, r), set1(1.0f));
    return mul(p, exp2_int(n));
}

INLINE float reduce_add(f32x16 x) {
    float lanes[16], total = 0.0f;
    store(lanes, x);
    for (float lane : lanes) total += lane;
    return total;
}

INLINE float reduce_max(f32x16 x) {
    float lanes[16], top;
    store(lanes, x);
    top = lanes[0];
    for (float lane : lanes) top = lane > top ? lane : top;
    return top;
}

// out = x / rms(x) * weight (Zhang & Sennrich 2019); n is a multiple of 16.
void rms_norm(const float* x, const float* weight, float eps, int n, float* out) {
    f32x16 squares = zero();
    for (int i = 0; i < n; i += 16) squares = fma(load(x + i), load(x + i), squares);
    f32x16 factor = set1(1.0f / __builtin_sqrtf(reduce_add(squares) / (float)n + eps));
    for (int i = 0; i < n; i += 16) store(out + i, mul(mul(load(x + i), factor), load(weight + i)));
}

// One token to int8 with a scale per group of 32, and each group's sum of the integers.
void quantize(const float* x, int n, int8_t* q, float* scale, int32_t* sum) {
    for (int g = 0; g < n / kGroup; g++, x += kGroup, q += kGroup) {
        f32x16 low = load(x), high = load(x + 16);
        float top = reduce_max(max(abs(low), abs(high)));
        f32x16 inverse = set1(top > 0.0f ? 127.0f / top : 0.0f);
        i32x16 a = to_i32(mul(low, inverse)), b = to_i32(mul(high, inverse));
        store_i8(q, a), store_i8(q + 16, b);
        scale[g] = top / 127.0f;
        sum[g] = sum_i32(a) + sum_i32(b);
    }
}

// Sixteen output rows for M tokens from one row block: groups of [16 fp16 scales][codes] (see weights/packing.py).
template <int BITS, int M>
void tile(const uint8_t* block, int n_groups, const Activations& x, int token, f32x16* out) {
    const int cols = n_groups * kGroup;
    const int8_t* q = x.q + (size_t)token * cols;
    const float* scale = x.scale + (size_t)token * n_groups;
    const int32_t* sum = x.sum + (size_t)token * n_groups;
    const u8x64 table = load_table(kCodebook);
    f32x16 total[M];
    for (int m = 0; m < M; m++) total[m] = zero();
    for (int g = 0; g < n_groups; g++) {
        f32x16 weight_scale = load_f16((const uint16_t*)block);
        const uint8_t* codes = block + 32;
        i32x16 acc[M];
#pragma GCC unroll 8
        for (int m = 0; m < M; m++) acc[m] = start_dot(sum[(size_t)m * n_groups + g]);
        if constexpr (BITS == 4) {
#pragma GCC unroll 4
            for (int c = 0; c < kGroup; c += 8, codes += 64) {
                fetch_ahead(codes);
                u8x64 bytes = load_bytes(codes), low = look_up_low(table, bytes), high = look_up_high(table, bytes);
#pragma GCC unroll 8
                for (int m = 0; m < M; m++) {
                    const int8_t* at = q + (size_t)m * cols + g * kGroup + c;
                    acc[m] = dot(dot(acc[m], low, at), high, at + 4);
                }
            }
        } else {
#pragma GCC unroll 8
            for (int c = 0; c < kGroup; c += 4, codes += 64) {
                fetch_ahead(codes);
                u8x64 bytes = load_codes(codes);
#pragma GCC unroll 8
                for (int m = 0; m < M; m++) acc[m] = dot(acc[m], bytes, q + (size_t)m * cols + g * kGroup + c);
            }
        }
#pragma GCC unroll 8
        for (int m = 0; m < M; m++)
            total[m] = fma(to_f32(acc[m]), mul(weight_scale, set1(scale[(size_t)m * n_groups + g])), total[m]);
        block += group_bytes(BITS);
    }
    for (int m = 0; m < M; m++) out[m] = total[m];
}

template <int BITS>
INLINE void any_tile(int m, const uint8_t* block, int n_groups, const Activations& x, int token, f32x16* out) {
    switch (m) {
        case 1: return tile<BITS, 1>(block, n_groups, x, token, out);
        case 2: return tile<BITS, 2>(block, n_groups, x, token, out);
        case 3: return tile<BITS, 3>(block, n_groups, x, token, out);
        case 4: return tile<BITS, 4>(block, n_groups, x, token, out);
        default: break;
    }
    if constexpr (kTokens == 8) switch (m) {
        case 5: return tile<BITS, 5>(block, n_groups, x, token, out);
        case 6: return tile<BITS, 6>(block, n_groups, x, token, out);
        case 7: return tile<BITS, 7>(block, n_groups, x, token, out);
        default: return tile<BITS, 8>(block, n_groups, x, token, out);
    }
}

INLINE void row_block(const Matrix& w, int index, const Activations& x, int token, int m, f32x16* out) {
    const int n_groups = w.cols / kGroup;
    const uint8_t* block = w.blocks + (size_t)index * n_groups * group_bytes(w.bits);
    if (w.bits == 4) any_tile<4>(m, block, n_groups, x, token, out);
    else any_tile<8>(m, block, n_groups, x, token, out);
    if (w.bias)
        for (int i = 0; i < m; i++) out[i] = add(out[i], load(w.bias + 16 * index));
}

// Sixteen outputs of a linear, finished as `mode` says; `up` counts for SWIGLU alone.
INLINE void finish(Mode mode, f32x16 y, f32x16 up, float* at) {
    if (mode == ADD) store(at, add(load(at), y));
    else if (mode == SWIGLU) store(at, mul(div(y, add(set1(1.0f), exp(sub(zero(), y)))), up));
    else store(at, y);
}

// Output rows 16 * index.. of tokens begin..end of a linear.
void linear(const Matrix& w, Mode mode, int index, const Activations& x, int begin, int end, float* out) {
    const int half = w.rows / 32;  // row blocks of the gate; those of `up` follow
    const int width = mode == SWIGLU ? w.rows / 2 : w.rows;
    for (int token = begin; token < end; token += kTokens) {
        const int m = end - token < kTokens ? end - token : kTokens;
        f32x16 y[kTokens], up[kTokens];
        row_block(w, index, x, token, m, y);
        if (mode == SWIGLU) row_block(w, half + index, x, token, m, up);
        for (int i = 0; i < m; i++) finish(mode, y[i], up[i], out + (size_t)(token + i) * width + 16 * index);
    }
}

// RoPE (Su et al. 2021) in half-split order: cos and sin hold dim / 2 values.
void rotate(float* x, int dim, const float* cos, const float* sin, float factor) {
    for (int i = 0; i < dim / 2; i++) {
        float left = x[i], right = x[i + dim / 2];
        x[i] = (left * cos[i] - right * sin[i]) * factor;
        x[i + dim / 2] = (right * cos[i] + left * sin[i]) * factor;
    }
}

// Keys lie in tiles of 16 slots, [dim][16]; values slot by slot, [dim].
void store_kv(const KV& kv, int head, int dim, int slot, const float* k, const float* v) {
    uint16_t* keys = kv.keys + ((size_t)head * kv.capacity + slot / 16 * 16) * dim + slot % 16;
    uint16_t* values = kv.values + ((size_t)head * kv.capacity + slot) * dim;
    for (int d = 0; d < dim; d += 16) {
        uint16_t halves[16];
        store_f16(halves, load(k + d));
        for (int i = 0; i < 16; i++) keys[(d + i) * 16] = halves[i];
        store_f16(values + d, load(v + d));
    }
}

// Copies one slot of a head to another slot, its key turned by the angles; null for no turn at all.
void move(const KV& to, int to_slot, const KV& from, int from_slot, int head, int dim, const float* cos, const float* sin) {
    const uint16_t* key = from.keys + ((size_t)head * from.capacity + from_slot / 16 * 16) * dim + from_slot % 16;
    uint16_t* into = to.keys + ((size_t)head * to.capacity + to_slot / 16 * 16) * dim + to_slot % 16;
    uint16_t halves[kMaxHeadDim];
    for (int d = 0; d < dim; d++) halves[d] = key[d * 16];
    if (cos != nullptr) {
        float turned[kMaxHeadDim];
        for (int d = 0; d < dim; d += 16) store(turned + d, load_f16(halves + d));
        rotate(turned, dim, cos, sin, 1.0f);
        for (int d = 0; d < dim; d += 16) store_f16(halves + d, load(turned + d));
    }
    for (int d = 0; d < dim; d++) into[d * 16] = halves[d];
    const size_t slot = (size_t)head * from.capacity + from_slot;
    __builtin_memcpy(to.values + ((size_t)head * to.capacity + to_slot) * dim, from.values + slot * dim, dim * sizeof(uint16_t));
}

// scores[r][slot - first] for R query rows over the tiles from slot `first` (a multiple of 16) up to `end`.
template <int R>
void score_tiles(const uint16_t* keys, int dim, const float* const* q, int first, int end, float (*scores)[kSegment]) {
    for (int slot = first; slot < end; slot += 16) {
        const uint16_t* key = keys + (size_t)slot * dim;
        f32x16 acc[R];
        for (int r = 0; r < R; r++) acc[r] = zero();
        for (int d = 0; d < dim; d++) {
            f32x16 k = load_f16(key + 16 * d);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) acc[r] = fma(k, set1(q[r][d]), acc[r]);
        }
        for (int r = 0; r < R; r++) store(scores[r] + (slot - first), acc[r]);
    }
}

// out[r][d] = sum over slots begin..end of scores[r][slot - first] * value[slot][d].
template <int R, int V>
INLINE void weigh_dims(const uint16_t* values, int dim, int d, int first, int begin, int end,
                       const float (*scores)[kSegment], float* const* out) {
    f32x16 acc[R][V];
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) acc[r][v] = zero();
    for (int slot = begin; slot < end; slot++) {
        const uint16_t* value = values + (size_t)slot * dim + d;
        f32x16 x[V];
#pragma GCC unroll 2
        for (int v = 0; v < V; v++) x[v] = load_f16(value + 16 * v);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            f32x16 p = set1(scores[r][slot - first]);
#pragma GCC unroll 2
            for (int v = 0; v < V; v++) acc[r][v] = fma(x[v], p, acc[r][v]);
        }
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) store(out[r] + d + 16 * v, acc[r][v]);
}

template <int R>
void attend_rows(const uint16_t* keys, const uint16_t* values, int dim, const float* const* q, const int* limits,
                 int begin, int end, Partial* partials) {
    alignas(64) float scores[R][kSegment];
    float* out[R];
    const int first = begin / 16 * 16;
    const int n = (end - first + 15) / 16 * 16;
    score_tiles<R>(keys, dim, q, first, end, scores);
    for (int r = 0; r < R; r++) {
        const int low = begin - first, high = (limits[r] < end ? limits[r] : end) - first;
        out[r] = partials[r].out;
        float* row = scores[r];
        for (int i = 0; i < low; i++) row[i] = -__builtin_inff();
        for (int i = high > low ? high : low; i < n; i++) row[i] = -__builtin_inff();
        f32x16 top = set1(-__builtin_inff());
        for (int i = 0; i < n; i += 16) top = max(load(row + i), top);
        const float top_score = partials[r].top = reduce_max(top);
        f32x16 total = zero();
        if (high > low) {
            for (int i = 0; i < n; i += 16) store(row + i, exp(sub(load(row + i), set1(top_score))));
            for (int i = 0; i < low; i++) row[i] = 0.0f;
            for (int i = high; i < n; i++) row[i] = 0.0f;
            for (int i = 0; i < n; i += 16) total = add(total, load(row + i));
        } else {
            for (int i = 0; i < n; i++) row[i] = 0.0f;
        }
        partials[r].total = reduce_add(total);
    }
    int d = 0;
    for (; d + 16 * kValueVectors <= dim; d += 16 * kValueVectors)
        weigh_dims<R, kValueVectors>(values, dim, d, first, begin, end, scores, out);
    for (; d < dim; d += 16) weigh_dims<R, 1>(values, dim, d, first, begin, end, scores, out);
}

// Unfinished attention of up to kRows query rows to slots begin..end, which lie in one segment; row r sees
// the slots below limits[r].
void attend(const KV& kv, int head, int dim, int n_rows, const float* const* q, const int* limits, int begin, int end,
            Partial* partials) {
    const uint16_t* keys = kv.keys + (size_t)head * kv.capacity * dim;
    const uint16_t* values = kv.values + (size_t)head * kv.capacity * dim;
    switch (n_rows) {
        case 1: return attend_rows<1>(keys, values, dim, q, limits, begin, end, partials);
        case 2: return attend_rows<2>(keys, values, dim, q, limits, begin, end, partials);
        case 3: return attend_rows<3>(keys, values, dim, q, limits, begin, end, partials);
        case 4: return attend_rows<4>(keys, values, dim, q, limits, begin, end, partials);
        default: break;
    }
    if constexpr (kRows == 8) switch (n_rows) {
        case 5: return attend_rows<5>(keys, values, dim, q, limits, begin, end, partials);
        case 6: return attend_rows<6>(keys, values, dim, q, limits, begin, end, partials);
        case 7: return attend_rows<7>(keys, values, dim, q, limits, begin, end, partials);
        default: return attend_rows<8>(keys, values, dim, q, limits, begin, end, partials);
    }
}

// into = the attention over the slots of both (Milakov & Gimelshein 2018).
void merge(Partial& into, const Partial& other, int dim) {
    if (other.top == -__builtin_inff()) return;
    const float top = into.top > other.top ? into.top : other.top;
    const f32x16 keep = exp(set1(into.top - top)), take = exp(set1(other.top - top));
    const bool empty = into.top == -__builtin_inff();
    for (int d = 0; d < dim; d += 16) {
        f32x16 taken = mul(load(other.out + d), take);
        store(into.out + d, empty ? taken : fma(load(into.out + d), keep, taken));
    }
    float weights[2][16];
    store(weights[0], keep), store(weights[1], take);
    into.total = (empty ? 0.0f : into.total * weights[0][0]) + other.total * weights[1][0];
    into.top = top;
}

// The largest of n values (a multiple of 16), the first index that has it, and the sum of e^(value - largest).
Peak find_peak(const float* x, int n) {
    f32x16 top = load(x);
    for (int i = 16; i < n; i += 16) top = max(load(x + i), top);
    Peak peak = {reduce_max(top), 0.0f, 0};
    f32x16 total = zero();
    for (int i = 0; i < n; i += 16) total = add(total, exp(sub(load(x + i), set1(peak.top))));
    peak.total = reduce_add(total);
    while (x[peak.index] != peak.top && peak.index < n - 1) peak.index++;
    return peak;
}

constexpr Kernels kernels = {kName,  kTokens,  kRows,  rms_norm, quantize, linear,
                         rotate, store_kv, move,   attend, merge,  find_peak, nullptr, nullptr};
