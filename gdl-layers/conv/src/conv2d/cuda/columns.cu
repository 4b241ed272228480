// Between images and the columns that turn a convolution into a matrix product, for one image of a batch and the positions
// `first`.. of the small image. A column holds what the kernel's taps see from there: channel by channel, row by row.

#define SIZES                                                                                                          \
    uint channels, uint h, uint w, uint w_small, uint kernel_h, uint kernel_w, uint stride_h, uint stride_w,           \
        int pad_h, int pad_w, uint dilation_h, uint dilation_w

extern "C" __global__ void to_columns(const T *big, T *columns, uint count, uint sample, uint first, uint positions, SIZES) {
    const T *image = big + (size_t)sample * channels * h * w;
    for EACH(i, count) {
        const uint position = first + i % positions, tap = i / positions;
        const uint v = tap % kernel_w, u = tap / kernel_w % kernel_h, c = tap / kernel_w / kernel_h;
        const int y = (int)(position / w_small * stride_h + u * dilation_h) - pad_h;
        const int x = (int)(position % w_small * stride_w + v * dilation_w) - pad_w;
        const bool outside = y < 0 || y >= (int)h || x < 0 || x >= (int)w;
        store(columns + i, outside ? (A)0 : load(image + ((size_t)c * h + y) * w + x));
    }
}

// Adds to each pixel of the big image what the columns hold for it.
extern "C" __global__ void add_columns(
    const T *columns, T *big, uint count, uint sample, uint first, uint positions, uint h_small, SIZES
) {
    T *image = big + (size_t)sample * channels * h * w;
    for EACH(i, count) {
        const uint x = i % w, y = i / w % h, c = i / w / h;
        A sum = load(image + i);
        for (uint u = 0; u < kernel_h; u++) {
            const int from_y = (int)y + pad_h - (int)(u * dilation_h);
            if (from_y < 0 || from_y % (int)stride_h != 0 || from_y / (int)stride_h >= (int)h_small) {
                continue;
            }
            for (uint v = 0; v < kernel_w; v++) {
                const int from_x = (int)x + pad_w - (int)(v * dilation_w);
                if (from_x < 0 || from_x % (int)stride_w != 0 || from_x / (int)stride_w >= (int)w_small) {
                    continue;
                }
                const uint position = from_y / (int)stride_h * w_small + from_x / (int)stride_w;
                if (position >= first && position < first + positions) {
                    const size_t tap = ((size_t)c * kernel_h + u) * kernel_w + v;
                    sum += load(columns + tap * positions + position - first);
                }
            }
        }
        store(image + i, sum);
    }
}
