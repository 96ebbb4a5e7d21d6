// Linears of many tokens where four products a lane take three instructions that only half of the units do (AVX2):
// weights are spread to 16 bits, once for all the tokens, and one such instruction gives two products. Included behind
// `kernels.h`.
//
// Rule: the same bits as `linear`. Dot products of a group are exact in both, groups are added from first to last.

constexpr int kStepGroups = 8;  // of weights, spread at once: 9 kB, which stay in the first-level cache
constexpr int kPairs = kGroup / 2;
constexpr int kTile = 6;  // tokens: twelve sums, two registers of weights, one of activations, one of products
static_assert(kWideTokens % kTile == 0);

// A group of 16 rows. For each four columns, pairs have the first and the third of each row, then the second and the fourth.
struct alignas(64) WideGroup {
    float scale[16];
    int16_t pairs[kPairs][32];
};

// Where the columns from `column` on, a multiple of those of a step, begin for the tile of a token: the tiles of a step lie
// one after another, so that all tokens meet the weights of a step in one stream.
INLINE size_t tile_begin(int n_tokens, int cols, int column, int token) {
    const int most = kStepGroups * kGroup, width = cols - column < most ? cols - column : most;
    const int padded = (n_tokens + kTile - 1) / kTile * kTile;
    return (size_t)column * padded + (size_t)(token - token % kTile) * width;
}

// A token's activations among those of its tile, [columns / 2][kTile][2]: of four columns the pairs are the first and the
// third, the second and the fourth.
void widen(const int8_t* q, int cols, int token, int n_tokens, int16_t* tiles) {
    for (int column = 0; column < cols; column += kStepGroups * kGroup) {
        int16_t* to = tiles + tile_begin(n_tokens, cols, column, token) + token % kTile * 2;
        const int end = column + kStepGroups * kGroup < cols ? column + kStepGroups * kGroup : cols;
        for (int i = column; i < end; i += 4, to += 4 * kTile) {
            to[0] = q[i], to[1] = q[i + 2];
            to[2 * kTile] = q[i + 1], to[2 * kTile + 1] = q[i + 3];
        }
    }
}

INLINE void spread(u8x64 bytes, int16_t (*pairs)[32]) {
    store_i16(pairs[0], widen_even(bytes));
    store_i16(pairs[1], widen_odd(bytes));
}

template <int BITS>
void spread_groups(const uint8_t* block, int n_groups, WideGroup* to) {
    const u8x64 table = load_table(kCodebook);
    for (int g = 0; g < n_groups; g++, block += group_bytes(BITS), to++) {
        store(to->scale, load_f16((const uint16_t*)block));
        const uint8_t* codes = block + 32;
        for (int pair = 0; pair < kPairs; codes += 64) {
            if constexpr (BITS == 4) {
                u8x64 bytes = load_bytes(codes);
                spread(look_up_low(table, bytes), to->pairs + pair);
                spread(look_up_high(table, bytes), to->pairs + pair + 2);
                pair += 4;
            } else {
                spread(load_codes(codes), to->pairs + pair);
                pair += 2;
            }
        }
    }
}

// Adds n_groups groups of sixteen output rows to the totals (M, 16) of M tokens; `scale` has the first group's, those of
// the next token all_groups behind.
template <int M>
void wide_tile(const WideGroup* w, int n_groups, const int16_t* pairs, const float* scale, int all_groups, float (*totals)[16]) {
    f32x16 total[M];
    for (int m = 0; m < M; m++) total[m] = load(totals[m]);
    for (int g = 0; g < n_groups; g++, w++) {
        i32x16 acc[M];
        for (int m = 0; m < M; m++) acc[m] = set1_i32(0);
#pragma GCC unroll 2
        for (int pair = 0; pair < kPairs; pair++, pairs += 2 * kTile) {
            i16x32 weights = load_i16(w->pairs[pair]);
#pragma GCC unroll 8
            for (int m = 0; m < M; m++) acc[m] = dot_pairs(acc[m], weights, pairs + 2 * m);
        }
        f32x16 weight_scale = load(w->scale);
#pragma GCC unroll 8
        for (int m = 0; m < M; m++)
            total[m] = fma(to_f32(acc[m]), mul(weight_scale, set1(scale[(size_t)m * all_groups + g])), total[m]);
    }
    for (int m = 0; m < M; m++) store(totals[m], total[m]);
}

