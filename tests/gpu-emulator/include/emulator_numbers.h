// Bit-level conversions between float/double and the small float formats (f16, bf16, fp8 e4m3).
// Shared by the kernel headers and by the library stand-ins, so both round in the same way.
#pragma once
#include <math.h>
#include <stdint.h>
#include <string.h>

namespace emu {

inline uint32_t float_bits(float f) { uint32_t u; memcpy(&u, &f, 4); return u; }
inline float bits_float(uint32_t u) { float f; memcpy(&f, &u, 4); return f; }

// f16: the compiler's own type rounds to nearest even, from double as well (no double rounding).
inline float f16_to_float(uint16_t bits) { _Float16 h; memcpy(&h, &bits, 2); return (float)h; }
inline double f16_to_double(uint16_t bits) { return f16_to_float(bits); }
inline uint16_t float_to_f16(float f) { _Float16 h = (_Float16)f; uint16_t u; memcpy(&u, &h, 2); return u; }
inline uint16_t double_to_f16(double d) { _Float16 h = (_Float16)d; uint16_t u; memcpy(&u, &h, 2); return u; }

// bf16: the upper half of a float, rounded to nearest even; a NaN becomes the device's 0x7FFF.
inline float bf16_to_float(uint16_t bits) { return bits_float((uint32_t)bits << 16); }
inline double bf16_to_double(uint16_t bits) { return bf16_to_float(bits); }
inline uint16_t float_to_bf16(float f) {
    uint32_t u = float_bits(f);
    if (f != f) return 0x7FFF;
    return (uint16_t)((u + 0x7FFF + ((u >> 16) & 1)) >> 16);
}
// From double: first to float rounding to odd, which keeps the second rounding exact.
inline uint16_t double_to_bf16(double d) {
    float f = (float)d;
    if (d == d && (double)f != d && !isinf(f)) {
        uint32_t u = float_bits(f);
        if (fabs((double)f) > fabs(d)) u -= 1;
        f = bits_float(u | 1);
    }
    return float_to_bf16(f);
}

// fp8 e4m3 (no infinities, largest value 448), saturating as `__NV_SATFINITE` does.
inline float e4m3_to_float(uint8_t b) {
    if ((b & 0x7F) == 0x7F) return NAN;
    int e = (b >> 3) & 15, m = b & 7;
    float v = e ? ldexpf((float)(8 + m), e - 10) : ldexpf((float)m, -9);
    return (b & 0x80) ? -v : v;
}
inline uint8_t float_to_e4m3(float f) {
    if (f != f) return 0x7F;
    uint8_t sign = signbit(f) ? 0x80 : 0;
    float a = fabsf(f);
    if (a >= 448.0f) return sign | 0x7E;
    int e = a > 0 ? ilogbf(a) : -6;
    if (e < -6) e = -6;
    int m = (int)nearbyintf(ldexpf(a, 3 - e));  // 8..16 for normal numbers, 0..8 below
    if (m == 16) { m = 8; e += 1; }
    return sign | (m < 8 ? m : (uint8_t)(((e + 7) << 3) | (m - 8)));
}

}  // namespace emu
