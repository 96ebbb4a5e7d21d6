#include "types.h"

#if defined(__aarch64__) && defined(__GNUC__)
#include <arm_neon.h>
#if defined(__linux__)
#include <sys/auxv.h>
#endif
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("dotprod"))), apply_to = function)
#else
#pragma GCC target("arch=armv8.2-a+dotprod")
#endif
namespace neon {
#include "simd_neon.h"
#include "kernels.h"
}  // namespace neon
#if defined(__clang__)
#pragma clang attribute pop
#endif

const Kernels* neon_kernels() {
#if defined(__linux__)
    constexpr unsigned long kDotProduct = 1ul << 20;  // HWCAP_ASIMDDP
    return getauxval(AT_HWCAP) & kDotProduct ? &neon::kernels : nullptr;
#else
    return &neon::kernels;  // every Apple processor has it
#endif
}
#else
const Kernels* neon_kernels() { return nullptr; }
#endif
