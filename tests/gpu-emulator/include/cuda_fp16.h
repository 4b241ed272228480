// Stand-in for the toolkit's header of the same name.
#pragma once
#include "emulator.h"
struct __nv_bfloat16;
#define T __half
#define T2 __half2
#define T_RAW __half_raw
#define OTHER __nv_bfloat16
#define FROM emu::float_to_f16
#define FROM_D emu::double_to_f16
#define TO emu::f16_to_float
#include "emulator_small_float.inc"
#undef T
#undef T2
#undef T_RAW
#undef OTHER
#undef FROM
#undef FROM_D
#undef TO
typedef __half half;
typedef __half2 half2;
typedef __half __nv_half;
inline __half __float2half(const float f) { return __half(f); }
inline __half __float2half_rn(const float f) { return __half(f); }
inline __half __double2half(const double f) { return __half(f); }
inline __half __int2half_rn(const int v) { return __half(v); }
inline __half __uint2half_rn(const unsigned v) { return __half(v); }
inline float __half2float(const __half h) { return emu::f16_to_float(h.__x); }
inline int __half2int_rz(const __half h) { return (int)h; }
inline int __half2int_rn(const __half h) { return emu::saturate<int>(nearbyintf((float)h)); }
inline unsigned short __half_as_ushort(const __half h) { return h.__x; }
inline short __half_as_short(const __half h) { return (short)h.__x; }
inline __half __ushort_as_half(const unsigned short u) { return __half(__half_raw{u}); }
inline __half __short_as_half(const short u) { return __half(__half_raw{(unsigned short)u}); }
inline __half2 __floats2half2_rn(const float a, const float b) { return __half2(__half(a), __half(b)); }
inline __half2 __float22half2_rn(const float2 a) { return __floats2half2_rn(a.x, a.y); }
inline __half2 __float2half2_rn(const float a) { return __floats2half2_rn(a, a); }
inline __half2 __half2half2(const __half a) { return __half2(a, a); }
inline __half2 __halves2half2(const __half a, const __half b) { return __half2(a, b); }
inline __half2 make_half2(const __half a, const __half b) { return __half2(a, b); }
inline float2 __half22float2(const __half2 a) { return make_float2(a.x, a.y); }
inline float __low2float(const __half2 a) { return a.x; }
inline float __high2float(const __half2 a) { return a.y; }
inline __half __low2half(const __half2 a) { return a.x; }
inline __half __high2half(const __half2 a) { return a.y; }
