// libcudnn.so.9: convolutions as plain loops over up to three spatial dimensions, grouped or not.
//
// Refuses what does not fit together (shapes, types, a workspace smaller than the one asked for) and fills the
// workspace with NaN, so that nothing can depend on what is in it. The algorithms differ in their workspace only.
#include "cudnn_shared.h"
#include <algorithm>

namespace {
constexpr int MAX_DIMS = 5;  // N, C and three spatial dimensions
}  // namespace

struct cudnnFilterStruct {
    cudnnDataType_t type;
    cudnnTensorFormat_t format;
    int n = 0;
    int dims[CUDNN_DIM_MAX];
};
struct cudnnConvolutionStruct {
    int n = 0;  // spatial dimensions
    int pad[3], stride[3], dilation[3];
    cudnnConvolutionMode_t mode;
    cudnnDataType_t compute;
    cudnnMathType_t math = CUDNN_DEFAULT_MATH;
    int groups = 1;
};
struct cudnnActivationStruct { cudnnActivationMode_t mode; cudnnNanPropagation_t nan; double coefficient; };

namespace {

// Where the elements of a tensor or filter lie: five dimensions, the missing ones of size 1 in front of the spatial ones.
struct Layout {
    Element type;
    int64_t dims[MAX_DIMS], strides[MAX_DIMS];
    int64_t count() const { return dims[0] * dims[1] * dims[2] * dims[3] * dims[4]; }
    size_t bytes() const {
        int64_t last = 0;
        for (int i = 0; i < MAX_DIMS; i++) last += (dims[i] - 1) * strides[i];
        return (size_t)(last + 1) * emu::size_of(type);
    }
};

void set(Layout& l, int n, const int* dims, const int64_t* strides) {
    for (int i = 0; i < MAX_DIMS; i++) {
        int from = i < 2 ? i : i - (MAX_DIMS - n);
        bool there = i < 2 || from >= 2;
        l.dims[i] = there ? dims[from] : 1;
        l.strides[i] = there ? strides[from] : 0;
    }
}

Layout layout(const cudnnTensorStruct& t) {
    Layout l{element(t.type), {}, {}};
    int64_t strides[CUDNN_DIM_MAX];
    std::copy(t.strides, t.strides + t.n, strides);
    set(l, t.n, t.dims, strides);
    return l;
}

// Packed strides; with NHWC the second dimension is the innermost.
void packed(cudnnTensorFormat_t format, int n, const int* dims, int64_t* strides) {
    int64_t step = 1;
    if (format == CUDNN_TENSOR_NHWC) { strides[1] = 1; step = dims[1]; }
    for (int i = n - 1; i >= 0; i--) {
        if (format == CUDNN_TENSOR_NHWC && i == 1) continue;
        strides[i] = step;
        step *= dims[i];
    }
}

Layout layout(const cudnnFilterStruct& f) {
    Layout l{element(f.type), {}, {}};
    int64_t strides[CUDNN_DIM_MAX];
    packed(f.format, f.n, f.dims, strides);
    set(l, f.n, f.dims, strides);
    return l;
}

// Calls `f(dense index, index in memory)` for every element.
template <class F> void each(const Layout& l, F f) {
    int64_t i = 0;
    for (int64_t a = 0; a < l.dims[0]; a++)
        for (int64_t b = 0; b < l.dims[1]; b++)
            for (int64_t c = 0; c < l.dims[2]; c++)
                for (int64_t d = 0; d < l.dims[3]; d++)
                    for (int64_t e = 0; e < l.dims[4]; e++)
                        f(i++, a * l.strides[0] + b * l.strides[1] + c * l.strides[2] + d * l.strides[3] + e * l.strides[4]);
}

template <class V> std::vector<V> read(const Layout& l, const void* p) {
    std::vector<V> v((size_t)l.count());
    each(l, [&](int64_t i, int64_t at) { v[i] = (V)emu::get(l.type, p, at); });
    return v;
}

double scalar(Element type, const void* p) { return type == Element::F64 ? *(const double*)p : *(const float*)p; }

// out = alpha v + beta out; beta 0 overwrites.
template <class V> void write(const Layout& l, void* p, const std::vector<V>& v, double alpha, double beta) {
    each(l, [&](int64_t i, int64_t at) {
        V r = (V)alpha * v[i];
        if (beta != 0) r += (V)beta * (V)emu::get(l.type, p, at);
        emu::put(l.type, p, at, (double)r);
    });
}

// --- The convolution -------------------------------------------------------------------------------

struct Convolution {
    Layout x, w, y;
    int64_t pad[3], stride[3], dilation[3], groups;
    bool flip;
};

int output_size(const cudnnConvolutionStruct& c, int i, int in, int k) {
    return 1 + (in + 2 * c.pad[i] - ((k - 1) * c.dilation[i] + 1)) / c.stride[i];
}

cudnnStatus_t describe(Convolution& v, const cudnnTensorStruct* x, const cudnnFilterStruct* w, const cudnnConvolutionStruct* c,
                       const cudnnTensorStruct* y) {
    if (!x || !w || !c || !y || !x->n || !w->n || !c->n || !y->n) return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor is not set");
    if (x->n != w->n || x->n != y->n || x->n != c->n + 2) return refuse(CUDNN_STATUS_BAD_PARAM, "numbers of dimensions: x %d, w %d, y %d, convolution %d", x->n, w->n, y->n, c->n);
    if (x->type != w->type || x->type != y->type) return refuse(CUDNN_STATUS_BAD_PARAM, "types of x, w and y differ");
    Element e = element(x->type);
    if (e == Element::None) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "element type");
    bool fits = e == Element::F64 ? c->compute == CUDNN_DATA_DOUBLE : c->compute == CUDNN_DATA_FLOAT || (e == Element::F16 && c->compute == CUDNN_DATA_HALF);
    if (!fits) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "compute type %d for elements of type %d", (int)c->compute, (int)x->type);
    if (x->dims[1] != w->dims[1] * c->groups) return refuse(CUDNN_STATUS_BAD_PARAM, "%d channels, filter of %d, %d groups", x->dims[1], w->dims[1], c->groups);
    if (w->dims[0] % c->groups) return refuse(CUDNN_STATUS_BAD_PARAM, "%d filters in %d groups", w->dims[0], c->groups);
    if (y->dims[0] != x->dims[0] || y->dims[1] != w->dims[0]) return refuse(CUDNN_STATUS_BAD_PARAM, "y is (%d,%d,..), not (%d,%d,..)", y->dims[0], y->dims[1], x->dims[0], w->dims[0]);
    for (int i = 0; i < c->n; i++) {
        int want = output_size(*c, i, x->dims[i + 2], w->dims[i + 2]);
        if (want < 1 || y->dims[i + 2] != want) return refuse(CUDNN_STATUS_BAD_PARAM, "y has size %d in dimension %d, not %d", y->dims[i + 2], i + 2, want);
    }
    v = {layout(*x), layout(*w), layout(*y), {0, 0, 0}, {1, 1, 1}, {1, 1, 1}, c->groups, c->mode == CUDNN_CONVOLUTION};
    for (int i = 0; i < c->n; i++) {
        int to = 3 - c->n + i;
        v.pad[to] = c->pad[i];
        v.stride[to] = c->stride[i];
        v.dilation[to] = c->dilation[i];
    }
    return CUDNN_STATUS_SUCCESS;
}

