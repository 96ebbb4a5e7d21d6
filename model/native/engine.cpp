// A transformer layer of the Llama/Qwen2 family over explicit KV slots, and its parts, behind a C interface
// that model/native/binding.py calls with ctypes. Divides the kernels' work over a pool of threads.
//
// Rules: one thread calls in (the scheduler's); pointers are checked by the caller. Weights are read where
// they lie, in the mapped store. Nothing here depends on Python.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <iterator>

#include "threads.h"
#include "types.h"

namespace {

constexpr int kTaskRows = 32;         // query rows that share a segment's keys while they are in the cache
constexpr int kTaskTokens = 12;       // tokens of a task where it does not matter, a multiple of the tile of `linear_wide`
constexpr int kSplitTokens = 16;      // up to here attention is divided by length too, not by rows alone
// Of weights in one task of a linear. A stream that is interrupted has to be found again by the prefetcher: for few
// tokens, where memory is the limit, 96 kB cost a quarter. For many the task should fit into the second-level cache.
constexpr size_t kStreamBytes = 512 << 10, kTileBytes = 96 << 10;

const Kernels* kernels = nullptr;
std::unique_ptr<Pool> pool;

// Buffers that keep their size between calls.
template <class T>
struct Buffer {
    std::vector<T> items;
    T* get(size_t n) {
        if (items.size() < n) items.resize(n);
        return items.data();
    }
};

// Whether the kernels have linears of their own for so many tokens.
bool is_wide(int n) { return n > kSplitTokens && kernels->linear_wide != nullptr; }

struct Quantized {
    Buffer<int8_t> q;
    Buffer<float> scale;
    Buffer<int32_t> sum;
    Buffer<int16_t> pairs;
    Activations get(int n, int cols) {
        size_t size = (size_t)n * cols, groups = size / kGroup;
        return {n, q.get(size), scale.get(groups), sum.get(groups), is_wide(n) ? pairs.get(size + kWideTokens * cols) : nullptr};
    }
};

Quantized quantized;
Buffer<float> normalized, projected, attended, activated, partial_out, token_rows;
Buffer<Partial> partials;
Buffer<Peak> row_peaks;

void quantize_token(const Activations& to, int token, const float* x, int cols) {
    size_t at = (size_t)token * cols, group = at / kGroup;
    kernels->quantize(x, cols, (int8_t*)to.q + at, (float*)to.scale + group, (int32_t*)to.sum + group);
    if (to.pairs != nullptr) kernels->widen(to.q + at, cols, token, to.n, (int16_t*)to.pairs);
}

// body(token) for each of n tokens. Of many, those that `widen` writes side by side are one thread's.
template <class Body>
void each_token(int n, const Body& body) {
    const int step = is_wide(n) ? kTaskTokens : 1;
    pool->run((n + step - 1) / step, [&](int task) {
        for (int token = task * step; token < std::min(n, (task + 1) * step); token++) body(token);
    });
}

Activations quantize(const float* x, int n, int cols) {
    Activations to = quantized.get(n, cols);
    each_token(n, [&](int token) { quantize_token(to, token, x + (size_t)token * cols, cols); });
    return to;
}

Activations normalize(const float* x, const float* weight, const Shape& shape, int n) {
    Activations to = quantized.get(n, shape.hidden);
    float* rows = normalized.get((size_t)n * shape.hidden);
    each_token(n, [&](int token) {
        float* row = rows + (size_t)token * shape.hidden;
        kernels->rms_norm(x + (size_t)token * shape.hidden, weight, shape.eps, shape.hidden, row);
        quantize_token(to, token, row, shape.hidden);
    });
    return to;
}

void linear(const Matrix& w, Mode mode, const Activations& x, int n, float* out) {
    if (is_wide(n)) {
        pool->run((w.rows + 31) / 32, [&](int index) {
            for (int token = 0; token < n; token += kWideTokens)
                kernels->linear_wide(w, mode, index, x, token, std::min(n, token + kWideTokens), out);
        });
        return;
    }
    const int n_blocks = mode == SWIGLU ? w.rows / 32 : w.rows / 16;
    const size_t block_bytes = group_bytes(w.bits) * (w.cols / kGroup) * (mode == SWIGLU ? 2 : 1);
    const int per_task = std::max<int>((n <= kSplitTokens ? kStreamBytes : kTileBytes) / block_bytes, 1);
    // As many tasks, of the same size, for each thread: all end together.
    const int rounds = (n_blocks + per_task * pool->size() - 1) / (per_task * pool->size());
    const int n_tasks = rounds * pool->size();
    pool->run(n_tasks, [&](int task) {
        const int first = (int)((int64_t)n_blocks * task / n_tasks), last = (int)((int64_t)n_blocks * (task + 1) / n_tasks);
        // A tile of tokens meets all row blocks of the task while both are in the cache.
        for (int token = 0; token < n; token += kernels->n_tokens)
            for (int block = first; block < last; block++)
                kernels->linear(w, mode, block, x, token, std::min(n, token + kernels->n_tokens), out);
    });
}

// Rotates queries and keys of each token and writes keys and values to slots write..write + n.
void rotate_and_store(const Shape& shape, float* qkv, const float* cos, const float* sin, const KV& kv, int n, int write) {
    const int dim = shape.head_dim, heads = shape.n_heads, kv_heads = shape.n_kv_heads;
    const float factor = 1.0f / std::sqrt((float)dim);
    pool->run(n, [&](int token) {
        float* q = qkv + (size_t)token * (heads + 2 * kv_heads) * dim;
        const float *c = cos + (size_t)token * dim / 2, *s = sin + (size_t)token * dim / 2;
        for (int head = 0; head < heads; head++) kernels->rotate(q + head * dim, dim, c, s, factor);
        float *k = q + heads * dim, *v = k + kv_heads * dim;
        for (int head = 0; head < kv_heads; head++) {
            kernels->rotate(k + head * dim, dim, c, s, 1.0f);
            kernels->store_kv(kv, head, dim, write + token, k + head * dim, v + head * dim);
        }
    });
}

struct Segment {
    int begin, end;
};

// Ranges of slots, cut at multiples of kSegment.
std::vector<Segment> segments_of(const int32_t* ranges, int n_ranges) {
    std::vector<Segment> segments;
    for (int i = 0; i < n_ranges; i++)
        for (int begin = ranges[2 * i], stop = ranges[2 * i + 1]; begin < stop;) {
            int end = std::min(stop, (begin / kSegment + 1) * kSegment);
            segments.push_back({begin, end});
            begin = end;
        }
    return segments;
}

// The query rows of one KV head: row r is token r / group, query head r % group of that KV head.
struct Queries {
    const float* q;
    size_t token_stride;
    int group, n_rows, dim, head, last_begin, write;
    bool in_last(const Segment& s) const { return s.begin >= last_begin; }
    const float* row(int r) const { return q + r / group * token_stride + (head * group + r % group) * dim; }
    int limit(int r) const { return write + r / group + 1; }
};

// One segment for rows begin..end, merged into their partials.
void attend_segment(const Queries& queries, const KV& kv, const Segment& segment, bool causal, int begin, int end, Partial* into) {
    const int dim = queries.dim;
    std::vector<float> out((size_t)kernels->n_rows * dim);
    for (int r = begin; r < end; r += kernels->n_rows) {
        const int m = std::min(kernels->n_rows, end - r);
        const float* rows[16];
        int limits[16];
        Partial part[16];
        for (int i = 0; i < m; i++) {
            rows[i] = queries.row(r + i);
            limits[i] = causal ? queries.limit(r + i) : segment.end;
            part[i].out = out.data() + (size_t)i * dim;
        }
        const int stop = std::min(segment.end, limits[m - 1]);  // limits grow with the row
        if (stop <= segment.begin) continue;
        kernels->attend(kv, queries.head, dim, m, rows, limits, segment.begin, stop, part);
        for (int i = 0; i < m; i++) kernels->merge(into[r + i - begin], part[i], dim);
    }
}

void finish(const Queries& queries, const Partial* parts, int begin, int end, float* out, int width) {
    for (int r = begin; r < end; r++) {
        const Partial& part = parts[r - begin];
        float* to = out + (size_t)(r / queries.group) * width + (queries.head * queries.group + r % queries.group) * queries.dim;
        for (int d = 0; d < queries.dim; d++) to[d] = part.out[d] / part.total;
    }
}

void clear(Partial* parts, float* out, int n, int dim) {
    for (int i = 0; i < n; i++) parts[i] = {-INFINITY, 0.0f, out + (size_t)i * dim};
}

// Causal grouped-query attention of a span's tokens: out (n, heads * dim). Token i sees all ranges, but of the
// last one only the slots up to write + i.
void attention(const Shape& shape, const float* q, size_t token_stride, const KV& kv, const Span& span, float* out) {
    const auto [ranges, n_ranges, n, write] = span;
    const int dim = shape.head_dim, group = shape.n_heads / shape.n_kv_heads, n_rows = n * group;
    const int width = shape.n_heads * dim;
    const int last_begin = ranges[2 * n_ranges - 2];
    std::vector<Segment> segments = segments_of(ranges, n_ranges - 1);
    const int n_plain = (int)segments.size();
    for (const Segment& segment : segments_of(ranges + 2 * (n_ranges - 1), 1)) segments.push_back(segment);
    const int n_segments = (int)segments.size();
    auto queries = [&](int head) { return Queries{q, token_stride, group, n_rows, dim, head, last_begin, write}; };

    if (n <= kSplitTokens) {  // tasks: KV heads x segments, merged afterwards in the segments' order
        const size_t n_parts = (size_t)shape.n_kv_heads * n_segments * n_rows;
        Partial* parts = partials.get(n_parts);
        float* rows = partial_out.get(n_parts * dim);
        clear(parts, rows, (int)n_parts, dim);
        pool->run(shape.n_kv_heads * n_segments, [&](int task) {
            const int segment = task % n_segments;
            attend_segment(queries(task / n_segments), kv, segments[segment], segment >= n_plain, 0, n_rows,
                           parts + (size_t)task * n_rows);
        });
        for (int head = 0; head < shape.n_kv_heads; head++) {
            Partial* into = parts + (size_t)head * n_segments * n_rows;
            for (int segment = 1; segment < n_segments; segment++)
                for (int r = 0; r < n_rows; r++) kernels->merge(into[r], into[(size_t)segment * n_rows + r], dim);
            finish(queries(head), into, 0, n_rows, out, width);
        }
        return;
    }
    const int n_tasks = (n_rows + kTaskRows - 1) / kTaskRows;
    pool->run(shape.n_kv_heads * n_tasks, [&](int task) {
        // The rows that see the most come first, so that the threads end together.
        const int begin = (n_tasks - 1 - task / shape.n_kv_heads) * kTaskRows, end = std::min(n_rows, begin + kTaskRows);
        Partial parts[kTaskRows];
        std::vector<float> rows((size_t)kTaskRows * dim);
        clear(parts, rows.data(), end - begin, dim);
        Queries mine = queries(task % shape.n_kv_heads);
        for (int segment = 0; segment < n_segments; segment++)
            attend_segment(mine, kv, segments[segment], segment >= n_plain, begin, end, parts);
        finish(mine, parts, begin, end, out, width);
    });
}

}  // namespace

