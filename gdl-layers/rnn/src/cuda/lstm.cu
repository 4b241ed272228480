// One step of an LSTM over a batch, forward and backward: what follows the product of the state before with the recurrent
// weights. A thread for each row and feature. Beyond the end of a row the state is 0 and no gradient passes.

// `gates` (N, T, 4H) from the input; `recurrent` (N, 4H); `out` holds h and behind it c, each (N, T, H); `kept` gets the
// gates after their activations.
extern "C" __global__ void lstm_step(
    const T *gates, const T *recurrent, const T *start, T *out, T *kept, const uint *lengths, uint rows, uint steps,
    uint size, uint step
) {
    const size_t whole = (size_t)rows * steps * size;
    for EACH(at, rows * size) {
        const uint row = at / size, j = at % size;
        const size_t place = (size_t)row * steps + step;
        const T *x = gates + place * 4 * size + j, *r = recurrent + (size_t)row * 4 * size + j;
        const bool over = lengths && step >= lengths[row];
        const A i = sigmoid(load(x) + load(r)), f = sigmoid(load(x + size) + load(r + size));
        const A g = tanh(load(x + 2 * size) + load(r + 2 * size)), o = sigmoid(load(x + 3 * size) + load(r + 3 * size));
        const A before = step == 0 ? load(start + rows * size + at) : load(out + whole + (place - 1) * size + j);
        const A c = f * before + i * g;
        T *to = kept + place * 4 * size + j;
        store(to, i);
        store(to + size, f);
        store(to + 2 * size, g);
        store(to + 3 * size, o);
        store(out + place * size + j, over ? (A)0 : o * tanh(c));
        store(out + whole + place * size + j, over ? (A)0 : c);
    }
}

// `passed` (N, H) is the gradient of h that comes from the step after, and `cell` (N, H) that of c, which is replaced by
// that of the step before. `out` (N, T, 4H) gets the gradient of the gates before their activations.
extern "C" __global__ void lstm_step_gradient(
    const T *grad, const T *states, const T *start, const T *kept, const T *passed, T *cell, T *out, const uint *lengths,
    uint rows, uint steps, uint size, uint step
) {
    const size_t whole = (size_t)rows * steps * size;
    for EACH(at, rows * size) {
        const uint row = at / size, j = at % size;
        const size_t place = (size_t)row * steps + step;
        const T *gates = kept + place * 4 * size + j;
        T *to = out + place * 4 * size + j;
        if (lengths && step >= lengths[row]) {
            for (uint gate = 0; gate < 4; gate++) {
                store(to + gate * size, (A)0);
            }
            store(cell + at, (A)0);
            continue;
        }
        const bool last = step + 1 == steps;
        const A i = load(gates), f = load(gates + size), g = load(gates + 2 * size), o = load(gates + 3 * size);
        const A before = step == 0 ? load(start + rows * size + at) : load(states + whole + (place - 1) * size + j);
        const A shown = tanh(load(states + whole + place * size + j));
        const A dh = load(grad + place * size + j) + (last ? (A)0 : load(passed + at));
        const A dc = (last ? (A)0 : load(cell + at)) + load(grad + whole + place * size + j) + dh * o * (1 - shown * shown);
        store(to, dc * g * i * (1 - i));
        store(to + size, dc * before * f * (1 - f));
        store(to + 2 * size, dc * i * (1 - g * g));
        store(to + 3 * size, dh * shown * o * (1 - o));
        store(cell + at, dc * f);
    }
}
