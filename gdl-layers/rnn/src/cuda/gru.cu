// One step of a GRU whose reset gate acts after the product, forward and backward: what follows the product of the state
// before with the recurrent weights. A thread for each row and feature. Beyond the end of a row the state is 0 and no gradient
// passes.

// `gates` (N, T, 3H) from the input; `recurrent` (N, 3H); `out` (N, T, H); `kept` (N, T, 4H) gets r, z, n and the
// recurrent share of n that r is multiplied with.
extern "C" __global__ void gru_step(
    const T *gates, const T *recurrent, const T *bias, const T *start, T *out, T *kept, const uint *lengths, uint rows,
    uint steps, uint size, uint step
) {
    for EACH(at, rows * size) {
        const uint row = at / size, j = at % size;
        const size_t place = (size_t)row * steps + step;
        const T *x = gates + place * 3 * size + j, *rec = recurrent + (size_t)row * 3 * size + j;
        const bool over = lengths && step >= lengths[row];
        const A r = sigmoid(load(x) + load(rec)), z = sigmoid(load(x + size) + load(rec + size));
        const A share = load(rec + 2 * size) + (bias ? load(bias + j) : (A)0);
        const A n = tanh(load(x + 2 * size) + r * share);
        const A before = step == 0 ? load(start + at) : load(out + (place - 1) * size + j);
        T *to = kept + place * 4 * size + j;
        store(to, r);
        store(to + size, z);
        store(to + 2 * size, n);
        store(to + 3 * size, share);
        store(out + place * size + j, over ? (A)0 : n + z * (before - n));
    }
}

// `passed` (N, H) is what the product sends back from the step after, and `direct` (N, H) what z lets through beside it, which
// is replaced by that of the step before. `input` and `state` (N, T, 3H) get the gradients of the two shares of the gates.
extern "C" __global__ void gru_step_gradient(
    const T *grad, const T *states, const T *start, const T *kept, const T *passed, T *direct, T *input, T *state,
    const uint *lengths, uint rows, uint steps, uint size, uint step
) {
    for EACH(at, rows * size) {
        const uint row = at / size, j = at % size;
        const size_t place = (size_t)row * steps + step;
        const T *gates = kept + place * 4 * size + j;
        T *to_input = input + place * 3 * size + j, *to_state = state + place * 3 * size + j;
        if (lengths && step >= lengths[row]) {
            for (uint gate = 0; gate < 3; gate++) {
                store(to_input + gate * size, (A)0);
                store(to_state + gate * size, (A)0);
            }
            store(direct + at, (A)0);
            continue;
        }
        const bool last = step + 1 == steps;
        const A r = load(gates), z = load(gates + size), n = load(gates + 2 * size), share = load(gates + 3 * size);
        const A before = step == 0 ? load(start + at) : load(states + (place - 1) * size + j);
        const A dh = load(grad + place * size + j) + (last ? (A)0 : load(passed + at) + load(direct + at));
        const A dn = dh * (1 - z) * (1 - n * n), dr = dn * share * r * (1 - r);
        const A dz = dh * (before - n) * z * (1 - z);
        store(to_input, dr);
        store(to_input + size, dz);
        store(to_input + 2 * size, dn);
        store(to_state, dr);
        store(to_state + size, dz);
        store(to_state + 2 * size, dn * r);
        store(direct + at, dh * z);
    }
}
