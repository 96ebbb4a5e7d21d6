// Runs every kind of kernel with those that are named and with the scalar ones on the same numbers (see test_emulated.py).
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cmath>
#include <vector>
#include "types.h"
extern "C" {
const char* midfill_open(const char*, int);
void midfill_linear(const Matrix*, int, const float*, int, float*);
void midfill_attention(const Shape*, const float*, const float*, const float*, const KV*, const Span*, float*);
void midfill_rms_norm(const float*, const float*, float, int, int, float*);
void midfill_greedy(const float*, int, int, int32_t*, float*);
void midfill_move(const Shape*, int, const KV*, int, const KV*, int, int, const float*, const float*);
}
static float uniform() { return rand() / (float)RAND_MAX * 2 - 1; }
static uint16_t half(float f) { _Float16 h = (_Float16)f; uint16_t u; memcpy(&u, &h, 2); return u; }
int main(int, char** arguments) {
    const char* name = arguments[1];
    int bad = 0;
    for (int bits : {4, 8}) for (int n : {1, 2, 3, 5, 8, 17}) {
        const int rows = 64, cols = 96;
        std::vector<uint8_t> blocks((rows / 16) * (cols / 32) * group_bytes(bits));
        for (size_t g = 0; g < blocks.size() / group_bytes(bits); g++) {
            uint16_t* scales = (uint16_t*)(blocks.data() + g * group_bytes(bits));
            for (int i = 0; i < 16; i++) scales[i] = half(0.01f + 0.01f * fabsf(uniform()));
            for (size_t i = 32; i < group_bytes(bits); i++) blocks[g * group_bytes(bits) + i] = rand();
        }
        std::vector<float> x(n * cols), bias(rows), a(n * rows, 0.5f), b(n * rows, 0.5f);
        for (auto& v : x) v = uniform();
        for (auto& v : bias) v = uniform();
        Matrix w = {blocks.data(), bias.data(), rows, cols, bits};
        for (int mode = 0; mode < 3; mode++) {
            for (auto& v : a) v = 0.5f;
            b = a;
            if (!midfill_open(name, 2)) { printf("no %s\n", name); return 2; }
            midfill_linear(&w, mode, x.data(), n, a.data());
            midfill_open("scalar", 1);
            midfill_linear(&w, mode, x.data(), n, b.data());
            float worst = 0; for (size_t i = 0; i < a.size(); i++) worst = fmaxf(worst, fabsf(a[i] - b[i]) / (1 + fabsf(b[i])));
            printf("linear bits %d n %d mode %d worst %g %s\n", bits, n, mode, worst, memcmp(a.data(), b.data(), a.size() * 4) ? "" : "same bits");
            bad += worst > 1e-4f;
        }
    }
    for (int n : {1, 4, 40}) {
        const int dim = 64, heads = 6, kvh = 2, cap = 640, before = 530;
        Shape shape = {heads, kvh, dim, 0, 0, 1e-6f};
        std::vector<float> outs[2];
        for (int which = 0; which < 2; which++) {
            srand(n);
            midfill_open(which ? "scalar" : name, which ? 1 : 2);
            std::vector<uint16_t> keys(kvh * cap * dim), values(kvh * cap * dim);
            for (auto& v : keys) v = half(uniform());
            for (auto& v : values) v = half(uniform());
            std::vector<float> q(n * heads * dim), k(n * kvh * dim), v(n * kvh * dim);
            for (auto& e : q) e = uniform();
            for (auto& e : k) e = uniform();
            for (auto& e : v) e = uniform();
            KV kv = {keys.data(), values.data(), cap};
            std::vector<float> cos(dim / 2), sin(dim / 2);
            for (int i = 0; i < dim / 2; i++) cos[i] = cosf(i * .1f), sin[i] = sinf(i * .1f);
            midfill_move(&shape, 1, &kv, 5, &kv, 0, 100, cos.data(), sin.data());
            int32_t ranges[] = {0, 100, 120, before, before, before + n};
            Span span = {ranges, 3, n, before};
            outs[which].resize(n * heads * dim);
            midfill_attention(&shape, q.data(), k.data(), v.data(), &kv, &span, outs[which].data());
        }
        float worst = 0; for (size_t i = 0; i < outs[0].size(); i++) worst = fmaxf(worst, fabsf(outs[0][i] - outs[1][i]));
        printf("move and attention n %d worst %g\n", n, worst);
        bad += !(worst < 1e-3f);
    }
    puts(bad ? "FAILED" : "all agree");
    return bad != 0;
}