// Calls `f(x index, w index, y index, count, x step)` for every run of products along the last dimension, in dense
// indices: the three convolutions differ in which of the three they sum into.
template <class F> void products(const Convolution& v, F f) {
    const int64_t *xd = v.x.dims, *wd = v.w.dims, *yd = v.y.dims;
    int64_t per_group = wd[0] / v.groups;
    for (int64_t n = 0; n < xd[0]; n++)
        for (int64_t k = 0; k < wd[0]; k++)
            for (int64_t c = 0; c < wd[1]; c++) {
                int64_t channel = k / per_group * wd[1] + c;
                for (int64_t fd = 0; fd < wd[2]; fd++)
                    for (int64_t fh = 0; fh < wd[3]; fh++)
                        for (int64_t fw = 0; fw < wd[4]; fw++) {
                            int64_t gd = v.flip ? wd[2] - 1 - fd : fd, gh = v.flip ? wd[3] - 1 - fh : fh, gw = v.flip ? wd[4] - 1 - fw : fw;
                            int64_t wi = (((k * wd[1] + c) * wd[2] + gd) * wd[3] + gh) * wd[4] + gw;
                            int64_t shift = fw * v.dilation[2] - v.pad[2];
                            int64_t first = shift < 0 ? (-shift + v.stride[2] - 1) / v.stride[2] : 0;
                            int64_t room = xd[4] - 1 - shift;
                            int64_t end = room < 0 ? 0 : std::min(yd[4], room / v.stride[2] + 1);
                            if (first >= end) continue;
                            for (int64_t d = 0; d < yd[2]; d++) {
                                int64_t id = d * v.stride[0] - v.pad[0] + fd * v.dilation[0];
                                if (id < 0 || id >= xd[2]) continue;
                                for (int64_t h = 0; h < yd[3]; h++) {
                                    int64_t ih = h * v.stride[1] - v.pad[1] + fh * v.dilation[1];
                                    if (ih < 0 || ih >= xd[3]) continue;
                                    int64_t xi = (((n * xd[1] + channel) * xd[2] + id) * xd[3] + ih) * xd[4] + first * v.stride[2] + shift;
                                    int64_t yi = (((n * yd[1] + k) * yd[2] + d) * yd[3] + h) * yd[4] + first;
                                    f(xi, wi, yi, end - first, v.stride[2]);
                                }
                            }
                        }
            }
}

