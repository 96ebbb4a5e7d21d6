#include "cpu.h"
#include "types.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <immintrin.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,fma,f16c")
#endif
namespace avx512 {
#include "simd_avx512.h"
#include "kernels.h"
}  // namespace avx512
#if defined(__clang__)
#pragma clang attribute pop
#endif

const Kernels* avx512_kernels() { return cpu().avx512 ? &avx512::kernels : nullptr; }
#else
const Kernels* avx512_kernels() { return nullptr; }
#endif
