// libcuda.so.1: the driver functions that cudarc and candle call. Streams run everything at once and in order
// of submission, so events and waits have nothing to do. Calls that the driver refuses are refused here too;
// what only a debugger would notice on a device (stray copies, stale pointers) aborts with a message.
#include "runtime.h"
#include "../include/emulator_kernel.h"
#include <cuda.h>
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdarg.h>
#include <time.h>
#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

using emu::Kind;

struct CUfunc_st {
    const EmuKernel* kernel;
    void* library;
    int max_dynamic_shared = 48 * 1024;
};
struct CUmod_st {
    std::vector<void*> libraries;
    std::map<std::string, std::unique_ptr<CUfunc_st>> functions;
};
struct CUctx_st { int references; };
struct CUstream_st { unsigned flags; int priority; };
struct CUevent_st { unsigned flags; double recorded = -1; };

namespace {

thread_local CUctx_st* current_context = nullptr;
CUctx_st primary{0};
std::mutex module_lock;

// What a launch, a copy or an allocation needs and the driver insists on.
#define NEED_CONTEXT() do { if (!current_context) return CUDA_ERROR_INVALID_CONTEXT; } while (0)

CUresult refuse(CUresult code, const char* format, ...) {
    va_list list;
    va_start(list, format);
    fprintf(stderr, "GPU emulator: ");
    vfprintf(stderr, format, list);
    fprintf(stderr, "\n");
    va_end(list);
    return code;
}

double now_ms() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

const char* own_directory() {
    static std::string directory = [] {
        Dl_info info;
        dladdr((void*)&primary, &info);
        std::string path = info.dli_fname;
        size_t slash = path.rfind('/');
        return slash == std::string::npos ? std::string(".") : path.substr(0, slash);
    }();
    return directory.c_str();
}

// --- Modules ---------------------------------------------------------------------------------------

void* open_kernels(const std::string& path) {
    void* h = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (!h) fprintf(stderr, "GPU emulator: cannot load %s: %s\n", path.c_str(), dlerror());
    return h;
}

struct Table { const EmuKernel* first; unsigned count; };
Table table_of(void* library) {
    auto* first = (const EmuKernel*)dlsym(library, "emu_kernels");
    auto* count = (const unsigned*)dlsym(library, "emu_kernel_count");
    return {first, first && count ? *count : 0};
}

// The kernel libraries that were built ahead of time, listed in lib/kernels/index.
const std::vector<void*>& prebuilt() {
    static std::vector<void*> libraries = [] {
        std::vector<void*> v;
        std::string directory = std::string(own_directory()) + "/kernels/";
        std::ifstream index(directory + "index");
        for (std::string name; std::getline(index, name);) {
            if (void* h = open_kernels(directory + name)) v.push_back(h);
        }
        return v;
    }();
    return libraries;
}

// The kernels that a PTX text declares, `.entry NAME(.param ..., .param ...)`, with their numbers of parameters.
std::map<std::string, unsigned> entries(const std::string& ptx) {
    std::map<std::string, unsigned> found;
    for (size_t at = 0; (at = ptx.find(".entry", at)) != std::string::npos;) {
        at = ptx.find_first_not_of(" \t\n", at + 6);
        size_t end = ptx.find_first_of(" \t\n(", at), close = ptx.find(')', at);
        if (at == std::string::npos || end == std::string::npos || close == std::string::npos) break;
        unsigned parameters = 0;
        for (size_t p = end; (p = ptx.find(".param", p)) < close; p += 6) parameters++;
        found[ptx.substr(at, end - at)] = parameters;
    }
    return found;
}

// Adds the library's kernels, or those of them that the PTX declares.
void add_functions(CUmod_st& m, void* library, const std::map<std::string, unsigned>* wanted) {
    Table t = table_of(library);
    for (unsigned i = 0; i < t.count; i++) {
        const EmuKernel& k = t.first[i];
        if (wanted) {
            auto it = wanted->find(k.name);
            if (it == wanted->end()) continue;
            if (it->second != k.arguments) {
                fprintf(stderr, "GPU emulator: %s has %u parameters in the PTX and %u in lib/kernels: another version?\n", k.name,
                        it->second, k.arguments);
                continue;
            }
        }
        auto f = std::make_unique<CUfunc_st>();
        f->kernel = &k;
        f->library = library;
        m.functions[k.name] = std::move(f);
    }
}

// The memory of the library's `__shared__` variables: its thread-local block in this thread.
struct Find { ElfW(Addr) base; void* data; size_t bytes; };
int find_tls(dl_phdr_info* info, size_t, void* data) {
    Find* f = (Find*)data;
    if (info->dlpi_addr != f->base) return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_TLS) {
            f->data = info->dlpi_tls_data;
            f->bytes = info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1;
}
Find shared_memory_of(void* library) {
    auto touch = (void (*)())dlsym(library, "emu_touch_shared");
    if (touch) touch();  // makes the block exist
    link_map* map = nullptr;
    dlinfo(library, RTLD_DI_LINKMAP, &map);
    Find f{map->l_addr, nullptr, 0};
    dl_iterate_phdr(find_tls, &f);
    if (!f.data) f.bytes = 0;
    return f;
}

CUresult load(CUmodule* out, const std::string& text) {
    auto m = std::make_unique<CUmod_st>();
    const std::string mark = "// gpu-emulator: ";
    size_t at = text.find(mark);
    if (at != std::string::npos) {
        std::string path = text.substr(at + mark.size());
        path = path.substr(0, path.find('\n'));
        void* h = open_kernels(path);
        if (!h) return CUDA_ERROR_INVALID_PTX;
        m->libraries.push_back(h);
        add_functions(*m, h, nullptr);
        size_t shared = shared_memory_of(h).bytes;
        if (shared > 48 * 1024 + 64) {
            fprintf(stderr, "GPU emulator: the module's __shared__ variables take %zu bytes; a kernel may have 49152\n", shared);
        }
    } else {
        std::map<std::string, unsigned> names = entries(text);
        if (names.empty()) return refuse(CUDA_ERROR_INVALID_PTX, "a module that is neither PTX nor from this NVRTC");
        for (void* h : prebuilt()) add_functions(*m, h, &names);
        if (m->functions.empty()) {
            refuse(CUDA_SUCCESS, "none of the module's %zu kernels (%s, ...) is in lib/kernels", names.size(), names.begin()->first.c_str());
        }
    }
    *out = m.release();
    return CUDA_SUCCESS;
}

template <class V> CUresult fill(CUdeviceptr p, V v, size_t n) {
    NEED_CONTEXT();
    emu::DeviceWork work("memset");
    emu::check_range((void*)p, n * sizeof(V), "memset");
    std::fill_n((V*)p, n, v);
    return CUDA_SUCCESS;
}
}  // namespace

