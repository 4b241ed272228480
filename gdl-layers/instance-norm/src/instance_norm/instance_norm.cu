// Instance normalisation with a rectifier, and its gradients. A block for each plane. `stats` holds of each plane the mean,
// 1 / d, and 1 / d or 1 / std (0 for a flat plane), whichever the definition's derivative has.

extern "C" __global__ void normalise(
    const T *x, T *y, A *stats, const T *weight, const T *bias, uint channels, uint pixels, uint keras, double eps,
    uint rectify, double slope
) {
    const uint plane = blockIdx.x, channel = plane % channels;
    const T *from = x + (size_t)plane * pixels;
    T *to = y + (size_t)plane * pixels;
    // Summed as differences to one pixel: of a bright, flat plane those are exact where the sums would not be.
    const A first = load(from);
    A sum = 0;
    for (uint i = threadIdx.x; i < pixels; i += blockDim.x) {
        sum += load(from + i) - first;
    }
    const A mean = first + block_sum(sum) / (A)pixels;
    sum = 0;
    for (uint i = threadIdx.x; i < pixels; i += blockDim.x) {
        const A off = load(from + i) - mean;
        sum += off * off;
    }
    const A variance = block_sum(sum) / (A)pixels;
    A inv, ratio;
    if (keras) {
        const A std = sqrt(variance);
        inv = 1 / (std + (A)eps);
        ratio = std == 0 ? (A)0 : 1 / std;
    } else {
        inv = 1 / sqrt(variance + (A)eps);
        ratio = inv;
    }
    const A scale = (weight ? load(weight + channel) : (A)1) * inv, shift = bias ? load(bias + channel) : (A)0;
    for (uint i = threadIdx.x; i < pixels; i += blockDim.x) {
        A v = (load(from + i) - mean) * scale + shift;
        if (rectify && v <= 0) {
            v = slope == 0 ? (A)0 : v * (A)slope;
        }
        store(to + i, v);
    }
    if (threadIdx.x == 0) {
        stats[3 * plane] = mean;
        stats[3 * plane + 1] = inv;
        stats[3 * plane + 2] = ratio;
    }
}

// The gradient that passed the rectifier.
__device__ __forceinline__ A passed(const T *grad, const T *y, uint i, uint rectify, double slope) {
    const A g = load(grad + i);
    return !rectify || load(y + i) > 0 ? g : (slope == 0 ? (A)0 : g * (A)slope);
}

// The gradient of x, and of each plane its share in those of the weight (sums[plane]) and of the bias.
extern "C" __global__ void normalise_gradient(
    const T *x, const T *y, const T *grad, const A *stats, const T *weight, T *out, A *sums, uint planes, uint channels,
    uint pixels, uint rectify, double slope
) {
    const uint plane = blockIdx.x;
    const size_t start = (size_t)plane * pixels;
    x += start, y += start, grad += start, out += start;
    const A mean = stats[3 * plane], inv = stats[3 * plane + 1], ratio = stats[3 * plane + 2];
    A sum_g = 0, sum_gd = 0;
    for (uint i = threadIdx.x; i < pixels; i += blockDim.x) {
        const A g = passed(grad, y, i, rectify, slope);
        sum_g += g;
        sum_gd += g * (load(x + i) - mean);
    }
    sum_g = block_sum(sum_g);
    const A sum_gu = block_sum(sum_gd) * inv;
    const A along = (weight ? load(weight + plane % channels) : (A)1) * inv;
    const A across = along * ratio * sum_gu / (A)pixels, shift = along * sum_g / (A)pixels;
    for (uint i = threadIdx.x; i < pixels; i += blockDim.x) {
        store(out + i, passed(grad, y, i, rectify, slope) * along - (load(x + i) - mean) * across - shift);
    }
    if (threadIdx.x == 0) {
        sums[plane] = sum_gu;
        sums[planes + plane] = sum_g;
    }
}
