// Asks the processor itself: the runtime library of zig, which builds the wheels, says no to every
// __builtin_cpu_supports. A file of its own, so that no instruction is used here before it is known to be there.
#include "cpu.h"

#if defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>

Cpu cpu() {
    auto has = [](unsigned word, int bit) { return (word >> bit & 1) != 0; };
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !has(c, 27)) return {};  // OSXSAVE: xgetbv may be asked
    const bool fma = has(c, 12), f16c = has(c, 29);
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    const bool ymm = (saved & 0x06) == 0x06, zmm = (saved & 0xe6) == 0xe6;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return {};
    Cpu found;
    found.avx2 = ymm && fma && f16c && has(b, 5);
    found.avx512 = zmm && has(b, 16) && has(b, 17) && has(b, 30) && has(b, 31) && has(c, 11);
    found.avxvnni = found.avx2 && a >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d) && has(a, 4);
    return found;
}
#endif