extern "C" {

// --- Device and context ----------------------------------------------------------------------------

CUresult cuInit(unsigned) {
    static const bool said = [] {
        if (!emu::setting("GPU_EMULATOR_QUIET")) fprintf(stderr, "GPU emulator: kernels run on the CPU\n");
        return true;
    }();
    (void)said;
    return CUDA_SUCCESS;
}
CUresult cuGetExportTable(const void** t, const CUuuid*) { *t = nullptr; return CUDA_ERROR_NOT_FOUND; }
CUresult cuDriverGetVersion(int* v) { *v = 13000; return CUDA_SUCCESS; }
CUresult cuDeviceGetCount(int* n) { *n = 1; return CUDA_SUCCESS; }
CUresult cuDeviceGet(CUdevice* d, int ordinal) { *d = ordinal; return ordinal == 0 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE; }
CUresult cuDeviceGetName(char* name, int n, CUdevice) { snprintf(name, (size_t)n, "CPU emulating an NVIDIA GPU"); return CUDA_SUCCESS; }
CUresult cuDeviceGetUuid_v2(CUuuid* u, CUdevice) { memset(u, 0x11, sizeof *u); return CUDA_SUCCESS; }
CUresult cuDeviceTotalMem_v2(size_t* n, CUdevice) { *n = (size_t)16 << 30; return CUDA_SUCCESS; }
CUresult cuDeviceComputeCapability(int* a, int* b, CUdevice) { *a = 9; *b = 0; return CUDA_SUCCESS; }
CUresult cuDeviceGetAttribute(int* v, CUdevice_attribute a, CUdevice) {
    switch (a) {
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: *v = 1024; break;
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: *v = 64; break;
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: *v = 2147483647; break;
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: *v = 65535; break;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: *v = 48 * 1024; break;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: *v = emu::MAX_DYNAMIC_SHARED; break;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: *v = 228 * 1024; break;
        case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY: *v = 65536; break;
        case CU_DEVICE_ATTRIBUTE_WARP_SIZE: *v = 32; break;
        case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK:
        case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: *v = 65536; break;
        case CU_DEVICE_ATTRIBUTE_CLOCK_RATE:
        case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: *v = 1000000; break;
        case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: *v = 4; break;
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: *v = 2048; break;
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR: *v = 32; break;
        case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: *v = 32 << 20; break;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: *v = 9; break;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: *v = 0; break;
        case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING:
        case CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY:
        case CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS:
        case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS:
        case CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH:
        case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: *v = 1; break;
        default: *v = 0;
    }
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext* c, CUdevice) { primary.references++; *c = &primary; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { primary.references--; return CUDA_SUCCESS; }
CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice, unsigned) { return CUDA_SUCCESS; }
CUresult cuCtxGetCurrent(CUcontext* c) { *c = current_context; return CUDA_SUCCESS; }
CUresult cuCtxSetCurrent(CUcontext c) { current_context = c; return CUDA_SUCCESS; }
CUresult cuCtxGetDevice(CUdevice* d) { NEED_CONTEXT(); *d = 0; return CUDA_SUCCESS; }
CUresult cuCtxSetFlags(unsigned) { NEED_CONTEXT(); return CUDA_SUCCESS; }
CUresult cuCtxGetLimit(size_t* v, CUlimit) { NEED_CONTEXT(); *v = 0; return CUDA_SUCCESS; }
CUresult cuCtxSetLimit(CUlimit, size_t) { NEED_CONTEXT(); return CUDA_SUCCESS; }
CUresult cuCtxGetCacheConfig(CUfunc_cache* c) { NEED_CONTEXT(); *c = CU_FUNC_CACHE_PREFER_NONE; return CUDA_SUCCESS; }
CUresult cuCtxSetCacheConfig(CUfunc_cache) { NEED_CONTEXT(); return CUDA_SUCCESS; }
CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) { *least = 0; *greatest = -5; return CUDA_SUCCESS; }
CUresult cuCtxSynchronize() { NEED_CONTEXT(); emu::count("wait"); emu::check_red_zones("cuCtxSynchronize"); return CUDA_SUCCESS; }

