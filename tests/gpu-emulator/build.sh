#!/usr/bin/env bash
# Builds the stand-in libraries into lib/ and candle's own kernels into lib/kernels/.
#
#   CUDA_HOME=<toolkit> [CANDLE_KERNELS=<folder of candle-kernels/src>] [CUDNN_INCLUDE=<folder>] ./build.sh
#
# Only headers of the toolkit are used. CANDLE_KERNELS defaults to the newest candle-kernels in cargo's registry.
set -euo pipefail
cd "$(dirname "$0")"
: "${CUDA_HOME:?set CUDA_HOME to a CUDA 13 toolkit}"
CXX=${CXX:-g++}
mkdir -p lib/kernels build
flags=(-std=c++17 -O3 -g -Wall -Wextra -fPIC -I"$CUDA_HOME/include")
[ -n "${CUDNN_INCLUDE:-}" ] || for d in "$CUDA_HOME/cudnn-include" "$CUDA_HOME/include"; do
    [ -f "$d/cudnn.h" ] && CUDNN_INCLUDE=$d && break
done

# missing HEADER FUNCTION-PATTERN CODE: a C file in which every function of the header returns CODE, weakly, so that a
# program that only names it still starts; it says so when it is called.
missing() {
    echo '#include <stdio.h>'
    echo "#include <$1>" | "$CXX" -E -x c++ -I"$CUDA_HOME/include" ${CUDNN_INCLUDE:+-I"$CUDNN_INCLUDE"} - \
        | grep -oE "\b$2[A-Za-z0-9_]*[[:space:]]*\(" | tr -d ' (\t' | sort -u \
        | while read -r f; do
            echo "__attribute__((weak)) int $f(void) { fprintf(stderr, \"GPU emulator: $f is missing\\n\"); return $3; }"
        done
}

# library SONAME SOURCES...: versioned as NVIDIA's, whose symbols carry the file's name.
library() {
    local so=$1 versions=(); shift
    if [ "$so" != libcuda.so.1 ]; then
        echo "$so { global: *; };" > "build/$so.map"
        versions=(-Wl,--version-script="build/$so.map" -Llib -l:libcuda.so.1 -Wl,-rpath,'$ORIGIN')
    fi
    "$CXX" -shared -Wl,-soname,"$so" -o "build/$so" "$@" "${versions[@]}" -ldl -lpthread
    mv "build/$so" "lib/$so"
}

compile() { "$CXX" "${flags[@]}" ${CUDNN_INCLUDE:+-I"$CUDNN_INCLUDE"} -c "src/$1.cpp" -o "build/$1.o"; }
stubs() { missing "$2" "$3" "$4" > "build/$1.c"; gcc -w -fPIC -O1 -c "build/$1.c" -o "build/$1.o"; }

for s in count memory blocks driver compile nvrtc kernelc; do compile $s; done
stubs missing_cuda cuda.h 'cu[A-Z]' 801
library libcuda.so.1 build/{count,memory,blocks,driver,missing_cuda}.o
stubs missing_nvrtc nvrtc.h nvrtc 6
library libnvrtc.so.13 build/{compile,nvrtc,missing_nvrtc}.o
"$CXX" -o lib/kernelc build/{kernelc,compile}.o -ldl

stand_in() { # NAME SONAME HEADER PATTERN CODE
    local source objects=()
    for source in "src/$1.cpp" "src/$1"_*.cpp; do
        [ -f "$source" ] || continue
        source=$(basename "$source" .cpp)
        compile "$source"; objects+=("build/$source.o")
    done
    [ "${#objects[@]}" = 0 ] && return 0
    stubs "missing_$1" "$3" "$4" "$5"
    library "$2" "${objects[@]}" "build/missing_$1.o"
}
stand_in cublas libcublas.so.13 cublas_v2.h 'cublas[A-KM-Z]' 15
stand_in cublaslt libcublasLt.so.13 cublasLt.h cublasLt 15
stand_in curand libcurand.so.10 curand.h curand 999
[ -n "${CUDNN_INCLUDE:-}" ] && stand_in cudnn libcudnn.so.9 cudnn.h cudnn 3000

[ "${1:-}" = libraries ] && exit 0
[ -n "${CANDLE_KERNELS:-}" ] || CANDLE_KERNELS=$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/candle-kernels-*/src | sort -V | tail -1)
: > build/index
for name in affine binary cast conv fill indexing reduce sort ternary unary; do
    lib/kernelc "$CANDLE_KERNELS/$name.cu" "lib/kernels/$name.so" -I"$CANDLE_KERNELS" --gpu-architecture=sm_90 && echo "$name.so" >> build/index
done
mv build/index lib/kernels/index
