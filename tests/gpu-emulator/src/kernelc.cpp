// kernelc SOURCE.cu OUTPUT.so [options]: compiles a file of kernels ahead of time.
#include "compile.h"
#include <stdio.h>
#include <fstream>
#include <sstream>

int main(int argc, char** argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: kernelc SOURCE.cu OUTPUT.so [options]\n");
        return 2;
    }
    std::ifstream file(argv[1]);
    std::stringstream text;
    text << file.rdbuf();
    emu::Compiled c = emu::compile(text.str(), argv[1], std::vector<std::string>(argv + 3, argv + argc),
                                   emu::own_directory() + "/../include", false, argv[2]);
    fputs(c.log.c_str(), stderr);
    if (c.ok) printf("%s: %zu kernels\n", argv[2], c.kernels.size());
    return c.ok ? 0 : 1;
}
