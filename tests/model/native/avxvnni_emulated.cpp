// avxvnni.cpp with its one instruction as a function of AVX2, for processors that lack it (see test_emulated.py).
#include <immintrin.h>

// As VPDPBUSD: a lane gets the sum of four products of unsigned and signed bytes, exactly.
__attribute__((target("avx2"))) static inline __m256i dpbusd(__m256i sum, __m256i u, __m256i s) {
    const __m256i low = _mm256_set1_epi16(0x00ff);
    __m256i even = _mm256_madd_epi16(_mm256_and_si256(u, low), _mm256_srai_epi16(_mm256_slli_epi16(s, 8), 8));
    __m256i odd = _mm256_madd_epi16(_mm256_srli_epi16(u, 8), _mm256_srai_epi16(s, 8));
    return _mm256_add_epi32(sum, _mm256_add_epi32(even, odd));
}
#define DPBUSD dpbusd
#include "avxvnni.cpp"
