// libcublas.so.13: matrix products as plain loops, summed in float (double for doubles) in order of k.
#include "elements.h"
#include "runtime.h"
#include <cublas_v2.h>
#include <stdio.h>
#include <algorithm>

struct cublasContext {
    cudaStream_t stream = nullptr;
    cublasMath_t math = CUBLAS_DEFAULT_MATH;
    cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
    cublasAtomicsMode_t atomics = CUBLAS_ATOMICS_NOT_ALLOWED;
};

namespace {

using emu::Element;

Element element(cudaDataType t) {
    switch (t) {
        case CUDA_R_32F: return Element::F32;
        case CUDA_R_64F: return Element::F64;
        case CUDA_R_16F: return Element::F16;
        case CUDA_R_16BF: return Element::BF16;
        default: return Element::None;
    }
}

cublasStatus_t refuse(cublasStatus_t s, const char* what) {
    fprintf(stderr, "GPU emulator: cuBLAS: %s\n", what);
    return s;
}

// A column-major matrix in a batch; `trans` says how it enters the product.
struct Matrix { const void* data; Element type; int64_t ld, stride; bool trans; };

struct Product {
    int64_t m, n, k, batch;
    Matrix a, b, c;
    const void *alpha, *beta;
    Element scale;  // type of alpha and beta
    const char* name;
};

void check(const Matrix& x, int64_t rows, int64_t columns, int64_t batch, const char* name) {
    if (rows == 0 || columns == 0 || batch == 0) return;
    size_t n = (size_t)((columns - 1) * x.ld + rows + (batch - 1) * std::max<int64_t>(x.stride, 0));
    emu::check_range(x.data, n * emu::size_of(x.type), name);
}

// c = alpha op(a) op(b) + beta c for one matrix of the batch; with V the type of the sum.
template <class V> void multiply(const Product& p, int64_t batch, double alpha, double beta) {
    auto at = [batch](const Matrix& x) { return (char*)x.data + batch * x.stride * (int64_t)emu::size_of(x.type); };
    const char *a = at(p.a), *b = at(p.b);
    char* c = at(p.c);
    std::vector<V> packed((size_t)(p.m * p.k)), column((size_t)p.m);
    for (int64_t l = 0; l < p.k; l++)
        for (int64_t i = 0; i < p.m; i++)
            packed[l * p.m + i] = (V)emu::get(p.a.type, a, p.a.trans ? i * p.a.ld + l : l * p.a.ld + i);
    for (int64_t j = 0; j < p.n; j++) {
        std::fill(column.begin(), column.end(), V(0));
        for (int64_t l = 0; l < p.k; l++) {
            V v = (V)emu::get(p.b.type, b, p.b.trans ? l * p.b.ld + j : j * p.b.ld + l);
            const V* from = packed.data() + l * p.m;
            for (int64_t i = 0; i < p.m; i++) column[i] += from[i] * v;
        }
        for (int64_t i = 0; i < p.m; i++) {
            V sum = (V)alpha * column[i];
            // beta 0 overwrites: what was there may be a NaN.
            if (beta != 0) sum += (V)beta * (V)emu::get(p.c.type, c, j * p.c.ld + i);
            emu::put(p.c.type, c, j * p.c.ld + i, (double)sum);
        }
    }
}

cublasStatus_t run(cublasHandle_t h, const Product& p) {
    if (!h) return CUBLAS_STATUS_NOT_INITIALIZED;
    if (p.m < 0 || p.n < 0 || p.k < 0 || p.batch < 0) return refuse(CUBLAS_STATUS_INVALID_VALUE, "negative size");
    for (auto* x : {&p.a, &p.b, &p.c})
        if (x->type == Element::None) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "element type");
    if (p.scale == Element::None) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "compute type");
    if (p.a.ld < std::max<int64_t>(1, p.a.trans ? p.k : p.m) || p.b.ld < std::max<int64_t>(1, p.b.trans ? p.n : p.k) ||
        p.c.ld < std::max<int64_t>(1, p.m))
        return refuse(CUBLAS_STATUS_INVALID_VALUE, "a leading dimension is smaller than the matrix");
    if (p.a.type != p.b.type || (p.a.type == Element::F64) != (p.c.type == Element::F64) ||
        (p.a.type == Element::F64) != (p.scale == Element::F64))
        return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "combination of types");
    if (p.batch > 1 && p.c.stride < (p.n - 1) * p.c.ld + p.m) return refuse(CUBLAS_STATUS_INVALID_VALUE, "the results of the batch overlap");
    if (p.m == 0 || p.n == 0 || p.batch == 0) return CUBLAS_STATUS_SUCCESS;
    emu::DeviceWork work(p.name);
    if (h->pointers == CUBLAS_POINTER_MODE_DEVICE) {
        emu::check_range(p.alpha, emu::size_of(p.scale), "alpha");
        emu::check_range(p.beta, emu::size_of(p.scale), "beta");
    }
    double alpha = emu::get(p.scale, p.alpha, 0), beta = emu::get(p.scale, p.beta, 0);
    check(p.a, p.a.trans ? p.k : p.m, p.a.trans ? p.m : p.k, p.batch, "first matrix of a product");
    check(p.b, p.b.trans ? p.n : p.k, p.b.trans ? p.k : p.n, p.batch, "second matrix of a product");
    check(p.c, p.m, p.n, p.batch, "result of a product");
    for (int64_t i = 0; i < p.batch; i++) {
        if (p.scale == Element::F64) multiply<double>(p, i, alpha, beta);
        else multiply<float>(p, i, alpha, beta);
    }
    return CUBLAS_STATUS_SUCCESS;
}

