// Sixteen lanes with AVX2, FMA and F16C: two registers each.

constexpr const char* kName = "avx2";
constexpr int kTokens = 4;
constexpr int kRows = 4;
constexpr int kValueVectors = 1;

struct f32x16 { __m256 a, b; };
struct i32x16 { __m256i a, b; };
struct u8x64 { __m256i a, b; };

INLINE f32x16 zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
INLINE f32x16 set1(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
INLINE f32x16 load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
INLINE f32x16 load_f16(const uint16_t* p) {
    return {_mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)p)), _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)(p + 8)))};
}
INLINE void store(float* p, f32x16 x) { _mm256_storeu_ps(p, x.a), _mm256_storeu_ps(p + 8, x.b); }
INLINE void store_f16(uint16_t* p, f32x16 x) {
    _mm_storeu_si128((__m128i*)p, _mm256_cvtps_ph(x.a, _MM_FROUND_TO_NEAREST_INT));
    _mm_storeu_si128((__m128i*)(p + 8), _mm256_cvtps_ph(x.b, _MM_FROUND_TO_NEAREST_INT));
}
INLINE f32x16 add(f32x16 a, f32x16 b) { return {_mm256_add_ps(a.a, b.a), _mm256_add_ps(a.b, b.b)}; }
INLINE f32x16 sub(f32x16 a, f32x16 b) { return {_mm256_sub_ps(a.a, b.a), _mm256_sub_ps(a.b, b.b)}; }
INLINE f32x16 mul(f32x16 a, f32x16 b) { return {_mm256_mul_ps(a.a, b.a), _mm256_mul_ps(a.b, b.b)}; }
INLINE f32x16 div(f32x16 a, f32x16 b) { return {_mm256_div_ps(a.a, b.a), _mm256_div_ps(a.b, b.b)}; }
INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { return {_mm256_fmadd_ps(a.a, b.a, c.a), _mm256_fmadd_ps(a.b, b.b, c.b)}; }
INLINE f32x16 max(f32x16 a, f32x16 b) { return {_mm256_max_ps(a.a, b.a), _mm256_max_ps(a.b, b.b)}; }
INLINE f32x16 abs(f32x16 x) {
    __m256 mask = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff));
    return {_mm256_and_ps(x.a, mask), _mm256_and_ps(x.b, mask)};
}
INLINE f32x16 round(f32x16 x) {
    return {_mm256_round_ps(x.a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), _mm256_round_ps(x.b, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
INLINE f32x16 to_f32(i32x16 x) { return {_mm256_cvtepi32_ps(x.a), _mm256_cvtepi32_ps(x.b)}; }
INLINE i32x16 to_i32(f32x16 x) { return {_mm256_cvtps_epi32(x.a), _mm256_cvtps_epi32(x.b)}; }
INLINE __m256 exp2_int_half(__m256 n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
INLINE f32x16 exp2_int(f32x16 n) { return {exp2_int_half(n.a), exp2_int_half(n.b)}; }

INLINE i32x16 set1_i32(int32_t x) { return {_mm256_set1_epi32(x), _mm256_set1_epi32(x)}; }
INLINE void store_i8(int8_t* p, i32x16 x) {
    int32_t lanes[16];
    _mm256_storeu_si256((__m256i*)lanes, x.a), _mm256_storeu_si256((__m256i*)(lanes + 8), x.b);
    for (int i = 0; i < 16; i++) p[i] = (int8_t)lanes[i];
}
INLINE int32_t sum_i32(i32x16 x) {
    int32_t lanes[8], total = 0;
    _mm256_storeu_si256((__m256i*)lanes, _mm256_add_epi32(x.a, x.b));
    for (int lane : lanes) total += lane;
    return total;
}

INLINE u8x64 load_bytes(const uint8_t* p) {
    return {_mm256_loadu_si256((const __m256i*)p), _mm256_loadu_si256((const __m256i*)(p + 32))};
}
INLINE u8x64 low_nibbles(u8x64 x) {
    __m256i mask = _mm256_set1_epi8(15);
    return {_mm256_and_si256(x.a, mask), _mm256_and_si256(x.b, mask)};
}
INLINE u8x64 high_nibbles(u8x64 x) { return low_nibbles({_mm256_srli_epi16(x.a, 4), _mm256_srli_epi16(x.b, 4)}); }
INLINE __m256i broadcast4(const int8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return _mm256_set1_epi32(four);
}
INLINE __m256i pair_sums(__m256i acc, __m256i pairs) {
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}
INLINE i32x16 dot_nibbles(i32x16 acc, u8x64 w, const int8_t* x) {
    __m256i four = broadcast4(x);  // 2 * 15 * 127 fits into the 16 bits of maddubs
    return {pair_sums(acc.a, _mm256_maddubs_epi16(w.a, four)), pair_sums(acc.b, _mm256_maddubs_epi16(w.b, four))};
}
// Bytes up to 255 would saturate maddubs: even and odd bytes are widened to 16 bits instead.
INLINE __m256i dot_half(__m256i acc, __m256i w, __m256i x) {
    __m256i even = _mm256_madd_epi16(_mm256_and_si256(w, _mm256_set1_epi16(255)), _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8));
    __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(w, 8), _mm256_srai_epi16(x, 8));
    return _mm256_add_epi32(acc, _mm256_add_epi32(even, odd));
}
INLINE i32x16 dot(i32x16 acc, u8x64 w, const int8_t* x) {
    __m256i four = broadcast4(x);
    return {dot_half(acc.a, w.a, four), dot_half(acc.b, w.b, four)};
}