CUresult cuGetErrorName(CUresult e, const char** s) {
    switch (e) {
#define NAME(X) case X: *s = #X; return CUDA_SUCCESS;
        NAME(CUDA_SUCCESS) NAME(CUDA_ERROR_INVALID_VALUE) NAME(CUDA_ERROR_OUT_OF_MEMORY) NAME(CUDA_ERROR_INVALID_DEVICE)
        NAME(CUDA_ERROR_INVALID_CONTEXT) NAME(CUDA_ERROR_INVALID_PTX) NAME(CUDA_ERROR_NOT_FOUND)
        NAME(CUDA_ERROR_FILE_NOT_FOUND) NAME(CUDA_ERROR_NOT_READY) NAME(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES)
        NAME(CUDA_ERROR_NOT_SUPPORTED) NAME(CUDA_ERROR_INVALID_HANDLE)
#undef NAME
        default: *s = "CUDA_ERROR_UNKNOWN"; return CUDA_SUCCESS;
    }
}
CUresult cuGetErrorString(CUresult e, const char** s) { return cuGetErrorName(e, s); }

// --- Streams and events ----------------------------------------------------------------------------

CUresult cuStreamCreate(CUstream* s, unsigned flags) { NEED_CONTEXT(); *s = new CUstream_st{flags, 0}; return CUDA_SUCCESS; }
CUresult cuStreamCreateWithPriority(CUstream* s, unsigned flags, int p) { NEED_CONTEXT(); *s = new CUstream_st{flags, p}; return CUDA_SUCCESS; }
CUresult cuStreamDestroy_v2(CUstream s) { delete s; return CUDA_SUCCESS; }
CUresult cuStreamSynchronize(CUstream) { NEED_CONTEXT(); emu::count("wait"); emu::check_red_zones("cuStreamSynchronize"); return CUDA_SUCCESS; }
CUresult cuStreamQuery(CUstream) { return CUDA_SUCCESS; }
CUresult cuStreamWaitEvent(CUstream, CUevent, unsigned) { return CUDA_SUCCESS; }
CUresult cuStreamIsCapturing(CUstream, CUstreamCaptureStatus* s) { *s = CU_STREAM_CAPTURE_STATUS_NONE; return CUDA_SUCCESS; }
CUresult cuStreamAttachMemAsync(CUstream, CUdeviceptr, size_t, unsigned) { return CUDA_SUCCESS; }
CUresult cuLaunchHostFunc(CUstream, CUhostFn f, void* data) { f(data); return CUDA_SUCCESS; }
CUresult cuEventCreate(CUevent* e, unsigned flags) { NEED_CONTEXT(); *e = new CUevent_st{flags}; return CUDA_SUCCESS; }
CUresult cuEventDestroy_v2(CUevent e) { delete e; return CUDA_SUCCESS; }
CUresult cuEventRecord(CUevent e, CUstream) { e->recorded = now_ms(); return CUDA_SUCCESS; }
CUresult cuEventQuery(CUevent) { return CUDA_SUCCESS; }
CUresult cuEventSynchronize(CUevent) { emu::count("wait"); return CUDA_SUCCESS; }
CUresult cuEventElapsedTime_v2(float* ms, CUevent a, CUevent b) {
    if ((a->flags | b->flags) & CU_EVENT_DISABLE_TIMING || a->recorded < 0 || b->recorded < 0) return CUDA_ERROR_INVALID_HANDLE;
    *ms = (float)(b->recorded - a->recorded);
    return CUDA_SUCCESS;
}
#undef cuEventElapsedTime  // a macro for the newer one; programs name both
CUresult cuEventElapsedTime(float* ms, CUevent a, CUevent b) { return cuEventElapsedTime_v2(ms, a, b); }

