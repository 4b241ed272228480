// What CUDA C++ offers a kernel, for g++: included in front of every kernel source.
//
// The threads of a block are fibers of one host thread; `emu_now` says which of them is running. The
// runtime that switches between them is in libcuda (src/blocks.cpp). Four words stay unexpanded in the
// first pass of the preprocessor, because the compile step (src/compile.cpp) looks for them:
// `__global__`, `__launch_bounds__`, `__shared__` and, in front of it, `extern`.
#pragma once
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <limits>
#include <type_traits>
#include <utility>
#include "emulator_kernel.h"
#include "emulator_numbers.h"

#define __device__
#define __host__
#define __constant__
#define __managed__
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__  // empty, since the C++ library has attributes of this name
#define __align__(n) __attribute__((aligned(n)))

// ---------------------------------------------------------------------------------------------------
// Vector types, with the alignment that CUDA gives them.
#define EMU_VECTOR(NAME, S, A)                                                                  \
    struct NAME##1 { S x; };                                                                    \
    struct alignas(2 * A) NAME##2 { S x, y; };                                                  \
    struct NAME##3 { S x, y, z; };                                                              \
    struct alignas(4 * A > 16 ? 16 : 4 * A) NAME##4 { S x, y, z, w; };                          \
    inline NAME##1 make_##NAME##1(S x) { return NAME##1{x}; }                                   \
    inline NAME##2 make_##NAME##2(S x, S y) { return NAME##2{x, y}; }                           \
    inline NAME##3 make_##NAME##3(S x, S y, S z) { return NAME##3{x, y, z}; }                   \
    inline NAME##4 make_##NAME##4(S x, S y, S z, S w) { return NAME##4{x, y, z, w}; }
