#include "types.h"

namespace scalar {
#include "simd_scalar.h"
#include "kernels.h"
}  // namespace scalar

const Kernels* scalar_kernels() { return &scalar::kernels; }
