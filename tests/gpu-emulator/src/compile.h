// Compiles CUDA C++ to a library of kernels for the CPU.
#pragma once
#include <string>
#include <vector>

namespace emu {

struct Compiled {
    bool ok = false;
    std::string log;                   // what the compiler said
    std::string library;               // path of the library
    std::vector<std::string> kernels;  // their names
};

// `options` are those of NVRTC or nvcc; -D, -I and -std count, the architecture sets __CUDA_ARCH__. `include` is the
// folder of emulator.h. The library is written to `output`, or where that is empty into the cache.
Compiled compile(const std::string& source, const std::string& name, const std::vector<std::string>& options,
                 const std::string& include, bool runtime_compiler, const std::string& output);

// The folder of the library or program that this code is in.
std::string own_directory();

}  // namespace emu
