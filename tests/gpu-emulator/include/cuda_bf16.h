// Stand-in for the toolkit's header of the same name.
#pragma once
#include "cuda_fp16.h"
#define T __nv_bfloat16
#define T2 __nv_bfloat162
#define T_RAW __nv_bfloat16_raw
#define OTHER __half
#define FROM emu::float_to_bf16
#define FROM_D emu::double_to_bf16
#define TO emu::bf16_to_float
#include "emulator_small_float.inc"
#undef T
#undef T2
#undef T_RAW
#undef OTHER
#undef FROM
#undef FROM_D
#undef TO
inline __half::__half(const __nv_bfloat16 o) : __half((float)o) {}
inline __nv_bfloat16::__nv_bfloat16(const __half o) : __nv_bfloat16((float)o) {}
typedef __nv_bfloat16 nv_bfloat16;
typedef __nv_bfloat162 nv_bfloat162;
inline __nv_bfloat16 __float2bfloat16(const float f) { return __nv_bfloat16(f); }
inline __nv_bfloat16 __float2bfloat16_rn(const float f) { return __nv_bfloat16(f); }
inline __nv_bfloat16 __double2bfloat16(const double f) { return __nv_bfloat16(f); }
inline __nv_bfloat16 __int2bfloat16_rn(const int v) { return __nv_bfloat16(v); }
inline float __bfloat162float(const __nv_bfloat16 h) { return emu::bf16_to_float(h.__x); }
inline unsigned short __bfloat16_as_ushort(const __nv_bfloat16 h) { return h.__x; }
inline short __bfloat16_as_short(const __nv_bfloat16 h) { return (short)h.__x; }
inline __nv_bfloat16 __ushort_as_bfloat16(const unsigned short u) { return __nv_bfloat16(__nv_bfloat16_raw{u}); }
inline __nv_bfloat162 __floats2bfloat162_rn(const float a, const float b) { return __nv_bfloat162(a, b); }
inline __nv_bfloat162 __float22bfloat162_rn(const float2 a) { return __nv_bfloat162(a.x, a.y); }
inline __nv_bfloat162 __float2bfloat162_rn(const float a) { return __nv_bfloat162(a, a); }
inline __nv_bfloat162 __bfloat162bfloat162(const __nv_bfloat16 a) { return __nv_bfloat162(a, a); }
inline __nv_bfloat162 __halves2bfloat162(const __nv_bfloat16 a, const __nv_bfloat16 b) { return __nv_bfloat162(a, b); }
inline __nv_bfloat162 make_bfloat162(const __nv_bfloat16 a, const __nv_bfloat16 b) { return __nv_bfloat162(a, b); }
inline float2 __bfloat1622float2(const __nv_bfloat162 a) { return make_float2(a.x, a.y); }
inline float __low2float(const __nv_bfloat162 a) { return a.x; }
inline float __high2float(const __nv_bfloat162 a) { return a.y; }