template <class V> std::vector<V> forward(const Convolution& v, const void* x, const void* w) {
    auto xs = read<V>(v.x, x), ws = read<V>(v.w, w);
    std::vector<V> ys((size_t)v.y.count(), V(0));
    products(v, [&](int64_t xi, int64_t wi, int64_t yi, int64_t n, int64_t step) {
        V weight = ws[wi];
        for (int64_t i = 0; i < n; i++) ys[yi + i] += weight * xs[xi + i * step];
    });
    return ys;
}

template <class V> std::vector<V> backward_data(const Convolution& v, const void* w, const void* dy) {
    auto ws = read<V>(v.w, w), ys = read<V>(v.y, dy);
    std::vector<V> xs((size_t)v.x.count(), V(0));
    products(v, [&](int64_t xi, int64_t wi, int64_t yi, int64_t n, int64_t step) {
        V weight = ws[wi];
        for (int64_t i = 0; i < n; i++) xs[xi + i * step] += weight * ys[yi + i];
    });
    return xs;
}

template <class V> std::vector<V> backward_filter(const Convolution& v, const void* x, const void* dy) {
    auto xs = read<V>(v.x, x), ys = read<V>(v.y, dy);
    std::vector<V> ws((size_t)v.w.count(), V(0));
    products(v, [&](int64_t xi, int64_t wi, int64_t yi, int64_t n, int64_t step) {
        V sum = 0;
        for (int64_t i = 0; i < n; i++) sum += xs[xi + i * step] * ys[yi + i];
        ws[wi] += sum;
    });
    return ws;
}

// --- Algorithms and workspace ----------------------------------------------------------------------

// Algorithm 0 needs no workspace; the others some, which depends on the sizes.
size_t workspace(int algo, const Convolution& v) {
    return algo == 0 ? 0 : (size_t)(v.w.count() + v.y.dims[4] * v.y.dims[3]) * 4 * (size_t)algo;
}

cudnnStatus_t take_workspace(int algo, int count, bool unsupported, const Convolution& v, void* p, size_t bytes) {
    if (algo < 0 || algo >= count) return refuse(CUDNN_STATUS_BAD_PARAM, "algorithm %d", algo);
    if (unsupported) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "algorithm %d", algo);
    size_t need = workspace(algo, v);
    if (bytes < need) return refuse(CUDNN_STATUS_BAD_PARAM, "workspace of %zu bytes, algorithm %d needs %zu", bytes, algo, need);
    if (need && !p) return refuse(CUDNN_STATUS_BAD_PARAM, "no workspace");
    if (p && bytes) {
        emu::check_range(p, bytes, "cuDNN workspace");
        std::fill_n((unsigned char*)p, bytes, (unsigned char)0xFF);
    }
    return CUDNN_STATUS_SUCCESS;
}

// The order a heuristic might give: a fast one with workspace first, the ones that do not exist last.
template <class Perf, class Algo>
cudnnStatus_t rank(const Convolution& v, int count, int unsupported, int wanted, int* returned, Perf* out) {
    if (wanted < 1 || !returned || !out) return CUDNN_STATUS_BAD_PARAM;
    std::vector<int> order{1, 0};
    for (int a = 2; a < count; a++) if (a != unsupported) order.push_back(a);
    if (unsupported >= 0) order.push_back(unsupported);
    *returned = std::min(wanted, count);
    for (int i = 0; i < *returned; i++) {
        out[i] = {};
        out[i].algo = (Algo)order[i];
        out[i].status = order[i] == unsupported ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_SUCCESS;
        out[i].time = (float)(i + 1);
        out[i].memory = workspace(order[i], v);
        out[i].determinism = CUDNN_DETERMINISTIC;
    }
    return CUDNN_STATUS_SUCCESS;
}