INLINE void any_wide_tile(int m, const WideGroup* w, int n, const int16_t* x, const float* scale, int all, float (*to)[16]) {
    switch (m) {
        case 1: return wide_tile<1>(w, n, x, scale, all, to);
        case 2: return wide_tile<2>(w, n, x, scale, all, to);
        case 3: return wide_tile<3>(w, n, x, scale, all, to);
        case 4: return wide_tile<4>(w, n, x, scale, all, to);
        case 5: return wide_tile<5>(w, n, x, scale, all, to);
        default: return wide_tile<6>(w, n, x, scale, all, to);
    }
}

// The totals (kWideTokens, 16) of one or two row blocks for tokens begin..end: two read the activations once.
void wide_blocks(const Matrix& w, const int* rows, int n_blocks, const Activations& x, int begin, int end,
                 float (*totals)[kWideTokens][16]) {
    const int n_groups = w.cols / kGroup;
    WideGroup groups[2][kStepGroups];
    for (int b = 0; b < n_blocks; b++)
        for (int i = 0; i < end - begin; i++) store(totals[b][i], zero());
    for (int g = 0; g < n_groups; g += kStepGroups) {
        const int n = n_groups - g < kStepGroups ? n_groups - g : kStepGroups;
        for (int b = 0; b < n_blocks; b++) {
            const uint8_t* at = w.blocks + ((size_t)rows[b] * n_groups + g) * group_bytes(w.bits);
            w.bits == 4 ? spread_groups<4>(at, n, groups[b]) : spread_groups<8>(at, n, groups[b]);
        }
        for (int token = begin; token < end; token += kTile) {
            const int16_t* pairs = x.pairs + tile_begin(x.n, w.cols, g * kGroup, token);
            const float* scale = x.scale + (size_t)token * n_groups + g;
            for (int b = 0; b < n_blocks; b++)
                any_wide_tile(end - token, groups[b], n, pairs, scale, n_groups, totals[b] + (token - begin));
        }
    }
    for (int b = 0; b < n_blocks && w.bias; b++)
        for (int i = 0; i < end - begin; i++) store(totals[b][i], add(load(totals[b][i]), load(w.bias + 16 * rows[b])));
}

// As `linear`, for at most kWideTokens tokens from a multiple of kWideTokens on: output rows 16 * index.. for SWIGLU, else
// 32 * index.., of which the last sixteen may be missing.
void linear_wide(const Matrix& w, Mode mode, int index, const Activations& x, int begin, int end, float* out) {
    alignas(64) float totals[2][kWideTokens][16];
    const int all = w.rows / 16;
    if (mode == SWIGLU) {
        const int rows[] = {index, all / 2 + index};
        wide_blocks(w, rows, 2, x, begin, end, totals);
        for (int i = 0; i < end - begin; i++)
            finish(mode, load(totals[0][i]), load(totals[1][i]), out + (size_t)(begin + i) * (w.rows / 2) + 16 * index);
        return;
    }
    const int rows[] = {2 * index, 2 * index + 1}, n_blocks = rows[1] < all ? 2 : 1;
    wide_blocks(w, rows, n_blocks, x, begin, end, totals);
    for (int i = 0; i < end - begin; i++)
        for (int b = 0; b < n_blocks; b++)
            finish(mode, load(totals[b][i]), zero(), out + (size_t)(begin + i) * w.rows + 16 * rows[b]);
}

constexpr Kernels with_wide(Kernels all) {
    all.widen = widen;
    all.linear_wide = linear_wide;
    return all;
}
constexpr Kernels wide_kernels = with_wide(kernels);
