// The rectifiers, element by element.

extern "C" __global__ void rectify(const T *x, T *y, double slope, uint count) {
    const A below = (A)slope;
    for EACH(i, count) {
        const A v = load(x + i);
        // Asked this way round, a NaN stays one; and 0 times an infinity is not asked for.
        store(y + i, v <= 0 ? (below == 0 ? (A)0 : v * below) : v);
    }
}

extern "C" __global__ void rectify_gradient(const T *x, const T *grad, T *out, double slope, uint count) {
    const A below = (A)slope;
    for EACH(i, count) {
        const A g = load(grad + i);
        store(out + i, load(x + i) > 0 ? g : (below == 0 ? (A)0 : g * below));
    }
}
