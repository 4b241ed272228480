// libcudnn.so.9: one layer of LSTM or GRU cells in one or both directions, over padded batch-major sequences.
//
// Sums are in double. The parameters stand in the weight space with gaps between them, so that nothing can take them for
// contiguous, and the backward pass overwrites the reserve space: it can run only once after a forward pass.
#include "cudnn_shared.h"
#include <math.h>
#include <string.h>

struct cudnnDropoutStruct { bool set = false; };
struct cudnnRNNStruct {
    bool lstm = false, biased = false;
    int directions = 0, input = 0, hidden = 0;
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    bool padded = false;
};
struct cudnnRNNDataStruct {
    cudnnDataType_t type = CUDNN_DATA_FLOAT;
    int steps = 0, batch = 0, size = 0;
    std::vector<int> lengths;
    bool filled = false;
};

namespace {
constexpr size_t WORKSPACE = 4096;
enum Phase { FORWARD = 1, DATA = 2 };

using Vector = std::vector<double>;

// Where the parameters of a direction begin in the weight space, in elements; rows of a gate follow one another.
struct Places {
    int gates;
    int64_t input_gate, state_gate;  // elements from one gate to the next
    int64_t w[2], u[2], b[2], c[2], total;
};

Places places(const cudnnRNNStruct& r) {
    Places p{};
    p.gates = r.lstm ? 4 : 3;
    int gap = r.lstm ? 0 : 1;
    p.input_gate = (int64_t)r.hidden * r.input + gap;
    p.state_gate = (int64_t)r.hidden * r.hidden + gap;
    int64_t at = 0;
    auto take = [&](int64_t n) { int64_t from = at; at += n; return from; };
    for (int d = 0; d < r.directions; d++) { p.w[d] = take(p.gates * p.input_gate); p.u[d] = take(p.gates * p.state_gate); }
    for (int d = 0; d < r.directions && r.biased; d++) {
        take(1);
        p.b[d] = take(p.gates * r.hidden);
        p.c[d] = take(p.gates * r.hidden);
    }
    p.total = at;
    return p;
}

// Every step leaves five vectors: of an LSTM i, f, g, o and c, of a GRU r, z, n and the state's share of n.
constexpr int KEPT = 5;
struct Header { int64_t phase, elements; };

// A call's arguments, checked, and its loops.
struct Layer {
    const cudnnRNNStruct& r;
    const cudnnRNNDataStruct& data;
    Element type;
    Places p;
    int H, I, T, N, D;

    Layer(const cudnnRNNStruct& r, const cudnnRNNDataStruct& x)
        : r(r), data(x), type(element(r.type)), p(places(r)), H(r.hidden), I(r.input), T(x.steps), N(x.batch), D(r.directions) {}

    size_t bytes(int64_t elements) const { return (size_t)elements * emu::size_of(type); }
    int64_t states() const { return (int64_t)D * N * H; }
    size_t reserve() const { return sizeof(Header) + (size_t)D * N * T * KEPT * H * sizeof(double); }
    double get(const void* at, int64_t i) const { return at ? emu::get(type, at, (size_t)i) : 0; }
    void put(void* at, int64_t i, double v) const { if (at) emu::put(type, at, (size_t)i, v); }
    double* kept(void* reserve, int d, int b, int t) const {
        return (double*)((char*)reserve + sizeof(Header)) + (((int64_t)d * N + b) * T + t) * KEPT * H;
    }
    int64_t state(int d, int b) const { return ((int64_t)d * N + b) * H; }
    int64_t output(int d, int b, int t) const { return (((int64_t)b * T + t) * D + d) * H; }
    // The step that direction `d` reads as its `s`th.
    int step(int d, int b, int s) const { return d ? data.lengths[b] - 1 - s : s; }
    // h before the `s`th step.
    double before(const void* y, const void* hx, int d, int b, int s, int i) const {
        return s ? get(y, output(d, b, step(d, b, s - 1)) + i) : get(hx, state(d, b) + i);
    }
    int64_t input_weight(int d, int row, int i) const { return p.w[d] + row / H * p.input_gate + (int64_t)(row % H) * I + i; }
    int64_t state_weight(int d, int row, int i) const { return p.u[d] + row / H * p.state_gate + (int64_t)(row % H) * H + i; }

