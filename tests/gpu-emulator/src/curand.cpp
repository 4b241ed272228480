// libcurand.so.10: the interface with other numbers, from the C++ library's generator. Deterministic per seed.
#include "runtime.h"
#include <curand.h>
#include <random>

struct curandGenerator_st {
    std::mt19937_64 bits{0};
};

namespace {

// cuRAND's uniform numbers exclude 0 and include 1.
double uniform(std::mt19937_64& g) { return (double)((g() >> 11) + 1) * 0x1p-53; }

template <class V, class F> curandStatus_t generate(curandGenerator_t g, V* out, size_t n, const char* name, F next) {
    if (!g) return CURAND_STATUS_NOT_INITIALIZED;
    emu::DeviceWork work(name);
    emu::check_range(out, n * sizeof(V), name);
    for (size_t i = 0; i < n; i++) out[i] = (V)next(g->bits);
    return CURAND_STATUS_SUCCESS;
}

template <class V> curandStatus_t normal(curandGenerator_t g, V* out, size_t n, V mean, V deviation, bool log) {
    if (n % 2 != 0) return CURAND_STATUS_LENGTH_NOT_MULTIPLE;  // as the real library, which makes pairs
    std::normal_distribution<double> d;
    return generate(g, out, n, "curandGenerateNormal", [&](std::mt19937_64& b) {
        double v = (double)mean + (double)deviation * d(b);
        return log ? exp(v) : v;
    });
}

}  // namespace

extern "C" {

curandStatus_t curandCreateGenerator(curandGenerator_t* g, curandRngType_t) { *g = new curandGenerator_st; return CURAND_STATUS_SUCCESS; }
curandStatus_t curandDestroyGenerator(curandGenerator_t g) { delete g; return CURAND_STATUS_SUCCESS; }
curandStatus_t curandSetStream(curandGenerator_t, cudaStream_t) { return CURAND_STATUS_SUCCESS; }
curandStatus_t curandSetPseudoRandomGeneratorSeed(curandGenerator_t g, unsigned long long s) { g->bits.seed(s); return CURAND_STATUS_SUCCESS; }
curandStatus_t curandSetGeneratorOffset(curandGenerator_t g, unsigned long long n) { g->bits.discard(n); return CURAND_STATUS_SUCCESS; }
curandStatus_t curandGenerate(curandGenerator_t g, unsigned* out, size_t n) {
    return generate(g, out, n, "curandGenerate", [](std::mt19937_64& b) { return (unsigned)(b() >> 32); });
}
curandStatus_t curandGenerateLongLong(curandGenerator_t g, unsigned long long* out, size_t n) {
    return generate(g, out, n, "curandGenerateLongLong", [](std::mt19937_64& b) { return b(); });
}
curandStatus_t curandGenerateUniform(curandGenerator_t g, float* out, size_t n) {
    return generate(g, out, n, "curandGenerateUniform", [](std::mt19937_64& b) {
        float v = (float)uniform(b);
        return v > 0 ? v : 0x1p-53f;
    });
}
curandStatus_t curandGenerateUniformDouble(curandGenerator_t g, double* out, size_t n) {
    return generate(g, out, n, "curandGenerateUniformDouble", uniform);
}
curandStatus_t curandGenerateNormal(curandGenerator_t g, float* out, size_t n, float m, float d) { return normal(g, out, n, m, d, false); }
curandStatus_t curandGenerateNormalDouble(curandGenerator_t g, double* out, size_t n, double m, double d) { return normal(g, out, n, m, d, false); }
curandStatus_t curandGenerateLogNormal(curandGenerator_t g, float* out, size_t n, float m, float d) { return normal(g, out, n, m, d, true); }
curandStatus_t curandGenerateLogNormalDouble(curandGenerator_t g, double* out, size_t n, double m, double d) { return normal(g, out, n, m, d, true); }

}  // extern "C"
