// Padding of the two last axes: zeros (mode 0), reflection (1) or repetition of the border (2).

// Which entry of an axis of `size` stands at position `i` of the padded axis; -1 where a zero stands.
__device__ __forceinline__ int source(uint mode, int i, int before, int size) {
    const int at = i - before;
    if (at >= 0 && at < size) {
        return at;
    }
    if (mode == 0) {
        return -1;
    }
    if (mode == 2) {
        return at < 0 ? 0 : size - 1;
    }
    return at < 0 ? -at : 2 * (size - 1) - at;
}

extern "C" __global__ void pad2d(
    const T *x, T *y, uint count, uint h, uint w, uint h_out, uint w_out, uint top, uint left, uint mode
) {
    for EACH(i, count) {
        const uint col = i % w_out, row = i / w_out % h_out, plane = i / w_out / h_out;
        const int y0 = source(mode, row, top, h), x0 = source(mode, col, left, w);
        const bool zero = y0 < 0 || x0 < 0;
        store(y + i, zero ? (A)0 : load(x + (plane * h + y0) * w + x0));
    }
}

// The positions of the padded axis, of which `total`, that show entry `at` lie between `first` and `last`, or are mirrored.
// Reflection shows an entry at most three times, repetition the border in a row.
struct Shown {
    int from, to, before, behind;
};

__device__ __forceinline__ Shown shown(uint mode, int at, int before, int size, int total) {
    Shown s = {at + before, at + before, -1, -1};
    if (mode == 2) {
        s.from = at == 0 ? 0 : s.from;
        s.to = at == size - 1 ? total - 1 : s.to;
    }
    if (mode == 1) {
        const int mirrored = before - at, other = before + 2 * (size - 1) - at;
        s.before = at > 0 && mirrored >= 0 ? mirrored : -1;
        s.behind = at < size - 1 && other < total ? other : -1;
    }
    return s;
}

__device__ __forceinline__ A row_sum(const T *grad, Shown cols) {
    A sum = 0;
    for (int col = cols.from; col <= cols.to; col++) {
        sum += load(grad + col);
    }
    sum += cols.before < 0 ? (A)0 : load(grad + cols.before);
    sum += cols.behind < 0 ? (A)0 : load(grad + cols.behind);
    return sum;
}

extern "C" __global__ void pad2d_gradient(
    const T *grad, T *out, uint count, uint h, uint w, uint h_out, uint w_out, uint top, uint left, uint mode
) {
    for EACH(i, count) {
        const uint col = i % w, row = i / w % h, plane = i / w / h;
        const Shown rows = shown(mode, row, top, h, h_out), cols = shown(mode, col, left, w, w_out);
        const T *from = grad + plane * h_out * w_out;
        A sum = 0;
        for (int r = rows.from; r <= rows.to; r++) {
            sum += row_sum(from + r * w_out, cols);
        }
        sum += rows.before < 0 ? (A)0 : row_sum(from + rows.before * w_out, cols);
        sum += rows.behind < 0 ? (A)0 : row_sum(from + rows.behind * w_out, cols);
        store(out + i, sum);
    }
}
