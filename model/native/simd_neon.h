// Sixteen lanes with NEON and its dot product (ARMv8.2): four registers each.

constexpr const char* kName = "neon-dotprod";
constexpr int kTokens = 4;
constexpr int kRows = 4;
constexpr int kValueVectors = 1;

struct f32x16 { float32x4_t v[4]; };
struct i32x16 { int32x4_t v[4]; };
struct u8x64 { uint8x16_t v[4]; };

#define EACH(expression) for (int i = 0; i < 4; i++) r.v[i] = (expression); return r

INLINE f32x16 set1(float x) { f32x16 r; EACH(vdupq_n_f32(x)); }
INLINE f32x16 zero() { return set1(0.0f); }
INLINE f32x16 load(const float* p) { f32x16 r; EACH(vld1q_f32(p + 4 * i)); }
INLINE f32x16 load_f16(const uint16_t* p) { f32x16 r; EACH(vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p + 4 * i)))); }
INLINE void store(float* p, f32x16 x) { for (int i = 0; i < 4; i++) vst1q_f32(p + 4 * i, x.v[i]); }
INLINE void store_f16(uint16_t* p, f32x16 x) {
    for (int i = 0; i < 4; i++) vst1_u16(p + 4 * i, vreinterpret_u16_f16(vcvt_f16_f32(x.v[i])));
}
INLINE f32x16 add(f32x16 a, f32x16 b) { f32x16 r; EACH(vaddq_f32(a.v[i], b.v[i])); }
INLINE f32x16 sub(f32x16 a, f32x16 b) { f32x16 r; EACH(vsubq_f32(a.v[i], b.v[i])); }
INLINE f32x16 mul(f32x16 a, f32x16 b) { f32x16 r; EACH(vmulq_f32(a.v[i], b.v[i])); }
INLINE f32x16 div(f32x16 a, f32x16 b) { f32x16 r; EACH(vdivq_f32(a.v[i], b.v[i])); }
INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { f32x16 r; EACH(vfmaq_f32(c.v[i], a.v[i], b.v[i])); }
INLINE f32x16 max(f32x16 a, f32x16 b) { f32x16 r; EACH(vmaxq_f32(a.v[i], b.v[i])); }
INLINE f32x16 abs(f32x16 a) { f32x16 r; EACH(vabsq_f32(a.v[i])); }
INLINE f32x16 round(f32x16 a) { f32x16 r; EACH(vrndnq_f32(a.v[i])); }
INLINE f32x16 to_f32(i32x16 a) { f32x16 r; EACH(vcvtq_f32_s32(a.v[i])); }
INLINE i32x16 to_i32(f32x16 a) { i32x16 r; EACH(vcvtnq_s32_f32(a.v[i])); }
INLINE f32x16 exp2_int(f32x16 n) {
    f32x16 r;
    EACH(vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n.v[i]), vdupq_n_s32(127)), 23)));
}

INLINE i32x16 set1_i32(int32_t x) { i32x16 r; EACH(vdupq_n_s32(x)); }
INLINE void store_i8(int8_t* p, i32x16 x) {
    int16x8_t low = vcombine_s16(vmovn_s32(x.v[0]), vmovn_s32(x.v[1]));
    int16x8_t high = vcombine_s16(vmovn_s32(x.v[2]), vmovn_s32(x.v[3]));
    vst1q_s8(p, vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
}
INLINE int32_t sum_i32(i32x16 x) {
    return vaddvq_s32(vaddq_s32(vaddq_s32(x.v[0], x.v[1]), vaddq_s32(x.v[2], x.v[3])));
}

INLINE u8x64 load_bytes(const uint8_t* p) { u8x64 r; EACH(vld1q_u8(p + 16 * i)); }
// Codes stand for code - 128, and are made signed here.
INLINE u8x64 centered(u8x64 x) { u8x64 r; EACH(veorq_u8(x.v[i], vdupq_n_u8(128))); }
INLINE u8x64 load_codes(const uint8_t* p) { return centered(load_bytes(p)); }
INLINE u8x64 load_table(const uint8_t* p) { uint8x16_t table = vld1q_u8(p); return centered({{table, table, table, table}}); }
INLINE u8x64 look_up_low(u8x64 table, u8x64 x) { u8x64 r; EACH(vqtbl1q_u8(table.v[0], vandq_u8(x.v[i], vdupq_n_u8(15)))); }
INLINE u8x64 look_up_high(u8x64 table, u8x64 x) { u8x64 r; EACH(vqtbl1q_u8(table.v[0], vshrq_n_u8(x.v[i], 4))); }
INLINE i32x16 start_dot(int32_t) { return set1_i32(0); }
INLINE i32x16 dot(i32x16 acc, u8x64 w, const int8_t* x) {
    int32_t four;
    __builtin_memcpy(&four, x, 4);
    int8x16_t xs = vreinterpretq_s8_s32(vdupq_n_s32(four));
    for (int i = 0; i < 4; i++) acc.v[i] = vdotq_s32(acc.v[i], vreinterpretq_s8_u8(w.v[i]), xs);
    return acc;
}

#undef EACH
