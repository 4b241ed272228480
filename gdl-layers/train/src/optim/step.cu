// A step of an optimizer over all parameters in one launch. The table has eight words for each tensor (the addresses of the
// parameter, its gradient and up to three states, 0 for one that is not kept; how many elements it has; and the bits of two
// numbers of its own), and behind them one for each block: which tensor, and which stretch of it. Where there is a brake, it
// holds a factor on all gradients, and a number without which, if it is not finite, nothing changes.

struct Words {
    unsigned long long p, g, states[3], count, own[2];
};

// The part of a tensor that a block changes.
struct Stretch {
    T *p, *states[3];
    const T *g;
    A own[2], factor;
    uint end;
};

__device__ __forceinline__ Stretch stretch_of(const long long *table, const A *brake, uint tensors, uint stretch) {
    const unsigned long long block = table[(size_t)tensors * 8 + blockIdx.x];
    const Words w = ((const Words *)table)[block >> 32];
    const size_t start = (size_t)(block & 0xffffffffu) * stretch, left = w.count - start;
    Stretch s;
    s.p = (T *)w.p + start;
    s.g = (const T *)w.g + start;
    for (uint k = 0; k < 3; k++) {
        s.states[k] = w.states[k] ? (T *)w.states[k] + start : 0;
    }
    s.own[0] = (A)__longlong_as_double(w.own[0]);
    s.own[1] = (A)__longlong_as_double(w.own[1]);
    s.factor = brake ? brake[0] : (A)1;
    const A guard = brake ? brake[1] : (A)0;
    s.end = guard - guard != 0 ? 0 : left < stretch ? (uint)left : stretch;
    return s;
}

extern "C" __global__ void adam(
    const long long *table, const A *brake, uint tensors, uint stretch, double keep, double decay, double new1, double beta2,
    double eps
) {
    const Stretch s = stretch_of(table, brake, tensors, stretch);
    T *m = s.states[0], *v = s.states[1];
    for (uint i = threadIdx.x; i < s.end; i += blockDim.x) {
        const A weight = load(s.p + i) * (A)keep;
        const A grad = load(s.g + i) * s.factor + weight * (A)decay;
        const A first = load(m + i) + (grad - load(m + i)) * (A)new1;
        const A second = load(v + i) * (A)beta2 + grad * grad * (A)(1 - beta2);
        store(m + i, first);
        store(v + i, second);
        store(s.p + i, weight - first / (sqrt(second) * s.own[1] + (A)eps) * s.own[0]);
    }
}

extern "C" __global__ void sgd(
    const long long *table, const A *brake, uint tensors, uint stretch, double rate, double decay, double momentum,
    double nesterov, double
) {
    const Stretch s = stretch_of(table, brake, tensors, stretch);
    T *buffer = s.states[0];
    for (uint i = threadIdx.x; i < s.end; i += blockDim.x) {
        const A weight = load(s.p + i), grad = load(s.g + i) * s.factor + weight * (A)decay;
        A step = grad;
        if (buffer) {
            const A mixed = load(buffer + i) * s.own[0] + grad * s.own[1];
            store(buffer + i, mixed);
            step = nesterov != 0 ? grad + mixed * (A)momentum : mixed;
        }
        store(s.p + i, weight - step * (A)rate);
    }
}

extern "C" __global__ void rms_prop(
    const long long *table, const A *brake, uint tensors, uint stretch, double rate, double decay, double momentum,
    double alpha, double eps
) {
    const Stretch s = stretch_of(table, brake, tensors, stretch);
    T *square = s.states[0], *mean = s.states[1], *buffer = s.states[2];
    for (uint i = threadIdx.x; i < s.end; i += blockDim.x) {
        const A weight = load(s.p + i), grad = load(s.g + i) * s.factor + weight * (A)decay;
        const A squares = load(square + i) * (A)alpha + grad * grad * (A)(1 - alpha);
        store(square + i, squares);
        A variance = squares;
        if (mean) {
            const A average = load(mean + i) + (grad - load(mean + i)) * (A)(1 - alpha);
            store(mean + i, average);
            variance -= average * average;
        }
        A step = grad / (sqrt(variance) + (A)eps);
        if (buffer) {
            step += load(buffer + i) * (A)momentum;
            store(buffer + i, step);
        }
        store(s.p + i, weight - step * (A)rate);
    }
}