Element scale_of(cublasComputeType_t c) {
    switch (c) {
        case CUBLAS_COMPUTE_16F:
        case CUBLAS_COMPUTE_16F_PEDANTIC: return Element::F16;
        case CUBLAS_COMPUTE_32F:
        case CUBLAS_COMPUTE_32F_PEDANTIC:
        case CUBLAS_COMPUTE_32F_FAST_16F:
        case CUBLAS_COMPUTE_32F_FAST_16BF:
        case CUBLAS_COMPUTE_32F_FAST_TF32: return Element::F32;
        case CUBLAS_COMPUTE_64F:
        case CUBLAS_COMPUTE_64F_PEDANTIC: return Element::F64;
        default: return Element::None;
    }
}

bool trans(cublasOperation_t t) { return t != CUBLAS_OP_N; }

}  // namespace

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* h) { *h = new cublasContext; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasDestroy_v2(cublasHandle_t h) { delete h; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int* v) { *v = 130000; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetStream_v2(cublasHandle_t h, cudaStream_t s) { h->stream = s; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasGetStream_v2(cublasHandle_t h, cudaStream_t* s) { *s = h->stream; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void* p, size_t n) { emu::check_range(p, n, "cuBLAS workspace"); return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetMathMode(cublasHandle_t h, cublasMath_t m) { h->math = m; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasGetMathMode(cublasHandle_t h, cublasMath_t* m) { *m = h->math; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t h, cublasPointerMode_t m) { h->pointers = m; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasGetPointerMode_v2(cublasHandle_t h, cublasPointerMode_t* m) { *m = h->pointers; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasSetAtomicsMode(cublasHandle_t h, cublasAtomicsMode_t m) { h->atomics = m; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasGetAtomicsMode(cublasHandle_t h, cublasAtomicsMode_t* m) { *m = h->atomics; return CUBLAS_STATUS_SUCCESS; }
const char* cublasGetStatusName(cublasStatus_t s) { return s == CUBLAS_STATUS_SUCCESS ? "CUBLAS_STATUS_SUCCESS" : "CUBLAS_STATUS_ERROR"; }
const char* cublasGetStatusString(cublasStatus_t s) { return cublasGetStatusName(s); }

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,
                                          const void* alpha, const void* a, cudaDataType at, int lda, long long sa,
                                          const void* b, cudaDataType bt, int ldb, long long sb, const void* beta, void* c,
                                          cudaDataType ct, int ldc, long long sc, int batch, cublasComputeType_t compute,
                                          cublasGemmAlgo_t) {
    return run(h, {m, n, k, batch, {a, element(at), lda, sa, trans(ta)}, {b, element(bt), ldb, sb, trans(tb)},
                   {c, element(ct), ldc, sc, false}, alpha, beta, scale_of(compute), "cublasGemmStridedBatchedEx"});
}
cublasStatus_t cublasGemmEx(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const void* alpha,
                            const void* a, cudaDataType at, int lda, const void* b, cudaDataType bt, int ldb, const void* beta,
                            void* c, cudaDataType ct, int ldc, cublasComputeType_t compute, cublasGemmAlgo_t) {
    return run(h, {m, n, k, 1, {a, element(at), lda, 0, trans(ta)}, {b, element(bt), ldb, 0, trans(tb)},
                   {c, element(ct), ldc, 0, false}, alpha, beta, scale_of(compute), "cublasGemmEx"});
}

// The calls with one type: S single, D double, H half.
#define GEMM(LETTER, SUFFIX, TYPE, ELEMENT)                                                                              \
    cublasStatus_t cublas##LETTER##gemm##SUFFIX(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k,     \
                                                const TYPE* alpha, const TYPE* a, int lda, const TYPE* b, int ldb,       \
                                                const TYPE* beta, TYPE* c, int ldc) {                                    \
        return run(h, {m, n, k, 1, {a, ELEMENT, lda, 0, trans(ta)}, {b, ELEMENT, ldb, 0, trans(tb)},                     \
                       {c, ELEMENT, ldc, 0, false}, alpha, beta, ELEMENT, "cublas" #LETTER "gemm"});                     \
    }                                                                                                                    \
    cublasStatus_t cublas##LETTER##gemmStridedBatched(                                                                   \
        cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, int m, int n, int k, const TYPE* alpha,            \
        const TYPE* a, int lda, long long sa, const TYPE* b, int ldb, long long sb, const TYPE* beta, TYPE* c, int ldc,  \
        long long sc, int batch) {                                                                                       \
        return run(h, {m, n, k, batch, {a, ELEMENT, lda, sa, trans(ta)}, {b, ELEMENT, ldb, sb, trans(tb)},               \
                       {c, ELEMENT, ldc, sc, false}, alpha, beta, ELEMENT, "cublas" #LETTER "gemmStridedBatched"});      \
    }
GEMM(S, _v2, float, Element::F32)
GEMM(D, _v2, double, Element::F64)
GEMM(H, , __half, Element::F16)

// y = alpha op(a) x + beta y, as loops of their own because of the increments (only positive ones).
#define GEMV(LETTER, TYPE)                                                                                               \
    cublasStatus_t cublas##LETTER##gemv_v2(cublasHandle_t h, cublasOperation_t t, int m, int n, const TYPE* alpha,       \
                                           const TYPE* a, int lda, const TYPE* x, int incx, const TYPE* beta, TYPE* y,   \
                                           int incy) {                                                                   \
        if (!h) return CUBLAS_STATUS_NOT_INITIALIZED;                                                                    \
        if (m < 0 || n < 0 || lda < std::max(1, m) || incx == 0 || incy == 0) return CUBLAS_STATUS_INVALID_VALUE;        \
        if (incx < 0 || incy < 0) return refuse(CUBLAS_STATUS_NOT_SUPPORTED, "negative increment");                      \
        if (m == 0 || n == 0) return CUBLAS_STATUS_SUCCESS;                                                              \
        int rows = trans(t) ? n : m, columns = trans(t) ? m : n;                                                         \
        emu::DeviceWork work("cublas" #LETTER "gemv");                                                                   \
        emu::check_range(a, ((size_t)(n - 1) * lda + m) * sizeof(TYPE), "matrix of gemv");                               \
        emu::check_range(x, ((size_t)(columns - 1) * incx + 1) * sizeof(TYPE), "vector of gemv");                        \
        emu::check_range(y, ((size_t)(rows - 1) * incy + 1) * sizeof(TYPE), "result of gemv");                           \
        for (int i = 0; i < rows; i++) {                                                                                 \
            TYPE sum = 0;                                                                                                \
            for (int j = 0; j < columns; j++) sum += a[trans(t) ? (size_t)i * lda + j : (size_t)j * lda + i] * x[(size_t)j * incx]; \
            TYPE& out = y[(size_t)i * incy];                                                                             \
            out = *beta == 0 ? *alpha * sum : *alpha * sum + *beta * out;                                                \
        }                                                                                                                \
        return CUBLAS_STATUS_SUCCESS;                                                                                    \
    }                                                                                                                    \
    cublasStatus_t cublas##LETTER##asum_v2(cublasHandle_t h, int n, const TYPE* x, int incx, TYPE* result) {             \
        if (!h) return CUBLAS_STATUS_NOT_INITIALIZED;                                                                    \
        emu::DeviceWork work("cublas" #LETTER "asum");                                                                   \
        if (n > 0) emu::check_range(x, ((size_t)(n - 1) * incx + 1) * sizeof(TYPE), "vector of asum");                   \
        TYPE sum = 0;                                                                                                    \
        for (int i = 0; i < n; i++) sum += x[(size_t)i * incx] < 0 ? -x[(size_t)i * incx] : x[(size_t)i * incx];         \
        *result = sum;                                                                                                   \
        return CUBLAS_STATUS_SUCCESS;                                                                                    \
    }
GEMV(S, float)
GEMV(D, double)

}  // extern "C"