#define EXPORT extern "C" __attribute__((visibility("default")))

static std::vector<const Kernels*> available() {
    std::vector<const Kernels*> found;
    for (const Kernels* each : {avx512_kernels(), avxvnni_kernels(), avx2_kernels(), neon_kernels(), scalar_kernels()})
        if (each != nullptr) found.push_back(each);
    return found;
}

// What binding.py asks before it calls anything else: this interface's version, and the bytes of what crosses it.
// Raise kAbi when a signature changes; structs that change are seen by their sizes.
constexpr int32_t kAbi = 2;
EXPORT int32_t midfill_abi(int32_t* sizes) {
    const size_t structs[] = {sizeof(Matrix), sizeof(KV), sizeof(Span), sizeof(Shape), sizeof(Layer)};
    std::copy(std::begin(structs), std::end(structs), sizes);
    return kAbi;
}

// The name of the fastest kernels that run here.
EXPORT const char* midfill_best() { return available().front()->name; }

// Chooses kernels by name ("" for the best) and the number of threads; returns the kernels' name, or null.
EXPORT const char* midfill_open(const char* name, int n_threads) {
    for (const Kernels* each : available()) {
        if (*name && std::strcmp(name, each->name) != 0) continue;
        kernels = each;
        if (!pool || pool->size() != n_threads) pool = std::make_unique<Pool>(n_threads);
        return each->name;
    }
    return nullptr;
}