constexpr int FORWARD = CUDNN_CONVOLUTION_FWD_ALGO_COUNT, NO_FORWARD = CUDNN_CONVOLUTION_FWD_ALGO_DIRECT;
constexpr int DATA = CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT, NO_DATA = -1;
constexpr int FILTER = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT, NO_FILTER = CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD;

cudnnStatus_t set_tensor(cudnnTensorStruct* t, cudnnDataType_t type, int n, const int* dims, const int* strides) {
    if (n < 3 || n > MAX_DIMS) return refuse(n > MAX_DIMS ? CUDNN_STATUS_NOT_SUPPORTED : CUDNN_STATUS_BAD_PARAM, "a tensor of %d dimensions", n);
    for (int i = 0; i < n; i++)
        if (dims[i] < 1) return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor with size %d in dimension %d", dims[i], i);
    t->type = type;
    t->n = n;
    std::copy(dims, dims + n, t->dims);
    std::copy(strides, strides + n, t->strides);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t set_packed(cudnnTensorStruct* t, cudnnTensorFormat_t f, cudnnDataType_t type, int n, const int* dims) {
    if (n < 3 || n > MAX_DIMS) return set_tensor(t, type, n, dims, dims);
    int64_t wide[CUDNN_DIM_MAX];
    int strides[CUDNN_DIM_MAX];
    packed(f, n, dims, wide);
    std::copy(wide, wide + n, strides);
    return set_tensor(t, type, n, dims, strides);
}
cudnnStatus_t set_filter(cudnnFilterStruct* w, cudnnDataType_t type, cudnnTensorFormat_t f, int n, const int* dims) {
    if (n < 3 || n > MAX_DIMS) return refuse(CUDNN_STATUS_BAD_PARAM, "a filter of %d dimensions", n);
    for (int i = 0; i < n; i++)
        if (dims[i] < 1) return refuse(CUDNN_STATUS_BAD_PARAM, "a filter with size %d in dimension %d", dims[i], i);
    w->type = type;
    w->format = f;
    w->n = n;
    std::copy(dims, dims + n, w->dims);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t set_convolution(cudnnConvolutionStruct* c, int n, const int* pad, const int* stride, const int* dilation,
                              cudnnConvolutionMode_t mode, cudnnDataType_t compute) {
    if (n < 1 || n > 3) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "a convolution over %d dimensions", n);
    for (int i = 0; i < n; i++) {
        if (pad[i] < 0 || stride[i] < 1 || dilation[i] < 1) return refuse(CUDNN_STATUS_BAD_PARAM, "padding %d, stride %d, dilation %d", pad[i], stride[i], dilation[i]);
        c->pad[i] = pad[i];
        c->stride[i] = stride[i];
        c->dilation[i] = dilation[i];
    }
    c->n = n;
    c->mode = mode;
    c->compute = compute;
    return CUDNN_STATUS_SUCCESS;
}

template <class V> void activate(std::vector<V>& v, const cudnnActivationStruct& a) {
    for (V& x : v) {
        if (a.mode == CUDNN_ACTIVATION_RELU) x = x > 0 || x != x ? x : V(0);
    }
}

// cuDNN checks shapes of an addend: every dimension that of the result, or 1.
bool broadcasts(const Layout& from, const Layout& to) {
    for (int i = 0; i < MAX_DIMS; i++)
        if (from.dims[i] != to.dims[i] && from.dims[i] != 1) return false;
    return true;
}
template <class V> void add(std::vector<V>& to, const Layout& l, const Layout& from, const void* p, double alpha) {
    Layout broadcast = l;  // strides 0 repeat
    for (int i = 0; i < MAX_DIMS; i++) broadcast.strides[i] = from.dims[i] == 1 ? 0 : from.strides[i];
    each(broadcast, [&](int64_t i, int64_t at) { to[i] += (V)alpha * (V)emu::get(from.type, p, at); });
}

}  // namespace