EMU_VECTOR(char, signed char, 1)
EMU_VECTOR(uchar, unsigned char, 1)
EMU_VECTOR(short, short, 2)
EMU_VECTOR(ushort, unsigned short, 2)
EMU_VECTOR(int, int, 4)
EMU_VECTOR(uint, unsigned int, 4)
EMU_VECTOR(float, float, 4)
EMU_VECTOR(long, long, 8)
EMU_VECTOR(ulong, unsigned long, 8)
EMU_VECTOR(longlong, long long, 8)
EMU_VECTOR(ulonglong, unsigned long long, 8)
EMU_VECTOR(double, double, 8)
struct dim3 {
    unsigned int x, y, z;
    dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

// ---------------------------------------------------------------------------------------------------
// The runtime's side (defined in libcuda).
struct EmuNow { uint3 thread, block, block_dim, grid_dim; };
// What a lane of a warp asks of the others; see `emu_warp`.
enum EmuWarpOp {
    EMU_SYNC, EMU_SHUFFLE, EMU_BALLOT, EMU_MATCH, EMU_ADD, EMU_MIN, EMU_MAX, EMU_UMIN, EMU_UMAX, EMU_AND, EMU_OR, EMU_XOR
};
extern "C" {
extern EmuNow emu_now;
extern char emu_dynamic_shared[];
// Waits for all threads of the block; returns how many of them passed a non-zero `predicate`.
unsigned emu_sync_threads(const char* file, int line, int predicate);
// Waits for the lanes in `mask`; each then gets the value of lane `source`, the ballot or the reduction.
uint64_t emu_warp(const char* file, int line, unsigned mask, int op, uint64_t value, int source);
unsigned emu_active_mask();
unsigned emu_lane();
[[noreturn]] void emu_trap(const char* file, int line);
}
#define threadIdx (emu_now.thread)
#define blockIdx (emu_now.block)
#define blockDim (emu_now.block_dim)
#define gridDim (emu_now.grid_dim)
#define warpSize 32

namespace emu {

template <class... A> struct Signature {
    static constexpr unsigned count = sizeof...(A);
    static constexpr unsigned sizes[sizeof...(A) + 1] = {(unsigned)sizeof(A)..., 0};
    static constexpr bool pointers[sizeof...(A) + 1] = {std::is_pointer<A>::value..., false};
    template <auto F, size_t... I> static void call(void** p, std::index_sequence<I...>) {
        F(*static_cast<std::remove_cv_t<A>*>(p[I])...);
    }
    template <auto F> static void entry(void** p) { call<F>(p, std::index_sequence_for<A...>()); }
};
template <class F> struct SignatureOf;
template <class... A> struct SignatureOf<void (*)(A...)> { typedef Signature<A...> type; };
template <auto F> constexpr EmuKernel describe(const char* name, unsigned max_threads) {
    typedef typename SignatureOf<decltype(F)>::type S;
    return EmuKernel{name, &S::template entry<F>, S::count, S::sizes, S::pointers, max_threads};
}

// float to integer as the device converts: saturating, NaN to zero.
template <class I> inline I saturate(double v) {
    if (v != v) return 0;
    if (v >= (double)std::numeric_limits<I>::max()) return std::numeric_limits<I>::max();
    if (v <= (double)std::numeric_limits<I>::min()) return std::numeric_limits<I>::min();
    return (I)v;
}

template <class V> inline uint64_t pack(V v) {
    static_assert(sizeof(V) <= 8 && std::is_trivially_copyable<V>::value, "warp functions take at most 8 bytes");
    uint64_t u = 0;
    memcpy(&u, &v, sizeof(V));
    return u;
}
template <class V> inline V unpack(uint64_t u) { V v; memcpy(&v, &u, sizeof(V)); return v; }

// The four shuffles differ in the lane they read; -1 keeps the own value, as the hardware does at an edge.
template <class V> inline V shuffle(const char* f, int l, unsigned mask, V v, int source) {
    return unpack<V>(emu_warp(f, l, mask, EMU_SHUFFLE, pack(v), source));
}
template <class V> inline V shfl(const char* f, int l, unsigned mask, V v, int lane, int width = 32) {
    int base = (int)emu_lane() & ~(width - 1);
    return shuffle(f, l, mask, v, base + (lane & (width - 1)));
}
template <class V> inline V shfl_up(const char* f, int l, unsigned mask, V v, unsigned delta, int width = 32) {
    int me = (int)emu_lane(), base = me & ~(width - 1);
    return shuffle(f, l, mask, v, me - (int)delta < base ? -1 : me - (int)delta);
}
template <class V> inline V shfl_down(const char* f, int l, unsigned mask, V v, unsigned delta, int width = 32) {
    int me = (int)emu_lane(), end = (me & ~(width - 1)) + width;
    return shuffle(f, l, mask, v, me + (int)delta >= end ? -1 : me + (int)delta);
}
template <class V> inline V shfl_xor(const char* f, int l, unsigned mask, V v, int lanes, int width = 32) {
    int me = (int)emu_lane(), end = (me & ~(width - 1)) + width;
    return shuffle(f, l, mask, v, (me ^ lanes) >= end ? -1 : (me ^ lanes));
}
inline unsigned ballot(const char* f, int l, unsigned mask, int p) {
    return (unsigned)emu_warp(f, l, mask, EMU_BALLOT, p != 0, 0);
}
inline void sync_warp(const char* f, int l, unsigned mask = 0xffffffff) { emu_warp(f, l, mask, EMU_SYNC, 0, 0); }
template <class V> inline V reduce(const char* f, int l, unsigned mask, V v, int op) {
    if (std::is_unsigned<V>::value && op == EMU_MIN) op = EMU_UMIN;
    if (std::is_unsigned<V>::value && op == EMU_MAX) op = EMU_UMAX;
    return (V)emu_warp(f, l, mask, op, (uint64_t)(int64_t)v, 0);
}
template <class V> struct same { typedef V type; };

}  // namespace emu

#define EMU_SITE __FILE__, __LINE__
#define __syncthreads() ((void)emu_sync_threads(EMU_SITE, 0))
#define __syncthreads_count(p) ((int)emu_sync_threads(EMU_SITE, (p) != 0))
#define __syncthreads_or(p) ((int)(emu_sync_threads(EMU_SITE, (p) != 0) != 0))
#define __syncthreads_and(p) ((int)(emu_sync_threads(EMU_SITE, (p) == 0) == 0))
#define __syncwarp(...) emu::sync_warp(EMU_SITE, ##__VA_ARGS__)
#define __shfl_sync(...) emu::shfl(EMU_SITE, __VA_ARGS__)
#define __shfl_up_sync(...) emu::shfl_up(EMU_SITE, __VA_ARGS__)
#define __shfl_down_sync(...) emu::shfl_down(EMU_SITE, __VA_ARGS__)
#define __shfl_xor_sync(...) emu::shfl_xor(EMU_SITE, __VA_ARGS__)
#define __ballot_sync(mask, p) emu::ballot(EMU_SITE, mask, (p) != 0)
#define __any_sync(mask, p) ((int)(emu::ballot(EMU_SITE, mask, (p) != 0) != 0))
#define __all_sync(mask, p) ((int)(emu::ballot(EMU_SITE, mask, (p) == 0) == 0))
#define __match_any_sync(mask, v) ((unsigned)emu_warp(EMU_SITE, mask, EMU_MATCH, emu::pack(v), 0))
#define __reduce_add_sync(mask, v) emu::reduce(EMU_SITE, mask, v, EMU_ADD)
#define __reduce_min_sync(mask, v) emu::reduce(EMU_SITE, mask, v, EMU_MIN)
#define __reduce_max_sync(mask, v) emu::reduce(EMU_SITE, mask, v, EMU_MAX)
#define __reduce_and_sync(mask, v) emu::reduce(EMU_SITE, mask, v, EMU_AND)
#define __reduce_or_sync(mask, v) emu::reduce(EMU_SITE, mask, v, EMU_OR)
#define __reduce_xor_sync(mask, v) emu::reduce(EMU_SITE, mask, v, EMU_XOR)
#define __activemask() emu_active_mask()
#define __trap() emu_trap(EMU_SITE)
#define __threadfence() ((void)0)
#define __threadfence_block() ((void)0)
#define __threadfence_system() ((void)0)
#define __nanosleep(n) ((void)(n))
inline long long clock64() { return 0; }

// ---------------------------------------------------------------------------------------------------
// Atomics: only one thread runs at a time, so plain operations do.
#define EMU_ATOMIC(NAME, EXPRESSION)                                                            \
    template <class V> inline V NAME(V* p, typename emu::same<V>::type v) {                     \
        V old = *p; *p = (EXPRESSION); return old;                                              \
    }                                                                                           \
    template <class V> inline V NAME##_block(V* p, typename emu::same<V>::type v) { return NAME(p, v); } \
    template <class V> inline V NAME##_system(V* p, typename emu::same<V>::type v) { return NAME(p, v); }
EMU_ATOMIC(atomicAdd, old + v)
EMU_ATOMIC(atomicSub, old - v)
EMU_ATOMIC(atomicExch, v)
EMU_ATOMIC(atomicMin, v < old ? v : old)
EMU_ATOMIC(atomicMax, v > old ? v : old)
EMU_ATOMIC(atomicAnd, old & v)
EMU_ATOMIC(atomicOr, old | v)
EMU_ATOMIC(atomicXor, old ^ v)
EMU_ATOMIC(atomicInc, old >= v ? 0 : old + 1)
EMU_ATOMIC(atomicDec, old == 0 || old > v ? v : old - 1)
template <class V> inline V atomicCAS(V* p, typename emu::same<V>::type expected, typename emu::same<V>::type v) {
    V old = *p;
    if (memcmp(&old, &expected, sizeof(V)) == 0) *p = v;
    return old;
}

template <class V> inline V __ldg(const V* p) { return *p; }
template <class V> inline V __ldcs(const V* p) { return *p; }
template <class V> inline V __ldca(const V* p) { return *p; }
template <class V> inline V __ldcg(const V* p) { return *p; }
template <class V> inline void __stcs(V* p, V v) { *p = v; }
template <class V> inline void __stcg(V* p, V v) { *p = v; }

// ---------------------------------------------------------------------------------------------------
// Mathematics. `math.h` already gives the float overloads; these are the names it lacks.
template <class A, class B, class = std::enable_if_t<std::is_arithmetic<A>::value && std::is_arithmetic<B>::value>>
inline std::common_type_t<A, B> min(A a, B b) {
    typedef std::common_type_t<A, B> C;
    if constexpr (std::is_floating_point<C>::value) return (C)fmin((C)a, (C)b);
    else return (C)b < (C)a ? (C)b : (C)a;
}
template <class A, class B, class = std::enable_if_t<std::is_arithmetic<A>::value && std::is_arithmetic<B>::value>>
inline std::common_type_t<A, B> max(A a, B b) {
    typedef std::common_type_t<A, B> C;
    if constexpr (std::is_floating_point<C>::value) return (C)fmax((C)a, (C)b);
    else return (C)b > (C)a ? (C)b : (C)a;
}
// As macros where the C library keeps the name for itself. They are more exact than on the device.
#define __expf(x) expf(x)
#define __exp10f(x) exp10f(x)
#define __logf(x) logf(x)
#define __log2f(x) log2f(x)
#define __log10f(x) log10f(x)
#define __sinf(x) sinf(x)
#define __cosf(x) cosf(x)
#define __tanf(x) tanf(x)
#define __tanhf(x) tanhf(x)
#define __powf(x, y) powf(x, y)
#define __sincosf(x, s, c) sincosf(x, s, c)
inline float __fdividef(float a, float b) { return a / b; }
inline float fdividef(float a, float b) { return a / b; }
inline float rsqrtf(float x) { return (float)(1.0 / sqrt((double)x)); }
inline double rsqrt(double x) { return 1.0 / sqrt(x); }
inline float rsqrt(float x) { return rsqrtf(x); }
inline float rcbrtf(float x) { return 1.0f / cbrtf(x); }
inline float normcdff(float x) { return (float)(0.5 * erfc(-(double)x * 0.70710678118654752440)); }
inline double normcdf(double x) { return 0.5 * erfc(-x * 0.70710678118654752440); }
inline float sinpif(float x) { return (float)sin(3.14159265358979323846 * (double)x); }
inline float cospif(float x) { return (float)cos(3.14159265358979323846 * (double)x); }
inline float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return sqrtf(a); }
inline float __frsqrt_rn(float a) { return rsqrtf(a); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return fma(a, b, c); }