// --- Memory ----------------------------------------------------------------------------------------

static CUresult allocate(CUdeviceptr* p, size_t n, Kind kind) {
    NEED_CONTEXT();
    void* m = emu::allocate(n, kind);
    *p = (CUdeviceptr)m;
    return m ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}
static CUresult release(void* p) {
    if (!emu::release(p)) emu::fail("free of %p, which is no live allocation", p);
    return CUDA_SUCCESS;
}
CUresult cuMemAlloc_v2(CUdeviceptr* p, size_t n) {
    return n == 0 ? refuse(CUDA_ERROR_INVALID_VALUE, "cuMemAlloc of 0 bytes") : allocate(p, n, Kind::Device);
}
CUresult cuMemAllocAsync(CUdeviceptr* p, size_t n, CUstream) { return allocate(p, n, Kind::Device); }
CUresult cuMemAllocFromPoolAsync(CUdeviceptr* p, size_t n, CUmemoryPool, CUstream) { return allocate(p, n, Kind::Device); }
CUresult cuMemAllocManaged(CUdeviceptr* p, size_t n, unsigned) { return allocate(p, n, Kind::Device); }
CUresult cuMemFree_v2(CUdeviceptr p) { return p ? release((void*)p) : CUDA_SUCCESS; }
CUresult cuMemFreeAsync(CUdeviceptr p, CUstream) { return release((void*)p); }
CUresult cuMemHostAlloc(void** p, size_t n, unsigned) { return allocate((CUdeviceptr*)p, n, Kind::Host); }
CUresult cuMemAllocHost_v2(void** p, size_t n) { return allocate((CUdeviceptr*)p, n, Kind::Host); }
CUresult cuMemFreeHost(void* p) { return release(p); }
CUresult cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
    NEED_CONTEXT();
    cuDeviceTotalMem_v2(total, 0);
    *free_bytes = *total - std::min(*total, emu::bytes_in_use());
    return CUDA_SUCCESS;
}
CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* p, CUdevice) { *p = (CUmemoryPool)&primary; return CUDA_SUCCESS; }
CUresult cuDeviceGetMemPool(CUmemoryPool* p, CUdevice) { *p = (CUmemoryPool)&primary; return CUDA_SUCCESS; }
CUresult cuMemPoolSetAttribute(CUmemoryPool, CUmemPool_attribute, void*) { return CUDA_SUCCESS; }
CUresult cuMemPoolGetAttribute(CUmemoryPool, CUmemPool_attribute, void* v) { *(uint64_t*)v = 0; return CUDA_SUCCESS; }
CUresult cuMemPoolTrimTo(CUmemoryPool, size_t) { return CUDA_SUCCESS; }

