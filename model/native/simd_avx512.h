// Sixteen lanes with AVX-512 and VNNI: one register each.

constexpr const char* kName = "avx512-vnni";
constexpr int kTokens = 8;      // tokens per GEMM tile: 8 integer and 8 float accumulators
constexpr int kRows = 8;        // query rows per attention tile
constexpr int kValueVectors = 2;  // vectors of 16 value dimensions per attention tile

struct f32x16 { __m512 v; };
struct i32x16 { __m512i v; };
struct u8x64 { __m512i v; };

INLINE f32x16 zero() { return {_mm512_setzero_ps()}; }
INLINE f32x16 set1(float x) { return {_mm512_set1_ps(x)}; }
INLINE f32x16 load(const float* p) { return {_mm512_loadu_ps(p)}; }
INLINE f32x16 load_f16(const uint16_t* p) { return {_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i*)p))}; }
INLINE void store(float* p, f32x16 x) { _mm512_storeu_ps(p, x.v); }
INLINE void store_f16(uint16_t* p, f32x16 x) { _mm256_storeu_si256((__m256i*)p, _mm512_cvtps_ph(x.v, _MM_FROUND_TO_NEAREST_INT)); }
INLINE f32x16 add(f32x16 a, f32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
INLINE f32x16 sub(f32x16 a, f32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
INLINE f32x16 mul(f32x16 a, f32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
INLINE f32x16 div(f32x16 a, f32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
INLINE f32x16 max(f32x16 a, f32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
INLINE f32x16 abs(f32x16 a) { return {_mm512_abs_ps(a.v)}; }
INLINE f32x16 round(f32x16 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)}; }
INLINE f32x16 to_f32(i32x16 a) { return {_mm512_cvtepi32_ps(a.v)}; }
INLINE i32x16 to_i32(f32x16 a) { return {_mm512_cvtps_epi32(a.v)}; }
// 2^n for integral n in -126..127
INLINE f32x16 exp2_int(f32x16 n) {
    return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127)), 23))};
}

INLINE i32x16 set1_i32(int32_t x) { return {_mm512_set1_epi32(x)}; }
INLINE void store_i8(int8_t* p, i32x16 x) { _mm_storeu_si128((__m128i*)p, _mm512_cvtepi32_epi8(x.v)); }
INLINE int32_t sum_i32(i32x16 x) { return _mm512_reduce_add_epi32(x.v); }

// Codes stand for code - 128. Here they stay unsigned, and the sum of the activations corrects for it.
INLINE u8x64 load_bytes(const uint8_t* p) { return {_mm512_loadu_si512(p)}; }
INLINE u8x64 load_codes(const uint8_t* p) { return load_bytes(p); }
INLINE u8x64 load_table(const uint8_t* p) { return {_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)p))}; }
INLINE u8x64 look_up_low(u8x64 table, u8x64 x) {
    return {_mm512_shuffle_epi8(table.v, _mm512_and_si512(x.v, _mm512_set1_epi8(15)))};
}
INLINE u8x64 look_up_high(u8x64 table, u8x64 x) { return look_up_low(table, {_mm512_srli_epi16(x.v, 4)}); }
INLINE i32x16 start_dot(int32_t sum) { return set1_i32(-128 * sum); }
// acc[lane] += sum of (w[4 * lane + j] - 128) * x[j] over j in 0..4, exact; w in 1..255, x in -127..127.
INLINE i32x16 dot(i32x16 acc, u8x64 w, const int8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    return {_mm512_dpbusd_epi32(acc.v, w.v, _mm512_set1_epi32(four))};
}