    cudnnStatus_t check(const char* call, cudnnHandle_t handle, const int32_t* lengths, const cudnnRNNDataStruct& y,
                        const cudnnTensorStruct* h, size_t weight_bytes, const void* weights, size_t work_bytes, void* work) const {
        if (!handle) return refuse(CUDNN_STATUS_BAD_PARAM, "%s without a handle", call);
        if (data.size != I || y.size != D * H || y.steps != T || y.lengths != data.lengths || data.type != r.type || y.type != r.type)
            return refuse(CUDNN_STATUS_BAD_PARAM, "%s: the sequences do not fit the layer or each other", call);
        if (!h || h->n != 3 || h->dims[0] != D || h->dims[1] != N || h->dims[2] != H || h->type != r.type)
            return refuse(CUDNN_STATUS_BAD_PARAM, "%s: the states are not (%d, %d, %d)", call, D, N, H);
        if (weight_bytes != bytes(p.total)) return refuse(CUDNN_STATUS_BAD_PARAM, "%s: a weight space of %zu bytes", call, weight_bytes);
        if (work_bytes < WORKSPACE) return refuse(CUDNN_STATUS_BAD_PARAM, "%s: a workspace of %zu bytes", call, work_bytes);
        emu::check_range(weights, weight_bytes, "weight space of a recurrent layer");
        emu::check_range(work, work_bytes, "workspace of a recurrent layer");
        emu::check_range(lengths, N * sizeof(int32_t), "lengths of a recurrent layer");
        for (int b = 0; b < N; b++)
            if (lengths[b] != data.lengths[b]) return refuse(CUDNN_STATUS_BAD_PARAM, "%s: other lengths on the device", call);
        memset(work, 0xFF, work_bytes);
        GOOD;
    }

    // Aborts unless the elements are there, from an address that suits vector loads.
    void elements(const void* at, int64_t count, const char* what, bool optional = false) const {
        if (optional && !at) return;
        emu::check_range(at, bytes(count), what);
        if ((uintptr_t)at % 16) emu::fail("%s begins at %p, which is no multiple of 16 bytes", what, at);
    }

    cudnnStatus_t check_reserve(const char* call, void* reserve_space, size_t size, int64_t phase) const {
        if (size < reserve()) return refuse(CUDNN_STATUS_BAD_PARAM, "%s: a reserve space of %zu bytes", call, size);
        emu::check_range(reserve_space, size, "reserve space of a recurrent layer");
        const Header& h = *(Header*)reserve_space;
        if (h.phase != phase || h.elements != (int64_t)D * N * T * H)
            return refuse(CUDNN_STATUS_BAD_PARAM, "%s: the reserve space is not what the call before left", call);
        GOOD;
    }

    // One step of a sequence: h and c after it, and what the backward pass needs.
    void cell(int d, const void* w, const Vector& x, Vector& h, Vector& c, double* keep) const {
        Vector a(p.gates * H), u(p.gates * H);
        for (int row = 0; row < p.gates * H; row++) {
            if (r.biased) { a[row] = get(w, p.b[d] + row); u[row] = get(w, p.c[d] + row); }
            for (int i = 0; i < I; i++) a[row] += get(w, input_weight(d, row, i)) * x[i];
            for (int i = 0; i < H; i++) u[row] += get(w, state_weight(d, row, i)) * h[i];
        }
        auto open = [](double v) { return 1 / (1 + exp(-v)); };
        for (int i = 0; i < H; i++) {
            double q = open(a[i] + u[i]), z = open(a[H + i] + u[H + i]);
            if (r.lstm) {
                double g = tanh(a[2 * H + i] + u[2 * H + i]), o = open(a[3 * H + i] + u[3 * H + i]);
                c[i] = z * c[i] + q * g;
                h[i] = o * tanh(c[i]);
                keep[2 * H + i] = g;
                keep[3 * H + i] = o;
                keep[4 * H + i] = c[i];
            } else {
                double n = tanh(a[2 * H + i] + q * u[2 * H + i]);
                h[i] = (1 - z) * n + z * h[i];
                keep[2 * H + i] = n;
                keep[3 * H + i] = u[2 * H + i];
            }
            keep[i] = q;
            keep[H + i] = z;
        }
    }