extern "C" {

size_t cudnnGetVersion() { return CUDNN_VERSION; }
size_t cudnnGetCudartVersion() { return 13000; }
const char* cudnnGetErrorString(cudnnStatus_t s) { return s == CUDNN_STATUS_SUCCESS ? "CUDNN_STATUS_SUCCESS" : s == CUDNN_STATUS_BAD_PARAM ? "CUDNN_STATUS_BAD_PARAM" : "CUDNN_STATUS_NOT_SUPPORTED"; }
void cudnnGetLastErrorString(char* message, size_t room) {
    snprintf(message, room, "%s", last_refusal);
    last_refusal[0] = 0;
}
cudnnStatus_t cudnnCnnVersionCheck() { GOOD; }
cudnnStatus_t cudnnOpsVersionCheck() { GOOD; }
cudnnStatus_t cudnnAdvVersionCheck() { GOOD; }
cudnnStatus_t cudnnCreate(cudnnHandle_t* h) { *h = new cudnnContext; GOOD; }
cudnnStatus_t cudnnDestroy(cudnnHandle_t h) { delete h; GOOD; }
cudnnStatus_t cudnnSetStream(cudnnHandle_t h, cudaStream_t s) { h->stream = s; GOOD; }
cudnnStatus_t cudnnGetStream(cudnnHandle_t h, cudaStream_t* s) { *s = h->stream; GOOD; }

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* d) { *d = new cudnnTensorStruct{}; GOOD; }
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t d) { delete d; GOOD; }
cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t d, cudnnTensorFormat_t f, cudnnDataType_t t, int n, int c, int h, int w) {
    int dims[] = {n, c, h, w};
    return set_packed(d, f, t, 4, dims);
}
cudnnStatus_t cudnnSetTensor4dDescriptorEx(cudnnTensorDescriptor_t d, cudnnDataType_t t, int n, int c, int h, int w, int sn, int sc, int sh, int sw) {
    int dims[] = {n, c, h, w}, strides[] = {sn, sc, sh, sw};
    return set_tensor(d, t, 4, dims, strides);
}
cudnnStatus_t cudnnSetTensorNdDescriptor(cudnnTensorDescriptor_t d, cudnnDataType_t t, int n, const int* dims, const int* strides) { return set_tensor(d, t, n, dims, strides); }
cudnnStatus_t cudnnSetTensorNdDescriptorEx(cudnnTensorDescriptor_t d, cudnnTensorFormat_t f, cudnnDataType_t t, int n, const int* dims) { return set_packed(d, f, t, n, dims); }
cudnnStatus_t cudnnGetTensorNdDescriptor(const cudnnTensorDescriptor_t d, int room, cudnnDataType_t* t, int* n, int* dims, int* strides) {
    *t = d->type;
    *n = d->n;
    std::copy(d->dims, d->dims + std::min(room, d->n), dims);
    std::copy(d->strides, d->strides + std::min(room, d->n), strides);
    GOOD;
}

cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* d) { *d = new cudnnFilterStruct{}; GOOD; }
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t d) { delete d; GOOD; }
cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t d, cudnnDataType_t t, cudnnTensorFormat_t f, int k, int c, int h, int w) {
    int dims[] = {k, c, h, w};
    return set_filter(d, t, f, 4, dims);
}
cudnnStatus_t cudnnSetFilterNdDescriptor(cudnnFilterDescriptor_t d, cudnnDataType_t t, cudnnTensorFormat_t f, int n, const int* dims) { return set_filter(d, t, f, n, dims); }

cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* d) { *d = new cudnnConvolutionStruct{}; GOOD; }
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t d) { delete d; GOOD; }
cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t d, int ph, int pw, int u, int v, int dh, int dw, cudnnConvolutionMode_t m, cudnnDataType_t t) {
    int pad[] = {ph, pw}, stride[] = {u, v}, dilation[] = {dh, dw};
    return set_convolution(d, 2, pad, stride, dilation, m, t);
}
cudnnStatus_t cudnnSetConvolutionNdDescriptor(cudnnConvolutionDescriptor_t d, int n, const int* pad, const int* stride, const int* dilation, cudnnConvolutionMode_t m, cudnnDataType_t t) {
    return set_convolution(d, n, pad, stride, dilation, m, t);
}
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t d, cudnnMathType_t m) { d->math = m; GOOD; }
cudnnStatus_t cudnnGetConvolutionMathType(cudnnConvolutionDescriptor_t d, cudnnMathType_t* m) { *m = d->math; GOOD; }
cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t d, int n) {
    if (n < 1) return CUDNN_STATUS_BAD_PARAM;
    d->groups = n;
    GOOD;
}
cudnnStatus_t cudnnGetConvolutionGroupCount(cudnnConvolutionDescriptor_t d, int* n) { *n = d->groups; GOOD; }
cudnnStatus_t cudnnGetConvolutionNdForwardOutputDim(const cudnnConvolutionDescriptor_t c, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t w, int n, int* dims) {
    if (n != x->n || n != c->n + 2) return CUDNN_STATUS_BAD_PARAM;
    dims[0] = x->dims[0];
    dims[1] = w->dims[0];
    for (int i = 0; i < c->n; i++) dims[i + 2] = output_size(*c, i, x->dims[i + 2], w->dims[i + 2]);
    GOOD;
}
cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(const cudnnConvolutionDescriptor_t c, const cudnnTensorDescriptor_t x, const cudnnFilterDescriptor_t f, int* n, int* ch, int* h, int* w) {
    int dims[4];
    TRY(cudnnGetConvolutionNdForwardOutputDim(c, x, f, 4, dims));
    *n = dims[0]; *ch = dims[1]; *h = dims[2]; *w = dims[3];
    GOOD;
}

cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t* d) { *d = new cudnnActivationStruct{}; GOOD; }
cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t d) { delete d; GOOD; }
cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t d, cudnnActivationMode_t m, cudnnNanPropagation_t n, double c) { *d = {m, n, c}; GOOD; }

// --- Choosing an algorithm: the heuristics, the searches, the workspace sizes --------------------------

#define X const cudnnTensorDescriptor_t x
#define W const cudnnFilterDescriptor_t w
#define C const cudnnConvolutionDescriptor_t c
#define Y const cudnnTensorDescriptor_t y
#define ALGORITHMS(KIND, LONG, ARGUMENTS, EX_ARGUMENTS, COUNT, MISSING)                                                     \
    cudnnStatus_t cudnnGetConvolution##LONG##AlgorithmMaxCount(cudnnHandle_t, int* n) { *n = COUNT; GOOD; }                 \
    cudnnStatus_t cudnnGetConvolution##LONG##Algorithm_v7(cudnnHandle_t, ARGUMENTS, const int wanted, int* n, cudnnConvolution##KIND##AlgoPerf_t* out) { \
        Convolution v;                                                                                                      \
        TRY(describe(v, x, w, c, y));                                                                                       \
        return rank<cudnnConvolution##KIND##AlgoPerf_t, cudnnConvolution##KIND##Algo_t>(v, COUNT, MISSING, wanted, n, out); \
    }                                                                                                                       \
    cudnnStatus_t cudnnFindConvolution##LONG##Algorithm(cudnnHandle_t h, ARGUMENTS, const int wanted, int* n, cudnnConvolution##KIND##AlgoPerf_t* out) { \
        (void)h;                                                                                                            \
        Convolution v;                                                                                                      \
        TRY(describe(v, x, w, c, y));                                                                                       \
        return rank<cudnnConvolution##KIND##AlgoPerf_t, cudnnConvolution##KIND##Algo_t>(v, COUNT, MISSING, wanted, n, out); \
    }                                                                                                                       \
    cudnnStatus_t cudnnFindConvolution##LONG##AlgorithmEx(cudnnHandle_t, EX_ARGUMENTS, const int wanted, int* n, cudnnConvolution##KIND##AlgoPerf_t* out, void*, size_t) { \
        Convolution v;                                                                                                      \
        TRY(describe(v, x, w, c, y));                                                                                       \
        return rank<cudnnConvolution##KIND##AlgoPerf_t, cudnnConvolution##KIND##Algo_t>(v, COUNT, MISSING, wanted, n, out); \
    }                                                                                                                       \
    cudnnStatus_t cudnnGetConvolution##LONG##WorkspaceSize(cudnnHandle_t, ARGUMENTS, cudnnConvolution##KIND##Algo_t algo, size_t* bytes) { \
        Convolution v;                                                                                                      \
        TRY(describe(v, x, w, c, y));                                                                                       \
        if ((int)algo < 0 || (int)algo >= COUNT) return refuse(CUDNN_STATUS_BAD_PARAM, "algorithm %d", (int)algo);          \
        if ((int)algo == MISSING) return refuse(CUDNN_STATUS_NOT_SUPPORTED, "algorithm %d", (int)algo);                     \
        *bytes = workspace((int)algo, v);                                                                                   \
        GOOD;                                                                                                               \
    }
