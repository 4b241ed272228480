// The compile step: CUDA C++ text to a shared library with a table of its kernels.
//
//  1. `g++ -E` with emulator.h in front, which leaves `__global__`, `__launch_bounds__` and `__shared__` alone.
//  2. In that text every `__global__ void NAME(...)` is a kernel, macros and all; templates are left out.
//     `extern __shared__ T name[];` becomes a pointer to the dynamic shared memory; other `__shared__` variables
//     become thread-local ones, so that the runtime finds them in one piece and can poison them before each block.
//  3. The table of kernels is appended and g++ makes the library.
//
// Indices outside arrays of known size and misaligned accesses trap; the runtime reports them.
#include "compile.h"
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <fstream>
#include <regex>
#include <sstream>

namespace emu {
namespace {

std::string quote(const std::string& s) {
    std::string r = "'";
    for (char c : s) r += c == '\'' ? std::string("'\\''") : std::string(1, c);
    return r + "'";
}

std::string read_file(const std::string& path) {
    std::ifstream f(path, std::ios::binary);
    std::stringstream s;
    s << f.rdbuf();
    return s.str();
}

void write_file(const std::string& path, const std::string& text) {
    std::ofstream f(path, std::ios::binary);
    f << text;
}

bool exists(const std::string& path) { return access(path.c_str(), R_OK) == 0; }

// Runs a command; its output, errors included, goes to `out`.
bool run(const std::string& command, std::string& out) {
    FILE* p = popen((command + " 2>&1").c_str(), "r");
    if (!p) return false;
    char buffer[4096];
    while (size_t n = fread(buffer, 1, sizeof buffer, p)) out.append(buffer, n);
    return pclose(p) == 0;
}

uint64_t hash(uint64_t h, const std::string& s) {
    for (unsigned char c : s) h = (h ^ c) * 1099511628211ull;
    return (h ^ 0xFF) * 1099511628211ull;
}

std::string cache_directory() {
    const char* own = getenv("GPU_EMULATOR_CACHE");
    const char* tmp = getenv("TMPDIR");
    std::string d = own && *own ? own
                                : std::string(tmp && *tmp ? tmp : "/tmp") + "/gpu-emulator-" + std::to_string(getuid());
    mkdir(d.c_str(), 0700);
    return d;
}

bool is_word(char c) { return isalnum((unsigned char)c) || c == '_'; }

size_t skip_space(const std::string& s, size_t at) {
    while (at < s.size() && isspace((unsigned char)s[at])) at++;
    return at;
}

// The position behind the bracket that closes the one at `open`.
size_t closing(const std::string& s, size_t open) {
    int depth = 0;
    for (size_t i = open; i < s.size(); i++) {
        if (s[i] == '(') depth++;
        if (s[i] == ')' && --depth == 0) return i + 1;
    }
    return s.size();
}

struct Found { std::string name, bounds; };

// The kernels that the preprocessed text defines.
std::vector<Found> find_kernels(const std::string& text) {
    std::vector<Found> found;
    const std::string word = "__global__";
    for (size_t at = 0; (at = text.find(word, at)) != std::string::npos;) {
        size_t before = text.find_last_of(";{}", at);
        std::string lead = text.substr(before == std::string::npos ? 0 : before + 1, at - (before == std::string::npos ? 0 : before + 1));
        at += word.size();
        bool is_template = lead.find("template") != std::string::npos;
        Found k{"", "1024"};
        std::string last;
        size_t i = at;
        while (i < text.size()) {
            i = skip_space(text, i);
            if (text[i] == '(') {
                size_t end = closing(text, i);
                if (last == "__launch_bounds__") {
                    std::string inside = text.substr(i + 1, end - i - 2);
                    int depth = 0;
                    size_t comma = 0;
                    while (comma < inside.size() && !(inside[comma] == ',' && depth == 0)) {
                        if (inside[comma] == '(') depth++;
                        if (inside[comma] == ')') depth--;
                        comma++;
                    }
                    k.bounds = inside.substr(0, comma);
                } else if (last != "__attribute__" && last != "alignas") {
                    k.name = last;
                    break;
                }
                i = end;
                last.clear();
            } else if (is_word(text[i])) {
                size_t end = i;
                while (end < text.size() && is_word(text[end])) end++;
                last = text.substr(i, end - i);
                i = end;
            } else if (text[i] == ';' || text[i] == '{') {
                break;
            } else {
                i++;
            }
        }
        bool known = std::any_of(found.begin(), found.end(), [&](const Found& f) { return f.name == k.name; });
        if (!is_template && !k.name.empty() && !known) found.push_back(k);
    }
    return found;
}

// `extern __shared__ T name[];` to `T* const name = (T*)emu_dynamic_shared;`, with further dimensions and attributes.
std::string dynamic_shared(const std::string& text) {
    std::string out;
    size_t done = 0;
    for (size_t at = 0; (at = text.find("__shared__", at)) != std::string::npos; at += 10) {
        size_t before = at;
        while (before > done && isspace((unsigned char)text[before - 1])) before--;
        bool is_extern = before >= done + 6 && text.compare(before - 6, 6, "extern") == 0;
        size_t end = text.find(';', at);
        if (!is_extern || end == std::string::npos) continue;
        std::string type, name, rest, last;
        for (size_t i = at + 10; i < end;) {
            if (is_word(text[i])) {
                size_t stop = i;
                while (is_word(text[stop])) stop++;
                type += last;
                last = text.substr(i, stop - i);
                i = stop;
            } else if (text[i] == '(' && (last == "__attribute__" || last == "alignas")) {
                i = closing(text, i);
                last.clear();
            } else if (text[i] == '[') {
                name = last;
                rest = text.substr(text.find(']', i) + 1, end - text.find(']', i) - 1);
                break;
            } else {
                type += last + text[i++];
                last.clear();
            }
        }
        if (name.empty()) continue;
        bool matrix = rest.find('[') != std::string::npos;
        out += text.substr(done, before - 6 - done);
        out += matrix ? type + "(*const " + name + ")" + rest + " = (" + type + "(*)" + rest + ")emu_dynamic_shared;"
                      : type + "* const " + name + " = (" + type + "*)emu_dynamic_shared;";
        done = end + 1;
    }
    return out + text.substr(done);
}

// What of NVRTC's and nvcc's options means something to g++.
std::string translate(const std::vector<std::string>& options) {
    std::string flags, arch = "900";
    for (size_t i = 0; i < options.size(); i++) {
        std::string o = options[i];
        auto value = [&](const char* prefix, std::string& v) {
            size_t n = strlen(prefix);
            if (o.compare(0, n, prefix) != 0) return false;
            v = o.substr(n);
            if (v.empty() && i + 1 < options.size()) v = options[++i];
            if (!v.empty() && v[0] == '=') v = v.substr(1);
            return true;
        };
        std::string v;
        if (value("--gpu-architecture", v) || value("-arch", v)) {
            std::string digits;
            for (char c : v) if (isdigit((unsigned char)c)) digits += c;
            if (!digits.empty()) arch = digits + "0";
        } else if (value("--define-macro", v) || value("-D", v)) {
            flags += " -D" + quote(v);
        } else if (value("--include-path", v) || value("-I", v)) {
            flags += " -I" + quote(v);
        }
    }
    return flags + " -D__CUDA_ARCH__=" + arch;
}

}  // namespace

std::string own_directory() {
    Dl_info info;
    if (!dladdr((void*)&compile, &info)) return ".";
    char* real = realpath(info.dli_fname, nullptr);
    std::string path = real ? real : info.dli_fname;
    free(real);
    size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash);
}

