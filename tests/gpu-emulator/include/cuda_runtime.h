// Stand-in for the toolkit header: everything is in emulator.h.
#pragma once
#include "emulator.h"
#ifndef CUDA_VERSION
#define CUDA_VERSION 13000
#endif
