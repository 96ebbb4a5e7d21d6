// Sixteen lanes as arrays: for every processor, and the plainest statement of what the others do.

constexpr const char* kName = "scalar";
constexpr int kTokens = 4;
constexpr int kRows = 4;
constexpr int kValueVectors = 1;

struct f32x16 { float v[16]; };
struct i32x16 { int32_t v[16]; };
struct u8x64 { uint8_t v[64]; };

#define EACH(expression) for (int i = 0; i < 16; i++) r.v[i] = (expression); return r

INLINE float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 1023;
    if (exponent == 0) {  // zero or subnormal: mantissa * 2^-24
        float value = (float)mantissa * 5.9604644775390625e-8f;
        return sign ? -value : value;
    }
    uint32_t bits = sign | ((exponent == 31 ? 255 : exponent + 112) << 23) | (mantissa << 13);
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}
INLINE uint16_t float_to_half(float value) {  // to nearest, ties to even
    uint32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return (uint16_t)(sign | 0x7e00);
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00);
    if (magnitude < 0x38800000) {  // subnormal: adding 0.5 aligns the mantissa to 2^-24 and rounds it
        float aligned;
        __builtin_memcpy(&aligned, &magnitude, 4);
        aligned += 0.5f;
        __builtin_memcpy(&bits, &aligned, 4);
        return (uint16_t)(sign | (bits - 0x3f000000));
    }
    magnitude += 0xfff + ((magnitude >> 13) & 1);
    return (uint16_t)(sign | ((magnitude - 0x38000000) >> 13));
}

INLINE f32x16 set1(float x) { f32x16 r; EACH(x); }
INLINE f32x16 zero() { return set1(0.0f); }
INLINE f32x16 load(const float* p) { f32x16 r; EACH(p[i]); }
INLINE f32x16 load_f16(const uint16_t* p) { f32x16 r; EACH(half_to_float(p[i])); }
INLINE void store(float* p, f32x16 x) { for (int i = 0; i < 16; i++) p[i] = x.v[i]; }
INLINE void store_f16(uint16_t* p, f32x16 x) { for (int i = 0; i < 16; i++) p[i] = float_to_half(x.v[i]); }
INLINE f32x16 add(f32x16 a, f32x16 b) { f32x16 r; EACH(a.v[i] + b.v[i]); }
INLINE f32x16 sub(f32x16 a, f32x16 b) { f32x16 r; EACH(a.v[i] - b.v[i]); }
INLINE f32x16 mul(f32x16 a, f32x16 b) { f32x16 r; EACH(a.v[i] * b.v[i]); }
INLINE f32x16 div(f32x16 a, f32x16 b) { f32x16 r; EACH(a.v[i] / b.v[i]); }
INLINE f32x16 fma(f32x16 a, f32x16 b, f32x16 c) { f32x16 r; EACH(__builtin_fmaf(a.v[i], b.v[i], c.v[i])); }
INLINE f32x16 max(f32x16 a, f32x16 b) { f32x16 r; EACH(a.v[i] > b.v[i] ? a.v[i] : b.v[i]); }
INLINE f32x16 abs(f32x16 a) { f32x16 r; EACH(__builtin_fabsf(a.v[i])); }
INLINE f32x16 round(f32x16 a) { f32x16 r; EACH(__builtin_rintf(a.v[i])); }
INLINE f32x16 to_f32(i32x16 a) { f32x16 r; EACH((float)a.v[i]); }
INLINE i32x16 to_i32(f32x16 a) { i32x16 r; EACH((int32_t)__builtin_rintf(a.v[i])); }
INLINE f32x16 exp2_int(f32x16 n) {
    f32x16 r;
    for (int i = 0; i < 16; i++) {
        uint32_t bits = (uint32_t)((int32_t)n.v[i] + 127) << 23;
        __builtin_memcpy(&r.v[i], &bits, 4);
    }
    return r;
}

INLINE i32x16 set1_i32(int32_t x) { i32x16 r; EACH(x); }
INLINE void store_i8(int8_t* p, i32x16 x) { for (int i = 0; i < 16; i++) p[i] = (int8_t)x.v[i]; }
INLINE int32_t sum_i32(i32x16 x) { int32_t total = 0; for (int32_t lane : x.v) total += lane; return total; }

// Codes stand for code - 128.
INLINE u8x64 load_bytes(const uint8_t* p) { u8x64 r; __builtin_memcpy(r.v, p, 64); return r; }
INLINE u8x64 load_codes(const uint8_t* p) { return load_bytes(p); }
INLINE u8x64 load_table(const uint8_t* p) { u8x64 r; __builtin_memcpy(r.v, p, 16); return r; }
INLINE u8x64 look_up_low(u8x64 table, u8x64 x) { for (uint8_t& byte : x.v) byte = table.v[byte & 15]; return x; }
INLINE u8x64 look_up_high(u8x64 table, u8x64 x) { for (uint8_t& byte : x.v) byte = table.v[byte >> 4]; return x; }
INLINE i32x16 start_dot(int32_t) { i32x16 r; EACH(0); }
INLINE i32x16 dot(i32x16 acc, u8x64 w, const int8_t* x) {
    for (int i = 0; i < 64; i++) acc.v[i / 4] += ((int32_t)w.v[i] - 128) * x[i % 4];
    return acc;
}

#undef EACH