    void forward(const void* x, const void* hx, const void* cx, const void* w, void* y, void* hy, void* cy, void* reserve_space, bool fill) const {
        Vector unused(KEPT * H), h(H), c(H), input(I);
        for (int d = 0; d < D; d++)
            for (int b = 0; b < N; b++) {
                for (int i = 0; i < H; i++) { h[i] = get(hx, state(d, b) + i); c[i] = get(cx, state(d, b) + i); }
                for (int s = 0; s < data.lengths[b]; s++) {
                    int t = step(d, b, s);
                    for (int i = 0; i < I; i++) input[i] = get(x, ((int64_t)b * T + t) * I + i);
                    cell(d, w, input, h, c, reserve_space ? kept(reserve_space, d, b, t) : unused.data());
                    for (int i = 0; i < H; i++) { put(y, output(d, b, t) + i, h[i]); h[i] = get(y, output(d, b, t) + i); }
                }
                for (int t = data.lengths[b]; t < T && fill; t++)
                    for (int i = 0; i < H; i++) put(y, output(d, b, t) + i, 0);
                for (int i = 0; i < H; i++) { put(hy, state(d, b) + i, h[i]); put(cy, state(d, b) + i, c[i]); }
            }
    }

    // Backwards through one step: dh and dc become those before it; `keep` becomes the gradients of the gates.
    void cell_gradient(double* keep, const Vector& h, const Vector& c, Vector& dh, Vector& dc) const {
        for (int i = 0; i < H; i++) {
            double q = keep[i], z = keep[H + i], g = keep[2 * H + i], o = keep[3 * H + i];
            if (r.lstm) {
                double t = tanh(keep[4 * H + i]);
                dc[i] += dh[i] * o * (1 - t * t);
                keep[i] = dc[i] * g * q * (1 - q);
                keep[H + i] = dc[i] * c[i] * z * (1 - z);
                keep[2 * H + i] = dc[i] * q * (1 - g * g);
                keep[3 * H + i] = dh[i] * t * o * (1 - o);
                dc[i] *= z;
                dh[i] = 0;
            } else {
                double dn = dh[i] * (1 - z) * (1 - g * g);
                keep[i] = dn * o * q * (1 - q);
                keep[H + i] = dh[i] * (h[i] - g) * z * (1 - z);
                keep[2 * H + i] = dn;
                keep[3 * H + i] = dn * q;
                dh[i] *= z;
            }
        }
    }

    // The gradients of the gates' share that comes from the input, and from the state.
    double from_input(const double* keep, int row) const { return keep[row]; }
    double from_state(const double* keep, int row) const { return keep[!r.lstm && row >= 2 * H ? row + H : row]; }

    void data_gradients(const void* y, const void* dy, const void* hx, const void* dhy, void* dhx, const void* cx, const void* dcy,
                        void* dcx, const void* w, void* dx, void* reserve_space) const {
        Vector sums((size_t)N * T * I), h(H), c(H), dh(H), dc(H);
        for (int d = 0; d < D; d++)
            for (int b = 0; b < N; b++) {
                for (int i = 0; i < H; i++) { dh[i] = get(dhy, state(d, b) + i); dc[i] = get(dcy, state(d, b) + i); }
                for (int s = data.lengths[b] - 1; s >= 0; s--) {
                    int t = step(d, b, s);
                    double* keep = kept(reserve_space, d, b, t);
                    for (int i = 0; i < H; i++) {
                        h[i] = before(y, hx, d, b, s, i);
                        c[i] = s ? kept(reserve_space, d, b, step(d, b, s - 1))[4 * H + i] : get(cx, state(d, b) + i);
                        dh[i] += get(dy, output(d, b, t) + i);
                    }
                    cell_gradient(keep, h, c, dh, dc);
                    for (int row = 0; row < p.gates * H; row++) {
                        for (int i = 0; i < I; i++) sums[((size_t)b * T + t) * I + i] += get(w, input_weight(d, row, i)) * from_input(keep, row);
                        for (int i = 0; i < H; i++) dh[i] += get(w, state_weight(d, row, i)) * from_state(keep, row);
                    }
                }
                for (int i = 0; i < H; i++) { put(dhx, state(d, b) + i, dh[i]); put(dcx, state(d, b) + i, dc[i]); }
            }
        for (int b = 0; b < N; b++)  // behind the end of a sequence nothing is written
            for (int64_t i = (int64_t)b * T * I; i < ((int64_t)b * T + data.lengths[b]) * I; i++) put(dx, i, sums[i]);
    }

