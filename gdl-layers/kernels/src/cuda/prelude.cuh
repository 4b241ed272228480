// What stands before every kernel: the element type T, the type A that sums are taken in, and the way between them.
// GDL_F32, GDL_F64, GDL_F16 or GDL_BF16 is defined by whoever compiles. No header is included: the run-time compiler is
// found on machines that have no toolkit.

typedef unsigned int uint;

#if defined(GDL_F64)
typedef double T;
typedef double A;
#elif defined(GDL_F32)
typedef float T;
typedef float A;
#else
// Half precision, in the bits it is stored as.
struct T {
    unsigned short bits;
};
typedef float A;
#endif

#if defined(GDL_F16)
__device__ __forceinline__ A load(const T *p) {
    const uint h = p->bits, sign = (h & 0x8000u) << 16, mantissa = h & 0x3ffu, exponent = (h >> 10) & 0x1fu;
    if (exponent == 0) {
        const float value = (float)mantissa * 5.9604644775390625e-8f; // 2^-24
        return sign ? -value : value;
    }
    const uint bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | (mantissa << 13);
    return __uint_as_float(bits);
}

__device__ __forceinline__ void store(T *p, A value) {
    const uint bits = __float_as_uint(value), sign = (bits >> 16) & 0x8000u, size = bits & 0x7fffffffu;
    uint half;
    if (size > 0x7f800000u) {
        half = 0x7e00u; // not a number
    } else if (size >= 0x477ff000u) {
        half = 0x7c00u; // rounds to infinity
    } else if (size < 0x38800000u) {
        // Below the normal numbers, in units of 2^-24; the sum rounds to the nearest, ties to even.
        half = __float_as_uint(__uint_as_float(size) + 0.5f) - __float_as_uint(0.5f);
    } else {
        half = (size + 0xfffu + ((size >> 13) & 1u) - (112u << 23)) >> 13;
    }
    p->bits = (unsigned short)(sign | half);
}
#elif defined(GDL_BF16)
__device__ __forceinline__ A load(const T *p) {
    return __uint_as_float((uint)p->bits << 16);
}

__device__ __forceinline__ void store(T *p, A value) {
    const uint bits = __float_as_uint(value);
    const bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
    p->bits = (unsigned short)(nan ? 0x7fc0u : (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}
#else
__device__ __forceinline__ A load(const T *p) {
    return *p;
}

__device__ __forceinline__ void store(T *p, A value) {
    *p = value;
}
#endif

// Through tanh, which cannot overflow.
__device__ __forceinline__ A sigmoid(A x) {
    return (A)0.5 + (A)0.5 * tanh((A)0.5 * x);
}

#define NOT_A_NUMBER __uint_as_float(0x7fc00000u)

// Every index below `count` once, however many threads there are.
#define EACH(i, count) (uint i = blockIdx.x * blockDim.x + threadIdx.x; i < (count); i += gridDim.x * blockDim.x)

// The sum over all threads of a block, for each of them. Blocks have a multiple of 32 threads.
__device__ __forceinline__ A block_sum(A value) {
    __shared__ A parts[32];
    for (int step = 16; step > 0; step >>= 1) {
        value += __shfl_xor_sync(0xffffffffu, value, step);
    }
    const uint lane = threadIdx.x & 31u, warp = threadIdx.x >> 5;
    if (lane == 0) {
        parts[warp] = value;
    }
    __syncthreads();
    value = lane < (blockDim.x >> 5) ? parts[lane] : (A)0;
    for (int step = 16; step > 0; step >>= 1) {
        value += __shfl_xor_sync(0xffffffffu, value, step);
    }
    __syncthreads(); // the next sum writes the same place
    return value;
}

// The largest value over all threads of a block, for each of them.
__device__ __forceinline__ A block_max(A value) {
    __shared__ A parts[32];
    for (int step = 16; step > 0; step >>= 1) {
        const A other = __shfl_xor_sync(0xffffffffu, value, step);
        value = other > value ? other : value;
    }
    const uint lane = threadIdx.x & 31u, warp = threadIdx.x >> 5;
    if (lane == 0) {
        parts[warp] = value;
    }
    __syncthreads();
    value = parts[lane < (blockDim.x >> 5) ? lane : 0];
    for (int step = 16; step > 0; step >>= 1) {
        const A other = __shfl_xor_sync(0xffffffffu, value, step);
        value = other > value ? other : value;
    }
    __syncthreads();
    return value;
}
