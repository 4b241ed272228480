// What the parts of the stand-in for cuDNN share.
#pragma once
#include "elements.h"
#include "runtime.h"
#include <cudnn.h>
#include <stdarg.h>
#include <stdio.h>

using emu::Element;

struct cudnnContext { cudaStream_t stream = nullptr; };
struct cudnnTensorStruct {
    cudnnDataType_t type;
    int n = 0;
    int dims[CUDNN_DIM_MAX], strides[CUDNN_DIM_MAX];
};

inline Element element(cudnnDataType_t t) {
    switch (t) {
        case CUDNN_DATA_FLOAT: return Element::F32;
        case CUDNN_DATA_DOUBLE: return Element::F64;
        case CUDNN_DATA_HALF: return Element::F16;
        case CUDNN_DATA_BFLOAT16: return Element::BF16;
        default: return Element::None;
    }
}

// What this thread was refused last, for cudnnGetLastErrorString.
inline thread_local char last_refusal[512];

inline cudnnStatus_t refuse(cudnnStatus_t s, const char* format, ...) {
    va_list list;
    va_start(list, format);
    vsnprintf(last_refusal, sizeof last_refusal, format, list);
    va_end(list);
    fprintf(stderr, "GPU emulator: cuDNN: %s\n", last_refusal);
    return s;
}

#define TRY(X) do { cudnnStatus_t status = (X); if (status != CUDNN_STATUS_SUCCESS) return status; } while (0)
#define GOOD return CUDNN_STATUS_SUCCESS
