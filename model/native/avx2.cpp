#include "cpu.h"
#include "types.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif
namespace avx2 {
// Bytes. With AVX2 the window of instructions in flight holds some eight lines of 4-bit weights, too few for memory.
#define FETCH_AHEAD 4096
#include "simd_avx2.h"
#include "kernels.h"
#include "wide.h"
}  // namespace avx2
#if defined(__clang__)
#pragma clang attribute pop
#endif

const Kernels* avx2_kernels() { return cpu().avx2 ? &avx2::wide_kernels : nullptr; }
#else
const Kernels* avx2_kernels() { return nullptr; }
#endif