inline int __float_as_int(float f) { return emu::unpack<int>(emu::pack(f)); }
inline unsigned __float_as_uint(float f) { return emu::unpack<unsigned>(emu::pack(f)); }
inline float __int_as_float(int i) { return emu::unpack<float>(emu::pack(i)); }
inline float __uint_as_float(unsigned i) { return emu::unpack<float>(emu::pack(i)); }
inline long long __double_as_longlong(double d) { return emu::unpack<long long>(emu::pack(d)); }
inline double __longlong_as_double(long long i) { return emu::unpack<double>(emu::pack(i)); }
inline int __float2int_rn(float f) { return emu::saturate<int>(nearbyintf(f)); }
inline int __float2int_rz(float f) { return emu::saturate<int>(truncf(f)); }
inline int __float2int_rd(float f) { return emu::saturate<int>(floorf(f)); }
inline int __float2int_ru(float f) { return emu::saturate<int>(ceilf(f)); }
inline unsigned __float2uint_rn(float f) { return emu::saturate<unsigned>(nearbyintf(f)); }
inline unsigned __float2uint_rz(float f) { return emu::saturate<unsigned>(truncf(f)); }
inline float __int2float_rn(int i) { return (float)i; }
inline float __uint2float_rn(unsigned i) { return (float)i; }
inline float __ull2float_rn(unsigned long long i) { return (float)i; }
inline float __double2float_rn(double d) { return (float)d; }
inline unsigned __double2uint_rz(double d) { return emu::saturate<unsigned>(trunc(d)); }
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
inline int __clzll(long long x) { return x ? __builtin_clzll((unsigned long long)x) : 64; }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __ffsll(long long x) { return __builtin_ffsll(x); }
inline unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; i++) r |= ((x >> i) & 1u) << (31 - i);
    return r;
}
inline int __mulhi(int a, int b) { return (int)(((long long)a * b) >> 32); }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((unsigned long long)a * b) >> 32); }
inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
inline unsigned __funnelshift_l(unsigned lo, unsigned hi, unsigned s) {
    return (unsigned)(((((unsigned long long)hi << 32) | lo) << (s & 31)) >> 32);
}
inline unsigned __funnelshift_r(unsigned lo, unsigned hi, unsigned s) {
    return (unsigned)((((unsigned long long)hi << 32) | lo) >> (s & 31));
}
