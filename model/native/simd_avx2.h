// Sixteen lanes with AVX2, FMA and F16C: two registers each. With AVX-VNNI, `DPBUSD` is its instruction, which does four
// products a lane at once; a file that includes this without it has dot products of AVX2.

#ifdef DPBUSD
constexpr const char* kName = "avx-vnni";
#else
constexpr const char* kName = "avx2";
#endif
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
    __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(x.a, x.b), 0xd8);  // packing takes halves of registers
    __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128((__m128i*)p, bytes);
}
INLINE int32_t sum_i32(i32x16 x) {
    __m256i eight = _mm256_add_epi32(x.a, x.b);
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(eight), _mm256_extracti128_si256(eight, 1));
    four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1)));
}

INLINE u8x64 load_bytes(const uint8_t* p) {
    return {_mm256_loadu_si256((const __m256i*)p), _mm256_loadu_si256((const __m256i*)(p + 32))};
}
INLINE u8x64 broadcast_table(const uint8_t* p) {
    __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i*)p));
    return {table, table};
}
INLINE u8x64 look_up_low(u8x64 table, u8x64 x) {
    __m256i mask = _mm256_set1_epi8(15);
    return {_mm256_shuffle_epi8(table.a, _mm256_and_si256(x.a, mask)), _mm256_shuffle_epi8(table.b, _mm256_and_si256(x.b, mask))};
}
INLINE u8x64 look_up_high(u8x64 table, u8x64 x) {
    return look_up_low(table, {_mm256_srli_epi16(x.a, 4), _mm256_srli_epi16(x.b, 4)});
}
// Codes stand for code - 128.
#ifdef DPBUSD
// Here they stay unsigned, and the sum of the activations corrects for it.
INLINE u8x64 load_codes(const uint8_t* p) { return load_bytes(p); }
INLINE u8x64 load_table(const uint8_t* p) { return broadcast_table(p); }
INLINE i32x16 start_dot(int32_t sum) { return set1_i32(-128 * sum); }
INLINE __m256i dot_half(__m256i acc, __m256i w, __m256i x) { return DPBUSD(acc, w, x); }
#else
// Here they are made signed.
INLINE u8x64 centered(u8x64 x) {
    __m256i top = _mm256_set1_epi8((char)128);
    return {_mm256_xor_si256(x.a, top), _mm256_xor_si256(x.b, top)};
}
INLINE u8x64 load_codes(const uint8_t* p) { return centered(load_bytes(p)); }
INLINE u8x64 load_table(const uint8_t* p) { return centered(broadcast_table(p)); }
INLINE i32x16 start_dot(int32_t) { return set1_i32(0); }
// maddubs adds pairs in 16 bits, where bytes up to 255 would saturate; |w| <= 127 does not.
INLINE __m256i dot_half(__m256i acc, __m256i w, __m256i x) {
    __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(w), _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// Of four signed bytes a lane, the first and the third as 16 bits, or the second and the fourth.
struct i16x32 { __m256i a, b; };
INLINE __m256i even_bytes(__m256i x) { return _mm256_srai_epi16(_mm256_slli_epi16(x, 8), 8); }
INLINE i16x32 widen_even(u8x64 x) { return {even_bytes(x.a), even_bytes(x.b)}; }
INLINE i16x32 widen_odd(u8x64 x) { return {_mm256_srai_epi16(x.a, 8), _mm256_srai_epi16(x.b, 8)}; }
INLINE i16x32 load_i16(const int16_t* p) {
    return {_mm256_loadu_si256((const __m256i*)p), _mm256_loadu_si256((const __m256i*)(p + 16))};
}
INLINE void store_i16(int16_t* p, i16x32 x) {
    _mm256_storeu_si256((__m256i*)p, x.a), _mm256_storeu_si256((__m256i*)(p + 16), x.b);
}
// Sixteen bytes as 16 bits, those of a lane in the order of `widen_even`, `widen_odd`.
INLINE void widen_16(const int8_t* p, int16_t* to) {
    __m128i order = _mm_setr_epi8(0, 2, 1, 3, 4, 6, 5, 7, 8, 10, 9, 11, 12, 14, 13, 15);
    __m128i bytes = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i*)p), order);
    _mm256_storeu_si256((__m256i*)to, _mm256_cvtepi8_epi16(bytes));
}
// acc + the two products of a lane. By hand: GCC takes all products of a loop first, and has no registers left for sums.
INLINE void add_products(__m256i& acc, __m256i w, __m256i x) {
    __m256i products;
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "=&x"(products) : "x"(w), "x"(x));
}
INLINE i32x16 dot_pairs(i32x16 acc, i16x32 w, const int16_t* x) {
    int32_t two;
    __builtin_memcpy(&two, x, 4);
    __m256i xs = _mm256_set1_epi32(two);
    add_products(acc.a, w.a, xs), add_products(acc.b, w.b, xs);
    return acc;
}
#endif
INLINE i32x16 dot(i32x16 acc, u8x64 w, const int8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    __m256i xs = _mm256_set1_epi32(four);
    return {dot_half(acc.a, w.a, xs), dot_half(acc.b, w.b, xs)};
}
