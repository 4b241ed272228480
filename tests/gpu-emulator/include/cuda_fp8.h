// Stand-in for the toolkit's header of the same name: the e4m3 format only.
#pragma once
#include "cuda_bf16.h"
enum __nv_fp8_interpretation_t { __NV_E4M3, __NV_E5M2 };
struct __nv_fp8_e4m3 {
    unsigned char __x;
    __nv_fp8_e4m3() = default;
    explicit __nv_fp8_e4m3(float f) : __x(emu::float_to_e4m3(f)) {}
    explicit __nv_fp8_e4m3(double f) : __x(emu::float_to_e4m3((float)f)) {}
    explicit __nv_fp8_e4m3(__half f) : __nv_fp8_e4m3((float)f) {}
    explicit __nv_fp8_e4m3(__nv_bfloat16 f) : __nv_fp8_e4m3((float)f) {}
    explicit __nv_fp8_e4m3(int v) : __nv_fp8_e4m3((float)v) {}
    explicit __nv_fp8_e4m3(unsigned v) : __nv_fp8_e4m3((float)v) {}
    explicit __nv_fp8_e4m3(long v) : __nv_fp8_e4m3((float)v) {}
    explicit __nv_fp8_e4m3(unsigned long v) : __nv_fp8_e4m3((float)v) {}
    explicit __nv_fp8_e4m3(long long v) : __nv_fp8_e4m3((float)v) {}
    explicit __nv_fp8_e4m3(unsigned long long v) : __nv_fp8_e4m3((float)v) {}
    explicit operator float() const { return emu::e4m3_to_float(__x); }
    explicit operator double() const { return emu::e4m3_to_float(__x); }
    explicit operator __half() const { return __half(emu::e4m3_to_float(__x)); }
    explicit operator __nv_bfloat16() const { return __nv_bfloat16(emu::e4m3_to_float(__x)); }
    explicit operator unsigned char() const { return emu::saturate<unsigned char>(emu::e4m3_to_float(__x)); }
    explicit operator int() const { return emu::saturate<int>(emu::e4m3_to_float(__x)); }
    explicit operator unsigned() const { return emu::saturate<unsigned>(emu::e4m3_to_float(__x)); }
    explicit operator bool() const { return (__x & 0x7F) != 0; }
};
inline __half_raw __nv_cvt_fp8_to_halfraw(unsigned char x, __nv_fp8_interpretation_t) {
    return __half(emu::e4m3_to_float(x));
}