static CUresult copy(void* to, const void* from, size_t n, bool to_device, bool from_device, const char* what) {
    NEED_CONTEXT();
    emu::DeviceWork work(what);
    if (to_device) emu::check_range(to, n, what);
    if (from_device) emu::check_range(from, n, what);
    memmove(to, from, n);
    return CUDA_SUCCESS;
}
CUresult cuMemcpyHtoD_v2(CUdeviceptr d, const void* s, size_t n) { return copy((void*)d, s, n, true, false, "copy to the device"); }
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr d, const void* s, size_t n, CUstream) { return cuMemcpyHtoD_v2(d, s, n); }
CUresult cuMemcpyDtoH_v2(void* d, CUdeviceptr s, size_t n) { return copy(d, (void*)s, n, false, true, "copy from the device"); }
CUresult cuMemcpyDtoHAsync_v2(void* d, CUdeviceptr s, size_t n, CUstream) { return cuMemcpyDtoH_v2(d, s, n); }
CUresult cuMemcpyDtoD_v2(CUdeviceptr d, CUdeviceptr s, size_t n) { return copy((void*)d, (void*)s, n, true, true, "copy on the device"); }
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr d, CUdeviceptr s, size_t n, CUstream) { return cuMemcpyDtoD_v2(d, s, n); }
CUresult cuMemcpyPeerAsync(CUdeviceptr d, CUcontext, CUdeviceptr s, CUcontext, size_t n, CUstream) { return cuMemcpyDtoD_v2(d, s, n); }
CUresult cuMemsetD8_v2(CUdeviceptr p, unsigned char v, size_t n) { return fill(p, v, n); }
CUresult cuMemsetD8Async(CUdeviceptr p, unsigned char v, size_t n, CUstream) { return fill(p, v, n); }
CUresult cuMemsetD16_v2(CUdeviceptr p, unsigned short v, size_t n) { return fill(p, v, n); }
CUresult cuMemsetD16Async(CUdeviceptr p, unsigned short v, size_t n, CUstream) { return fill(p, v, n); }
CUresult cuMemsetD32_v2(CUdeviceptr p, unsigned v, size_t n) { return fill(p, v, n); }
CUresult cuMemsetD32Async(CUdeviceptr p, unsigned v, size_t n, CUstream) { return fill(p, v, n); }

// --- Modules and launches --------------------------------------------------------------------------

CUresult cuModuleLoadData(CUmodule* m, const void* image) {
    NEED_CONTEXT();
    std::lock_guard<std::mutex> guard(module_lock);
    return load(m, (const char*)image);
}
CUresult cuModuleLoadDataEx(CUmodule* m, const void* image, unsigned, CUjit_option*, void**) { return cuModuleLoadData(m, image); }
CUresult cuModuleLoad(CUmodule* m, const char* path) {
    std::ifstream file(path);
    if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
    std::stringstream text;
    text << file.rdbuf();
    return cuModuleLoadData(m, text.str().c_str());
}
// The code stays loaded: another module may have come from the same file.
CUresult cuModuleUnload(CUmodule m) { delete m; return CUDA_SUCCESS; }
CUresult cuModuleGetFunction(CUfunction* f, CUmodule m, const char* name) {
    auto it = m->functions.find(name);
    if (it == m->functions.end()) return refuse(CUDA_ERROR_NOT_FOUND, "the module has no kernel %s", name);
    *f = it->second.get();
    return CUDA_SUCCESS;
}
CUresult cuModuleGetGlobal_v2(CUdeviceptr* p, size_t* n, CUmodule m, const char* name) {
    for (void* h : m->libraries) {
        void* symbol = dlsym(h, name);
        Dl_info info;
        const ElfW(Sym)* entry = nullptr;
        if (!symbol || !dladdr1(symbol, &info, (void**)&entry, RTLD_DL_SYMENT) || !entry) continue;
        if (p) *p = (CUdeviceptr)symbol;
        if (n) *n = entry->st_size;
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_NOT_FOUND;
}

CUresult cuFuncGetAttribute(int* v, CUfunction_attribute a, CUfunction f) {
    switch (a) {
        case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *v = (int)f->kernel->max_threads; break;
        case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *v = f->max_dynamic_shared; break;
        case CU_FUNC_ATTRIBUTE_NUM_REGS: *v = 32; break;
        case CU_FUNC_ATTRIBUTE_PTX_VERSION:
        case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *v = 90; break;
        default: *v = 0;
    }
    return CUDA_SUCCESS;
}
CUresult cuFuncSetAttribute(CUfunction f, CUfunction_attribute a, int v) {
    if (a != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) return CUDA_SUCCESS;
    if (v < 0 || (size_t)v > emu::MAX_DYNAMIC_SHARED) return refuse(CUDA_ERROR_INVALID_VALUE, "%d bytes of dynamic shared memory", v);
    f->max_dynamic_shared = v;
    return CUDA_SUCCESS;
}
CUresult cuFuncSetCacheConfig(CUfunction, CUfunc_cache) { return CUDA_SUCCESS; }
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* n, CUfunction, int block, size_t) { *n = std::max(1, 2048 / std::max(block, 1)); return CUDA_SUCCESS; }
CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* n, CUfunction f, int block, size_t s, unsigned) { return cuOccupancyMaxActiveBlocksPerMultiprocessor(n, f, block, s); }
CUresult cuOccupancyMaxPotentialBlockSize(int* grid, int* block, CUfunction f, CUoccupancyB2DSize, size_t, int limit) {
    *block = (int)f->kernel->max_threads;
    if (limit > 0) *block = std::min(*block, limit);
    *grid = 4 * std::max(1, 2048 / *block);
    return CUDA_SUCCESS;
}
CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int* grid, int* block, CUfunction f, CUoccupancyB2DSize s, size_t n, int limit, unsigned) { return cuOccupancyMaxPotentialBlockSize(grid, block, f, s, n, limit); }
CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t* n, CUfunction, int, int) { *n = 48 * 1024; return CUDA_SUCCESS; }