#define LIST(...) __VA_ARGS__
// The order of the descriptors: what is given first, the result last.
ALGORITHMS(Fwd, Forward, LIST(X, W, C, Y), LIST(X, const void*, W, const void*, C, Y, void*), FORWARD, NO_FORWARD)
ALGORITHMS(BwdData, BackwardData, LIST(W, Y, C, X), LIST(W, const void*, Y, const void*, C, X, void*), DATA, NO_DATA)
ALGORITHMS(BwdFilter, BackwardFilter, LIST(X, Y, C, W), LIST(X, const void*, Y, const void*, C, W, void*), FILTER, NO_FILTER)
#undef X
#undef W
#undef C
#undef Y

// --- The convolutions -------------------------------------------------------------------------------

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t, const void* alpha, const cudnnTensorDescriptor_t xd, const void* x,
                                      const cudnnFilterDescriptor_t wd, const void* w, const cudnnConvolutionDescriptor_t c,
                                      cudnnConvolutionFwdAlgo_t algo, void* space, size_t bytes, const void* beta,
                                      const cudnnTensorDescriptor_t yd, void* y) {
    Convolution v;
    TRY(describe(v, xd, wd, c, yd));
    emu::DeviceWork work("cudnnConvolutionForward");
    TRY(take_workspace(algo, FORWARD, algo == NO_FORWARD, v, space, bytes));
    emu::check_range(x, v.x.bytes(), "input of a convolution");
    emu::check_range(w, v.w.bytes(), "filter of a convolution");
    emu::check_range(y, v.y.bytes(), "output of a convolution");
    double a = scalar(v.y.type, alpha), b = scalar(v.y.type, beta);
    if (v.y.type == Element::F64) write(v.y, y, forward<double>(v, x, w), a, b);
    else write(v.y, y, forward<float>(v, x, w), a, b);
    GOOD;
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t, const void* alpha, const cudnnFilterDescriptor_t wd, const void* w,
                                           const cudnnTensorDescriptor_t yd, const void* dy, const cudnnConvolutionDescriptor_t c,
                                           cudnnConvolutionBwdDataAlgo_t algo, void* space, size_t bytes, const void* beta,
                                           const cudnnTensorDescriptor_t xd, void* dx) {
    Convolution v;
    TRY(describe(v, xd, wd, c, yd));
    emu::DeviceWork work("cudnnConvolutionBackwardData");
    TRY(take_workspace(algo, DATA, false, v, space, bytes));
    emu::check_range(w, v.w.bytes(), "filter of a convolution");
    emu::check_range(dy, v.y.bytes(), "output gradient of a convolution");
    emu::check_range(dx, v.x.bytes(), "input gradient of a convolution");
    double a = scalar(v.x.type, alpha), b = scalar(v.x.type, beta);
    if (v.x.type == Element::F64) write(v.x, dx, backward_data<double>(v, w, dy), a, b);
    else write(v.x, dx, backward_data<float>(v, w, dy), a, b);
    GOOD;
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t, const void* alpha, const cudnnTensorDescriptor_t xd, const void* x,
                                             const cudnnTensorDescriptor_t yd, const void* dy, const cudnnConvolutionDescriptor_t c,
                                             cudnnConvolutionBwdFilterAlgo_t algo, void* space, size_t bytes, const void* beta,
                                             const cudnnFilterDescriptor_t wd, void* dw) {
    Convolution v;
    TRY(describe(v, xd, wd, c, yd));
    emu::DeviceWork work("cudnnConvolutionBackwardFilter");
    TRY(take_workspace(algo, FILTER, algo == NO_FILTER, v, space, bytes));
    emu::check_range(x, v.x.bytes(), "input of a convolution");
    emu::check_range(dy, v.y.bytes(), "output gradient of a convolution");
    emu::check_range(dw, v.w.bytes(), "filter gradient of a convolution");
    double a = scalar(v.w.type, alpha), b = scalar(v.w.type, beta);
    if (v.w.type == Element::F64) write(v.w, dw, backward_filter<double>(v, x, dy), a, b);
    else write(v.w, dw, backward_filter<float>(v, x, dy), a, b);
    GOOD;
}

