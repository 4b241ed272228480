// Total variation of images, the squares (power 2) or the amounts (1) of the differences between neighbours, and its gradient.

__device__ __forceinline__ A amount(A difference, uint power) {
    return power == 2 ? difference * difference : fabs(difference);
}

__device__ __forceinline__ A slope(A difference, uint power) {
    return power == 2 ? 2 * difference : (A)((difference > 0) - (difference < 0));
}

// A sum for each block.
extern "C" __global__ void tv(const T *x, A *sums, uint count, uint h, uint w, uint power) {
    A sum = 0;
    for EACH(i, count) {
        const A here = load(x + i);
        sum += i % w + 1 < w ? amount(load(x + i + 1) - here, power) : (A)0;
        sum += i / w % h + 1 < h ? amount(load(x + i + w) - here, power) : (A)0;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
    }
}

extern "C" __global__ void tv_gradient(
    const T *x, const T *grad, T *out, uint count, uint h, uint w, uint power, double scale
) {
    const A factor = load(grad) * (A)scale;
    for EACH(i, count) {
        const uint col = i % w, row = i / w % h;
        const A here = load(x + i);
        A sum = 0;
        sum += col > 0 ? slope(here - load(x + i - 1), power) : (A)0;
        sum += row > 0 ? slope(here - load(x + i - w), power) : (A)0;
        sum -= col + 1 < w ? slope(load(x + i + 1) - here, power) : (A)0;
        sum -= row + 1 < h ? slope(load(x + i + w) - here, power) : (A)0;
        store(out + i, factor * sum);
    }
}