Compiled compile(const std::string& source, const std::string& name, const std::vector<std::string>& options,
                 const std::string& include, bool runtime_compiler, const std::string& output) {
    Compiled result;
    const char* cxx = getenv("CXX");
    std::string compiler = cxx && *cxx ? cxx : "g++";
    std::string flags = " -std=c++17 -w -I" + quote(include) + translate(options) + " -D__CUDACC__ -D__NVCC__" +
                        " -D__CUDACC_VER_MAJOR__=13 -D__CUDACC_VER_MINOR__=0" + (runtime_compiler ? " -D__CUDACC_RTC__" : "");
    std::string headers;
    for (const char* h : {"emulator.h", "emulator_numbers.h", "emulator_kernel.h", "emulator_small_float.inc", "cuda_fp16.h",
                          "cuda_bf16.h", "cuda_fp8.h"}) {
        headers += read_file(include + "/" + h);
    }
    std::string build = " -O1 -g1 -fPIC -shared -fwrapv -fno-strict-aliasing -ffp-contract=off -fno-gnu-unique"
                        " -fsanitize=alignment,bounds -fsanitize-undefined-trap-on-error -Wl,-Bsymbolic";
    char key[64];
    snprintf(key, sizeof key, "%016llx", (unsigned long long)hash(hash(hash(hash(14695981039346656037ull, source), flags), headers), build + name + "2"));  // the digit: version of the steps here
    std::string stem = output.empty() ? cache_directory() + "/" + key : output;
    result.library = output.empty() ? stem + ".so" : output;
    std::string list = stem + ".kernels";

    if (!(output.empty() && exists(result.library) && exists(list))) {
        // Under names of this process, moved into place at the end: others may compile the same.
        std::string own = stem + "." + std::to_string(getpid()) + "." + std::to_string((uintptr_t)&result & 0xFFFFFF);
        std::string text = source;
        if (runtime_compiler) {
            // Without headers a source names the integer types itself, perhaps not as this system does.
            static const std::regex names("(typedef\\s+[a-z ]+\\s+(u?int(8|16|32|64)_t|size_t|uintptr_t)\\s*;)|"
                                          "(using\\s+(u?int(8|16|32|64)_t|size_t|uintptr_t)\\s*=\\s*[a-z ]+;)");
            text = std::regex_replace(text, names, "");
        }
        write_file(own + ".cu", "# 1 " + std::string("\"") + name + "\"\n" + text);
        std::string pre;
        bool ok = run(compiler + flags + " -include emulator.h -x c++ -E " + quote(own + ".cu") + " -o " + quote(own + ".ii"), pre);
        result.log += pre;
        std::vector<Found> kernels;
        if (ok) {
            text = read_file(own + ".ii");
            kernels = find_kernels(text);
            text = dynamic_shared(text);
            std::string all = "#define __global__\n#define __launch_bounds__(...)\n#define __shared__ static thread_local\n" + text +
                              "\nstatic thread_local char emu_shared_anchor;\n"
                              "extern \"C\" void emu_touch_shared() { *(volatile char*)&emu_shared_anchor = 0; }\n"
                              "extern \"C\" { extern const EmuKernel emu_kernels[]; extern const unsigned emu_kernel_count;\n"
                              "const EmuKernel emu_kernels[] = {\n";
            std::string names;
            for (auto& k : kernels) {
                all += "emu::describe<&" + k.name + ">(\"" + k.name + "\", (" + k.bounds + ")),\n";
                names += k.name + "\n";
            }
            all += "{nullptr, nullptr, 0, nullptr, nullptr, 0}};\nconst unsigned emu_kernel_count = " + std::to_string(kernels.size()) + "; }\n";
            write_file(own + ".ii", all);
            std::string runtime = own_directory() + "/libcuda.so.1";
            ok = run(compiler + " -std=c++17 -w -x c++ " + quote(own + ".ii") + build + " -x none " + quote(runtime) + " -o " +
                         quote(own + ".so"), result.log);
            write_file(own + ".kernels", names);
        }
        if (ok) {
            ok = rename((own + ".kernels").c_str(), list.c_str()) == 0 && rename((own + ".so").c_str(), result.library.c_str()) == 0;
        }
        unlink((own + ".cu").c_str());
        if (!getenv("GPU_EMULATOR_KEEP")) unlink((own + ".ii").c_str());
        if (!ok) return result;
    }
    std::stringstream names(read_file(list));
    for (std::string n; std::getline(names, n);) result.kernels.push_back(n);
    result.ok = true;
    return result;
}

}  // namespace emu
