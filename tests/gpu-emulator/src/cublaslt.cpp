// libcublasLt.so.13: only there so that programs that link it start; every other call says that it is missing.
#include <cublasLt.h>

struct cublasLtContext {};

extern "C" {
cublasStatus_t cublasLtCreate(cublasLtHandle_t* h) { *h = new cublasLtContext; return CUBLAS_STATUS_SUCCESS; }
cublasStatus_t cublasLtDestroy(cublasLtHandle_t h) { delete h; return CUBLAS_STATUS_SUCCESS; }
size_t cublasLtGetVersion() { return 130000; }
}
