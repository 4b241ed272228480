// Up-sampling by repetition, and its gradient: the sum over each pixel's copies.

extern "C" __global__ void upsample(const T *x, T *y, uint count, uint h, uint w, uint scale) {
    const uint w_out = w * scale, h_out = h * scale;
    for EACH(i, count) {
        const uint col = i % w_out, row = i / w_out % h_out, plane = i / w_out / h_out;
        store(y + i, load(x + (plane * h + row / scale) * w + col / scale));
    }
}

extern "C" __global__ void upsample_gradient(const T *grad, T *out, uint count, uint h, uint w, uint scale) {
    const uint w_out = w * scale;
    for EACH(i, count) {
        const uint col = i % w, row = i / w; // of all planes in a row
        const T *from = grad + row * scale * w_out + col * scale;
        A sum = 0;
        for (uint u = 0; u < scale; u++) {
            for (uint v = 0; v < scale; v++) {
                sum += load(from + u * w_out + v);
            }
        }
        store(out + i, sum);
    }
}
