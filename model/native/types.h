// What the kernels, the engine and model/native/binding.py share. The structs are mirrored there in ctypes.
#pragma once
#include <cstddef>
#include <cstdint>

#define INLINE static inline __attribute__((always_inline))

constexpr int kGroup = 32;     // weights and activations that share a scale
constexpr int kMaxHeadDim = 256;
constexpr int kSegment = 512;  // slots of one unfinished softmax; a multiple of 16
constexpr int kWideTokens = 132;  // that `linear_wide` takes at once; a multiple of its tile

// Bytes of one group of 16 rows: 16 fp16 scales, then the codes (see model/library/store.py).
constexpr size_t group_bytes(int bits) { return 32 + 16 * kGroup * bits / 8; }

// What the 4-bit codes stand for, plus 128 (see model/weights/lowbit.py): denser near zero, where most weights are.
alignas(16) constexpr uint8_t kCodebook[16] = {1,   24,  45,  63,  79,  93,  106, 118,
                                               129, 141, 153, 166, 181, 197, 217, 241};

enum Mode : int32_t { STORE = 0, ADD = 1, SWIGLU = 2 };

struct Matrix {
    const uint8_t* blocks;  // (rows / 16, cols / 32, group_bytes(bits))
    const float* bias;      // (rows,) or null
    int32_t rows, cols, bits;
};

// Tokens in int8: q (n, cols), scale and sum (n, cols / 32). `pairs` is q in 16 bits as `linear_wide` takes it, or null.
struct Activations {
    int n;
    const int8_t* q;
    const float* scale;
    const int32_t* sum;
    const int16_t* pairs;
};

struct KV {
    uint16_t* keys;    // fp16 (heads, capacity / 16, dim, 16)
    uint16_t* values;  // fp16 (heads, capacity, dim)
    int64_t capacity;  // slots, a multiple of 16
};

// A softmax in the making: the largest score, the sum of the exponentials, the weighted sum of values.
struct Partial {
    float top, total;
    float* out;
};

// Of a row of scores: the largest, the sum of the exponentials relative to it, and where it is.
struct Peak {
    float top, total;
    int32_t index;
};

// Consecutive tokens of one sequence: they see the ranges of slots and one another causally, and are written
// to slots write..write + n. The last range ends at write + n.
struct Span {
    const int32_t* ranges;  // (n_ranges, 2), half-open
    int32_t n_ranges, n, write;
};

struct Shape {
    int32_t n_heads, n_kv_heads, head_dim, hidden, ffn;
    float eps;
};

struct Layer {
    const float *attn_norm, *ffn_norm;
    Matrix qkv, o, gate_up, down;
};

// One instruction set's kernels.
struct Kernels {
    const char* name;
    int n_tokens, n_rows;  // what one tile of a linear, and of attention, takes at most
    void (*rms_norm)(const float* x, const float* weight, float eps, int n, float* out);
    void (*quantize)(const float* x, int n, int8_t* q, float* scale, int32_t* sum);
    void (*linear)(const Matrix& w, Mode mode, int index, const Activations& x, int begin, int end, float* out);
    void (*rotate)(float* x, int dim, const float* cos, const float* sin, float factor);
    void (*store_kv)(const KV& kv, int head, int dim, int slot, const float* k, const float* v);
    void (*move)(const KV& to, int to_slot, const KV& from, int from_slot, int head, int dim, const float* cos, const float* sin);
    void (*attend)(const KV& kv, int head, int dim, int n_rows, const float* const* q, const int* limits, int begin,
                   int end, Partial* partials);
    void (*merge)(Partial& into, const Partial& other, int dim);
    Peak (*find_peak)(const float* x, int n);
    // For many tokens, the same numbers as by quantize and linear alone; null where they are not faster.
    void (*widen)(const int8_t* q, int cols, int token, int n_tokens, int16_t* tiles);
    void (*linear_wide)(const Matrix& w, Mode mode, int index, const Activations& x, int begin, int end, float* out);
};

// Null when this build or this processor lacks the instructions.
const Kernels* avx512_kernels();
const Kernels* avxvnni_kernels();
const Kernels* avx2_kernels();
const Kernels* neon_kernels();
const Kernels* scalar_kernels();
