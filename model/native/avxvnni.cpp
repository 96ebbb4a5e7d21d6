// The kernels of avx2.cpp with the dot products of AVX-VNNI, which Intel's processors for laptops and desktops have from
// the twelfth generation on. A test defines DPBUSD as a function that does what the instruction does.
#include "cpu.h"
#include "types.h"

#if defined(__x86_64__) && (defined(__clang__) ? __clang_major__ >= 13 : __GNUC__ >= 12)
#include <immintrin.h>
#ifndef DPBUSD
#define DPBUSD _mm256_dpbusd_avx_epi32
#define IS_HERE avxvnni
#else
#define IS_HERE avx2
#endif
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,avxvnni,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,avxvnni,fma,f16c")
#endif
namespace avxvnni {
#include "simd_avx2.h"
#include "kernels.h"
}  // namespace avxvnni
#if defined(__clang__)
#pragma clang attribute pop
#endif

const Kernels* avxvnni_kernels() { return cpu().IS_HERE ? &avxvnni::kernels : nullptr; }
#else
const Kernels* avxvnni_kernels() { return nullptr; }
#endif