    void weight_gradients(const void* x, const void* hx, const void* y, void* dw, void* reserve_space) const {
        Vector sums(p.total);
        for (int d = 0; d < D; d++)
            for (int b = 0; b < N; b++)
                for (int s = 0; s < data.lengths[b]; s++) {
                    int t = step(d, b, s);
                    const double* keep = kept(reserve_space, d, b, t);
                    for (int row = 0; row < p.gates * H; row++) {
                        double input = from_input(keep, row), state = from_state(keep, row);
                        for (int i = 0; i < I; i++) sums[input_weight(d, row, i)] += input * get(x, ((int64_t)b * T + t) * I + i);
                        for (int i = 0; i < H; i++) sums[state_weight(d, row, i)] += state * before(y, hx, d, b, s, i);
                        if (r.biased) { sums[p.b[d] + row] += input; sums[p.c[d] + row] += state; }
                    }
                }
        for (int64_t i = 0; i < p.total; i++) put(dw, i, get(dw, i) + sums[i]);
    }
};

cudnnStatus_t set(cudnnTensorStruct& t, cudnnDataType_t type, int rows, int columns) {
    t.type = type;
    t.n = 3;
    int dims[] = {1, rows, columns}, strides[] = {rows * columns, columns, 1};
    for (int i = 0; i < 3; i++) { t.dims[i] = dims[i]; t.strides[i] = strides[i]; }
    GOOD;
}
}  // namespace

extern "C" {

cudnnStatus_t cudnnCreateDropoutDescriptor(cudnnDropoutDescriptor_t* d) { *d = new cudnnDropoutStruct; GOOD; }
cudnnStatus_t cudnnDestroyDropoutDescriptor(cudnnDropoutDescriptor_t d) { delete d; GOOD; }
cudnnStatus_t cudnnSetDropoutDescriptor(cudnnDropoutDescriptor_t d, cudnnHandle_t h, float p, void*, size_t, unsigned long long) {
    if (!h || p != 0) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "dropout %g", p);
    d->set = true;
    GOOD;
}

cudnnStatus_t cudnnCreateRNNDescriptor(cudnnRNNDescriptor_t* d) { *d = new cudnnRNNStruct; GOOD; }
cudnnStatus_t cudnnDestroyRNNDescriptor(cudnnRNNDescriptor_t d) { delete d; GOOD; }
cudnnStatus_t cudnnSetRNNDescriptor_v8(cudnnRNNDescriptor_t d, cudnnRNNAlgo_t algo, cudnnRNNMode_t mode, cudnnRNNBiasMode_t bias,
                                       cudnnDirectionMode_t direction, cudnnRNNInputMode_t input_mode, cudnnDataType_t type,
                                       cudnnDataType_t compute, cudnnMathType_t, int32_t input, int32_t hidden, int32_t projection,
                                       int32_t layers, cudnnDropoutDescriptor_t dropout, uint32_t flags) {
    if (algo != CUDNN_RNN_ALGO_STANDARD || input_mode != CUDNN_LINEAR_INPUT || projection != hidden || layers != 1)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a recurrent layer other than a single plain one");
    if (mode != CUDNN_LSTM && mode != CUDNN_GRU) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "recurrent cells of mode %d", (int)mode);
    if (bias != CUDNN_RNN_NO_BIAS && bias != CUDNN_RNN_DOUBLE_BIAS) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "biases of mode %d", (int)bias);
    if (element(type) == Element::None || compute != (type == CUDNN_DATA_DOUBLE ? type : CUDNN_DATA_FLOAT))
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a recurrent layer of type %d with sums of type %d", (int)type, (int)compute);
    if (input < 1 || hidden < 1 || !dropout || !dropout->set) return refuse(CUDNN_STATUS_BAD_PARAM, "a recurrent layer of %d to %d", input, hidden);
    *d = {mode == CUDNN_LSTM, bias == CUDNN_RNN_DOUBLE_BIAS, direction == CUDNN_BIDIRECTIONAL ? 2 : 1, input, hidden, type,
          (flags & CUDNN_RNN_PADDED_IO_ENABLED) != 0};
    GOOD;
}

