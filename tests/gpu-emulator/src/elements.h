// Element types of the library calls: reading them as float or double and writing them back, rounded once.
#pragma once
#include "../include/emulator_numbers.h"
#include <stddef.h>

namespace emu {

enum class Element { F32, F64, F16, BF16, None };

inline size_t size_of(Element e) { return e == Element::F64 ? 8 : e == Element::F32 ? 4 : 2; }

inline double get(Element e, const void* p, size_t i) {
    switch (e) {
        case Element::F32: return ((const float*)p)[i];
        case Element::F64: return ((const double*)p)[i];
        case Element::F16: return f16_to_float(((const uint16_t*)p)[i]);
        default: return bf16_to_float(((const uint16_t*)p)[i]);
    }
}

inline void put(Element e, void* p, size_t i, double v) {
    switch (e) {
        case Element::F32: ((float*)p)[i] = (float)v; break;
        case Element::F64: ((double*)p)[i] = v; break;
        case Element::F16: ((uint16_t*)p)[i] = double_to_f16(v); break;
        default: ((uint16_t*)p)[i] = double_to_bf16(v); break;
    }
}

}  // namespace emu
