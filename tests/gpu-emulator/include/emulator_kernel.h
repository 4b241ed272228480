// One kernel of a compiled file, as the runtime sees it.
#pragma once

struct EmuKernel {
    const char* name;
    void (*call)(void** arguments);
    unsigned arguments;
    const unsigned* sizes;        // bytes of each argument
    const bool* pointers;         // which of them are pointers
    unsigned max_threads;         // from __launch_bounds__, 1024 without
};