cudnnStatus_t cudnnCreateRNNDataDescriptor(cudnnRNNDataDescriptor_t* d) { *d = new cudnnRNNDataStruct; GOOD; }
cudnnStatus_t cudnnDestroyRNNDataDescriptor(cudnnRNNDataDescriptor_t d) { delete d; GOOD; }
cudnnStatus_t cudnnSetRNNDataDescriptor(cudnnRNNDataDescriptor_t d, cudnnDataType_t type, cudnnRNNDataLayout_t layout, int steps,
                                        int batch, int size, const int lengths[], void* fill) {
    if (layout != CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "sequences in layout %d", (int)layout);
    if (steps < 1 || batch < 1 || size < 1) return refuse(CUDNN_STATUS_BAD_PARAM, "%d sequences of %d vectors of %d", batch, steps, size);
    for (int b = 0; b < batch; b++)
        if (lengths[b] < 1 || lengths[b] > steps) return refuse(CUDNN_STATUS_BAD_PARAM, "sequence %d of %d steps", b, lengths[b]);
    *d = {type, steps, batch, size, std::vector<int>(lengths, lengths + batch), fill != nullptr};
    GOOD;
}
cudnnStatus_t cudnnGetRNNDataDescriptor(cudnnRNNDataDescriptor_t d, cudnnDataType_t* type, cudnnRNNDataLayout_t* layout, int* steps,
                                        int* batch, int* size, int room, int lengths[], void* fill) {
    *type = d->type;
    *layout = CUDNN_RNN_DATA_LAYOUT_BATCH_MAJOR_UNPACKED;
    *steps = d->steps;
    *batch = d->batch;
    *size = d->size;
    for (int b = 0; b < room && b < d->batch; b++) lengths[b] = d->lengths[b];
    if (fill) memset(fill, 0, emu::size_of(element(d->type)));
    GOOD;
}

cudnnStatus_t cudnnGetRNNWeightSpaceSize(cudnnHandle_t, cudnnRNNDescriptor_t r, size_t* bytes) {
    *bytes = (size_t)places(*r).total * emu::size_of(element(r->type));
    GOOD;
}
cudnnStatus_t cudnnGetRNNTempSpaceSizes(cudnnHandle_t, cudnnRNNDescriptor_t r, cudnnForwardMode_t mode, cudnnRNNDataDescriptor_t x,
                                        size_t* work, size_t* reserve) {
    *work = WORKSPACE;
    if (reserve) *reserve = mode == CUDNN_FWD_MODE_TRAINING ? Layer(*r, *x).reserve() : 0;
    GOOD;
}
cudnnStatus_t cudnnGetRNNWeightParams(cudnnHandle_t, cudnnRNNDescriptor_t r, int32_t layer, size_t bytes, const void* space, int32_t id,
                                      cudnnTensorDescriptor_t matrix, void** matrix_at, cudnnTensorDescriptor_t bias, void** bias_at) {
    Places p = places(*r);
    size_t width = emu::size_of(element(r->type));
    if (layer < 0 || layer >= r->directions || id < 0 || id >= 2 * p.gates || bytes != p.total * width || !space)
        return refuse(CUDNN_STATUS_BAD_PARAM, "parameters %d of layer %d", id, layer);
    int gate = id % p.gates;
    bool state = id >= p.gates;
    auto at = [&](int64_t element) { return (void*)((char*)space + element * width); };
    *matrix_at = at(state ? p.u[layer] + gate * p.state_gate : p.w[layer] + gate * p.input_gate);
    TRY(set(*matrix, r->type, r->hidden, state ? r->hidden : r->input));
    *bias_at = r->biased ? at((state ? p.c[layer] : p.b[layer]) + gate * r->hidden) : nullptr;
    if (r->biased) return set(*bias, r->type, r->hidden, 1);
    bias->n = 0;
    GOOD;
}

