// The common norm of many tensors in two launches. The table has three words for each tensor (its address, how many elements
// it has, and which of the blocks is its first), and behind them one for each block: which tensor, and which stretch of it.

struct Words {
    unsigned long long g, count, first;
};

// A sum of squares for each block.
extern "C" __global__ void squares(const long long *table, A *sums, uint tensors, uint stretch) {
    const unsigned long long block = table[(size_t)tensors * 3 + blockIdx.x];
    const Words w = ((const Words *)table)[block >> 32];
    const size_t start = (size_t)(block & 0xffffffffu) * stretch, left = w.count - start;
    const uint end = left < stretch ? (uint)left : stretch;
    const T *g = (const T *)w.g + start;
    A sum = 0;
    for (uint i = threadIdx.x; i < end; i += blockDim.x) {
        const A value = load(g + i);
        sum += value * value;
    }
    sum = block_sum(sum);
    if (threadIdx.x == 0) {
        sums[blockIdx.x] = sum;
    }
}

// One block: the sum of squares of each tensor, a warp for each; behind them the factor on all gradients, and a number that is
// finite where the norm and the guard are.
extern "C" __global__ void clipping(
    const long long *table, const A *sums, const A *guard, A *out, uint tensors, uint stretch, double max_norm
) {
    const uint lane = threadIdx.x & 31u;
    A total = 0;
    for (uint k = threadIdx.x >> 5; k < tensors; k += blockDim.x >> 5) {
        const Words w = ((const Words *)table)[k];
        const uint blocks = (uint)((w.count + stretch - 1) / stretch);
        A sum = 0;
        for (uint i = lane; i < blocks; i += 32) {
            sum += sums[w.first + i];
        }
        for (int step = 16; step > 0; step >>= 1) {
            sum += __shfl_xor_sync(0xffffffffu, sum, step);
        }
        if (lane == 0) {
            out[k] = sum;
            total += sum;
        }
    }
    total = block_sum(total);
    if (threadIdx.x == 0) {
        const A factor = (A)max_norm / (sqrt(total) + (A)1e-6);
        out[tensors] = factor < 1 ? factor : (A)1;
        out[tensors + 1] = guard ? total + *guard : total;
    }
}
