// GPU_EMULATOR_COUNT=1: how often each kernel, copy and library call ran, and how often the program waited for the device,
// printed when it ends; GPU_EMULATOR_TRACE=1: each as it comes.
#include "runtime.h"
#include <stdio.h>
#include <algorithm>
#include <map>

namespace emu {

namespace {

struct Counts {
    std::mutex lock;
    std::map<std::string, size_t> found;

    ~Counts() {
        std::vector<std::pair<size_t, std::string>> sorted;
        for (auto& [name, count] : found) sorted.emplace_back(count, name);
        std::sort(sorted.rbegin(), sorted.rend());
        for (auto& [count, name] : sorted) fprintf(stderr, "GPU emulator: %zu x %s\n", count, name.c_str());
    }
};

}  // namespace

void count(const std::string& name) {
    static const bool counts = setting("GPU_EMULATOR_COUNT"), traces = setting("GPU_EMULATOR_TRACE");
    // Kernels are traced with their grids, where they are launched.
    if (traces && name.rfind("kernel ", 0) != 0) fprintf(stderr, "GPU emulator: %s\n", name.c_str());
    if (!counts) return;
    static Counts all;
    std::lock_guard<std::mutex> guard(all.lock);
    all.found[name]++;
}

}  // namespace emu