cudnnStatus_t cudnnRNNForward(cudnnHandle_t handle, cudnnRNNDescriptor_t r, cudnnForwardMode_t mode, const int32_t lengths[],
                              cudnnRNNDataDescriptor_t xd, const void* x, cudnnRNNDataDescriptor_t yd, void* y, cudnnTensorDescriptor_t hd,
                              const void* hx, void* hy, cudnnTensorDescriptor_t cd, const void* cx, void* cy, size_t weight_bytes,
                              const void* weights, size_t work_bytes, void* work, size_t reserve_bytes, void* reserve) {
    Layer l(*r, *xd);
    emu::DeviceWork device("cudnnRNNForward");
    TRY(l.check("cudnnRNNForward", handle, lengths, *yd, hd, weight_bytes, weights, work_bytes, work));
    if (r->lstm ? !cd : (cx || cy)) return refuse(CUDNN_STATUS_BAD_PARAM, "cudnnRNNForward: cell states of a GRU, or an LSTM without their shape");
    for (int length : xd->lengths)
        if (length < xd->steps && !r->padded) return refuse(CUDNN_STATUS_BAD_PARAM, "cudnnRNNForward: padding in a layer without it");
    bool train = mode == CUDNN_FWD_MODE_TRAINING;
    if (train && reserve_bytes < l.reserve()) return refuse(CUDNN_STATUS_BAD_PARAM, "cudnnRNNForward: a reserve space of %zu bytes", reserve_bytes);
    if (train) emu::check_range(reserve, reserve_bytes, "reserve space of a recurrent layer");
    l.elements(x, (int64_t)l.N * l.T * l.I, "input of a recurrent layer");
    l.elements(y, (int64_t)l.T * l.states(), "output of a recurrent layer");
    for (const void* state : {hx, (const void*)hy, cx, (const void*)cy}) l.elements(state, l.states(), "state of a recurrent layer", true);
    if (train) *(Header*)reserve = {FORWARD, (int64_t)l.T * l.states()};
    l.forward(x, hx, cx, weights, y, hy, cy, train ? reserve : nullptr, yd->filled);
    GOOD;
}

cudnnStatus_t cudnnRNNBackwardData_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t r, const int32_t lengths[], cudnnRNNDataDescriptor_t yd,
                                      const void* y, const void* dy, cudnnRNNDataDescriptor_t xd, void* dx, cudnnTensorDescriptor_t hd,
                                      const void* hx, const void* dhy, void* dhx, cudnnTensorDescriptor_t, const void* cx, const void* dcy,
                                      void* dcx, size_t weight_bytes, const void* weights, size_t work_bytes, void* work,
                                      size_t reserve_bytes, void* reserve) {
    Layer l(*r, *xd);
    emu::DeviceWork device("cudnnRNNBackwardData_v8");
    TRY(l.check("cudnnRNNBackwardData_v8", handle, lengths, *yd, hd, weight_bytes, weights, work_bytes, work));
    TRY(l.check_reserve("cudnnRNNBackwardData_v8", reserve, reserve_bytes, FORWARD));
    l.elements(dx, (int64_t)l.N * l.T * l.I, "input gradient of a recurrent layer");
    for (const void* each : {y, dy}) l.elements(each, (int64_t)l.T * l.states(), "output of a recurrent layer, or its gradient");
    for (const void* state : {hx, dhy, (const void*)dhx, cx, dcy, (const void*)dcx})
        l.elements(state, l.states(), "state of a recurrent layer, or its gradient", true);
    l.data_gradients(y, dy, hx, dhy, dhx, cx, dcy, dcx, weights, dx, reserve);
    ((Header*)reserve)->phase = DATA;
    GOOD;
}

cudnnStatus_t cudnnRNNBackwardWeights_v8(cudnnHandle_t handle, cudnnRNNDescriptor_t r, cudnnWgradMode_t mode, const int32_t lengths[],
                                         cudnnRNNDataDescriptor_t xd, const void* x, cudnnTensorDescriptor_t hd, const void* hx,
                                         cudnnRNNDataDescriptor_t yd, const void* y, size_t weight_bytes, void* dweights,
                                         size_t work_bytes, void* work, size_t reserve_bytes, void* reserve) {
    Layer l(*r, *xd);
    emu::DeviceWork device("cudnnRNNBackwardWeights_v8");
    TRY(l.check("cudnnRNNBackwardWeights_v8", handle, lengths, *yd, hd, weight_bytes, dweights, work_bytes, work));
    TRY(l.check_reserve("cudnnRNNBackwardWeights_v8", reserve, reserve_bytes, DATA));
    if (mode != CUDNN_WGRAD_MODE_ADD) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "weight gradients that are not added");
    l.elements(x, (int64_t)l.N * l.T * l.I, "input of a recurrent layer");
    l.elements(y, (int64_t)l.T * l.states(), "output of a recurrent layer");
    l.elements(hx, l.states(), "state of a recurrent layer", true);
    l.weight_gradients(x, hx, y, dweights, reserve);
    GOOD;
}

}  // extern "C"
