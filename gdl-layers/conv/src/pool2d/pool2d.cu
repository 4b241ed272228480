// Pooling: the largest value (kind 0), the average (1) or the Euclidean norm (2) of each window.

struct Window {
    uint h, w, h_out, w_out, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, kind;
};

// What a window shows: its value, and for the maximum where the first of the largest stands.
__device__ __forceinline__ A pooled(const T *plane, uint row, uint col, const Window &p, uint *place) {
    const int top = (int)(row * p.stride_h) - (int)p.pad_h, left = (int)(col * p.stride_w) - (int)p.pad_w;
    A value = 0;
    bool first = true;
    for (uint u = 0; u < p.kernel_h; u++) {
        const int y = top + (int)u;
        if (y < 0 || y >= (int)p.h) {
            continue;
        }
        for (uint v = 0; v < p.kernel_w; v++) {
            const int x = left + (int)v;
            if (x < 0 || x >= (int)p.w) {
                continue;
            }
            const uint at = y * p.w + x;
            const A seen = load(plane + at);
            if (p.kind == 0) {
                // A NaN wins, and a later one from an earlier one.
                if (first || seen > value || seen != seen) {
                    value = seen;
                    *place = at;
                }
                first = false;
            } else {
                value += p.kind == 1 ? seen : seen * seen;
            }
        }
    }
    if (p.kind == 1) {
        value /= (A)(p.kernel_h * p.kernel_w);
    }
    return p.kind == 2 ? sqrt(value) : value;
}

#define WINDOW                                                                                                         \
    uint h, uint w, uint h_out, uint w_out, uint kernel_h, uint kernel_w, uint stride_h, uint stride_w, uint pad_h,    \
        uint pad_w, uint kind
#define GIVEN {h, w, h_out, w_out, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, kind}

extern "C" __global__ void pool2d(const T *x, T *y, uint count, WINDOW) {
    const Window p = GIVEN;
    for EACH(i, count) {
        const uint col = i % w_out, row = i / w_out % h_out, plane = i / w_out / h_out;
        uint place;
        store(y + i, pooled(x + plane * h * w, row, col, p, &place));
    }
}

// The first window, along an axis, that reaches position `at`.
__device__ __forceinline__ uint first_window(uint at, uint kernel, uint stride, uint pad) {
    const uint end = at + pad;
    return end < kernel ? 0 : (end - kernel) / stride + 1;
}

// Each pixel collects from the windows that show it: no two threads write one place, and the order of the sums is fixed.
extern "C" __global__ void pool2d_gradient(const T *x, const T *grad, T *out, uint count, WINDOW) {
    const Window p = GIVEN;
    for EACH(i, count) {
        const uint col = i % w, row = i / w % h, plane = i / w / h, at = row * w + col;
        const T *image = x + plane * h * w, *from = grad + plane * h_out * w_out;
        const A here = load(x + i);
        A sum = 0;
        for (uint r = first_window(row, kernel_h, stride_h, pad_h); r < h_out && r * stride_h <= row + pad_h; r++) {
            for (uint c = first_window(col, kernel_w, stride_w, pad_w); c < w_out && c * stride_w <= col + pad_w; c++) {
                const A g = load(from + r * w_out + c);
                if (kind == 1) {
                    sum += g / (A)(kernel_h * kernel_w);
                    continue;
                }
                uint place = 0;
                const A value = pooled(image, r, c, p, &place);
                if (kind == 0) {
                    sum += place == at ? g : (A)0;
                } else {
                    sum += value > 0 ? g / value * here : (A)0;
                }
            }
        }
        store(out + i, sum);
    }
}
