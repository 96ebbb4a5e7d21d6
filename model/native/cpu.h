// What an x86-64 processor has, as far as the operating system saves the registers for it.
#pragma once

struct Cpu {
    bool avx2 = false;     // with FMA and F16C
    bool avxvnni = false;  // AVX-VNNI
    bool avx512 = false;   // F, BW, DQ, VL and VNNI
};

Cpu cpu();
