// The mean squared difference of two tensors, and its gradient.

// A sum for each block.
extern "C" __global__ void mse(const T *x, const T *target, A *sums, uint count) {
    A sum = 0;
    for EACH(i, count) {
        const A off = load(x + i) - load(target + i);
        sum += off * off;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
    }
}

// With respect to x, or with a negative scale to the target.
extern "C" __global__ void mse_gradient(
    const T *x, const T *target, const T *grad, T *out, uint count, double scale
) {
    const A factor = load(grad) * (A)scale;
    for EACH(i, count) {
        store(out + i, factor * (load(x + i) - load(target + i)));
    }
}