// y = activation(alpha1 conv(x, w) + alpha2 z + bias)
cudnnStatus_t cudnnConvolutionBiasActivationForward(
    cudnnHandle_t, const void* alpha1, const cudnnTensorDescriptor_t xd, const void* x, const cudnnFilterDescriptor_t wd, const void* w,
    const cudnnConvolutionDescriptor_t c, cudnnConvolutionFwdAlgo_t algo, void* space, size_t bytes, const void* alpha2,
    const cudnnTensorDescriptor_t zd, const void* z, const cudnnTensorDescriptor_t bd, const void* bias,
    const cudnnActivationDescriptor_t activation, const cudnnTensorDescriptor_t yd, void* y) {
    Convolution v;
    TRY(describe(v, xd, wd, c, yd));
    if (activation->mode != CUDNN_ACTIVATION_RELU && activation->mode != CUDNN_ACTIVATION_IDENTITY)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "activation %d in a convolution", (int)activation->mode);
    if (activation->mode == CUDNN_ACTIVATION_IDENTITY && algo != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM)
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "the identity activation with algorithm %d", (int)algo);
    Layout zl = layout(*zd), bl = layout(*bd);
    if (!std::equal(zl.dims, zl.dims + MAX_DIMS, v.y.dims)) return refuse(CUDNN_STATUS_BAD_PARAM, "z is not of the shape of y");
    if (bl.count() != v.y.dims[1] || bl.dims[1] != v.y.dims[1]) return refuse(CUDNN_STATUS_BAD_PARAM, "a bias of %ld elements", (long)bl.count());
    emu::DeviceWork work("cudnnConvolutionBiasActivationForward");
    TRY(take_workspace(algo, FORWARD, algo == NO_FORWARD, v, space, bytes));
    emu::check_range(x, v.x.bytes(), "input of a convolution");
    emu::check_range(w, v.w.bytes(), "filter of a convolution");
    emu::check_range(bias, bl.bytes(), "bias of a convolution");
    emu::check_range(y, v.y.bytes(), "output of a convolution");
    double a1 = scalar(v.y.type, alpha1), a2 = scalar(v.y.type, alpha2);
    if (a2 != 0) emu::check_range(z, zl.bytes(), "z of a convolution");
    auto finish = [&](auto sums) {
        for (auto& s : sums) s *= (std::decay_t<decltype(s)>)a1;
        if (a2 != 0) add(sums, v.y, zl, z, a2);
        add(sums, v.y, bl, bias, 1);
        activate(sums, *activation);
        write(v.y, y, sums, 1, 0);
    };
    if (v.y.type == Element::F64) finish(forward<double>(v, x, w));
    else finish(forward<float>(v, x, w));
    GOOD;
}

cudnnStatus_t cudnnConvolutionBackwardBias(cudnnHandle_t, const void* alpha, const cudnnTensorDescriptor_t yd, const void* dy,
                                           const void* beta, const cudnnTensorDescriptor_t bd, void* db) {
    Layout y = layout(*yd), b = layout(*bd);
    if (b.dims[1] != y.dims[1] || b.count() != y.dims[1] || b.type != y.type) return refuse(CUDNN_STATUS_BAD_PARAM, "gradient of a bias of %ld elements for %ld channels", (long)b.count(), (long)y.dims[1]);
    emu::DeviceWork work("cudnnConvolutionBackwardBias");
    emu::check_range(dy, y.bytes(), "output gradient of a bias");
    emu::check_range(db, b.bytes(), "gradient of a bias");
    std::vector<double> sums((size_t)y.dims[1], 0.0);
    int64_t plane = y.dims[2] * y.dims[3] * y.dims[4];
    each(y, [&](int64_t i, int64_t at) { sums[i / plane % y.dims[1]] += emu::get(y.type, dy, at); });
    write(b, db, sums, scalar(b.type, alpha), scalar(b.type, beta));
    GOOD;
}

// c = alpha a + beta c, a repeated along dimensions of size 1.
cudnnStatus_t cudnnAddTensor(cudnnHandle_t, const void* alpha, const cudnnTensorDescriptor_t ad, const void* a, const void* beta,
                             const cudnnTensorDescriptor_t cd, void* c) {
    Layout from = layout(*ad), to = layout(*cd);
    if (!broadcasts(from, to) || from.type != to.type) return refuse(CUDNN_STATUS_BAD_PARAM, "cudnnAddTensor: the shapes or types do not fit");
    emu::DeviceWork work("cudnnAddTensor");
    emu::check_range(a, from.bytes(), "addend of cudnnAddTensor");
    emu::check_range(c, to.bytes(), "result of cudnnAddTensor");
    std::vector<double> sums((size_t)to.count(), 0.0);
    double b = scalar(to.type, beta);
    add(sums, to, from, a, scalar(to.type, alpha));
    write(to, c, sums, 1, b);
    GOOD;
}

}  // extern "C"