CUresult cuLaunchKernel(CUfunction f, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz,
                        unsigned shared, CUstream, void** arguments, void** extra) {
    NEED_CONTEXT();
    const EmuKernel& k = *f->kernel;
    size_t threads = (size_t)bx * by * bz;
    if (threads == 0 || (size_t)gx * gy * gz == 0) return refuse(CUDA_ERROR_INVALID_VALUE, "%s: an empty grid (%u,%u,%u) or block (%u,%u,%u)", k.name, gx, gy, gz, bx, by, bz);
    if (threads > 1024 || bz > 64 || gx > 2147483647u || gy > 65535 || gz > 65535) return refuse(CUDA_ERROR_INVALID_VALUE, "%s: grid (%u,%u,%u) or block (%u,%u,%u) too large", k.name, gx, gy, gz, bx, by, bz);
    if (threads > k.max_threads) return refuse(CUDA_ERROR_INVALID_VALUE, "%s: %zu threads, but __launch_bounds__(%u)", k.name, threads, k.max_threads);
    if (shared > (size_t)f->max_dynamic_shared) return refuse(CUDA_ERROR_INVALID_VALUE, "%s: %u bytes of dynamic shared memory, %d allowed", k.name, shared, f->max_dynamic_shared);
    if (extra) return refuse(CUDA_ERROR_NOT_SUPPORTED, "%s: arguments through `extra`", k.name);
    if (k.arguments && !arguments) return CUDA_ERROR_INVALID_VALUE;

    emu::DeviceWork work(std::string("kernel ") + k.name);
    for (unsigned i = 0; i < k.arguments; i++) {
        if (!k.pointers[i]) continue;
        void* p = *(void**)arguments[i];
        if (p && !emu::is_known(p)) emu::fail("%s: argument %u, %p, is not in any live device allocation", k.name, i, p);
    }
    if (emu::setting("GPU_EMULATOR_TRACE")) {
        fprintf(stderr, "GPU emulator: %s<<<(%u,%u,%u), (%u,%u,%u), %u>>>\n", k.name, gx, gy, gz, bx, by, bz, shared);
    }
    Find tls = shared_memory_of(f->library);
    emu::run_grid(k, emu::Grid{{gx, gy, gz}, {bx, by, bz}, shared}, arguments, tls.data, tls.bytes);
    return CUDA_SUCCESS;
}
CUresult cuLaunchKernelEx(const CUlaunchConfig* c, CUfunction f, void** arguments, void** extra) {
    return cuLaunchKernel(f, c->gridDimX, c->gridDimY, c->gridDimZ, c->blockDimX, c->blockDimY, c->blockDimZ,
                          c->sharedMemBytes, c->hStream, arguments, extra);
}
// Blocks run one after the other, so a grid-wide barrier could not work.
CUresult cuLaunchCooperativeKernel(CUfunction f, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void**) {
    return refuse(CUDA_ERROR_NOT_SUPPORTED, "%s: cooperative launch", f->kernel->name);
}

}  // extern "C"
