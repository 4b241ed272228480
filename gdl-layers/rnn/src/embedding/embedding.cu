// Rows of a table that ids name, and the gradient of the table. An id beyond the table shows as not a number: nobody waits
// for the device to ask it.

extern "C" __global__ void lookup(const T *table, const uint *ids, T *out, uint count, uint vocab, uint size) {
    for EACH(i, count) {
        const uint id = ids[i / size];
        store(out + i, id < vocab ? load(table + (size_t)id * size + i % size) : (A)NOT_A_NUMBER);
    }
}

// A block for each row of the table, which looks for the places that name it: the sums come in a fixed order.
extern "C" __global__ void lookup_gradient(const T *grad, const uint *ids, T *out, uint places, uint size) {
    const uint id = blockIdx.x;
    for (uint j = threadIdx.x; j < size; j += blockDim.x) {
        A sum = 0;
        for (uint place = 0; place < places; place++) {
            if (ids[place] == id) {
                sum += load(grad + (size_t)place * size + j);
            }
        }
        store(out + (size_t)id * size + j, sum);
    }
}
