// libnvrtc.so.13: compiles for the CPU. What it returns as PTX is a text that names the library and its kernels.
//
// With GPU_EMULATOR_REAL_NVRTC=<path of NVIDIA's libnvrtc> a source is given to that compiler first, which needs no
// GPU, and its errors are returned: g++ accepts more than NVRTC does.
#include "compile.h"
#include <nvrtc.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct _nvrtcProgram {
    std::string source, name, log, ptx;
    std::vector<std::pair<std::string, std::string>> headers;
};

namespace {

// Compiles with NVIDIA's own library; true where that is not asked for.
bool real_compiler_accepts(_nvrtcProgram& p, int n, const char* const* options) {
    const char* path = getenv("GPU_EMULATOR_REAL_NVRTC");
    if (!path || !*path) return true;
    static void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        p.log = std::string("cannot load the real NVRTC: ") + dlerror();
        return false;
    }
#define REAL(NAME) auto real_##NAME = (decltype(&NAME))dlsym(library, #NAME)
    REAL(nvrtcCreateProgram);
    REAL(nvrtcCompileProgram);
    REAL(nvrtcGetProgramLogSize);
    REAL(nvrtcGetProgramLog);
    REAL(nvrtcDestroyProgram);
    std::vector<const char*> texts, names;
    for (auto& h : p.headers) {
        names.push_back(h.first.c_str());
        texts.push_back(h.second.c_str());
    }
    nvrtcProgram real = nullptr;
    if (real_nvrtcCreateProgram(&real, p.source.c_str(), p.name.c_str(), (int)texts.size(), texts.data(), names.data()) != NVRTC_SUCCESS) {
        p.log = "the real NVRTC could not create the program";
        return false;
    }
    bool ok = real_nvrtcCompileProgram(real, n, options) == NVRTC_SUCCESS;
    if (!ok) {
        size_t size = 0;
        real_nvrtcGetProgramLogSize(real, &size);
        p.log.resize(size);
        real_nvrtcGetProgramLog(real, p.log.data());
        p.log = std::string("NVRTC: ") + p.log.c_str();
    }
    real_nvrtcDestroyProgram(&real);
    return ok;
}

}  // namespace

extern "C" {

nvrtcResult nvrtcVersion(int* major, int* minor) { *major = 13; *minor = 0; return NVRTC_SUCCESS; }
nvrtcResult nvrtcGetNumSupportedArchs(int* n) { *n = 1; return NVRTC_SUCCESS; }
nvrtcResult nvrtcGetSupportedArchs(int* archs) { *archs = 90; return NVRTC_SUCCESS; }
const char* nvrtcGetErrorString(nvrtcResult r) {
    return r == NVRTC_SUCCESS ? "NVRTC_SUCCESS" : r == NVRTC_ERROR_COMPILATION ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR";
}

nvrtcResult nvrtcCreateProgram(nvrtcProgram* out, const char* source, const char* name, int n, const char* const* texts,
                               const char* const* names) {
    auto* p = new _nvrtcProgram{source, name && *name ? name : "default_program", "", "", {}};
    for (int i = 0; i < n; i++) p->headers.push_back({names[i], texts[i]});
    *out = p;
    return NVRTC_SUCCESS;
}
nvrtcResult nvrtcDestroyProgram(nvrtcProgram* p) { delete *p; *p = nullptr; return NVRTC_SUCCESS; }

nvrtcResult nvrtcCompileProgram(nvrtcProgram p, int n, const char* const* options) {
    if (!real_compiler_accepts(*p, n, options)) return NVRTC_ERROR_COMPILATION;
    if (!p->headers.empty()) {
        p->log = "the GPU emulator takes no headers given as text";
        return NVRTC_ERROR_COMPILATION;
    }
    emu::Compiled c = emu::compile(p->source, p->name, std::vector<std::string>(options, options + n),
                                   emu::own_directory() + "/../include", true, "");
    p->log = c.log;
    if (!c.ok) return NVRTC_ERROR_COMPILATION;
    p->ptx = "// gpu-emulator: " + c.library + "\n.version 9.0\n.target sm_90\n.address_size 64\n";
    for (auto& k : c.kernels) p->ptx += ".visible .entry " + k + "()\n";
    return NVRTC_SUCCESS;
}
nvrtcResult nvrtcGetPTXSize(nvrtcProgram p, size_t* n) { *n = p->ptx.size() + 1; return NVRTC_SUCCESS; }
nvrtcResult nvrtcGetPTX(nvrtcProgram p, char* out) { memcpy(out, p->ptx.c_str(), p->ptx.size() + 1); return NVRTC_SUCCESS; }
nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram p, size_t* n) { *n = p->log.size() + 1; return NVRTC_SUCCESS; }
nvrtcResult nvrtcGetProgramLog(nvrtcProgram p, char* out) { memcpy(out, p->log.c_str(), p->log.size() + 1); return NVRTC_SUCCESS; }

}  // extern "C"
