// Softmax and cross-entropy of rows of logits, a block for each row. A target that is `ignored` does not count; one beyond the
// logits makes its row not a number: nobody waits for the device to ask it.

// Of each row the loss, the logarithm of the sum of exponentials, and whether it counts: (3, rows).
extern "C" __global__ void row_losses(
    const T *logits, const uint *targets, A *out, uint rows, uint vocab, uint has_ignored, uint ignored, double smoothing
) {
    const uint row = blockIdx.x, target = targets[row];
    const T *x = logits + (size_t)row * vocab;
    A top = load(x);
    for (uint j = threadIdx.x; j < vocab; j += blockDim.x) {
        const A v = load(x + j);
        top = v > top ? v : top;
    }
    top = block_max(top);
    A sum = 0, all = 0;
    for (uint j = threadIdx.x; j < vocab; j += blockDim.x) {
        const A v = load(x + j);
        sum += exp(v - top);
        all += v;
    }
    sum = block_sum(sum);
    all = block_sum(all);
    if (threadIdx.x == 0) {
        const bool counts = !(has_ignored && target == ignored);
        const A log_sum = top + log(sum), picked = target < vocab ? load(x + target) : (A)NOT_A_NUMBER;
        const A loss = log_sum - (A)(1 - smoothing) * picked - (smoothing > 0 ? (A)smoothing * all / (A)vocab : (A)0);
        out[row] = counts ? loss : (A)0;
        out[rows + row] = log_sum;
        out[2 * rows + row] = counts ? (A)1 : (A)0;
    }
}

// The gradient of the logits where that of the loss is `grad`: one number for each row, or one for all, which is then shared
// among the `counted`.
extern "C" __global__ void row_gradients(
    const T *logits, const uint *targets, const A *kept, const T *grad, const A *counted, T *out, uint rows, uint vocab,
    double smoothing
) {
    const uint row = blockIdx.x, target = targets[row];
    const size_t start = (size_t)row * vocab;
    const A log_sum = kept[rows + row], counts = kept[2 * rows + row];
    const A scale = counts == 0 ? (A)0 : (counted ? load(grad) / *counted : load(grad + row));
    const A even = (A)smoothing / (A)vocab;
    for (uint j = threadIdx.x; j < vocab; j += blockDim.x) {
        const A likely = exp(load(logits + start + j) - log_sum);
        const A d = likely - even - (j == target ? (A)(1 - smoothing) : (A)0);
        store(out + start + j, scale == 0 ? (A)0 : scale * d);
    }
}
