// What follows a convolution, in the place of its result, and the sums that are its bias's gradient.

extern "C" __global__ void finish(T *y, const T *bias, uint count, uint channels, uint pixels, uint rectify, double slope) {
    for EACH(i, count) {
        A v = load(y + i);
        if (bias) {
            v += load(bias + i / pixels % channels);
        }
        if (rectify && v <= 0) {
            v = slope == 0 ? (A)0 : v * (A)slope;
        }
        store(y + i, v);
    }
}

// A block for each channel.
extern "C" __global__ void channel_sums(const T *x, T *sums, uint batch, uint channels, uint pixels) {
    A sum = 0;
    for (uint n = 0; n < batch; n++) {
        const T *plane = x + ((size_t)n * channels + blockIdx.x) * pixels;
        for (uint i = threadIdx.x; i < pixels; i += blockDim.x) {
            sum += load(plane + i);
        }
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        store(sums + blockIdx.x, sum);
    }
}