// hidden (n, hidden) in and out; cos and sin (n, head_dim / 2); the spans cover the n tokens in order.
EXPORT void midfill_layer(const Layer* layer, const Shape* shape, float* hidden, int n, const float* cos, const float* sin,
                          const KV* kv, const Span* spans, int n_spans) {
    const int width = shape->n_heads * shape->head_dim;
    const int qkv_width = width + 2 * shape->n_kv_heads * shape->head_dim;
    float* qkv = projected.get((size_t)n * qkv_width);
    linear(layer->qkv, STORE, normalize(hidden, layer->attn_norm, *shape, n), n, qkv);
    float* heads = attended.get((size_t)n * width);
    size_t at = 0;
    for (const Span* span = spans; span < spans + n_spans; at += span->n, span++) {
        const size_t angle = at * shape->head_dim / 2;
        rotate_and_store(*shape, qkv + at * qkv_width, cos + angle, sin + angle, *kv, span->n, span->write);
        attention(*shape, qkv + at * qkv_width, qkv_width, *kv, *span, heads + at * width);
    }
    linear(layer->o, ADD, quantize(heads, n, width), n, hidden);
    float* activation = activated.get((size_t)n * shape->ffn);
    linear(layer->gate_up, SWIGLU, normalize(hidden, layer->ffn_norm, *shape, n), n, activation);
    linear(layer->down, ADD, quantize(activation, n, shape->ffn), n, hidden);
}

