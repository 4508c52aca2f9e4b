// All kernels of a decoder step, as one source: CUDA C++ that is compiled when a model is loaded. Macros configure it.
//
// ROWS: 1, 2, 4, 8 or 16: kernels for that many rows; 0: kernels for any number, next to a library's matrix products
// BFLOAT16: 1 for bfloat16 elements, 0 for float32
// D_MODEL, D_KV, HEADS, D_FF, GATED (0 or 1): the architecture; D_MODEL, D_KV and D_FF are multiples of 8
// ACTIVATION: the value of `Activation` (core/requests.h)
// EPSILON: of the layer norm, a float
//
// Matrices are row-major [outputs, inputs], hidden states float32 [rows, D_MODEL]. Pointers are aligned to 16 bytes.
#pragma once

#include "aten/kernels/attention.cuh"
#include "aten/kernels/choose.cuh"
#include "aten/kernels/embed.cuh"
#include "aten/kernels/linear_kernels.cuh"
#include "aten/kernels/norm.cuh"
