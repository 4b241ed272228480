// A step of Adam over all parameters in one launch. The table has seven words for each tensor (the addresses of the
// parameter, its gradient and its two moments, how many elements it has, and the bits of two numbers of its step), and
// behind them one for each block: which tensor, and which stretch of it. Where there is a brake, it holds a factor on all
// gradients, and a number without which, if it is not finite, nothing changes.

struct Words {
    unsigned long long p, g, m, v, count, step_size, correct2;
};

extern "C" __global__ void adam(
    const long long *table, const A *brake, uint tensors, uint stretch, double keep, double decay, double new1,
    double beta2, double eps
) {
    const A factor = brake ? brake[0] : (A)1, guard = brake ? brake[1] : (A)0;
    if (guard - guard != 0) {
        return;
    }
    const unsigned long long block = table[(size_t)tensors * 7 + blockIdx.x];
    const Words w = ((const Words *)table)[block >> 32];
    T *p = (T *)w.p, *m = (T *)w.m, *v = (T *)w.v;
    const T *g = (const T *)w.g;
    const A step_size = (A)__longlong_as_double(w.step_size), correct2 = (A)__longlong_as_double(w.correct2);
    const size_t start = (size_t)(block & 0xffffffffu) * stretch, left = w.count - start;
    const uint end = left < stretch ? (uint)left : stretch;
    p += start, g += start, m += start, v += start;
    for (uint i = threadIdx.x; i < end; i += blockDim.x) {
        const A weight = load(p + i) * (A)keep;
        const A grad = load(g + i) * factor + weight * (A)decay;
        const A first = load(m + i) + (grad - load(m + i)) * (A)new1;
        const A second = load(v + i) * (A)beta2 + grad * grad * (A)(1 - beta2);
        store(m + i, first);
        store(v + i, second);
        store(p + i, weight - first / (sqrt(second) * correct2 + (A)eps) * step_size);
    }
}