EXPORT void midfill_rms_norm(const float* x, const float* weight, float eps, int n, int hidden, float* out) {
    pool->run(n, [&](int token) {
        kernels->rms_norm(x + (size_t)token * hidden, weight, eps, hidden, out + (size_t)token * hidden);
    });
}

// x (n, cols); out (n, rows), or (n, rows / 2) for SWIGLU; ADD adds to out.
EXPORT void midfill_linear(const Matrix* w, int mode, const float* x, int n, float* out) {
    linear(*w, (Mode)mode, quantize(x, n, w->cols), n, out);
}

// Per row of logits (n, vocab), vocab a multiple of 16: the best id and its log-probability.
EXPORT void midfill_greedy(const float* logits, int n, int vocab, int32_t* ids, float* logprobs) {
    constexpr int kPart = 8192;  // values per task
    const int n_parts = (vocab + kPart - 1) / kPart;
    Peak* peaks = row_peaks.get((size_t)n * n_parts);
    pool->run(n * n_parts, [&](int task) {
        const int begin = task % n_parts * kPart;
        peaks[task] = kernels->find_peak(logits + (size_t)(task / n_parts) * vocab + begin, std::min(kPart, vocab - begin));
    });
    for (int row = 0; row < n; row++) {
        const Peak* parts = peaks + (size_t)row * n_parts;
        int best = 0;
        for (int i = 1; i < n_parts; i++)
            if (parts[i].top > parts[best].top) best = i;
        double total = 0.0;
        for (int i = 0; i < n_parts; i++) total += parts[i].total * std::exp((double)parts[i].top - parts[best].top);
        ids[row] = best * kPart + parts[best].index;
        logprobs[row] = (float)-std::log(total);
    }
}

// Moves n slots of all layers, within one buffer or between two; keys turn by the angles cos and sin (dim / 2),
// null to keep theirs. Ranges of one buffer may overlap.
EXPORT void midfill_move(const Shape* shape, int n_layers, const KV* to, int to_slot, const KV* from, int from_slot, int n,
                         const float* cos, const float* sin) {
    const int heads = shape->n_kv_heads, dim = shape->head_dim;
    const bool backwards = to->keys == from->keys && to_slot > from_slot;
    pool->run(n_layers * heads, [&](int task) {
        const size_t layer = (size_t)(task / heads) * heads * dim;
        const KV into = {to->keys + layer * to->capacity, to->values + layer * to->capacity, to->capacity};
        const KV source = {from->keys + layer * from->capacity, from->values + layer * from->capacity, from->capacity};
        for (int i = 0; i < n; i++) {
            const int slot = backwards ? n - 1 - i : i;
            kernels->move(into, to_slot + slot, source, from_slot + slot, task % heads, dim, cos, sin);
        }
    });
}

// q (n, heads, dim) rotated and scaled; k and v (n, kv_heads, dim) rotated, stored at slots write..write + n.
EXPORT void midfill_attention(const Shape* shape, const float* q, const float* k, const float* v, const KV* kv,
                              const Span* span, float* out) {
    const int width = shape->n_kv_heads * shape->head_dim;
    for (int token = 0; token < span->n; token++)
        for (int head = 0; head < shape->n_kv_heads; head++) {
            size_t at = (size_t)token * width + (size_t)head * shape->head_dim;
            kernels->store_kv(*kv, head, shape->head_dim, span->write + token, k + at, v + at);
        }
    attention(*shape, q, (size_t)shape->n_heads * shape->head_dim, *kv, *span, out);
}
